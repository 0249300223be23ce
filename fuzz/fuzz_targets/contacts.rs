//! Phones and e-mail addresses as people type them. What is taken is in the form that is stored, and is taken again.
#![no_main]

use crm::contact::{Email, Phone, show_phone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, bool)| {
    let (raw, is_russian) = input;
    let country = if is_russian { "RU" } else { "GB" };
    if let Ok(phone) = Phone::parse(raw, country) {
        let digits = phone.as_str().strip_prefix('+').expect("E.164 begins with a plus");
        assert!(
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()),
            "{phone:?}"
        );
        let again = Phone::parse(phone.as_str(), country).expect("what is stored is a phone");
        assert_eq!(again.as_str(), phone.as_str());
        let shown = Phone::parse(&show_phone(phone.as_str()), country).expect("what is shown is a phone");
        assert_eq!(shown.as_str(), phone.as_str());
        // The browser, which knows less, must not stop what the server takes.
        assert!(Phone::plausible(raw, country).is_ok(), "{raw:?}");
    }
    if let Ok(email) = Email::parse(raw) {
        let text = email.as_str();
        assert!(text.contains('@') && !text.contains(char::is_control), "{text:?}");
        assert_eq!(Email::parse(text).expect("what is stored is an address").as_str(), text);
    }
});
