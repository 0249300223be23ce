//! Promotions as marketers write them: an idea, a draft, then published for its time. Whatever they change stays in the log.

use super::super::{NewPromotion, Stage, State};
use super::{Row, link, record, sorted, with_links};
use crate::audit::difference;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{PromotionId, RuleId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::rule::Rule;
use crate::rule::store::last_of_all;
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Days, Utc};
use sqlx::types::Json;

/// The longest title, in characters.
const TITLE_MAX: usize = 120;
/// The longest conditions, in characters.
const CONDITIONS_MAX: usize = 2000;
/// How many days an idea is to hold until somebody says otherwise.
const DAYS: u64 = 14;

/// A promotion in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: PromotionId,
    /// Counts its changes, from 1.
    pub version: i64,
    /// How far it is.
    pub stage: Stage,
    /// What it says.
    pub record: NewPromotion,
}

impl Entry {
    /// How it stands with it at a moment.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        self.stage.at(now, self.record.starts_at, self.record.ends_at)
    }
}

async fn entries(conn: &mut Conn, rows: Vec<Row>) -> Result<Vec<Entry>, Error> {
    let heads: Vec<_> = rows.iter().map(|row| (row.id, row.version, row.stage)).collect();
    let promotions = with_links(conn, rows).await?;
    let entry = |((id, version, stage), promotion)| Entry {
        id,
        version,
        stage,
        record: record(promotion),
    };
    Ok(heads.into_iter().zip(promotions).map(entry).collect())
}

/// The promotions, the one that ends last first: `limit` of them after a place in the list. That they were looked at is written
/// down.
pub async fn list(db: &Db, by: &Staff, after: Option<Before>, limit: i64) -> Result<Vec<Entry>, Error> {
    const FIRST: &str = promotions!("ORDER BY ends_at DESC, id DESC LIMIT $1");
    const NEXT: &str = promotions!("WHERE (ends_at, id) < ($2, $3) ORDER BY ends_at DESC, id DESC LIMIT $1");
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "promotion.list", None, None, "").await?;
            let rows: Vec<Row> = match after {
                None => on!(tx, |c| sqlx::query_as(FIRST).bind(limit).fetch_all(c).await)?,
                Some((at, id)) => on!(tx, |c| sqlx::query_as(NEXT)
                    .bind(limit)
                    .bind(at)
                    .bind(id)
                    .fetch_all(c)
                    .await)?,
            };
            entries(tx, rows).await
        })
    })
    .await
}

/// One promotion, for its page. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: PromotionId) -> Result<Entry, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let entry = get(tx, id).await?;
            by.record(tx, "promotion.read", None, Some(id.0), "").await?;
            Ok(entry)
        })
    })
    .await
}

async fn get(conn: &mut Conn, id: PromotionId) -> Result<Entry, Error> {
    const SQL: &str = promotions!("WHERE id = $1");
    let row: Option<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    let found = entries(conn, row.into_iter().collect()).await?;
    found.into_iter().next().ok_or(Error::NotFound)
}

/// The rules that a promotion may name, by what each said last, the newest rule first.
pub async fn rules(conn: &mut Conn, by: &Staff) -> Result<Vec<(RuleId, Rule)>, Error> {
    by.may(Right::Rules)?;
    Ok(last_of_all(conn).await?)
}

/// The same as it is kept, with what is wrong at `title_ru`, `ends`, `stores` and so on.
async fn checked(tx: &mut Tx, new: &NewPromotion) -> Result<NewPromotion, Error> {
    let (stores, rules) = (sorted(&new.stores), sorted(&new.rules));
    let query = ListQuery::new("SELECT id FROM stores").within("id", stores.iter().map(|id| Bind::Id(id.0)));
    let known_stores: Vec<(StoreId,)> = db::list(tx, query).await?;
    let query = ListQuery::new("SELECT id FROM rules").within("id", rules.iter().map(|id| Bind::Id(id.0)));
    let known_rules: Vec<(RuleId,)> = db::list(tx, query).await?;
    let mut check = Check::new();
    let title = check.words("title", &new.title, TITLE_MAX);
    let conditions = check.words("conditions", &new.conditions, CONDITIONS_MAX);
    let mut holds = |field: &str, is_good: bool, flaw: Flaw| {
        check.field(field, if is_good { Ok(()) } else { Err(flaw) });
    };
    holds("ends", new.starts_at < new.ends_at, Flaw::Backwards);
    holds("stores", known_stores.len() == stores.len(), Flaw::NotAChoice);
    holds("rules", known_rules.len() == rules.len(), Flaw::NotAChoice);
    check.result()?;
    Ok(NewPromotion {
        title,
        conditions,
        stores,
        rules,
        ..new.clone()
    })
}

/// Writes an idea down: a code and a name, to be held for two weeks from tomorrow. Fails with flaws at `key`, which may be
/// taken, and at `title_ru` and `title_en`.
pub async fn create(db: &Db, by: &Staff, code: &str, title: &Localized) -> Result<PromotionId, Error> {
    const SQL: &str = "INSERT INTO promotions (id, code, version, title, conditions, starts_at, ends_at, stage) \
                       VALUES ($1, $2, 1, $3, $4, $5, $6, $7)";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(code)).unwrap_or_default();
            let title = check.words("title", title, TITLE_MAX);
            check.result()?;
            let tomorrow = tx.shop().day(tx.now()) + Days::new(1);
            let (starts_at, ends_at) = (
                tx.shop().midnight(tomorrow),
                tx.shop().midnight(tomorrow + Days::new(DAYS)),
            );
            let id = PromotionId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&title))
                .bind(Json(Localized::default()))
                .bind(starts_at)
                .bind(ends_at)
                .bind(Stage::Idea)
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            by.record(tx, "promotion.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Changes a promotion that has not ended, but for its code; an idea that says everything becomes a draft. `seen` is the record
/// as it was shown: [`Error::Stale`] where it is another one by now. Fails with flaws at fields, and with
/// [`Error::NotFound`]. What changed is written down, before and after.
pub async fn change(
    db: &Db,
    by: &Staff,
    id: PromotionId,
    seen: &NewPromotion,
    new: &NewPromotion,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET title = $2, conditions = $3, starts_at = $4, ends_at = $5, \
                       must_activate = $6, stage = $7, version = version + 1 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?;
            let now = tx.now();
            if before.record != *seen || before.state(now) == State::Ended {
                return Err(Error::Stale);
            }
            let new = NewPromotion {
                code: before.record.code.clone(),
                ..checked(tx, new).await?
            };
            let stage = match before.stage {
                Stage::Idea => Stage::Draft,
                other => other,
            };
            if stage == Stage::Published && new.ends_at <= now {
                return Err(Error::field("ends", Flaw::InThePast));
            }
            if new == before.record && stage == before.stage {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Json(&new.title))
                .bind(Json(&new.conditions))
                .bind(new.starts_at)
                .bind(new.ends_at)
                .bind(new.must_activate)
                .bind(stage)
                .execute(c)
                .await
                .map(drop))?;
            link(tx, id, &new).await?;
            let changed = difference(&before.record, &new);
            Ok(by.record(tx, "promotion.change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// Publishes a draft as it was seen: from its first moment on customers are offered it. [`Error::Stale`] where it was changed
/// since or is no draft, [`Flaw::InThePast`] at `ends` where its time is over.
pub async fn publish(db: &Db, by: &Fresh<'_, Staff>, id: PromotionId, seen: &NewPromotion) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET stage = $2, version = version + 1 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?;
            if before.stage != Stage::Draft || before.record != *seen {
                return Err(Error::Stale);
            }
            if before.record.ends_at <= tx.now() {
                return Err(Error::field("ends", Flaw::InThePast));
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(Stage::Published)
                .execute(c)
                .await
                .map(drop))?;
            Ok(by.record(tx, "promotion.publish", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Ends a promotion now; one whose time is to come is a draft again. [`Error::Stale`] where it is neither, and
/// [`Error::NotFound`].
pub async fn end(db: &Db, by: &Fresh<'_, Staff>, id: PromotionId) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET ends_at = $2, stage = $3, version = version + 1 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?;
            let now = tx.now();
            let (ends_at, stage) = match before.state(now) {
                State::Running => (now, Stage::Published),
                State::Planned => (before.record.ends_at, Stage::Draft),
                State::Idea | State::Draft | State::Ended => return Err(Error::Stale),
            };
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(ends_at)
                .bind(stage)
                .execute(c)
                .await
                .map(drop))?;
            Ok(by.record(tx, "promotion.end", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Sees to it that nobody else changes a promotion until the transaction ends.
async fn hold(tx: &mut Tx, id: PromotionId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE promotions SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}
