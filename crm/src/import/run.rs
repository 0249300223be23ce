//! The work itself: batch by batch, each in one transaction with the place that it has come to.

use super::kinds::{self, Cells, Outcome};
use super::{Doing, Kind, Mapping, texts};
use crate::db::{self, Bind, Db, Rows, Tx, scoped};
use crate::error::{Error, holds_database_errors};
use crate::id::{ImportId, StaffId, StoreId};
use crate::lang::Lang;
use crate::on;
use crate::purchase::import::mapped;
use crate::who::System;
use crate::work::{self, Claims, claims, is_ours, let_go};
use chrono::Duration;
use std::collections::HashMap;

/// For how long what is in a file is kept after its import.
pub const KEPT: Duration = Duration::days(7);
/// For how long a node has an import that it says nothing of.
const HOLD: Duration = Duration::seconds(60);
/// How many lines are looked at in one transaction.
const BATCH: i64 = 200;

const CLAIMS: Claims = claims!(
    "imports",
    "asked_at",
    "",
    "id, staff_id, kind, language, columns, mapping, is_trial, line"
);

#[derive(sqlx::FromRow)]
struct Claimed {
    id: ImportId,
    staff_id: StaffId,
    kind: Kind,
    language: Lang,
    #[sqlx(json)]
    columns: Vec<String>,
    #[sqlx(json)]
    mapping: Mapping,
    is_trial: bool,
    line: i64,
}

/// An import in the hands of one node.
struct Run {
    job: Claimed,
    claim: String,
    /// The shops by their codes, once receipts are booked.
    stores: Option<HashMap<String, StoreId>>,
}

/// What a batch came to.
#[derive(Debug, Default)]
struct Batch {
    added: i64,
    changed: i64,
    known: i64,
    refused: Vec<(i64, String)>,
}

impl Batch {
    fn count(&mut self, line: i64, outcome: Outcome) {
        match outcome {
            Outcome::Added => self.added += 1,
            Outcome::Changed => self.changed += 1,
            Outcome::Known => self.known += 1,
            Outcome::Refused(reason) => self.refused.push((line, reason)),
        }
    }
}

/// What a transaction that is undone leaves behind.
#[derive(Debug, thiserror::Error)]
enum Undone {
    /// A trial: what it came to.
    #[error("a trial")]
    Trial(Batch),
    /// It failed.
    #[error(transparent)]
    Crm(#[from] Error),
}

holds_database_errors!(Undone);

/// A line as it is kept.
#[derive(sqlx::FromRow)]
struct Row {
    line: i64,
    cells: String,
    flaw: Option<String>,
}

/// Runs the import that waits longest to its end, and tells whether there was one. Where `goes_on` says no between two batches, it is
/// given back, and goes on from there with any node; so it does where a node was killed, once its claim has run out.
pub async fn run_next(db: &Db, by: &System, goes_on: impl Fn() -> bool) -> Result<bool, Error> {
    let claimed: Option<(Claimed, String)> = work::claim(db, &CLAIMS, HOLD).await?;
    let Some((job, claim)) = claimed else { return Ok(false) };
    let mut run = Run {
        job,
        claim,
        stores: None,
    };
    if run.job.kind == Kind::Purchases && run.job.line == 0 {
        // What an earlier run left staged.
        mapped::clear(db, &run.key()).await?;
    }
    while run.step(db, by).await? {
        if !goes_on() {
            run.give_back(db).await?;
            break;
        }
    }
    Ok(true)
}

impl Run {
    /// Under which the lines of receipts are staged.
    fn key(&self) -> String {
        staging(self.job.id)
    }

    /// Looks at the next lines; false after the last of them, and where somebody stopped it or another node has it.
    async fn step(&mut self, db: &Db, by: &System) -> Result<bool, Error> {
        const ROWS: &str =
            "SELECT line, cells, flaw FROM import_rows WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3";
        let mut conn = db.read().await?;
        let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(ROWS)
            .bind(self.job.id)
            .bind(self.job.line)
            .bind(BATCH)
            .fetch_all(c)
            .await)?;
        drop(conn);
        match (rows.last(), self.job.kind) {
            (Some(last), Kind::Purchases) => {
                let last = last.line;
                let goes_on = self.stage(db, &rows, last).await?;
                self.job.line = last;
                Ok(goes_on)
            }
            (Some(last), _) => {
                let last = last.line;
                let goes_on = self.take(db, by, &rows, last).await?;
                self.job.line = last;
                Ok(goes_on)
            }
            (None, Kind::Purchases) => self.book(db, by).await,
            (None, _) => self.finish(db).await,
        }
    }

    /// Does what lines say, or tries it.
    async fn take(&self, db: &Db, by: &System, rows: &[Row], last: i64) -> Result<bool, Error> {
        if self.job.is_trial {
            let batch = undone(db.write(|tx| scoped(self.try_out(tx, by, rows))).await)?;
            let batch = &batch;
            return db.write(|tx| scoped(self.save(tx, batch, last))).await;
        }
        db.write(|tx| {
            scoped(async move {
                if !self.hold(tx).await? {
                    return Ok::<_, Error>(false);
                }
                let batch = self.each(tx, by, rows).await?;
                self.save(tx, &batch, last).await
            })
        })
        .await
    }

    async fn try_out(&self, tx: &mut Tx, by: &System, rows: &[Row]) -> Result<(), Undone> {
        Err(Undone::Trial(self.each(tx, by, rows).await?))
    }

    async fn each(&self, tx: &mut Tx, by: &System, rows: &[Row]) -> Result<Batch, Error> {
        // What another program knows is no news to others.
        tx.keep_silent();
        let doing = Doing {
            id: self.job.id,
            by: self.job.staff_id,
            lang: self.job.language,
        };
        let mut batch = Batch::default();
        for row in rows {
            let outcome = match self.cells(row) {
                Ok(cells) => {
                    let cells = Cells {
                        kind: self.job.kind,
                        mapping: &self.job.mapping,
                        cells: &cells,
                    };
                    kinds::take(tx, by, doing, &cells).await?
                }
                Err(reason) => Outcome::Refused(reason),
            };
            batch.count(row.line, outcome);
        }
        Ok(batch)
    }

    /// The cells of a line, or why they cannot be told apart.
    fn cells(&self, row: &Row) -> Result<Vec<String>, String> {
        let say = |ru: &str, en: &str| match self.job.language {
            Lang::Ru => ru.to_owned(),
            Lang::En => en.to_owned(),
        };
        match row.flaw.as_deref() {
            Some("open_quote") => return Err(say("кавычка не закрыта", "a quotation mark is not closed")),
            Some(_) => return Err(say("строка длиннее 64 КиБ", "the line is longer than 64 KiB")),
            None => {}
        }
        let cells = texts(&row.cells);
        if cells.iter().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(say(
                "есть знаки, которые не читаются",
                "there are characters that cannot be read",
            ));
        }
        let (found, expected) = (cells.len(), self.job.columns.len());
        if found > expected {
            return Err(match self.job.language {
                Lang::Ru => format!("полей {found}, а столбцов {expected}"),
                Lang::En => format!("{found} fields, but {expected} columns"),
            });
        }
        Ok(cells)
    }

    // --- Receipts, whose lines stand anywhere in a file ----------------------------------------------------------

    /// Stages the next lines.
    async fn stage(&self, db: &Db, rows: &[Row], last: i64) -> Result<bool, Error> {
        let zone = db.shop().zone();
        let key = &self.key();
        db.write(|tx| {
            scoped(async move {
                if !self.hold(tx).await? {
                    return Ok::<_, Error>(false);
                }
                let (mut lines, mut batch) = (Vec::new(), Batch::default());
                for row in rows {
                    let cells = match self.cells(row) {
                        Ok(cells) => cells,
                        Err(reason) => {
                            batch.refused.push((row.line, reason));
                            continue;
                        }
                    };
                    let cells = Cells {
                        kind: self.job.kind,
                        mapping: &self.job.mapping,
                        cells: &cells,
                    };
                    let texts = mapped::FIELDS.map(|field| cells.get(field).to_owned());
                    let (line, reason) = mapped::read(zone, row.line, texts, self.job.language);
                    lines.extend(line);
                    batch.refused.extend(reason.map(|reason| (row.line, reason)));
                }
                mapped::stage(tx, key, lines).await?;
                self.save(tx, &batch, last).await
            })
        })
        .await
    }

    /// Books the next receipts, or tries it. What was booked is staged no more: that is the place that it has come to.
    async fn book(&mut self, db: &Db, by: &System) -> Result<bool, Error> {
        let key = &self.key();
        let stores = match self.stores.take() {
            Some(stores) => stores,
            None => {
                mapped::unify_times(db, key).await?;
                mapped::stores(db).await?
            }
        };
        let Some(page) = mapped::next(db, key).await? else {
            return self.finish(db).await;
        };
        let goes_on = self.book_page(db, by, &stores, &page).await;
        self.stores = Some(stores);
        goes_on
    }

    async fn book_page(
        &self,
        db: &Db,
        by: &System,
        stores: &HashMap<String, StoreId>,
        page: &mapped::Page,
    ) -> Result<bool, Error> {
        let key = &self.key();
        let tried = match self.job.is_trial {
            true => Some(undone(
                db.write(|tx| scoped(async move { Err(Undone::Trial(self.receipts(tx, by, stores, page).await?)) }))
                    .await,
            )?),
            false => None,
        };
        let tried = tried.as_ref();
        db.write(|tx| {
            scoped(async move {
                if !self.hold(tx).await? {
                    return Ok::<_, Error>(false);
                }
                let booked;
                let batch = match tried {
                    Some(batch) => batch,
                    None => {
                        booked = self.receipts(tx, by, stores, page).await?;
                        &booked
                    }
                };
                mapped::forget(tx, key, page).await?;
                self.save(tx, batch, self.job.line).await
            })
        })
        .await
    }

    async fn receipts(
        &self,
        tx: &mut Tx,
        by: &System,
        stores: &HashMap<String, StoreId>,
        page: &mapped::Page,
    ) -> Result<Batch, Error> {
        let booked = mapped::book(tx, by, stores, page, self.job.language).await?;
        Ok(Batch {
            added: booked.taken,
            changed: 0,
            known: booked.known,
            refused: booked.refused,
        })
    }

    // --- Where it is ---------------------------------------------------------------------------------------------

    /// Takes the import for the transaction; false where it is another node's, or somebody stopped it.
    async fn hold(&self, tx: &mut Tx) -> Result<bool, Error> {
        const SQL: &str = concat!("UPDATE imports SET claimed_until = $3 WHERE ", is_ours!());
        let until = tx.now() + HOLD;
        let rows = on!(tx, |c| sqlx::query(SQL)
            .bind(self.job.id)
            .bind(&self.claim)
            .bind(until)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows == 1)
    }

    /// Writes down what a batch came to, and how far it is; false as [`Run::hold`] says.
    async fn save(&self, tx: &mut Tx, batch: &Batch, line: i64) -> Result<bool, Error> {
        const SQL: &str = concat!(
            "UPDATE imports SET line = $3, added = added + $4, changed = changed + $5, known = known + $6, \
             refused = refused + $7, claimed_until = $8 WHERE ",
            is_ours!()
        );
        let until = tx.now() + HOLD;
        let rows = on!(tx, |c| sqlx::query(SQL)
            .bind(self.job.id)
            .bind(&self.claim)
            .bind(line)
            .bind(batch.added)
            .bind(batch.changed)
            .bind(batch.known)
            .bind(i64::try_from(batch.refused.len()).unwrap_or(i64::MAX))
            .bind(until)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if rows == 0 {
            return Ok(false);
        }
        let mut refusals = Rows::new("INSERT INTO import_refusals (import_id, line, reason)", "");
        for (line, reason) in &batch.refused {
            refusals.push([Bind::Id(self.job.id.0), Bind::Int(*line), Bind::Text(reason.clone())]);
        }
        db::insert(tx, refusals).await?;
        Ok(true)
    }

    /// Every line was looked at.
    async fn finish(&self, db: &Db) -> Result<bool, Error> {
        const SQL: &str = concat!(
            "UPDATE imports SET state = 'done', finished_at = $3, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        db.write(|tx| {
            scoped(async move {
                let now = tx.now();
                on!(tx, |c| sqlx::query(SQL)
                    .bind(self.job.id)
                    .bind(&self.claim)
                    .bind(now)
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(false)
            })
        })
        .await
    }

    /// Gives it back, for any node to go on with it: this one stops.
    async fn give_back(&self, db: &Db) -> Result<(), Error> {
        const SQL: &str = concat!(
            "UPDATE imports SET state = 'waiting', tries = tries - 1, ",
            let_go!(),
            " WHERE ",
            is_ours!()
        );
        work::give_back(db, SQL, self.job.id.0, &self.claim).await
    }
}

fn staging(id: ImportId) -> String {
    format!("import:{id}")
}

/// What a trial came to.
fn undone(tried: Result<(), Undone>) -> Result<Batch, Error> {
    match tried {
        Err(Undone::Trial(batch)) => Ok(batch),
        Err(Undone::Crm(e)) => Err(e),
        Ok(()) => Ok(Batch::default()),
    }
}

/// Takes away what is in files whose import ended long ago, or never began. That they came in, and what became of them, stays.
pub async fn sweep(db: &Db, _by: &System) -> Result<(), Error> {
    const OLD: &str = "SELECT i.id FROM imports i WHERE i.state NOT IN ('waiting', 'running') \
                       AND COALESCE(i.finished_at, i.created_at) <= $1 \
                       AND EXISTS (SELECT 1 FROM import_rows r WHERE r.import_id = i.id)";
    const GONE: [&str; 2] = [
        "DELETE FROM import_refusals WHERE import_id = $1",
        "DELETE FROM import_rows WHERE import_id = $1",
    ];
    let mut conn = db.read().await?;
    let until = conn.now() - KEPT;
    let old: Vec<ImportId> = on!(conn, |c| sqlx::query_scalar(OLD).bind(until).fetch_all(c).await)?;
    drop(conn);
    for id in old {
        mapped::clear(db, &staging(id)).await?;
        db.write(|tx| {
            scoped(async move {
                for sql in GONE {
                    on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    }
    Ok(())
}
