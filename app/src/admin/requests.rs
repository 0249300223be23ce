//! The queue: what customers wait for, narrowed and sorted by the address alone.

use super::view::{View, Which};
use super::{full_name, keep, keys, passed, status, status_word};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment, icon};
use crm::request::{Assignee, Counts, Row, Sort, Status, Topic, store as requests};
use crm::staff::{Colleague, Right, store as staff_store};
use crm::task::store as tasks;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How many requests a page shows.
const PAGE: usize = 50;

/// Narrows the queue. What is looked for may be somebody's name: it is kept here, and an id stands in the address.
#[derive(Deserialize)]
pub struct FindRequests {
    status: String,
    assignee: String,
    topic: String,
    #[serde(default)]
    sort: String,
    q: String,
}

impl Form for FindRequests {
    const NAME: &'static str = "request.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let chosen = [
            ("status", &self.status),
            ("assignee", &self.assignee),
            ("topic", &self.topic),
            ("sort", &self.sort),
        ];
        let of = |name: &str| {
            chosen
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).clone())
        };
        let view = View {
            find: keep(cx, Right::Requests, &self.q).await?,
            ..View::read(of)
        };
        Ok(Next::to(view.queue()))
    }
}

/// The queue.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_requests;
    let (staff, view) = (cx.staff()?, View::whole(&cx).await?);
    let mut conn = cx.db.read().await?;
    let topics = requests::topics(&mut conn).await?;
    let colleagues = staff_store::colleagues(&mut conn, staff).await?;
    let counts = requests::counts(&mut conn, staff).await?;
    let load = tasks::load(&mut conn, staff).await?;
    drop(conn);
    // One more than is shown tells whether there is another page.
    let filter = view.filter(&topics);
    let mut rows = requests::queue(&cx.db, staff, &filter, view.sort, view.after, PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(Row::cursor);
    let list = if rows.is_empty() {
        empty(&cx, &view)
    } else {
        table(&cx, &view, &rows)
    };
    let first = view
        .after
        .is_some()
        .then(|| view! { <a class="btn" href=view.from(None).queue()>{t.to_start}</a> });
    let next = next.map(|next| {
        view! { <a class="btn" href=view.from(Some(next)).queue()>{t.next} {icon(icon::CHEVRON_RIGHT)}</a> }
    });
    let shown = (!rows.is_empty()).then(|| t.shown(rows.len() as i64));
    // Where the script says how many have come since: the list stays as it is until it is asked for.
    let fresh = view.has_new().then(|| {
        view! {
            <div
                aria-live="polite"
                data-live="/admin/live"
                data-since=staff.last_change().to_string()
                data-new=t.fresh("{n}")
                data-show=t.show
                data-href=view.from(None).queue()
            ></div>
        }
    });
    let view = view! {
        <h1>{t.title}</h1>
        {super::tasks::reminder(&cx, load)}
        {tabs(&cx, &view, &counts)}
        {filters(&cx, &view, &topics, &colleagues)}
        {fresh}
        {list}
        <div class="pages">
            <span>{shown}</span>
            <div class="actions">{first} {next}</div>
        </div>
        {keys::link(&cx)}
        {staff.has_shortcuts().then(|| keys::sheet(&cx))}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn tabs(cx: &Cx, view: &View, counts: &Counts) -> Html {
    let t = &cx.t().admin_requests;
    let only = |status| View::new(Which::Only(status), Assignee::Anyone);
    let unclosed = counts.new + counts.open + counts.waiting;
    let tabs: Vec<_> = [
        (
            View::new(Which::Unclosed, Assignee::Anyone),
            t.tab_unclosed,
            unclosed,
            "badge",
        ),
        (
            View::new(Which::Unclosed, Assignee::Me),
            t.tab_mine,
            counts.mine,
            "badge",
        ),
        (
            View::new(Which::Unclosed, Assignee::Nobody),
            t.tab_unassigned,
            counts.unassigned,
            "badge",
        ),
        (
            only(Status::New),
            t.tab_new,
            counts.new,
            if counts.new > 0 { "badge badge-points" } else { "badge" },
        ),
        (only(Status::Open), t.tab_open, counts.open, "badge"),
        (only(Status::Waiting), t.tab_waiting, counts.waiting, "badge"),
        (only(Status::Closed), t.tab_closed, counts.closed, "badge"),
    ]
    .into_iter()
    .map(|(tab, words, count, badge)| {
        let current = (tab.which == view.which && tab.assignee == view.assignee).then_some("page");
        view! {
            <a href=tab.queue() aria-current=current>
                {words} <span class=badge>{crate::format::integer(count)}</span>
            </a>
        }
    })
    .collect();
    view! { <nav class="tabs" aria-label=t.tabs>{tabs}</nav> }.into_html()
}

/// Options of a list, the chosen one marked.
fn options(choices: Vec<(String, String)>, chosen: &str) -> Vec<impl IntoView + use<>> {
    choices
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect()
}

fn filters(cx: &Cx, view: &View, topics: &[Topic], colleagues: &[Colleague]) -> Html {
    let t = &cx.t().admin_requests;
    let statuses = Which::CODES.map(|(code, which)| {
        let words = match which {
            Which::Unclosed => t.unclosed,
            Which::All => t.any_status,
            Which::Only(status) => status_word(cx, status),
        };
        (code.to_owned(), words.to_owned())
    });
    let assignees =
        [("", t.anyone), ("me", t.me), ("nobody", t.nobody)].map(|(code, words)| (code.into(), words.into()));
    let me = cx.staff.as_ref().map(|staff| staff.id());
    let others = colleagues
        .iter()
        .filter(|c| Some(c.id) != me)
        .map(|c| (c.id.to_string(), c.name.clone()));
    let assignees = assignees.into_iter().chain(others).collect();
    let topics = topics.iter().map(|topic| (topic.code.clone(), cx.pick(&topic.name)));
    let topics = std::iter::once((String::new(), t.any_topic.to_owned()))
        .chain(topics)
        .collect();
    let sort = view.sort_code();
    let sort = (!sort.is_empty()).then(|| view! { <input type="hidden" name="sort" value=sort/> });
    let reset = view
        .is_narrowed()
        .then(|| view! { <a class="btn btn-quiet" href="/admin/requests">{t.reset}</a> });
    let statuses = options(statuses.into(), view.which.code());
    let assignees = options(assignees, &view.assignee_code());
    let topics = options(topics, &view.topic);
    let text = view.text.clone();
    view! {
        <div class="filters-box" role="search" aria-label=t.filter>
            <FormBox<FindRequests> class="filters">
                <label>{t.status} <select class="input" name="status">{statuses}</select></label>
                <label>{t.assignee} <select class="input" name="assignee">{assignees}</select></label>
                <label>{t.topic} <select class="input" name="topic">{topics}</select></label>
                <label>
                    {t.text}
                    <input class="input" type="search" name="q" value=text placeholder=t.text_hint autocomplete="off" dir="auto"/>
                </label>
                {sort}
                <button class="btn">{t.show}</button>
                {reset}
            </FormBox<FindRequests>>
        </div>
    }
    .into_html()
}

fn table(cx: &Cx, view: &View, rows: &[Row]) -> Html {
    let t = &cx.t().admin_requests;
    let by = |sort, words: &'static str, class: &'static str| {
        let is_current = view.sort == sort;
        let arrow = is_current.then_some(view! { <span aria-hidden="true">" ↓"</span> });
        let order = is_current.then_some("descending");
        let head = view! {
            <th scope="col" class=class aria-sort=order>
                <a href=view.sorted(sort).queue()>{words}{arrow}</a>
            </th>
        };
        Head::Made(head.into_html())
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let waiting = match row.waiting_since {
                Some(since) => view! { <Moment at=since shown=passed(cx, since)/> }.into_html(),
                None => nobody(t.nobody_waits).into_html(),
            };
            let assignee = match &row.assignee {
                Some(name) => view! { <bdi>{name.clone()}</bdi> }.into_html(),
                None => nobody(t.nobody).into_html(),
            };
            view! {
                <tr class:unread=row.status == Status::New>
                    <td>{status(cx, row.status)}</td>
                    <td class="num">{row.number}</td>
                    <td class="grow">
                        <a href=view.request(row.number)>{cx.pick(&row.topic)}</a>
                        " " <bdi class="muted">{row.beginning.clone()}</bdi>
                    </td>
                    <td><bdi>{full_name(cx, &row.name, &row.surname)}</bdi></td>
                    <td>{assignee}</td>
                    <td class="num"><Moment at=row.updated_at shown=cx.ago(row.updated_at)/></td>
                    <td class="num">{waiting}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.status),
        by(Sort::Newest, t.number, "num"),
        Head::Words(t.request),
        Head::Words(t.customer),
        Head::Words(t.assignee),
        by(Sort::Updated, t.updated, "num"),
        by(Sort::Waiting, t.waiting, "num"),
    ];
    view! {
        <DataTable label=t.title caption=t.caption heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

/// A dash for the eye, words for screen readers.
fn nobody(words: &'static str) -> impl IntoView {
    view! { <span class="muted" aria-hidden="true">"—"</span> <span class="sr-only">{words}</span> }
}

fn empty(cx: &Cx, view: &View) -> Html {
    let t = &cx.t().admin_requests;
    let usual = View::new(Which::Unclosed, Assignee::Anyone);
    let (words, there, action) = match (view.is_narrowed() || view.after.is_some(), view.which, view.assignee) {
        (true, ..) => (t.empty_filter, View::new(view.which, Assignee::Anyone), t.reset),
        (false, Which::Unclosed, Assignee::Me) => (
            t.empty_mine,
            View::new(Which::Unclosed, Assignee::Nobody),
            t.to_unassigned,
        ),
        (false, Which::Unclosed, Assignee::Anyone) => (
            t.empty_unclosed,
            View::new(Which::Only(Status::Closed), Assignee::Anyone),
            t.to_closed,
        ),
        (false, ..) => (t.empty_tab, usual, t.to_unclosed),
    };
    view! {
        <div class="empty">
            {icon(icon::INBOX)}
            <p>{words}</p>
            <a class="btn" href=there.queue()>{action}</a>
        </div>
    }
    .into_html()
}
