//! At the counter: who stands there, and who joins.

use crate::card::code::{self, Code};
use crate::card::{self, State, store as cards};
use crate::contact::{Kind, Phone, store as contacts};
use crate::customer::store as customers;
use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::flaw::Flaw;
use crate::id::{CardId, CustomerId, EnrolmentId, ProgramId, TillId};
use crate::lang::Lang;
use crate::limits;
use crate::on;
use crate::points::store as points;
use crate::points::{Balance, ByPhone};
use crate::program::store as programs;
use crate::signin::attempts::{self, Begin, Purpose};
use crate::signin::codes;
use crate::till::Scope;
use crate::who::{Subject, Till, Token, Visitor};
use chrono::{DateTime, Duration, Utc};

/// Why nobody was found, or nobody could join; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CounterError {
    /// No card of this shop has this number.
    #[error("no such card")]
    NoCard,
    /// The card was lost or replaced.
    #[error("the card is blocked")]
    Blocked,
    /// The card lies in the shop and belongs to nobody yet.
    #[error("the card belongs to nobody yet")]
    Blank,
    /// The card belongs to somebody.
    #[error("the card belongs to somebody")]
    CardTaken,
    /// The code of a phone is none of the card's just now.
    #[error("the code is none of the card's just now")]
    CardCodeWrong,
    /// The code of a phone, or a later one of the same card, was taken before.
    #[error("the code was taken before")]
    CardCodeReplayed,
    /// The code of a phone tells who it is, and nothing else takes it.
    #[error("the code of a phone only tells who it is")]
    IdentifyFirst,
    /// Nobody proved to hold this phone.
    #[error("nobody has this phone")]
    NoPhone,
    /// Customers are not found by phone in this shop.
    #[error("customers are not found by phone here")]
    PhoneOff,
    /// The phone alone is not enough: a code has to be sent to it.
    #[error("the phone has to be confirmed")]
    PhoneUnconfirmed,
    /// The code is another one; so many tries are left.
    #[error("the code is another one, {left} tries are left")]
    WrongCode {
        /// How many.
        left: u32,
    },
    /// There is no code to be told any more: too old, told already, or tried too often.
    #[error("there is no such code any more")]
    CodeOver,
    /// Somebody joined with this phone already.
    #[error("somebody joined with this phone already")]
    PhoneTaken,
    /// Everything else.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(CounterError);

/// What a customer shows at the counter.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A card, by its number as typed or scanned.
    Card(String),
    /// A card, by the code that a phone shows of it.
    Rotating(Code),
    /// A phone, as told.
    Phone(String),
    /// The code that [`ask`] sent, as told.
    Code {
        /// What [`ask`] answered.
        confirmation: Token,
        /// The code.
        code: String,
    },
}

impl Shown {
    /// A card, by what was typed or scanned: its number, or the code that a phone shows.
    pub fn card(raw: &str) -> Self {
        code::read(raw).map_or_else(|| Self::Card(raw.to_owned()), Self::Rotating)
    }
}

/// By what a till found a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The number of a card.
    Card,
    /// The code that a phone shows of a card.
    Rotating,
    /// A phone, as told.
    Phone,
    /// A code that went to a phone.
    Code,
    /// What the till was told before.
    Known,
    /// Joining at this till.
    Joining,
}

impl Way {
    /// As it stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Rotating => "rotating",
            Self::Phone => "phone",
            Self::Code => "code",
            Self::Known => "known",
            Self::Joining => "joining",
        }
    }
}

/// Who stands at the counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Whose data may be read from now on.
    pub subject: Subject,
    /// The name to greet by; empty for who has not completed the registration.
    pub name: String,
    /// The number of the newest card that tills take.
    pub card: Option<String>,
    /// What they have.
    pub balance: Balance,
}

/// Finds out who stands at the counter, and writes down that a till did. By phone only where the shop allows it, and only
/// whoever proved to hold it. By the code of a phone [`Error::TooMany`] where too many were wrong.
pub async fn identify(db: &Db, by: &Till, shown: &Shown) -> Result<Present, CounterError> {
    by.with(Scope::Customers)?;
    let (id, way) = match shown {
        Shown::Card(number) => (holder_of(&mut db.read().await?, number, db.now()).await?, Way::Card),
        Shown::Rotating(code) => (holder_by_code(db, by, code).await?, Way::Rotating),
        Shown::Phone(raw) => match db.shop().points.identify_by_phone {
            ByPhone::Told => (holder_of_phone(&mut db.read().await?, raw).await?.0, Way::Phone),
            ByPhone::Confirmed => return Err(CounterError::PhoneUnconfirmed),
            ByPhone::Never => return Err(CounterError::PhoneOff),
        },
        Shown::Code { confirmation, code } => (told(db, by, confirmation, code).await?, Way::Code),
    };
    look(db, by, id, way).await
}

/// How many wrong codes of one card are taken within an hour: at three codes that are good at any moment, a guess is right
/// once in thirty million.
const WRONG_CODES: u32 = 20;

#[derive(sqlx::FromRow)]
struct CodeRow {
    id: CardId,
    state: State,
    customer_id: Option<CustomerId>,
    secret: Option<Vec<u8>>,
    code_step: Option<i64>,
    code_till: Option<TillId>,
}

/// Whose phone shows a code. Each is good once: neither it nor an earlier one of the same card is taken again, but the same
/// till may ask once more while it is good, because the answer got lost.
async fn holder_by_code(db: &Db, by: &Till, code: &Code) -> Result<CustomerId, CounterError> {
    // Changes nothing, and lets tries of one card go one after the other.
    const HOLD: &str = "UPDATE cards SET code_step = code_step WHERE number = $1 \
                        RETURNING id, state, customer_id, secret, code_step, code_till";
    const TAKE: &str = "UPDATE cards SET code_step = $2, code_till = $3 WHERE id = $1";
    // That a code was refused has to be counted, so it leaves the transaction as a value.
    db.write::<Result<CustomerId, CounterError>, CounterError, _>(|tx| {
        scoped(async move {
            let now = tx.now();
            let found: Option<CodeRow> = on!(tx, |c| sqlx::query_as(HOLD).bind(&code.number).fetch_optional(c).await)?;
            let card = found.ok_or(CounterError::NoCard)?;
            if card.state == State::Blocked {
                return Err(CounterError::Blocked);
            }
            let holder = card.customer_id.ok_or(CounterError::Blank)?;
            let wrong = format!("card.code:{}", card.id);
            if limits::is_used_up(tx, &wrong, WRONG_CODES).await? {
                return Err(Error::TooMany { retry_after: 3600 }.into());
            }
            // A plastic card has no codes at all.
            let step = match &card.secret {
                Some(bytes) => cards::stored(bytes)?.step(&code.digits, now),
                None => None,
            };
            let Some(step) = step else {
                limits::take(tx, &wrong, WRONG_CODES).await?;
                by.record(tx, "card.refused", holder, Some(card.id.0), "wrong").await?;
                return Ok(Err(CounterError::CardCodeWrong));
            };
            match card.code_step {
                Some(last) if last == step && card.code_till == Some(by.id()) => {}
                Some(last) if last >= step => {
                    by.record(tx, "card.refused", holder, Some(card.id.0), "replayed")
                        .await?;
                    return Ok(Err(CounterError::CardCodeReplayed));
                }
                _ => on!(tx, |c| sqlx::query(TAKE)
                    .bind(card.id)
                    .bind(step)
                    .bind(by.id())
                    .execute(c)
                    .await
                    .map(drop))?,
            }
            Ok(Ok(holder))
        })
    })
    .await?
}

/// Who proved to hold a phone, and the phone as it is kept.
async fn holder_of_phone(conn: &mut Conn, raw: &str) -> Result<(CustomerId, Phone), CounterError> {
    let phone = Phone::parse(raw, &conn.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    let known = contacts::holder(conn, Kind::Phone, phone.as_str()).await?;
    Ok((known.ok_or(CounterError::NoPhone)?, phone))
}

/// How long after the code was told the till may ask once more, because the answer was lost.
const TOLD_FOR: Duration = Duration::minutes(10);

/// Sends a code to the phone of whoever stands at the counter, in the transaction at hand; they tell it to the cashier.
/// Answers what [`Shown::Code`] needs and until when the code is good. [`Error::TooMany`] where too many were sent.
pub async fn ask(tx: &mut Tx, by: &Till, raw: &str) -> Result<(Token, DateTime<Utc>), CounterError> {
    const LANGUAGE: &str = "SELECT language FROM customers WHERE id = $1";
    by.with(Scope::Customers)?;
    if tx.shop().points.identify_by_phone == ByPhone::Never {
        return Err(CounterError::PhoneOff);
    }
    let (customer, phone) = holder_of_phone(tx, raw).await?;
    let lang: Lang = on!(tx, |c| sqlx::query_scalar(LANGUAGE).bind(customer).fetch_one(c).await)?;
    let visitor = visitor(by);
    let address = (Kind::Phone, phone.as_str());
    let what = Begin {
        address: Some(address),
        customer: Some(customer),
        ..Begin::default()
    };
    let (attempt, token) = attempts::begin(tx, Purpose::Counter, what, lang, &visitor).await?;
    codes::send(tx, (Purpose::Counter, attempt), address, lang, &visitor).await?;
    Ok((token, tx.now() + codes::CODE_LIFE))
}

/// Whose code it is. Told once it is good for the same till a while longer.
async fn told(db: &Db, by: &Till, confirmation: &Token, code: &str) -> Result<CustomerId, CounterError> {
    const PROVED: &str = "UPDATE attempts SET proved_at = $2 WHERE id = $1";
    let typed = &codes::typed(code)?;
    // That a code was wrong has to be counted, so it leaves the transaction as a value.
    let outcome: Result<CustomerId, Flaw> = db
        .write::<_, Error, _>(|tx| {
            scoped(async move {
                let now = tx.now();
                let attempt = match attempts::row(tx, confirmation, Purpose::Counter).await {
                    Err(Error::Stale) => return Ok(Err(Flaw::ExpiredCode)),
                    attempt => attempt?,
                };
                let customer = attempt.customer_id.ok_or(Error::Stale)?;
                match attempt.proved_at {
                    Some(at) if now < at + TOLD_FOR => return Ok(Ok(customer)),
                    Some(_) => return Ok(Err(Flaw::ExpiredCode)),
                    None => {}
                }
                if let Err(flaw) = codes::take(tx, &attempt, typed, &visitor(by)).await? {
                    return Ok(Err(flaw));
                }
                on!(tx, |c| sqlx::query(PROVED)
                    .bind(attempt.id)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(Ok(customer))
            })
        })
        .await?;
    outcome.map_err(|flaw| match flaw {
        Flaw::WrongCode { left } => CounterError::WrongCode { left },
        _ => CounterError::CodeOver,
    })
}

/// A till, as the limits of codes count where they were asked for.
fn visitor(till: &Till) -> Visitor {
    Visitor {
        network: format!("till {}", till.code()),
        device: till.code().to_owned(),
        ..Visitor::default()
    }
}

/// Who a customer is that the till was told of before, with their points as they are now. Fails with [`Error::NotFound`] for
/// nobody.
pub async fn meet(db: &Db, by: &Till, id: CustomerId) -> Result<Present, CounterError> {
    look(db, by, id, Way::Known).await
}

async fn look(db: &Db, by: &Till, id: CustomerId, way: Way) -> Result<Present, CounterError> {
    let subject = db.write(|tx| scoped(open(tx, by, id, way))).await?;
    points::bring_up_to_date(db, subject).await?;
    present(&mut db.read().await?, subject).await
}

/// Opens a customer's data to a till, and writes down which till it was, by which scope and by what it found them. Fails with
/// [`Error::NotFound`].
pub async fn open(tx: &mut Tx, by: &Till, id: CustomerId, way: Way) -> Result<Subject, Error> {
    // A till may have been told of an account that has been merged since.
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE id = $1";
    const SCOPE: Scope = Scope::Customers;
    let system = by.with(SCOPE)?;
    let found: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(SQL).bind(id).fetch_optional(c).await)?;
    let id = found.ok_or(Error::NotFound)?;
    let why = format!("{} {}", SCOPE.as_str(), way.as_str());
    by.record(tx, "customer.read", id, Some(by.key().0), &why).await?;
    Ok(system.subject(id))
}

/// Who a customer is, as a till may know it.
pub async fn present(conn: &mut Conn, subject: Subject) -> Result<Present, CounterError> {
    const NAME: &str = "SELECT name, (SELECT k.number FROM cards k WHERE k.customer_id = c.id AND k.state = 'active' \
                        ORDER BY k.issued_at DESC, k.id DESC LIMIT 1) FROM customers c WHERE c.id = $1";
    let (name, card): (String, Option<String>) =
        on!(conn, |c| sqlx::query_as(NAME).bind(subject.id()).fetch_one(c).await)?;
    let balance = points::balance(conn, subject).await?;
    Ok(Present {
        subject,
        name,
        card,
        balance,
    })
}

#[derive(sqlx::FromRow)]
struct CardRow {
    id: CardId,
    state: State,
    customer_id: Option<CustomerId>,
    blocked_at: Option<DateTime<Utc>>,
}

/// A card as it is good at a moment: a till that was cut off did not hear that it was blocked since.
async fn card(conn: &mut Conn, raw: &str, at: DateTime<Utc>) -> Result<CardRow, CounterError> {
    const SQL: &str = "SELECT id, state, customer_id, blocked_at FROM cards WHERE number = $1";
    if code::read(raw).is_some() {
        return Err(CounterError::IdentifyFirst);
    }
    let number = card::number(raw).ok_or(CounterError::NoCard)?;
    let found: Option<CardRow> = on!(conn, |c| sqlx::query_as(SQL).bind(&number).fetch_optional(c).await)?;
    let card = found.ok_or(CounterError::NoCard)?;
    if card.state == State::Blocked && card.blocked_at.is_none_or(|blocked| blocked <= at) {
        return Err(CounterError::Blocked);
    }
    Ok(card)
}

/// Whose card it is, if it is good at a moment.
pub(super) async fn holder_of(conn: &mut Conn, raw: &str, at: DateTime<Utc>) -> Result<CustomerId, CounterError> {
    card(conn, raw, at).await?.customer_id.ok_or(CounterError::Blank)
}

/// How far the clock of a till may be ahead of ours.
pub(super) const AHEAD: Duration = Duration::hours(24);

/// Who wants to join at the counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// Their phone, as told.
    pub phone: String,
    /// The number of the blank card that they were handed, if they were.
    pub card: Option<String>,
    /// The language that they speak.
    pub language: Lang,
    /// When, by the till's clock; none: now.
    pub at: Option<DateTime<Utc>>,
}

/// Begins a record with nothing but a phone, in the transaction at hand. What is bought from then on counts; the record is
/// completed by whoever proves the phone. The same phone and card once more are the same record. It begins no earlier than a
/// receipt may be claimed: this is how long what was bought may wait to be somebody's.
pub async fn enrol(tx: &mut Tx, by: &Till, who: &Joining) -> Result<(CustomerId, bool), CounterError> {
    by.with(Scope::Customers)?;
    join(tx, Some(by.id()), who).await
}

/// The same by a till, or by staff where there is none.
pub(crate) async fn join(tx: &mut Tx, till: Option<TillId>, who: &Joining) -> Result<(CustomerId, bool), CounterError> {
    const OPEN: &str = "SELECT customer_id FROM enrolments WHERE phone = $1 AND completed_at IS NULL";
    const ENROLMENT: &str =
        "INSERT INTO enrolments (id, till_id, customer_id, phone, created_at) VALUES ($1, $2, $3, $4, $5)";
    let phone = Phone::parse(&who.phone, &tx.shop().country).map_err(|flaw| Error::field("phone", flaw))?;
    let phone = phone.as_str();
    let now = tx.now();
    if who.at.is_some_and(|at| at > now + AHEAD) {
        return Err(Error::field("at", Flaw::InTheFuture).into());
    }
    let oldest = now - Duration::days(tx.shop().points.claim_days);
    let joined = who.at.map_or(now, |at| at.clamp(oldest, now));
    if contacts::holder(tx, Kind::Phone, phone).await?.is_some() {
        return Err(CounterError::PhoneTaken);
    }
    let blank = match &who.card {
        Some(raw) => Some(card(tx, raw, now).await?),
        None => None,
    };
    let known: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(OPEN).bind(phone).fetch_optional(c).await)?;
    if let Some(known) = known {
        // A second card for a phone that nobody has proved would open the first one's points.
        return match blank {
            Some(card) if card.customer_id != Some(known) => Err(CounterError::PhoneTaken),
            _ => Ok((known, false)),
        };
    }
    if blank.as_ref().is_some_and(|card| card.customer_id.is_some()) {
        return Err(CounterError::CardTaken);
    }
    let source = if till.is_some() { "till" } else { "staff" };
    let customer = customers::begin(tx, who.language, source).await?;
    contacts::put(tx, customer, Kind::Phone, phone, true, None).await?;
    on!(tx, |c| sqlx::query(ENROLMENT)
        .bind(EnrolmentId::new())
        .bind(till)
        .bind(customer)
        .bind(phone)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    programs::enter_automatic(tx, customer, joined).await?;
    if let Some(card) = blank
        && !cards::hand_out(tx, card.id, customer).await?
    {
        // Somebody was faster.
        return Err(CounterError::CardTaken);
    }
    Ok((customer, true))
}

/// The record that began at a till or by staff with this phone and waits for whoever proves it: from now on it is completed.
pub(crate) async fn take_over(tx: &mut Tx, phone: &str) -> Result<Option<CustomerId>, sqlx::Error> {
    const SQL: &str = "UPDATE enrolments SET completed_at = $2 WHERE phone = $1 AND completed_at IS NULL \
                       RETURNING customer_id";
    let now = tx.now();
    on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(phone)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// The program whose points are meant where none is named: the first that everybody is a member of. Fails with
/// [`Error::NotFound`] for a code that no open program has.
pub(super) async fn program(conn: &mut Conn, code: Option<&str>) -> Result<ProgramId, Error> {
    const SQL: &str = "SELECT id FROM programs WHERE closed_at IS NULL AND (code = $1 OR ($1 IS NULL AND automatic)) \
                       ORDER BY position, id LIMIT 1";
    let found: Option<ProgramId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(code).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// Writes blank plastic cards down, so that they can be handed out, and tells how many are new. A number that is no EAN-13
/// with the shop's prefix is left out and returned.
pub async fn put_cards(tx: &mut Tx, by: &Till, numbers: &[String]) -> Result<(u64, Vec<String>), Error> {
    by.with(Scope::Catalogue)?;
    let (now, prefix) = (tx.now(), tx.shop().card_prefix.clone());
    let mut rows = db::Rows::new(
        "INSERT INTO cards (id, number, kind, state, issued_at)",
        "ON CONFLICT (number) DO NOTHING RETURNING id",
    );
    let mut rejected = Vec::new();
    for raw in numbers {
        match card::number(raw).filter(|number| number.starts_with(&prefix)) {
            Some(number) => rows.push([
                db::Bind::Id(CardId::new().0),
                db::Bind::Text(number),
                db::Bind::Word("plastic"),
                db::Bind::Word("active"),
                db::Bind::Time(now),
            ]),
            None => rejected.push(raw.clone()),
        }
    }
    let new: Vec<(CardId,)> = db::insert_returning(tx, rows).await?;
    Ok((new.len() as u64, rejected))
}
