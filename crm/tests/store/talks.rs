//! Talks with customers and notes on them: who writes and mends them, and what becomes of them with the customer.

use crate::common::people::{self, lead, one};
use crate::common::{customer, days, ready, sign_in};
use chrono::TimeDelta;
use crm::flaw::Flaw;
use crm::id::{CustomerId, InteractionId};
use crm::interaction::store::{self as interactions, add, change, get};
use crm::interaction::{Entry, FREE, Way, scripts};
use crm::note::store as notes;
use crm::testing::start;
use crm::{Error, merge};

fn entry(outcome: &str, note: &str) -> Entry {
    Entry {
        channel: "call_out".into(),
        script: FREE.into(),
        outcome: outcome.into(),
        note: note.into(),
        minutes: "3".into(),
    }
}

crm::both_engines!(a_talk_is_mended_for_an_hour_and_then_corrected, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, customer(db).await);
    let (agent, colleague) = (people::agent(world).await, lead(world).await);
    let wrong = Entry {
        channel: "pigeon".into(),
        script: FREE.into(),
        outcome: "unheard_of".into(),
        note: "я".repeat(1001),
        minutes: "601".into(),
    };
    let Err(Error::Invalid(flaws)) = add(db, &agent, who.id(), &wrong, None).await else {
        panic!("nothing of it fits")
    };
    let expected = [
        ("channel", Flaw::NotAChoice),
        ("outcome", Flaw::NotAChoice),
        ("note", Flaw::TooLong { max: 1000 }),
        ("minutes", Flaw::OutOfRange { min: 1, max: 600 }),
    ];
    assert_eq!(flaws, expected.map(|(field, flaw)| (field.to_owned(), flaw)));
    let nobody = add(db, &agent, CustomerId::new(), &entry("told", ""), None).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");

    let id = add(db, &agent, who.id(), &entry("later", "Перезвонить"), None)
        .await
        .expect("written down");
    let read = async |id: InteractionId| {
        let mut conn = db.read().await.expect("a connection");
        get(&mut conn, who, id).await.expect("read")
    };
    let first = read(id).await;
    assert_eq!((first.channel, first.minutes), (Way::CallOut, Some(3)));
    assert_eq!(
        (first.outcome_name.ru.as_str(), first.staff.as_str()),
        ("Вернёмся позже", "Агния")
    );
    let mut conn = db.read().await.expect("a connection");
    let foreign = get(&mut conn, other, id).await;
    assert!(matches!(foreign, Err(Error::NotFound)), "{foreign:?}");
    drop(conn);

    world.clock.set(start() + TimeDelta::minutes(59));
    let seen = first.changed_at;
    let not_theirs = change(db, &colleague, who.id(), id, seen, &entry("told", "Всё решили")).await;
    assert!(matches!(not_theirs, Err(Error::Forbidden)), "{not_theirs:?}");
    let of_another = change(db, &agent, other.id(), id, seen, &entry("told", "")).await;
    assert!(matches!(of_another, Err(Error::NotFound)), "{of_another:?}");
    change(db, &agent, who.id(), id, seen, &entry("told", "Всё решили"))
        .await
        .expect("mended");
    let quick = change(db, &agent, who.id(), id, seen, &entry("told", "Ещё раз")).await;
    assert!(matches!(quick, Err(Error::Stale)), "from another window: {quick:?}");
    let mended = read(id).await;
    assert_eq!((mended.note.as_str(), mended.at), ("Всё решили", first.at));

    world.clock.set(start() + TimeDelta::hours(1));
    let late = change(db, &agent, who.id(), id, mended.changed_at, &entry("told", "Поздно")).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let elsewhere = add(db, &colleague, other.id(), &entry("told", ""), Some(id)).await;
    assert!(matches!(elsewhere, Err(Error::NotFound)), "{elsewhere:?}");
    let correction = add(db, &colleague, who.id(), &entry("later", "Не решили"), Some(id))
        .await
        .expect("corrected");
    assert_eq!(read(correction).await.corrects_id, Some(id));
    let kept = read(id).await;
    assert_eq!((kept.note.as_str(), kept.is_corrected), ("Всё решили", true));
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action LIKE 'interaction.%' AND customer_id = $1",
            who.id()
        ),
        3
    );
});

crm::both_engines!(scripts_have_steps_and_outcomes_in_both_languages, async |world| {
    let db = ready(world).await;
    // Once more, as the next start does.
    ready(world).await;
    let mut conn = db.read().await.expect("a connection");
    let scripts = interactions::scripts(&mut conn).await.expect("read");
    assert_eq!(scripts.first().map(|script| script.code.as_str()), Some(FREE));
    for script in &scripts {
        assert_eq!(script.version, 1);
        assert!(script.outcomes.len() > 1, "{}", script.code);
        assert_eq!(script.steps.is_empty(), script.code == FREE, "{}", script.code);
    }
    // What the panel of a customer leads to.
    for code in ["contact", "points", "away", "birthday"] {
        assert!(scripts.iter().any(|script| script.code == code), "{code}");
    }
});

crm::both_engines!(notes_are_read_once_from_page_to_page, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, customer(db).await);
    let agent = people::agent(world).await;
    // Two of each moment, and some of those in between pinned.
    for n in 0..7 {
        world.clock.set(start() + TimeDelta::minutes(n / 2));
        notes::add(db, &agent, who.id(), &format!("№ {n}"), n % 3 == 0)
            .await
            .expect("noted");
    }
    notes::add(db, &agent, other.id(), "О другом", true)
        .await
        .expect("noted");
    let mut conn = db.read().await.expect("a connection");
    for size in [1, 2, 3, 7] {
        let (mut bodies, mut after) = (Vec::new(), None);
        loop {
            let page = notes::of(&mut conn, who, after, size).await.expect("read");
            let Some(last) = page.last() else { break };
            after = Some(last.place());
            bodies.extend(page.into_iter().map(|note| note.body));
        }
        assert_eq!(bodies, ["№ 6", "№ 3", "№ 0", "№ 5", "№ 4", "№ 2", "№ 1"], "{size}");
    }
});

crm::both_engines!(notes_are_pinned_and_taken_away_by_who_wrote_them, async |world| {
    let db = ready(world).await;
    let (who, other) = (customer(db).await, customer(db).await);
    let (agent, colleague) = (people::agent(world).await, lead(world).await);
    let empty = notes::add(db, &agent, who.id(), " ", false).await;
    assert!(matches!(empty, Err(Error::Invalid(_))), "{empty:?}");
    let first = notes::add(db, &agent, who.id(), "Любит чай", false)
        .await
        .expect("noted");
    notes::add(db, &colleague, who.id(), "Плохо слышит", false)
        .await
        .expect("noted");
    let bodies = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = notes::of(&mut conn, who, None, 10).await.expect("read");
        all.into_iter().map(|note| note.body).collect::<Vec<_>>()
    };
    assert_eq!(bodies().await, ["Плохо слышит", "Любит чай"], "the newest first");
    let of_another = notes::pin(db, &colleague, other.id(), first, true).await;
    assert!(matches!(of_another, Err(Error::NotFound)), "{of_another:?}");
    notes::pin(db, &colleague, who.id(), first, true).await.expect("pinned");
    let again = notes::pin(db, &colleague, who.id(), first, true).await;
    assert!(matches!(again, Err(Error::Stale)), "{again:?}");
    let at_once = (0..6).map(|_| notes::pin(db, &colleague, who.id(), first, false));
    let done = futures::future::join_all(at_once).await;
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
    notes::pin(db, &colleague, who.id(), first, true).await.expect("pinned");
    assert_eq!(
        bodies().await,
        ["Любит чай", "Плохо слышит"],
        "what is pinned comes first"
    );
    let not_theirs = notes::remove(db, &colleague, who.id(), first).await;
    assert!(matches!(not_theirs, Err(Error::NotFound)), "{not_theirs:?}");
    notes::remove(db, &agent, who.id(), first).await.expect("removed");
    assert_eq!(bodies().await, ["Плохо слышит"]);
});

crm::both_engines!(
    what_staff_wrote_goes_over_with_an_account_and_goes_with_the_customer,
    async |world| {
        let db = ready(world).await;
        let (kept, old) = (customer(db).await, customer(db).await);
        for (who, phone) in [(kept, "+79000000002"), (old, "+79000000001")] {
            people::contact(world, who.id(), crm::contact::Kind::Phone, phone).await;
        }
        people::sql!(world, "UPDATE contacts SET verified_at = created_at");
        let (agent, lead) = (people::agent(world).await, lead(world).await);
        add(db, &agent, old.id(), &entry("later", "Аврора просила"), None)
            .await
            .expect("written down");
        notes::add(db, &agent, old.id(), "Аврора глуховата", true)
            .await
            .expect("noted");
        let task = crm::task::NewTask {
            title: "Позвонить Авроре".into(),
            due: "2026-11-25".into(),
            owner: agent.id().to_string(),
            ..crm::task::NewTask::default()
        };
        crm::task::store::add(db, &agent, old.id(), &task).await.expect("added");
        let of = async |who: CustomerId| {
            let mut counts = Vec::new();
            for sql in [
                "SELECT COUNT(*) FROM interactions WHERE customer_id = $1",
                "SELECT COUNT(*) FROM customer_notes WHERE customer_id = $1",
                "SELECT COUNT(*) FROM tasks WHERE customer_id = $1",
            ] {
                counts.push(one!(world, i64, sql, who));
            }
            counts
        };
        let fresh = lead.fresh(db).expect("fresh");
        merge::merge_by_staff(db, &fresh, kept.id(), old.id(), "Одна и та же")
            .await
            .expect("merged");
        assert_eq!((of(kept.id()).await, of(old.id()).await), (vec![1; 3], vec![0; 3]));
        merge::undo_by_staff(db, &fresh, kept.id(), "Сёстры")
            .await
            .expect("apart");
        assert_eq!((of(kept.id()).await, of(old.id()).await), (vec![0; 3], vec![1; 3]));

        // Erased: that there was a talk and a task stays, and nothing that says who it was with.
        let avrora = sign_in(db, old).await;
        crm::erasure::ask(db, &avrora.fresh(db).expect("fresh"), true)
            .await
            .expect("asked");
        world.clock.set(start() + days(20));
        assert_eq!(crm::erasure::run_due(db, &crate::common::BY).await.expect("erased"), 1);
        assert_eq!(of(old.id()).await, [1, 0, 1]);
        let left =
            "SELECT i.note || t.title || t.state FROM interactions i JOIN tasks t ON t.customer_id = i.customer_id";
        assert_eq!(one!(world, String, left), "cancelled");
        let gone = add(db, &agent, old.id(), &entry("told", "Аврора"), None).await;
        assert!(matches!(gone, Err(Error::Stale)), "there is nobody any more: {gone:?}");
    }
);

crm::both_engines!(staff_write_scripts_version_by_version, async |world| {
    let db = ready(world).await;
    let mara = people::marketer(world).await;
    let agent = people::agent(world).await;
    let new = crm::interaction::Script {
        code: " Winter ".into(),
        version: 1,
        name: people::text("Winter"),
        steps: vec![people::text("Say hello")],
        outcomes: vec![("come".into(), people::text("Will come"))],
    };
    let mut wrong = new.clone();
    wrong.steps.push(Default::default());
    wrong.outcomes.push(wrong.outcomes[0].clone());
    let refused = scripts::create(db, &mara, &wrong).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let line = |field: &str| (field.to_owned(), Flaw::Unreadable { line: 2 });
    assert_eq!(flaws, [line("steps"), line("outcomes")]);
    let code = scripts::create(db, &mara, &new).await.expect("added");
    assert_eq!(code, "winter");
    let twice = scripts::create(db, &mara, &new).await;
    assert!(
        matches!(&twice, Err(Error::Invalid(flaws)) if flaws == &[("key".to_owned(), Flaw::Taken)]),
        "{twice:?}"
    );
    let next = crm::interaction::Script {
        code,
        name: people::text("Frost"),
        ..new
    };
    scripts::change(db, &mara, &next).await.expect("changed");
    let late = scripts::change(db, &mara, &next).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let versions = scripts::versions(db, &mara, "winter").await.expect("read");
    let told: Vec<_> = versions
        .iter()
        .map(|one| {
            (
                one.script.version,
                one.script.name.en.as_str(),
                one.published_by.as_deref(),
            )
        })
        .collect();
    assert_eq!(told, [(2, "Frost", Some("Мара")), (1, "Winter", Some("Мара"))]);
    let mut conn = db.read().await.expect("a connection");
    let all = interactions::scripts(&mut conn).await.expect("read");
    assert_eq!(all.last().map(|script| script.name.en.as_str()), Some("Frost"));
    let refused = [
        scripts::create(db, &agent, &next).await.err(),
        scripts::change(db, &agent, &next).await.err(),
        scripts::list(db, &agent).await.err(),
        scripts::versions(db, &agent, "winter").await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(Error::Forbidden)), "{error:?}");
    }
});
