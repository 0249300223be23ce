//! Recovery codes: ten, each good once in place of the second factor. They are digits alone, because they are typed
//! into the same field as the codes of an app, on a keyboard of digits, in every language.
//!
//! Until their owner has saved them they are shown, and they are stored nowhere: the database has a seed, the browser a
//! token that the database does not know, and the codes are made of both. Then they are kept as argon2id hashes, for 53
//! bits are too few for a plain one (ASVS 5.0, 6.5.2).

use crate::error::Error;
use crate::signin::password;
use crate::who::Token;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How many are made.
pub const COUNT: usize = 10;
/// Digits of one: 53 bits.
pub const DIGITS: usize = 16;

/// What is stored of codes that wait to be saved: a new seed, and a mark of the token that they are made with.
pub(crate) fn offer(token: &Token) -> String {
    let seed = Token::random();
    let mark = hex(&mac(token, seed.secret(), "mark"));
    format!("{} {mark}", seed.secret())
}

/// The codes that wait. `None` with another token than the one that they were made with.
pub(crate) fn offered(stored: &str, token: &Token) -> Option<Vec<String>> {
    let (seed, mark) = stored.split_once(' ')?;
    let expected = hex(&mac(token, seed, "mark"));
    if !bool::from(expected.as_bytes().ct_eq(mark.as_bytes())) {
        return None;
    }
    Some((0..COUNT).map(|n| code(&mac(token, seed, &n.to_string()))).collect())
}

fn mac(token: &Token, seed: &str, what: &str) -> Vec<u8> {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.secret().as_bytes()) else {
        return Vec::new();
    };
    mac.update(seed.as_bytes());
    mac.update(b" ");
    mac.update(what.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Sixteen digits of 128 bits: so many that none is likelier than another.
fn code(mac: &[u8]) -> String {
    let number = mac.iter().take(16).fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
    format!("{:0DIGITS$}", number % 10_u128.pow(DIGITS as u32))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The codes as they are stored. One salt serves all ten, so that the one that is typed is hashed once.
pub(crate) async fn hashes(codes: Vec<String>) -> Result<Vec<String>, Error> {
    password::hash_with(codes, rand::random::<[u8; 16]>().to_vec()).await
}

/// A code that was typed, hashed as the stored one is: equal, if it is that one or another of the ten.
pub(crate) async fn hash_like(stored: &str, typed: &str) -> Result<Option<String>, Error> {
    let Some(salt) = password::salt(stored) else {
        return Ok(None);
    };
    Ok(password::hash_with(vec![typed.to_owned()], salt).await?.pop())
}

/// In groups of four, which no line break parts.
pub fn grouped(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s08_recovery_codes_have_fifty_bits_and_sixteen_digits_and_are_of_one_browser() {
        assert!(10_f64.powi(DIGITS as i32).log2() >= 50.0);
        let token = Token::random();
        let stored = offer(&token);
        let codes = offered(&stored, &token).expect("the same browser");
        assert_eq!(offered(&stored, &token), Some(codes.clone()), "each time the same");
        let distinct: std::collections::BTreeSet<_> = codes
            .iter()
            .chain(&offered(&offer(&token), &token).expect("anew"))
            .cloned()
            .collect();
        assert_eq!(distinct.len(), 2 * COUNT, "none comes twice");
        assert!(
            distinct
                .iter()
                .all(|c| c.len() == DIGITS && c.bytes().all(|b| b.is_ascii_digit()))
        );
        assert_eq!(offered(&stored, &Token::random()), None);
        assert!(codes.iter().all(|code| !stored.contains(code.as_str())));
        assert_eq!(grouped("1234567890123456"), "1234\u{a0}5678\u{a0}9012\u{a0}3456");
    }

    #[tokio::test]
    async fn s08_recovery_codes_are_stored_under_a_salt_of_their_own_by_argon2id() {
        let codes = vec!["1234567890123456".to_owned(), "6543210987654321".to_owned()];
        let stored = hashes(codes.clone()).await.expect("hashed");
        assert!(
            stored
                .iter()
                .all(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"))
        );
        assert_eq!(
            hash_like(&stored[0], &codes[1]).await.expect("hashed").as_ref(),
            Some(&stored[1])
        );
        assert_ne!(hashes(codes).await.expect("hashed"), stored, "another salt each time");
    }
}
