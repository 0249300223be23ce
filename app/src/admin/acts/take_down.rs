//! A customer calls or came: what they want is written down as a request of theirs.

use crate::admin::{sorting, talk};
use crate::cabinet::support::receipt_words;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, Select, TextArea, pairs};
use crm::interaction::Way;
use crm::purchase::Purchase;
use crm::request::{NewRequest, TakenDown, Topic, store as requests};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Writes a request of the customer at hand down; on the page of a talk as one that came of it.
#[derive(Deserialize)]
pub struct TakeDown {
    topic: String,
    text: String,
    purchase: String,
    channel: String,
}

impl Form for TakeDown {
    const NAME: &'static str = "request.take_down";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let Self {
            topic,
            text,
            purchase,
            channel,
        } = self;
        // Only the address of a talk names one.
        let talk = cx.param::<String>("talk").ok();
        let talk = talk.map(|id| id.parse().map_err(|_| AppError::NotFound)).transpose()?;
        let new = TakenDown {
            request: NewRequest { topic, text, purchase },
            channel,
            talk,
        };
        let number = requests::take_down(&cx.db, cx.staff()?, cx.param("id")?, &new).await?;
        Ok(Next::to(format!("/admin/requests/{number}?done=taken")))
    }
}

/// Where it is written down: among what staff do for a customer, and on the page of a talk, where `way` is how they talked. It
/// `is_next` where nothing else is to be done there.
pub(in crate::admin) fn section(cx: &Cx, topics: &[Topic], receipts: &[Purchase], way: Way, is_next: bool) -> Html {
    let (t, of_support) = (&cx.t().acts, &cx.t().support);
    let first = |words: &'static str| std::iter::once((String::new(), words.to_owned()));
    let topics: Vec<_> = first(of_support.topic_choose)
        .chain(sorting::topics(cx, topics))
        .collect();
    let receipts = receipts
        .iter()
        .map(|receipt| (receipt.id.to_string(), receipt_words(cx, receipt)));
    let receipts: Vec<_> = first(of_support.no_receipt).chain(receipts).collect();
    let ways: Vec<_> = Way::ALL
        .into_iter()
        .map(|one| (one.code().to_owned(), talk::way(cx, one).to_owned()))
        .collect();
    let is_open = is_next || cx.was_sent(TakeDown::NAME);
    let called = cx.t().admin_talk.channel;
    let labels = pairs([
        ("topic", of_support.topic),
        ("text", t.take_text),
        ("purchase", t.take_receipt),
        ("channel", called),
    ]);
    view! {
        <section class="section" aria-labelledby="take-down">
            <h2 id="take-down">{t.take}</h2>
            <p class="hint">{t.take_hint}</p>
            <details class="fold" open=is_open>
                <summary>{t.take_begin}</summary>
                <FormBox<TakeDown> labels=labels stale=t.account_gone>
                    <Select name="topic" label=of_support.topic options=topics/>
                    <TextArea name="text" label=t.take_text check="text:4000" missing=t.take_missing/>
                    <Select name="purchase" label=t.take_receipt options=receipts optional=true/>
                    <Select name="channel" label=called options=ways value=way.code()/>
                    <button class="btn btn-primary">{t.take_save}</button>
                </FormBox<TakeDown>>
            </details>
        </section>
    }
    .into_html()
}
