//! Purchases by month, with a search, filters that are part of the address, and what was spent month by month.

use super::period::Period;
use super::{more, place, show_place};
use crate::admin::rules::fields::hundredths;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::chart::{Bar, Bars};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{Datelike, NaiveDate};
use crm::flaw::Flaw;
use crm::id::PurchaseId;
use crm::points::Before;
use crm::purchase::{Filter, Kind, Month, Page, Purchase, StoreName, store as purchases};
use crm::stores::{Category, store as stores};
use islands::AppError;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// Receipts on one page.
const SHOWN: usize = 20;
/// Months in the chart.
const MONTHS: u32 = 12;
/// The longest text to search for, in characters: names of articles are shorter.
const TEXT_MAX: usize = 100;

/// The name and the price of the article that a search found on a receipt.
type Matches = BTreeMap<PurchaseId, (String, i64)>;

/// What the address asks for: as it was typed, as it is looked for, and what could not be read.
#[derive(Default)]
pub struct Asked {
    /// In the name of an article.
    pub text: String,
    /// The id of a store.
    pub store: String,
    /// The id of a category.
    pub category: String,
    /// From when until when.
    pub period: Period,
    /// The lowest and the highest sum.
    pub sums: [String; 2],
    sum_flaws: [Option<String>; 2],
    /// What is looked for.
    pub(super) filter: Filter,
}

/// The names of the two sums in the address.
const SUMS: [&str; 2] = ["least", "most"];

impl Asked {
    /// Reads it from the address.
    pub(super) fn read(cx: &Cx) -> Self {
        let typed = |name: &str| cx.query(name).unwrap_or_default().to_owned();
        // PostgreSQL takes no NUL in a text, and nobody means any of its kind.
        let text: String = typed("q")
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(TEXT_MAX)
            .collect();
        let (store, category, period) = (typed("store"), typed("category"), Period::read(cx));
        let sums = SUMS.map(typed);
        let read = sums.each_ref().map(|typed| sum(typed));
        let mut sum_flaws = read.clone().map(|read| read.err().map(|flaw| cx.flaw(&flaw)));
        let [least, mut most] = read.map(Result::unwrap_or_default);
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            most = None;
            sum_flaws[1] = Some(cx.t().purchases.wrong_sums.to_owned());
        }
        let wanted = Some(text.clone()).filter(|text| !text.trim().is_empty());
        let filter = Filter {
            text: wanted,
            category: category.parse().ok(),
            store: store.parse().ok(),
            from: period.first,
            to: period.last,
            least,
            most,
        };
        Self {
            text,
            store,
            category,
            period,
            sums,
            sum_flaws,
            filter,
        }
    }

    /// Something narrows the list, or was meant to.
    fn is_any(&self) -> bool {
        !self.text.is_empty() || self.has_more()
    }

    /// So does something that the folded part of the form holds.
    fn has_more(&self) -> bool {
        let sums = self.sums.iter().any(|sum| !sum.is_empty());
        !self.store.is_empty() || !self.category.is_empty() || self.period.is_any() || sums
    }

    /// Of a day there may be more than is shown.
    pub(super) fn is_partial(&self) -> bool {
        let sums = self.sums.iter().any(|sum| !sum.is_empty());
        !self.text.is_empty() || !self.store.is_empty() || !self.category.is_empty() || sums
    }

    /// Something of it could not be read.
    pub(super) fn is_flawed(&self) -> bool {
        self.period.is_flawed() || self.sum_flaws.iter().any(Option::is_some)
    }

    /// The address of what is listed as a file with this ending.
    fn file(&self, ending: &str) -> String {
        let there = format!("/purchases/statement.{ending}");
        self.address(None).replacen("/purchases", &there, 1)
    }

    /// The page's own address with these filters, from a place in the list on.
    pub fn address(&self, before: Option<Before>) -> String {
        let [least, most] = self.sums.clone();
        let mut query = BTreeMap::from([
            ("q", self.text.clone()),
            ("store", self.store.clone()),
            ("category", self.category.clone()),
            ("least", least),
            ("most", most),
            ("from", self.period.from.clone()),
            ("to", self.period.to.clone()),
            ("before", before.map(show_place).unwrap_or_default()),
        ]);
        query.retain(|_, value| !value.is_empty());
        match serde_qs::to_string(&query) {
            Ok(query) if !query.is_empty() => format!("/purchases?{query}"),
            _ => "/purchases".to_owned(),
        }
    }
}

/// A sum as a person types it; none for an empty field, and for nothing, which narrows nothing.
fn sum(typed: &str) -> Result<Option<i64>, Flaw> {
    match typed {
        "" | "0" => Ok(None),
        typed => hundredths(typed).map(Some),
    }
}

/// A day as a field of dates sends it.
pub fn day(typed: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(typed, "%Y-%m-%d")
        .ok()
        .filter(|day| (1900..=2200).contains(&day.year()))
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().purchases;
    let me = cx.subject()?;
    let asked = Asked::read(&cx);
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let found = purchases::list(&mut conn, me, &asked.filter, before, SHOWN).await?;
    let receipts = found.months.iter().flat_map(|(_, receipts)| receipts);
    let ids: Vec<PurchaseId> = receipts.map(|receipt| receipt.id).collect();
    let matches = match &asked.filter.text {
        Some(text) => purchases::matches(&mut conn, me, text, &ids).await?,
        None => Matches::new(),
    };
    let spent = purchases::spending(&mut conn, me, MONTHS).await?;
    let shops = purchases::stores(&mut conn, me).await?;
    let categories = stores::categories(&mut conn).await?;
    drop(conn);
    if found.months.is_empty() && before.is_none() && !asked.is_any() {
        return Ok(Body::new(
            t.title,
            Frame::Cabinet(Place::Purchases),
            first_purchase(&cx),
        ));
    }
    let view = view! {
        <h1>{t.title}</h1>
        {form(&cx, &asked, &shops, &categories, !found.months.is_empty())}
        <div class="cols">
            <div>
                {before.map(|_| view! { <p><a href=asked.address(None)>{t.from_the_start}</a></p> })}
                {list(&cx, &asked, &found, &matches)}
                {(!found.months.is_empty() && !asked.is_flawed()).then(|| files(&cx, &asked))}
            </div>
            <div>
                {chart(&cx, &spent)}
                <div class="actions actions-fill">
                    <a class="btn" href="/purchases/often">{t.often}</a>
                    <a class="btn" href="/purchases/spending">{t.by_category}</a>
                    <a class="btn" href="/purchases/claim">{icon(icons::RECEIPT_TEXT)} {cx.t().claim.link}</a>
                </div>
            </div>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

fn first_purchase(cx: &Cx) -> Html {
    let t = &cx.t().purchases;
    view! {
        <h1>{t.title}</h1>
        <div class="panel empty">
            {icon(icons::RECEIPT_TEXT)}
            <p>{t.none}</p>
            <a class="btn btn-primary" href="/card">{t.show_card}</a>
            <a class="btn btn-quiet" href="/purchases/claim">{cx.t().claim.link}</a>
        </div>
    }
    .into_html()
}

fn form(cx: &Cx, asked: &Asked, stores: &[StoreName], categories: &[Category], found: bool) -> Html {
    let t = &cx.t().purchases;
    let stores = stores.iter().map(|store| {
        (
            store.id.to_string(),
            format!("{}, {}", store.name.get(cx.lang), store.town.get(cx.lang)),
        )
    });
    let stores = options(t.any_store, stores, &asked.store);
    let categories = categories
        .iter()
        .map(|category| (category.id.to_string(), cx.pick(&category.name)));
    let categories = options(t.any_category, categories, &asked.category);
    let sums: Vec<_> = [t.least, t.most_sum]
        .into_iter()
        .zip(SUMS)
        .zip(asked.sums.iter().zip(&asked.sum_flaws))
        .map(|((label, name), (typed, flaw))| {
            let id = format!("{name}-message");
            let invalid = flaw.is_some().then_some("true");
            let described = flaw.is_some().then(|| id.clone());
            view! {
                <label>
                    {label}
                    <input class="input" type="text" inputmode="decimal" name=name value=typed.clone() autocomplete="off"
                        aria-invalid=invalid aria-describedby=described/>
                    {flaw.clone().map(|flaw| view! { <span class="msg" id=id role="alert">{flaw}</span> })}
                </label>
            }
        })
        .collect();
    view! {
        <form class="filters" action="/purchases" role="search">
            <label class="grow basis-40">
                {t.search}
                <input class="input" type="search" name="q" value=asked.text.clone() maxlength=TEXT_MAX.to_string() dir="auto"
                    autocomplete="off" enterkeyhint="search"/>
            </label>
            <button class="btn">{icon(icons::SEARCH)} {t.find}</button>
            <details class="fold basis-full" open=asked.has_more()>
                <summary>{t.more_filters}</summary>
                <div class="filters">
                    <label class="grow">{t.category} <select class="input" name="category">{categories}</select></label>
                    <label class="grow">{t.store} <select class="input" name="store">{stores}</select></label>
                    {asked.period.fields(cx)}
                    {sums}
                    <button class="btn">{t.apply}</button>
                </div>
            </details>
            {(found && asked.is_any()).then(|| view! { <a class="btn btn-quiet btn-sm" href="/purchases">{t.reset}</a> })}
        </form>
    }
    .into_html()
}

/// What can be chosen from: anything, or one of these.
fn options(any: &'static str, of: impl Iterator<Item = (String, String)>, chosen: &str) -> Vec<Html> {
    std::iter::once((String::new(), any.to_owned()))
        .chain(of)
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }.into_html()
        })
        .collect()
}

fn list(cx: &Cx, asked: &Asked, found: &Page, matches: &Matches) -> Html {
    let t = &cx.t().purchases;
    if found.months.is_empty() {
        return view! {
            <div class="panel empty">
                {icon(icons::SEARCH)}
                <p>{t.nothing}</p>
                <a class="btn" href="/purchases">{t.reset}</a>
            </div>
        }
        .into_html();
    }
    let months: Vec<_> = found
        .months
        .iter()
        .map(|(month, receipts)| {
            let rows: Vec<_> = receipts
                .iter()
                .map(|purchase| row_with(cx, purchase, matches.get(&purchase.id)))
                .collect();
            view! {
                <section class="section">
                    <div class="section-head">
                        <h2>{format::month(cx.lang, month.first)}</h2>
                        <span class="muted nowrap">{t.receipts(month.receipts)} ", " <b>{cx.money(month.total)}</b></span>
                    </div>
                    <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
                </section>
            }
        })
        .collect();
    let next = found.next.map(|next| more(cx, asked.address(Some(next))));
    view! { {months} {next} }.into_html()
}

/// What is listed as a file.
fn files(cx: &Cx, asked: &Asked) -> Html {
    let t = &cx.t().points;
    view! {
        <div class="panel no-print">
            <h2>{cx.t().bought.save}</h2>
            <p class="actions">
                <a class="btn btn-sm" href=asked.file("csv")>{t.save_csv}</a>
                <a class="btn btn-sm" href=asked.file("pdf")>{t.save_pdf}</a>
            </p>
        </div>
    }
    .into_html()
}

/// A receipt in a list.
pub(super) fn row(cx: &Cx, purchase: &Purchase) -> Html {
    row_with(cx, purchase, None)
}

/// The same with the article that a search found on it, and its price.
fn row_with(cx: &Cx, purchase: &Purchase, found: Option<&(String, i64)>) -> Html {
    let t = &cx.t().purchases;
    let store = purchase.store.as_ref().map(|store| cx.pick(&store.name));
    let (inside, name) = match (purchase.kind, store) {
        (Kind::Sale, Some(store)) => (icons::RECEIPT_TEXT, store),
        (Kind::Sale, None) => (icons::RECEIPT_TEXT, t.purchase.to_owned()),
        (Kind::Return, Some(store)) => (icons::UNDO_2, format!("{}: {store}", t.return_)),
        (Kind::Return, None) => (icons::UNDO_2, t.return_.to_owned()),
    };
    let came_back = (purchase.kind == Kind::Sale && purchase.returned)
        .then(|| view! { " " <span class="badge">{t.came_back}</span> });
    let at = purchase.at;
    let (when, local) = (
        cx.moment_in(purchase.store.as_ref(), at),
        cx.local_in(purchase.store.as_ref(), at),
    );
    let points = (purchase.points != 0).then(|| {
        let points = format::signed_points(cx.lang, purchase.points);
        view! { <small class="points">{points} " " {super::points::unit(cx, purchase.points)}</small> }
    });
    let found = found.map(|(name, price)| view! { <small><b>{name.clone()}</b> ", " {cx.money(*price)}</small> });
    view! {
        <li>
            <a class="row" href=format!("/purchases/{}", purchase.id)>
                <span class="row-icon">{icon(inside)}</span>
                <span class="row-main">
                    <b>{name}</b>
                    <small><Moment at=at shown=when local=local/> ", " {t.lines(purchase.lines)} {came_back}</small>
                    {found}
                </span>
                <span class="row-end"><b>{cx.money(purchase.total)}</b> {points}</span>
            </a>
        </li>
    }
    .into_html()
}

/// Over how many months an average is told: from the first one with a receipt to the last, at least one.
pub fn months_of(spent: &[Month]) -> i64 {
    let since = spent.iter().skip_while(|month| month.receipts == 0).count();
    since.max(1) as i64
}

/// What was spent month by month, unless it was nothing.
fn chart(cx: &Cx, spent: &[Month]) -> Option<Html> {
    let t = &cx.t().purchases;
    let top = spent
        .iter()
        .filter(|month| month.total > 0)
        .max_by_key(|month| month.total)?;
    let all: i64 = spent.iter().map(|month| month.total).sum();
    let average = all / months_of(spent);
    let whole = |minor| format::money_rounded(cx.lang, cx.shop(), minor);
    let bars = spent
        .iter()
        .map(|month| Bar {
            short: format::month_short(cx.lang, month.first),
            name: format::month(cx.lang, month.first),
            value: month.total,
            label: whole(month.total),
            figure: cx.money(month.total),
        })
        .collect();
    let title = t.most(format::month(cx.lang, top.first), whole(top.total));
    let note = t.in_a_year(whole(average), whole(all));
    Some(
        view! { <div class="panel"><Bars title=title note=note bars=bars columns=[t.month, t.spent]/></div> }
            .into_html(),
    )
}
