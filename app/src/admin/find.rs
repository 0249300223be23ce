//! One search for everything: customers, their receipts and requests, what is sold and what the help says, by whatever is typed.

use super::customers::{is_too_short, say, table};
use super::{customers, full_name, keep_text, looked_for, status};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment};
use crm::article::store::Listed;
use crm::find::store::{self as finding, Found, SHOWN};
use crm::find::{Hit, ReceiptHit, RequestHit};
use crm::help::Shown;
use crm::id::SearchId;
use crm::purchase::Kind;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

pub(crate) const HERE: &str = "/admin/find";

/// Looks for anything. As in every search of staff, what is typed stands in no address.
#[derive(Deserialize)]
pub struct Find {
    q: String,
}

impl Form for Find {
    const NAME: &'static str = "find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if !finding::may(cx.staff()?) {
            return Err(AppError::Forbidden);
        }
        Ok(Next::to(match keep_text(cx, &self.q).await? {
            Some(id) => format!("{HERE}?find={id}"),
            None => HERE.to_owned(),
        }))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_find;
    if !finding::may(cx.staff()?) {
        return Err(AppError::Forbidden);
    }
    let asked = looked_for(&cx).await?;
    let text = asked.as_ref().map(|(_, text)| text.clone()).unwrap_or_default();
    let found = match asked {
        None => say(t.empty),
        Some((_, text)) if is_too_short(&text, &cx.shop().country) => say(t.too_short),
        Some((id, text)) => {
            let found = finding::everything(&cx.db, cx.staff()?, &text).await?;
            groups(&cx, id, &found)
        }
    };
    let view = view! {
        <h1>{t.title}</h1>
        <div role="search">
            <FormBox<Find> class="search">
                <label class="label" for="everything">{t.find}</label>
                <p class="hint" id="everything-hint">{t.hint}</p>
                <div class="actions">
                    <input class="input" id="everything" type="search" name="q" value=text aria-describedby="everything-hint"
                        autocomplete="off" dir="auto" spellcheck="false"/>
                    <button class="btn btn-primary">{t.search}</button>
                </div>
            </FormBox<Find>>
        </div>
        {found}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What was found, kind by kind, and where there is more of it.
fn groups(cx: &Cx, id: SearchId, found: &Found) -> Html {
    let t = &cx.t().admin_find;
    let find = id.to_string();
    let more = |path: &str| format!("{path}?find={find}");
    // Who looks after articles has a list of them; others open one by one.
    let lists_articles = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Shops));
    let groups = [
        group(
            cx,
            "customers",
            cx.t().admin_customers.title,
            &found.customers,
            |cx: &Cx, hits: &[Hit]| table(cx, hits, &find),
            Some(more(customers::HERE)),
        ),
        group(cx, "receipts", t.receipts, &found.receipts, receipts, None),
        group(
            cx,
            "requests",
            cx.t().admin_requests.title,
            &found.requests,
            requests,
            None,
        ),
        group(
            cx,
            "articles",
            cx.t().admin_shops.articles,
            &found.articles,
            articles,
            lists_articles.then(|| more("/admin/articles")),
        ),
        group(cx, "help", cx.t().admin_help.title, &found.help, help, None),
    ];
    let groups: Vec<Html> = groups.into_iter().flatten().collect();
    let said = match groups.is_empty() {
        true => say(t.nothing),
        false => view! { <p class="sr-only" role="status">{t.found(groups.len() as i64)}</p> }.into_html(),
    };
    // Words of requests are looked through in the queue: that takes longer, and is asked for.
    let in_requests = cx.staff.as_ref().filter(|staff| staff.has(Right::Requests)).map(|_| {
        let href = format!("/admin/requests?status=all&find={find}");
        view! { <p><a href=href>{t.in_requests}</a></p> }
    });
    view! { {said} {groups} {in_requests} }.into_html()
}

/// One kind of what was found; nothing where there is none of it.
fn group<T>(
    cx: &Cx,
    id: &'static str,
    title: &'static str,
    found: &[T],
    table: impl Fn(&Cx, &[T]) -> Html,
    more: Option<String>,
) -> Option<Html> {
    let t = &cx.t().admin_find;
    let shown = found.get(..SHOWN).unwrap_or(found);
    let has_more = found.len() > shown.len();
    let more = has_more.then(|| match more {
        Some(href) => view! { <p><a href=href>{t.more}</a></p> }.into_html(),
        None => view! { <p class="muted">{t.narrow}</p> }.into_html(),
    });
    let section = || {
        view! {
            <section class="section">
                <h2 id=id>{title}</h2>
                {table(cx, shown)}
                {more}
            </section>
        }
        .into_html()
    };
    (!shown.is_empty()).then(section)
}

fn receipts(cx: &Cx, found: &[ReceiptHit]) -> Html {
    let t = &cx.t().admin_find;
    let rows: Vec<_> = found
        .iter()
        .map(|receipt| {
            let words = &cx.t().admin_receipt;
            let title = match receipt.kind {
                Kind::Sale => words.sale(&receipt.document),
                Kind::Return => words.returned(&receipt.document),
            };
            // Nobody's has no page: what there is to know of it stands here.
            let (title, whose) = match receipt.customer_id {
                Some(customer) => {
                    let href = format!("{}/{customer}/purchases/{}", customers::HERE, receipt.id);
                    let name = full_name(cx, &receipt.name, &receipt.surname);
                    let title = view! { <a href=href>{title}</a> }.into_html();
                    (title, view! { <bdi>{name}</bdi> }.into_html())
                }
                None => (
                    title.into_html(),
                    view! { <span class="muted">{t.nobodys}</span> }.into_html(),
                ),
            };
            let shop = match (&receipt.town, &receipt.shop) {
                (Some(town), Some(shop)) => format!("{}, {}", cx.pick(town), cx.pick(shop)),
                _ => words.no_store.to_owned(),
            };
            let voided = receipt
                .is_voided
                .then(|| view! { " " <span class="status status-bad">{t.voided}</span> });
            view! {
                <tr>
                    <td class="grow">{title} {voided}</td>
                    <td>{whose}</td>
                    <td>{shop}</td>
                    <td class="num"><Moment at=receipt.at shown=cx.moment(receipt.at)/></td>
                    <td class="num">{cx.money(receipt.total)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.receipt),
        Head::Words(cx.t().admin_customers.name),
        Head::Words(cx.t().admin_customer.store),
        Head::Number(t.when),
        Head::Number(cx.t().admin_receipt.total),
    ];
    // How somebody gets it, where that can still be.
    let may_be_given = |hit: &ReceiptHit| hit.customer_id.is_none() && hit.kind == Kind::Sale && !hit.is_voided;
    let how = found.iter().any(may_be_given).then(|| {
        let acts = &cx.t().acts;
        let may = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Purchases));
        let words = match may {
            true => t.give(acts.attach, acts.title),
            false => t.have_given(acts.attach, acts.title),
        };
        view! { <p class="hint">{words}</p> }
    });
    view! { <DataTable label=t.receipts heads=heads rows=rows.into_html()/> {how} }.into_html()
}

fn requests(cx: &Cx, found: &[RequestHit]) -> Html {
    let t = &cx.t().admin_requests;
    let rows: Vec<_> = found
        .iter()
        .map(|request| {
            view! {
                <tr>
                    <td>{status(cx, request.status)}</td>
                    <td class="num">{request.number}</td>
                    <td class="grow"><a href=format!("/admin/requests/{}", request.number)>{cx.pick(&request.topic)}</a></td>
                    <td><bdi>{full_name(cx, &request.name, &request.surname)}</bdi></td>
                    <td class="num"><Moment at=request.updated_at shown=cx.ago(request.updated_at)/></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.status),
        Head::Number(t.number),
        Head::Words(t.request),
        Head::Words(t.customer),
        Head::Number(t.updated),
    ];
    view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> }.into_html()
}

/// Articles of the help, as customers read them. All of it is words, which wrap on any screen.
fn help(cx: &Cx, found: &[Shown]) -> Html {
    let t = &cx.t().admin_find;
    let rows: Vec<_> = found
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td class="whitespace-normal"><a href=format!("/help/{}", one.code)>{cx.pick(&one.content.title)}</a></td>
                    <td class="whitespace-normal">{cx.pick(&one.content.summary)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.answer), Head::Words(t.summary)];
    view! { <DataTable label=cx.t().admin_help.title heads=heads rows=rows.into_html()/> }.into_html()
}

fn articles(cx: &Cx, found: &[Listed]) -> Html {
    let t = &cx.t().admin_shops;
    let rows: Vec<_> = found
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td><code>{one.code.clone()}</code></td>
                    <td class="grow"><a href=format!("/admin/articles/{}", one.id)><bdi>{one.name.clone()}</bdi></a></td>
                    <td>{one.category.as_ref().map(|name| cx.pick(name))}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.code), Head::Words(t.article), Head::Words(t.category)];
    view! { <DataTable label=t.articles heads=heads rows=rows.into_html()/> }.into_html()
}
