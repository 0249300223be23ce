//! The questionnaire: what a customer tells of themselves if they like to, and takes back when they like to.

use super::{back, flash};
use crate::admin::rules::words::Words;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{FormBox, Select};
use crm::customer::store as customers;
use crm::questionnaire::{Answer, Question, store};
use crm::rule::store as rules;
use crm::rule::{Occasion, Rule};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Takes the answers: a field for each question, by its code.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Tell(BTreeMap<String, String>);

impl Form for Tell {
    const NAME: &'static str = "questionnaire.tell";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        store::tell(&cx.db, cx.customer()?, &self.0).await?;
        Ok(Next::to("/questionnaire?done=told"))
    }
}

/// Deletes the answers.
#[derive(Deserialize)]
pub struct Withdraw {}

impl Form for Withdraw {
    const NAME: &'static str = "questionnaire.withdraw";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        store::withdraw(&cx.db, cx.customer()?).await?;
        Ok(Next::to("/questionnaire?done=withdrawn"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().questionnaire;
    let me = cx.subject()?;
    let mut conn = cx.db.read().await?;
    let mut questions = store::questions(&mut conn).await?;
    let told = match &cx.viewer {
        Some(_) => store::open(&mut conn, me).await?,
        None => store::told(&mut conn, cx.customer()?).await?,
    };
    let gives = customers::gives_for(&mut conn, me, Occasion::Questionnaire).await?;
    let all: Vec<&Rule> = gives.iter().collect();
    let names = rules::names(&mut conn, &all).await?;
    drop(conn);
    let reward = reward(&Words { cx: &cx, names: &names }, &questions, &gives);
    // Staff read the answers to these by a right of its own.
    let are_left_out = cx.viewer.is_some() && questions.iter().any(|question| question.is_guarded);
    if are_left_out {
        questions.retain(|question| !question.is_guarded);
    }
    let left_out = are_left_out.then(|| view! { <p class="hint">{t.viewing}</p> }.into_html());
    let withdraw = (!told.is_empty()).then(|| {
        view! {
            <section class="section narrow" aria-labelledby="withdraw">
                <h2 id="withdraw">{t.withdraw_title}</h2>
                <p>{t.withdraw_text}</p>
                <FormBox<Withdraw> class="row-form"><button class="btn btn-danger-quiet">{t.withdraw}</button></FormBox<Withdraw>>
            </section>
        }
    });
    let labels = questions
        .iter()
        .map(|question| (question.code.clone(), cx.pick(&question.title)))
        .collect();
    let words = cx.clone();
    // Made inside its form, which knows what was chosen.
    let fields = move || {
        questions
            .iter()
            .map(|question| field(&words, question, &told))
            .collect::<Vec<_>>()
    };
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("told", t.done_told), ("withdrawn", t.done_withdrawn)])}
        {reward}
        <FormBox<Tell> labels=labels>
            {fields()}
            {left_out}
            <div class="actions">
                <button class="btn btn-primary">{t.save}</button>
                <a class="btn btn-quiet" href="/profile">{cx.t().common.cancel}</a>
            </div>
        </FormBox<Tell>>
        {withdraw}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}

pub(crate) fn field(cx: &Cx, question: &Question, told: &[Answer]) -> Html {
    let answer = told.iter().find(|answer| answer.question == question.code);
    let options: Vec<_> = std::iter::once((String::new(), cx.t().questionnaire.untold.to_owned()))
        .chain(
            question
                .choices
                .iter()
                .map(|choice| (choice.code.clone(), cx.pick(&choice.name))),
        )
        .collect();
    view! {
        <Select
            name=question.code.clone()
            label=cx.pick(&question.title)
            hint=cx.pick(&question.why)
            options=options
            value=answer.map(|answer| answer.choice.clone()).unwrap_or_default()
            optional=true
        />
    }
    .into_html()
}

/// What rules give for the answers, and which of them it does not take.
fn reward(words: &Words<'_>, questions: &[Question], gives: &[Rule]) -> Option<Html> {
    let t = &words.cx.t().questionnaire;
    if gives.is_empty() {
        return None;
    }
    let gives: Vec<String> = gives.iter().map(|rule| words.gives(rule)).collect();
    let not_asked: Vec<_> = questions
        .iter()
        .filter(|question| question.is_guarded)
        .map(|question| view! { " " {t.not_needed(words.cx.pick(&question.title))} })
        .collect();
    Some(view! { <p class="panel narrow">{t.gives(gives.join("; "))} {not_asked}</p> }.into_html())
}
