use app::admin::customers::is_too_short;

#[test]
fn what_is_worth_a_search() {
    for short in ["к", " К ", "-", "%", "😀", "\u{0}"] {
        assert!(is_too_short(short, "RU"), "{short:?}");
    }
    for enough in ["Ли", "7", "№ 7", "1234", "к м", "a@b", "K2"] {
        assert!(!is_too_short(enough, "RU"), "{enough:?}");
    }
}
