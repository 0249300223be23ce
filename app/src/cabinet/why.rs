//! What became of every program and every rule that counted when something was bought: which gave what, and why the others gave
//! nothing.

use super::looked;
use super::points::unit;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::content::percent;
use crm::id::PurchaseId;
use crm::quote::why::{Answer, Asked, Share, Why, why};
use crm::report::store::explained::Look;
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().why;
    let id: PurchaseId = cx.param("id")?;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let asked = why(&mut conn, me, id).await?;
    drop(conn);
    looked(&cx, Look::Why).await;
    let view = view! {
        <a class="back" href=format!("/purchases/{id}")>{icon(icons::ARROW_LEFT)} {t.back}</a>
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        <div class="narrow stack">
            {answers(&cx, asked)}
            <p class="actions no-print">
                <a class="btn" href=format!("/support/new?receipt={id}&line=all")>{icon(icons::MESSAGE_CIRCLE)} {t.write}</a>
            </p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

/// What the programs gave of their own; then which rules gave something, and which nothing and why.
pub(crate) fn answers(cx: &Cx, asked: Why) -> Html {
    let t = &cx.t().why;
    let Why { shares, rules } = asked;
    let (gave, others): (Vec<Asked>, Vec<Asked>) = rules
        .into_iter()
        .partition(|rule| matches!(rule.answer, Answer::Gave { .. }));
    let none = (gave.is_empty() && others.is_empty()).then(|| {
        let words = match shares.iter().any(|share| share.earned > 0) {
            true => t.none,
            false => t.no_rules,
        };
        view! { <p class="muted">{words}</p> }
    });
    view! { {programs(cx, &shares)} {none} {list(cx, t.gave, &gave)} {list(cx, t.others, &others)} }.into_html()
}

/// What each program gave of its own, or why it gave nothing.
fn programs(cx: &Cx, shares: &[Share]) -> Option<Html> {
    let t = &cx.t().why;
    let rows: Vec<_> = shares
        .iter()
        .map(|share| {
            let name = t.share(cx.pick(&share.program), percent(cx.lang, share.share));
            let words = match (share.earned > 0, share.is_member) {
                (true, _) => t.member,
                (false, true) => t.too_little,
                (false, false) => t.no_member,
            };
            let points = (share.earned > 0).then(|| {
                let points = format::signed_points(cx.lang, share.earned);
                view! { <span class="row-end points">{points} " " {unit(cx, share.earned)}</span> }
            });
            view! {
                <li class="row">
                    <span class="row-main"><b><bdi>{name}</bdi></b> <small>{words}</small></span>
                    {points}
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2>{t.programs}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

fn list(cx: &Cx, title: &'static str, rules: &[Asked]) -> Option<Html> {
    let t = &cx.t().why;
    let rows: Vec<_> = rules
        .iter()
        .map(|rule| {
            let name = t.rule(cx.pick(&rule.name), rule.by.version);
            let (words, points) = match &rule.answer {
                Answer::Gave { discount, points } => {
                    let discount = (*discount > 0).then(|| t.off(cx.money(*discount)));
                    let points = (*points > 0)
                        .then(|| format!("{} {}", format::signed_points(cx.lang, *points), unit(cx, *points)));
                    (discount.unwrap_or_default(), points)
                }
                Answer::Failed(words) => (cx.pick(words), None),
                Answer::Unclear => (t.unclear.to_owned(), None),
            };
            view! {
                <li class="row">
                    <span class="row-main"><b><bdi>{name}</bdi></b> <small>{words}</small></span>
                    {points.map(|points| view! { <span class="row-end points">{points}</span> })}
                </li>
            }
        })
        .collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section">
                <h2>{title}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}
