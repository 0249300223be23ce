//! What the chat goes by, in numbers: how long it waits, how long it remembers, how much it tells at once.

use super::changes;
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::{Field, FormBox};
use crm::audit::Last;
use crm::dialogue::settings;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const HERE: &str = "/admin/dialogue";

/// Sets the numbers. `seen` is the state that was shown.
#[derive(Deserialize)]
pub struct SetDialogue {
    seen: String,
    #[serde(flatten)]
    values: BTreeMap<String, String>,
}

impl Form for SetDialogue {
    const NAME: &'static str = "dialogue.set";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let seen = self.seen.parse().map_err(|_| AppError::Refused)?;
        settings::set(&cx.db, cx.staff()?, seen, &self.values).await?;
        Ok(Next::to(format!("{HERE}?done=saved")))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_dialogue;
    let (held, seen) = settings::list(&cx.db, cx.staff()?).await?;
    let quicker = changes::quicker(&cx, Last::Done("dialogue.set", "")).await?;
    let words = [
        ("state_minutes", t.state_minutes, t.state_minutes_hint),
        ("kept_days", t.kept_days, t.kept_days_hint),
        ("purchases_shown", t.purchases_shown, t.shown_hint),
        ("offers_shown", t.offers_shown, t.shown_hint),
    ];
    let labels = words
        .map(|(name, label, _)| (name.to_owned(), label.to_owned()))
        .to_vec();
    let save = cx.t().admin_rules.save;
    // Made inside its form, which knows what was typed.
    let fields = move || {
        words
            .map(|(name, label, hint)| {
                let value = held.get(name).map(ToString::to_string).unwrap_or_default();
                view! { <Field name=name label=label hint=hint value=value inputmode="numeric" class="input-short"/> }
            })
            .into_iter()
            .collect::<Vec<_>>()
    };
    let view = view! {
        {back("/admin/texts?kind=phrase", cx.t().admin_texts.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("saved", cx.t().admin_rules.done_saved)])}
        {quicker}
        <p class="lead">{t.lead}</p>
        <section class="narrow">
            <FormBox<SetDialogue> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen.to_string()/>
                {fields()}
                <button class="btn btn-primary">{save}</button>
            </FormBox<SetDialogue>>
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}
