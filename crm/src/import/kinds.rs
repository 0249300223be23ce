//! What a line of each kind does. It is read as a whole before anything of it is written, so that a line is taken or is not; what is
//! there already is filled in where it is empty, and never written over.

use super::{Doing, Field, Kind, Mapping, day};
use crate::audit::{self, Actor};
use crate::card;
use crate::card::store as cards;
use crate::catalogue::{Before, Kind as Catalogued};
use crate::contact::{Email, Kind as Contact, Phone, store as contacts};
use crate::customer::ADDRESS_MAX;
use crate::customer::store::{self as customers, search_key};
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::find::store as find;
use crate::flaw::{self, Flaw};
use crate::id::{CardId, CustomerId, EnrolmentId};
use crate::lang::{Lang, fold};
use crate::on;
use crate::program::store as programs;
use crate::purchase::import::mapped;
use crate::signin::notice;
use crate::till::catalogue::{self, NewArticle};
use crate::who::System;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// The longest code, number or name that is taken, in characters.
const TEXT_MAX: usize = 64;
const ARTICLE_NAME_MAX: usize = 200;

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is there because of this.
    Added,
    /// It filled in what was empty, or changed what an article is.
    Changed,
    /// It was there.
    Known,
    /// It was not taken, and why.
    Refused(String),
}

/// Why a line is not taken.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    field: &'static str,
    why: Why,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    Flaw(Flaw),
    /// Neither yes nor no.
    NotYesOrNo,
    /// No plastic card of the shop has such a number.
    NotACard,
    /// The card is another customer's, or blocked.
    NotFree,
    /// The phone and the number are two customers.
    TwoCustomers,
    /// They were erased because they asked for it.
    Erased,
}

impl Refused {
    fn text(&self, kind: Kind, lang: Lang) -> String {
        let field = kind.fields().iter().find(|field| field.name == self.field);
        let about = field.map_or(self.field, |field| field.text(lang));
        format!("{about}: {}", self.why.text(lang))
    }
}

impl Why {
    fn text(&self, lang: Lang) -> String {
        let (ru, en) = match self {
            Self::Flaw(flaw) => return words(flaw, lang),
            Self::NotYesOrNo => ("ни да, ни нет", "neither yes nor no"),
            Self::NotACard => ("не номер карты магазина", "no card of the shop has this number"),
            Self::NotFree => (
                "карта принадлежит другому покупателю или закрыта",
                "the card is another customer's, or is blocked",
            ),
            Self::TwoCustomers => (
                "телефон и номер принадлежат двум разным покупателям",
                "the phone and the number belong to two customers",
            ),
            Self::Erased => (
                "данные удалены по просьбе покупателя",
                "the customer had their data erased",
            ),
        };
        match lang {
            Lang::Ru => ru,
            Lang::En => en,
        }
        .to_owned()
    }
}

/// A flaw in the words of a list.
fn words(flaw: &Flaw, lang: Lang) -> String {
    let (ru, en) = match flaw {
        Flaw::Missing => ("пусто", "empty"),
        Flaw::NotAName => ("не похоже на имя", "this is no name"),
        Flaw::ControlCharacters => ("управляющие символы", "control characters"),
        Flaw::NotAPhone => ("не похоже на номер телефона", "this is no phone number"),
        Flaw::NotAnEmail => ("не похоже на адрес почты", "this is no e-mail address"),
        Flaw::NotADate => (
            "не дата вида 2026-11-27 или 27.11.2026",
            "no date like 2026-11-27 or 27.11.2026",
        ),
        Flaw::InTheFuture => ("дата в будущем", "a day of the future"),
        Flaw::TooOld => ("больше 120 лет назад", "more than 120 years ago"),
        Flaw::NotAChoice => ("такого нет", "there is none like this"),
        Flaw::TooLong { max } => {
            return match lang {
                Lang::Ru => format!("длиннее {max} символов"),
                Lang::En => format!("longer than {max} characters"),
            };
        }
        Flaw::TooYoung { age } => {
            return match lang {
                Lang::Ru => format!("моложе {age} лет"),
                Lang::En => format!("younger than {age}"),
            };
        }
        other => (other.key(), other.key()),
    };
    match lang {
        Lang::Ru => ru,
        Lang::En => en,
    }
    .to_owned()
}

/// A line, with its cells found by the names of fields.
pub(super) struct Cells<'a> {
    pub(super) kind: Kind,
    pub(super) mapping: &'a Mapping,
    pub(super) cells: &'a [String],
}

impl Cells<'_> {
    /// What stands in the column of a field; empty where it has none.
    pub(super) fn get(&self, field: &str) -> &str {
        let column = self.mapping.get(field);
        let cell = column.and_then(|column| self.cells.get(*column));
        cell.map_or("", |cell| cell.trim())
    }

    /// A field that may be empty, read.
    fn maybe<T>(&self, field: &'static str, read: impl FnOnce(&str) -> Result<T, Why>) -> Result<Option<T>, Refused> {
        match self.get(field) {
            "" => Ok(None),
            text => read(text).map(Some).map_err(|why| Refused { field, why }),
        }
    }

    fn must<T>(&self, field: &'static str, read: impl FnOnce(&str) -> Result<T, Why>) -> Result<T, Refused> {
        self.maybe(field, read)?.ok_or(Refused {
            field,
            why: Why::Flaw(Flaw::Missing),
        })
    }

    fn required(&self) -> Option<&'static Field> {
        let mut fields = self.kind.fields().iter();
        fields.find(|field| field.is_required && self.get(field.name).is_empty())
    }
}

fn line(text: &str, max: usize) -> Result<String, Why> {
    let text = flaw::text(text, max).map_err(Why::Flaw)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Does what a line says.
pub(super) async fn take(tx: &mut Tx, by: &System, doing: Doing, cells: &Cells<'_>) -> Result<Outcome, Error> {
    if let Some(field) = cells.required() {
        let refused = Refused {
            field: field.name,
            why: Why::Flaw(Flaw::Missing),
        };
        return Ok(Outcome::Refused(refused.text(cells.kind, doing.lang)));
    }
    let taken = match cells.kind {
        Kind::Customers => customer(tx, doing, cells).await?,
        Kind::Cards => blank_card(tx, cells).await?,
        Kind::Articles => article(tx, by, doing, cells).await?,
        // Receipts are booked as a whole: `super::run`.
        Kind::Purchases => Ok(Outcome::Known),
    };
    Ok(taken.unwrap_or_else(|refused| Outcome::Refused(refused.text(cells.kind, doing.lang))))
}

/// A result of the database, within which a line is refused.
type Taken = Result<Result<Outcome, Refused>, Error>;

/// Leaves with a refusal.
macro_rules! or_refused {
    ($read:expr) => {
        match $read {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        }
    };
}

fn number_of_card(text: &str, prefix: &str) -> Result<String, Why> {
    let number = card::number(text).filter(|number| number.starts_with(prefix));
    number.ok_or(Why::NotACard)
}

async fn blank_card(tx: &mut Tx, cells: &Cells<'_>) -> Taken {
    const SQL: &str = "INSERT INTO cards (id, number, kind, state, issued_at) VALUES ($1, $2, 'plastic', 'active', $3) \
                       ON CONFLICT (number) DO NOTHING";
    let (now, prefix) = (tx.now(), tx.shop().card_prefix.clone());
    let number = or_refused!(cells.must("number", |text| number_of_card(text, &prefix)));
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(CardId::new())
        .bind(&number)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(Ok(if rows == 1 { Outcome::Added } else { Outcome::Known }))
}

fn yes_or_no(text: &str) -> Result<bool, Why> {
    match fold(text).as_str() {
        "1" | "да" | "+" | "yes" | "y" | "true" | "истина" => Ok(true),
        "0" | "нет" | "-" | "no" | "n" | "false" | "ложь" => Ok(false),
        _ => Err(Why::NotYesOrNo),
    }
}

async fn article(tx: &mut Tx, by: &System, doing: Doing, cells: &Cells<'_>) -> Taken {
    const KNOWN: &str = "SELECT a.name, a.brand, a.payable, c.code FROM articles a \
                         LEFT JOIN categories c ON c.id = a.category_id WHERE a.code = $1";
    const CATEGORY: &str = "SELECT COUNT(*) FROM categories WHERE code = $1";
    let new = NewArticle {
        code: or_refused!(cells.must("code", |text| line(text, TEXT_MAX))),
        name: or_refused!(cells.must("name", |text| line(text, ARTICLE_NAME_MAX))),
        category: or_refused!(cells.maybe("category", |text| line(text, TEXT_MAX))),
        brand: or_refused!(cells.maybe("brand", |text| line(text, TEXT_MAX))),
        payable: or_refused!(cells.maybe("payable", yes_or_no)),
    };
    if let Some(category) = &new.category {
        let found: i64 = on!(tx, |c| sqlx::query_scalar(CATEGORY).bind(category).fetch_one(c).await)?;
        if found == 0 {
            return Ok(Err(Refused {
                field: "category",
                why: Why::Flaw(Flaw::NotAChoice),
            }));
        }
    }
    let known: Option<(String, Option<String>, bool, Option<String>)> =
        on!(tx, |c| sqlx::query_as(KNOWN).bind(&new.code).fetch_optional(c).await)?;
    let outcome = match known {
        None => Outcome::Added,
        Some((name, brand, payable, category))
            if name == new.name
                && (new.brand.is_none() || new.brand == brand)
                && new.payable.is_none_or(|told| told == payable)
                && (new.category.is_none() || new.category == category) =>
        {
            return Ok(Ok(Outcome::Known));
        }
        Some(_) => Outcome::Changed,
    };
    let codes = &[new.code.as_str()];
    let before = Before::held(tx, Catalogued::Articles, codes).await?;
    catalogue::write_articles(tx, by, std::slice::from_ref(&new)).await?;
    let how = (Actor::Staff, doing.by.0, "import");
    before.record(tx, how, Catalogued::Articles, codes).await?;
    Ok(Ok(outcome))
}

/// What a line tells of a person.
struct Told {
    phone: Phone,
    name: Option<String>,
    surname: Option<String>,
    email: Option<Email>,
    birthday: Option<NaiveDate>,
    language: Option<Lang>,
    address: Option<String>,
    card: Option<String>,
    number: Option<String>,
}

/// What is known of them.
#[derive(sqlx::FromRow)]
struct Person {
    name: String,
    surname: String,
    birthday: Option<NaiveDate>,
    address: Option<String>,
    external_id: Option<String>,
    is_erased: bool,
}

impl Person {
    /// Nobody has told their name yet: who came with a purchase is called by a number.
    fn is_nameless(&self) -> bool {
        self.name.is_empty() || self.external_id.as_ref().is_some_and(|number| *number == self.surname)
    }
}

fn told(tx: &Tx, cells: &Cells<'_>) -> Result<Told, Refused> {
    let (shop, today) = (tx.shop(), tx.shop().day(tx.now()));
    let language = |text: &str| match fold(text).as_str() {
        "русский" | "рус" => Ok(Lang::Ru),
        "английский" | "англ" | "english" => Ok(Lang::En),
        code => Lang::from_code(code).ok_or(Why::Flaw(Flaw::NotAChoice)),
    };
    let birthday = |text: &str| {
        // A spreadsheet writes a day with its midnight.
        let text = text.strip_suffix("00:00:00").unwrap_or(text);
        let day = day(text).ok_or(Why::Flaw(Flaw::NotADate))?;
        flaw::birthday(day, today, shop.minimum_age).map_err(Why::Flaw)
    };
    Ok(Told {
        phone: cells.must("phone", |text| Phone::parse(text, &shop.country).map_err(Why::Flaw))?,
        name: cells.maybe("name", |text| flaw::name(text).map_err(Why::Flaw))?,
        surname: cells.maybe("surname", |text| flaw::name(text).map_err(Why::Flaw))?,
        email: cells.maybe("email", |text| Email::parse(text).map_err(Why::Flaw))?,
        birthday: cells.maybe("birthday", birthday)?,
        language: cells.maybe("language", language)?,
        address: cells.maybe("address", |text| line(text, ADDRESS_MAX))?,
        card: cells.maybe("card", |text| number_of_card(text, &shop.card_prefix))?,
        number: cells.maybe("number", |text| line(text, TEXT_MAX))?,
    })
}

/// A customer. They agreed to nothing yet: nothing is proved, the record waits for whoever signs in with the phone, as that of somebody
/// who joined at a till does, and then they are asked.
async fn customer(tx: &mut Tx, doing: Doing, cells: &Cells<'_>) -> Taken {
    const PERSON: &str = "SELECT name, surname, birthday, address, external_id, erased_at IS NOT NULL AS is_erased \
                          FROM customers WHERE id = $1";
    let told = or_refused!(told(tx, cells));
    let refused = |field, why| Ok(Err(Refused { field, why }));
    let by_number = match &told.number {
        Some(number) => of_number(tx, number).await?,
        None => None,
    };
    let by_phone = of_phone(tx, told.phone.as_str()).await?;
    let found = match (by_number, by_phone) {
        (Some(one), Some(other)) if one != other => return refused("number", Why::TwoCustomers),
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => None,
    };
    let person: Option<Person> = match found {
        Some(id) => {
            // What they change or have erased in this moment is not written over.
            customers::hold(tx, id).await?;
            on!(tx, |c| sqlx::query_as(PERSON).bind(id).fetch_optional(c).await)?
        }
        None => None,
    };
    if person.as_ref().is_some_and(|person| person.is_erased) {
        return refused("number", Why::Erased);
    }
    let card = match &told.card {
        Some(number) => plastic(tx, number).await?,
        None => None,
    };
    if let Some(card) = &card
        && (card.is_blocked || card.customer_id.is_some_and(|holder| Some(holder) != found))
    {
        return refused("card", Why::NotFree);
    }
    let is_proved = match found {
        Some(id) => !contacts::verified(tx, id).await?.is_empty(),
        None => false,
    };
    // To an account that is somebody's by now goes a card of the stock and no other, as when staff hand one out.
    if is_proved && told.card.is_some() && card.is_none() {
        return refused("card", Why::NotACard);
    }
    let (id, mut is_changed) = match (found, &person) {
        (Some(id), Some(person)) => (id, fill_in(tx, id, person, &told).await?),
        _ => (begin(tx, &told).await?, true),
    };
    if let Some(number) = &told.card
        && card.as_ref().is_none_or(|card| card.customer_id.is_none())
    {
        let card = bind(tx, id, card.map(|card| card.id), number).await?;
        is_changed = true;
        if is_proved {
            by_staff(tx, doing, "card.issue", id, card.0).await?;
            notice::send(tx, id, "card_bound", &[("number", number)]).await?;
        }
    }
    match (found.is_some(), is_changed) {
        (false, _) => Ok(Ok(Outcome::Added)),
        (true, false) => Ok(Ok(Outcome::Known)),
        (true, true) => {
            // That a record which was there is not as it was, for its owner and for staff.
            by_staff(tx, doing, "customer.import", id, doing.id.0).await?;
            Ok(Ok(Outcome::Changed))
        }
    }
}

async fn of_number(tx: &mut Tx, number: &str) -> Result<Option<CustomerId>, sqlx::Error> {
    const SQL: &str = "SELECT COALESCE(merged_into, id) FROM customers WHERE source = $1 AND external_id = $2";
    on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(mapped::SOURCE)
        .bind(number)
        .fetch_optional(c)
        .await)
}

/// Who proved to hold a phone, and else who is waited for with it.
async fn of_phone(tx: &mut Tx, phone: &str) -> Result<Option<CustomerId>, sqlx::Error> {
    const OPEN: &str = "SELECT customer_id FROM enrolments WHERE phone = $1 AND completed_at IS NULL";
    if let Some(holder) = contacts::holder(tx, Contact::Phone, phone).await? {
        return Ok(Some(holder));
    }
    on!(tx, |c| sqlx::query_scalar(OPEN).bind(phone).fetch_optional(c).await)
}

#[derive(sqlx::FromRow)]
struct Plastic {
    id: CardId,
    customer_id: Option<CustomerId>,
    is_blocked: bool,
}

async fn plastic(conn: &mut Conn, number: &str) -> Result<Option<Plastic>, sqlx::Error> {
    const SQL: &str = "SELECT id, customer_id, NOT (kind = 'plastic' AND state = 'active') AS is_blocked FROM cards \
                       WHERE number = $1";
    on!(conn, |c| sqlx::query_as(SQL).bind(number).fetch_optional(c).await)
}

/// A card of plastic becomes a customer's: one of the stock, or one that is written down with this.
async fn bind(tx: &mut Tx, id: CustomerId, card: Option<CardId>, number: &str) -> Result<CardId, Error> {
    const SQL: &str = "INSERT INTO cards (id, number, kind, state, customer_id, issued_at, bound_at) \
                       VALUES ($1, $2, 'plastic', 'active', $3, $4, $4)";
    if let Some(card) = card {
        return match cards::hand_out(tx, card, id).await? {
            true => Ok(card),
            // Somebody was faster: the batch is undone, and finds it so next time.
            false => Err(Error::Stale),
        };
    }
    let (card, now) = (CardId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(card)
        .bind(number)
        .bind(id)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(card)
}

async fn begin(tx: &mut Tx, told: &Told) -> Result<CustomerId, Error> {
    const SQL: &str = "INSERT INTO customers (id, name, surname, search, birthday, language, address, source, external_id, \
                       registered_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
    let (id, now) = (CustomerId::new(), tx.now());
    let (name, surname) = (text(&told.name), text(&told.surname));
    let language = told.language.unwrap_or(tx.shop().language);
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(name)
        .bind(surname)
        .bind(search_key(name, surname))
        .bind(told.birthday)
        .bind(language)
        .bind(told.address.as_deref())
        .bind(mapped::SOURCE)
        .bind(told.number.as_deref())
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    if !name.is_empty() || !surname.is_empty() {
        find::add(tx, id, name, surname).await?;
    }
    wait_for(tx, id, told.phone.as_str(), now).await?;
    if let Some(email) = &told.email {
        contacts::put(tx, id, Contact::Email, email.as_str(), true, None).await?;
    }
    programs::enter_automatic(tx, id, now).await?;
    Ok(id)
}

fn text(told: &Option<String>) -> &str {
    told.as_deref().unwrap_or_default()
}

/// The record waits for whoever proves the phone, and no more for who had another one.
async fn wait_for(tx: &mut Tx, id: CustomerId, phone: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO enrolments (id, customer_id, phone, created_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (customer_id) DO UPDATE SET phone = excluded.phone WHERE enrolments.completed_at IS NULL";
    contacts::put(tx, id, Contact::Phone, phone, true, None).await?;
    on!(tx, |c| sqlx::query(SQL)
        .bind(EnrolmentId::new())
        .bind(id)
        .bind(phone)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// Fills in what is empty of somebody who is there, and tells whether anything was.
async fn fill_in(tx: &mut Tx, id: CustomerId, person: &Person, told: &Told) -> Result<bool, Error> {
    const SQL: &str = "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5, address = $6, \
                       updated_at = $7 WHERE id = $1";
    const CONTACTS: &str = "SELECT kind FROM contacts WHERE customer_id = $1";
    const NUMBER: &str = "UPDATE customers SET source = $2, external_id = $3, updated_at = $4 WHERE id = $1";
    let now = tx.now();
    let kinds: Vec<Contact> = on!(tx, |c| sqlx::query_scalar(CONTACTS).bind(id).fetch_all(c).await)?;
    let mut is_changed = false;
    if !kinds.contains(&Contact::Phone) {
        wait_for(tx, id, told.phone.as_str(), now).await?;
        is_changed = true;
    }
    if let Some(email) = &told.email
        && !kinds.contains(&Contact::Email)
    {
        contacts::put(tx, id, Contact::Email, email.as_str(), true, None).await?;
        is_changed = true;
    }
    // By this source and number purchases find them.
    if let Some(number) = told.number.as_ref().filter(|_| person.external_id.is_none()) {
        on!(tx, |c| sqlx::query(NUMBER)
            .bind(id)
            .bind(mapped::SOURCE)
            .bind(number)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        is_changed = true;
    }
    let named = person.is_nameless() && told.name.is_some();
    let (name, surname) = match named {
        true => (text(&told.name), text(&told.surname)),
        false => (person.name.as_str(), person.surname.as_str()),
    };
    let birthday = person.birthday.or(told.birthday);
    let address = person.address.as_ref().or(told.address.as_ref());
    if named || birthday != person.birthday || address != person.address.as_ref() {
        on!(tx, |c| sqlx::query(SQL)
            .bind(id)
            .bind(name)
            .bind(surname)
            .bind(search_key(name, surname))
            .bind(birthday)
            .bind(address)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
        is_changed = true;
    }
    if named {
        find::replace(tx, id, name, surname).await?;
    }
    Ok(is_changed)
}

/// Writes down what whoever brought the file in did to a customer.
async fn by_staff(tx: &mut Tx, doing: Doing, action: &str, id: CustomerId, object: Uuid) -> Result<(), sqlx::Error> {
    let entry = audit::Entry {
        actor: Actor::Staff,
        actor_id: Some(doing.by.0),
        action,
        customer: Some(id),
        object: Some(object),
        reason: "",
        network: "",
    };
    audit::record(tx, entry).await
}
