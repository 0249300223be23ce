//! Messages to people. A message is written in the transaction of what it tells of, so that neither goes without the
//! other; whoever carries messages takes them from [`delivery`], and staff look after them through [`staff`].
//!
//! What a template calls `{code}` or `{link}` opens something: it stays in the stored text only until the message has
//! gone or has run out, and staff never see it. So does the `{unsubscribe}` of a promotional message, which does not run out.

pub mod delivery;
pub mod own;
pub mod promotion;
pub mod staff;

use crate::consent::Aim;
use crate::db::{self, Db, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, OutboxId};
use crate::lang::{Lang, Localized};
use crate::on;
use crate::who::System;
use chrono::{DateTime, Duration, Utc};

/// What a message travels by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Channel {
    /// A text message to a phone.
    Sms,
    /// An e-mail.
    Email,
}

impl Channel {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Sms, Self::Email];

    /// As addresses and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    /// Waits to be carried.
    Queued,
    /// Was carried.
    Sent,
    /// Could not be carried, or did not arrive, and is not tried any more.
    Failed,
}

impl State {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Sent, Self::Failed];

    /// As addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// What of a template's values opens something, and is good for a while only.
const KEYS: [&str; 2] = ["code", "link"];
/// What of a template's values nobody but the receiver may see.
const SECRETS: [&str; 3] = ["code", "link", "unsubscribe"];
/// What stands in their place.
const MASK: &str = "••••••";
/// How long a message that opens something is worth sending when it does not say for how long it is good.
const SECRET_LIFE: Duration = Duration::minutes(10);

/// To whom a message goes.
#[derive(Clone, Copy, Debug)]
pub struct To<'a> {
    /// By what.
    pub channel: Channel,
    /// The phone in E.164 or the e-mail address.
    pub address: &'a str,
    /// The customer, when it is one already.
    pub customer: Option<CustomerId>,
}

/// A message as it was written.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Message {
    /// Its id.
    pub id: OutboxId,
    /// What it travels by.
    pub channel: Channel,
    /// The phone in E.164 or the e-mail address.
    pub address: String,
    /// The template it was written from.
    pub template: String,
    /// Its language.
    pub language: Lang,
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// How far it has come.
    pub state: State,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Template {
    #[sqlx(json)]
    subject: Localized,
    #[sqlx(json)]
    body: Localized,
}

/// A message that is to be written.
struct Draft<'a> {
    id: OutboxId,
    to: To<'a>,
    template: &'a str,
    /// Another template, whose text follows.
    footer: Option<&'a str>,
    lang: Lang,
    /// What it is about, where it is promotional.
    aim: Option<Aim>,
    due_at: DateTime<Utc>,
}

/// Writes a message from the newest published version of a template and queues it. `values` fill the template's
/// `{name}`s. One with a `{code}` or `{link}` is sent only as long as that is good: for `{minutes}` or `{hours}`, where
/// they are among the values. Fails as [`db::Error::Inconsistent`] when there is no such template or it names a value that is not
/// given: a message with a hole is not sent.
///
/// This is for what the contract or somebody's safety needs; what is promotional goes by [`promotion::send`].
pub async fn send(
    tx: &mut Tx,
    to: To<'_>,
    template: &str,
    lang: Lang,
    values: &[(&str, &str)],
) -> Result<OutboxId, Error> {
    let draft = Draft {
        id: OutboxId::new(),
        to,
        template,
        footer: None,
        lang,
        aim: None,
        due_at: tx.now(),
    };
    write(tx, draft, values).await
}

/// The newest published version of a template.
async fn newest(tx: &mut Tx, template: &str) -> Result<Template, Error> {
    const SQL: &str = "SELECT subject, body FROM templates WHERE code = $1 AND published_at <= $2 \
                       ORDER BY version DESC LIMIT 1";
    let now = tx.now();
    let found: Option<Template> = on!(tx, |c| sqlx::query_as(SQL)
        .bind(template)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    Ok(found.ok_or_else(|| db::Error::Inconsistent(format!("no template {template} is published")))?)
}

async fn write(tx: &mut Tx, draft: Draft<'_>, values: &[(&str, &str)]) -> Result<OutboxId, Error> {
    const SQL: &str = "INSERT INTO outbox (id, channel, address, customer_id, template, language, subject, body, state, \
                       created_at, due_at, first_due_at, expires_at, masked_subject, masked_body, aim) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15)";
    let now = tx.now();
    let Draft {
        id,
        to,
        template,
        footer,
        lang,
        aim,
        due_at,
    } = draft;
    let mut found = newest(tx, template).await?;
    if let Some(footer) = footer {
        let footer = newest(tx, footer).await?.body;
        found.body.ru = format!("{}\n\n{}", found.body.ru, footer.ru);
        found.body.en = format!("{}\n\n{}", found.body.en, footer.en);
    }
    let fill = |text: &Localized, values| {
        render(text.get(lang), values).map_err(|name| {
            db::Error::Inconsistent(format!("template {template} names {{{name}}}, which is not given"))
        })
    };
    // A subject is a header of the e-mail: a line break in a value would begin another header.
    let one_line = |text: String| text.replace(char::is_control, " ");
    let subject = one_line(fill(&found.subject, values)?);
    let body = fill(&found.body, values)?;
    let masked: Vec<_> = values
        .iter()
        .map(|(name, value)| (*name, if SECRETS.contains(name) { MASK } else { *value }))
        .collect();
    let masked = (one_line(fill(&found.subject, &masked)?), fill(&found.body, &masked)?);
    let opens_something = (masked.0 != subject) || (masked.1 != body);
    let masked = Some(masked).filter(|_| opens_something);
    let runs_out = values.iter().any(|(name, _)| KEYS.contains(name));
    let expires_at = masked.as_ref().filter(|_| runs_out).map(|_| now + life(values));
    let (masked_subject, masked_body) = masked.unzip();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(to.channel)
        .bind(to.address)
        .bind(to.customer)
        .bind(template)
        .bind(lang)
        .bind(subject)
        .bind(body)
        .bind(State::Queued)
        .bind(now)
        .bind(due_at)
        .bind(expires_at)
        .bind(masked_subject)
        .bind(masked_body)
        .bind(aim)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// For how long a message says that what it tells is good.
fn life(values: &[(&str, &str)]) -> Duration {
    let number = |name| {
        let (_, value) = values.iter().find(|(known, _)| *known == name)?;
        value.parse().ok()
    };
    (number("minutes").and_then(Duration::try_minutes))
        .or_else(|| number("hours").and_then(Duration::try_hours))
        .unwrap_or(SECRET_LIFE)
}

/// Fills each `{name}` of a text once, so that braces in a value stay braces. Fails with a name that has no value.
#[doc(hidden)] // for the fuzzers
pub fn render(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(after)?;
        let (_, value) = values.iter().find(|(known, _)| *known == name).ok_or(name)?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The newest messages, for the development inbox of the demonstration. They hold codes: nobody else may see them.
pub async fn inbox(db: &Db, limit: i64) -> Result<Vec<Message>, Error> {
    const SQL: &str = "SELECT id, channel, address, template, language, subject, body, state, created_at FROM outbox \
                       ORDER BY created_at DESC, id DESC LIMIT $1";
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(limit).fetch_all(c).await)?)
}

/// Carries what is due to the development inbox, the demonstration's transport where it has no other; how many there
/// were. Codes stay readable there as long as they are good.
pub async fn deliver_to_inbox(db: &Db, _by: &System) -> Result<u64, Error> {
    const SQL: &str =
        "UPDATE outbox SET state = 'sent', sent_at = $1, due_at = NULL WHERE state = 'queued' AND due_at <= $1";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            Ok(on!(tx, |c| sqlx::query(SQL)
                .bind(now)
                .execute(c)
                .await
                .map(|r| r.rows_affected()))?)
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_filled_in_once() {
        let values = [("name", "{shop} & <b>"), ("shop", "Сосна")];
        assert_eq!(
            render("Hi {name} of {shop}{shop}!", &values),
            Ok("Hi {shop} & <b> of СоснаСосна!".into())
        );
        assert_eq!(render("no holes }", &values), Ok("no holes }".into()));
        assert_eq!(render("{code}", &values), Err("code".into()));
        assert_eq!(render("an open {name", &values), Err("name".into()));
    }

    #[test]
    fn a_message_says_how_long_it_is_good() {
        assert_eq!(life(&[("code", "1"), ("minutes", "7")]), Duration::minutes(7));
        assert_eq!(life(&[("link", "x"), ("hours", "2")]), Duration::hours(2));
        assert_eq!(life(&[("code", "1"), ("minutes", "soon")]), SECRET_LIFE);
        assert_eq!(life(&[("minutes", "9223372036854775807")]), SECRET_LIFE);
    }
}
