//! Invitations and rewards, from page to page: the link that is handed on, who comes by it, and what the pages of customers
//! and staff say of what was given.

use crate::common::html::tags;
use crate::common::{Customer, TestApp, details};
use axum::http::StatusCode;
use chrono::Duration;

/// A rule of an occasion that gives points of the club.
async fn publish(app: &TestApp, name: &str, occasion: &str, conditions: &str, points: i64) {
    let club = app.club().await;
    let json = format!(
        r#"{{"name": {{"ru": "{name}", "en": "en {name}"}}, "occasion": "{occasion}", "conditions": [{conditions}],
            "effects": [{{"points_fixed": {{"program": "{club}", "points": {points}, "each": "purchase"}}}}]}}"#
    );
    app.publish(serde_json::from_str(&json).expect("JSON")).await;
}

/// The link on a customer's page of invitations, without the address of the site.
async fn link(who: &mut Customer) -> String {
    let begun = who.send("/invite", "invite.begin", &[]).await;
    begun.assert_leads_to("/invite?done=begun");
    let page = who.get("/invite?done=begun").await;
    let tags = tags(&page.body);
    let field = tags
        .iter()
        .find(|tag| tag.has("data-copy"))
        .expect("a field with the link");
    assert!(field.has("readonly"), "it can be selected where no script copies it");
    let link = field.get("value").expect("a link");
    let shared = tags.iter().find_map(|tag| tag.get("data-share"));
    assert_eq!(shared, Some(link), "other apps are handed the same");
    assert!(page.body.contains("aria-label=\"QR-код ссылки для друга\""));
    let path = link.strip_prefix(crate::common::HOME).expect("an address of this site");
    path.to_owned()
}

#[tokio::test]
async fn a_friend_comes_by_the_link_and_both_see_what_it_gives() {
    let app = TestApp::new().await;
    publish(&app, "Приведи друга", "referral", "", 30_000).await;
    publish(&app, "Подарок новичку", "registration", r#""invited""#, 10_000).await;
    let mut anna = app.customer("Анна").await;
    let page = anna.get("/invite").await.text();
    for words in [
        "Приведи друга",
        "300 баллов в программе «",
        "Подарок новичку",
        "100 баллов в программе «",
        "Пока никого",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let path = link(&mut anna).await;
    app.assert_row("invite.begin").await;
    assert_eq!(link(&mut anna).await, path, "the code stays");

    // The friend looks at it, and registers later, in the same browser.
    let mut boris = app.anybody();
    let invited = boris.get(&path).await;
    assert_eq!(invited.status, StatusCode::OK);
    let words = invited.text();
    assert!(
        words.contains("Анна приглашает вас") && words.contains("Подарок новичку"),
        "{words}"
    );
    assert!(
        !words.contains("Лебедева"),
        "the surname is nobody else's to know: {words}"
    );
    assert!(invited.body.contains("href=\"/sign-in\""));
    assert!(boris.cookies.contains_key("__Host-kabinet_invite"));
    let phone = app.free_phone();
    boris.prove(&phone).await;
    // The code that came by the link stands in the form.
    let shown = boris.get("/sign-in/details").await.form("sign_in.details");
    let code = shown.get("invite").expect("the field").to_owned();
    let sent = [details("Борис"), vec![("invite", code.as_str())]].concat();
    boris.send("/sign-in/details", "sign_in.details", &sent).await;
    let registered = boris.send("/sign-in/review", "sign_in.register", &[]).await;
    registered.assert_leads_to("/welcome?done=registered");
    assert!(!boris.cookies.contains_key("__Host-kabinet_invite"), "it was used");
    let statement = boris.get("/points").await.text();
    for words in ["Подарок новичку", "Регистрация", "Подарок новичку, версия 1", "Сгорят"]
    {
        assert!(statement.contains(words), "{words}: {statement}");
    }
    let friends = anna.get("/invite").await.text();
    assert!(
        friends.contains("Борис Л.") && friends.contains("Пока без покупок"),
        "{friends}"
    );

    // Who is signed in is led home: nobody invites themselves.
    let own = anna.get(&path).await;
    assert_eq!(own.location(), "/");
    app.world.clock.set(crm::testing::start() + Duration::days(2));
    let boris = Customer {
        browser: boris,
        phone,
        name: "Борис".into(),
    };
    boris.with_purchase("B-1", "Чайник", 1_000_00).await;
    let friends = anna.get("/invite").await.text();
    assert!(
        friends.contains("Награда ваша") && friends.contains("+300"),
        "{friends}"
    );
    let statement = anna.get("/points").await;
    let words = statement.text();
    for said in ["Приведи друга", "Первая покупка друга", "версия 1"] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(
        !statement.body.contains("B-1"),
        "what a friend bought is not theirs to see"
    );

    // Staff see the same in the customer's history.
    let mut agent = app.staff("agent").await;
    let card = format!("/admin/customers/{}", anna.id().await);
    let history = agent.get(&card).await.text();
    for said in [
        "Первая покупка друга: +300",
        "Приведи друга, версия 1",
        "Взята ссылка для приглашений",
    ] {
        assert!(history.contains(said), "{said}: {history}");
    }
}

#[tokio::test]
async fn a_code_in_the_address_of_the_sign_in_is_kept_and_what_is_none_is_not() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let path = link(&mut anna).await;
    let code = path.rsplit('/').next().expect("a code").to_lowercase();
    let mut boris = app.anybody();
    const KEPT: &str = "__Host-kabinet_invite";
    for wrong in ["", "x", "%3Cb%3E", "ABCD-1111"] {
        boris.get(&format!("/sign-in?invite={wrong}")).await;
        assert!(!boris.cookies.contains_key(KEPT), "{wrong}");
        let nowhere = boris
            .get(&format!("/join/{}", if wrong.is_empty() { "x" } else { wrong }))
            .await;
        assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    // A code that nobody has looks like one, leads nowhere, and does not stand in the way of a registration.
    let nowhere = boris.get("/join/ABCD-2345").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(!boris.cookies.contains_key(KEPT));
    boris.get("/sign-in?invite=ABCD-2345").await;
    assert_eq!(boris.cookies.get(KEPT).map(String::as_str), Some("ABCD2345"));
    boris.get(&format!("/sign-in?invite={code}")).await;
    boris.prove(&app.free_phone()).await;
    // The code that came by the link stands in the form.
    let shown = boris.get("/sign-in/details").await.form("sign_in.details");
    let code = shown.get("invite").expect("the field").to_owned();
    let sent = [details("Борис"), vec![("invite", code.as_str())]].concat();
    boris.send("/sign-in/details", "sign_in.details", &sent).await;
    let registered = boris.send("/sign-in/review", "sign_in.register", &[]).await;
    assert_eq!(registered.location(), "/welcome?done=registered");
    let friends = anna.get("/invite").await.text();
    assert!(friends.contains("Борис Л."), "{friends}");
    assert!(
        friends.contains("ничего не начисляется"),
        "no rule gives anything: {friends}"
    );
}

#[tokio::test]
async fn a_profile_says_what_is_still_to_be_told_while_a_rule_gives_something_for_it() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let asked = "Осталось рассказать о себе";
    assert!(
        !anna.get("/profile").await.text().contains(asked),
        "no rule gives anything"
    );
    publish(&app, "Всё о себе", "profile", "", 5_000).await;
    let page = anna.get("/profile").await.text();
    for words in [asked, "50 баллов", "почта, подтверждённая кодом", "любимая категория"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("имя и фамилия"), "{page}");
}

#[tokio::test]
async fn the_occasion_of_a_rule_is_chosen_and_what_it_cannot_have_is_refused_in_words() {
    let app = TestApp::new().await;
    let mut staff = app.staff("mara").await;
    let made = staff
        .send(
            "/admin/rules",
            "rule.create",
            &[("ru", "День рождения"), ("en", "Birthday")],
        )
        .await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    let seen = |page: &crate::common::Reply| {
        let form = page.form("rule.basics");
        form.get("seen").expect("a field").to_owned()
    };
    let basics = |seen: String, occasion: &'static str| {
        vec![
            ("seen", seen),
            ("ru", "День рождения".to_owned()),
            ("en", "Birthday".to_owned()),
            ("occasion", occasion.to_owned()),
            ("valid_from", String::new()),
            ("valid_until", String::new()),
            ("priority", "0".to_owned()),
            ("group", String::new()),
        ]
    };
    async fn sent(
        staff: &mut crate::common::Browser,
        at: &str,
        form: &str,
        fields: Vec<(&str, String)>,
    ) -> crate::common::Reply {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        staff.send(at, form, &fields).await
    }
    let page = staff.get(&at).await;
    let wrong = sent(&mut staff, &at, "rule.basics", basics(seen(&page), "party")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let kept = sent(&mut staff, &at, "rule.basics", basics(seen(&page), "day")).await;
    kept.assert_leads_to(&format!("{at}?done=saved#draft"));
    let page = staff.get(&at).await;
    for words in [
        "Повод: день рождения или стаж",
        "добавьте день рождения или дни с регистрации",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    // A discount and the sum of a basket are for purchases alone.
    let json = r#"{"name": {"ru": "День рождения", "en": "Birthday"}, "occasion": "day",
        "conditions": [{"birthday": {"of": "customer"}}, {"basket_sum": {"at_least": 1}}],
        "effects": [{"percent_off": {"share": 500, "each": "line"}}]}"#;
    app.world.clock.set(crm::testing::start() + Duration::seconds(5));
    let put = vec![("seen", seen(&page)), ("json", json.to_owned())];
    let kept = sent(&mut staff, &at, "rule.json", put).await;
    kept.assert_leads_to(&format!("{at}?done=saved#draft"));
    let page = staff.get(&at).await;
    let words = page.text();
    assert_eq!(words.matches("имеет смысл только при покупке").count(), 2, "{words}");
    // Where nothing is wrong with it, it can be published, and not be tried on purchases.
    let club = app.club().await;
    let json = format!(
        r#"{{"name": {{"ru": "День рождения", "en": "Birthday"}}, "occasion": "day",
        "conditions": [{{"birthday": {{"of": "customer"}}}}],
        "effects": [{{"points_fixed": {{"program": "{club}", "points": 100, "each": "purchase"}}}},
        {{"message": {{"to": "customer", "text": {{"ru": "С днём рождения", "en": "Happy birthday"}}}}}}]}}"#
    );
    app.world.clock.set(crm::testing::start() + Duration::seconds(9));
    sent(
        &mut staff,
        &at,
        "rule.json",
        vec![("seen", seen(&page)), ("json", json)],
    )
    .await;
    let page = staff.get(&at).await;
    let words = page.text();
    for said in [
        "не о покупках, поэтому на прошлых чеках его не проверить",
        "письмом или SMS покупателю: «С днём рождения»",
        "1 балл в программе «",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(
        page.body.contains("rule.publish") && !page.body.contains("rule.simulate"),
        "{words}"
    );
}

#[tokio::test]
async fn a_code_is_typed_while_registering_and_afterwards() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let path = link(&mut anna).await;
    let code = path.rsplit('/').next().expect("a code").to_owned();
    let mut boris = app.anybody();
    let phone = app.free_phone();
    boris.prove(&phone).await;
    let with = |code: &'static str| {
        let mut fields = details("Борис");
        fields.push(("invite", code));
        fields
    };
    let refused = boris
        .send("/sign-in/details", "sign_in.details", &with("22222222"))
        .await;
    let why = refused.message("sign_in.details", "invite");
    assert!(why.contains("Такого кода нет"), "{why}");
    let mut fields = details("Борис");
    fields.push(("invite", &code));
    let kept = boris.send("/sign-in/details", "sign_in.details", &fields).await;
    kept.assert_leads_to("/sign-in/review");
    let shown = boris.get("/sign-in/details").await.form("sign_in.details");
    let shown = shown.get("invite").expect("the field").replace('-', "");
    assert_eq!(shown, code, "it stands there");
    // Taken out again, it counts no more.
    let kept = boris.send("/sign-in/details", "sign_in.details", &with("")).await;
    kept.assert_leads_to("/sign-in/review");
    boris.send("/sign-in/review", "sign_in.register", &[]).await;
    let invited = anna.get("/invite").await.text();
    assert!(invited.contains("Пока никого"), "{invited}");

    let wrong = boris.send("/invite", "invite.enter", &[("code", "нет")]).await;
    let why = wrong.message("invite.enter", "code");
    assert!(why.contains("Такого кода нет"), "{why}");
    let entered = boris.send("/invite", "invite.enter", &[("code", &code)]).await;
    entered.assert_leads_to("/invite?done=entered");
    app.assert_row("invite.enter").await;
    assert!(anna.get("/invite").await.text().contains("Борис Л."));
    let page = boris.get("/invite").await;
    assert!(!page.body.contains("invite.enter"), "once");
    let late = boris.send("/invite", "invite.enter", &[("code", &code)]).await;
    late.assert_says("больше не ввести");
}

/// Whoever was rewarded often enough in a month is told so of every further friend.
#[tokio::test]
async fn a_friend_beyond_the_limit_of_the_month_is_told_as_such() {
    let app = TestApp::build(false, |config| config.points.invitations_per_month = 1).await;
    publish(&app, "Приведи друга", "referral", "", 30_000).await;
    let mut anna = app.customer("Анна").await;
    let path = link(&mut anna).await;
    let code = path.rsplit('/').next().expect("a code").to_owned();
    let mut friends = Vec::new();
    for name in ["Борис", "Вера"] {
        let mut friend = app.customer(name).await;
        let entered = friend.send("/invite", "invite.enter", &[("code", &code)]).await;
        entered.assert_leads_to("/invite?done=entered");
        friends.push(friend);
    }
    app.world.clock.set(crm::testing::start() + Duration::days(2));
    let beyond = "лимит месяца исчерпан";
    for (friend, document) in friends.into_iter().zip(["B-1", "V-1"]) {
        assert!(!anna.get("/invite").await.text().contains(beyond), "{document}");
        friend.with_purchase(document, "Чайник", 1_000_00).await;
    }
    let page = anna.get("/invite").await.text();
    assert!(page.contains("Награда ваша") && page.contains(beyond), "{page}");
}

/// Each state of a reward in words, one tap from the points: it waits, it came, the limit of the month is used up, it did not come.
#[tokio::test]
async fn how_rewards_stand_is_told_where_points_are_missed() {
    let app = TestApp::build(false, |config| config.points.invitations_per_month = 1).await;
    publish(&app, "Приведи друга", "referral", "", 30_000).await;
    let own = r#"{"birthday": {"of": "customer"}}"#;
    publish(&app, "С днём рождения", "day", own, 10_000).await;
    publish(&app, "За анкету", "questionnaire", "", 5_000).await;
    publish(&app, "По приглашению", "registration", r#""invited""#, 1_000).await;
    let mut anna = app.customer("Анна").await;
    assert!(anna.get("/points").await.body.contains("href=\"/points/missing\""));
    let page = anna.get("/points/missing").await;
    let words = page.words();
    for said in [
        "Приведи друга Первая покупка друга Придёт за первую покупку друга",
        "С днём рождения День рождения или годовщина Придёт 3 мая 2027",
        "За анкету Анкета Придёт за ответы на анкету",
        "По приглашению Регистрация 21 ноября не пришла. Для тех, кто пришёл по приглашению",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    for href in ["/invite", "/questionnaire"] {
        assert!(page.body.contains(&format!("href=\"{href}\"")), "{href}");
    }

    let path = link(&mut anna).await;
    let code = path.rsplit('/').next().expect("a code").to_owned();
    let mut boris = app.customer("Борис").await;
    let entered = boris.send("/invite", "invite.enter", &[("code", &code)]).await;
    entered.assert_leads_to("/invite?done=entered");
    let words = anna.get("/points/missing").await.words();
    assert!(words.contains("1 друг ещё ничего не купил"), "{words}");
    // The friend's own page has it the other way round.
    let words = boris.get("/points/missing").await.words();
    assert!(words.contains("По приглашению Регистрация Пришла 21 ноября"), "{words}");

    app.world.clock.set(crm::testing::start() + Duration::days(2));
    boris.with_purchase("B-1", "Чайник", 1_000_00).await;
    let all = [("sex", "female"), ("occupation", "study"), ("household", "alone")];
    anna.send("/questionnaire", "questionnaire.tell", &all).await;
    let page = anna.get("/points/missing").await;
    let words = page.words();
    for said in [
        "Первая покупка друга Пришла 22 ноября Лимит приглашений на этот месяц исчерпан. Новые считаем с 1 декабря",
        "Анкета Пришла 23 ноября",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(!words.contains("Придёт за ответы"), "it is given once: {words}");
    // The way to the points leads to their day.
    assert!(page.body.contains("href=\"/points?from=2026-11-22&"), "{}", page.body);
    let statement = anna.get("/points?from=2026-11-22&to=2026-11-22").await.text();
    assert!(
        statement.contains("Приведи друга") && !statement.contains("За анкету"),
        "{statement}"
    );
    app.world.clock.set("2026-12-01T09:00:00Z".parse().expect("a moment"));
    let words = anna.get("/points/missing").await.words();
    assert!(
        words.contains("Пришла 22 ноября Придёт за первую покупку друга"),
        "another month: {words}"
    );
}
