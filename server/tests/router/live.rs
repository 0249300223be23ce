//! What comes while a page is looked at: who is told of what, how streams end, who else has a request open, and an answer that
//! somebody else was quicker with.

use crate::common::html::tags;
use crate::common::{Browser, Reply, SAME_SITE, TestApp, Town};
use axum::body::{Body, BodyDataStream};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::Duration;
use crm::db::Db;
use futures::StreamExt as _;
use server::router::{self, App};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use tower::ServiceExt as _;

/// Longer than a stream is silent.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A stream that somebody reads.
struct Stream {
    chunks: BodyDataStream,
    read: String,
    headers: HeaderMap,
    /// The id of what was told last.
    id: String,
}

impl Stream {
    /// As a browser opens it, with another header; or with what status it is refused.
    async fn open_with(who: &Browser, path: &str, header: (&str, &str)) -> Result<Self, StatusCode> {
        let cookies: Vec<String> = who
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder()
            .uri(path)
            .header("cookie", cookies.join("; "))
            .header("accept", "text/event-stream")
            .header("accept-encoding", "gzip, br")
            .header(header.0, header.1)
            .extension(ConnectInfo(SocketAddr::from((who.address, 40_000))))
            .body(Body::empty())
            .expect("a request");
        let response = who.app.router.clone().oneshot(request).await.expect("an answer");
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        let (parts, body) = response.into_parts();
        Ok(Self {
            chunks: body.into_data_stream(),
            read: String::new(),
            headers: parts.headers,
            id: String::new(),
        })
    }

    async fn try_open(who: &Browser, path: &str) -> Result<Self, StatusCode> {
        Self::open_with(who, path, ("sec-fetch-site", "same-origin")).await
    }

    async fn open(who: &Browser, path: &str) -> Self {
        let opened = Self::try_open(who, path).await;
        opened.unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The next thing that is told; none where the stream ends.
    async fn next(&mut self) -> Option<String> {
        // What only keeps the stream open comes all the time.
        let by = tokio::time::Instant::now() + PATIENCE;
        loop {
            while let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim().to_owned())
                };
                let (data, id) = (field("data:"), field("id:"));
                self.read = rest.to_owned();
                if let Some(data) = data {
                    self.id = id.expect("each has an id");
                    return Some(data);
                }
            }
            let chunk = tokio::time::timeout_at(by, self.chunks.next()).await;
            let chunk = chunk.expect("something comes in time")?.expect("a chunk");
            self.read.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}

/// Answers a request as the agent does.
async fn answer(agent: &mut Browser, number: &str, text: &str) {
    let at = format!("/admin/requests/{number}");
    let form = agent.get(&at).await.form("request.answer");
    let sent = [("seen", form.get("seen").expect("seen")), ("text", text)];
    let reply = agent.send(&at, "request.answer", &sent).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
}

/// Writes a request; its number.
async fn ask(who: &mut Browser) -> String {
    let sent = [("topic", "other"), ("text", "Здравствуйте"), ("purchase", "")];
    let reply = who.send("/support/new", "request.create", &sent).await;
    let at = reply.location().split('?').next().expect("a path");
    at.rsplit('/').next().expect("a number").to_owned()
}

/// Where a page listens, as its script reads it.
fn listens(page: &Reply, inside: &str) -> String {
    let tags = tags(&page.body);
    let tag = tags
        .iter()
        .find(|tag| tag.get("data-live").is_some_and(|at| at.starts_with(inside)));
    let tag = tag.unwrap_or_else(|| panic!("{} listens at {inside}", page.path));
    let (at, since) = (
        tag.get("data-live").unwrap_or_default(),
        tag.get("data-since").unwrap_or_default(),
    );
    let sign = if at.contains('?') { '&' } else { '?' };
    format!("{at}{sign}since={since}")
}

#[tokio::test]
async fn a_customer_is_told_of_an_answer_and_staff_of_what_is_asked() {
    let mut town = Town::new().await;
    let thread = format!("/support/{}", town.request);
    let page = town.anna.get(&thread).await;
    let mut anna = Stream::open(&town.anna, &listens(&page, "/live")).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(anna.headers.get(name).expect(name), value);
    }
    assert!(
        !anna.headers.contains_key("content-encoding"),
        "packed, it would come late"
    );

    let desk = format!("/admin/requests/{}", town.request);
    let page = town.agent.get(&desk).await;
    let mut agent = Stream::open(&town.agent, &listens(&page, "/admin/live?request=")).await;
    let page = town.agent.get("/admin/requests").await;
    let mut queue = Stream::open(&town.agent, &listens(&page, "/admin/live?queue=")).await;

    answer(&mut town.agent, &town.request, "Баллы придут завтра").await;
    assert_eq!(anna.next().await, Some(format!("answered {}", town.request)));
    assert_eq!(agent.next().await, Some(format!("answered {}", town.request)));
    // The page brings it, and by that it is read.
    let page = town.anna.get(&thread).await;
    page.assert_says("Баллы придут завтра");
    assert!(page.body.contains("data-thread") && page.body.contains("data-message="));

    let note = [("text", "Проверить завтра")];
    town.agent.send(&desk, "request.note", &note).await;
    assert_eq!(agent.next().await, Some(format!("inside {}", town.request)));
    let to_queue = format!("queue:{}", town.app.some_queue().await);
    let form = town.agent.get(&desk).await.form("request.sort");
    let put = town.agent.submit(&desk, &form.with("assignee", &to_queue)).await;
    assert_eq!(put.status, StatusCode::SEE_OTHER, "{}", put.text());
    assert_eq!(agent.next().await, Some(format!("inside {}", town.request)));
    let said = [("text", "Спасибо")];
    let reply = town.anna.send(&thread, "request.answer", &said).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    assert_eq!(agent.next().await, Some(format!("said {}", town.request)));
    assert_eq!(
        anna.next().await,
        Some(format!("said {}", town.request)),
        "on another device; of the note she learns nothing"
    );
    let number = ask(&mut town.boris).await;
    for told in ["answered", "inside", "inside", "said"] {
        assert_eq!(queue.next().await, Some(format!("{told} {}", town.request)));
    }
    assert_eq!(queue.next().await, Some(format!("opened {number}")));
}

#[tokio::test]
async fn a_bell_rings_on_any_page_for_whoever_it_is_for() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let mut petrov = town.app.staff_as("petrov", "agent").await;
    let page = petrov.get("/admin/macros").await;
    let mut bell = Stream::open(&petrov, &listens(&page, "/admin/live")).await;
    let mut others = Stream::open(&town.agent, "/admin/live").await;
    answer(&mut town.agent, &town.request, "Баллы придут завтра").await;
    town.agent
        .send(&desk, "request.note", &[("text", "@petrov, взгляните")])
        .await;
    let told = Some(format!("told {}", town.request));
    assert_eq!(bell.next().await, told, "and of the answer nothing");
    // What the script reads then: the count, and nobody has looked at anything by that.
    let tags = tags(&page.body);
    let from = tags
        .iter()
        .find_map(|tag| tag.get("data-from"))
        .expect("where it is read");
    let by_itself = [("kabinet-live", "1")];
    let before = town.app.count("SELECT COUNT(*) FROM audit").await;
    let read = petrov.request(Method::GET, from, &by_itself, Vec::new()).await;
    read.assert_says("Уведомления, новых: 1");
    assert_eq!(town.app.count("SELECT COUNT(*) FROM audit").await, before);

    // Given by a colleague, from another node.
    let id = town
        .app
        .text("SELECT lower(hex(id)) FROM staff WHERE login = 'petrov'")
        .await;
    let shop = town.app.app.config.shop();
    let db = Db::open(&town.app.world.url, shop, town.app.world.clock.clone()).await;
    let mut node = town.app.clone();
    node.router = router::build(&App {
        db: db.expect("the same database"),
        ..town.app.app.clone()
    });
    town.agent.app = node;
    let form = town.agent.get(&desk).await.form("request.sort").with("assignee", &id);
    let given = town.agent.submit(&desk, &form).await;
    assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.text());
    assert_eq!(bell.next().await, told);
    let inbox = petrov.get("/admin/inbox").await;
    inbox.assert_says(&format!("Вам передали обращение № {}", town.request));
    // The colleague was told nothing themselves: theirs ends without a word.
    town.app.is_draining.store(true, Ordering::Relaxed);
    assert_eq!(others.next().await, None);
}

/// What waits for consent rings and is counted in the bar, and no more once a colleague has decided.
#[tokio::test]
async fn what_waits_for_consent_is_counted_while_a_page_is_looked_at() {
    let mut town = Town::new().await;
    let mut lead = town.app.staff_as("lead", "lead").await;
    let mut other = town.app.staff_as("other", "lead").await;
    let page = lead.get("/admin/macros").await;
    let all = tags(&page.body);
    let from = all
        .iter()
        .find_map(|tag| tag.get("data-from"))
        .expect("where it is read");
    let mut bell = Stream::open(&lead, &listens(&page, "/admin/live")).await;
    let at = format!("/admin/customers/{}", town.anna.id().await);
    let form = town.agent.get(&at).await.form("points.adjust");
    let form = form
        .with("points", "6000")
        .with("reason", "Касса")
        .with("note", "За чек");
    let asked = town.agent.submit(&at, &form).await;
    asked.assert_leads_to(&format!("{at}?done=asked"));
    let told = Some("told 0".to_owned());
    assert_eq!(bell.next().await, told);
    let by_itself = [("kabinet-live", "1")];
    let before = town.app.count("SELECT COUNT(*) FROM audit").await;
    let read = lead.request(Method::GET, from, &by_itself, Vec::new()).await;
    read.assert_says("Уведомления, новых: 1");
    read.assert_says("ждут: 1");
    assert_eq!(town.app.count("SELECT COUNT(*) FROM audit").await, before);
    // Each link is brought up to date by itself.
    let swaps: Vec<String> = tags(&read.body)
        .iter()
        .filter(|tag| tag.get("href") == Some("/admin/approvals"))
        .filter_map(|tag| tag.get("data-swap").map(str::to_owned))
        .collect();
    assert_eq!(swaps, ["menu/admin/approvals"]);
    let form = other.get("/admin/approvals").await.form("points.refuse");
    other.submit("/admin/approvals", &form).await;
    assert_eq!(bell.next().await, told);
    let read = lead.request(Method::GET, from, &by_itself, Vec::new()).await;
    let text = read.text();
    assert!(
        !text.contains("ждут: 1") && !text.contains("Уведомления, новых"),
        "{text}"
    );
}

#[tokio::test]
async fn s17_nobody_is_told_of_what_is_somebody_elses() {
    let mut town = Town::new().await;
    let number = ask(&mut town.boris).await;
    let mut boris = Stream::open(&town.boris, "/live?since=0").await;
    answer(&mut town.agent, &town.request, "Анне").await;
    answer(&mut town.agent, &number, "Борису").await;
    assert_eq!(boris.next().await, Some(format!("answered {number}")));

    let of_request = format!("/admin/live?request={}", town.request);
    let anybody = town.app.anybody();
    for (who, path) in [
        (&anybody, "/live"),
        (&town.agent, "/live"),
        (&anybody, "/admin/live"),
        (&town.anna.browser, "/admin/live"),
        (&town.anna.browser, of_request.as_str()),
    ] {
        let refused = Stream::try_open(who, path).await.err();
        assert_eq!(refused, Some(StatusCode::UNAUTHORIZED), "{path}");
    }
    let mut mara = town.app.staff_as("mara", "marketer").await;
    // A bell she has, for what waits for her consent; what comes of requests is not told by it.
    Stream::try_open(&mara, "/admin/live").await.expect("opened");
    let nina = town.app.staff_as("nina", "analyst").await;
    let refused = Stream::try_open(&nina, "/admin/live").await.err();
    assert_eq!(refused, Some(StatusCode::FORBIDDEN));
    for path in ["/admin/live?queue=1", of_request.as_str()] {
        assert_eq!(
            Stream::try_open(&mara, path).await.err(),
            Some(StatusCode::FORBIDDEN),
            "{path}"
        );
    }
    for made_up in ["0", "99999", "x", "%00", "-1"] {
        let path = format!("/admin/live?request={made_up}");
        let refused = Stream::try_open(&town.agent, &path).await.err();
        assert_eq!(refused, Some(StatusCode::NOT_FOUND), "{path}");
    }
    let presence = format!("/admin/requests/{}/presence", town.request);
    for (who, expected) in [
        (&mut town.app.anybody(), StatusCode::UNAUTHORIZED),
        (&mut town.anna.browser, StatusCode::UNAUTHORIZED),
        (&mut mara, StatusCode::FORBIDDEN),
    ] {
        let reply = who.request(Method::POST, &presence, &SAME_SITE, Vec::new()).await;
        assert_eq!(reply.status, expected);
    }
    let evil = [("origin", "https://evil.example")];
    let reply = town.agent.request(Method::POST, &presence, &evil, Vec::new()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(town.app.count("SELECT COUNT(*) FROM request_presence").await, 0);
}

#[tokio::test]
async fn what_came_while_nobody_listened_is_told_once() {
    let mut town = Town::new().await;
    let page = town.anna.get("/card").await;
    let at = listens(&page, "/live");
    answer(&mut town.agent, &town.request, "Раз").await;
    let mut first = Stream::open(&town.anna, &at).await;
    let told = Some(format!("answered {}", town.request));
    assert_eq!(first.next().await, told, "between the page and its stream");
    let id = first.id.clone();
    drop(first);
    answer(&mut town.agent, &town.request, "Два").await;
    let mut again = Stream::open_with(&town.anna, &at, ("last-event-id", &id))
        .await
        .expect("opened");
    assert_eq!(again.next().await, told);
    assert!(
        again.id.parse::<i64>().expect("a number") > id.parse().expect("a number"),
        "what is known is not told again"
    );
}

#[tokio::test]
async fn an_answer_by_another_node_is_told() {
    let mut town = Town::new().await;
    let mut anna = Stream::open(&town.anna, "/live").await;
    let shop = town.app.app.config.shop();
    let db = Db::open(&town.app.world.url, shop, town.app.world.clock.clone()).await;
    let mut node = town.app.clone();
    node.router = router::build(&App {
        db: db.expect("the same database"),
        ..town.app.app.clone()
    });
    town.agent.app = node;
    answer(&mut town.agent, &town.request, "Отсюда").await;
    assert_eq!(anna.next().await, Some(format!("answered {}", town.request)));
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let mut town = Town::new().await;
    let mut anna = Stream::open(&town.anna, "/live").await;
    let mut other_device = town.app.anybody();
    town.app.world.clock.set(town.app.world.db.now() + Duration::minutes(2));
    other_device.prove(&town.anna.phone).await;
    let mut other = Stream::open(&other_device, "/live").await;
    town.anna.send("/card", "sign_out", &[]).await;
    answer(&mut town.agent, &town.request, "Тайна").await;
    assert_eq!(anna.next().await, None, "who has left is told nothing");
    assert_eq!(other.next().await, Some(format!("answered {}", town.request)));
    assert_eq!(
        Stream::try_open(&town.anna, "/live").await.err(),
        Some(StatusCode::UNAUTHORIZED)
    );
    // Who may read no requests any more is told nothing of them either.
    let lada = town.app.staff_as("lada", "lead").await;
    let at = format!("/admin/live?request={}", town.request);
    let mut lead = Stream::open(&lada, &at).await;
    town.app
        .execute("UPDATE staff SET role = 'marketer' WHERE login = 'lada'")
        .await;
    answer(&mut town.agent, &town.request, "Тайна").await;
    assert_eq!(lead.next().await, None);
    // Nobody says anything, and it ends all the same, with the next sign of life.
    let mut agent = Stream::open(&town.agent, "/admin/live").await;
    town.agent.send("/admin/sign-in", "staff_sign_out", &[]).await;
    assert_eq!(agent.next().await, None);
}

/// What a page asks by itself is no sign that somebody is there (ASVS 5.0, 7.3.1).
#[tokio::test]
async fn s16_what_a_page_asks_by_itself_keeps_no_session_alive() {
    let mut town = Town::new().await;
    let desk = format!("/admin/requests/{}", town.request);
    let presence = format!("{desk}/presence");
    let begin = town.app.world.db.now();
    town.agent.get(&desk).await;
    let mut agent = Stream::open(&town.agent, &format!("/admin/live?request={}", town.request)).await;
    for minutes in [30, 60, 90, 110] {
        town.app.world.clock.set(begin + Duration::minutes(minutes));
        let reply = town
            .agent
            .request(Method::POST, &presence, &SAME_SITE, Vec::new())
            .await;
        assert_eq!(reply.status, StatusCode::OK);
        let by_itself = [("kabinet-live", "1")];
        let reply = town.agent.request(Method::GET, &desk, &by_itself, Vec::new()).await;
        assert_eq!(reply.status, StatusCode::OK);
        drop(Stream::open(&town.agent, "/admin/live").await);
    }
    town.app.world.clock.set(begin + Duration::minutes(121));
    let said = [("text", "Кто-нибудь здесь?")];
    town.anna
        .send(&format!("/support/{}", town.request), "request.answer", &said)
        .await;
    // Of what came while the session lasted it may have been told.
    while let Some(told) = agent.next().await {
        assert!(told.starts_with("here "), "{told}");
    }
    assert!(town.agent.get(&desk).await.location().starts_with("/admin/sign-in"));
}

#[tokio::test]
async fn a_session_has_six_streams_at_most() {
    let town = Town::new().await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(Stream::open(&town.anna, "/live").await);
    }
    let refused = Stream::try_open(&town.anna, "/live").await.err();
    assert_eq!(refused, Some(StatusCode::TOO_MANY_REQUESTS));
    Stream::open(&town.boris, "/live").await;
    open.pop();
    Stream::open(&town.anna, "/live").await;
}

#[tokio::test]
async fn streams_end_when_the_server_is_about_to_stop() {
    let town = Town::new().await;
    let mut anna = Stream::open(&town.anna, "/live").await;
    let mut agent = Stream::open(&town.agent, "/admin/live").await;
    town.app.is_draining.store(true, Ordering::Relaxed);
    assert_eq!((anna.next().await, agent.next().await), (None, None));
    let refused = Stream::try_open(&town.anna, "/live").await.err();
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
}

#[tokio::test]
async fn staff_see_who_else_has_a_request_open() {
    let mut town = Town::new().await;
    let mut second = town.app.staff("second").await;
    let desk = format!("/admin/requests/{}", town.request);
    let presence = format!("{desk}/presence");
    let writing = format!("{presence}?writing=1");
    let mut told = Stream::open(&second, &format!("/admin/live?request={}", town.request)).await;
    assert!(!second.get(&desk).await.text().contains("коллег:"));
    let alone = town
        .agent
        .request(Method::POST, &presence, &SAME_SITE, Vec::new())
        .await;
    assert_eq!((alone.status, alone.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(told.next().await, Some(format!("here {}", town.request)));
    let page = second.get(&desk).await;
    page.assert_says("Обращение открыто и у коллег: agent.");
    let reply = second.request(Method::POST, &presence, &SAME_SITE, Vec::new()).await;
    assert_eq!(reply.text(), "Обращение открыто и у коллег: agent.");
    assert!(
        page.body.contains(&reply.body),
        "the page and the fragment are one: {}",
        reply.body
    );
    town.agent.request(Method::POST, &writing, &SAME_SITE, Vec::new()).await;
    let reply = second.request(Method::POST, &presence, &SAME_SITE, Vec::new()).await;
    assert_eq!(reply.text(), "Ответ уже пишут: agent.");
    // Half a minute without a word, and nobody is there any more.
    town.app
        .world
        .clock
        .set(town.app.world.db.now() + Duration::seconds(30));
    let reply = second.request(Method::POST, &presence, &SAME_SITE, Vec::new()).await;
    assert_eq!(reply.body, "");
    assert!(!second.get(&desk).await.text().contains("agent."));
}

#[tokio::test]
async fn an_answer_that_somebody_was_quicker_with_comes_back_with_what_is_new() {
    let app = TestApp::new().await;
    let mut anna = app.customer("Анна").await;
    let number = ask(&mut anna).await;
    let [mut agent, mut second] = [app.staff("agent").await, app.staff("second").await];
    let desk = format!("/admin/requests/{number}");
    let form = agent.get(&desk).await.form("request.answer");
    answer(&mut second, &number, "Уже решено").await;
    let draft = "Черновик <b>\nвторая строка";
    let sent = [("seen", form.get("seen").expect("seen")), ("text", draft)];
    let reply = agent.send(&desk, "request.answer", &sent).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    let again = reply.form("request.answer");
    assert_eq!(again.get("text"), Some(draft), "nothing is lost");
    let text = reply.text();
    assert!(
        text.contains("кто-то успел раньше") && text.contains("Уже решено"),
        "{text}"
    );
    assert_eq!(
        text.matches("новое").count() - text.matches("Прочитайте новое").count(),
        1,
        "marked: {text}"
    );
    let messages = "SELECT COUNT(*) FROM messages WHERE author = 'staff'";
    assert_eq!(app.count(messages).await, 1, "nothing is sent in silence");
    let thread = anna.get(&format!("/support/{number}")).await.text();
    assert!(!thread.contains("Черновик"), "{thread}");
    // Read, it goes.
    let sent = [("seen", again.get("seen").expect("seen")), ("text", draft)];
    let reply = agent.send(&desk, "request.answer", &sent).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    assert_eq!(app.count(messages).await, 2);
}
