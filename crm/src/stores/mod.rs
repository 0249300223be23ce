//! The chain's shops and the categories of what they sell.

use crate::id::{CategoryId, StoreId};
use crate::lang::Localized;
use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

#[cfg(feature = "store")]
pub mod store;

/// Opening hours of a week: for each day from Monday the minutes of the day at which the shop opens and closes, or
/// none when it stays closed. A shop opens before it closes, and closes by midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[Option<[u16; 2]>; 7]", into = "[Option<[u16; 2]>; 7]")]
pub struct Hours([Option<[u16; 2]>; 7]);

/// Hours that no shop can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shop opens before it closes, and closes by midnight, 1440 minutes after the last")]
pub struct ImpossibleHours;

impl Hours {
    /// When the shop opens and closes on a day, in minutes of the day.
    pub fn on(&self, day: Weekday) -> Option<[u16; 2]> {
        self.0[day.num_days_from_monday() as usize]
    }
}

impl TryFrom<[Option<[u16; 2]>; 7]> for Hours {
    type Error = ImpossibleHours;

    fn try_from(week: [Option<[u16; 2]>; 7]) -> Result<Self, ImpossibleHours> {
        let possible = week.iter().flatten().all(is_possible);
        if possible { Ok(Self(week)) } else { Err(ImpossibleHours) }
    }
}

fn is_possible([open, close]: &[u16; 2]) -> bool {
    open < close && *close <= 24 * 60
}

impl From<Hours> for [Option<[u16; 2]>; 7] {
    fn from(hours: Hours) -> Self {
        hours.0
    }
}

/// A day on which a shop keeps other hours than those of its week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// The day.
    pub day: NaiveDate,
    /// The minutes of the day at which it opens and closes; none: it stays closed.
    pub hours: Option<[u16; 2]>,
}

/// Such days of a shop in their order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Exception>", into = "Vec<Exception>")]
pub struct Exceptions(Vec<Exception>);

impl Exceptions {
    /// The most that a shop has.
    pub const MOST: usize = 60;

    /// What there is for a day.
    pub fn on(&self, day: NaiveDate) -> Option<&Exception> {
        self.0.iter().find(|one| one.day == day)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Exception> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Exception>> for Exceptions {
    type Error = ImpossibleHours;

    fn try_from(mut days: Vec<Exception>) -> Result<Self, ImpossibleHours> {
        days.sort_by_key(|one| one.day);
        let is_possible_day = |one: &Exception| one.hours.as_ref().is_none_or(is_possible);
        let is_once = days.windows(2).all(|pair| pair[0].day != pair[1].day);
        if is_once && days.len() <= Self::MOST && days.iter().all(is_possible_day) {
            Ok(Self(days))
        } else {
            Err(ImpossibleHours)
        }
    }
}

impl From<Exceptions> for Vec<Exception> {
    fn from(days: Exceptions) -> Self {
        days.0
    }
}

/// A shop of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Store {
    /// Its id.
    pub id: StoreId,
    /// What files and tills call it.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// The town it is in.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub town: Localized,
    /// Street and house.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub address: Localized,
    /// Degrees north (WGS 84), in millionths.
    pub latitude: Option<i64>,
    /// Degrees east, in millionths.
    pub longitude: Option<i64>,
    /// When it is open.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub hours: Hours,
    /// Its phone in E.164.
    pub phone: Option<String>,
    /// The IANA name of the time zone by which its clock goes; none: the chain's.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Days on which it keeps other hours.
    #[cfg_attr(feature = "store", sqlx(json))]
    #[serde(default)]
    pub exceptions: Exceptions,
}

impl Store {
    /// When it opens and closes on a day of its calendar, in minutes of the day; none: it stays closed.
    pub fn on(&self, day: NaiveDate) -> Option<[u16; 2]> {
        match self.exceptions.on(day) {
            Some(exception) => exception.hours,
            None => self.hours.on(day.weekday()),
        }
    }
}

/// A shop to be written down; one of the same code is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct NewStore {
    /// What files and tills call it.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
    /// The town it is in.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub town: Localized,
    /// Street and house.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub address: Localized,
    /// Degrees north (WGS 84), in millionths.
    pub latitude: Option<i64>,
    /// Degrees east, in millionths.
    pub longitude: Option<i64>,
    /// When it is open.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub hours: Hours,
    /// Its phone in E.164.
    pub phone: Option<String>,
    /// The region that it is in, as rules name it.
    #[serde(default)]
    pub region: Option<String>,
    /// The IANA name of the time zone by which its clock goes; none: the chain's.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Days on which it keeps other hours; none: as they were.
    #[cfg_attr(feature = "store", sqlx(json(nullable)))]
    #[serde(default)]
    pub exceptions: Option<Exceptions>,
}

/// Degrees in millionths, up to as many from the equator or from Greenwich.
#[cfg(feature = "store")]
pub(crate) fn degrees(millionths: i64, most: i64) -> Result<i64, crate::flaw::Flaw> {
    if (-most * 1_000_000..=most * 1_000_000).contains(&millionths) {
        Ok(millionths)
    } else {
        Err(crate::flaw::Flaw::OutOfRange { min: -most, max: most })
    }
}

/// The IANA name of a time zone.
#[cfg(feature = "store")]
pub fn time_zone(raw: &str) -> Result<String, crate::flaw::Flaw> {
    let zone: Result<chrono_tz::Tz, _> = raw.trim().parse();
    let zone = zone.map_err(|_| crate::flaw::Flaw::NotATimeZone)?;
    Ok(zone.name().to_owned())
}

/// A category of articles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "store", derive(sqlx::FromRow))]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// What rules and files call it.
    pub code: String,
    /// Its name.
    #[cfg_attr(feature = "store", sqlx(json))]
    pub name: Localized,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_no_shop_can_keep_are_refused() {
        let week = |day| Hours::try_from([Some([540, 1260]), None, None, None, None, None, day]);
        let hours = week(Some([0, 1440])).expect("round the clock");
        assert_eq!(hours.on(Weekday::Mon), Some([540, 1260]));
        assert_eq!(hours.on(Weekday::Sat), None);
        assert_eq!(hours.on(Weekday::Sun), Some([0, 1440]));
        for day in [[600, 600], [600, 540], [600, 1441]] {
            assert_eq!(week(Some(day)), Err(ImpossibleHours), "{day:?}");
        }
    }

    #[test]
    fn exceptions_stand_in_their_order_and_each_once() {
        let read = |json: &str| serde_json::from_str::<Exceptions>(json);
        let both = r#"[{"day": "2027-01-07", "hours": [600, 900]}, {"day": "2027-01-01", "hours": null}]"#;
        let both = read(both).expect("possible days");
        let days: Vec<_> = both.iter().map(|one| (one.day.to_string(), one.hours)).collect();
        assert_eq!(
            days,
            [
                ("2027-01-01".to_owned(), None),
                ("2027-01-07".to_owned(), Some([600, 900]))
            ]
        );
        for bad in [
            r#"[{"day": "2027-01-01", "hours": [900, 600]}]"#,
            r#"[{"day": "2027-01-01", "hours": null}, {"day": "2027-01-01", "hours": [600, 900]}]"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
