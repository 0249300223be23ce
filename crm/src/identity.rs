//! Accounts elsewhere that let somebody in here. One is known by its issuer and subject and by nothing else: an e-mail
//! address that a provider names is text to show and to fill a form with, never a reason to let anybody in.

use crate::db::Tx;
use crate::error::Error;
use crate::factor::Owner;
use crate::id::IdentityId;
use crate::on;
use serde::{Deserialize, Serialize};

/// Whom an outside provider says somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// The provider's name in the configuration.
    pub provider: String,
    /// Who vouches: the issuer of the ID token, or the address of the provider.
    pub issuer: String,
    /// The account there. Never given to somebody else by the issuer.
    pub subject: String,
    /// What its owner knows it by: an e-mail address, a name.
    pub shown: String,
    /// Fills the registration in.
    pub name: Option<String>,
    /// Likewise.
    pub surname: Option<String>,
    /// Likewise; to be proved like any other.
    pub email: Option<String>,
    /// Likewise, as `2000-12-31`.
    pub birthday: Option<String>,
}

/// Links an outside account to its owner here. Whoever calls this has seen both proved in the same browser. An account
/// that somebody else has linked already stays theirs: [`Error::Stale`].
pub(crate) async fn link(tx: &mut Tx, owner: Owner, outside: &Outside) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO identities (id, customer_id, staff_id, provider, issuer, subject, shown, linked_at, used_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING";
    let now = tx.now();
    let (customer, staff) = owner.columns();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(IdentityId::new())
        .bind(customer)
        .bind(staff)
        .bind(&outside.provider)
        .bind(&outside.issuer)
        .bind(&outside.subject)
        .bind(&outside.shown)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 1 { Ok(()) } else { Err(Error::Stale) }
}
