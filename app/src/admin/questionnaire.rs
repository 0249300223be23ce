//! The questions of the questionnaire, as staff write them: each save is another version.

use super::scripts::{coded, coded_line, line};
use super::versions::{self, difference};
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, DataTable, Field, FormBox, Head, TextArea, pairs};
use crm::lang::Localized;
use crm::questionnaire::Choice;
use crm::questionnaire::managing::{self, NewQuestion, Record, Version};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/questionnaire";

/// What a question says, as a form sends it: an answer in each line, `code: Русский / English`.
#[derive(Deserialize)]
pub struct QuestionFields {
    title_ru: String,
    title_en: String,
    why_ru: String,
    why_en: String,
    choices: String,
    position: String,
    #[serde(default)]
    asked: String,
}

impl QuestionFields {
    fn read(self, key: String, guarded: bool) -> NewQuestion {
        NewQuestion {
            key,
            position: self.position,
            asked: self.asked == "yes",
            guarded,
            title: Localized::new(self.title_ru, self.title_en),
            why: Localized::new(self.why_ru, self.why_en),
            choices: coded(&self.choices),
        }
    }
}

/// Adds a question.
#[derive(Deserialize)]
pub struct AddQuestion {
    key: String,
    #[serde(default)]
    guarded: String,
    #[serde(flatten)]
    fields: QuestionFields,
}

impl Form for AddQuestion {
    const NAME: &'static str = "questionnaire.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(self.key, self.guarded == "yes");
        let code = managing::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=created")))
    }
}

/// Writes the next version of the question at hand. `seen` is the version that was shown.
#[derive(Deserialize)]
pub struct ChangeQuestion {
    seen: String,
    #[serde(flatten)]
    fields: QuestionFields,
}

impl Form for ChangeQuestion {
    const NAME: &'static str = "questionnaire.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        let seen = self.seen.parse().map_err(|_| AppError::Refused)?;
        managing::change(&cx.db, cx.staff()?, seen, &self.fields.read(code.clone(), false)).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=saved")))
    }
}

/// The questions.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_questionnaire;
    let all = managing::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|Version { record, .. }| {
            let question = &record.question;
            view! {
                <tr>
                    <td class="num">{crate::format::integer(record.position)}</td>
                    <td class="grow"><a href=format!("{HERE}/{}", question.code)><bdi>{cx.pick(&question.title)}</bdi></a></td>
                    <td>{asked(&cx, record)}</td>
                    <td class="num">{crate::format::integer(question.version)}</td>
                    <td><code>{question.code.clone()}</code></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Number(t.place),
        Head::Words(t.question),
        Head::Words(t.state),
        Head::Number(t.version),
        Head::Words(t.code),
    ];
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let view = view! {
        {back("/admin/texts", cx.t().admin_texts.title)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
        <AddBox<AddQuestion> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            {fields(&inside, None)}
            <Check name="guarded">{t.guard}</Check>
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddQuestion>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// Whether it is asked, and who sees answers.
fn asked(cx: &Cx, record: &Record) -> String {
    let t = &cx.t().admin_questionnaire;
    let is_asked = if record.is_asked { t.is_asked } else { t.is_not_asked };
    match record.question.is_guarded {
        true => format!("{is_asked}, {}", t.is_guarded),
        false => is_asked.to_owned(),
    }
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let t = &cx.t().admin_questionnaire;
    pairs([
        ("title_ru", t.title_ru),
        ("title_en", t.title_en),
        ("why_ru", t.why_ru),
        ("why_en", t.why_en),
        ("choices", t.choices),
        ("position", t.place),
    ])
}

/// The fields of a question, filled in.
fn fields(cx: &Cx, held: Option<&Record>) -> Html {
    let t = &cx.t().admin_questionnaire;
    let (title, why) = held.map_or_else(Default::default, |held| {
        (held.question.title.clone(), held.question.why.clone())
    });
    let choices: Vec<_> = held
        .iter()
        .flat_map(|held| &held.question.choices)
        .map(|choice| coded_line(&choice.code, &choice.name))
        .collect();
    let (place, is_asked) = held.map_or_else(
        || (String::new(), true),
        |held| (held.position.to_string(), held.is_asked),
    );
    view! {
        <Field name="title_ru" label=t.title_ru value=title.ru/>
        <Field name="title_en" label=t.title_en value=title.en/>
        <Field name="why_ru" label=t.why_ru hint=t.why_hint value=why.ru/>
        <Field name="why_en" label=t.why_en value=why.en/>
        <TextArea name="choices" label=t.choices hint=t.choices_hint value=choices.join("\n") rows=6/>
        <Field name="position" label=t.place hint=t.place_hint value=place inputmode="numeric"/>
        <Check name="asked" checked=is_asked>{t.ask}</Check>
    }
    .into_html()
}

/// What a version says line by line: in this form two versions are compared.
fn lines(cx: &Cx, record: &Record) -> Vec<String> {
    let t = &cx.t().admin_questionnaire;
    let question = &record.question;
    let mut lines = vec![
        format!("{}: {}", t.question, line(&question.title)),
        format!("{}: {}", t.why, line(&question.why)),
    ];
    let choice = |choice: &Choice| format!("{}: {} ({})", t.choice, line(&choice.name), choice.code);
    lines.extend(question.choices.iter().map(choice));
    lines.push(format!("{}: {}", t.place, record.position));
    lines.push(asked(cx, record));
    lines
}

/// One question, with every version of it.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_questionnaire;
    let code: String = cx.param("code")?;
    let all = managing::versions(&cx.db, cx.staff()?, &code).await?;
    let held = all.first().ok_or(AppError::NotFound)?.record.clone();
    let title = cx.pick(&held.question.title);
    let done = [("created", t.done_created), ("saved", cx.t().admin_rules.done_saved)];
    let (inside, labels, save) = (cx.clone(), labels(&cx), cx.t().admin_rules.save);
    let seen = held.question.version.to_string();
    let state = asked(&cx, &held);
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p><code>{held.question.code.clone()}</code> " · " {state}</p>
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            <p class="hint">{t.edit_hint}</p>
            <FormBox<ChangeQuestion> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                {fields(&inside, Some(&held))}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangeQuestion>>
        </section>
        {history(&cx, &all)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Every version of it, the newest first, each with what it changed.
fn history(cx: &Cx, all: &[Version]) -> Option<Html> {
    let about = |one: &Version| (one.record.question.version, one.published_at, one.published_by.clone());
    versions::past_of(cx, all, cx.t().admin_scripts.by_program, about, |now, before| {
        difference(cx, before.map(|before| &before.record), &now.record, |record| {
            lines(cx, record)
        })
    })
}
