//! Staff as colleagues look after them, roles of the shop's own, and the audit log.

use crate::common::html::{forms, tags};
use crate::common::{BY, Browser, PASSWORD, Reply, TestApp, Town};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const VERA: [(&str, &str); 4] = [
    ("login", "Vera.K"),
    ("name", "Вера Котова"),
    ("email", "vera@example.com"),
    ("role", "agent"),
];

/// Where a form led, without what was done.
fn page_of(reply: &Reply) -> String {
    reply.location().split('?').next().unwrap_or_default().to_owned()
}

/// The path of the link that a page shows.
fn link(page: &Reply) -> Option<String> {
    let at = page.body.find("/admin/join/")?;
    page.body[at..].split('<').next().map(str::to_owned)
}

/// The page of a member of staff.
async fn page_of_member(app: &TestApp, login: &'static str) -> String {
    let mut conn = app.world.db.read().await.expect("a connection");
    let account = crm::staff::store::by_login(&mut conn, login).await.expect("read");
    format!("/admin/staff/{}", account.expect("there").id)
}

async fn invited(staff: &mut Browser) -> (String, String) {
    let sent = staff.send("/admin/staff", "staff.invite", &VERA).await;
    let at = page_of(&sent);
    assert!(at.starts_with("/admin/staff/"), "{}", sent.text());
    let link = link(&staff.get(&at).await).expect("the link is shown");
    (at, link)
}

#[tokio::test]
async fn somebody_is_invited_chooses_a_password_and_sets_up_the_second_step() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let (at, link) = invited(&mut admin).await;
    assert!(!admin.get(&at).await.body.contains("/admin/join/"), "it is shown once");
    assert!(admin.get("/admin/staff").await.text().contains("Приглашён"));
    let sent = app
        .text("SELECT body FROM outbox WHERE template = 'staff_invited'")
        .await;
    assert!(sent.contains(&link), "{sent}");

    let mut vera = app.anybody();
    assert!(vera.get(&link).await.text().contains("Придумайте пароль"));
    let weak = vera.send(&link, "staff.join", &[("password", "vera.k vera.k")]).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let joined = vera.send(&link, "staff.join", &[("password", PASSWORD)]).await;
    joined.assert_leads_to("/admin/sign-in/setup");
    let setup = vera.get("/admin/sign-in/setup").await;
    assert!(setup.text().contains("Защитите вход"), "never in by a password alone");
    assert_eq!(
        vera.get("/admin/requests").await.location(),
        "/admin/sign-in?next=/admin/requests"
    );
    // Whoever finds the link later is told.
    let again = app.anybody().send(&link, "staff.join", &[("password", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", again.text());
    assert!(again.text().contains("Ссылка уже сработала или устарела"));
    assert!(admin.get(&at).await.text().contains("Работает"));
}

/// The path of the link in a mail.
fn mailed(body: &str) -> String {
    let at = body.find("/admin/join/").expect("a link");
    body[at..].split_whitespace().next().expect("its end").to_owned()
}

#[tokio::test]
async fn s06_a_colleague_who_forgot_the_password_chooses_another_by_a_link() {
    const NEW_PASSWORD: &str = "корова летит над луной";
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let id = app.employ_as("vera", "agent").await;
    let given = crm::factor::store::give_totp(&app.world.db, &BY, id).await;
    let secret = given.expect("a second factor");
    let mut vera = app.enter("vera", &secret).await;
    let at = format!("/admin/staff/{id}");
    // Nobody knows where it would go.
    let page = admin.get(&at).await;
    page.assert_says("сначала укажите почту");
    assert!(!page.body.contains("staff.password_link"));
    let reason = [("reason", "Забыла пароль")];
    let nowhere = admin.send(&at, "staff.password_link", &reason).await;
    assert_eq!(nowhere.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", nowhere.text());
    let form = page.form("staff.change").with("email", "vera@example.com");
    let told = admin.submit(&at, &form).await;
    told.assert_leads_to(&format!("{at}?done=changed"));
    let none = admin.send(&at, "staff.password_link", &[("reason", " ")]).await;
    assert_eq!(none.message("staff.password_link", "reason"), "Напишите, почему");

    let sent = admin.send(&at, "staff.password_link", &reason).await;
    sent.assert_leads_to(&format!("{at}?done=password"));
    let page = admin.get(sent.location()).await;
    page.assert_says("Ссылка для нового пароля отправлена");
    page.assert_says("Ссылка для пароля действует до");
    assert!(!page.body.contains("/admin/join/"), "it goes to her alone");
    let mail = "SELECT body FROM outbox WHERE template = 'staff_password' AND address = 'vera@example.com'";
    let link = mailed(&app.text(mail).await);
    assert_eq!(vera.get("/admin/requests").await.status, StatusCode::OK, "nothing yet");

    let mut elsewhere = app.anybody();
    elsewhere.get(&link).await.assert_says("Придумайте пароль");
    let weak = elsewhere.send(&link, "staff.join", &[("password", "123")]).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let chosen = elsewhere.send(&link, "staff.join", &[("password", NEW_PASSWORD)]).await;
    chosen.assert_leads_to("/admin/sign-in/second");
    let to_sign_in = "/admin/sign-in?next=/admin/requests";
    for browser in [&mut vera, &mut elsewhere] {
        assert_eq!(browser.get("/admin/requests").await.location(), to_sign_in);
    }
    let twice = app.anybody().send(&link, "staff.join", &[("password", PASSWORD)]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    twice.assert_says("Ссылка уже сработала или устарела");
    let old = [("login", "vera"), ("password", PASSWORD)];
    let refused = app.anybody().send("/admin/sign-in", "staff.sign_in", &old).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    // The next code of the app has not been used yet.
    app.world.clock.set(app.world.db.now() + Duration::minutes(1));
    let code = secret.code(app.world.db.now());
    let code = [("code", code.as_str())];
    let entered = elsewhere.send("/admin/sign-in/second", "staff.second", &code).await;
    entered.assert_leads_to("/admin");
    let rows = "SELECT COUNT(*) FROM audit WHERE action IN ('staff.password_link', 'staff.reset_password') \
                AND actor = 'staff' AND reason IN ('Забыла пароль', '')";
    assert_eq!(app.count(rows).await, 2);
}

#[tokio::test]
async fn s06_a_link_for_another_password_grows_old() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let id = app.employ_as("vera", "agent").await;
    let at = format!("/admin/staff/{id}");
    let form = admin
        .get(&at)
        .await
        .form("staff.change")
        .with("email", "vera@example.com");
    admin.submit(&at, &form).await;
    admin.send(&at, "staff.password_link", &[("reason", "Забыла")]).await;
    let mail = "SELECT body FROM outbox WHERE template = 'staff_password'";
    let link = mailed(&app.text(mail).await);
    app.world.clock.set(app.world.db.now() + Duration::days(3));
    let late = app.anybody().send(&link, "staff.join", &[("password", PASSWORD)]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Ссылка уже сработала или устарела");
}

#[tokio::test]
async fn the_name_and_email_of_a_colleague_are_changed_and_the_log_keeps_what_they_were() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let (at, link) = invited(&mut admin).await;
    let form = admin.get(&at).await.form("staff.change");
    for (name, value) in [("name", "<b>"), ("name", ""), ("email", "vera@")] {
        let seen = form.get("seen").expect("a field").to_owned();
        let sent = [("seen", seen.as_str()), ("name", "Вера"), ("email", "v@example.com")];
        let sent = sent.map(|(field, right)| (field, if field == name { value } else { right }));
        let reply = admin.send(&at, "staff.change", &sent).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} = {value}");
        assert!(!reply.message("staff.change", name).is_empty(), "{name} = {value}");
    }
    let form = form.with("name", "Вера Лис").with("email", "lis@example.com");
    let changed = admin.submit(&at, &form).await;
    changed.assert_leads_to(&format!("{at}?done=changed"));
    let page = admin.get(changed.location()).await;
    for words in [
        "Имя и почта сохранены",
        "Вера Лис",
        "lis@example.com",
        "Приглашение устарело",
    ] {
        page.assert_says(words);
    }
    let told = app.text("SELECT reason FROM audit WHERE action = 'staff.change'").await;
    assert!(
        told.contains("Вера Котова") && told.contains("vera@example.com"),
        "{told}"
    );
    // What went to the old address opens nothing.
    let dead = app.anybody().send(&link, "staff.join", &[("password", PASSWORD)]).await;
    assert_eq!(dead.status, StatusCode::UNPROCESSABLE_ENTITY);
    admin.send(&at, "staff.invite_again", &[]).await;
    let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_invited' AND address = 'lis@example.com'";
    assert_eq!(app.count(sent).await, 1);
}

#[tokio::test]
async fn s14_one_session_of_a_colleague_is_ended_and_the_others_go_on() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let id = app.employ_as("vera", "agent").await;
    let at = format!("/admin/staff/{id}");
    admin.get(&at).await.assert_says("Сейчас нигде");
    let given = crm::factor::store::give_totp(&app.world.db, &BY, id).await;
    let secret = given.expect("a second factor");
    let mut kept = app.enter("vera", &secret).await;
    app.world.clock.set(app.world.db.now() + Duration::minutes(1));
    let mut lost = app.enter("vera", &secret).await;
    let page = admin.get(&at).await;
    let count = |page: &Reply| {
        forms(&page.body)
            .iter()
            .filter(|one| one.name == "staff.end_one")
            .count()
    };
    assert_eq!(count(&page), 2);
    page.assert_says("Сеть 10.");
    // The last seen stands first.
    let session = page.form("staff.end_one").get("session").expect("a field").to_owned();
    let right = [("session", session.as_str()), ("reason", "Чужой телефон")];
    let none = admin
        .send(&at, "staff.end_one", &[("session", session.as_str()), ("reason", " ")])
        .await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    none.assert_says("Напишите, почему");
    assert_eq!(lost.get("/admin/requests").await.status, StatusCode::OK);
    let ended = admin.send(&at, "staff.end_one", &right).await;
    ended.assert_leads_to(&format!("{at}?done=one"));
    assert_eq!(
        lost.get("/admin/requests").await.location(),
        "/admin/sign-in?next=/admin/requests"
    );
    assert_eq!(kept.get("/admin/requests").await.status, StatusCode::OK);
    assert_eq!(count(&admin.get(&at).await), 1);
    let late = admin.send(&at, "staff.end_one", &right).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("здесь всё изменилось");
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'staff.end_session' AND reason = 'Чужой телефон'";
    assert_eq!(app.count(rows).await, 1);
    // Long after the proof of who asks the sessions are shown, and none can be ended.
    app.world.clock.set(app.world.db.now() + Duration::minutes(20));
    let page = admin.get(&at).await;
    page.assert_says("Сеть 10.");
    assert_eq!(count(&page), 0);
}

#[tokio::test]
async fn what_is_wrong_with_an_invitation_is_said_at_its_field() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    for (name, value) in [
        ("login", ""),
        ("login", "admin"),
        ("login", "a b"),
        ("name", "<b>"),
        ("email", "vera@"),
        ("role", "nobody"),
    ] {
        let sent = VERA.map(|(field, right)| (field, if field == name { value } else { right }));
        let reply = admin.send("/admin/staff", "staff.invite", &sent).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} = {value}");
        assert!(!reply.message("staff.invite", name).is_empty(), "{name} = {value}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM staff").await, 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE template = 'staff_invited'")
            .await,
        0
    );
}

#[tokio::test]
async fn s14_somebody_is_shut_out_at_once_with_a_reason_and_let_in_again() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let mut vera = app.staff_as("vera", "agent").await;
    let at = page_of_member(&app, "vera").await;
    let none = admin.send(&at, "staff.disable", &[("reason", " ")]).await;
    assert_eq!(none.message("staff.disable", "reason"), "Напишите, почему");
    assert_eq!(vera.get("/admin/requests").await.status, StatusCode::OK);
    for (form, done) in [
        ("staff.end_all", "ended"),
        ("staff.reset_factors", "reset"),
        ("staff.disable", "disabled"),
    ] {
        let sent = admin.send(&at, form, &[("reason", "Потеряла телефон")]).await;
        sent.assert_leads_to(&format!("{at}?done={done}"));
        assert_eq!(
            vera.get("/admin/requests").await.location(),
            "/admin/sign-in?next=/admin/requests",
            "{form}"
        );
    }
    let page = admin.get(&at).await;
    assert!(page.text().contains("Доступ закрыт") && !page.body.contains("staff.disable"));
    let sign_in = [("login", "vera"), ("password", PASSWORD)];
    let refused = app.anybody().send("/admin/sign-in", "staff.sign_in", &sign_in).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let late = admin.send(&at, "staff.disable", &[("reason", "Ещё раз")]).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("здесь всё изменилось");
    admin.send(&at, "staff.enable", &[]).await;
    let entered = app.anybody().send("/admin/sign-in", "staff.sign_in", &sign_in).await;
    assert_eq!(entered.location(), "/admin/sign-in/setup", "her second step was reset");
    let rows = "SELECT COUNT(*) FROM audit WHERE reason = 'Потеряла телефон' AND actor = 'staff'";
    assert_eq!(app.count(rows).await, 3);
}

/// What somebody had open who is shut out is not theirs for ever.
#[tokio::test]
async fn what_somebody_who_is_shut_out_had_open_is_given_back() {
    let town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut vera = town.app.staff_as("vera", "agent").await;
    let mut admin = town.app.staff("admin").await;
    let form = vera.get(&desk).await.form("request.assign");
    let from = form.get("from").expect("a field").to_owned();
    let taken = vera.send(&desk, "request.assign", &[("from", from.as_str())]).await;
    taken.assert_leads_to(&format!("{desk}?done=assigned"));
    let at = page_of_member(&town.app, "vera").await;
    let page = admin.get(&at).await;
    assert!(!page.body.contains("staff.hand_back"), "they work here");
    let early = admin.send(&at, "staff.hand_back", &[]).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", early.text());

    admin.send(&at, "staff.disable", &[("reason", "Уволилась")]).await;
    let page = admin.get(&at).await;
    page.assert_says("1 открытое обращение");
    let back = admin.send(&at, "staff.hand_back", &[]).await;
    back.assert_leads_to(&format!("{at}?done=handed"));
    let theirs = "SELECT COUNT(*) FROM requests WHERE status <> 'closed' \
                  AND assignee_id = (SELECT id FROM staff WHERE login = 'vera')";
    assert_eq!(town.app.count(theirs).await, 0);
    let rows = "SELECT COUNT(*) FROM audit WHERE action IN ('staff.hand_back', 'request.unassign') AND actor = 'staff'";
    assert_eq!(town.app.count(rows).await, 2);
    assert!(
        !admin.get(&at).await.body.contains("staff.hand_back"),
        "nothing is left"
    );
}

/// The same goes to a colleague in one go.
#[tokio::test]
async fn what_somebody_who_is_shut_out_had_open_is_handed_over() {
    let town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let card = format!("/admin/customers/{}", town.anna.id().await);
    town.app
        .execute(
            "INSERT INTO roles (code, name, rights, position) VALUES \
             ('keeper', '{\"ru\": \"К\", \"en\": \"K\"}', '[\"staff\"]', 8)",
        )
        .await;
    let mut vera = town.app.staff_as("vera", "agent").await;
    let mut petra = town.app.staff_as("petra", "agent").await;
    let mut keeper = town.app.staff_as("keeper", "keeper").await;
    let mut admin = town.app.staff("admin").await;
    let form = vera.get(&desk).await.form("request.assign");
    let from = form.get("from").expect("a field").to_owned();
    vera.send(&desk, "request.assign", &[("from", from.as_str())]).await;
    let task = vera.get(&card).await.form("task.add").with("title", "Перезвонить");
    let added = vera.submit(&card, &task).await;
    added.assert_leads_to(&format!("{card}?done=task_added"));

    let at = page_of_member(&town.app, "vera").await;
    let page = admin.get(&at).await;
    page.assert_says("Сейчас за этим сотрудником: 1 открытое обращение, 1 открытое дело.");
    assert!(!page.body.contains("staff.hand_over"), "they work here");
    let to = page_of_member(&town.app, "petra").await.replace("/admin/staff/", "");
    let early = admin.send(&at, "staff.hand_over", &[("to", to.as_str())]).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", early.text());

    admin.send(&at, "staff.disable", &[("reason", "Уволилась")]).await;
    let none = admin.send(&at, "staff.hand_over", &[("to", "")]).await;
    assert_eq!(none.message("staff.hand_over", "to"), "Выберите из списка");
    let gone = at.replace("/admin/staff/", "");
    let page = admin.get(&at).await;
    assert!(page.body.contains(&format!("value=\"{to}\"")), "{}", page.body);
    assert!(!page.body.contains(&format!("value=\"{gone}\"")), "not to whom it is");
    // Where it would be handed over one by one are theirs, by their name.
    let list = format!("/admin/tasks?tab=all&of={gone}");
    assert!(
        tags(&page.body)
            .iter()
            .any(|tag| tag.get("href") == Some(list.as_str()))
    );
    let theirs = admin.get(&list).await;
    theirs.assert_says("Перезвонить");
    theirs.assert_says("Дела: vera");
    // Who may not hand over one by one may not hand over all.
    let page = keeper.get(&at).await;
    page.assert_says("1 открытое дело");
    assert!(!page.body.contains("staff.hand_over"), "{}", page.body);
    let refused = keeper.send(&at, "staff.hand_over", &[("to", to.as_str())]).await;
    refused.assert_says("Этого сделать нельзя");

    let over = admin.send(&at, "staff.hand_over", &[("to", to.as_str())]).await;
    let result = format!("{at}?done=handed_over&to={to}&tasks=1&requests=1");
    over.assert_leads_to(&result);
    let page = admin.get(&result).await;
    page.assert_says("Передано: 1 открытое обращение, 1 открытое дело.");
    assert!(!page.body.contains("staff.hand_over"), "nothing is left");
    for list in [
        format!("/admin/tasks?tab=all&of={to}"),
        format!("/admin/requests?assignee={to}"),
    ] {
        let leads = tags(&page.body)
            .iter()
            .any(|tag| tag.get("href") == Some(list.as_str()));
        assert!(leads, "{list}: {}", page.body);
    }
    petra.get("/admin/tasks").await.assert_says("Перезвонить");
    let theirs = "SELECT COUNT(*) FROM requests WHERE assignee_id = (SELECT id FROM staff WHERE login = 'petra')";
    assert_eq!(town.app.count(theirs).await, 1);
    admin.get(&card).await.assert_says("Дело передано или перенесено");
    let log = admin.get("/admin/audit?action=staff.hand_over").await;
    for words in [
        "Открытые дела и обращения сотрудника переданы коллеге",
        "1 дело → petra",
        "1 обращение → petra",
    ] {
        log.assert_says(words);
    }
}

#[tokio::test]
async fn s17_nobody_changes_themselves_or_who_may_do_more_and_the_page_says_why() {
    let app = TestApp::new().await;
    app.execute(
        "INSERT INTO roles (code, name, rights, position) VALUES \
         ('keeper', '{\"ru\": \"К\", \"en\": \"K\"}', '[\"staff\", \"requests\"]', 8)",
    )
    .await;
    let mut admin = app.staff("admin").await;
    let mut keeper = app.staff_as("keeper", "keeper").await;
    let own = page_of_member(&app, "admin").await;
    let reason = [
        ("reason", "x"),
        ("role", "agent"),
        ("seen", "administrator"),
        ("session", "00000000-0000-0000-0000-000000000000"),
    ];
    let details = [
        ("seen", "{\"name\":\"admin\",\"email\":null}"),
        ("name", "Аня"),
        ("email", "anna@example.com"),
    ];
    for (who, words) in [(&mut admin, "Это вы."), (&mut keeper, "есть права, которых нет у вас")]
    {
        let page = who.get(&own).await;
        page.assert_says(words);
        for form in [
            "staff.disable",
            "staff.set_role",
            "staff.end_all",
            "staff.reset_factors",
            "staff.enable",
            "staff.password_link",
            "staff.end_one",
            "staff.change",
        ] {
            assert!(!page.body.contains(form), "{form}");
            let fields = if form == "staff.change" {
                &details[..]
            } else {
                &reason[..]
            };
            let refused = who.send(&own, form, fields).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
            refused.assert_says("Этого сделать нельзя");
        }
    }
    // Who gives a role is offered those that they may give.
    let page = keeper.get("/admin/staff").await;
    assert!(page.body.contains("value=\"keeper\"") && !page.body.contains("value=\"administrator\""));
    let mut agent = app.staff_as("agent", "agent").await;
    for at in [
        "/admin/staff",
        own.as_str(),
        "/admin/roles",
        "/admin/audit",
        "/admin/audit.csv",
    ] {
        assert_eq!(agent.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
}

#[tokio::test]
async fn s15_staff_and_roles_are_changed_by_who_proved_moments_ago_who_they_are() {
    let mut town = Town::new().await;
    let at = town.path("/admin/staff/{id}").await.expect("a sample");
    town.app
        .world
        .clock
        .set(town.app.world.db.now() + Duration::minutes(20));
    let before = town.app.everything(&["sessions"]).await;
    let sent = [
        ("reason", "x"),
        ("role", "lead"),
        ("key", "x1"),
        ("name_ru", "К"),
        ("name_en", "K"),
        ("rights[]", "help"),
        ("seen", "agent"),
        ("session", "00000000-0000-0000-0000-000000000000"),
    ];
    for (at, forms) in [
        ("/admin/staff", &["staff.invite"][..]),
        (
            at.as_str(),
            &[
                "staff.set_role",
                "staff.disable",
                "staff.end_all",
                "staff.reset_factors",
                "staff.enable",
                "staff.invite_again",
                "staff.change",
                "staff.password_link",
                "staff.end_one",
            ],
        ),
        ("/admin/roles", &["role.add", "role.change", "role.remove"]),
    ] {
        for form in forms {
            let sent = [&sent[..], &VERA[..3]].concat();
            let reply = town.agent.send(at, form, &sent).await;
            assert!(
                reply.location().starts_with("/admin/confirm"),
                "{form}: {} {}",
                reply.status,
                reply.text()
            );
        }
    }
    assert_eq!(town.app.everything(&["sessions"]).await, before, "nothing changed");
}

#[tokio::test]
async fn a_role_of_the_shops_own_is_made_changed_at_once_and_removed() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    let role = [
        ("key", "Cashier"),
        ("name_ru", "Кассир"),
        ("name_en", "Cashier"),
        ("rights[]", "requests"),
    ];
    let none = admin.send("/admin/roles", "role.add", &role[..3]).await;
    assert_eq!(none.message("role.add", "rights"), "Заполните это поле");
    let added = admin.send("/admin/roles", "role.add", &role).await;
    added.assert_leads_to("/admin/roles?done=added");
    let mut vera = app.staff_as("vera", "cashier").await;
    assert_eq!(vera.get("/admin/requests").await.status, StatusCode::OK);
    let seen = admin.get("/admin/roles").await.form("role.change");
    let seen = seen.get("seen").expect("a field").to_owned();
    let changed = [
        ("seen", seen.as_str()),
        ("role", "cashier"),
        ("name_ru", "Кассир"),
        ("name_en", "Cashier"),
        ("rights[]", "tills"),
    ];
    let saved = admin.send("/admin/roles", "role.change", &changed).await;
    saved.assert_leads_to("/admin/roles?done=saved");
    assert_eq!(
        vera.get("/admin/requests").await.status,
        StatusCode::FORBIDDEN,
        "in the same session"
    );
    assert_eq!(vera.get("/admin/tills").await.status, StatusCode::OK);
    let kept = admin.send("/admin/roles", "role.remove", &[("role", "cashier")]).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY);
    kept.assert_says("Роль у кого-то есть");
    for built_in in ["agent", "administrator"] {
        let changed = [
            ("seen", seen.as_str()),
            ("role", built_in),
            ("name_ru", "К"),
            ("name_en", "K"),
            ("rights[]", "tills"),
        ];
        let refused = admin.send("/admin/roles", "role.change", &changed).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{built_in}");
    }
    let at = page_of_member(&app, "vera").await;
    let moved = [("seen", "cashier"), ("role", "agent"), ("reason", "Теперь в поддержке")];
    assert_eq!(
        admin.send(&at, "staff.set_role", &moved).await.location(),
        format!("{at}?done=role")
    );
    let removed = admin.send("/admin/roles", "role.remove", &[("role", "cashier")]).await;
    removed.assert_leads_to("/admin/roles?done=removed");
    assert_eq!(app.count("SELECT COUNT(*) FROM roles WHERE code = 'cashier'").await, 0);
}

#[tokio::test]
async fn s23_from_a_customers_card_their_log_is_one_link_away() {
    let mut town = Town::new().await;
    let (anna, boris) = (town.anna.id().await.to_string(), town.boris.id().await.to_string());
    let card = format!("/admin/customers/{anna}");
    let log = format!("/admin/audit?customer={anna}");
    town.agent.get(&format!("/admin/customers/{boris}")).await;
    let page = town.agent.get(&card).await;
    assert!(page.body.contains(&format!("href=\"{log}\"")), "{}", page.text());
    let shown = town.agent.get(&log).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.form("audit.find").get("customer"), Some(anna.as_str()));
    shown.assert_says("customer.read");
    assert!(shown.body.contains(&format!("title=\"{anna}\"")), "{}", shown.text());
    assert!(!shown.body.contains(&boris), "of nobody else");
    // Whoever may not read the log is not led there.
    let mut agent = town.app.staff_as("petrov", "agent").await;
    assert!(!agent.get(&card).await.body.contains("/admin/audit"));
}

#[tokio::test]
async fn s23_the_log_is_narrowed_and_saved_and_both_are_rows() {
    let mut town = Town::new().await;
    let anna = town.anna.id().await;
    let card = format!("/admin/customers/{anna}");
    town.agent.get(&card).await;
    town.app.world.clock.set(start() + Duration::minutes(2));
    let customer = anna.to_string();
    let asked = [
        ("by", "staff"),
        ("action", "customer.read"),
        ("customer", customer.as_str()),
        ("object", ""),
        ("from", "2026-11-21"),
        ("to", "2026-11-21"),
    ];
    let found = town.agent.send("/admin/audit", "audit.find", &asked).await;
    let at = found.location().to_owned();
    assert!(at.starts_with("/admin/audit?action=customer.read"), "{at}");
    let page = town.agent.get(&at).await;
    let shown = page.text();
    assert!(shown.contains("customer.read") && shown.contains("agent"), "{shown}");
    assert!(
        page.body.contains(&format!("value=\"{customer}\"")),
        "what was asked for stays"
    );
    let read = "SELECT COUNT(*) FROM audit WHERE action = 'audit.read' AND customer_id IS NOT NULL AND actor = 'staff'";
    assert_eq!(town.app.count(read).await, 1);

    let file = town.agent.get(&at.replace("/admin/audit?", "/admin/audit.csv?")).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.header("content-disposition").contains("audit-2026-11-21.csv"));
    let lines: Vec<&str> = file.body.lines().collect();
    assert!(
        lines.len() > 1 && lines[1..].iter().all(|line| line.contains(";customer.read;")),
        "{lines:?}"
    );
    let saved = "SELECT COUNT(*) FROM audit WHERE action = 'audit.export' AND customer_id IS NOT NULL";
    assert_eq!(town.app.count(saved).await, 1);
    // Whose it is reads that it was looked at.
    let looks = town.anna.get("/profile/views").await.text();
    assert!(looks.contains("Просмотрен журнал действий с вашими данными"), "{looks}");

    // So much in one file takes a fresh proof.
    town.app.world.clock.set(start() + Duration::minutes(16));
    let late = town.agent.get(&at).await;
    assert!(!late.body.contains("/admin/audit.csv"), "{}", late.text());
    assert!(late.body.contains("href=\"/admin/confirm?next="), "{}", late.text());
    let file = town.agent.get(&at.replace("/admin/audit?", "/admin/audit.csv?")).await;
    assert!(file.location().starts_with("/admin/confirm"), "{}", file.body);
    assert_eq!(town.app.count(saved).await, 1);
    town.app.world.clock.set(start() + Duration::minutes(3));

    // What cannot be read is said, and nothing is shown in its place.
    for broken in ["customer=12", "object=x", "by=nobody", "from=2026-02-31"] {
        let page = town.agent.get(&format!("/admin/audit?{broken}")).await;
        assert!(page.text().contains("Не получилось прочитать отбор"), "{broken}");
        let file = town.agent.get(&format!("/admin/audit.csv?{broken}")).await;
        assert_eq!(file.status, StatusCode::NOT_FOUND, "{broken}");
    }
}

#[tokio::test]
async fn s23_the_log_tells_in_words_what_was_done_and_why() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    for (second, page) in (0..).zip([
        "/admin/staff",
        "/admin/texts",
        "/admin/requests",
        "/admin/audit?by=staff&action=staff.list",
    ]) {
        app.world.clock.set(start() + Duration::seconds(second));
        assert_eq!(admin.get(page).await.status, StatusCode::OK, "{page}");
    }
    let log = admin.get("/admin/audit").await.text().replace('\u{a0}', " ");
    for words in [
        "Просмотрен список сотрудников",
        "Просмотрен список текстов",
        "сообщение",
        "показано 0 записей",
        "показана 1 запись, кто: Сотрудник, действие: Просмотрен список сотрудников",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("shown") && !log.contains("template"), "{log}");
    admin.send("/admin/audit", "language", &[("language", "en")]).await;
    let log = admin.get("/admin/audit").await.text();
    for words in ["The list of staff was looked at", "0 records shown"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[tokio::test]
async fn s23_the_log_is_read_page_by_page() {
    let app = TestApp::new().await;
    let mut admin = app.staff("admin").await;
    for second in 0..55 {
        app.world.clock.set(start() + Duration::seconds(second));
        admin.get("/admin/roles").await;
    }
    let page = admin.get("/admin/audit?action=role.list").await;
    let rows = |page: &Reply| page.body.matches("<code>role.list</code>").count();
    assert_eq!(rows(&page), 50);
    let at = page.body.find("rel=\"next\"").map(|end| &page.body[..end]);
    let at = at
        .and_then(|before| before.rsplit("href=\"").next())
        .and_then(|rest| rest.split('"').next());
    let next = at.expect("there is more").replace("&amp;", "&");
    assert_eq!(rows(&admin.get(&next).await), 5);
}
