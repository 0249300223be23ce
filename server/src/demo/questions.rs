//! Questions that were asked in public: three with their answers, and one that staff still have to look at.

use super::people::Made;
use anyhow::Context as _;
use chrono::Duration;
use crm::db::{Db, scoped};
use crm::id::StaffId;
use crm::lang::Lang;
use crm::question::store::{self as questions, Past};
use crm::who::System;
use serde::Deserialize;

#[derive(Deserialize)]
struct Question {
    language: Lang,
    topic: String,
    name: String,
    age_hours: i64,
    body: String,
    answer: Option<String>,
    article: Option<String>,
}

/// Writes the questions, unless there are any.
pub(super) async fn write(db: &Db, by: &System, people: &[Made], agent: StaffId) -> anyhow::Result<()> {
    if questions::exist(&mut db.read().await?, by).await? {
        return Ok(());
    }
    let all: Vec<Question> = serde_json::from_str(include_str!("../../demo/questions.json"))?;
    let mut past = Vec::new();
    for one in all {
        let asker = people.iter().find(|person| person.language == one.language);
        let asker = asker.context("somebody speaks that language")?;
        past.push(Past {
            customer: asker.id,
            topic: one.topic,
            language: one.language,
            name: one.name,
            body: one.body,
            answer: one.answer.map(|answer| (answer, agent)),
            article: one.article,
            at: db.now() - Duration::hours(one.age_hours),
        });
    }
    let past = &past;
    db.write(|tx| {
        scoped(async move {
            for one in past {
                questions::put(tx, by, one).await?;
            }
            Ok::<_, crm::Error>(())
        })
    })
    .await?;
    Ok(())
}
