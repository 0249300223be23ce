//! Consents in the database: texts by version, acts that never change.

use super::{Act, Aim, AskedAt, Consent, Purpose};
use crate::customer::Channel;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::id::{ConsentId, ConsentTextId, CustomerId};
use crate::lang::Lang;
use crate::on;
use crate::who::{Customer, Subject};
use chrono::{DateTime, Utc};

/// The columns of a [`Purpose`], and where they come from.
macro_rules! select_purpose {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.code, p.required, p.aim, p.channel, t.partner, COALESCE(r.is_active, TRUE) AS is_open, \
             t.id AS text_id, t.version, t.title, t.body FROM consent_purposes p \
             JOIN consent_texts t ON t.purpose_id = p.id LEFT JOIN partners r ON r.id = p.partner_id WHERE ",
            $rest
        )
    };
}

/// The same of a [`Consent`].
macro_rules! select_consent {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, p.code, p.aim, p.channel, t.partner, c.act, t.version, t.title, t.body, c.language, c.source, c.at \
             FROM consents c JOIN consent_texts t ON t.id = c.text_id JOIN consent_purposes p ON p.id = t.purpose_id WHERE ",
            $rest
        )
    };
}

/// The purposes asked for on an occasion, each with its newest text.
pub async fn purposes(conn: &mut Conn, at: AskedAt) -> Result<Vec<Purpose>, Error> {
    const SQL: &str = select_purpose!(
        "p.asked_at = $1 AND p.at_registration \
         AND t.version = (SELECT MAX(n.version) FROM consent_texts n WHERE n.purpose_id = p.id) ORDER BY p.position"
    );
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(at).fetch_all(c).await)?)
}

/// The purposes that a customer decides about in the cabinet, each with its newest text: those of the registration, and
/// those that are offered afterwards.
pub async fn offered(conn: &mut Conn) -> Result<Vec<Purpose>, Error> {
    const SQL: &str = select_purpose!(
        "p.asked_at = 'registration' \
         AND t.version = (SELECT MAX(n.version) FROM consent_texts n WHERE n.purpose_id = p.id) ORDER BY p.position"
    );
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// The purpose with this lasting name. Fails with [`Error::NotFound`].
pub async fn purpose(conn: &mut Conn, code: &str) -> Result<Purpose, Error> {
    const SQL: &str = select_purpose!("p.code = $1 ORDER BY t.version DESC LIMIT 1");
    on!(conn, |c| sqlx::query_as(SQL).bind(code).fetch_optional(c).await)?.ok_or(Error::NotFound)
}

/// The purpose with this lasting name, with the text of one of its versions: what was agreed to stays readable. Fails with
/// [`Error::NotFound`].
pub async fn purpose_of_version(conn: &mut Conn, code: &str, version: i64) -> Result<Purpose, Error> {
    const SQL: &str = select_purpose!("p.code = $1 AND t.version = $2");
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(code)
        .bind(version)
        .fetch_optional(c)
        .await)?
    .ok_or(Error::NotFound)
}

/// Everything a customer gave and withdrew, the newest first.
pub async fn history(conn: &mut Conn, subject: Subject) -> Result<Vec<Consent>, Error> {
    const SQL: &str = select_consent!("c.customer_id = $1 ORDER BY c.at DESC, c.id DESC");
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .fetch_all(c)
        .await)?)
}

/// One act of a customer, for its receipt. Fails with [`Error::NotFound`].
pub async fn act(conn: &mut Conn, subject: Subject, id: ConsentId) -> Result<Consent, Error> {
    const SQL: &str = select_consent!("c.customer_id = $1 AND c.id = $2");
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .bind(id)
        .fetch_optional(c)
        .await)?
    .ok_or(Error::NotFound)
}

/// Whether a customer agrees to messages about something by a channel: what they did last counts.
pub(crate) async fn agrees(
    conn: &mut Conn,
    customer: CustomerId,
    aim: Aim,
    channel: Channel,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT c.act FROM consents c JOIN consent_texts t ON t.id = c.text_id \
                       JOIN consent_purposes p ON p.id = t.purpose_id \
                       WHERE c.customer_id = $1 AND p.aim = $2 AND p.channel = $3 ORDER BY c.at DESC, c.id DESC LIMIT 1";
    let last: Option<Act> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(aim)
        .bind(channel)
        .fetch_optional(c)
        .await)?;
    Ok(last == Some(Act::Given))
}

/// Writes down one act.
pub(crate) async fn record(
    tx: &mut Tx,
    customer: CustomerId,
    text: ConsentTextId,
    act: Act,
    lang: Lang,
    source: &str,
) -> Result<ConsentId, sqlx::Error> {
    let now = tx.now();
    record_at(tx, customer, text, act, lang, source, now).await
}

/// Writes down one act that happened at another time.
pub(crate) async fn record_at(
    tx: &mut Tx,
    customer: CustomerId,
    text: ConsentTextId,
    act: Act,
    lang: Lang,
    source: &str,
    at: DateTime<Utc>,
) -> Result<ConsentId, sqlx::Error> {
    const SQL: &str = "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let id = ConsentId::new();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(text)
        .bind(act)
        .bind(lang)
        .bind(source)
        .bind(at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Gives a consent, or withdraws it. `version` is that of the text that was shown: giving it to a text that has been
/// replaced since is [`Error::Stale`], and so it is for a partner who is not active any more. Doing twice what is so already
/// changes nothing. A required consent cannot be withdrawn alone ([`Error::Forbidden`]): that ends the membership, which is
/// another act. A parent's consent comes and goes with the child's birthday and is [`Error::NotFound`] here.
pub async fn change(db: &Db, by: &Customer, code: &str, act: Act, version: i64, lang: Lang) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let purpose = offered(tx)
                .await?
                .into_iter()
                .find(|p| p.code == code)
                .ok_or(Error::NotFound)?;
            if purpose.required && act == Act::Withdrawn {
                return Err(Error::Forbidden);
            }
            // Nothing is passed any more to a partner who is not active.
            if act == Act::Given && (purpose.version != version || !purpose.is_open) {
                return Err(Error::Stale);
            }
            let last = history(tx, by.me()).await?.into_iter().find(|c| c.code == code);
            let is_so = match (&last, act) {
                (Some(last), Act::Given) => last.act == Act::Given && last.version == purpose.version,
                (Some(last), Act::Withdrawn) => last.act == Act::Withdrawn,
                (None, act) => act == Act::Withdrawn,
            };
            if !is_so {
                let id = record(tx, by.id(), purpose.text_id, act, lang, "web").await?;
                by.record(
                    tx,
                    if act == Act::Given {
                        "consent.give"
                    } else {
                        "consent.withdraw"
                    },
                    Some(id.0),
                )
                .await?;
            }
            Ok(())
        })
    })
    .await
}

/// Withdraws at once whatever a customer may withdraw by itself; how much that was. What membership needs stays, and so does a
/// parent's consent, which goes with the child's birthday.
pub async fn withdraw_all(db: &Db, by: &Customer, lang: Lang) -> Result<usize, Error> {
    db.write(|tx| {
        scoped(async move {
            let (history, mut withdrawn) = (history(tx, by.me()).await?, 0);
            for purpose in offered(tx).await?.iter().filter(|purpose| !purpose.required) {
                let last = history.iter().find(|consent| consent.code == purpose.code);
                if last.is_some_and(|consent| consent.act == Act::Given) {
                    let id = record(tx, by.id(), purpose.text_id, Act::Withdrawn, lang, "web").await?;
                    by.record(tx, "consent.withdraw", Some(id.0)).await?;
                    withdrawn += 1;
                }
            }
            Ok(withdrawn)
        })
    })
    .await
}
