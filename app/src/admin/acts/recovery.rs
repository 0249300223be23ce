//! The way back for a customer who lost the phone: the steps in their order, each with what stands in its way or is done.

use super::reason_called;
use super::why::{self, Card};
use crate::admin::customer::{EndSessions, GrantRemoval, StopNumberChange};
use crate::admin::full_name;
use crate::cabinet::fresh_first;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, icon, pairs};
use crm::contact::Kind;
use crm::contact::change as numbers;
use crm::customer::store as customers;
use crm::factor::removal;
use crm::factor::store as factors;
use crm::id::CustomerId;
use crm::staff::store as staff_store;
use islands::AppError;
use leptos::prelude::*;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().acts;
    let id: CustomerId = cx.param("id")?;
    let subject = match why::open(&cx, id).await? {
        Card::Open(subject) => subject,
        Card::Ask(body) => return Ok(body),
    };
    let mut conn = cx.db.read().await?;
    let profile = customers::profile(&mut conn, subject).await?;
    let sessions = staff_store::open_sessions(&mut conn, subject).await?;
    let removal = removal::of(&mut conn, subject).await?;
    let change = numbers::of(&mut conn, subject).await?;
    let has_second = factors::has_second_step(&mut conn, subject).await?;
    drop(conn);
    let acts = format!("/admin/customers/{id}/acts");
    let name = full_name(&cx, &profile.person.name, &profile.person.surname);
    let has_email = profile
        .contacts
        .iter()
        .any(|contact| contact.kind == Kind::Email && contact.verified_at.is_some());
    let of_customer = &cx.t().admin_customer;
    // What may be in somebody else's hands is closed first.
    let close = match sessions > 0 || cx.was_sent(EndSessions::NAME) {
        true => {
            let labels = pairs([("reason", of_customer.reason)]);
            view! {
                <FormBox<EndSessions> labels=labels stale=of_customer.stale_sessions>
                    {reason_called(t, of_customer.reason)}
                    <button class="btn btn-danger-quiet">{of_customer.end_sessions}</button>
                </FormBox<EndSessions>>
            }
            .into_html()
        }
        false => view! { <p class="muted">{of_customer.no_sessions}</p> }.into_html(),
    };
    let stop = (change.is_some() || cx.was_sent(StopNumberChange::NAME)).then(|| {
        let due = change
            .as_ref()
            .map(|change| view! { <p>{of_customer.number_due(cx.moment(change.due_at), cx.phone(&change.phone))}</p> });
        let labels = pairs([("reason", of_customer.reason)]);
        let form = fresh_first(&cx).unwrap_or_else(|| {
            view! {
                <FormBox<StopNumberChange> labels=labels stale=of_customer.number_stale>
                    {reason_called(t, of_customer.reason)}
                    <button class="btn btn-danger-quiet">{of_customer.number_stop}</button>
                </FormBox<StopNumberChange>>
            }
            .into_html()
        });
        view! { {due} {form} }.into_html()
    });
    let way_in = if has_email { t.recover_email } else { t.recover_no_email };
    let second = match (&removal, has_second) {
        (Some(removal), _) => match removal.due_at {
            Some(at) => view! { <p>{of_customer.removal_due(cx.moment(at))}</p> }.into_html(),
            None => {
                let asked = of_customer.removal_asked(cx.moment(removal.asked_at));
                let labels = pairs([("reason", of_customer.removal_how)]);
                let form = fresh_first(&cx).unwrap_or_else(|| {
                    view! {
                        <FormBox<GrantRemoval> labels=labels stale=of_customer.removal_stale>
                            {reason_called(t, of_customer.removal_how)}
                            <button class="btn btn-danger-quiet">{of_customer.removal_grant}</button>
                        </FormBox<GrantRemoval>>
                    }
                    .into_html()
                });
                view! { <p>{asked}</p> {form} }.into_html()
            }
        },
        (None, true) => view! { <p>{t.recover_ask_removal}</p> }.into_html(),
        (None, false) => view! { <p class="muted">{t.recover_no_second}</p> }.into_html(),
    };
    let view = view! {
        <a class="back" href=acts.clone()>{icon(icon::ARROW_LEFT)} <bdi>{name}</bdi></a>
        <h1>{t.recovery}</h1>
        <p class="hint">{t.recovery_hint}</p>
        <ol class="narrow stack">
            {step(t.recover_close, view! { {close} {stop} }.into_html())}
            {step(t.recover_card, view! { <p><a href=format!("{acts}#cards")>{t.recover_card_there}</a></p> }.into_html())}
            {step(
                t.recover_way_in,
                view! { <p>{way_in}</p> <p><a href=format!("{acts}#contacts")>{t.recover_contact_there}</a></p> }.into_html(),
            )}
            {step(t.recover_second, second)}
            {step(t.recover_number, view! { <p>{t.recover_number_text}</p> }.into_html())}
        </ol>
    };
    Ok(Body::new(t.recovery, Frame::Admin, view))
}

fn step(title: &'static str, inside: Html) -> Html {
    view! { <li><h2>{title}</h2> {inside}</li> }.into_html()
}
