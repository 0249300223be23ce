//! Templates of messages and the values that fill them: a value is never read as a part of the template.
#![no_main]

use crm::outbox::render;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| {
    let (template, name, value) = input;
    if let Ok(filled) = render(template, &[("name", name), ("code", value)]) {
        let holes = template.matches('{').count();
        assert!(filled.len() <= template.len() + holes * name.len().max(value.len()));
    }
    let filled = render("{name}: {code}", &[("name", name), ("code", value)]);
    assert_eq!(filled, Ok(format!("{name}: {value}")));
});
