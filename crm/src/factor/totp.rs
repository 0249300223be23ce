//! Codes of an app: RFC 6238 with SHA-1, six digits and thirty seconds, because that is what every app can do.

use chrono::{DateTime, Utc};
use totp_rs::{Builder, Totp};

/// How long one code is shown.
pub const STEP_SECONDS: i64 = 30;
/// Bytes of a secret: 160 bits (RFC 4226, 4).
const SECRET_BYTES: usize = 20;

/// What the app and the shop share. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Totp);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one from the operating system's generator.
    pub fn random() -> Self {
        Self::of(&rand::random::<[u8; SECRET_BYTES]>())
    }

    /// The one that is stored; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = totp_rs::Secret::try_from_base32(text).ok()?;
        (bytes.as_bytes().len() == SECRET_BYTES).then(|| Self::of(bytes.as_bytes()))
    }

    fn of(bytes: &[u8]) -> Self {
        // Defaults: SHA-1, six digits, thirty seconds, one step of skew. The length is checked by whoever calls.
        Self(Builder::new().with_secret(bytes.to_vec()).build_noncompliant())
    }

    /// In base 32, as it is stored and as apps take it.
    pub fn text(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The same in groups of four, for whoever types it. It is longer than a phone is wide: a line ends between two groups.
    pub fn grouped(&self) -> String {
        crate::factor::recovery::grouped(&self.text()).replace('\u{a0}', " ")
    }

    /// The code of a moment.
    pub fn code(&self, at: DateTime<Utc>) -> String {
        self.0.generate(seconds(at)).to_string()
    }

    /// The step that a code belongs to, of the moment's and its neighbours; `None` when it is of none.
    pub fn step(&self, code: &str, at: DateTime<Utc>) -> Option<i64> {
        self.0
            .check(code, seconds(at))
            .and_then(|step| i64::try_from(step).ok())
    }

    /// What the QR code says: `otpauth://totp/…` with the shop's name and the account's.
    pub fn link(&self, shop: &str, account: &str) -> String {
        // A colon parts the two in the link itself.
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_secret(self.0.secret().as_bytes().to_vec())
            .with_issuer(Some(plain(shop)))
            .with_account_name(plain(account))
            .build_noncompliant()
            .to_url()
            .unwrap_or_default()
    }
}

/// Seconds until the next code.
pub fn seconds_left(at: DateTime<Utc>) -> i64 {
    STEP_SECONDS - at.timestamp().rem_euclid(STEP_SECONDS)
}

fn seconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a moment")
    }

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = Secret::of(b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(secret.code(at(seconds)), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_of_the_step_before_and_after_is_taken_and_no_other() {
        let secret = Secret::of(b"12345678901234567890");
        let now = at(3000);
        for (seconds, step) in [
            (2970, Some(99)),
            (3000, Some(100)),
            (3030, Some(101)),
            (2940, None),
            (3060, None),
        ] {
            assert_eq!(secret.step(&secret.code(at(seconds)), now), step, "{seconds}");
        }
        for bad in ["", "12345", "1234567", "+12345", "абвгде", "１２３４５６"] {
            assert_eq!(secret.step(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_survives_its_text_and_is_never_printed() {
        let secret = Secret::random();
        let text = secret.text();
        assert_eq!(text.len(), 32, "160 bits in base 32");
        assert_eq!(Secret::parse(&text), Some(secret.clone()));
        assert_eq!(secret.grouped().replace(' ', ""), text);
        assert!(!format!("{secret:?}").contains(&text));
        for bad in ["", "ABC", "не то", "GEZDGNBVGY3TQOJQ"] {
            assert_eq!(Secret::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_link_names_shop_and_account_whatever_they_are_called() {
        let link = Secret::of(b"12345678901234567890").link("Сосна: клуб", "anna:1@example.com");
        assert!(link.starts_with("otpauth://totp/"), "{link}");
        assert!(link.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{link}");
        assert!(link.contains("issuer="), "{link}");
    }

    #[test]
    fn the_seconds_left_run_down_from_thirty() {
        assert_eq!(
            [seconds_left(at(60)), seconds_left(at(61)), seconds_left(at(89))],
            [30, 29, 1]
        );
    }
}
