//! Why a customer's card is opened: told by what led there, else asked once a day, with one key for the usual case.

use crate::admin::customers::HERE;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::{Field, FormBox, icon, pairs};
use crm::id::CustomerId;
use crm::staff::why::{self, Clues, Why};
use crm::who::Subject;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Tells why the card is opened, and opens it.
#[derive(Deserialize)]
pub struct TellWhy {
    why: Why,
    words: Option<String>,
}

impl Form for TellWhy {
    const NAME: &'static str = "customer.why";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let words = self.words.unwrap_or_default();
        why::tell(&cx.db, cx.staff()?, cx.param("id")?, self.why, &words).await?;
        Ok(Next::to(cx.here()))
    }
}

/// What comes of asking for a customer's card.
pub(crate) enum Card {
    /// It is open.
    Open(Subject),
    /// The page that asks why.
    Ask(Body),
}

/// Opens the card of the customer for a page of it, or asks why first.
pub(crate) async fn open(cx: &Cx, id: CustomerId) -> Result<Card, AppError> {
    let clues = Clues {
        request: cx.query("request").and_then(|number| number.parse().ok()),
        search: cx.query("find").and_then(|id| id.parse().ok()),
        is_back: cx.outcome.is_some() && !cx.was_sent(TellWhy::NAME),
    };
    Ok(match why::open(&cx.db, cx.staff()?, id, clues).await? {
        Some(subject) => Card::Open(subject),
        None => Card::Ask(ask(cx)),
    })
}

fn ask(cx: &Cx) -> Body {
    let t = &cx.t().acts;
    let choices: Vec<_> = Why::CHOICES
        .into_iter()
        .map(|why| {
            let words = match why {
                Why::Visit => t.why_visit,
                Why::Check => t.why_check,
                _ => t.why_call,
            };
            // The usual case takes the Enter key alone.
            let (class, is_first) = match why {
                Why::Call => ("btn btn-primary", true),
                _ => ("btn", false),
            };
            view! { <button class=class name="why" value=why.as_str() autofocus=is_first>{words}</button> }
        })
        .collect();
    let labels = pairs([("words", t.why_words)]);
    let is_open = cx.was_sent(TellWhy::NAME);
    let view = view! {
        <a class="back" href=HERE>{icon(icon::ARROW_LEFT)} {cx.t().admin_customers.title}</a>
        <h1>{t.why}</h1>
        <p class="hint">{t.why_hint}</p>
        <div class="narrow stack">
            <FormBox<TellWhy> class="actions">{choices}</FormBox<TellWhy>>
            <details class="fold" open=is_open>
                <summary>{t.why_other}</summary>
                <FormBox<TellWhy> id="customer-why-other" labels=labels>
                    <input type="hidden" name="why" value="other"/>
                    <Field name="words" label=t.why_words hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn">{t.why_open}</button>
                </FormBox<TellWhy>>
            </details>
        </div>
    };
    Body::new(t.why, Frame::Admin, view)
}
