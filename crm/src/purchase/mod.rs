//! Purchases: receipts with their lines. Money is in minor units of the shop's currency.
//!
//! A receipt is known by its source and its document number in it, a line by its place in the receipt. A return is a
//! receipt of its own; each of its lines may name the line that it brings back.

use crate::id::{ArticleId, CategoryId, LineId, PurchaseId, StoreId};
use crate::lang::Localized;
use crate::points::{Before, Drawn, Earned, Paid, Part};
use crate::rule::{Channel, Payment};
use chrono::{DateTime, NaiveDate, Utc};

#[cfg(feature = "store")]
pub mod amend;
#[cfg(feature = "store")]
pub mod claim;
pub mod code;
#[cfg(feature = "store")]
pub mod correct;
#[cfg(feature = "store")]
pub mod import;
#[cfg(feature = "store")]
mod photo;
#[cfg(feature = "store")]
pub mod purpose;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "store")]
pub mod void;

/// What a receipt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Kind {
    /// Something was bought.
    Sale,
    /// Something was brought back.
    Return,
}

impl Kind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Return => "return",
        }
    }
}

/// The largest amount of one line, in minor units: sums of a billion such lines still fit.
pub const AMOUNT_MAX: i64 = 1_000_000_000;

/// What a line costs: quantity × price − discount; none beyond [`AMOUNT_MAX`].
pub fn amount(quantity: i64, price: i64, discount: i64) -> Option<i64> {
    let amount = quantity.checked_mul(price)?.checked_sub(discount)?;
    // The smallest number of all has no absolute value.
    let fits = |number: i64| (-AMOUNT_MAX..=AMOUNT_MAX).contains(&number);
    (fits(amount) && fits(quantity) && price <= AMOUNT_MAX).then_some(amount)
}

/// Which line a line of negative quantity brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Original {
    /// None: it stands alone.
    None,
    /// The latest earlier one of the same customer, article and price of which enough did not come back yet.
    Latest,
    /// One of the same article and price in the receipt of this number.
    Document(String),
    /// This very line. A receipt that is not there yet is waited for; more than was bought is refused.
    Line {
        /// The number of its receipt, of the same source.
        document: String,
        /// Its place there.
        ordinal: i64,
    },
}

/// A line to book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// Its place in the receipt, from 1.
    pub ordinal: i64,
    /// What was bought.
    pub article: ArticleId,
    /// How many; negative when they came back.
    pub quantity: i64,
    /// The price of one.
    pub price: i64,
    /// Off the whole line; negative when it came back.
    pub discount: i64,
    /// Of the discount: what rules took off, as a quote told. No rule is held to have given more than that.
    pub rule_discount: i64,
    /// Which line it brings back.
    pub original: Original,
}

/// How something was bought, as far as a till or a file told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// In which way; none: nobody told.
    pub channel: Option<Channel>,
    /// How it was paid, perhaps in parts: each way once. Points are none of them. Empty: nobody told.
    pub payments: Vec<Payment>,
}

impl Way {
    /// From what was told, in whatever order and however often.
    pub fn new(channel: Option<Channel>, told: &[Payment]) -> Self {
        let payments = Payment::ALL.into_iter().filter(|way| told.contains(way)).collect();
        Self { channel, payments }
    }

    /// As it is stored: the ways to pay as words parted by spaces.
    pub fn payment_words(&self) -> String {
        let words: Vec<_> = self.payments.iter().map(|way| way.as_str()).collect();
        words.join(" ")
    }

    /// From what is stored. What another release may have written and this one does not know is left out.
    pub fn from_words(channel: Option<&str>, payments: &str) -> Self {
        let told: Vec<_> = payments.split_whitespace().filter_map(Payment::from_word).collect();
        Self::new(channel.and_then(Channel::from_word), &told)
    }
}

/// A receipt to book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPurchase {
    /// Where it comes from.
    pub source: String,
    /// Its number there.
    pub document: String,
    /// What it is.
    pub kind: Kind,
    /// Whose it is, if anybody's.
    pub customer: Option<crate::id::CustomerId>,
    /// Where.
    pub store: Option<StoreId>,
    /// When.
    pub at: DateTime<Utc>,
    /// How it was bought. A receipt that is there already keeps what was told first.
    pub way: Way,
    /// What points pay of it, in hundredths, by whoever captures them in the same transaction: that earns nothing.
    pub points_used: i64,
    /// The codes of the coupons that were sent with it. Those that are good and that a rule asked for which gave something are
    /// used by it.
    pub coupons: Vec<String>,
    /// Its lines.
    pub lines: Vec<NewLine>,
}

/// What became of a line to book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutcome {
    /// It was booked; the line that it brings back.
    Taken(Option<LineId>),
    /// It is there already; the line that it brings back.
    Known(Option<LineId>),
    /// It was booked, and the receipt that it names is not there yet.
    Waiting,
    /// In its place stands another line.
    Conflict,
}

/// What became of a receipt to book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The receipt, new or known.
    pub id: PurchaseId,
    /// True when it was not there before.
    pub new: bool,
    /// Each of its lines, in the order given.
    pub lines: Vec<LineOutcome>,
}

/// A shop, as a receipt names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreName {
    /// The shop.
    pub id: StoreId,
    /// Its name.
    pub name: Localized,
    /// Its town.
    pub town: Localized,
    /// The time zone by which its clock goes; none: the shop's own.
    pub time_zone: Option<String>,
}

/// A receipt in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Its id.
    pub id: PurchaseId,
    /// Where it was booked from.
    pub source: String,
    /// Its number.
    pub document: String,
    /// What it is.
    pub kind: Kind,
    /// Where, if known.
    pub store: Option<StoreName>,
    /// When.
    pub at: DateTime<Utc>,
    /// How many lines it has.
    pub lines: i64,
    /// What was paid; negative for a return.
    pub total: i64,
    /// The points it earned, in hundredths, less what returns took back.
    pub points: i64,
    /// True when something of it came back.
    pub returned: bool,
    /// When it was voided: from then on it counts no more.
    pub voided_at: Option<DateTime<Utc>>,
}

/// Which receipts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words of which each stands in an article's name or code, or each in its category's name, in any order and with any
    /// ending; or a part of the receipt's number.
    pub text: Option<String>,
    /// With something of this category, or of one within it.
    pub category: Option<CategoryId>,
    /// In this shop.
    pub store: Option<StoreId>,
    /// From this day on, where the shop is.
    pub from: Option<NaiveDate>,
    /// Up to this day, it included.
    pub to: Option<NaiveDate>,
    /// Of at least this sum, paid or given back.
    pub least: Option<i64>,
    /// Of at most this sum.
    pub most: Option<i64>,
}

/// The receipts of a month, where the shop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its first day.
    pub first: NaiveDate,
    /// How many receipts.
    pub receipts: i64,
    /// What was paid less what was given back.
    pub total: i64,
}

/// What a customer spent on a category, and on those within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Its name. None: articles that have no category.
    pub name: Option<Localized>,
    /// What was paid less what was given back.
    pub sum: i64,
    /// The same month by month, as [`Spending::months`] has them.
    pub by_month: Vec<i64>,
}

/// Where a customer's money went in some time, and what of it they saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// The first day of each month, this one last.
    pub months: Vec<NaiveDate>,
    /// What was spent by category, the most first.
    pub categories: Vec<Spent>,
    /// What was taken off prices.
    pub discounts: i64,
    /// The points that paid, in hundredths, less those that came back: each point pays for one unit of the currency.
    pub points: i64,
}

/// An article that a customer buys again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Often {
    /// The article.
    pub article: ArticleId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// On how many receipts it is and did not come back as a whole.
    pub times: i64,
    /// The price of one the last time.
    pub price: i64,
    /// When that was.
    pub at: DateTime<Utc>,
    /// Where, if known.
    pub store: Option<StoreName>,
    /// The receipt of it.
    pub purchase: PurchaseId,
}

/// A page of receipts, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Each month of which there are receipts here, with the totals of the whole month under the same filter.
    pub months: Vec<(Month, Vec<Purchase>)>,
    /// Where the next page begins, if there is one.
    pub next: Option<Before>,
}

/// Receipts with what is on them, the first first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Each with its lines in their order.
    pub receipts: Vec<(Purchase, Vec<Bought>)>,
    /// There are earlier ones, which are left out.
    pub is_cut: bool,
}

/// A line of a receipt, as a statement tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Bought {
    /// The receipt.
    pub purchase_id: PurchaseId,
    /// The article's code.
    pub code: String,
    /// The article's name.
    pub name: String,
    /// How many; negative on a return.
    pub quantity: i64,
    /// The price of one.
    pub price: i64,
    /// Off the whole line.
    pub discount: i64,
    /// What was paid.
    pub amount: i64,
}

/// Another receipt that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The receipt.
    pub purchase: PurchaseId,
    /// Its number.
    pub document: String,
    /// When.
    pub at: DateTime<Utc>,
    /// How many came back, above zero.
    pub quantity: i64,
    /// It is the same customer's: whoever holds a receipt may bring back what is on it.
    pub own: bool,
}

/// A line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: LineId,
    /// Its place in the receipt, from 1.
    pub ordinal: i64,
    /// The article's code.
    pub code: String,
    /// The article's name.
    pub name: String,
    /// How many; negative on a return.
    pub quantity: i64,
    /// The price of one.
    pub price: i64,
    /// Off the whole line.
    pub discount: i64,
    /// What was paid.
    pub amount: i64,
    /// How many of them came back.
    pub returned: i64,
    /// What it earned, program by program.
    pub earned: Vec<Earned>,
    /// What points paid of it, program by program.
    pub paid: Vec<Paid>,
    /// What rules took off it, in minor units.
    pub discounts: Vec<Part>,
    /// The returns that brought some of it back, the first first.
    pub returns: Vec<Reference>,
    /// The sale that this line brings back.
    pub original: Option<Reference>,
}

/// A receipt with everything on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its head.
    pub head: Purchase,
    /// How it was bought and paid, as far as the till told.
    pub way: Way,
    /// What it was for, by the code of the purpose; none: nobody told.
    pub purpose: Option<String>,
    /// Its lines in their order.
    pub lines: Vec<Line>,
    /// The points, in hundredths, that it took back as a return, program by program.
    pub took_back: Vec<(Localized, i64)>,
    /// The points that paid for it.
    pub drawn: Vec<Drawn>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_bounds_on_both_sides() {
        assert_eq!(amount(2, 100, 50), Some(150));
        assert_eq!(amount(-2, 100, 0), Some(-200));
        for (quantity, price, discount) in [
            (1, AMOUNT_MAX + 1, 0),
            (AMOUNT_MAX + 1, 1, 0),
            (1, 0, i64::MAX),
            (1, i64::MIN, 0),
            (i64::MIN, 1, 0),
            (i64::MIN, -1, 0),
        ] {
            assert_eq!(
                amount(quantity, price, discount),
                None,
                "{quantity} × {price} − {discount}"
            );
        }
    }

    #[test]
    fn ways_are_kept_as_words() {
        let way = Way::new(
            Some(Channel::SelfService),
            &[Payment::Certificate, Payment::Cash, Payment::Cash],
        );
        assert_eq!(way.payment_words(), "cash certificate");
        assert_eq!(Way::from_words(Some("self_service"), "cash certificate"), way);
        assert_eq!(
            Way::from_words(Some("pigeon"), "barter cash"),
            Way::new(None, &[Payment::Cash])
        );
        assert_eq!(Way::from_words(None, ""), Way::default());
        for payment in Payment::ALL {
            assert_eq!(Payment::from_word(payment.as_str()), Some(payment));
            let json = serde_json::to_value(payment).expect("JSON");
            assert_eq!(json, payment.as_str(), "rules and receipts say the same");
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::from_word(channel.as_str()), Some(channel));
            let json = serde_json::to_value(channel).expect("JSON");
            assert_eq!(json, channel.as_str(), "rules and receipts say the same");
        }
    }
}
