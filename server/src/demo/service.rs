//! What the desk works by, and what was done beside requests: a calendar with a policy for each priority, macros of everybody, talks
//! and tasks.

use super::people::Made;
use super::seed;
use anyhow::Context as _;
use chrono::{Datelike as _, Duration};
use crm::db::{Db, Tx};
use crm::id::{CustomerId, StaffId};
use crm::lang::Lang;
use crm::request::level::managing::{NewCalendar, NewPolicy, set_up_by_system};
use crm::request::macros::{self, NewMacro};
use crm::who::System;
use crm::{interaction, task};
use serde::Deserialize;

/// All of it, ready to be written down.
pub(super) struct Service {
    calendar: NewCalendar,
    policies: Vec<NewPolicy>,
    macros: Vec<NewMacro>,
    talks: Vec<interaction::Past>,
    tasks: Vec<task::Past>,
}

#[derive(Deserialize)]
struct Facts {
    calendar: Calendar,
    policies: Vec<NewPolicy>,
    macros: Vec<NewMacro>,
    talks: Vec<Talk>,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Calendar {
    name: String,
    weekday: String,
    saturday: String,
    sunday: String,
}

/// A talk or a task is with the customer to sign in as where it is `mine`, and else with somebody of that language.
#[derive(Deserialize)]
struct Talk {
    language: Lang,
    mine: bool,
    days_ago: i64,
    channel: String,
    script: String,
    outcome: String,
    note: String,
    minutes: String,
}

#[derive(Deserialize)]
struct Task {
    language: Lang,
    mine: bool,
    due_in_days: i64,
    #[serde(default)]
    kind: task::Kind,
    lead: bool,
    title: String,
}

impl Service {
    /// Reads it, for a demonstration that is made now.
    pub(super) fn read(
        db: &Db,
        people: &[Made],
        customer: CustomerId,
        [agent, lead]: [StaffId; 2],
    ) -> anyhow::Result<Self> {
        let facts: Facts = serde_json::from_str(include_str!("../../demo/service.json"))?;
        let (now, shop) = (db.now(), db.shop());
        let today = shop.day(now);
        let whom = |what: &str, language: Lang, is_mine: bool| -> anyhow::Result<CustomerId> {
            if is_mine {
                return Ok(customer);
            }
            let speak = |made: &&Made| made.language == language && made.id != customer;
            let speakers: Vec<_> = people.iter().filter(speak).collect();
            let number = usize::try_from(seed(what) % speakers.len().max(1) as u64)?;
            let made = speakers.get(number).context("somebody speaks that language")?;
            Ok(made.id)
        };
        let talk = |(i, one): (usize, Talk)| {
            anyhow::Ok(interaction::Past {
                customer: whom(&format!("talk {i}"), one.language, one.mine)?,
                staff: agent,
                entry: interaction::Entry {
                    channel: one.channel,
                    script: one.script,
                    outcome: one.outcome,
                    note: one.note,
                    minutes: one.minutes,
                },
                at: now - Duration::days(one.days_ago),
            })
        };
        let task = |(i, one): (usize, Task)| {
            anyhow::Ok(task::Past {
                customer: whom(&format!("task {i}"), one.language, one.mine)?,
                title: one.title,
                due_on: today + Duration::days(one.due_in_days),
                due_minute: task::ALL_DAY,
                kind: one.kind,
                owner: if one.lead { lead } else { agent },
                by: agent,
                at: now - Duration::days(5),
            })
        };
        let Calendar {
            name,
            weekday,
            saturday,
            sunday,
        } = facts.calendar;
        let mut week: [String; 7] = std::array::from_fn(|_| weekday.clone());
        let [.., sat, sun] = &mut week;
        (*sat, *sun) = (saturday, sunday);
        let (year, next) = (today.year(), today.year() + 1);
        Ok(Self {
            calendar: NewCalendar {
                name,
                time_zone: shop.time_zone.clone(),
                week,
                days: format!(
                    "{year}-01-01..{year}-01-08\n{year}-05-01\n{year}-05-09\n{year}-12-31 9:00–13:00\n\
                     {next}-01-01..{next}-01-08"
                ),
            },
            policies: facts.policies,
            macros: facts.macros,
            talks: facts
                .talks
                .into_iter()
                .enumerate()
                .map(talk)
                .collect::<anyhow::Result<_>>()?,
            tasks: facts
                .tasks
                .into_iter()
                .enumerate()
                .map(task)
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// Writes it down. What is promised counts for the requests that are written down afterwards.
    pub(super) async fn write(&self, tx: &mut Tx, by: &System, agent: StaffId) -> Result<(), crm::Error> {
        set_up_by_system(tx, by, &self.calendar, &self.policies).await?;
        for new in &self.macros {
            macros::create_by_system(tx, by, agent, new).await?;
        }
        for talk in &self.talks {
            interaction::store::put(tx, by, talk).await?;
        }
        for task in &self.tasks {
            task::store::put(tx, by, task).await?;
        }
        Ok(())
    }
}
