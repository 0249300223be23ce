//! The daily work of rules: of those that a day brings round, birthdays and years with the club, and of those for whoever has told
//! everything.
//!
//! Each day of the shop is asked about from its first moment on. The work keeps in mind the last day that it asked about, so
//! that one which comes late asks about the days between as well, each as it was: at its first moment, and where that gave
//! nothing at its last one (today: now). What was given for a period is not given again, so the work may come twice, from
//! several processes at once, or after the clock was set back.
//!
//! Whom to ask is found by indexes: birthdays by month and day, registrations by their day.
//!
//! Whoever had told everything before a rule for it began has nothing left to tell, and is asked about here as well: once a day,
//! and as soon as other rules count, for whom a rule is may change without them.

use super::rewarding::{Event, give, who_is_due};
use super::timeline::{Timeline, timeline};
use crate::content::{set_setting, setting};
use crate::db::{Db, scoped};
use crate::error::Error;
use crate::id::{CustomerId, RuleId};
use crate::on;
use crate::points::store::LIST;
use crate::questionnaire::store as questionnaire;
use crate::rule::{Occasion, Range, RuleVersion, Turn, Whose, YEAR};
use crate::who::System;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use uuid::Uuid;

/// The setting with the last day that was asked about.
const ASKED: &str = "days_asked";
/// The setting with when those who have told everything were asked about last: the day, and the rules that counted.
const TOLD_ASKED: &str = "told_asked";
/// How many days are made up for at most.
const MOST_LATE: u64 = 366;

/// Asks about every day up to today that was not asked about, and about today once more. Tells how many customers were given
/// something.
pub async fn run_due(db: &Db, by: &System) -> Result<u64, Error> {
    let today = db.shop().day(db.now());
    let asked = setting(db, ASKED).await?;
    let asked: Option<NaiveDate> = asked.and_then(|day| day.parse().ok());
    let oldest = today.checked_sub_days(Days::new(MOST_LATE)).unwrap_or(today);
    let from = asked.unwrap_or(today).min(today).max(oldest);
    let mut rewarded = 0;
    for day in from.iter_days().take_while(|day| *day <= today) {
        rewarded += ask_about(db, day, today).await?;
    }
    if asked != Some(today) {
        let day = &today.to_string();
        db.write(|tx| scoped(async move { Ok::<_, Error>(set_setting(tx, by, ASKED, day).await?) }))
            .await?;
    }
    Ok(rewarded + ask_told(db, by).await?)
}

/// Asks about everybody who has told everything and was given nothing for it by a rule that counts now.
async fn ask_told(db: &Db, by: &System) -> Result<u64, Error> {
    let mut conn = db.read().await?;
    let now = conn.now();
    let timeline = timeline(&mut conn).await?;
    let mut counting: Vec<(Whom, RuleVersion)> = Vec::new();
    if let Some(rules) = timeline.on(Occasion::Profile, now) {
        let holding = rules.published().iter().filter(|one| one.rule.valid.holds(now));
        counting.extend(holding.map(|one| (Whom::Profile, one.by)));
    }
    if let Some(rules) = timeline.on(Occasion::Questionnaire, now) {
        let questions = questionnaire::questions(&mut conn).await?;
        let open = questions.iter().filter(|question| !question.is_guarded).count();
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        // Where nothing is asked, nothing is told.
        let holding = rules
            .published()
            .iter()
            .filter(|one| one.rule.valid.holds(now) && open > 0);
        counting.extend(holding.map(|one| (Whom::Questionnaire { open, at: now }, one.by)));
    }
    drop(conn);
    if counting.is_empty() {
        return Ok(0);
    }
    let rules = counting.iter().map(|(_, by)| format!("{}:{}", by.id, by.version));
    let asking = &format!("{} {}", db.shop().day(now), rules.collect::<Vec<_>>().join(" "));
    if setting(db, TOLD_ASKED).await?.as_ref() == Some(asking) {
        return Ok(0);
    }
    let mut rewarded = 0;
    for (whom, rule) in &counting {
        let period = whom.occasion().as_str();
        rewarded += ask_all(db, &timeline, &[now], whom, rule.id, period).await?;
    }
    db.write(|tx| scoped(async move { Ok::<_, Error>(set_setting(tx, by, TOLD_ASKED, asking).await?) }))
        .await?;
    Ok(rewarded)
}

/// The moments at which a day is asked about.
type Moments = [DateTime<Utc>; 2];

async fn ask_about(db: &Db, day: NaiveDate, today: NaiveDate) -> Result<u64, Error> {
    let next = day.succ_opt().unwrap_or(day);
    let last = match day < today {
        true => db.shop().midnight(next) - Duration::microseconds(1),
        false => db.now(),
    };
    let moments = [db.shop().midnight(day), last];
    let timeline = timeline(&mut db.read().await?).await?;
    let mut rewarded = 0;
    for (rule, turn) in turns(&timeline, moments) {
        match turn {
            Turn::Birthday { of, before, after } => {
                for (number, year) in Turn::birthdays(before, after, day) {
                    let period = Turn::birthdays_of(year);
                    let born = Whom::Born(of, number);
                    rewarded += ask_all(db, &timeline, &moments, &born, rule, &period).await?;
                }
            }
            Turn::Tenure(range) => rewarded += ask_members(db, &timeline, moments, day, rule, range).await?,
        }
    }
    Ok(rewarded)
}

/// The rules that either moment may bring round.
fn turns(timeline: &Timeline, moments: Moments) -> Vec<(RuleId, Turn)> {
    let mut turns = Vec::new();
    for rules in moments.iter().filter_map(|at| timeline.on(Occasion::Day, *at)) {
        for published in rules.published() {
            let turn = published.rule.turn().map(|turn| (published.by.id, turn));
            if let Some(turn) = turn.filter(|turn| !turns.contains(turn)) {
                turns.push(turn);
            }
        }
    }
    turns
}

/// Asks about everybody who completes a time with the club on a day.
async fn ask_members(
    db: &Db,
    timeline: &Timeline,
    moments: Moments,
    day: NaiveDate,
    rule: RuleId,
    range: Range,
) -> Result<u64, Error> {
    const OLDEST: &str = "SELECT MIN(registered_at) FROM customers";
    let mut conn = db.read().await?;
    let oldest: Option<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(OLDEST).fetch_one(c).await)?;
    drop(conn);
    let Some(oldest) = oldest.map(|at| db.shop().day(at)) else {
        return Ok(0);
    };
    let mut rewarded = 0;
    for registered in Turn::registrations(range, day, oldest) {
        let next = registered.succ_opt().unwrap_or(registered);
        let whom = Whom::Registered(db.shop().midnight(registered), db.shop().midnight(next));
        let period = format!("year-{}", (day - registered).num_days() / YEAR);
        rewarded += ask_all(db, timeline, &moments, &whom, rule, &period).await?;
    }
    Ok(rewarded)
}

/// Who is asked about together.
enum Whom {
    /// Whoever has the birthday: month and day as one number.
    Born(Whose, i64),
    /// Whoever registered from one moment on, and before another.
    Registered(DateTime<Utc>, DateTime<Utc>),
    /// Whoever has told everything in their profile.
    Profile,
    /// Whoever has answered as many questions as are open at a moment: all of them that are not guarded.
    Questionnaire {
        /// How many.
        open: i64,
        /// The moment.
        at: DateTime<Utc>,
    },
}

impl Whom {
    /// On which occasion they are asked about.
    const fn occasion(&self) -> Occasion {
        match self {
            Self::Born(..) | Self::Registered(..) => Occasion::Day,
            Self::Profile => Occasion::Profile,
            Self::Questionnaire { .. } => Occasion::Questionnaire,
        }
    }
}

/// Asks about all of these whom a rule gave nothing for a period yet, batch by batch. The others of the occasion's rules are asked
/// along, because a group or a cap may join them.
async fn ask_all(
    db: &Db,
    timeline: &Timeline,
    moments: &[DateTime<Utc>],
    whom: &Whom,
    rule: RuleId,
    period: &str,
) -> Result<u64, Error> {
    let (mut last, mut rewarded) = (CustomerId(Uuid::nil()), 0);
    loop {
        let batch = batch(db, whom, last, rule, period).await?;
        let Some(end) = batch.last() else { break };
        last = *end;
        let customers = batch.into_iter().collect();
        for at in moments {
            let event = Event {
                occasion: whom.occasion(),
                at: *at,
                purchase: None,
            };
            // Mostly nobody is due anything any more, and then nobody else has to wait.
            let mut conn = db.read().await?;
            let due = &who_is_due(&mut conn, timeline, event, &customers).await?;
            drop(conn);
            if due.is_empty() {
                continue;
            }
            let given = db
                .write(|tx| {
                    scoped(async move {
                        let timeline = super::timeline(tx).await?;
                        Ok::<_, Error>(give(tx, &timeline, event, due).await?)
                    })
                })
                .await?;
            rewarded += given.len() as u64;
        }
    }
    Ok(rewarded)
}

/// Up to [`LIST`] of them after another one, in the order of their ids.
async fn batch(db: &Db, whom: &Whom, after: CustomerId, rule: RuleId, period: &str) -> Result<Vec<CustomerId>, Error> {
    const OWN: &str = "SELECT c.id FROM customers c WHERE c.birth_md = $1 AND c.id > $2 AND c.merged_into IS NULL AND NOT EXISTS \
        (SELECT 1 FROM rewards r WHERE r.customer_id = c.id AND r.rule_id = $3 AND r.period = $4) \
        ORDER BY c.id LIMIT $5";
    const CHILD: &str = "SELECT DISTINCT c.customer_id FROM children c WHERE c.birth_md = $1 AND c.customer_id > $2 \
        AND NOT EXISTS (SELECT 1 FROM rewards r WHERE r.customer_id = c.customer_id AND r.rule_id = $3 \
        AND r.period = $4) ORDER BY c.customer_id LIMIT $5";
    const REGISTERED: &str = "SELECT c.id FROM customers c WHERE c.registered_at >= $1 AND c.registered_at < $6 \
        AND c.id > $2 AND c.merged_into IS NULL AND NOT EXISTS \
        (SELECT 1 FROM rewards r WHERE r.customer_id = c.id AND r.rule_id = $3 AND r.period = $4) \
        ORDER BY c.id LIMIT $5";
    // Who misses nothing of `Profile::missing`.
    const PROFILE: &str = "SELECT c.id FROM customers c WHERE c.id > $1 AND c.merged_into IS NULL AND c.erased_at IS NULL \
        AND c.name <> '' AND c.surname <> '' AND c.birthday IS NOT NULL \
        AND EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = c.id AND k.kind = 'email' AND k.verified_at IS NOT NULL) \
        AND EXISTS (SELECT 1 FROM customer_categories l WHERE l.customer_id = c.id) AND NOT EXISTS \
        (SELECT 1 FROM rewards r WHERE r.customer_id = c.id AND r.rule_id = $2 AND r.period = $3) \
        ORDER BY c.id LIMIT $4";
    // An answer that is offered no more is none.
    const QUESTIONNAIRE: &str = "SELECT a.customer_id FROM answers a JOIN customers c ON c.id = a.customer_id \
        JOIN questionnaire_questions q ON q.code = a.question \
        JOIN questionnaire_choices o ON o.question = q.code AND o.version = q.version AND o.code = a.choice \
        WHERE a.customer_id > $1 AND c.merged_into IS NULL AND c.erased_at IS NULL AND q.enabled AND NOT q.is_guarded \
        AND q.version = (SELECT MAX(n.version) FROM questionnaire_questions n WHERE n.code = q.code \
        AND n.published_at <= $5) AND NOT EXISTS \
        (SELECT 1 FROM rewards r WHERE r.customer_id = a.customer_id AND r.rule_id = $2 AND r.period = $3) \
        GROUP BY a.customer_id HAVING COUNT(*) = $6 ORDER BY a.customer_id LIMIT $4";
    let most = LIST as i64;
    let mut conn = db.read().await?;
    Ok(match whom {
        Whom::Born(of, number) => {
            let sql = match of {
                Whose::Customer => OWN,
                Whose::Child => CHILD,
            };
            on!(conn, |c| sqlx::query_scalar(sql)
                .bind(number)
                .bind(after)
                .bind(rule)
                .bind(period)
                .bind(most)
                .fetch_all(c)
                .await)?
        }
        Whom::Registered(from, until) => on!(conn, |c| sqlx::query_scalar(REGISTERED)
            .bind(from)
            .bind(after)
            .bind(rule)
            .bind(period)
            .bind(most)
            .bind(until)
            .fetch_all(c)
            .await)?,
        Whom::Profile => on!(conn, |c| sqlx::query_scalar(PROFILE)
            .bind(after)
            .bind(rule)
            .bind(period)
            .bind(most)
            .fetch_all(c)
            .await)?,
        Whom::Questionnaire { open, at } => on!(conn, |c| sqlx::query_scalar(QUESTIONNAIRE)
            .bind(after)
            .bind(rule)
            .bind(period)
            .bind(most)
            .bind(at)
            .bind(open)
            .fetch_all(c)
            .await)?,
    })
}
