//! Purchases by month, with a search, filters that are part of the address, and what was spent month by month.

use super::period::Period;
use super::{place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::chart::{Bar, Bars};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use chrono::{Datelike, NaiveDate};
use crm::points::Before;
use crm::purchase::{Filter, Kind, Month, Page, Purchase, StoreName, store as purchases};
use islands::AppError;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// Receipts on one page.
const SHOWN: usize = 20;
/// Months in the chart.
const MONTHS: u32 = 12;
/// The longest text to search for, in characters: names of articles are shorter.
const TEXT_MAX: usize = 100;

/// What the address asks for: as it was typed, as it is looked for, and what could not be read.
#[derive(Default)]
pub struct Asked {
    /// In the name of an article.
    pub text: String,
    /// The id of a store.
    pub store: String,
    /// From when until when.
    pub period: Period,
    filter: Filter,
}

impl Asked {
    fn read(cx: &Cx) -> Self {
        let typed = |name: &str| cx.query(name).unwrap_or_default().to_owned();
        // PostgreSQL takes no NUL in a text, and nobody means any of its kind.
        let text: String = typed("q")
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(TEXT_MAX)
            .collect();
        let (store, period) = (typed("store"), Period::read(cx));
        let wanted = Some(text.clone()).filter(|text| !text.trim().is_empty());
        let filter = Filter {
            text: wanted,
            store: store.parse().ok(),
            from: period.first,
            to: period.last,
        };
        Self {
            text,
            store,
            period,
            filter,
        }
    }

    /// Something narrows the list, or was meant to.
    fn is_any(&self) -> bool {
        !self.text.is_empty() || self.has_more()
    }

    /// So does something that the folded part of the form holds.
    fn has_more(&self) -> bool {
        !self.store.is_empty() || self.period.is_any()
    }

    /// The page's own address with these filters, from a place in the list on.
    pub fn address(&self, before: Option<Before>) -> String {
        let mut query = BTreeMap::from([
            ("q", self.text.clone()),
            ("store", self.store.clone()),
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

/// A day as a field of dates sends it.
pub fn day(typed: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(typed, "%Y-%m-%d")
        .ok()
        .filter(|day| (1900..=2200).contains(&day.year()))
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().purchases;
    let me = cx.customer()?.me();
    let asked = Asked::read(&cx);
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let found = purchases::list(&mut conn, me, &asked.filter, before, SHOWN).await?;
    let spent = purchases::spending(&mut conn, me, MONTHS).await?;
    let stores = purchases::stores(&mut conn, me).await?;
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
        {form(&cx, &asked, &stores, !found.months.is_empty())}
        <div class="cols">
            <div>
                {before.map(|_| view! { <p><a href=asked.address(None)>{t.from_the_start}</a></p> })}
                {list(&cx, &asked, &found)}
            </div>
            <div>
                {chart(&cx, &spent)}
                <div class="actions"><a class="btn" href="/purchases/claim">{icon(icons::RECEIPT_TEXT)} {cx.t().claim.link}</a></div>
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
            <a href="/purchases/claim">{cx.t().claim.link}</a>
        </div>
    }
    .into_html()
}

fn form(cx: &Cx, asked: &Asked, stores: &[StoreName], found: bool) -> Html {
    let t = &cx.t().purchases;
    let chosen = asked.store.clone();
    let options: Vec<_> = std::iter::once((String::new(), t.any_store.to_owned()))
        .chain(stores.iter().map(|store| {
            (
                store.id.to_string(),
                format!("{}, {}", store.name.get(cx.lang), store.town.get(cx.lang)),
            )
        }))
        .map(|(value, words)| view! { <option value=value.clone() selected=value == chosen>{words}</option> })
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
                    <label class="grow">{t.store} <select class="input" name="store">{options}</select></label>
                    {asked.period.fields(cx)}
                    <button class="btn">{t.apply}</button>
                </div>
            </details>
            {(found && asked.is_any()).then(|| view! { <a class="btn btn-quiet btn-sm" href="/purchases">{t.reset}</a> })}
        </form>
    }
    .into_html()
}

fn list(cx: &Cx, asked: &Asked, found: &Page) -> Html {
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
            let rows: Vec<_> = receipts.iter().map(|purchase| row(cx, purchase)).collect();
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
    let next = found.next.map(|next| {
        view! { <p class="more-link"><a class="btn" href=asked.address(Some(next)) rel="next">{cx.t().common.more}</a></p> }
    });
    view! { {months} {next} }.into_html()
}

/// A receipt in a list.
pub(super) fn row(cx: &Cx, purchase: &Purchase) -> Html {
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
    let points = (purchase.points != 0).then(|| {
        let points = format::signed_points(cx.lang, purchase.points);
        view! { <small class="points">{points} " " {super::points::unit(cx, purchase.points)}</small> }
    });
    view! {
        <li>
            <a class="row" href=format!("/purchases/{}", purchase.id)>
                <span class="row-icon">{icon(inside)}</span>
                <span class="row-main">
                    <b>{name}</b>
                    <small><Moment at=purchase.at shown=cx.moment(purchase.at)/> " · " {t.lines(purchase.lines)} {came_back}</small>
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
