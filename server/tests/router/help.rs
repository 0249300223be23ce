//! The help: what everybody reads, finds and says of it, and how staff write it.

use crate::common::html::tags;
use crate::common::{Reply, TestApp, with};
use crate::rules::put;
use app::ROUTES;
use app::route::{Access, Answer};
use axum::http::StatusCode;
use chrono::Duration;
use crm::testing::start;
use std::collections::BTreeSet;

/// Addresses within the site that a page leads to.
fn leads_to(page: &Reply) -> BTreeSet<String> {
    let tags = tags(&page.body);
    let links = tags
        .iter()
        .filter(|tag| tag.name == "a")
        .filter_map(|tag| tag.get("href"));
    links.filter(|href| href.starts_with('/')).map(str::to_owned).collect()
}

/// Codes of the articles that a page lists, in their order.
fn listed(page: &Reply) -> Vec<String> {
    let tags = tags(&page.body);
    let rows = tags.iter().filter(|tag| tag.get("class") == Some("row"));
    rows.filter_map(|tag| tag.get("href")?.strip_prefix("/help/").map(str::to_owned))
        .collect()
}

/// The articles speak of the product as it is: whatever one of them leads to is there, in both languages.
#[tokio::test]
async fn every_article_opens_and_leads_to_pages_that_are_there() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut tried = BTreeSet::new();
    for lang in ["ru", "en"] {
        let switched = anna.send("/help", "language", &[("language", lang)]).await;
        assert_eq!(switched.status, StatusCode::SEE_OTHER);
        let codes = listed(&anna.get("/help").await);
        assert!(codes.len() >= 24, "{}", codes.len());
        for code in codes {
            let at = format!("/help/{code}");
            let page = anna.get(&at).await;
            assert_eq!(page.status, StatusCode::OK, "{at}");
            assert!(
                !page.body.contains("](") && !page.body.contains("**"),
                "{at} is rendered"
            );
            for there in leads_to(&page) {
                if !tried.insert(there.clone()) {
                    continue;
                }
                let reply = anna.get(&there).await;
                let is_there = reply.status == StatusCode::OK || reply.location() == "/";
                assert!(is_there, "{at} leads to {there}: {}", reply.status);
            }
        }
    }
    assert!(
        tried.contains("/purchases/claim") && tried.contains("/what-if"),
        "{tried:?}"
    );
}

/// Pages of customers that no article leads to, each with why.
const WITHOUT_AN_ARTICLE: [(&str, &str); 7] = [
    (
        "/welcome",
        "whoever is new is led there, and the help itself leads there",
    ),
    ("/card/offline", "the worker keeps it, nobody opens it"),
    ("/points/transfer/confirm", "a step of a form"),
    ("/profile/contacts/code", "a step of a form"),
    ("/confirm", "a step of a form"),
    ("/confirm/code", "a step of a form"),
    (
        "/profile/providers",
        "not every shop has other services to sign in with",
    ),
];

/// Whatever a customer can open is told of: a page that is new needs an article, or a word above of why not.
#[tokio::test]
async fn some_article_leads_to_every_page_of_a_customer() {
    let app = TestApp::new().await;
    let pages: BTreeSet<&str> = ROUTES
        .iter()
        .filter(|route| route.access == Access::Customer && matches!(route.answer, Answer::Page(_)))
        .map(|route| route.path)
        .filter(|path| !path.contains('{'))
        .collect();
    let excepted: BTreeSet<&str> = WITHOUT_AN_ARTICLE.iter().map(|(path, _)| *path).collect();
    for sql in [
        "SELECT json_extract(content, '$.body.ru') FROM help_versions",
        "SELECT json_extract(content, '$.body.en') FROM help_versions",
    ] {
        let bodies = app.texts(sql).await;
        let links: BTreeSet<&str> = bodies
            .iter()
            .flat_map(|body| body.split("](").skip(1))
            .filter_map(|rest| rest.split([')', '?', '#']).next())
            .collect();
        let untold: BTreeSet<&str> = pages.difference(&links).copied().collect();
        assert_eq!(untold, excepted, "{sql}");
    }
}

/// Whoever waits for a code on a number that they have no more reads there what to do, and needs to be nobody's customer for it.
#[tokio::test]
async fn who_has_lost_the_number_is_told_beside_the_code_what_to_do() {
    let app = TestApp::new().await;
    let (mut who, phone) = (app.anybody(), app.free_phone());
    let asked = who.send("/sign-in", "sign_in.start", &[("phone", &phone)]).await;
    asked.assert_leads_to("/sign-in/code");
    assert!(leads_to(&who.get("/sign-in/code").await).contains("/help/number-lost"));
    let article = who.get("/help/number-lost").await;
    assert_eq!(article.status, StatusCode::OK, "{}", article.text());
    let links = leads_to(&article);
    assert!(
        links.contains("/sign-in?by=email") && links.contains("/stores"),
        "{links:?}"
    );
    // Where the article is not shown, nobody is led to a page that is not there.
    app.execute(
        "UPDATE help_versions SET withdrawn_at = published_at \
         WHERE article_id = (SELECT id FROM help_articles WHERE code = 'number-lost')",
    )
    .await;
    assert_eq!(who.get("/help/number-lost").await.status, StatusCode::NOT_FOUND);
    let links = leads_to(&who.get("/sign-in/code").await);
    assert!(
        links.contains("/help") && !links.contains("/help/number-lost"),
        "{links:?}"
    );
}

#[tokio::test]
async fn a_search_puts_titles_first_and_what_it_does_not_find_is_noted() {
    let app = TestApp::new().await;
    let mut anybody = app.anybody();
    let found = anybody
        .get("/help?q=%D0%91%D0%90%D0%9B%D0%9B%D0%9E%D0%92%20%D1%81%D0%B3%D0%BE%D1%80%D1%8F%D1%82")
        .await;
    let codes = listed(&found);
    assert_eq!(
        codes.first().map(String::as_str),
        Some("when-points-expire"),
        "{codes:?}"
    );
    assert!(
        codes.contains(&"give-points".to_owned()),
        "it is only in its text: {codes:?}"
    );
    assert!(!codes.contains(&"lost-card".to_owned()), "{codes:?}");
    let nothing = anybody.get("/help?q=helicopter+anna@example.com+42").await;
    assert_eq!(listed(&nothing), [""; 0]);
    nothing.assert_says("Такого ответа у нас пока нет");
    assert!(leads_to(&nothing).contains("/support/new"));
    let noted = "SELECT text || ' ' || hits FROM help_searches ORDER BY hits";
    let expected = ["helicopter 0".to_owned(), format!("баллов сгорят {}", codes.len())];
    assert_eq!(app.texts(noted).await, expected);
    // What a browser fetches ahead of time nobody has looked for.
    let mut ahead = anybody.clone().with("sec-purpose", "prefetch");
    ahead.get("/help?q=unicorn").await;
    assert_eq!(app.texts(noted).await, expected);
    // Nor is a search without a word.
    for empty in ["/help?q=", "/help?q=+", "/help?q=%3F"] {
        assert_eq!(anybody.get(empty).await.status, StatusCode::OK, "{empty}");
    }
    assert_eq!(app.texts(noted).await, expected);
}

#[tokio::test]
async fn a_reader_says_once_a_day_whether_it_helped_and_what_was_missing() {
    let app = TestApp::new().await;
    let at = "/help/lost-card";
    const VOTES: &str = "SELECT useful || ' ' || COALESCE(missing, '-') FROM help_votes ORDER BY voted_at, useful";
    let mut anybody = app.anybody();
    let asked = anybody.get(at).await.form("help.vote");
    assert_eq!(
        asked.buttons,
        [("useful", "true"), ("useful", "false")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let yes = anybody.send(at, "help.vote", &[("useful", "true")]).await;
    yes.assert_leads_to(&format!("{at}?done=useful#useful"));
    assert!(
        anybody
            .get(&format!("{at}?done=useful"))
            .await
            .text()
            .contains("Спасибо")
    );
    let no = anybody.send(at, "help.vote", &[("useful", "false")]).await;
    no.assert_leads_to(&format!("{at}?done=useless#useful"));
    assert_eq!(app.texts(VOTES).await, ["0 -"], "one vote, as they see it last");
    let asks = format!("{at}?done=useless");
    assert!(anybody.get(&asks).await.form("help.missing").get("missing").is_some());
    let empty = anybody.send(&asks, "help.missing", &[("missing", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(empty.message("help.missing", "missing"), "Напишите, чего не хватило");
    let long = "я".repeat(1001);
    let long = anybody.send(&asks, "help.missing", &[("missing", &long)]).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = anybody.send(&asks, "help.missing", &[("missing", "Адреса")]).await;
    told.assert_leads_to(&format!("{at}?done=told#useful"));
    assert_eq!(app.texts(VOTES).await, ["0 Адреса"]);

    // Somebody else, and the same one tomorrow.
    let mut anna = app.customer("Анна").await;
    anna.send(at, "help.vote", &[("useful", "true")]).await;
    anna.send(at, "help.vote", &[("useful", "true")]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM help_votes").await, 2);
    app.world.clock.set(start() + Duration::days(1));
    anybody.send(at, "help.vote", &[("useful", "true")]).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM help_votes").await, 3);
    let her_id = anna.id().await.0.simple().to_string();
    let everything = app.everything(&[]).await;
    let votes: Vec<_> = everything.iter().filter(|row| row.starts_with("help_")).collect();
    assert!(
        votes
            .iter()
            .all(|row| !row.to_lowercase().replace('-', "").contains(&her_id)),
        "nobody is named"
    );
    for nonsense in [&[("useful", "perhaps")][..], &[]] {
        let refused = anybody.send(at, "help.vote", nonsense).await;
        assert!(refused.status.is_client_error(), "{}", refused.status);
    }
    let nowhere = anybody.send("/help/nothing", "help.vote", &[("useful", "true")]).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

/// Before a customer writes, the answers about a topic stand above the form, and what was asked for stays.
#[tokio::test]
async fn answers_stand_before_the_form_of_a_request() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await.with_purchase("A-1", "Чайник", 250_000).await;
    let without = anna.get("/support/new").await;
    assert_eq!(listed(&without), [""; 0], "no topic yet");
    without.assert_says("Может быть, ответ уже есть");
    let card = anna.get("/support/new?topic=card").await;
    let codes = listed(&card);
    assert!(codes.contains(&"lost-card".to_owned()), "{codes:?}");
    assert!(!codes.contains(&"claim-a-receipt".to_owned()), "{codes:?}");
    assert_eq!(card.form("request.create").get("topic"), Some("card"));
    let receipt = anna.get("/purchases").await;
    let receipt = leads_to(&receipt)
        .into_iter()
        .find_map(|href| {
            href.strip_prefix("/purchases/")
                .filter(|id| id.len() == 36)
                .map(str::to_owned)
        })
        .expect("a receipt");
    let about = anna.get(&format!("/support/new?receipt={receipt}")).await;
    assert!(
        listed(&about).contains(&"claim-a-receipt".to_owned()),
        "a receipt is about a purchase"
    );
    let kept = format!("/support/new?topic=points_missing&receipt={receipt}");
    assert!(leads_to(&about).contains(&kept), "{:?}", leads_to(&about));
    let line = anna.get(&format!("/support/new?receipt={receipt}&line=all")).await;
    let kept = format!("/support/new?topic=card&receipt={receipt}&line=all");
    assert!(leads_to(&line).contains(&kept), "{:?}", leads_to(&line));
    // Ways there, for whoever is signed in and whoever is not.
    for at in ["/", "/support", "/card"] {
        assert!(leads_to(&anna.get(at).await).contains("/help"), "{at}");
    }
    assert!(leads_to(&app.anybody().get("/sign-in").await).contains("/help"));
}

/// What a request says is looked for by a button of its form: nothing is sent, kept or lost by it.
#[tokio::test]
async fn a_request_that_is_being_written_is_answered_and_stays() {
    const AT: &str = "/support/new";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let text = "Здравствуйте! Вчера потеряла карту на Тверской. Мой телефон +79001234567";
    let form = anna.get(AT).await.form("request.create");
    assert_eq!(form.buttons, [("find".to_owned(), "yes".to_owned())]);
    let before = app.everything(&[]).await;
    let found = anna.submit(AT, &form.with("text", text).with("find", "yes")).await;
    assert_eq!(
        found.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "it is the page of the form"
    );
    assert!(listed(&found).contains(&"lost-card".to_owned()), "{:?}", listed(&found));
    assert!(!found.body.contains("role=\"alert\""), "nothing is wrong with it");
    assert_eq!(
        app.everything(&[]).await,
        before,
        "nothing is noted of what somebody writes"
    );
    // What the topic is about comes after what the message names.
    let form = found.form("request.create").with("topic", "points_missing");
    let found = anna.submit(AT, &form.clone().with("find", "yes")).await;
    let codes = listed(&found);
    assert!(
        codes.contains(&"claim-a-receipt".to_owned()) || codes.len() == 6,
        "{codes:?}"
    );
    let form = found.form("request.create");
    assert_eq!(
        [form.get("text"), form.get("topic")],
        [Some(text), Some("points_missing")]
    );
    let nothing = anna
        .submit(
            AT,
            &form.clone().with("text", "Ъ").with("topic", "").with("find", "yes"),
        )
        .await;
    nothing.assert_says("Готового ответа не нашли");
    // The form under the same key is still to be sent, and says what is wrong where something is.
    let wrong = anna.submit(AT, &form.clone().with("topic", "")).await;
    assert!(wrong.body.contains("role=\"alert\""), "{}", wrong.text());
    assert!(anna.submit(AT, &form).await.location().starts_with("/support/"));
}

/// What does not fit on the first look is folded away, not left out.
#[tokio::test]
async fn a_search_shows_everything_that_it_counts() {
    let app = TestApp::new().await;
    let found = app.anybody().get("/help?q=%D0%B1%D0%B0%D0%BB%D0%BB%D1%8B").await;
    let count = listed(&found).len();
    assert!(count > 20, "the articles about points: {count}");
    assert!(
        found.text().contains(&format!("Нашлось {count} ответ")),
        "{}",
        found.text()
    );
    assert!(
        found.text().contains(&format!("Ещё {} ответ", count - 20)),
        "{}",
        found.text()
    );
}

/// Everything that an article says, with some of it changed.
fn text<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    with(
        vec![
            ("category", "card"),
            ("topic", "card"),
            ("title_ru", "Карта в подарок"),
            ("title_en", "A card as a present"),
            ("summary_ru", "Коротко"),
            ("summary_en", "In short"),
            ("keywords_ru", "подарочная"),
            ("keywords_en", "gift"),
            ("body_ru", "Первый **текст**\n\n<script>alert(1)</script>"),
            ("body_en", "The first text"),
            ("expires", ""),
        ],
        changed,
    )
}

const LIST: &str = "/admin/help";
const GIFT: &str = "/admin/help/gift";

#[tokio::test]
async fn an_article_is_drafted_looked_at_published_compared_and_withdrawn() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let mut anybody = app.anybody();
    let wrong = text(&[
        ("key", "карта"),
        ("title_en", " "),
        ("category", "nowhere"),
        ("topic", "x"),
    ]);
    let wrong = staff.send(LIST, "help.create", &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, message) in [
        ("key", "Подходят латинские буквы, цифры, дефис и подчёркивание"),
        ("title_en", "Заполните это поле"),
        ("category", "Выберите из списка"),
        ("topic", "Выберите из списка"),
    ] {
        assert_eq!(wrong.message("help.create", field), message, "{field}");
    }
    assert_eq!(
        wrong.form("help.create").get("title_ru"),
        Some("Карта в подарок"),
        "what was typed stays"
    );
    let wrong = text(&[("key", "gift"), ("title_ru", ""), ("expires", "завтра")]);
    let wrong = staff.send(LIST, "help.create", &wrong).await;
    assert!(!wrong.message("help.create", "expires").is_empty());
    assert_eq!(
        wrong.message("help.create", "title_ru"),
        "Заполните это поле",
        "told together"
    );
    let taken = staff.send(LIST, "help.create", &text(&[("key", "lost-card")])).await;
    assert_eq!(taken.message("help.create", "key"), "Такой уже есть");

    // Half a draft: staff see it, and what it lacks; nobody else sees anything.
    let made = staff
        .send(LIST, "help.create", &text(&[("key", "Gift"), ("body_en", "")]))
        .await;
    made.assert_leads_to(&format!("{GIFT}?done=created"));
    let page = staff.get(GIFT).await;
    page.assert_says("Текст по-английски: Заполните это поле");
    assert!(!page.body.contains("help.publish"), "it cannot be published");
    for at in [
        "/help/gift",
        "/help?q=%D0%BF%D0%BE%D0%B4%D0%B0%D1%80%D0%BE%D1%87%D0%BD%D0%B0%D1%8F",
    ] {
        assert!(!anybody.get(at).await.text().contains("Карта в подарок"), "{at}");
    }
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        anybody.get(&format!("{GIFT}/preview")).await.status,
        StatusCode::SEE_OTHER
    );
    let saved = put(&mut staff, GIFT, "help.draft", &text(&[])).await;
    saved.assert_leads_to(&format!("{GIFT}?done=drafted#draft"));
    let preview = staff.get(&format!("{GIFT}/preview")).await;
    assert!(
        preview.body.contains("Первый <strong>текст</strong>"),
        "{}",
        preview.body
    );
    assert!(!preview.body.contains("<script>alert"), "it is text");

    // At a time, taken back, and now.
    let past = put(&mut staff, GIFT, "help.publish", &[("from", "2020-01-01T10:00")]).await;
    assert_eq!(past.message("help.publish", "from"), "Этот момент уже прошёл");
    let ahead = put(&mut staff, GIFT, "help.publish", &[("from", "2026-11-21T15:10")]).await;
    ahead.assert_leads_to(&format!("{GIFT}?done=scheduled"));
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::NOT_FOUND, "not yet");
    let back = staff.send(GIFT, "help.cancel", &[]).await;
    back.assert_leads_to(&format!("{GIFT}?done=cancelled"));
    let published = put(&mut staff, GIFT, "help.publish", &[("from", "")]).await;
    published.assert_leads_to(&format!("{GIFT}?done=published"));
    let read = anybody.get("/help/gift").await;
    assert!(read.body.contains("Первый <strong>текст</strong>"), "{}", read.body);
    assert!(
        read.body.contains("&lt;script&gt;") && !read.body.contains("<script>alert"),
        "it is text"
    );

    // The next version, with its differences; a colleague who was slower.
    app.world.clock.set(start() + Duration::seconds(5));
    let next = text(&[("body_ru", "Второй текст"), ("expires", "2026-11-22")]);
    put(&mut staff, GIFT, "help.draft", &next).await;
    assert!(
        anybody.get("/help/gift").await.text().contains("Первый"),
        "a draft changes nothing"
    );
    let mut colleague = app.staff("max").await;
    let late = colleague.send(GIFT, "help.draft", &text(&[("seen", "")])).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    late.assert_says("изменил кто-то другой");
    put(&mut staff, GIFT, "help.publish", &[("from", "")]).await;
    let page = staff.get(GIFT).await;
    for told in ["<del>Первый **текст**</del>", "<ins>Второй текст</ins>"] {
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    for told in [
        "Создано",
        "Записан черновик",
        "Отменено запланированное",
        "Опубликовано",
        "mara",
    ] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    assert!(anybody.get("/help/gift").await.text().contains("Второй текст"));

    // Its last day, and the day after.
    let day = |days| start() + Duration::days(days);
    app.world.clock.set(day(1));
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::OK);
    app.world.clock.set(day(2));
    for at in ["/help/gift", "/help", "/help?q=gift"] {
        assert!(!anybody.get(at).await.text().contains("Карта в подарок"), "{at}");
    }
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::NOT_FOUND, "expired");
    let vote = anybody.send("/help/gift", "help.vote", &[("useful", "true")]).await;
    assert_eq!(vote.status, StatusCode::NOT_FOUND);

    let mut staff = app.staff_as("nina", "lead").await;
    assert!(staff.get(GIFT).await.text().contains("Срок вышел"));
    put(&mut staff, GIFT, "help.draft", &text(&[("seen", "")])).await;
    put(&mut staff, GIFT, "help.publish", &[("from", "")]).await;
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::OK);
    let gone = staff.send(GIFT, "help.withdraw", &[]).await;
    gone.assert_leads_to(&format!("{GIFT}?done=withdrawn"));
    assert_eq!(anybody.get("/help/gift").await.status, StatusCode::NOT_FOUND);
    let twice = staff.send(GIFT, "help.withdraw", &[]).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    twice.assert_says("изменил кто-то другой");

    // What was never published goes with its draft.
    staff.send(LIST, "help.create", &text(&[("key", "other")])).await;
    let discard = staff.get("/admin/help/other").await.form("help.discard");
    let gone = staff.submit("/admin/help/other", &discard).await;
    gone.assert_leads_to(&format!("{LIST}?done=discarded"));
    assert_eq!(staff.get("/admin/help/other").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn staff_see_what_helped_and_what_readers_were_left_without() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    for (n, useful) in ["true", "true", "false"].into_iter().enumerate() {
        let mut reader = app.anybody();
        reader.send("/help/tiers", "help.vote", &[("useful", useful)]).await;
        if n == 2 {
            reader
                .send(
                    "/help/tiers",
                    "help.missing",
                    &[("missing", "Примера <b>с числами</b>")],
                )
                .await;
        }
        for _ in 0..=n {
            reader.get("/help?q=helicopter").await;
        }
    }
    app.anybody().get("/help?q=unicorn").await;
    let page = staff.get(LIST).await;
    let words = page.words();
    assert!(words.contains("3 66 %"), "votes and their share: {words}");
    let (often, seldom) = (words.find("helicopter RU 6"), words.find("unicorn RU 1"));
    assert!(often.is_some() && often < seldom, "the most frequent first: {words}");
    assert!(words.contains("Примера <b>с числами</b>"), "as text: {words}");
    let log = app
        .texts("SELECT action FROM audit WHERE action LIKE 'help.%' ORDER BY id")
        .await;
    assert_eq!(log, ["help.list", "help.gaps", "help.parts"]);
}

#[tokio::test]
async fn parts_are_named_and_put_in_order() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let at = "/admin/help-parts";
    let wrong = staff
        .send(
            at,
            "help.part_add",
            &[("key", "подарки"), ("ru", "Подарки"), ("en", "")],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.message("help.part_add", "en"), "Заполните это поле");
    let added = staff
        .send(
            at,
            "help.part_add",
            &[("key", "gifts"), ("ru", "Подарки"), ("en", "Gifts")],
        )
        .await;
    added.assert_leads_to(&format!("{at}?done=added"));
    // The form of the first part stands first.
    let card = staff.get(at).await.form("help.part_change");
    let seen = card.get("seen").map(str::to_owned).expect("a field");
    let fields = |position| {
        [
            ("_form", "part-card"),
            ("seen", seen.as_str()),
            ("ru", "Карты"),
            ("en", "Cards"),
            ("position", position),
        ]
    };
    let wrong = staff.send(at, "help.part_change", &fields("0")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.assert_says("Число от 1 до 1000");
    let saved = staff.send(at, "help.part_change", &fields("9")).await;
    saved.assert_leads_to(&format!("{at}?done=saved"));
    let late = staff.send(at, "help.part_change", &fields("9")).await;
    late.assert_says("изменил кто-то другой");
    let page = app.anybody().get("/help").await.text();
    let (points, cards) = (
        page.find("Баллы За что приходят"),
        page.find("Карты Как получить карту"),
    );
    assert!(points.is_some() && points < cards, "{page}");
    assert!(!page.contains("Подарки"), "a part without articles is not shown");
}

#[tokio::test]
async fn a_part_is_closed_while_articles_stand_in_it_and_removed_without_them() {
    let app = TestApp::new().await;
    let mut staff = app.staff_as("mara", "marketer").await;
    let at = "/admin/help-parts";
    let page = staff.get(at).await;
    assert!(
        !page.body.contains("help.part_remove"),
        "each has articles: {}",
        page.text()
    );
    page.assert_says("Чтобы удалить его, сначала перенесите их");
    page.assert_says("Как получить карту");
    let refused = staff.send(at, "help.part_remove", &[("part", "card")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("В этом разделе уже есть статья");
    let fields = [("part", "card"), ("open", "false")];
    let closed = staff.send(at, "help.part_switch", &fields).await;
    closed.assert_leads_to(&format!("{at}?done=closed"));

    // Readers see it as before, what stands in it stays, and nothing new comes.
    let shown = app.anybody().get("/help").await.text();
    assert!(shown.contains("Карта Как получить карту"), "{shown}");
    let list = staff.get("/admin/help").await;
    let choices = list.body.split("name=\"category\"").nth(1).expect("a choice");
    let choices = choices.split("</select>").next().expect("its end");
    assert!(!choices.contains("value=\"card\"") && choices.contains("value=\"points\""));
    let new = [
        ("key", "gift-card"),
        ("category", "card"),
        ("topic", ""),
        ("title_ru", "Карта в подарок"),
        ("title_en", "A card as a gift"),
        ("expires", ""),
    ];
    let all = ["summary", "keywords", "body"].map(|field| [format!("{field}_ru"), format!("{field}_en")]);
    let mut new = new.to_vec();
    new.extend(all.iter().flatten().map(|field| (field.as_str(), "")));
    let wrong = staff.send("/admin/help", "help.create", &new).await;
    assert_eq!(wrong.message("help.create", "category"), "Выберите из списка");
    let kept = staff.get("/admin/help/lost-card").await.form("help.draft");
    assert_eq!(kept.get("category"), Some("card"));
    let kept = staff.submit("/admin/help/lost-card", &kept).await;
    kept.assert_leads_to("/admin/help/lost-card?done=drafted#draft");

    // A draft alone keeps a part as well.
    let gifts = [("key", "gifts"), ("ru", "Подарки"), ("en", "Gifts")];
    staff.send(at, "help.part_add", &gifts).await;
    new.retain(|(name, _)| *name != "category");
    new.push(("category", "gifts"));
    let created = staff.send("/admin/help", "help.create", &new).await;
    created.assert_leads_to("/admin/help/gift-card?done=created");
    assert!(!staff.get(at).await.body.contains("help.part_remove"));
    let draft = staff.get("/admin/help/gift-card").await.form("help.discard");
    staff.submit("/admin/help/gift-card", &draft).await;
    let gone = staff.get(at).await.form("help.part_remove");
    assert_eq!(gone.get("part"), Some("gifts"));
    let gone = staff.submit(at, &gone).await;
    gone.assert_leads_to(&format!("{at}?done=removed"));
    let opened = staff
        .send(at, "help.part_switch", &[("part", "card"), ("open", "true")])
        .await;
    opened.assert_leads_to(&format!("{at}?done=reopened"));
    let log = app
        .texts("SELECT action FROM audit WHERE action IN ('help.part_close', 'help.part_remove', 'help.part_reopen') ORDER BY id")
        .await;
    assert_eq!(log, ["help.part_close", "help.part_remove", "help.part_reopen"]);
}

/// Whoever may not write the help reads it as everybody does, and is shown no draft.
#[tokio::test]
async fn s17_only_whoever_has_the_right_sees_and_writes_drafts_of_the_help() {
    let town = crate::common::Town::new().await;
    let mut agent = town.app.staff_as("only_agent", "agent").await;
    let before = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    let mut tried = 0;
    for route in ROUTES.iter().filter(|route| route.path.starts_with(LIST)) {
        let at = town.path(route.path).await.expect("a sample");
        assert_eq!(agent.get(&at).await.status, StatusCode::FORBIDDEN, "{at}");
        for form in route.forms {
            let seen = match form.name {
                "help.part_change" => r#"{"code": "card", "name": {"ru": "Карта", "en": "Card"}, "position": 1}"#,
                _ => "1",
            };
            let fields = text(&[
                ("key", "mine"),
                ("seen", seen),
                ("from", ""),
                ("ru", "Моё"),
                ("en", "Mine"),
                ("position", "1"),
            ]);
            let reply = agent.send(&at, form.name, &fields).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{} at {at}", form.name);
            tried += 1;
        }
    }
    assert_eq!(tried, 10);
    assert_eq!(agent.get("/help/lost-card").await.status, StatusCode::OK);
    let after = town.app.everything(&["sessions", "audit", "idempotency_keys"]).await;
    assert_eq!(after, before, "nothing changed");
}

#[tokio::test]
async fn hard_words_lead_to_articles_that_are_there() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    // Points of one program wait, and those of another one are active at once.
    anna.send("/programs/family", "program.join", &[("terms", "1")]).await;
    app.world.clock.set(start() + Duration::days(2));
    let mut anna = anna.with_purchase("A-1", "Чайник", 1_000_00).await;
    crm::points::store::run_due(&app.world.db, &crate::common::BY)
        .await
        .expect("done");
    for (page, article, words) in [
        ("/points", "/help/when-points-become-active", "Почему баллы ждут"),
        ("/points", "/help/when-points-expire", "Почему баллы сгорают"),
        ("/points/expiry", "/help/when-points-expire", "Почему баллы сгорают"),
    ] {
        let reply = anna.get(page).await;
        assert!(reply.text().contains(words), "{page}: {}", reply.text());
        assert!(leads_to(&reply).contains(article), "{page}");
        assert_eq!(anna.get(article).await.status, StatusCode::OK, "{article}");
    }
    assert_eq!(
        anna.get("/help/tiers").await.status,
        StatusCode::OK,
        "programs lead there"
    );
    let text = app.customer("Борис").await.get("/points").await.text();
    assert!(
        !text.contains("Почему баллы"),
        "nothing waits and nothing expires: {text}"
    );
}

#[tokio::test]
async fn a_shop_that_says_so_is_reached_from_every_foot_and_from_the_help() {
    let app = TestApp::build(false, |config| {
        config.shop.phone = "8 (800) 555-35-35".into();
        config.shop.email = "club@example.com".into();
    })
    .await;
    let mut anna = app.customer("Анна").await;
    for page in [app.anybody().get("/help").await, anna.get("/").await] {
        assert!(page.body.contains("href=\"tel:+78005553535\""), "{}", page.body);
        assert!(page.body.contains("href=\"mailto:club@example.com\""), "{}", page.body);
    }
    // Where somebody looks for help it stands above the foot as well, and a customer finds the hours beside it.
    let mut anybody = app.anybody();
    for (page, knows_hours) in [
        (anybody.get("/help").await, false),
        (anna.get("/help").await, true),
        (anna.get("/support").await, true),
    ] {
        page.assert_says("Связаться с магазином");
        for link in ["href=\"tel:+78005553535\"", "href=\"mailto:club@example.com\""] {
            assert_eq!(page.body.matches(link).count(), 2, "{}: {link}", page.path);
        }
        assert_eq!(leads_to(&page).contains("/stores"), knows_hours, "{}", page.path);
    }
    let app = TestApp::new().await;
    let mut boris = app.customer("Борис").await;
    for page in [app.anybody().get("/help").await, boris.get("/support").await] {
        assert!(
            !page.body.contains("tel:") && !page.body.contains("mailto:"),
            "{}",
            page.body
        );
        assert!(!page.text().contains("Связаться с магазином"), "{}", page.text());
    }
}
