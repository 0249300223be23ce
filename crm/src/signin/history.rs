//! How somebody came into a customer's cabinet, or tried to and was refused: what the customer sees of it, so that a stranger is
//! noticed. It says where from no closer than that takes, and is kept for [`DAYS`].

use crate::db::{self, Bind, Conn, ListQuery, Tx};
use crate::error::Error;
use crate::id::{CustomerId, SignInId};
use crate::on;
use crate::points::Before;
use crate::who::{Subject, Visitor};
use chrono::{DateTime, Utc};

/// For how many days it is kept.
pub const DAYS: i64 = 90;

/// A sign-in, or one that was refused.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// When.
    pub at: DateTime<Utc>,
    /// By what: `code`, `email`, `password`, `passkey`, `registration`, `second`, or `provider:` with the name of one.
    pub way: String,
    /// They came in.
    pub is_let_in: bool,
    /// What the browser said of itself.
    pub device: String,
    /// The network, without its last part.
    pub network: String,
}

/// Writes one down.
pub(crate) async fn note(
    tx: &mut Tx,
    customer: CustomerId,
    way: &str,
    is_let_in: bool,
    visitor: &Visitor,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO sign_ins (id, customer_id, at, way, is_let_in, device, network) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (now, network) = (tx.now(), shortened(&visitor.network));
    on!(tx, |c| sqlx::query(SQL)
        .bind(SignInId::new())
        .bind(customer)
        .bind(now)
        .bind(way)
        .bind(is_let_in)
        .bind(&visitor.device)
        .bind(&network)
        .execute(c)
        .await
        .map(drop))
}

/// A network without the part that is one household's: of IPv4 the last number. Of IPv6 it came without it.
fn shortened(network: &str) -> String {
    match network.rsplit_once('.') {
        Some((first, last)) if !last.is_empty() => format!("{first}.*"),
        _ => network.to_owned(),
    }
}

/// What a customer sees, the last first: `limit` of them after a place in the list.
pub async fn list(conn: &mut Conn, of: Subject, before: Option<Before>, limit: i64) -> Result<Vec<SignIn>, Error> {
    const SELECT: &str = "SELECT s.id, s.at, s.way, s.is_let_in, s.device, s.network FROM sign_ins s";
    let mut query = ListQuery::new(SELECT).filter("s.customer_id = ?", [Bind::Id(of.id().0)]);
    if let Some((at, id)) = before {
        query = query.filter("(s.at, s.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    Ok(db::list(conn, query.tail("ORDER BY s.at DESC, s.id DESC").limit(limit)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_network_the_last_part_is_left_out() {
        for (network, shown) in [
            ("203.0.113.9", "203.0.113.*"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
            ("", ""),
        ] {
            assert_eq!(shortened(network), shown);
        }
    }
}
