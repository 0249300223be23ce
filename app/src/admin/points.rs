//! What staff do with points: corrections of a customer's, colleagues' corrections that wait for consent, and transfers that
//! are brought back.

use super::acts::amend;
use super::{full_name, pages};
use crate::cabinet::{flash, fresh_first, place, show_place, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{Field, FormBox, Moment, Select, pairs};
use crm::flaw::{Check, Flaw};
use crm::id::{AdjustmentId, CustomerId, ProgramId, TransferId};
use crm::points::store::{SpendError, adjustments, transfers};
use crm::points::{
    AdjustmentAllowance, AdjustmentState, Balance, NewAdjustment, Transfer, TransferState, Waiting, typed,
};
use crm::program::Program;
use crm::staff::Right;
use crm::who::Reason;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Where corrections wait for consent.
pub(super) const APPROVALS: &str = "/admin/approvals";
/// How many of them a page shows.
const PAGE: usize = 50;

/// Gives points to the customer at hand, or takes them.
#[derive(Deserialize)]
pub struct Adjust {
    program: ProgramId,
    direction: String,
    points: String,
    reason: String,
    note: String,
    request: Option<String>,
}

impl Form for Adjust {
    const NAME: &'static str = "points.adjust";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        if !by.has(Right::Goodwill) {
            by.may(Right::Points)?;
        }
        let mut check = Check::new();
        let sign = check.field(
            "direction",
            match self.direction.as_str() {
                "give" => Ok(1),
                "take" => Ok(-1),
                _ => Err(Flaw::NotAChoice),
            },
        );
        let points = check.field("points", typed(&self.points));
        let said = |words: String| match words.trim() {
            "" => Err(Flaw::Missing),
            _ => Ok(words),
        };
        let reason = check.field("reason", said(self.reason));
        let note = check.field("note", said(self.note));
        let request = match self.request.as_deref().unwrap_or_default().trim() {
            "" => Ok(None),
            number => number.parse().map(Some).map_err(|_| Flaw::NoSuchNumber),
        };
        let request: Option<Option<i64>> = check.field("request", request);
        let (Some(sign), Some(points), Some(reason), Some(note), Some(request)) = (sign, points, reason, note, request)
        else {
            return Err(AppError::Invalid { flaws: check.flaws() });
        };
        let id: CustomerId = cx.param("id")?;
        let subject = by.open(&cx.db, id, Reason::Card).await?;
        let new = NewAdjustment {
            program: self.program,
            points: sign * points,
            reason,
            note,
            request,
        };
        let booked = adjustments::adjust(&cx.db, &by, subject, &new).await.map_err(refused)?;
        let done = match booked.state {
            AdjustmentState::Awaiting => "asked",
            AdjustmentState::Booked | AdjustmentState::Refused => "adjusted",
        };
        Ok(Next::to(format!("/admin/customers/{id}?done={done}")))
    }
}

/// Brings a transfer of the customer at hand back.
#[derive(Deserialize)]
pub struct Reverse {
    transfer: TransferId,
    reason: String,
}

impl Form for Reverse {
    const NAME: &'static str = "transfer.reverse";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id: CustomerId = cx.param("id")?;
        transfers::reverse(&cx.db, &by, self.transfer, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=reversed")))
    }
}

/// Consents to a correction that a colleague asked for.
#[derive(Deserialize)]
pub struct Approve {
    adjustment: AdjustmentId,
}

impl Form for Approve {
    const NAME: &'static str = "points.approve";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        adjustments::approve(&cx.db, &by, self.adjustment)
            .await
            .map_err(refused)?;
        Ok(Next::to(format!("{APPROVALS}?done=approved")))
    }
}

/// Does not consent to it.
#[derive(Deserialize)]
pub struct Refuse {
    adjustment: AdjustmentId,
}

impl Form for Refuse {
    const NAME: &'static str = "points.refuse";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        adjustments::refuse(&cx.db, cx.staff()?, self.adjustment)
            .await
            .map_err(refused)?;
        Ok(Next::to(format!("{APPROVALS}?done=refused")))
    }
}

/// Why points were not corrected, at the field that it is about.
fn refused(error: SpendError) -> AppError {
    match error {
        SpendError::Amount => AppError::field("points", Flaw::NotPoints),
        SpendError::NotEnough { missing } => AppError::field("points", Flaw::NotEnoughPoints { missing }),
        SpendError::TooMuch { .. }
        | SpendError::Frozen { .. }
        | SpendError::Reused
        | SpendError::MadeAfter
        | SpendError::Ended(_) => AppError::Stale,
        SpendError::Crm(e) => e.into(),
    }
}

/// What waits for consent.
pub async fn approvals(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_points;
    let staff = cx.staff()?;
    let after = cx.query("after").and_then(place);
    let (waiting, next) = adjustments::awaiting(&cx.db, staff, after, PAGE).await?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let can_decide = |one: &Waiting| one.adjustment.asked_by != staff.id();
    let receipts = amend::waits(&cx).await?;
    let first = first.filter(|_| receipts.can_decide || waiting.iter().any(can_decide));
    let rows: Vec<_> = waiting
        .iter()
        .map(|one| row(&cx, one, can_decide(one), is_fresh))
        .collect();
    let list = if rows.is_empty() && receipts.list.is_some() {
        ().into_html()
    } else if rows.is_empty() {
        let words = if after.is_some() { t.none_here } else { t.none };
        view! { <div class="panel empty">{icon(icon::CHECK)} <p>{words}</p></div> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let to_start = after.map(|_| (APPROVALS.to_owned(), t.to_start));
    let next = next.map(|next| (format!("{APPROVALS}?after={}", show_place(next)), t.next));
    let pages = (to_start.is_some() || next.is_some()).then(|| pages(None, to_start, next));
    let is_shown = |id: &str| {
        let shown = |one: &Waiting| can_decide(one) && one.adjustment.id.to_string() == id;
        is_fresh && waiting.iter().any(shown)
    };
    let done = [
        ("approved", t.done_approved),
        ("refused", t.done_refused),
        ("amended", cx.t().amend.done_amended),
        ("left", cx.t().amend.done_left),
    ];
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        {flash(&cx, &done)}
        {receipts.said}
        {unsaid(&cx, &[Approve::NAME, Refuse::NAME], "adjustment", is_shown, t.decided)}
        {first}
        {list}
        {pages}
        {receipts.list}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn row(cx: &Cx, one: &Waiting, can_decide: bool, is_fresh: bool) -> impl IntoView + use<> {
    let t = &cx.t().admin_points;
    let asked = &one.adjustment;
    let (id, name) = (asked.id.to_string(), full_name(cx, &one.name, &one.surname));
    let points = format::signed_points(cx.lang, asked.points);
    let may_open = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
    let who = if may_open {
        view! { <a href=format!("/admin/customers/{}", asked.customer_id)><bdi>{name.clone()}</bdi></a> }.into_html()
    } else {
        view! { <bdi>{name.clone()}</bdi> }.into_html()
    };
    let acts = match (can_decide, is_fresh) {
        (false, _) => view! { <span class="muted">{t.own}</span> }.into_html(),
        (true, false) => ().into_html(),
        (true, true) => {
            let about = format!("{name}, {points}");
            let [yes, no] = [about.clone(), about].map(|about| view! { <span class="sr-only">": " {about}</span> });
            let (approve, refuse) = (format!("approve-{id}"), format!("refuse-{id}"));
            let (approved, refused) = (id.clone(), id);
            view! {
                <FormBox<Approve> id=approve class="row-form" stale=t.decided>
                    <input type="hidden" name="adjustment" value=approved/>
                    <button class="btn btn-sm btn-primary">{t.approve} {yes}</button>
                </FormBox<Approve>>
                <FormBox<Refuse> id=refuse class="row-form" stale=t.decided>
                    <input type="hidden" name="adjustment" value=refused/>
                    <button class="btn btn-sm">{t.refuse} {no}</button>
                </FormBox<Refuse>>
            }
            .into_html()
        }
    };
    let class = if asked.points < 0 { "minus" } else { "plus" };
    let asked_by = t.asked(cx.moment(asked.created_at), &one.colleague);
    let may_read = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Requests));
    let request = asked.request.map(|number| {
        let words = t.for_request(number);
        match may_read {
            true => view! { <a href=format!("/admin/requests/{number}")>{words}</a> }.into_html(),
            false => view! { <small>{words}</small> }.into_html(),
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b>{who}</b>
                <small>{asked_by}</small>
                <span dir="auto">{asked.reason.clone()}</span>
                <small dir="auto">{t.to_customer(&asked.note)}</small>
                {request}
            </span>
            <span class="row-end" id=format!("approve-{}-points", asked.id)>
                <b class=class>{points}</b>
                <small>{cx.pick(&one.program)}</small>
            </span>
            <span class="row-acts">{acts}</span>
        </li>
    }
}

/// On a customer's page: the form that gives and takes points, for whoever has the right.
pub(super) fn adjust(
    cx: &Cx,
    programs: &[Program],
    balance: &Balance,
    allowance: &AdjustmentAllowance,
) -> Option<Html> {
    let t = &cx.t().admin_points;
    let has = |right| cx.staff.as_ref().is_some_and(|staff| staff.has(right));
    if !has(Right::Points) && !has(Right::Goodwill) {
        return unsaid(cx, &[Adjust::NAME], "program", |_| false, cx.t().form.stale);
    }
    let was_sent = cx.was_sent(Adjust::NAME);
    // Those of today, and one that was closed as long as it holds something.
    let listed = programs.iter().map(|program| (program.id, cx.pick(&program.name)));
    let rest = balance
        .programs
        .iter()
        .filter(|held| programs.iter().all(|program| program.id != held.program))
        .map(|held| (held.program, cx.pick(&held.name)));
    let options: Vec<_> = listed.chain(rest).map(|(id, name)| (id.to_string(), name)).collect();
    let directions = match has(Right::Points) {
        true => pairs([("give", t.give), ("take", t.take)]),
        false => pairs([("give", t.give)]),
    };
    let cap = match allowance.at_once {
        0 => t.no_cap.to_owned(),
        cap => t.cap(cx.points(cap)),
    };
    let left = (allowance.at_once > 0).then(|| {
        let words = t.cap_left(cx.points(allowance.left_this_month), cx.points(allowance.left_today));
        view! { <p class="hint">{words}</p> }
    });
    let labels = pairs([
        ("program", t.program),
        ("direction", t.direction),
        ("points", t.points),
        ("reason", t.reason),
        ("note", t.note),
        ("request", t.request),
    ]);
    // Who comes from a request corrects points because of it.
    let request: Option<i64> = cx.query("request").and_then(|number| number.parse().ok());
    let request = request.map(|number| number.to_string()).unwrap_or_default();
    let inside = match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<Adjust> labels=labels>
                <Select name="direction" label=t.direction options=directions value="give"/>
                <Field name="points" label=t.points hint=t.points_hint missing=t.points_missing inputmode="decimal" class="input-short"/>
                <Select name="program" label=t.program options=options value=""/>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing/>
                <Field name="note" label=t.note hint=t.note_hint missing=t.note_missing/>
                <Field name="request" label=t.request hint=t.request_hint value=request optional=true inputmode="numeric" class="input-short" enterkeyhint="done"/>
                <button class="btn btn-primary">{t.do_it}</button>
            </FormBox<Adjust>>
        }
        .into_html(),
    };
    let view = view! {
        <details class="fold" open=was_sent>
            <summary>{t.adjust}</summary>
            <p class="hint">{cap}</p>
            {left}
            {inside}
        </details>
    };
    Some(view.into_html())
}

/// On a customer's page: points that went to others and came from others, and how to bring them back. `next` is where the next
/// of them begin.
pub(super) fn moved(cx: &Cx, here: &str, list: &[Transfer], next: Option<String>) -> Option<Html> {
    let t = &cx.t().admin_points;
    let may = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Points));
    let can_come_back = |one: &Transfer| may && matches!(one.state, TransferState::Pending | TransferState::Completed);
    let first = fresh_first(cx).filter(|_| list.iter().any(can_come_back));
    let is_fresh = first.is_none();
    let rows: Vec<_> = list
        .iter()
        .map(|one| {
            let who = if one.is_sent {
                t.to(&one.name)
            } else {
                t.from(&one.name)
            };
            let (class, words) = match one.state {
                TransferState::Pending if one.completes_at > cx.db.now() => ("status status-wait", t.on_its_way),
                TransferState::Pending | TransferState::Completed => ("status status-done", t.arrived),
                TransferState::Cancelled => ("status", t.called_back),
                TransferState::Reversed => ("status status-bad", t.brought_back),
            };
            let back = (can_come_back(one) && is_fresh).then(|| bring_back(cx, one));
            view! {
                <li>
                    <div class="facts">
                        <Moment at=one.created_at shown=cx.moment(one.created_at)/>
                        <bdi>{who}</bdi>
                        <b>{cx.points(one.points)}</b>
                        <span class=class>{words}</span>
                    </div>
                    {back}
                </li>
            }
        })
        .collect();
    let is_shown = |id: &str| is_fresh && list.iter().any(|one| can_come_back(one) && one.id.to_string() == id);
    let said = unsaid(cx, &[Reverse::NAME], "transfer", is_shown, t.is_back);
    let next = next.map(|next| {
        let href = format!("{here}?transfers={next}#transfers");
        crate::cabinet::more(cx, href)
    });
    (!rows.is_empty() || said.is_some()).then(|| {
        view! {
            <section class="section" aria-labelledby="transfers">
                <h2 id="transfers">{t.transfers}</h2>
                {said}
                {first}
                <ul class="stack">{rows}</ul>
                {next}
            </section>
        }
        .into_html()
    })
}

fn bring_back(cx: &Cx, one: &Transfer) -> Html {
    let t = &cx.t().admin_points;
    let id = one.id.to_string();
    let was_sent = cx.outcome.as_ref().is_some_and(|outcome| {
        let is_this = |(name, value): &(String, String)| name == "transfer" && *value == id;
        outcome.form == Reverse::NAME && outcome.values.iter().any(is_this)
    });
    let labels = pairs([("reason", t.reason)]);
    view! {
        <details class="fold" open=was_sent>
            <summary>{t.bring_back}</summary>
            <p class="hint">{t.bring_back_hint}</p>
            <FormBox<Reverse> id=format!("reverse-{id}") labels=labels stale=t.is_back>
                <input type="hidden" name="transfer" value=id.clone()/>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{t.bring_back}</button>
            </FormBox<Reverse>>
        </details>
    }
    .into_html()
}
