//! Where a form may lead when the address came from outside: only to a path of this site.
#![no_main]

use app::route::Next;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let next = Next::to_untrusted(Some(raw), "/");
    let path = next.path();
    assert!(
        path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\"),
        "{path:?}"
    );
    assert!(
        !path.contains(char::is_control) && HeaderValue::from_str(path).is_ok(),
        "{path:?}"
    );
});
