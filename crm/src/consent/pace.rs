//! Whether and when a promotional message may go: the consent, the hours that are quiet, how many a week, a pause. What the
//! contract or somebody's safety needs is never asked about here.

use super::{Aim, store as consents};
use crate::customer::Channel;
use crate::db::{Conn, Db, scoped};
use crate::error::Error;
use crate::flaw::{Check, Flaw};
use crate::id::{CustomerId, OutboxId};
use crate::on;
use crate::shop::Shop;
use crate::who::{Customer, Subject};
use chrono::{DateTime, Days, Duration, NaiveDate, Timelike as _, Utc};

/// The time within which messages are counted.
pub const WEEK: Duration = Duration::days(7);
/// The most that a customer may choose to have within that time.
pub const MOST: i64 = 7;
/// A quarter of an hour, in seconds.
const QUARTER: i64 = 15 * 60;
/// For how many days a customer may choose a pause at most.
const LONGEST_PAUSE: u64 = 366;

/// What somebody wants of promotional messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// The hour of the shop's clock from which on none comes.
    pub quiet_from: u32,
    /// The hour from which on they may come again; the same as the first: no hour is quiet.
    pub quiet_until: u32,
    /// How many may come within a [`WEEK`], by all channels together; 0: none.
    pub per_week: u32,
    /// The first day on which they may come again.
    pub paused_until: Option<NaiveDate>,
}

impl Wishes {
    /// Those of whoever has not said anything.
    pub fn of_shop(shop: &Shop) -> Self {
        Self {
            quiet_from: shop.messages.quiet_from,
            quiet_until: shop.messages.quiet_until,
            per_week: shop.messages.per_week,
            paused_until: None,
        }
    }

    /// Whether an hour of the shop's clock is quiet.
    pub fn is_quiet(&self, hour: u32) -> bool {
        let (from, until) = (self.quiet_from, self.quiet_until);
        if from <= until {
            (from..until).contains(&hour)
        } else {
            hour >= from || hour < until
        }
    }
}

/// When a promotional message may go that could go now; `None` while none may go at all. `others` are the moments at which
/// the others went or will go.
pub fn when(shop: &Shop, wishes: &Wishes, others: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let most = usize::try_from(wishes.per_week).ok().filter(|most| *most > 0)?;
    let mut others = others.to_vec();
    others.sort_unstable();
    // As long as the last so many lie within a week, one more would be too many.
    let after_others = others.len().checked_sub(most).map(|first| others[first] + WEEK);
    let after_pause = wishes.paused_until.map(|day| shop.midnight(day));
    let earliest = [after_others, after_pause].into_iter().flatten().fold(now, Ord::max);
    Some(awake(shop, wishes, earliest))
}

/// The first moment from this one on that is not quiet. Whatever the clocks do there, they show whole quarters of an hour at
/// whole quarters of ours.
fn awake(shop: &Shop, wishes: &Wishes, at: DateTime<Utc>) -> DateTime<Utc> {
    let is_quiet = |at: &DateTime<Utc>| wishes.is_quiet(shop.local(*at).hour());
    if !is_quiet(&at) {
        return at;
    }
    let quarter = at.timestamp().div_euclid(QUARTER) * QUARTER;
    // Where a clock change leaves out the one hour in which anything may come, that is the day after.
    (1..3 * 24 * 4)
        .filter_map(|n| DateTime::from_timestamp(quarter + n * QUARTER, 0))
        .find(|at| !is_quiet(at))
        .unwrap_or(at)
}

/// Decides about one message by everything that is known: the earliest moment at which it may go, and `None` where the customer
/// does not agree to it or wants none. Whoever sends asks before writing it, and whoever carries it asks once more.
pub(crate) async fn decide(
    conn: &mut Conn,
    customer: CustomerId,
    aim: Aim,
    channel: Channel,
    message: OutboxId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // Those that were written before it go before it.
    const OTHERS: &str = "SELECT COALESCE(sent_at, due_at) FROM outbox WHERE customer_id = $1 AND aim IS NOT NULL \
                          AND id <> $2 AND (sent_at > $3 OR (state = 'queued' AND id < $2))";
    if !consents::agrees(conn, customer, aim, channel).await? {
        return Ok(None);
    }
    let now = conn.now();
    let wishes = wishes_of(conn, customer).await?;
    let others: Vec<DateTime<Utc>> = on!(conn, |c| sqlx::query_scalar(OTHERS)
        .bind(customer)
        .bind(message)
        .bind(now - WEEK)
        .fetch_all(c)
        .await)?;
    Ok(when(conn.shop(), &wishes, &others, now))
}

/// What a customer wants, by their own word or else by the shop's.
pub async fn wishes(conn: &mut Conn, of: Subject) -> Result<Wishes, Error> {
    Ok(wishes_of(conn, of.id()).await?)
}

async fn wishes_of(conn: &mut Conn, customer: CustomerId) -> Result<Wishes, sqlx::Error> {
    const SQL: &str =
        "SELECT quiet_from, quiet_until, per_week, paused_until FROM message_wishes WHERE customer_id = $1";
    let found: Option<(i64, i64, i64, Option<NaiveDate>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(customer).fetch_optional(c).await)?;
    let number = |n: i64| u32::try_from(n).unwrap_or_default();
    Ok(match found {
        Some((from, until, per_week, paused_until)) => Wishes {
            quiet_from: number(from),
            quiet_until: number(until),
            per_week: number(per_week),
            paused_until,
        },
        None => Wishes::of_shop(conn.shop()),
    })
}

/// What somebody wants, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct WishesForm {
    /// The hour from which on it is quiet.
    pub quiet_from: String,
    /// The hour until which it is.
    pub quiet_until: String,
    /// How many a week.
    pub per_week: String,
    /// The first day after a pause, as 2026-12-31; empty for no pause.
    pub paused_until: String,
}

impl WishesForm {
    /// Checks every field; `today` is the shop's day. A pause that is over is none any more.
    pub fn check(&self, check: &mut Check, today: NaiveDate) -> Option<Wishes> {
        let quiet_from = check.field("quiet_from", whole(&self.quiet_from, 23));
        let quiet_until = check.field("quiet_until", whole(&self.quiet_until, 23));
        let per_week = check.field("per_week", whole(&self.per_week, MOST));
        let paused_until = check.field("paused_until", first_day(&self.paused_until, today));
        Some(Wishes {
            quiet_from: quiet_from?,
            quiet_until: quiet_until?,
            per_week: per_week?,
            paused_until: paused_until?,
        })
    }
}

fn whole(typed: &str, max: i64) -> Result<u32, Flaw> {
    let number: u32 = typed.trim().parse().map_err(|_| Flaw::NotANumber)?;
    match i64::from(number) <= max {
        true => Ok(number),
        false => Err(Flaw::OutOfRange { min: 0, max }),
    }
}

fn first_day(typed: &str, today: NaiveDate) -> Result<Option<NaiveDate>, Flaw> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    let day = NaiveDate::parse_from_str(typed, "%Y-%m-%d").map_err(|_| Flaw::NotADate)?;
    let last = today.checked_add_days(Days::new(LONGEST_PAUSE)).unwrap_or(today);
    match day {
        day if day < today => Err(Flaw::InThePast),
        day if day > last => Err(Flaw::NotADate),
        day => Ok(Some(day).filter(|day| *day > today)),
    }
}

/// Keeps what a customer wants. Flaws stand at `quiet_from`, `quiet_until`, `per_week` and `paused_until`. What waits already
/// is asked about anew.
pub async fn set_wishes(db: &Db, by: &Customer, form: &WishesForm) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO message_wishes (customer_id, quiet_from, quiet_until, per_week, paused_until, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (customer_id) DO UPDATE SET \
                       quiet_from = excluded.quiet_from, quiet_until = excluded.quiet_until, \
                       per_week = excluded.per_week, paused_until = excluded.paused_until, \
                       updated_at = excluded.updated_at";
    const ANEW: &str = "UPDATE outbox SET due_at = $2 WHERE customer_id = $1 AND aim IS NOT NULL AND state = 'queued' \
                        AND claimed_by IS NULL";
    let mut check = Check::new();
    let wishes = form.check(&mut check, db.shop().day(db.now()));
    check.result()?;
    let wishes = wishes.ok_or(Error::Stale)?;
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            on!(tx, |c| sqlx::query(SQL)
                .bind(by.id())
                .bind(i64::from(wishes.quiet_from))
                .bind(i64::from(wishes.quiet_until))
                .bind(i64::from(wishes.per_week))
                .bind(wishes.paused_until)
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            on!(tx, |c| sqlx::query(ANEW)
                .bind(by.id())
                .bind(now)
                .execute(c)
                .await
                .map(drop))?;
            by.record(tx, "customer.preferences", None).await?;
            Ok(())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment")
    }

    fn shop(zone: &str) -> Shop {
        Shop {
            time_zone: zone.into(),
            ..Shop::default()
        }
    }

    const NIGHT: Wishes = Wishes {
        quiet_from: 21,
        quiet_until: 9,
        per_week: 2,
        paused_until: None,
    };

    #[test]
    fn a_message_waits_for_the_morning() {
        let moscow = shop("Europe/Moscow");
        let when = |now: &str| when(&moscow, &NIGHT, &[], at(now)).expect("it may go");
        assert_eq!(when("2026-11-21T17:59:59Z"), at("2026-11-21T17:59:59Z"), "20:59 there");
        assert_eq!(when("2026-11-21T18:00:00Z"), at("2026-11-22T06:00:00Z"), "21:00");
        assert_eq!(when("2026-11-22T05:59:59Z"), at("2026-11-22T06:00:00Z"), "8:59");
        assert_eq!(when("2026-11-22T06:00:00Z"), at("2026-11-22T06:00:00Z"), "9:00");
    }

    #[test]
    fn the_last_ones_make_the_next_wait() {
        let moscow = shop("Europe/Moscow");
        let now = at("2026-11-21T12:00:00Z");
        let others = [
            now - Duration::days(1),
            now - Duration::days(6),
            now - Duration::days(3),
        ];
        let when = |wishes: &Wishes| when(&moscow, wishes, &others, now);
        assert_eq!(
            when(&NIGHT),
            Some(now + Duration::days(4)),
            "the second last was three days ago"
        );
        let often = Wishes { per_week: 4, ..NIGHT };
        assert_eq!(when(&often), Some(now));
        assert_eq!(when(&Wishes { per_week: 0, ..NIGHT }), None);
        let pause = Wishes {
            paused_until: NaiveDate::from_ymd_opt(2026, 12, 1),
            ..often
        };
        assert_eq!(
            when(&pause),
            Some(at("2026-12-01T06:00:00Z")),
            "at nine of the first day"
        );
    }

    /// Only between two and three in the morning, an hour that is left out on the day when summer time begins.
    #[test]
    fn an_hour_that_is_left_out_makes_it_wait_a_day_longer() {
        let berlin = shop("Europe/Berlin");
        let narrow = Wishes {
            quiet_from: 3,
            quiet_until: 2,
            ..NIGHT
        };
        let when = |now: &str| when(&berlin, &narrow, &[], at(now)).expect("it may go");
        assert_eq!(when("2026-03-28T02:00:00Z"), at("2026-03-30T00:00:00Z"));
        assert_eq!(
            when("2026-10-24T02:00:00Z"),
            at("2026-10-25T00:00:00Z"),
            "the first of two"
        );
        assert_eq!(when("2026-10-25T01:30:00Z"), at("2026-10-25T01:30:00Z"), "the second");
    }

    #[test]
    fn what_is_typed_is_checked() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).expect("a day");
        let form = |from: &str, per_week: &str, pause: &str| WishesForm {
            quiet_from: from.into(),
            quiet_until: "9".into(),
            per_week: per_week.into(),
            paused_until: pause.into(),
        };
        let flaws = |form: WishesForm| {
            let mut check = Check::new();
            form.check(&mut check, today);
            check.flaws()
        };
        assert_eq!(flaws(form("22", "0", "")), []);
        assert_eq!(flaws(form("22", "7", "2026-11-21")), []);
        let wrong = flaws(form("24", "8", "2026-11-20"));
        let [hours, week] = [23, MOST].map(|max| Flaw::OutOfRange { min: 0, max });
        let expected = [
            ("quiet_from", hours),
            ("per_week", week),
            ("paused_until", Flaw::InThePast),
        ];
        assert_eq!(wrong, expected.map(|(field, flaw)| (field.to_owned(), flaw)));
        assert_eq!(flaws(form("", "-1", "31.12.2026")).len(), 3);
        assert_eq!(flaws(form("1", "1", "+99999-01-01")).len(), 1);
        assert_eq!(flaws(form("1", "1", "2028-01-01")).len(), 1);
        let over = form("1", "1", "2026-11-21").check(&mut Check::new(), today);
        assert_eq!(over.and_then(|wishes| wishes.paused_until), None);
    }

    /// Zones with a clock change of an hour, of half an hour, at midnight, and without any.
    const ZONES: [&str; 6] = [
        "Europe/Moscow",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Beirut",
        "UTC",
    ];

    proptest! {
        /// It goes at the first moment at which nothing speaks against it: steps of a quarter of an hour find none before.
        #[test]
        fn a_message_goes_as_soon_as_it_may_and_no_sooner(
            zone in 0..ZONES.len(),
            minutes in 0_i64..365 * 24 * 60,
            quiet_from in 0_u32..24,
            quiet_until in 0_u32..24,
            per_week in 1_u32..5,
            pause in prop::option::of(0_u64..20),
            others in prop::collection::vec(-10 * 24 * 60_i64..5 * 24 * 60, 0..8),
        ) {
            let shop = shop(ZONES[zone]);
            let now = at("2026-01-01T00:00:00Z") + Duration::minutes(minutes);
            let paused_until = pause.map(|days| shop.day(now) + Days::new(days));
            let wishes = Wishes { quiet_from, quiet_until, per_week, paused_until };
            let others: Vec<_> = others.into_iter().map(|minutes| now + Duration::minutes(minutes)).collect();
            let speaks_against = |at: DateTime<Utc>| {
                let within_a_week = others.iter().filter(|other| at - **other < WEEK).count();
                wishes.is_quiet(shop.local(at).hour())
                    || within_a_week >= per_week as usize
                    || paused_until.is_some_and(|day| shop.day(at) < day)
            };
            let goes = when(&shop, &wishes, &others, now).expect("some day");
            prop_assert!(goes >= now && !speaks_against(goes), "{goes}");
            let mut before = now;
            while before < goes {
                prop_assert!(speaks_against(before), "{before} would do as well as {goes}");
                before += Duration::minutes(15);
            }
        }
    }
}
