use app::cabinet::{place, show_place};

#[test]
fn a_place_survives_an_address() {
    let text = "1795262400000001_00000000-0000-0000-0000-000000000007";
    assert_eq!(place(text).map(show_place).as_deref(), Some(text));
    let id = "00000000-0000-0000-0000-000000000007";
    for bad in [
        "",
        "_",
        "1",
        "1_x",
        "x_1",
        &format!("-1_{id}"),
        &format!("999999999999999999_{id}"),
        &format!("99999999999999999999_{id}"),
    ] {
        assert_eq!(place(bad), None, "{bad}");
    }
}
