//! Why a rule did not apply, in words for whoever stands at the counter: what is missing, and how much of it.

use super::explain::{Capped, Failure, Found};
use super::store::Names;
use super::{Channel, Condition, Dates, Payment, Range, Rule, RuleVersion, Rules, Whose};
use crate::content::days;
use crate::lang::{Lang, Localized};
use chrono::{NaiveDate, TimeZone, Weekday};

/// How many things of a list are named: a reason is read while a queue waits.
pub const NAMED: usize = 3;

/// Why one of these rules did not apply. `names` are those of what the condition that failed points to, of each list at least
/// [`NAMED`]; `zone` is the shop's.
pub fn reason<Z: TimeZone>(rules: &Rules, rule: &Rule, failure: &Failure, names: &Names, zone: &Z) -> Localized
where
    Z::Offset: std::fmt::Display,
{
    let other = |by: &RuleVersion| rules.get(*by).map(|published| published.rule.name.clone());
    let moment = |at: &chrono::DateTime<chrono::Utc>| {
        let local = at.with_timezone(zone);
        both(|lang| format!("{}, {}", day(lang, local.date_naive()), local.format("%H:%M")))
    };
    match failure {
        Failure::Occasion(_) => Localized::new("Правило для другого случая", "The rule is for another occasion"),
        Failure::NotYet(at) => {
            let at = moment(at);
            Localized::new(format!("Начнёт действовать {}", at.ru), format!("Holds from {}", at.en))
        }
        Failure::Over(at) => {
            let at = moment(at);
            Localized::new(format!("Действовало до {}", at.ru), format!("Held until {}", at.en))
        }
        Failure::Condition { clause, found } => match rule.clause(*clause) {
            Some(clause) => condition(clause.condition, found, names),
            None => Localized::new("Условие не выполнено", "A condition does not hold"),
        },
        Failure::UsedUp { what, allowed, used } => used_up(*what, *allowed, *used),
        Failure::Group(by) => about(
            "Уже действует другое правило той же группы",
            "Another rule of its group was granted",
            other(by),
        ),
        Failure::Closed(by) => about(
            "На эти товары уже действует скидка, с которой эта не складывается",
            "These articles have a discount already with which this one does not go together",
            other(by),
        ),
        Failure::Nothing => Localized::new("Дать по правилу нечего", "There is nothing to give"),
    }
}

/// The same for the customer themselves, of rules that are asked about nothing else ([`Rule::for_whom`]): who it is for.
pub fn to_customer<Z: TimeZone>(rules: &Rules, rule: &Rule, failure: &Failure, names: &Names, zone: &Z) -> Localized
where
    Z::Offset: std::fmt::Display,
{
    let told = match failure {
        Failure::Occasion(_) => Some(Localized::new(
            "Для тех, кто только регистрируется",
            "For those who are just registering",
        )),
        Failure::UsedUp {
            what: Capped::BudgetValue | Capped::BudgetTimes,
            ..
        } => Some(Localized::new("Уже всё раздали", "All of it has been given away")),
        Failure::UsedUp { .. } => Some(Localized::new("Вы уже воспользовались", "You have used it already")),
        Failure::Condition { clause, found } => rule
            .clause(*clause)
            .and_then(|clause| for_whom(clause.condition, found, names)),
        _ => None,
    };
    told.unwrap_or_else(|| reason(rules, rule, failure, names, zone))
}

/// For whom a rule is that holds for a customer, condition by condition: why it does. Of a rule that asks about nothing else
/// ([`Rule::for_whom`]); nothing where it is for everybody. `names` are those of what its conditions point to.
pub fn because(rule: &Rule, names: &Names) -> Vec<Localized> {
    // Whoever is let in has been there for no longer than they may.
    let found = Found::Number(i64::MAX);
    let told = rule.conditions.iter().filter_map(|condition| match condition {
        // What they switched on by themselves is no reason, and is told with its day.
        Condition::Activated(_) => None,
        Condition::Birthday {
            of: Whose::Customer, ..
        } => Some(Localized::new("К вашему дню рождения", "For your birthday")),
        Condition::Birthday { of: Whose::Child, .. } => Some(Localized::new(
            "Ко дню рождения ребёнка",
            "For the birthday of your child",
        )),
        Condition::PurchaseCount { .. } => Some(Localized::new("По числу ваших покупок", "For how often you buy")),
        Condition::PurchaseSum { .. } => Some(Localized::new("По сумме ваших покупок", "For how much you buy")),
        other => for_whom(other, &found, names),
    });
    told.collect()
}

/// Whom a condition lets in, where it is told otherwise than to a cashier.
fn for_whom(condition: &Condition, found: &Found, names: &Names) -> Option<Localized> {
    let what = names.of(condition);
    Some(match (condition, found) {
        (Condition::Member(_), _) => about("Для участников программы", "For members of the program", what),
        (Condition::Tier { .. }, _) => about("Для уровня", "For the tier", what),
        (Condition::Activated(_), _) => about("Для тех, кто включил акцию", "For those who switched on", what),
        (Condition::FirstPurchase, _) => Localized::new("Для первой покупки", "For a first purchase"),
        (Condition::Invited, _) => Localized::new(
            "Для тех, кто пришёл по приглашению",
            "For those who came by an invitation",
        ),
        (Condition::Segment(_), _) => Localized::new("Для отдельных покупателей", "For some customers"),
        (
            Condition::Tenure(Range {
                at_most: Some(most), ..
            }),
            Found::Number(n),
        ) if n > most => both(|lang| match lang {
            Lang::Ru => format!("Для тех, кто с нами не дольше: {}", days(lang, *most)),
            Lang::En => format!(
                "For those who have been with us for no longer than {}",
                days(lang, *most)
            ),
        }),
        (
            Condition::Tenure(Range {
                at_least: Some(least), ..
            }),
            _,
        ) => both(|lang| match lang {
            Lang::Ru => format!("Для тех, кто с нами не меньше: {}", days(lang, *least)),
            Lang::En => format!("For those who have been with us for {} or more", days(lang, *least)),
        }),
        _ => return None,
    })
}

fn both(words: impl Fn(Lang) -> String) -> Localized {
    Localized::new(words(Lang::Ru), words(Lang::En))
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
    Localized::new(
        format!("{ru}: {} из {}", number(Lang::Ru, used), number(Lang::Ru, allowed)),
        format!("{en}: {} of {}", number(Lang::En, used), number(Lang::En, allowed)),
    )
}

/// Words, and behind a colon what they are about, where that is known.
fn about(ru: &str, en: &str, what: Option<Localized>) -> Localized {
    match what {
        Some(what) => Localized::new(format!("{ru}: {}", what.ru), format!("{en}: {}", what.en)),
        None => Localized::new(ru, en),
    }
}

/// The first of some things with a mark between them, and how many there are besides; none where not one has a name.
fn listed(mark: &str, count: usize, names: impl Iterator<Item = Localized>) -> Option<Localized> {
    let first: Vec<Localized> = names.take(NAMED).collect();
    let more = count.saturating_sub(first.len());
    let words = both(|lang| {
        let names = first.iter().map(|name| name.get(lang)).collect::<Vec<_>>().join(mark);
        match (more, lang) {
            (0, _) => names,
            (more, Lang::Ru) => format!("{names} и ещё {more}"),
            (more, Lang::En) => format!("{names} and {more} more"),
        }
    });
    (!first.is_empty()).then_some(words)
}

/// The first of what a condition names; what has no name is left out.
fn named<T>(all: &[T], name: impl Fn(&T) -> Option<Localized>) -> Option<Localized> {
    listed(", ", all.len(), all.iter().filter_map(name))
}

fn payment(way: Payment) -> Localized {
    match way {
        Payment::Cash => Localized::new("наличные", "cash"),
        Payment::Card => Localized::new("карта", "card"),
        Payment::Transfer => Localized::new("перевод", "transfer"),
        Payment::Certificate => Localized::new("сертификат", "gift certificate"),
        Payment::Credit => Localized::new("кредит", "credit"),
        Payment::Other => Localized::new("иной способ", "another way"),
    }
}

fn channel(way: Channel) -> Localized {
    match way {
        Channel::Till => Localized::new("касса", "till"),
        Channel::SelfService => Localized::new("касса самообслуживания", "self-service till"),
        Channel::Online => Localized::new("сайт", "site"),
        Channel::App => Localized::new("приложение", "app"),
    }
}

fn known<T: PartialEq>(all: &[(T, Localized)], id: &T) -> Option<Localized> {
    all.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone())
}

impl Names {
    /// What a condition names, if it names anything.
    fn of(&self, condition: &Condition) -> Option<Localized> {
        match condition {
            Condition::Article(ids) => named(ids, |id| {
                self.articles.get(id).map(|(_, name)| Localized::new(name, name))
            }),
            Condition::Category(ids) => named(ids, |id| known(&self.categories, id)),
            Condition::Store(ids) => named(ids, |id| {
                let (_, name, town) = self.stores.iter().find(|(known, ..)| known == id)?;
                Some(both(|lang| format!("{}, {}", town.get(lang), name.get(lang))))
            }),
            Condition::Member(ids) => named(ids, |id| known(&self.programs, id)),
            Condition::Activated(ids) => named(ids, |id| known(&self.promotions, id)),
            Condition::Tier { program, tiers } => named(tiers, |id| {
                let mut all = self.tiers.iter();
                let tier = all.find(|tier| tier.program == *program && tier.id == *id)?;
                Some(tier.name.clone())
            }),
            Condition::Coupon(codes) => named(codes, |code| {
                known(&self.series, code).or_else(|| Some(Localized::new(code, code)))
            }),
            Condition::Brand(words) | Condition::Region(words) | Condition::Segment(words) => {
                named(words, |word| Some(Localized::new(word, word)))
            }
            Condition::Payment(ways) => named(ways, |way| Some(payment(*way))),
            Condition::Channel(ways) => named(ways, |way| Some(channel(*way))),
            _ => None,
        }
    }
}

fn condition(condition: &Condition, found: &Found, names: &Names) -> Localized {
    if *found == Found::Nobody {
        return Localized::new("Покупатель не назван", "Nobody is known who buys");
    }
    let what = names.of(condition);
    let parts = |parts: &[Condition]| listed("; ", parts.len(), parts.iter().map(|part| asked(part, names)));
    match condition {
        Condition::Article(_) => about(
            "В чеке нет товаров из акции",
            "None of the articles is in the basket",
            what,
        ),
        Condition::Category(_) => about(
            "В чеке нет товаров нужной категории",
            "Nothing of the category is in the basket",
            what,
        ),
        Condition::Brand(_) => about(
            "В чеке нет товаров нужной марки",
            "Nothing of the brand is in the basket",
            what,
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
        Condition::Contains { lines, .. } => about(
            "В чеке нет нужного набора товаров",
            "The basket lacks what has to be in it",
            parts(lines),
        ),
        Condition::Store(_) => about("Действует в других магазинах", "Holds in other shops", what),
        Condition::Region(_) => about("Действует в другом регионе", "Holds in another region", what),
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
        Condition::Period(dates) => period(("Действует", "Holds"), *dates),
        Condition::Birthday { of, .. } => birthday(*of, found),
        Condition::Tier { .. } => about("Нет нужного уровня в программе", "The customer has not the tier", what),
        Condition::Member(_) => about(
            "Покупатель не участвует в программе",
            "The customer is no member of the program",
            what,
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
        Condition::Invited => Localized::new(
            "Покупатель пришёл не по приглашению",
            "The customer did not come by an invitation",
        ),
        Condition::FirstPurchase => Localized::new("Это не первая покупка", "This is not the first purchase"),
        Condition::Activated(_) => about(
            "Покупатель не включил акцию",
            "The customer has not switched the promotion on",
            what,
        ),
        Condition::Segment(_) => about(
            "Покупатель не входит в нужную группу",
            "The customer is not in the segment",
            what,
        ),
        Condition::Payment(_) if *found == Found::Unknown => about(
            "Способ оплаты не указан, а нужен",
            "Nobody told how it is paid, and it has to be",
            what,
        ),
        Condition::Channel(_) if *found == Found::Unknown => about(
            "Способ покупки не указан, а нужен",
            "Nobody told in which way it is bought, and it has to be",
            what,
        ),
        Condition::Payment(_) => about(
            "Действует при другом способе оплаты",
            "Holds with another way to pay",
            what,
        ),
        Condition::Channel(_) => about(
            "Действует при другом способе покупки",
            "Holds with another way to buy",
            what,
        ),
        Condition::Coupon(_) => about("Купон не предъявлен", "No coupon was presented", what),
        Condition::All(nested) => about("Не выполнено вместе", "These do not hold together", parts(nested)),
        Condition::Any(nested) => about("Ничего из этого не выполнено", "None of these holds", parts(nested)),
        Condition::Not(inner) => about("Не действует, если", "Does not hold with", Some(asked(inner, names))),
    }
}

/// What a condition within another one asks for, in a few words.
fn asked(condition: &Condition, names: &Names) -> Localized {
    let what = names.of(condition);
    let within = |(ru, en), range, number| compared((ru, en), None, range, number);
    match condition {
        Condition::Article(_) => about("товары", "articles", what),
        Condition::Category(_) => about("категории", "categories", what),
        Condition::Brand(_) => about("марки", "brands", what),
        Condition::Price(range) => within(("цена", "a price of"), range, hundredths),
        Condition::Quantity(range) => within(("количество", "a number of"), range, integer),
        Condition::LineSum(range) => within(("строка на сумму", "a line of"), range, hundredths),
        Condition::BasketSum(range) => within(("покупка на сумму", "a basket of"), range, hundredths),
        Condition::Contains { .. } => Localized::new("набор товаров", "a set of articles"),
        Condition::Store(_) => about("магазины", "shops", what),
        Condition::Region(_) => about("регионы", "regions", what),
        Condition::Weekday(days) => both(|lang| week(lang, days)),
        Condition::Hours { from, to, .. } => {
            let hours = format!("{}–{}", clock(*from), clock(*to));
            Localized::new(&hours, &hours)
        }
        Condition::Period(dates) => period(("дни", "days"), *dates),
        Condition::Birthday {
            of: Whose::Customer, ..
        } => Localized::new("день рождения", "a birthday"),
        Condition::Birthday { of: Whose::Child, .. } => Localized::new("день рождения ребёнка", "a child's birthday"),
        Condition::Tier { .. } => about("уровень в программе", "tier", what),
        Condition::Member(_) => about("участие в программе", "member of", what),
        Condition::Tenure(range) => within(("дней с регистрации", "days since the registration"), range, integer),
        Condition::PurchaseCount { count, .. } => {
            within(("покупок за период", "purchases in the period"), count, integer)
        }
        Condition::PurchaseSum { sum, .. } => {
            within(("куплено за период на", "bought in the period for"), sum, hundredths)
        }
        Condition::FirstPurchase => Localized::new("первая покупка", "the first purchase"),
        Condition::Invited => Localized::new("покупатель по приглашению", "an invited customer"),
        Condition::Activated(_) => about("включённая акция", "switched on", what),
        Condition::Segment(_) => about("группа", "segment", what),
        Condition::Payment(_) => about("оплата", "paid by", what),
        Condition::Channel(_) => about("способ покупки", "bought by", what),
        Condition::Coupon(_) => about("купон", "coupon", what),
        // Deeper it would be no short sentence any more.
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
            Localized::new("несколько условий", "several conditions")
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
        (Whose::Customer, _) => Localized::new("День рождения не указан", "The birthday is not known"),
        (Whose::Child, _) => Localized::new("Дни рождения детей не указаны", "No child's birthday is known"),
    }
}

fn period((ru, en): (&str, &str), dates: Dates) -> Localized {
    both(|lang| {
        let part = |word: &str, date: Option<NaiveDate>| date.map(|date| format!(" {word} {}", day(lang, date)));
        let (begin, from, to) = match lang {
            Lang::Ru => (ru, "с", "по"),
            Lang::En => (en, "from", "to"),
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
    use crate::id::{ArticleId, CategoryId, ProgramId, PromotionId, RuleId, StoreId, TierId};
    use crate::rule::Published;
    use crate::rule::store::NamedTier;

    fn said(condition: &str, found: Found) -> [String; 2] {
        told(&rule(&[condition]), Failure::Condition { clause: 0, found })
    }

    fn told(rule: &Rule, failure: Failure) -> [String; 2] {
        let words = reason(&Rules::default(), rule, &failure, &shop(), &chrono::Utc);
        [words.ru, words.en]
    }

    fn name(ru: &str, en: &str) -> Localized {
        Localized::new(ru, en)
    }

    /// Articles 1 to 4, a category 1, a shop 1, a program 1 with a tier 1.
    fn shop() -> Names {
        let one = uuid::Uuid::from_u128(1);
        let article = |n: u128| {
            (
                ArticleId(uuid::Uuid::from_u128(n)),
                (format!("t-{n}"), format!("Чай {n}")),
            )
        };
        Names {
            articles: (1..=4).map(article).collect(),
            categories: vec![(CategoryId(one), name("Посуда", "Dishes"))],
            stores: vec![(
                StoreId(one),
                name("На Советской", "On Sovetskaya"),
                name("Тверь", "Tver"),
            )],
            programs: vec![(ProgramId(one), name("Клуб", "Club"))],
            tiers: vec![NamedTier {
                program: ProgramId(one),
                id: TierId(one),
                name: name("Золото", "Gold"),
                counts: true,
            }],
            promotions: vec![(PromotionId(one), name("Неделя чая", "Tea week"))],
            regions: Vec::new(),
            series: vec![("tea".to_owned(), name("Скидка на чай", "Tea discount"))],
            segments: Vec::new(),
        }
    }

    #[test]
    fn a_reason_names_what_a_condition_names() {
        let id = |n: u128| format!("\"{}\"", uuid::Uuid::from_u128(n));
        let one = id(1);
        let four = [1, 2, 3, 4].map(id).join(", ");
        for (condition, ru, en) in [
            (
                format!(r#"{{"article": [{four}]}}"#),
                "В чеке нет товаров из акции: Чай 1, Чай 2, Чай 3 и ещё 1",
                "None of the articles is in the basket: Чай 1, Чай 2, Чай 3 and 1 more",
            ),
            (
                format!(r#"{{"category": [{one}]}}"#),
                "В чеке нет товаров нужной категории: Посуда",
                "Nothing of the category is in the basket: Dishes",
            ),
            (
                format!(r#"{{"store": [{one}]}}"#),
                "Действует в других магазинах: Тверь, На Советской",
                "Holds in other shops: Tver, On Sovetskaya",
            ),
            (
                r#"{"coupon": ["tea", "unmade"]}"#.to_owned(),
                "Купон не предъявлен: Скидка на чай, unmade",
                "No coupon was presented: Tea discount, unmade",
            ),
            (
                r#"{"region": ["tver"]}"#.to_owned(),
                "Действует в другом регионе: tver",
                "Holds in another region: tver",
            ),
            (
                format!(r#"{{"tier": {{"program": {one}, "tiers": [{one}]}}}}"#),
                "Нет нужного уровня в программе: Золото",
                "The customer has not the tier: Gold",
            ),
            (
                format!(r#"{{"member": [{one}]}}"#),
                "Покупатель не участвует в программе: Клуб",
                "The customer is no member of the program: Club",
            ),
            (
                format!(r#"{{"activated": [{one}]}}"#),
                "Покупатель не включил акцию: Неделя чая",
                "The customer has not switched the promotion on: Tea week",
            ),
            (
                r#"{"segment": ["vip"]}"#.to_owned(),
                "Покупатель не входит в нужную группу: vip",
                "The customer is not in the segment: vip",
            ),
            (
                format!(r#"{{"contains": {{"lines": [{{"article": [{one}]}}], "quantity": {{"at_least": 2}}}}}}"#),
                "В чеке нет нужного набора товаров: товары: Чай 1",
                "The basket lacks what has to be in it: articles: Чай 1",
            ),
            (
                format!(r#"{{"any": [{{"store": [{one}]}}, {{"payment": ["cash"]}}, {{"not": "first_purchase"}}]}}"#),
                "Ничего из этого не выполнено: магазины: Тверь, На Советской; оплата: наличные; несколько условий",
                "None of these holds: shops: Tver, On Sovetskaya; paid by: cash; several conditions",
            ),
            (
                r#"{"not": {"weekday": ["Sat"]}}"#.to_owned(),
                "Не действует, если: сб",
                "Does not hold with: Sat",
            ),
        ] {
            assert_eq!(said(&condition, Found::Missing), [ru, en], "{condition}");
        }
    }

    #[test]
    fn what_has_no_name_is_left_out() {
        let nobodys = r#"{"store": ["00000000-0000-0000-0000-000000000009"]}"#;
        assert_eq!(
            said(nobodys, Found::Unknown),
            ["Действует в других магазинах", "Holds in other shops"]
        );
    }

    #[test]
    fn the_rule_that_is_in_the_way_is_named() {
        let by = RuleVersion {
            id: RuleId(uuid::Uuid::from_u128(7)),
            version: 1,
        };
        let other = Published { by, rule: rule(&[]) };
        let rules = Rules::prepare(vec![other]).expect("a good rule");
        let words = |failure| reason(&rules, &rule(&[]), &failure, &shop(), &chrono::Utc);
        assert_eq!(
            words(Failure::Group(by)).ru,
            "Уже действует другое правило той же группы: Р"
        );
        assert!(words(Failure::Closed(by)).en.ends_with("go together: R"));
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
    fn customers_are_told_for_whom_it_is() {
        let said = |condition: &str, found| {
            let failure = Failure::Condition { clause: 0, found };
            to_customer(&Rules::default(), &rule(&[condition]), &failure, &shop(), &chrono::Utc).ru
        };
        let one = "00000000-0000-0000-0000-000000000001";
        for (condition, found, words) in [
            (
                format!(r#"{{"member": ["{one}"]}}"#),
                Found::Missing,
                "Для участников программы: Клуб",
            ),
            (
                format!(r#"{{"tier": {{"program": "{one}", "tiers": ["{one}"]}}}}"#),
                Found::Tier(None),
                "Для уровня: Золото",
            ),
            (
                r#"{"tenure": {"at_least": 30, "at_most": 60}}"#.to_owned(),
                Found::Number(61),
                "Для тех, кто с нами не дольше: 60\u{a0}дней",
            ),
            (
                r#"{"tenure": {"at_least": 30}}"#.to_owned(),
                Found::Number(3),
                "Для тех, кто с нами не меньше: 30\u{a0}дней",
            ),
            (
                r#"{"birthday": {"of": "customer"}}"#.to_owned(),
                Found::Birthday { since: None, until: 21 },
                "До дня рождения 21\u{a0}день",
            ),
        ] {
            assert_eq!(said(&condition, found), words);
        }
        // And whom it holds for, why.
        let why = |conditions: &[&str]| -> Vec<String> {
            let told = because(&rule(conditions), &shop());
            told.into_iter().map(|words| words.ru).collect()
        };
        let member = format!(r#"{{"member": ["{one}"]}}"#);
        let tenure = r#"{"tenure": {"at_most": 60}}"#;
        let activated = format!(r#"{{"activated": ["{one}"]}}"#);
        assert_eq!(
            why(&[
                member.as_str(),
                tenure,
                r#"{"birthday": {"of": "child"}}"#,
                activated.as_str()
            ]),
            [
                "Для участников программы: Клуб",
                "Для тех, кто с нами не дольше: 60\u{a0}дней",
                "Ко дню рождения ребёнка"
            ]
        );
        assert!(why(&[r#"{"basket_sum": {"at_least": 5}}"#]).is_empty());
        let used = Failure::UsedUp {
            what: Capped::CustomerTimes,
            allowed: 1,
            used: 1,
        };
        let words = to_customer(&Rules::default(), &rule(&[]), &used, &shop(), &chrono::Utc);
        assert_eq!(words.ru, "Вы уже воспользовались");
    }

    #[test]
    fn what_nobody_told_is_told_apart_from_another_way() {
        use crate::rule::{Channel, Payment};
        for (condition, found, words) in [
            (
                r#"{"payment": ["cash"]}"#,
                Found::Unknown,
                [
                    "Способ оплаты не указан, а нужен: наличные",
                    "Nobody told how it is paid, and it has to be: cash",
                ],
            ),
            (
                r#"{"payment": ["cash"]}"#,
                Found::Payment(Payment::Card),
                [
                    "Действует при другом способе оплаты: наличные",
                    "Holds with another way to pay: cash",
                ],
            ),
            (
                r#"{"channel": ["app"]}"#,
                Found::Unknown,
                [
                    "Способ покупки не указан, а нужен: приложение",
                    "Nobody told in which way it is bought, and it has to be: app",
                ],
            ),
            (
                r#"{"channel": ["app"]}"#,
                Found::Channel(Channel::Till),
                [
                    "Действует при другом способе покупки: приложение",
                    "Holds with another way to buy: app",
                ],
            ),
        ] {
            assert_eq!(said(condition, found), words);
        }
    }

    #[test]
    fn moments_are_told_by_the_shops_clock() {
        let zone = chrono::FixedOffset::east_opt(3 * 3600).expect("an offset");
        let at = "2026-11-27T22:30:00Z".parse().expect("a moment");
        let reason = |failure: Failure| super::reason(&Rules::default(), &rule(&[]), &failure, &shop(), &zone);
        let words = reason(Failure::NotYet(at));
        assert_eq!(words.ru, "Начнёт действовать 28.11.2026, 01:30");
        assert_eq!(words.en, "Holds from 28 Nov 2026, 01:30");
        let used = Failure::UsedUp {
            what: Capped::CustomerTimes,
            allowed: 1,
            used: 1,
        };
        assert_eq!(reason(used).ru, "Лимит покупателя исчерпан: 1 из 1");
    }

    #[test]
    fn numbers_keep_their_sign() {
        assert_eq!(hundredths(Lang::Ru, -50), "−0,50");
        assert_eq!(hundredths(Lang::En, -1_234_567_05), "−1,234,567.05");
        assert_eq!(integer(Lang::Ru, 999), "999");
    }
}
