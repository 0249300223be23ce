//! Returns that tills sent before their sale, and that wait for it: what each names, and since when.

use super::{full_name, pages, passed, store_name, tills};
use crate::cabinet::{back, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{DataTable, Head, Moment};
use crm::till::waiting::{self, WaitingReturn};
use islands::AppError;
use leptos::prelude::*;

pub(super) const HERE: &str = "/admin/tills/waiting";
/// How many of them a page shows.
const PAGE: usize = 50;

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_waiting;
    let after = cx.query("after").and_then(place);
    let (waiting, next) = waiting::list(&cx.db, cx.staff()?, after, PAGE).await?;
    let list = if waiting.is_empty() {
        let words = if after.is_some() { t.none_here } else { t.none };
        view! { <div class="panel empty">{icon(icon::CHECK)} <p>{words}</p></div> }.into_html()
    } else {
        table(&cx, &waiting)
    };
    let to_start = after.map(|_| (HERE.to_owned(), t.to_start));
    let next = next.map(|next| (format!("{HERE}?after={}", show_place(next)), t.next));
    let pages = (to_start.is_some() || next.is_some()).then(|| pages(None, to_start, next));
    let view = view! {
        {back(tills::HERE, cx.t().admin_tills.title)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <p>{t.what_to_do}</p>
        {list}
        {pages}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn table(cx: &Cx, waiting: &[WaitingReturn]) -> Html {
    let t = &cx.t().admin_waiting;
    let rows: Vec<_> = waiting.iter().map(|one| row(cx, one)).collect();
    let heads = vec![
        Head::Words(t.when),
        Head::Words(t.store),
        Head::Words(t.till),
        Head::Words(t.document),
        Head::Words(t.sale),
        Head::Words(t.customer),
        Head::Number(t.total),
        Head::Number(t.waits),
    ];
    view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html()
}

fn row(cx: &Cx, one: &WaitingReturn) -> Html {
    let number = |document: &String| cx.t().common.document(document);
    let of = one.store.as_ref();
    let till = match &one.till {
        Some((id, code)) => view! { <a href=format!("{}/{id}", tills::HERE)>{code.clone()}</a> }.into_html(),
        None => view! { <span class="muted">{one.source.clone()}</span> }.into_html(),
    };
    let sales: Vec<String> = one.sales.iter().map(number).collect();
    // Whoever may not see customers is told of none.
    let (document, customer) = match one.customer_id {
        Some(id) => {
            let receipt = format!("/admin/customers/{id}/purchases/{}", one.id);
            let name = full_name(cx, &one.name, &one.surname);
            (
                view! { <a href=receipt>{number(&one.document)}</a> }.into_html(),
                view! { <a href=format!("/admin/customers/{id}")><bdi>{name}</bdi></a> }.into_html(),
            )
        }
        None => (number(&one.document).into_html(), ().into_html()),
    };
    view! {
        <tr>
            <td><Moment at=one.at shown=cx.moment_in(of, one.at) local=cx.local_in(of, one.at)/></td>
            <td class="grow">{of.map(|store| store_name(cx, store))}</td>
            <td>{till}</td>
            <td>{document}</td>
            <td>{sales.join(", ")}</td>
            <td>{customer}</td>
            <td class="num">{cx.money(one.total)}</td>
            <td class="num">{passed(cx, one.at)}</td>
        </tr>
    }
    .into_html()
}
