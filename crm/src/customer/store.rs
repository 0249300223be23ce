//! Customers in the database.

use super::{
    ADDRESS_MAX, BIRTHDAY_CHANGES, Channel, Child, Person, PersonData, PersonForm, Profile, Reminders, Wishes,
};
use crate::card::store as cards;
use crate::consent::{Act, AskedAt, store as consents};
use crate::contact::{self, Email, Phone, store as contacts};
use crate::db::{Conn, Db, Tx, scoped};
use crate::error::Error;
use crate::find::store as find;
use crate::flaw::{self, Check, Flaw};
use crate::id::{CategoryId, ChildId, CustomerId, RuleId, StoreId};
use crate::lang::{Lang, fold};
use crate::on;
use crate::rule::store::{rewarding, timeline};
use crate::rule::{Effect, Occasion, Rule, Whose, birthday};
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Customer, Reason, Staff, Subject, System};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use std::collections::HashSet;

/// How many children a profile keeps.
const MOST_CHILDREN: usize = 12;

/// Writes a new customer. Contacts, consents and the rest are the caller's, in the same transaction.
pub(crate) async fn insert(
    tx: &mut Tx,
    person: &PersonData,
    lang: Lang,
    password_hash: Option<&str>,
    source: &str,
) -> Result<CustomerId, sqlx::Error> {
    const SQL: &str = "INSERT INTO customers (id, name, surname, search, birthday, language, password_hash, source, \
                       registered_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    let (id, now) = (CustomerId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(&person.name)
        .bind(&person.surname)
        .bind(search_key(&person.name, &person.surname))
        .bind(person.birthday)
        .bind(lang)
        .bind(password_hash)
        .bind(source)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    find::add(tx, id, &person.name, &person.surname).await?;
    Ok(id)
}

/// Begins the record of somebody of whom nothing but a phone is known: they joined at a till, or staff registered them.
pub(crate) async fn begin(tx: &mut Tx, lang: Lang, source: &str) -> Result<CustomerId, sqlx::Error> {
    const SQL: &str = "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
                       VALUES ($1, '', '', '', $2, $3, $4, $4)";
    let (id, now) = (CustomerId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(lang)
        .bind(source)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

/// Completes such a record with what its owner tells.
pub(crate) async fn complete(
    tx: &mut Tx,
    id: CustomerId,
    person: &PersonData,
    lang: Lang,
    password_hash: Option<&str>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5, language = $6, \
                       password_hash = $7, updated_at = $8 WHERE id = $1";
    let now = tx.now();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(&person.name)
        .bind(&person.surname)
        .bind(search_key(&person.name, &person.surname))
        .bind(person.birthday)
        .bind(lang)
        .bind(password_hash)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    find::replace(tx, id, &person.name, &person.surname).await
}

/// A name as lists are sorted by it and as parts of it are looked for: surname first. By which words somebody is found stands in
/// [`crate::find::store`].
pub fn search_key(name: &str, surname: &str) -> String {
    fold(&format!("{surname} {name}"))
}

/// The record of a customer itself.
pub async fn person(conn: &mut Conn, subject: Subject) -> Result<Person, Error> {
    const SQL: &str = "SELECT name, surname, birthday, birthday_changes, address, language, favourite_store_id, \
                       password_hash IS NOT NULL AS has_password, registered_at FROM customers WHERE id = $1";
    on!(conn, |c| sqlx::query_as(SQL).bind(subject.id()).fetch_optional(c).await)?.ok_or(Error::NotFound)
}

/// A customer's children, the oldest first.
pub async fn children(conn: &mut Conn, subject: Subject) -> Result<Vec<Child>, Error> {
    const SQL: &str = "SELECT id, birthday FROM children WHERE customer_id = $1 ORDER BY birthday, id";
    Ok(on!(conn, |c| sqlx::query_as(SQL)
        .bind(subject.id())
        .fetch_all(c)
        .await)?)
}

/// Everything a customer keeps about themselves.
pub async fn profile(conn: &mut Conn, subject: Subject) -> Result<Profile, Error> {
    const CATEGORIES: &str = "SELECT category_id FROM customer_categories WHERE customer_id = $1";
    const CHANNELS: &str = "SELECT channel FROM customer_channels WHERE customer_id = $1";
    const WISHES: &str = "SELECT brands, sizes, occasions, wishes FROM wishes WHERE customer_id = $1";
    let id = subject.id();
    let wishes: Option<Wishes> = on!(conn, |c| sqlx::query_as(WISHES).bind(id).fetch_optional(c).await)?;
    Ok(Profile {
        person: person(conn, subject).await?,
        contacts: contacts::of(conn, subject).await?,
        children: children(conn, subject).await?,
        categories: on!(conn, |c| sqlx::query_scalar(CATEGORIES).bind(id).fetch_all(c).await)?,
        channels: on!(conn, |c| sqlx::query_scalar(CHANNELS).bind(id).fetch_all(c).await)?,
        wishes: wishes.unwrap_or_default(),
    })
}

/// Asks the rules about a profile once it tells everything; each of them gives once.
pub(crate) async fn reward_profile(tx: &mut Tx, id: CustomerId) -> Result<(), Error> {
    let now = tx.now();
    if timeline(tx).await?.on(Occasion::Profile, now).is_none() {
        return Ok(());
    }
    let profile = profile(tx, System::at_the_command_line().subject(id)).await?;
    if profile.missing().is_empty() {
        rewarding::on(tx, Occasion::Profile, id).await?;
    }
    Ok(())
}

/// Has whoever does something of the same customer wait until the transaction ends. Changes nothing.
pub(crate) async fn hold(tx: &mut Tx, id: CustomerId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE customers SET updated_at = updated_at WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}

/// For what is done for a customer: [`Error::Stale`] where the account was erased, or went into another one, and
/// [`Error::NotFound`] where there never was any.
pub(crate) async fn is_alive(conn: &mut Conn, id: CustomerId) -> Result<(), Error> {
    const SQL: &str = "SELECT erased_at IS NULL AND merged_into IS NULL FROM customers WHERE id = $1";
    let alive: Option<bool> = on!(conn, |c| sqlx::query_scalar(SQL).bind(id).fetch_optional(c).await)?;
    match alive {
        Some(true) => Ok(()),
        Some(false) => Err(Error::Stale),
        None => Err(Error::NotFound),
    }
}

/// What a customer is to be reminded of, in one query; coupons that end by a moment among it.
pub async fn reminders(conn: &mut Conn, of: Subject, by: DateTime<Utc>) -> Result<Reminders, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        is_child: bool,
        birthday: Option<NaiveDate>,
        unverified: Option<String>,
        stands: bool,
        is_answered: bool,
        coupon_ends: bool,
    }
    // What an answer is about is the number of a request, or the id of a question, which has dashes.
    const SQL: &str = "SELECT FALSE AS is_child, c.birthday, (SELECT k.value FROM contacts k WHERE k.customer_id = c.id \
        AND k.verified_at IS NULL ORDER BY k.is_primary DESC, k.created_at, k.id LIMIT 1) AS unverified, \
        EXISTS (SELECT 1 FROM tier_standings s WHERE s.customer_id = c.id) AS stands, \
        EXISTS (SELECT 1 FROM notifications n WHERE n.customer_id = c.id AND n.read_at IS NULL AND n.kind = 'answer' \
        AND n.about LIKE '%-%') AS is_answered, EXISTS (SELECT 1 FROM coupons o WHERE o.customer_id = c.id \
        AND o.expires_at > $2 AND o.expires_at <= $3) AS coupon_ends FROM customers c WHERE c.id = $1 \
        UNION ALL SELECT TRUE, h.birthday, NULL, FALSE, FALSE, FALSE FROM children h WHERE h.customer_id = $1";
    let now = conn.now();
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(now)
        .bind(by)
        .fetch_all(c)
        .await)?;
    let mut reminders = Reminders::default();
    for row in rows {
        if row.is_child {
            reminders.children.extend(row.birthday);
        } else {
            reminders.birthday = row.birthday;
            reminders.unverified = row.unverified;
            reminders.stands = row.stands;
            reminders.is_answered = row.is_answered;
            reminders.coupon_ends = row.coupon_ends;
        }
    }
    Ok(reminders)
}

/// In how many days a birthday comes round; 0: it is today.
pub fn days_to(birth: NaiveDate, today: NaiveDate) -> i64 {
    let near = [today.year(), today.year() + 1].map(|year| (birthday(birth, year) - today).num_days());
    near.into_iter().find(|days| *days >= 0).unwrap_or_default()
}

/// What rules give now for a birthday to whoever has one, without what they say to cashiers and on receipts.
pub async fn birthday_gives(conn: &mut Conn, whose: Whose) -> Result<Vec<Rule>, Error> {
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let mut gives = Vec::new();
    for occasion in [Occasion::Day, Occasion::Purchase] {
        let Some(rules) = timeline.on(occasion, now) else {
            continue;
        };
        for published in rules.published() {
            let mut rule = published.rule.clone();
            rule.effects.retain(|effect| !matches!(effect, Effect::Message { .. }));
            if rule.valid.holds(now) && rule.is_for_birthdays(whose) && !rule.effects.is_empty() {
                gives.push(rule);
            }
        }
    }
    Ok(gives)
}

/// What rules give now for a profile that tells everything, or for the questionnaire, in the order in which they are asked; to
/// whoever was not given it.
pub async fn gives_for(conn: &mut Conn, of: Subject, told: Occasion) -> Result<Vec<Rule>, Error> {
    const GIVEN: &str = "SELECT rule_id FROM rewards WHERE customer_id = $1 AND occasion = $2";
    let now = conn.now();
    let Some(rules) = timeline(conn).await?.on(told, now) else {
        return Ok(Vec::new());
    };
    let given: Vec<RuleId> = on!(conn, |c| sqlx::query_scalar(GIVEN)
        .bind(of.id())
        .bind(told.as_str())
        .fetch_all(c)
        .await)?;
    let left = rules.published().iter().filter(|one| !given.contains(&one.by.id));
    let holds = left.filter(|one| one.rule.valid.holds(now));
    Ok(holds.map(|one| one.rule.clone()).collect())
}

/// Changes name, surname, birthday and address. Flaws come by field: `name`, `surname`, `birthday`, `address`. A birthday that was
/// changed [`BIRTHDAY_CHANGES`] times is [`Flaw::ByRequest`]: gifts hang on it.
pub async fn change_person(db: &Db, by: &Customer, form: &PersonForm, address: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5, updated_at = $6, address = $7, \
                       birthday_changes = birthday_changes + CASE WHEN birthday <> $5 THEN 1 ELSE 0 END \
                       WHERE id = $1 AND (birthday IS NULL OR birthday = $5 OR birthday_changes < $8)";
    let mut check = Check::new();
    let data = form.check(&mut check, db.shop().day(db.now()), db.shop().minimum_age);
    let address = checked_address(&mut check, address);
    check.result()?;
    let (Some(data), address) = (&data, &address) else {
        return Ok(());
    };
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(&data.name)
                .bind(&data.surname)
                .bind(search_key(&data.name, &data.surname))
                .bind(data.birthday)
                .bind(now)
                .bind(address)
                .bind(BIRTHDAY_CHANGES)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::field("birthday", Flaw::ByRequest));
            }
            find::replace(tx, by.id(), &data.name, &data.surname).await?;
            by.record(tx, "customer.change", None).await?;
            reward_profile(tx, by.id()).await
        })
    })
    .await
}

/// An address as it was typed, at `address`; it may be empty.
pub(super) fn checked_address(check: &mut Check, raw: &str) -> Option<String> {
    match raw.trim() {
        "" => None,
        address => check.field("address", flaw::text(address, ADDRESS_MAX)),
    }
}

/// Lets a customer change their birthday again, who asked for it and said why. Field: `reason`, which is written down.
/// [`Error::Stale`] where they may anyhow.
pub async fn allow_birthday(db: &Db, by: &Staff, id: CustomerId, reason: &str) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE customers SET birthday_changes = birthday_changes - 1 WHERE id = $1 AND birthday_changes >= $2";
    by.may(Right::Customers)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    db.write(|tx| {
        scoped(async move {
            by.open_in(tx, id, Reason::Card).await?;
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(BIRTHDAY_CHANGES)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                return Err(Error::Stale);
            }
            by.record(tx, "birthday.allow", Some(id), None, reason).await?;
            Ok(())
        })
    })
    .await
}

/// What a customer likes, as a form sends it.
#[derive(Clone, Debug, Default)]
pub struct Preferences {
    /// Favourite categories.
    pub categories: Vec<CategoryId>,
    /// Favourite shop.
    pub store: Option<StoreId>,
    /// Ways to be written to.
    pub channels: Vec<Channel>,
    /// The language to read.
    pub language: Lang,
    /// What else they like.
    pub wishes: Wishes,
}

/// Replaces a customer's preferences. An unknown shop or category is [`Flaw::NotAChoice`] at `store` or `categories`; the flaws of
/// what they like in their own words stand at `brands`, `sizes`, `occasions` and `wishes`.
pub async fn change_preferences(db: &Db, by: &Customer, wanted: &Preferences) -> Result<(), Error> {
    const PERSON: &str = "UPDATE customers SET favourite_store_id = $2, language = $3, updated_at = $4 WHERE id = $1";
    const CLEAR: [&str; 2] = [
        "DELETE FROM customer_categories WHERE customer_id = $1",
        "DELETE FROM customer_channels WHERE customer_id = $1",
    ];
    const CATEGORY: &str =
        "INSERT INTO customer_categories (customer_id, category_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const CHANNEL: &str = "INSERT INTO customer_channels (customer_id, channel) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const STORE: &str = "SELECT id FROM stores WHERE id = $1 AND closed_at IS NULL";
    const KNOWN: &str = "SELECT id FROM categories";
    const WISHES: &str = "INSERT INTO wishes (customer_id, brands, sizes, occasions, wishes, changed_at) \
                          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (customer_id) DO UPDATE SET brands = excluded.brands, \
                          sizes = excluded.sizes, occasions = excluded.occasions, wishes = excluded.wishes, \
                          changed_at = excluded.changed_at";
    let mut check = Check::new();
    let wishes = &wanted.wishes.check(&mut check);
    check.result()?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let id = by.id();
            if let Some(store) = wanted.store {
                let found: Option<StoreId> =
                    on!(tx, |c| sqlx::query_scalar(STORE).bind(store).fetch_optional(c).await)?;
                found.ok_or(Error::field("store", Flaw::NotAChoice))?;
            }
            let known: Vec<CategoryId> = on!(tx, |c| sqlx::query_scalar(KNOWN).fetch_all(c).await)?;
            if wanted.categories.iter().any(|c| !known.contains(c)) {
                return Err(Error::field("categories", Flaw::NotAChoice));
            }
            on!(tx, |c| sqlx::query(PERSON)
                .bind(id)
                .bind(wanted.store)
                .bind(wanted.language)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            for sql in CLEAR {
                on!(tx, |c| sqlx::query(sql).bind(id).execute(c).await.map(drop))?;
            }
            for category in &wanted.categories {
                on!(tx, |c| sqlx::query(CATEGORY)
                    .bind(id)
                    .bind(category)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            for channel in &wanted.channels {
                on!(tx, |c| sqlx::query(CHANNEL)
                    .bind(id)
                    .bind(channel)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            on!(tx, |c| sqlx::query(WISHES)
                .bind(id)
                .bind(&wishes.brands)
                .bind(&wishes.sizes)
                .bind(&wishes.occasions)
                .bind(&wishes.wishes)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "customer.preferences", None).await?;
            reward_profile(tx, by.id()).await
        })
    })
    .await
}

/// Remembers the language that a customer switched to.
pub async fn change_language(db: &Db, by: &Customer, lang: Lang) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET language = $2 WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(lang)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    })
    .await
}

/// A customer was shown around, or wants none of it. Once more changes nothing.
pub async fn finish_tour(db: &Db, by: &Customer) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET toured_at = $2 WHERE id = $1 AND toured_at IS NULL";
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(now)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows > 0 {
                by.record(tx, "tour.finish", None).await?;
            }
            Ok(())
        })
    })
    .await
}

/// A child's birthday as it was typed, with the parent's box.
#[derive(Clone, Debug, Default)]
pub struct ChildForm {
    /// Day.
    pub day: String,
    /// Month, 1 to 12.
    pub month: String,
    /// Year.
    pub year: String,
    /// The parent agrees.
    pub agreed: bool,
}

/// Adds a child's birthday with the parent's consent. Flaws stand at `child` and `child_consent`.
pub async fn add_child(db: &Db, by: &Customer, form: &ChildForm, lang: Lang) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO children (id, customer_id, birthday, consent_id, created_at) VALUES ($1, $2, $3, $4, $5)";
    let today = db.shop().day(db.now());
    let mut check = Check::new();
    let date = flaw::date(&form.day, &form.month, &form.year).and_then(|d| flaw::child_birthday(d, today));
    let birthday = check.field("child", date);
    check.field("child_consent", form.agreed.then_some(()).ok_or(Flaw::MustAgree));
    check.result()?;
    db.write(|tx| {
        scoped(async move {
            if children(tx, by.me()).await?.len() >= MOST_CHILDREN {
                return Err(Error::TooMany { retry_after: 0 });
            }
            let purpose = consents::purpose(tx, "child").await?;
            let consent = consents::record(tx, by.id(), purpose.text_id, Act::Given, lang, "web").await?;
            let (id, now) = (ChildId::new(), tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(by.id())
                .bind(birthday)
                .bind(consent)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "child.add", Some(id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// Removes a child's birthday; with the last one the parent's consent is withdrawn.
pub async fn remove_child(db: &Db, by: &Customer, id: ChildId, lang: Lang) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            remove_child_in(tx, by.me(), id, lang, "web").await?;
            by.record(tx, "child.remove", Some(id.0)).await?;
            Ok(())
        })
    })
    .await
}

/// The same by whomever, who writes it down; the birthday that it was. `source` is that of the parent's consent where it goes too.
pub(super) async fn remove_child_in(
    tx: &mut Tx,
    of: Subject,
    id: ChildId,
    lang: Lang,
    source: &str,
) -> Result<NaiveDate, Error> {
    const SQL: &str = "DELETE FROM children WHERE id = $1 AND customer_id = $2 RETURNING birthday";
    let birthday: Option<NaiveDate> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(of.id())
        .fetch_optional(c)
        .await)?;
    let birthday = birthday.ok_or(Error::NotFound)?;
    if children(tx, of).await?.is_empty() {
        let purpose = consents::purpose(tx, "child").await?;
        consents::record(tx, of.id(), purpose.text_id, Act::Withdrawn, lang, source).await?;
    }
    Ok(birthday)
}

/// Who an imported customer is, when that becomes known: a file of purchases holds numbers only.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name, surname and birthday.
    pub person: PersonData,
    /// The language they read.
    pub language: Lang,
    /// The phone, verified.
    pub phone: Phone,
    /// An e-mail address.
    pub email: Option<Email>,
    /// The hash of a password.
    pub password_hash: Option<String>,
}

/// The customers of an import: their ids, and the numbers they have there.
pub async fn of_source(conn: &mut Conn, _by: &System, source: &str) -> Result<Vec<(CustomerId, String)>, Error> {
    const SQL: &str =
        "SELECT id, external_id FROM customers WHERE source = $1 AND external_id IS NOT NULL ORDER BY external_id";
    Ok(on!(conn, |c| sqlx::query_as(SQL).bind(source).fetch_all(c).await)?)
}

/// Gives an imported customer a name, contacts, the required consents and a card, as of the day of their first
/// purchase. Fails when the phone is another's.
pub async fn identify(tx: &mut Tx, _by: &System, id: CustomerId, identity: &Identity) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5, language = $6, \
                       password_hash = $7 WHERE id = $1 RETURNING registered_at";
    let person = &identity.person;
    let registered_at: Option<DateTime<Utc>> = on!(tx, |c| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(&person.name)
        .bind(&person.surname)
        .bind(search_key(&person.name, &person.surname))
        .bind(person.birthday)
        .bind(identity.language)
        .bind(&identity.password_hash)
        .fetch_optional(c)
        .await)?;
    let at = registered_at.ok_or(Error::NotFound)?;
    find::replace(tx, id, &person.name, &person.surname).await?;
    contacts::put(tx, id, contact::Kind::Phone, identity.phone.as_str(), true, Some(at)).await?;
    if let Some(email) = &identity.email {
        contacts::put(tx, id, contact::Kind::Email, email.as_str(), true, None).await?;
    }
    for purpose in consents::purposes(tx, AskedAt::Registration)
        .await?
        .iter()
        .filter(|p| p.required)
    {
        consents::record_at(tx, id, purpose.text_id, Act::Given, identity.language, "import", at).await?;
    }
    cards::issue_virtual(tx, id).await?;
    Ok(())
}

/// How many customers there are.
pub async fn count(conn: &mut Conn, _by: &System) -> Result<i64, Error> {
    Ok(on!(conn, |c| sqlx::query_scalar("SELECT COUNT(*) FROM customers")
        .fetch_one(c)
        .await)?)
}

/// Those customers of an import who have been identified: they have a card.
pub async fn identified(conn: &mut Conn, _by: &System, source: &str) -> Result<HashSet<CustomerId>, Error> {
    const SQL: &str = "SELECT DISTINCT c.id FROM customers c JOIN cards k ON k.customer_id = c.id WHERE c.source = $1";
    let found: Vec<CustomerId> = on!(conn, |c| sqlx::query_scalar(SQL).bind(source).fetch_all(c).await)?;
    Ok(found.into_iter().collect())
}

/// Gives a customer another password.
pub async fn set_password(db: &Db, _by: &System, id: CustomerId, hash: &str) -> Result<(), Error> {
    const SQL: &str = "UPDATE customers SET password_hash = $2 WHERE id = $1";
    db.write(|tx| {
        scoped(async move {
            on!(tx, |c| sqlx::query(SQL).bind(id).bind(hash).execute(c).await.map(drop))?;
            Ok(())
        })
    })
    .await
}
