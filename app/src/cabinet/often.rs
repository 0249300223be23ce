//! What a customer buys again and again, with what it cost the last time, and the way to plan it once more.

use super::what_if::plain;
use super::{back, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::purchase::{Often, store as purchases};
use islands::AppError;
use leptos::prelude::*;

/// Articles on a page.
const SHOWN: usize = 30;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().often;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    // The address holds how often the last one was bought, when, and which it is.
    let after = cx.query("after").and_then(|after| {
        let (times, before) = after.split_once('-')?;
        Some((times.parse().ok()?, place(before)?))
    });
    let mut often = purchases::often(&mut conn, me, after, SHOWN as i64 + 1).await?;
    drop(conn);
    let has_more = often.len() > SHOWN;
    often.truncate(SHOWN);
    let next = often.last().filter(|_| has_more).map(|last| {
        let href = format!(
            "/purchases/often?after={}-{}",
            last.times,
            show_place((last.at, last.article.0))
        );
        super::more(&cx, href)
    });
    let rows: Vec<_> = often.iter().map(|article| row(&cx, article)).collect();
    let lead = (!rows.is_empty()).then(|| view! { <p class="lead">{t.lead}</p> });
    let list = match rows.is_empty() {
        true => view! {
            <div class="panel empty">
                {icon(icons::RECEIPT_TEXT)}
                <p>{t.none}</p>
                <a class="btn" href="/purchases/claim">{cx.t().claim.link}</a>
            </div>
        }
        .into_html(),
        false => view! {
            <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            {next}
        }
        .into_html(),
    };
    let view = view! {
        {back("/purchases", cx.t().purchases.title)}
        <div>
            <h1>{t.title}</h1>
            {lead}
        </div>
        <div class="narrow stack">{list}</div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

fn row(cx: &Cx, article: &Often) -> Html {
    let t = &cx.t().often;
    let plan = form_urlencoded::Serializer::new(String::new())
        .append_pair("code0", &article.code)
        .append_pair("quantity0", "1")
        .append_pair("price0", &plain(cx, article.price))
        .finish();
    let store = article
        .store
        .as_ref()
        .map(|store| view! { ", " <bdi>{cx.pick(&store.name)}</bdi> });
    view! {
        <li class="row">
            <span class="row-main">
                <b><bdi>{article.name.clone()}</bdi></b>
                <small>
                    {t.times(article.times)} ", " {t.last} " "
                    <a href=format!("/purchases/{}", article.purchase)><Moment at=article.at shown=cx.day(article.at)/></a>
                    {store}
                </small>
            </span>
            <span class="row-end">
                <b>{cx.money(article.price)}</b>
                <a href=format!("/what-if?{plan}")>{t.plan} " " <span class="sr-only">{article.name.clone()}</span></a>
            </span>
        </li>
    }
    .into_html()
}
