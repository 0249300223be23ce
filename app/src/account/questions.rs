//! Questions that customers ask where everybody reads them, with the shop's answers.

use super::help::{self as helped, before_writing};
use crate::cabinet::{back, flash, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Check, FormBox, Moment, Select, TextArea, pairs, paragraphs};
use crm::help::store as help;
use crm::id::QuestionId;
use crm::question::store as questions;
use crm::question::{NewQuestion, Own, SEARCH_MAX, Shown, State, private};
use crm::request::{Topic, store as requests};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where they are.
pub(crate) const HERE: &str = "/questions";
/// Where a customer asks.
const NEW: &str = "/questions/new";
/// Where a customer sees what became of theirs.
pub(crate) const MINE: &str = "/questions/mine";
/// Questions on a page.
const PAGE: usize = 20;
/// How many characters of a question stand in a list.
const BEGINNING: usize = 160;

/// Asks a question.
#[derive(Deserialize)]
pub struct Ask {
    topic: String,
    text: String,
    shown: String,
    #[serde(default)]
    harmless: String,
}

impl Form for Ask {
    const NAME: &'static str = "question.ask";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = NewQuestion {
            topic: self.topic,
            text: self.text,
            is_named: self.shown == "name",
            is_harmless: !self.harmless.is_empty(),
        };
        questions::ask(&cx.db, cx.customer()?, &new, cx.lang).await?;
        Ok(Next::to(format!("{MINE}?done=asked")))
    }
}

/// Says whether the answer of the page was of use.
#[derive(Deserialize)]
pub struct VoteAnswer {
    useful: bool,
}

impl Form for VoteAnswer {
    const NAME: &'static str = "question.vote";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: QuestionId = cx.param("id")?;
        questions::vote(&cx.db, helped::reader(cx), id, self.useful).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=voted#useful")))
    }
}

/// The address of the list, narrowed to a topic and a text, from a place on.
fn address(topic: Option<&str>, text: &str, before: Option<String>) -> String {
    let mut asked = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("topic", topic.unwrap_or_default()),
        ("q", text),
        ("before", before.as_deref().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            asked.append_pair(name, value);
        }
    }
    match asked.finish() {
        asked if asked.is_empty() => HERE.to_owned(),
        asked => format!("{HERE}?{asked}"),
    }
}

/// Who asked, as everybody sees it.
fn asker(cx: &Cx, name: &str) -> String {
    match name {
        "" => cx.t().questions.a_customer.to_owned(),
        name => name.to_owned(),
    }
}

/// How a question begins.
fn beginning(text: &str) -> String {
    let mut beginning: String = text.chars().take(BEGINNING).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    beginning
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().questions;
    let before = cx.query("before").and_then(place);
    let text: String = cx.query("q").unwrap_or_default().chars().take(SEARCH_MAX).collect();
    let mut conn = cx.db.read().await?;
    let topics = requests::topics(&mut conn).await?;
    let topic = cx
        .query("topic")
        .and_then(|code| topics.iter().find(|one| one.code == code));
    let mut list = questions::list(&mut conn, topic.map(|one| one.id), &text, before, PAGE as i64 + 1).await?;
    drop(conn);
    let more = list.len() > PAGE;
    list.truncate(PAGE);
    let code = topic.map(|one| one.code.as_str());
    let next = list.last().filter(|_| more).map(|last| {
        let href = address(code, &text, Some(show_place((last.published_at, last.id.0))));
        crate::cabinet::more(&cx, href)
    });
    let rows: Vec<_> = list.iter().map(|one| row(&cx, one)).collect();
    let is_narrowed = topic.is_some() || !text.is_empty() || before.is_some();
    let inside = match (rows.is_empty(), is_narrowed) {
        (true, true) => view! {
            <div class="empty"><p role="status">{t.nothing}</p> <a class="btn" href=HERE>{t.all}</a></div>
        }
        .into_html(),
        (true, false) => view! { <div class="empty">{icon(icons::MESSAGE_CIRCLE)} <p>{t.none}</p></div> }.into_html(),
        _ => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> {next} }.into_html(),
    };
    let mine = cx
        .customer
        .as_ref()
        .map(|_| view! { <a class="btn" href=MINE>{t.mine}</a> });
    let view = view! {
        {helped::to_support(&cx)}
        <div class="page-head">
            <div>
                <h1>{t.title}</h1>
                <p class="lead">{t.lead}</p>
            </div>
            <a class="btn btn-primary" href=NEW>{icon(icons::PLUS)} {t.ask}</a>
        </div>
        {search_box(&cx, &topics, code.unwrap_or_default(), &text)}
        {inside}
        <p class="actions no-print">
            {mine}
            <a class="btn" href=helped::HERE>{cx.t().help.title}</a>
        </p>
    };
    Ok(Body::new(t.title, helped::frame(&cx), view))
}

/// The search, by topic and words.
fn search_box(cx: &Cx, topics: &[Topic], topic: &str, text: &str) -> Html {
    let t = &cx.t().questions;
    let options: Vec<_> = std::iter::once((String::new(), t.any_topic.to_owned()))
        .chain(topics.iter().map(|one| (one.code.clone(), cx.pick(&one.name))))
        .map(|(code, words)| {
            let selected = code == topic;
            view! { <option value=code selected=selected>{words}</option> }
        })
        .collect();
    let text = text.to_owned();
    view! {
        <form class="filters no-print" action=HERE role="search" aria-label=t.title>
            <label>{t.topic} <select class="input" name="topic">{options}</select></label>
            <label class="grow basis-40">
                {t.search}
                <input class="input" type="search" name="q" value=text maxlength=SEARCH_MAX.to_string() dir="auto"
                    autocomplete="off" enterkeyhint="search"/>
            </label>
            <button class="btn">{icon(icons::SEARCH)} {cx.t().help.find}</button>
        </form>
    }
    .into_html()
}

/// A question in a list.
fn row(cx: &Cx, one: &Shown) -> Html {
    let t = &cx.t().questions;
    let answered = one
        .answer
        .is_some()
        .then(|| view! { <span class="badge badge-ok">{t.answered}</span> });
    let (at, href) = (one.published_at, format!("{HERE}/{}", one.id));
    view! {
        <li>
            <a class="row" href=href>
                <span class="row-main">
                    <b dir="auto" lang=one.language.code()>{beginning(&one.body)}</b>
                    <small>
                        {cx.pick(&one.topic)} ", " <bdi>{asker(cx, &one.name)}</bdi> ", " <Moment at=at shown=cx.day(at)/>
                    </small>
                    {answered}
                </span>
                <span class="row-go">{icon(icons::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
    .into_html()
}

/// Questions that an article of the help says more about; nothing where there are none.
pub(super) fn suggested(cx: &Cx, about: &[Shown]) -> Option<Html> {
    let rows: Vec<_> = about.iter().map(|one| row(cx, one)).collect();
    (!rows.is_empty()).then(|| {
        view! {
            <section class="section no-print" aria-labelledby="asked">
                <h2 id="asked">{cx.t().questions.about_this}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
            </section>
        }
        .into_html()
    })
}

/// One question with its answer.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().questions;
    let mut conn = cx.db.read().await?;
    let one = questions::get(&mut conn, cx.param("id")?).await?;
    let articles = match one.article {
        Some(_) => help::shown(&mut conn).await?,
        None => Vec::new(),
    };
    drop(conn);
    let article = articles
        .iter()
        .find(|article| Some(&article.code) == one.article.as_ref());
    let article = article.map(|article| {
        let href = format!("{}/{}", helped::HERE, article.code);
        view! { <p>{t.more} " " <a href=href>{cx.pick(&article.content.title)}</a></p> }
    });
    let lang = one.language.code();
    let answer = match (&one.answer, one.answered_at) {
        (Some(answer), Some(at)) => view! {
            <section class="panel" aria-labelledby="answer">
                <h2 id="answer">{t.shop_answers(&cx.shop().name)}</h2>
                <div lang=lang>{paragraphs(answer)}</div>
                {article}
                <p class="hint"><Moment at=at shown=cx.day(at)/></p>
            </section>
            {was_useful(&cx)}
        }
        .into_html(),
        _ => view! { <p class="notice">{t.no_answer}</p> {article} }.into_html(),
    };
    let (at, title) = (one.published_at, t.one(cx.pick(&one.topic)));
    let view = view! {
        {back(HERE, t.title)}
        <h1>{title.clone()}</h1>
        <section class="panel" aria-labelledby="question">
            <h2 id="question">{t.asks(asker(&cx, &one.name))}</h2>
            <div lang=lang>{paragraphs(&one.body)}</div>
            <p class="hint"><Moment at=at shown=cx.day(at)/></p>
        </section>
        {answer}
        <p class="actions no-print"><a class="btn" href=NEW>{icon(icons::PLUS)} {t.ask}</a></p>
    };
    Ok(Body::new(title, helped::frame(&cx), view))
}

/// Asks whether the answer was of use.
fn was_useful(cx: &Cx) -> Html {
    let has_voted = cx.outcome.is_none() && cx.query("done") == Some("voted");
    let inside = match has_voted {
        true => helped::thanks(cx),
        false => helped::vote::<VoteAnswer>(cx),
    };
    helped::useful(cx, inside)
}

/// What of a question that came back looks like a phone, an address or a card.
fn found(cx: &Cx) -> Vec<String> {
    let sent = cx.outcome.as_ref().filter(|sent| sent.form == Ask::NAME);
    let text = sent.and_then(|sent| sent.values.iter().find(|(name, _)| name == "text"));
    text.map(|(_, text)| private(text)).unwrap_or_default()
}

/// Asks for a question.
pub async fn new(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().questions;
    let name = cx.name()?.to_owned();
    let mut conn = cx.db.read().await?;
    let topics = requests::topics(&mut conn).await?;
    let shown = help::shown(&mut conn).await?;
    drop(conn);
    let topic = cx.query("topic").unwrap_or_default().to_owned();
    let answers = before_writing(&cx, &shown, &topics, &topic, NEW);
    let topics: Vec<_> = std::iter::once((String::new(), cx.t().support.topic_choose.to_owned()))
        .chain(topics.iter().map(|one| (one.code.clone(), cx.pick(&one.name))))
        .collect();
    let names = vec![(String::new(), t.a_customer.to_owned()), ("name".to_owned(), name)];
    let labels = pairs([("topic", cx.t().support.topic), ("text", t.text), ("shown", t.shown)]);
    let found = found(&cx);
    let view = view! {
        {back(HERE, t.title)}
        <div>
            <h1>{t.ask}</h1>
            <p class="lead">{t.ask_lead}</p>
        </div>
        {answers}
        <FormBox<Ask> check=true labels=labels>
            <p class="notice notice-warn">{t.is_public}</p>
            <Select name="topic" label=cx.t().support.topic options=topics value=topic/>
            <TextArea name="text" label=t.text hint=t.text_hint check="text:1000" missing=t.text_missing rows=5/>
            {(!found.is_empty()).then(|| {
                view! {
                    <p class="hint">{t.found} " " <b>{found.join("; ")}</b></p>
                    <Check name="harmless">{t.harmless}</Check>
                }
            })}
            <Select name="shown" label=t.shown hint=t.shown_hint options=names/>
            <div class="actions">
                <button class="btn btn-primary">{t.send}</button>
                <a class="btn btn-quiet" href=HERE>{cx.t().common.cancel}</a>
            </div>
            <p class="hint">{t.rather_private} " " <a href="/support/new">{cx.t().help.ask}</a></p>
        </FormBox<Ask>>
    };
    Ok(Body::new(t.ask, Frame::Cabinet(Place::Support), view))
}

/// What became of a customer's own questions.
pub async fn mine(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().questions;
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let mut own = questions::own(&mut conn, cx.subject()?, before, PAGE as i64 + 1).await?;
    drop(conn);
    let more = own.len() > PAGE;
    own.truncate(PAGE);
    let next = own.last().filter(|_| more).map(|last| {
        let href = format!("{MINE}?before={}", show_place((last.asked_at, last.id.0)));
        crate::cabinet::more(&cx, href)
    });
    let list: Vec<_> = own.iter().map(|one| own_row(&cx, one)).collect();
    let inside = match list.is_empty() {
        true => view! { <div class="panel empty">{icon(icons::MESSAGE_CIRCLE)} <p>{t.none_mine}</p></div> }.into_html(),
        false => view! { <ul class="stack list-none">{list}</ul> {next} }.into_html(),
    };
    let view = view! {
        {back(HERE, t.title)}
        <div class="page-head">
            <h1>{t.mine}</h1>
            <a class="btn btn-primary" href=NEW>{icon(icons::PLUS)} {t.ask}</a>
        </div>
        {flash(&cx, &[("asked", t.done_asked)])}
        <div class="narrow stack">{inside}</div>
    };
    Ok(Body::new(t.mine, Frame::Cabinet(Place::Support), view))
}

fn own_row(cx: &Cx, one: &Own) -> Html {
    let t = &cx.t().questions;
    let (class, words) = match (one.state, one.is_answered) {
        (State::New, _) => ("status status-new", t.state_new),
        (State::Published, false) => ("status status-open", t.state_published),
        (State::Published, true) => ("status status-done", t.answered),
        (State::Declined, _) => ("status status-wait", t.state_declined),
        (State::Moved, _) => ("status status-open", t.state_moved),
    };
    let there = match (one.state, one.request) {
        (State::Published, _) => Some((format!("{HERE}/{}", one.id), t.open)),
        (State::Moved, Some(number)) => Some((format!("/support/{number}"), t.open_request)),
        _ => None,
    };
    let there = there.map(|(href, words)| view! { <p><a href=href>{words}</a></p> });
    let reason = one
        .reason
        .clone()
        .map(|reason| view! { <p dir="auto">{t.reason(reason)}</p> });
    let at = one.asked_at;
    view! {
        <li class="panel">
            <p><span class=class>{words}</span></p>
            {paragraphs(&one.asked)}
            <p class="hint">{cx.pick(&one.topic)} ", " <Moment at=at shown=cx.day(at)/></p>
            {reason}
            {there}
        </li>
    }
    .into_html()
}
