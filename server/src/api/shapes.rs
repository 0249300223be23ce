//! What goes over the wire. Money is in minor units of the shop's currency, points are hundredths (1250 is shown as 12.50),
//! times are RFC 3339. A field that is not known is refused, so that a misspelt one is not lost.

use chrono::{DateTime, NaiveDate, Utc};
use crm::coupon::{self, Refusal};
use crm::id::{CustomerId, ReservationId};
use crm::lang::{Lang, Localized};
use crm::points::{self, ReservationState};
use crm::purchase::{Kind, Way};
use crm::quote;
use crm::rule::{Channel, Payment, Place, RuleVersion};
use crm::stores::NewStore;
use crm::till::counter::Present;
use crm::till::{catalogue, receipt};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};
use uuid::Uuid;

use super::problem::Details;

/// A text in the languages of the shop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// In Russian.
    pub ru: String,
    /// In English.
    pub en: String,
}

impl From<Localized> for Text {
    fn from(text: Localized) -> Self {
        Self {
            ru: text.ru,
            en: text.en,
        }
    }
}

impl From<Text> for Localized {
    fn from(text: Text) -> Self {
        Self {
            ru: text.ru,
            en: text.en,
        }
    }
}

/// One of the ways to buy, or null.
fn channel() -> Object {
    let words = Channel::ALL.map(Channel::as_str).map(Some).into_iter().chain([None]);
    ObjectBuilder::new()
        .description(Some("In which way it is bought, as rules name it; null: nobody told"))
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(words))
        .examples(["till"])
        .build()
}

/// Some of the ways to pay.
fn payments() -> Array {
    let words = Payment::ALL.map(Payment::as_str);
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .build();
    ArrayBuilder::new()
        .description(Some(
            "How it is paid: one way or several, without the points; empty: nobody told",
        ))
        .items(word)
        .build()
}

/// What a customer shows or tells.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Identify {
    /// The number of the card, as typed or scanned (EAN-13), or the code that a phone shows of it, as scanned: the number and
    /// eight digits more.
    Card(String),
    /// The phone, as told; only where the shop needs no code.
    Phone(String),
    /// The code that went to the phone.
    Confirmation(Told),
}

/// The code that went to a phone, as the customer tells it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What asking for the code answered.
    pub confirmation: String,
    /// The code.
    #[schema(example = "123456")]
    pub code: String,
}

/// Whose phone is to be confirmed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The phone, as told.
    #[schema(example = "+7 900 000-00-45")]
    pub phone: String,
}

/// A code is on its way to the phone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Asked {
    /// What belongs to the code, for `POST /customers/identify`.
    pub confirmation: String,
    /// Until when the code is good.
    pub expires_at: DateTime<Utc>,
}

/// Somebody who joins at the counter.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Their phone, as told.
    #[schema(example = "+7 900 000-00-45")]
    pub phone: String,
    /// The number of the blank card that they were handed.
    #[serde(default)]
    pub card: Option<String>,
    /// The language that they speak, `ru` or `en`; the shop's own by default.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ru")]
    pub language: Option<Lang>,
    /// When they joined, by the till's clock: for a till that was cut off. What they bought from then on counts. Now by
    /// default; at most a day ahead, which is taken as now, and as old as a receipt may be that is claimed
    /// (`points.claim_days`).
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
}

/// What a customer has in a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Balance {
    /// The program's name.
    pub name: Text,
    /// To be spent, less what tills were promised. Below zero is a debt.
    pub available: i64,
    /// Promised to tills.
    pub reserved: i64,
    /// Earned, not yet to be spent.
    pub pending: i64,
    /// How many expire next.
    pub expiring: i64,
    /// When they do.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Who stands at the counter.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Customer {
    /// What later requests name them by.
    pub customer: Uuid,
    /// The name to greet by; empty as long as the registration is not completed.
    pub name: String,
    /// The number of the newest card that tills take.
    pub card: Option<String>,
    /// What they have, program by program.
    pub balances: Vec<Balance>,
}

impl From<Present> for Customer {
    fn from(present: Present) -> Self {
        Self {
            customer: present.subject.id().0,
            name: present.name,
            card: present.card,
            balances: present.balance.programs.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<points::ProgramBalance> for Balance {
    fn from(program: points::ProgramBalance) -> Self {
        Self {
            name: program.name.into(),
            available: program.active - program.reserved,
            reserved: program.reserved,
            pending: program.pending,
            expiring: program.next_expiry.map_or(0, |next| next.points),
            expires_at: program.next_expiry.map(|next| next.at),
        }
    }
}

/// A line of a basket or a sale.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The article's code.
    pub article: String,
    /// Its name; kept where none is known yet.
    #[serde(default)]
    pub name: Option<String>,
    /// How many.
    #[schema(minimum = 1)]
    pub quantity: i64,
    /// The price of one.
    #[schema(minimum = 0)]
    pub price: i64,
    /// Off the whole line.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub discount: i64,
    /// Of the discount: what rules took off, as the quote told for this line.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub rule_discount: i64,
}

/// The line that something came from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// The number of its receipt.
    pub document: String,
    /// Its place there, from 1.
    #[schema(minimum = 1)]
    pub line: i64,
}

/// A line of a return.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLine {
    /// The article's code.
    pub article: String,
    /// How many come back.
    #[schema(minimum = 1)]
    pub quantity: i64,
    /// The price of one, as it was sold.
    #[schema(minimum = 0)]
    pub price: i64,
    /// Of the discount of the line: what belonged to what comes back.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub discount: i64,
    /// What it was bought with. The receipt may still be on its way.
    pub original: Original,
}

/// A basket.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuote {
    /// Who buys.
    #[serde(default)]
    pub customer: Option<Uuid>,
    /// Who buys, by the number of the card.
    #[serde(default)]
    pub card: Option<String>,
    /// The program whose points may pay, by its code; by default the first that everybody is a member of.
    #[serde(default)]
    pub program: Option<String>,
    /// The code of the shop; by default where the till stands.
    #[serde(default)]
    pub store: Option<String>,
    /// In which way it is bought, as rules name it.
    #[serde(default)]
    #[schema(schema_with = channel)]
    pub channel: Option<Channel>,
    /// How it is paid, where that is known yet: one way or several, without the points.
    #[serde(default)]
    #[schema(schema_with = payments)]
    pub payments: Vec<Payment>,
    /// The coupons that are presented, by their codes as typed or scanned: at most 20.
    #[serde(default)]
    pub coupons: Vec<String>,
    /// What is bought. What of the discounts rules took off does not count: they are asked anew.
    pub lines: Vec<Line>,
}

/// Points of a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Points {
    /// The program's code.
    pub program: String,
    /// Its name.
    pub name: Text,
    /// How many.
    pub points: i64,
}

impl From<receipt::Points> for Points {
    fn from(points: receipt::Points) -> Self {
        Self {
            program: points.program,
            name: points.name.into(),
            points: points.points,
        }
    }
}

/// How many points may pay.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Payable {
    /// The program's code.
    pub program: String,
    /// How many the customer could spend in all.
    pub available: i64,
    /// The most that may pay here: the customer chooses from 0 up to it.
    pub most: i64,
    /// The least, if any.
    pub least: i64,
    /// In steps of so many.
    pub step: i64,
    /// Until when none may pay, because the customer's main phone number changes or just has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_until: Option<DateTime<Utc>>,
}

/// What a basket is worth.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quote {
    /// What it costs, less what rules take off.
    pub total: i64,
    /// What rules take off.
    pub discount: i64,
    /// Each line, in the order of the basket.
    pub lines: Vec<QuotedLine>,
    /// What it would earn now.
    pub earns: Vec<Points>,
    /// How many points may pay for it; none where nobody is known who buys.
    pub payable: Option<Payable>,
    /// What became of each rule, in the order in which they were asked.
    pub rules: Vec<QuotedRule>,
    /// What to say.
    pub messages: Vec<Message>,
    /// What to hand over.
    pub gifts: Vec<Gift>,
    /// Coupons for the next time, by their series: they are issued when the receipt is booked.
    pub coupons: Vec<String>,
    /// The coupons that were sent, and what would become of each, in their order.
    pub presented: Vec<Presented>,
}

/// Why a coupon does nothing, or null.
fn refusal() -> Object {
    let words = Refusal::ALL.map(Refusal::as_str).map(Some).into_iter().chain([None]);
    ObjectBuilder::new()
        .description(Some(
            "Why it does nothing; null where it is taken. `not_applied`: it is good, and no rule that asks for it gives \
             anything, so it is not used",
        ))
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(words))
        .examples(["expired"])
        .build()
}

/// A coupon that was presented.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Presented {
    /// Its code, as it was sent.
    pub coupon: String,
    /// The code of its series; null where no coupon has this code.
    pub series: Option<String>,
    /// What it is for.
    pub name: Option<Text>,
    /// Whether it does something: a rule that asks for it gives something. A receipt uses it then.
    pub taken: bool,
    /// Why it does nothing.
    #[schema(schema_with = refusal)]
    pub reason: Option<&'static str>,
}

impl From<coupon::Presented> for Presented {
    fn from(presented: coupon::Presented) -> Self {
        let (series, name) = presented.series.unzip();
        Self {
            coupon: presented.coupon,
            series,
            name: name.map(Into::into),
            taken: presented.refusal.is_none(),
            reason: presented.refusal.map(Refusal::as_str),
        }
    }
}

/// A coupon that was issued.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Coupon {
    /// Its code, to be printed as text and as Code 128.
    #[schema(example = "7KQ2MXA4RM")]
    pub coupon: String,
    /// The code of its series.
    pub series: String,
    /// What it is for.
    pub name: Text,
    /// The first moment at which it is good no more.
    pub expires_at: DateTime<Utc>,
}

impl From<coupon::Coupon> for Coupon {
    fn from(coupon: coupon::Coupon) -> Self {
        Self {
            coupon: coupon.code,
            series: coupon.series,
            name: coupon.name.into(),
            expires_at: coupon.expires_at,
        }
    }
}

/// What a line of a basket is worth.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuotedLine {
    /// What rules take off, beside the till's own discount. A till that takes it off adds it to the line's `discount` and
    /// names it as its `rule_discount`.
    pub discount: i64,
    /// What it costs then.
    pub total: i64,
    /// The points that it would earn, in all programs together.
    pub points: i64,
    /// Which rules take off how much.
    pub discounts: Vec<LineDiscount>,
}

/// What a rule takes off a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineDiscount {
    /// The rule.
    pub rule: Uuid,
    /// How much.
    pub discount: i64,
}

/// What became of a rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuotedRule {
    /// Which.
    pub rule: Uuid,
    /// In which version.
    pub version: i64,
    /// What it is called.
    pub name: Text,
    /// Whether it applies.
    pub applies: bool,
    /// What it takes off.
    pub discount: i64,
    /// The points that it gives.
    pub points: i64,
    /// The first reason why it does not apply, for whoever stands at the counter.
    pub reason: Option<Text>,
    /// The condition that does not hold, by its JSON pointer in the rule.
    pub condition: Option<String>,
}

/// Something to say.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Message {
    /// Where: `receipt`, `cashier` or `kiosk`.
    pub to: &'static str,
    /// What.
    pub text: Text,
}

/// Something to hand over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gift {
    /// The article's code.
    pub article: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: i64,
}

impl From<quote::Quote> for Quote {
    fn from(quote: quote::Quote) -> Self {
        Self {
            total: quote.total,
            discount: quote.discount,
            lines: quote.lines.into_iter().map(Into::into).collect(),
            earns: quote.earns.into_iter().map(Into::into).collect(),
            payable: quote.payable.map(|payable| Payable {
                program: payable.program,
                available: payable.available,
                most: payable.most,
                least: payable.least,
                step: payable.step,
                frozen_until: payable.frozen_until,
            }),
            rules: quote.rules.into_iter().map(Into::into).collect(),
            messages: quote
                .messages
                .into_iter()
                .filter_map(|(to, text)| {
                    let to = match to {
                        Place::Receipt => "receipt",
                        Place::Cashier => "cashier",
                        Place::Kiosk => "kiosk",
                        // That is no till's to say.
                        Place::Customer => return None,
                    };
                    Some(Message { to, text: text.into() })
                })
                .collect(),
            gifts: quote
                .gifts
                .into_iter()
                .map(|(article, name, quantity)| Gift {
                    article,
                    name,
                    quantity,
                })
                .collect(),
            coupons: quote.coupons,
            presented: quote.presented.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<quote::QuotedLine> for QuotedLine {
    fn from(line: quote::QuotedLine) -> Self {
        let discount = |(by, discount): (RuleVersion, i64)| LineDiscount {
            rule: by.id.0,
            discount,
        };
        Self {
            discount: line.discount,
            total: line.total,
            points: line.points,
            discounts: line.discounts.into_iter().map(discount).collect(),
        }
    }
}

impl From<quote::QuotedRule> for QuotedRule {
    fn from(rule: quote::QuotedRule) -> Self {
        let (reason, condition) = rule.reason.map(|reason| (reason.words, reason.pointer)).unzip();
        Self {
            rule: rule.by.id.0,
            version: rule.by.version,
            name: rule.name.into(),
            applies: reason.is_none(),
            discount: rule.discount,
            points: rule.points,
            reason: reason.map(Into::into),
            condition: condition.flatten(),
        }
    }
}

/// Points to be promised.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// Whose.
    pub customer: Uuid,
    /// Of which program, by its code; by default of the first that everybody is a member of.
    #[serde(default)]
    pub program: Option<String>,
    /// How many; the customer's choice.
    #[schema(minimum = 1)]
    pub points: i64,
}

/// Points that were promised.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reservation {
    /// Its id.
    pub reservation: Uuid,
    /// Whose they are.
    pub customer: Uuid,
    /// How many.
    pub points: i64,
    /// What became of it: `held`, `captured`, `cancelled` or `expired`.
    pub state: &'static str,
    /// How many paid for something.
    pub captured: i64,
    /// From when on it is worth nothing.
    pub expires_at: DateTime<Utc>,
}

impl From<points::Reservation> for Reservation {
    fn from(held: points::Reservation) -> Self {
        Self {
            reservation: held.id.0,
            customer: held.customer_id.0,
            points: held.points,
            state: match held.state {
                ReservationState::Held => "held",
                ReservationState::Captured => "captured",
                ReservationState::Cancelled => "cancelled",
                ReservationState::Expired => "expired",
            },
            captured: held.captured,
            expires_at: held.expires_at,
        }
    }
}

/// How many of the reserved points are taken.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// How many; the rest can be spent elsewhere again.
    #[schema(minimum = 1)]
    pub points: i64,
}

/// Nothing but the request itself.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// What of reserved points pays for a receipt.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// The reservation.
    pub reservation: Uuid,
    /// How many of its points; the rest can be spent elsewhere again.
    #[schema(minimum = 1)]
    pub points: i64,
}

/// A sale.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPurchase {
    /// The number of the receipt, unique within the source of the till.
    pub document: String,
    /// When it was sold, by the till's clock.
    pub at: DateTime<Utc>,
    /// The code of the shop; by default where the till stands.
    #[serde(default)]
    pub store: Option<String>,
    /// Who bought.
    #[serde(default)]
    pub customer: Option<Uuid>,
    /// Who bought, by the number of the card: for a till that was cut off.
    #[serde(default)]
    pub card: Option<String>,
    /// What was bought.
    pub lines: Vec<Line>,
    /// In which way it was bought, as rules name it.
    #[serde(default)]
    #[schema(schema_with = channel)]
    pub channel: Option<Channel>,
    /// How it was paid: one way or several, without the points.
    #[serde(default)]
    #[schema(schema_with = payments)]
    pub payments: Vec<Payment>,
    /// What points pay of it: that earns nothing.
    #[serde(default)]
    pub redeem: Option<Redeem>,
    /// The coupons that were presented, by their codes as typed or scanned: at most 20.
    #[serde(default)]
    pub coupons: Vec<String>,
    /// What its QR says (of a fiscal receipt of Russia `t=…&s=…&fn=…&i=…&fp=…&n=…`), or another code of 8 to 40 letters and
    /// digits. Without one, and without a customer, it is given one.
    #[serde(default)]
    pub code: Option<String>,
}

/// A return.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReturn {
    /// The number of the return's own receipt, unique within the source of the till.
    pub document: String,
    /// When, by the till's clock.
    pub at: DateTime<Utc>,
    /// The code of the shop; by default where the till stands.
    #[serde(default)]
    pub store: Option<String>,
    /// Who brings it back; by default whose receipt it was on.
    #[serde(default)]
    pub customer: Option<Uuid>,
    /// What comes back.
    pub lines: Vec<ReturnLine>,
}

/// Receipts of a till that was cut off, in any order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Sales.
    #[serde(default)]
    pub purchases: Vec<NewPurchase>,
    /// Returns; booked after the sales.
    #[serde(default)]
    pub returns: Vec<NewReturn>,
}

/// A receipt that is booked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Receipt {
    /// Its id.
    pub purchase: Uuid,
    /// Its number.
    pub document: String,
    /// It was there before, and was left as it is.
    pub known: bool,
    /// Whose it is.
    pub customer: Option<Uuid>,
    /// When it was voided.
    pub voided_at: Option<DateTime<Utc>>,
    /// What it earned, less what came back.
    pub earned: Vec<Points>,
    /// What points paid of it, less what was given back.
    pub paid: Vec<Points>,
    /// What points should have paid as well, by `redeem`: the receipt came after the reservation had lapsed, and they were gone.
    #[schema(example = 0)]
    pub unpaid: i64,
    /// Of a return: how many of its lines name a sale that has not come. They take no points back until it does: where it is
    /// none of a till that is cut off, the number is wrong.
    #[schema(example = 0)]
    pub waiting: i64,
    /// The code by which it may be claimed in the cabinet, as long as it is nobody's.
    pub code: Option<String>,
    /// In which way it was bought, as it was told first.
    #[schema(schema_with = channel)]
    pub channel: Option<Channel>,
    /// How it was paid, likewise.
    #[schema(schema_with = payments)]
    pub payments: Vec<Payment>,
    /// The coupons that were sent with it, and what became of each; where none were sent, those that it has used.
    pub presented: Vec<Presented>,
    /// The coupons that it was given. The customer finds them in the cabinet.
    pub coupons: Vec<Coupon>,
}

/// A receipt in a list, as it was sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bought {
    /// Its id.
    pub purchase: Uuid,
    /// `sale` or `return`.
    pub kind: &'static str,
    /// Its number.
    pub document: String,
    /// When, by the till's clock.
    pub at: DateTime<Utc>,
    /// The code of the shop.
    pub store: Option<String>,
    /// In which way it was bought.
    #[schema(schema_with = channel)]
    pub channel: Option<Channel>,
    /// How it was paid.
    #[schema(schema_with = payments)]
    pub payments: Vec<Payment>,
    /// What was paid, points included; of a return below zero.
    pub total: i64,
    /// When it was voided.
    pub voided_at: Option<DateTime<Utc>>,
    /// Its lines in their order.
    pub lines: Vec<BoughtLine>,
}

/// A line of such a receipt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BoughtLine {
    /// The article's code.
    pub article: String,
    /// The article's name, as it is known now.
    pub name: String,
    /// How many; of a return those that came back.
    pub quantity: i64,
    /// The price of one.
    pub price: i64,
    /// Off the whole line.
    pub discount: i64,
    /// Of the discount: what rules own up to.
    pub rule_discount: i64,
    /// Of a return: what it was bought with.
    pub original: Option<Original>,
}

/// Receipts of a customer, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BoughtList {
    /// A part of them.
    pub purchases: Vec<Bought>,
    /// Where the next part begins, for `after`; null: nowhere.
    pub next: Option<String>,
}

impl From<receipt::Bought> for Bought {
    fn from(bought: receipt::Bought) -> Self {
        Self {
            purchase: bought.id.0,
            kind: bought.kind.as_str(),
            document: bought.document,
            at: bought.at,
            store: bought.store,
            channel: bought.way.channel,
            payments: bought.way.payments,
            total: bought.total,
            voided_at: bought.voided_at,
            lines: bought.lines.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<receipt::Item> for BoughtLine {
    fn from(item: receipt::Item) -> Self {
        Self {
            name: item.name.unwrap_or_else(|| item.article.clone()),
            article: item.article,
            quantity: item.quantity,
            price: item.price,
            discount: item.discount,
            rule_discount: item.rule_discount,
            original: item.original.map(|(document, line)| Original { document, line }),
        }
    }
}

impl From<receipt::Receipt> for Receipt {
    fn from(receipt: receipt::Receipt) -> Self {
        Self {
            purchase: receipt.id.0,
            document: receipt.document,
            known: receipt.known,
            customer: receipt.customer.map(|id| id.0),
            voided_at: receipt.voided_at,
            earned: receipt.earned.into_iter().map(Into::into).collect(),
            paid: receipt.paid.into_iter().map(Into::into).collect(),
            unpaid: receipt.unpaid,
            waiting: receipt.waiting,
            code: receipt.code,
            channel: receipt.way.channel,
            payments: receipt.way.payments,
            presented: receipt.presented.into_iter().map(Into::into).collect(),
            coupons: receipt.coupons.into_iter().map(Into::into).collect(),
        }
    }
}

/// What became of one receipt of several.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sent {
    /// Its number.
    pub document: String,
    /// The receipt, where it is booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Why it is not, where it is not: mend it and send it again; the others are booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Details>,
}

/// What became of receipts, in the order in which they were sent: sales, then returns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchResult {
    /// How many are booked by this request.
    pub booked: usize,
    /// How many were there before.
    pub known: usize,
    /// How many are not booked.
    pub rejected: usize,
    /// Each of them.
    pub receipts: Vec<Sent>,
}

/// Shops to be written down; those of the same codes are replaced.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stores {
    /// The shops.
    pub stores: Vec<Store>,
}

/// A shop.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// What files and tills call it.
    pub code: String,
    /// Its name.
    pub name: Text,
    /// The town it is in.
    pub town: Text,
    /// Street and house.
    pub address: Text,
    /// Degrees north (WGS 84), in millionths.
    #[serde(default)]
    #[schema(minimum = -90000000, maximum = 90000000)]
    pub latitude: Option<i64>,
    /// Degrees east, in millionths.
    #[serde(default)]
    #[schema(minimum = -180000000, maximum = 180000000)]
    pub longitude: Option<i64>,
    /// For each day from Monday the minutes of the day at which it opens and closes, or null.
    pub hours: [Option<[u16; 2]>; 7],
    /// Its phone in E.164.
    #[serde(default)]
    pub phone: Option<String>,
    /// The region that it is in, as rules name it.
    #[serde(default)]
    pub region: Option<String>,
    /// The IANA name of the time zone by which its clock goes, for its hours and for rules about the time of day. Left out:
    /// the chain's.
    #[serde(default)]
    #[schema(example = "Asia/Yekaterinburg")]
    pub time_zone: Option<String>,
}

/// Categories to be written down; those of the same codes are replaced.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Categories {
    /// In the order in which they are shown.
    pub categories: Vec<Category>,
}

/// A category of articles.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// What rules and files call it.
    pub code: String,
    /// Its name.
    pub name: Text,
    /// The code of the category that it lies right within: a rule about that one holds for this one too. Left out: as it was;
    /// empty: within none any more.
    #[serde(default)]
    pub parent: Option<String>,
}

/// Articles to be written down; those of the same codes are replaced.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Articles {
    /// The articles.
    pub articles: Vec<Article>,
}

/// An article.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The code of its category. Left out: as it was; null or empty: in none any more.
    #[serde(default, deserialize_with = "there")]
    #[schema(value_type = Option<String>)]
    pub category: Option<Option<String>>,
    /// Its brand, as rules name it. Left out: as it was; empty: none any more.
    #[serde(default)]
    pub brand: Option<String>,
    /// Whether points may pay for it. Left out: as it was, and at first they may.
    #[serde(default)]
    pub payable: Option<bool>,
}

/// What is there, be it null, apart from what is left out.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// Shops by their codes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreList {
    /// A part of them, as they are sent to be written down.
    pub stores: Vec<Store>,
    /// Where the next part begins, for `after`; null: nowhere.
    pub next: Option<String>,
}

/// Categories by their codes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CategoryList {
    /// A part of them, as they are sent to be written down.
    pub categories: Vec<Category>,
    /// Where the next part begins, for `after`; null: nowhere.
    pub next: Option<String>,
}

/// Articles by their codes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ArticleList {
    /// A part of them, as they are sent to be written down.
    pub articles: Vec<Article>,
    /// Where the next part begins, for `after`; null: nowhere.
    pub next: Option<String>,
}

impl From<NewStore> for Store {
    fn from(store: NewStore) -> Self {
        Self {
            code: store.code,
            name: store.name.into(),
            town: store.town.into(),
            address: store.address.into(),
            latitude: store.latitude,
            longitude: store.longitude,
            hours: store.hours.into(),
            phone: store.phone,
            region: store.region,
            time_zone: store.time_zone,
        }
    }
}

impl From<catalogue::NewCategory> for Category {
    fn from(category: catalogue::NewCategory) -> Self {
        Self {
            code: category.code,
            name: category.name.into(),
            parent: category.parent,
        }
    }
}

impl From<catalogue::NewArticle> for Article {
    fn from(article: catalogue::NewArticle) -> Self {
        Self {
            code: article.code,
            name: article.name,
            category: Some(article.category),
            brand: article.brand,
            payable: article.payable,
        }
    }
}

/// Blank plastic cards, to be handed out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cards {
    /// Their numbers (EAN-13 with the shop's prefix).
    pub numbers: Vec<String>,
}

/// What became of records in bulk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Written {
    /// How many were written.
    pub written: u64,
    /// Those that were left out, as they were sent.
    pub rejected: Vec<String>,
}

/// What was posted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Postings {
    /// Day by day.
    pub postings: Vec<Posted>,
}

/// What was posted on a day to an account, by the reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Posted {
    /// The day on which it was written down, where the shop is.
    pub day: NaiveDate,
    /// The program's code.
    pub program: String,
    /// The account: `pending` and `active` are those of all customers together, the others the program's.
    pub account: &'static str,
    /// Of an account `partner`: the key of the partner who pays for the points.
    pub partner: Option<String>,
    /// Why: `accrual`, `activation`, `redemption` and so on.
    pub kind: &'static str,
    /// What came in less what went out.
    pub points: i64,
    /// How many postings that are.
    pub postings: i64,
}

/// What is owed to customers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Liability {
    /// By program, state and age.
    pub owed: Vec<Owed>,
}

/// What is owed in lots of an age.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Owed {
    /// The program's code.
    pub program: String,
    /// `pending` or `active`; what is on its way from one customer to another is `active`.
    pub state: &'static str,
    /// Earned at least so many days ago,
    pub from_days: i64,
    /// and less than so many; null: however long ago.
    pub to_days: Option<i64>,
    /// How many points.
    pub points: i64,
    /// In how many lots.
    pub lots: i64,
}

impl Line {
    fn into_item(self) -> receipt::Item {
        receipt::Item {
            article: self.article,
            name: self.name,
            quantity: self.quantity,
            price: self.price,
            discount: self.discount,
            rule_discount: self.rule_discount,
            original: None,
        }
    }
}

impl From<NewQuote> for receipt::Basket {
    fn from(quote: NewQuote) -> Self {
        Self {
            customer: quote.customer.map(CustomerId),
            card: quote.card,
            program: quote.program,
            store: quote.store,
            way: Way::new(quote.channel, &quote.payments),
            coupons: quote.coupons,
            lines: quote.lines.into_iter().map(Line::into_item).collect(),
        }
    }
}

impl From<NewPurchase> for receipt::NewReceipt {
    fn from(purchase: NewPurchase) -> Self {
        Self {
            kind: Kind::Sale,
            document: purchase.document,
            at: purchase.at,
            store: purchase.store,
            customer: purchase.customer.map(CustomerId),
            card: purchase.card,
            lines: purchase.lines.into_iter().map(Line::into_item).collect(),
            redeem: purchase
                .redeem
                .map(|redeem| (ReservationId(redeem.reservation), redeem.points)),
            code: purchase.code,
            way: Way::new(purchase.channel, &purchase.payments),
            coupons: purchase.coupons,
        }
    }
}

impl From<NewReturn> for receipt::NewReceipt {
    fn from(new: NewReturn) -> Self {
        let item = |line: ReturnLine| receipt::Item {
            article: line.article,
            name: None,
            quantity: line.quantity,
            price: line.price,
            discount: line.discount,
            rule_discount: 0,
            original: Some((line.original.document, line.original.line)),
        };
        Self {
            kind: Kind::Return,
            document: new.document,
            at: new.at,
            store: new.store,
            customer: new.customer.map(CustomerId),
            card: None,
            lines: new.lines.into_iter().map(item).collect(),
            redeem: None,
            code: None,
            way: Way::default(),
            coupons: Vec::new(),
        }
    }
}
