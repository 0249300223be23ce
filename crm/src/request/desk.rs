//! The desk: how requests are told apart (priority, tags), and queues with the steps that they allow.

use super::Status;
use crate::flaw::{self, Flaw};
use crate::id::{FilterId, QueueId, StaffId, TopicId};
use crate::lang::{Localized, fold};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How urgent a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It can wait.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before others.
    High,
    /// Before all others.
    Urgent,
}

impl Priority {
    /// All, the least urgent first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// As it is stored, and as forms and addresses call it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// The priority with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.code() == code)
    }
}

/// Who a request is given to that comes into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody: somebody takes it.
    #[default]
    ByHand,
    /// Whoever is there and has the fewest.
    RoundRobin,
}

/// Who may take a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever works on requests.
    #[default]
    Anyone,
    /// Whose request it is, and a lead.
    Assignee,
    /// A lead.
    Lead,
}

impl Who {
    /// Whether somebody is among them.
    pub const fn holds(self, is_theirs: bool, is_lead: bool) -> bool {
        match self {
            Self::Anyone => true,
            Self::Assignee => is_theirs || is_lead,
            Self::Lead => is_lead,
        }
    }
}

/// From one status to another one, by hand.
pub type Move = (Status, Status);

/// Every step that staff can take by hand at all, in the order of a request's life.
pub fn moves() -> Vec<Move> {
    let from = |from: Status| from.by_hand().map(move |to| (from, to));
    Status::ALL.into_iter().flat_map(from).collect()
}

/// Which steps a queue allows, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The steps that there are at all.
    pub steps: Vec<Move>,
    /// Who may close a request.
    pub close_by: Who,
    /// Who may open one again, by hand or by an answer.
    pub reopen_by: Who,
    /// Customers close their requests themselves.
    pub customer_closes: bool,
    /// For how many days after it was closed a customer opens a request again, by an answer too; none: always.
    pub reopen_days: Option<i64>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            steps: moves(),
            close_by: Who::Anyone,
            reopen_by: Who::Anyone,
            customer_closes: true,
            reopen_days: None,
        }
    }
}

impl Rules {
    /// Whether somebody may set a status by hand.
    pub fn allow(&self, (from, to): Move, is_theirs: bool, is_lead: bool) -> bool {
        let who = match (from, to) {
            (Status::Closed, _) => self.reopen_by,
            (_, Status::Closed) => self.close_by,
            _ => Who::Anyone,
        };
        self.steps.contains(&(from, to)) && who.holds(is_theirs, is_lead)
    }

    /// Whether a customer may open again what was closed at a moment; what is not closed they may go on with.
    pub fn customer_reopens(&self, closed_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        match (self.reopen_days, closed_at) {
            (Some(days), Some(at)) => now < at + TimeDelta::days(days),
            (_, _) => true,
        }
    }
}

/// The longest that a customer may be let open a request again, in days; longer is always.
const REOPEN_DAYS_MAX: i64 = 3650;

/// For how many days a customer opens a request again, as it was typed; nothing for always.
pub fn reopen_days(raw: &str) -> Result<Option<i64>, Flaw> {
    match raw.trim() {
        "" => Ok(None),
        raw => {
            let days: i64 = raw.parse().map_err(|_| Flaw::NotANumber)?;
            let (min, max) = (0, REOPEN_DAYS_MAX);
            match (min..=max).contains(&days) {
                true => Ok(Some(days)),
                false => Err(Flaw::OutOfRange { min, max }),
            }
        }
    }
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its id.
    pub id: QueueId,
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: Localized,
    /// Who a request is given to.
    pub mode: Mode,
    /// What it allows.
    pub rules: Rules,
    /// When it was written down like this.
    pub changed_at: DateTime<Utc>,
    /// Since when nothing comes into it any more; none: it is open.
    pub closed_at: Option<DateTime<Utc>>,
}

/// What a queue is in use by: while there is anything, it is not removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The topics whose requests come into it.
    pub topics: Vec<Localized>,
    /// The macros that put requests into it, each with who owns it; none: it is everybody's.
    pub macros: Vec<(String, Option<String>)>,
    /// How many requests in it are not closed.
    pub unclosed: i64,
    /// There are requests in it, closed ones among them.
    pub has_requests: bool,
}

impl Uses {
    /// Nothing uses it.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.macros.is_empty() && !self.has_requests
    }
}

/// Who may be given requests of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Agent {
    /// Their id.
    pub id: StaffId,
    /// Their name.
    pub name: String,
    /// How many requests that wait for them they are given in turn at the most; none: they are not of the queue.
    pub capacity: Option<i64>,
    /// They are there.
    pub takes_requests: bool,
}

/// The most requests that somebody is given in turn.
const CAPACITY_MAX: i64 = 1000;

/// How many requests somebody takes, as it was typed; nothing for who is not of the queue.
pub fn capacity(raw: &str) -> Result<Option<i64>, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() || raw == "0" {
        return Ok(None);
    }
    let capacity: i64 = raw.parse().map_err(|_| Flaw::NotANumber)?;
    if (1..=CAPACITY_MAX).contains(&capacity) {
        Ok(Some(capacity))
    } else {
        Err(Flaw::OutOfRange {
            min: 0,
            max: CAPACITY_MAX,
        })
    }
}

/// What a request about a topic begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Beginning {
    /// The topic.
    pub id: TopicId,
    /// Its code.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// It stands below another topic.
    pub is_below: bool,
    /// Its own queue.
    pub queue: Option<QueueId>,
    /// How urgent it is.
    pub priority: Priority,
}

/// The longest tag, in characters.
const TAG_MAX: usize = 40;
/// The most tags of a request.
pub const TAGS_MAX: usize = 20;

/// A tag as it is kept: folded, without what parts tags.
pub fn tag(raw: &str) -> Result<String, Flaw> {
    let tag = fold(&flaw::text(raw, TAG_MAX)?.replace([',', ';', '\n', '#'], " "));
    // Lower case may be longer.
    match tag.chars().count() {
        0 => Err(Flaw::Missing),
        n if n > TAG_MAX => Err(Flaw::TooLong { max: TAG_MAX }),
        _ => Ok(tag),
    }
}

/// Tags as they were typed, parted by commas; each once, in their order.
pub fn tags(raw: &str) -> Result<Vec<String>, Flaw> {
    let mut tags = Vec::new();
    for part in raw.split([',', ';', '\n']).filter(|part| !part.trim().is_empty()) {
        tags.push(tag(part)?);
    }
    tags.sort();
    tags.dedup();
    if tags.len() > TAGS_MAX {
        return Err(Flaw::TooManyLines { max: TAGS_MAX });
    }
    Ok(tags)
}

/// A tag and how often it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Tag {
    /// The tag.
    pub tag: String,
    /// How many requests have it.
    pub requests: i64,
    /// How many of these are not closed.
    pub unclosed: i64,
}

/// The longest name of a kept filter, in characters.
pub const FILTER_NAME_MAX: usize = 60;
/// The most filters that somebody keeps.
pub const FILTERS_MAX: i64 = 20;

/// A filter that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedFilter {
    /// Its id.
    pub id: FilterId,
    /// What it is called.
    pub name: String,
    /// It is one's own.
    pub is_own: bool,
    /// Colleagues see it, too.
    pub is_shared: bool,
    /// What it narrows to.
    pub filter: super::Filter,
    /// How many there are, up to [`COUNT_MAX`]; none where it looks at what is closed, too.
    pub count: Option<i64>,
}

/// So many are counted, and no further.
pub const COUNT_MAX: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Closed, New, Open, Waiting};

    #[test]
    fn a_queue_allows_what_it_says_to_whom_it_says() {
        let usual = Rules::default();
        assert_eq!(usual.steps.len(), 9);
        for step in moves() {
            assert!(usual.allow(step, false, false), "{step:?}");
        }
        assert!(
            !usual.allow((Open, New), true, true),
            "nobody can take that step at all"
        );
        let strict = Rules {
            steps: vec![(New, Open), (Open, Closed), (Closed, Open)],
            close_by: Who::Assignee,
            reopen_by: Who::Lead,
            ..Rules::default()
        };
        assert!(strict.allow((New, Open), false, false));
        assert!(!strict.allow((Open, Waiting), true, true), "not a step of this queue");
        // Not theirs, theirs, a lead.
        let who =
            |step| [(false, false), (true, false), (false, true)].map(|(own, lead)| strict.allow(step, own, lead));
        assert_eq!(who((Open, Closed)), [false, true, true]);
        assert_eq!(who((Closed, Open)), [false, false, true]);
    }

    #[test]
    fn a_customer_opens_again_for_so_many_days() {
        let at = DateTime::UNIX_EPOCH;
        let of = |days| Rules {
            reopen_days: days,
            ..Rules::default()
        };
        let may = |days, hours| of(days).customer_reopens(Some(at), at + TimeDelta::hours(hours));
        assert!(may(None, 24_000));
        assert!(may(Some(2), 47) && !may(Some(2), 48));
        assert!(!may(Some(0), 0), "not at all");
        assert!(of(Some(0)).customer_reopens(None, at), "it is not closed");
        assert_eq!(
            ["", "0", " 14 "].map(reopen_days),
            [Ok(None), Ok(Some(0)), Ok(Some(14))]
        );
        assert_eq!(reopen_days("a week"), Err(Flaw::NotANumber));
        for wrong in ["-1", "3651"] {
            let flaw = Flaw::OutOfRange {
                min: 0,
                max: REOPEN_DAYS_MAX,
            };
            assert_eq!(reopen_days(wrong), Err(flaw), "{wrong}");
        }
    }

    #[test]
    fn tags_are_folded_and_each_is_there_once() {
        assert_eq!(tags(""), Ok(vec![]));
        assert_eq!(
            tags(" Ёлка,, елка ;#VIP\nдоставка  завтра"),
            Ok(vec!["vip".to_owned(), "доставка завтра".to_owned(), "елка".to_owned()])
        );
        assert_eq!(tag(" , "), Err(Flaw::Missing));
        assert_eq!(tag(&"я".repeat(41)), Err(Flaw::TooLong { max: TAG_MAX }));
        assert_eq!(tags("a\u{7}"), Err(Flaw::ControlCharacters));
        let many: Vec<String> = (0..=TAGS_MAX).map(|n| format!("t{n}")).collect();
        assert_eq!(tags(&many.join(",")), Err(Flaw::TooManyLines { max: TAGS_MAX }));
    }

    #[test]
    fn a_capacity_is_a_number_of_requests() {
        assert_eq!(["", " 0", "7 "].map(capacity), [Ok(None), Ok(None), Ok(Some(7))]);
        assert_eq!(capacity("many"), Err(Flaw::NotANumber));
        assert_eq!(
            capacity("1001"),
            Err(Flaw::OutOfRange {
                min: 0,
                max: CAPACITY_MAX
            })
        );
        assert_eq!(
            capacity("-1"),
            Err(Flaw::OutOfRange {
                min: 0,
                max: CAPACITY_MAX
            })
        );
    }

    #[test]
    fn every_priority_is_known_by_its_code() {
        for priority in Priority::ALL {
            assert_eq!(Priority::from_code(priority.code()), Some(priority));
        }
        assert_eq!(Priority::from_code("asap"), None);
    }
}
