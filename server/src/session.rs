//! Cookies in and out, and where a request comes from.

use app::cx::{SetCookie, cookie};
use axum::http::{HeaderMap, Version, header};
use chrono::{DateTime, Utc};
use crm::who::{Token, Visitor};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

const NAMES: [&str; 12] = [
    cookie::SESSION,
    cookie::STAFF,
    cookie::ATTEMPT,
    cookie::STAFF_ATTEMPT,
    cookie::HANDOFF,
    cookie::ONCE,
    cookie::TRANSFER,
    cookie::INVITE,
    cookie::CHAT,
    cookie::DEVICE,
    cookie::LANG,
    cookie::THEME,
];

/// A cookie's name as browsers see it: over https with the prefix that binds it to this host (RFC 6265bis, 4.1.3.2).
fn full_name(name: &str, is_https: bool) -> String {
    if is_https {
        format!("__Host-{name}")
    } else {
        name.to_owned()
    }
}

/// The cookies of ours that came.
pub fn received(headers: &HeaderMap, is_https: bool) -> HashMap<&'static str, Token> {
    let pairs: Vec<(&str, &str)> = headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    let find = |name: &&'static str| {
        let full = full_name(name, is_https);
        let (_, value) = pairs.iter().find(|(n, v)| *n == full && !v.is_empty())?;
        Some((*name, Token::received(value)))
    };
    NAMES.iter().filter_map(find).collect()
}

/// The header line that sets a cookie or removes it.
pub fn set_cookie(cookie: &SetCookie, is_https: bool, now: DateTime<Utc>) -> String {
    let name = full_name(cookie.name, is_https);
    let secure = if is_https { "; Secure" } else { "" };
    let rest = format!("; Path=/; HttpOnly; SameSite=Lax{secure}");
    match (&cookie.value, cookie.expires_at) {
        (None, _) => format!("{name}=; Max-Age=0{rest}"),
        (Some(value), None) => format!("{name}={value}{rest}"),
        (Some(value), Some(at)) => format!("{name}={value}; Max-Age={}{rest}", (at - now).num_seconds().max(0)),
    }
}

/// How the address of a client was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It is the peer itself, and nobody says otherwise.
    Direct,
    /// A trusted proxy named it.
    Forwarded,
    /// A trusted proxy did not name it: all its clients look like one.
    Unforwarded,
    /// Somebody who is not trusted named one, which does not count.
    Ignored,
}

impl Learnt {
    /// Its name in figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Forwarded => "forwarded",
            Self::Unforwarded => "unforwarded",
            Self::Ignored => "ignored",
        }
    }

    /// Whether the request came by a trusted proxy.
    pub fn is_by_trusted_proxy(self) -> bool {
        matches!(self, Self::Forwarded | Self::Unforwarded)
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The client's address, unless the connection has none.
    pub ip: Option<IpAddr>,
    /// How it was learnt.
    pub how: Learnt,
}

/// An entry of `X-Forwarded-For`; some proxies write a port behind the address.
fn hop(raw: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(raw).ok()?.trim();
    let with_port = || text.parse::<SocketAddr>().map(|hop| hop.ip());
    // A proxy that listens on IPv6 for both may write an IPv4 address within an IPv6 one: all of those are not one network.
    Some(text.parse::<IpAddr>().or_else(|_| with_port()).ok()?.to_canonical())
}

/// Where a request comes from. `X-Forwarded-For` counts only when a trusted proxy sent it, and of its entries the last
/// that is not a trusted proxy itself: those before it anybody could have written.
pub fn address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> Address {
    let peer = peer.map(|peer| peer.ip().to_canonical());
    let hops: Vec<Option<IpAddr>> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter(|hop| !hop.trim_ascii().is_empty())
        .map(hop)
        .collect();
    let is_a_proxy = |hop: &Option<IpAddr>| hop.is_some_and(|hop| trusted.contains(&hop));
    let (ip, how) = match peer {
        Some(peer) if trusted.contains(&peer) => match hops.iter().rev().find(|hop| !is_a_proxy(hop)) {
            Some(Some(hop)) => (Some(*hop), Learnt::Forwarded),
            // What cannot be read is not passed over: what stands before it anybody could have written.
            Some(None) => (Some(peer), Learnt::Unforwarded),
            // The client is on a proxy's own machine.
            None if !hops.is_empty() => (Some(peer), Learnt::Forwarded),
            None => (Some(peer), Learnt::Unforwarded),
        },
        other if headers.contains_key("x-forwarded-for") => (other, Learnt::Ignored),
        other => (other, Learnt::Direct),
    };
    Address { ip, how }
}

/// Whether a request comes from the machine itself and asks for it. One that a proxy there passed on without a word of whom
/// does not count, as far as it can be told: it asks for the public name, or speaks HTTP/1.0, as nginx does unless it is
/// told otherwise.
pub fn is_local(peer: Option<SocketAddr>, version: Version, headers: &HeaderMap, trusted: &[IpAddr]) -> bool {
    let from = address(peer, headers, trusted);
    let is_passed_on = ["forwarded", "via", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let is_to_us = version != Version::HTTP_10 && asks_for_this_machine(headers);
    from.how != Learnt::Ignored && !is_passed_on && is_to_us && from.ip.is_some_and(|ip| ip.is_loopback())
}

/// Whether the one name that is asked for is one that every machine has for itself.
fn asks_for_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let host = host.to_str().unwrap_or_default();
    // The colons of an IPv6 address stand within brackets.
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "[::1]"].contains(&name) || name.eq_ignore_ascii_case("localhost")
}

/// Who a request comes from, as far as limits and the list of devices go. The sessions that the browser holds already are
/// not looked for here.
pub fn visitor(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> Visitor {
    let device = headers
        .get("user-agent")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    Visitor {
        network: address(peer, headers, trusted).ip.map(network).unwrap_or_default(),
        device: device.chars().take(200).collect(),
        ..Visitor::default()
    }
}

/// What limits count by: an IPv4 address, or the /64 that one subscriber has of IPv6.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(name),
            axum::http::HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn s22_forwarded_addresses_count_only_from_trusted_proxies() {
        let peer = Some(SocketAddr::from(([10, 0, 0, 1], 5)));
        let h = headers("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2");
        let trusted: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        assert_eq!(visitor(peer, &h, &[]).network, "10.0.0.1");
        assert_eq!(visitor(peer, &h, &trusted).network, "203.0.113.9");
        assert_eq!(visitor(peer, &h, &trusted[..1]).network, "10.0.0.2");
        assert_eq!(address(peer, &h, &[]).how, Learnt::Ignored);
        assert_eq!(address(peer, &h, &trusted).how, Learnt::Forwarded);
        assert_eq!(address(peer, &HeaderMap::new(), &trusted).how, Learnt::Unforwarded);
        assert_eq!(address(peer, &HeaderMap::new(), &[]).how, Learnt::Direct);
        let mapped = headers("x-forwarded-for", "::ffff:203.0.113.9, ::ffff:10.0.0.2");
        assert_eq!(visitor(peer, &mapped, &trusted).network, "203.0.113.9");
        // A proxy that writes the port of the client.
        for written in ["1.1.1.1, 203.0.113.9:4711", "1.1.1.1, [2001:db8::9]:4711, 10.0.0.2"] {
            let how = address(peer, &headers("x-forwarded-for", written), &trusted);
            assert_eq!(how.how, Learnt::Forwarded, "{written}");
            assert_ne!(how.ip, Some([1, 1, 1, 1].into()), "{written}");
            assert_ne!(how.ip, peer.map(|peer| peer.ip()), "{written}");
        }
        // What cannot be read hides nothing, and what the client wrote before it does not count.
        let mut unreadable = headers("x-forwarded-for", "1.1.1.1, unknown");
        let how = address(peer, &unreadable, &trusted);
        assert_eq!((how.ip, how.how), (Some([10, 0, 0, 1].into()), Learnt::Unforwarded));
        let bytes = axum::http::HeaderValue::from_bytes(b"1.1.1.1, \xff").expect("a value");
        unreadable.insert("x-forwarded-for", bytes);
        assert_eq!(visitor(peer, &unreadable, &trusted).network, "10.0.0.1");
    }

    #[test]
    fn s22_only_the_machine_itself_is_local() {
        let local = Some(SocketAddr::from(([127, 0, 0, 1], 5)));
        let elsewhere = Some(SocketAddr::from(([192, 0, 2, 1], 5)));
        let proxy: [IpAddr; 1] = [[127, 0, 0, 1].into()];
        let is_local = |peer, headers: &HeaderMap, trusted: &[IpAddr]| {
            let mut headers = headers.clone();
            headers.append("host", axum::http::HeaderValue::from_static("localhost:3000"));
            is_local(peer, Version::HTTP_11, &headers, trusted)
        };
        let none = HeaderMap::new();
        assert!(is_local(local, &none, &[]) && is_local(local, &none, &proxy));
        assert!(is_local(
            Some(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 5))),
            &none,
            &[]
        ));
        assert!(!is_local(elsewhere, &none, &[]) && !is_local(None, &none, &[]));
        // Passed on for somebody else, by a proxy that is trusted and by one that is not; and written by anybody.
        let for_another = headers("x-forwarded-for", "192.0.2.1");
        assert!(!is_local(local, &for_another, &proxy) && !is_local(local, &for_another, &[]));
        assert!(!is_local(elsewhere, &headers("x-forwarded-for", "127.0.0.1"), &[]));
        assert!(!is_local(local, &headers("via", "1.1 somebody"), &proxy));
        // Two names at once.
        assert!(!is_local(local, &headers("host", "localhost"), &[]));
    }

    #[test]
    fn s22_a_request_that_a_proxy_passed_on_in_silence_is_not_local() {
        let local = Some(SocketAddr::from(([127, 0, 0, 1], 5)));
        let asks = |host: &'static str| is_local(local, Version::HTTP_11, &headers("host", host), &[]);
        for host in [
            "localhost",
            "LocalHost:3000",
            "127.0.0.1",
            "127.0.0.1:38101",
            "[::1]",
            "[::1]:3000",
        ] {
            assert!(asks(host), "{host}");
        }
        for host in [
            "",
            "club.example.com",
            "club.example.com:3000",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.0.0.1:x",
            "::1",
            "192.0.2.1",
        ] {
            assert!(!asks(host), "{host}");
        }
        assert!(!is_local(local, Version::HTTP_11, &HeaderMap::new(), &[]));
        assert!(!is_local(
            local,
            Version::HTTP_10,
            &headers("host", "127.0.0.1:3000"),
            &[]
        ));
    }

    #[test]
    fn s01_cookies_are_bound_to_the_host_over_https() {
        let cookie = SetCookie {
            name: cookie::SESSION,
            value: Some("x".into()),
            expires_at: None,
        };
        let line = set_cookie(&cookie, true, DateTime::default());
        assert_eq!(line, "__Host-kabinet=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert!(received(&headers("cookie", "kabinet=x"), true).is_empty());
        assert_eq!(received(&headers("cookie", "a=b; __Host-kabinet=x"), true).len(), 1);
    }

    #[test]
    fn an_ipv6_subscriber_is_one_network() {
        let peer = Some(SocketAddr::from(([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6], 5)));
        assert_eq!(visitor(peer, &HeaderMap::new(), &[]).network, "2001:db8:1:2::/64");
    }
}
