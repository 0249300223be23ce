//! Tables that staff take away: what is in them, who may have which column, for how long, and what a stop does, on both engines.

use crate::common::people::{self, administrator, agent, contact, moments_after, one, sql};
use crate::common::*;
use calamine::{Data, Reader as _, Xlsx};
use chrono::{Duration, NaiveDate};
use crm::both_engines;
use crm::contact::Kind as Contact;
use crm::db::Db;
use crm::error::Error;
use crm::extract::{self, Extract, Format, Kind, State, Wish};
use crm::flaw::Flaw;
use crm::id::{ExtractId, StoreId};
use crm::request::store as requests;
use crm::request::{NewRating, NewRequest};
use crm::testing::{World, start};
use crm::who::Staff;
use std::io::Cursor;

fn wish(kind: Kind, columns: &[&str]) -> Wish {
    Wish {
        kind,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        format: Format::Csv,
        from: None,
        to: None,
        store: None,
    }
}

async fn ask(db: &Db, by: &Staff, wish: &Wish) -> Result<ExtractId, Error> {
    extract::ask(db, &by.fresh(db).expect("moments ago"), wish).await
}

async fn run(db: &Db) {
    while extract::run_next(db, &BY, || true).await.expect("it runs") {}
}

async fn download(db: &Db, by: &Staff, id: ExtractId) -> Result<Vec<u8>, Error> {
    let mut file = extract::download(db, &by.fresh(db).expect("moments ago"), id).await?;
    let mut bytes = Vec::new();
    while let Some(part) = file.part().await? {
        bytes.extend(part);
    }
    Ok(bytes)
}

/// The whole of a file, made at once.
async fn made(db: &Db, by: &Staff, wish: &Wish) -> Vec<u8> {
    let id = ask(db, by, wish).await.expect("asked");
    run(db).await;
    download(db, by, id).await.expect("it is ready")
}

async fn text(db: &Db, by: &Staff, wish: &Wish) -> String {
    String::from_utf8(made(db, by, wish).await).expect("text")
}

async fn list(db: &Db, by: &Staff) -> Vec<Extract> {
    let mut conn = db.read().await.expect("a connection");
    extract::list(&mut conn, by).await.expect("a list")
}

/// Anna, a member with two receipts, one of them brought back, and Boris with nothing.
async fn shop(world: &World) -> &Db {
    let db = ready(world).await;
    let anna = BY.subject(people::row(world, "=cmd()", "Лебедева").await);
    contact(world, anna.id(), Contact::Phone, "+79001234501").await;
    join(db, anna, "club", start() - days(60)).await;
    slip("A-1", anna, start() - days(40))
        .line("tea", 2, 100_00)
        .book(db)
        .await;
    slip("A-2", anna, start() - days(10))
        .line("cup", 1, 49_90)
        .book(db)
        .await;
    people::row(world, "Борис", "К").await;
    db
}

both_engines!(
    a_table_has_what_was_asked_for_as_text_and_as_a_workbook,
    async |world| {
        let db = shop(world).await;
        let ada = administrator(world).await;
        let people = text(
            db,
            &ada,
            &wish(Kind::Customers, &["name", "surname", "phone", "receipts"]),
        )
        .await;
        assert_eq!(
            people, "\u{feff}Чеков;Имя;Фамилия;Телефон\r\n2;'=cmd();Лебедева;'+79001234501\r\n0;Борис;К;\r\n",
            "in the order of the list, and no cell is a formula"
        );
        let lines = wish(
            Kind::Purchases,
            &["document", "article", "quantity", "price", "amount", "customer_phone"],
        );
        assert_eq!(
            text(db, &ada, &lines).await,
            "\u{feff}Номер чека;Артикул;Количество;Цена;Оплачено;Телефон\r\n\
         A-1;tea;2;100,00;200,00;'+79001234501\r\nA-2;cup;1;49,90;49,90;'+79001234501\r\n"
        );
        let narrowed = Wish {
            from: (start() - days(20)).date_naive().into(),
            to: (start() - days(5)).date_naive().into(),
            ..wish(Kind::Purchases, &["document"])
        };
        assert_eq!(text(db, &ada, &narrowed).await, "\u{feff}Номер чека\r\nA-2\r\n");
        for kind in Kind::ALL {
            let all: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
            let written = text(db, &ada, &wish(kind, &all)).await;
            let head = written.lines().next().expect("a head");
            assert_eq!(head.split(';').count(), all.len(), "{head}");
        }
        let points = text(
            db,
            &ada,
            &wish(Kind::Points, &["kind", "account", "points", "document"]),
        )
        .await;
        assert!(points.contains("A-1"), "{points}");

        let book = Wish {
            format: Format::Xlsx,
            ..lines
        };
        let bytes = made(db, &ada, &book).await;
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).expect("a workbook");
        let name = book.sheet_names()[0].clone();
        let sheet = book.worksheet_range(&name).expect("a sheet");
        assert_eq!(sheet.height(), 3);
        assert_eq!(sheet.get((1, 3)), Some(&Data::Float(100.0)), "a number is a number");
        assert_eq!(
            sheet.get((1, 5)),
            Some(&Data::String("+79001234501".into())),
            "a text is a text"
        );
    }
);

both_engines!(a_choice_outlives_its_file_and_lines_are_of_one_shop, async |world| {
    let db = ready(world).await;
    let (ada, nina) = (administrator(world).await, agent(world).await);
    let anna = BY.subject(people::row(world, "Анна", "Лебедева").await);
    let (omsk, perm) = (store(db, "omsk").await, store(db, "perm").await);
    for (document, shop) in [("O-1", omsk), ("P-1", perm), ("O-2", omsk)] {
        let slip = slip(document, anna, start() - days(1)).line("tea", 1, 1_00);
        slip.at_store(shop).book(db).await;
    }
    slip("N-1", anna, start() - days(1)).line("tea", 1, 1_00).book(db).await;
    let last = async |by: &Staff, kind| {
        let mut conn = db.read().await.expect("a connection");
        extract::last(&mut conn, by, kind).await
    };
    assert_eq!(last(&ada, Kind::Purchases).await.expect("read"), None);
    let of_omsk = Wish {
        store: Some(omsk),
        ..wish(Kind::Purchases, &["document"])
    };
    let of_omsk = Wish {
        from: Some(crm::testing::start().date_naive() - days(30)),
        ..of_omsk
    };
    let lines = text(db, &ada, &of_omsk).await;
    // What it was narrowed to stands in the log.
    let told = one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'extract.ask' ORDER BY id DESC LIMIT 1"
    );
    assert_eq!(
        told,
        format!("purchases csv: document; from 2026-10-22; store {}", omsk.0)
    );
    let mut lines: Vec<&str> = lines.lines().skip(1).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["O-1", "O-2"]);
    assert_eq!(
        text(db, &ada, &wish(Kind::Purchases, &["document"]))
            .await
            .lines()
            .count(),
        5
    );
    let unheard_of = Wish {
        store: Some(StoreId::new()),
        ..of_omsk.clone()
    };
    let refused = ask(db, &ada, &unheard_of).await;
    let flaw = ("store".to_owned(), Flaw::NotAChoice);
    assert!(
        matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == [flaw.clone()]),
        "{refused:?}"
    );

    // The last one counts, of its kind and of whoever asked, long after its file is gone.
    let book = Wish {
        format: Format::Xlsx,
        ..of_omsk
    };
    made(db, &ada, &book).await;
    let customers = Wish {
        store: Some(omsk),
        ..wish(Kind::Customers, &["source"])
    };
    made(db, &ada, &customers).await;
    world.clock.set(start() + days(40));
    extract::sweep(db, &BY).await.expect("swept");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM extracts"), 0);
    let kept = last(&ada, Kind::Purchases).await.expect("read").expect("a choice");
    assert_eq!(
        (&kept.columns[..], kept.format, kept.store),
        (&["document".to_owned()][..], Format::Xlsx, Some(omsk))
    );
    let kept = last(&ada, Kind::Customers).await.expect("read").expect("a choice");
    assert_eq!(kept.store, None, "customers are of no shop");
    assert_eq!(last(&ada, Kind::Points).await.expect("read"), None);
    let refused = last(&nina, Kind::Purchases).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

both_engines!(lines_come_by_their_time_each_of_them_once_however_many, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let anna = BY.subject(people::row(world, "Анна", "Лебедева").await);
    join(db, anna, "club", start() - days(60)).await;
    // More of one moment than are read at once, and an earlier one that was booked later.
    let many = (1..=1_200).fold(slip("B-2", anna, start() - days(1)), |slip, n| {
        slip.line("tea", n, 1_00)
    });
    many.book(db).await;
    slip("B-1", anna, start() - days(2)).line("tea", 1, 1_00).book(db).await;
    let lines = text(db, &ada, &wish(Kind::Purchases, &["document", "quantity"])).await;
    let mut lines: Vec<&str> = lines.lines().skip(1).collect();
    assert_eq!(lines.first(), Some(&"B-1;1"));
    assert_eq!(lines.len(), 1_201);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 1_201);
    let points = text(db, &ada, &wish(Kind::Points, &["document"])).await;
    let first = points.lines().nth(1);
    assert_eq!(first, Some("B-1"), "{points}");
    // A day of a table is no more than what happened on it.
    let day = (start() - days(2)).date_naive();
    let narrowed = Wish {
        from: Some(day),
        to: Some(day),
        ..wish(Kind::Points, &["document"])
    };
    let of_a_day = text(db, &ada, &narrowed).await;
    assert!(of_a_day.contains("B-1") && !of_a_day.contains("B-2"), "{of_a_day}");
});

both_engines!(who_somebody_is_goes_to_those_who_may_see_it, async |world| {
    let db = shop(world).await;
    let ada = administrator(world).await;
    let analyst = moments_after(world, "nina", "Нина", "analyst").await;
    let agnia = agent(world).await;
    assert!(matches!(
        ask(db, &agnia, &wish(Kind::Points, &["points"])).await,
        Err(Error::Forbidden)
    ));
    for (kind, column) in [
        (Kind::Customers, "phone"),
        (Kind::Purchases, "customer_name"),
        (Kind::Points, "customer_phone"),
        (Kind::Requests, "assignee"),
    ] {
        let refused = ask(db, &analyst, &wish(kind, &["customer_id", column])).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{column}");
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM extracts"), 0);
    match ask(db, &ada, &wish(Kind::Points, &["nothing"])).await {
        Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("columns".to_owned(), Flaw::Missing)]),
        other => panic!("{other:?}"),
    }
    let backwards = Wish {
        from: NaiveDate::from_ymd_opt(2026, 11, 2),
        to: NaiveDate::from_ymd_opt(2026, 11, 1),
        ..wish(Kind::Points, &["points"])
    };
    match ask(db, &ada, &backwards).await {
        Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("to".to_owned(), Flaw::Backwards)]),
        other => panic!("{other:?}"),
    }

    let theirs = ask(db, &analyst, &wish(Kind::Customers, &["customer_id", "receipts"]))
        .await
        .expect("asked");
    assert!(
        matches!(download(db, &analyst, theirs).await, Err(Error::NotFound)),
        "it is not made yet"
    );
    run(db).await;
    assert!(
        matches!(download(db, &ada, theirs).await, Err(Error::NotFound)),
        "it is somebody else's"
    );
    download(db, &analyst, theirs).await.expect("it is theirs");
    for (action, reason) in [
        ("extract.ask", "customers csv: customer_id receipts"),
        ("extract.made", "customers csv 2"),
        ("extract.download", "customers csv 2: customer_id receipts"),
    ] {
        let told = one!(
            world,
            String,
            "SELECT reason FROM audit WHERE action = $1 AND object_id = $2",
            action,
            theirs
        );
        assert_eq!(told, reason, "{action}");
    }
    // Whoever has lost the right that a column took does not get the file that they asked for.
    let personal = ask(db, &ada, &wish(Kind::Customers, &["phone"])).await.expect("asked");
    run(db).await;
    let id = ada.id();
    sql!(world, "UPDATE staff SET role = 'analyst' WHERE id = $1", id);
    let narrowed = people::again(world, id).await;
    assert!(matches!(download(db, &narrowed, personal).await, Err(Error::Forbidden)));
});

both_engines!(so_many_wait_at_a_time_and_none_grows_for_ever, async |world| {
    let db = shop(world).await;
    let ada = administrator(world).await;
    let names = wish(Kind::Customers, &["name"]);
    for _ in 0..3 {
        ask(db, &ada, &names).await.expect("asked");
    }
    match ask(db, &ada, &names).await {
        Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("columns".to_owned(), Flaw::TooManyWaiting { max: 3 })]),
        other => panic!("{other:?}"),
    }
    let nina = moments_after(world, "nina", "Нина", "analyst").await;
    ask(db, &nina, &wish(Kind::Customers, &["receipts"]))
        .await
        .expect("others are others");
    run(db).await;
    let book = Wish {
        format: Format::Xlsx,
        ..names.clone()
    };
    for wish in [&names, &book] {
        let id = ask(db, &ada, wish).await.expect("none waits any more");
        // Another node left something of it.
        sql!(
            world,
            "INSERT INTO extract_parts (extract_id, ordinal, bytes) VALUES ($1, 70, $2)",
            id,
            vec![1_u8]
        );
        assert!(extract::run_next_up_to(db, &BY, 10, || true).await.expect("it runs"));
        let mine = list(db, &ada).await;
        let found = mine.iter().find(|one| one.id == id).expect("listed");
        assert_eq!((found.state, found.until()), (State::TooLarge, None));
        assert!(matches!(download(db, &ada, id).await, Err(Error::NotFound)));
        let left = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM extract_parts WHERE extract_id = $1",
            id
        );
        assert_eq!(left, 0, "nothing of it stays");
    }
});

both_engines!(a_file_stays_for_a_day_and_a_stop_begins_it_anew, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    for n in 0..2500 {
        people::row(world, "Анна", &format!("К{}", "а".repeat(n % 7))).await;
    }
    let id = ask(db, &ada, &wish(Kind::Customers, &["customer_id", "name"]))
        .await
        .expect("asked");
    // A node that stops gives it back after its first part.
    assert!(extract::run_next(db, &BY, || false).await.expect("it runs"));
    let mine = list(db, &ada).await;
    assert_eq!((mine[0].state, mine[0].until()), (State::Waiting, None));
    run(db).await;
    let mine = list(db, &ada).await;
    assert_eq!((mine[0].state, mine[0].row_count), (State::Done, 2500));
    assert_eq!(mine[0].until(), Some(start() + Duration::hours(24)));
    let bytes = download(db, &ada, id).await.expect("it is ready");
    assert_eq!(i64::try_from(bytes.len()).expect("small"), mine[0].size);
    let written = String::from_utf8(bytes).expect("text");
    let mut lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 2501);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 2501, "each of them once");

    world.clock.set(start() + Duration::hours(24));
    let ada = people::again(world, ada.id()).await;
    assert!(matches!(download(db, &ada, id).await, Err(Error::NotFound)));
    extract::sweep(db, &BY).await.expect("swept");
    for gone in ["SELECT COUNT(*) FROM extracts", "SELECT COUNT(*) FROM extract_parts"] {
        assert_eq!(one!(world, i64, gone), 0, "{gone}");
    }
});

both_engines!(requests_are_taken_away_as_they_are_worked_on, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let support = agent(world).await;
    let anna = people::customer(world, "Анна", "К").await;
    let new = NewRequest {
        topic: "card".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let mut numbers = Vec::new();
    for minutes in 0..2 {
        world.clock.set(start() + Duration::minutes(minutes));
        numbers.push(requests::create(db, &anna, &new, &[]).await.expect("written"));
    }
    let [kept, gone] = numbers[..] else {
        panic!("two requests")
    };
    for (minutes, score) in [(10, "2"), (30, "5")] {
        world.clock.set(start() + Duration::minutes(minutes));
        requests::close(db, &anna, kept).await.expect("closed");
        let rating = NewRating {
            score: score.into(),
            comment: String::new(),
        };
        requests::rate(db, &anna, kept, &rating).await.expect("rated");
        world.clock.set(start() + Duration::minutes(minutes + 5));
        requests::reopen(db, &anna, kept).await.expect("opened again");
    }
    for tag in ["чек", "баллы"] {
        sql!(
            world,
            "INSERT INTO request_tags (request_id, tag) SELECT id, $2 FROM requests WHERE number = $1",
            kept,
            tag
        );
    }
    let ada = people::again(world, ada.id()).await;
    let columns = ["number", "status", "reopenings", "score", "tags"];
    let table = wish(Kind::Requests, &columns);
    let head = "\u{feff}Номер обращения;Состояние;Открывали снова;Последняя оценка;Метки\r\n";
    let first = format!("{kept};open;2;5;баллы, чек\r\n");
    assert_eq!(text(db, &ada, &table).await, format!("{head}{first}{gone};new;0;;\r\n"));
    // One that went into another one is that one, and no closed request beside it.
    crm::request::merge::merge(db, &support, kept, &[gone.to_string()])
        .await
        .expect("one request");
    assert_eq!(text(db, &ada, &table).await, format!("{head}{first}"));
    // The queue is told by its name.
    let queue = text(db, &ada, &wish(Kind::Requests, &["queue"])).await;
    let named = one!(
        world,
        Option<String>,
        "SELECT (SELECT u.name ->> 'ru' FROM queues u WHERE u.id = r.queue_id) FROM requests r WHERE r.number = $1",
        kept
    );
    let written = match &named {
        Some(name) => format!("\u{feff}Очередь\r\n{name}\r\n"),
        None => "\u{feff}Очередь\r\n\"\"\r\n".to_owned(),
    };
    assert_eq!(queue, written);
});
