//! What happened, for whoever was not there: answers, points, tiers, safety. Looking at it reads all of it.

use super::{back, more, place, show_place};
use crate::account::questions;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::Moment;
use crate::ui::html::IntoHtml;
use crate::ui::icon::{self as icons, icon};
use crm::notification::{self, Kind, Notification};
use islands::AppError;
use leptos::prelude::*;

/// Notifications on one page.
const SHOWN: usize = 30;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().notifications;
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let mut all = notification::list(&mut conn, cx.subject()?, before, SHOWN as i64 + 1).await?;
    drop(conn);
    let has_more = all.len() > SHOWN;
    all.truncate(SHOWN);
    // What came while the page was made is not among them, and stays new.
    if let (Some(newest), Some(customer)) = (all.first(), &cx.customer)
        && cx.is_visit
        && customer.unread() > 0
    {
        notification::mark_read(&cx.db, customer, newest.at).await?;
    }
    let next = all
        .last()
        .filter(|_| has_more)
        .map(|last| show_place((last.at, last.id.0)));
    let next = next.map(|next| more(&cx, format!("/notifications?before={next}")));
    let rows: Vec<_> = all.iter().map(|one| row(&cx, one)).collect();
    let list = if rows.is_empty() {
        view! {
            <div class="panel empty">
                {icon(icons::BELL)}
                <p>{t.none}</p>
                <a class="btn" href="/offers">{cx.t().stores.to_offers}</a>
            </div>
        }
        .into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> {next} }.into_html()
    };
    let view = view! {
        {back("/", cx.t().points.back)}
        <h1>{t.title}</h1>
        <div class="narrow stack">
            {before.map(|_| view! { <p><a href="/notifications">{cx.t().points.from_the_start}</a></p> })}
            {list}
            <p class="ways"><a href="/profile/messages">{t.to_messages}</a></p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn row(cx: &Cx, one: &Notification) -> impl IntoView + use<> {
    let t = &cx.t().notifications;
    let points = cx.points(one.points.unwrap_or_default());
    let name = one.name.as_ref().map(|name| cx.pick(&name.0));
    let (inside, href, words) = match one.kind {
        Kind::Active => (icons::COINS, "/points".to_owned(), t.active(points)),
        Kind::Correction => {
            let given = one.points.unwrap_or_default();
            let points = cx.points(given.abs());
            let words = match given > 0 {
                true => t.correction_given(points, &one.about),
                false => t.correction_taken(points, &one.about),
            };
            (icons::COINS, "/points".to_owned(), words)
        }
        Kind::Invitation => {
            let words = match one.points {
                Some(_) => t.invitation(points),
                None => t.invitation_plain(name.unwrap_or_default()),
            };
            (icons::USERS, "/invite".to_owned(), words)
        }
        Kind::Reward => {
            let rule = name.unwrap_or_default();
            let words = match one.points {
                Some(_) => t.reward(points, rule),
                None => t.reward_plain(rule),
            };
            (icons::SPARKLES, "/points".to_owned(), words)
        }
        Kind::Tier => {
            let words = name.map_or(t.tier_none.to_owned(), |tier| t.tier(tier));
            (icons::SPARKLES, "/programs".to_owned(), words)
        }
        // A request has a number, a question has none.
        Kind::Answer => match one.about.parse::<i64>() {
            Ok(number) => {
                // By a topic it is told that the shop wrote first.
                let words = name.map_or_else(|| t.answer(&one.about), |topic| t.begun(&one.about, topic));
                (icons::MESSAGE_CIRCLE, format!("/support/{number}"), words)
            }
            Err(_) => (icons::MESSAGE_CIRCLE, questions::MINE.to_owned(), t.question.to_owned()),
        },
        Kind::Taken => (
            icons::MESSAGE_CIRCLE,
            format!("/support/{}", one.about),
            t.taken(&one.about),
        ),
        Kind::Closed => (
            icons::MESSAGE_CIRCLE,
            format!("/support/{}", one.about),
            t.closed(&one.about),
        ),
        Kind::Expiry => {
            let day = one.day.map(|day| crate::format::day(cx.lang, day, cx.today()));
            (
                icons::HOURGLASS,
                "/points/expiry".to_owned(),
                t.expiry(day.unwrap_or_default(), points),
            )
        }
        Kind::Received => (
            icons::COINS,
            "/points/transfer".to_owned(),
            t.received(&one.about, points),
        ),
        Kind::Security => {
            let href = match one.about.as_str() {
                "new_device" | "sessions_ended" => "/devices",
                "card_blocked" | "card_bound" | "card_issued" => "/card",
                about if about.starts_with("points_") => "/points/transfer",
                about if about.starts_with("spending_") => "/points",
                about if about.starts_with("number_") => "/profile/contacts",
                about if about.starts_with("merge_") => "/merge",
                "contact_added" | "contact_removed" | "phone_changed" | "email_changed" => "/profile/contacts",
                _ => "/profile/security",
            };
            let subject = one
                .subject
                .as_ref()
                .map_or(t.security.to_owned(), |subject| cx.pick(&subject.0));
            (icons::SHIELD_CHECK, href.to_owned(), subject)
        }
    };
    let new = one
        .read_at
        .is_none()
        .then(|| view! { " " <span class="badge badge-brand">{t.new}</span> });
    let (at, shown) = (one.at, cx.moment(one.at));
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-icon">{icon(inside)}</span>
                <span class="row-main"><b dir="auto">{words}</b> <small><Moment at=at shown=shown/> {new}</small></span>
                <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
}
