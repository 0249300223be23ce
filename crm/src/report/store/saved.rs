//! Reports that staff saved, for themselves or for colleagues, and those that are sent by e-mail every week or month.
//!
//! A period in what is saved goes with the day, unless it was typed. What is sent is asked for by the rights of whoever saved it,
//! on the day on which it goes: who left, or may not read reports any more, is sent none, and the sending ends.

use super::reading::make;
use crate::audit::{self, Actor};
use crate::contact::Email;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::{SavedReportId, StaffId};
use crate::lang::Lang;
use crate::on;
use crate::outbox::{self, Channel, To};
use crate::report::{Ask, Kind, Report, next_month};
use crate::staff::Right;
use crate::who::{Fresh, Staff, System};
use crate::work::Round;
use chrono::{Days, NaiveDate, Weekday};
use std::collections::HashMap;

/// The longest name, in characters.
const NAME_MAX: usize = 100;
/// The longest query that is kept, in characters.
const QUERY_MAX: usize = 1000;
/// How many one member of staff may save.
pub const MOST: i64 = 50;
/// How many are shown: one's own, and what colleagues share.
const SHOWN: i64 = 200;

/// How often a report is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Every {
    /// On Mondays.
    Week,
    /// On the first day of the month.
    Month,
}

impl Every {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Week, Self::Month];

    /// As forms name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The next day on which it is sent, after a day.
    fn after(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Week => {
                let monday = day.week(Weekday::Mon).first_day();
                monday.checked_add_days(Days::new(7)).unwrap_or(day)
            }
            Self::Month => next_month(day),
        }
    }
}

/// A report that somebody saved.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Saved {
    /// Its id.
    pub id: SavedReportId,
    /// Who saved it.
    pub staff_id: StaffId,
    /// Their name.
    pub owner: String,
    /// Which report it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// What follows the question mark of its address.
    pub query: String,
    /// Colleagues see it as well.
    pub shared: bool,
    /// How often it is sent; none: it is not.
    pub every: Option<Every>,
    /// Where to.
    pub email: Option<String>,
    /// The day on which it is sent next.
    pub next_on: Option<NaiveDate>,
}

macro_rules! saved {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.staff_id, s.name AS owner, r.kind, r.name, r.query, r.shared, r.every, r.email, r.next_on \
             FROM saved_reports r JOIN staff s ON s.id = r.staff_id ",
            $rest
        )
    };
}

/// One's own, and what colleagues share, the newest first.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<Saved>, Error> {
    const SQL: &str = saved!(
        "WHERE r.staff_id = $1 OR (r.shared AND s.disabled_at IS NULL) ORDER BY r.created_at DESC, r.id DESC LIMIT $2"
    );
    by.may(Right::Reports)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(by.id())
        .bind(SHOWN)
        .fetch_all(c)
        .await)?)
}

/// Saves a report under a name. Fails with flaws at `name`, and with [`Error::TooMany`] where there are [`MOST`] already.
pub async fn save(
    db: &Db,
    by: &Staff,
    kind: Kind,
    name: &str,
    query: &str,
    shared: bool,
) -> Result<SavedReportId, Error> {
    const HOLD: &str = "UPDATE staff SET name = name WHERE id = $1";
    const COUNT: &str = "SELECT COUNT(*) FROM saved_reports WHERE staff_id = $1";
    const SQL: &str = "INSERT INTO saved_reports (id, staff_id, kind, name, query, shared, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    by.may(Right::Reports)?;
    let mut check = Check::new();
    let name = check.field("name", flaw::text(name, NAME_MAX)).unwrap_or_default();
    check.result()?;
    if query.chars().count() > QUERY_MAX {
        return Err(Error::NotFound);
    }
    let name = &name;
    db.write(|tx| {
        scoped(async move {
            // Of two at once the second counts what the first saved.
            on!(tx, |c| sqlx::query(HOLD).bind(by.id()).execute(c).await.map(drop))?;
            let count: i64 = on!(tx, |c| sqlx::query_scalar(COUNT).bind(by.id()).fetch_one(c).await)?;
            if count >= MOST {
                return Err(Error::TooMany { retry_after: 0 });
            }
            let (id, now) = (SavedReportId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(kind)
                .bind(name)
                .bind(query)
                .bind(shared)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "report.save", None, Some(id.0), kind.as_str()).await?;
            Ok(id)
        })
    })
    .await
}

/// Has one's own report sent to an address every week or month, or not any more. The address may be anybody's, so it takes a fresh
/// proof and stands in the log. Field: `email`. Fails with [`Error::NotFound`] for anybody else's.
pub async fn schedule(
    db: &Db,
    by: &Fresh<'_, Staff>,
    id: SavedReportId,
    every: Option<Every>,
    email: &str,
) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE saved_reports SET every = $3, email = $4, next_on = $5 WHERE id = $1 AND staff_id = $2 RETURNING id";
    by.may(Right::Reports)?;
    let email = match every {
        None => None,
        Some(_) if email.trim().is_empty() => return Err(Error::field("email", Flaw::Missing)),
        Some(_) => {
            let parsed = Email::parse(email).map_err(|flaw| Error::field("email", flaw))?;
            Some(parsed.as_str().to_owned())
        }
    };
    let today = db.shop().day(db.now());
    let next = every.map(|every| every.after(today));
    let email = &email;
    db.write(|tx| {
        scoped(async move {
            let own: Option<SavedReportId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(by.id())
                .bind(every)
                .bind(email)
                .bind(next)
                .fetch_optional(c)
                .await)?;
            own.ok_or(Error::NotFound)?;
            let reason = match (every, email) {
                (Some(every), Some(email)) => format!("{}: {email}", every.as_str()),
                _ => "never".to_owned(),
            };
            by.record(tx, "report.schedule", None, Some(id.0), &reason).await?;
            Ok(())
        })
    })
    .await
}

/// Removes one's own report. Fails with [`Error::NotFound`] for anybody else's.
pub async fn remove(db: &Db, by: &Staff, id: SavedReportId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM saved_reports WHERE id = $1 AND staff_id = $2 RETURNING id";
    by.may(Right::Reports)?;
    db.write(|tx| {
        scoped(async move {
            let own: Option<SavedReportId> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(by.id())
                .fetch_optional(c)
                .await)?;
            own.ok_or(Error::NotFound)?;
            by.record(tx, "report.remove", None, Some(id.0), "").await?;
            Ok(())
        })
    })
    .await
}

/// A report that is to be sent.
#[derive(Clone, Debug)]
pub struct Due {
    /// The saved one.
    pub saved: Saved,
    /// The language of whoever saved it.
    pub language: Lang,
    /// What it tells today.
    pub report: Report,
}

#[derive(sqlx::FromRow)]
struct DueRow {
    #[sqlx(flatten)]
    saved: Saved,
    language: Lang,
    is_disabled: bool,
    #[sqlx(json)]
    rights: Vec<Right>,
}

/// What a saved query asks on a day. What cannot be read is left out.
fn ask(query: &str, today: NaiveDate) -> Ask {
    let values: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (ask, _) = Ask::read(
        |name| {
            values
                .get(name)
                .map(|value| value.trim())
                .filter(|value| !value.is_empty())
        },
        today,
    );
    ask
}

/// The reports that are to be sent today, made, each for itself: one that cannot be made keeps no other waiting, and comes again with the
/// next round. Those whose owner left or may not read reports any more are not sent again.
pub async fn due(db: &Db, _by: &System, round: &mut Round) -> Result<Vec<Due>, Error> {
    const SQL: &str = "SELECT r.id, r.staff_id, s.name AS owner, r.kind, r.name, r.query, r.shared, r.every, r.email, r.next_on, \
        s.language, s.disabled_at IS NOT NULL AS is_disabled, o.rights FROM saved_reports r \
        JOIN staff s ON s.id = r.staff_id JOIN roles o ON o.code = s.role WHERE r.next_on <= $1 ORDER BY r.next_on, r.id";
    let mut conn = db.read().await?;
    let today = conn.shop().day(conn.now());
    let rows: Vec<DueRow> = on!(conn, |c| sqlx::query_as(SQL).bind(today).fetch_all(c).await)?;
    drop(conn);
    let mut due = Vec::new();
    for row in rows {
        due.extend(round.took(made(db, row, today).await).flatten());
    }
    Ok(due)
}

/// A report that is to be sent; none where it is not any more.
async fn made(db: &Db, row: DueRow, today: NaiveDate) -> Result<Option<Due>, Error> {
    if row.is_disabled || !row.rights.contains(&Right::Reports) {
        let id = row.saved.id;
        db.write(|tx| scoped(stop(tx, id))).await?;
        return Ok(None);
    }
    let ask = ask(&row.saved.query, today);
    let report = make(&mut db.read().await?, row.saved.kind, &ask).await?;
    Ok(Some(Due {
        saved: row.saved,
        language: row.language,
        report,
    }))
}

async fn stop(tx: &mut Tx, id: SavedReportId) -> Result<(), Error> {
    const SQL: &str = "UPDATE saved_reports SET every = NULL, email = NULL, next_on = NULL WHERE id = $1";
    Ok(on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?)
}

/// Sends a report that is due, once: of two nodes one does. `period` and `table` are its words in the language of whoever saved
/// it. Tells whether it was sent.
pub async fn send(db: &Db, _by: &System, due: &Due, period: &str, table: &str) -> Result<bool, Error> {
    const SQL: &str = "UPDATE saved_reports SET next_on = $3 WHERE id = $1 AND next_on = $2 RETURNING email";
    let saved = &due.saved;
    let (Some(every), Some(on)) = (saved.every, saved.next_on) else {
        return Ok(false);
    };
    db.write(|tx| {
        scoped(async move {
            let next = every.after(tx.shop().day(tx.now()));
            let email: Option<Option<String>> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(saved.id)
                .bind(on)
                .bind(next)
                .fetch_optional(c)
                .await)?;
            let Some(email) = email.flatten() else {
                return Ok(false);
            };
            let to = To {
                channel: Channel::Email,
                address: &email,
                customer: None,
            };
            let shop = tx.shop().name.clone();
            let page = format!(
                "{}/admin/reports/{}?{}",
                tx.shop().url,
                saved.kind.as_str(),
                saved.query
            );
            let values = [
                ("report", saved.name.as_str()),
                ("period", period),
                ("table", table),
                ("page", page.as_str()),
                ("shop", shop.as_str()),
            ];
            outbox::send(tx, to, "report", due.language, &values).await?;
            let entry = audit::Entry {
                actor: Actor::System,
                actor_id: None,
                action: "report.sent",
                customer: None,
                object: Some(saved.id.0),
                reason: &format!("{}: {email}", saved.kind.as_str()),
                network: "",
            };
            audit::record(tx, entry).await?;
            Ok(true)
        })
    })
    .await
}
