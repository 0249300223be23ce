//! Requests that go into the one of the page and come out again, and a message that begins one of its own.

use crate::admin::request::{again, number};
use crate::admin::status_word;
use crate::cabinet::unsaid;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Choices, FormBox, pairs};
use crm::id::MessageId;
use crm::request::Summary;
use crm::request::merge::{self as merges, Merged};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Lets other requests of the customer go into the one of the page.
#[derive(Deserialize)]
pub struct MergeRequests {
    #[serde(default)]
    others: Vec<String>,
}

impl Form for MergeRequests {
    const NAME: &'static str = "request.merge";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        merges::merge(&cx.db, cx.staff()?, number(cx)?, &self.others).await?;
        again(cx, "merged")
    }
}

/// Lets a request come out of the one of the page.
#[derive(Deserialize)]
pub struct PartRequests {
    merged: i64,
}

impl Form for PartRequests {
    const NAME: &'static str = "request.part";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        merges::part(&cx.db, cx.staff()?, number(cx)?, self.merged).await?;
        again(cx, "parted")
    }
}

/// Begins a request of its own with a message, and leads there.
#[derive(Deserialize)]
pub struct SplitRequest {
    message: MessageId,
}

impl Form for SplitRequest {
    const NAME: &'static str = "request.split";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let begun = merges::split(&cx.db, cx.staff()?, number(cx)?, self.message).await?;
        Ok(Next::to(format!("/admin/requests/{begun}?done=split")))
    }
}

/// Which requests are in this one, and which may go into it.
pub(in crate::admin) fn section(cx: &Cx, merged: &[Merged], offered: &[Summary]) -> Html {
    let t = &cx.t().admin_desk;
    let rows: Vec<_> = merged.iter().map(|one| row(cx, one)).collect();
    let list = (!rows.is_empty()).then(|| view! { <ul class="rows panel panel-flush">{rows}</ul> });
    let may_part = |number: &str| {
        let one = merged.iter().find(|one| one.number.to_string() == number);
        one.is_some_and(|one| one.may_part(cx.db.now()))
    };
    let gone = unsaid(cx, &[PartRequests::NAME], "merged", may_part, t.part_late);
    let open = cx.was_sent(MergeRequests::NAME);
    // One that somebody else was quicker with is not offered any more, and the form says so all the same.
    let form = (!offered.is_empty() || open).then(|| {
        let options: Vec<_> = offered
            .iter()
            .map(|one| {
                let title = cx.t().admin_request.title(one.number, cx.pick(&one.topic));
                let words = format!("{title}, {}", status_word(cx, one.status).to_lowercase());
                (one.number.to_string(), words, false)
            })
            .collect();
        let labels = pairs([("others", t.others)]);
        view! {
            <details class="fold" open=open>
                <summary>{t.merge}</summary>
                <p class="hint">{t.merge_hint}</p>
                <FormBox<MergeRequests> labels=labels>
                    <Choices name="others" legend=t.others options=options/>
                    <div class="actions"><button class="btn">{t.merge_do}</button></div>
                </FormBox<MergeRequests>>
            </details>
        }
    });
    view! { {gone} {list} {form} }.into_html()
}

fn row(cx: &Cx, one: &Merged) -> Html {
    let t = &cx.t().admin_desk;
    let number = one.number;
    let part = one.may_part(cx.db.now()).then(|| {
        view! {
            <FormBox<PartRequests> id=format!("request-part-{number}") class="switch">
                <input type="hidden" name="merged" value=number.to_string()/>
                <button class="btn btn-sm btn-quiet">{t.part}</button>
            </FormBox<PartRequests>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">{t.merged(cx.day(one.at), number)}</span>
            <span class="row-acts">{part}</span>
        </li>
    }
    .into_html()
}

/// The button below a message that may begin a request of its own.
pub(in crate::admin) fn split_here(cx: &Cx, message: MessageId) -> Html {
    let words = cx.t().admin_desk.split;
    view! {
        <FormBox<SplitRequest> id=format!("request-split-{message}") class="switch">
            <input type="hidden" name="message" value=message.to_string()/>
            <button class="btn btn-sm btn-quiet">{words}</button>
        </FormBox<SplitRequest>>
    }
    .into_html()
}

/// Says what came of a button below a message that is there no more.
pub(in crate::admin) fn split_gone(cx: &Cx, is_there: impl Fn(&str) -> bool) -> Option<Html> {
    unsaid(cx, &[SplitRequest::NAME], "message", is_there, cx.t().form.stale)
}
