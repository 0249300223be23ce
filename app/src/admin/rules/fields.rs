//! The fields of one condition and of one effect: shown filled in, and read back. What has no fields here (conditions
//! within conditions, tiers) is written in the JSON of the whole rule.

use super::words::{Words, clock, weekday};
use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, Choices, Field, Select, TextArea};
use chrono::{NaiveDate, NaiveTime, Timelike, Weekday};
use crm::article::store as article;
use crm::flaw::{Check as Flaws, Flaw};
use crm::id::{ArticleId, ProgramId};
use crm::lang::Localized;
use crm::points::typed;
use crm::rule::{Condition, Dates, Each, Effect, Place, Range, Span, Whose, Window};
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

/// The conditions that have fields, by the names that JSON gives them, in the order of the menu.
pub const CONDITIONS: [&str; 19] = [
    "category",
    "article",
    "brand",
    "price",
    "quantity",
    "line_sum",
    "basket_sum",
    "store",
    "region",
    "weekday",
    "hours",
    "period",
    "birthday",
    "member",
    "tenure",
    "purchase_count",
    "purchase_sum",
    "first_purchase",
    "invited",
];

/// The effects that have fields, likewise.
pub const EFFECTS: [&str; 9] = [
    "percent_off",
    "amount_off",
    "cheapest_free",
    "points_share",
    "points_per",
    "points_times",
    "points_fixed",
    "gift",
    "message",
];

/// What a kind of condition or effect is called in a menu.
pub fn kind_word(cx: &Cx, kind: &str) -> &'static str {
    let t = &cx.t().admin_rules;
    match kind {
        "category" => t.k_category,
        "article" => t.k_article,
        "brand" => t.k_brand,
        "price" => t.k_price,
        "quantity" => t.k_quantity,
        "line_sum" => t.k_line_sum,
        "basket_sum" => t.k_basket_sum,
        "store" => t.k_store,
        "region" => t.k_region,
        "weekday" => t.k_weekday,
        "hours" => t.k_hours,
        "period" => t.k_period,
        "birthday" => t.k_birthday,
        "member" => t.k_member,
        "tenure" => t.k_tenure,
        "purchase_count" => t.k_purchase_count,
        "purchase_sum" => t.k_purchase_sum,
        "first_purchase" => t.k_first_purchase,
        "invited" => t.k_invited,
        "percent_off" => t.k_percent_off,
        "amount_off" => t.k_amount_off,
        "cheapest_free" => t.k_cheapest_free,
        "points_share" => t.k_points_share,
        "points_per" => t.k_points_per,
        "points_times" => t.k_points_times,
        "points_fixed" => t.k_points_fixed,
        "gift" => t.k_gift,
        _ => t.k_message,
    }
}

/// The kind of a condition that has fields, with what is inside a "not".
pub fn condition_kind(condition: &Condition) -> Option<(&'static str, &Condition, bool)> {
    let (inner, is_not) = match condition {
        Condition::Not(inner) => (&**inner, true),
        other => (other, false),
    };
    let kind = match inner {
        Condition::Article(_) => "article",
        Condition::Category(_) => "category",
        Condition::Brand(_) => "brand",
        Condition::Price(_) => "price",
        Condition::Quantity(_) => "quantity",
        Condition::LineSum(_) => "line_sum",
        Condition::BasketSum(_) => "basket_sum",
        Condition::Store(_) => "store",
        Condition::Region(_) => "region",
        Condition::Weekday(_) => "weekday",
        Condition::Hours { .. } => "hours",
        Condition::Period(_) => "period",
        Condition::Birthday { .. } => "birthday",
        Condition::Member(_) => "member",
        Condition::Tenure(_) => "tenure",
        Condition::PurchaseCount { window, .. } | Condition::PurchaseSum { window, .. }
            if matches!(window, Window::Between { .. }) =>
        {
            return None;
        }
        Condition::PurchaseCount { .. } => "purchase_count",
        Condition::PurchaseSum { .. } => "purchase_sum",
        Condition::FirstPurchase => "first_purchase",
        Condition::Invited => "invited",
        _ => return None,
    };
    Some((kind, inner, is_not))
}

/// The kind of an effect that has fields.
pub fn effect_kind(effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::PercentOff { .. } => Some("percent_off"),
        Effect::AmountOff { .. } => Some("amount_off"),
        Effect::CheapestFree { .. } => Some("cheapest_free"),
        Effect::PointsShare { .. } => Some("points_share"),
        Effect::PointsPer { .. } => Some("points_per"),
        Effect::PointsTimes { .. } => Some("points_times"),
        Effect::PointsFixed { .. } => Some("points_fixed"),
        Effect::Gift { .. } => Some("gift"),
        Effect::Message { .. } => Some("message"),
        Effect::Coupon { .. } => None,
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
        let read = match self.kind.as_str() {
            "article" => Condition::Article(articles(cx, "text", &self.text).await?),
            "category" => Condition::Category(self.chosen(&mut flaws)),
            "brand" => Condition::Brand(listed(&mut flaws, &self.text)),
            "price" => Condition::Price(self.range(&mut flaws, money)),
            "quantity" => Condition::Quantity(self.range(&mut flaws, whole)),
            "line_sum" => Condition::LineSum(self.range(&mut flaws, money)),
            "basket_sum" => Condition::BasketSum(self.range(&mut flaws, money)),
            "store" => Condition::Store(self.chosen(&mut flaws)),
            "region" => Condition::Region(self.chosen(&mut flaws)),
            "weekday" => Condition::Weekday(self.chosen(&mut flaws)),
            "hours" => {
                let mut minute = |name: &str, text: &str| flaws.field(name, minute(text)).unwrap_or_default();
                let (from, to) = (minute("from", &self.from), minute("to", &self.to));
                let days = self.days.iter().filter_map(|day| day.parse().ok()).collect();
                Condition::Hours { from, to, days }
            }
            "period" => {
                let mut day = |name: &str, text: &str| flaws.field(name, optional(text, date)).flatten();
                let (from, to) = (day("from", &self.from), day("to", &self.to));
                if from.is_none() && to.is_none() && flaws.is_clean() {
                    flaws.field::<()>("from", Err(Flaw::Missing));
                }
                Condition::Period(Dates { from, to })
            }
            "birthday" => {
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
            "member" => Condition::Member(self.chosen(&mut flaws)),
            "tenure" => Condition::Tenure(self.range(&mut flaws, whole)),
            "purchase_count" => Condition::PurchaseCount {
                window: self.window(&mut flaws),
                count: self.range(&mut flaws, whole),
            },
            "purchase_sum" => Condition::PurchaseSum {
                window: self.window(&mut flaws),
                sum: self.range(&mut flaws, money),
            },
            "first_purchase" => Condition::FirstPurchase,
            "invited" => Condition::Invited,
            _ => return Err(AppError::Refused),
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
        let chosen: Vec<T> = self.choice.iter().filter_map(|one| one.parse().ok()).collect();
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
        let read = match self.kind.as_str() {
            "percent_off" => Effect::PercentOff {
                share: number("share", &self.share),
                each: Each::Line,
            },
            "amount_off" => Effect::AmountOff {
                amount: number("amount", &self.amount),
                each,
            },
            "cheapest_free" => Effect::CheapestFree {
                of: flaws.field("of", whole(&self.of)).unwrap_or_default(),
            },
            "points_share" => Effect::PointsShare {
                share: number("share", &self.share),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            "points_per" => Effect::PointsPer {
                points: number("points", &self.points),
                per: number("per", &self.per),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            "points_times" => Effect::PointsTimes {
                factor: number("factor", &self.factor).saturating_mul(100),
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            "points_fixed" => Effect::PointsFixed {
                points: number("points", &self.points),
                each,
                program: flaws.field("program", program).unwrap_or_else(ProgramId::new),
            },
            "gift" => {
                let article = articles(cx, "article", &self.article).await?;
                Effect::Gift {
                    article: article
                        .first()
                        .copied()
                        .ok_or_else(|| AppError::field("article", Flaw::Missing))?,
                    quantity: flaws.field("quantity", whole(&self.quantity)).unwrap_or_default(),
                }
            }
            "message" => {
                let mut said = |name: &str, text: &str| {
                    let said = crm::flaw::text(text, 500);
                    flaws.field(name, said).unwrap_or_default()
                };
                let text = Localized {
                    ru: said("ru", &self.ru),
                    en: said("en", &self.en),
                };
                let to = match self.place.as_str() {
                    "cashier" => Place::Cashier,
                    "kiosk" => Place::Kiosk,
                    "customer" => Place::Customer,
                    _ => Place::Receipt,
                };
                Effect::Message { to, text }
            }
            _ => return Err(AppError::Refused),
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
pub fn condition_fields(words: &Words<'_>, kind: &'static str, held: Option<&Condition>, is_not: bool) -> Html {
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
        view! { <Choices name="choice" legend=kind_word(words.cx, kind) options=options/> }.into_html()
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
    let lines = |hint: &'static str, value: String| {
        view! { <TextArea name="text" label=kind_word(words.cx, kind) hint=hint value=value/> }.into_html()
    };
    let fields = match (kind, held) {
        ("article", held) => {
            let codes = match held {
                Some(Condition::Article(ids)) => ids
                    .iter()
                    .filter_map(|id| names.articles.get(id))
                    .map(|(code, _)| code.clone())
                    .collect(),
                _ => Vec::new(),
            };
            lines(t.article_hint, codes.join("\n"))
        }
        ("brand", held) => {
            let brands = match held {
                Some(Condition::Brand(brands)) => brands.join("\n"),
                _ => String::new(),
            };
            lines(t.brand_hint, brands)
        }
        ("category", held) => chosen(
            names
                .categories
                .iter()
                .map(|(id, name)| (id.to_string(), words.cx.pick(name)))
                .collect(),
            &|value| matches!(held, Some(Condition::Category(ids)) if ids.iter().any(|id| id.to_string() == value)),
        ),
        ("store", held) => chosen(
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
        ("region", held) => chosen(
            names
                .regions
                .iter()
                .map(|region| (region.clone(), region.clone()))
                .collect(),
            &|value| matches!(held, Some(Condition::Region(regions)) if regions.iter().any(|one| one == value)),
        ),
        ("member", held) => chosen(
            names
                .programs
                .iter()
                .map(|(id, name)| (id.to_string(), words.cx.pick(name)))
                .collect(),
            &|value| matches!(held, Some(Condition::Member(ids)) if ids.iter().any(|id| id.to_string() == value)),
        ),
        ("weekday", held) => chosen(
            WEEK.map(|day| (day.to_string(), weekday(words.cx, day).to_owned()))
                .to_vec(),
            &|value| matches!(held, Some(Condition::Weekday(days)) if days.iter().any(|day| day.to_string() == value)),
        ),
        ("hours", held) => {
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
        ("period", held) => {
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
        ("birthday", held) => {
            let (of, before, after) = match held {
                Some(Condition::Birthday { of, before, after }) => (*of, *before, *after),
                _ => (Whose::Customer, 3, 7),
            };
            let of = if of == Whose::Child { "child" } else { "customer" };
            let options = vec![
                ("customer".into(), t.c_birthday_own.into()),
                ("child".into(), t.c_birthday_child.into()),
            ];
            view! {
                <Select name="of" label=t.whose options=options value=of/>
                <div class="grid gap-3 sm:grid-cols-2">
                    <Field name="before" label=t.days_before value=before.to_string() inputmode="numeric"/>
                    <Field name="after" label=t.days_after value=after.to_string() inputmode="numeric"/>
                </div>
            }
            .into_html()
        }
        ("price", Some(Condition::Price(held)))
        | ("line_sum", Some(Condition::LineSum(held)))
        | ("basket_sum", Some(Condition::BasketSum(held))) => range(Some(*held), &money),
        ("price" | "line_sum" | "basket_sum", _) => range(None, &money),
        ("quantity", Some(Condition::Quantity(held))) | ("tenure", Some(Condition::Tenure(held))) => {
            range(Some(*held), &number)
        }
        ("quantity" | "tenure", _) => range(None, &number),
        ("purchase_count", held) => {
            let (window, held) = match held {
                Some(Condition::PurchaseCount { window, count }) => (*window, Some(*count)),
                _ => (Window::Ever, None),
            };
            view! { {window_fields(words.cx, window)} {range(held, &number)} }.into_html()
        }
        ("purchase_sum", held) => {
            let (window, held) = match held {
                Some(Condition::PurchaseSum { window, sum }) => (*window, Some(*sum)),
                _ => (Window::Ever, None),
            };
            view! { {window_fields(words.cx, window)} {range(held, &money)} }.into_html()
        }
        ("invited", _) => view! { <p>{t.c_invited}</p> }.into_html(),
        _ => view! { <p>{t.c_first}</p> }.into_html(),
    };
    view! {
        {fields}
        <Check name="not" checked=is_not>{t.not}</Check>
    }
    .into_html()
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
    let options = [
        ("ever", t.w_ever),
        ("days", t.last_days),
        ("months", t.last_months),
        ("month", t.w_month),
        ("year", t.w_year),
    ]
    .map(|(code, words)| (code.to_owned(), words.to_owned()))
    .to_vec();
    view! {
        <div class="grid gap-3 sm:grid-cols-2">
            <Select name="window" label=t.window options=options value=code/>
            <Field name="length" label=t.length hint=t.length_hint value=length inputmode="numeric" optional=true/>
        </div>
    }
    .into_html()
}

/// The fields of a kind of effect, filled in with one that is there.
pub fn effect_fields(words: &Words<'_>, kind: &'static str, held: Option<&Effect>) -> Html {
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
    let each = |each: Each| {
        let code = match each {
            Each::Purchase => "purchase",
            Each::Line => "line",
            Each::Unit => "unit",
        };
        let options = [
            ("purchase", t.each_purchase),
            ("line", t.each_line),
            ("unit", t.each_unit),
        ]
        .map(|(code, words)| (code.to_owned(), words.to_owned()))
        .to_vec();
        view! { <Select name="each" label=t.each options=options value=code/> }.into_html()
    };
    let figure = |name: &'static str, label: &'static str, value: String| {
        view! { <Field name=name label=label value=value inputmode="decimal"/> }.into_html()
    };
    match (kind, held) {
        ("percent_off", held) => {
            let share = match held {
                Some(Effect::PercentOff { share, .. }) => show(*share),
                _ => String::new(),
            };
            figure("share", t.percent, share)
        }
        ("amount_off", held) => {
            let (amount, held) = match held {
                Some(Effect::AmountOff { amount, each }) => (show(*amount), *each),
                _ => (String::new(), Each::Purchase),
            };
            view! { {figure("amount", t.amount, amount)} {each(held)} }.into_html()
        }
        ("cheapest_free", held) => {
            let of = match held {
                Some(Effect::CheapestFree { of }) => of.to_string(),
                _ => String::new(),
            };
            view! { <Field name="of" label=t.of hint=t.of_hint value=of inputmode="numeric"/> }.into_html()
        }
        ("points_share", held) => {
            let (id, share) = match held {
                Some(Effect::PointsShare { program, share }) => (Some(*program), show(*share)),
                _ => (None, String::new()),
            };
            view! { {figure("share", t.points_percent, share)} {program(id)} }.into_html()
        }
        ("points_per", held) => {
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
        ("points_times", held) => {
            let (id, factor) = match held {
                Some(Effect::PointsTimes { program, factor }) => (Some(*program), show(factor / 100)),
                _ => (None, String::new()),
            };
            view! { {figure("factor", t.factor, factor)} {program(id)} }.into_html()
        }
        ("points_fixed", held) => {
            let (id, points, held) = match held {
                Some(Effect::PointsFixed { program, points, each }) => (Some(*program), show(*points), *each),
                _ => (None, String::new(), Each::Purchase),
            };
            view! { {figure("points", t.points, points)} {each(held)} {program(id)} }.into_html()
        }
        ("gift", held) => {
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
        (_, held) => {
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
