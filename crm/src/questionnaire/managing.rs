//! The questions as staff write them. Whatever is saved is another version, which is asked from then on; answers of before keep the
//! one that they answered.

use super::{Choice, Question};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{self, Check, Flaw};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use std::collections::BTreeSet;

/// The longest question, in characters.
const TITLE_MAX: usize = 120;
/// The longest word on what the answer is for, in characters.
const WHY_MAX: usize = 300;
/// The longest answer, in characters.
const CHOICE_MAX: usize = 80;
/// The most answers to choose from.
const MOST: usize = 20;
/// The last place.
const PLACE_MAX: i64 = 100;

/// A question as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// What is asked.
    pub question: Question,
    /// It is asked; otherwise it is kept for the answers that there are.
    pub is_asked: bool,
    /// Its place among the others.
    pub position: i64,
}

/// A version of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What it says.
    pub record: Record,
    /// Since when it counts.
    pub published_at: DateTime<Utc>,
    /// The name of who wrote it; none: it came with the program.
    pub published_by: Option<String>,
}

/// A question as a form brings it; nothing of it is checked.
#[derive(Clone, Debug, Default)]
pub struct NewQuestion {
    /// What it is called by; of one that is there it stays.
    pub key: String,
    /// Its place.
    pub position: String,
    /// It is asked.
    pub asked: bool,
    /// Staff see answers by a right of its own. What was promised so to whoever answers stays so.
    pub guarded: bool,
    /// The question.
    pub title: Localized,
    /// What the answer is used for.
    pub why: Localized,
    /// What may be answered: code and words.
    pub choices: Vec<(String, Localized)>,
}

/// The newest version of each question, in their order. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Version>, Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "questionnaire.list", None, None, "").await?;
            let mut newest = all(tx).await?;
            // The newest version of each comes first.
            newest.dedup_by(|later, kept| later.record.question.code == kept.record.question.code);
            newest.sort_by_key(|version| (version.record.position, version.record.question.code.clone()));
            Ok::<_, Error>(newest)
        })
    })
    .await
}

/// Every version of a question, the newest first. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn versions(db: &Db, by: &Staff, code: &str) -> Result<Vec<Version>, Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let versions = of(tx, code).await?;
            if versions.is_empty() {
                return Err(Error::NotFound);
            }
            by.record(tx, "questionnaire.read", None, None, code).await?;
            Ok(versions)
        })
    })
    .await
}

async fn of(conn: &mut Conn, code: &str) -> Result<Vec<Version>, sqlx::Error> {
    let mut versions = all(conn).await?;
    versions.retain(|version| version.record.question.code == code);
    Ok(versions)
}

/// Every version of every question: there are some dozens.
async fn all(conn: &mut Conn) -> Result<Vec<Version>, sqlx::Error> {
    const SQL: &str = "SELECT q.code, q.version, q.position, q.enabled, q.is_guarded, q.title, q.why, q.published_at, s.name \
                       FROM questionnaire_questions q LEFT JOIN staff s ON s.id = q.published_by \
                       ORDER BY q.code, q.version DESC";
    const CHOICES: &str =
        "SELECT question, version, code, name FROM questionnaire_choices ORDER BY question, version, position, code";
    type Row = (
        String,
        i64,
        i64,
        bool,
        bool,
        Json<Localized>,
        Json<Localized>,
        DateTime<Utc>,
        Option<String>,
    );
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let choices: Vec<(String, i64, String, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(CHOICES).fetch_all(c).await)?;
    let version = |row: Row| {
        let (code, version, position, is_asked, is_guarded, Json(title), Json(why), published_at, published_by) = row;
        let own = choices.iter().filter(|one| one.0 == code && one.1 == version);
        let choices = own.map(|(_, _, code, Json(name))| Choice {
            code: code.clone(),
            name: name.clone(),
        });
        Version {
            record: Record {
                question: Question {
                    choices: choices.collect(),
                    code,
                    version,
                    is_guarded,
                    title,
                    why,
                },
                is_asked,
                position,
            },
            published_at,
            published_by,
        }
    };
    Ok(rows.into_iter().map(version).collect())
}

/// Flaws stand at `position`, `title_ru`, `title_en`, `why_ru`, `why_en` and `choices`, of these with the line.
fn checked(check: &mut Check, new: &NewQuestion) -> Record {
    let place = new.position.trim().parse::<i64>().map_err(|_| Flaw::NotANumber);
    let place = place.and_then(|place| match (1..=PLACE_MAX).contains(&place) {
        true => Ok(place),
        false => Err(Flaw::OutOfRange { min: 1, max: PLACE_MAX }),
    });
    let position = check.field("position", place).unwrap_or_default();
    let title = check.words("title", &new.title, TITLE_MAX);
    let why = check.words("why", &new.why, WHY_MAX);
    if new.choices.is_empty() {
        check.field::<()>("choices", Err(Flaw::Missing));
    }
    if new.choices.len() > MOST {
        check.field::<()>("choices", Err(Flaw::TooManyLines { max: MOST }));
    }
    let both = |words: &Localized| {
        let (ru, en) = (
            flaw::text(&words.ru, CHOICE_MAX).ok()?,
            flaw::text(&words.en, CHOICE_MAX).ok()?,
        );
        Some(Localized { ru, en })
    };
    let (mut choices, mut known) = (Vec::new(), BTreeSet::new());
    for ((code, name), line) in new.choices.iter().zip(1..) {
        let code = crate::till::code(code).ok().filter(|code| known.insert(code.clone()));
        let choice = code.zip(both(name)).map(|(code, name)| Choice { code, name });
        choices.extend(check.field("choices", choice.ok_or(Flaw::Unreadable { line })));
    }
    Record {
        question: Question {
            code: String::new(),
            version: 1,
            is_guarded: new.guarded,
            title,
            why,
            choices,
        },
        is_asked: new.asked,
        position,
    }
}

/// What begins otherwise than with a letter could be taken for a part of the form itself.
fn code(raw: &str) -> Result<String, Flaw> {
    let code = crate::till::code(raw)?;
    match code.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => Ok(code),
        false => Err(Flaw::NotACode),
    }
}

/// Writes a new question; its code. Fails with flaws at its fields; `key` may be taken.
pub async fn create(db: &Db, by: &Staff, new: &NewQuestion) -> Result<String, Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", code(&new.key)).unwrap_or_default();
            let mut record = checked(&mut check, new);
            check.result()?;
            record.question.code.clone_from(&code);
            unless_taken(enter(tx, by, &record).await)?;
            by.record(tx, "questionnaire.create", None, None, &code).await?;
            Ok(code)
        })
    })
    .await
}

/// Writes the next version of a question; whether it is guarded stays as it is. `seen` is the version that was shown:
/// [`Error::Stale`] where there is another by now. Fails with flaws at its fields, and with [`Error::NotFound`].
pub async fn change(db: &Db, by: &Staff, seen: i64, new: &NewQuestion) -> Result<(), Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let newest = of(tx, &new.key).await?.into_iter().next();
            let held = newest.ok_or(Error::NotFound)?.record;
            if held.question.version != seen {
                return Err(Error::Stale);
            }
            let mut check = Check::new();
            let mut record = checked(&mut check, new);
            check.result()?;
            record.question.code.clone_from(&held.question.code);
            record.question.version = held.question.version;
            record.question.is_guarded = held.question.is_guarded;
            if record == held {
                return Ok(());
            }
            record.question.version += 1;
            match enter(tx, by, &record).await {
                Err(e) if db::is_taken(&e) => return Err(Error::Stale),
                other => other?,
            }
            let change = format!("{} {} → {}", held.question.code, seen, record.question.version);
            Ok(by.record(tx, "questionnaire.change", None, None, &change).await?)
        })
    })
    .await
}

async fn enter(tx: &mut Tx, by: &Staff, record: &Record) -> Result<(), sqlx::Error> {
    const QUESTION: &str = "INSERT INTO questionnaire_questions (code, version, position, enabled, is_guarded, title, why, \
                            published_at, published_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    const CHOICE: &str =
        "INSERT INTO questionnaire_choices (question, version, code, position, name) VALUES ($1, $2, $3, $4, $5)";
    let (now, question) = (tx.now(), &record.question);
    on!(tx, |c| sqlx::query(QUESTION)
        .bind(&question.code)
        .bind(question.version)
        .bind(record.position)
        .bind(record.is_asked)
        .bind(question.is_guarded)
        .bind(Json(&question.title))
        .bind(Json(&question.why))
        .bind(now)
        .bind(by.id())
        .execute(c)
        .await
        .map(drop))?;
    for (choice, position) in question.choices.iter().zip(1_i64..) {
        on!(tx, |c| sqlx::query(CHOICE)
            .bind(&question.code)
            .bind(question.version)
            .bind(&choice.code)
            .bind(position)
            .bind(Json(&choice.name))
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}
