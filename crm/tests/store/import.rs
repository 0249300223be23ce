//! Importing purchases, messy as they come.

use crate::common::*;
use chrono::{DateTime, Utc};
use crm::both_engines;
use crm::db::Db;
use crm::purchase::import::{Format, ImportError, Options, Progress, Sum, Summary, run};
use crm::testing::World;
use std::io::Write;
use std::path::{Path, PathBuf};

const RETAIL: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
const KABINET: &str = "document,at,customer,store,article,name,quantity,price,discount,original\n";

/// A file in a directory of its own.
struct File(tempfile::TempDir, PathBuf);

fn file(content: impl AsRef<[u8]>) -> File {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("purchases.csv");
    std::fs::write(&path, content).expect("written");
    File(dir, path)
}

impl File {
    /// The list of refused lines.
    fn rejected(&self) -> String {
        std::fs::read_to_string(self.0.path().join("purchases.csv.rejected.csv")).unwrap_or_default()
    }
}

async fn import(db: &Db, file: &File, format: Format) -> Result<Summary, ImportError> {
    run(db, &BY, &file.1, &Options::new(format), |_| {}).await
}

async fn imported(db: &Db, file: &File, format: Format) -> Summary {
    let summary = import(db, file, format).await.expect("imported");
    assert_eq!(summary.taken + summary.known + summary.rejected, summary.read);
    assert_books_agree(db).await;
    summary
}

async fn error(world: &World, content: impl AsRef<[u8]>, format: Format) -> String {
    let db = ready(world).await;
    let told = import(db, &file(content), format)
        .await
        .expect_err("refused")
        .to_string();
    assert_eq!(count(db, "SELECT COUNT(*) FROM purchases").await, 0);
    told
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    let mut conn = db.read().await.expect("a connection");
    crm::on!(conn, |c| sqlx::query_scalar(sql).fetch_one(c).await).expect("a number")
}

/// Everything that an import leaves behind, without ids and the time of the import.
async fn state(db: &Db) -> Vec<String> {
    const SQL: [&str; 5] = [
        "SELECT p.source || ' ' || p.document || ' ' || p.kind || ' ' || p.line_count || ' ' || p.total || ' ' || \
         COALESCE(c.external_id, '-') FROM purchases p LEFT JOIN customers c ON c.id = p.customer_id",
        "SELECT p.document || ' ' || l.ordinal || ' ' || a.code || ' ' || a.name || ' ' || l.quantity || ' ' || l.price \
         || ' ' || l.discount || ' ' || l.amount || ' ' || l.returned || ' ' || COALESCE(q.document, '-') \
         FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id JOIN articles a ON a.id = l.article_id \
         LEFT JOIN purchase_lines o ON o.id = l.original_line_id LEFT JOIN purchases q ON q.id = o.purchase_id",
        "SELECT COALESCE(c.external_id, '-') || ' ' || a.kind || ' ' || g.code || ' ' || a.balance FROM accounts a \
         JOIN programs g ON g.id = a.program_id LEFT JOIN customers c ON c.id = a.customer_id",
        "SELECT c.external_id || ' ' || c.name || ' ' || c.surname FROM customers c",
        "SELECT t.kind || ' ' || COUNT(*) || ' ' || SUM(o.amount) FROM transactions t \
         JOIN postings o ON o.transaction_id = t.id WHERE o.amount > 0 GROUP BY t.kind",
    ];
    let mut conn = db.read().await.expect("a connection");
    let mut state = Vec::new();
    for sql in SQL {
        let rows: Vec<String> = crm::on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await).expect("rows");
        state.extend(rows);
    }
    state.sort();
    state
}

fn gzip(content: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content.as_bytes()).expect("compressed");
    gzip.finish().expect("compressed")
}

both_engines!(
    an_unsorted_file_is_booked_in_order_of_time_and_twice_is_once,
    async |world| {
        let db = ready(world).await;
        let content = RETAIL.to_owned()
            + "C5,A,RETURNED ,-2,2026-10-05 10:00:00,1.50,17.0,UK\n\
           3,A,LATER,5,2026-10-03 10:00:00,1.50,17.0,UK\n\
           1,B,\"QUOTED \"\"B\"\", BIG\",1,2026-10-01 10:00:00,2.00,17.0,UK\n\
           1,A,FIRST,2,2026-10-01 10:01:00,1.50,17.0,UK\n\
           C6,A,RETURNED ,-9,2026-10-06 10:00:00,1.50,17.0,UK\n\
           2,N,found,-7,2026-10-02 10:00:00,0.0,,UK\n\
           4,N,,7,2026-10-02 10:00:00,0.0,,UK\n\
           4,N,NAMED AT LAST,7,2026-10-02 10:00:00,1.0,,UK\n";
        let file = file(gzip(&content));
        let first = imported(db, &file, Format::OnlineRetail).await;
        let expected = Summary {
            read: 8,
            taken: 8,
            documents: 6,
            customers: 1,
            sold: Sum {
                lines: 5,
                quantity: 22,
                amount: 19_50,
            },
            returned: Sum {
                lines: 3,
                quantity: -18,
                amount: -16_50,
            },
            matched: 1,
            unmatched: 2,
            ..Summary::default()
        };
        assert_eq!(first, expected);
        let after = state(db).await;
        let has = |row: &str| assert!(after.contains(&row.to_owned()), "{row} in {after:#?}");
        has("C5 1 A FIRST -2 150 0 -300 0 3");
        has("3 1 A FIRST 5 150 0 750 2 -");
        has("1 1 B QUOTED \"B\", BIG 1 200 0 200 0 -");
        has("4 2 N NAMED AT LAST 7 100 0 700 0 -");
        has("17 Покупатель 17");
        has("online-retail 2 return 1 0 -");
        assert_eq!(count(db, "SELECT COUNT(*) FROM import_lines").await, 0);

        let second = imported(db, &file, Format::OnlineRetail).await;
        assert_eq!(
            second,
            Summary {
                taken: 0,
                known: 8,
                ..expected
            }
        );
        assert_eq!(state(db).await, after);
        assert_eq!(file.rejected(), "");
    }
);

both_engines!(
    a_receipt_takes_its_earliest_time_and_local_time_is_the_shops,
    async |world| {
        let db = ready(world).await;
        let content =
            RETAIL.to_owned() + "1,A,X,1,2026-10-01 10:05:00,1.50,17,UK\n1,B,X,1,2026-10-01 10:00:00,1.50,17,UK\n";
        let file = file(content);
        let options = Options {
            shift_days: 31,
            ..Options::new(Format::OnlineRetail)
        };
        run(db, &BY, &file.1, &options, |_| {}).await.expect("imported");
        let mut conn = db.read().await.expect("a connection");
        let at: Vec<DateTime<Utc>> = crm::on!(conn, |c| sqlx::query_scalar("SELECT at FROM purchases")
            .fetch_all(c)
            .await)
        .expect("times");
        assert_eq!(
            at.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-11-01 07:00:00 UTC"]
        );
    }
);

both_engines!(
    lines_that_cannot_be_taken_are_listed_and_nothing_else_is_lost,
    async |world| {
        let db = ready(world).await;
        store(db, "N").await;
        let mut content = KABINET.as_bytes().to_vec();
        let lines: [&[u8]; 19] = [
            b"1,2026-10-01 10:00,7,N,A,Apple,1,10.00,,",
            b"1,2026-10-01 10:00,7,N,A,Apple,1,10.00,,",
            b"",
            b"1,2026-10-01 10:00,8,N,B,Plum,1,10.00,,",
            b"1,2026-02-31 10:00,7,N,B,Plum,1,10.00,,",
            b"1,2026-10-01 10:00,7,N,B,Plum,1,10.00,9.99,",
            b"2,2026-10-01 10:00,7,X,B,Plum,1,10.00,,",
            b"3,2026-10-01 10:00,7,,B,\"open,1,10.00,,",
            b"3,2026-10-01 10:00,7,,B,Plum,0,10.00,,",
            b"3,2026-10-01 10:00,7,,B,Plum,many,10.00,,",
            b"3,2026-10-01 10:00,7,,B,Plum,1,-10.00,,",
            b"3,2026-10-01 10:00,7,,B,Pl\x00um,1,10.00,,",
            b"3,2026-10-01 10:00,7,,B,Pl\xfcm,1,10.00,,",
            b"3,2026-10-01 10:00,7,,B,'; DROP TABLE articles; --,1,10.00,,",
            b"3,2026-10-01 10:00,7,,E,\xf0\x9f\x8d\x8e \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d,1,10.00,,",
            b",2026-10-01 10:00,7,,B,Plum,1,10.00,,",
            b"3,2026-10-01 10:00,7,,B,Plum,1,10.00",
            b"3,2026-10-01 10:00,7,,B,Plum,9999999999,9999999999.00,,",
            b"3,2026-10-01 10:00,7,,,Plum,1,10.00,,",
        ];
        for line in lines {
            content.extend_from_slice(line);
            content.extend_from_slice(b"\r\n");
        }
        let file = file(content);
        let summary = imported(db, &file, Format::Kabinet).await;
        assert_eq!(
            (summary.read, summary.taken, summary.rejected, summary.documents),
            (18, 5, 13, 2)
        );
        assert_eq!(summary.sold.amount, 40_01);
        let rejected = file.rejected();
        let mut told: Vec<&str> = rejected.lines().skip(1).collect();
        told.sort_by_key(|line| line.split(',').next().and_then(|n| n.parse::<i64>().ok()));
        assert_eq!(
            told,
            [
                "5,by its first line the receipt is customer 7's",
                "6,date and time cannot be read",
                "8,there is no store X",
                "9,a quotation mark is not closed",
                "10,the quantity is zero",
                "11,the quantity is not a whole number",
                "12,a price or quantity below zero",
                "13,name: control characters",
                "14,bytes that cannot be read as UTF-8",
                "17,document: empty",
                "18,\"8 fields, but 10 columns\"",
                "19,the amount is too large",
                "20,article: empty",
            ]
        );
        assert!(
            state(db).await.contains(&"1 5 B Plum 1 1000 999 1 0 -".to_owned()),
            "a refused line keeps its place"
        );

        // Put right in the file, the line joins its receipt; the rest stays as it is.
        let mended =
            String::from_utf8_lossy(&std::fs::read(&file.1).expect("read")).replace("2026-02-31", "2026-10-01");
        std::fs::write(&file.1, mended).expect("written");
        let again = imported(db, &file, Format::Kabinet).await;
        // A byte that is no text has become a sign that is.
        assert_eq!((again.taken, again.known, again.rejected), (2, 5, 11));
        assert!(state(db).await.contains(&"1 4 B Plum 1 1000 0 1000 0 -".to_owned()));
    }
);

both_engines!(what_changed_in_the_file_is_told_and_not_booked, async |world| {
    let db = ready(world).await;
    let line = |quantity| format!("{KABINET}1,2026-10-01 10:00,7,,A,Apple,{quantity},10.00,,\n");
    imported(db, &file(line(1)), Format::Kabinet).await;
    let changed = file(line(2));
    let summary = imported(db, &changed, Format::Kabinet).await;
    assert_eq!((summary.taken, summary.known, summary.rejected), (0, 0, 1));
    assert_eq!(
        changed.rejected(),
        "line,reason\n2,another line is in this place of the receipt already\n"
    );
    // Under another source it is another receipt.
    let options = Options {
        source: "web shop".into(),
        ..Options::new(Format::Kabinet)
    };
    let other = run(db, &BY, &changed.1, &options, |_| {}).await.expect("imported");
    assert_eq!((other.taken, changed.rejected()), (1, String::new()));
});

both_engines!(returns_of_our_own_format_name_their_receipt_or_find_it, async |world| {
    let db = ready(world).await;
    let content = KABINET.to_owned()
        + "R1,2026-10-09 10:00,,,A,Apple,-1,10.00,-1.00,S1\n\
           R2,2026-10-09 10:00,7,,A,Apple,-1,10.00,,\n\
           R3,2026-10-09 10:00,7,,A,Apple,-1,10.00,,S9\n\
           R4,2026-09-01 10:00,7,,A,Apple,-1,10.00,,S1\n\
           R5,2026-10-09 11:00,7,,A,Apple,-7,10.00,,S1\n\
           S1,2026-10-01 10:00,7,,A,Apple,3,10.00,3.00,\n\
           S2,2026-10-02 10:00,7,,A,Apple,1,10.00,,\n";
    let summary = imported(db, &file(content), Format::Kabinet).await;
    assert_eq!((summary.matched, summary.unmatched), (2, 3));
    let state = state(db).await;
    for row in [
        "R1 1 A Apple -1 1000 -100 -900 0 S1",
        "R2 1 A Apple -1 1000 0 -1000 0 S2",
        "S1 1 A Apple 3 1000 300 2700 1 -",
    ] {
        assert!(state.contains(&row.to_owned()), "{row} in {state:#?}");
    }
});

both_engines!(cdnow_has_a_receipt_for_each_line, async |world| {
    let db = ready(world).await;
    let content = " customer_id  date number_of_cds  dollar_value\r\n\
                   \u{20}00002 19970112  5   77.00\r\n 00001 19970101  1   11.77\r\n 00002 19970112  1   12.00\r\n\
                   \u{20}00002 19970112  1   12.00\r\n 00002 19970112  0   12.00\r\n 00002 19970112  3   10.00\r\n\
                   \u{20}00003 19970230  1    1.00\r\n 00003 19970201  2    0.00\r\n";
    let file = file(content);
    let summary = imported(db, &file, Format::Cdnow).await;
    assert_eq!((summary.read, summary.taken, summary.rejected), (8, 6, 2));
    assert_eq!((summary.documents, summary.customers), (6, 3));
    assert_eq!(
        summary.sold,
        Sum {
            lines: 6,
            quantity: 13,
            amount: 122_77
        }
    );
    let state = state(db).await;
    for row in [
        "00002-19970112-1 1 CD CD 5 1540 0 7700 0 -",
        "00002-19970112-5 1 CD CD 3 334 2 1000 0 -",
    ] {
        assert!(state.contains(&row.to_owned()), "{row} in {state:#?}");
    }
    assert_eq!(imported(db, &file, Format::Cdnow).await.known, 6);
});

both_engines!(files_that_cannot_be_read_say_why, async |world| {
    let row = "1,A,X,1,2026-10-01 10:00:00,1.50,17,UK\n";
    let told = error(world, "", Format::OnlineRetail).await;
    assert!(told.starts_with("the file is empty"), "{told}");
    let told = error(world, "a;b;c\n1;2;3\n", Format::Kabinet).await;
    assert_eq!(
        told,
        "line 1: the format kabinet needs the columns document, at, article, quantity, price"
    );
    let told = error(world, "\u{feff}InvoiceNo,StockCode\n", Format::OnlineRetail).await;
    assert!(
        told.ends_with("InvoiceDate, Quantity, UnitPrice, CustomerID, Description"),
        "{told}"
    );
    let told = error(world, RETAIL.to_owned() + row, Format::Cdnow).await;
    assert!(told.starts_with("line 1: the format cdnow needs"), "{told}");
    let utf16: Vec<u8> = std::iter::once(0xfeff_u16)
        .chain(RETAIL.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let told = error(world, utf16, Format::OnlineRetail).await;
    assert!(told.starts_with("line 1: the file is not in UTF-8"), "{told}");

    let many = (0..20_000).fold(RETAIL.to_owned(), |all, n| {
        all + &format!("{n},A,X,1,2026-10-01 10:00:00,1.50,{n},UK\n")
    });
    let mut short = gzip(&many);
    short.truncate(short.len() - 100);
    let told = error(world, short, Format::OnlineRetail).await;
    assert!(told.starts_with("cannot read on after line "), "{told}");
    assert!(told.ends_with("nothing of it was booked"), "{told}");
    let mut broken = gzip(&many);
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    let told = error(world, broken, Format::OnlineRetail).await;
    assert!(told.starts_with("cannot read on after line "), "{told}");

    let db = ready(world).await;
    let missing = run(
        db,
        &BY,
        Path::new("/no/such/file"),
        &Options::new(Format::Cdnow),
        |_| {},
    )
    .await;
    assert!(
        missing
            .expect_err("refused")
            .to_string()
            .starts_with("cannot open the file")
    );
    let good = file(RETAIL.to_owned() + row);
    for source in ["", "web", "staff"] {
        let options = Options {
            source: source.into(),
            ..Options::new(Format::OnlineRetail)
        };
        assert!(matches!(
            run(db, &BY, &good.1, &options, |_| {}).await,
            Err(ImportError::Source(_))
        ));
    }
    let options = Options {
        encoding: "klingon",
        ..Options::new(Format::OnlineRetail)
    };
    assert!(matches!(
        run(db, &BY, &good.1, &options, |_| {}).await,
        Err(ImportError::NoEncoding(_))
    ));
    // What an earlier attempt left in the staging table is no obstacle.
    assert_eq!(imported(db, &good, Format::OnlineRetail).await.taken, 1);
});

both_engines!(another_encoding_is_read_when_it_is_named, async |world| {
    let db = ready(world).await;
    let mut content = RETAIL.as_bytes().to_vec();
    content.extend_from_slice(b"1,A,CAF\xc9 \xa32 OFF,1,2026-10-01 10:00:00,1.50,17,UK\n");
    let file = file(content);
    assert_eq!(imported(db, &file, Format::OnlineRetail).await.rejected, 1);
    let options = Options {
        encoding: "windows-1252",
        ..Options::new(Format::OnlineRetail)
    };
    run(db, &BY, &file.1, &options, |_| {}).await.expect("imported");
    assert!(
        state(db)
            .await
            .contains(&"1 1 A CAFÉ £2 OFF 1 150 0 150 0 -".to_owned())
    );
});

both_engines!(ways_to_buy_and_to_pay_are_those_of_the_receipt, async |world| {
    let db = ready(world).await;
    let content = "document,at,article,quantity,price,payment,channel\n\
        1,2026-10-01 10:00,A,1,10.00,,\n1,2026-10-01 10:00,B,1,10.00,card Cash,APP\n\
        2,2026-10-01 10:00,A,1,10.00,,\n3,2026-10-01 10:00,A,1,10.00,barter,till\n\
        4,2026-10-01 10:00,A,1,10.00,other,kiosk\n5,2026-10-01 10:00,A,1,10.00,other,self_service\n";
    let first = file(content);
    let summary = imported(db, &first, Format::Kabinet).await;
    assert_eq!((summary.taken, summary.rejected), (4, 2));
    assert_eq!(
        first.rejected(),
        "line,reason\n5,payment: barter is not known\n6,channel: kiosk is not known\n"
    );
    let ways = async || -> Vec<(String, Option<String>, String)> {
        let mut conn = db.read().await.expect("a connection");
        const SQL: &str = "SELECT document, channel, payments FROM purchases ORDER BY document";
        crm::on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await).expect("read")
    };
    let way = |document: &str, channel: Option<&str>, payments: &str| {
        (document.to_owned(), channel.map(str::to_owned), payments.to_owned())
    };
    let expected = [
        way("1", Some("app"), "cash card"),
        way("2", None, ""),
        way("5", Some("self_service"), "other"),
    ];
    assert_eq!(ways().await, expected);
    // What is booked is changed by no import, and what was put right is added.
    let mended = content
        .replace("card Cash,APP", "credit,till")
        .replace("kiosk", "online");
    let summary = imported(db, &file(mended), Format::Kabinet).await;
    assert_eq!((summary.taken, summary.known, summary.rejected), (1, 4, 1));
    let after = ways().await;
    assert_eq!(
        (after.len(), &after[0], &after[2]),
        (4, &expected[0], &way("4", Some("online"), "other"))
    );
});

both_engines!(shops_are_chosen_where_the_file_names_none, async |world| {
    let db = ready(world).await;
    let (north, south) = (store(db, "N").await, store(db, "S").await);
    let content =
        KABINET.to_owned() + "1,2026-10-01 10:00,7,N,A,Apple,1,10.00,,\n2,2026-10-01 10:00,7,,A,Apple,1,10.00,,\n";
    let choose = move |document: &str| (document == "2").then_some(south);
    let options = Options {
        store_of: Some(&choose),
        ..Options::new(Format::Kabinet)
    };
    run(db, &BY, &file(content).1, &options, |_| {})
        .await
        .expect("imported");
    let mut conn = db.read().await.expect("a connection");
    let stores: Vec<crm::id::StoreId> = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT store_id FROM purchases ORDER BY document"
    )
    .fetch_all(c)
    .await)
    .expect("stores");
    assert_eq!(stores, [north, south]);
});

both_engines!(an_import_that_was_interrupted_ends_in_the_same_state, async |world| {
    let db = ready(world).await;
    let content = large();
    let file = file(&content);
    // The future is dropped in the middle of the booking, as a killed process would leave it.
    let mut halves = 0;
    let booking = std::sync::Arc::new(tokio::sync::Notify::new());
    let (notify, options) = (booking.clone(), Options::new(Format::OnlineRetail));
    tokio::select! {
        biased;
        () = booking.notified() => halves += 1,
        summary = run(db, &BY, &file.1, &options, |p| {
            if matches!(p, Progress::Booking { .. }) { notify.notify_one(); }
        }) => panic!("{summary:?}"),
    }
    assert_eq!(halves, 1);
    let booked = count(db, "SELECT COUNT(*) FROM purchase_lines").await;
    assert!(booked > 0 && booked < 12_000, "{booked}");
    let summary = imported(db, &file, Format::OnlineRetail).await;
    assert_eq!(summary.known, booked.unsigned_abs());
    assert_eq!(summary.taken + summary.known, 12_000);

    let other = crm::testing::sqlite().await;
    imported(ready(&other).await, &file, Format::OnlineRetail).await;
    assert_eq!(
        state(db).await,
        state(&other.db).await,
        "and as an import without interruption, on either engine"
    );
});

both_engines!(two_imports_of_one_source_at_once_book_nothing_twice, async |world| {
    let db = ready(world).await;
    let file = file(large());
    let (a, b) = tokio::join!(
        import(db, &file, Format::OnlineRetail),
        import(db, &file, Format::OnlineRetail)
    );
    assert!(
        [&a, &b].iter().any(|r| matches!(r, Err(ImportError::Busy(_)))),
        "{a:?} {b:?}"
    );
    assert_books_agree(db).await;
    let summary = imported(db, &file, Format::OnlineRetail).await;
    assert_eq!(summary.taken + summary.known, 12_000);
    assert_eq!(count(db, "SELECT COUNT(*) FROM purchase_lines").await, 12_000);
});

/// Twelve thousand lines in no order, a receipt of more than a batch among them, and returns.
fn large() -> String {
    let mut content = RETAIL.to_owned();
    for n in 0..12_000_u64 {
        let n = n * 7_919 % 12_000;
        let (day, customer, article) = (n % 28 + 1, n % 97, n % 13);
        let line = match n {
            0..5_500 => format!("BIG,{article},A {article},1,2026-10-15 10:00:00,1.{article:02},17.0,UK\n"),
            n if n % 20 == 0 => {
                format!("C{n},{article},A {article},-1,2026-10-{day:02} 12:00:00,1.{article:02},{customer}.0,UK\n")
            }
            n => format!(
                "{},{article},A {article},2,2026-10-{day:02} 11:00:00,1.{article:02},{customer}.0,UK\n",
                n % 97 + 100 * day
            ),
        };
        content.push_str(&line);
    }
    content
}
