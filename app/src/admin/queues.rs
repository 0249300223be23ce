//! Queues of requests, as a lead sets them up: what they allow, who works in them, which topics lead there.

use super::changes;
use super::sorting::priorities;
use super::status_word;
use super::versions::{self, seen};
use crate::cabinet::{back, flash, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, Choices, DataTable, Field, FormBox, Head, Select, pairs, table_or};
use crm::audit::Last;
use crm::flaw::Flaw;
use crm::id::{QueueId, StaffId, TopicId};
use crm::lang::Localized;
use crm::request::desk::{self, Agent, Beginning, Mode, Move, Priority, Queue, Rules, Uses, Who};
use crm::request::store::queues::{self, Begins};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const HERE: &str = "/admin/queues";

/// Adds a queue.
#[derive(Deserialize)]
pub struct AddQueue {
    key: String,
    name_ru: String,
    name_en: String,
}

impl Form for AddQueue {
    const NAME: &'static str = "queue.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let name = Localized::new(self.name_ru, self.name_en);
        let id = queues::create(&cx.db, cx.staff()?, &self.key, &name).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Says what requests about each topic begin with, by the topics' ids behind a `t`: what begins with a digit would be read as a place
/// in a list. `was` is what was shown of each: a topic that stays as it was is left alone, whatever a colleague made of it meanwhile,
/// and none is changed that a colleague changed.
#[derive(Deserialize)]
pub struct SetBeginnings {
    #[serde(default)]
    was: BTreeMap<String, String>,
    #[serde(default)]
    queue: BTreeMap<String, String>,
    #[serde(default)]
    priority: BTreeMap<String, String>,
}

impl Form for SetBeginnings {
    const NAME: &'static str = "queue.topic";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let not_a_choice = |field: &str, id: &str| AppError::field(&format!("{field}[{id}]"), Flaw::NotAChoice);
        let mut changed = Vec::new();
        for (id, code) in &self.priority {
            let queue = self.queue.get(id).map(String::as_str).unwrap_or_default();
            let was = self.was.get(id);
            if was.is_some_and(|was| *was == shown(queue, code)) {
                continue;
            }
            let topic = id.strip_prefix('t').and_then(|id| id.parse::<TopicId>().ok());
            let topic = topic.ok_or(AppError::NotFound)?;
            let queue = match queue {
                "" => None,
                queue => Some(queue.parse().map_err(|_| not_a_choice("queue", id))?),
            };
            let priority = Priority::from_code(code).ok_or_else(|| not_a_choice("priority", id))?;
            let seen = was.and_then(|was| read(was)).ok_or(AppError::Refused)?;
            changed.push((topic, seen, (queue, priority)));
        }
        queues::set_beginnings(&cx.db, cx.staff()?, &changed)
            .await
            .map_err(|error| match error {
                crm::Error::Invalid(flaws) => {
                    let flaws = flaws
                        .into_iter()
                        .map(|(topic, flaw)| (format!("queue[t{topic}]"), flaw));
                    crm::Error::Invalid(flaws.collect())
                }
                other => other,
            })?;
        Ok(Next::to(format!("{HERE}?done=topic")))
    }
}

/// What is shown of a topic, in one word.
fn shown(queue: &str, priority: &str) -> String {
    format!("{priority} {queue}")
}

/// The same, read.
fn read(shown: &str) -> Option<Begins> {
    let (priority, queue) = shown.split_once(' ')?;
    let queue = match queue {
        "" => None,
        id => Some(id.parse().ok()?),
    };
    Some((queue, Priority::from_code(priority)?))
}

/// Changes the queue at hand. `seen` is when it was written down as it was shown.
#[derive(Deserialize)]
pub struct ChangeQueue {
    seen: i64,
    name_ru: String,
    name_en: String,
    mode: Mode,
    close_by: Who,
    reopen_by: Who,
    #[serde(default)]
    customer_closes: String,
    reopen_days: String,
    #[serde(default)]
    steps: Vec<String>,
}

impl Form for ChangeQueue {
    const NAME: &'static str = "queue.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: QueueId = cx.param("id")?;
        let name = Localized::new(self.name_ru, self.name_en);
        let mut steps = desk::moves();
        steps.retain(|step| self.steps.contains(&step_code(*step)));
        let rules = Rules {
            steps,
            close_by: self.close_by,
            reopen_by: self.reopen_by,
            customer_closes: self.customer_closes == "yes",
            reopen_days: desk::reopen_days(&self.reopen_days).map_err(|flaw| AppError::field("reopen_days", flaw))?,
        };
        let seen = seen(self.seen)?;
        queues::change(&cx.db, cx.staff()?, id, seen, &name, self.mode, &rules).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=changed")))
    }
}

/// Says how many requests of the queue at hand a colleague is given. `seen` is how many they were given as it was shown.
#[derive(Deserialize)]
pub struct SetAgent {
    seen: String,
    agent: StaffId,
    capacity: String,
}

impl Form for SetAgent {
    const NAME: &'static str = "queue.agent";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: QueueId = cx.param("id")?;
        let capacity = desk::capacity(&self.capacity).map_err(|flaw| AppError::field("capacity", flaw))?;
        let seen = desk::capacity(&self.seen).map_err(|_| AppError::Refused)?;
        queues::set_agent(&cx.db, cx.staff()?, id, self.agent, seen, capacity).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=agent")))
    }
}

/// Lets things come into the queue at hand again, or no more.
#[derive(Deserialize)]
pub struct SwitchQueue {
    open: bool,
}

impl Form for SwitchQueue {
    const NAME: &'static str = "queue.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: QueueId = cx.param("id")?;
        queues::set_open(&cx.db, cx.staff()?, id, self.open).await?;
        let done = if self.open { "reopened" } else { "closed" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// Removes the queue at hand, which nothing uses.
#[derive(Deserialize)]
pub struct RemoveQueue {}

impl Form for RemoveQueue {
    const NAME: &'static str = "queue.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        queues::remove(&cx.db, cx.staff()?, cx.param("id")?).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// What forms call a step.
fn step_code((from, to): Move) -> String {
    format!("{}-{}", from.code(), to.code())
}

/// All queues, and what requests about each topic begin with.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_queues;
    let staff = cx.staff()?;
    staff.may(Right::Desk)?;
    let mut conn = cx.db.read().await?;
    let all = queues::list(&mut conn, staff).await?;
    let topics = queues::beginnings(&mut conn, staff).await?;
    drop(conn);
    let quicker = changes::quicker(&cx, Last::Done("queue.topic", "")).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|queue| {
            let closed = queue
                .closed_at
                .map(|_| view! { " " <span class="badge">{t.is_closed}</span> });
            view! {
                <tr>
                    <td class="grow">
                        <a href=format!("{HERE}/{}", queue.id)><bdi>{cx.pick(&queue.name)}</bdi></a> {closed}
                    </td>
                    <td><code>{queue.code.clone()}</code></td>
                    <td>{mode_word(&cx, queue.mode)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.name), Head::Words(t.code), Head::Words(t.mode)];
    let list = table_or(t.none, t.title, heads, rows);
    let labels = pairs([("key", t.code), ("name_ru", t.name_ru), ("name_en", t.name_en)]);
    let topics = beginnings(&cx, topics, &all);
    let view = view! {
        {back("/admin/requests", cx.t().admin_requests.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("topic", t.done_topic), ("removed", t.done_removed)])}
        {quicker}
        <p class="lead">{t.lead}</p>
        {list}
        <AddBox<AddQueue> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            <Field name="name_ru" label=t.name_ru/>
            <Field name="name_en" label=t.name_en/>
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddQueue>>
        <div class="section">
            <h2>{t.topics}</h2>
            <p class="hint">{t.topics_hint}</p>
            {topics}
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What requests about each topic begin with: all of them in one form.
fn beginnings(cx: &Cx, topics: Vec<Beginning>, all: &[Queue]) -> Html {
    let t = &cx.t().admin_queues;
    let labels: Vec<_> = topics.iter().flat_map(|topic| fields(cx, topic)).collect();
    let queues = all.to_vec();
    let inside = cx.clone();
    // Made inside its form, which knows what was typed.
    let table = move || {
        let rows: Vec<_> = topics.iter().map(|topic| beginning(&inside, topic, &queues)).collect();
        let heads = vec![Head::Words(t.topic), Head::Words(t.queue), Head::Words(t.priority)];
        view! { <DataTable label=t.topics heads=heads rows=rows.into_html()/> }.into_html()
    };
    view! {
        <FormBox<SetBeginnings> labels=labels stale=cx.t().admin_shops.stale>
            {table()}
            <button class="btn">{t.save}</button>
        </FormBox<SetBeginnings>>
    }
    .into_html()
}

/// The fields of a topic, each with what it is called where its row and column are not seen.
fn fields(cx: &Cx, topic: &Beginning) -> [(String, String); 2] {
    let t = &cx.t().admin_queues;
    [("queue", t.queue), ("priority", t.priority)].map(|(field, words)| {
        let label = format!("{}: {words}", cx.pick(&topic.name));
        (format!("{field}[t{}]", topic.id), label)
    })
}

/// What requests about one topic begin with. A queue that is closed is a choice where it is chosen already.
fn beginning(cx: &Cx, topic: &Beginning, all: &[Queue]) -> Html {
    let t = &cx.t().admin_queues;
    let none = if topic.is_below { t.as_above } else { t.no_queue };
    let none = (String::new(), none.to_owned());
    let may_be = |queue: &&Queue| queue.closed_at.is_none() || Some(queue.id) == topic.queue;
    let name = |queue: &Queue| match queue.closed_at {
        None => (queue.id.to_string(), cx.pick(&queue.name)),
        Some(_) => (queue.id.to_string(), t.closed_choice(cx.pick(&queue.name))),
    };
    let queues: Vec<_> = std::iter::once(none)
        .chain(all.iter().filter(may_be).map(name))
        .collect();
    let queue = topic.queue.map(|id| id.to_string()).unwrap_or_default();
    let (name, priorities, priority) = (cx.pick(&topic.name), priorities(cx), topic.priority.code());
    let (was, was_name) = (shown(&queue, priority), format!("was[t{}]", topic.id));
    let [(queue_name, queue_label), (priority_name, priority_label)] = fields(cx, topic);
    view! {
        <tr>
            <td class="grow-wrap">
                <bdi>{name}</bdi>
                <input type="hidden" name=was_name value=was/>
            </td>
            <td><Select name=queue_name label=queue_label options=queues value=queue/></td>
            <td><Select name=priority_name label=priority_label options=priorities value=priority/></td>
        </tr>
    }
    .into_html()
}

fn mode_word(cx: &Cx, mode: Mode) -> &'static str {
    let t = &cx.t().admin_queues;
    match mode {
        Mode::ByHand => t.by_hand,
        Mode::RoundRobin => t.round_robin,
    }
}

/// One queue.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_queues;
    let id: QueueId = cx.param("id")?;
    let staff = cx.staff()?;
    let mut conn = cx.db.read().await?;
    let (queue, agents) = queues::read(&mut conn, staff, id).await?;
    let uses = queues::uses(&mut conn, staff, id).await?;
    drop(conn);
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let title = cx.pick(&queue.name);
    let agents: Vec<_> = agents.iter().map(|one| agent(&cx, one)).collect();
    let done = [
        ("created", t.done_created),
        ("changed", t.done_changed),
        ("agent", t.done_agent),
        ("closed", t.done_closed),
        ("reopened", t.done_reopened),
    ];
    let closed = queue
        .closed_at
        .map(|at| view! { <p class="notice"><span>{t.closed_since(cx.moment(at))}</span></p> });
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {unsaid(&cx, &[RemoveQueue::NAME], "_form", |_| uses.is_empty(), t.still_used)}
        {quicker}
        <p><code>{queue.code.clone()}</code></p>
        {closed}
        <section class="section narrow" aria-labelledby="settings">
            <h2 id="settings">{t.settings}</h2>
            {settings(&cx, &queue)}
        </section>
        <section class="section narrow" aria-labelledby="agents">
            <h2 id="agents">{t.agents}</h2>
            <p class="hint">{t.agents_hint}</p>
            {agents}
        </section>
        {end(&cx, queue.closed_at.is_some(), &uses)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// How a queue is closed and removed, and what has to go elsewhere first.
fn end(cx: &Cx, is_closed: bool, uses: &Uses) -> Html {
    let t = &cx.t().admin_queues;
    let topics = uses.topics.iter().map(|name| t.used_topic(cx.pick(name)));
    let macros = uses.macros.iter().map(|(name, owner)| match owner {
        None => t.used_macro(name),
        Some(owner) => t.used_own_macro(name, owner),
    });
    let unclosed = (uses.unclosed > 0).then(|| t.used_unclosed(uses.unclosed));
    let past = (uses.has_requests && uses.unclosed == 0).then(|| t.used_past.to_owned());
    let lines: Vec<String> = topics.chain(macros).chain(unclosed).chain(past).collect();
    let used = (!lines.is_empty()).then(|| view! { <p>{t.used}</p> {versions::list(lines)} });
    let (open, words, text) = match is_closed {
        true => ("true", t.reopen, t.reopen_text),
        false => ("false", t.close, t.close_text),
    };
    let remove = uses.is_empty().then(|| {
        view! {
            <details class="fold">
                <summary>{t.remove}</summary>
                <p>{t.remove_text}</p>
                <FormBox<RemoveQueue> class="actions" stale=t.still_used>
                    <button class="btn btn-danger">{t.remove}</button>
                </FormBox<RemoveQueue>>
            </details>
        }
    });
    view! {
        <section class="section narrow" aria-labelledby="end">
            <h2 id="end">{t.end}</h2>
            {used}
            <FormBox<SwitchQueue> class="actions">
                <input type="hidden" name="open" value=open/>
                <button class="btn">{words}</button>
                <span class="hint">{text}</span>
            </FormBox<SwitchQueue>>
            {remove}
        </section>
    }
    .into_html()
}

/// What a queue allows.
fn settings(cx: &Cx, queue: &Queue) -> Html {
    let t = &cx.t().admin_queues;
    let modes = pairs([
        ("by_hand", mode_word(cx, Mode::ByHand)),
        ("round_robin", mode_word(cx, Mode::RoundRobin)),
    ]);
    let mode = match queue.mode {
        Mode::ByHand => "by_hand",
        Mode::RoundRobin => "round_robin",
    };
    let who = || {
        pairs([
            ("anyone", t.who_anyone),
            ("assignee", t.who_assignee),
            ("lead", t.who_lead),
        ])
    };
    let (close, reopen) = (who(), who());
    let who_code = |who: Who| match who {
        Who::Anyone => "anyone",
        Who::Assignee => "assignee",
        Who::Lead => "lead",
    };
    let (close_by, reopen_by) = (who_code(queue.rules.close_by), who_code(queue.rules.reopen_by));
    let step = |step: Move| {
        let words = t.step(status_word(cx, step.0), status_word(cx, step.1));
        (step_code(step), words, queue.rules.steps.contains(&step))
    };
    let steps: Vec<_> = desk::moves().into_iter().map(step).collect();
    let (name_ru, name_en) = (queue.name.ru.clone(), queue.name.en.clone());
    let customer_closes = queue.rules.customer_closes;
    let reopen_days = queue.rules.reopen_days.map(|days| days.to_string()).unwrap_or_default();
    let seen = queue.changed_at.timestamp_micros().to_string();
    let labels = pairs([
        ("name_ru", t.name_ru),
        ("name_en", t.name_en),
        ("reopen_days", t.reopen_days),
    ]);
    view! {
        <FormBox<ChangeQueue> labels=labels stale=cx.t().admin_shops.stale>
            <input type="hidden" name="seen" value=seen/>
            <Field name="name_ru" label=t.name_ru value=name_ru/>
            <Field name="name_en" label=t.name_en value=name_en/>
            <Select name="mode" label=t.mode hint=t.mode_hint options=modes value=mode/>
            <Choices name="steps" legend=t.steps options=steps/>
            <Select name="close_by" label=t.close_by options=close value=close_by/>
            <Select name="reopen_by" label=t.reopen_by options=reopen value=reopen_by/>
            <Check name="customer_closes" checked=customer_closes>{t.customer_closes}</Check>
            <Field
                name="reopen_days"
                label=t.reopen_days
                hint=t.reopen_days_hint
                value=reopen_days
                inputmode="numeric"
                optional=true
            />
            <button class="btn btn-primary">{t.save}</button>
        </FormBox<ChangeQueue>>
    }
    .into_html()
}

/// How many requests somebody is given.
fn agent(cx: &Cx, agent: &Agent) -> Html {
    let t = &cx.t().admin_queues;
    let (id, about) = (format!("queue-agent-{}", agent.id), agent.id.to_string());
    let label = t.capacity(&agent.name);
    let capacity = agent.capacity.map(|capacity| capacity.to_string()).unwrap_or_default();
    let seen = capacity.clone();
    let hint = match (agent.capacity, agent.takes_requests) {
        (None, _) => t.not_here,
        (Some(_), true) => t.is_present,
        (Some(_), false) => t.is_away,
    };
    let labels = vec![("capacity".to_owned(), label.clone())];
    view! {
        <FormBox<SetAgent> id=id labels=labels stale=cx.t().admin_shops.stale>
            <input type="hidden" name="seen" value=seen/>
            <input type="hidden" name="agent" value=about/>
            <Field name="capacity" label=label hint=hint value=capacity inputmode="numeric" optional=true/>
            <button class="btn">{t.save}</button>
        </FormBox<SetAgent>>
    }
    .into_html()
}
