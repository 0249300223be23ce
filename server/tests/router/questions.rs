//! Questions that customers ask where everybody reads them: what is seen before and after staff have looked, what is told of it,
//! and how much one may ask.

use crate::common::{Browser, Reply, TestApp};
use crate::rules::put;
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;

const ALL: &str = "/questions";
const NEW: &str = "/questions/new";
const MINE: &str = "/questions/mine";

/// Asks, under their own name.
async fn ask(who: &mut Browser, text: &str) -> Reply {
    let fields = [("topic", "other"), ("text", text), ("shown", "name")];
    who.send(NEW, "question.ask", &fields).await
}

/// The id of the question that was asked last.
async fn newest(app: &TestApp) -> String {
    let id = app.text("SELECT lower(hex(id)) FROM questions ORDER BY id DESC LIMIT 1");
    let id: crm::id::QuestionId = id.await.parse().expect("an id");
    id.to_string()
}

const DELIVERY: &str = "Есть ли доставка? <script>alert(1)</script>";

#[tokio::test]
async fn a_question_is_seen_once_staff_have_shown_it_and_whoever_asked_is_told() {
    let app = TestApp::new().await;
    let (mut anna, mut anybody) = (app.customer("Анна").await, app.anybody());
    anna.send(
        "/profile/contacts",
        "contact.add_email",
        &[("email", "anna@example.com")],
    )
    .await;
    app.execute("UPDATE contacts SET verified_at = created_at WHERE kind = 'email'")
        .await;
    let asked = ask(&mut anna, DELIVERY).await;
    asked.assert_leads_to(&format!("{MINE}?done=asked"));
    let id = newest(&app).await;
    let (at, desk) = (format!("{ALL}/{id}"), format!("/admin/questions/{id}"));
    assert!(
        anna.get(MINE).await.text().contains("Читаем"),
        "she sees where it stands"
    );
    for who in [&mut anybody, &mut anna.browser] {
        assert!(
            !who.get(ALL).await.text().contains("доставка"),
            "nobody has looked at it"
        );
        assert_eq!(who.get(&at).await.status, StatusCode::NOT_FOUND);
    }

    let mut agent = app.staff_as("petrov", "agent").await;
    assert!(agent.get("/admin/questions").await.text().contains("Есть ли доставка?"));
    let page = agent.get(&desk).await;
    page.assert_says("Лебедева Анна");
    assert!(!page.body.contains("<script>alert"), "it is text");
    let wrong = [("body", " "), ("answer", "Да"), ("article", "nowhere")];
    let wrong = put(&mut agent, &desk, "question.publish", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("question.publish", "body"), "Заполните это поле");
    assert_eq!(wrong.message("question.publish", "article"), "Выберите из списка");
    assert_eq!(
        wrong.form("question.publish").get("answer"),
        Some("Да"),
        "what was typed stays"
    );

    // Shown without an answer first, then answered: she is told of the answer, once.
    let shown = [("body", DELIVERY), ("answer", ""), ("article", "")];
    let shown = put(&mut agent, &desk, "question.publish", &shown).await;
    shown.assert_leads_to(&format!("{desk}?done=published"));
    assert!(anybody.get(&at).await.text().contains("Ответа пока нет"));
    const LETTERS: &str = "SELECT COUNT(*) FROM outbox WHERE template = 'question_answered'";
    assert_eq!(app.count(LETTERS).await, 0);
    app.world.clock.set(start() + Duration::seconds(5));
    let late = agent.get(&desk).await.form("question.publish");
    let answer = [
        ("body", DELIVERY),
        ("answer", "Да, <b>завтра</b>"),
        ("article", "lost-card"),
    ];
    put(&mut agent, &desk, "question.publish", &answer).await;
    put(&mut agent, &desk, "question.publish", &answer).await;
    assert_eq!(app.count(LETTERS).await, 1, "said again it is no news");
    let letter = app
        .text("SELECT body FROM outbox WHERE template = 'question_answered'")
        .await;
    assert!(letter.contains(&at), "{letter}");
    let told = anna.get("/notifications").await;
    told.assert_says("Есть новости о вашем вопросе");
    assert!(told.body.contains(&format!("href=\"{MINE}\"")), "{}", told.body);
    let stale = agent.submit(&desk, &late).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    stale.assert_says("изменил кто-то другой");

    let page = anybody.get(&at).await;
    for words in ["Спрашивает Анна", "Да, <b>завтра</b>", "Отвечает"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    for never in ["<script>alert", "<b>завтра", "Лебедева", "petrov", "noindex"] {
        assert!(!page.body.contains(never), "{never}");
    }
    let suggested = format!("href=\"{at}\"");
    assert!(page.body.contains("href=\"/help/lost-card\""), "{}", page.body);
    assert!(anybody.get("/help/lost-card").await.body.contains(&suggested));
    assert!(!anybody.get("/help/get-a-card").await.body.contains(&suggested));

    // Found by words of question and answer, and by topic.
    for (query, is_there) in [
        ("q=%D0%94%D0%9E%D0%A1%D0%A2%D0%90%D0%92%D0%9A%D0%B0", true),
        ("q=%D0%B7%D0%B0%D0%B2%D1%82%D1%80%D0%B0", true),
        ("q=%25", false),
        ("topic=other", true),
        ("topic=card", false),
        ("before=1_00000000-0000-0000-0000-000000000000", false),
        ("before=nonsense", true),
    ] {
        let page = anybody.get(&format!("{ALL}?{query}")).await;
        assert_eq!(page.body.contains(&suggested), is_there, "{query}");
    }

    // One vote of a reader a day, which names nobody.
    for useful in ["true", "false"] {
        let voted = anybody.send(&at, "question.vote", &[("useful", useful)]).await;
        voted.assert_leads_to(&format!("{at}?done=voted#useful"));
    }
    assert_eq!(app.texts("SELECT useful || '' FROM question_votes").await, ["0"]);
    assert!(agent.get(&desk).await.text().contains("Помогло: 0, не помогло: 1."));

    let hidden = put(&mut agent, &desk, "question.unpublish", &[]).await;
    hidden.assert_leads_to(&format!("{desk}?done=unpublished"));
    assert_eq!(anybody.get(&at).await.status, StatusCode::NOT_FOUND);
    let voted = anybody.send(&at, "question.vote", &[("useful", "true")]).await;
    assert_eq!(voted.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_question_is_declined_with_a_reason_or_goes_on_in_private() {
    let app = TestApp::new().await;
    let (mut anna, mut boris) = (app.customer("Анна").await, app.customer("Борис").await);
    let mut agent = app.staff_as("petrov", "agent").await;
    ask(&mut anna, "Почему <i>соседи</i> шумят?").await;
    let desk = format!("/admin/questions/{}", newest(&app).await);
    let empty = put(&mut agent, &desk, "question.decline", &[("reason", "")]).await;
    assert_eq!(empty.message("question.decline", "reason"), "Заполните это поле");
    let reason = [("reason", "Это не о магазине <br>")];
    let declined = put(&mut agent, &desk, "question.decline", &reason).await;
    declined.assert_leads_to(&format!("{desk}?done=declined"));
    let page = anna.get(MINE).await;
    page.assert_says("Почему: Это не о магазине <br>");
    assert!(!boris.get(MINE).await.text().contains("соседи"), "it is hers");
    let late = [("seen", "1"), ("body", "x"), ("answer", ""), ("article", "")];
    let again = agent.send(&desk, "question.publish", &late).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_says("изменил кто-то другой");

    app.world.clock.set(start() + Duration::seconds(5));
    ask(&mut anna, "Где мои баллы за вторник?").await;
    let id = newest(&app).await;
    let desk = format!("/admin/questions/{id}");
    let moved = put(&mut agent, &desk, "question.move", &[]).await;
    moved.assert_leads_to(&format!("{desk}?done=moved"));
    let page = anna.get(MINE).await;
    page.assert_says("Ответим лично");
    assert!(page.body.contains("href=\"/support/1\""), "{}", page.body);
    assert!(
        anna.get("/support/1")
            .await
            .text()
            .contains("Где мои баллы за вторник?")
    );
    assert_eq!(boris.get("/support/1").await.status, StatusCode::NOT_FOUND);
    let shown = app.anybody().get(&format!("{ALL}/{id}")).await;
    assert_eq!(shown.status, StatusCode::NOT_FOUND);
    let log = "SELECT action FROM audit WHERE action LIKE 'question.%' AND action <> 'question.read' ORDER BY id";
    let expected = ["question.ask", "question.decline", "question.ask", "question.move"];
    assert_eq!(app.texts(log).await, expected);
}

#[tokio::test]
async fn what_is_private_is_pointed_out_and_one_asks_so_much_a_day() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let signed_out = app.anybody().get(NEW).await;
    assert_eq!(signed_out.location(), format!("/sign-in?next={NEW}"));
    let page = anna.get(&format!("{NEW}?topic=card")).await;
    page.assert_says("увидят все");
    assert!(page.body.contains("href=\"/help/lost-card\""), "the help may answer it");
    assert!(
        page.body.contains(&format!("href=\"{NEW}?topic=points_missing\"")),
        "{}",
        page.body
    );
    for private in ["+7 900 123-45-67", "anna@example.com", "4000 0012 3456 7899"] {
        let refused = ask(&mut anna, &format!("Позвоните {private}, пожалуйста")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{private}");
        let message = refused.message("question.ask", "text");
        assert!(message.contains("прочитают это все"), "{message}");
        let found = format!("Вот что мы нашли в вопросе: {private}");
        refused.assert_says(&found);
    }
    let empty = ask(&mut anna, " ").await;
    assert_eq!(empty.message("question.ask", "text"), "Напишите, о чём хотите спросить");
    let long = ask(&mut anna, &"я".repeat(1001)).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.count("SELECT COUNT(*) FROM questions").await, 0, "nothing was sent");

    // She says that it is none.
    let number = "Подойдёт артикул 4000001234567?";
    let sent = [("topic", "other"), ("text", number), ("shown", ""), ("harmless", "yes")];
    let sent = anna.send(NEW, "question.ask", &sent).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text());
    let mut agent = app.staff_as("petrov", "agent").await;
    let desk = agent.get(&format!("/admin/questions/{}", newest(&app).await)).await;
    desk.assert_says("Похоже на личные данные");
    assert!(desk.text().contains("на сайте: покупатель"), "she is not named");

    for n in 2..=5 {
        assert_eq!(
            ask(&mut anna, &format!("Вопрос {n}")).await.status,
            StatusCode::SEE_OTHER
        );
    }
    let enough = ask(&mut anna, "Ещё один").await;
    assert_eq!(enough.status, StatusCode::TOO_MANY_REQUESTS, "{}", enough.text());
    assert_eq!(
        enough.form("question.ask").get("text"),
        Some("Ещё один"),
        "what was typed stays"
    );
    let mut boris = app.customer("Борис").await;
    assert_eq!(ask(&mut boris, "А мне можно?").await.status, StatusCode::SEE_OTHER);
    app.world.clock.set(start() + Duration::days(1));
    assert_eq!(
        ask(&mut anna, "Ещё один").await.status,
        StatusCode::SEE_OTHER,
        "tomorrow"
    );
}

#[tokio::test]
async fn only_who_has_the_right_looks_through_questions() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    ask(&mut anna, "Есть ли доставка?").await;
    let id = newest(&app).await;
    let desk = format!("/admin/questions/{id}");
    let mut marketer = app.staff_as("mara", "marketer").await;
    for at in ["/admin/questions", desk.as_str()] {
        assert_eq!(marketer.get(at).await.status, StatusCode::FORBIDDEN, "{at}");
    }
    let seen = "1795262400000000";
    for (form, fields) in [
        (
            "question.publish",
            &[("body", "x"), ("answer", ""), ("article", "")][..],
        ),
        ("question.unpublish", &[]),
        ("question.decline", &[("reason", "x")]),
        ("question.move", &[]),
    ] {
        let fields = [&[("seen", seen)][..], fields].concat();
        let refused = marketer.send(&desk, form, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(app.texts("SELECT state FROM questions").await, ["new"]);
}
