//! Where somebody looks who misses points: the last receipts that brought none, or fewer than the programs' shares, each with
//! the way to why. Whoever expected more of a rule finds the other receipts from here.

use super::back;
use super::points::unit;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::points::{Short, store as points};
use crm::purchase::{Filter, store as purchases};
use islands::AppError;
use leptos::prelude::*;

/// How many of the last receipts are looked at.
const LAST: i64 = 50;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().missing;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let short = points::short(&mut conn, me, LAST).await?;
    let last = purchases::list(&mut conn, me, &Filter::default(), None, 1).await?;
    drop(conn);
    let has_purchases = !last.months.is_empty();
    let rows: Vec<_> = short.iter().map(|one| row(&cx, one)).collect();
    let list = match (rows.is_empty(), has_purchases) {
        (false, _) => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
        (true, true) => view! { <div class="panel empty">{icon(icons::CHECK)} <p>{t.none}</p></div> }.into_html(),
        (true, false) => view! {
            <div class="panel empty">
                {icon(icons::RECEIPT_TEXT)}
                <p>{t.no_purchases}</p>
                <a class="btn btn-primary" href="/card">{cx.t().purchases.show_card}</a>
            </div>
        }
        .into_html(),
    };
    let other = has_purchases.then(|| {
        view! {
            <p>{t.more_expected}</p>
            <p class="actions"><a class="btn" href="/purchases">{t.other}</a></p>
        }
    });
    let view = view! {
        {back("/points", cx.t().points.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead(LAST)}</p>
        </div>
        <div class="narrow stack">
            {list}
            {other}
            <p>{t.else_}</p>
            <p class="actions">
                <a class="btn" href="/purchases/claim">{t.claim}</a>
                <a class="btn" href="/support/new">{t.write}</a>
            </p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

fn row(cx: &Cx, one: &Short) -> Html {
    let t = &cx.t().missing;
    let document = cx.t().common.document(&one.document);
    let store = one.store.as_ref().map(|name| format!("{}, ", cx.pick(name)));
    let words = match (one.earned, one.share) {
        (0, 0) => t.nothing.to_owned(),
        (earned, share) => t.fewer(cx.points(earned), cx.points(share)),
    };
    let unit = (one.share > 0).then(|| unit(cx, one.share));
    view! {
        <li>
            <a class="row" href=format!("/purchases/{}/why", one.purchase)>
                <span class="row-icon">{icon(icons::RECEIPT_TEXT)}</span>
                <span class="row-main">
                    <b>{document}</b>
                    <small>{store} <Moment at=one.at shown=cx.moment(one.at)/></small>
                    <span>{words} " " {unit}</span>
                </span>
                <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
    .into_html()
}
