//! Everything that was sent to the customer, as it went: by channel, page by page.

use super::{back, more, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::html::IntoHtml;
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Moment, paragraphs};
use crm::outbox::Channel;
use crm::outbox::own::{self, Sent};
use islands::AppError;
use leptos::prelude::*;

/// Messages on one page.
const SHOWN: usize = 20;
const HERE: &str = "/profile/messages";

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().messages;
    let me = cx.subject()?;
    let channel = cx.query("channel");
    let channel = channel.and_then(|code| Channel::ALL.into_iter().find(|channel| channel.as_str() == code));
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let mut sent = own::list(&mut conn, me, channel, before, SHOWN as i64 + 1).await?;
    drop(conn);
    let has_more = sent.len() > SHOWN;
    sent.truncate(SHOWN);
    let next = sent
        .last()
        .filter(|_| has_more)
        .map(|last| show_place((last.created_at, last.id.0)));
    let first_of =
        |channel: Option<Channel>| channel.map_or(HERE.to_owned(), |of| format!("{HERE}?channel={}", of.as_str()));
    let next = next.map(|next| {
        let channel = channel
            .map(|channel| format!("&channel={}", channel.as_str()))
            .unwrap_or_default();
        more(&cx, format!("{HERE}?before={next}{channel}"))
    });
    let tabs: Vec<_> = [
        (None, t.all),
        (Some(Channel::Email), t.email),
        (Some(Channel::Sms), t.sms),
    ]
    .into_iter()
    .map(|(of, words)| {
        let current = (of == channel).then_some("page");
        view! { <a href=first_of(of) aria-current=current>{words}</a> }
    })
    .collect();
    let list: Vec<_> = sent.iter().map(|sent| message(&cx, sent)).collect();
    let list = if list.is_empty() {
        let (words, href, link) = match (before, channel) {
            (Some(_), _) => (t.no_more, first_of(channel), cx.t().points.from_the_start),
            (None, Some(Channel::Email)) => (t.none_email, HERE.to_owned(), t.show_all),
            (None, Some(Channel::Sms)) => (t.none_sms, HERE.to_owned(), t.show_all),
            (None, None) => (t.none, "/profile/preferences".to_owned(), t.to_preferences),
        };
        view! {
            <div class="panel empty">
                {icon(icons::INBOX)}
                <p>{words}</p>
                <a class="btn" href=href>{link}</a>
            </div>
        }
        .into_html()
    } else {
        view! { <ul class="stack">{list}</ul> {next} }.into_html()
    };
    // Where there is nothing, its place has the link.
    let back_to_first = before
        .filter(|_| !sent.is_empty())
        .map(|_| view! { <p><a href=first_of(channel)>{cx.t().points.from_the_start}</a></p> });
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead(i64::from(cx.shop().messages.keep_days))}</p>
        </div>
        <div class="narrow stack">
            <nav class="tabs" aria-label=t.channels>{tabs}</nav>
            {back_to_first}
            {list}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn message(cx: &Cx, sent: &Sent) -> impl IntoView + use<> {
    let t = &cx.t().messages;
    let (channel, address) = match sent.channel {
        Channel::Sms => (t.sms, cx.phone(&sent.address)),
        Channel::Email => (t.email, sent.address.clone()),
    };
    let subject = (sent.channel == Channel::Email).then(|| view! { <h2>{sent.subject.clone()}</h2> });
    let lost = sent
        .undelivered_at
        .map(|_| view! { <p class="hint">{t.undelivered}</p> });
    let (at, shown) = (sent.sent_at, cx.moment(sent.sent_at));
    view! {
        <li class="panel message">
            <p class="message-head"><b>{channel}</b> " " <bdi>{address}</bdi> " " <Moment at=at shown=shown/></p>
            <div lang=sent.language.code()>{subject} {paragraphs(&sent.body)}</div>
            {lost}
        </li>
    }
}
