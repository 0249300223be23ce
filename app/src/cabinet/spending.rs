//! Where the money of the last months went, category by category, and what was saved.

use super::back;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::chart::{Row, Rows};
use crate::ui::html::{Html, IntoHtml};
use crm::purchase::{Spending, store as purchases};
use islands::AppError;
use leptos::prelude::*;

/// Months that are told of.
const MONTHS: u32 = 12;
/// Categories of their own; the rest is told as one.
const CATEGORIES: usize = 8;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().spending;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let spent = purchases::spent(&mut conn, me, MONTHS).await?;
    drop(conn);
    let chart = chart(&cx, &spent);
    let none = chart.is_none().then(|| view! { <p class="muted">{t.none}</p> });
    let view = view! {
        {back("/purchases", cx.t().purchases.title)}
        <div class="page-head"><h1>{t.title}</h1></div>
        <div class="narrow stack">
            {none}
            {chart}
            {saved(&cx, &spent)}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

/// The categories that money was spent on, unless there is none.
fn chart(cx: &Cx, spent: &Spending) -> Option<Html> {
    let t = &cx.t().spending;
    // Of what was given back more than was bought in this time nothing can be drawn.
    let sums: Vec<(String, i64)> = spent
        .categories
        .iter()
        .filter(|(_, sum)| *sum > 0)
        .map(|(name, sum)| {
            (
                name.as_ref()
                    .map_or_else(|| t.uncategorised.to_owned(), |name| cx.pick(name)),
                *sum,
            )
        })
        .collect();
    let (most, sum) = sums.first()?;
    let whole = |minor| format::money_rounded(cx.lang, cx.shop(), minor);
    let title = t.most(most, whole(*sum));
    let note = t.in_a_year(whole(sums.iter().map(|(_, sum)| sum).sum()));
    let (shown, rest) = sums.split_at(sums.len().min(CATEGORIES));
    let rest: i64 = rest.iter().map(|(_, sum)| sum).sum();
    let rest = (rest > 0).then(|| (t.rest.to_owned(), rest));
    let rows = shown
        .iter()
        .cloned()
        .chain(rest)
        .map(|(name, value)| Row {
            name,
            value,
            figure: cx.money(value),
        })
        .collect();
    Some(
        view! { <div class="panel"><Rows title=title note=note rows=rows columns=[t.category, t.spent]/></div> }
            .into_html(),
    )
}

/// What was saved, unless it was nothing.
fn saved(cx: &Cx, spent: &Spending) -> Option<Html> {
    let t = &cx.t().spending;
    let all = spent.discounts + spent.points;
    (all > 0).then(|| {
        view! {
            <section class="panel" aria-labelledby="saved">
                <h2 id="saved">{t.saved(cx.money(all))}</h2>
                <dl class="kv">
                    <div><dt>{t.discounts}</dt><dd>{cx.money(spent.discounts)}</dd></div>
                    <div><dt>{t.points}</dt><dd class="points">{cx.points(spent.points)}</dd></div>
                </dl>
            </section>
        }
        .into_html()
    })
}
