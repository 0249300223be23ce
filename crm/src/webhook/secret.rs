//! What a receiver and the shop share, and what is signed with it (Standard Webhooks, "Verifying webhook authenticity").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// With these letters a secret begins, so that people and scanners of leaks know what it is.
pub const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the standard asks for 24 to 64.
const BYTES: usize = 32;

/// What a receiver and the shop share. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one from the operating system's generator.
    pub fn random() -> Self {
        Self(rand::random::<[u8; BYTES]>().to_vec())
    }

    /// The one that is stored.
    pub(super) fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As it is stored.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The one that a text says; `None` when it says none.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix(PREFIX)?).ok().map(Self)
    }

    /// As the receiver takes it: `whsec_` and base 64.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of what is sent: `v1,` and base 64 of the HMAC-SHA256 over id, seconds since 1970 and body.
    pub fn sign(&self, id: &str, at: DateTime<Utc>, body: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            // HMAC takes keys of every length.
            return String::new();
        };
        mac.update(format!("{id}.{}.{body}", at.timestamp()).as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the standard's own libraries, github.com/standard-webhooks/standard-webhooks at b2fa7b8:
    /// `test_sign` of `libraries/rust/src/lib.rs`, `test_sign_function` of `libraries/python/tests/test_webhooks.py`.
    #[test]
    fn signatures_are_those_of_the_standard() {
        for (secret, id, seconds, body, signature) in [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ] {
            let secret = Secret::parse(secret).expect("a secret");
            let at = DateTime::from_timestamp(seconds, 0).expect("a time");
            assert_eq!(secret.sign(id, at, body), signature);
        }
    }

    #[test]
    fn a_secret_is_written_as_the_standard_wants_it_and_never_printed() {
        let secret = Secret::random();
        assert_eq!(secret.bytes().len(), BYTES);
        assert_eq!(Secret::parse(&secret.text()), Some(secret.clone()));
        assert_ne!(secret, Secret::random());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(Secret::parse("C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), None);
    }
}
