//! Customers: who they are and what they like.

use crate::contact::{Contact, Kind};
use crate::flaw::{self, Check, FieldFlaw};
use crate::id::{CategoryId, ChildId, StoreId};
use crate::lang::Lang;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod correct;
#[cfg(feature = "store")]
pub mod enter;
#[cfg(feature = "store")]
pub mod store;

/// By which way the shop may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text message.
    Sms,
    /// E-mail.
    Email,
    /// A call.
    Phone,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sms, Self::Email, Self::Phone];

    /// As forms name it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

/// A child: a date and a parent's consent, nothing more.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Child {
    /// Its id.
    pub id: ChildId,
    /// The birthday.
    pub birthday: NaiveDate,
}

/// What a customer is to be reminded of. Read with every visit to the first page: no more than that shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reminders {
    /// The customer's own birthday.
    pub birthday: Option<NaiveDate>,
    /// The birthdays of their children.
    pub children: Vec<NaiveDate>,
    /// A phone or an e-mail that nobody has proved to hold, the primary one first.
    pub unverified: Option<String>,
    /// Some program may have a tier for them.
    pub stands: bool,
    /// There is news of a question that they asked in public, and they have not read it.
    pub is_answered: bool,
    /// One of their coupons ends soon; it may be used up.
    pub coupon_ends: bool,
}

/// What a customer likes, in their own words; each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Wishes {
    /// Brands.
    pub brands: String,
    /// Sizes of what they wear.
    pub sizes: String,
    /// What they shop for: a holiday, a journey, guests.
    pub occasions: String,
    /// What else they would like.
    pub wishes: String,
}

impl Wishes {
    /// The longest line, in characters.
    const LINE_MAX: usize = 200;
    /// The longest wish, in characters.
    const TEXT_MAX: usize = 1000;

    /// Checks each, and takes off what surrounds it.
    pub fn check(&self, check: &mut Check) -> Self {
        let mut one = |name: &str, raw: &str, max: usize| match raw.trim() {
            "" => String::new(),
            raw => check.field(name, flaw::text(raw, max)).unwrap_or_default(),
        };
        Self {
            brands: one("brands", &self.brands, Self::LINE_MAX),
            sizes: one("sizes", &self.sizes, Self::LINE_MAX),
            occasions: one("occasions", &self.occasions, Self::LINE_MAX),
            wishes: one("wishes", &self.wishes, Self::TEXT_MAX),
        }
    }
}

/// How often a birthday may be changed: a slip, and one more.
pub const BIRTHDAY_CHANGES: i64 = 2;

/// The longest address, in characters.
pub const ADDRESS_MAX: usize = 300;

/// Everything a customer keeps about themselves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name and the rest of the record itself.
    pub person: Person,
    /// Phones and e-mails.
    pub contacts: Vec<Contact>,
    /// Children.
    pub children: Vec<Child>,
    /// Favourite categories.
    pub categories: Vec<CategoryId>,
    /// Ways to be written to.
    pub channels: Vec<Channel>,
    /// What else they like.
    pub wishes: Wishes,
}

/// What a profile does not tell yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The name.
    Name,
    /// The birthday.
    Birthday,
    /// An e-mail address that was proved.
    Email,
    /// A favourite category.
    Preferences,
}

impl Profile {
    /// What the customer was asked for and has not told yet; nothing where the profile tells everything.
    pub fn missing(&self) -> Vec<Missing> {
        let is_proved = |contact: &Contact| contact.kind == Kind::Email && contact.verified_at.is_some();
        let told = [
            (
                Missing::Name,
                !self.person.name.is_empty() && !self.person.surname.is_empty(),
            ),
            (Missing::Birthday, self.person.birthday.is_some()),
            (Missing::Email, self.contacts.iter().any(is_proved)),
            (Missing::Preferences, !self.categories.is_empty()),
        ];
        told.into_iter()
            .filter(|(_, is_told)| !is_told)
            .map(|(missing, _)| missing)
            .collect()
    }
}

/// The record of a customer itself.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Person {
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// Birthday; customers of an import have none.
    pub birthday: Option<NaiveDate>,
    /// How often it was changed since it was told; see [`BIRTHDAY_CHANGES`].
    pub birthday_changes: i64,
    /// Where they live, if they told.
    pub address: Option<String>,
    /// The language they read.
    pub language: Lang,
    /// The shop they like best.
    pub favourite_store_id: Option<StoreId>,
    /// Whether there is a password beside the phone.
    pub has_password: bool,
    /// Since when.
    pub registered_at: DateTime<Utc>,
}

/// Name, surname and birthday as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonForm {
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// Day of the birthday.
    pub day: String,
    /// Its month, 1 to 12.
    pub month: String,
    /// Its year.
    pub year: String,
}

/// Name, surname and birthday after the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonData {
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// Birthday.
    pub birthday: NaiveDate,
}

impl PersonForm {
    /// Checks every field; `today` is the shop's day, `age` the least age in years. The birthday's field is `birthday`.
    pub fn check(&self, check: &mut Check, today: NaiveDate, age: u32) -> Option<PersonData> {
        let (name, surname) = self.names(check);
        let birthday = self.birthday(check, today, age);
        Some(PersonData {
            name: name?,
            surname: surname?,
            birthday: birthday?,
        })
    }

    pub(crate) fn names(&self, check: &mut Check) -> (Option<String>, Option<String>) {
        let name = check.field("name", flaw::name(&self.name));
        let surname = check.field("surname", flaw::name(&self.surname));
        (name, surname)
    }

    pub(crate) fn birthday(&self, check: &mut Check, today: NaiveDate, age: u32) -> Option<NaiveDate> {
        let birthday = flaw::date(&self.day, &self.month, &self.year).and_then(|d| flaw::birthday(d, today, age));
        check.field("birthday", birthday)
    }

    /// What is wrong with it, field by field.
    pub fn flaws(&self, today: NaiveDate, age: u32) -> Vec<FieldFlaw> {
        let mut check = Check::new();
        self.check(&mut check, today, age);
        check.flaws()
    }
}
