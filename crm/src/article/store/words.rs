//! The words of articles, by which the one search of staff finds them: of their names and codes, each from its beginning on. The list
//! of articles looks for parts of words as well, and walks over all of them for that.

use super::Listed;
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, scoped};
use crate::error::Error;
use crate::id::ArticleId;
use crate::on;
use crate::search::{WORDS_MAX, words};
use crate::who::System;
use std::collections::BTreeSet;

/// How many new articles a search takes upon itself; more of them, as after an import, are the minutely work's.
pub(crate) const BEFORE_A_SEARCH: i64 = 100;
/// How many one transaction of the minutely work takes.
const TOGETHER: i64 = 500;
/// So much of a word counts, in characters.
const WORD_MAX: usize = 40;

fn cut(word: &str) -> String {
    word.chars().take(WORD_MAX).collect()
}

/// Articles with each word of a text, in the order of the alphabet.
pub(crate) async fn find(conn: &mut Conn, text: &str, limit: i64) -> Result<Vec<Listed>, Error> {
    const SELECT: &str = "SELECT a.id, a.code, a.name, a.brand, a.payable, c.name AS category FROM articles a \
                          LEFT JOIN categories c ON c.id = a.category_id";
    let sought = words(text);
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = ListQuery::new(SELECT);
    for word in sought.iter().take(WORDS_MAX).map(|word| cut(word)) {
        // The bounds of all that begins with it.
        let end = format!("{word}\u{10ffff}");
        query = query.filter(
            "a.id IN (SELECT w.article_id FROM article_words w WHERE w.word >= ? AND w.word < ?)",
            [Bind::Text(word), Bind::Text(end)],
        );
    }
    Ok(db::list(conn, query.tail("ORDER BY a.search, a.code").limit(limit)).await?)
}

/// Puts the words together of articles that are new or have another name, of so many at most; of how many it did.
pub(crate) async fn refresh(db: &Db, most: i64) -> Result<usize, Error> {
    // In the words of the index that holds nothing else.
    const WAITING: &str =
        "SELECT COUNT(*) FROM (SELECT 1 AS one FROM articles WHERE COALESCE(indexed, '') <> search LIMIT 1) x";
    const TAKE: &str = "UPDATE articles SET indexed = search WHERE id IN \
                        (SELECT id FROM articles WHERE COALESCE(indexed, '') <> search ORDER BY id LIMIT $1) \
                        RETURNING id, code, search";
    const FORGET: &str = "DELETE FROM article_words WHERE article_id = $1";
    let mut conn = db.read().await?;
    let waiting: i64 = on!(&mut conn, |c| sqlx::query_scalar(WAITING).fetch_one(c).await)?;
    drop(conn);
    if waiting == 0 {
        return Ok(0);
    }
    db.write(|tx| {
        scoped(async move {
            let changed: Vec<(ArticleId, String, String)> =
                on!(tx, |c| sqlx::query_as(TAKE).bind(most).fetch_all(c).await)?;
            let mut rows = Rows::new("INSERT INTO article_words (article_id, word)", "");
            for (id, code, name) in &changed {
                on!(tx, |c| sqlx::query(FORGET).bind(id).execute(c).await.map(drop))?;
                let all = [code, name].into_iter().flat_map(|text| words(text));
                let all: BTreeSet<String> = all.map(|word| cut(&word)).collect();
                for word in all {
                    rows.push([Bind::Id(id.0), Bind::Text(word)]);
                }
            }
            db::insert(tx, rows).await?;
            Ok(changed.len())
        })
    })
    .await
}

/// Puts the words of all such articles together.
pub async fn run_due(db: &Db, _by: &System) -> Result<(), Error> {
    while refresh(db, TOGETHER).await? > 0 {}
    Ok(())
}
