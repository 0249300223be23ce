//! What the rules of a chain cost: 200 of them on a receipt of 50 lines (budget: 100 µs), a dozen of which apply.
//!
//! `cargo bench --package crm --bench rules`

use chrono::{DateTime, NaiveDate, Utc, Weekday};
use criterion::{Criterion, criterion_group, criterion_main};
use crm::id::{ArticleId, CategoryId, ProgramId, RuleId, StoreId, TierId};
use crm::lang::Localized;
use crm::rule::{
    Basket, Buyer, Caps, Channel, Condition, Dates, Each, Effect, Facts, History, Limit, Line, Membership, Occasion,
    Payment, Place, Published, Range, Rule, RuleVersion, Rules, Span, Validity, Verdict, Whose, Window, evaluate,
};
use std::hint::black_box;

const CLUB: ProgramId = ProgramId(uuid(1));

const fn uuid(n: u128) -> uuid::Uuid {
    // Spread, as the ids of a database are.
    uuid::Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn articles(from: u128, count: u128) -> Condition {
    Condition::Article((from..from + count).map(|n| ArticleId(uuid(n))).collect())
}

fn categories(list: &[u128]) -> Condition {
    Condition::Category(list.iter().map(|n| CategoryId(uuid(*n))).collect())
}

fn percent(share: i64) -> Effect {
    Effect::PercentOff {
        share,
        each: Each::Line,
    }
}

fn rule(conditions: Vec<Condition>, effects: Vec<Effect>) -> Rule {
    Rule {
        name: Localized::new("Правило", "Rule"),
        occasion: Occasion::Purchase,
        priority: 0,
        group: None,
        alone: false,
        valid: Validity::default(),
        conditions,
        effects,
        caps: Caps::default(),
        funded_by: None,
    }
}

fn published(rules: Vec<Rule>) -> Vec<Published> {
    let number = |(rule, n)| Published {
        by: RuleVersion {
            id: RuleId(uuid(n)),
            version: 1,
        },
        rule,
    };
    rules.into_iter().zip(1..).map(number).collect()
}

/// A dozen rules that apply to the receipt.
fn that_apply() -> Vec<Rule> {
    let half_year = Window::Last(Span::Months(6));
    let mut cumulative = rule(
        vec![Condition::PurchaseSum {
            window: half_year,
            sum: Range::from(10_000_00),
        }],
        vec![percent(300)],
    );
    cumulative.group = Some("cumulative".into());
    cumulative.caps.purchase = Some(500_00);
    let mut birthday = rule(
        vec![Condition::Birthday {
            of: Whose::Child,
            before: 7,
            after: 7,
        }],
        vec![Effect::PointsFixed {
            program: CLUB,
            points: 200_00,
            each: Each::Purchase,
        }],
    );
    birthday.caps.customer = Limit {
        value: None,
        times: Some(3),
    };
    vec![
        rule(
            vec![Condition::Member(vec![CLUB])],
            vec![Effect::PointsShare {
                program: CLUB,
                share: 300,
            }],
        ),
        rule(
            vec![categories(&[3])],
            vec![Effect::PointsTimes {
                program: CLUB,
                factor: 20_000,
            }],
        ),
        rule(
            vec![
                Condition::Tier {
                    program: CLUB,
                    tiers: vec![TierId(uuid(2)), TierId(uuid(3))],
                },
                categories(&[1, 2]),
            ],
            vec![percent(500)],
        ),
        rule(vec![articles(1_000, 20)], vec![percent(1_000)]),
        rule(vec![Condition::Brand(vec!["brand 4".into()])], vec![percent(700)]),
        rule(vec![categories(&[5])], vec![Effect::CheapestFree { of: 3 }]),
        rule(
            vec![Condition::BasketSum(Range::from(3_000_00))],
            vec![Effect::AmountOff {
                amount: 150_00,
                each: Each::Purchase,
            }],
        ),
        rule(
            vec![
                Condition::Weekday(vec![Weekday::Thu]),
                Condition::Price(Range::from(100_00)),
            ],
            vec![Effect::PointsPer {
                program: CLUB,
                points: 1_00,
                per: 100_00,
            }],
        ),
        rule(
            vec![Condition::Contains {
                lines: vec![categories(&[6])],
                quantity: Range::from(2),
                sum: Range::default(),
            }],
            vec![
                Effect::Gift {
                    article: ArticleId(uuid(9_000)),
                    quantity: 1,
                },
                Effect::Message {
                    to: Place::Cashier,
                    text: Localized::new("Подарок", "A gift"),
                },
            ],
        ),
        cumulative,
        birthday,
        rule(
            vec![Condition::Channel(vec![Channel::Till])],
            vec![Effect::Coupon { series: "next".into() }],
        ),
    ]
}

/// 188 that do not, in the proportions of a chain: most are for another day, place or customer, the rest for articles
/// that are not on the receipt.
fn that_do_not() -> Vec<Rule> {
    let mut rules = Vec::new();
    for n in 0..24_u16 {
        let day = |month| NaiveDate::from_ymd_opt(2026, month, 1);
        rules.push(rule(
            vec![
                Condition::Period(Dates {
                    from: day(1),
                    to: day(2),
                }),
                categories(&[1]),
            ],
            vec![percent(500)],
        ));
        rules.push(rule(
            vec![
                Condition::Hours {
                    from: 1_320,
                    to: 60 + n,
                    days: vec![],
                },
                categories(&[2]),
            ],
            vec![percent(500)],
        ));
        let elsewhere = (100..110).map(|n| StoreId(uuid(n))).collect();
        rules.push(rule(
            vec![Condition::Store(elsewhere), categories(&[3])],
            vec![percent(500)],
        ));
        rules.push(rule(
            vec![Condition::Coupon(vec![format!("coupon {n}")]), categories(&[4])],
            vec![percent(1_000)],
        ));
    }
    for n in 0..16_u128 {
        let tier = Condition::Tier {
            program: CLUB,
            tiers: vec![TierId(uuid(100 + n))],
        };
        rules.push(rule(vec![tier], vec![percent(700)]));
        rules.push(rule(
            vec![Condition::Segment(vec![format!("segment {n}")])],
            vec![percent(700)],
        ));
        rules.push(rule(vec![Condition::FirstPurchase], vec![percent(1_500)]));
    }
    for n in 0..4 {
        let own = Condition::Birthday {
            of: Whose::Customer,
            before: 3,
            after: n,
        };
        rules.push(rule(vec![own], vec![percent(1_000)]));
        rules.push(rule(
            vec![Condition::Payment(vec![Payment::Credit])],
            vec![percent(100)],
        ));
    }
    // These look at every line.
    for n in 0..12_u128 {
        rules.push(rule(vec![articles(20_000 + 300 * n, 300)], vec![percent(500)]));
        rules.push(rule(vec![categories(&[50 + n, 70 + n])], vec![percent(500)]));
        rules.push(rule(
            vec![
                Condition::Price(Range::from(100_00)),
                Condition::Brand(vec![format!("no brand {n}")]),
            ],
            vec![percent(500)],
        ));
    }
    rules
}

/// 50 lines, each with an article, two categories and a brand.
fn receipt() -> Basket {
    let line = |n: u128| {
        let small = i64::try_from(n).unwrap_or_default();
        Line {
            article: ArticleId(uuid(1_000 + n)),
            categories: vec![CategoryId(uuid(n % 10)), CategoryId(uuid(40))],
            brand: Some(format!("brand {}", n % 12)),
            quantity: 1 + small % 3,
            price: 49_90 + small * 17_35,
            discount: 0,
            payable: !n.is_multiple_of(9),
            taken: None,
        }
    };
    Basket {
        lines: (0..50).map(line).collect(),
        points_used: 300_00,
    }
}

fn customer() -> Facts {
    Facts {
        store: Some(StoreId(uuid(7))),
        region: Some("north".into()),
        channel: Some(Channel::Till),
        payments: vec![Payment::Card],
        coupons: vec!["spring".into()],
        buyer: Some(Buyer {
            birthday: NaiveDate::from_ymd_opt(1990, 5, 5),
            children: NaiveDate::from_ymd_opt(2018, 11, 30).into_iter().collect(),
            registered: NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default(),
            memberships: vec![Membership {
                program: CLUB,
                tier: Some(TierId(uuid(2))),
            }],
            segments: vec!["parents".into()],
            booked: Some(80),
            history: vec![
                (
                    Window::Ever,
                    History {
                        count: 80,
                        sum: 200_000_00,
                    },
                ),
                (
                    Window::Last(Span::Months(6)),
                    History {
                        count: 12,
                        sum: 30_000_00,
                    },
                ),
            ],
            by_now: Vec::new(),
            invited: false,
            activated: Vec::new(),
        }),
        ..Facts::default()
    }
}

fn applied(rules: &Rules, at: DateTime<Utc>) -> usize {
    let outcome = evaluate(rules, &receipt(), &customer(), at, &chrono_tz::Europe::Moscow);
    let applied = |verdict| matches!(verdict, Verdict::Applied { .. });
    outcome
        .decisions
        .iter()
        .filter(|decision| applied(decision.verdict))
        .count()
}

fn benches(c: &mut Criterion) {
    // Thursday, 26 November 2026, noon in Moscow.
    let at = DateTime::from_timestamp(1_795_683_600, 0).unwrap_or_default();
    let (basket, facts, zone) = (receipt(), customer(), chrono_tz::Europe::Moscow);
    let mixture = published([that_apply(), that_do_not()].concat());
    let dozen: Vec<_> = that_apply();
    let crowd: Vec<_> = dozen
        .iter()
        .cycle()
        .take(200)
        .cloned()
        .map(|r| Rule { group: None, ..r })
        .collect();
    for (name, published, expected) in [
        ("200 rules, 50 lines, 12 apply", mixture.clone(), 12),
        ("200 rules, 50 lines, all apply", self::published(crowd), 200),
    ] {
        assert_eq!(published.len(), 200);
        let rules = Rules::prepare(published).expect("good rules");
        assert_eq!(applied(&rules, at), expected, "what is measured");
        c.bench_function(name, |b| {
            b.iter(|| evaluate(black_box(&rules), black_box(&basket), black_box(&facts), at, &zone));
        });
    }
    c.bench_function("prepare 200 rules", |b| {
        b.iter_with_setup(|| mixture.clone(), |published| Rules::prepare(published).map(black_box));
    });
}

criterion_group!(rules, benches);
criterion_main!(rules);
