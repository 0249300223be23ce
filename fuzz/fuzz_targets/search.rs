//! What staff type into the search.
#![no_main]

use crm::find::names::{keys, skeleton};
use crm::find::{Probe, probes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    for probe in probes(raw, "RU") {
        match probe {
            Probe::Name(words) => {
                assert!((1..=4).contains(&words.len()), "{words:?}");
                for word in words {
                    let sound = skeleton(&word);
                    assert!(sound.is_empty() || keys(&word).contains(&sound), "{word:?}");
                }
            }
            Probe::PhoneEnd(digits) | Probe::Card(digits) | Probe::CardEnd(digits) => {
                assert!(
                    digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit()),
                    "{digits:?}"
                );
            }
            Probe::Request(number) => assert!(number >= 0),
            Probe::Code(number) | Probe::Receipt(number) => {
                assert!(
                    !number.is_empty() && !number.contains(char::is_whitespace),
                    "{number:?}"
                );
            }
            Probe::Phone(_) | Probe::Email(_) => {}
        }
    }
});
