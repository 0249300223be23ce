//! Working time: the hours of a week by the clock of a time zone, and the days that are unlike their weekday.
//!
//! The clock is read by the furthest time that it has shown. Where it is put back, the hour that comes twice is part of whatever
//! the clock had reached; where it is put forward, what was left out is no time at all. So a moment belongs to one span at most,
//! whatever becomes of the clock, and what is between two moments adds up.

use crate::flaw::Flaw;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// The minutes of a day at which work begins and ends.
pub type Span = [u16; 2];
/// The spans of each day of the week from Monday, in their order.
pub type Week = [Vec<Span>; 7];
/// The spans of days that are unlike their weekday: none of a holiday.
pub type Days = BTreeMap<NaiveDate, Vec<Span>>;

/// The most spans of a day.
const SPANS_MAX: usize = 8;
/// The most days that are unlike their weekday.
pub const DAYS_MAX: usize = 2_000;
/// How many days are looked through for working time, at most.
const FAR: usize = 4_000;
/// The longest that a clock was ever put forward, in minutes: a day, where the date line was moved.
const SKIPPED: i64 = 24 * 60;

/// When there is work.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Tz,
    week: Week,
    days: Days,
}

impl Calendar {
    /// By the clock of a zone.
    pub fn new(zone: Tz, week: Week, days: Days) -> Self {
        Self { zone, week, days }
    }

    fn spans(&self, day: NaiveDate) -> &[Span] {
        match self.days.get(&day) {
            Some(other) => other,
            None => &self.week[day.weekday().num_days_from_monday() as usize],
        }
    }

    /// The first moment at which the clock shows a minute of a day, or a later one where that is left out.
    fn moment(&self, day: NaiveDate, minute: u16) -> DateTime<Utc> {
        let local = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(i64::from(minute));
        let shown = |more| {
            self.zone
                .from_local_datetime(&(local + TimeDelta::minutes(more)))
                .earliest()
        };
        (0..=SKIPPED)
            .find_map(shown)
            .map_or_else(|| local.and_utc(), |at| at.to_utc())
    }

    /// The spans that end after a moment, in their order.
    fn ahead(&self, from: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        let first = from.with_timezone(&self.zone).date_naive();
        let spans = move |day: NaiveDate| {
            self.spans(day)
                .iter()
                .map(move |[begin, end]| (self.moment(day, *begin), self.moment(day, *end)))
        };
        first
            .iter_days()
            .take(FAR)
            .flat_map(spans)
            .filter(move |(_, end)| *end > from)
    }

    /// The working time between two moments; none where the second is not after the first.
    pub fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        self.ahead(from)
            .take_while(|(begin, _)| *begin < to)
            .map(|(begin, end)| (end.min(to) - begin.max(from)).max(TimeDelta::zero()))
            .fold(TimeDelta::zero(), |sum, part| sum + part)
    }

    /// The first moment by which so much working time has passed since another one. None where there is not so much of it in
    /// years.
    pub fn after(&self, from: DateTime<Utc>, work: TimeDelta) -> Option<DateTime<Utc>> {
        let mut left = work;
        if left <= TimeDelta::zero() {
            return Some(from);
        }
        for (begin, end) in self.ahead(from) {
            let begin = begin.max(from);
            if end - begin >= left {
                return Some(begin + left);
            }
            left -= end - begin;
        }
        None
    }
}

/// The minute of a day: `9`, `9:30`, `24:00`.
fn minute(text: &str) -> Result<u16, Flaw> {
    let (hour, minute) = text.trim().split_once([':', '.']).unwrap_or((text.trim(), "0"));
    let number = |text: &str, max: u16| {
        let is_plain = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>()
            .ok()
            .filter(|n| is_plain && *n <= max)
            .ok_or(Flaw::NotHours)
    };
    let minute = number(hour, 24)? * 60 + number(minute, 59)?;
    if minute > 24 * 60 {
        Err(Flaw::NotHours)
    } else {
        Ok(minute)
    }
}

/// Hours as they are typed: `9:00–13:00, 14:00–18:00`, in their order; none where nothing is.
pub fn hours(text: &str) -> Result<Vec<Span>, Flaw> {
    let mut spans: Vec<Span> = Vec::new();
    for part in text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        let (begin, end) = part.split_once(['-', '–', '—']).ok_or(Flaw::NotHours)?;
        let span = [minute(begin)?, minute(end)?];
        let is_after = spans.last().is_none_or(|last| last[1] <= span[0]);
        if span[0] >= span[1] || !is_after || spans.len() == SPANS_MAX {
            return Err(Flaw::NotHours);
        }
        spans.push(span);
    }
    Ok(spans)
}

/// Days as they are typed, one or several in a row in each line: `2027-01-01..2027-01-08` are holidays, `2026-12-31 9:00–15:00`
/// is a day with other hours.
pub fn days(text: &str) -> Result<Days, Flaw> {
    let mut days = Days::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() {
            continue;
        }
        let unreadable = || Flaw::Unreadable { line: number };
        let (which, hours_of) = line.split_once(' ').unwrap_or((line, ""));
        let (first, last) = which.split_once("..").unwrap_or((which, which));
        let (first, last) = (date(first).ok_or_else(unreadable)?, date(last).ok_or_else(unreadable)?);
        let spans = hours(hours_of).map_err(|_| unreadable())?;
        if first > last {
            return Err(unreadable());
        }
        for day in first.iter_days().take_while(|day| *day <= last) {
            if days.len() == DAYS_MAX {
                return Err(Flaw::TooManyLines { max: DAYS_MAX });
            }
            days.insert(day, spans.clone());
        }
    }
    Ok(days)
}

fn date(text: &str) -> Option<NaiveDate> {
    ["%Y-%m-%d", "%d.%m.%Y"]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(text, form).ok())
        .filter(|day| (2000..=2200).contains(&day.year()))
}

/// Hours as [`hours`] reads them.
pub fn show_hours(spans: &[Span]) -> String {
    let clock = |minute: u16| format!("{}:{:02}", minute / 60, minute % 60);
    let shown: Vec<_> = spans
        .iter()
        .map(|[begin, end]| format!("{}–{}", clock(*begin), clock(*end)))
        .collect();
    shown.join(", ")
}

/// Days as [`days`] reads them.
pub fn show_days(days: &Days) -> String {
    let lines: Vec<_> = days
        .iter()
        .map(|(day, spans)| format!("{day} {}", show_hours(spans)).trim_end().to_owned())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDateTime;
    use proptest::prelude::*;

    fn zone(name: &str) -> Tz {
        name.parse().expect("a zone")
    }

    fn week(all: &str, weekend: &str) -> Week {
        let [all, weekend] = [all, weekend].map(|text| hours(text).expect("hours"));
        std::array::from_fn(|day| if day < 5 { all.clone() } else { weekend.clone() })
    }

    /// A moment by the clock of a zone: the first of two.
    fn at(zone: Tz, text: &str) -> DateTime<Utc> {
        let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time");
        zone.from_local_datetime(&local).earliest().expect("a moment").to_utc()
    }

    /// The shop's, with a dinner break, a short day and holidays.
    fn moscow() -> (Tz, Calendar) {
        let zone = zone("Europe/Moscow");
        let other = days("2026-12-31 9:00–15:00\n2027-01-01..2027-01-08").expect("days");
        (zone, Calendar::new(zone, week("9–13, 14–20", ""), other))
    }

    #[test]
    fn what_is_written_on_friday_evening_is_answered_on_monday() {
        let (zone, calendar) = moscow();
        let after = |from: &str, minutes| calendar.after(at(zone, from), TimeDelta::minutes(minutes));
        let is = |text| Some(at(zone, text));
        // 20 November 2026 is a Friday.
        assert_eq!(after("2026-11-20 19:50", 30), is("2026-11-23 09:20"));
        assert_eq!(
            after("2026-11-20 19:50", 10),
            is("2026-11-20 20:00"),
            "the end of the day, not the next morning"
        );
        assert_eq!(
            after("2026-11-20 12:50", 20),
            is("2026-11-20 14:10"),
            "dinner is no work"
        );
        assert_eq!(after("2026-11-21 12:00", 0), is("2026-11-21 12:00"));
        assert_eq!(
            after("2026-12-31 14:30", 60),
            is("2027-01-11 09:30"),
            "a short day, then holidays and a weekend"
        );
        let between = |from: &str, to: &str| calendar.between(at(zone, from), at(zone, to)).num_minutes();
        assert_eq!(between("2026-11-20 19:50", "2026-11-23 09:20"), 30);
        assert_eq!(between("2026-11-20 00:00", "2026-11-21 00:00"), 600);
        assert_eq!(between("2026-12-31 00:00", "2027-01-11 00:00"), 360);
        assert_eq!(between("2026-11-21 00:00", "2026-11-20 00:00"), 0);
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_and_one_that_is_left_out_is_none() {
        let zone = zone("Europe/Berlin");
        let calendar = Calendar::new(zone, week("0–24", "0–24"), Days::new());
        let day = |day: &str, next: &str| {
            let [from, to] = [day, next].map(|day| at(zone, &format!("{day} 00:00")));
            calendar.between(from, to).num_hours()
        };
        assert_eq!(day("2026-03-29", "2026-03-30"), 23);
        assert_eq!(day("2026-10-25", "2026-10-26"), 25);
        // The clock goes from 3:00 back to 2:00, so that what begins at 2:30 begins once.
        let calendar = Calendar::new(zone, week("2:00–2:30, 2:30–3:00", "2:00–2:30, 2:30–3:00"), Days::new());
        let long = |day: &str| calendar.between(at(zone, &format!("{day} 00:00")), at(zone, &format!("{day} 12:00")));
        assert_eq!(long("2026-10-25").num_minutes(), 120);
        assert_eq!(long("2026-03-29").num_minutes(), 0);
        assert_eq!(long("2026-03-30").num_minutes(), 60);
    }

    #[test]
    fn without_work_nothing_is_ever_due() {
        let (zone, _) = moscow();
        let calendar = Calendar::new(zone, Week::default(), Days::new());
        let from = at(zone, "2026-11-20 19:50");
        assert_eq!(calendar.after(from, TimeDelta::minutes(1)), None);
        assert_eq!(calendar.between(from, from + TimeDelta::days(300)), TimeDelta::zero());
    }

    #[test]
    fn hours_and_days_are_read_and_shown_again() {
        assert_eq!(hours("9-13; 14:30—24:00"), Ok(vec![[540, 780], [870, 1440]]));
        assert_eq!(show_hours(&[[540, 780], [870, 1440]]), "9:00–13:00, 14:30–24:00");
        assert_eq!(hours(" "), Ok(vec![]));
        for wrong in [
            "9",
            "9-9",
            "13-9",
            "9-13, 12-18",
            "25-26",
            "9:60-10",
            "-1-5",
            "9–24:01",
            "+9-10",
            "9-10-11",
            "x",
        ] {
            assert_eq!(hours(wrong), Err(Flaw::NotHours), "{wrong}");
        }
        let read = days("31.12.2026 9-15\n\n2027-01-01..2027-01-02\n").expect("days");
        assert_eq!(show_days(&read), "2026-12-31 9:00–15:00\n2027-01-01\n2027-01-02");
        assert_eq!(days(&show_days(&read)), Ok(read));
        for wrong in [
            "2027-02-29",
            "2027-01-01 x",
            "2027-01-02..2027-01-01",
            "1999-01-01",
            "tomorrow",
        ] {
            let text = format!("2027-01-01\n{wrong}");
            assert_eq!(days(&text), Err(Flaw::Unreadable { line: 2 }), "{wrong}");
        }
        assert_eq!(
            days("2027-01-01..2199-01-01"),
            Err(Flaw::TooManyLines { max: DAYS_MAX })
        );
    }

    /// Minute by minute, by the furthest time that the clock has shown.
    fn counted(calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
        let (mut at, mut shown, mut minutes) = (from - TimeDelta::days(3), NaiveDateTime::MIN, 0);
        while at < to {
            shown = shown.max(at.with_timezone(&calendar.zone).naive_local());
            let midnight = shown.date().and_time(NaiveTime::MIN);
            let minute = (shown - midnight).num_minutes();
            let spans = calendar.spans(shown.date());
            let is_work = spans
                .iter()
                .any(|[begin, end]| (i64::from(*begin)..i64::from(*end)).contains(&minute));
            minutes += i64::from(at >= from && is_work);
            at += TimeDelta::minutes(1);
        }
        minutes
    }

    /// Days on and around which clocks were put forward and back, by hours, by half of one, at midnight and by a day.
    const TURNS: [(&str, &str); 9] = [
        ("Europe/Berlin", "2026-03-27 00:00"),
        ("Europe/Berlin", "2026-10-23 00:00"),
        ("America/New_York", "2026-10-30 00:00"),
        ("Australia/Lord_Howe", "2026-04-03 00:00"),
        ("Australia/Lord_Howe", "2026-10-02 00:00"),
        ("America/Sao_Paulo", "2018-11-02 00:00"),
        ("America/Sao_Paulo", "2018-02-16 00:00"),
        ("Pacific/Apia", "2011-12-28 00:00"),
        ("Asia/Kathmandu", "2026-12-30 00:00"),
    ];

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        proptest::collection::btree_set(0_u16..=1440, 0..6).prop_map(|edges| {
            let edges: Vec<u16> = edges.into_iter().collect();
            edges.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
        })
    }

    fn calendars() -> impl Strategy<Value = (Calendar, DateTime<Utc>)> {
        let week = proptest::array::uniform7(spans());
        let other = proptest::collection::btree_map(0_i64..6, spans(), 0..3);
        (0..TURNS.len(), week, other).prop_map(|(turn, week, other)| {
            let (name, day) = TURNS[turn];
            let zone = zone(name);
            let begin = at(zone, day);
            let first = begin.with_timezone(&zone).date_naive();
            let other = other
                .into_iter()
                .map(|(n, spans)| (first + TimeDelta::days(n), spans))
                .collect();
            (Calendar::new(zone, week, other), begin)
        })
    }

    proptest! {
        #[test]
        fn working_time_is_what_somebody_counts_minute_by_minute(
            (calendar, begin) in calendars(), from in 0_i64..4 * 1440, long in 0_i64..4 * 1440
        ) {
            let from = begin + TimeDelta::minutes(from);
            let to = from + TimeDelta::minutes(long);
            prop_assert_eq!(calendar.between(from, to).num_minutes(), counted(&calendar, from, to));
        }

        #[test]
        fn what_is_due_is_due_as_soon_as_the_time_is_over(
            (calendar, begin) in calendars(), from in 0_i64..4 * 86_400, work in 1_i64..5_000
        ) {
            let (from, work) = (begin + TimeDelta::seconds(from), TimeDelta::minutes(work));
            match calendar.after(from, work) {
                Some(due) => {
                    prop_assert_eq!(calendar.between(from, due), work);
                    prop_assert!(calendar.between(from, due - TimeDelta::microseconds(1)) < work);
                }
                None => prop_assert!(calendar.between(from, from + TimeDelta::days(3_990)) < work),
            }
        }

        #[test]
        fn parts_add_up((calendar, begin) in calendars(), cuts in proptest::collection::vec(0_i64..6 * 86_400, 3)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let at = |n: usize| begin + TimeDelta::seconds(cuts[n]);
            let parts = calendar.between(at(0), at(1)) + calendar.between(at(1), at(2));
            prop_assert_eq!(parts, calendar.between(at(0), at(2)));
        }
    }
}
