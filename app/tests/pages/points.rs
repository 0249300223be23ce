use app::cabinet::points::*;

#[test]
fn filters_survive_in_the_address() {
    let mut asked = Asked::default();
    asked.kind = "spent".into();
    asked.period.to = "2026-11-30".into();
    assert_eq!(asked.address(None), "/points?kind=spent&to=2026-11-30");
    assert_eq!(Asked::default().address(None), "/points");
}
