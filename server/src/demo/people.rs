//! Made-up people, the same on every machine: what they are called follows from their number in the receipts.

use super::{BATCH, SOURCE, seed};
use anyhow::Context as _;
use chrono::NaiveDate;
use crm::contact::{Email, Phone};
use crm::customer::PersonData;
use crm::customer::store::{self as customers, Identity};
use crm::db::{Db, scoped};
use crm::id::CustomerId;
use crm::lang::Lang;
use crm::who::System;
use serde::Deserialize;

/// A customer of the receipts with the name made up for them.
pub(super) struct Made {
    pub(super) id: CustomerId,
    pub(super) language: Lang,
    pub(super) surname: String,
    number: String,
    name: String,
    birthday: NaiveDate,
}

#[derive(Deserialize)]
struct Names {
    ru: Russian,
    en: English,
}

#[derive(Deserialize)]
struct Russian {
    female: Vec<String>,
    male: Vec<String>,
    surnames_female: Vec<String>,
    surnames_male: Vec<String>,
}

#[derive(Deserialize)]
struct English {
    female: Vec<String>,
    male: Vec<String>,
    surnames: Vec<String>,
}

/// Makes everybody up.
pub(super) async fn everybody(db: &Db, by: &System) -> anyhow::Result<Vec<Made>> {
    let names: Names = serde_json::from_str(include_str!("../../demo/names.json"))?;
    let found = customers::of_source(&mut db.read().await?, by, SOURCE).await?;
    let first = NaiveDate::from_ymd_opt(1950, 1, 1).context("a date")?;
    found
        .into_iter()
        .map(|(id, number)| {
            // Independent figures for each trait, from the number alone.
            let draw =
                |what: &str, of: usize| usize::try_from(seed(&format!("{what} {number}")) >> 11).map(|n| n % of.max(1));
            let pick =
                |what: &str, list: &[String]| anyhow::Ok(list.get(draw(what, list.len())?).context("a name")?.clone());
            // Most of a retailer's customers are women; one in seven reads English here.
            let (is_female, language) = (
                draw("sex", 3)? > 0,
                if draw("language", 7)? == 0 { Lang::En } else { Lang::Ru },
            );
            let (name, surname) = match (language, is_female) {
                (Lang::Ru, true) => (
                    pick("name", &names.ru.female)?,
                    pick("surname", &names.ru.surnames_female)?,
                ),
                (Lang::Ru, false) => (pick("name", &names.ru.male)?, pick("surname", &names.ru.surnames_male)?),
                (Lang::En, true) => (pick("name", &names.en.female)?, pick("surname", &names.en.surnames)?),
                (Lang::En, false) => (pick("name", &names.en.male)?, pick("surname", &names.en.surnames)?),
            };
            let birthday = first + chrono::Duration::days(i64::try_from(draw("birthday", 56 * 365)?)?);
            Ok(Made {
                id,
                language,
                surname,
                number,
                name,
                birthday,
            })
        })
        .collect()
}

/// Writes everybody down who has no name yet. The customer to sign in as gets the first phone and a password, and
/// speaks the shop's language. Their id.
pub(super) async fn identify(
    db: &Db,
    by: &System,
    people: &[Made],
    chosen: &str,
    password: &str,
) -> anyhow::Result<CustomerId> {
    let country = &db.shop().country;
    let hash = crm::signin::password::hash(password).await?;
    let known = customers::identified(&mut db.read().await?, by, SOURCE).await?;
    let mut customer = None;
    let mut everybody = Vec::with_capacity(people.len());
    for (i, made) in people.iter().enumerate() {
        let is_chosen = made.number == chosen;
        if is_chosen {
            customer = Some(made.id);
        }
        // The first hundred numbers of the range are for people who register in the demonstration themselves.
        let phone = if is_chosen { 1 } else { 100 + i };
        let phone = Phone::parse(&format!("+7900000{phone:04}"), country).map_err(|f| anyhow::anyhow!("{f:?}"))?;
        let email = Email::parse(&format!("customer{}@example.com", made.number)).ok();
        let (name, surname) = match is_chosen {
            true => ("Мария".to_owned(), "Соколова".to_owned()),
            false => (made.name.clone(), made.surname.clone()),
        };
        let person = PersonData {
            name,
            surname,
            birthday: made.birthday,
        };
        let language = if is_chosen { db.shop().language } else { made.language };
        let password_hash = is_chosen.then(|| hash.clone());
        everybody.push((
            made.id,
            Identity {
                person,
                language,
                phone,
                email,
                password_hash,
            },
        ));
    }
    if let Some(id) = customer.filter(|id| known.contains(id)) {
        customers::set_password(db, by, id, &hash).await?;
    }
    everybody.retain(|(id, _)| !known.contains(id));
    for part in everybody.chunks(BATCH) {
        db.write(|tx| {
            scoped(async move {
                for (id, identity) in part {
                    customers::identify(tx, by, *id, identity).await?;
                }
                Ok::<_, crm::Error>(())
            })
        })
        .await?;
    }
    customer.context("the customer to sign in as is among the receipts")
}
