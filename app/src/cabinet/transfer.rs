//! Giving points to another customer: how many may be given, to whom, the question whether it is right, and what became of
//! it.

use super::points::unit;
use super::{back, flash, fresh_first, place, show_place, unsaid};
use crate::cx::{Cx, cookie};
use crate::format;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{Field, FormBox, Moment, Select, pairs};
use crm::card;
use crm::flaw::{Check, FieldFlaw, Flaw};
use crm::id::{ProgramId, TransferId};
use crm::points::store::{self as points, TransferError, transfers};
use crm::points::{Allowance, Balance, NewTransfer, Receiver, Transfer, TransferState, typed, written};
use crm::who::FRESH;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/points/transfer";
/// Transfers on one page.
const SHOWN: usize = 50;

/// Looks whether points may be given, before anything is.
#[derive(Deserialize)]
pub struct CheckTransfer {
    card: String,
    program: ProgramId,
    points: String,
}

impl Form for CheckTransfer {
    const NAME: &'static str = "transfer.check";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        let draft = read(cx, &self.card, self.program, &self.points)?;
        transfers::plan(&cx.db, &by, &draft).await.map_err(refused)?;
        keep(cx, &draft)?;
        Ok(Next::to("/points/transfer/confirm"))
    }
}

/// Gives the points that a page has shown.
#[derive(Deserialize)]
pub struct SendTransfer {
    card: String,
    program: ProgramId,
    points: String,
}

impl Form for SendTransfer {
    const NAME: &'static str = "transfer.send";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?.fresh(&cx.db)?;
        let new = read(cx, &self.card, self.program, &self.points)?;
        transfers::transfer(&cx.db, &by, &new).await.map_err(refused)?;
        cx.set_cookie(cookie::TRANSFER, None, None);
        Ok(Next::to(format!("{HERE}?done=sent")))
    }
}

/// Calls points back that have not arrived yet.
#[derive(Deserialize)]
pub struct CancelTransfer {
    transfer: TransferId,
}

impl Form for CancelTransfer {
    const NAME: &'static str = "transfer.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        transfers::cancel(&cx.db, cx.customer()?, self.transfer).await?;
        Ok(Next::to(format!("{HERE}?done=back")))
    }
}

/// What was typed.
fn read(cx: &Cx, card: &str, program: ProgramId, points: &str) -> Result<NewTransfer, AppError> {
    let mut check = Check::new();
    let to = match card.trim() {
        "" => Err(Flaw::Missing),
        card => Receiver::parse(card, &cx.shop().country).ok_or(Flaw::NoReceiver),
    };
    let to = check.field("card", to);
    let points = check.field("points", typed(points));
    match (to, points) {
        (Some(to), Some(points)) => Ok(NewTransfer { to, program, points }),
        _ => Err(AppError::Invalid { flaws: check.flaws() }),
    }
}

/// Why points were not given, at the field that it is about.
fn refused(error: TransferError) -> AppError {
    match error {
        TransferError::Amount => AppError::field("points", Flaw::NotPoints),
        TransferError::NotEnough { missing } => AppError::field("points", Flaw::NotEnoughPoints { missing }),
        TransferError::Limit { left } => AppError::field("points", Flaw::PointsLimit { left }),
        TransferError::Recipient => AppError::field("card", Flaw::NoReceiver),
        // The page says from when on, and has no form until then.
        TransferError::TooNew { .. } => AppError::Forbidden,
        // The bar on every page says until when.
        TransferError::Frozen { .. } => AppError::field("points", Flaw::Frozen),
        TransferError::Crm(e) => e.into(),
    }
}

/// A card or a phone as it is shown.
fn shown(cx: &Cx, to: &Receiver) -> String {
    match to {
        Receiver::Card(card) => card::show(card),
        Receiver::Phone(phone) => cx.phone(phone),
    }
}

/// The same without what only people need, so that it is read again as it is.
fn plain(to: &Receiver) -> String {
    let (Receiver::Card(number) | Receiver::Phone(number)) = to;
    number.clone()
}

/// Keeps what was typed in the browser that it was typed in, as long as the proof lasts that it took: a card's number in an
/// address would be kept in histories and logs.
fn keep(cx: &Cx, draft: &NewTransfer) -> Result<(), AppError> {
    let whose = cx.customer()?.id();
    // A phone begins with a plus, which a cookie does not carry as it is.
    let to = plain(&draft.to).replace('+', "p");
    let kept = format!("{whose}_{to}_{}_{}", draft.program, draft.points);
    cx.set_cookie(cookie::TRANSFER, Some(kept), Some(cx.db.now() + FRESH));
    Ok(())
}

/// What this customer typed a moment ago.
fn kept(cx: &Cx) -> Option<NewTransfer> {
    let kept = cx.token(cookie::TRANSFER)?.secret();
    let (whose, rest) = kept.split_once('_')?;
    let [card, program, points] = <[&str; 3]>::try_from(rest.split('_').collect::<Vec<_>>()).ok()?;
    // On a shared device another customer may be signed in by now.
    (whose == cx.customer.as_ref()?.id().to_string()).then_some(NewTransfer {
        to: Receiver::parse(&card.replace('p', "+"), &cx.shop().country)?,
        program: program.parse().ok()?,
        points: points.parse().ok().filter(|points| *points > 0)?,
    })
}

/// The page: limits, the form, and the transfers so far.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().transfer;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let balance = points::balance(&mut conn, me).await?;
    let allowance = transfers::allowance(&mut conn, me).await?;
    let before = cx.query("before").and_then(place);
    let mut list = transfers::list(&mut conn, me, before, SHOWN as i64 + 1).await?;
    drop(conn);
    let more = list.len() > SHOWN;
    list.truncate(SHOWN);
    let next = list
        .last()
        .filter(|_| more)
        .map(|last| show_place((last.created_at, last.id.0)));
    let next = next.map(|next| {
        let href = format!("{HERE}?before={next}#list");
        super::more(&cx, href)
    });
    let rows: Vec<_> = list.iter().map(|one| row(&cx, one, &balance)).collect();
    let rows = if rows.is_empty() {
        view! { <p class="muted">{t.none}</p> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let is_there = |id: &str| {
        list.iter()
            .any(|one| is_on_its_way(&cx, one) && one.id.to_string() == id)
    };
    let view = view! {
        {back("/points", cx.t().points.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("sent", t.done_sent), ("back", t.done_back)])}
        {unsaid(&cx, &[CancelTransfer::NAME], "transfer", is_there, t.too_late)}
        <div class="narrow stack">
            {limits(&cx, &allowance)}
            {ask(&cx, &balance, &allowance)}
            <section class="section" aria-labelledby="list">
                <h2 id="list">{t.list}</h2>
                {before.map(|_| view! { <p><a href=format!("{HERE}#list")>{cx.t().points.from_the_start}</a></p> })}
                {rows}
                {next}
            </section>
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Home), view))
}

/// The shop allows no transfers at all.
pub(super) fn is_off(cx: &Cx) -> bool {
    let policy = &cx.shop().points;
    policy.transfers_per_day == 0 || policy.transfers_per_month == 0
}

/// How many points may be given, by whom, and when they arrive.
fn limits(cx: &Cx, allowance: &Allowance) -> Option<Html> {
    let t = &cx.t().transfer;
    let policy = &cx.shop().points;
    if is_off(cx) {
        return None;
    }
    let left = |left, most| t.left_of(cx.points(left), cx.points(most));
    let newcomers = (policy.transfer_after_days > 0).then(|| {
        view! { <div><dt>{t.newcomers}</dt><dd>{t.newcomers_after(policy.transfer_after_days)}</dd></div> }
    });
    let wait = match policy.transfer_wait_minutes {
        0 => t.at_once.to_owned(),
        n if n % 60 == 0 => t.wait_hours(n / 60),
        n => t.wait_minutes(n),
    };
    Some(
        view! {
            <section class="section" aria-labelledby="limits">
                <h2 id="limits">{t.limits}</h2>
                <div class="panel">
                    <dl class="kv">
                        <div><dt>{t.today}</dt><dd>{left(allowance.left_today, allowance.per_day)}</dd></div>
                        <div><dt>{t.this_month}</dt><dd>{left(allowance.left_this_month, allowance.per_month)}</dd></div>
                        {newcomers}
                        <div><dt>{t.wait}</dt><dd>{wait}</dd></div>
                    </dl>
                </div>
            </section>
        }
        .into_html(),
    )
}

/// Asks to whom and how many, or says why nothing can be given now.
fn ask(cx: &Cx, balance: &Balance, allowance: &Allowance) -> Html {
    let t = &cx.t().transfer;
    let programs: Vec<_> = balance
        .programs
        .iter()
        .map(|program| (program, program.spendable()))
        .filter(|(_, there)| *there > 0)
        .map(|(program, there)| {
            let words = t.program_has(cx.points(there), cx.pick(&program.name));
            (program.program.to_string(), words)
        })
        .collect();
    let frozen = cx.customer.as_ref().and_then(|customer| customer.frozen_until());
    let why_not = match allowance {
        _ if is_off(cx) => Some(t.off.to_owned()),
        Allowance { from: Some(from), .. } => Some(t.too_new(cx.moment(*from))),
        // As long as it is so nothing that is typed would be taken.
        _ if frozen.is_some() => frozen.map(|until| t.frozen(cx.moment(until))),
        Allowance { left_this_month: 0, .. } => Some(t.none_left_this_month.to_owned()),
        Allowance { left_today: 0, .. } => Some(t.none_left_today.to_owned()),
        _ if programs.is_empty() => Some(t.no_points.to_owned()),
        _ => None,
    };
    if let Some(words) = why_not {
        return view! { <p>{words}</p> }.into_html();
    }
    if let Some(first) = fresh_first(cx) {
        return first;
    }
    let draft = kept(cx);
    let (card, program, points) = draft.map_or_else(Default::default, |draft| {
        let points = written(cx.lang, draft.points);
        (shown(cx, &draft.to), draft.program.to_string(), points)
    });
    let labels = pairs([("card", t.card), ("program", t.program), ("points", t.points)]);
    view! {
        <FormBox<CheckTransfer> labels=labels>
            <Field name="card" label=t.card hint=t.card_hint missing=t.card_missing value=card inputmode="tel"/>
            <Select name="program" label=t.program options=programs value=program/>
            <Field name="points" label=t.points hint=t.points_hint missing=t.points_missing value=points
                inputmode="decimal" enterkeyhint="go" class="input-short"/>
            <div class="actions"><button class="btn btn-primary">{t.next}</button></div>
        </FormBox<CheckTransfer>>
    }
    .into_html()
}

/// It can still be called back. What is due has arrived, whether or not the books have it yet.
fn is_on_its_way(cx: &Cx, one: &Transfer) -> bool {
    one.is_sent && one.state == TransferState::Pending && one.completes_at > cx.db.now()
}

/// What became of a transfer, as a word with a dot.
fn state(cx: &Cx, one: &Transfer) -> impl IntoView + use<> {
    let t = &cx.t().transfer;
    let (class, words) = match (one.state, one.is_sent) {
        _ if is_on_its_way(cx, one) => ("status status-wait", t.pending),
        (TransferState::Pending | TransferState::Completed, true) => ("status status-done", t.arrived),
        (TransferState::Pending | TransferState::Completed, false) => ("status status-done", t.came),
        (TransferState::Cancelled, _) => ("status", t.called_back),
        (TransferState::Reversed, true) => ("status", t.brought_back),
        (TransferState::Reversed, false) => ("status", t.taken_back),
    };
    view! { <span class=class>{words}</span> }
}

fn row(cx: &Cx, one: &Transfer, balance: &Balance) -> impl IntoView + use<> {
    let t = &cx.t().transfer;
    let who = if one.is_sent {
        t.to(&one.name)
    } else {
        t.from(&one.name)
    };
    let program = balance.programs.iter().find(|held| held.program == one.program_id);
    let program = program.map(|held| format!("{}, ", cx.pick(&held.name)));
    let counts = matches!(one.state, TransferState::Pending | TransferState::Completed);
    let (points, class) = match (counts, one.is_sent) {
        (false, _) => (one.points, "muted nowrap"),
        (true, true) => (-one.points, "minus"),
        (true, false) => (one.points, "plus"),
    };
    let shown = if counts {
        format::signed_points(cx.lang, points)
    } else {
        cx.points(points)
    };
    let arrives = is_on_its_way(cx, one).then(|| view! { <small>{t.arrives_at(cx.moment(one.completes_at))}</small> });
    let call_back = is_on_its_way(cx, one).then(|| {
        let (id, about) = (one.id.to_string(), format!("{who}, {}", cx.points(one.points)));
        view! {
            <span class="row-acts">
                <FormBox<CancelTransfer> id=format!("call-back-{id}") class="row-form" stale=t.too_late>
                    <input type="hidden" name="transfer" value=id/>
                    <button class="btn btn-sm">{t.call_back}<span class="sr-only">": " {about}</span></button>
                </FormBox<CancelTransfer>>
            </span>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b><bdi>{who.clone()}</bdi></b>
                <small>{program} <Moment at=one.created_at shown=cx.moment(one.created_at)/></small>
                {state(cx, one)}
                {arrives}
            </span>
            <span class="row-end"><b class=class>{shown}</b></span>
            {call_back}
        </li>
    }
}

/// Asks once more: who would have the points, how many, and when.
pub async fn confirm(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().transfer;
    cx.subject()?;
    let why = |flaws: &[FieldFlaw]| -> Vec<String> { flaws.iter().map(|(_, flaw)| cx.flaw(flaw)).collect() };
    if let Some(AppError::Invalid { flaws }) = cx.outcome.as_ref().map(|outcome| &outcome.error) {
        return Ok(begin(&cx, why(flaws), t.change));
    }
    let Some(draft) = kept(&cx) else {
        return Ok(begin(&cx, vec![t.nothing.to_owned()], t.begin));
    };
    // Nobody else has typed anything here.
    let customer = cx.customer()?;
    let planned = transfers::plan(&cx.db, &customer.fresh(&cx.db)?, &draft)
        .await
        .map_err(refused);
    let planned = match planned {
        Ok(planned) => planned,
        Err(AppError::Invalid { flaws }) => return Ok(begin(&cx, why(&flaws), t.change)),
        Err(error) => return Err(error),
    };
    let balance = points::balance(&mut cx.db.read().await?, customer.me()).await?;
    let program = balance.programs.iter().find(|held| held.program == draft.program);
    let program = program.map(|held| format!(", {}", cx.pick(&held.name)));
    let sum = format!("{} {}", cx.points(draft.points), unit(&cx, draft.points));
    let (arrives, after) = match cx.shop().points.transfer_wait_minutes {
        0 => (t.at_once.to_owned(), t.not_back),
        _ => (cx.moment(planned.arrives_at), t.until),
    };
    let by_phone = matches!(draft.to, Receiver::Phone(_)).then(|| view! { <p>{t.by_phone}</p> });
    let (points, button) = (written(cx.lang, draft.points), t.send(&sum));
    let view = view! {
        {back(HERE, t.title)}
        <h1>{t.confirm_title}</h1>
        <div class="narrow stack">
            <dl class="review panel">
                <div>
                    <dt>{t.receiver}</dt>
                    <dd>{planned.name.map(|name| view! { <bdi>{name}</bdi> ", " })} {shown(&cx, &draft.to)}</dd>
                </div>
                <div><dt>{t.sum}</dt><dd>{sum} {program}</dd></div>
                <div><dt>{t.arrives}</dt><dd>{arrives}</dd></div>
            </dl>
            {by_phone}
            <p>{after}</p>
            <FormBox<SendTransfer>>
                <input type="hidden" name="card" value=plain(&draft.to)/>
                <input type="hidden" name="program" value=draft.program.to_string()/>
                <input type="hidden" name="points" value=points/>
                <div class="actions">
                    <button class="btn btn-primary">{button}</button>
                    <a class="btn" href=HERE>{t.change}</a>
                </div>
            </FormBox<SendTransfer>>
        </div>
    };
    Ok(Body::new(t.confirm_title, Frame::Cabinet(Place::Home), view))
}

/// In place of the question: why there is none, and the way to the form.
fn begin(cx: &Cx, why: Vec<String>, words: &'static str) -> Body {
    let t = &cx.t().transfer;
    let why: Vec<_> = why.into_iter().map(|words| view! { <p>{words}</p> }).collect();
    let view = view! {
        {back("/points", cx.t().points.title)}
        <h1>{t.title}</h1>
        <div class="panel empty">
            {icon(icon::COINS)}
            {why}
            <a class="btn btn-primary" href=HERE>{words}</a>
        </div>
    };
    Body::new(t.title, Frame::Cabinet(Place::Home), view)
}
