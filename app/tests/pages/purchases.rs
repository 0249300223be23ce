use app::cabinet::purchases::*;
use chrono::NaiveDate;
use crm::purchase::Month;

#[test]
fn a_day_is_one_of_the_calendar() {
    assert_eq!(day("2026-11-21"), NaiveDate::from_ymd_opt(2026, 11, 21));
    for bad in [
        "",
        "31.02.2026",
        "2026-02-31",
        "0000-01-01",
        "99999-01-01",
        "2026-11-21T00:00",
        "x",
    ] {
        assert_eq!(day(bad), None, "{bad}");
    }
}

#[test]
fn filters_survive_in_the_address() {
    let mut asked = Asked::default();
    asked.text = "чай & мёд=%".into();
    asked.period.from = "2026-11-01".into();
    asked.category = "x".into();
    asked.sums = ["1 000,50".into(), "2000".into()];
    assert_eq!(
        asked.address(None),
        "/purchases?category=x&from=2026-11-01&least=1+000%2C50&most=2000&q=%D1%87%D0%B0%D0%B9+%26+%D0%BC%D1%91%D0%B4%3D%25"
    );
    assert_eq!(Asked::default().address(None), "/purchases");
}

#[test]
fn an_average_begins_with_the_first_receipt() {
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
    let over = |receipts: &[i64]| {
        let month = |receipts: &i64| Month {
            first,
            receipts: *receipts,
            total: 100_00 * receipts,
        };
        months_of(&receipts.iter().map(month).collect::<Vec<_>>())
    };
    assert_eq!(over(&[0, 0, 0, 3]), 1);
    assert_eq!(over(&[0, 2, 0, 0]), 3);
    assert_eq!(over(&[1, 0, 0, 1]), 4);
    assert_eq!([over(&[0, 0]), over(&[])], [1, 1], "never divided by nothing");
}
