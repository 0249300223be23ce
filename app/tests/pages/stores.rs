use app::cabinet::stores::*;
use chrono::{NaiveDate, Weekday};
use crm::id::StoreId;
use crm::lang::{Lang, Localized};
use crm::stores::{Exception, Exceptions, Hours, Store};

fn of(week: [Option<[u16; 2]>; 7]) -> Vec<String> {
    hours(Lang::Ru, &Hours::try_from(week).expect("possible hours"))
}

#[test]
fn days_that_are_alike_are_joined() {
    let (day, short) = (Some([540, 1260]), Some([600, 1110]));
    assert_eq!(of([day; 7]), ["ежедневно 9:00–21:00"]);
    assert_eq!(of([Some([0, 1440]); 7]), ["ежедневно круглосуточно"]);
    assert_eq!(
        of([day, day, day, day, day, short, short]),
        ["пн–пт 9:00–21:00", "сб, вс 10:00–18:30"]
    );
    assert_eq!(
        of([None, day, day, short, day, day, Some([540, 1440])]),
        [
            "пн закрыто",
            "вт, ср 9:00–21:00",
            "чт 10:00–18:30",
            "пт, сб 9:00–21:00",
            "вс 9:00–24:00"
        ]
    );
}

#[test]
fn a_shop_is_open_until_it_closes() {
    let week = [Some([540, 1260]), None, Some([0, 1440]), None, None, None, None];
    let hours = Hours::try_from(week).expect("possible hours");
    for (day, minute, words) in [
        (Weekday::Mon, 539, "Откроется в 9:00"),
        (Weekday::Mon, 540, "Открыто до 21:00"),
        (Weekday::Mon, 1259, "Открыто до 21:00"),
        (Weekday::Mon, 1260, "Уже закрыто"),
        (Weekday::Tue, 600, "Сегодня закрыто"),
        (Weekday::Wed, 600, "Открыто круглосуточно"),
    ] {
        assert_eq!(today(Lang::Ru, hours.on(day), minute), words, "{day} at {minute}");
    }
}

#[test]
fn a_shop_that_is_closed_says_when_it_opens() {
    let week = [Some([540, 1260]), None, Some([0, 1440]), None, None, None, None];
    let text = |text: &str| Localized::new(text, text);
    let exceptions = [Exception {
        day: day(30),
        hours: None,
    }];
    let shop = Store {
        id: StoreId::new(),
        code: "s".into(),
        name: text("s"),
        town: text("s"),
        address: text("s"),
        latitude: None,
        longitude: None,
        hours: Hours::try_from(week).expect("possible hours"),
        phone: None,
        time_zone: None,
        exceptions: Exceptions::try_from(exceptions.to_vec()).expect("possible hours"),
    };
    // The 23rd is a Monday.
    for (on, minute, words) in [
        (23, 540, None),
        (23, 539, None),
        (23, 1260, Some("Откроется 25 ноября в 0:00")),
        (24, 600, Some("Откроется завтра в 0:00")),
        (25, 600, None),
        // On Monday it is closed for once.
        (26, 600, Some("Откроется 2 декабря в 0:00")),
    ] {
        let next = opens_next(Lang::Ru, &shop, day(on), minute);
        let next = next.map(|next| next.replace('\u{a0}', " "));
        assert_eq!(next.as_deref(), words, "{on} at {minute}");
    }
}

/// A day of November 2026.
fn day(n: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, n).expect("a day")
}

#[test]
fn a_place_on_the_map() {
    assert_eq!(
        yandex_url(55_751_244, -618_423),
        "https://yandex.ru/maps/?pt=-0.618423,55.751244&z=17"
    );
    assert_eq!(
        map_url(55_751_244, -618_423),
        "https://www.openstreetmap.org/?mlat=55.751244&mlon=-0.618423#map=17/55.751244/-0.618423"
    );
}
