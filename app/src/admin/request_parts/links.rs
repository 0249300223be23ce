//! What a request has to do with: other requests, receipts, lines of receipts.

use crate::admin::request::{again, number};
use crate::admin::status;
use crate::cabinet::unsaid;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, Select, pairs};
use crm::id::LinkId;
use crm::request::StaffThread;
use crm::request::link::{self as links, Bond, Bought, Chosen, Kind, Link};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Of how many purchases lines are offered.
pub const PURCHASES: i64 = 5;

/// Links the request of the page with another one.
#[derive(Deserialize)]
pub struct LinkRequest {
    bond: Bond,
    number: String,
}

impl Form for LinkRequest {
    const NAME: &'static str = "request.link";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        links::with_request(&cx.db, cx.staff()?, number(cx)?, self.bond, &self.number).await?;
        again(cx, "linked")
    }
}

/// Links the request of the page with a receipt of its customer, or with a line of one.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct LinkPurchase(Chosen);

impl Form for LinkPurchase {
    const NAME: &'static str = "request.link_purchase";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        links::with_purchase(&cx.db, cx.staff()?, number(cx)?, &self.0).await?;
        again(cx, "linked")
    }
}

/// Takes a link away.
#[derive(Deserialize)]
pub struct Unlink {
    id: LinkId,
}

impl Form for Unlink {
    const NAME: &'static str = "request.unlink";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        links::remove(&cx.db, cx.staff()?, number(cx)?, self.id).await?;
        again(cx, "unlinked")
    }
}

/// The links of a request, and the ways to add one.
pub(in crate::admin) fn section(cx: &Cx, thread: &StaffThread, all: &[Link], bought: &[Bought]) -> Html {
    let t = &cx.t().admin_desk;
    let rows: Vec<_> = all.iter().map(|link| row(cx, thread, link)).collect();
    let list = (!rows.is_empty()).then(|| view! { <ul class="rows panel panel-flush">{rows}</ul> });
    let is_there = |id: &str| all.iter().any(|link| link.id.to_string() == id);
    let gone = unsaid(cx, &[Unlink::NAME], "id", is_there, cx.t().form.stale);
    let open = cx.was_sent(LinkRequest::NAME) || cx.was_sent(LinkPurchase::NAME);
    let bonds = pairs([("related", t.related), ("duplicate", t.duplicate)]);
    let labels = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter()
            .map(|(name, label)| ((*name).to_owned(), (*label).to_owned()))
            .collect()
    };
    let of_request = labels(&[("bond", t.bond), ("number", t.other_number)]);
    let of_purchase = labels(&[("about", t.from_list), ("document", t.document), ("line", t.line)]);
    let choices = choices(cx, bought);
    view! {
        {gone}
        {list}
        <details class="fold" open=open>
            <summary>{t.add_link}</summary>
            <FormBox<LinkRequest> labels=of_request>
                <Select name="bond" label=t.bond options=bonds/>
                <Field name="number" label=t.other_number inputmode="numeric"/>
                <div class="actions"><button class="btn">{t.link_request}</button></div>
            </FormBox<LinkRequest>>
            <FormBox<LinkPurchase> labels=of_purchase>
                <Select name="about" label=t.from_list options=choices optional=true/>
                <Field name="document" label=t.document hint=t.document_hint optional=true/>
                <Field name="line" label=t.line hint=t.line_hint inputmode="numeric" optional=true/>
                <div class="actions"><button class="btn">{t.link_purchase}</button></div>
            </FormBox<LinkPurchase>>
        </details>
    }
    .into_html()
}

/// Receipts, and below each its lines.
fn choices(cx: &Cx, bought: &[Bought]) -> Vec<(String, String)> {
    let t = &cx.t().admin_desk;
    let mut choices = pairs([("", t.not_from_list)]);
    let mut last = None;
    for one in bought {
        if last != Some(one.purchase) {
            last = Some(one.purchase);
            choices.push((one.purchase.to_string(), t.receipt(cx.day(one.at), &one.document)));
        }
        choices.push((one.line.to_string(), format!("— {}", one.article)));
    }
    choices
}

fn row(cx: &Cx, thread: &StaffThread, link: &Link) -> Html {
    let t = &cx.t().admin_desk;
    let kind = match link.kind {
        Kind::Related => t.related,
        Kind::Duplicate => t.duplicate,
        Kind::Split => t.split_link,
        Kind::Receipt => t.receipt_link,
        Kind::Line => t.line_link,
    };
    let request = link.number.map(|number| {
        let topic = link.topic.as_ref().map(|topic| cx.pick(&topic.0)).unwrap_or_default();
        let href = format!("/admin/requests/{number}");
        view! {
            <a href=href>{cx.t().admin_request.title(number, topic)}</a>
            {link.status.map(|to| view! { " " {status(cx, to)} })}
        }
        .into_html()
    });
    let receipt = link.purchase.map(|purchase| {
        let day = link.bought_at.map(|at| cx.day(at)).unwrap_or_default();
        let words = t.receipt(day, link.document.as_deref().unwrap_or_default());
        let href = format!("/admin/customers/{}/purchases/{purchase}", thread.customer);
        let article = link.article.clone().map(|article| view! { ": " <bdi>{article}</bdi> });
        view! { <a href=href>{words}</a> {article} }.into_html()
    });
    let id = link.id.to_string();
    let remove = (link.kind != Kind::Split).then(|| {
        let form = format!("request-unlink-{id}");
        view! {
            <FormBox<Unlink> id=form class="switch">
                <input type="hidden" name="id" value=id/>
                <button class="btn btn-sm btn-quiet">{t.unlink}</button>
            </FormBox<Unlink>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main"><small>{kind}</small> <span>{request} {receipt}</span></span>
            <span class="row-acts">{remove}</span>
        </li>
    }
    .into_html()
}
