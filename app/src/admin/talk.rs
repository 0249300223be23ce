//! Talks with a customer: a call, a visit or another one is written down in one line, by a script where there is one; within an hour
//! it is mended, later another entry corrects it.

use super::acts::take_down;
use super::acts::why::{self, Card};
use super::{full_name, versions};
use crate::cabinet::support::RECEIPTS;
use crate::cabinet::{flash, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, Moment, Select, icon, pairs};
use crm::customer::store as customers;
use crm::id::{CustomerId, InteractionId};
use crm::interaction::store as interactions;
use crm::interaction::{Entry, FREE, Interaction, REQUEST, Script, Way};
use crm::purchase::store as purchases;
use crm::request::store as requests;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Writes a talk with the customer at hand down; `corrects` is the entry that it corrects, if it does.
#[derive(Deserialize)]
pub struct AddTalk {
    note: String,
    outcome: String,
    channel: String,
    minutes: String,
    script: String,
    corrects: String,
}

impl Form for AddTalk {
    const NAME: &'static str = "interaction.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        let corrects = match self.corrects.as_str() {
            "" => None,
            corrects => Some(corrects.parse().map_err(|_| AppError::Refused)?),
        };
        let staff = cx.staff()?;
        let is_request = self.outcome == REQUEST && staff.has(Right::Requests);
        let entry = Entry {
            channel: self.channel,
            script: self.script,
            outcome: self.outcome,
            note: self.note,
            minutes: self.minutes,
        };
        let talk = interactions::add(&cx.db, staff, id, &entry, corrects).await?;
        let card = format!("/admin/customers/{id}");
        Ok(Next::to(match is_request {
            // A correction may be of what led to a request: the page says so at its top.
            true if corrects.is_some() => format!("{card}/talks/{talk}?done=request"),
            true => format!("{card}/talks/{talk}?done=request#take-down"),
            false => format!("{card}?done=talk"),
        }))
    }
}

/// Mends the talk at hand. `seen` is when it was changed last.
#[derive(Deserialize)]
pub struct ChangeTalk {
    seen: i64,
    note: String,
    outcome: String,
    channel: String,
    minutes: String,
    script: String,
}

impl Form for ChangeTalk {
    const NAME: &'static str = "interaction.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, talk) = (cx.param("id")?, cx.param("talk")?);
        let seen = versions::seen(self.seen)?;
        let entry = Entry {
            channel: self.channel,
            script: self.script,
            outcome: self.outcome,
            note: self.note,
            minutes: self.minutes,
        };
        interactions::change(&cx.db, cx.staff()?, id, talk, seen, &entry).await?;
        Ok(Next::to(format!("{}?done=changed", cx.path)))
    }
}

/// What a way is called.
pub(super) fn way(cx: &Cx, way: Way) -> &'static str {
    let t = &cx.t().admin_talk;
    match way {
        Way::CallIn => t.call_in,
        Way::CallOut => t.call_out,
        Way::Visit => t.visit,
        Way::Other => t.other,
    }
}

/// Where a talk of this way and by this script is written down.
pub(super) fn address(customer: CustomerId, way: Way, script: &str) -> String {
    format!(
        "/admin/customers/{customer}/talk?channel={}&script={script}",
        way.code()
    )
}

/// Links to write each kind of talk down.
pub(super) fn links(cx: &Cx, customer: CustomerId) -> Html {
    let t = &cx.t().admin_customer;
    let links: Vec<_> = Way::ALL
        .into_iter()
        .map(|one| view! { <a class="chip" href=address(customer, one, FREE)>{way(cx, one)}</a> })
        .collect();
    view! { <nav class="chips" aria-label=t.log>{links}</nav> }.into_html()
}

/// What stands in the fields at first.
struct Before {
    way: Way,
    outcome: String,
    note: String,
    minutes: String,
}

/// The page of a new entry.
pub async fn new(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_talk;
    let id: CustomerId = cx.param("id")?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let corrects: Option<InteractionId> = cx.query("corrects").and_then(|id| id.parse().ok());
    let mut conn = cx.db.read().await?;
    let person = customers::person(&mut conn, subject).await?;
    let scripts = interactions::scripts(&mut conn).await?;
    let corrected = match corrects {
        Some(corrects) => Some(interactions::get(&mut conn, subject, corrects).await?),
        None => None,
    };
    drop(conn);
    let asked = cx.query("script").unwrap_or(FREE);
    let script = scripts.iter().find(|script| script.code == asked);
    let script = script.or(scripts.first()).ok_or(AppError::NotFound)?;
    let asked = cx.query("channel").and_then(Way::from_code).unwrap_or(Way::CallIn);
    let before = Before {
        way: asked,
        outcome: String::new(),
        note: String::new(),
        minutes: String::new(),
    };
    let correction = corrected.as_ref().map(|corrected| {
        let href = format!("/admin/customers/{id}/talks/{}", corrected.id);
        view! { <p class="notice"><span>{t.corrects} " " <a href=href>{t.see_first}</a></span></p> }
    });
    let corrects = corrected.map(|corrected| corrected.id.to_string()).unwrap_or_default();
    let code = script.code.clone();
    let fields = fields(&cx, script, before);
    let chips: Vec<_> = scripts
        .iter()
        .map(|one| {
            let current = (one.code == script.code).then_some("page");
            let mut href = address(id, asked, &one.code);
            if !corrects.is_empty() {
                href.push_str(&format!("&corrects={corrects}"));
            }
            view! { <a class="chip" href=href aria-current=current>{cx.pick(&one.name)}</a> }
        })
        .collect();
    let view = view! {
        {to_customer(id, &full_name(&cx, &person.name, &person.surname))}
        <h1>{t.new}</h1>
        {correction}
        <nav class="chips" aria-label=t.scripts>{chips}</nav>
        <div class="cols">
            <FormBox<AddTalk> labels=labels(&cx)>
                {fields()}
                <input type="hidden" name="script" value=code/>
                <input type="hidden" name="corrects" value=corrects/>
                <button class="btn btn-primary">{t.save}</button>
            </FormBox<AddTalk>>
            {steps(&cx, script)}
        </div>
    };
    Ok(Body::new(t.new, Frame::Admin, view))
}

fn to_customer(id: CustomerId, name: &str) -> Html {
    let href = format!("/admin/customers/{id}");
    view! { <a class="back" href=href>{icon(icon::ARROW_LEFT)} <bdi>{name.to_owned()}</bdi></a> }.into_html()
}

fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_talk;
    pairs([
        ("note", t.note),
        ("outcome", t.outcome),
        ("channel", t.channel),
        ("minutes", t.minutes),
        ("script", t.script),
    ])
}

/// The fields of an entry, to be made within its form. The cursor stands in the note, and Enter sends it: the rest has an answer
/// already.
fn fields(cx: &Cx, script: &Script, before: Before) -> impl FnOnce() -> Html + Send + use<> {
    let t = &cx.t().admin_talk;
    let outcomes: Vec<_> = script
        .outcomes
        .iter()
        .map(|(code, name)| (code.clone(), cx.pick(name)))
        .collect();
    let ways: Vec<_> = Way::ALL
        .into_iter()
        .map(|one| (one.code().to_owned(), way(cx, one).to_owned()))
        .collect();
    move || {
        view! {
            <Field name="note" label=t.note hint=t.note_hint value=before.note enterkeyhint="done" autofocus=true optional=true/>
            <Select name="outcome" label=t.outcome options=outcomes value=before.outcome/>
            <Select name="channel" label=t.channel options=ways value=before.way.code()/>
            <Field name="minutes" label=t.minutes value=before.minutes inputmode="numeric" enterkeyhint="done" optional=true/>
        }
        .into_html()
    }
}

/// What the script says, in its order.
fn steps(cx: &Cx, script: &Script) -> Html {
    let t = &cx.t().admin_talk;
    let steps: Vec<_> = script
        .steps
        .iter()
        .map(|step| view! { <li>{cx.pick(step)}</li> })
        .collect();
    let inside = match steps.is_empty() {
        true => view! { <p class="muted">{t.no_steps}</p> }.into_html(),
        false => view! { <ol>{steps}</ol> }.into_html(),
    };
    view! {
        <section class="section" aria-labelledby="steps">
            <h2 id="steps">{t.steps}</h2>
            {inside}
        </section>
    }
    .into_html()
}

/// One entry.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_talk;
    let staff = cx.staff()?;
    let id: CustomerId = cx.param("id")?;
    let talk: InteractionId = cx.param("talk")?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let mut conn = cx.db.read().await?;
    let person = customers::person(&mut conn, subject).await?;
    let entry = interactions::get(&mut conn, subject, talk).await?;
    let scripts = interactions::scripts(&mut conn).await?;
    let opened = requests::of_talk(&mut conn, subject, talk).await?;
    let topics = requests::topics(&mut conn).await?;
    let bought = purchases::latest(&mut conn, subject, RECEIPTS).await?;
    drop(conn);
    let may_answer = staff.has(Right::Requests);
    let take = may_answer.then(|| {
        let is_next = entry.outcome == REQUEST && opened.is_empty();
        take_down::section(&cx, &topics, &bought, entry.channel, is_next)
    });
    let done_request = if opened.is_empty() {
        t.done_request
    } else {
        t.done_opened
    };
    let opened: Vec<_> = opened
        .iter()
        .map(|(number, topic)| {
            let words = t.opened(number, cx.pick(topic));
            match may_answer {
                true => view! { <p><a href=format!("/admin/requests/{number}")>{words}</a></p> }.into_html(),
                false => view! { <p>{words}</p> }.into_html(),
            }
        })
        .collect();
    let may_mend = entry.may_mend(staff.id(), cx.db.now());
    let script = scripts.iter().find(|script| script.code == entry.script);
    let form = match script.filter(|_| may_mend) {
        Some(script) => mend(&cx, script, &entry),
        None => correct(&cx, id, &entry),
    };
    let gone = unsaid(&cx, &[ChangeTalk::NAME], "seen", |_| may_mend, t.stale);
    let lasted = entry.minutes.map(|minutes| view! { <span>{t.lasted(minutes)}</span> });
    let note = (!entry.note.is_empty()).then(|| view! { <p dir="auto">{entry.note.clone()}</p> });
    let correction = entry.corrects_id.map(|first| {
        let href = format!("/admin/customers/{id}/talks/{first}");
        view! { <p>{t.is_correction} " " <a href=href>{t.see_first}</a></p> }
    });
    let corrected = entry
        .is_corrected
        .then(|| view! { <p class="notice notice-warn"><span>{t.corrected}</span></p> });
    let title = way(&cx, entry.channel);
    let view = view! {
        {to_customer(id, &full_name(&cx, &person.name, &person.surname))}
        <h1>{title}</h1>
        {flash(&cx, &[("changed", t.done_changed), ("request", done_request)])}
        {gone}
        {corrected}
        <section class="panel">
            <p><b>{cx.pick(&entry.outcome_name)}</b></p>
            {note}
            {correction}
            {opened}
            <p class="facts">
                <span>{cx.pick(&entry.script_name)}</span>
                <bdi>{entry.staff.clone()}</bdi>
                <Moment at=entry.at shown=cx.moment(entry.at)/>
                {lasted}
            </p>
        </section>
        {take}
        {form}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

fn mend(cx: &Cx, script: &Script, entry: &Interaction) -> Html {
    let t = &cx.t().admin_talk;
    let before = Before {
        way: entry.channel,
        outcome: entry.outcome.clone(),
        note: entry.note.clone(),
        minutes: entry.minutes.map(|minutes| minutes.to_string()).unwrap_or_default(),
    };
    let fields = fields(cx, script, before);
    let (code, seen) = (script.code.clone(), entry.changed_at.timestamp_micros().to_string());
    view! {
        <section class="section narrow" aria-labelledby="change">
            <h2 id="change">{t.change}</h2>
            <p class="hint">{t.change_hint}</p>
            <FormBox<ChangeTalk> labels=labels(cx) stale=t.stale>
                {fields()}
                <input type="hidden" name="script" value=code/>
                <input type="hidden" name="seen" value=seen/>
                <button class="btn btn-primary">{t.change}</button>
            </FormBox<ChangeTalk>>
        </section>
    }
    .into_html()
}

/// What is left when an entry stays as it is.
fn correct(cx: &Cx, id: CustomerId, entry: &Interaction) -> Html {
    let t = &cx.t().admin_talk;
    let href = format!("{}&corrects={}", address(id, entry.channel, &entry.script), entry.id);
    view! {
        <p class="hint">{t.correct_hint}</p>
        <p><a class="btn" href=href>{t.correct}</a></p>
    }
    .into_html()
}
