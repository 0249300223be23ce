//! Promotional messages: only to whoever agreed, and only when they want them. Every one goes through [`send`], and is asked
//! about once more when its time has come ([`pace::decide`]).

use super::{Channel, Draft, write};
use crate::consent::{Aim, pace, unsubscribe};
use crate::contact::Kind;
use crate::customer;
use crate::db::Tx;
use crate::error::Error;
use crate::id::{CustomerId, OutboxId};
use crate::lang::{Lang, Localized};
use crate::limits::{self, Notice};
use crate::on;

/// The template whose text every promotional e-mail ends with: the way to `{unsubscribe}`.
const FOOTER: &str = "promotion_footer";

impl Channel {
    /// The same, as consents name it.
    pub(super) const fn of_consent(self) -> customer::Channel {
        match self {
            Self::Sms => customer::Channel::Sms,
            Self::Email => customer::Channel::Email,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Way {
    name: String,
    language: Lang,
    kind: Kind,
    value: String,
}

/// Writes to a customer what is promotional, by e-mail or else by text message, where they agreed to it: as soon as their
/// quiet hours, their pause and what else they were sent allow. `values` fill the template beside `{name}`, `{shop}` and
/// `{url}`; an e-mail ends with the way to unsubscribe. `None` where nobody may write to them.
pub async fn send(
    tx: &mut Tx,
    customer: CustomerId,
    aim: Aim,
    template: &str,
    values: &[(&str, &Localized)],
) -> Result<Option<OutboxId>, Error> {
    const WAYS: &str = "SELECT c.name, c.language, k.kind, k.value FROM customers c JOIN contacts k ON k.customer_id = c.id \
                        WHERE c.id = $1 AND k.is_primary AND k.verified_at IS NOT NULL \
                        ORDER BY CASE WHEN k.kind = 'email' THEN 0 ELSE 1 END";
    // Nobody else writes to them meanwhile: two at once would each be the last of the week.
    customer::store::hold(tx, customer).await?;
    let ways: Vec<Way> = on!(tx, |c| sqlx::query_as(WAYS).bind(customer).fetch_all(c).await)?;
    let id = OutboxId::new();
    for way in ways {
        let channel = match way.kind {
            Kind::Phone => Channel::Sms,
            Kind::Email => Channel::Email,
        };
        let Some(due_at) = pace::decide(tx, customer, aim, channel.of_consent(), id).await? else {
            continue;
        };
        if channel == Channel::Sms && limits::notify(tx, &way.value).await? != Notice::Now {
            return Ok(None);
        }
        let shop = tx.shop().clone();
        let link = unsubscribe::link(tx, customer, aim, channel.of_consent()).await?;
        let own = [
            ("name", way.name.as_str()),
            ("shop", &shop.name),
            ("url", &shop.url),
            ("unsubscribe", &link),
        ];
        let given = values.iter().map(|(name, text)| (*name, text.get(way.language)));
        let values: Vec<_> = own.into_iter().chain(given).collect();
        let draft = Draft {
            id,
            to: super::To {
                channel,
                address: &way.value,
                customer: Some(customer),
            },
            template,
            footer: (channel == Channel::Email).then_some(FOOTER),
            lang: way.language,
            aim: Some(aim),
            due_at,
        };
        return write(tx, draft, &values).await.map(Some);
    }
    Ok(None)
}
