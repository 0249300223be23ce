//! What two of staff change at once: nobody overwrites what a colleague made of it meanwhile, and is told who that was.

use crate::common::html::forms;
use crate::traces::{Fields, Side, WAYS_OF_STAFF, assert_there, complaint};
use app::ROUTES;
use app::route::{Access, Route};
use axum::http::StatusCode;
use std::collections::BTreeSet;

/// Forms of staff that ask for no version of what they change, by the reason why.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    (
        "it only looks",
        &[
            "article.find",
            "audit.find",
            "customer.find",
            "find",
            "level.preview",
            "merge.find",
            "message.find",
            "request.find",
            "store.find",
        ],
    ),
    (
        "it makes something new, or adds to what is there",
        &[
            "article.add",
            "audience.keep",
            "card.issue",
            "category.add",
            "contact.enter_email",
            "contact.enter_phone",
            "customer.enter",
            "export.begin",
            "extract.ask",
            "help.create",
            "help.part_add",
            "import.upload",
            "interaction.add",
            "level.calendar_add",
            "level.policy_add",
            "macro.create",
            "note.add",
            "partner.add",
            "points.adjust",
            "program.create",
            "promotion.create",
            "questionnaire.add",
            "queue.create",
            "report.save",
            "request.begin",
            "request.link",
            "request.link_purchase",
            "request.note",
            "request.take_down",
            "role.add",
            "rule.create",
            "rule.simulate",
            "script.add",
            "segment.create",
            "series.add",
            "series.make",
            "staff.invite",
            "staff.password_link",
            "store.add",
            "task.add",
            "text.create",
            "till.add",
            "till.key",
            "view.begin",
            "webhook.add",
            "webhook.redeliver",
            "webhook.redeliver_failed",
            "webhook.test",
        ],
    ),
    (
        "it is of whoever sends it alone",
        &[
            "confirm.passkey",
            "confirm.second",
            "customer.why",
            "factor.confirm",
            "factor.offer",
            "factor.remove",
            "filter.remove",
            "filter.save",
            "import.cancel",
            "import.check",
            "import.go_on",
            "import.start",
            "interaction.change",
            "keys.switch",
            "passkey.add",
            "passkey.rename",
            "queue.presence",
            "recovery.keep",
            "recovery.make",
            "report.remove",
            "report.schedule",
            "request.undo",
            "rule.simulate_cancel",
            "staff.end_others",
            "staff.end_session",
            "staff.password",
            "view.end",
        ],
    ),
    (
        "it says which of two states is meant, and a colleague who meant the same has done it",
        &[
            "duplicate.dismiss",
            "duplicate.propose",
            "help.part_switch",
            "level.calendar_switch",
            "note.pin",
            "partner.switch",
            "program.automatic",
            "program.close",
            "program.reopen",
            "queue.switch",
            "series.switch",
            "staff.disable",
            "staff.enable",
            "store.switch",
            "till.switch",
            "webhook.switch",
        ],
    ),
    (
        "a thing goes as a whole, by its name or number, and the log keeps what it was",
        &[
            "child.drop",
            "contact.drop",
            "help.part_remove",
            "level.calendar_remove",
            "level.policy_remove",
            "macro.remove",
            "note.remove",
            "queue.remove",
            "request.unlink",
            "role.remove",
            "segment.put",
            "segment.remove",
            "tag.rename",
            "till.revoke",
            "webhook.remove",
        ],
    ),
    (
        "it takes back what stays in the history, or becomes a draft again, and begins a draft only where there is none",
        &[
            "catalogue.withdraw",
            "help.cancel",
            "help.withdraw",
            "program.withdraw",
            "promotion.end",
            "rule.begin",
            "rule.call_off",
            "rule.withdraw",
            "tiers.begin",
            "tiers.call_off",
            "tiers.withdraw",
        ],
    ),
    (
        "it is a step that is taken once: whoever comes second is refused, for there is nothing left to do",
        &[
            "birthday.allow",
            "card.stop",
            "contact.confirm",
            "customer.end_sessions",
            "erasure.begin",
            "fraud.lift",
            "fraud.stop",
            "merge.do",
            "merge.part",
            "message.again",
            "number.stop",
            "points.approve",
            "points.refuse",
            "purchase.amend",
            "purchase.attach",
            "purchase.detach",
            "receipt.approve",
            "receipt.refuse",
            "removal.grant",
            "request.merge",
            "request.part",
            "request.split",
            "staff.end_all",
            "staff.end_one",
            "staff.hand_back",
            "staff.hand_over",
            "staff.invite_again",
            "staff.reset_factors",
            "transfer.reverse",
            "webhook.secret",
        ],
    ),
    (
        "it names who had the request as it was shown",
        &["request.assign", "request.unassign"],
    ),
];

/// Forms that are not sent as they stand on the page, each with the test that shows what becomes of the second.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "promotion.conclude",
        "store/promotions::only_what_a_colleague_consented_to_is_offered",
    ),
    (
        "queue.topic",
        "router/desk::a_lead_sets_queues_up_and_an_agent_works_by_them",
    ),
    (
        "request.answer",
        "router/live::an_answer_that_somebody_was_quicker_with_comes_back_with_what_is_new",
    ),
    // What changed meanwhile it leaves alone by itself, and does the rest.
    (
        "request.bulk",
        "router/desk::whoever_was_quicker_in_the_list_is_overwritten_by_nobody",
    ),
    // A part of the draft, as the condition of that test.
    (
        "rule.effect",
        "router/rules::a_rule_is_written_published_changed_and_withdrawn",
    ),
];

/// What a colleague does meanwhile, where it is not the same: what is thrown away or published is what was seen.
const MEANWHILE: &[(&str, &str, Fields)] = &[
    ("rule.discard", "rule.basics", &[("priority", "7")]),
    ("rule.publish", "rule.basics", &[("priority", "7")]),
    (
        "tiers.discard",
        "tiers.measure",
        &[("window", "months"), ("length", "9")],
    ),
    (
        "tiers.publish",
        "tiers.measure",
        &[("window", "months"), ("length", "9")],
    ),
    ("program.discard", "program.draft", &[("term", "150")]),
    ("program.publish", "program.draft", &[("term", "150")]),
    ("promotion.discard", "promotion.change", &[("title_ru", "Кофе")]),
    ("catalogue.discard", "store.change", &[("name_ru", "Кофе")]),
    ("catalogue.publish", "store.change", &[("name_ru", "Кофе")]),
    ("help.discard", "help.draft", &[("title_ru", "Кофе")]),
    ("help.publish", "help.draft", &[("title_ru", "Кофе")]),
    ("text.discard", "text.draft", &[("head_ru", "Кофе")]),
    ("text.publish", "text.draft", &[("head_ru", "Кофе")]),
];

/// What a page that comes back, and who looks at it, write down by themselves.
const BUT: [&str; 6] = [
    "audit",
    "ceremonies",
    "idempotency_keys",
    "request_presence",
    "searches",
    "sessions",
];

/// Opens a form, has a colleague be quicker, and sends it; or what is wrong with that.
async fn conflict(side: &mut Side, route: &Route, form: &str, anew: bool) -> Result<(), String> {
    let offered = side.begin(route, form, anew).await?;
    side.is_untouched = false;
    let mine = offered.into_iter().next().ok_or("it is not offered")?;
    if !mine.about.iter().any(|name| name == "seen") {
        return Err("it does not carry what was seen".to_owned());
    }
    let button = mine.buttons.first().cloned();
    let mine = side.filled(mine, button.as_ref(), side.fields(form)).await;
    let path = side.town.path(route.path).await.ok_or("no sample")?;
    let at = side.address(&path, form);

    let other = MEANWHILE.iter().find(|(name, ..)| *name == form);
    let (other, fields) = other.map_or((form, side.fields(form)), |(_, other, fields)| (*other, *fields));
    let theirs_at = side.place(other, route).await;
    let theirs_at = side.address(&theirs_at, other);
    let page = side.colleague.get(&theirs_at).await;
    let theirs = forms(&page.body).into_iter().find(|one| one.name == other);
    let theirs = theirs.ok_or_else(|| format!("{theirs_at} does not offer {other} to a colleague"))?;
    let button = theirs.buttons.first().cloned();
    let theirs = side.filled(theirs, button.as_ref(), fields).await;
    side.tick();
    let done = side.colleague.submit(&theirs_at, &theirs).await;
    if done.status != StatusCode::SEE_OTHER {
        return Err(format!("the colleague's {other}: {} {}", done.status, complaint(&done)));
    }

    let before = side.town.app.everything(&BUT).await;
    side.tick();
    let late = side.who(form).submit(&at, &mine).await;
    let after = side.town.app.everything(&BUT).await;
    if late.status != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(format!("taken: {} {}", late.status, late.location()));
    }
    if after != before {
        let new: Vec<_> = after.symmetric_difference(&before).collect();
        return Err(format!("something was overwritten: {new:?}"));
    }
    let said = late.text();
    if !late.body.contains("role=\"alert\"") || !said.contains(", second") {
        return Err(format!("who was quicker is not told: {said}"));
    }
    Ok(())
}

#[tokio::test]
async fn what_a_colleague_changed_meanwhile_no_form_overwrites() {
    for (_, test) in ELSEWHERE {
        assert_there(test);
    }
    let listed = EXCEPTIONS.iter().flat_map(|(_, forms)| forms.iter().copied());
    let listed: Vec<&str> = listed.chain(ELSEWHERE.iter().map(|(form, _)| *form)).collect();
    let excepted: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(excepted.len(), listed.len(), "each stands in one list, once");
    let mut side = Side::new(Access::Staff, WAYS_OF_STAFF).await;
    let mut tried = BTreeSet::new();
    let mut wrong = Vec::new();
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        for form in route.forms.iter().map(|entry| entry.name) {
            if !tried.insert(form) || excepted.contains(form) {
                continue;
            }
            // In the town as the others have left it, and where that comes to nothing in another one.
            if conflict(&mut side, route, form, false).await.is_ok() {
                continue;
            }
            if let Err(why) = conflict(&mut side, route, form, true).await {
                wrong.push(format!("{form}: {why}"));
            }
        }
    }
    let gone = excepted.iter().filter(|form| !tried.contains(*form));
    wrong.extend(gone.map(|form| format!("{form} stands in a list, and no page has it")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
