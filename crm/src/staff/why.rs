//! Why staff open a customer's card. It is told once a day by each of them, stands in the log with everything that they read
//! there on that day, and the customer reads it. Where something else tells it, nobody is asked.

use super::{Right, store};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::find::{Probe, probes, store as finding};
use crate::flaw;
use crate::id::{CustomerId, RequestId, SearchId};
use crate::on;
use crate::who::{Reason, Staff, Subject};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use uuid::Uuid;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// They are on the phone.
    Call,
    /// They are in the shop.
    Visit,
    /// Something of theirs is looked into: a purchase, points, a message.
    Check,
    /// What staff write themselves.
    Other,
    /// They told their phone, their e-mail or their card, and were found by it.
    Told,
    /// They wrote a request.
    Request,
}

impl Why {
    /// Those that staff choose from.
    pub const CHOICES: [Self; 3] = [Self::Call, Self::Visit, Self::Check];

    /// As it stands in the log, after `card `.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Visit => "visit",
            Self::Check => "check",
            Self::Other => "other",
            Self::Told => "told",
            Self::Request => "request",
        }
    }

    /// The reason of a row of the log, and the words that staff wrote; `None` for what is no opened card.
    pub fn read(reason: &str) -> Option<(Self, &str)> {
        let told = reason.strip_prefix("card ")?;
        let (code, words) = told.split_once(": ").unwrap_or((told, ""));
        let all = [
            Self::Call,
            Self::Visit,
            Self::Check,
            Self::Other,
            Self::Told,
            Self::Request,
        ];
        let why = all.into_iter().find(|why| why.as_str() == code)?;
        Some((why, words))
    }
}

/// What may tell the reason in place of whoever opens the card.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clues {
    /// The number of the request that led there.
    pub request: Option<i64>,
    /// The search that led there.
    pub search: Option<SearchId>,
    /// The page comes back with a form that was sent from it: what was told within a day holds, also past midnight.
    pub is_back: bool,
}

/// Opens a customer's card; `None` where the reason is to be told first. [`Error::NotFound`] for nobody.
pub async fn open(db: &Db, by: &Staff, id: CustomerId, clues: Clues) -> Result<Option<Subject>, Error> {
    by.may(Right::Customers)?;
    db.write(|tx| {
        scoped(async move {
            exists(tx, id).await?;
            let known = today(tx, by, id).await?;
            if let Some((why, object)) = derived(tx, by, id, clues).await? {
                let reason = format!("card {}", why.as_str());
                if known.is_none_or(|known| known != (reason.clone(), object)) {
                    by.record(tx, "customer.why", Some(id), object, &reason).await?;
                }
            } else if known.is_none() {
                // Anybody can send a form: only who told a reason had the page open before.
                let a_day_ago = tx.now() - Duration::days(1);
                if !clues.is_back || told_since(tx, by, id, a_day_ago).await?.is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(by.open_in(tx, id, Reason::Card).await?))
        })
    })
    .await
}

/// Tells the reason. Field: `words`, for [`Why::Other`]. What nobody chooses is [`Error::Forbidden`].
pub async fn tell(db: &Db, by: &Staff, id: CustomerId, why: Why, words: &str) -> Result<(), Error> {
    by.may(Right::Customers)?;
    let reason = &match why {
        Why::Other => {
            let words = flaw::text(words, store::REASON_MAX).map_err(|flaw| Error::field("words", flaw))?;
            format!("card other: {words}")
        }
        _ if Why::CHOICES.contains(&why) => format!("card {}", why.as_str()),
        _ => return Err(Error::Forbidden),
    };
    db.write(|tx| {
        scoped(async move {
            exists(tx, id).await?;
            Ok(by.record(tx, "customer.why", Some(id), None, reason).await?)
        })
    })
    .await
}

/// What a member of staff told today of why they open this card, as the log has it, and the request that it was about.
pub(crate) async fn today(
    conn: &mut Conn,
    by: &Staff,
    id: CustomerId,
) -> Result<Option<(String, Option<Uuid>)>, sqlx::Error> {
    let now = conn.now();
    let midnight = conn.shop().midnight(conn.shop().day(now));
    told_since(conn, by, id, midnight).await
}

async fn told_since(
    conn: &mut Conn,
    by: &Staff,
    id: CustomerId,
    since: DateTime<Utc>,
) -> Result<Option<(String, Option<Uuid>)>, sqlx::Error> {
    const SQL: &str = "SELECT reason, object_id FROM audit WHERE customer_id = $1 AND at >= $2 AND actor_id = $3 \
                       AND action = 'customer.why' ORDER BY at DESC, id DESC LIMIT 1";
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(since)
        .bind(by.id())
        .fetch_optional(c)
        .await)
}

async fn exists(conn: &mut Conn, id: CustomerId) -> Result<(), Error> {
    const SQL: &str = "SELECT COUNT(*) FROM customers WHERE id = $1";
    let found: i64 = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_one(c).await)?;
    if found == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// What led there tells the reason, if it is about this customer: anybody can type an address.
async fn derived(tx: &mut Tx, by: &Staff, id: CustomerId, clues: Clues) -> Result<Option<(Why, Option<Uuid>)>, Error> {
    const REQUEST: &str = "SELECT id FROM requests WHERE number = $1 AND customer_id = $2";
    const THEIRS: &str = "SELECT (SELECT COUNT(*) FROM contacts WHERE customer_id = $1 AND value = $2) \
                          + (SELECT COUNT(*) FROM cards WHERE customer_id = $1 AND number = $2)";
    if let Some(number) = clues.request {
        let request: Option<RequestId> = on!(tx, |c| sqlx::query_scalar(REQUEST)
            .bind(number)
            .bind(id)
            .fetch_optional(c)
            .await)?;
        if let Some(request) = request {
            return Ok(Some((Why::Request, Some(request.0))));
        }
    }
    let Some(search) = clues.search else { return Ok(None) };
    let text = finding::kept_search(tx, by, search).await?.unwrap_or_default();
    let country = tx.shop().country.clone();
    for probe in probes(&text, &country) {
        // The whole of it, which they told themselves; the end of a number or a name anybody may look for.
        let (Probe::Phone(whole) | Probe::Email(whole) | Probe::Card(whole)) = probe else {
            continue;
        };
        let theirs: i64 = on!(tx, |c| sqlx::query_scalar(THEIRS)
            .bind(id)
            .bind(&whole)
            .fetch_one(c)
            .await)?;
        if theirs > 0 {
            return Ok(Some((Why::Told, None)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_back() {
        assert_eq!(Why::read("card call"), Some((Why::Call, "")));
        assert_eq!(Why::read("card other: спор: чек"), Some((Why::Other, "спор: чек")));
        for none in ["card", "search", "card nothing", "", "customers card"] {
            assert_eq!(Why::read(none), None, "{none}");
        }
    }
}
