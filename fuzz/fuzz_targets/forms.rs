//! Bodies of forms: what marks them as ours, and the decoder of their fields.
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use server::router::read_form;

fuzz_target!(|body: &[u8]| {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    if let Some(shown) = read_form(&headers, body) {
        assert!(
            shown.iter().all(|(name, _)| name != "password" && name != "code"),
            "{shown:?}"
        );
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let config = serde_qs::Config::new(2, false);
        let _ = config.deserialize_str::<app::account::sign_in::Details>(text);
        let _ = config.deserialize_str::<app::cabinet::support::Create>(text);
        let _ = config.deserialize_str::<app::cabinet::preferences::ChangePreferences>(text);
    }
});
