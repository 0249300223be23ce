//! Where the link of a promotional e-mail leads: takes the consent back without a sign-in. The form sends what mail providers
//! send by themselves (RFC 8058), so both are one; `server::unsubscribe` takes it.

use crate::cabinet::consents::{about, channel_words};
use crate::cx::Cx;
use crate::route::{Body, Frame, Route};
use crate::ui::html::IntoHtml;
use crm::consent::unsubscribe;
use islands::AppError;
use leptos::prelude::*;

/// The field and its value by which a consent is taken back.
pub const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

/// The page, which is in no table: its form is none of ours alone.
pub const PAGE: Route = crate::page!("/unsubscribe/{secret}", Public, page);

async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().unsubscribe;
    let token: String = cx.param("secret")?;
    let link = unsubscribe::about(&cx.db, &token).await?;
    let (aim, _) = about(&cx, link.aim);
    let channel = channel_words(&cx, link.channel);
    let address = link
        .address
        .map(|address| view! { <div><dt>{t.address}</dt><dd><bdi>{address}</bdi></dd></div> });
    let (title, lead) = match link.is_given {
        true => (t.title, t.lead),
        false => (t.done_title, t.done),
    };
    let form = link.is_given.then(|| {
        let (name, value) = ONE_CLICK;
        view! {
            <form class="form" method="post">
                <input type="hidden" name=name value=value/>
                <button class="btn btn-primary btn-wide">{t.stop}</button>
            </form>
        }
        .into_html()
    });
    let view = view! {
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
        <dl class="kv panel">
            <div><dt>{t.aim}</dt><dd>{aim}</dd></div>
            <div><dt>{t.channel}</dt><dd>{channel}</dd></div>
            {address}
        </dl>
        {form}
        <p>{t.rest} " " <a href="/profile/consents">{t.to_consents}</a></p>
    };
    Ok(Body::new(title, Frame::Alone, view))
}
