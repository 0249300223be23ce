//! Service levels: by when staff owe a customer the first answer, the next one and a solution, in working time.
//!
//! A policy says how long each may take for requests about a topic and of a priority; the one that fits best counts. What is
//! promised of a request is a clock: it begins with what the customer did, stands still while the customer is waited for (but for
//! the first answer, before which nobody asked them anything), and ends with the answer or with the end of the request. Whatever
//! changes a request moves its clocks in the same transaction
//! ([`store::follow`]); what comes of time alone, a warning or that it is over, is found by the job ([`store::run_due`]).

mod calendar;
pub mod managing;
pub mod store;

pub use calendar::{Calendar, DAYS_MAX, Days, Span, Week, days, hours, show_days, show_hours};

use super::Promise;
use super::desk::Priority;
use crate::id::{CalendarId, PolicyId, TopicId};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// What staff are told of a request, in their inbox: what is owed, and that it is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Told {
    /// Time runs out, to whoever works on it.
    Warning,
    /// It is over, likewise.
    Breach,
    /// Leads are to look after it.
    Escalation,
    /// It is nobody's again, to whoever had it.
    Returned,
    /// It was given to them, in turn or by a colleague.
    Given,
    /// A colleague took it from them, or gave it to others.
    Taken,
}

impl Told {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Breach => "breach",
            Self::Escalation => "escalation",
            Self::Returned => "returned",
            Self::Given => "given",
            Self::Taken => "taken",
        }
    }
}

/// What is promised, and what happens before and after it is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Policy {
    /// Its id.
    #[serde(skip)]
    pub id: PolicyId,
    /// By which calendar time is counted.
    pub calendar_id: CalendarId,
    /// For requests about this topic and what lies below it; none: about any.
    pub topic_id: Option<TopicId>,
    /// For requests of this priority; none: of any.
    pub priority: Option<Priority>,
    /// In how many minutes of working time the first answer comes; none: it is not promised.
    pub first_answer: Option<i64>,
    /// Every other answer, likewise.
    pub next_answer: Option<i64>,
    /// A solution, likewise.
    pub solution: Option<i64>,
    /// After how many percent of the time whoever works on it is warned.
    pub warn_percent: i64,
    /// After how many the leads are told; none: they are not.
    pub lead_percent: Option<i64>,
    /// After how many it is nobody's again; none: it stays with whom it is.
    pub queue_percent: Option<i64>,
    /// When it was written down like this.
    #[serde(skip)]
    pub changed_at: DateTime<Utc>,
}

impl Policy {
    /// In how many minutes of working time something is promised.
    pub fn minutes(&self, kind: Promise) -> Option<i64> {
        match kind {
            Promise::FirstAnswer => self.first_answer,
            Promise::NextAnswer => self.next_answer,
            Promise::Solution => self.solution,
        }
    }
}

/// The policy for a request: what is about its topic before what is about the topic above, before what is about any; then what is
/// about its priority.
pub fn choose(policies: &[Policy], topic: TopicId, above: Option<TopicId>, priority: Priority) -> Option<&Policy> {
    let fit = |policy: &Policy| {
        let by_topic = match policy.topic_id {
            Some(id) if id == topic => 2,
            Some(id) if Some(id) == above => 1,
            Some(_) => return None,
            None => 0,
        };
        let by_priority = match policy.priority {
            Some(only) if only == priority => 1,
            Some(_) => return None,
            None => 0,
        };
        Some((by_topic, by_priority))
    };
    let fitting = policies.iter().filter_map(|policy| Some((fit(policy)?, policy)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, policy)| policy)
}

/// When what happens to a clock that runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whoever works on it is warned.
    pub warn_at: DateTime<Utc>,
    /// What was promised is broken after this moment.
    pub due_at: DateTime<Utc>,
    /// The leads are told.
    pub lead_at: Option<DateTime<Utc>>,
    /// It is nobody's again.
    pub queue_at: Option<DateTime<Utc>>,
}

impl Plan {
    /// For a clock that began at a moment and has stood still for some working time since. None where nothing is promised, or the
    /// calendar has too little working time for it.
    pub fn of(
        policy: &Policy,
        kind: Promise,
        calendar: &Calendar,
        from: DateTime<Utc>,
        paused: TimeDelta,
    ) -> Option<Self> {
        let minutes = policy.minutes(kind)?;
        let after = |percent: i64| {
            let seconds = minutes.saturating_mul(60).saturating_mul(percent) / 100;
            calendar.after(from, TimeDelta::try_seconds(seconds)? + paused)
        };
        Some(Self {
            warn_at: after(policy.warn_percent)?,
            due_at: after(100)?,
            lead_at: policy.lead_percent.and_then(after),
            queue_at: policy.queue_percent.and_then(after),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(topic: Option<TopicId>, priority: Option<Priority>) -> Policy {
        Policy {
            id: PolicyId::new(),
            calendar_id: CalendarId::new(),
            topic_id: topic,
            priority,
            first_answer: Some(60),
            next_answer: None,
            solution: Some(600),
            warn_percent: 80,
            lead_percent: Some(150),
            queue_percent: None,
            changed_at: DateTime::default(),
        }
    }

    #[test]
    fn the_policy_that_fits_best_counts() {
        let (card, above, other) = (TopicId::new(), TopicId::new(), TopicId::new());
        // From the best to the one that fits everything.
        let ranked = [
            policy(Some(card), Some(Priority::High)),
            policy(Some(card), None),
            policy(Some(above), Some(Priority::High)),
            policy(Some(above), None),
            policy(None, Some(Priority::High)),
            policy(None, None),
        ];
        let chosen =
            |policies: &[Policy], topic, priority| choose(policies, topic, Some(above), priority).map(|p| p.id);
        for (best, policy) in ranked.iter().enumerate() {
            let mut rest = ranked[best..].to_vec();
            rest.reverse();
            assert_eq!(chosen(&rest, card, Priority::High), Some(policy.id), "{best}");
        }
        assert_eq!(chosen(&ranked, card, Priority::Low), Some(ranked[1].id));
        assert_eq!(
            choose(&ranked, other, None, Priority::Low).map(|p| p.id),
            Some(ranked[5].id)
        );
        assert_eq!(choose(&ranked[..5], other, None, Priority::Low), None);
    }

    #[test]
    fn a_plan_counts_percents_of_working_time_and_what_stood_still() {
        let week: Week = std::array::from_fn(|_| vec![[540, 1080]]);
        let calendar = Calendar::new(chrono_tz::UTC, week, Days::new());
        let at = |hour: i64, minute: i64| DateTime::default() + TimeDelta::minutes(hour * 60 + minute);
        let plan = |kind, paused| {
            Plan::of(
                &policy(None, None),
                kind,
                &calendar,
                at(10, 0),
                TimeDelta::minutes(paused),
            )
        };
        let first = plan(Promise::FirstAnswer, 0).expect("promised");
        assert_eq!(
            (first.warn_at, first.due_at, first.lead_at, first.queue_at),
            (at(10, 48), at(11, 0), Some(at(11, 30)), None)
        );
        let later = plan(Promise::FirstAnswer, 30).expect("promised");
        assert_eq!((later.warn_at, later.due_at), (at(11, 18), at(11, 30)));
        // Ten hours of days that have nine.
        assert_eq!(plan(Promise::Solution, 0).expect("promised").due_at, at(24 + 11, 0));
        assert_eq!(plan(Promise::NextAnswer, 0), None);
    }
}
