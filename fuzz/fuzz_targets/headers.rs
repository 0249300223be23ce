//! Cookies, `X-Forwarded-For` and what browsers say of themselves.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use server::session;
use std::net::{IpAddr, SocketAddr};

const NAMES: [&str; 4] = ["cookie", "x-forwarded-for", "user-agent", "accept-language"];

fuzz_target!(|lines: Vec<(u8, &[u8])>| {
    let mut headers = HeaderMap::new();
    for (name, value) in lines.into_iter().take(8) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(NAMES[usize::from(name) % 4]), value);
        }
    }
    for is_https in [false, true] {
        session::received(&headers, is_https);
    }
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let stranger = IpAddr::from([203, 0, 113, 9]);
    let seen = |peer: IpAddr| session::visitor(Some(SocketAddr::from((peer, 5))), &headers, &[proxy]);
    // Nobody but a proxy of ours may say where a request comes from.
    assert_eq!(seen(stranger).network, stranger.to_string());
    let visitor = seen(proxy);
    assert!(
        visitor.network.len() <= 45 && visitor.device.chars().count() <= 200,
        "{visitor:?}"
    );
    if let Some(accepted) = headers.get("accept-language").and_then(|v| v.to_str().ok()) {
        crm::lang::Lang::from_accept(accepted);
    }
});
