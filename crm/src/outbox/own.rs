//! Messages as whoever they went to reads them in the cabinet. Codes and links that open something are not shown here either.

use super::Channel;
use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::OutboxId;
use crate::lang::Lang;
use crate::points::Before;
use crate::who::Subject;
use chrono::{DateTime, Utc};

/// A message that went to a customer.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Sent {
    /// Its id.
    pub id: OutboxId,
    /// What it travelled by.
    pub channel: Channel,
    /// The phone in E.164 or the e-mail address.
    pub address: String,
    /// Its language.
    pub language: Lang,
    /// Its subject, without codes.
    pub subject: String,
    /// Its text, without codes.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it went.
    pub sent_at: DateTime<Utc>,
    /// When the carrier said that it could not be delivered.
    pub undelivered_at: Option<DateTime<Utc>>,
}

/// What went to a customer, the newest first, by one channel or all, those before `before`.
pub async fn list(
    conn: &mut Conn,
    of: Subject,
    channel: Option<Channel>,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Sent>, Error> {
    const SELECT: &str = "SELECT id, channel, address, language, COALESCE(masked_subject, subject) AS subject, \
                          COALESCE(masked_body, body) AS body, created_at, sent_at, undelivered_at FROM outbox";
    let mut query = ListQuery::new(SELECT).filter("customer_id = ? AND sent_at IS NOT NULL", [Bind::Id(of.id().0)]);
    if let Some(channel) = channel {
        query = query.filter("channel = ?", [Bind::Word(channel.as_str())]);
    }
    if let Some((at, id)) = before {
        query = query.filter("(created_at, id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    Ok(db::list(conn, query.tail("ORDER BY created_at DESC, id DESC").limit(limit)).await?)
}
