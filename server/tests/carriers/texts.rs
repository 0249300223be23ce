//! Text messages.

use crate::peers::{Answer, Gateway, Secured, certificates, free_port};
use crate::{BY, carrier, kept, one, ready, round, wait, write, write_code};
use app::cx::Site;
use crm::outbox::{Channel, State};
use crm::testing::World;
use server::channels::reports::Reports;
use server::channels::sms::{Encoding, Method};
use server::channels::{self, Carrier};
use server::config::Config;
use server::router::{self, App};
use server::secret::Secret;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) const PHONE: &str = "+79001234567";
/// A name that would break out of every kind of quotation.
const NASTY: &str = "О'Нил \"};--\\\n{id}&text=x%20+";

pub(crate) fn gateway(gateway: &Gateway) -> Config {
    let mut config = Config::default();
    config.sms.url = gateway.url("/send");
    config.sms.timeout_seconds = 20;
    config
}

/// A gateway that answers in JSON, and says there whether it took the message.
fn json_gateway(at: &Gateway) -> Config {
    let mut config = gateway(at);
    config.sms.encoding = Encoding::Json;
    config.sms.body = r#"{"messages": [{"to": "{phone}", "text": "{text}", "ref": "{id}"}]}"#.into();
    config.sms.success_pointer = "/ok".into();
    config.sms.success_value = "true".into();
    config.sms.reference_pointer = "/id".into();
    config.sms.error_pointer = "/error/code".into();
    config.sms.permanent_errors = vec!["bad_number".into()];
    config
}

#[tokio::test]
async fn a_form_carries_any_text() {
    let (world, peer) = (ready().await, Gateway::start().await);
    write(&world, Channel::Sms, PHONE, NASTY).await;
    let mut config = gateway(&peer);
    config.sms.headers = BTreeMap::from([("X-Key".to_owned(), Secret::Inline("the key".into()))]);
    round(&world, &carrier(&config)).await;
    let asked = peer.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.uri.as_str()), ("POST", "/send"));
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded; charset=utf-8"
    );
    assert_eq!(asked.headers["x-key"], "the key");
    let fields: BTreeMap<_, _> = form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    assert_eq!(fields.len(), 3, "{fields:?}");
    assert_eq!(fields["phone"], PHONE);
    assert!(
        fields["text"].starts_with(&format!("Здравствуйте, {NASTY}.\n\nМы ответили")),
        "{}",
        fields["text"]
    );
    assert!(fields["id"].parse::<uuid::Uuid>().is_ok());
    assert_eq!(one(&world).await.state, State::Sent);
}

#[tokio::test]
async fn json_carries_any_text_and_the_answer_is_read() {
    let (world, peer) = (ready().await, Gateway::start().await);
    write(&world, Channel::Sms, PHONE, NASTY).await;
    round(&world, &carrier(&json_gateway(&peer))).await;
    let asked = peer.asked().remove(0);
    assert_eq!(asked.headers["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
    let message = &body["messages"][0];
    assert_eq!(message["to"], PHONE);
    assert!(
        message["text"].as_str().is_some_and(|text| text.contains(NASTY)),
        "{message}"
    );
    let sent = one(&world).await;
    assert_eq!((sent.state, sent.reference.as_deref()), (State::Sent, Some("42")));
}

/// Nobody vouches for the certificate, so nothing is told: neither to a gateway nor to a provider (12.3.2).
#[tokio::test]
async fn a_gateway_and_a_provider_are_spoken_to_only_by_a_certificate_that_somebody_vouches_for() {
    let certificates = certificates();
    let secured = Secured::start(&certificates).await;
    let url = format!("https://localhost:{}/", secured.port);
    let world = ready().await;
    write(&world, Channel::Sms, PHONE, "Анна").await;
    let mut config = Config::default();
    config.sms.url = url.clone();
    round(&world, &carrier(&config)).await;
    let refused = one(&world).await;
    assert_eq!((refused.state, refused.tries), (State::Queued, 1));
    let words = refused.error.unwrap_or_default();
    assert!(words.starts_with("certificate: "), "{words}");

    let asked = server::outside::client::http()
        .expect("a client")
        .get(&url)
        .send()
        .await;
    let refused = format!("{:?}", asked.expect_err("refused"));
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    // A client that checks nothing gets an answer: the certificate alone was in the way.
    let careless = reqwest::Client::builder()
        .danger_accept_invalid_certs(true)
        .build()
        .expect("a client");
    assert!(
        careless
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status()
            .is_success()
    );
}

#[tokio::test]
async fn everything_may_stand_in_the_address() {
    let (world, peer) = (ready().await, Gateway::start().await);
    write(&world, Channel::Sms, PHONE, NASTY).await;
    let mut config = gateway(&peer);
    config.sms.method = Method::Get;
    config.sms.url = peer.url("/send?key={secret}&to={phone}&text={text}");
    config.sms.secret = Some(Secret::Inline("a b&c".into()));
    round(&world, &carrier(&config)).await;
    let asked = peer.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.body.as_str()), ("GET", ""));
    let query = asked.uri.split_once('?').expect("a query").1;
    let fields: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!((fields["key"].as_str(), fields["to"].as_str()), ("a b&c", PHONE));
    assert!(fields["text"].contains(NASTY));
}

#[tokio::test]
async fn what_a_gateway_says_decides_what_becomes_of_a_message() {
    let cases = [
        (Answer::Say(500, "<h1>oops</h1>"), State::Queued, "500"),
        (
            Answer::Say(429, r#"{"error": {"code": "too_fast"}}"#),
            State::Queued,
            "429: too_fast",
        ),
        (
            Answer::Say(200, r#"{"ok": false, "error": {"code": "no_money"}}"#),
            State::Queued,
            "200: no_money",
        ),
        (Answer::Say(200, "it is no JSON"), State::Queued, "200"),
        (Answer::Say(401, ""), State::Queued, "401"),
        (
            Answer::Say(200, r#"{"ok": false, "error": {"code": "bad_number"}}"#),
            State::Failed,
            "200: bad_number",
        ),
        (
            Answer::Say(400, r#"{"error": {"code": "what"}}"#),
            State::Failed,
            "400: what",
        ),
    ];
    for (answer, state, words) in cases {
        let (world, peer) = (ready().await, Gateway::start().await);
        write(&world, Channel::Sms, PHONE, "Анна").await;
        let sms = carrier(&json_gateway(&peer));
        peer.will(answer.clone());
        round(&world, &sms).await;
        let kept = one(&world).await;
        assert_eq!((kept.state, kept.tries), (state, 1), "{answer:?}");
        assert!(
            kept.error.as_ref().is_some_and(|error| error.ends_with(words)),
            "{answer:?}: {kept:?}"
        );
        if state == State::Queued {
            wait(&world).await;
            round(&world, &sms).await;
            assert_eq!(one(&world).await.state, State::Sent, "{answer:?}");
            let ids: Vec<_> = peer.asked().iter().map(|asked| asked.body.clone()).collect();
            assert_eq!(ids[0], ids[1], "the same id at each try, to tell doubles by");
        }
    }
}

#[tokio::test]
async fn a_gateway_that_says_nothing_holds_nobody_up() {
    let (world, peer) = (ready().await, Gateway::start().await);
    write(&world, Channel::Sms, PHONE, "Анна").await;
    write(&world, Channel::Sms, "+79001234568", "Борис").await;
    peer.will(Answer::Nothing);
    let mut config = gateway(&peer);
    config.sms.timeout_seconds = 2;
    let sms = carrier(&config);
    round(&world, &sms).await;
    let states = kept(&world)
        .await
        .iter()
        .filter(|kept| kept.state == State::Sent)
        .count();
    assert_eq!(states, 1, "the other one went");
    wait(&world).await;
    round(&world, &sms).await;
    assert!(kept(&world).await.iter().all(|kept| kept.state == State::Sent));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nothing_secret_is_written_down() {
    let (world, peer, elsewhere) = (ready().await, Gateway::start().await, Gateway::start().await);
    write_code(&world, PHONE, "918273").await;
    let mut config = gateway(&peer);
    config.sms.body = "key={secret}&phone={phone}&text={text}".into();
    config.sms.secret = Some(Secret::Inline("gateway-key".into()));
    peer.will(Answer::Redirect(elsewhere.url("/send")));
    round(&world, &carrier(&config)).await;
    assert_eq!((peer.asked().len(), elsewhere.asked().len()), (1, 0));
    let redirected = one(&world).await;
    assert!(
        redirected
            .error
            .as_ref()
            .is_some_and(|words| words.contains("redirect")),
        "{redirected:?}"
    );

    // Nobody there at all: the address with its key is not told.
    config.sms.method = Method::Get;
    config.sms.url = format!(
        "http://127.0.0.1:{}/send?key={{secret}}&to={{phone}}&text={{text}}",
        free_port()
    );
    wait(&world).await;
    round(&world, &carrier(&config)).await;
    let refused = one(&world).await;
    let words = refused.error.clone().unwrap_or_default();
    assert!(
        words.starts_with("unreachable: ") && words.contains("cannot be reached") && words.contains("refused"),
        "{words}"
    );
    assert!(!words.contains("gateway-key") && !words.contains("918273"), "{words}");

    // A gateway that repeats what it got.
    let mut config = json_gateway(&peer);
    config.sms.error_pointer = "/echo".into();
    peer.will(Answer::Say(400, r#"{"echo": "rejected: 918273 — код входа"}"#));
    wait(&world).await;
    round(&world, &carrier(&config)).await;
    let failed = one(&world).await;
    assert_eq!(failed.state, State::Failed);
    let words = failed.error.unwrap_or_default();
    assert!(words.contains("rejected") && !words.contains("918273"), "{words}");
}

crm::both_engines!(nodes_side_by_side_send_each_message_once, async |world| {
    const MESSAGES: usize = 40;
    crm::content::load(&world.db, &BY).await.expect("content loads");
    let peer = Gateway::start().await;
    for n in 0..MESSAGES {
        write_code(world, &format!("+79001234{n:03}"), "123456").await;
    }
    let sms: Vec<Carrier> = (0..4).map(|_| carrier(&gateway(&peer))).collect();
    let work = sms.iter().enumerate().map(|(n, sms)| async move {
        let worker = n.to_string();
        while channels::round(&world.db, &BY, sms, &worker)
            .await
            .expect("the database answers")
            > 0
        {}
    });
    futures::future::join_all(work).await;
    let mut phones: Vec<String> = peer.asked().iter().map(|asked| asked.body.clone()).collect();
    assert_eq!(phones.len(), MESSAGES);
    phones.sort();
    phones.dedup();
    assert_eq!(phones.len(), MESSAGES);
    let all = kept(world).await;
    assert!(
        all.iter().all(|kept| kept.state == State::Sent && kept.tries == 1),
        "{all:?}"
    );
    let bodies = crm::outbox::inbox(&world.db, 100).await.expect("read");
    assert!(bodies.iter().all(|message| !message.body.contains("123456")));
});

const REPORTS: &str = "0123456789abcdef0123456789abcdef";

/// Serves the site over the same database; its address.
pub(crate) async fn site(world: &World, config: &Config) -> String {
    assert_eq!(config.sms.problems(), Vec::<String>::new());
    let app = App {
        db: world.db.clone(),
        config: Arc::new(config.clone()),
        site: Arc::new(Site {
            css: "/kabinet.css".into(),
            theme: "/theme.css".into(),
            ..Site::default()
        }),
        is_demonstration: false,
        is_draining: Arc::default(),
        pace: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let service = router::build(&app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

/// It keeps our own id of the message, and reports by forms to an address that nobody else knows.
#[tokio::test]
async fn a_gateway_reports_by_a_form_and_by_our_own_id() {
    let (world, peer) = (ready().await, Gateway::start().await);
    let mut config = gateway(&peer);
    config.sms.reports = Reports {
        secret: Some(Secret::Inline(REPORTS.into())),
        id: "/id".into(),
        status: "/status".into(),
        delivered: vec!["1".into()],
        failed: vec!["20".into()],
        error: "/err".into(),
        answer: "100".into(),
        ..Reports::default()
    };
    let there = format!("{}/callbacks/sms/{REPORTS}", site(&world, &config).await);
    write(&world, Channel::Sms, PHONE, "Анна").await;
    round(&world, &carrier(&config)).await;
    let asked = peer.asked().remove(0);
    let fields: BTreeMap<_, _> = form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let tell = async |rest: &str| {
        let answer = peer
            .call_back(&there, form, &format!("id={}{rest}", fields["id"]))
            .await;
        assert_eq!(answer, (200, "100".to_owned()));
        one(&world).await
    };
    let failed = tell("&status=20&err=255").await;
    assert_eq!(
        (failed.state, failed.error.as_deref()),
        (State::Failed, Some("20: 255"))
    );
    let arrived = tell("&status=1&err=0").await;
    assert_eq!((arrived.state, arrived.error), (State::Sent, None));
    assert_eq!(arrived.delivered_at, Some(world.db.now()));
}

/// It reports in JSON by the id that its answer named, many at a time, and proves itself by a header.
#[tokio::test]
async fn a_gateway_reports_in_json_by_its_own_id() {
    let (world, peer) = (ready().await, Gateway::start().await);
    let mut config = json_gateway(&peer);
    config.sms.reports = Reports {
        secret: Some(Secret::Inline(format!("Bearer {REPORTS}"))),
        header: "Authorization".into(),
        each: "/reports".into(),
        id: "/id".into(),
        status: "/state/name".into(),
        delivered: vec!["DELIVERED".into()],
        ..Reports::default()
    };
    let there = format!("{}/callbacks/sms", site(&world, &config).await);
    write(&world, Channel::Sms, PHONE, "Анна").await;
    round(&world, &carrier(&config)).await;
    let body =
        r#"{"reports": [{"id": 41, "state": {"name": "DELIVERED"}}, {"id": 42, "state": {"name": "DELIVERED"}}]}"#;
    let (right, wrong) = (format!("Bearer {REPORTS}"), format!("Basic {REPORTS}"));
    let refused = peer.call_back(&there, ("authorization", wrong.as_str()), body).await;
    assert_eq!((refused.0, one(&world).await.delivered_at), (404, None));
    let taken = peer.call_back(&there, ("authorization", right.as_str()), body).await;
    assert_eq!(taken, (200, String::new()));
    assert_eq!(one(&world).await.delivered_at, Some(world.db.now()));
}

#[tokio::test]
async fn workers_work_by_themselves_and_finish_what_they_began() {
    let (world, peer) = (ready().await, Gateway::start().await);
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let workers = channels::start(&world.db, Carrier::all(&gateway(&peer)).expect("it works"), &stopping);
    write(&world, Channel::Sms, PHONE, "Анна").await;
    // They look once a second; what they have taken is finished before they stop.
    for _ in 0..3000 {
        if !peer.asked().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("it stops");
    }
    assert_eq!(one(&world).await.state, State::Sent);
    write(&world, Channel::Sms, "+79001234568", "Борис").await;
    assert_eq!(peer.asked().len(), 1, "stopped");
}
