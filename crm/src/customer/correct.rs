//! What staff correct of a customer's data, who told them so, by the rules that hold where the customer changes it. Who does so gives a
//! reason; it stands in the log with what each field said before and says since, and the customer reads it.
//!
//! Contacts are in [`crate::contact::store`], answers to the questionnaire in [`crate::questionnaire::store`], of which no log tells what
//! they were. A child is entered by its parent alone, who has to agree.

use super::PersonForm;
use super::store::{self as customers, checked_address, remove_child_in, search_key};
use crate::audit::because;
use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::find::store as find;
use crate::flaw::{self, Check, Flaw};
use crate::id::{ChildId, CustomerId, StoreId};
use crate::lang::Lang;
use crate::on;
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Reason, Staff, Subject};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What of a customer's record staff correct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Record {
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// Birthday, if it was ever told.
    pub birthday: Option<NaiveDate>,
    /// Where they live, if they told.
    pub address: Option<String>,
    /// The language they read.
    pub language: Lang,
    /// The code of the shop they like best.
    pub store: Option<String>,
}

/// The same as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Name, surname and birthday. Where no birthday is known, none need be typed.
    pub person: PersonForm,
    /// Where they live; may be empty.
    pub address: String,
    /// The language they read.
    pub language: Lang,
    /// The code of a shop; empty: of none.
    pub store: String,
}

/// The record of a customer as staff correct it.
pub async fn record(conn: &mut Conn, of: Subject) -> Result<Record, Error> {
    const SQL: &str = "SELECT c.name, c.surname, c.birthday, c.address, c.language, s.code AS store FROM customers c \
                       LEFT JOIN stores s ON s.id = c.favourite_store_id WHERE c.id = $1";
    on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_optional(c).await)?.ok_or(Error::NotFound)
}

/// Corrects the record of a customer, which was as `seen`: [`Error::Stale`] where it is not any more. Fields: `name`, `surname`,
/// `birthday`, `address`, `store`, and `reason`. How often the customer changes their birthday themselves is not touched.
pub async fn change(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    seen: &Record,
    typed: &Typed,
    reason: &str,
) -> Result<(), Error> {
    const STORE: &str = "SELECT id FROM stores WHERE code = $1 AND closed_at IS NULL";
    const HELD: &str = "SELECT favourite_store_id FROM customers WHERE id = $1";
    const SQL: &str = "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5, address = $6, language = $7, \
                       favourite_store_id = $8, updated_at = $9 WHERE id = $1";
    by.may(Right::PersonalData)?;
    let mut check = Check::new();
    let after = checked(db, seen, typed, &mut check);
    let reason = check.field("reason", flaw::text(reason, REASON_MAX));
    let (true, Some(after), Some(reason)) = (check.is_clean(), &after, &reason) else {
        return Err(Error::Invalid(check.flaws()));
    };
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::hold(tx, customer).await?;
            customers::is_alive(tx, customer).await?;
            let before = record(tx, subject).await?;
            if before != *seen {
                return Err(Error::Stale);
            }
            if before == *after {
                return Ok(());
            }
            let store: Option<StoreId> = match &after.store {
                None => None,
                // It may be closed by now, and they like it all the same.
                held if *held == before.store => {
                    on!(tx, |c| sqlx::query_scalar(HELD).bind(customer).fetch_one(c).await)?
                }
                Some(code) => {
                    let found: Option<StoreId> =
                        on!(tx, |c| sqlx::query_scalar(STORE).bind(code).fetch_optional(c).await)?;
                    Some(found.ok_or(Error::field("store", Flaw::NotAChoice))?)
                }
            };
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(customer)
                .bind(&after.name)
                .bind(&after.surname)
                .bind(search_key(&after.name, &after.surname))
                .bind(after.birthday)
                .bind(&after.address)
                .bind(after.language)
                .bind(store)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            find::replace(tx, customer, &after.name, &after.surname).await?;
            let told = because(reason, &before, after);
            by.record(tx, "customer.correct", Some(customer), None, &told).await?;
            customers::reward_profile(tx, customer).await
        })
    })
    .await
}

/// What was typed, by the rules for whoever changes their own.
fn checked(db: &Db, seen: &Record, typed: &Typed, check: &mut Check) -> Option<Record> {
    let form = &typed.person;
    let (name, surname) = form.names(check);
    let is_untold = [&form.day, &form.month, &form.year]
        .iter()
        .all(|part| part.trim().is_empty());
    let birthday = match seen.birthday {
        None if is_untold => None,
        _ => form.birthday(check, db.shop().day(db.now()), db.shop().minimum_age),
    };
    let address = checked_address(check, &typed.address);
    let store = Some(typed.store.trim().to_owned()).filter(|code| !code.is_empty());
    Some(Record {
        name: name?,
        surname: surname?,
        birthday,
        address,
        language: typed.language,
        store,
    })
}

/// Takes away the birthday of a child; with the last one the parent's consent is withdrawn. Field: `reason`. [`Error::NotFound`] for
/// what is not theirs.
pub async fn remove_child(
    db: &Db,
    by: &Staff,
    customer: CustomerId,
    child: ChildId,
    reason: &str,
) -> Result<(), Error> {
    by.may(Right::PersonalData)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            let subject = by.open_in(tx, customer, Reason::Card).await?;
            customers::is_alive(tx, customer).await?;
            let birthday = remove_child_in(tx, subject, child, by.language(), "staff").await?;
            let told = because(reason, &json!({"child": birthday}), &json!({"child": null}));
            by.record(tx, "child.drop", Some(customer), Some(child.0), &told)
                .await?;
            Ok(())
        })
    })
    .await
}
