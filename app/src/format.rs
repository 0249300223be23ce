//! Money, points, dates and times as people of each language write them.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Timelike, Utc};
use crm::lang::Lang;
use crm::shop::Shop;

const NBSP: char = '\u{a0}';

/// A whole number with its thousands parted: `12 345`.
pub fn integer(n: i64) -> String {
    grouped(n, NBSP)
}

fn grouped(n: i64, between: char) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    if n < 0 {
        out.push('−');
    }
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(between);
        }
        out.push(c);
    }
    out
}

/// Minor units with two decimals: `1 234,50` or `1,234.50`.
fn decimal(lang: Lang, minor: i64) -> String {
    let (comma, group) = match lang {
        Lang::Ru => (',', NBSP),
        Lang::En => ('.', ','),
    };
    let whole = grouped((minor.unsigned_abs() / 100).cast_signed(), group);
    let sign = if minor < 0 { "−" } else { "" };
    format!("{sign}{whole}{comma}{:02}", minor.unsigned_abs() % 100)
}

/// An amount of money in minor units: `1 234,50 ₽`.
pub fn money(lang: Lang, shop: &Shop, minor: i64) -> String {
    format!("{}{NBSP}{}", decimal(lang, minor), shop.currency_sign())
}

/// An amount rounded to whole units of the currency, where there is room for no more: `1 235 ₽`.
pub fn money_rounded(lang: Lang, shop: &Shop, minor: i64) -> String {
    let whole = decimal(lang, (minor + 50).div_euclid(100) * 100);
    format!("{}{NBSP}{}", &whole[..whole.len() - 3], shop.currency_sign())
}

/// Points in hundredths, whole ones without decimals: `1 248` or `36,75`.
pub fn points(lang: Lang, minor: i64) -> String {
    let text = decimal(lang, minor);
    text.strip_suffix(match lang {
        Lang::Ru => ",00",
        Lang::En => ".00",
    })
    .map_or(text.clone(), str::to_owned)
}

/// Points with their sign: `+36,75`, `−5`.
pub fn signed_points(lang: Lang, minor: i64) -> String {
    if minor > 0 {
        format!("+{}", points(lang, minor))
    } else {
        points(lang, minor)
    }
}

const MONTHS_RU_ALONE: [&str; 12] = [
    "Январь",
    "Февраль",
    "Март",
    "Апрель",
    "Май",
    "Июнь",
    "Июль",
    "Август",
    "Сентябрь",
    "Октябрь",
    "Ноябрь",
    "Декабрь",
];
const WEEKDAYS_RU: [&str; 7] = [
    "понедельник",
    "вторник",
    "среда",
    "четверг",
    "пятница",
    "суббота",
    "воскресенье",
];
const WEEKDAYS_EN: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// The months' names as they stand in a date, January first.
pub fn months(lang: Lang) -> [&'static str; 12] {
    lang.months()
}

/// A weekday's name, Monday being 0.
pub fn weekday(lang: Lang, index: usize) -> &'static str {
    match lang {
        Lang::Ru => WEEKDAYS_RU[index % 7],
        Lang::En => WEEKDAYS_EN[index % 7],
    }
}

/// A month by itself: `Ноябрь 2026`.
pub fn month(lang: Lang, day: NaiveDate) -> String {
    let names = if lang == Lang::Ru {
        MONTHS_RU_ALONE
    } else {
        lang.months()
    };
    format!("{} {}", names[day.month0() as usize], day.year())
}

/// The first letters of a month, for a chart: `ноя`.
pub fn month_short(lang: Lang, day: NaiveDate) -> String {
    let names = if lang == Lang::Ru {
        MONTHS_RU_ALONE
    } else {
        lang.months()
    };
    let short: String = names[day.month0() as usize].chars().take(3).collect();
    if lang == Lang::Ru { short.to_lowercase() } else { short }
}

/// A day with its year: `21 ноября 2026`.
pub fn date(lang: Lang, day: NaiveDate) -> String {
    lang.date_in_words(day)
}

/// A day without its year when it is this one: `21 ноября`.
pub fn day(lang: Lang, day: NaiveDate, today: NaiveDate) -> String {
    lang.day_in_words(day, today)
}

/// A day with its weekday: `21 ноября, суббота`.
pub fn day_and_weekday(lang: Lang, day_: NaiveDate, today: NaiveDate) -> String {
    format!(
        "{}, {}",
        day(lang, day_, today),
        weekday(lang, day_.weekday().num_days_from_monday() as usize)
    )
}

/// A moment by the shop's clock: `21 ноября, 14:05`.
pub fn moment(lang: Lang, shop: &Shop, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{}, {}", day(lang, shop.day(at), shop.day(now)), time(shop, at))
}

/// The shop's clock at a moment of today: `14:05`.
pub fn time(shop: &Shop, at: DateTime<Utc>) -> String {
    let local = shop.local(at);
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// How long ago, in words: `12 минут назад`. Beyond a week, the day.
pub fn ago(lang: Lang, shop: &Shop, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let t = &crate::texts::Texts::of(lang).common;
    let passed = now - at;
    if passed < Duration::minutes(1) {
        t.just_now.to_owned()
    } else if passed < Duration::hours(1) {
        t.minutes_ago(passed.num_minutes())
    } else if passed < Duration::days(1) {
        t.hours_ago(passed.num_hours())
    } else if passed < Duration::days(7) {
        t.days_ago(passed.num_days())
    } else {
        day(lang, shop.day(at), shop.day(now))
    }
}
