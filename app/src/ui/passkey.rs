//! The part of a form that a passkey fills in.

use super::FieldMessage;
use super::form::{field_id, message};
use crm::factor::passkey::Question;
use leptos::prelude::*;

/// What a browser is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new passkey.
    New,
    /// One that is there.
    Any,
    /// One that is there, also offered where a name would be typed, before anybody asks for it.
    AnyAtOnce,
}

/// The question, the place for its answer and the button. It stands in a form inside of [`islands::Passkey`]; without
/// JavaScript it says that passkeys need it.
#[component]
pub fn PasskeyField(
    /// What is asked.
    question: Question,
    /// For which kind of answer.
    asked: Asked,
    /// The words of the button.
    button: &'static str,
    /// Classes of the button.
    #[prop(default = "btn btn-wide")]
    class: &'static str,
) -> impl IntoView {
    let cx = crate::cx::cx();
    let t = &cx.t().factors;
    let id = field_id("credential");
    let message = message(&cx, "credential", None);
    let call = if asked == Asked::New { "create" } else { "get" };
    view! {
        <input type="hidden" name="question" value=question.sealed/>
        <input
            type="hidden"
            name="credential"
            value=""
            data-passkey=call
            data-options=question.options
            data-at-once=(asked == Asked::AnyAtOnce).then_some("")
            data-message=format!("{id}-message")
            data-cancelled=t.cancelled
            data-unsupported=t.unsupported
        />
        <noscript><p class="hint">{t.needs_script}</p></noscript>
        <button class=format!("{class} later") id=id.clone() hidden>{button}</button>
        <FieldMessage id=id message=message/>
    }
}
