//! Programs as staff write them: new ones, new versions of their terms, open or closed.
//!
//! The next terms are a draft until they are published, from now or from a moment on. At most one version lies ahead: so the
//! latest of those that have begun is the one that counts, whoever asks. It counts for everybody, members of old included; in a
//! membership stands which one was agreed to. What was earned keeps the delay and the term that it was earned under.

use crate::db::{Conn, Db, Tx, scoped};
use crate::draft::{self, Drafted, Drafts, drafts};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{ProgramId, StaffId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name of a program, in characters.
const NAME_MAX: usize = 60;
/// The longest summary, in characters.
const SUMMARY_MAX: usize = 300;
/// The longest terms, in characters.
const TERMS_MAX: usize = 20_000;
/// The most that a program pays, in hundredths of a percent: all of the price.
const SHARE_MAX: i64 = 10_000;
/// The most days of a delay and of a term, a century.
const DAYS_MAX: i64 = 36_500;

/// A program in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Its id.
    pub id: ProgramId,
    /// Its lasting name, as in addresses.
    pub code: String,
    /// Everybody who registers is a member.
    pub automatic: bool,
    /// Since when nobody can join and nothing is earned.
    pub closed_at: Option<DateTime<Utc>>,
    /// The version of its terms that counts.
    pub version: i64,
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// What it pays, in hundredths of a percent of the paid price.
    pub share: i64,
    /// How many members it has.
    pub members: i64,
    /// What they have, of active and pending points together, in hundredths.
    pub points: i64,
}

/// A version of a program's terms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// What it says.
    #[sqlx(flatten)]
    pub terms: Terms,
    /// Since when it counts.
    pub published_at: DateTime<Utc>,
    /// The name of who published it; none: it came with the program.
    pub published_by: Option<String>,
    /// How many of today's members agreed to this one when they joined.
    pub members: i64,
}

/// Terms that are being written.
pub type Draft = draft::Draft<Terms>;

impl Drafted for Terms {
    const SQL: Drafts = drafts!("program_drafts", "program_id", "terms", "program_versions");
}

/// What a version of a program says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Terms {
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// One or two sentences.
    #[sqlx(json)]
    pub summary: Localized,
    /// The terms, paragraphs parted by an empty line.
    #[sqlx(json)]
    pub terms: Localized,
    /// What it pays, in hundredths of a percent of the paid price; nothing: what rules give alone.
    pub share: i64,
    /// Days until points can be spent.
    pub delay_days: i64,
    /// Days from then on until they expire.
    pub term_days: i64,
}

impl Terms {
    /// The same as they are kept, with what is wrong at `name_ru`, `share` and so on.
    fn check(&self, check: &mut Check) -> Self {
        let name = check.words("name", &self.name, NAME_MAX);
        let summary = check.words("summary", &self.summary, SUMMARY_MAX);
        let terms = check.words("terms", &self.terms, TERMS_MAX);
        for (field, value, min, max) in [
            ("share", self.share, 0, SHARE_MAX),
            ("delay", self.delay_days, 0, DAYS_MAX),
            ("term", self.term_days, 1, DAYS_MAX),
        ] {
            // A share is told in percent.
            let unit = if field == "share" { 100 } else { 1 };
            let out = Flaw::OutOfRange { min, max: max / unit };
            check.field(field, if (min..=max).contains(&value) { Ok(()) } else { Err(out) });
        }
        Self {
            name,
            summary,
            terms,
            ..self.clone()
        }
    }
}

// `$1` is now.
macro_rules! entries {
    ($where:literal) => {
        concat!(
            "SELECT p.id, p.code, p.automatic, p.closed_at, v.version, v.name, v.share, \
             (SELECT COUNT(*) FROM memberships m WHERE m.program_id = p.id AND m.left_at IS NULL) AS members, \
             (SELECT CAST(COALESCE(SUM(a.balance), 0) AS BIGINT) FROM accounts a WHERE a.program_id = p.id \
             AND a.kind IN ('active', 'pending')) AS points \
             FROM programs p JOIN program_versions v ON v.program_id = p.id \
             AND v.version = (SELECT MAX(n.version) FROM program_versions n WHERE n.program_id = p.id \
             AND n.published_at <= $1)",
            $where,
            " ORDER BY p.position, p.code"
        )
    };
}

/// Every program, in the order of the shop. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    const SQL: &str = entries!("");
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "program.list", None, None, "").await?;
            let now = tx.now();
            Ok(on!(tx, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?)
        })
    })
    .await
}

/// One program. Fails with [`Error::NotFound`].
pub async fn get(conn: &mut Conn, by: &Staff, code: &str) -> Result<Entry, Error> {
    const SQL: &str = entries!(" WHERE p.code = $2");
    by.may(Right::Rules)?;
    let (code, now) = (known(code)?, conn.now());
    let entry: Option<Entry> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(now)
        .bind(&code)
        .fetch_optional(c)
        .await)?;
    entry.ok_or(Error::NotFound)
}

/// One program with all its versions, the newest first, one that lies ahead among them. That it was looked at is written down. Fails with
/// [`Error::NotFound`].
pub async fn history(db: &Db, by: &Staff, code: &str) -> Result<(Entry, Vec<Version>), Error> {
    const SQL: &str = "SELECT v.version, v.name, v.summary, v.terms, v.share, v.delay_days, v.term_days, v.published_at, \
                       s.name AS published_by, (SELECT COUNT(*) FROM memberships m WHERE m.program_id = v.program_id \
                       AND m.terms_version = v.version AND m.left_at IS NULL) AS members \
                       FROM program_versions v LEFT JOIN staff s ON s.id = v.published_by WHERE v.program_id = $1 \
                       ORDER BY v.version DESC";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let entry = get(tx, by, code).await?;
            by.record(tx, "program.read", None, Some(entry.id.0), "").await?;
            let versions = on!(tx, |c| sqlx::query_as(SQL).bind(entry.id).fetch_all(c).await)?;
            Ok((entry, versions))
        })
    })
    .await
}

/// What is wrong with a program before it is added or published, as [`create`] and [`publish`] tell it.
pub fn check(code: &str, terms: &Terms) -> Result<(), Error> {
    let mut check = Check::new();
    check.field("key", crate::till::code(code));
    terms.check(&mut check);
    check.result()
}

/// Adds a program behind the others; it is open at once. Fails with flaws at `code` and at the fields of its terms.
pub async fn create(
    db: &Db,
    by: &Fresh<'_, Staff>,
    code: &str,
    automatic: bool,
    terms: &Terms,
) -> Result<ProgramId, Error> {
    const SQL: &str = "INSERT INTO programs (id, code, position, automatic) \
                       SELECT $1, $2, COALESCE(MAX(position), 0) + 1, $3 FROM programs";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(code));
            let terms = terms.check(&mut check);
            check.result()?;
            let id = ProgramId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(code.unwrap_or_default())
                .bind(automatic)
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            let now = tx.now();
            enter(tx, id, 1, by.id(), &terms, now).await?;
            by.record(tx, "program.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// The terms of a program that are being written, if there are any.
pub async fn draft(conn: &mut Conn, by: &Staff, program: ProgramId) -> Result<Option<Draft>, Error> {
    by.may(Right::Rules)?;
    Ok(draft::of(conn, program.0).await?)
}

/// Writes the draft of a program's terms. `seen` is the [`changed_at`](draft::Draft::changed_at) of the one that was shown,
/// none where there was none: [`Error::Stale`] where somebody else was quicker. Fails with flaws at fields, and with
/// [`Error::NotFound`].
pub async fn write(db: &Db, by: &Staff, code: &str, seen: Option<DateTime<Utc>>, terms: &Terms) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            draft::is_as_seen::<Terms>(tx, id.0, seen).await?;
            let mut check = Check::new();
            let terms = terms.check(&mut check);
            check.result()?;
            draft::keep(tx, id.0, by.id(), &terms).await?;
            Ok(by.record(tx, "program.draft", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Throws the draft of a program's terms away. `seen` is its [`changed_at`](draft::Draft::changed_at) as it was shown:
/// [`Error::Stale`] where it is another one by now, or none.
pub async fn discard(db: &Db, by: &Staff, code: &str, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            draft::discard::<Terms>(tx, id.0, seen).await?;
            Ok(by.record(tx, "program.discard", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Publishes the draft of a program's terms, from a moment on or from now, and tells their version. `seen` is the
/// [`changed_at`](draft::Draft::changed_at) of the draft as it was shown: [`Error::Stale`] where there is another one, or where
/// a version lies ahead already. Fails with [`Flaw::TooLate`] at `from` for a moment that is over, and with
/// [`Error::NotFound`].
pub async fn publish(
    db: &Db,
    by: &Fresh<'_, Staff>,
    code: &str,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<i64, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            let (terms, last, from) = draft::next::<Terms>(tx, id.0, seen, from).await?;
            let version = last + 1;
            enter(tx, id, version, by.id(), &terms, from).await?;
            draft::forget::<Terms>(tx, id.0).await?;
            let change = format!("{last} → {version}");
            by.record(tx, "program.publish", None, Some(id.0), &change).await?;
            Ok(version)
        })
    })
    .await
}

/// Takes back the version that lies ahead; what it says is the draft then, unless there is another one. [`Error::Stale`] where
/// none lies ahead, or something was bought under it by a till whose clock is ahead of ours.
pub async fn withdraw(db: &Db, by: &Fresh<'_, Staff>, code: &str) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM program_versions WHERE program_id = $1 AND published_at > $2 \
                       AND NOT EXISTS (SELECT 1 FROM purchases p WHERE p.at >= program_versions.published_at) \
                       RETURNING name, summary, terms, share, delay_days, term_days";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (hold(tx, code).await?, tx.now());
            let taken: Option<Terms> = on!(tx, |c| sqlx::query_as(SQL).bind(id).bind(now).fetch_optional(c).await)?;
            let terms = taken.ok_or(Error::Stale)?;
            draft::give_back(tx, id.0, by.id(), &terms).await?;
            Ok(by.record(tx, "program.withdraw", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Makes whoever registers a member from now on, or not any more. Nobody's membership changes.
pub async fn set_automatic(db: &Db, by: &Staff, code: &str, automatic: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE programs SET automatic = $2 WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(automatic)
                .execute(c)
                .await
                .map(drop))?;
            let action = if automatic {
                "program.automatic"
            } else {
                "program.by_choice"
            };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Closes a program from now on: nobody joins and nothing is earned any more; what was earned stays. [`Error::Stale`] where
/// it is closed already.
pub async fn close(db: &Db, by: &Fresh<'_, Staff>, code: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE programs SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (hold(tx, code).await?, tx.now());
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            Ok(by.record(tx, "program.close", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Opens a program again, as if it had never been closed: what was bought meanwhile and is booked only now earns.
/// [`Error::Stale`] where it is open.
pub async fn reopen(db: &Db, by: &Fresh<'_, Staff>, code: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE programs SET closed_at = NULL WHERE id = $1 AND closed_at IS NOT NULL";
    // Nobody looked at tiers meanwhile: the daily work does now.
    const DUE: &str = "UPDATE tier_standings SET due_on = $2 WHERE program_id = $1 AND due_on > $2";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            let today = tx.shop().day(tx.now());
            on!(tx, |c| sqlx::query(DUE).bind(id).bind(today).execute(c).await.map(drop))?;
            Ok(by.record(tx, "program.reopen", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// The code of an address; one that no program can have is of none.
fn known(code: &str) -> Result<String, Error> {
    crate::till::code(code).map_err(|_| Error::NotFound)
}

/// Sees to it that nobody else changes a program until the transaction ends.
async fn hold(tx: &mut Tx, code: &str) -> Result<ProgramId, Error> {
    const SQL: &str = "UPDATE programs SET position = position WHERE code = $1 RETURNING id";
    let code = known(code)?;
    let id: Option<ProgramId> = on!(tx, |c| sqlx::query_scalar(SQL).bind(&code).fetch_optional(c).await)?;
    id.ok_or(Error::NotFound)
}

async fn enter(
    tx: &mut Tx,
    id: ProgramId,
    version: i64,
    by: StaffId,
    terms: &Terms,
    from: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO program_versions (program_id, version, name, summary, terms, share, delay_days, \
                       term_days, published_at, published_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(version)
        .bind(Json(&terms.name))
        .bind(Json(&terms.summary))
        .bind(Json(&terms.terms))
        .bind(terms.share)
        .bind(terms.delay_days)
        .bind(terms.term_days)
        .bind(from)
        .bind(by)
        .execute(c)
        .await
        .map(drop))
}
