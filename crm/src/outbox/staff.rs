//! Messages as staff see them: what waits, what went, what did not. Codes and links are never shown.

use super::{Channel, State, delivery};
use crate::contact::Phone;
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::{CustomerId, OutboxId};
use crate::lang::{Lang, Localized};
use crate::on;
use crate::points::Before;
use crate::staff::Right;
use crate::who::{Reason, Staff};
use chrono::{DateTime, Utc};

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// That have come so far.
    pub state: Option<State>,
    /// By this channel.
    pub channel: Option<Channel>,
    /// From the template with this code; empty for all.
    pub template: String,
    /// To a phone or e-mail address that begins like this; empty for all.
    pub address: String,
}

/// A message in a list.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    /// Its id.
    pub id: OutboxId,
    /// What it travels by.
    pub channel: Channel,
    /// The phone in E.164 or the e-mail address.
    pub address: String,
    /// The code of its template.
    pub template: String,
    /// Its subject, without codes.
    pub subject: String,
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub tries: i64,
    /// Why the last try failed, or why it did not arrive.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it arrived, where the carrier says so.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When the carrier said that it could not be delivered.
    pub undelivered_at: Option<DateTime<Utc>>,
}

/// A message with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Letter {
    /// What the list says.
    #[sqlx(flatten)]
    pub row: Row,
    /// To whom, when it is a customer already.
    pub customer_id: Option<CustomerId>,
    /// Its language.
    pub language: Lang,
    /// Its text, without codes.
    pub body: String,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    /// When it went.
    pub sent_at: Option<DateTime<Utc>>,
    /// What the carrier calls it.
    pub reference: Option<String>,
    /// It holds or held a code or link, which is not shown.
    pub is_masked: bool,
}

impl Letter {
    /// Whether it can be sent again: a dead letter that is still whole.
    pub fn can_go_again(&self) -> bool {
        self.row.state == State::Failed && !self.is_masked
    }
}

/// The columns of a [`Row`].
macro_rules! row {
    () => {
        "id, channel, address, template, COALESCE(masked_subject, subject) AS subject, state, tries, error, created_at, \
         delivered_at, undelivered_at"
    };
}

/// Messages, the newest first, those before `before`. Written into the audit log, with how many were shown.
pub async fn list(db: &Db, by: &Staff, filter: &Filter, before: Option<Before>, limit: i64) -> Result<Vec<Row>, Error> {
    by.may(Right::Messages)?;
    let mut query = ListQuery::new(concat!("SELECT ", row!(), " FROM outbox"));
    if let Some(state) = filter.state {
        query = query.filter("state = ?", [Bind::Word(state.as_str())]);
    }
    if let Some(channel) = filter.channel {
        query = query.filter("channel = ?", [Bind::Word(channel.as_str())]);
    }
    if !filter.template.is_empty() {
        query = query.filter("template = ?", [Bind::Text(filter.template.clone())]);
    }
    if !filter.address.is_empty() {
        query = match address(&filter.address, &db.shop().country) {
            (whole, true) => query.filter("address = ?", [Bind::Text(whole)]),
            (start, false) => query.filter(
                "address LIKE ? ESCAPE '\\'",
                [Bind::Text(format!("{}%", db::like(&start)))],
            ),
        };
    }
    if let Some((at, id)) = before {
        query = query.filter("(created_at, id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let mut conn = db.read().await?;
    let rows: Vec<Row> = db::list(&mut conn, query.tail("ORDER BY created_at DESC, id DESC").limit(limit)).await?;
    drop(conn);
    let reason = &format!("{} shown", rows.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "message.list", None, None, reason).await?) }))
        .await?;
    Ok(rows)
}

/// An address as typed, as it is stored, and whether it is a whole one. Of an e-mail nobody can tell.
fn address(typed: &str, country: &str) -> (String, bool) {
    let typed = typed.trim();
    if let Ok(phone) = Phone::parse(typed, country) {
        (phone.as_str().to_owned(), true)
    } else if typed.starts_with('+') {
        (
            typed.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
            false,
        )
    } else {
        (typed.to_lowercase(), false)
    }
}

/// One message. Written into the audit log. Fails with [`Error::NotFound`].
pub async fn open(db: &Db, by: &Staff, id: OutboxId) -> Result<Letter, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        row!(),
        ", customer_id, language, COALESCE(masked_body, body) AS body, due_at, sent_at, reference, \
         (redacted_at IS NOT NULL OR masked_body IS NOT NULL) AS is_masked FROM outbox WHERE id = $1"
    );
    by.may(Right::Messages)?;
    db.write(|tx| {
        scoped(async move {
            let found: Option<Letter> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
            let letter = found.ok_or(Error::NotFound)?;
            let reason = Reason::Message.as_str();
            by.record(tx, "message.read", letter.customer_id, Some(id.0), reason)
                .await?;
            Ok(letter)
        })
    })
    .await
}

/// Queues a dead letter once more. Fails with [`Error::NotFound`], and with [`Error::Stale`] when it is none any more or
/// held a code, which is gone.
pub async fn send_again(db: &Db, by: &Staff, id: OutboxId) -> Result<(), Error> {
    const SQL: &str = "SELECT customer_id FROM outbox WHERE id = $1";
    by.may(Right::Messages)?;
    db.write(|tx| {
        scoped(async move {
            let found: Option<(Option<CustomerId>,)> =
                on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
            let (customer,) = found.ok_or(Error::NotFound)?;
            if !delivery::queue_again(tx, id).await? {
                return Err(Error::Stale);
            }
            let reason = Reason::Message.as_str();
            by.record(tx, "message.again", customer, Some(id.0), reason).await?;
            Ok(())
        })
    })
    .await
}

/// How many messages want looking after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Wait to be carried.
    pub queued: i64,
    /// Could not be, or did not arrive.
    pub failed: i64,
}

/// How many wait, and how many could not be carried or did not arrive.
pub async fn counts(conn: &mut Conn, by: &Staff) -> Result<Counts, Error> {
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM outbox WHERE state = 'queued') AS queued, \
                       (SELECT COUNT(*) FROM outbox WHERE state = 'failed') AS failed";
    by.may(Right::Messages)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_one(c).await)?)
}

/// A template that messages can be of.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Template {
    /// Its code.
    pub code: String,
    /// The subject of its newest version.
    #[sqlx(json)]
    pub subject: Localized,
}

/// The templates, by code.
pub async fn templates(conn: &mut Conn, by: &Staff) -> Result<Vec<Template>, Error> {
    const SQL: &str = "SELECT code, subject FROM templates t \
                       WHERE version = (SELECT MAX(version) FROM templates n WHERE n.code = t.code) ORDER BY code";
    by.may(Right::Messages)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}
