//! The machine's clock is set back while the server runs.

use crate::browser::{Browser, codes, free_phone, key, register};
use crate::node::{Node, Place};
use crate::ports::free_address;
use std::path::PathBuf;

/// `libfaketime`, of Debian's package, between the program and the machine's clock.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    let found = folders
        .filter_map(Result::ok)
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    found.expect("libfaketime is missing: apt-get install libfaketime")
}

/// A server whose clock can be set.
struct Clocked {
    node: Node,
    file: PathBuf,
}

impl Clocked {
    fn start(place: &Place) -> Self {
        let file = place.dir.path().join("clock");
        std::fs::write(&file, "+180m").expect("written");
        let mut command = place.command();
        command
            .env("LD_PRELOAD", faketime())
            .env("FAKETIME_TIMESTAMP_FILE", &file)
            .env("FAKETIME_NO_CACHE", "1")
            // Waiting goes on as usual.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let node = Node::spawn(command, place, free_address());
        node.wait_until_ready();
        Self { node, file }
    }

    /// Sets it so many minutes before or after its first time, which is a while after the shop opened: what it says in
    /// messages has to be published already.
    fn set(&self, minutes: i64) {
        std::fs::write(&self.file, format!("+{}m", minutes + 180)).expect("written");
    }
}

async fn ask_for_code(browser: &mut Browser, phone: &str) -> String {
    let before = codes(browser, phone).await.expect("the inbox");
    let asked = browser
        .post("/sign-in", "sign_in.start", &key(), &[("phone", phone)])
        .await
        .expect("an answer");
    assert_eq!(asked.location(), "/sign-in/code", "{} {}", asked.status, asked.body);
    newest(browser, phone, &before).await
}

/// The code that was not there before: one that was sent after the clock was set back is not on top.
async fn newest(browser: &mut Browser, phone: &str, before: &[String]) -> String {
    let mut now = codes(browser, phone).await.expect("the inbox");
    for code in before {
        if let Some(at) = now.iter().position(|other| other == code) {
            now.remove(at);
        }
    }
    now.pop().expect("a new code")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_clock_set_back_lets_nobody_in_and_keeps_nobody_out() {
    let place = Place::sqlite().await;
    let clocked = Clocked::start(&place);
    let address = clocked.node.address;
    let (mut anna, phone) = (Browser::new(address), free_phone());
    register(&mut anna, &phone, "").await.expect("registered");
    let fields = |text| [("topic", "other"), ("text", text), ("purchase", "")];
    let before = anna
        .post("/support/new", "request.create", &key(), &fields("До"))
        .await
        .expect("an answer");
    assert_eq!(before.status, 303, "{}", before.body);

    // A code that ran out stays so when its ten minutes come a second time.
    clocked.set(1);
    let mut thief = Browser::new(address);
    let code = ask_for_code(&mut thief, &phone).await;
    clocked.set(12);
    let refused = thief
        .post("/sign-in/code", "sign_in.verify", &key(), &[("code", &code)])
        .await
        .expect("an answer");
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(
        refused.body.contains("Этот код больше не действует"),
        "{}",
        refused.body
    );
    clocked.set(1);
    let refused = thief
        .post("/sign-in/code", "sign_in.verify", &key(), &[("code", &code)])
        .await
        .expect("an answer");
    assert_eq!(refused.status, 422, "an expired code let somebody in: {}", refused.body);

    // A code from before the clock was set back is refused, for nobody knows how old it is; another one comes at once
    // and lets its owner in.
    clocked.set(14);
    let mut tablet = Browser::new(address);
    let code = ask_for_code(&mut tablet, &phone).await;
    clocked.set(-60);
    let refused = tablet
        .post("/sign-in/code", "sign_in.verify", &key(), &[("code", &code)])
        .await
        .expect("an answer");
    assert_eq!(refused.status, 422, "{}", refused.body);
    let known = codes(&mut tablet, &phone).await.expect("the inbox");
    let resent = tablet
        .post("/sign-in/code", "sign_in.resend", &key(), &[])
        .await
        .expect("an answer");
    assert_eq!(
        resent.location(),
        "/sign-in/code?done=sent",
        "{} {}",
        resent.status,
        resent.body
    );
    let code = newest(&mut tablet, &phone, &known).await;
    let entered = tablet
        .post("/sign-in/code", "sign_in.verify", &key(), &[("code", &code)])
        .await
        .expect("an answer");
    assert_eq!(entered.location(), "/", "{} {}", entered.status, entered.body);

    // Who was signed in still is; changes are taken, once each, and are found.
    assert_eq!(anna.get("/").await.expect("an answer").status, 200);
    let once = key();
    let first = anna
        .post("/support/new", "request.create", &once, &fields("После"))
        .await
        .expect("an answer");
    let second = anna
        .post("/support/new", "request.create", &once, &fields("После"))
        .await
        .expect("an answer");
    assert_eq!(
        (first.status, first.location()),
        (303, second.location()),
        "{}",
        first.body
    );
    assert_ne!(first.location(), before.location());
    for made in [&before, &first] {
        let number = made
            .location()
            .trim_start_matches("/support/")
            .split('?')
            .next()
            .unwrap_or_default();
        let list = anna.get("/support").await.expect("an answer").body;
        assert!(
            list.contains(&format!("\"/support/{number}\"")),
            "request {number} is not in the list"
        );
        let path = format!("/support/{number}");
        assert_eq!(anna.get(&path).await.expect("an answer").status, 200);
    }
    assert_eq!(
        place.count("SELECT COUNT(*) FROM messages WHERE body = 'После'").await,
        1
    );
    clocked.set(0);
    assert_eq!(clocked.node.terminate().code(), Some(0));
    place.assert_sound().await;
}
