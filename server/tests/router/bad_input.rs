//! What people type, and what others try: refused at the field in words, or taken as it stands and shown as text.

use crate::common::{Browser, Reply, TestApp, details};
use axum::http::StatusCode;

/// Values for every field of one line.
fn strange() -> Vec<(&'static str, String)> {
    vec![
        ("empty", String::new()),
        ("spaces", "   ".into()),
        ("too long", "а".repeat(300)),
        ("control characters", "Ан\u{7}на".into()),
        ("a zero", "Ан\u{0}на".into()),
        ("line breaks", "Анна\r\nБорис".into()),
        ("emoji", "Анна 😀".into()),
        ("right to left", "محمد".into()),
        ("a turned direction", "Анна\u{202e}анна".into()),
        ("an apostrophe", "О'Нил".into()),
        ("SQL", "Robert'); DROP TABLE customers;--".into()),
        ("SQL that fits a name", "O' OR ''''.''".into()),
        ("HTML", "<b>Анна</b>".into()),
        ("a script", "<script>alert(1)</script>".into()),
        ("an entity", "&lt;b&gt; &amp; &quot;".into()),
        ("a quote", "\" autofocus onfocus=\"alert(1)".into()),
        ("a template", "{{7*7}} ${7*7} {name}".into()),
        ("combining", "Zoe\u{308}".into()),
        ("percent", "%00%ff".into()),
    ]
}

/// No value may reach the page as markup.
fn assert_shown_as_text(page: &Reply, what: &str) {
    // A quote is text between tags; inside an attribute it would end it.
    for markup in ["<script>alert", "<b>Анна", "=\"\" autofocus onfocus=\"alert"] {
        assert!(!page.body.contains(markup), "{what} at {}: {markup}", page.path);
    }
}

async fn at_details(app: &TestApp, english: bool) -> Browser {
    let mut who = app.anybody();
    if english {
        who = who.with("accept-language", "en");
    }
    who.prove(&app.free_phone()).await;
    who
}

/// The form as it was read by the browser has the value, as it was typed.
fn assert_kept(page: &Reply, form: &str, field: &str, value: &str, what: &str) {
    // A zero cannot stand in HTML; everything else is there to be mended.
    if !value.contains('\u{0}') && !value.contains('\r') {
        assert_eq!(page.form(form).get(field), Some(value), "{what} in {field}");
    }
}

#[tokio::test]
async fn registration_takes_names_as_they_are_or_says_what_is_wrong() {
    let app = TestApp::new().await;
    let mut accepted = Vec::new();
    for english in [false, true] {
        let mut who = at_details(&app, english).await;
        for field in ["name", "surname"] {
            for (what, value) in strange() {
                let mut sent = details("Анна");
                for (name, typed) in &mut sent {
                    if *name == field {
                        *typed = &value;
                    }
                }
                let page = who.send("/sign-in/details", "sign_in.details", &sent).await;
                assert_shown_as_text(&page, what);
                match page.status {
                    StatusCode::UNPROCESSABLE_ENTITY => {
                        let message = page.message("sign_in.details", field);
                        assert!(!message.is_empty(), "{what} in {field} has a message");
                        assert_eq!(message.is_ascii(), english, "{what}: {message}");
                        assert_kept(&page, "sign_in.details", field, &value, what);
                    }
                    StatusCode::SEE_OTHER => {
                        let review = who.get("/sign-in/review").await;
                        assert_shown_as_text(&review, what);
                        let tidy = value.split_whitespace().collect::<Vec<_>>().join(" ");
                        assert!(review.text().contains(&tidy), "{what} is shown: {}", review.text());
                        accepted.push(what);
                    }
                    other => panic!("{what} in {field}: {other} {}", page.text()),
                }
            }
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    assert_eq!(
        accepted,
        [
            "SQL that fits a name",
            "an apostrophe",
            "combining",
            "line breaks",
            "right to left"
        ]
    );
}

#[tokio::test]
async fn registration_reads_e_mail_and_password_as_strictly() {
    let app = TestApp::new().await;
    let mut who = at_details(&app, false).await;
    for (what, value) in strange() {
        for field in ["email", "password"] {
            let mut sent = details("Анна");
            for (name, typed) in &mut sent {
                if *name == field {
                    *typed = &value;
                }
            }
            let page = who.send("/sign-in/details", "sign_in.details", &sent).await;
            assert_shown_as_text(&page, what);
            if page.status == StatusCode::SEE_OTHER {
                // Both may stay empty, and every sign is allowed in a password.
                assert!(field == "password" || value.trim().is_empty(), "{what} in {field}");
            } else {
                assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{what} in {field}");
                assert!(!page.message("sign_in.details", field).is_empty(), "{what} in {field}");
                if field == "email" {
                    assert_kept(&page, "sign_in.details", field, &value, what);
                }
            }
        }
    }
}

#[tokio::test]
async fn dates_that_are_none_are_told_from_dates_that_do_not_fit() {
    let app = TestApp::new().await;
    for (english, none, future, young, year) in [
        (false, "Такой даты нет", "ещё не наступила", "с 14 лет", "Проверьте год"),
        (true, "no such date", "", "14", "year"),
    ] {
        let mut who = at_details(&app, english).await;
        for ([d, m, y], expected) in [
            (["31", "2", "1990"], none),
            (["29", "2", "2001"], none),
            (["0", "1", "1990"], none),
            (["1", "13", "1990"], none),
            (["1", "", "1990"], none),
            (["1", "1", "90000000000"], none),
            (["один", "1", "1990"], none),
            (["-1", "1", "1990"], none),
            (["1'", "1", "1990"], none),
            (["22", "11", "2026"], future),
            (["22", "11", "2012"], young),
            (["1", "1", "1800"], year),
            (["1", "1", "90"], year),
            (["", "", ""], ""),
        ] {
            let mut sent = details("Анна");
            for (name, typed) in &mut sent {
                match *name {
                    "day" => *typed = d,
                    "month" => *typed = m,
                    "year" => *typed = y,
                    _ => {}
                }
            }
            let page = who.send("/sign-in/details", "sign_in.details", &sent).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{d} {m} {y}");
            let message = page.message("sign_in.details", "birthday");
            assert!(!message.is_empty(), "{d} {m} {y}");
            let fits = message.to_lowercase().contains(&expected.to_lowercase());
            assert!(fits, "{d} {m} {y}: {message}");
            let form = page.form("sign_in.details");
            assert_eq!((form.get("day"), form.get("year")), (Some(d), Some(y)));
        }
        // The last day that fits.
        let mut sent = details("Анна");
        for (name, typed) in &mut sent {
            match *name {
                "day" => *typed = "21",
                "month" => *typed = "11",
                "year" => *typed = "2012",
                _ => {}
            }
        }
        assert_eq!(
            who.send("/sign-in/details", "sign_in.details", &sent).await.location(),
            "/sign-in/review"
        );
    }
}

#[tokio::test]
async fn a_phone_in_ten_spellings_is_one_phone() {
    let app = TestApp::new().await;
    let spellings = [
        "+79005550123",
        "89005550123",
        "9005550123",
        "+7 900 555-01-23",
        "8 (900) 555-01-23",
        "7.900.555.01.23",
        " +7\u{a0}(900)\u{a0}555\u{2011}01\u{2011}23 ",
        "8-900-555-01-23",
        "+7 900 555 0123",
        "＋７９００５５５０１２３",
    ];
    for (i, phone) in spellings.iter().enumerate() {
        app.world
            .clock
            .set(crm::testing::start() + chrono::Duration::minutes(20 * i64::try_from(i).expect("few")));
        let reply = app
            .anybody()
            .send("/sign-in", "sign_in.start", &[("phone", phone)])
            .await;
        assert_eq!(reply.location(), "/sign-in/code", "{phone}: {}", reply.text());
    }
    assert_eq!(app.count("SELECT COUNT(DISTINCT address) FROM outbox").await, 1);
    app.code("+79005550123").await;
}

#[tokio::test]
async fn what_is_no_phone_is_told_so_at_the_field() {
    let app = TestApp::new().await;
    for english in [false, true] {
        let mut who = app.anybody();
        if english {
            who = who.with("accept-language", "en");
        }
        let more = [
            "12",
            "+7 900",
            "+7 900 555-01-233",
            "+1 000 000 0000",
            "телефон",
            "+79005550123x",
            "00000000000",
        ];
        let values = strange()
            .into_iter()
            .map(|(_, value)| value)
            .chain(more.map(str::to_owned));
        for value in values {
            for (form, at) in [
                ("sign_in.start", "/sign-in"),
                ("sign_in.password", "/sign-in?by=password"),
            ] {
                let sent = [("phone", value.as_str()), ("password", "x")];
                let fields = if form == "sign_in.start" { &sent[..1] } else { &sent[..] };
                let page = who.send(at, form, fields).await;
                assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{value:?}");
                let message = page.message(form, "phone");
                assert!(
                    !message.is_empty() && message.is_ascii() == english,
                    "{value:?}: {message}"
                );
                assert_shown_as_text(&page, &value);
                assert_kept(&page, form, "phone", &value, "a phone");
            }
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, 0);
}

#[tokio::test]
async fn codes_and_logins_take_anything_without_harm() {
    let app = TestApp::new().await;
    app.employ("agent").await;
    let mut who = app.anybody();
    who.send("/sign-in", "sign_in.start", &[("phone", &app.free_phone())])
        .await;
    for (what, value) in strange() {
        let page = who.send("/sign-in/code", "sign_in.verify", &[("code", &value)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert!(!page.message("sign_in.verify", "code").is_empty(), "{what}");
        let sent = [("login", value.as_str()), ("password", &value)];
        let page = app.anybody().send("/admin/sign-in", "staff.sign_in", &sent).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert_shown_as_text(&page, what);
    }
}

#[tokio::test]
async fn the_profile_takes_names_as_they_are_or_says_what_is_wrong() {
    let app = TestApp::new().await;
    for english in [false, true] {
        let mut anna = app.customer("Анна").await;
        if english {
            anna.send("/card", "language", &[("language", "en")]).await;
        }
        for field in ["name", "surname"] {
            for (what, value) in strange() {
                let mut sent = vec![
                    ("name", "Анна"),
                    ("surname", "Лебедева"),
                    ("day", "3"),
                    ("month", "5"),
                    ("year", "1990"),
                ];
                for (name, typed) in &mut sent {
                    if *name == field {
                        *typed = &value;
                    }
                }
                let page = anna.send("/profile/person", "profile.person", &sent).await;
                assert_shown_as_text(&page, what);
                if page.status == StatusCode::SEE_OTHER {
                    // Everywhere it is shown, it is shown as it was typed.
                    let tidy = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    let shown = anna.get("/profile").await;
                    assert!(shown.text().contains(&tidy), "{what}: {}", shown.text());
                    for at in ["/", "/profile", "/profile/person", "/card"] {
                        assert_shown_as_text(&anna.get(at).await, what);
                    }
                    assert_eq!(
                        anna.get("/profile/person").await.form("profile.person").get(field),
                        Some(tidy.as_str())
                    );
                } else {
                    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{what} in {field}");
                    let message = page.message("profile.person", field);
                    assert!(
                        !message.is_empty() && message.is_ascii() == english,
                        "{what}: {message}"
                    );
                    assert_kept(&page, "profile.person", field, &value, what);
                }
            }
        }
        let sent = [
            ("name", "Анна"),
            ("surname", "Лебедева"),
            ("day", "31"),
            ("month", "2"),
            ("year", "1990"),
        ];
        let page = anna.send("/profile/person", "profile.person", &sent).await;
        assert!(!page.message("profile.person", "birthday").is_empty());
        let sent = [("day", "31"), ("month", "2"), ("year", "2020"), ("agreed", "yes")];
        let page = anna.send("/profile/children", "child.add", &sent).await;
        assert!(!page.message("child.add", "child").is_empty());
    }
}

#[tokio::test]
async fn a_request_says_anything_and_shows_it_as_text_to_both_sides() {
    let app = TestApp::new().await;
    let mut agent = app.staff("agent").await;
    let mut anna = app.customer("Анна").await;
    let mut refused = Vec::new();
    let values = strange().into_iter().chain([
        ("far too long", "я".repeat(4001)),
        ("as long as it may be", "я".repeat(4000)),
    ]);
    for (what, value) in values {
        let sent = [("topic", "other"), ("text", value.as_str()), ("purchase", "")];
        let page = anna.send("/support/new", "request.create", &sent).await;
        assert_shown_as_text(&page, what);
        if page.status != StatusCode::SEE_OTHER {
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
            assert!(!page.message("request.create", "text").is_empty(), "{what}");
            let form = page.form("request.create");
            assert_eq!(
                form.get("topic"),
                Some("other"),
                "{what}: the other fields are kept too"
            );
            assert_kept(&page, "request.create", "text", &value, what);
            refused.push(what);
            continue;
        }
        let number = page
            .location()
            .trim_start_matches("/support/")
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let tidy = value.split_whitespace().collect::<Vec<_>>().join(" ");
        for (who, at) in [
            (&mut anna.browser, format!("/support/{number}")),
            (&mut agent, format!("/admin/requests/{number}")),
        ] {
            let page = who.get(&at).await;
            assert_shown_as_text(&page, what);
            assert!(page.text().contains(&tidy), "{what} at {at}: {}", page.text());
        }
        let text = [("text", value.as_str())];
        let answer = anna.send(&format!("/support/{number}"), "request.answer", &text).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
        let note = agent
            .send(&format!("/admin/requests/{number}"), "request.note", &text)
            .await;
        assert_eq!(note.status, StatusCode::SEE_OTHER, "{what}");
        assert_shown_as_text(&agent.get(&format!("/admin/requests/{number}")).await, what);
    }
    assert_eq!(
        refused,
        ["empty", "spaces", "control characters", "a zero", "far too long"]
    );
    for topic in ["", "nonsense", "'"] {
        let sent = [("topic", topic), ("text", "Где баллы?"), ("purchase", "")];
        let page = anna.send("/support/new", "request.create", &sent).await;
        assert!(!page.message("request.create", "topic").is_empty(), "{topic:?}");
        assert_eq!(page.form("request.create").get("text"), Some("Где баллы?"));
    }
    for purchase in ["x", "00000000-0000-0000-0000-000000000000"] {
        let sent = [("topic", "other"), ("text", "Где баллы?"), ("purchase", purchase)];
        let page = anna.send("/support/new", "request.create", &sent).await;
        assert!(!page.message("request.create", "purchase").is_empty(), "{purchase:?}");
    }
}

/// Searches and filters come by the address: whatever stands there, a page comes back.
#[tokio::test]
async fn addresses_take_anything_without_harm() {
    let mut town = crate::common::Town::new().await;
    let values = strange().into_iter().map(|(_, value)| value);
    for value in values.chain(["-1", "9223372036854775808", "2026-02-31", "x_y", "1_1"].map(str::to_owned)) {
        for (at, names) in [
            (
                "/purchases",
                &["q", "store", "category", "from", "to", "least", "most", "before"][..],
            ),
            ("/purchases/often", &["after"]),
            ("/purchases/spending", &["months"]),
            ("/points", &["before", "program", "kind", "from", "to"]),
            ("/points/expiry", &["after", "waiting"]),
            ("/stores", &["q", "near", "offer"]),
            ("/offers", &["over"]),
            ("/programs/club", &["version"]),
            ("/invite", &["before"]),
            ("/devices", &["before"]),
            ("/welcome", &["step"]),
            ("/questions", &["q", "topic", "before"]),
            (
                "/what-if",
                &["code0", "sum", "day", "time", "store", "payment", "find", "like", "add"],
            ),
            ("/support", &["before"]),
            ("/support/new", &["receipt", "line", "topic", "about"]),
            ("/help", &["q"]),
            ("/help/lost-card", &["done"]),
            ("/sign-in", &["done", "by", "next"]),
            (
                "/admin/requests",
                &["status", "assignee", "topic", "q", "sort", "after"],
            ),
            ("/admin/customers", &["q"]),
            ("/admin/find", &["q", "find"]),
            ("/admin/tasks", &["tab", "of", "after"]),
            ("/admin/tills/waiting", &["after"]),
            (
                "/admin/audit",
                &["by", "action", "customer", "object", "from", "to", "after"],
            ),
        ] {
            for name in names {
                let at = format!("{at}?{}", crate::common::encode(&[(name, &value)]));
                let mut anybody = town.app.anybody();
                let who = match () {
                    () if at.starts_with("/admin") => &mut town.agent,
                    () if at.starts_with("/sign-in") => &mut anybody,
                    () => &mut town.anna.browser,
                };
                let page = who.get(&at).await;
                assert!(
                    [StatusCode::OK, StatusCode::NOT_FOUND].contains(&page.status),
                    "{at}: {}",
                    page.status
                );
                assert_shown_as_text(&page, &at);
            }
        }
    }
}

/// What is typed into several lines comes back as it was typed, and never as markup: of a form that was not taken, and of
/// records that are opened to be changed.
#[tokio::test]
async fn a_text_of_several_lines_stays_text() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    for text in [
        "</textarea><script>alert(1)</script>",
        "&lt;b&gt; &amp; &quot; &#60;",
        "a < b && c > d\n\n<b>Анна</b>",
    ] {
        let fields = [("topic", ""), ("text", text), ("purchase", "")];
        let page = anna.send("/support/new", "request.create", &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_shown_as_text(&page, text);
        assert!(!page.body.contains("<b>"), "{}", page.body);
        let at = page.body.find("name=\"text\"").expect("the field");
        let inside = page.body[at..].split_once('>').expect("its end").1;
        let inside = inside.split_once("</textarea>").expect("its end").0;
        assert!(!inside.contains('<'), "{inside}");
        let read = inside.replace("&lt;", "<").replace("&amp;", "&");
        assert_eq!(read.trim_start_matches('\n'), text);
    }
}
