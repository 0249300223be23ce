//! Roles as staff with the right see them, and make their own. Those that come with the program stay as they are.

use super::{Right, Role};
use crate::audit::difference;
use crate::db::{Conn, Db, Lock, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{Check, Flaw};
use crate::lang::Localized;
use crate::on;
use crate::till;
use crate::who::{Fresh, Staff};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

/// The longest name, in characters.
const NAME_MAX: usize = 60;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Its code.
    pub code: Role,
    /// Its name.
    #[sqlx(json)]
    pub name: Localized,
    /// What it lets somebody do.
    #[sqlx(json)]
    pub rights: Vec<Right>,
    /// How many members of staff have it, those who are disabled among them.
    pub members: i64,
}

impl Entry {
    /// What staff say of it.
    pub fn words(&self) -> NewRole {
        NewRole {
            name: self.name.clone(),
            rights: self.rights.clone(),
        }
    }

    /// Whether somebody may give it, take it away, and change what it lets somebody do: who has all of its rights, so that
    /// nobody gets more by a colleague than they have. Administrators may always.
    pub fn is_within(&self, by: &Staff) -> bool {
        is_within(by, &self.rights)
    }

    /// Whether somebody may change it: one that the shop made itself, and not their own.
    pub fn is_changed_by(&self, by: &Staff) -> bool {
        !self.code.is_built_in() && self.code != *by.role() && self.is_within(by)
    }
}

pub(super) fn is_within(by: &Staff, rights: &[Right]) -> bool {
    by.role().code() == Role::ADMINISTRATOR || rights.iter().all(|right| by.has(*right))
}

macro_rules! roles {
    ($rest:literal) => {
        concat!(
            "SELECT r.code, r.name, r.rights, (SELECT COUNT(*) FROM staff s WHERE s.role = r.code) AS members FROM roles r ",
            $rest
        )
    };
}

/// Every role, in their order. That they were looked at is written down.
pub async fn list(db: &Db, by: &Staff) -> Result<Vec<Entry>, Error> {
    by.may(Right::Staff)?;
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "role.list", None, None, "").await?;
            Ok::<_, Error>(all(tx).await?)
        })
    })
    .await
}

pub(super) async fn all(conn: &mut Conn) -> Result<Vec<Entry>, sqlx::Error> {
    const SQL: &str = roles!("ORDER BY r.position, r.code");
    on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)
}

pub(super) async fn get(conn: &mut Conn, role: &Role) -> Result<Option<Entry>, sqlx::Error> {
    const SQL: &str = roles!("WHERE r.code = $1");
    on!(conn, |c| sqlx::query_as(SQL).bind(role).fetch_optional(c).await)
}

/// What staff say of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRole {
    /// Its name.
    pub name: Localized,
    /// What it lets somebody do.
    pub rights: Vec<Right>,
}

impl NewRole {
    /// The same as it is kept, with what is wrong at `name_ru`, `name_en` and `rights`: none at all, or one that whoever says so
    /// has not.
    fn checked(&self, by: &Staff, check: &mut Check) -> Self {
        let name = check.words("name", &self.name, NAME_MAX);
        let rights: Vec<_> = Right::ALL
            .into_iter()
            .filter(|right| self.rights.contains(right))
            .collect();
        let flaw = match rights.is_empty() {
            true => Err(Flaw::Missing),
            false if is_within(by, &rights) => Ok(()),
            false => Err(Flaw::NotAChoice),
        };
        check.field("rights", flaw);
        Self { name, rights }
    }
}

/// Makes a role. Fails with flaws at `key`, which is its code and may be taken, `name_ru`, `name_en` and `rights`.
pub async fn create(db: &Db, by: &Fresh<'_, Staff>, code: &str, new: &NewRole) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO roles (code, name, rights, position) \
                       SELECT $1, $2, $3, COALESCE(MAX(position), 0) + 1 FROM roles";
    by.may(Right::Staff)?;
    let mut check = Check::new();
    let code = &check.field("key", till::code(code)).unwrap_or_default();
    let new = &new.checked(by, &mut check);
    check.result()?;
    db.write(|tx| {
        scoped(async move {
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(code)
                .bind(Json(&new.name))
                .bind(Json(&new.rights))
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            let told = format!("{code}; {}", rights(&new.rights));
            by.record(tx, "role.create", None, None, &told).await?;
            Ok(())
        })
    })
    .await
}

fn rights(rights: &[Right]) -> String {
    rights.iter().map(|right| right.as_str()).collect::<Vec<_>>().join(", ")
}

/// Changes a role that the shop made; what it lets somebody do counts from the next page on. `seen` is what it said when it was
/// shown: [`Error::Stale`] where it says something else by now. Flaws as with [`create`]. [`Error::NotFound`] for none, [`Error::Forbidden`] for one that came with the program, for one's own, and for one with rights
/// that whoever changes it has not.
pub async fn change(db: &Db, by: &Fresh<'_, Staff>, role: &Role, seen: &NewRole, new: &NewRole) -> Result<(), Error> {
    const SQL: &str = "UPDATE roles SET name = $2, rights = $3 WHERE code = $1";
    by.may(Right::Staff)?;
    let mut check = Check::new();
    let new = &new.checked(by, &mut check);
    check.result()?;
    db.write(|tx| {
        scoped(async move {
            let before = hold(tx, by, role).await?.words();
            if before != *seen {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL)
                .bind(role)
                .bind(Json(&new.name))
                .bind(Json(&new.rights))
                .execute(c)
                .await
                .map(drop))?;
            let told = format!("{}; {}", role.code(), difference(&before, new));
            by.record(tx, "role.change", None, None, &told).await?;
            Ok(())
        })
    })
    .await
}

/// Removes a role that the shop made and that nobody has. Fails as [`change`], and with [`Error::Stale`] where somebody has it.
pub async fn remove(db: &Db, by: &Fresh<'_, Staff>, role: &Role) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM roles WHERE code = $1";
    by.may(Right::Staff)?;
    db.write(|tx| {
        scoped(async move {
            let held = hold(tx, by, role).await?;
            if held.members > 0 {
                return Err(Error::Stale);
            }
            on!(tx, |c| sqlx::query(SQL).bind(role).execute(c).await.map(drop))?;
            by.record(tx, "role.remove", None, None, role.code()).await?;
            Ok(())
        })
    })
    .await
}

/// The role, if whoever asks may change it, for as long as the transaction lasts.
async fn hold(tx: &mut Tx, by: &Staff, role: &Role) -> Result<Entry, Error> {
    tx.lock(Lock::Staff, true).await?;
    let entry = get(tx, role).await?.ok_or(Error::NotFound)?;
    match entry.is_changed_by(by) {
        true => Ok(entry),
        false => Err(Error::Forbidden),
    }
}
