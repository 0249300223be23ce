//! Requests to support: the list, a new one, and the conversation.

use super::trace::trace;
use super::{back, flash, looked, unsaid};
use crate::account::help::{before_writing, suggested};
use crate::cx::Cx;
use crate::route::{Body, FILES, File, Form, Frame, Next, Place};
use crate::ui::frame::ways_to_reach;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{FilesField, FormBox, Moment, Select, TextArea, pairs, paragraphs};
use chrono::{DateTime, TimeDelta, Utc};
use crm::dialogue::store as dialogue;
use crm::help::store as help;
use crm::interaction::Way;
use crm::purchase::{Kind, Purchase, Receipt, store as purchases};
use crm::report::store::explained::Look;
use crm::request::attachment::Attachment;
use crm::request::level::store as levels;
use crm::request::{
    About, Along, Author, Message, NewRating, NewRequest, PageOf, RATING_DAYS, Status, Summary, Thread, USUAL_DAYS,
    store as requests,
};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// What sends a message from the keyboard (`live/page.js`).
pub(crate) const KEYS: &str = "Control+Enter Meta+Enter";
/// The last messages of a conversation; those before are folded away.
const MESSAGES: usize = 30;
/// Requests on a page of the list.
const PAGE: i64 = 20;
/// The longest code of a receipt that a request begins with, in characters: what a fiscal QR code says is shorter.
const CODE: usize = 200;
/// Receipts to choose from for a new request.
pub(crate) const RECEIPTS: i64 = 10;

/// Writes a request.
#[derive(Deserialize)]
pub struct Create {
    topic: String,
    text: String,
    purchase: String,
    /// The line of the receipt that points are missing for, or any other word for all of it; empty: it is about nothing of
    /// the kind.
    #[serde(default)]
    line: String,
    /// The page that it is written from, or nothing.
    #[serde(default)]
    about: String,
    /// It is not to be sent yet: what may answer it is looked for.
    #[serde(default)]
    find: String,
}

impl Form for Create {
    const NAME: &'static str = "request.create";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let Self {
            topic,
            text,
            purchase,
            line,
            about,
            find,
        } = self;
        if !find.is_empty() {
            // The page comes back with everything typed, as after a mistake; there is none.
            return Err(AppError::Invalid { flaws: Vec::new() });
        }
        let trace = match purchase.parse() {
            Ok(receipt) if !line.is_empty() => trace(cx, receipt, line.parse().ok()).await?,
            _ => None,
        };
        let new = NewRequest { topic, text, purchase };
        let about: Option<About> = about.parse().ok();
        let along = Along {
            note: trace.as_deref(),
            about: about.as_ref(),
        };
        let number = requests::create_with(&cx.db, cx.customer()?, &new, &cx.files, along).await?;
        Ok(Next::to(format!("/support/{number}?done=sent")))
    }
}

/// Adds to the conversation of the page.
#[derive(Deserialize)]
pub struct Answer {
    text: String,
}

impl Form for Answer {
    const NAME: &'static str = "request.answer";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let number: i64 = cx.param("number")?;
        requests::answer(&cx.db, cx.customer()?, number, &self.text, &cx.files).await?;
        Ok(Next::to(format!("/support/{number}?done=answered")))
    }
}

/// Closes the request of the page.
#[derive(Deserialize)]
pub struct Close {}

impl Form for Close {
    const NAME: &'static str = "request.close";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let number: i64 = cx.param("number")?;
        settled(requests::close(&cx.db, cx.customer()?, number).await)?;
        Ok(Next::to(format!("/support/{number}?done=closed")))
    }
}

/// Opens the request of the page again.
#[derive(Deserialize)]
pub struct Reopen {}

impl Form for Reopen {
    const NAME: &'static str = "request.reopen";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let number: i64 = cx.param("number")?;
        settled(requests::reopen(&cx.db, cx.customer()?, number).await)?;
        Ok(Next::to(format!("/support/{number}?done=reopened")))
    }
}

/// Says what the customer thinks of how the request of the page was answered.
#[derive(Deserialize)]
pub struct Rate {
    score: String,
    comment: String,
}

impl Form for Rate {
    const NAME: &'static str = "request.rate";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let number: i64 = cx.param("number")?;
        let Self { score, comment } = self;
        requests::rate(&cx.db, cx.customer()?, number, &NewRating { score, comment }).await?;
        Ok(Next::to(format!("/support/{number}?done=rated")))
    }
}

/// A request that is where the button was to bring it already, because staff was faster, is no trouble to tell of.
fn settled(result: Result<(), crm::Error>) -> Result<(), crm::Error> {
    match result {
        Err(crm::Error::Stale) => Ok(()),
        other => other,
    }
}

/// A status in the customer's words.
pub fn status(cx: &Cx, status: Status) -> impl IntoView + use<> {
    let t = &cx.t().support;
    let (class, words) = match status {
        Status::New => ("status status-new", t.status_new),
        Status::Open => ("status status-open", t.status_open),
        Status::Waiting => ("status status-wait", t.status_waiting),
        Status::Closed => ("status status-done", t.status_closed),
    };
    view! { <span class=class>{words}</span> }
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().support;
    let after = cx.query("before").and_then(|cursor| cursor.parse().ok());
    let mut conn = cx.db.read().await?;
    let mut list = requests::list(&mut conn, cx.subject()?, after, PAGE + 1).await?;
    drop(conn);
    let has_more = list.len() > PAGE as usize;
    list.truncate(PAGE as usize);
    let next = list
        .last()
        .filter(|_| has_more)
        .map(|last| format!("/support?before={}", last.cursor()));
    let rows: Vec<_> = list.iter().map(|request| row(&cx, request)).collect();
    let is_first = rows.is_empty() && after.is_none();
    let list = match (rows.is_empty(), after) {
        (true, None) => view! {
            <div class="empty">
                {icon(icon::MESSAGE_CIRCLE)}
                <p>{t.empty}</p>
                <a class="btn btn-primary" href="/support/new">{t.write}</a>
            </div>
        }
        .into_html(),
        (true, Some(_)) => view! {
            <div class="empty"><p>{t.no_more}</p><a class="btn" href="/support">{t.to_first}</a></div>
        }
        .into_html(),
        _ => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
    };
    // Where nothing was written yet, the way to write stands in the middle of the page.
    let write = (!is_first).then(|| {
        view! { <a class="btn btn-primary" href="/support/new">{icon(icon::PLUS)} {t.write}</a> }
    });
    let view = view! {
        <div class="page-head"><h1>{t.title}</h1> {write}</div>
        <p class="ways">
            <a href="/help">{cx.t().help.title}</a>
            <a href=crate::account::chat::HERE>{cx.t().chat.link}</a>
            <a href=crate::account::questions::HERE>{cx.t().questions.title}</a>
        </p>
        {list}
        {next.map(|href| super::more(&cx, href))}
        {ways_to_reach(&cx)}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Support), view))
}

/// A request in a list.
pub(super) fn row(cx: &Cx, request: &Summary) -> impl IntoView + use<> {
    let t = &cx.t().support;
    let unread = request
        .unread
        .then(|| view! { " " <span class="badge badge-points">{t.unread}</span> });
    view! {
        <li>
            <a class="row" href=format!("/support/{}", request.number)>
                <span class="row-main">
                    <b>{cx.pick(&request.topic)}{unread}</b>
                    <small>
                        {t.number(request.number)} ", "
                        <Moment at=request.updated_at shown=cx.ago(request.updated_at)/>
                    </small>
                    {status(cx, request.status)}
                </span>
                <span class="row-go">{icon(icon::CHEVRON_RIGHT)}</span>
            </a>
        </li>
    }
}

/// What a page that requests are written from is called.
pub(crate) fn page_of(cx: &Cx, of: PageOf) -> &'static str {
    let t = &cx.t().support;
    match of {
        PageOf::Points => t.page_points,
        PageOf::Program => t.page_program,
        PageOf::Offer => t.page_offer,
        PageOf::Coupon => t.page_coupon,
        PageOf::Help => t.page_help,
    }
}

/// A receipt in a line.
pub(crate) fn receipt_words(cx: &Cx, purchase: &Purchase) -> String {
    let t = &cx.t().support;
    let sum = cx.money(purchase.total.saturating_abs());
    let what = match purchase.kind {
        Kind::Sale => sum,
        Kind::Return => t.return_of(sum),
    };
    let when = cx.moment_in(purchase.store.as_ref(), purchase.at);
    match &purchase.store {
        Some(store) => format!("{when}, {what}, {}", cx.pick(&store.name)),
        None => format!("{when}, {what}"),
    }
}

/// What of a receipt points may be missing for, all of it first; and which of these is asked about.
fn missing_in(cx: &Cx, receipt: &Receipt, asked: &str) -> (String, Vec<(String, String)>) {
    const ALL: &str = "all";
    let lines = receipt.lines.iter().map(|line| {
        let words = format!("{}, {}", line.name, cx.money(line.amount));
        (line.id.to_string(), words)
    });
    let all = (ALL.to_owned(), cx.t().support.missing_all.to_owned());
    let choices: Vec<_> = std::iter::once(all).chain(lines).collect();
    let chosen = choices.iter().find(|(line, _)| line == asked);
    let chosen = chosen.map_or(ALL, |(line, _)| line.as_str()).to_owned();
    (chosen, choices)
}

/// Asks for a new request.
pub async fn new(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().support;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let topics = requests::topics(&mut conn).await?;
    let shown = help::shown(&mut conn).await?;
    let mut receipts = purchases::latest(&mut conn, me, RECEIPTS).await?;
    // What the chat had no answer for.
    let told = match cx.query("said").and_then(|id| id.parse().ok()) {
        Some(message) => dialogue::written_by(&mut conn, me, message).await?,
        None => None,
    };
    let given = cx.query("receipt").and_then(|id| id.parse().ok());
    // What of the receipt points are missing for, and what else of it there is to choose.
    let mut missing = None;
    if let Some(given) = given
        && (cx.query("line").is_some() || receipts.iter().all(|receipt| receipt.id != given))
    {
        // An older receipt; another's is not there to be chosen, and nothing is lost by that.
        match purchases::receipt(&mut conn, me, given).await {
            Ok(receipt) => {
                missing = cx.query("line").map(|asked| missing_in(&cx, &receipt, asked));
                if receipts.iter().all(|known| known.id != given) {
                    receipts.push(receipt.head);
                }
            }
            Err(crm::Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(conn);
    if missing.is_some() {
        looked(&cx, Look::Missing).await;
    }
    let usual = match (&missing, given) {
        (Some(_), _) => "points_missing",
        (None, Some(_)) => "purchase",
        (None, None) => "",
    };
    let topic = cx.query("topic").unwrap_or(usual).to_owned();
    // Of a receipt that cannot be added the request tells the code.
    let code = cx.query("code").map(|code| {
        let clean = code.chars().filter(|c| !c.is_control());
        clean.take(CODE).collect::<String>()
    });
    let text = code.map(|code| t.text_code(&code)).or(told).unwrap_or_default();
    let answers = before_writing(&cx, &shown, &topics, &topic, "/support/new");
    let written = cx.outcome.as_ref().filter(|sent| sent.form == Create::NAME);
    let typed = |name: &str| {
        let mut values = written.into_iter().flat_map(|sent| &sent.values);
        values.find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    };
    let looked_for = typed("find").map(|_| (typed("topic").unwrap_or_default(), typed("text").unwrap_or_default()));
    let suggested = suggested(&cx, &shown, looked_for);
    let first = |words: &'static str| std::iter::once((String::new(), words.to_owned()));
    let topics: Vec<_> = first(t.topic_choose)
        .chain(topics.iter().map(|topic| (topic.code.clone(), cx.pick(&topic.name))))
        .collect();
    let receipts: Vec<_> = first(t.no_receipt)
        .chain(
            receipts
                .iter()
                .map(|receipt| (receipt.id.to_string(), receipt_words(&cx, receipt))),
        )
        .collect();
    let given = given.map(|id| id.to_string()).unwrap_or_default();
    // Made inside its form, which knows what was chosen.
    let missing = move || {
        missing.map(|(line, lines)| {
            view! { <Select name="line" label=t.missing hint=t.missing_hint options=lines value=line/> }
        })
    };
    let about: Option<About> = cx.query("about").and_then(|about| about.parse().ok());
    let about = about.map(|about| {
        let words = t.written_from(page_of(&cx, about.of));
        view! { <input type="hidden" name="about" value=about.to_string()/> <p class="hint">{words}</p> }
    });
    let labels = pairs([
        ("topic", t.topic),
        ("text", t.text),
        ("purchase", t.receipt),
        ("files", cx.t().form.files),
    ]);
    let view = view! {
        {back("/support", t.title)}
        <div>
            <h1>{t.new_title}</h1>
            <p class="lead">{t.new_lead}</p>
        </div>
        {answers}
        <FormBox<Create> check=true labels=labels>
            {missing()}
            {about}
            <Select name="topic" label=t.topic options=topics value=topic/>
            <TextArea name="text" label=t.text hint=t.text_hint check="text:4000" missing=t.text_missing value=text rows=6/>
            {suggested}
            <Select name="purchase" label=t.receipt options=receipts value=given optional=true/>
            <FilesField/>
            <div class="actions">
                <button class="btn btn-primary">{t.send}</button>
                <button class="btn" name="find" value="yes" data-without=FILES>{cx.t().help.find_answers}</button>
                <a class="btn btn-quiet" href="/support">{cx.t().common.cancel}</a>
            </div>
        </FormBox<Create>>
    };
    Ok(Body::new(t.new_title, Frame::Cabinet(Place::Support), view))
}

/// One conversation.
pub async fn thread(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().support;
    let me = cx.subject()?;
    let thread = requests::thread(&cx.db, me, cx.param("number")?).await?;
    if let Some(customer) = cx.customer.as_ref().filter(|_| cx.is_visit) {
        requests::mark_seen(&cx.db, customer, &thread).await?;
    }
    let receipt = match thread.purchase {
        Some(id) => {
            let mut conn = cx.db.read().await?;
            let receipt = purchases::receipt(&mut conn, me, id).await?;
            Some((format!("/purchases/{id}"), receipt_words(&cx, &receipt.head)))
        }
        None => None,
    };
    let about = thread.about.as_ref().map(|about| {
        let href = match about.of {
            PageOf::Points => "/points".to_owned(),
            PageOf::Program => format!("/programs/{}", about.code),
            PageOf::Offer | PageOf::Coupon => "/offers".to_owned(),
            PageOf::Help => format!("/help/{}", about.code),
        };
        view! { <p class="ways"><a href=href>{t.about_page} " " {page_of(&cx, about.of)}</a></p> }
    });
    let labels = pairs([("text", t.text), ("files", cx.t().form.files)]);
    let wait = match (thread.status.is_waiting_for_staff(), thread.answered_at) {
        (true, None) => {
            let mut conn = cx.db.read().await?;
            requests::usual_wait(&mut conn, thread.topic_id).await?
        }
        _ => None,
    };
    // Where too few answers tell how long it takes, what the shop set itself does.
    let by = match (thread.status.is_waiting_for_staff(), wait) {
        (true, None) => {
            let mut conn = cx.db.read().await?;
            levels::answer_by(&mut conn, me, thread.number).await?
        }
        _ => None,
    };
    let is_closed = thread.status == Status::Closed;
    let parts: Vec<_> = thread
        .parts
        .iter()
        .map(|number| view! { <p><a href=format!("/support/{number}")>{t.part(number)}</a></p> })
        .collect();
    let topic = cx.pick(&thread.topic);
    let here = format!("/support/{}", thread.number);
    let (older, last) = thread.messages.split_at(thread.messages.len().saturating_sub(MESSAGES));
    let said = |messages: &[Message]| -> Vec<_> { messages.iter().map(|message| said(&cx, &here, message)).collect() };
    let messages = said(last);
    let older = (!older.is_empty()).then(|| {
        let count = i64::try_from(older.len()).unwrap_or_default();
        view! {
            <details class="fold">
                <summary>{t.older(count)}</summary>
                <ol class="thread">{said(older)}</ol>
            </details>
        }
    });
    let done = [
        ("sent", t.done_sent),
        ("answered", t.done_answered),
        ("closed", t.done_closed),
        ("reopened", t.done_reopened),
        ("rated", t.done_rated),
    ];
    let answer_words = if is_closed { t.answer_closed } else { t.answer };
    // What the queue leaves to staff is not offered; what was sent all the same stays to say so, with what was typed.
    let reply = (thread.may_go_on || cx.was_sent(Answer::NAME)).then(|| {
        view! {
            <FormBox<Answer> class="reply" check=true labels=labels>
                <TextArea name="text" label=answer_words check="text:4000" missing=t.text_missing rows=3/>
                <FilesField/>
                <div class="actions">
                    <button class="btn btn-primary" aria-keyshortcuts=KEYS>{t.send_answer}</button>
                </div>
            </FormBox<Answer>>
        }
        .into_html()
    });
    let reopen = (is_closed && thread.may_go_on || cx.was_sent(Reopen::NAME)).then(|| {
        view! {
            <FormBox<Reopen> class="actions">
                <button class="btn">{t.reopen}</button>
            </FormBox<Reopen>>
        }
        .into_html()
    });
    let close = (!is_closed && thread.may_close || cx.was_sent(Close::NAME)).then(|| {
        view! {
            <FormBox<Close> class="actions">
                <button class="btn btn-quiet">{icon(icon::CHECK)} {t.close}</button>
            </FormBox<Close>>
        }
        .into_html()
    });
    // While it goes on an answer is what matters; once it is over the mark comes first.
    let rating = rating(&cx, &thread);
    let (rating, rating_last) = if is_closed { (rating, None) } else { (None, rating) };
    let over =
        (!thread.may_go_on).then(|| view! { <p><a class="btn" href="/support/new">{t.write}</a></p> }.into_html());
    let view = view! {
        {back("/support", t.title)}
        <div>
            <div class="page-head">
                <h1>{topic.clone()}</h1>
                <span data-swap="status">{status(&cx, thread.status)}</span>
            </div>
            <p class="lead">{t.number(thread.number)} ", " {cx.day(thread.created_at)}</p>
            {receipt.map(|(href, words)| view! {
                <p class="ways"><a href=href>{t.about_receipt} " " {words}</a></p>
            })}
            {about}
            {parts}
        </div>
        {flash(&cx, &done)}
        <div data-swap="next">{next(&cx, &thread, wait, by)}</div>
        {unsaid(&cx, &[Rate::NAME], "score", |_| thread.may_rate, t.rate_over)}
        {older}
        <ol class="thread" aria-label=t.messages aria-live="polite" data-thread="">{messages}</ol>
        <div class="narrow stack">
            {rating}
            {reply}
            {reopen}
            {close}
            {over}
            {rating_last}
        </div>
    };
    Ok(Body::new(
        t.thread_title(thread.number, topic),
        Frame::Cabinet(Place::Support),
        view,
    ))
}

/// What comes next, and when: as enough answers tell, or else by when one is meant to come.
fn next(cx: &Cx, thread: &Thread, wait: Option<TimeDelta>, by: Option<DateTime<Utc>>) -> Html {
    let t = &cx.t().support;
    let words = match thread.status {
        Status::New => t.next_new,
        Status::Open => t.next_open,
        Status::Waiting if thread.may_close => t.next_waiting,
        Status::Waiting => t.next_answered,
        Status::Closed if thread.may_go_on => t.next_closed,
        Status::Closed => t.next_over,
    };
    let usual = wait.map(|wait| t.usual(cx.t().common.days(USUAL_DAYS), in_words(cx, wait)));
    let when = usual.or_else(|| by.map(|at| t.answer_by(cx.moment(at))));
    view! { <p>{words} " " {when}</p> }.into_html()
}

/// How long something takes, rounded up: nobody is promised less than it was.
fn in_words(cx: &Cx, wait: TimeDelta) -> String {
    let t = &cx.t().support;
    let up = |unit: i64| (wait.num_seconds() + unit - 1) / unit;
    match (up(60).max(1), up(3600), up(86_400)) {
        (minutes @ ..60, ..) => t.minutes(minutes),
        (_, hours @ ..48, _) => t.hours(hours),
        (_, _, days) => cx.t().common.days(days),
    }
}

/// What the customer thinks of it, and where they say so.
fn rating(cx: &Cx, thread: &Thread) -> Option<Html> {
    let t = &cx.t().support;
    let said = thread.rating.as_ref().map(|rating| {
        let until = cx.day(rating.at + TimeDelta::days(RATING_DAYS));
        let until = thread.may_rate.then(|| t.rate_until(until));
        view! { <p class="muted">{t.rated(rating.score)} " " {until}</p> }
    });
    if !thread.may_rate {
        return said.map(IntoHtml::into_html);
    }
    let options = pairs([
        ("", t.rate_choose),
        ("5", t.rate_5),
        ("4", t.rate_4),
        ("3", t.rate_3),
        ("2", t.rate_2),
        ("1", t.rate_1),
    ]);
    let (score, comment) = thread.rating.as_ref().map_or_else(Default::default, |rating| {
        (rating.score.to_string(), rating.comment.clone())
    });
    let labels = pairs([("score", t.rate_score), ("comment", t.rate_comment)]);
    let send = if thread.rating.is_some() {
        t.rate_change
    } else {
        t.rate_send
    };
    let view = view! {
        <section class="stack" aria-labelledby="rate">
            <h2 id="rate">{t.rate_title}</h2>
            {said}
            <FormBox<Rate> labels=labels>
                <Select name="score" label=t.rate_score options=options value=score/>
                <TextArea name="comment" label=t.rate_comment value=comment rows=2/>
                <div class="actions"><button class="btn">{send}</button></div>
            </FormBox<Rate>>
        </section>
    };
    Some(view.into_html())
}

/// A file of a conversation.
pub async fn file(cx: Cx) -> Result<File, AppError> {
    let (number, id) = (cx.param("number")?, cx.param("file")?);
    if !cx.opens_documents() {
        return Err(AppError::Forbidden);
    }
    let mut conn = cx.db.read().await?;
    let (attachment, bytes) = requests::file(&mut conn, cx.subject()?, number, id).await?;
    Ok(saved(number, &attachment, bytes))
}

/// A file as it is saved, under a name of ours: what its owner calls it could pretend to be something else.
pub fn saved(number: i64, attachment: &Attachment, bytes: Vec<u8>) -> File {
    let (id, kind) = (attachment.id.0.simple().to_string(), attachment.kind);
    File {
        name: format!("{number}-{id}.{}", kind.ending()),
        kind: kind.media_type(),
        bytes,
    }
}

/// Links to the files of a message; `here` is the address of its request. Whoever has no right to open them reads what they are
/// and how large: a name tells something, too.
pub fn attached(cx: &Cx, here: &str, files: &[Attachment]) -> Vec<Html> {
    let t = &cx.t().admin_request;
    let may_open = cx.opens_documents();
    let shown = |file: &Attachment| {
        let size = cx
            .t()
            .support
            .kilobytes(crate::format::integer((file.size + 1023) / 1024));
        if !may_open {
            let words = t.shut_file(file.kind.ending().to_uppercase());
            return view! { <span class="attached">{words} " " <small>{size}</small></span> " " }.into_html();
        }
        view! {
            <a class="attached" href=format!("{here}/files/{}", file.id) download>
                <bdi>{file.name.clone()}</bdi> " " <small>{size}</small>
            </a>
            " "
        }
        .into_html()
    };
    let refused = !may_open && !files.is_empty();
    let refused = refused.then(|| view! { <p class="hint">{t.no_documents}</p> }.into_html());
    files.iter().map(shown).chain(refused).collect()
}

fn said(cx: &Cx, here: &str, message: &Message) -> impl IntoView + use<> {
    let t = &cx.t().support;
    let (class, author) = match message.author {
        Author::Customer => ("say say-me", t.you),
        Author::Staff => ("say", t.staff),
    };
    let unread = message
        .unread
        .then(|| view! { <span class="badge badge-points">{t.unread}</span> });
    let taken = message.way.map(|way| {
        let words = match way {
            Way::CallIn => t.taken_call_in,
            Way::CallOut => t.taken_call_out,
            Way::Visit => t.taken_visit,
            Way::Other => t.taken_other,
        };
        view! { <p class="hint">{words}</p> }
    });
    view! {
        <li class=class data-message=message.id.to_string()>
            <header><b>{author}</b> <Moment at=message.at shown=cx.moment(message.at)/> {unread}</header>
            {taken}
            {paragraphs(&message.body)}
            {attached(cx, here, &message.files)}
        </li>
    }
}
