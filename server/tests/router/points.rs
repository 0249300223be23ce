//! What a customer reads of their points: each movement in full.

use crate::common::html::{tags, text};
use crate::common::{BY, Customer, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::id::ProgramId;
use crm::points::store::{self as points, spending, transfers};
use crm::points::{NewTransfer, Receiver, Wish};
use crm::purchase::void::void;

/// A shop where two people have something of everything that can happen to points. All of it is of one program.
struct Ledger {
    app: TestApp,
    anna: Customer,
    boris: Customer,
}

impl Ledger {
    async fn new() -> Self {
        let app = TestApp::build(false, |config| config.points.transfer_after_days = 0).await;
        let (anna, boris) = (app.customer("Анна").await, app.customer("Борис").await);
        let program = club(&anna).await;
        // Members from the first moment on, who buy on the day after.
        pass(&app, Duration::days(2)).await;
        let anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
        pass(&app, Duration::days(14)).await;
        let mut admin = app.staff("admin").await;
        let id = program.to_string();
        let fields = [
            ("program", id.as_str()),
            ("direction", "give"),
            ("points", "100"),
            ("reason", "Касса не зачла чек"),
            ("note", "За ошибку кассы"),
        ];
        let at = format!("/admin/customers/{}", anna.id().await);
        let given = admin.send(&at, "points.adjust", &fields).await;
        given.assert_leads_to(&format!("{at}?done=adjusted"));
        let anna = anna.with_purchase("B-1", "Чашка", 50_00).await;
        pay(&anna, program, 20_00, "B-1").await;
        give(&anna, &boris, program, 5_00).await;
        pass(&app, Duration::hours(2)).await;
        let anna = anna.with_return("B-2", "Чашка", 50_00).await;
        let anna = anna.with_return("A-2", "Чайник", 1_000_00).await;
        let anna = anna.with_purchase("C-1", "Ложка", 100_00).await;
        void(&app.world.db, &BY, "till", "C-1").await.expect("voided");
        Self { app, anna, boris }
    }
}

/// Time goes by, and the daily work is done.
async fn pass(app: &TestApp, time: Duration) {
    app.world.clock.set(app.world.db.now() + time);
    points::run_due(&app.world.db, &BY).await.expect("done");
}

/// The program that everybody is in.
async fn club(who: &Customer) -> ProgramId {
    let me = who.proof().await.me();
    let mut conn = who.app.world.db.read().await.expect("a connection");
    let programs = crm::program::store::list(&mut conn, me).await;
    programs.expect("programs").remove(0).id
}

/// Pays a part of a receipt with points.
async fn pay(who: &Customer, program: ProgramId, points: i64, document: &str) {
    let (db, me) = (&who.app.world.db, who.proof().await.me());
    let wish = Wish {
        source: "till".into(),
        key: document.into(),
        program,
        points,
    };
    let held = spending::reserve(db, &BY, me, &wish).await.expect("reserved");
    let filter = crm::purchase::Filter {
        text: Some(document.into()),
        ..crm::purchase::Filter::default()
    };
    let mut conn = db.read().await.expect("a connection");
    let page = crm::purchase::store::list(&mut conn, me, &filter, None, 1).await;
    drop(conn);
    let receipt = page.expect("receipts").months[0].1[0].id;
    spending::capture(db, &BY, me, held.id, points, Some(receipt))
        .await
        .expect("captured");
}

/// Gives points, and lets them arrive.
async fn give(from: &Customer, to: &Customer, program: ProgramId, points: i64) {
    let db = &from.app.world.db;
    let mut conn = db.read().await.expect("a connection");
    let cards = crm::card::store::of(&mut conn, to.proof().await.me()).await;
    drop(conn);
    let new = NewTransfer {
        to: Receiver::Card(cards.expect("cards")[0].number.clone()),
        program,
        points,
    };
    // Just came in, as far as the books know.
    from.app
        .run("UPDATE sessions SET authenticated_at = $1", &db.now().to_rfc3339())
        .await;
    let by = from.proof().await;
    transfers::transfer(db, &by.fresh(db).expect("fresh"), &new)
        .await
        .expect("sent");
    pass(&from.app, Duration::hours(1)).await;
}

/// The movements on a page, each with everything that it opens to.
fn entries(page: &Reply) -> Vec<String> {
    let one = |rest: &str| {
        let end = rest.rfind("</details>").expect("it ends");
        text(&format!("<details>{}", &rest[..end]))
    };
    page.body.split("<details class=\"entry\">").skip(1).map(one).collect()
}

/// The movement that begins with these words.
fn entry<'a>(entries: &'a [String], title: &str) -> &'a str {
    let found = entries.iter().find(|entry| entry.trim_start().starts_with(title));
    found.unwrap_or_else(|| panic!("no {title} among {entries:#?}"))
}

/// What a movement changed, and the balance after it, in hundredths: both stand in its line before it is opened.
fn line(entry: &str) -> (i64, i64) {
    let number = |text: &str| {
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '+');
        let plain: String = plain
            .map(|c| match c {
                '−' => '-',
                ',' => '.',
                other => other,
            })
            .collect();
        let points: f64 = plain.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        (points * 100.0).round() as i64
    };
    let (before, after) = entry.split_once("остаток ").expect("a balance");
    let changed = before.rfind(['+', '−']).expect("a number with its sign");
    let is_of_number = |c: char| c.is_ascii_digit() || c.is_whitespace() || matches!(c, ',' | '−');
    let end = after.find(|c: char| !is_of_number(c)).unwrap_or(after.len());
    (number(&before[changed..]), number(&after[..end]))
}

fn assert_tells(entry: &str, words: &[&str]) {
    for words in words {
        assert!(entry.contains(words), "no {words} in {entry}");
    }
}

#[tokio::test]
async fn each_movement_opens_to_its_full_explanation() {
    let Ledger {
        app,
        mut anna,
        mut boris,
    } = Ledger::new().await;
    let page = anna.get("/points").await;
    let all = entries(&page);
    let earned = all.iter().rev().map(String::as_str);
    let earned: Vec<_> = earned.filter(|entry| entry.contains("Начислены за покупку")).collect();
    assert_tells(
        earned[0],
        &["По строкам чека", "Чайник", "3 %, условия версии 1", "Сгорят"],
    );
    assert_tells(entry(&all, "Стали доступны"), &["сгорят", "Чайник", "№ A-1"]);
    assert_tells(entry(&all, "Исправление"), &["+100", "Можно тратить с", "Сгорят"]);
    let which = "Какие это были баллы";
    assert_tells(
        entry(&all, "Оплата баллами"),
        &[which, "Чек № A-1", "за Чашка", "сгорели бы", "№ B-1"],
    );
    assert_tells(
        entry(&all, "Подарены"),
        &["Кому", "Борис", which, "Чек № A-1", "сгорели бы"],
    );
    assert_tells(
        entry(&all, "Вернулись с возвратом"),
        &[
            "Какие баллы вернулись",
            "Чек № A-1",
            "за Чашка",
            "теперь сгорят",
            "№ B-2",
        ],
    );
    // What had been given away is taken from other points.
    let taken = all
        .iter()
        .find(|entry| entry.starts_with("Сняты за возврат") && entry.contains("№ A-2"));
    assert_tells(
        taken.expect("the return of the kettle"),
        &[which, "Чек № A-1", "за Чайник", "Исправление"],
    );
    assert_tells(entry(&all, "Чек отменён"), &[which, "за Ложка", "№ C-1"]);
    assert!(
        !all.iter().any(|entry| entry.contains("ничего не записано")),
        "{all:#?}"
    );

    // The balance runs along: from line to line it changes by what the line says, or not at all by points that still wait.
    let lines: Vec<(i64, i64)> = all.iter().map(|entry| line(entry)).collect();
    let moved: Vec<(i64, i64)> = lines.windows(2).map(|two| (two[0].0, two[0].1 - two[1].1)).collect();
    for (changed, moved) in &moved {
        assert!(*moved == 0 || moved == changed, "{moved} after {changed}: {all:#?}");
    }
    assert!(moved.iter().filter(|(_, moved)| *moved != 0).count() >= 5, "{lines:?}");

    // Of a gift its receiver learns who sent it and until when it lasts.
    let page = boris.get("/points").await;
    let his = entries(&page);
    assert_tells(entry(&his, "Получены"), &["От кого", "Анна", "5 баллов, сгорят"]);
    assert!(!page.body.contains("A-1") && !page.body.contains("Чайник"), "{his:#?}");

    // A year later the rest has expired.
    pass(&app, Duration::days(400)).await;
    let phone = anna.phone.clone();
    assert_eq!(anna.prove(&phone).await.location(), "/");
    let all = entries(&anna.get("/points").await);
    assert_tells(entry(&all, "Сгорели"), &[which, "Исправление", "сгорели"]);
}

#[tokio::test]
async fn filters_are_part_of_the_address_and_go_on_with_it() {
    let Ledger { mut anna, .. } = Ledger::new().await;
    let all = entries(&anna.get("/points").await);
    for (kind, titles) in [
        ("earned", &["Начислены за покупку", "Стали доступны"][..]),
        ("spent", &["Оплата баллами"]),
        (
            "other",
            &[
                "Чек отменён",
                "Сняты за возврат",
                "Вернулись с возвратом",
                "Подарены",
                "Исправление",
            ],
        ),
    ] {
        let page = anna.get(&format!("/points?kind={kind}")).await;
        let expected = all
            .iter()
            .filter(|entry| titles.iter().any(|title| entry.starts_with(title)));
        // With the balance that the statement in full tells.
        assert_eq!(entries(&page), expected.cloned().collect::<Vec<_>>(), "{kind}");
        assert!(
            page.body.contains(&format!("<option value=\"{kind}\" selected")),
            "{kind} stays chosen"
        );
        assert!(
            !page.text().contains("Всего"),
            "{kind}: not what there was at the end of the day"
        );
        page.assert_says("В файле будут все движения этих дней");
    }
    // The day of the first purchase, and the one before it.
    let bought = anna.get("/points?from=2026-11-22&to=2026-11-22").await;
    let found = entries(&bought);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_tells(&found[0], &["Начислены за покупку", "Чайник"]);
    assert!(
        !bought.text().contains("В файле будут все движения"),
        "a period narrows the file as well"
    );
    for nothing in [
        "from=2026-11-21&to=2026-11-21",
        "kind=expired",
        "kind=spent&to=2026-11-30",
    ] {
        let page = anna.get(&format!("/points?{nothing}")).await;
        let told = page.text();
        assert!(
            told.contains("По этим условиям движений баллов нет"),
            "{nothing}: {told}"
        );
        assert!(
            page.body.contains("href=\"/points\" class=\"btn\">Показать всё"),
            "{nothing}"
        );
    }
    for (wrong, words) in [
        ("from=x", "Такой даты нет"),
        ("from=2026-12-02&to=2026-12-01", "Конец раньше начала"),
    ] {
        let page = anna.get(&format!("/points?{wrong}")).await;
        assert!(page.text().contains(words), "{wrong}: {}", page.text());
    }
}

#[tokio::test]
async fn the_next_page_goes_on_where_this_one_ended_under_the_same_filters() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    pass(&app, Duration::days(2)).await;
    for n in 0..35 {
        anna = anna.with_purchase(&format!("A-{n}"), "Чай", 100_00).await;
    }
    let first = anna.get("/points?kind=earned&from=2026-11-01").await;
    let next = tags(&first.body)
        .into_iter()
        .find(|tag| tag.get("rel") == Some("next"))
        .and_then(|tag| tag.get("href").map(str::to_owned))
        .expect("there is more");
    assert!(
        next.contains("kind=earned") && next.contains("from=2026-11-01"),
        "{next}"
    );
    let second = anna.get(&next).await;
    let documents = |page: &Reply| {
        let all = entries(page);
        let one = |entry: &String| {
            entry
                .split("№ ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .map(str::to_owned)
        };
        all.iter().filter_map(one).collect::<Vec<_>>()
    };
    let mut seen = [documents(&first), documents(&second)].concat();
    assert_eq!((seen.len(), documents(&second).len()), (35, 5));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 35, "each once");
    assert!(
        second.body.contains("href=\"/points?from=2026-11-01&amp;kind=earned\""),
        "the way back keeps them too"
    );
}

#[tokio::test]
async fn the_calendar_tells_what_expires_on_which_day_and_where_it_is_from() {
    let Ledger {
        app,
        mut anna,
        mut boris,
    } = Ledger::new().await;
    // What had waited goes with the return; what Boris was given lasts as long as it did for Anna.
    let page = anna.get("/points/expiry").await;
    assert_tells(&page.text(), &["Сгорят", "Декабрь 2027: 95 баллов", "7 декабря 2027"]);
    assert_eq!(
        page.text().matches("95 баллов").count(),
        1,
        "said once: {}",
        page.text()
    );
    let all = entries(&page);
    assert_eq!(all.len(), 1, "one program and one day: {all:#?}");
    assert_tells(&all[0], &["Исправление", "95"]);
    let page = boris.get("/points/expiry").await;
    assert_tells(&page.text(), &["6 декабря 2027", "5 баллов"]);
    assert_tells(&entries(&page)[0], &["Подарок: Анна", "5"]);
    assert!(!page.body.contains("A-1"), "{}", page.text());

    // What waits stands in both lists: when it can be spent, and when it expires.
    let mut vera = app.customer("Вера").await;
    let empty = vera.get("/points/expiry").await.text();
    assert!(empty.contains("нет баллов, которые могут сгореть"), "{empty}");
    pass(&app, Duration::days(2)).await;
    let mut vera = vera.with_purchase("D-1", "Чай", 100_00).await;
    let page = vera.get("/points/expiry").await;
    let all = entries(&page);
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_tells(&all[0], &["Чек № D-1", "тратить можно с 22 декабря"]);
    assert_tells(&all[1], &["Чек № D-1", "сгорят 22 декабря 2027"]);
    for month in ["Декабрь 2027: ", "Декабрь 2026: "] {
        assert!(page.text().contains(month), "{month}: {}", page.text());
    }
    for at in ["/", "/points"] {
        let page = vera.get(at).await;
        assert_eq!(page.body.contains("href=\"/points/expiry\""), at != "/", "{at}");
    }
    assert!(
        anna.get("/").await.body.contains("href=\"/points/expiry\""),
        "what expires next leads there"
    );
}

#[tokio::test]
async fn whoever_misses_points_finds_the_receipt_and_why() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get("/points").await;
    assert!(page.body.contains("href=\"/points/missing\""), "{}", page.text());
    let page = anna.get("/points/missing").await;
    assert_tells(&page.text(), &["Покупок пока нет"]);
    assert!(!page.text().contains("пришло столько") && !page.text().contains("Другой чек"));
    let mut anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
    // Bought a day before she joined.
    let page = anna.get("/points/missing").await;
    assert_tells(&page.text(), &["A-1", "вы не были в программе"]);
    let id = app
        .text("SELECT lower(hex(id)) FROM purchases WHERE document = 'A-1'")
        .await;
    let why = page.body.split("href=\"/purchases/").nth(1).expect("a way to it");
    let why = why.split('"').next().unwrap_or_default().to_owned();
    assert_eq!(why.replace(['-'], ""), format!("{id}/why"));
    let told = told_why(&mut anna, &format!("/purchases/{why}")).await;
    assert_tells(
        &told,
        &[
            "Клуб соседей, 3 % от оплаченного Тогда вы не были в этой программе",
            "особых правил не было",
        ],
    );
    assert!(!told.contains("начислила сама программа"), "nothing came: {told}");
    pass(&app, Duration::days(2)).await;
    let mut anna = anna.with_purchase("A-2", "Чайник", 1_000_00).await;
    let page = anna.get("/points/missing").await;
    assert!(!page.text().contains("A-2"), "{}", page.text());
    // Who expected more of it than the program's share goes there by the list of all, or from the points that came.
    assert!(
        page.body.contains("href=\"/purchases\" class=\"btn\">Другой чек"),
        "{}",
        page.body
    );
    let ledger = anna.get("/points").await;
    let why = why_of(&app, "A-2").await;
    assert_eq!(
        ledger.body.matches(&format!("href=\"{why}\">Почему столько")).count(),
        1,
        "{}",
        ledger.body
    );
    let told = told_why(&mut anna, &why_of(&app, "A-2").await).await;
    assert_tells(
        &told,
        &[
            "Клуб соседей, 3 % от оплаченного Вы были в этой программе +30 баллов",
            "Тогда вы не были в этой программе",
            "баллы начислила сама программа",
        ],
    );
}

/// A hint stands where there is the word, and only there.
#[tokio::test]
async fn hard_words_are_explained_where_they_stand() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for (at, asked) in [
        ("/devices", "Что такое сеть?"),
        ("/profile/consents", "Что такое версия и расписка?"),
    ] {
        assert_tells(&anna.get(at).await.text(), &[asked]);
    }
    let (pending, debt) = ("Почему баллы ждут", "Почему баллов меньше нуля?");
    let program = club(&anna).await;
    pass(&app, Duration::days(2)).await;
    let mut anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
    let receipt = why_of(&app, "A-1").await.replace("/why", "");
    for at in ["/points/expiry", receipt.as_str()] {
        assert_tells(&anna.get(at).await.text(), &[pending]);
    }
    pass(&app, Duration::days(14)).await;
    for at in ["/points/expiry", receipt.as_str()] {
        assert!(!anna.get(at).await.text().contains(pending), "{at}");
    }
    let anna = anna.with_purchase("B-1", "Чашка", 50_00).await;
    pay(&anna, program, 20_00, "B-1").await;
    pass(&app, Duration::hours(2)).await;
    let mut anna = anna;
    assert!(!anna.get("/points").await.text().contains(debt));
    let mut anna = anna.with_return("A-2", "Чайник", 1_000_00).await;
    assert_tells(&anna.get("/points").await.text(), &[debt, "платить ничего не нужно"]);
}

#[tokio::test]
async fn the_share_of_a_program_is_told_above_the_rules_to_members_and_to_whoever_joined_later() {
    let app = TestApp::new().await;
    let club = app.club().await.to_string();
    let anna = app.customer("Анна").await;
    let fixed = serde_json::json!([{"points_fixed": {"program": club, "points": 500, "each": "purchase"}}]);
    app.publish(serde_json::json!({"name": {"ru": "Каждому", "en": "Everybody"}, "effects": fixed}))
        .await;
    pass(&app, Duration::days(2)).await;
    let mut anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
    let told = told_why(&mut anna, &why_of(&app, "A-1").await).await;
    // What the rule gave is no part of the share.
    assert_tells(
        &told,
        &["Вы были в этой программе +30 баллов", "Сработали", "+5 баллов"],
    );
    let (share, rule) = (told.find("Клуб соседей, 3 %"), told.find("Каждому, версия 1"));
    assert!(share.is_some() && share < rule, "{told}");
    // Bought a day before he joined.
    let mut boris = app
        .customer("Борис")
        .await
        .with_purchase("B-1", "Чайник", 1_000_00)
        .await;
    let told = told_why(&mut boris, &why_of(&app, "B-1").await).await;
    assert_tells(
        &told,
        &[
            "Клуб соседей, 3 % от оплаченного Тогда вы не были в этой программе",
            "Не сработали",
        ],
    );
    assert!(!told.contains("Вы были в этой программе"), "{told}");
}

/// The address that tells why a receipt brought what it did.
async fn why_of(app: &TestApp, document: &str) -> String {
    let mut conn = app.world.db.read().await.expect("a connection");
    let id: crm::id::PurchaseId = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT id FROM purchases WHERE document = $1"
    )
    .bind(document)
    .fetch_one(c)
    .await)
    .expect("the receipt");
    format!("/purchases/{id}/why")
}

/// The words of such a page.
async fn told_why(who: &mut Customer, at: &str) -> String {
    let page = who.get(at).await;
    assert_eq!(page.status, StatusCode::OK, "{at}");
    page.text()
}

/// A file for spreadsheets, read back: its head, and its rows field by field.
fn rows(reply: &Reply, delimiter: u8) -> Vec<Vec<String>> {
    let text = reply.body.strip_prefix('\u{feff}').expect("the mark of UTF-8");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let row = |row: Result<csv::StringRecord, csv::Error>| row.expect("a row").iter().map(str::to_owned).collect();
    reader.records().map(row).collect()
}

/// Hundredths out of a number as a spreadsheet reads it.
fn hundredths(figure: &str, comma: char) -> i64 {
    if figure.is_empty() {
        return 0;
    }
    let (whole, part) = figure.split_once(comma).expect("two decimals");
    assert_eq!(part.len(), 2, "{figure}");
    format!("{whole}{part}").parse().expect("a number")
}

#[tokio::test]
async fn a_statement_adds_up_in_a_spreadsheet_of_either_language() {
    let Ledger {
        app,
        mut anna,
        mut boris,
    } = Ledger::new().await;
    // Whoever has a name like a formula does not reckon in anybody's spreadsheet.
    app.run("UPDATE customers SET name = $1 WHERE name = 'Борис'", "=1+1")
        .await;
    let me = anna.proof().await.me();
    let mut conn = app.world.db.read().await.expect("a connection");
    let ledger = points::history(&mut conn, me, None, 1000).await.expect("the ledger");
    let balance = points::balance(&mut conn, me).await.expect("a balance");
    drop(conn);
    let at = "/points/statement.csv?from=2026-11-01&to=2026-12-31";
    for (language, delimiter, comma) in [("ru", b';', ','), ("en", b',', '.')] {
        anna.send("/points", "language", &[("language", language)]).await;
        let reply = anna.get(at).await;
        assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
        let disposition = "attachment; filename=\"points-2026-11-01-2026-12-31.csv\"";
        assert_eq!(reply.header("content-disposition"), disposition);
        assert_eq!(reply.header("cache-control"), "no-store");
        let all = rows(&reply, delimiter);
        let movements = &all[2..all.len() - 1];
        let sums = |column: usize| movements.iter().map(|row| hundredths(&row[column], comma)).sum::<i64>();
        assert_eq!(movements.len(), ledger.len(), "{}", reply.body);
        assert_eq!(sums(4), ledger.iter().map(|entry| entry.active).sum::<i64>());
        assert_eq!(sums(5), ledger.iter().map(|entry| entry.pending).sum::<i64>());
        let (first, last) = (&all[1], &all[all.len() - 1]);
        assert_eq!(
            (hundredths(&first[6], comma), hundredths(&last[6], comma)),
            (0, balance.active)
        );
        assert_eq!((first[0].as_str(), last[0].as_str()), ("2026-11-01", "2026-12-31"));
        for (row, entry) in movements.iter().zip(ledger.iter().rev()) {
            assert_eq!(hundredths(&row[6], comma), entry.balance, "{row:?}");
            assert_eq!(row[0], app.world.db.shop().day(entry.at).to_string());
        }
        for field in all.iter().flatten() {
            let begins_a_formula = field.starts_with(['=', '+', '@', '\t', '\r']);
            assert!(!begins_a_formula, "{field}");
            let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == comma);
            assert!(!field.starts_with('-') || is_number(&field[1..]), "{field}");
        }
    }
    // Each day by itself: what one leaves is what the next one finds.
    let days = |from: &str, to: &str| format!("/points/statement.csv?from={from}&to={to}");
    let early = rows(&anna.get(&days("2026-11-01", "2026-12-06")).await, b',');
    let late = rows(&anna.get(&days("2026-12-07", "2026-12-31")).await, b',');
    assert_eq!(early[early.len() - 1][6], late[1][6]);
    assert_eq!(early.len() + late.len() - 6, ledger.len());
    // Nobody else's, and of him not what had earned the points.
    let his = boris.get(at).await;
    assert_eq!(rows(&his, b';').len(), 4, "{}", his.body);
    assert!(!his.body.contains("A-1"), "{}", his.body);
    for wrong in ["from=x", "to=2026-13-01", "from=2026-12-02&to=2026-12-01"] {
        for ending in ["csv", "pdf"] {
            let reply = anna.get(&format!("/points/statement.{ending}?{wrong}")).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{wrong}");
            assert_eq!(reply.header("content-disposition"), "");
        }
    }
}

#[tokio::test]
async fn a_statement_is_printed_with_letters_of_its_own() {
    let Ledger { mut anna, .. } = Ledger::new().await;
    let page = anna.get("/points?to=2026-12-31").await;
    let at = "/points/statement.pdf?to=2026-12-31";
    assert!(page.body.contains(&format!("href=\"{at}\"")), "the page leads there");
    let reply = anna.get(at).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/pdf");
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"points-2026-12-31.pdf\""
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(reply.bytes.starts_with(b"%PDF-1."));
    let file = String::from_utf8_lossy(&reply.bytes);
    let holds = |what: &str| file.contains(what);
    assert!(
        holds("+PTSans-Regular") && holds("+PTSans-Bold") && holds("/FontFile2"),
        "a part of the font is in it"
    );
    assert!(holds("/Count 1/"), "one page");
    let size = reply.bytes.len();
    assert!((10_000..80_000).contains(&size), "not all of the font: {size}");

    // What does not fit on one page goes on.
    for n in 0..60 {
        anna = anna.with_purchase(&format!("E-{n}"), "Чай", 100_00).await;
    }
    let longer = anna.get("/points/statement.pdf").await;
    assert!(
        !String::from_utf8_lossy(&longer.bytes).contains("/Count 1/"),
        "{} bytes",
        longer.bytes.len()
    );
}
