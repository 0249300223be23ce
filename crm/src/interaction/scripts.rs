//! Scripts of talks as staff write them. Whatever is saved is another version, which counts for the next talk; talks of before keep
//! the one that they went by.

use super::Script;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{self, Check, Flaw};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::BTreeSet;

/// The longest name of a script or an outcome, in characters.
const NAME_MAX: usize = 80;
/// The longest step, in characters.
const STEP_MAX: usize = 500;
/// The most steps and the most outcomes.
const MOST: usize = 20;

/// A version of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What it says.
    pub script: Script,
    /// Since when it counts.
    pub published_at: DateTime<Utc>,
    /// The name of who wrote it; none: it came with the program.
    pub published_by: Option<String>,
}

/// The scripts as they count now. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Script>, Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "script.list", None, None, "").await?;
            super::store::scripts(tx).await
        })
    })
    .await
}

/// Every version of a script, the newest first. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn versions(db: &Db, by: &Staff, code: &str) -> Result<Vec<Version>, Error> {
    by.may(Right::Texts)?;
    let code = &crate::till::code(code).map_err(|_| Error::NotFound)?;
    db.write(|tx| {
        scoped(async move {
            let versions = of(tx, code).await?;
            if versions.is_empty() {
                return Err(Error::NotFound);
            }
            by.record(tx, "script.read", None, None, code).await?;
            Ok(versions)
        })
    })
    .await
}

async fn of(conn: &mut Conn, code: &str) -> Result<Vec<Version>, sqlx::Error> {
    const SQL: &str = "SELECT c.version, c.name, c.steps, c.published_at, s.name FROM scripts c \
                       LEFT JOIN staff s ON s.id = c.published_by WHERE c.code = $1 ORDER BY c.version DESC";
    const OUTCOMES: &str =
        "SELECT version, code, name FROM script_outcomes WHERE script = $1 ORDER BY version, position";
    type Row = (
        i64,
        Json<Localized>,
        Json<Vec<Localized>>,
        DateTime<Utc>,
        Option<String>,
    );
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).bind(code).fetch_all(c).await)?;
    let outcomes: Vec<(i64, String, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(OUTCOMES).bind(code).fetch_all(c).await)?;
    let version = |(version, Json(name), Json(steps), published_at, published_by): Row| {
        let own = outcomes.iter().filter(|(of, ..)| *of == version);
        Version {
            script: Script {
                code: code.to_owned(),
                version,
                name,
                steps,
                outcomes: own.map(|(_, code, name)| (code.clone(), name.0.clone())).collect(),
            },
            published_at,
            published_by,
        }
    };
    Ok(rows.into_iter().map(version).collect())
}

/// Flaws stand at `name_ru`, `name_en`, `steps` and `outcomes`, of these two with the line.
fn checked(check: &mut Check, new: &Script) -> Script {
    let name = check.words("name", &new.name, NAME_MAX);
    if new.steps.len() > MOST {
        check.field::<()>("steps", Err(Flaw::TooManyLines { max: MOST }));
    }
    let both = |text: &Localized, max: usize| {
        let (ru, en) = (flaw::text(&text.ru, max).ok()?, flaw::text(&text.en, max).ok()?);
        Some(Localized { ru, en })
    };
    let mut steps = Vec::new();
    for (step, line) in new.steps.iter().zip(1..) {
        steps.extend(check.field("steps", both(step, STEP_MAX).ok_or(Flaw::Unreadable { line })));
    }
    if new.outcomes.is_empty() {
        check.field::<()>("outcomes", Err(Flaw::Missing));
    }
    if new.outcomes.len() > MOST {
        check.field::<()>("outcomes", Err(Flaw::TooManyLines { max: MOST }));
    }
    let (mut outcomes, mut known) = (Vec::new(), BTreeSet::new());
    for ((code, name), line) in new.outcomes.iter().zip(1..) {
        let code = crate::till::code(code).ok().filter(|code| known.insert(code.clone()));
        let outcome = code.zip(both(name, NAME_MAX));
        outcomes.extend(check.field("outcomes", outcome.ok_or(Flaw::Unreadable { line })));
    }
    Script {
        name,
        steps,
        outcomes,
        ..new.clone()
    }
}

/// Writes a new script behind the others. Fails with flaws at its fields; `key` may be taken.
pub async fn create(db: &Db, by: &Staff, new: &Script) -> Result<String, Error> {
    const PLACE: &str = "SELECT COALESCE(MAX(position), 0) + 1 FROM scripts";
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(&new.code)).unwrap_or_default();
            let new = checked(&mut check, new);
            check.result()?;
            let position: i64 = on!(tx, |c| sqlx::query_scalar(PLACE).fetch_one(c).await)?;
            let new = Script {
                code: code.clone(),
                version: 1,
                ..new
            };
            unless_taken(enter(tx, by, &new, position).await)?;
            by.record(tx, "script.create", None, None, &code).await?;
            Ok(code)
        })
    })
    .await
}

/// Writes the next version of a script. `new.version` is the one that was shown: [`Error::Stale`] where there is another by now.
/// Fails with flaws at its fields, and with [`Error::NotFound`].
pub async fn change(db: &Db, by: &Staff, new: &Script) -> Result<(), Error> {
    const PLACE: &str = "SELECT position FROM scripts WHERE code = $1 AND version = $2";
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let code = crate::till::code(&new.code).map_err(|_| Error::NotFound)?;
            let newest = of(tx, &code).await?.into_iter().next();
            let held = newest.ok_or(Error::NotFound)?.script;
            if held.version != new.version {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let new = checked(&mut check, new);
            check.result()?;
            if new == held {
                return Ok(());
            }
            let position: i64 = on!(tx, |c| sqlx::query_scalar(PLACE)
                .bind(&held.code)
                .bind(held.version)
                .fetch_one(c)
                .await)?;
            let new = Script {
                version: held.version + 1,
                ..new
            };
            match enter(tx, by, &new, position).await {
                Err(e) if db::is_taken(&e) => return Err(Error::Stale),
                other => other?,
            }
            let change = format!("{} {} → {}", new.code, held.version, new.version);
            Ok(by.record(tx, "script.change", None, None, &change).await?)
        })
    })
    .await
}

async fn enter(tx: &mut Tx, by: &Staff, new: &Script, position: i64) -> Result<(), sqlx::Error> {
    const SCRIPT: &str = "INSERT INTO scripts (code, version, position, name, steps, published_at, published_by) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const OUTCOME: &str =
        "INSERT INTO script_outcomes (script, version, code, position, name) VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SCRIPT)
        .bind(&new.code)
        .bind(new.version)
        .bind(position)
        .bind(Json(&new.name))
        .bind(Json(&new.steps))
        .bind(now)
        .bind(by.id())
        .execute(c)
        .await
        .map(drop))?;
    for ((code, name), position) in new.outcomes.iter().zip(1_i64..) {
        on!(tx, |c| sqlx::query(OUTCOME)
            .bind(&new.code)
            .bind(new.version)
            .bind(code)
            .bind(position)
            .bind(Json(name))
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}
