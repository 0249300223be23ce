//! What staff correct of a customer's own data: the record, answers to the questionnaire, birthdays of children.

use super::{done, labels, reason, was_about};
use crate::cabinet::questionnaire::field;
use crate::cx::Cx;
use crate::format;
use crate::route::{Form, Next};
use crate::texts;
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DateField, Field, FormBox, Select, TextArea};
use chrono::Datelike as _;
use crm::customer::correct::{self, Record, Typed};
use crm::customer::{Child, PersonForm};
use crm::flaw::Flaw;
use crm::id::{ChildId, CustomerId};
use crm::lang::Lang;
use crm::questionnaire::{Answer, Question, store as questionnaire};
use crm::stores::Store;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Corrects the record. `seen` is what it said as it was shown, in JSON.
#[derive(Deserialize)]
pub struct CorrectPerson {
    seen: String,
    name: String,
    surname: String,
    day: String,
    month: String,
    year: String,
    address: String,
    language: String,
    store: String,
    reason: String,
}

impl Form for CorrectPerson {
    const NAME: &'static str = "customer.correct";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        let seen: Record = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let language = Lang::from_code(&self.language);
        let typed = Typed {
            person: PersonForm {
                name: self.name,
                surname: self.surname,
                day: self.day,
                month: self.month,
                year: self.year,
            },
            address: self.address,
            language: language.ok_or_else(|| AppError::field("language", Flaw::NotAChoice))?,
            store: self.store,
        };
        correct::change(&cx.db, cx.staff()?, id, &seen, &typed, &self.reason).await?;
        done(id, "corrected")
    }
}

/// Notes answers to the questionnaire that the customer told: a field for each question, by its code, beside `seen` and `reason`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct NoteAnswers(BTreeMap<String, String>);

impl Form for NoteAnswers {
    const NAME: &'static str = "questionnaire.note";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        let mut told = self.0;
        let seen = told.remove("seen").unwrap_or_default();
        let seen = serde_json::from_str(&seen).map_err(|_| AppError::Refused)?;
        let reason = told.remove("reason").unwrap_or_default();
        questionnaire::note(&cx.db, cx.staff()?, id, &seen, &told, &reason).await?;
        done(id, "noted")
    }
}

/// Takes away the birthday of a child.
#[derive(Deserialize)]
pub struct DropChild {
    child: ChildId,
    reason: String,
}

impl Form for DropChild {
    const NAME: &'static str = "child.drop";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        correct::remove_child(&cx.db, cx.staff()?, id, self.child, &self.reason).await?;
        done(id, "child")
    }
}

/// What the section shows.
pub(super) struct Person {
    pub(super) record: Record,
    pub(super) children: Vec<Child>,
    pub(super) questions: Vec<Question>,
    pub(super) told: Vec<Answer>,
    pub(super) chosen: BTreeMap<String, String>,
    pub(super) shops: Vec<Store>,
}

pub(super) fn section(cx: &Cx, person: Person) -> Result<Html, AppError> {
    let t = &cx.t().acts;
    let record = correction(cx, &person.record, &person.shops)?;
    let answers = match person.questions.is_empty() {
        true => None,
        false => Some(answers(cx, person.questions, person.told, &person.chosen)?),
    };
    let children: Vec<_> = person.children.iter().map(|child| child_row(cx, child)).collect();
    let children = (!children.is_empty()).then(|| {
        view! {
            <h3>{cx.t().admin_customer.children}</h3>
            <p class="hint">{t.child_hint}</p>
            <ul class="stack">{children}</ul>
        }
    });
    let view = view! {
        <section class="section" aria-labelledby="person">
            <h2 id="person">{t.person}</h2>
            {record}
            {answers}
            {children}
        </section>
    };
    Ok(view.into_html())
}

fn correction(cx: &Cx, record: &Record, shops: &[Store]) -> Result<Html, AppError> {
    let (t, of_person, of_likes) = (&cx.t().acts, &cx.t().person, &cx.t().preferences);
    let seen = serde_json::to_string(record).map_err(|_| AppError::Internal)?;
    let date = record
        .birthday
        .map(|d| [d.day(), d.month(), d.year().unsigned_abs()].map(|n| n.to_string()));
    let held = record.store.clone().unwrap_or_default();
    let is_listed = held.is_empty() || shops.iter().any(|shop| shop.code == held);
    // A shop that is closed by now stays until another one is chosen.
    let closed = (!is_listed).then(|| (held.clone(), held.clone()));
    let options: Vec<_> = std::iter::once((String::new(), of_likes.no_store.to_owned()))
        .chain(closed)
        .chain(shops.iter().map(|shop| {
            (
                shop.code.clone(),
                format!("{}, {}", cx.pick(&shop.town), cx.pick(&shop.name)),
            )
        }))
        .collect();
    let languages = Lang::ALL.map(|lang| {
        let name = match lang {
            Lang::Ru => "Русский",
            Lang::En => "English",
        };
        (lang.code().to_owned(), name.to_owned())
    });
    let labels = labels(
        t,
        &[
            ("name", of_person.name),
            ("surname", of_person.surname),
            ("birthday", of_person.birthday),
            ("address", of_person.address),
            ("language", of_likes.language),
            ("store", of_likes.store),
        ],
    );
    let was_sent = cx.was_sent(CorrectPerson::NAME);
    // What stands there now is told beside what was typed, for a colleague or the customer may have been quicker.
    let now = was_sent.then(|| {
        let birthday = record.birthday.map(|day| format::date(cx.lang, day));
        let parts = [
            Some(format!("{} {}", record.name, record.surname)),
            birthday,
            record.address.clone(),
        ];
        t.now(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    });
    let Record {
        name,
        surname,
        address,
        language,
        ..
    } = record.clone();
    let view = view! {
        <details class="fold" open=was_sent>
            <summary>{t.correct_person}</summary>
            <p class="hint">{t.correct_person_hint}</p>
            {now.map(|now| view! { <p class="panel">{now}</p> })}
            <FormBox<CorrectPerson> labels=labels stale=t.person_stale>
                <input type="hidden" name="seen" value=seen/>
                <Field name="name" label=of_person.name missing=of_person.name_missing value=name/>
                <Field name="surname" label=of_person.surname missing=of_person.surname_missing value=surname/>
                <DateField name="birthday" label=of_person.birthday missing=of_person.birthday_missing
                    value=date.unwrap_or_default()/>
                <TextArea name="address" label=of_person.address value=address.unwrap_or_default() optional=true rows=2/>
                <Select name="language" label=of_likes.language options=languages.to_vec() value=language.code()/>
                <Select name="store" label=of_likes.store options=options value=held optional=true/>
                {reason(t)}
                <button class="btn">{t.save}</button>
            </FormBox<CorrectPerson>>
        </details>
    };
    Ok(view.into_html())
}

fn answers(
    cx: &Cx,
    questions: Vec<Question>,
    told: Vec<Answer>,
    chosen: &BTreeMap<String, String>,
) -> Result<Html, AppError> {
    let t = &cx.t().acts;
    let seen = serde_json::to_string(chosen).map_err(|_| AppError::Internal)?;
    let labels = questions
        .iter()
        .map(|question| (question.code.clone(), cx.pick(&question.title)))
        .chain(labels(t, &[]))
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
        <details class="fold" open=cx.was_sent(NoteAnswers::NAME)>
            <summary>{t.note_answers}</summary>
            <p class="hint">{t.note_answers_hint}</p>
            <FormBox<NoteAnswers> labels=labels stale=t.person_stale>
                <input type="hidden" name="seen" value=seen/>
                {fields()}
                {reason(t)}
                <button class="btn">{t.save}</button>
            </FormBox<NoteAnswers>>
        </details>
    };
    Ok(view.into_html())
}

fn child_row(cx: &Cx, child: &Child) -> Html {
    let t: &texts::Acts = &cx.t().acts;
    let (id, birthday) = (child.id.to_string(), format::date(cx.lang, child.birthday));
    let is_open = was_about(cx, DropChild::NAME, "child", &id);
    view! {
        <li>
            {birthday.clone()}
            <details class="fold" open=is_open>
                <summary>{t.drop} <span class="sr-only">": " {birthday}</span></summary>
                <FormBox<DropChild> id=format!("child-drop-{id}") labels=labels(t, &[])>
                    <input type="hidden" name="child" value=id/>
                    {reason(t)}
                    <button class="btn btn-danger-quiet">{t.drop}</button>
                </FormBox<DropChild>>
            </details>
        </li>
    }
    .into_html()
}
