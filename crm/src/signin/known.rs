//! Browsers that somebody has come in by before. Each holds a token that opens nothing: it tells a browser that is known, also
//! after an update of it, from one that only says the same of itself.

use crate::db::Tx;
use crate::id::{CustomerId, KnownDeviceId, SessionId};
use crate::on;
use crate::who::{SessionOf, Token};
use chrono::Duration;

/// How long a browser is known after the last sign-in by it; browsers keep no cookie longer.
pub const KEPT: Duration = Duration::days(400);
/// How many browsers of one account are known: those of the last sign-ins.
const MOST: i64 = 20;

/// Keeps the browser of a sign-in; the token that it is to hold, and whether it is new to this account. One that it brought
/// along stays where it is one of ours, for several people may come in by one browser.
pub(crate) async fn remember(
    tx: &mut Tx,
    of: SessionOf,
    brought: Option<&Token>,
) -> Result<(Token, bool), sqlx::Error> {
    const OLD: &str = "DELETE FROM known_devices WHERE (customer_id = $1 OR staff_id = $2) AND seen_at <= $3";
    const SEEN: &str =
        "UPDATE known_devices SET seen_at = $4 WHERE (customer_id = $1 OR staff_id = $2) AND token_hash = $3";
    const OURS: &str = "SELECT COUNT(*) FROM known_devices WHERE token_hash = $1";
    const NEW: &str = "INSERT INTO known_devices (id, customer_id, staff_id, token_hash, created_at, seen_at) \
                       VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING";
    const MORE: &str = "DELETE FROM known_devices WHERE (customer_id = $1 OR staff_id = $2) AND id NOT IN \
                        (SELECT id FROM known_devices WHERE customer_id = $1 OR staff_id = $2 \
                        ORDER BY seen_at DESC, id DESC LIMIT $3)";
    let (customer, staff) = of.split();
    let now = tx.now();
    on!(tx, |c| sqlx::query(OLD)
        .bind(customer)
        .bind(staff)
        .bind(now - KEPT)
        .execute(c)
        .await
        .map(drop))?;
    let mut token = None;
    if let Some(brought) = brought {
        let known = on!(tx, |c| sqlx::query(SEEN)
            .bind(customer)
            .bind(staff)
            .bind(brought.hash())
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if known > 0 {
            return Ok((brought.clone(), false));
        }
        let ours: i64 = on!(tx, |c| sqlx::query_scalar(OURS).bind(brought.hash()).fetch_one(c).await)?;
        token = Some(brought.clone()).filter(|_| ours > 0);
    }
    let token = token.unwrap_or_else(Token::random);
    on!(tx, |c| sqlx::query(NEW)
        .bind(KnownDeviceId::new())
        .bind(customer)
        .bind(staff)
        .bind(token.hash())
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(MORE)
        .bind(customer)
        .bind(staff)
        .bind(MOST)
        .execute(c)
        .await
        .map(drop))?;
    Ok((token, true))
}

/// Forgets the browser of one session: somebody ended it from elsewhere, and hears of the next sign-in there.
pub(crate) async fn forget(tx: &mut Tx, customer: CustomerId, session: SessionId) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM known_devices WHERE customer_id = $1 \
                       AND token_hash IN (SELECT device_hash FROM sessions WHERE id = $2)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(session)
        .execute(c)
        .await
        .map(drop))
}

/// Forgets every browser of a customer, or all but the one of a session.
pub(crate) async fn forget_all(tx: &mut Tx, customer: CustomerId, but: Option<SessionId>) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM known_devices WHERE customer_id = $1 AND token_hash NOT IN \
                       (SELECT device_hash FROM sessions WHERE id = $2 AND device_hash IS NOT NULL)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(customer)
        .bind(but)
        .execute(c)
        .await
        .map(drop))
}
