//! What a system is told when something was not done: problem details (RFC 9457) with a stable code, and for each field at
//! fault a JSON pointer (RFC 6901) into what was sent.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use crm::db::{self, AsDatabaseError};
use crm::points::store::SpendError;
use crm::purchase::void::VoidError;
use crm::till::counter::CounterError;
use crm::till::receipt::{Fault, Problem as Flaw, ReceiptError};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not done. Nothing was changed, unless `code` says otherwise.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(title = "Problem", as = Problem)]
pub struct Details {
    /// What kind of problem it is: the place in the documentation where it is explained.
    #[schema(example = "/api/docs#not_enough_points")]
    pub r#type: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind in words. Not for customers' eyes, and may change.
    pub title: &'static str,
    /// The kind for programs. Never changes.
    #[schema(example = "not_enough_points")]
    pub code: &'static str,
    /// This very case in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many points are missing, in hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<i64>,
    /// The most that was possible: points in hundredths, or pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<i64>,
    /// Until when it is not possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A field at fault.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it is in what was sent.
    #[schema(example = "/lines/0/quantity")]
    pub pointer: String,
    /// What is wrong, for programs.
    #[schema(example = "not_positive")]
    pub code: &'static str,
    /// The same in words.
    pub detail: String,
}

/// A problem on its way out.
#[derive(Clone, Debug)]
pub struct Problem {
    details: Box<Details>,
    retry_after: Option<u32>,
    /// Where the database was at fault: what [`db::Db::write`] asks, to try again.
    database: Option<std::sync::Arc<db::Error>>,
    /// The change was done before, under the same key.
    is_repeated: bool,
}

impl Problem {
    /// A kind of problem.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            details: Box::new(Details {
                r#type: format!("/api/docs#{code}"),
                status: status.as_u16(),
                title,
                code,
                detail: None,
                missing: None,
                most: None,
                until: None,
                errors: Vec::new(),
            }),
            retry_after: None,
            database: None,
            is_repeated: false,
        }
    }

    /// With this very case in words.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.detail = Some(detail.into());
        self
    }

    /// With a field at fault.
    pub fn at(mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        self.details.errors.push(FieldError {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        });
        self
    }

    /// To be tried again after so many seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Fields do not fit.
    pub fn invalid() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "Fields of the request do not fit",
        )
    }

    /// There is no such thing, or it is not for this till to see.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing")
    }

    /// Whether the change was done before under the same key.
    pub fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// What is told, for an answer that holds several.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// A day has just ended, and not all of it may be written down yet.
    pub fn day_open(until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let seconds = u32::try_from((until - now).num_seconds()).unwrap_or_default();
        let mut problem = Self::conflict("day_open", "A day has just ended: ask again later").retry_after(seconds);
        problem.details.until = Some(until);
        problem
    }

    fn conflict(code: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, title)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.details).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"kabinet\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl AsDatabaseError for Problem {
    fn database(&self) -> Option<&db::Error> {
        self.database.as_deref()
    }
    fn repeated() -> Self {
        Self {
            is_repeated: true,
            ..Self::conflict("repeated", "The request was sent twice at once")
        }
    }
}

impl From<db::Error> for Problem {
    fn from(e: db::Error) -> Self {
        let outage = e.is_outage();
        // A transaction that merely collided is tried again before anybody hears of it.
        tracing::warn!(error = %e, "the database did not do what the API asked");
        let problem = if e.is_nul() {
            Self::invalid().at("", "nul", "A text has the character NUL, which cannot be kept")
        } else if outage {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service cannot answer just now; send the same again",
            )
            .retry_after(10)
        } else {
            Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something is wrong on our side; send the same again later",
            )
        };
        Self {
            database: Some(std::sync::Arc::new(e)),
            ..problem
        }
    }
}

impl From<crm::Error> for Problem {
    fn from(e: crm::Error) -> Self {
        match e {
            crm::Error::Database(e) => e.into(),
            crm::Error::Invalid(flaws) => flaws.into_iter().fold(Self::invalid(), |problem, (field, flaw)| {
                problem.at(format!("/{field}"), flaw.key(), format!("{flaw:?}"))
            }),
            crm::Error::NotFound => Self::not_found(),
            crm::Error::Forbidden | crm::Error::NotFresh => Self::new(
                StatusCode::FORBIDDEN,
                "scope_missing",
                "The key is not good for this request",
            ),
            crm::Error::Stale => Self::conflict("stale", "The state has moved on"),
            crm::Error::TooMany { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "Too many requests").retry_after(retry_after)
            }
            crm::Error::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The service cannot answer just now; send the same again",
            )
            .retry_after(5),
            crm::Error::NotBought {
                ordinal,
                quantity,
                left,
                ..
            } => {
                let mut problem = Self::conflict("not_bought", "More comes back than was bought").at(
                    format!("/lines/{}/quantity", ordinal - 1),
                    "not_bought",
                    format!("{quantity} come back, and only {left} can"),
                );
                problem.details.most = Some(left);
                problem
            }
            crm::Error::Repeated => <Self as AsDatabaseError>::repeated(),
        }
    }
}

impl From<CounterError> for Problem {
    fn from(e: CounterError) -> Self {
        let card = |code, title, detail: &str| Self::conflict(code, title).at("/card", code, detail);
        match e {
            CounterError::NoCard => Self::new(StatusCode::NOT_FOUND, "card_unknown", "No card has this number").at(
                "/card",
                "card_unknown",
                "No card of this shop has this number",
            ),
            CounterError::Blocked => card("card_blocked", "The card is blocked", "It was lost or replaced"),
            CounterError::Blank => card(
                "card_blank",
                "The card belongs to nobody yet",
                "Enrol the customer with this card first",
            ),
            CounterError::CardTaken => card(
                "card_taken",
                "The card belongs to somebody",
                "Hand out a card that belongs to nobody",
            ),
            CounterError::CardCodeWrong => card(
                "card_code_wrong",
                "The code is none of the card's just now",
                "Scan the code that the phone shows now, or take the number of the card",
            ),
            CounterError::CardCodeReplayed => card(
                "card_code_replayed",
                "The code was taken before",
                "Wait for the next code of the phone: each is good once",
            ),
            CounterError::IdentifyFirst => card(
                "identify_first",
                "The code of a phone only tells who it is",
                "Send it to POST /customers/identify, and here the customer or the number of the card: its first 13 digits",
            ),
            CounterError::NoPhone => Self::new(StatusCode::NOT_FOUND, "phone_unknown", "Nobody has this phone").at(
                "/phone",
                "phone_unknown",
                "Nobody proved to hold this phone",
            ),
            CounterError::PhoneOff => Self::new(
                StatusCode::FORBIDDEN,
                "phone_not_allowed",
                "Customers are not found by phone here",
            )
            .detail("The shop asks for the card; points.identify_by_phone allows it"),
            CounterError::PhoneUnconfirmed => Self::new(
                StatusCode::FORBIDDEN,
                "confirmation_needed",
                "The customer has to confirm the phone",
            )
            .detail("Send a code by POST /customers/confirmations, and the code here as `confirmation`"),
            CounterError::WrongCode { left } => Self::conflict("code_wrong", "The code is another one").at(
                "/confirmation/code",
                "code_wrong",
                format!("Ask the customer once more; tries left: {left}"),
            ),
            CounterError::CodeOver => Self::conflict("code_over", "There is no such code any more").at(
                "/confirmation",
                "code_over",
                "It is too old or was tried too often; send another",
            ),
            CounterError::PhoneTaken => Self::conflict("phone_taken", "Somebody joined with this phone already").at(
                "/phone",
                "phone_taken",
                "Ask for the card, or let the customer sign in to the cabinet",
            ),
            CounterError::Crm(e) => e.into(),
        }
    }
}

impl From<SpendError> for Problem {
    fn from(e: SpendError) -> Self {
        match e {
            SpendError::NotEnough { missing } => {
                let mut problem = Self::conflict("not_enough_points", "There are not as many points");
                problem.details.missing = Some(missing);
                problem
            }
            SpendError::Amount => Self::invalid().at("/points", "not_an_amount", "No number of points to spend here"),
            SpendError::TooMuch { most } => {
                let mut problem = Self::conflict("too_much", "Points cannot pay for as much of this receipt").detail(format!(
                    "At most {most} hundredths of a point of what was asked for, by the shop's share, least and step"
                ));
                problem.details.most = Some(most);
                problem
            }
            SpendError::Frozen { until } => {
                let mut problem = Self::conflict("frozen", "The points of this customer are not spent just now")
                    .detail("Their main phone number changes or just has; earning goes on");
                problem.details.until = Some(until);
                problem
            }
            SpendError::Reused => Self::conflict("reused", "It was asked for otherwise before"),
            SpendError::MadeAfter => Self::conflict("made_after", "The reservation was made after the sale"),
            SpendError::Ended(state) => Self::conflict("reservation_ended", "The reservation has ended")
                .detail(format!("It is {state:?}").to_lowercase()),
            SpendError::Crm(e) => e.into(),
        }
    }
}

impl From<VoidError> for Problem {
    fn from(e: VoidError) -> Self {
        match e {
            VoidError::Returned => {
                Self::conflict("returned", "Something of it came back").detail("Void the returns of this receipt first")
            }
            VoidError::NotEnough { missing } => SpendError::NotEnough { missing }.into(),
            VoidError::Crm(e) => e.into(),
        }
    }
}

impl From<ReceiptError> for Problem {
    fn from(e: ReceiptError) -> Self {
        match e {
            ReceiptError::Invalid(faults) => faults
                .into_iter()
                .fold(Self::invalid(), |problem, fault| problem.fault(fault)),
            ReceiptError::Conflict => {
                Self::conflict("document_conflict", "A receipt of this number says something else").at(
                    "/document",
                    "document_conflict",
                    "Numbers are unique within the source of the till",
                )
            }
            ReceiptError::CodeTaken => Self::conflict("code_taken", "The code is another receipt's").at(
                "/code",
                "code_taken",
                "A receipt with this code is there already",
            ),
            ReceiptError::Counter(e) => e.into(),
            ReceiptError::Spend(e) => e.into(),
            ReceiptError::Void(e) => e.into(),
            ReceiptError::Crm(e) => e.into(),
        }
    }
}

impl Problem {
    fn fault(self, (pointer, flaw): Fault) -> Self {
        let (code, detail) = match flaw {
            Flaw::Missing => ("missing", "It is missing".to_owned()),
            Flaw::TooLong(most) => ("too_long", format!("It has more than {most} characters")),
            Flaw::Nul => ("nul", "It has the character NUL, which cannot be kept".to_owned()),
            Flaw::TooMany(most) => ("too_many", format!("There are more than {most}")),
            Flaw::NotPositive => ("not_positive", "It is not above zero".to_owned()),
            Flaw::Negative => ("negative", "It is below zero".to_owned()),
            Flaw::TooLarge => ("too_large", "The sum is beyond all bounds".to_owned()),
            Flaw::MoreThanPrice => ("more_than_price", "It is more than the line costs".to_owned()),
            Flaw::MoreThanDiscount => (
                "more_than_discount",
                "It is more than the whole discount of the line".to_owned(),
            ),
            Flaw::Unknown => ("unknown", "No record has it".to_owned()),
            Flaw::InFuture => (
                "in_future",
                "The time has not come yet; is the till's clock right".to_owned(),
            ),
            Flaw::LongAgo => (
                "long_ago",
                "The time is before 1970; is the till's clock right".to_owned(),
            ),
            Flaw::NotACode => ("not_a_code", "It is no code of a receipt".to_owned()),
            Flaw::NeedsCustomer => (
                "needs_customer",
                "Points can pay where the receipt is somebody's".to_owned(),
            ),
            Flaw::Either => ("either", "Send the customer or the card, not both".to_owned()),
        };
        self.at(pointer, code, detail)
    }
}
