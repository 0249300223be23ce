//! Taking a consent back by the link of a promotional e-mail, without signing in (RFC 8058).
//!
//! A link names a customer, what the messages are about and their channel, and is signed: nothing of it is stored, it does
//! nothing but take back this one consent, and it is good for as long as somebody keeps the e-mail.

use super::{Act, Aim, store as consents};
use crate::audit::{self, Actor};
use crate::contact::{Kind, show_phone};
use crate::customer::Channel;
use crate::db::{Db, Tx, scoped};
use crate::error::Error;
use crate::id::CustomerId;
use crate::lang::Lang;
use crate::merge;
use crate::on;
use crate::signin::codes::{code_key, key};
use crate::who::Visitor;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// What a link takes back.
#[derive(Clone, Copy)]
struct Link {
    customer: CustomerId,
    aim: Aim,
    channel: Channel,
}

/// What whoever holds a link may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What the messages are about.
    pub aim: Aim,
    /// What they come by.
    pub channel: Channel,
    /// Where they go, with most of it hidden.
    pub address: Option<String>,
    /// Whether there is still something to take back.
    pub is_given: bool,
}

impl Link {
    fn mark(&self, key: &[u8]) -> String {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return String::new();
        };
        mac.update(b"unsubscribe ");
        mac.update(self.customer.0.as_bytes());
        mac.update(self.aim.as_str().as_bytes());
        mac.update(b" ");
        mac.update(self.channel.code().as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The end of the link's address.
    fn token(&self, key: &[u8]) -> String {
        let (customer, aim, channel) = (self.customer, self.aim.as_str(), self.channel.code());
        format!("{customer}_{aim}_{channel}_{}", self.mark(key))
    }

    /// Reads one that came; none where we did not write it.
    fn read(token: &str, key: &[u8]) -> Option<Self> {
        let mut parts = token.split('_');
        let (customer, aim, channel) = (parts.next()?, parts.next()?, parts.next()?);
        let link = Self {
            customer: customer.parse().ok()?,
            aim: Aim::ALL.into_iter().find(|known| known.as_str() == aim)?,
            channel: Channel::ALL.into_iter().find(|known| known.code() == channel)?,
        };
        // Of the many ways to write an id one is ours.
        bool::from(link.token(key).as_bytes().ct_eq(token.as_bytes())).then_some(link)
    }
}

/// The address that takes back what a customer agreed to.
pub(crate) async fn link(tx: &mut Tx, customer: CustomerId, aim: Aim, channel: Channel) -> Result<String, sqlx::Error> {
    let link = Link { customer, aim, channel };
    let token = link.token(&code_key(tx).await?);
    Ok(format!("{}/unsubscribe/{token}", tx.shop().url))
}

/// What a link is about. [`Error::NotFound`] for what is none of ours.
pub async fn about(db: &Db, token: &str) -> Result<About, Error> {
    const SQL: &str =
        "SELECT value FROM contacts WHERE customer_id = $1 AND kind = $2 AND is_primary AND verified_at IS NOT NULL";
    let Link { customer, aim, channel } = Link::read(token, &key(db).await?).ok_or(Error::NotFound)?;
    let kind = match channel {
        Channel::Email => Kind::Email,
        Channel::Sms | Channel::Phone => Kind::Phone,
    };
    let mut conn = db.read().await?;
    let customer = merge::heir(&mut conn, customer).await?;
    let address: Option<String> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(kind)
        .fetch_optional(c)
        .await)?;
    Ok(About {
        aim,
        channel,
        address: address.map(|address| masked(kind, &address)),
        is_given: consents::agrees(&mut conn, customer, aim, channel).await?,
    })
}

/// Takes the consent of a link back. Where that was done before, nothing changes. [`Error::NotFound`] for what is none of
/// ours.
pub async fn withdraw(db: &Db, token: &str, visitor: &Visitor) -> Result<(), Error> {
    const SQL: &str = "SELECT language FROM customers WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            let key = code_key(tx).await?;
            let Link { customer, aim, channel } = Link::read(token, &key).ok_or(Error::NotFound)?;
            // Their account may have gone into another one since the message was sent.
            let customer = merge::heir(tx, customer).await?;
            if !consents::agrees(tx, customer, aim, channel).await? {
                return Ok(());
            }
            let lang: Lang = on!(tx, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)?;
            let offered = consents::offered(tx).await?;
            let is_it = |(a, c): (Option<Aim>, Option<Channel>)| (a, c) == (Some(aim), Some(channel));
            let purpose = offered.iter().find(|purpose| is_it((purpose.aim, purpose.channel)));
            let text = purpose.ok_or(Error::NotFound)?.text_id;
            let id = consents::record(tx, customer, text, Act::Withdrawn, lang, "link").await?;
            let entry = audit::Entry {
                actor: Actor::Customer,
                actor_id: Some(customer.0),
                action: "consent.withdraw",
                customer: Some(customer),
                object: Some(id.0),
                reason: "link",
                network: &visitor.network,
            };
            Ok(audit::record(tx, entry).await?)
        })
    })
    .await
}

/// An address of which its owner knows that it is theirs, and nobody else what it is.
fn masked(kind: Kind, address: &str) -> String {
    const DOTS: &str = "•••";
    match (kind, address.split_once('@')) {
        (Kind::Email, Some((local, domain))) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}{DOTS}@{domain}")
        }
        _ => {
            let shown = show_phone(address);
            let last = shown.char_indices().rev().nth(1).map_or(0, |(at, _)| at);
            format!("{DOTS} {}", &shown[last..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_link_is_ours_or_nothing() {
        let link = Link {
            customer: CustomerId(Uuid::from_u128(7)),
            aim: Aim::Marketing,
            channel: Channel::Email,
        };
        let token = link.token(b"key");
        let read = Link::read(&token, b"key").expect("ours");
        assert_eq!(
            (read.customer, read.aim, read.channel),
            (link.customer, link.aim, link.channel)
        );
        let upper = token.to_uppercase();
        let (body, mark) = token.rsplit_once('_').expect("a mark");
        for other in [
            token.replace("marketing", "surveys"),
            token.replace("email", "sms"),
            token.replace("0007", "0008"),
            token.replace('-', ""),
            format!("{token}0"),
            format!("{token}_"),
            format!("{body}_"),
            format!("{body}_{}", mark.replace(|c: char| c.is_ascii_digit(), "0")),
            body.to_owned(),
            upper,
            String::new(),
        ] {
            assert!(Link::read(&other, b"key").is_none(), "{other}");
        }
        assert!(Link::read(&token, b"another").is_none());
    }

    #[test]
    fn an_address_is_known_by_its_owner_alone() {
        assert_eq!(masked(Kind::Email, "anna.petrova@example.com"), "a•••@example.com");
        assert_eq!(masked(Kind::Email, "я@почта.рф"), "я•••@почта.рф");
        assert_eq!(masked(Kind::Phone, "+79001234567"), "••• 67");
        assert_eq!(masked(Kind::Phone, ""), "••• ");
    }
}
