//! The shop writes to a customer first: a request that begins with its words.

use crate::admin::sorting;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, Select, TextArea, pairs};
use crm::request::{Topic, store as requests};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Begins a request with the customer at hand.
#[derive(Deserialize)]
pub struct WriteTo {
    topic: String,
    text: String,
}

impl Form for WriteTo {
    const NAME: &'static str = "request.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let number = requests::write_to(&cx.db, cx.staff()?, cx.param("id")?, &self.topic, &self.text).await?;
        Ok(Next::to(format!("/admin/requests/{number}")))
    }
}

/// On the page of what staff do for a customer.
pub(super) fn section(cx: &Cx, topics: &[Topic]) -> Html {
    let (t, of_support) = (&cx.t().acts, &cx.t().support);
    let first = (String::new(), of_support.topic_choose.to_owned());
    let topics: Vec<_> = std::iter::once(first).chain(sorting::topics(cx, topics)).collect();
    let labels = pairs([("topic", of_support.topic), ("text", of_support.text)]);
    view! {
        <section class="section" aria-labelledby="write">
            <h2 id="write">{t.write}</h2>
            <p class="hint">{t.write_hint}</p>
            <details class="fold" open=cx.was_sent(WriteTo::NAME)>
                <summary>{t.write_begin}</summary>
                <FormBox<WriteTo> labels=labels stale=t.account_gone>
                    <Select name="topic" label=of_support.topic options=topics/>
                    <TextArea name="text" label=of_support.text check="text:4000" missing=t.write_missing/>
                    <button class="btn btn-primary">{t.write_send}</button>
                </FormBox<WriteTo>>
            </details>
        </section>
    }
    .into_html()
}
