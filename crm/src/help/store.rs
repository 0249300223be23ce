//! The help in the database: what readers see of it, and what they leave behind.

pub mod managing;
pub mod parts;

use super::{Category, MISSING_MAX, Shown, noted};
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw;
use crate::lang::Lang;
use crate::limits;
use crate::on;
use crate::signin::codes::code_key;
use crate::who::{Customer, System, Visitor};
use chrono::{Duration, NaiveDate};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Votes from one network within an hour: a shop's wireless network serves many.
const VOTES_PER_NETWORK: u32 = 60;
/// Searches of one network within an hour that are written down.
const SEARCHES_PER_NETWORK: u32 = 120;
/// How long it is known what was looked for.
const SEARCHES_KEPT: Duration = Duration::days(90);

/// The parts of the help, in their order.
pub async fn categories(conn: &mut Conn) -> Result<Vec<Category>, Error> {
    const SQL: &str = "SELECT code, name FROM help_categories ORDER BY position, code";
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// Every article that readers see now, in the order of the help.
pub async fn shown(conn: &mut Conn) -> Result<Vec<Shown>, Error> {
    const SQL: &str = "SELECT a.id, a.code, v.version, v.content, v.published_at FROM help_articles a \
                       JOIN help_versions v ON v.article_id = a.id AND v.version = (SELECT MAX(n.version) \
                       FROM help_versions n WHERE n.article_id = a.id AND n.published_at <= $1) \
                       WHERE v.withdrawn_at IS NULL ORDER BY a.position, a.code";
    let now = conn.now();
    let today = conn.shop().day(now);
    let mut all: Vec<Shown> = on!(conn, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
    all.retain(|article| article.content.expires_on.is_none_or(|last| today <= last));
    Ok(all)
}

/// One of them. Fails with [`Error::NotFound`].
async fn one(conn: &mut Conn, code: &str) -> Result<Shown, Error> {
    let all = shown(conn).await?;
    all.into_iter()
        .find(|article| article.code == code)
        .ok_or(Error::NotFound)
}

/// Who reads: of somebody who is signed in the customer, else the browser and its network.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The customer.
    pub customer: Option<&'a Customer>,
    /// Where they come from.
    pub visitor: &'a Visitor,
    /// The language they read in.
    pub lang: Lang,
}

impl Reader<'_> {
    /// What tells two readers of something apart on a day, and says nothing of either.
    pub(crate) fn hash(&self, key: &[u8], of: Uuid, day: NaiveDate) -> Vec<u8> {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return Vec::new();
        };
        mac.update(of.as_bytes());
        mac.update(day.to_string().as_bytes());
        match self.customer {
            Some(customer) => mac.update(customer.id().0.as_bytes()),
            None => mac.update(format!("{}\n{}", self.visitor.network, self.visitor.device).as_bytes()),
        }
        mac.finalize().into_bytes().to_vec()
    }
}

/// Says whether an article was of use. Said again on the same day, it is said anew and not once more. Fails with
/// [`Error::NotFound`] for one that is not shown, and with [`Error::TooMany`].
pub async fn vote(db: &Db, by: Reader<'_>, code: &str, is_useful: bool) -> Result<(), Error> {
    db.write(|tx| scoped(async move { cast(tx, by, code, is_useful, None).await }))
        .await
}

/// Says what was missing in an article, and by that that it was of no use. Fails with a flaw at `missing`, and as [`vote`]
/// does.
pub async fn tell_missing(db: &Db, by: Reader<'_>, code: &str, missing: &str) -> Result<(), Error> {
    let missing = flaw::text(missing, MISSING_MAX).map_err(|flaw| Error::field("missing", flaw))?;
    let missing = missing.as_str();
    db.write(|tx| scoped(async move { cast(tx, by, code, false, Some(missing)).await }))
        .await
}

async fn cast(tx: &mut Tx, by: Reader<'_>, code: &str, is_useful: bool, missing: Option<&str>) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO help_votes (article_id, day, voter, version, language, useful, missing, voted_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (article_id, day, voter) DO UPDATE SET \
                       version = excluded.version, language = excluded.language, useful = excluded.useful, \
                       missing = CASE WHEN excluded.useful THEN NULL ELSE COALESCE(excluded.missing, help_votes.missing) \
                       END, voted_at = excluded.voted_at";
    let article = one(tx, code).await?;
    let network = &by.visitor.network;
    if !limits::take(tx, &format!("help.vote:{network}"), VOTES_PER_NETWORK).await? {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    let now = tx.now();
    let day = tx.shop().day(now);
    let voter = by.hash(&code_key(tx).await?, article.id.0, day);
    on!(tx, |c| sqlx::query(SQL)
        .bind(article.id)
        .bind(day)
        .bind(&voter)
        .bind(article.version)
        .bind(by.lang)
        .bind(is_useful)
        .bind(missing)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Writes down that something was looked for and how much was found, and not by whom. Whoever looks finds it all the same
/// where that fails.
pub async fn note_search(db: &Db, by: Reader<'_>, text: &str, hits: usize) {
    const SQL: &str = "INSERT INTO help_searches (day, language, text, hits, times, last_at) VALUES ($1, $2, $3, $4, 1, $5) \
                       ON CONFLICT (day, language, text) DO UPDATE SET hits = excluded.hits, \
                       times = help_searches.times + 1, last_at = excluded.last_at";
    let Some(text) = noted(text) else { return };
    let (text, hits) = (text.as_str(), i64::try_from(hits).unwrap_or(i64::MAX));
    let written: Result<(), Error> = db
        .write(|tx| {
            scoped(async move {
                let network = &by.visitor.network;
                if !limits::take(tx, &format!("help.search:{network}"), SEARCHES_PER_NETWORK).await? {
                    return Ok(());
                }
                let now = tx.now();
                let day = tx.shop().day(now);
                on!(tx, |c| sqlx::query(SQL)
                    .bind(day)
                    .bind(by.lang)
                    .bind(text)
                    .bind(hits)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(())
            })
        })
        .await;
    if let Err(e) = written {
        tracing::warn!(error = %e, "what was looked for in the help could not be written down");
    }
}

/// Forgets what was looked for long ago.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM help_searches WHERE (day, language, text) IN \
                       (SELECT day, language, text FROM help_searches WHERE last_at < $1 LIMIT $2)";
    db::sweep(db, SQL, db.now() - SEARCHES_KEPT).await
}
