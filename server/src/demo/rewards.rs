//! Rules of rewards, rules that carry out promotions, and two friends of the customer to sign in as: one has bought something,
//! one has not yet.

use super::people::Made;
use super::records::Records;
use anyhow::Context as _;
use crm::coupon::Series;
use crm::coupon::store::managing as coupons;
use crm::db::{Db, scoped};
use crm::id::{CustomerId, RuleId};
use crm::lang::{Lang, Localized};
use crm::promotion::NewPromotion;
use crm::promotion::store as promotions;
use crm::purchase::{Kind, NewLine, NewPurchase, Original, Way};
use crm::rule::Rule;
use crm::who::System;
use std::collections::BTreeMap;

/// The setting that says that it is done.
const DONE: &str = "demonstration_rewards";
/// The promotions that rules carry out, and what each rule is called in English.
const CARRIED_OUT: [(&str, &str); 5] = [
    ("baking_weekday", "15% off everything for baking"),
    ("bags_week", "Bag week: 20% off"),
    ("birthday", "Birthday"),
    ("friend", "Bring a friend"),
    ("double_points", "Double points"),
];
/// What the friend bought: article, price.
const BOUGHT: (&str, i64) = ("22423", 1_275_00);

/// Publishes the rules, and lets two friends come by the customer's code. The second time it does nothing.
pub(super) async fn write(
    db: &Db,
    by: &System,
    records: &Records,
    people: &[Made],
    customer: CustomerId,
) -> anyhow::Result<()> {
    if crm::content::setting(db, DONE).await?.is_some() {
        return Ok(());
    }
    let programs = crm::program::store::list(&mut db.read().await?, by.subject(customer)).await?;
    let club = programs
        .iter()
        .find(|program| program.code == "club")
        .context("there is a club")?;
    let known = promotions::running(&mut db.read().await?, db.now()).await?;
    let mut rules = include_str!("../../demo/rules.json").replace("{club}", &club.id.to_string());
    for promotion in known {
        rules = rules.replace(&format!("{{{}}}", promotion.code), &promotion.id.to_string());
    }
    for category in crm::stores::store::categories(&mut db.read().await?).await? {
        rules = rules.replace(&format!("{{{}}}", category.code), &category.id.to_string());
    }
    for promotion in &records.promotions {
        let (starts, ends) = promotion.period(db.shop(), db.now());
        for (name, at) in [("starts", starts), ("ends", ends)] {
            rules = rules.replace(&format!("{{{}:{name}}}", promotion.code), &at.to_rfc3339());
        }
    }
    let rules: Vec<Rule> = serde_json::from_str(&rules)?;
    let next = Series {
        code: "next".into(),
        name: Localized::new("Скидка 300 ₽ на следующую покупку", "300 ₽ off the next purchase"),
        valid_days: Some(30),
        last_day: None,
        uses: 1,
        bearer: false,
    };
    coupons::create_by_system(db, by, &next).await?;
    let mut published: BTreeMap<String, RuleId> = BTreeMap::new();
    for rule in &rules {
        let by = crm::rule::store::publish_by_system(db, by, None, rule, None).await?;
        published.insert(rule.name.en.clone(), by.id);
    }
    let carried_out = records.promotions.iter().filter_map(|promotion| {
        let (_, rule) = CARRIED_OUT.iter().find(|(code, _)| *code == promotion.code)?;
        let (starts_at, ends_at) = promotion.period(db.shop(), db.now());
        Some(NewPromotion {
            code: promotion.code.clone(),
            title: promotion.title.clone(),
            conditions: promotion.conditions.clone(),
            starts_at,
            ends_at,
            must_activate: promotion.must_activate,
            stores: Vec::new(),
            rules: published.get(*rule).copied().into_iter().collect(),
        })
    });
    let carried_out: Vec<NewPromotion> = carried_out.collect();
    let carried_out = &carried_out;
    let friends = people
        .iter()
        .filter(|made| made.id != customer && made.language == Lang::Ru);
    let friends: Vec<CustomerId> = friends.take(2).map(|made| made.id).collect();
    let friends = &friends;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            for promotion in carried_out {
                promotions::put(tx, by, promotion).await?;
            }
            crm::invite::store::begin_by_system(tx, by, customer).await?;
            for friend in friends {
                crm::invite::store::put(tx, by, (customer, *friend), now).await?;
            }
            let (article, price) = BOUGHT;
            let articles = crm::article::store::ensure(tx, by, &BTreeMap::from([(article, None)])).await?;
            let lines = articles.get(article).map(|id| NewLine {
                ordinal: 1,
                article: *id,
                quantity: 1,
                price,
                discount: 0,
                rule_discount: 0,
                original: Original::None,
            });
            let bought = friends.first().map(|friend| NewPurchase {
                source: "demo".into(),
                document: "1".into(),
                kind: Kind::Sale,
                customer: Some(*friend),
                store: None,
                at: now,
                way: Way::default(),
                points_used: 0,
                lines: lines.into_iter().collect(),
                coupons: Vec::new(),
            });
            let bought: Vec<NewPurchase> = bought.into_iter().collect();
            crm::purchase::store::book(tx, by, &bought).await?;
            Ok::<_, crm::Error>(crm::content::set_setting(tx, by, DONE, "1").await?)
        })
    })
    .await?;
    Ok(())
}
