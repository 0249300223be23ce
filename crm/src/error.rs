//! What can go wrong when the CRM is asked for something. Pages and the API turn it into words or problem details;
//! only [`Error::Database`] has a cause to log.

use crate::db;
use crate::flaw::{Check, FieldFlaw, Flaw};

/// Why the CRM did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed, or what it holds contradicts itself.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Fields do not fit; nothing was changed.
    #[error("invalid: {0:?}")]
    Invalid(Vec<FieldFlaw>),
    /// There is no such thing, or it is not this one's to see.
    #[error("not found")]
    NotFound,
    /// Known, but without the right.
    #[error("forbidden")]
    Forbidden,
    /// Who they are was proved too long ago for this.
    #[error("not fresh")]
    NotFresh,
    /// The state has moved on: somebody else was faster, or the step is over.
    #[error("out of date")]
    Stale,
    /// Too many attempts.
    #[error("too many attempts; again in {retry_after} s")]
    TooMany {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// More work than the machine can take just now.
    #[error("busy")]
    Busy,
    /// A line of a return brings back what its sale does not hold; nothing was booked.
    #[error("return {document}, line {ordinal}: brings back {quantity}, and only {left} can come back")]
    NotBought {
        /// The number of the return.
        document: String,
        /// The place of the line in it.
        ordinal: i64,
        /// How many it brings back.
        quantity: i64,
        /// How many of the line that it names have not come back yet; none where there is no such line.
        left: i64,
    },
    /// The change with this idempotency key was done already.
    #[error("done already")]
    Repeated,
}

impl Error {
    /// One field with one flaw.
    pub fn field(name: &str, flaw: Flaw) -> Self {
        Self::Invalid(vec![(name.to_owned(), flaw)])
    }
}

/// What an `INSERT` came to: a code that something else has is a flaw at `key`, the field of codes.
pub(crate) fn unless_taken<T>(inserted: Result<T, sqlx::Error>) -> Result<T, Error> {
    match inserted {
        Err(e) if db::is_taken(&e) => Err(Error::field("key", Flaw::Taken)),
        other => Ok(other?),
    }
}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Self {
        Self::Database(e.into())
    }
}

/// For an error that tells of one thing in particular and holds everything else as `Crm`: what the database says becomes
/// one of these, and [`db::Db::write`] finds it there.
macro_rules! holds_database_errors {
    ($error:ty) => {
        impl From<sqlx::Error> for $error {
            fn from(e: sqlx::Error) -> Self {
                Self::Crm(e.into())
            }
        }

        impl From<$crate::db::Error> for $error {
            fn from(e: $crate::db::Error) -> Self {
                Self::Crm(e.into())
            }
        }

        impl $crate::db::AsDatabaseError for $error {
            fn database(&self) -> Option<&$crate::db::Error> {
                if let Self::Crm(e) = self {
                    e.database()
                } else {
                    None
                }
            }
            fn repeated() -> Self {
                Self::Crm($crate::error::Error::Repeated)
            }
        }
    };
}
pub(crate) use holds_database_errors;

impl Check {
    /// An error when anything is wrong.
    pub fn result(self) -> Result<(), Error> {
        if self.is_clean() {
            Ok(())
        } else {
            Err(Error::Invalid(self.flaws()))
        }
    }
}
