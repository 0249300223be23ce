//! The first visit: three things that are worth doing at once. Registering leads here, and so does the help.

use super::flash;
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use islands::AppError;
use leptos::prelude::*;

/// Where it is.
pub(crate) const HERE: &str = "/welcome";

/// Something to do, and where.
struct Step {
    icon: &'static str,
    title: &'static str,
    text: &'static str,
    href: &'static str,
    link: &'static str,
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().welcome;
    let steps = [
        Step {
            icon: icons::CREDIT_CARD,
            title: t.card,
            text: t.card_text,
            href: "/card",
            link: t.card_do,
        },
        Step {
            icon: icons::BELL,
            title: t.messages,
            text: t.messages_text,
            href: "/profile/consents",
            link: t.messages_do,
        },
        Step {
            icon: icons::BABY,
            title: t.children,
            text: t.children_text,
            href: "/profile/children",
            link: t.children_do,
        },
    ];
    let steps: Vec<Html> = steps.iter().map(step).collect();
    let view = view! {
        {flash(&cx, &[("registered", cx.t().card.welcome)])}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        <ol class="narrow stack">{steps}</ol>
        <p class="actions"><a class="btn" href="/">{t.skip}</a></p>
        <p class="hint">{t.again}</p>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn step(step: &Step) -> Html {
    view! {
        <li class="panel">
            <h2>{icon(step.icon)} " " {step.title}</h2>
            <p>{step.text}</p>
            <p class="actions"><a class="btn btn-sm" href=step.href>{step.link}</a></p>
        </li>
    }
    .into_html()
}
