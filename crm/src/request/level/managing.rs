//! Calendars and policies as staff write them.

use super::store::{policies, reckon_all};
use super::{Calendar, Days, Plan, Policy, Promise, Week, days, hours};
use crate::audit::difference;
use crate::db::{self, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CalendarId, PolicyId, TopicId};
use crate::on;
use crate::request::Topic;
use crate::request::desk::Priority;
use crate::request::store::open_topic;
use crate::shop::Shop;
use crate::staff::Right;
use crate::stores;
use crate::who::{Staff, System};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name of a calendar, in characters.
const NAME_MAX: usize = 60;
/// The most minutes in which something is promised: a thousand hours.
const MINUTES_MAX: i64 = 60_000;
/// The most percent of them after which something happens.
const PERCENT_MAX: i64 = 1_000;

/// What forms call the hours of each day, from Monday.
pub const DAY_FIELDS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A calendar as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Entry {
    /// Its id.
    #[serde(skip)]
    pub id: CalendarId,
    /// What staff call it.
    pub name: String,
    /// The IANA name of the time zone by whose clock it goes.
    pub time_zone: String,
    /// The hours of each day of the week.
    #[sqlx(json)]
    pub week: Week,
    /// Days that are unlike their weekday.
    #[sqlx(json)]
    pub days: Days,
    /// When it was written down like this.
    #[serde(skip)]
    pub changed_at: DateTime<Utc>,
    /// Since when no policy takes it any more; none: it is open.
    #[serde(skip)]
    pub closed_at: Option<DateTime<Utc>>,
}

impl Entry {
    /// By when what a policy promises is due, of a request that is written at a moment.
    pub fn preview(&self, policy: &Policy, shop: &Shop, at: DateTime<Utc>) -> Vec<(Promise, DateTime<Utc>)> {
        let zone = shop.zone_of(Some(&self.time_zone));
        let calendar = Calendar::new(zone, self.week.clone(), self.days.clone());
        let due = |kind| Some((kind, Plan::of(policy, kind, &calendar, at, TimeDelta::zero())?.due_at));
        Promise::ALL.into_iter().filter_map(due).collect()
    }
}

/// A calendar as a form brings it.
#[derive(Clone, Debug, Default)]
pub struct NewCalendar {
    /// What staff call it.
    pub name: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// The hours of each day from Monday, as [`hours`] reads them.
    pub week: [String; 7],
    /// Days that are unlike their weekday, as [`days`] reads them.
    pub days: String,
}

impl NewCalendar {
    /// As it is kept. Fails with flaws at `name`, `time_zone`, [`DAY_FIELDS`] and `days`.
    fn checked(&self, id: CalendarId, changed_at: DateTime<Utc>) -> Result<Entry, Error> {
        let mut check = Check::new();
        let name = check
            .field("name", flaw::text(&self.name, NAME_MAX))
            .unwrap_or_default();
        let time_zone = check.field("time_zone", stores::time_zone(&self.time_zone));
        let mut week = Week::default();
        for ((field, text), spans) in DAY_FIELDS.iter().zip(&self.week).zip(&mut week) {
            *spans = check.field(field, hours(text)).unwrap_or_default();
        }
        let days = check.field("days", days(&self.days)).unwrap_or_default();
        // A week without work would never let anything be due.
        if check.is_clean() && week.iter().all(Vec::is_empty) {
            check.field::<()>("mon", Err(Flaw::Missing));
        }
        check.result()?;
        Ok(Entry {
            id,
            name,
            time_zone: time_zone.unwrap_or_default(),
            week,
            days,
            changed_at,
            closed_at: None,
        })
    }
}

/// A policy as a form brings it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NewPolicy {
    /// The id of its calendar.
    pub calendar: String,
    /// The code of the topic; empty: any.
    pub topic: String,
    /// The code of a [`Priority`]; empty: any.
    pub priority: String,
    /// Minutes of working time; empty: not promised.
    pub first_answer: String,
    /// Likewise.
    pub next_answer: String,
    /// Likewise.
    pub solution: String,
    /// Percent of the time after which whoever works on it is warned.
    pub warn: String,
    /// After which the leads are told; empty: they are not.
    pub lead: String,
    /// After which it is nobody's again; empty: it stays.
    pub queue: String,
}

/// A number within bounds; none where nothing was typed.
fn number(raw: &str, min: i64, max: i64) -> Result<Option<i64>, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Ok(None);
    }
    let number: i64 = raw.parse().map_err(|_| Flaw::NotANumber)?;
    match (min..=max).contains(&number) {
        true => Ok(Some(number)),
        false => Err(Flaw::OutOfRange { min, max }),
    }
}

impl NewPolicy {
    /// As it is kept. Fails with flaws at its fields.
    async fn checked(&self, tx: &mut Tx, id: PolicyId, changed_at: DateTime<Utc>) -> Result<Policy, Error> {
        // One that is closed stays with what has it.
        const CALENDAR: &str = "SELECT k.id FROM level_calendars k WHERE k.id = $1 AND (k.closed_at IS NULL \
                                OR EXISTS (SELECT 1 FROM level_policies p WHERE p.id = $2 AND p.calendar_id = k.id))";
        let calendar: Option<CalendarId> = match self.calendar.parse::<CalendarId>() {
            Ok(calendar) => on!(tx, |c| sqlx::query_scalar(CALENDAR)
                .bind(calendar)
                .bind(id)
                .fetch_optional(c)
                .await)?,
            Err(_) => None,
        };
        let topic: Result<Option<TopicId>, Flaw> = match self.topic.as_str() {
            "" => Ok(None),
            code => open_topic(tx, code).await?.map(Some),
        };
        let priority = match self.priority.as_str() {
            "" => Ok(None),
            code => Priority::from_code(code).map(Some).ok_or(Flaw::NotAChoice),
        };
        let mut check = Check::new();
        let calendar = check.field("calendar", calendar.ok_or(Flaw::NotAChoice));
        let topic_id = check.field("topic", topic).flatten();
        let priority = check.field("priority", priority).flatten();
        let [first_answer, next_answer, solution] = [
            ("first_answer", &self.first_answer),
            ("next_answer", &self.next_answer),
            ("solution", &self.solution),
        ]
        .map(|(field, raw)| check.field(field, number(raw, 1, MINUTES_MAX)).flatten());
        let warn = number(&self.warn, 1, 99).and_then(|warn| warn.ok_or(Flaw::Missing));
        let warn = check.field("warn", warn);
        let [lead_percent, queue_percent] = [("lead", &self.lead, 1), ("queue", &self.queue, 100)]
            .map(|(field, raw, min)| check.field(field, number(raw, min, PERCENT_MAX)).flatten());
        if check.is_clean() && [first_answer, next_answer, solution].iter().all(Option::is_none) {
            check.field::<()>("first_answer", Err(Flaw::Missing));
        }
        let (Some(calendar_id), Some(warn_percent), true) = (calendar, warn, check.is_clean()) else {
            return Err(Error::Invalid(check.flaws()));
        };
        Ok(Policy {
            id,
            calendar_id,
            topic_id,
            priority,
            first_answer,
            next_answer,
            solution,
            warn_percent,
            lead_percent,
            queue_percent,
            changed_at,
        })
    }
}

/// All that is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The calendars, by their names.
    pub calendars: Vec<Entry>,
    /// The policies, as they were written.
    pub policies: Vec<Policy>,
    /// The topics that policies may be about, and those that they are about though closed since.
    pub topics: Vec<Topic>,
}

/// All that is set up. That it was looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Setup, Error> {
    const CALENDARS: &str =
        "SELECT id, name, time_zone, week, days, changed_at, closed_at FROM level_calendars ORDER BY name, id";
    const CLOSED: &str =
        "SELECT id, code, name FROM topics WHERE id IN (SELECT topic_id FROM level_policies) ORDER BY id";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "level.list", None, None, "").await?;
            let calendars: Vec<Entry> = on!(tx, |c| sqlx::query_as(CALENDARS).fetch_all(c).await)?;
            let mut topics = crate::request::store::topics(tx).await?;
            let named: Vec<Topic> = on!(tx, |c| sqlx::query_as(CLOSED).fetch_all(c).await)?;
            for topic in named {
                if topics.iter().all(|known| known.id != topic.id) {
                    topics.push(topic);
                }
            }
            Ok(Setup {
                calendars,
                policies: policies(tx).await?,
                topics,
            })
        })
    })
    .await
}

/// Writes a calendar down. Fails with flaws at its fields.
pub async fn add_calendar(db: &Db, by: &Staff, new: &NewCalendar) -> Result<CalendarId, Error> {
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let entry = enter(tx, new).await?;
            by.record(tx, "level.calendar_add", None, Some(entry.id.0), &entry.name)
                .await?;
            Ok(entry.id)
        })
    })
    .await
}

async fn enter(tx: &mut Tx, new: &NewCalendar) -> Result<Entry, Error> {
    const SQL: &str = "INSERT INTO level_calendars (id, name, time_zone, week, days, changed_at) \
                       VALUES ($1, $2, $3, $4, $5, $6)";
    let entry = new.checked(CalendarId::new(), tx.now())?;
    on!(tx, |c| sqlx::query(SQL)
        .bind(entry.id)
        .bind(&entry.name)
        .bind(&entry.time_zone)
        .bind(Json(&entry.week))
        .bind(Json(&entry.days))
        .bind(entry.changed_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(entry)
}

/// Writes a calendar and policies by it down, at the command line. They count for what is written from then on. Fails with flaws at
/// their fields.
pub async fn set_up_by_system(
    tx: &mut Tx,
    _by: &System,
    calendar: &NewCalendar,
    policies: &[NewPolicy],
) -> Result<(), Error> {
    let calendar = enter(tx, calendar).await?.id.to_string();
    for new in policies {
        let new = NewPolicy {
            calendar: calendar.clone(),
            ..new.clone()
        };
        enter_policy(tx, &new).await?;
    }
    Ok(())
}

/// Changes a calendar, and by it what is due by now. `seen` is when it was written down as it was shown: [`Error::Stale`] where it
/// is another one by now. Fails with flaws at its fields, and with [`Error::NotFound`].
pub async fn change_calendar(
    db: &Db,
    by: &Staff,
    id: CalendarId,
    seen: DateTime<Utc>,
    new: &NewCalendar,
) -> Result<(), Error> {
    // Nobody else changes it meanwhile.
    const HOLD: &str = "UPDATE level_calendars SET name = name WHERE id = $1 \
                        RETURNING id, name, time_zone, week, days, changed_at, closed_at";
    const SQL: &str = "UPDATE level_calendars SET name = $2, time_zone = $3, week = $4, days = $5, changed_at = $6 \
                       WHERE id = $1";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let before: Option<Entry> = on!(tx, |c| sqlx::query_as(HOLD).bind(id).fetch_optional(c).await)?;
            let before = before.ok_or(Error::NotFound)?;
            if before.changed_at != seen {
                return Err(Error::Stale);
            }
            let entry = new.checked(id, tx.now().max(seen + TimeDelta::microseconds(1)))?;
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&entry.name)
                .bind(&entry.time_zone)
                .bind(Json(&entry.week))
                .bind(Json(&entry.days))
                .bind(entry.changed_at)
                .execute(c)
                .await
                .map(drop))?;
            reckon_all(tx).await?;
            let changed = difference(&before, &entry);
            Ok(by
                .record(tx, "level.calendar_change", None, Some(id.0), &changed)
                .await?)
        })
    })
    .await
}

/// Lets policies take a calendar again, or no more: those that have it keep it. Fails with [`Error::NotFound`].
pub async fn set_calendar_open(db: &Db, by: &Staff, id: CalendarId, is_open: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE level_calendars SET closed_at = $2 WHERE id = $1";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let (_, closed_at) = hold_calendar(tx, id).await?;
            if closed_at.is_none() == is_open {
                return Ok(());
            }
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind((!is_open).then_some(now))
                .execute(c)
                .await
                .map(drop))?;
            let action = if is_open {
                "level.calendar_reopen"
            } else {
                "level.calendar_close"
            };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Removes a calendar that no policy has. Fails with [`Error::Stale`] where one does, and with [`Error::NotFound`].
pub async fn remove_calendar(db: &Db, by: &Staff, id: CalendarId) -> Result<(), Error> {
    const USES: &str = "SELECT COUNT(*) FROM level_policies WHERE calendar_id = $1";
    const SQL: &str = "DELETE FROM level_calendars WHERE id = $1";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let (name, _) = hold_calendar(tx, id).await?;
            let uses: i64 = on!(tx, |c| sqlx::query_scalar(USES).bind(id).fetch_one(c).await)?;
            if uses > 0 {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            Ok(by.record(tx, "level.calendar_remove", None, Some(id.0), &name).await?)
        })
    })
    .await
}

/// The name of a calendar, and since when it is closed; nobody else changes it until the transaction ends. Fails with
/// [`Error::NotFound`].
async fn hold_calendar(tx: &mut Tx, id: CalendarId) -> Result<(String, Option<DateTime<Utc>>), Error> {
    const SQL: &str = "UPDATE level_calendars SET name = name WHERE id = $1 RETURNING name, closed_at";
    let held: Option<(String, Option<DateTime<Utc>>)> =
        on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    held.ok_or(Error::NotFound)
}

/// Writes a policy down; it counts at once. Fails with flaws at its fields: [`Flaw::Taken`] at `topic` where there is one for this
/// topic and priority.
pub async fn add_policy(db: &Db, by: &Staff, new: &NewPolicy) -> Result<PolicyId, Error> {
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let id = enter_policy(tx, new).await?;
            reckon_all(tx).await?;
            by.record(tx, "level.policy_add", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

async fn enter_policy(tx: &mut Tx, new: &NewPolicy) -> Result<PolicyId, Error> {
    const SQL: &str = "INSERT INTO level_policies (id, calendar_id, topic_id, priority, first_answer, next_answer, solution, \
                       warn_percent, lead_percent, queue_percent, changed_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let now = tx.now();
    let policy = new.checked(tx, PolicyId::new(), now).await?;
    write(tx, SQL, &policy).await?;
    Ok(policy.id)
}

/// Changes a policy, and by it what is due by now. `seen` and failures as in [`change_calendar`] and [`add_policy`].
pub async fn change_policy(
    db: &Db,
    by: &Staff,
    id: PolicyId,
    seen: DateTime<Utc>,
    new: &NewPolicy,
) -> Result<(), Error> {
    const HOLD: &str = "UPDATE level_policies SET changed_at = changed_at WHERE id = $1 \
                        RETURNING id, calendar_id, topic_id, priority, first_answer, next_answer, solution, warn_percent, \
                        lead_percent, queue_percent, changed_at";
    const SQL: &str = "UPDATE level_policies SET calendar_id = $2, topic_id = $3, priority = $4, first_answer = $5, \
                       next_answer = $6, solution = $7, warn_percent = $8, lead_percent = $9, queue_percent = $10, \
                       changed_at = $11 WHERE id = $1";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let before: Option<Policy> = on!(tx, |c| sqlx::query_as(HOLD).bind(id).fetch_optional(c).await)?;
            let before = before.ok_or(Error::NotFound)?;
            if before.changed_at != seen {
                return Err(Error::Stale);
            }
            let changed_at = tx.now().max(seen + TimeDelta::microseconds(1));
            let policy = new.checked(tx, id, changed_at).await?;
            write(tx, SQL, &policy).await?;
            reckon_all(tx).await?;
            let changed = difference(&before, &policy);
            Ok(by.record(tx, "level.policy_change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

async fn write(tx: &mut Tx, sql: &'static str, policy: &Policy) -> Result<(), Error> {
    let written = on!(tx, |c| sqlx::query(sql)
        .bind(policy.id)
        .bind(policy.calendar_id)
        .bind(policy.topic_id)
        .bind(policy.priority)
        .bind(policy.first_answer)
        .bind(policy.next_answer)
        .bind(policy.solution)
        .bind(policy.warn_percent)
        .bind(policy.lead_percent)
        .bind(policy.queue_percent)
        .bind(policy.changed_at)
        .execute(c)
        .await
        .map(drop));
    match written {
        Err(e) if db::is_taken(&e) => Err(Error::field("topic", Flaw::Taken)),
        other => Ok(other?),
    }
}

/// Removes a policy: what it promised is promised by the next one that fits, or no more. Fails with [`Error::NotFound`].
pub async fn remove_policy(db: &Db, by: &Staff, id: PolicyId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM level_policies WHERE id = $1";
    by.may(Right::Levels)?;
    db.write(|tx| {
        scoped(async move {
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::NotFound);
            }
            reckon_all(tx).await?;
            Ok(by.record(tx, "level.policy_remove", None, Some(id.0), "").await?)
        })
    })
    .await
}
