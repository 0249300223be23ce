//! A customer takes home what is held about them: from the button to the archive, and who gets it.

use crate::common::html::tags;
use crate::common::{BY, PASSWORD, TestApp, Town};
use app::texts::Texts;
use axum::http::StatusCode;
use chrono::Duration;
use crm::export::data::SECTIONS;
use crm::lang::Lang;
use crm::testing::unpack;
use server::exports;
use sqlx::{Column as _, Connection as _, Row as _};

/// The address under which the page offers the archive.
fn link(page: &str) -> Option<String> {
    tags(page).into_iter().find_map(|tag| {
        let there = tag.get("href")?;
        there.strip_prefix("/profile/data/")?;
        Some(there.to_owned())
    })
}

#[tokio::test]
async fn s17_a_customer_takes_their_data_home_and_nobody_else_does() {
    let mut town = Town::new().await;
    let (app, anna) = (town.app.clone(), &mut town.anna);
    assert!(anna.get("/profile").await.body.contains("href=\"/profile/data\""));
    let asked = anna.send("/profile/data", "export.ask", &[]).await;
    asked.assert_leads_to("/profile/data?done=asked");
    let waiting = anna.get("/profile/data").await;
    waiting.assert_says("Собираем.");
    assert_eq!(link(&waiting.body), None);
    assert!(
        waiting.body.contains("data-progress"),
        "the page brings what is new by itself"
    );
    assert!(!waiting.body.contains("export.ask"), "once a day");
    let again = anna.send("/profile/data", "export.ask", &[]).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS, "{}", again.text());

    assert!(exports::run_next(&app.world.db, &BY).await.expect("made"));
    let told = app
        .text("SELECT body FROM outbox WHERE template = 'export_ready'")
        .await;
    assert!(
        told.contains("/profile/data."),
        "it leads to the page, not to the archive: {told}"
    );
    let ready = anna.get("/profile/data").await;
    assert!(!ready.body.contains("data-progress"), "there is nothing to wait for");
    let at = link(&ready.body).expect("a link");
    let reply = anna.get(&at).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/zip");
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"my-data-2026-11-21.zip\""
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    let files = unpack(&reply.bytes);
    let (json, html) = (&files["data.json"], &files["index.html"]);
    for words in [
        "Лебедева",
        "A-1",
        "Чайник",
        "Где мои баллы?",
        "anna@example.com",
        &town.anna.phone,
    ] {
        assert!(json.contains(words) && html.contains(words), "{words}");
    }
    // The photo that went along with her request is a file of it, under a name of ours.
    let photo = files.iter().find(|(name, _)| name.starts_with("files/"));
    let (name, bytes) = photo.expect("a photo");
    assert!(name.ends_with(".png") && !name.contains("чек"), "{name}");
    assert_eq!(*bytes, String::from_utf8_lossy(crate::common::PNG));
    assert!(json.contains(name.as_str()) && html.contains(name.as_str()), "{name}");
    // It is read from a disk: it asks for nothing, and does nothing.
    let tags = tags(html);
    for name in ["src", "href", "srcset", "action", "style"] {
        assert!(tags.iter().all(|tag| !tag.has(name)), "{name}");
    }
    assert!(tags.iter().all(|tag| tag.name != "script" && !tag.name.contains('-')));
    assert!(!html.contains("url(") && !html.contains("@import"));
    for words in ["Покупки и возвраты: 1", "21 ноября 2026", "2\u{a0}500,00\u{a0}₽"] {
        let html = html.replace("21\u{a0}ноября", "21 ноября");
        assert!(html.contains(words), "{words}: {html}");
    }

    let boris = town.boris.get(&at).await;
    assert_eq!(boris.status, StatusCode::NOT_FOUND);
    let there = format!("/sign-in?next={at}");
    assert_eq!(app.anybody().get(&at).await.location(), there);
    assert_eq!(town.agent.get(&at).await.location(), there, "staff neither");
    let log = "SELECT COUNT(*) FROM audit WHERE action = 'export.download'";
    assert_eq!(app.count(log).await, 1);
}

#[tokio::test]
async fn s15_data_is_asked_for_and_taken_home_by_who_has_just_proved_who_they_are() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let password = [("current", ""), ("password", PASSWORD)];
    anna.send("/profile/security", "password.set", &password).await;
    anna.send("/profile/data", "export.ask", &[]).await;
    assert!(exports::run_next(&app.world.db, &BY).await.expect("made"));
    let at = link(&anna.get("/profile/data").await.body).expect("a link");

    app.world.clock.set(app.world.db.now() + Duration::days(1));
    let page = anna.get("/profile/data").await;
    assert_eq!(link(&page.body), None, "neither the archive is offered");
    assert!(!page.body.contains("export.ask"), "nor to collect again");
    assert!(page.body.contains("href=\"/confirm?next=/profile/data\""));
    let confirm = "/confirm?next=/profile/data";
    assert_eq!(anna.send("/profile/data", "export.ask", &[]).await.location(), confirm);
    let confirm = format!("/confirm?next={at}");
    assert_eq!(anna.get(&at).await.location(), confirm);
    let proved = anna.send(&confirm, "confirm.password", &[("password", PASSWORD)]).await;
    proved.assert_leads_to(&at);
    assert_eq!(anna.get(&at).await.status, StatusCode::OK);
    assert_eq!(
        anna.send("/profile/data", "export.ask", &[]).await.location(),
        "/profile/data?done=asked"
    );
}

/// The database gives the names; a section or column without words would be read by its name in the program.
#[tokio::test]
async fn whatever_is_taken_home_is_told_in_words() {
    let app = TestApp::new().await;
    let mut conn = sqlx::SqliteConnection::connect(&app.world.url)
        .await
        .expect("the database");
    for (section, sql) in SECTIONS {
        // A row of nothing, where there is none.
        let sql = format!("SELECT q.* FROM (SELECT 1) one LEFT JOIN ({sql}) q ON 1 = 1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(uuid::Uuid::now_v7())
            .bind("ru")
            .fetch_one(&mut conn)
            .await
            .expect(section);
        for lang in Lang::ALL {
            let t = &Texts::of(lang).export;
            let section_words = t.named(&format!("section_{section}"));
            assert!(section_words.is_some(), "{section}");
            let names = row.columns().iter().map(|column| column.name());
            for name in names.filter(|name| *name != "id" && !name.ends_with("_id")) {
                assert!(t.named(&format!("column_{name}")).is_some(), "{section}: {name}");
            }
        }
    }
}
