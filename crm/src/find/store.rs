//! What staff look for, in the database; and by which words customers are found.
//!
//! A customer is found by the words of their name: a row of `customer_words` for each, as it sounds ([`names::skeleton`]).
//! `word_keys` holds each word that any customer has once, under its keys, so that words that are like a typed one are found by
//! equality: a million customers have some hundred thousand words. Both are written in the transaction that changes a name; what
//! was there before they were, [`fill`] writes down.

use super::{Hit, Probe, ReceiptHit, RequestHit, names, probes};
use crate::article::store::{self as articles, words as article_words};
use crate::db::{self, Bind, Conn, Db, ListQuery, Lock, Rows, Tx, scoped};
use crate::error::Error;
use crate::help::{self, Shown};
use crate::id::{CustomerId, SearchId};
use crate::on;
use crate::staff::Right;
use crate::who::{Reason, STAFF_ABSOLUTE, Staff, System};
use chrono::TimeDelta;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// The most that a search for customers finds.
pub const HITS: usize = 50;
/// How many of a kind are shown where everything is looked for.
pub const SHOWN: usize = 5;

macro_rules! hits {
    ($from:literal) => {
        concat!(
            "SELECT c.id, c.name, c.surname, \
             (SELECT k.value FROM contacts k WHERE k.customer_id = c.id AND k.kind = 'phone' AND k.is_primary) AS phone, \
             (SELECT k.value FROM contacts k WHERE k.customer_id = c.id AND k.kind = 'email' AND k.is_primary) AS email, \
             (SELECT n.number FROM cards n WHERE n.customer_id = c.id AND n.state = 'active' \
             ORDER BY n.issued_at DESC, n.id DESC LIMIT 1) AS card \
             FROM customers c",
            $from
        )
    };
}

/// Customers by name, phone, e-mail, card, code, or the number of a request, or the number or the code of a receipt of theirs, at
/// most [`HITS`]. Written into the audit log, with what kind of thing was looked for and how many were found.
pub async fn search(db: &Db, by: &Staff, query: &str) -> Result<Vec<Hit>, Error> {
    by.may(Right::Customers)?;
    let probes = probes(query, &db.shop().country);
    let mut conn = db.read().await?;
    let hits = customers(&mut conn, &probes, HITS).await?;
    drop(conn);
    log(db, by, &probes, hits.len()).await?;
    Ok(hits)
}

/// What [`everything`] found: of each kind the likeliest [`SHOWN`], and one more where there are more.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Customers.
    pub customers: Vec<Hit>,
    /// Receipts, also those that are nobody's: the one with the code that was typed first, then by their number the newest first.
    pub receipts: Vec<ReceiptHit>,
    /// Requests.
    pub requests: Vec<RequestHit>,
    /// Articles.
    pub articles: Vec<articles::Listed>,
    /// Articles of the help, as customers read them, the likeliest first.
    pub help: Vec<Shown>,
}

/// Whether somebody may look for anything at all.
pub fn may(by: &Staff) -> bool {
    [Right::Customers, Right::Requests, Right::Shops]
        .into_iter()
        .any(|right| by.has(right))
}

/// Whatever a text can mean, of what somebody has the right to see: what is sold and what the help says, each of those may know who
/// may look for anything. Written into the audit log likewise.
pub async fn everything(db: &Db, by: &Staff, query: &str) -> Result<Found, Error> {
    if !may(by) {
        return Err(Error::Forbidden);
    }
    let limit = SHOWN + 1;
    let probes = probes(query, &db.shop().country);
    // What was named a moment ago is to be found, too.
    article_words::refresh(db, article_words::BEFORE_A_SEARCH).await?;
    let mut conn = db.read().await?;
    let mut found = Found::default();
    if by.has(Right::Customers) {
        // Requests and receipts stand for themselves here.
        let stands_alone =
            |probe: &&Probe| matches!(probe, Probe::Request(_) | Probe::ReceiptCode(_) | Probe::Receipt(_));
        let others: Vec<Probe> = probes.iter().filter(|probe| !stands_alone(probe)).cloned().collect();
        found.customers = customers(&mut conn, &others, limit).await?;
    }
    for probe in &probes {
        match probe {
            Probe::ReceiptCode(_) | Probe::Receipt(_) if by.has(Right::Customers) => {
                for hit in receipts(&mut conn, probe, limit).await? {
                    if found.receipts.len() < limit && found.receipts.iter().all(|held| held.id != hit.id) {
                        found.receipts.push(hit);
                    }
                }
            }
            Probe::Request(number) if by.has(Right::Requests) => found.requests = requests(&mut conn, *number).await?,
            _ => {}
        }
    }
    let text = query.trim();
    if text.chars().nth(1).is_some() {
        found.articles = article_words::find(&mut conn, text, limit as i64).await?;
        let shown = help::store::shown(&mut conn).await?;
        let answers = help::search(&shown, by.language(), text).into_iter();
        found.help = answers.take(limit).cloned().collect();
    }
    drop(conn);
    let people = found.customers.len() + found.receipts.len() + found.requests.len();
    log(db, by, &probes, people).await?;
    Ok(found)
}

/// Writes down what kind of thing was looked for, and how much was found.
async fn log(db: &Db, by: &Staff, probes: &[Probe], found: usize) -> Result<(), Error> {
    let kinds: Vec<_> = probes.iter().map(Probe::kind).collect();
    let reason = &format!("{} {}: {found} found", Reason::Search.as_str(), kinds.join(", "));
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "customer.search", None, None, reason).await?) }))
        .await
}

/// How long what somebody looks for is kept: a session of theirs lasts no longer.
const SEARCH_LIFE: TimeDelta = STAFF_ABSOLUTE;
/// The longest text that is looked for, in characters.
const SEARCH_MAX: usize = 200;

/// Keeps what a member of staff typed into a search, so that its page is addressed by an id that tells nobody anything
/// (ASVS 5.0, 14.2.1). The search itself is written into the audit log when it is done.
pub async fn keep_search(db: &Db, by: &Staff, text: &str) -> Result<SearchId, Error> {
    const SQL: &str = "INSERT INTO searches (id, staff_id, text, created_at) VALUES ($1, $2, $3, $4)";
    let id = SearchId::new();
    let text: &String = &text.chars().filter(|c| *c != '\0').take(SEARCH_MAX).collect();
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(text)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            Ok(id)
        })
    })
    .await
}

/// What a member of staff typed into a search; `None` for somebody else's and for what is gone.
pub async fn kept_search(conn: &mut Conn, by: &Staff, id: SearchId) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT text FROM searches WHERE id = $1 AND staff_id = $2 AND created_at > $3";
    let now = conn.now();
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(by.id())
        .bind(now - SEARCH_LIFE)
        .fetch_optional(c)
        .await)?)
}

/// Customers by whatever was meant, each once, at most `limit`.
async fn customers(conn: &mut Conn, probes: &[Probe], limit: usize) -> Result<Vec<Hit>, Error> {
    let mut hits: Vec<Hit> = Vec::new();
    for probe in probes {
        for hit in find(conn, probe, limit).await? {
            if hits.len() < limit && hits.iter().all(|held| held.id != hit.id) {
                hits.push(hit);
            }
        }
    }
    Ok(hits)
}

async fn find(conn: &mut Conn, probe: &Probe, limit: usize) -> Result<Vec<Hit>, Error> {
    const CONTACT: &str = hits!(" JOIN contacts f ON f.customer_id = c.id");
    const CARD: &str = hits!(" JOIN cards d ON d.customer_id = c.id");
    let query = match probe {
        Probe::Name(words) => return by_name(conn, words, limit).await,
        Probe::Phone(phone) => {
            ListQuery::new(CONTACT).filter("f.value = ? AND f.kind = 'phone'", [Bind::Text(phone.clone())])
        }
        // By the index of the last four, as the migration writes them.
        Probe::PhoneEnd(digits) => ListQuery::new(CONTACT).filter(
            "f.kind = 'phone' AND SUBSTR(f.value, LENGTH(f.value) - 3) = ? AND f.value LIKE ?",
            ending(digits),
        ),
        Probe::Email(start) => {
            ListQuery::new(CONTACT).filter("f.kind = 'email' AND f.value >= ? AND f.value < ?", range(start))
        }
        Probe::Card(number) => ListQuery::new(CARD).filter("d.number = ?", [Bind::Text(number.clone())]),
        Probe::CardEnd(digits) => ListQuery::new(CARD).filter(
            "SUBSTR(d.number, LENGTH(d.number) - 3) = ? AND d.number LIKE ?",
            ending(digits),
        ),
        Probe::Request(number) => ListQuery::new(hits!(" JOIN requests r ON r.customer_id = c.id"))
            .filter("r.number = ?", [Bind::Int(*number)]),
        Probe::Code(code) => ListQuery::new(hits!("")).within("c.external_id", spellings(code)),
        Probe::ReceiptCode(code) => ListQuery::new(hits!(" JOIN purchases p ON p.customer_id = c.id"))
            .filter("p.receipt_code = ?", [Bind::Text(code.clone())]),
        Probe::Receipt(number) => {
            ListQuery::new(hits!(" JOIN purchases p ON p.customer_id = c.id")).within("p.document", spellings(number))
        }
    };
    Ok(db::list(conn, query.tail("ORDER BY c.search, c.id").limit(limit as i64)).await?)
}

/// Receipts by their number or their code, whosever they are, the newest first; none for what means no receipt. Two tills may have
/// one number.
async fn receipts(conn: &mut Conn, probe: &Probe, limit: usize) -> Result<Vec<ReceiptHit>, Error> {
    let query = ListQuery::new(
        "SELECT p.id, p.document, p.kind, p.at, p.total, p.voided_at IS NOT NULL AS is_voided, s.name AS shop, s.town, \
         p.customer_id, COALESCE(c.name, '') AS name, COALESCE(c.surname, '') AS surname FROM purchases p \
         LEFT JOIN customers c ON c.id = p.customer_id LEFT JOIN stores s ON s.id = p.store_id",
    );
    let query = match probe {
        Probe::ReceiptCode(code) => query.filter("p.receipt_code = ?", [Bind::Text(code.clone())]),
        Probe::Receipt(number) => query.within("p.document", spellings(number)),
        _ => return Ok(Vec::new()),
    };
    Ok(db::list(conn, query.tail("ORDER BY p.at DESC, p.id DESC").limit(limit as i64)).await?)
}

/// The request with this number.
async fn requests(conn: &mut Conn, number: i64) -> Result<Vec<RequestHit>, Error> {
    const SQL: &str = "SELECT r.number, t.name AS topic, r.status, r.updated_at, c.name, c.surname FROM requests r \
                       JOIN topics t ON t.id = r.topic_id JOIN customers c ON c.id = r.customer_id WHERE r.number = $1";
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(number).fetch_all(c).await)?)
}

/// The last four digits, and the pattern of all that were typed.
fn ending(digits: &str) -> [Bind; 2] {
    let last = digits.get(digits.len().saturating_sub(4)..).unwrap_or(digits);
    [Bind::Text(last.to_owned()), Bind::Text(format!("%{digits}"))]
}

/// A number as it was typed, and in capitals.
fn spellings(number: &str) -> Vec<Bind> {
    let both = BTreeSet::from([number.to_owned(), number.to_uppercase()]);
    both.into_iter().map(Bind::Text).collect()
}

/// The bounds of all texts that begin with `start`, for an index to find them by.
fn range(start: &str) -> [Bind; 2] {
    [Bind::Text(start.to_owned()), Bind::Text(format!("{start}\u{10ffff}"))]
}

/// How many customers are looked at closely.
const CANDIDATES: usize = 256;
/// So many times what is shown is enough to choose from.
const ENOUGH: usize = 4;
/// How many words may be like one.
const ALIKE: usize = 64;

/// What a word that was typed can be.
struct Wanted {
    /// The word itself, as it sounds.
    same: Vec<String>,
    /// How words begin that it is the beginning of.
    begins: String,
    /// Words that are at most one slip away as they sound.
    near: Vec<String>,
    /// These, and words that are farther away: a slip of the hand may change two sounds.
    alike: Vec<String>,
}

/// How words are compared, the surest way first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Same,
    Begins,
    Near,
    Alike,
}

/// Customers by words of their names, the likeliest first. The database finds some that may be meant, way by way as long as
/// there is room; which of them are the likeliest is decided here, by the names themselves.
async fn by_name(conn: &mut Conn, typed: &[String], limit: usize) -> Result<Vec<Hit>, Error> {
    let mut all = Vec::new();
    for word in typed {
        all.extend(wanted(conn, word).await?);
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    // Who has the very words is likelier than whoever has others, so that more ways are gone only as long as few were found.
    let enough = CANDIDATES.min(ENOUGH * limit);
    for way in [Way::Same, Way::Begins, Way::Near, Way::Alike] {
        if found.len() >= enough {
            break;
        }
        for lead in leads(conn, &all, way).await? {
            if found.len() >= CANDIDATES {
                break;
            }
            if let Some(query) = with_all(&all, lead, way) {
                let ids: Vec<(CustomerId,)> = db::list(conn, query).await?;
                found.extend(ids.into_iter().map(|(id,)| id).filter(|id| seen.insert(*id)));
            }
        }
    }
    found.truncate(CANDIDATES);
    likeliest(conn, typed, &found, limit).await
}

/// What a word can be; none where it has no sound.
async fn wanted(conn: &mut Conn, typed: &str) -> Result<Option<Wanted>, Error> {
    let sound = names::skeleton(typed);
    if sound.is_empty() {
        return Ok(None);
    }
    let readings = names::readings(typed);
    let same = readings.iter().map(|reading| names::skeleton(reading)).collect();
    let keys: BTreeSet<String> = readings.iter().flat_map(|reading| names::keys(reading)).collect();
    let query = ListQuery::new("SELECT word FROM word_keys")
        .within("key", keys.into_iter().map(Bind::Text))
        .limit(1000);
    let found: Vec<(String,)> = db::list(conn, query).await?;
    // By slips, each word once.
    let mut alike: Vec<(usize, String)> = found
        .into_iter()
        .map(|(word,)| (names::slips(&sound, &word), word))
        .collect();
    alike.sort();
    alike.dedup();
    alike.truncate(ALIKE);
    let near = alike.iter().filter(|(slips, _)| *slips <= 1);
    // The sound of a last и depends on what comes after it.
    let begins = sound
        .strip_suffix('i')
        .filter(|begins| begins.len() > 1)
        .unwrap_or(&sound);
    Ok(Some(Wanted {
        same,
        begins: begins.to_owned(),
        near: near.map(|(_, word)| word.clone()).collect(),
        alike: alike.into_iter().map(|(_, word)| word).collect(),
    }))
}

fn texts(words: &[String]) -> impl Iterator<Item = Bind> {
    words.iter().cloned().map(Bind::Text)
}

/// Rows of `customer_words` with a word.
fn rows_with(select: &'static str, word: &Wanted, way: Way) -> ListQuery {
    let query = ListQuery::new(select);
    match way {
        Way::Same => query.within("word", texts(&word.same)),
        Way::Begins => query.filter("word >= ? AND word < ?", range(&word.begins)),
        Way::Near => query.within("word", texts(&word.near)),
        Way::Alike => query.within("word", texts(&word.alike)),
    }
}

/// Which words may lead: the one that the fewest have, and where a slip is looked for, in a word that nobody knows, each that not
/// too many have for all of them to be looked through.
async fn leads(conn: &mut Conn, all: &[Wanted], way: Way) -> Result<Vec<usize>, Error> {
    if all.len() < 2 {
        return Ok(vec![0]);
    }
    let mut counted = Vec::new();
    for (at, word) in all.iter().enumerate() {
        let query = rows_with("SELECT COUNT(*) FROM (SELECT 1 FROM customer_words", word, way).tail("LIMIT 10000) a");
        let counts: Vec<(i64,)> = db::list(conn, query).await?;
        counted.push((counts.first().map_or(0, |(count,)| *count), at));
    }
    counted.sort_unstable();
    let many = matches!(way, Way::Near | Way::Alike);
    let leads = counted.into_iter().enumerate();
    let leads = leads.filter(|(rank, (count, _))| *rank == 0 || many && (1..10_000).contains(count));
    Ok(leads.map(|(_, (_, at))| at).collect())
}

/// Customers who have every word. Those who have the one that leads are looked through, at most 10,000, so that the time it
/// takes has an end. It counts, and does not ask whether there is one, for PostgreSQL would make a join of that and could read the
/// whole table; `|| ''` has SQLite read the words of a customer, rather than look each word of the list up.
fn with_all(all: &[Wanted], lead: usize, way: Way) -> Option<ListQuery> {
    let mut query = rows_with(
        "SELECT a.customer_id FROM (SELECT customer_id FROM customer_words",
        all.get(lead)?,
        way,
    )
    .tail("LIMIT 10000) a WHERE TRUE");
    for (_, word) in all.iter().enumerate().filter(|(at, _)| *at != lead) {
        query = match way {
            Way::Same => query.filter_in(
                "(SELECT COUNT(*) FROM customer_words b WHERE b.customer_id = a.customer_id AND b.word IN (@)) > 0",
                [],
                texts(&word.same),
            ),
            Way::Begins => query.filter(
                "(SELECT COUNT(*) FROM customer_words b WHERE b.customer_id = a.customer_id AND b.word >= ? AND b.word < ?) > 0",
                range(&word.begins),
            ),
            Way::Near | Way::Alike => query.filter_in(
                "(SELECT COUNT(*) FROM customer_words b WHERE b.customer_id = a.customer_id \
                 AND ((b.word || '') IN (@) OR b.word >= ? AND b.word < ?)) > 0",
                range(&word.begins),
                texts(if way == Way::Near { &word.near } else { &word.alike }),
            ),
        };
    }
    Some(query.limit(CANDIDATES as i64))
}

/// The likeliest of these, by what was typed and the names as they are written.
async fn likeliest(conn: &mut Conn, typed: &[String], ids: &[CustomerId], limit: usize) -> Result<Vec<Hit>, Error> {
    let query = ListQuery::new("SELECT id, name, surname, search FROM customers")
        .within("id", ids.iter().map(|id| Bind::Id(id.0)));
    let named: Vec<(CustomerId, String, String, String)> = db::list(conn, query).await?;
    let mut ranked: Vec<(usize, String, CustomerId)> = named
        .into_iter()
        .filter_map(|(id, name, surname, search)| {
            let far = names::far(typed, &words(&name, &surname))?;
            Some((far, search, id))
        })
        .collect();
    ranked.sort();
    ranked.truncate(limit);
    let query = ListQuery::new(hits!("")).within("c.id", ranked.iter().map(|(_, _, id)| Bind::Id(id.0)));
    let mut hits: Vec<Hit> = db::list(conn, query).await?;
    hits.sort_by_key(|hit| ranked.iter().position(|(_, _, id)| *id == hit.id));
    Ok(hits)
}

/// The words that somebody is found by, the surname's first.
pub(crate) fn words(name: &str, surname: &str) -> Vec<String> {
    names::words(&format!("{surname} {name}"))
}

/// Writes down by which words somebody new is found.
pub(crate) async fn add(tx: &mut Tx, id: CustomerId, name: &str, surname: &str) -> Result<(), sqlx::Error> {
    tx.lock(Lock::Words, false).await?;
    insert(tx, &[(id, words(name, surname))]).await
}

/// The same of somebody who has another name now; without a name they are found by none.
pub(crate) async fn replace(tx: &mut Tx, id: CustomerId, name: &str, surname: &str) -> Result<(), sqlx::Error> {
    const HELD: &str = "DELETE FROM customer_words WHERE customer_id = $1 RETURNING word";
    const UNUSED: &str = "DELETE FROM word_keys WHERE word = $1 \
                          AND NOT EXISTS (SELECT 1 FROM customer_words w WHERE w.word = $1)";
    tx.lock(Lock::Words, true).await?;
    let held: Vec<String> = on!(tx, |c| sqlx::query_scalar(HELD).bind(id).fetch_all(c).await)?;
    insert(tx, &[(id, words(name, surname))]).await?;
    for word in &held {
        on!(tx, |c| sqlx::query(UNUSED).bind(word).execute(c).await.map(drop))?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx, people: &[(CustomerId, Vec<String>)]) -> Result<(), sqlx::Error> {
    let mut rows = Rows::new(
        "INSERT INTO customer_words (customer_id, word)",
        "ON CONFLICT DO NOTHING",
    );
    // Sorted, so that two transactions do not wait for each other.
    let mut all = BTreeSet::new();
    for (id, words) in people {
        for word in words {
            let sound = names::skeleton(word);
            if !sound.is_empty() {
                rows.push([Bind::Id(id.0), Bind::Text(sound.clone())]);
                all.extend(names::keys(word).into_iter().map(|key| (key, sound.clone())));
            }
        }
    }
    let mut keys = Rows::new("INSERT INTO word_keys (key, word)", "ON CONFLICT DO NOTHING");
    for (key, word) in all {
        keys.push([Bind::Text(key), Bind::Text(word)]);
    }
    db::insert(tx, rows).await?;
    db::insert(tx, keys).await
}

/// How many customers one transaction of [`fill`] writes down.
const FILLED: i64 = 1000;
/// For how long [`fill`] looks back, in milliseconds: longer than a transaction lasts that makes customers, for their ids are as
/// old as its beginning.
const LOOKS_BACK: u128 = 24 * 60 * 60 * 1000;

/// Writes down the words of customers who are there and have none yet: those of before there were words, and of imports. It goes
/// by their ids, notes how far it has come, and goes on from there, also after a stop. Of the day before it looks for who
/// has come since. How many there were.
pub async fn fill(db: &Db, _by: &System, goes_on: impl Fn() -> bool + Send) -> Result<i64, Error> {
    const NOTED: &str = "SELECT value FROM settings WHERE key = 'words_filled'";
    let mut conn = db.read().await?;
    let noted: Option<String> = on!(conn, |c| sqlx::query_scalar(NOTED).fetch_optional(c).await)?;
    let noted = noted.and_then(|id| id.parse().ok()).unwrap_or(CustomerId(Uuid::nil()));
    let mut from = a_day_before(noted);
    // Most of the time nobody is there, and the one writer of SQLite is not asked for nothing.
    let is_done = without_words(&mut conn, from, noted, 1).await?.is_empty();
    drop(conn);
    let mut filled = 0;
    while !is_done && goes_on() {
        let (some, last) = db.write(|tx| scoped(fill_some(tx, from, noted))).await?;
        filled += some;
        from = last;
        if some < FILLED {
            break;
        }
    }
    Ok(filled)
}

/// An id that is older by [`LOOKS_BACK`]: an id begins with its time.
fn a_day_before(id: CustomerId) -> CustomerId {
    let milliseconds = (id.0.as_u128() >> 80).saturating_sub(LOOKS_BACK);
    CustomerId(Uuid::from_u128(milliseconds << 80))
}

/// Customers after `from`: all of those after `noted`, and of those before it who have no words.
async fn without_words(
    conn: &mut Conn,
    from: CustomerId,
    noted: CustomerId,
    limit: i64,
) -> Result<Vec<(CustomerId, String, String)>, sqlx::Error> {
    const SQL: &str = "SELECT c.id, c.name, c.surname FROM customers c WHERE c.id > $1 AND (c.id > $2 OR NOT EXISTS \
                       (SELECT 1 FROM customer_words w WHERE w.customer_id = c.id)) ORDER BY c.id LIMIT $3";
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(from)
        .bind(noted)
        .bind(limit)
        .fetch_all(c)
        .await)
}

async fn fill_some(tx: &mut Tx, from: CustomerId, noted: CustomerId) -> Result<(i64, CustomerId), Error> {
    const NOTE: &str = "INSERT INTO settings (key, value) VALUES ('words_filled', $1) \
                        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    // Before the names are read: of who is erased meanwhile nothing may be written down any more.
    tx.lock(Lock::Words, false).await?;
    let next = without_words(tx, from, noted, FILLED).await?;
    let Some((last, ..)) = next.last() else {
        return Ok((0, from));
    };
    let last = *last;
    let people: Vec<_> = next
        .iter()
        .map(|(id, name, surname)| (*id, words(name, surname)))
        .collect();
    insert(tx, &people).await?;
    if last > noted {
        let last = last.to_string();
        on!(tx, |c| sqlx::query(NOTE).bind(&last).execute(c).await.map(drop))?;
    }
    Ok((next.len() as i64, last))
}
