//! Erasing who a customer was.

use crate::common::people::{administrator, again, contact, lead, one, sql, staff};
use crate::common::{BY, assert_books_agree, customer, days, join, program, ready, sign_in, slip};
use chrono::TimeDelta;
use crm::contact::Kind;
use crm::customer::Wishes;
use crm::customer::store::{self as customers, ChildForm, Preferences};
use crm::db::Db;
use crm::extract::{self, Format, Wish};
use crm::flaw::Flaw;
use crm::id::{
    AdjustmentId, AttemptId, CodeId, ContactId, CustomerId, FactorId, FraudAlertId, IdentityId, OutboxId,
    SpendingStopId,
};
use crm::lang::Lang;
use crm::points::NewAdjustment;
use crm::points::store::adjustments;
use crm::request::{NewRequest, Upload, store as requests};
use crm::testing::{World, start};
use crm::who::{Reason, Staff, Subject};
use crm::{Error, erasure, export, import, on, outbox};
use std::collections::BTreeMap;

const PHONE: &str = "+79005557788";
const EMAIL: &str = "avrora@example.com";
/// What tells who it is.
const IDENTITY: [&str; 10] = [
    "Аврора",
    "Незабудкина",
    "незабудкина",
    "nezabudkin",
    PHONE,
    EMAIL,
    "1990-05-03",
    "2020-06-05",
    "EXT-777",
    "HASH",
];

/// Every text that the database holds.
async fn every_text(world: &World) -> Vec<String> {
    const SQLITE: &str = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
                          WHERE m.type = 'table' AND c.type = 'TEXT'";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                            WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb', 'date')";
    let mut conn = world.db.read().await.expect("a connection");
    let sql = if conn.is_postgres() { POSTGRES } else { SQLITE };
    let columns: Vec<(String, String)> = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await).expect("columns");
    assert!(columns.len() > 100, "{}", columns.len());
    let mut all = Vec::new();
    for (table, column) in columns {
        let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
        let sql = sqlx::AssertSqlSafe(sql);
        let texts: Vec<String> = on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await).expect("texts");
        all.extend(texts.into_iter().map(|text| format!("{table}.{column}: {text}")));
    }
    all
}

/// Asks for it, as somebody who has just proved who they are.
async fn ask(db: &Db, who: Subject) -> Result<(), Error> {
    let anna = sign_in(db, who).await;
    erasure::ask(db, &anna.fresh(db).expect("fresh"), true).await
}

async fn with_contacts(world: &World, who: Subject) {
    contact(world, who.id(), Kind::Phone, PHONE).await;
    contact(world, who.id(), Kind::Email, EMAIL).await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
}

crm::both_engines!(nothing_is_left_that_says_who_it_was, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    with_contacts(world, who).await;
    let birthday = chrono::NaiveDate::from_ymd_opt(1990, 5, 3);
    sql!(
        world,
        "UPDATE customers SET name = 'Аврора', surname = 'Незабудкина', search = 'незабудкина аврора', external_id = 'EXT-777', \
         password_hash = 'HASH', birthday = $2, address = 'Тверь, где живёт Незабудкина' WHERE id = $1",
        who.id(),
        birthday,
    );
    crm::find::store::fill(db, &BY, || true)
        .await
        .expect("by these words she is found");
    let (anna, agent) = (sign_in(db, who).await, staff(world, "petrov").await);
    let child = ChildForm {
        day: "5".into(),
        month: "6".into(),
        year: "2020".into(),
        agreed: true,
    };
    customers::add_child(db, &anna, &child, Lang::Ru)
        .await
        .expect("a child");
    let likes = Preferences {
        wishes: Wishes {
            wishes: "Незабудкина хочет чая".into(),
            ..Wishes::default()
        },
        ..Preferences::default()
    };
    customers::change_preferences(db, &anna, &likes).await.expect("kept");
    let income = BTreeMap::from([("income".to_owned(), "from_60".to_owned())]);
    crm::questionnaire::store::tell(db, &anna, &income).await.expect("told");
    join(db, who, "club", start() - days(2)).await;
    slip("R-1", who, start() - days(1))
        .line("чай", 2, 15_000)
        .book(db)
        .await;
    let topics = requests::topics(&mut db.read().await.expect("a connection")).await;
    let question = NewRequest {
        topic: topics.expect("topics")[0].code.clone(),
        text: "Пишет Аврора Незабудкина".into(),
        purchase: String::new(),
    };
    let photo = crm::request::Upload {
        name: "Незабудкина.png".into(),
        bytes: b"\x89PNG\r\n\x1a\n".to_vec(),
    };
    let number = requests::create(db, &anna, &question, &[photo])
        .await
        .expect("a request");
    crate::dialogue::say(world, &anna, "Это Аврора Незабудкина").await;
    let in_public = crm::question::NewQuestion {
        topic: question.topic.clone(),
        text: "Спрашивает Аврора Незабудкина".into(),
        is_named: true,
        is_harmless: false,
    };
    crm::question::store::ask(db, &anna, &in_public, Lang::Ru)
        .await
        .expect("asked");
    let of_the_note = crm::request::Upload {
        name: "Незабудкина.pdf".into(),
        bytes: b"%PDF-1.7".to_vec(),
    };
    requests::note(db, &agent, number, "звонила Незабудкина", &[of_the_note])
        .await
        .expect("noted");
    crm::note::store::add(db, &agent, who.id(), "Незабудкина любит чай", true)
        .await
        .expect("noted");
    let task = crm::task::NewTask {
        title: "Перезвонить: Незабудкина".into(),
        due: "2026-11-25".into(),
        owner: agent.id().to_string(),
        ..crm::task::NewTask::default()
    };
    crm::task::store::add(db, &agent, who.id(), &task).await.expect("added");
    let talk = crm::interaction::Entry {
        channel: "visit".into(),
        script: "free".into(),
        outcome: "told".into(),
        note: "Приходила Незабудкина".into(),
        minutes: String::new(),
    };
    crm::interaction::store::add(db, &agent, who.id(), &talk, None)
        .await
        .expect("written down");
    requests::close(db, &anna, number).await.expect("closed");
    let rating = crm::request::NewRating {
        score: "5".into(),
        comment: "Незабудкина довольна".into(),
    };
    requests::rate(db, &anna, number, &rating).await.expect("rated");
    requests::reopen(db, &anna, number).await.expect("open again");
    agent.open(db, who.id(), Reason::Card).await.expect("opened");
    crm::staff::store::end_customer_sessions(db, &agent, who.id(), "просила Незабудкина")
        .await
        .expect("ended");
    // What is on the way, and what other pages write.
    let (club, by, at) = (program(db, "club").await, agent.id(), start());
    let (attempt, token) = (AttemptId::new(), &vec![7_u8; 32]);
    sql!(
        world,
        "INSERT INTO attempts (id, token_hash, purpose, kind, address, way, network, language, created_at, expires_at) \
         VALUES ($1, $2, 'sign_in', 'phone', $3, 'code', '', 'ru', $4, $4)",
        attempt,
        token,
        PHONE,
        at,
    );
    sql!(
        world,
        "INSERT INTO codes (id, attempt_id, address, network, code_hash, tries, created_at, expires_at) \
         VALUES ($1, $2, $3, '', $4, 0, $5, $5)",
        CodeId::new(),
        attempt,
        PHONE,
        token,
        at,
    );
    sql!(
        world,
        "INSERT INTO outbox (id, channel, address, template, language, subject, body, state, created_at) \
         VALUES ($1, 'sms', $2, 'sign_in_code', 'ru', 'Код', 'Код', 'sent', $3)",
        OutboxId::new(),
        PHONE,
        at,
    );
    sql!(
        world,
        "INSERT INTO factors (id, customer_id, kind, name, data, created_at) VALUES ($1, $2, 'passkey', 'Аврора', '', $3)",
        FactorId::new(),
        who.id(),
        at,
    );
    sql!(
        world,
        "INSERT INTO identities (id, customer_id, provider, issuer, subject, shown, linked_at) \
         VALUES ($1, $2, 'test', 'https://id.example.com', 'a', $3, $4)",
        IdentityId::new(),
        who.id(),
        EMAIL,
        at,
    );
    sql!(
        world,
        "INSERT INTO adjustments (id, program_id, customer_id, points, reason, state, asked_by, created_at) \
         VALUES ($1, $2, $3, 100, 'Незабудкина просит', 'refused', $4, $5)",
        AdjustmentId::new(),
        club,
        who.id(),
        by,
        at,
    );
    sql!(
        world,
        "INSERT INTO fraud_alerts (id, rule, mark, customer_id, state, measure, limits, found_at, changed_at, reason) \
         VALUES ($1, 'ring', 'a', $2, 'confirmed', 3, '{}', $3, $3, 'Незабудкина и сёстры')",
        FraudAlertId::new(),
        who.id(),
        at,
    );
    sql!(
        world,
        "INSERT INTO spending_stops (id, customer_id, alert_id, staff_id, reason, created_at, ends_at, lifted_at, lift_reason) \
         SELECT $1, $2, a.id, $3, 'Незабудкина', $4, $4, $4, 'Незабудкина права' FROM fraud_alerts a",
        SpendingStopId::new(),
        who.id(),
        by,
        at,
    );
    let fresh = sign_in(db, who).await;
    export::ask(db, &fresh.fresh(db).expect("fresh")).await.expect("asked");
    assert!(export::run_next(db, &BY, |_| String::new()).await.expect("made"));
    ask(db, who).await.expect("asked");
    let asked = "SELECT COUNT(*) FROM outbox WHERE template = 'erasure_asked'";
    assert_eq!(one!(world, i64, asked), 2, "every contact is told");
    let all = every_text(world).await;
    for words in IDENTITY {
        assert!(
            all.iter().any(|text| text.contains(words)),
            "{words} is looked for in vain"
        );
    }

    world.clock.set(start() + days(14) - TimeDelta::seconds(1));
    assert_eq!(erasure::run_due(db, &BY).await.expect("nothing to do"), 0);
    world.clock.set(start() + days(14));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased already"), 0);
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'erasure_done' AND state = 'queued'";
    assert_eq!(one!(world, i64, told), 2, "the last word is still on its way");
    outbox::deliver_to_inbox(db, &BY).await.expect("carried");
    erasure::run_due(db, &BY).await.expect("the last word goes too");
    let left: Vec<String> = every_text(world).await;
    let left: Vec<&String> = left
        .iter()
        .filter(|text| IDENTITY.iter().any(|words| text.contains(words)))
        .collect();
    assert!(left.is_empty(), "{left:#?}");

    // The books are as they were.
    assert_books_agree(db).await;
    for sql in [
        "SELECT COUNT(*) FROM purchases p JOIN customers c ON c.id = p.customer_id WHERE c.erased_at IS NOT NULL",
        "SELECT COUNT(*) FROM lots",
        "SELECT COUNT(*) FROM consents",
        "SELECT COUNT(*) FROM requests WHERE status = 'closed'",
        "SELECT COUNT(*) FROM memberships WHERE left_at IS NOT NULL",
        "SELECT COUNT(*) FROM erasures WHERE done_at IS NOT NULL",
    ] {
        assert_eq!(one!(world, i64, sql), 1, "{sql}");
    }
    for table in [
        "SELECT COUNT(*) FROM sessions WHERE customer_id IS NOT NULL",
        "SELECT COUNT(*) FROM export_parts",
        "SELECT COUNT(*) FROM attachments",
        "SELECT COUNT(*) FROM attachment_parts",
        "SELECT COUNT(*) FROM answers",
        "SELECT COUNT(*) FROM wishes",
        "SELECT COUNT(*) FROM customers WHERE address IS NOT NULL",
    ] {
        assert_eq!(one!(world, i64, table), 0, "{table}");
    }
    assert!(one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'customer.read'") > 0);
    // Somebody may come with the same phone, as somebody else.
    let other = customer(db).await;
    sql!(
        world,
        "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
         VALUES ($1, $2, 'phone', $3, $4, $5, $5)",
        ContactId::new(),
        other.id(),
        PHONE,
        true,
        at,
    );
});

crm::both_engines!(what_waits_for_consent_waits_no_more_for_who_is_erased, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, customer(db).await);
    let asker = lead(world).await;
    let correction = NewAdjustment {
        program: program(db, "club").await,
        points: 600_00,
        reason: "Незабудкина просит".into(),
        note: "Извините".into(),
        request: None,
    };
    for of in [who, other] {
        adjustments::adjust(db, &asker.fresh(db).expect("fresh"), of, &correction)
            .await
            .expect("asked");
    }
    let decider = lead(world).await;
    assert_eq!(waiting(db, &decider).await, [who.id(), other.id()]);
    ask(db, who).await.expect("asked");
    world.clock.set(start() + days(14));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    assert_eq!(
        waiting(db, &decider).await,
        [other.id()],
        "only what there is somebody for"
    );
    let decider = again(world, decider.id()).await;
    assert_eq!(decider.corrections_waiting(), 1, "and so says the bar");
    let refused = "SELECT COUNT(*) FROM adjustments WHERE customer_id = $1 AND state = 'refused' AND decided_at IS NOT NULL \
                   AND decided_by IS NULL AND transaction_id IS NULL AND reason = ''";
    assert_eq!(one!(world, i64, refused, who.id()), 1);
    assert_books_agree(db).await;
});

/// Whose corrections wait for consent, the longest first.
async fn waiting(db: &Db, by: &Staff) -> Vec<CustomerId> {
    let (all, _) = adjustments::awaiting(db, by, None, 10).await.expect("a list");
    all.iter().map(|one| one.adjustment.customer_id).collect()
}

crm::both_engines!(who_cannot_be_erased_keeps_nobody_waiting, async |world| {
    let db = ready(world).await;
    let (stuck, next) = (customer(db).await, customer(db).await);
    ask(db, stuck).await.expect("asked");
    world.clock.set(start() + TimeDelta::seconds(1));
    ask(db, next).await.expect("asked");
    // The database refuses what becomes of the first one.
    sql!(world, "UPDATE customers SET language = 'en' WHERE id = $1", stuck.id());
    let other = customer(db).await;
    sql!(
        world,
        "UPDATE customers SET language = 'en', name = '—' WHERE id = $1",
        other.id()
    );
    sql!(
        world,
        "CREATE UNIQUE INDEX only_one ON customers (language) WHERE name = '—' AND language = 'en'"
    );
    world.clock.set(start() + days(15));
    assert!(matches!(erasure::run_due(db, &BY).await, Err(Error::Database(_))));
    let done = "SELECT COUNT(*) FROM erasures WHERE customer_id = $1 AND done_at IS NOT NULL";
    assert_eq!(one!(world, i64, done, stuck.id()), 0);
    assert_eq!(one!(world, i64, done, next.id()), 1);
    sql!(world, "DROP INDEX only_one");
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1, "it came again");
});

crm::both_engines!(files_forget_whoever_is_erased, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    with_contacts(world, who).await;
    ask(db, who).await.expect("asked");
    world.clock.set(start() + days(14) - TimeDelta::hours(1));
    let ada = administrator(world).await;
    let fresh = ada.fresh(db).expect("moments ago");
    let file = Upload {
        name: "people.csv".into(),
        bytes: "Телефон;Почта\n8 (900) 555-77-88;\n;Avrora@example.com\n+79005550000;other@example.com\n".into(),
    };
    import::upload(db, &fresh, import::Kind::Customers, Some(&file))
        .await
        .expect("a table");
    let take = async |columns: &[&str]| {
        let wish = Wish {
            kind: extract::Kind::Customers,
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            format: Format::Csv,
            from: None,
            to: None,
            store: None,
        };
        extract::ask(db, &fresh, &wish).await.expect("asked")
    };
    let (named, figures) = (take(&["name"]).await, take(&["receipts"]).await);
    while extract::run_next(db, &BY, || true).await.expect("it runs") {}
    let under_way = take(&["phone"]).await;
    sql!(
        world,
        "UPDATE extracts SET state = 'running', claimed_by = 'another node' WHERE id = $1",
        under_way
    );
    world.clock.set(start() + days(14));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    let cells = one!(world, String, "SELECT cells FROM import_rows");
    assert!(cells.contains("other@example.com"), "what is another's stays: {cells}");
    let gone = extract::download(db, &fresh, named).await.map(drop);
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    extract::download(db, &fresh, figures).await.expect("nobody is in it");
    let state = one!(world, String, "SELECT state FROM extracts WHERE id = $1", under_way);
    assert_eq!(state, "waiting", "it begins anew");
    extract::sweep(db, &BY).await.expect("swept");
    let left = one!(world, i64, "SELECT COUNT(DISTINCT extract_id) FROM extract_parts");
    assert_eq!(left, 1);
});

crm::both_engines!(whom_points_came_from_is_named_to_nobody_any_more, async |world| {
    let pair = crate::transfers::pair(world).await;
    let db = &world.db;
    with_contacts(world, pair.boris).await;
    contact(world, pair.anna.id(), Kind::Email, "anna@example.com").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    sql!(
        world,
        "UPDATE customers SET name = 'Аврора' WHERE id = $1",
        pair.anna.id()
    );
    for _ in 0..2 {
        crate::transfers::give(db, pair.anna, &pair.card, pair.family, 1_00)
            .await
            .expect("sent");
    }
    world.clock.set(start() + days(12));
    crm::points::store::run_due(db, &BY).await.expect("they arrive");
    outbox::deliver_to_inbox(db, &BY).await.expect("carried");
    // She is called otherwise by now, and was named before.
    sql!(
        world,
        "UPDATE customers SET name = 'Ирида' WHERE id = $1",
        pair.anna.id()
    );
    assert!(every_text(world).await.iter().any(|text| text.contains("Аврора")));
    ask(db, pair.anna).await.expect("asked");
    world.clock.set(start() + days(27));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    outbox::deliver_to_inbox(db, &BY).await.expect("carried");
    erasure::run_due(db, &BY).await.expect("the last word goes too");
    let left = every_text(world).await;
    let names = |text: &&String| text.contains("Аврора") || text.contains("Ирида");
    let left: Vec<&String> = left.iter().filter(names).collect();
    assert!(left.is_empty(), "{left:#?}");
    let mut conn = db.read().await.expect("a connection");
    let told = crm::notification::list(&mut conn, pair.boris, None, 10).await;
    let told = told.expect("read");
    let received = told.iter().filter(|one| one.kind == crm::notification::Kind::Received);
    let received: Vec<_> = received.map(|one| one.about.as_str()).collect();
    assert_eq!(received, ["—", "—"], "that they came stays");
});

crm::both_engines!(what_arrives_after_an_erasure_is_told_to_nobody, async |world| {
    let pair = crate::transfers::pair(world).await;
    let policy = crm::points::Policy {
        transfer_wait_minutes: 30 * 24 * 60,
        ..crm::points::Policy::default()
    };
    let db = &crate::common::with_policy(world, policy).await;
    crate::transfers::give(db, pair.anna, &pair.card, pair.family, 1_00)
        .await
        .expect("sent");
    ask(db, pair.boris).await.expect("asked");
    world.clock.set(start() + days(26));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    world.clock.set(start() + days(42));
    let report = crm::points::store::run_due(db, &BY).await.expect("done");
    assert_eq!(report.transferred, 1);
    const TOLD: &str = "SELECT COUNT(*) FROM notifications WHERE customer_id = $1";
    assert_eq!(one!(world, i64, TOLD, pair.boris.id()), 0);
});

crm::both_engines!(who_thinks_better_of_it_stays, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    with_contacts(world, who).await;
    let anna = sign_in(db, who).await;
    assert_eq!(anna.erased_on(), None);
    let unsure = erasure::ask(db, &anna.fresh(db).expect("fresh"), false).await;
    assert!(
        matches!(&unsure, Err(Error::Invalid(flaws)) if *flaws == [("agreed".to_owned(), Flaw::MustAgree)]),
        "{unsure:?}"
    );
    assert!(matches!(erasure::cancel(db, &anna).await, Err(Error::NotFound)));
    ask(db, who).await.expect("asked");
    assert!(matches!(ask(db, who).await, Err(Error::Stale)));
    world.clock.set(start() + days(13));
    let anna = sign_in(db, who).await;
    assert_eq!(anna.erased_on(), Some(start() + days(14)));
    erasure::cancel(db, &anna).await.expect("called off");
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'erasure_cancelled'";
    assert_eq!(one!(world, i64, told), 2);
    assert_eq!(sign_in(db, who).await.erased_on(), None);
    world.clock.set(start() + days(15));
    assert_eq!(erasure::run_due(db, &BY).await.expect("nothing to do"), 0);
    assert_eq!(one!(world, String, "SELECT name FROM customers"), "Анна");
    ask(db, who).await.expect("asked once more");
});

crm::both_engines!(the_log_forgets_of_who_is_erased_and_of_nobody_else, async |world| {
    let db = ready(world).await;
    let (who, agent) = (customer(db).await, staff(world, "petrov").await);
    agent.open(db, who.id(), Reason::Card).await.expect("opened");
    let change = async |sql: &'static str| -> Result<(), Error> {
        db.write(|tx| {
            crm::db::scoped(async move {
                on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
                Ok(())
            })
        })
        .await
    };
    const FORGET: &str = "UPDATE audit SET reason = '', network = '' WHERE action = 'customer.read'";
    let refused = change(FORGET).await.expect_err("they are not erased");
    assert!(refused.to_string().contains("append-only"), "{refused}");
    change("UPDATE customers SET erased_at = registered_at")
        .await
        .expect("erased");
    for sql in [
        "UPDATE audit SET reason = 'x', network = '' WHERE action = 'customer.read'",
        "UPDATE audit SET reason = '', network = '', action = 'x' WHERE action = 'customer.read'",
        "UPDATE audit SET reason = '', network = '', customer_id = NULL WHERE action = 'customer.read'",
        "DELETE FROM audit",
    ] {
        let refused = change(sql).await.expect_err(sql);
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    change(FORGET).await.expect("forgotten");
});
