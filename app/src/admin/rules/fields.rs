//! The fields of one condition and of one effect: shown filled in, and read back. What has no fields here (conditions
//! within conditions, sets of several of them) is written in the JSON of the whole rule.

use super::words::{Words, clock, weekday};
use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, Choices, Field, Select, TextArea, pairs};
use chrono::{NaiveDate, NaiveTime, Timelike, Weekday};
use crm::article::store as article;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::{ArticleId, ProgramId, TierId};
use crm::lang::Localized;
use crm::points::typed;
use crm::rule::store::{self as rules, Names};
use crm::rule::{Channel, Condition, Dates, Each, Effect, Payment, Place, Range, Span, Whose, Window};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeSet;

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// A kind of condition or effect that has fields.
pub trait Kind: Copy + 'static {
    /// Each of them, in the order of the menu.
    const ALL: &'static [Self];

    /// The name that JSON gives it.
    fn code(self) -> &'static str;

    /// What it is called in a menu.
    fn word(self, cx: &Cx) -> &'static str;

    /// The one of this name.
    fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

/// Kinds in the order of the menu, each with its name in JSON and its words. What stands here the compiler wants to be read
/// from a form, shown in one, and found in a rule.
macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($kind:ident: $code:literal, $word:ident;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $code, "`.")] $kind,)*
        }

        impl Kind for $name {
            const ALL: &'static [Self] = &[$(Self::$kind,)*];

            fn code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                }
            }

            fn word(self, cx: &Cx) -> &'static str {
                let t = &cx.t().admin_rules;
                match self {
                    $(Self::$kind => t.$word,)*
                }
            }
        }
    };
}

kinds! {
    /// The kinds of conditions that have fields.
    ConditionKind {
        Category: "category", k_category;
        Article: "article", k_article;
        Brand: "brand", k_brand;
        ContainsCategory: "contains_category", k_contains_category;
        ContainsArticle: "contains_article", k_contains_article;
        Price: "price", k_price;
        Quantity: "quantity", k_quantity;
        LineSum: "line_sum", k_line_sum;
        BasketSum: "basket_sum", k_basket_sum;
        Store: "store", k_store;
        Region: "region", k_region;
        Weekday: "weekday", k_weekday;
        Hours: "hours", k_hours;
        Period: "period", k_period;
        Payment: "payment", k_payment;
        Channel: "channel", k_channel;
        Birthday: "birthday", k_birthday;
        Member: "member", k_member;
        Tier: "tier", k_tier;
        Tenure: "tenure", k_tenure;
        PurchaseCount: "purchase_count", k_purchase_count;
        PurchaseSum: "purchase_sum", k_purchase_sum;
        FirstPurchase: "first_purchase", k_first_purchase;
        Invited: "invited", k_invited;
        Activated: "activated", k_activated;
        Segment: "segment", k_segment;
        Coupon: "coupon", k_coupon;
    }
}

kinds! {
    /// The kinds of effects that have fields.
    EffectKind {
        PercentOff: "percent_off", k_percent_off;
        AmountOff: "amount_off", k_amount_off;
        CheapestFree: "cheapest_free", k_cheapest_free;
        PointsShare: "points_share", k_points_share;
        PointsPer: "points_per", k_points_per;
        PointsTimes: "points_times", k_points_times;
        PointsFixed: "points_fixed", k_points_fixed;
        Gift: "gift", k_gift;
        Coupon: "coupon", k_coupon_given;
        Message: "message", k_message;
    }
}

/// The kind of a condition that has fields, with what is inside a "not".
pub fn condition_kind(condition: &Condition) -> Option<(ConditionKind, &Condition, bool)> {
    let (inner, is_not) = match condition {
        Condition::Not(inner) => (&**inner, true),
        other => (other, false),
    };
    let kind = match inner {
        Condition::Article(_) => ConditionKind::Article,
        Condition::Category(_) => ConditionKind::Category,
        Condition::Brand(_) => ConditionKind::Brand,
        Condition::Price(_) => ConditionKind::Price,
        Condition::Quantity(_) => ConditionKind::Quantity,
        Condition::LineSum(_) => ConditionKind::LineSum,
        Condition::BasketSum(_) => ConditionKind::BasketSum,
        Condition::Store(_) => ConditionKind::Store,
        Condition::Region(_) => ConditionKind::Region,
        Condition::Weekday(_) => ConditionKind::Weekday,
        Condition::Hours { .. } => ConditionKind::Hours,
        Condition::Period(_) => ConditionKind::Period,
        Condition::Payment(_) => ConditionKind::Payment,
        Condition::Channel(_) => ConditionKind::Channel,
        Condition::Birthday { .. } => ConditionKind::Birthday,
        Condition::Member(_) => ConditionKind::Member,
        Condition::Tenure(_) => ConditionKind::Tenure,
        Condition::PurchaseCount { window, .. } | Condition::PurchaseSum { window, .. }
            if matches!(window, Window::Between { .. }) =>
        {
            return None;
        }
        Condition::PurchaseCount { .. } => ConditionKind::PurchaseCount,
        Condition::PurchaseSum { .. } => ConditionKind::PurchaseSum,
        Condition::FirstPurchase => ConditionKind::FirstPurchase,
        Condition::Invited => ConditionKind::Invited,
        Condition::Activated(_) => ConditionKind::Activated,
        Condition::Segment(_) => ConditionKind::Segment,
        Condition::Coupon(_) => ConditionKind::Coupon,
        Condition::Tier { .. } => ConditionKind::Tier,
        Condition::Contains { lines, sum, .. } if sum.is_open() => match lines.as_slice() {
            [Condition::Category(_)] => ConditionKind::ContainsCategory,
            [Condition::Article(_)] => ConditionKind::ContainsArticle,
            _ => return None,
        },
        // Written as JSON.
        Condition::Contains { .. } | Condition::All(_) | Condition::Any(_) | Condition::Not(_) => return None,
    };
    Some((kind, inner, is_not))
}

/// The kind of an effect that has fields.
pub fn effect_kind(effect: &Effect) -> Option<EffectKind> {
    match effect {
        Effect::PercentOff { .. } => Some(EffectKind::PercentOff),
        Effect::AmountOff { .. } => Some(EffectKind::AmountOff),
        Effect::CheapestFree { .. } => Some(EffectKind::CheapestFree),
        Effect::PointsShare { .. } => Some(EffectKind::PointsShare),
        Effect::PointsPer { .. } => Some(EffectKind::PointsPer),
        // The field takes hundredths, and what is finer would be lost.
        Effect::PointsTimes { factor, .. } if factor % 100 != 0 => None,
        Effect::PointsTimes { .. } => Some(EffectKind::PointsTimes),
        Effect::PointsFixed { .. } => Some(EffectKind::PointsFixed),
        Effect::Gift { .. } => Some(EffectKind::Gift),
        Effect::Message { .. } => Some(EffectKind::Message),
        Effect::Coupon { .. } => Some(EffectKind::Coupon),
    }
}

/// A condition as its form sends it: of the fields those that its kind has.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ConditionFields {
    kind: String,
    not: String,
    least: String,
    most: String,
    text: String,
    choice: Vec<String>,
    days: Vec<String>,
    from: String,
    to: String,
    of: String,
    before: String,
    after: String,
    window: String,
    length: String,
}

impl ConditionFields {
    /// What it says. Fails with flaws at its fields; [`AppError::Refused`] for a kind that no page of ours offers.
    pub async fn read(&self, cx: &Cx) -> Result<Condition, AppError> {
        let mut flaws = Flaws::new();
        let money = |text: &str| typed(text).map_err(|_| Flaw::NotANumber);
        let read = match ConditionKind::of_code(&self.kind).ok_or(AppError::Refused)? {
            ConditionKind::Article => Condition::Article(articles(cx, "text", &self.text).await?),
            ConditionKind::Category => Condition::Category(self.chosen(&mut flaws)),
            ConditionKind::Brand => Condition::Brand(listed(&mut flaws, &self.text)),
            ConditionKind::Price => Condition::Price(self.range(&mut flaws, money)),
            ConditionKind::Quantity => Condition::Quantity(self.range(&mut flaws, whole)),
            ConditionKind::LineSum => Condition::LineSum(self.range(&mut flaws, money)),
            ConditionKind::BasketSum => Condition::BasketSum(self.range(&mut flaws, money)),
            ConditionKind::ContainsCategory => Condition::Contains {
                lines: vec![Condition::Category(self.chosen(&mut flaws))],
                quantity: self.range(&mut flaws, whole),
                sum: Range::default(),
            },
            ConditionKind::ContainsArticle => Condition::Contains {
                lines: vec![Condition::Article(articles(cx, "text", &self.text).await?)],
                quantity: self.range(&mut flaws, whole),
                sum: Range::default(),
            },
            ConditionKind::Store => Condition::Store(self.chosen(&mut flaws)),
            ConditionKind::Region => Condition::Region(self.chosen(&mut flaws)),
            ConditionKind::Weekday => Condition::Weekday(self.chosen(&mut flaws)),
            ConditionKind::Hours => {
                let mut minute = |name: &str, text: &str| flaws.field(name, minute(text)).unwrap_or_default();
                let (from, to) = (minute("from", &self.from), minute("to", &self.to));
                let days = self.days.iter().filter_map(|day| day.parse().ok()).collect();
                Condition::Hours { from, to, days }
            }
            ConditionKind::Period => {
                let mut day = |name: &str, text: &str| flaws.field(name, optional(text, date)).flatten();
                let (from, to) = (day("from", &self.from), day("to", &self.to));
                if from.is_none() && to.is_none() && flaws.is_clean() {
                    flaws.field::<()>("from", Err(Flaw::Missing));
                }
                Condition::Period(Dates { from, to })
            }
            ConditionKind::Payment => Condition::Payment(self.words(&mut flaws, Payment::from_word)),
            ConditionKind::Channel => Condition::Channel(self.words(&mut flaws, Channel::from_word)),
            ConditionKind::Birthday => {
                let of = match self.of.as_str() {
                    "child" => Whose::Child,
                    _ => Whose::Customer,
                };
                let days = |text: &str| match text.trim() {
                    "" => Ok(0),
                    text => text.parse().map_err(|_| Flaw::NotANumber),
                };
                let before = flaws.field("before", days(&self.before)).unwrap_or_default();
                let after = flaws.field("after", days(&self.after)).unwrap_or_default();
                Condition::Birthday { of, before, after }
            }
            ConditionKind::Member => Condition::Member(self.chosen(&mut flaws)),
            ConditionKind::Tier => {
                let tiers: Vec<TierId> = self.chosen(&mut flaws);
                let names = rules::names(&mut cx.db.read().await?, &[]).await?;
                let known = names.tiers.iter().filter(|tier| tiers.contains(&tier.id));
                let of: BTreeSet<ProgramId> = known.map(|tier| tier.program).collect();
                let program = match of.len() {
                    1 => of.first().copied(),
                    0 if tiers.is_empty() => None,
                    0 => flaws.field("choice", Err(Flaw::NotAChoice)),
                    _ => flaws.field("choice", Err(Flaw::SeveralPrograms)),
                };
                Condition::Tier {
                    program: program.unwrap_or_else(ProgramId::new),
                    tiers,
                }
            }
            ConditionKind::Tenure => Condition::Tenure(self.range(&mut flaws, whole)),
            ConditionKind::PurchaseCount => Condition::PurchaseCount {
                window: self.window(&mut flaws),
                count: self.range(&mut flaws, whole),
            },
            ConditionKind::PurchaseSum => Condition::PurchaseSum {
                window: self.window(&mut flaws),
                sum: self.range(&mut flaws, money),
            },
            ConditionKind::FirstPurchase => Condition::FirstPurchase,
            ConditionKind::Invited => Condition::Invited,
            ConditionKind::Activated => Condition::Activated(self.chosen(&mut flaws)),
            ConditionKind::Segment => Condition::Segment(self.chosen(&mut flaws)),
            ConditionKind::Coupon => Condition::Coupon(self.chosen(&mut flaws)),
        };
        if !flaws.is_clean() {
            return Err(AppError::Invalid { flaws: flaws.flaws() });
        }
        Ok(match self.not.as_str() {
            "yes" => Condition::Not(Box::new(read)),
            _ => read,
        })
    }

    fn chosen<T: std::str::FromStr>(&self, flaws: &mut Flaws) -> Vec<T> {
        self.words(flaws, |one| one.parse().ok())
    }

    fn words<T>(&self, flaws: &mut Flaws, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let chosen: Vec<T> = self.choice.iter().filter_map(|one| read(one)).collect();
        let chosen = match chosen.len() {
            0 => Err(Flaw::Missing),
            n if n < self.choice.len() => Err(Flaw::NotAChoice),
            _ => Ok(chosen),
        };
        flaws.field("choice", chosen).unwrap_or_default()
    }

    fn range(&self, flaws: &mut Flaws, number: impl Fn(&str) -> Result<i64, Flaw>) -> Range {
        let mut bound = |name: &str, text: &str| flaws.field(name, optional(text, &number)).flatten();
        let (at_least, at_most) = (bound("least", &self.least), bound("most", &self.most));
        if at_least.is_none() && at_most.is_none() && flaws.is_clean() {
            flaws.field::<()>("least", Err(Flaw::Missing));
        }
        Range { at_least, at_most }
    }

    fn window(&self, flaws: &mut Flaws) -> Window {
        let mut length = |span: fn(u32) -> Span| {
            let length = self
                .length
                .trim()
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or(Flaw::NotANumber);
            Window::Last(span(flaws.field("length", length).unwrap_or(1)))
        };
        match self.window.as_str() {
            "days" => length(Span::Days),
            "months" => length(Span::Months),
            "month" => Window::Month,
            "year" => Window::Year,
            _ => Window::Ever,
        }
    }
}

/// An effect as its form sends it, likewise.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct EffectFields {
    kind: String,
    share: String,
    amount: String,
    each: String,
    of: String,
    program: String,
    points: String,
    per: String,
    factor: String,
    article: String,
    quantity: String,
    series: String,
    place: String,
    ru: String,
    en: String,
}

impl EffectFields {
    /// What it says. Fails as [`ConditionFields::read`] does.
    pub async fn read(&self, cx: &Cx) -> Result<Effect, AppError> {
        let mut flaws = Flaws::new();
        let mut number = |name: &str, text: &str| flaws.field(name, hundredths(text)).unwrap_or_default();
        let each = match self.each.as_str() {
            "line" => Each::Line,
            "unit" => Each::Unit,
            _ => Each::Purchase,
        };
        let program = self.program.parse().map_err(|_| Flaw::NotAChoice);
        let read = match EffectKind::of_code(&self.kind).ok_or(AppError::Refused)? {
            EffectKind::PercentOff => {
                let share = number("share", &self.share);
                if each == Each::Unit {
                    flaws.field::<()>("each", Err(Flaw::NotAChoice));
                }
                Effect::PercentOff { share, each }
            }
            EffectKind::AmountOff => Effect::AmountOff {
                amount: number("amount", &self.amount),
                each,
            },
            EffectKind::CheapestFree => Effect::CheapestFree {
                of: flaws.field("of", whole(&self.of)).unwrap_or_default(),
            },
            EffectKind::PointsShare => Effect::PointsShare {
                share: number("share", &self.share),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            EffectKind::PointsPer => Effect::PointsPer {
                points: number("points", &self.points),
                per: number("per", &self.per),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            EffectKind::PointsTimes => Effect::PointsTimes {
                factor: number("factor", &self.factor).saturating_mul(100),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            EffectKind::PointsFixed => Effect::PointsFixed {
                points: number("points", &self.points),
                each,
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            EffectKind::Gift => {
                let article = articles(cx, "article", &self.article).await?;
                Effect::Gift {
                    article: article
                        .first()
                        .copied()
                        .ok_or_else(|| AppError::field("article", Flaw::Missing))?,
                    quantity: flaws.field("quantity", whole(&self.quantity)).unwrap_or_default(),
                }
            }
            EffectKind::Coupon => Effect::Coupon {
                series: flaws.field("series", filled(&self.series)).unwrap_or_default(),
            },
            EffectKind::Message => {
                let mut said = |name: &str, text: &str| {
                    let said = crm::flaw::text(text, 500);
                    flaws.field(name, said).unwrap_or_default()
                };
                let text = Localized::new(said("ru", &self.ru), said("en", &self.en));
                let to = match self.place.as_str() {
                    "cashier" => Place::Cashier,
                    "kiosk" => Place::Kiosk,
                    "customer" => Place::Customer,
                    _ => Place::Receipt,
                };
                Effect::Message { to, text }
            }
        };
        match flaws.is_clean() {
            true => Ok(read),
            false => Err(AppError::Invalid { flaws: flaws.flaws() }),
        }
    }
}

/// Hundredths, of money, points or a percent: more than nothing.
pub fn hundredths(text: &str) -> Result<i64, Flaw> {
    typed(text).map_err(|flaw| match flaw {
        Flaw::NotPoints => Flaw::NotANumber,
        other => other,
    })
}

/// A whole number.
pub fn whole(text: &str) -> Result<i64, Flaw> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match text.as_str() {
        "" => Err(Flaw::Missing),
        text => text.parse().ok().filter(|n| *n >= 0).ok_or(Flaw::NotANumber),
    }
}

/// A text in one line, its words one space apart.
pub fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What has to be chosen.
fn filled(text: &str) -> Result<String, Flaw> {
    match text.trim() {
        "" => Err(Flaw::NotAChoice),
        text => Ok(text.to_owned()),
    }
}

/// Nothing for an empty field.
pub fn optional<T>(text: &str, read: impl Fn(&str) -> Result<T, Flaw>) -> Result<Option<T>, Flaw> {
    match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some),
    }
}

fn date(text: &str) -> Result<NaiveDate, Flaw> {
    crate::cabinet::purchases::day(text).ok_or(Flaw::NotADate)
}

/// The minute of the day that a field of times sends.
fn minute(text: &str) -> Result<u16, Flaw> {
    let time = ["%H:%M", "%H:%M:%S"]
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(text.trim(), form).ok());
    let minute = time.map(|time| time.hour() * 60 + time.minute()).ok_or(Flaw::Missing)?;
    u16::try_from(minute).map_err(|_| Flaw::Missing)
}

/// What stands in the lines of a text; commas part as well.
fn listed(flaws: &mut Flaws, text: &str) -> Vec<String> {
    let listed: Vec<String> = lines(text).map(|(_, one)| one.to_owned()).collect();
    let listed = if listed.is_empty() {
        Err(Flaw::Missing)
    } else {
        Ok(listed)
    };
    flaws.field("text", listed).unwrap_or_default()
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().zip(1..);
    numbered
        .flat_map(|(line, number)| line.split(',').map(move |one| (number, one.trim())))
        .filter(|(_, one)| !one.is_empty())
}

/// The articles whose codes stand in a text.
async fn articles(cx: &Cx, field: &str, text: &str) -> Result<Vec<ArticleId>, AppError> {
    let codes: Vec<(usize, &str)> = lines(text).collect();
    if codes.is_empty() {
        return Err(AppError::field(field, Flaw::Missing));
    }
    let wanted: BTreeSet<&str> = codes.iter().map(|(_, code)| *code).collect();
    let known = article::by_codes(&mut cx.db.read().await?, &wanted)
        .await
        .map_err(crm::Error::from)?;
    let found = codes
        .into_iter()
        .map(|(line, code)| known.get(code).map(|(id, _)| *id).ok_or(line));
    found
        .collect::<Result<_, _>>()
        .map_err(|line| AppError::field(field, Flaw::NoArticle { line }))
}

/// The fields of a kind of condition, filled in with one that is there.
pub fn condition_fields(words: &Words<'_>, kind: ConditionKind, held: Option<&Condition>, is_not: bool) -> Html {
    let t = &words.cx.t().admin_rules;
    let names = words.names;
    let chosen = |all: Vec<(String, String)>, has: &dyn Fn(&str) -> bool| {
        let options = all
            .into_iter()
            .map(|(value, words)| {
                let is_held = has(&value);
                (value, words, is_held)
            })
            .collect::<Vec<_>>();
        view! { <Choices name="choice" legend=kind.word(words.cx) options=options/> }.into_html()
    };
    let money = |n: Option<i64>| n.map(|n| crm::points::written(words.cx.lang, n)).unwrap_or_default();
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let range = |range: Option<Range>, show: &dyn Fn(Option<i64>) -> String| {
        let (least, most) = (range.and_then(|r| r.at_least), range.and_then(|r| r.at_most));
        view! {
            <div class="grid gap-3 sm:grid-cols-2">
                <Field name="least" label=t.least value=show(least) inputmode="decimal" optional=true/>
                <Field name="most" label=t.most value=show(most) inputmode="decimal" optional=true/>
            </div>
        }
        .into_html()
    };
    let categories = |held: Option<&Condition>| {
        chosen(
            names
                .categories
                .iter()
                .map(|(id, name)| (id.to_string(), words.cx.pick(name)))
                .collect(),
            &|value| matches!(held, Some(Condition::Category(ids)) if ids.iter().any(|id| id.to_string() == value)),
        )
    };
    let lines = |hint: &'static str, value: String| {
        view! { <TextArea name="text" label=kind.word(words.cx) hint=hint value=value/> }.into_html()
    };
    let fields = match kind {
        ConditionKind::Article => lines(t.article_hint, codes(names, held)),
        ConditionKind::ContainsArticle => {
            let (line, count) = contained(held);
            view! { {lines(t.article_hint, codes(names, line))} <p class="hint">{t.how_many}</p> {range(count, &number)} }
                .into_html()
        }
        ConditionKind::ContainsCategory => {
            let (line, count) = contained(held);
            view! { {categories(line)} <p class="hint">{t.how_many}</p> {range(count, &number)} }.into_html()
        }
        ConditionKind::Brand => {
            let brands = match held {
                Some(Condition::Brand(brands)) => brands.join("\n"),
                _ => String::new(),
            };
            lines(t.brand_hint, brands)
        }
        ConditionKind::Category => categories(held),
        ConditionKind::Store => chosen(
            names
                .stores
                .iter()
                .map(|(id, name, town)| {
                    (
                        id.to_string(),
                        format!("{}, {}", words.cx.pick(town), words.cx.pick(name)),
                    )
                })
                .collect(),
            &|value| matches!(held, Some(Condition::Store(ids)) if ids.iter().any(|id| id.to_string() == value)),
        ),
        ConditionKind::Region => {
            let held: &[String] = match held {
                Some(Condition::Region(regions)) => regions,
                _ => &[],
            };
            // What no shop is in any more would be lost when the others are saved.
            let gone = held.iter().filter(|region| !names.regions.contains(region));
            let all = names.regions.iter().chain(gone);
            chosen(all.map(|region| (region.clone(), region.clone())).collect(), &|value| {
                held.iter().any(|region| region == value)
            })
        }
        ConditionKind::Segment => {
            let held: &[String] = match held {
                Some(Condition::Segment(segments)) => segments,
                _ => &[],
            };
            let all = coded(words.cx, &names.segments, held);
            view! {
                <p class="hint">{t.no_segments}</p>
                {chosen(all, &|value| held.iter().any(|code| code == value))}
            }
            .into_html()
        }
        ConditionKind::Coupon => {
            let held: &[String] = match held {
                Some(Condition::Coupon(series)) => series,
                _ => &[],
            };
            let all = coded(words.cx, &names.series, held);
            view! { <p class="hint">{t.no_series}</p> {chosen(all, &|value| held.iter().any(|code| code == value))} }
                .into_html()
        }
        ConditionKind::Member => chosen(
            names
                .programs
                .iter()
                .map(|(id, name)| (id.to_string(), words.cx.pick(name)))
                .collect(),
            &|value| matches!(held, Some(Condition::Member(ids)) if ids.iter().any(|id| id.to_string() == value)),
        ),
        ConditionKind::Activated => chosen(
            names
                .promotions
                .iter()
                .map(|(id, title)| (id.to_string(), words.cx.pick(title)))
                .collect(),
            &|value| matches!(held, Some(Condition::Activated(ids)) if ids.iter().any(|id| id.to_string() == value)),
        ),
        ConditionKind::Tier => {
            let holds = |id: TierId| matches!(held, Some(Condition::Tier { tiers, .. }) if tiers.contains(&id));
            let program = |id: ProgramId| names.programs.iter().find(|(known, _)| *known == id);
            let offered = names.tiers.iter().filter(|tier| tier.counts || holds(tier.id));
            let options = offered
                .map(|tier| {
                    let program = program(tier.program).map(|(_, name)| words.cx.pick(name));
                    let name = format!("{}: {}", program.unwrap_or_default(), words.cx.pick(&tier.name));
                    (tier.id.to_string(), name)
                })
                .collect();
            chosen(options, &|value| value.parse().is_ok_and(holds))
        }
        ConditionKind::Weekday => chosen(
            WEEK.map(|day| (day.to_string(), weekday(words.cx, day).to_owned()))
                .to_vec(),
            &|value| matches!(held, Some(Condition::Weekday(days)) if days.iter().any(|day| day.to_string() == value)),
        ),
        ConditionKind::Payment => chosen(
            Payment::ALL
                .map(|way| (way.as_str().to_owned(), words.payment(way).to_owned()))
                .to_vec(),
            &|value| matches!(held, Some(Condition::Payment(ways)) if ways.iter().any(|way| way.as_str() == value)),
        ),
        ConditionKind::Channel => chosen(
            Channel::ALL
                .map(|way| (way.as_str().to_owned(), words.channel(way).to_owned()))
                .to_vec(),
            &|value| matches!(held, Some(Condition::Channel(ways)) if ways.iter().any(|way| way.as_str() == value)),
        ),
        ConditionKind::Hours => {
            let (from, to, days) = match held {
                Some(Condition::Hours { from, to, days }) => (clock(*from), clock(*to), days.clone()),
                _ => Default::default(),
            };
            let options = WEEK
                .map(|day| (day.to_string(), weekday(words.cx, day).to_owned(), days.contains(&day)))
                .to_vec();
            view! {
                <div class="grid gap-3 sm:grid-cols-2">
                    <Field name="from" label=t.from kind="time" value=from/>
                    <Field name="to" label=t.to kind="time" value=to/>
                </div>
                <Choices name="days" legend=t.only_on options=options/>
            }
            .into_html()
        }
        ConditionKind::Period => {
            let dates = match held {
                Some(Condition::Period(dates)) => *dates,
                _ => Dates::default(),
            };
            let day = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
            view! {
                <div class="grid gap-3 sm:grid-cols-2">
                    <Field name="from" label=t.first_day kind="date" value=day(dates.from) optional=true/>
                    <Field name="to" label=t.last_day kind="date" value=day(dates.to) optional=true/>
                </div>
            }
            .into_html()
        }
        ConditionKind::Birthday => {
            let (of, before, after) = match held {
                Some(Condition::Birthday { of, before, after }) => (*of, *before, *after),
                _ => (Whose::Customer, 3, 7),
            };
            let of = if of == Whose::Child { "child" } else { "customer" };
            let options = pairs([("customer", t.c_birthday_own), ("child", t.c_birthday_child)]);
            view! {
                <Select name="of" label=t.whose options=options value=of/>
                <div class="grid gap-3 sm:grid-cols-2">
                    <Field name="before" label=t.days_before value=before.to_string() inputmode="numeric"/>
                    <Field name="after" label=t.days_after value=after.to_string() inputmode="numeric"/>
                </div>
            }
            .into_html()
        }
        ConditionKind::Price | ConditionKind::LineSum | ConditionKind::BasketSum => {
            range(held.and_then(bounds), &money)
        }
        ConditionKind::Quantity | ConditionKind::Tenure => range(held.and_then(bounds), &number),
        ConditionKind::PurchaseCount => {
            let (window, held) = match held {
                Some(Condition::PurchaseCount { window, count }) => (*window, Some(*count)),
                _ => (Window::Ever, None),
            };
            view! { {window_fields(words.cx, window)} {range(held, &number)} }.into_html()
        }
        ConditionKind::PurchaseSum => {
            let (window, held) = match held {
                Some(Condition::PurchaseSum { window, sum }) => (*window, Some(*sum)),
                _ => (Window::Ever, None),
            };
            view! { {window_fields(words.cx, window)} {range(held, &money)} }.into_html()
        }
        ConditionKind::FirstPurchase => view! { <p>{t.c_first}</p> }.into_html(),
        ConditionKind::Invited => view! { <p>{t.c_invited}</p> }.into_html(),
    };
    view! {
        {fields}
        <Check name="not" checked=is_not>{t.not}</Check>
    }
    .into_html()
}

/// What may be chosen of things that have a code, and what is chosen and not made yet: it would be lost when the others are
/// saved.
fn coded(cx: &Cx, known: &[(String, Localized)], held: &[String]) -> Vec<(String, String)> {
    let missing = held.iter().filter(|code| known.iter().all(|(other, _)| other != *code));
    let missing = missing.map(|code| (code.clone(), code.clone()));
    let known = known
        .iter()
        .map(|(code, name)| (code.clone(), format!("{} ({code})", cx.pick(name))));
    known.chain(missing).collect()
}

/// What has to be in the basket, and how many of it.
fn contained(held: Option<&Condition>) -> (Option<&Condition>, Option<Range>) {
    match held {
        Some(Condition::Contains { lines, quantity, .. }) => (lines.first(), Some(*quantity)),
        _ => (None, None),
    }
}

/// The codes of the articles of a condition, one in a line.
fn codes(names: &Names, held: Option<&Condition>) -> String {
    let Some(Condition::Article(ids)) = held else {
        return String::new();
    };
    let codes = ids.iter().filter_map(|id| names.articles.get(id));
    codes.map(|(code, _)| code.as_str()).collect::<Vec<_>>().join("\n")
}

/// The bounds of a condition that is nothing but a range.
fn bounds(condition: &Condition) -> Option<Range> {
    match condition {
        Condition::Price(range)
        | Condition::LineSum(range)
        | Condition::BasketSum(range)
        | Condition::Quantity(range)
        | Condition::Tenure(range) => Some(*range),
        _ => None,
    }
}

fn window_fields(cx: &Cx, window: Window) -> Html {
    let t = &cx.t().admin_rules;
    let (code, length) = match window {
        Window::Last(Span::Days(n)) => ("days", n.to_string()),
        Window::Last(Span::Months(n)) => ("months", n.to_string()),
        Window::Month => ("month", String::new()),
        Window::Year => ("year", String::new()),
        Window::Ever | Window::Between { .. } => ("ever", String::new()),
    };
    let options = pairs([
        ("ever", t.w_ever),
        ("days", t.last_days),
        ("months", t.last_months),
        ("month", t.w_month),
        ("year", t.w_year),
    ]);
    view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Select name="window" label=t.window options=options value=code/>
            <Field name="length" label=t.length hint=t.length_hint value=length inputmode="numeric" optional=true/>
        </div>
    }
    .into_html()
}

/// The fields of a kind of effect, filled in with one that is there.
pub fn effect_fields(words: &Words<'_>, kind: EffectKind, held: Option<&Effect>) -> Html {
    let t = &words.cx.t().admin_rules;
    let show = |n: i64| crm::points::written(words.cx.lang, n);
    let programs: Vec<(String, String)> = words
        .names
        .programs
        .iter()
        .map(|(id, name)| (id.to_string(), words.cx.pick(name)))
        .collect();
    let program = |id: Option<ProgramId>| {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        view! { <Select name="program" label=t.program options=programs.clone() value=id/> }.into_html()
    };
    let eaches = |each: Each| match each {
        Each::Purchase => ("purchase", t.each_purchase),
        Each::Line => ("line", t.each_line),
        Each::Unit => ("unit", t.each_unit),
    };
    let each = |held: Each, all: &[Each]| {
        let option = |each: &Each| {
            let (code, words) = eaches(*each);
            (code.to_owned(), words.to_owned())
        };
        let options: Vec<_> = all.iter().map(option).collect();
        let (code, _) = eaches(held);
        view! { <Select name="each" label=t.each options=options value=code/> }.into_html()
    };
    let all = [Each::Purchase, Each::Line, Each::Unit];
    let figure = |name: &'static str, label: &'static str, value: String| {
        view! { <Field name=name label=label value=value inputmode="decimal"/> }.into_html()
    };
    match kind {
        EffectKind::PercentOff => {
            let (share, held) = match held {
                Some(Effect::PercentOff { share, each }) => (show(*share), *each),
                _ => (String::new(), Each::Line),
            };
            view! {
                {figure("share", t.percent, share)}
                {each(held, &[Each::Purchase, Each::Line])}
                <p class="hint">{t.each_of_percent}</p>
            }
            .into_html()
        }
        EffectKind::AmountOff => {
            let (amount, held) = match held {
                Some(Effect::AmountOff { amount, each }) => (show(*amount), *each),
                _ => (String::new(), Each::Purchase),
            };
            view! { {figure("amount", t.amount, amount)} {each(held, &all)} }.into_html()
        }
        EffectKind::CheapestFree => {
            let of = match held {
                Some(Effect::CheapestFree { of }) => of.to_string(),
                _ => String::new(),
            };
            view! { <Field name="of" label=t.of hint=t.of_hint value=of inputmode="numeric"/> }.into_html()
        }
        EffectKind::PointsShare => {
            let (id, share) = match held {
                Some(Effect::PointsShare { program, share }) => (Some(*program), show(*share)),
                _ => (None, String::new()),
            };
            view! { {figure("share", t.points_percent, share)} {program(id)} }.into_html()
        }
        EffectKind::PointsPer => {
            let (id, points, per) = match held {
                Some(Effect::PointsPer { program, points, per }) => (Some(*program), show(*points), show(*per)),
                _ => (None, String::new(), String::new()),
            };
            view! {
                <div class="grid gap-3 sm:grid-cols-2">{figure("points", t.points, points)} {figure("per", t.per, per)}</div>
                {program(id)}
            }
            .into_html()
        }
        EffectKind::PointsTimes => {
            let (id, factor) = match held {
                Some(Effect::PointsTimes { program, factor }) => (Some(*program), show(factor / 100)),
                _ => (None, String::new()),
            };
            view! { {figure("factor", t.factor, factor)} {program(id)} }.into_html()
        }
        EffectKind::PointsFixed => {
            let (id, points, held) = match held {
                Some(Effect::PointsFixed { program, points, each }) => (Some(*program), show(*points), *each),
                _ => (None, String::new(), Each::Purchase),
            };
            view! { {figure("points", t.points, points)} {each(held, &all)} {program(id)} }.into_html()
        }
        EffectKind::Gift => {
            let (code, quantity) = match held {
                Some(Effect::Gift { article, quantity }) => {
                    let code = words.names.articles.get(article).map(|(code, _)| code.clone());
                    (code.unwrap_or_default(), quantity.to_string())
                }
                _ => (String::new(), "1".to_owned()),
            };
            view! {
                <Field name="article" label=t.article_code value=code/>
                <Field name="quantity" label=t.pieces value=quantity inputmode="numeric"/>
            }
            .into_html()
        }
        EffectKind::Coupon => {
            let series = match held {
                Some(Effect::Coupon { series }) => series.clone(),
                _ => String::new(),
            };
            let held: Vec<String> = Some(series.clone())
                .filter(|code| !code.is_empty())
                .into_iter()
                .collect();
            let options = coded(words.cx, &words.names.series, &held);
            view! { <Select name="series" label=t.series hint=t.no_series options=options value=series/> }.into_html()
        }
        EffectKind::Message => {
            let (to, text) = match held {
                Some(Effect::Message { to, text }) => (*to, text.clone()),
                _ => (Place::Receipt, Localized::default()),
            };
            let code = match to {
                Place::Receipt => "receipt",
                Place::Cashier => "cashier",
                Place::Kiosk => "kiosk",
                Place::Customer => "customer",
            };
            let options = [
                ("receipt", Place::Receipt),
                ("cashier", Place::Cashier),
                ("kiosk", Place::Kiosk),
                ("customer", Place::Customer),
            ]
            .map(|(code, place)| (code.to_owned(), words.place(place).to_owned()))
            .to_vec();
            view! {
                <Select name="place" label=t.where_shown options=options value=code/>
                <TextArea name="ru" label=t.text_ru value=text.ru rows=2/>
                <TextArea name="en" label=t.text_en value=text.en rows=2/>
            }
            .into_html()
        }
    }
}
