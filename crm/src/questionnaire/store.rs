//! The questionnaire in the database.

use super::{Answer, Choice, Question};
use crate::customer::store as customers;
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::CustomerId;
use crate::lang::Localized;
use crate::on;
use crate::rule::Occasion;
use crate::rule::store::rewarding;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Reason, Staff, Subject};
use sqlx::types::Json;
use std::collections::BTreeMap;

/// The questions that are asked now, in their order.
pub async fn questions(conn: &mut Conn) -> Result<Vec<Question>, Error> {
    type Asked = (String, i64, bool, Json<Localized>, Json<Localized>);
    type Offered = (String, i64, String, Json<Localized>);
    const QUESTIONS: &str = "SELECT r.code, r.version, r.is_guarded, r.title, r.why FROM questionnaire_questions r WHERE r.enabled \
                             AND r.version = (SELECT MAX(n.version) FROM questionnaire_questions n WHERE n.code = r.code \
                             AND n.published_at <= $1) ORDER BY r.position, r.code";
    const CHOICES: &str =
        "SELECT question, version, code, name FROM questionnaire_choices ORDER BY question, position, code";
    let now = conn.now();
    let asked: Vec<Asked> = on!(conn, |c| sqlx::query_as(QUESTIONS).bind(now).fetch_all(c).await)?;
    let offered: Vec<Offered> = on!(conn, |c| sqlx::query_as(CHOICES).fetch_all(c).await)?;
    let question = |(code, version, is_guarded, Json(title), Json(why)): Asked| {
        let of_it = offered.iter().filter(|one| one.0 == code && one.1 == version);
        let choices = of_it.map(|(_, _, code, Json(name))| Choice {
            code: code.clone(),
            name: name.clone(),
        });
        Question {
            choices: choices.collect(),
            code,
            version,
            is_guarded,
            title,
            why,
        }
    };
    Ok(asked.into_iter().map(question).collect())
}

/// Everything that a customer told, in the order in which it is asked.
pub async fn told(conn: &mut Conn, by: &Customer) -> Result<Vec<Answer>, Error> {
    Ok(answers(conn, by.id()).await?)
}

/// What of it staff see who may open the customer's record.
pub async fn open(conn: &mut Conn, of: Subject) -> Result<Vec<Answer>, Error> {
    let mut answers = answers(conn, of.id()).await?;
    answers.retain(|answer| !answer.is_guarded);
    Ok(answers)
}

/// What of it takes the right [`Income`](crate::staff::Right::Income). Writes down that it was read.
pub async fn guarded(db: &Db, by: &Staff, id: CustomerId) -> Result<Vec<Answer>, Error> {
    let of = by.open(db, id, Reason::Income).await?;
    let mut answers = answers(&mut db.read().await?, of.id()).await?;
    answers.retain(|answer| answer.is_guarded);
    Ok(answers)
}

async fn answers(conn: &mut Conn, of: CustomerId) -> Result<Vec<Answer>, sqlx::Error> {
    const SQL: &str = "SELECT a.question, q.title, a.choice, c.name, q.is_guarded FROM answers a \
                       JOIN questionnaire_questions q ON q.code = a.question AND q.version = a.version \
                       JOIN questionnaire_choices c ON c.question = a.question AND c.version = a.version AND c.code = a.choice \
                       WHERE a.customer_id = $1 ORDER BY q.position, a.question";
    on!(conn, |c| sqlx::query_as(SQL).bind(of).fetch_all(c).await)
}

/// Takes what a customer chose, by the codes of the questions; of one that is empty or missing, the answer is deleted. What is
/// none of the choices is [`Flaw::NotAChoice`] at the question. Rules are asked once all is answered that is not guarded: nobody
/// sells their income for points.
pub async fn tell(db: &Db, by: &Customer, chosen: &BTreeMap<String, String>) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            let questions = questions(tx).await?;
            let choice = |question: &Question| chosen.get(&question.code).map_or("", String::as_str);
            let mut check = Check::new();
            for question in &questions {
                let choice = choice(question);
                let is_one = choice.is_empty() || question.choices.iter().any(|one| one.code == choice);
                check.field(&question.code, is_one.then_some(()).ok_or(Flaw::NotAChoice));
            }
            check.result()?;
            for question in &questions {
                put(tx, by.id(), question, choice(question)).await?;
            }
            by.record(tx, "questionnaire.tell", None).await?;
            reward(tx, by.id(), &questions, chosen).await
        })
    })
    .await
}

/// Asks the rules once all is answered that is not guarded.
async fn reward(
    tx: &mut Tx,
    customer: CustomerId,
    questions: &[Question],
    chosen: &BTreeMap<String, String>,
) -> Result<(), Error> {
    // Where nothing is asked, nothing is told.
    let is_told = {
        let mut open = questions.iter().filter(|question| !question.is_guarded).peekable();
        open.peek().is_some() && open.all(|one| chosen.get(&one.code).is_some_and(|choice| !choice.is_empty()))
    };
    if is_told {
        rewarding::on(tx, Occasion::Questionnaire, customer).await?;
    }
    Ok(())
}

/// What was chosen of each question that is asked now and not guarded, by its code; empty: nothing.
pub async fn chosen(conn: &mut Conn, of: Subject) -> Result<BTreeMap<String, String>, Error> {
    let told = answers(conn, of.id()).await?;
    let open = questions(conn).await?.into_iter().filter(|one| !one.is_guarded);
    let choice = |code: &str| {
        let answer = told.iter().find(|answer| answer.question == code);
        answer.map(|answer| answer.choice.clone()).unwrap_or_default()
    };
    Ok(open.map(|one| (one.code.clone(), choice(&one.code))).collect())
}

/// Notes what a customer told staff, in the place of what was [`chosen`] and `seen`: [`Error::Stale`] where it is not so any more.
/// What is guarded nobody notes for them. Fields: those of [`tell`], and `reason`, which is written down; answers are in no log.
pub async fn note(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    seen: &BTreeMap<String, String>,
    told: &BTreeMap<String, String>,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::PersonalData)?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            let before = chosen(tx, subject).await?;
            let mut questions = questions(tx).await?;
            questions.retain(|question| !question.is_guarded);
            let choice = |question: &Question| told.get(&question.code).cloned().unwrap_or_default();
            let mut check = Check::new();
            let reason = check.field("reason", flaw::text(reason, REASON_MAX));
            for question in &questions {
                let choice = choice(question);
                let is_one = choice.is_empty() || question.choices.iter().any(|one| one.code == choice);
                check.field(&question.code, is_one.then_some(()).ok_or(Flaw::NotAChoice));
            }
            check.result()?;
            if before != *seen {
                return Err(Error::Stale);
            }
            let after: BTreeMap<_, _> = questions.iter().map(|one| (one.code.clone(), choice(one))).collect();
            if before == after {
                return Ok(());
            }
            for question in &questions {
                if before.get(&question.code) != after.get(&question.code) {
                    put(tx, customer, question, &choice(question)).await?;
                }
            }
            let reason = reason.unwrap_or_default();
            by.record(tx, "questionnaire.note", Some(customer), None, &reason)
                .await?;
            reward(tx, customer, &questions, &after).await
        })
    })
    .await
}

async fn put(tx: &mut Tx, customer: CustomerId, question: &Question, choice: &str) -> Result<(), sqlx::Error> {
    const DELETE: &str = "DELETE FROM answers WHERE customer_id = $1 AND question = $2";
    const PUT: &str = "INSERT INTO answers (customer_id, question, version, choice, at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (customer_id, question) DO UPDATE SET version = excluded.version, \
                       choice = excluded.choice, at = excluded.at";
    if choice.is_empty() {
        return on!(tx, |c| sqlx::query(DELETE)
            .bind(customer)
            .bind(&question.code)
            .execute(c)
            .await
            .map(drop));
    }
    let now = tx.now();
    on!(tx, |c| sqlx::query(PUT)
        .bind(customer)
        .bind(&question.code)
        .bind(question.version)
        .bind(choice)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Deletes every answer of a customer.
pub async fn withdraw(db: &Db, by: &Customer) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM answers WHERE customer_id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL).bind(by.id()).execute(c).await.map(drop))?;
            by.record(tx, "questionnaire.withdraw", None).await?;
            Ok(())
        })
    })
    .await
}
