//! A receipt that was wrong and that its till does not put right: what came back of it, or that it was a mistake as a whole. The page
//! tells first what it comes to in points; what is more than somebody may move alone waits for a colleague.

use super::why::{self, Card};
use super::{labels, reason};
use crate::admin::full_name;
use crate::admin::points::APPROVALS;
use crate::cabinet::{fresh_first, more, place, show_place, unsaid};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self, icon};
use crate::ui::{DataTable, FormBox, Head};
use crm::id::{CustomerId, PurchaseId, ReceiptCorrectionId};
use crm::points::AdjustmentAllowance;
use crm::points::store::adjustments;
use crm::purchase::amend::{self, Act, Correction, Effect, State, Waiting};
use crm::purchase::void::VoidError;
use crm::purchase::{Kind, Line, Receipt, store as purchases};
use crm::staff::Right;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How many that wait a page shows.
const PAGE: usize = 50;

/// Puts the receipt right, as the page said what it comes to.
#[derive(Deserialize)]
pub struct AmendReceipt {
    act: String,
    seen: String,
    reason: String,
}

impl Form for AmendReceipt {
    const NAME: &'static str = "purchase.amend";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let receipt: (CustomerId, PurchaseId) = (cx.param("id")?, cx.param("purchase")?);
        let act = Act::from_word(&self.act).ok_or(AppError::Refused)?;
        let by = cx.staff()?.fresh(&cx.db)?;
        let state = amend::amend(&cx.db, &by, receipt, &act, &self.seen, &self.reason)
            .await
            .map_err(refused)?;
        let done = match state {
            State::Booked => "amended",
            State::Awaiting | State::Refused => "asked",
        };
        Ok(Next::to(format!(
            "/admin/customers/{}/purchases/{}?done={done}",
            receipt.0, receipt.1
        )))
    }
}

/// Consents to what a colleague asked for.
#[derive(Deserialize)]
pub struct ApproveReceipt {
    correction: ReceiptCorrectionId,
}

impl Form for ApproveReceipt {
    const NAME: &'static str = "receipt.approve";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        amend::approve(&cx.db, &by, self.correction).await.map_err(refused)?;
        Ok(Next::to(format!("{APPROVALS}?done=amended")))
    }
}

/// Does not consent to it.
#[derive(Deserialize)]
pub struct RefuseReceipt {
    correction: ReceiptCorrectionId,
}

impl Form for RefuseReceipt {
    const NAME: &'static str = "receipt.refuse";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        amend::refuse(&cx.db, cx.staff()?, self.correction).await?;
        Ok(Next::to(format!("{APPROVALS}?done=left")))
    }
}

/// Why it was not done: the page says what stands in the way.
fn refused(error: VoidError) -> AppError {
    match error {
        VoidError::Returned | VoidError::NotEnough { .. } => AppError::Stale,
        VoidError::Crm(e) => e.into(),
    }
}

/// What the address asks for: nothing, something that can be, or something that cannot.
fn asked(cx: &Cx, lines: &[Line]) -> Option<Result<Act, ()>> {
    if cx.query("act") == Some("void") {
        return Some(Ok(Act::Void));
    }
    let mut pieces = Vec::new();
    for line in lines {
        let Some(many) = cx.query(&field(line)) else { continue };
        match many.parse::<i64>() {
            Ok(0) => {}
            Ok(many) if (1..=rest(line)).contains(&many) => pieces.push((line.ordinal, many)),
            _ => return Some(Err(())),
        }
    }
    (!pieces.is_empty()).then_some(Ok(Act::Return(pieces)))
}

fn field(line: &Line) -> String {
    format!("line_{}", line.ordinal)
}

/// How many pieces of a line are left to come back.
fn rest(line: &Line) -> i64 {
    (line.quantity - line.returned).max(0)
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().amend;
    let (id, purchase): (CustomerId, PurchaseId) = (cx.param("id")?, cx.param("purchase")?);
    cx.staff()?.may(Right::Purchases)?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let staff = cx.staff()?;
    let mut conn = cx.db.read().await?;
    let receipt = purchases::receipt(&mut conn, subject, purchase).await?;
    let known = amend::of(&mut conn, subject, purchase).await?;
    let allowance = adjustments::allowance(&mut conn, staff).await?;
    drop(conn);
    let receipt_at = format!("/admin/customers/{id}/purchases/{purchase}");
    let here = format!("{receipt_at}/correct");
    let asked = asked(&cx, &receipt.lines);
    let first = fresh_first(&cx);
    let closed = match (
        receipt.head.voided_at,
        known.iter().any(|one| one.state == State::Awaiting),
    ) {
        (Some(_), _) => Some(t.is_void),
        (None, true) => Some(t.is_waiting),
        (None, false) => None,
    };
    let mut is_offered = false;
    let told = match (&asked, closed) {
        (None, _) | (_, Some(_)) => None,
        (Some(Err(())), None) => Some(say(t.wrong_pieces.to_owned())),
        (Some(Ok(act)), None) => match amend::preview(&cx.db, staff, (id, purchase), act).await {
            Ok(effect) => {
                is_offered = first.is_none();
                Some(preview(&cx, &receipt, act, &effect, &allowance, is_offered))
            }
            Err(VoidError::Returned) => Some(say(t.returned.to_owned())),
            Err(VoidError::NotEnough { missing }) => Some(say(t.not_enough(cx.points(missing)))),
            Err(VoidError::Crm(crm::Error::Stale)) => Some(say(t.cannot.to_owned())),
            Err(VoidError::Crm(e)) => return Err(e.into()),
        },
    };
    let lost = unsaid(&cx, &[AmendReceipt::NAME], "act", |_| is_offered, t.stale);
    let title = t.title(&receipt.head.document);
    let acts = match closed {
        Some(words) => say(words.to_owned()),
        None => choices(&cx, &here, &receipt),
    };
    let view = view! {
        <a class="back" href=receipt_at>{icon(icon::ARROW_LEFT)} {t.to_receipt}</a>
        <h1>{title.clone()}</h1>
        <p class="lead">{t.lead}</p>
        {lost}
        {first}
        <div class="narrow stack">
            {told}
            {acts}
        </div>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

fn say(words: String) -> Html {
    view! { <p class="panel" role="status">{words}</p> }.into_html()
}

/// What can be done with the receipt. Nothing is done before it was told what it comes to.
fn choices(cx: &Cx, here: &str, receipt: &Receipt) -> Html {
    let t = &cx.t().amend;
    let left: Vec<_> = receipt.lines.iter().filter(|line| rest(line) > 0).collect();
    let back = (receipt.head.kind == Kind::Sale && !left.is_empty()).then(|| {
        let rows: Vec<_> = left
            .into_iter()
            .map(|line| {
                let name = field(line);
                let typed = cx.query(&name).unwrap_or_default().to_owned();
                view! {
                    <div class="field">
                        <label for=name.clone()><bdi>{line.name.clone()}</bdi></label>
                        <p class="hint" id=format!("{name}-hint")>{t.left(format::integer(rest(line)))}</p>
                        <input class="input input-short" id=name.clone() name=name.clone() value=typed inputmode="numeric"
                            autocomplete="off" aria-describedby=format!("{name}-hint")/>
                    </div>
                }
            })
            .collect();
        view! {
            <section class="section" aria-labelledby="back">
                <h2 id="back">{t.back}</h2>
                <p class="hint">{t.back_hint}</p>
                <form class="form" method="get">
                    {rows}
                    <button class="btn">{t.see}</button>
                </form>
            </section>
        }
    });
    view! {
        {back}
        <section class="section" aria-labelledby="void">
            <h2 id="void">{t.void}</h2>
            <p class="hint">{t.void_hint}</p>
            <p class="actions"><a class="btn" href=format!("{here}?act=void")>{t.see}<span class="sr-only">": " {t.void}</span></a></p>
        </section>
    }
    .into_html()
}

/// What it comes to, and the form that does it.
fn preview(
    cx: &Cx,
    receipt: &Receipt,
    act: &Act,
    effect: &Effect,
    allowance: &AdjustmentAllowance,
    is_offered: bool,
) -> Html {
    let t = &cx.t().amend;
    let what = match act {
        Act::Void => view! { <p>{t.whole}</p> }.into_html(),
        Act::Return(pieces) => {
            let name = |place: i64| {
                let line = receipt.lines.iter().find(|line| line.ordinal == place);
                line.map(|line| line.name.clone()).unwrap_or_default()
            };
            let rows: Vec<_> = pieces
                .iter()
                .map(|(place, many)| view! { <li><bdi>{name(*place)}</bdi> " × " {format::integer(*many)}</li> })
                .collect();
            view! { <ul>{rows}</ul> }.into_html()
        }
    };
    let rows: Vec<_> = effect
        .0
        .iter()
        .map(|change| {
            view! {
                <tr>
                    <td>{cx.pick(&change.name)}</td>
                    <td class="num">{format::signed_points(cx.lang, change.active)}</td>
                    <td class="num">{format::signed_points(cx.lang, change.pending)}</td>
                </tr>
            }
        })
        .collect();
    let points = match rows.is_empty() {
        true => view! { <p>{t.no_points}</p> }.into_html(),
        false => {
            let heads = vec![Head::Words(t.program), Head::Number(t.active), Head::Number(t.pending)];
            view! { <DataTable label=t.points heads=heads rows=rows.into_html()/> }.into_html()
        }
    };
    let waits = (effect.moved() > allowance.now()).then(|| {
        let words = t.needs_consent(cx.points(allowance.now().max(0)), cx.points(effect.moved()));
        view! { <p class="hint">{words}</p> }
    });
    let (word, seen, of_acts) = (act.word(), effect.word(), &cx.t().acts);
    let form = is_offered.then(|| {
        view! {
            <FormBox<AmendReceipt> labels=labels(of_acts, &[]) stale=t.stale>
                <input type="hidden" name="act" value=word/>
                <input type="hidden" name="seen" value=seen/>
                {reason(of_acts)}
                <button class="btn btn-danger-quiet">{t.do_it}</button>
            </FormBox<AmendReceipt>>
        }
    });
    view! {
        <section class="panel preview" aria-labelledby="preview">
            <h2 id="preview">{t.preview}</h2>
            {what}
            {points}
            {waits}
            {form}
        </section>
    }
    .into_html()
}

/// On the page of the receipt: what staff corrected of it or asked to, and for whoever may the way to do so.
pub(in crate::admin) fn section(cx: &Cx, here: &str, is_void: bool, known: &[Correction]) -> Option<Html> {
    let t = &cx.t().amend;
    let may = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Purchases)) && !is_void;
    let rows: Vec<_> = known.iter().map(|one| row(cx, one)).collect();
    let list = (!rows.is_empty()).then(|| view! { <ul class="stack">{rows}</ul> });
    let link =
        may.then(|| view! { <p class="actions"><a class="btn" href=format!("{here}/correct")>{t.begin}</a></p> });
    (list.is_some() || link.is_some()).then(|| {
        view! {
            <section class="section narrow" aria-labelledby="amend">
                <h2 id="amend">{t.heading}</h2>
                {list}
                {link}
            </section>
        }
        .into_html()
    })
}

fn row(cx: &Cx, one: &Correction) -> Html {
    let t = &cx.t().amend;
    let (class, words) = match one.state {
        State::Awaiting => ("status status-wait", t.state_awaiting),
        State::Booked => ("status status-done", t.state_booked),
        State::Refused => ("status status-bad", t.state_refused),
    };
    let asked = cx.t().admin_points.asked(cx.moment(one.created_at), &one.colleague);
    view! {
        <li>
            <span class=class>{words}</span> " " {act_words(cx, &one.act)} " "
            <small>{asked}</small> " "
            <span dir="auto">{one.reason.clone()}</span>
        </li>
    }
    .into_html()
}

fn act_words(cx: &Cx, act: &str) -> String {
    let t = &cx.t().amend;
    match Act::from_word(act) {
        Some(Act::Return(pieces)) => t.of_pieces(format::integer(pieces.iter().map(|(_, many)| many).sum())),
        Some(Act::Void) | None => t.of_whole.to_owned(),
    }
}

/// Receipts that wait for consent, on the page of everything that does.
pub(in crate::admin) struct Waits {
    /// Whether whoever looks may decide on one of them.
    pub(in crate::admin) can_decide: bool,
    /// What came of a button that is not there any more.
    pub(in crate::admin) said: Option<Html>,
    /// The list; none where nothing waits.
    pub(in crate::admin) list: Option<Html>,
}

/// They are read, which is written down.
pub(in crate::admin) async fn waits(cx: &Cx) -> Result<Waits, AppError> {
    let (t, staff) = (&cx.t().amend, cx.staff()?);
    let after = cx.query("receipts").and_then(place);
    let (waiting, next) = amend::awaiting(&cx.db, staff, after, PAGE).await?;
    let is_fresh = fresh_first(cx).is_none();
    let can_decide = |one: &Waiting| one.asked_by != staff.id();
    let is_shown = |id: &str| {
        let shown = |one: &Waiting| can_decide(one) && one.correction.id.to_string() == id;
        is_fresh && waiting.iter().any(shown)
    };
    let said = unsaid(
        cx,
        &[ApproveReceipt::NAME, RefuseReceipt::NAME],
        "correction",
        is_shown,
        t.decided,
    );
    let rows: Vec<_> = waiting
        .iter()
        .map(|one| waiting_row(cx, one, can_decide(one), is_fresh))
        .collect();
    let next = next.map(|next| more(cx, format!("{APPROVALS}?receipts={}#receipts", show_place(next))));
    let list = (!rows.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="receipts">
                <h2 id="receipts">{t.waiting}</h2>
                <div class="panel panel-flush"><ul class="rows">{rows}</ul></div>
                {next}
            </section>
        }
        .into_html()
    });
    Ok(Waits {
        can_decide: waiting.iter().any(can_decide),
        said,
        list,
    })
}

fn waiting_row(cx: &Cx, one: &Waiting, can_decide: bool, is_fresh: bool) -> Html {
    let (t, of_points) = (&cx.t().amend, &cx.t().admin_points);
    let (id, name) = (one.correction.id.to_string(), full_name(cx, &one.name, &one.surname));
    let number = t.receipt(&one.document);
    let may_open = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Customers));
    let receipt = match may_open {
        true => {
            let href = format!("/admin/customers/{}/purchases/{}", one.customer_id, one.purchase_id);
            view! { <a href=href>{number.clone()}</a> }.into_html()
        }
        false => view! { <span>{number.clone()}</span> }.into_html(),
    };
    let acts = match (can_decide, is_fresh) {
        (false, _) => view! { <span class="muted">{of_points.own}</span> }.into_html(),
        (true, false) => ().into_html(),
        (true, true) => {
            let about = format!("{name}, {number}");
            let [yes, no] = [about.clone(), about].map(|about| view! { <span class="sr-only">": " {about}</span> });
            let (approve, refuse) = (format!("receipt-approve-{id}"), format!("receipt-refuse-{id}"));
            let (approved, refused) = (id.clone(), id);
            view! {
                <FormBox<ApproveReceipt> id=approve class="row-form" stale=t.decided>
                    <input type="hidden" name="correction" value=approved/>
                    <button class="btn btn-sm btn-primary">{of_points.approve} {yes}</button>
                </FormBox<ApproveReceipt>>
                <FormBox<RefuseReceipt> id=refuse class="row-form" stale=t.decided>
                    <input type="hidden" name="correction" value=refused/>
                    <button class="btn btn-sm">{of_points.refuse} {no}</button>
                </FormBox<RefuseReceipt>>
            }
            .into_html()
        }
    };
    let asked = of_points.asked(cx.moment(one.correction.created_at), &one.correction.colleague);
    let what = act_words(cx, &one.correction.act);
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b><bdi>{name}</bdi></b>
                <small>{asked}</small>
                <span>{receipt} ", " {what}</span>
                <span dir="auto">{one.correction.reason.clone()}</span>
            </span>
            <span class="row-end">
                <b>{cx.points(one.points)}</b>
                <small>{t.moved}</small>
            </span>
            <span class="row-acts">{acts}</span>
        </li>
    }
    .into_html()
}
