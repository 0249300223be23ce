//! Talks in the database.

use super::{Entry, Interaction, MINUTES_MAX, NOTE_MAX, Past, Script, Way};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, InteractionId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, Subject, System};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use std::collections::HashMap;

const SELECT: &str = "SELECT i.id, i.customer_id, i.staff_id, s.name AS staff, i.channel, i.script, \
    c.name AS script_name, i.outcome, o.name AS outcome_name, i.note, i.minutes, i.corrects_id, \
    EXISTS (SELECT 1 FROM interactions x WHERE x.corrects_id = i.id) AS is_corrected, i.at, i.changed_at \
    FROM interactions i JOIN staff s ON s.id = i.staff_id \
    JOIN scripts c ON c.code = i.script AND c.version = i.version \
    JOIN script_outcomes o ON o.script = i.script AND o.version = i.version AND o.code = i.outcome";

/// The scripts, each in its newest version, in their order.
pub async fn scripts(conn: &mut Conn) -> Result<Vec<Script>, Error> {
    const SCRIPTS: &str = "SELECT s.code, s.version, s.name, s.steps FROM scripts s \
                           WHERE s.version = (SELECT MAX(n.version) FROM scripts n WHERE n.code = s.code) \
                           ORDER BY s.position, s.code";
    const OUTCOMES: &str = "SELECT script, version, code, name FROM script_outcomes ORDER BY script, version, position";
    type Row = (String, i64, Json<Localized>, Json<Vec<Localized>>);
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SCRIPTS).fetch_all(c).await)?;
    let outcomes: Vec<(String, i64, String, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(OUTCOMES).fetch_all(c).await)?;
    let script = |(code, version, Json(name), Json(steps)): Row| {
        let own = outcomes
            .iter()
            .filter(|(script, of, ..)| *script == code && *of == version);
        let outcomes = own.map(|(_, _, code, name)| (code.clone(), name.0.clone())).collect();
        Script {
            code,
            version,
            name,
            steps,
            outcomes,
        }
    };
    Ok(rows.into_iter().map(script).collect())
}

/// Some of a customer's talks, by their ids.
pub async fn some(
    conn: &mut Conn,
    of: Subject,
    ids: &[InteractionId],
) -> Result<HashMap<InteractionId, Interaction>, Error> {
    let query = ListQuery::new(SELECT)
        .filter("i.customer_id = ?", [Bind::Id(of.id().0)])
        .within("i.id", ids.iter().map(|id| Bind::Id(id.0)));
    let rows: Vec<Interaction> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// One of a customer's talks. Fails with [`Error::NotFound`].
pub async fn get(conn: &mut Conn, of: Subject, id: InteractionId) -> Result<Interaction, Error> {
    some(conn, of, &[id]).await?.remove(&id).ok_or(Error::NotFound)
}

/// What was typed, checked.
struct Checked {
    channel: Way,
    script: String,
    version: i64,
    outcome: String,
    note: String,
    minutes: Option<i64>,
}

/// Flaws stand at `channel`, `script`, `outcome`, `note` and `minutes`.
async fn check(tx: &mut Tx, entry: &Entry) -> Result<Checked, Error> {
    let scripts = scripts(tx).await?;
    let mut check = Check::new();
    let channel = check.field("channel", Way::from_code(&entry.channel).ok_or(Flaw::NotAChoice));
    let script = scripts.iter().find(|script| script.code == entry.script);
    let script = check.field("script", script.ok_or(Flaw::NotAChoice));
    let is_known = script.is_none_or(|script| script.outcomes.iter().any(|(code, _)| *code == entry.outcome));
    check.field("outcome", if is_known { Ok(()) } else { Err(Flaw::NotAChoice) });
    let note = check.field("note", note(&entry.note)).unwrap_or_default();
    let minutes = check.field("minutes", minutes(&entry.minutes)).flatten();
    let (Some(channel), Some(script), true) = (channel, script, check.is_clean()) else {
        return Err(Error::Invalid(check.flaws()));
    };
    Ok(Checked {
        channel,
        script: script.code.clone(),
        version: script.version,
        outcome: entry.outcome.clone(),
        note,
        minutes,
    })
}

/// A note may be empty: what came of the talk may say it all.
fn note(raw: &str) -> Result<String, Flaw> {
    match flaw::text(raw, NOTE_MAX) {
        Err(Flaw::Missing) => Ok(String::new()),
        other => other,
    }
}

fn minutes(raw: &str) -> Result<Option<i64>, Flaw> {
    match raw.trim() {
        "" => Ok(None),
        raw => match raw.parse() {
            Ok(minutes) if (1..=MINUTES_MAX).contains(&minutes) => Ok(Some(minutes)),
            Ok(_) => Err(Flaw::OutOfRange {
                min: 1,
                max: MINUTES_MAX,
            }),
            Err(_) => Err(Flaw::NotANumber),
        },
    }
}

/// Writes a talk down, perhaps to correct an entry of the same customer. Fails with flaws at its fields, with
/// [`Error::NotFound`] where there is no such customer or entry, and with [`Error::Stale`] where they are nobody any more.
pub async fn add(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    entry: &Entry,
    corrects: Option<InteractionId>,
) -> Result<InteractionId, Error> {
    const THERE: &str = "SELECT id FROM interactions WHERE id = $1 AND customer_id = $2";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            customers::is_alive(tx, customer).await?;
            if let Some(corrects) = corrects {
                let found: Option<InteractionId> = on!(tx, |c| sqlx::query_scalar(THERE)
                    .bind(corrects)
                    .bind(customer)
                    .fetch_optional(c)
                    .await)?;
                found.ok_or(Error::NotFound)?;
            }
            let talk = Past {
                customer,
                staff: by.id(),
                entry: entry.clone(),
                at: tx.now(),
            };
            let (id, channel) = enter(tx, &talk, corrects).await?;
            by.record(tx, "interaction.add", Some(customer), Some(id.0), channel.code())
                .await?;
            Ok(id)
        })
    })
    .await
}

/// Writes down a talk of before. Fails with flaws at its fields.
pub async fn put(tx: &mut Tx, _by: &System, past: &Past) -> Result<InteractionId, Error> {
    Ok(enter(tx, past, None).await?.0)
}

async fn enter(tx: &mut Tx, talk: &Past, corrects: Option<InteractionId>) -> Result<(InteractionId, Way), Error> {
    const SQL: &str = "INSERT INTO interactions (id, customer_id, staff_id, channel, script, version, outcome, note, minutes, \
                       corrects_id, at, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
    let checked = check(tx, &talk.entry).await?;
    let id = InteractionId::new();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(talk.customer)
        .bind(talk.staff)
        .bind(checked.channel)
        .bind(&checked.script)
        .bind(checked.version)
        .bind(&checked.outcome)
        .bind(&checked.note)
        .bind(checked.minutes)
        .bind(corrects)
        .bind(talk.at)
        .execute(c)
        .await
        .map(drop))?;
    Ok((id, checked.channel))
}

/// Mends a talk, within [`super::MEND_WITHIN`] and by whoever wrote it down: anybody else is [`Error::Forbidden`], and later is
/// [`Error::Stale`], as is an entry that was mended since `seen`. Fails with flaws at its fields.
pub async fn change(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    id: InteractionId,
    seen: DateTime<Utc>,
    entry: &Entry,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE interactions SET channel = $2, script = $3, version = $4, outcome = $5, note = $6, minutes = $7, \
                       changed_at = $8 WHERE id = $1 AND changed_at = $9";
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            let query = ListQuery::new(SELECT)
                .filter("i.id = ?", [Bind::Id(id.0)])
                .filter("i.customer_id = ?", [Bind::Id(customer.0)]);
            let held: Interaction = db::list(tx, query).await?.pop().ok_or(Error::NotFound)?;
            if held.staff_id != by.id() {
                return Err(Error::Forbidden);
            }
            let now = tx.now();
            if !held.may_mend(by.id(), now) {
                return Err(Error::Stale);
            }
            let checked = check(tx, entry).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(checked.channel)
                .bind(&checked.script)
                .bind(checked.version)
                .bind(&checked.outcome)
                .bind(&checked.note)
                .bind(checked.minutes)
                .bind(now.max(held.changed_at + TimeDelta::microseconds(1)))
                .bind(seen)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "interaction.change", Some(customer), Some(id.0), "")
                .await?;
            Ok(())
        })
    })
    .await
}
