//! Questions in the database: what everybody reads, what customers ask, then what staff make of it.

use super::{ANSWER_MAX, Edit, NewQuestion, Own, REASON_MAX, Row, Shown, State, TEXT_MAX, Whole, private};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::help::store::{self as help, Reader};
use crate::id::{CustomerId, QuestionId, StaffId, TopicId};
use crate::lang::{Lang, fold};
use crate::limits;
use crate::notification::{self, Kind};
use crate::on;
use crate::points::Before;
use crate::request::store as requests;
use crate::signin::codes::code_key;
use crate::staff::Right;
use crate::who::{Customer, Staff, Subject, System};
use chrono::{DateTime, Days, TimeDelta, Utc};

/// Votes from one network within an hour: a shop's wireless network serves many.
const VOTES_PER_NETWORK: u32 = 60;
/// The most words of a search that count.
const WORDS_MAX: usize = 6;

/// The columns of a [`Shown`], and where they come from.
macro_rules! select_shown {
    ($rest:literal) => {
        concat!(
            "SELECT q.id, t.name AS topic, q.name, q.language, q.body, q.answer, q.article, q.published_at, q.answered_at \
             FROM questions q JOIN topics t ON t.id = q.topic_id",
            $rest
        )
    };
}

// What everybody reads ------------------------------------------------------------------------------------------------

/// The questions that are shown, the newest first, those before `before`: of a topic, where one is given, and with every word of a
/// text in them.
pub async fn list(
    conn: &mut Conn,
    topic: Option<TopicId>,
    text: &str,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Shown>, Error> {
    let mut query = ListQuery::new(select_shown!("")).filter("q.state = 'published'", []);
    if let Some(topic) = topic {
        query = query.filter("q.topic_id = ?", [Bind::Id(topic.0)]);
    }
    let text = text.replace(char::is_control, " ");
    for word in fold(&text).split(' ').filter(|word| !word.is_empty()).take(WORDS_MAX) {
        let part = format!("%{}%", db::like(word));
        query = query.filter("q.search LIKE ? ESCAPE '\\'", [Bind::Text(part)]);
    }
    if let Some((at, id)) = before {
        query = query.filter("(q.published_at, q.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY q.published_at DESC, q.id DESC").limit(limit);
    Ok(db::list(conn, query).await?)
}

/// One that is shown. Fails with [`Error::NotFound`].
pub async fn get(conn: &mut Conn, id: QuestionId) -> Result<Shown, Error> {
    const SQL: &str = select_shown!(" WHERE q.id = $1 AND q.state = 'published'");
    let found: Option<Shown> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// Those that an article of the help says more about, the newest first.
pub async fn about(conn: &mut Conn, article: &str, limit: i64) -> Result<Vec<Shown>, Error> {
    const SQL: &str = select_shown!(
        " WHERE q.article = $1 AND q.state = 'published' ORDER BY q.published_at DESC, q.id DESC LIMIT $2"
    );
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(article)
        .bind(limit)
        .fetch_all(c)
        .await)?)
}

/// Says whether an answer was of use. Said again on the same day, it is said anew and not once more. Fails with
/// [`Error::NotFound`] for a question that is not shown or not answered, and with [`Error::TooMany`].
pub async fn vote(db: &Db, by: Reader<'_>, id: QuestionId, is_useful: bool) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO question_votes (question_id, day, voter, useful, voted_at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (question_id, day, voter) DO UPDATE SET useful = excluded.useful, \
                       voted_at = excluded.voted_at";
    db.write(|tx| {
        scoped(async move {
            if get(tx, id).await?.answer.is_none() {
                return Err(Error::NotFound);
            }
            let network = &by.visitor.network;
            if !limits::take(tx, &format!("question.vote:{network}"), VOTES_PER_NETWORK).await? {
                return Err(Error::TooMany { retry_after: 3600 });
            }
            let now = tx.now();
            let day = tx.shop().day(now);
            let voter = by.hash(&code_key(tx).await?, id.0, day);
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(day)
                .bind(&voter)
                .bind(is_useful)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

// What customers ask --------------------------------------------------------------------------------------------------

/// What a customer asked, the newest first, those before `before`.
pub async fn own(conn: &mut Conn, of: Subject, before: Option<Before>, limit: i64) -> Result<Vec<Own>, Error> {
    let mut query = ListQuery::new(
        "SELECT q.id, t.name AS topic, q.asked, q.state, q.reason, r.number AS request, q.answer IS NOT NULL AS is_answered, \
         q.asked_at FROM questions q JOIN topics t ON t.id = q.topic_id LEFT JOIN requests r ON r.id = q.request_id",
    )
    .filter("q.customer_id = ?", [Bind::Id(of.id().0)]);
    if let Some((at, id)) = before {
        query = query.filter("(q.asked_at, q.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY q.asked_at DESC, q.id DESC").limit(limit);
    Ok(db::list(conn, query).await?)
}

/// Asks a question; nobody sees it before staff have looked at it. Fails with flaws at `topic` and `text`, among them
/// [`Flaw::Private`] for what everybody would read, unless it is said to be harmless; and with [`Error::TooMany`] for a customer
/// who has asked enough today.
pub async fn ask(db: &Db, by: &Customer, new: &NewQuestion, lang: Lang) -> Result<QuestionId, Error> {
    const SQL: &str = "INSERT INTO questions (id, customer_id, topic_id, language, name, asked, body, search, state, asked_at, \
                       changed_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $9)";
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let topic = requests::open_topic(tx, &new.topic).await?;
            let topic = check.field("topic", topic);
            let is_private = |text: &String| !new.is_harmless && !private(text).is_empty();
            let text = flaw::text(&new.text, TEXT_MAX).and_then(|text| match is_private(&text) {
                true => Err(Flaw::Private),
                false => Ok(text),
            });
            let text = check.field("text", text);
            let (Some(topic), Some(text)) = (topic, text) else {
                return Err(Error::Invalid(check.flaws()));
            };
            within_the_day(tx, by).await?;
            let (id, now) = (QuestionId::new(), tx.now());
            let name = if new.is_named { by.name() } else { "" };
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(topic)
                .bind(lang)
                .bind(name)
                .bind(&text)
                .bind(fold(&text))
                .bind(State::New)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "question.ask", Some(id.0)).await?;
            Ok(id)
        })
    })
    .await
}

/// Fails with [`Error::TooMany`] where a customer has asked enough today. Two questions at the same moment are counted one after
/// the other.
async fn within_the_day(tx: &mut Tx, by: &Customer) -> Result<(), Error> {
    const ASKED: &str = "SELECT COUNT(*) FROM questions WHERE customer_id = $1 AND asked_at >= $2";
    customers::hold(tx, by.id()).await?;
    let (shop, now) = (tx.shop().clone(), tx.now());
    let today = shop.day(now);
    let asked: i64 = on!(tx, |c| sqlx::query_scalar(ASKED)
        .bind(by.id())
        .bind(shop.midnight(today))
        .fetch_one(c)
        .await)?;
    if asked < i64::from(shop.limits.questions_per_day) {
        return Ok(());
    }
    let wait = shop.midnight(today + Days::new(1)) - now;
    let retry_after = u32::try_from(wait.num_seconds()).unwrap_or(3600).max(1);
    Err(Error::TooMany { retry_after })
}

// What staff make of it -----------------------------------------------------------------------------------------------

/// The questions of a state, the newest first, those before `before`. That they were looked at is written down.
pub async fn queue(db: &Db, by: &Staff, state: State, before: Option<Before>, limit: i64) -> Result<Vec<Row>, Error> {
    by.may(Right::Questions)?;
    let mut query = ListQuery::new(
        "SELECT q.id, t.name AS topic, SUBSTR(q.body, 1, 160) AS beginning, q.answer IS NOT NULL AS is_answered, q.asked_at \
         FROM questions q JOIN topics t ON t.id = q.topic_id",
    )
    .filter("q.state = ?", [Bind::Word(state.as_str())]);
    if let Some((at, id)) = before {
        query = query.filter("(q.asked_at, q.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY q.asked_at DESC, q.id DESC").limit(limit);
    let mut conn = db.read().await?;
    let rows: Vec<Row> = db::list(&mut conn, query).await?;
    drop(conn);
    let reason = &format!("{} shown", rows.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "question.queue", None, None, reason).await?) }))
        .await?;
    Ok(rows)
}

/// How many wait to be looked at.
pub async fn waiting(conn: &mut Conn, by: &Staff) -> Result<i64, Error> {
    const SQL: &str = "SELECT COUNT(*) FROM questions WHERE state = 'new'";
    by.may(Right::Questions)?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL).fetch_one(c).await)?)
}

/// One question with who asked it, which is written down. Fails with [`Error::NotFound`].
pub async fn open(db: &Db, by: &Staff, id: QuestionId) -> Result<Whole, Error> {
    const SQL: &str = "SELECT q.id, q.customer_id, c.name AS customer_name, c.surname AS customer_surname, q.topic_id, \
                       t.name AS topic, q.name, q.language, q.asked, q.body, q.state, q.reason, r.number AS request, q.answer, \
                       q.article, q.asked_at, q.changed_at, q.published_at, q.answered_at, s.name AS answered_by, \
                       (SELECT COUNT(*) FROM question_votes v WHERE v.question_id = q.id AND v.useful) AS useful, \
                       (SELECT COUNT(*) FROM question_votes v WHERE v.question_id = q.id AND NOT v.useful) AS useless \
                       FROM questions q JOIN customers c ON c.id = q.customer_id JOIN topics t ON t.id = q.topic_id \
                       LEFT JOIN requests r ON r.id = q.request_id LEFT JOIN staff s ON s.id = q.answered_by WHERE q.id = $1";
    by.may(Right::Questions)?;
    db.write(|tx| {
        scoped(async move {
            let whole: Option<Whole> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
            let whole = whole.ok_or(Error::NotFound)?;
            by.record(tx, "question.read", Some(whole.customer_id), Some(id.0), "")
                .await?;
            Ok(whole)
        })
    })
    .await
}

/// A question that this transaction changes.
#[derive(sqlx::FromRow)]
struct Held {
    id: QuestionId,
    customer_id: CustomerId,
    topic_id: TopicId,
    language: Lang,
    asked: String,
    state: State,
    answer: Option<String>,
    answered_at: Option<DateTime<Utc>>,
    answered_by: Option<StaffId>,
    changed_at: DateTime<Utc>,
}

impl Held {
    /// Takes hold of a question until the transaction ends. `seen` is the [`Whole::changed_at`] of what was read, and it has to be
    /// in one of these states: else [`Error::Stale`]. Fails with [`Error::NotFound`].
    async fn take(tx: &mut Tx, id: QuestionId, seen: DateTime<Utc>, states: &[State]) -> Result<Self, Error> {
        const SQL: &str = "UPDATE questions SET changed_at = changed_at WHERE id = $1 RETURNING id, customer_id, topic_id, \
                           language, asked, state, answer, answered_at, answered_by, changed_at";
        let held: Option<Self> = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
        let held = held.ok_or(Error::NotFound)?;
        if held.changed_at != seen || !states.contains(&held.state) {
            return Err(Error::Stale);
        }
        Ok(held)
    }

    /// The time of what happens now: after all that happened before, because what was seen is told by it.
    fn moment(&self, tx: &Tx) -> DateTime<Utc> {
        tx.now().max(self.changed_at + TimeDelta::microseconds(1))
    }

    async fn record(&self, tx: &mut Tx, by: &Staff, action: &str) -> Result<(), sqlx::Error> {
        by.record(tx, action, Some(self.customer_id), Some(self.id.0), "").await
    }

    /// Tells in the cabinet of whoever asked that there is news.
    async fn tell(&self, tx: &mut Tx) -> Result<(), Error> {
        Ok(notification::add(tx, self.customer_id, Kind::Answer, &self.id.to_string(), None).await?)
    }
}

/// Shows a question to everybody, or changes what is shown of it. Where it is answered by that, whoever asked is told, by e-mail
/// too. `seen` is the [`Whole::changed_at`] of what was read: [`Error::Stale`] where it is another one by now, or is not to be
/// shown any more. Fails with flaws at `body`, `answer` and `article`.
pub async fn publish(db: &Db, by: &Staff, id: QuestionId, seen: DateTime<Utc>, edit: &Edit) -> Result<(), Error> {
    const SQL: &str = "UPDATE questions SET state = $2, body = $3, search = $4, answer = $5, article = $6, answered_at = $7, \
                       answered_by = $8, published_at = COALESCE(published_at, $9), changed_at = $9 WHERE id = $1";
    const VOTES: &str = "DELETE FROM question_votes WHERE question_id = $1";
    by.may(Right::Questions)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, id, seen, &[State::New, State::Published]).await?;
            let mut check = Check::new();
            let body = check.field("body", flaw::text(&edit.body, TEXT_MAX));
            let answer = match flaw::text(&edit.answer, ANSWER_MAX) {
                Err(Flaw::Missing) => None,
                other => check.field("answer", other),
            };
            let article = Some(edit.article.as_str()).filter(|code| !code.is_empty());
            let shown = help::shown(tx).await?;
            let is_there = article.is_none_or(|code| shown.iter().any(|one| one.code == code));
            check.field("article", if is_there { Ok(()) } else { Err(Flaw::NotAChoice) });
            let body = body.unwrap_or_default();
            check.result()?;
            let at = held.moment(tx);
            let search = fold(&format!("{body}\n{}", answer.as_deref().unwrap_or_default()));
            let (answered_at, answered_by) = match (&answer, answer == held.answer) {
                (None, _) => (None, None),
                (Some(_), true) => (held.answered_at, held.answered_by),
                (Some(_), false) => (Some(held.answered_at.unwrap_or(at)), Some(by.id())),
            };
            // What was told, hidden and shown again is told once; a word that is mended where everybody reads it is none either.
            let is_hidden = held.state == State::New;
            let is_news = answer.is_some() && (held.answer.is_none() || is_hidden && answer != held.answer);
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(State::Published)
                .bind(&body)
                .bind(&search)
                .bind(answer.as_deref())
                .bind(article)
                .bind(answered_at)
                .bind(answered_by)
                .bind(at)
                .execute(c)
                .await
                .map(drop))?;
            // They were about other words.
            if held.answer.is_some() && answer != held.answer {
                on!(tx, |c| sqlx::query(VOTES).bind(id).execute(c).await.map(drop))?;
            }
            held.record(tx, by, "question.publish").await?;
            if is_news {
                held.tell(tx).await?;
                let page = format!("{}/questions/{id}", tx.shop().url);
                let values = |_| vec![("page", page)];
                notification::write(tx, held.customer_id, "question_answered", false, values).await?;
            }
            Ok(())
        })
    })
    .await
}

/// Takes a question from everybody's eyes: it waits to be looked at again. Fails as [`publish`] does.
pub async fn unpublish(db: &Db, by: &Staff, id: QuestionId, seen: DateTime<Utc>) -> Result<(), Error> {
    const SQL: &str = "UPDATE questions SET state = $2, changed_at = $3 WHERE id = $1";
    by.may(Right::Questions)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, id, seen, &[State::Published]).await?;
            let at = held.moment(tx);
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(State::New)
                .bind(at)
                .execute(c)
                .await
                .map(drop))?;
            Ok(held.record(tx, by, "question.unpublish").await?)
        })
    })
    .await
}

/// Declines a question; whoever asked reads why. Fails with a flaw at `reason`, and as [`publish`] does.
pub async fn decline(db: &Db, by: &Staff, id: QuestionId, seen: DateTime<Utc>, reason: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE questions SET state = $2, reason = $3, changed_at = $4 WHERE id = $1";
    by.may(Right::Questions)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, id, seen, &[State::New]).await?;
            let at = held.moment(tx);
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(State::Declined)
                .bind(reason)
                .bind(at)
                .execute(c)
                .await
                .map(drop))?;
            held.tell(tx).await?;
            Ok(held.record(tx, by, "question.decline").await?)
        })
    })
    .await
}

/// Makes a request of a question, in the words of whoever asked: what is about them alone is answered in private. Fails as
/// [`publish`] does.
pub async fn move_to_support(db: &Db, by: &Staff, id: QuestionId, seen: DateTime<Utc>) -> Result<(), Error> {
    const SQL: &str = "UPDATE questions SET state = $2, request_id = $3, changed_at = $4 WHERE id = $1";
    by.may(Right::Questions)?;
    db.write(|tx| {
        scoped(async move {
            let held = Held::take(tx, id, seen, &[State::New]).await?;
            let at = held.moment(tx);
            let request = requests::begin_with(tx, held.customer_id, held.topic_id, held.language, &held.asked).await?;
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(State::Moved)
                .bind(request)
                .bind(at)
                .execute(c)
                .await
                .map(drop))?;
            held.tell(tx).await?;
            Ok(held.record(tx, by, "question.move").await?)
        })
    })
    .await
}

// What happened elsewhere ---------------------------------------------------------------------------------------------

/// A question that was asked before, or is made up. It is shown once it has an answer.
#[derive(Clone, Debug)]
pub struct Past {
    /// Who asked.
    pub customer: CustomerId,
    /// The topic's code.
    pub topic: String,
    /// The language it was written in.
    pub language: Lang,
    /// The name that everybody sees; empty for none.
    pub name: String,
    /// What was asked.
    pub body: String,
    /// What the shop said, and who of the staff.
    pub answer: Option<(String, StaffId)>,
    /// The code of the article of the help that says more.
    pub article: Option<String>,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

/// Writes a question of the past down. Fails with [`Error::NotFound`] where the topic is unknown.
pub async fn put(tx: &mut Tx, _by: &System, past: &Past) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO questions (id, customer_id, topic_id, language, name, asked, body, search, state, answer, \
                       article, asked_at, changed_at, published_at, answered_at, answered_by) \
                       SELECT $1, $2, t.id, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13 FROM topics t \
                       WHERE t.code = $14";
    let (answer, answered_by) = past.answer.as_ref().map(|(text, by)| (text.as_str(), *by)).unzip();
    let (state, answered_at) = match answer {
        Some(_) => (State::Published, Some(past.at + TimeDelta::hours(1))),
        None => (State::New, None),
    };
    let search = fold(&format!("{}\n{}", past.body, answer.unwrap_or_default()));
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(QuestionId::new())
        .bind(past.customer)
        .bind(past.language)
        .bind(&past.name)
        .bind(&past.body)
        .bind(&search)
        .bind(state)
        .bind(answer)
        .bind(past.article.as_deref())
        .bind(past.at)
        .bind(answered_at.unwrap_or(past.at))
        .bind(answered_at)
        .bind(answered_by)
        .bind(&past.topic)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Whether anybody ever asked.
pub async fn exist(conn: &mut Conn, _by: &System) -> Result<bool, Error> {
    let found: i64 = on!(conn, |c| sqlx::query_scalar("SELECT COUNT(*) FROM questions")
        .fetch_one(c)
        .await)?;
    Ok(found > 0)
}
