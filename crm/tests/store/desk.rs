//! The desk: queues, priorities, tags, kept filters, changes of many requests at once, and how requests are found.

use crate::common::people::{SYSTEM, again, customer, lead, one, purchase, role, sql, staff, text, topic};
use crate::common::requests::{answer, change, opened, queue, write, write_about};
use chrono::TimeDelta;
use crm::Error;
use crm::flaw::Flaw;
use crm::id::{ArticleId, BulkId, LineId, QueueId, StaffId, TopicId};
use crm::request::desk::{Mode, Priority, Rules, Who};
use crm::request::level::Told;
use crm::request::link::{self, Chosen};
use crm::request::live;
use crm::request::mention;
use crm::request::store::bulk::{self, Act, Refused, Undone};
use crm::request::store::{self, index, queues, saved, tags};
use crm::request::{Assignee, Cursor, Filter, NewRating, NewRequest, Row, Sort, Status, TakenDown, Upload};
use crm::staff::managing;
use crm::testing::World;
use crm::who::{STAFF_IDLE, Staff};

async fn some_lead(world: &World) -> Staff {
    role(world, "lead", r#"["requests", "customers", "desk"]"#).await;
    lead(world).await
}

fn later(world: &World, seconds: i64) {
    world.clock.set(world.db.now() + TimeDelta::seconds(seconds));
}

async fn list(world: &World, by: &Staff, filter: &Filter) -> Vec<i64> {
    let rows = store::queue(&world.db, by, filter, Sort::Newest, None, 100).await;
    let mut numbers: Vec<i64> = rows.expect("a list").iter().map(|row| row.number).collect();
    numbers.sort_unstable();
    numbers
}

async fn found(world: &World, by: &Staff, words: &str) -> Vec<i64> {
    let filter = Filter {
        text: words.into(),
        ..Filter::default()
    };
    list(world, by, &filter).await
}

async fn row(world: &World, by: &Staff, number: i64) -> Row {
    let rows = store::queue(&world.db, by, &Filter::default(), Sort::Newest, None, 1000).await;
    let row = rows.expect("a list").into_iter().find(|row| row.number == number);
    row.expect("it is there")
}

async fn assignee(world: &World, number: i64) -> Option<StaffId> {
    one!(
        world,
        Option<StaffId>,
        "SELECT assignee_id FROM requests WHERE number = $1",
        number
    )
}

crm::both_engines!(a_request_is_found_by_all_that_is_known_of_it, async |world| {
    topic(world, "card", 1).await;
    let (anna, boris) = (
        customer(world, "Анна", "Ёлкина").await,
        customer(world, "Boris", "O'Neill").await,
    );
    let agent = staff(world, "agent").await;
    let first = write(world, &anna, "Карта не читается, чек № 000123").await;
    let second = write(world, &boris, "Naïve question: ÅNGSTRÖM, 東京, e-mail").await;
    assert_eq!(found(world, &agent, "карт").await, [first]);
    assert_eq!(
        found(world, &agent, "ЧИТАЕТСЯ карта елкина").await,
        [first],
        "in any order"
    );
    assert_eq!(
        found(world, &agent, "карта boris").await,
        [0_i64; 0],
        "all of it in one"
    );
    assert_eq!(found(world, &agent, "000123").await, [first]);
    assert_eq!(
        found(world, &agent, "0001").await,
        [0_i64; 0],
        "a number is no beginning"
    );
    assert_eq!(found(world, &agent, "ångs").await, [second]);
    assert_eq!(
        found(world, &agent, "angs").await,
        [0_i64; 0],
        "a letter is that letter"
    );
    assert_eq!(found(world, &agent, "東京").await, [second]);
    assert_eq!(found(world, &agent, "e-mail").await, [second]);
    assert_eq!(found(world, &agent, "\"' & | ! :* AND NOT (").await, [0_i64; 0]);

    // What is written later, notes and tags too.
    store::note(&world.db, &agent, first, "звонил, обещал перевыпуск", &[])
        .await
        .expect("noted");
    assert_eq!(found(world, &agent, "перевып").await, [first]);
    store::answer(&world.db, &boris, second, "Und überhaupt", &[])
        .await
        .expect("said");
    assert_eq!(found(world, &agent, "übe").await, [second]);
    let acts = [Act::Tag("доставка завтра".into())];
    change(&world.db, &agent, &[first, second], &acts).await.expect("done");
    assert_eq!(found(world, &agent, "завтра").await, [first, second]);
    change(&world.db, &agent, &[second], &[Act::Untag("доставка завтра".into())])
        .await
        .expect("done");
    assert_eq!(found(world, &agent, "завтра").await, [first]);

    // Another name, and another customer.
    let (anna_id, boris_id) = (anna.id(), boris.id());
    sql!(
        world,
        "UPDATE customers SET search = 'снегирева анна' WHERE id = $1",
        anna_id
    );
    assert_eq!(found(world, &agent, "снегир").await, [first]);
    assert_eq!(found(world, &agent, "елкина").await, [0_i64; 0]);
    sql!(
        world,
        "UPDATE requests SET customer_id = $1 WHERE number = $2",
        boris_id,
        first
    );
    assert_eq!(found(world, &agent, "neill").await, [first, second]);

    // Texts that are taken away are found no more.
    sql!(world, "UPDATE messages SET body = '', search = ''");
    assert_eq!(found(world, &agent, "карта").await, [0_i64; 0]);
    index::run_due(&world.db, &SYSTEM).await.expect("nothing to do");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM unindexed_requests"), 0);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM request_words"), 2);
});

crm::both_engines!(a_request_is_found_by_its_files_ratings_and_receipts, async |world| {
    topic(world, "card", 1).await;
    let db = &world.db;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let chosen = purchase(world, anna.id(), "sale", db.now(), 100).await;
    let linked = purchase(world, anna.id(), "sale", db.now(), 100).await;
    sql!(world, "UPDATE purchases SET document = 'КА-7001' WHERE id = $1", chosen);
    sql!(world, "UPDATE purchases SET document = 'КБ-7002' WHERE id = $1", linked);
    let new = NewRequest {
        topic: "card".into(),
        text: "смотрите".into(),
        purchase: chosen.to_string(),
    };
    let file = Upload {
        name: "Гарантия_чайник.PDF".into(),
        bytes: b"%PDF-1.7".to_vec(),
    };
    let number = store::create(db, &anna, &new, &[file]).await.expect("a request");
    write(world, &anna, "другое").await;
    for words in ["чайник", "гарант", "ка-7001", "смотр ЧАЙНИК 7001"] {
        assert_eq!(found(world, &agent, words).await, [number], "{words}");
    }
    assert_eq!(found(world, &agent, "7002").await, [0_i64; 0]);

    // What staff find out, for as long as it stands.
    let about = Chosen {
        about: linked.to_string(),
        ..Chosen::default()
    };
    link::with_purchase(db, &agent, number, &about).await.expect("linked");
    assert_eq!(found(world, &agent, "7002").await, [number]);
    let held = opened(world, &agent, number).await;
    let links = link::of(&mut db.read().await.expect("a connection"), &agent, held.id).await;
    let links = links.expect("links");
    link::remove(db, &agent, number, links[0].id).await.expect("removed");
    assert_eq!(found(world, &agent, "7002").await, [0_i64; 0]);

    // What the customer thinks of it, and otherwise than before.
    later(world, 5);
    answer(world, &agent, number, "посмотрели").await;
    let stars = |comment: &str| NewRating {
        score: "2".into(),
        comment: comment.into(),
    };
    store::rate(db, &anna, number, &stars("Ждала неделю"))
        .await
        .expect("rated");
    assert_eq!(found(world, &agent, "неделю").await, [number]);
    store::rate(db, &anna, number, &stars("Ждала сутки"))
        .await
        .expect("rated");
    assert_eq!(found(world, &agent, "неделю").await, [0_i64; 0]);
    assert_eq!(found(world, &agent, "сутки").await, [number]);

    // Where a file is gone, so is its name.
    sql!(world, "DELETE FROM attachment_parts");
    sql!(world, "DELETE FROM attachments");
    assert_eq!(found(world, &agent, "чайник").await, [0_i64; 0]);
});

crm::both_engines!(a_request_is_found_by_what_was_bought, async |world| {
    topic(world, "card", 1).await;
    let db = &world.db;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let chosen = purchase(world, anna.id(), "sale", db.now(), 100).await;
    let linked = purchase(world, anna.id(), "sale", db.now(), 100).await;
    let mut lines = Vec::new();
    for (receipt, ordinal, name) in [
        (chosen, 1_i64, "Самовар «Тула»"),
        (linked, 1, "Варенье вишнёвое"),
        (linked, 2, "Пряник печатный"),
    ] {
        let (article, line) = (ArticleId::new(), LineId::new());
        sql!(
            world,
            "INSERT INTO articles (id, code, name, search) VALUES ($1, $2, $3, $4)",
            article,
            article.to_string(),
            name,
            crm::lang::fold(name),
        );
        sql!(
            world,
            "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, amount) \
             VALUES ($1, $2, $3, $4, 1, 100, 100)",
            line,
            receipt,
            ordinal,
            article,
        );
        lines.push(line);
    }
    let new = NewRequest {
        topic: "card".into(),
        text: "смотрите".into(),
        purchase: chosen.to_string(),
    };
    let number = store::create(db, &anna, &new, &[]).await.expect("a request");
    write(world, &anna, "другое").await;
    assert_eq!(found(world, &agent, "самовар тула").await, [number]);
    assert_eq!(found(world, &agent, "варенье").await, [0_i64; 0], "not of this receipt");

    // Of a line that line alone, of a receipt all of it; for as long as it is linked.
    let link_to = async |id: String| {
        let about = Chosen {
            about: id,
            ..Chosen::default()
        };
        link::with_purchase(db, &agent, number, &about).await.expect("linked");
    };
    link_to(lines[1].to_string()).await;
    assert_eq!(found(world, &agent, "вишневое").await, [number]);
    assert_eq!(found(world, &agent, "пряник").await, [0_i64; 0], "another line");
    link_to(linked.to_string()).await;
    assert_eq!(found(world, &agent, "пряник").await, [number]);
    let held = opened(world, &agent, number).await;
    let links = link::of(&mut db.read().await.expect("a connection"), &agent, held.id).await;
    for one in links.expect("links") {
        link::remove(db, &agent, number, one.id).await.expect("removed");
    }
    assert_eq!(found(world, &agent, "пряник").await, [0_i64; 0]);
    assert_eq!(found(world, &agent, "самовар").await, [number]);
});

crm::both_engines!(the_most_urgent_come_first_page_by_page, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let mut numbers = Vec::new();
    for priority in ["low", "urgent", "normal", "high", "urgent", "normal", "high"] {
        later(world, 1);
        let number = write(world, &anna, "x").await;
        sql!(
            world,
            "UPDATE requests SET priority = $1 WHERE number = $2",
            priority,
            number
        );
        numbers.push(number);
    }
    // Nobody waits for it any more: behind the others that are as urgent.
    answer(world, &agent, numbers[1], "готово").await;
    let expected = [4, 1, 3, 6, 2, 5, 0].map(|i: usize| numbers[i]);
    for size in [1, 2, 3, 6, 7, 8] {
        for unclosed in [false, true] {
            let filter = Filter {
                unclosed,
                ..Filter::default()
            };
            let (mut seen, mut after) = (Vec::new(), None::<Cursor>);
            loop {
                let page = store::queue(&world.db, &agent, &filter, Sort::Priority, after, size).await;
                let page = page.expect("a page");
                let Some(last) = page.last() else { break };
                after = Some(last.cursor().to_string().parse().expect("a cursor"));
                seen.extend(page.iter().map(|row| row.number));
            }
            assert_eq!(seen, expected, "{size} {unclosed}");
        }
    }
});

crm::both_engines!(
    what_was_there_before_is_put_together_by_the_minutely_work,
    async |world| {
        topic(world, "card", 1).await;
        let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
        for i in 0..250 {
            if i % 20 == 0 {
                later(world, 3601);
            }
            write(world, &anna, "теремок").await;
        }
        // More than a search takes upon itself: as after an import.
        assert_eq!(found(world, &agent, "теремок").await.len(), 100);
        index::run_due(&world.db, &SYSTEM).await.expect("put together");
        let filter = Filter {
            text: "теремок".into(),
            ..Filter::default()
        };
        assert_eq!(
            bulk::numbers(&world.db, &agent, &filter).await.expect("numbers").len(),
            250
        );
    }
);

crm::both_engines!(what_a_caller_says_is_given_to_whoever_is_there, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    let id = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    queues::set_agent(&world.db, &lead, id, igor.id(), None, Some(3))
        .await
        .expect("of the queue");
    queues::set_presence(&world.db, &igor, true).await.expect("there");
    let said = TakenDown {
        request: NewRequest {
            topic: "card".into(),
            text: "x".into(),
            purchase: String::new(),
        },
        channel: "call_in".into(),
        talk: None,
    };
    let number = store::take_down(&world.db, &vera, anna.id(), &said)
        .await
        .expect("written down");
    let of = Filter {
        queue: Some(id),
        ..Filter::default()
    };
    assert_eq!(list(world, &lead, &of).await, [number]);
    assert_eq!(
        assignee(world, number).await,
        Some(igor.id()),
        "who wrote it down need not answer it"
    );
});

crm::both_engines!(a_request_begins_as_its_topic_says, async |world| {
    let (card, below) = (topic(world, "card", 1).await, topic(world, "lost", 2).await);
    let other = topic(world, "other", 3).await;
    sql!(world, "UPDATE topics SET parent_id = $1 WHERE id = $2", card, below);
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let id = queue(world, &lead, card, Mode::ByHand, &Rules::default()).await;
    let urgent = [(below, (None, Priority::Normal), (None, Priority::Urgent))];
    queues::set_beginnings(&world.db, &lead, &urgent).await.expect("set");
    // Whoever still sees it as it was overwrites nothing.
    let late = queues::set_beginnings(&world.db, &lead, &urgent).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let mut numbers = Vec::new();
    for topic in ["card", "lost", "other"] {
        numbers.push(write_about(world, &anna, topic, "x").await);
    }
    let [first, second, third] = numbers[..] else {
        panic!("three of them")
    };
    let of = |queue, priority| Filter {
        queue,
        priority,
        ..Filter::default()
    };
    assert_eq!(
        list(world, &lead, &of(Some(id), None)).await,
        [first, second],
        "of the topic above too"
    );
    assert_eq!(list(world, &lead, &of(None, Some(Priority::Urgent))).await, [second]);
    assert_eq!(list(world, &lead, &of(Some(id), Some(Priority::Low))).await, [0_i64; 0]);
    let about = |topic| Filter {
        topic: Some(topic),
        ..Filter::default()
    };
    assert_eq!(
        list(world, &lead, &about(card)).await,
        [first, second],
        "and those below"
    );
    assert_eq!(list(world, &lead, &about(below)).await, [second]);
    assert_eq!(list(world, &lead, &about(other)).await, [third]);

    // About something else it comes into another queue.
    let seen = store::open(&world.db, &lead, third).await.expect("opened").1.updated_at;
    bulk::sort(&world.db, &lead, third, &[Act::Topic(below)], seen)
        .await
        .expect("sorted");
    assert_eq!(list(world, &lead, &of(Some(id), None)).await, [first, second, third]);
    assert_eq!(
        row(world, &lead, third).await.priority,
        Priority::Normal,
        "and stays as urgent"
    );

    // Of several topics all are set, or none.
    let nowhere = [
        (other, (None, Priority::Normal), (Some(id), Priority::Low)),
        (
            card,
            (Some(id), Priority::Normal),
            (Some(QueueId::new()), Priority::Low),
        ),
    ];
    let refused = queues::set_beginnings(&world.db, &lead, &nowhere).await;
    let flaw = (card.to_string(), Flaw::NotAChoice);
    assert!(matches!(refused, Err(Error::Invalid(flaws)) if flaws == [flaw.clone()]));
    let mut conn = world.db.read().await.expect("a connection");
    let kept = queues::beginnings(&mut conn, &lead).await.expect("read");
    drop(conn);
    assert!(kept.iter().all(|topic| topic.priority != Priority::Low), "{kept:?}");

    // Who leads nothing sets nothing up.
    let agent = staff(world, "agent").await;
    let low = (None, Priority::Low);
    let refused = queues::set_beginnings(&world.db, &agent, &[(card, low, low)]).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
    let refused = queues::create(&world.db, &agent, "mine", &text("mine")).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
    let taken = queues::create(&world.db, &lead, "BILLING ", &text("billing")).await;
    assert!(matches!(taken, Err(Error::Invalid(flaws)) if flaws == [("key".to_owned(), Flaw::Taken)]));
});

crm::both_engines!(a_closed_queue_gets_nothing_and_an_unused_one_goes, async |world| {
    let (card, below) = (topic(world, "card", 1).await, topic(world, "lost", 2).await);
    sql!(world, "UPDATE topics SET parent_id = $1 WHERE id = $2", card, below);
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let db = &world.db;
    let above = queue(world, &lead, card, Mode::ByHand, &Rules::default()).await;
    let own = queues::create(db, &lead, "own", &text("own")).await.expect("a queue");
    let begins = [(below, (None, Priority::Normal), (Some(own), Priority::Normal))];
    queues::set_beginnings(db, &lead, &begins).await.expect("set");
    queues::set_agent(db, &lead, own, lead.id(), None, Some(1))
        .await
        .expect("named");
    let of = async |number: i64| {
        let queue = "SELECT queue_id FROM requests WHERE number = $1";
        one!(world, Option<QueueId>, queue, number)
    };
    let first = write_about(world, &anna, "lost", "x").await;
    assert_eq!(of(first).await, Some(own));

    queues::set_open(db, &lead, own, false).await.expect("closed");
    queues::set_open(db, &lead, own, false).await.expect("it is");
    let second = write_about(world, &anna, "lost", "y").await;
    assert_eq!(of(second).await, Some(above), "that of the topic above");
    assert_eq!(of(first).await, Some(own), "what is in it stays");
    let seen = store::open(db, &lead, second).await.expect("opened").1.updated_at;
    let there = bulk::sort(db, &lead, second, &[Act::Queue(own)], seen).await;
    let flaw = ("assignee".to_owned(), Flaw::NotAChoice);
    assert!(
        matches!(&there, Err(Error::Invalid(flaws)) if *flaws == [flaw.clone()]),
        "{there:?}"
    );
    // A topic keeps it, with another priority too; no other topic gets it.
    let stays = [(below, (Some(own), Priority::Normal), (Some(own), Priority::High))];
    queues::set_beginnings(db, &lead, &stays).await.expect("set");
    let other = [(card, (Some(above), Priority::Normal), (Some(own), Priority::Normal))];
    let refused = queues::set_beginnings(db, &lead, &other).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");

    let mut conn = db.read().await.expect("a connection");
    let uses = queues::uses(&mut conn, &lead, own).await.expect("read");
    drop(conn);
    assert_eq!(
        (uses.topics, uses.unclosed, uses.has_requests),
        (vec![text("lost")], 1, true)
    );
    let used = queues::remove(db, &lead, own).await;
    assert!(matches!(used, Err(Error::Stale)), "{used:?}");
    // Undone after it went, a change leads into no queue.
    let moved = change(db, &lead, &[first], &[Act::Queue(above)]).await.expect("moved");
    let nowhere = [(below, (Some(own), Priority::High), (None, Priority::High))];
    queues::set_beginnings(db, &lead, &nowhere).await.expect("set");
    queues::remove(db, &lead, own).await.expect("removed");
    bulk::undo(db, &lead, moved).await.expect("undone");
    assert_eq!(of(first).await, None);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM queue_agents"), 0);
    for gone in [
        queues::remove(db, &lead, own).await,
        queues::set_open(db, &lead, own, true).await,
    ] {
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    }
    let agent = staff(world, "agent").await;
    for refused in [
        queues::remove(db, &agent, above).await,
        queues::set_open(db, &agent, above, false).await,
    ] {
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
});

crm::both_engines!(requests_go_in_turn_to_who_is_there_and_has_the_fewest, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    let id = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    let nobodys = write(world, &anna, "x").await;
    assert_eq!(assignee(world, nobodys).await, None, "nobody is of the queue");
    for (agent, capacity) in [(&vera, 2), (&igor, 3)] {
        queues::set_agent(&world.db, &lead, id, agent.id(), None, Some(capacity))
            .await
            .expect("of the queue");
    }
    let present = async |who: &Staff| {
        let mut conn = world.db.read().await.expect("a connection");
        queues::presence(&mut conn, who).await.expect("read")
    };
    assert_eq!((present(&vera).await, present(&lead).await), (Some(false), None));
    let next = async || {
        later(world, 1);
        let number = write(world, &anna, "x").await;
        (number, assignee(world, number).await)
    };
    assert_eq!(next().await.1, None, "nobody is there");
    queues::set_presence(&world.db, &igor, true).await.expect("there");
    let (first, who) = next().await;
    assert_eq!(who, Some(igor.id()));
    queues::set_presence(&world.db, &vera, true).await.expect("there");
    assert_eq!(present(&vera).await, Some(true));
    // Of equals the one who was given none for longer; then each has one, and so on until nobody takes more.
    let mut given = Vec::new();
    for _ in 0..5 {
        given.push(next().await.1);
    }
    let (v, i) = (Some(vera.id()), Some(igor.id()));
    assert_eq!(given, [v, i, v, i, None]);
    // What waits for the customer does not wait for them.
    let seen = store::open(&world.db, &igor, first).await.expect("opened").1.updated_at;
    store::staff_answer(&world.db, &igor, first, "there", &[], seen)
        .await
        .expect("answered");
    // The minutely work gives what is nobody's: the most urgent first.
    let unassigned = Filter {
        assignee: Assignee::Nobody,
        ..Filter::default()
    };
    let waiting = list(world, &lead, &unassigned).await;
    assert_eq!(waiting.len(), 3);
    let last = waiting[2];
    sql!(world, "UPDATE requests SET priority = 'urgent' WHERE number = $1", last);
    queues::run_due(&world.db, &SYSTEM).await.expect("given");
    assert_eq!(assignee(world, waiting[2]).await, i);
    assert_eq!(list(world, &lead, &unassigned).await, waiting[..2]);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'request.hand_out' AND actor = 'system' AND customer_id = $1",
            anna.id()
        ),
        1
    );
    // Who goes is given no more, and who is of no queue neither.
    queues::set_presence(&world.db, &igor, false).await.expect("away");
    let late = queues::set_agent(&world.db, &lead, id, vera.id(), Some(1), None).await;
    assert!(matches!(late, Err(Error::Stale)), "she takes two: {late:?}");
    queues::set_agent(&world.db, &lead, id, vera.id(), Some(2), None)
        .await
        .expect("out of the queue");
    assert_eq!(next().await.1, None);
    let nobody = queues::set_agent(&world.db, &lead, id, StaffId::new(), None, Some(1)).await;
    assert!(matches!(nobody, Err(Error::NotFound)));
    // A closed queue gives nobody anything new, so that nobody is asked whether they are there for it.
    assert_eq!(present(&igor).await, Some(false));
    queues::set_open(&world.db, &lead, id, false).await.expect("closed");
    assert_eq!(present(&igor).await, None);
});

crm::both_engines!(what_somebody_gave_back_goes_to_others_first, async |world| {
    let db = &world.db;
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    let id = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    for agent in [&vera, &igor] {
        queues::set_agent(db, &lead, id, agent.id(), None, Some(9))
            .await
            .expect("of the queue");
    }
    queues::set_presence(db, &igor, true).await.expect("there");
    write(world, &anna, "his").await;
    queues::set_presence(db, &vera, true).await.expect("there");
    let number = write(world, &anna, "hers").await;
    assert_eq!(assignee(world, number).await, Some(vera.id()), "she has none");
    let give_back = async |by: &Staff| {
        later(world, 1);
        store::unassign(db, by, number, Some(by.id()))
            .await
            .expect("given back");
        assert_eq!(assignee(world, number).await, None);
        queues::run_due(db, &SYSTEM).await.expect("given");
        assignee(world, number).await
    };
    let lost_by = async || {
        let lost = "SELECT lost_by FROM requests WHERE number = $1";
        one!(world, Option<StaffId>, lost, number)
    };
    assert_eq!(
        give_back(&vera).await,
        Some(igor.id()),
        "though she has the fewest by now"
    );
    assert_eq!(lost_by().await, None, "somebody else has it");
    assert_eq!(give_back(&igor).await, Some(vera.id()));
    queues::set_presence(db, &igor, false).await.expect("away");
    assert_eq!(give_back(&vera).await, Some(vera.id()), "nobody else is there");
    assert_eq!(lost_by().await, Some(vera.id()));
    answer(world, &vera, number, "there").await;
    assert_eq!(lost_by().await, None, "whoever answers has it");
});

crm::both_engines!(whoever_is_signed_out_is_given_no_more, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let vera = staff(world, "vera").await.id();
    let id = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    queues::set_agent(&world.db, &lead, id, vera, None, Some(9))
        .await
        .expect("of the queue");
    let shift = async || {
        let again = again(world, vera).await;
        queues::set_presence(&world.db, &again, true).await.expect("there");
    };
    let next = async || {
        let number = write(world, &anna, "x").await;
        queues::run_due(&world.db, &SYSTEM).await.expect("done");
        let mut conn = world.db.read().await.expect("a connection");
        let (_, agents) = queues::read(&mut conn, &lead, id).await.expect("read");
        drop(conn);
        let is_there = agents.iter().any(|agent| agent.takes_requests);
        (assignee(world, number).await, is_there)
    };
    shift().await;
    assert_eq!(next().await, (Some(vera), true));
    later(world, STAFF_IDLE.num_seconds());
    assert_eq!(next().await, (None, false), "away for two hours");
    shift().await;
    assert!(next().await.1);
    let now = world.db.now();
    sql!(
        world,
        "UPDATE sessions SET ended_at = $1 WHERE staff_id = $2",
        now,
        vera
    );
    assert_eq!(next().await, (None, false), "signed out");
    shift().await;
    let now = world.db.now();
    sql!(
        world,
        "UPDATE sessions SET expires_at = $1 WHERE staff_id = $2",
        now,
        vera
    );
    assert_eq!(next().await, (None, false), "the session is over");
});

crm::both_engines!(requests_are_given_to_who_may_open_them, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await.id(), staff(world, "igor").await.id());
    role(world, "reader", r#"["customers"]"#).await;
    sql!(world, "UPDATE staff SET role = 'reader' WHERE id = $1", igor);
    let id = queue(world, &lead, card, Mode::ByHand, &Rules::default()).await;
    let number = write(world, &anna, "x").await;
    let agents = async |queue| {
        let mut conn = world.db.read().await.expect("a connection");
        let found = queues::agents(&mut conn, &lead, queue).await.expect("read");
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    for queue in [None, Some(id)] {
        let found = agents(queue).await;
        assert!(found.contains(&vera) && !found.contains(&igor), "{queue:?}");
    }
    for agent in [vera, igor] {
        queues::set_agent(&world.db, &lead, id, agent, None, Some(1))
            .await
            .expect("of the queue");
    }
    assert_eq!(agents(Some(id)).await, [vera], "named, and his role opens none");
    for to in [igor, vera] {
        change(&world.db, &lead, &[number], &[Act::Assign(Some(to))])
            .await
            .expect("done");
        let is_given = assignee(world, number).await == Some(to);
        assert_eq!(is_given, to == vera);
    }
    // Where nobody of those named is left, a lead names others; it is not everybody's by that.
    sql!(world, "UPDATE staff SET role = 'reader' WHERE id = $1", vera);
    assert_eq!(agents(Some(id)).await, []);
    assert!(agents(None).await.contains(&lead.id()));
});

crm::both_engines!(a_queue_says_who_may_do_what, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    let rules = Rules {
        steps: vec![
            (Status::New, Status::Open),
            (Status::New, Status::Closed),
            (Status::Open, Status::Closed),
            (Status::Closed, Status::Open),
        ],
        close_by: Who::Assignee,
        reopen_by: Who::Lead,
        ..Rules::default()
    };
    let id = queue(world, &lead, card, Mode::ByHand, &rules).await;
    queues::set_agent(&world.db, &lead, id, vera.id(), None, Some(5))
        .await
        .expect("of the queue");
    let number = write(world, &anna, "x").await;
    let db = &world.db;
    let seen = async || store::open(db, &lead, number).await.expect("opened").1.updated_at;
    let set = async |who: &Staff, to| store::set_status(db, who, number, to, seen().await).await;
    let steps = async |who: &Staff| {
        let mut conn = db.read().await.expect("a connection");
        queues::steps(&mut conn, who, number).await.expect("read")
    };
    assert_eq!(steps(&igor).await, [Status::Open]);
    assert!(matches!(set(&igor, Status::Waiting).await, Err(Error::Forbidden)));
    assert!(matches!(set(&igor, Status::Closed).await, Err(Error::Forbidden)));
    assert!(matches!(
        store::assign_to_me(db, &igor, number, None).await,
        Err(Error::Forbidden)
    ));
    store::assign_to_me(db, &vera, number, None).await.expect("hers");
    assert_eq!(steps(&vera).await, [Status::Closed]);
    set(&vera, Status::Closed).await.expect("closed");
    assert_eq!((steps(&vera).await, steps(&lead).await), (vec![], vec![Status::Open]));
    let late = store::staff_answer(db, &vera, number, "and", &[], seen().await).await;
    assert!(matches!(late, Err(Error::Forbidden)), "an answer would open it again");
    set(&lead, Status::Open).await.expect("open again");
    // The customer goes by what it says of customers: nothing is kept from them here.
    store::close(db, &anna, number).await.expect("closed");
    store::reopen(db, &anna, number).await.expect("open again");
    // Many at once are held to the same.
    let id = change(db, &igor, &[number], &[Act::Status(Status::Closed)])
        .await
        .expect("tried");
    let mut conn = db.read().await.expect("a connection");
    let told = bulk::outcome(&mut conn, &igor, id).await.expect("read").expect("there");
    assert_eq!(
        (told.changed, told.refused, told.may_undo),
        (0, vec![(number, Refused::Status)], false)
    );
    drop(conn);
    let id = change(db, &vera, &[number], &[Act::Assign(Some(igor.id()))])
        .await
        .expect("tried");
    let mut conn = db.read().await.expect("a connection");
    let told = bulk::outcome(&mut conn, &vera, id).await.expect("read").expect("there");
    assert_eq!(told.refused, [(number, Refused::Agent)]);
});

crm::both_engines!(a_queue_says_what_is_left_to_customers, async |world| {
    let card = topic(world, "card", 1).await;
    topic(world, "other", 2).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let db = &world.db;
    let rules = Rules {
        customer_closes: false,
        reopen_days: Some(2),
        ..Rules::default()
    };
    let id = queue(world, &lead, card, Mode::ByHand, &rules).await;
    let read = async || {
        let mut conn = db.read().await.expect("a connection");
        queues::read(&mut conn, &lead, id).await.expect("a queue").0
    };
    assert_eq!(read().await.rules, rules);
    let number = write(world, &anna, "x").await;
    let may = async |number| {
        let shown = store::thread(db, anna.me(), number).await.expect("a thread");
        (shown.may_close, shown.may_go_on)
    };
    assert_eq!(may(number).await, (false, true));
    assert!(matches!(store::close(db, &anna, number).await, Err(Error::Forbidden)));
    let close = async || {
        let seen = store::open(db, &lead, number).await.expect("opened").1.updated_at;
        store::set_status(db, &lead, number, Status::Closed, seen)
            .await
            .expect("closed");
    };
    close().await;
    later(world, 2 * 86_400 - 1);
    store::reopen(db, &anna, number).await.expect("within two days");
    close().await;
    later(world, 2 * 86_400 - 1);
    store::answer(db, &anna, number, "well?", &[]).await.expect("likewise");
    close().await;
    later(world, 2 * 86_400 + 1);
    assert_eq!(may(number).await, (false, false));
    let before = one!(world, i64, "SELECT COUNT(*) FROM messages");
    for refused in [
        store::reopen(db, &anna, number).await,
        store::answer(db, &anna, number, "and now?", &[]).await,
    ] {
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM messages"), before);
    assert!(
        matches!(store::close(db, &anna, number).await, Err(Error::Stale)),
        "it is closed, whoever may"
    );
    // What is of no queue leaves everything to them.
    let free = write_about(world, &anna, "other", "x").await;
    store::close(db, &anna, free).await.expect("closed");
    later(world, 1000 * 86_400);
    store::reopen(db, &anna, free).await.expect("open again");

    // Of two leads who change it at once the second is told.
    let seen = read().await.changed_at;
    let name = &text("billing");
    for expected in [true, false] {
        let changed = queues::change(db, &lead, id, seen, name, Mode::ByHand, &Rules::default()).await;
        match expected {
            true => changed.expect("changed"),
            false => assert!(matches!(changed, Err(Error::Stale)), "{changed:?}"),
        }
    }
    assert_eq!(may(number).await, (true, true), "at once");
});

crm::both_engines!(a_request_has_so_many_tags_and_no_more, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let db = &world.db;
    let number = write(world, &anna, "x").await;
    let all: Vec<Act> = (0..20).map(|n| Act::Tag(format!("t{n}"))).collect();
    change(db, &agent, &[number], &all).await.expect("done");
    let told = async |acts: &[Act]| {
        let id = change(db, &agent, &[number], acts).await.expect("tried");
        let mut conn = db.read().await.expect("a connection");
        let told = bulk::outcome(&mut conn, &agent, id).await.expect("read");
        told.expect("there").refused
    };
    let more = || Act::Tag("more".into());
    assert_eq!(told(&[more()]).await, [(number, Refused::Tags)]);
    assert!(told(&[Act::Priority(Priority::High)]).await.is_empty());
    assert!(
        told(&[Act::Untag("t0".into()), more()]).await.is_empty(),
        "one for another"
    );
});

crm::both_engines!(where_nobody_takes_more_others_are_not_kept_waiting, async |world| {
    let (card, other) = (topic(world, "card", 1).await, topic(world, "other", 2).await);
    let (anna, lead) = (customer(world, "Anna", "K").await, some_lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    let db = &world.db;
    let full = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    queues::set_agent(db, &lead, full, vera.id(), None, Some(1))
        .await
        .expect("of the queue");
    queues::set_presence(db, &vera, true).await.expect("there");
    // More than one round looks at, and of these Vera takes one.
    for i in 0..102 {
        if i % 20 == 0 {
            later(world, 3601);
        }
        write(world, &anna, "x").await;
    }
    // Everybody of staff is still there.
    let now = world.db.now();
    sql!(
        world,
        "UPDATE sessions SET seen_at = $1 WHERE staff_id IS NOT NULL",
        now
    );
    let number = write_about(world, &anna, "other", "x").await;
    sql!(world, "UPDATE queues SET code = 'full'");
    let id = queue(world, &lead, other, Mode::RoundRobin, &Rules::default()).await;
    sql!(world, "UPDATE requests SET queue_id = $1 WHERE number = $2", id, number);
    queues::set_agent(db, &lead, id, igor.id(), None, Some(1))
        .await
        .expect("of the queue");
    queues::set_presence(db, &igor, true).await.expect("there");
    queues::run_due(db, &SYSTEM).await.expect("given");
    assert_eq!(assignee(world, number).await, Some(igor.id()));
    // Whose role opens no requests any more is given none, though nobody took them out of the queue.
    queues::set_agent(db, &lead, id, igor.id(), Some(1), Some(9))
        .await
        .expect("of the queue");
    let his = igor.id();
    sql!(world, "UPDATE staff SET role = 'analyst' WHERE id = $1", his);
    later(world, 3601);
    let late = write_about(world, &anna, "other", "x").await;
    queues::run_due(db, &SYSTEM).await.expect("done");
    assert_eq!(assignee(world, late).await, None);
    sql!(world, "UPDATE staff SET role = 'agent' WHERE id = $1", his);
    queues::run_due(db, &SYSTEM).await.expect("given");
    assert_eq!(assignee(world, late).await, Some(his));
});

crm::both_engines!(
    many_requests_change_at_once_and_are_again_what_they_were,
    async |world| {
        topic(world, "card", 1).await;
        let (anna, agent, other) = (
            customer(world, "Anna", "K").await,
            staff(world, "agent").await,
            staff(world, "other").await,
        );
        let db = &world.db;
        let mut numbers = Vec::new();
        for i in 0..230 {
            if i % 20 == 0 {
                later(world, 3601);
            }
            numbers.push(write(world, &anna, "x").await);
        }
        let (first, second, third) = (numbers[0], numbers[1], numbers[2]);
        store::close(db, &anna, third).await.expect("closed");
        change(db, &agent, &[second], &[Act::Tag("old".into())])
            .await
            .expect("done");
        later(world, 1);
        let before = {
            let mut rows = Vec::new();
            for number in [first, second, third] {
                rows.push(row(world, &agent, number).await);
            }
            rows
        };
        let acts = [
            Act::Status(Status::Closed),
            Act::Priority(Priority::High),
            Act::Tag("wave".into()),
            Act::Assign(Some(other.id())),
        ];
        // A number twice, and one that nobody has.
        let chosen: Vec<i64> = numbers.iter().copied().chain([first, 99_999]).collect();
        let id = change(db, &agent, &chosen, &acts).await.expect("done");
        let told = async |who: &Staff, id: BulkId| {
            let mut conn = db.read().await.expect("a connection");
            bulk::outcome(&mut conn, who, id).await.expect("read")
        };
        let outcome = told(&agent, id).await.expect("there");
        assert_eq!(
            (outcome.changed, outcome.refused, outcome.may_undo),
            (230, vec![], true)
        );
        assert_eq!(told(&other, id).await, None, "it is not theirs");
        let changed = row(world, &agent, second).await;
        assert_eq!(
            (changed.status, changed.priority, changed.tags.as_str()),
            (Status::Closed, Priority::High, "old, wave")
        );
        assert_eq!(changed.assignee.as_deref(), Some("other"));
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'request.status'"),
            229,
            "one was closed already, and the rest of it was done"
        );
        let told_closed = async || one!(world, i64, "SELECT COUNT(*) FROM notifications WHERE kind = 'closed'");
        assert_eq!(told_closed().await, 229, "by staff, which customers are told");
        // The same once more changes nothing.
        let again = change(db, &agent, &[first, second], &acts).await.expect("done");
        let outcome = told(&agent, again).await.expect("there");
        assert_eq!(outcome.refused, [(first, Refused::Same), (second, Refused::Same)]);

        // What was changed since stays.
        later(world, 30);
        store::reopen(db, &anna, numbers[3]).await.expect("open again");
        assert!(matches!(bulk::undo(db, &other, id).await, Err(Error::Stale)));
        let undone = bulk::undo(db, &agent, id).await.expect("undone");
        assert_eq!(undone, Undone { restored: 229, kept: 1 });
        assert_eq!(told_closed().await, 1, "of the one that stays as it is");
        for was in before {
            assert_eq!(row(world, &agent, was.number).await, was);
        }
        assert_eq!(row(world, &agent, numbers[3]).await.tags, "wave");
        assert!(matches!(bulk::undo(db, &agent, id).await, Err(Error::Stale)), "once");
        assert_eq!(
            one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'request.undo'"),
            229
        );

        // After a minute it is too late; after a day nothing tells of it.
        let id = change(db, &agent, &[first], &[Act::Tag("late".into())])
            .await
            .expect("done");
        later(world, 60);
        assert!(!told(&agent, id).await.expect("there").may_undo);
        assert!(matches!(bulk::undo(db, &agent, id).await, Err(Error::Stale)));
        later(world, 24 * 3600);
        bulk::sweep(db, &SYSTEM).await.expect("swept");
        assert_eq!(told(&agent, id).await, None);
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM request_bulk_items"), 0);

        let flaws = async |numbers: &[i64], acts: &[Act]| match change(db, &agent, numbers, acts).await {
            Err(Error::Invalid(flaws)) => flaws,
            other => panic!("{other:?}"),
        };
        let field = |name: &str, flaw| vec![(name.to_owned(), flaw)];
        let tag = [Act::Tag("x".into())];
        assert_eq!(flaws(&[], &tag).await, field("numbers", Flaw::Missing));
        assert_eq!(flaws(&[first], &[]).await, field("acts", Flaw::Missing));
        let many: Vec<i64> = (1..=1001).collect();
        assert_eq!(
            flaws(&many, &tag).await,
            field("numbers", Flaw::TooManyLines { max: 1000 })
        );
        assert_eq!(
            flaws(&[first], &[Act::Assign(Some(StaffId::new()))]).await,
            field("assignee", Flaw::NotAChoice)
        );
        assert_eq!(
            flaws(&[first], &[Act::Topic(TopicId::new())]).await,
            field("topic", Flaw::NotAChoice)
        );
    }
);

crm::both_engines!(of_two_who_take_a_request_from_the_list_one_does, async |world| {
    topic(world, "card", 1).await;
    let (anna, olga, petr) = (
        customer(world, "Anna", "K").await,
        staff(world, "olga").await,
        staff(world, "petr").await,
    );
    let db = &world.db;
    let (first, second) = (write(world, &anna, "x").await, write(world, &anna, "y").await);
    let last = async || {
        let mut conn = db.read().await.expect("a connection");
        live::last(&mut conn, &SYSTEM).await.expect("the last")
    };
    let refused = async |by: &Staff, id: BulkId| {
        let mut conn = db.read().await.expect("a connection");
        let told = bulk::outcome(&mut conn, by, id).await.expect("read").expect("there");
        (told.changed, told.refused)
    };
    let inbox = async |of: &Staff| {
        let told = mention::inbox(db, of, None, 10).await.expect("an inbox");
        told.iter().map(|one| (one.number, one.level)).collect::<Vec<_>>()
    };
    let (both, mine) = ([first, second], |by: &Staff| [Act::Assign(Some(by.id()))]);
    // Both look at the list at the same moment. That somebody opens a request changes nothing of it.
    let seen = last().await;
    live::be_here(db, &petr, first, true).await.expect("here");
    let id = bulk::change(db, &olga, &[first], &mine(&olga), seen)
        .await
        .expect("hers");
    assert_eq!(refused(&olga, id).await, (1, vec![]));
    let id = bulk::change(db, &petr, &both, &mine(&petr), seen).await.expect("tried");
    assert_eq!(refused(&petr, id).await, (1, vec![(first, Refused::Changed)]));
    assert_eq!(
        (assignee(world, first).await, assignee(world, second).await),
        (Some(olga.id()), Some(petr.id()))
    );
    // Nor is what a colleague or the customer said overwritten by a status.
    let seen = last().await;
    store::answer(db, &anna, second, "and yet", &[]).await.expect("said");
    let close = [Act::Status(Status::Closed)];
    let id = bulk::change(db, &petr, &[second], &close, seen).await.expect("tried");
    assert_eq!(refused(&petr, id).await, (0, vec![(second, Refused::Changed)]));

    // Whoever has seen whose it is may take it, and who had it is told; undone in time, it was never said.
    later(world, 1);
    let id = change(db, &petr, &[first], &mine(&petr)).await.expect("taken");
    assert_eq!(assignee(world, first).await, Some(petr.id()));
    assert_eq!(inbox(&olga).await, [(first, Some(Told::Taken))]);
    bulk::undo(db, &petr, id).await.expect("undone");
    assert_eq!(
        (assignee(world, first).await, inbox(&olga).await),
        (Some(olga.id()), vec![])
    );
    change(db, &petr, &[first], &[Act::Assign(None)])
        .await
        .expect("nobody's");
    assert_eq!(inbox(&olga).await, [(first, Some(Told::Taken))]);
    assert_eq!(inbox(&petr).await, [], "whoever did it knows");
    // By the button of its page as well; whoever hands back their own knows.
    store::assign_to_me(db, &olga, second, Some(petr.id()))
        .await
        .expect("taken over");
    assert_eq!(inbox(&petr).await, [(second, Some(Told::Taken))]);
    store::unassign(db, &olga, second, Some(olga.id()))
        .await
        .expect("handed back");
    assert_eq!(inbox(&olga).await, [(first, Some(Told::Taken))]);
});

crm::both_engines!(a_request_is_sorted_by_who_has_read_it, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let number = write(world, &anna, "x").await;
    let db = &world.db;
    let seen = store::open(db, &agent, number).await.expect("opened").1.updated_at;
    let acts = [
        Act::Priority(Priority::Urgent),
        Act::Tag("vip".into()),
        Act::Assign(Some(agent.id())),
    ];
    bulk::sort(db, &agent, number, &acts, seen).await.expect("sorted");
    let sorted = row(world, &agent, number).await;
    assert_eq!((sorted.priority, sorted.tags.as_str()), (Priority::Urgent, "vip"));
    assert_eq!(sorted.status, Status::Open, "who takes it has looked");
    assert!(matches!(
        bulk::sort(db, &agent, number, &acts, seen).await,
        Err(Error::Stale)
    ));
    let read = store::open(db, &agent, number).await.expect("opened").1.updated_at;
    bulk::sort(db, &agent, number, &acts, read).await.expect("as it is");
    let again = store::open(db, &agent, number).await.expect("opened").1.updated_at;
    assert_eq!(again, read, "what changes nothing is no change");
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'request.sort'"),
        2
    );
});

crm::both_engines!(a_request_is_put_into_another_queue_by_hand, async |world| {
    let card = topic(world, "card", 1).await;
    let (anna, agent, lead) = (
        customer(world, "Anna", "K").await,
        staff(world, "agent").await,
        some_lead(world).await,
    );
    let db = &world.db;
    let billing = queue(world, &lead, card, Mode::ByHand, &Rules::default()).await;
    let other = queues::create(db, &lead, "other", &text("other"))
        .await
        .expect("a queue");
    let number = write(world, &anna, "x").await;
    let seen = async || store::open(db, &agent, number).await.expect("opened").1.updated_at;
    let stands = async || {
        let queue = "SELECT queue_id FROM requests WHERE number = $1";
        let queue = one!(world, Option<QueueId>, queue, number);
        (queue, assignee(world, number).await)
    };
    let mine = [Act::Assign(Some(agent.id()))];
    bulk::sort(db, &agent, number, &mine, seen().await)
        .await
        .expect("taken");
    assert_eq!(stands().await, (Some(billing), Some(agent.id())));
    let read = seen().await;
    let nowhere = bulk::sort(db, &agent, number, &[Act::Queue(QueueId::new())], read).await;
    let flaw = ("assignee".to_owned(), Flaw::NotAChoice);
    assert!(
        matches!(&nowhere, Err(Error::Invalid(flaws)) if *flaws == [flaw.clone()]),
        "{nowhere:?}"
    );

    // There it is nobody's; who read it before is late.
    bulk::sort(db, &agent, number, &[Act::Queue(other)], read)
        .await
        .expect("sorted");
    assert_eq!(stands().await, (Some(other), None));
    let late = bulk::sort(db, &agent, number, &[Act::Queue(billing)], read).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let sorted = "SELECT COUNT(*) FROM audit WHERE action = 'request.sort' AND customer_id IS NOT NULL";
    assert_eq!(one!(world, i64, sorted), 1);

    // Of many, and back again with whose it was.
    bulk::sort(db, &agent, number, &mine, seen().await)
        .await
        .expect("taken");
    let id = change(db, &agent, &[number], &[Act::Queue(billing)])
        .await
        .expect("changed");
    assert_eq!(stands().await, (Some(billing), None));
    bulk::undo(db, &agent, id).await.expect("undone");
    assert_eq!(stands().await, (Some(other), Some(agent.id())));
});

crm::both_engines!(tags_are_counted_and_called_otherwise, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent, lead) = (
        customer(world, "Anna", "K").await,
        staff(world, "agent").await,
        some_lead(world).await,
    );
    let db = &world.db;
    let (first, second) = (write(world, &anna, "x").await, write(world, &anna, "y").await);
    change(db, &agent, &[first, second], &[Act::Tag("broken".into())])
        .await
        .expect("done");
    change(db, &agent, &[second], &[Act::Tag("defect".into())])
        .await
        .expect("done");
    store::close(db, &anna, second).await.expect("closed");
    let all = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = tags::list(&mut conn, &lead).await.expect("tags");
        all.into_iter()
            .map(|tag| (tag.tag, tag.requests, tag.unclosed))
            .collect::<Vec<_>>()
    };
    assert_eq!(all().await, [("broken".into(), 2, 1), ("defect".into(), 1, 0)]);
    let filter = Filter {
        tag: "broken".into(),
        ..Filter::default()
    };
    saved::save(db, &agent, "Broken", false, &filter).await.expect("kept");
    assert!(matches!(
        tags::rename(db, &agent, "broken", "defect").await,
        Err(Error::Forbidden)
    ));
    tags::rename(db, &lead, "broken", " Defect").await.expect("renamed");
    assert_eq!(all().await, [("defect".into(), 2, 1)]);
    let mut conn = db.read().await.expect("a connection");
    let kept = saved::list(&mut conn, &agent).await.expect("filters");
    assert_eq!(kept[0].filter.tag, "defect");
    drop(conn);
    assert_eq!(found(world, &agent, "defect").await, [first, second]);
    assert_eq!(found(world, &agent, "broken").await, [0_i64; 0]);
    assert!(matches!(
        tags::rename(db, &lead, "broken", "x").await,
        Err(Error::NotFound)
    ));
    let flawed = tags::rename(db, &lead, "defect", " ,").await;
    assert!(matches!(flawed, Err(Error::Invalid(flaws)) if flaws == [("to".to_owned(), Flaw::Missing)]));
});

crm::both_engines!(a_filter_is_kept_counted_and_shared, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent, other, lead) = (
        customer(world, "Anna", "K").await,
        staff(world, "agent").await,
        staff(world, "other").await,
        some_lead(world).await,
    );
    let db = &world.db;
    let (first, _) = (write(world, &anna, "x").await, write(world, &anna, "y").await);
    store::assign_to_me(db, &agent, first, None).await.expect("taken");
    let mine = Filter {
        unclosed: true,
        assignee: Assignee::Me,
        text: "Anna".into(),
        ..Filter::default()
    };
    let shared = saved::save(db, &agent, " Мои ", true, &mine).await.expect("kept");
    let own = saved::save(db, &agent, "Всё", false, &Filter::default())
        .await
        .expect("kept");
    let kept = async |who: &Staff| {
        let mut conn = db.read().await.expect("a connection");
        saved::list(&mut conn, who).await.expect("filters")
    };
    let seen = kept(&agent).await;
    assert_eq!(
        seen.iter()
            .map(|kept| (kept.name.as_str(), kept.is_own, kept.count))
            .collect::<Vec<_>>(),
        [("Мои", true, Some(1)), ("Всё", true, None)],
        "what is closed is not counted"
    );
    assert_eq!(seen[0].filter.text, "", "what was looked for is not kept");
    let seen = kept(&other).await;
    assert_eq!(
        seen.iter()
            .map(|kept| (kept.id, kept.is_own, kept.count))
            .collect::<Vec<_>>(),
        [(shared, false, Some(0))],
        "whoever looks is meant by it"
    );
    assert!(matches!(saved::remove(db, &other, shared).await, Err(Error::NotFound)));
    assert!(matches!(saved::remove(db, &lead, own).await, Err(Error::NotFound)));
    saved::remove(db, &lead, shared).await.expect("a lead may");
    saved::remove(db, &agent, own).await.expect("one's own");
    assert_eq!(kept(&agent).await, []);
    let at_once = (0..25).map(|_| saved::save(db, &agent, "Мои", false, &mine));
    let at_once = futures::future::join_all(at_once).await;
    let is_refused = |one: &Result<_, Error>| matches!(one, Err(Error::TooMany { .. }));
    assert_eq!(at_once.iter().filter(|one| is_refused(one)).count(), 5, "{at_once:?}");
    assert_eq!(kept(&agent).await.len(), 20);
    let nameless = saved::save(db, &other, " ", false, &mine).await;
    assert!(matches!(nameless, Err(Error::Invalid(flaws)) if flaws == [("name".to_owned(), Flaw::Missing)]));
});

crm::both_engines!(what_is_due_comes_first_and_is_overdue_afterwards, async |world| {
    topic(world, "card", 1).await;
    let (anna, agent) = (customer(world, "Anna", "K").await, staff(world, "agent").await);
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(write(world, &anna, "x").await);
    }
    let due = async |number: i64, minutes: i64| {
        let at = world.db.now() + TimeDelta::minutes(minutes);
        sql!(world, "UPDATE requests SET due_at = $1 WHERE number = $2", at, number);
    };
    due(numbers[0], -10).await;
    due(numbers[1], 10).await;
    due(numbers[2], -20).await;
    due(numbers[3], -30).await;
    store::close(&world.db, &anna, numbers[3]).await.expect("closed");
    let mut seen = Vec::new();
    let mut after = None::<Cursor>;
    loop {
        let page = store::queue(&world.db, &agent, &Filter::default(), Sort::Due, after, 2).await;
        let page = page.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.cursor().to_string().parse().expect("a cursor"));
        seen.extend(page.iter().map(|row| row.number));
    }
    assert_eq!(
        seen,
        [3, 2, 0, 1, 4].map(|i: usize| numbers[i]),
        "what is never due comes last"
    );
    let overdue = Filter {
        overdue: true,
        ..Filter::default()
    };
    assert_eq!(list(world, &agent, &overdue).await, [numbers[0], numbers[2]]);
    let mut conn = world.db.read().await.expect("a connection");
    let counts = store::counts(&mut conn, &agent).await.expect("counts");
    assert_eq!((counts.overdue, counts.new), (2, 4));
    assert_eq!(
        saved::count(&mut conn, &agent, &overdue).await.expect("counted"),
        Some(2)
    );
});

/// PostgreSQL reads a few rows as a whole, whatever indexes there are; SQLite says how it would read many. A search begins in the
/// middle of an index, a scan at its beginning.
#[tokio::test]
async fn each_order_and_count_of_requests_comes_out_of_an_index() {
    let world = &crm::testing::sqlite().await;
    for (asked, how) in [
        (
            "EXPLAIN QUERY PLAN SELECT r.id FROM requests r WHERE r.status <> 'closed' AND (r.waits_from, r.id) > ('2', x'00') \
             ORDER BY r.waits_from, r.id LIMIT 50",
            "SEARCH r USING INDEX requests_unclosed_waiting",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id FROM requests r WHERE r.status <> 'closed' AND (r.due_from, r.id) > ('2', x'00') \
             ORDER BY r.due_from, r.id LIMIT 50",
            "SEARCH r USING INDEX requests_unclosed_due",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id, r.status FROM requests r WHERE (r.waits_from, r.id) > ('2', x'00') \
             ORDER BY r.waits_from, r.id LIMIT 50",
            "SEARCH r USING INDEX requests_waiting",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id FROM requests r WHERE r.status <> 'closed' \
             AND (r.urgency, r.waits_from, r.id) > (1, '2', x'00') ORDER BY r.urgency, r.waits_from, r.id LIMIT 50",
            "SEARCH r USING INDEX requests_unclosed_urgency",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id, r.status FROM requests r WHERE (r.urgency, r.waits_from, r.id) > (1, '2', x'00') \
             ORDER BY r.urgency, r.waits_from, r.id LIMIT 50",
            "SEARCH r USING INDEX requests_urgency",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id, r.status FROM requests r WHERE (r.created_at, r.id) < ('2', x'00') \
             ORDER BY r.created_at DESC, r.id DESC LIMIT 50",
            "SEARCH r USING INDEX requests_newest",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT r.id, r.status FROM requests r WHERE (r.updated_at, r.id) < ('2', x'00') \
             ORDER BY r.updated_at DESC, r.id DESC LIMIT 50",
            "SEARCH r USING INDEX requests_updated",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT COUNT(*) FILTER (WHERE assignee_id IS NULL) FROM requests WHERE status <> 'closed'",
            "SCAN requests USING COVERING INDEX requests_unclosed",
        ),
    ] {
        let mut conn = world.db.read().await.expect("a connection");
        let steps: Vec<(i64, i64, i64, String)> =
            crm::on!(&mut conn, |c| sqlx::query_as(asked).fetch_all(c).await).expect("a plan");
        let plan: String = steps.iter().map(|step| format!("{}; ", step.3)).collect();
        assert!(plan.contains(how) && !plan.contains("TEMP B-TREE"), "{asked}: {plan}");
    }
}

crm::both_engines!(what_somebody_has_who_is_gone_is_handed_back, async |world| {
    let db = &world.db;
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let lead = some_lead(world).await;
    let gone = staff(world, "agent").await;
    role(world, "keeper", r#"["staff"]"#).await;
    let keeper = staff(world, "keeper").await;
    let id = keeper.id();
    sql!(world, "UPDATE staff SET role = 'keeper' WHERE id = $1", id);
    let keeper = again(world, id).await;
    let mut numbers = Vec::new();
    for words in ["first", "second", "third", "not theirs"] {
        numbers.push(write(world, &anna, words).await);
        later(world, 60);
    }
    for number in &numbers[..3] {
        let act = [Act::Assign(Some(gone.id()))];
        change(db, &lead, &[*number], &act).await.expect("given");
    }
    let act = [Act::Status(Status::Waiting)];
    change(db, &lead, &numbers[1..2], &act).await.expect("waiting");
    let act = [Act::Status(Status::Closed)];
    change(db, &lead, &numbers[2..3], &act).await.expect("closed");

    let early = bulk::hand_back(db, &keeper, gone.id()).await;
    assert!(matches!(early, Err(Error::Stale)), "they work here: {early:?}");
    let (id, now) = (gone.id(), db.now());
    sql!(world, "UPDATE staff SET disabled_at = $2 WHERE id = $1", id, now);
    let work = {
        let mut conn = db.read().await.expect("a connection");
        managing::open_work(&mut conn, &keeper, gone.id())
            .await
            .expect("counted")
    };
    assert_eq!(work, (2, 0));
    let refused = bulk::hand_back(db, &lead, gone.id()).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    assert_eq!(bulk::hand_back(db, &keeper, gone.id()).await.expect("handed back"), 2);
    for number in &numbers[..2] {
        assert_eq!(assignee(world, *number).await, None, "{number}");
    }
    assert_eq!(
        row(world, &lead, numbers[1]).await.status,
        Status::Waiting,
        "it stays where it was"
    );
    assert_eq!(
        assignee(world, numbers[2]).await,
        Some(gone.id()),
        "what is closed was theirs"
    );
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'request.unassign' AND actor = 'staff'";
    assert_eq!(one!(world, i64, rows), 2);
    assert_eq!(
        bulk::hand_back(db, &keeper, gone.id()).await.expect("nothing is left"),
        0
    );
    let nobody = bulk::hand_back(db, &keeper, StaffId::new()).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
});
