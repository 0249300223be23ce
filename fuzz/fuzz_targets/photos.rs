//! A file that goes along with a message: refused, or kept without what a photo says beside its picture, which makes it no larger.
#![no_main]

use crm::request::Upload;
use crm::request::attachment::check;
use crm::shop::Attachments;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for name in ["a.jpg", "a.png", "a.webp", "a.pdf"] {
        let file = Upload {
            name: name.to_owned(),
            bytes: data.to_vec(),
        };
        let Ok(kept) = check(std::slice::from_ref(&file), &Attachments::default()) else {
            continue;
        };
        for kept in kept {
            // Which side is up is written anew, in some bytes more than a stunted note of it may have had.
            assert!(kept.bytes.len() <= 2 * data.len(), "{name}: {}", kept.bytes.len());
        }
    }
});
