//! Every condition and effect at its boundaries, and what holds for any rules and baskets.

use super::explain::{Capped, Failure, Found};
use super::*;
use crate::points::rules::Terms;
use chrono::TimeZone as _;
use chrono_tz::Tz;
use proptest::prelude::*;

const MOSCOW: Tz = Tz::Europe__Moscow;

/// A rule with these conditions that says something.
pub(super) fn rule(conditions: &[&str]) -> Rule {
    rule_of(
        &conditions.join(","),
        r#"{"message": {"to": "receipt", "text": {"ru": "Спасибо", "en": "Thanks"}}}"#,
        "",
    )
}

/// A rule of JSON: conditions, effects, and further fields, each of which begins with a comma.
fn rule_of(conditions: &str, effects: &str, more: &str) -> Rule {
    let json =
        format!(r#"{{"name": {{"ru": "Р", "en": "R"}}, "conditions": [{conditions}], "effects": [{effects}]{more}}}"#);
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

pub(super) fn condition(json: &str) -> Condition {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

/// The id of a number, as JSON.
fn id(n: u128) -> String {
    format!("\"{}\"", uuid(n))
}

fn by(n: u128) -> RuleVersion {
    RuleVersion {
        id: RuleId(uuid(n)),
        version: 1,
    }
}

fn prepare(rules: Vec<Rule>) -> Rules {
    let number = |(rule, n)| Published { by: by(n), rule };
    Rules::prepare(rules.into_iter().zip(1..).map(number).collect()).expect("good rules")
}

fn line(article: u128, quantity: i64, price: i64) -> Line {
    Line {
        article: ArticleId(uuid(article)),
        categories: Vec::new(),
        brand: None,
        quantity,
        price,
        discount: 0,
        payable: true,
        taken: None,
    }
}

fn basket(lines: Vec<Line>) -> Basket {
    Basket { lines, points_used: 0 }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// A Thursday, noon in Moscow.
fn noon() -> DateTime<Utc> {
    at("2026-11-26T09:00:00Z")
}

fn ask(rules: &Rules, basket: &Basket, facts: &Facts) -> Outcome {
    evaluate(rules, basket, facts, noon(), &MOSCOW)
}

/// Why the only rule, with one condition, does not apply to a basket; none: it does.
fn found(condition: &str, basket: &Basket, facts: &Facts, at: DateTime<Utc>) -> Option<Found> {
    let rules = prepare(vec![rule(&[condition])]);
    match evaluate(&rules, basket, facts, at, &MOSCOW).decisions[..] {
        [
            Decision {
                verdict: Verdict::Applied { .. },
                ..
            },
        ] => None,
        [
            Decision {
                verdict: Verdict::Failed(Failure::Condition { clause: 0, found }),
                ..
            },
        ] => Some(found),
        ref other => panic!("{other:?}"),
    }
}

fn buyer() -> Buyer {
    Buyer {
        registered: day("2026-01-01"),
        ..Buyer::default()
    }
}

fn known(buyer: Buyer) -> Facts {
    Facts {
        buyer: Some(buyer),
        ..Facts::default()
    }
}

/// The discounts of each line.
fn discounts(outcome: &Outcome) -> Vec<i64> {
    outcome.lines.iter().map(|line| line.discount).collect()
}

fn points(outcome: &Outcome) -> Vec<i64> {
    outcome.lines.iter().map(|line| line.points).collect()
}

fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
    outcome.decisions.iter().map(|decision| decision.verdict).collect()
}

// Conditions on lines.

#[test]
fn rules_ask_for_what_they_name_and_nothing_else() {
    let asks = |conditions: &[&str]| prepare(vec![rule(conditions)]).asks();
    let none = Asks::default();
    assert_eq!(asks(&[r#"{"basket_sum": {"at_least": 1}}"#]), none);
    let coupons = Asks { coupons: true, ..none };
    assert_eq!(asks(&[r#"{"not": {"coupon": ["spring"]}}"#]), coupons);
    let segments = Asks { segments: true, ..none };
    assert_eq!(
        asks(&[r#"{"any": ["invited", {"segment": ["vip"]}]}"#]).segments,
        segments.segments
    );
    for by_clock in [
        r#"{"weekday": ["Mon"]}"#,
        r#"{"hours": {"from": 0, "to": 60}}"#,
        r#"{"period": {"from": "2026-11-21"}}"#,
        r#"{"birthday": {"of": "child", "before": 0, "after": 0}}"#,
        r#"{"tenure": {"at_least": 1}}"#,
    ] {
        assert!(asks(&[by_clock]).clocks, "{by_clock}");
    }
}

#[test]
fn a_rule_names_the_series_that_it_asks_for_and_gives() {
    let one = rule_of(
        r#"{"coupon": ["a"]}, {"any": [{"coupon": ["b"]}, {"segment": ["vip"]}]}, {"not": {"coupon": ["c"]}}"#,
        r#"{"coupon": {"series": "d"}}"#,
        "",
    );
    assert_eq!(
        one.asked_series().collect::<Vec<_>>(),
        ["a", "b"],
        "what is not to be there is not used"
    );
    let named = one.named_series();
    let named: Vec<_> = named.iter().map(|(pointer, code)| (pointer.as_str(), *code)).collect();
    assert_eq!(
        named,
        [
            ("/conditions/0/coupon/0", "a"),
            ("/conditions/1/any/0/coupon/0", "b"),
            ("/effects/0", "d")
        ]
    );
    assert_eq!(
        one.named_segments(),
        [("/conditions/1/any/1/segment/0".to_owned(), "vip")]
    );
}

#[test]
fn a_line_is_chosen_by_what_it_is() {
    let mut line = line(1, 2, 50_00);
    line.categories = vec![CategoryId(uuid(7)), CategoryId(uuid(8))];
    line.brand = Some("Сосна".into());
    let basket = basket(vec![line]);
    let asked = |condition: &str| found(condition, &basket, &Facts::default(), noon());
    for held in [
        format!(r#"{{"article": [{}, {}]}}"#, id(9), id(1)),
        format!(r#"{{"category": [{}]}}"#, id(8)),
        r#"{"brand": ["Сосна"]}"#.into(),
        r#"{"price": {"at_least": 5000, "at_most": 5000}}"#.into(),
        r#"{"quantity": {"at_least": 2}}"#.into(),
        r#"{"line_sum": {"at_most": 10000}}"#.into(),
    ] {
        assert_eq!(asked(&held), None, "{held}");
    }
    for failed in [
        // The numbers of categories and articles do not mix.
        format!(r#"{{"article": [{}]}}"#, id(7)),
        format!(r#"{{"category": [{}]}}"#, id(1)),
        r#"{"brand": ["сосна"]}"#.into(),
        r#"{"price": {"at_least": 5001}}"#.into(),
        r#"{"quantity": {"at_most": 1}}"#.into(),
        r#"{"line_sum": {"at_most": 9999}}"#.into(),
    ] {
        assert_eq!(asked(&failed), Some(Found::Lines(1)), "{failed}");
    }
    let many: Vec<_> = (100..200).chain([1]).map(id).collect();
    assert_eq!(asked(&format!(r#"{{"article": [{}]}}"#, many.join(","))), None);
}

#[test]
fn a_category_holds_for_what_lies_within_it() {
    let category = |n| CategoryId(uuid(n));
    let tree: Tree = [(8, 7), (9, 8), (11, 10)]
        .map(|(n, above)| (category(n), category(above)))
        .into_iter()
        .collect();
    let lamp = |n| Line {
        categories: vec![category(n)],
        ..line(1, 1, 10_00)
    };
    let basket = basket(vec![lamp(7), lamp(9), lamp(11), lamp(12)]);
    let discounted = |condition: &str| {
        let rule = rule_of(condition, r#"{"percent_off": {"share": 1000, "each": "line"}}"#, "");
        let rules = Rules::prepare_within(&tree, vec![Published { by: by(1), rule }]).expect("a good rule");
        discounts(&ask(&rules, &basket, &Facts::default()))
    };
    assert_eq!(discounted(&format!(r#"{{"category": [{}]}}"#, id(7))), [100, 100, 0, 0]);
    assert_eq!(discounted(&format!(r#"{{"category": [{}]}}"#, id(8))), [0, 100, 0, 0]);
    assert_eq!(
        discounted(&format!(r#"{{"category": [{}, {}]}}"#, id(10), id(12))),
        [0, 0, 100, 100]
    );
    assert_eq!(
        discounted(&format!(r#"{{"not": {{"category": [{}]}}}}"#, id(7))),
        [0, 0, 100, 100]
    );
    // What a basket contains is asked in the same way.
    let two = |n| {
        let lines = format!(r#"{{"category": [{}]}}"#, id(n));
        discounted(&format!(
            r#"{{"contains": {{"lines": [{lines}], "quantity": {{"at_least": 2}}}}}}"#
        ))
    };
    assert_eq!(two(7), [100, 100, 100, 100]);
    assert_eq!(two(8), [0, 0, 0, 0]);
}

#[test]
fn the_condition_that_leaves_no_line_is_the_one_that_is_told() {
    let basket = basket(vec![line(1, 1, 10_00), line(2, 5, 10_00), line(3, 5, 30_00)]);
    let rules = prepare(vec![rule(&[
        r#"{"quantity": {"at_least": 5}}"#,
        r#"{"all": [{"price": {"at_least": 1}}, {"line_sum": {"at_least": 20000}}]}"#,
    ])]);
    let failure = Failure::Condition {
        clause: 3,
        found: Found::Lines(2),
    };
    assert_eq!(
        verdicts(&ask(&rules, &basket, &Facts::default())),
        [Verdict::Failed(failure)]
    );
    let clause = rules.published()[0].rule.clause(3).map(|clause| clause.pointer);
    assert_eq!(clause.as_deref(), Some("/conditions/1/all/1"));
}

#[test]
fn lines_of_nothing_are_never_chosen() {
    let basket = basket(vec![line(1, 0, 50_00), line(2, -3, 50_00)]);
    assert_eq!(
        found(r#"{"price": {"at_least": 0}}"#, &basket, &Facts::default(), noon()),
        Some(Found::Lines(0))
    );
    let rules = prepare(vec![rule_of(
        "",
        r#"{"percent_off": {"share": 1000, "each": "line"}}"#,
        "",
    )]);
    let outcome = ask(&rules, &basket, &Facts::default());
    assert_eq!(verdicts(&outcome), [Verdict::Failed(Failure::Nothing)]);
    assert_eq!(outcome.total, Sums::default());
}

#[test]
fn any_and_not_are_asked_line_by_line() {
    let effects = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let conditions = format!(
        r#"{{"any": [{{"article": [{}]}}, {{"all": [{{"price": {{"at_least": 100}}}}, {{"coupon": ["spring"]}}]}}]}},
           {{"not": {{"article": [{}]}}}}"#,
        id(1),
        id(3)
    );
    let rules = prepare(vec![rule_of(&conditions, effects, "")]);
    let basket = basket(vec![line(1, 1, 50), line(2, 1, 1000), line(3, 1, 1000)]);
    assert_eq!(discounts(&ask(&rules, &basket, &Facts::default())), [5, 0, 0]);
    let facts = Facts {
        coupons: vec!["spring".into()],
        ..Facts::default()
    };
    assert_eq!(discounts(&ask(&rules, &basket, &facts)), [5, 100, 0]);
}

// Conditions on the basket.

#[test]
fn the_sum_of_the_basket_is_before_rules_and_after_the_till() {
    let mut lines = vec![line(1, 2, 50_00), line(2, 1, 30_00)];
    lines[0].discount = 1_00;
    let basket = basket(lines);
    let asked = |condition: &str| found(condition, &basket, &Facts::default(), noon());
    assert_eq!(asked(r#"{"basket_sum": {"at_least": 12900, "at_most": 12900}}"#), None);
    assert_eq!(
        asked(r#"{"basket_sum": {"at_least": 12901}}"#),
        Some(Found::Number(129_00))
    );
    let off = r#"{"percent_off": {"share": 5000, "each": "line"}}"#;
    let again = format!(r#"{off}, {off}"#);
    let rules = prepare(vec![
        rule_of("", &again, r#", "priority": 9"#),
        rule_of(r#"{"basket_sum": {"at_least": 12900}}"#, off, ""),
    ]);
    assert!(matches!(
        verdicts(&ask(&rules, &basket, &Facts::default()))[1],
        Verdict::Applied { .. }
    ));
}

#[test]
fn what_a_basket_contains_is_counted_together() {
    let basket = basket(vec![line(1, 2, 10_00), line(2, 1, 500_00), line(3, 1, 12_00)]);
    let asked = |rest: &str| {
        let condition = format!(r#"{{"contains": {{"lines": [{{"price": {{"at_most": 1200}}}}], {rest}}}}}"#);
        found(&condition, &basket, &Facts::default(), noon())
    };
    assert_eq!(asked(r#""quantity": {"at_least": 3}"#), None);
    assert_eq!(asked(r#""quantity": {"at_least": 4}"#), Some(Found::Number(3)));
    assert_eq!(asked(r#""sum": {"at_least": 3200, "at_most": 3200}"#), None);
    assert_eq!(
        asked(r#""quantity": {"at_least": 1}, "sum": {"at_most": 3199}"#),
        Some(Found::Number(32_00))
    );
    let nothing = r#"{"contains": {"lines": [{"price": {"at_least": 50001}}], "quantity": {"at_most": 9}}}"#;
    assert_eq!(found(nothing, &basket, &Facts::default(), noon()), Some(Found::Missing));
}

#[test]
fn the_place_and_the_way() {
    let facts = Facts {
        store: Some(StoreId(uuid(1))),
        region: Some("north".into()),
        channel: Some(Channel::App),
        payments: vec![Payment::Card, Payment::Certificate],
        coupons: vec!["spring".into(), "unknown".into()],
        ..Facts::default()
    };
    let basket = basket(vec![]);
    let store = |n| format!(r#"{{"store": [{}]}}"#, id(n));
    let asked = |condition: &str, facts: &Facts| found(condition, &basket, facts, noon());
    let nowhere = Facts::default();
    let shop = Found::Store(StoreId(uuid(1)));
    assert_eq!(asked(&store(1), &facts), None);
    assert_eq!(asked(&store(2), &facts), Some(shop));
    assert_eq!(asked(&store(2), &nowhere), Some(Found::Unknown));
    assert_eq!(asked(r#"{"region": ["south", "north"]}"#, &facts), None);
    assert_eq!(asked(r#"{"region": ["south"]}"#, &facts), Some(shop));
    assert_eq!(asked(r#"{"region": ["south"]}"#, &nowhere), Some(Found::Unknown));
    assert_eq!(asked(r#"{"channel": ["till", "app"]}"#, &facts), None);
    assert_eq!(
        asked(r#"{"channel": ["till"]}"#, &facts),
        Some(Found::Channel(Channel::App))
    );
    assert_eq!(asked(r#"{"channel": ["till"]}"#, &nowhere), Some(Found::Unknown));
    assert_eq!(asked(r#"{"payment": ["certificate"]}"#, &facts), None);
    assert_eq!(
        asked(r#"{"payment": ["cash"]}"#, &facts),
        Some(Found::Payment(Payment::Card))
    );
    assert_eq!(asked(r#"{"payment": ["cash"]}"#, &nowhere), Some(Found::Unknown));
    let oddly = Facts {
        payments: vec![Payment::Other],
        ..Facts::default()
    };
    assert_eq!(asked(r#"{"payment": ["other"]}"#, &oddly), None);
    assert_eq!(
        asked(r#"{"payment": ["card", "credit"]}"#, &oddly),
        Some(Found::Payment(Payment::Other))
    );
    assert_eq!(asked(r#"{"coupon": ["spring"]}"#, &facts), None);
    assert_eq!(asked(r#"{"coupon": ["autumn"]}"#, &facts), Some(Found::Missing));
    assert_eq!(
        asked(r#"{"not": {"coupon": ["spring"]}}"#, &facts),
        Some(Found::Present)
    );
    assert_eq!(asked(r#"{"not": {"coupon": ["autumn"]}}"#, &facts), None);
    assert_eq!(
        asked(r#"{"any": [{"coupon": ["autumn"]}, {"channel": ["till"]}]}"#, &facts),
        Some(Found::Missing)
    );
}

#[test]
fn days_and_hours_are_of_the_shops_wall_clock() {
    let basket = basket(vec![]);
    let asked = |condition: &str, moment: &str| found(condition, &basket, &Facts::default(), at(moment));
    let thursday = r#"{"weekday": ["Thu"]}"#;
    // Moscow is three hours ahead: its Thursday begins at 21:00 on Wednesday.
    assert_eq!(
        asked(thursday, "2026-11-25T20:59:59Z"),
        Some(Found::Day(day("2026-11-25")))
    );
    assert_eq!(asked(thursday, "2026-11-25T21:00:00Z"), None);
    assert_eq!(asked(thursday, "2026-11-26T20:59:59Z"), None);
    assert_eq!(
        asked(thursday, "2026-11-26T21:00:00Z"),
        Some(Found::Day(day("2026-11-27")))
    );

    let period = r#"{"period": {"from": "2026-11-26", "to": "2026-11-26"}}"#;
    assert_eq!(
        asked(period, "2026-11-25T20:59:59Z"),
        Some(Found::Day(day("2026-11-25")))
    );
    assert_eq!(asked(period, "2026-11-25T21:00:00Z"), None);
    assert_eq!(
        asked(period, "2026-11-26T21:00:00Z"),
        Some(Found::Day(day("2026-11-27")))
    );

    let morning = r#"{"hours": {"from": 540, "to": 720}}"#;
    let time = |minute| {
        Some(Found::Time {
            day: Weekday::Thu,
            minute,
        })
    };
    assert_eq!(asked(morning, "2026-11-26T05:59:59Z"), time(539));
    assert_eq!(asked(morning, "2026-11-26T06:00:00Z"), None);
    assert_eq!(asked(morning, "2026-11-26T08:59:59Z"), None);
    assert_eq!(asked(morning, "2026-11-26T09:00:00Z"), time(720));
    let till_midnight = r#"{"hours": {"from": 1320, "to": 1440}}"#;
    assert_eq!(asked(till_midnight, "2026-11-26T20:59:59Z"), None);
    assert_eq!(asked(till_midnight, "2026-11-25T21:00:00Z"), time(0));
}

#[test]
fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
    let basket = basket(vec![]);
    let friday_night = r#"{"hours": {"from": 1320, "to": 120, "days": ["Fri"]}}"#;
    let asked = |moment: &str| found(friday_night, &basket, &Facts::default(), at(moment));
    let time = |day, minute| Some(Found::Time { day, minute });
    // 27 November is a Friday; Moscow is three hours ahead.
    assert_eq!(
        asked("2026-11-26T22:30:00Z"),
        time(Weekday::Fri, 90),
        "the night from Thursday"
    );
    assert_eq!(asked("2026-11-27T18:59:00Z"), time(Weekday::Fri, 1319));
    assert_eq!(asked("2026-11-27T19:00:00Z"), None);
    assert_eq!(asked("2026-11-27T22:59:00Z"), None, "one minute to two on Saturday");
    assert_eq!(asked("2026-11-27T23:00:00Z"), time(Weekday::Sat, 120));
    assert_eq!(asked("2026-11-28T19:00:00Z"), time(Weekday::Sat, 1320));
}

#[test]
fn clock_changes_skip_and_repeat_hours() {
    let zone = Tz::Europe__Berlin;
    let rules = prepare(vec![rule(&[r#"{"hours": {"from": 120, "to": 180}}"#])]);
    let held = |moment: &str| {
        let outcome = evaluate(&rules, &basket(vec![]), &Facts::default(), at(moment), &zone);
        matches!(verdicts(&outcome)[..], [Verdict::Applied { .. }])
    };
    // On 29 March 2026 the clock goes from 2 to 3, so there is no such hour; on 25 October it comes twice.
    assert!(!held("2026-03-29T00:59:59Z") && !held("2026-03-29T01:00:00Z"));
    assert!(held("2026-10-25T00:00:00Z") && held("2026-10-25T01:59:59Z") && !held("2026-10-25T02:00:00Z"));
    let day = prepare(vec![rule(&[r#"{"weekday": ["Sun"]}"#])]);
    let sunday = |at| {
        let outcome = evaluate(&day, &basket(vec![]), &Facts::default(), at, &zone);
        matches!(verdicts(&outcome)[..], [Verdict::Applied { .. }])
    };
    let midnight = |d| {
        zone.with_ymd_and_hms(2026, 3, d, 0, 0, 0)
            .single()
            .expect("midnight")
            .to_utc()
    };
    assert_eq!(midnight(30) - midnight(29), chrono::Duration::hours(23));
    let second = chrono::Duration::seconds(1);
    assert!(!sunday(midnight(29) - second) && sunday(midnight(29)));
    assert!(sunday(midnight(30) - second) && !sunday(midnight(30)));
}

#[test]
fn birthdays_have_a_window() {
    let basket = basket(vec![]);
    let born = |birth: &str| {
        known(Buyer {
            birthday: Some(day(birth)),
            ..buyer()
        })
    };
    let window = r#"{"birthday": {"of": "customer", "before": 3, "after": 5}}"#;
    let asked = |facts: &Facts, on: &str| found(window, &basket, facts, at(&format!("{on}T09:00:00Z")));
    let anna = born("1990-01-02");
    let away = |since, until| {
        Some(Found::Birthday {
            since: Some(since),
            until,
        })
    };
    assert_eq!(asked(&anna, "2026-12-29"), away(361, 4));
    assert_eq!(asked(&anna, "2026-12-30"), None);
    assert_eq!(asked(&anna, "2027-01-02"), None);
    assert_eq!(asked(&anna, "2027-01-07"), None);
    assert_eq!(asked(&anna, "2027-01-08"), away(6, 359));
    assert_eq!(asked(&known(buyer()), "2026-12-30"), Some(Found::Unknown));
    assert_eq!(asked(&Facts::default(), "2026-12-30"), Some(Found::Nobody));

    let exact = r#"{"birthday": {"of": "customer"}}"#;
    let leap = born("2004-02-29");
    let on = |on: &str| found(exact, &basket, &leap, at(&format!("{on}T09:00:00Z")));
    assert_eq!(on("2027-02-28"), None);
    assert_eq!(on("2027-03-01"), away(1, 365), "the next one is on 29 February 2028");
    assert_eq!(on("2028-02-28"), away(365, 1));
    assert_eq!(on("2028-02-29"), None);
}

#[test]
fn a_childs_birthday_is_the_nearest_of_all_and_not_before_its_birth() {
    let basket = basket(vec![]);
    let facts = |children: &[&str]| {
        known(Buyer {
            birthday: Some(day("1990-11-26")),
            children: children.iter().map(|birth| day(birth)).collect(),
            ..buyer()
        })
    };
    let window = r#"{"birthday": {"of": "child", "before": 7, "after": 7}}"#;
    let asked = |children: &[&str], before: &str| found(window, &basket, &facts(children), at(before));
    let today = "2026-11-26T09:00:00Z";
    assert_eq!(asked(&["2020-06-01", "2022-12-03"], today), None);
    assert_eq!(asked(&[], today), Some(Found::Unknown));
    assert_eq!(
        asked(&["2020-06-01", "2022-12-04"], today),
        Some(Found::Birthday {
            since: Some(178),
            until: 8
        })
    );
    // Born last month: there was no birthday a year ago.
    let newborn = r#"{"birthday": {"of": "child", "after": 100}}"#;
    assert_eq!(
        found(newborn, &basket, &facts(&["2026-12-01"]), at(today)),
        Some(Found::Birthday { since: None, until: 5 })
    );
}

#[test]
fn what_the_customer_is() {
    let basket = basket(vec![]);
    let facts = known(Buyer {
        registered: day("2026-11-01"),
        memberships: vec![
            Membership {
                program: ProgramId(uuid(1)),
                tier: Some(TierId(uuid(11))),
            },
            Membership {
                program: ProgramId(uuid(2)),
                tier: None,
            },
        ],
        segments: vec!["parents".into()],
        ..buyer()
    });
    let asked = |condition: &str| found(condition, &basket, &facts, noon());
    let tier = |program, tier| format!(r#"{{"tier": {{"program": {}, "tiers": [{}]}}}}"#, id(program), id(tier));
    assert_eq!(asked(&tier(1, 11)), None);
    assert_eq!(asked(&tier(1, 12)), Some(Found::Tier(Some(TierId(uuid(11))))));
    assert_eq!(asked(&tier(2, 11)), Some(Found::Tier(None)));
    assert_eq!(asked(&tier(3, 11)), Some(Found::Tier(None)));
    assert_eq!(asked(&format!(r#"{{"member": [{}, {}]}}"#, id(3), id(2))), None);
    assert_eq!(asked(&format!(r#"{{"member": [{}]}}"#, id(3))), Some(Found::Missing));
    assert_eq!(asked(r#"{"tenure": {"at_least": 25, "at_most": 25}}"#), None);
    assert_eq!(asked(r#"{"tenure": {"at_least": 26}}"#), Some(Found::Number(25)));
    assert_eq!(asked(r#"{"segment": ["students", "parents"]}"#), None);
    assert_eq!(asked(r#"{"segment": ["students"]}"#), Some(Found::Missing));
    for of_somebody in [
        tier(1, 11),
        format!(r#"{{"member": [{}]}}"#, id(1)),
        r#"{"tenure": {"at_least": 0}}"#.into(),
        r#"{"segment": ["parents"]}"#.into(),
        r#""first_purchase""#.into(),
        r#"{"purchase_sum": {"window": "year", "sum": {"at_least": 0}}}"#.into(),
    ] {
        let nobody = found(&of_somebody, &basket, &Facts::default(), noon());
        assert_eq!(nobody, Some(Found::Nobody), "{of_somebody}");
    }
}

#[test]
fn what_was_bought_before_in_a_period() {
    let basket = basket(vec![]);
    let half_year = Window::Last(Span::Months(6));
    let facts = known(Buyer {
        booked: Some(13),
        history: vec![
            (
                Window::Ever,
                History {
                    count: 12,
                    sum: 90_000_00,
                },
            ),
            (
                half_year,
                History {
                    count: 3,
                    sum: 10_000_00,
                },
            ),
        ],
        ..buyer()
    });
    let asked = |condition: &str| found(condition, &basket, &facts, noon());
    assert_eq!(
        asked(r#"{"purchase_count": {"window": "ever", "count": {"at_least": 12}}}"#),
        None
    );
    assert_eq!(
        asked(r#"{"purchase_count": {"window": "ever", "count": {"at_most": 11}}}"#),
        Some(Found::Number(12))
    );
    let sum = |range: &str| format!(r#"{{"purchase_sum": {{"window": {{"last": {{"months": 6}}}}, "sum": {range}}}}}"#);
    assert_eq!(asked(&sum(r#"{"at_least": 1000000}"#)), None);
    assert_eq!(asked(&sum(r#"{"at_least": 1000001}"#)), Some(Found::Number(10_000_00)));
    // What came before has to be enough, and what is booked by now not too much.
    let late = known(Buyer {
        by_now: vec![(
            Window::Ever,
            History {
                count: 13,
                sum: 95_000_00,
            },
        )],
        ..facts.buyer.clone().expect("somebody")
    });
    for (range, expected) in [
        (r#"{"at_least": 12, "at_most": 12}"#, Some(Found::Number(13))),
        (r#"{"at_least": 13}"#, Some(Found::Number(12))),
        (r#"{"at_least": 12, "at_most": 13}"#, None),
        (r#"{"at_most": 11}"#, Some(Found::Number(12))),
    ] {
        let count = format!(r#"{{"purchase_count": {{"window": "ever", "count": {range}}}}}"#);
        assert_eq!(found(&count, &basket, &late, noon()), expected, "{range}");
    }
    assert_eq!(
        found(
            r#"{"purchase_sum": {"window": "ever", "sum": {"at_most": 9000000}}}"#,
            &basket,
            &late,
            noon()
        ),
        Some(Found::Number(95_000_00))
    );
    // Nobody summed that one up.
    assert_eq!(
        asked(r#"{"purchase_count": {"window": "month", "count": {"at_least": 0}}}"#),
        Some(Found::Unknown)
    );
    // One that is booked already counts, even where its time is later.
    assert_eq!(asked(r#""first_purchase""#), Some(Found::Number(13)));
    assert_eq!(
        found(r#""first_purchase""#, &basket, &known(buyer()), noon()),
        Some(Found::Unknown)
    );
    let fresh = known(Buyer {
        booked: Some(0),
        ..buyer()
    });
    assert_eq!(found(r#""first_purchase""#, &basket, &fresh, noon()), None);
    assert_eq!(found(r#""invited""#, &basket, &fresh, noon()), Some(Found::Missing));
    let friend = known(Buyer {
        invited: true,
        ..buyer()
    });
    assert_eq!(found(r#""invited""#, &basket, &friend, noon()), None);
    let nobody = found(r#""invited""#, &basket, &Facts::default(), noon());
    assert_eq!(nobody, Some(Found::Nobody));
    let either = format!(r#"{{"activated": [{}, {}]}}"#, id(1), id(2));
    for (on, expected) in [
        (vec![], Some(Found::Missing)),
        (vec![3], Some(Found::Missing)),
        (vec![3, 2], None),
    ] {
        let activated = on.iter().map(|n| PromotionId(uuid(*n))).collect();
        let facts = known(Buyer { activated, ..buyer() });
        assert_eq!(found(&either, &basket, &facts, noon()), expected, "{on:?}");
    }
    let rules = prepare(vec![
        rule(&[r#""first_purchase""#, &sum(r#"{"at_least": 1}"#)]),
        rule(&[r#"{"purchase_count": {"window": "ever", "count": {"at_least": 1}}}"#]),
    ]);
    assert_eq!(rules.windows(), [half_year, Window::Ever]);
}

#[test]
fn windows_end_today() {
    let days = |window: Window, today: &str| {
        let (first, last) = window.days(day(today));
        (first.to_string(), last.to_string())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        days(Window::Last(Span::Days(1)), "2026-11-26"),
        pair("2026-11-26", "2026-11-26")
    );
    assert_eq!(
        days(Window::Last(Span::Months(1)), "2026-03-31"),
        pair("2026-03-01", "2026-03-31")
    );
    assert_eq!(
        days(Window::Last(Span::Months(12)), "2028-02-29"),
        pair("2027-03-01", "2028-02-29")
    );
    assert_eq!(days(Window::Month, "2026-11-26"), pair("2026-11-01", "2026-11-26"));
    assert_eq!(days(Window::Year, "2026-11-26"), pair("2026-01-01", "2026-11-26"));
    assert_eq!(Window::Ever.days(day("2026-11-26")).0, NaiveDate::MIN);
    assert_eq!(
        Window::Last(Span::Days(u32::MAX)).days(day("2026-11-26")).0,
        NaiveDate::MIN.succ_opt().expect("a day")
    );
    let campaign = Window::Between {
        from: day("2026-01-02"),
        to: day("2026-01-03"),
    };
    assert_eq!(days(campaign, "2020-01-01"), pair("2026-01-02", "2026-01-03"));
}

#[test]
fn a_window_is_the_same_one_until_a_later_day() {
    let month = Window::Last(Span::Months(1));
    let campaign = Window::Between {
        from: day("2026-01-02"),
        to: day("2026-01-03"),
    };
    for (window, on, last) in [
        (Window::Month, "2026-11-26", "2026-11-30"),
        (Window::Year, "2026-11-26", "2026-12-31"),
        (Window::Last(Span::Days(3)), "2026-11-26", "2026-11-28"),
        (month, "2026-11-26", "2026-12-25"),
        // The last of January is within a month of the last of February.
        (month, "2026-01-31", "2026-02-28"),
        (campaign, "2026-01-02", "2026-01-03"),
    ] {
        let (on, last) = (day(on), day(last));
        assert!(window.lasts(on, last), "{window:?}");
        assert!(!window.lasts(on, last.succ_opt().expect("a day")), "{window:?}");
        assert!(!window.lasts(on, on) && !window.lasts(last, on), "{window:?}");
    }
    assert!(!campaign.lasts(day("2026-01-01"), day("2026-01-02")));
    assert!(Window::Ever.lasts(day("2026-01-01"), day("2126-01-01")));
}

#[test]
fn occasions_and_validity_come_first() {
    let valid = r#", "valid": {"from": "2026-11-26T00:00:00Z", "until": "2026-11-27T00:00:00Z"}"#;
    let rules = prepare(vec![rule_of(
        r#"{"coupon": ["x"]}"#,
        r#"{"coupon": {"series": "y"}}"#,
        valid,
    )]);
    let asked = |occasion, moment: &str| {
        let facts = Facts {
            occasion,
            coupons: vec!["x".into()],
            ..Facts::default()
        };
        verdicts(&evaluate(&rules, &basket(vec![]), &facts, at(moment), &MOSCOW))[0]
    };
    let applied = Verdict::Applied { value: 0 };
    let (from, until) = (at("2026-11-26T00:00:00Z"), at("2026-11-27T00:00:00Z"));
    assert_eq!(
        asked(Occasion::Purchase, "2026-11-25T23:59:59Z"),
        Verdict::Failed(Failure::NotYet(from))
    );
    assert_eq!(asked(Occasion::Purchase, "2026-11-26T00:00:00Z"), applied);
    assert_eq!(asked(Occasion::Purchase, "2026-11-26T23:59:59Z"), applied);
    assert_eq!(
        asked(Occasion::Purchase, "2026-11-27T00:00:00Z"),
        Verdict::Failed(Failure::Over(until))
    );
    assert_eq!(
        asked(Occasion::Referral, "2026-11-26T00:00:00Z"),
        Verdict::Failed(Failure::Occasion(Occasion::Purchase))
    );
}

// Effects.

fn one(effects: &str, basket: &Basket) -> Outcome {
    ask(&prepare(vec![rule_of("", effects, "")]), basket, &Facts::default())
}

#[test]
fn a_percentage_is_rounded_down_on_each_line_or_once() {
    let basket = basket(vec![line(1, 1, 99), line(2, 1, 99), line(3, 1, 0), line(4, 3, 33)]);
    let each = one(r#"{"percent_off": {"share": 1000, "each": "line"}}"#, &basket);
    assert_eq!(discounts(&each), [9, 9, 0, 9]);
    assert_eq!(
        (each.total.amount, each.total.discount, each.total.paid),
        (297, 27, 270)
    );
    let once = one(r#"{"percent_off": {"share": 1000, "each": "purchase"}}"#, &basket);
    assert_eq!(discounts(&once), [10, 10, 0, 9]);
    let all = one(r#"{"percent_off": {"share": 10000, "each": "purchase"}}"#, &basket);
    assert_eq!((all.total.discount, all.total.paid), (297, 0));
}

#[test]
fn an_amount_is_split_by_the_largest_remainder_and_takes_no_more_than_there_is() {
    let three = basket(vec![line(1, 1, 5_00), line(2, 1, 5_00), line(3, 1, 5_00)]);
    assert_eq!(
        discounts(&one(r#"{"amount_off": {"amount": 200, "each": "purchase"}}"#, &three)),
        [67, 67, 66]
    );
    let basket = basket(vec![line(1, 2, 5_00), line(2, 1, 30_00), line(3, 1, 1)]);
    let off = |amount, each| {
        let outcome = one(
            &format!(r#"{{"amount_off": {{"amount": {amount}, "each": "{each}"}}}}"#),
            &basket,
        );
        discounts(&outcome)
    };
    assert_eq!(off(15_00, "purchase"), [3_75, 11_25, 0]);
    assert_eq!(off(1_000_00, "purchase"), [10_00, 30_00, 1]);
    assert_eq!(off(4_00, "line"), [4_00, 4_00, 1]);
    assert_eq!(off(4_00, "unit"), [8_00, 4_00, 1]);
}

#[test]
fn discounts_go_on_from_what_the_earlier_ones_left() {
    let half = r#"{"percent_off": {"share": 5000, "each": "line"}}"#;
    let ten = r#"{"amount_off": {"amount": 1000, "each": "purchase"}}"#;
    let lines = basket(vec![line(1, 1, 100_00)]);
    let first_half = prepare(vec![rule_of("", ten, ""), rule_of("", half, r#", "priority": 1"#)]);
    assert_eq!(discounts(&ask(&first_half, &lines, &Facts::default())), [60_00]);
    let first_ten = prepare(vec![rule_of("", ten, r#", "priority": 1"#), rule_of("", half, "")]);
    assert_eq!(discounts(&ask(&first_ten, &lines, &Facts::default())), [55_00]);
}

#[test]
fn the_cheapest_units_are_free() {
    let three = r#"{"cheapest_free": {"of": 3}}"#;
    let free = |lines: Vec<Line>| discounts(&one(three, &basket(lines)));
    assert_eq!(free(vec![line(1, 1, 10), line(2, 1, 20)]), [0, 0]);
    assert_eq!(free(vec![line(1, 1, 30), line(2, 1, 10), line(3, 1, 20)]), [0, 10, 0]);
    assert_eq!(free(vec![line(1, 5, 30), line(2, 1, 10), line(3, 1, 20)]), [0, 10, 20]);
    assert_eq!(free(vec![line(1, 7, 30)]), [60]);
    // Of equals the first; what costs nothing is no unit.
    assert_eq!(
        free(vec![line(1, 1, 10), line(2, 1, 10), line(3, 1, 10), line(4, 9, 0)]),
        [10, 0, 0, 0]
    );
    // What the till took off already makes a unit cheaper: 3 for 50 is less than 20 each.
    let mut cheaper = line(1, 3, 30);
    cheaper.discount = 40;
    assert_eq!(free(vec![line(2, 3, 20), cheaper]), [0, 33]);
}

#[test]
fn a_receipt_took_off_what_it_says_and_rules_own_up_to_no_more() {
    let tenth = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let share = format!(r#"{{"points_share": {{"program": {}, "share": 1000}}}}"#, id(1));
    let much = r#"{"basket_sum": {"at_least": 20000}}"#;
    let rules = prepare(vec![
        rule_of("", tenth, r#", "priority": 2"#),
        rule_of("", tenth, r#", "priority": 1"#),
        rule_of(much, &share, ""),
    ]);
    let told = |taken: [Option<i64>; 2]| {
        let mut lines = vec![line(1, 1, 100_00), line(2, 1, 100_00)];
        for (line, taken) in lines.iter_mut().zip(taken) {
            line.taken = taken;
        }
        let outcome = ask(&rules, &basket(lines), &Facts::default());
        let given: i64 = outcome
            .grants
            .iter()
            .map(|grant| if value(grant).1 { value(grant).0 } else { 0 })
            .sum();
        (discounts(&outcome), given, points(&outcome))
    };
    assert_eq!(told([None, None]), (vec![19_00, 19_00], 38_00, vec![8_10, 8_10]));
    assert_eq!(
        told([Some(19_00), Some(19_00)]),
        (vec![19_00, 19_00], 38_00, vec![8_10, 8_10])
    );
    // The first rule gives ten of each, the second nine; the rest is nobody's, and is not paid either.
    assert_eq!(
        told([Some(12_00), Some(30_00)]),
        (vec![12_00, 30_00], 31_00, vec![8_80, 7_00])
    );
    assert_eq!(
        told([Some(0), Some(i64::MAX)]),
        (vec![0, 100_00], 19_00, vec![10_00, 0])
    );
}

#[test]
fn a_rule_that_the_receipt_did_not_follow_leaves_its_group() {
    let tenth = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let fixed = format!(
        r#"{{"points_fixed": {{"program": {}, "points": 500, "each": "purchase"}}}}"#,
        id(1)
    );
    let rules = prepare(vec![
        rule_of("", tenth, r#", "priority": 1, "group": "one""#),
        rule_of("", &fixed, r#", "group": "one""#),
    ]);
    for (taken, earned) in [(None, 0), (Some(10_00), 0), (Some(0), 5_00)] {
        let mut one = line(1, 1, 100_00);
        one.taken = taken;
        assert_eq!(
            points(&ask(&rules, &basket(vec![one]), &Facts::default())),
            [earned],
            "{taken:?}"
        );
    }
}

#[test]
fn points_go_to_members_and_to_whoever_is_not_known_yet() {
    let fixed = format!(
        r#"{{"points_fixed": {{"program": {}, "points": 500, "each": "purchase"}}}}"#,
        id(1)
    );
    let rules = prepare(vec![rule_of("", &fixed, "")]);
    let lines = basket(vec![line(1, 1, 100_00)]);
    let of = |program| {
        known(Buyer {
            memberships: vec![Membership {
                program: ProgramId(uuid(program)),
                tier: None,
            }],
            ..buyer()
        })
    };
    for (facts, earned) in [(Facts::default(), 5_00), (of(1), 5_00), (of(2), 0)] {
        let outcome = ask(&rules, &lines, &facts);
        assert_eq!(points(&outcome), [earned]);
        let nothing = Verdict::Failed(Failure::Nothing);
        assert_eq!(outcome.decisions[0].verdict == nothing, earned == 0);
    }
}

#[test]
fn points_are_for_what_is_paid() {
    let share = format!(r#"{{"points_share": {{"program": {}, "share": 500}}}}"#, id(1));
    let off = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let rules = prepare(vec![rule_of("", &share, r#", "priority": 5"#), rule_of("", off, "")]);
    let mut lines = vec![line(1, 1, 100_00), line(2, 1, 300_00), line(3, 1, 50_00)];
    lines[2].payable = false;
    let mut basket = basket(lines);
    basket.points_used = 100_00;
    let outcome = ask(&rules, &basket, &Facts::default());
    assert_eq!(discounts(&outcome), [10_00, 30_00, 5_00]);
    let used: Vec<_> = outcome.lines.iter().map(|line| line.points_used).collect();
    assert_eq!(used, [25_00, 75_00, 0]);
    assert_eq!(points(&outcome), [3_25, 9_75, 2_25]);
    assert_eq!(outcome.points, [(ProgramId(uuid(1)), 15_25)]);
    assert_eq!(outcome.total.points, 15_25);
    basket.points_used = i64::MAX;
    let outcome = ask(&rules, &basket, &Facts::default());
    assert_eq!((outcome.total.points_used, outcome.total.paid), (360_00, 45_00));
    assert_eq!(points(&outcome), [0, 0, 2_25]);
    basket.points_used = -5;
    assert_eq!(ask(&rules, &basket, &Facts::default()).total.points_used, 0);
}

#[test]
fn points_for_full_amounts_are_counted_once_and_split() {
    let per = format!(
        r#"{{"points_per": {{"program": {}, "points": 100, "per": 10000}}}}"#,
        id(1)
    );
    let earned = |lines: Vec<Line>| points(&one(&per, &basket(lines)));
    assert_eq!(earned(vec![line(1, 1, 99_99)]), [0]);
    assert_eq!(earned(vec![line(1, 1, 50_00), line(2, 1, 50_00)]), [50, 50]);
    assert_eq!(
        earned(vec![line(1, 1, 100_00), line(2, 1, 100_00), line(3, 1, 99_99)]),
        [67, 67, 66]
    );
    assert_eq!(earned(vec![line(1, 1, 10), line(2, 1, 299_89)]), [0, 200]);
}

#[test]
fn multipliers_add_up_whatever_their_order() {
    let times = |factor| format!(r#"{{"points_times": {{"program": {}, "factor": {factor}}}}}"#, id(1));
    let share = format!(r#"{{"points_share": {{"program": {}, "share": 100}}}}"#, id(1));
    let fixed = format!(
        r#"{{"points_fixed": {{"program": {}, "points": 7, "each": "purchase"}}}}"#,
        id(1)
    );
    let other = format!(r#"{{"points_share": {{"program": {}, "share": 100}}}}"#, id(2));
    let first = |article| format!(r#"{{"article": [{}]}}"#, id(article));
    let rules = prepare(vec![
        rule_of("", &times(20_000), r#", "priority": 9"#),
        rule_of("", &share, ""),
        rule_of(&first(1), &times(30_000), ""),
        rule_of("", &fixed, r#", "priority": 9"#),
        rule_of("", &other, ""),
    ]);
    let outcome = ask(
        &rules,
        &basket(vec![line(1, 1, 100_00), line(2, 1, 50_00)]),
        &Facts::default(),
    );
    // 1 % is 1.00 and 0.50; four times and twice; seven hundredths are 5 and 2 by the price; and the other program.
    assert_eq!(points(&outcome), [4_00 + 5 + 1_00, 1_00 + 2 + 50]);
    assert_eq!(outcome.points, [(ProgramId(uuid(1)), 5_07), (ProgramId(uuid(2)), 1_50)]);
    let alone = one(&times(20_000), &basket(vec![line(1, 1, 100_00)]));
    assert_eq!(verdicts(&alone), [Verdict::Failed(Failure::Nothing)]);
}

#[test]
fn fixed_points_are_for_the_purchase_the_line_or_the_unit() {
    let fixed = |each| {
        format!(
            r#"{{"points_fixed": {{"program": {}, "points": 10, "each": "{each}"}}}}"#,
            id(1)
        )
    };
    let lines = || vec![line(1, 3, 1_00), line(2, 1, 1_00), line(3, 5, 0)];
    let earned = |each| points(&one(&fixed(each), &basket(lines())));
    assert_eq!(earned("purchase"), [8, 2, 0]);
    assert_eq!(earned("line"), [10, 10, 0]);
    assert_eq!(earned("unit"), [30, 10, 0]);
    let free = one(&fixed("purchase"), &basket(vec![line(3, 5, 0)]));
    assert_eq!(verdicts(&free), [Verdict::Failed(Failure::Nothing)]);
}

#[test]
fn an_occasion_without_lines_gives_fixed_points() {
    let effects = format!(
        r#"{{"points_fixed": {{"program": {}, "points": 500, "each": "purchase"}}}}, {{"coupon": {{"series": "friend"}}}}"#,
        id(1)
    );
    let rules = prepare(vec![rule_of(
        "",
        &effects,
        r#", "occasion": "referral", "caps": {"customer": {"value": 700}}"#,
    )]);
    let mut facts = Facts {
        occasion: Occasion::Referral,
        ..known(Buyer {
            memberships: vec![Membership {
                program: ProgramId(uuid(1)),
                tier: None,
            }],
            ..buyer()
        })
    };
    let outcome = ask(&rules, &basket(vec![]), &facts);
    assert_eq!(
        (outcome.total.points, &outcome.points[..]),
        (500, &[(ProgramId(uuid(1)), 500)][..])
    );
    assert_eq!(
        outcome.grants.iter().map(|g| (g.line, g.effect)).collect::<Vec<_>>(),
        [(None, 0), (None, 1)]
    );
    let customer = Usage { value: 500, times: 1 };
    facts.used.insert(
        by(1).id,
        Used {
            customer,
            ..Used::default()
        },
    );
    assert_eq!(ask(&rules, &basket(vec![]), &facts).total.points, 200);
}

#[test]
fn gifts_coupons_and_messages_come_with_the_rule() {
    let effects = format!(
        r#"{{"gift": {{"article": {}, "quantity": 2}}}}, {{"coupon": {{"series": "next"}}}},
           {{"message": {{"to": "kiosk", "text": {{"ru": "Р", "en": "E"}}}}}}"#,
        id(5)
    );
    let off = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let given = |effects: &str, price| {
        let outcome = one(effects, &basket(vec![line(1, 1, price)]));
        outcome
            .grants
            .iter()
            .map(|grant| (grant.effect, grant.given))
            .collect::<Vec<_>>()
    };
    let gift = Given::Gift {
        article: ArticleId(uuid(5)),
        quantity: 2,
    };
    assert_eq!(given(&effects, 0), [(0, gift), (1, Given::Coupon), (2, Given::Message)]);
    let both = format!("{off}, {effects}");
    let all = [
        (0, Given::Discount(10)),
        (1, gift),
        (2, Given::Coupon),
        (3, Given::Message),
    ];
    assert_eq!(given(&both, 100), all);
    assert_eq!(
        given(&both, 9),
        [],
        "nothing is taken off, so there is nothing to tell of"
    );
}

// Groups, stacking, caps.

#[test]
fn a_group_is_granted_once_and_a_rule_that_takes_nothing_off_leaves_it() {
    let off = |share| format!(r#"{{"percent_off": {{"share": {share}, "each": "line"}}}}"#);
    let group = |priority| format!(r#", "group": "spring", "priority": {priority}"#);
    let rules = prepare(vec![
        rule_of("", &off(3000), &group(1)),
        rule_of("", &off(1000), &group(3)),
        rule_of(r#"{"coupon": ["x"]}"#, &off(5000), &group(9)),
        rule_of("", &off(1), &group(5)),
    ]);
    let outcome = ask(&rules, &basket(vec![line(1, 1, 1_00)]), &Facts::default());
    assert_eq!(
        outcome.decisions.iter().map(|d| d.by).collect::<Vec<_>>(),
        [by(3), by(4), by(2), by(1)]
    );
    let failed = Verdict::Failed;
    let coupon = Failure::Condition {
        clause: 0,
        found: Found::Missing,
    };
    assert_eq!(
        verdicts(&outcome),
        [
            failed(coupon),
            failed(Failure::Nothing),
            Verdict::Applied { value: 10 },
            failed(Failure::Group(by(2)))
        ]
    );
}

#[test]
fn discounts_that_stand_alone_meet_no_other() {
    let off = |share| format!(r#"{{"percent_off": {{"share": {share}, "each": "line"}}}}"#);
    let of = |article| format!(r#"{{"article": [{}]}}"#, id(article));
    let points = format!(r#"{{"points_share": {{"program": {}, "share": 100}}}}"#, id(1));
    let lines = basket(vec![line(1, 1, 100), line(2, 1, 100)]);
    let rules = prepare(vec![
        rule_of(&of(1), &off(5000), r#", "alone": true, "priority": 9"#),
        rule_of("", &off(1000), r#", "priority": 8"#),
        rule_of("", &off(1000), r#", "priority": 7, "alone": true"#),
        rule_of(&of(1), &off(1000), r#", "priority": 6"#),
        rule_of(&of(1), &points, r#", "priority": 5"#),
    ]);
    let outcome = ask(&rules, &lines, &Facts::default());
    assert_eq!(discounts(&outcome), [50, 10]);
    assert_eq!(verdicts(&outcome)[2], Verdict::Failed(Failure::Closed(by(1))));
    assert_eq!(verdicts(&outcome)[3], Verdict::Failed(Failure::Closed(by(1))));
    assert_eq!(
        verdicts(&outcome)[4],
        Verdict::Failed(Failure::Nothing),
        "one percent of 50 is nothing"
    );
}

#[test]
fn caps_hold_money_and_points_of_a_rule_together() {
    let effects = format!(
        r#"{{"percent_off": {{"share": 1000, "each": "line"}}}}, {{"points_share": {{"program": {}, "share": 1000}}}}"#,
        id(1)
    );
    let capped = |caps: &str| {
        let rules = prepare(vec![rule_of("", &effects, &format!(r#", "caps": {caps}"#))]);
        let outcome = ask(
            &rules,
            &basket(vec![line(1, 1, 100_00), line(2, 1, 200_00)]),
            &Facts::default(),
        );
        (discounts(&outcome), points(&outcome), verdicts(&outcome)[0])
    };
    let applied = |value| Verdict::Applied { value };
    assert_eq!(capped("{}"), (vec![10_00, 20_00], vec![9_00, 18_00], applied(57_00)));
    assert_eq!(
        capped(r#"{"line": 2500}"#),
        (vec![10_00, 20_00], vec![9_00, 5_00], applied(44_00))
    );
    assert_eq!(
        capped(r#"{"purchase": 4000}"#),
        (vec![10_00, 20_00], vec![3_33, 6_67], applied(40_00))
    );
    assert_eq!(
        capped(r#"{"purchase": 1000}"#),
        (vec![3_33, 6_67], vec![0, 0], applied(10_00))
    );
    assert_eq!(
        capped(r#"{"budget": {"value": 1}}"#),
        (vec![0, 1], vec![0, 0], applied(1))
    );
}

#[test]
fn what_was_used_before_counts() {
    let off = r#"{"percent_off": {"share": 1000, "each": "line"}}"#;
    let caps =
        r#", "caps": {"day": {"times": 2}, "customer": {"value": 3000}, "budget": {"value": 9000, "times": 100}}"#;
    let rules = prepare(vec![rule_of("", off, caps)]);
    let asked = |used: Used| {
        let facts = Facts {
            used: [(by(1).id, used)].into(),
            ..Facts::default()
        };
        verdicts(&ask(&rules, &basket(vec![line(1, 1, 100_00)]), &facts))[0]
    };
    let usage = |value, times| Usage { value, times };
    let used_up = |what, allowed, used| Verdict::Failed(Failure::UsedUp { what, allowed, used });
    let none = Used::default();
    assert_eq!(asked(none), Verdict::Applied { value: 10_00 });
    assert_eq!(
        asked(Used {
            day: usage(0, 1),
            ..none
        }),
        Verdict::Applied { value: 10_00 }
    );
    assert_eq!(
        asked(Used {
            day: usage(0, 2),
            ..none
        }),
        used_up(Capped::DayTimes, 2, 2)
    );
    assert_eq!(
        asked(Used {
            customer: usage(29_99, 0),
            ..none
        }),
        Verdict::Applied { value: 1 }
    );
    assert_eq!(
        asked(Used {
            customer: usage(30_00, 0),
            ..none
        }),
        used_up(Capped::CustomerValue, 30_00, 30_00)
    );
    assert_eq!(
        asked(Used {
            budget: usage(85_00, 7),
            ..none
        }),
        Verdict::Applied { value: 5_00 }
    );
    assert_eq!(
        asked(Used {
            budget: usage(90_01, 7),
            ..none
        }),
        used_up(Capped::BudgetValue, 90_00, 90_01)
    );
    assert_eq!(
        asked(Used {
            budget: usage(0, 100),
            ..none
        }),
        used_up(Capped::BudgetTimes, 100, 100)
    );
}

#[test]
fn cumulative_discounts_are_rules_of_one_group() {
    let step = |least: i64, share: i64, priority: i32| {
        let window = r#"{"last": {"months": 12}}"#;
        rule_of(
            &format!(r#"{{"purchase_sum": {{"window": {window}, "sum": {{"at_least": {least}}}}}}}"#),
            &format!(r#"{{"percent_off": {{"share": {share}, "each": "line"}}}}"#),
            &format!(r#", "group": "cumulative", "priority": {priority}"#),
        )
    };
    let rules = prepare(vec![
        step(10_000_00, 300, 1),
        step(50_000_00, 500, 2),
        step(100_000_00, 700, 3),
    ]);
    let off = |sum| {
        let history = vec![(Window::Last(Span::Months(12)), History { count: 1, sum })];
        let facts = known(Buyer { history, ..buyer() });
        ask(&rules, &basket(vec![line(1, 1, 100_00)]), &facts).total.discount
    };
    assert_eq!(
        [9_999_99, 10_000_00, 99_999_99, 100_000_00].map(off),
        [0, 3_00, 5_00, 7_00]
    );
}

// Figures at their limits.

#[test]
fn the_largest_numbers_saturate() {
    let huge = i64::MAX;
    let mut lines = vec![
        line(1, huge, huge),
        line(2, huge, 1),
        line(3, 1, huge),
        line(4, 1, -5),
        line(5, 1, 5),
    ];
    lines[4].discount = huge;
    let all = |effect: &str| {
        format!(r#"{{"program": {}, {effect}, "each": "purchase"}}"#, id(1)).replace(r#", "each": "purchase""#, "")
    };
    let effects = [
        r#"{"percent_off": {"share": 9999, "each": "line"}}"#.into(),
        r#"{"percent_off": {"share": 1, "each": "purchase"}}"#.into(),
        r#"{"amount_off": {"amount": 1000000000, "each": "unit"}}"#.into(),
        r#"{"cheapest_free": {"of": 2}}"#.into(),
        format!(r#"{{"points_share": {}}}"#, all(r#""share": 1000000"#)),
        format!(r#"{{"points_per": {}}}"#, all(r#""points": 1000000000, "per": 1"#)),
        format!(r#"{{"points_times": {}}}"#, all(r#""factor": 1000000"#)),
        format!(
            r#"{{"points_fixed": {{"program": {}, "points": 1000000000, "each": "unit"}}}}"#,
            id(1)
        ),
    ];
    let rules = prepare(effects.iter().map(|effect: &String| rule_of("", effect, "")).collect());
    for points_used in [0, huge, i64::MIN] {
        let basket = Basket {
            lines: lines.clone(),
            points_used,
        };
        let outcome = ask(&rules, &basket, &Facts::default());
        assert!(
            outcome
                .lines
                .iter()
                .all(|l| l.paid >= 0 && l.discount >= 0 && l.points >= 0)
        );
        let amounts: Vec<_> = outcome.lines.iter().map(|line| line.amount).collect();
        assert_eq!(amounts, [huge, huge, huge, 0, 0]);
        assert_eq!(outcome.total.amount, huge);
        assert_eq!(outcome.lines[3], Sums::default(), "a price below zero is nothing");
        assert_eq!(
            outcome.lines[4],
            Sums::default(),
            "nor is what the till took off entirely"
        );
    }
    let shares = prepare(vec![rule_of("", &effects[4], "")]);
    assert_eq!(
        points(&ask(&shares, &basket(vec![line(1, 1, huge)]), &Facts::default())),
        [POINTS_MAX]
    );
}

#[test]
fn what_a_line_earns_can_be_added_up() {
    // The largest that a rule and a receipt may say.
    let most = crate::purchase::AMOUNT_MAX;
    let effect = format!(
        r#"{{"points_fixed": {{"program": {}, "points": {most}, "each": "unit"}}}}"#,
        id(1)
    );
    let rules = prepare(vec![rule_of("", &effect, "")]);
    let lines = (1..=10).map(|n| line(n, most, 1)).collect();
    let outcome = ask(&rules, &basket(lines), &Facts::default());
    assert_eq!(points(&outcome), [POINTS_MAX; 10]);
    assert_eq!(outcome.total.points, 10 * POINTS_MAX);
    let given = outcome.grants.iter().map(|grant| value(grant).0);
    assert_eq!(given.sum::<i64>(), 10 * POINTS_MAX, "the books add it up");
    assert!(matches!(
        outcome.decisions[0].verdict,
        Verdict::Applied { value } if value == 10 * POINTS_MAX
    ));
}

// Rules as JSON, and what is wrong with them.

#[test]
fn rules_are_read_as_they_were_written() {
    let json = r#"{"name":{"ru":"Кофе","en":"Coffee"},"occasion":"purchase","priority":5,"group":"spring","alone":false,"valid":{"from":"2026-03-01T00:00:00Z"},"conditions":[{"hours":{"from":1320,"to":120,"days":["Fri"]}},{"contains":{"lines":[{"price":{"at_least":1}}],"sum":{"at_least":5}}},{"purchase_sum":{"window":{"between":{"from":"2026-01-01","to":"2026-12-31"}},"sum":{"at_most":9}}},"first_purchase",{"not":{"payment":["cash","transfer"]}}],"effects":[{"amount_off":{"amount":100,"each":"unit"}},{"message":{"to":"cashier","text":{"ru":"Р","en":"E"}}}],"caps":{"line":5,"day":{"times":1}}}"#;
    let rule: Rule = serde_json::from_str(json).expect("a rule");
    assert_eq!(rule.validate(), []);
    assert_eq!(serde_json::to_string(&rule).expect("JSON"), json);
    for (unknown, known) in [
        (r#""priority":5"#, r#""priorty":5"#),
        (r#""at_least":1"#, r#""atleast":1"#),
        (r#""each":"unit""#, r#""each":"unit","of":2"#),
        (r#""times":1"#, r#""time":1"#),
        (r#""days":["Fri"]"#, r#""day":["Fri"]"#),
        (r#""first_purchase""#, r#""second_purchase""#),
    ] {
        let broken = json.replace(unknown, known);
        assert!(serde_json::from_str::<Rule>(&broken).is_err(), "{broken}");
    }
}

#[test]
fn faults_are_named_by_their_place() {
    let faults = |rule: &Rule| {
        rule.validate()
            .into_iter()
            .map(|f| (f.pointer, f.problem))
            .collect::<Vec<_>>()
    };
    let pointer = |conditions: &str, effects: &str, more: &str| {
        let found = faults(&rule_of(conditions, effects, more));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let says = r#"{"coupon": {"series": "x"}}"#;
    let fault = |pointer: &str, problem| (pointer.to_owned(), problem);
    let range = |min, max| Problem::OutOfRange { min, max };
    assert_eq!(faults(&rule_of("", says, "")), []);
    for (condition, expected) in [
        (r#"{"article": []}"#, fault("/conditions/0/article", Problem::Missing)),
        (
            r#"{"activated": []}"#,
            fault("/conditions/0/activated", Problem::Missing),
        ),
        (
            r#"{"brand": ["a", " "]}"#,
            fault("/conditions/0/brand/1", Problem::Missing),
        ),
        (r#"{"price": {}}"#, fault("/conditions/0/price", Problem::Missing)),
        (
            r#"{"price": {"at_least": -1}}"#,
            fault("/conditions/0/price/at_least", range(0, i64::MAX)),
        ),
        (
            r#"{"quantity": {"at_least": 2, "at_most": 1}}"#,
            fault("/conditions/0/quantity/at_most", Problem::Backwards),
        ),
        (r#"{"weekday": []}"#, fault("/conditions/0/weekday", Problem::Missing)),
        (
            r#"{"hours": {"from": 60, "to": 60}}"#,
            fault("/conditions/0/hours/to", Problem::Backwards),
        ),
        (
            r#"{"hours": {"from": 1440, "to": 60}}"#,
            fault("/conditions/0/hours/from", range(0, 1439)),
        ),
        (
            r#"{"hours": {"from": 60, "to": 1441}}"#,
            fault("/conditions/0/hours/to", range(0, 1440)),
        ),
        (r#"{"period": {}}"#, fault("/conditions/0/period", Problem::Missing)),
        (
            r#"{"period": {"from": "2026-02-02", "to": "2026-02-01"}}"#,
            fault("/conditions/0/period/to", Problem::Backwards),
        ),
        (
            r#"{"birthday": {"of": "child", "before": 183}}"#,
            fault("/conditions/0/birthday/before", range(0, 182)),
        ),
        (
            r#"{"purchase_sum": {"window": {"last": {"months": 0}}, "sum": {"at_least": 1}}}"#,
            fault("/conditions/0/purchase_sum/window/last/months", range(1, 120)),
        ),
        (
            r#"{"purchase_count": {"window": "ever", "count": {}}}"#,
            fault("/conditions/0/purchase_count/count", Problem::Missing),
        ),
        (r#"{"any": []}"#, fault("/conditions/0/any", Problem::Missing)),
        (
            r#"{"not": {"all": [{"segment": [""]}]}}"#,
            fault("/conditions/0/not/all/0/segment/0", Problem::Missing),
        ),
        (
            r#"{"contains": {"lines": [{"price": {"at_least": 1}}]}}"#,
            fault("/conditions/0/contains/quantity", Problem::Missing),
        ),
        (
            r#"{"contains": {"lines": [{"not": {"coupon": ["x"]}}], "sum": {"at_least": 1}}}"#,
            fault("/conditions/0/contains/lines/0/not", Problem::NotOfLines),
        ),
    ] {
        assert_eq!(pointer(condition, says, ""), expected, "{condition}");
    }
    for (effect, expected) in [
        (
            r#"{"percent_off": {"share": 10001, "each": "line"}}"#,
            fault("/effects/0/percent_off/share", range(1, 10_000)),
        ),
        (
            r#"{"percent_off": {"share": 1, "each": "unit"}}"#,
            fault("/effects/0/percent_off/each", Problem::NotAChoice),
        ),
        (
            r#"{"amount_off": {"amount": 0, "each": "line"}}"#,
            fault("/effects/0/amount_off/amount", range(1, 1_000_000_000)),
        ),
        (
            r#"{"cheapest_free": {"of": 1}}"#,
            fault("/effects/0/cheapest_free/of", range(2, 100_000)),
        ),
        (
            r#"{"coupon": {"series": ""}}"#,
            fault("/effects/0/coupon/series", Problem::Missing),
        ),
        (
            r#"{"message": {"to": "receipt", "text": {"ru": "Р", "en": ""}}}"#,
            fault("/effects/0/message/text/en", Problem::Missing),
        ),
    ] {
        assert_eq!(pointer("", effect, ""), expected, "{effect}");
    }
    let times = format!(r#"{{"points_times": {{"program": {}, "factor": 10000}}}}"#, id(1));
    assert_eq!(
        pointer("", &times, ""),
        fault("/effects/0/points_times/factor", range(10_001, 1_000_000))
    );
    assert_eq!(pointer("", "", ""), fault("/effects", Problem::Missing));
    assert_eq!(pointer("", says, r#", "group": """#), fault("/group", Problem::Missing));
    let backwards = r#", "valid": {"from": "2026-03-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}"#;
    assert_eq!(pointer("", says, backwards), fault("/valid/until", Problem::Backwards));
    assert_eq!(
        pointer("", says, r#", "caps": {"line": 0}"#),
        fault("/caps/line", range(1, i64::MAX))
    );
    let never = r#", "caps": {"budget": {"times": -1}}"#;
    assert_eq!(
        pointer("", says, never),
        fault("/caps/budget/times", range(1, i64::MAX))
    );
    let born = r#", "occasion": "registration""#;
    let line = r#"{"price": {"at_least": 1}}"#;
    for of_purchase in [
        line.to_owned(),
        r#"{"basket_sum": {"at_least": 1}}"#.into(),
        format!(r#"{{"contains": {{"lines": [{line}], "sum": {{"at_least": 1}}}}}}"#),
        format!(r#"{{"store": [{}]}}"#, id(1)),
        r#"{"region": ["north"]}"#.into(),
        r#"{"hours": {"from": 60, "to": 120}}"#.into(),
        r#"{"payment": ["card"]}"#.into(),
        r#"{"channel": ["till"]}"#.into(),
        r#"{"not": {"coupon": ["x"]}}"#.into(),
    ] {
        let expected = fault("/conditions/0", Problem::NeedsPurchase);
        assert_eq!(pointer(&of_purchase, says, born), expected, "{of_purchase}");
    }
    for of_somebody in [
        r#""invited""#,
        r#""first_purchase""#,
        r#"{"weekday": ["Mon"]}"#,
        r#"{"period": {"from": "2026-11-01"}}"#,
        r#"{"segment": ["parents"]}"#,
    ] {
        assert_eq!(faults(&rule_of(of_somebody, says, born)), [], "{of_somebody}");
    }
    let points = |kind: &str, more: &str| format!(r#"{{"{kind}": {{"program": {}, {more}}}}}"#, id(1));
    for effect in [
        r#"{"cheapest_free": {"of": 3}}"#.to_owned(),
        points("points_share", r#""share": 100"#),
        points("points_times", r#""factor": 20000"#),
        points("points_fixed", r#""points": 100, "each": "line""#),
        format!(r#"{{"gift": {{"article": {}, "quantity": 1}}}}"#, id(1)),
        r#"{"message": {"to": "receipt", "text": {"ru": "Р", "en": "E"}}}"#.into(),
    ] {
        assert_eq!(
            pointer("", &effect, born),
            fault("/effects/0", Problem::NeedsPurchase),
            "{effect}"
        );
    }
    let letter = r#"{"message": {"to": "customer", "text": {"ru": "Р", "en": "E"}}}"#;
    assert_eq!(faults(&rule_of("", letter, born)), []);
    assert_eq!(
        pointer("", letter, ""),
        fault("/effects/0/message/to", Problem::NotAChoice)
    );
    let daily = r#", "occasion": "day""#;
    assert_eq!(pointer("", says, daily), fault("/conditions", Problem::NeedsTurn));
    assert_eq!(faults(&rule_of(r#"{"tenure": {"at_least": 365}}"#, says, daily)), []);
    let deep = format!("{}{line}{}", r#"{"not": "#.repeat(5), "}".repeat(5));
    let there = format!("/conditions/0{}", "/not".repeat(5));
    assert_eq!(pointer(&deep, says, ""), fault(&there, Problem::TooDeep { max: 5 }));
    let many = vec![line; 101].join(",");
    assert_eq!(
        pointer(&many, says, ""),
        fault("/conditions", Problem::TooMany { max: 100 })
    );
    let long = "я".repeat(201);
    assert_eq!(
        pointer(&format!(r#"{{"region": ["{long}"]}}"#), says, ""),
        fault("/conditions/0/region/0", Problem::TooLong { max: 200 })
    );
}

#[test]
fn a_snapshot_takes_no_faulty_rule_and_no_rule_twice() {
    let good = || rule(&[r#""first_purchase""#]);
    let published = |n, version, rule| Published {
        by: RuleVersion {
            id: RuleId(uuid(n)),
            version,
        },
        rule,
    };
    let twice = Rules::prepare(vec![
        published(1, 1, good()),
        published(2, 1, good()),
        published(1, 2, good()),
    ]);
    assert_eq!(twice.map(|_| ()), Err(Unfit::Twice(RuleId(uuid(1)))));
    let mut bad = good();
    bad.effects.clear();
    let faulty = Rules::prepare(vec![published(1, 1, good()), published(2, 7, bad)]);
    assert!(matches!(faulty, Err(Unfit::Faulty { by, .. }) if by.version == 7));
    let rules = Rules::prepare(vec![published(1, 3, good())]).expect("a good rule");
    assert_eq!(
        rules
            .get(RuleVersion {
                id: RuleId(uuid(1)),
                version: 3
            })
            .map(|p| &p.rule),
        Some(&good())
    );
    assert_eq!(rules.get(by(1)), None);
}

// What holds for any rules.

fn ranges() -> impl Strategy<Value = Range> {
    (0_i64..2_000).prop_flat_map(|least| {
        prop_oneof![
            Just(Range::from(least)),
            Just(Range::up_to(least)),
            (least..2_000).prop_map(move |most| Range {
                at_least: Some(least),
                at_most: Some(most)
            }),
        ]
    })
}

fn of_lines() -> impl Strategy<Value = Condition> {
    prop_oneof![
        prop::collection::vec(0_u128..6, 1..4)
            .prop_map(|n| Condition::Article(n.into_iter().map(|n| ArticleId(uuid(n))).collect())),
        prop::collection::vec(0_u128..4, 1..3)
            .prop_map(|n| Condition::Category(n.into_iter().map(|n| CategoryId(uuid(n))).collect())),
        Just(Condition::Brand(vec!["a".into()])),
        ranges().prop_map(Condition::Price),
        (1_i64..4).prop_map(|n| Condition::Quantity(Range::from(n))),
        ranges().prop_map(Condition::LineSum),
    ]
}

fn conditions() -> impl Strategy<Value = Condition> {
    let programs = || (1_u128..3).prop_map(|n| ProgramId(uuid(n)));
    let of_baskets = prop_oneof![
        ranges().prop_map(Condition::BasketSum),
        (of_lines(), ranges()).prop_map(|(line, sum)| Condition::Contains {
            lines: vec![line],
            quantity: Range::default(),
            sum,
        }),
        (1_u128..3).prop_map(|n| Condition::Store(vec![StoreId(uuid(n))])),
        Just(Condition::Region(vec!["north".into()])),
        Just(Condition::Weekday(vec![Weekday::Thu])),
        (0_u16..1440, 0_u16..1440)
            .prop_filter("another minute", |(from, to)| from != to)
            .prop_map(|(from, to)| Condition::Hours { from, to, days: vec![] }),
        Just(Condition::Period(Dates {
            from: Some(day("2026-11-01")),
            to: None
        })),
        (0_u16..180, 0_u16..180).prop_map(|(before, after)| Condition::Birthday {
            of: Whose::Customer,
            before,
            after
        }),
        programs().prop_map(|program| Condition::Tier {
            program,
            tiers: vec![TierId(uuid(1))]
        }),
        programs().prop_map(|program| Condition::Member(vec![program])),
        (0_i64..400).prop_map(|n| Condition::Tenure(Range::from(n))),
        ranges().prop_map(|sum| Condition::PurchaseSum {
            window: Window::Year,
            sum
        }),
        ranges().prop_map(|count| Condition::PurchaseCount {
            window: Window::Ever,
            count
        }),
        Just(Condition::FirstPurchase),
        Just(Condition::Invited),
        Just(Condition::Activated(vec![PromotionId(uuid(1))])),
        Just(Condition::Segment(vec!["parents".into()])),
        Just(Condition::Payment(vec![Payment::Card])),
        Just(Condition::Channel(vec![Channel::Till])),
        Just(Condition::Coupon(vec!["spring".into()])),
    ];
    prop_oneof![of_lines(), of_baskets].prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn effects() -> impl Strategy<Value = Effect> {
    let each = || prop_oneof![Just(Each::Purchase), Just(Each::Line), Just(Each::Unit)];
    let programs = || (1_u128..3).prop_map(|n| ProgramId(uuid(n)));
    prop_oneof![
        (1_i64..=WHOLE, prop_oneof![Just(Each::Purchase), Just(Each::Line)])
            .prop_map(|(share, each)| Effect::PercentOff { share, each }),
        (1_i64..500, each()).prop_map(|(amount, each)| Effect::AmountOff { amount, each }),
        (2_i64..5).prop_map(|of| Effect::CheapestFree { of }),
        (programs(), 1_i64..3_000).prop_map(|(program, share)| Effect::PointsShare { program, share }),
        (programs(), 1_i64..300, 1_i64..300).prop_map(|(program, points, per)| Effect::PointsPer {
            program,
            points,
            per
        }),
        (programs(), WHOLE + 1..4 * WHOLE).prop_map(|(program, factor)| Effect::PointsTimes { program, factor }),
        (programs(), 1_i64..300, each()).prop_map(|(program, points, each)| Effect::PointsFixed {
            program,
            points,
            each
        }),
        Just(Effect::Gift {
            article: ArticleId(uuid(9)),
            quantity: 1
        }),
        Just(Effect::Coupon { series: "next".into() }),
        Just(Effect::Message {
            to: Place::Receipt,
            text: Localized::new("Р", "E"),
        }),
    ]
}

fn caps() -> impl Strategy<Value = Caps> {
    let cap = || prop::option::of(1_i64..400);
    let limit = move || (cap(), prop::option::of(1_i64..4)).prop_map(|(value, times)| Limit { value, times });
    (cap(), cap(), limit(), limit(), limit()).prop_map(|(line, purchase, day, customer, budget)| Caps {
        line,
        purchase,
        day,
        customer,
        budget,
    })
}

fn rule_sets() -> impl Strategy<Value = Vec<Published>> {
    let groups = prop::option::of(prop_oneof![Just("a".to_owned()), Just("b".to_owned())]);
    let rule = (
        -2_i32..3,
        groups,
        any::<bool>(),
        prop::collection::vec(conditions(), 0..3),
        prop::collection::vec(effects(), 1..4),
        caps(),
    );
    let rules = rule.prop_map(|(priority, group, alone, conditions, effects, caps)| Rule {
        name: Localized::new("Р", "R"),
        occasion: Occasion::Purchase,
        priority,
        group,
        alone,
        valid: Validity::default(),
        conditions,
        effects,
        caps,
        funded_by: None,
    });
    let number = |rules: Vec<Rule>| {
        rules
            .into_iter()
            .zip(1..)
            .map(|(rule, n)| Published { by: by(n), rule })
            .collect()
    };
    prop::collection::vec(rules, 1..12).prop_map(number)
}

fn baskets() -> impl Strategy<Value = Basket> {
    let categories = prop::collection::vec(0_u128..4, 0..3);
    let line = (
        0_u128..6,
        categories,
        any::<bool>(),
        -1_i64..6,
        0_i64..900,
        0_i64..50,
        any::<bool>(),
    );
    let line = line.prop_map(
        |(article, categories, brand, quantity, price, discount, payable)| Line {
            article: ArticleId(uuid(article)),
            categories: categories.into_iter().map(|n| CategoryId(uuid(n))).collect(),
            brand: brand.then(|| "a".into()),
            quantity,
            price,
            discount,
            payable,
            taken: None,
        },
    );
    (prop::collection::vec(line, 0..8), 0_i64..2_000).prop_map(|(lines, points_used)| Basket { lines, points_used })
}

fn facts() -> impl Strategy<Value = Facts> {
    let used = prop::collection::vec((1_u128..12, 0_i64..300, 0_i64..4), 0..6);
    (any::<[bool; 8]>(), 0_i64..2_000, used).prop_map(|(known, sum, used)| {
        let buyer = Buyer {
            birthday: known[1].then(|| day("1990-12-01")),
            memberships: vec![Membership {
                program: ProgramId(uuid(1)),
                tier: known[2].then(|| TierId(uuid(1))),
            }],
            segments: if known[3] { vec!["parents".into()] } else { vec![] },
            history: vec![
                (Window::Ever, History { count: sum % 7, sum }),
                (Window::Year, History { count: 1, sum }),
            ],
            by_now: vec![(
                Window::Ever,
                History {
                    count: sum % 9,
                    sum: sum + sum % 2,
                },
            )],
            booked: Some(sum % 3),
            activated: (0..sum % 2).map(|_| PromotionId(uuid(1))).collect(),
            ..buyer()
        };
        let usage = |value, times| Usage { value, times };
        Facts {
            store: known[4].then(|| StoreId(uuid(1))),
            region: known[5].then(|| "north".into()),
            channel: known[6].then_some(Channel::Till),
            payments: vec![Payment::Card],
            coupons: if known[7] { vec!["spring".into()] } else { vec![] },
            buyer: known[0].then_some(buyer),
            used: used
                .into_iter()
                .map(|(n, value, times)| {
                    let used = Used {
                        purchase: value / 2,
                        day: usage(value, times),
                        customer: usage(value, times),
                        budget: usage(value * 2, times),
                    };
                    (by(n).id, used)
                })
                .collect(),
            ..Facts::default()
        }
    })
}

/// The money and points of a grant, and whether they are money.
fn value(grant: &Grant) -> (i64, bool) {
    match grant.given {
        Given::Discount(off) => (off, true),
        Given::Points { points, .. } => (points, false),
        Given::Gift { .. } | Given::Coupon | Given::Message => (0, false),
    }
}

proptest! {
    #[test]
    fn sums_are_what_was_granted_and_no_line_goes_below_zero(
        rules in rule_sets(), basket in baskets(), facts in facts(),
    ) {
        let rules = Rules::prepare(rules).expect("the generator makes good rules");
        let outcome = ask(&rules, &basket, &facts);
        prop_assert_eq!(outcome.lines.len(), basket.lines.len());
        for (place, (line, bought)) in outcome.lines.iter().zip(&basket.lines).enumerate() {
            let of = |money| -> i64 {
                let mine = outcome.grants.iter().filter(|g| g.line == u32::try_from(place).ok());
                mine.map(value).filter(|(_, m)| *m == money).map(|(value, _)| value).sum()
            };
            prop_assert_eq!(line.discount, of(true));
            prop_assert_eq!(line.points, of(false));
            prop_assert_eq!(line.amount, bought.amount());
            prop_assert_eq!(line.paid, line.amount - line.discount - line.points_used);
            prop_assert!(line.paid >= 0 && line.discount >= 0 && line.points_used >= 0 && line.points >= 0);
            prop_assert!(bought.payable || line.points_used == 0);
        }
        let payable = outcome.lines.iter().zip(&basket.lines).filter(|(_, line)| line.payable);
        let most: i64 = payable.map(|(line, _)| line.amount - line.discount).sum();
        prop_assert_eq!(outcome.total.points_used, basket.points_used.min(most));
        prop_assert_eq!(outcome.points.iter().map(|(_, points)| points).sum::<i64>(), outcome.total.points);
        prop_assert!(outcome.grants.iter().all(|g| g.line.is_none() || value(g).0 > 0));
    }

    #[test]
    fn caps_are_never_exceeded(rules in rule_sets(), basket in baskets(), facts in facts()) {
        let rules = Rules::prepare(rules).expect("the generator makes good rules");
        let outcome = ask(&rules, &basket, &facts);
        for Decision { by, verdict } in &outcome.decisions {
            let caps = rules.get(*by).expect("it was asked").rule.caps;
            let grants = || outcome.grants.iter().filter(|g| g.by == *by);
            let given: i64 = grants().map(|g| value(g).0).sum();
            match verdict {
                Verdict::Applied { value } => prop_assert_eq!(*value, given),
                Verdict::Failed(_) => prop_assert_eq!(grants().count(), 0),
            }
            let before = facts.used.get(&by.id).map_or(0, |used| used.purchase);
            prop_assert!(caps.purchase.is_none_or(|cap| given == 0 || before + given <= cap));
            for line in 0..8 {
                let on_line: i64 = grants().filter(|g| g.line == Some(line)).map(|g| value(g).0).sum();
                prop_assert!(caps.line.is_none_or(|cap| on_line <= cap));
            }
            if let Verdict::Applied { .. } = verdict {
                let used = facts.used.get(&by.id).copied().unwrap_or_default();
                for (limit, used) in [(caps.day, used.day), (caps.customer, used.customer), (caps.budget, used.budget)] {
                    prop_assert!(limit.value.is_none_or(|allowed| used.value + given <= allowed));
                    prop_assert!(limit.times.is_none_or(|allowed| used.times < allowed));
                }
            }
        }
    }

    #[test]
    fn the_order_in_which_rules_are_given_does_not_matter(
        (rules, shuffled) in rule_sets().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        basket in baskets(), facts in facts(),
    ) {
        let prepare = |rules| Rules::prepare(rules).expect("the generator makes good rules");
        let (rules, shuffled) = (prepare(rules), prepare(shuffled));
        let outcome = ask(&rules, &basket, &facts);
        prop_assert_eq!(&outcome, &ask(&shuffled, &basket, &facts));
        prop_assert_eq!(&outcome, &ask(&rules, &basket, &facts));
        let json = serde_json::to_string(&outcome).expect("an outcome is JSON");
        prop_assert_eq!(serde_json::from_str::<Outcome>(&json).expect("and back"), outcome);
    }

    #[test]
    fn a_group_grants_at_most_one_rule_and_alone_means_alone(
        rules in rule_sets(), basket in baskets(), facts in facts(),
    ) {
        let rules = Rules::prepare(rules).expect("the generator makes good rules");
        let outcome = ask(&rules, &basket, &facts);
        let rule = |by| &rules.get(by).expect("it was asked").rule;
        for group in ["a", "b"] {
            let applied = outcome.decisions.iter().filter(|d| {
                matches!(d.verdict, Verdict::Applied { .. }) && rule(d.by).group.as_deref() == Some(group)
            });
            prop_assert!(applied.count() <= 1);
        }
        for line in 0..8 {
            let off = outcome.grants.iter().filter(|g| g.line == Some(line) && value(g).1);
            let mut who: Vec<_> = off.map(|g| g.by).collect();
            who.dedup();
            prop_assert!(who.len() <= 1 || who.iter().all(|by| !rule(*by).alone));
        }
    }

    #[test]
    fn a_failing_condition_is_one_of_the_rule(rules in rule_sets(), basket in baskets(), facts in facts()) {
        let rules = Rules::prepare(rules).expect("the generator makes good rules");
        for Decision { by, verdict } in ask(&rules, &basket, &facts).decisions {
            let Verdict::Failed(Failure::Condition { clause, found }) = verdict else { continue };
            let rule = &rules.get(by).expect("it was asked").rule;
            let clause = rule.clause(clause).expect("it is one of its conditions");
            let json = serde_json::to_value(rule).expect("a rule is JSON");
            prop_assert!(json.pointer(&clause.pointer).is_some());
            // What is chosen from lines fails by lines, and nothing else does.
            prop_assert_eq!(matches!(found, Found::Lines(_)), clause.condition.is_of_lines());
            // Alone it fails as well.
            if !clause.condition.is_of_lines() {
                let conditions = vec![clause.condition.clone()];
                let alone = Rules::prepare(vec![Published { by, rule: Rule { conditions, ..rule.clone() } }]);
                let outcome = ask(&alone.expect("a good rule"), &basket, &facts);
                let failure = Failure::Condition { clause: 0, found };
                prop_assert_eq!(outcome.decisions[0].verdict, Verdict::Failed(failure));
            }
        }
    }

    #[test]
    fn a_programs_share_is_an_ordinary_rule(
        lines in prop::collection::vec((-3_i64..100, -100_i64..2_000_000, 0_i64..5_000), 1..60), share in 1_i64..=WHOLE,
    ) {
        let program = ProgramId(uuid(1));
        let terms = Terms { share, delay_days: 14, term_days: 365 };
        let mut rule = rule(&[&format!(r#"{{"member": [{}]}}"#, id(1))]);
        rule.effects = vec![Effect::PointsShare { program, share }];
        let lines: Vec<_> = lines
            .into_iter()
            .zip(1..)
            .map(|((quantity, price, discount), n)| Line { discount, ..line(n, quantity, price) })
            .collect();
        let expected: Vec<_> = lines
            .iter()
            .map(|line| {
                let amount = crate::purchase::amount(line.quantity, line.price, line.discount).expect("small amounts");
                // What comes back earns nothing, whatever its price.
                if line.quantity > 0 { terms.earned(amount) } else { 0 }
            })
            .collect();
        let facts = known(Buyer { memberships: vec![Membership { program, tier: None }], ..buyer() });
        prop_assert_eq!(points(&ask(&prepare(vec![rule]), &basket(lines), &facts)), expected);
    }
}
