//! Contacts in the database.

use super::{Contact, Email, Kind, Phone, change, show_phone};
use crate::audit::because;
use crate::customer::store as customers;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::factor::store::{has_second, hold};
use crate::flaw::{self, Check, Flaw};
use crate::id::{ContactId, CustomerId, NumberChangeId};
use crate::on;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject};
use chrono::{DateTime, Utc};
use serde_json::json;

/// How many numbers or addresses of one kind a customer may keep.
const MOST: usize = 5;

/// A customer's contacts: the primary ones first.
pub async fn of(conn: &mut Conn, subject: Subject) -> Result<Vec<Contact>, Error> {
    const SQL: &str = "SELECT id, kind, value, is_primary, verified_at FROM contacts WHERE customer_id = $1 \
                       ORDER BY kind DESC, is_primary DESC, created_at, id";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .fetch_all(c)
        .await)?)
}

/// Every number and address that a customer proved to hold.
pub(crate) async fn verified(conn: &mut Conn, customer: CustomerId) -> Result<Vec<Contact>, sqlx::Error> {
    const SQL: &str = "SELECT id, kind, value, is_primary, verified_at FROM contacts WHERE customer_id = $1 \
                       AND verified_at IS NOT NULL ORDER BY kind, created_at, id";
    on!(conn, |c| sqlx::query_as(SQL).bind(customer).fetch_all(c).await)
}

/// Who proved to hold this number or address.
pub(crate) async fn holder(conn: &mut Conn, kind: Kind, value: &str) -> Result<Option<CustomerId>, sqlx::Error> {
    const SQL: &str = "SELECT customer_id FROM contacts WHERE kind = $1 AND value = $2 AND verified_at IS NOT NULL";
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(kind)
        .bind(value)
        .fetch_optional(c)
        .await)
}

/// Writes a contact.
pub(crate) async fn put(
    tx: &mut Tx,
    customer: CustomerId,
    kind: Kind,
    value: &str,
    is_primary: bool,
    verified_at: Option<DateTime<Utc>>,
) -> Result<ContactId, sqlx::Error> {
    const SQL: &str = "INSERT INTO contacts (id, customer_id, kind, value, is_primary, verified_at, created_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (id, now) = (ContactId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(kind)
        .bind(value)
        .bind(is_primary)
        .bind(verified_at)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Writes the e-mail that somebody tells as they register, in the place of those that others wrote down and nobody proved.
pub(crate) async fn put_told(tx: &mut Tx, customer: CustomerId, value: &str) -> Result<(), sqlx::Error> {
    const DROP: &str = "DELETE FROM contacts WHERE customer_id = $1 AND kind = $2 AND verified_at IS NULL";
    on!(tx, |c| sqlx::query(DROP)
        .bind(customer)
        .bind(Kind::Email)
        .execute(c)
        .await
        .map(drop))?;
    let mut proved = verified(tx, customer).await?;
    proved.retain(|contact| contact.kind == Kind::Email);
    if proved.iter().any(|contact| contact.value == value) {
        return Ok(());
    }
    put(tx, customer, Kind::Email, value, proved.is_empty(), None)
        .await
        .map(drop)
}

/// Adds a number or address. It stands unverified until its holder proves it; the first e-mail becomes the primary one.
/// The field is `phone` or `email`: [`Flaw::Taken`] when the customer has it already.
pub async fn add(db: &Db, by: &Fresh<'_, Customer>, kind: Kind, raw: &str) -> Result<(), Error> {
    let value = &parsed(kind, raw, &db.shop().country).map_err(|flaw| Error::field(field(kind), flaw))?;
    db.write(|tx| {
        scoped(async move {
            let id = add_in(tx, by.me(), kind, value).await?;
            by.record(tx, "contact.add", Some(id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// The same by staff, as the customer told them. Fields: `phone` or `email`, and `reason`, which is written down beside it.
pub async fn add_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    kind: Kind,
    raw: &str,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Contacts)?;
    let mut check = Check::new();
    let value = check.field(field(kind), parsed(kind, raw, &db.shop().country));
    let reason = check.field("reason", flaw::text(reason, REASON_MAX));
    let (Some(value), Some(reason)) = (&value, &reason) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            let id = add_in(tx, subject, kind, value).await?;
            let name = field(kind);
            let told = because(reason, &json!({(name): null}), &json!({(name): value}));
            by.record(tx, "contact.enter", Some(customer), Some(id.0), &told)
                .await?;
            Ok(())
        })
    })
    .await
}

/// As forms and the log name a contact of a kind.
const fn field(kind: Kind) -> &'static str {
    match kind {
        Kind::Phone => "phone",
        Kind::Email => "email",
    }
}

fn parsed(kind: Kind, raw: &str, country: &str) -> Result<String, Flaw> {
    match kind {
        Kind::Phone => Phone::parse(raw, country).map(|phone| phone.as_str().to_owned()),
        Kind::Email => Email::parse(raw).map(|email| email.as_str().to_owned()),
    }
}

async fn add_in(tx: &mut Tx, customer: Subject, kind: Kind, value: &str) -> Result<ContactId, Error> {
    let same: Vec<_> = of(tx, customer).await?.into_iter().filter(|c| c.kind == kind).collect();
    if same.iter().any(|c| c.value == value) {
        return Err(Error::field(field(kind), Flaw::Taken));
    }
    if same.len() >= MOST {
        return Err(Error::TooMany { retry_after: 0 });
    }
    let is_primary = kind == Kind::Email && same.is_empty();
    Ok(put(tx, customer.id(), kind, value, is_primary, None).await?)
}

/// Removes a contact. The primary phone stays ([`Flaw::LastOne`]): it is the way in. When the primary e-mail goes, the
/// next one takes its place.
pub async fn remove(db: &Db, by: &Fresh<'_, Customer>, id: ContactId) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let (_, ended) = remove_in(tx, by.me(), id).await?;
            if let Some(change) = ended {
                by.record(tx, "number.cancel", Some(change.0)).await?;
            }
            by.record(tx, "contact.remove", Some(id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// The same by staff, who were told that it is not the customer's any more. Field: `reason`, which is written down beside it.
pub async fn remove_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    id: ContactId,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Contacts)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            let (contact, ended) = remove_in(tx, subject, id).await?;
            if let Some(change) = ended {
                by.record(tx, "number.stop", Some(customer), Some(change.0), reason)
                    .await?;
            }
            let name = field(contact.kind);
            let told = because(reason, &json!({(name): contact.value}), &json!({(name): null}));
            by.record(tx, "contact.drop", Some(customer), Some(id.0), &told).await?;
            Ok(())
        })
    })
    .await
}

/// What was removed, and which change of the main number ended with it.
async fn remove_in(tx: &mut Tx, customer: Subject, id: ContactId) -> Result<(Contact, Option<NumberChangeId>), Error> {
    const DELETE: &str = "DELETE FROM contacts WHERE id = $1 AND customer_id = $2";
    let mut all = of(tx, customer).await?;
    let place = all.iter().position(|c| c.id == id).ok_or(Error::NotFound)?;
    let contact = all.remove(place);
    let customer = customer.id();
    if contact.kind == Kind::Phone && contact.is_primary {
        return Err(Error::field("phone", Flaw::LastOne));
    }
    on!(tx, |c| sqlx::query(DELETE)
        .bind(id)
        .bind(customer)
        .execute(c)
        .await
        .map(drop))?;
    if contact.verified_at.is_some() {
        let to = (contact.kind, contact.value.as_str());
        notice::send_to(tx, customer, to, "contact_removed", &[]).await?;
    }
    if contact.is_primary {
        // A proved one before the others: what the shop writes should not go to a stranger.
        let others = || all.iter().filter(|c| c.kind == contact.kind);
        let next = others().find(|c| c.verified_at.is_some()).or_else(|| others().next());
        if let Some(next) = next {
            set_primary(tx, customer, next).await?;
        }
    }
    let ended = match contact.kind {
        Kind::Phone => change::removed(tx, customer, &contact.value).await?,
        Kind::Email => None,
    };
    Ok((contact, ended))
}

/// Confirms a contact for a customer whom staff have made sure of: they called the number, or saw who it is. It is a way in from
/// then on, so every proved contact is told, and the cabinet. Field: `reason`, how they made sure, which is written down; `contact` with
/// [`Flaw::TakenElsewhere`]. [`Error::NotFound`] for what is not theirs, [`Error::Stale`] where it is proved already, and
/// [`Error::Forbidden`] for whoever has a second factor: that is not to be walked around, and they confirm it themselves.
pub async fn verify_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    id: ContactId,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Contacts)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            hold(tx, Owner::Customer(customer)).await?;
            let all = of(tx, subject).await?;
            let contact = all.iter().find(|c| c.id == id).ok_or(Error::NotFound)?;
            if contact.verified_at.is_some() {
                return Err(Error::Stale);
            }
            if has_second(tx, Owner::Customer(customer)).await? {
                return Err(Error::Forbidden);
            }
            let shown = match contact.kind {
                Kind::Phone => show_phone(&contact.value),
                Kind::Email => contact.value.clone(),
            };
            // Before it is kept: else it would be told itself. Where nothing is proved yet, the cabinet alone can tell.
            let others = verified(tx, customer).await?;
            if others.is_empty() {
                notice::in_cabinet(tx, customer, "contact_added").await?;
            }
            for other in others {
                let to = (other.kind, other.value.as_str());
                notice::send_to(tx, customer, to, "contact_added", &[("contact", &shown)]).await?;
            }
            if !keep_proved(tx, customer, contact.kind, &contact.value).await? {
                return Err(Error::field("contact", Flaw::TakenElsewhere));
            }
            by.record(tx, "contact.confirm", Some(customer), Some(id.0), reason)
                .await?;
            Ok(())
        })
    })
    .await
}

/// Makes a number or address that is proved the primary one; one that is not is [`Error::Forbidden`], for messages about safety
/// go to proved ones alone and would go nowhere. From one proved phone to another it takes a while ([`change`]): then the
/// answer is when it happens. What was primary until now is told.
pub async fn make_primary(db: &Db, by: &Fresh<'_, Customer>, id: ContactId) -> Result<Option<DateTime<Utc>>, Error> {
    db.write(|tx| {
        scoped(async move {
            let all = of(tx, by.me()).await?;
            let contact = all.iter().find(|c| c.id == id).ok_or(Error::NotFound)?;
            if contact.is_primary {
                return Ok(None);
            }
            if contact.verified_at.is_none() {
                return Err(Error::Forbidden);
            }
            if contact.kind == Kind::Phone {
                let wait = tx.shop().number_change_wait();
                let before = all
                    .iter()
                    .find(|c| c.kind == Kind::Phone && c.is_primary && c.verified_at.is_some());
                if let Some(before) = before.filter(|_| !wait.is_zero()) {
                    return Ok(Some(change::begin(tx, by, (before, contact), wait).await?));
                }
            }
            put_first(tx, by.id(), &all, contact).await?;
            by.record(tx, "contact.primary", Some(id.0)).await?;
            Ok(None)
        })
    })
    .await
}

/// Makes one of all contacts the primary one, and tells what was until now.
pub(super) async fn put_first(
    tx: &mut Tx,
    customer: CustomerId,
    all: &[Contact],
    contact: &Contact,
) -> Result<(), Error> {
    let template = match contact.kind {
        Kind::Phone => "phone_changed",
        Kind::Email => "email_changed",
    };
    let hears = |c: &&Contact| c.is_primary && (contact.kind == Kind::Phone || c.kind == contact.kind);
    let told: Vec<&Contact> = all.iter().filter(hears).filter(|c| c.verified_at.is_some()).collect();
    for before in told {
        let to = (before.kind, before.value.as_str());
        notice::send_to(tx, customer, to, template, &[]).await?;
    }
    Ok(set_primary(tx, customer, contact).await?)
}

/// Keeps a number or address that its holder has just proved: as a new contact, or as one that was not proved before. It is the
/// primary one unless another proved one is. False when another customer has proved it earlier; then nothing changes.
pub(crate) async fn keep_proved(tx: &mut Tx, customer: CustomerId, kind: Kind, value: &str) -> Result<bool, Error> {
    const VERIFY: &str = "UPDATE contacts SET verified_at = $4 WHERE customer_id = $1 AND kind = $2 AND value = $3";
    match holder(tx, kind, value).await? {
        Some(holder) if holder == customer => return Ok(true),
        Some(_) => return Ok(false),
        None => {}
    }
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(VERIFY)
        .bind(customer)
        .bind(kind)
        .bind(value)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        put(tx, customer, kind, value, false, Some(now)).await?;
    }
    let proved: Vec<Contact> = verified(tx, customer)
        .await?
        .into_iter()
        .filter(|c| c.kind == kind)
        .collect();
    if proved.iter().all(|c| !c.is_primary)
        && let Some(contact) = proved.iter().find(|c| c.value == value)
    {
        set_primary(tx, customer, contact).await?;
    }
    Ok(true)
}

/// The verified primary e-mail address of a customer.
pub(crate) async fn primary_email(conn: &mut Conn, customer: CustomerId) -> Result<Option<String>, sqlx::Error> {
    const SQL: &str = "SELECT value FROM contacts WHERE customer_id = $1 AND kind = 'email' AND is_primary \
                       AND verified_at IS NOT NULL";
    on!(conn, |c| sqlx::query_scalar(SQL).bind(customer).fetch_optional(c).await)
}

async fn set_primary(tx: &mut Tx, customer: CustomerId, contact: &Contact) -> Result<(), sqlx::Error> {
    // Two statements: for a moment there must not be two primary ones.
    const CLEAR: &str = "UPDATE contacts SET is_primary = $3 WHERE customer_id = $1 AND kind = $2";
    const SET: &str = "UPDATE contacts SET is_primary = $2 WHERE id = $1";
    on!(tx, |c| sqlx::query(CLEAR)
        .bind(customer)
        .bind(contact.kind)
        .bind(false)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(SET)
        .bind(contact.id)
        .bind(true)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
