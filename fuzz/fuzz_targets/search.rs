//! What staff type into the search.
#![no_main]

use crm::staff::{Probe, probes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    for probe in probes(raw, "RU") {
        match probe {
            Probe::Name(words) => assert!((1..=4).contains(&words.len()), "{words:?}"),
            Probe::PhoneEnd(digits) | Probe::Card(digits) => {
                assert!(
                    digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit()),
                    "{digits:?}"
                );
            }
            Probe::Request(number) => assert!(number >= 0),
            Probe::Phone(_) | Probe::Email(_) => {}
        }
    }
});
