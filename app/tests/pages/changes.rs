use app::admin::customer::change;
use app::texts::Texts;
use crm::lang::Lang;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crm/src");

pub(crate) fn read(path: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(path).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, sources);
        } else {
            sources.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// What a source writes down of customers, as the log calls it: `by.record(tx, "area.verb", …)`. Staff name whose data
/// it was, and nobody's is `None`.
fn actions(source: &str) -> impl Iterator<Item = &str> {
    let calls = ["record(", "by.changed("]
        .into_iter()
        .flat_map(move |name| source.split(name).skip(1));
    calls.filter_map(|call| {
        let mut given = call.split(';').next()?.split(',').map(str::trim);
        let action = given.find_map(|value| value.strip_prefix('"')?.strip_suffix('"'))?;
        let is_nobodys = given.next() == Some("None") && given.next().is_some();
        (action.contains('.') && !action.starts_with("staff.") && !is_nobodys).then_some(action)
    })
}

#[test]
fn staff_read_every_change_of_a_customer_in_words() {
    let mut sources = Vec::new();
    read(Path::new(STORE), &mut sources);
    let written: BTreeSet<_> = sources.iter().flat_map(|source| actions(source)).collect();
    assert!(written.contains("purchase.claim"), "{written:?}");
    // The timeline leaves out what was only read, and what tells of itself.
    let timeline = fs::read_to_string(Path::new(STORE).join("timeline/store.rs")).expect("a source");
    let (_, left_out) = timeline.split_once("action NOT IN (").expect("the timeline");
    let (left_out, _) = left_out.split_once(')').expect("its end");
    let told = |action: &&&str| !action.ends_with(".read") && !left_out.contains(&format!("'{action}'"));
    let words = &Texts::of(Lang::Ru).admin_event;
    let without_words: Vec<_> = written
        .iter()
        .filter(told)
        .filter(|action| change(words, action).is_none())
        .collect();
    assert!(without_words.is_empty(), "{without_words:?}");
}
