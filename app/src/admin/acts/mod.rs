//! What staff do for a customer: each act by a right of its own, with a reason that stands in the log and that the customer reads.

pub mod amend;
pub mod person;
pub mod reach;
pub mod receipt;
pub mod recovery;
pub mod take_down;
pub mod view_as;
pub mod why;
pub mod write;

use super::{changes, full_name};
use crate::cabinet::support::RECEIPTS;
use crate::cabinet::{flash, fresh_first, unsaid};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::texts;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, Field, FormBox, icon, pairs};
use crm::audit::Last;
use crm::card::{self, Card as LoyaltyCard, State, store as cards};
use crm::customer::{correct, store as customers};
use crm::erasure::{self, Erasure};
use crm::export::{self, Export};
use crm::factor::store as factors;
use crm::id::{CardId, CustomerId};
use crm::interaction::Way;
use crm::purchase::{claim, store as purchases};
use crm::questionnaire::store as questionnaire;
use crm::request::store as requests;
use crm::staff::Right;
use crm::stores::store as stores;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use why::Card;

/// Blocks a card that the customer says is lost.
#[derive(Deserialize)]
pub struct StopCard {
    card: CardId,
    reason: String,
}

impl Form for StopCard {
    const NAME: &'static str = "card.stop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        cards::block_by_staff(&cx.db, cx.staff()?, id, self.card, &self.reason).await?;
        done(id, "stopped")
    }
}

/// Gives the customer another card.
#[derive(Deserialize)]
pub struct IssueCard {
    number: String,
    reason: String,
}

impl Form for IssueCard {
    const NAME: &'static str = "card.issue";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        cards::issue_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.number, &self.reason).await?;
        done(id, "issued")
    }
}

/// Adds a receipt that was made without the card.
#[derive(Deserialize)]
pub struct AttachReceipt {
    receipt: String,
    reason: String,
}

impl Form for AttachReceipt {
    const NAME: &'static str = "purchase.attach";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        claim::claim_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.receipt, &self.reason).await?;
        done(id, "attached")
    }
}

/// Has the customer's data collected for them.
#[derive(Deserialize)]
pub struct BeginExport {
    reason: String,
}

impl Form for BeginExport {
    const NAME: &'static str = "export.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        export::ask_by_staff(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason).await?;
        done(id, "exporting")
    }
}

/// Has the customer's data erased, after the while in which they may think better of it.
#[derive(Deserialize)]
pub struct BeginErasure {
    agreed: Option<String>,
    reason: String,
}

impl Form for BeginErasure {
    const NAME: &'static str = "erasure.begin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        let by = cx.staff()?.fresh(&cx.db)?;
        erasure::ask_by_staff(&cx.db, &by, id, self.agreed.is_some(), &self.reason).await?;
        done(id, "erasing")
    }
}

/// Back to the page, with a word of what was done.
fn done(id: CustomerId, what: &str) -> Result<Next, AppError> {
    Ok(Next::to(format!("/admin/customers/{id}/acts?done={what}")))
}

/// Why something is done, for whoever is concerned to read; within a form.
fn reason(t: &'static texts::Acts) -> Html {
    reason_called(t, t.reason)
}

fn reason_called(t: &'static texts::Acts, label: &'static str) -> Html {
    view! { <Field name="reason" label=label hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/> }
        .into_html()
}

/// Labels for the summary of what is wrong.
fn labels(t: &'static texts::Acts, more: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs(more.iter().copied().chain([("reason", t.reason)]))
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().acts;
    let id: CustomerId = cx.param("id")?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let staff = cx.staff()?;
    let mut conn = cx.db.read().await?;
    let profile = customers::profile(&mut conn, subject).await?;
    let held = cards::of(&mut conn, subject).await?;
    let has_second = factors::has_second_step(&mut conn, subject).await?;
    let erasure = erasure::of(&mut conn, subject).await?;
    let export = export::latest(&mut conn, subject).await?;
    let topics = requests::topics(&mut conn).await?;
    let bought = purchases::latest(&mut conn, subject, RECEIPTS).await?;
    let person = match staff.has(Right::PersonalData) {
        false => None,
        true => {
            let mut questions = questionnaire::questions(&mut conn).await?;
            questions.retain(|question| !question.is_guarded);
            Some(person::Person {
                record: correct::record(&mut conn, subject).await?,
                children: profile.children.clone(),
                questions,
                told: questionnaire::open(&mut conn, subject).await?,
                chosen: questionnaire::chosen(&mut conn, subject).await?,
                shops: stores::list(&mut conn, cx.lang).await?,
            })
        }
    };
    drop(conn);
    let name = full_name(&cx, &profile.person.name, &profile.person.surname);
    // Said once above all: most of what follows asks for it.
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let words = [
        ("stopped", t.done_stopped),
        ("issued", t.done_issued),
        ("attached", t.done_attached),
        ("detached", t.done_detached),
        ("corrected", t.done_corrected),
        ("noted", t.done_noted),
        ("child", t.done_child),
        ("entered", t.done_entered),
        ("confirmed", t.done_confirmed),
        ("dropped", t.done_dropped),
        ("exporting", t.done_exporting),
        ("erasing", t.done_erasing),
        ("view_ended", t.done_view_ended),
    ];
    let is_card = |id: &str| {
        held.iter()
            .any(|card| card.state == State::Active && card.id.to_string() == id)
    };
    let is_contact = |id: &str| {
        let open = profile.contacts.iter().filter(|contact| contact.verified_at.is_none());
        open.map(|contact| contact.id.to_string()).any(|one| one == id)
    };
    let may_go = |id: &str| {
        let may = profile.contacts.iter().filter(|contact| reach::may_go(contact));
        may.map(|contact| contact.id.to_string()).any(|one| one == id)
    };
    let is_child = |id: &str| profile.children.iter().any(|child| child.id.to_string() == id);
    let has = |right| staff.has(right);
    let person = person.map(|person| person::section(&cx, person)).transpose()?;
    let quicker = changes::quicker(&cx, Last::Customer(id)).await?;
    let view = view! {
        <a class="back" href=format!("/admin/customers/{id}")>{icon(icon::ARROW_LEFT)} <bdi>{name}</bdi></a>
        <h1>{t.title}</h1>
        {flash(&cx, &words)}
        {unsaid(&cx, &[StopCard::NAME], "card", is_card, t.card_stale)}
        {unsaid(&cx, &[reach::ConfirmContact::NAME], "contact", is_contact, t.contact_stale)}
        {unsaid(&cx, &[reach::DropContact::NAME], "contact", may_go, t.contact_gone)}
        {unsaid(&cx, &[person::DropChild::NAME], "child", is_child, t.child_gone)}
        <p class="actions"><a class="btn" href=format!("/admin/customers/{id}/recovery")>{t.recovery}</a></p>
        {quicker}
        {first}
        <div class="narrow stack">
            {has(Right::Requests).then(|| take_down::section(&cx, &topics, &bought, Way::CallIn, false))}
            {has(Right::Requests).then(|| write::section(&cx, &topics))}
            {has(Right::Cards).then(|| cards_section(&cx, &held, is_fresh))}
            {(has(Right::Purchases) && is_fresh).then(|| purchases_section(&cx))}
            {person}
            {has(Right::Contacts).then(|| reach::section(&cx, &profile.contacts, has_second, is_fresh))}
            {has(Right::PersonalData).then(|| data_section(&cx, export.as_ref(), erasure.as_ref(), is_fresh))}
            {has(Right::ViewAs).then(|| view_as::section(&cx))}
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// Whether one of several forms of a kind was sent, by what it is about.
pub(super) fn was_about(cx: &Cx, form: &str, field: &str, id: &str) -> bool {
    cx.outcome.as_ref().is_some_and(|outcome| {
        let about = outcome.values.iter().find(|(name, _)| name == field);
        outcome.form == form && about.is_some_and(|(_, value)| value == id)
    })
}

fn cards_section(cx: &Cx, held: &[LoyaltyCard], is_fresh: bool) -> Html {
    let t = &cx.t().acts;
    let taken = held.iter().filter(|card| card.state == State::Active);
    let lines: Vec<_> = taken
        .map(|card| {
            let (id, number) = (card.id.to_string(), card::show(&card.number));
            let is_open = was_about(cx, StopCard::NAME, "card", &id);
            view! {
                <li>
                    {number.clone()}
                    <details class="fold" open=is_open>
                        <summary>{t.stop} <span class="sr-only">": " {number}</span></summary>
                        <p class="hint">{t.stop_hint}</p>
                        <FormBox<StopCard> id=format!("card-stop-{id}") labels=labels(t, &[]) stale=t.card_stale>
                            <input type="hidden" name="card" value=id/>
                            {reason(t)}
                            <button class="btn btn-danger-quiet">{t.stop}</button>
                        </FormBox<StopCard>>
                    </details>
                </li>
            }
        })
        .collect();
    let issue = is_fresh.then(|| {
        view! {
            <details class="fold" open=cx.was_sent(IssueCard::NAME)>
                <summary>{t.issue}</summary>
                <FormBox<IssueCard> labels=labels(t, &[("number", t.number)]) stale=t.account_gone>
                    <Field name="number" label=t.number hint=t.number_hint optional=true inputmode="numeric"/>
                    {reason(t)}
                    <button class="btn">{t.issue}</button>
                </FormBox<IssueCard>>
            </details>
        }
    });
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_cards}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    view! {
        <section class="section" aria-labelledby="cards">
            <h2 id="cards">{t.cards}</h2>
            {list}
            {issue}
        </section>
    }
    .into_html()
}

fn purchases_section(cx: &Cx) -> Html {
    let t = &cx.t().acts;
    view! {
        <section class="section" aria-labelledby="receipts">
            <h2 id="receipts">{t.purchases}</h2>
            <p class="hint">{t.purchases_hint}</p>
            <details class="fold" open=cx.was_sent(AttachReceipt::NAME)>
                <summary>{t.attach}</summary>
                <FormBox<AttachReceipt> labels=labels(t, &[("receipt", t.code)]) stale=t.account_gone>
                    <Field name="receipt" label=t.code hint=t.code_hint missing=t.code_missing/>
                    {reason(t)}
                    <button class="btn">{t.attach}</button>
                </FormBox<AttachReceipt>>
            </details>
        </section>
    }
    .into_html()
}

fn data_section(cx: &Cx, export: Option<&Export>, erasure: Option<&Erasure>, is_fresh: bool) -> Html {
    let t = &cx.t().acts;
    let asked = export.map(|export| view! { <p>{t.export_asked(cx.moment(export.asked_at))}</p> });
    let collect = is_fresh.then(|| {
        view! {
            <details class="fold" open=cx.was_sent(BeginExport::NAME)>
                <summary>{t.export}</summary>
                <p class="hint">{t.export_hint}</p>
                <FormBox<BeginExport> labels=labels(t, &[]) stale=t.account_gone>
                    {reason(t)}
                    <button class="btn">{t.export}</button>
                </FormBox<BeginExport>>
            </details>
        }
    });
    let on_its_way = erasure.map(|erasure| view! { <p>{t.erasure_due(cx.moment(erasure.due_at))}</p> });
    let may_erase = erasure.is_none() || cx.was_sent(BeginErasure::NAME);
    let erase = (is_fresh && may_erase).then(|| {
        view! {
            <details class="fold" open=cx.was_sent(BeginErasure::NAME)>
                <summary>{t.erase}</summary>
                <p class="hint">{t.erase_hint(i64::from(cx.shop().erasure_days))}</p>
                <FormBox<BeginErasure> labels=labels(t, &[("agreed", t.erase_agreed_label)]) stale=t.erase_stale>
                    <Check name="agreed">{t.erase_agreed}</Check>
                    {reason(t)}
                    <button class="btn btn-danger-quiet">{t.erase}</button>
                </FormBox<BeginErasure>>
            </details>
        }
    });
    view! {
        <section class="section" aria-labelledby="data">
            <h2 id="data">{t.data}</h2>
            {asked}
            {collect}
            {on_its_way}
            {erase}
        </section>
    }
    .into_html()
}
