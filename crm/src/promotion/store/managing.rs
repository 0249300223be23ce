//! Promotions as marketers write them: an idea, a draft, a colleague's consent, then published for its time, and what came of it.
//!
//! What is published is not changed in place: a change is a draft beside it, which a colleague consents to as they do to the
//! first. Whatever was done stays in the log, with the stage that it led to.

use super::super::{NewPromotion, Stage, State};
use super::{Row, link, record, sorted, with_links};
use crate::audit::difference;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::draft::{self, Drafted, Drafts, drafts};
use crate::error::{Error, unless_taken};
use crate::flaw::{self, Check, Flaw};
use crate::id::{PromotionId, RuleId, StaffId, StoreId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::rule::Rule;
use crate::rule::store::last_of_all;
use crate::staff::Right;
use crate::staff::approval::{self, Step, What};
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Days, Utc};
use serde_json::json;
use sqlx::types::Json;
use std::collections::HashMap;

/// The longest title, in characters.
const TITLE_MAX: usize = 120;
/// The longest conditions, note and conclusion, in characters.
const TEXT_MAX: usize = 2000;
/// The longest reason, in characters.
const REASON_MAX: usize = 500;
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
    /// What only staff know of it.
    pub desk: Desk,
}

/// What only staff know of a promotion.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Desk {
    id: PromotionId,
    /// What it is about.
    pub note: String,
    /// Who wrote last what is to be published next.
    pub written_by: Option<StaffId>,
    /// Since when that waits for somebody else's consent.
    pub asked_at: Option<DateTime<Utc>>,
    /// Who asked for it.
    pub asked_by: Option<StaffId>,
    /// Why nobody consented when it was asked last.
    pub refusal: Option<String>,
    /// What came of it.
    pub conclusion: Option<String>,
}

impl Entry {
    /// How it stands with it at a moment.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        match self.stage.at(now, self.record.starts_at, self.record.ends_at) {
            State::Draft if self.desk.asked_at.is_some() => State::Approval,
            State::Ended if self.desk.conclusion.is_some() => State::Concluded,
            other => other,
        }
    }

    /// What is to be published next was written by them, or they asked for consent to it: somebody else has to give it.
    pub fn is_by(&self, staff: &Staff) -> bool {
        [self.desk.written_by, self.desk.asked_by].contains(&Some(staff.id()))
    }
}

/// The next version of a promotion that is published.
pub type Draft = draft::Draft<NewPromotion>;

impl Drafted for NewPromotion {
    const SQL: Drafts = drafts!("promotion_drafts", "promotion_id", "record", "promotion_versions");
}

async fn entries(conn: &mut Conn, rows: Vec<Row>) -> Result<Vec<Entry>, Error> {
    const DESKS: &str = "SELECT id, note, written_by, asked_at, asked_by, refusal, conclusion FROM promotions";
    let heads: Vec<_> = rows.iter().map(|row| (row.id, row.version, row.stage)).collect();
    let query = ListQuery::new(DESKS).within("id", heads.iter().map(|(id, ..)| Bind::Id(id.0)));
    let desks: Vec<Desk> = db::list(conn, query).await?;
    let mut desks: HashMap<PromotionId, Desk> = desks.into_iter().map(|desk| (desk.id, desk)).collect();
    let promotions = with_links(conn, rows).await?;
    let entry = |((id, version, stage), promotion): ((PromotionId, i64, Stage), _)| {
        let desk = desks.remove(&id);
        desk.map(|desk| Entry {
            id,
            version,
            stage,
            record: record(promotion),
            desk,
        })
    };
    Ok(heads.into_iter().zip(promotions).filter_map(entry).collect())
}

/// The promotions, the one that ends last first: `limit` of them after a place in the list, and with `state` those that are
/// so far. Where a next version waits for consent, its promotion is among those that do. That they were looked at is written
/// down.
pub async fn list(
    db: &Db,
    by: &Staff,
    state: Option<State>,
    after: Option<Before>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "promotion.list", None, None, "").await?;
            let at = tx.now();
            let now = || Bind::Time(at);
            let all = ListQuery::new(promotions!(""));
            let mut query = match state {
                None => all,
                Some(State::Idea) => all.filter("stage = 'idea'", []),
                Some(State::Draft) => all.filter("stage = 'draft' AND asked_at IS NULL", []),
                Some(State::Approval) => all.filter("asked_at IS NOT NULL", []),
                Some(State::Planned) => {
                    all.filter("stage = 'published' AND starts_at > ? AND ends_at > ?", [now(), now()])
                }
                Some(State::Running) => {
                    all.filter("stage = 'published' AND starts_at <= ? AND ends_at > ?", [now(), now()])
                }
                Some(State::Ended) => {
                    all.filter("stage = 'published' AND ends_at <= ? AND conclusion IS NULL", [now()])
                }
                Some(State::Concluded) => all.filter(
                    "stage = 'published' AND ends_at <= ? AND conclusion IS NOT NULL",
                    [now()],
                ),
            };
            if let Some((at, id)) = after {
                query = query.filter("(ends_at, id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
            }
            let query = query.tail("ORDER BY ends_at DESC, id DESC").limit(limit);
            let rows: Vec<Row> = db::list(tx, query).await?;
            entries(tx, rows).await
        })
    })
    .await
}

/// How many promotions are how far, in the order of [`State::ALL`], as [`list`] shows them.
pub async fn counts(conn: &mut Conn, by: &Staff) -> Result<[i64; 7], Error> {
    const SQL: &str = "SELECT COUNT(CASE WHEN stage = 'idea' THEN 1 END), \
        COUNT(CASE WHEN stage = 'draft' AND asked_at IS NULL THEN 1 END), \
        COUNT(CASE WHEN asked_at IS NOT NULL THEN 1 END), \
        COUNT(CASE WHEN stage = 'published' AND starts_at > $1 AND ends_at > $1 THEN 1 END), \
        COUNT(CASE WHEN stage = 'published' AND starts_at <= $1 AND ends_at > $1 THEN 1 END), \
        COUNT(CASE WHEN stage = 'published' AND ends_at <= $1 AND conclusion IS NULL THEN 1 END), \
        COUNT(CASE WHEN stage = 'published' AND ends_at <= $1 AND conclusion IS NOT NULL THEN 1 END) FROM promotions";
    by.may(Right::Rules)?;
    let now = conn.now();
    let (idea, draft, approval, planned, running, ended, concluded): (i64, i64, i64, i64, i64, i64, i64) =
        on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_one(c).await)?;
    Ok([idea, draft, approval, planned, running, ended, concluded])
}

/// One promotion, for its page, with the next version that is being written of one that is published. That it was looked at is
/// written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: PromotionId) -> Result<(Entry, Option<Draft>), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let entry = get(tx, id).await?;
            by.record(tx, "promotion.read", None, Some(id.0), "").await?;
            Ok((entry, draft::of(tx, id.0).await?))
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
    let conditions = check.words("conditions", &new.conditions, TEXT_MAX);
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

/// Writes an idea down: a name, in one language at least, and a note for staff, to be held for two weeks from tomorrow. Without
/// a code it is given one. Fails with flaws at `key`, which may be taken, at `title_ru` and `title_en`, and at `note`.
pub async fn create(db: &Db, by: &Staff, code: &str, title: &Localized, note: &str) -> Result<PromotionId, Error> {
    const SQL: &str = "INSERT INTO promotions (id, code, version, title, conditions, starts_at, ends_at, stage, note, \
                       written_by) VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9)";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = PromotionId::new();
            let mut check = Check::new();
            let code = match code.trim() {
                // The end of an id is what is random of it.
                "" => format!("p-{}", id.0.simple().to_string().chars().skip(24).collect::<String>()),
                code => check.field("key", crate::till::code(code)).unwrap_or_default(),
            };
            let mut title = check.words_if_any("title", title, TITLE_MAX);
            if check.is_clean() && title.ru.is_empty() && title.en.is_empty() {
                check.field::<()>("title_ru", Err(Flaw::Missing));
            }
            let note = check.field("note", if_any(note, TEXT_MAX)).unwrap_or_default();
            check.result()?;
            if title.en.is_empty() {
                title.en.clone_from(&title.ru);
            } else if title.ru.is_empty() {
                title.ru.clone_from(&title.en);
            }
            let tomorrow = tx.shop().day(tx.now()) + Days::new(1);
            let (starts_at, ends_at) = (
                tx.shop().midnight(tomorrow),
                tx.shop().midnight(tomorrow + Days::new(DAYS)),
            );
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&title))
                .bind(Json(Localized::default()))
                .bind(starts_at)
                .bind(ends_at)
                .bind(Stage::Idea)
                .bind(&note)
                .bind(by.id())
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            let changed = format!("stage: null → {}", json!(State::Idea.as_str()));
            by.record(tx, "promotion.create", None, Some(id.0), &changed).await?;
            Ok(id)
        })
    })
    .await
}

/// A text as it was shown; browsers send line breaks of their own.
fn as_kept(seen: &str) -> String {
    seen.replace("\r\n", "\n")
}

/// A text that may be empty.
fn if_any(text: &str, max: usize) -> Result<String, Flaw> {
    match flaw::text(text, max) {
        Err(Flaw::Missing) => Ok(String::new()),
        other => other,
    }
}

/// Notes what a promotion is about, for staff alone. `seen` is the note as it was shown: [`Error::Stale`] where it is another
/// one by now. Fails with flaws at `note`, and with [`Error::NotFound`].
pub async fn set_note(db: &Db, by: &Staff, id: PromotionId, seen: &str, note: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET note = $2 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?.desk.note;
            let note = if_any(note, TEXT_MAX).map_err(|flaw| Error::field("note", flaw))?;
            if before != as_kept(seen) {
                return Err(Error::Stale);
            }
            if note == before {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL).bind(id).bind(&note).execute(c).await.map(drop))?;
            let changed = format!("note: {} → {}", json!(before), json!(note));
            Ok(by.record(tx, "promotion.note", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// What is to be published next of a promotion that is held: the draft beside it, or what it says itself.
async fn next(tx: &mut Tx, held: &Entry) -> Result<NewPromotion, Error> {
    let draft: Option<Draft> = draft::of(tx, held.id.0).await?;
    Ok(draft.map_or_else(|| held.record.clone(), |draft| draft.content))
}

/// Changes a promotion that has not ended, but for its code. An idea that says everything becomes a draft; of one that is
/// published the next version is written, and customers see nothing of it. Whoever asked for consent has to ask again. `seen` is
/// what was shown, the next version where there is one: [`Error::Stale`] where it is another one by now. Fails with flaws at
/// fields, and with [`Error::NotFound`]. What changed is written down, before and after.
pub async fn change(
    db: &Db,
    by: &Staff,
    id: PromotionId,
    seen: &NewPromotion,
    new: &NewPromotion,
) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let held = get(tx, id).await?;
            let (now, before) = (tx.now(), next(tx, &held).await?);
            if before != *seen || held.state(now).is_over() {
                return Err(Error::Stale);
            }
            let new = NewPromotion {
                code: before.code.clone(),
                ..checked(tx, new).await?
            };
            let is_published = held.stage == Stage::Published;
            if is_published && new.ends_at <= now {
                return Err(Error::field("ends", Flaw::InThePast));
            }
            if new == before && held.stage != Stage::Idea {
                return Ok(());
            }
            let (action, change) = if is_published {
                draft::keep(tx, id.0, by.id(), &new).await?;
                ("promotion.draft", difference(&before, &new))
            } else {
                put(tx, id, &new, Stage::Draft).await?;
                (
                    "promotion.change",
                    with_stage(difference(&before, &new), held.state(now), State::Draft),
                )
            };
            await_nobody(tx, id, Some(by.id()), None).await?;
            by.record(tx, action, None, Some(id.0), &change).await?;
            no_longer_waits(tx, by, &held).await
        })
    })
    .await
}

/// Throws the next version of a published promotion away. `seen` is its [`changed_at`](draft::Draft::changed_at) as it was shown:
/// [`Error::Stale`] where it is another one by now, or none, and [`Error::NotFound`].
pub async fn discard(db: &Db, by: &Staff, id: PromotionId, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let held = get(tx, id).await?;
            draft::discard::<NewPromotion>(tx, id.0, seen).await?;
            await_nobody(tx, id, None, None).await?;
            by.record(tx, "promotion.discard", None, Some(id.0), "").await?;
            no_longer_waits(tx, by, &held).await
        })
    })
    .await
}

/// A draft, or a next version, that is held and as it was seen: whether it waits for consent or not. [`Flaw::InThePast`] at
/// `ends` where its time is over.
async fn to_publish(
    tx: &mut Tx,
    id: PromotionId,
    seen: &NewPromotion,
    waits: bool,
) -> Result<(Entry, NewPromotion), Error> {
    hold(tx, id).await?;
    let held = get(tx, id).await?;
    let (now, draft) = (tx.now(), draft::of::<NewPromotion>(tx, id.0).await?);
    let new = match (held.stage, draft) {
        (Stage::Draft, _) => held.record.clone(),
        (Stage::Published, Some(draft)) if !held.state(now).is_over() => draft.content,
        _ => return Err(Error::Stale),
    };
    if new != *seen || held.desk.asked_at.is_some() != waits {
        return Err(Error::Stale);
    }
    if new.ends_at <= now {
        return Err(Error::field("ends", Flaw::InThePast));
    }
    Ok((held, new))
}

/// Asks colleagues to consent to a draft, or to a next version, as it was seen. [`Error::Stale`] where it was changed since or
/// waits already, and [`Flaw::InThePast`] at `ends` where its time is over.
pub async fn ask(db: &Db, by: &Staff, id: PromotionId, seen: &NewPromotion) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET asked_at = $2, asked_by = $3, refusal = NULL WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let (held, _) = to_publish(tx, id, seen, false).await?;
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .bind(by.id())
                .execute(c)
                .await
                .map(drop))?;
            let moved = match held.stage {
                Stage::Published => String::new(),
                _ => with_stage(String::new(), State::Draft, State::Approval),
            };
            by.record(tx, "promotion.ask", None, Some(id.0), &moved).await?;
            Ok(approval::ask(tx, by, What::Promotion(id), held.desk.written_by).await?)
        })
    })
    .await
}

/// Consents to what waits, as it was seen, and publishes it: from its first moment on customers are offered it. Fails with
/// [`Error::Forbidden`] for whoever wrote it or asked, with [`Error::Stale`] where it was changed since or does not wait, and
/// with [`Flaw::InThePast`] at `ends` where its time is over.
pub async fn approve(db: &Db, by: &Fresh<'_, Staff>, id: PromotionId, seen: &NewPromotion) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let (held, new) = to_publish(tx, id, seen, true).await?;
            if held.is_by(by) {
                return Err(Error::Forbidden);
            }
            put(tx, id, &new, Stage::Published).await?;
            if held.stage == Stage::Published {
                draft::forget::<NewPromotion>(tx, id.0).await?;
            }
            await_nobody(tx, id, None, None).await?;
            enter(tx, id, by.id(), &new).await?;
            let now = tx.now();
            let (from, to) = (held.state(now), Stage::Published.at(now, new.starts_at, new.ends_at));
            let change = with_stage(difference(&held.record, &new), from, to);
            by.record(tx, "promotion.approve", None, Some(id.0), &change).await?;
            let told = held.desk.asked_by.map(|asker| (asker, Step::Approved));
            Ok(approval::over(tx, by, What::Promotion(id), told).await?)
        })
    })
    .await
}

/// Does not consent to what waits, and says why: it is a draft again. Fails as [`approve`] does, and with flaws at `reason`.
pub async fn refuse(db: &Db, by: &Staff, id: PromotionId, seen: &NewPromotion, reason: &str) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let reason = flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
            hold(tx, id).await?;
            let held = get(tx, id).await?;
            // What waits may wait until its time is over, and is refused then all the same.
            if held.desk.asked_at.is_none() || next(tx, &held).await? != *seen {
                return Err(Error::Stale);
            }
            if held.is_by(by) {
                return Err(Error::Forbidden);
            }
            await_nobody(tx, id, None, Some(&reason)).await?;
            let change = format!("reason: null → {}", json!(reason));
            let change = match held.stage {
                Stage::Published => change,
                _ => with_stage(change, State::Approval, State::Draft),
            };
            by.record(tx, "promotion.refuse", None, Some(id.0), &change).await?;
            let told = held.desk.asked_by.map(|asker| (asker, Step::Refused));
            Ok(approval::over(tx, by, What::Promotion(id), told).await?)
        })
    })
    .await
}

/// Ends a promotion now; one whose time is to come is a draft again, as its next version says where there is one.
/// [`Error::Stale`] where it is neither, and [`Error::NotFound`].
pub async fn end(db: &Db, by: &Fresh<'_, Staff>, id: PromotionId) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let held = get(tx, id).await?;
            let now = tx.now();
            let (new, stage, to) = match held.state(now) {
                State::Running => {
                    let ended = NewPromotion {
                        ends_at: now,
                        ..held.record.clone()
                    };
                    (ended, Stage::Published, State::Ended)
                }
                State::Planned => (next(tx, &held).await?, Stage::Draft, State::Draft),
                _ => return Err(Error::Stale),
            };
            put(tx, id, &new, stage).await?;
            if draft::of::<NewPromotion>(tx, id.0).await?.is_some() {
                draft::forget::<NewPromotion>(tx, id.0).await?;
            }
            if stage == Stage::Published {
                enter(tx, id, by.id(), &new).await?;
            }
            await_nobody(tx, id, None, None).await?;
            let change = with_stage(String::new(), held.state(now), to);
            by.record(tx, "promotion.end", None, Some(id.0), &change).await?;
            no_longer_waits(tx, by, &held).await
        })
    })
    .await
}

/// Writes down what came of a promotion that is over. `seen` is what was written before: [`Error::Stale`] where it is something
/// else by now, or it is not over. Fails with flaws at `conclusion`, and with [`Error::NotFound`].
pub async fn conclude(db: &Db, by: &Staff, id: PromotionId, seen: &str, conclusion: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET conclusion = $2 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let conclusion = flaw::text(conclusion, TEXT_MAX).map_err(|flaw| Error::field("conclusion", flaw))?;
            hold(tx, id).await?;
            let held = get(tx, id).await?;
            let from = held.state(tx.now());
            if held.desk.conclusion.clone().unwrap_or_default() != as_kept(seen) || !from.is_over() {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&conclusion)
                .execute(c)
                .await
                .map(drop))?;
            let change = format!("conclusion: {} → {}", json!(held.desk.conclusion), json!(conclusion));
            let change = with_stage(change, from, State::Concluded);
            Ok(by.record(tx, "promotion.conclude", None, Some(id.0), &change).await?)
        })
    })
    .await
}

/// What changed, with the stage that it led to, as the log has it.
fn with_stage(change: String, from: State, to: State) -> String {
    if from == to {
        return change;
    }
    let moved = format!("stage: {} → {}", json!(from.as_str()), json!(to.as_str()));
    if change.is_empty() {
        moved
    } else {
        format!("{change}; {moved}")
    }
}

/// Puts what a promotion says in the place of what it said.
async fn put(tx: &mut Tx, id: PromotionId, new: &NewPromotion, stage: Stage) -> Result<(), Error> {
    const SQL: &str = "UPDATE promotions SET title = $2, conditions = $3, starts_at = $4, ends_at = $5, \
                       must_activate = $6, stage = $7, version = version + 1 WHERE id = $1";
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
    Ok(link(tx, id, new).await?)
}

/// Writes down what is published, and by whose consent.
async fn enter(tx: &mut Tx, id: PromotionId, by: StaffId, new: &NewPromotion) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO promotion_versions (promotion_id, version, record, published_at, published_by) \
                       SELECT id, version, $2, $3, $4 FROM promotions WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(Json(new))
        .bind(now)
        .bind(by)
        .execute(c)
        .await
        .map(drop))
}

/// Nothing of a promotion waits for consent any more: somebody wrote something else, or somebody said why not.
async fn await_nobody(
    tx: &mut Tx,
    id: PromotionId,
    writer: Option<StaffId>,
    refusal: Option<&str>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE promotions SET asked_at = NULL, asked_by = NULL, written_by = COALESCE($2, written_by), \
                       refusal = COALESCE($3, CASE WHEN asked_at IS NULL THEN refusal END) WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(writer)
        .bind(refusal)
        .execute(c)
        .await
        .map(drop))
}

/// Whoever was asked to consent to what waited, and was not decided, need not any more. Last in its transaction.
async fn no_longer_waits(tx: &mut Tx, by: &Staff, held: &Entry) -> Result<(), Error> {
    if held.desk.asked_at.is_some() {
        approval::over(tx, by, What::Promotion(held.id), None).await?;
    }
    Ok(())
}

/// Sees to it that nobody else changes a promotion until the transaction ends.
async fn hold(tx: &mut Tx, id: PromotionId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE promotions SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}
