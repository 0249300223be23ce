//! Coming in: the phone first, proved by a code before anything else is asked; then home, or the way to a card.

use super::outside;
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Frame, Next, with_untrusted_next};
use crate::ui::html::IntoHtml;
use crate::ui::{self, Check, DateField, Field, FormBox, pairs};
use crm::consent::{AskedAt, store as consents};
use crm::contact::Kind;
use crm::customer::PersonForm;
use crm::help::store as help;
use crm::signin::attempts::{self, Purpose};
use crm::signin::store::{self as signin, Entered, StaffEntered, Verified};
use crm::signin::{Attempt, Draft};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Sends a code to a phone.
#[derive(Deserialize)]
pub struct Start {
    phone: String,
}

impl Form for Start {
    const NAME: &'static str = "sign_in.start";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = signin::start(&cx.db, &self.phone, cx.lang, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to(with_next(cx, "/sign-in/code")))
    }
}

/// Sends a code to an e-mail address.
#[derive(Deserialize)]
pub struct StartByEmail {
    email: String,
}

impl Form for StartByEmail {
    const NAME: &'static str = "sign_in.start_by_email";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = signin::start_by_email(&cx.db, &self.email, cx.lang, &cx.visitor).await?;
        set_attempt(cx, cookie::ATTEMPT, &token);
        Ok(Next::to(with_next(cx, "/sign-in/code")))
    }
}

/// Sends a code to the phone of somebody whose e-mail address is proved and new.
#[derive(Deserialize)]
pub struct GivePhone {
    phone: String,
}

impl Form for GivePhone {
    const NAME: &'static str = "sign_in.give_phone";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        signin::give_phone(&cx.db, token, &self.phone, &cx.visitor).await?;
        Ok(Next::to(with_next(cx, "/sign-in/code")))
    }
}

/// Hands the token of an attempt to the browser.
pub fn set_attempt(cx: &Cx, name: &'static str, token: &crm::who::Token) {
    let until = cx.db.now() + attempts::LIFE;
    cx.set_cookie(name, Some(token.secret().to_owned()), Some(until));
}

/// Goes where a first factor leads to.
pub(super) fn onward(cx: &Cx, verified: &Verified) -> Next {
    onward_to(cx, verified, cx.query("next"))
}

/// The same, with the page that somebody wanted to see.
pub fn onward_to(cx: &Cx, verified: &Verified, next: Option<&str>) -> Next {
    match verified {
        Verified::SignedIn(opened) => {
            cx.set_cookie(cookie::ATTEMPT, None, None);
            super::chat::leave(cx);
            cx.set_session(cookie::SESSION, opened);
            Next::to_untrusted(next, "/")
        }
        Verified::SecondFactor => Next::to(with_untrusted_next("/sign-in/second", next)),
        Verified::Phone => Next::to(with_untrusted_next("/sign-in/phone", next)),
        Verified::Register => Next::to("/sign-in/details"),
    }
}

/// Keeps the page that somebody wanted to see along the way.
pub(super) fn with_next(cx: &Cx, path: &str) -> String {
    with_untrusted_next(path, cx.query("next"))
}

/// The same, with something more in the query.
fn with_query(cx: &Cx, path: &str, more: &str) -> String {
    let page = with_next(cx, path);
    match more {
        "" => page,
        _ if page.contains('?') => format!("{page}&{more}"),
        _ => format!("{page}?{more}"),
    }
}

/// Signs in by password.
#[derive(Deserialize)]
pub struct Password {
    phone: String,
    password: String,
}

impl Form for Password {
    const NAME: &'static str = "sign_in.password";
    // An answer that was lost takes the session along: the stored one would lead home without it.
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        match signin::by_password(&cx.db, &self.phone, &self.password, cx.lang, &cx.visitor).await? {
            Entered::In(opened) => Ok(onward(cx, &Verified::SignedIn(opened))),
            Entered::SecondFactor(token) => {
                set_attempt(cx, cookie::ATTEMPT, &token);
                Ok(onward(cx, &Verified::SecondFactor))
            }
        }
    }
}

/// Takes the code.
#[derive(Deserialize)]
pub struct Verify {
    code: String,
}

impl Form for Verify {
    const NAME: &'static str = "sign_in.verify";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let verified = signin::verify(&cx.db, token, &self.code, &cx.visitor).await?;
        Ok(onward(cx, &verified))
    }
}

/// Sends another code.
#[derive(Deserialize)]
pub struct Resend {}

impl Form for Resend {
    const NAME: &'static str = "sign_in.resend";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        signin::resend(&cx.db, token, Purpose::SignIn, &cx.visitor).await?;
        Ok(Next::to(with_query(cx, "/sign-in/code", "done=sent")))
    }
}

/// Keeps the details for the review.
#[derive(Deserialize)]
pub struct Details {
    name: String,
    surname: String,
    email: String,
    day: String,
    month: String,
    year: String,
    password: String,
    keep_password: Option<String>,
    #[serde(default)]
    consents: Vec<String>,
    /// The code of whoever invited them; nobody did where it is empty, also where a link had brought one.
    #[serde(default)]
    invite: String,
}

impl Form for Details {
    const NAME: &'static str = "sign_in.details";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let Self {
            name,
            surname,
            email,
            day,
            month,
            year,
            password,
            keep_password,
            consents,
            invite,
        } = self;
        let person = PersonForm {
            name,
            surname,
            day,
            month,
            year,
        };
        let draft = Draft {
            person,
            email,
            consents,
            password_hash: None,
        };
        let details = signin::Details {
            draft,
            password,
            keep_password: keep_password.is_some(),
        };
        signin::save_draft(&cx.db, token, &details).await?;
        super::join::typed(cx, invite.trim()).await?;
        Ok(Next::to("/sign-in/review"))
    }
}

/// «Да, всё верно»: issues the card.
#[derive(Deserialize)]
pub struct Register {}

impl Form for Register {
    const NAME: &'static str = "sign_in.register";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
        let invite = cx.token(cookie::INVITE).map(crm::who::Token::secret);
        let opened = signin::register(&cx.db, token, cx.lang, invite, &cx.visitor).await?;
        cx.set_cookie(cookie::ATTEMPT, None, None);
        super::chat::leave(cx);
        if invite.is_some() {
            cx.set_cookie(cookie::INVITE, None, None);
        }
        cx.set_session(cookie::SESSION, &opened);
        Ok(Next::to("/welcome?done=registered"))
    }
}

/// Signs a member of staff in.
#[derive(Deserialize)]
pub struct StaffPassword {
    login: String,
    password: String,
}

impl Form for StaffPassword {
    const NAME: &'static str = "staff.sign_in";
    // As with a customer's password.
    const REPEATS: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let entered = signin::staff_by_password(&cx.db, &self.login, &self.password, cx.lang, &cx.visitor).await?;
        Ok(staff_onward(cx, &entered))
    }
}

/// Goes where the password of a member of staff leads to.
pub(crate) fn staff_onward(cx: &Cx, entered: &StaffEntered) -> Next {
    let (token, page) = match entered {
        StaffEntered::SecondFactor(token) => (token, "/admin/sign-in/second"),
        StaffEntered::SetUp(token) => (token, "/admin/sign-in/setup"),
    };
    set_attempt(cx, cookie::STAFF_ATTEMPT, token);
    Next::to(with_next(cx, page))
}

/// The attempt of this browser.
async fn attempt(cx: &Cx) -> Result<Attempt, AppError> {
    let token = cx.token(cookie::ATTEMPT).ok_or(AppError::Stale)?;
    Ok(attempts::attempt(&cx.db, token, Purpose::SignIn).await?)
}

/// Where on the way somebody is, of four steps.
fn steps(cx: &Cx, step: usize, name: &'static str) -> impl IntoView + use<> {
    let dots: Vec<_> = (1..=4)
        .map(|i| view! { <li class=(i < step).then_some("done") aria-current=(i == step).then_some("step")></li> })
        .collect();
    view! {
        <div class="steps">
            <p>{cx.t().sign_in.step(step, name)}</p>
            <ol aria-hidden="true">{dots}</ol>
        </div>
    }
}

/// Asks for the phone. A known and an unknown one go on alike. The code of an invitation (`?invite=`) is kept on the way.
pub async fn phone(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    if let Some(code) = cx.query("invite") {
        super::join::keep_code(&cx, code);
    }
    let by_password = cx.query("by") == Some("password") || cx.was_sent(Password::NAME);
    let signed_out =
        (cx.query("done") == Some("signed_out")).then(|| view! { <p class="flash" role="status">{t.signed_out}</p> });
    // Made inside its form, which knows what was typed.
    let phone = move || {
        let autocomplete = if by_password { "tel" } else { "tel webauthn" };
        view! {
            <Field name="phone" label=t.phone kind="tel" check="phone" missing=t.phone_missing autocomplete=autocomplete
                enterkeyhint=if by_password { "next" } else { "send" } hint=t.phone_hint/>
        }
    };
    let labels = pairs([("phone", t.phone), ("password", t.password)]);
    let by_email = cx.query("by") == Some("email") || cx.was_sent(StartByEmail::NAME);
    let other = |by: &str, words: &'static str| {
        let href = with_query(&cx, "/sign-in", by);
        view! { <li><a href=href>{words}</a></li> }
    };
    let view = if by_email {
        let labels = pairs([("email", t.email)]);
        view! {
            <h1>{t.title}</h1>
            <p class="lead">{t.email_lead}</p>
            <FormBox<StartByEmail> check=true labels=labels>
                <Field name="email" label=t.email kind="email" check="email" missing=t.email_missing autocomplete="email"
                    enterkeyhint="send"/>
                <button class="btn btn-primary btn-wide">{t.send}</button>
            </FormBox<StartByEmail>>
            <ul class="ways">{other("", t.by_code)} {other("by=password", t.by_password)}</ul>
        }
        .into_html()
    } else if by_password {
        view! {
            <h1>{t.title}</h1>
            <FormBox<Password> check=true labels=labels>
                {phone()}
                <Field name="password" label=t.password kind="password" missing=t.password_missing
                    autocomplete="current-password" enterkeyhint="go"/>
                <button class="btn btn-primary btn-wide">{t.enter}</button>
            </FormBox<Password>>
            <ul class="ways">{other("", t.by_code)} {other("by=email", t.by_email)}</ul>
        }
        .into_html()
    } else {
        view! {
            {signed_out}
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
            <FormBox<Start> check=true labels=labels>
                {phone()}
                <button class="btn btn-primary btn-wide">{t.send}</button>
            </FormBox<Start>>
            {super::second::by_passkey(&cx).await?}
            <ul class="ways">{other("by=email", t.by_email)} {other("by=password", t.by_password)}</ul>
        }
        .into_html()
    };
    let trouble = cx.t().help.trouble;
    let view = view! {
        {outside::trouble(&cx)}
        {view}
        {outside::buttons(&cx, false)}
        <p class="ways"><a href="/help">{trouble}</a></p>
    };
    Ok(Body::new(t.title, Frame::Plain, view))
}

/// Asks for the code.
pub async fn code(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    let attempt = attempt(&cx).await?;
    let (kind, address) = attempt.kind.zip(attempt.address).ok_or(AppError::Stale)?;
    let (title, shown, other, confirm) = match kind {
        Kind::Phone => (t.code_title, cx.phone(&address), t.other_phone, t.confirm),
        Kind::Email => (t.email_code_title, address, t.other_email, t.confirm_email),
    };
    let back = match (kind, attempt.email.is_some() || attempt.outside.is_some()) {
        (Kind::Phone, true) => with_next(&cx, "/sign-in/phone"),
        (Kind::Phone, false) => with_next(&cx, "/sign-in"),
        (Kind::Email, _) => with_query(&cx, "/sign-in", "by=email"),
    };
    // A link in an e-mail brings the code along; it counts in the browser that asked for it alone.
    let code = cx.query("code").unwrap_or_default().to_owned();
    let sent = (cx.query("done") == Some("sent")).then(|| view! { <p class="flash" role="status">{t.sent_again}</p> });
    let lost = match kind {
        Kind::Phone => Some(number_lost(&cx).await?),
        Kind::Email => None,
    };
    let lost = lost.map(|href| view! { <p class="ways"><a href=href>{t.lost_number}</a></p> });
    let labels = pairs([("code", t.code)]);
    let view = view! {
        <a class="back" href=back>{ui::icon(ui::icon::ARROW_LEFT)} {other}</a>
        {sent}
        <h1>{title}</h1>
        <p class="lead">{t.code_sent(shown)}</p>
        <FormBox<Verify> labels=labels check=true>
            <Field name="code" label=t.code hint=t.code_hint missing=t.code_missing autocomplete="one-time-code" class="input-code"
                inputmode="numeric" enterkeyhint="go" autofocus=true value=code/>
            <button class="btn btn-primary btn-wide">{confirm}</button>
        </FormBox<Verify>>
        <FormBox<Resend> class="actions">
            <button class="btn btn-quiet">{t.resend}</button>
        </FormBox<Resend>>
        {lost}
    };
    Ok(Body::new(title, Frame::Plain, view))
}

/// Where to read what to do without the number: in its article, or in the help at large where staff have withdrawn it or the shop
/// had its help before there was one.
async fn number_lost(cx: &Cx) -> Result<&'static str, AppError> {
    let shown = help::shown(&mut cx.db.read().await?).await?;
    Ok(match shown.iter().any(|article| article.code == "number-lost") {
        true => "/help/number-lost",
        false => "/help",
    })
}

/// Asks for the phone of somebody who came by e-mail or from an outside provider and has no card yet.
pub async fn own_phone(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    let attempt = attempt(&cx).await?;
    let lead = match (&attempt.email, &attempt.outside) {
        (Some(email), _) => t.phone_next(email),
        (None, Some(outside)) => t.phone_next(&outside.shown),
        (None, None) => return Err(AppError::Stale),
    };
    let labels = pairs([("phone", t.phone)]);
    let view = view! {
        {steps(&cx, 1, t.step_phone)}
        <h1>{t.phone_title}</h1>
        <p class="lead">{lead}</p>
        <FormBox<GivePhone> check=true labels=labels>
            <Field name="phone" label=t.phone kind="tel" check="phone" missing=t.phone_missing autocomplete="tel"
                enterkeyhint="send" hint=t.phone_hint/>
            <button class="btn btn-primary btn-wide">{t.send}</button>
        </FormBox<GivePhone>>
    };
    Ok(Body::new(t.phone_title, Frame::Plain, view))
}

/// Asks for name, birthday, e-mail and consents.
pub async fn details(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    let attempt = attempt(&cx).await?;
    if !attempt.is_verified {
        return Err(AppError::Stale);
    }
    // What an earlier step or an outside provider knows stands there already, to be checked and changed.
    let draft = attempt.draft.unwrap_or_else(|| prefill(attempt.email, attempt.outside));
    let mut conn = cx.db.read().await?;
    let purposes = consents::purposes(&mut conn, AskedAt::Registration).await?;
    let ticked = draft.consents;
    let consent_labels: Vec<_> = purposes
        .iter()
        .map(|purpose| (format!("consent_{}", purpose.code), cx.pick(&purpose.title)))
        .collect();
    let words = cx.clone();
    // Made inside its form, which knows what was ticked.
    let boxes = move || {
        purposes
        .into_iter()
        .map(|purpose| {
            let checked = ticked.contains(&purpose.code);
            let title = words.pick(&purpose.title);
            let href = format!("/consents/{}", purpose.code);
            view! {
                <Check name="consents[]" value=purpose.code.clone() flaw=format!("consent_{}", purpose.code) checked=checked>
                    {title} " "
                    <a href=href target="_blank" rel="noopener">{t.read}<span class="sr-only">{t.new_tab}</span></a>
                    {(!purpose.required).then(|| view! { <small>{t.optional_consent}</small> })}
                </Check>
            }
        })
        .collect::<Vec<_>>()
    };
    let mut labels = pairs([
        ("name", t.name),
        ("surname", t.surname),
        ("email", t.email),
        ("birthday", t.birthday),
        ("password", t.password),
        ("invite", t.invite),
    ]);
    labels.extend(consent_labels);
    let invite = cx.token(cookie::INVITE).map(|code| crm::invite::show(code.secret()));
    let invite = invite.unwrap_or_default();
    let person = draft.person;
    let has_password = draft.password_hash.is_some();
    let view = view! {
        {steps(&cx, 2, t.step_details)}
        <h1>{t.details_title}</h1>
        <FormBox<Details> check=true labels=labels>
            <Field name="name" label=t.name check="name" missing=t.name_missing value=person.name autocomplete="given-name"/>
            <Field name="surname" label=t.surname check="name" missing=t.surname_missing value=person.surname autocomplete="family-name"/>
            <DateField name="birthday" label=t.birthday hint=t.birthday_hint missing=t.birthday_missing
                value=[person.day, person.month, person.year] own=true/>
            <Field name="email" label=t.email kind="email" check="email" optional=true hint=t.email_hint value=draft.email
                autocomplete="email"/>
            <Field name="password" label=t.password kind="password" check="password" optional=true hint=t.password_hint
                autocomplete="new-password"/>
            {has_password.then(|| view! { <Check name="keep_password" checked=true>{t.keep_password}</Check> })}
            <Field name="invite" label=t.invite optional=true hint=t.invite_hint value=invite/>
            <fieldset class="form-section">
                <legend class="label">{t.consents}</legend>
                {boxes()}
            </fieldset>
            <button class="btn btn-primary btn-wide">{t.to_review}</button>
        </FormBox<Details>>
    };
    Ok(Body::new(t.details_title, Frame::Plain, view))
}

/// The beginning of a registration from what is known of somebody.
fn prefill(email: Option<String>, outside: Option<crm::identity::Outside>) -> Draft {
    let outside = outside.unwrap_or_default();
    let birthday = outside.birthday.unwrap_or_default();
    let mut parts = birthday.split('-').map(|part| part.trim_start_matches('0').to_owned());
    let [year, month, day] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    Draft {
        person: PersonForm {
            name: outside.name.unwrap_or_default(),
            surname: outside.surname.unwrap_or_default(),
            day,
            month,
            year,
        },
        email: email.or(outside.email).unwrap_or_default(),
        ..Draft::default()
    }
}

/// Shows everything once more: «Да, всё верно» or «Нет, исправить».
pub async fn review(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    let attempt = attempt(&cx).await?;
    let draft = attempt.draft.ok_or(AppError::Stale)?;
    let birthday =
        crm::flaw::date(&draft.person.day, &draft.person.month, &draft.person.year).map_err(|_| AppError::Stale)?;
    let mut conn = cx.db.read().await?;
    let purposes = consents::purposes(&mut conn, AskedAt::Registration).await?;
    let agreed: Vec<_> = purposes
        .iter()
        .filter(|p| draft.consents.contains(&p.code))
        .map(|p| view! { <li>{cx.pick(&p.title)}</li> })
        .collect();
    let email = if draft.email.trim().is_empty() {
        t.none.to_owned()
    } else {
        draft.email.trim().to_owned()
    };
    let password = if draft.password_hash.is_some() {
        t.password_set
    } else {
        t.password_unset
    };
    let view = view! {
        {steps(&cx, 3, t.step_review)}
        <h1>{t.review_title}</h1>
        <dl class="review panel">
            <div><dt>{t.phone}</dt><dd>{cx.phone(&attempt.address.unwrap_or_default())}</dd></div>
            <div><dt>{t.name}</dt><dd dir="auto">{draft.person.name.clone()}</dd></div>
            <div><dt>{t.surname}</dt><dd dir="auto">{draft.person.surname.clone()}</dd></div>
            <div><dt>{t.birthday}</dt><dd>{crate::format::date(cx.lang, birthday)}</dd></div>
            <div><dt>{t.email}</dt><dd>{email}</dd></div>
            <div><dt>{t.password}</dt><dd>{password}</dd></div>
            <div><dt>{t.consents}</dt><dd><ul>{agreed}</ul></dd></div>
        </dl>
        <FormBox<Register> class="actions">
            <button class="btn btn-primary">{t.yes}</button>
            <a class="btn" href="/sign-in/details">{t.no}</a>
        </FormBox<Register>>
    };
    Ok(Body::new(t.review_title, Frame::Plain, view))
}

/// Asks staff for login and password.
pub async fn staff(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().sign_in;
    let labels = pairs([("login", t.login), ("password", t.password)]);
    let view = view! {
        <div class="narrow">
            {outside::trouble(&cx)}
            <h1>{t.staff_title}</h1>
            <FormBox<StaffPassword> labels=labels>
                <Field name="login" label=t.login missing=t.login_missing autocomplete="username" check="login"/>
                <Field name="password" label=t.password kind="password" missing=t.password_missing
                    autocomplete="current-password" enterkeyhint="go"/>
                <button class="btn btn-primary btn-wide">{t.enter}</button>
            </FormBox<StaffPassword>>
            {outside::buttons(&cx, true)}
        </div>
    };
    Ok(Body::new(t.staff_title, Frame::Admin, view))
}
