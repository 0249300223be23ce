//! What people see while whatever carries their codes is in trouble, and that they come in once it is well again.

use crate::mail::relay;
use crate::peers::{Answer, Gateway, Smtpd, silent};
use crate::texts::{PHONE, gateway, site};
use crate::{carrier, one, ready, round, wait};
use crm::outbox::State;
use crm::who::Token;
use std::collections::BTreeMap;

/// Somebody on their way in: keeps the cookies, follows nothing.
struct Somebody {
    client: reqwest::Client,
    site: String,
    cookies: BTreeMap<String, String>,
}

impl Somebody {
    fn at(site: String) -> Self {
        Self {
            client: server::channels::client().expect("a client"),
            site,
            cookies: BTreeMap::new(),
        }
    }

    fn cookie(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.site));
        let answer = request.header("cookie", self.cookie()).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a page"))
    }

    /// Sends a form as our own page would; the status, and where it leads.
    async fn send(&mut self, path: &str, form: &str, field: (&str, &str)) -> (u16, String) {
        let key = Token::random();
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("_fn", form), ("_key", key.secret()), field])
            .finish();
        let request = self.client.post(format!("{}{path}", self.site)).body(body);
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", self.cookie())
            .send()
            .await
            .expect("an answer");
        for line in answer.headers().get_all("set-cookie") {
            let line = line.to_str().expect("text");
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let there = answer.headers().get("location");
        let there = there.and_then(|there| there.to_str().ok()).unwrap_or_default();
        (answer.status().as_u16(), there.to_owned())
    }
}

/// The code that a message holds.
fn code(text: &str) -> String {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers.find(|number| number.len() == 6).expect("a code").to_owned()
}

/// The page of the code comes at once and offers another one; the code comes as soon as the gateway is well, and opens.
#[tokio::test]
async fn whoever_waits_for_a_code_comes_in_once_the_gateway_is_well() {
    let (world, peer) = (ready().await, Gateway::start().await);
    let config = gateway(&peer);
    let sms = carrier(&config);
    peer.will(Answer::Say(500, "<h1>out of order</h1>"));
    let mut anna = Somebody::at(site(&world, &config).await);
    let asked = anna.send("/sign-in", "sign_in.start", ("phone", PHONE)).await;
    assert_eq!(asked, (303, "/sign-in/code".to_owned()));
    round(&world, &sms).await;
    assert_eq!(one(&world).await.state, State::Queued);
    let (status, page) = anna.get("/sign-in/code").await;
    assert_eq!(status, 200);
    for words in ["Код из SMS", "Прислать код ещё раз"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("out of order"), "what the gateway says is for staff");
    wait(&world).await;
    round(&world, &sms).await;
    let told = peer.asked().pop().expect("it was asked again").body;
    let fields: BTreeMap<_, _> = form_urlencoded::parse(told.as_bytes()).into_owned().collect();
    let taken = anna
        .send("/sign-in/code", "sign_in.verify", ("code", &code(&fields["text"])))
        .await;
    assert_eq!(taken, (303, "/sign-in/details".to_owned()));
}

/// The same of e-mail, by a relay that takes the connection and says nothing: pages do not wait for it.
#[tokio::test]
async fn whoever_waits_for_a_mail_sees_pages_while_the_relay_hangs_and_comes_in_afterwards() {
    let world = ready().await;
    let mut config = relay(silent());
    config.mail.timeout_seconds = 5;
    let mut anna = Somebody::at(site(&world, &config).await);
    let asked = anna
        .send(
            "/sign-in?by=email",
            "sign_in.start_by_email",
            ("email", "anna@example.com"),
        )
        .await;
    assert_eq!(asked, (303, "/sign-in/code".to_owned()));
    let mail = carrier(&config);
    let hangs = round(&world, &mail);
    tokio::pin!(hangs);
    tokio::select! {
        // Whichever is ready first is taken: were a page to wait for the relay, it would be the round.
        _ = &mut hangs => panic!("the page waited for the relay"),
        (status, page) = anna.get("/sign-in/code") => {
            assert_eq!(status, 200);
            assert!(page.contains("Код из письма"), "{page}");
        }
    }
    hangs.await;
    let smtpd = Smtpd::start(&[]);
    wait(&world).await;
    round(&world, &carrier(&relay(smtpd.port))).await;
    let got = smtpd.received(1).await.remove(0);
    let text = got["text"].as_str().expect("a text");
    let taken = anna
        .send("/sign-in/code", "sign_in.verify", ("code", &code(text)))
        .await;
    // Somebody new proves a phone as well.
    assert_eq!(taken, (303, "/sign-in/phone".to_owned()));
}
