//! The second step of coming in, for customers and for staff; and passkeys, which are both steps at once.

use super::factors::{app_setup, code_field, code_label, codes_to_save, new_passkey, passkey_form, staff_next};
use super::sign_in::{onward, with_next};
use crate::admin::places;
use crate::cabinet::{flash, gone};
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{self, Asked, FormBox};
use crm::factor::passkey::{Answer, Question, ask_to_sign_in};
use crm::factor::{removal, store as factors};
use crm::signin::attempts::{LIFE, Purpose};
use crm::signin::store::Verified;
use crm::who::{Opened, Token};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Takes a code of the app or a recovery code.
#[derive(Deserialize)]
pub struct Second {
    code: String,
}

impl Form for Second {
    const NAME: &'static str = "sign_in.second";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = attempt(cx, cookie::ATTEMPT)?;
        let opened = factors::second_by_code(&cx.db, token, Purpose::SignIn, &self.code, &cx.visitor).await?;
        Ok(onward(cx, &Verified::SignedIn(opened)))
    }
}

/// Takes a passkey as the second factor.
#[derive(Deserialize)]
pub struct SecondByPasskey {
    question: String,
    credential: String,
}

impl Form for SecondByPasskey {
    const NAME: &'static str = "sign_in.second_passkey";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        let token = attempt(cx, cookie::ATTEMPT)?;
        let opened = factors::second_by_passkey(&cx.db, token, Purpose::SignIn, answer, &cx.visitor).await?;
        Ok(onward(cx, &Verified::SignedIn(opened)))
    }
}

/// Lets a customer in by a passkey alone.
#[derive(Deserialize)]
pub struct PasskeySignIn {
    question: String,
    credential: String,
}

impl Form for PasskeySignIn {
    const NAME: &'static str = "sign_in.passkey";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        let opened = factors::sign_in_by_passkey(&cx.db, attempt(cx, cookie::ATTEMPT)?, answer, &cx.visitor).await?;
        Ok(onward(cx, &Verified::SignedIn(opened)))
    }
}

/// The token of this browser's attempt.
fn attempt<'a>(cx: &'a Cx, name: &str) -> Result<&'a Token, AppError> {
    cx.token(name).ok_or(AppError::Stale)
}

/// The part of the sign-in page for passkeys. The question is bound to the browser by the token of its attempt, or by a
/// new one where it has none yet.
pub(super) async fn by_passkey(cx: &Cx) -> Result<Option<Html>, AppError> {
    let token = match cx.token(cookie::ATTEMPT) {
        Some(token) => token.clone(),
        None if cx.is_visit => {
            let token = Token::random();
            cx.set_cookie(
                cookie::ATTEMPT,
                Some(token.secret().to_owned()),
                Some(cx.db.now() + LIFE),
            );
            token
        }
        None => return Ok(None),
    };
    let question = ask_to_sign_in(&cx.db, &token).await?;
    let form = passkey_form::<PasskeySignIn>(cx, question, Asked::AnyAtOnce, cx.t().factors.sign_in);
    Ok(form.map(IntoHtml::into_html))
}

/// Asks support to remove a second factor that is lost.
#[derive(Deserialize)]
pub struct AskRemoval {}

impl Form for AskRemoval {
    const NAME: &'static str = "sign_in.lost";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        removal::ask(&cx.db, attempt(cx, cookie::ATTEMPT)?, &cx.visitor).await?;
        Ok(Next::to("/sign-in/second?done=asked"))
    }
}

/// Calls such a removal off, by the link that its customer was sent.
#[derive(Deserialize)]
pub struct KeepSecondStep {}

impl Form for KeepSecondStep {
    const NAME: &'static str = "removal.cancel_by_link";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let link: String = cx.param("secret")?;
        removal::cancel_by_link(&cx.db, &link, &cx.visitor).await?;
        Ok(Next::to(format!("{}?done=kept", cx.path)))
    }
}

/// Where that link leads. Whether there is anything to call off is told to whoever presses the button.
pub async fn keep(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().removal;
    let link: String = cx.param("secret")?;
    if !removal::is_link(&link) {
        return Err(AppError::NotFound);
    }
    let done = flash(&cx, &[("kept", t.link_done)]);
    let ask = done.is_none().then(|| {
        view! {
            <p class="lead">{t.link_text}</p>
            <FormBox<KeepSecondStep> class="actions" stale=t.link_stale>
                <button class="btn btn-primary btn-wide">{t.link_keep}</button>
            </FormBox<KeepSecondStep>>
        }
    });
    let view = view! { <h1>{t.link_title}</h1> {done} {gone(&cx)} {ask} };
    Ok(Body::new(t.link_title, Frame::Plain, view))
}

/// Asks a customer for the second factor.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let token = attempt(&cx, cookie::ATTEMPT)?;
    let question = factors::ask_second(&cx.db, token, Purpose::SignIn).await?;
    let may_ask = removal::may_ask(&cx.db, token).await?;
    let (t, of_removal) = (&cx.t().factors, &cx.t().removal);
    let (labels, enter) = (code_label(&cx), cx.t().sign_in.enter);
    let back = with_next(&cx, "/sign-in");
    let view = view! {
        <a class="back" href=back>{ui::icon(ui::icon::ARROW_LEFT)} {t.other_way}</a>
        <h1>{t.second_title}</h1>
        {flash(&cx, &[("asked", of_removal.asked)])}
        <p class="lead">{t.second_lead}</p>
        <FormBox<Second> check=true labels=labels>
            {code_field(t)}
            <button class="btn btn-primary btn-wide">{enter}</button>
        </FormBox<Second>>
        {passkey_form::<SecondByPasskey>(&cx, question, Asked::Any, t.second_by_passkey)}
        <details class="fold">
            <summary>{t.lost}</summary>
            <p>{t.lost_text}</p>
            <p>{if may_ask { of_removal.ask_text } else { of_removal.by_code }}</p>
            {may_ask.then(|| view! {
                <FormBox<AskRemoval> class="actions"><button class="btn">{of_removal.ask}</button></FormBox<AskRemoval>>
            })}
        </details>
    };
    Ok(Body::new(t.second_title, Frame::Plain, view))
}

/// Takes the second factor of a member of staff.
#[derive(Deserialize)]
pub struct StaffSecond {
    code: String,
}

impl Form for StaffSecond {
    const NAME: &'static str = "staff.second";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = attempt(cx, cookie::STAFF_ATTEMPT)?;
        let opened = factors::second_by_code(&cx.db, token, Purpose::Staff, &self.code, &cx.visitor).await?;
        Ok(staff_in(cx, &opened))
    }
}

/// Takes a passkey of a member of staff.
#[derive(Deserialize)]
pub struct StaffSecondByPasskey {
    question: String,
    credential: String,
}

impl Form for StaffSecondByPasskey {
    const NAME: &'static str = "staff.second_passkey";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        let token = attempt(cx, cookie::STAFF_ATTEMPT)?;
        let opened = factors::second_by_passkey(&cx.db, token, Purpose::Staff, answer, &cx.visitor).await?;
        Ok(staff_in(cx, &opened))
    }
}

fn staff_in(cx: &Cx, opened: &Opened) -> Next {
    cx.set_cookie(cookie::STAFF_ATTEMPT, None, None);
    cx.set_session(cookie::STAFF, opened);
    staff_next(cx, places::HOME)
}

/// Asks a member of staff for the second factor.
pub async fn staff(cx: Cx) -> Result<Body, AppError> {
    let question = factors::ask_second(&cx.db, attempt(&cx, cookie::STAFF_ATTEMPT)?, Purpose::Staff).await?;
    let t = &cx.t().factors;
    let (labels, enter) = (code_label(&cx), cx.t().sign_in.enter);
    let view = view! {
        <div class="narrow">
            <h1>{t.second_title}</h1>
            <p class="lead">{t.second_lead}</p>
            <FormBox<StaffSecond> check=true labels=labels>
                {code_field(t)}
                <button class="btn btn-primary btn-wide">{enter}</button>
            </FormBox<StaffSecond>>
            {passkey_form::<StaffSecondByPasskey>(&cx, question, Asked::Any, t.second_by_passkey)}
            <p class="hint">{t.staff_lost}</p>
        </div>
    };
    Ok(Body::new(t.second_title, Frame::Admin, view))
}

/// Takes the first code of the app that a member of staff sets up.
#[derive(Deserialize)]
pub struct SetupTotp {
    code: String,
}

impl Form for SetupTotp {
    const NAME: &'static str = "staff.setup_totp";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = attempt(cx, cookie::STAFF_ATTEMPT)?;
        factors::setup_totp(&cx.db, token, &self.code, &cx.visitor).await?;
        Ok(Next::to(with_next(cx, "/admin/sign-in/setup")))
    }
}

/// Takes the passkey that a member of staff sets up.
#[derive(Deserialize)]
pub struct SetupPasskey {
    name: String,
    question: String,
    credential: String,
}

impl Form for SetupPasskey {
    const NAME: &'static str = "staff.setup_passkey";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        factors::setup_passkey(&cx.db, attempt(cx, cookie::STAFF_ATTEMPT)?, &self.name, answer).await?;
        Ok(Next::to(with_next(cx, "/admin/sign-in/setup")))
    }
}

/// The recovery codes are saved: in.
#[derive(Deserialize)]
pub struct FinishSetup {}

impl Form for FinishSetup {
    const NAME: &'static str = "staff.setup_done";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let opened = factors::finish_setup(&cx.db, attempt(cx, cookie::STAFF_ATTEMPT)?, &cx.visitor).await?;
        Ok(staff_in(cx, &opened))
    }
}

/// Has a member of staff set up a second factor on the way in, and save the recovery codes.
pub async fn setup(cx: Cx) -> Result<Body, AppError> {
    let token = attempt(&cx, cookie::STAFF_ATTEMPT)?;
    let setup = factors::setup(&cx.db, token).await?;
    let t = &cx.t().factors;
    if setup.is_done {
        let view = view! {
            <div class="narrow">
                <h1>{t.codes}</h1>
                <p>{t.codes_text}</p>
                {codes_to_save::<FinishSetup>(&cx, &setup.pending.codes, t.codes_saved_in)}
            </div>
        };
        return Ok(Body::new(t.codes, Frame::Admin, view));
    }
    let question = factors::ask_setup_passkey(&cx.db, token).await?;
    let app = setup
        .pending
        .totp
        .map(|secret| app_setup::<SetupTotp>(&cx, &secret, &setup.pending.account));
    let view = view! {
        <div class="narrow">
            <h1>{t.setup_title}</h1>
            <p class="lead">{t.setup_lead}</p>
            <section class="section" aria-labelledby="app"><h2 id="app">{t.app}</h2>{app}</section>
            {question.map(|question| setup_passkey(&cx, question))}
        </div>
    };
    Ok(Body::new(t.setup_title, Frame::Admin, view))
}

fn setup_passkey(cx: &Cx, question: Question) -> impl IntoView + use<> {
    let t = &cx.t().factors;
    view! {
        <section class="section" aria-labelledby="passkeys">
            <h2 id="passkeys">{t.setup_passkey}</h2>
            <p>{t.passkeys_lead}</p>
            {new_passkey::<SetupPasskey>(cx, question)}
        </section>
    }
}
