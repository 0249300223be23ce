//! What besides a code or a password proves who somebody is: TOTP, passkeys, recovery codes.

use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::id::{CustomerId, StaffId};
use crate::on;
use crate::staff::store::end_sessions;
use crate::who::System;

/// Whose a factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A customer's.
    Customer(CustomerId),
    /// A member of staff's.
    Staff(StaffId),
}

impl Owner {
    /// As the two columns of a table hold it.
    pub(crate) const fn columns(self) -> (Option<CustomerId>, Option<StaffId>) {
        match self {
            Self::Customer(id) => (Some(id), None),
            Self::Staff(id) => (None, Some(id)),
        }
    }
}

/// Whether somebody has a second factor, without which they are not let in.
pub(crate) async fn has_second(conn: &mut Conn, owner: Owner) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) FROM factors WHERE (customer_id = $1 OR staff_id = $2) AND kind = 'totp' \
                       AND confirmed_at IS NOT NULL";
    let (customer, staff) = owner.columns();
    let count: i64 = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(customer)
        .bind(staff)
        .fetch_one(c)
        .await)?;
    Ok(count > 0)
}

/// Removes every factor of a member of staff and ends their sessions: the next sign-in sets up new ones.
pub async fn reset(db: &Db, _by: &System, staff: StaffId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM factors WHERE staff_id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL).bind(staff).execute(c).await.map(drop))?;
            end_sessions(tx, staff).await?;
            crate::staff::store::record(tx, "staff.reset_factors", staff).await?;
            Ok(())
        })
    })
    .await
}
