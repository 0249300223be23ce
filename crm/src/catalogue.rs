//! Shops, categories and articles as staff change them. Nothing that everybody reads is changed in place: a change is a draft
//! first, shows what it would change, and is published at once or from a moment on.
//!
//! Another system may keep the same records and writes over them at any time ([`crate::till::catalogue`]). So an [`Edit`] holds
//! what stood there when somebody began, and changes only what they changed: what was sent meanwhile stays. What lies ahead is
//! carried out by a job when its time has come, and before that by whoever writes the next draft.

use crate::article::store::managing::{self as articles, Record as Article};
use crate::audit::{self, Actor, difference};
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::draft::{self, Drafted, Drafts, drafts};
use crate::error::Error;
use crate::flaw::Check;
use crate::id::{ArticleId, CategoryId, StaffId, StoreId};
use crate::on;
use crate::staff::Right;
use crate::stores::NewStore;
use crate::stores::store::category::{self as categories, Record as Category};
use crate::stores::store::managing as shops;
use crate::who::{Fresh, Staff, System};
use crate::work::Round;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

/// How many are carried out in one round of the job.
const ROUND: i64 = 100;

/// One of the things that the shop runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A shop.
    Store(StoreId),
    /// A category.
    Category(CategoryId),
    /// An article.
    Article(ArticleId),
}

impl Item {
    const fn id(self) -> Uuid {
        match self {
            Self::Store(id) => id.0,
            Self::Category(id) => id.0,
            Self::Article(id) => id.0,
        }
    }

    /// What the log calls it when somebody does something with it.
    fn action(self, verb: &str) -> String {
        let area = match self {
            Self::Store(_) => "store",
            Self::Category(_) => "category",
            Self::Article(_) => "article",
        };
        format!("{area}.{verb}")
    }
}

/// What one of them says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A shop.
    Store(Box<NewStore>),
    /// A category.
    Category(Category),
    /// An article.
    Article(Article),
}

impl Record {
    fn of(&self, id: Uuid) -> Item {
        match self {
            Self::Store(_) => Item::Store(StoreId(id)),
            Self::Category(_) => Item::Category(CategoryId(id)),
            Self::Article(_) => Item::Article(ArticleId(id)),
        }
    }

    /// What differs in another one of the same thing, as the log has it.
    fn difference(&self, after: &Self) -> String {
        match (self, after) {
            (Self::Store(before), Self::Store(after)) => difference(before, after),
            (Self::Category(before), Self::Category(after)) => difference(before, after),
            (Self::Article(before), Self::Article(after)) => difference(before, after),
            _ => String::new(),
        }
    }
}

/// A change: what stood there when somebody began, and what is to stand there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What stood there.
    pub was: Record,
    /// What is to stand there.
    pub is: Record,
}

impl Edit {
    /// What stands there now, with the fields that the edit changes as it has them.
    pub fn over(&self, now: &Record) -> Result<Record, Error> {
        let read = |record: &Record| serde_json::to_value(record).unwrap_or_default();
        let (was, is, mut merged) = (read(&self.was), read(&self.is), read(now));
        // A record is written as {"store": {…}}.
        for (kind, fields) in merged.as_object_mut().into_iter().flatten() {
            for (name, value) in fields.as_object_mut().into_iter().flatten() {
                if was[kind][name] != is[kind][name] {
                    *value = is[kind][name].clone();
                }
            }
        }
        serde_json::from_value(merged).map_err(|_| Error::Stale)
    }
}

/// An edit that is being written.
pub type Draft = draft::Draft<Edit>;

impl Drafted for Edit {
    const SQL: Drafts = drafts!("catalogue_drafts", "item_id", "edit", "catalogue_versions");
}

/// An edit that is published and lies ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// What it changes.
    pub edit: Edit,
    /// From when on it counts.
    pub from: DateTime<Utc>,
    /// The name of who published it.
    pub by: String,
}

/// What is to become of one of them: what is being written, and what lies ahead.
pub async fn coming(conn: &mut Conn, by: &Staff, item: Item) -> Result<(Option<Draft>, Option<Ahead>), Error> {
    const SQL: &str = "SELECT v.edit, v.published_at, s.name FROM catalogue_versions v \
                       JOIN staff s ON s.id = v.published_by WHERE v.item_id = $1 AND v.applied_at IS NULL";
    by.may(Right::Shops)?;
    let ahead: Option<(Json<Edit>, DateTime<Utc>, String)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(item.id()).fetch_optional(c).await)?;
    let ahead = ahead.map(|(Json(edit), from, by)| Ahead { edit, from, by });
    Ok((draft::of(conn, item.id()).await?, ahead))
}

/// Writes a draft. `seen` is what stood there as it was shown, and `draft` the [`changed_at`](draft::Draft::changed_at) of the
/// draft that was shown, none where there was none: [`Error::Stale`] where somebody else was quicker. A draft that changes
/// nothing is none. Fails with flaws at fields, and with [`Error::NotFound`].
pub async fn write(
    db: &Db,
    by: &Staff,
    item: Item,
    (seen, draft): (&Record, Option<DateTime<Utc>>),
    new: &Record,
) -> Result<(), Error> {
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, item).await?;
            carry_out_due(tx, item).await?;
            let now = live(tx, item).await?;
            draft::is_as_seen::<Edit>(tx, item.id(), draft).await?;
            let held: Option<Draft> = draft::of(tx, item.id()).await?;
            let was = match &held {
                Some(held) => held.content.was.clone(),
                None if now == *seen => now,
                None => return Err(Error::Stale),
            };
            let is = checked(tx, item, new).await?;
            if held.as_ref().map_or(&was, |held| &held.content.is) == &is {
                return Ok(());
            }
            let verb = if was == is {
                draft::forget::<Edit>(tx, item.id()).await?;
                "discard"
            } else {
                draft::keep(tx, item.id(), by.id(), &Edit { was, is }).await?;
                "draft"
            };
            Ok(by.record(tx, &item.action(verb), None, Some(item.id()), "").await?)
        })
    })
    .await
}

/// Throws a draft away. `seen` is its [`changed_at`](draft::Draft::changed_at) as it was shown: [`Error::Stale`] where it is another
/// one by now, or none.
pub async fn discard(db: &Db, by: &Staff, item: Item, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, item).await?;
            draft::discard::<Edit>(tx, item.id(), seen).await?;
            Ok(by
                .record(tx, &item.action("discard"), None, Some(item.id()), "")
                .await?)
        })
    })
    .await
}

/// Publishes a draft, from a moment on or from now. `seen` is the [`changed_at`](draft::Draft::changed_at) of the draft as it was
/// shown: [`Error::Stale`] where there is another one, or where an edit lies ahead already. Fails with
/// [`Flaw::TooLate`](crate::flaw::Flaw::TooLate) at `from` for a moment that is over, and with flaws at fields where what stands
/// there by now does not go with it. What it changes is written down, before and after.
pub async fn publish(
    db: &Db,
    by: &Fresh<'_, Staff>,
    item: Item,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO catalogue_versions (item_id, version, edit, published_at, published_by) \
                       VALUES ($1, $2, $3, $4, $5)";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, item).await?;
            carry_out_due(tx, item).await?;
            let (edit, last, from) = draft::next::<Edit>(tx, item.id(), seen, from).await?;
            let version = last + 1;
            on!(tx, |c| sqlx::query(SQL)
                .bind(item.id())
                .bind(version)
                .bind(Json(&edit))
                .bind(from)
                .bind(by.id())
                .execute(c)
                .await
                .map(drop))?;
            draft::forget::<Edit>(tx, item.id()).await?;
            let (verb, change) = if from <= tx.now() {
                ("publish", carry_out(tx, item, version, &edit).await?)
            } else {
                ("schedule", edit.was.difference(&edit.is))
            };
            Ok(by
                .record(tx, &item.action(verb), None, Some(item.id()), &change)
                .await?)
        })
    })
    .await
}

/// Takes back what lies ahead; it is the draft then, unless there is another one. [`Error::Stale`] where nothing lies ahead.
pub async fn withdraw(db: &Db, by: &Fresh<'_, Staff>, item: Item) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM catalogue_versions WHERE item_id = $1 AND applied_at IS NULL AND published_at > $2 \
                       RETURNING edit";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, item).await?;
            let now = tx.now();
            let taken: Option<(Json<Edit>,)> = on!(tx, |c| sqlx::query_as(SQL)
                .bind(item.id())
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let (Json(edit),) = taken.ok_or(Error::Stale)?;
            draft::give_back(tx, item.id(), by.id(), &edit).await?;
            Ok(by.record(tx, &item.action("cancel"), None, Some(item.id()), "").await?)
        })
    })
    .await
}

/// Carries out what is due, and tells how much it was. Of two nodes one does each; what fails keeps nothing else waiting.
pub async fn run_due(db: &Db, _by: &System) -> Result<u64, Error> {
    const DUE: &str = "SELECT item_id, edit FROM catalogue_versions WHERE applied_at IS NULL AND published_at <= $1 \
                       ORDER BY published_at, item_id LIMIT $2";
    let mut conn = db.read().await?;
    let now = conn.now();
    let due: Vec<(Uuid, Json<Edit>)> = on!(conn, |c| sqlx::query_as(DUE).bind(now).bind(ROUND).fetch_all(c).await)?;
    drop(conn);
    let (mut done, mut round) = (0, Round::default());
    for (id, Json(edit)) in due {
        let item = edit.is.of(id);
        let carried_out = db.write(|tx| {
            scoped(async move {
                hold(tx, item).await?;
                carry_out_due(tx, item).await
            })
        });
        done += round.took(carried_out.await).map_or(0, u64::from);
    }
    round.end()?;
    Ok(done)
}

/// Carries out what is due of something that is held, and tells whether anything was. What does not go any more with what
/// stands there by now is a draft again.
async fn carry_out_due(tx: &mut Tx, item: Item) -> Result<bool, Error> {
    const DUE: &str = "SELECT version, edit, published_by FROM catalogue_versions WHERE item_id = $1 \
                       AND applied_at IS NULL AND published_at <= $2";
    const TAKE_BACK: &str = "DELETE FROM catalogue_versions WHERE item_id = $1 AND version = $2";
    let now = tx.now();
    let due: Option<(i64, Json<Edit>, StaffId)> = on!(tx, |c| sqlx::query_as(DUE)
        .bind(item.id())
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some((version, Json(edit), by)) = due else {
        return Ok(false);
    };
    let (verb, change) = match carry_out(tx, item, version, &edit).await {
        Ok(change) => ("apply", change),
        Err(Error::Invalid(_)) => {
            on!(tx, |c| sqlx::query(TAKE_BACK)
                .bind(item.id())
                .bind(version)
                .execute(c)
                .await
                .map(drop))?;
            draft::give_back(tx, item.id(), by, &edit).await?;
            ("cancel", String::new())
        }
        Err(other) => return Err(other),
    };
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action: &item.action(verb),
        customer: None,
        object: Some(item.id()),
        reason: &change,
        network: "",
    };
    audit::record(tx, entry).await?;
    Ok(true)
}

/// Carries a published edit out, and tells what it changed. Nothing is written where it does not go with what stands there.
async fn carry_out(tx: &mut Tx, item: Item, version: i64, edit: &Edit) -> Result<String, Error> {
    const DONE: &str = "UPDATE catalogue_versions SET applied_at = $3 WHERE item_id = $1 AND version = $2";
    // Two edits of different categories could make a circle.
    if let Item::Category(_) = item {
        categories::hold(tx).await?;
    }
    let before = live(tx, item).await?;
    let new = checked(tx, item, &edit.over(&before)?).await?;
    if new != before {
        match (item, &new) {
            (Item::Store(id), Record::Store(new)) => shops::put(tx, id, new).await?,
            (Item::Category(id), Record::Category(new)) => categories::put(tx, id, new).await?,
            (Item::Article(id), Record::Article(new)) => articles::put(tx, id, new).await?,
            _ => return Err(Error::NotFound),
        }
    }
    let now = tx.now();
    on!(tx, |c| sqlx::query(DONE)
        .bind(item.id())
        .bind(version)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(before.difference(&new))
}

/// What everybody reads now.
async fn live(conn: &mut Conn, item: Item) -> Result<Record, Error> {
    Ok(match item {
        Item::Store(id) => Record::Store(Box::new(shops::of(conn, id).await?.record())),
        Item::Category(id) => Record::Category(categories::of(conn, id).await?),
        Item::Article(id) => Record::Article(articles::of(conn, id).await?),
    })
}

/// A record as it is kept, under the code that it has. Fails with flaws at its fields.
async fn checked(tx: &mut Tx, item: Item, new: &Record) -> Result<Record, Error> {
    Ok(match (item, new) {
        (Item::Store(id), Record::Store(new)) => {
            let country = tx.shop().country.clone();
            let before = shops::of(tx, id).await?;
            let new = shops::checked(new, &country)?;
            Record::Store(Box::new(NewStore {
                code: before.store.code,
                exceptions: new.exceptions.clone().or(Some(before.store.exceptions)),
                ..new
            }))
        }
        (Item::Category(id), Record::Category(new)) => Record::Category(categories::checked_of(tx, id, new).await?),
        (Item::Article(id), Record::Article(new)) => {
            let before = articles::of(tx, id).await?;
            Record::Article(articles::checked(tx, Check::new(), new, &before.code).await?.0)
        }
        _ => return Err(Error::NotFound),
    })
}

/// Sees to it that nobody else changes it until the transaction ends.
async fn hold(tx: &mut Tx, item: Item) -> Result<(), sqlx::Error> {
    match item {
        Item::Store(id) => shops::hold(tx, id).await,
        Item::Category(id) => {
            const SQL: &str = "SELECT id FROM categories WHERE id = ANY($1) FOR NO KEY UPDATE";
            db::hold(tx, SQL, &[id.0]).await
        }
        Item::Article(id) => articles::hold(tx, id).await,
    }
}

/// What stood under some codes before another system wrote over it, or a file of another program.
pub(crate) struct Before(Vec<(Uuid, Record)>);

/// Which of them are written so.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Stores,
    Categories,
    Articles,
}

impl Before {
    /// What stands under these codes; nobody else changes it until the transaction ends, so that what differs then is our doing.
    pub(crate) async fn held(tx: &mut Tx, kind: Kind, codes: &[&str]) -> Result<Self, sqlx::Error> {
        let sql = match kind {
            Kind::Stores => "SELECT id FROM stores",
            Kind::Categories => "SELECT id FROM categories",
            Kind::Articles => "SELECT id FROM articles",
        };
        // On SQLite whoever writes is alone anyway.
        if tx.is_postgres() {
            for part in codes.chunks(1024) {
                let part = part.iter().map(|code| Bind::Text((*code).to_owned()));
                let query = ListQuery::new(sql)
                    .within("code", part)
                    .tail("ORDER BY id FOR NO KEY UPDATE");
                db::list::<(Uuid,)>(tx, query).await?;
            }
        }
        Self::of(tx, kind, codes).await
    }

    async fn of(conn: &mut Conn, kind: Kind, codes: &[&str]) -> Result<Self, sqlx::Error> {
        Ok(Self(match kind {
            Kind::Stores => {
                let all = shops::by_codes(conn, codes).await?;
                let record = |one: shops::Entry| (one.store.id.0, Record::Store(Box::new(one.record())));
                all.into_iter().map(record).collect()
            }
            Kind::Categories => {
                let all = categories::all(conn).await?.into_iter();
                let all = all.filter(|(_, one)| codes.contains(&one.code.as_str()));
                all.map(|(id, one)| (id.0, Record::Category(one))).collect()
            }
            Kind::Articles => {
                let all = articles::by_codes(conn, codes).await?.into_iter();
                all.map(|(id, one)| (id.0, Record::Article(one))).collect()
            }
        }))
    }

    /// Writes down what was changed of it, by whom and in which way. What is there for the first time has no history yet.
    pub(crate) async fn record(
        self,
        tx: &mut Tx,
        (actor, by, verb): (Actor, Uuid, &str),
        kind: Kind,
        codes: &[&str],
    ) -> Result<(), sqlx::Error> {
        let Self(after) = Self::of(tx, kind, codes).await?;
        let after: std::collections::HashMap<Uuid, Record> = after.into_iter().collect();
        for (id, before) in self.0 {
            let Some(now) = after.get(&id).filter(|now| **now != before) else {
                continue;
            };
            let entry = audit::Entry {
                actor,
                actor_id: Some(by),
                action: &now.of(id).action(verb),
                customer: None,
                object: Some(id),
                reason: &before.difference(now),
                network: "",
            };
            audit::record(tx, entry).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tea(name: &str, brand: Option<&str>, payable: bool) -> Record {
        Record::Article(Article {
            code: "t-1".into(),
            name: name.into(),
            category: None,
            brand: brand.map(str::to_owned),
            payable,
        })
    }

    #[test]
    fn an_edit_changes_what_somebody_changed_and_nothing_else() {
        let edit = Edit {
            was: tea("Чай", None, true),
            is: tea("Чай чёрный", None, true),
        };
        let sent_meanwhile = tea("Чай", Some("Сосна"), false);
        assert_eq!(
            edit.over(&sent_meanwhile).expect("merged"),
            tea("Чай чёрный", Some("Сосна"), false)
        );
        assert_eq!(edit.over(&edit.was).expect("merged"), edit.is);
    }
}
