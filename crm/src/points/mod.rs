//! Points: what customers earn, as an append-only double-entry ledger per program.
//!
//! A point is kept in hundredths, like money: 100 stands for 1.00 in the cabinet. Each purchase makes one lot per
//! program, which is pending, then active, then expired:
//!
//! | what happens | from | to |
//! |---|---|---|
//! | accrual | issued, or the partner's who pays for it | pending (active where the program knows no delay) |
//! | activation | pending | active |
//! | expiry | active | expired |
//! | redemption | active | spent |
//! | return | pending or active | issued, or the partner's: where it had come from |
//! | refund: what had paid for something that came back | spent | active |
//! | void of a receipt | as its return, or the other way round | |
//! | transfer | active | transfer, and from there to the other customer's active |
//! | adjustment | active | adjustment, or the other way round |
//!
//! A return that takes back more than is left of active points leaves the active balance below zero: a debt. The next
//! points to become active pay it, so a lot always holds what can be spent of it, and at any time the active balance is
//! the sum of what is left in active lots, or below zero with nothing left in them.
//!
//! A reservation is no movement: it only lowers what else can be spent, and keeps the lots that expire first from
//! expiring until it ends, but none that was over before it was made.

use crate::id::{
    AdjustmentId, CustomerId, LineId, LotId, ProgramId, PurchaseId, ReservationId, StaffId, TransactionId, TransferId,
};
use crate::lang::Localized;
use crate::rule::{Occasion, RuleVersion};
use chrono::{DateTime, NaiveDate, Utc};

mod policy;
pub mod rules;
#[cfg(feature = "store")]
pub mod store;
mod typed;

pub use policy::{ByPhone, Policy};
pub use typed::{typed, written};

/// What an account holds. Pending and active belong to a customer, the others to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum AccountKind {
    /// Earned, not yet to be spent.
    Pending,
    /// To be spent.
    Active,
    /// The counterpart of what was earned.
    Issued,
    /// The same of what a partner pays for: each partner has an account of their own in a program.
    Partner,
    /// What was not spent in time.
    Expired,
    /// What paid for something.
    Spent,
    /// What staff gave or took.
    Adjustment,
    /// What is on its way from one customer to another.
    Transfer,
}

impl AccountKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Issued => "issued",
            Self::Partner => "partner",
            Self::Expired => "expired",
            Self::Spent => "spent",
            Self::Adjustment => "adjustment",
            Self::Transfer => "transfer",
        }
    }
}

/// Why points moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum TransactionKind {
    /// A purchase earned them.
    Accrual,
    /// Their waiting time is over.
    Activation,
    /// Their term is over; or, of what was sold before and came late, is not over after all.
    Expiry,
    /// What had earned them came back.
    Return,
    /// They paid for something.
    Redemption,
    /// Staff gave or took them.
    Adjustment,
    /// What they had paid for came back.
    Refund,
    /// They went to another customer, came from one, or came back on the way.
    Transfer,
    /// The receipt that had moved them counts no more.
    Void,
    /// They went along when two accounts became one, or went back when that was undone.
    Merge,
}

impl TransactionKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accrual => "accrual",
            Self::Activation => "activation",
            Self::Expiry => "expiry",
            Self::Return => "return",
            Self::Redemption => "redemption",
            Self::Adjustment => "adjustment",
            Self::Refund => "refund",
            Self::Transfer => "transfer",
            Self::Void => "void",
            Self::Merge => "merge",
        }
    }
}

/// Where a lot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum LotState {
    /// Waiting.
    Pending,
    /// To be spent.
    Active,
    /// Over.
    Expired,
}

impl LotState {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Points that expire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// How many, in hundredths.
    pub points: i64,
    /// When the first of them do.
    pub at: DateTime<Utc>,
}

/// What a customer has, in all programs together. Points are hundredths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// To be spent; below zero is a debt.
    pub active: i64,
    /// Waiting for their day.
    pub pending: i64,
    /// Of what is to be spent: promised to a till, and not to be spent elsewhere.
    pub reserved: i64,
    /// What expires on the next day on which anything does, where the shop is.
    pub next_expiry: Option<Expiry>,
    /// Each program in which the customer has an account, in the programs' own order.
    pub programs: Vec<ProgramBalance>,
}

impl Balance {
    /// What can be spent now, in all programs together.
    pub fn spendable(&self) -> i64 {
        self.programs.iter().map(ProgramBalance::spendable).sum()
    }
}

/// What a customer has in one program. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramBalance {
    /// The program.
    pub program: ProgramId,
    /// Its name.
    pub name: Localized,
    /// To be spent; below zero is a debt.
    pub active: i64,
    /// Waiting for their day.
    pub pending: i64,
    /// Of what is to be spent: promised to a till, and not to be spent elsewhere.
    pub reserved: i64,
    /// By when all of it has paid or is free again; none where nothing is reserved.
    pub reserved_until: Option<DateTime<Utc>>,
    /// What expires on the next day on which anything of it does.
    pub next_expiry: Option<Expiry>,
}

impl ProgramBalance {
    /// What can be spent now; below zero is a debt. A return takes what is reserved as well, so there may be less than that.
    pub fn spendable(&self) -> i64 {
        self.active.min((self.active - self.reserved).max(0))
    }
}

/// A line of a customer's statement of points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction; with `at` the place to read on from.
    pub id: TransactionId,
    /// When it took effect.
    pub at: DateTime<Utc>,
    /// Why.
    pub kind: TransactionKind,
    /// In which program.
    pub program: ProgramId,
    /// The program's name.
    pub name: Localized,
    /// The receipt that it comes from.
    pub purchase: Option<PurchaseId>,
    /// The number of that receipt.
    pub document: Option<String>,
    /// The shop that it is from.
    pub store: Option<Localized>,
    /// For a correction: why, in words for the customer.
    pub note: Option<String>,
    /// The change of active points.
    pub active: i64,
    /// The change of pending points.
    pub pending: i64,
    /// Active points of this program afterwards.
    pub balance: i64,
    /// Active points of all programs together afterwards.
    pub total: i64,
    /// For what was earned or given by staff: when it can be spent, and when it expires.
    pub term: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// For a transfer: who is at its other end.
    pub other: Option<OtherSide>,
    /// For a reward: what it was given for.
    pub reward: Option<Reward>,
}

/// What points were given for that no purchase of the customer's earned. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward {
    /// The occasion.
    pub occasion: Occasion,
    /// The rule that gave them, in the version that counted.
    pub by: RuleVersion,
    /// What it was called in that version.
    pub name: Localized,
    /// The version of the program whose terms they have.
    pub program_version: i64,
    /// The lot that they went into.
    pub lot: LotId,
    /// Where it stands.
    pub state: LotState,
    /// How many.
    pub points: i64,
    /// How many of them were taken back because a friend's purchase came back.
    pub taken_back: i64,
    /// The key of the partner who pays for them; none: the shop does.
    pub partner: Option<String>,
    /// When they become active.
    pub activates_at: DateTime<Utc>,
    /// When they expire.
    pub expires_at: DateTime<Utc>,
}

/// The other end of a transfer, as a line of a statement tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherSide {
    /// Their name, without the surname.
    pub name: String,
    /// The points came back to whoever had sent them.
    pub is_back: bool,
}

/// Kinds of movements, as people ask for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// They came from a purchase or a reward, or their day came.
    Earned,
    /// They paid for something.
    Spent,
    /// Their term was over.
    Expired,
    /// Everything else: returns, gifts, corrections.
    Other,
}

impl Sort {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Earned, Self::Spent, Self::Expired, Self::Other];

    /// As an address names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Earned => "earned",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::Other => "other",
        }
    }

    /// The one with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == word)
    }
}

/// Which movements to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this program.
    pub program: Option<ProgramId>,
    /// Of this kind.
    pub sort: Option<Sort>,
    /// From this day on, where the shop is.
    pub from: Option<NaiveDate>,
    /// Up to this day, it included.
    pub to: Option<NaiveDate>,
}

/// What put points where they lay when something happened to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Why.
    pub kind: TransactionKind,
    /// When.
    pub at: DateTime<Utc>,
    /// The customer's receipt that had earned them.
    pub purchase: Option<PurchaseId>,
    /// The number of that receipt.
    pub document: Option<String>,
    /// For a reward: what it was given for.
    pub reward: Option<Reward>,
    /// For a transfer: who had sent them.
    pub other: Option<OtherSide>,
}

/// Points that a movement took out of a lot, or put back. They are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The lot.
    pub lot: LotId,
    /// How many.
    pub points: i64,
    /// When they expire, or would have expired.
    pub expires_at: DateTime<Utc>,
    /// The article for whose line it was: it was paid for, or came back.
    pub article: Option<String>,
    /// What had put them there.
    pub origin: Origin,
}

/// Points that a movement brought, and that expire together. They are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub id: LotId,
    /// How many it began with.
    pub points: i64,
    /// Where it stands.
    pub state: LotState,
    /// When they become active.
    pub activates_at: DateTime<Utc>,
    /// When they expire.
    pub expires_at: DateTime<Utc>,
    /// Which articles of a receipt earned how many of them.
    pub earned: Vec<(String, Earned)>,
}

/// What is left in a lot that has not expired. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The lot.
    pub lot: LotId,
    /// Its program.
    pub program: ProgramId,
    /// What that is called today.
    pub name: Localized,
    /// How many.
    pub points: i64,
    /// Whether they can be spent yet.
    pub state: LotState,
    /// When they become active, or did.
    pub activates_at: DateTime<Utc>,
    /// When they expire.
    pub expires_at: DateTime<Utc>,
    /// What had put them there.
    pub origin: Origin,
}

/// A receipt that brought fewer points than the shares of the customer's programs, or none. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The receipt.
    pub purchase: PurchaseId,
    /// When something was bought.
    pub at: DateTime<Utc>,
    /// Its number.
    pub document: String,
    /// The shop that it is from.
    pub store: Option<Localized>,
    /// What it brought.
    pub earned: i64,
    /// What the programs that the customer was in then share; nothing where they were in none.
    pub share: i64,
}

/// By which of their days points that are left are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// When they expire: all of them.
    Expiry,
    /// When they become active: those that wait.
    Activation,
}

impl By {
    /// That day's moment.
    pub fn at(self, lot: &Remaining) -> DateTime<Utc> {
        match self {
            Self::Expiry => lot.expires_at,
            Self::Activation => lot.activates_at,
        }
    }
}

/// What a movement did to which points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// What it brought; of an activation what became active.
    pub lots: Vec<Lot>,
    /// What it took, lot by lot. Of a movement that brings points: what of them paid a debt at once.
    pub taken: Vec<Share>,
    /// What went back to where it had been taken from.
    pub given_back: Vec<Share>,
}

impl Explained {
    /// How many points of a movement stand in no lot: they made a debt.
    pub fn debt(&self, entry: &Entry) -> i64 {
        match entry.is_gain() {
            true => 0,
            false => -entry.points() - self.taken.iter().map(|share| share.points).sum::<i64>(),
        }
    }

    /// How many points of a movement paid a debt.
    pub fn paid_debt(&self, entry: &Entry) -> i64 {
        match entry.is_gain() {
            true => self.taken.iter().map(|share| share.points).sum(),
            false => 0,
        }
    }
}

/// What moved a customer's points in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Each program in which there is or was anything.
    pub programs: Vec<Ends>,
    /// The movements, the first first.
    pub entries: Vec<Entry>,
    /// There are more in the period: these are the last of them.
    pub is_cut: bool,
}

/// Active points of a program at both ends of a period, in hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The program.
    pub program: ProgramId,
    /// What it is called today.
    pub name: Localized,
    /// Before the first movement.
    pub before: i64,
    /// After the last one.
    pub after: i64,
}

impl Entry {
    /// It brought points, or let some become active.
    pub fn is_gain(&self) -> bool {
        self.points() > 0
    }

    /// The number to show: what became active for an activation, else the change of both together.
    pub fn points(&self) -> i64 {
        match self.kind {
            TransactionKind::Activation => self.active,
            _ => self.active + self.pending,
        }
    }
}

/// A place in a list that is sorted by time, the newest first: the last row that was shown.
pub type Before = (DateTime<Utc>, uuid::Uuid);

/// What one line of a receipt earned in one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// The line.
    pub line: LineId,
    /// The program.
    pub program: ProgramId,
    /// The version of the program that counted.
    pub version: i64,
    /// The program's name.
    pub name: Localized,
    /// The share of the price, in hundredths of a percent.
    pub share: i64,
    /// The lot that they went into.
    pub lot: LotId,
    /// Where it stands.
    pub state: LotState,
    /// How many, in hundredths.
    pub points: i64,
    /// How many of them a return took back.
    pub taken_back: i64,
    /// When they become active.
    pub activates_at: DateTime<Utc>,
    /// When they expire.
    pub expires_at: DateTime<Utc>,
    /// Who gave how many of them; together they are the points.
    pub parts: Vec<Part>,
}

/// Who gave something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program's own share, in this version.
    Program(i64),
    /// A rule.
    Rule(RuleVersion),
}

/// A part of what a line was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who gave it.
    pub by: Source,
    /// What that was called in the version that counted.
    pub name: Localized,
    /// How much, in hundredths of a point or minor units.
    pub amount: i64,
    /// Of points: the key of the partner who pays for them; none: the shop does.
    pub partner: Option<String>,
}

/// What the daily work did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lots that became active.
    pub activated: u64,
    /// Lots that expired, or of which all that was not promised to a till did.
    pub expired: u64,
    /// Reservations that nobody captured in time.
    pub lapsed: u64,
    /// Transfers that arrived.
    pub transferred: u64,
}

/// What became of points that a till was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum ReservationState {
    /// They wait for the till.
    Held,
    /// The till took them, or a part.
    Captured,
    /// The till did not want them.
    Cancelled,
    /// Nobody asked for them in time.
    Expired,
}

/// What a till wants to be promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Who asks: keys of one source are its own.
    pub source: String,
    /// The caller's own key: the same wish under it is the same reservation.
    pub key: String,
    /// Of which program.
    pub program: ProgramId,
    /// How many, in hundredths; the customer's choice.
    pub points: i64,
}

/// Points that a till was promised. They are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// Of which program.
    pub program_id: ProgramId,
    /// Whose.
    pub customer_id: CustomerId,
    /// How many.
    pub points: i64,
    /// What became of it.
    pub state: ReservationState,
    /// How many of them paid for something.
    pub captured: i64,
    /// For what.
    pub purchase_id: Option<PurchaseId>,
    /// The redemption.
    pub transaction_id: Option<TransactionId>,
    /// From when on it holds.
    pub created_at: DateTime<Utc>,
    /// From when on it is worth nothing.
    pub expires_at: DateTime<Utc>,
}

/// What points of one program paid for a line of a receipt. They are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Paid {
    /// The line.
    pub line: LineId,
    /// The program.
    pub program: ProgramId,
    /// What it is called today.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// How many.
    pub points: i64,
    /// How many of them went back because something of the line did.
    pub given_back: i64,
}

/// Which points paid for a receipt: of one lot, in hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Drawn {
    /// The program.
    pub program: ProgramId,
    /// How many.
    pub points: i64,
    /// Until when they could be spent.
    pub expires_at: DateTime<Utc>,
    /// The customer's receipt that had earned them; none for gifts, rewards and corrections.
    pub purchase: Option<PurchaseId>,
    /// The number of that receipt.
    pub document: Option<String>,
}

/// What became of points on their way from one customer to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum TransferState {
    /// On their way: the sender has them no more, and may still call them back.
    Pending,
    /// Arrived.
    Completed,
    /// The sender called them back.
    Cancelled,
    /// Staff brought them back.
    Reversed,
}

/// Whom points are to go to, as the sender knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// By the number of a card.
    Card(String),
    /// By a phone in E.164.
    Phone(String),
}

impl Receiver {
    /// A card or a phone as it was typed or scanned; none for what is neither.
    #[cfg(feature = "store")]
    pub fn parse(raw: &str, country: &str) -> Option<Self> {
        if let Some(card) = crate::card::number(raw) {
            return Some(Self::Card(card));
        }
        let phone = crate::contact::Phone::parse(raw, country).ok()?;
        Some(Self::Phone(phone.as_str().to_owned()))
    }
}

/// What a customer wants to give to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// To whom.
    pub to: Receiver,
    /// Of which program.
    pub program: ProgramId,
    /// How many, in hundredths.
    pub points: i64,
}

/// A transfer, as one of its sides sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Of which program.
    pub program_id: ProgramId,
    /// Whoever asks sent it.
    pub is_sent: bool,
    /// The name of the other side, without the surname.
    pub name: String,
    /// How many, in hundredths.
    pub points: i64,
    /// What became of it.
    pub state: TransferState,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// When it arrives or arrived; until then the sender may call it back.
    pub completes_at: DateTime<Utc>,
    /// When it was called or brought back.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How many points a customer may give away, and from when on. Points are hundredths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Within a day of the shop.
    pub per_day: i64,
    /// Within a month of the shop.
    pub per_month: i64,
    /// How many of a day's are left.
    pub left_today: i64,
    /// How many of a month's are left.
    pub left_this_month: i64,
    /// From when on they may give points, where that is yet to come.
    pub from: Option<DateTime<Utc>>,
}

impl Allowance {
    /// How many may be given now, as far as the limits go.
    pub fn left(&self) -> i64 {
        self.left_today.min(self.left_this_month)
    }
}

/// What a transfer would do, for the question that comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// How the receiver's name begins and ends, of whoever gave their card out: numbers of cards can be guessed. By a phone
    /// nobody is told who has it, or whether anybody does.
    pub name: Option<String>,
    /// When the points would arrive; until then they can be called back.
    pub arrives_at: DateTime<Utc>,
}

/// What became of a correction by staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum AdjustmentState {
    /// It waits for somebody else's consent.
    Awaiting,
    /// It is in the books.
    Booked,
    /// Somebody else did not consent.
    Refused,
}

/// A correction that staff asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdjustment {
    /// Of which program.
    pub program: ProgramId,
    /// How many, in hundredths; below zero to take them.
    pub points: i64,
    /// Why, in words for colleagues.
    pub reason: String,
    /// Why, in words for the customer.
    pub note: String,
    /// The number of the customer's request that it is for, if it is for one.
    pub request: Option<i64>,
}

/// How many points a member of staff may give or take without somebody else's consent. Points are hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjustmentAllowance {
    /// At once.
    pub at_once: i64,
    /// How many of a day of the shop are left.
    pub left_today: i64,
    /// How many of a month are left.
    pub left_this_month: i64,
}

impl AdjustmentAllowance {
    /// How many may be given or taken now.
    pub fn now(&self) -> i64 {
        self.at_once.min(self.left_today).min(self.left_this_month)
    }
}

/// A correction by staff.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Adjustment {
    /// Its id.
    pub id: AdjustmentId,
    /// Of which program.
    pub program_id: ProgramId,
    /// Whose points.
    pub customer_id: CustomerId,
    /// How many, in hundredths; below zero to take them.
    pub points: i64,
    /// Why, in words for colleagues.
    pub reason: String,
    /// Why, in words for the customer.
    pub note: String,
    /// What became of it.
    pub state: AdjustmentState,
    /// Who asked.
    pub asked_by: StaffId,
    /// Who consented or refused; nobody where the cap of whoever asked was enough.
    pub decided_by: Option<StaffId>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The number of the request that it is for.
    pub request: Option<i64>,
}

/// A correction that waits for somebody else's consent, in words for whoever decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Waiting {
    /// The correction.
    #[cfg_attr(feature = "store", sqlx(flatten))]
    pub adjustment: Adjustment,
    /// The customer's name.
    pub name: String,
    /// The customer's surname.
    pub surname: String,
    /// The name of the program.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub program: Localized,
    /// The name of whoever asked.
    pub colleague: String,
}

/// The longest reason that staff may write, in characters.
pub const REASON_MAX: usize = 300;

/// A place where the books do not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {id} should have {expected} and has {found}")]
pub struct Difference {
    /// What was compared.
    pub what: &'static str,
    /// Of which record.
    pub id: uuid::Uuid,
    /// What the postings or allocations say.
    pub expected: i64,
    /// What is kept.
    pub found: i64,
}
