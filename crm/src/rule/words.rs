//! Why a rule did not apply, in words for whoever stands at the counter: what is missing, and how much of it.

use super::explain::{Capped, Failure, Found};
use super::{Condition, Dates, Range, Rule, Whose};
use crate::content::days;
use crate::lang::{Lang, Localized};
use chrono::{NaiveDate, TimeZone, Weekday};

/// Why a rule did not apply. `zone` is the shop's.
pub fn reason<Z: TimeZone>(rule: &Rule, failure: &Failure, zone: &Z) -> Localized
where
    Z::Offset: std::fmt::Display,
{
    let moment = |at: &chrono::DateTime<chrono::Utc>| {
        let local = at.with_timezone(zone);
        both(|lang| format!("{}, {}", day(lang, local.date_naive()), local.format("%H:%M")))
    };
    match failure {
        Failure::Occasion(_) => fixed("Правило для другого случая", "The rule is for another occasion"),
        Failure::NotYet(at) => {
            let at = moment(at);
            text(format!("Начнёт действовать {}", at.ru), format!("Holds from {}", at.en))
        }
        Failure::Over(at) => {
            let at = moment(at);
            text(format!("Действовало до {}", at.ru), format!("Held until {}", at.en))
        }
        Failure::Condition { clause, found } => match rule.clause(*clause) {
            Some(clause) => condition(clause.condition, found),
            None => fixed("Условие не выполнено", "A condition does not hold"),
        },
        Failure::UsedUp { what, allowed, used } => used_up(*what, *allowed, *used),
        Failure::Group(_) => fixed(
            "Уже действует другое правило той же группы",
            "Another rule of its group was granted",
        ),
        Failure::Closed(_) => fixed(
            "На эти товары уже действует скидка, с которой эта не складывается",
            "These articles have a discount already with which this one does not go together",
        ),
        Failure::Nothing => fixed("Дать по правилу нечего", "There is nothing to give"),
    }
}

fn fixed(ru: &str, en: &str) -> Localized {
    text(ru.into(), en.into())
}

fn text(ru: String, en: String) -> Localized {
    Localized { ru, en }
}

fn both(words: impl Fn(Lang) -> String) -> Localized {
    text(words(Lang::Ru), words(Lang::En))
}

fn used_up(what: Capped, allowed: i64, used: i64) -> Localized {
    let (is_value, ru, en) = match what {
        Capped::DayValue => (
            true,
            "На сегодня лимит покупателя исчерпан",
            "The customer's limit for today is used up",
        ),
        Capped::DayTimes => (
            false,
            "На сегодня лимит покупателя исчерпан",
            "The customer's limit for today is used up",
        ),
        Capped::CustomerValue => (true, "Лимит покупателя исчерпан", "The customer's limit is used up"),
        Capped::CustomerTimes => (false, "Лимит покупателя исчерпан", "The customer's limit is used up"),
        Capped::BudgetValue => (true, "Бюджет акции исчерпан", "The budget is used up"),
        Capped::BudgetTimes => (false, "Бюджет акции исчерпан", "The budget is used up"),
    };
    let number = |lang, n| {
        if is_value {
            hundredths(lang, n)
        } else {
            integer(lang, n)
        }
    };
    text(
        format!("{ru}: {} из {}", number(Lang::Ru, used), number(Lang::Ru, allowed)),
        format!("{en}: {} of {}", number(Lang::En, used), number(Lang::En, allowed)),
    )
}

fn condition(condition: &Condition, found: &Found) -> Localized {
    if *found == Found::Nobody {
        return fixed("Покупатель не назван", "Nobody is known who buys");
    }
    match condition {
        Condition::Article(_) => fixed("В чеке нет товаров из акции", "None of the articles is in the basket"),
        Condition::Category(_) => fixed(
            "В чеке нет товаров нужной категории",
            "Nothing of the category is in the basket",
        ),
        Condition::Brand(_) => fixed(
            "В чеке нет товаров нужной марки",
            "Nothing of the brand is in the basket",
        ),
        Condition::Price(range) => compared(
            ("Нет товаров с ценой", "No article has a price of"),
            None,
            range,
            hundredths,
        ),
        Condition::Quantity(range) => compared(
            ("Нет товаров в количестве", "No article is there in a number of"),
            None,
            range,
            integer,
        ),
        Condition::LineSum(range) => compared(("Нет строк на сумму", "No line costs"), None, range, hundredths),
        Condition::BasketSum(range) => compared(("Сумма покупки", "The basket costs"), Some(found), range, hundredths),
        Condition::Contains { .. } => fixed(
            "В чеке нет нужного набора товаров",
            "The basket lacks what has to be in it",
        ),
        Condition::Store(_) => fixed("Действует в других магазинах", "Holds in other shops"),
        Condition::Region(_) => fixed("Действует в другом регионе", "Holds in another region"),
        Condition::Weekday(days) => both(|lang| match lang {
            Lang::Ru => format!("Действует по дням: {}", week(lang, days)),
            Lang::En => format!("Holds on {}", week(lang, days)),
        }),
        Condition::Hours { from, to, days } => both(|lang| {
            let on = if days.is_empty() {
                String::new()
            } else {
                format!(", {}", week(lang, days))
            };
            match lang {
                Lang::Ru => format!("Действует с {} до {}{on}", clock(*from), clock(*to)),
                Lang::En => format!("Holds from {} to {}{on}", clock(*from), clock(*to)),
            }
        }),
        Condition::Period(dates) => period(*dates),
        Condition::Birthday { of, .. } => birthday(*of, found),
        Condition::Tier { .. } => fixed("Нет нужного уровня в программе", "The customer has not the tier"),
        Condition::Member(_) => fixed(
            "Покупатель не участвует в программе",
            "The customer is no member of the program",
        ),
        Condition::Tenure(range) => compared(
            ("Дней с регистрации", "Days since the registration"),
            Some(found),
            range,
            integer,
        ),
        Condition::PurchaseCount { count, .. } => compared(
            ("Покупок за период", "Purchases in the period"),
            Some(found),
            count,
            integer,
        ),
        Condition::PurchaseSum { sum, .. } => compared(
            ("Куплено за период на", "Bought in the period for"),
            Some(found),
            sum,
            hundredths,
        ),
        Condition::Invited => fixed(
            "Покупатель пришёл не по приглашению",
            "The customer did not come by an invitation",
        ),
        Condition::FirstPurchase => fixed("Это не первая покупка", "This is not the first purchase"),
        Condition::Segment(_) => fixed(
            "Покупатель не входит в нужную группу",
            "The customer is not in the segment",
        ),
        Condition::Payment(_) if *found == Found::Unknown => {
            fixed("Способ оплаты не указан", "Nobody told how it is paid")
        }
        Condition::Channel(_) if *found == Found::Unknown => {
            fixed("Способ покупки не указан", "Nobody told in which way it is bought")
        }
        Condition::Payment(_) => fixed("Действует при другом способе оплаты", "Holds with another way to pay"),
        Condition::Channel(_) => fixed("Действует при другом способе покупки", "Holds with another way to buy"),
        Condition::Coupon(_) => fixed("Купон не предъявлен", "No coupon was presented"),
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
            fixed("Условие не выполнено", "A condition does not hold")
        }
    }
}

/// What was found beside what is expected.
fn compared(
    (ru, en): (&str, &str),
    found: Option<&Found>,
    range: &Range,
    number: fn(Lang, i64) -> String,
) -> Localized {
    both(|lang| {
        let words = if lang == Lang::Ru { ru } else { en };
        let bound = |word: &str, bound: Option<i64>| bound.map(|bound| format!("{word} {}", number(lang, bound)));
        let (least, most) = if lang == Lang::Ru {
            ("от", "до")
        } else {
            ("at least", "at most")
        };
        let bounds = [bound(least, range.at_least), bound(most, range.at_most)];
        let bounds = bounds.into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (found, lang) {
            (Some(Found::Number(n)), Lang::Ru) => format!("{words}: {}, нужно {bounds}", number(lang, *n)),
            (Some(Found::Number(n)), Lang::En) => format!("{words}: {}, and it has to be {bounds}", number(lang, *n)),
            (Some(_), Lang::Ru) => format!("{words}: не известно, нужно {bounds}"),
            (Some(_), Lang::En) => format!("{words}: not known, and it has to be {bounds}"),
            (None, _) => format!("{words} {bounds}"),
        }
    })
}

fn birthday(of: Whose, found: &Found) -> Localized {
    match (of, found) {
        (Whose::Customer, Found::Birthday { until, .. }) => both(|lang| match lang {
            Lang::Ru => format!("До дня рождения {}", days(lang, i64::from(*until))),
            Lang::En => format!("{} until the birthday", days(lang, i64::from(*until))),
        }),
        (Whose::Child, Found::Birthday { until, .. }) => both(|lang| match lang {
            Lang::Ru => format!("До дня рождения ребёнка {}", days(lang, i64::from(*until))),
            Lang::En => format!("{} until a child's birthday", days(lang, i64::from(*until))),
        }),
        (Whose::Customer, _) => fixed("День рождения не указан", "The birthday is not known"),
        (Whose::Child, _) => fixed("Дни рождения детей не указаны", "No child's birthday is known"),
    }
}

fn period(dates: Dates) -> Localized {
    both(|lang| {
        let part = |word: &str, date: Option<NaiveDate>| date.map(|date| format!(" {word} {}", day(lang, date)));
        let (begin, from, to) = match lang {
            Lang::Ru => ("Действует", "с", "по"),
            Lang::En => ("Holds", "from", "to"),
        };
        let parts = [part(from, dates.from), part(to, dates.to)];
        parts
            .into_iter()
            .flatten()
            .fold(begin.to_owned(), |words, part| words + &part)
    })
}

fn day(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::Ru => date.format("%d.%m.%Y").to_string(),
        Lang::En => date.format("%-d %b %Y").to_string(),
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn week(lang: Lang, days: &[Weekday]) -> String {
    let name = |day: &Weekday| match lang {
        Lang::Ru => ["пн", "вт", "ср", "чт", "пт", "сб", "вс"][day.num_days_from_monday() as usize].to_owned(),
        Lang::En => day.to_string(),
    };
    days.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A number with its thousands apart.
fn integer(lang: Lang, n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(if lang == Lang::Ru { '\u{a0}' } else { ',' });
        }
        text.push(digit);
    }
    if n < 0 { format!("−{text}") } else { text }
}

/// Hundredths as people write them.
fn hundredths(lang: Lang, n: i64) -> String {
    let mark = if lang == Lang::Ru { ',' } else { '.' };
    let sign = if -100 < n && n < 0 { "−" } else { "" };
    format!("{sign}{}{mark}{:02}", integer(lang, n / 100), n.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::super::tests::rule;
    use super::*;

    fn said(condition: &str, found: Found) -> [String; 2] {
        let rule = rule(&[condition]);
        let words = reason(&rule, &Failure::Condition { clause: 0, found }, &chrono::Utc);
        [words.ru, words.en]
    }

    #[test]
    fn a_reason_names_what_was_found_and_what_is_needed() {
        assert_eq!(
            said(r#"{"basket_sum": {"at_least": 100000}}"#, Found::Number(450_50)),
            [
                "Сумма покупки: 450,50, нужно от 1\u{a0}000,00",
                "The basket costs: 450.50, and it has to be at least 1,000.00"
            ]
        );
        assert_eq!(
            said(
                r#"{"birthday": {"of": "customer"}}"#,
                Found::Birthday { since: None, until: 21 }
            ),
            ["До дня рождения 21\u{a0}день", "21\u{a0}days until the birthday"]
        );
        assert_eq!(
            said(r#"{"weekday": ["Sat", "Sun"]}"#, Found::Day(NaiveDate::default())),
            ["Действует по дням: сб, вс", "Holds on Sat, Sun"]
        );
        assert_eq!(
            said(r#"{"member": ["00000000-0000-0000-0000-000000000001"]}"#, Found::Nobody),
            ["Покупатель не назван", "Nobody is known who buys"]
        );
        assert_eq!(
            said(
                r#"{"purchase_count": {"window": "ever", "count": {"at_least": 2, "at_most": 5}}}"#,
                Found::Number(7)
            ),
            [
                "Покупок за период: 7, нужно от 2 до 5",
                "Purchases in the period: 7, and it has to be at least 2 at most 5"
            ]
        );
    }

    #[test]
    fn what_nobody_told_is_told_apart_from_another_way() {
        use crate::rule::{Channel, Payment};
        for (condition, found, words) in [
            (
                r#"{"payment": ["cash"]}"#,
                Found::Unknown,
                ["Способ оплаты не указан", "Nobody told how it is paid"],
            ),
            (
                r#"{"payment": ["cash"]}"#,
                Found::Payment(Payment::Card),
                ["Действует при другом способе оплаты", "Holds with another way to pay"],
            ),
            (
                r#"{"channel": ["app"]}"#,
                Found::Unknown,
                ["Способ покупки не указан", "Nobody told in which way it is bought"],
            ),
            (
                r#"{"channel": ["app"]}"#,
                Found::Channel(Channel::Till),
                ["Действует при другом способе покупки", "Holds with another way to buy"],
            ),
        ] {
            assert_eq!(said(condition, found), words);
        }
    }

    #[test]
    fn moments_are_told_by_the_shops_clock() {
        let zone = chrono::FixedOffset::east_opt(3 * 3600).expect("an offset");
        let at = "2026-11-27T22:30:00Z".parse().expect("a moment");
        let words = reason(&rule(&[]), &Failure::NotYet(at), &zone);
        assert_eq!(words.ru, "Начнёт действовать 28.11.2026, 01:30");
        assert_eq!(words.en, "Holds from 28 Nov 2026, 01:30");
        let used = Failure::UsedUp {
            what: Capped::CustomerTimes,
            allowed: 1,
            used: 1,
        };
        assert_eq!(reason(&rule(&[]), &used, &zone).ru, "Лимит покупателя исчерпан: 1 из 1");
    }

    #[test]
    fn numbers_keep_their_sign() {
        assert_eq!(hundredths(Lang::Ru, -50), "−0,50");
        assert_eq!(hundredths(Lang::En, -1_234_567_05), "−1,234,567.05");
        assert_eq!(integer(Lang::Ru, 999), "999");
    }
}
