//! One request: its neighbours in the queue, the conversation with notes between colleagues, and the customer.

use super::changes;
use super::request_parts::{links, merging, prepared};
use super::view::View;
use super::{contacts, due, full_name, keys, passed, sorting, status, status_word, store_name, talk};
use crate::cabinet::support::{KEYS, attached, page_of, saved};
use crate::cx::Cx;
use crate::route::{Body, File, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FilesField, FormBox, Moment, TextArea, icon, pairs, paragraphs};
use chrono::{DateTime, Utc};
use crm::audit::Last;
use crm::card::{State, store as cards};
use crm::contact::Kind;
use crm::customer::store as customers;
use crm::db::Conn;
use crm::id::StaffId;
use crm::lang::Lang;
use crm::outlook::store as outlook;
use crm::points::store as points;
use crm::purchase::{Receipt, store as purchases};
use crm::request::draft::{self, Draft};
use crm::request::level::store as levels;
use crm::request::live::{self, Present};
use crm::request::macros::{self as prepared_answers, Values};
use crm::request::store::bulk;
use crm::request::{Author, PageOf, Rating, Row, StaffMessage, StaffThread, Status, Summary, store as requests};
use crm::request::{link, merge};
use crm::rule::tier::store as tiers;
use crm::staff::Right;
use crm::who::Subject;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How many neighbours the list beside a request shows.
const NEIGHBOURS: i64 = 30;
/// How many purchases the customer's panel shows.
const PURCHASES: i64 = 5;
/// How many of the customer's last requests are looked through for open ones.
const REQUESTS: i64 = 50;

/// The request's number, from its address.
pub(super) fn number(cx: &Cx) -> Result<i64, AppError> {
    cx.param("number")
}

/// What the page showed as the last change, from a form.
pub(super) fn seen(micros: i64) -> Result<DateTime<Utc>, AppError> {
    DateTime::from_timestamp_micros(micros).ok_or(AppError::Refused)
}

/// Whose request the page said it was, from a form; nothing: nobody's.
fn whose(id: &str) -> Result<Option<StaffId>, AppError> {
    match id {
        "" => Ok(None),
        id => id.parse().map(Some).map_err(|_| AppError::Refused),
    }
}

/// The same request, opened from the same view, with a word of what was done.
pub(super) fn again(cx: &Cx, done: &'static str) -> Result<Next, AppError> {
    Ok(Next::to(
        View::of(cx).address(&format!("/admin/requests/{}", number(cx)?), Some(done)),
    ))
}

/// What a button says that keeps what is typed and sends nothing. `public/desk.js` says it, too, as somebody types.
const KEEP: &str = "keep";

/// Answers the customer, or keeps what there is of an answer.
#[derive(Deserialize)]
pub struct Answer {
    seen: i64,
    text: String,
    #[serde(default)]
    act: String,
}

impl Form for Answer {
    const NAME: &'static str = "request.answer";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (number, seen) = (number(cx)?, seen(self.seen)?);
        if self.act == KEEP {
            draft::keep(&cx.db, cx.staff()?, number, Draft::Answer, &self.text).await?;
            return again(cx, kept(cx));
        }
        requests::staff_answer(&cx.db, cx.staff()?, number, &self.text, &cx.files, seen).await?;
        again(cx, "answered")
    }
}

/// What is said of a draft that was kept: files do not go with it.
fn kept(cx: &Cx) -> &'static str {
    match cx.files.is_empty() {
        true => "kept",
        false => "kept_without_files",
    }
}

/// Leaves a note for colleagues, with files, or keeps what there is of one.
#[derive(Deserialize)]
pub struct Note {
    text: String,
    #[serde(default)]
    act: String,
}

impl Form for Note {
    const NAME: &'static str = "request.note";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        if self.act == KEEP {
            draft::keep(&cx.db, cx.staff()?, number(cx)?, Draft::Note, &self.text).await?;
            return again(cx, kept(cx));
        }
        requests::note(&cx.db, cx.staff()?, number(cx)?, &self.text, &cx.files).await?;
        again(cx, "noted")
    }
}

/// Sets the status by hand.
#[derive(Deserialize)]
pub struct SetStatus {
    seen: i64,
    status: Status,
}

impl Form for SetStatus {
    const NAME: &'static str = "request.status";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        requests::set_status(&cx.db, cx.staff()?, number(cx)?, self.status, seen(self.seen)?).await?;
        again(
            cx,
            if self.status == Status::Closed {
                "closed"
            } else {
                "status"
            },
        )
    }
}

/// Takes the request, from whoever the page said had it.
#[derive(Deserialize)]
pub struct Assign {
    from: String,
}

impl Form for Assign {
    const NAME: &'static str = "request.assign";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        requests::assign_to_me(&cx.db, cx.staff()?, number(cx)?, whose(&self.from)?).await?;
        again(cx, "assigned")
    }
}

/// Hands it back, likewise.
#[derive(Deserialize)]
pub struct Unassign {
    from: String,
}

impl Form for Unassign {
    const NAME: &'static str = "request.unassign";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        requests::unassign(&cx.db, cx.staff()?, number(cx)?, whose(&self.from)?).await?;
        again(cx, "unassigned")
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_request;
    let (staff, view) = (cx.staff()?, View::whole(&cx).await?);
    let (subject, thread) = requests::open(&cx.db, staff, number(&cx)?).await?;
    let mut conn = cx.db.read().await?;
    let topics = requests::topics(&mut conn).await?;
    let closed = requests::closed_topics(&mut conn, staff).await?;
    let receipt = match thread.purchase {
        Some(id) => Some(purchases::receipt(&mut conn, subject, id).await?),
        None => None,
    };
    let others = live::present(&mut conn, staff, thread.id).await?;
    let sorted = bulk::sorted(&mut conn, staff, thread.number).await?;
    let mut owed = levels::of(&mut conn, staff, &[thread.id]).await?;
    let owed = owed.remove(&thread.id).unwrap_or_default();
    let written = Written {
        answer: draft::of(&mut conn, staff, thread.id, Draft::Answer).await?,
        note: draft::of(&mut conn, staff, thread.id, Draft::Note).await?,
    };
    let all_links = link::of(&mut conn, staff, thread.id).await?;
    let bought = link::bought(&mut conn, subject, links::PURCHASES).await?;
    let merged = merge::of(&mut conn, staff, thread.id).await?;
    let offered = merge::candidates(&mut conn, subject, thread.id).await?;
    let all_macros = prepared_answers::list(&mut conn, staff).await?;
    let values = values(&cx, &mut conn, subject, &thread).await?;
    drop(conn);
    let quicker = changes::quicker(&cx, Last::Of(thread.id.0)).await?;
    let belongs = sorting::section(&cx, &thread, &topics, &sorted).await?;
    let filter = view.filter(&[topics, closed].concat());
    let neighbours = requests::queue(&cx.db, staff, &filter, view.sort, view.after, NEIGHBOURS).await?;
    let panel = customer(&cx, subject, thread.number).await?;
    let title = t.title(thread.number, cx.pick(&thread.topic));
    let menu = prepared::menu(&cx, &all_macros, thread.language, &values, thread.updated_at);
    let view = view! {
        <div class="panes">
            {list(&cx, &view, &neighbours, thread.number)}
            <section
                class="pane"
                aria-labelledby="request"
                data-live=format!("/admin/live?request={}", thread.number)
                data-since=staff.last_change().to_string()
            >
                {head(&cx, &view, &thread, receipt.as_ref(), &sorted.steps, &owed)}
                {quicker}
                {belongs}
                {done(&cx, &view, &neighbours, thread.number)}
                {links::section(&cx, &thread, &all_links, &bought)}
                {merging::section(&cx, &merged, &offered)}
                {conversation(&cx, &thread)}
                {reply(&cx, &thread, &others, &written, menu)}
            </section>
            {panel}
        </div>
        {keys::sheet(&cx, &all_macros)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// What somebody is writing, and has not sent.
struct Written {
    answer: Option<String>,
    note: Option<String>,
}

/// What the variables of macros stand for here.
async fn values(cx: &Cx, conn: &mut Conn, subject: Subject, thread: &StaffThread) -> Result<Values, AppError> {
    let cards = cards::of(conn, subject).await?;
    let card = cards.iter().find(|card| card.state == State::Active);
    Ok(Values {
        customer: thread.name.clone(),
        number: thread.number,
        agent: cx.staff()?.name().to_owned(),
        points: crate::format::points(thread.language, points::balance(conn, subject).await?.active),
        card: card
            .map(|card| prepared_answers::last4(&card.number).to_owned())
            .unwrap_or_default(),
    })
}

/// A file of the conversation.
pub async fn file(cx: Cx) -> Result<File, AppError> {
    let (number, id) = (number(&cx)?, cx.param("file")?);
    let (attachment, bytes) = requests::staff_file(&cx.db, cx.staff()?, number, id).await?;
    Ok(saved(number, &attachment, bytes))
}

/// The queue that the request was opened from.
fn list(cx: &Cx, view: &View, rows: &[Row], here: i64) -> Html {
    let t = &cx.t().admin_request;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (at, shown) = match row.waiting_since {
                Some(since) => (since, passed(cx, since)),
                None => (row.updated_at, cx.ago(row.updated_at)),
            };
            view! {
                <li>
                    <a href=view.request(row.number) aria-current=(row.number == here).then_some("page")>
                        <b><bdi>{full_name(cx, &row.name, &row.surname)}</bdi></b>
                        <small><Moment at=at shown=shown/></small>
                        <small><bdi>{cx.pick(&row.topic)}</bdi></small>
                        {status(cx, row.status)}
                    </a>
                </li>
            }
        })
        .collect();
    view! {
        <nav class="pane pane-list" aria-label=t.neighbours>
            <div class="pane-head">
                <a class="btn btn-quiet" href=view.queue()>{icon(icon::ARROW_LEFT)} {t.queue}</a>
            </div>
            <ul class="queue">{rows}</ul>
        </nav>
    }
    .into_html()
}

/// What it is about, where it stands, and what can be done with it.
fn head(
    cx: &Cx,
    view: &View,
    thread: &StaffThread,
    receipt: Option<&Receipt>,
    steps: &[Status],
    owed: &[levels::Due],
) -> Html {
    let t = &cx.t().admin_request;
    let me = cx.staff.as_ref().map(|staff| staff.id());
    let assignee = match (thread.assignee, &thread.assignee_name) {
        (Some(id), _) if Some(id) == me => t.yours.to_owned(),
        (_, Some(name)) => t.answers(name),
        _ => t.nobodys.to_owned(),
    };
    let from = thread.assignee.map(|id| id.to_string()).unwrap_or_default();
    // A form that came too late stays to say so.
    let take = (thread.assignee != me || cx.was_sent(Assign::NAME)).then(|| {
        let words = if thread.assignee.is_none() { t.take } else { t.take_over };
        let from = from.clone();
        view! {
            <FormBox<Assign> class="switch" stale=t.stale_status>
                <input type="hidden" name="from" value=from/>
                <button class="btn btn-sm">{words}</button>
            </FormBox<Assign>>
        }
    });
    let release = (thread.assignee.is_some() || cx.was_sent(Unassign::NAME)).then(|| {
        view! {
            <FormBox<Unassign> class="switch" stale=t.stale_status>
                <input type="hidden" name="from" value=from/>
                <button class="btn btn-sm">{t.release}</button>
            </FormBox<Unassign>>
        }
    });
    // What the queue of the request lets them set.
    let choices: Vec<_> = steps
        .iter()
        .map(|to| {
            let (code, words) = match (*to, thread.status) {
                (Status::Open | Status::New, Status::Closed) => ("open", t.reopen),
                (Status::Open | Status::New, _) => ("open", t.to_open),
                (Status::Waiting, _) => ("waiting", t.to_waiting),
                (Status::Closed, _) => ("closed", t.to_closed),
            };
            view! { <button class="btn btn-sm" name="status" value=code>{words}</button> }
        })
        .collect();
    let waiting = thread.waiting_since.map(|since| {
        view! { <span>{t.waits} " " <Moment at=since shown=passed(cx, since)/></span> }
    });
    let receipt = receipt.map(|receipt| {
        let href = format!(
            "/admin/customers/{}/purchases/{}?request={}",
            thread.customer, receipt.head.id, thread.number
        );
        let words = t.about_receipt(
            cx.day(receipt.head.at),
            &receipt.head.document,
            cx.money(receipt.head.total),
        );
        view! { <p><a href=href>{words}</a></p> }
    });
    let from = thread.about.as_ref().map(|about| {
        let customer = || format!("/admin/customers/{}?request={}", thread.customer, thread.number);
        let href = match about.of {
            PageOf::Points | PageOf::Coupon => customer(),
            PageOf::Program => format!("/admin/programs/{}", about.code),
            PageOf::Offer => format!("/admin/promotions/{}", about.code),
            PageOf::Help => format!("/help/{}", about.code),
        };
        view! { <p><a href=href>{t.from_page(page_of(cx, about.of))}</a></p> }
    });
    let owed: Vec<_> = owed.iter().map(|due| due::words(cx, due)).collect();
    // The status depends on what was read, so the form says what that was.
    let seen = thread.updated_at.timestamp_micros().to_string();
    view! {
        <a class="back pane-back" href=view.queue()>{icon(icon::ARROW_LEFT)} {t.queue}</a>
        <div class="pane-head">
            <h1 id="request">{t.title(thread.number, cx.pick(&thread.topic))}</h1>
            <div class="actions" data-swap="take">{take} {release}</div>
        </div>
        <p class="facts" data-swap="facts">
            {status(cx, thread.status)}
            {owed}
            {waiting}
            <span>{assignee}</span>
            <span>{t.written} " " <Moment at=thread.created_at shown=cx.moment(thread.created_at)/></span>
        </p>
        {receipt}
        {from}
        <div data-swap="status">
            <FormBox<SetStatus> class="actions" stale=t.stale_status>
                <input type="hidden" name="seen" value=seen/>
                {choices}
            </FormBox<SetStatus>>
        </div>
    }
    .into_html()
}

/// What was just done, and where to go on.
fn done(cx: &Cx, view: &View, neighbours: &[Row], here: i64) -> Option<impl IntoView + use<>> {
    let (t, desk) = (&cx.t().admin_request, &cx.t().admin_desk);
    // The address still tells of the change before when the next one fails.
    let done = cx.query("done").filter(|_| cx.outcome.is_none())?;
    let words = match done {
        "answered" => t.done_answered,
        "taken" => t.done_taken,
        "noted" => t.done_noted,
        "closed" => t.done_closed,
        "status" => t.done_status,
        "assigned" => t.done_assigned,
        "unassigned" => t.done_unassigned,
        "sorted" => desk.done_sorted,
        "linked" => desk.done_linked,
        "unlinked" => desk.done_unlinked,
        "merged" => desk.done_merged,
        "parted" => desk.done_parted,
        "split" => desk.done_split,
        "macro" => desk.done_macro,
        "kept" => desk.done_kept,
        "kept_without_files" => desk.done_kept_without_files,
        _ => return None,
    };
    let next = neighbours
        .iter()
        .find(|row| row.number != here && row.waiting_since.is_some());
    let next =
        next.map(|row| view! { " " <a href=view.request(row.number)>{t.next(row.number, cx.pick(&row.topic))}</a> });
    Some(view! { <p class="flash" role="status">{words} {next}</p> })
}

/// What was said, oldest first. After an answer that came too late, what was not seen before is marked.
fn conversation(cx: &Cx, thread: &StaffThread) -> Html {
    let t = &cx.t().admin_request;
    let late = cx.outcome.as_ref().filter(|outcome| outcome.error == AppError::Stale);
    let seen = late.and_then(|outcome| outcome.values.iter().find(|(name, _)| name == "seen"));
    let seen = seen.and_then(|(_, micros)| DateTime::from_timestamp_micros(micros.parse().ok()?));
    let last = thread.messages.last().map(|message| message.id);
    // A request begins with words of the customer, and something of the old one stays.
    let mut begun = Vec::new();
    let mut may_split = |message: &StaffMessage| {
        let is_first = !message.internal && !begun.contains(&message.number);
        if is_first {
            begun.push(message.number);
        }
        !is_first && !message.internal && message.author == Author::Customer
    };
    let messages: Vec<_> = thread
        .messages
        .iter()
        .map(|message| {
            let id = (Some(message.id) == last).then_some("last");
            let is_new = seen.is_some_and(|seen| message.at > seen);
            say(cx, thread, message, id, is_new, may_split(message))
        })
        .collect();
    let is_there = |id: &str| thread.messages.iter().any(|message| message.id.to_string() == id);
    view! {
        {merging::split_gone(cx, is_there)}
        <h2 class="sr-only">{t.conversation}</h2>
        <div class="thread" aria-live="polite" data-thread="">{messages}</div>
        {rated(cx, thread)}
    }
    .into_html()
}

/// What the customer thinks of the answers.
fn rated(cx: &Cx, thread: &StaffThread) -> Vec<Html> {
    let t = &cx.t().admin_request;
    let line = |rating: &Rating| {
        let comment = (!rating.comment.is_empty())
            .then(|| view! { <div lang=thread.language.code()>{paragraphs(&rating.comment)}</div> });
        view! {
            <p><b>{t.rated(rating.score)}</b> " " <Moment at=rating.changed_at shown=cx.moment(rating.changed_at)/></p>
            {comment}
        }
        .into_html()
    };
    thread.ratings.iter().map(line).collect()
}

fn say(
    cx: &Cx,
    thread: &StaffThread,
    message: &StaffMessage,
    id: Option<&'static str>,
    is_new: bool,
    may_split: bool,
) -> Html {
    let t = &cx.t().admin_request;
    let author = match (message.author, &message.staff) {
        (Author::Customer, _) => full_name(cx, &thread.name, &thread.surname),
        (Author::Staff, Some(name)) => name.clone(),
        (Author::Staff, None) => t.shop.to_owned(),
    };
    let (class, badge) = match (message.internal, message.author) {
        (true, _) => (
            "say say-note",
            Some(view! { <span class="badge badge-warn">{t.internal}</span> }),
        ),
        (false, Author::Staff) => ("say say-me", None),
        (false, Author::Customer) => ("say", None),
    };
    let lang = (message.author == Author::Customer).then(|| thread.language.code());
    let from = (message.number != thread.number).then(|| {
        let words = cx.t().admin_desk.from_number(message.number);
        view! { <span class="badge">{words}</span> }
    });
    let taken = message.way.map(|way| {
        let words = t.taken(message.staff.as_deref().unwrap_or_default(), talk::way(cx, way));
        let may_open = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
        match message.talk.filter(|_| may_open) {
            Some(talk) => {
                let (customer, number) = (thread.customer, thread.number);
                let href = format!("/admin/customers/{customer}/talks/{talk}?request={number}");
                view! { <p class="hint"><a href=href>{words}</a></p> }.into_html()
            }
            None => view! { <p class="hint">{words}</p> }.into_html(),
        }
    });
    let fresh = is_new.then(|| view! { <span class="badge badge-points">{t.fresh}</span> });
    view! {
        <article class=class id=id data-message=message.id.to_string()>
            <header id=format!("m-{}", message.id)>
                <b><bdi>{author}</bdi></b>
                {badge}
                {from}
                <Moment at=message.at shown=cx.moment(message.at)/>
                {fresh}
            </header>
            {taken}
            <div lang=lang>{paragraphs(&message.body)}</div>
            {attached(cx, &format!("/admin/requests/{}", thread.number), &message.files)}
            {may_split.then(|| merging::split_here(cx, message.id))}
        </article>
    }
    .into_html()
}

/// Says that who asks has the request of the page open, and tells who else has, as the page does.
pub async fn be_here(cx: &Cx) -> Result<String, AppError> {
    let is_writing = cx.query("writing").is_some();
    let others = live::be_here(&cx.db, cx.staff()?, number(cx)?, is_writing).await?;
    Ok(present(cx, &others).map(|html| html.to_html()).unwrap_or_default())
}

/// Which colleagues have the request open just now.
fn present(cx: &Cx, others: &[Present]) -> Option<Html> {
    let t = &cx.t().admin_request;
    let names = |is_writing: bool| {
        let names: Vec<_> = others
            .iter()
            .filter(|other| other.is_writing == is_writing)
            .map(|other| other.name.as_str())
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let writing = names(true).map(|names| view! { <b>{t.are_answering(names)}</b> " " });
    let looking = names(false).map(|names| t.also_here(names));
    (!others.is_empty()).then(|| view! { <p>{writing} {looking}</p> }.into_html())
}

/// Where staff writes: to the customer, or between themselves.
fn reply(cx: &Cx, thread: &StaffThread, others: &[Present], written: &Written, menu: Html) -> Html {
    let (t, desk) = (&cx.t().admin_request, &cx.t().admin_desk);
    let labels = pairs([("text", t.answer), ("files", cx.t().form.files)]);
    let note_labels = pairs([("text", t.note_label), ("files", cx.t().form.files)]);
    let seen = thread.updated_at.timestamp_micros().to_string();
    let (is_answering, is_noting) = (
        cx.was_sent(Answer::NAME),
        cx.was_sent(Note::NAME) || written.note.is_some(),
    );
    let (answer, note) = (written.answer.clone(), written.note.clone());
    let kept = answer
        .is_some()
        .then(|| view! { <p class="hint">{desk.draft_hint}</p> });
    let (answer, note) = (answer.unwrap_or_default(), note.unwrap_or_default());
    let hint = match thread.language == cx.lang {
        true => None,
        false => Some(match thread.language {
            Lang::Ru => t.in_russian,
            Lang::En => t.in_english,
        }),
    };
    let hint = hint.map(|words| view! { <p class="hint">{words}</p> });
    view! {
        <div class="pane-end">
            <div aria-live="polite" data-here=format!("/admin/requests/{}/presence", thread.number)>
                {present(cx, others)}
            </div>
            {hint}
            <FormBox<Answer> class="form form-wide" labels=labels stale=t.stale>
                <input type="hidden" name="seen" value=seen/>
                <TextArea name="text" label=t.answer value=answer missing=t.answer_missing rows=3/>
                // Seldom needed, and what was said is to be seen above.
                <details class="fold" open=is_answering>
                    <summary>{t.attach}</summary>
                    <FilesField/>
                </details>
                <div class="actions">
                    <button class="btn btn-primary" aria-keyshortcuts=KEYS>{t.send}</button>
                    <button class="btn" name="act" value=KEEP>{desk.keep_draft}</button>
                </div>
                {kept}
            </FormBox<Answer>>
            <div class="folds">
                {menu}
                <details class="fold" open=is_noting>
                    <summary>{t.note}</summary>
                    <FormBox<Note> class="form form-wide" labels=note_labels>
                        <TextArea name="text" label=t.note_label value=note hint=t.note_hint missing=t.note_missing rows=3/>
                        <FilesField/>
                        <div class="actions">
                            <button class="btn">{t.note_save}</button>
                            <button class="btn btn-quiet" name="act" value=KEEP>{desk.keep_draft}</button>
                        </div>
                    </FormBox<Note>>
                </details>
            </div>
        </div>
    }
    .into_html()
}

/// What a customer is to the shop, as their card says it, for those who may open that: their tiers, what they bought in twelve months,
/// and how many of their requests are open.
async fn standing(cx: &Cx, conn: &mut Conn, subject: Subject) -> Result<Option<Html>, AppError> {
    if !cx.staff()?.has(Right::Customers) {
        return Ok(None);
    }
    let t = &cx.t().admin_customer;
    let (value, _) = outlook::bought(conn, subject).await?;
    let open = requests::open_count(conn, subject).await?;
    let standings = tiers::standings(conn, subject).await?;
    let held: Vec<_> = standings
        .iter()
        .filter_map(|(_, tiers, standing)| tiers.get(standing.tier?))
        .map(|tier| view! { <span class="badge badge-brand">{cx.pick(&tier.name)}</span> })
        .collect();
    let view = view! {
        <p class="facts">
            {held}
            <span>{t.value(value.purchases)} ": " <b>{cx.money(value.sum)}</b></span>
            <span>{t.open_requests} ": " <b>{crate::format::integer(open)}</b></span>
        </p>
    };
    Ok(Some(view.into_html()))
}

/// Who is asking: what they are to the shop, how to reach them, what they have, what they bought last and what else they ask.
async fn customer(cx: &Cx, subject: Subject, here: i64) -> Result<Html, AppError> {
    let t = &cx.t().admin_request;
    let mut conn = cx.db.read().await?;
    let standing = standing(cx, &mut conn, subject).await?;
    let profile = customers::profile(&mut conn, subject).await?;
    let cards = cards::of(&mut conn, subject).await?;
    let balance = points::balance(&mut conn, subject).await?;
    let bought = purchases::latest(&mut conn, subject, PURCHASES).await?;
    let asked = requests::list(&mut conn, subject, None, REQUESTS).await?;
    drop(conn);
    let person = &profile.person;
    let href = format!("/admin/customers/{}", subject.id());
    let [phones, emails] = [Kind::Phone, Kind::Email].map(|kind| contacts(cx, &profile.contacts, kind));
    let card = cards.iter().find(|card| card.state == State::Active);
    let card = card.map_or_else(|| t.no_card.to_owned(), |card| crm::card::show(&card.number));
    let pending = (balance.pending > 0).then(|| {
        view! { <div><dt>{t.pending}</dt><dd class="points">{cx.points(balance.pending)}</dd></div> }
    });
    let bought: Vec<_> = bought
        .iter()
        .map(|purchase| {
            let store = purchase.store.as_ref().map(|store| store_name(cx, store));
            view! {
                <li>
                    <a class="row" href=format!("{href}/purchases/{}?request={here}", purchase.id)>
                        <span class="row-main">
                            <Moment at=purchase.at shown=cx.day(purchase.at)/>
                            <small>{store}</small>
                        </span>
                        <span class="row-end">{cx.money(purchase.total)}</span>
                    </a>
                </li>
            }
        })
        .collect();
    let bought = match bought.is_empty() {
        true => view! { <p class="muted">{t.no_purchases}</p> }.into_html(),
        false => view! { <ul class="rows panel panel-flush">{bought}</ul> }.into_html(),
    };
    let open = |request: &&Summary| request.status != Status::Closed && request.number != here;
    let asked: Vec<_> = asked
        .iter()
        .filter(open)
        .map(|request| {
            view! {
                <li>
                    <a class="row" href=format!("/admin/requests/{}", request.number)>
                        <span class="row-main">
                            {t.title(request.number, cx.pick(&request.topic))}
                            <small>{status_word(cx, request.status)}</small>
                        </span>
                        <span class="row-end"><Moment at=request.updated_at shown=cx.ago(request.updated_at)/></span>
                    </a>
                </li>
            }
        })
        .collect();
    let asked = match asked.is_empty() {
        true => view! { <p class="muted">{t.no_requests}</p> }.into_html(),
        false => view! { <ul class="rows panel panel-flush">{asked}</ul> }.into_html(),
    };
    Ok(view! {
        <aside class="pane pane-side" aria-labelledby="customer">
            <h2 id="customer"><a href=format!("{href}?request={here}")><bdi>{full_name(cx, &person.name, &person.surname)}</bdi></a></h2>
            {standing}
            <dl class="kv">
                <div><dt>{t.phones}</dt><dd>{phones}</dd></div>
                <div><dt>{t.emails}</dt><dd>{emails}</dd></div>
                <div><dt>{t.card}</dt><dd>{card}</dd></div>
                <div><dt>{t.points}</dt><dd class="points">{cx.points(balance.active)}</dd></div>
                {pending}
                <div>
                    <dt>{t.since}</dt>
                    <dd><Moment at=person.registered_at shown=cx.day(person.registered_at)/></dd>
                </div>
            </dl>
            <h3>{t.purchases}</h3>
            {bought}
            <h3>{t.other_requests}</h3>
            {asked}
        </aside>
    }
    .into_html())
}
