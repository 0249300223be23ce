//! The help as staff write it: articles, drafted and published, and what readers were left without.

use super::super::Content;
use crate::db::{Conn, Db, Tx, scoped};
use crate::draft::{self, Drafted, Drafts, drafts};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::HelpArticleId;
use crate::lang::Lang;
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use sqlx::types::Json;

/// How far back it is told what was looked for in vain.
pub const GAPS: Duration = Duration::days(30);
/// How many searches in vain, and answers to what was missing, are told at most.
const MOST: i64 = 100;

/// How it stands with an article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Readers see it.
    Shown,
    /// Nobody has seen it yet, and it will be shown by itself.
    Ahead,
    /// It was not published yet.
    Draft,
    /// Its last day is over.
    Expired,
    /// It was withdrawn.
    Withdrawn,
}

impl State {
    /// By the version that has begun last, with when it was withdrawn, and by whether there is any that was published.
    fn of(current: Option<(&Content, Option<DateTime<Utc>>)>, is_published: bool, today: NaiveDate) -> Self {
        match current {
            Some((_, Some(_))) => Self::Withdrawn,
            Some((content, None)) if content.expires_on.is_some_and(|last| last < today) => Self::Expired,
            Some((_, None)) => Self::Shown,
            None if is_published => Self::Ahead,
            None => Self::Draft,
        }
    }
}

/// An article in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its lasting name, as in addresses.
    pub code: String,
    /// How it stands with it.
    pub state: State,
    /// Something is being written.
    pub has_draft: bool,
    /// What it says now; of one that was not shown yet, what it will say.
    pub content: Content,
    /// Since when it says that.
    pub published_at: Option<DateTime<Utc>>,
    /// How often the version that counts was of use.
    pub useful: i64,
    /// How often it was not.
    pub useless: i64,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    code: String,
    current: Option<Json<Content>>,
    published_at: Option<DateTime<Utc>>,
    withdrawn_at: Option<DateTime<Utc>>,
    latest: Option<Json<Content>>,
    draft: Option<Json<Content>>,
    useful: i64,
    useless: i64,
}

impl EntryRow {
    fn entry(self, today: NaiveDate) -> Option<Entry> {
        let current = self.current.as_deref().map(|content| (content, self.withdrawn_at));
        let state = State::of(current, self.latest.is_some(), today);
        let has_draft = self.draft.is_some();
        Some(Entry {
            code: self.code,
            state,
            has_draft,
            content: self.current.or(self.latest).or(self.draft)?.0,
            published_at: self.published_at,
            useful: self.useful,
            useless: self.useless,
        })
    }
}

/// Every article, in the order of the help. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    const SQL: &str = "SELECT a.code, v.content AS current, v.published_at, v.withdrawn_at, l.content AS latest, \
                       d.content AS draft, \
                       (SELECT COUNT(*) FROM help_votes t WHERE t.article_id = a.id AND t.version = v.version AND t.useful) \
                       AS useful, \
                       (SELECT COUNT(*) FROM help_votes t WHERE t.article_id = a.id AND t.version = v.version \
                       AND NOT t.useful) AS useless FROM help_articles a \
                       LEFT JOIN help_versions v ON v.article_id = a.id AND v.version = (SELECT MAX(n.version) \
                       FROM help_versions n WHERE n.article_id = a.id AND n.published_at <= $1) \
                       LEFT JOIN help_versions l ON l.article_id = a.id AND l.version = (SELECT MAX(n.version) \
                       FROM help_versions n WHERE n.article_id = a.id) \
                       LEFT JOIN help_drafts d ON d.article_id = a.id ORDER BY a.position, a.code";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "help.list", None, None, "").await?;
            let now = tx.now();
            let today = tx.shop().day(now);
            let rows: Vec<EntryRow> = on!(tx, |c| sqlx::query_as(SQL).bind(now).fetch_all(c).await)?;
            Ok(rows.into_iter().filter_map(|row| row.entry(today)).collect())
        })
    })
    .await
}

/// A version of an article.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its number, from 1.
    pub version: i64,
    /// What it says.
    #[sqlx(json)]
    pub content: Content,
    /// Since when it is shown.
    pub published_at: DateTime<Utc>,
    /// The name of who published it; none: it came with the program.
    pub published_by: Option<String>,
    /// Since when it is shown no more.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// How often it was of use.
    pub useful: i64,
    /// How often it was not.
    pub useless: i64,
}

/// What is being written of an article.
pub type Draft = draft::Draft<Content>;

impl Drafted for Content {
    const SQL: Drafts = drafts!("help_drafts", "article_id", "content", "help_versions");
}

/// One article as staff see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Its id.
    pub id: HelpArticleId,
    /// What is being written.
    pub draft: Option<Draft>,
    /// Its versions, the newest first, one that lies ahead among them.
    pub versions: Vec<Version>,
}

impl Article {
    /// The version that has begun last by a moment.
    pub fn current(&self, now: DateTime<Utc>) -> Option<&Version> {
        self.versions.iter().find(|version| version.published_at <= now)
    }

    /// The version that has not begun yet.
    pub fn ahead(&self, now: DateTime<Utc>) -> Option<&Version> {
        self.versions.first().filter(|version| version.published_at > now)
    }

    /// How it stands with it at a moment of a day.
    pub fn state(&self, now: DateTime<Utc>, today: NaiveDate) -> State {
        let current = self
            .current(now)
            .map(|version| (&version.content, version.withdrawn_at));
        State::of(current, !self.versions.is_empty(), today)
    }
}

/// One article. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, code: &str) -> Result<Article, Error> {
    const SQL: &str = "SELECT v.version, v.content, v.published_at, s.name AS published_by, v.withdrawn_at, \
                       (SELECT COUNT(*) FROM help_votes t WHERE t.article_id = v.article_id AND t.version = v.version \
                       AND t.useful) AS useful, \
                       (SELECT COUNT(*) FROM help_votes t WHERE t.article_id = v.article_id AND t.version = v.version \
                       AND NOT t.useful) AS useless \
                       FROM help_versions v LEFT JOIN staff s ON s.id = v.published_by WHERE v.article_id = $1 \
                       ORDER BY v.version DESC";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            by.record(tx, "help.read", None, Some(id.0), "").await?;
            let versions = on!(tx, |c| sqlx::query_as(SQL).bind(id).fetch_all(c).await)?;
            let draft = draft::of(tx, id.0).await?;
            Ok(Article { id, draft, versions })
        })
    })
    .await
}

/// The same as it is kept in a draft: what it lacks is told by [`Content::lacks`], what is wrong with it here. `of` is the article
/// that is there already: in a part that is closed it stays.
async fn checked(
    conn: &mut Conn,
    check: &mut Check,
    content: &Content,
    of: Option<HelpArticleId>,
) -> Result<Content, Error> {
    const CATEGORY: &str = "SELECT COUNT(*) FROM help_categories c WHERE c.code = $1 AND (c.closed_at IS NULL \
                            OR EXISTS (SELECT 1 FROM help_versions v WHERE v.article_id = $2 \
                            AND v.content ->> 'category' = c.code) \
                            OR EXISTS (SELECT 1 FROM help_drafts d WHERE d.article_id = $2 \
                            AND d.content ->> 'category' = c.code))";
    const TOPIC: &str = "SELECT COUNT(*) FROM topics WHERE code = $1";
    let kept = content.checked(check, None);
    let there: i64 = on!(conn, |c| sqlx::query_scalar(CATEGORY)
        .bind(&kept.category)
        .bind(of)
        .fetch_one(c)
        .await)?;
    check.field("category", if there > 0 { Ok(()) } else { Err(Flaw::NotAChoice) });
    if let Some(topic) = &kept.topic {
        let there: i64 = on!(conn, |c| sqlx::query_scalar(TOPIC).bind(topic).fetch_one(c).await)?;
        check.field("topic", if there > 0 { Ok(()) } else { Err(Flaw::NotAChoice) });
    }
    Ok(kept)
}

/// Begins an article behind the others, with a draft: readers see it once it is published. Tells its code. Fails with flaws at
/// `key` and at its fields.
pub async fn create(db: &Db, by: &Staff, key: &str, content: &Content) -> Result<String, Error> {
    const SQL: &str = "INSERT INTO help_articles (id, code, position) \
                       SELECT $1, $2, COALESCE(MAX(position), 0) + 1 FROM help_articles";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(key)).unwrap_or_default();
            let content = checked(tx, &mut check, content, None).await?;
            check.result()?;
            let id = HelpArticleId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL).bind(id).bind(&code).execute(c).await.map(drop));
            unless_taken(inserted)?;
            draft::keep(tx, id.0, by.id(), &content).await?;
            by.record(tx, "help.create", None, Some(id.0), "").await?;
            Ok(code)
        })
    })
    .await
}

/// Writes the draft of an article. `seen` is the [`changed_at`](draft::Draft::changed_at) of the one that was shown, none where
/// there was none: [`Error::Stale`] where somebody else was quicker. Fails with flaws at fields, and with [`Error::NotFound`].
pub async fn write(
    db: &Db,
    by: &Staff,
    code: &str,
    seen: Option<DateTime<Utc>>,
    content: &Content,
) -> Result<(), Error> {
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            draft::is_as_seen::<Content>(tx, id.0, seen).await?;
            let mut check = Check::new();
            let content = checked(tx, &mut check, content, Some(id)).await?;
            check.result()?;
            draft::keep(tx, id.0, by.id(), &content).await?;
            Ok(by.record(tx, "help.draft", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Throws the draft of an article away; an article that was not published yet goes with it. Tells whether it is still there.
/// `seen` is the [`changed_at`](draft::Draft::changed_at) of the draft as it was shown: [`Error::Stale`] where it is another one by
/// now, or none.
pub async fn discard(db: &Db, by: &Staff, code: &str, seen: DateTime<Utc>) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM help_articles WHERE id = $1 \
                       AND NOT EXISTS (SELECT 1 FROM help_versions v WHERE v.article_id = help_articles.id)";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            draft::discard::<Content>(tx, id.0, seen).await?;
            let gone = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            by.record(tx, "help.discard", None, Some(id.0), "").await?;
            Ok(gone == 0)
        })
    })
    .await
}

/// Publishes the draft of an article, from a moment on or from now, and tells its version. `seen` is the
/// [`changed_at`](draft::Draft::changed_at) of the draft as it was shown: [`Error::Stale`] where there is another one, or where
/// a version lies ahead already. Fails with the flaws of a draft that [lacks](Content::lacks) something, with
/// [`Flaw::TooLate`] at `from` for a moment that is over, and with [`Error::NotFound`].
pub async fn publish(
    db: &Db,
    by: &Staff,
    code: &str,
    seen: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
) -> Result<i64, Error> {
    const SQL: &str = "INSERT INTO help_versions (article_id, version, content, published_at, published_by) \
                       VALUES ($1, $2, $3, $4, $5)";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let id = hold(tx, code).await?;
            let (content, last, from) = draft::next::<Content>(tx, id.0, seen, from).await?;
            let lacks = content.lacks(tx.shop().day(from));
            if !lacks.is_empty() {
                return Err(Error::Invalid(lacks));
            }
            let (version, staff) = (last + 1, by.id());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(version)
                .bind(Json(&content))
                .bind(from)
                .bind(staff)
                .execute(c)
                .await
                .map(drop))?;
            draft::forget::<Content>(tx, id.0).await?;
            let change = format!("{last} → {version}");
            by.record(tx, "help.publish", None, Some(id.0), &change).await?;
            Ok(version)
        })
    })
    .await
}

/// Takes back the version that lies ahead; what it says is the draft then, unless there is another one. [`Error::Stale`] where
/// none lies ahead.
pub async fn cancel(db: &Db, by: &Staff, code: &str) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM help_versions WHERE article_id = $1 AND published_at > $2 RETURNING content";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (hold(tx, code).await?, tx.now());
            let taken: Option<Json<Content>> = on!(tx, |c| sqlx::query_scalar(SQL)
                .bind(id)
                .bind(now)
                .fetch_optional(c)
                .await)?;
            let content = taken.ok_or(Error::Stale)?;
            draft::give_back(tx, id.0, by.id(), &content.0).await?;
            Ok(by.record(tx, "help.cancel", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Withdraws an article: readers see it no more until another version is published. [`Error::Stale`] where there is nothing to
/// withdraw.
pub async fn withdraw(db: &Db, by: &Staff, code: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE help_versions SET withdrawn_at = $2 WHERE article_id = $1 AND withdrawn_at IS NULL \
                       AND version = (SELECT MAX(n.version) FROM help_versions n WHERE n.article_id = $1 \
                       AND n.published_at <= $2)";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            let (id, now) = (hold(tx, code).await?, tx.now());
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            Ok(by.record(tx, "help.withdraw", None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Something that was looked for in vain.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Gap {
    /// In which language.
    pub language: Lang,
    /// What.
    pub text: String,
    /// How often.
    pub times: i64,
    /// When it was last.
    pub last_at: DateTime<Utc>,
}

/// What was missing in an article.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Missing {
    /// The article.
    pub code: String,
    /// The version that was read.
    pub version: i64,
    /// Its language.
    pub language: Lang,
    /// What a reader said.
    pub missing: String,
    /// When.
    pub voted_at: DateTime<Utc>,
}

/// What the help does not answer: what was looked for in vain lately, the most frequent first, and what readers said was
/// missing, the newest first. That somebody read it is written down.
pub async fn gaps(db: &Db, by: &Staff) -> Result<(Vec<Gap>, Vec<Missing>), Error> {
    const SEARCHES: &str = "SELECT language, text, CAST(SUM(times) AS BIGINT) AS times, MAX(last_at) AS last_at \
                            FROM help_searches WHERE hits = 0 AND last_at > $1 GROUP BY language, text \
                            ORDER BY 3 DESC, 4 DESC, 2 LIMIT $2";
    const MISSING: &str = "SELECT a.code, t.version, t.language, t.missing, t.voted_at FROM help_votes t \
                           JOIN help_articles a ON a.id = t.article_id WHERE t.missing IS NOT NULL \
                           ORDER BY t.voted_at DESC, a.code LIMIT $1";
    by.may(Right::Help)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "help.gaps", None, None, "").await?;
            let since = tx.now() - GAPS;
            let searches = on!(tx, |c| sqlx::query_as(SEARCHES)
                .bind(since)
                .bind(MOST)
                .fetch_all(c)
                .await)?;
            let missing = on!(tx, |c| sqlx::query_as(MISSING).bind(MOST).fetch_all(c).await)?;
            Ok((searches, missing))
        })
    })
    .await
}

/// Sees to it that nobody else changes an article until the transaction ends. Fails with [`Error::NotFound`].
async fn hold(tx: &mut Tx, code: &str) -> Result<HelpArticleId, Error> {
    const SQL: &str = "UPDATE help_articles SET position = position WHERE code = $1 RETURNING id";
    let code = crate::till::code(code).map_err(|_| Error::NotFound)?;
    let id: Option<HelpArticleId> = on!(tx, |c| sqlx::query_scalar(SQL).bind(&code).fetch_optional(c).await)?;
    id.ok_or(Error::NotFound)
}
