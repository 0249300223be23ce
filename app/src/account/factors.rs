//! Second factors and passkeys: the changes and the parts of pages that customers and staff have in common. Whose they
//! are the path says: below `/admin` a member of staff's, else a customer's.

use crate::cabinet::confirm::there;
use crate::cx::{Cx, cookie};
use crate::route::{Form, Next};
use crate::texts::Factors;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Asked, Field, FormBox, PasskeyField, QrCode, pairs};
use crm::factor::passkey::{Answer, Question};
use crm::factor::store as factors;
use crm::factor::store::Pending;
use crm::factor::totp::Secret;
use crm::factor::{By, Factor, Known, Overview, recovery};
use crm::id::FactorId;
use crm::who::Opened;
use islands::{AppError, Passkey};
use leptos::prelude::*;
use serde::Deserialize;

fn is_admin(cx: &Cx) -> bool {
    cx.path.starts_with("/admin")
}

/// Whose page it is.
pub(crate) fn known(cx: &Cx) -> Result<Known<'_>, AppError> {
    if is_admin(cx) {
        Ok(Known::Staff(cx.staff()?))
    } else {
        Ok(Known::Customer(cx.customer()?))
    }
}

/// The same, who proved moments ago who they are.
fn by(cx: &Cx) -> Result<By<'_>, AppError> {
    Ok(known(cx)?.fresh(&cx.db)?)
}

/// Back to the page, which says what was done.
fn done(cx: &Cx, what: &str) -> Next {
    Next::to(format!("{}?done={what}", cx.path))
}

/// Offers the codes of an app.
#[derive(Deserialize)]
pub struct OfferTotp {}

impl Form for OfferTotp {
    const NAME: &'static str = "factor.offer";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::offer_totp(&cx.db, &by(cx)?).await?;
        Ok(Next::to(format!("{}#app", cx.path)))
    }
}

/// Takes the first code of the app.
#[derive(Deserialize)]
pub struct ConfirmTotp {
    code: String,
}

impl Form for ConfirmTotp {
    const NAME: &'static str = "factor.confirm";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::confirm_totp(&cx.db, &by(cx)?, &self.code, &cx.visitor).await?;
        Ok(done(cx, "on"))
    }
}

/// Removes the codes of an app, or a passkey.
#[derive(Deserialize)]
pub struct RemoveFactor {
    factor: FactorId,
}

impl Form for RemoveFactor {
    const NAME: &'static str = "factor.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::remove(&cx.db, &by(cx)?, self.factor).await?;
        Ok(done(cx, "removed"))
    }
}

/// Makes new recovery codes.
#[derive(Deserialize)]
pub struct MakeCodes {}

impl Form for MakeCodes {
    const NAME: &'static str = "recovery.make";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::make_codes(&cx.db, &by(cx)?).await?;
        Ok(Next::to(format!("{}#codes", cx.path)))
    }
}

/// The recovery codes are saved.
#[derive(Deserialize)]
pub struct KeepCodes {}

impl Form for KeepCodes {
    const NAME: &'static str = "recovery.keep";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::keep_codes(&cx.db, &by(cx)?).await?;
        Ok(done(cx, "kept"))
    }
}

/// Takes a new passkey.
#[derive(Deserialize)]
pub struct AddPasskey {
    name: String,
    question: String,
    credential: String,
}

impl Form for AddPasskey {
    const NAME: &'static str = "passkey.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        factors::add_passkey(&cx.db, &by(cx)?, &self.name, answer).await?;
        Ok(done(cx, "added"))
    }
}

/// Gives a passkey another name.
#[derive(Deserialize)]
pub struct RenamePasskey {
    factor: FactorId,
    name: String,
}

impl Form for RenamePasskey {
    const NAME: &'static str = "passkey.rename";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        factors::rename_passkey(&cx.db, &by(cx)?, self.factor, &self.name).await?;
        Ok(done(cx, "renamed"))
    }
}

/// Proves anew who somebody is, by a code of the app or a recovery code.
#[derive(Deserialize)]
pub struct BySecond {
    code: String,
}

impl Form for BySecond {
    const NAME: &'static str = "confirm.second";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let opened = factors::confirm_by_code(&cx.db, known(cx)?, &self.code, &cx.visitor).await?;
        Ok(confirmed(cx, &opened))
    }
}

/// The same, by a passkey.
#[derive(Deserialize)]
pub struct ByPasskey {
    question: String,
    credential: String,
}

impl Form for ByPasskey {
    const NAME: &'static str = "confirm.passkey";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let answer = Answer {
            question: &self.question,
            credential: &self.credential,
        };
        let opened = factors::confirm_by_passkey(&cx.db, known(cx)?, answer, &cx.visitor).await?;
        Ok(confirmed(cx, &opened))
    }
}

/// With the session's new token to where they wanted to go.
fn confirmed(cx: &Cx, opened: &Opened) -> Next {
    if !is_admin(cx) {
        return there(cx, opened);
    }
    cx.set_session(cookie::STAFF, opened);
    staff_next(cx, "/admin/security")
}

/// Where a member of staff wanted to go, if that is a page of staff.
pub(super) fn staff_next(cx: &Cx, otherwise: &str) -> Next {
    let next = cx.query("next").filter(|next| next.starts_with("/admin/"));
    Next::to_untrusted(next, otherwise)
}

/// The field for a code of the app, or a recovery code in its place.
pub(crate) fn code_field(t: &'static Factors) -> impl IntoView {
    view! {
        <Field name="code" label=t.code hint=t.code_hint missing=t.code_missing autocomplete="one-time-code"
            inputmode="numeric" enterkeyhint="go" autofocus=true/>
    }
}

/// Labels of a form with a code.
pub(crate) fn code_label(cx: &Cx) -> Vec<(String, String)> {
    pairs([("code", cx.t().factors.code)])
}

/// A form that is nothing but a question to a passkey. `F` has the fields `question` and `credential`.
pub(crate) fn passkey_form<F: Form + 'static>(
    cx: &Cx,
    question: Option<Question>,
    asked: Asked,
    button: &'static str,
) -> Option<impl IntoView + use<F>> {
    let labels = pairs([("credential", cx.t().factors.passkey)]);
    question.map(|question| {
        view! {
            <Passkey>
                <FormBox<F> labels=labels>
                    <PasskeyField question=question asked=asked button=button/>
                </FormBox<F>>
            </Passkey>
        }
    })
}

/// The ways to prove anew who one is by a second factor.
pub(crate) async fn confirm_ways(cx: &Cx, has_second: bool) -> Result<impl IntoView + use<>, AppError> {
    let t = &cx.t().factors;
    let question = factors::ask_to_confirm(&cx.db, known(cx)?).await?;
    let labels = code_label(cx);
    let confirm = cx.t().confirm.confirm;
    let by_code = has_second.then(|| {
        view! {
            <FormBox<BySecond> check=true labels=labels>
                {code_field(t)}
                <button class="btn btn-primary btn-wide">{confirm}</button>
            </FormBox<BySecond>>
        }
    });
    let by_passkey = passkey_form::<ByPasskey>(cx, question, Asked::Any, t.confirm_by_passkey);
    Ok(view! { {by_code} {by_passkey} })
}

/// The words for what was done.
pub(crate) fn told(cx: &Cx) -> [(&'static str, &'static str); 5] {
    let t = &cx.t().factors;
    [
        ("on", t.done_on),
        ("removed", t.done_removed),
        ("kept", t.done_kept),
        ("added", t.done_added),
        ("renamed", t.done_renamed),
    ]
}

/// What an app needs to know, and the field for its first code; `F` has the field `code`.
pub(crate) fn app_setup<F: Form + 'static>(cx: &Cx, secret: &Secret, account: &str) -> impl IntoView + use<F> {
    let t = &cx.t().factors;
    let link = secret.link(&cx.shop().name, account);
    let labels = pairs([("code", t.first_code)]);
    view! {
        <p>{t.scan}</p>
        <QrCode text=link label=t.qr/>
        <p class="hint">{t.or_type}</p>
        <p class="secret"><code>{secret.grouped()}</code></p>
        <FormBox<F> check=true labels=labels>
            <Field name="code" label=t.first_code hint=t.first_code_hint missing=t.code_missing
                autocomplete="one-time-code" class="input-code" inputmode="numeric" enterkeyhint="go"/>
            <button class="btn btn-primary btn-wide">{t.turn_on}</button>
        </FormBox<F>>
    }
}

/// Recovery codes to be saved; `F` is the button that says they are.
pub(crate) fn codes_to_save<F: Form + 'static>(
    cx: &Cx,
    codes: &[String],
    button: &'static str,
) -> impl IntoView + use<F> {
    let t = &cx.t().factors;
    let list: Vec<_> = codes
        .iter()
        .map(|code| view! { <li><code>{recovery::grouped(code)}</code></li> })
        .collect();
    view! {
        <p>{t.codes_save}</p>
        <ol class="codes">{list}</ol>
        <FormBox<F>><button class="btn btn-primary btn-wide">{button}</button></FormBox<F>>
    }
}

/// The codes of an app: whether they are on, and what can be done about it.
pub(crate) fn app_section(cx: &Cx, overview: &Overview, pending: Option<&Pending>) -> Html {
    let t = &cx.t().factors;
    let state = overview.totp.as_ref().map_or_else(
        || t.app_off.to_owned(),
        |totp| {
            let used = cx.ago(totp.used_at.unwrap_or(totp.created_at));
            t.app_on(cx.moment(totp.created_at), used)
        },
    );
    let can_remove = known(cx).is_ok_and(|of| overview.can_remove(of)) && !overview.password_short;
    let offered = pending.and_then(|p| Some((p.totp.as_ref()?, p.account.as_str())));
    let acts = match (pending, offered, &overview.totp) {
        (None, _, _) => None,
        (_, Some((secret, account)), _) => Some(app_setup::<ConfirmTotp>(cx, secret, account).into_html()),
        (_, None, None) => Some(
            view! { <FormBox<OfferTotp> class="actions"><button class="btn btn-primary">{t.begin}</button></FormBox<OfferTotp>> }
                .into_html(),
        ),
        (_, None, Some(totp)) => {
            let id = totp.id.to_string();
            Some(
                view! {
                    <FormBox<OfferTotp> class="actions"><button class="btn">{t.change}</button></FormBox<OfferTotp>>
                    {can_remove.then(|| view! {
                        <FormBox<RemoveFactor> id="factor-off" class="actions">
                            <input type="hidden" name="factor" value=id/>
                            <button class="btn btn-danger-quiet">{t.turn_off}</button>
                        </FormBox<RemoveFactor>>
                    })}
                    {overview.password_short.then(|| view! {
                        <p>{t.password_short}</p>
                        <p><a class="btn" href="/profile/security#password">{t.to_password}</a></p>
                    })}
                }
                .into_html(),
            )
        }
    };
    view! {
        <section class="section narrow" aria-labelledby="app">
            <h2 id="app">{t.app}</h2>
            <p class="muted">{state}</p>
            {acts}
        </section>
    }
    .into_html()
}

/// Recovery codes: those to be saved, or how many are left. Nothing where there is no second factor.
pub(crate) fn codes_section(cx: &Cx, overview: &Overview, pending: Option<&Pending>) -> Option<Html> {
    let t = &cx.t().factors;
    if !overview.has_second {
        return None;
    }
    let left = match i64::try_from(overview.codes_left).unwrap_or_default() {
        0 => t.codes_none.to_owned(),
        n => t.codes_left(n),
    };
    let inside = match pending {
        Some(pending) if !pending.codes.is_empty() => {
            codes_to_save::<KeepCodes>(cx, &pending.codes, t.codes_saved).into_html()
        }
        Some(_) => view! {
            <p class="muted">{left}</p>
            <FormBox<MakeCodes> class="actions"><button class="btn">{t.codes_make}</button></FormBox<MakeCodes>>
        }
        .into_html(),
        None if overview.codes_wait => view! { <p class="muted">{t.codes_wait}</p> }.into_html(),
        None => view! { <p class="muted">{left}</p> }.into_html(),
    };
    Some(
        view! {
            <section class="section narrow" aria-labelledby="codes">
                <h2 id="codes">{t.codes}</h2>
                <p>{t.codes_text}</p>
                {inside}
            </section>
        }
        .into_html(),
    )
}

/// The list of passkeys, and a form for one more where a question can be put.
pub(crate) fn passkeys_section(cx: &Cx, overview: &Overview, is_fresh: bool, question: Option<Question>) -> Html {
    let t = &cx.t().factors;
    let can_remove = known(cx).is_ok_and(|of| overview.can_remove(of));
    let rows: Vec<_> = overview
        .passkeys
        .iter()
        .map(|passkey| row(cx, passkey, is_fresh, can_remove))
        .collect();
    let list = if rows.is_empty() {
        view! { <p class="muted">{t.no_passkeys}</p> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let more = question.map(|question| new_passkey::<AddPasskey>(cx, question));
    let impossible =
        (!crm::factor::passkey::is_possible(cx.shop())).then(|| view! { <p class="muted">{t.impossible}</p> });
    view! {
        <section class="section narrow" aria-labelledby="passkeys">
            <h2 id="passkeys">{t.passkeys}</h2>
            {list}
            {impossible}
            {more}
        </section>
    }
    .into_html()
}

/// The form for a new passkey; `F` has the fields `name`, `question` and `credential`.
pub(crate) fn new_passkey<F: Form + 'static>(cx: &Cx, question: Question) -> impl IntoView + use<F> {
    let t = &cx.t().factors;
    let labels = pairs([("name", t.passkey_name), ("credential", t.passkey)]);
    view! {
        <Passkey>
            <FormBox<F> labels=labels>
                <Field name="name" label=t.passkey_name hint=t.passkey_name_hint missing=t.passkey_name_missing
                    value=t.passkey_name_first/>
                <PasskeyField question=question asked=Asked::New button=t.passkey_add class="btn btn-primary btn-wide"/>
            </FormBox<F>>
        </Passkey>
    }
}

fn row(cx: &Cx, passkey: &Factor, is_fresh: bool, can_remove: bool) -> impl IntoView + use<> {
    let t = &cx.t().factors;
    let (id, name) = (passkey.id.to_string(), passkey.name.clone());
    let used = passkey
        .used_at
        .map_or_else(|| t.passkey_unused.to_owned(), |at| t.passkey_used(cx.ago(at)));
    let since = t.passkey_since(cx.moment(passkey.created_at));
    let labels = pairs([("name", t.passkey_name)]);
    let rename = is_fresh.then(|| {
        let (id, name, shown) = (id.clone(), name.clone(), name.clone());
        view! {
            <details class="fold row-more">
                <summary>{t.rename}<span class="sr-only">": " {shown}</span></summary>
                <FormBox<RenamePasskey> id=format!("rename-{id}") labels=labels>
                    <input type="hidden" name="factor" value=id/>
                    <Field name="name" label=t.passkey_name missing=t.passkey_name_missing value=name/>
                    <button class="btn">{t.rename_save}</button>
                </FormBox<RenamePasskey>>
            </details>
        }
    });
    let remove = (is_fresh && can_remove).then(|| {
        let shown = name.clone();
        view! {
            <FormBox<RemoveFactor> id=format!("remove-{id}") class="row-form">
                <input type="hidden" name="factor" value=id/>
                <button class="btn btn-sm btn-quiet">{t.remove}<span class="sr-only">": " {shown}</span></button>
            </FormBox<RemoveFactor>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b dir="auto">{name}</b>
                <small>{used}</small>
                <small>{since}</small>
            </span>
            <span class="row-acts">{remove}</span>
            {rename}
        </li>
    }
}
