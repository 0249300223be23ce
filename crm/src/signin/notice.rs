//! Messages about safety, to the ways that a customer is reached by: what they did not do themselves they learn of.

use crate::contact::{Kind, show_phone, store as contacts};
use crate::db::Tx;
use crate::error::Error;
use crate::id::CustomerId;
use crate::lang::Lang;
use crate::limits::{self, Notice};
use crate::notification;
use crate::on;
use crate::outbox;
use crate::who::Visitor;

/// The template that tells of points that somebody gave.
pub(crate) const RECEIVED: &str = "points_received";

/// Tells a customer something about safety: at the verified primary e-mail address, else at the primary phone. By SMS only
/// as far as [limits](crate::limits::Limits) go, for somebody may do many things and pay for none of the messages: what a number
/// has had its share of is told in the cabinet alone, and where the budget of all is spent, it waits for the next.
pub(crate) async fn send(
    tx: &mut Tx,
    customer: CustomerId,
    template: &str,
    values: &[(&str, &str)],
) -> Result<(), Error> {
    const SQL: &str = "SELECT kind, value FROM contacts WHERE customer_id = $1 AND is_primary AND verified_at IS NOT NULL \
                       ORDER BY CASE WHEN kind = 'email' THEN 0 ELSE 1 END LIMIT 1";
    in_cabinet(tx, customer, template).await?;
    let to: Option<(Kind, String)> = on!(tx, |c| sqlx::query_as(SQL).bind(customer).fetch_optional(c).await)?;
    let Some((kind, address)) = to else { return Ok(()) };
    send_to(tx, customer, (kind, &address), template, values).await
}

/// The same, to an address that was the customer's until a moment ago.
pub(crate) async fn send_to(
    tx: &mut Tx,
    customer: CustomerId,
    (kind, address): (Kind, &str),
    template: &str,
    values: &[(&str, &str)],
) -> Result<(), Error> {
    const SQL: &str = "SELECT name, language FROM customers WHERE id = $1";
    in_cabinet(tx, customer, template).await?;
    let (name, lang): (String, Lang) = on!(tx, |c| sqlx::query_as(SQL).bind(customer).fetch_one(c).await)?;
    let shop = tx.shop().clone();
    let at = shop.local(tx.now()).format("%d.%m.%Y %H:%M").to_string();
    let own = [
        ("name", name.as_str()),
        ("shop", &shop.name),
        ("url", &shop.url),
        ("at", &at),
    ];
    let values: Vec<_> = own.into_iter().chain(values.iter().copied()).collect();
    let may = match kind {
        Kind::Phone => limits::notify(tx, address).await?,
        Kind::Email => Notice::Now,
    };
    if may == Notice::Never {
        return Ok(());
    }
    let to = outbox::To {
        channel: match kind {
            Kind::Phone => outbox::Channel::Sms,
            Kind::Email => outbox::Channel::Email,
        },
        address,
        customer: Some(customer),
    };
    let message = outbox::send(tx, to, template, lang, &values).await?;
    if may == Notice::Later {
        outbox::delivery::wait_for_budget(tx, message).await?;
    }
    Ok(())
}

/// Tells the same in the cabinet, also where it reaches nobody by a message. Points that somebody gave are told of there by
/// whoever moves them.
pub(crate) async fn in_cabinet(tx: &mut Tx, customer: CustomerId, template: &str) -> Result<(), sqlx::Error> {
    if template == RECEIVED {
        return Ok(());
    }
    notification::add(tx, customer, notification::Kind::Security, template, None).await
}

/// Tells that a number or an address was proved, which is a way in from now on. To be called before it is kept: else it would
/// be told itself.
pub(crate) async fn contact_added(tx: &mut Tx, customer: CustomerId, kind: Kind, value: &str) -> Result<(), Error> {
    let shown = match kind {
        Kind::Phone => show_phone(value),
        Kind::Email => value.to_owned(),
    };
    send(tx, customer, "contact_added", &[("contact", &shown)]).await
}

/// Tells of a sign-in by a browser that the customer never came in by before ([`super::known`]), which is kept already. The first
/// one of all is no news, and neither is one that was let in by a code that the same phone has just received.
pub(crate) async fn new_device(tx: &mut Tx, customer: CustomerId, way: &str, visitor: &Visitor) -> Result<(), Error> {
    // Sessions too: those from before browsers were known so.
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM sessions WHERE customer_id = $1) \
                       + (SELECT COUNT(*) FROM known_devices WHERE customer_id = $1)";
    let seen: i64 = on!(tx, |c| sqlx::query_scalar(SQL).bind(customer).fetch_one(c).await)?;
    if seen <= 1 {
        return Ok(());
    }
    let has_email = contacts::primary_email(tx, customer).await?.is_some();
    if way == "code" && !has_email {
        return Ok(());
    }
    send(tx, customer, "new_device", &[("network", &visitor.network)]).await
}
