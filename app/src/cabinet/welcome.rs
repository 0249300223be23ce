//! The first visit: what there is in the cabinet, step by step, to be skipped at any. Registering leads here, and so do the first
//! page until somebody is through with it, and the help.

use super::flash;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::FormBox;
use crate::ui::icon::{self as icons, icon};
use crm::customer::store as customers;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where it is.
pub(crate) const HERE: &str = "/welcome";

/// Somebody is through with it, or skips the rest.
#[derive(Deserialize)]
pub struct FinishTour {}

impl Form for FinishTour {
    const NAME: &'static str = "tour.finish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        customers::finish_tour(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/"))
    }
}

/// Something to know or to do, and where.
struct Step {
    icon: &'static str,
    title: &'static str,
    text: &'static str,
    href: &'static str,
    link: &'static str,
}

/// The page of a step: `?step=2`.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().welcome;
    cx.subject()?;
    let step = |icon, title, text, href, link| Step {
        icon,
        title,
        text,
        href,
        link,
    };
    let steps = [
        step(icons::CREDIT_CARD, t.card, t.card_text, "/card", t.card_do),
        step(icons::COINS, t.points, t.points_text, "/points", t.points_do),
        step(icons::TAG, t.offers, t.offers_text, "/offers", t.offers_do),
        step(
            icons::BELL,
            t.messages,
            t.messages_text,
            "/profile/consents",
            t.messages_do,
        ),
        step(
            icons::BABY,
            t.children,
            t.children_text,
            "/profile/children",
            t.children_do,
        ),
        step(icons::MESSAGE_CIRCLE, t.help, t.help_text, "/help", t.help_do),
    ];
    let asked: usize = cx.query("step").and_then(|step| step.parse().ok()).unwrap_or(1);
    let number = asked.clamp(1, steps.len());
    let Some(now) = steps.get(number - 1) else {
        return Err(AppError::NotFound);
    };
    let address = |step: usize| format!("{HERE}?step={step}");
    let before = (number > 1).then(|| view! { <a class="btn" href=address(number - 1)>{t.before}</a> });
    let is_last = number == steps.len();
    let after =
        (!is_last).then(|| view! { <a class="btn btn-primary" href=address(number + 1) rel="next">{t.after}</a> });
    let (class, words) = if is_last {
        ("btn btn-primary", t.done)
    } else {
        ("btn btn-quiet", t.skip)
    };
    let said = t.step(number, steps.len());
    let view = view! {
        {flash(&cx, &[("registered", cx.t().card.welcome)])}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{said.clone()}</p>
        </div>
        <div class="narrow stack">
            <progress class="progress" max=steps.len().to_string() value=number.to_string() aria-label=said></progress>
            <section class="panel" aria-labelledby="step">
                <h2 id="step" class="flex items-center gap-2">{icon(now.icon)} " " {now.title}</h2>
                <p>{now.text}</p>
                <p class="ways"><a href=now.href>{now.link}</a></p>
            </section>
            <div class="actions">{before} {after}</div>
            <FormBox<FinishTour> class="actions"><button class=class>{words}</button></FormBox<FinishTour>>
            <p class="hint">{t.again}</p>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
