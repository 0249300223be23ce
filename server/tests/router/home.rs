//! What matters today stands before everything else on the first page, and nothing where nothing does; the first visit.

use crate::common::{BY, Customer, TestApp, Town};
use crate::rules::put;
use chrono::Duration;
use crm::id::TierId;
use crm::lang::Localized;
use crm::rule::Window;
use crm::rule::tier::{Downgrade, Measure, Tier, Tiers, store as tiers};
use crm::testing::start;
use serde_json::{Value, json};

const HEAD: &str = "Важно сегодня";

/// Publishes a rule.
async fn publish(app: &TestApp, conditions: Value, effects: Value) -> crm::id::RuleId {
    let rule = json!({"name": {"ru": "Правило", "en": "Rule"}, "conditions": conditions, "effects": effects});
    app.publish(rule).await.id
}

#[tokio::test]
async fn the_three_most_urgent_things_come_first() {
    let mut town = Town::new().await;
    let text = town.boris.get("/").await.text();
    assert!(!text.contains(HEAD), "nothing to say: {text}");
    town.answer().await;
    town.app
        .execute("UPDATE customers SET birthday = '1990-11-27' WHERE name = 'Анна'")
        .await;
    let text = town.anna.get("/").await.text();
    let places = ["Вам ответили", "Подтвердите", "Скоро ваш день рождения"].map(|part| text.find(part));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}: {text}"
    );

    // What ends tomorrow is more urgent than a birthday.
    town.app.put_promotion("coffee_week", &[], false).await;
    town.app.world.clock.set(start() + Duration::days(5));
    let text = town.anna.get("/").await.text();
    let places = ["Вам ответили", "Неделя чая", "Подтвердите"].map(|part| text.find(part));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}: {text}"
    );
    assert!(!text.contains("день рождения"), "a fourth: {text}");

    // On the day itself nothing is before it.
    town.app
        .execute("UPDATE customers SET birthday = '1990-11-26' WHERE name = 'Анна'")
        .await;
    let text = town.anna.get("/").await.text();
    let places = ["С днём рождения", "Вам ответили", "Неделя чая"].map(|part| text.find(part));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}: {text}"
    );
    assert!(!text.contains("Подтвердите"), "a fourth: {text}");
}

#[tokio::test]
async fn an_answer_to_a_public_question_matters_until_it_is_read() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let asked = [("topic", "other"), ("text", "Есть ли доставка?"), ("shown", "name")];
    anna.send("/questions/new", "question.ask", &asked).await;
    assert!(!anna.get("/").await.text().contains(HEAD));
    let id = app.text("SELECT lower(hex(id)) FROM questions").await;
    let id: crm::id::QuestionId = id.parse().expect("an id");
    let desk = format!("/admin/questions/{id}");
    let mut agent = app.staff_as("petrov", "agent").await;
    let answered = [("body", "Есть ли доставка?"), ("answer", "Есть"), ("article", "")];
    put(&mut agent, &desk, "question.publish", &answered)
        .await
        .assert_leads_to(&format!("{desk}?done=published"));
    let page = anna.get("/").await;
    let today = &page.body[..page.body.find("class=\"cols\"").expect("the rest of the page")];
    assert!(
        today.contains(HEAD) && today.contains("Вам ответили") && today.contains("новости о вашем вопросе"),
        "{today}"
    );
    anna.get("/notifications").await;
    let text = anna.get("/").await.text();
    assert!(!text.contains(HEAD), "it is read: {text}");
}

/// A shop two days later, and somebody who was given a coupon the day before, good for three days after.
async fn with_a_coupon() -> (TestApp, Customer) {
    let app = TestApp::new().await;
    app.some_series().await;
    app.execute("UPDATE coupon_series SET valid_days = 3").await;
    publish(
        &app,
        json!(["first_purchase"]),
        json!([{"coupon": {"series": "spring"}}]),
    )
    .await;
    app.world.clock.set(start() + Duration::days(2));
    let anna = app.customer("Анна").await;
    let anna = anna.with_purchase("A-1", "Чайник", 100_00).await;
    (app, anna)
}

#[tokio::test]
async fn a_coupon_that_ends_matters_while_it_is_good() {
    let (app, mut anna) = with_a_coupon().await;
    let text = anna.get("/").await.text();
    assert!(!text.contains(HEAD), "it ends the day after tomorrow: {text}");
    app.world.clock.set(start() + Duration::days(3));
    let page = anna.get("/").await;
    let today = &page.body[..page.body.find("class=\"cols\"").expect("the rest of the page")];
    assert!(
        today.contains("Купон «Весна»") && today.contains("href=\"/offers#coupons\""),
        "{today}"
    );
    page.assert_says("До завтра");
    app.execute(
        "INSERT INTO coupon_uses (coupon_id, purchase_id, at) SELECT c.id, p.id, p.at FROM coupons c, purchases p",
    )
    .await;
    let text = anna.get("/").await.text();
    assert!(!text.contains(HEAD), "it is used: {text}");
}

#[tokio::test]
async fn a_coupon_is_asked_about_whether_it_is_good_or_over() {
    let (app, mut anna) = with_a_coupon().await;
    let id = app.text("SELECT lower(hex(id)) FROM coupons").await;
    let id: crm::id::CouponId = id.parse().expect("an id");
    let at = format!("/support/new?about=coupon/{id}");
    let link = format!("href=\"{at}\"");
    let page = anna.get("/offers").await;
    assert_eq!(page.body.matches(&link).count(), 1, "{}", page.text());
    anna.get(&at).await.assert_says("с какой страницы вы пишете: купон");
    let form = anna.get(&at).await.form("request.create");
    let sent = anna
        .submit(&at, &form.with("topic", "other").with("text", "Не сработал"))
        .await;
    let request = sent.location().to_owned();
    assert!(request.starts_with("/support/"), "{}", sent.text());
    app.world.clock.set(start() + Duration::days(6));
    let page = anna.get("/offers").await;
    page.assert_says("Прежние купоны");
    assert_eq!(page.body.matches(&link).count(), 1, "{}", page.text());
}

#[tokio::test]
async fn an_offer_that_ends_matters_to_whom_it_holds_for() {
    let app = TestApp::new().await;
    let off = json!([{"percent_off": {"share": 500, "each": "line"}}]);
    let rule = publish(&app, json!(["first_purchase"]), off).await;
    app.put_promotion("first", &[rule], false).await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await.with_purchase("B-1", "Чайник", 100_00).await;
    app.world.clock.set(start() + Duration::days(4));
    assert!(
        !anna.get("/").await.text().contains(HEAD),
        "it ends the day after tomorrow"
    );
    app.world.clock.set(start() + Duration::days(5));
    let text = anna.get("/").await.text();
    assert!(text.contains(HEAD) && text.contains("До завтра"), "{text}");
    let text = boris.get("/").await.text();
    assert!(!text.contains(HEAD), "it is for others: {text}");
}

#[tokio::test]
async fn an_offer_that_ends_and_is_to_be_switched_on_says_so() {
    let app = TestApp::new().await;
    app.put_promotion("tea", &[], true).await;
    let mut anna = app.customer("Анна").await;
    app.world.clock.set(start() + Duration::days(5));
    // Another one ends then as well, and holds without a tap.
    app.put_promotion("coffee", &[], false).await;
    let page = anna.get("/").await;
    let today = &page.body[..page.body.find("class=\"cols\"").expect("the rest of the page")];
    assert!(
        today.contains(HEAD) && today.contains("нужно включить") && today.contains("href=\"/offers#offer-tea\""),
        "{today}"
    );
    assert!(anna.get("/offers").await.body.contains("id=\"offer-tea\""));
    anna.send("/offers", "offer.activate", &[("offer", "tea")]).await;
    let text = anna.get("/").await.text();
    assert!(text.contains(HEAD) && text.contains("До завтра"), "{text}");
    assert!(!text.contains("нужно включить"), "it is switched on: {text}");
}

#[tokio::test]
async fn the_offers_that_are_shown_are_for_whoever_looks() {
    let app = TestApp::new().await;
    let off = json!([{"percent_off": {"share": 500, "each": "line"}}]);
    let rule = publish(&app, json!(["first_purchase"]), off).await;
    // They end together, and what was written down first stands first.
    app.put_promotion("first", &[rule], false).await;
    app.put_promotion("tap", &[], true).await;
    app.put_promotion("words", &[], false).await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await.with_purchase("B-1", "Чайник", 100_00).await;
    for (who, shown) in [(&mut anna, ["first", "tap"]), (&mut boris, ["tap", "words"])] {
        let page = who.get("/").await;
        let cards: Vec<_> = ["first", "tap", "words"]
            .into_iter()
            .filter(|code| page.body.contains(&format!("href=\"/offers#offer-{code}\"")))
            .collect();
        assert_eq!(cards, shown, "{}", page.text());
    }
}

#[tokio::test]
async fn a_birthday_tells_what_the_shop_gives_for_it() {
    let app = TestApp::new().await;
    let club = app.club().await;
    let mut anna = app.customer("Анна").await;
    app.execute("UPDATE customers SET birthday = '1990-11-29'").await;
    assert!(!anna.get("/").await.text().contains(HEAD), "in eight days");
    app.execute("UPDATE customers SET birthday = '1990-11-28'").await;
    let text = anna.get("/").await.text();
    assert!(
        text.contains("Скоро ваш день рождения") && text.contains("Пусть всё"),
        "{text}"
    );

    let birthday = |of: &str| json!({"birthday": {"of": of, "before": 7, "after": 7}});
    let points = |n: i64| json!([{"points_fixed": {"program": club, "points": n, "each": "purchase"}}]);
    publish(&app, json!([birthday("customer")]), points(300_00)).await;
    publish(
        &app,
        json!([birthday("customer"), {"segment": ["tea"]}]),
        points(999_00),
    )
    .await;
    publish(&app, json!([birthday("child")]), points(50_00)).await;
    let text = anna.get("/").await.words();
    assert!(
        text.contains("300 баллов за покупку в программе «Клуб соседей»"),
        "{text}"
    );
    assert!(!text.contains("999"), "for some segment: {text}");

    app.execute("UPDATE customers SET birthday = '1990-05-03'").await;
    let child = crm::customer::store::ChildForm {
        day: "22".into(),
        month: "11".into(),
        year: "2020".into(),
        agreed: true,
    };
    crm::customer::store::add_child(&app.world.db, &anna.proof().await, &child, crm::lang::Lang::Ru)
        .await
        .expect("a child");
    let text = anna.get("/").await.words();
    assert!(text.contains("День рождения ребёнка через 1 день"), "{text}");
    assert!(text.contains("50 баллов за покупку"), "{text}");
    // Who left the club is given no points of it.
    anna.send("/programs/club/leave", "program.leave", &[]).await;
    app.assert_row("program.leave").await;
    let text = anna.get("/").await.text();
    assert!(!text.contains(HEAD), "{text}");
}

#[tokio::test]
async fn a_tier_within_reach_is_told() {
    let app = TestApp::new().await;
    let name = |text: &str| Localized::new(text, text);
    let is = Tiers {
        measure: Measure::Sum,
        window: Window::Ever,
        downgrade: Downgrade::Earned,
        grace: None,
        tiers: vec![Tier {
            id: TierId(uuid::Uuid::from_u128(1)),
            name: name("Серебро"),
            threshold: 1_000_00,
        }],
    };
    tiers::publish_by_system(&app.world.db, &BY, app.club().await, &is, None)
        .await
        .expect("published");
    for (document, price, is_near) in [("A-1", 799_99, false), ("B-1", 800_00, true), ("C-1", 1_000_00, false)] {
        let who = app.customer("Анна").await;
        let mut who = who.with_purchase(document, "Чайник", price).await;
        let text = who.get("/").await.words();
        assert_eq!(text.contains("Близко уровень «Серебро»"), is_near, "{price}: {text}");
        assert_eq!(text.contains("Осталось: 200,00 ₽"), is_near, "{price}: {text}");
    }
}

#[tokio::test]
async fn points_that_expire_within_a_week_matter() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    anna.send("/programs/family", "program.join", &[("terms", "1")]).await;
    app.assert_row("program.join").await;
    // Points of this program are active at once and last for 90 days from the purchase, which is of the day before.
    app.world.clock.set(start() + Duration::days(2));
    let anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
    app.world.clock.set(start() + Duration::days(80));
    crm::points::store::run_due(&app.world.db, &BY).await.expect("done");
    let mut browser = app.anybody();
    assert_eq!(browser.prove(&anna.phone).await.location(), "/");
    let text = browser.get("/").await.text();
    assert!(!text.contains(HEAD), "in eleven days: {text}");
    app.world.clock.set(start() + Duration::days(85));
    let text = browser.get("/").await.text();
    assert!(text.contains("Скоро сгорят баллы"), "{text}");
}

#[tokio::test]
async fn who_registers_is_shown_around_once() {
    const SHOWN: &str = "SELECT COUNT(*) FROM customers WHERE toured_at IS NOT NULL";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    // Whoever registers is led there, as every test that registers somebody sees; by whatever way they came, the first page leads
    // there until they are through with it.
    let home = anna.get("/").await;
    assert!(home.body.contains("href=\"/welcome\""), "{}", home.text());
    let page = anna.get("/welcome?done=registered").await;
    page.assert_says("Карта выпущена");
    assert!(
        page.text().contains("Шаг 1 из 6") && page.text().contains("Пропустить"),
        "{}",
        page.text()
    );
    // Step by step, by links alone.
    let links = [
        "/card",
        "/points",
        "/offers",
        "/profile/consents",
        "/profile/children",
        "/help",
    ];
    for (step, link) in (1..).zip(links) {
        let page = anna.get(&format!("/welcome?step={step}")).await;
        assert!(page.text().contains(&format!("Шаг {step} из 6")), "{}", page.text());
        let main = page.body.split("<main").nth(1).expect("the page itself");
        assert!(main.contains(&format!("href=\"{link}\"")), "{link}: {main}");
        assert_eq!(main.contains(&format!("step={}\"", step + 1)), step < 6, "{step}");
        assert_eq!(main.contains(&format!("step={}\"", step - 1)), step > 1, "{step}");
        assert_eq!(anna.get(link).await.status.as_u16(), 200, "{link}");
    }
    for (nonsense, shown) in [("0", 1), ("-1", 1), ("x", 1), ("99", 6)] {
        let page = anna.get(&format!("/welcome?step={nonsense}")).await;
        assert!(
            page.text().contains(&format!("Шаг {shown} из 6")),
            "{nonsense}: {}",
            page.text()
        );
    }
    assert_eq!(app.count(SHOWN).await, 0, "looking is not being through with it");
    for _ in 0..2 {
        assert_eq!(anna.send("/welcome?step=2", "tour.finish", &[]).await.location(), "/");
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE action = 'tour.finish'")
            .await,
        1
    );
    assert!(
        !anna.get("/").await.body.contains("href=\"/welcome\""),
        "on every device"
    );
    assert!(
        boris.get("/").await.body.contains("href=\"/welcome\""),
        "each for themselves"
    );
    assert!(
        !anna.get("/welcome").await.text().contains("Карта выпущена"),
        "it is not told again"
    );
    assert!(
        anna.get("/help").await.body.contains("href=\"/welcome\""),
        "the help leads back"
    );
    let help = app.anybody().get("/help").await;
    assert!(!help.body.contains("href=\"/welcome\""), "{}", help.body);
}

/// A word that not everybody knows is told beside it, and the help tells all of it.
#[tokio::test]
async fn hard_words_are_told_where_they_stand() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for (at, article) in [
        ("/card", "changing-code"),
        ("/profile/second-factor", "second-step"),
        ("/profile/passkeys", "passkeys"),
    ] {
        let page = anna.get(at).await;
        assert!(
            page.body.contains(&format!("href=\"/help/{article}\"")),
            "{at}: {}",
            page.text()
        );
        assert_eq!(anna.get(&format!("/help/{article}")).await.status.as_u16(), 200);
    }
    app.execute("UPDATE cards SET kind = 'plastic'").await;
    assert!(
        !anna.get("/card").await.body.contains("/help/changing-code"),
        "where there is none"
    );
}

/// How to reach the shop stands on each page of a demonstration, and elsewhere where the shop says it.
#[tokio::test]
async fn a_demonstration_can_be_reached_and_a_shop_says_itself_how() {
    let reached = async |app: &TestApp| app.anybody().get("/sign-in").await.body.contains("href=\"tel:");
    assert!(reached(&TestApp::demonstration().await).await);
    assert!(!reached(&TestApp::new().await).await);
}
