//! Support requests: what a customer asks, what staff answers, and whose turn it is.

use crate::flaw::{self, Flaw};
use crate::id::{CustomerId, InteractionId, MessageId, PurchaseId, QueueId, RatingId, RequestId, StaffId, TopicId};
use crate::interaction::Way;
use crate::lang::{Lang, Localized};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

pub mod attachment;
pub mod desk;
#[cfg(feature = "store")]
pub mod draft;
#[cfg(feature = "store")]
pub mod level;
#[cfg(feature = "store")]
pub mod link;
#[cfg(feature = "store")]
pub mod live;
#[cfg(feature = "store")]
pub mod macros;
#[cfg(feature = "store")]
pub mod mention;
#[cfg(feature = "store")]
pub mod merge;
mod photo;
#[cfg(feature = "store")]
pub mod store;

use attachment::Attachment;
use desk::Priority;

/// The longest message, in characters.
pub const TEXT_MAX: usize = 4000;

/// A message as it was typed: required, with line breaks, up to [`TEXT_MAX`] characters.
pub fn text(raw: &str) -> Result<String, Flaw> {
    flaw::text(raw, TEXT_MAX)
}

/// What service levels promise of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Promise {
    /// The first answer.
    FirstAnswer,
    /// An answer to what the customer wrote after one.
    NextAnswer,
    /// The end of the request.
    Solution,
}

impl Promise {
    /// Each of them, in the order in which they are owed.
    pub const ALL: [Self; 3] = [Self::FirstAnswer, Self::NextAnswer, Self::Solution];
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has looked at it.
    New,
    /// The customer waits for staff.
    Open,
    /// Staff waits for the customer.
    Waiting,
    /// It is settled, until the customer writes again.
    Closed,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The customer writes.
    CustomerAnswers,
    /// The customer has what was needed.
    CustomerCloses,
    /// The customer was not helped after all.
    CustomerReopens,
    /// Staff answers.
    StaffAnswers,
    /// Staff leaves a note that the customer never sees.
    StaffNotes,
    /// Staff says by hand where it stands.
    StaffSets(Status),
    /// A member of staff takes it.
    StaffTakes,
    /// A member of staff hands it back.
    StaffReleases,
}

impl Status {
    /// All, in the order of a request's life.
    pub const ALL: [Self; 4] = [Self::New, Self::Open, Self::Waiting, Self::Closed];

    /// As it is stored, and as forms and addresses call it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Closed => "closed",
        }
    }

    /// The status after a step, or none where the step cannot be taken.
    pub fn after(self, step: Step) -> Option<Self> {
        match (step, self) {
            (Step::CustomerAnswers, Self::Waiting | Self::Closed) | (Step::CustomerReopens, Self::Closed) => {
                Some(Self::Open)
            }
            (Step::CustomerCloses, Self::New | Self::Open | Self::Waiting) => Some(Self::Closed),
            (Step::CustomerCloses | Step::CustomerReopens, _) => None,
            (Step::StaffAnswers, _) => Some(Self::Waiting),
            (Step::StaffSets(to), from) => from.by_hand().any(|choice| choice == to).then_some(to),
            (Step::StaffTakes, Self::New) => Some(Self::Open),
            (Step::CustomerAnswers | Step::StaffNotes | Step::StaffTakes | Step::StaffReleases, same) => Some(same),
        }
    }

    /// What staff may set by hand: anything else but new, for somebody has looked.
    pub fn by_hand(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |to| *to != Self::New && *to != self)
    }

    /// True when it is the staff's turn.
    pub fn is_waiting_for_staff(self) -> bool {
        matches!(self, Self::New | Self::Open)
    }
}

/// A topic that a request can be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// What forms call it.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
}

impl Topic {
    /// The id of none: nothing is about it.
    pub const NONE: TopicId = TopicId(uuid::Uuid::nil());
}

/// A request as a form brings it; nothing of it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRequest {
    /// The topic's code.
    pub topic: String,
    /// What the customer wants to say.
    pub text: String,
    /// The id of the receipt it is about; empty for none.
    pub purchase: String,
}

/// A request that staff write down for a customer who said it; nothing of it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenDown {
    /// What the customer wants to say, as a form of theirs would bring it.
    pub request: NewRequest,
    /// How they said it, by the code of a [`Way`].
    pub channel: String,
    /// The talk in which they did, where it was written down.
    pub talk: Option<InteractionId>,
}

/// What a page that a request is written from shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageOf {
    /// A movement of points, by the id of its transaction.
    Points,
    /// A program, by its code.
    Program,
    /// A promotion, by its id.
    Offer,
    /// A coupon, by its id.
    Coupon,
    /// An article of the help, by its code.
    Help,
}

impl PageOf {
    /// All with their names in addresses.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Points, "points"),
        (Self::Program, "program"),
        (Self::Offer, "offer"),
        (Self::Coupon, "coupon"),
        (Self::Help, "help"),
    ];
}

/// The page that a request was written from, as addresses and the database have it: `program/club`. It is what a browser said, so it
/// leads somewhere and proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What the page shows.
    pub of: PageOf,
    /// Which one.
    pub code: String,
}

/// The longest code of a page, in characters: an id or a name of ours.
const ABOUT_MAX: usize = 64;

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = PageOf::ALL.iter().find(|(of, _)| *of == self.of).map(|(_, name)| *name);
        write!(f, "{}/{}", name.unwrap_or_default(), self.code)
    }
}

/// A text that names no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page that a request is written from")]
pub struct NotAPage;

impl FromStr for About {
    type Err = NotAPage;

    fn from_str(s: &str) -> Result<Self, NotAPage> {
        let (name, code) = s.split_once('/').ok_or(NotAPage)?;
        let of = PageOf::ALL.iter().find(|(_, known)| *known == name).ok_or(NotAPage)?.0;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if code.is_empty() || code.len() > ABOUT_MAX || !code.chars().all(is_plain) {
            return Err(NotAPage);
        }
        Ok(Self {
            of,
            code: code.to_owned(),
        })
    }
}

/// What goes along with a new request beside what its customer says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Along<'a> {
    /// A note that staff alone see: what the shop knows of what the customer asks about.
    pub note: Option<&'a str>,
    /// The page that it is written from.
    pub about: Option<&'a About>,
}

/// Over how many days it is reckoned how long first answers take.
pub const USUAL_DAYS: i64 = 30;
/// Of how many answers at least.
const SAMPLES: usize = 10;

/// How long half of the customers waited for the first answer at most: the median of those that were given. Who still waits
/// counts as soon as they have waited longer than that, for otherwise what is never answered would make a shop look quick.
/// None where there are too few to tell, or half of them still wait.
pub fn usual_wait(mut answered: Vec<TimeDelta>, waiting: &[TimeDelta]) -> Option<TimeDelta> {
    if answered.len() < SAMPLES {
        return None;
    }
    answered.sort_unstable();
    let median = |late: usize| answered.get((answered.len() + late) / 2).copied();
    let first = median(0)?;
    median(waiting.iter().filter(|wait| **wait > first).count())
}

/// For how many days a customer may think otherwise of an answer.
pub const RATING_DAYS: i64 = 7;
/// The longest comment on an answer, in characters.
const COMMENT_MAX: usize = 1000;

/// What a customer thinks of how a request was answered, as a form brings it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRating {
    /// 1 to 5, the best.
    pub score: String,
    /// Why; may be empty.
    pub comment: String,
}

impl NewRating {
    /// The score, if it is one.
    pub fn score(&self) -> Result<i64, Flaw> {
        match self.score.as_str() {
            "" => Err(Flaw::Missing),
            raw => raw
                .parse()
                .ok()
                .filter(|score| (1..=5).contains(score))
                .ok_or(Flaw::NotAChoice),
        }
    }

    /// The comment, or nothing.
    pub fn comment(&self) -> Result<String, Flaw> {
        match flaw::text(&self.comment, COMMENT_MAX) {
            Err(Flaw::Missing) => Ok(String::new()),
            other => other,
        }
    }
}

/// What a customer thinks of how a request was answered: one until it is closed and opened again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Rating {
    /// Its id.
    pub id: RatingId,
    /// 1 to 5, the best.
    pub score: i64,
    /// Why; may be empty.
    pub comment: String,
    /// When they first said so.
    pub at: DateTime<Utc>,
    /// When they last did.
    pub changed_at: DateTime<Utc>,
}

impl Rating {
    /// Whether they may think otherwise.
    pub fn may_change(&self, now: DateTime<Utc>) -> bool {
        now < self.at + TimeDelta::days(RATING_DAYS)
    }
}

/// Where a page of a list ended: the next one begins after it. Written into addresses as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time that the list is sorted by.
    pub at: DateTime<Utc>,
    /// The request, for those of equal time.
    pub id: RequestId,
    /// How urgent the request is, for [`Sort::Priority`]: the lower, the more; 0 in a list that knows of none.
    pub urgency: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at.timestamp_micros(), self.id)?;
        match self.urgency {
            0 => Ok(()),
            urgency => write!(f, "_{urgency}"),
        }
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a list")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(s: &str) -> Result<Self, NotACursor> {
        let (at, rest) = s.split_once('_').ok_or(NotACursor)?;
        let (id, urgency) = rest.split_once('_').unwrap_or((rest, "0"));
        let at = at
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            .ok_or(NotACursor)?;
        Ok(Self {
            at,
            id: id.parse().map_err(|_| NotACursor)?,
            urgency: urgency.parse().map_err(|_| NotACursor)?,
        })
    }
}

/// A request in its customer's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Summary {
    /// Its id.
    pub id: RequestId,
    /// Its number, as people say it.
    pub number: i64,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// Whose turn it is.
    pub status: Status,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// The last message or change.
    pub updated_at: DateTime<Utc>,
    /// There is an answer that the customer has not seen.
    pub unread: bool,
}

impl Summary {
    /// Its place in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.updated_at,
            id: self.id,
            urgency: 0,
        }
    }
}

/// A file as a browser sent it: nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What it was called there.
    pub name: String,
    /// What is in it; of one that is too large no more than shows that it is.
    pub bytes: Vec<u8>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    Customer,
    /// The shop.
    Staff,
}

/// A message as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub author: Author,
    /// What they wrote.
    pub body: String,
    /// When.
    pub at: DateTime<Utc>,
    /// From the shop, and the customer had not opened the thread since.
    pub unread: bool,
    /// Staff wrote it down, and so the customer had said it; none: they wrote it themselves.
    pub way: Option<Way>,
    /// The files that go along with it.
    #[cfg_attr(feature = "store", sqlx(skip))]
    pub files: Vec<Attachment>,
}

/// A request as its customer sees it. Notes between staff are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its number, as people say it.
    pub number: i64,
    /// The topic.
    pub topic_id: TopicId,
    /// What it is about.
    pub topic: Localized,
    /// Whose turn it is.
    pub status: Status,
    /// The receipt it is about.
    pub purchase: Option<PurchaseId>,
    /// The page that it was written from.
    pub about: Option<About>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// The first answer of staff.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was settled.
    pub closed_at: Option<DateTime<Utc>>,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// The numbers of requests that a part of the conversation went to, or came from.
    pub parts: Vec<i64>,
    /// What the customer thinks of it, since it was last opened.
    pub rating: Option<Rating>,
    /// The customer may say now what they think of it, or otherwise than before.
    pub may_rate: bool,
    /// The customer may close it.
    pub may_close: bool,
    /// The customer may add something, or open it again where it is closed.
    pub may_go_on: bool,
}

/// Whose requests the queue shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignee {
    /// Everybody's.
    #[default]
    Anyone,
    /// One's own.
    Me,
    /// Nobody's.
    Nobody,
    /// A colleague's.
    Of(StaffId),
}

/// What the queue is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only in this status.
    pub status: Option<Status>,
    /// Only those that are not closed: what there is to do.
    pub unclosed: bool,
    /// Only of this assignee.
    pub assignee: Assignee,
    /// Only about this topic, or one below it.
    pub topic: Option<TopicId>,
    /// Only of this queue.
    pub queue: Option<QueueId>,
    /// Only with this tag; empty: all.
    pub tag: String,
    /// Only of this priority.
    pub priority: Option<Priority>,
    /// Only what should have been done before now.
    pub overdue: bool,
    /// Only with this number, or with words that begin so in messages, notes, tags, names of files, comments of ratings, numbers
    /// of receipts or the customer's name; empty: all.
    pub text: String,
}

impl Filter {
    /// True where nothing closed is let through.
    pub fn is_unclosed(&self) -> bool {
        self.unclosed || self.overdue || self.status.is_some_and(|status| status != Status::Closed)
    }
}

/// In what order the queue is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Whoever has waited longest for staff comes first; those who wait for nothing come last.
    #[default]
    Waiting,
    /// The newest request first.
    Newest,
    /// The last message or change first.
    Updated,
    /// What is due first; what is never due comes last.
    Due,
    /// The most urgent first; of those that are as urgent, whoever has waited longest.
    Priority,
}

/// A request in the staff's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Row {
    /// Its id.
    pub id: RequestId,
    /// Its number, as people say it.
    pub number: i64,
    /// The customer's name.
    pub name: String,
    /// The customer's surname.
    pub surname: String,
    /// What it is about.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub topic: Localized,
    /// How it begins: up to 160 characters of the first message.
    pub beginning: String,
    /// Whose turn it is.
    pub status: Status,
    /// The name of who works on it.
    pub assignee: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// The last message or change.
    pub updated_at: DateTime<Utc>,
    /// Since when the customer waits for staff.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How urgent it is.
    pub priority: Priority,
    /// Until when staff has to do something.
    pub due_at: Option<DateTime<Utc>>,
    /// Its tags, with commas between them.
    pub tags: String,
    /// How urgent it is as a number: the lower, the more.
    pub(crate) urgency: i64,
    /// The time that the list is sorted by.
    pub(crate) place: DateTime<Utc>,
}

impl Row {
    /// Its place in the list that it was read for.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.place,
            id: self.id,
            urgency: self.urgency,
        }
    }
}

/// How many requests each tab of the queue holds. What is closed is not counted: it is nearly all there ever was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Counts {
    /// One's own, not closed.
    pub mine: i64,
    /// Nobody's, not closed.
    pub unassigned: i64,
    /// Nobody has looked at them.
    pub new: i64,
    /// Customers wait for staff.
    pub open: i64,
    /// Staff waits for customers.
    pub waiting: i64,
    /// Something should have been done before now.
    pub overdue: i64,
}

/// A message or a note as staff sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct StaffMessage {
    /// Its id.
    pub id: MessageId,
    /// The number of the request that it was said in: another one's where that went into this one.
    pub number: i64,
    /// Who wrote it.
    pub author: Author,
    /// The name of who wrote it, for those of staff, or wrote it down for the customer.
    pub staff: Option<String>,
    /// A note between staff.
    pub internal: bool,
    /// What they wrote.
    pub body: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Staff wrote it down, and so the customer had said it; none: whoever wrote it said it.
    pub way: Option<Way>,
    /// The talk in which the customer did.
    pub talk: Option<InteractionId>,
    /// The files that go along with it.
    #[cfg_attr(feature = "store", sqlx(skip))]
    pub files: Vec<Attachment>,
}

/// A request as staff sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffThread {
    /// Its id.
    pub id: RequestId,
    /// Its number, as people say it.
    pub number: i64,
    /// Whose it is.
    pub customer: CustomerId,
    /// The customer's name.
    pub name: String,
    /// The customer's surname.
    pub surname: String,
    /// What it is about.
    pub topic: Localized,
    /// Whose turn it is.
    pub status: Status,
    /// Who works on it.
    pub assignee: Option<StaffId>,
    /// Their name.
    pub assignee_name: Option<String>,
    /// The language it was written in.
    pub language: Lang,
    /// The receipt it is about.
    pub purchase: Option<PurchaseId>,
    /// The page that it was written from.
    pub about: Option<About>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// The last message or change. Goes back with an answer, so that nobody answers what they have not read.
    pub updated_at: DateTime<Utc>,
    /// Since when the customer waits for staff.
    pub waiting_since: Option<DateTime<Utc>>,
    /// The first answer of staff.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was settled.
    pub closed_at: Option<DateTime<Utc>>,
    /// What was said, oldest first, notes among it.
    pub messages: Vec<StaffMessage>,
    /// What the customer thinks of it, each time that it was closed and opened again, oldest first.
    pub ratings: Vec<Rating>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Closed, New, Open, Waiting};
    use Step::{
        CustomerAnswers, CustomerCloses, CustomerReopens, StaffAnswers, StaffNotes, StaffReleases, StaffSets,
        StaffTakes,
    };

    #[test]
    fn a_page_is_one_of_ours_and_nothing_else() {
        for text in [
            "program/club",
            "help/lost-card",
            "points/0197d2f0-0000-7000-8000-000000000001",
        ] {
            let about: About = text.parse().expect("a page");
            assert_eq!(about.to_string(), text);
        }
        let long = format!("help/{}", "a".repeat(65));
        for text in [
            "",
            "program",
            "program/",
            "/club",
            "admin/club",
            "program/../x",
            "help/a/b",
            "help/a?b",
            "help/\u{0}",
            "help/я",
            &long,
        ] {
            assert_eq!(text.parse::<About>(), Err(NotAPage), "{text:?}");
        }
    }

    #[test]
    fn every_step_from_every_status() {
        // After: new, open, waiting, closed.
        let table = [
            (CustomerAnswers, [Some(New), Some(Open), Some(Open), Some(Open)]),
            (CustomerCloses, [Some(Closed), Some(Closed), Some(Closed), None]),
            (CustomerReopens, [None, None, None, Some(Open)]),
            (StaffAnswers, [Some(Waiting); 4]),
            (StaffNotes, [Some(New), Some(Open), Some(Waiting), Some(Closed)]),
            (StaffTakes, [Some(Open), Some(Open), Some(Waiting), Some(Closed)]),
            (StaffReleases, [Some(New), Some(Open), Some(Waiting), Some(Closed)]),
            (StaffSets(New), [None; 4]),
            (StaffSets(Open), [Some(Open), None, Some(Open), Some(Open)]),
            (StaffSets(Waiting), [Some(Waiting), Some(Waiting), None, Some(Waiting)]),
            (StaffSets(Closed), [Some(Closed), Some(Closed), Some(Closed), None]),
        ];
        for (step, after) in table {
            assert_eq!(Status::ALL.map(|status| status.after(step)), after, "{step:?}");
        }
    }

    #[test]
    fn a_usual_wait_is_told_of_enough_answers_and_not_better_than_it_is() {
        let minutes = |of: std::ops::RangeInclusive<i64>| of.map(TimeDelta::minutes).collect::<Vec<_>>();
        let told = |answered, waiting: &[TimeDelta]| usual_wait(answered, waiting).map(|wait| wait.num_minutes());
        assert_eq!(told(minutes(1..=9), &[]), None, "too few");
        assert_eq!(
            told(minutes(1..=10), &[]),
            Some(6),
            "of two in the middle the longer one"
        );
        assert_eq!(told(minutes(1..=11), &[]), Some(6));
        let mut mixed = minutes(1..=11);
        mixed.reverse();
        assert_eq!(told(mixed, &[]), Some(6), "in whatever order");
        // Who came just now says nothing yet; who waits for long says that it takes long.
        assert_eq!(told(minutes(1..=11), &minutes(1..=6)), Some(6));
        assert_eq!(told(minutes(1..=11), &minutes(101..=104)), Some(8));
        assert_eq!(told(minutes(1..=11), &minutes(101..=120)), None, "most of them wait");
        // One late answer among quick ones changes nothing.
        let mut late = minutes(1..=10);
        late.push(TimeDelta::days(20));
        assert_eq!(told(late, &[]), Some(6));
    }

    #[test]
    fn a_score_is_one_of_five_and_a_comment_may_be_missing() {
        let new = |score: &str, comment: &str| NewRating {
            score: score.into(),
            comment: comment.into(),
        };
        assert_eq!(new("1", "").score(), Ok(1));
        assert_eq!(new("5", "").score(), Ok(5));
        assert_eq!(new("", "").score(), Err(Flaw::Missing));
        for wrong in ["0", "6", "-1", "4.5", "five", "99999999999999999999"] {
            assert_eq!(new(wrong, "").score(), Err(Flaw::NotAChoice), "{wrong}");
        }
        assert_eq!(new("", " \n").comment(), Ok(String::new()));
        assert_eq!(new("", " quick ").comment(), Ok("quick".into()));
        assert_eq!(
            new("", &"я".repeat(1001)).comment(),
            Err(Flaw::TooLong { max: COMMENT_MAX })
        );
    }

    #[test]
    fn a_cursor_survives_an_address() {
        for urgency in [0, 3] {
            let cursor = Cursor {
                at: DateTime::from_timestamp_micros(1_795_262_400_000_001).expect("a time"),
                id: RequestId(uuid::Uuid::from_u128(7)),
                urgency,
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in [
            "",
            "_",
            "1_x",
            "x_00000000-0000-0000-0000-000000000007",
            "1_00000000-0000-0000-0000-000000000007_x",
            "1_00000000-0000-0000-0000-000000000007_0_0",
            "99999999999999999999_0",
            "1",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(NotACursor), "{bad}");
        }
    }
}
