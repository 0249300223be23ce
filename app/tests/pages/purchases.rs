use app::cabinet::purchases::*;
use chrono::NaiveDate;

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
    asked.from = "2026-11-01".into();
    assert_eq!(
        asked.address(None),
        "/purchases?from=2026-11-01&q=%D1%87%D0%B0%D0%B9+%26+%D0%BC%D1%91%D0%B4%3D%25"
    );
    assert_eq!(Asked::default().address(None), "/purchases");
}
