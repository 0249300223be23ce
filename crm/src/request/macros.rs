//! Macros: what is prepared for requests, an answer with variables and what is done along with it. One is everybody's, or of
//! whoever wrote it.

use super::desk::{self, Priority};
use super::draft::{self, Draft};
use super::store::bulk::{self, Act, Refused};
use super::store::{Change, Held, audit, queues, say, tell, topics};
use super::{Status, Step, live, text};
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{self, Check, Flaw};
use crate::id::{CustomerId, MacroId, QueueId, StaffId, TopicId};
use crate::lang::{Lang, Localized};
use crate::on;
use crate::staff::Right;
use crate::who::{Reason, Staff, System};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name, in characters.
const NAME_MAX: usize = 80;
/// The longest answer, in characters: what is filled in makes it longer, and a message has its own bound.
const ANSWER_MAX: usize = 3000;
/// The most macros that somebody has, and that everybody has: the page of each request holds all of them.
pub const MOST: i64 = 100;

/// What an answer may name between `{{` and `}}`.
pub const VARIABLES: [&str; 5] = [
    "customer.name",
    "request.number",
    "agent.name",
    "points.balance",
    "card.last4",
];

/// Who works on a request afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Assign {
    /// Whoever uses the macro.
    Me,
    /// Nobody.
    Nobody,
}

/// A macro.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Macro {
    /// Its id.
    pub id: MacroId,
    /// By which it is found at the keyboard.
    pub code: String,
    /// The key that carries it out, 1 to 9.
    pub digit: Option<i64>,
    /// Its name.
    pub name: String,
    /// It is everybody's.
    pub is_shared: bool,
    /// What it answers, in both languages; empty: nothing.
    #[sqlx(json)]
    pub answer: Localized,
    /// The answer goes out at once; otherwise it is put into the field, to be read over.
    pub sends: bool,
    /// Where the request stands afterwards.
    pub status: Option<Status>,
    /// Who works on it afterwards, where that is nobody in particular.
    pub assign: Option<Assign>,
    /// The colleague who works on it afterwards.
    pub assignee: Option<StaffId>,
    /// What they are called.
    pub assignee_name: Option<String>,
    /// The queue that it goes into, for whoever works there.
    pub queue: Option<QueueId>,
    /// What that is called.
    #[sqlx(json(nullable))]
    pub queue_name: Option<Localized>,
    /// What it is about afterwards.
    pub topic: Option<TopicId>,
    /// What that is called.
    #[sqlx(json(nullable))]
    pub topic_name: Option<Localized>,
    /// How urgent it is afterwards.
    pub priority: Option<Priority>,
    /// The tags that it has afterwards.
    #[sqlx(json)]
    pub tags: Vec<String>,
    /// The tags that it has no more.
    #[sqlx(json)]
    pub untags: Vec<String>,
    /// When it was changed last.
    pub changed_at: DateTime<Utc>,
}

/// A macro as a form brings it; nothing of it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMacro {
    /// By which it is found at the keyboard.
    pub key: String,
    /// The key that carries it out, 1 to 9; empty: none.
    #[serde(default)]
    pub digit: String,
    /// Its name.
    pub name: String,
    /// `yes`: it is everybody's.
    #[serde(default)]
    pub shared: String,
    /// What it answers in Russian.
    pub answer_ru: String,
    /// What it answers in English.
    pub answer_en: String,
    /// `yes`: the answer goes out at once.
    #[serde(default)]
    pub sends: String,
    /// The code of a status; empty: it stays.
    pub status: String,
    /// `me`, `nobody`, or what [`NewMacro::to_agent`] and [`NewMacro::to_queue`] say; empty: it stays.
    pub assign: String,
    /// The id of a topic; empty: it stays.
    #[serde(default)]
    pub topic: String,
    /// The code of a [`Priority`]; empty: it stays.
    #[serde(default)]
    pub priority: String,
    /// Tags that are put on it, as [`desk::tags`] reads them.
    #[serde(default)]
    pub tags: String,
    /// Tags that are taken off it, likewise.
    #[serde(default)]
    pub untags: String,
}

/// The same, checked.
struct Checked {
    code: String,
    digit: Option<i64>,
    name: String,
    answer: Localized,
    sends: bool,
    status: Option<Status>,
    to: To,
    topic: Option<TopicId>,
    priority: Option<Priority>,
    tags: Vec<String>,
    untags: Vec<String>,
}

/// To whom a macro gives a request, one of these at most.
#[derive(Clone, Copy, Default)]
struct To {
    assign: Option<Assign>,
    agent: Option<StaffId>,
    queue: Option<QueueId>,
}

impl To {
    /// As a form says it.
    fn read(raw: &str) -> Result<Self, Flaw> {
        let nothing = Self::default();
        let to = match raw.split_once(':') {
            None if raw.is_empty() => Some(nothing),
            None if raw == "me" => Some(Self {
                assign: Some(Assign::Me),
                ..nothing
            }),
            None if raw == "nobody" => Some(Self {
                assign: Some(Assign::Nobody),
                ..nothing
            }),
            Some(("agent", id)) => id.parse().ok().map(|id| Self {
                agent: Some(id),
                ..nothing
            }),
            Some(("queue", id)) => id.parse().ok().map(|id| Self {
                queue: Some(id),
                ..nothing
            }),
            _ => None,
        };
        to.ok_or(Flaw::NotAChoice)
    }
}

impl NewMacro {
    /// What a form says where a colleague is to work on the request.
    pub fn to_agent(id: StaffId) -> String {
        format!("agent:{id}")
    }

    /// What it says where the request is to go into a queue.
    pub fn to_queue(id: QueueId) -> String {
        format!("queue:{id}")
    }

    fn is_shared(&self) -> bool {
        self.shared == "yes"
    }

    fn checked(&self) -> Result<Checked, Error> {
        let mut check = Check::new();
        let code = check.field("key", crate::till::code(&self.key)).unwrap_or_default();
        let digit = match self.digit.as_str() {
            "" => Ok(None),
            digit => match digit.parse::<i64>() {
                Ok(digit @ 1..=9) => Ok(Some(digit)),
                _ => Err(Flaw::NotAChoice),
            },
        };
        let digit = check.field("digit", digit).flatten();
        let name = check.field("name", flaw::text(&self.name.replace(char::is_control, " "), NAME_MAX));
        let answer = Localized::new(self.answer_ru.clone(), self.answer_en.clone());
        let answer = check.words_if_any("answer", &answer, ANSWER_MAX);
        for lang in Lang::ALL {
            if let Some(name) = unknown(answer.get(lang)) {
                let field = format!("answer_{}", lang.code());
                check.field::<()>(&field, Err(Flaw::UnknownVariable { name }));
            }
        }
        let status = check.field(
            "status",
            match self.status.as_str() {
                "" => Ok(None),
                "open" => Ok(Some(Status::Open)),
                "waiting" => Ok(Some(Status::Waiting)),
                "closed" => Ok(Some(Status::Closed)),
                _ => Err(Flaw::NotAChoice),
            },
        );
        let to = check.field("assign", To::read(&self.assign));
        let topic = match self.topic.as_str() {
            "" => Ok(None),
            id => id.parse().map(Some).map_err(|_| Flaw::NotAChoice),
        };
        let topic = check.field("topic", topic);
        let priority = match self.priority.as_str() {
            "" => Ok(None),
            code => Priority::from_code(code).map(Some).ok_or(Flaw::NotAChoice),
        };
        let priority = check.field("priority", priority);
        let tags = check.field("tags", desk::tags(&self.tags)).unwrap_or_default();
        let untags = check.field("untags", desk::tags(&self.untags)).unwrap_or_default();
        let sends = self.sends == "yes";
        if sends && answer.ru.is_empty() && answer.en.is_empty() {
            check.field::<()>("answer_ru", Err(Flaw::Missing));
        }
        check.result()?;
        Ok(Checked {
            code,
            digit,
            name: name.unwrap_or_default(),
            answer,
            sends,
            status: status.flatten(),
            to: to.unwrap_or_default(),
            topic: topic.flatten(),
            priority: priority.flatten(),
            tags,
            untags,
        })
    }
}

/// The parts of a text: the name between braces before each, and what stands as it is behind them. What is opened and never
/// closed is a name as well, of nothing.
fn parts(text: &str) -> impl Iterator<Item = (Option<&str>, &str)> {
    text.split("{{")
        .enumerate()
        .map(|(i, part)| match part.split_once("}}") {
            _ if i == 0 => (None, part),
            Some((name, rest)) => (Some(name.trim()), rest),
            None => (Some(part.trim()), ""),
        })
}

/// A variable that nobody fills in.
fn unknown(text: &str) -> Option<String> {
    parts(text)
        .filter_map(|(name, _)| name)
        .find(|name| !VARIABLES.contains(name))
        .map(|name| name.chars().take(40).collect())
}

/// What stands in the place of the variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The customer's name.
    pub customer: String,
    /// The number of the request.
    pub number: i64,
    /// Who answers.
    pub agent: String,
    /// What the customer has to spend, as it is shown.
    pub points: String,
    /// The end of the number of the customer's card.
    pub card: String,
}

/// A text with its variables filled in.
pub fn fill(text: &str, values: &Values) -> String {
    let mut filled = String::new();
    for (name, rest) in parts(text) {
        match name {
            Some("customer.name") => filled.push_str(&values.customer),
            Some("request.number") => filled.push_str(&values.number.to_string()),
            Some("agent.name") => filled.push_str(&values.agent),
            Some("points.balance") => filled.push_str(&values.points),
            Some("card.last4") => filled.push_str(&values.card),
            Some(_) | None => {}
        }
        filled.push_str(rest);
    }
    filled
}

impl Macro {
    /// What it answers in a language; where it has no words of that one, in the other. None where it says nothing.
    pub fn answer(&self, lang: Lang) -> Option<&str> {
        let texts = [self.answer.get(lang), &self.answer.ru, &self.answer.en];
        texts.into_iter().find(|text| !text.is_empty())
    }

    /// What it does beside answering, in the hands of somebody.
    fn acts(&self, by: &Staff) -> Vec<Act> {
        let assign = self.assign.map(|assign| match assign {
            Assign::Me => Act::Assign(Some(by.id())),
            Assign::Nobody => Act::Assign(None),
        });
        let assign = assign
            .or(self.assignee.map(|agent| Act::Assign(Some(agent))))
            .or(self.queue.map(Act::Queue));
        // A topic leads into its queue first: whoever is given the request has to work there.
        let mut acts: Vec<Act> = self.topic.map(Act::Topic).into_iter().collect();
        acts.extend(self.priority.map(Act::Priority));
        acts.extend(self.tags.iter().cloned().map(Act::Tag));
        acts.extend(self.untags.iter().cloned().map(Act::Untag));
        acts.extend(assign);
        acts.extend(self.status.map(Act::Status));
        acts
    }
}

macro_rules! macros {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.code, m.digit, m.name, m.owner_id IS NULL AS is_shared, m.answer, m.sends, m.status, m.assign, \
             m.assignee_id AS assignee, s.name AS assignee_name, m.queue_id AS queue, q.name AS queue_name, \
             m.topic_id AS topic, t.name AS topic_name, m.priority, m.tags, m.untags, m.changed_at FROM macros m \
             LEFT JOIN staff s ON s.id = m.assignee_id LEFT JOIN queues q ON q.id = m.queue_id \
             LEFT JOIN topics t ON t.id = m.topic_id ",
            $rest
        )
    };
}

/// Those that somebody has: everybody's and their own, by name.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<Macro>, Error> {
    const SQL: &str = macros!("WHERE m.owner_id IS NULL OR m.owner_id = $1 ORDER BY m.name, m.id");
    by.may(Right::Requests)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(by.id()).fetch_all(c).await)?)
}

/// The digit that carries out one of those that somebody has: what is their own goes before what is everybody's.
pub fn digit(all: &[Macro], one: &Macro) -> Option<i64> {
    let is_hidden = one.is_shared && all.iter().any(|other| !other.is_shared && other.digit == one.digit);
    one.digit.filter(|_| !is_hidden)
}

/// One of those. Fails with [`Error::NotFound`].
async fn read(conn: &mut Conn, by: &Staff, id: MacroId) -> Result<Macro, Error> {
    const SQL: &str = macros!("WHERE m.id = $1 AND (m.owner_id IS NULL OR m.owner_id = $2)");
    by.may(Right::Requests)?;
    let found: Option<Macro> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(id)
        .bind(by.id())
        .fetch_optional(c)
        .await)?;
    found.ok_or(Error::NotFound)
}

/// The same for the page of macros. That they were looked at is written down.
pub async fn look_through(db: &Db, by: &Staff) -> Result<Vec<Macro>, Error> {
    db.write(|tx| {
        scoped(async move {
            let all = list(tx, by).await?;
            by.record(tx, "macro.list", None, None, "").await?;
            Ok(all)
        })
    })
    .await
}

/// The same of one.
pub async fn look_at(db: &Db, by: &Staff, id: MacroId) -> Result<Macro, Error> {
    db.write(|tx| {
        scoped(async move {
            let one = read(tx, by, id).await?;
            by.record(tx, "macro.read", None, Some(id.0), "").await?;
            Ok(one)
        })
    })
    .await
}

/// What is everybody's takes a right of its own.
fn may_write(by: &Staff, is_shared: bool) -> Result<(), Error> {
    by.may(Right::Requests)?;
    if is_shared { by.may(Right::Macros) } else { Ok(()) }
}

/// Writes a macro down. Fails with flaws at its fields; of those of one owner each has another code and another digit. Fails with
/// [`Error::TooMany`] where there are [`MOST`] already.
pub async fn create(db: &Db, by: &Staff, new: &NewMacro) -> Result<MacroId, Error> {
    may_write(by, new.is_shared())?;
    let checked = &new.checked()?;
    db.write(|tx| {
        scoped(async move {
            let owner = (!new.is_shared()).then(|| by.id());
            let id = enter(tx, owner, by.id(), checked).await?;
            by.record(tx, "macro.create", None, Some(id.0), &checked.code).await?;
            Ok(id)
        })
    })
    .await
}

/// Writes one of everybody's down at the command line, in the name of a member of staff.
pub async fn create_by_system(tx: &mut Tx, _by: &System, writer: StaffId, new: &NewMacro) -> Result<MacroId, Error> {
    enter(tx, None, writer, &new.checked()?).await
}

/// Fails with a flaw at `digit` where another one of the same owner has it. Whoever asks has the lock.
async fn is_free(tx: &mut Tx, digit: Option<i64>, owner: Option<StaffId>, id: MacroId) -> Result<(), Error> {
    const SQL: &str = "SELECT name FROM macros WHERE digit = $1 AND owner_id IS NOT DISTINCT FROM $2 AND id <> $3";
    let other: Option<String> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(digit)
        .bind(owner)
        .bind(id)
        .fetch_optional(c)
        .await)?;
    match other {
        Some(name) => Err(Error::field("digit", Flaw::TakenBy { name })),
        None => Ok(()),
    }
}

/// Fails with a flaw at `assign` or `topic` where there is nobody and nothing of the kind to be chosen, as by hand. `was` is how
/// the macro stood before: what stays as it is may be closed by now.
async fn is_there(tx: &mut Tx, checked: &Checked, was: Option<&Macro>) -> Result<(), Error> {
    const AGENT: &str = "SELECT COUNT(*) FROM staff WHERE id = $1 AND disabled_at IS NULL";
    let mut check = Check::new();
    if let Some(agent) = checked.to.agent {
        let known: i64 = on!(tx, |c| sqlx::query_scalar(AGENT).bind(agent).fetch_one(c).await)?;
        check.field("assign", if known > 0 { Ok(()) } else { Err(Flaw::NotAChoice) });
    }
    if let Some(queue) = checked
        .to
        .queue
        .filter(|queue| was.and_then(|was| was.queue) != Some(*queue))
    {
        let is_open = queues::is_open(tx, queue).await?;
        check.field("assign", if is_open { Ok(()) } else { Err(Flaw::NotAChoice) });
    }
    if let Some(topic) = checked
        .topic
        .filter(|topic| was.and_then(|was| was.topic) != Some(*topic))
    {
        let is_open = topics(tx).await?.iter().any(|one| one.id == topic);
        check.field("topic", if is_open { Ok(()) } else { Err(Flaw::NotAChoice) });
    }
    check.result()
}

async fn enter(tx: &mut Tx, owner: Option<StaffId>, writer: StaffId, checked: &Checked) -> Result<MacroId, Error> {
    const SQL: &str = "INSERT INTO macros (id, code, name, owner_id, answer, sends, status, assign, changed_at, changed_by, \
                       priority, tags, untags, digit, assignee_id, queue_id, topic_id) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    const COUNT: &str = "SELECT COUNT(*) FROM macros WHERE owner_id IS NOT DISTINCT FROM $1";
    tx.lock(Lock::Macros, true).await?;
    let (id, now) = (MacroId::new(), tx.now());
    let count: i64 = on!(tx, |c| sqlx::query_scalar(COUNT).bind(owner).fetch_one(c).await)?;
    if count >= MOST {
        return Err(Error::TooMany { retry_after: 0 });
    }
    is_free(tx, checked.digit, owner, id).await?;
    is_there(tx, checked, None).await?;
    let inserted = on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(&checked.code)
        .bind(&checked.name)
        .bind(owner)
        .bind(Json(&checked.answer))
        .bind(checked.sends)
        .bind(checked.status)
        .bind(checked.to.assign)
        .bind(now)
        .bind(writer)
        .bind(checked.priority)
        .bind(Json(&checked.tags))
        .bind(Json(&checked.untags))
        .bind(checked.digit)
        .bind(checked.to.agent)
        .bind(checked.to.queue)
        .bind(checked.topic)
        .execute(c)
        .await
        .map(drop));
    unless_taken(inserted)?;
    Ok(id)
}

/// Changes a macro. `seen` is when it was written down as it was shown: fails with [`Error::Stale`] where it is another one by now,
/// with [`Error::NotFound`], and as [`create`] does.
pub async fn change(db: &Db, by: &Staff, id: MacroId, seen: DateTime<Utc>, new: &NewMacro) -> Result<(), Error> {
    // Nobody else changes it meanwhile.
    const HOLD: &str = "UPDATE macros SET code = code WHERE id = $1";
    const SQL: &str = "UPDATE macros SET code = $2, name = $3, owner_id = $4, answer = $5, sends = $6, status = $7, \
                       assign = $8, changed_at = $9, changed_by = $10, priority = $11, tags = $12, untags = $13, \
                       digit = $14, assignee_id = $15, queue_id = $16, topic_id = $17 WHERE id = $1";
    may_write(by, new.is_shared())?;
    db.write(|tx| {
        scoped(async move {
            tx.lock(Lock::Macros, true).await?;
            on!(tx, |c| sqlx::query(HOLD).bind(id).execute(c).await.map(drop))?;
            let before = read(tx, by, id).await?;
            may_write(by, before.is_shared)?;
            if before.changed_at != seen {
                return Err(Error::Stale);
            }
            let checked = &new.checked()?;
            let owner = (!new.is_shared()).then(|| by.id());
            is_free(tx, checked.digit, owner, id).await?;
            is_there(tx, checked, Some(&before)).await?;
            let now = tx.now().max(seen + TimeDelta::microseconds(1));
            let changed = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&checked.code)
                .bind(&checked.name)
                .bind(owner)
                .bind(Json(&checked.answer))
                .bind(checked.sends)
                .bind(checked.status)
                .bind(checked.to.assign)
                .bind(now)
                .bind(by.id())
                .bind(checked.priority)
                .bind(Json(&checked.tags))
                .bind(Json(&checked.untags))
                .bind(checked.digit)
                .bind(checked.to.agent)
                .bind(checked.to.queue)
                .bind(checked.topic)
                .execute(c)
                .await
                .map(drop));
            unless_taken(changed)?;
            Ok(by.record(tx, "macro.change", None, Some(id.0), &checked.code).await?)
        })
    })
    .await
}

/// Removes a macro. Fails with [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Staff, id: MacroId) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM macros WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            let gone = read(tx, by, id).await?;
            may_write(by, gone.is_shared)?;
            on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            Ok(by.record(tx, "macro.remove", None, Some(id.0), &gone.code).await?)
        })
    })
    .await
}

/// How points are shown in a language.
pub type ShowPoints = fn(Lang, i64) -> String;

/// What the variables stand for in a request. Who has opened the request may read it.
async fn values(tx: &mut Tx, by: &Staff, held: &Held, show: ShowPoints) -> Result<Values, Error> {
    const NAME: &str = "SELECT name FROM customers WHERE id = $1";
    const POINTS: &str =
        "SELECT CAST(COALESCE(SUM(balance), 0) AS BIGINT) FROM accounts WHERE customer_id = $1 AND kind = 'active'";
    const CARD: &str = "SELECT number FROM cards WHERE customer_id = $1 AND state = 'active' \
                        ORDER BY issued_at DESC, id DESC LIMIT 1";
    let of: CustomerId = held.customer_id;
    let customer: String = on!(tx, |c| sqlx::query_scalar(NAME).bind(of).fetch_one(c).await)?;
    let points: i64 = on!(tx, |c| sqlx::query_scalar(POINTS).bind(of).fetch_one(c).await)?;
    let card: Option<String> = on!(tx, |c| sqlx::query_scalar(CARD).bind(of).fetch_optional(c).await)?;
    Ok(Values {
        customer,
        number: held.number,
        agent: by.name().to_owned(),
        points: show(held.language, points),
        card: card.map(|number| last4(&number).to_owned()).unwrap_or_default(),
    })
}

/// The end of a card's number.
pub fn last4(number: &str) -> &str {
    number.get(number.len().saturating_sub(4)..).unwrap_or(number)
}

/// Does what a macro says, all of it or nothing: the answer goes out, or is put below what somebody is writing; then what the request
/// is about, how urgent it is, its tags, who works on it or in which queue, and where it stands. `seen` as in [`super::store::staff_answer`]. Whether the answer was
/// sent. Fails with [`Error::Stale`] when the request has moved on since, with [`Error::NotFound`] for no macro of theirs, with a
/// flaw at `text` where the answer is too long, and with [`Error::Forbidden`] for what the queue of the request does not allow to
/// them, for a colleague who does not work in it, for a topic or queue that is closed, or where there would be too many tags.
pub async fn run(
    db: &Db,
    by: &Staff,
    number: i64,
    id: MacroId,
    seen: DateTime<Utc>,
    show: ShowPoints,
) -> Result<bool, Error> {
    by.may(Right::Requests)?;
    db.write(|tx| {
        scoped(async move {
            let prepared = read(tx, by, id).await?;
            let held = Held::by_number(tx, number, None).await?;
            if held.updated_at != seen {
                return Err(Error::Stale);
            }
            let (request, number) = (held.id, held.number);
            let answer = match prepared.answer(held.language) {
                Some(answer) => Some(fill(answer, &values(tx, by, &held, show).await?)),
                None => None,
            };
            let is_sent = prepared.sends && answer.is_some();
            match answer {
                Some(answer) if is_sent => send(tx, by, &held, &answer).await?,
                Some(answer) => {
                    // It names what is the customer's.
                    let (customer, reason) = (Some(held.customer_id), Reason::Request.as_str());
                    by.record(tx, "request.read", customer, Some(request.0), reason).await?;
                    draft::append(tx, by, request, Draft::Answer, &answer).await?;
                }
                None => {}
            }
            // What is done along with it begins where the answer has led.
            let held = Held::by_number(tx, number, None).await?;
            // A topic that is closed by now nobody chooses by hand either.
            if let Some(topic) = prepared.topic
                && topic != held.topic_id
                && topics(tx).await?.iter().all(|one| one.id != topic)
            {
                return Err(Error::Forbidden);
            }
            if let Some(queue) = prepared.queue
                && !queues::is_open(tx, queue).await?
            {
                return Err(Error::Forbidden);
            }
            let acts = prepared.acts(by);
            let told = match bulk::carry_out(tx, by, &held, &acts).await? {
                Ok(before) => bulk::told(by, &before, &acts),
                Err(Refused::Same) => Vec::new(),
                Err(Refused::Agent | Refused::Status | Refused::Tags) => return Err(Error::Forbidden),
                Err(Refused::Changed) => return Err(Error::Stale),
            };
            let kind = if is_sent {
                live::Kind::Answered
            } else {
                bulk::kind(&acts)
            };
            live::note(tx, request, kind).await?;
            live::ring(tx, request, &told).await?;
            Ok(is_sent)
        })
    })
    .await
}

/// Answers the customer, as [`super::store::staff_answer`] does.
async fn send(tx: &mut Tx, by: &Staff, held: &Held, answer: &str) -> Result<(), Error> {
    let body = text(answer).map_err(|flaw| Error::field("text", flaw))?;
    if !queues::may_answer(tx, by, held).await? {
        return Err(Error::Forbidden);
    }
    let at = held.moment(tx);
    say(tx, held.id, Some(by.id()), false, &body, at).await?;
    let change = Change {
        step: Step::StaffAnswers,
        assignee: Some(held.assignee_id.unwrap_or(by.id())),
        answered: true,
    };
    held.take(tx, at, change).await?;
    tell(tx, held.customer_id, held.number).await?;
    audit(tx, by, Step::StaffAnswers, held).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values {
            customer: "Анна {{card.last4}}".into(),
            number: 17,
            agent: "Пётр".into(),
            points: "36,75".into(),
            card: "0018".into(),
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        let text =
            "{{ customer.name }}, № {{request.number}}: {{points.balance}}, карта …{{card.last4}}. {{agent.name}}";
        assert_eq!(
            fill(text, &values()),
            "Анна {{card.last4}}, № 17: 36,75, карта …0018. Пётр",
            "what a customer is called is no text of ours"
        );
        assert_eq!(fill("без ничего }} и {один}", &values()), "без ничего }} и {один}");
    }

    #[test]
    fn what_nobody_fills_in_is_told() {
        assert_eq!(
            unknown("{{customer.name}} {{ customer.phone }}").as_deref(),
            Some("customer.phone")
        );
        assert_eq!(unknown("{{}}").as_deref(), Some(""));
        assert_eq!(
            unknown("{{customer.name").as_deref(),
            None,
            "it is filled in all the same"
        );
        assert_eq!(unknown("{{имя, здравствуйте").as_deref(), Some("имя, здравствуйте"));
        assert_eq!(unknown("{один} }}"), None);
    }

    #[test]
    fn an_answer_is_there_in_one_language_at_least() {
        let mut prepared = Macro {
            id: MacroId(uuid::Uuid::nil()),
            code: "hello".into(),
            digit: None,
            name: "Здравствуйте".into(),
            is_shared: true,
            answer: Localized::new("Здравствуйте", ""),
            sends: false,
            status: None,
            assign: None,
            assignee: None,
            assignee_name: None,
            queue: None,
            queue_name: None,
            topic: None,
            topic_name: None,
            priority: None,
            tags: Vec::new(),
            untags: Vec::new(),
            changed_at: DateTime::UNIX_EPOCH,
        };
        assert_eq!(prepared.answer(Lang::En), Some("Здравствуйте"));
        prepared.answer.en = "Hello".into();
        assert_eq!(prepared.answer(Lang::En), Some("Hello"));
        prepared.answer = Localized::default();
        assert_eq!(prepared.answer(Lang::En), None);
        assert_eq!((last4("2900000000018"), last4("18")), ("0018", "18"));
    }
}
