//! Where the money of the last months went, category by category and month by month, and what was saved.

use super::back;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::chart::{Row, Rows};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{DataTable, Head};
use crm::purchase::{Spending, store as purchases};
use islands::AppError;
use leptos::prelude::*;

/// Over how many months it may be told.
const PERIODS: [u32; 4] = [3, 6, 12, 24];
/// Over how many it is, unless somebody asks.
const MONTHS: u32 = 12;
/// Categories of their own; the rest is told as one.
const CATEGORIES: usize = 8;

/// A category as the page tells it.
struct Told {
    name: String,
    sum: i64,
    by_month: Vec<i64>,
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().spending;
    let me = cx.subject()?;
    let asked = cx.query("months").and_then(|months| months.parse().ok());
    let months = asked.filter(|months| PERIODS.contains(months)).unwrap_or(MONTHS);
    let mut conn = cx.db.read().await?;
    let spent = purchases::spent(&mut conn, me, months).await?;
    drop(conn);
    let period = t.months(i64::from(months));
    let told = told(&cx, &spent);
    let chart = chart(&cx, &spent, &told, &period);
    let none = told.is_empty().then(|| {
        view! {
            <div class="panel empty">
                {icon(icons::RECEIPT_TEXT)}
                <p>{t.none(&period)}</p>
                <a class="btn" href="/purchases/claim">{cx.t().claim.link}</a>
            </div>
        }
    });
    let chips: Vec<_> = PERIODS
        .iter()
        .map(|n| {
            let href = format!("/purchases/spending?months={n}");
            let current = (*n == months).then_some("true");
            view! { <li><a class="chip" href=href aria-current=current>{t.months(i64::from(*n))}</a></li> }
        })
        .collect();
    let view = view! {
        {back("/purchases", cx.t().purchases.title)}
        <div class="page-head"><h1>{t.title}</h1></div>
        <ul class="chips" aria-label=t.period>{chips}</ul>
        <div class="narrow stack">
            {none}
            {chart}
            {saved(&cx, &spent, &period)}
        </div>
        {by_month(&cx, &told, &spent)}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

/// The categories that money was spent on, the most first; the smallest as one.
fn told(cx: &Cx, spent: &Spending) -> Vec<Told> {
    let t = &cx.t().spending;
    // Of what was given back more than was bought in this time nothing can be drawn.
    let mut all: Vec<Told> = spent
        .categories
        .iter()
        .filter(|one| one.sum > 0)
        .map(|one| Told {
            name: one
                .name
                .as_ref()
                .map_or_else(|| t.uncategorised.to_owned(), |name| cx.pick(name)),
            sum: one.sum,
            by_month: one.by_month.clone(),
        })
        .collect();
    let rest = all.split_off(all.len().min(CATEGORIES));
    if !rest.is_empty() {
        let by_month = |nth: usize| -> i64 { rest.iter().filter_map(|one| one.by_month.get(nth)).sum() };
        all.push(Told {
            name: t.rest.to_owned(),
            sum: rest.iter().map(|one| one.sum).sum(),
            by_month: (0..spent.months.len()).map(by_month).collect(),
        });
    }
    all
}

/// What each category cost, unless there is none.
fn chart(cx: &Cx, spent: &Spending, told: &[Told], period: &str) -> Option<Html> {
    let t = &cx.t().spending;
    let most = told.first()?;
    let whole = |minor| format::money_rounded(cx.lang, cx.shop(), minor);
    let title = t.most(&most.name, whole(most.sum));
    let all: i64 = spent.categories.iter().map(|one| one.sum).sum();
    let drawn: i64 = told.iter().map(|one| one.sum).sum();
    let note = match drawn - all {
        0 => t.in_all(period, whole(all)),
        back => t.in_all_less(whole(back), period, whole(all)),
    };
    let rows = told
        .iter()
        .map(|one| Row {
            name: one.name.clone(),
            value: one.sum,
            figure: cx.money(one.sum),
        })
        .collect();
    Some(
        view! { <div class="panel"><Rows title=title note=note rows=rows columns=[t.category, t.spent]/></div> }
            .into_html(),
    )
}

/// What each category cost month by month, the newest first.
fn by_month(cx: &Cx, told: &[Told], spent: &Spending) -> Option<Html> {
    let t = &cx.t().spending;
    let whole = |minor| match minor {
        0 => "–".to_owned(),
        minor => format::money_rounded(cx.lang, cx.shop(), minor),
    };
    let cell = |minor: i64| view! { <td class="num nowrap">{whole(minor)}</td> };
    let months = spent.months.iter().rev().map(|first| {
        Head::Made(view! { <th scope="col" class="num">{format::month(cx.lang, *first)}</th> }.into_html())
    });
    let heads: Vec<Head> = std::iter::once(Head::Words(t.category))
        .chain(months)
        .chain([Head::Number(t.total)])
        .collect();
    let rows: Vec<_> = told
        .iter()
        .map(|one| {
            let cells: Vec<_> = one.by_month.iter().rev().map(|sum| cell(*sum)).collect();
            view! { <tr><th scope="row"><bdi>{one.name.clone()}</bdi></th>{cells}{cell(one.sum)}</tr> }
        })
        .collect();
    (!told.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2 id="by-month">{t.by_month}</h2>
                <DataTable label=t.by_month heads=heads rows=rows.into_html()/>
            </section>
        }
        .into_html()
    })
}

/// What was saved, unless it was nothing.
fn saved(cx: &Cx, spent: &Spending, period: &str) -> Option<Html> {
    let t = &cx.t().spending;
    let all = spent.discounts + spent.points;
    (all > 0).then(|| {
        view! {
            <section class="panel" aria-labelledby="saved">
                <h2 id="saved">{t.saved(period, cx.money(all))}</h2>
                <dl class="kv">
                    <div><dt>{t.discounts}</dt><dd>{cx.money(spent.discounts)}</dd></div>
                    <div><dt>{t.points}</dt><dd class="points">{cx.points(spent.points)}</dd></div>
                </dl>
            </section>
        }
        .into_html()
    })
}
