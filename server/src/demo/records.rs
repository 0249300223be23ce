//! The demonstration's own records, as they lie in `server/demo`.

use anyhow::Context as _;
use chrono::{DateTime, Duration, Utc};
use crm::id::TierId;
use crm::lang::{Lang, Localized};
use crm::request::Status;
use crm::request::desk::Priority;
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers};
use crm::rule::{Span, Window};
use crm::shop::Shop;
use crm::stores::{Hours, NewStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// All of them, both languages joined.
pub(super) struct Records {
    pub(super) stores: Vec<NewStore>,
    pub(super) categories: Vec<Category>,
    pub(super) promotions: Vec<Promotion>,
    /// The code of the program that has tiers, and the tiers.
    pub(super) tiers: (String, Tiers),
    pub(super) requests: Vec<Thread>,
}

pub(super) struct Category {
    pub(super) code: String,
    pub(super) name: Localized,
    pub(super) position: i64,
    pub(super) words: Vec<String>,
}

pub(super) struct Promotion {
    pub(super) code: String,
    pub(super) title: Localized,
    pub(super) conditions: Localized,
    starts_in_days: i64,
    ends_in_days: i64,
    pub(super) stores: Vec<String>,
    pub(super) must_activate: bool,
}

impl Promotion {
    /// Its first moment and the first after it, for a demonstration that is made now; the last day counts as a whole.
    pub(super) fn period(&self, shop: &Shop, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let midnight = |days| shop.midnight(shop.day(now) + Duration::days(days));
        (midnight(self.starts_in_days), midnight(self.ends_in_days + 1))
    }
}

/// A conversation.
#[derive(Deserialize)]
pub(super) struct Thread {
    pub(super) language: Lang,
    pub(super) topic: String,
    #[serde(deserialize_with = "status")]
    pub(super) status: Status,
    pub(super) about_receipt: bool,
    pub(super) assigned: bool,
    #[serde(default)]
    pub(super) priority: Priority,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) age_hours: f64,
    pub(super) messages: Vec<Message>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) author: String,
    pub(super) internal: bool,
    pub(super) after_minutes: i64,
    pub(super) body: String,
}

impl Thread {
    /// Whether somebody in it is called so.
    pub(super) fn names(&self, surname: &str) -> bool {
        surname.contains('\'') && self.messages.iter().any(|m| m.body.contains(surname))
    }

    /// Whether it fits one person only.
    pub(super) fn body_names_somebody(&self) -> bool {
        self.messages
            .iter()
            .any(|m| m.body.contains('\'') || m.body.contains('<'))
    }
}

fn status<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Status, D::Error> {
    match String::deserialize(d)?.as_str() {
        "new" => Ok(Status::New),
        "open" => Ok(Status::Open),
        "waiting" => Ok(Status::Waiting),
        "closed" => Ok(Status::Closed),
        other => Err(serde::de::Error::custom(format!("no such status {other:?}"))),
    }
}

#[derive(Deserialize)]
struct Facts {
    stores: Vec<StoreFacts>,
    categories: Vec<CategoryFacts>,
    promotions: Vec<PromotionFacts>,
    tiers: TiersFacts,
}

#[derive(Deserialize)]
struct StoreFacts {
    code: String,
    latitude: i64,
    longitude: i64,
    hours: Hours,
    phone: String,
}

#[derive(Deserialize)]
struct CategoryFacts {
    code: String,
    position: i64,
    #[serde(default)]
    words: Vec<String>,
}

#[derive(Deserialize)]
struct PromotionFacts {
    code: String,
    starts_in_days: i64,
    ends_in_days: i64,
    stores: Vec<String>,
    #[serde(default)]
    must_activate: bool,
}

#[derive(Deserialize)]
struct TiersFacts {
    program: String,
    measure: Measure,
    window: Window,
    downgrade: Downgrade,
    grace: Span,
    tiers: Vec<TierFacts>,
}

#[derive(Deserialize)]
struct TierFacts {
    code: String,
    threshold: i64,
}

/// Names in both languages, by code.
struct Names([BTreeMap<String, String>; 2]);

impl Names {
    fn get(&self, code: &str) -> anyhow::Result<Localized> {
        let one = |i: usize| {
            let name = self.0[i].get(code).cloned();
            name.with_context(|| format!("demonstration: no name of {code}"))
        };
        Ok(Localized::new(one(0)?, one(1)?))
    }
}

/// Words in both languages, by code and field.
struct Words([BTreeMap<String, BTreeMap<String, String>>; 2]);

impl Words {
    fn get(&self, code: &str, field: &str) -> anyhow::Result<Localized> {
        let one = |i: usize| {
            let text = self.0[i].get(code).and_then(|fields| fields.get(field));
            text.cloned()
                .with_context(|| format!("demonstration: no {field} of {code}"))
        };
        Ok(Localized::new(one(0)?, one(1)?))
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> anyhow::Result<T> {
    serde_json::from_str(json).context("demonstration")
}

macro_rules! words {
    ($kind:ident, $name:literal) => {
        $kind([
            parse(include_str!(concat!("../../demo/ru/", $name, ".json")))?,
            parse(include_str!(concat!("../../demo/en/", $name, ".json")))?,
        ])
    };
}

impl Records {
    /// Reads them, as they were when the program was built.
    pub(super) fn read() -> anyhow::Result<Self> {
        let facts: Facts = parse(include_str!("../../demo/records.json"))?;
        let (stores, promotions) = (words!(Words, "stores"), words!(Words, "promotions"));
        let (categories, tiers) = (words!(Names, "categories"), words!(Names, "tiers"));
        let named = |tier: &TierFacts| -> anyhow::Result<Tier> {
            Ok(Tier {
                id: TierId::new(),
                name: tiers.get(&tier.code)?,
                threshold: tier.threshold,
            })
        };
        let tiers = Tiers {
            measure: facts.tiers.measure,
            window: facts.tiers.window,
            downgrade: facts.tiers.downgrade,
            grace: Some(facts.tiers.grace),
            tiers: facts.tiers.tiers.iter().map(named).collect::<anyhow::Result<_>>()?,
        };
        let mut records = Self {
            stores: Vec::new(),
            categories: Vec::new(),
            promotions: Vec::new(),
            tiers: (facts.tiers.program, tiers),
            requests: parse(include_str!("../../demo/requests.json"))?,
        };
        for s in facts.stores {
            let text = |field: &str| stores.get(&s.code, field);
            let (name, town, address) = (text("name")?, text("town")?, text("address")?);
            let (latitude, longitude, phone) = (Some(s.latitude), Some(s.longitude), Some(s.phone));
            records.stores.push(NewStore {
                code: s.code,
                name,
                town,
                address,
                latitude,
                longitude,
                hours: s.hours,
                phone,
                region: None,
                time_zone: None,
                exceptions: None,
            });
        }
        for c in facts.categories {
            let name = categories.get(&c.code)?;
            records.categories.push(Category {
                code: c.code,
                name,
                position: c.position,
                words: c.words,
            });
        }
        records.categories.sort_by_key(|c| c.position);
        for p in facts.promotions {
            let (title, conditions) = (
                promotions.get(&p.code, "title")?,
                promotions.get(&p.code, "conditions")?,
            );
            let PromotionFacts {
                code,
                starts_in_days,
                ends_in_days,
                stores,
                must_activate,
            } = p;
            records.promotions.push(Promotion {
                code,
                title,
                conditions,
                starts_in_days,
                ends_in_days,
                stores,
                must_activate,
            });
        }
        Ok(records)
    }
}
