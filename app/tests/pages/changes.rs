use app::admin::log_words::done;
use app::texts::Texts;
use crm::lang::Lang;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crm/src");

/// What a source writes into the log by, `by.record(tx, "area.verb", …)` and others: the action is told until the call ends.
const CALLS: [&str; 6] = [
    "record(",
    "changed(",
    "without_session(",
    "action: ",
    "action = ",
    "action(",
];

/// Names of the same form that are none of the log: variables of macros, templates, events of webhooks.
const OTHERS: [&str; 9] = [
    "contact.code",
    "customer.name",
    "customer.phone",
    "customer.registered",
    "points.balance",
    "purchase.booked",
    "purchase.voided",
    "request.number",
    "request.opened",
];

/// Actions that are put together: of the things that the shop runs on, and of factors.
const MADE: [(&str, &[&str]); 4] = [
    ("store", &VERBS),
    ("category", &VERBS),
    ("article", &VERBS),
    ("factor", &["totp_remove", "passkey_remove"]),
];
const VERBS: [&str; 8] = [
    "draft", "discard", "publish", "schedule", "cancel", "apply", "sent", "import",
];

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

fn area(name: &str) -> Option<&str> {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let (area, verb) = name.split_once('.')?;
    (is_word(area) && is_word(verb)).then_some(area)
}

/// Every `area.verb` of a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').filter(|name| area(name).is_some())
}

/// What a source writes into the log.
fn written(source: &str) -> impl Iterator<Item = &str> {
    let calls = CALLS.into_iter().flat_map(move |call| source.split(call).skip(1));
    calls.flat_map(|call| {
        names(
            call.split(';')
                .next()
                .and_then(|call| call.split("\n}\n").next())
                .unwrap_or_default(),
        )
    })
}

#[test]
fn staff_read_every_action_of_the_log_in_words() {
    let mut sources = Vec::new();
    read(Path::new(STORE), &mut sources);
    let mut actions: BTreeSet<String> = BTreeSet::new();
    actions.extend(sources.iter().flat_map(|source| written(source)).map(str::to_owned));
    for known in [
        "purchase.claim",
        "staff.list",
        "sign_in.refused",
        "customer.search",
        "request.answer",
    ] {
        assert!(actions.contains(known), "{known}: {actions:?}");
    }
    // Some are told elsewhere and only named by the call: of what is known to be written, whatever is named.
    let areas: BTreeSet<String> = actions
        .iter()
        .filter_map(|action| area(action))
        .map(str::to_owned)
        .collect();
    let named = sources.iter().flat_map(|source| names(source));
    let named = named.filter(|name| area(name).is_some_and(|area| areas.contains(area)) && !OTHERS.contains(name));
    actions.extend(named.map(str::to_owned));
    let made = MADE
        .into_iter()
        .flat_map(|(area, verbs)| verbs.iter().map(move |verb| format!("{area}.{verb}")));
    actions.extend(made);
    // The one that has no verb.
    actions.insert("sign_in".into());
    for lang in [Lang::Ru, Lang::En] {
        let words = &Texts::of(lang).admin_action;
        let without: Vec<_> = actions.iter().filter(|action| done(words, action).is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
    assert_eq!(
        done(&Texts::of(Lang::Ru).admin_action, "staff.list"),
        Some("Просмотрен список сотрудников")
    );
}
