//! Files that staff bring in: each kind of line, tried and done, once more, broken off and gone on with, on both engines.

use crate::common::people::{self, administrator, agent, contact, one, sql};
use crate::common::*;
use chrono::Duration;
use crm::both_engines;
use crm::contact::Kind as Contact;
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::ImportId;
use crm::import::{self, Import, Kind, Mapping, Opened, State};
use crm::purchase::import::{Format, Options};
use crm::request::Upload;
use crm::who::Staff;
use rust_xlsxwriter::Workbook;

/// Cards of the shop, with their check digits.
const CARDS: [&str; 3] = ["2900000000018", "2900000000025", "2900000000032"];

async fn bring(db: &Db, by: &Staff, kind: Kind, name: &str, bytes: impl Into<Vec<u8>>) -> ImportId {
    let file = Upload {
        name: name.into(),
        bytes: bytes.into(),
    };
    let fresh = by.fresh(db).expect("moments ago");
    import::upload(db, &fresh, kind, Some(&file))
        .await
        .expect("it is a table")
}

async fn opened(db: &Db, by: &Staff, id: ImportId) -> Opened {
    import::open(db, by, id).await.expect("it is there")
}

async fn run(db: &Db) {
    while import::run_next(db, &BY, || true).await.expect("it runs") {}
}

/// Has it tried with the columns that were guessed.
async fn check(db: &Db, by: &Staff, id: ImportId) -> Opened {
    let mapping = opened(db, by, id).await.import.mapping;
    import::check(db, by, id, &mapping)
        .await
        .expect("its columns are known");
    run(db).await;
    let tried = opened(db, by, id).await;
    assert_eq!((tried.import.state, tried.import.is_trial), (State::Done, true));
    tried
}

async fn start(db: &Db, by: &Staff, id: ImportId) {
    let fresh = by.fresh(db).expect("moments ago");
    import::start(db, &fresh, id).await.expect("it was tried");
}

/// Tries it, does it, and tells what came of it: added, changed, known, refused. The trial said the same.
async fn done(db: &Db, by: &Staff, id: ImportId) -> (i64, i64, i64, i64) {
    let tried = counts(&check(db, by, id).await.import);
    start(db, by, id).await;
    run(db).await;
    let after = opened(db, by, id).await.import;
    assert_eq!(
        (after.state, after.is_trial, after.done()),
        (State::Done, false, after.total)
    );
    assert_eq!(counts(&after), tried, "the trial told what it would come to");
    tried
}

fn counts(import: &Import) -> (i64, i64, i64, i64) {
    (import.added, import.changed, import.known, import.refused)
}

fn reasons(opened: &Opened) -> Vec<(i64, &str)> {
    opened
        .refused
        .iter()
        .map(|one| (one.line, one.reason.as_str()))
        .collect()
}

/// Windows-1251, as Russian programs write it.
fn windows(text: &str) -> Vec<u8> {
    encoding_rs::WINDOWS_1251.encode(text).0.into_owned()
}

const PEOPLE: &str = "Имя;Фамилия;Телефон;Почта;Дата рождения;Город;Номер карты;Код клиента\r\n\
    Анна;Лебедева;8 (900) 123-45-01;anna@example.com;03.05.1990;Дубна;2900000000018;77\r\n\
    Борис;;+79001234502;;1985-12-01;;;78\r\n\
    ;;+79001234503;;;;;\r\n";

both_engines!(
    customers_come_in_with_nothing_proved_and_are_waited_for,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let id = bring(db, &ada, Kind::Customers, "люди.csv", windows(PEOPLE)).await;
        let before = opened(db, &ada, id).await;
        assert_eq!((before.import.state, before.import.total), (State::Ready, 3));
        assert_eq!(before.import.columns[2], "Телефон");
        assert_eq!(before.samples[0][1], "Лебедева", "the encoding is told apart");
        assert_eq!(before.import.mapping.get("phone"), Some(&2));

        assert_eq!(counts(&check(db, &ada, id).await.import), (3, 0, 0, 0));
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM customers"),
            0,
            "a trial leaves nothing behind"
        );
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM cards"), 0);

        assert_eq!(done(db, &ada, id).await, (3, 0, 0, 0));
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 3);
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM contacts WHERE verified_at IS NOT NULL"
            ),
            0,
            "nobody proved anything"
        );
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM consents"),
            0,
            "nobody agreed to anything"
        );
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM enrolments e JOIN contacts k ON k.customer_id = e.customer_id AND k.value = e.phone \
             WHERE e.completed_at IS NULL AND e.till_id IS NULL"
            ),
            3
        );
        let told = one!(
            world,
            String,
            "SELECT c.name || ' ' || c.surname || ' ' || c.address || ' ' || d.number || ' ' || c.source || ' ' || c.external_id \
         FROM customers c JOIN cards d ON d.customer_id = c.id"
        );
        assert_eq!(told, "Анна Лебедева Дубна 2900000000018 kabinet 77");
        assert_ne!(
            one!(world, i64, "SELECT COUNT(*) FROM memberships"),
            0,
            "they are members from now on"
        );

        // The same once more, and the same in UTF-8 with other separators.
        let again = bring(db, &ada, Kind::Customers, "люди.csv", windows(PEOPLE)).await;
        assert_eq!(done(db, &ada, again).await, (0, 0, 3, 0));
        let other = bring(db, &ada, Kind::Customers, "people.txt", PEOPLE.replace(';', "\t")).await;
        assert_eq!(done(db, &ada, other).await, (0, 0, 3, 0));
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 3);
    }
);

both_engines!(
    what_somebody_told_themselves_is_filled_in_and_never_written_over,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let anna = people::row(world, "Анна", "Орлова").await;
        contact(world, anna, Contact::Phone, "+79001234501").await;
        sql!(world, "UPDATE contacts SET verified_at = $1", world.db.now());
        let vera = people::row(world, "Вера", "К").await;
        contact(world, vera, Contact::Phone, "+79001234509").await;
        // No file gives a card that the shop does not know to somebody who is there, and of one of the stock they are told.
        let id = bring(db, &ada, Kind::Customers, "люди.csv", PEOPLE).await;
        assert_eq!(counts(&check(db, &ada, id).await.import), (2, 0, 0, 1));
        let stock = format!("Штрихкод\n{}\n", CARDS[0]);
        let stock = bring(db, &ada, Kind::Cards, "cards.csv", stock).await;
        assert_eq!(done(db, &ada, stock).await, (1, 0, 0, 0));
        assert_eq!(done(db, &ada, id).await, (2, 1, 0, 0));
        let told_of = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM outbox WHERE customer_id = $1 AND template = 'card_bound'",
            anna
        );
        assert_eq!(told_of, 1);
        let written = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'card.issue' AND customer_id = $1",
            anna
        );
        assert_eq!(written, 1);
        // Purchases under her number are hers.
        let sale = "document,at,article,quantity,price,customer\nS-9,2026-10-06 16:20,A-17,1,10.00,77\n";
        let sale = bring(db, &ada, Kind::Purchases, "sale.csv", sale).await;
        assert_eq!(done(db, &ada, sale).await, (1, 0, 0, 0));
        let hers = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM purchases WHERE document = 'S-9' AND customer_id = $1",
            anna
        );
        assert_eq!(hers, 1);
        let renumbered = bring(db, &ada, Kind::Customers, "n.csv", "phone;id\n+79001234501;79\n").await;
        assert_eq!(
            done(db, &ada, renumbered).await,
            (0, 0, 1, 0),
            "who has a number keeps it"
        );
        // Nor does anybody by a file what they may not do one by one.
        let rights = || sqlx::types::Json(["import"]);
        sql!(
            world,
            "UPDATE roles SET rights = $1 WHERE code = 'administrator'",
            rights()
        );
        let other = people::again(world, ada.id()).await;
        let id = bring(db, &other, Kind::Customers, "люди.csv", PEOPLE).await;
        let mapping = opened(db, &other, id).await.import.mapping;
        let refused = import::check(db, &other, id, &mapping).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let told = one!(
            world,
            String,
            "SELECT name || ' ' || surname || ' ' || address || ' ' || birthday FROM customers WHERE id = $1",
            anna
        );
        assert_eq!(told, "Анна Орлова Дубна 1990-05-03");
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM contacts WHERE customer_id = $1 AND value = 'anna@example.com'",
                anna
            ),
            1
        );
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM audit WHERE action = 'customer.import' AND customer_id = $1",
                anna
            ),
            1,
            "she reads that somebody did"
        );
        // A number that somebody merely typed is nobody's: whoever has it in a file is another customer.
        let typed = "Телефон\n+79001234509\n";
        let id = bring(db, &ada, Kind::Customers, "one.csv", typed).await;
        assert_eq!(done(db, &ada, id).await, (1, 0, 0, 0));
    }
);

both_engines!(a_record_that_lost_its_phone_waits_for_another, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let id = bring(db, &ada, Kind::Customers, "люди.csv", PEOPLE).await;
    done(db, &ada, id).await;
    sql!(world, "DELETE FROM contacts WHERE value = '+79001234502'");
    let id = bring(db, &ada, Kind::Customers, "new.csv", "phone;id\n+79001234599;78\n").await;
    assert_eq!(done(db, &ada, id).await, (0, 1, 0, 0));
    let waits = one!(
        world,
        String,
        "SELECT e.phone FROM enrolments e JOIN customers c ON c.id = e.customer_id WHERE c.external_id = '78'"
    );
    assert_eq!(waits, "+79001234599");
});

both_engines!(bad_lines_are_told_and_stop_nothing, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let boris = people::row(world, "Борис", "К").await;
    sql!(
        world,
        "INSERT INTO cards (id, number, kind, state, customer_id, issued_at) VALUES ($1, $2, 'plastic', 'active', $3, $4)",
        crm::id::CardId::new(),
        CARDS[1],
        boris,
        world.db.now(),
    );
    let text = "phone,name,email,birthday,card\n\
        ,Анна,,,\n\
        12,Анна,,,\n\
        +79001234501,<b>,,,\n\
        +79001234502,Анна,anna@,,\n\
        +79001234503,Анна,,31.02.1990,\n\
        +79001234504,Анна,,,123\n\
        +79001234505,Анна,,,2900000000025\n\
        \"+79001234506,Анна,,,\n\
        +79001234507,Анна,,,,too,many\n\
        +79001234508,Анна,,,2900000000018\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend_from_slice(b"+79001234509,\xff\xfe,,,\n");
    let id = bring(db, &ada, Kind::Customers, "bad.csv", bytes).await;
    assert_eq!(done(db, &ada, id).await, (1, 0, 0, 10));
    let after = opened(db, &ada, id).await;
    let expected = [
        (2, "Телефон: пусто"),
        (3, "Телефон: не похоже на номер телефона"),
        (4, "Имя: не похоже на имя"),
        (5, "Эл. почта: не похоже на адрес почты"),
        (6, "День рождения: не дата вида 2026-11-27 или 27.11.2026"),
        (7, "Номер карты: не номер карты магазина"),
        (8, "Номер карты: карта принадлежит другому покупателю или закрыта"),
        (9, "кавычка не закрыта"),
        (10, "полей 7, а столбцов 5"),
        (12, "есть знаки, которые не читаются"),
    ];
    assert_eq!(reasons(&after), expected);
    assert_eq!(after.refused[0].cells, ["", "Анна"], "with what stood there");
    let (_, all) = import::errors(db, &ada, id).await.expect("a file");
    assert_eq!(all, after.refused);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'import.errors' AND reason = 'customers 10'"
        ),
        1
    );
});

both_engines!(an_import_that_is_broken_off_goes_on_where_it_was, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let lines: String = (0..450)
        .map(|n| format!("+7900{:07},Покупатель\n", 1_000_000 + n))
        .collect();
    let id = bring(db, &ada, Kind::Customers, "many.csv", format!("phone,name\n{lines}")).await;
    check(db, &ada, id).await;
    start(db, &ada, id).await;
    // The node stops after its first batch, and somebody stops the import.
    assert!(import::run_next(db, &BY, || false).await.expect("it runs"));
    let there = one!(world, i64, "SELECT COUNT(*) FROM customers");
    assert_eq!(there, 200, "what was taken stays");
    import::cancel(db, &ada, id).await.expect("it is under way");
    assert!(!import::run_next(db, &BY, || true).await.expect("nothing waits"));
    assert!(matches!(import::cancel(db, &ada, id).await, Err(Error::Stale)));
    let stopped = opened(db, &ada, id).await.import;
    assert_eq!(
        (stopped.state, stopped.added, stopped.can_go_on()),
        (State::Cancelled, 200, true)
    );
    let fresh = ada.fresh(db).expect("moments ago");
    import::go_on(db, &fresh, id).await.expect("it was broken off");
    // Another node had it and was killed: its claim has run out.
    let past = world.db.now() - Duration::minutes(1);
    sql!(
        world,
        "UPDATE imports SET state = 'running', claimed_by = 'dead', claimed_until = $1, tries = 1",
        past
    );
    run(db).await;
    let after = opened(db, &ada, id).await.import;
    assert_eq!((after.state, counts(&after)), (State::Done, (450, 0, 0, 0)));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 450);
    assert_eq!(one!(world, i64, "SELECT COUNT(DISTINCT value) FROM contacts"), 450);
    assert!(
        matches!(import::go_on(db, &fresh, id).await, Err(Error::Stale)),
        "it has ended"
    );
    assert!(
        matches!(import::start(db, &fresh, id).await, Err(Error::Stale)),
        "it was not tried anew"
    );
});

both_engines!(cards_and_articles_come_in_once, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let text = format!("Штрихкод\n{}\n{}\n290000000001\n{}\n", CARDS[0], CARDS[1], CARDS[0]);
    let id = bring(db, &ada, Kind::Cards, "cards.csv", text.clone()).await;
    assert_eq!(done(db, &ada, id).await, (2, 0, 1, 1));
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM cards WHERE kind = 'plastic' AND customer_id IS NULL"
        ),
        2
    );
    let again = bring(db, &ada, Kind::Cards, "cards.csv", text).await;
    assert_eq!(done(db, &ada, again).await, (0, 0, 3, 1));

    // A workbook, whose numbers are no texts.
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, head) in (0..).zip(["Код товара", "Наименование", "Бренд", "Категория", "Оплата баллами"])
    {
        sheet.write_string(0, column, head).expect("written");
    }
    for (row, (name, brand, category, payable)) in (1..).zip([
        ("Чай", "Майский", "", "нет"),
        ("Кофе", "", "", ""),
        ("Ложка", "", "nowhere", ""),
        ("Вилка", "", "", "наверное"),
    ]) {
        sheet.write_number(row, 0, 1000 + row).expect("written");
        for (column, text) in (1..).zip([name, brand, category, payable]) {
            sheet.write_string(row, column, text).expect("written");
        }
    }
    let bytes = book.save_to_buffer().expect("saved");
    let id = bring(db, &ada, Kind::Articles, "товары.xlsx", bytes.clone()).await;
    assert_eq!(done(db, &ada, id).await, (2, 0, 0, 2));
    let after = opened(db, &ada, id).await;
    assert_eq!(
        reasons(&after),
        [(4, "Код категории: такого нет"), (5, "Оплата баллами: ни да, ни нет")]
    );
    let tea = one!(
        world,
        String,
        "SELECT name || ' ' || brand FROM articles WHERE code = '1001' AND NOT payable"
    );
    assert_eq!(tea, "Чай Майский");
    let again = bring(db, &ada, Kind::Articles, "товары.xlsx", bytes).await;
    assert_eq!(done(db, &ada, again).await, (0, 0, 2, 2));
    let renamed = bring(
        db,
        &ada,
        Kind::Articles,
        "a.csv",
        "code;name\n1001;Чай листовой\n1002;Кофе\n",
    )
    .await;
    assert_eq!(done(db, &ada, renamed).await, (0, 1, 1, 0));
    let tea = one!(
        world,
        String,
        "SELECT name || ' ' || brand FROM articles WHERE code = '1001'"
    );
    assert_eq!(tea, "Чай листовой Майский", "what a file has no column for stays");
    let told = one!(
        world,
        String,
        "SELECT u.reason FROM audit u JOIN articles a ON a.id = u.object_id WHERE u.action = 'article.import' AND u.actor = 'staff'"
    );
    assert_eq!(
        told, "name: \"Чай\" → \"Чай листовой\"",
        "it stands in the history of the article"
    );
});

/// Lines in any order, with the numbers and days of a Russian spreadsheet, and a return that brings back a line further down.
const SALES: &str = "Чек;Дата;Артикул;Название;Кол-во;Цена;Скидка;Код клиента\n\
    R-1;12.10.2026;A-17;;-1;1490,00;-149,00;77\n\
    S-1;06.10.2026 16:20;A-17;Лампа;2;1 490,00;298,00;77\n\
    S-1;06.10.2026 16:20;A-18;Шнур;1,000;90,5;;\n\
    S-2;07.10.2026;A-18;Шнур;0;90,50;;78\n\
    S-3;завтра;A-18;Шнур;1;90,50;;78\n\
    S-4;2026-10-08 10:00;A-18;Шнур;3;90.50;;79\n";

both_engines!(purchases_are_booked_as_the_command_line_books_them, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let people = bring(db, &ada, Kind::Customers, "люди.csv", PEOPLE).await;
    done(db, &ada, people).await;
    let id = bring(db, &ada, Kind::Purchases, "чеки.csv", SALES).await;
    let tried = check(db, &ada, id).await;
    assert_eq!(counts(&tried.import), (4, 0, 0, 2));
    assert_eq!(
        reasons(&tried),
        [(5, "количество равно нулю"), (6, "дата и время не читаются")]
    );
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM purchases"),
        0,
        "a trial books nothing"
    );
    start(db, &ada, id).await;
    // It is broken off while receipts are booked: lines are staged first.
    assert!(import::run_next(db, &BY, || false).await.expect("it runs"));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM purchases"), 0);
    assert_ne!(one!(world, i64, "SELECT COUNT(*) FROM import_lines"), 0);
    run(db).await;
    let after = opened(db, &ada, id).await.import;
    assert_eq!((after.state, counts(&after)), (State::Done, (4, 0, 0, 2)));
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM import_lines"),
        0,
        "nothing is left behind"
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM purchases"), 3);
    assert_eq!(
        one!(world, i64, "SELECT CAST(SUM(amount) AS BIGINT) FROM purchase_lines"),
        2 * 1490_00 - 298_00 + 90_50 - (1490_00 - 149_00) + 3 * 90_50
    );
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM purchase_lines WHERE original_line_id IS NOT NULL"
        ),
        1,
        "the return found its sale"
    );
    let whose = one!(
        world,
        String,
        "SELECT c.name FROM purchases p JOIN customers c ON c.id = p.customer_id WHERE p.document = 'S-1'"
    );
    assert_eq!(whose, "Анна", "by the number that the customers came in with");
    assert_books_agree(db).await;

    let again = bring(db, &ada, Kind::Purchases, "чеки.csv", SALES).await;
    assert_eq!(done(db, &ada, again).await, (0, 0, 4, 2));
    // The command line finds the same lines there.
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("purchases.csv");
    let text = "document,at,article,quantity,price,discount,customer\nS-1,2026-10-06 16:20,A-17,2,1490.00,298.00,77\n";
    std::fs::write(&path, text).expect("written");
    let summary = crm::purchase::import::run(db, &BY, &path, &Options::new(Format::Kabinet), |_| {})
        .await
        .expect("imported");
    assert_eq!((summary.taken, summary.known), (0, 1));
});

both_engines!(who_may_and_what_may_come_in, async |world| {
    let db = ready(world).await;
    let (ada, agnia) = (administrator(world).await, agent(world).await);
    let upload = async |by: &Staff, name: &str, bytes: &[u8]| {
        let file = Upload {
            name: name.into(),
            bytes: bytes.to_vec(),
        };
        let fresh = by.fresh(db).expect("moments ago");
        import::upload(db, &fresh, Kind::Cards, Some(&file)).await
    };
    let flaw = |result: Result<ImportId, Error>| match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        upload(&agnia, "a.csv", b"number\n1\n").await,
        Err(Error::Forbidden)
    ));
    for (name, bytes, expected) in [
        ("a.pdf", &b"number\n1\n"[..], Flaw::NotATable),
        ("a.xlsx", &b"number\n1\n"[..], Flaw::NotATable),
        ("a.csv", &b"number\n"[..], Flaw::EmptyFile { file: 1 }),
        ("../a.csv", &b"number\n1\n"[..], Flaw::FileName { file: 1 }),
    ] {
        assert_eq!(
            flaw(upload(&ada, name, bytes).await),
            [("files".to_owned(), expected)],
            "{name}"
        );
    }
    let lines = "number\n".to_owned() + &"1\n".repeat(import::LINES_MAX + 1);
    let many = Flaw::TooManyLines { max: import::LINES_MAX };
    assert_eq!(
        flaw(upload(&ada, "a.csv", lines.as_bytes()).await),
        [("files".to_owned(), many)]
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM imports"), 0);

    let id = bring(db, &ada, Kind::Cards, "a.csv", "код;номер карты\n1;2900000000018\n").await;
    let wrong = async |mapping: Mapping| match import::check(db, &ada, id, &mapping).await {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        wrong(Mapping::new()).await,
        [("columns[number]".to_owned(), Flaw::Missing)]
    );
    let beyond = Mapping::from([("number".to_owned(), 2)]);
    assert_eq!(wrong(beyond).await, [("columns[number]".to_owned(), Flaw::NotAChoice)]);
    let fresh = ada.fresh(db).expect("moments ago");
    assert!(
        matches!(import::start(db, &fresh, id).await, Err(Error::Stale)),
        "it was not tried"
    );
    assert!(matches!(import::open(db, &agnia, id).await, Err(Error::Forbidden)));
    assert!(matches!(import::errors(db, &agnia, id).await, Err(Error::Forbidden)));
    assert!(matches!(import::cancel(db, &agnia, id).await, Err(Error::Forbidden)));
    let mapping = Mapping::from([("number".to_owned(), 1)]);
    import::check(db, &ada, id, &mapping).await.expect("it is there");
    assert!(
        matches!(import::check(db, &ada, id, &mapping).await, Err(Error::Stale)),
        "it waits"
    );
    run(db).await;

    // A week later nothing is left of the file but that it was there.
    world
        .clock
        .set(crm::testing::start() + import::KEPT + Duration::minutes(1));
    import::sweep(db, &BY).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM import_rows"), 0);
    let ada = people::again(world, ada.id()).await;
    let left = opened(db, &ada, id).await;
    assert!(left.samples.is_empty() && !left.import.has_lines(db.now()));
    assert!(matches!(import::check(db, &ada, id, &mapping).await, Err(Error::Stale)));
    let listed = import::list(&mut db.read().await.expect("a connection"), &ada, None, 10).await;
    assert_eq!(listed.expect("a list").len(), 1);
});
