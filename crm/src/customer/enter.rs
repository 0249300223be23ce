//! Staff register whoever calls or stands at the desk. It is what a till does with a phone ([`counter::enrol`]): the record begins, what
//! is bought counts from then on, and whoever proves the phone completes it in the cabinet. They alone give consents, and what they
//! tell then takes the place of what staff wrote down.
//!
//! [`Right::Contacts`] is not asked for: it guards the ways into an account that somebody has, and this one is new. Nobody comes in by
//! its phone or its e-mail before they have proved it.

use super::store::search_key;
use crate::contact::{Email, Kind, Phone, store as contacts};
use crate::db::{self, Db, scoped};
use crate::error::Error;
use crate::find::store as find;
use crate::flaw::{self, Check, Flaw};
use crate::id::CustomerId;
use crate::lang::Lang;
use crate::on;
use crate::staff::Right;
use crate::staff::why::Why;
use crate::till::counter::{self, CounterError, Joining};
use crate::who::Staff;

/// What staff were told, as they typed it. All but the phone may be empty.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// Their phone.
    pub phone: String,
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// E-mail; nobody proves it here.
    pub email: String,
    /// The language that they speak.
    pub language: Lang,
    /// The number of the blank card that they were handed.
    pub card: String,
}

/// Registers a customer, and opens their card to whoever did: they told their phone. Fields: `phone`, with [`Flaw::Taken`] where it is
/// somebody's or somebody is registered with it; `name`, `surname`, `email`; `card`, with [`Flaw::NoBlankCard`].
pub async fn enter(db: &Db, by: &Staff, typed: &Typed) -> Result<CustomerId, Error> {
    const NAME: &str = "UPDATE customers SET name = $2, surname = $3, search = $4 WHERE id = $1";
    by.may(Right::Customers)?;
    by.may(Right::PersonalData)?;
    let mut check = Check::new();
    check.field("phone", Phone::parse(&typed.phone, &db.shop().country));
    let name = &told(&mut check, "name", &typed.name);
    let surname = &told(&mut check, "surname", &typed.surname);
    let email = &match typed.email.trim() {
        "" => None,
        email => check.field("email", Email::parse(email)),
    };
    check.result()?;
    let joining = &Joining {
        phone: typed.phone.clone(),
        card: Some(typed.card.trim().to_owned()).filter(|number| !number.is_empty()),
        language: typed.language,
        at: None,
    };
    db.write(|tx| {
        scoped(async move {
            let (customer, is_new) = counter::join(tx, None, joining).await.map_err(refused)?;
            if !is_new {
                return Err(refused(CounterError::PhoneTaken));
            }
            if !name.is_empty() || !surname.is_empty() {
                on!(tx, |c| sqlx::query(NAME)
                    .bind(customer)
                    .bind(name)
                    .bind(surname)
                    .bind(search_key(name, surname))
                    .execute(c)
                    .await
                    .map(drop))?;
                find::add(tx, customer, name, surname).await?;
            }
            if let Some(email) = email {
                contacts::put(tx, customer, Kind::Email, email.as_str(), true, None).await?;
            }
            by.record(tx, "customer.enter", Some(customer), None, "").await?;
            let why = &format!("card {}", Why::Told.as_str());
            by.record(tx, "customer.why", Some(customer), None, why).await?;
            Ok(customer)
        })
    })
    .await
}

/// A name, which may be empty.
fn told(check: &mut Check, field: &str, raw: &str) -> String {
    match raw.trim() {
        "" => String::new(),
        raw => check.field(field, flaw::name(raw)).unwrap_or_default(),
    }
}

/// At which field it stands what is wrong at the counter.
fn refused(error: CounterError) -> Error {
    match error {
        CounterError::PhoneTaken => Error::field("phone", Flaw::Taken),
        // A colleague or a till was faster with the same phone.
        CounterError::Crm(Error::Database(db::Error::Driver(e))) if db::is_taken(&e) => {
            Error::field("phone", Flaw::Taken)
        }
        CounterError::Crm(error) => error,
        _ => Error::field("card", Flaw::NoBlankCard),
    }
}
