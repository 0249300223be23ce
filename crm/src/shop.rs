//! What the shop itself decides: its name, money, time, country. Configuration, the same for a whole installation.

use crate::lang::Lang;
use crate::limits::Limits;
use crate::points::Policy;
use crate::webhook;
use serde::{Deserialize, Serialize};

/// The shop's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Its name, as customers know it.
    pub name: String,
    /// The address of its cabinet, without a slash at the end: messages link to it.
    pub url: String,
    /// Hue of the brand's colour, in degrees of OKLCH.
    pub hue: u16,
    /// The language of people who did not choose one.
    pub language: Lang,
    /// ISO 4217 code; amounts are kept in its minor units (hundredths).
    pub currency: String,
    /// IANA name of the time zone that days and months are counted in.
    pub time_zone: String,
    /// ISO 3166-1 alpha-2 code of the country whose phone numbers need no calling code.
    pub country: String,
    /// From how many years on one may join.
    pub minimum_age: u32,
    /// For how many days a customer who wants to be erased may think better of it.
    pub erasure_days: u32,
    /// For how many hours another main phone number waits, and points are not spent before and after; 0 for none of it.
    pub number_change_hours: u32,
    /// The first digits of card numbers. 20 to 29 are GS1's for use within a company (GS1 General Specifications, 1.4).
    pub card_prefix: String,
    /// The phone at which customers reach the shop, in E.164; empty: none is told.
    pub phone: String,
    /// The e-mail address, likewise.
    pub email: String,
    /// How many text messages may go.
    pub limits: Limits,
    /// What is allowed with points.
    pub points: Policy,
    /// Where other systems may be told of what happened.
    pub webhooks: webhook::Policy,
    /// How long messages to people are kept.
    pub messages: Messages,
    /// What may go along with what is written to support.
    pub attachments: Attachments,
    /// What reports reckon with.
    pub reports: Reports,
}

/// What reports reckon with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// How many minutes of staff a request to support costs, all in all.
    pub minutes_per_request: u32,
}

impl Default for Reports {
    fn default() -> Self {
        Self { minutes_per_request: 8 }
    }
}

impl Reports {
    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let minutes = self.minutes_per_request;
        let wrong = !(1..=240).contains(&minutes);
        let problem = wrong.then(|| format!("reports.minutes_per_request: {minutes} is not one of 1 to 240"));
        problem.into_iter().collect()
    }
}

/// What may go along with what is written to support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachments {
    /// Files with one message.
    pub files: usize,
    /// Megabytes that one file may have.
    pub file_mb: usize,
    /// Megabytes that one customer may send within a day of the shop.
    pub day_mb: usize,
}

/// Bytes of a megabyte, as people's devices count it.
pub const MB: usize = 1024 * 1024;

impl Default for Attachments {
    fn default() -> Self {
        Self {
            files: 5,
            file_mb: 5,
            day_mb: 20,
        }
    }
}

impl Attachments {
    /// The largest form that is read. It has room for one file too many, so that its page can say so.
    pub const fn body_limit(&self) -> usize {
        (self.files + 1) * self.file_mb * MB + MB
    }

    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let wrong = |key: &str, value: usize, most: usize| {
            (!(1..=most).contains(&value)).then(|| format!("attachments.{key}: {value} is not one of 1 to {most}"))
        };
        // A form is held in memory as a whole.
        let all = [
            wrong("files", self.files, 10),
            wrong("file_mb", self.file_mb, 20),
            wrong("day_mb", self.day_mb, 1000),
        ];
        all.into_iter().flatten().collect()
    }
}

/// How long messages to people are kept, and when promotional ones may come to whoever has not said when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// For how many days after they went or were given up.
    pub keep_days: u32,
    /// The hour of the shop's clock from which on no promotional message comes.
    pub quiet_from: u32,
    /// The hour from which on they come again; the same as the first: no hour is quiet.
    pub quiet_until: u32,
    /// How many promotional messages one customer may be sent within seven days.
    pub per_week: u32,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            keep_days: 180,
            quiet_from: 21,
            quiet_until: 9,
            per_week: 3,
        }
    }
}

impl Messages {
    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        // A message is tried for a day and a half, and how many promotional ones went is counted for a week.
        let days = self.keep_days;
        let keep = (!(7..=3650).contains(&days)).then(|| {
            format!("messages.keep_days: {days} is not from 7, for promotional ones are counted by the week, to 3650")
        });
        let hours = [("quiet_from", self.quiet_from), ("quiet_until", self.quiet_until)]
            .map(|(key, hour)| (hour > 23).then(|| format!("messages.{key}: {hour} is no hour from 0 to 23")));
        let week = self.per_week;
        // What a customer chooses from goes as far.
        let week = (week > 7).then(|| format!("messages.per_week: {week} is not from 0 to 7"));
        [keep, week].into_iter().chain(hours).flatten().collect()
    }
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            name: "Сосна".into(),
            url: "http://localhost:3000".into(),
            hue: 165,
            language: Lang::Ru,
            currency: "RUB".into(),
            time_zone: "Europe/Moscow".into(),
            country: "RU".into(),
            minimum_age: 14,
            erasure_days: 14,
            number_change_hours: 24,
            card_prefix: "290".into(),
            phone: String::new(),
            email: String::new(),
            limits: Limits::default(),
            points: Policy::default(),
            webhooks: webhook::Policy::default(),
            messages: Messages::default(),
            attachments: Attachments::default(),
            reports: Reports::default(),
        }
    }
}

#[cfg(feature = "store")]
impl Shop {
    /// The time zone; an unknown name is refused when the configuration is read, so UTC never shows in practice.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::UTC)
    }

    /// The time zone by which the clock of one of its stores goes; without a name the shop's own.
    pub fn zone_of(&self, name: Option<&str>) -> chrono_tz::Tz {
        name.and_then(|name| name.parse().ok()).unwrap_or_else(|| self.zone())
    }

    /// How long another main phone number waits, and how long points are not spent after it.
    pub fn number_change_wait(&self) -> chrono::Duration {
        chrono::Duration::hours(i64::from(self.number_change_hours))
    }

    /// The sign of the currency; its code where it has none of its own.
    pub fn currency_sign(&self) -> &str {
        match self.currency.as_str() {
            "RUB" => "₽",
            "EUR" => "€",
            "USD" => "$",
            "GBP" => "£",
            "KZT" => "₸",
            "BYN" => "Br",
            other => other,
        }
    }

    /// The calendar day of a moment, where the shop is.
    pub fn day(&self, at: chrono::DateTime<chrono::Utc>) -> chrono::NaiveDate {
        at.with_timezone(&self.zone()).date_naive()
    }

    /// The wall clock's time of a moment, where the shop is.
    pub fn local(&self, at: chrono::DateTime<chrono::Utc>) -> chrono::NaiveDateTime {
        at.with_timezone(&self.zone()).naive_local()
    }

    /// The moment that the wall clock shows this time where the shop is: the first of two in the hour that comes twice, and
    /// an hour later in the one that is left out.
    pub fn moment(&self, local: chrono::NaiveDateTime) -> chrono::DateTime<chrono::Utc> {
        moment_in(self.zone(), local)
    }

    /// The moment a calendar day begins where the shop is. Where a clock change skips midnight, the first moment after.
    pub fn midnight(&self, day: chrono::NaiveDate) -> chrono::DateTime<chrono::Utc> {
        use chrono::TimeZone as _;
        let zone = self.zone();
        (0..4)
            .filter_map(|hour| zone.from_local_datetime(&day.and_hms_opt(hour, 0, 0)?).earliest())
            .next()
            .map_or_else(|| day.and_time(chrono::NaiveTime::MIN).and_utc(), |at| at.to_utc())
    }
}

/// The moment that the wall clock shows a time in a zone: as [`Shop::moment`] has it.
#[cfg(feature = "store")]
pub fn moment_in(zone: chrono_tz::Tz, local: chrono::NaiveDateTime) -> chrono::DateTime<chrono::Utc> {
    use chrono::TimeZone as _;
    zone.from_local_datetime(&local)
        .earliest()
        .or_else(|| {
            zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1)))
                .earliest()
        })
        .map_or_else(|| local.and_utc(), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_for_as_long_as_they_are_counted() {
        assert_eq!(Messages::default().problems(), Vec::<String>::new());
        for keep_days in [0, 6, 3651] {
            let problems = Messages {
                keep_days,
                ..Messages::default()
            }
            .problems();
            assert!(problems[0].starts_with("messages.keep_days: "), "{problems:?}");
        }
    }

    #[test]
    fn files_have_limits_that_a_server_can_hold() {
        assert_eq!(Attachments::default().problems(), Vec::<String>::new());
        assert!(Attachments::default().body_limit() > 25 * MB);
        let wrong = Attachments {
            files: 0,
            file_mb: 21,
            day_mb: 0,
        };
        let problems = wrong.problems();
        for key in ["files", "file_mb", "day_mb"] {
            let about = format!("attachments.{key}: ");
            assert!(
                problems.iter().any(|problem| problem.starts_with(&about)),
                "{problems:?}"
            );
        }
    }

    #[test]
    fn a_request_costs_minutes() {
        assert_eq!(Reports::default().problems(), Vec::<String>::new());
        for minutes_per_request in [0, 241] {
            let problems = Reports { minutes_per_request }.problems();
            assert!(problems[0].starts_with("reports.minutes_per_request: "), "{problems:?}");
        }
    }

    #[test]
    fn hours_are_hours_and_a_week_has_seven_messages() {
        let wrong = Messages {
            quiet_from: 24,
            quiet_until: 99,
            per_week: 8,
            ..Messages::default()
        };
        let problems = wrong.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        for key in ["quiet_from", "quiet_until", "per_week"] {
            let about = format!("messages.{key}: ");
            assert!(
                problems.iter().any(|problem| problem.starts_with(&about)),
                "{problems:?}"
            );
        }
    }
}
