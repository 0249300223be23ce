//! Categories as staff write them: what they are called, what they lie within, and in which order they are shown. A change of one
//! that is there goes by [`crate::catalogue`].

use crate::db::{self, Conn, Db, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::id::CategoryId;
use crate::lang::Localized;
use crate::on;
use crate::rule::store::REVISION;
use crate::staff::Right;
use crate::who::Staff;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name, in characters.
const TEXT_MAX: usize = 200;

/// A category as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What rules and files call it.
    pub code: String,
    /// Its name.
    pub name: Localized,
    /// The code of the category that it lies right within.
    pub parent: Option<String>,
    /// The code of the category that is shown right before it; none: it is the first.
    pub after: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: CategoryId,
    code: String,
    #[sqlx(json)]
    name: Localized,
    parent_id: Option<CategoryId>,
}

async fn rows(conn: &mut Conn) -> Result<Vec<Row>, sqlx::Error> {
    const SQL: &str = "SELECT id, code, name, parent_id FROM categories ORDER BY position, id";
    on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)
}

fn record(rows: &[Row], place: usize) -> Record {
    let row = &rows[place];
    let parent = rows.iter().find(|other| Some(other.id) == row.parent_id);
    let before = place.checked_sub(1).and_then(|before| rows.get(before));
    Record {
        code: row.code.clone(),
        name: row.name.clone(),
        parent: parent.map(|parent| parent.code.clone()),
        after: before.map(|before| before.code.clone()),
    }
}

/// The categories in the order of the shop.
pub async fn list(conn: &mut Conn, by: &Staff) -> Result<Vec<(CategoryId, Record)>, Error> {
    by.may(Right::Shops)?;
    Ok(all(conn).await?)
}

/// The same for the page of one of them, which has to be there: [`Error::NotFound`]. That it was looked at is written down.
pub async fn read(db: &Db, by: &Staff, id: CategoryId) -> Result<Vec<(CategoryId, Record)>, Error> {
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            let all = list(tx, by).await?;
            if all.iter().all(|(known, _)| *known != id) {
                return Err(Error::NotFound);
            }
            by.record(tx, "category.read", None, Some(id.0), "").await?;
            Ok(all)
        })
    })
    .await
}

/// Adds a category. Fails with flaws at its fields; `code` may be taken.
pub async fn create(db: &Db, by: &Staff, new: &Record) -> Result<CategoryId, Error> {
    const SQL: &str = "INSERT INTO categories (id, code, name, position) VALUES ($1, $2, $3, 0)";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx).await?;
            let others = rows(tx).await?;
            let mut check = Check::new();
            let code = check.field("key", crate::till::code(&new.code)).unwrap_or_default();
            let name = checked(&mut check, new, &others);
            check.result()?;
            let id = CategoryId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&name))
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            place(tx, id, new, &others).await?;
            by.record(tx, "category.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// One category, whoever asks. Fails with [`Error::NotFound`].
pub(crate) async fn of(conn: &mut Conn, id: CategoryId) -> Result<Record, Error> {
    let rows = rows(conn).await?;
    let at = rows.iter().position(|row| row.id == id).ok_or(Error::NotFound)?;
    Ok(record(&rows, at))
}

/// All of them by their ids, whoever asks.
pub(crate) async fn all(conn: &mut Conn) -> Result<Vec<(CategoryId, Record)>, sqlx::Error> {
    let rows = rows(conn).await?;
    let places = 0..rows.len();
    Ok(places.map(|place| (rows[place].id, record(&rows, place))).collect())
}

/// A category that is there as it would be kept, with what is wrong with it.
pub(crate) async fn checked_of(tx: &mut Tx, id: CategoryId, new: &Record) -> Result<Record, Error> {
    let (others, code) = others(tx, id).await?;
    let mut check = Check::new();
    let name = checked(&mut check, new, &others);
    let row = |code: &str| others.iter().find(|row| row.code == code);
    let parent = |row: &&Row| others.iter().find(|other| Some(other.id) == row.parent_id);
    let first = new.parent.as_deref().and_then(row);
    // Others may go round in a circle of which this one is no part.
    let mut up = std::iter::successors(first, parent).take(others.len());
    if up.any(|above| above.parent_id == Some(id)) {
        check.field::<()>("parent", Err(Flaw::Circle));
    }
    check.result()?;
    Ok(Record {
        code,
        name,
        ..new.clone()
    })
}

/// Puts what was checked in the place of what a category says, while nobody else moves one.
pub(crate) async fn put(tx: &mut Tx, id: CategoryId, new: &Record) -> Result<(), Error> {
    const SQL: &str = "UPDATE categories SET name = $2 WHERE id = $1";
    let (others, _) = others(tx, id).await?;
    // What does not fit is told before anything is written.
    place(tx, id, new, &others).await?;
    Ok(on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(Json(&new.name))
        .execute(c)
        .await
        .map(drop))?)
}

/// The other categories, and the code of the one.
async fn others(tx: &mut Tx, id: CategoryId) -> Result<(Vec<Row>, String), Error> {
    let mut rows = rows(tx).await?;
    let at = rows.iter().position(|row| row.id == id).ok_or(Error::NotFound)?;
    let one = rows.remove(at);
    Ok((rows, one.code))
}

/// Nobody else moves a category until the transaction ends; rules are prepared anew.
pub(crate) async fn hold(tx: &mut Tx) -> Result<(), sqlx::Error> {
    db::next_number(tx, REVISION).await.map(drop)
}

/// The name as it is kept. The category has to lie within one of the others, or in none, and to stand behind one or first.
fn checked(check: &mut Check, new: &Record, others: &[Row]) -> Localized {
    let name = check.only_words(&new.name, TEXT_MAX);
    for (field, code) in [("parent", &new.parent), ("after", &new.after)] {
        let is_there = |code: &String| others.iter().any(|other| other.code == *code);
        if !code.as_ref().is_none_or(is_there) {
            check.field::<()>(field, Err(Flaw::NotAChoice));
        }
    }
    name
}

/// Puts a category into its parent, and into its place among the others.
async fn place(tx: &mut Tx, id: CategoryId, new: &Record, others: &[Row]) -> Result<(), Error> {
    const SQL: &str = "UPDATE categories SET position = $2 WHERE id = $1 AND position <> $2";
    let parent = new.parent.as_deref().unwrap_or_default();
    if let Some((_, flaw)) = super::put_within(tx, &[(id, parent)]).await?.into_iter().next() {
        return Err(Error::field("parent", flaw));
    }
    let mut order: Vec<CategoryId> = others.iter().map(|row| row.id).collect();
    let before = others.iter().position(|row| Some(&row.code) == new.after.as_ref());
    order.insert(before.map_or(0, |before| before + 1), id);
    for (id, position) in order.into_iter().zip(1_i64..) {
        on!(tx, |c| sqlx::query(SQL)
            .bind(id)
            .bind(position)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}
