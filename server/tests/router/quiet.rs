//! When and how often promotional messages may come: the form, what it keeps, and what it refuses.

use crate::common::TestApp;

const PAGE: &str = "/profile/quiet";
const FORM: &str = "profile.quiet";

#[tokio::test]
async fn wishes_are_kept_and_flaws_stand_at_their_fields() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get(PAGE).await;
    let form = page.form(FORM);
    let shown = ["quiet_from", "quiet_until", "per_week", "paused_until"]
        .map(|name| form.get(name).unwrap_or_default().to_owned());
    assert_eq!(shown, ["21", "9", "3", ""], "by the configuration");
    let clock = "По часам магазина, сейчас на них 15:00";
    page.assert_says(clock);

    let wrong = [
        ("quiet_from", "24"),
        ("quiet_until", "x"),
        ("per_week", "8"),
        ("paused_until", "2026-11-20"),
    ];
    let reply = anna.send(PAGE, FORM, &wrong).await;
    assert_eq!(reply.status, 422);
    for (field, message) in [
        ("quiet_from", "Число от 0 до 23"),
        ("quiet_until", "Напишите число: например 150 или 12,5"),
        ("per_week", "Число от 0 до 7"),
        ("paused_until", "Этот момент уже прошёл"),
    ] {
        assert_eq!(reply.message(FORM, field), message, "{field}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM message_wishes").await, 0);

    let right = [
        ("quiet_from", "22"),
        ("quiet_until", "10"),
        ("per_week", "1"),
        ("paused_until", "2026-12-01"),
    ];
    for _ in 0..2 {
        let reply = anna.send(PAGE, FORM, &right).await;
        reply.assert_leads_to("/profile/quiet?done=quiet");
    }
    let form = anna.get(PAGE).await.form(FORM);
    for (field, value) in right {
        assert_eq!(form.get(field), Some(value), "{field}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM message_wishes").await, 1);
    let mut boris = app.customer("Борис").await;
    assert_eq!(
        boris.get(PAGE).await.form(FORM).get("quiet_from"),
        Some("21"),
        "theirs is theirs"
    );
}
