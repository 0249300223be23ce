//! What is written down of who came in, who was refused, what staff read and what anybody changed.

use crate::common::html::{Form, forms, text};
use crate::common::{BY, Browser, PASSWORD, Reply, TestApp, Town};
use app::ROUTES;
use app::route::{Access, Route};
use axum::http::StatusCode;
use chrono::Duration;
use crm::factor::totp::Secret;
use crm::id::StaffId;
use crm::testing::start;
use std::collections::{BTreeMap, BTreeSet};

const ROWS: &str = "SELECT COUNT(*) FROM audit";

/// Pages of staff that show their own factors and sessions and nothing of anybody else: what is changed there is
/// written down, a look at it tells nobody's anything.
pub(crate) const OWN: [&str; 17] = [
    "/admin/keys",
    "/admin/security",
    "/admin/confirm",
    // Whose cabinet is looked at: each page of that is a row.
    "/admin/view",
    "/api/docs",
    // Everybody may know what is sold where.
    "/admin/stores",
    "/admin/categories",
    "/admin/articles",
    // Figures of the shop, of nobody in particular.
    "/admin/reports",
    "/admin/reports/{kind}",
    "/admin/reports/{kind}/table.csv",
    // How requests are parted among staff, and how often which word stands on them.
    "/admin/queues",
    "/admin/queues/{id}",
    "/admin/tags",
    // What is looked for, and from how many on.
    "/admin/fraud/rules",
    // Which files were brought in, and which one took away: what is in them is shown by the page of each, or by the file.
    "/admin/imports",
    "/admin/exports",
];

async fn last(app: &TestApp) -> String {
    app.text("SELECT actor || ' ' || action || ' ' || reason FROM audit ORDER BY at DESC, id DESC LIMIT 1")
        .await
}

#[tokio::test]
async fn s23_every_way_in_and_every_refusal_is_a_row() {
    let app = TestApp::new().await;
    let secret = app.employ("agent").await;
    let anna = app.customer("Анна").await;
    assert_eq!(last(&app).await, "customer sign_in registration");
    app.world.clock.set(start() + Duration::minutes(1));
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &anna.phone)]).await;
    let code = app.code(&anna.phone).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    who.send("/sign-in/code", "sign_in.verify", &[("code", wrong)]).await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused code");
    app.world.clock.set(start() + Duration::minutes(2));
    who.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await;
    assert_eq!(last(&app).await, "customer sign_in code");
    app.world.clock.set(start() + Duration::minutes(3));
    let sent = [("phone", anna.phone.as_str()), ("password", "не тот пароль совсем")];
    app.anybody()
        .send("/sign-in?by=password", "sign_in.password", &sent)
        .await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused password");
    app.world.clock.set(start() + Duration::minutes(4));
    app.enter("agent", &secret).await;
    assert_eq!(last(&app).await, "staff sign_in password");
    app.world.clock.set(start() + Duration::minutes(5));
    app.anybody()
        .send(
            "/admin/sign-in",
            "staff.sign_in",
            &[("login", "agent"), ("password", "не тот пароль совсем")],
        )
        .await;
    assert_eq!(last(&app).await, "anonymous sign_in.refused password");
    // Each names the network that it came from, and the moment by our own clock.
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE network = '' AND action LIKE 'sign_in%'")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE at < '2026-11-21' AND action LIKE 'sign_in%'")
            .await,
        0
    );
}

/// Every page of staff leaves a row, and one that shows a customer or a message names it; their own pages show no
/// customer.
#[tokio::test]
async fn s23_every_page_that_staff_open_is_a_row() {
    let mut town = Town::new().await;
    let anna = town.anna.id().await;
    let phone = crm::contact::show_phone(&town.anna.phone);
    let club = "SELECT hex(id) FROM programs WHERE code = 'club'";
    let club = town.app.text(club).await;
    let lost_card = town
        .app
        .text("SELECT hex(id) FROM help_articles WHERE code = 'lost-card'")
        .await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        let mut at = town.path(route.path).await.expect("a sample");
        if matches!(at.as_str(), "/admin/customers" | "/admin/find") {
            at = town.agent.find_at(&at, "Лебедева").await;
        }
        let before = town.app.everything(&[]).await;
        let reply = town.agent.get(&at).await;
        assert_eq!(reply.status, StatusCode::OK, "{at}");
        if OWN.contains(&route.path) {
            let shown = reply.text();
            assert!(!shown.contains("Анна") && !shown.contains(&phone), "{at}: {shown}");
            continue;
        }
        let after = town.app.everything(&[]).await;
        let new: Vec<_> = after
            .difference(&before)
            .filter(|row| row.starts_with("audit"))
            .collect();
        assert!(!new.is_empty(), "{at} left no row");
        assert!(new.iter().all(|row| row.contains("'staff'")), "{at}: {new:?}");
        // What was never edited has no id yet.
        if at.starts_with("/admin/texts/") {
            assert!(new.iter().any(|row| row.contains("template.welcome")), "{at}: {new:?}");
            continue;
        }
        if at.starts_with("/admin/scripts/") {
            assert!(new.iter().any(|row| row.contains("free")), "{at}: {new:?}");
            continue;
        }
        if at.starts_with("/admin/questionnaire/") {
            assert!(new.iter().any(|row| row.contains("'sex'")), "{at}: {new:?}");
            continue;
        }
        if route.path.contains('{') {
            // A code for coming in is a message to a phone, whoever's that is: the row says which message.
            let named = [
                "/admin/articles/",
                "/admin/categories/",
                "/admin/coupons/",
                "/admin/fraud/",
                "/admin/imports/",
                "/admin/macros/",
                "/admin/messages/",
                "/admin/partners/",
                "/admin/promotions/",
                "/admin/questions/",
                "/admin/rules/",
                "/admin/segments/",
                "/admin/staff/",
                "/admin/stores/",
                "/admin/tills/",
                "/admin/webhooks/",
            ];
            let id = match named.iter().find_map(|before| at.strip_prefix(before)) {
                Some(id) => id.split('/').next().unwrap_or_default().to_owned(),
                None if at.starts_with("/admin/programs/") => club.clone(),
                None if at.starts_with("/admin/help/") => lost_card.clone(),
                None => anna.to_string(),
            };
            let id = id.replace('-', "").to_uppercase();
            assert!(
                new.iter().any(|row| row.contains(&id)),
                "{at} does not say whose: {new:?}"
            );
        }
    }
}

/// Fields of a form with what is filled in.
pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// What it takes to have a form change something, beyond what [`usual`] fills in.
pub(crate) struct Way {
    form: &'static str,
    /// The query of the page that offers it.
    at: &'static str,
    /// Forms that are sent before, and what each of them takes.
    before: &'static [(&'static str, Fields)],
    /// What stands in curly brackets is of the town ([`Side::said`]).
    fields: Fields,
}

const fn way(form: &'static str, fields: Fields) -> Way {
    after(form, &[], fields)
}

const fn after(form: &'static str, before: &'static [(&'static str, Fields)], fields: Fields) -> Way {
    Way {
        form,
        at: "",
        before,
        fields,
    }
}

const fn at(at: &'static str, way: Way) -> Way {
    Way { at, ..way }
}

const NONE: Fields = &[];
const ROLE: Fields = &[("rights[]", "requests")];
const TAGS: Fields = &[("priority", "high"), ("tags", "зима")];
const HOURS: Fields = &[("mon", "9:00–18:00")];
const LEVEL: Fields = &[("first_answer", "60"), ("solution", "900"), ("warn", "80")];
const TERM: Fields = &[("term", "120")];
const TIER: Fields = &[("threshold", "1000")];
const TEXT: Fields = &[("body_ru", "Здравствуйте"), ("body_en", "Hello")];
const LATER: Fields = &[("from", "2090-01-01T10:00")];
const DAY: Fields = &[("due", "2026-12-01")];
const AGREED: Fields = &[("agreed", "yes")];
const BULK: Fields = &[("numbers[]", "{request}"), ("tag", "зима")];
const JSON: &str = "{\"name\": {\"ru\": \"Чай\", \"en\": \"Tea\"}, \"conditions\": [\"first_purchase\"], \
                    \"effects\": [{\"percent_off\": {\"share\": 600, \"each\": \"line\"}}]}";

pub(crate) const WAYS_OF_STAFF: &[Way] = &[
    after("staff.password_link", &[("staff.change", NONE)], NONE),
    way("staff.set_role", &[("role", "lead")]),
    after("staff.enable", &[("staff.disable", NONE)], NONE),
    way("role.add", ROLE),
    after("role.change", &[("role.add", ROLE)], &[("name_ru", "Кассир")]),
    after("role.remove", &[("role.add", ROLE)], NONE),
    after("recovery.keep", &[("recovery.make", NONE)], NONE),
    way(
        "staff.password",
        &[("current", PASSWORD), ("password", "корова летит над луной")],
    ),
    way("confirm.second", &[("code", "{code}")]),
    way("queue.agent", &[("agent", "{me}"), ("capacity", "3")]),
    after(
        "queue.presence",
        &[("queue.agent", &[("agent", "{me}"), ("capacity", "3")])],
        NONE,
    ),
    way("request.bulk", BULK),
    after("request.undo", &[("request.bulk", BULK)], NONE),
    at("?status=all", way("filter.save", NONE)),
    at("?status=all", after("filter.remove", &[("filter.save", NONE)], NONE)),
    after("request.unassign", &[("request.assign", NONE)], NONE),
    way("request.sort", TAGS),
    way("request.link", &[("number", "{other}")]),
    way("request.link_purchase", &[("document", "A-1"), ("line", "1")]),
    after("request.unlink", &[("request.link", &[("number", "{other}")])], NONE),
    way("request.merge", &[("others[]", "{other}")]),
    after("request.part", &[("request.merge", &[("others[]", "{other}")])], NONE),
    way(
        "macro.create",
        &[
            ("answer_ru", "Здравствуйте"),
            ("answer_en", "Hello"),
            ("topic", ""),
            ("status", "waiting"),
        ],
    ),
    way("macro.change", &[("topic", "")]),
    after(
        "tag.rename",
        &[("request.sort", TAGS)],
        &[("from", "зима"), ("to", "лето")],
    ),
    way("level.calendar_add", HOURS),
    after(
        "level.calendar_change",
        &[("level.calendar_add", HOURS)],
        &[("days", "2027-01-01")],
    ),
    after("level.calendar_switch", &[("level.calendar_add", HOURS)], NONE),
    after("level.calendar_remove", &[("level.calendar_add", HOURS)], NONE),
    after("help.part_remove", &[("help.part_add", NONE)], NONE),
    after("level.policy_add", &[("level.calendar_add", HOURS)], LEVEL),
    after(
        "level.policy_change",
        &[("level.calendar_add", HOURS), ("level.policy_add", LEVEL)],
        &[("solution", "600")],
    ),
    after(
        "level.policy_remove",
        &[("level.calendar_add", HOURS), ("level.policy_add", LEVEL)],
        NONE,
    ),
    after("note.pin", &[("note.add", NONE)], NONE),
    after("note.remove", &[("note.add", NONE)], NONE),
    after("task.end", &[("task.add", NONE)], NONE),
    after("task.assign", &[("task.add", NONE)], DAY),
    after("merge.part", &[("merge.do", NONE)], NONE),
    way("questionnaire.note", &[("sex", "female")]),
    way("erasure.begin", AGREED),
    after("view.end", &[("view.begin", NONE)], NONE),
    way("interaction.change", &[("note", "Баллы нашлись")]),
    way("fraud.rule", &[("least", "9")]),
    way("dialogue.set", &[("kept_days", "20")]),
    after("fraud.lift", &[("fraud.stop", NONE)], NONE),
    after("points.approve", &[("points.adjust", &[("points", "5001")])], NONE),
    after("points.refuse", &[("points.adjust", &[("points", "5001")])], NONE),
    way("purchase.note_purpose", &[("purpose", "work")]),
    way("purchase.store", &[("store", "{store}")]),
    at("?act=void", way("purchase.amend", NONE)),
    after("rule.begin", &[("rule.publish", NONE)], NONE),
    way("rule.basics", &[("priority", "3")]),
    way("rule.caps", &[("line", "100")]),
    at(
        "?condition=new&kind=basket_sum",
        way("rule.condition", &[("least", "1000")]),
    ),
    at("?effect=new&kind=points", way("rule.effect", &[("points", "100")])),
    way("rule.json", &[("json", JSON)]),
    after("rule.withdraw", &[("rule.publish", NONE)], NONE),
    after("rule.call_off", &[("rule.publish", LATER)], NONE),
    after("rule.simulate_cancel", &[("rule.simulate", &[("months", "3")])], NONE),
    way(
        "program.create",
        &[
            ("terms_ru", "Пейте чай"),
            ("terms_en", "Drink tea"),
            ("delay", "0"),
            ("term", "90"),
            ("share", "5"),
        ],
    ),
    way("program.draft", TERM),
    after("program.discard", &[("program.draft", TERM)], NONE),
    after("program.publish", &[("program.draft", TERM)], NONE),
    after(
        "program.withdraw",
        &[("program.draft", TERM), ("program.publish", LATER)],
        NONE,
    ),
    after("program.reopen", &[("program.close", NONE)], NONE),
    after("tiers.discard", &[("tiers.begin", NONE)], NONE),
    after(
        "tiers.measure",
        &[("tiers.begin", NONE)],
        &[("window", "months"), ("length", "6")],
    ),
    at("?tier=new", after("tiers.tier", &[("tiers.begin", NONE)], TIER)),
    after(
        "tiers.tier_remove",
        &[("tiers.begin", NONE), ("tiers.tier", TIER)],
        NONE,
    ),
    after("tiers.publish", &[("tiers.begin", NONE), ("tiers.tier", TIER)], NONE),
    after(
        "tiers.call_off",
        &[("tiers.begin", NONE), ("tiers.tier", TIER), ("tiers.publish", LATER)],
        NONE,
    ),
    after(
        "tiers.withdraw",
        &[("tiers.begin", NONE), ("tiers.tier", TIER), ("tiers.publish", NONE)],
        NONE,
    ),
    after("promotion.ask", &[("promotion.change", NONE)], NONE),
    after(
        "promotion.approve",
        &[("promotion.change", NONE), ("promotion.ask", NONE)],
        NONE,
    ),
    after(
        "promotion.refuse",
        &[("promotion.change", NONE), ("promotion.ask", NONE)],
        NONE,
    ),
    after("promotion.discard", &[("promotion.change", NONE)], NONE),
    after(
        "promotion.conclude",
        &[("promotion.end", NONE)],
        &[("conclusion", "Чай взяли")],
    ),
    way("series.add", &[("valid_days", "10"), ("bearer", "yes")]),
    way("audience.keep", &[("segment", "{segment}")]),
    way("segment.put", &[("numbers", "{phone}"), ("act", "add")]),
    way(
        "store.add",
        &[
            ("town_ru", "Кимры"),
            ("town_en", "Kimry"),
            ("address_ru", "Набережная, 3"),
            ("address_en", "3 Naberezhnaya"),
            ("mon_from", "09:00"),
            ("mon_to", "21:00"),
            ("phone", ""),
        ],
    ),
    after("catalogue.publish", &[("store.change", NONE)], NONE),
    after("catalogue.discard", &[("store.change", NONE)], NONE),
    after(
        "catalogue.withdraw",
        &[("store.change", NONE), ("catalogue.publish", LATER)],
        NONE,
    ),
    way(
        "script.add",
        &[
            ("steps", "Поздоровайтесь / Say hello"),
            ("outcomes", "come: Придёт / Will come"),
        ],
    ),
    way(
        "questionnaire.add",
        &[
            ("why_ru", "Для кормов"),
            ("why_en", "For pet food"),
            ("position", "9"),
            ("choices", "cat: Кошка / A cat"),
        ],
    ),
    way("questionnaire.change", &[("why_ru", "Чтобы были корма")]),
    way(
        "help.create",
        &[("category", "card"), ("body_ru", "Подробно"), ("body_en", "In full")],
    ),
    after("help.discard", &[("help.draft", NONE)], NONE),
    after("help.publish", &[("help.draft", NONE)], NONE),
    after("help.cancel", &[("help.draft", NONE), ("help.publish", LATER)], NONE),
    after(
        "question.publish",
        &[("question.unpublish", NONE)],
        &[("answer", "Да, можно")],
    ),
    after("question.decline", &[("question.unpublish", NONE)], NONE),
    after("question.move", &[("question.unpublish", NONE)], NONE),
    at("?kind=topic", way("text.create", &[("position", "7")])),
    way("text.draft", TEXT),
    after("text.discard", &[("text.draft", TEXT)], NONE),
    after("text.publish", &[("text.draft", TEXT)], NONE),
    after("till.revoke", &[("till.key", NONE)], NONE),
    way(
        "webhook.add",
        &[
            ("url", "https://erp.example.com/kabinet"),
            ("events[]", "purchase.booked"),
        ],
    ),
    way("webhook.change", &[("url", "https://erp.example.com/kabinet")]),
    after("webhook.redeliver", &[("webhook.test", NONE)], NONE),
    after("webhook.redeliver_failed", &[("webhook.test", NONE)], NONE),
    after("report.schedule", &[("report.save", NONE)], &[("every", "week")]),
    after("report.remove", &[("report.save", NONE)], NONE),
    way("extract.ask", &[("columns[]", "name")]),
];

const WAYS_OF_CUSTOMERS: &[Way] = &[
    way("purchase.purpose", &[("purpose", "gift")]),
    way(
        "question.ask",
        &[("topic", "card"), ("text", "Можно ли оформить две карты?")],
    ),
    way("password.set", &[("password", "корова летит над луной")]),
    after(
        "password.remove",
        &[("password.set", &[("password", "корова летит над луной")])],
        NONE,
    ),
    after("recovery.keep", &[("recovery.make", NONE)], NONE),
    way("child.add", AGREED),
    way("profile.preferences", &[("brands", "Заря, Луч")]),
    way("questionnaire.tell", &[("sex", "female")]),
    after(
        "questionnaire.withdraw",
        &[("questionnaire.tell", &[("sex", "female")])],
        NONE,
    ),
    way("profile.quiet", &[("per_week", "1")]),
    way("erasure.ask", AGREED),
    after("erasure.cancel", &[("erasure.ask", AGREED)], NONE),
    after("program.leave", &[("program.join", NONE)], NONE),
    after("request.reopen", &[("request.close", NONE)], NONE),
];

/// Nobody decides about what they have asked for themselves.
const BY_A_COLLEAGUE: [&str; 4] = [
    "points.approve",
    "points.refuse",
    "promotion.approve",
    "promotion.refuse",
];

/// By which staff say why they open a card.
const WHY: &str = "customer.why";

/// Forms that only look: what they look for is kept until it is looked up, or in a cookie.
const ONLY_LOOK: [&str; 11] = [
    "article.find",
    "audit.find",
    "customer.find",
    "find",
    "level.preview",
    "merge.anew",
    "merge.find",
    "message.find",
    "request.find",
    "store.find",
    "transfer.check",
];

/// Forms that change something and leave no row of their own, and why: they are steps of what is a row where it begins or ends.
const STEPS: [(&str, &str); 4] = [
    ("confirm.resend", "the code was asked for by confirm.send"),
    ("contact.resend", "the code was asked for by contact.verify"),
    (
        "merge.prove",
        "a code to one's own phone; the accounts are merged by merge.confirm",
    ),
    (
        "merge.code",
        "the other account was named by merge.ask; the accounts are merged by merge.confirm",
    ),
];

/// Forms of staff that change nothing by [`WAYS_OF_STAFF`], each with the test that shows its row in the log.
const SHOWN_OF_STAFF: &[(&str, &str)] = &[
    (
        "customer.why",
        "router/acts::s23_why_a_card_is_opened_is_asked_once_a_day_and_the_customer_reads_it",
    ),
    (
        "duplicate.dismiss",
        "router/merges::pairs_that_look_alike_are_worked_through_and_two_persons_stay_two",
    ),
    (
        "duplicate.propose",
        "router/merges::pairs_that_look_alike_are_worked_through_and_two_persons_stay_two",
    ),
    (
        "factor.remove",
        "router/factors::s09_staff_with_a_passkey_come_in_by_it_and_keep_the_last_one",
    ),
    ("import.cancel", "router/tables::a_file_becomes_customers_step_by_step"),
    (
        "receipt.approve",
        "router/acts::a_receipt_of_many_points_is_voided_with_the_consent_of_a_colleague",
    ),
    (
        "receipt.refuse",
        "router/acts::a_receipt_of_many_points_is_voided_with_the_consent_of_a_colleague",
    ),
    ("import.go_on", "router/tables::a_file_becomes_customers_step_by_step"),
    (
        "interaction.change",
        "router/person::a_call_is_written_down_in_one_line_and_stands_in_the_history",
    ),
    (
        "promotion.conclude",
        "router/promotions::a_promotion_goes_from_idea_to_its_result",
    ),
    (
        "purchase.attach",
        "router/acts::staff_take_a_receipt_off_and_give_it_to_whose_it_is",
    ),
    (
        "queue.presence",
        "router/desk::a_lead_sets_queues_up_and_an_agent_works_by_them",
    ),
    (
        "request.answer",
        "router/levels::what_is_due_stands_in_the_queue_and_what_is_late_everywhere",
    ),
    (
        "request.note",
        "router/thread::whom_a_note_names_sees_it_at_the_bell_and_in_the_inbox",
    ),
    (
        "request.undo",
        "store/desk::many_requests_change_at_once_and_are_again_what_they_were",
    ),
    (
        "rule.effect",
        "router/rules::a_rule_is_written_published_changed_and_withdrawn",
    ),
    (
        "staff.end_all",
        "router/staff::s14_somebody_is_shut_out_at_once_with_a_reason_and_let_in_again",
    ),
    (
        "staff.end_one",
        "router/staff::s14_one_session_of_a_colleague_is_ended_and_the_others_go_on",
    ),
    (
        "staff.reset_factors",
        "router/staff::s14_somebody_is_shut_out_at_once_with_a_reason_and_let_in_again",
    ),
    (
        "webhook.redeliver_failed",
        "router/webhooks::a_receiver_is_added_tried_out_changed_and_removed",
    ),
    (
        "confirm.passkey",
        "router/factors::s09_staff_with_a_passkey_come_in_by_it_and_keep_the_last_one",
    ),
    (
        "factor.confirm",
        "store/factors::what_is_offered_counts_once_its_first_code_was_right",
    ),
    ("import.start", "router/tables::a_file_becomes_customers_step_by_step"),
    ("import.upload", "router/tables::a_file_becomes_customers_step_by_step"),
    ("card.issue", "store/acts::staff_block_a_card_and_give_another"),
    ("message.again", "router/messages::a_dead_letter_is_sent_again_once"),
    (
        "number.stop",
        "store/numbers::s15_a_change_of_number_is_called_off_from_anywhere",
    ),
    (
        "passkey.add",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "passkey.rename",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "queue.topic",
        "router/desk::a_lead_sets_queues_up_and_an_agent_works_by_them",
    ),
    (
        "removal.grant",
        "store/factors::s12_a_lost_second_factor_goes_after_a_proof_a_word_of_staff_and_three_days",
    ),
    (
        "staff.hand_back",
        "router/staff::what_somebody_who_is_shut_out_had_open_is_given_back",
    ),
    (
        "staff.hand_over",
        "router/staff::what_somebody_who_is_shut_out_had_open_is_handed_over",
    ),
    (
        "staff.invite_again",
        "store/managing::s06_an_invitation_is_good_once_for_three_days_and_stored_hashed",
    ),
    (
        "transfer.reverse",
        "router/transfers::staff_bring_a_transfer_back_with_a_reason",
    ),
];

/// The same of customers.
const SHOWN_OF_CUSTOMERS: &[(&str, &str)] = &[
    (
        "request.create",
        "router/support::a_request_says_from_which_page_it_was_written",
    ),
    (
        "contact.primary",
        "router/ways::the_main_number_changes_to_a_proved_one_and_the_old_one_is_told",
    ),
    (
        "invite.begin",
        "router/invitations::a_friend_comes_by_the_link_and_both_see_what_it_gives",
    ),
    ("program.join", "router/home::points_that_expire_within_a_week_matter"),
    (
        "program.leave",
        "router/home::a_birthday_tells_what_the_shop_gives_for_it",
    ),
    (
        "recovery.keep",
        "router/factors::s08_recovery_codes_are_kept_nowhere_as_they_are",
    ),
    (
        "recovery.make",
        "router/factors::s15_old_proof_changes_no_second_factor",
    ),
    (
        "card.bind",
        "router/cards::a_plastic_card_is_bound_by_its_number_and_shown_among_the_others",
    ),
    ("confirm.code", "router/ways::s08_a_code_for_one_thing_opens_no_other"),
    (
        "confirm.passkey",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "confirm.password",
        "router/cards::s15_a_lost_card_is_blocked_by_its_owner_who_proved_anew",
    ),
    (
        "confirm.second",
        "router/factors::s15_old_proof_changes_no_second_factor",
    ),
    ("contact.prove", "router/ways::s08_a_code_for_one_thing_opens_no_other"),
    (
        "factor.confirm",
        "store/factors::what_is_offered_counts_once_its_first_code_was_right",
    ),
    (
        "factor.remove",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "invite.enter",
        "router/invitations::a_code_is_typed_while_registering_and_afterwards",
    ),
    (
        "merge.ask",
        "router/merges::two_accounts_proved_by_codes_become_one_and_part_again",
    ),
    (
        "merge.confirm",
        "router/merges::two_accounts_proved_by_codes_become_one_and_part_again",
    ),
    (
        "merge.undo",
        "router/merges::two_accounts_proved_by_codes_become_one_and_part_again",
    ),
    (
        "number.cancel",
        "router/numbers::s15_another_main_number_waits_and_the_old_one_keeps_itself_by_a_link",
    ),
    (
        "passkey.add",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "passkey.rename",
        "router/factors::a_passkey_is_confirmed_with_renamed_and_removed",
    ),
    (
        "provider.unlink",
        "router/outside::a_customer_links_and_unlinks_in_the_profile",
    ),
    (
        "purchase.claim",
        "router/photos::a_receipt_is_added_by_a_photo_of_its_qr_once",
    ),
    (
        "removal.cancel",
        "router/factors::s12_a_lost_second_factor_is_asked_for_granted_and_called_off",
    ),
    (
        "request.rate",
        "store/requests::an_answer_is_rated_once_until_the_request_is_opened_again",
    ),
    (
        "transfer.cancel",
        "router/transfers::points_on_their_way_are_called_back_by_their_sender_alone",
    ),
    (
        "transfer.send",
        "router/transfers::points_go_to_whoever_has_the_card_and_both_are_told",
    ),
];

/// What is filled in wherever a field is called so; what else stands in a form is sent as it stands.
fn usual(name: &str, is_empty: bool) -> Option<&'static str> {
    match name {
        "phone" => Some("+79005550077"),
        "email" => Some("new@example.com"),
        "name" => Some("Аня"),
        "text" => Some("Здравствуйте"),
        "topic" => Some("other"),
        "ru" | "head_ru" | "name_ru" | "summary_ru" | "text_ru" | "title_ru" => Some("Чай"),
        "en" | "head_en" | "name_en" | "summary_en" | "text_en" | "title_en" => Some("Tea"),
        _ if !is_empty => None,
        "key" => Some("added"),
        "login" => Some("vera"),
        "body" | "description" | "note" | "reason" | "title" | "words" => Some("Здравствуйте"),
        "day" | "month" => Some("4"),
        "points" => Some("5"),
        "year" => Some("2021"),
        _ => None,
    }
}

/// The pages of customers or of staff, in a town.
pub(crate) struct Side {
    access: Access,
    ways: &'static [Way],
    pub(crate) town: Town,
    /// Somebody of staff who has not told yet why they open a card, is in at two devices, and has an app with this secret.
    desk: Browser,
    me: StaffId,
    secret: Secret,
    /// Called `second`.
    pub(crate) colleague: Browser,
    /// The number of another request of Anna's.
    other: String,
    /// Nothing has been changed since the town was made.
    pub(crate) is_untouched: bool,
}

impl Side {
    pub(crate) async fn new(access: Access, ways: &'static [Way]) -> Self {
        let mut town = Town::new().await;
        let app = town.app.clone();
        let wait = || app.world.clock.set(app.world.db.now() + Duration::minutes(1));
        let asked = [("topic", "other"), ("text", "Где карта?"), ("purchase", "")];
        let asked = town.anna.send("/support/new", "request.create", &asked).await;
        let path = asked.location().split('?').next().unwrap_or_default();
        let other = path.rsplit('/').next().unwrap_or_default().to_owned();
        let thread = format!("/support/{}", town.request);
        let said = town
            .anna
            .send(&thread, "request.answer", &[("text", "И ещё о карте")])
            .await;
        assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text());
        let me = app.employ_bare("desk").await;
        let given = crm::factor::store::give_totp(&app.world.db, &BY, me).await;
        let secret = given.expect("a second factor");
        let desk = app.enter("desk", &secret).await;
        wait();
        app.enter("desk", &secret).await;
        // The next code of the app has not been used yet.
        wait();
        let colleague = app.staff("second").await;
        if access == Access::Staff {
            // Whoever has mistaken their birthday too often is helped by staff.
            for day in ["1", "2"] {
                let sent = [
                    ("name", "Анна"),
                    ("surname", "Лебедева"),
                    ("day", day),
                    ("month", "3"),
                    ("year", "1990"),
                ];
                town.anna.send("/profile/person", "profile.person", &sent).await;
            }
        }
        Self {
            access,
            ways,
            town,
            desk,
            me,
            secret,
            colleague,
            other,
            is_untouched: true,
        }
    }

    pub(crate) fn who(&mut self, form: &str) -> &mut Browser {
        match self.access {
            Access::Staff if BY_A_COLLEAGUE.contains(&form) => &mut self.colleague,
            Access::Staff => &mut self.desk,
            _ => &mut self.town.anna.browser,
        }
    }

    fn way(&self, form: &str) -> Option<&'static Way> {
        self.ways.iter().find(|way| way.form == form)
    }

    /// What it takes beyond the usual.
    pub(crate) fn fields(&self, form: &str) -> Fields {
        self.way(form).map_or(NONE, |way| way.fields)
    }

    /// What a value means in this town.
    async fn said(&self, value: &str) -> String {
        match value {
            "{code}" => self.secret.code(self.town.app.world.db.now()),
            "{me}" => self.me.to_string(),
            "{other}" => self.other.clone(),
            "{phone}" => self.town.anna.phone.clone(),
            "{request}" => self.town.request.clone(),
            "{segment}" => self.town.app.some_segment().await.to_string(),
            "{store}" => self.town.app.some_store().await.to_string(),
            plain => plain.to_owned(),
        }
    }

    /// Where a form of a page stands.
    pub(crate) fn address(&self, path: &str, form: &str) -> String {
        format!("{path}{}", self.way(form).map_or("", |way| way.at))
    }

    /// The forms of a name that a page offers.
    async fn offered(&mut self, path: &str, form: &str) -> Vec<Form> {
        let at = self.address(path, form);
        let who = self.who(form);
        // Only before a card is opened is asked why.
        let page = match form {
            WHY => who.first(&at).await,
            _ => who.get(&at).await,
        };
        let all = forms(&page.body).into_iter();
        all.filter(|one| one.name == form).collect()
    }

    /// A form filled in, under a key of its own.
    pub(crate) async fn filled(&self, mut form: Form, button: Option<&(String, String)>, fields: Fields) -> Form {
        for (name, value) in &mut form.fields {
            if name.as_str() == "_key" {
                *value = crm::who::Token::random().secret().to_owned();
            } else if let Some(usual) = usual(name, value.is_empty()) {
                *value = usual.to_owned();
            }
        }
        for (name, value) in fields {
            form = form.with(name, &self.said(value).await);
        }
        form.fields.extend(button.cloned());
        form
    }

    /// Lets a moment go by.
    pub(crate) fn tick(&self) {
        let clock = &self.town.app.world.clock;
        clock.set(self.town.app.world.db.now() + Duration::milliseconds(1));
    }

    /// Sends a form filled in, a moment later than what came before, so that a change to what was there already shows by its time.
    async fn send(&mut self, path: &str, form: Form, button: Option<&(String, String)>, fields: Fields) -> Reply {
        let form = self.filled(form, button, fields).await;
        self.tick();
        let at = self.address(path, &form.name);
        self.who(&form.name).submit(&at, &form).await
    }

    /// The page of a form that is sent before another one: the same page where it offers it, or the first one that does.
    pub(crate) async fn place(&self, form: &str, route: &Route) -> String {
        let offers = |route: &&Route| route.access == self.access && route.forms.iter().any(|entry| entry.name == form);
        let route = Some(route).filter(offers).or_else(|| ROUTES.iter().find(offers));
        let route = route.unwrap_or_else(|| panic!("no page has a form {form}"));
        self.town.path(route.path).await.expect("a sample")
    }

    /// The forms of a name, after what has to come before them; or why they are not there. `anew` in a town where nothing else
    /// happened.
    pub(crate) async fn begin(&mut self, route: &Route, form: &str, anew: bool) -> Result<Vec<Form>, String> {
        // To look at a card is to have told why.
        if anew && (!self.is_untouched || form == WHY) {
            *self = Self::new(self.access, self.ways).await;
        }
        for (name, fields) in self.way(form).map_or(&[][..], |way| way.before) {
            self.is_untouched = false;
            let path = self.place(name, route).await;
            let offered = self.offered(&path, name).await;
            let Some(first) = offered.into_iter().next() else {
                return Err(format!("{path} offers no {name} before"));
            };
            let reply = self.send(&path, first, None, fields).await;
            if reply.status != StatusCode::SEE_OTHER {
                return Err(format!("{name} before: {} {}", reply.status, complaint(&reply)));
            }
        }
        let path = self.town.path(route.path).await.expect("a sample");
        match self.offered(&path, form).await {
            none if none.is_empty() => Err(format!("{path} does not offer it")),
            all => Ok(all),
        }
    }
}

/// The buttons by which forms of a name are sent, each once. One that only looks for answers changes nothing, and one that keeps a
/// draft keeps it for its writer alone.
fn buttons(all: &[Form]) -> BTreeSet<Option<(String, String)>> {
    let is_aside = |(name, value): &(String, String)| name == "find" || (name == "act" && value == "keep");
    let found = all.iter().flat_map(|form| match form.buttons.is_empty() {
        true => vec![None],
        false => form
            .buttons
            .iter()
            .filter(|one| !is_aside(one))
            .cloned()
            .map(Some)
            .collect(),
    });
    found.collect()
}

/// What a page says against a form, where it says so.
pub(crate) fn complaint(reply: &Reply) -> String {
    let from = reply.body.find("class=\"errors\"").unwrap_or(0);
    let said = text(&format!("<p {}", &reply.body[from..]));
    said.chars().take(200).collect()
}

/// That a test is there which a table names.
pub(crate) fn assert_there(test: &str) {
    let (file, name) = test.split_once("::").expect("a file and a test");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/");
    let folder = match file.starts_with("router/") {
        true => folder.to_owned(),
        false => concat!(env!("CARGO_MANIFEST_DIR"), "/../crm/tests/").to_owned(),
    };
    let source = std::fs::read_to_string(format!("{folder}{file}.rs"));
    let source = source.unwrap_or_else(|error| panic!("{test}: {error}"));
    assert!(source.contains(name), "there is no {test}");
}

/// Sends every form of a side by each of its buttons, filled in by the usual and by its way: if anything changed, a row says so. A form
/// that changed nothing stands in a table, and nothing else does.
async fn every_change_is_a_row(access: Access, ways: &'static [Way], shown: &[(&str, &str)]) {
    // A question to a passkey is used up by any answer, and what is looked for is kept until it is looked up, which is a row: that
    // alone is no change.
    const BUT: [&str; 4] = ["audit", "idempotency_keys", "ceremonies", "searches"];
    for (_, test) in shown {
        assert_there(test);
    }
    let is_shown = |form: &str| shown.iter().any(|(name, _)| *name == form);
    let is_step = |form: &str| STEPS.iter().any(|(step, _)| *step == form);
    let mut side = Side::new(access, ways).await;
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    let mut why: BTreeMap<&str, String> = BTreeMap::new();
    for route in ROUTES.iter().filter(|route| route.access == access) {
        for form in route.forms.iter().map(|entry| entry.name) {
            // The same form of another page.
            if changed.contains(form) {
                continue;
            }
            // A form is tried in the town as the others have left it, and where that comes to nothing in another one, so that there
            // need not be a town for each. What a table says of a form does not hang on the others.
            let mut anew = is_shown(form) || form == WHY;
            let mut untried: Option<BTreeSet<Option<(String, String)>>> = None;
            loop {
                let is_alone = anew || side.is_untouched;
                let offered = match side.begin(route, form, anew).await {
                    Ok(offered) => offered,
                    Err(reason) if is_alone => {
                        why.entry(form).or_insert(reason);
                        break;
                    }
                    Err(_) => {
                        anew = true;
                        continue;
                    }
                };
                let left = untried.get_or_insert_with(|| buttons(&offered));
                let Some(button) = left.first().cloned() else {
                    break;
                };
                // In another town what a button names may have another id.
                let has = |one: &&Form| button.as_ref().is_none_or(|button| one.buttons.contains(button));
                let chosen = offered.iter().find(has).or(offered.first());
                let chosen = chosen.expect("one is offered").clone();
                let path = side.town.path(route.path).await.expect("a sample");
                let app = side.town.app.clone();
                let (rows, before) = (app.count(ROWS).await, app.everything(&BUT).await);
                let fields = side.fields(form);
                let reply = side.send(&path, chosen, button.as_ref(), fields).await;
                let after = app.everything(&BUT).await;
                if after == before && !is_alone {
                    anew = true;
                    continue;
                }
                left.pop_first();
                anew = is_shown(form) || form == WHY;
                if after == before {
                    why.insert(form, format!("{path}: {} {}", reply.status, complaint(&reply)));
                    continue;
                }
                side.is_untouched = false;
                changed.insert(form);
                if app.count(ROWS).await == rows && !is_step(form) {
                    let new: Vec<_> = after.symmetric_difference(&before).collect();
                    silent.insert(format!("{form} by {button:?} at {path}: {}: {new:?}", reply.status));
                }
            }
        }
    }
    let mut wrong: Vec<String> = silent
        .into_iter()
        .map(|one| format!("changed without a row: {one}"))
        .collect();
    let is_aside = |form: &str| ONLY_LOOK.contains(&form) || is_step(form);
    let of_side = ROUTES.iter().filter(|route| route.access == access);
    let all: BTreeSet<&str> = of_side.flat_map(|route| route.forms).map(|entry| entry.name).collect();
    for form in all
        .iter()
        .filter(|form| !changed.contains(**form) && !is_shown(form) && !is_aside(form))
    {
        let why = why.get(form).map_or("", String::as_str);
        wrong.push(format!(
            "    (\"{form}\", \"\"), // changed nothing, and is not in the table: {why}"
        ));
    }
    for (form, test) in shown.iter().filter(|(form, _)| changed.contains(form)) {
        wrong.push(format!(
            "    (\"{form}\", \"{test}\"), // is in the table, and changed something"
        ));
    }
    for form in changed.iter().filter(|form| ONLY_LOOK.contains(*form)) {
        wrong.push(format!("{form} does not only look: it changed something"));
    }
    for (form, _) in shown.iter().filter(|(form, _)| !all.contains(form)) {
        wrong.push(format!("{form} is in the table, and no page has it"));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn s23_every_change_of_staff_is_a_row() {
    every_change_is_a_row(Access::Staff, WAYS_OF_STAFF, SHOWN_OF_STAFF).await;
}

#[tokio::test]
async fn s23_every_change_of_customers_is_a_row() {
    every_change_is_a_row(Access::Customer, WAYS_OF_CUSTOMERS, SHOWN_OF_CUSTOMERS).await;
}

/// Ways are to forms that are there.
#[test]
fn every_way_leads_to_a_form() {
    for (access, ways) in [(Access::Staff, WAYS_OF_STAFF), (Access::Customer, WAYS_OF_CUSTOMERS)] {
        let of_side = ROUTES.iter().filter(|route| route.access == access);
        let all: BTreeSet<&str> = of_side.flat_map(|route| route.forms).map(|entry| entry.name).collect();
        for way in ways {
            let mut named = way.before.iter().map(|(form, _)| *form).chain([way.form]);
            assert!(named.all(|form| all.contains(form)), "{}", way.form);
        }
    }
}

/// What staff look for is a name, a phone, an address: it stands in no page's address, which histories and logs keep
/// (14.2.1). Going on and back works all the same.
#[tokio::test]
async fn s23_what_staff_look_for_stands_in_no_address() {
    let mut town = Town::new().await;
    let phone = town.anna.phone.clone();
    let found = town.agent.find(&phone).await;
    assert!(!found.contains(&phone[4..]), "{found}");
    for _ in 0..2 {
        let page = town.agent.get(&found).await;
        page.assert_says("Лебедева Анна");
        assert!(
            page.body.contains(&format!("value=\"{phone}\"")),
            "what was typed stays in the field"
        );
    }
    // Whoever is sent the address looks for nothing.
    let mut other = town.app.staff("other").await;
    assert!(!other.get(&found).await.text().contains("Лебедева"));
    assert!(!town.anna.get(&found).await.text().contains("Лебедева"));
    // The same of the queue, whose order and pages keep what is looked for.
    let fields = [
        ("status", "all"),
        ("assignee", ""),
        ("topic", ""),
        ("q", "Где мои баллы"),
    ];
    let queue = town.agent.send("/admin/requests", "request.find", &fields).await;
    let queue = queue.location().to_owned();
    assert!(
        queue.starts_with("/admin/requests?find=") && queue.ends_with("&status=all"),
        "{queue}"
    );
    let page = town.agent.get(&queue).await;
    assert!(page.text().contains("Лебедева Анна") && page.body.contains("value=\"Где мои баллы\""));
    let sorted = queue.replace("&status", "&sort=newest&status").replace('&', "&amp;");
    assert!(page.body.contains(&format!("href=\"{sorted}\"")), "{sorted}");
    let nothing = [
        ("status", "all"),
        ("assignee", ""),
        ("topic", ""),
        ("q", "чего здесь нет"),
    ];
    let empty = town.agent.send("/admin/requests", "request.find", &nothing).await;
    assert!(!town.agent.get(empty.location()).await.text().contains("Лебедева"));
    // And of messages.
    let fields = [("channel", ""), ("template", ""), ("to", phone.as_str())];
    let messages = town.agent.send("/admin/messages", "message.find", &fields).await;
    assert!(
        messages.location().starts_with("/admin/messages?find="),
        "{}",
        messages.location()
    );
    let shown = crm::contact::show_phone(&phone)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(town.agent.get(messages.location()).await.text().contains(&shown));
    // The same form once more with other words, as from a page that was gone back to.
    let form = town.agent.get(&found).await.form("customer.find");
    let first = town
        .agent
        .submit("/admin/customers", &form.clone().with("q", "Лебедева"))
        .await;
    let second = town
        .agent
        .submit("/admin/customers", &form.with("q", "никого такого"))
        .await;
    assert!(town.agent.get(first.location()).await.text().contains("Лебедева"));
    assert!(
        town.agent
            .get(second.location())
            .await
            .text()
            .contains("Никого не нашлось")
    );
    // No page of staff has a field whose words would go into an address.
    for route in ROUTES.iter().filter(|route| route.access == Access::Staff) {
        let at = town.path(route.path).await.expect("a sample");
        let page = town.agent.get(&at).await;
        let mut is_get = false;
        for tag in crate::common::html::tags(&page.body) {
            if tag.name == "form" {
                is_get = tag.get("method") != Some("post");
            }
            // A day tells nothing of anybody, nor do the kinds of a history and the pieces of a receipt.
            let is_kind = tag.get("type") == Some("checkbox") && tag.get("name") == Some("kind");
            let is_pieces = tag.get("name").is_some_and(|name| name.starts_with("line_"));
            let is_field =
                tag.name == "input" && !is_kind && !is_pieces && !matches!(tag.get("type"), Some("hidden" | "date"));
            let is_typed = tag.name == "textarea" || is_field;
            assert!(!(is_get && is_typed), "{at}: {tag:?}");
        }
    }
}

/// Rows of the log are added, and nothing else: the database itself refuses.
#[tokio::test]
async fn s23_rows_cannot_be_changed_or_removed() {
    use sqlx::Connection as _;
    let app = TestApp::new().await;
    app.customer("Анна").await;
    let before = app.everything(&[]).await;
    let mut conn = sqlx::SqliteConnection::connect(&app.world.url)
        .await
        .expect("the database");
    for sql in [
        "UPDATE audit SET reason = ''",
        "DELETE FROM audit",
        "UPDATE audit SET at = at",
    ] {
        let error = sqlx::query(sql).execute(&mut conn).await.expect_err(sql).to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(app.everything(&[]).await, before);
}

/// Whoever is read learns by whom, by role alone, why, and how often; nobody else does.
#[tokio::test]
async fn s23_a_customer_sees_who_looked_at_their_data_and_why() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let nobody = "Ваши данные пока никто не открывал.";
    assert!(anna.get("/profile").await.body.contains("href=\"/profile/views\""));
    let empty = anna.get("/profile/views").await;
    empty.assert_says(nobody);
    empty.assert_says("Какие данные у нас есть");
    let at = format!("/admin/customers/{}", anna.id().await);
    for _ in 0..3 {
        agent.get(&at).await;
    }
    let reason = [("reason", "Звонила: телефон украден")];
    let ended = agent.send(&at, "customer.end_sessions", &reason).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    app.world.clock.set(start() + Duration::minutes(1));
    let phone = anna.phone.clone();
    anna.prove(&phone).await;
    let page = anna.get("/profile/views").await.text();
    for words in [
        "Завершены все ваши входы в кабинет",
        "Причина: Звонила: телефон украден",
        "Открыта ваша карточка: контакты, покупки, баллы",
        "Причина: вы звонили",
        "Агент поддержки",
        // Each time the page was opened, and once more to end the sessions.
        "4 раза",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("petrov"), "{page}");
    assert!(boris.get("/profile/views").await.text().contains(nobody));
}
