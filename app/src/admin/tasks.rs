//! Tasks: what staff are to do for customers. Each sees their own; whoever has the right sees those of others, and who is late.

use super::changes;
use super::{full_name, versions};
use crate::cabinet::{flash, show_place, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, Field, FormBox, Head, Select, pairs};
use crm::id::{CustomerId, StaffId, TaskId};
use crm::staff::Right;
use crm::task::store as tasks;
use crm::task::{End, Kind, Load, NewTask, OwnerLoad, Place, State, Task, Which};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
pub(super) const HERE: &str = "/admin/tasks";
/// Tasks on a page.
const PAGE: usize = 50;

/// Writes a task down for the customer at hand.
#[derive(Deserialize)]
pub struct AddTask {
    title: String,
    #[serde(default)]
    kind: String,
    due: String,
    #[serde(default)]
    time: String,
    owner: String,
    request: String,
}

impl Form for AddTask {
    const NAME: &'static str = "task.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        let new = NewTask {
            title: self.title,
            kind: self.kind,
            due: self.due,
            time: self.time,
            owner: self.owner,
            request: self.request,
        };
        tasks::add(&cx.db, cx.staff()?, id, &new).await?;
        Ok(Next::to(format!("{}?done=task_added", cx.path)))
    }
}

/// Ends a task. `seen` is when it was changed last.
#[derive(Deserialize)]
pub struct EndTask {
    task: TaskId,
    seen: i64,
    end: String,
}

impl Form for EndTask {
    const NAME: &'static str = "task.end";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (end, done) = match self.end.as_str() {
            "done" => (End::Done, "task_done"),
            "cancelled" => (End::Cancelled, "task_cancelled"),
            _ => return Err(AppError::Refused),
        };
        let seen = versions::seen(self.seen)?;
        tasks::end(&cx.db, cx.staff()?, self.task, seen, end).await?;
        Ok(Next::to(format!("{}?done={done}", cx.path)))
    }
}

/// Gives a task to somebody else, or another day and hour.
#[derive(Deserialize)]
pub struct AssignTask {
    task: TaskId,
    seen: i64,
    owner: String,
    due: String,
    #[serde(default)]
    time: String,
}

impl Form for AssignTask {
    const NAME: &'static str = "task.assign";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let seen = versions::seen(self.seen)?;
        let until = [self.due.as_str(), self.time.as_str()];
        tasks::assign(&cx.db, cx.staff()?, self.task, seen, &self.owner, until).await?;
        Ok(Next::to(format!("{}?done=task_assigned", cx.path)))
    }
}

/// What came of these forms, for the pages that have them.
pub(super) fn done(cx: &Cx) -> [(&'static str, &'static str); 4] {
    let t = &cx.t().admin_tasks;
    [
        ("task_added", t.done_added),
        ("task_done", t.done_done),
        ("task_cancelled", t.done_cancelled),
        ("task_assigned", t.done_assigned),
    ]
}

/// Which list somebody looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Mine,
    Given,
    All,
    Overdue,
    Ended,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Mine, Self::Given, Self::All, Self::Overdue, Self::Ended];

    const fn code(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Given => "given",
            Self::All => "all",
            Self::Overdue => "overdue",
            Self::Ended => "ended",
        }
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_tasks;
    let staff = cx.staff()?;
    let me = Some(staff.id());
    let sees_all = staff.has(Right::Tasks);
    let asked = cx.query("tab");
    let tab = asked.and_then(|code| Tab::ALL.into_iter().find(|tab| tab.code() == code));
    let tab = tab.filter(|tab| sees_all || *tab != Tab::All).unwrap_or(Tab::Mine);
    let of: Option<StaffId> = cx.query("of").filter(|_| sees_all).and_then(|id| id.parse().ok());
    let (which, owner) = match tab {
        Tab::Mine => (Which::Open, me),
        Tab::Given => (Which::Given, None),
        Tab::All => (Which::Open, of),
        Tab::Overdue => (Which::Overdue, if sees_all { of } else { me }),
        Tab::Ended => (Which::Ended, if sees_all { of } else { me }),
    };
    let after = cx.query("after").and_then(|text| place(which, text));
    let mut found = tasks::list(&cx.db, staff, which, owner, after, PAGE as i64 + 1).await?;
    let mut conn = cx.db.read().await?;
    let owners = tasks::colleagues(&mut conn, staff).await?;
    let load = tasks::load(&mut conn, staff).await?;
    let loads = match sees_all {
        true => tasks::loads(&mut conn, staff).await?,
        false => Vec::new(),
    };
    drop(conn);
    let quicker = changes::quicker(&cx, changes::sent(&cx, "task")).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|last| {
        let of = of.map(|of| format!("&of={of}")).unwrap_or_default();
        let href = format!("{HERE}?tab={}{of}&after={}", tab.code(), write(last.place()));
        crate::cabinet::more(&cx, href)
    });
    let is_there = |id: &str| found.iter().any(|task| task.id.to_string() == id);
    let gone = unsaid(&cx, &[EndTask::NAME, AssignTask::NAME], "task", is_there, t.stale);
    let lines: Vec<_> = found.iter().map(|task| one(&cx, task, &owners, true)).collect();
    let list = match lines.is_empty() {
        true => view! { <div class="empty"><p>{t.none} " " {t.none_where}</p></div> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> {next} }.into_html(),
    };
    let whose = of.filter(|_| !matches!(tab, Tab::Mine | Tab::Given)).map(|of| {
        let name = owners.iter().find(|(id, _)| *id == of).map(|(_, name)| name.clone());
        // Who is let in no more is not among those whom tasks are given to.
        let name = name.or_else(|| found.first().map(|task| task.owner.clone()));
        let href = format!("{HERE}?tab={}", tab.code());
        view! { <p>{t.of(name.unwrap_or_default())} " " <a href=href>{t.everybody}</a></p> }
    });
    let control = (tab == Tab::Overdue && sees_all)
        .then(|| control(&cx, &loads))
        .flatten();
    let view = view! {
        <h1>{t.title}</h1>
        {flash(&cx, &done(&cx))}
        {gone}
        {quicker}
        {tabs(&cx, tab, sees_all, load)}
        {control}
        {whose}
        {list}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn tabs(cx: &Cx, tab: Tab, sees_all: bool, load: Load) -> Html {
    let t = &cx.t().admin_tasks;
    let tabs: Vec<_> = Tab::ALL
        .into_iter()
        .filter(|one| sees_all || *one != Tab::All)
        .map(|one| {
            let words = match one {
                Tab::Mine => t.mine,
                Tab::Given => t.given,
                Tab::All => t.all,
                Tab::Overdue => t.overdue,
                Tab::Ended => t.ended,
            };
            let count = match one {
                Tab::Mine => load.open,
                Tab::Overdue if !sees_all => load.overdue,
                Tab::Given | Tab::All | Tab::Overdue | Tab::Ended => 0,
            };
            let count = (count > 0).then(|| view! { " " <span class="badge">{format::integer(count)}</span> });
            let current = (one == tab).then_some("page");
            view! { <a href=format!("{HERE}?tab={}", one.code()) aria-current=current>{words} {count}</a> }
        })
        .collect();
    view! { <nav class="tabs" aria-label=t.title>{tabs}</nav> }.into_html()
}

/// Who is late with how much, for a lead.
fn control(cx: &Cx, loads: &[OwnerLoad]) -> Option<Html> {
    let t = &cx.t().admin_tasks;
    let late = loads.iter().filter(|one| one.overdue > 0);
    let rows: Vec<_> = late
        .map(|one| {
            let href = format!("{HERE}?tab=overdue&of={}", one.id);
            view! {
                <tr>
                    <td class="grow"><a href=href><bdi>{one.name.clone()}</bdi></a></td>
                    <td class="num">{format::integer(one.overdue)}</td>
                    <td class="num">{format::integer(one.open)}</td>
                </tr>
            }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let heads = vec![Head::Words(t.colleague), Head::Number(t.overdue), Head::Number(t.open)];
    let view = view! {
        <section class="section" aria-labelledby="control">
            <h2 id="control">{t.control}</h2>
            <DataTable label=t.control heads=heads rows=rows.into_html()/>
        </section>
    };
    Some(view.into_html())
}

/// What is on somebody's list for today, and late: shown where their day begins.
pub(super) fn reminder(cx: &Cx, load: Load) -> Option<Html> {
    let t = &cx.t().admin_tasks;
    (load.today + load.overdue > 0).then(|| {
        let words = t.reminder(format::integer(load.overdue), format::integer(load.today));
        view! { <p class="notice notice-warn"><a href=HERE>{words}</a></p> }.into_html()
    })
}

/// How a task is done, as it is called.
fn kind_word(cx: &Cx, kind: Kind) -> &'static str {
    let t = &cx.t().admin_tasks;
    match kind {
        Kind::Call => t.kind_call,
        Kind::Letter => t.kind_letter,
        Kind::Other => t.kind_other,
    }
}

/// A task with what may be done with it; on a list of many customers with whom it is for.
pub(super) fn one(cx: &Cx, task: &Task, owners: &[(StaffId, String)], has_customer: bool) -> Html {
    let t = &cx.t().admin_tasks;
    let (now, today) = (cx.shop().local(cx.db.now()), cx.today());
    let day = format::day(cx.lang, task.due_on, today);
    let until = match task.due_time() {
        None => t.until(day),
        Some(time) => t.until_time(day, time),
    };
    let is_late = task.is_overdue(now);
    let (class, words) = match (task.state, task.due_time()) {
        (State::Done, _) => ("status status-done", t.state_done.to_owned()),
        (State::Cancelled, _) => ("status status-wait", t.state_cancelled.to_owned()),
        (State::Open, _) if is_late => ("status status-bad", t.is_overdue.to_owned()),
        (State::Open, None) if task.due_on == today => ("status status-new", t.today.to_owned()),
        (State::Open, Some(time)) if task.due_on == today => ("status status-new", t.today_time(time)),
        (State::Open, _) => ("status status-open", until.clone()),
    };
    // Of what is late one wants to know for how long.
    let late = is_late.then(|| view! { <span>{until}</span> });
    let kind = (task.kind != Kind::Other).then(|| view! { <span>{kind_word(cx, task.kind)}</span> });
    let customer = has_customer.then(|| {
        let href = format!("/admin/customers/{}", task.customer_id);
        view! { <a href=href><bdi>{full_name(cx, &task.name, &task.surname)}</bdi></a> }
    });
    let request = task.request.map(|number| {
        view! { <a href=format!("/admin/requests/{number}")>{t.request_number(number)}</a> }
    });
    let is_mine = cx
        .staff
        .as_ref()
        .is_some_and(|staff| staff.id() == task.owner_id || staff.has(Right::Tasks));
    let acts = (task.state == State::Open && is_mine).then(|| acts(cx, task, owners));
    view! {
        <li>
            <p><b dir="auto">{task.title.clone()}</b></p>
            <p class="facts">
                <span class=class>{words}</span>
                {late}
                {kind}
                <bdi>{task.owner.clone()}</bdi>
                {customer}
                {request}
            </p>
            {acts}
        </li>
    }
    .into_html()
}

fn acts(cx: &Cx, task: &Task, owners: &[(StaffId, String)]) -> Html {
    let t = &cx.t().admin_tasks;
    let id = task.id.to_string();
    let seen = task.changed_at.timestamp_micros().to_string();
    let was_sent = cx.outcome.as_ref().is_some_and(|outcome| {
        outcome.form == AssignTask::NAME
            && outcome
                .values
                .iter()
                .any(|(name, value)| name == "task" && *value == id)
    });
    let labels = pairs([("owner", t.owner), ("due", t.due), ("time", t.time)]);
    let options: Vec<_> = owners.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    let (owner, due) = (task.owner_id.to_string(), task.due_on.to_string());
    let time = task.due_time().unwrap_or_default();
    let (end_form, assign_form) = (format!("task-end-{id}"), format!("task-assign-{id}"));
    let (again, seen_again) = (id.clone(), seen.clone());
    view! {
        <FormBox<EndTask> id=end_form class="actions" stale=t.stale>
            <input type="hidden" name="task" value=id/>
            <input type="hidden" name="seen" value=seen/>
            <button class="btn" name="end" value="done">{t.done}</button>
            <button class="btn btn-quiet" name="end" value="cancelled">{t.cancel}</button>
        </FormBox<EndTask>>
        <details class="fold" open=was_sent>
            <summary>{t.hand_on}</summary>
            <FormBox<AssignTask> id=assign_form labels=labels stale=t.stale>
                <input type="hidden" name="task" value=again/>
                <input type="hidden" name="seen" value=seen_again/>
                <Select name="owner" label=t.owner options=options value=owner/>
                <Field name="due" label=t.due kind="date" value=due/>
                <Field name="time" label=t.time kind="time" value=time optional=true/>
                <button class="btn">{t.hand_on_save}</button>
            </FormBox<AssignTask>>
        </details>
    }
    .into_html()
}

/// The tasks of the customer at hand, and how another one is added.
pub(super) fn section(cx: &Cx, open: &[Task], owners: &[(StaffId, String)]) -> Html {
    let t = &cx.t().admin_tasks;
    let is_there = |id: &str| open.iter().any(|task| task.id.to_string() == id);
    let gone = unsaid(cx, &[EndTask::NAME, AssignTask::NAME], "task", is_there, t.stale);
    let lines: Vec<_> = open.iter().map(|task| one(cx, task, owners, false)).collect();
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.none}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    let was_sent = cx.was_sent(AddTask::NAME);
    let labels = pairs([
        ("title", t.task),
        ("kind", t.kind),
        ("due", t.due),
        ("time", t.time),
        ("owner", t.owner),
        ("request", t.request),
    ]);
    let options: Vec<_> = owners.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    let me = cx
        .staff
        .as_ref()
        .map(|staff| staff.id().to_string())
        .unwrap_or_default();
    let kinds = Kind::ALL.map(|(kind, code)| (code.to_owned(), kind_word(cx, kind).to_owned()));
    let kinds = kinds.to_vec();
    let tomorrow = cx.today().succ_opt().unwrap_or(cx.today()).to_string();
    view! {
        <section class="section" aria-labelledby="tasks">
            <h2 id="tasks">{t.title}</h2>
            {gone}
            {list}
            <p><a href=format!("{}?kind=tasks#history", cx.path)>{t.ended}</a></p>
            <details class="fold" open=was_sent>
                <summary>{t.add}</summary>
                <FormBox<AddTask> labels=labels>
                    <Field name="title" label=t.task missing=t.task_missing/>
                    <Select name="kind" label=t.kind options=kinds value=Kind::Other.code()/>
                    <Field name="due" label=t.due kind="date" value=tomorrow/>
                    <Field name="time" label=t.time kind="time" optional=true/>
                    <Select name="owner" label=t.owner options=options value=me/>
                    <Field name="request" label=t.request inputmode="numeric" enterkeyhint="done" optional=true/>
                    <button class="btn btn-primary">{t.save}</button>
                </FormBox<AddTask>>
            </details>
        </section>
    }
    .into_html()
}

/// The place in a list as an address carries it.
fn write(place: Place) -> String {
    match place {
        Place::Due(day, minute, id) => format!("{day}_{minute}_{id}"),
        Place::Ended(at, id) => show_place((at, id.0)),
    }
}

/// The place in this list that an address carries; none where it is unreadable.
fn place(which: Which, text: &str) -> Option<Place> {
    match which {
        Which::Open | Which::Overdue | Which::Given => {
            let (day, rest) = text.split_once('_')?;
            let (minute, id) = rest.split_once('_')?;
            let minute = minute.parse().ok()?;
            Some(Place::Due(
                crate::cabinet::purchases::day(day)?,
                minute,
                id.parse().ok()?,
            ))
        }
        Which::Ended => crate::cabinet::place(text).map(|(at, id)| Place::Ended(at, TaskId(id))),
    }
}
