//! Card numbers as they are typed or scanned (EAN-13), codes of phones and of coupons.
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
        assert_eq!(card::code::read(raw), None);
    }
    if let Some(code) = crm::coupon::code(raw) {
        assert_eq!(crm::coupon::code(&crm::coupon::show(&code)), Some(code));
    }
    if let Some(code) = card::code::read(raw) {
        assert_eq!(card::code::text(&code.number, &code.digits).len(), 21);
    }
});
