//! Which passwords are taken and which are not, through the page where one is chosen.

use crate::common::{Browser, Reply, TestApp, details};
use axum::http::StatusCode;

/// Registers up to the page of details with a password.
async fn choose(app: &TestApp, password: &str) -> (Browser, String, Reply) {
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    let mut sent = details("Анна");
    sent.retain(|(field, _)| !["password", "email"].contains(field));
    sent.extend([("password", password), ("email", "anna.l@example.com")]);
    let reply = who.send("/sign-in/details", "sign_in.details", &sent).await;
    (who, phone, reply)
}

async fn by_password(app: &TestApp, phone: &str, password: &str) -> Reply {
    let sent = [("phone", phone), ("password", password)];
    app.anybody()
        .send("/sign-in?by=password", "sign_in.password", &sent)
        .await
}

/// Long ones, ones of a single kind of characters, of every script, with spaces at the ends: taken, and kept to the letter.
#[tokio::test]
async fn s06_every_character_and_every_length_up_to_two_hundred_is_taken_and_kept() {
    let app = TestApp::new().await;
    let line = "лодка плывёт мимо старой мельницы, а мельник машет ей шапкой; так было и вчера. ";
    let sixty_four: String = line.chars().cycle().take(64).collect();
    let two_hundred: String = line.chars().cycle().take(200).collect();
    for good in [
        "лодкаплывётмимостароймельницы",
        "correcthorsebatterystaple",
        "  с пробелами по краям  ",
        "日本語のパスワードはとても長い",
        "🐄🌙🚀🍏🪁🎻🧩🛶🦉🌵🧲🪐🎯🧭🪶",
        "' OR 1=1; -- <b>&amp;%00",
        &sixty_four,
        &two_hundred,
    ] {
        let (mut who, phone, reply) = choose(&app, good).await;
        assert_eq!(reply.location(), "/sign-in/review", "{good}: {}", reply.text());
        who.send("/sign-in/review", "sign_in.register", &[]).await;
        assert_eq!(by_password(&app, &phone, good).await.location(), "/", "{good}");
        // As typed and no shorter: neither trimmed, nor cut, nor folded.
        let mut cut: Vec<char> = good.chars().collect();
        cut.pop();
        let cut: String = cut.into_iter().collect();
        let trimmed = good.trim();
        let folded = good.to_uppercase();
        for other in [cut.as_str(), trimmed, &folded] {
            if other != good {
                let reply = by_password(&app, &phone, other).await;
                assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{other} is not {good}");
            }
        }
    }
    for (bad, message) in [
        ("четырнадцать з", "Нужно хотя бы 15 знаков"),
        (&format!("{two_hundred}!"), "Не больше 200 знаков"),
    ] {
        let (_, _, reply) = choose(&app, bad).await;
        assert_eq!(reply.message("sign_in.details", "password"), message);
    }
}

/// The field hides what is typed, and nothing keeps a password manager from filling it in.
#[tokio::test]
async fn s06_password_fields_are_for_password_managers() {
    let app = TestApp::new().await;
    let (mut who, _, _) = choose(&app, "").await;
    let pages = [
        (who.get("/sign-in/details").await, "new-password"),
        (app.anybody().get("/sign-in?by=password").await, "current-password"),
        (app.anybody().get("/admin/sign-in").await, "current-password"),
    ];
    for (page, expected) in pages {
        let tags = crate::common::html::tags(&page.body);
        let field = tags
            .iter()
            .find(|tag| tag.get("name") == Some("password"))
            .expect("a password field");
        assert_eq!(
            (field.get("type"), field.get("autocomplete")),
            (Some("password"), Some(expected)),
            "{}",
            page.path
        );
        assert_eq!(
            field.get("maxlength"),
            None,
            "{}: a browser would cut it without a word",
            page.path
        );
    }
}

#[tokio::test]
async fn s07_known_and_guessable_passwords_and_ones_own_data_are_refused() {
    let app = TestApp::new().await;
    for weak in [
        "passwordpassword",
        "йцукенгшщзхъфыва",
        "парольпарольпароль",
        "qwertyuiop123456",
        "Анна Лебедева 1990",
        "лебедева03051990",
        "anna.l@example.com",
        "СоснаСоснаСосна",
        "03.05.1990-03.05.1990",
    ] {
        let (_, _, reply) = choose(&app, weak).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{weak}");
        assert_eq!(
            reply.message("sign_in.details", "password"),
            "Такой пароль легко угадать. Возьмите несколько слов, не связанных с вами",
            "{weak}"
        );
        assert!(
            !reply.body.contains(&format!("value=\"{weak}\"")) || weak.contains('@'),
            "{weak} is sent back"
        );
    }
    // Their own phone, in any of its spellings.
    let phone = app.free_phone();
    let mut who = app.anybody();
    who.prove(&phone).await;
    let national = format!("8{}", &phone[2..]);
    for weak in [
        format!("{phone}{phone}"),
        format!("{national} {national}"),
        format!("Анна {phone}!"),
    ] {
        let mut sent = details("Анна");
        sent.retain(|(field, _)| *field != "password");
        sent.push(("password", &weak));
        let reply = who.send("/sign-in/details", "sign_in.details", &sent).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{weak}");
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM attempts WHERE draft IS NOT NULL").await,
        0
    );
}
