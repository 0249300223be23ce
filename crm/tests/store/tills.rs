//! Tills: their keys, who joins at one, and many of them at the same moment, on both engines.

use crate::common::*;
use chrono::Duration;
use crm::both_engines;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::lang::Lang;
use crm::points::AccountKind;
use crm::points::store::{SpendError, exports};
use crm::purchase::claim::claim;
use crm::purchase::{Kind, Way};
use crm::rule::{Channel, Payment};
use crm::stores::NewStore;
use crm::testing::start;
use crm::till::catalogue::{self, NewArticle, NewCategory};
use crm::till::counter::{self, CounterError, Joining, Shown};
use crm::till::receipt::{self, Item, NewReceipt, ReceiptError};
use crm::till::{NewTill, Scope, redeem, store};
use crm::who::{self, Till};
use futures::future::join_all;

pub(crate) async fn till(db: &Db, code: &str, source: &str, scopes: &[Scope]) -> Till {
    let new = NewTill {
        code: code.into(),
        name: code.into(),
        source: source.into(),
        store: None,
    };
    let id = store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = store::create_key_by_system(db, &BY, id, scopes).await.expect("a key");
    who::till(db, &key).await.expect("no error").expect("a good key")
}

pub(crate) fn sale(document: &str) -> NewReceipt {
    NewReceipt {
        kind: Kind::Sale,
        document: document.into(),
        at: start(),
        store: None,
        customer: None,
        card: None,
        lines: vec![Item {
            article: "tea".into(),
            name: Some("Чай".into()),
            quantity: 2,
            price: 100_00,
            ..Item::default()
        }],
        redeem: None,
        code: None,
        way: Way::default(),
        coupons: Vec::new(),
    }
}

pub(crate) fn back(document: &str, of: &str) -> NewReceipt {
    let mut new = sale(document);
    new.kind = Kind::Return;
    new.lines[0].quantity = 1;
    new.lines[0].original = Some((of.into(), 1));
    new
}

pub(crate) async fn enrol(db: &Db, by: &Till, who: &Joining) -> Result<(crm::id::CustomerId, bool), CounterError> {
    db.write(|tx| scoped(counter::enrol(tx, by, who))).await
}

both_engines!(one_receipt_from_many_tills_at_once_is_booked_once, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let new = NewReceipt {
        customer: Some(anna.id()),
        ..sale("S-1")
    };
    let (new, till) = (&new, &till);
    let booked = join_all((0..50).map(|_| receipt::book(db, till, new))).await;
    let booked: Vec<_> = booked.into_iter().map(|one| one.expect("booked")).collect();
    assert_eq!(booked.iter().filter(|one| !one.known).count(), 1);
    assert!(
        booked
            .iter()
            .all(|one| one.id == booked[0].id && one.earned[0].points == 6_00)
    );
    assert_eq!(held(db, anna).await, (0, 6_00));
    assert_books_agree(db).await;
});

both_engines!(a_phone_joins_once_however_many_tills_send_it, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let joining = Joining {
        phone: "+7 900 000-00-45".into(),
        card: None,
        language: Lang::Ru,
        at: None,
    };
    let (joining, till) = (&joining, &till);
    let all = join_all((0..20).map(|_| enrol(db, till, joining))).await;
    let all: Vec<_> = all.into_iter().filter_map(Result::ok).collect();
    assert!(all.iter().all(|(id, _)| *id == all[0].0), "one record: {all:?}");
    assert_eq!(all.iter().filter(|(_, is_new)| *is_new).count(), 1);
    // Whoever was beaten sends it again.
    assert_eq!(enrol(db, till, joining).await.expect("known"), (all[0].0, false));
});

both_engines!(a_receipt_is_claimed_by_one_of_many, async |world| {
    let db = ready(world).await;
    let till = till(db, "one", "shop", &Scope::ALL).await;
    let booked = receipt::book(db, &till, &sale("S-1")).await.expect("booked");
    let code = booked.code.expect("a code");
    receipt::book(db, &till, &back("R-1", "S-1")).await.expect("booked");
    world.clock.set(start() + Duration::hours(1));
    let mut people = Vec::new();
    for _ in 0..10 {
        let who = customer(db).await;
        join(db, who, "club", db.now()).await;
        people.push(sign_in(db, who).await);
    }
    let (code, all) = (code.as_str(), &people);
    let claimed = join_all(all.iter().map(|who| claim(db, who, code))).await;
    assert_eq!(claimed.iter().filter(|one| one.is_ok()).count(), 1);
    for one in claimed.iter().filter(|one| one.is_err()) {
        assert!(
            matches!(one, Err(Error::Invalid(flaws)) if flaws[0].1 == Flaw::ClaimedBefore),
            "{one:?}"
        );
    }
    let mut points = 0;
    for who in all {
        points += held(db, who.me()).await.1;
    }
    assert_eq!(points, 3_00, "of the half that did not come back");
    assert_books_agree(db).await;
});

both_engines!(numbers_and_returns_belong_to_a_source, async |world| {
    let db = ready(world).await;
    let (one, two) = (
        till(db, "one", "shop", &Scope::ALL).await,
        till(db, "two", "shop", &Scope::ALL).await,
    );
    let other = till(db, "other", "kiosk", &Scope::ALL).await;
    let first = receipt::book(db, &one, &sale("S-1")).await.expect("booked");
    assert!(receipt::book(db, &two, &sale("S-1")).await.expect("known").known);
    let theirs = receipt::book(db, &other, &sale("S-1")).await.expect("another receipt");
    assert!(!theirs.known && theirs.id != first.id);
    let returned = receipt::book(db, &two, &back("R-1", "S-1")).await;
    assert!(
        returned.is_ok(),
        "a till takes back what another of its source sold: {returned:?}"
    );
    let missing = receipt::find(&mut db.read().await.expect("a connection"), &other, "R-1").await;
    assert!(
        matches!(missing, Err(ReceiptError::Crm(Error::NotFound))),
        "{missing:?}"
    );
    let void = db.write(|tx| scoped(receipt::void(tx, &other, "R-1"))).await;
    assert!(matches!(void, Err(ReceiptError::Crm(Error::NotFound))), "{void:?}");
    assert_books_agree(db).await;
});

both_engines!(a_key_under_which_points_are_reserved_is_the_tills_own, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    fund(db, anna, 10_00, start()).await;
    let (one, two) = (
        &till(db, "one", "shop", &Scope::ALL).await,
        &till(db, "two", "shop", &Scope::ALL).await,
    );
    let wish = &redeem::Wish {
        customer: anna.id(),
        program: Some("family"),
        points: 4_00,
        key: "points-1",
    };
    let mut held = Vec::new();
    for till in [one, one, two] {
        let reserved = db.write(|tx| scoped(redeem::reserve(tx, till, wish))).await;
        held.push(reserved.expect("reserved").id);
    }
    assert_eq!(held[0], held[1], "the same till, once more");
    assert_ne!(held[1], held[2], "another one that counts alike");
    let next = &redeem::Wish {
        key: "points-2",
        ..*wish
    };
    let more = db.write(|tx| scoped(redeem::reserve(tx, two, next))).await;
    assert!(
        matches!(more, Err(SpendError::NotEnough { missing: 2_00 })),
        "both hold points: {more:?}"
    );
    assert_books_agree(db).await;
});

both_engines!(a_key_is_good_for_its_scopes_and_no_more, async |world| {
    let db = ready(world).await;
    let none = till(db, "one", "shop", &[Scope::Accounting]).await;
    let booked = receipt::book(db, &none, &sale("S-1")).await;
    assert!(matches!(booked, Err(ReceiptError::Crm(Error::Forbidden))), "{booked:?}");
    let shown = counter::identify(db, &none, &Shown::Card("x".into())).await;
    assert!(matches!(shown, Err(CounterError::Crm(Error::Forbidden))), "{shown:?}");
    // With points but without the right to let them pay the whole receipt is refused.
    let anna = customer(db).await;
    let half = till(db, "two", "shop", &[Scope::Purchases]).await;
    let paying = NewReceipt {
        customer: Some(anna.id()),
        redeem: Some((crm::id::ReservationId::new(), 1)),
        ..sale("S-2")
    };
    let refused = receipt::book(db, &half, &paying).await;
    assert!(
        matches!(refused, Err(ReceiptError::Crm(Error::Forbidden))),
        "{refused:?}"
    );
    let left = receipt::find(&mut db.read().await.expect("a connection"), &half, "S-2").await;
    assert!(
        matches!(left, Err(ReceiptError::Crm(Error::NotFound))),
        "nothing of it is booked: {left:?}"
    );
});

both_engines!(a_key_is_seen_at_work_to_within_a_minute, async |world| {
    let db = ready(world).await;
    let new = NewTill {
        code: "one".into(),
        name: "One".into(),
        source: "shop".into(),
        store: None,
    };
    let id = store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = store::create_key_by_system(db, &BY, id, &Scope::ALL)
        .await
        .expect("a key");
    let used = async || -> Option<chrono::DateTime<chrono::Utc>> {
        let mut conn = db.read().await.expect("a connection");
        crm::on!(conn, |c| sqlx::query_scalar("SELECT used_at FROM api_keys")
            .fetch_one(c)
            .await)
        .expect("read")
    };
    assert_eq!(used().await, None);
    for (seconds, seen) in [(0, 0), (59, 0), (60, 60)] {
        world.clock.set(start() + Duration::seconds(seconds));
        who::till(db, &key).await.expect("no error").expect("good");
        assert_eq!(
            used().await,
            Some(start() + Duration::seconds(seen)),
            "after {seconds} s"
        );
    }
    let wrong = who::Token::received("kbt_wrong");
    assert!(who::till(db, &wrong).await.expect("no error").is_none());
});

both_engines!(
    a_basket_is_quoted_paid_with_points_and_stands_in_the_books,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        let card = card(db, anna, "active").await;
        let bought = NewReceipt {
            card: Some(card.clone()),
            ..sale("S-1")
        };
        receipt::book(db, &till, &bought).await.expect("booked");
        world.clock.set(start() + Duration::days(20));
        let present = counter::identify(db, &till, &Shown::Card(card.clone()))
            .await
            .expect("known");
        assert_eq!(
            (present.subject, present.balance.active),
            (anna, 6_00),
            "what was due has happened"
        );
        let basket = receipt::Basket {
            card: Some(card),
            lines: sale("-").lines,
            ..receipt::Basket::default()
        };
        let quote = receipt::quote(db, &till, &basket).await.expect("a quote");
        assert_eq!((quote.total, quote.earns[0].points), (200_00, 6_00));
        assert_eq!(quote.payable.map(|payable| payable.most), Some(6_00));

        let wish = redeem::Wish {
            customer: anna.id(),
            program: None,
            points: 4_00,
            key: "points-1",
        };
        let (till, wish) = (&till, &wish);
        let held = db
            .write(|tx| scoped(redeem::reserve(tx, till, wish)))
            .await
            .expect("reserved");
        let taken = db
            .write(|tx| scoped(redeem::capture(tx, till, held.id, 3_00)))
            .await
            .expect("captured");
        assert_eq!((taken.points, taken.captured), (4_00, 3_00));
        let mut conn = db.read().await.expect("a connection");
        let (first, last) = (db.shop().day(start()), db.shop().day(db.now()));
        let books = exports::postings(&mut conn, &BY, first, last).await.expect("the books");
        assert_eq!(books.iter().map(|one| one.points).sum::<i64>(), 0, "{books:?}");
        let spent: i64 = books
            .iter()
            .filter(|one| one.account == AccountKind::Spent)
            .map(|one| one.points)
            .sum();
        assert_eq!(spent, 3_00, "{books:?}");
        let owed = exports::liability(&mut conn, &BY).await.expect("what is owed");
        assert_eq!(
            owed.iter()
                .map(|one| (one.from_days, one.points, one.lots))
                .collect::<Vec<_>>(),
            [(0, 3_00, 1)]
        );
    }
);

both_engines!(
    shops_categories_and_articles_are_replaced_by_their_codes,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let till = &till;
        let text = |word: &str| crm::lang::Localized::new(word, word);
        let categories = &[NewCategory {
            code: "tea".into(),
            name: text("Чай"),
            parent: None,
        }];
        for name in ["Чай чёрный", "Чай зелёный"] {
            let articles = &[NewArticle {
                code: "t1".into(),
                name: name.into(),
                category: Some("tea".into()),
                ..NewArticle::default()
            }];
            db.write(|tx| {
                scoped(async move {
                    catalogue::put_categories(tx, till, categories).await?;
                    catalogue::put_articles(tx, till, articles).await
                })
            })
            .await
            .expect("written");
        }
        let mut conn = db.read().await.expect("a connection");
        let rows: Vec<(String, bool)> = crm::on!(conn, |c| sqlx::query_as(
            "SELECT name, category_id IS NOT NULL FROM articles WHERE code = 't1'"
        )
        .fetch_all(c)
        .await)
        .expect("read");
        assert_eq!(rows, [("Чай зелёный".to_owned(), true)]);
    }
);

both_engines!(the_catalogue_is_read_back_in_parts_by_code, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &[Scope::Catalogue]).await;
    let text = |word: &str| crm::lang::Localized {
        ru: format!("{word} по-русски"),
        en: word.into(),
    };
    let hours = "[[540,1260],null,null,null,null,null,null]";
    let store = |code: &str| NewStore {
        code: code.into(),
        name: text(code),
        town: text("Tver"),
        address: text("Lane"),
        latitude: Some(56_858_000),
        longitude: None,
        hours: serde_json::from_str(hours).expect("hours"),
        phone: Some("+79000000045".into()),
        region: Some("north".into()),
        time_zone: Some("Asia/Omsk".into()),
        exceptions: Some(crm::stores::Exceptions::default()),
    };
    let category = |code: &str, parent: Option<&str>| NewCategory {
        code: code.into(),
        name: text(code),
        parent: parent.map(str::to_owned),
    };
    let article = |code: &str| NewArticle {
        code: code.into(),
        name: format!("Товар {code}"),
        category: (code != "a").then(|| "tea".to_owned()),
        brand: (code == "b").then(|| "Сосна".to_owned()),
        payable: Some(code != "c"),
    };
    let mut conn = db.read().await.expect("a connection");
    let nothing = catalogue::stores(&mut conn, till, "", 2).await.expect("read");
    assert_eq!((nothing.records, nothing.next), (Vec::new(), None));
    drop(conn);
    let stores = &["b", "a", "c"].map(store);
    let categories = &[
        category("tea", Some("drinks")),
        category("drinks", None),
        category("cups", None),
    ];
    let articles = &["c", "a", "b", "d"].map(article);
    db.write(|tx| {
        scoped(async move {
            catalogue::put_stores(tx, till, stores).await?;
            catalogue::put_categories(tx, till, categories).await?;
            catalogue::put_articles(tx, till, articles).await
        })
    })
    .await
    .expect("written");
    let mut conn = db.read().await.expect("a connection");
    // As it was written: what is read can be written again.
    let first = catalogue::stores(&mut conn, till, "", 2).await.expect("read");
    assert_eq!(
        (first.records, first.next),
        (vec![store("a"), store("b")], Some("b".to_owned()))
    );
    let rest = catalogue::stores(&mut conn, till, "b", 2).await.expect("read");
    assert_eq!((rest.records, rest.next), (vec![store("c")], None));
    // A part that is exactly full has none after it.
    let all = catalogue::categories(&mut conn, till, "", 3).await.expect("read");
    let expected = vec![
        category("cups", None),
        category("drinks", None),
        category("tea", Some("drinks")),
    ];
    assert_eq!((all.records, all.next), (expected, None));
    let middle = catalogue::articles(&mut conn, till, "a", 2).await.expect("read");
    assert_eq!(
        (middle.records, middle.next),
        (vec![article("b"), article("c")], Some("c".to_owned()))
    );
    // A place where nothing stands any more is a place all the same.
    let after = catalogue::articles(&mut conn, till, "bb", 9).await.expect("read");
    assert_eq!(after.records, [article("c"), article("d")]);
    drop(conn);

    let other = super::till(db, "two", "shop", &[Scope::Purchases]).await;
    let mut conn = db.read().await.expect("a connection");
    let refused = catalogue::articles(&mut conn, &other, "", 9).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

both_engines!(the_receipts_of_a_customer_are_read_back, async |world| {
    let db = ready(world).await;
    let by = till(db, "one", "shop", &[Scope::Purchases]).await;
    let other = till(db, "two", "kiosk", &[Scope::Purchases]).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let read = async |by: &Till, who: crm::id::CustomerId, before, limit| {
        let mut conn = db.read().await.expect("a connection");
        receipt::of_customer(&mut conn, by, who, before, limit).await
    };
    assert_eq!(read(&by, anna.id(), None, 10).await.expect("nothing"), (vec![], None));
    let mut lines = sale("-").lines;
    lines[0].discount = 10_00;
    lines[0].rule_discount = 10_00;
    lines.push(Item {
        article: "cup".into(),
        name: Some("Чашка".into()),
        quantity: 1,
        price: 50_00,
        ..Item::default()
    });
    let first = NewReceipt {
        customer: Some(anna.id()),
        way: Way::new(Some(Channel::Till), &[Payment::Card]),
        lines: lines.clone(),
        ..sale("S-1")
    };
    let waiting = NewReceipt {
        customer: Some(anna.id()),
        at: start() + Duration::minutes(2),
        ..back("R-2", "S-9")
    };
    let voided = NewReceipt {
        customer: Some(anna.id()),
        at: start() + Duration::minutes(3),
        ..sale("S-3")
    };
    receipt::book(db, &by, &first).await.expect("booked");
    let returned = NewReceipt {
        at: start() + Duration::minutes(1),
        ..back("R-1", "S-1")
    };
    for new in [&returned, &waiting, &voided] {
        receipt::book(db, &by, new).await.expect("booked");
    }
    let by_ref = &by;
    db.write(|tx| scoped(receipt::void(tx, by_ref, "S-3")))
        .await
        .expect("voided");
    let theirs = NewReceipt {
        customer: Some(anna.id()),
        ..sale("S-1")
    };
    receipt::book(db, &other, &theirs).await.expect("another source");
    let of_boris = NewReceipt {
        customer: Some(boris.id()),
        ..sale("B-1")
    };
    receipt::book(db, &by, &of_boris).await.expect("somebody else's");

    let (all, next) = read(&by, anna.id(), None, 4).await.expect("read");
    assert_eq!(next, None, "exactly full");
    let documents: Vec<_> = all
        .iter()
        .map(|one| (one.kind, one.document.as_str(), one.total))
        .collect();
    assert_eq!(
        documents,
        [
            (Kind::Sale, "S-3", 200_00),
            (Kind::Return, "R-2", -100_00),
            (Kind::Return, "R-1", -100_00),
            (Kind::Sale, "S-1", 240_00)
        ]
    );
    assert!(all[0].voided_at.is_some() && all[1].voided_at.is_none());
    assert_eq!(all[3].way, first.way);
    // No rule owns up to what the till says that rules took off.
    lines[0].rule_discount = 0;
    assert_eq!(all[3].lines, lines, "as it was sent");
    assert_eq!(
        [&all[1].lines[0].original, &all[2].lines[0].original],
        [&Some(("S-9".to_owned(), 1)), &Some(("S-1".to_owned(), 1))]
    );
    assert_eq!(all[2].lines[0].quantity, 1, "above zero, as it was sent");
    // Part by part, while newer ones come in.
    let (part, next) = read(&by, anna.id(), None, 2).await.expect("read");
    assert_eq!(part, all[..2]);
    let newer = NewReceipt {
        customer: Some(anna.id()),
        at: start() + Duration::hours(1),
        ..sale("S-4")
    };
    receipt::book(db, &by, &newer).await.expect("booked");
    let (part, next) = read(&by, anna.id(), next, 2).await.expect("read");
    assert_eq!((part.as_slice(), next), (&all[2..], None));
    assert_eq!(read(&other, anna.id(), None, 9).await.expect("read").0.len(), 1);
    let nobody = read(&by, crm::id::CustomerId::new(), None, 9).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    let blind = till(db, "three", "shop", &[Scope::Customers]).await;
    let refused = read(&blind, anna.id(), None, 9).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

both_engines!(what_another_system_changes_stands_in_the_history, async |world| {
    let db = ready(world).await;
    let till = &till(db, "erp", "shop", &[Scope::Catalogue]).await;
    let send = async |name: &str| {
        let new = &[NewArticle {
            code: "a".into(),
            name: name.into(),
            ..NewArticle::default()
        }];
        db.write(|tx| scoped(async move { catalogue::put_articles(tx, till, new).await }))
            .await
            .expect("written");
    };
    send("Чай").await;
    send("Чай").await;
    send("Чай чёрный").await;
    let mut conn = db.read().await.expect("a connection");
    let log: Vec<(String, String)> = crm::on!(conn, |c| sqlx::query_as(
        "SELECT action, reason FROM audit WHERE action LIKE 'article.%' ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    drop(conn);
    let sent = ("article.sent".to_owned(), "name: \"Чай\" → \"Чай чёрный\"".to_owned());
    assert_eq!(log, [sent], "what is new or the same has no history");

    // What a colleague changes in the same moment is not the other system's doing.
    let begun = &tokio::sync::Notify::new();
    let colleague = db.write(|tx| {
        scoped(async move {
            const SQL: &str = "UPDATE articles SET brand = 'Сосна' WHERE code = 'a'";
            crm::on!(tx, |c| sqlx::query(SQL).execute(c).await.map(drop))?;
            begun.notify_one();
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            Ok::<_, Error>(())
        })
    });
    let sent = async {
        begun.notified().await;
        send("Чай зелёный").await;
    };
    let (done, ()) = tokio::join!(colleague, sent);
    done.expect("written");
    let last = crate::common::people::one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'article.sent' ORDER BY id DESC LIMIT 1"
    );
    assert_eq!(last, "name: \"Чай чёрный\" → \"Чай зелёный\"");

    let text = |word: &str| crm::lang::Localized::new(word, word);
    let far = &[NewStore {
        code: "far".into(),
        name: text("Far"),
        town: text("Tver"),
        address: text("Lane"),
        latitude: Some(90_000_001),
        longitude: Some(-180_000_001),
        hours: serde_json::from_str("[null,null,null,null,null,null,null]").expect("hours"),
        phone: None,
        region: None,
        time_zone: None,
        exceptions: None,
    }];
    let refused = db
        .write(|tx| scoped(async move { catalogue::put_stores(tx, till, far).await }))
        .await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let out = |n: i64| Flaw::OutOfRange { min: -n, max: n };
    assert_eq!(
        flaws,
        [
            ("stores/0/latitude".to_owned(), out(90)),
            ("stores/0/longitude".to_owned(), out(180))
        ]
    );
});
