//! How requests are told apart: priority and tags as pages show them, and the form of a request by which it is put where it
//! belongs.

use super::view::View;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{ChoiceOption, Field, FormBox, Select, pairs};
use chrono::DateTime;
use crm::flaw::Flaw;
use crm::id::QueueId;
use crm::request::desk::{self, Priority, Queue};
use crm::request::macros::NewMacro;
use crm::request::store::bulk::{self, Act, Sorted};
use crm::request::store::queues;
use crm::request::{StaffThread, Topic, store as requests};
use crm::staff::Colleague;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// What a priority is called.
pub(super) fn priority_word(cx: &Cx, priority: Priority) -> &'static str {
    let t = &cx.t().admin_desk;
    match priority {
        Priority::Low => t.priority_low,
        Priority::Normal => t.priority_normal,
        Priority::High => t.priority_high,
        Priority::Urgent => t.priority_urgent,
    }
}

/// A priority that is worth a word, and tags.
pub(super) fn badges(cx: &Cx, priority: Priority, tags: &[&str]) -> Vec<Html> {
    let class = match priority {
        Priority::Normal => None,
        Priority::Low => Some("badge"),
        Priority::High => Some("badge badge-warn"),
        Priority::Urgent => Some("badge badge-bad"),
    };
    let priority = class.map(|class| view! { <span class=class>{priority_word(cx, priority)}</span> " " }.into_html());
    let tag = |tag: &&str| {
        let tag = format!("#{tag}");
        view! { <span class="badge"><bdi>{tag}</bdi></span> " " }.into_html()
    };
    priority.into_iter().chain(tags.iter().map(tag)).collect()
}

/// The choice of a priority.
pub(super) fn priorities(cx: &Cx) -> Vec<ChoiceOption> {
    let option = |priority: Priority| (priority.code().to_owned(), priority_word(cx, priority).to_owned());
    Priority::ALL.into_iter().map(option).collect()
}

/// The choice of a topic.
pub(super) fn topics(cx: &Cx, topics: &[Topic]) -> Vec<ChoiceOption> {
    let option = |topic: &Topic| (topic.code.clone(), cx.pick(&topic.name));
    topics.iter().map(option).collect()
}

/// The choice of who works on something: oneself, nobody, or one of these.
pub(super) fn people(cx: &Cx, colleagues: &[Colleague]) -> Vec<ChoiceOption> {
    let t = &cx.t().admin_requests;
    let me = cx.staff.as_ref().map(|staff| staff.id());
    let own = pairs([("me", t.me), ("nobody", t.nobody)]);
    let others = colleagues
        .iter()
        .filter(|colleague| Some(colleague.id) != me)
        .map(|colleague| (colleague.id.to_string(), colleague.name.clone()));
    own.into_iter().chain(others).collect()
}

/// The choice of who works on something, or in which queue it is to be: then it is nobody's.
pub(super) fn people_or_queues(cx: &Cx, colleagues: &[Colleague], queues: &[Queue]) -> Vec<ChoiceOption> {
    let t = &cx.t().admin_desk;
    let queue = |queue: &Queue| (NewMacro::to_queue(queue.id), t.queue_choice(cx.pick(&queue.name)));
    let mut all = people(cx, colleagues);
    let open = queues.iter().filter(|queue| queue.closed_at.is_none());
    all.extend(open.map(queue));
    all
}

/// What a form says of a topic, by its code.
pub(super) fn to_topic(topics: &[Topic], code: &str) -> Result<Act, AppError> {
    let topic = topics.iter().find(|topic| topic.code == code);
    let topic = topic.ok_or_else(|| AppError::field("topic", Flaw::NotAChoice))?;
    Ok(Act::Topic(topic.id))
}

/// What a form says of a priority, by its code.
pub(super) fn to_priority(code: &str) -> Result<Act, AppError> {
    let priority = Priority::from_code(code).ok_or_else(|| AppError::field("priority", Flaw::NotAChoice))?;
    Ok(Act::Priority(priority))
}

/// What a form says of who works on something, or of its queue.
pub(super) fn to_assignee(cx: &Cx, code: &str) -> Result<Act, AppError> {
    let not_a_choice = |_| AppError::field("assignee", Flaw::NotAChoice);
    if let Some(("queue", id)) = code.split_once(':') {
        return Ok(Act::Queue(id.parse::<QueueId>().map_err(not_a_choice)?));
    }
    Ok(Act::Assign(match code {
        "me" => Some(cx.staff()?.id()),
        "nobody" => None,
        id => Some(id.parse().map_err(not_a_choice)?),
    }))
}

/// Puts the request at hand where it belongs.
#[derive(Deserialize)]
pub struct SortRequest {
    seen: i64,
    topic: String,
    priority: String,
    assignee: String,
    tags: String,
}

impl Form for SortRequest {
    const NAME: &'static str = "request.sort";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, number) = (cx.staff()?, cx.param("number")?);
        let seen = DateTime::from_timestamp_micros(self.seen).ok_or(AppError::Refused)?;
        let tags = desk::tags(&self.tags).map_err(|flaw| AppError::field("tags", flaw))?;
        let mut conn = cx.db.read().await?;
        let topics = requests::topics(&mut conn).await?;
        let before = bulk::sorted(&mut conn, staff, number).await?;
        drop(conn);
        let mut acts = vec![to_priority(&self.priority)?, to_assignee(cx, &self.assignee)?];
        // A topic that is closed by now is not among the choices, and stays.
        if !self.topic.is_empty() {
            acts.insert(0, to_topic(&topics, &self.topic)?);
        }
        let gone = before.tags.iter().filter(|tag| !tags.contains(tag)).cloned();
        acts.extend(gone.map(Act::Untag));
        acts.extend(tags.into_iter().map(Act::Tag));
        bulk::sort(&cx.db, staff, number, &acts, seen).await?;
        let here = format!("/admin/requests/{number}");
        Ok(Next::to(View::of(cx).address(&here, Some("sorted"))))
    }
}

/// Where a request belongs, and the form by which that is changed.
pub(super) async fn section(
    cx: &Cx,
    thread: &StaffThread,
    topics: &[Topic],
    sorted: &Sorted,
) -> Result<Html, AppError> {
    let t = &cx.t().admin_desk;
    let all = queues::list(&mut cx.db.read().await?, cx.staff()?).await?;
    let queue = all.iter().find(|queue| Some(queue.id) == sorted.queue);
    let queue = queue.map(|queue| view! { <span>{t.in_queue(cx.pick(&queue.name))}</span> });
    let tags: Vec<&str> = sorted.tags.iter().map(String::as_str).collect();
    let me = cx.staff.as_ref().map(|staff| staff.id());
    let assignee = match thread.assignee {
        Some(id) if Some(id) == me => "me".to_owned(),
        Some(id) => id.to_string(),
        None => "nobody".to_owned(),
    };
    let mut people = people_or_queues(cx, &sorted.agents, &all);
    // Whoever works on it stays a choice, though others are of its queue by now.
    if let Some(name) = &thread.assignee_name
        && people.iter().all(|(code, _)| *code != assignee)
    {
        people.push((assignee.clone(), name.clone()));
    }
    let topic = topics.iter().find(|topic| topic.id == sorted.topic);
    let topic = topic.map(|topic| topic.code.clone()).unwrap_or_default();
    let mut choice = self::topics(cx, topics);
    if topic.is_empty() {
        choice.insert(0, (String::new(), cx.pick(&thread.topic)));
    }
    let typed = sorted.tags.join(", ");
    let (seen, priority) = (thread.updated_at.timestamp_micros().to_string(), sorted.priority.code());
    let priorities = priorities(cx);
    let labels = pairs([
        ("topic", t.topic),
        ("priority", t.priority),
        ("assignee", t.assignee),
        ("tags", t.tags),
    ]);
    let was_sent = cx.was_sent(SortRequest::NAME);
    let section = view! {
        <p class="facts" data-swap="sorted">{badges(cx, sorted.priority, &tags)} {queue}</p>
        <details class="fold" open=was_sent>
            <summary>{t.sort}</summary>
            <FormBox<SortRequest> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <Select name="topic" label=t.topic options=choice value=topic/>
                <Select name="priority" label=t.priority options=priorities value=priority/>
                <Select name="assignee" label=t.assignee hint=t.assignee_hint options=people value=assignee/>
                <Field name="tags" label=t.tags hint=t.tags_hint value=typed optional=true/>
                <button class="btn">{t.save}</button>
            </FormBox<SortRequest>>
        </details>
    };
    Ok(section.into_html())
}
