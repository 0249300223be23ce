//! Points that people move: customers who give them to each other, staff who give, take and bring back.

use crate::common::html::tags;
use crate::common::{BY, Browser, Customer, Reply, SAME_SITE, TestApp, body};
use crate::numbers;
use axum::http::{Method, StatusCode};
use chrono::Duration;
use crm::points::Policy;
use crm::who::Token;
use std::collections::BTreeSet;

const TRANSFER: &str = "/points/transfer";
const CONFIRM: &str = "/points/transfer/confirm";
const APPROVALS: &str = "/admin/approvals";

/// A club where newcomers may give points: two of them, and a member of staff who may give points to everybody.
struct Club {
    app: TestApp,
    anna: Customer,
    boris: Customer,
    admin: Browser,
    /// The program that everybody is in.
    program: String,
    /// The number of Boris's card.
    card: String,
}

async fn club_with(policy: impl FnOnce(&mut Policy)) -> Club {
    let app = TestApp::build(false, |config| {
        config.points.transfer_after_days = 0;
        policy(&mut config.points);
    })
    .await;
    let (anna, boris) = (app.customer("Анна").await, app.customer("Борис").await);
    let admin = app.staff("admin").await;
    let mut conn = app.world.db.read().await.expect("a connection");
    let programs = crm::program::store::list(&mut conn, anna.proof().await.me()).await;
    let program = programs.expect("programs").remove(0).id.to_string();
    let card = crm::card::store::of(&mut conn, boris.proof().await.me())
        .await
        .expect("cards");
    drop(conn);
    Club {
        app,
        anna,
        boris,
        admin,
        program,
        card: card[0].number.clone(),
    }
}

async fn club() -> Club {
    club_with(|_| {}).await
}

impl Club {
    /// Gives Anna points, as staff do.
    async fn fund(&mut self, points: &str) {
        let at = page_of(&self.anna).await;
        let fields = correction(&self.program, "give", points);
        let given = self.admin.send(&at, "points.adjust", &fields).await;
        given.assert_leads_to(&format!("{at}?done=adjusted"));
    }

    /// What Anna types.
    async fn check(&mut self, card: &str, points: &str) -> Reply {
        let fields = [("card", card), ("program", &*self.program), ("points", points)];
        self.anna.send(TRANSFER, "transfer.check", &fields).await
    }

    /// Anna gives Boris points, page by page.
    async fn give(&mut self, points: &str) {
        let card = self.card.clone();
        let asked = self.check(&card, points).await;
        asked.assert_leads_to(CONFIRM);
        let form = self.anna.get(CONFIRM).await.form("transfer.send");
        let sent = self.anna.submit(CONFIRM, &form).await;
        sent.assert_leads_to("/points/transfer?done=sent");
    }

    /// What Anna and Boris have, in hundredths.
    async fn held(&self) -> (i64, i64) {
        let of = async |who: &Customer| {
            let me = who.proof().await.me();
            let mut conn = self.app.world.db.read().await.expect("a connection");
            let balance = crm::points::store::balance(&mut conn, me).await;
            balance.expect("a balance").active
        };
        (of(&self.anna).await, of(&self.boris).await)
    }

    async fn wait(&self, time: Duration) {
        self.app.world.clock.set(self.app.world.db.now() + time);
        crm::points::store::run_due(&self.app.world.db, &BY)
            .await
            .expect("done");
    }

    /// Addresses and texts of the messages of a template.
    async fn told(&self, template: &str) -> Vec<(String, String)> {
        let messages = crm::outbox::inbox(&self.app.world.db, 100).await.expect("the outbox");
        let of_it = messages.into_iter().filter(|m| m.template == template);
        of_it.map(|m| (m.address, m.body)).collect()
    }
}

/// The page of a customer in the admin section.
async fn page_of(who: &Customer) -> String {
    format!("/admin/customers/{}", who.id().await)
}

fn correction<'a>(program: &'a str, direction: &'a str, points: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("program", program),
        ("direction", direction),
        ("points", points),
        ("reason", "Касса не зачла чек"),
        ("note", "За ошибку кассы"),
    ]
}

/// The only transfer there is.
async fn transfer(club: &mut Club) -> String {
    let form = club.anna.get(TRANSFER).await.form("transfer.cancel");
    let (_, id) = form
        .fields
        .into_iter()
        .find(|(name, _)| name == "transfer")
        .expect("an id");
    id
}

#[tokio::test]
async fn s15_points_are_not_given_away_while_the_main_number_changes() {
    let mut club = club().await;
    club.fund("300").await;
    numbers::second_phone(&club.app, &mut club.anna).await;
    let card = club.card.clone();
    let asked = club.check(&card, "100").await;
    asked.assert_leads_to(CONFIRM);
    let form = club.anna.get(CONFIRM).await.form("transfer.send");
    numbers::begin(&mut club.anna).await;
    // What was asked before comes too late as well.
    let late = club.anna.submit(CONFIRM, &form).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("дарить баллы нельзя");
    // The form is not offered in vain; sent all the same, it is refused.
    let refused = club.check(&card, "100").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    // It waits for a day, and so do the points for a day from then on.
    for page in [refused, club.anna.get(TRANSFER).await] {
        page.assert_says("Сейчас дарить баллы нельзя, можно будет с 23 ноября");
        assert!(!page.body.contains("transfer.check"), "{}", page.body);
    }
    assert_eq!(club.held().await, (300_00, 0));
    // Called off, they can be given at once.
    club.anna.send("/profile/contacts", "number.cancel", &[]).await;
    assert!(club.anna.get(TRANSFER).await.body.contains("transfer.check"));
    club.give("100").await;
    assert_eq!(club.held().await, (200_00, 0));
}

#[tokio::test]
async fn points_go_to_whoever_has_the_card_and_both_are_told() {
    let mut club = club().await;
    club.fund("300").await;
    assert!(
        club.anna
            .get("/points")
            .await
            .body
            .contains("href=\"/points/transfer\"")
    );
    let page = club.anna.get(TRANSFER).await;
    for words in [
        "Сегодня ещё 5 000 из 5 000",
        "В этом месяце ещё 20 000 из 20 000",
        "через 1 час, до тех пор их можно вернуть",
        "Клуб соседей: 300",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let asked = club.check(&crm::card::show(&club.card.clone()), "150,5").await;
    asked.assert_leads_to(CONFIRM);
    assert!(!asked.location().contains(&club.card), "no card's number in an address");
    let page = club.anna.get(CONFIRM).await;
    for words in ["Кому Б•••с", "150,50 балла", "можно вернуть на странице"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    for theirs in ["Борис", "Лебедева"] {
        assert!(!page.text().contains(theirs), "names stay theirs: {theirs}");
    }
    assert_eq!(club.held().await, (300_00, 0), "nothing has moved yet");
    let sent = club.anna.submit(CONFIRM, &page.form("transfer.send")).await;
    sent.assert_leads_to("/points/transfer?done=sent");
    club.app.assert_row("transfer.create").await;
    assert_eq!(club.held().await, (149_50, 0));

    let page = club.anna.get("/points/transfer?done=sent").await;
    for words in [
        "Баллы в пути",
        "Кому: Борис",
        "В пути",
        "−150,50",
        "ещё 4 849,50 из 5 000",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        !club.boris.get(TRANSFER).await.text().contains("Анна"),
        "not theirs yet"
    );
    assert!(club.anna.get(CONFIRM).await.text().contains("ещё нечего подтверждать"));
    let told = club.told("points_sent").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, club.anna.phone);
    for words in ["150,50", "Борис", "/points/transfer"] {
        assert!(told[0].1.contains(words), "{}", told[0].1);
    }
    assert_eq!(club.told("points_received").await, []);

    club.wait(Duration::minutes(60)).await;
    assert_eq!(club.held().await, (149_50, 150_50));
    let told = club.told("points_received").await;
    assert_eq!(told.len(), 1, "once");
    assert_eq!(told[0].0, club.boris.phone);
    assert!(
        told[0].1.contains("150,50") && told[0].1.contains("Анна"),
        "{}",
        told[0].1
    );
    let page = club.boris.get(TRANSFER).await;
    for words in ["От кого: Анна", "Пришли", "+150,50"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(club.anna.get(TRANSFER).await.text().contains("Дошли"));
    for (who, words) in [(&mut club.anna, "Кому Борис"), (&mut club.boris, "От кого Анна")] {
        let page = who.get("/points").await;
        page.assert_says(words);
        assert!(page.body.contains("href=\"/points/transfer#list\""));
    }
}

#[tokio::test]
async fn points_on_their_way_are_called_back_by_their_sender_alone() {
    let mut club = club().await;
    club.fund("300").await;
    club.give("100").await;
    let id = transfer(&mut club).await;
    let fields = [("transfer", id.as_str())];
    // s17: the button is hers.
    let before = club.app.everything(&["sessions"]).await;
    let stolen = club.boris.send(TRANSFER, "transfer.cancel", &fields).await;
    assert_eq!(stolen.status, StatusCode::UNPROCESSABLE_ENTITY);
    stolen.assert_says("Этого здесь больше нет");
    assert_eq!(club.app.everything(&["sessions"]).await, before, "nothing changed");
    club.wait(Duration::minutes(59)).await;
    // Neither does it take a proof anew: it only protects.
    let form = club.anna.get(TRANSFER).await.form("transfer.cancel");
    let back = club.anna.submit(TRANSFER, &form).await;
    back.assert_leads_to("/points/transfer?done=back");
    club.app.assert_row("transfer.cancel").await;
    assert_eq!(club.held().await, (300_00, 0));
    let page = club.anna.get(TRANSFER).await;
    assert!(
        page.text().contains("Вы их вернули") && page.text().contains("ещё 5 000 из 5 000"),
        "{}",
        page.text()
    );
    let statement = club.anna.get("/points").await.text();
    for words in ["Подарены", "Вернулись к вам"] {
        assert!(statement.contains(words), "{statement}");
    }
    let again = club.anna.send(TRANSFER, "transfer.cancel", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("Поздно");
    club.wait(Duration::hours(2)).await;
    assert_eq!(club.held().await, (300_00, 0));
    assert_eq!(club.told("points_received").await, []);
}

#[tokio::test]
async fn what_speaks_against_a_transfer_is_said_at_its_field() {
    let mut club = club_with(|points| points.transfers_per_day = 400).await;
    club.fund("300").await;
    let (card, program) = (club.card.clone(), club.program.clone());
    let mut conn = club.app.world.db.read().await.expect("a connection");
    let own = crm::card::store::of(&mut conn, club.anna.proof().await.me())
        .await
        .expect("cards");
    let own = own[0].number.clone();
    drop(conn);
    let before = club.app.everything(&["sessions", "limits"]).await;
    for (card, points, field, words) in [
        ("", "1", "card", "Напишите номер карты"),
        ("290", "1", "card", "По этому номеру подарить нельзя"),
        // A good number that nobody has.
        ("2900000999992", "1", "card", "По этому номеру подарить нельзя"),
        (own.as_str(), "1", "card", "По этому номеру подарить нельзя"),
        (card.as_str(), "", "points", "Напишите, сколько"),
        (card.as_str(), "0", "points", "например 150 или 150,50"),
        (card.as_str(), "-5", "points", "например 150 или 150,50"),
        (card.as_str(), "1,000", "points", "например 150 или 150,50"),
        (card.as_str(), "сто", "points", "например 150 или 150,50"),
        (card.as_str(), "300,5", "points", "не хватает 0,50"),
        (card.as_str(), "400,01", "points", "осталось 400"),
    ] {
        let reply = club.check(card, points).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{card} {points}");
        let said = reply.message("transfer.check", field);
        assert!(said.contains(words), "{card} {points}: {said}");
        // What was typed is still there.
        assert!(
            reply
                .form("transfer.check")
                .fields
                .contains(&("points".into(), points.into()))
        );
        // Whoever leaves the first page out is told the same.
        let fields = [("card", card), ("program", &program), ("points", points)];
        let reply = club.anna.send(CONFIRM, "transfer.send", &fields).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{card} {points}");
        let said = reply.text();
        assert!(
            said.contains(words) || said.contains("Заполните это поле"),
            "{card} {points}: {said}"
        );
    }
    assert_eq!(
        club.app.everything(&["sessions", "limits"]).await,
        before,
        "nothing changed"
    );

    // In another tab the points go meanwhile.
    assert_eq!(club.check(card.as_str(), "200").await.location(), CONFIRM);
    let form = club.anna.get(CONFIRM).await.form("transfer.send");
    club.give("200").await;
    assert_eq!(club.check(card.as_str(), "100").await.location(), CONFIRM);
    let late = club.anna.submit(CONFIRM, &form).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Столько баллов нет: не хватает 100");
    club.give("100").await;
    let page = club.anna.get(TRANSFER).await.text();
    assert!(page.contains("Дарить пока нечего"), "{page}");
    club.fund("500").await;
    club.give("100").await;
    let page = club.anna.get(TRANSFER).await.text();
    assert!(
        page.contains("На сегодня это всё") && page.contains("ещё 0 из 400"),
        "{page}"
    );
}

#[tokio::test]
async fn newcomers_wait_and_a_shop_may_allow_no_transfers() {
    let mut club = club_with(|points| points.transfer_after_days = 30).await;
    club.fund("300").await;
    let card = club.card.clone();
    let page = club.anna.get(TRANSFER).await.text();
    for words in ["Вы в клубе недавно", "через 30 дней после регистрации", "21 декабря"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let refused = club.check(card.as_str(), "1").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("Вы в клубе недавно");
    assert_eq!(club.held().await, (300_00, 0));

    let mut club = club_with(|points| points.transfers_per_month = 0).await;
    club.fund("300").await;
    assert!(!club.anna.get("/points").await.body.contains("/points/transfer"));
    let page = club.anna.get(TRANSFER).await.text();
    assert!(page.contains("В нашем клубе баллы не передают"), "{page}");
    let card = club.card.clone();
    assert_eq!(
        club.check(card.as_str(), "1").await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(club.held().await, (300_00, 0));
}

#[tokio::test]
async fn s15_points_are_given_by_whom_has_proved_it_moments_ago() {
    let mut club = club().await;
    club.fund("300").await;
    let card = club.card.clone();
    assert_eq!(club.check(card.as_str(), "100").await.location(), CONFIRM);
    let form = club.anna.get(CONFIRM).await.form("transfer.send");
    club.wait(Duration::minutes(15)).await;
    let page = club.anna.get(TRANSFER).await;
    assert!(
        page.body.contains("href=\"/confirm?next=/points/transfer\""),
        "{}",
        page.text()
    );
    assert!(
        !page.body.contains("transfer.check"),
        "nothing is typed that would be lost"
    );
    assert_eq!(
        club.check(card.as_str(), "100").await.location(),
        "/confirm?next=/points/transfer"
    );
    let there = "/confirm?next=/points/transfer/confirm";
    assert_eq!(club.anna.get(CONFIRM).await.location(), there);
    assert_eq!(club.anna.submit(CONFIRM, &form).await.location(), there);
    assert_eq!(club.held().await, (300_00, 0));

    // The same of staff.
    let at = page_of(&club.anna).await;
    let page = club.admin.get(&at).await;
    assert!(
        page.body.contains(&format!("href=\"/admin/confirm?next={at}\"")),
        "{}",
        page.text()
    );
    let fields = correction(&club.program, "give", "1");
    let there = format!("/admin/confirm?next={at}");
    assert_eq!(club.admin.send(&at, "points.adjust", &fields).await.location(), there);
    let nothing = uuid::Uuid::nil().to_string();
    let fields = [("transfer", nothing.as_str()), ("reason", "Взлом")];
    assert_eq!(
        club.admin.send(&at, "transfer.reverse", &fields).await.location(),
        there
    );
    let fields = [("adjustment", nothing.as_str())];
    let reply = club.admin.send(APPROVALS, "points.approve", &fields).await;
    assert_eq!(reply.location(), "/admin/confirm?next=/admin/approvals");
    assert_eq!(club.held().await, (300_00, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s21_transfers_at_once_give_away_no_more_than_there_is() {
    let mut club = club().await;
    club.fund("300").await;
    let fields = [("card", &*club.card), ("program", &*club.program), ("points", "40")];
    let all: Vec<_> = (0..20)
        .map(|_| {
            let sent = body("transfer.send", Token::random().secret(), &fields).into_bytes();
            let mut who = club.anna.browser.clone();
            tokio::spawn(async move { who.request(Method::POST, CONFIRM, &SAME_SITE, sent).await })
        })
        .collect();
    let mut sent = 0;
    for reply in all {
        let reply = reply.await.expect("an answer");
        match reply.location() {
            "/points/transfer?done=sent" => sent += 1,
            _ => assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", reply.text()),
        }
    }
    assert_eq!((sent, club.held().await), (7, (20_00, 0)));
    assert_eq!(club.app.count("SELECT COUNT(*) FROM transfers").await, 7);
    assert_eq!(
        crm::points::store::verify(&club.app.world.db, &BY)
            .await
            .expect("verified"),
        []
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s21_a_transfer_is_made_once_however_often_it_is_sent() {
    let mut club = club().await;
    club.fund("300").await;
    let fields = [("card", &*club.card), ("program", &*club.program), ("points", "10")];
    let key = Token::random();
    let sent = body("transfer.send", key.secret(), &fields).into_bytes();
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (mut who, sent) = (club.anna.browser.clone(), sent.clone());
            tokio::spawn(async move { who.request(Method::POST, CONFIRM, &SAME_SITE, sent).await })
        })
        .collect();
    for reply in all {
        let reply = reply.await.expect("an answer");
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    }
    let again = club
        .anna
        .send_keyed(CONFIRM, "transfer.send", key.secret(), &fields)
        .await;
    assert_eq!(again.location(), "/points/transfer?done=sent");
    assert_eq!(club.held().await, (290_00, 0));
    assert_eq!(club.app.count("SELECT COUNT(*) FROM transfers").await, 1);
    assert_eq!(club.told("points_sent").await.len(), 1);

    let fields = correction(&club.program, "give", "7");
    let at = page_of(&club.anna).await;
    for _ in 0..2 {
        let given = club.admin.send_keyed(&at, "points.adjust", key.secret(), &fields).await;
        assert_eq!(given.location(), format!("{at}?done=adjusted"));
    }
    assert_eq!(club.held().await, (297_00, 0));
}

#[tokio::test]
async fn what_was_typed_is_shown_to_whom_typed_it_and_names_are_not_asked_for_without_end() {
    let mut club = club().await;
    club.fund("300").await;
    let card = club.card.clone();
    assert_eq!(club.check(card.as_str(), "100").await.location(), CONFIRM);
    let form = club.anna.get(TRANSFER).await.form("transfer.check");
    assert!(
        form.fields.contains(&("points".into(), "100".into())),
        "{:?}",
        form.fields
    );
    // The next one at the same computer finds nothing of it.
    let left = club.anna.cookies["__Host-kabinet_transfer"].clone();
    club.boris.cookies.insert("__Host-kabinet_transfer".into(), left);
    assert!(club.boris.get(CONFIRM).await.text().contains("ещё нечего подтверждать"));
    for nonsense in ["x", "___", "1_2_3_4", "%00"] {
        club.boris
            .cookies
            .insert("__Host-kabinet_transfer".into(), nonsense.into());
        assert_eq!(club.boris.get(CONFIRM).await.status, StatusCode::OK, "{nonsense}");
    }
    // Numbers of cards can be guessed, and each answer is a name.
    let mut answers = 0;
    loop {
        let reply = club.check(card.as_str(), "100").await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            reply.assert_says("Слишком много попыток");
            break;
        }
        answers += 1;
        assert!(answers <= 30, "{answers} names within an hour");
    }
    assert_eq!(club.anna.get(CONFIRM).await.status, StatusCode::TOO_MANY_REQUESTS);
    // Who leaves leaves nothing of it behind.
    const KEPT: &str = "__Host-kabinet_transfer";
    assert!(club.anna.cookies.contains_key(KEPT));
    assert_eq!(
        club.anna.send("/card", "sign_out", &[]).await.location(),
        "/sign-in?done=signed_out"
    );
    assert!(!club.anna.cookies.contains_key(KEPT));
}

#[tokio::test]
async fn staff_give_and_take_up_to_the_cap_and_beyond_it_a_colleague_decides() {
    let mut club = club().await;
    let at = page_of(&club.anna).await;
    let program = club.program.clone();
    let page = club.admin.get(&at).await;
    page.assert_says("Сами вы можете до 5 000 за раз");
    page.assert_says("осталось: сегодня 5 000, в этом месяце 20 000");
    for (direction, points, reason, note, field, words) in [
        ("give", "", "Подарок", "За чек", "points", "Напишите, сколько"),
        ("give", "1,000", "Подарок", "За чек", "points", "например 150"),
        ("give", "5", " ", "За чек", "reason", "Напишите, почему"),
        ("give", "5", "Подарок", " ", "note", "что сказать покупателю"),
        ("burn", "5", "Подарок", "За чек", "direction", "Выберите из списка"),
        ("take", "5", "Подарок", "За чек", "points", "не хватает 5"),
    ] {
        let fields = [
            ("program", &*program),
            ("direction", direction),
            ("points", points),
            ("reason", reason),
            ("note", note),
        ];
        let reply = club.admin.send(&at, "points.adjust", &fields).await;
        assert_eq!(
            reply.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{direction} {points} {reason}"
        );
        let said = reply.message("points.adjust", field);
        assert!(said.contains(words), "{direction} {points} {reason}: {said}");
    }
    let nobodys = uuid::Uuid::nil().to_string();
    for points in ["1", "6000"] {
        let reply = club
            .admin
            .send(&at, "points.adjust", &correction(&nobodys, "give", points))
            .await;
        assert_eq!(
            reply.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "a program that is not there"
        );
    }
    club.fund("300,50").await;
    let taken = club
        .admin
        .send(&at, "points.adjust", &correction(&program, "take", "100"))
        .await;
    taken.assert_leads_to(&format!("{at}?done=adjusted"));
    assert_eq!(club.held().await, (200_50, 0));
    let page = club.admin.get(&at).await;
    page.assert_says("сегодня 4 599,50");
    let bell = club.anna.get("/notifications").await;
    bell.assert_says("Мы сняли баллы: 100. За ошибку кассы");
    assert_eq!(club.told("points_corrected").await.len(), 2);

    // Beyond the cap it waits, and whoever asked does not decide.
    let asked = club
        .admin
        .send(&at, "points.adjust", &correction(&program, "give", "5000,01"))
        .await;
    asked.assert_leads_to(&format!("{at}?done=asked"));
    let page = club.admin.get(APPROVALS).await;
    for words in [
        "Лебедева Анна",
        "Просит admin",
        "+5 000,01",
        "Касса не зачла чек",
        "Просили вы: решит коллега",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(!page.body.contains("points.approve"), "no button for one's own");
    let id = club
        .app
        .text("SELECT lower(hex(id)) FROM adjustments WHERE state = 'awaiting'")
        .await;
    let fields = [("adjustment", id.as_str())];
    for form in ["points.approve", "points.refuse"] {
        let own = club.admin.send(APPROVALS, form, &fields).await;
        assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        own.assert_says("Этого сделать нельзя");
    }
    assert_eq!(club.held().await, (200_50, 0));

    // Nor does whoever has no right to points but to goodwill: they see no page of what waits, and take nothing.
    let mut agent = club.app.staff_as("agent", "agent").await;
    assert_eq!(agent.get(APPROVALS).await.status, StatusCode::FORBIDDEN);
    assert!(!agent.get("/admin/requests").await.body.contains(APPROVALS));
    let page = agent.get(&at).await;
    page.assert_says("Сами вы можете до 100 за раз");
    assert!(!page.body.contains("value=\"take\""), "{}", page.body);
    let refused = agent
        .send(&at, "points.adjust", &correction(&program, "take", "1"))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("Этого сделать нельзя");
    for form in ["points.approve", "points.refuse"] {
        let refused = agent.send(APPROVALS, form, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(club.held().await, (200_50, 0));

    let mut lead = club.app.staff_as("lead", "lead").await;
    assert!(lead.get(&at).await.text().contains("Сами вы можете до 500 за раз"));
    assert!(lead.get("/admin/requests").await.body.contains(APPROVALS));
    let form = lead.get(APPROVALS).await.form("points.approve");
    let approved = lead.submit(APPROVALS, &form).await;
    approved.assert_leads_to("/admin/approvals?done=approved");
    assert_eq!(club.held().await, (5_200_51, 0));
    let late = lead.send(APPROVALS, "points.refuse", &fields).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("Это уже решил кто-то другой");

    // What a lead asks for an administrator refuses; what cannot be taken any more is said where it stands.
    for points in ["501", "5200"] {
        let asked = lead
            .send(&at, "points.adjust", &correction(&program, "take", points))
            .await;
        asked.assert_leads_to(&format!("{at}?done=asked"));
        club.wait(Duration::seconds(1)).await;
    }
    let form = club.admin.get(APPROVALS).await.form("points.approve");
    club.admin.submit(APPROVALS, &form).await;
    assert_eq!(
        club.held().await,
        (4_699_51, 0),
        "the one that has waited longest comes first"
    );
    let form = club.admin.get(APPROVALS).await.form("points.approve");
    let short = club.admin.submit(APPROVALS, &form).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    short.assert_says("не хватает 500,49");
    let form = club.admin.get(APPROVALS).await.form("points.refuse");
    let refused = club.admin.submit(APPROVALS, &form).await;
    refused.assert_leads_to("/admin/approvals?done=refused");
    assert_eq!(club.held().await, (4_699_51, 0));
    assert!(club.admin.get(APPROVALS).await.text().contains("Ничего не ждёт"));
    for (action, rows) in [
        ("points.adjust", 2),
        ("points.ask", 3),
        ("points.approve", 2),
        ("points.refuse", 1),
    ] {
        let found = club
            .app
            .texts("SELECT action FROM audit WHERE reason = 'Касса не зачла чек'")
            .await;
        assert_eq!(found.iter().filter(|found| *found == action).count(), rows, "{action}");
    }
    let read = "SELECT COUNT(*) FROM audit WHERE action = 'points.read'";
    assert!(club.app.count(read).await > 0, "whose points the page showed");
}

/// An agent is kind within their cap; beyond it a lead consents, who finds it again in the report and in the log.
#[tokio::test]
async fn goodwill_of_an_agent_needs_a_lead_beyond_the_cap_who_finds_it_again() {
    let club = club().await;
    let (at, program) = (page_of(&club.anna).await, club.program.clone());
    let mut agent = club.app.staff_as("agent", "agent").await;
    agent.get(&at).await;
    for (points, done) in [("99,50", "adjusted"), ("250", "asked")] {
        let fields = correction(&program, "give", points);
        let given = agent.send(&at, "points.adjust", &fields).await;
        given.assert_leads_to(&format!("{at}?done={done}"));
    }
    assert_eq!(club.held().await, (99_50, 0));
    let mut lead = club.app.staff_as("lead", "lead").await;
    let form = lead.get(APPROVALS).await.form("points.approve");
    let approved = lead.submit(APPROVALS, &form).await;
    approved.assert_leads_to("/admin/approvals?done=approved");
    assert_eq!(club.held().await, (349_50, 0));
    let report = lead.get("/admin/reports/points").await.text();
    for words in ["По сотрудникам", "agent", "Из них с согласия коллеги", "349,50"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    let log = lead.get("/admin/audit?action=points").await.text();
    for words in ["points.ask", "points.approve", "Касса не зачла чек"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    // Whoever may do neither sees no form.
    let mut mara = club.app.staff_as("mara", "marketer").await;
    let refused = mara
        .send(&at, "points.adjust", &correction(&program, "give", "1"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(club.held().await, (349_50, 0));
}

/// Whoever may consent finds it without looking, and whoever asked finds what became of it, by whom.
#[tokio::test]
async fn what_waits_for_consent_and_what_came_of_it_stand_in_the_inbox() {
    const INBOX: &str = "/admin/inbox";
    let mut club = club().await;
    let (at, program) = (page_of(&club.anna).await, club.program.clone());
    let question = [("topic", "other"), ("text", "Где баллы?"), ("purchase", "")];
    let written = club.anna.send("/support/new", "request.create", &question).await;
    let number = written.location().trim_start_matches("/support/");
    let number = number.split('?').next().unwrap_or_default().to_owned();
    let mut agent = club.app.staff_as("agent", "agent").await;
    let mut lead = club.app.staff_as("lead", "lead").await;
    let mut other = club.app.staff_as("other", "lead").await;
    let mut mara = club.app.staff_as("mara", "marketer").await;

    // From the request the form knows what it is for.
    let page = agent.get(&format!("/admin/requests/{number}")).await;
    let there = format!("{at}?request={number}");
    assert!(page.body.contains(&there), "{}", page.body);
    let form = agent.get(&there).await.form("points.adjust");
    assert_eq!(form.get("request"), Some(number.as_str()));
    for wrong in ["99999", "сто"] {
        let fields = [&correction(&program, "give", "250")[..], &[("request", wrong)]].concat();
        let refused = agent.send(&at, "points.adjust", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        let said = refused.message("points.adjust", "request");
        assert!(said.contains("Под таким номером ничего нет"), "{wrong}: {said}");
    }
    let fields = [
        &correction(&program, "give", "250")[..],
        &[("request", number.as_str())],
    ]
    .concat();
    let asked = agent.send(&at, "points.adjust", &fields).await;
    asked.assert_leads_to(&format!("{at}?done=asked"));

    let about = format!("По обращению № {number}");
    for who in [&mut lead, &mut other, &mut club.admin] {
        let page = who.get("/admin/requests").await;
        page.assert_says("Уведомления, новых: 1");
        page.assert_says("ждут: 1");
    }
    let inbox = lead.get(INBOX).await;
    for words in [
        "agent: нужно согласие на исправление баллов, +250",
        "Касса не зачла чек",
        about.as_str(),
    ] {
        assert!(inbox.text().contains(words), "{words}: {}", inbox.text());
    }
    assert_eq!(inbox.text().matches("нужно согласие").count(), 1, "once");
    assert!(
        !inbox.text().contains("Лебедева"),
        "whose points they are the other page says, and logs"
    );
    assert!(inbox.body.contains("href=\"/admin/approvals\""), "{}", inbox.body);
    let page = lead.get(APPROVALS).await;
    page.assert_says(&about);
    assert!(!page.text().contains("Уведомления, новых"), "it was read");
    page.assert_says("ждут: 1");
    for who in [&mut agent, &mut mara] {
        let page = who.get(INBOX).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text().contains("согласие на"), "{}", page.text());
    }
    assert!(!agent.get("/admin/requests").await.text().contains("ждут:"));

    let form = page.form("points.approve");
    let approved = lead.submit(APPROVALS, &form).await;
    approved.assert_leads_to("/admin/approvals?done=approved");
    let page = other.get(INBOX).await.text();
    assert!(!page.contains("нужно согласие"), "it is decided: {page}");
    assert!(
        !page.contains("ждут:") && !page.contains("Уведомления, новых"),
        "{page}"
    );
    agent.get("/admin/requests").await.assert_says("Уведомления, новых: 1");
    let inbox = agent.get(INBOX).await;
    inbox.assert_says("lead: исправление баллов согласовано, +250");
    inbox.assert_says(&about);
    assert!(inbox.body.contains(&there), "{}", inbox.body);
    assert!(!agent.get(INBOX).await.text().contains("Уведомления, новых"));
    let page = agent.get(&at).await;
    page.assert_says(&about);

    club.wait(Duration::seconds(1)).await;
    let asked = agent
        .send(&at, "points.adjust", &correction(&program, "give", "300"))
        .await;
    asked.assert_leads_to(&format!("{at}?done=asked"));
    let form = other.get(APPROVALS).await.form("points.refuse");
    other.submit(APPROVALS, &form).await;
    let inbox = agent.get(INBOX).await;
    inbox.assert_says("other: в исправлении баллов отказано, +300");
    assert!(inbox.body.contains(&format!("href=\"{at}\"")), "{}", inbox.body);
}

#[tokio::test]
async fn points_go_to_a_phone_and_the_question_tells_nobody_whose_it_is() {
    let mut club = club().await;
    club.fund("300").await;
    let (his, nobodys) = (club.boris.phone.clone(), "+79039998877".to_owned());
    let mut pages = Vec::new();
    for phone in [&his, &nobodys] {
        assert_eq!(club.check(phone, "10").await.location(), CONFIRM, "{phone}");
        let page = club.anna.get(CONFIRM).await;
        assert!(!page.text().contains("Борис"), "{}", page.text());
        let shown = crm::contact::show_phone(phone);
        let shown: String = shown.chars().map(|c| if c == '\u{a0}' { ' ' } else { c }).collect();
        let text = page.text().replace('\u{a0}', " ");
        assert!(text.contains(&shown), "{text}");
        pages.push(text.replace(&shown, ""));
        let form = club.anna.get(TRANSFER).await.form("transfer.check");
        assert!(
            form.get("card").is_some_and(|card| card.starts_with("+7")),
            "{:?}",
            form.fields
        );
    }
    assert_eq!(pages[0], pages[1]);
    let form = club.anna.get(CONFIRM).await.form("transfer.send");
    let refused = club.anna.submit(CONFIRM, &form).await;
    refused.assert_says("По этому номеру подарить нельзя");
    club.check(&his, "10").await;
    let form = club.anna.get(CONFIRM).await.form("transfer.send");
    let sent = club.anna.submit(CONFIRM, &form).await;
    sent.assert_leads_to("/points/transfer?done=sent");
    club.wait(Duration::hours(1)).await;
    assert_eq!(club.held().await, (290_00, 10_00));
}

#[tokio::test]
async fn transfers_are_listed_page_by_page_for_both_and_for_staff() {
    let mut club = club_with(|policy| policy.transfer_wait_minutes = 0).await;
    club.fund("300").await;
    club.give("1").await;
    club.app
        .execute(
            "INSERT INTO transfers (id, program_id, from_id, to_id, points, state, out_id, in_id, created_at, completes_at, \
             reason) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 59) \
             SELECT randomblob(16), program_id, from_id, to_id, points, 'completed', out_id, in_id, created_at, \
             completes_at, '' FROM transfers, n",
        )
        .await;
    let customer = page_of(&club.anna).await;
    let count = |page: &Reply, what: &str| page.body.matches(what).count();
    let next = |page: &Reply, begin: &str| -> Option<String> {
        let all = tags(&page.body);
        let mut links = all.iter().filter_map(|tag| tag.get("href"));
        let found = links.find(|href| href.starts_with(begin));
        found.map(|href| href.split('#').next().unwrap_or_default().to_owned())
    };
    let first = club.anna.get(TRANSFER).await;
    assert_eq!(count(&first, "Кому: Борис"), 50);
    let second = next(&first, "/points/transfer?before=").expect("there is more");
    let second = club.anna.get(&second).await;
    assert_eq!(count(&second, "Кому: Борис"), 10);
    assert_eq!(next(&second, "/points/transfer?before="), None);
    // Staff reach each of them, to bring it back.
    let (mut at, mut seen) = (Some(customer.clone()), 0);
    while let Some(here) = at {
        let page = club.admin.get(&here).await;
        seen += count(&page, "name=\"transfer\"");
        at = next(&page, &format!("{customer}?transfers="));
    }
    assert_eq!(seen, 60);
}

#[tokio::test]
async fn what_waits_for_consent_is_listed_page_by_page() {
    let mut club = club().await;
    let customer = page_of(&club.anna).await;
    let fields = correction(&club.program, "give", "6000");
    let asked = club.admin.send(&customer, "points.adjust", &fields).await;
    asked.assert_leads_to(&format!("{customer}?done=asked"));
    // Of the same moment, so that a page ends among them.
    club.app
        .execute(
            "INSERT INTO adjustments (id, program_id, customer_id, points, reason, state, asked_by, created_at) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 119) \
             SELECT randomblob(16), program_id, customer_id, points, reason, state, asked_by, created_at \
             FROM adjustments, n",
        )
        .await;
    let listed = |page: &Reply| -> Vec<String> {
        let ids = tags(&page.body);
        let ids = ids.iter().filter_map(|tag| tag.get("id"));
        ids.filter(|id| id.starts_with("approve-") && id.ends_with("-points"))
            .map(str::to_owned)
            .collect()
    };
    let (mut seen, mut rows) = (BTreeSet::new(), Vec::new());
    let mut at = Some(APPROVALS.to_owned());
    while let Some(here) = at {
        let page = club.admin.get(&here).await;
        let ids = listed(&page);
        rows.push(ids.len());
        for id in ids {
            assert!(seen.insert(id.clone()), "{id} is shown twice");
        }
        let is_first = here == APPROVALS;
        assert_eq!(page.text().contains("В начало"), !is_first, "{here}");
        let next = tags(&page.body)
            .iter()
            .filter_map(|tag| tag.get("href"))
            .find(|href| href.starts_with("/admin/approvals?after="))
            .map(str::to_owned);
        at = next;
    }
    assert_eq!((seen.len(), rows), (120, vec![50, 50, 20]));
    let odd = club.admin.get("/admin/approvals?after=yesterday").await;
    assert_eq!(listed(&odd).len(), 50, "no place in the list is its beginning");
    let beyond = format!("{APPROVALS}?after=4000000000000000_{}", uuid::Uuid::nil());
    let beyond = club.admin.get(&beyond).await.text();
    assert!(
        beyond.contains("Здесь больше ничего не ждёт") && beyond.contains("В начало"),
        "{beyond}"
    );
}

#[tokio::test]
async fn staff_bring_a_transfer_back_with_a_reason() {
    let mut club = club().await;
    club.fund("300").await;
    club.give("100").await;
    let id = transfer(&mut club).await;
    club.wait(Duration::minutes(60)).await;
    assert_eq!(club.held().await, (200_00, 100_00));
    let at = page_of(&club.anna).await;
    let mut agent = club.app.staff_as("agent", "agent").await;
    let page = agent.get(&at).await;
    assert!(
        page.text().contains("Кому: Борис") && !page.body.contains("transfer.reverse"),
        "{}",
        page.text()
    );
    let fields = [("transfer", id.as_str()), ("reason", "Взлом")];
    let refused = agent.send(&at, "transfer.reverse", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("Этого сделать нельзя");
    assert_eq!(club.held().await, (200_00, 100_00));

    let mut admin = club.app.staff("admin2").await;
    let form = admin.get(&at).await.form("transfer.reverse");
    let mute = admin.submit(&at, &form).await;
    assert_eq!(mute.status, StatusCode::UNPROCESSABLE_ENTITY);
    mute.assert_says("Напишите, почему");
    // The receiver's page offers the same.
    assert!(
        admin
            .get(&page_of(&club.boris).await)
            .await
            .text()
            .contains("От кого: Анна")
    );
    let back = admin
        .submit(&at, &mute.form("transfer.reverse").with("reason", "Взлом"))
        .await;
    back.assert_leads_to(&format!("{at}?done=reversed"));
    assert_eq!(club.held().await, (300_00, 0));
    for (template, phone) in [
        ("points_brought_back", &club.anna.phone),
        ("points_taken_back", &club.boris.phone),
    ] {
        let told = club.told(template).await;
        assert_eq!(told.len(), 1, "{template}");
        assert_eq!(
            (&told[0].0, told[0].1.contains("Взлом")),
            (phone, false),
            "the reason is for colleagues"
        );
    }
    assert!(admin.get(&at).await.text().contains("Вернули мы"));
    let again = admin.send(&at, "transfer.reverse", &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("Эти баллы уже вернулись");
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'transfer.reverse' AND reason = 'Взлом'";
    assert_eq!(club.app.count(rows).await, 2, "a row of each side");
    assert!(club.anna.get(TRANSFER).await.text().contains("Магазин вернул их вам"));
    assert!(club.boris.get(TRANSFER).await.text().contains("Вернулись отправителю"));
    for (who, words) in [
        (&mut club.anna, "Вернулись к вам"),
        (&mut club.boris, "Вернулись отправителю"),
    ] {
        assert!(who.get("/points").await.text().contains(words), "{words}");
    }
}
