//! Tasks: whose they are, what may be done with them and by whom, in what order they are read.

use crate::common::people::{self, SYSTEM, one, sql};
use crate::common::requests::change;
use crate::common::{customer, days, ready, sign_in};
use crm::Error;
use crm::db::Db;
use crm::flaw::Flaw;
use crm::id::{CustomerId, StaffId, TaskId};
use crm::lang::Localized;
use crm::request::Status;
use crm::request::mention;
use crm::request::store::bulk::Act;
use crm::request::store::queues;
use crm::staff::managing::{self, Handed};
use crm::task::store::{self as tasks, add, assign, end, list};
use crm::task::{End, Kind, NewTask, News, State, Task, Which};
use crm::testing::start;
use crm::who::{Staff, Subject};

fn new(title: &str, due: &str, owner: &Staff) -> NewTask {
    NewTask {
        title: title.into(),
        due: due.into(),
        owner: owner.id().to_string(),
        ..NewTask::default()
    }
}

async fn get(db: &Db, who: Subject, id: TaskId) -> Task {
    let mut conn = db.read().await.expect("a connection");
    let open = tasks::of(&mut conn, who).await.expect("read");
    open.into_iter().find(|task| task.id == id).expect("it is open")
}

async fn titles(db: &Db, by: &Staff, which: Which, owner: Option<&Staff>) -> Vec<String> {
    let found = list(db, by, which, owner.map(Staff::id), None, 50)
        .await
        .expect("a list");
    found.into_iter().map(|task| task.title).collect()
}

crm::both_engines!(a_task_is_written_handed_on_and_ended, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (agent, lead, marketer) = (
        people::agent(world).await,
        people::lead(world).await,
        people::marketer(world).await,
    );
    let flaws = |result: Result<TaskId, Error>| match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    let wrong = NewTask {
        title: " ".into(),
        due: "2026-11-20".into(),
        owner: marketer.id().to_string(),
        request: "7".into(),
        time: "25:00".into(),
        kind: "fax".into(),
    };
    let expected = [
        ("title", Flaw::Missing),
        ("due", Flaw::InThePast),
        ("time", Flaw::NotATime),
        ("kind", Flaw::NotAChoice),
        // Who may not open customers has no tasks.
        ("owner", Flaw::NotAChoice),
        ("request", Flaw::NotAChoice),
    ];
    let expected = expected.map(|(field, flaw)| (field.to_owned(), flaw));
    assert_eq!(flaws(add(db, &agent, who.id(), &wrong).await), expected);
    for (due, flaw) in [
        ("", Flaw::Missing),
        ("2026-02-31", Flaw::NotADate),
        ("9999-01-01", Flaw::NotADate),
    ] {
        let found = flaws(add(db, &agent, who.id(), &new("Позвонить", due, &agent)).await);
        assert_eq!(found, [("due".to_owned(), flaw)], "{due}");
    }
    let nobody = add(db, &agent, CustomerId::new(), &new("Позвонить", "2026-11-21", &agent)).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    let forbidden = add(db, &marketer, who.id(), &new("Позвонить", "2026-11-21", &agent)).await;
    assert!(matches!(forbidden, Err(Error::Forbidden)), "{forbidden:?}");

    let id = add(db, &agent, who.id(), &new("Позвонить", "2026-11-21", &agent))
        .await
        .expect("added");
    let task = get(db, who, id).await;
    assert_eq!((task.state, task.owner.as_str()), (State::Open, "Агния"));
    assert_eq!((task.kind, task.due_time()), (Kind::Other, None));
    let now = db.shop().local(db.now());
    let midnight = (now.date() + days(1)).and_time(chrono::NaiveTime::MIN);
    assert!(!task.is_overdue(midnight - chrono::TimeDelta::minutes(1)) && task.is_overdue(midnight));

    // Handed on, it is not the agent's to end any more.
    let (to, seen) = (lead.id().to_string(), task.changed_at);
    assign(db, &agent, id, seen, &to, ["2026-11-25", "9:30"])
        .await
        .expect("handed on");
    let task = get(db, who, id).await;
    assert_eq!(
        (task.owner_id, task.due_on.to_string(), task.due_time().as_deref()),
        (lead.id(), "2026-11-25".to_owned(), Some("09:30"))
    );
    let not_theirs = end(db, &agent, id, task.changed_at, End::Done).await;
    assert!(matches!(not_theirs, Err(Error::Forbidden)), "{not_theirs:?}");
    let late = end(db, &lead, id, seen, End::Done).await;
    assert!(matches!(late, Err(Error::Stale)), "it was changed since: {late:?}");
    end(db, &lead, id, task.changed_at, End::Done).await.expect("done");
    let again = end(db, &lead, id, task.changed_at, End::Cancelled).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    assert_eq!(titles(db, &lead, Which::Ended, Some(&lead)).await, ["Позвонить"]);
    let log =
        "SELECT COUNT(*) FROM audit WHERE customer_id = $1 AND action IN ('task.add', 'task.assign', 'task.done')";
    assert_eq!(one!(world, i64, log, who.id()), 3);
});

/// What stands of tasks in somebody's inbox, the oldest first: what is told, of what, and by whom.
async fn told(db: &Db, who: &Staff) -> Vec<(News, String, Option<String>)> {
    let all = mention::inbox(db, who, None, 50).await.expect("an inbox");
    let of_tasks = all
        .into_iter()
        .rev()
        .filter_map(|one| Some((one.task?, one.beginning, one.by_whom)));
    of_tasks.collect()
}

fn line(news: News, title: &str, by: Option<&str>) -> (News, String, Option<String>) {
    (news, title.to_owned(), by.map(str::to_owned))
}

crm::both_engines!(
    who_is_given_a_task_is_told_and_who_gave_it_when_it_ends,
    async |world| {
        let db = ready(world).await;
        let who = customer(db).await;
        let (agent, lead) = (people::agent(world).await, people::lead(world).await);
        let own = add(db, &lead, who.id(), &new("сама", "2026-11-25", &lead))
            .await
            .expect("added");
        let id = add(db, &lead, who.id(), &new("Позвонить", "2026-11-25", &agent))
            .await
            .expect("added");
        let other = add(db, &lead, who.id(), &new("Написать", "2026-11-24", &agent))
            .await
            .expect("added");
        let mut expected = vec![
            line(News::Given, "Позвонить", Some("Лада")),
            line(News::Given, "Написать", Some("Лада")),
        ];
        assert_eq!(told(db, &agent).await, expected);
        assert_eq!(people::again(world, agent.id()).await.unread(), 2, "the bell");
        assert_eq!(told(db, &lead).await, [], "what one gives oneself one knows");
        // The last that rang is for whoever was told.
        let rung = "SELECT staff_id FROM request_changes ORDER BY id DESC LIMIT 1";
        assert_eq!(one!(world, Option<StaffId>, rung), Some(agent.id()));
        // Read is read.
        mention::mark_read(db, &agent, db.now()).await.expect("read");
        assert_eq!(people::again(world, agent.id()).await.unread(), 0);

        // One sees what one gave to others, though one may not see all that they have to do.
        assert_eq!(titles(db, &lead, Which::Given, None).await, ["Написать", "Позвонить"]);
        assert_eq!(titles(db, &agent, Which::Given, None).await, Vec::<String>::new());
        add(db, &agent, who.id(), &new("спросить", "2026-11-23", &lead))
            .await
            .expect("added");
        assert_eq!(titles(db, &agent, Which::Given, None).await, ["спросить"]);

        // Put off it stays theirs, and is not told; handed back by the agent it is.
        let (mine, leads) = (agent.id().to_string(), lead.id().to_string());
        let seen = async |id: TaskId| get(db, who, id).await.changed_at;
        assign(db, &lead, other, seen(other).await, &mine, ["2026-11-26", ""])
            .await
            .expect("put off");
        assert_eq!(told(db, &agent).await, expected);
        world.clock.set(start() + chrono::TimeDelta::minutes(1));
        assign(db, &agent, other, seen(other).await, &leads, ["2026-11-26", ""])
            .await
            .expect("handed on");
        world.clock.set(start() + chrono::TimeDelta::minutes(2));
        end(db, &agent, id, seen(id).await, End::Done).await.expect("done");
        end(db, &lead, own, seen(own).await, End::Cancelled)
            .await
            .expect("called off");
        let of_lead = [
            line(News::Given, "спросить", Some("Агния")),
            line(News::Given, "Написать", Some("Агния")),
            line(News::Done, "Позвонить", Some("Агния")),
        ];
        assert_eq!(told(db, &lead).await, of_lead);
        // Called off by a lead, it was the agent who had asked for it.
        let asked = list(db, &agent, Which::Given, None, None, 1)
            .await
            .expect("a page")
            .remove(0);
        end(db, &lead, asked.id, asked.changed_at, End::Cancelled)
            .await
            .expect("called off");
        expected.push(line(News::Cancelled, "спросить", Some("Лада")));
        assert_eq!(told(db, &agent).await, expected);
    }
);

crm::both_engines!(a_task_is_told_of_once_when_its_hour_has_come, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let agent = people::agent(world).await;
    let begin = db.now();
    let local = db.shop().local(begin);
    let today = local.date().to_string();
    let at = |minutes: i64| {
        (local + chrono::TimeDelta::minutes(minutes))
            .format("%H:%M")
            .to_string()
    };
    let clock = |minutes: i64| world.clock.set(begin + chrono::TimeDelta::minutes(minutes));
    let run = async || {
        // On two nodes at once.
        let (one, other) = tokio::join!(tasks::run_due(db, &SYSTEM), tasks::run_due(db, &SYSTEM));
        one.and(other).expect("it runs");
        told(db, &agent).await.len()
    };
    let timed = NewTask {
        time: at(10),
        ..new("Перезвонить", &today, &agent)
    };
    let id = add(db, &agent, who.id(), &timed).await.expect("added");
    add(db, &agent, who.id(), &new("за день", &today, &agent))
        .await
        .expect("added");
    clock(9);
    assert_eq!(run().await, 0, "not yet");
    clock(10);
    assert_eq!(run().await, 1);
    assert_eq!(told(db, &agent).await, [line(News::Due, "Перезвонить", None)]);
    clock(11);
    assert_eq!(run().await, 1, "once");
    // Put off it is told at its new hour.
    let (mine, seen) = (agent.id().to_string(), get(db, who, id).await.changed_at);
    assign(db, &agent, id, seen, &mine, [&today, &at(20)])
        .await
        .expect("put off");
    assert_eq!(run().await, 1);
    clock(20);
    assert_eq!(run().await, 2);
    // What ended is told no more, nor what nobody told for days, nor what has no hour.
    let ended = NewTask {
        time: at(30),
        ..timed.clone()
    };
    let ended = add(db, &agent, who.id(), &ended).await.expect("added");
    let seen = get(db, who, ended).await.changed_at;
    end(db, &agent, ended, seen, End::Done).await.expect("done");
    let old = NewTask {
        time: at(40),
        ..timed.clone()
    };
    add(db, &agent, who.id(), &old).await.expect("added");
    clock(31);
    assert_eq!(run().await, 2);
    world.clock.set(begin + days(3));
    assert_eq!(run().await, 2);
});

crm::both_engines!(tasks_of_others_are_seen_by_leads_alone, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (agent, lead) = (people::agent(world).await, people::lead(world).await);
    for (title, due, owner) in [
        ("третье", "2026-11-23", &agent),
        ("первое", "2026-11-21", &agent),
        ("второе", "2026-11-22", &lead),
    ] {
        add(db, &agent, who.id(), &new(title, due, owner)).await.expect("added");
    }
    assert_eq!(
        titles(db, &agent, Which::Open, Some(&agent)).await,
        ["первое", "третье"]
    );
    for owner in [None, Some(lead.id())] {
        let refused = list(db, &agent, Which::Open, owner, None, 50).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    }
    assert_eq!(
        titles(db, &lead, Which::Open, None).await,
        ["первое", "второе", "третье"]
    );
    assert_eq!(titles(db, &lead, Which::Open, Some(&agent)).await, ["первое", "третье"]);

    // The next day the first one is late; pages go on where they ended.
    world.clock.set(start() + days(1));
    assert_eq!(titles(db, &lead, Which::Overdue, None).await, ["первое"]);
    let first = list(db, &lead, Which::Open, None, None, 2).await.expect("a page");
    let place = first.last().map(Task::place);
    let second = list(db, &lead, Which::Open, None, place, 2).await.expect("a page");
    assert_eq!(
        second.iter().map(|task| task.title.as_str()).collect::<Vec<_>>(),
        ["третье"]
    );
    let mut conn = db.read().await.expect("a connection");
    let load = tasks::load(&mut conn, &agent).await.expect("read");
    assert_eq!((load.open, load.today, load.overdue), (2, 0, 1));
    let loads = tasks::loads(&mut conn, &lead).await.expect("read");
    let loads: Vec<_> = loads
        .iter()
        .map(|one| (one.name.as_str(), one.open, one.overdue))
        .collect();
    assert_eq!(loads, [("Агния", 2, 1), ("Лада", 1, 0)]);
    let refused = tasks::loads(&mut conn, &agent).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
    drop(conn);
    // Whoever looked at a list is written down.
    assert!(one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'task.list'") >= 6);
    let own =
        "SELECT COUNT(*) FROM audit WHERE action = 'task.list' AND reason LIKE '% shown, tasks open, assignee me'";
    assert!(one!(world, i64, own) > 0);
});

crm::both_engines!(a_task_is_due_at_an_hour_of_its_day, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (agent, lead) = (people::agent(world).await, people::lead(world).await);
    let local = db.shop().local(db.now());
    let today = local.date().to_string();
    let at = |minutes: i64| {
        (local + chrono::TimeDelta::minutes(minutes))
            .format("%H:%M")
            .to_string()
    };
    let task = |title: &str, time: &str, kind: &str| NewTask {
        time: time.into(),
        kind: kind.into(),
        ..new(title, &today, &agent)
    };
    let over = add(db, &agent, who.id(), &task("over", &at(-1), "call")).await;
    match over {
        Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("time".to_owned(), Flaw::InThePast)]),
        other => panic!("{other:?}"),
    }
    for (title, time, kind) in [
        ("some time", "", ""),
        ("later", at(20).as_str(), "letter"),
        ("soon", at(10).as_str(), "call"),
    ] {
        add(db, &agent, who.id(), &task(title, time, kind))
            .await
            .expect("added");
    }
    let all = ["soon", "later", "some time"];
    assert_eq!(titles(db, &agent, Which::Open, Some(&agent)).await, all);
    let mut conn = db.read().await.expect("a connection");
    let open = tasks::of(&mut conn, who).await.expect("read");
    drop(conn);
    let open: Vec<_> = open
        .iter()
        .map(|task| (task.title.as_str(), task.kind, task.due_time()))
        .collect();
    let expected = [
        ("soon", Kind::Call, Some(at(10))),
        ("later", Kind::Letter, Some(at(20))),
        ("some time", Kind::Other, None),
    ];
    assert_eq!(open, expected);
    // Pages go on within a day.
    let first = list(db, &agent, Which::Open, Some(agent.id()), None, 1)
        .await
        .expect("a page");
    let place = first.last().map(Task::place);
    let rest = list(db, &agent, Which::Open, Some(agent.id()), place, 9)
        .await
        .expect("a page");
    assert_eq!(
        rest.iter().map(|task| task.title.as_str()).collect::<Vec<_>>(),
        all[1..]
    );

    // Late is what its hour is over of.
    let load = async || {
        let mut conn = db.read().await.expect("a connection");
        let load = tasks::load(&mut conn, &agent).await.expect("read");
        let loads = tasks::loads(&mut conn, &lead).await.expect("read");
        (
            load.today,
            load.overdue,
            loads.iter().map(|one| one.overdue).sum::<i64>(),
        )
    };
    let begin = db.now();
    world.clock.set(begin + chrono::TimeDelta::minutes(10));
    assert_eq!(load().await, (3, 0, 0), "until the hour itself");
    world.clock.set(begin + chrono::TimeDelta::minutes(11));
    assert_eq!(load().await, (2, 1, 1));
    assert_eq!(titles(db, &agent, Which::Overdue, Some(&agent)).await, ["soon"]);
    // What is over may stay so while it is handed on, and be put off.
    let soon = list(db, &agent, Which::Overdue, Some(agent.id()), None, 1)
        .await
        .expect("a page")
        .remove(0);
    let owner = agent.id().to_string();
    let earlier = assign(db, &agent, soon.id, soon.changed_at, &owner, [&today, &at(9)]).await;
    assert!(matches!(earlier, Err(Error::Invalid(_))), "{earlier:?}");
    assign(db, &agent, soon.id, soon.changed_at, &owner, [&today, &at(10)])
        .await
        .expect("as it was");
    let seen = get(db, who, soon.id).await.changed_at;
    assign(db, &agent, soon.id, seen, &owner, [&today, ""])
        .await
        .expect("put off");
    assert_eq!(
        titles(db, &agent, Which::Overdue, Some(&agent)).await,
        Vec::<String>::new()
    );
    let later = list(db, &agent, Which::Open, Some(agent.id()), None, 1)
        .await
        .expect("a page")
        .remove(0);
    assert_eq!(later.title, "later");
    assert!(later.is_overdue(local + chrono::TimeDelta::minutes(21)));
});

crm::both_engines!(
    a_task_may_be_about_a_request_of_its_customer_and_of_no_other,
    async |world| {
        let db = ready(world).await;
        let (who, other) = (customer(db).await, customer(db).await);
        let agent = people::agent(world).await;
        let request = crm::request::NewRequest {
            topic: "card".into(),
            text: "Где карта?".into(),
            purchase: String::new(),
        };
        let anna = sign_in(db, who).await;
        let number = crm::request::store::create(db, &anna, &request, &[])
            .await
            .expect("a request");
        let about = NewTask {
            request: format!("№ {number}"),
            ..new("Найти карту", "2026-11-21", &agent)
        };
        let id = add(db, &agent, who.id(), &about).await.expect("added");
        assert_eq!(get(db, who, id).await.request, Some(number));
        let foreign = add(db, &agent, other.id(), &about).await;
        assert!(matches!(foreign, Err(Error::Invalid(_))), "{foreign:?}");
    }
);

crm::both_engines!(what_somebody_has_who_is_gone_is_handed_over, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (gone, lead, ada) = (
        people::agent(world).await,
        people::lead(world).await,
        people::administrator(world).await,
    );
    let (marketer, other) = (
        people::marketer(world).await,
        people::agent_called(world, "other").await,
    );
    let mut ids = Vec::new();
    for (title, owner) in [
        ("первое", &gone),
        ("второе", &gone),
        ("сделанное", &gone),
        ("чужое", &other),
    ] {
        let new = new(title, "2026-11-21", owner);
        ids.push(add(db, &lead, who.id(), &new).await.expect("added"));
    }
    let before = get(db, who, ids[0]).await.changed_at;
    let done = get(db, who, ids[2]).await.changed_at;
    end(db, &gone, ids[2], done, End::Done).await.expect("done");

    let anna = sign_in(db, who).await;
    let mut numbers = Vec::new();
    for text in ["first", "closed", "of a queue"] {
        let request = crm::request::NewRequest {
            topic: "card".into(),
            text: text.into(),
            purchase: String::new(),
        };
        let number = crm::request::store::create(db, &anna, &request, &[]).await;
        numbers.push(number.expect("a request"));
    }
    let act = [Act::Assign(Some(gone.id()))];
    change(db, &lead, &numbers, &act).await.expect("given");
    let act = [Act::Status(Status::Closed)];
    change(db, &lead, &numbers[1..2], &act).await.expect("closed");
    // The lead does not work in the queue of the third.
    let name = &Localized::new("Платежи", "Billing");
    let queue = queues::create(db, &ada, "billing", name).await.expect("a queue");
    let (other, third) = (other.id(), numbers[2]);
    sql!(
        world,
        "INSERT INTO queue_agents (queue_id, staff_id, capacity) VALUES ($1, $2, 1)",
        queue,
        other
    );
    sql!(
        world,
        "UPDATE requests SET queue_id = $1 WHERE number = $2",
        queue,
        third
    );

    let to = lead.id().to_string();
    let early = managing::hand_over(db, &ada, gone.id(), &to).await;
    assert!(matches!(early, Err(Error::Stale)), "they work here: {early:?}");
    let (id, now) = (gone.id(), db.now());
    sql!(world, "UPDATE staff SET disabled_at = $2 WHERE id = $1", id, now);
    let not_theirs = managing::hand_over(db, &lead, id, &to).await;
    assert!(matches!(not_theirs, Err(Error::Forbidden)), "{not_theirs:?}");
    let nobody = managing::hand_over(db, &ada, StaffId::new(), &to).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    // Nobody, who is gone, and who may not open customers.
    for to in [String::new(), id.to_string(), marketer.id().to_string()] {
        match managing::hand_over(db, &ada, id, &to).await {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws, [("to".to_owned(), Flaw::NotAChoice)], "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    assert_eq!(get(db, who, ids[0]).await.owner_id, id, "nothing has happened");

    let handed = managing::hand_over(db, &ada, id, &to).await.expect("handed over");
    let expected = Handed {
        to: lead.id(),
        tasks: 2,
        requests: 1,
    };
    assert_eq!(handed, expected);
    let by_ada = Some("Ада");
    let of_lead = [line(News::Given, "первое", by_ada), line(News::Given, "второе", by_ada)];
    let mut found = told(db, &lead).await;
    found.retain(|(news, ..)| *news == News::Given);
    found.sort_by(|a, b| b.1.cmp(&a.1));
    assert_eq!(found, of_lead);
    for (task, owner) in [(ids[0], lead.id()), (ids[1], lead.id()), (ids[3], other)] {
        assert_eq!(get(db, who, task).await.owner_id, owner);
    }
    assert_eq!(
        titles(db, &lead, Which::Ended, Some(&gone)).await,
        ["сделанное"],
        "it was theirs"
    );
    // Whoever read a task before sees that it has moved on, though the clock stands still.
    let late = end(db, &lead, ids[0], before, End::Done).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let assignee = "SELECT assignee_id FROM requests WHERE number = $1";
    for (number, owner) in [(numbers[0], lead.id()), (numbers[1], id), (numbers[2], id)] {
        assert_eq!(one!(world, Option<StaffId>, assignee, number), Some(owner), "{number}");
    }
    let mut conn = db.read().await.expect("a connection");
    let left = managing::open_work(&mut conn, &ada, id).await.expect("counted");
    drop(conn);
    assert_eq!(left, (1, 0), "what the lead may not be given");
    // Each task tells it, and the log how many those were.
    let log = "SELECT COUNT(*) FROM audit WHERE customer_id = $1 AND action = 'task.assign' AND actor_id = $2";
    let (customer, ada_id) = (who.id(), ada.id());
    assert_eq!(one!(world, i64, log, customer, ada_id), 2);
    for told in ["2 tasks → %", "1 requests → %"] {
        let log = "SELECT COUNT(*) FROM audit WHERE action = 'staff.hand_over' AND object_id = $1 AND reason LIKE $2";
        assert_eq!(one!(world, i64, log, id, told), 1, "{told}");
    }
    let again = managing::hand_over(db, &ada, id, &to).await.expect("nothing is left");
    assert_eq!((again.tasks, again.requests), (0, 0));
});
