//! Questions that customers ask in public, as staff look through them: new ones first, each shown, declined or moved to support.

use super::changes;
use super::{full_name, versions};
use crate::account::questions as shown;
use crate::cabinet::{back, flash, place, show_place, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, Field, FormBox, Head, Moment, Select, TextArea, pairs, paragraphs};
use crm::audit::Last;
use crm::help::store as help;
use crm::id::QuestionId;
use crm::question::store as questions;
use crm::question::{Edit, Row, State, Whole, private};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// The list.
const HERE: &str = "/admin/questions";
/// Questions on a page.
const PAGE: usize = 50;

/// The page at hand, after something was done.
fn again(cx: &Cx, done: &str) -> Next {
    Next::to(format!("{}?done={done}", cx.path))
}

/// Shows the question at hand to everybody, or changes what is shown of it. `seen` is when it was changed last.
#[derive(Deserialize)]
pub struct PublishQuestion {
    seen: i64,
    body: String,
    answer: String,
    article: String,
}

impl Form for PublishQuestion {
    const NAME: &'static str = "question.publish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        let edit = Edit {
            body: self.body,
            answer: self.answer,
            article: self.article,
        };
        questions::publish(&cx.db, cx.staff()?, id, seen, &edit).await?;
        Ok(again(cx, "published"))
    }
}

/// Takes the question at hand from the site.
#[derive(Deserialize)]
pub struct UnpublishQuestion {
    seen: i64,
}

impl Form for UnpublishQuestion {
    const NAME: &'static str = "question.unpublish";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        questions::unpublish(&cx.db, cx.staff()?, id, seen).await?;
        Ok(again(cx, "unpublished"))
    }
}

/// Declines the question at hand.
#[derive(Deserialize)]
pub struct DeclineQuestion {
    seen: i64,
    reason: String,
}

impl Form for DeclineQuestion {
    const NAME: &'static str = "question.decline";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        questions::decline(&cx.db, cx.staff()?, id, seen, &self.reason).await?;
        Ok(again(cx, "declined"))
    }
}

/// Makes a request of the question at hand.
#[derive(Deserialize)]
pub struct MoveQuestion {
    seen: i64,
}

impl Form for MoveQuestion {
    const NAME: &'static str = "question.move";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, seen) = (cx.param("id")?, versions::seen(self.seen)?);
        questions::move_to_support(&cx.db, cx.staff()?, id, seen).await?;
        Ok(again(cx, "moved"))
    }
}

/// What a state is called.
fn state_word(cx: &Cx, state: State) -> &'static str {
    let t = &cx.t().admin_questions;
    match state {
        State::New => t.state_new,
        State::Published => t.state_published,
        State::Declined => t.state_declined,
        State::Moved => t.state_moved,
    }
}

/// The same of one, with a dot.
fn state(cx: &Cx, state: State) -> Html {
    let t = &cx.t().admin_questions;
    let (class, words) = match state {
        State::New => ("status status-new", t.is_new),
        State::Published => ("status status-done", t.is_published),
        State::Declined => ("status status-wait", t.is_declined),
        State::Moved => ("status status-wait", t.is_moved),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// The queue, by state.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_questions;
    let staff = cx.staff()?;
    let asked = cx.query("state");
    let of = asked.and_then(|code| State::ALL.into_iter().find(|state| state.as_str() == code));
    let of = of.unwrap_or(State::New);
    let before = cx.query("after").and_then(place);
    let mut rows = questions::queue(&cx.db, staff, of, before, PAGE as i64 + 1).await?;
    let waiting = questions::waiting(&mut cx.db.read().await?, staff).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let address = |state: State| format!("{HERE}?state={}", state.as_str());
    let next = rows.last().filter(|_| more).map(|last| {
        let href = format!("{}&after={}", address(of), show_place((last.asked_at, last.id.0)));
        crate::cabinet::more(&cx, href)
    });
    let tabs: Vec<_> = State::ALL
        .into_iter()
        .map(|state| {
            let current = (state == of).then_some("page");
            let count = (state == State::New && waiting > 0)
                .then(|| view! { " " <span class="badge badge-points">{format::integer(waiting)}</span> });
            view! { <a href=address(state) aria-current=current>{state_word(&cx, state)} {count}</a> }
        })
        .collect();
    let rows: Vec<_> = rows.iter().map(|one| row(&cx, one)).collect();
    let heads = vec![
        Head::Words(t.question),
        Head::Words(t.topic),
        Head::Words(t.answer),
        Head::Words(t.asked),
    ];
    let inside = match rows.is_empty() {
        true => view! { <div class="empty"><p>{t.none}</p></div> }.into_html(),
        false => view! { <DataTable label=t.title heads=heads rows=rows.into_html()/> {next} }.into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <nav class="tabs" aria-label=t.title>{tabs}</nav>
        {inside}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn row(cx: &Cx, one: &Row) -> Html {
    let t = &cx.t().admin_questions;
    let answer = if one.is_answered { t.yes } else { t.no };
    let at = one.asked_at;
    view! {
        <tr>
            <td class="grow"><a href=format!("{HERE}/{}", one.id)><bdi>{one.beginning.clone()}</bdi></a></td>
            <td>{cx.pick(&one.topic)}</td>
            <td>{answer}</td>
            <td><Moment at=at shown=cx.ago(at)/></td>
        </tr>
    }
    .into_html()
}

/// One question: who asked, what was asked, and what becomes of it.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_questions;
    let staff = cx.staff()?;
    let id: QuestionId = cx.param("id")?;
    let whole = questions::open(&cx.db, staff, id).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let articles = help::shown(&mut cx.db.read().await?).await?;
    let none = (String::new(), t.no_article.to_owned());
    let articles: Vec<_> = std::iter::once(none)
        .chain(
            articles
                .iter()
                .map(|one| (one.code.clone(), cx.pick(&one.content.title))),
        )
        .collect();
    let seen = whole.changed_at.timestamp_micros().to_string();
    let found = private(&whole.body);
    let found = (!found.is_empty()).then(|| {
        view! { <p class="notice notice-warn"><span>{t.found} " " <b>{found.join("; ")}</b></span></p> }
    });
    let asker = full_name(&cx, &whole.customer_name, &whole.customer_surname);
    let asker = match staff.has(Right::Customers) {
        true => {
            let href = format!("/admin/customers/{}", whole.customer_id);
            view! { <a href=href><bdi>{asker}</bdi></a> }.into_html()
        }
        false => view! { <bdi>{asker}</bdi> }.into_html(),
    };
    let public_name = match whole.name.as_str() {
        "" => cx.t().questions.a_customer.to_owned(),
        name => name.to_owned(),
    };
    let done = [
        ("published", t.done_published),
        ("unpublished", t.done_unpublished),
        ("declined", t.done_declined),
        ("moved", t.done_moved),
    ];
    // What a colleague was quicker with took its form from the page.
    let forms: &[&str] = match whole.state {
        State::New => &[UnpublishQuestion::NAME],
        State::Published => &[DeclineQuestion::NAME, MoveQuestion::NAME],
        State::Declined | State::Moved => &[
            PublishQuestion::NAME,
            UnpublishQuestion::NAME,
            DeclineQuestion::NAME,
            MoveQuestion::NAME,
        ],
    };
    let gone = unsaid(&cx, forms, "", |_| false, t.stale);
    let at = whole.asked_at;
    let view = view! {
        {back(HERE, t.title)}
        <h1>{t.one}</h1>
        {flash(&cx, &done)}
        {quicker}
        {gone}
        <p>{state(&cx, whole.state)} " " {outcome(&cx, &whole)}</p>
        <section class="panel" aria-labelledby="asked">
            <h2 id="asked">{t.asked_words}</h2>
            <div lang=whole.language.code()>{paragraphs(&whole.asked)}</div>
            <p class="muted">
                {cx.pick(&whole.topic)} ", " {asker} ", " {t.shown_as(public_name)} ", " <Moment at=at shown=cx.moment(at)/>
            </p>
        </section>
        {found}
        {decide(&cx, &whole, articles, seen)}
    };
    Ok(Body::new(t.one, Frame::Admin, view))
}

/// What became of a question so far.
fn outcome(cx: &Cx, whole: &Whole) -> Option<Html> {
    let t = &cx.t().admin_questions;
    match whole.state {
        State::New => None,
        State::Published => {
            let href = format!("{}/{}", shown::HERE, whole.id);
            let votes = t.votes(format::integer(whole.useful), format::integer(whole.useless));
            let by = whole.answered_by.clone().map(|by| t.answered_by(by));
            Some(view! { <a href=href>{t.open}</a> ". " {votes} " " {by} }.into_html())
        }
        State::Declined => {
            let reason = whole.reason.clone().unwrap_or_default();
            Some(view! { <span dir="auto">{t.reason_was(reason)}</span> }.into_html())
        }
        State::Moved => {
            let number = whole.request.unwrap_or_default();
            let href = format!("/admin/requests/{number}");
            Some(view! { <a href=href>{t.request(number)}</a> }.into_html())
        }
    }
}

/// The forms that a question in its state has.
fn decide(cx: &Cx, whole: &Whole, articles: Vec<(String, String)>, seen: String) -> Option<Html> {
    let t = &cx.t().admin_questions;
    let is_new = match whole.state {
        State::New => true,
        State::Published => false,
        State::Declined | State::Moved => return None,
    };
    let labels = pairs([("body", t.body), ("answer", t.answer), ("article", t.article)]);
    let (body, answer) = (whole.body.clone(), whole.answer.clone().unwrap_or_default());
    let article = whole.article.clone().unwrap_or_default();
    let (publish, at) = (if is_new { t.publish } else { cx.t().admin_rules.save }, seen.clone());
    let more = match is_new {
        true => others(cx, seen),
        false => view! {
            <FormBox<UnpublishQuestion> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <button class="btn btn-danger-quiet">{t.unpublish}</button>
                <span class="hint">{t.unpublish_hint}</span>
            </FormBox<UnpublishQuestion>>
        }
        .into_html(),
    };
    let view = view! {
        <section class="section narrow" aria-labelledby="show">
            <h2 id="show">{t.show}</h2>
            <FormBox<PublishQuestion> labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=at/>
                <TextArea name="body" label=t.body hint=t.body_hint value=body rows=4/>
                <TextArea name="answer" label=t.answer hint=t.answer_hint value=answer rows=6/>
                <Select name="article" label=t.article hint=t.article_hint options=articles value=article optional=true/>
                <button class="btn btn-primary">{publish}</button>
            </FormBox<PublishQuestion>>
        </section>
        {more}
    };
    Some(view.into_html())
}

/// What else may become of a question that is new.
fn others(cx: &Cx, seen: String) -> Html {
    let t = &cx.t().admin_questions;
    let again = seen.clone();
    let labels = pairs([("reason", t.reason)]);
    let was_sent = cx.was_sent(DeclineQuestion::NAME);
    view! {
        <section class="section narrow" aria-labelledby="others">
            <h2 id="others">{t.others}</h2>
            <FormBox<MoveQuestion> class="actions" stale=t.stale>
                <input type="hidden" name="seen" value=again/>
                <button class="btn">{t.move_on}</button>
                <span class="hint">{t.move_hint}</span>
            </FormBox<MoveQuestion>>
            <details class="fold" open=was_sent>
                <summary>{t.decline}</summary>
                <FormBox<DeclineQuestion> labels=labels stale=t.stale>
                    <input type="hidden" name="seen" value=seen/>
                    <Field name="reason" label=t.reason hint=t.reason_hint/>
                    <button class="btn btn-danger">{t.decline}</button>
                </FormBox<DeclineQuestion>>
            </details>
        </section>
    }
    .into_html()
}
