//! What happened to a customer, in words.

use crate::cabinet::points::occasion;
use crate::cx::Cx;
use crate::format;
use crate::texts::AdminEvent;
use crate::ui::Moment;
use crate::ui::html::{Html, IntoHtml};
use crm::consent::Consent;
use crm::id::TransactionId;
use crm::points::Reward;
use crm::program::Program;
use crm::request::Topic;
use crm::staff::{Event, EventKind};
use leptos::prelude::*;
use std::collections::HashMap;

/// Where the words for codes in a history come from.
pub(super) struct Words<'a> {
    pub(super) topics: Vec<Topic>,
    pub(super) programs: &'a [Program],
    pub(super) consents: &'a [Consent],
    pub(super) rewards: &'a HashMap<TransactionId, Reward>,
    pub(super) here: &'a str,
}

pub(super) fn timeline(cx: &Cx, words: &Words<'_>, events: &[Event]) -> Html {
    let lines: Vec<_> = events
        .iter()
        .map(|event| {
            let (text, href, more) = told(cx, words, event);
            let text = match href {
                Some(href) => view! { <a href=href>{text}</a> }.into_html(),
                None => text.into_html(),
            };
            let more = more.map(|more| view! { <small dir="auto">{more}</small> });
            view! {
                <li>
                    <Moment at=event.at shown=cx.moment(event.at)/> " " {text} {more}
                </li>
            }
        })
        .collect();
    view! { <ol class="timeline">{lines}</ol> }.into_html()
}

/// An event in words, where it leads, and what else there is to say.
fn told(cx: &Cx, words: &Words<'_>, event: &Event) -> (String, Option<String>, Option<String>) {
    let t = &cx.t().admin_event;
    let code = event.code.as_str();
    let topic = || {
        words
            .topics
            .iter()
            .find(|topic| topic.code == code)
            .map_or(code.to_owned(), |topic| cx.pick(&topic.name))
    };
    let program = || {
        words
            .programs
            .iter()
            .find(|program| program.code == code)
            .map_or(code.to_owned(), |program| cx.pick(&program.name))
    };
    let consent = || {
        words
            .consents
            .iter()
            .find(|consent| consent.code == code)
            .map_or(code.to_owned(), |consent| cx.pick(&consent.title))
    };
    let receipt = event.object.map(|id| format!("{}/purchases/{id}", words.here));
    let request = Some(format!("/admin/requests/{}", event.amount));
    match event.kind {
        EventKind::Sale => (t.sale(cx.money(event.amount)), receipt, None),
        EventKind::Return => (t.returned(cx.money(-event.amount)), receipt, None),
        EventKind::Request => (t.request(event.amount, topic()), request, None),
        EventKind::Message => (t.message(event.amount), request, None),
        EventKind::Answer => (t.answer(event.amount), request, None),
        EventKind::Note => (t.note(event.amount), request, None),
        EventKind::ConsentGiven => (t.consent_given(consent()), None, None),
        EventKind::ConsentWithdrawn => (t.consent_withdrawn(consent()), None, None),
        EventKind::Joined => (t.joined(program()), None, None),
        EventKind::Left => (t.left(program()), None, None),
        EventKind::SignIn => (t.sign_in.to_owned(), None, Some(code.chars().take(120).collect())),
        EventKind::Points => {
            let why = match code {
                "accrual" => t.accrual,
                "activation" => t.activation,
                "expiry" => t.expiry,
                "return" => t.points_return,
                "redemption" => t.redemption,
                "adjustment" => t.adjustment,
                "refund" => t.refund,
                "transfer" => t.transfer,
                "void" => t.void,
                "merge" => t.merge,
                other => other,
            };
            let reward = event.object.and_then(|id| words.rewards.get(&TransactionId(id)));
            let why = match (reward, code) {
                (Some(reward), "accrual") => occasion(cx, reward.occasion),
                _ => why,
            };
            // By which rule, and in which of its versions.
            let more = reward.map(|reward| cx.t().points.rule_version(cx.pick(&reward.name), reward.by.version));
            // An activation moves points between two accounts of the customer: the sum says nothing.
            let text = match event.amount {
                0 => why.to_owned(),
                amount => t.points(format::signed_points(cx.lang, amount), why),
            };
            (text, None, more)
        }
        EventKind::Change => {
            let receipt = receipt.filter(|_| code == "purchase.claim");
            (change(t, code).unwrap_or(code).to_owned(), receipt, None)
        }
    }
}

/// The words for a change, by the action as the audit log calls it.
pub fn change(t: &AdminEvent, action: &str) -> Option<&'static str> {
    Some(match action {
        "customer.change" => t.change_person,
        "points.ask" => t.points_ask,
        "points.refuse" => t.points_refuse,
        "customer.preferences" => t.change_preferences,
        "birthday.allow" => t.birthday_allow,
        "questionnaire.tell" => t.questionnaire_tell,
        "questionnaire.withdraw" => t.questionnaire_withdraw,
        "contact.add" => t.contact_add,
        "contact.primary" => t.contact_primary,
        "contact.remove" => t.contact_remove,
        "number.begin" => t.number_begin,
        "number.cancel" => t.number_cancel,
        "number.stop" => t.number_stop,
        "number.done" => t.number_done,
        "merge.ask" => t.merge_ask,
        "merge.do" => t.merge_do,
        "merge.undo" => t.merge_undo,
        "child.add" => t.child_add,
        "child.remove" => t.child_remove,
        "request.close" => t.request_close,
        "request.reopen" => t.request_reopen,
        "request.rate" => t.request_rate,
        "request.status" => t.request_status,
        "request.assign" => t.request_assign,
        "request.unassign" => t.request_unassign,
        "message.again" => t.message_again,
        "session.end" => t.session_end,
        "customer.end_sessions" => t.sessions_ended,
        "removal.ask" => t.removal_ask,
        "removal.grant" => t.removal_grant,
        "removal.cancel" => t.removal_cancel,
        "removal.done" => t.removal_done,
        "contact.verify" => t.contact_verify,
        "password.change" => t.password_change,
        "factor.totp_on" => t.factor_totp_on,
        "factor.totp_remove" => t.factor_totp_remove,
        "factor.passkey_add" => t.factor_passkey_add,
        "factor.passkey_rename" => t.factor_passkey_rename,
        "factor.passkey_remove" => t.factor_passkey_remove,
        "recovery.make" => t.recovery_make,
        "recovery.keep" => t.recovery_keep,
        "identity.link" => t.identity_link,
        "identity.unlink" => t.identity_unlink,
        "card.block" => t.card_block,
        "card.bind" => t.card_bind,
        "card.refused" => t.card_refused,
        "invite.begin" => t.invite_begin,
        "promotion.activate" => t.promotion_activate,
        "purchase.claim" => t.purchase_claim,
        "erasure.ask" => t.erasure_ask,
        "erasure.cancel" => t.erasure_cancel,
        "erasure.done" => t.erasure_done,
        "export.ask" => t.export_ask,
        "export.download" => t.export_download,
        "question.ask" => t.question_ask,
        "question.publish" => t.question_publish,
        "question.unpublish" => t.question_unpublish,
        "question.decline" => t.question_decline,
        "question.move" => t.question_move,
        _ => return None,
    })
}
