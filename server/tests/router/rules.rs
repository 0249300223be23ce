//! Rules, as a marketer writes them.

use crate::common::{BY, Browser, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;

/// Sends a form of the page of a rule, as it stands there, with these fields filled in.
pub(crate) async fn put(
    staff: &mut Browser,
    address: &str,
    form: &str,
    fields: &[(&str, &str)],
) -> crate::common::Reply {
    let page = staff.get(address).await;
    let there = page.form(form);
    let mut sent: Vec<(&str, &str)> = ["seen", "at", "kind"]
        .into_iter()
        .filter(|name| fields.iter().all(|(given, _)| given != name))
        .filter_map(|name| Some((name, there.get(name)?)))
        .collect();
    sent.extend_from_slice(fields);
    staff.send(address, form, &sent).await
}

#[tokio::test]
async fn a_rule_is_written_published_changed_and_withdrawn() {
    let app = TestApp::new().await;
    let mut staff = app.staff("mara").await;
    assert!(staff.get("/admin/rules").await.text().contains("Правил пока нет"));
    let nameless = staff
        .send("/admin/rules", "rule.create", &[("ru", " "), ("en", "Tea")])
        .await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made = staff
        .send(
            "/admin/rules",
            "rule.create",
            &[("ru", "Чайная «среда»"), ("en", "Tea's day")],
        )
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let page = staff.get(&at).await;
    for words in [
        "Чайная «среда»",
        "ещё не опубликовано",
        "добавьте скидку, баллы или сообщение",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        !page.body.contains("rule.publish"),
        "what gives nothing can be published"
    );

    // Conditions: one of each kind of field.
    let open = |kind: &str| format!("{at}?condition=new&kind={kind}");
    let sum = open("basket_sum");
    let wrong = put(&mut staff, &sum, "rule.condition", &[("least", "много")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.assert_says("Напишите число");
    let empty = put(&mut staff, &sum, "rule.condition", &[]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let kept = put(
        &mut staff,
        &sum,
        "rule.condition",
        &[("least", "1 000,50"), ("most", "")],
    )
    .await;
    kept.assert_leads_to(&format!("{at}?done=saved#conditions"));
    let article = put(&mut staff, &open("article"), "rule.condition", &[("text", "tea\nкофе")]).await;
    article.assert_says("Нет товара с таким кодом: строка 1");
    let day = [("choice[]", "Wed"), ("choice[]", "Mon"), ("not", "yes")];
    put(&mut staff, &open("weekday"), "rule.condition", &day).await;
    let hours = [("from", "22:00"), ("to", "00:00"), ("days[]", "Fri")];
    put(&mut staff, &open("hours"), "rule.condition", &hours).await;
    let bought = [("window", "months"), ("length", "3"), ("least", "2")];
    put(&mut staff, &open("purchase_count"), "rule.condition", &bought).await;
    let ways = [("choice[]", "card"), ("choice[]", "other")];
    put(&mut staff, &open("payment"), "rule.condition", &ways).await;
    let barter = put(
        &mut staff,
        &open("payment"),
        "rule.condition",
        &[("choice[]", "barter")],
    )
    .await;
    assert_eq!(barter.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", barter.text());
    let app_alone = [("choice[]", "app"), ("not", "yes")];
    put(&mut staff, &open("channel"), "rule.condition", &app_alone).await;
    let filled = staff.get(&format!("{at}?condition=5")).await;
    let ticked = |value: &str| filled.body.contains(&format!("value=\"{value}\" checked"));
    assert!(ticked("app") && ticked("yes") && !ticked("till"), "{}", filled.body);
    let page = staff.get(&at).await.text();
    for words in [
        "оплата: карта, иначе",
        "кроме: способ покупки: приложение",
        "покупка на сумму от 1 000,50 ₽",
        "кроме: дни недели: пн, ср",
        "с 22:00 до 00:00, пт",
        "покупок за последние 3 месяца: от 2",
    ] {
        assert!(page.replace('\u{a0}', " ").contains(words), "{words}: {page}");
    }

    // Somebody else was quicker: what was seen is no longer there.
    let mut other = app.staff("max").await;
    let (first, second) = (format!("{at}?condition=0"), format!("{at}?condition=1"));
    let seen = other
        .get(&second)
        .await
        .form("rule.condition")
        .get("seen")
        .map(str::to_owned)
        .expect("a field");
    app.world.clock.set(crm::testing::start() + Duration::seconds(5));
    let changed = put(&mut staff, &first, "rule.condition", &[("least", "500")]).await;
    changed.assert_leads_to(&format!("{at}?done=saved#conditions"));
    let late = [
        ("seen", seen.as_str()),
        ("at", "1"),
        ("kind", "weekday"),
        ("choice[]", "Sun"),
    ];
    let late = other.send(&second, "rule.condition", &late).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    let removed = put(&mut staff, &at, "rule.condition_remove", &[("at", "3")]).await;
    removed.assert_leads_to(&format!("{at}?done=removed#conditions"));

    // What it gives, and at most.
    let effect = |kind: &str| format!("{at}?effect=new&kind={kind}");
    let off = [("share", "7,5"), ("each", "purchase")];
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'rule.change'";
    let before = app.count(rows).await;
    put(&mut staff, &effect("percent_off"), "rule.effect", &off).await;
    assert_eq!(app.count(rows).await, before + 1);
    let message = [("place", "receipt"), ("ru", "Спасибо за «чай»"), ("en", "Thank you")];
    put(&mut staff, &effect("message"), "rule.effect", &message).await;
    let caps = [
        ("day_times", "1"),
        ("budget_value", "5000"),
        ("line", ""),
        ("purchase", ""),
        ("day_value", ""),
        ("customer_value", ""),
        ("customer_times", ""),
        ("budget_times", ""),
    ];
    put(&mut staff, &at, "rule.caps", &caps).await;
    let page = staff.get(&at).await.text();
    for words in [
        "скидка 7,5 % на покупку",
        "на чеке: «Спасибо за «чай»»",
        "покупателю в день не больше 1 раза",
        "бюджет 5",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }

    let past = put(&mut staff, &at, "rule.publish", &[("from", "2020-01-01T10:00")]).await;
    past.assert_says("Этот момент уже прошёл");
    let published = put(&mut staff, &at, "rule.publish", &[("from", "")]).await;
    published.assert_leads_to(&format!("{at}?done=published"));
    let page = staff.get(&at).await;
    assert!(
        page.text().contains("Действует сейчас") && !page.body.contains("rule.discard"),
        "{}",
        page.text()
    );
    assert!(staff.get("/admin/rules").await.text().contains("Действует"));

    // The next version, with its differences.
    staff.send(&at, "rule.begin", &[]).await;
    put(
        &mut staff,
        &format!("{at}?effect=0"),
        "rule.effect",
        &[("share", "10"), ("each", "line")],
    )
    .await;
    let json = put(&mut staff, &at, "rule.json", &[("json", "{\n  \"name\": 7\n}")]).await;
    json.assert_says("Не удаётся прочитать: строка 2");
    app.world.clock.set(crm::testing::start() + Duration::seconds(10));
    put(&mut staff, &at, "rule.publish", &[("from", "")]).await;
    let page = staff.get(&at).await;
    assert!(page.body.contains("<del>Тогда: скидка 7,5"), "{}", page.body);
    assert!(page.body.contains("<ins>Тогда: скидка 10"), "{}", page.body);
    // One that is to count later is called off before it does: what counts goes on.
    staff.send(&at, "rule.begin", &[]).await;
    put(
        &mut staff,
        &format!("{at}?effect=0"),
        "rule.effect",
        &[("share", "12"), ("each", "line")],
    )
    .await;
    put(&mut staff, &at, "rule.publish", &[("from", "2090-01-01T10:00")]).await;
    let page = staff.get(&at).await;
    assert!(page.words().contains("С 1 января 2090"), "{}", page.words());
    let form = page.form("rule.call_off");
    staff
        .submit(&at, &form)
        .await
        .assert_leads_to(&format!("{at}?done=called_off"));
    let page = staff.get(&at).await;
    let words = page.words();
    let (now, past) = words.split_once("История").expect("a history");
    assert!(now.contains("скидка 10"), "{now}");
    assert!(past.contains("Отменена до начала"), "{past}");
    assert!(
        !now.contains("скидка 12") && !page.body.contains("rule.call_off"),
        "{now}"
    );
    let version = form.get("version").expect("the version").to_owned();
    let late = staff.send(&at, "rule.call_off", &[("version", &version)]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("здесь всё изменилось");

    let gone = staff.send(&at, "rule.withdraw", &[("from", "")]).await;
    gone.assert_leads_to(&format!("{at}?done=withdrawn"));
    assert!(staff.get("/admin/rules").await.text().contains("Снято"));
}

#[tokio::test]
async fn what_can_be_written_has_words_in_both_languages() {
    let app = TestApp::new().await;
    let mut staff = app.staff("mara").await;
    let made = staff
        .send("/admin/rules", "rule.create", &[("ru", "Всё"), ("en", "All")])
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let whole = include_str!("whole_rule.json");
    let sent = put(&mut staff, &at, "rule.json", &[("json", whole)]).await;
    sent.assert_leads_to(&format!("{at}?done=saved#draft"));
    let russian = staff.get(&at).await;
    for words in [
        "хотя бы одно",
        "на экране покупателя",
        "из каждых 3 штук",
        "день рождения ребёнка",
        "пришёл по приглашению",
        "неизвестно",
    ] {
        assert!(russian.text().contains(words), "{words}: {}", russian.text());
    }
    staff.send(&at, "language", &[("language", "en")]).await;
    let english = staff.get(&at).await.text();
    let cyrillic = |word: &&str| word.chars().any(|c| ('а'..='я').contains(&c));
    let left: Vec<&str> = english.split_whitespace().filter(cyrillic).collect();
    assert!(left.len() < 12, "Russian on an English page: {left:?}");
}

#[tokio::test]
async fn every_kind_of_the_menus_opens_its_fields() {
    let app = TestApp::new().await;
    let mut staff = app.staff("mara").await;
    let made = staff
        .send("/admin/rules", "rule.create", &[("ru", "Всё"), ("en", "All")])
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let page = staff.get(&at).await;
    for (name, form, count) in [("condition", "rule.condition", 27), ("effect", "rule.effect", 10)] {
        let opens = format!("?{name}=new&");
        let links = page.body.split(opens.as_str()).skip(1);
        let kinds: Vec<&str> = links
            .filter_map(|rest| rest.split_once("kind=")?.1.split('#').next())
            .collect();
        assert_eq!(kinds.len(), count, "{kinds:?}");
        for kind in kinds {
            let opened = staff.get(&format!("{at}?{name}=new&kind={kind}")).await;
            assert_eq!(opened.form(form).get("kind"), Some(kind));
        }
        let made_up = staff.get(&format!("{at}?{name}=new&kind=barter")).await;
        let opened = format!("id=\"edit-{name}\"");
        assert!(!made_up.body.contains(&opened), "nothing is opened");
    }
}

#[tokio::test]
async fn a_rule_says_which_partner_pays_for_its_points() {
    let app = TestApp::new().await;
    let club = app.club().await;
    let mut staff = app.staff("mara").await;
    let made = staff
        .send("/admin/rules", "rule.create", &[("ru", "Банк дарит"), ("en", "A gift")])
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let basics = |partner: &'static str| {
        [
            ("ru", "Банк дарит"),
            ("en", "A gift"),
            ("occasion", "purchase"),
            ("valid_from", ""),
            ("valid_until", ""),
            ("priority", "0"),
            ("group", ""),
            ("funded_by", partner),
        ]
    };
    for (partner, said) in [
        ("Банк", "Подходят маленькие латинские буквы, цифры и дефис"),
        ("a_bank", "Подходят маленькие латинские буквы, цифры и дефис"),
        ("a-bank-that-has-a-name-of-41-characters-b", "Не больше 40 знаков"),
    ] {
        let wrong = put(&mut staff, &at, "rule.basics", &basics(partner)).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{partner}");
        assert!(wrong.text().contains(said), "{partner}: {}", wrong.text());
    }
    let saved = put(&mut staff, &at, "rule.basics", &basics(" bank ")).await;
    saved.assert_leads_to(&format!("{at}?done=saved#draft"));
    let page = staff.get(&at).await;
    for words in [
        "Баллы оплачивает партнёр bank",
        "Кто платит: имеет смысл, только если правило даёт баллы",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert_eq!(page.form("rule.basics").get("funded_by"), Some("bank"));

    // With points it may be published, and is told so; a simulation says who pays as well.
    let json = format!(
        r#"{{"name": {{"ru": "Банк дарит", "en": "A gift"}}, "funded_by": "bank",
        "effects": [{{"points_fixed": {{"program": "{club}", "points": 100, "each": "purchase"}}}}]}}"#
    );
    app.world.clock.set(crm::testing::start() + Duration::seconds(5));
    let saved = put(&mut staff, &at, "rule.json", &[("json", &json)]).await;
    saved.assert_leads_to(&format!("{at}?done=saved#draft"));
    let _anna = app
        .customer("Анна")
        .await
        .with_purchase("B-1", "Чайник", 1_000_00)
        .await;
    // A member since then, so that the rule would have given her something.
    app.execute("UPDATE memberships SET joined_at = (SELECT MIN(at) FROM purchases)")
        .await;
    staff.send(&at, "rule.simulate", &[("months", "3")]).await;
    let ran = crm::rule::store::simulating::run_next(&app.world.db, &BY, || true).await;
    assert!(ran.expect("no error"), "nothing was simulated");
    let page = staff.get(&at).await;
    assert!(!page.text().contains("имеет смысл, только если"), "{}", page.text());
    assert!(page.body.contains("rule.publish"), "it can be published");
    assert_eq!(
        page.text().matches("Баллы оплачивает партнёр bank").count(),
        2,
        "of the draft and of the simulation: {}",
        page.text()
    );
    // Whoever saves it without a partner lets the shop pay again.
    app.world.clock.set(crm::testing::start() + Duration::seconds(9));
    put(&mut staff, &at, "rule.basics", &basics("")).await;
    assert_eq!(staff.get(&at).await.form("rule.basics").get("funded_by"), Some(""));
}

#[tokio::test]
async fn a_draft_is_tried_on_past_purchases() {
    let town = Town::new().await;
    let mut staff = town.agent.clone();
    let at = format!("/admin/rules/{}", town.app.some_rule().await);
    let begun = staff.send(&at, "rule.simulate", &[("months", "3")]).await;
    begun.assert_leads_to(&format!("{at}?done=simulating#simulation"));
    assert!(staff.get(&at).await.text().contains("Считаем: 0 из 0 чеков"));
    let ran = crm::rule::store::simulating::run_next(&town.app.world.db, &BY, || true).await;
    assert!(ran.expect("no error"), "nothing was simulated");
    let page = staff.get(&at).await.words();
    // Five percent of the one purchase of 2,500.
    for words in ["Правило отдало бы: скидок на 125,00 ₽", "1 / 1"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let odd = staff.send(&at, "rule.simulate", &[("months", "99")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", odd.text());
    staff.send(&at, "rule.simulate", &[("months", "1")]).await;
    let waiting = staff.get(&at).await;
    let simulation = waiting.form("rule.simulate_cancel");
    let simulation = simulation.get("simulation").expect("its id");
    let broken = staff
        .send(&at, "rule.simulate_cancel", &[("simulation", simulation)])
        .await;
    broken.assert_leads_to(&format!("{at}?done=cancelled#simulation"));
    assert!(staff.get(&at).await.text().contains("Прервано"));
}

#[tokio::test]
async fn a_support_agent_writes_no_rules() {
    let app = TestApp::new().await;
    let mut agent = app.staff_as("agent", "agent").await;
    assert_eq!(agent.get("/admin/rules").await.status, StatusCode::FORBIDDEN);
    let at = format!("/admin/rules/{}", app.some_rule().await);
    assert_eq!(agent.get(&at).await.status, StatusCode::FORBIDDEN);
    let sent = agent.send(&at, "rule.begin", &[]).await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
}
