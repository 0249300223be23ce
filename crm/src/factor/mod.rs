//! What besides a code or a password proves who somebody is: TOTP, passkeys, recovery codes. Why these, and what counts
//! as a second factor: `docs/decisions/0008-second-factors.md`.

pub mod passkey;
pub mod recovery;
pub mod removal;
pub mod store;
pub mod totp;

use crate::db::{Db, Tx};
use crate::error::Error;
use crate::id::{CustomerId, FactorId, SessionId, StaffId};
use crate::signin::notice;
use crate::who::{Customer, Fresh, Staff, Token};
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(crate) use store::has_second;
pub use store::reset;

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

    /// The id, whoever's it is.
    pub(crate) const fn id(self) -> Uuid {
        match self {
            Self::Customer(id) => id.0,
            Self::Staff(id) => id.0,
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// A customer.
    Customer(&'a Customer),
    /// A member of staff.
    Staff(&'a Staff),
}

impl<'a> Known<'a> {
    /// The proof for changes of factors. [`Error::NotFresh`] when they have to prove anew who they are.
    pub fn fresh(self, db: &Db) -> Result<By<'a>, Error> {
        match self {
            Self::Customer(customer) => Ok(By::Customer(customer.fresh(db)?)),
            Self::Staff(staff) => Ok(By::Staff(staff.fresh(db)?)),
        }
    }

    pub(crate) fn owner(self) -> Owner {
        match self {
            Self::Customer(customer) => Owner::Customer(customer.id()),
            Self::Staff(staff) => Owner::Staff(staff.id()),
        }
    }

    /// The secret that their browser holds.
    pub(crate) fn token(self) -> &'a Token {
        match self {
            Self::Customer(customer) => customer.token(),
            Self::Staff(staff) => staff.token(),
        }
    }

    pub(crate) fn session(self) -> SessionId {
        match self {
            Self::Customer(customer) => customer.session(),
            Self::Staff(staff) => staff.session(),
        }
    }

    /// Writes down what they did.
    pub(crate) async fn record(self, tx: &mut Tx, action: &str, object: Option<Uuid>) -> Result<(), sqlx::Error> {
        match self {
            Self::Customer(customer) => customer.record(tx, action, object).await,
            Self::Staff(staff) => staff.record(tx, action, None, object, "").await,
        }
    }
}

/// Somebody who proved moments ago who they are: whoever changes factors demands this.
#[derive(Debug)]
pub enum By<'a> {
    /// A customer.
    Customer(Fresh<'a, Customer>),
    /// A member of staff.
    Staff(Fresh<'a, Staff>),
}

impl By<'_> {
    /// The same person, for what less is enough for.
    pub fn known(&self) -> Known<'_> {
        match self {
            Self::Customer(customer) => Known::Customer(customer),
            Self::Staff(staff) => Known::Staff(staff),
        }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.known().owner()
    }

    /// Writes down that a factor was changed, and tells the customer.
    pub(crate) async fn changed(&self, tx: &mut Tx, action: &str, factor: Option<FactorId>) -> Result<(), Error> {
        self.known().record(tx, action, factor.map(|id| id.0)).await?;
        if let Self::Customer(customer) = self {
            notice::send(tx, customer.id(), "factor_changed", &[]).await?;
        }
        Ok(())
    }
}

/// A factor as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Factor {
    /// Its id.
    pub id: FactorId,
    /// What its owner calls it.
    pub name: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub used_at: Option<DateTime<Utc>>,
}

/// What somebody has.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The codes of an app.
    pub totp: Option<Factor>,
    /// Passkeys, the newest first.
    pub passkeys: Vec<Factor>,
    /// How many recovery codes are left.
    pub codes_left: usize,
    /// Recovery codes were made that nobody has said to have saved.
    pub codes_wait: bool,
    /// Without a second factor nobody comes in as this person.
    pub has_second: bool,
    /// The password is shorter than one that opens by itself may be, so the second factor stays as long as it does.
    pub password_short: bool,
}

impl Overview {
    /// Whether one of the factors may go: the last one of a member of staff stays.
    pub fn can_remove(&self, of: Known<'_>) -> bool {
        matches!(of, Known::Customer(_)) || usize::from(self.totp.is_some()) + self.passkeys.len() > 1
    }
}
