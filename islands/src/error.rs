//! The only error that reaches a browser. It says what a person may know; what went wrong inside is logged where it is
//! converted, and stays there.

use crm::flaw::{FieldFlaw, Flaw};
use serde::{Deserialize, Serialize};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "error")]
pub enum AppError {
    /// Nobody is signed in.
    #[error("signed out")]
    SignedOut,
    /// Fields do not fit; nothing was changed.
    #[error("invalid")]
    Invalid {
        /// What is wrong, field by field.
        flaws: Vec<FieldFlaw>,
    },
    /// There is no such thing, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// Not without the right.
    #[error("forbidden")]
    Forbidden,
    /// Who they are has to be proved once more first.
    #[error("not fresh")]
    NotFresh,
    /// What was shown has changed meanwhile.
    #[error("out of date")]
    Stale,
    /// Too many attempts.
    #[error("too many attempts")]
    TooMany {
        /// Seconds to wait; 0 when waiting does not help.
        retry_after: u32,
    },
    /// More work than the machine can take just now.
    #[error("busy")]
    Busy,
    /// The database does not answer or has no room just now.
    #[error("unavailable")]
    Unavailable,
    /// More was sent than the page takes.
    #[error("too large")]
    TooLarge,
    /// Came from another site, or could not be read at all.
    #[error("refused")]
    Refused,
    /// Our fault.
    #[error("internal")]
    Internal,
}

impl AppError {
    /// The HTTP status that goes with it (RFC 9110).
    pub const fn status(&self) -> u16 {
        match self {
            Self::SignedOut => 401,
            Self::Invalid { .. } => 422,
            Self::NotFound => 404,
            Self::Forbidden | Self::Refused | Self::NotFresh => 403,
            Self::Stale => 409,
            Self::TooMany { .. } => 429,
            Self::Busy | Self::Unavailable => 503,
            Self::TooLarge => 413,
            Self::Internal => 500,
        }
    }

    /// One field with one flaw.
    pub fn field(name: &str, flaw: Flaw) -> Self {
        Self::Invalid {
            flaws: vec![(name.to_owned(), flaw)],
        }
    }
}

#[cfg(feature = "ssr")]
impl From<crm::Error> for AppError {
    fn from(e: crm::Error) -> Self {
        match e {
            crm::Error::Database(source) => {
                tracing::error!(error = %source, "the database failed");
                if source.is_outage() {
                    Self::Unavailable
                } else {
                    Self::Internal
                }
            }
            crm::Error::Invalid(flaws) => Self::Invalid { flaws },
            crm::Error::NotFound => Self::NotFound,
            crm::Error::Forbidden => Self::Forbidden,
            crm::Error::NotFresh => Self::NotFresh,
            crm::Error::Stale | crm::Error::Repeated | crm::Error::NotBought { .. } => Self::Stale,
            crm::Error::TooMany { retry_after } => Self::TooMany { retry_after },
            crm::Error::Busy => Self::Busy,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<crm::db::Error> for AppError {
    fn from(e: crm::db::Error) -> Self {
        crm::Error::Database(e).into()
    }
}
