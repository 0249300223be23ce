//! Where receivers may stand. Staff type addresses, and the server calls them from within the shop's network: so it calls
//! nobody there, unless the configuration says so, and machines that answer without asking who it is never.

use super::Policy;
use crate::flaw::Flaw;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The longest address, in characters.
pub const URL_MAX: usize = 500;

/// Who can be reached at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anybody on the internet.
    Public,
    /// Somebody in a private network, or this machine.
    Private,
    /// Nobody who could want a webhook: link-local addresses, where clouds answer with the machine's secrets, multicast,
    /// and what is reserved.
    Never,
}

/// Who can be reached at an address (IANA's special-purpose address registries, as of RFC 6890 and its successors).
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [10 | 127, ..] | [192, 168, ..] => Reach::Private,
        [172, b, ..] if b & 0xf0 == 16 => Reach::Private,
        // Behind a carrier's translation of addresses (RFC 6598).
        [100, b, ..] if b & 0xc0 == 64 => Reach::Private,
        [0, ..] | [169, 254, ..] | [224..=255, ..] => Reach::Never,
        // Protocol assignments, 6to4 relays, documentation, benchmarks.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Reach::Never
        }
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let [a, b, .., y, z] = address.segments();
    let v4 = Ipv4Addr::from((u32::from(y) << 16) | u32::from(z));
    match address.segments() {
        // An IPv4 address in the clothes of IPv6 (RFC 4291), or behind a translation (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => reach_v4(v4),
        _ if address == Ipv6Addr::LOCALHOST || a & 0xfe00 == 0xfc00 => Reach::Private,
        // Protocol assignments and tunnels, documentation, 6to4, which hides an IPv4 address.
        _ if a == 0x2001 && (b < 0x200 || b == 0xdb8) => Reach::Never,
        _ if a == 0x2002 || (a == 0x3fff && b < 0x1000) => Reach::Never,
        _ if a & 0xe000 == 0x2000 => Reach::Public,
        _ => Reach::Never,
    }
}

/// Whether a receiver at this address is called. By http only where nobody in between can read along.
pub fn is_called(policy: &Policy, is_https: bool, address: IpAddr) -> bool {
    match reach(address) {
        Reach::Public => is_https,
        Reach::Private => policy.private_networks,
        Reach::Never => false,
    }
}

/// The address of a receiver as it is kept. A name is looked up when it is called, and then once more asked whether that
/// may be; what can be told before is told here.
pub fn address(raw: &str, policy: &Policy) -> Result<String, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Err(Flaw::Missing);
    }
    if raw.chars().count() > URL_MAX {
        return Err(Flaw::TooLong { max: URL_MAX });
    }
    let mut url = Url::parse(raw).map_err(|_| Flaw::NotAUrl)?;
    let is_https = match url.scheme() {
        "https" => true,
        "http" if policy.private_networks => false,
        _ => return Err(Flaw::NotAUrl),
    };
    // A password in an address ends up in logs, and receivers know us by the signature.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Flaw::NotAUrl);
    }
    let literal = literal(&url).ok_or(Flaw::NotAUrl)?;
    if literal.is_some_and(|address| !is_called(policy, is_https, address)) {
        return Err(Flaw::PrivateAddress);
    }
    url.set_fragment(None);
    Ok(url.into())
}

/// The numeric address that stands in a URL, if it is one and not a name; nothing at all where there is no host.
pub fn literal(url: &Url) -> Option<Option<IpAddr>> {
    Some(match url.host()? {
        Host::Ipv4(v4) => Some(v4.into()),
        Host::Ipv6(v6) => Some(v6.into()),
        Host::Domain(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Policy = Policy {
        private_networks: true,
        keep_days: 30,
    };

    #[test]
    fn addresses_are_public_private_or_nobodys() {
        for (text, expected) in [
            ("8.8.8.8", Reach::Public),
            ("172.32.0.1", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("192.0.1.1", Reach::Public),
            ("2a00:1450:4010::8a", Reach::Public),
            ("2001:4860:4860::8888", Reach::Public),
            ("::ffff:8.8.8.8", Reach::Public),
            ("64:ff9b::8.8.8.8", Reach::Public),
            ("127.0.0.1", Reach::Private),
            ("127.255.255.254", Reach::Private),
            ("10.1.2.3", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("::1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("::ffff:127.0.0.1", Reach::Private),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("0.0.0.0", Reach::Never),
            ("169.254.169.254", Reach::Never),
            ("::ffff:169.254.169.254", Reach::Never),
            ("192.0.2.1", Reach::Never),
            ("198.19.0.1", Reach::Never),
            ("198.51.100.7", Reach::Never),
            ("203.0.113.9", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("::", Reach::Never),
            // An IPv4 address in the oldest clothes.
            ("::7f00:1", Reach::Never),
            ("fe80::1", Reach::Never),
            ("ff02::1", Reach::Never),
            ("2001::1", Reach::Never),
            ("2001:db8::1", Reach::Never),
            ("2002:7f00:1::", Reach::Never),
            ("3fff::1", Reach::Never),
        ] {
            assert_eq!(reach(text.parse().expect("an address")), expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_https_and_on_the_internet() {
        let closed = Policy::default();
        let kept = |raw: &str| address(raw, &closed);
        assert_eq!(
            kept(" https://Example.com/hooks?x=1#top "),
            Ok("https://example.com/hooks?x=1".into())
        );
        assert_eq!(kept("https://8.8.8.8:8443"), Ok("https://8.8.8.8:8443/".into()));
        assert_eq!(kept("https://сосна.рф/"), Ok("https://xn--80azclb.xn--p1ai/".into()));
        assert_eq!(kept(""), Err(Flaw::Missing));
        assert_eq!(
            kept(&format!("https://example.com/{}", "x".repeat(URL_MAX))),
            Err(Flaw::TooLong { max: URL_MAX })
        );
        for raw in [
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https:///",
            "https://anna@example.com/",
            "https://anna:secret@example.com/",
            "javascript:alert(1)",
        ] {
            assert_eq!(kept(raw), Err(Flaw::NotAUrl), "{raw}");
        }
        for raw in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest/",
            "https://10.0.0.1:8443/",
            // The ways to write 127.0.0.1 that browsers know.
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
        ] {
            assert_eq!(kept(raw), Err(Flaw::PrivateAddress), "{raw}");
        }
    }

    #[test]
    fn a_shop_that_says_so_calls_its_own_network_and_never_a_clouds() {
        assert_eq!(address("http://10.0.0.1/x", &OPEN), Ok("http://10.0.0.1/x".into()));
        assert_eq!(address("https://[::1]/", &OPEN), Ok("https://[::1]/".into()));
        assert_eq!(address("http://erp.local/", &OPEN), Ok("http://erp.local/".into()));
        // Over the internet nobody reads along, whatever else is allowed.
        assert_eq!(address("http://8.8.8.8/", &OPEN), Err(Flaw::PrivateAddress));
        assert_eq!(address("http://169.254.169.254/", &OPEN), Err(Flaw::PrivateAddress));
    }
}
