//! What staff do for a customer on the card: each by its form, with a reason.

use super::side;
use crate::cabinet::fresh_first;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, pairs};
use chrono::{DateTime, Utc};
use crm::contact::change::{self as numbers, NumberChange};
use crm::customer::{BIRTHDAY_CHANGES, Profile, store as customers};
use crm::factor::removal::{self, Removal};
use crm::id::CustomerId;
use crm::staff::store as staff_store;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Ends every session of the customer.
#[derive(Deserialize)]
pub struct EndSessions {
    reason: String,
}

impl Form for EndSessions {
    const NAME: &'static str = "customer.end_sessions";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        staff_store::end_customer_sessions(&cx.db, cx.staff()?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=ended")))
    }
}

/// Grants the customer the removal of a second factor that is lost.
#[derive(Deserialize)]
pub struct GrantRemoval {
    reason: String,
}

impl Form for GrantRemoval {
    const NAME: &'static str = "removal.grant";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        removal::grant(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=granted")))
    }
}

/// Calls a change of the customer's main number off.
#[derive(Deserialize)]
pub struct StopNumberChange {
    reason: String,
}

impl Form for StopNumberChange {
    const NAME: &'static str = "number.stop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        numbers::stop(&cx.db, &cx.staff()?.fresh(&cx.db)?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=stopped")))
    }
}

/// Lets the customer change their birthday once more.
#[derive(Deserialize)]
pub struct AllowBirthday {
    reason: String,
}

impl Form for AllowBirthday {
    const NAME: &'static str = "birthday.allow";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        customers::allow_birthday(&cx.db, cx.staff()?, id, &self.reason).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=allowed")))
    }
}

/// A birthday that the customer may not change any more, and how to let them once.
pub(super) fn birthday(cx: &Cx, profile: &Profile) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx.was_sent(AllowBirthday::NAME);
    if profile.person.birthday_changes < BIRTHDAY_CHANGES && !was_sent {
        return None;
    }
    let labels = pairs([("reason", t.reason)]);
    let inside = view! {
        <p>{t.birthday_used}</p>
        <details class="fold" open=was_sent>
            <summary>{t.birthday_allow}</summary>
            <FormBox<AllowBirthday> labels=labels stale=t.birthday_stale>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn">{t.birthday_allow}</button>
            </FormBox<AllowBirthday>>
        </details>
    };
    Some(side(t.birthday, inside))
}

/// Where the customer is signed in, and how to end that when it is not them.
pub(super) fn signed_in(cx: &Cx, sessions: i64) -> Html {
    let t = &cx.t().admin_customer;
    let was_sent = cx.was_sent(EndSessions::NAME);
    let labels = pairs([("reason", t.reason)]);
    let end = (sessions > 0 || was_sent).then(|| {
        view! {
            <details class="fold" open=was_sent>
                <summary>{t.end_sessions}</summary>
                <p class="hint">{t.end_sessions_hint}</p>
                <FormBox<EndSessions> labels=labels stale=t.stale_sessions>
                    <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                    <button class="btn btn-danger-quiet">{t.end_sessions}</button>
                </FormBox<EndSessions>>
            </details>
        }
    });
    let open = if sessions > 0 {
        t.sessions(sessions)
    } else {
        t.no_sessions.to_owned()
    };
    side(t.open_now, view! { <p>{open}</p> {end} })
}

/// A second factor that the customer has lost, and what support does about it.
pub(super) fn second_step(cx: &Cx, removal: Option<&Removal>) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx.was_sent(GrantRemoval::NAME);
    if let Some(at) = removal.and_then(|removal| removal.due_at) {
        return Some(side(t.removal, view! { <p>{t.removal_due(cx.moment(at))}</p> }));
    }
    if removal.is_none() && !was_sent {
        return None;
    }
    let asked = removal.map(|removal| view! { <p>{t.removal_asked(cx.moment(removal.asked_at))}</p> });
    let labels = pairs([("reason", t.removal_how)]);
    let inside = match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<GrantRemoval> labels=labels stale=t.removal_stale>
                <Field name="reason" label=t.removal_how hint=t.reason_hint missing=t.removal_how_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{t.removal_grant}</button>
            </FormBox<GrantRemoval>>
        }
        .into_html(),
    };
    Some(side(t.removal, view! { {asked} {inside} }))
}

/// Another main number on its way, and until when points are not spent because of one.
pub(super) fn number_change(cx: &Cx, change: Option<&NumberChange>, frozen: Option<DateTime<Utc>>) -> Option<Html> {
    let t = &cx.t().admin_customer;
    let was_sent = cx.was_sent(StopNumberChange::NAME);
    if frozen.is_none() && !was_sent {
        return None;
    }
    let due = change.map(|change| view! { <p>{t.number_due(cx.moment(change.due_at), cx.phone(&change.phone))}</p> });
    let frozen = frozen.map(|at| view! { <p>{t.number_frozen(cx.moment(at))}</p> });
    let labels = pairs([("reason", t.reason)]);
    let stop = (change.is_some() || was_sent).then(|| match fresh_first(cx) {
        Some(first) => first,
        None => view! {
            <FormBox<StopNumberChange> labels=labels stale=t.number_stale>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{t.number_stop}</button>
            </FormBox<StopNumberChange>>
        }
        .into_html(),
    });
    Some(side(t.number, view! { {due} {frozen} {stop} }))
}
