//! Codes of receipts, as people type them and scanners read them. What is taken is in the form that is kept, and is taken
//! again, however it is written.
#![no_main]

use crm::purchase::code::receipt_code;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| {
    let Some(code) = receipt_code(raw) else {
        return;
    };
    let Some(numbers) = code.strip_prefix("RU-") else {
        // A plain code: typed in groups, and in small letters, it is the same one.
        assert!((8..=40).contains(&code.len()), "{code:?}");
        assert!(
            code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
            "{code:?}"
        );
        let typed = format!(" {} {}-", &code[..4], code[4..].to_ascii_lowercase());
        assert_eq!(receipt_code(&typed).as_ref(), Some(&code));
        assert_eq!(receipt_code(&code), Some(code));
        return;
    };
    // A fiscal receipt: its three numbers name it in any order.
    let numbers: Vec<&str> = numbers.split('-').collect();
    let [drive, document, sign] = numbers[..] else {
        panic!("{code:?} has three numbers");
    };
    for number in [drive, document, sign] {
        assert!(
            (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()),
            "{code:?}"
        );
    }
    let scanned = format!("fp={sign}&n=1&fn={drive}&i={document}");
    assert_eq!(receipt_code(&scanned), Some(code));
});
