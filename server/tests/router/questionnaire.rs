//! What a customer tells of themselves, from page to page: the questionnaire, what staff see of it, a birthday that is changed too
//! often, and what they like in their own words.

use crate::common::{BY, TestApp};
use axum::http::StatusCode;
use crm::rule::Rule;

/// A rule that gives points of the club for the questionnaire.
async fn reward(app: &TestApp) {
    let club = app
        .text("SELECT lower(hex(id)) FROM programs WHERE code = 'club'")
        .await;
    let json = format!(
        r#"{{"name": {{"ru": "Анкета", "en": "Told"}}, "occasion": "questionnaire", "effects":
            [{{"points_fixed": {{"program": "{club}", "points": 5000, "each": "purchase"}}}}]}}"#
    );
    let rule: Rule = serde_json::from_str(&json).expect("a rule");
    crm::rule::store::publish_by_system(&app.world.db, &BY, None, &rule, None)
        .await
        .expect("published");
}

const PATH: &str = "/questionnaire";
const TELL: &str = "questionnaire.tell";

#[tokio::test]
async fn a_customer_answers_what_they_like_and_takes_it_back() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    assert!(anna.get("/profile").await.body.contains("href=\"/questionnaire\""));
    let page = anna.get(PATH).await;
    for words in [
        "ни один ответ не обязателен",
        "Чтобы подборки и подарки подходили вам",
        "Не скажу",
    ] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    assert!(
        !page.body.contains("questionnaire.withdraw"),
        "there is nothing to delete"
    );
    let wrong = anna.send(PATH, TELL, &[("sex", "female"), ("income", "much")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.message(TELL, "income").is_empty());
    assert_eq!(wrong.form(TELL).get("sex"), Some("female"), "what was chosen stays");
    let done = anna.send(PATH, TELL, &[("sex", "female"), ("income", "from_60")]).await;
    done.assert_leads_to("/questionnaire?done=told");
    let page = anna.get(done.location()).await;
    page.assert_says("Спасибо, сохранили");
    let form = page.form(TELL);
    assert_eq!((form.get("sex"), form.get("income")), (Some("female"), Some("from_60")));
    let gone = anna.send(PATH, "questionnaire.withdraw", &[]).await;
    assert_eq!(gone.location(), "/questionnaire?done=withdrawn");
    assert_eq!(app.count("SELECT COUNT(*) FROM answers").await, 0);
    assert_eq!(anna.get(PATH).await.form(TELL).get("sex"), Some(""));
}

#[tokio::test]
async fn answers_are_asked_for_on_the_first_page_while_a_rule_gives_something_for_them() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let asked = "Расскажите о себе";
    assert!(!anna.get("/").await.text().contains(asked), "no rule gives anything");
    reward(&app).await;
    let home = anna.get("/").await;
    assert!(
        home.text().contains(asked) && home.text().contains("50 баллов"),
        "{}",
        home.text()
    );
    let page = anna.get(PATH).await.text();
    for words in [
        "За все ответы вы получите: ",
        "Ответ «Доход на человека в месяц» для этого не нужен",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let all = [("sex", "female"), ("occupation", "study"), ("household", "alone")];
    anna.send(PATH, TELL, &all).await;
    assert!(!anna.get("/").await.text().contains(asked), "given");
    assert!(!anna.get(PATH).await.text().contains("За все ответы"));
    let points = anna.get("/points").await.text();
    assert!(points.contains("Анкета"), "{points}");
}

#[tokio::test]
async fn s17_staff_read_incomes_by_a_right_of_its_own_and_the_customer_sees_it() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    anna.send(PATH, TELL, &[("sex", "female"), ("income", "from_60")]).await;
    let at = format!("/admin/customers/{}", anna.id().await);
    let shown = format!("{at}?income=shown");
    let reads = "SELECT COUNT(*) FROM audit WHERE action = 'customer.read' AND reason = 'income'";
    let income = "60–100 тысяч";

    let mut agent = app.staff_as("petrov", "agent").await;
    let page = agent.get(&at).await.text();
    assert!(page.contains("Женский") && !page.contains(income), "{page}");
    assert!(!page.contains("Показать ответ о доходе"), "{page}");
    assert_eq!(agent.get(&shown).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count(reads).await, 0);

    let mut chief = app.staff("ivanova").await;
    let page = chief.get(&at).await.text();
    assert!(
        page.contains("Показать ответ о доходе") && !page.contains(income),
        "{page}"
    );
    assert_eq!(app.count(reads).await, 0, "who did not ask has not read");
    let page = chief.get(&shown).await.text();
    assert!(page.contains(income), "{page}");
    assert_eq!(app.count(reads).await, 1);
    let looks = anna.get("/profile/views").await.text();
    assert!(looks.contains("Прочитан ваш ответ о доходе"), "{looks}");
}

#[tokio::test]
async fn a_birthday_is_changed_by_request_once_it_was_changed_often() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let sent = |day: &'static str| {
        [
            ("name", "Анна"),
            ("surname", "Лебедева"),
            ("day", day),
            ("month", "5"),
            ("year", "1990"),
            ("address", "Тверь, Садовая, 1"),
        ]
    };
    let form = "profile.person";
    for day in ["4", "5"] {
        let done = anna.send("/profile/person", form, &sent(day)).await;
        done.assert_leads_to("/profile?done=person");
    }
    let page = anna.get("/profile/person").await;
    assert_eq!(page.form(form).get("address"), Some("Тверь, Садовая, 1"));
    assert!(page.body.contains("/support/new?topic=profile"), "{}", page.text());
    let refused = anna.send("/profile/person", form, &sent("6")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.message(form, "birthday").contains("уже меняли"),
        "{}",
        refused.text()
    );

    let mut agent = app.staff_as("petrov", "agent").await;
    let at = format!("/admin/customers/{}", anna.id().await);
    let page = agent.get(&at).await;
    page.assert_says("Тверь, Садовая, 1");
    let allow = page.form("birthday.allow");
    let silent = agent.submit(&at, &allow).await;
    assert_eq!(silent.message("birthday.allow", "reason"), "Напишите, почему");
    let done = agent.submit(&at, &allow.with("reason", "Показала паспорт")).await;
    done.assert_leads_to(&format!("{at}?done=allowed"));
    assert!(!agent.get(&at).await.body.contains("birthday.allow"));
    let looks = anna.get("/profile/views").await.text();
    assert!(looks.contains("Показала паспорт"), "{looks}");
    let done = anna.send("/profile/person", form, &sent("6")).await;
    done.assert_leads_to("/profile?done=person");
    let again = anna.send("/profile/person", form, &sent("7")).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_a_customer_likes_in_their_own_words_stays_and_staff_read_it() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let likes = [
        ("store", ""),
        ("language", "ru"),
        ("brands", "Заря <b>"),
        ("sizes", "обувь 38"),
        ("occasions", "дача"),
        ("wishes", "Больше чая"),
    ];
    let path = "/profile/preferences";
    let done = anna.send(path, "profile.preferences", &likes).await;
    done.assert_leads_to("/profile?done=preferences");
    let form = anna.get(path).await.form("profile.preferences");
    for (field, words) in &likes[2..] {
        assert_eq!(form.get(field).map(str::trim), Some(*words));
    }
    let long = "я".repeat(201);
    let wrong = anna
        .send(
            path,
            "profile.preferences",
            &[("store", ""), ("language", "ru"), ("brands", &long)],
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.message("profile.preferences", "brands").is_empty());
    let at = format!("/admin/customers/{}", anna.id().await);
    let page = app.staff_as("petrov", "agent").await.get(&at).await.text();
    for words in ["Заря <b>", "обувь 38", "дача", "Больше чая"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

/// What staff write is asked from then on; whoever did not see the last version does not write the next.
#[tokio::test]
async fn a_question_that_staff_write_is_asked() {
    const AT: &str = "/admin/questionnaire";
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut mara = app.staff_as("mara", "marketer").await;
    let says = [
        ("key", "pets"),
        ("title_ru", "Кто у вас живёт"),
        ("title_en", "Who lives with you"),
        ("why_ru", "Чтобы был корм"),
        ("why_en", "To have food for them"),
        ("choices", "cat: Кошка / A cat\ndog: Собака / A dog"),
        ("position", "2"),
        ("asked", "yes"),
    ];
    let mut wrong = says.to_vec();
    wrong[5].1 = "cat: Кошка / A cat\ndog";
    let wrong = mara.send(AT, "questionnaire.add", &wrong).await;
    assert_eq!(
        wrong.message("questionnaire.add", "choices"),
        "Не удаётся прочитать: строка 2"
    );
    let added = mara.send(AT, "questionnaire.add", &says).await;
    added.assert_leads_to("/admin/questionnaire/pets?done=created");
    let page = anna.get(PATH).await;
    for words in ["Кто у вас живёт", "Чтобы был корм", "Собака"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let told = anna.send(PATH, TELL, &[("pets", "dog")]).await;
    told.assert_leads_to("/questionnaire?done=told");

    // Not asked any more: the box is not ticked.
    let at = added.location().split('?').next().unwrap_or_default().to_owned();
    let mut changed: Vec<_> = says[1..7].to_vec();
    changed.push(("seen", "1"));
    let saved = mara.send(&at, "questionnaire.change", &changed).await;
    saved.assert_leads_to(&format!("{at}?done=saved"));
    let page = mara.get(&at).await;
    for words in ["<ins>не задаём</ins>", "<del>задаём</del>", "Версия 2", "mara"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(!anna.get(PATH).await.text().contains("Кто у вас живёт"));
    let late = mara.send(&at, "questionnaire.change", &changed).await;
    late.assert_says("изменил кто-то другой");
    let mut agent = app.staff_as("agent", "agent").await;
    for path in [AT, at.as_str()] {
        assert_eq!(agent.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}
