//! Files that go along with what is written to support: what is taken, who gets it back, and what a form says of the rest.

use crate::common::html::tags;
use crate::common::{BOUNDARY, Browser, PNG, Reply, SAME_SITE, TestApp, Town, parts};
use axum::http::{Method, StatusCode};
use crm::shop::{Attachments, MB};
use crm::who::Token;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 and what a photo holds";
const PDF: &[u8] = b"%PDF-1.7\n";
const QUESTION: [(&str, &str); 3] = [("topic", "other"), ("text", "Где баллы?"), ("purchase", "")];
const ROWS: &str = "SELECT (SELECT COUNT(*) FROM attachments) + (SELECT COUNT(*) FROM attachment_parts) \
                    + (SELECT COUNT(*) FROM messages)";

/// A site where files may be small, so that tests need not send large ones.
async fn small() -> TestApp {
    TestApp::build(false, |config| {
        config.attachments = Attachments {
            files: 3,
            file_mb: 1,
            day_mb: 2,
        };
    })
    .await
}

/// A file of so many bytes.
fn png(size: usize) -> Vec<u8> {
    let mut bytes = PNG.to_vec();
    bytes.resize(size, 7);
    bytes
}

/// The addresses of the files that a page links to.
fn links(page: &Reply) -> Vec<String> {
    let hrefs = tags(&page.body).into_iter();
    let hrefs = hrefs.filter_map(|tag| tag.get("href").map(str::to_owned));
    hrefs.filter(|href| href.contains("/files/")).collect()
}

/// A photo of a phone: with Exif that says where it was taken.
const PHOTO: &[u8] = b"\xff\xd8\xff\xe1\x00\x1bExif\x00\x00MM\x00*GPS 56.33,36.73\
    \xff\xdb\x00\x04ab\xff\xda\x00\x04cd picture\xff\xd9";

async fn ask(who: &mut Browser, files: &[(&str, &[u8])]) -> Reply {
    who.upload("/support/new", "request.create", &QUESTION, files).await
}

#[tokio::test]
async fn s20_a_photo_is_kept_without_its_place() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let sent = ask(&mut anna.browser, &[("чек.jpg", PHOTO)]).await;
    let at = sent.location().replace("?done=sent", "");
    assert!(at.starts_with("/support/"), "{}", sent.text());
    let own = links(&anna.get(&at).await).remove(0);
    let desk = links(&agent.get(&at.replace("/support/", "/admin/requests/")).await).remove(0);
    for reply in [anna.get(&own).await, agent.get(&desk).await] {
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(
            &*reply.bytes,
            b"\xff\xd8\xff\xdb\x00\x04ab\xff\xda\x00\x04cd picture\xff\xd9"
        );
    }
}

#[tokio::test]
async fn s20_files_come_back_to_whose_they_are_as_files_under_a_name_of_ours() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let sent = ask(&mut anna.browser, &[("мой чек.png", PNG), ("Гарантия.PDF", PDF)]).await;
    let at = sent.location().replace("?done=sent", "");
    assert!(at.starts_with("/support/"), "{}", sent.text());

    let page = anna.get(&at).await;
    for words in ["мой чек.png", "Гарантия.PDF", "1 КБ"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let files = links(&page);
    assert_eq!(files.len(), 2);
    for (file, kind, ending, bytes) in [
        (&files[0], "image/png", "png", PNG),
        (&files[1], "application/pdf", "pdf", PDF),
    ] {
        let reply = anna.get(file).await;
        assert_eq!((reply.status, &*reply.bytes), (StatusCode::OK, bytes), "{file}");
        assert_eq!(reply.header("content-type"), kind);
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        let id = file.rsplit('/').next().expect("an id").replace('-', "");
        let number = at.rsplit('/').next().expect("a number");
        assert_eq!(
            reply.header("content-disposition"),
            format!("attachment; filename=\"{number}-{id}.{ending}\"")
        );
        // Nobody else's, under no address.
        assert_eq!(boris.get(file).await.status, StatusCode::NOT_FOUND);
        assert_eq!(
            app.anybody().get(file).await.location(),
            format!("/sign-in?next={file}")
        );
        assert_eq!(agent.get(file).await.location(), format!("/sign-in?next={file}"));
    }
    let his = ask(&mut boris.browser, &[]).await.location().replace("?done=sent", "");
    let under_his = files[0].replace(&at, &his);
    assert_eq!(boris.get(&under_his).await.status, StatusCode::NOT_FOUND);

    // Staff with the rights to requests and to documents, each time a row.
    let desk = at.replace("/support/", "/admin/requests/");
    let page = agent.get(&desk).await;
    let shown = links(&page);
    assert_eq!(shown.len(), 2, "{}", page.text());
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'attachment.read' AND customer_id IS NOT NULL";
    for (nth, file) in (1..).zip(&shown) {
        let reply = agent.get(file).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert!(reply.header("content-disposition").starts_with("attachment"));
        assert_eq!(app.count(rows).await, nth);
    }
    assert!(
        anna.get("/profile/views")
            .await
            .text()
            .contains("Открыт файл в обращении")
    );
    let mut marketer = app.staff_as("ivanova", "marketer").await;
    assert_eq!(marketer.get(&shown[0]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(anna.get(&shown[0]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(app.count(rows).await, 2, "who got nothing has read nothing");

    // And back.
    let form = page.form("request.answer");
    let answer = [("seen", form.get("seen").expect("seen")), ("text", "Вот чек")];
    let answered = agent
        .upload(&desk, "request.answer", &answer, &[("чек.jpg", JPEG)])
        .await;
    assert!(answered.location().starts_with(&desk), "{}", answered.text());
    let files = links(&anna.get(&at).await);
    let reply = anna.get(&files[2]).await;
    assert_eq!((&*reply.bytes, reply.header("content-type")), (JPEG, "image/jpeg"));
    let more = anna
        .upload(&at, "request.answer", &[("text", "Спасибо")], &[("a.png", PNG)])
        .await;
    more.assert_leads_to(&format!("{at}?done=answered"));
    assert_eq!(links(&anna.get(&at).await).len(), 4);
}

#[tokio::test]
async fn s20_files_of_notes_reach_no_customer() {
    let app = TestApp::new().await;
    app.execute(
        "INSERT INTO roles (code, name, rights, position) VALUES ('clerk', '{\"ru\": \"К\", \"en\": \"C\"}', \
         '[\"requests\", \"customers\"]', 8)",
    )
    .await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff_as("petrov", "agent").await;
    let own = ask(&mut anna.browser, &[]).await.location().replace("?done=sent", "");
    let desk = own.replace("/support/", "/admin/requests/");
    let note = [("text", "Камера у кассы")];
    let before = app.count(ROWS).await;
    let wrong = agent.upload(&desk, "request.note", &note, &[("a.png", JPEG)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());
    let message = wrong.message("request.note", "files");
    assert!(message.starts_with("Внутри файла № 1 не то"), "{message}");
    assert_eq!(wrong.form("request.note").get("text"), Some("Камера у кассы"));
    let mut marketer = app.staff_as("ivanova", "marketer").await;
    let refused = marketer.upload(&desk, "request.note", &note, &[("a.png", PNG)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count(ROWS).await, before, "nothing was kept");

    let noted = agent.upload(&desk, "request.note", &note, &[("камера.png", PNG)]).await;
    noted.assert_leads_to(&format!("{desk}?done=noted"));
    let page = agent.get(&desk).await;
    assert!(page.body.contains("камера.png"), "{}", page.text());
    let at_desk = links(&page).remove(0);
    let opened = agent.get(&at_desk).await;
    assert_eq!((opened.status, &*opened.bytes), (StatusCode::OK, PNG));
    assert_eq!(
        app.count("SELECT COUNT(*) FROM audit WHERE action = 'attachment.read'")
            .await,
        1
    );

    // Who may not open documents reads that there is one, and no more.
    let mut clerk = app.staff_as("sidorov", "clerk").await;
    let page = clerk.get(&desk).await;
    assert!(page.body.contains("Камера у кассы") && !page.body.contains("камера.png"));
    assert_eq!(clerk.get(&at_desk).await.status, StatusCode::FORBIDDEN);

    // Her thread has none of it, nor has the address that one of hers would have.
    let page = anna.get(&own).await;
    assert!(
        links(&page).is_empty() && !page.body.contains("камера"),
        "{}",
        page.text()
    );
    let under_hers = at_desk.replace("/admin/requests/", "/support/");
    assert_eq!(anna.get(&under_hers).await.status, StatusCode::NOT_FOUND);
    // The same address of what was said to her is hers.
    let seen = agent.get(&desk).await.form("request.answer");
    let answer = [("seen", seen.get("seen").expect("seen")), ("text", "Вот чек")];
    agent
        .upload(&desk, "request.answer", &answer, &[("чек.jpg", JPEG)])
        .await;
    let hers = links(&anna.get(&own).await);
    assert_eq!(hers.len(), 1);
    assert_eq!(anna.get(&hers[0]).await.status, StatusCode::OK);
}

/// At the desk, and in the cabinet as its customer sees it.
#[tokio::test]
async fn s17_documents_are_opened_by_a_right_of_their_own() {
    let app = TestApp::new().await;
    app.execute(
        "INSERT INTO roles (code, name, rights, position) VALUES ('clerk', '{\"ru\": \"К\", \"en\": \"C\"}', \
         '[\"requests\", \"customers\", \"view_as\"]', 8)",
    )
    .await;
    let mut anna = app.customer("Анна").await;
    let sent = ask(&mut anna.browser, &[("прописка.pdf", PDF)]).await;
    let own = sent.location().replace("?done=sent", "");
    assert!(own.starts_with("/support/"), "{}", sent.text());
    let desk = own.replace("/support/", "/admin/requests/");
    let file = links(&anna.get(&own).await).remove(0);
    let at_desk = file.replace("/support/", "/admin/requests/");
    let reads = "SELECT COUNT(*) FROM audit WHERE action = 'attachment.read'";
    let missing = "У вашей роли нет права открывать файлы";

    let mut clerk = app.staff_as("petrov", "clerk").await;
    let acts = format!("/admin/customers/{}/acts", anna.id().await);
    let begun = clerk.send(&acts, "view.begin", &[("reason", "Не видит файл")]).await;
    begun.assert_leads_to("/");
    for (page, file) in [(&desk, &at_desk), (&own, &file)] {
        let shown = clerk.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        for words in ["Где баллы?", "Файл PDF", "1 КБ", missing] {
            assert!(shown.words().contains(words), "{page}: {words}: {}", shown.words());
        }
        assert!(!shown.body.contains("прописка"), "a name tells something: {page}");
        assert!(links(&shown).is_empty(), "{page}");
        let refused = clerk.get(file).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{file}");
        assert!(!refused.body.contains("%PDF"), "{file}");
    }
    assert_eq!(app.count(reads).await, 0, "who got nothing has read nothing");
    let own_page = anna.get(&own).await;
    assert!(own_page.body.contains("прописка.pdf") && !own_page.words().contains(missing));

    app.execute(
        "UPDATE roles SET rights = '[\"requests\", \"customers\", \"view_as\", \"documents\"]' WHERE code = 'clerk'",
    )
    .await;
    for (page, file) in [(&desk, &at_desk), (&own, &file)] {
        let shown = clerk.get(page).await;
        assert!(shown.body.contains("прописка.pdf"), "{page}: {}", shown.text());
        assert!(!shown.words().contains(missing), "{page}");
        assert_eq!(links(&shown), std::slice::from_ref(file), "{page}");
        let opened = clerk.get(file).await;
        assert_eq!((opened.status, &*opened.bytes), (StatusCode::OK, PDF), "{file}");
    }
    assert_eq!(app.count(reads).await, 1);
    let seen = "SELECT COUNT(*) FROM audit WHERE action = 'view.read' AND reason LIKE '/support/{number}/files/%'";
    assert_eq!(
        app.count(seen).await,
        2,
        "each address that was asked for is written down"
    );
}

#[tokio::test]
async fn s20_what_is_not_taken_is_told_at_the_field_and_the_text_stays() {
    let app = small().await;
    let mut anna = app.customer("Анна").await;
    let mut agent = app.staff("agent").await;
    let mine = ask(&mut anna.browser, &[]).await.location().replace("?done=sent", "");
    let desk = mine.replace("/support/", "/admin/requests/");
    let before = app.count(ROWS).await;
    let (large, name) = (png(MB + 1), "я".repeat(120));
    let long = format!("{name}.png");
    let fifty = vec![("a.png", PNG); 50];
    type Case<'a> = (&'a [(&'a str, &'a [u8])], &'a str);
    let cases: [Case<'_>; 12] = [
        (&[("a.exe", b"MZ")], "Файл № 1 не подходит"),
        (&[("a.svg", b"<svg onload='alert(1)'/>")], "Файл № 1 не подходит"),
        (&[("без конца", PNG)], "Файл № 1 не подходит"),
        (&[("a.png", PNG), ("b.png", JPEG)], "Внутри файла № 2 не то"),
        (&[("a.pdf", b"<!DOCTYPE html><script>")], "Внутри файла № 1 не то"),
        (&[("a.png", b"")], "Файл № 1 пустой"),
        (
            &[("a.png", large.as_slice())],
            "Файл № 1 слишком большой: можно до 1 МБ",
        ),
        (&[("../../etc/a.png", PNG)], "Переименуйте файл № 1"),
        (&[("..\\a.png", PNG)], "Переименуйте файл № 1"),
        (&[("gnp.\u{202e}.png", PNG)], "Переименуйте файл № 1"),
        (&[(long.as_str(), PNG)], "Переименуйте файл № 1"),
        (&fifty, "Можно приложить не больше 3 файлов"),
    ];
    for (files, words) in cases {
        let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        let page = ask(&mut anna.browser, files).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{names:?}");
        let message = page.message("request.create", "files");
        assert!(message.starts_with(words), "{names:?}: {message}");
        assert_eq!(page.form("request.create").get("text"), Some("Где баллы?"), "{names:?}");
        let page = anna.upload(&mine, "request.answer", &[("text", "Ещё")], files).await;
        assert!(page.message("request.answer", "files").starts_with(words), "{names:?}");
        assert_eq!(page.form("request.answer").get("text"), Some("Ещё"));
        let seen = agent.get(&desk).await.form("request.answer");
        let answer = [("seen", seen.get("seen").expect("seen")), ("text", "Ответ")];
        let page = agent.upload(&desk, "request.answer", &answer, files).await;
        assert!(page.message("request.answer", "files").starts_with(words), "{names:?}");
        assert_eq!(page.form("request.answer").get("text"), Some("Ответ"));
    }
    // Every flaw at once; and files that were right are to be chosen again.
    let fields = [("topic", "other"), ("text", " "), ("purchase", "")];
    let page = anna
        .upload("/support/new", "request.create", &fields, &[("a.exe", b"MZ")])
        .await;
    page.assert_says("Исправьте 2 строки");
    let page = anna
        .upload("/support/new", "request.create", &fields, &[("a.png", PNG)])
        .await;
    assert_eq!(
        page.message("request.create", "files"),
        "Файлы не отправлены: выберите их ещё раз"
    );
    // By this the browser's own code keeps them where it can; what is wrong itself is not kept.
    assert!(page.body.contains("data-again"));
    let exe = anna
        .upload("/support/new", "request.create", &fields, &[("a.exe", b"MZ")])
        .await;
    assert!(!exe.body.contains("data-again"));
    assert_eq!(app.count(ROWS).await, before, "nothing was kept");
    // Nothing chosen is what a browser sends as a file without a name.
    assert_eq!(ask(&mut anna.browser, &[("", b"")]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s20_a_customer_sends_so_much_a_day() {
    let app = small().await;
    let mut anna = app.customer("Анна").await;
    let mut boris = app.customer("Борис").await;
    let one = png(MB);
    let sent = ask(&mut anna.browser, &[("a.png", &one)]).await;
    let at = sent.location().replace("?done=sent", "");
    let more: &[(&str, &[u8])] = &[("a.png", &one), ("b.png", PNG)];
    for reply in [
        ask(&mut anna.browser, more).await,
        anna.upload(&at, "request.answer", &[("text", "Ещё")], more).await,
    ] {
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        reply.assert_says("За день можно прислать до 2 МБ файлов");
    }
    let exactly = anna.upload(&at, "request.answer", &[("text", "Ещё")], &more[..1]).await;
    assert_eq!(exactly.status, StatusCode::SEE_OTHER, "{}", exactly.text());
    assert_eq!(
        ask(&mut boris.browser, more).await.status,
        StatusCode::SEE_OTHER,
        "each their own"
    );
    let tomorrow = app.world.db.now() + chrono::Duration::days(1);
    app.world.clock.set(tomorrow);
    assert_eq!(ask(&mut anna.browser, more).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn s20_only_these_forms_take_parts_and_no_more_than_their_limit() {
    let app = small().await;
    let mut anna = app.customer("Анна").await;
    let before = app.everything(&["limits"]).await;
    let key = Token::random();
    let fields = [
        ("_fn", "request.create"),
        ("_key", key.secret()),
        ("topic", "other"),
        ("text", "x"),
        ("purchase", ""),
    ];
    let good = parts(&fields, &[("files", "a.png", PNG)]);

    // Beyond the limit: announced or not, nothing is kept of it, and nobody has to wait for the end.
    let huge = parts(&fields, &[("files", "a.png", &png(6 * MB))]);
    let reply = anna.send_parts("/support/new", huge.clone()).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let length = huge.len().to_string();
    let headers = [
        SAME_SITE[0],
        SAME_SITE[1],
        ("content-type", kind.as_str()),
        ("content-length", length.as_str()),
    ];
    let reply = anna.request(Method::POST, "/support/new", &headers, huge).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    // As much may be typed as ever.
    let long = "x".repeat(65 * 1024);
    let typed = parts(
        &[("_fn", "request.create"), ("_key", key.secret()), ("text", &long)],
        &[],
    );
    let reply = anna.send_parts("/support/new", typed).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);

    // Other pages take none, of whatever size.
    let person = parts(&[("_fn", "person.change"), ("_key", key.secret())], &[]);
    for (at, body, expected) in [
        ("/profile/person", person, StatusCode::FORBIDDEN),
        ("/profile/person", good.clone(), StatusCode::FORBIDDEN),
        ("/nowhere", good.clone(), StatusCode::FORBIDDEN),
        // A form of every page, and one that none of ours sends.
        (
            "/support/new",
            parts(
                &[("_fn", "theme"), ("_key", key.secret()), ("theme", "dark")],
                &[("files", "a.png", PNG)],
            ),
            StatusCode::FORBIDDEN,
        ),
        (
            "/support/new",
            parts(&fields, &[("text", "a.png", PNG)]),
            StatusCode::FORBIDDEN,
        ),
        ("/support/new", good[..good.len() - 10].to_vec(), StatusCode::FORBIDDEN),
        ("/support/new", b"--".to_vec(), StatusCode::FORBIDDEN),
        ("/support/new", Vec::new(), StatusCode::FORBIDDEN),
    ] {
        let reply = anna.send_parts(at, body).await;
        assert_eq!(reply.status, expected, "{at}: {}", reply.text());
    }
    let headers = [SAME_SITE[0], SAME_SITE[1], ("content-type", "multipart/form-data")];
    let reply = anna.request(Method::POST, "/support/new", &headers, good.clone()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "no boundary");
    let foreign = [("sec-fetch-site", "cross-site"), ("content-type", kind.as_str())];
    let reply = anna.request(Method::POST, "/support/new", &foreign, good.clone()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "from another site");
    let reply = app.anybody().send_parts("/support/new", good.clone()).await;
    assert_eq!(reply.location(), "/sign-in?next=/support/new");
    assert_eq!(app.everything(&["limits"]).await, before);
    assert_eq!(
        anna.send_parts("/support/new", good).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn s20_a_form_with_files_is_done_once_and_its_key_is_for_these_files() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let key = Token::random();
    let mut send = async |bytes: &[u8]| {
        let files = [("a.png", bytes)];
        anna.upload_keyed("/support/new", "request.create", key.secret(), &QUESTION, &files)
            .await
    };
    let first = send(PNG).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text());
    assert_eq!(send(PNG).await.location(), first.location());
    assert_eq!(send(&png(100)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(app.count("SELECT COUNT(*) FROM attachments").await, 1);
}

#[tokio::test]
async fn s20_a_large_file_is_kept_in_pieces_and_comes_back_whole() {
    let mut town = Town::new().await;
    let large: Vec<u8> = PNG
        .iter()
        .copied()
        .chain((0..3 * MB).map(|i| (i % 251) as u8))
        .collect();
    let sent = ask(&mut town.anna.browser, &[("a.png", &large)]).await;
    let at = sent.location().replace("?done=sent", "");
    let pieces =
        "SELECT COUNT(*) FROM attachment_parts p JOIN attachments a ON a.id = p.attachment_id WHERE a.size > 100";
    assert_eq!(town.app.count(pieces).await, 4);
    let file = links(&town.anna.get(&at).await).remove(0);
    assert!(town.anna.get(&file).await.bytes == large);
}
