//! Macros as staff write them: their own, and with a right of its own those of everybody.

use super::changes;
use super::sorting::{priorities, priority_word};
use super::versions::seen;
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, ChoiceOption, Field, FormBox, Head, Select, TextArea, pairs, table_or};
use crm::audit::Last;
use crm::id::MacroId;
use crm::lang::Lang;
use crm::request::desk::{Priority, Queue};
use crm::request::macros::{self, Assign, Macro, NewMacro, VARIABLES, Values, fill};
use crm::request::store::queues;
use crm::request::{Status, Topic, store as requests};
use crm::staff::{Colleague, Right, store as staff_store};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/macros";

/// Writes a macro down.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct CreateMacro(NewMacro);

impl Form for CreateMacro {
    const NAME: &'static str = "macro.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = macros::create(&cx.db, cx.staff()?, &self.0).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Changes the macro of the page. `seen` is when it was written down as it was shown.
#[derive(Deserialize)]
pub struct ChangeMacro {
    seen: String,
    #[serde(flatten)]
    fields: NewMacro,
}

impl Form for ChangeMacro {
    const NAME: &'static str = "macro.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: MacroId = cx.param("id")?;
        let seen = seen(self.seen.parse().map_err(|_| AppError::Refused)?)?;
        macros::change(&cx.db, cx.staff()?, id, seen, &self.fields).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=changed")))
    }
}

/// Removes the macro of the page.
#[derive(Deserialize)]
pub struct RemoveMacro {}

impl Form for RemoveMacro {
    const NAME: &'static str = "macro.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        macros::remove(&cx.db, cx.staff()?, cx.param("id")?).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// What a macro does, in a line.
pub(super) fn does(cx: &Cx, one: &Macro) -> String {
    let t = &cx.t().admin_macros;
    let is_answering = one.answer(cx.lang).is_some();
    let answers = is_answering.then_some(if one.sends { t.does_send } else { t.does_write });
    let assigns = match (one.assign, &one.assignee_name, &one.queue_name) {
        (Some(Assign::Me), ..) => Some(t.does_take.to_owned()),
        (Some(Assign::Nobody), ..) => Some(t.does_release.to_owned()),
        (None, Some(name), _) => Some(t.does_give(name)),
        (None, None, Some(queue)) => Some(t.does_queue(cx.pick(queue))),
        (None, None, None) => None,
    };
    let sets = one.status.map(|status| status_to(cx, status).to_owned());
    let topic = one.topic_name.as_ref().map(|topic| t.does_topic(cx.pick(topic)));
    let named = |tags: &[String]| tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" ");
    let tags = (!one.tags.is_empty()).then(|| t.does_tag(named(&one.tags)));
    let untags = (!one.untags.is_empty()).then(|| t.does_untag(named(&one.untags)));
    let priority = one
        .priority
        .map(|priority| t.does_priority(priority_word(cx, priority).to_lowercase()));
    let answers = answers.map(str::to_owned);
    let all = [answers, topic, assigns, sets, priority, tags, untags];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What setting a status is called.
fn status_to(cx: &Cx, status: Status) -> &'static str {
    let t = &cx.t().admin_macros;
    match status {
        Status::New | Status::Open => t.to_open,
        Status::Waiting => t.to_waiting,
        Status::Closed => t.to_closed,
    }
}

/// All that somebody has.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_macros;
    let all = macros::look_through(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            let whose = if one.is_shared { t.shared_word } else { t.own_word };
            view! {
                <tr>
                    <td><a href=format!("{HERE}/{}", one.id)><bdi>{one.name.clone()}</bdi></a></td>
                    <td><code>{one.code.clone()}</code> " " {one.digit.map(|digit| view! { <kbd>{digit}</kbd> })}</td>
                    <td>{whose}</td>
                    <td class="grow-wrap">{does(&cx, one)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.name),
        Head::Words(t.code),
        Head::Words(t.whose),
        Head::Words(t.does),
    ];
    let list = table_or(t.none, t.title, heads, rows);
    let fields = fields(&cx, None, &all, Choices::read(&cx).await?);
    let view = view! {
        {back("/admin/requests", cx.t().frame.requests)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("removed", t.done_removed)])}
        <p class="lead">{t.lead}</p>
        {list}
        <AddBox<CreateMacro> title=t.new labels=labels(&cx)>
            {fields()}
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<CreateMacro>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// One macro.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_macros;
    let staff = cx.staff()?;
    let one = macros::look_at(&cx.db, staff, cx.param("id")?).await?;
    let quicker = changes::quicker(&cx, Last::Of(one.id.0)).await?;
    let title = one.name.clone();
    // What is everybody's is read by everybody, and changed by those with the right.
    let may_change = !one.is_shared || staff.has(Right::Macros);
    let mut conn = cx.db.read().await?;
    let all = macros::list(&mut conn, staff).await?;
    drop(conn);
    let choices = Choices::read(&cx).await?;
    let forms = may_change.then(|| {
        let fields = fields(&cx, Some(one.clone()), &all, choices);
        let seen = one.changed_at.timestamp_micros().to_string();
        view! {
            <section class="section narrow" aria-labelledby="change">
                <h2 id="change">{t.change}</h2>
                <FormBox<ChangeMacro> labels=labels(&cx)>
                    <input type="hidden" name="seen" value=seen/>
                    {fields()}
                    <button class="btn btn-primary">{t.save}</button>
                </FormBox<ChangeMacro>>
            </section>
            <details class="fold narrow">
                <summary>{t.remove}</summary>
                <p>{t.remove_text}</p>
                <FormBox<RemoveMacro> class="actions">
                    <button class="btn btn-danger">{t.remove}</button>
                </FormBox<RemoveMacro>>
            </details>
        }
        .into_html()
    });
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &[("created", t.done_created), ("changed", t.done_changed)])}
        {quicker}
        <p>
            <code>{one.code.clone()}</code> " " {one.digit.map(|digit| view! { <kbd>{digit}</kbd> })} " "
            {does(&cx, &one)}
        </p>
        {preview(&cx, &one)}
        {forms}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// What the answer would be to somebody made up, in both languages.
fn preview(cx: &Cx, one: &Macro) -> Html {
    let t = &cx.t().admin_macros;
    let values = Values {
        customer: t.sample_name.to_owned(),
        number: 1024,
        agent: cx
            .staff
            .as_ref()
            .map(|staff| staff.name().to_owned())
            .unwrap_or_default(),
        points: cx.points(1_248_00),
        card: "0018".to_owned(),
    };
    let texts: Vec<_> = [Lang::Ru, Lang::En]
        .into_iter()
        .filter_map(|lang| {
            let text = fill(one.answer(lang)?, &values);
            let title = match lang {
                Lang::Ru => t.in_russian,
                Lang::En => t.in_english,
            };
            Some(view! {
                <article class="say say-me">
                    <header><b>{title}</b></header>
                    <div lang=lang.code()>{crate::ui::paragraphs(&text)}</div>
                </article>
            })
        })
        .collect();
    let inside = match texts.is_empty() {
        true => view! { <p class="muted">{t.says_nothing}</p> }.into_html(),
        false => view! { <p class="hint">{t.preview_hint}</p> <div class="thread">{texts}</div> }.into_html(),
    };
    view! {
        <section class="section" aria-labelledby="preview">
            <h2 id="preview">{t.preview}</h2>
            {inside}
        </section>
    }
    .into_html()
}

fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_macros;
    pairs([
        ("key", t.code),
        ("digit", t.digit),
        ("name", t.name),
        ("answer_ru", t.answer_ru),
        ("answer_en", t.answer_en),
        ("status", t.status),
        ("assign", t.assign),
        ("topic", t.topic),
        ("priority", t.priority),
        ("tags", t.tags),
        ("untags", t.untags),
    ])
}

/// The keys to choose from; where another one than `one` has a key, it is named.
fn digits(cx: &Cx, one: Option<&Macro>, all: &[Macro]) -> Vec<(String, String)> {
    let t = &cx.t().admin_macros;
    let choice = |digit: i64| {
        let has = |other: &&Macro| other.digit == Some(digit) && one.is_none_or(|one| one.id != other.id);
        let named = |other: &Macro| {
            let whose = if other.is_shared { t.shared_word } else { t.own_word };
            format!("{} ({whose})", other.name)
        };
        let names: Vec<_> = all.iter().filter(has).map(named).collect();
        let words = match names.is_empty() {
            true => digit.to_string(),
            false => t.digit_taken(digit, names.join(", ")),
        };
        (digit.to_string(), words)
    };
    let none = (String::new(), t.no_digit.to_owned());
    std::iter::once(none).chain((1..=9).map(choice)).collect()
}

/// What a macro may name: whom and which queue a request is given to, and what it is about afterwards.
struct Choices {
    colleagues: Vec<Colleague>,
    queues: Vec<Queue>,
    topics: Vec<Topic>,
}

impl Choices {
    async fn read(cx: &Cx) -> Result<Self, AppError> {
        let staff = cx.staff()?;
        let mut conn = cx.db.read().await?;
        Ok(Self {
            colleagues: staff_store::colleagues(&mut conn, staff).await?,
            queues: queues::list(&mut conn, staff).await?,
            topics: requests::topics(&mut conn).await?,
        })
    }

    /// Who is to work on it. Whoever is named is a choice, though they are gone by now: the form says so then. So is a queue, closed
    /// as it may be.
    fn assigns(&self, cx: &Cx, one: Option<&Macro>) -> Vec<ChoiceOption> {
        let t = &cx.t().admin_macros;
        let mut all = pairs([("", t.stays), ("me", t.does_take), ("nobody", t.does_release)]);
        let queue = |queue: &Queue| (NewMacro::to_queue(queue.id), t.does_queue(cx.pick(&queue.name)));
        let held = one.and_then(|one| one.queue);
        let may_be = |queue: &&Queue| queue.closed_at.is_none() || Some(queue.id) == held;
        all.extend(self.queues.iter().filter(may_be).map(queue));
        let agent = |one: &Colleague| (NewMacro::to_agent(one.id), t.does_give(&one.name));
        all.extend(self.colleagues.iter().map(agent));
        if let Some((id, name)) = one.and_then(|one| one.assignee.zip(one.assignee_name.as_ref()))
            && self.colleagues.iter().all(|colleague| colleague.id != id)
        {
            all.push((NewMacro::to_agent(id), t.does_give(name)));
        }
        all
    }

    /// What it is to be about; what it is by now as well, though that is closed.
    fn topics(&self, cx: &Cx, one: Option<&Macro>) -> Vec<ChoiceOption> {
        let mut all = pairs([("", cx.t().admin_macros.stays)]);
        all.extend(
            self.topics
                .iter()
                .map(|topic| (topic.id.to_string(), cx.pick(&topic.name))),
        );
        if let Some((id, name)) = one.and_then(|one| one.topic.zip(one.topic_name.as_ref()))
            && self.topics.iter().all(|topic| topic.id != id)
        {
            all.push((id.to_string(), cx.pick(name)));
        }
        all
    }
}

/// The fields of a macro beside all that whoever asks has, to be made inside of its form.
fn fields(
    cx: &Cx,
    one: Option<Macro>,
    all: &[Macro],
    choices: Choices,
) -> impl FnOnce() -> Html + Send + 'static + use<> {
    let t = &cx.t().admin_macros;
    let may_share = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Macros));
    let variables = VARIABLES.map(|name| format!("{{{{{name}}}}}")).join(", ");
    let choice = |code: &str, words: &str| (code.to_owned(), words.to_owned());
    let statuses = [Status::Open, Status::Waiting, Status::Closed].map(|to| choice(to.code(), status_to(cx, to)));
    let statuses: Vec<_> = std::iter::once(choice("", t.stays)).chain(statuses).collect();
    let assigns = choices.assigns(cx, one.as_ref());
    let topics = choices.topics(cx, one.as_ref());
    let urgent: Vec<_> = std::iter::once(choice("", t.stays)).chain(priorities(cx)).collect();
    let tags_hint = cx.t().admin_desk.tags_hint;
    let digits = digits(cx, one.as_ref(), all);
    move || {
        let digit = one.as_ref().and_then(|one| one.digit);
        let digit = digit.map(|digit| digit.to_string()).unwrap_or_default();
        let is_shared = one.as_ref().is_none_or(|one| one.is_shared);
        let sends = one.as_ref().is_some_and(|one| one.sends);
        let status = one.as_ref().and_then(|one| one.status).map_or("", Status::code);
        let assign = match one.as_ref().map(|one| (one.assign, one.assignee, one.queue)) {
            Some((Some(Assign::Me), ..)) => "me".to_owned(),
            Some((Some(Assign::Nobody), ..)) => "nobody".to_owned(),
            Some((None, Some(agent), _)) => NewMacro::to_agent(agent),
            Some((None, None, Some(queue))) => NewMacro::to_queue(queue),
            Some((None, None, None)) | None => String::new(),
        };
        let topic = one.as_ref().and_then(|one| one.topic);
        let topic = topic.map(|topic| topic.to_string()).unwrap_or_default();
        let priority = one.as_ref().and_then(|one| one.priority).map_or("", Priority::code);
        let [tags, untags] = one
            .as_ref()
            .map(|one| [one.tags.join(", "), one.untags.join(", ")])
            .unwrap_or_default();
        let (code, name, answer) = one.map(|one| (one.code, one.name, one.answer)).unwrap_or_default();
        let shared = may_share.then(|| view! { <Check name="shared" checked=is_shared>{t.shared}</Check> });
        view! {
            <Field name="key" label=t.code hint=t.code_hint value=code/>
            <Field name="name" label=t.name value=name/>
            <Select name="digit" label=t.digit hint=t.digit_hint options=digits value=digit optional=true/>
            {shared}
            <p class="hint">{t.variables} " " {variables}</p>
            <TextArea name="answer_ru" label=t.answer_ru value=answer.ru rows=6/>
            <TextArea name="answer_en" label=t.answer_en hint=t.answer_hint value=answer.en rows=6/>
            <Check name="sends" checked=sends>{t.sends}</Check>
            <Select name="status" label=t.status options=statuses value=status optional=true/>
            <Select name="assign" label=t.assign hint=t.assign_hint options=assigns value=assign optional=true/>
            <Select name="topic" label=t.topic hint=t.topic_hint options=topics value=topic optional=true/>
            <Select name="priority" label=t.priority options=urgent value=priority optional=true/>
            <Field name="tags" label=t.tags hint=tags_hint value=tags optional=true/>
            <Field name="untags" label=t.untags value=untags optional=true/>
        }
        .into_html()
    }
}
