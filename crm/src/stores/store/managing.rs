//! Shops as staff write them: new ones, closed or open; a change of one that is there goes by [`crate::catalogue`]. Another system
//! that keeps them replaces the same records through the API.

use super::super::{NewStore, Store, degrees};
use crate::contact::Phone;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::{Error, unless_taken};
use crate::flaw::{self, Check, Flaw};
use crate::id::StoreId;
use crate::lang::{Lang, fold};
use crate::on;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Utc};
use sqlx::types::Json;

/// The longest name, town, address or region, in characters.
const TEXT_MAX: usize = 200;

/// A shop in the list of staff.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// The shop.
    #[sqlx(flatten)]
    pub store: Store,
    /// The region that it is in, as rules name it.
    pub region: Option<String>,
    /// Since when it is closed for good.
    pub closed_at: Option<DateTime<Utc>>,
}

impl Entry {
    /// The same as it is written down.
    pub fn record(&self) -> NewStore {
        let store = self.store.clone();
        NewStore {
            code: store.code,
            name: store.name,
            town: store.town,
            address: store.address,
            latitude: store.latitude,
            longitude: store.longitude,
            hours: store.hours,
            phone: store.phone,
            region: self.region.clone(),
            time_zone: store.time_zone,
            exceptions: Some(store.exceptions),
        }
    }

    /// Whether it is what somebody looks for, by a part of its code, name, town, address or region.
    fn is_like(&self, find: &str) -> bool {
        let Store {
            code,
            name,
            town,
            address,
            ..
        } = &self.store;
        let words = [name, town, address].into_iter().flat_map(|text| [&text.ru, &text.en]);
        words
            .chain([code])
            .chain(&self.region)
            .any(|text| fold(text).contains(find))
    }
}

macro_rules! entries {
    ($where:literal) => {
        concat!(
            "SELECT id, code, name, town, address, latitude, longitude, hours, phone, time_zone, exceptions, region, \
             closed_at FROM stores",
            $where
        )
    };
}

/// The shops, closed ones behind the others, by town and name as the language sorts them; with `find` those that it is a part
/// of. That they were looked at is not written down: anybody may see them.
pub async fn list(conn: &mut Conn, by: &Staff, lang: Lang, find: &str) -> Result<Vec<Entry>, Error> {
    const SQL: &str = entries!("");
    by.may(Right::Shops)?;
    let mut all: Vec<Entry> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let find = fold(find.trim());
    all.retain(|entry| entry.is_like(&find));
    all.sort_by_cached_key(|Entry { store, closed_at, .. }| {
        let words = [store.town.get(lang), store.name.get(lang)].map(fold);
        (closed_at.is_some(), words, store.id)
    });
    Ok(all)
}

/// One shop, for its page. That it was looked at is written down. Fails with [`Error::NotFound`].
pub async fn read(db: &Db, by: &Staff, id: StoreId) -> Result<Entry, Error> {
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            let entry = get(tx, by, id).await?;
            by.record(tx, "store.read", None, Some(id.0), "").await?;
            Ok(entry)
        })
    })
    .await
}

/// The same for whoever is about to change it.
pub async fn get(conn: &mut Conn, by: &Staff, id: StoreId) -> Result<Entry, Error> {
    by.may(Right::Shops)?;
    of(conn, id).await
}

/// The shops of these codes, as they are now.
pub(crate) async fn by_codes(conn: &mut Conn, codes: &[&str]) -> Result<Vec<Entry>, sqlx::Error> {
    let codes = codes.iter().map(|code| Bind::Text((*code).to_owned()));
    db::list(conn, ListQuery::new(entries!("")).within("code", codes)).await
}

/// One shop, whoever asks. Fails with [`Error::NotFound`].
pub(crate) async fn of(conn: &mut Conn, id: StoreId) -> Result<Entry, Error> {
    const SQL: &str = entries!(" WHERE id = $1");
    let found: Option<Entry> = on!(conn, |c| sqlx::query_as(SQL).bind(id).fetch_optional(c).await)?;
    found.ok_or(Error::NotFound)
}

/// The same as they are kept, with what is wrong at `name_ru`, `latitude` and so on.
pub(crate) fn checked(new: &NewStore, country: &str) -> Result<NewStore, Error> {
    let mut check = Check::new();
    let (name, town, address) = (
        check.words("name", &new.name, TEXT_MAX),
        check.words("town", &new.town, TEXT_MAX),
        check.words("address", &new.address, TEXT_MAX),
    );
    let filled = |text: &Option<String>| {
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let region = filled(&new.region).map(|region| check.field("region", flaw::text(&region, TEXT_MAX)));
    let phone = filled(&new.phone).map(|phone| check.field("phone", Phone::parse(&phone, country)));
    let zone = filled(&new.time_zone).map(|name| check.field("time_zone", crate::stores::time_zone(&name)));
    for (field, value, other, most) in [
        ("latitude", new.latitude, new.longitude, 90),
        ("longitude", new.longitude, new.latitude, 180),
    ] {
        let fits = match (value, other) {
            (None, Some(_)) => Err(Flaw::Missing),
            (Some(n), _) => degrees(n, most).map(drop),
            (None, None) => Ok(()),
        };
        check.field(field, fits);
    }
    check.result()?;
    Ok(NewStore {
        name,
        town,
        address,
        region: region.flatten(),
        phone: phone.flatten().map(|phone| phone.as_str().to_owned()),
        time_zone: zone.flatten(),
        ..new.clone()
    })
}

/// Writes a new shop down. Fails with flaws at its fields; `code` may be taken.
pub async fn create(db: &Db, by: &Staff, new: &NewStore) -> Result<StoreId, Error> {
    const SQL: &str = "INSERT INTO stores (id, code, name, town, address, latitude, longitude, hours, phone, region, \
                       time_zone, exceptions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            let country = tx.shop().country.clone();
            let code = crate::till::code(&new.code);
            let (code, new) = match (code, checked(new, &country)) {
                (Ok(code), new) => (code, new?),
                (Err(flaw), Err(Error::Invalid(mut flaws))) => {
                    flaws.insert(0, ("key".to_owned(), flaw));
                    return Err(Error::Invalid(flaws));
                }
                (Err(flaw), _) => return Err(Error::field("key", flaw)),
            };
            let id = StoreId::new();
            let inserted = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(&code)
                .bind(Json(&new.name))
                .bind(Json(&new.town))
                .bind(Json(&new.address))
                .bind(new.latitude)
                .bind(new.longitude)
                .bind(Json(&new.hours))
                .bind(&new.phone)
                .bind(&new.region)
                .bind(&new.time_zone)
                .bind(Json(new.exceptions.clone().unwrap_or_default()))
                .execute(c)
                .await
                .map(drop));
            unless_taken(inserted)?;
            by.record(tx, "store.create", None, Some(id.0), "").await?;
            Ok(id)
        })
    })
    .await
}

/// Puts what was checked in the place of what a shop says that is held.
pub(crate) async fn put(tx: &mut Tx, id: StoreId, new: &NewStore) -> Result<(), Error> {
    const SQL: &str = "UPDATE stores SET name = $2, town = $3, address = $4, latitude = $5, longitude = $6, hours = $7, \
                       phone = $8, region = $9, time_zone = $10, exceptions = COALESCE($11, exceptions) WHERE id = $1";
    Ok(on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(Json(&new.name))
        .bind(Json(&new.town))
        .bind(Json(&new.address))
        .bind(new.latitude)
        .bind(new.longitude)
        .bind(Json(&new.hours))
        .bind(&new.phone)
        .bind(&new.region)
        .bind(&new.time_zone)
        .bind(new.exceptions.as_ref().map(Json))
        .execute(c)
        .await
        .map(drop))?)
}

/// Closes a shop for good, or opens it again. [`Error::Stale`] where it is so already, and [`Error::NotFound`].
pub async fn set_open(db: &Db, by: &Staff, id: StoreId, open: bool) -> Result<(), Error> {
    const SQL: &str = "UPDATE stores SET closed_at = $2 WHERE id = $1";
    by.may(Right::Shops)?;
    db.write(|tx| {
        scoped(async move {
            hold(tx, id).await?;
            if get(tx, by, id).await?.closed_at.is_none() == open {
                return Err(Error::Stale);
            }
            let closed_at = (!open).then(|| tx.now());
            on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(closed_at)
                .execute(c)
                .await
                .map(drop))?;
            let action = if open { "store.reopen" } else { "store.close" };
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

/// Sees to it that nobody else changes a shop until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx, id: StoreId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE stores SET code = code WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(id).execute(c).await.map(drop))
}
