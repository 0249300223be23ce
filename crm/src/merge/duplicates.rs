//! Accounts that may be of one person: by what both say, found by indexes alone.

use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::find::names;
use crate::find::store::words;
use crate::id::CustomerId;
use crate::on;
use crate::staff::Right;
use crate::who::{Reason, Staff};
use std::collections::BTreeMap;

/// How many are proposed.
const MOST: usize = 10;
/// Of how many with the same birthday the names are compared: more have it where it was put in for want of a better one.
const BORN: i64 = 1000;

/// What two accounts have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
    /// Name, surname and birthday.
    Person,
    /// The birthday, and a name and a surname that are spelt nearly alike.
    Spelling,
    /// The number of a card, which is that of an import in the other.
    Card,
}

/// An account that may be of the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Its id.
    pub id: CustomerId,
    /// Its name.
    pub name: String,
    /// Its surname.
    pub surname: String,
    /// What it has in common with the other.
    pub by: Vec<Likeness>,
}

/// Accounts that may be of the same person as this one. That each was found is written down.
pub async fn duplicates(db: &Db, by: &Staff, customer: CustomerId) -> Result<Vec<Duplicate>, Error> {
    by.may(Right::Merge)?;
    let found = find(&mut db.read().await?, customer).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    db.write(|tx| scoped(read(tx, by, found.clone()))).await
}

async fn read(tx: &mut Tx, by: &Staff, found: BTreeMap<CustomerId, Vec<Likeness>>) -> Result<Vec<Duplicate>, Error> {
    const NAME: &str = "SELECT name, surname FROM customers WHERE id = $1";
    let mut all = Vec::new();
    for (id, likeness) in found {
        by.open_in(tx, id, Reason::Search).await?;
        let (name, surname): (String, String) = on!(tx, |c| sqlx::query_as(NAME).bind(id).fetch_one(c).await)?;
        all.push(Duplicate {
            id,
            name,
            surname,
            by: likeness,
        });
    }
    Ok(all)
}

/// True for a customer of table `o` unless staff found them to be somebody else than `$1`.
macro_rules! not_distinct {
    () => {
        "NOT EXISTS (SELECT 1 FROM distinct_customers d WHERE (d.older_id = o.id AND d.newer_id = $1) \
         OR (d.older_id = $1 AND d.newer_id = o.id))"
    };
}

async fn find(conn: &mut Conn, customer: CustomerId) -> Result<BTreeMap<CustomerId, Vec<Likeness>>, sqlx::Error> {
    /// What stands by itself: neither merged nor erased, not the one at hand, and not found to be somebody else.
    macro_rules! standing {
        ($from:literal) => {
            concat!(
                "SELECT DISTINCT o.id FROM ",
                $from,
                " AND o.id <> $1 AND o.merged_into IS NULL AND o.erased_at IS NULL AND ",
                not_distinct!(),
                " ORDER BY o.id LIMIT $2"
            )
        };
    }
    const BY: [(Likeness, &str); 5] = [
        (
            Likeness::Phone,
            standing!(
                "contacts m JOIN contacts t ON t.value = m.value AND t.kind = m.kind JOIN customers o ON o.id = t.customer_id \
                 WHERE m.customer_id = $1 AND m.kind = 'phone'"
            ),
        ),
        (
            Likeness::Email,
            standing!(
                "contacts m JOIN contacts t ON t.value = m.value AND t.kind = m.kind JOIN customers o ON o.id = t.customer_id \
                 WHERE m.customer_id = $1 AND m.kind = 'email'"
            ),
        ),
        (
            Likeness::Person,
            standing!(
                "customers m JOIN customers o ON o.search = m.search AND o.birthday = m.birthday \
                 WHERE m.id = $1 AND m.search <> ''"
            ),
        ),
        (
            Likeness::Card,
            standing!(
                "customers m JOIN cards k ON k.number = m.external_id JOIN customers o ON o.id = k.customer_id WHERE m.id = $1"
            ),
        ),
        (
            Likeness::Card,
            standing!("cards k JOIN customers o ON o.external_id = k.number WHERE k.customer_id = $1"),
        ),
    ];
    const GONE: &str =
        "SELECT COUNT(*) FROM customers WHERE id = $1 AND (merged_into IS NOT NULL OR erased_at IS NOT NULL)";
    let mut found: BTreeMap<CustomerId, Vec<Likeness>> = BTreeMap::new();
    let gone: i64 = on!(conn, |c| sqlx::query_scalar(GONE).bind(customer).fetch_one(c).await)?;
    if gone > 0 {
        return Ok(found);
    }
    let most = MOST as i64;
    for (likeness, sql) in BY {
        let ids: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(sql)
            .bind(customer)
            .bind(most)
            .fetch_all(c)
            .await)?;
        add(&mut found, likeness, ids);
    }
    let mut alike = spelt_alike(conn, customer).await?;
    alike.retain(|id| !found.get(id).is_some_and(|by| by.contains(&Likeness::Person)));
    add(&mut found, Likeness::Spelling, alike);
    Ok(found)
}

/// Adds who was found by something, as long as there is room.
fn add(found: &mut BTreeMap<CustomerId, Vec<Likeness>>, likeness: Likeness, ids: Vec<CustomerId>) {
    for id in ids {
        if found.len() < MOST || found.contains_key(&id) {
            let by = found.entry(id).or_default();
            if !by.contains(&likeness) {
                by.push(likeness);
            }
        }
    }
}

/// Those with the same birthday whose name is spelt nearly alike, as the search of names compares them.
async fn spelt_alike(conn: &mut Conn, customer: CustomerId) -> Result<Vec<CustomerId>, sqlx::Error> {
    const OWN: &str = "SELECT name, surname FROM customers WHERE id = $1";
    const BORN_WITH: &str = concat!(
        "SELECT o.id, o.name, o.surname FROM customers m JOIN customers o ON o.birthday = m.birthday \
         WHERE m.id = $1 AND o.id <> $1 AND o.merged_into IS NULL AND o.erased_at IS NULL AND ",
        not_distinct!(),
        " ORDER BY o.search, o.id LIMIT $2"
    );
    let (name, surname): (String, String) = on!(conn, |c| sqlx::query_as(OWN).bind(customer).fetch_one(c).await)?;
    let own = words(&name, &surname);
    let born: Vec<(CustomerId, String, String)> = on!(conn, |c| sqlx::query_as(BORN_WITH)
        .bind(customer)
        .bind(BORN)
        .fetch_all(c)
        .await)?;
    let alike = born
        .into_iter()
        .filter(|(_, name, surname)| names::are_alike(&own, &words(name, surname)));
    Ok(alike.map(|(id, ..)| id).collect())
}
