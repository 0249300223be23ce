//! Webhooks: an event with its cause or not at all, told by one node at a time until it is taken or given up.

use crate::common::people::{one, role, sql, topic};
use crate::common::*;
use chrono::{DateTime, Duration, Utc};
use crm::both_engines;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{DeliveryId, SessionId, WebhookId};
use crm::lang::Lang;
use crm::purchase::import::{Format, Options};
use crm::staff::{NewStaff, Role};
use crm::testing::{World, start};
use crm::webhook::delivery::{self, Claimed, Fate, INTERRUPTED, MAX_ATTEMPTS, Outcome, Settled};
use crm::webhook::secret::Secret;
use crm::webhook::store::{self, NewWebhook};
use crm::webhook::{Because, Kind, State};
use crm::who::{self, Staff, Token, Visitor};
use serde_json::{Value, json};

const HOLD: Duration = Duration::minutes(1);

/// A member of staff who looks after the shop's systems, and has just proved who they are.
async fn boss(world: &World) -> Staff {
    role(world, "boss", r#"["tills"]"#).await;
    let new = NewStaff {
        login: "boss".into(),
        name: "Boss".into(),
        role: Role::new("boss"),
        language: Lang::En,
        password_hash: "$argon2id$hash".into(),
    };
    let id = crm::staff::store::create(&world.db, &BY, &new).await.expect("staff");
    let (token, now) = (Token::random(), world.db.now());
    let hash = &token.hash();
    sql!(
        world,
        "INSERT INTO sessions (id, token_hash, staff_id, device, network, created_at, seen_at, expires_at, \
         authenticated_at) VALUES ($1, $2, $3, '', '', $4, $4, $5, $4)",
        SessionId::new(),
        hash,
        id,
        now,
        now + days(90),
    );
    let boss = who::staff(&world.db, &token, &Visitor::default()).await;
    boss.expect("no error").expect("signed in")
}

fn new(url: &str, events: &[Kind]) -> NewWebhook {
    NewWebhook {
        url: url.into(),
        description: "Stock".into(),
        events: events.to_vec(),
    }
}

/// Adds a receiver of these events.
async fn add(world: &World, by: &Staff, events: &[Kind]) -> (WebhookId, Secret) {
    let by = by.fresh(&world.db).expect("fresh");
    let new = new("https://erp.example.com/hooks", events);
    store::create(&world.db, &by, &new).await.expect("added")
}

/// The bodies of all events, in the order of their ids.
async fn events(world: &World) -> Vec<Value> {
    let mut conn = world.db.read().await.expect("a connection");
    let bodies: Vec<String> = crm::on!(conn, |c| sqlx::query_scalar(
        "SELECT payload FROM webhook_events ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    let read = |body: &String| serde_json::from_str(body).expect("JSON");
    bodies.iter().map(read).collect()
}

async fn kinds(world: &World) -> Vec<String> {
    let events = events(world).await;
    events
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

async fn claim(world: &World) -> Vec<Claimed> {
    delivery::claim(&world.db, &BY, HOLD).await.expect("claimed")
}

/// The one delivery that is due.
async fn claim_one(world: &World) -> Claimed {
    let mut claimed = claim(world).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

fn answer(status: u16, words: &str) -> Outcome {
    Outcome {
        status: Some(status),
        words: words.into(),
        took: std::time::Duration::from_millis(12),
        ..Outcome::default()
    }
}

/// Writes down an answer and lets the receiver go.
async fn settle(world: &World, told: &Claimed, outcome: &Outcome) -> Settled {
    delivery::settle(&world.db, &BY, told, outcome, None)
        .await
        .expect("written down")
}

async fn log(world: &World, by: &Staff, id: WebhookId) -> Vec<store::Delivery> {
    let mut conn = world.db.read().await.expect("a connection");
    store::deliveries(&mut conn, by, id, None, None, 100)
        .await
        .expect("read")
}

async fn entry(world: &World, by: &Staff, id: WebhookId) -> store::Entry {
    store::get(&world.db, by, id).await.expect("read")
}

/// Tells a receiver that it is tried out, so that something is due.
async fn something(world: &World, by: &Staff, id: WebhookId) {
    store::test(&world.db, by, id).await.expect("on its way");
}

// Events --------------------------------------------------------------------------------------------------------------

both_engines!(an_event_is_written_with_its_cause_or_not_at_all, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    slip("A-0", anna, start()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(kinds(world).await, Vec::<String>::new(), "nobody wants to be told");

    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked, Kind::BalanceChanged]).await;
    let tver = store(db, "tver").await;
    let sold = slip("A-1", anna, start() + Duration::hours(1))
        .line("tea", 2, 100_00)
        .at_store(tver)
        .book(db)
        .await;
    let told = events(world).await;
    assert_eq!(
        told,
        [
            json!({"type": "purchase.booked", "timestamp": "2026-11-21T12:00:00.000000Z", "data": {
                "id": sold.id, "source": "till", "document": "A-1", "kind": "sale", "at": "2026-11-21T13:00:00.000000Z",
                "store": "tver", "customer": anna.id(), "lines": 1, "total": 200_00}}),
            // 3 % of 100.00 and of 200.00, in two weeks.
            json!({"type": "balance.changed", "timestamp": "2026-11-21T12:00:00.000000Z", "data": {
                "customer": anna.id(), "balances": [{"program": "club", "active": 0, "pending": 900}]}}),
        ]
    );
    assert_eq!(log(world, &boss, id).await.len(), 2);

    // The same once more is known, and undone is undone.
    slip("A-1", anna, start() + Duration::hours(1))
        .line("tea", 2, 100_00)
        .at_store(tver)
        .book(db)
        .await;
    let undone: Result<(), Error> = db
        .write(|tx| {
            crm::db::scoped(async move {
                let names = std::collections::BTreeMap::from([("tea", Some("tea"))]);
                let articles = crm::article::store::ensure(tx, &BY, &names).await?;
                let line = crm::purchase::NewLine {
                    ordinal: 1,
                    article: articles["tea"],
                    quantity: 1,
                    price: 100_00,
                    discount: 0,
                    rule_discount: 0,
                    original: crm::purchase::Original::None,
                };
                let purchase = crm::purchase::NewPurchase {
                    source: "till".into(),
                    document: "A-2".into(),
                    kind: crm::purchase::Kind::Sale,
                    customer: Some(anna.id()),
                    store: None,
                    at: tx.now(),
                    way: crm::purchase::Way::default(),
                    points_used: 0,
                    lines: vec![line],
                    coupons: Vec::new(),
                };
                crm::purchase::store::book(tx, &BY, &[purchase]).await?;
                Err(Error::Stale)
            })
        })
        .await;
    undone.expect_err("undone");
    assert_eq!(events(world).await.len(), 2);

    // A customer whose points moved several times in one transaction is told of once, with what is left.
    book(
        db,
        &[
            slip("A-3", anna, start()).line("tea", 1, 100_00),
            slip("A-4", anna, start()).line("tea", 1, 100_00),
            slip("A-5", anna, start()).nobody().line("tea", 1, 100_00),
        ],
    )
    .await;
    let told = events(world).await.split_off(2);
    let types: Vec<_> = told.iter().map(|event| event["type"].as_str()).collect();
    let (sale, balance) = (Some("purchase.booked"), Some("balance.changed"));
    assert_eq!(types, [sale, sale, sale, balance]);
    assert_eq!(told[2]["data"]["customer"], Value::Null);
    assert_eq!(told[3]["data"]["balances"][0]["pending"], 1500);
    assert!(!told.iter().any(|event| event.to_string().contains("Анна")));

    // Who is off is told nothing of what happens meanwhile.
    let by = boss.fresh(db).expect("fresh");
    crm::webhook::store::switch(db, &by, id, false).await.expect("paused");
    slip("A-6", anna, start()).line("tea", 1, 100_00).book(db).await;
    assert_eq!(events(world).await.len(), 6);
});

both_engines!(each_kind_goes_to_whom_it_was_promised, async |world| {
    let db = ready(world).await;
    let boss = boss(world).await;
    let (all, _) = add(world, &boss, &Kind::ALL).await;
    let (voids, _) = add(world, &boss, &[Kind::PurchaseVoided]).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    slip("V-1", anna, start()).line("tea", 1, 100_00).book(db).await;
    let void = async || crm::purchase::void::void(db, &BY, "till", "V-1").await.expect("voided");
    void().await;
    void().await;
    topic(world, "hooks", 99).await;
    let me = sign_in(db, anna).await;
    let request = crm::request::NewRequest {
        topic: "hooks".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let number = crm::request::store::create(db, &me, &request, &[])
        .await
        .expect("opened");
    assert_eq!(
        kinds(world).await,
        [
            "purchase.booked",
            "balance.changed",
            "purchase.voided",
            "balance.changed",
            "request.opened"
        ]
    );
    let told = events(world).await;
    assert_eq!(told[2]["data"]["document"], "V-1");
    assert_eq!(told[3]["data"]["balances"][0]["pending"], 0);
    assert_eq!(
        told[4]["data"],
        json!({"number": number, "customer": anna.id(), "topic": "hooks", "purchase": null})
    );
    assert_eq!(
        (log(world, &boss, all).await.len(), log(world, &boss, voids).await.len()),
        (5, 1)
    );
});

both_engines!(history_that_is_brought_in_is_no_news, async |world| {
    let db = ready(world).await;
    let boss = boss(world).await;
    add(world, &boss, &Kind::ALL).await;
    // Sold two years ago: what it earned became active, and expired.
    let content = "document,at,customer,store,article,name,quantity,price,discount,original\n\
                   1,2024-11-01 12:00,7,,A,Tea,1,100.00,,\n2,2026-11-10 12:00,7,,A,Tea,1,100.00,,\n";
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("history.csv");
    std::fs::write(&path, content).expect("written");
    crm::purchase::import::run(db, &BY, &path, &Options::new(Format::Kabinet), |_| {})
        .await
        .expect("imported");
    let report = run_due(world, start()).await;
    assert!(report.activated > 0 && report.expired > 0, "{report:?}");
    assert_eq!(kinds(world).await, Vec::<String>::new());
    // What becomes active from now on is news.
    run_due(world, start() + days(5)).await;
    assert_eq!(kinds(world).await, ["balance.changed"]);
});

// Delivery ------------------------------------------------------------------------------------------------------------

both_engines!(a_receiver_is_one_nodes_until_its_claim_runs_out, async |world| {
    let boss = boss(world).await;
    let (a, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    let (b, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    assert_eq!(claim(world).await, []);
    something(world, &boss, a).await;
    something(world, &boss, a).await;
    let first = claim_one(world).await;
    assert_eq!(first.webhook, a);
    // Although more is due for it: one request at a time. Others are not kept waiting.
    assert_eq!(claim(world).await, []);
    something(world, &boss, b).await;
    let other = claim_one(world).await;
    assert_eq!(other.webhook, b);
    settle(world, &other, &answer(200, "")).await;

    // The node dies; when its claim has run out, another one goes on with what it had.
    world.clock.set(start() + HOLD - Duration::milliseconds(1));
    assert_eq!(claim(world).await, []);
    world.clock.set(start() + HOLD);
    let again = claim_one(world).await;
    assert_eq!((again.id, again.event), (first.id, first.event));
    // What the dead one has to say after all changes nothing, and takes nothing from the living.
    let late = delivery::settle(&world.db, &BY, &first, &answer(500, ""), Some(HOLD))
        .await
        .expect("no error");
    assert_eq!((late.fate, late.next), (Fate::Lost, None));
    assert_eq!(claim(world).await, []);
    // With the answer written down the next is handed out, and in the end the receiver is free.
    let settled = delivery::settle(&world.db, &BY, &again, &answer(204, ""), Some(HOLD))
        .await
        .expect("written down");
    assert_eq!(settled.fate, Fate::Taken);
    let next = settled.next.expect("the second");
    assert_ne!(next.id, again.id);
    let settled = delivery::settle(&world.db, &BY, &next, &answer(200, ""), Some(HOLD))
        .await
        .expect("written down");
    assert_eq!((settled.fate, settled.next), (Fate::Taken, None));
    something(world, &boss, a).await;
    assert_eq!(claim(world).await.len(), 1);
    let delivered = log(world, &boss, a).await;
    assert_eq!(
        delivered
            .iter()
            .map(|one| (one.state, one.attempts))
            .collect::<Vec<_>>(),
        [(State::Pending, 1), (State::Delivered, 1), (State::Delivered, 2)]
    );
});

both_engines!(many_nodes_at_once_tell_nothing_twice, async |world| {
    const EVENTS: usize = 12;
    let boss = boss(world).await;
    let mut hooks = Vec::new();
    for _ in 0..4 {
        let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
        for _ in 0..EVENTS {
            something(world, &boss, id).await;
        }
        hooks.push(id);
    }
    let told: std::sync::Mutex<Vec<DeliveryId>> = std::sync::Mutex::default();
    let node = async || {
        // Nothing is left for this node when others have it all; they finish it.
        for _ in 0..40 {
            for first in claim(world).await {
                let mut next = Some(first);
                while let Some(one) = next {
                    told.lock().expect("a lock").push(one.id);
                    tokio::task::yield_now().await;
                    let settled = delivery::settle(&world.db, &BY, &one, &answer(200, ""), Some(HOLD)).await;
                    let settled = settled.expect("written down");
                    assert_eq!(settled.fate, Fate::Taken, "known already");
                    next = settled.next;
                }
            }
        }
    };
    tokio::join!(node(), node(), node());
    let mut told = told.into_inner().expect("a lock");
    assert_eq!(told.len(), 4 * EVENTS);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 4 * EVENTS);
});

/// Fails until it is over; the pauses.
async fn fail_for_good(world: &World) -> Vec<Duration> {
    let mut pauses = Vec::new();
    loop {
        let (one, now) = (claim_one(world).await, world.db.now());
        match settle(world, &one, &answer(503, "later\r\nplease")).await.fate {
            Fate::Later(at) => {
                world.clock.set(at - Duration::milliseconds(1));
                assert_eq!(claim(world).await, [], "before its time");
                world.clock.set(at);
                pauses.push(at - now);
            }
            fate => {
                assert_eq!(fate, Fate::Failed);
                return pauses;
            }
        }
    }
}

both_engines!(what_is_not_taken_is_told_again_ever_later, async |world| {
    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    something(world, &boss, id).await;
    let pauses = fail_for_good(world).await;
    assert_eq!(pauses.len() as i64, MAX_ATTEMPTS - 1);
    for (pause, wanted) in pauses.iter().zip(delivery::PAUSES) {
        assert!(*pause >= wanted * 3 / 4 && *pause <= wanted * 5 / 4, "{pauses:?}");
    }
    let one = log(world, &boss, id).await.remove(0);
    assert_eq!(
        (one.state, one.attempts, one.status, one.error.as_deref()),
        (State::Failed, MAX_ATTEMPTS, Some(503), Some("later  please"))
    );
    assert_eq!((one.next_at, one.milliseconds), (None, Some(12)));

    // Told again by hand, it is as if it had not been tried.
    sql!(world, "UPDATE webhooks SET disabled_at = NULL, disabled_because = NULL");
    store::redeliver(&world.db, &boss, id, one.id).await.expect("again");
    let again = claim_one(world).await;
    let Fate::Later(at) = settle(world, &again, &answer(503, "")).await.fate else {
        panic!("it is tried again");
    };
    assert!(at - world.db.now() < Duration::seconds(10));
    assert_eq!(log(world, &boss, id).await[0].attempts, 1);
});

both_engines!(who_asks_to_be_left_alone_is, async |world| {
    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    something(world, &boss, id).await;
    let asks = Outcome {
        again_in: Some(std::time::Duration::from_secs(3600)),
        ..answer(429, "slowly")
    };
    let fate = settle(world, &claim_one(world).await, &asks).await.fate;
    assert_eq!(fate, Fate::Later(start() + Duration::hours(1)));
});

both_engines!(who_is_gone_is_told_no_more, async |world| {
    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    something(world, &boss, id).await;
    something(world, &boss, id).await;
    let settled = delivery::settle(&world.db, &BY, &claim_one(world).await, &answer(410, ""), Some(HOLD))
        .await
        .expect("written down");
    assert_eq!(
        (settled.fate, settled.switched_off, settled.next),
        (Fate::Failed, Some(Because::Gone), None)
    );
    world.clock.set(start() + days(1));
    assert_eq!(claim(world).await, []);
    let one = entry(world, &boss, id).await;
    assert_eq!((one.off, one.waiting), (Some((start(), Because::Gone)), 1));
    assert_eq!(one.failure, Some((start(), "410".into())));
    assert!(matches!(store::test(&world.db, &boss, id).await, Err(Error::Stale)));
    let backlog = delivery::backlog(&mut world.db.read().await.expect("a connection"), &BY).await;
    let backlog = backlog.expect("counted");
    assert_eq!((backlog.waiting, backlog.switched_off), (0, 1), "of those that are on");
});

both_engines!(who_takes_nothing_for_days_is_switched_off, async |world| {
    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    let fail = async |at: DateTime<Utc>| {
        world.clock.set(at);
        something(world, &boss, id).await;
        // Whatever else is due fails as well.
        let mut switched_off = None;
        let mut next = claim(world).await.pop();
        while let Some(one) = next {
            let settled = delivery::settle(&world.db, &BY, &one, &Outcome::default(), Some(HOLD))
                .await
                .expect("written down");
            switched_off = switched_off.or(settled.switched_off);
            next = settled.next;
        }
        switched_off
    };
    assert_eq!(fail(start()).await, None);
    assert_eq!(fail(start() + days(2)).await, None);
    // Something was taken: it begins anew.
    something(world, &boss, id).await;
    settle(world, &claim_one(world).await, &answer(200, "")).await;
    assert_eq!(entry(world, &boss, id).await.failing_since, None);
    assert_eq!(fail(start() + days(4)).await, None);
    assert_eq!(fail(start() + days(7) - Duration::seconds(1)).await, None);
    assert_eq!(fail(start() + days(7)).await, Some(Because::Failing));
    let one = entry(world, &boss, id).await;
    assert_eq!(one.off, Some((start() + days(7), Because::Failing)));
    assert_eq!(one.failing_since, Some(start() + days(4)));
});

both_engines!(
    a_node_that_dies_over_it_each_time_does_not_do_so_for_ever,
    async |world| {
        let boss = boss(world).await;
        let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
        something(world, &boss, id).await;
        let mut claims: i32 = 0;
        while let [_] = claim(world).await.as_slice() {
            claims += 1;
            assert!(i64::from(claims) <= MAX_ATTEMPTS, "it does so for ever");
            world.clock.set(start() + HOLD * claims);
        }
        assert_eq!(i64::from(claims), MAX_ATTEMPTS);
        let one = log(world, &boss, id).await.remove(0);
        assert_eq!((one.state, one.error.as_deref()), (State::Failed, Some(INTERRUPTED)));
        // The receiver itself is free.
        something(world, &boss, id).await;
        assert_eq!(claim(world).await.len(), 1);
    }
);

// Secrets -------------------------------------------------------------------------------------------------------------

both_engines!(while_a_secret_is_exchanged_both_sign, async |world| {
    let boss = boss(world).await;
    let (id, old) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    something(world, &boss, id).await;
    let one = claim_one(world).await;
    let at = start() + Duration::seconds(7);
    let signed = |one: &Claimed, secrets: &[&Secret]| {
        let [event, seconds, signature] = one.headers(at);
        assert_eq!(event, ("webhook-id", one.event.to_string()));
        assert_eq!(seconds, ("webhook-timestamp", "1795262407".into()));
        let expected: Vec<String> = secrets
            .iter()
            .map(|secret| secret.sign(&one.event.to_string(), at, &one.body))
            .collect();
        assert_eq!(signature, ("webhook-signature", expected.join(" ")));
    };
    signed(&one, &[&old]);
    settle(world, &one, &answer(200, "")).await;

    let by = boss.fresh(&world.db).expect("fresh");
    let new = store::exchange_secret(&world.db, &by, id).await.expect("a new one");
    assert_ne!(new, old);
    assert_eq!(
        entry(world, &boss, id).await.old_secret_until,
        Some(start() + store::BOTH_SECRETS)
    );
    delivery::sweep(&world.db, &BY).await.expect("swept");
    something(world, &boss, id).await;
    let one = claim_one(world).await;
    signed(&one, &[&new, &old]);
    settle(world, &one, &answer(200, "")).await;

    world.clock.set(start() + store::BOTH_SECRETS);
    assert_eq!(entry(world, &boss, id).await.old_secret_until, None);
    something(world, &boss, id).await;
    signed(&claim_one(world).await, &[&new]);
    let kept = "SELECT COUNT(*) FROM webhooks WHERE old_secret IS NOT NULL";
    assert_eq!(one!(world, i64, kept), 1);
    delivery::sweep(&world.db, &BY).await.expect("swept");
    assert_eq!(one!(world, i64, kept), 0, "what signs no more is no secret to keep");
});

// Staff ---------------------------------------------------------------------------------------------------------------

both_engines!(what_is_wrong_with_a_receiver_is_said_at_its_field, async |world| {
    let boss = boss(world).await;
    let by = boss.fresh(&world.db).expect("fresh");
    let wrong = async |new: &NewWebhook| match store::create(&world.db, &by, new).await {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    let field = |name: &str, flaw| (name.to_owned(), flaw);
    let nothing = NewWebhook::default();
    assert_eq!(
        wrong(&nothing).await,
        [
            field("url", Flaw::Missing),
            field("description", Flaw::Missing),
            field("events", Flaw::Missing)
        ]
    );
    let inside = new("https://169.254.169.254/latest/meta-data/", &[Kind::PurchaseBooked]);
    assert_eq!(wrong(&inside).await, [field("url", Flaw::PrivateAddress)]);
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    let plain = new("http://erp.example.com/", &[Kind::PurchaseBooked]);
    let first = new("https://erp.example.com/hooks", &[Kind::PurchaseBooked]);
    let changed = store::change(&world.db, &by, id, &first, &plain).await;
    assert!(matches!(changed, Err(Error::Invalid(flaws)) if flaws == [field("url", Flaw::NotAUrl)]));
    let better = new("https://erp.example.com/v2", &Kind::ALL);
    store::change(&world.db, &by, id, &first, &better)
        .await
        .expect("changed");
    // Whoever still sees it as it was overwrites nothing.
    let late = store::change(&world.db, &by, id, &first, &first).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let one = entry(world, &boss, id).await;
    assert_eq!(
        (one.url.as_str(), one.events.as_slice()),
        ("https://erp.example.com/v2", &Kind::ALL[..])
    );
    for _ in 1..store::MOST {
        add(world, &boss, &[Kind::PurchaseBooked]).await;
    }
    let more = store::create(&world.db, &by, &better).await;
    assert!(matches!(more, Err(Error::Stale)), "{more:?}");
    assert_eq!(
        store::list(&world.db, &boss).await.expect("listed").len() as i64,
        store::MOST
    );
    // Without the right there is nothing to see.
    let agent = crate::common::people::staff(world, "agent").await;
    assert!(matches!(store::list(&world.db, &agent).await, Err(Error::Forbidden)));
    assert!(matches!(store::get(&world.db, &agent, id).await, Err(Error::Forbidden)));
    assert!(matches!(
        store::test(&world.db, &agent, id).await,
        Err(Error::Forbidden)
    ));
});

both_engines!(what_was_not_taken_is_told_again_by_hand, async |world| {
    let boss = boss(world).await;
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    let told = async |minutes: i64, status: u16| {
        world.clock.set(start() + Duration::minutes(minutes));
        something(world, &boss, id).await;
        let one = claim_one(world).await;
        settle(world, &one, &answer(status, "")).await;
        one.id
    };
    let early = told(0, 200).await;
    sql!(world, "UPDATE webhook_deliveries SET state = 'failed', next_at = NULL");
    let taken = told(10, 200).await;
    let waits = told(20, 500).await;
    let (newest, before) = {
        let mut conn = world.db.read().await.expect("a connection");
        let page = store::deliveries(&mut conn, &boss, id, None, None, 2)
            .await
            .expect("read");
        let last = page.last().map(|one| (one.created_at, one.id.0));
        let rest = store::deliveries(&mut conn, &boss, id, None, last, 2)
            .await
            .expect("read");
        let failed = store::deliveries(&mut conn, &boss, id, Some(State::Failed), None, 9).await;
        assert_eq!(
            failed.expect("read").iter().map(|one| one.id).collect::<Vec<_>>(),
            [early]
        );
        (page, rest)
    };
    let ids = |of: &[store::Delivery]| of.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!((ids(&newest), ids(&before)), (vec![waits, taken], vec![early]));

    // One, whatever became of it.
    store::redeliver(&world.db, &boss, id, taken).await.expect("again");
    let again = claim_one(world).await;
    assert_eq!(again.id, taken);
    settle(world, &again, &answer(200, "")).await;
    let unknown = store::redeliver(&world.db, &boss, id, DeliveryId::new()).await;
    assert!(matches!(unknown, Err(Error::NotFound)), "{unknown:?}");
    // All since a moment that were not taken: what waits for its next try goes at once.
    let since = async |minutes: i64| {
        let since = start() + Duration::minutes(minutes);
        store::redeliver_failed(&world.db, &boss, id, since)
            .await
            .expect("again")
    };
    assert_eq!(since(15).await, 1);
    let again = claim_one(world).await;
    assert_eq!(again.id, waits);
    settle(world, &again, &answer(200, "")).await;
    assert_eq!(since(0).await, 1);
    assert_eq!(claim_one(world).await.id, early);
});

both_engines!(what_is_removed_is_gone_and_what_is_old_goes, async |world| {
    let boss = boss(world).await;
    let by = boss.fresh(&world.db).expect("fresh");
    let (id, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    let (stays, _) = add(world, &boss, &[Kind::PurchaseBooked]).await;
    something(world, &boss, id).await;
    something(world, &boss, stays).await;
    store::remove(&world.db, &by, id).await.expect("removed");
    let again = store::remove(&world.db, &by, id).await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let other = new("https://example.com/", &Kind::ALL);
    for gone in [
        store::switch(&world.db, &by, id, true).await,
        store::change(&world.db, &by, id, &other, &other).await,
        store::exchange_secret(&world.db, &by, id).await.map(drop),
        store::test(&world.db, &boss, id).await,
        store::get(&world.db, &boss, id).await.map(drop),
        store::redeliver_failed(&world.db, &boss, id, start()).await.map(drop),
    ] {
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    }
    assert_eq!(store::list(&world.db, &boss).await.expect("listed").len(), 1);
    assert_eq!(claim_one(world).await.webhook, stays);

    let rows = async || {
        (
            one!(world, i64, "SELECT COUNT(*) FROM webhooks"),
            one!(world, i64, "SELECT COUNT(*) FROM webhook_events"),
            one!(world, i64, "SELECT COUNT(*) FROM webhook_deliveries"),
        )
    };
    let keep = days(i64::from(world.db.shop().webhooks.keep_days));
    world.clock.set(start() + keep);
    delivery::sweep(&world.db, &BY).await.expect("swept");
    assert_eq!(rows().await, (2, 2, 1));
    world.clock.set(start() + keep + Duration::microseconds(1));
    delivery::sweep(&world.db, &BY).await.expect("swept");
    assert_eq!(rows().await, (1, 0, 0));
});
