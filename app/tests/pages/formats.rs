use app::format::*;
use chrono::{DateTime, Duration, NaiveDate};
use crm::lang::Lang;
use crm::shop::Shop;

#[test]
fn money_and_points() {
    let shop = Shop::default();
    assert_eq!(money(Lang::Ru, &shop, 123_450), "1\u{a0}234,50\u{a0}₽");
    assert_eq!(money(Lang::En, &shop, -123_456_789), "−1,234,567.89\u{a0}₽");
    assert_eq!(money_rounded(Lang::Ru, &shop, 123_450), "1\u{a0}235\u{a0}₽");
    assert_eq!(money_rounded(Lang::En, &shop, 123_449), "1,234\u{a0}₽");
    assert_eq!(points(Lang::Ru, 124_800), "1\u{a0}248");
    assert_eq!(signed_points(Lang::Ru, 3_675), "+36,75");
    assert_eq!(signed_points(Lang::Ru, -500), "−5");
    assert_eq!(points(Lang::Ru, 0), "0");
}

#[test]
fn dates() {
    let day_of = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap_or_default();
    let today = day_of(2026, 11, 21);
    assert_eq!(day_and_weekday(Lang::Ru, today, today), "21\u{a0}ноября, суббота");
    assert_eq!(day(Lang::Ru, day_of(2025, 5, 1), today), "1\u{a0}мая 2025");
    assert_eq!(month(Lang::Ru, today), "Ноябрь 2026");
    assert_eq!(month_short(Lang::Ru, day_of(2026, 5, 1)), "май");
    assert_eq!(month_short(Lang::En, today), "Nov");
}

#[test]
fn ago_has_plurals() {
    let shop = Shop::default();
    let now = DateTime::from_timestamp(1_795_262_400, 0).unwrap_or_default();
    assert_eq!(
        ago(Lang::Ru, &shop, now - Duration::minutes(22), now),
        "22 минуты назад"
    );
    assert_eq!(ago(Lang::En, &shop, now - Duration::hours(1), now), "1 hour ago");
}
