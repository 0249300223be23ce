//! What staff do for a customer from its pages: why a card is opened, cards, receipts, contacts, data, the way back without a
//! phone, and the cabinet as its customer sees it.

use crate::common::{BY, Browser, Reply, TestApp, Town};
use app::ROUTES;
use app::route::{Access, Answer};
use axum::http::StatusCode;
use chrono::Duration;
use crm::points::store as points;
use crm::testing::start;

const ASKS: &str = "Зачем открываете карточку?";

async fn card_of(who: &crate::common::Customer) -> String {
    format!("/admin/customers/{}", who.id().await)
}

/// Where a link of a page leads that begins like this.
fn link(page: &Reply, begins: &str) -> String {
    let from = page.body.find(&format!("href=\"{begins}"));
    let from = from.unwrap_or_else(|| panic!("no link to {begins}: {}", page.text())) + 6;
    let link = page.body[from..].split('"').next().unwrap_or_default();
    link.replace("&amp;", "&")
}

#[tokio::test]
async fn s23_why_a_card_is_opened_is_asked_once_a_day_and_the_customer_reads_it() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let secret = app.employ("petrov").await;
    let mut agent = app.enter("petrov", &secret).await;
    let at = card_of(&anna).await;
    let shown = crm::contact::show_phone(&anna.phone);
    for page in [at.clone(), format!("{at}/acts"), format!("{at}/recovery")] {
        let asked = agent.first(&page).await;
        assert_eq!(asked.status, StatusCode::OK);
        assert!(asked.text().contains(ASKS), "{page}: {}", asked.text());
        assert!(
            !asked.text().contains(&shown) && !asked.text().contains("Анна"),
            "{page}"
        );
        // The usual case takes one key.
        assert!(asked.body.contains("autofocus"), "{page}");
    }
    assert!(
        anna.get("/profile/views")
            .await
            .text()
            .contains("пока никто не открывал")
    );
    let silent = agent
        .send(&at, "customer.why", &[("why", "other"), ("words", " ")])
        .await;
    assert_eq!(silent.message("customer.why.other", "words"), "Напишите, почему");
    // What only something else can tell nobody chooses.
    let made_up = agent.send(&at, "customer.why", &[("why", "request")]).await;
    assert!(made_up.status.is_client_error(), "{}", made_up.status);
    assert!(agent.first(&at).await.text().contains(ASKS));
    let told = agent
        .send(&at, "customer.why", &[("why", "other"), ("words", "Спор о чеке")])
        .await;
    told.assert_leads_to(&at);
    app.assert_row("customer.why").await;
    for _ in 0..2 {
        assert!(!agent.first(&at).await.text().contains(ASKS));
    }
    let views = anna.get("/profile/views").await.text();
    for words in ["Открыта ваша карточка", "Причина: Спор о чеке"] {
        assert!(views.contains(words), "{words}: {views}");
    }
    // A colleague tells their own, also where they send a form that is not taken, and on the next day everybody does.
    let mut colleague = app.staff("sidorov").await;
    let faulty = colleague.send_at_once(&at, "note.add", &[("body", " ")]).await;
    assert_eq!(faulty.status, StatusCode::UNPROCESSABLE_ENTITY);
    faulty.assert_says(ASKS);
    assert!(!faulty.text().contains(&shown), "{}", faulty.text());
    assert!(colleague.first(&at).await.text().contains(ASKS));
    app.world.clock.set(start() + Duration::days(1));
    let mut agent = app.enter("petrov", &secret).await;
    assert!(agent.first(&at).await.text().contains(ASKS));
}

#[tokio::test]
async fn what_led_to_a_card_tells_why_it_is_opened() {
    let mut town = Town::new().await;
    let (at, other) = (card_of(&town.anna).await, card_of(&town.boris).await);
    let request = format!("/admin/requests/{}", town.request);
    let page = town.agent.get(&request).await;
    let there = link(&page, &format!("{at}?request="));
    let by_hand = there.replace(&at, &other);
    assert!(
        town.agent.first(&by_hand).await.text().contains(ASKS),
        "not his request"
    );
    assert!(!town.agent.first(&there).await.text().contains(ASKS));
    let views = town.anna.get("/profile/views").await.text();
    assert!(views.contains("Причина: ваше обращение"), "{views}");
    assert!(views.contains(&format!("№ {}", town.request)), "{views}");
    // By what the customer told; a name anybody may type.
    let mut colleague = town.app.staff("another").await;
    let phone = town.anna.phone.clone();
    for (text, asks) in [("Лебедева", true), (&phone[5..], true), (phone.as_str(), false)] {
        let found = colleague.find(text).await;
        let page = colleague.get(&found).await;
        let there = link(&page, &format!("{at}?find="));
        assert!(!there.contains(text), "{there}");
        assert_eq!(colleague.first(&there).await.text().contains(ASKS), asks, "{text}");
    }
    let views = town.anna.get("/profile/views").await.text();
    assert!(
        views.contains("Причина: вы назвали телефон, почту или карту"),
        "{views}"
    );
}

/// Pages that are for the customer alone: what shows codes, and what tells how they come in.
const FOR_THE_CUSTOMER: [&str; 9] = [
    "/card/offline",
    "/profile/contacts/code",
    "/profile/security",
    "/profile/providers",
    "/confirm",
    "/profile/second-factor",
    "/profile/passkeys",
    "/confirm/code",
    "/devices",
];

async fn begin(who: &mut Browser, at: &str) {
    let begun = who
        .send(&format!("{at}/acts"), "view.begin", &[("reason", "Не видит баллы")])
        .await;
    begun.assert_leads_to("/");
}

#[tokio::test]
async fn s17_the_cabinet_is_looked_at_page_by_page_and_nothing_is_changed() {
    let mut town = Town::new().await;
    let mut lead = town.app.staff_as("lada", "lead").await;
    let at = card_of(&town.anna).await;
    assert_eq!(lead.get("/points").await.location(), "/sign-in?next=/points");
    begin(&mut lead, &at).await;
    // Somebody who is a customer as well looks at hers, and changes nothing of their own.
    let own = town.boris.cookies["__Host-kabinet"].clone();
    lead.cookies.insert("__Host-kabinet".into(), own);
    let but = ["audit", "sessions", "idempotency_keys"];
    let before = town.app.everything(&but).await;
    let mut pages = 0;
    for route in ROUTES.iter().filter(|route| route.access == Access::Customer) {
        let path = town.path(route.path).await.expect("a sample");
        let reply = lead.first(&path).await;
        if FOR_THE_CUSTOMER.contains(&route.path) {
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}: {}", reply.text());
            for words in [
                "Эта страница только для покупателя",
                "по ней можно было бы войти за него",
            ] {
                assert!(reply.text().contains(words), "{path}: {words}");
            }
        } else {
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
            pages += 1;
        }
        if matches!(route.answer, Answer::Page(_)) {
            for words in [
                "Вы смотрите кабинет покупателя",
                "Осталось 15 минут",
                "Закончить просмотр",
            ] {
                assert!(reply.words().contains(words), "{path}: {words}: {}", reply.text());
            }
        }
        for form in route.forms {
            let sent = lead.send(&path, form.name, &[]).await;
            assert_eq!(sent.status, StatusCode::FORBIDDEN, "{} at {path}", form.name);
        }
    }
    assert!(pages > 25, "{pages}");
    let home = lead.get("/").await;
    assert!(
        home.body.contains("href=\"/welcome\""),
        "what she is offered: {}",
        home.text()
    );
    // Elsewhere they are nobody's customer either.
    let question = town.app.some_question(town.anna.id().await).await;
    let voted = lead
        .send(&format!("/questions/{question}"), "question.vote", &[("up", "yes")])
        .await;
    assert_eq!(voted.status, StatusCode::FORBIDDEN);
    assert_eq!(town.app.everything(&but).await, before, "nothing was changed");
    // She reads of every page, by whom and why.
    let read = town
        .app
        .texts("SELECT DISTINCT reason FROM audit WHERE action = 'view.read'")
        .await;
    for route in ROUTES.iter().filter(|route| route.access == Access::Customer) {
        let reason = format!("{} Не видит баллы", route.path);
        assert!(read.contains(&reason), "{reason}: {read:?}");
    }
    let views = town.anna.get("/profile/views").await;
    for words in [
        "Сотрудник посмотрел страницу вашего кабинета: «Главная»",
        "Причина: Не видит баллы",
        "Старший смены",
    ] {
        assert!(views.text().contains(words), "{words}: {}", views.text());
    }
    assert!(!views.text().contains("lada"));
    assert!(!views.body.contains("<code>"), "pages have names: {}", views.text());
}

#[tokio::test]
async fn s17_what_is_looked_at_shows_forms_and_no_answer_that_takes_a_right_of_its_own() {
    const TELL: &str = "questionnaire.tell";
    let mut town = Town::new().await;
    let told = [("sex", "female"), ("income", "from_60")];
    town.anna
        .send("/questionnaire", TELL, &told)
        .await
        .assert_leads_to("/questionnaire?done=told");
    let mut lead = town.app.staff_as("lada", "lead").await;
    let at = card_of(&town.anna).await;
    begin(&mut lead, &at).await;
    let asked = lead.get("/questionnaire").await;
    let form = asked.form(TELL);
    assert_eq!((form.get("sex"), form.get("income")), (Some("female"), None));
    assert!(!asked.body.contains("from_60"), "{}", asked.text());
    asked.assert_says("по отдельному праву, здесь не показаны");
    // A plan is made by its address: it changes nothing.
    lead.get("/what-if?sum=1000").await.assert_says("К оплате");
    // What is but a form is there, without the camera and without codes.
    for (path, there) in [
        ("/purchases/claim", "purchase.claim"),
        ("/questions/new", "question.ask"),
        ("/points/transfer", "id=\"list\""),
    ] {
        let page = lead.get(path).await;
        assert!(page.body.contains(there), "{path}: {}", page.text());
        assert!(!page.body.contains("data-scan"), "{path}");
    }
    let merging = lead.get("/merge").await;
    merging.assert_says("Эти шаги видит только он");
    assert!(!merging.body.contains("merge.prove"), "{}", merging.text());
}

#[tokio::test]
async fn a_look_at_the_cabinet_takes_no_code_along_and_is_over_after_a_while() {
    let mut town = Town::new().await;
    let mut lead = town.app.staff_as("lada", "lead").await;
    let at = card_of(&town.anna).await;
    let acts = format!("{at}/acts");
    let silent = lead.send(&acts, "view.begin", &[("reason", "")]).await;
    assert_eq!(silent.message("view.begin", "reason"), "Напишите, почему");
    let mut agent = town.app.staff_as("agent_alone", "agent").await;
    let refused = agent.send(&acts, "view.begin", &[("reason", "Посмотреть")]).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    assert!(!agent.get(&acts).await.body.contains("view.begin"));
    assert_eq!(agent.get("/").await.location(), "/sign-in");

    begin(&mut lead, &at).await;
    let number = town
        .app
        .text("SELECT number FROM cards ORDER BY issued_at, id LIMIT 1")
        .await;
    assert!(town.anna.get("/card").await.body.contains("data-rotating"));
    for page in ["/", "/card"] {
        let body = lead.get(page).await.body;
        assert!(body.contains(&number[9..]), "{page}");
        assert!(
            !body.contains(&number) && !body.contains(&crm::card::show(&number)),
            "{page}"
        );
        assert!(
            !body.contains("data-rotating") && !body.contains("<svg class=\"qr"),
            "{page}"
        );
    }
    // It is of one session of staff.
    let colleague = town.app.staff("another").await.get("/").await;
    assert_eq!(colleague.location(), "/sign-in");
    let ended = lead.get("/").await.form("view.end");
    let ended = lead.submit("/admin/view", &ended).await;
    ended.assert_leads_to(&format!("{acts}?done=view_ended"));
    assert_eq!(lead.get("/").await.location(), "/sign-in");
    begin(&mut lead, &at).await;
    let clock = &town.app.world.clock;
    clock.set(town.app.world.db.now() + Duration::minutes(14));
    assert!(lead.get("/").await.words().contains("Осталась 1 минута"));
    clock.set(town.app.world.db.now() + Duration::minutes(1));
    assert_eq!(lead.get("/").await.location(), "/sign-in");
    assert!(lead.get("/admin/view").await.text().contains("Сейчас вы не смотрите"));
}

#[tokio::test]
async fn staff_block_a_card_and_the_customer_is_told() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let acts = format!("{}/acts", card_of(&anna).await);
    let mut agent = app.staff_as("petrov", "agent").await;
    let page = agent.get(&acts).await;
    for of_others in ["purchase.attach", "export.begin", "erasure.begin", "view.begin"] {
        assert!(!page.body.contains(of_others), "{of_others} is not for an agent");
    }
    let form = page.form("card.stop");
    let id = form.get("card").expect("a card").to_owned();
    let silent = agent.submit(&acts, &form).await;
    assert_eq!(silent.message(&format!("card.stop.{id}"), "reason"), "Напишите, почему");
    let stopped = agent
        .submit(&acts, &form.clone().with("reason", "Потеряла, звонила"))
        .await;
    stopped.assert_leads_to(&format!("{acts}?done=stopped"));
    let mut late = form.with("reason", "Ещё раз");
    for (name, value) in &mut late.fields {
        if name == "_key" {
            *value = crm::who::Token::random().secret().to_owned();
        }
    }
    let late = agent.submit(&acts, &late).await;
    late.assert_says("Эта карта уже заблокирована");
    let told = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    assert!(
        told.iter()
            .any(|m| m.template == "card_blocked" && m.address == anna.phone)
    );
    let taken = agent
        .send(&acts, "card.issue", &[("number", ""), ("reason", "Просит")])
        .await;
    assert!(!taken.message("card.issue", "number").is_empty());
    let views = anna.get("/profile/views").await.text();
    for words in ["Заблокирована ваша карта", "Причина: Потеряла, звонила"]
    {
        assert!(views.contains(words), "{words}: {views}");
    }
    // What an agent has no right to is refused however it is sent.
    for (form, fields) in [
        ("purchase.attach", &[("receipt", "ABCD2345"), ("reason", "Просит")][..]),
        ("export.begin", &[("reason", "Просит")]),
        ("erasure.begin", &[("agreed", "yes"), ("reason", "Просит")]),
    ] {
        let refused = agent.send(&acts, form, fields).await;
        assert!(refused.status.is_client_error(), "{form}: {}", refused.status);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM erasures").await, 0);
}

#[tokio::test]
async fn staff_take_a_receipt_off_and_give_it_to_whose_it_is() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 250_000).await;
    let mut boris = app.customer("Борис").await;
    app.execute("UPDATE purchases SET receipt_code = 'ABCD2345'").await;
    let klin = app.some_store().await.to_string();
    let mut lead = app.staff_as("lada", "lead").await;
    let card = card_of(&anna).await;
    let page = lead.get(&card).await;
    let receipt = link(&page, &format!("{card}/purchases/"));
    let page = lead.get(&receipt).await;
    let wrong = lead
        .submit(
            &receipt,
            &page
                .form("purchase.store")
                .with("store", "")
                .with("reason", "Ошибка кассы"),
        )
        .await;
    assert_eq!(wrong.message("purchase.store", "store"), "Выберите из списка");
    let set = lead
        .submit(
            &receipt,
            &page
                .form("purchase.store")
                .with("store", &klin)
                .with("reason", "Ошибка кассы"),
        )
        .await;
    set.assert_leads_to(&format!("{receipt}?done=store"));
    assert!(lead.get(&receipt).await.text().contains("Клин, Клин"));
    let silent = lead.submit(&receipt, &page.form("purchase.detach")).await;
    assert_eq!(silent.message("purchase.detach", "reason"), "Напишите, почему");
    let off = lead
        .submit(&receipt, &page.form("purchase.detach").with("reason", "Чужая карта"))
        .await;
    off.assert_leads_to(&format!("{card}/acts?done=detached"));
    assert!(!anna.get("/purchases").await.text().contains("A-1"));
    assert!(anna.get("/profile/views").await.text().contains("Причина: Чужая карта"));

    let acts = format!("{}/acts", card_of(&boris).await);
    let page = lead.get(&acts).await;
    let wrong = lead
        .submit(
            &acts,
            &page
                .form("purchase.attach")
                .with("receipt", "нет")
                .with("reason", "Показал чек"),
        )
        .await;
    assert!(
        wrong
            .message("purchase.attach", "receipt")
            .starts_with("Такого чека нет")
    );
    let form = page
        .form("purchase.attach")
        .with("receipt", "abcd 2345")
        .with("reason", "Показал чек");
    let added = lead.submit(&acts, &form).await;
    added.assert_leads_to(&format!("{acts}?done=attached"));
    app.assert_row("purchase.attach").await;
    assert!(boris.get("/profile/views").await.text().contains("Вам добавлен чек"));
    let own = "SELECT COUNT(*) FROM purchases p JOIN customers c ON c.id = p.customer_id WHERE c.name = 'Борис' AND p.document = 'A-1'";
    assert_eq!(app.count(own).await, 1);
    assert_eq!(points::verify(&app.world.db, &BY).await.expect("compared"), []);
}

#[tokio::test]
async fn a_receipt_is_put_right_after_staff_saw_what_that_comes_to() {
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    // What is bought yesterday was bought by a member.
    app.world.clock.set(app.world.db.now() + Duration::days(2));
    let mut anna = anna.with_purchase("A-1", "Чайник", 1_000_000).await;
    let mut lead = app.staff_as("lada", "lead").await;
    let card = card_of(&anna).await;
    let receipt = link(&lead.get(&card).await, &format!("{card}/purchases/"));
    let there = link(&lead.get(&receipt).await, &format!("{receipt}/correct"));
    let page = lead.get(&there).await;
    assert!(
        !page.body.contains("purchase.amend"),
        "not before it was told what changes"
    );
    let wrong = lead.get(&format!("{there}?line_1=2")).await;
    wrong.assert_says("не больше, чем осталось");
    assert!(!wrong.body.contains("purchase.amend"));
    let whole = lead.get(&format!("{there}?act=void")).await;
    whole.assert_says("Чек отменяется целиком");
    whole.assert_says("300");
    let one = format!("{there}?line_1=1");
    let form = lead.get(&one).await.form("purchase.amend");
    let silent = lead.submit(&one, &form).await;
    assert_eq!(silent.message("purchase.amend", "reason"), "Напишите, почему");
    silent.assert_says("Чайник");
    let other = form.clone().with("seen", "").with("reason", "Касса не пробила возврат");
    let stale = lead.submit(&one, &other).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", stale.text());
    stale.assert_says("Посмотрите ещё раз");

    let form = silent.form("purchase.amend").with("reason", "Касса не пробила возврат");
    let done = lead.submit(&one, &form).await;
    done.assert_leads_to(&format!("{receipt}?done=amended"));
    let page = lead.get(done.location()).await;
    page.assert_says("возврат, штук: 1");
    app.assert_row("purchase.return").await;
    let views = anna.get("/profile/views").await.text();
    for words in ["Записан возврат вашей покупки", "Касса не пробила возврат"]
    {
        assert!(views.contains(words), "{words}: {views}");
    }
    let told = crm::outbox::inbox(&app.world.db, 100).await.expect("the outbox");
    assert!(
        told.iter()
            .any(|m| m.template == "receipt_corrected" && m.address == anna.phone)
    );
    let beside = "SELECT COUNT(*) FROM purchases WHERE document = 'A-1~1' AND kind = 'return' AND total = -1000000";
    assert_eq!(app.count(beside).await, 1);
    lead.get(&format!("{there}?act=void"))
        .await
        .assert_says("Сначала отмените возвраты");
    // An agent has no right to it.
    let mut agent = app.staff_as("petrov", "agent").await;
    assert_eq!(agent.get(&there).await.status, StatusCode::FORBIDDEN);
    assert!(!agent.get(&receipt).await.body.contains(&there));
    assert_eq!(points::verify(&app.world.db, &BY).await.expect("compared"), []);
}

#[tokio::test]
async fn a_receipt_of_many_points_is_voided_with_the_consent_of_a_colleague() {
    const APPROVALS: &str = "/admin/approvals";
    const INBOX: &str = "/admin/inbox";
    let app = TestApp::new().await;
    let anna = app.customer("Анна").await;
    app.world.clock.set(app.world.db.now() + Duration::days(2));
    let anna = anna.with_purchase("A-1", "Сервиз", 10_000_000).await;
    let (mut lead, mut boss) = (
        app.staff_as("lada", "lead").await,
        app.staff_as("boss", "administrator").await,
    );
    let card = card_of(&anna).await;
    let receipt = link(&lead.get(&card).await, &format!("{card}/purchases/"));
    let void = format!("{receipt}/correct?act=void");
    for (form, done, outcome) in [
        ("receipt.refuse", "left", "boss: в исправлении чека A-1 отказано"),
        ("receipt.approve", "amended", "boss: исправление чека A-1 согласовано"),
    ] {
        let page = lead.get(&void).await;
        page.assert_says("нужно согласие коллеги");
        let sent = page.form("purchase.amend").with("reason", "Пробили дважды");
        let asked = lead.submit(&void, &sent).await;
        asked.assert_leads_to(&format!("{receipt}?done=asked"));
        lead.get(asked.location()).await.assert_says("Ждёт согласия");
        let waits = lead.get(&void).await;
        waits.assert_says("ждёт согласия коллеги");
        assert!(!waits.body.contains("purchase.amend"));
        let own = lead.get(APPROVALS).await;
        own.assert_says("Пробили дважды");
        assert!(
            !own.body.contains("receipt.approve"),
            "not by whoever asked: {}",
            own.text()
        );
        boss.get(INBOX)
            .await
            .assert_says("lada: нужно согласие на исправление чека A-1");
        let page = boss.get(APPROVALS).await;
        let decided = boss.submit(APPROVALS, &page.form(form)).await;
        decided.assert_leads_to(&format!("{APPROVALS}?done={done}"));
        let told = lead.get(INBOX).await;
        told.assert_says(outcome);
        assert!(told.body.contains(&format!("href=\"{receipt}\"")), "{}", told.body);
        let id = page.form(form).get("correction").expect("an id").to_owned();
        let late = boss.send(APPROVALS, form, &[("correction", &id)]).await;
        assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text());
        late.assert_says("уже решили");
        let void = "SELECT COUNT(*) FROM purchases WHERE voided_at IS NOT NULL";
        assert_eq!(app.count(void).await, i64::from(form == "receipt.approve"));
    }
    lead.get(&receipt).await.assert_says("Сделано");
    for action in ["purchase.ask", "purchase.refuse", "purchase.approve"] {
        app.assert_row(action).await;
    }
    assert_eq!(points::verify(&app.world.db, &BY).await.expect("compared"), []);
}

#[tokio::test]
async fn s12_the_way_back_without_a_phone_stands_on_one_page() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let added = anna
        .send(
            "/profile/contacts",
            "contact.add_email",
            &[("email", "anna@example.com")],
        )
        .await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text());
    let card = card_of(&anna).await;
    let (acts, recovery) = (format!("{card}/acts"), format!("{card}/recovery"));
    let mut lead = app.staff_as("lada", "lead").await;
    let page = lead.get(&recovery).await;
    for words in [
        "Потерян телефон",
        "Заблокируйте карту",
        "Подтверждённой почты нет",
        "Не включён",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let silent = lead.submit(&recovery, &page.form("customer.end_sessions")).await;
    assert_eq!(silent.message("customer.end_sessions", "reason"), "Напишите, почему");
    let form = lead.get(&acts).await.form("contact.confirm");
    let id = form.get("contact").expect("a contact").to_owned();
    let silent = lead.submit(&acts, &form).await;
    assert_eq!(
        silent.message(&format!("contact.confirm.{id}"), "reason"),
        "Напишите, почему"
    );
    let done = lead.submit(&acts, &form.with("reason", "Паспорт")).await;
    done.assert_leads_to(&format!("{acts}?done=confirmed"));
    assert!(!lead.get(&acts).await.body.contains("contact.confirm"));
    assert!(lead.get(&recovery).await.text().contains("Есть подтверждённая почта"));
    // Who they are was proved too long ago.
    app.world.clock.set(app.world.db.now() + Duration::minutes(16));
    let late = lead.send(&acts, "export.begin", &[("reason", "Просит")]).await;
    assert!(late.location().starts_with("/admin/confirm?next="), "{}", late.text());
    assert!(!lead.get(&acts).await.body.contains("export.begin"));
}

#[tokio::test]
async fn staff_correct_what_a_customer_tells_them_and_overwrite_nobody() {
    let mut town = Town::new().await;
    let acts = format!("{}/acts", card_of(&town.anna).await);
    let mut lead = town.app.staff_as("lada", "lead").await;
    let mut other = town.app.staff_as("olga", "lead").await;
    let mut agent = town.app.staff_as("agent_alone", "agent").await;
    for hidden in [
        "customer.correct",
        "questionnaire.note",
        "child.drop",
        "contact.enter_email",
    ] {
        assert!(!agent.get(&acts).await.body.contains(hidden), "{hidden}");
        assert!(lead.get(&acts).await.body.contains(hidden), "{hidden}");
    }
    // Two have the same form open.
    let form = lead.get(&acts).await.form("customer.correct");
    let late = other
        .get(&acts)
        .await
        .form("customer.correct")
        .with("reason", "Звонила");
    let silent = lead.submit(&acts, &form.clone().with("name", "1")).await;
    assert_eq!(silent.message("customer.correct", "reason"), "Напишите, почему");
    assert!(!silent.message("customer.correct", "name").is_empty());
    let right = form.with("name", "Анна-Мария").with("reason", "По паспорту");
    let done = lead.submit(&acts, &right).await;
    done.assert_leads_to(&format!("{acts}?done=corrected"));
    let stale = other.submit(&acts, &late.with("surname", "Другая")).await;
    assert!(stale.status.is_client_error(), "{}", stale.text());
    stale.assert_says("только что изменил кто-то другой");
    assert!(stale.text().contains("Сейчас записано: Анна-Мария"), "{}", stale.text());
    let count = "SELECT COUNT(*) FROM customers WHERE name = 'Анна-Мария' AND surname = 'Лебедева'";
    assert_eq!(town.app.count(count).await, 1, "nothing is overwritten");
    let fields = [("email", "lebedeva@example.com"), ("reason", "Продиктовала")];
    let entered = lead.send(&acts, "contact.enter_email", &fields).await;
    entered.assert_leads_to(&format!("{acts}?done=entered"));
    let child = lead.get(&acts).await.form("child.drop").with("reason", "Ошиблась");
    let child = lead.submit(&acts, &child).await;
    child.assert_leads_to(&format!("{acts}?done=child"));
    // She reads what and why, an auditor what it was; the history has it among the changes.
    let views = town.anna.get("/profile/views").await.text();
    for words in [
        "Исправлены ваши данные",
        "Изменено: имя",
        "Причина: По паспорту",
        "Добавлен ваш контакт",
        "lebedeva@example.com",
        "Удалён день рождения вашего ребёнка",
    ] {
        assert!(views.contains(words), "{words}: {views}");
    }
    let log = town
        .app
        .staff_as("chief", "administrator")
        .await
        .get("/admin/audit")
        .await
        .text();
    assert!(log.contains("По паспорту; Имя: «Анна» → «Анна-Мария»"), "{log}");
    let card = format!("{}?kind=changes", card_of(&town.anna).await);
    let history = lead.get(&card).await.text();
    assert!(history.contains("Сотрудник исправил данные покупателя"), "{history}");
}

#[tokio::test]
async fn staff_begin_what_a_customer_asks_of_their_data_and_the_customer_calls_it_off() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let acts = format!("{}/acts", card_of(&anna).await);
    let mut lead = app.staff_as("lada", "lead").await;
    let asked = lead
        .send(&acts, "export.begin", &[("reason", "Письмо от 20 ноября")])
        .await;
    asked.assert_leads_to(&format!("{acts}?done=exporting"));
    let unsure = lead.send(&acts, "erasure.begin", &[("reason", "Письмо")]).await;
    assert!(!unsure.message("erasure.begin", "agreed").is_empty());
    let fields = [("agreed", "yes"), ("reason", "Письмо от 20 ноября")];
    let begun = lead.send(&acts, "erasure.begin", &fields).await;
    begun.assert_leads_to(&format!("{acts}?done=erasing"));
    assert!(
        lead.get(&acts)
            .await
            .text()
            .contains("Отменить может только покупатель")
    );
    assert!(anna.get("/").await.text().contains("Ваши данные удалятся"));
    let views = anna.get("/profile/views").await.text();
    for words in [
        "назначено удаление ваших данных",
        "собираются ваши данные",
        "Причина: Письмо от 20 ноября",
    ] {
        assert!(views.contains(words), "{words}: {views}");
    }
    let back = anna.get("/").await.form("erasure.cancel");
    let kept = anna.submit("/profile/erase", &back).await;
    kept.assert_leads_to("/profile/erase?done=cancelled");
}

#[tokio::test]
async fn staff_write_to_a_customer_who_asked_nothing() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff("petrov").await;
    let card = card_of(&anna).await;
    let acts = format!("{card}/acts");
    assert!(agent.get(&card).await.body.contains(&format!("href=\"{acts}#write\"")));
    let empty = agent
        .send(&acts, "request.begin", &[("topic", ""), ("text", " ")])
        .await;
    assert_eq!(empty.message("request.begin", "text"), "Напишите сообщение");
    assert!(!empty.message("request.begin", "topic").is_empty());
    let sent = [("topic", "other"), ("text", "Это ваша покупка?")];
    let written = agent.send(&acts, "request.begin", &sent).await;
    let number = written
        .location()
        .strip_prefix("/admin/requests/")
        .expect("a request")
        .to_owned();
    assert!(agent.get(written.location()).await.text().contains("Это ваша покупка?"));
    let at = format!("/support/{number}");
    let told = anna.get("/notifications").await.text().replace('\u{a0}', " ");
    assert!(
        told.contains("Магазин написал вам: Другое, обращение № ") && !told.contains("Есть ответ"),
        "nobody answered: {told}"
    );
    assert!(anna.get(&at).await.text().contains("Это ваша покупка?"));
    let said = anna.send(&at, "request.answer", &[("text", "Да, моя")]).await;
    assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text());
    assert!(anna.get("/profile/views").await.text().contains("Магазин написал вам"));
    // Who may not answer requests begins none.
    let mut marketer = app.staff_as("mara", "marketer").await;
    let refused = marketer.send(&acts, "request.begin", &sent).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
}

#[tokio::test]
async fn staff_write_down_what_a_caller_says() {
    const FORM: &str = "request.take_down";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 150_000).await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let card = card_of(&anna).await;
    let acts = format!("{card}/acts");
    assert!(
        agent
            .get(&card)
            .await
            .body
            .contains(&format!("href=\"{acts}#take-down\""))
    );
    let blank = agent.get(&acts).await.form(FORM);
    assert_eq!(blank.get("channel"), Some("call_in"), "mostly somebody calls");

    let wrong = [
        ("topic", ""),
        ("text", " "),
        ("purchase", "nothing"),
        ("channel", "pigeon"),
    ];
    let wrong = agent.send(&acts, FORM, &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message(FORM, "text"), "Запишите, что говорит покупатель");
    for field in ["topic", "purchase", "channel"] {
        assert!(!wrong.message(FORM, field).is_empty(), "{field}");
    }
    // Nobody can write about what is closed, and so it is not written down either.
    app.execute("UPDATE topics SET closed_at = '2026-01-01T00:00:00+00:00' WHERE code = 'other'")
        .await;
    let closed = [
        ("topic", "other"),
        ("text", "Где карта?"),
        ("purchase", ""),
        ("channel", "call_in"),
    ];
    let closed = agent.send(&acts, FORM, &closed).await;
    assert_eq!(closed.message(FORM, "topic"), "Выберите из списка");
    assert_eq!(app.count("SELECT COUNT(*) FROM requests").await, 0);

    let receipt = app.text("SELECT lower(hex(id)) FROM purchases").await;
    let receipt: crm::id::PurchaseId = receipt.parse().expect("an id");
    let receipt = receipt.to_string();
    let sent = [
        ("topic", "card"),
        ("text", "Карта <b>не читается</b>"),
        ("purchase", receipt.as_str()),
        ("channel", "visit"),
    ];
    let written = agent.send(&acts, FORM, &sent).await;
    let number = written
        .location()
        .strip_prefix("/admin/requests/")
        .and_then(|rest| rest.strip_suffix("?done=taken"))
        .expect("a request")
        .to_owned();
    app.assert_row(FORM).await;
    let page = agent.get(written.location()).await;
    page.assert_says("Обращение записано");
    page.assert_says("Записано со слов покупателя. Визит, сотрудник:");
    page.assert_says("Карта <b>не читается</b>");
    assert!(!page.body.contains("<b>не читается"), "it is text");
    assert!(page.words().contains("О чеке № A-1"), "{}", page.words());

    let told = anna.get("/notifications").await;
    assert!(
        told.words()
            .contains(&format!("Записали с ваших слов: обращение № {number}")),
        "{}",
        told.words()
    );
    let at = format!("/support/{number}");
    let list = anna.get("/support").await;
    assert!(list.body.contains(&format!("href=\"{at}\"")), "{}", list.body);
    let seen = anna.get(&at).await;
    seen.assert_says("Сотрудник записал с ваших слов, когда вы приходили");
    seen.assert_says("Карта <b>не читается</b>");
    anna.get("/profile/views")
        .await
        .assert_says("Записали обращение с ваших слов");
    // It goes on as one of her own.
    let said = anna.send(&at, "request.answer", &[("text", "И не проводится")]).await;
    assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text());
    let seen = anna.get(&at).await.text();
    assert_eq!(
        seen.matches("Сотрудник записал").count(),
        1,
        "the rest she wrote: {seen}"
    );

    // Who may not answer requests writes none down.
    let mut marketer = app.staff_as("mara", "marketer").await;
    let refused = marketer.send(&acts, FORM, &sent).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    assert_eq!(app.count("SELECT COUNT(*) FROM requests").await, 1);
}
