//! Rewards on other occasions than a purchase: joining, a profile that tells everything, birthdays and years with the club,
//! friends who buy, on both engines.

use crate::common::people::{contact, one};
use crate::common::*;
use crate::rules::{fixed, publish, rule};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use crm::both_engines;
use crm::consent::Act;
use crm::contact::Kind;
use crm::customer::store::{self as customers, Preferences};
use crm::customer::{Missing, PersonForm};
use crm::db::{Db, scoped};
use crm::id::{CategoryId, ChildId, ContactId, ProgramId, WebhookId};
use crm::invite::{State, store as invitations};
use crm::lang::{Lang, Localized};
use crm::notification::Kind as Notice;
use crm::outbox;
use crm::points::store as points;
use crm::points::{Entry, LotState, Policy, TransactionKind};
use crm::purchase::claim::claim;
use crm::purchase::void::void;
use crm::rule::store::awaited::{self, Ahead};
use crm::rule::store::days;
use crm::rule::{Occasion, Whose};
use crm::signin::Draft;
use crm::signin::store::{self as signin, Details};
use crm::testing::{World, start};
use crm::till::counter::{self, Joining};
use crm::till::{NewTill, Scope};
use crm::who::{self, Customer, Subject, Visitor};
use futures::future::join_all;

fn visitor(phone: &str) -> Visitor {
    Visitor {
        network: phone.into(),
        device: "Test".into(),
        ..Visitor::default()
    }
}

/// Registers somebody, by the code of an invitation or without.
async fn register(db: &Db, phone: &str, invite: Option<&str>) -> Customer {
    let visitor = visitor(phone);
    let token = signin::start(db, phone, Lang::Ru, &visitor).await.expect("a code");
    finish(db, &token, &visitor, invite).await
}

/// Goes on from the code that was sent last.
async fn finish(db: &Db, token: &who::Token, visitor: &Visitor, invite: Option<&str>) -> Customer {
    let inbox = outbox::inbox(db, 1).await.expect("the inbox");
    let code: String = inbox[0].body.chars().filter(char::is_ascii_digit).take(6).collect();
    signin::verify(db, token, &code, visitor).await.expect("it fits");
    let draft = Draft {
        person: PersonForm {
            name: "Борис".into(),
            surname: "Яковлев".into(),
            day: "3".into(),
            month: "5".into(),
            year: "1990".into(),
        },
        consents: vec!["personal_data".into(), "loyalty_rules".into(), "marketing_sms".into()],
        ..Draft::default()
    };
    let details = Details {
        draft,
        ..Details::default()
    };
    signin::save_draft(db, token, &details).await.expect("kept");
    let opened = signin::register(db, token, Lang::Ru, invite, visitor)
        .await
        .expect("registered");
    who::customer(db, &opened.token, visitor)
        .await
        .expect("read")
        .expect("signed in")
}

/// A member of the club who was born on a day.
async fn born(db: &Db, birthday: &str) -> Subject {
    let who = customer(db).await;
    let birthday: NaiveDate = birthday.parse().expect("a day");
    execute!(
        db,
        "UPDATE customers SET birthday = $2 WHERE id = $1",
        who.id(),
        birthday
    )
    .await
    .expect("born");
    join(db, who, "club", start() - days(365)).await;
    who
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment")
}

async fn work(world: &World, at: DateTime<Utc>) -> u64 {
    world.clock.set(at);
    days::run_due(&world.db, &BY).await.expect("the daily work is done")
}

/// A rule of birthdays.
fn birthday(before: u16, after: u16) -> String {
    format!(r#"{{"birthday": {{"of": "customer", "before": {before}, "after": {after}}}}}"#)
}

const DAILY: &str = r#", "occasion": "day""#;

/// The lines of a statement that are rewards: what they are called, how many points, and when.
async fn rewards(db: &Db, who: Subject) -> Vec<(String, i64, DateTime<Utc>)> {
    let accrued = history(db, who).await.into_iter().rev();
    let accrued = accrued.filter(|entry| entry.kind == TransactionKind::Accrual);
    let reward = |entry: Entry| Some((entry.reward.as_ref()?.name.en.clone(), entry.points(), entry.at));
    accrued.filter_map(reward).collect()
}

async fn history(db: &Db, who: Subject) -> Vec<Entry> {
    let mut conn = db.read().await.expect("a connection");
    points::history(&mut conn, who, None, 100).await.expect("a statement")
}

async fn friends(db: &Db, who: Subject) -> Vec<(String, State)> {
    let mut conn = db.read().await.expect("a connection");
    let all = invitations::list(&mut conn, who, None, 100).await.expect("read");
    all.into_iter().map(|one| (one.name, one.state)).collect()
}

/// Moves a clock on by a minute: codes to one phone and receipts have their order.
/// What the cabinet told of rewards, and what rules are called in Russian.
async fn cabinet(db: &Db, who: Subject) -> Vec<(Notice, Option<String>, Option<i64>)> {
    let mut conn = db.read().await.expect("a connection");
    let all = crm::notification::list(&mut conn, who, None, 20).await.expect("read");
    let rewards = all
        .into_iter()
        .filter(|one| matches!(one.kind, Notice::Reward | Notice::Invitation));
    rewards
        .map(|one| (one.kind, one.name.map(|name| name.0.ru), one.points))
        .collect()
}

fn later(world: &World) {
    world.clock.set(world.db.now() + Duration::minutes(1));
}

both_engines!(who_joins_is_rewarded_once_also_after_a_till, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let letter = r#"{"message": {"to": "customer", "text": {"ru": "вот баллы", "en": "here are points"}}}"#;
    let effects = format!("{}, {letter}", fixed(club, 100_00));
    let welcome = publish(db, &rule("Welcome", "", &effects, r#", "occasion": "registration""#)).await;
    // What is for purchases is not given here.
    publish(db, &rule("Tea", "", &fixed(club, 7_00), "")).await;
    const RECEIVER: &str = "INSERT INTO webhooks (id, url, description, events, secret, created_at) \
                            VALUES ($1, 'https://erp.example.com/hooks', 'Stock', $2, $3, $4)";
    let (events, secret) = (&sqlx::types::Json(vec!["balance.changed"]), &vec![7_u8; 32]);
    execute!(db, RECEIVER, WebhookId::new(), events, secret, db.now())
        .await
        .expect("a receiver");

    let boris = register(db, "+79000000001", None).await;
    let entries = history(db, boris.me()).await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    let reward = entry.reward.as_ref().expect("a reward");
    assert_eq!(
        (reward.occasion, reward.by, reward.name.ru.as_str(), reward.points),
        (Occasion::Registration, welcome, "Welcome по-русски", 100_00)
    );
    let told = cabinet(db, boris.me()).await;
    assert_eq!(
        told,
        [(Notice::Reward, Some("Welcome по-русски".to_owned()), Some(100_00))]
    );
    // By the terms of the program: it waits for two weeks, and lasts for a year.
    assert_eq!(
        (reward.state, reward.activates_at, reward.expires_at),
        (LotState::Pending, start() + days(14), start() + days(14 + 365))
    );
    assert_eq!(entry.term, Some((reward.activates_at, reward.expires_at)));
    assert_eq!((entry.purchase, entry.pending, entry.active), (None, 100_00, 0));
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM webhook_events"), 1);
    let told = outbox::inbox(db, 1).await.expect("the inbox");
    assert_eq!(
        (told[0].template.as_str(), told[0].address.as_str()),
        ("reward", "+79000000001")
    );
    assert!(told[0].body.starts_with("Борис, вот баллы"), "{}", told[0].body);
    assert_books_agree(db).await;

    // Two weeks later the points can be spent, and the statement still says what they were for.
    run_due(world, start() + days(14)).await;
    let entries = history(db, boris.me()).await;
    assert_eq!(entries[0].kind, TransactionKind::Activation);
    assert_eq!(entries[0].reward.as_ref().map(|reward| reward.by), Some(welcome));
    assert_eq!(
        entries[0].reward.as_ref().map(|reward| reward.state),
        Some(LotState::Active)
    );
    assert_eq!(held(db, boris.me()).await, (100_00, 0));

    // Who joined at a till is rewarded when they complete the registration, once.
    let new = NewTill {
        code: "one".into(),
        name: "One".into(),
        source: "shop".into(),
        store: None,
    };
    let till = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = crm::till::store::create_key_by_system(db, &BY, till, &Scope::ALL)
        .await
        .expect("a key");
    let till = &who::till(db, &key).await.expect("no error").expect("a good key");
    let joining = &Joining {
        phone: "+7 900 000-00-45".into(),
        card: None,
        language: Lang::Ru,
        at: None,
    };
    let enrolled = db
        .write(|tx| scoped(counter::enrol(tx, till, joining)))
        .await
        .expect("in")
        .0;
    assert_eq!(rewards(db, BY.subject(enrolled)).await, []);
    let vera = register(db, "+79000000045", None).await;
    assert_eq!(vera.id(), enrolled);
    assert_eq!(rewards(db, vera.me()).await.len(), 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM rewards"), 2);
    assert_books_agree(db).await;
});

both_engines!(a_message_goes_only_where_it_was_agreed_to, async |world| {
    let db = ready(world).await;
    let letter = r#"{"message": {"to": "customer", "text": {"ru": "вот баллы", "en": "here are points"}}}"#;
    publish(db, &rule("Welcome", "", letter, r#", "occasion": "registration""#)).await;
    let boris = register(db, "+79000000001", None).await;
    let told = async || {
        let all = outbox::inbox(db, 100).await.expect("the inbox");
        all.iter().filter(|message| message.template == "reward").count()
    };
    assert_eq!(told().await, 1);
    // It gave no points, and is not given once more all the same.
    assert_eq!(history(db, boris.me()).await, []);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM rewards"), 1);
    later(world);
    crm::consent::store::change(db, &boris, "marketing_sms", Act::Withdrawn, 1, Lang::Ru)
        .await
        .expect("withdrawn");
    publish(db, &rule("Birthday", &birthday(0, 0), letter, DAILY)).await;
    assert_eq!(work(world, at("2027-05-03T09:00:00Z")).await, 1);
    assert_eq!(told().await, 1, "they withdrew what they had agreed to");
});

both_engines!(a_profile_that_tells_everything_is_rewarded_once, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let boris = register(db, "+79000000001", None).await;
    publish(
        db,
        &rule("Whole", "", &fixed(club, 50_00), r#", "occasion": "profile""#),
    )
    .await;
    let name = Localized::new("Чай", "Tea");
    let name = &name;
    let tea: CategoryId = db
        .write(|tx| scoped(async move { crm::stores::store::put_category(tx, &BY, "tea", name, 1).await }))
        .await
        .expect("a category");
    let missing = async || {
        let mut conn = db.read().await.expect("a connection");
        let profile = customers::profile(&mut conn, boris.me()).await.expect("a profile");
        let gives = customers::gives_for(&mut conn, boris.me(), Occasion::Profile)
            .await
            .expect("read");
        (profile.missing(), gives.len())
    };
    assert_eq!(missing().await, (vec![Missing::Email, Missing::Preferences], 1));
    let likes = |categories: Vec<CategoryId>| Preferences {
        categories,
        ..Preferences::default()
    };
    customers::change_preferences(db, &boris, &likes(vec![tea]))
        .await
        .expect("liked");
    assert_eq!(missing().await, (vec![Missing::Email], 1));
    assert_eq!(rewards(db, boris.me()).await, []);

    // The code that proves the address completes it.
    later(world);
    let fresh = boris.fresh(db).expect("fresh");
    crm::contact::store::add(db, &fresh, Kind::Email, "boris@example.com")
        .await
        .expect("added");
    assert_eq!(rewards(db, boris.me()).await, [], "it is not proved");
    let contact = one!(world, ContactId, "SELECT id FROM contacts WHERE kind = 'email'");
    let token = signin_code(db, &boris, contact).await;
    let inbox = outbox::inbox(db, 1).await.expect("the inbox");
    let code: String = inbox[0].body.chars().filter(char::is_ascii_digit).take(6).collect();
    crm::signin::confirm::contact(db, &boris, &token, &code, &visitor("x"))
        .await
        .expect("proved");
    assert_eq!(rewards(db, boris.me()).await.len(), 1);
    assert_eq!(missing().await, (vec![], 0));

    // Saying it once more, or taking something back and telling it again, gives nothing.
    customers::change_preferences(db, &boris, &likes(vec![]))
        .await
        .expect("changed");
    customers::change_preferences(db, &boris, &likes(vec![tea]))
        .await
        .expect("changed");
    assert_eq!(rewards(db, boris.me()).await.len(), 1);
    assert_books_agree(db).await;
});

both_engines!(
    whoever_had_told_everything_before_a_rule_began_is_rewarded_by_the_daily_work,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let name = &Localized::new("Чай", "Tea");
        let tea: CategoryId = db
            .write(|tx| scoped(async move { crm::stores::store::put_category(tx, &BY, "tea", name, 1).await }))
            .await
            .expect("a category");
        // The first one has told everything; of each of the others one thing is missing.
        let lacks = [
            "",
            "UPDATE customers SET name = '' WHERE id = $1",
            "UPDATE customers SET surname = '' WHERE id = $1",
            "UPDATE customers SET birthday = NULL WHERE id = $1",
            "UPDATE contacts SET verified_at = NULL WHERE customer_id = $1",
            "DELETE FROM customer_categories WHERE customer_id = $1",
        ];
        let mut all = Vec::new();
        for (place, lack) in lacks.into_iter().enumerate() {
            const LIKES: &str = "INSERT INTO customer_categories (customer_id, category_id) VALUES ($1, $2)";
            const PROVED: &str = "UPDATE contacts SET verified_at = $2 WHERE customer_id = $1";
            let who = born(db, "1990-03-08").await;
            let email = format!("anna{place}@example.com");
            contact(world, who.id(), Kind::Email, &email).await;
            execute!(db, PROVED, who.id(), db.now()).await.expect("proved");
            execute!(db, LIKES, who.id(), tea).await.expect("liked");
            if !lack.is_empty() {
                execute!(db, lack, who.id()).await.expect("taken back");
            }
            let mut conn = db.read().await.expect("a connection");
            let profile = customers::profile(&mut conn, who).await.expect("a profile");
            assert_eq!(profile.missing().is_empty(), lack.is_empty(), "{lack}");
            all.push(who);
        }
        let anna = all[0];
        publish(
            db,
            &rule("Whole", "", &fixed(club, 50_00), r#", "occasion": "profile""#),
        )
        .await;
        assert_eq!(expected(db, anna).await, [("Whole".to_owned(), None, Some(Ahead::Act))]);
        let came = at("2026-11-22T09:00:00Z");
        assert_eq!(work(world, came).await, 1);
        assert_eq!(rewards(db, anna).await, [("Whole".to_owned(), 50_00, came)]);
        assert_eq!(expected(db, anna).await, [("Whole".to_owned(), Some(came), None)]);
        for other in &all[1..] {
            assert_eq!(rewards(db, *other).await, []);
        }
        // Once, however often the work comes.
        assert_eq!(work(world, came).await, 0);
        assert_eq!(work(world, at("2026-11-23T09:00:00Z")).await, 0);

        // A rule that begins later is not left for the next day, and one that is not for them yet may be one day.
        let old = r#"{"tenure": {"at_least": 30}}"#;
        let told = r#", "occasion": "profile""#;
        publish(db, &rule("More", "", &fixed(club, 9_00), told)).await;
        publish(db, &rule("Old", old, &fixed(club, 7_00), told)).await;
        assert_eq!(work(world, at("2026-11-23T10:00:00Z")).await, 1);
        assert_eq!(rewards(db, anna).await.len(), 2);
        assert_eq!(work(world, at("2026-12-22T09:00:00Z")).await, 1);
        assert_eq!(rewards(db, anna).await.len(), 3);
        assert_books_agree(db).await;
    }
);

async fn signin_code(db: &Db, who: &Customer, contact: ContactId) -> crm::who::Token {
    let fresh = who.fresh(db).expect("fresh");
    crm::signin::confirm::start_contact(db, &fresh, contact, &visitor("x"))
        .await
        .expect("a code")
}

both_engines!(
    a_birthday_is_rewarded_once_a_year_however_often_and_late_the_work_comes,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let (anna, boris) = (born(db, "1990-11-24").await, born(db, "1985-11-22").await);
        let nobody = customer(db).await;
        publish(db, &rule("Birthday", &birthday(0, 0), &fixed(club, 300_00), DAILY)).await;
        assert_eq!(work(world, start()).await, 0);
        // The work does not come round for five days: each had the birthday on its own day.
        assert_eq!(work(world, at("2026-11-26T10:00:00Z")).await, 2);
        assert_eq!(
            rewards(db, anna).await,
            [("Birthday".into(), 300_00, at("2026-11-23T21:00:00Z"))]
        );
        assert_eq!(
            rewards(db, boris).await,
            [("Birthday".into(), 300_00, at("2026-11-21T21:00:00Z"))]
        );
        assert_eq!(rewards(db, nobody).await, []);
        // Once more, and once more after the clock was set back: nothing is given twice.
        assert_eq!(work(world, at("2026-11-26T11:00:00Z")).await, 0);
        assert_eq!(work(world, at("2026-11-20T10:00:00Z")).await, 0);
        assert_eq!(work(world, at("2026-11-24T10:00:00Z")).await, 0);
        assert_eq!(work(world, at("2026-11-25T10:00:00Z")).await, 0);
        // A customer who changes the birthday has it once a year all the same.
        let another: NaiveDate = "1990-11-27".parse().expect("a day");
        execute!(
            db,
            "UPDATE customers SET birthday = $2 WHERE id = $1",
            anna.id(),
            another
        )
        .await
        .expect("changed");
        assert_eq!(work(world, at("2026-11-27T10:00:00Z")).await, 0);
        assert_eq!(work(world, at("2027-11-21T10:00:00Z")).await, 0);
        assert_eq!(work(world, at("2027-11-27T10:00:00Z")).await, 2);
        assert_eq!(rewards(db, anna).await.len(), 2);
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_birthday_begins_at_midnight_of_the_shop_and_on_the_28th_without_a_29th,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let anna = born(db, "1992-02-29").await;
        publish(db, &rule("Birthday", &birthday(0, 0), &fixed(club, 300_00), DAILY)).await;
        // Moscow is three hours ahead.
        assert_eq!(work(world, at("2027-02-27T20:59:59Z")).await, 0);
        assert_eq!(work(world, at("2027-02-27T21:00:00Z")).await, 1);
        assert_eq!(rewards(db, anna).await[0].2, at("2027-02-27T21:00:00Z"));
        assert_eq!(work(world, at("2027-03-01T09:00:00Z")).await, 0);
        assert_eq!(work(world, at("2028-02-28T09:00:00Z")).await, 0);
        assert_eq!(work(world, at("2028-02-28T20:59:59Z")).await, 0);
        assert_eq!(work(world, at("2028-02-28T21:00:00Z")).await, 1);
        assert_eq!(rewards(db, anna).await.len(), 2);
    }
);

both_engines!(days_before_and_after_a_birthday_count_over_new_year, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let anna = born(db, "1990-01-02").await;
    publish(db, &rule("Birthday", &birthday(7, 3), &fixed(club, 300_00), DAILY)).await;
    assert_eq!(work(world, at("2026-12-25T09:00:00Z")).await, 0);
    assert_eq!(work(world, at("2026-12-26T09:00:00Z")).await, 1);
    for day in ["2026-12-31", "2027-01-01", "2027-01-02", "2027-01-05", "2027-12-25"] {
        assert_eq!(work(world, at(&format!("{day}T09:00:00Z"))).await, 0, "{day}");
    }
    assert_eq!(work(world, at("2027-12-26T09:00:00Z")).await, 1);
    assert_eq!(rewards(db, anna).await.len(), 2);
});

both_engines!(a_childs_birthday_is_the_parents_once_a_year, async |world| {
    let db = ready(world).await;
    let (anna, club) = crate::rules::member(db).await;
    const CONSENT: &str = "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) \
                           SELECT $1, $2, id, 'given', 'ru', 'web', $3 FROM consent_texts LIMIT 1";
    const CHILD: &str =
        "INSERT INTO children (id, customer_id, birthday, consent_id, created_at) VALUES ($1, $2, $3, $4, $5)";
    let consent = crm::id::ConsentId::new();
    execute!(db, CONSENT, consent, anna.id(), start())
        .await
        .expect("agreed");
    for birthday in ["2020-12-01", "2022-12-05"] {
        let birthday: NaiveDate = birthday.parse().expect("a day");
        execute!(db, CHILD, ChildId::new(), anna.id(), birthday, consent, start())
            .await
            .expect("a child");
    }
    let of_child = r#"{"birthday": {"of": "child", "before": 1}}"#;
    publish(db, &rule("Child", of_child, &fixed(club, 20_00), DAILY)).await;
    const CONTACT: &str = "INSERT INTO contacts (id, customer_id, kind, value, is_primary, created_at) \
                           VALUES ($1, $2, $3, $4, $5, $6)";
    let (email, created) = ("anna@example.com", start());
    execute!(
        db,
        CONTACT,
        ContactId::new(),
        anna.id(),
        Kind::Email,
        email,
        true,
        created
    )
    .await
    .expect("an address");
    let mut conn = db.read().await.expect("a connection");
    let told = customers::reminders(&mut conn, anna, db.now()).await.expect("read");
    assert_eq!((told.birthday, told.children.len(), told.stands), (None, 2, false));
    assert!(!told.is_answered && !told.coupon_ends);
    assert_eq!(told.unverified.as_deref(), Some(email));
    let gives = customers::birthday_gives(&mut conn, Whose::Child).await.expect("read");
    assert_eq!(
        gives.iter().map(|one| one.name.en.as_str()).collect::<Vec<_>>(),
        ["Child"]
    );
    let own = customers::birthday_gives(&mut conn, Whose::Customer)
        .await
        .expect("read");
    assert_eq!(own, []);
    drop(conn);
    assert_eq!(work(world, at("2026-11-29T09:00:00Z")).await, 0);
    assert_eq!(work(world, at("2026-11-30T09:00:00Z")).await, 1);
    assert_eq!(work(world, at("2026-12-05T09:00:00Z")).await, 0);
    assert_eq!(work(world, at("2027-12-05T09:00:00Z")).await, 1);
    assert_eq!(rewards(db, anna).await.len(), 2);
});

both_engines!(many_nodes_at_once_reward_each_once, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let mut people = Vec::new();
    for _ in 0..30 {
        people.push(born(db, "1990-11-22").await);
    }
    let letters = format!("{}, {}", fixed(club, 300_00), fixed(club, 1_00));
    publish(db, &rule("Birthday", &birthday(0, 2), &letters, DAILY)).await;
    let budget = r#", "occasion": "day", "caps": {"budget": {"times": 7}}"#;
    let dear = publish(db, &rule("Few", &birthday(0, 2), &fixed(club, 900_00), budget)).await;
    world.clock.set(at("2026-11-22T09:00:00Z"));
    let other = Db::open(&world.url, (**db.shop()).clone(), world.clock.clone())
        .await
        .expect("another node");
    let nodes = [db, &other, db, &other];
    for done in join_all(nodes.map(|node| days::run_due(node, &BY))).await {
        done.expect("done");
    }
    for who in &people {
        let theirs = rewards(db, *who).await;
        assert_eq!(theirs.iter().filter(|(name, ..)| name == "Birthday").count(), 1);
    }
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM rewards WHERE rule_id = $1", dear.id),
        7,
        "the budget"
    );
    assert_eq!(
        one!(world, i64, "SELECT times FROM rule_usages WHERE rule_id = $1", dear.id),
        7
    );
    // Two days later nobody is given what they were not given because it was spent.
    assert_eq!(work(world, at("2026-11-24T09:00:00Z")).await, 0);
    assert_books_agree(db).await;
});

both_engines!(who_joins_a_program_on_the_day_is_rewarded_on_the_day, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let anna = customer(db).await;
    let birthday_of: NaiveDate = "1990-11-24".parse().expect("a day");
    execute!(
        db,
        "UPDATE customers SET birthday = $2 WHERE id = $1",
        anna.id(),
        birthday_of
    )
    .await
    .expect("born");
    publish(db, &rule("Birthday", &birthday(0, 0), &fixed(club, 300_00), DAILY)).await;
    assert_eq!(
        work(world, at("2026-11-24T05:00:00Z")).await,
        0,
        "members alone are given points"
    );
    join(db, anna, "club", at("2026-11-24T06:00:00Z")).await;
    assert_eq!(work(world, at("2026-11-24T07:00:00Z")).await, 1);
    assert_eq!(rewards(db, anna).await[0].2, at("2026-11-24T07:00:00Z"));
    // Who left before the work came round, and was a member as the day began, is not forgotten.
    let boris = born(db, "1990-11-25").await;
    leave(db, boris, "club", at("2026-11-25T06:00:00Z")).await;
    assert_eq!(work(world, at("2026-11-26T07:00:00Z")).await, 1);
    assert_eq!(rewards(db, boris).await[0].2, at("2026-11-24T21:00:00Z"));
});

both_engines!(a_year_with_the_club_is_rewarded_once, async |world| {
    let db = ready(world).await;
    let (anna, club) = crate::rules::member(db).await;
    let month = r#"{"tenure": {"at_least": 30}}"#;
    publish(db, &rule("Years", month, &fixed(club, 70_00), DAILY)).await;
    let nine = |n: i64| at("2026-11-21T09:00:00Z") + days(n);
    assert_eq!(work(world, nine(29)).await, 0);
    assert_eq!(work(world, nine(30)).await, 1);
    assert_eq!(work(world, nine(31)).await, 0);
    assert_eq!(work(world, nine(364)).await, 0);
    // Two days late: the day is looked at as it was.
    assert_eq!(work(world, nine(367)).await, 1);
    assert_eq!(work(world, nine(368)).await, 0);
    assert_eq!(work(world, nine(730)).await, 1);
    let when: Vec<_> = rewards(db, anna).await.into_iter().map(|(.., at)| at).collect();
    let midnight = |n: i64| at("2026-11-20T21:00:00Z") + days(n);
    assert_eq!(when, [midnight(30), midnight(365), midnight(730)]);
});

both_engines!(of_a_group_one_gives_for_a_period, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let anna = born(db, "1990-11-24").await;
    let group = |priority: i32, until: &str| {
        format!(r#", "occasion": "day", "group": "birthday", "priority": {priority}, "valid": {{"until": "{until}"}}"#)
    };
    let gold = group(5, "2026-11-23T12:00:00Z");
    publish(db, &rule("Gold", &birthday(3, 3), &fixed(club, 500_00), &gold)).await;
    let plain = group(1, "2030-01-01T00:00:00Z");
    publish(db, &rule("Plain", &birthday(3, 3), &fixed(club, 200_00), &plain)).await;
    let (caps, day) = (r#""caps": {"day": {"times": 1}}"#, birthday(1, 1));
    publish(db, &rule("Cap", &day, &fixed(club, 1_00), &format!("{DAILY}, {caps}"))).await;
    assert_eq!(work(world, at("2026-11-22T09:00:00Z")).await, 1);
    // The first one holds no more, but something of the group was given for this birthday.
    assert_eq!(work(world, at("2026-11-25T09:00:00Z")).await, 1);
    let names: Vec<_> = rewards(db, anna).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["Gold", "Cap"]);
    assert_eq!(work(world, at("2027-11-24T09:00:00Z")).await, 2, "on two days");
    assert_eq!(rewards(db, anna).await.len(), 4);
});

/// A customer with a code, the code, and the club. The rules give 300 points for a friend.
async fn host(db: &Db) -> (Customer, String, ProgramId) {
    let club = program(db, "club").await;
    publish(
        db,
        &rule("Friend", "", &fixed(club, 300_00), r#", "occasion": "referral""#),
    )
    .await;
    let who = customer(db).await;
    join(db, who, "club", start() - days(365)).await;
    let who = sign_in(db, who).await;
    let code = invitations::begin(db, &who).await.expect("a code");
    (who, code, club)
}

both_engines!(
    a_friends_first_purchase_rewards_and_its_return_takes_it_back,
    async |world| {
        let db = ready(world).await;
        let (anna, code, _) = host(db).await;
        assert_eq!(invitations::begin(db, &anna).await.expect("the same"), code);
        assert_eq!(crm::invite::code(&code.to_lowercase()).as_ref(), Some(&code));
        let boris = register(db, "+79000000001", Some(&code)).await;
        let name = || "Борис Я.".to_owned();
        assert_eq!(friends(db, anna.me()).await, [(name(), State::Registered)]);
        assert_eq!(history(db, anna.me()).await, []);

        later(world);
        let bought = db.now();
        slip("F-1", boris.me(), bought)
            .line("tea", 1, 60_00)
            .line("cup", 2, 20_00)
            .book(db)
            .await;
        let rewarded = State::Rewarded { points: 300_00 };
        assert_eq!(friends(db, anna.me()).await, [(name(), rewarded)]);
        let told = cabinet(db, anna.me()).await;
        assert_eq!(
            told,
            [(Notice::Invitation, Some("Friend по-русски".to_owned()), Some(300_00))]
        );
        let entries = history(db, anna.me()).await;
        assert_eq!(entries.len(), 1);
        // What a friend bought is not the inviter's to see.
        assert_eq!((entries[0].purchase, &entries[0].document), (None, &None));
        assert_eq!(
            entries[0].reward.as_ref().map(|reward| reward.occasion),
            Some(Occasion::Referral)
        );
        later(world);
        slip("F-2", boris.me(), db.now()).line("tea", 1, 60_00).book(db).await;
        assert_eq!(rewards(db, anna.me()).await.len(), 1, "the first purchase alone");
        assert_books_agree(db).await;

        // A part of it comes back, then all of it.
        later(world);
        let back = |document: &str, ordinal, quantity: i64, price| {
            slip(document, boris.me(), db.now())
                .line(if ordinal == 1 { "tea" } else { "cup" }, -quantity, price)
                .of_line("F-1", ordinal)
        };
        back("R-1", 2, 1, 20_00).book(db).await;
        assert_eq!(friends(db, anna.me()).await[0].1, State::Rewarded { points: 240_00 });
        assert_eq!(held(db, anna.me()).await, (0, 240_00));
        let taken = &history(db, anna.me()).await[0];
        assert_eq!(
            (taken.kind, taken.points(), taken.purchase),
            (TransactionKind::Return, -60_00, None)
        );
        assert_eq!(taken.reward.as_ref().map(|reward| reward.taken_back), Some(60_00));
        assert_books_agree(db).await;
        later(world);
        back("R-2", 2, 1, 20_00)
            .line("tea", -1, 60_00)
            .of_line("F-1", 1)
            .book(db)
            .await;
        assert_eq!(friends(db, anna.me()).await[0].1, State::TakenBack);
        assert_eq!(held(db, anna.me()).await, (0, 0));
        assert_books_agree(db).await;
        // The return was a mistake.
        void(db, &BY, "till", "R-2").await.expect("voided");
        assert_eq!(friends(db, anna.me()).await[0].1, State::Rewarded { points: 240_00 });
        assert_eq!(held(db, anna.me()).await, (0, 240_00));
        assert_books_agree(db).await;
        void(db, &BY, "till", "R-1").await.expect("voided");
        assert_eq!(held(db, anna.me()).await, (0, 300_00));
        assert_books_agree(db).await;

        // The sale itself was one: the next purchase is the first.
        void(db, &BY, "till", "F-1").await.expect("voided");
        assert_eq!(friends(db, anna.me()).await[0].1, State::Registered);
        assert_eq!(held(db, anna.me()).await, (0, 0));
        later(world);
        slip("F-3", boris.me(), db.now()).line("tea", 1, 60_00).book(db).await;
        assert_eq!(friends(db, anna.me()).await[0].1, rewarded);
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_reward_that_a_partner_pays_for_goes_back_to_the_partner,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let more = r#", "occasion": "referral", "funded_by": "bank""#;
        publish(db, &rule("Friend", "", &fixed(club, 300_00), more)).await;
        let anna = customer(db).await;
        join(db, anna, "club", start() - days(365)).await;
        let anna = sign_in(db, anna).await;
        let code = invitations::begin(db, &anna).await.expect("a code");
        let boris = register(db, "+79000000001", Some(&code)).await;
        // Of the inviter alone: what the friend's own purchase earns is the shop's.
        let books = async || {
            const SQL: &str = "SELECT a.kind, a.partner_key, CAST(SUM(o.amount) AS BIGINT) FROM accounts a \
            JOIN postings o ON o.account_id = a.id JOIN transactions t ON t.id = o.transaction_id \
            WHERE a.customer_id IS NULL AND t.customer_id = $1 GROUP BY a.kind, a.partner_key ORDER BY a.kind";
            let mut conn = db.read().await.expect("a connection");
            let books: Vec<(String, Option<String>, i64)> =
                crm::on!(conn, |c| sqlx::query_as(SQL).bind(anna.me().id()).fetch_all(c).await).expect("read");
            books
        };
        let bank = |points: i64| vec![("partner".to_owned(), Some("bank".to_owned()), points)];
        later(world);
        slip("F-1", boris.me(), db.now()).line("tea", 2, 60_00).book(db).await;
        assert_eq!(books().await, bank(-300_00));
        let entry = &history(db, anna.me()).await[0];
        let partner = entry.reward.as_ref().and_then(|reward| reward.partner.as_deref());
        assert_eq!(partner, Some("bank"));
        assert_books_agree(db).await;
        later(world);
        slip("R-1", boris.me(), db.now())
            .line("tea", -1, 60_00)
            .of_line("F-1", 1)
            .book(db)
            .await;
        assert_eq!(books().await, bank(-150_00));
        assert_books_agree(db).await;
        void(db, &BY, "till", "R-1").await.expect("voided");
        assert_eq!(books().await, bank(-300_00));
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_reward_that_was_spent_is_taken_from_others_and_down_to_the_floor,
    async |world| {
        ready(world).await;
        let db = &with_policy(
            world,
            Policy {
                floor: -100,
                ..Policy::default()
            },
        )
        .await;
        let (anna, code, club) = host(db).await;
        let boris = register(db, "+79000000001", Some(&code)).await;
        later(world);
        slip("F-1", boris.me(), db.now()).line("tea", 1, 60_00).book(db).await;
        world.clock.set(start() + days(20));
        points::run_due(db, &BY).await.expect("done");
        assert_eq!(held(db, anna.me()).await, (300_00, 0));
        spend(db, anna.me(), club, 250_00).await;
        slip("R-1", boris.me(), db.now())
            .line("tea", -1, 60_00)
            .of("F-1")
            .book(db)
            .await;
        // Fifty were there, a hundred are owed, and the rest is let go.
        assert_eq!(held(db, anna.me()).await, (-100_00, 0));
        assert_eq!(friends(db, anna.me()).await[0].1, State::TakenBack);
        assert_books_agree(db).await;
        void(db, &BY, "till", "R-1").await.expect("voided");
        assert_eq!(held(db, anna.me()).await, (50_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(
    what_paid_the_debt_of_a_reward_is_free_again_with_its_own_term,
    async |world| {
        let db = ready(world).await;
        let (anna, code, club) = host(db).await;
        let boris = register(db, "+79000000001", Some(&code)).await;
        later(world);
        let first = db.now();
        slip("F-1", boris.me(), first).line("tea", 1, 60_00).book(db).await;
        world.clock.set(start() + days(20));
        points::run_due(db, &BY).await.expect("done");
        spend(db, anna.me(), club, 250_00).await;
        slip("R-1", boris.me(), db.now())
            .line("tea", -1, 60_00)
            .of("F-1")
            .book(db)
            .await;
        assert_eq!(held(db, anna.me()).await, (-250_00, 0));
        slip("A", anna.me(), start() + days(20))
            .line("coat", 1, 10_000_00)
            .book(db)
            .await;
        world.clock.set(start() + days(40));
        points::run_due(db, &BY).await.expect("done");
        assert_eq!(held(db, anna.me()).await, (50_00, 0));
        void(db, &BY, "till", "R-1").await.expect("voided");
        let own = [(50_00, first + days(379)), (300_00, start() + days(399))];
        assert_eq!(lots(db, anna.me()).await, own);
        assert_books_agree(db).await;
    }
);

both_engines!(
    a_return_that_comes_late_takes_of_a_reward_what_has_expired_since,
    async |world| {
        let db = ready(world).await;
        let (anna, code, club) = host(db).await;
        let boris = register(db, "+79000000001", Some(&code)).await;
        later(world);
        slip("F-1", boris.me(), db.now()).line("tea", 2, 60_00).book(db).await;
        world.clock.set(start() + days(20));
        points::run_due(db, &BY).await.expect("done");
        assert_eq!(held(db, anna.me()).await, (300_00, 0));
        spend(db, anna.me(), club, 250_00).await;
        world.clock.set(start() + days(30));
        slip("A", anna.me(), db.now()).line("coat", 1, 5_000_00).book(db).await;
        world.clock.set(start() + days(385));
        points::run_due(db, &BY).await.expect("done");
        assert_eq!(held(db, anna.me()).await, (150_00, 0), "the rest of the reward is over");
        // Half of it is owed: fifty were there on that day, so a hundred come from what was earned since.
        slip("R-1", boris.me(), start() + days(300))
            .line("tea", -1, 60_00)
            .of_line("F-1", 1)
            .book(db)
            .await;
        assert_eq!(held(db, anna.me()).await, (50_00, 0));
        assert_books_agree(db).await;
    }
);

both_engines!(
    an_invitation_is_for_who_is_new_and_counts_so_often_a_month,
    async |world| {
        ready(world).await;
        let db = &with_policy(
            world,
            Policy {
                invitations_per_month: 1,
                ..Policy::default()
            },
        )
        .await;
        let (anna, code, club) = host(db).await;
        let friend = r#""invited""#;
        publish(
            db,
            &rule("Gift", friend, &fixed(club, 40_00), r#", "occasion": "registration""#),
        )
        .await;
        publish(
            db,
            &rule(
                "First",
                &format!(r#"{friend}, "first_purchase""#),
                &fixed(club, 5_00),
                "",
            ),
        )
        .await;
        // A code that nobody has, and none at all, are no invitation.
        let mut plain = Vec::new();
        for (n, invite) in [None, Some("ABCD2345"), Some("0"), Some("")].into_iter().enumerate() {
            plain.push(register(db, &format!("+7900000010{n}"), invite).await);
        }
        for who in &plain {
            assert_eq!(rewards(db, who.me()).await, []);
        }
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM invitations"), 0);

        let (boris, vera) = (
            register(db, "+79000000001", Some(&code)).await,
            register(db, "+79000000002", Some(&code)).await,
        );
        assert_eq!(rewards(db, boris.me()).await.len(), 1);
        later(world);
        let buy = async |document: &str, who: Subject| {
            let sale = slip(document, who, db.now()).line("tea", 1, 100_00).book(db).await;
            let receipt = receipt(db, who, sale.id).await;
            receipt.lines[0].earned.iter().map(|one| one.points).sum::<i64>()
        };
        assert_eq!(buy("B-1", boris.me()).await, 8_00);
        assert_eq!(buy("V-1", vera.me()).await, 8_00);
        assert_eq!(buy("B-2", boris.me()).await, 3_00);
        assert_eq!(buy("P-1", plain[0].me()).await, 3_00);
        let mut states: Vec<_> = friends(db, anna.me())
            .await
            .into_iter()
            .map(|(_, state)| state)
            .collect();
        states.reverse();
        assert_eq!(states, [State::Rewarded { points: 300_00 }, State::Capped]);
        assert_eq!(rewards(db, anna.me()).await.len(), 1);
        // With the receipt goes what was noted by it, and the next purchase is the first one.
        void(db, &BY, "till", "V-1").await.expect("voided");
        assert_eq!(friends(db, anna.me()).await[0].1, State::Registered);
        buy("V-2", vera.me()).await;
        assert_eq!(friends(db, anna.me()).await[0].1, State::Capped);
        // Next month another one counts; a purchase from before it is not made good.
        world.clock.set(at("2026-11-30T20:00:00Z"));
        let gleb = register(db, "+79000000003", Some(&code)).await;
        world.clock.set(at("2026-11-30T21:00:00Z"));
        buy("G-1", gleb.me()).await;
        assert_eq!(rewards(db, anna.me()).await.len(), 2);
        assert_books_agree(db).await;
    }
);

both_engines!(
    who_bought_before_is_no_friend_and_a_claimed_receipt_counts,
    async |world| {
        let db = ready(world).await;
        let (anna, code, _) = host(db).await;
        let new = NewTill {
            code: "one".into(),
            name: "One".into(),
            source: "shop".into(),
            store: None,
        };
        let till = crm::till::store::create_by_system(db, &BY, &new).await.expect("a till");
        let key = crm::till::store::create_key_by_system(db, &BY, till, &Scope::ALL)
            .await
            .expect("a key");
        let till = &who::till(db, &key).await.expect("no error").expect("a good key");
        // They joined at a till and bought: no new customer.
        let joining = &Joining {
            phone: "+7 900 000-00-45".into(),
            card: None,
            language: Lang::Ru,
            at: None,
        };
        let enrolled = db
            .write(|tx| scoped(counter::enrol(tx, till, joining)))
            .await
            .expect("in")
            .0;
        slip("E-1", BY.subject(enrolled), db.now())
            .line("tea", 1, 60_00)
            .book(db)
            .await;
        register(db, "+79000000045", Some(&code)).await;
        assert_eq!(friends(db, anna.me()).await, []);

        let boris = register(db, "+79000000001", Some(&code)).await;
        // A receipt from before the registration is none of an invited friend's, one from after it is.
        let sold = async |document: &str, at: DateTime<Utc>| {
            slip(document, boris.me(), at)
                .line("tea", 1, 60_00)
                .nobody()
                .book(db)
                .await;
            execute!(
                db,
                "UPDATE purchases SET receipt_code = $2 WHERE document = $1",
                document,
                document
            )
            .await
            .expect("a code");
        };
        sold("AAAA2222BBBB", db.now() - Duration::hours(1)).await;
        later(world);
        sold("AAAA3333BBBB", db.now()).await;
        later(world);
        claim(db, &boris, "AAAA2222BBBB").await.expect("claimed");
        assert_eq!(friends(db, anna.me()).await[0].1, State::Registered);
        claim(db, &boris, "AAAA3333BBBB").await.expect("claimed");
        assert_eq!(friends(db, anna.me()).await[0].1, State::Rewarded { points: 300_00 });
        assert_books_agree(db).await;
    }
);

both_engines!(
    whoever_came_without_the_link_enters_the_code_until_they_buy,
    async |world| {
        let db = ready(world).await;
        let (anna, code, club) = host(db).await;
        publish(
            db,
            &rule(
                "New",
                r#""invited""#,
                &fixed(club, 50_00),
                r#", "occasion": "registration""#,
            ),
        )
        .await;
        let boris = register(db, "+79000000001", None).await;
        let may = async |who: &Customer| {
            let mut conn = db.read().await.expect("a connection");
            invitations::may_enter(&mut conn, who.me()).await.expect("read")
        };
        assert!(may(&boris).await);
        for wrong in ["", "ABCD", "22222222"] {
            let told = invitations::enter(db, &boris, wrong).await;
            assert!(matches!(told, Err(crm::Error::Invalid(_))), "{wrong}: {told:?}");
        }
        let own = invitations::begin(db, &boris).await.expect("a code");
        let told = invitations::enter(db, &boris, &own).await;
        assert!(
            matches!(told, Err(crm::Error::Invalid(_))),
            "nobody invites themselves: {told:?}"
        );
        invitations::enter(db, &boris, &code).await.expect("entered");
        assert_eq!(rewards(db, boris.me()).await.len(), 1, "what newcomers are given");
        assert!(!may(&boris).await);
        let twice = invitations::enter(db, &boris, &code).await;
        assert!(matches!(twice, Err(crm::Error::Stale)), "{twice:?}");
        assert_eq!(friends(db, anna.me()).await.len(), 1);
        // Whoever has bought, and whoever has been there for long, comes too late.
        let vera = register(db, "+79000000002", None).await;
        let gleb = register(db, "+79000000003", None).await;
        slip("V-1", vera.me(), db.now()).line("tea", 1, 60_00).book(db).await;
        assert!(!may(&vera).await);
        world.clock.set(db.now() + Duration::days(14));
        assert!(!may(&gleb).await);
    }
);

both_engines!(from_one_network_a_few_a_day_come_by_invitations, async |world| {
    ready(world).await;
    let policy = Policy {
        invited_per_network: 2,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let (anna, code, _) = host(db).await;
    const TOGETHER: &str = "UPDATE attempts SET network = '10.0.0.1'";
    for n in 1..=3 {
        let phone = format!("+7900000000{n}");
        let who = visitor(&phone);
        let token = signin::start(db, &phone, Lang::Ru, &who).await.expect("a code");
        execute!(db, TOGETHER).await.expect("one network");
        finish(db, &token, &who, Some(&code)).await;
    }
    assert_eq!(friends(db, anna.me()).await.len(), 2);
    world.clock.set(db.now() + Duration::days(1));
    let phone = "+79000000004";
    let who = visitor(phone);
    let token = signin::start(db, phone, Lang::Ru, &who).await.expect("a code");
    execute!(db, TOGETHER).await.expect("one network");
    finish(db, &token, &who, Some(&code)).await;
    assert_eq!(friends(db, anna.me()).await.len(), 3, "another day");
});

both_engines!(who_looks_like_the_inviter_is_noted_for_staff, async |world| {
    let db = ready(world).await;
    let (anna, code, _) = host(db).await;
    let hers = anna.id();
    const FLAGS: &str = "SELECT COUNT(*) FROM audit WHERE customer_id = $1 AND action = $2";
    let bought = async |phone: &str, sql: &'static str| {
        let who = register(db, phone, Some(&code)).await;
        let id = who.id();
        execute!(db, sql, id).await.expect("alike");
        later(world);
        slip(phone, who.me(), db.now()).line("tea", 1, 60_00).book(db).await;
    };
    execute!(db, "UPDATE sessions SET network = '10.0.0.1', device = 'Phone'")
        .await
        .expect("hers");
    let mail = "INSERT INTO contacts (id, customer_id, kind, value, is_primary, created_at) VALUES ($1, $2, 'email', $3, $4, $5)";
    execute!(db, mail, ContactId::new(), hers, "anna@example.com", true, db.now())
        .await
        .expect("her mailbox");
    bought(
        "+79000000001",
        "UPDATE sessions SET network = '10.0.0.2' WHERE customer_id = $1",
    )
    .await;
    bought(
        "+79000000002",
        "UPDATE sessions SET network = '10.0.0.1' WHERE customer_id = $1",
    )
    .await;
    bought(
        "+79000000003",
        "UPDATE sessions SET network = '10.0.0.1', device = 'Phone' WHERE customer_id = $1",
    )
    .await;
    let who = register(db, "+79000000004", Some(&code)).await;
    let his = who.id();
    execute!(db, mail, ContactId::new(), his, "An.na+2@example.com", true, db.now())
        .await
        .expect("the same mailbox");
    later(world);
    slip("4", who.me(), db.now()).line("tea", 1, 60_00).book(db).await;
    for action in ["invite.same_network", "invite.same_device", "invite.same_mailbox"] {
        assert_eq!(one!(world, i64, FLAGS, hers, action), 1, "{action}");
    }
});

both_engines!(friends_are_listed_page_by_page, async |world| {
    let db = ready(world).await;
    let (anna, code, _) = host(db).await;
    for n in 1..=5 {
        register(db, &format!("+7900000000{n}"), Some(&code)).await;
    }
    let mut conn = db.read().await.expect("a connection");
    let all = invitations::list(&mut conn, anna.me(), None, 100).await.expect("all");
    assert_eq!(all.len(), 5);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = invitations::list(&mut conn, anna.me(), before, 2)
            .await
            .expect("a page");
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.place));
        found.extend(page);
    }
    assert_eq!(found, all);
});

both_engines!(friends_who_buy_at_once_pass_no_limit, async |world| {
    ready(world).await;
    let db = &with_policy(
        world,
        Policy {
            invitations_per_month: 3,
            ..Policy::default()
        },
    )
    .await;
    let (anna, code, _) = host(db).await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(register(db, &format!("+7900000020{n}"), Some(&code)).await);
    }
    later(world);
    let buy = |n: usize, who: Subject| async move {
        slip(&format!("S-{n}"), who, db.now())
            .line("tea", 1, 60_00)
            .book(db)
            .await
    };
    join_all(people.iter().enumerate().map(|(n, who)| buy(n, who.me()))).await;
    assert_eq!(rewards(db, anna.me()).await.len(), 3);
    assert_books_agree(db).await;
});

both_engines!(books_of_rewards_that_do_not_agree_are_found, async |world| {
    let db = ready(world).await;
    let (_, code, _) = host(db).await;
    let boris = register(db, "+79000000001", Some(&code)).await;
    later(world);
    slip("F-1", boris.me(), db.now()).line("tea", 1, 60_00).book(db).await;
    slip("R-1", boris.me(), db.now())
        .line("tea", -1, 60_00)
        .of_line("F-1", 1)
        .book(db)
        .await;
    assert_books_agree(db).await;
    let found = async || {
        let all = points::verify(db, &BY).await.expect("compared");
        all.into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    execute!(db, "UPDATE reward_accruals SET taken_back = taken_back - 1")
        .await
        .expect("broken");
    assert_eq!(
        found().await,
        ["what was taken from lots of a reward was taken back of what it gave"]
    );
    execute!(
        db,
        "UPDATE reward_accruals SET taken_back = taken_back + 1, points = points + 1"
    )
    .await
    .expect("broken");
    assert_eq!(found().await, ["a lot is what its lines earned, or a reward gave"]);
});

both_engines!(what_invitations_give_is_told_by_the_rules, async |world| {
    let db = ready(world).await;
    let (anna, code, club) = host(db).await;
    let friend = r#""invited""#;
    publish(
        db,
        &rule("Gift", friend, &fixed(club, 40_00), r#", "occasion": "registration""#),
    )
    .await;
    let over = r#", "occasion": "referral", "valid": {"until": "2026-01-01T00:00:00Z"}"#;
    publish(db, &rule("Over", "", &fixed(club, 1_00), over)).await;
    publish(db, &rule("Tea", "", &fixed(club, 1_00), "")).await;
    let mut conn = db.read().await.expect("a connection");
    let gives = invitations::gives(&mut conn).await.expect("read");
    let names = |rules: &[crm::rule::Rule]| rules.iter().map(|rule| rule.name.en.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&gives.inviter), names(&gives.friend)),
        (vec!["Friend".to_owned()], vec!["Gift".to_owned()])
    );
    assert_eq!(
        invitations::inviter(&mut conn, &crm::invite::show(&code))
            .await
            .expect("found"),
        "Анна"
    );
    let unknown = invitations::inviter(&mut conn, "ABCD-2345").await;
    assert!(matches!(unknown, Err(crm::Error::NotFound)), "{unknown:?}");
    assert_eq!(
        invitations::code_of(&mut conn, anna.me()).await.expect("read"),
        Some(code)
    );
});

both_engines!(a_budget_counts_rewards_of_a_version_without_it, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let joining = |more: &str| {
        rule(
            "Ten",
            "",
            &fixed(club, 10_00),
            &format!(r#", "occasion": "registration"{more}"#),
        )
    };
    let with = joining(r#", "caps": {"budget": {"value": 3000}}"#);
    let id = publish(db, &with).await.id;
    let again = async |is: &crm::rule::Rule, from| {
        crm::rule::store::publish_by_system(db, &BY, Some(id), is, from)
            .await
            .expect("published");
    };
    register(db, "+79000000001", None).await;
    again(&joining(""), None).await;
    again(&with, Some(start() + days(1))).await;
    register(db, "+79000000002", None).await;
    let used = one!(world, i64, "SELECT value + times FROM rule_usages");
    assert_eq!(used, 20_00 + 2);
    world.clock.set(start() + days(1));
    for phone in ["+79000000003", "+79000000004"] {
        register(db, phone, None).await;
    }
    let used = one!(world, i64, "SELECT value + times FROM rule_usages");
    assert_eq!(used, 30_00 + 3, "the budget was not to be gone beyond");
    assert_books_agree(db).await;
});

/// What is told of each reward, by its name: when it came, and what is to be expected of it.
async fn expected(db: &Db, who: Subject) -> Vec<(String, Option<DateTime<Utc>>, Option<Ahead>)> {
    let mut conn = db.read().await.expect("a connection");
    let all = awaited::of(&mut conn, who).await.expect("asked");
    let mut all: Vec<_> = all.into_iter().map(|one| (one.name.en, one.came, one.ahead)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn on(day: &str) -> Option<Ahead> {
    Some(Ahead::On(day.parse().expect("a day")))
}

fn not(day: Option<&str>, ru: &str, en: &str) -> Option<Ahead> {
    let day = day.map(|day| day.parse().expect("a day"));
    let why = Localized::new(ru, en);
    Some(Ahead::Not { day, why })
}

both_engines!(
    a_reward_of_a_day_is_told_before_it_comes_and_after_it_did_not,
    async |world| {
        let db = ready(world).await;
        let (club, family) = (program(db, "club").await, program(db, "family").await);
        let (anna, nobody) = (born(db, "1990-11-24").await, customer(db).await);
        join(db, nobody, "club", start() - days(365)).await;
        let own = birthday(0, 0);
        publish(db, &rule("Birthday", &own, &fixed(club, 300_00), DAILY)).await;
        // In another program, and for whom is nobody else's to know.
        publish(db, &rule("Elsewhere", &own, &fixed(family, 1_00), DAILY)).await;
        let vip = format!(r#"{own}, {{"segment": ["vip"]}}"#);
        publish(db, &rule("Vip", &vip, &fixed(club, 900_00), DAILY)).await;
        let long = format!(r#"{own}, {{"tenure": {{"at_least": 30}}}}"#);
        publish(db, &rule("Loyal", &long, &fixed(club, 500_00), DAILY)).await;
        let least = (
            "Для тех, кто с нами не меньше: 30\u{a0}дней",
            "For those who have been with us for 30\u{a0}days or more",
        );
        let row = |name: &str, came: Option<&str>, ahead: Option<Ahead>| (name.to_owned(), came.map(at), ahead);
        let early = not(None, least.0, least.1);
        assert_eq!(
            expected(db, anna).await,
            [
                row("Birthday", None, on("2026-11-24")),
                row("Loyal", None, early.clone())
            ]
        );
        let unknown = not(None, "День рождения не указан", "The birthday is not known");
        assert_eq!(expected(db, nobody).await[0], row("Birthday", None, unknown));

        assert_eq!(work(world, at("2026-11-24T09:00:00Z")).await, 1);
        let came = row("Birthday", Some("2026-11-23T21:00:00Z"), on("2027-11-24"));
        assert_eq!(expected(db, anna).await, [came.clone(), row("Loyal", None, early)]);
        world.clock.set(at("2026-11-25T09:00:00Z"));
        let missed = not(Some("2026-11-24"), least.0, least.1);
        assert_eq!(expected(db, anna).await, [came.clone(), row("Loyal", None, missed)]);
        // After two months it is the next one that is told.
        world.clock.set(at("2027-02-01T09:00:00Z"));
        assert_eq!(expected(db, anna).await, [came, row("Loyal", None, on("2027-11-24"))]);
        assert_eq!(work(world, at("2027-11-24T09:00:00Z")).await, 1);
        assert_eq!(rewards(db, anna).await.len(), 3, "as it was told");
    }
);

both_engines!(what_is_to_be_expected_of_invitations_is_told, async |world| {
    ready(world).await;
    let policy = Policy {
        invitations_per_month: 1,
        ..Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let (anna, code, _) = host(db).await;
    let friend = async || {
        let all = expected(db, anna.me()).await;
        let found = all.into_iter().find(|(name, ..)| name == "Friend");
        let (_, came, ahead) = found.expect("the rule counts");
        (came, ahead)
    };
    assert_eq!(friend().await, (None, Some(Ahead::Act)));
    let boris = register(db, "+79000000001", Some(&code)).await;
    assert_eq!(friend().await, (None, Some(Ahead::Friends(1))));
    later(world);
    let bought = db.now();
    slip("B-1", boris.me(), bought).line("tea", 1, 60_00).book(db).await;
    let december = "2026-12-01".parse().expect("a day");
    assert_eq!(friend().await, (Some(bought), Some(Ahead::Closed(december))));
    world.clock.set(at("2026-12-01T09:00:00Z"));
    assert_eq!(friend().await, (Some(bought), Some(Ahead::Act)));
});

both_engines!(a_friend_who_brought_nothing_is_told_with_the_reason, async |world| {
    let db = ready(world).await;
    let club = program(db, "club").await;
    let old = r#"{"tenure": {"at_least": 30}}"#;
    publish(db, &rule("Old", old, &fixed(club, 1_00), r#", "occasion": "referral""#)).await;
    let anna = register(db, "+79000000001", None).await;
    let code = invitations::begin(db, &anna).await.expect("a code");
    let boris = register(db, "+79000000002", Some(&code)).await;
    later(world);
    slip("B-1", boris.me(), db.now()).line("tea", 1, 60_00).book(db).await;
    let why = not(
        Some("2026-11-21"),
        "Для тех, кто с нами не меньше: 30\u{a0}дней",
        "For those who have been with us for 30\u{a0}days or more",
    );
    world.clock.set(start() + days(40));
    assert_eq!(
        expected(db, anna.me()).await,
        [("Old".to_owned(), None, why)],
        "as it was on the day of the purchase"
    );
});

both_engines!(
    what_a_customer_does_by_themselves_is_told_until_it_was_rewarded,
    async |world| {
        let db = ready(world).await;
        let club = program(db, "club").await;
        let more = |occasion: &str| format!(r#", "occasion": "{occasion}""#);
        publish(
            db,
            &rule("Gift", r#""invited""#, &fixed(club, 1_00), &more("registration")),
        )
        .await;
        publish(db, &rule("Welcome", "", &fixed(club, 1_00), &more("registration"))).await;
        publish(db, &rule("Whole", "", &fixed(club, 1_00), &more("profile"))).await;
        let joined = db.now();
        let boris = register(db, "+79000000001", None).await;
        let row = |name: &str, came, ahead| (name.to_owned(), came, ahead);
        let invited = not(
            Some("2026-11-21"),
            "Для тех, кто пришёл по приглашению",
            "For those who came by an invitation",
        );
        let welcome = row("Welcome", Some(joined), None);
        let whole = row("Whole", None, Some(Ahead::Act));
        assert_eq!(
            expected(db, boris.me()).await,
            [row("Gift", None, invited), welcome.clone(), whole.clone()]
        );
        world.clock.set(start() + days(61));
        assert_eq!(expected(db, boris.me()).await, [welcome, whole], "not for ever");
    }
);
