//! A receipt as staff see it: with article codes, where it was booked from, and how its points came about.

use super::acts::amend as amending;
use super::acts::receipt as correcting;
use super::acts::why::{self, Card};
use super::changes;
use super::{full_name, store_name};
use crate::cabinet::flash;
use crate::cabinet::receipt::{paid_by, purpose_options};
use crate::cabinet::why::answers;
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FormBox, Head, Moment, Select, icon, pairs};
use crm::audit::Last;
use crm::customer::store as customers;
use crm::id::{CustomerId, PurchaseId};
use crm::lang::Localized;
use crm::points::{Earned, LotState, Source};
use crm::purchase::{Kind, Line, Receipt, Reference, amend, purpose as purposes, store as purchases};
use crm::quote::why::{self as rules, Why};
use crm::stores::store as stores;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Writes down what the purchase at hand was for, as the customer told it. `seen` is what stood there.
#[derive(Deserialize)]
pub struct NotePurpose {
    seen: String,
    purpose: String,
}

impl Form for NotePurpose {
    const NAME: &'static str = "purchase.note_purpose";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, purchase) = (cx.param("id")?, cx.param("purchase")?);
        purposes::note(&cx.db, cx.staff()?, (id, purchase), &self.seen, &self.purpose).await?;
        Ok(Next::to(format!("{}?done=purpose", cx.path)))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_receipt;
    let id: CustomerId = cx.param("id")?;
    let purchase: PurchaseId = cx.param("purchase")?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let mut conn = cx.db.read().await?;
    let person = customers::person(&mut conn, subject).await?;
    let receipt = purchases::receipt(&mut conn, subject, purchase).await?;
    let known = purposes::all(&mut conn).await?;
    let asked = match receipt.head.kind {
        Kind::Sale => Some(rules::why(&mut conn, subject, purchase).await?),
        Kind::Return => None,
    };
    let shops = stores::list(&mut conn, cx.lang).await?;
    let amended = amend::of(&mut conn, subject, purchase).await?;
    drop(conn);
    let quicker = changes::quicker(&cx, Last::Of(purchase.0)).await?;
    let here = format!("/admin/customers/{id}");
    let head = &receipt.head;
    let title = match head.kind {
        Kind::Sale => t.sale(&head.document),
        Kind::Return => t.returned(&head.document),
    };
    let store = head
        .store
        .as_ref()
        .map_or_else(|| t.no_store.to_owned(), |store| store_name(&cx, store));
    let done = [
        ("purpose", cx.t().purpose.staff_done),
        ("store", cx.t().acts.done_store),
        ("amended", cx.t().amend.done_amended),
        ("asked", cx.t().amend.done_asked),
    ];
    let (at, of) = (format!("{here}/purchases/{purchase}"), head.store.as_ref());
    let view = view! {
        <a class="back" href=here.clone()>{icon(icon::ARROW_LEFT)} <bdi>{full_name(&cx, &person.name, &person.surname)}</bdi></a>
        <h1>{title.clone()}</h1>
        {flash(&cx, &done)}
        {quicker}
        <dl class="tiles-num">
            <div><dt>{t.total}</dt><dd>{cx.money(head.total)}</dd></div>
            <div><dt>{t.points}</dt><dd class="points">{format::signed_points(cx.lang, head.points)}</dd></div>
        </dl>
        <p class="facts">
            <Moment at=head.at shown=cx.moment_in(of, head.at) local=cx.local_in(of, head.at)/>
            <span>{store}</span>
            <span>{t.source} " " <code>{head.source.clone()}</code></span>
        </p>
        {paid_by(&cx, &receipt)}
        {lines(&cx, &here, &receipt)}
        {asked.map(|asked| explained(&cx, asked))}
        {(head.kind == Kind::Sale).then(|| purpose(&cx, &receipt, &known))}
        {correcting::section(&cx, head, &shops)}
        {amending::section(&cx, &at, head.voided_at.is_some(), &amended)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// What became of every program and rule that counted then, as the customer reads it.
fn explained(cx: &Cx, asked: Why) -> Html {
    view! {
        <details class="fold">
            <summary>{cx.t().why.title}</summary>
            {answers(cx, asked)}
        </details>
    }
    .into_html()
}

fn purpose(cx: &Cx, receipt: &Receipt, known: &[(String, Localized)]) -> Html {
    let t = &cx.t().purpose;
    let labels = pairs([("purpose", t.label)]);
    let options = purpose_options(cx, known);
    let told = receipt.purpose.clone().unwrap_or_default();
    view! {
        <section class="section narrow" aria-labelledby="about">
            <h2 id="about">{t.about}</h2>
            <FormBox<NotePurpose> labels=labels>
                <input type="hidden" name="seen" value=told.clone()/>
                <Select name="purpose" label=t.label hint=t.staff_hint options=options value=told optional=true/>
                <button class="btn">{t.save}</button>
            </FormBox<NotePurpose>>
        </section>
    }
    .into_html()
}

fn lines(cx: &Cx, here: &str, receipt: &Receipt) -> Html {
    let t = &cx.t().admin_receipt;
    let rows: Vec<_> = receipt
        .lines
        .iter()
        .map(|line| {
            let points: Vec<_> = line.earned.iter().map(|earned| points(cx, earned)).collect();
            let discount = (line.discount != 0).then(|| cx.money(-line.discount));
            let by: Vec<_> = line
                .discounts
                .iter()
                .filter_map(|part| match part.by {
                    Source::Rule(by) => Some((part, by)),
                    Source::Program(_) => None,
                })
                .map(|(part, by)| {
                    let words = t.by_rule(cx.pick(&part.name), by.version);
                    view! { <br/> <small class="muted">{words} " " {cx.money(-part.amount)}</small> }
                })
                .collect();
            let paid: Vec<_> = line
                .paid
                .iter()
                .map(|paid| {
                    let back = (paid.given_back > 0)
                        .then(|| view! { " " <small>{t.given_back(cx.points(paid.given_back))}</small> });
                    let name = cx.pick(&paid.name);
                    view! { <div>{cx.points(paid.points)} {back} " " <small class="muted">{name}</small></div> }
                })
                .collect();
            view! {
                <tr>
                    <td class="num">{line.ordinal}</td>
                    <td><code>{line.code.clone()}</code></td>
                    <td class="grow-wrap"><bdi>{line.name.clone()}</bdi> " " {returns(cx, here, line)}</td>
                    <td class="num">{format::integer(line.quantity)}</td>
                    <td class="num">{cx.money(line.price)}</td>
                    <td class="num">{discount} {by}</td>
                    <td class="num">{cx.money(line.amount)}</td>
                    <td class="num">{paid}</td>
                    <td class="num">{points}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Number("№"),
        Head::Words(t.code),
        Head::Words(t.article),
        Head::Number(t.quantity),
        Head::Number(t.price),
        Head::Number(t.discount),
        Head::Number(t.amount),
        Head::Number(t.paid),
        Head::Number(t.points),
    ];
    view! {
        <DataTable label=t.lines heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

/// What came back of a line, and what a returned line had been.
fn returns(cx: &Cx, here: &str, line: &Line) -> Vec<Html> {
    let t = &cx.t().admin_receipt;
    let link = |reference: &Reference, words: String| {
        let href = format!("{here}/purchases/{}", reference.purchase);
        view! { <small><a href=href>{words}</a></small> " " }.into_html()
    };
    let back = line
        .returns
        .iter()
        .map(|r| link(r, t.came_back(cx.day(r.at), format::integer(r.quantity))));
    let original = line
        .original
        .iter()
        .map(|r| link(r, t.original(cx.day(r.at), &r.document)));
    back.chain(original).collect()
}

/// What a line earned in one program, and by which rule.
fn points(cx: &Cx, earned: &Earned) -> impl IntoView + use<> {
    let t = &cx.t().admin_receipt;
    let state = match earned.state {
        LotState::Pending => t.pending(cx.day(earned.activates_at)),
        LotState::Active => t.active(cx.day(earned.expires_at)),
        LotState::Expired => t.expired(cx.day(earned.expires_at)),
    };
    let by_rules = earned.parts.iter().any(|part| matches!(part.by, Source::Rule(_)));
    let by: Vec<String> = earned
        .parts
        .iter()
        .map(|part| {
            let words = match part.by {
                Source::Program(version) => t.rule(
                    cx.pick(&part.name),
                    crm::content::percent(cx.lang, earned.share),
                    version,
                ),
                Source::Rule(by) => t.by_rule(cx.pick(&part.name), by.version),
            };
            let words = match &part.partner {
                Some(partner) => cx.t().receipt.by_partner(words, partner),
                None => words,
            };
            match by_rules {
                true => format!("{words} {}", format::signed_points(cx.lang, part.amount)),
                false => words,
            }
        })
        .collect();
    let taken = (earned.taken_back > 0).then(|| view! { <small>{t.taken_back(cx.points(earned.taken_back))}</small> });
    view! {
        <div>
            <b class="points">{format::signed_points(cx.lang, earned.points)}</b>
            " " {taken} " "
            <small class="muted">{by.join(", ")} ", " {state}</small>
        </div>
    }
}
