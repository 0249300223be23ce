//! The development inbox: what would have gone out. Only a demonstration without a transport has it.

use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::html::IntoHtml;
use crate::ui::{Moment, paragraphs};
use crm::factor::store::demonstration_codes;
use crm::outbox::{self, Channel};
use islands::AppError;
use leptos::prelude::*;

/// How many messages are shown: a person looks for the newest.
const SHOWN: i64 = 50;

/// The newest messages.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().inbox;
    let messages = outbox::inbox(&cx.db, SHOWN).await?;
    let list: Vec<_> = messages
        .into_iter()
        .map(|m| {
            let (channel, address) = match m.channel {
                Channel::Sms => ("SMS", cx.phone(&m.address)),
                Channel::Email => (t.email, m.address),
            };
            view! {
                <li class="panel message" lang=m.language.code()>
                    <p class="message-head">
                        <b>{channel}</b> " " {address} " " <Moment at=m.created_at shown=cx.ago(m.created_at)/>
                    </p>
                    {(m.channel == Channel::Email).then(|| view! { <h2>{m.subject}</h2> })}
                    {paragraphs(&m.body)}
                </li>
            }
        })
        .collect();
    let body = if list.is_empty() {
        view! { <p class="empty">{t.empty}</p> }.into_html()
    } else {
        view! { <ul class="stack">{list}</ul> }.into_html()
    };
    let codes: Vec<_> = demonstration_codes(&cx.db)
        .await?
        .into_iter()
        .map(|shown| {
            view! { <li><b>{shown.login}</b> " " <code>{shown.code}</code> " " <small>{t.seconds(shown.seconds_left)}</small></li> }
        })
        .collect();
    let codes = (!codes.is_empty()).then(|| {
        view! {
            <section class="panel" aria-labelledby="codes">
                <h2 id="codes">{t.codes}</h2>
                <ul>{codes}</ul>
                <p class="hint">{t.codes_text}</p>
            </section>
        }
    });
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {codes}
        {body}
    };
    Ok(Body::new(t.title, Frame::Plain, view))
}
