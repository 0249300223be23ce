//! What staff do in a request beside answering: requests that go together and apart, links, notes that name somebody, drafts,
//! macros.

use crate::common::people::{customer, lead, one, purchase, role, sql, staff, text, topic};
use crate::common::requests::{answer, opened, thread, write};
use chrono::{DateTime, TimeDelta, Utc};
use crm::Error;
use crm::flaw::Flaw;
use crm::id::{MacroId, MessageId, QueueId, StaffId, TopicId};
use crm::lang::Lang;
use crm::request::desk::Priority;
use crm::request::draft::{self, Draft};
use crm::request::level::Told;
use crm::request::link::{self, Bond, Chosen, Kind};
use crm::request::live::Listener;
use crm::request::macros::{self, NewMacro};
use crm::request::store::bulk::{self, Act};
use crm::request::store::{queues, tags};
use crm::request::{Author, Filter, Sort, StaffThread, Status, Thread, mention, merge, store};
use crm::testing::{World, start};
use crm::who::{Customer, Staff};

fn later(world: &World, minutes: i64) -> DateTime<Utc> {
    let at = world.db.now() + TimeDelta::minutes(minutes);
    world.clock.set(at);
    at
}

fn said(thread: &Thread) -> Vec<&str> {
    thread.messages.iter().map(|message| message.body.as_str()).collect()
}

async fn numbers(world: &World, by: &Customer) -> Vec<i64> {
    let mut conn = world.db.read().await.expect("a connection");
    let all = store::list(&mut conn, by.me(), None, 10).await.expect("a list");
    all.iter().map(|request| request.number).collect()
}

async fn unread(world: &World, by: &Customer) -> i64 {
    let mut conn = world.db.read().await.expect("a connection");
    store::unread_count(&mut conn, by.me()).await.expect("a count")
}

fn flaws<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<(String, Flaw)> {
    match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    }
}

fn at(field: &str, flaw: Flaw) -> Vec<(String, Flaw)> {
    vec![(field.to_owned(), flaw)]
}

fn texts(numbers: &[i64]) -> Vec<String> {
    numbers.iter().map(i64::to_string).collect()
}

crm::both_engines!(requests_become_one_conversation_and_part_again, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let first = write(world, &anna, "one").await;
    later(world, 1);
    let second = write(world, &anna, "two").await;
    later(world, 1);
    answer(world, &agent, second, "answer to two").await;
    later(world, 1);
    store::answer(db, &anna, first, "one more", &[]).await.expect("said");
    let others = write(world, &boris, "his").await;

    let none: &[i64] = &[];
    for (wrong, flaw) in [
        (none, Flaw::Missing),
        (&[others][..], Flaw::NotAChoice),
        (&[first][..], Flaw::NotAChoice),
        (&[second, others][..], Flaw::NotAChoice),
    ] {
        let refused = merge::merge(db, &agent, first, &texts(wrong)).await;
        assert_eq!(flaws(refused), at("others", flaw), "{wrong:?}");
    }
    assert_eq!(numbers(world, &anna).await.len(), 2, "and then none goes");
    let unknown = merge::merge(db, &agent, first, &texts(&[99])).await;
    assert!(matches!(unknown, Err(Error::NotFound)));

    later(world, 1);
    merge::merge(db, &agent, first, &texts(&[second]))
        .await
        .expect("merged");
    assert_eq!(numbers(world, &anna).await, [first], "the customer has one");
    for number in [first, second] {
        let shown = thread(world, &anna, number).await;
        assert_eq!(shown.number, first, "whichever is asked for");
        assert_eq!(said(&shown), ["one", "two", "answer to two", "one more"]);
        let held = opened(world, &agent, number).await;
        assert_eq!((held.number, held.status), (first, Status::New));
        let of: Vec<i64> = held.messages.iter().map(|message| message.number).collect();
        assert_eq!(of, [first, second, second, first], "messages stay where they were said");
    }
    assert_eq!(
        unread(world, &anna).await,
        1,
        "the answer in the other one was not seen"
    );
    store::mark_seen(db, &anna, &thread(world, &anna, second).await)
        .await
        .expect("seen");
    assert_eq!(unread(world, &anna).await, 0);
    assert!(matches!(
        store::thread(db, boris.me(), second).await,
        Err(Error::NotFound)
    ));
    let all = Filter::default();
    let queue = store::queue(db, &agent, &all, Sort::Newest, None, 10)
        .await
        .expect("a queue");
    assert_eq!(queue.iter().map(|row| row.number).collect::<Vec<_>>(), [others, first]);
    let find = Filter {
        text: "answer to two".into(),
        ..Filter::default()
    };
    let found = store::queue(db, &agent, &find, Sort::Newest, None, 10)
        .await
        .expect("a queue");
    assert_eq!(
        found.iter().map(|row| row.number).collect::<Vec<_>>(),
        [second],
        "it is found"
    );

    // Whatever is done to the one that went is done to the one that it went into.
    later(world, 1);
    store::answer(db, &anna, second, "and this", &[]).await.expect("said");
    assert_eq!(thread(world, &anna, first).await.messages.len(), 5);
    answer(world, &agent, second, "all answered").await;
    assert_eq!(opened(world, &agent, first).await.status, Status::Waiting);
    // There is one level.
    let third = write(world, &anna, "three").await;
    let refused = merge::merge(db, &agent, third, &texts(&[first])).await;
    assert_eq!(flaws(refused), at("others", Flaw::NotAChoice));
    let again = merge::merge(db, &agent, third, &texts(&[second])).await;
    assert_eq!(flaws(again), at("others", Flaw::NotAChoice));

    assert!(matches!(
        merge::part(db, &agent, first, third).await,
        Err(Error::NotFound)
    ));
    world.clock.set(start() + TimeDelta::days(13));
    merge::part(db, &agent, first, second).await.expect("parted");
    assert_eq!(said(&thread(world, &anna, second).await), ["two", "answer to two"]);
    let held = opened(world, &agent, second).await;
    assert_eq!(
        (held.status, held.waiting_since, held.closed_at),
        (Status::Waiting, None, None)
    );
    assert!(matches!(
        merge::part(db, &agent, first, second).await,
        Err(Error::NotFound)
    ));
    merge::merge(db, &agent, first, &texts(&[second, third]))
        .await
        .expect("merged");
    assert_eq!(
        opened(world, &agent, first).await.status,
        Status::Open,
        "the third waits"
    );
    world.clock.set(start() + TimeDelta::days(28));
    assert!(matches!(
        merge::part(db, &agent, first, second).await,
        Err(Error::Stale)
    ));
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action IN ('request.merge', 'request.part')"
        ),
        4
    );
});

crm::both_engines!(what_parts_again_leaves_nothing_to_do_behind, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let (answered, closed) = (write(world, &anna, "one").await, write(world, &anna, "two").await);
    answer(world, &agent, answered, "so it is").await;
    later(world, 1);
    store::close(db, &anna, closed).await.expect("closed");
    let waits = later(world, 1);
    let waiting = write(world, &anna, "three").await;
    for kept in [answered, closed] {
        let before = opened(world, &agent, kept).await;
        later(world, 1);
        merge::merge(db, &agent, kept, &texts(&[waiting]))
            .await
            .expect("merged");
        let held = opened(world, &agent, kept).await;
        assert_eq!((held.status, held.waiting_since), (Status::Open, Some(waits)));
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(
            Listener::request(&mut conn, &agent, waiting)
                .await
                .expect("it is there"),
            Listener::request(&mut conn, &agent, kept).await.expect("it is there"),
            "who has either open is told of what comes"
        );
        drop(conn);
        later(world, 1);
        merge::part(db, &agent, kept, waiting).await.expect("parted");
        let after = opened(world, &agent, kept).await;
        assert_eq!(
            (after.status, after.waiting_since, after.closed_at),
            (before.status, before.waiting_since, before.closed_at)
        );
        let reopened = "SELECT COUNT(*) FROM requests WHERE reopened_at IS NOT NULL";
        assert_eq!(one!(world, i64, reopened), 0, "nobody opened it again");
        let came = opened(world, &agent, waiting).await;
        assert_eq!((came.status, came.waiting_since), (Status::New, Some(waits)));
    }
    // What was done in it meanwhile stays.
    later(world, 1);
    merge::merge(db, &agent, closed, &texts(&[waiting]))
        .await
        .expect("merged");
    store::answer(db, &anna, closed, "four", &[]).await.expect("said");
    answer(world, &agent, closed, "all answered").await;
    merge::part(db, &agent, closed, waiting).await.expect("parted");
    assert_eq!(opened(world, &agent, closed).await.status, Status::Waiting);
});

crm::both_engines!(a_message_onwards_begins_a_request_of_its_own, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let number = write(world, &anna, "about points").await;
    later(world, 1);
    answer(world, &agent, number, "they are there").await;
    let since = later(world, 1);
    store::answer(db, &anna, number, "and my card?", &[])
        .await
        .expect("said");
    later(world, 1);
    store::note(db, &agent, number, "another matter", &[])
        .await
        .expect("noted");
    let of = |thread: &StaffThread, body: &str| -> MessageId {
        let found = thread.messages.iter().find(|message| message.body == body);
        found.expect("said").id
    };
    let held = opened(world, &agent, number).await;
    for (body, why) in [
        ("about points", "something has to stay"),
        ("they are there", "not the customer's"),
        ("another matter", "a note"),
    ] {
        let refused = merge::split(db, &agent, number, of(&held, body)).await;
        assert!(matches!(refused, Err(Error::Stale)), "{why}");
    }
    let unknown = merge::split(db, &agent, number, MessageId::new()).await;
    assert!(matches!(unknown, Err(Error::NotFound)));

    let begun = merge::split(db, &agent, number, of(&held, "and my card?"))
        .await
        .expect("divided");
    let (old, new) = (thread(world, &anna, number).await, thread(world, &anna, begun).await);
    assert_eq!(
        (said(&old), old.parts.as_slice()),
        (vec!["about points", "they are there"], &[begun][..])
    );
    assert_eq!(
        (said(&new), new.parts.as_slice()),
        (vec!["and my card?"], &[number][..])
    );
    assert_eq!(old.status, Status::Waiting, "what is left of it was answered");
    let held = opened(world, &agent, begun).await;
    assert_eq!((held.status, held.waiting_since), (Status::Open, Some(since)));
    assert_eq!(held.messages.len(), 2, "the note went along");
    assert_eq!(held.messages[0].author, Author::Customer);
    let mut conn = db.read().await.expect("a connection");
    for (here, there) in [(&held, number), (&opened(world, &agent, number).await, begun)] {
        let links = link::of(&mut conn, &agent, here.id).await.expect("links");
        let links: Vec<_> = links.iter().map(|link| (link.kind, link.number)).collect();
        assert_eq!(links, [(Kind::Split, Some(there))], "both know of each other");
    }
});

crm::both_engines!(requests_are_linked_with_what_is_the_customers, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (customer(world, "Anna", "K").await, customer(world, "Boris", "K").await);
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let (number, other) = (write(world, &anna, "one").await, write(world, &boris, "two").await);
    let receipt = purchase(world, anna.id(), "sale", start(), 100).await;
    let his = purchase(world, boris.id(), "sale", start(), 100).await;
    let own = number.to_string();
    for (raw, flaw) in [
        ("", Flaw::Missing),
        ("x", Flaw::NotANumber),
        ("99", Flaw::NoSuchNumber),
        (own.as_str(), Flaw::NoSuchNumber),
    ] {
        let refused = link::with_request(db, &agent, number, Bond::Related, raw).await;
        assert_eq!(flaws(refused), at("number", flaw), "{raw}");
    }
    link::with_request(db, &agent, number, Bond::Duplicate, &format!("№ {other}"))
        .await
        .expect("linked");
    let again = link::with_request(db, &agent, other, Bond::Related, &number.to_string()).await;
    assert_eq!(flaws(again), at("number", Flaw::Taken), "they know of each other");
    // From both sides at once it is one link.
    let (third, fourth) = (write(world, &anna, "three").await, write(world, &boris, "four").await);
    let sides = [(third, fourth), (fourth, third)].map(|(from, to)| {
        let (db, agent) = (world.db.clone(), agent.clone());
        tokio::spawn(async move { link::with_request(&db, &agent, from, Bond::Related, &to.to_string()).await })
    });
    let mut linked = 0;
    for side in sides {
        linked += usize::from(side.await.expect("no panic").is_ok());
    }
    assert_eq!(linked, 1);

    let chosen = |about: &str, document: &str, line: &str| Chosen {
        about: about.into(),
        document: document.into(),
        line: line.into(),
    };
    let document = one!(world, String, "SELECT document FROM purchases WHERE id = $1", receipt);
    for (wrong, field, flaw) in [
        (chosen("", " ", ""), "about", Flaw::Missing),
        (chosen("x", "", ""), "about", Flaw::NotAChoice),
        (chosen(&his.to_string(), "", ""), "about", Flaw::NotAChoice),
        (chosen("", "nothing\0", ""), "document", Flaw::NoSuchNumber),
        (chosen("", &document, "9"), "line", Flaw::NoSuchNumber),
        (chosen("", &document, "x"), "line", Flaw::NotANumber),
    ] {
        let refused = link::with_purchase(db, &agent, number, &wrong).await;
        assert_eq!(flaws(refused), at(field, flaw), "{wrong:?}");
    }
    link::with_purchase(db, &agent, number, &chosen("", &document, ""))
        .await
        .expect("linked");
    let again = link::with_purchase(db, &agent, number, &chosen(&receipt.to_string(), "", "")).await;
    assert_eq!(flaws(again), at("about", Flaw::Taken));

    let held = opened(world, &agent, number).await;
    let links = link::of(&mut db.read().await.expect("a connection"), &agent, held.id)
        .await
        .expect("links");
    let shown: Vec<_> = links
        .iter()
        .map(|link| (link.kind, link.number, link.purchase))
        .collect();
    assert_eq!(
        shown,
        [
            (Kind::Duplicate, Some(other), None),
            (Kind::Receipt, None, Some(receipt))
        ]
    );
    let strange = write(world, &anna, "three").await;
    let refused = link::remove(db, &agent, strange, links[0].id).await;
    assert!(matches!(refused, Err(Error::NotFound)), "it is another one's");
    link::remove(db, &agent, other, links[0].id)
        .await
        .expect("from either side");
    let gone = link::remove(db, &agent, number, links[0].id).await;
    assert!(matches!(gone, Err(Error::NotFound)));
});

crm::both_engines!(a_note_tells_those_whom_it_names, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (agent, petrov) = (staff(world, "agent").await, staff(world, "petrov").await);
    role(world, "keeper", r#"["tills"]"#).await;
    let keeper = staff(world, "keeper").await;
    let keeper_id = keeper.id();
    sql!(world, "UPDATE staff SET role = 'keeper' WHERE id = $1", keeper_id);
    let gone = staff(world, "gone").await.id();
    sql!(
        world,
        "UPDATE staff SET disabled_at = $2 WHERE id = $1",
        gone,
        world.db.now()
    );
    let db = &world.db;
    let number = write(world, &anna, "hello").await;
    for name in ["nobody", "gone", "keeper"] {
        let refused = store::note(db, &agent, number, &format!("@petrov, @{name}"), &[]).await;
        assert_eq!(flaws(refused), at("text", Flaw::UnknownLogin { name: name.into() }));
    }
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM staff_notices"),
        0,
        "and nobody is told"
    );
    store::note(
        db,
        &agent,
        number,
        "@Petrov, look; @petrov, @agent, anna@example.com",
        &[],
    )
    .await
    .expect("noted");
    let inbox = async |by: &Staff| mention::inbox(db, by, None, 10).await.expect("an inbox");
    let told = inbox(&petrov).await;
    assert_eq!(told.len(), 1, "once");
    assert_eq!(
        (told[0].number, told[0].by_whom.as_deref(), told[0].read_at),
        (number, Some("agent"), None)
    );
    assert!(told[0].beginning.starts_with("@Petrov, look"), "{}", told[0].beginning);
    assert!(inbox(&agent).await.is_empty(), "whoever wrote it knows");
    let before = Some((told[0].at, told[0].id.0));
    assert!(
        mention::inbox(db, &petrov, before, 10)
            .await
            .expect("an inbox")
            .is_empty()
    );
    mention::mark_read(db, &agent, told[0].at).await.expect("read");
    assert!(inbox(&petrov).await[0].read_at.is_none(), "another's is another's");
    mention::mark_read(db, &petrov, told[0].at).await.expect("read");
    assert!(inbox(&petrov).await[0].read_at.is_some());
    let read = one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'inbox.read'");
    assert_eq!(read, 5, "each look is written down");
});

async fn drafted(world: &World, by: &Staff, number: i64) -> Option<String> {
    let held = opened(world, by, number).await;
    let mut conn = world.db.read().await.expect("a connection");
    draft::of(&mut conn, by, held.id, Draft::Answer).await.expect("read")
}

crm::both_engines!(a_draft_is_its_writers_and_gone_once_it_is_sent, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (agent, petrov) = (staff(world, "agent").await, staff(world, "petrov").await);
    let db = &world.db;
    let number = write(world, &anna, "hello").await;
    let before = opened(world, &agent, number).await;
    for text in ["Dear", "Dear Anna"] {
        draft::keep(db, &agent, number, Draft::Answer, text)
            .await
            .expect("kept");
    }
    draft::keep(db, &agent, number, Draft::Note, "hm").await.expect("kept");
    let too_long = draft::keep(db, &agent, number, Draft::Answer, &"я".repeat(4001)).await;
    assert_eq!(flaws(too_long), at("text", Flaw::TooLong { max: 4000 }));
    assert_eq!(drafted(world, &agent, number).await.as_deref(), Some("Dear Anna"));
    assert_eq!(drafted(world, &petrov, number).await, None, "nobody else's");
    let after = opened(world, &agent, number).await;
    assert_eq!(
        (after.updated_at, after.messages.len()),
        (before.updated_at, 1),
        "nothing was said"
    );
    draft::keep(db, &petrov, number, Draft::Answer, "Hello")
        .await
        .expect("kept");
    answer(world, &agent, number, "Dear Anna, yes").await;
    assert_eq!(drafted(world, &agent, number).await, None);
    assert_eq!(drafted(world, &petrov, number).await.as_deref(), Some("Hello"));
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM request_drafts WHERE kind = 'note'"),
        1
    );
    store::note(db, &agent, number, "hm!", &[]).await.expect("noted");
    draft::keep(db, &petrov, number, Draft::Answer, " \n")
        .await
        .expect("cleared");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM request_drafts"), 0);
    draft::keep(db, &agent, number, Draft::Answer, "old")
        .await
        .expect("kept");
    world.clock.set(start() + TimeDelta::days(31));
    draft::sweep(db, &crate::common::people::SYSTEM).await.expect("swept");
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM request_drafts"),
        0,
        "nobody came back"
    );
});

/// The number of the request, among other things.
const HELLO: &str = "{{customer.name}}, No. {{request.number}}: {{points.balance}} / {{card.last4}} — {{agent.name}}";

fn prepared(key: &str) -> NewMacro {
    NewMacro {
        key: key.into(),
        name: format!("Name of {key}"),
        answer_ru: "Здравствуйте".into(),
        answer_en: HELLO.into(),
        ..NewMacro::default()
    }
}

fn show(_: Lang, points: i64) -> String {
    format!("{points} hundredths")
}

async fn run(world: &World, by: &Staff, number: i64, id: MacroId) -> bool {
    let seen = opened(world, by, number).await.updated_at;
    macros::run(&world.db, by, number, id, seen, show).await.expect("done")
}

/// May write what is everybody's.
async fn share(world: &World, id: StaffId) {
    role(world, "chief", r#"["requests", "macros"]"#).await;
    sql!(world, "UPDATE staff SET role = 'chief' WHERE id = $1", id);
}

crm::both_engines!(a_macro_does_all_that_it_says_at_once, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let agent = staff(world, "agent").await;
    let db = &world.db;
    let number = write(world, &anna, "hello").await;

    // Into the field, below what is there; nothing is said yet.
    let id = macros::create(db, &agent, &prepared("hello")).await.expect("written");
    draft::keep(db, &agent, number, Draft::Answer, "Dear")
        .await
        .expect("kept");
    assert!(!run(world, &agent, number, id).await);
    let expected = format!("Dear\n\nAnna, No. {number}: 0 hundredths /  — agent");
    assert_eq!(drafted(world, &agent, number).await, Some(expected));
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.messages.len(), held.assignee),
        (Status::New, 1, None)
    );

    // Sent, and closed, and handed back.
    let sends = NewMacro {
        sends: "yes".into(),
        status: "closed".into(),
        assign: "nobody".into(),
        answer_en: String::new(),
        ..prepared("bye")
    };
    let sends = macros::create(db, &agent, &sends).await.expect("written");
    let stale = held.updated_at - TimeDelta::microseconds(1);
    let late = macros::run(db, &agent, number, sends, stale, show).await;
    assert!(matches!(late, Err(Error::Stale)), "somebody was quicker");
    assert!(run(world, &agent, number, sends).await);
    let held = opened(world, &agent, number).await;
    assert_eq!((held.status, held.assignee), (Status::Closed, None));
    assert_eq!(held.messages[1].body, "Здравствуйте", "there is no English one");
    assert_eq!(said(&thread(world, &anna, number).await), ["hello", "Здравствуйте"]);
    assert!(
        drafted(world, &agent, number).await.is_some(),
        "what is being written is kept"
    );

    // Where one part cannot be done, none is.
    let long = NewMacro {
        assign: "me".into(),
        answer_en: "x".repeat(3000),
        ..prepared("long")
    };
    let long = macros::create(db, &agent, &long).await.expect("written");
    draft::keep(db, &agent, number, Draft::Answer, &"y".repeat(2000))
        .await
        .expect("kept");
    let seen = held.updated_at;
    let refused = macros::run(db, &agent, number, long, seen, show).await;
    assert_eq!(flaws(refused), at("text", Flaw::TooLong { max: 4000 }));
    let after = opened(world, &agent, number).await;
    assert_eq!((after.assignee, after.updated_at), (None, seen));
});

crm::both_engines!(a_macro_sorts_a_request_in_the_same_stroke, async |world| {
    let card = topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    role(world, "lead", r#"["requests", "desk"]"#).await;
    let (lead, agent) = (lead(world).await, staff(world, "agent").await);
    let db = &world.db;
    // Whoever has a request closes it here, and nobody else.
    let id = queues::create(db, &lead, "billing", &text("billing"))
        .await
        .expect("a queue");
    let (was, is) = ((None, Priority::Normal), (Some(id), Priority::Normal));
    queues::set_beginnings(db, &lead, &[(card, was, is)])
        .await
        .expect("set");
    sql!(world, "UPDATE queues SET close_by = 'assignee'");
    let number = write(world, &anna, "hello").await;
    let wrong = NewMacro {
        priority: "asap".into(),
        tags: "x".repeat(41),
        untags: "\u{7}".into(),
        ..prepared("wrong")
    };
    let fields: Vec<_> = flaws(macros::create(db, &agent, &wrong).await)
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(fields, ["priority", "tags", "untags"]);
    let tags_of = |tags: &[&str]| tags.iter().map(|tag| Act::Tag((*tag).to_owned())).collect::<Vec<_>>();
    let seen = opened(world, &agent, number).await.updated_at;
    bulk::sort(db, &agent, number, &tags_of(&["old", "stays"]), seen)
        .await
        .expect("sorted");
    let sorting = NewMacro {
        priority: "high".into(),
        tags: "Wave, stays".into(),
        untags: "old, never".into(),
        assign: "me".into(),
        status: "closed".into(),
        answer_ru: String::new(),
        answer_en: String::new(),
        ..prepared("sort")
    };
    let sorting = macros::create(db, &agent, &sorting).await.expect("written");
    assert!(!run(world, &agent, number, sorting).await, "nothing is said");
    let sorted = async || {
        let mut conn = db.read().await.expect("a connection");
        let sorted = bulk::sorted(&mut conn, &agent, number).await.expect("read");
        (sorted.priority, sorted.tags)
    };
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<String>>();
    assert_eq!(sorted().await, (Priority::High, tags(&["stays", "wave"])));
    let held = opened(world, &agent, number).await;
    assert_eq!(
        (held.status, held.assignee),
        (Status::Closed, Some(agent.id())),
        "it is theirs by then"
    );
    // A tag that is called otherwise is so in macros, too.
    tags::rename(db, &lead, "wave", "flood").await.expect("renamed");
    let one = macros::look_at(db, &agent, sorting).await.expect("a macro");
    assert_eq!(
        (one.tags, one.untags),
        (tags(&["flood", "stays"]), tags(&["never", "old"]))
    );
});

crm::both_engines!(a_macro_gives_a_request_away_and_says_what_it_is_about, async |world| {
    let (card, pay) = (topic(world, "card", 1).await, topic(world, "pay", 2).await);
    let anna = customer(world, "Anna", "K").await;
    role(world, "lead", r#"["requests", "desk"]"#).await;
    let lead = lead(world).await;
    let (agent, petrov) = (staff(world, "agent").await, staff(world, "petrov").await);
    let gone = staff(world, "gone").await.id();
    let db = &world.db;
    sql!(
        world,
        "UPDATE staff SET disabled_at = $2 WHERE id = $1",
        gone,
        world.db.now()
    );
    // In this queue petrov works alone, and leads close.
    let billing = queues::create(db, &lead, "billing", &text("billing"))
        .await
        .expect("a queue");
    queues::set_agent(db, &lead, billing, petrov.id(), None, Some(9))
        .await
        .expect("of it");
    let (was, is) = ((None, Priority::Normal), (Some(billing), Priority::Normal));
    queues::set_beginnings(db, &lead, &[(pay, was, is)]).await.expect("set");
    sql!(world, "UPDATE queues SET close_by = 'lead'");
    let giving = |key: &str, assign: &str, topic: &str, status: &str| NewMacro {
        assign: assign.into(),
        topic: topic.into(),
        status: status.into(),
        answer_ru: String::new(),
        answer_en: String::new(),
        ..prepared(key)
    };
    for (assign, topic, field) in [
        ("agent:x", String::new(), "assign"),
        ("team:7", String::new(), "assign"),
        (NewMacro::to_agent(StaffId::new()).as_str(), String::new(), "assign"),
        (NewMacro::to_agent(gone).as_str(), String::new(), "assign"),
        (NewMacro::to_queue(QueueId::new()).as_str(), String::new(), "assign"),
        ("", TopicId::new().to_string(), "topic"),
        ("", "pay".into(), "topic"),
    ] {
        let refused = macros::create(db, &agent, &giving("wrong", assign, &topic, "")).await;
        assert_eq!(flaws(refused), at(field, Flaw::NotAChoice), "{assign} {topic}");
    }
    let create = async |new: &NewMacro| macros::create(db, &agent, new).await.expect("written");
    let to_petrov = create(&giving("give", &NewMacro::to_agent(petrov.id()), "", "")).await;
    let to_billing = create(&giving("queue", &NewMacro::to_queue(billing), "", "")).await;
    let about_pay = create(&giving("pay", "me", &pay.to_string(), "")).await;
    let closes = create(&giving("close", &NewMacro::to_queue(billing), "", "closed")).await;
    let about_card = create(&giving("card", "", &card.to_string(), "")).await;
    let one = macros::look_at(db, &agent, to_petrov).await.expect("a macro");
    assert_eq!((one.assign, one.assignee_name.as_deref()), (None, Some("petrov")));
    let one = macros::look_at(db, &agent, to_billing).await.expect("a macro");
    assert_eq!((one.queue, one.queue_name), (Some(billing), Some(text("billing"))));
    let one = macros::look_at(db, &agent, about_pay).await.expect("a macro");
    assert_eq!((one.topic, one.topic_name), (Some(pay), Some(text("pay"))));

    let number = write(world, &anna, "hello").await;
    let refused = async |id: MacroId| {
        let seen = opened(world, &agent, number).await.updated_at;
        let refused = macros::run(db, &agent, number, id, seen, show).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        assert_eq!(
            opened(world, &agent, number).await.updated_at,
            seen,
            "nothing of it is done"
        );
    };
    let sorted = async || {
        let mut conn = db.read().await.expect("a connection");
        let sorted = bulk::sorted(&mut conn, &agent, number).await.expect("read");
        (sorted.topic, sorted.queue)
    };
    run(world, &agent, number, to_petrov).await;
    assert_eq!(opened(world, &agent, number).await.assignee, Some(petrov.id()));
    let inbox = mention::inbox(db, &petrov, None, 10).await.expect("an inbox");
    assert_eq!(
        inbox.iter().map(|one| one.level).collect::<Vec<_>>(),
        [Some(Told::Given)]
    );
    // As by hand: whoever does not work in the queue of the topic is given nothing of it.
    refused(about_pay).await;
    // A queue takes it off whoever has it, and allows there what it allows.
    refused(closes).await;
    run(world, &agent, number, to_billing).await;
    assert_eq!(sorted().await, (card, Some(billing)));
    assert_eq!(
        opened(world, &agent, number).await.assignee,
        None,
        "whoever works there takes it"
    );
    sql!(world, "UPDATE topics SET queue_id = NULL");
    run(world, &agent, number, about_pay).await;
    assert_eq!(sorted().await, (pay, None));
    // A topic that is closed by now is no choice any more.
    sql!(
        world,
        "UPDATE topics SET closed_at = $2 WHERE id = $1",
        card,
        world.db.now()
    );
    refused(about_card).await;
});

crm::both_engines!(a_digit_is_of_one_macro, async |world| {
    let (agent, petrov) = (staff(world, "agent").await, staff(world, "petrov").await);
    let db = &world.db;
    let with_digit = |key: &str, digit: &str| NewMacro {
        digit: digit.into(),
        ..prepared(key)
    };
    for wrong in ["0", "10", "x", "-1"] {
        let refused = flaws(macros::create(db, &agent, &with_digit("wrong", wrong)).await);
        assert_eq!(refused, at("digit", Flaw::NotAChoice), "{wrong}");
    }
    let taken = |name: &str| at("digit", Flaw::TakenBy { name: name.into() });
    let change = async |by: &Staff, id: MacroId, new: &NewMacro| {
        let seen = macros::look_at(db, by, id).await.expect("a macro").changed_at;
        macros::change(db, by, id, seen, new).await
    };
    let one = macros::create(db, &agent, &with_digit("one", "1"))
        .await
        .expect("written");
    let two = macros::create(db, &agent, &with_digit("two", "2"))
        .await
        .expect("written");
    assert_eq!(macros::look_at(db, &agent, two).await.expect("a macro").digit, Some(2));
    // The name of the one that has it, when it is written and when it is changed; its own stays its own.
    let again = macros::create(db, &agent, &with_digit("three", "1")).await;
    assert_eq!(flaws(again), taken("Name of one"));
    let again = change(&agent, one, &with_digit("one", "2")).await;
    assert_eq!(flaws(again), taken("Name of two"));
    change(&agent, one, &with_digit("first", "1")).await.expect("changed");
    // Whichever way it is written, there are no two.
    let twice = db
        .write(|tx| {
            crm::db::scoped(async move {
                let set = "UPDATE macros SET digit = 1 WHERE id = $1";
                crm::on!(tx, |c| sqlx::query(set).bind(two).execute(c).await.map(drop))?;
                Ok::<_, Error>(())
            })
        })
        .await;
    assert!(twice.is_err(), "the database keeps it");
    // It is free again where it is given up, or where the macro is gone.
    change(&agent, one, &with_digit("first", "")).await.expect("changed");
    let free = macros::create(db, &agent, &with_digit("three", "1"))
        .await
        .expect("written");
    macros::remove(db, &agent, free).await.expect("removed");
    macros::create(db, &agent, &with_digit("four", "1"))
        .await
        .expect("written");

    // Of those of everybody, too; one's own go before them.
    share(world, petrov.id()).await;
    let chief = crate::common::people::again(world, petrov.id()).await;
    let shared = |key: &str, digit: &str| NewMacro {
        shared: "yes".into(),
        ..with_digit(key, digit)
    };
    macros::create(db, &chief, &shared("all", "1")).await.expect("written");
    let more = macros::create(db, &chief, &shared("more", "1")).await;
    assert_eq!(flaws(more), taken("Name of all"));
    macros::create(db, &chief, &shared("all2", "3")).await.expect("written");
    let keys = async |by: &Staff| {
        let mut conn = db.read().await.expect("a connection");
        let all = macros::list(&mut conn, by).await.expect("a list");
        let mut keys: Vec<_> = all
            .iter()
            .filter_map(|one| Some((macros::digit(&all, one)?, one.code.clone())))
            .collect();
        keys.sort();
        keys
    };
    let named = |keys: &[(i64, &str)]| {
        keys.iter()
            .map(|(digit, code)| (*digit, (*code).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&agent).await, named(&[(1, "four"), (2, "two"), (3, "all2")]));
    assert_eq!(keys(&chief).await, named(&[(1, "all"), (3, "all2")]));
});

crm::both_engines!(macros_are_everybodys_or_ones_own, async |world| {
    let (agent, petrov) = (staff(world, "agent").await, staff(world, "petrov").await);
    let db = &world.db;
    let wrong = NewMacro {
        key: "Ключ".into(),
        name: " ".into(),
        answer_ru: "{{customer.phone}}".into(),
        answer_en: "{{card.last4".into(),
        status: "new".into(),
        assign: "you".into(),
        ..NewMacro::default()
    };
    let found = flaws(macros::create(db, &agent, &wrong).await);
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["key", "name", "answer_ru", "status", "assign"], "{found:?}");
    let nothing = NewMacro {
        sends: "yes".into(),
        answer_ru: String::new(),
        answer_en: String::new(),
        ..prepared("nothing")
    };
    assert_eq!(
        flaws(macros::create(db, &agent, &nothing).await),
        at("answer_ru", Flaw::Missing)
    );

    let own = macros::create(db, &agent, &prepared("hello")).await.expect("written");
    let again = macros::create(db, &agent, &prepared("hello")).await;
    assert_eq!(flaws(again), at("key", Flaw::Taken));
    macros::create(db, &petrov, &prepared("hello"))
        .await
        .expect("another's");
    let all = async |by: &Staff| {
        let mut conn = db.read().await.expect("a connection");
        let all = macros::list(&mut conn, by).await.expect("a list");
        all.into_iter().map(|one| (one.code, one.is_shared)).collect::<Vec<_>>()
    };
    assert_eq!(all(&agent).await, [("hello".to_owned(), false)]);
    for refused in [
        macros::change(db, &petrov, own, db.now(), &prepared("mine")).await,
        macros::remove(db, &petrov, own).await,
    ] {
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    let shared = NewMacro {
        shared: "yes".into(),
        ..prepared("all")
    };
    assert!(matches!(
        macros::create(db, &agent, &shared).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(
        macros::change(db, &agent, own, db.now(), &shared).await,
        Err(Error::Forbidden)
    ));

    share(world, agent.id()).await;
    let chief = crate::common::people::again(world, agent.id()).await;
    let id = macros::create(db, &chief, &shared).await.expect("written");
    assert_eq!(
        all(&petrov).await,
        [("all".to_owned(), true), ("hello".to_owned(), false)]
    );
    for refused in [
        macros::change(db, &petrov, id, db.now(), &prepared("mine")).await,
        macros::remove(db, &petrov, id).await,
    ] {
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    let seen = macros::look_at(db, &chief, id).await.expect("a macro").changed_at;
    macros::change(db, &chief, id, seen, &prepared("hers"))
        .await
        .expect("changed");
    let late = macros::change(db, &chief, id, seen, &prepared("late")).await;
    assert!(matches!(late, Err(Error::Stale)), "it is another one by now");
    assert_eq!(
        all(&petrov).await,
        [("hello".to_owned(), false)],
        "it is hers alone now"
    );
    macros::remove(db, &chief, own).await.expect("removed");
    assert_eq!(all(&chief).await, [("hers".to_owned(), false)]);
    for n in 1..macros::MOST {
        let more = prepared(&format!("m{n}"));
        macros::create(db, &chief, &more).await.expect("written");
    }
    let more = macros::create(db, &chief, &prepared("more")).await;
    assert!(matches!(more, Err(Error::TooMany { .. })), "{more:?}");
});
