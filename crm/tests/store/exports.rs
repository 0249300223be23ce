//! What customers take home of their data.

use crate::common::people::{self, contact, one, sql, staff};
use crate::common::{BY, customer, days, join, ready, sign_in, slip};
use chrono::TimeDelta;
use crm::contact::Kind;
use crm::db::Db;
use crm::export::data::{Data, LEFT_OUT, SECTIONS};
use crm::export::{self, HOLD, State};
use crm::id::FactorId;
use crm::request::{NewRequest, store as requests};
use crm::testing::{World, start, unpack};
use crm::who::{Reason, Subject};
use crm::{Error, on};
use std::collections::BTreeSet;

fn short(_: &Data) -> String {
    "<p>everything</p>".into()
}

/// Something that does not pack.
fn long(_: &Data) -> String {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(33 + (state >> 24) as u8 % 90)
    };
    (0..1_500_000).map(|_| next()).collect()
}

fn broken(_: &Data) -> String {
    panic!("a page that breaks")
}

/// Asks for an archive, as somebody who has just proved who they are.
async fn ask(db: &Db, who: Subject) -> Result<crm::id::ExportId, Error> {
    let anna = sign_in(db, who).await;
    export::ask(db, &anna.fresh(db).expect("fresh")).await
}

async fn archive(db: &Db, who: Subject, id: crm::id::ExportId) -> Result<Vec<u8>, Error> {
    let anna = sign_in(db, who).await;
    let mut download = export::archive(db, &anna.fresh(db).expect("fresh"), id).await?;
    let mut all = Vec::new();
    while let Some(part) = download.part().await? {
        all.extend(part);
    }
    Ok(all)
}

async fn latest(db: &Db, who: Subject) -> Option<export::Export> {
    let mut conn = db.read().await.expect("a connection");
    export::latest(&mut conn, who).await.expect("read")
}

async fn with_email(world: &World, who: Subject) {
    contact(world, who.id(), Kind::Email, "anna@example.com").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
}

/// The tables that a query reads.
fn tables(sql: &str) -> Vec<&str> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let named = words.windows(2).filter(|pair| ["FROM", "JOIN"].contains(&pair[0]));
    named.map(|pair| pair[1]).collect()
}

crm::both_engines!(
    whatever_leads_to_a_customer_is_taken_home_or_left_out_for_a_reason,
    async |world| {
        const SQLITE: &str = "SELECT m.name, f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f \
                              WHERE m.type = 'table'";
        const POSTGRES: &str =
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'";
        const SQLITE_NAMED: &str = "SELECT m.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c \
                                    WHERE m.type = 'table' AND c.name = 'customer_id'";
        const POSTGRES_NAMED: &str = "SELECT table_name::text FROM information_schema.columns \
                                      WHERE table_schema = 'public' AND column_name = 'customer_id'";
        let mut conn = world.db.read().await.expect("a connection");
        let (references, named) = if conn.is_postgres() {
            (POSTGRES, POSTGRES_NAMED)
        } else {
            (SQLITE, SQLITE_NAMED)
        };
        let references: Vec<(String, String)> =
            on!(conn, |c| sqlx::query_as(references).fetch_all(c).await).expect("references");
        let named: Vec<String> = on!(conn, |c| sqlx::query_scalar(named).fetch_all(c).await).expect("columns");
        // Tables of customers, those that refer to them, those that refer to these, and so on.
        let mut found: BTreeSet<String> = named.into_iter().chain(["customers".to_owned()]).collect();
        loop {
            let more = references
                .iter()
                .filter(|(_, to)| found.contains(to))
                .map(|(from, _)| from.clone());
            let more: BTreeSet<String> = more.filter(|from| !found.contains(from)).collect();
            if more.is_empty() {
                break;
            }
            found.extend(more);
        }
        assert!(found.len() > 30, "{found:?}");
        let told: BTreeSet<&str> = SECTIONS.iter().flat_map(|(_, sql)| tables(sql)).collect();
        let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(table, _)| *table).collect();
        for table in &found {
            let is_told = told.contains(table.as_str());
            assert!(
                is_told != left_out.contains(table.as_str()),
                "{table}: told is {is_told}"
            );
        }
        for table in left_out {
            assert!(found.contains(table), "{table} leads to nobody");
        }
    }
);

crm::both_engines!(everything_of_a_customer_is_in_it_and_nothing_of_others, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, people::row(world, "Борис", "Чужой").await);
    with_email(world, who).await;
    join(db, who, "club", start() - days(2)).await;
    slip("R-1", who, start() - days(1))
        .line("чай", 2, 15_000)
        .book(db)
        .await;
    slip("R-2", BY.subject(other), start() - days(1))
        .line("чужое", 1, 100)
        .book(db)
        .await;
    // What nobody else may read, and what nobody at all.
    sql!(world, "UPDATE customers SET password_hash = 'HASH'");
    sql!(
        world,
        "INSERT INTO factors (id, customer_id, kind, name, data, created_at) VALUES ($1, $2, 'totp', 'Часы', 'SECRET', $3)",
        FactorId::new(),
        who.id(),
        start(),
    );
    sql!(
        world,
        "INSERT INTO outbox (id, channel, address, customer_id, template, language, subject, body, state, created_at, \
         masked_subject, masked_body) VALUES ($1, 'sms', '+79000001234', $2, 'sign_in_code', 'ru', 'Код', 'Код 735264', 'sent', \
         $3, 'Код', 'Код ••••••')",
        crm::id::OutboxId::new(),
        who.id(),
        start(),
    );
    let (anna, agent) = (sign_in(db, who).await, staff(world, "petrov").await);
    let topic = requests::topics(&mut db.read().await.expect("a connection"))
        .await
        .expect("topics")[0]
        .code
        .clone();
    let question = NewRequest {
        topic,
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let photo = crm::request::Upload {
        name: "чек.png".into(),
        bytes: b"\x89PNG\r\n\x1a\n".to_vec(),
    };
    let number = requests::create(db, &anna, &question, &[photo])
        .await
        .expect("a request");
    let of_the_note = crm::request::Upload {
        name: "подозрения.pdf".into(),
        bytes: b"%PDF-1.7".to_vec(),
    };
    requests::note(db, &agent, number, "странный покупатель", &[of_the_note])
        .await
        .expect("noted");
    let in_public = crm::question::NewQuestion {
        topic: question.topic.clone(),
        text: "Есть ли доставка?".into(),
        is_named: true,
        is_harmless: false,
    };
    crm::question::store::ask(db, &anna, &in_public, crm::lang::Lang::Ru)
        .await
        .expect("asked");
    agent.open(db, who.id(), Reason::Card).await.expect("opened");
    let answers = [("income", "from_60")].map(|(question, choice)| (question.to_owned(), choice.to_owned()));
    crm::questionnaire::store::tell(db, &anna, &answers.into())
        .await
        .expect("told");
    sql!(world, "UPDATE customers SET address = 'Тверь' WHERE id = $1", who.id());

    let id = ask(db, who).await.expect("asked");
    assert!(export::run_next(db, &BY, short).await.expect("made"));
    let files = unpack(&archive(db, who, id).await.expect("an archive"));
    let names: Vec<&String> = files.keys().collect();
    assert_eq!(
        (names.len(), names[0].as_str(), names[2].as_str()),
        (3, "data.json", "index.html")
    );
    let packed = format!("\"{}\"", names[1]);
    let photo = String::from_utf8_lossy(b"\x89PNG\r\n\x1a\n").into_owned();
    assert_eq!(files[names[1]], photo, "what she sent is in it, too");
    assert_eq!(files["index.html"], "<p>everything</p>");
    let json = &files["data.json"];
    let data: serde_json::Value = serde_json::from_str(json).expect("JSON");
    for (path, expected) in [
        ("/format", "\"kabinet-export-1\""),
        ("/person/0/name", "\"Анна\""),
        ("/person/0/is_password_set", "true"),
        ("/person/0/home_address", "\"Тверь\""),
        ("/answers/0/question", "\"Доход на человека в месяц\""),
        ("/answers/0/answer", "\"60–100 тысяч ₽\""),
        ("/contacts/0/value", "\"anna@example.com\""),
        ("/contacts/0/is_primary", "true"),
        ("/contacts/0/verified_at", "\"2026-11-21T12:00:00+00:00\""),
        ("/purchases/0/document", "\"R-1\""),
        ("/purchases/0/at", "\"2026-11-20T12:00:00+00:00\""),
        ("/purchases/0/store", "null"),
        ("/purchase_lines/0/article", "\"чай\""),
        ("/purchase_lines/0/paid", "30000"),
        ("/memberships/0/left_at", "null"),
        ("/points/0/document", "\"R-1\""),
        ("/request_messages/0/text", "\"Где баллы?\""),
        ("/request_messages/0/channel", "null"),
        ("/request_files/0/file", "\"чек.png\""),
        ("/request_files/0/bytes", "8"),
        ("/questions/0/asked", "\"Есть ли доставка?\""),
        ("/questions/0/state", "\"new\""),
        ("/request_files/0/packed_as", packed.as_str()),
        ("/second_factors/0/name", "\"Часы\""),
        ("/exports/0/state", "\"running\""),
    ] {
        let found = data.pointer(path).unwrap_or_else(|| panic!("{path} in {json}"));
        assert_eq!(found.to_string(), expected, "{path}");
    }
    let names = |section: &str| data[section].as_array().map_or(0, Vec::len);
    assert_eq!(
        [
            "purchases",
            "purchase_lines",
            "request_messages",
            "points_earned",
            "lots"
        ]
        .map(names),
        [1; 5]
    );
    for (name, _) in SECTIONS {
        assert!(data[name].is_array(), "{name}");
    }
    for words in ["Код ••••••", "customer.read", "request.note"] {
        assert!(json.contains(words), "{words}");
    }
    for words in [
        "Чужой",
        "чужое",
        "R-2",
        "HASH",
        "SECRET",
        "Код 735264",
        "странный покупатель",
        "подозрения",
        "petrov",
    ] {
        assert!(!json.contains(words), "{words}");
    }
});

crm::both_engines!(an_archive_is_made_once_a_day_and_kept_for_a_week, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, people::row(world, "Борис", "Чужой").await);
    let other = BY.subject(other);
    with_email(world, who).await;
    let anna = sign_in(db, who).await;
    world.clock.set(start() + TimeDelta::minutes(16));
    assert!(matches!(anna.fresh(db), Err(Error::NotFresh)));
    assert_eq!(latest(db, who).await, None);
    let id = ask(db, who).await.expect("asked");
    let early = ask(db, who).await;
    assert!(
        matches!(early, Err(Error::TooMany { retry_after: 86_401 })),
        "{early:?}"
    );
    assert_eq!(
        latest(db, who).await.map(|e| (e.id, e.state)),
        Some((id, State::Waiting))
    );
    let none = archive(db, who, id).await;
    assert!(matches!(none, Err(Error::NotFound)), "not made yet: {none:?}");

    // Two nodes at once make it once.
    let (one, two) = tokio::join!(export::run_next(db, &BY, long), export::run_next(db, &BY, long));
    assert_eq!(u8::from(one.expect("no error")) + u8::from(two.expect("no error")), 1);
    assert!(!export::run_next(db, &BY, long).await.expect("no error"));
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'export_ready' AND address = 'anna@example.com'";
    assert_eq!(one!(world, i64, told), 1);
    let made = latest(db, who).await.expect("an export");
    assert_eq!(made.state, State::Done);
    assert!(one!(world, i64, "SELECT COUNT(*) FROM export_parts") > 1, "in pieces");
    let bytes = archive(db, who, id).await.expect("an archive");
    assert_eq!(i64::try_from(bytes.len()).ok(), Some(made.size));
    assert_eq!(unpack(&bytes)["index.html"].len(), 1_500_000);
    let foreign = archive(db, other, id).await;
    assert!(matches!(foreign, Err(Error::NotFound)), "{foreign:?}");

    // The next day there may be another one; the first stays for a week.
    world.clock.set(start() + days(1) + TimeDelta::minutes(16));
    ask(db, who).await.expect("asked again");
    world.clock.set(start() + days(7) + TimeDelta::minutes(15));
    export::sweep(db, &BY).await.expect("swept");
    archive(db, who, id).await.expect("still there");
    world.clock.set(start() + days(7) + TimeDelta::minutes(16));
    let gone = archive(db, who, id).await;
    assert!(
        matches!(gone, Err(Error::NotFound)),
        "gone before it is swept: {gone:?}"
    );
    export::sweep(db, &BY).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM export_parts"), 0);
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM exports"),
        1,
        "the one that still waits"
    );
});

crm::both_engines!(
    what_no_node_can_make_is_given_up_and_may_be_asked_for_again,
    async |world| {
        let db = ready(world).await;
        let who = customer(db).await;
        ask(db, who).await.expect("asked");
        for turn in 0..3 {
            world.clock.set(start() + HOLD * turn);
            export::run_next(db, &BY, broken).await.expect_err("it breaks");
            let held = export::run_next(db, &BY, short).await.expect("no error");
            assert!(!held, "nobody takes it while it is held");
        }
        world.clock.set(start() + HOLD * 3);
        assert!(!export::run_next(db, &BY, short).await.expect("no error"));
        assert_eq!(latest(db, who).await.map(|e| e.state), Some(State::Failed));
        let id = ask(db, who).await.expect("asked again at once");
        assert!(export::run_next(db, &BY, short).await.expect("made"));
        archive(db, who, id).await.expect("an archive");
    }
);
