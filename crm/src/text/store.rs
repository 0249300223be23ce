//! Texts in the database: what each kind says now, read where it stands; drafts and versions, which are those of rules.

use super::{Kind, Text};
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{ConsentTextId, TextId, TopicId};
use crate::lang::Localized;
use crate::on;
use crate::rule::Fault;
use crate::rule::store::PublishError;
use crate::rule::store::versions::{self, Statements, Versioned, statements};
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::BTreeMap;

/// What is kept of a version of a text.
pub type Version = versions::Version<Text>;

impl Versioned for Text {
    const SQL: Statements = statements!("text_versions", "text_id", "texts", "code", "'null'");

    /// What is wrong with a text is told where it is written: no draft has a fault.
    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
}

/// What counts of each text of a kind. `$1` is now.
const fn currents_sql(kind: Kind) -> &'static str {
    match kind {
        Kind::Template => {
            "SELECT t.code, t.subject AS head, t.body, NULL AS position, NULL AS parent, NULL AS is_open FROM templates t \
             WHERE t.version = (SELECT MAX(n.version) FROM templates n WHERE n.code = t.code AND n.published_at <= $1) \
             ORDER BY t.code"
        }
        Kind::Consent => {
            "SELECT p.code, t.title AS head, t.body, NULL AS position, NULL AS parent, NULL AS is_open \
             FROM consent_purposes p JOIN consent_texts t ON t.purpose_id = p.id AND t.version = (SELECT MAX(n.version) \
             FROM consent_texts n WHERE n.purpose_id = p.id AND n.published_at <= $1) WHERE p.partner_id IS NULL \
             ORDER BY p.position, p.code"
        }
        Kind::Topic => {
            "SELECT t.code, t.name AS head, NULL AS body, t.position, p.code AS parent, \
             t.closed_at IS NULL OR t.closed_at > $1 AS is_open FROM topics t LEFT JOIN topics p ON p.id = t.parent_id \
             ORDER BY COALESCE(p.position, t.position), COALESCE(p.id, t.id), t.parent_id IS NOT NULL, t.position, t.id"
        }
        Kind::Command => {
            "SELECT t.code, t.name AS head, t.words AS body, t.position, NULL AS parent, t.enabled AS is_open \
             FROM dialogue_commands t WHERE t.version = (SELECT MAX(n.version) FROM dialogue_commands n \
             WHERE n.code = t.code AND n.published_at <= $1) ORDER BY t.position, t.code"
        }
        Kind::Phrase => {
            "SELECT t.code, NULL AS head, t.body, NULL AS position, NULL AS parent, NULL AS is_open FROM dialogue_texts t \
             WHERE t.version = (SELECT MAX(n.version) FROM dialogue_texts n WHERE n.code = t.code AND n.published_at <= $1) \
             ORDER BY t.code"
        }
    }
}

#[derive(sqlx::FromRow)]
struct Current {
    code: String,
    head: Option<Json<Localized>>,
    body: Option<Json<Localized>>,
    position: Option<i64>,
    parent: Option<String>,
    is_open: Option<bool>,
}

/// What counts of each text of a kind, by code, in the order of the kind.
async fn currents(conn: &mut Conn, kind: Kind) -> Result<Vec<(String, Text)>, sqlx::Error> {
    let now = conn.now();
    let rows: Vec<Current> = on!(conn, |c| sqlx::query_as(currents_sql(kind))
        .bind(now)
        .fetch_all(c)
        .await)?;
    let part = |json: Option<Json<Localized>>| json.map(|Json(text)| text).unwrap_or_default();
    let text = |row: Current| Text {
        head: part(row.head),
        body: part(row.body),
        position: row.position.unwrap_or_default(),
        parent: row.parent,
        is_open: row.is_open.unwrap_or(true),
    };
    Ok(rows.into_iter().map(|row| (row.code.clone(), text(row))).collect())
}

/// What counts of one text.
async fn current(conn: &mut Conn, kind: Kind, code: &str) -> Result<Option<Text>, sqlx::Error> {
    let all = currents(conn, kind).await?;
    Ok(all.into_iter().find(|(other, _)| other == code).map(|(_, text)| text))
}

/// A text in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its lasting name.
    pub code: String,
    /// What it says; of one that was never published, what it will say.
    pub text: Text,
    /// It was published.
    pub is_published: bool,
    /// Something is being written.
    pub has_draft: bool,
}

/// The texts of a kind, in its order; those that were never published stand last. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff, kind: Kind) -> Result<Vec<Entry>, Error> {
    const DRAFTS: &str = "SELECT t.code, v.definition FROM texts t \
                          JOIN text_versions v ON v.text_id = t.id AND v.state = 'draft' WHERE t.kind = $1 ORDER BY t.code";
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "text.list", None, None, kind.as_str()).await?;
            let drafts: Vec<(String, Json<Text>)> = on!(tx, |c| sqlx::query_as(DRAFTS).bind(kind).fetch_all(c).await)?;
            let mut drafts: BTreeMap<_, _> = drafts.into_iter().map(|(code, Json(text))| (code, text)).collect();
            let all = currents(tx, kind).await?;
            let mut list: Vec<_> = all
                .into_iter()
                .map(|(code, text)| Entry {
                    has_draft: drafts.remove(&code).is_some(),
                    is_published: true,
                    code,
                    text,
                })
                .collect();
            list.extend(drafts.into_iter().map(|(code, text)| Entry {
                code,
                text,
                is_published: false,
                has_draft: true,
            }));
            Ok(list)
        })
    })
    .await
}

/// One text as staff see it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its id; none: nobody edited it yet.
    pub id: Option<TextId>,
    /// What counts of it; none: it was never published.
    pub current: Option<Text>,
    /// Its versions since it was edited first, the newest first, its draft among them.
    pub versions: Vec<Version>,
    /// How often somebody agreed to what counts, where it is what people agree to.
    pub agreed: i64,
    /// Of a topic: the others that stand below none, with their names.
    pub above: Vec<(String, Localized)>,
}

/// One text. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, kind: Kind, code: &str) -> Result<Held, Error> {
    const AGREED: &str = "SELECT COUNT(*) FROM consents c WHERE c.act = 'given' AND c.text_id = (SELECT t.id \
                          FROM consent_texts t JOIN consent_purposes p ON p.id = t.purpose_id WHERE p.code = $1 \
                          ORDER BY t.version DESC LIMIT 1)";
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let (id, current) = (id_of(tx, kind, code).await?, current(tx, kind, code).await?);
            if id.is_none() && current.is_none() {
                return Err(Error::NotFound);
            }
            let what = format!("{}.{code}", kind.as_str());
            by.record(tx, "text.read", None, id.map(|id| id.0), &what).await?;
            let versions = match id {
                Some(id) => versions::of_one(tx, id.0).await?,
                None => Vec::new(),
            };
            let mut agreed: i64 = 0;
            if kind == Kind::Consent {
                agreed = on!(tx, |c| sqlx::query_scalar(AGREED).bind(code).fetch_one(c).await)?;
            }
            let mut above = Vec::new();
            if kind == Kind::Topic {
                let all = currents(tx, kind).await?.into_iter();
                let others = all.filter(|(other, text)| other != code && text.parent.is_none());
                above = others.map(|(other, text)| (other, text.head)).collect();
            }
            Ok(Held {
                id,
                current,
                versions,
                agreed,
                above,
            })
        })
    })
    .await
}

async fn id_of(conn: &mut Conn, kind: Kind, code: &str) -> Result<Option<TextId>, sqlx::Error> {
    const SQL: &str = "SELECT id FROM texts WHERE kind = $1 AND code = $2";
    // An address may hold anything.
    if crate::till::code(code).is_err() {
        return Ok(None);
    }
    on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(kind)
        .bind(code)
        .fetch_optional(c)
        .await)
}

/// The id of a text that is about to be changed, and what counts of it. The first change makes the id. Fails with
/// [`Error::NotFound`].
async fn hold(tx: &mut Tx, kind: Kind, code: &str) -> Result<(TextId, Option<Text>), Error> {
    const SQL: &str = "INSERT INTO texts (id, kind, code) VALUES ($1, $2, $3) ON CONFLICT (kind, code) DO NOTHING";
    if current(tx, kind, code).await?.is_some() {
        on!(tx, |c| sqlx::query(SQL)
            .bind(TextId::new())
            .bind(kind)
            .bind(code)
            .execute(c)
            .await
            .map(drop))?;
    }
    let id = id_of(tx, kind, code).await?.ok_or(Error::NotFound)?;
    versions::hold::<Text>(tx, id.0).await?;
    // Only now: whoever had hold of it before may have published another one.
    let current = current(tx, kind, code).await?;
    if let Some(current) = &current {
        catch_up(tx, id, current).await?;
    }
    Ok((id, current))
}

/// Writes what counts down as a version, where it came past this editor: with the program, or from before there was a version. So
/// the history tells what was there before, and what changed since.
async fn catch_up(tx: &mut Tx, id: TextId, current: &Text) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO text_versions (text_id, version, state, definition, changed_at, effective_at, published_at) \
                       VALUES ($1, $2, 'published', $3, $4, $4, $4)";
    let all: Vec<Version> = versions::of_one(tx, id.0).await?;
    let published = all.iter().find(|version| version.effective_at.is_some());
    if published.is_some_and(|version| version.definition.as_ref() == Some(current)) {
        return Ok(());
    }
    // As with what is withdrawn, a draft stands behind it.
    let moved: Option<i64> = on!(tx, |c| sqlx::query_scalar(Text::SQL.make_room)
        .bind(id)
        .fetch_optional(c)
        .await)?;
    let version = moved.unwrap_or_else(|| all.first().map_or(1, |last| last.version + 1));
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(version)
        .bind(Json(current))
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// A text as it is kept, with what is wrong with it. What is right depends on other topics: nobody changes them meanwhile.
async fn checked(tx: &mut Tx, kind: Kind, code: &str, text: &Text, check: &mut Check) -> Result<Text, Error> {
    let kept = text.checked(kind, code, check);
    if kind == Kind::Topic {
        tx.lock(Lock::Topics, true).await?;
        let all = currents(tx, kind).await?;
        let mut others = all.iter().filter(|(other, _)| other != code);
        if let Some(parent) = &kept.parent {
            // Below one that stands below none; and what has topics below it stands below none itself.
            let is_parent = |(other, text): &(String, Text)| other == parent && text.parent.is_none();
            let has_children = others.clone().any(|(_, text)| text.parent.as_deref() == Some(code));
            let fits = !has_children && others.clone().any(is_parent);
            check.field("parent", if fits { Ok(()) } else { Err(Flaw::NotAChoice) });
        }
        let is_last = !kept.is_open && !others.any(|(_, text)| text.is_open);
        check.field("open", if is_last { Err(Flaw::LastOne) } else { Ok(()) });
    }
    Ok(kept)
}

/// Begins a topic, as a draft; its code. Fails with flaws at `key` and at its fields.
pub async fn create_topic(db: &Db, by: &Staff, key: &str, text: &Text) -> Result<String, Error> {
    const SQL: &str = "INSERT INTO texts (id, kind, code) VALUES ($1, $2, $3)";
    const KIND: Kind = Kind::Topic;
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(key)).unwrap_or_default();
            let text = checked(tx, KIND, &code, text, &mut check).await?;
            let is_taken = current(tx, KIND, &code).await?.is_some() || id_of(tx, KIND, &code).await?.is_some();
            if is_taken {
                check.field::<()>("key", Err(Flaw::Taken));
            }
            check.result()?;
            let id = TextId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(KIND)
                .bind(&code)
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            versions::write(tx, id.0, Some(by.id()), &text).await?;
            by.record(tx, "text.create", None, Some(id.0), &code).await?;
            Ok(code)
        })
    })
    .await
}

/// Writes the draft of a text. `seen` is the [`changed_at`](Version::changed_at) of the one that was shown, none where there was
/// none: [`Error::Stale`] where somebody else was quicker. Fails with flaws at fields, and with [`Error::NotFound`].
pub async fn draft(
    db: &Db,
    by: &Staff,
    kind: Kind,
    code: &str,
    seen: Option<DateTime<Utc>>,
    text: &Text,
) -> Result<(), Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let (id, _) = hold(tx, kind, code).await?;
            let mut check = Check::new();
            let text = checked(tx, kind, code, text, &mut check).await?;
            check.result()?;
            versions::change(tx, id.0, by.id(), seen, &text).await?;
            let what = format!("{}.{code}", kind.as_str());
            Ok(by.record(tx, "text.draft", None, Some(id.0), &what).await?)
        })
    })
    .await
}

/// Throws the draft of a text away; a topic that was never published goes with it. Tells whether the text is still there. `seen` is
/// the [`changed_at`](Version::changed_at) of the draft that was shown: [`Error::Stale`] where it is another one by now, or none.
pub async fn discard(db: &Db, by: &Staff, kind: Kind, code: &str, seen: DateTime<Utc>) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM texts WHERE id = $1";
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let (id, current) = hold(tx, kind, code).await?;
            versions::discard::<Text>(tx, id.0, seen).await.map_err(stale)?;
            if current.is_none() {
                on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))?;
            }
            let what = format!("{}.{code}", kind.as_str());
            by.record(tx, "text.discard", None, Some(id.0), &what).await?;
            Ok(current.is_some())
        })
    })
    .await
}

/// A draft that is gone: somebody else was quicker.
fn stale(error: Error) -> Error {
    match error {
        Error::NotFound => Error::Stale,
        other => other,
    }
}

/// Publishes the draft of a text: it counts from now on. `seen` is the [`changed_at`](Version::changed_at) of the draft that was
/// shown: [`Error::Stale`] where it is another one by now. Fails with flaws where what the text names, or the topic it stands
/// below, is there no more.
pub async fn publish(db: &Db, by: &Fresh<'_, Staff>, kind: Kind, code: &str, seen: DateTime<Utc>) -> Result<(), Error> {
    by.may(Right::Texts)?;
    db.write(|tx| {
        scoped(async move {
            let (id, _) = hold(tx, kind, code).await?;
            let published = versions::publish::<Text>(tx, id.0, Some(by.id()), Some(seen), None).await;
            let (_, text) = published.map_err(|e| match e {
                PublishError::Crm(e) => stale(e),
                PublishError::Faulty(_) => Error::Stale,
            })?;
            let mut check = Check::new();
            checked(tx, kind, code, &text, &mut check).await?;
            check.result()?;
            apply(tx, kind, code, &text).await?;
            let what = format!("{}.{code}", kind.as_str());
            Ok(by.record(tx, "text.publish", None, Some(id.0), &what).await?)
        })
    })
    .await
}

/// Writes a text where its kind is read.
async fn apply(tx: &mut Tx, kind: Kind, code: &str, text: &Text) -> Result<(), sqlx::Error> {
    const TEMPLATE: &str = "INSERT INTO templates (code, version, subject, body, published_at) \
                            SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3, $4 FROM templates WHERE code = $1";
    const CONSENT: &str = "INSERT INTO consent_texts (id, purpose_id, version, title, body, published_at) \
                           SELECT $1, p.id, (SELECT COALESCE(MAX(t.version), 0) + 1 FROM consent_texts t \
                           WHERE t.purpose_id = p.id), $2, $3, $4 FROM consent_purposes p WHERE p.code = $5";
    const TOPIC: &str = "INSERT INTO topics (id, code, version, name, position, parent_id, closed_at) \
                         VALUES ($1, $2, 1, $3, $4, (SELECT p.id FROM topics p WHERE p.code = $5), $6) \
                         ON CONFLICT (code) DO UPDATE SET version = topics.version + 1, name = excluded.name, \
                         position = excluded.position, parent_id = excluded.parent_id, \
                         closed_at = CASE WHEN excluded.closed_at IS NULL THEN NULL \
                         ELSE COALESCE(topics.closed_at, excluded.closed_at) END";
    const COMMAND: &str = "INSERT INTO dialogue_commands (code, version, position, enabled, name, words, published_at) \
                           SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3, $4, $5, $6 FROM dialogue_commands \
                           WHERE code = $1";
    const PHRASE: &str = "INSERT INTO dialogue_texts (code, version, body, published_at) \
                          SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3 FROM dialogue_texts WHERE code = $1";
    let now = tx.now();
    match kind {
        Kind::Template => on!(tx, |c| sqlx::query(TEMPLATE)
            .bind(code)
            .bind(Json(&text.head))
            .bind(Json(&text.body))
            .bind(now)
            .execute(c)
            .await
            .map(drop)),
        Kind::Consent => on!(tx, |c| sqlx::query(CONSENT)
            .bind(ConsentTextId::new())
            .bind(Json(&text.head))
            .bind(Json(&text.body))
            .bind(now)
            .bind(code)
            .execute(c)
            .await
            .map(drop)),
        Kind::Topic => on!(tx, |c| sqlx::query(TOPIC)
            .bind(TopicId::new())
            .bind(code)
            .bind(Json(&text.head))
            .bind(text.position)
            .bind(text.parent.as_deref())
            .bind((!text.is_open).then_some(now))
            .execute(c)
            .await
            .map(drop)),
        Kind::Command => on!(tx, |c| sqlx::query(COMMAND)
            .bind(code)
            .bind(text.position)
            .bind(text.is_open)
            .bind(Json(&text.head))
            .bind(Json(&text.body))
            .bind(now)
            .execute(c)
            .await
            .map(drop)),
        Kind::Phrase => on!(tx, |c| sqlx::query(PHRASE)
            .bind(code)
            .bind(Json(&text.body))
            .bind(now)
            .execute(c)
            .await
            .map(drop)),
    }
}

// What the program brings ---------------------------------------------------------------------------------------------

/// The texts of a kind that staff published last, by code.
pub(crate) async fn written(conn: &mut Conn, kind: Kind) -> Result<BTreeMap<String, Text>, sqlx::Error> {
    const SQL: &str = "SELECT t.code, v.definition FROM texts t JOIN text_versions v ON v.text_id = t.id \
                       AND v.version = (SELECT MAX(n.version) FROM text_versions n WHERE n.text_id = t.id \
                       AND n.state = 'published') WHERE t.kind = $1 AND v.published_by IS NOT NULL";
    let found: Vec<(String, Json<Text>)> = on!(conn, |c| sqlx::query_as(SQL).bind(kind).fetch_all(c).await)?;
    Ok(found.into_iter().map(|(code, Json(text))| (code, text)).collect())
}

/// The program brings a text that staff wrote themselves: theirs stays as long as it names what this program fills in, and nothing
/// else. Where it does not, nothing could be sent by it, and the program's takes its place.
pub(crate) async fn bring(
    tx: &mut Tx,
    kind: Kind,
    code: &str,
    theirs: &Text,
    brought: &Text,
) -> Result<(), sqlx::Error> {
    let mut check = Check::new();
    theirs.checked(kind, code, &mut check);
    if check.is_clean() || current(tx, kind, code).await?.as_ref() == Some(brought) {
        return Ok(());
    }
    apply(tx, kind, code, brought).await
}
