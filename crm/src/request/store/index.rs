//! The words by which requests are found: all that was said in one, notes between staff, its tags, names of files, comments of
//! ratings, numbers of the receipts that it is about and what was bought by them, its number and the name of its customer, as one
//! row for each request.
//!
//! SQLite keeps them in an FTS5 table, PostgreSQL in a `tsvector` under a GIN index. What a word is neither of them decides:
//! words are made here, and both engines find the same. Triggers note which requests have changed, whoever changed what;
//! [`refresh`] puts their words together anew, before each search and every minute.

use crate::db::{Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::id::{CustomerId, RequestId};
use crate::lang::fold;
use crate::on;
use crate::request::Filter;
use crate::who::System;
use std::collections::BTreeSet;

/// How many changed requests a search takes upon itself; more of them, as after an import, are the minutely work's.
pub(super) const BEFORE_A_SEARCH: i64 = 100;
/// How many one transaction of the minutely work takes.
const TOGETHER: i64 = 200;
/// So much of a word counts, in characters.
const WORD_MAX: usize = 40;
/// So many different words of a request count: PostgreSQL keeps no more than a megabyte of them.
const WORDS_MAX: usize = 5000;
/// So many words of what is looked for count: more narrow nothing further.
const LOOKED_FOR: usize = 8;

/// The words of a text, in its order: folded, parted by whatever is no letter and no digit.
fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_MAX).collect())
        .collect()
}

/// What one engine is asked for a text: every word of it, in any order; a number as a whole, other words by their beginnings.
/// None where there is no word in it.
fn question(text: &str, is_postgres: bool) -> Option<String> {
    let quote = if is_postgres { '\'' } else { '"' };
    let part = |word: String| {
        let is_number = word.chars().all(|c| c.is_ascii_digit());
        let begins = match (is_number, is_postgres) {
            (true, _) => "",
            (false, true) => ":*",
            (false, false) => "*",
        };
        format!("{quote}{word}{quote}{begins}")
    };
    let parts: Vec<String> = words(text).into_iter().take(LOOKED_FOR).map(part).collect();
    let and = if is_postgres { " & " } else { " AND " };
    (!parts.is_empty()).then(|| parts.join(and))
}

/// Narrows a query over requests, called `r`, to those with the words of a filter; where it has none, to nothing else.
pub(super) fn narrow(query: ListQuery, filter: &Filter, conn: &Conn) -> ListQuery {
    const SQLITE: &str = "r.number IN (SELECT rowid FROM request_words WHERE request_words MATCH ?)";
    // Of what is not closed there is little: the plus has SQLite look at that one by one, and not at all that has the words.
    const UNCLOSED: &str = "+r.number IN (SELECT rowid FROM request_words WHERE request_words MATCH ?)";
    const POSTGRES: &str = "r.number IN (SELECT number FROM request_words WHERE words @@ CAST(? AS tsquery))";
    if filter.text.is_empty() {
        return query;
    }
    let Some(question) = question(&filter.text, conn.is_postgres()) else {
        return query.filter("FALSE", []);
    };
    let condition = match (conn.is_postgres(), filter.is_unclosed()) {
        (true, _) => POSTGRES,
        (false, true) => UNCLOSED,
        (false, false) => SQLITE,
    };
    query.filter(condition, [Bind::Text(question)])
}

/// Puts the words of changed requests together anew, of so many at most; of how many it did.
pub(super) async fn refresh(db: &Db, most: i64) -> Result<usize, Error> {
    const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM unindexed_requests LIMIT 1) x";
    // Whoever is changing one of them is waited for, so what they change is read.
    const TAKE: &str = "DELETE FROM unindexed_requests WHERE request_id IN \
                        (SELECT request_id FROM unindexed_requests ORDER BY request_id LIMIT $1) RETURNING request_id";
    let mut conn = db.read().await?;
    let waiting: i64 = on!(conn, |c| sqlx::query_scalar(WAITING).fetch_one(c).await)?;
    drop(conn);
    if waiting == 0 {
        return Ok(0);
    }
    db.write(|tx| {
        scoped(async move {
            let changed: Vec<RequestId> = on!(tx, |c| sqlx::query_scalar(TAKE).bind(most).fetch_all(c).await)?;
            for request in &changed {
                put(tx, *request).await?;
            }
            Ok(changed.len())
        })
    })
    .await
}

/// Puts the words of one request together.
async fn put(tx: &mut Tx, request: RequestId) -> Result<(), Error> {
    const HEAD: &str =
        "SELECT r.number, c.search FROM requests r JOIN customers c ON c.id = r.customer_id WHERE r.id = $1";
    const SAID: &str = "SELECT search FROM messages WHERE request_id = $1 ORDER BY at, id";
    const TAGS: &str = "SELECT tag FROM request_tags WHERE request_id = $1";
    const FILES: &str =
        "SELECT a.name FROM messages m JOIN attachments a ON a.message_id = m.id WHERE m.request_id = $1";
    const COMMENTS: &str = "SELECT comment FROM request_ratings WHERE request_id = $1";
    // The one that its customer chose, and those that staff linked it to.
    const RECEIPTS: &str = "SELECT p.document FROM requests r JOIN purchases p ON p.id = r.purchase_id WHERE r.id = $1 \
                            UNION SELECT p.document FROM request_links l JOIN purchases p ON p.id = l.purchase_id \
                            WHERE l.request_id = $1";
    // What was bought by these; by a receipt of which one line is linked, that line. As it was called when the request changed last.
    const ARTICLES: &str = "SELECT a.name FROM requests r JOIN purchase_lines i ON i.purchase_id = r.purchase_id \
                            JOIN articles a ON a.id = i.article_id WHERE r.id = $1 \
                            UNION SELECT a.name FROM request_links l JOIN purchase_lines i ON i.purchase_id = l.purchase_id \
                            AND (l.line_id IS NULL OR l.line_id = i.id) JOIN articles a ON a.id = i.article_id \
                            WHERE l.request_id = $1";
    const SQLITE: &str = "INSERT INTO request_words (rowid, words) VALUES ($1, $2)";
    const POSTGRES: &str =
        "INSERT INTO request_words (number, words) VALUES ($1, array_to_tsvector(string_to_array($2, ' ')))";
    let (number, name): (i64, String) = on!(tx, |c| sqlx::query_as(HEAD).bind(request).fetch_one(c).await)?;
    let mut texts = vec![name];
    // What was said comes last: there may be more of it than counts.
    for sql in [TAGS, RECEIPTS, ARTICLES, FILES, COMMENTS, SAID] {
        let some: Vec<String> = on!(tx, |c| sqlx::query_scalar(sql).bind(request).fetch_all(c).await)?;
        texts.extend(some);
    }
    let mut all: BTreeSet<String> = BTreeSet::from([number.to_string()]);
    for word in texts.iter().flat_map(|text| words(text)) {
        if all.len() >= WORDS_MAX {
            break;
        }
        all.insert(word);
    }
    let all = all.into_iter().collect::<Vec<_>>().join(" ");
    take_out(tx, number).await?;
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    Ok(on!(tx, |c| sqlx::query(sql)
        .bind(number)
        .bind(all)
        .execute(c)
        .await
        .map(drop))?)
}

/// Takes the words of one request out.
async fn take_out(tx: &mut Tx, number: i64) -> Result<(), sqlx::Error> {
    const SQLITE: &str = "DELETE FROM request_words WHERE rowid = $1";
    const POSTGRES: &str = "DELETE FROM request_words WHERE number = $1";
    let sql = if tx.is_postgres() { POSTGRES } else { SQLITE };
    on!(tx, |c| sqlx::query(sql).bind(number).execute(c).await.map(drop))
}

/// Forgets the words of all requests of a customer whose texts are gone.
pub(crate) async fn forget(tx: &mut Tx, customer: CustomerId) -> Result<(), sqlx::Error> {
    const SQL: &str = "SELECT number FROM requests WHERE customer_id = $1 ORDER BY number";
    let numbers: Vec<i64> = on!(tx, |c| sqlx::query_scalar(SQL).bind(customer).fetch_all(c).await)?;
    for number in numbers {
        take_out(tx, number).await?;
    }
    Ok(())
}

/// Puts the words of all changed requests together.
pub async fn run_due(db: &Db, _by: &System) -> Result<(), Error> {
    while refresh(db, TOGETHER).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_parted_by_what_is_neither_letter_nor_digit() {
        let of = |text: &str| words(text);
        assert_eq!(of("Где мои БАЛЛЫ? 100%"), ["где", "мои", "баллы", "100"]);
        assert_eq!(
            of("Ёлкина o'neill №12 a_b \\o/ 😀"),
            ["елкина", "o", "neill", "12", "a", "b", "o"]
        );
        assert_eq!(of("?! '\" & * :"), [""; 0]);
        assert_eq!(of(&"я".repeat(50)), ["я".repeat(40)]);
    }

    #[test]
    fn each_engine_is_asked_in_its_own_words() {
        assert_eq!(question("Где 12", true).as_deref(), Some("'где':* & '12'"));
        assert_eq!(question("Где 12", false).as_deref(), Some("\"где\"* AND \"12\""));
        assert_eq!(question("' OR \" & :* --", true).as_deref(), Some("'or':*"));
        assert_eq!(question("' OR \" * --", false).as_deref(), Some("\"or\"*"));
        assert_eq!(question("«…»", true), None);
        assert_eq!(
            question(&"a ".repeat(20), false).map(|asked| asked.matches("AND").count()),
            Some(7)
        );
    }
}
