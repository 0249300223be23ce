//! Card numbers as they are typed or scanned (EAN-13).
#![no_main]

use crm::card;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    card::check_digit(raw);
    card::show(raw);
    if let Some(number) = card::number(raw) {
        assert_eq!(number.len(), 13);
        assert_eq!(card::check_digit(&number[..12]), number.chars().last());
        assert_eq!(card::number(&card::show(&number)), Some(number));
    }
});
