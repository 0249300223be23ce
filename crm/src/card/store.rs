//! Cards in the database.

use super::{Card, Kind, State, check_digit};
use crate::db::{self, Conn, Tx};
use crate::error::Error;
use crate::id::{CardId, CustomerId};
use crate::on;
use crate::who::Subject;

/// Issues a virtual card. Its digits are random: neighbouring numbers tell nothing.
pub(crate) async fn issue_virtual(tx: &mut Tx, customer: CustomerId) -> Result<Card, Error> {
    const SQL: &str = "INSERT INTO cards (id, number, kind, state, customer_id, issued_at, bound_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (number) DO NOTHING";
    let now = tx.now();
    let prefix = tx.shop().card_prefix.clone();
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
