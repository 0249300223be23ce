//! Who looked at the customer's data, when and why: what staff and tills read and changed, out of the audit log.

use super::{back, more, place, show_place};
use crate::cx::Cx;
use crate::route::{Body, Frame, Place};
use crate::texts::{self, Texts};
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crm::audit::{self, Look, Reader};
use crm::staff::why::Why;
use islands::AppError;
use leptos::prelude::*;

/// Lines on one page.
const SHOWN: usize = 30;

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().looks;
    let before = cx.query("before").and_then(place);
    let mut conn = cx.db.read().await?;
    let (looks, next) = audit::of_customer(&mut conn, cx.subject()?, before, SHOWN).await?;
    drop(conn);
    let next = next.map(show_place);
    let next = next.map(|next| more(&cx, format!("/profile/views?before={next}")));
    let rows: Vec<_> = looks.iter().map(|look| row(&cx, look)).collect();
    let list = if rows.is_empty() {
        view! {
            <div class="panel empty">
                {icon(icons::EYE)}
                <p>{t.none}</p>
                <a class="btn" href="/profile/data">{t.to_data}</a>
            </div>
        }
        .into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> {next} }.into_html()
    };
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        <div class="narrow stack">
            {before.map(|_| view! { <p><a href="/profile/views">{t.from_the_start}</a></p> })}
            {list}
        </div>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

fn row(cx: &Cx, look: &Look) -> Html {
    let t = &cx.t().looks;
    let by = match &look.by {
        Reader::Staff(role) => cx.pick(role),
        Reader::Till(name) => t.till(name),
    };
    let what = words(t, &look.action, &look.reason).unwrap_or(t.other);
    // Which page of the cabinet was looked at.
    let page = look.reason.split(' ').next().filter(|_| look.action == "view.read");
    let page = page.and_then(|path| page_name(cx.t(), path));
    let what = page.map_or_else(|| what.to_owned(), |page| t.view_page(page));
    let request = look.request.map(|number| {
        view! { " " <a href=format!("/support/{number}")>{t.request(number)}</a> }
    });
    let times = (look.times > 1).then(|| format!(", {}", t.times(look.times)));
    let reason = why(t, look).map(|reason| view! { <small dir="auto">{t.reason(reason)}</small> });
    let changed = changed(cx, look).map(|changed| view! { <small dir="auto">{changed}</small> });
    view! {
        <li class="row">
            <span class="row-main">
                <b>{what}{request}</b>
                <small><bdi>{by}</bdi> ", " <Moment at=look.at shown=cx.moment(look.at)/> {times}</small>
                {changed}
                {reason}
            </span>
        </li>
    }
    .into_html()
}

/// What of the customer's data staff changed: of the record which fields, for what they say stands in the profile.
fn changed(cx: &Cx, look: &Look) -> Option<String> {
    let changed = audit::reasoned(&look.reason).1;
    match look.action.as_str() {
        "customer.correct" => {
            let names = changed.iter().filter_map(|one| field_name(cx.t(), &one.field));
            let names: Vec<String> = names.map(str::to_lowercase).collect();
            (!names.is_empty()).then(|| cx.t().looks.changed(names.join(", ")))
        }
        "contact.enter" | "contact.drop" => {
            let one = changed.first()?;
            let value = one.is.as_str().or(one.was.as_str())?;
            Some(match one.field.as_str() {
                "phone" => cx.phone(value),
                _ => value.to_owned(),
            })
        }
        _ => None,
    }
}

/// What a field of a customer's record is called, as [`crm::customer::correct::Record`] names it.
pub fn field_name(t: &Texts, field: &str) -> Option<&'static str> {
    Some(match field {
        "name" => t.person.name,
        "surname" => t.person.surname,
        "birthday" => t.person.birthday,
        "address" => t.person.address,
        "language" => t.preferences.language,
        "store" => t.preferences.store,
        "child" => t.children.birthday,
        "phone" => t.contacts.phone,
        "email" => t.contacts.email,
        _ => return None,
    })
}

/// The reason that a member of staff told, where they did: the others are words of the log, and told by what was done.
fn why<'a>(t: &texts::Looks, look: &'a Look) -> Option<&'a str> {
    let is_written = matches!(
        look.action.as_str(),
        "customer.end_sessions"
            | "removal.grant"
            | "birthday.allow"
            | "number.stop"
            | "merge.do"
            | "merge.undo"
            | "transfer.reverse"
            | "points.adjust"
            | "points.ask"
            | "points.approve"
            | "points.refuse"
            | "card.stop"
            | "card.issue"
            | "spending.stop"
            | "spending.lift"
            | "purchase.attach"
            | "purchase.detach"
            | "purchase.store"
            | "purchase.return"
            | "purchase.void"
            | "purchase.ask"
            | "purchase.approve"
            | "purchase.refuse"
            | "contact.confirm"
            | "contact.enter"
            | "contact.drop"
            | "customer.correct"
            | "questionnaire.note"
            | "child.drop"
            | "export.begin"
            | "erasure.begin"
            | "view.begin"
    );
    let told = match look.action.as_str() {
        "customer.read" => Why::read(&look.reason).map(|(why, words)| match why {
            Why::Call => t.why_call,
            Why::Visit => t.why_visit,
            Why::Check => t.why_check,
            Why::Told => t.why_told,
            // Which one stands beside it.
            Why::Request => t.why_request,
            Why::Other => words,
        }),
        // The page stands before it.
        "view.read" => look.reason.split_once(' ').map(|(_, reason)| reason),
        // What was changed stands below it, and beside it here.
        _ => Some(audit::reasoned(&look.reason).0).filter(|_| is_written),
    };
    told.filter(|reason| !reason.is_empty())
}

/// What a page of the cabinet is called, by its path in the table of pages; one below another may go by the name of that one.
pub fn page_name(t: &Texts, path: &str) -> Option<&'static str> {
    let pages = [
        ("/welcome", t.welcome.title),
        ("/card", t.card.title),
        ("/purchases/claim", t.claim.title),
        ("/purchases/often", t.often.title),
        ("/purchases/spending", t.spending.title),
        ("/purchases", t.purchases.title),
        ("/points/expiry", t.expiry.title),
        ("/points/missing", t.missing.title),
        ("/points/transfer", t.transfer.title),
        ("/points", t.points.title),
        ("/questions", t.questions.title),
        ("/help", t.help.title),
        ("/confirm", t.confirm.title),
        ("/profile/person", t.person.title),
        ("/profile/contacts", t.contacts.title),
        ("/profile/security", t.security.title),
        ("/profile/providers", t.providers.title),
        ("/profile/second-factor", t.factors.title),
        ("/profile/children", t.children.title),
        ("/profile/preferences", t.preferences.title),
        ("/profile/consents", t.consents.title),
        ("/profile/views", t.looks.title),
        ("/profile/data", t.export.title),
        ("/profile/erase", t.erase.title),
        ("/profile/quiet", t.quiet.title),
        ("/profile/messages", t.messages.title),
        ("/profile", t.profile.title),
        ("/questionnaire", t.questionnaire.title),
        ("/merge", t.merge.title),
        ("/notifications", t.notifications.title),
        ("/devices", t.devices.title),
        ("/programs", t.programs.title),
        ("/invite", t.invite.title),
        ("/offers", t.offers.title),
        ("/what-if", t.what_if.title),
        ("/stores", t.stores.title),
        ("/support", t.support.title),
    ];
    if path == "/" {
        return Some(t.home.title);
    }
    let holds = |page: &str| {
        path.strip_prefix(page)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    pages.into_iter().find(|(page, _)| holds(page)).map(|(_, name)| name)
}

/// What was looked at or done, by the action and the reason as the audit log has them.
pub fn words(t: &texts::Looks, action: &str, reason: &str) -> Option<&'static str> {
    Some(match (action, reason) {
        ("customer.read", "search") => t.found,
        // What a till was told the customer by stands behind what it asked with.
        ("customer.read", by) if by.starts_with("customers ") => t.counter,
        ("customer.read", "income") => t.income,
        ("customer.read" | "customer.why", _) => t.card,
        ("customer.import", _) => t.filled_in,
        ("view.begin", _) => t.view_begin,
        ("view.read", _) => t.view_read,
        ("view.end", _) => t.view_end,
        ("card.stop", _) => t.card_stop,
        ("card.issue", _) => t.card_issue,
        ("spending.stop", _) => t.spending_stop,
        ("spending.lift", _) => t.spending_lift,
        ("purchase.attach", _) => t.purchase_attach,
        ("purchase.detach", _) => t.purchase_detach,
        ("purchase.store", _) => t.purchase_store,
        ("purchase.return", _) => t.purchase_return,
        ("purchase.void", _) => t.purchase_void,
        ("purchase.ask", _) => t.purchase_ask,
        ("purchase.approve", _) => t.purchase_approve,
        ("purchase.refuse", _) => t.purchase_refuse,
        ("contact.confirm", _) => t.contact_confirm,
        ("contact.enter", _) => t.contact_enter,
        ("contact.drop", _) => t.contact_drop,
        ("customer.enter", _) => t.person_enter,
        ("customer.correct", _) => t.person_correct,
        ("questionnaire.note", _) => t.answers_note,
        ("child.drop", _) => t.child_drop,
        ("export.begin", _) => t.export_begin,
        ("erasure.begin", _) => t.erasure_begin,
        ("card.refused", _) => t.code_refused,
        ("request.read", _) => t.request_read,
        ("attachment.read", _) => t.attachment_read,
        ("request.answer", _) => t.request_answer,
        ("request.note", _) => t.request_note,
        ("request.status", _) => t.request_status,
        ("request.assign", _) => t.request_assign,
        ("request.unassign", _) => t.request_unassign,
        ("request.sort", _) => t.request_sort,
        ("request.undo", _) => t.request_undo,
        ("request.link", _) => t.request_link,
        ("request.unlink", _) => t.request_unlink,
        ("request.merge", _) => t.request_merge,
        ("request.part", _) => t.request_part,
        ("request.split", _) => t.request_split,
        ("request.begin", _) => t.request_begin,
        ("request.take_down", _) => t.request_take_down,
        ("message.read", _) => t.message_read,
        ("message.again", _) => t.message_again,
        ("customer.end_sessions", _) => t.sessions_ended,
        ("removal.grant", _) => t.removal_grant,
        ("birthday.allow", _) => t.birthday_allow,
        ("number.stop", _) => t.number_stop,
        // Who else has an account is nobody's to know: that somebody compared both, each learns as a look at their own.
        ("duplicate.dismiss", _) => t.duplicate_dismiss,
        ("duplicate.propose", _) => t.duplicate_propose,
        ("merge.do", _) => t.merge_do,
        ("merge.undo", _) => t.merge_undo,
        ("transfer.reverse", _) => t.transfer_reverse,
        ("return.read", _) => t.return_read,
        ("points.read", _) => t.points_read,
        ("points.adjust", _) => t.points_adjust,
        ("points.ask", _) => t.points_ask,
        ("points.approve", _) => t.points_approve,
        ("points.refuse", _) => t.points_refuse,
        ("question.read", _) => t.question_read,
        ("question.publish", _) => t.question_publish,
        ("question.unpublish", _) => t.question_unpublish,
        ("question.decline", _) => t.question_decline,
        ("question.move", _) => t.question_move,
        ("interaction.add", _) => t.interaction_add,
        ("interaction.change", _) => t.interaction_change,
        ("task.add", _) => t.task_add,
        ("task.done", _) => t.task_done,
        ("task.cancel", _) => t.task_cancel,
        ("task.assign", _) => t.task_assign,
        ("note.add", _) => t.note_add,
        ("note.pin", _) => t.note_pin,
        ("note.remove", _) => t.note_remove,
        ("purchase.purpose", _) => t.purchase_purpose,
        ("audit.read", _) => t.audit_read,
        ("audit.export", _) => t.audit_export,
        _ => return None,
    })
}
