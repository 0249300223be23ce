//! Files that staff bring in and tables that they take away, page by page: who may, what a form says of what is no table, what the log
//! says afterwards, and who gets a file.

use crate::common::html::tags;
use crate::common::{BY, Browser, Reply, TestApp};
use axum::http::StatusCode;
use chrono::Duration;
use crm::shop::MB;
use crm::testing::start;
use std::io::Write as _;

const IMPORTS: &str = "/admin/imports";
const EXPORTS: &str = "/admin/exports";

const PEOPLE: &str = "Имя;Телефон;Город\nАнна;8 900 123-45-01;Дубна\n=1+1;+79001234502;@home\n";

async fn bring(who: &mut Browser, kind: &str, name: &str, bytes: &[u8]) -> crate::common::Reply {
    who.upload(IMPORTS, "import.upload", &[("kind", kind)], &[(name, bytes)])
        .await
}

async fn run(app: &TestApp) {
    while crm::import::run_next(&app.world.db, &BY, || true)
        .await
        .expect("it runs")
    {}
    while crm::extract::run_next(&app.world.db, &BY, || true)
        .await
        .expect("it runs")
    {}
}

#[tokio::test]
async fn a_file_becomes_customers_step_by_step() {
    let app = TestApp::new().await;
    let mut ada = app.staff_as("ada", "administrator").await;
    let page = ada.get(IMPORTS).await;
    assert!(
        page.words().contains("до 20 МБ"),
        "the limit is said before: {}",
        page.words()
    );
    let windows = windows(PEOPLE);
    let sent = bring(&mut ada, "customers", "люди.csv", &windows).await;
    let at = sent.location().to_owned();
    assert!(at.starts_with("/admin/imports/"), "{}", sent.text());
    let page = ada.get(&at).await;
    for said in ["Анна", "8 900 123-45-01", "2 строки", "ждёт столбцов"] {
        assert!(page.words().contains(said), "{said}: {}", page.words());
    }
    let form = page.form("import.check");
    assert_eq!(form.get("columns[phone]"), Some("1"), "known by its name");
    assert_eq!(form.get("columns[email]"), Some(""));
    let without = ada.send(&at, "import.check", &[("columns[name]", "0")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let checked = ada.submit(&at, &form).await;
    checked.assert_leads_to(&format!("{at}?done=checking"));
    let waiting = ada.get(&at).await;
    assert!(waiting.body.contains("data-progress"), "the page brings what is new");
    assert!(!waiting.words().contains("Анна"), "and shows no line meanwhile");
    run(&app).await;
    let tried = ada.get(&at).await;
    assert!(tried.words().contains("Имя: не похоже на имя"), "{}", tried.words());
    assert_eq!(app.count("SELECT COUNT(*) FROM customers").await, 0);

    let started = ada.send(&at, "import.start", &[]).await;
    started.assert_leads_to(&format!("{at}?done=started"));
    run(&app).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM customers").await, 1);
    let file = ada.get(&format!("{at}/errors.csv")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        file.body,
        "\u{feff}Строка;Почему;Имя;Телефон;Город\r\n3;Имя: не похоже на имя;'=1+1;'+79001234502;'@home\r\n"
    );
    for action in [
        "import.upload",
        "import.read",
        "import.check",
        "import.start",
        "import.errors",
    ] {
        let rows = app.texts("SELECT action FROM audit WHERE action LIKE 'import.%'").await;
        assert!(rows.iter().any(|row| row == action), "{action}: {rows:?}");
    }
    let again = bring(&mut ada, "customers", "люди.csv", &windows)
        .await
        .location()
        .to_owned();
    assert_ne!(again, at);
    // It is broken off while it is gone through, and goes on where it was.
    let form = ada.get(&again).await.form("import.check");
    ada.submit(&again, &form).await;
    run(&app).await;
    ada.send(&again, "import.start", &[]).await;
    let stopped = ada.send(&again, "import.cancel", &[]).await;
    stopped.assert_leads_to(&format!("{again}?done=cancelled"));
    app.assert_row("import.cancel").await;
    let resumed = ada.send(&again, "import.go_on", &[]).await;
    assert_eq!(resumed.status, StatusCode::SEE_OTHER, "{}", resumed.text());
    app.assert_row("import.go_on").await;
    run(&app).await;
    let listed = ada.get(IMPORTS).await;
    assert_eq!(listed.body.matches("люди.csv").count(), 2);
}

/// Windows-1251.
fn windows(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        'А'..='я' => u8::try_from(u32::from(c) - 0x410 + 0xc0).expect("a letter"),
        other => u8::try_from(u32::from(other)).expect("ASCII"),
    };
    text.chars().map(byte).collect()
}

#[tokio::test]
async fn s17_files_come_in_and_go_out_by_those_who_may() {
    let app = TestApp::new().await;
    app.employ_bare("ada").await;
    let id = app.some_import().await;
    for role in ["agent", "lead", "marketer", "analyst"] {
        let mut who = app.staff_as(role, role).await;
        let before = app
            .everything(&["sessions", "idempotency_keys", "limits", "paces"])
            .await;
        for at in [
            IMPORTS.to_owned(),
            format!("{IMPORTS}/{id}"),
            format!("{IMPORTS}/{id}/errors.csv"),
        ] {
            assert_eq!(who.get(&at).await.status, StatusCode::FORBIDDEN, "{role} {at}");
        }
        let sent = bring(&mut who, "cards", "a.csv", b"number\n2900000000018\n").await;
        assert_eq!(sent.status, StatusCode::FORBIDDEN, "{role}");
        for form in ["import.check", "import.start", "import.go_on", "import.cancel"] {
            let sent = who
                .send(&format!("{IMPORTS}/{id}"), form, &[("columns[number]", "0")])
                .await;
            assert_eq!(sent.status, StatusCode::FORBIDDEN, "{role} {form}");
        }
        let after = app
            .everything(&["sessions", "idempotency_keys", "limits", "paces"])
            .await;
        assert_eq!(before, after, "{role}");
    }
    let mut agent = app.staff_as("agnia", "agent").await;
    assert_eq!(agent.get(EXPORTS).await.status, StatusCode::FORBIDDEN);
    let wish = [
        ("kind", "points"),
        ("columns[]", "points"),
        ("format", "csv"),
        ("from", ""),
        ("to", ""),
    ];
    let asked = agent.send(EXPORTS, "extract.ask", &wish).await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count("SELECT COUNT(*) FROM extracts").await, 0);
}

/// A workbook that says of itself that it is small, and has so many megabytes in it.
fn bomb(megabytes: usize) -> Vec<u8> {
    const NAME: &[u8] = b"xl/sharedStrings.xml";
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..megabytes {
        packed.write_all(&vec![0; MB]).expect("packed");
    }
    let packed = packed.finish().expect("packed");
    let four = |n: usize| u32::try_from(n).expect("small").to_le_bytes();
    let two = |n: usize| u16::try_from(n).expect("small").to_le_bytes();
    let sizes = [four(0), four(0), four(packed.len()), four(10)].concat();
    let file = [
        &b"PK\x03\x04"[..],
        &two(20),
        &two(0),
        &two(8),
        &sizes,
        &two(NAME.len()),
        &two(0),
        NAME,
        &packed,
    ]
    .concat();
    let entry = [
        &b"PK\x01\x02"[..],
        &two(20),
        &two(20),
        &two(0),
        &two(8),
        &sizes,
        &two(NAME.len()),
        &[0; 16],
        NAME,
    ]
    .concat();
    let end = [
        &b"PK\x05\x06"[..],
        &[0; 4],
        &two(1),
        &two(1),
        &four(entry.len()),
        &four(file.len()),
        &[0; 2],
    ]
    .concat();
    [file, entry, end].concat()
}

#[tokio::test]
async fn s20_what_is_no_table_is_told_at_its_field_and_nothing_of_it_stays() {
    let app = TestApp::new().await;
    let mut ada = app.staff_as("ada", "administrator").await;
    let large = vec![b'1'; 20 * MB + 1];
    for (name, bytes, said) in [
        ("a.exe", &b"MZ"[..], "Не читается как таблица"),
        ("a.xlsx", &b"PK\x03\x04 and no more"[..], "Не читается как таблица"),
        ("a.xlsx", &bomb(70)[..], "слишком большой"),
        ("a.csv", &large[..], "Файл № 1 слишком большой: можно до 20 МБ"),
        ("a.csv", &b"number\n"[..], "Файл № 1 пустой"),
    ] {
        let reply = bring(&mut ada, "cards", name, bytes).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} {said}");
        let message = reply.message("import.upload", "files");
        assert!(message.contains(said), "{said}: {message}");
    }
    let none = ada.upload(IMPORTS, "import.upload", &[("kind", "cards")], &[]).await;
    assert_eq!(none.message("import.upload", "files"), "Заполните это поле");
    for table in ["SELECT COUNT(*) FROM imports", "SELECT COUNT(*) FROM import_rows"] {
        assert_eq!(app.count(table).await, 0);
    }
    // What is longer than the page lets in is not read to its end.
    let longer = bring(&mut ada, "cards", "a.csv", &vec![b'1'; 22 * MB]).await;
    assert_eq!(longer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// The address under which the page offers a file.
fn link(page: &str) -> Option<String> {
    tags(page).into_iter().find_map(|tag| {
        let there = tag.get("href")?;
        there.starts_with("/admin/exports/").then(|| there.to_owned())
    })
}

#[tokio::test]
async fn s17_a_table_is_taken_away_by_whoever_asked_for_it() {
    let (app, anna) = TestApp::with_a_purchase().await;
    let mut nina = app.staff_as("nina", "analyst").await;
    let page = nina.get(EXPORTS).await;
    assert!(
        page.body.contains("value=\"receipts\"") && !page.body.contains("value=\"phone\""),
        "{}",
        page.text()
    );
    let wish = |column: &'static str| {
        [
            ("kind", "customers"),
            ("columns[]", "receipts"),
            ("columns[]", column),
            ("format", "csv"),
            ("from", ""),
            ("to", ""),
        ]
    };
    let forbidden = nina.send(EXPORTS, "extract.ask", &wish("phone")).await;
    assert_eq!(
        forbidden.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "who somebody is takes another right"
    );
    let asked = nina.send(EXPORTS, "extract.ask", &wish("source")).await;
    asked.assert_leads_to("/admin/exports?kind=customers&done=asked");
    assert_eq!(link(&nina.get(EXPORTS).await.body), None, "it is not there yet");
    run(&app).await;
    let at = link(&nina.get(EXPORTS).await.body).expect("a link");
    let file = nina.get(&at).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.text());
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"customers-2026-11-21.csv\""
    );
    assert_eq!(file.header("cache-control"), "no-store");
    assert_eq!(file.body, "\u{feff}Откуда;Чеков\r\nweb;1\r\n");

    let mut ada = app.staff_as("ada", "administrator").await;
    assert_eq!(ada.get(&at).await.status, StatusCode::NOT_FOUND, "it is a colleague's");
    let mut theirs = anna.browser.clone();
    assert!(theirs.get(&at).await.location().starts_with("/admin/sign-in"));
    assert!(app.anybody().get(&at).await.location().starts_with("/admin/sign-in"));
    let rows = app
        .texts("SELECT action || ': ' || reason FROM audit WHERE action LIKE 'extract.%' ORDER BY id")
        .await;
    assert_eq!(
        rows,
        [
            "extract.ask: customers csv: source receipts",
            "extract.made: customers csv 1",
            "extract.download: customers csv 1: source receipts",
        ]
    );

    // The next time it is ticked as it was, and not so for a colleague.
    let chosen = |page: &Reply| {
        let form = page.form("extract.ask");
        let ticked = form.fields.into_iter().filter(|(name, _)| name.starts_with("columns"));
        ticked.map(|(_, column)| column).collect::<Vec<_>>()
    };
    let page = nina.get("/admin/exports?kind=customers").await;
    page.assert_says("Отмечено как в прошлый раз");
    assert_eq!(chosen(&page), ["source", "receipts"]);
    let usual = nina.get("/admin/exports?kind=customers&usual=yes").await;
    assert!(chosen(&usual).len() > 2, "{:?}", chosen(&usual));
    assert!(!usual.text().contains("как в прошлый раз"), "{}", usual.text());
    // Receipts are narrowed to a shop as well.
    let store = app.some_store().await.to_string();
    let page = nina.get("/admin/exports?kind=purchases").await;
    assert!(page.body.contains(&format!("value=\"{store}\"")), "{}", page.text());
    let of_a_shop = [
        ("kind", "purchases"),
        ("columns[]", "document"),
        ("format", "xlsx"),
        ("from", ""),
        ("to", ""),
        ("store", store.as_str()),
    ];
    let nowhere = crate::common::with(of_a_shop.to_vec(), &[("store", "x")]);
    let wrong = nina.send(EXPORTS, "extract.ask", &nowhere).await;
    assert_eq!(wrong.message("extract.ask", "store"), "Выберите из списка");
    let asked = nina.send(EXPORTS, "extract.ask", &of_a_shop).await;
    asked.assert_leads_to("/admin/exports?kind=purchases&done=asked");
    let form = nina.get("/admin/exports?kind=purchases").await.form("extract.ask");
    assert_eq!(
        (form.get("store"), form.get("format")),
        (Some(store.as_str()), Some("xlsx"))
    );
    let page = ada.get("/admin/exports?kind=customers").await;
    assert!(!page.text().contains("как в прошлый раз"), "{}", page.text());

    // With the right to see who somebody is, it goes along; a name that begins like a formula does so as a text.
    app.execute("UPDATE customers SET name = '=HYPERLINK(1)'").await;
    let named = [
        ("kind", "customers"),
        ("columns[]", "name"),
        ("format", "csv"),
        ("from", ""),
        ("to", ""),
    ];
    let asked = ada.send(EXPORTS, "extract.ask", &named).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.text());
    run(&app).await;
    let at = link(&ada.get(EXPORTS).await.body).expect("a link");
    assert_eq!(ada.get(&at).await.body, "\u{feff}Имя\r\n'=HYPERLINK(1)\r\n");

    // Whoever came in long ago proves once more who they are, before they ask and before they take it.
    app.world.clock.set(start() + Duration::minutes(16));
    assert!(!ada.get(EXPORTS).await.body.contains("extract.ask"));
    let asked = ada.send(EXPORTS, "extract.ask", &named).await;
    assert!(asked.location().starts_with("/admin/confirm"), "{}", asked.text());
    let taken = ada.get(&at).await;
    assert_ne!(taken.status, StatusCode::OK);
    assert!(!taken.body.contains("HYPERLINK"));
}
