//! Reports: what staff are told of the shop in figures, none of which names a customer. What would be asked of millions of lines
//! and customers is kept by day ([`store`]); the rest is small enough to be asked for as it is.
//!
//! A report is figures of a period beside those of the period before it, and tables. Pages, files and e-mails show the same
//! [`Report`], so a new figure needs its place in [`store::reading`] and its words.

use crate::flaw::Flaw;
use crate::id::{ProgramId, StoreId, TierId};
use crate::lang::Localized;
use crate::request::Promise;
use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use std::str::FromStr;

#[cfg(feature = "store")]
pub mod store;

/// The longest period, in days: two years.
pub const MOST_DAYS: i64 = 731;
/// What is wrong with a longer one.
const TOO_LONG: Flaw = Flaw::OutOfRange { min: 1, max: MOST_DAYS };
/// The most minutes that a request can be said to take.
const MOST_MINUTES: i64 = 240;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "store",
    derive(sqlx::Type),
    sqlx(type_name = "TEXT", rename_all = "snake_case")
)]
pub enum Kind {
    /// What was sold.
    Purchases,
    /// What was issued, spent and expired, and what is owed.
    Points,
    /// Who came, who left, who buys.
    Members,
    /// What support was asked, and how quickly it answered.
    Requests,
    /// What customers found out by themselves.
    SelfService,
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Purchases,
        Self::Points,
        Self::Members,
        Self::Requests,
        Self::SelfService,
    ];

    /// As addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchases => "purchases",
            Self::Points => "points",
            Self::Members => "members",
            Self::Requests => "requests",
            Self::SelfService => "self_service",
        }
    }

    /// By what it may be narrowed. A receipt and a request are of no program, and of who looks something up nothing is kept.
    pub const fn slices(self) -> &'static [Slice] {
        match self {
            Self::Purchases | Self::Requests => &[Slice::Store, Slice::Tier],
            Self::Points | Self::Members => &[Slice::Store, Slice::Tier, Slice::Program],
            Self::SelfService => &[],
        }
    }
}

/// By what a report may be narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// To one shop.
    Store,
    /// To one tier.
    Tier,
    /// To one program.
    Program,
}

/// No kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of report")]
pub struct NoKind;

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(code: &str) -> Result<Self, NoKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == code).ok_or(NoKind)
    }
}

/// A period that goes with the day on which it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// The last seven days, today among them.
    Week,
    /// The last thirty.
    ThirtyDays,
    /// The calendar week that is over, from Monday on.
    LastWeek,
    /// The calendar month up to today.
    Month,
    /// The calendar month that is over.
    LastMonth,
    /// The last 365 days.
    Year,
}

impl Period {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Week,
        Self::ThirtyDays,
        Self::LastWeek,
        Self::Month,
        Self::LastMonth,
        Self::Year,
    ];

    /// As addresses name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::ThirtyDays => "days30",
            Self::LastWeek => "last_week",
            Self::Month => "month",
            Self::LastMonth => "last_month",
            Self::Year => "year",
        }
    }

    /// Its first and its last day.
    pub fn days(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let back = |days| today.checked_sub_days(Days::new(days)).unwrap_or(today);
        let monday = today.week(Weekday::Mon).first_day();
        let first = month_of(today);
        let before = |day: NaiveDate| day.pred_opt().unwrap_or(day);
        match self {
            Self::Week => (back(6), today),
            Self::ThirtyDays => (back(29), today),
            Self::LastWeek => (monday.checked_sub_days(Days::new(7)).unwrap_or(monday), before(monday)),
            Self::Month => (first, today),
            Self::LastMonth => (month_of(before(first)), before(first)),
            Self::Year => (back(364), today),
        }
    }
}

/// The first day of the month of a day.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// The first day of the month after the one of a day.
pub fn next_month(day: NaiveDate) -> NaiveDate {
    month_of(day).checked_add_months(Months::new(1)).unwrap_or(day)
}

/// What is asked: of which days, and which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// Of one shop.
    pub store: Option<StoreId>,
    /// Of customers with this tier.
    pub tier: Option<TierId>,
    /// Of one program.
    pub program: Option<ProgramId>,
    /// How many minutes of staff a request is taken to cost; none: as the shop has it.
    pub minutes: Option<i64>,
}

impl Ask {
    /// Everything in a period.
    pub const fn of((from, to): (NaiveDate, NaiveDate)) -> Self {
        Self {
            from,
            to,
            store: None,
            tier: None,
            program: None,
            minutes: None,
        }
    }

    /// Reads what an address asks by the values of its query: `period`, or `from` and `to` in its place, `store`, `tier`,
    /// `program` and `minutes`. What cannot be read is told by its field, beside the question without it.
    pub fn read<'a>(value: impl Fn(&str) -> Option<&'a str>, today: NaiveDate) -> (Self, Vec<(&'static str, Flaw)>) {
        let mut flaws = Vec::new();
        let chosen = value("period").and_then(|code| Period::ALL.into_iter().find(|period| period.as_str() == code));
        let mut days = chosen.unwrap_or(Period::ThirtyDays).days(today);
        let typed = ["from", "to"].map(|name| value(name).map(day));
        match typed {
            [None, None] => {}
            [Some(Some(from)), Some(Some(to))] if from > to => flaws.push(("to", Flaw::Backwards)),
            [Some(Some(from)), Some(Some(to))] if (to - from).num_days() >= MOST_DAYS => {
                flaws.push(("to", TOO_LONG));
            }
            [Some(Some(from)), Some(Some(to))] => days = (from, to),
            [from, to] => {
                for (name, typed) in [("from", from), ("to", to)] {
                    match typed {
                        None => flaws.push((name, Flaw::Missing)),
                        Some(None) => flaws.push((name, Flaw::NotADate)),
                        Some(Some(_)) => {}
                    }
                }
            }
        }
        let minutes = value("minutes").map(|typed| typed.parse().ok().filter(|n| (1..=MOST_MINUTES).contains(n)));
        if minutes == Some(None) {
            flaws.push((
                "minutes",
                Flaw::OutOfRange {
                    min: 1,
                    max: MOST_MINUTES,
                },
            ));
        }
        let ask = Self {
            store: value("store").and_then(|id| id.parse().ok()),
            tier: value("tier").and_then(|id| id.parse().ok()),
            program: value("program").and_then(|id| id.parse().ok()),
            minutes: minutes.flatten(),
            ..Self::of(days)
        };
        (ask, flaws)
    }

    /// The same without what a report of a kind cannot be narrowed to. A tier is of one program: beside it none is asked.
    pub fn of_kind(mut self, kind: Kind) -> Self {
        let takes = |slice| kind.slices().contains(&slice);
        self.store = self.store.filter(|_| takes(Slice::Store));
        self.tier = self.tier.filter(|_| takes(Slice::Tier));
        let is_free = takes(Slice::Program) && self.tier.is_none();
        self.program = self.program.filter(|_| is_free);
        self
    }

    /// The period before: of whole calendar months as many months, of a month that has begun the same part of the one before it, and
    /// else as many days.
    pub fn before(&self) -> (NaiveDate, NaiveDate) {
        let months = (self.to.year() - self.from.year()) * 12 + self.to.month0() as i32 - self.from.month0() as i32 + 1;
        let after = next_month(self.to);
        let is_whole = self.to.succ_opt() == Some(after);
        if self.from == month_of(self.from) && (is_whole || months == 1) {
            let months = Months::new(months.unsigned_abs());
            let back = |day: NaiveDate| day.checked_sub_months(months).unwrap_or(day);
            let last = match is_whole {
                true => back(after).pred_opt().unwrap_or(self.to),
                false => back(self.to),
            };
            return (back(self.from), last);
        }
        let days = Days::new((self.to - self.from).num_days().unsigned_abs() + 1);
        let back = |day: NaiveDate| day.checked_sub_days(days).unwrap_or(day);
        (back(self.from), back(self.to))
    }

    /// What is asked, by the names that addresses have for it.
    #[cfg(feature = "store")]
    pub(crate) fn told(&self) -> String {
        let parts = [
            ("store", self.store.map(|id| id.to_string())),
            ("tier", self.tier.map(|id| id.to_string())),
            ("program", self.program.map(|id| id.to_string())),
            ("minutes", self.minutes.map(|n| n.to_string())),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("&{name}={}", value?)));
        format!("from={}&to={}{}", self.from, self.to, parts.collect::<String>())
    }

    /// What stands side by side in its charts.
    pub fn step(&self) -> Step {
        match (self.to - self.from).num_days() {
            ..=30 => Step::Day,
            31..=180 => Step::Week,
            _ => Step::Month,
        }
    }

    /// The first and the last day of each step of the period.
    pub fn steps(&self) -> Vec<(NaiveDate, NaiveDate)> {
        let step = self.step();
        let mut steps = Vec::new();
        let mut first = self.from;
        while first <= self.to {
            let last = step.last(first).min(self.to);
            steps.push((first, last));
            let Some(next) = last.succ_opt() else { break };
            first = next;
        }
        steps
    }
}

/// A day as an address carries it.
fn day(typed: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(typed, "%Y-%m-%d")
        .ok()
        .filter(|day| (1900..=2200).contains(&day.year()))
}

/// A part of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A day.
    Day,
    /// A calendar week, from Monday on.
    Week,
    /// A calendar month.
    Month,
}

impl Step {
    /// The last day of the step in which a day lies.
    fn last(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day.week(Weekday::Mon).last_day(),
            Self::Month => next_month(day).pred_opt().unwrap_or(day),
        }
    }
}

/// What a figure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// So many.
    Count,
    /// Minor units of the shop's currency.
    Money,
    /// Hundredths of points.
    Points,
    /// Minutes.
    Minutes,
    /// Hundredths of a number.
    Hundredths,
    /// Per cent.
    Percent,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// What was paid, before anything came back.
    Sales,
    /// Receipts of sales.
    Receipts,
    /// What was paid for a receipt on average.
    AverageReceipt,
    /// What was given back for what came back.
    Returned,
    /// What was taken off prices.
    Discount,
    /// Receipts of customers who are known.
    Known,
    /// Customers who bought.
    Buyers,
    /// Receipts of a customer in a month, on average.
    Frequency,
    /// What was paid less what was given back.
    Net,
    /// How many pieces were sold less those that came back.
    Pieces,
    /// Points that were issued, less what returns took back.
    Issued,
    /// Points that were spent, less what went back.
    Spent,
    /// Points that expired.
    Expired,
    /// Points that staff gave, less what they took.
    Adjusted,
    /// How many times staff gave or took points, or put a receipt right.
    Corrections,
    /// Those of them that a colleague consented to.
    Consented,
    /// Those of them that put a receipt right.
    OfReceipts,
    /// Points that staff gave by hand.
    Given,
    /// Points that staff took by hand.
    Taken,
    /// Points that customers hold at the end.
    Owed,
    /// Customers who registered.
    Registered,
    /// Those of them who have proved a phone or an address.
    Verified,
    /// Memberships that began.
    Joined,
    /// Memberships that ended.
    Left,
    /// Customers, members of a program or those with a tier, at the end.
    Members,
    /// Those of them who bought within the days before.
    Active,
    /// Requests that customers wrote, or had written down.
    Received,
    /// Requests that staff began, writing to somebody who had asked nothing.
    Begun,
    /// Requests that were closed.
    Closed,
    /// Within which time half of what was answered had the first answer.
    FirstAnswer,
    /// Within which time half of what customers wrote and was closed was, for the first time.
    Solution,
    /// Requests that were open at the end.
    Backlog,
    /// Requests that were opened again.
    Reopened,
    /// What customers thought of answers on average, 1 to 5.
    Score,
    /// How many said what they thought.
    Ratings,
    /// How many per cent of what was promised and fell due came in time.
    InTime(Promise),
    /// How many of these came in time.
    Kept(Promise),
    /// How many came late, or have not come.
    Missed(Promise),
    /// The same three of the period before, beside them in a table that says what was promised.
    InTimeBefore,
    /// Likewise.
    KeptBefore,
    /// Likewise.
    MissedBefore,
    /// Calls, visits and other talks that were written down.
    Talks,
    /// Minutes in them, as far as somebody looked at the clock.
    TalkMinutes,
    /// Tasks that were done.
    TasksDone,
    /// Those of them that were done after their day.
    DoneLate,
    /// Readers whom an article of the help was of use to.
    Helped,
    /// Customers who wrote in the chat or looked at what the cabinet explains, and sent no request; each once a day.
    Alone,
    /// Those of them who wrote in the chat.
    Chats,
    /// Those of them who looked at what the cabinet explains.
    Looks,
    /// Requests that were spared by helpful articles and to these customers.
    Spared,
    /// Minutes of staff that were spared.
    Saved,
}

impl Figure {
    /// What it is in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Sales | Self::AverageReceipt | Self::Returned | Self::Discount | Self::Net => Unit::Money,
            Self::Issued | Self::Spent | Self::Expired | Self::Adjusted | Self::Given | Self::Taken | Self::Owed => {
                Unit::Points
            }
            Self::FirstAnswer | Self::Solution | Self::TalkMinutes | Self::Saved => Unit::Minutes,
            Self::Frequency | Self::Score => Unit::Hundredths,
            Self::InTime(_) | Self::InTimeBefore => Unit::Percent,
            _ => Unit::Count,
        }
    }
}

/// A figure of a period; none where nothing was there to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Which.
    pub figure: Figure,
    /// In the period.
    pub now: Option<i64>,
    /// In the one before.
    pub before: Option<i64>,
}

impl Total {
    /// The difference to the period before, in thousandths of that; none where there is nothing to compare with.
    pub fn change(&self) -> Option<i64> {
        let (now, before) = (i128::from(self.now?), i128::from(self.before?));
        if before <= 0 {
            return None;
        }
        i64::try_from((now - before) * 1000 / before).ok()
    }
}

/// By what a table is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Day by day, or week by week, or month by month.
    Step(Step),
    /// By shop.
    Store,
    /// By category.
    Category,
    /// By tier.
    Tier,
    /// By calendar month, of whole months.
    Month,
    /// By program.
    Program,
    /// By topic.
    Topic,
    /// By who did it: answered, corrected points; or has the request.
    Agent,
    /// By who talked and did tasks.
    Work,
    /// What was promised, by topic.
    PromiseByTopic(Promise),
    /// The same by who kept it or did not.
    PromiseByAgent(Promise),
    /// By the age of points.
    Age,
}

/// What a row of a table is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Of none: no shop, no category.
    None,
    /// Words.
    Words(Localized),
    /// A name.
    Plain(String),
    /// From this day on, to that one.
    Days(NaiveDate, NaiveDate),
    /// The month that begins on this day.
    Month(NaiveDate),
    /// As many days old, and less than as many; none: however old.
    Age(i64, Option<i64>),
}

/// A row of a table: what it is called, and a figure for each column.
pub type Row = (Name, Vec<Option<i64>>);

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// By what.
    pub by: By,
    /// What is counted. The first of them is drawn.
    pub columns: Vec<Figure>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub kind: Kind,
    /// What was asked, as far as this kind can be narrowed to it.
    pub ask: Ask,
    /// What it is narrowed to, by its name.
    pub narrowed: Vec<(Slice, Name)>,
    /// The figures of the period.
    pub totals: Vec<Total>,
    /// The tables: the steps of the period first.
    pub tables: Vec<Table>,
    /// The day with whose beginning it was counted what is owed by age or who is a member, where it was.
    pub counted_on: Option<NaiveDate>,
    /// How many minutes a request is taken to cost.
    pub minutes: i64,
}

/// An average; none of nothing.
pub fn average(sum: i64, count: i64) -> Option<i64> {
    (count > 0).then(|| sum / count)
}

/// The middle one: as many are below as above. None of nothing.
pub fn median(mut all: Vec<i64>) -> Option<i64> {
    all.sort_unstable();
    all.get(all.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn ask(query: &[(&str, &'static str)]) -> (Ask, Vec<(&'static str, Flaw)>) {
        let values: BTreeMap<&str, &'static str> = query.iter().copied().collect();
        Ask::read(|name| values.get(name).copied(), date("2026-11-21"))
    }

    #[test]
    fn periods_go_with_the_day() {
        // A Saturday.
        let today = date("2026-11-21");
        for (period, from, to) in [
            (Period::Week, "2026-11-15", "2026-11-21"),
            (Period::ThirtyDays, "2026-10-23", "2026-11-21"),
            (Period::LastWeek, "2026-11-09", "2026-11-15"),
            (Period::Month, "2026-11-01", "2026-11-21"),
            (Period::LastMonth, "2026-10-01", "2026-10-31"),
            (Period::Year, "2025-11-22", "2026-11-21"),
        ] {
            assert_eq!(period.days(today), (date(from), date(to)), "{period:?}");
        }
    }

    #[test]
    fn an_address_is_read_and_what_is_wrong_is_told() {
        let (plain, flaws) = ask(&[]);
        assert_eq!((plain.from, plain.to), (date("2026-10-23"), date("2026-11-21")));
        assert_eq!(flaws, []);
        assert_eq!(plain.before(), (date("2026-09-23"), date("2026-10-22")));
        let (own, flaws) = ask(&[("from", "2026-01-01"), ("to", "2026-01-31"), ("minutes", "5")]);
        assert_eq!(
            (own.from, own.to, own.minutes),
            (date("2026-01-01"), date("2026-01-31"), Some(5))
        );
        assert_eq!(flaws, []);
        type Wrong<'a> = (&'a [(&'a str, &'static str)], &'a str, Flaw);
        let wrong: [Wrong<'_>; 5] = [
            (&[("from", "2026-01-01")], "to", Flaw::Missing),
            (&[("from", "2026-02-30"), ("to", "2026-03-01")], "from", Flaw::NotADate),
            (&[("from", "2026-03-02"), ("to", "2026-03-01")], "to", Flaw::Backwards),
            (&[("from", "2020-03-02"), ("to", "2026-03-01")], "to", TOO_LONG),
            (
                &[("minutes", "0")],
                "minutes",
                Flaw::OutOfRange {
                    min: 1,
                    max: MOST_MINUTES,
                },
            ),
        ];
        for (query, field, flaw) in wrong {
            let (left, flaws) = ask(query);
            assert_eq!(flaws, [(field, flaw)], "{query:?}");
            assert_eq!(left, plain, "{query:?}");
        }
    }

    #[test]
    fn months_are_compared_with_months() {
        for (from, to, first, last) in [
            // A whole one, a longer one before a shorter one, and the other way about.
            ("2026-10-01", "2026-10-31", "2026-09-01", "2026-09-30"),
            ("2026-03-01", "2026-03-31", "2026-02-01", "2026-02-28"),
            ("2026-02-01", "2026-02-28", "2026-01-01", "2026-01-31"),
            ("2028-03-01", "2028-03-31", "2028-02-01", "2028-02-29"),
            // A quarter, a year, and over the end of one.
            ("2026-04-01", "2026-06-30", "2026-01-01", "2026-03-31"),
            ("2026-01-01", "2026-12-31", "2025-01-01", "2025-12-31"),
            ("2026-01-01", "2026-01-31", "2025-12-01", "2025-12-31"),
            // A month that has begun, up to the same day, or the last one that there is.
            ("2026-11-01", "2026-11-21", "2026-10-01", "2026-10-21"),
            ("2026-03-01", "2026-03-30", "2026-02-01", "2026-02-28"),
            // As many days.
            ("2026-11-09", "2026-11-15", "2026-11-02", "2026-11-08"),
            ("2026-10-01", "2026-11-21", "2026-08-10", "2026-09-30"),
            ("2026-10-15", "2026-10-31", "2026-09-28", "2026-10-14"),
        ] {
            let before = Ask::of((date(from), date(to))).before();
            assert_eq!(before, (date(first), date(last)), "{from} to {to}");
        }
        let today = date("2026-11-21");
        for (period, before) in [
            (Period::Month, (date("2026-10-01"), date("2026-10-21"))),
            (Period::LastMonth, (date("2026-09-01"), date("2026-09-30"))),
        ] {
            assert_eq!(Ask::of(period.days(today)).before(), before, "{period:?}");
        }
    }

    #[test]
    fn a_report_is_narrowed_by_what_it_can_be_narrowed_by() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let (all, flaws) = ask(&[("store", id), ("tier", id), ("program", id)]);
        assert_eq!(flaws, []);
        assert!(all.store.is_some() && all.tier.is_some() && all.program.is_some());
        let left = |one: Ask, kind| {
            let one = one.of_kind(kind);
            [one.store.is_some(), one.tier.is_some(), one.program.is_some()]
        };
        for kind in [Kind::Purchases, Kind::Points, Kind::Members, Kind::Requests] {
            assert_eq!(left(all, kind), [true, true, false], "{kind:?}");
        }
        assert_eq!(left(all, Kind::SelfService), [false; 3]);
        // Where no tier is asked.
        let all = Ask { tier: None, ..all };
        for (kind, program) in [
            (Kind::Purchases, false),
            (Kind::Points, true),
            (Kind::Members, true),
            (Kind::Requests, false),
        ] {
            assert_eq!(left(all, kind), [true, false, program], "{kind:?}");
        }
    }

    #[test]
    fn steps_cover_the_period_and_nothing_else() {
        for (from, to) in [
            ("2026-11-01", "2026-11-30"),
            ("2026-09-16", "2026-11-21"),
            ("2025-11-22", "2026-11-21"),
        ] {
            let one = Ask::of((date(from), date(to)));
            let steps = one.steps();
            assert!(steps.len() <= 32, "{}", steps.len());
            assert_eq!(steps.first().map(|step| step.0), Some(one.from));
            assert_eq!(steps.last().map(|step| step.1), Some(one.to));
            assert!(steps.windows(2).all(|pair| pair[0].1.succ_opt() == Some(pair[1].0)));
        }
    }

    #[test]
    fn a_change_is_told_where_there_is_something_to_compare_with() {
        let change = |now, before| {
            Total {
                figure: Figure::Sales,
                now,
                before,
            }
            .change()
        };
        assert_eq!(change(Some(150), Some(100)), Some(500));
        assert_eq!(change(Some(0), Some(100)), Some(-1000));
        assert_eq!(change(Some(5), Some(0)), None);
        assert_eq!(change(None, Some(5)), None);
        assert_eq!(change(Some(i64::MAX), Some(1)), None);
    }

    #[test]
    fn medians_and_averages() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9]), Some(9));
        assert_eq!(median(vec![9, 1, 5, 100]), Some(5));
        assert_eq!(average(10, 0), None);
        assert_eq!(average(10, 4), Some(2));
    }
}
