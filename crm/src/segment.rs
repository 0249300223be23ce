//! Segments: lists of customers that have a name. Staff make them by hand, by the numbers of cards or phones; what rules ask is
//! who is in one (`segment`). Whatever makes them otherwise one day fills the same table.

use crate::card;
use crate::contact::Phone;
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::{CustomerId, SegmentId};
use crate::lang::Localized;
use crate::on;
use crate::points::store::LIST;
use crate::staff::Right;
use crate::who::{Staff, Subject};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

/// The longest name, in characters.
const NAME_MAX: usize = 120;
/// The most lines of a list.
pub const LINES_MAX: usize = 20_000;
/// So many lines that fit nobody are told.
const TOLD: usize = 50;

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// What rules call it.
    pub code: String,
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// How many customers are in it.
    pub members: i64,
}

/// What is done with the customers of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// They are put into the segment.
    Add,
    /// They are taken out.
    Take,
}

/// What came of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// How many were put in or taken out who were not so before.
    pub changed: i64,
    /// How many lines fit nobody.
    pub missing: usize,
}

macro_rules! segments {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.code, s.name, \
             (SELECT COUNT(*) FROM segment_members m WHERE m.segment_id = s.id) AS members FROM segments s ",
            $rest
        )
    };
}

/// Every segment, by its code. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Segment>, Error> {
    const SQL: &str = segments!("ORDER BY s.code");
    by.may(Right::Rules)?;
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "segment.list", None, None, "").await?) }))
        .await?;
    // Counting takes as long as there are members, and on SQLite nobody else writes while a transaction lasts.
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}

/// One segment, for its page. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: SegmentId) -> Result<Segment, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let segment = get(tx, id).await?;
            by.record(tx, "segment.read", None, Some(id.0), "").await?;
            Ok(segment)
        })
    })
    .await
}

async fn get(conn: &mut Conn, id: SegmentId) -> Result<Segment, Error> {
    const SQL: &str = segments!("WHERE s.id = $1");
    let found: Option<Segment> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// Writes a new segment down, with nobody in it. Fails with flaws at `key`, which is its code and may be taken, and at `name_ru`
/// and `name_en`.
pub async fn create(db: &Db, by: &Staff, code: &str, name: &Localized) -> Result<SegmentId, Error> {
    const SQL: &str = "INSERT INTO segments (id, code, name, created_at) VALUES ($1, $2, $3, $4)";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(code)).unwrap_or_default();
            let name = check.words("name", name, NAME_MAX);
            check.result()?;
            let (id, now) = (SegmentId::new(), tx.now());
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&name))
                .bind(now)
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            by.record(tx, "segment.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Removes a segment with everybody who is in it: a rule that names it holds for nobody then. Fails with [`Error::NotFound`].
pub async fn remove(db: &Db, by: &Staff, id: SegmentId) -> Result<(), Error> {
    const MEMBERS: &str = "DELETE FROM segment_members WHERE segment_id = $1";
    const SEGMENT: &str = "DELETE FROM segments WHERE id = $1";
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let code = get(tx, id).await?.code;
            for sql in [MEMBERS, SEGMENT] {
                on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
            }
            Ok(by.record(tx, "segment.remove", None, Some(id.0), &code).await?)
        })
    })
    .await
}

/// Puts the customers of a list into a segment, or takes them out: in each line the number of a card or a phone that somebody
/// proved, and whatever stands behind a comma, a semicolon or a tab is not read. Lines that fit nobody are told as
/// [`Flaw::NoCustomer`] at `field`, and nothing is done, unless `lenient`: then they are left out, and counted.
pub async fn put(
    db: &Db,
    by: &Staff,
    id: SegmentId,
    act: Act,
    text: &str,
    lenient: bool,
    field: &'static str,
) -> Result<Done, Error> {
    by.may(Right::Rules)?;
    let country = &db.shop().country;
    let lines: Vec<(usize, Option<String>)> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .zip(1..)
        .map(|(line, number)| (number, line.split([',', ';', '\t']).next().unwrap_or_default()))
        .map(|(number, cell)| (number, cell.trim().trim_matches('"').trim()))
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(number, cell)| (number, identity(cell, country)))
        .collect();
    if lines.is_empty() {
        return Err(Error::field(field, Flaw::Missing));
    }
    if lines.len() > LINES_MAX {
        return Err(Error::field(field, Flaw::TooManyLines { max: LINES_MAX }));
    }
    let lines = &lines;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?.members;
            let found = customers(tx, lines).await?;
            let missing: Vec<usize> = lines
                .iter()
                .zip(&found)
                .filter(|(_, customer)| customer.is_none())
                .map(|((number, _), _)| *number)
                .collect();
            if !missing.is_empty() && !lenient {
                let flaw = |line: &usize| (field.to_owned(), Flaw::NoCustomer { line: *line });
                return Err(Error::Invalid(missing.iter().take(TOLD).map(flaw).collect()));
            }
            let customers: BTreeSet<CustomerId> = found.into_iter().flatten().collect();
            match act {
                Act::Add => add(tx, id, &customers).await?,
                Act::Take => take(tx, id, &customers).await?,
            }
            let changed = (get(tx, id).await?.members - before).abs();
            let action = match act {
                Act::Add => "segment.add",
                Act::Take => "segment.take",
            };
            by.record(tx, action, None, Some(id.0), &changed.to_string()).await?;
            Ok(Done {
                changed,
                missing: missing.len(),
            })
        })
    })
    .await
}

/// Puts customers into a segment that were found otherwise; how many were not in it before. Fails with [`Error::NotFound`].
pub(crate) async fn put_found(
    db: &Db,
    by: &Staff,
    id: SegmentId,
    customers: &BTreeSet<CustomerId>,
) -> Result<i64, Error> {
    by.may(Right::Rules)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            let before = get(tx, id).await?.members;
            add(tx, id, customers).await?;
            let changed = get(tx, id).await?.members - before;
            by.record(tx, "segment.add", None, Some(id.0), &changed.to_string())
                .await?;
            Ok(changed)
        })
    })
    .await
}

async fn add(tx: &mut Tx, id: SegmentId, customers: &BTreeSet<CustomerId>) -> Result<(), sqlx::Error> {
    let now = tx.now();
    // When that was is written of who is in it already as well: undoing a merge asks it (`crm::merge`).
    let mut rows = Rows::new(
        "INSERT INTO segment_members (segment_id, customer_id, added_at)",
        "ON CONFLICT (segment_id, customer_id) DO UPDATE SET added_at = excluded.added_at",
    );
    for customer in customers {
        rows.push([Bind::Id(id.0), Bind::Id(customer.0), Bind::Time(now)]);
    }
    db::insert(tx, rows).await
}

async fn take(tx: &mut Tx, id: SegmentId, customers: &BTreeSet<CustomerId>) -> Result<(), sqlx::Error> {
    let customers: Vec<CustomerId> = customers.iter().copied().collect();
    for part in customers.chunks(LIST) {
        let query = ListQuery::new("DELETE FROM segment_members")
            .within("customer_id", part.iter().map(|id| Bind::Id(id.0)))
            .filter("segment_id = ?", [Bind::Id(id.0)]);
        db::list::<(i64,)>(tx, query).await?;
    }
    Ok(())
}

/// The number of a card or a phone, as it is kept.
fn identity(cell: &str, country: &str) -> Option<String> {
    let phone = || Phone::parse(cell, country).ok().map(|phone| phone.as_str().to_owned());
    card::number(cell).or_else(phone)
}

/// Whose the cards and phones in some lines are, line by line.
async fn customers(tx: &mut Tx, lines: &[(usize, Option<String>)]) -> Result<Vec<Option<CustomerId>>, sqlx::Error> {
    const CARDS: &str = "SELECT c.number, c.customer_id FROM cards c JOIN customers p ON p.id = c.customer_id";
    const PHONES: &str = "SELECT value, customer_id FROM contacts";
    let distinct: BTreeSet<&String> = lines.iter().filter_map(|(_, number)| number.as_ref()).collect();
    let distinct: Vec<&String> = distinct.into_iter().collect();
    let mut known: HashMap<String, CustomerId> = HashMap::new();
    for part in distinct.chunks(LIST) {
        let of = || part.iter().map(|number| Bind::Text((*number).clone()));
        let query = ListQuery::new(CARDS)
            .within("c.number", of())
            .filter("p.erased_at IS NULL", []);
        known.extend(db::list::<(String, CustomerId)>(tx, query).await?);
        let query = ListQuery::new(PHONES)
            .within("value", of())
            .filter("kind = 'phone' AND verified_at IS NOT NULL", []);
        known.extend(db::list::<(String, CustomerId)>(tx, query).await?);
    }
    let customer = |(_, number): &(usize, Option<String>)| known.get(number.as_ref()?).copied();
    Ok(lines.iter().map(customer).collect())
}

/// Sees to it that nobody else changes a segment until the transaction ends.
async fn hold(tx: &mut Tx, id: SegmentId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE segments SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}

/// The segments that a customer is in: code and name, by the code.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Vec<(String, Localized)>, Error> {
    const SQL: &str = "SELECT s.code, s.name FROM segment_members m JOIN segments s ON s.id = m.segment_id \
                       WHERE m.customer_id = $1 ORDER BY s.code";
    let rows: Vec<(String, Json<Localized>)> = on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(code, Json(name))| (code, name)).collect())
}
