use crate::changes::{STORE, read};
use app::ROUTES;
use app::cabinet::looks::{page_name, words};
use app::route::Access;
use app::texts::Texts;
use crm::lang::Lang;
use std::collections::BTreeSet;
use std::path::Path;

/// What staff and tills do with a customer's data: after the action they write down whose data it was, an object, and a
/// reason. A customer writes down an object alone.
fn of_others(source: &str) -> impl Iterator<Item = &str> {
    source.split("record(").skip(1).filter_map(|call| {
        let given = call.split(".await").next()?.split(',').map(str::trim);
        let given: Vec<&str> = given.filter(|value| !value.is_empty()).collect();
        let is_text = |value: &&str| value.starts_with('"') && value.ends_with('"');
        let at = given.iter().position(is_text)?;
        let is_somebodys = given.len() - at > 3 && given[at + 1] != "None";
        Some(given[at].trim_matches('"')).filter(|action| is_somebodys && action.contains('.'))
    })
}

#[test]
fn customers_read_in_words_whatever_others_do_with_their_data() {
    let mut sources = Vec::new();
    read(Path::new(STORE), &mut sources);
    let mut done: BTreeSet<&str> = sources.iter().flat_map(|source| of_others(source)).collect();
    for known in ["message.read", "card.refused", "customer.end_sessions", "points.adjust"] {
        assert!(done.contains(known), "{known}: {done:?}");
    }
    assert!(!done.contains("child.add"), "the customer did it: {done:?}");
    // Steps of requests are named in a place of their own.
    done.extend([
        "request.answer",
        "request.note",
        "request.status",
        "request.assign",
        "request.unassign",
        "request.sort",
        "request.link",
        "request.unlink",
    ]);
    for lang in [Lang::Ru, Lang::En] {
        let t = &Texts::of(lang).looks;
        let without: Vec<_> = done.iter().filter(|action| words(t, action, "").is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
    let t = &Texts::of(Lang::Ru).looks;
    assert_ne!(
        words(t, "customer.read", "customers card"),
        words(t, "customer.read", "card")
    );
}

#[test]
fn every_page_that_staff_look_at_has_a_name() {
    for lang in [Lang::Ru, Lang::En] {
        let cabinet = ROUTES.iter().filter(|route| route.access == Access::Customer);
        let paths = cabinet.map(|route| route.path);
        let without: Vec<_> = paths
            .filter(|path| page_name(Texts::of(lang), path).is_none())
            .collect();
        assert!(without.is_empty(), "{without:?}");
    }
    let t = Texts::of(Lang::Ru);
    assert_eq!(page_name(t, "/purchases/{id}"), Some("Покупки"));
    assert_eq!(page_name(t, "/pointsless"), None);
}
