//! Webhooks: which of the shop's other systems are told of what happened, and what became of it.

use super::changes;
use super::once;
use crate::cabinet::{back, flash, fresh_first, gone, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Choices, DataTable, Field, FormBox, Head, Moment, pairs};
use chrono::Duration;
use crm::audit::Last;
use crm::flaw::Flaw;
use crm::id::{DeliveryId, WebhookId};
use crm::webhook::delivery::INTERRUPTED;
use crm::webhook::store::{self as webhooks, Delivery, Entry, NewWebhook};
use crm::webhook::{Because, Kind, State};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use serde_json::json;

const HERE: &str = "/admin/webhooks";
/// How many deliveries a page shows.
const PAGE: usize = 50;

/// The receiver of the address.
fn at(cx: &Cx) -> Result<WebhookId, AppError> {
    cx.param("id")
}

/// A receiver as a form sends it.
fn entered(url: String, description: String, events: &[String]) -> Result<NewWebhook, AppError> {
    let events: Option<Vec<Kind>> = events.iter().map(|word| Kind::from_word(word)).collect();
    Ok(NewWebhook {
        url,
        description,
        events: events.ok_or_else(|| AppError::field("events", Flaw::NotAChoice))?,
    })
}

/// Adds a receiver.
#[derive(Deserialize)]
pub struct AddWebhook {
    url: String,
    description: String,
    #[serde(default)]
    events: Vec<String>,
}

impl Form for AddWebhook {
    const NAME: &'static str = "webhook.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let new = entered(self.url, self.description, &self.events)?;
        let (id, secret) = webhooks::create(&cx.db, &by, &new).await?;
        once::hand_over(cx, id, &secret.text());
        Ok(Next::to(format!("{HERE}/{id}?done=added")))
    }
}

/// Changes the receiver at hand. `seen` is what it said when it was shown.
#[derive(Deserialize)]
pub struct ChangeWebhook {
    seen: String,
    url: String,
    description: String,
    #[serde(default)]
    events: Vec<String>,
}

impl Form for ChangeWebhook {
    const NAME: &'static str = "webhook.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let (id, new) = (at(cx)?, entered(self.url, self.description, &self.events)?);
        let seen = serde_json::from_str::<(String, String, Vec<String>)>(&self.seen);
        let (url, description, events) = seen.map_err(|_| AppError::Refused)?;
        let seen = entered(url, description, &events)?;
        webhooks::change(&cx.db, &by, id, &seen, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=changed")))
    }
}

/// Makes a new secret for the receiver at hand.
#[derive(Deserialize)]
pub struct ExchangeSecret {}

impl Form for ExchangeSecret {
    const NAME: &'static str = "webhook.secret";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        let secret = webhooks::exchange_secret(&cx.db, &by, id).await?;
        once::hand_over(cx, id, &secret.text());
        Ok(Next::to(format!("{HERE}/{id}?done=secret")))
    }
}

/// Pauses the receiver at hand, or tells it again.
#[derive(Deserialize)]
pub struct SwitchWebhook {
    on: bool,
}

impl Form for SwitchWebhook {
    const NAME: &'static str = "webhook.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        webhooks::switch(&cx.db, &by, id, self.on).await?;
        let done = if self.on { "on" } else { "off" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// Removes the receiver at hand.
#[derive(Deserialize)]
pub struct RemoveWebhook {}

impl Form for RemoveWebhook {
    const NAME: &'static str = "webhook.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        webhooks::remove(&cx.db, &by, at(cx)?).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// Tells the receiver at hand that it is tried out.
#[derive(Deserialize)]
pub struct TestWebhook {}

impl Form for TestWebhook {
    const NAME: &'static str = "webhook.test";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        webhooks::test(&cx.db, cx.staff()?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=test")))
    }
}

/// Tells the receiver at hand of one event once more.
#[derive(Deserialize)]
pub struct Redeliver {
    delivery: DeliveryId,
}

impl Form for Redeliver {
    const NAME: &'static str = "webhook.redeliver";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        webhooks::redeliver(&cx.db, cx.staff()?, id, self.delivery).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=again")))
    }
}

/// The same of everything that it did not take.
#[derive(Deserialize)]
pub struct RedeliverFailed {
    since: String,
}

impl Form for RedeliverFailed {
    const NAME: &'static str = "webhook.redeliver_failed";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let back = match self.since.as_str() {
            "hour" => Duration::hours(1),
            "day" => Duration::days(1),
            "week" => Duration::days(7),
            "all" => Duration::days(i64::from(cx.shop().webhooks.keep_days)),
            // The page has a button for each of them.
            _ => return Err(AppError::Refused),
        };
        let id = at(cx)?;
        webhooks::redeliver_failed(&cx.db, cx.staff()?, id, cx.db.now() - back).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=all_again")))
    }
}

/// What a kind of event is, in words.
fn words(cx: &Cx, kind: Kind) -> &'static str {
    let t = &cx.t().admin_webhooks;
    match kind {
        Kind::BalanceChanged => t.balance_changed,
        Kind::PurchaseBooked => t.purchase_booked,
        Kind::PurchaseVoided => t.purchase_voided,
        Kind::RequestOpened => t.request_opened,
        Kind::CustomerRegistered => t.customer_registered,
        Kind::TierChanged => t.tier_changed,
        Kind::Test => t.kind_test,
    }
}

/// What a receiver may want to be told of, with what it wants already.
fn kinds(cx: &Cx, wanted: &[Kind]) -> Vec<(String, String, bool)> {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let said = format!("{} ({})", words(cx, kind), kind.as_str());
            (kind.as_str().to_owned(), said, wanted.contains(&kind))
        })
        .collect()
}

/// The fields of a receiver, the same where it is added and where it is changed.
fn fields(cx: &Cx, url: String, description: String, wanted: &[Kind]) -> Html {
    let t = &cx.t().admin_webhooks;
    view! {
        <Field name="url" label=t.url hint=t.url_hint missing=t.url_missing kind="url" inputmode="url" value=url/>
        <Field name="description" label=t.description hint=t.description_hint missing=t.description_missing value=description/>
        <Choices name="events" legend=t.events options=kinds(cx, wanted)/>
    }
    .into_html()
}

fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_webhooks;
    pairs([("url", t.url), ("description", t.description), ("events", t.events)])
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_webhooks;
    let all = webhooks::list(&cx.db, cx.staff()?).await?;
    let list = if all.is_empty() {
        view! { <div class="panel empty">{icon(icons::BELL)} <p>{t.none}</p></div> }.into_html()
    } else {
        table(&cx, &all)
    };
    let add = if all.len() as i64 >= webhooks::MOST {
        view! { <p class="muted">{t.most(webhooks::MOST)}</p> }.into_html()
    } else if let Some(first) = fresh_first(&cx) {
        first
    } else {
        let inside = cx.clone();
        view! {
            <FormBox<AddWebhook> labels=labels(&cx)>
                {fields(&inside, String::new(), String::new(), &Kind::ALL)}
                <button class="btn btn-primary">{t.add}</button>
            </FormBox<AddWebhook>>
        }
        .into_html()
    };
    let view = view! {
        <h1>{t.title}</h1>
        {flash(&cx, &[("removed", t.done_removed)])}
        <p class="lead">{t.lead}</p>
        {list}
        <section class="section narrow" aria-labelledby="add">
            <h2 id="add">{t.new}</h2>
            {add}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// How it stands with a receiver, with a dot.
fn state(cx: &Cx, one: &Entry) -> impl IntoView + use<> {
    let t = &cx.t().admin_webhooks;
    let (class, words) = match (one.off, one.failing_since) {
        (Some((_, Because::Paused)), _) => ("status status-wait", t.paused),
        (Some((_, Because::Gone)), _) => ("status status-bad", t.gone),
        (Some((_, Because::Failing)), _) => ("status status-bad", t.failing),
        (None, Some(_)) => ("status status-open", t.trouble),
        (None, None) => ("status status-done", t.is_on),
    };
    view! { <span class=class>{words}</span> }
}

fn table(cx: &Cx, all: &[Entry]) -> Html {
    let t = &cx.t().admin_webhooks;
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            let taken = match one.delivered_at {
                Some(at) => view! { <Moment at=at shown=cx.ago(at)/> }.into_html(),
                None => view! { <span class="muted">{t.never}</span> }.into_html(),
            };
            let failure = one
                .failure
                .as_ref()
                .map(|(at, words)| view! { <Moment at=*at shown=cx.ago(*at)/> ": " <bdi>{error(cx, words)}</bdi> });
            view! {
                <tr>
                    <td>{state(cx, one)}</td>
                    <td><a href=format!("{HERE}/{}", one.id)><bdi>{one.description.clone()}</bdi></a></td>
                    <td><bdi>{one.url.clone()}</bdi></td>
                    <td class="num">{crate::format::integer(one.waiting)}</td>
                    <td class="num">{taken}</td>
                    <td class="grow">{failure}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.description),
        Head::Words(t.url),
        Head::Number(t.waiting),
        Head::Number(t.taken),
        Head::Words(t.failure),
    ];
    view! {
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

/// What went wrong: in our words where it is our own doing, else in the receiver's.
fn error(cx: &Cx, error: &str) -> String {
    match error {
        INTERRUPTED => cx.t().admin_webhooks.interrupted.to_owned(),
        other => other.to_owned(),
    }
}

/// Which deliveries are shown, by the word in the address.
fn shown(cx: &Cx) -> Option<State> {
    [State::Pending, State::Failed]
        .into_iter()
        .find(|state| cx.query("state") == Some(state.as_str()))
}

/// One receiver: how it stands, what it was told, its settings.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_webhooks;
    let (staff, id) = (cx.staff()?, at(&cx)?);
    let one = webhooks::get(&cx.db, staff, id).await?;
    let quicker = changes::quicker(&cx, Last::Of(id.0)).await?;
    let after = cx.query("after").and_then(place);
    // One more than is shown tells whether there is another page.
    let (mut conn, limit) = (cx.db.read().await?, PAGE as i64 + 1);
    let mut deliveries = webhooks::deliveries(&mut conn, staff, id, shown(&cx), after, limit).await?;
    drop(conn);
    let more = deliveries.len() > PAGE;
    deliveries.truncate(PAGE);
    let next = deliveries
        .last()
        .filter(|_| more)
        .map(|last| (last.created_at, last.id.0));
    let done = [
        ("added", t.done_added),
        ("changed", t.done_changed),
        ("secret", t.done_secret),
        ("on", t.done_on),
        ("off", t.done_off),
        ("test", t.done_test),
        ("again", t.done_again),
        ("all_again", t.done_all_again),
    ];
    // Where it is off there is no button to try it out, so the page itself says so.
    let late = cx
        .outcome
        .as_ref()
        .filter(|outcome| outcome.error == AppError::Stale && one.off.is_some())
        .filter(|outcome| outcome.form != ChangeWebhook::NAME)
        .map(|_| view! { <p class="notice notice-warn" role="alert">{t.stale}</p> });
    let first = fresh_first(&cx);
    let settings = first.is_none().then(|| settings(&cx, &one));
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{one.description.clone()}</bdi></h1>
        {flash(&cx, &done)}
        {gone(&cx)}
        {late}
        {quicker}
        <p>{state(&cx, &one)} " " <bdi>{one.url.clone()}</bdi></p>
        {once::panel(&cx, id, t.secret_made, t.secret_once)}
        {facts(&cx, &one)}
        {one.off.is_none().then(|| view! {
            <FormBox<TestWebhook> class="actions"><button class="btn">{t.test}</button></FormBox<TestWebhook>>
        })}
        <section class="section" aria-labelledby="deliveries">
            <h2 id="deliveries">{t.deliveries}</h2>
            {log(&cx, id, &deliveries, after.is_some(), next.map(show_place))}
        </section>
        {first}
        {settings}
    };
    Ok(Body::new(one.description, Frame::Admin, view))
}

/// What is known of a receiver.
fn facts(cx: &Cx, one: &Entry) -> Html {
    let t = &cx.t().admin_webhooks;
    let moment = |words: &'static str, at: Option<_>| {
        at.map(|at| view! { <div><dt>{words}</dt><dd><Moment at=at shown=cx.moment(at)/></dd></div> })
    };
    let wanted: Vec<_> = one
        .events
        .iter()
        .map(|kind| view! { <div>{words(cx, *kind)}</div> })
        .collect();
    let failure = one.failure.as_ref().map(|(at, words)| {
        view! {
            <div>
                <dt>{t.failure}</dt>
                <dd><Moment at=*at shown=cx.moment(*at)/> ": " <bdi>{error(cx, words)}</bdi></dd>
            </div>
        }
    });
    view! {
        <dl class="kv panel">
            <div><dt>{t.events}</dt><dd>{wanted}</dd></div>
            {moment(t.off_since, one.off.map(|(at, _)| at))}
            {moment(t.taken, one.delivered_at)}
            {moment(t.failing_since, one.failing_since)}
            {failure}
            {moment(t.both_secrets, one.old_secret_until)}
        </dl>
    }
    .into_html()
}

/// What a receiver was told and is to be told.
fn log(cx: &Cx, id: WebhookId, deliveries: &[Delivery], is_later: bool, next: Option<String>) -> Html {
    let t = &cx.t().admin_webhooks;
    let chosen = shown(cx);
    let address = |state: Option<State>, after: Option<&str>| {
        let state = state.map(|state| format!("state={}", state.as_str()));
        let query: Vec<String> = state
            .into_iter()
            .chain(after.map(|after| format!("after={after}")))
            .collect();
        if query.is_empty() {
            format!("{HERE}/{id}")
        } else {
            format!("{HERE}/{id}?{}", query.join("&"))
        }
    };
    let tabs: Vec<_> = [
        (None, t.tab_all),
        (Some(State::Pending), t.tab_pending),
        (Some(State::Failed), t.tab_failed),
    ]
    .into_iter()
    .map(|(state, words)| {
        let current = (state == chosen).then_some("page");
        view! { <a href=address(state, None) aria-current=current>{words}</a> }
    })
    .collect();
    let tabs = view! { <nav class="tabs" aria-label=t.tabs>{tabs}</nav> };
    if deliveries.is_empty() {
        let words = if chosen.is_none() && !is_later {
            t.nothing
        } else {
            t.nothing_here
        };
        return view! { {tabs} <p class="muted">{words}</p> }.into_html();
    }
    let rows: Vec<_> = deliveries.iter().map(|one| row(cx, one)).collect();
    let first = is_later.then(|| view! { <a class="btn" href=address(chosen, None)>{t.to_start}</a> });
    let next = next.map(|next| {
        view! { <a class="btn" href=address(chosen, Some(&next))>{t.next} {icon(icons::CHEVRON_RIGHT)}</a> }
    });
    let since: Vec<_> = [("hour", t.hour), ("day", t.day), ("week", t.week), ("all", t.all)]
        .map(|(word, said)| view! { <button class="btn btn-sm" name="since" value=word>{said}</button> })
        .into_iter()
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.event),
        Head::Number(t.happened),
        Head::Number(t.attempts),
        Head::Words(t.answer),
        Head::Number(t.took),
        Head::Unseen(t.again),
    ];
    view! {
        {tabs}
        <DataTable label=t.deliveries heads=heads rows=rows.into_html()/>
        <div class="pages"><span></span><div class="actions">{first} {next}</div></div>
        <FormBox<RedeliverFailed> class="form">
            <p class="hint">{t.since}</p>
            <div class="actions">{since}</div>
        </FormBox<RedeliverFailed>>
    }
    .into_html()
}

fn row(cx: &Cx, one: &Delivery) -> impl IntoView + use<> {
    let t = &cx.t().admin_webhooks;
    let (class, words) = match one.state {
        State::Pending => ("status status-open", t.pending),
        State::Delivered => ("status status-done", t.delivered),
        State::Failed => ("status status-bad", t.failed),
    };
    let next = one
        .next_at
        .filter(|at| one.attempts > 0 && *at > cx.db.now())
        .map(|at| view! { " " <small class="muted">{t.again_at(cx.moment(at))}</small> });
    let said = match (one.status, &one.error) {
        (Some(status), Some(words)) => format!("{status} {words}").trim().to_owned(),
        (Some(status), None) => status.to_string(),
        (None, Some(words)) => error(cx, words),
        (None, None) => String::new(),
    };
    let took = one.milliseconds.map(|n| t.milliseconds(crate::format::integer(n)));
    let (id, kind) = (one.id.to_string(), one.kind.clone());
    view! {
        <tr>
            <td><span class=class>{words}</span>{next}</td>
            <td><code>{one.kind.clone()}</code></td>
            <td class="num"><Moment at=one.created_at shown=cx.moment(one.created_at)/></td>
            <td class="num">{crate::format::integer(one.attempts)}</td>
            <td class="grow"><bdi>{said}</bdi></td>
            <td class="num">{took}</td>
            <td>
                <FormBox<Redeliver> id=format!("redeliver-{id}") class="row-form">
                    <input type="hidden" name="delivery" value=id/>
                    <button class="btn btn-sm">{t.again}<span class="sr-only">" " {kind}</span></button>
                </FormBox<Redeliver>>
            </td>
        </tr>
    }
}

/// What changes a receiver, for whoever proved moments ago who they are.
fn settings(cx: &Cx, one: &Entry) -> Html {
    let t = &cx.t().admin_webhooks;
    let (switch, switch_words) = if one.off.is_some() {
        ("true", t.switch_on)
    } else {
        ("false", t.switch_off)
    };
    let (inside, before) = (cx.clone(), one.clone());
    let events: Vec<_> = one.events.iter().map(|kind| kind.as_str()).collect();
    let seen = json!([one.url, one.description, events]).to_string();
    view! {
        <section class="section narrow" aria-labelledby="settings">
            <h2 id="settings">{t.settings}</h2>
            <FormBox<ChangeWebhook> labels=labels(cx) stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                {fields(&inside, before.url.clone(), before.description.clone(), &before.events)}
                <button class="btn btn-primary">{t.save}</button>
            </FormBox<ChangeWebhook>>
        </section>
        <section class="section narrow" aria-labelledby="secret">
            <h2 id="secret">{t.secret}</h2>
            <FormBox<ExchangeSecret> class="form">
                <p class="hint">{t.secret_hint}</p>
                <button class="btn">{t.exchange}</button>
            </FormBox<ExchangeSecret>>
        </section>
        <section class="section narrow" aria-labelledby="end">
            <h2 id="end">{t.end}</h2>
            <p class="hint">{t.end_hint}</p>
            <div class="actions">
                <FormBox<SwitchWebhook> class="row-form">
                    <input type="hidden" name="on" value=switch/>
                    <button class="btn">{switch_words}</button>
                </FormBox<SwitchWebhook>>
                <FormBox<RemoveWebhook> class="row-form">
                    <button class="btn btn-danger-quiet">{t.remove}</button>
                </FormBox<RemoveWebhook>>
            </div>
        </section>
    }
    .into_html()
}
