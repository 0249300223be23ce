//! What the shop says, whatever page or message says it.

use serde_json::Value;
use std::fs;
use std::path::Path;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn no_words_shout() {
    let mut files = 0;
    for folder in ["locales/ru", "locales/en", "../crm/content/ru", "../crm/content/en"] {
        for entry in fs::read_dir(Path::new(HERE).join(folder)).expect("a folder") {
            let path = entry.expect("a file").path();
            let words = read(&path).to_string();
            assert!(!words.contains('!'), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 100, "{files}");
}

/// The page of phones and e-mail has one name, by whichever words somebody is led there.
#[test]
fn where_contacts_are_is_called_the_same_everywhere() {
    for lang in ["ru", "en"] {
        let page = |name: &str| read(&Path::new(HERE).join(format!("locales/{lang}/{name}.json")));
        let title = page("contacts")["title"].as_str().expect("a title").to_owned();
        assert_eq!(page("profile")["contacts"], title, "{lang}");
        let dialogue = read(&Path::new(HERE).join(format!("../crm/content/{lang}/dialogue.json")));
        let texts = &dialogue["texts"];
        assert_eq!(texts["to_contacts"], title, "{lang}");
        for words in [
            &texts["change_phone"],
            &page("merge")["way_unreachable"],
            &page("acts")["recover_number_text"],
        ] {
            let words = words.as_str().expect("words");
            assert!(words.contains(&title), "{lang}: {words}");
        }
    }
}
