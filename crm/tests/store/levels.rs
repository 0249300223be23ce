//! Service levels: the clocks of requests as they follow what happens and what comes of time, and what leads set up.

use crate::common::people::{SYSTEM, again, customer, lead, one, role, sql, staff, topic};
use crate::common::requests::{answer, change, queue, seen, write};
use chrono::{DateTime, TimeDelta, Utc};
use crm::Error;
use crm::db::scoped;
use crm::flaw::Flaw;
use crm::id::{CalendarId, PolicyId, StaffId};
use crm::lang::Lang;
use crm::outlook::{ANSWER_WITHIN, store as outlook};
use crm::request::desk::{Mode, Priority, Rules};
use crm::request::level::managing::{self, NewCalendar, NewPolicy};
use crm::request::level::store as levels;
use crm::request::level::{Policy, Told};
use crm::request::live::Listener;
use crm::request::store::bulk::{self, Act};
use crm::request::store::{Past, PastMessage, queues};
use crm::request::{Filter, NewRequest, Promise, Row, Sort, Status, TakenDown, store};
use crm::request::{mention, merge};
use crm::testing::World;
use crm::who::Staff;

/// So many minutes after nine o'clock on Monday, 23 November 2026.
fn moment(minutes: i64) -> DateTime<Utc> {
    let nine = DateTime::from_timestamp(1_795_424_400, 0).expect("a time");
    nine + TimeDelta::minutes(minutes)
}

fn clock(world: &World, minutes: i64) {
    world.clock.set(moment(minutes));
}

/// A lead, and an agent.
async fn people(world: &World) -> (Staff, Staff) {
    role(world, "lead", r#"["requests", "levels"]"#).await;
    (lead(world).await, staff(world, "agent").await)
}

/// Nine to six, from Monday to Friday.
fn hours() -> NewCalendar {
    NewCalendar {
        name: "Support".into(),
        time_zone: "UTC".into(),
        week: ["9-18", "9-18", "9-18", "9-18", "9-18", "", ""].map(str::to_owned),
        days: String::new(),
    }
}

/// An hour for the first answer, half of one for each other, eight for a solution.
fn promises(calendar: CalendarId) -> NewPolicy {
    NewPolicy {
        calendar: calendar.to_string(),
        first_answer: "60".into(),
        next_answer: "30".into(),
        solution: "480".into(),
        warn: "80".into(),
        lead: "150".into(),
        queue: "200".into(),
        ..NewPolicy::default()
    }
}

async fn set_up(world: &World, by: &Staff) -> (CalendarId, PolicyId) {
    let db = &world.db;
    let calendar = managing::add_calendar(db, by, &hours()).await.expect("a calendar");
    let policy = managing::add_policy(db, by, &promises(calendar)).await;
    (calendar, policy.expect("a policy"))
}

/// How it stands with each clock of a request, in the order in which they began.
async fn clocks(world: &World, number: i64) -> Vec<String> {
    const SQL: &str = "SELECT c.kind || CASE WHEN c.met_at IS NOT NULL THEN ' met' WHEN c.dropped_at IS NOT NULL THEN ' dropped' \
                       WHEN c.paused_at IS NOT NULL THEN ' stands' ELSE ' runs' END \
                       || CASE WHEN c.breached_at IS NULL THEN '' ELSE ' late' END \
                       FROM request_clocks c JOIN requests r ON r.id = c.request_id WHERE r.number = $1 \
                       ORDER BY c.started_at, c.kind, c.id";
    let mut conn = world.db.read().await.expect("a connection");
    crm::on!(&mut conn, |c| sqlx::query_scalar(SQL).bind(number).fetch_all(c).await).expect("clocks")
}

/// When a clock that has not ended is due.
async fn due(world: &World, number: i64, kind: Promise) -> Option<DateTime<Utc>> {
    one!(
        world,
        Option<DateTime<Utc>>,
        "SELECT c.due_at FROM request_clocks c JOIN requests r ON r.id = c.request_id \
         WHERE r.number = $1 AND c.kind = $2 AND c.met_at IS NULL AND c.dropped_at IS NULL",
        number,
        kind
    )
}

/// What the request itself says.
async fn first_due(world: &World, number: i64) -> Option<DateTime<Utc>> {
    one!(
        world,
        Option<DateTime<Utc>>,
        "SELECT due_at FROM requests WHERE number = $1",
        number
    )
}

/// What somebody was told.
async fn told(world: &World, who: &Staff) -> Vec<String> {
    const SQL: &str = "SELECT kind FROM level_notices WHERE staff_id = $1 ORDER BY at, id";
    let mut conn = world.db.read().await.expect("a connection");
    crm::on!(&mut conn, |c| sqlx::query_scalar(SQL).bind(who.id()).fetch_all(c).await).expect("notices")
}

/// The job, on two nodes at once.
async fn tend(world: &World) {
    let (one, other) = tokio::join!(
        levels::run_due(&world.db, &SYSTEM, || true),
        levels::run_due(&world.db, &SYSTEM, || true)
    );
    one.and(other).expect("it runs");
}

/// Says by hand that the customer is waited for.
async fn wait(world: &World, by: &Staff, number: i64) {
    let read = seen(world, by, number).await;
    let set = store::set_status(&world.db, by, number, Status::Waiting, read).await;
    set.expect("waiting");
}

/// What should have been done before now.
async fn overdue(world: &World, by: &Staff) -> Vec<Row> {
    let filter = Filter {
        overdue: true,
        ..Filter::default()
    };
    let rows = store::queue(&world.db, by, &filter, Sort::Due, None, 100).await;
    let rows = rows.expect("a list");
    let mut conn = world.db.read().await.expect("a connection");
    let counts = store::counts(&mut conn, by).await.expect("counts");
    assert_eq!(usize::try_from(counts.overdue).ok(), Some(rows.len()));
    rows
}

crm::both_engines!(the_first_thing_to_do_is_what_a_level_says_is_late, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, _) = people(world).await;
    clock(world, 0);
    let free = write(world, &anna, "no level says when").await;
    let waiting = async || {
        let mut conn = world.db.read().await.expect("a connection");
        let found = outlook::waiting(&mut conn, anna.me()).await.expect("read");
        found.map(|one| (one.number, one.since, one.due_at))
    };
    let expected = (free, moment(0), moment(0) + ANSWER_WITHIN);
    assert_eq!(waiting().await, Some(expected), "a day, where nothing is promised");
    // An hour of work is over before that, though it was written later: at half past five there is half an hour left of the day.
    set_up(world, &lead).await;
    clock(world, 8 * 60 + 30);
    let late = write(world, &anna, "within an hour").await;
    let due = moment(24 * 60 + 30);
    sql!(
        world,
        "UPDATE requests SET waiting_since = $1 WHERE number = $2",
        due,
        free
    );
    assert_eq!(waiting().await, Some((late, moment(8 * 60 + 30), due)));
});

crm::both_engines!(clocks_follow_whatever_happens_to_a_request, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    let db = &world.db;
    clock(world, 0);
    let before = write(world, &anna, "hello").await;
    assert_eq!(
        clocks(world, before).await,
        Vec::<String>::new(),
        "nothing is promised yet"
    );
    set_up(world, &lead).await;

    let number = write(world, &anna, "hello").await;
    assert_eq!(clocks(world, number).await, ["first_answer runs", "solution runs"]);
    assert_eq!(first_due(world, number).await, Some(moment(60)));
    clock(world, 30);
    answer(world, &agent, number, "so it is").await;
    assert_eq!(clocks(world, number).await, ["first_answer met", "solution stands"]);
    assert_eq!(first_due(world, number).await, None, "the customer is waited for");

    clock(world, 90);
    store::answer(db, &anna, number, "and now?", &[]).await.expect("said");
    let all = ["first_answer met", "solution runs", "next_answer runs"];
    assert_eq!(clocks(world, number).await, all);
    assert_eq!(first_due(world, number).await, Some(moment(120)));
    // Eight hours, and the one for which it stood still.
    assert_eq!(due(world, number, Promise::Solution).await, Some(moment(540)));
    clock(world, 100);
    store::answer(db, &anna, number, "hello?", &[]).await.expect("said");
    assert_eq!(
        first_due(world, number).await,
        Some(moment(120)),
        "since the first word that is owed an answer"
    );

    clock(world, 121);
    answer(world, &agent, number, "so it is").await;
    let all = ["first_answer met", "solution stands", "next_answer met late"];
    assert_eq!(clocks(world, number).await, all, "late, though no job has looked");
    clock(world, 130);
    store::close(db, &anna, number).await.expect("closed");
    let all = ["first_answer met", "solution met", "next_answer met late"];
    assert_eq!(clocks(world, number).await, all);

    clock(world, 140);
    store::reopen(db, &anna, number).await.expect("opened");
    let again = clocks(world, number).await;
    assert_eq!(again[3..], ["next_answer runs", "solution runs"]);
    clock(world, 150);
    let read = seen(world, &agent, number).await;
    store::set_status(db, &agent, number, Status::Closed, read)
        .await
        .expect("closed");
    let again = clocks(world, number).await;
    assert_eq!(again[3..], ["next_answer dropped", "solution met"], "nobody answered");
    assert_eq!(first_due(world, number).await, None);

    // What is written before there is work is due from when there is.
    clock(world, 10 * 60);
    let number = write(world, &anna, "hello").await;
    assert_eq!(
        first_due(world, number).await,
        Some(moment(25 * 60)),
        "on Tuesday at ten"
    );
});

crm::both_engines!(time_that_runs_out_is_told_once_and_in_steps, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    clock(world, 0);
    set_up(world, &lead).await;
    let number = write(world, &anna, "hello").await;
    clock(world, 1);
    store::assign_to_me(&world.db, &agent, number, None)
        .await
        .expect("taken");
    let steps: [(i64, &[&str], &[&str]); 6] = [
        (47, &[], &[]),
        (49, &["warning"], &[]),
        (59, &["warning"], &[]),
        (61, &["warning", "breach"], &[]),
        (91, &["warning", "breach"], &["escalation"]),
        (121, &["warning", "breach", "returned"], &["escalation"]),
    ];
    for (minutes, to_agent, to_lead) in steps {
        clock(world, minutes);
        tend(world).await;
        tend(world).await;
        assert_eq!(told(world, &agent).await, to_agent, "{minutes}");
        assert_eq!(told(world, &lead).await, to_lead, "{minutes}");
        assert_eq!(
            overdue(world, &lead).await.len(),
            usize::from(minutes > 60),
            "{minutes}"
        );
    }
    let rows = overdue(world, &agent).await;
    let row = rows.first().expect("it is late");
    assert_eq!(
        (row.number, row.due_at, row.assignee.as_deref()),
        (number, Some(moment(60)), None),
        "nobody's again"
    );
    let audited = one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'request.level'");
    assert_eq!(audited, 4);
    // Whoever takes it then keeps it.
    clock(world, 122);
    store::assign_to_me(&world.db, &agent, number, None)
        .await
        .expect("taken");
    clock(world, 123);
    tend(world).await;
    assert_eq!(overdue(world, &agent).await[0].assignee.as_deref(), Some("agent"));
    answer(world, &agent, number, "so it is").await;
    assert_eq!(overdue(world, &agent).await, []);
    assert_eq!(
        clocks(world, number).await,
        ["first_answer met late", "solution stands"]
    );

    // Of what is nobody's the leads are told; what is late at once is not warned of as well.
    let other = write(world, &anna, "hello").await;
    clock(world, 123 + 61);
    tend(world).await;
    assert_eq!(told(world, &lead).await, ["escalation", "breach"]);
    assert_eq!(clocks(world, other).await, ["first_answer runs late", "solution runs"]);
});

crm::both_engines!(however_many_are_late_one_round_tells_of_all, async |world| {
    topic(world, "card", 1).await;
    let (lead, _) = people(world).await;
    clock(world, 0);
    set_up(world, &lead).await;
    // More than are looked up at once.
    for _ in 0..6 {
        let customer = customer(world, "Anna", "K").await;
        for _ in 0..18 {
            write(world, &customer, "hello").await;
        }
    }
    let late = async || {
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM request_clocks WHERE breached_at IS NOT NULL"
        )
    };
    clock(world, 61);
    levels::run_due(&world.db, &SYSTEM, || false).await.expect("it ends");
    assert_eq!(late().await, 0, "the server stops");
    levels::run_due(&world.db, &SYSTEM, || true).await.expect("it runs");
    assert_eq!(late().await, 108);
    assert_eq!(told(world, &lead).await.len(), 108, "each once");
});

crm::both_engines!(what_somebody_let_run_late_is_not_given_to_them_again, async |world| {
    let db = &world.db;
    clock(world, 0);
    let card = topic(world, "card", 1).await;
    role(world, "lead", r#"["requests", "levels", "desk"]"#).await;
    let (anna, lead) = (customer(world, "Anna", "K").await, lead(world).await);
    let (vera, igor) = (staff(world, "vera").await, staff(world, "igor").await);
    set_up(world, &lead).await;
    let id = queue(world, &lead, card, Mode::RoundRobin, &Rules::default()).await;
    for agent in [&vera, &igor] {
        queues::set_agent(db, &lead, id, agent.id(), None, Some(9))
            .await
            .expect("of the queue");
    }
    queues::set_presence(db, &vera, true).await.expect("there");
    let number = write(world, &anna, "hello").await;
    let assignee = async || {
        let whose = "SELECT assignee_id FROM requests WHERE number = $1";
        one!(world, Option<StaffId>, whose, number)
    };
    assert_eq!(assignee().await, Some(vera.id()));
    // Both are still there when her time runs out.
    clock(world, 100);
    for agent in [&vera, &igor] {
        again(world, agent.id()).await;
    }
    clock(world, 121);
    tend(world).await;
    assert_eq!(assignee().await, None);
    queues::run_due(db, &SYSTEM).await.expect("done");
    assert_eq!(assignee().await, None, "she alone is there");
    queues::set_presence(db, &igor, true).await.expect("there");
    queues::run_due(db, &SYSTEM).await.expect("given");
    assert_eq!(assignee().await, Some(igor.id()));
    // By hand it may be hers all the same.
    store::assign_to_me(db, &vera, number, Some(igor.id()))
        .await
        .expect("taken");
    assert_eq!(assignee().await, Some(vera.id()));
});

crm::both_engines!(what_runs_late_stands_in_an_inbox_until_it_is_read, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    let db = &world.db;
    // Who opens no requests reads nothing of them.
    role(world, "planner", r#"["levels"]"#).await;
    let planner = staff(world, "planner").await;
    let id = planner.id();
    sql!(world, "UPDATE staff SET role = 'planner' WHERE id = $1", id);
    clock(world, 0);
    let calendar = managing::add_calendar(db, &lead, &hours()).await.expect("a calendar");
    let at_once = NewPolicy {
        lead: "100".into(),
        ..promises(calendar)
    };
    managing::add_policy(db, &lead, &at_once).await.expect("a policy");
    let number = write(world, &anna, "hello").await;
    clock(world, 49);
    tend(world).await;
    store::note(db, &agent, number, "hm", &[]).await.expect("noted");
    clock(world, 61);
    let changes = one!(world, i64, "SELECT COUNT(*) FROM request_changes");
    tend(world).await;
    tend(world).await;
    assert_eq!(
        one!(world, i64, "SELECT COUNT(*) FROM request_changes"),
        changes + 2,
        "pages that show it are told, and the bell of the lead wherever they are"
    );
    let mut conn = db.read().await.expect("a connection");
    let queue = Listener::queue(&agent).expect("theirs");
    let told_queue = queue.missed(&mut conn, changes).await.expect("read");
    let bell = Listener::bell(&lead).expect("theirs");
    let rung = bell.missed(&mut conn, 0).await.expect("read");
    drop(conn);
    assert_eq!(told_queue.iter().map(|one| one.number).collect::<Vec<_>>(), [number]);
    assert_eq!(rung.len(), 2, "that it would be late, and that it needs a lead");
    assert_eq!(told(world, &planner).await, Vec::<String>::new());
    let inbox = async |by: &Staff, before| mention::inbox(db, by, before, 1).await.expect("an inbox");
    let late = inbox(&lead, None).await.remove(0);
    assert_eq!(
        (late.number, late.level, late.message, late.read_at),
        (number, Some(Told::Escalation), None, None),
        "and not that it is late as well"
    );
    let before = inbox(&lead, Some((late.at, late.id.0))).await;
    let levels: Vec<_> = before.iter().map(|one| one.level).collect();
    assert_eq!(levels, [Some(Told::Warning)]);
    let earlier = before.first().expect("one");
    assert!(inbox(&lead, Some((earlier.at, earlier.id.0))).await.is_empty());
    let unread = async |who: &Staff| again(world, who.id()).await.unread();
    assert_eq!(unread(&lead).await, 2);
    mention::mark_read(db, &lead, earlier.at).await.expect("read");
    assert_eq!(unread(&lead).await, 1, "what came later was not seen");
    mention::mark_read(db, &lead, late.at).await.expect("read");
    assert_eq!(unread(&lead).await, 0);
    assert!(inbox(&lead, None).await[0].read_at.is_some());

    // Of whoever left the leads look after what they had.
    let other = write(world, &anna, "hello").await;
    store::assign_to_me(db, &agent, other, None).await.expect("taken");
    let gone = agent.id();
    sql!(
        world,
        "UPDATE staff SET disabled_at = $2 WHERE id = $1",
        gone,
        world.db.now()
    );
    clock(world, 61 + 49);
    tend(world).await;
    assert_eq!(told(world, &agent).await, Vec::<String>::new());
    assert_eq!(unread(&lead).await, 1);
});

crm::both_engines!(what_is_late_is_not_hidden_by_waiting, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    clock(world, 0);
    set_up(world, &lead).await;
    let (late, in_time) = (write(world, &anna, "hello").await, write(world, &anna, "hello").await);
    let say = async |number| {
        let said = store::answer(&world.db, &anna, number, "well?", &[]).await;
        said.expect("said");
    };
    clock(world, 5);
    for number in [late, in_time] {
        answer(world, &agent, number, "hello").await;
    }
    clock(world, 10);
    for number in [late, in_time] {
        say(number).await;
        assert_eq!(first_due(world, number).await, Some(moment(40)));
    }
    clock(world, 30);
    wait(world, &agent, in_time).await;
    clock(world, 41);
    wait(world, &agent, late).await;
    clock(world, 500);
    tend(world).await;
    let numbers: Vec<i64> = overdue(world, &agent).await.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [late]);
    assert_eq!(first_due(world, late).await, Some(moment(40)));
    assert_eq!(
        clocks(world, late).await,
        ["first_answer met", "solution stands", "next_answer stands late"]
    );
    assert_eq!(first_due(world, in_time).await, None);
    // It goes on where it stood: ten minutes are left.
    say(in_time).await;
    assert_eq!(first_due(world, in_time).await, Some(moment(510)));

    let mut conn = world.db.read().await.expect("a connection");
    let ids: Vec<_> = overdue(world, &agent).await.iter().map(|row| row.id).collect();
    let of = levels::of(&mut conn, &agent, &ids).await.expect("read");
    let shown: Vec<_> = of[&ids[0]].iter().map(|due| (due.kind, due.is_paused)).collect();
    assert_eq!(shown, [(Promise::NextAnswer, true), (Promise::Solution, true)]);
    drop(conn);

    answer(world, &agent, late, "so it is").await;
    answer(world, &agent, in_time, "so it is").await;
});

crm::both_engines!(the_first_answer_is_owed_whatever_the_status_says, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    clock(world, 0);
    set_up(world, &lead).await;
    let (first, other) = (write(world, &anna, "hello").await, write(world, &anna, "hello").await);
    clock(world, 10);
    wait(world, &agent, first).await;
    assert_eq!(clocks(world, first).await, ["first_answer runs", "solution stands"]);
    assert_eq!(first_due(world, first).await, Some(moment(60)));
    // One that stood still, as it once did, runs on from the next round of the job.
    wait(world, &agent, other).await;
    sql!(
        world,
        "UPDATE request_clocks SET paused_at = $2, due_at = NULL, next_at = $2 WHERE kind = 'first_answer' \
         AND request_id = (SELECT id FROM requests WHERE number = $1)",
        other,
        moment(10)
    );
    clock(world, 30);
    tend(world).await;
    assert_eq!(clocks(world, other).await, ["first_answer runs", "solution stands"]);
    assert_eq!(
        first_due(world, other).await,
        Some(moment(80)),
        "without the time that it stood"
    );

    clock(world, 61);
    tend(world).await;
    let numbers: Vec<i64> = overdue(world, &agent).await.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [first]);
    assert_eq!(told(world, &lead).await, ["breach"], "nobody works on it");
    answer(world, &agent, first, "hello").await;
    assert_eq!(clocks(world, first).await, ["first_answer met late", "solution stands"]);
});

crm::both_engines!(a_caller_is_promised_what_a_writer_is, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    clock(world, 0);
    set_up(world, &lead).await;
    let written = write(world, &anna, "hello?").await;
    let said = TakenDown {
        request: NewRequest {
            topic: "card".into(),
            text: "hello?".into(),
            purchase: String::new(),
        },
        channel: "call_in".into(),
        talk: None,
    };
    let taken = store::take_down(&world.db, &agent, anna.id(), &said)
        .await
        .expect("written down");
    for number in [written, taken] {
        assert_eq!(clocks(world, number).await, ["first_answer runs", "solution runs"]);
        assert_eq!(first_due(world, number).await, Some(moment(60)));
    }
});

crm::both_engines!(what_staff_change_by_hand_moves_clocks_and_is_undone, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    let db = &world.db;
    clock(world, 0);
    let (calendar, _) = set_up(world, &lead).await;
    let urgent = NewPolicy {
        priority: "urgent".into(),
        first_answer: "15".into(),
        ..promises(calendar)
    };
    managing::add_policy(db, &lead, &urgent).await.expect("a policy");
    let number = write(world, &anna, "hello").await;
    assert_eq!(first_due(world, number).await, Some(moment(60)));
    clock(world, 10);
    let read = seen(world, &agent, number).await;
    bulk::sort(db, &agent, number, &[Act::Priority(Priority::Urgent)], read)
        .await
        .expect("sorted");
    assert_eq!(first_due(world, number).await, Some(moment(15)), "no job has looked");

    clock(world, 11);
    let closed = change(db, &agent, &[number], &[Act::Status(Status::Closed)]).await;
    assert_eq!(clocks(world, number).await, ["first_answer dropped", "solution met"]);
    assert_eq!(first_due(world, number).await, None);
    bulk::undo(db, &agent, closed.expect("closed")).await.expect("undone");
    assert_eq!(clocks(world, number).await, ["first_answer runs", "solution runs"]);
    assert_eq!(
        first_due(world, number).await,
        Some(moment(15)),
        "as if nothing had been"
    );
});

crm::both_engines!(what_goes_into_another_request_is_waited_for_there, async |world| {
    topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, agent) = people(world).await;
    let db = &world.db;
    clock(world, 0);
    set_up(world, &lead).await;
    let first = write(world, &anna, "hello").await;
    clock(world, 30);
    let second = write(world, &anna, "hello").await;
    assert_eq!(first_due(world, second).await, Some(moment(90)));
    clock(world, 40);
    merge::merge(db, &agent, second, &[first.to_string()])
        .await
        .expect("one request");
    assert_eq!(clocks(world, first).await, ["first_answer dropped", "solution dropped"]);
    assert_eq!(first_due(world, first).await, None);
    assert_eq!(
        first_due(world, second).await,
        Some(moment(60)),
        "as long as the customer waits"
    );
    merge::part(db, &agent, second, first).await.expect("two requests");
    assert_eq!(clocks(world, first).await, ["first_answer runs", "solution runs"]);
    assert_eq!(first_due(world, first).await, Some(moment(60)));
    assert_eq!(
        first_due(world, second).await,
        Some(moment(90)),
        "each by its own time again"
    );
});

crm::both_engines!(other_policies_and_calendars_count_at_once, async |world| {
    let card = topic(world, "card", 1).await;
    let anna = customer(world, "Anna", "K").await;
    let (lead, _) = people(world).await;
    let db = &world.db;
    clock(world, 0);
    let (calendar, policy) = set_up(world, &lead).await;
    let number = write(world, &anna, "hello").await;
    sql!(world, "UPDATE requests SET priority = 'urgent'");
    let urgent = NewPolicy {
        topic: "card".into(),
        priority: "urgent".into(),
        first_answer: "15".into(),
        ..promises(calendar)
    };
    let urgent = managing::add_policy(db, &lead, &urgent).await.expect("a policy");
    tend(world).await;
    assert_eq!(first_due(world, number).await, Some(moment(15)));

    let of = async |id| {
        let setup = managing::list(db, &lead).await.expect("a list");
        let found: Option<Policy> = setup.policies.into_iter().find(|policy| policy.id == id);
        found.expect("the policy")
    };
    let held = of(urgent).await;
    assert_eq!((held.topic_id, held.priority), (Some(card), Some(Priority::Urgent)));
    let longer = NewPolicy {
        topic: "card".into(),
        priority: "urgent".into(),
        first_answer: "20".into(),
        ..promises(calendar)
    };
    managing::change_policy(db, &lead, urgent, held.changed_at, &longer)
        .await
        .expect("changed");
    tend(world).await;
    assert_eq!(first_due(world, number).await, Some(moment(20)));
    let stale = managing::change_policy(db, &lead, urgent, held.changed_at, &longer).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");

    managing::remove_policy(db, &lead, urgent).await.expect("removed");
    tend(world).await;
    assert_eq!(
        first_due(world, number).await,
        Some(moment(60)),
        "the general one again"
    );
    let begun = managing::list(db, &lead).await.expect("a list").calendars[0].changed_at;
    let later = NewCalendar {
        days: "2026-11-23 10-18".into(),
        ..hours()
    };
    managing::change_calendar(db, &lead, calendar, begun, &later)
        .await
        .expect("changed");
    tend(world).await;
    assert_eq!(
        first_due(world, number).await,
        Some(moment(120)),
        "a day that begins at ten"
    );

    managing::remove_policy(db, &lead, policy).await.expect("removed");
    tend(world).await;
    assert_eq!(first_due(world, number).await, None);
    assert_eq!(
        clocks(world, number).await,
        ["first_answer dropped", "solution dropped"]
    );
    let gone = managing::remove_policy(db, &lead, policy).await;
    assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
});

/// What is wrong with fields, by their names.
fn flaws<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<(String, Flaw)> {
    match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    }
}

crm::both_engines!(
    a_closed_calendar_stays_with_its_policies_and_an_unused_one_goes,
    async |world| {
        topic(world, "card", 1).await;
        let (lead, agent) = people(world).await;
        let db = &world.db;
        let (calendar, policy) = set_up(world, &lead).await;
        let used = managing::remove_calendar(db, &lead, calendar).await;
        assert!(matches!(used, Err(Error::Stale)), "{used:?}");
        managing::set_calendar_open(db, &lead, calendar, false)
            .await
            .expect("closed");
        let seen = async || managing::list(db, &lead).await.expect("a list").policies[0].changed_at;
        managing::change_policy(db, &lead, policy, seen().await, &promises(calendar))
            .await
            .expect("it keeps it");
        let new = NewPolicy {
            topic: "card".into(),
            ..promises(calendar)
        };
        let refused = managing::add_policy(db, &lead, &new).await;
        let flaw = ("calendar".to_owned(), Flaw::NotAChoice);
        assert!(
            matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == [flaw.clone()]),
            "{refused:?}"
        );
        managing::set_calendar_open(db, &lead, calendar, true)
            .await
            .expect("open again");
        let second = managing::add_policy(db, &lead, &new).await.expect("a policy");
        for id in [policy, second] {
            managing::remove_policy(db, &lead, id).await.expect("removed");
        }
        let forbidden = managing::remove_calendar(db, &agent, calendar).await;
        assert!(matches!(forbidden, Err(Error::Forbidden)), "{forbidden:?}");
        managing::remove_calendar(db, &lead, calendar).await.expect("removed");
        let gone = managing::remove_calendar(db, &lead, calendar).await;
        assert!(matches!(gone, Err(Error::NotFound)), "{gone:?}");
    }
);

crm::both_engines!(what_leads_type_is_checked_field_by_field, async |world| {
    topic(world, "card", 1).await;
    let (lead, agent) = people(world).await;
    let db = &world.db;
    let flaw = |field: &str, flaw| (field.to_owned(), flaw);
    let mut wrong = NewCalendar {
        time_zone: "Mars/North".into(),
        days: "2027-01-01\ntomorrow".into(),
        ..hours()
    };
    wrong.week[2] = "18-9".into();
    assert_eq!(
        flaws(managing::add_calendar(db, &lead, &wrong).await),
        [
            flaw("time_zone", Flaw::NotATimeZone),
            flaw("wed", Flaw::NotHours),
            flaw("days", Flaw::Unreadable { line: 2 })
        ]
    );
    let idle = NewCalendar {
        week: Default::default(),
        ..hours()
    };
    assert_eq!(
        flaws(managing::add_calendar(db, &lead, &idle).await),
        [flaw("mon", Flaw::Missing)]
    );

    let (calendar, _) = set_up(world, &lead).await;
    let wrong = NewPolicy {
        calendar: String::new(),
        topic: "nothing".into(),
        priority: "sometimes".into(),
        first_answer: "soon".into(),
        solution: "0".into(),
        warn: String::new(),
        queue: "99".into(),
        ..promises(calendar)
    };
    assert_eq!(
        flaws(managing::add_policy(db, &lead, &wrong).await),
        [
            flaw("calendar", Flaw::NotAChoice),
            flaw("topic", Flaw::NotAChoice),
            flaw("priority", Flaw::NotAChoice),
            flaw("first_answer", Flaw::NotANumber),
            flaw("solution", Flaw::OutOfRange { min: 1, max: 60_000 }),
            flaw("warn", Flaw::Missing),
            flaw("queue", Flaw::OutOfRange { min: 100, max: 1_000 })
        ]
    );
    let nothing = NewPolicy {
        first_answer: String::new(),
        next_answer: String::new(),
        solution: String::new(),
        ..promises(calendar)
    };
    assert_eq!(
        flaws(managing::add_policy(db, &lead, &nothing).await),
        [flaw("first_answer", Flaw::Missing)]
    );
    let twice = managing::add_policy(db, &lead, &promises(calendar)).await;
    assert_eq!(flaws(twice), [flaw("topic", Flaw::Taken)]);

    let refused = managing::add_calendar(db, &agent, &hours()).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let refused = managing::add_policy(db, &agent, &promises(calendar)).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

crm::both_engines!(
    a_request_of_before_has_the_clocks_that_it_would_have_had,
    async |world| {
        topic(world, "card", 1).await;
        let anna = customer(world, "Anna", "K").await;
        let (lead, agent) = people(world).await;
        clock(world, 0);
        set_up(world, &lead).await;
        clock(world, 200);
        let said = |minutes, staff: bool, internal| PastMessage {
            staff: staff.then(|| agent.id()),
            internal,
            body: format!("after {minutes} minutes"),
            at: moment(minutes),
        };
        let past = |status, messages| Past {
            customer: anna.id(),
            topic: "card".into(),
            purchase: None,
            language: Lang::Ru,
            status,
            assignee: Some(agent.id()),
            seen: true,
            messages,
        };
        let put = async |past: &Past| {
            let put = world
                .db
                .write(|tx| scoped(async move { store::put(tx, &SYSTEM, past).await }));
            put.await.expect("written")
        };
        let talk = vec![
            said(0, false, false),
            // A note between staff answers nobody.
            said(10, true, true),
            said(90, true, false),
            said(120, false, false),
            said(140, true, false),
        ];
        let closed = put(&past(Status::Closed, talk.clone())).await;
        assert_eq!(
            clocks(world, closed).await,
            ["first_answer met late", "solution met", "next_answer met"]
        );
        let open = put(&past(Status::Open, talk[..4].to_vec())).await;
        assert_eq!(
            clocks(world, open).await,
            ["first_answer met late", "solution runs", "next_answer runs"]
        );
        assert_eq!(first_due(world, open).await, Some(moment(150)));
        assert_eq!(overdue(world, &agent).await.len(), 1, "since half past eleven");
        // Another priority promises something else.
        let urgent = NewPolicy {
            priority: "urgent".into(),
            next_answer: "10".into(),
            ..promises(one!(world, CalendarId, "SELECT id FROM level_calendars"))
        };
        managing::add_policy(&world.db, &lead, &urgent).await.expect("a policy");
        let sort = world.db.write(|tx| {
            scoped(async move { bulk::sort_by_system(tx, &SYSTEM, open, Priority::Urgent, &["late".into()]).await })
        });
        sort.await.expect("sorted");
        assert_eq!(first_due(world, open).await, Some(moment(130)));
    }
);
