//! The queue: what customers wait for, narrowed and sorted by the address alone.

use super::bulk::{self, choose};
use super::sorting::{badges, people, priorities};
use super::view::{View, Which};
use super::{due, full_name, keep, kept, keys, pages, passed, status, status_word};
use crate::cabinet::{flash, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment, icon};
use crm::id::RequestId;
use crm::request::desk::{Priority, Queue};
use crm::request::level::store as levels;
use crm::request::store::{queues, tags};
use crm::request::{Assignee, Counts, Row, Sort, Status, Topic, store as requests};
use crm::staff::{Colleague, Right, store as staff_store};
use crm::task::store as tasks;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;

/// How many requests a page shows.
const PAGE: usize = 50;

/// Narrows the queue. What is looked for may be somebody's name: it is kept here, and an id stands in the address.
#[derive(Deserialize)]
pub struct FindRequests {
    status: String,
    assignee: String,
    topic: String,
    #[serde(default)]
    queue: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    priority: String,
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
            ("queue", &self.queue),
            ("tag", &self.tag),
            ("priority", &self.priority),
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

/// Says whether one takes requests that queues give in turn.
#[derive(Deserialize)]
pub struct BePresent {
    on: bool,
}

impl Form for BePresent {
    const NAME: &'static str = "queue.presence";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        queues::set_presence(&cx.db, cx.staff()?, self.on).await?;
        let done = if self.on { "present" } else { "away" };
        Ok(Next::to(View::of(cx).address("/admin/requests", Some(done))))
    }
}

/// What the page is narrowed by, to choose from.
struct Choices {
    topics: Vec<Topic>,
    /// Those that nothing new is about.
    closed: Vec<Topic>,
    colleagues: Vec<Colleague>,
    /// Those of them who may be given requests.
    agents: Vec<Colleague>,
    queues: Vec<Queue>,
    tags: Vec<String>,
}

/// The queue.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_requests;
    let (staff, view) = (cx.staff()?, View::whole(&cx).await?);
    let mut conn = cx.db.read().await?;
    let choices = Choices {
        topics: requests::topics(&mut conn).await?,
        closed: requests::closed_topics(&mut conn, staff).await?,
        colleagues: staff_store::colleagues(&mut conn, staff).await?,
        agents: queues::agents(&mut conn, staff, None).await?,
        queues: queues::list(&mut conn, staff).await?,
        tags: tags::in_use(&mut conn, staff)
            .await?
            .into_iter()
            .map(|(tag, _)| tag)
            .collect(),
    };
    let all_topics = [choices.topics.as_slice(), &choices.closed].concat();
    let counts = requests::counts(&mut conn, staff).await?;
    let presence = queues::presence(&mut conn, staff).await?;
    let load = tasks::load(&mut conn, staff).await?;
    drop(conn);
    // One more than is shown tells whether there is another page.
    let filter = view.filter(&all_topics);
    let mut rows = requests::queue(&cx.db, staff, &filter, view.sort, view.after, PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(Row::cursor);
    let ids: Vec<RequestId> = rows.iter().map(|row| row.id).collect();
    let mut conn = cx.db.read().await?;
    let owed = levels::of(&mut conn, staff, &ids).await?;
    drop(conn);
    let list = if rows.is_empty() {
        empty(&cx, &view)
    } else {
        let rows = table(&cx, &view, &rows, &owed);
        bulk::around(&cx, rows, &choices.topics, &choices.agents, &choices.queues)
    };
    let (done, kept) = (bulk::done(&cx).await?, kept::section(&cx, &view, &all_topics).await?);
    let words = [
        ("present", t.done_present),
        ("away", t.done_away),
        ("kept", t.done_kept),
        ("removed", t.done_removed),
    ];
    let setup = staff.has(Right::Desk).then(|| {
        view! {
            <div class="ways">
                <a href="/admin/queues">{cx.t().admin_queues.title}</a>
                <a href="/admin/tags">{cx.t().admin_tags.title}</a>
            </div>
        }
    });
    let first = view.after.is_some().then(|| (view.from(None).queue(), t.to_start));
    let next = next.map(|next| (view.from(Some(next)).queue(), t.next));
    let shown = (!rows.is_empty()).then(|| t.shown(rows.len() as i64));
    // Where the script listens and says what came since: of new requests how many, and the list stays as it is until it is asked
    // for; of one that its customer has answered that they have, and the list shows it by itself.
    let fresh = view! {
        <div
            aria-live="polite"
            data-live="/admin/live?queue=1"
            data-since=staff.last_change().to_string()
            data-new=view.has_new().then(|| t.fresh("{n}"))
            data-show=t.show
            data-href=view.from(None).queue()
        >
            <p class="sr-only" data-said=t.said("{number}") data-mark=t.said_mark></p>
        </div>
    };
    let view = view! {
        <div class="pane-head">
            <h1>{t.title}</h1>
            <div class="actions">{setup} {presence.map(|is_present| present(&cx, is_present))}</div>
        </div>
        {flash(&cx, &words)}
        {gone(&cx)}
        {super::tasks::reminder(&cx, load)}
        {done}
        {tabs(&cx, &view, &counts)}
        {kept}
        {filters(&cx, &view, &choices)}
        {fresh}
        <div data-list="">{list}</div>
        {pages(shown, first, next)}
        {keys::link(&cx)}
        {staff.has_shortcuts().then(|| keys::sheet(&cx, &[]))}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The switch of who takes requests in turn.
fn present(cx: &Cx, is_present: bool) -> Html {
    let t = &cx.t().admin_requests;
    let (state, words) = match is_present {
        true => (t.is_present, t.be_away),
        false => (t.is_away, t.be_present),
    };
    let on = (!is_present).to_string();
    view! {
        <span>{state}</span>
        <FormBox<BePresent> class="switch">
            <input type="hidden" name="on" value=on/>
            <button class="btn btn-sm">{words}</button>
        </FormBox<BePresent>>
    }
    .into_html()
}

fn tabs(cx: &Cx, view: &View, counts: &Counts) -> Html {
    let t = &cx.t().admin_requests;
    let only = |status| View::new(Which::Only(status), Assignee::Anyone);
    let unclosed = counts.new + counts.open + counts.waiting;
    let tabs: Vec<_> = [
        (
            View::new(Which::Unclosed, Assignee::Anyone),
            t.tab_unclosed,
            Some(unclosed),
            "badge",
        ),
        (
            View::new(Which::Unclosed, Assignee::Me),
            t.tab_mine,
            Some(counts.mine),
            "badge",
        ),
        (
            View::new(Which::Unclosed, Assignee::Nobody),
            t.tab_unassigned,
            Some(counts.unassigned),
            "badge",
        ),
        (
            only(Status::New),
            t.tab_new,
            Some(counts.new),
            if counts.new > 0 { "badge badge-points" } else { "badge" },
        ),
        (only(Status::Open), t.tab_open, Some(counts.open), "badge"),
        (only(Status::Waiting), t.tab_waiting, Some(counts.waiting), "badge"),
        (
            View::new(Which::Overdue, Assignee::Anyone),
            t.tab_overdue,
            Some(counts.overdue),
            if counts.overdue > 0 { "badge badge-bad" } else { "badge" },
        ),
        // Of what is closed there is ever more: to count it would take longer than to show it.
        (only(Status::Closed), t.tab_closed, None, "badge"),
    ]
    .into_iter()
    .map(|(tab, words, count, badge)| {
        let current = (tab.which == view.which && tab.assignee == view.assignee).then_some("page");
        let count = count.map(|count| view! { " " <span class=badge>{crate::format::integer(count)}</span> });
        view! { <a href=tab.queue() aria-current=current>{words}{count}</a> }
    })
    .collect();
    view! { <nav class="tabs" aria-label=t.tabs data-swap="tabs">{tabs}</nav> }.into_html()
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

fn filters(cx: &Cx, view: &View, choices: &Choices) -> Html {
    let t = &cx.t().admin_requests;
    let statuses = Which::CODES.map(|(code, which)| {
        let words = match which {
            Which::Unclosed => t.unclosed,
            Which::All => t.any_status,
            Which::Only(status) => status_word(cx, status),
            Which::Overdue => t.tab_overdue,
        };
        (code.to_owned(), words.to_owned())
    });
    let or = |words: &str, choices: Vec<(String, String)>| -> Vec<(String, String)> {
        std::iter::once((String::new(), words.to_owned()))
            .chain(choices)
            .collect()
    };
    let assignees = or(t.anyone, people(cx, &choices.colleagues));
    let open = choices.topics.iter();
    let open = open.map(|topic| (topic.code.clone(), cx.pick(&topic.name)));
    let closed = choices.closed.iter();
    let closed = closed.map(|topic| (topic.code.clone(), t.closed_topic(cx.pick(&topic.name))));
    let mut topics: Vec<_> = open.chain(closed).collect();
    // One that is not there narrows to nothing, and is not to look like all of them.
    if !view.topic.is_empty() && topics.iter().all(|(code, _)| *code != view.topic) {
        topics.push((view.topic.clone(), view.topic.clone()));
    }
    let topics = or(t.any_topic, topics);
    let queues = choices
        .queues
        .iter()
        .map(|queue| (queue.id.to_string(), cx.pick(&queue.name)));
    let queues = or(t.any_queue, queues.collect());
    let mut tags: Vec<_> = choices.tags.iter().map(|tag| (tag.clone(), tag.clone())).collect();
    // The one that is chosen may be on nothing but what is closed.
    if !view.tag.is_empty() && !choices.tags.contains(&view.tag) {
        tags.push((view.tag.clone(), view.tag.clone()));
    }
    let tags = or(t.any_tag, tags);
    let priorities = or(t.any_priority, priorities(cx));
    let sort = view.sort_code();
    let sort = (!sort.is_empty()).then(|| view! { <input type="hidden" name="sort" value=sort/> });
    let reset = view
        .is_narrowed()
        .then(|| view! { <a class="btn btn-quiet" href="/admin/requests">{t.reset}</a> });
    let statuses = options(statuses.into(), view.which.code());
    let assignees = options(assignees, &view.assignee_code());
    let topics = options(topics, &view.topic);
    let queue = view.queue.map(|id| id.to_string()).unwrap_or_default();
    let queues = (!choices.queues.is_empty()).then(|| {
        let queues = options(queues, &queue);
        view! { <label>{t.queue} <select class="input" name="queue">{queues}</select></label> }.into_html()
    });
    let tags = (tags.len() > 1).then(|| {
        let tags = options(tags, &view.tag);
        view! { <label>{t.tag} <select class="input" name="tag">{tags}</select></label> }.into_html()
    });
    let priorities = options(priorities, view.priority.map_or("", Priority::code));
    let text = view.text.clone();
    view! {
        <div class="filters-box" role="search" aria-label=t.filter>
            <FormBox<FindRequests> class="filters">
                <label>{t.status} <select class="input" name="status">{statuses}</select></label>
                <label>{t.assignee} <select class="input" name="assignee">{assignees}</select></label>
                <label>{t.topic} <select class="input" name="topic">{topics}</select></label>
                {queues}
                {tags}
                <label>{t.priority} <select class="input" name="priority">{priorities}</select></label>
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

fn table(cx: &Cx, view: &View, rows: &[Row], owed: &HashMap<RequestId, Vec<levels::Due>>) -> Html {
    let t = &cx.t().admin_requests;
    // Words that sort, after what the column is called by where that is something else.
    let by = |sort, called: Option<&'static str>, words: &'static str, class: &'static str| {
        let is_current = view.sort == sort;
        // The longest wait, the newest and the most urgent lead, and what is due first.
        let (arrow, order) = match sort {
            Sort::Due => (" ↑", "ascending"),
            Sort::Waiting | Sort::Newest | Sort::Updated | Sort::Priority => (" ↓", "descending"),
        };
        let arrow = is_current.then(|| view! { <span aria-hidden="true">{arrow}</span> });
        let order = is_current.then_some(order);
        let called = called.map(|called| view! { {called} " · " });
        let head = view! {
            <th scope="col" class=class aria-sort=order>
                {called}
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
            // What is due first; the page of the request has all of it.
            let owed = owed.get(&row.id).and_then(|all| all.first());
            let owed = owed.map(|due| due::short(cx, due));
            let assignee = match &row.assignee {
                Some(name) => view! { <bdi>{name.clone()}</bdi> }.into_html(),
                None => nobody(t.nobody).into_html(),
            };
            let tags: Vec<&str> = row.tags.split(", ").filter(|tag| !tag.is_empty()).collect();
            view! {
                <tr class:unread=row.status == Status::New data-number=row.number.to_string()>
                    <td>{choose(cx, row.number)}</td>
                    <td>{status(cx, row.status)}</td>
                    <td>{owed}</td>
                    <td class="num">{row.number}</td>
                    <td class="grow">
                        <a href=view.request(row.number)>{cx.pick(&row.topic)}</a>
                        " " {badges(cx, row.priority, &tags)}
                        <bdi class="muted">{row.beginning.clone()}</bdi>
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
        Head::Unseen(t.choice),
        Head::Words(t.status),
        by(Sort::Due, None, cx.t().admin_levels.due_head, ""),
        by(Sort::Newest, None, t.number, "num"),
        by(Sort::Priority, Some(t.request), t.priority, ""),
        Head::Words(t.customer),
        Head::Words(t.assignee),
        by(Sort::Updated, None, t.updated, "num"),
        by(Sort::Waiting, None, t.waiting, "num"),
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
        (false, Which::Overdue, _) => (cx.t().admin_levels.none_late, usual, t.to_unclosed),
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
