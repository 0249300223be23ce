//! Support requests, from both sides.

use crate::common::people::{
    SYSTEM, contact, customer, moments_after, one, purchase, role, sql, staff, template, topic,
};
use crate::common::ready;
use crate::common::requests::{answer, opened, thread, write};
use chrono::{DateTime, TimeDelta, Utc};
use crm::Error;
use crm::contact::Kind;
use crm::db::scoped;
use crm::flaw::Flaw;
use crm::id::{AttachmentId, CustomerId, TopicId};
use crm::interaction::{Entry, FREE, Way, store as interactions};
use crm::lang::Lang;
use crm::outbox;
use crm::request::merge;
use crm::request::store::{self, Past, PastMessage};
use crm::request::{
    Assignee, Author, Counts, Cursor, Filter, NewRating, NewRequest, Row, Sort, Status, Summary, TakenDown, Upload,
    attachment,
};
use crm::shop::MB;
use crm::testing::{World, start};
use crm::who::{Customer, Staff};
use std::collections::BTreeSet;

fn about(text: &str) -> NewRequest {
    NewRequest {
        topic: "card".into(),
        text: text.into(),
        purchase: String::new(),
    }
}

async fn list(world: &World, by: &Customer, after: Option<Cursor>, limit: i64) -> Vec<Summary> {
    store::list(&mut world.db.read().await.expect("a connection"), by.me(), after, limit)
        .await
        .expect("a list")
}

async fn count(world: &World, by: &Customer) -> (i64, i64) {
    let mut conn = world.db.read().await.expect("a connection");
    let open = store::open_count(&mut conn, by.me()).await.expect("a count");
    (open, store::unread_count(&mut conn, by.me()).await.expect("a count"))
}

async fn queue(world: &World, by: &Staff, filter: &Filter, sort: Sort) -> Vec<Row> {
    store::queue(&world.db, by, filter, sort, None, 100)
        .await
        .expect("a queue")
}

fn numbers(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.number).collect()
}

async fn audited(world: &World, action: &'static str) -> i64 {
    one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = $1", action)
}

fn later(world: &World, minutes: i64) -> DateTime<Utc> {
    let at = world.db.now() + TimeDelta::minutes(minutes);
    world.clock.set(at);
    at
}

crm::both_engines!(what_a_customer_writes_is_kept_to_the_letter, async |world| {
    let topic = topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let receipt = purchase(world, anna.id(), "sale", start(), 100).await;
    let text = "'); DROP TABLE requests;-- <script>alert(1)</script>\n\t😀 \u{202e}слева % _ \\ {name} $1 ?";
    let new = NewRequest {
        topic: "card".into(),
        text: format!("  {text}\r\n"),
        purchase: receipt.to_string(),
    };
    let number = store::create(&world.db, &anna, &new, &[]).await.expect("a request");
    assert_eq!(number, 1);
    assert_eq!(write(world, &anna, "next").await, 2);
    let shown = thread(world, &anna, number).await;
    assert_eq!(
        (shown.number, shown.status, shown.purchase, shown.topic.en.as_str()),
        (1, Status::New, Some(receipt), "card")
    );
    assert_eq!(shown.messages.len(), 1);
    assert_eq!(
        (
            shown.messages[0].body.as_str(),
            shown.messages[0].author,
            shown.messages[0].unread
        ),
        (text, Author::Customer, false)
    );
    let agent = staff(world, "agent").await;
    let held = opened(world, &agent, number).await;
    assert_eq!(held.messages[0].body, text);
    assert_eq!(
        (held.waiting_since, held.language, held.customer),
        (Some(start()), Lang::En, anna.id())
    );
    let rows = queue(
        world,
        &agent,
        &Filter {
            topic: Some(topic),
            ..Filter::default()
        },
        Sort::Newest,
    )
    .await;
    assert_eq!(numbers(&rows), [2, 1]);
    assert_eq!(audited(world, "request.create").await, 2);
});

crm::both_engines!(a_form_hears_of_every_flaw_at_once, async |world| {
    topic(world, "card", 1).await;
    topic(world, "old", 2).await;
    sql!(
        world,
        "UPDATE topics SET closed_at = $1 WHERE code = 'old'",
        world.db.now()
    );
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let others = purchase(world, boris.id(), "sale", start(), 100).await.to_string();
    let flaws = async |topic: &str, text: &str, purchase: &str| {
        let new = NewRequest {
            topic: topic.into(),
            text: text.into(),
            purchase: purchase.into(),
        };
        match store::create(&world.db, &anna, &new, &[]).await {
            Err(Error::Invalid(flaws)) => flaws,
            other => panic!("{other:?}"),
        }
    };
    let field = |name: &str, flaw| (name.to_owned(), flaw);
    assert_eq!(
        flaws("", " \n", &others).await,
        [
            field("topic", Flaw::Missing),
            field("text", Flaw::Missing),
            field("purchase", Flaw::NotAChoice)
        ]
    );
    assert_eq!(
        flaws("old", &"я".repeat(4001), "x\0").await,
        [
            field("topic", Flaw::NotAChoice),
            field("text", Flaw::TooLong { max: 4000 }),
            field("purchase", Flaw::NotAChoice)
        ]
    );
    assert_eq!(
        flaws("card\0", "a\u{7}", "").await,
        [field("topic", Flaw::NotAChoice), field("text", Flaw::ControlCharacters)]
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM requests"), 0);
    let agent = staff(world, "agent").await;
    let mut conn = world.db.read().await.expect("a connection");
    let topics = store::topics(&mut conn).await.expect("topics");
    assert_eq!(topics.iter().map(|t| t.code.as_str()).collect::<Vec<_>>(), ["card"]);
    let closed = store::closed_topics(&mut conn, &agent).await.expect("topics");
    assert_eq!(closed.iter().map(|t| t.code.as_str()).collect::<Vec<_>>(), ["old"]);
    drop(conn);
    write(world, &anna, &"я".repeat(4000)).await;
});

crm::both_engines!(what_the_shop_adds_is_for_staff_alone, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let note = "12 points by the club, version 1";
    let along = crm::request::Along {
        note: Some(note),
        ..Default::default()
    };
    let number = store::create_with(&world.db, &anna, &about("Where are they?"), &[], along)
        .await
        .expect("a request");
    let shown = thread(world, &anna, number).await;
    let said: Vec<_> = shown.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(said, ["Where are they?"], "the customer sees their own words alone");
    assert_eq!(count(world, &anna).await, (1, 0), "nothing is there to be read");
    let agent = staff(world, "agent").await;
    let held = opened(world, &agent, number).await;
    let told: Vec<_> = held
        .messages
        .iter()
        .map(|message| {
            (
                message.body.as_str(),
                message.author,
                message.staff.as_deref(),
                message.internal,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("Where are they?", Author::Customer, None, false),
            (note, Author::Staff, None, true)
        ]
    );
    assert_eq!(
        (held.status, held.answered_at),
        (Status::New, None),
        "it answers nothing"
    );
    let rows = queue(world, &agent, &Filter::default(), Sort::Waiting).await;
    assert_eq!(rows[0].beginning, "Where are they?");
});

crm::both_engines!(anothers_request_is_not_found, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let number = write(world, &anna, "mine").await;
    let db = &world.db;
    for number in [number, number + 1, -1] {
        assert!(matches!(
            store::thread(db, boris.me(), number).await,
            Err(Error::NotFound)
        ));
        assert!(matches!(
            store::answer(db, &boris, number, "x", &[]).await,
            Err(Error::NotFound)
        ));
        assert!(matches!(store::close(db, &boris, number).await, Err(Error::NotFound)));
        assert!(matches!(store::reopen(db, &boris, number).await, Err(Error::NotFound)));
    }
    let agent = staff(world, "agent").await;
    answer(world, &agent, number, "hello").await;
    let shown = thread(world, &anna, number).await;
    store::mark_seen(db, &boris, &shown).await.expect("no error");
    assert_eq!(count(world, &anna).await, (1, 1), "another cannot mark it as seen");
    assert_eq!(list(world, &boris, None, 10).await, []);
    assert_eq!(count(world, &boris).await, (0, 0));
    assert_eq!(thread(world, &anna, number).await.messages.len(), 2);
    assert!(matches!(store::open(db, &agent, 99).await, Err(Error::NotFound)));
});

crm::both_engines!(an_answer_is_told_to_no_address_that_nobody_proved, async |world| {
    topic(world, "card", 1).await;
    template(world, "request_answered", 1, "s", "b", start()).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    contact(world, anna.id(), Kind::Email, "stranger@example.com").await;
    let number = write(world, &anna, "first").await;
    answer(world, &agent, number, "what then?").await;
    assert_eq!(outbox::inbox(&world.db, 10).await.expect("read"), []);
    let told = "SELECT COUNT(*) FROM notifications WHERE kind = 'answer'";
    assert_eq!(one!(world, i64, told), 1, "the cabinet tells it");
});

crm::both_engines!(the_shop_writes_first_and_waits_for_the_customer, async |world| {
    topic(world, "card", 1).await;
    template(world, "request_begun", 1, "No. {number}", "{name}", start()).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    contact(world, anna.id(), Kind::Email, "anna@example.com").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    let db = &world.db;
    let Err(Error::Invalid(flaws)) = store::write_to(db, &agent, anna.id(), "", " ").await else {
        panic!("it is about nothing and says nothing");
    };
    assert_eq!(
        flaws,
        [("topic".to_owned(), Flaw::Missing), ("text".to_owned(), Flaw::Missing)]
    );
    let nobody = store::write_to(db, &agent, crm::id::CustomerId::new(), "card", "hello").await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    let number = store::write_to(db, &agent, anna.id(), "card", "is this purchase yours?")
        .await
        .expect("written");
    let seen = thread(world, &anna, number).await;
    assert_eq!(seen.status, Status::Waiting);
    let said: Vec<_> = seen
        .messages
        .iter()
        .map(|one| (one.author, one.body.as_str(), one.unread))
        .collect();
    assert_eq!(said, [(Author::Staff, "is this purchase yours?", true)]);
    let held = opened(world, &agent, number).await;
    assert_eq!((held.assignee, held.waiting_since), (Some(agent.id()), None));
    let letters = outbox::inbox(db, 10).await.expect("read");
    let letters: Vec<_> = letters.iter().map(|letter| letter.template.as_str()).collect();
    assert_eq!(letters, ["request_begun"]);
    let times = "SELECT COUNT(*) FROM requests WHERE answered_at = created_at";
    assert_eq!(
        one!(world, i64, times),
        1,
        "by which figures know that nobody waited for it"
    );
    later(world, 1);
    store::answer(db, &anna, number, "yes", &[]).await.expect("answered");
    assert_eq!(thread(world, &anna, number).await.status, Status::Open);
    let gone = "UPDATE customers SET erased_at = registered_at WHERE id = $1";
    let id = anna.id();
    sql!(world, gone, id);
    let late = store::write_to(db, &agent, id, "card", "hello?").await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
});

crm::both_engines!(what_a_caller_says_is_a_request_of_theirs, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "L").await);
    let agent = staff(world, "agent").await;
    contact(world, anna.id(), Kind::Email, "anna@example.com").await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    let receipt = purchase(world, anna.id(), "sale", start(), 100).await;
    let foreign = purchase(world, boris.id(), "sale", start(), 100).await;
    let visit = Entry {
        channel: "visit".into(),
        script: FREE.into(),
        outcome: "told".into(),
        ..Entry::default()
    };
    let talk = interactions::add(db, &agent, anna.id(), &visit, None)
        .await
        .expect("written down");

    let wrong = TakenDown {
        request: NewRequest {
            topic: "unheard of".into(),
            text: " ".into(),
            purchase: foreign.to_string(),
        },
        channel: "pigeon".into(),
        talk: None,
    };
    let Err(Error::Invalid(flaws)) = store::take_down(db, &agent, anna.id(), &wrong).await else {
        panic!("nothing of it fits");
    };
    let expected = [
        ("topic", Flaw::NotAChoice),
        ("text", Flaw::Missing),
        ("purchase", Flaw::NotAChoice),
        ("channel", Flaw::NotAChoice),
    ];
    assert_eq!(flaws, expected.map(|(field, flaw)| (field.to_owned(), flaw)));
    let said = TakenDown {
        request: NewRequest {
            purchase: receipt.to_string(),
            ..about("Карта не читается")
        },
        channel: "visit".into(),
        talk: Some(talk),
    };
    let of_another = TakenDown {
        request: about("Карта не читается"),
        ..said.clone()
    };
    let elsewhere = store::take_down(db, &agent, boris.id(), &of_another).await;
    assert!(
        matches!(elsewhere, Err(Error::NotFound)),
        "it is no talk of his: {elsewhere:?}"
    );
    let nobody = store::take_down(db, &agent, CustomerId::new(), &said).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    let mara = moments_after(world, "mara", "Мара", "marketer").await;
    let refused = store::take_down(db, &mara, anna.id(), &said).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM requests"), 0);

    let number = store::take_down(db, &agent, anna.id(), &said)
        .await
        .expect("written down");
    let shown = thread(world, &anna, number).await;
    assert_eq!(
        (shown.status, shown.purchase, shown.answered_at),
        (Status::New, Some(receipt), None)
    );
    let words: Vec<_> = shown
        .messages
        .iter()
        .map(|one| (one.author, one.body.as_str(), one.way, one.unread))
        .collect();
    assert_eq!(
        words,
        [(Author::Customer, "Карта не читается", Some(Way::Visit), false)]
    );
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.assignee, held.waiting_since),
        (None, Some(held.created_at)),
        "nobody has answered"
    );
    let first = held.messages.first().expect("a message");
    assert_eq!(
        (first.staff.as_deref(), first.way, first.talk),
        (Some("agent"), Some(Way::Visit), Some(talk))
    );
    let letters = outbox::inbox(db, 10).await.expect("read");
    let letters: Vec<_> = letters.iter().map(|letter| letter.template.as_str()).collect();
    assert_eq!(letters, ["request_taken"]);
    let told = "SELECT COUNT(*) FROM notifications WHERE kind = 'taken' AND about = $1";
    assert_eq!(one!(world, i64, told, number.to_string()), 1);
    let heard = "SELECT COUNT(*) FROM request_changes WHERE kind IN ('opened', 'answered')";
    assert_eq!(one!(world, i64, heard), 2, "the queue and the customer hear of it");
    assert_eq!(audited(world, "request.take_down").await, 1);
    let mut conn = db.read().await.expect("a connection");
    let of_it = store::of_talk(&mut conn, anna.me(), talk).await.expect("read");
    let of_it: Vec<_> = of_it.iter().map(|(number, _)| *number).collect();
    assert_eq!(of_it, [number]);
    let of_his = store::of_talk(&mut conn, boris.me(), talk).await.expect("read");
    assert!(of_his.is_empty(), "the talk was not with him: {of_his:?}");
    drop(conn);
    // Entries that correct each other are one talk.
    let mut entry = talk;
    for _ in 0..2 {
        entry = interactions::add(db, &agent, anna.id(), &visit, Some(entry))
            .await
            .expect("corrected");
        let mut conn = db.read().await.expect("a connection");
        let of_it = store::of_talk(&mut conn, anna.me(), entry).await.expect("read");
        let of_it: Vec<_> = of_it.iter().map(|(number, _)| *number).collect();
        assert_eq!(of_it, [number]);
    }

    let own = write(world, &anna, "next").await;
    let own = thread(world, &anna, own).await;
    assert_eq!(own.messages.first().expect("a message").way, None);
    let id = anna.id();
    sql!(
        world,
        "UPDATE customers SET erased_at = registered_at WHERE id = $1",
        id
    );
    let late = store::take_down(db, &agent, id, &said).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
});

crm::both_engines!(a_request_goes_back_and_forth, async |world| {
    topic(world, "card", 1).await;
    template(
        world,
        "request_answered",
        1,
        "No. {number}",
        "{name}, {number}, {shop}",
        start(),
    )
    .await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    contact(world, anna.id(), Kind::Email, "anna@example.com").await;
    let number = write(world, &anna, "first").await;
    let db = &world.db;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    let status = async || thread(world, &anna, number).await.status;

    later(world, 1);
    store::answer(db, &anna, number, "more", &[]).await.expect("added");
    assert_eq!(status().await, Status::New);
    assert_eq!(
        opened(world, &agent, number).await.waiting_since,
        Some(start()),
        "the wait goes on from its beginning"
    );
    let answered = later(world, 1);
    answer(world, &agent, number, "what then?").await;
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.waiting_since, held.answered_at),
        (Status::Waiting, None, Some(answered))
    );
    assert_eq!(
        (held.assignee, held.assignee_name.as_deref()),
        (Some(agent.id()), Some("agent"))
    );
    let inbox = outbox::inbox(db, 10).await.expect("read");
    assert_eq!(inbox.len(), 1);
    assert_eq!(
        (inbox[0].address.as_str(), inbox[0].subject.as_str()),
        ("anna@example.com", "No. 1")
    );
    assert_eq!(
        (inbox[0].body.as_str(), inbox[0].language),
        ("Anna, 1, Сосна", Lang::En)
    );

    let again = later(world, 1);
    store::answer(db, &anna, number, "this", &[]).await.expect("added");
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.waiting_since, held.answered_at),
        (Status::Open, Some(again), Some(answered))
    );
    let closed = later(world, 1);
    store::close(db, &anna, number).await.expect("closed");
    assert!(matches!(store::close(db, &anna, number).await, Err(Error::Stale)));
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.waiting_since, held.closed_at),
        (Status::Closed, None, Some(closed))
    );
    assert_eq!(count(world, &anna).await.0, 0);
    later(world, 1);
    store::answer(db, &anna, number, "not after all", &[])
        .await
        .expect("added");
    assert_eq!(
        (status().await, thread(world, &anna, number).await.closed_at),
        (Status::Open, None)
    );
    assert!(matches!(store::reopen(db, &anna, number).await, Err(Error::Stale)));
    store::close(db, &anna, number).await.expect("closed");
    store::reopen(db, &anna, number).await.expect("open again");
    assert_eq!((status().await, count(world, &anna).await.0), (Status::Open, 1));

    // A colleague's answer does not take the request away, and does not count as the first one.
    let colleague = staff(world, "colleague").await;
    later(world, 1);
    answer(world, &colleague, number, "me too").await;
    let held = opened(world, &agent, number).await;
    assert_eq!((held.assignee, held.answered_at), (Some(agent.id()), Some(answered)));
    let bodies: Vec<_> = held.messages.iter().map(|m| m.body.as_str()).collect();
    assert_eq!(
        bodies,
        ["first", "more", "what then?", "this", "not after all", "me too"]
    );
    assert_eq!(held.messages[5].staff.as_deref(), Some("colleague"));
    assert_eq!(
        (held.messages[0].staff.as_deref(), held.messages[0].author),
        (None, Author::Customer)
    );
    for (action, times) in [
        ("request.answer", 2),
        ("request.reply", 3),
        ("request.close", 2),
        ("request.reopen", 1),
    ] {
        assert_eq!(audited(world, action).await, times, "{action}");
    }
});

crm::both_engines!(notes_never_reach_the_customer, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let number = write(world, &anna, "first").await;
    let (shown, listed) = (thread(world, &anna, number).await, list(world, &anna, None, 10).await);
    later(world, 1);
    let seen = opened(world, &agent, number).await.updated_at;
    store::note(&world.db, &agent, number, "she is difficult", &[])
        .await
        .expect("noted");
    assert_eq!(thread(world, &anna, number).await, shown);
    assert_eq!(list(world, &anna, None, 10).await, listed);
    assert_eq!(count(world, &anna).await, (1, 0));
    let held = opened(world, &agent, number).await;
    assert!(held.messages[1].internal && held.messages[1].staff.as_deref() == Some("agent"));
    assert_eq!(
        (held.status, held.answered_at, held.updated_at),
        (Status::New, None, seen)
    );
    assert!(matches!(
        store::note(&world.db, &agent, number, "", &[]).await,
        Err(Error::Invalid(_))
    ));
    assert_eq!(audited(world, "request.note").await, 1);
    store::staff_answer(&world.db, &agent, number, "hello", &[], seen)
        .await
        .expect("a note is no reason to read again");
});

crm::both_engines!(an_answer_is_unread_until_it_was_shown, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let number = write(world, &anna, "first").await;
    assert_eq!(count(world, &anna).await, (1, 0));
    answer(world, &agent, number, "one").await;
    let shown = thread(world, &anna, number).await;
    assert_eq!(
        shown.messages.iter().map(|m| m.unread).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(
        (count(world, &anna).await, list(world, &anna, None, 10).await[0].unread),
        ((1, 1), true)
    );
    // A second answer, within the same microsecond of the standing clock, comes while the customer reads the first.
    answer(world, &agent, number, "two").await;
    store::mark_seen(&world.db, &anna, &shown).await.expect("marked");
    let shown = thread(world, &anna, number).await;
    assert_eq!(
        shown.messages.iter().map(|m| m.unread).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(count(world, &anna).await.1, 1);
    store::mark_seen(&world.db, &anna, &shown).await.expect("marked");
    assert_eq!(
        (
            count(world, &anna).await.1,
            list(world, &anna, None, 10).await[0].unread
        ),
        (0, false)
    );
    // An older page, sent again, makes nothing unread.
    let mut older = shown.clone();
    older.messages.pop();
    older.messages[1].unread = true;
    store::mark_seen(&world.db, &anna, &older).await.expect("marked");
    assert_eq!(count(world, &anna).await.1, 0);
});

crm::both_engines!(two_agents_do_not_answer_over_each_other, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (agent, colleague) = (staff(world, "agent").await, staff(world, "colleague").await);
    let number = write(world, &anna, "first").await;
    let db = &world.db;
    let seen = opened(world, &agent, number).await.updated_at;
    let (one, two) = tokio::join!(
        store::staff_answer(db, &agent, number, "mine", &[], seen),
        store::staff_answer(db, &colleague, number, "mine", &[], seen)
    );
    assert!(
        matches!((&one, &two), (Ok(()), Err(Error::Stale)) | (Err(Error::Stale), Ok(()))),
        "{one:?} {two:?}"
    );
    assert!(matches!(
        store::set_status(db, &agent, number, Status::Closed, seen).await,
        Err(Error::Stale)
    ));
    let held = opened(world, &agent, number).await;
    assert_eq!((held.messages.len(), held.status), (2, Status::Waiting));
    // The customer writes while an answer is being typed: the agent has to read it first.
    store::answer(db, &anna, number, "wait", &[]).await.expect("added");
    assert!(matches!(
        store::staff_answer(db, &agent, number, "late", &[], held.updated_at).await,
        Err(Error::Stale)
    ));
    assert_eq!(opened(world, &agent, number).await.messages.len(), 3);
});

crm::both_engines!(many_answers_at_once_all_stay, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let number = write(world, &anna, "0").await;
    let answers = (1..=20).map(|i| {
        let (db, anna) = (world.db.clone(), anna.clone());
        tokio::spawn(async move { store::answer(&db, &anna, number, &i.to_string(), &[]).await })
    });
    for done in answers.collect::<Vec<_>>() {
        done.await.expect("no panic").expect("added");
    }
    let shown = thread(world, &anna, number).await;
    let times: BTreeSet<_> = shown.messages.iter().map(|m| m.at).collect();
    assert_eq!(
        (shown.messages.len(), times.len()),
        (21, 21),
        "each has a time of its own"
    );
});

crm::both_engines!(staff_sets_status_and_hands_requests_around, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (agent, colleague) = (staff(world, "agent").await, staff(world, "colleague").await);
    let number = write(world, &anna, "first").await;
    let db = &world.db;
    store::assign_to_me(db, &agent, number, None).await.expect("taken");
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.assignee, held.waiting_since),
        (Status::Open, Some(agent.id()), Some(start()))
    );
    let quicker = store::assign_to_me(db, &colleague, number, None).await;
    assert!(matches!(quicker, Err(Error::Stale)), "it was nobody's a moment ago");
    let [one, other] = [&agent, &colleague].map(|staff| Some(staff.id()));
    store::assign_to_me(db, &colleague, number, one)
        .await
        .expect("taken over");
    assert_eq!(opened(world, &agent, number).await.assignee, Some(colleague.id()));
    let late = store::unassign(db, &agent, number, one).await;
    assert!(matches!(late, Err(Error::Stale)), "it is the colleague's by now");
    store::unassign(db, &agent, number, other).await.expect("handed back");
    let held = opened(world, &agent, number).await;
    assert_eq!((held.status, held.assignee), (Status::Open, None));
    for no_choice in [Status::New, Status::Open] {
        match store::set_status(db, &agent, number, no_choice, held.updated_at).await {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("status".to_owned(), Flaw::NotAChoice)]),
            other => panic!("{other:?}"),
        }
    }
    store::set_status(db, &agent, number, Status::Closed, held.updated_at)
        .await
        .expect("closed");
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.waiting_since, held.closed_at.is_some()),
        (Status::Closed, None, true)
    );
    // The customer did not do it, and is told.
    let told = "SELECT COUNT(*) FROM notifications WHERE kind = 'closed' AND about = $1";
    assert_eq!(one!(world, i64, told, number.to_string()), 1);
    store::set_status(db, &agent, number, Status::Open, held.updated_at)
        .await
        .expect("open again");
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.waiting_since, held.closed_at),
        (Status::Open, Some(held.updated_at), None)
    );
    for (action, times) in [
        ("request.assign", 2),
        ("request.unassign", 1),
        ("request.status", 2),
        ("request.read", 5),
    ] {
        assert_eq!(audited(world, action).await, times, "{action}");
    }
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'customer.read' AND reason = 'request' AND customer_id = $1",
            anna.id()
        ),
        5
    );
});

crm::both_engines!(the_queue_is_filtered_counted_and_sorted, async |world| {
    let (card, other) = (topic(world, "card", 1).await, topic(world, "other", 2).await);
    let (anna, boris) = (
        customer(world, "Анна", "Ёлкина").await,
        customer(world, "Boris", "O'Neill").await,
    );
    let (agent, colleague) = (staff(world, "agent").await, staff(world, "colleague").await);
    let first = write(world, &anna, "Где мои БАЛЛЫ? 100%").await;
    later(world, 1);
    let second = write(world, &boris, "points_2 \\o/").await;
    later(world, 1);
    let third = store::create(
        &world.db,
        &boris,
        &NewRequest {
            topic: "other".into(),
            ..about("100 points")
        },
        &[],
    )
    .await
    .expect("a request");
    later(world, 1);
    answer(world, &agent, first, "сейчас").await;
    later(world, 1);
    store::assign_to_me(&world.db, &colleague, third, None)
        .await
        .expect("taken");
    later(world, 1);
    let closed = write(world, &boris, "done").await;
    store::close(&world.db, &boris, closed).await.expect("closed");

    let all = Filter::default();
    let rows = queue(world, &agent, &all, Sort::Waiting).await;
    assert_eq!(numbers(&rows), [second, third, first, closed]);
    assert_eq!(
        (
            rows[0].name.as_str(),
            rows[0].surname.as_str(),
            rows[0].topic.en.as_str()
        ),
        ("Boris", "O'Neill", "card")
    );
    assert_eq!(
        rows.iter().map(|row| row.beginning.as_str()).collect::<Vec<_>>(),
        ["points_2 \\o/", "100 points", "Где мои БАЛЛЫ? 100%", "done"],
        "the first message, not the last"
    );
    assert_eq!(
        (rows[0].waiting_since, rows[0].assignee.as_deref()),
        (Some(start() + TimeDelta::minutes(1)), None)
    );
    assert_eq!(
        (rows[1].assignee.as_deref(), rows[2].waiting_since, rows[2].status),
        (Some("colleague"), None, Status::Waiting)
    );
    assert_eq!(
        numbers(&queue(world, &agent, &all, Sort::Newest).await),
        [closed, third, second, first]
    );
    assert_eq!(
        numbers(&queue(world, &agent, &all, Sort::Updated).await),
        [closed, third, first, second]
    );

    let found = async |filter: Filter| {
        let mut numbers = numbers(&queue(world, &agent, &filter, Sort::Waiting).await);
        numbers.sort_unstable();
        numbers
    };
    for (status, number) in [
        (Status::New, second),
        (Status::Open, third),
        (Status::Waiting, first),
        (Status::Closed, closed),
    ] {
        assert_eq!(
            found(Filter {
                status: Some(status),
                ..Filter::default()
            })
            .await,
            [number],
            "{status:?}"
        );
    }
    assert_eq!(
        found(Filter {
            unclosed: true,
            ..Filter::default()
        })
        .await,
        [first, second, third]
    );
    assert_eq!(
        found(Filter {
            assignee: Assignee::Me,
            ..Filter::default()
        })
        .await,
        [first]
    );
    assert_eq!(
        found(Filter {
            assignee: Assignee::Nobody,
            ..Filter::default()
        })
        .await,
        [second, closed]
    );
    assert_eq!(
        found(Filter {
            assignee: Assignee::Of(colleague.id()),
            ..Filter::default()
        })
        .await,
        [third]
    );
    assert_eq!(
        found(Filter {
            topic: Some(other),
            ..Filter::default()
        })
        .await,
        [third]
    );
    assert_eq!(
        found(Filter {
            topic: Some(card),
            assignee: Assignee::Nobody,
            unclosed: true,
            ..Filter::default()
        })
        .await,
        [second]
    );
    let text = async |text: &str| {
        found(Filter {
            text: text.into(),
            ..Filter::default()
        })
        .await
    };
    assert_eq!(text("балл").await, [first], "by how a word begins");
    assert_eq!(text("аллы").await, [0_i64; 0], "and not by what is in the middle of it");
    assert_eq!(
        text("ЕЛКИНА баллы").await,
        [first],
        "each word in a message or in the name"
    );
    assert_eq!(text("boris points").await, [second, third]);
    assert_eq!(text("o'neill\0").await, [second, third, closed]);
    assert_eq!(
        text("100%").await,
        [first, third],
        "a number as a whole, whatever is beside it"
    );
    assert_eq!(text("10").await, [0_i64; 0]);
    assert_eq!(text("points_2").await, [second]);
    assert_eq!(text(&format!("№{closed}")).await, [closed]);
    assert_eq!(text("' OR 1=1 --").await, [0_i64; 0]);
    assert_eq!(text("?!").await, [0_i64; 0], "what has no word in it finds nothing");

    let mut conn = world.db.read().await.expect("a connection");
    let counts = store::counts(&mut conn, &agent).await.expect("counts");
    assert_eq!(
        counts,
        Counts {
            mine: 1,
            unassigned: 1,
            new: 1,
            open: 1,
            waiting: 1,
            overdue: 0
        }
    );
    drop(conn);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'request.queue' AND reason = '4 shown' AND customer_id IS NULL"
        ),
        3
    );
    // What it was narrowed to stands there too, but no word that was looked for: it may be a name.
    let told = {
        let mut conn = world.db.read().await.expect("a connection");
        let sql = "SELECT reason FROM audit WHERE action = 'request.queue'";
        let told: Vec<String> = crm::on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_all(c).await).expect("rows");
        told
    };
    for reason in [
        "1 shown, status waiting".to_owned(),
        "3 shown, status unclosed".to_owned(),
        "1 shown, assignee me".to_owned(),
        format!("1 shown, assignee {}", colleague.id()),
        format!("1 shown, topic {other}"),
        format!("1 shown, status unclosed, assignee nobody, topic {card}"),
        "2 shown, find words".to_owned(),
    ] {
        assert!(told.contains(&reason), "{reason}: {told:?}");
    }
    assert!(told.iter().all(|reason| !reason.contains("boris")), "{told:?}");
});

crm::both_engines!(pages_have_no_gap_and_nothing_twice, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    for i in 0..23 {
        // Several of each moment, and some who wait for nothing.
        if i % 5 == 0 {
            later(world, 1);
        }
        // One customer may not write so many within an hour.
        if i == 12 {
            later(world, 60);
        }
        let number = write(world, &anna, "x").await;
        if i % 4 == 0 {
            store::close(&world.db, &anna, number).await.expect("closed");
        }
    }
    for size in [1, 2, 3, 7, 22, 23, 24] {
        let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
        loop {
            let page = list(world, &anna, after, size).await;
            let Some(last) = page.last() else { break };
            after = Some(last.cursor().to_string().parse().expect("a cursor"));
            seen.extend(page);
        }
        assert_eq!(seen, list(world, &anna, None, 100).await, "{size}");
        assert_eq!(seen.iter().map(|s| s.id).collect::<BTreeSet<_>>().len(), 23);
        assert!(seen.is_sorted_by_key(|s| std::cmp::Reverse(s.updated_at)));
        for sort in [Sort::Waiting, Sort::Newest, Sort::Updated, Sort::Priority] {
            let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
            loop {
                let page = store::queue(&world.db, &agent, &Filter::default(), sort, after, size)
                    .await
                    .expect("a page");
                let Some(last) = page.last() else { break };
                after = Some(last.cursor().to_string().parse().expect("a cursor"));
                seen.extend(page);
            }
            assert_eq!(
                seen,
                queue(world, &agent, &Filter::default(), sort).await,
                "{sort:?} {size}"
            );
            assert_eq!(seen.iter().map(|s| s.id).collect::<BTreeSet<_>>().len(), 23);
        }
    }
});

crm::both_engines!(the_queue_shows_but_the_beginning_of_a_long_message, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    write(world, &anna, &"ё".repeat(1000)).await;
    let rows = queue(world, &agent, &Filter::default(), Sort::Newest).await;
    assert_eq!(rows[0].beginning, "ё".repeat(160), "counted in characters");
});

crm::both_engines!(a_request_with_a_past_is_written_as_it_was, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let at = |hours| start() - TimeDelta::hours(hours);
    let said = |staff: bool, internal, hours| PastMessage {
        staff: staff.then(|| agent.id()),
        internal,
        body: format!("{hours} hours ago"),
        at: at(hours),
    };
    let past = |status, seen, messages| Past {
        customer: anna.id(),
        topic: "card".into(),
        purchase: None,
        language: Lang::Ru,
        status,
        assignee: Some(agent.id()),
        seen,
        messages,
    };
    let put = async |past: &Past| {
        world
            .db
            .write(|tx| crm::db::scoped(async move { store::put(tx, &SYSTEM, past).await }))
            .await
    };
    let talk = vec![
        said(false, false, 9),
        said(true, false, 8),
        said(false, false, 7),
        said(false, false, 6),
        said(true, true, 5),
    ];
    let number = put(&past(Status::Open, false, talk.clone())).await.expect("written");
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.created_at, held.updated_at, held.answered_at, held.waiting_since),
        (at(9), at(6), Some(at(8)), Some(at(7)))
    );
    assert_eq!(
        (held.status, held.closed_at, held.messages.len()),
        (Status::Open, None, 5)
    );
    assert_eq!(count(world, &anna).await, (1, 1));
    let number = put(&past(Status::Closed, true, talk[..2].to_vec()))
        .await
        .expect("written");
    let held = opened(world, &agent, number).await;
    assert_eq!((held.closed_at, held.waiting_since), (Some(at(8)), None));
    assert_eq!(count(world, &anna).await, (1, 1));
    assert!(matches!(
        put(&past(Status::New, true, vec![])).await,
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        put(&Past {
            topic: "?".into(),
            ..past(Status::New, true, talk)
        })
        .await,
        Err(Error::NotFound)
    ));
});

crm::both_engines!(
    current_requests_are_those_open_or_with_an_answer_not_seen,
    async |world| {
        topic(world, "card", 1).await;
        let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "L").await);
        let agent = staff(world, "agent").await;
        let mut written = Vec::new();
        for text in ["settled", "open", "answered and settled", "answered"] {
            later(world, 1);
            written.push(write(world, &anna, text).await);
        }
        write(world, &boris, "another's").await;
        later(world, 1);
        answer(world, &agent, written[2], "An answer").await;
        answer(world, &agent, written[3], "An answer").await;
        store::close(&world.db, &anna, written[0]).await.expect("closed");
        let seen = opened(world, &agent, written[2]).await.updated_at;
        store::set_status(&world.db, &agent, written[2], Status::Closed, seen)
            .await
            .expect("closed");
        let mut conn = world.db.read().await.expect("a connection");
        let shown = store::current(&mut conn, anna.me(), 10).await.expect("a list");
        let mut told: Vec<_> = shown.iter().map(|r| (r.number, r.unread)).collect();
        assert_eq!(told.pop(), Some((written[1], false)), "the oldest comes last");
        told.sort_unstable();
        assert_eq!(told, [(written[2], true), (written[3], true)]);
        assert_eq!(store::current(&mut conn, anna.me(), 1).await.expect("a list").len(), 1);
    }
);

fn upload(name: &str, bytes: &[u8]) -> Upload {
    Upload {
        name: name.into(),
        bytes: bytes.to_vec(),
    }
}

fn png(size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend((bytes.len()..size).map(|i| (i % 251) as u8));
    bytes
}

crm::both_engines!(files_go_along_with_messages_and_come_back_whole, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let agent = staff(world, "agent").await;
    let (db, large) = (&world.db, png(MB * 5 / 2));
    let files = [upload("чек.png", &large), upload("b.pdf", b"%PDF-1.7")];
    let number = store::create(db, &anna, &about("look"), &files)
        .await
        .expect("a request");
    let seen = opened(world, &agent, number).await.updated_at;
    store::staff_answer(db, &agent, number, "here", &[upload("c.jpg", b"\xff\xd8\xff")], seen)
        .await
        .expect("answered");

    let shown = thread(world, &anna, number).await;
    let names: Vec<Vec<&str>> = shown
        .messages
        .iter()
        .map(|message| message.files.iter().map(|file| file.name.as_str()).collect())
        .collect();
    assert_eq!(names, [vec!["чек.png", "b.pdf"], vec!["c.jpg"]]);
    let photo = &shown.messages[0].files[0];
    assert_eq!((photo.kind, photo.size), (attachment::Kind::Png, large.len() as i64));
    let held = opened(world, &agent, number).await;
    assert_eq!(held.messages[0].files, shown.messages[0].files);

    let read = async |of: &Customer, number: i64, id: AttachmentId| {
        let mut conn = db.read().await.expect("a connection");
        store::file(&mut conn, of.me(), number, id).await
    };
    let (found, bytes) = read(&anna, number, photo.id).await.expect("a file");
    assert_eq!((&found, bytes == large), (photo, true));
    let pieces = "SELECT COUNT(*) FROM attachment_parts";
    assert_eq!(one!(world, i64, pieces), 3 + 1 + 1);
    let his = write(world, &boris, "his").await;
    for (who, number) in [(&boris, number), (&boris, his), (&anna, number + 1)] {
        let found = read(who, number, photo.id).await;
        assert!(matches!(found, Err(Error::NotFound)), "{found:?}");
    }
    assert_eq!(audited(world, "attachment.read").await, 0);
    // Staff who work with requests, and with the files of them: either right alone opens none.
    role(world, "archivist", r#"["documents"]"#).await;
    role(world, "reader", r#"["requests", "documents"]"#).await;
    let archivist = moments_after(world, "arina", "Арина", "archivist").await;
    let reader = moments_after(world, "rita", "Рита", "reader").await;
    for without in [&agent, &archivist] {
        let refused = store::staff_file(db, without, number, photo.id).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    assert_eq!(audited(world, "attachment.read").await, 0);
    let (_, bytes) = store::staff_file(db, &reader, number, photo.id).await.expect("a file");
    assert!(bytes == large);
    assert_eq!(audited(world, "attachment.read").await, 1);
    let elsewhere = store::staff_file(db, &reader, his, photo.id).await;
    assert!(matches!(elsewhere, Err(Error::NotFound)), "{elsewhere:?}");
    assert_eq!(audited(world, "attachment.read").await, 1);
});

crm::both_engines!(files_of_notes_stay_between_staff, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    role(world, "reader", r#"["requests", "documents"]"#).await;
    let (agent, reader) = (
        staff(world, "agent").await,
        moments_after(world, "rita", "Рита", "reader").await,
    );
    let db = &world.db;
    let number = write(world, &anna, "first").await;
    let shown = thread(world, &anna, number).await;
    later(world, 1);
    // The checks of an answer, both at once, and nothing of it is kept.
    let wrong = store::note(db, &agent, number, " ", &[upload("a.png", b"%PDF-1.7")]).await;
    let expected = [
        ("text".to_owned(), Flaw::Missing),
        ("files".to_owned(), Flaw::FileLies { file: 1 }),
    ];
    assert!(
        matches!(&wrong, Err(Error::Invalid(flaws)) if *flaws == expected),
        "{wrong:?}"
    );
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM attachments"), 0);
    let large = png(MB * 3 / 2);
    store::note(db, &agent, number, "look", &[upload("кража.png", &large)])
        .await
        .expect("noted");

    let held = opened(world, &agent, number).await;
    let [file] = held.messages[1].files.as_slice() else {
        panic!("one file: {:?}", held.messages)
    };
    assert!(held.messages[1].internal && file.name == "кража.png");
    assert_eq!(thread(world, &anna, number).await, shown, "she sees nothing of it");
    let theirs = async |number: i64| {
        let mut conn = db.read().await.expect("a connection");
        store::file(&mut conn, anna.me(), number, file.id).await
    };
    assert!(matches!(theirs(number).await, Err(Error::NotFound)));
    let refused = store::staff_file(db, &agent, number, file.id).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let (_, bytes) = store::staff_file(db, &reader, number, file.id).await.expect("a file");
    assert!(bytes == large);

    // It goes with its note into another request, and is hers under neither number.
    let other = write(world, &anna, "second").await;
    merge::merge(db, &agent, other, &[number.to_string()])
        .await
        .expect("merged");
    for number in [number, other] {
        assert!(matches!(theirs(number).await, Err(Error::NotFound)), "{number}");
    }
    let (found, _) = store::staff_file(db, &reader, other, file.id).await.expect("a file");
    assert_eq!(&found, file);
});

crm::both_engines!(a_day_has_room_for_so_many_files_however_they_come, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (db, five) = (&world.db, upload("a.png", &png(5 * MB)));
    let number = write(world, &anna, "first").await;
    // Twenty megabytes of twenty-five, asked for at the same moment.
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (db, anna, five) = (db.clone(), anna.clone(), five.clone());
            tokio::spawn(async move { store::answer(&db, &anna, number, "more", &[five]).await })
        })
        .collect();
    let mut refused = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(()) => {}
            Err(Error::Invalid(flaws)) => {
                assert_eq!(flaws, [("files".to_owned(), Flaw::FilesOfADay { max: 20 })]);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM attachments"), 4);
    assert_eq!(
        thread(world, &anna, number).await.messages.len(),
        5,
        "no words without their files"
    );
    later(world, 24 * 60);
    store::answer(db, &anna, number, "today", &[five]).await.expect("added");
});

fn stars(score: &str, comment: &str) -> NewRating {
    NewRating {
        score: score.into(),
        comment: comment.into(),
    }
}

crm::both_engines!(
    an_answer_is_rated_once_until_the_request_is_opened_again,
    async |world| {
        topic(world, "card", 1).await;
        let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
        let agent = staff(world, "agent").await;
        let db = &world.db;
        let number = write(world, &anna, "where is it?").await;
        let scores = async || {
            let ratings = opened(world, &agent, number).await.ratings;
            ratings.iter().map(|rating| rating.score).collect::<Vec<_>>()
        };
        store::note(db, &agent, number, "a note is no answer", &[])
            .await
            .expect("noted");
        assert!(!thread(world, &anna, number).await.may_rate, "nobody has answered");
        let early = store::rate(db, &anna, number, &stars("5", "")).await;
        assert!(matches!(early, Err(Error::Stale)), "{early:?}");

        later(world, 5);
        answer(world, &agent, number, "on its way").await;
        assert!(thread(world, &anna, number).await.may_rate);
        let others = store::rate(db, &boris, number, &stars("1", "")).await;
        assert!(matches!(others, Err(Error::NotFound)), "{others:?}");
        let wrong = store::rate(db, &anna, number, &stars("6", &"я".repeat(1001))).await;
        let Err(Error::Invalid(flaws)) = wrong else {
            panic!("{wrong:?}")
        };
        assert_eq!(
            flaws,
            [
                ("score".to_owned(), Flaw::NotAChoice),
                ("comment".to_owned(), Flaw::TooLong { max: 1000 })
            ]
        );
        store::rate(db, &anna, number, &stars("2", "slow"))
            .await
            .expect("rated");
        // Closing it asks about the same: the score is changed, no second one is given.
        store::close(db, &anna, number).await.expect("closed");
        later(world, 60);
        store::rate(db, &anna, number, &stars("4", "")).await.expect("changed");
        let rating = thread(world, &anna, number).await.rating.expect("a rating");
        assert_eq!((rating.score, rating.comment.as_str()), (4, ""));
        assert_eq!(rating.changed_at - rating.at, TimeDelta::minutes(60));
        assert_eq!(scores().await, [4]);
        later(world, 7 * 24 * 60 - 61);
        store::rate(db, &anna, number, &stars("3", ""))
            .await
            .expect("just in time");
        later(world, 1);
        assert!(!thread(world, &anna, number).await.may_rate, "a week is over");
        let late = store::rate(db, &anna, number, &stars("1", "")).await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");

        store::reopen(db, &anna, number).await.expect("open again");
        let shown = thread(world, &anna, number).await;
        assert_eq!(
            (shown.rating, shown.may_rate),
            (None, false),
            "the next answer is another"
        );
        store::close(db, &anna, number).await.expect("closed");
        store::rate(db, &anna, number, &stars("5", "")).await.expect("rated");
        assert_eq!(scores().await, [3, 5]);
        // An answer after it was closed opens it as well.
        later(world, 5);
        answer(world, &agent, number, "one more thing").await;
        let shown = thread(world, &anna, number).await;
        assert_eq!((shown.rating, shown.may_rate), (None, true));
        assert_eq!(audited(world, "request.rate").await, 4);
    }
);

crm::both_engines!(the_usual_wait_is_of_this_topic_and_of_the_last_month, async |world| {
    let (card, other) = (topic(world, "card", 1).await, topic(world, "other", 2).await);
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let usual = async |of: TopicId| {
        let mut conn = world.db.read().await.expect("a connection");
        store::usual_wait(&mut conn, of)
            .await
            .expect("read")
            .map(|wait| wait.num_minutes())
    };
    // Answered a while ago, after so many minutes.
    let past = async |topic: &str, ago: TimeDelta, waited: Option<i64>| {
        let from = world.db.now() - ago;
        let said = |staff, at| PastMessage {
            staff,
            internal: false,
            body: "x".into(),
            at,
        };
        let answer = waited.map(|waited| said(Some(agent.id()), from + TimeDelta::minutes(waited)));
        let past = &Past {
            customer: anna.id(),
            topic: topic.into(),
            purchase: None,
            language: Lang::Ru,
            status: if waited.is_some() { Status::Waiting } else { Status::New },
            assignee: None,
            seen: true,
            messages: std::iter::once(said(None, from)).chain(answer).collect(),
        };
        let put = world
            .db
            .write(|tx| scoped(async move { store::put(tx, &SYSTEM, past).await }));
        put.await.expect("put");
    };
    world.clock.set(start() + TimeDelta::days(60));
    for waited in 1..=9 {
        past("card", TimeDelta::days(1), Some(waited)).await;
    }
    // What is too old, or about something else, does not help.
    past("card", TimeDelta::days(31), Some(1)).await;
    past("other", TimeDelta::days(1), Some(1)).await;
    assert_eq!(usual(card).await, None, "nine are too few");
    past("card", TimeDelta::days(1), Some(10)).await;
    assert_eq!(usual(card).await, Some(6));
    assert_eq!(usual(other).await, None);
    // Who has just written says nothing; who has waited for days does.
    past("card", TimeDelta::minutes(2), None).await;
    assert_eq!(usual(card).await, Some(6));
    for _ in 0..4 {
        past("card", TimeDelta::days(3), None).await;
    }
    assert_eq!(usual(card).await, Some(8));
    // The answer that comes at last counts from the day it comes.
    past("card", TimeDelta::days(40), Some(39 * 24 * 60)).await;
    assert_eq!(usual(card).await, Some(8));
    past("card", TimeDelta::days(40), Some(39 * 24 * 60)).await;
    assert_eq!(usual(card).await, Some(9));
});
