//! Many requests at once: those whose boxes are ticked in the list, or all that it shows, page by page.

use super::sorting::{people_or_queues, priorities, to_assignee, to_priority, to_topic, topics as topic_choice};
use super::status_word;
use super::view::{View, all_topics};
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, ChoiceOption, Field, FieldMessage, FormBox, Select, pairs};
use crm::flaw::Flaw;
use crm::id::BulkId;
use crm::request::desk::{self, Queue};
use crm::request::store::bulk::{self, Act, Outcome, Refused};
use crm::request::{Status, Topic, store as requests};
use crm::staff::Colleague;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/requests";
/// So many numbers of requests are told for each reason.
const TOLD: usize = 20;

/// Does something with many requests.
#[derive(Deserialize)]
pub struct BulkRequests {
    /// The number of the last change when the list was shown.
    seen: i64,
    #[serde(default)]
    numbers: Vec<i64>,
    #[serde(default)]
    all: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    untag: String,
    #[serde(default)]
    assignee: String,
    #[serde(default)]
    status: String,
}

impl BulkRequests {
    /// What is to be done; an empty field says nothing.
    fn acts(&self, cx: &Cx, topics: &[Topic]) -> Result<Vec<Act>, AppError> {
        let tag = |name: &str, raw: &str| desk::tag(raw).map_err(|flaw| AppError::field(name, flaw));
        let mut acts = Vec::new();
        if !self.topic.is_empty() {
            acts.push(to_topic(topics, &self.topic)?);
        }
        if !self.priority.is_empty() {
            acts.push(to_priority(&self.priority)?);
        }
        if !self.tag.trim().is_empty() {
            acts.push(Act::Tag(tag("tag", &self.tag)?));
        }
        if !self.untag.trim().is_empty() {
            acts.push(Act::Untag(tag("untag", &self.untag)?));
        }
        if !self.assignee.is_empty() {
            acts.push(to_assignee(cx, &self.assignee)?);
        }
        if !self.status.is_empty() {
            let status = statuses().find(|(code, _)| *code == self.status);
            let (_, status) = status.ok_or_else(|| AppError::field("status", Flaw::NotAChoice))?;
            acts.push(Act::Status(status));
        }
        Ok(acts)
    }
}

/// What staff set by hand, as forms call it.
fn statuses() -> impl Iterator<Item = (&'static str, Status)> {
    [Status::Open, Status::Waiting, Status::Closed]
        .into_iter()
        .map(|status| (status.code(), status))
}

impl Form for BulkRequests {
    const NAME: &'static str = "request.bulk";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (staff, view) = (cx.staff()?, View::whole(cx).await?);
        let topics = requests::topics(&mut cx.db.read().await?).await?;
        let acts = self.acts(cx, &topics)?;
        let numbers = match self.all.as_str() {
            "yes" => {
                let filter = view.filter(&all_topics(cx).await?);
                // What the list was narrowed by may be gone by now: without it all would be more than was shown.
                let is_gone = |name: &str, is_there: bool| !is_there && cx.query(name).is_some();
                if is_gone("find", view.find.is_some()) || is_gone("topic", filter.topic != Some(Topic::NONE)) {
                    return Err(AppError::Stale);
                }
                bulk::numbers(&cx.db, staff, &filter).await?
            }
            _ => self.numbers,
        };
        let id = bulk::change(&cx.db, staff, &numbers, &acts, self.seen).await?;
        Ok(Next::to(format!("{}&bulk={id}", view.address(HERE, Some("bulk")))))
    }
}

/// Undoes that.
#[derive(Deserialize)]
pub struct UndoBulk {
    bulk: BulkId,
}

impl Form for UndoBulk {
    const NAME: &'static str = "request.undo";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let undone = bulk::undo(&cx.db, cx.staff()?, self.bulk).await?;
        let at = View::of(cx).address(HERE, Some("undone"));
        Ok(Next::to(format!(
            "{at}&restored={}&kept={}",
            undone.restored, undone.kept
        )))
    }
}

/// A box by which a request of the list is chosen.
pub(super) fn choose(cx: &Cx, number: i64) -> Html {
    let t = &cx.t().admin_desk;
    let sent = cx.outcome.as_ref().filter(|outcome| outcome.form == BulkRequests::NAME);
    let value = number.to_string();
    let is_chosen = sent.is_some_and(|outcome| {
        let mut values = outcome.values.iter();
        values.any(|(name, chosen)| name == "numbers[]" && *chosen == value)
    });
    view! {
        <label class="check">
            <input class="checkbox" type="checkbox" name="numbers[]" value=value checked=is_chosen/>
            <span class="sr-only">{t.choose(number)}</span>
        </label>
    }
    .into_html()
}

/// A choice with nothing chosen at first.
fn or_as_it_is(cx: &Cx, choices: Vec<ChoiceOption>) -> Vec<ChoiceOption> {
    let nothing = (String::new(), cx.t().admin_desk.as_it_is.to_owned());
    std::iter::once(nothing).chain(choices).collect()
}

/// The list with what can be done with what is chosen in it. It says what the last change was before the list was read: whoever is
/// quicker with a request is overwritten by nobody.
pub(super) fn around(cx: &Cx, list: Html, topics: &[Topic], colleagues: &[Colleague], queues: &[Queue]) -> Html {
    let t = &cx.t().admin_desk;
    let seen = cx.staff.as_ref().map(|staff| staff.last_change().to_string());
    let sent = cx.outcome.as_ref().filter(|outcome| outcome.form == BulkRequests::NAME);
    let was_sent = sent.is_some();
    let missing = |field: &str, words: &'static str| {
        let AppError::Invalid { flaws } = &sent?.error else {
            return None;
        };
        let (_, flaw) = flaws.iter().find(|(name, _)| name == field)?;
        Some(match flaw {
            Flaw::Missing => words.to_owned(),
            other => cx.flaw(other),
        })
    };
    let (numbers, acts) = (missing("numbers", t.numbers_missing), missing("acts", t.acts_missing));
    let topics = or_as_it_is(cx, topic_choice(cx, topics));
    let priorities = or_as_it_is(cx, priorities(cx));
    let people = or_as_it_is(cx, people_or_queues(cx, colleagues, queues));
    let statuses = statuses().map(|(code, status)| (code.to_owned(), status_word(cx, status).to_owned()));
    let statuses = or_as_it_is(cx, statuses.collect());
    let labels = pairs([
        ("numbers", t.numbers),
        ("acts", t.acts),
        ("topic", t.topic),
        ("priority", t.priority),
        ("assignee", t.assignee),
        ("status", t.status),
        ("tag", t.tag),
        ("untag", t.untag),
    ]);
    let most = t.bulk_all(bulk::MOST);
    let [numbers_id, acts_id] = ["numbers", "acts"].map(|field| format!("request-bulk-{field}"));
    view! {
        <FormBox<BulkRequests> class="stack" labels=labels>
            <input type="hidden" name="seen" value=seen/>
            <div class="cards" id="request-bulk-numbers" tabindex="-1">{list}</div>
            <FieldMessage id=numbers_id message=numbers/>
            <details class="fold" open=was_sent>
                <summary>{t.bulk}</summary>
                <div class="form">
                    <p class="hint" id="request-bulk-acts" tabindex="-1">{t.bulk_hint}</p>
                    <FieldMessage id=acts_id message=acts/>
                    <Select name="assignee" label=t.assignee hint=t.assignee_hint options=people/>
                    <Select name="status" label=t.status options=statuses/>
                    <Select name="priority" label=t.priority options=priorities/>
                    <Select name="topic" label=t.topic options=topics/>
                    <Field name="tag" label=t.tag optional=true/>
                    <Field name="untag" label=t.untag optional=true/>
                    <Check name="all">{most}</Check>
                    <button class="btn btn-primary">{t.bulk_do}</button>
                </div>
            </details>
        </FormBox<BulkRequests>>
    }
    .into_html()
}

/// What came of it, with the way back; of an undoing what it brought back.
pub(super) async fn done(cx: &Cx) -> Result<Option<Html>, AppError> {
    let t = &cx.t().admin_desk;
    if cx.query("done") == Some("undone") && cx.outcome.is_none() {
        let number = |name: &str| cx.query(name).and_then(|n| n.parse::<i64>().ok()).unwrap_or_default();
        let kept = Some(number("kept"))
            .filter(|kept| *kept > 0)
            .map(|kept| t.done_left(kept));
        let restored = t.done_undone(number("restored"));
        return Ok(Some(
            view! { <p class="flash" role="status">{restored} " " {kept}</p> }.into_html(),
        ));
    }
    // Of another form that was not taken, that form tells.
    if cx.outcome.as_ref().is_some_and(|sent| sent.form != UndoBulk::NAME) {
        return Ok(None);
    }
    let Some(id) = cx.query("bulk").and_then(|id| id.parse::<BulkId>().ok()) else {
        return Ok(None);
    };
    let outcome = bulk::outcome(&mut cx.db.read().await?, cx.staff()?, id).await?;
    Ok(outcome.map(|outcome| told(cx, id, &outcome)))
}

fn told(cx: &Cx, id: BulkId, outcome: &Outcome) -> Html {
    let t = &cx.t().admin_desk;
    let reason = |why: Refused| {
        let numbers: Vec<_> = outcome
            .refused
            .iter()
            .filter(|(_, refused)| *refused == why)
            .map(|(number, _)| format!("№ {number}"))
            .collect();
        let words = match why {
            Refused::Same => t.refused_same,
            Refused::Status => t.refused_status,
            Refused::Agent => t.refused_agent,
            Refused::Tags => t.refused_tags,
            Refused::Changed => t.refused_changed,
        };
        let more = numbers.len().saturating_sub(TOLD);
        let more = match more {
            0 => String::new(),
            more => format!(" {}", t.and_more(more)),
        };
        let some = numbers.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
        let line = format!("{words}: {some}{more}");
        (!numbers.is_empty()).then(|| view! { <li>{line}</li> }.into_html())
    };
    let all = [
        Refused::Changed,
        Refused::Status,
        Refused::Agent,
        Refused::Tags,
        Refused::Same,
    ];
    let reasons: Vec<_> = all.into_iter().filter_map(reason).collect();
    let reasons = (!reasons.is_empty()).then(|| view! { <ul>{reasons}</ul> });
    let was_sent = cx.was_sent(UndoBulk::NAME);
    // The form stays to say that it came too late.
    let undo = (outcome.may_undo || was_sent).then(|| {
        let (bulk, words) = (id.to_string(), t.undo);
        view! {
            <FormBox<UndoBulk> class="actions" stale=t.undo_late>
                <input type="hidden" name="bulk" value=bulk/>
                <button class="btn">{words}</button>
            </FormBox<UndoBulk>>
        }
    });
    view! {
        <div class="flash" role="status">
            <p>{t.done_bulk(outcome.changed)}</p>
            {reasons}
            {undo}
        </div>
    }
    .into_html()
}
