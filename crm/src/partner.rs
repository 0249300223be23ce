//! Partners whom data of customers may be passed to. Each has a purpose of consent of its own (`crate::consent`): the versions of
//! its text say what the partner gets and why, and what a customer gives or takes back is an act like any other.

use crate::audit::difference;
use crate::content;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::Check;
use crate::id::{ConsentTextId, PartnerId, PurposeId};
use crate::lang::Localized;
use crate::on;
use crate::staff::Right;
use crate::who::{Staff, System};
use serde::Serialize;
use sqlx::types::Json;

/// The longest name, in characters.
const NAME_MAX: usize = 120;
/// The longest text, in characters.
pub const TEXT_MAX: usize = 4_000;

/// A partner.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Partner {
    /// Its id.
    pub id: PartnerId,
    /// Its lasting name.
    pub code: String,
    /// What it is called.
    #[sqlx(json)]
    pub name: Localized,
    /// What it gets of a customer who agrees, and why.
    #[sqlx(json)]
    pub text: Localized,
    /// The version of that text, from 1.
    pub version: i64,
    /// Customers are asked about it.
    pub is_active: bool,
}

impl Partner {
    /// The lasting name of its purpose of consent.
    pub fn purpose(&self) -> String {
        purpose_of(&self.code)
    }
}

fn purpose_of(code: &str) -> String {
    format!("partner_{code}")
}

/// What is written of a partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// What it is called.
    pub name: Localized,
    /// What it gets, and why; paragraphs are parted by an empty line.
    pub text: Localized,
}

impl Words {
    /// As it is kept. Flaws stand at `name_ru`, `name_en`, `text_ru` and `text_en`.
    fn check(&self, check: &mut Check) -> Self {
        Self {
            name: check.words("name", &self.name, NAME_MAX),
            text: check.words("text", &self.text, TEXT_MAX),
        }
    }
}

macro_rules! partners {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.code, r.name, t.body AS text, t.version, r.is_active FROM partners r \
             JOIN consent_purposes p ON p.partner_id = r.id JOIN consent_texts t ON t.purpose_id = p.id \
             AND t.version = (SELECT MAX(n.version) FROM consent_texts n WHERE n.purpose_id = p.id) ",
            $rest
        )
    };
}

/// Every partner, by its code. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Partner>, Error> {
    const SQL: &str = partners!("ORDER BY r.code");
    by.may(Right::Partners)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "partner.list", None, None, "").await?;
            let all: Vec<Partner> = on!(tx, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
            Ok(all)
        })
    })
    .await
}

/// One partner. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: PartnerId) -> Result<Partner, Error> {
    by.may(Right::Partners)?;
    db.write(|tx| {
        scoped(async move {
            let partner = get(tx, id).await?;
            by.record(tx, "partner.read", None, Some(id.0), "").await?;
            Ok(partner)
        })
    })
    .await
}

async fn get(conn: &mut Conn, id: PartnerId) -> Result<Partner, Error> {
    const SQL: &str = partners!("WHERE r.id = $1");
    let found: Option<Partner> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// Adds a partner: from now on customers are asked about it. Fails with flaws at `key`, which is its code and may be taken, and at
/// the words.
pub async fn add(db: &Db, by: &Staff, code: &str, words: &Words) -> Result<PartnerId, Error> {
    by.may(Right::Partners)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(code)).unwrap_or_default();
            let words = words.check(&mut check);
            check.result()?;
            let id = enter(tx, &code, &words).await?;
            by.record(tx, "partner.add", None, Some(id.0), &code).await?;
            Ok(id)
        })
    })
    .await
}

/// The same at the command line, of what was checked before.
pub async fn add_by_system(tx: &mut Tx, _by: &System, code: &str, words: &Words) -> Result<PartnerId, Error> {
    enter(tx, code, words).await
}

async fn enter(tx: &mut Tx, code: &str, words: &Words) -> Result<PartnerId, Error> {
    const PARTNER: &str = "INSERT INTO partners (id, code, name, is_active, created_at) VALUES ($1, $2, $3, TRUE, $4)";
    const PURPOSE: &str = "INSERT INTO consent_purposes (id, code, required, asked_at, position, at_registration, partner_id) \
                           SELECT $1, $2, FALSE, 'registration', COALESCE(MAX(p.position), 0) + 1, FALSE, $3 \
                           FROM consent_purposes p";
    let (id, purpose, now) = (PartnerId::new(), PurposeId::new(), tx.now());
    unless_taken(on!(tx, |c| sqlx::query(PARTNER)
        .bind(id)
        .bind(code)
        .bind(Json(&words.name))
        .bind(now)
        .execute(c)
        .await
        .map(drop)))?;
    let purpose_code = purpose_of(code);
    on!(tx, |c| sqlx::query(PURPOSE)
        .bind(purpose)
        .bind(&purpose_code)
        .bind(id)
        .execute(c)
        .await
        .map(drop))?;
    publish(tx, purpose, 1, words).await?;
    Ok(id)
}

/// Puts the next version of a partner's text up.
async fn publish(tx: &mut Tx, purpose: PurposeId, version: i64, words: &Words) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO consent_texts (id, purpose_id, version, title, body, partner, published_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (id, now) = (ConsentTextId::new(), tx.now());
    let title = content::passing_to(&words.name)?;
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(purpose)
        .bind(version)
        .bind(Json(&title))
        .bind(Json(&words.text))
        .bind(Json(&words.name))
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Changes the words of a partner: another version of its text. Whoever agreed to an earlier one agreed to that. Words that are as
/// they were change nothing. `seen` is the version that was shown: [`Error::Stale`] where there is another one by now. Fails with
/// [`Error::NotFound`], and with flaws at the words. What differs is written down.
pub async fn change(db: &Db, by: &Staff, id: PartnerId, seen: i64, words: &Words) -> Result<(), Error> {
    const HOLD: &str = "UPDATE partners SET code = code WHERE id = $1";
    const NAME: &str = "UPDATE partners SET name = $2 WHERE id = $1";
    const PURPOSE: &str = "SELECT id FROM consent_purposes WHERE partner_id = $1";
    by.may(Right::Partners)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let words = words.check(&mut check);
            check.result()?;
            // Nobody else changes it until this is done.
            on!(tx, |c| sqlx::query(HOLD).bind(id).execute(c).await.map(drop))?;
            let Partner {
                name, text, version, ..
            } = get(tx, id).await?;
            if version != seen {
                return Err(Error::Stale);
            }
            let before = Words { name, text };
            if before == words {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(NAME)
                .bind(id)
                .bind(Json(&words.name))
                .execute(c)
                .await
                .map(drop))?;
            let purpose: PurposeId = on!(tx, |c| sqlx::query_scalar(PURPOSE).bind(id).fetch_one(c).await)?;
            publish(tx, purpose, version + 1, &words).await?;
            let changed = difference(&before, &words);
            Ok(by.record(tx, "partner.change", None, Some(id.0), &changed).await?)
        })
    })
    .await
}

/// Has customers asked about a partner, or no more: then nothing may be passed to it, whatever somebody agreed to. What is so
/// already stays. Fails with [`Error::NotFound`].
pub async fn switch(db: &Db, by: &Staff, id: PartnerId, is_active: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE partners SET is_active = $2 WHERE id = $1";
    by.may(Right::Partners)?;
    db.write(|tx| {
        scoped(async move {
            if get(tx, id).await?.is_active == is_active {
                return Ok(());
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(is_active)
                .execute(c)
                .await
                .map(drop))?;
            let action = if is_active { "partner.start" } else { "partner.stop" };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}
