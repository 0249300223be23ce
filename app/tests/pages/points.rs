use app::cabinet::points::*;
use crm::lang::Lang;
use crm::sheet;

#[test]
fn filters_survive_in_the_address() {
    let mut asked = Asked::default();
    asked.kind = "spent".into();
    asked.period.to = "2026-11-30".into();
    assert_eq!(asked.address(None), "/points?kind=spent&to=2026-11-30");
    assert_eq!(Asked::default().address(None), "/points");
}

#[test]
fn numbers_are_numbers_and_texts_are_texts_in_a_spreadsheet() {
    assert_eq!(sheet::figure(Lang::Ru, 1_234_50), "1234,50");
    assert_eq!(sheet::figure(Lang::En, -5), "-0.05");
    assert_eq!(sheet::figure(Lang::En, i64::MIN), "-92233720368547758.08");
    for formula in ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"] {
        assert_eq!(sheet::text(formula), format!("'{formula}"));
    }
    for plain in ["Анна", "", "1=1", "'=1"] {
        assert_eq!(sheet::text(plain), plain);
    }
}
