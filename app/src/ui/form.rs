//! Forms: the wrapper that carries name and key, and fields that know what was typed and what was wrong with it.
//!
//! A form posts to its page's own address. When it is not taken the page is rendered again: the summary links to the
//! fields, each field says what to do, and everything typed is still there.

use crate::cx::{Cx, Outcome, cx};
use crate::route::{FILES, Form};
use crate::ui::html::{Html, Inside, IntoHtml};
use crm::flaw::Flaw;
use crm::request::attachment::ACCEPT;
use islands::{AppError, Enhance};
use leptos::prelude::*;

/// The outcome of the form that is being rendered, for the fields in it.
#[derive(Clone)]
struct Held(Option<Outcome>);

fn held() -> Option<Outcome> {
    use_context::<Held>().and_then(|held| held.0)
}

/// The message for a field of the form being rendered.
pub(super) fn message(cx: &Cx, name: &str, missing: Option<&str>) -> Option<String> {
    let AppError::Invalid { flaws } = held()?.error else {
        return None;
    };
    let (_, flaw) = flaws.iter().find(|(field, _)| field == name)?;
    Some(match (flaw, missing) {
        (Flaw::Missing, Some(own)) => own.to_owned(),
        _ => cx.flaw(flaw),
    })
}

/// What was typed into a field, or what stood there before.
fn typed(name: &str, before: &str) -> String {
    match held() {
        Some(outcome) => outcome
            .values
            .into_iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v)
            .unwrap_or_default(),
        None => before.to_owned(),
    }
}

/// Whether a box or choice was ticked, or is to be from the start.
fn ticked(name: &str, value: &str, before: bool) -> bool {
    match held() {
        Some(outcome) => outcome.values.iter().any(|(n, v)| n == name && v == value),
        None => before,
    }
}

/// A form. `F` names what it does; the page must list `F` among its forms.
#[component]
pub fn FormBox<F: Form + 'static>(
    /// What the form does.
    #[prop(optional)]
    _form: std::marker::PhantomData<F>,
    /// Its id in the page, where a page has several forms of one kind.
    #[prop(optional, into)]
    id: Option<String>,
    /// The page that takes it, where it is not the one that it stands on.
    #[prop(optional)]
    action: Option<&'static str>,
    /// Classes; `form` for one with fields.
    #[prop(default = "form")]
    class: &'static str,
    /// Checks fields in the browser. Off for a form that is but a button: its page then needs no script.
    #[prop(default = false)]
    check: bool,
    /// Labels of the fields, by name, for the summary of errors.
    #[prop(optional)]
    labels: Vec<(String, String)>,
    /// What to say when something else happened first, where the usual words do not tell enough.
    #[prop(optional)]
    stale: Option<&'static str>,
    /// The fields and the button.
    children: Inside,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| F::NAME.replace('.', "-"));
    let encoding = F::TAKES_FILES.then_some("multipart/form-data");
    form_box(F::NAME, (id, action, encoding), class, check, labels, stale, children)
}

/// The form that adds to a list: folded away in a section of its own until it was sent and not taken.
#[component]
pub fn AddBox<F: Form + 'static>(
    /// What the form does.
    #[prop(optional)]
    _form: std::marker::PhantomData<F>,
    /// What the section is called; the words unfold it.
    title: &'static str,
    /// Labels of the fields, as of [`FormBox`].
    labels: Vec<(String, String)>,
    /// The fields and the button.
    children: Inside,
) -> impl IntoView {
    let was_sent = cx().was_sent(F::NAME);
    view! {
        <section class="section narrow" aria-labelledby="add">
            <details class="fold" open=was_sent>
                <summary><h2 id="add">{title}</h2></summary>
                <FormBox<F> labels=labels>{children.render()}</FormBox<F>>
            </details>
        </section>
    }
}

/// The same for every form: compiled once.
fn form_box(
    name: &'static str,
    (id, action, encoding): (String, Option<&'static str>, Option<&'static str>),
    class: &'static str,
    check: bool,
    labels: Vec<(String, String)>,
    stale: Option<&'static str>,
    children: Inside,
) -> Html {
    let cx = cx();
    // Of several forms of one kind on a page, only the one that was sent shows its outcome.
    let outcome = cx.outcome.clone().filter(|o| {
        o.form == name
            && o.values
                .iter()
                .find(|(n, _)| n == "_form")
                .is_none_or(|(_, form)| *form == id)
    });
    let key = outcome.as_ref().map_or_else(crate::form_key, |o| o.key.clone());
    let (stale, sending) = (stale.unwrap_or(cx.t().form.stale), cx.t().form.sending);
    // What the browser says of flaws that it finds by itself: it fills in the number, which is marked here.
    let words = move |cx: &Cx, flaw: Flaw| {
        let said = check.then(|| cx.flaw(&flaw))?;
        Some(
            flaw.number()
                .map_or(said.clone(), |n| said.replace(&n.to_string(), "{n}")),
        )
    };
    let form = move || {
        provide_context(Held(outcome.clone()));
        provide_context(FormId(id.clone()));
        // What came back without a mistake was not to be sent yet.
        let is_wrong = |o: &&Outcome| !matches!(&o.error, AppError::Invalid { flaws } if flaws.is_empty());
        let summary = outcome
            .as_ref()
            .filter(is_wrong)
            .map(|o| view! { <ErrorSummary error=o.error.clone() form=id.clone() labels=labels.clone() stale=stale/> });
        view! {
            <form
                id=id.clone()
                class=class
                method="post"
                action=action
                enctype=encoding
                novalidate
                data-country=check.then(|| cx.shop().country.clone())
                data-today=check.then(|| cx.today().to_string())
                data-age=check.then(|| cx.shop().minimum_age)
                data-too-long=words(&cx, Flaw::TooLong { max: 0 })
                data-too-short=words(&cx, Flaw::TooShort { min: 0 })
                data-not-a-name=words(&cx, Flaw::NotAName)
                data-control-characters=words(&cx, Flaw::ControlCharacters)
                data-not-a-phone=words(&cx, Flaw::NotAPhone)
                data-not-an-email=words(&cx, Flaw::NotAnEmail)
                data-not-a-date=words(&cx, Flaw::NotADate)
                data-in-the-future=words(&cx, Flaw::InTheFuture)
                data-too-old=words(&cx, Flaw::TooOld)
                data-too-young=words(&cx, Flaw::TooYoung { age: 0 })
            >
                {summary}
                <input type="hidden" name="_fn" value=name/>
                <input type="hidden" name="_form" value=id.clone()/>
                <input type="hidden" name="_key" value=key.clone()/>
                {children.render()}
            </form>
        }
    };
    // An owner of its own: the outcome is for the fields of this form, not for those of the next.
    let form = Owner::new().with(form);
    if check {
        // Stands outside of the form, which is replaced by the one that comes back. It is empty until something is sent.
        view! {
            <Enhance>
                {form}
                <p class="sr-only" aria-live="polite" data-sending=sending></p>
            </Enhance>
        }
        .into_html()
    } else {
        form.into_html()
    }
}

/// What is wrong, on top of a form, with links to the fields.
#[component]
pub fn ErrorSummary(
    /// Why the form was not taken.
    error: AppError,
    /// The form's id.
    form: String,
    /// Labels of the fields, by name.
    labels: Vec<(String, String)>,
    /// What to say when something else happened first.
    stale: &'static str,
) -> impl IntoView {
    let cx = cx();
    let t = &cx.t().form;
    let title_id = format!("{form}-errors");
    let heading_id = title_id.clone();
    let (title, lines) = match &error {
        AppError::Invalid { flaws } => {
            let n = i64::try_from(flaws.len()).unwrap_or_default();
            let lines: Vec<_> = flaws
                .iter()
                .map(|(name, flaw)| {
                    let label = labels
                        .iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, label)| format!("{label}: "));
                    let words = cx.flaw(flaw);
                    let text = match label {
                        Some(label) => format!("{label}{}", lower_first(&words)),
                        None => words,
                    };
                    view! { <li><a href=format!("#{form}-{name}")>{text}</a></li> }
                })
                .collect();
            (t.mend(n), Some(view! { <ul>{lines}</ul> }))
        }
        AppError::Stale => (stale.to_owned(), None),
        AppError::TooMany { retry_after: 0 } => (t.enough.to_owned(), None),
        AppError::TooMany { retry_after } if *retry_after <= 90 => (t.wait_seconds(i64::from(*retry_after)), None),
        AppError::TooMany { retry_after } if *retry_after <= 7200 => {
            (t.wait_minutes(i64::from(retry_after.div_ceil(60))), None)
        }
        AppError::TooMany { retry_after } => (t.wait_hours(i64::from(retry_after.div_ceil(3600))), None),
        AppError::Busy => (t.busy.to_owned(), None),
        AppError::TooLarge => (t.too_large.to_owned(), None),
        AppError::Forbidden => (t.forbidden.to_owned(), None),
        AppError::NotFound => (t.gone.to_owned(), None),
        AppError::SignedOut | AppError::NotFresh => (t.signed_out.to_owned(), None),
        AppError::Unavailable => (t.unavailable.to_owned(), None),
        AppError::Refused | AppError::Internal => (t.failed.to_owned(), None),
    };
    // What we have to find in the log, when somebody asks.
    let number = matches!(error, AppError::Unavailable | AppError::Internal).then(|| {
        view! { <p class="hint">{cx.t().error.request_id} " " <code>{cx.request_id.clone()}</code></p> }
    });
    view! {
        <div class="errors" role="alert" tabindex="-1" aria-labelledby=title_id>
            <h2 id=heading_id>{title}</h2>
            {lines}
            {number}
        </div>
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// The line under a field that is reserved for its message.
#[component]
pub fn FieldMessage(
    /// The id of the field.
    id: String,
    /// The message, if there is one.
    message: Option<String>,
) -> impl IntoView {
    view! { <p class="msg" id=format!("{id}-message")>{message}</p> }
}

/// The id of a field: unique in the page though two forms have a field of one name.
pub(super) fn field_id(name: &str) -> String {
    let form = held_form();
    format!("{form}-{name}")
}

/// The id of the form being rendered.
#[derive(Clone)]
struct FormId(String);

fn held_form() -> String {
    let id = use_context::<FormId>();
    // A field that is made before its form would lose what was typed: make it inside, or in a closure called there.
    debug_assert!(id.is_some(), "a field stands outside its form");
    id.map(|f| f.0).unwrap_or_default()
}

/// A field of one line.
#[component]
pub fn Field(
    /// Its name.
    name: &'static str,
    /// What it asks for.
    #[prop(into)]
    label: String,
    /// More about it, under the label.
    #[prop(optional, into)]
    hint: Option<String>,
    /// The kind of input.
    #[prop(default = "text")]
    kind: &'static str,
    /// What stands in it before anything was typed.
    #[prop(optional, into)]
    value: String,
    /// How the browser checks it; see [`islands::Enhance`].
    #[prop(optional)]
    check: Option<&'static str>,
    /// What to say when nothing was typed.
    #[prop(optional, into)]
    missing: Option<String>,
    /// May stay empty.
    #[prop(default = false)]
    optional: bool,
    /// The browser's help in filling it (HTML, autofill detail tokens).
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// The keyboard to show.
    #[prop(optional)]
    inputmode: Option<&'static str>,
    /// What the Enter key of a touch keyboard says.
    #[prop(default = "next")]
    enterkeyhint: &'static str,
    /// More classes.
    #[prop(default = "")]
    class: &'static str,
    /// The page opens with the cursor here.
    #[prop(default = false)]
    autofocus: bool,
) -> impl IntoView {
    let cx = cx();
    let id = field_id(name);
    let message = message(&cx, name, missing.as_deref());
    let invalid = message.is_some().then_some("true");
    // A secret is never sent back.
    let value = if kind == "password" {
        String::new()
    } else {
        typed(name, &value)
    };
    let described = match hint {
        Some(_) => format!("{id}-hint {id}-message"),
        None => format!("{id}-message"),
    };
    view! {
        <div class="field">
            <label for=id.clone()>
                {label}
                {optional.then(|| view! { " " <span class="optional">{cx.t().form.optional}</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            <input
                class=format!("input {class}")
                id=id.clone()
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                inputmode=inputmode
                enterkeyhint=enterkeyhint
                aria-describedby=described
                aria-invalid=invalid
                autofocus=autofocus
                data-name=id.clone()
                data-check=check
                spellcheck=(kind != "text" || check.is_some()).then_some("false")
            />
            <FieldMessage id=id message=message/>
        </div>
    }
}

/// A field of several lines.
#[component]
pub fn TextArea(
    /// Its name.
    name: &'static str,
    /// What it asks for.
    #[prop(into)]
    label: String,
    /// More about it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    /// How the browser checks it.
    #[prop(optional)]
    check: Option<&'static str>,
    /// What to say when nothing was typed.
    #[prop(optional, into)]
    missing: Option<String>,
    /// May stay empty.
    #[prop(default = false)]
    optional: bool,
    /// Lines to show.
    #[prop(default = 5)]
    rows: u8,
) -> impl IntoView {
    let cx = cx();
    let id = field_id(name);
    let message = message(&cx, name, missing.as_deref());
    let invalid = message.is_some().then_some("true");
    let described = match hint {
        Some(_) => format!("{id}-hint {id}-message"),
        None => format!("{id}-message"),
    };
    // The framework writes what is inside <textarea> as it is, as if it were a script; and a first line break is dropped by
    // the parser, so the text keeps its own.
    let value = format!("\n{}", typed(name, &value).replace('&', "&amp;").replace('<', "&lt;"));
    view! {
        <div class="field">
            <label for=id.clone()>
                {label}
                {optional.then(|| view! { " " <span class="optional">{cx.t().form.optional}</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            <textarea
                class="input"
                id=id.clone()
                name=name
                rows=rows.to_string()
                dir="auto"
                aria-describedby=described
                aria-invalid=invalid
                data-name=id.clone()
                data-check=check
            >
                {value}
            </textarea>
            <FieldMessage id=id message=message/>
        </div>
    }
}

/// Files to go along, of which several may be chosen. What they may be and how large, the shop says.
#[component]
pub fn FilesField() -> impl IntoView {
    let cx = cx();
    let (t, allowed) = (&cx.t().form, cx.shop().attachments);
    let n = i64::try_from(allowed.files).unwrap_or(i64::MAX);
    view! { <FileField label=t.files hint=t.files_hint(allowed.file_mb, n) accept=ACCEPT multiple=true/> }
}

/// A file to go along.
#[component]
pub fn FileField(
    /// What it asks for.
    label: &'static str,
    /// What it may be, and how large.
    #[prop(into)]
    hint: String,
    /// Kinds of files, as browsers name them.
    accept: &'static str,
    /// Several may be chosen.
    #[prop(optional)]
    multiple: bool,
    /// May stay empty.
    #[prop(default = true)]
    optional: bool,
) -> impl IntoView {
    let cx = cx();
    let t = &cx.t().form;
    let id = field_id(FILES);
    // A browser does not keep what was chosen when the page comes back; a page that stays does (`islands::Enhance`).
    let wrong = message(&cx, FILES, None);
    let again = (wrong.is_none() && !typed(FILES, "").is_empty()).then(|| t.files_again.to_owned());
    let is_again = again.is_some().then_some("");
    let message = wrong.or(again);
    let invalid = message.is_some().then_some("true");
    view! {
        <div class="field">
            <label for=id.clone()>
                {label}
                {optional.then(|| view! { " " <span class="optional">{t.optional}</span> })}
            </label>
            <p class="hint" id=format!("{id}-hint")>{hint}</p>
            <input
                class="input"
                type="file"
                id=id.clone()
                name=FILES
                multiple=multiple
                accept=accept
                aria-describedby=format!("{id}-hint {id}-message")
                aria-invalid=invalid
                data-name=id.clone()
                data-again=is_again
            />
            <FieldMessage id=id message=message/>
        </div>
    }
}

/// One of several answers in a list: its value and its words.
pub type ChoiceOption = (String, String);

/// What stands in a list to choose from: answers, then answers under headings.
pub(crate) fn grouped(options: Vec<ChoiceOption>, groups: Vec<(String, Vec<ChoiceOption>)>, chosen: &str) -> Html {
    let shown = |options: Vec<ChoiceOption>| -> Vec<_> {
        options
            .into_iter()
            .map(|(value, words)| view! { <option value=value.clone() selected=value == chosen>{words}</option> })
            .collect()
    };
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(heading, options)| view! { <optgroup label=heading>{shown(options)}</optgroup> })
        .collect();
    view! { {shown(options)} {groups} }.into_html()
}

/// A list to choose one answer from.
#[component]
pub fn Select(
    /// Its name.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: String,
    /// More about it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// The answers; the first may be empty for "none".
    options: Vec<ChoiceOption>,
    /// More answers, each of these under a heading.
    #[prop(optional)]
    groups: Vec<(String, Vec<ChoiceOption>)>,
    /// The answer chosen at first.
    #[prop(optional, into)]
    value: String,
    /// May stay empty.
    #[prop(default = false)]
    optional: bool,
) -> impl IntoView {
    let cx = cx();
    let id = field_id(&name);
    let message = message(&cx, &name, Some(cx.t().flaw.not_a_choice));
    let invalid = message.is_some().then_some("true");
    let described = match hint {
        Some(_) => format!("{id}-hint {id}-message"),
        None => format!("{id}-message"),
    };
    let options = grouped(options, groups, &typed(&name, &value));
    view! {
        <div class="field">
            <label for=id.clone()>
                {label}
                {optional.then(|| view! { " " <span class="optional">{cx.t().form.optional}</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            <select class="input" id=id.clone() name=name aria-invalid=invalid aria-describedby=described>
                {options}
            </select>
            <FieldMessage id=id message=message/>
        </div>
    }
}

/// A day of the past as day, month and year: fields `<prefix>day`, `<prefix>month`, `<prefix>year`; messages stand at
/// `name`.
#[component]
pub fn DateField(
    /// The name its flaws carry: `birthday`, `child`.
    name: &'static str,
    /// What it asks for.
    #[prop(into)]
    label: String,
    /// More about it.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What to say when nothing was typed.
    #[prop(optional, into)]
    missing: Option<String>,
    /// Day, month and year at first.
    #[prop(optional)]
    value: [String; 3],
    /// It is the person's own birthday, so the browser may fill it.
    #[prop(default = false)]
    own: bool,
) -> impl IntoView {
    let cx = cx();
    let t = &cx.t().form;
    let id = field_id(name);
    let message = message(&cx, name, missing.as_deref());
    let invalid = message.is_some().then_some("true");
    let [day, month, year] = value;
    let (group, first) = (id.clone(), id.clone());
    let month = typed("month", &month);
    let fill = |what: &'static str| if own { what } else { "off" };
    let months: Vec<_> = std::iter::once((String::new(), t.month_choose.to_owned()))
        .chain(
            crate::format::months(cx.lang)
                .iter()
                .zip(1..)
                .map(|(name, n): (_, i32)| (n.to_string(), (*name).to_owned())),
        )
        .map(|(value, words)| view! { <option value=value.clone() selected=value == month>{words}</option> })
        .collect();
    let described = match hint {
        Some(_) => format!("{id}-hint {id}-message"),
        None => format!("{id}-message"),
    };
    view! {
        <fieldset class="field" aria-describedby=described data-check-group=name data-name=group>
            <legend>{label}</legend>
            {hint.map(|hint| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            <div class="date3">
                <label>
                    {t.day}
                    <input class="input" id=first name="day" data-part="day" inputmode="numeric" autocomplete=fill("bday-day")
                        maxlength="2" value=typed("day", &day) aria-invalid=invalid/>
                </label>
                <label>
                    {t.month}
                    <select class="input" name="month" data-part="month" autocomplete=fill("bday-month") aria-invalid=invalid>{months}</select>
                </label>
                <label>
                    {t.year}
                    <input class="input" name="year" data-part="year" inputmode="numeric" autocomplete=fill("bday-year")
                        maxlength="4" value=typed("year", &year) aria-invalid=invalid/>
                </label>
            </div>
            <FieldMessage id=id message=message/>
        </fieldset>
    }
}

/// A box to tick.
#[component]
pub fn Check(
    /// Its name.
    #[prop(into)]
    name: String,
    /// The value that is sent when it is ticked.
    #[prop(default = "yes".to_owned(), into)]
    value: String,
    /// The name that its flaws carry, where it is not `name`.
    #[prop(optional, into)]
    flaw: Option<String>,
    /// Ticked from the start.
    #[prop(default = false)]
    checked: bool,
    /// What it says; may hold a link to more.
    children: Inside,
) -> impl IntoView {
    let cx = cx();
    let flaw = flaw.unwrap_or_else(|| name.clone());
    let id = field_id(&flaw);
    let message = message(&cx, &flaw, None);
    let invalid = message.is_some().then_some("true");
    let checked = ticked(&name, &value, checked);
    view! {
        <label class="check">
            <input class="checkbox" type="checkbox" id=id.clone() name=name value=value checked=checked
                aria-invalid=invalid aria-describedby=format!("{id}-message")/>
            <span>{children.render()}</span>
        </label>
        {message.map(|m| view! { <FieldMessage id=id.clone() message=Some(m)/> })}
    }
}

/// Boxes of which any number may be ticked, under one legend. They are sent as `name[]`.
#[component]
pub fn Choices(
    /// Their name; sent as `name[]`.
    name: &'static str,
    /// What they are about.
    #[prop(into)]
    legend: String,
    /// Value, words, and whether it is ticked from the start.
    options: Vec<(String, String, bool)>,
) -> impl IntoView {
    let cx = cx();
    let id = field_id(name);
    let message = message(&cx, name, None);
    let field = format!("{name}[]");
    let boxes: Vec<_> = options
        .into_iter()
        .map(|(value, words, checked)| {
            let checked = ticked(&field, &value, checked);
            view! {
                <label class="check">
                    <input class="checkbox" type="checkbox" name=field.clone() value=value checked=checked/>
                    <span>{words}</span>
                </label>
            }
        })
        .collect();
    view! {
        <fieldset class="field" id=id.clone() aria-describedby=format!("{id}-message")>
            <legend>{legend}</legend>
            {boxes}
            <FieldMessage id=id.clone() message=message/>
        </fieldset>
    }
}
