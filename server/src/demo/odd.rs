//! A few people whose cards were shown for what others bought: nine receipts of one day each, which the rules of odd patterns find.

use super::people::Made;
use chrono::{Days, Duration};
use crm::db::{Db, scoped};
use crm::id::{CustomerId, StoreId};
use crm::purchase::{Kind, NewLine, NewPurchase, Original, Way};
use crm::who::System;
use std::collections::BTreeMap;

/// What was bought: article, price.
const BOUGHT: (&str, i64) = ("22423", 1_275_00);
/// How many times: one more than it takes.
const TIMES: i64 = 9;
/// How many people.
const PEOPLE: usize = 3;

/// Books them, and has the rules look. The second time it does nothing.
pub(super) async fn write(
    db: &Db,
    by: &System,
    people: &[Made],
    customer: CustomerId,
    store: Option<StoreId>,
) -> anyhow::Result<()> {
    let who = people.iter().rev().filter(|made| made.id != customer);
    let who: &Vec<CustomerId> = &who.take(PEOPLE).map(|made| made.id).collect();
    let shop = db.shop();
    let yesterday = shop.day(db.now()) - Days::new(1);
    let opening = shop.midnight(yesterday) + Duration::hours(10);
    db.write(|tx| {
        scoped(async move {
            let (article, price) = BOUGHT;
            let articles = crm::article::store::ensure(tx, by, &BTreeMap::from([(article, None)])).await?;
            let Some(article) = articles.get(article).copied() else {
                return Ok(());
            };
            let sales: Vec<NewPurchase> = who
                .iter()
                .zip(1_usize..)
                .flat_map(|(who, number)| (0..TIMES).map(move |n| (*who, number, n)))
                .map(|(who, number, n)| NewPurchase {
                    source: "demo".into(),
                    document: format!("odd-{number}-{n}"),
                    kind: Kind::Sale,
                    customer: Some(who),
                    store,
                    at: opening + Duration::minutes(40 * n),
                    way: Way::default(),
                    points_used: 0,
                    lines: vec![NewLine {
                        ordinal: 1,
                        article,
                        quantity: 1,
                        price,
                        discount: 0,
                        rule_discount: 0,
                        original: Original::None,
                    }],
                    coupons: Vec::new(),
                })
                .collect();
            crm::purchase::store::book(tx, by, &sales).await?;
            Ok::<_, crm::Error>(())
        })
    })
    .await?;
    crm::fraud::finding::look(db, by, || true).await?;
    Ok(())
}
