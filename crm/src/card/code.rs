//! The code that a phone shows at the till: the number of the card and eight digits that are good for half a minute
//! (RFC 6238 with HMAC-SHA-256; why so: `docs/decisions/0019-rotating-card-code.md`).
//!
//! What a QR or a Code 128 holds is the thirteen digits of the number and then the eight of the moment: 21 digits and nothing
//! else. A scanner that types what it reads types digits whatever the layout of the keyboard, an EAN-13 has thirteen, and a
//! till that is cut off finds the number of the card in front.

use super::number;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How long one code is shown.
pub const STEP_SECONDS: i64 = 30;
/// How many digits belong to the moment.
pub const DIGITS: usize = 8;
/// Digits of a card's number (EAN-13).
const NUMBER: usize = 13;
/// Bytes of a secret: as many as the hash has (RFC 6238, 5.1).
const SECRET_BYTES: usize = 32;
/// Bytes that SHA-256 takes at once.
const BLOCK_BYTES: usize = 64;

/// What a card and the phone that shows it share. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The one that is stored; `None` when the bytes are none.
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is stored.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the page of its owner has it: hexadecimal.
    pub fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The one that a page has; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; SECRET_BYTES];
        if text.len() != 2 * SECRET_BYTES {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digits of a step.
    pub fn digits(&self, step: i64) -> String {
        // HMAC fills a short key up with zeros (RFC 2104, 2), so this is the same key, of the length that always fits.
        let mut key = [0; BLOCK_BYTES];
        key[..SECRET_BYTES].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&key.into());
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        // Four bytes, from where the last one says, without the sign (RFC 4226, 5.3).
        let from = usize::from(hash[hash.len() - 1] & 15);
        let number = hash
            .iter()
            .skip(from)
            .take(4)
            .fold(0, |n, byte| n << 8 | u32::from(*byte))
            & 0x7fff_ffff;
        format!("{:0DIGITS$}", number % 10_u32.pow(DIGITS as u32))
    }
}

/// The step that a moment belongs to, in seconds since 1970.
pub const fn step_of(seconds: i64) -> i64 {
    seconds.div_euclid(STEP_SECONDS)
}

/// What a QR or a Code 128 holds.
pub fn text(number: &str, digits: &str) -> String {
    format!("{number}{digits}")
}

/// What a scanner read from a phone. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The number of the card.
    pub number: String,
    /// The digits of the moment.
    pub digits: String,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

/// The code in what a scanner read: 21 digits, the first thirteen of which are the number of a card. `None` for everything
/// else, a number alone too.
pub fn read(raw: &str) -> Option<Code> {
    let text: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
    let (first, digits) = text.split_at_checked(NUMBER)?;
    let is_code = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    let number = number(first).filter(|number| is_code && number == first)?;
    let digits = digits.to_owned();
    Some(Code { number, digits })
}

#[cfg(feature = "store")]
mod till_side {
    use super::{Secret, step_of};
    use chrono::{DateTime, Utc};
    use subtle::ConstantTimeEq as _;

    impl Secret {
        /// A new one from the operating system's generator.
        pub fn random() -> Self {
            Self(rand::random())
        }

        /// The step that digits belong to, of the moment's and its neighbours; `None` when they are of none. How long the
        /// comparison takes tells nothing of the digits.
        pub fn step(&self, digits: &str, at: DateTime<Utc>) -> Option<i64> {
            let now = step_of(at.timestamp());
            let fits = |step: &i64| bool::from(self.digits(*step).as_bytes().ct_eq(digits.as_bytes()));
            [now, now - 1, now + 1].into_iter().find(fits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STANDARD: &[u8] = b"12345678901234567890123456789012";

    /// RFC 6238, appendix B, the lines of SHA-256.
    #[test]
    fn the_digits_are_those_of_the_standard() {
        let secret = Secret::stored(STANDARD).expect("a secret");
        for (seconds, digits) in [
            (59, "46119246"),
            (1_111_111_109, "68084774"),
            (1_111_111_111, "67062674"),
            (1_234_567_890, "91819424"),
            (2_000_000_000, "90698825"),
            (20_000_000_000, "77737706"),
        ] {
            assert_eq!(secret.digits(step_of(seconds)), digits, "{seconds}");
        }
    }

    #[test]
    fn a_secret_survives_its_text_and_is_never_printed() {
        let secret = Secret::stored(STANDARD).expect("a secret");
        assert_eq!(secret.text().len(), 64);
        assert_eq!(Secret::parse(&secret.text()), Some(secret.clone()));
        assert_eq!(Secret::stored(secret.bytes()), Some(secret.clone()));
        let code = read("290123456789612345678").expect("a code");
        assert_eq!(format!("{secret:?} {code:?}"), "Secret(…) Code(…)");
        for bad in ["", "31", "не то", &"я".repeat(32), &secret.text()[1..]] {
            assert_eq!(Secret::parse(bad), None, "{bad}");
        }
        assert_eq!(Secret::stored(&STANDARD[1..]), None);
    }

    #[test]
    fn a_code_is_a_number_and_eight_digits_and_a_number_alone_is_none() {
        let number = "2901234567896";
        let code = read(&text(number, "00000042")).expect("a code");
        assert_eq!((code.number.as_str(), code.digits.as_str()), (number, "00000042"));
        assert_eq!(read(" 2901234567896 00000042\r\n"), Some(code));
        for bad in [
            "",
            number,
            "290123456789600000",
            "2901234567896000000421",
            "290123456789400000042",
            "290123456789-600000042",
            "29012345678960000004x",
            "290123456789З00000042",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(crate::card::number(&text(number, "00000042")), None);
    }

    proptest! {
        #[test]
        fn every_card_has_codes_and_nothing_else_is_one(
            raw in "\\PC{0,40}", twelve in "[0-9]{12}", digits in "[0-9]{8}",
        ) {
            let number: String = twelve.chars().chain(crate::card::check_digit(&twelve)).collect();
            let code = read(&text(&number, &digits));
            prop_assert_eq!(code, Some(Code { number, digits }));
            if let Some(code) = read(&raw) {
                prop_assert_eq!(text(&code.number, &code.digits).len(), 21);
            }
        }
    }

    #[cfg(feature = "store")]
    #[test]
    fn digits_of_the_step_before_and_after_are_taken_and_no_others() {
        let secret = Secret::random();
        assert_ne!(secret, Secret::random());
        let at = chrono::DateTime::from_timestamp(3000, 0).expect("a moment");
        for (step, taken) in [
            (98, None),
            (99, Some(99)),
            (100, Some(100)),
            (101, Some(101)),
            (102, None),
        ] {
            assert_eq!(secret.step(&secret.digits(step), at), taken, "{step}");
        }
        for bad in ["", "1234567", "123456789", "абвг"] {
            assert_eq!(secret.step(bad, at), None, "{bad}");
        }
    }
}
