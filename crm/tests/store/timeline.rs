//! A long history, page by page; a customer's value and rhythm.

use crate::common::people::{self, one, sql};
use crate::common::{customer, days, ready, slip};
use chrono::{NaiveDate, TimeDelta};
use crm::db::{self, Bind, Db, Rows, scoped};
use crm::id::AuditId;
use crm::outlook::{Rhythm, Value, store as outlook};
use crm::purchase::store as purchases;
use crm::testing::start;
use crm::timeline::{Event, EventKind, Filter, Group, store as timeline};
use crm::who::Subject;
use std::collections::BTreeSet;
use uuid::Uuid;

const PAGE: usize = 50;

/// Every event, page by page.
async fn walk(db: &Db, who: Subject, filter: &Filter) -> Vec<Event> {
    let mut conn = db.read().await.expect("a connection");
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (events, next) = timeline::page(&mut conn, who, filter, after, PAGE).await.expect("read");
        assert!(events.len() <= PAGE);
        assert!(next.is_none() || events.len() == PAGE, "a page that goes on is full");
        all.extend(events);
        match next {
            Some(place) => after = Some(place),
            None => return all,
        }
    }
}

/// Two purchases in each of so many hours, and two changes in every `every`th of them, all at its beginning.
async fn long(db: &Db, who: Subject, hours: i64, every: i64) {
    db.write(|tx| {
        scoped(async move {
            let mut changes = Rows::new(
                "INSERT INTO audit (id, at, actor, action, customer_id, reason, network)",
                "",
            );
            let mut receipts = Rows::new(
                "INSERT INTO purchases (id, source, document, kind, customer_id, at, line_count, total)",
                "",
            );
            for n in 0..hours {
                for twice in 0..2 {
                    let at = start() - TimeDelta::hours(n);
                    if n % every == 0 {
                        changes.push([
                            Bind::Id(AuditId::new().0),
                            Bind::Time(at),
                            Bind::Word("system"),
                            Bind::Word("card.bind"),
                            Bind::Id(who.id().0),
                            Bind::Word(""),
                            Bind::Word(""),
                        ]);
                    }
                    receipts.push([
                        Bind::Id(Uuid::now_v7()),
                        Bind::Word("test"),
                        Bind::Text(format!("{}-{n}-{twice}", who.id())),
                        Bind::Word("sale"),
                        Bind::Id(who.id().0),
                        Bind::Time(at),
                        Bind::Int(0),
                        Bind::Int(100),
                    ]);
                }
            }
            db::insert(tx, changes).await?;
            db::insert(tx, receipts).await?;
            Ok::<_, crm::Error>(())
        })
    })
    .await
    .expect("written");
}

crm::both_engines!(a_long_history_is_read_once_from_page_to_page, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, customer(db).await);
    long(db, who, 1250, 1).await;
    long(db, other, 1, 1).await;
    let all = walk(db, who, &Filter::default()).await;
    assert_eq!(all.len(), 5000);
    assert_eq!(
        all.iter().map(|event| event.id).collect::<BTreeSet<_>>().len(),
        5000,
        "each once"
    );
    assert!(all.is_sorted_by_key(|event| std::cmp::Reverse(event.at)));
    // Of one moment purchases come before changes, and of one source the row that was written last first.
    for moment in all.chunks(4) {
        let kinds: Vec<_> = moment.iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            [EventKind::Sale, EventKind::Sale, EventKind::Change, EventKind::Change]
        );
        assert!(moment[0].id > moment[1].id && moment[2].id > moment[3].id);
    }

    let only = |group| Filter {
        groups: vec![group],
        ..Filter::default()
    };
    assert_eq!(walk(db, who, &only(Group::Purchases)).await.len(), 2500);
    assert_eq!(walk(db, who, &only(Group::Changes)).await.len(), 2500);
    assert_eq!(walk(db, who, &only(Group::Calls)).await, []);
    let both = Filter {
        groups: vec![Group::Changes, Group::Purchases, Group::Calls],
        ..Filter::default()
    };
    assert_eq!(walk(db, who, &both).await, all, "several at once, from page to page");
    // Days are the shop's: in Moscow the 21st began at 21:00 UTC of the 20th.
    let day = NaiveDate::from_ymd_opt(2026, 11, 20);
    let of_a_day = Filter {
        from: day,
        to: day,
        ..Filter::default()
    };
    let found = walk(db, who, &of_a_day).await;
    assert_eq!(found.len(), 24 * 4);
    let shop = db.shop();
    assert!(found.iter().all(|event| Some(shop.day(event.at)) == day));
});

crm::both_engines!(what_happens_seldom_stands_among_what_happens_often, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    // Purchases fill most pages by themselves.
    long(db, who, 500, 70).await;
    let mut conn = db.read().await.expect("a connection");
    let (all, next) = timeline::page(&mut conn, who, &Filter::default(), None, 2000)
        .await
        .expect("read");
    drop(conn);
    assert_eq!((all.len(), next), (1016, None));
    let changes = all.iter().filter(|event| event.kind == EventKind::Change);
    assert_eq!(changes.count(), 16);
    assert!(all.is_sorted_by_key(|event| std::cmp::Reverse(event.at)));
    assert_eq!(walk(db, who, &Filter::default()).await, all, "and so from page to page");
});

fn of(groups: &[Group]) -> Filter {
    Filter {
        groups: groups.to_vec(),
        ..Filter::default()
    }
}

crm::both_engines!(each_group_is_found_by_itself, async |world| {
    let db = ready(world).await;
    let agent = people::agent(world).await;
    let who = customer(db).await;
    let anna = crate::common::sign_in(db, who).await;
    slip("R-1", who, start() - days(1))
        .line("чай", 1, 15_000)
        .book(db)
        .await;
    for channel in ["call_in", "call_out", "visit", "other"] {
        let entry = crm::interaction::Entry {
            channel: channel.into(),
            script: "free".into(),
            outcome: "told".into(),
            ..crm::interaction::Entry::default()
        };
        crm::interaction::store::add(db, &agent, who.id(), &entry, None)
            .await
            .expect("written down");
    }
    sql!(
        world,
        "INSERT INTO outbox (id, customer_id, channel, address, template, language, subject, body, state, created_at) \
         VALUES ($1, $2, 'sms', '+79000000001', 'welcome', 'ru', '', 'Здравствуйте', 'sent', $3)",
        crm::id::OutboxId::new(),
        who.id(),
        start(),
    );
    crm::note::store::add(db, &agent, who.id(), "Любит чай", true)
        .await
        .expect("noted");
    crate::common::join(db, who, "club", start() - days(2)).await;
    for (group, kind) in [
        (Group::Purchases, EventKind::Sale),
        (Group::Visits, EventKind::Interaction),
        (Group::OtherTalks, EventKind::Interaction),
        (Group::Messages, EventKind::Sent),
        (Group::Consents, EventKind::Joined),
        (Group::SignIns, EventKind::SignIn),
        (Group::Changes, EventKind::Change),
    ] {
        let found = walk(db, who, &of(&[group])).await;
        assert_eq!(
            found.iter().map(|event| event.kind).collect::<Vec<_>>(),
            [kind],
            "{group:?}"
        );
    }
    // Calls apart from visits, and both together.
    let ways = async |groups: &[Group]| {
        let mut found: Vec<String> = walk(db, who, &of(groups))
            .await
            .into_iter()
            .map(|event| event.code)
            .collect();
        found.sort();
        found
    };
    assert_eq!(ways(&[Group::Calls]).await, ["call_in", "call_out"]);
    assert_eq!(ways(&[Group::Visits]).await, ["visit"]);
    assert_eq!(
        ways(&[Group::Visits, Group::Calls]).await,
        ["call_in", "call_out", "visit"]
    );
    assert_eq!(anna.id(), who.id());
    for group in Group::ALL {
        assert_eq!(Group::from_code(group.code()), Some(group));
    }
});

crm::both_engines!(
    a_task_that_ended_stands_there_once_with_how_and_what_it_was,
    async |world| {
        use crm::task::{End, NewTask, store as tasks};
        let db = ready(world).await;
        let agent = people::agent(world).await;
        let (who, other) = (customer(db).await, customer(db).await);
        let mut ids = Vec::new();
        for (title, to) in [
            ("Позвонить", who),
            ("Написать", who),
            ("Не про них", other),
            ("Ждёт", who),
        ] {
            let new = NewTask {
                title: title.into(),
                due: "2026-11-25".into(),
                owner: agent.id().to_string(),
                ..NewTask::default()
            };
            ids.push(tasks::add(db, &agent, to.id(), &new).await.expect("added"));
        }
        for (at, end) in [(0, End::Done), (1, End::Cancelled), (2, End::Done)] {
            let seen = one!(
                world,
                chrono::DateTime<chrono::Utc>,
                "SELECT changed_at FROM tasks WHERE id = $1",
                ids[at]
            );
            tasks::end(db, &agent, ids[at], seen, end).await.expect("ended");
        }
        let ended = walk(db, who, &of(&[Group::Tasks])).await;
        let told: Vec<_> = ended.iter().map(|event| (event.id, event.code.as_str())).collect();
        assert_eq!(told, [(ids[1].0, "cancelled"), (ids[0].0, "done")]);
        let changes = walk(db, who, &of(&[Group::Changes])).await;
        assert!(changes.iter().all(|event| event.code == "task.add"), "{changes:?}");
        // Only theirs have titles here.
        let mut conn = db.read().await.expect("a connection");
        let titles = tasks::titles(&mut conn, who, &ids[..3]).await.expect("read");
        let titles: std::collections::BTreeMap<_, _> = titles.into_iter().collect();
        let expected = [(ids[0], "Позвонить".to_owned()), (ids[1], "Написать".to_owned())];
        assert_eq!(titles, std::collections::BTreeMap::from(expected));
        assert!(tasks::titles(&mut conn, who, &[]).await.expect("read").is_empty());
    }
);

crm::both_engines!(value_and_rhythm_are_of_the_last_twelve_months, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let read = async || {
        let mut conn = db.read().await.expect("a connection");
        outlook::bought(&mut conn, who).await.expect("read")
    };
    assert_eq!(read().await, (Value::default(), None));
    for (document, ago, price) in [
        ("A", 400, 9_000_00),
        ("B", 39, 100_00),
        ("C", 30, 200_00),
        ("D", 21, 300_00),
    ] {
        slip(document, who, start() - days(ago))
            .line("чай", 1, price)
            .book(db)
            .await;
    }
    // Twice on one day is one visit; what comes back is no visit, and lowers what was bought.
    slip("E", who, start() - days(21) + TimeDelta::hours(1))
        .line("мёд", 1, 200_00)
        .book(db)
        .await;
    slip("F", who, start() - days(2)).line("мёд", -1, 200_00).book(db).await;
    let expected = Value {
        sum: 600_00,
        purchases: 4,
        average: 200_00,
    };
    let rhythm = Rhythm {
        usual: Some(9),
        since: 21,
    };
    assert_eq!(read().await, (expected, Some(rhythm)));
    assert!(rhythm.stays_away());
    sql!(world, "UPDATE purchases SET voided_at = at WHERE document = 'D'");
    let (value, _) = read().await;
    assert_eq!(
        (value.sum, value.purchases),
        (300_00, 3),
        "a receipt that was voided counts no more"
    );
});

crm::both_engines!(
    what_a_purchase_was_for_is_told_by_its_customer_or_by_staff,
    async |world| {
        use crm::purchase::purpose;
        let db = ready(world).await;
        let (who, other) = (customer(db).await, customer(db).await);
        let (anna, boris) = (
            crate::common::sign_in(db, who).await,
            crate::common::sign_in(db, other).await,
        );
        let (agent, marketer) = (people::agent(world).await, people::marketer(world).await);
        let id = slip("R-1", who, start() - days(1))
            .line("чай", 1, 100_00)
            .book(db)
            .await
            .id;
        let told = async || {
            let mut conn = db.read().await.expect("a connection");
            purchases::receipt(&mut conn, who, id).await.expect("read").purpose
        };
        assert_eq!(told().await, None);
        purpose::tell(db, &anna, id, "gift").await.expect("told");
        assert_eq!(told().await.as_deref(), Some("gift"));
        let foreign = purpose::tell(db, &boris, id, "work").await;
        assert!(matches!(foreign, Err(crm::Error::NotFound)), "{foreign:?}");
        let unknown = purpose::tell(db, &anna, id, "resale").await;
        assert!(matches!(unknown, Err(crm::Error::Invalid(_))), "{unknown:?}");
        let forbidden = purpose::note(db, &marketer, (who.id(), id), "gift", "work").await;
        assert!(matches!(forbidden, Err(crm::Error::Forbidden)), "{forbidden:?}");
        purpose::note(db, &agent, (who.id(), id), "gift", "work")
            .await
            .expect("noted");
        // Who saw what stood there before overwrites nobody.
        let late = purpose::note(db, &agent, (who.id(), id), "gift", "").await;
        assert!(matches!(late, Err(crm::Error::Stale)), "{late:?}");
        let foreign = purpose::note(db, &agent, (other.id(), id), "work", "gift").await;
        assert!(matches!(foreign, Err(crm::Error::NotFound)), "{foreign:?}");
        assert_eq!(told().await.as_deref(), Some("work"));
        purpose::tell(db, &anna, id, "").await.expect("taken back");
        assert_eq!(told().await, None);
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM audit WHERE action = 'purchase.purpose'"
            ),
            3
        );
    }
);
