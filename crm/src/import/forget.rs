//! Lines of files that are still kept, and that tell of somebody who is erased.

use super::{Kind, Mapping, texts};
use crate::card;
use crate::contact::{Email, Phone};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{CustomerId, ImportId};
use crate::on;
use crate::purchase::import::mapped;
use sqlx::types::Json;
use std::collections::BTreeSet;

/// How many lines are read at once.
const BATCH: i64 = 1000;

/// A line of a file.
pub(crate) type Line = (ImportId, i64);

/// What a line is known by to be of somebody.
struct Marks {
    /// Phones, addresses and numbers of cards.
    values: BTreeSet<String>,
    /// Their number in the shop's other system.
    number: Option<String>,
    country: String,
}

impl Marks {
    async fn of(conn: &mut Conn, customer: CustomerId) -> Result<Self, Error> {
        // A phone that they merely typed may be somebody else's.
        const VALUES: &str = "SELECT k.value FROM contacts k WHERE k.customer_id = $1 AND (k.verified_at IS NOT NULL \
                              OR k.value IN (SELECT e.phone FROM enrolments e WHERE e.customer_id = $1)) \
                              UNION SELECT d.number FROM cards d WHERE d.customer_id = $1";
        const NUMBER: &str =
            "SELECT external_id FROM customers WHERE id = $1 AND source = $2 AND external_id IS NOT NULL";
        let values: Vec<String> = on!(conn, |c| sqlx::query_scalar(VALUES).bind(customer).fetch_all(c).await)?;
        let number: Option<String> = on!(conn, |c| sqlx::query_scalar(NUMBER)
            .bind(customer)
            .bind(mapped::SOURCE)
            .fetch_optional(c)
            .await)?;
        Ok(Self {
            values: values.into_iter().collect(),
            number,
            country: conn.shop().country.clone(),
        })
    }

    /// Whether a line has one of them, in whatever column and however it is written.
    fn are_in(&self, cells: &[String], mapping: &Mapping) -> bool {
        let number = mapping.get("number").and_then(|column| cells.get(*column));
        let is_number = number.is_some_and(|cell| self.number.as_deref() == Some(cell.trim()));
        is_number
            || cells.iter().any(|cell| {
                let phone = Phone::parse(cell, &self.country).ok();
                let email = Email::parse(cell).ok();
                let card = card::number(cell);
                let told = [
                    phone.as_ref().map(Phone::as_str),
                    email.as_ref().map(Email::as_str),
                    card.as_deref(),
                ];
                told.into_iter().flatten().any(|value| self.values.contains(value))
            })
    }
}

/// The lines of files of people that tell of a customer.
pub(crate) async fn lines_of(conn: &mut Conn, customer: CustomerId) -> Result<Vec<Line>, Error> {
    const FILES: &str = "SELECT i.id, i.mapping FROM imports i WHERE i.kind = $1 \
                         AND EXISTS (SELECT 1 FROM import_rows r WHERE r.import_id = i.id)";
    const ROWS: &str = "SELECT line, cells FROM import_rows WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3";
    let files: Vec<(ImportId, Json<Mapping>)> =
        on!(conn, |c| sqlx::query_as(FILES).bind(Kind::Customers).fetch_all(c).await)?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let marks = Marks::of(conn, customer).await?;
    let mut found = Vec::new();
    for (id, Json(mapping)) in files {
        let mut after = 0;
        loop {
            let rows: Vec<(i64, String)> = on!(conn, |c| sqlx::query_as(ROWS)
                .bind(id)
                .bind(after)
                .bind(BATCH)
                .fetch_all(c)
                .await)?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            let theirs = rows.iter().filter(|(_, cells)| marks.are_in(&texts(cells), &mapping));
            found.extend(theirs.map(|(line, _)| (id, *line)));
        }
    }
    Ok(found)
}

/// Takes lines away; an import that goes on does without them.
pub(crate) async fn forget(tx: &mut Tx, lines: &[Line]) -> Result<(), sqlx::Error> {
    const GONE: [&str; 2] = [
        "DELETE FROM import_refusals WHERE import_id = $1 AND line = $2",
        "DELETE FROM import_rows WHERE import_id = $1 AND line = $2",
    ];
    for (id, line) in lines {
        for sql in GONE {
            on!(tx, |c| sqlx::query(sql).bind(id).bind(line).execute(c).await.map(drop))?;
        }
    }
    Ok(())
}
