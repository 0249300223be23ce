//! Cards in the database.

use super::code::Secret;
use super::{Card, Kind, State, check_digit};
use crate::customer::store as customers;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::factor::Owner;
use crate::factor::store::hold;
use crate::flaw::{self, Flaw};
use crate::id::{CardId, CustomerId};
use crate::limits;
use crate::on;
use crate::signin::notice;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Fresh, Reason, Staff, Subject};

/// How many cards a customer may block within an hour: each is a message, and a new number.
const BLOCKED: u32 = 5;
/// How many numbers of plastic cards a customer may try within an hour.
const TRIES: u32 = 10;

/// Issues a virtual card. Its digits are random: neighbouring numbers tell nothing.
pub(crate) async fn issue_virtual(tx: &mut Tx, customer: CustomerId) -> Result<Card, Error> {
    const SQL: &str = "INSERT INTO cards (id, number, kind, state, customer_id, issued_at, bound_at, secret) \
                       VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (number) DO NOTHING";
    let now = tx.now();
    let prefix = tx.shop().card_prefix.clone();
    let secret = Secret::random();
    // With nine random digits a second draw is rare at a million cards, a tenth unheard of.
    for _ in 0..10 {
        let digits = 12_usize.saturating_sub(prefix.len());
        let random: String = (0..digits)
            .map(|_| char::from(b'0' + rand::random_range(0..10_u8)))
            .collect();
        let twelve = format!("{prefix}{random}");
        let check = check_digit(&twelve)
            .ok_or_else(|| db::Error::Inconsistent(format!("the card prefix {prefix:?} is not up to 12 digits")))?;
        let card = Card {
            id: CardId::new(),
            number: format!("{twelve}{check}"),
            kind: Kind::Virtual,
            state: State::Active,
            issued_at: now,
        };
        let rows = on!(tx, |c| sqlx::query(SQL)
            .bind(card.id)
            .bind(&card.number)
            .bind(card.kind)
            .bind(card.state)
            .bind(customer)
            .bind(now)
            .bind(secret.bytes())
            .execute(c)
            .await
            .map(|r| r.rows_affected()))?;
        if rows == 1 {
            return Ok(card);
        }
    }
    Err(db::Error::Inconsistent(format!("no free card number under prefix {prefix}")).into())
}

/// A customer's cards, the newest first.
pub async fn of(conn: &mut Conn, subject: Subject) -> Result<Vec<Card>, Error> {
    const SQL: &str =
        "SELECT id, number, kind, state, issued_at FROM cards WHERE customer_id = $1 ORDER BY issued_at DESC, id DESC";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .fetch_all(c)
        .await)?)
}

/// What a phone makes the codes of a customer's own electronic card from. A card that was issued before there were codes gets
/// it now. [`Error::NotFound`] for what is not theirs, no electronic card, or blocked.
pub async fn secret(db: &Db, by: &Customer, card: CardId) -> Result<Secret, Error> {
    const READ: &str = "SELECT secret FROM cards WHERE id = $1 AND customer_id = $2 AND kind = 'virtual' \
                        AND state = 'active'";
    const MAKE: &str = "UPDATE cards SET secret = COALESCE(secret, $3) WHERE id = $1 AND customer_id = $2 \
                        AND kind = 'virtual' AND state = 'active' RETURNING secret";
    let mut conn = db.read().await?;
    let known: Option<Option<Vec<u8>>> = on!(conn, |c| sqlx::query_scalar(READ)
        .bind(card)
        .bind(by.id())
        .fetch_optional(c)
        .await)?;
    drop(conn);
    if let Some(bytes) = known.ok_or(Error::NotFound)? {
        return stored(&bytes);
    }
    let new = &Secret::random();
    let made: Option<Vec<u8>> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                Ok(on!(tx, |c| sqlx::query_scalar(MAKE)
                    .bind(card)
                    .bind(by.id())
                    .bind(new.bytes())
                    .fetch_optional(c)
                    .await)?)
            })
        })
        .await?;
    stored(&made.ok_or(Error::NotFound)?)
}

/// The secret in what the database holds.
pub(crate) fn stored(bytes: &[u8]) -> Result<Secret, Error> {
    let inconsistent = || db::Error::Inconsistent("the secret of a card cannot be read".into());
    Ok(Secret::stored(bytes).ok_or_else(inconsistent)?)
}

/// Blocks a customer's own card that is lost: no till takes it from now on, and the customer is told. Where no other electronic
/// card is left, a new one with another number and secret takes its place. [`Error::Stale`] for one that is blocked already,
/// [`Error::NotFound`] for what is not theirs, [`Error::TooMany`] after several within an hour.
pub async fn block(db: &Db, by: &Fresh<'_, Customer>, card: CardId) -> Result<Option<Card>, Error> {
    let key = &format!("card.block:{}", by.id());
    db.write(|tx| {
        scoped(async move {
            let (number, new) = block_in(tx, by.id(), card).await?;
            if !limits::take(tx, key, BLOCKED).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            by.record(tx, "card.block", Some(card.0)).await?;
            notice::send(tx, by.id(), "card_blocked", &[("number", &number)]).await?;
            Ok(new)
        })
    })
    .await
}

/// The same by staff, whom the customer has told that it is lost. Field: `reason`, which is written down.
pub async fn block_by_staff(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    card: CardId,
    reason: &str,
) -> Result<Option<Card>, Error> {
    by.may(Right::Cards)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            let (number, new) = block_in(tx, customer, card).await?;
            by.record(tx, "card.stop", Some(customer), Some(card.0), reason).await?;
            notice::send(tx, customer, "card_blocked", &[("number", &number)]).await?;
            Ok(new)
        })
    })
    .await
}

/// Blocks a card of a customer; its number, and the electronic one that takes its place where no other is left.
async fn block_in(tx: &mut Tx, customer: CustomerId, card: CardId) -> Result<(String, Option<Card>), Error> {
    const BLOCK: &str = "UPDATE cards SET state = 'blocked', secret = NULL, blocked_at = $3 WHERE id = $1 \
                         AND customer_id = $2 AND state = 'active' RETURNING number";
    const THEIRS: &str = "SELECT COUNT(*) FROM cards WHERE id = $1 AND customer_id = $2";
    // One after the other: two at once would each leave the new card to the other.
    hold(tx, Owner::Customer(customer)).await?;
    let now = tx.now();
    let number: Option<String> = on!(tx, |c| sqlx::query_scalar(BLOCK)
        .bind(card)
        .bind(customer)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    let Some(number) = number else {
        let theirs: i64 = on!(tx, |c| sqlx::query_scalar(THEIRS)
            .bind(card)
            .bind(customer)
            .fetch_one(c)
            .await)?;
        return Err(if theirs > 0 { Error::Stale } else { Error::NotFound });
    };
    let new = match has_electronic(tx, customer).await? {
        true => None,
        false => Some(issue_virtual(tx, customer).await?),
    };
    Ok((number, new))
}

/// Whether a customer has an electronic card that tills take.
async fn has_electronic(conn: &mut Conn, customer: CustomerId) -> Result<bool, sqlx::Error> {
    const LEFT: &str = "SELECT COUNT(*) FROM cards WHERE customer_id = $1 AND kind = 'virtual' AND state = 'active'";
    let left: i64 = on!(conn, |c| sqlx::query_scalar(LEFT).bind(customer).fetch_one(c).await)?;
    Ok(left > 0)
}

/// Gives a customer another card, and tells them: with a number the plastic one that belongs to nobody yet, without one an
/// electronic one, where they have none. Fields: `number`, as [`bind`] has it, with [`Flaw::Taken`] where they have an electronic
/// one; `reason`, which is written down.
pub async fn issue_by_staff(
    db: &Db,
    by: &Fresh<'_, Staff>,
    customer: CustomerId,
    raw: &str,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::Cards)?;
    let no = || Error::field("number", Flaw::NoBlankCard);
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    let number = &match raw.trim() {
        "" => None,
        raw => Some(super::number(raw).ok_or_else(no)?),
    };
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            hold(tx, Owner::Customer(customer)).await?;
            let (card, number, template) = match number {
                Some(number) => {
                    let (card, holder) = plastic(tx, number).await?.ok_or_else(no)?;
                    if holder.is_some() || !hand_out(tx, card, customer).await? {
                        return Err(no());
                    }
                    (card, number.clone(), "card_bound")
                }
                None => {
                    if has_electronic(tx, customer).await? {
                        return Err(Error::field("number", Flaw::Taken));
                    }
                    let card = issue_virtual(tx, customer).await?;
                    (card.id, card.number, "card_issued")
                }
            };
            by.record(tx, "card.issue", Some(customer), Some(card.0), reason)
                .await?;
            notice::send(tx, customer, template, &[("number", &number)]).await
        })
    })
    .await
}

/// Binds a plastic card that belongs to nobody yet to whoever holds it, and tells them. One that is theirs already is left as
/// it is. The field is `number`: [`Flaw::Missing`], and [`Flaw::NoBlankCard`] whatever else it is, so that nobody learns which
/// numbers are somebody's; [`Error::TooMany`] after ten tries within an hour.
pub async fn bind(db: &Db, by: &Fresh<'_, Customer>, raw: &str) -> Result<(), Error> {
    if raw.trim().is_empty() {
        return Err(Error::field("number", Flaw::Missing));
    }
    let number = super::number(raw).ok_or(Error::field("number", Flaw::NoBlankCard))?;
    let (number, key) = (&number, &format!("card.bind:{}", by.id()));
    // Counted by itself: what is refused is undone, and would be forgotten.
    let may = db
        .write(|tx| scoped(async move { limits::take(tx, key, TRIES).await }))
        .await?;
    if !may {
        return Err(Error::TooMany { retry_after: 3600 });
    }
    db.write(|tx| scoped(bind_in(tx, by, number))).await
}

async fn bind_in(tx: &mut Tx, by: &Fresh<'_, Customer>, number: &str) -> Result<(), Error> {
    let no = || Error::field("number", Flaw::NoBlankCard);
    let (card, holder) = plastic(tx, number).await?.ok_or_else(no)?;
    if holder == Some(by.id()) {
        return Ok(());
    }
    if !hand_out(tx, card, by.id()).await? {
        return Err(no());
    }
    by.record(tx, "card.bind", Some(card.0)).await?;
    notice::send(tx, by.id(), "card_bound", &[("number", number)]).await
}

/// The plastic card with this number that tills take, and whose it is.
async fn plastic(conn: &mut Conn, number: &str) -> Result<Option<(CardId, Option<CustomerId>)>, sqlx::Error> {
    const SQL: &str = "SELECT id, customer_id FROM cards WHERE number = $1 AND kind = 'plastic' AND state = 'active'";
    on!(conn, |c| sqlx::query_as(SQL).bind(number).fetch_optional(c).await)
}

/// Gives a blank card to a customer; false where it is somebody's already.
pub(crate) async fn hand_out(tx: &mut Tx, card: CardId, customer: CustomerId) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE cards SET customer_id = $2, bound_at = $3 WHERE id = $1 AND customer_id IS NULL";
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(card)
        .bind(customer)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}
