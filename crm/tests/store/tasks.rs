//! Tasks: whose they are, what may be done with them and by whom, in what order they are read.

use crate::common::people::{self, one};
use crate::common::{customer, days, ready, sign_in};
use crm::Error;
use crm::db::Db;
use crm::flaw::Flaw;
use crm::id::{CustomerId, TaskId};
use crm::task::store::{self as tasks, add, assign, end, list};
use crm::task::{End, NewTask, State, Task, Which};
use crm::testing::start;
use crm::who::{Staff, Subject};

fn new(title: &str, due: &str, owner: &Staff) -> NewTask {
    NewTask {
        title: title.into(),
        due: due.into(),
        owner: owner.id().to_string(),
        request: String::new(),
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
    };
    let expected = [
        ("title", Flaw::Missing),
        ("due", Flaw::InThePast),
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
    let today = db.shop().day(db.now());
    assert!(!task.is_overdue(today) && task.is_overdue(today + days(1)));

    // Handed on, it is not the agent's to end any more.
    let (to, seen) = (lead.id().to_string(), task.changed_at);
    assign(db, &agent, id, seen, &to, "2026-11-25")
        .await
        .expect("handed on");
    let task = get(db, who, id).await;
    assert_eq!(
        (task.owner_id, task.due_on.to_string()),
        (lead.id(), "2026-11-25".to_owned())
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
