//! Service levels as leads write them: when there is work, how soon requests are answered and solved.

use super::changes;
use super::rules::fields::line;
use super::versions::{self, seen};
use crate::cabinet::{flash, gone, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{ChoiceOption, DataTable, Field, FormBox, Head, Select, TextArea, pairs};
use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, Utc};
use crm::flaw::Flaw;
use crm::id::{CalendarId, PolicyId};
use crm::request::Promise;
use crm::request::desk::Priority;
use crm::request::level::managing::{self as levels, DAY_FIELDS, Entry, NewCalendar, NewPolicy, Setup};
use crm::request::level::{Policy, show_days, show_hours};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/levels";
/// Where the report of requests tells how often it was kept.
const REPORT: &str = "/admin/reports/requests";
/// How browsers write a day and a time.
const AT: &str = "%Y-%m-%dT%H:%M";

/// The fields of a calendar.
#[derive(Deserialize)]
pub struct CalendarFields {
    name: String,
    time_zone: String,
    mon: String,
    tue: String,
    wed: String,
    thu: String,
    fri: String,
    sat: String,
    sun: String,
    days: String,
}

impl From<CalendarFields> for NewCalendar {
    fn from(fields: CalendarFields) -> Self {
        let CalendarFields {
            name,
            time_zone,
            mon,
            tue,
            wed,
            thu,
            fri,
            sat,
            sun,
            days,
        } = fields;
        Self {
            name: line(&name),
            time_zone,
            week: [mon, tue, wed, thu, fri, sat, sun],
            days,
        }
    }
}

/// What a hidden field of our own page says.
fn hidden<T: std::str::FromStr>(text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| AppError::Refused)
}

fn done(what: &str) -> Result<Next, AppError> {
    Ok(Next::to(format!("{HERE}?done={what}")))
}

/// Adds a calendar.
#[derive(Deserialize)]
pub struct AddCalendar {
    #[serde(flatten)]
    fields: CalendarFields,
}

impl Form for AddCalendar {
    const NAME: &'static str = "level.calendar_add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        levels::add_calendar(&cx.db, cx.staff()?, &self.fields.into()).await?;
        done("calendar_added")
    }
}

/// Changes a calendar. `seen` is when it was written down as it was shown.
#[derive(Deserialize)]
pub struct ChangeCalendar {
    id: String,
    seen: String,
    #[serde(flatten)]
    fields: CalendarFields,
}

impl Form for ChangeCalendar {
    const NAME: &'static str = "level.calendar_change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CalendarId = hidden(&self.id)?;
        let seen = seen(hidden(&self.seen)?)?;
        levels::change_calendar(&cx.db, cx.staff()?, id, seen, &self.fields.into()).await?;
        done("saved")
    }
}

/// Lets policies take a calendar again, or no more.
#[derive(Deserialize)]
pub struct SwitchCalendar {
    id: String,
    open: bool,
}

impl Form for SwitchCalendar {
    const NAME: &'static str = "level.calendar_switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        levels::set_calendar_open(&cx.db, cx.staff()?, hidden(&self.id)?, self.open).await?;
        done(if self.open {
            "calendar_reopened"
        } else {
            "calendar_closed"
        })
    }
}

/// Removes a calendar that no policy has.
#[derive(Deserialize)]
pub struct RemoveCalendar {
    id: String,
}

impl Form for RemoveCalendar {
    const NAME: &'static str = "level.calendar_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        levels::remove_calendar(&cx.db, cx.staff()?, hidden(&self.id)?).await?;
        done("calendar_removed")
    }
}

/// Adds a policy.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct AddPolicy(NewPolicy);

impl Form for AddPolicy {
    const NAME: &'static str = "level.policy_add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        levels::add_policy(&cx.db, cx.staff()?, &self.0).await?;
        done("policy_added")
    }
}

/// Changes a policy. `seen` as of a calendar.
#[derive(Deserialize)]
pub struct ChangePolicy {
    id: String,
    seen: String,
    #[serde(flatten)]
    fields: NewPolicy,
}

impl Form for ChangePolicy {
    const NAME: &'static str = "level.policy_change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: PolicyId = hidden(&self.id)?;
        let seen = seen(hidden(&self.seen)?)?;
        levels::change_policy(&cx.db, cx.staff()?, id, seen, &self.fields).await?;
        done("saved")
    }
}

/// Removes a policy.
#[derive(Deserialize)]
pub struct RemovePolicy {
    id: String,
}

impl Form for RemovePolicy {
    const NAME: &'static str = "level.policy_remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        levels::remove_policy(&cx.db, cx.staff()?, hidden(&self.id)?).await?;
        done("policy_removed")
    }
}

/// Shows when a request that is written at a moment would be due. Nothing changes by it.
#[derive(Deserialize)]
pub struct PreviewLevels {
    at: String,
}

impl Form for PreviewLevels {
    const NAME: &'static str = "level.preview";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        cx.staff()?.may(Right::Levels)?;
        if self.at.is_empty() {
            return Err(AppError::field("at", Flaw::Missing));
        }
        let at = written_at(&self.at).ok_or_else(|| AppError::field("at", Flaw::NotADate))?;
        Ok(Next::to(format!("{HERE}?at={}", at.format(AT))))
    }
}

/// What is owed, as lists call it.
fn kind(cx: &Cx, kind: Promise) -> &'static str {
    let t = &cx.t().admin_levels;
    match kind {
        Promise::FirstAnswer => t.first_answer,
        Promise::NextAnswer => t.next_answer,
        Promise::Solution => t.solution,
    }
}

fn priority(cx: &Cx, priority: Priority) -> &'static str {
    let t = &cx.t().admin_levels;
    match priority {
        Priority::Low => t.low,
        Priority::Normal => t.normal,
        Priority::High => t.high,
        Priority::Urgent => t.urgent,
    }
}

/// A time of the shop's clock as a browser sends it.
fn written_at(text: &str) -> Option<NaiveDateTime> {
    let at = NaiveDateTime::parse_from_str(text, AT).ok()?;
    (2000..=2200).contains(&at.year()).then_some(at)
}

/// The moment for which it is shown what would be due: the one asked for, or next Friday evening, when little is left of the week.
fn asked(cx: &Cx) -> NaiveDateTime {
    let asked = cx.query("at").and_then(written_at);
    let today = cx.today();
    let to_friday = (4 + 7 - i64::from(today.weekday().num_days_from_monday())) % 7;
    let friday = (today + TimeDelta::days(to_friday)).and_time(chrono::NaiveTime::MIN);
    asked.unwrap_or(friday + TimeDelta::minutes(19 * 60 + 50))
}

/// Everything that is set up, with the forms to change it.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_levels;
    let setup = levels::list(&cx.db, cx.staff()?).await?;
    let quicker = changes::quicker(&cx, changes::sent(&cx, "id")).await?;
    let said = [
        ("calendar_added", t.done_calendar_added),
        ("calendar_closed", t.done_calendar_closed),
        ("calendar_reopened", t.done_calendar_reopened),
        ("calendar_removed", t.done_calendar_removed),
        ("policy_added", t.done_policy_added),
        ("policy_removed", t.done_policy_removed),
        ("saved", cx.t().admin_rules.done_saved),
    ];
    let calendars: Vec<_> = setup
        .calendars
        .iter()
        .map(|entry| calendar(&cx, &setup, entry))
        .collect();
    let policies: Vec<_> = setup.policies.iter().map(|one| policy(&cx, &setup, one)).collect();
    let none = setup
        .policies
        .is_empty()
        .then(|| view! { <p class="muted">{t.none}</p> });
    // A policy was given to it meanwhile, and its button is gone.
    let is_unused = |id: &str| setup.policies.iter().all(|policy| policy.calendar_id.to_string() != id);
    let is_stale = cx.outcome.as_ref().is_some_and(|sent| sent.error == AppError::Stale);
    let used = is_stale.then(|| unsaid(&cx, &[RemoveCalendar::NAME], "id", is_unused, t.calendar_used));
    let add = match setup.calendars.iter().all(|entry| entry.closed_at.is_some()) {
        true => view! { <p class="muted">{t.calendar_first}</p> }.into_html(),
        false => add_policy(&cx, &setup),
    };
    let report = cx.staff()?.may(Right::Reports).is_ok();
    let report = report.then(|| view! { <a class="btn btn-sm" href=REPORT>{t.report}</a> });
    let (inside, is_adding, zone) = (cx.clone(), cx.was_sent(AddCalendar::NAME), cx.shop().time_zone.clone());
    let labels = calendar_labels(&cx);
    let view = view! {
        <h1>{t.title}</h1>
        {flash(&cx, &said)}
        {quicker}
        {gone(&cx)}
        {used.flatten()}
        <p class="lead">{t.lead}</p>
        <nav class="actions" aria-label=t.title>
            {report}
            <a class="btn btn-sm" href="/admin/requests?status=overdue">{t.late_title}</a>
        </nav>
        <section class="section" aria-labelledby="policies">
            <h2 id="policies">{t.policies}</h2>
            {none}
            {preview(&cx, &setup)}
            <div class="narrow stack">{policies} {add}</div>
        </section>
        <section class="section narrow" aria-labelledby="calendars">
            <h2 id="calendars">{t.calendars}</h2>
            <div class="stack">
                {calendars}
                <details class="fold" open=is_adding>
                    <summary>{t.add_calendar}</summary>
                    <FormBox<AddCalendar> labels=labels>
                        {calendar_fields(&inside, None, zone)}
                        <button class="btn btn-primary">{t.save_calendar}</button>
                    </FormBox<AddCalendar>>
                </details>
            </div>
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What a request that is written at a moment is promised, by each policy.
fn preview(cx: &Cx, setup: &Setup) -> Option<Html> {
    let t = &cx.t().admin_levels;
    if setup.policies.is_empty() {
        return None;
    }
    let local = asked(cx);
    let at = cx.shop().moment(local);
    let rows: Vec<_> = setup
        .policies
        .iter()
        .map(|policy| {
            let entry = setup.calendars.iter().find(|entry| entry.id == policy.calendar_id);
            let due = entry
                .map(|entry| entry.preview(policy, cx.shop(), at))
                .unwrap_or_default();
            let cells: Vec<_> = Promise::ALL
                .into_iter()
                .map(|kind| {
                    let due = due.iter().find(|(known, _)| *known == kind).map(|(_, at)| *at);
                    let words = due.map_or_else(|| "—".to_owned(), |at| weekday_moment(cx, at));
                    view! { <td class="num">{words}</td> }
                })
                .collect();
            view! { <tr><td class="grow">{about(cx, setup, policy)}</td>{cells}</tr> }
        })
        .collect();
    let mut heads = vec![Head::Words(t.about)];
    heads.extend(Promise::ALL.map(|one| Head::Number(kind(cx, one))));
    let value = local.format(AT).to_string();
    let labels = pairs([("at", t.written_at)]);
    let view = view! {
        <FormBox<PreviewLevels> class="form narrow" labels=labels>
            <Field name="at" label=t.written_at kind="datetime-local" value=value/>
            <button class="btn">{t.show_due}</button>
        </FormBox<PreviewLevels>>
        <p>{t.preview(weekday_moment(cx, at))}</p>
        <DataTable label=t.preview_label heads=heads rows=rows.into_html()/>
    };
    Some(view.into_html())
}

/// A moment by the shop's clock with its weekday.
fn weekday_moment(cx: &Cx, at: DateTime<Utc>) -> String {
    let day = format::day_and_weekday(cx.lang, cx.shop().day(at), cx.today());
    format!("{day}, {}", format::time(cx.shop(), at))
}

/// For which requests a policy is.
fn about(cx: &Cx, setup: &Setup, policy: &Policy) -> String {
    let t = &cx.t().admin_levels;
    let topic = policy
        .topic_id
        .and_then(|id| setup.topics.iter().find(|topic| topic.id == id));
    let topic = topic.map_or_else(|| t.any_topic.to_owned(), |topic| cx.pick(&topic.name));
    let priority = policy.priority.map_or(t.any_priority, |only| priority(cx, only));
    t.about_which(priority, topic)
}

/// Whether this form of several was sent and not taken.
fn is_open<F: Form>(cx: &Cx, id: &str) -> bool {
    let is_this = |(name, value): &(String, String)| name == "_form" && value == id;
    let sent = cx.outcome.as_ref().filter(|_| cx.was_sent(F::NAME));
    sent.is_some_and(|sent| sent.values.iter().any(is_this))
}

/// The form of one calendar, folded away until it was sent and not taken.
fn calendar(cx: &Cx, setup: &Setup, entry: &Entry) -> Html {
    let t = &cx.t().admin_levels;
    let form = format!("calendar-{}", entry.id);
    let is_open = is_open::<ChangeCalendar>(cx, &form);
    let (id, seen) = (entry.id.to_string(), entry.changed_at.timestamp_micros().to_string());
    let save = cx.t().admin_rules.save;
    let (inside, held, zone) = (cx.clone(), entry.clone(), entry.time_zone.clone());
    let closed = entry
        .closed_at
        .map(|_| view! { <span class="badge">{t.calendar_is_closed}</span> });
    view! {
        <details class="fold" open=is_open>
            <summary><bdi>{entry.name.clone()}</bdi> " " {closed}</summary>
            <FormBox<ChangeCalendar> id=form labels=calendar_labels(cx) stale=t.stale>
                <input type="hidden" name="id" value=id/>
                <input type="hidden" name="seen" value=seen/>
                {calendar_fields(&inside, Some(&held), zone)}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangeCalendar>>
            {end(cx, setup, entry)}
        </details>
    }
    .into_html()
}

/// How a calendar is closed and removed, and which policies need another one first.
fn end(cx: &Cx, setup: &Setup, entry: &Entry) -> Html {
    let t = &cx.t().admin_levels;
    let has_it = setup.policies.iter().filter(|policy| policy.calendar_id == entry.id);
    let lines: Vec<String> = has_it.map(|policy| about(cx, setup, policy)).collect();
    let is_unused = lines.is_empty();
    let used = (!is_unused).then(|| view! { <p>{t.calendar_has}</p> {versions::list(lines)} });
    let (open, words, text) = match entry.closed_at {
        Some(_) => ("true", t.calendar_reopen, t.calendar_reopen_text),
        None => ("false", t.calendar_close, t.calendar_close_text),
    };
    let (switched, id) = (entry.id.to_string(), entry.id.to_string());
    let (switch_form, remove_form) = (format!("calendar-switch-{id}"), format!("calendar-remove-{id}"));
    let remove = is_unused.then(|| {
        view! {
            <details class="fold">
                <summary>{t.calendar_remove}</summary>
                <p>{t.calendar_remove_text}</p>
                <FormBox<RemoveCalendar> id=remove_form class="actions" stale=t.calendar_used>
                    <input type="hidden" name="id" value=id/>
                    <button class="btn btn-danger">{t.calendar_remove}</button>
                </FormBox<RemoveCalendar>>
            </details>
        }
    });
    view! {
        {used}
        <FormBox<SwitchCalendar> id=switch_form class="actions">
            <input type="hidden" name="id" value=switched/>
            <input type="hidden" name="open" value=open/>
            <button class="btn">{words}</button>
            <span class="hint">{text}</span>
        </FormBox<SwitchCalendar>>
        {remove}
    }
    .into_html()
}

fn calendar_labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_levels;
    let mut labels = pairs([("name", t.calendar_name), ("time_zone", t.time_zone), ("days", t.days)]);
    for (index, field) in DAY_FIELDS.into_iter().enumerate() {
        labels.push((field.to_owned(), format::weekday(cx.lang, index).to_owned()));
    }
    labels
}

/// The fields of a calendar, filled in with one that is there.
fn calendar_fields(cx: &Cx, held: Option<&Entry>, zone: String) -> Html {
    let t = &cx.t().admin_levels;
    let name = held.map(|held| held.name.clone()).unwrap_or_default();
    let days = held.map(|held| show_days(&held.days)).unwrap_or_default();
    let week: Vec<_> = DAY_FIELDS
        .into_iter()
        .enumerate()
        .map(|(index, field)| {
            let hours = held
                .and_then(|held| held.week.get(index))
                .map(|spans| show_hours(spans));
            let label = format::weekday(cx.lang, index);
            view! { <Field name=field label=label value=hours.unwrap_or_default() optional=true/> }
        })
        .collect();
    view! {
        <Field name="name" label=t.calendar_name value=name/>
        <Field name="time_zone" label=t.time_zone value=zone/>
        <p class="hint">{t.hours_hint}</p>
        <div class="grid gap-3 sm:grid-cols-2">{week}</div>
        <TextArea name="days" label=t.days hint=t.days_hint value=days/>
    }
    .into_html()
}

/// The form of one policy, folded away until it was sent and not taken.
fn policy(cx: &Cx, setup: &Setup, policy: &Policy) -> Html {
    let t = &cx.t().admin_levels;
    let form = format!("policy-{}", policy.id);
    let is_open = is_open::<ChangePolicy>(cx, &form);
    let (id, seen) = (policy.id.to_string(), policy.changed_at.timestamp_micros().to_string());
    let (inside, held, choices) = (cx.clone(), policy.clone(), Choices::of(cx, setup, Some(policy)));
    let (removed, remove, save) = (id.clone(), format!("remove-{id}"), cx.t().admin_rules.save);
    view! {
        <details class="fold" open=is_open>
            <summary>{about(cx, setup, policy)}</summary>
            <FormBox<ChangePolicy> id=form labels=policy_labels(cx) stale=t.stale>
                <input type="hidden" name="id" value=id/>
                <input type="hidden" name="seen" value=seen/>
                {policy_fields(&inside, Some(&held), choices)}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangePolicy>>
            <FormBox<RemovePolicy> id=remove class="actions">
                <input type="hidden" name="id" value=removed/>
                <button class="btn btn-danger-quiet">{t.remove}</button>
            </FormBox<RemovePolicy>>
        </details>
    }
    .into_html()
}

fn add_policy(cx: &Cx, setup: &Setup) -> Html {
    let t = &cx.t().admin_levels;
    let (inside, choices, is_adding) = (cx.clone(), Choices::of(cx, setup, None), cx.was_sent(AddPolicy::NAME));
    view! {
        <details class="fold" open=is_adding>
            <summary>{t.add_policy}</summary>
            <FormBox<AddPolicy> labels=policy_labels(cx)>
                {policy_fields(&inside, None, choices)}
                <button class="btn btn-primary">{t.save_policy}</button>
            </FormBox<AddPolicy>>
        </details>
    }
    .into_html()
}

fn policy_labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_levels;
    pairs([
        ("calendar", t.calendar),
        ("topic", t.topic),
        ("priority", t.priority),
        ("first_answer", t.first_answer),
        ("next_answer", t.next_answer),
        ("solution", t.solution),
        ("warn", t.warn),
        ("lead", t.lead_after),
        ("queue", t.queue_after),
    ])
}

/// What the lists of a policy's form offer, and the codes of topics.
struct Choices {
    calendars: Vec<ChoiceOption>,
    topics: Vec<ChoiceOption>,
    priorities: Vec<ChoiceOption>,
    /// The code of each topic by its id.
    codes: Vec<(crm::id::TopicId, String)>,
}

impl Choices {
    /// For a policy that is there, or for a new one: a calendar that is closed is a choice where it is chosen already.
    fn of(cx: &Cx, setup: &Setup, held: Option<&Policy>) -> Self {
        let t = &cx.t().admin_levels;
        let none = |words: &str| std::iter::once((String::new(), words.to_owned()));
        let topics = setup
            .topics
            .iter()
            .map(|topic| (topic.code.clone(), cx.pick(&topic.name)));
        let priorities = Priority::ALL.map(|one| (one.code().to_owned(), priority(cx, one).to_owned()));
        let held = held.map(|policy| policy.calendar_id);
        let calendars = setup
            .calendars
            .iter()
            .filter(|entry| entry.closed_at.is_none() || Some(entry.id) == held)
            .map(|entry| (entry.id.to_string(), entry.name.clone()));
        Self {
            calendars: calendars.collect(),
            topics: none(t.any_topic).chain(topics).collect(),
            priorities: none(t.any_priority).chain(priorities).collect(),
            codes: setup
                .topics
                .iter()
                .map(|topic| (topic.id, topic.code.clone()))
                .collect(),
        }
    }

    fn code(&self, policy: &Policy) -> String {
        let topic = self.codes.iter().find(|(id, _)| Some(*id) == policy.topic_id);
        topic.map(|(_, code)| code.clone()).unwrap_or_default()
    }
}

/// The fields of a policy, filled in with one that is there.
fn policy_fields(cx: &Cx, held: Option<&Policy>, choices: Choices) -> Html {
    let t = &cx.t().admin_levels;
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let minutes = |kind| number(held.and_then(|held| held.minutes(kind)));
    let [first, next, solution] = Promise::ALL.map(minutes);
    let warn = number(Some(held.map_or(80, |held| held.warn_percent)));
    let lead = number(held.map_or(Some(100), |held| held.lead_percent));
    let queue = number(held.and_then(|held| held.queue_percent));
    let topic = held.map(|held| choices.code(held)).unwrap_or_default();
    let calendar = held.map(|held| held.calendar_id.to_string()).unwrap_or_default();
    let priority = held.and_then(|held| held.priority).map_or("", Priority::code);
    let Choices {
        calendars,
        topics,
        priorities,
        ..
    } = choices;
    view! {
        <Select name="topic" label=t.topic options=topics value=topic/>
        <Select name="priority" label=t.priority options=priorities value=priority/>
        <Select name="calendar" label=t.calendar options=calendars value=calendar/>
        <p class="hint">{t.minutes_hint}</p>
        <Field name="first_answer" label=t.first_answer value=first inputmode="numeric" optional=true/>
        <Field name="next_answer" label=t.next_answer value=next inputmode="numeric" optional=true/>
        <Field name="solution" label=t.solution value=solution inputmode="numeric" optional=true/>
        <p class="hint">{t.percent_hint}</p>
        <Field name="warn" label=t.warn value=warn inputmode="numeric"/>
        <Field name="lead" label=t.lead_after value=lead inputmode="numeric" optional=true/>
        <Field name="queue" label=t.queue_after value=queue inputmode="numeric" optional=true/>
    }
    .into_html()
}
