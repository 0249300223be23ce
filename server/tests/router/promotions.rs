//! Promotions: as marketers write them, and as customers are offered them.

use crate::common::{BY, Browser, TestApp, with};
use axum::http::StatusCode;

const LIST: &str = "/admin/promotions";

/// Everything that a promotion's form sends, with some of it changed. The clock stands on 21 November 2026.
fn fields<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    with(
        vec![
            ("title_ru", "Неделя сумок"),
            ("title_en", "Bag week"),
            ("conditions_ru", "Все сумки дешевле на 20 %"),
            ("conditions_en", "All bags are 20% off"),
            ("starts", "2026-11-20T10:00"),
            ("ends", "2026-11-30T22:00"),
        ],
        changed,
    )
}

/// What a form of a page says of what was shown.
async fn seen(staff: &mut Browser, at: &str, form: &str) -> String {
    let page = staff.get(at).await;
    page.form(form).get("seen").map(str::to_owned).expect("a field")
}

#[tokio::test]
async fn a_promotion_goes_from_idea_to_its_result() {
    let app = TestApp::new().await;
    let rule = app.some_rule().await.to_string();
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut ada = app.staff_as("ada", "administrator").await;
    let mut anna = app.customer("Анна").await;
    assert!(staff.get(LIST).await.text().contains("Акций пока нет"));
    let wrong = [("key", ""), ("title_ru", " "), ("title_en", ""), ("note", "Зачем?")];
    let wrong = staff.send(LIST, "promotion.create", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("promotion.create", "title_ru"), "Заполните это поле");
    let idea = [
        ("key", "bags"),
        ("title_ru", "Неделя сумок"),
        ("title_en", ""),
        ("note", "Сумки не берут"),
    ];
    let made = staff.send(LIST, "promotion.create", &idea).await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    assert!(at.starts_with("/admin/promotions/"), "{}", made.text());
    let twice = staff.send(LIST, "promotion.create", &idea).await;
    assert_eq!(twice.message("promotion.create", "key"), "Такой уже есть");
    let page = staff.get(&at).await;
    assert!(page.text().contains("Идея") && page.text().contains("Сумки не берут"));
    assert!(!page.body.contains("promotion.ask"), "an idea says too little");
    let note = [("seen", "Сумки не берут"), ("note", "Берут плохо")];
    let noted = staff.send(&at, "promotion.note", &note).await;
    noted.assert_leads_to(&format!("{at}?done=saved"));

    let shown = seen(&mut staff, &at, "promotion.change").await;
    let seen_first = shown.as_str();
    let wrong = fields(&[
        ("seen", seen_first),
        ("ends", "2026-11-20T10:00"),
        ("conditions_en", ""),
    ]);
    let wrong = staff.send(&at, "promotion.change", &wrong).await;
    for (field, message) in [
        ("ends", "Конец раньше начала: проверьте оба"),
        ("conditions_en", "Заполните это поле"),
    ] {
        assert_eq!(wrong.message("promotion.change", field), message, "{field}");
    }
    let nobodys = fields(&[
        ("seen", seen_first),
        ("rules[]", "00000000-0000-0000-0000-000000000009"),
    ]);
    let nobodys = staff.send(&at, "promotion.change", &nobodys).await;
    assert_eq!(nobodys.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nobodys.text());
    let whole = fields(&[("seen", seen_first), ("rules[]", &rule)]);
    let saved = staff.send(&at, "promotion.change", &whole).await;
    saved.assert_leads_to(&format!("{at}?done=saved"));
    let late = staff.send(&at, "promotion.change", &whole).await;
    late.assert_says("изменил кто-то другой");
    let page = staff.get(&at).await;
    for told in ["Черновик", "Создано", "Правила: пусто → Чай", "→ «Все сумки дешевле"]
    {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    assert!(
        !anna.get("/offers").await.text().contains("Неделя сумок"),
        "a draft is nobody's"
    );

    let shown = seen(&mut staff, &at, "promotion.ask").await;
    let sent = staff.send(&at, "promotion.ask", &[("seen", &shown)]).await;
    sent.assert_leads_to(&format!("{at}?done=asked"));
    let inbox = ada.get("/admin/inbox").await;
    inbox.assert_says("mara: нужно одобрение акции «Неделя сумок»");
    assert!(inbox.body.contains(&format!("href=\"{at}\"")), "{}", inbox.body);
    ada.get(LIST).await.assert_says("ждут: 1");
    assert!(!staff.get("/admin/inbox").await.text().contains("нужно одобрение"));
    let page = staff.get(&at).await;
    assert!(!page.text().contains("ждут:"), "it is the author's own");
    page.assert_says("Решит коллега, не автор");
    assert!(!page.body.contains("promotion.approve"), "the author is not offered it");
    let approve = [("seen", shown.as_str())];
    let own = staff.send(&at, "promotion.approve", &approve).await;
    assert_ne!(own.status, StatusCode::SEE_OTHER, "the author cannot approve");
    assert!(!anna.get("/offers").await.text().contains("Неделя сумок"));
    let wrong = [("seen", shown.as_str()), ("reason", "")];
    let wrong = ada.send(&at, "promotion.refuse", &wrong).await;
    assert_eq!(wrong.message("promotion.refuse", "reason"), "Заполните это поле");
    let why = [("seen", shown.as_str()), ("reason", "Дорого")];
    let refused = ada.send(&at, "promotion.refuse", &why).await;
    refused.assert_leads_to(&format!("{at}?done=refused"));
    assert!(!ada.get(LIST).await.text().contains("ждут:"));
    let inbox = staff.get("/admin/inbox").await;
    inbox.assert_says("ada: акция «Неделя сумок» не одобрена");
    assert!(inbox.body.contains(&format!("href=\"{at}\"")), "{}", inbox.body);
    let page = staff.get(&at).await.text();
    for told in ["Не одобрено: Дорого", "Стадия: Ждёт одобрения → Черновик"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    let late = ada.send(&at, "promotion.approve", &approve).await;
    late.assert_says("изменил кто-то другой");
    staff.send(&at, "promotion.ask", &approve).await;
    let waiting = ada.get(&format!("{LIST}?stage=approval")).await;
    assert!(waiting.body.contains(&at), "{}", waiting.body);
    assert!(!ada.get(&format!("{LIST}?stage=draft")).await.body.contains(&at));
    let sent = ada.send(&at, "promotion.approve", &approve).await;
    sent.assert_leads_to(&format!("{at}?done=published"));
    staff
        .get("/admin/inbox")
        .await
        .assert_says("ada: акция «Неделя сумок» одобрена");
    let running = staff.get(&format!("{LIST}?stage=running")).await;
    assert!(running.body.contains(&at), "{}", running.body);
    assert!(anna.get("/offers").await.text().contains("Все сумки дешевле на 20 %"));

    // What is published stays as it is until a colleague approves the next version.
    let shown = seen(&mut staff, &at, "promotion.change").await;
    let next = fields(&[
        ("seen", &shown),
        ("conditions_ru", "Все сумки дешевле на 30 %"),
        ("rules[]", &rule),
    ]);
    let saved = staff.send(&at, "promotion.change", &next).await;
    saved.assert_leads_to(&format!("{at}?done=saved"));
    assert!(anna.get("/offers").await.text().contains("дешевле на 20 %"));
    let shown = seen(&mut staff, &at, "promotion.ask").await;
    staff.send(&at, "promotion.ask", &[("seen", &shown)]).await;
    assert!(anna.get("/offers").await.text().contains("дешевле на 20 %"));
    let page = ada.get(&at).await;
    assert!(
        page.body.contains("<del>") && page.text().contains("новая версия ждёт одобрения"),
        "{}",
        page.body
    );
    ada.send(&at, "promotion.approve", &[("seen", &shown)]).await;
    assert!(anna.get("/offers").await.text().contains("дешевле на 30 %"));

    let sent = staff.send(&at, "promotion.end", &[]).await;
    sent.assert_leads_to(&format!("{at}?done=ended"));
    let page = staff.get(&at).await.text();
    assert!(
        page.contains("Закончилась") && page.contains("Ещё не посчитано"),
        "{page}"
    );
    crm::promotion::store::outcome::run_due(&app.world.db, &BY, || true)
        .await
        .expect("counted");
    let page = staff.get(&at).await;
    assert!(page.text().contains("Оборот участников"), "{}", page.text());
    assert!(!page.body.contains("promotion.change"), "what is over stays as it was");
    assert!(!anna.get("/").await.text().contains("Неделя сумок"));
    let wrong = staff
        .send(&at, "promotion.conclude", &[("seen", ""), ("conclusion", " ")])
        .await;
    assert_eq!(wrong.message("promotion.conclude", "conclusion"), "Заполните это поле");
    let said = [("seen", ""), ("conclusion", "Сумки взяли")];
    let sent = staff.send(&at, "promotion.conclude", &said).await;
    sent.assert_leads_to(&format!("{at}?done=concluded"));
    app.assert_row("promotion.conclude").await;
    let concluded = staff.get(&format!("{LIST}?stage=concluded")).await;
    assert!(concluded.body.contains(&at), "{}", concluded.body);
}

/// A published promotion is not changed by whoever came in long ago, and nobody publishes without having proved who they are.
#[tokio::test]
async fn publishing_takes_a_fresh_proof() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut ada = app.staff_as("ada", "administrator").await;
    let mut anna = app.customer("Анна").await;
    let at = format!("{LIST}/{}", app.some_promotion().await);
    let shown = seen(&mut staff, &at, "promotion.change").await;
    let next = fields(&[("seen", &shown), ("title_ru", "Месяц чая")]);
    staff.send(&at, "promotion.change", &next).await;
    let shown = seen(&mut staff, &at, "promotion.ask").await;
    staff.send(&at, "promotion.ask", &[("seen", &shown)]).await;
    app.world
        .clock
        .set(crm::testing::start() + chrono::Duration::minutes(16));
    let stale = ada.send(&at, "promotion.approve", &[("seen", &shown)]).await;
    assert!(!stale.location().contains("done=published"), "{}", stale.location());
    assert!(!anna.get("/offers").await.text().contains("Месяц чая"));
}

#[tokio::test]
async fn a_promotion_that_is_to_come_is_called_off_and_is_a_draft_again() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut ada = app.staff_as("ada", "administrator").await;
    let idea = [("key", ""), ("title_ru", "Сумки"), ("title_en", "Bags"), ("note", "")];
    let made = staff.send(LIST, "promotion.create", &idea).await;
    let at = made.location().split('?').next().unwrap_or_default().to_owned();
    for form in ["promotion.change", "promotion.ask", "promotion.approve"] {
        let by = if form == "promotion.approve" {
            &mut ada
        } else {
            &mut staff
        };
        let shown = seen(by, &at, form).await;
        let sent = fields(&[("seen", &shown), ("starts", "2026-11-25T10:00")]);
        let sent = by.send(&at, form, &sent).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{form}: {}", sent.text());
    }
    assert!(staff.get(&at).await.text().contains("Запланирована"));
    staff.send(&at, "promotion.end", &[]).await;
    assert!(staff.get(&at).await.text().contains("Черновик"));
    let mut agent = app.staff_as("agent", "agent").await;
    for path in [LIST, &at] {
        assert_eq!(agent.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn what_has_to_be_switched_on_counts_from_then_on() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let promotion = app.put_promotion("tea_week", &[], true).await;
    let asking = rule(&app, &format!(r#"{{"activated": ["{promotion}"]}}"#)).await;
    let silent = rule(&app, "").await;
    app.put_promotion("tea_week", &[asking, silent], true).await;
    let page = staff.get(&format!("{LIST}/{promotion}")).await.text();
    let warning = "Правило «Чай» не спрашивает";
    assert_eq!(page.matches(warning).count(), 1, "{page}");
    app.put_promotion("tea_week", &[asking], true).await;
    let page = staff.get(&format!("{LIST}/{promotion}")).await.text();
    assert!(!page.contains(warning), "{page}");

    let page = anna.get("/offers").await;
    assert!(!page.text().contains("Действует для вас"), "{}", page.text());
    let form = page.form("offer.activate");
    let sent = anna.submit("/offers", &form).await;
    sent.assert_leads_to("/offers?done=on");
    let page = anna.get("/offers?done=on").await;
    for told in ["Акция включена", "Действует для вас", "Включена"] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    assert!(!page.body.contains("offer.activate"), "once is enough");
    for nobodys in ["", "tea", "tea_week' --"] {
        let sent = anna.send("/offers", "offer.activate", &[("offer", nobodys)]).await;
        assert_eq!(
            sent.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{nobodys}: {}",
            sent.text()
        );
        assert!(!sent.text().contains("Акция включена"), "{}", sent.text());
    }
    let mut boris = app.customer("Борис").await;
    assert!(
        boris.get("/offers").await.body.contains("offer.activate"),
        "each for themselves"
    );
}

#[tokio::test]
async fn what_is_over_stays_to_be_read_for_a_while() {
    let app = TestApp::new().await;
    let id = rule(&app, "").await;
    app.put_promotion("tea_week", &[id], false).await;
    let mut anna = app.customer("Анна").await;
    assert!(!anna.get("/offers").await.text().contains("Закончились"));
    app.world.clock.set(crm::testing::start() + chrono::Duration::days(7));
    let page = anna.get("/offers").await.text();
    for told in ["Закончились", "Неделя чая", "вы не участвовали"] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

/// The archive has no end but the first promotion, and goes on from page to page.
#[tokio::test]
async fn every_promotion_that_is_over_is_reached() {
    let app = TestApp::new().await;
    for n in 0..45 {
        app.put_promotion(&format!("week_{n}"), &[], false).await;
    }
    let mut anna = app.customer("Анна").await;
    app.world.clock.set(crm::testing::start() + chrono::Duration::days(15));
    let (mut at, mut seen) = ("/offers".to_owned(), Vec::new());
    loop {
        let page = anna.get(&at).await;
        seen.push(page.body.matches("Неделя чая").count());
        let next = page.body.split("href=\"").filter_map(|rest| rest.split('"').next());
        let Some(next) = next
            .map(crate::common::html::unescape)
            .find(|href| href.starts_with("/offers?over="))
        else {
            break;
        };
        at = next;
    }
    assert_eq!(seen, [20, 20, 5]);
    for nonsense in ["x", "1_x", "9999999999999999999_0"] {
        let page = anna.get(&format!("/offers?over={nonsense}")).await;
        assert_eq!(page.status, StatusCode::OK, "{nonsense}");
    }
}

/// What a customer has used up is told as used, and when, not as being for others.
#[tokio::test]
async fn an_offer_that_is_used_up_says_so() {
    let app = TestApp::new().await;
    let json = r#"{"name": {"ru": "Чай", "en": "Tea"}, "conditions": [], "caps": {"customer": {"times": 1}},
        "effects": [{"points_fixed": {"program": "PROGRAM", "points": 5000, "each": "purchase"}}]}"#;
    let club = app
        .text("SELECT lower(hex(id)) FROM programs WHERE code = 'club'")
        .await;
    let club = uuid::Uuid::parse_str(&club).expect("an id").to_string();
    let tea = serde_json::from_str(&json.replace("PROGRAM", &club)).expect("a rule");
    let published = crm::rule::store::publish_by_system(&app.world.db, &crate::common::BY, None, &tea, None).await;
    app.put_promotion("tea_week", &[published.expect("published").id], false)
        .await;
    let mut anna = app.customer("Анна").await;
    // What she bought counts from when she joined.
    app.world.clock.set(crm::testing::start() + chrono::Duration::hours(25));
    let page = anna.get("/offers").await;
    let told = page.words();
    assert!(
        told.contains("Действует для вас") && told.contains("Для участников программы: "),
        "{told}"
    );
    // Where it holds everywhere, the addresses of all shops are a tap away as well.
    assert!(
        page.body.contains("<a href=\"/stores\">Адреса и часы</a>"),
        "{}",
        page.body
    );
    let mut anna = anna.with_purchase("A-1", "Чай", 30_000).await;
    let page = anna.get("/offers").await.text();
    assert!(
        page.contains("Уже использованы") && page.contains("Использована"),
        "{page}"
    );
    assert!(
        !page.contains("Действует для вас") && !page.contains("Другие акции"),
        "{page}"
    );
}

/// Publishes a rule by its conditions; it takes a tenth off.
async fn rule(app: &TestApp, conditions: &str) -> crm::id::RuleId {
    let json = format!(
        r#"{{"name": {{"ru": "Чай", "en": "Tea"}}, "conditions": [{conditions}],
        "effects": [{{"percent_off": {{"share": 1000, "each": "line"}}}}]}}"#
    );
    app.publish(serde_json::from_str(&json).expect("JSON")).await.id
}

#[tokio::test]
async fn offers_say_whom_they_are_for_and_how_far_somebody_is() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("1", "Чай", 30_000).await;
    let mut boris = app.customer("Борис").await;
    let third = r#"{"purchase_count": {"window": "ever", "count": {"at_least": 3}}}"#;
    let sum = r#"{"purchase_sum": {"window": "year", "sum": {"at_least": 150000}}}"#;
    for (code, conditions) in [("third", third), ("sum", sum), ("first", r#""first_purchase""#)] {
        let id = rule(&app, conditions).await;
        app.put_promotion(code, &[id], false).await;
    }
    let page = anna.get("/offers").await;
    for told in [
        "Почти ваши",
        "Покупок: 1 из 3",
        "Ещё 1 200",
        "Другие акции",
        "Для первой покупки",
    ] {
        let text = page.words();
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!page.text().contains("Действует для вас"), "{}", page.text());
    assert!(page.body.contains("max=\"3\" value=\"1\""), "{}", page.body);
    let page = boris.get("/offers").await.text();
    assert!(
        page.contains("Действует для вас") && page.contains("Покупок: 0 из 3"),
        "{page}"
    );
    assert!(page.contains("Для первой покупки."), "why it holds for him: {page}");
}

/// What grows with the years comes to staff page by page: promotions by their ends, rules that give nothing any more after those
/// that do.
#[tokio::test]
async fn staff_page_through_promotions_and_rules() {
    let app = TestApp::new().await;
    for n in 0..55 {
        app.put_promotion(&format!("week_{n}"), &[], false).await;
    }
    let living = rule(&app, "").await;
    let withdrawn = "INSERT INTO rules (id, created_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                     WHERE i < 55) SELECT randomblob(16), r.created_at FROM n, (SELECT created_at FROM rules LIMIT 1) r";
    app.execute(withdrawn).await;
    let copies = "INSERT INTO rule_versions (rule_id, version, state, definition, changed_at, effective_at, published_at) \
                  SELECT r.id, 1, 'published', NULL, v.changed_at, v.effective_at, v.published_at FROM rules r, rule_versions v \
                  WHERE NOT EXISTS (SELECT 1 FROM rule_versions o WHERE o.rule_id = r.id) AND v.definition IS NOT NULL";
    app.execute(copies).await;
    let mut mara = app.staff_as("mara", "marketer").await;
    for (at, of_each) in [("/admin/promotions", [50, 5]), ("/admin/rules", [51, 5])] {
        let mut there = at.to_owned();
        for (page, expected) in of_each.into_iter().enumerate() {
            let shown = mara.get(&there).await;
            assert_eq!(shown.status, StatusCode::OK, "{there}");
            let links = crate::common::html::tags(&shown.body);
            let links: Vec<_> = links.iter().filter_map(|tag| tag.get("href")).collect();
            let is_one = |href: &&&str| href.strip_prefix(at).is_some_and(|rest| rest.len() == 37);
            assert_eq!(links.iter().filter(is_one).count(), expected, "{there}");
            let next = links.iter().find(|href| href.contains("?after="));
            assert_eq!(next.is_some(), page == 0, "{there}");
            there = next.map_or_else(String::new, |href| (*href).to_owned());
        }
    }
    let first = mara.get("/admin/rules").await.body;
    assert!(
        first.contains(&format!("/admin/rules/{living}")),
        "what gives something is on the first page"
    );
    for nonsense in ["x", "1_x"] {
        for at in ["/admin/promotions", "/admin/rules"] {
            assert_eq!(mara.get(&format!("{at}?after={nonsense}")).await.status, StatusCode::OK);
        }
    }
}
