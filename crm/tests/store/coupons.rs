//! Coupons and segments, and the clocks of shops: what rules ask about them, on both engines.

use crate::common::people::{self, marketer, one, sql};
use crate::common::*;
use crate::rules::{TENTH, fixed, member, publish, rule};
use crate::tills::{back, sale, till};
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::coupon::store::{self as coupons, managing};
use crm::coupon::{Coupon, Presented, Refusal, Series, State};
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{ArticleId, CouponId, PurchaseId, SeriesId};
use crm::lang::Localized;
use crm::purchase::claim::claim;
use crm::quote::what_if;
use crm::rule::store::days as daily;
use crm::segment::{self, Act};
use crm::testing::start;
use crm::till::Scope;
use crm::till::receipt::{self, Basket, NewReceipt, Receipt, ReceiptError};
use crm::who::{Customer, Staff, Subject, Till};
use futures::future::join_all;
use std::collections::BTreeSet;

fn text(word: &str) -> Localized {
    Localized {
        ru: format!("{word} по-русски"),
        en: word.into(),
    }
}

/// A series whose coupons are good for ten days.
async fn series(db: &Db, code: &str, bearer: bool, uses: i64) -> SeriesId {
    let new = Series {
        code: code.into(),
        name: text(code),
        valid_days: Some(10),
        last_day: None,
        uses,
        bearer,
    };
    managing::create_by_system(db, &BY, &new).await.expect("a series")
}

both_engines!(what_rules_give_has_its_names_and_nothing_else_has, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    slip("1", anna, db.now()).line("tea", 1, 100_00).book(db).await;
    let tea = one!(world, ArticleId, "SELECT id FROM articles WHERE code = 'tea'");
    series(db, "treat", false, 1).await;
    series(db, "other", false, 1).await;
    let gift = format!(r#"{{"gift": {{"article": "{tea}", "quantity": 1}}}}"#);
    let coupon = r#"{"coupon": {"series": "treat"}}"#;
    let rules = [
        rule("Points", "", &fixed(club, 1_00), ""),
        rule("Gift", r#"{"coupon": ["other"]}"#, &format!("{gift}, {coupon}"), ""),
        rule("Off", "", TENTH, ""),
    ];
    let mut conn = db.read().await.expect("a connection");
    let all = crm::rule::store::names(&mut conn, &rules.iter().collect::<Vec<_>>()).await;
    let all = all.expect("read");
    let given = crm::rule::store::names_given(&mut conn, &rules).await.expect("read");
    assert_eq!(given.articles, all.articles);
    assert_eq!(given.articles.keys().collect::<Vec<_>>(), [&tea]);
    assert_eq!(given.series, [("treat".to_owned(), text("treat"))]);
    let known = all.programs.iter().find(|(id, _)| *id == club).cloned();
    assert_eq!(given.programs, Vec::from_iter(known));
    assert!(given.categories.is_empty() && given.stores.is_empty() && given.tiers.is_empty());
});

/// Coupons to be handed out.
async fn made(db: &Db, by: &Staff, series: SeriesId, count: i64) -> Vec<String> {
    let by = &by.fresh(db).expect("fresh");
    managing::make(db, by, series, count).await.expect("made");
    let (_, handed) = managing::handed(db, by, series).await.expect("read");
    handed.into_iter().map(|one| one.code).collect()
}

async fn held(db: &Db, who: Subject) -> Vec<Coupon> {
    coupons::of(&mut db.read().await.expect("a connection"), who)
        .await
        .expect("read")
}

fn reasons(presented: &[Presented]) -> Vec<Option<Refusal>> {
    presented.iter().map(|one| one.refusal).collect()
}

/// What becomes of coupons in a quote of tea for 200.00, and what rules take off.
async fn quoted(db: &Db, till: &Till, who: Option<Subject>, coupons: &[&str]) -> (Vec<Option<Refusal>>, i64) {
    let basket = Basket {
        customer: who.map(|who| who.id()),
        coupons: coupons.iter().map(|code| (*code).to_owned()).collect(),
        lines: sale("-").lines,
        ..Basket::default()
    };
    let quote = receipt::quote(db, till, &basket).await.expect("a quote");
    (reasons(&quote.presented), quote.discount)
}

/// A sale to somebody.
fn sold_to(who: Subject, document: &str) -> NewReceipt {
    NewReceipt {
        customer: Some(who.id()),
        ..sale(document)
    }
}

/// Tea for 200.00, with what a coupon of ten percent takes off.
fn with_coupon(document: &str, who: Option<Subject>, coupon: &str) -> NewReceipt {
    let mut new = NewReceipt {
        customer: who.map(|who| who.id()),
        coupons: vec![coupon.to_owned()],
        ..sale(document)
    };
    new.lines[0].discount = 20_00;
    new.lines[0].rule_discount = 20_00;
    new
}

async fn book(db: &Db, till: &Till, new: &NewReceipt) -> Receipt {
    receipt::book(db, till, new).await.expect("booked")
}

async fn void(db: &Db, till: &Till, document: &str) -> Receipt {
    db.write(|tx| scoped(receipt::void(tx, till, document)))
        .await
        .expect("voided")
}

async fn uses(world: &crm::testing::World) -> i64 {
    one!(world, i64, "SELECT COUNT(*) FROM coupon_uses")
}

const TAKES: &str = r#"{"coupon": ["next"]}"#;
const GIVES: &str = r#"{"coupon": {"series": "next"}}"#;

/// A rule that gives a coupon of the series for whatever is bought without one, and one that takes it.
async fn with_rules(db: &Db) {
    series(db, "next", false, 1).await;
    publish(db, &rule("Gives", r#"{"not": {"coupon": ["next"]}}"#, GIVES, "")).await;
    publish(db, &rule("Takes", TAKES, TENTH, "")).await;
}

both_engines!(a_coupon_is_given_and_used_once, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, _) = member(db).await;
    with_rules(db).await;
    let first = sold_to(anna, "S-1");
    let given = book(db, till, &first).await;
    assert_eq!((given.coupons.len(), given.presented.len()), (1, 0));
    let coupon = given.coupons[0].clone();
    // Ten days of the shop after the day of the purchase: the clock shows 15:00 in Moscow.
    let end: DateTime<Utc> = "2026-12-01T21:00:00Z".parse().expect("a moment");
    assert_eq!((coupon.expires_at, coupon.issued_at), (end, start()));
    assert_eq!(held(db, anna).await, std::slice::from_ref(&coupon));
    let code = coupon.code.as_str();

    // As it is typed.
    let typed = crm::coupon::show(code).to_lowercase();
    assert_eq!(
        quoted(db, till, Some(anna), &[&typed, code]).await,
        (vec![None, None], 20_00)
    );
    assert_eq!(uses(world).await, 0, "a quote keeps nothing");
    let second = with_coupon("S-2", Some(anna), code);
    let booked = book(db, till, &second).await;
    assert_eq!((reasons(&booked.presented), booked.coupons.len()), (vec![None], 0));
    assert_eq!(booked.presented[0].series, Some(("next".to_owned(), text("next"))));
    assert_eq!(held(db, anna).await[0].state(db.now()), State::Used);
    // The same receipt once more is told the same.
    let again = book(db, till, &second).await;
    assert_eq!((again.known, reasons(&again.presented)), (true, vec![None]));
    let mut conn = db.read().await.expect("a connection");
    let read = receipt::find(&mut conn, till, "S-2").await.expect("found");
    assert_eq!(reasons(&read.presented), [None]);
    drop(conn);

    let third = book(db, till, &with_coupon("S-3", Some(anna), code)).await;
    assert_eq!(reasons(&third.presented), [Some(Refusal::Used)]);
    assert_eq!(quoted(db, till, Some(anna), &[code]).await.1, 0);
    assert_eq!(uses(world).await, 1);
    assert_books_agree(db).await;
});

both_engines!(a_coupon_comes_back_with_all_that_it_was_used_for, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, _) = member(db).await;
    with_rules(db).await;
    let first = sold_to(anna, "S-1");
    let code = book(db, till, &first).await.coupons[0].code.clone();
    let code = code.as_str();
    book(db, till, &with_coupon("S-2", Some(anna), code)).await;
    let stands = async || quoted(db, till, Some(anna), &[code]).await.0[0];
    assert_eq!(stands().await, Some(Refusal::Used));
    // A part comes back, then the rest.
    book(db, till, &back("R-1", "S-2")).await;
    assert_eq!(stands().await, Some(Refusal::Used), "something is kept");
    book(db, till, &back("R-2", "S-2")).await;
    assert_eq!(stands().await, None, "all of it came back");
    void(db, till, "R-2").await;
    assert_eq!(
        stands().await,
        Some(Refusal::Used),
        "and was not brought back after all"
    );
    void(db, till, "R-1").await;
    void(db, till, "S-2").await;
    assert_eq!(stands().await, None);
    book(db, till, &with_coupon("S-3", Some(anna), code)).await;
    assert_eq!(stands().await, Some(Refusal::Used));
    void(db, till, "S-3").await;

    // What it was given for came back.
    let returned = NewReceipt {
        lines: vec![receipt::Item {
            quantity: 2,
            ..back("R-3", "S-1").lines[0].clone()
        }],
        ..back("R-3", "S-1")
    };
    book(db, till, &returned).await;
    assert_eq!(stands().await, Some(Refusal::Withdrawn));
    assert_eq!(held(db, anna).await, []);
    void(db, till, "R-3").await;
    assert_eq!(stands().await, None);
    assert_books_agree(db).await;
});

both_engines!(
    a_coupon_counts_both_purchases_where_a_return_was_voided_after_it_was_used_again,
    async |world| {
        let db = ready(world).await;
        let till = &till(db, "one", "shop", &Scope::ALL).await;
        let (anna, _) = member(db).await;
        with_rules(db).await;
        let code = book(db, till, &sold_to(anna, "S-1")).await.coupons[0].code.clone();
        let code = code.as_str();
        let stands = async || quoted(db, till, Some(anna), &[code]).await.0[0];
        let used = async || {
            let all = held(db, anna).await;
            let of_it = all.iter().find(|one| one.code == code).expect("it is told of");
            (of_it.uses, of_it.used, of_it.state(db.now()))
        };
        let all_of = |document: &str, of: &str| {
            let mut all = back(document, of);
            all.lines[0].quantity = 2;
            all
        };
        book(db, till, &with_coupon("S-2", Some(anna), code)).await;
        book(db, till, &all_of("R-2", "S-2")).await;
        assert_eq!(used().await, (1, 0, State::Active));
        let second = book(db, till, &with_coupon("S-3", Some(anna), code)).await;
        assert_eq!(reasons(&second.presented), [None]);
        // The goods of the first were not brought back after all. Both were sold for less, and both count.
        void(db, till, "R-2").await;
        assert_eq!(used().await, (1, 2, State::Used));
        assert_eq!(stands().await, Some(Refusal::Used));
        let third = book(db, till, &with_coupon("S-4", Some(anna), code)).await;
        assert_eq!(reasons(&third.presented), [Some(Refusal::Used)]);
        // One of the two gives its use back, and the other has still used it.
        book(db, till, &all_of("R-3", "S-3")).await;
        assert_eq!(used().await, (1, 1, State::Used));
        assert_eq!(stands().await, Some(Refusal::Used));
        book(db, till, &all_of("R-4", "S-2")).await;
        assert_eq!(used().await, (1, 0, State::Active));
        assert_books_agree(db).await;
    }
);

both_engines!(what_is_wrong_with_a_coupon_is_told_of_it_alone, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    with_rules(db).await;
    publish(
        db,
        &rule(
            "Large",
            r#"{"coupon": ["large"]}, {"basket_sum": {"at_least": 100000}}"#,
            &fixed(club, 1_00),
            "",
        ),
    )
    .await;
    let first = sold_to(anna, "S-1");
    let code = book(db, till, &first).await.coupons[0].code.clone();
    let code = code.as_str();
    let mara = marketer(world).await;
    let large = series(db, "large", true, 1).await;
    let large = made(db, &mara, large, 1).await.remove(0);
    let unused = "7KQ2MXA4RM";
    let sent = ["7KQ2MXA4RN", "чай", unused, code, large.as_str()];
    let wrong = [Some(Refusal::Mistyped), Some(Refusal::Mistyped), Some(Refusal::Unknown)];
    let told = |own: Option<Refusal>| [&wrong[..], &[own, Some(Refusal::NotApplied)]].concat();
    assert_eq!(quoted(db, till, Some(anna), &sent).await, (told(None), 20_00));
    assert_eq!(
        quoted(db, till, Some(boris), &sent).await,
        (told(Some(Refusal::Foreign)), 0)
    );
    assert_eq!(
        quoted(db, till, None, &sent).await,
        (told(Some(Refusal::NeedsCustomer)), 0)
    );

    // A receipt is booked all the same, and what no rule made use of stays good.
    let mut new = with_coupon("S-2", Some(boris), code);
    new.coupons.push(large.clone());
    let booked = book(db, till, &new).await;
    assert_eq!(
        reasons(&booked.presented),
        [Some(Refusal::Foreign), Some(Refusal::NotApplied)]
    );
    assert_eq!(uses(world).await, 0);

    // What counts is the time of the sale, however late its receipt comes.
    world.clock.set(start() + days(11));
    assert_eq!(quoted(db, till, Some(anna), &[code]).await.0, [Some(Refusal::Expired)]);
    for (document, at, refusal) in [
        ("early", start() - Duration::hours(1), Some(Refusal::NotYet)),
        ("late", start() + days(11), Some(Refusal::Expired)),
        ("in time", start() + days(10), None),
    ] {
        let late = NewReceipt {
            at,
            ..with_coupon(document, Some(anna), code)
        };
        assert_eq!(reasons(&book(db, till, &late).await.presented), [refusal], "{document}");
    }
    let mut many = with_coupon("S-9", Some(anna), code);
    many.coupons = vec!["a".repeat(101); 21];
    let refused = receipt::book(db, till, &many).await;
    let Err(ReceiptError::Invalid(faults)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(faults[0], ("/coupons".to_owned(), receipt::Problem::TooMany(20)));
    assert_eq!(faults[1], ("/coupons/0".to_owned(), receipt::Problem::TooLong(100)));
    assert_books_agree(db).await;
});

both_engines!(of_a_hundred_purchases_at_once_three_use_a_coupon, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let mara = marketer(world).await;
    let next = series(db, "next", true, 3).await;
    let code = made(db, &mara, next, 1).await.remove(0);
    publish(db, &rule("Takes", TAKES, TENTH, "")).await;
    let new: Vec<NewReceipt> = (0..100).map(|n| with_coupon(&format!("S-{n}"), None, &code)).collect();
    let booked = join_all(new.iter().map(|new| book(db, till, new))).await;
    let taken = booked.iter().filter(|one| one.presented[0].refusal.is_none());
    assert_eq!(taken.count(), 3);
    let mut others = booked.iter().filter_map(|one| one.presented[0].refusal);
    assert!(others.all(|refusal| refusal == Refusal::Used));
    assert_eq!(uses(world).await, 3);
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM grants WHERE kind = 'discount'"),
        3,
        "the rest is the till's own"
    );
    assert_books_agree(db).await;
});

both_engines!(a_plan_tells_which_of_ones_own_coupons_would_help, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, _) = member(db).await;
    with_rules(db).await;
    series(db, "treat", false, 1).await;
    let gives = r#"{"coupon": {"series": "treat"}}"#;
    publish(db, &rule("Treats", r#"{"not": {"coupon": ["treat"]}}"#, gives, "")).await;
    let code = book(db, till, &sold_to(anna, "S-1")).await;
    let code = code
        .coupons
        .iter()
        .find(|one| one.series == "next")
        .expect("given")
        .code
        .clone();
    let me = sign_in(db, anna).await;
    let mut conn = db.read().await.expect("a connection");
    let tea = what_if::by_codes(&mut conn, me.me(), &BTreeSet::from(["tea"]))
        .await
        .expect("found")[0]
        .id;
    drop(conn);
    let gift = format!(r#"{{"gift": {{"article": "{tea}", "quantity": 1}}}}"#);
    publish(db, &rule("Treated", r#"{"coupon": ["treat"]}"#, &gift, "")).await;
    let useful = async |who: &Customer, at: DateTime<Utc>| {
        let plan = what_if::Plan {
            at,
            store: None,
            payment: None,
            items: vec![what_if::Item {
                article: Some(tea),
                quantity: 2,
                price: 100_00,
            }],
        };
        what_if::forecast(db, who.me(), &plan).await.expect("told").coupons
    };
    let one = |name: &str, discount: i64, earns: i64, gifts: &[&str]| what_if::Useful {
        name: text(name),
        discount,
        earns,
        gifts: gifts.iter().map(|gift| (*gift).to_owned()).collect(),
    };
    // What a tenth takes off earns nothing.
    let (next, treat) = (one("next", 20_00, -60, &[]), one("treat", 0, 0, &["Чай"]));
    assert_eq!(useful(&me, db.now()).await, [next, treat.clone()]);
    // Who has none is told of none, and what is over by then is of no use.
    let boris = sign_in(db, customer(db).await).await;
    assert_eq!(useful(&boris, db.now()).await, []);
    assert_eq!(useful(&me, start() + days(12)).await, []);
    // One is used; of the other there are two now, and one is enough.
    book(db, till, &with_coupon("S-2", Some(anna), &code)).await;
    assert_eq!(useful(&me, db.now()).await, [treat]);
});

both_engines!(a_claim_finds_the_coupon_and_is_given_one, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, club) = member(db).await;
    let mara = marketer(world).await;
    let flyer = series(db, "flyer", true, 1).await;
    series(db, "next", false, 1).await;
    let code = made(db, &mara, flyer, 1).await.remove(0);
    let effects = format!("{}, {GIVES}", fixed(club, 5_00));
    publish(db, &rule("Flyer", r#"{"coupon": ["flyer"]}"#, &effects, "")).await;
    let loose = NewReceipt {
        coupons: vec![code],
        ..sale("L-1")
    };
    let booked = book(db, till, &loose).await;
    assert_eq!((reasons(&booked.presented), booked.coupons.len()), (vec![None], 0));
    world.clock.set(start() + days(2));
    let me = sign_in(db, anna).await;
    let id = claim(db, &me, &booked.code.expect("a code")).await.expect("claimed");
    let earned: i64 = receipt(db, anna, id)
        .await
        .lines
        .iter()
        .flat_map(|line| &line.earned)
        .map(|one| one.points)
        .sum();
    assert_eq!(earned, 6_00 + 5_00);
    let held = held(db, anna).await;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].issued_at, start(), "its time is that of the sale");
    // Why it gave something is told with the coupon of then.
    let mut conn = db.read().await.expect("a connection");
    let asked = crm::quote::why::why(&mut conn, anna, id).await.expect("told");
    assert!(matches!(
        asked.rules[0].answer,
        crm::quote::why::Answer::Gave { points: 5_00, .. }
    ));
    drop(conn);
    assert_books_agree(db).await;
});

both_engines!(a_day_brings_a_coupon, async |world| {
    let db = ready(world).await;
    let (anna, _) = member(db).await;
    sql!(world, "UPDATE customers SET birthday = '1990-11-23'");
    let next = series(db, "next", false, 1).await;
    let birthday = r#"{"birthday": {"of": "customer", "before": 3, "after": 3}}"#;
    publish(db, &rule("Birthday", birthday, GIVES, r#", "occasion": "day""#)).await;
    daily::run_due(db, &BY).await.expect("the daily work is done");
    let all = held(db, anna).await;
    assert_eq!((all.len(), all[0].issued_at), (1, start()));
    // A series that issues none any more, and one that nobody has made: the rest of the rule is as ever.
    let (boris, _) = member(db).await;
    let mara = marketer(world).await;
    managing::set_open(db, &mara, next, false).await.expect("closed");
    sql!(
        world,
        "UPDATE customers SET birthday = '1990-11-25' WHERE birthday IS NULL"
    );
    let unmade = r#"{"coupon": {"series": "unmade"}}"#;
    publish(db, &rule("Other", birthday, unmade, r#", "occasion": "day""#)).await;
    world.clock.set(start() + days(1));
    daily::run_due(db, &BY).await.expect("the daily work is done");
    assert_eq!((held(db, anna).await.len(), held(db, boris).await.len()), (1, 0));
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM grants WHERE kind = 'coupon'"),
        4,
        "both rules gave to both"
    );
});

both_engines!(a_series_is_written_changed_and_handed_out, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let good = Series {
        code: "Spring".into(),
        name: text("spring"),
        valid_days: None,
        last_day: chrono::NaiveDate::from_ymd_opt(2026, 12, 31),
        uses: 2,
        bearer: true,
    };
    let wrong = Series {
        code: "весна".into(),
        name: Localized {
            en: String::new(),
            ..text("spring")
        },
        last_day: None,
        uses: 0,
        ..good.clone()
    };
    let refused = managing::create(db, &mara, &wrong).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let fields: Vec<&str> = flaws.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["key", "name_en", "valid_days", "uses"]);
    let id = managing::create(db, &mara, &good).await.expect("created");
    let taken = managing::create(db, &mara, &good).await;
    assert!(matches!(taken, Err(Error::Invalid(flaws)) if flaws[0] == ("key".to_owned(), Flaw::Taken)));

    let code = made(db, &mara, id, 2).await.remove(1);
    let stored = managing::list(db, &mara).await.expect("read").remove(0);
    assert_eq!(
        (stored.issued, stored.used, stored.record.code.as_str()),
        (2, 0, "spring")
    );
    let new = Series {
        uses: 1,
        valid_days: Some(1),
        bearer: false,
        ..stored.record.clone()
    };
    managing::change(db, &mara, id, &stored.record, &new)
        .await
        .expect("changed");
    let late = managing::change(db, &mara, id, &stored.record, &new).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let fresh = &mara.fresh(db).expect("fresh");
    let (_, handed) = managing::handed(db, fresh, id).await.expect("read");
    assert_eq!(
        handed.iter().map(|one| one.uses).collect::<Vec<_>>(),
        [2, 2],
        "those that there are stay"
    );
    assert!(handed.iter().any(|one| one.code == code));
    managing::make(db, fresh, id, 1)
        .await
        .expect("made: whose they are stays");
    let (_, handed) = managing::handed(db, fresh, id).await.expect("read");
    let end: DateTime<Utc> = "2026-11-22T21:00:00Z".parse().expect("a moment");
    assert_eq!((handed[2].uses, handed[2].expires_at), (1, end));
    managing::set_open(db, &mara, id, false).await.expect("closed");
    let none = managing::make(db, fresh, id, 1).await;
    assert!(matches!(none, Err(Error::Stale)), "{none:?}");
    for count in [0, managing::MAKE_MAX + 1] {
        let flawed = managing::make(db, fresh, id, count).await;
        assert!(matches!(flawed, Err(Error::Invalid(_))), "{count}: {flawed:?}");
    }
    let personal = series(db, "personal", false, 1).await;
    let theirs = managing::make(db, fresh, personal, 1).await;
    assert!(matches!(theirs, Err(Error::NotFound)), "{theirs:?}");
    let agent = people::agent(world).await;
    let forbidden = managing::list(db, &agent).await;
    assert!(matches!(forbidden, Err(Error::Forbidden)), "{forbidden:?}");
    // Who takes the codes away is a row of its own: what is read on the page names none of them.
    let taken = "SELECT COUNT(*) FROM audit WHERE action = 'coupon.codes'";
    assert_eq!(one!(world, i64, taken), 3);
    let refused = managing::handed(db, &agent.fresh(db).expect("fresh"), id).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    assert_eq!(one!(world, i64, taken), 3);
});

both_engines!(a_segment_is_put_together_by_cards_and_phones, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (anna, club) = member(db).await;
    let (boris, _) = member(db).await;
    let number = card(db, anna, "active").await;
    people::contact(world, boris.id(), crm::contact::Kind::Phone, "+79005550011").await;
    people::contact(world, anna.id(), crm::contact::Kind::Phone, "+79005550012").await;
    // Anna has not proved hers.
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE customer_id = $1",
        boris.id()
    );
    let id = segment::create(db, &mara, "Tea", &text("tea lovers"))
        .await
        .expect("created");
    publish(db, &rule("Tea", r#"{"segment": ["tea"]}"#, &fixed(club, 10_00), "")).await;
    let list = format!("\u{feff}{number};Анна\r\n8 (900) 555-00-11, Борис\r\n\r\n+7 900 555-00-12\n290\n");
    let put = async |act, lenient| segment::put(db, &mara, id, act, &list, lenient, "numbers").await;
    let refused = put(Act::Add, false).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let missing = |line| ("numbers".to_owned(), Flaw::NoCustomer { line });
    assert_eq!(flaws, [missing(4), missing(5)]);
    let given = async |who: Subject, document: &str| {
        let id = slip(document, who, start()).line("tea", 1, 100_00).book(db).await.id;
        points(db, who, id).await - 3_00
    };
    assert_eq!(given(anna, "1").await, 0, "nothing was done");
    let done = put(Act::Add, true).await.expect("added");
    assert_eq!((done.changed, done.missing), (2, 2));
    let again = put(Act::Add, true).await.expect("added");
    assert_eq!(again.changed, 0);
    assert_eq!(segment::list(db, &mara).await.expect("read")[0].members, 2);
    assert_eq!((given(anna, "2").await, given(boris, "3").await), (10_00, 10_00));
    let (vera, _) = member(db).await;
    assert_eq!(given(vera, "4").await, 0);
    let mut conn = db.read().await.expect("a connection");
    let named = segment::of(&mut conn, anna).await.expect("read");
    assert_eq!(named, [("tea".to_owned(), text("tea lovers"))]);
    drop(conn);

    let only = segment::put(db, &mara, id, Act::Take, &number, false, "numbers").await;
    assert_eq!(only.expect("taken").changed, 1);
    assert_eq!((given(anna, "5").await, given(boris, "6").await), (0, 10_00));
    let nothing = segment::put(db, &mara, id, Act::Add, " \n", true, "numbers").await;
    assert!(matches!(nothing, Err(Error::Invalid(flaws)) if flaws[0].1 == Flaw::Missing));
    let long = "1\n".repeat(segment::LINES_MAX + 1);
    let long = segment::put(db, &mara, id, Act::Add, &long, true, "numbers").await;
    assert!(matches!(long, Err(Error::Invalid(flaws)) if matches!(flaws[0].1, Flaw::TooManyLines { .. })));
    segment::remove(db, &mara, id).await.expect("removed");
    assert_eq!(given(boris, "7").await, 0);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM segment_members"), 0);
    assert_books_agree(db).await;
});

both_engines!(hours_go_by_the_clock_of_the_shop, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, club) = member(db).await;
    let (moscow, omsk) = (store(db, "moscow").await, store(db, "omsk").await);
    sql!(world, "UPDATE stores SET time_zone = 'Asia/Omsk' WHERE code = 'omsk'");
    // It is Saturday, 15:00 in Moscow and 18:00 in Omsk.
    let evening = r#"{"hours": {"from": 1080, "to": 1440, "days": ["Sat"]}}"#;
    publish(db, &rule("Evening", evening, &fixed(club, 10_00), "")).await;
    let sunday = r#"{"weekday": ["Sun"]}, {"period": {"from": "2026-11-22", "to": "2026-11-22"}}"#;
    publish(db, &rule("Sunday", sunday, &fixed(club, 1_00), "")).await;
    let mut given = Vec::new();
    for (n, (store, hours)) in [(moscow, 0), (omsk, 0), (moscow, 7), (omsk, 7)].into_iter().enumerate() {
        let at = start() + Duration::hours(hours);
        let slip = slip(&n.to_string(), anna, at).line("tea", 1, 100_00).at_store(store);
        given.push(points(db, anna, slip.book(db).await.id).await - 3_00);
    }
    // At 19:00 UTC it is 22:00 in Moscow, and Sunday in Omsk.
    assert_eq!(given, [0, 10_00, 10_00, 1_00]);
    // A quote, and a plan of the customer, say the same.
    for (code, earns) in [("moscow", 6_00), ("omsk", 16_00)] {
        let basket = Basket {
            customer: Some(anna.id()),
            store: Some(code.into()),
            lines: sale("-").lines,
            ..Basket::default()
        };
        let quote = receipt::quote(db, till, &basket).await.expect("a quote");
        assert_eq!(quote.earns[0].points, earns, "{code}");
    }
    let me = sign_in(db, anna).await;
    let plan = crm::quote::what_if::Plan {
        at: start(),
        store: Some(omsk),
        payment: None,
        items: vec![crm::quote::what_if::Item {
            article: None,
            quantity: 1,
            price: 100_00,
        }],
    };
    let forecast = crm::quote::what_if::forecast(db, me.me(), &plan).await.expect("told");
    assert_eq!(forecast.quote.earns[0].points, 13_00);
    assert_books_agree(db).await;
});

/// What a receipt earned.
async fn points(db: &Db, who: Subject, id: PurchaseId) -> i64 {
    let lines = receipt(db, who, id).await.lines;
    lines.iter().flat_map(|line| &line.earned).map(|one| one.points).sum()
}

both_engines!(who_is_erased_leaves_no_coupon_that_is_good, async |world| {
    let db = ready(world).await;
    let till = &till(db, "one", "shop", &Scope::ALL).await;
    let (anna, _) = member(db).await;
    with_rules(db).await;
    let mara = marketer(world).await;
    let id = segment::create(db, &mara, "tea", &text("tea")).await.expect("created");
    let number = card(db, anna, "active").await;
    segment::put(db, &mara, id, Act::Add, &number, false, "numbers")
        .await
        .expect("added");
    let first = sold_to(anna, "S-1");
    let coupon: CouponId = book(db, till, &first).await.coupons[0].id;
    let me = sign_in(db, anna).await;
    crm::erasure::ask(db, &me.fresh(db).expect("fresh"), true)
        .await
        .expect("asked");
    world.clock.set(start() + days(3));
    sql!(world, "UPDATE erasures SET due_at = asked_at");
    assert_eq!(crm::erasure::run_due(db, &BY).await.expect("done"), 1);
    let ends: DateTime<Utc> = one!(
        world,
        DateTime<Utc>,
        "SELECT expires_at FROM coupons WHERE id = $1",
        coupon
    );
    assert_eq!(ends, db.now());
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM segment_members"), 0);
});
