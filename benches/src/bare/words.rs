//! Money, points, dates and bars as the product shows them in Russian.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Europe::Moscow;
use std::borrow::Borrow;

/// The headers of the product's pages.
pub const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; manifest-src 'self'; worker-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(self), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-create=(self), publickey-credentials-get=(self), screen-wake-lock=(self), usb=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

pub const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const MONTHS_ALONE: [&str; 12] = [
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

/// A new idempotency key for a form.
pub fn key() -> String {
    // Two random UUIDs are about as many random bits as the product's keys.
    format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        &uuid::Uuid::new_v4().simple().to_string()[..11]
    )
}

pub fn local(at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&Moscow).naive_local()
}

pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    Moscow
        .from_local_datetime(&day.and_time(NaiveTime::MIN))
        .earliest()
        .map(|at| at.to_utc())
        .unwrap_or_default()
}

pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

pub fn month_name(first: NaiveDate) -> String {
    format!("{} {}", MONTHS_ALONE[first.month0() as usize], first.year())
}

pub fn day(day: NaiveDate, now: DateTime<Utc>) -> String {
    let month = MONTHS[day.month0() as usize];
    if day.year() == local(now).year() {
        format!("{}\u{a0}{month}", day.day())
    } else {
        format!("{}\u{a0}{month} {}", day.day(), day.year())
    }
}

// Templates hand over values and references alike.

pub fn moment(at: impl Borrow<DateTime<Utc>>, now: impl Borrow<DateTime<Utc>>) -> String {
    let at = local(*at.borrow());
    format!("{}, {:02}:{:02}", day(at.date(), *now.borrow()), at.hour(), at.minute())
}

pub fn exact(at: impl Borrow<DateTime<Utc>>) -> String {
    let at = local(*at.borrow());
    format!(
        "{}\u{a0}{} {}, {}",
        at.day(),
        MONTHS[at.month0() as usize],
        at.year(),
        at.format("%H:%M:%S")
    )
}

pub fn ago(at: impl Borrow<DateTime<Utc>>, now: impl Borrow<DateTime<Utc>>) -> String {
    let (at, now) = (*at.borrow(), *now.borrow());
    let passed = now - at;
    let words = |n, forms| format!("{n} {} назад", form(n, forms));
    if passed < TimeDelta::minutes(1) {
        "только что".into()
    } else if passed < TimeDelta::hours(1) {
        words(passed.num_minutes(), ["минуту", "минуты", "минут"])
    } else if passed < TimeDelta::days(1) {
        words(passed.num_hours(), ["час", "часа", "часов"])
    } else if passed < TimeDelta::days(7) {
        words(passed.num_days(), ["день", "дня", "дней"])
    } else {
        day(local(at).date(), now)
    }
}

pub fn until(last: NaiveDate, now: DateTime<Utc>) -> String {
    const DAYS: [&str; 7] = [
        "понедельника",
        "вторника",
        "среды",
        "четверга",
        "пятницы",
        "субботы",
        "воскресенья",
    ];
    match (last - local(now).date()).num_days() {
        ..=0 => "Сегодня последний день".into(),
        1 => format!("До завтра, {}", day(last, now)),
        2..=7 => format!(
            "До {}, {}",
            DAYS[last.weekday().num_days_from_monday() as usize],
            day(last, now)
        ),
        _ => format!("До {}", day(last, now)),
    }
}

fn form(n: i64, forms: [&'static str; 3]) -> &'static str {
    match (n % 10, n % 100) {
        (_, 11..=14) => forms[2],
        (1, _) => forms[0],
        (2..=4, _) => forms[1],
        _ => forms[2],
    }
}

pub fn plural(n: impl Borrow<i64>, forms: impl Borrow<[&'static str; 3]>) -> String {
    let n = *n.borrow();
    format!("{n}\u{a0}{}", form(n, *forms.borrow()))
}

pub fn unit(minor: impl Borrow<i64>) -> &'static str {
    let minor = *minor.borrow();
    form(
        if minor % 100 == 0 { minor.abs() / 100 } else { 2 },
        ["балл", "балла", "баллов"],
    )
}

fn decimal(minor: i64) -> String {
    let digits = (minor.unsigned_abs() / 100).to_string();
    let mut out = String::from(if minor < 0 { "−" } else { "" });
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    format!("{out},{:02}", minor.unsigned_abs() % 100)
}

pub fn money(minor: impl Borrow<i64>) -> String {
    format!("{}\u{a0}₽", decimal(*minor.borrow()))
}

pub fn money_rounded(minor: i64) -> String {
    let whole = decimal((minor + 50).div_euclid(100) * 100);
    format!("{}\u{a0}₽", &whole[..whole.len() - 3])
}

pub fn points(minor: impl Borrow<i64>) -> String {
    let text = decimal(*minor.borrow());
    text.strip_suffix(",00").map_or(text.clone(), str::to_owned)
}

pub fn signed(minor: impl Borrow<i64>) -> String {
    let minor = *minor.borrow();
    format!("{}{}", if minor > 0 { "+" } else { "" }, points(minor))
}

/// The dark bars of an EAN-13 (GS1 General Specifications, 5.2.1) as an SVG path.
pub fn bars(number: &str) -> String {
    const LEFT: [&str; 10] = [
        "0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011",
    ];
    // Which of the left digits are of set B, by the first digit.
    const SETS: [&str; 10] = [
        "AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB", "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA",
    ];
    let digits: Vec<usize> = number.bytes().map(|b| usize::from(b - b'0')).collect();
    if digits.len() != 13 {
        return String::new();
    }
    let right = |d: usize| {
        LEFT[d]
            .chars()
            .map(|c| if c == '0' { '1' } else { '0' })
            .collect::<String>()
    };
    let mut modules = String::from("101");
    for (d, set) in digits[1..7].iter().zip(SETS[digits[0]].chars()) {
        modules += &if set == 'A' {
            LEFT[*d].to_owned()
        } else {
            right(*d).chars().rev().collect()
        };
    }
    modules += "01010";
    for d in &digits[7..] {
        modules += &right(*d);
    }
    modules += "101";
    let modules = modules.as_bytes();
    let mut path = String::new();
    let mut at = 0;
    while at < modules.len() {
        let width = modules[at..].iter().take_while(|m| **m == modules[at]).count();
        if modules[at] == b'1' {
            path.push_str(&format!("M{} 0h{width}v60h-{width}z", at + 11));
        }
        at += width;
    }
    path
}
