//! What the shop writes to people: what waits, what went and arrived, what did not and why. Codes and links for signing in
//! are not shown, not even here.

use super::{keep, looked_for, pages};
use crate::cabinet::{place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment, icon, paragraphs};
use crm::id::{OutboxId, SearchId};
use crm::lang::Lang;
use crm::limits::{self, SmsDay};
use crm::outbox::delivery::{CLOSED, EXPIRED, INTERRUPTED, Trouble, UNWANTED};
use crm::outbox::staff::{self as messages, Counts, Filter, Letter, Row, Template};
use crm::outbox::{Channel, State};
use crm::points::Before;
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

const HERE: &str = "/admin/messages";
/// How many messages a page shows.
const PAGE: usize = 50;

/// Sends a dead letter once more.
#[derive(Deserialize)]
pub struct SendAgain {}

impl Form for SendAgain {
    const NAME: &'static str = "message.again";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: OutboxId = cx.param("id")?;
        messages::send_again(&cx.db, cx.staff()?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=again")))
    }
}

/// Narrows the list. To whom is somebody's phone or address: it is kept here, and an id stands in the page's address.
#[derive(Deserialize)]
pub struct FindMessages {
    #[serde(default)]
    state: String,
    channel: String,
    template: String,
    to: String,
}

impl Form for FindMessages {
    const NAME: &'static str = "message.find";
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let find = keep(cx, Right::Messages, &self.to).await?;
        let view = View {
            filter: filter(&self.state, &self.channel, &self.template),
            find,
        };
        Ok(Next::to(view.address(None)))
    }
}

/// What is shown of the list.
#[derive(Clone, Default)]
struct View {
    filter: Filter,
    /// By what is looked for is known.
    find: Option<SearchId>,
}

/// Codes as addresses have them; what cannot be read narrows nothing.
fn filter(state: &str, channel: &str, template: &str) -> Filter {
    Filter {
        state: State::ALL.into_iter().find(|known| known.as_str() == state),
        channel: Channel::ALL.into_iter().find(|known| known.as_str() == channel),
        template: template.to_owned(),
        address: String::new(),
    }
}

impl View {
    /// The view that the page's address tells of.
    async fn of(cx: &Cx) -> Result<Self, AppError> {
        let query = |name| cx.query(name).unwrap_or_default();
        let (find, address) = looked_for(cx).await?.unzip();
        let filter = Filter {
            address: address.unwrap_or_default(),
            ..filter(query("state"), query("channel"), query("template"))
        };
        Ok(Self { filter, find })
    }

    /// The address of the list with this view, from a place on.
    fn address(&self, after: Option<Before>) -> String {
        let after = after.map(show_place).unwrap_or_default();
        let find = self.find.map(|id| id.to_string()).unwrap_or_default();
        let query: BTreeMap<&str, &str> = [
            ("state", self.filter.state.map_or("", State::as_str)),
            ("channel", self.filter.channel.map_or("", Channel::as_str)),
            ("template", &self.filter.template),
            ("find", &find),
            ("after", &after),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
        match serde_qs::to_string(&query) {
            Ok(query) if !query.is_empty() => format!("{HERE}?{query}"),
            _ => HERE.to_owned(),
        }
    }
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_messages;
    let (staff, shown) = (cx.staff()?, View::of(&cx).await?);
    let after = cx.query("after").and_then(place);
    let mut conn = cx.db.read().await?;
    let counts = messages::counts(&mut conn, staff).await?;
    let templates = messages::templates(&mut conn, staff).await?;
    let day = limits::sms_today(&mut conn).await?;
    drop(conn);
    // One more than is shown tells whether there is another page.
    let mut rows = messages::list(&cx.db, staff, &shown.filter, after, PAGE as i64 + 1).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| (row.created_at, row.id.0));
    let list = if rows.is_empty() {
        empty(&cx, &shown.filter, after.is_some())
    } else {
        table(&cx, &rows)
    };
    let first = after.map(|_| (shown.address(None), t.to_start));
    let next = next.map(|next| (shown.address(Some(next)), t.next));
    let count = (!rows.is_empty()).then(|| t.shown(rows.len() as i64));
    let view = view! {
        <h1>{t.title}</h1>
        {budget(&cx, day)}
        {tabs(&cx, &shown, counts)}
        {narrow(&cx, &shown, &templates)}
        {list}
        {pages(count, first, next)}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// How many codes went by SMS today, as an alarm when no more will.
fn budget(cx: &Cx, day: SmsDay) -> Html {
    let t = &cx.t().admin_messages;
    let [sent, budget] = [day.sent.min(day.budget), day.budget].map(crate::format::integer);
    if !day.is_spent() {
        return view! { <p class="muted">{t.sms_today(budget, sent)}</p> }.into_html();
    }
    view! {
        <div class="notice notice-bad" role="alert">
            {icon(icon::BELL)}
            <div>
                <h2>{t.alarm}</h2>
                <p>{t.alarm_note(budget, sent)}</p>
            </div>
        </div>
    }
    .into_html()
}

fn tabs(cx: &Cx, shown: &View, counts: Counts) -> Html {
    let t = &cx.t().admin_messages;
    let tabs: Vec<_> = [
        (None, t.tab_all, None),
        (Some(State::Queued), t.tab_queued, Some((counts.queued, "badge"))),
        (
            Some(State::Failed),
            t.tab_failed,
            Some((
                counts.failed,
                if counts.failed > 0 { "badge badge-bad" } else { "badge" },
            )),
        ),
        (Some(State::Sent), t.tab_sent, None),
    ]
    .into_iter()
    .map(|(state, words, count)| {
        let mut there = shown.clone();
        there.filter.state = state;
        let current = (state == shown.filter.state).then_some("page");
        let count = count.map(|(n, class)| view! { <span class=class>{crate::format::integer(n)}</span> });
        view! { <a href=there.address(None) aria-current=current>{words} " " {count}</a> }
    })
    .collect();
    view! { <nav class="tabs" aria-label=t.tabs>{tabs}</nav> }.into_html()
}

fn narrow(cx: &Cx, shown: &View, templates: &[Template]) -> Html {
    let filter = &shown.filter;
    let t = &cx.t().admin_messages;
    let option = |value: String, words: String, chosen: &str| {
        let selected = value == chosen;
        view! { <option value=value selected=selected>{words}</option> }
    };
    let chosen = filter.channel.map_or("", Channel::as_str);
    let channels = [("", t.any_channel), ("email", t.email), ("sms", t.sms)]
        .map(|(code, words)| option(code.to_owned(), words.to_owned(), chosen));
    let templates: Vec<_> = std::iter::once((String::new(), t.any_template.to_owned()))
        .chain(
            templates
                .iter()
                .map(|template| (template.code.clone(), subject(cx, template))),
        )
        .map(|(code, words)| option(code, words, &filter.template))
        .collect();
    let state = filter
        .state
        .map(|state| view! { <input type="hidden" name="state" value=state.as_str()/> });
    let is_narrowed = filter.channel.is_some() || !filter.template.is_empty() || !filter.address.is_empty();
    let reset = View {
        filter: Filter {
            state: filter.state,
            ..Filter::default()
        },
        find: None,
    };
    let reset = is_narrowed.then(|| view! { <a class="btn btn-quiet" href=reset.address(None)>{t.reset}</a> });
    let (channels, address) = (channels.into_iter().collect_view(), filter.address.clone());
    view! {
        <div class="filters-box" role="search" aria-label=t.filter>
            <FormBox<FindMessages> class="filters">
                {state}
                <label>{t.channel} <select class="input" name="channel">{channels}</select></label>
                <label>{t.template} <select class="input" name="template">{templates}</select></label>
                <label>
                    {t.address}
                    <input class="input" type="search" name="to" value=address placeholder=t.address_hint autocomplete="off"
                        spellcheck="false" dir="auto"/>
                </label>
                <button class="btn">{t.show}</button>
                {reset}
            </FormBox<FindMessages>>
        </div>
    }
    .into_html()
}

/// What a template is about: its subject with dots where a message has its own words.
fn subject(cx: &Cx, template: &Template) -> String {
    let mut subject = cx.pick(&template.subject);
    while let Some((start, end)) = subject
        .find('{')
        .and_then(|start| Some((start, start + subject[start..].find('}')?)))
    {
        subject.replace_range(start..=end, "…");
    }
    subject
}

/// What a message's state is called, with a dot.
fn state(cx: &Cx, row: &Row) -> impl IntoView + use<> {
    let t = &cx.t().admin_messages;
    let (class, words) = match row.state {
        State::Queued => ("status status-open", t.queued),
        State::Sent if row.delivered_at.is_some() => ("status status-done", t.delivered),
        State::Sent => ("status status-done", t.sent),
        State::Failed if row.undelivered_at.is_some() => ("status status-bad", t.undelivered),
        State::Failed => ("status status-bad", t.failed),
    };
    view! { <span class=class>{words}</span> }
}

/// To whom, as it is written.
fn recipient(cx: &Cx, row: &Row) -> String {
    match row.channel {
        Channel::Sms => cx.phone(&row.address),
        Channel::Email => row.address.clone(),
    }
}

fn channel(cx: &Cx, channel: Channel) -> &'static str {
    let t = &cx.t().admin_messages;
    match channel {
        Channel::Sms => t.sms,
        Channel::Email => t.email,
    }
}

/// What went wrong, in our words as far as we know it; and the carrier's own.
fn error<'a>(cx: &Cx, error: &'a str) -> (&'a str, Option<&'a str>) {
    let t = &cx.t().admin_messages;
    let ours = match error {
        EXPIRED => t.expired,
        INTERRUPTED => t.interrupted,
        UNWANTED => t.unwanted,
        CLOSED => t.closed,
        other => match Trouble::read(other) {
            Some((trouble, words)) => return (in_words(cx, trouble), Some(words)),
            None => other,
        },
    };
    (ours, None)
}

fn in_words(cx: &Cx, trouble: Trouble) -> &'static str {
    let t = &cx.t().admin_messages;
    match trouble {
        Trouble::Refused => t.refused,
        Trouble::Unreachable => t.unreachable,
        Trouble::TimedOut => t.timed_out,
        Trouble::Certificate => t.certificate,
        Trouble::SignIn => t.sign_in,
    }
}

fn table(cx: &Cx, rows: &[Row]) -> Html {
    let t = &cx.t().admin_messages;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let error = match &row.error {
                Some(words) => view! { <bdi>{error(cx, words).0.to_owned()}</bdi> }.into_html(),
                None => view! { <span class="muted" aria-hidden="true">"—"</span> <span class="sr-only">{t.no_error}</span> }
                    .into_html(),
            };
            view! {
                <tr>
                    <td>{state(cx, row)}</td>
                    <td><a href=format!("{HERE}/{}", row.id)><bdi>{recipient(cx, row)}</bdi></a></td>
                    <td>{channel(cx, row.channel)}</td>
                    <td><bdi>{row.subject.clone()}</bdi></td>
                    <td class="num">{crate::format::integer(row.tries)}</td>
                    <td class="grow">{error}</td>
                    <td class="num"><Moment at=row.created_at shown=cx.ago(row.created_at)/></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.to),
        Head::Words(t.channel),
        Head::Words(t.subject),
        Head::Number(t.tries),
        Head::Words(t.error),
        Head::Number(t.written),
    ];
    view! {
        <DataTable label=t.title caption=t.caption heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

fn empty(cx: &Cx, filter: &Filter, is_later: bool) -> Html {
    let t = &cx.t().admin_messages;
    let alone = Filter {
        state: filter.state,
        ..Filter::default()
    };
    let words = match filter.state {
        _ if is_later || *filter != alone => t.empty_filter,
        Some(State::Queued) => t.empty_queued,
        Some(State::Failed) => t.empty_failed,
        Some(State::Sent) | None => t.empty,
    };
    let all = (is_later || *filter != Filter::default()).then(|| view! { <a class="btn" href=HERE>{t.to_all}</a> });
    view! { <div class="empty">{icon(icon::INBOX)} <p>{words}</p> {all}</div> }.into_html()
}

/// One message.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_messages;
    let letter = messages::open(&cx.db, cx.staff()?, cx.param("id")?).await?;
    let row = &letter.row;
    let done = (cx.query("done") == Some("again") && cx.outcome.is_none())
        .then(|| view! { <p class="flash" role="status">{t.done_again}</p> });
    // Where there is nothing to send any more there is no form that could say so.
    let late = (cx.outcome.is_some() && !letter.can_go_again())
        .then(|| view! { <p class="notice notice-warn" role="alert">{t.stale}</p> });
    let lang = letter.language.code();
    let view = view! {
        <a class="back" href=HERE>{icon(icon::ARROW_LEFT)} {t.title}</a>
        <h1 lang=lang>{row.subject.clone()}</h1>
        {done}
        {late}
        {facts(&cx, &letter)}
        {letter.can_go_again().then(|| resend(&cx))}
        {letter.is_masked.then(|| view! { <p class="hint">{if row.state == State::Failed { t.no_again } else { t.masked }}</p> })}
        <section class="panel" aria-labelledby="text">
            <h2 id="text">{t.text}</h2>
            <div lang=lang>{paragraphs(&letter.body)}</div>
        </section>
    };
    Ok(Body::new(row.subject.clone(), Frame::Admin, view))
}

fn resend(cx: &Cx) -> Html {
    let t = &cx.t().admin_messages;
    view! {
        <FormBox<SendAgain> class="form" stale=t.stale>
            <p class="hint">{t.again_note}</p>
            <div class="actions"><button class="btn btn-primary">{t.again}</button></div>
        </FormBox<SendAgain>>
    }
    .into_html()
}

/// What is known of a message beside its text.
fn facts(cx: &Cx, letter: &Letter) -> Html {
    let t = &cx.t().admin_messages;
    let row = &letter.row;
    let moment = |words: &'static str, at: Option<_>| {
        at.map(|at| view! { <div><dt>{words}</dt><dd><Moment at=at shown=cx.moment(at)/></dd></div> })
    };
    let customer = letter.customer_id.map(|id| {
        let href = format!("/admin/customers/{id}");
        view! { <div><dt>{t.customer}</dt><dd><a href=href>{t.card}</a></dd></div> }
    });
    let said = row.error.as_ref().map(|words| {
        let (ours, theirs) = error(cx, words);
        let theirs = theirs.map(|theirs| {
            view! {
                <details class="fold"><summary>{t.carriers_words}</summary> <p lang="en"><bdi>{theirs.to_owned()}</bdi></p></details>
            }
        });
        view! { <div><dt>{t.error}</dt><dd><bdi>{ours.to_owned()}</bdi> {theirs}</dd></div> }
    });
    let reference = letter
        .reference
        .clone()
        .map(|reference| view! { <div><dt>{t.reference}</dt><dd><bdi>{reference}</bdi></dd></div> });
    let language = match letter.language {
        Lang::Ru => t.russian,
        Lang::En => t.english,
    };
    view! {
        <dl class="kv panel">
            <div><dt>{t.state}</dt><dd>{state(cx, row)}</dd></div>
            <div><dt>{t.to}</dt><dd>{channel(cx, row.channel)} ", " <bdi>{recipient(cx, row)}</bdi></dd></div>
            {customer}
            <div><dt>{t.language}</dt><dd>{language}</dd></div>
            {moment(t.written, Some(row.created_at))}
            {moment(t.due, letter.due_at)}
            {moment(t.went, letter.sent_at)}
            {moment(t.delivered, row.delivered_at)}
            {moment(t.undelivered, row.undelivered_at)}
            <div><dt>{t.tries}</dt><dd>{crate::format::integer(row.tries)}</dd></div>
            {said}
            {reference}
        </dl>
    }
    .into_html()
}
