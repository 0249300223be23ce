//! The code of a receipt: what its QR or its foot says, by which somebody who showed no card can claim it.

/// The longest plain code, in characters.
const PLAIN_MAX: usize = 40;
/// The shortest: a code is a secret that only the paper tells.
const PLAIN_MIN: usize = 8;

/// A code as it is kept, from what a person typed or a scanner read; none where it cannot be one.
///
/// Of a fiscal receipt of Russia (QR `t=…&s=…&fn=…&i=…&fp=…&n=…`, order of the Federal Tax Service ЕД-7-20/662@) the fiscal
/// drive's number, the document's and the fiscal sign name it alone, in whatever order they stand. Everything else is a
/// plain code: letters and digits, in capitals, whatever lies between them.
pub fn receipt_code(raw: &str) -> Option<String> {
    let raw = raw.trim();
    if raw.contains('=') {
        return fiscal(raw);
    }
    let plain: String = raw
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let fits = plain.chars().all(|c| c.is_ascii_alphanumeric()) && (PLAIN_MIN..=PLAIN_MAX).contains(&plain.len());
    fits.then_some(plain)
}

fn fiscal(raw: &str) -> Option<String> {
    let (mut drive, mut document, mut sign) = (None, None, None);
    for pair in raw.split('&') {
        let (name, value) = pair.split_once('=')?;
        let place = match name.trim() {
            "fn" => &mut drive,
            "i" => &mut document,
            "fp" => &mut sign,
            "t" | "s" | "n" => continue,
            _ => return None,
        };
        // Named twice it is no receipt's.
        if place.replace(number(value.trim())?).is_some() {
            return None;
        }
    }
    Some(format!("RU-{}-{}-{}", drive?, document?, sign?))
}

/// Digits without the zeros in front: tills print them with and without.
fn number(raw: &str) -> Option<&str> {
    if raw.is_empty() || raw.len() > 20 || !raw.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = raw.trim_start_matches('0');
    Some(if digits.is_empty() { "0" } else { digits })
}

/// The letters and digits of new codes: none that is easily taken for another (after Crockford's Base 32).
#[cfg(feature = "store")]
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new plain code for a receipt that brought none: twelve characters, 60 random bits.
#[cfg(feature = "store")]
pub(crate) fn new_code() -> String {
    (0..12)
        .map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fiscal_receipt_is_known_by_its_three_numbers() {
        let printed = "t=20261121T1230&s=1234.50&fn=9960440300112233&i=0012345&fp=0987654321&n=1";
        let code = receipt_code(printed);
        assert_eq!(code.as_deref(), Some("RU-9960440300112233-12345-987654321"));
        assert_eq!(receipt_code("fp=987654321&i=12345&fn=9960440300112233"), code);
        for wrong in [
            "t=20261121T1230&s=1234.50&fn=9960440300112233&i=12345&n=1",
            "fn=1&i=2&fp=3&fp=4",
            "fn=1&i=2&fp=x",
            "fn=1&i=2&fp=",
            "https://example.com/?fn=1&i=2&fp=3",
            "fn=1&i=2&fp=123456789012345678901",
        ] {
            assert_eq!(receipt_code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_plain_code_is_what_its_letters_and_digits_say() {
        assert_eq!(receipt_code(" abcd-1234 efgh ").as_deref(), Some("ABCD1234EFGH"));
        assert_eq!(receipt_code("abc-123"), None, "too short to be a secret");
        assert_eq!(receipt_code("чек 12345678"), None);
        assert_eq!(receipt_code(&"A".repeat(41)), None);
    }

    #[cfg(feature = "store")]
    #[test]
    fn new_codes_are_codes() {
        let code = new_code();
        assert_eq!(receipt_code(&code), Some(code));
    }
}
