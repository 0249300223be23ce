//! A hundred at the same moment: what may happen once happens once, and the books agree afterwards.

use crate::common::{BY, assert_books_agree, balance, customer, days, held, join, program, ready, slip, spend};
use crm::both_engines;
use crm::db::Db;
use crm::id::ProgramId;
use crm::who::Subject;
use futures::future::join_all;
use sqlx::Connection as _;
use std::sync::Arc;

/// Members of the club with the same receipt of 1,000 rubles yet to be booked.
async fn member(db: &Db) -> Subject {
    let who = customer(db).await;
    join(db, who, "club", db.now() - days(30)).await;
    who
}

both_engines!(s21_one_receipt_sent_a_hundred_times_earns_once, async |world| {
    let db = ready(world).await;
    let who = member(db).await;
    let receipt = Arc::new(slip("S-1", who, db.now() - days(1)).line("чайник", 1, 100_000));
    let once = member(db).await;
    slip("S-2", once, db.now() - days(1))
        .line("чайник", 1, 100_000)
        .book(db)
        .await;
    let expected = held(db, once).await;
    assert!(expected.0 + expected.1 > 0, "the receipt earns something");
    let all = (0..100).map(|_| {
        let (db, receipt) = (db.clone(), receipt.clone());
        tokio::spawn(async move { receipt.book(&db).await.id })
    });
    let ids: Vec<_> = join_all(all).await.into_iter().map(|id| id.expect("booked")).collect();
    assert!(
        ids.windows(2).all(|pair| pair[0] == pair[1]),
        "all are told of the same receipt"
    );
    assert_eq!(held(db, who).await, expected);
    assert_books_agree(db).await;
});

both_engines!(
    s21_one_kettle_brought_back_a_hundred_times_is_taken_back_once,
    async |world| {
        let db = ready(world).await;
        let who = member(db).await;
        let earning = slip("S-1", who, db.now() - days(20)).line("чайник", 1, 100_000);
        earning.clone().book(db).await;
        // Another receipt earns as much, so that points are there to be taken wrongly.
        slip("S-2", who, db.now() - days(20))
            .line("плед", 1, 100_000)
            .book(db)
            .await;
        crm::points::store::run_due(db, &BY).await.expect("the daily work");
        let before = held(db, who).await;
        let all = (0..100).map(|n| {
            let db = db.clone();
            let back = slip(&format!("R-{n}"), who, db.now() - days(1))
                .line("чайник", -1, 100_000)
                .of("S-1");
            // More than was bought may be refused; what counts is what it does to the points.
            tokio::spawn(async move { back.book(&db).await })
        });
        join_all(all).await;
        let after = held(db, who).await;
        assert_eq!(
            after.0 + after.1,
            (before.0 + before.1) / 2,
            "the points of one kettle, once"
        );
        assert_books_agree(db).await;
    }
);

both_engines!(s21_receipts_brought_back_at_once_owe_what_was_spent, async |world| {
    let db = ready(world).await;
    let (who, family) = (member(db).await, program(db, "family").await);
    join(db, who, "family", db.now() - days(30)).await;
    let receipts = 0..40;
    for n in receipts.clone() {
        slip(&format!("S-{n}"), who, db.now() - days(20))
            .line("чайник", 1, 100_000)
            .book(db)
            .await;
    }
    crm::points::store::run_due(db, &BY).await.expect("the daily work");
    let earned = balance_of(db, who, family).await;
    // The lots of the first receipts are empty: what these earned has to come from the others.
    spend(db, who, family, earned / 2).await;
    let all = receipts.map(|n| {
        let db = db.clone();
        let back = slip(&format!("R-{n}"), who, db.now() - days(1))
            .line("чайник", -1, 100_000)
            .of(&format!("S-{n}"));
        tokio::spawn(async move { back.book(&db).await })
    });
    for done in join_all(all).await {
        done.expect("booked");
    }
    assert_eq!(
        balance_of(db, who, family).await,
        (-(earned / 2)).max(db.shop().points.floor())
    );
    assert_books_agree(db).await;
});

/// The active points of a customer in a program.
async fn balance_of(db: &Db, who: Subject, program: ProgramId) -> i64 {
    let all = balance(db, who).await.programs;
    all.iter()
        .find(|one| one.program == program)
        .map_or(0, |one| one.active)
}

/// Two who wait for each other in vain, and a change that was undone because it took too long, are told to come again, and
/// not that they sent something wrong.
#[tokio::test]
async fn what_may_be_asked_again_is_an_outage() {
    let world = crm::testing::postgres().await;
    let mut conn = sqlx::PgConnection::connect(&world.url).await.expect("it answers");
    for (state, again) in [("40P01", true), ("40001", true), ("55P03", true), ("22008", false)] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION 'for a test' USING ERRCODE = '{state}'; END $$");
        let told = sqlx::raw_sql(sqlx::AssertSqlSafe(raise)).execute(&mut conn).await;
        let told = crm::db::Error::from(told.expect_err("raised"));
        assert_eq!(told.is_outage(), again, "{state}");
    }
    assert!(crm::db::Error::TooLong.is_outage());
}
