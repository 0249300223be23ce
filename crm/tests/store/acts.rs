//! What staff do for a customer: cards, receipts, contacts, data; why they open a card, and the cabinet as its customer sees it.

use crate::common::people::{agent, contact, lead, one, sql, staff_token};
use crate::common::*;
use chrono::TimeDelta;
use crm::audit;
use crm::both_engines;
use crm::card::store as cards;
use crm::contact::{Kind, store as contacts};
use crm::customer::correct::{self, Record, Typed};
use crm::customer::{PersonForm, store as customers};
use crm::db::Db;
use crm::erasure;
use crm::error::Error;
use crm::export;
use crm::factor::store as factors;
use crm::find::store as finding;
use crm::flaw::Flaw;
use crm::id::{CustomerId, FactorId};
use crm::outbox;
use crm::purchase::amend::{self, Act, State};
use crm::purchase::claim::{claim, claim_by_staff};
use crm::purchase::void::VoidError;
use crm::purchase::{Filter, correct as receipts, store as purchases};
use crm::request::mention;
use crm::staff::approval::Step;
use crm::staff::view;
use crm::staff::why::{self, Clues, Why};
use crm::testing::start;
use crm::who::{self, Subject, Visitor};
use futures::future::join_all;

/// What the customer reads of what others did, the newest first: action and reason.
async fn told(db: &Db, who: Subject) -> Vec<(String, String)> {
    let mut conn = db.read().await.expect("a connection");
    let (looks, _) = audit::of_customer(&mut conn, who, None, 50).await.expect("read");
    looks.into_iter().map(|look| (look.action, look.reason)).collect()
}

async fn sent(db: &Db, template: &str) -> usize {
    let messages = outbox::inbox(db, 100).await.expect("the outbox");
    messages.iter().filter(|message| message.template == template).count()
}

/// A customer with a proved phone.
async fn with_phone(world: &crm::testing::World, phone: &str) -> Subject {
    let who = customer(&world.db).await;
    contact(world, who.id(), Kind::Phone, phone).await;
    sql!(world, "UPDATE contacts SET verified_at = created_at");
    who
}

both_engines!(staff_block_a_card_and_give_another, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (with_phone(world, "+79000000001").await, customer(db).await);
    card(db, anna, "active").await;
    let (agent, marketer) = (agent(world).await, people::marketer(world).await);
    let of = async |who: Subject| {
        cards::of(&mut db.read().await.expect("a connection"), who)
            .await
            .expect("cards")
    };
    let lost = of(anna).await.remove(0);
    let refused = cards::block_by_staff(db, &marketer, anna.id(), lost.id, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let silent = cards::block_by_staff(db, &agent, anna.id(), lost.id, " ").await;
    assert!(matches!(silent, Err(Error::Invalid(_))), "{silent:?}");
    let other = cards::block_by_staff(db, &agent, boris.id(), lost.id, "не его").await;
    assert!(matches!(other, Err(Error::NotFound)), "{other:?}");
    assert!(
        !of(anna)
            .await
            .iter()
            .any(|card| card.state == crm::card::State::Blocked)
    );
    // Of two at once one blocks it, and a new one takes its place, once.
    let both = join_all((0..2).map(|_| cards::block_by_staff(db, &agent, anna.id(), lost.id, "Потеряла"))).await;
    assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1, "{both:?}");
    assert!(both.iter().any(|one| matches!(one, Err(Error::Stale))), "{both:?}");
    assert_eq!(of(anna).await.len(), 2);
    assert_eq!(sent(db, "card_blocked").await, 1);
    assert_eq!(told(db, anna).await[0], ("card.stop".into(), "Потеряла".into()));

    let fresh = agent.fresh(db).expect("fresh");
    let issue = async |number: &'static str| cards::issue_by_staff(db, &fresh, anna.id(), number, "Новая").await;
    let flaw = |got: Result<(), Error>| match got {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    assert_eq!(flaw(issue("").await), [("number".to_owned(), Flaw::Taken)]);
    for wrong in ["12", "2900000000018"] {
        assert_eq!(flaw(issue(wrong).await), [("number".to_owned(), Flaw::NoBlankCard)]);
    }
    sql!(
        world,
        "INSERT INTO cards (id, number, kind, state, issued_at) VALUES ($1, '2900000000018', 'plastic', 'active', $2)",
        crm::id::CardId::new(),
        start(),
    );
    issue("2900000000018").await.expect("given");
    assert_eq!(sent(db, "card_bound").await, 1);
    assert_eq!(
        flaw(issue("2900000000018").await),
        [("number".to_owned(), Flaw::NoBlankCard)]
    );
    sql!(
        world,
        "UPDATE cards SET state = 'blocked', secret = NULL WHERE kind = 'virtual'"
    );
    issue("").await.expect("issued");
    assert_eq!(sent(db, "card_issued").await, 1);
    assert_eq!(told(db, anna).await[0], ("card.issue".into(), "Новая".into()));
});

both_engines!(a_receipt_goes_from_the_wrong_customer_to_the_right_one, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    for who in [anna, boris] {
        join(db, who, "club", start() - days(30)).await;
    }
    let at = start() - days(20);
    let booked = slip("R-1", anna, at).line("чай", 2, 15_000).book(db).await;
    let kept = slip("R-2", anna, at).line("чай", 1, 10_000).book(db).await;
    sql!(
        world,
        "UPDATE purchases SET receipt_code = 'ABCD2345' WHERE document = 'R-1'"
    );
    let before = held(db, anna).await;
    let (lead, agent) = (lead(world).await, agent(world).await);
    let fresh = lead.fresh(db).expect("fresh");
    let refused = receipts::detach(db, &agent.fresh(db).expect("fresh"), anna.id(), booked.id, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let other = receipts::detach(db, &fresh, boris.id(), booked.id, "не его").await;
    assert!(matches!(other, Err(Error::NotFound)), "{other:?}");
    receipts::detach(db, &fresh, anna.id(), booked.id, "Чужая карта")
        .await
        .expect("detached");
    let twice = receipts::detach(db, &fresh, anna.id(), booked.id, "Чужая карта").await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    // Of what she had, that of the other receipt is left.
    let (active, pending) = held(db, anna).await;
    assert!(active + pending > 0 && active + pending < before.0 + before.1);
    let mut conn = db.read().await.expect("a connection");
    let page = purchases::list(&mut conn, anna, &Filter::default(), None, 10)
        .await
        .expect("read");
    drop(conn);
    let left: Vec<_> = page.months.iter().flat_map(|(_, all)| all).map(|one| one.id).collect();
    assert_eq!(left, [kept.id]);
    let nobodys =
        "SELECT COUNT(*) FROM purchases WHERE document = 'R-1' AND customer_id IS NULL AND receipt_code = 'ABCD2345'";
    assert_eq!(one!(world, i64, nobodys), 1);
    assert_books_agree(db).await;

    // Whoever bought it claims it, by staff or alone, and earns what it earns.
    let (first, second) = (
        claim_by_staff(db, &fresh, boris.id(), "abcd-2345", "Показал чек").await,
        claim_by_staff(db, &fresh, boris.id(), "abcd-2345", "Показал чек").await,
    );
    let new = first.expect("claimed");
    assert_ne!(new, booked.id);
    assert!(matches!(second, Err(Error::Invalid(_))), "{second:?}");
    assert_eq!(
        held(db, boris).await.0 + held(db, boris).await.1 + active + pending,
        before.0 + before.1
    );
    assert!(matches!(
        claim(db, &sign_in(db, anna).await, "ABCD2345").await,
        Err(Error::Invalid(_))
    ));
    // A return by its number finds the one that is his.
    slip("B-1", boris, start() - days(1))
        .line("чай", -1, 15_000)
        .of("R-1")
        .book(db)
        .await;
    let returned = receipts::detach(db, &fresh, boris.id(), new, "Передумали").await;
    assert!(matches!(returned, Err(Error::Stale)), "{returned:?}");
    assert_books_agree(db).await;
    assert_eq!(
        told(db, boris).await.first().map(|(action, _)| action.as_str()),
        Some("purchase.attach")
    );
});

both_engines!(
    what_points_paid_goes_back_with_a_receipt_that_is_taken_off,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        fund(db, anna, 10_000, start() - days(10)).await;
        join(db, anna, "club", start() - days(2)).await;
        let before = held(db, anna).await;
        let booked = slip("R-1", anna, start() - days(1))
            .line("чай", 1, 50_000)
            .book(db)
            .await;
        let family = program(db, "family").await;
        let wish = reserve(db, anna, family, "one", 2_000).await.expect("reserved");
        crm::points::store::spending::capture(db, &BY, anna, wish.id, wish.points, Some(booked.id))
            .await
            .expect("captured");
        assert_eq!(held(db, anna).await.0, before.0 - 2_000);
        let lead = lead(world).await;
        receipts::detach(db, &lead.fresh(db).expect("fresh"), anna.id(), booked.id, "Чужой чек")
            .await
            .expect("detached");
        assert_eq!(
            held(db, anna).await,
            before,
            "what paid is back, what it earned is gone"
        );
        assert_books_agree(db).await;
    }
);

both_engines!(a_receipt_is_moved_to_whose_it_is_however_old_it_is, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (with_phone(world, "+79000000001").await, customer(db).await);
    for who in [anna, boris] {
        join(db, who, "club", start() - days(90)).await;
    }
    // It has no code that anybody could type, and is older than what may be claimed.
    let booked = slip("R-1", anna, start() - days(60))
        .line("чай", 2, 15_000)
        .book(db)
        .await;
    let before = held(db, anna).await;
    let lead = lead(world).await;
    let fresh = lead.fresh(db).expect("fresh");
    let receipt = (anna.id(), booked.id);
    let same = receipts::hand_over(db, &fresh, receipt, anna.id(), "Ошиблись").await;
    assert!(matches!(same, Err(Error::Invalid(_))), "{same:?}");
    receipts::hand_over(db, &fresh, receipt, boris.id(), "Карту взял муж")
        .await
        .expect("moved");
    let after = held(db, boris).await;
    assert_eq!((held(db, anna).await, after.0 + after.1), ((0, 0), before.0 + before.1));
    let own = "SELECT COUNT(*) FROM purchases WHERE document = 'R-1' AND customer_id = $1 AND voided_at IS NULL";
    assert_eq!(one!(world, i64, own, boris.id()), 1);
    for (who, action) in [(anna, "purchase.detach"), (boris, "purchase.attach")] {
        assert_eq!(told(db, who).await[0], (action.into(), "Карту взял муж".into()));
    }
    assert_eq!(sent(db, "receipt_corrected").await, 1, "who loses points hears of it");
    let twice = receipts::hand_over(db, &fresh, receipt, boris.id(), "Ещё раз").await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    assert_books_agree(db).await;
});

both_engines!(what_a_till_did_not_send_is_booked_as_it_was_previewed, async |world| {
    let db = ready(world).await;
    let anna = with_phone(world, "+79000000001").await;
    join(db, anna, "club", start() - days(30)).await;
    let booked = slip("R-1", anna, start() - days(20))
        .line("чай", 3, 10_000)
        .off_by_rules(1_000)
        .line("мёд", 1, 50_000)
        .book(db)
        .await;
    let (lead, agent) = (lead(world).await, agent(world).await);
    let fresh = lead.fresh(db).expect("fresh");
    let at = (anna.id(), booked.id);
    let before = held(db, anna).await;
    let two = Act::Return(vec![(1, 2)]);
    let effect = amend::preview(db, &lead, at, &two).await.expect("told");
    assert!(effect.total() < 0, "{effect:?}");
    assert_eq!(effect.moved(), -effect.total());
    // It was but looked at.
    assert_eq!(held(db, anna).await, before);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM purchases"), 1);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM receipt_corrections"), 0);

    let nobody = amend::preview(db, &agent, at, &two).await;
    assert!(matches!(nobody, Err(VoidError::Crm(Error::Forbidden))), "{nobody:?}");
    let seen = effect.word();
    let whole = amend::preview(db, &lead, at, &Act::Void).await.expect("told");
    for (act, seen, reason) in [(&two, whole.word().as_str(), "Не то"), (&two, "", "Не то")] {
        let other = amend::amend(db, &fresh, at, act, seen, reason).await;
        assert!(matches!(other, Err(VoidError::Crm(Error::Stale))), "{other:?}");
    }
    let silent = amend::amend(db, &fresh, at, &two, &seen, " ").await;
    assert!(matches!(silent, Err(VoidError::Crm(Error::Invalid(_)))), "{silent:?}");
    for too_many in [vec![(1, 4)], vec![(3, 1)], vec![(1, 0)]] {
        let refused = amend::preview(db, &lead, at, &Act::Return(too_many)).await;
        assert!(matches!(refused, Err(VoidError::Crm(Error::Stale))), "{refused:?}");
    }
    let done = amend::amend(db, &fresh, at, &two, &seen, "Касса не пробила возврат").await;
    assert_eq!(done.expect("booked"), State::Booked);
    let after = held(db, anna).await;
    assert_eq!(after.0 + after.1 - before.0 - before.1, effect.total());
    assert_eq!(
        told(db, anna).await[0],
        ("purchase.return".into(), "Касса не пробила возврат (1:2)".into())
    );
    assert_eq!(sent(db, "receipt_corrected").await, 1);
    let line = receipt(db, anna, booked.id).await.lines.remove(0);
    assert_eq!((line.returned, line.returns[0].document.as_str()), (2, "R-1~1"));
    let back = line.returns[0].purchase;
    assert_eq!(
        receipt(db, anna, back).await.head.total,
        -19_334,
        "two thirds of what was paid, to a kopeck"
    );

    // The till that is late with it brings back no more than is left, and the sale is not voided before its return is.
    let late = slip("B-1", anna, start())
        .line("чай", -2, 10_000)
        .of_line("R-1", 1)
        .try_book(db)
        .await;
    assert!(matches!(late, Err(Error::NotBought { .. })), "{late:?}");
    let early = amend::preview(db, &lead, at, &Act::Void).await;
    assert!(matches!(early, Err(VoidError::Returned)), "{early:?}");
    let undo = amend::preview(db, &lead, (anna.id(), back), &Act::Void)
        .await
        .expect("told");
    assert_eq!(undo.total(), -effect.total());
    amend::amend(
        db,
        &fresh,
        (anna.id(), back),
        &Act::Void,
        &undo.word(),
        "Ошиблись чеком",
    )
    .await
    .expect("voided");
    let again = held(db, anna).await;
    assert_eq!(again.0 + again.1, before.0 + before.1, "all is as it was");
    let whole = amend::preview(db, &lead, at, &Act::Void).await.expect("told");
    amend::amend(db, &fresh, at, &Act::Void, &whole.word(), "Пробили дважды")
        .await
        .expect("voided");
    assert_eq!(held(db, anna).await, (0, 0));
    assert_eq!(
        told(db, anna).await[0],
        ("purchase.void".into(), "Пробили дважды".into())
    );
    let mut conn = db.read().await.expect("a connection");
    let known = amend::of(&mut conn, anna, booked.id).await.expect("read");
    drop(conn);
    let known: Vec<_> = known.iter().map(|one| (one.act.as_str(), one.state)).collect();
    assert_eq!(known.len(), 2);
    assert!(known.contains(&("void", State::Booked)) && known.contains(&("1:2", State::Booked)));
    assert_books_agree(db).await;
});

both_engines!(
    what_points_paid_of_a_line_goes_back_when_staff_bring_it_back,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        fund(db, anna, 10_000, start() - days(10)).await;
        let booked = slip("R-1", anna, start() - days(1))
            .line("чай", 1, 50_000)
            .book(db)
            .await;
        let before = held(db, anna).await;
        let wish = reserve(db, anna, program(db, "family").await, "one", 2_000)
            .await
            .expect("reserved");
        crm::points::store::spending::capture(db, &BY, anna, wish.id, wish.points, Some(booked.id))
            .await
            .expect("captured");
        let lead = lead(world).await;
        let (at, all) = ((anna.id(), booked.id), Act::Return(vec![(1, 1)]));
        let effect = amend::preview(db, &lead, at, &all).await.expect("told");
        assert_eq!((effect.total(), effect.moved()), (2_000, 2_000));
        amend::amend(
            db,
            &lead.fresh(db).expect("fresh"),
            at,
            &all,
            &effect.word(),
            "Вернула вчера",
        )
        .await
        .expect("booked");
        assert_eq!(held(db, anna).await, before);
        assert_books_agree(db).await;
    }
);

both_engines!(
    more_points_than_somebody_may_move_alone_wait_for_a_colleague,
    async |world| {
        ready(world).await;
        let policy = crm::points::Policy {
            adjustment_caps: std::collections::BTreeMap::from([("lead".to_owned(), 1)]),
            ..crm::points::Policy::default()
        };
        let db = &with_policy(world, policy).await;
        let anna = with_phone(world, "+79000000001").await;
        join(db, anna, "club", start() - days(30)).await;
        let booked = slip("R-1", anna, start() - days(20))
            .line("чай", 1, 100_000)
            .line("спички", 1, 1_000)
            .book(db)
            .await;
        let (lead, other, agent) = (lead(world).await, lead(world).await, agent(world).await);
        let (fresh, others) = (lead.fresh(db).expect("fresh"), other.fresh(db).expect("fresh"));
        let at = (anna.id(), booked.id);
        let before = held(db, anna).await;
        let ask = async || {
            let whole = amend::preview(db, &lead, at, &Act::Void).await.expect("told");
            assert!(whole.moved() > 1_00);
            amend::amend(db, &fresh, at, &Act::Void, &whole.word(), "Пробили дважды").await
        };
        let waits = async || amend::awaiting(db, &other, None, 10).await.expect("a list").0;
        let count = async |who: &crm::who::Staff| people::again(world, who.id()).await.corrections_waiting();
        // What is told of it in somebody's inbox, the newest first.
        let inbox = async |who: &crm::who::Staff| {
            let lines = mention::inbox(db, who, None, 20).await.expect("an inbox");
            let told = lines.into_iter().map(|one| (one.step, one.receipt, one.points));
            told.collect::<Vec<_>>()
        };
        let whole = amend::preview(db, &lead, at, &Act::Void).await.expect("told");
        let line = |step: Step| (Some(step), Some(booked.id), Some(whole.moved()));
        assert_eq!(ask().await.expect("asked"), State::Awaiting);
        assert_eq!(inbox(&other).await, [line(Step::Asked)]);
        for who in [&lead, &agent] {
            assert_eq!(inbox(who).await, [], "who asked, or may not consent");
        }
        assert_eq!(people::again(world, other.id()).await.unread(), 1);
        assert_eq!(held(db, anna).await, before, "nothing is done yet");
        assert_eq!(sent(db, "receipt_corrected").await, 0);
        assert_eq!((count(&other).await, count(&lead).await), (1, 0));
        let twice = ask().await;
        assert!(matches!(twice, Err(VoidError::Crm(Error::Stale))), "{twice:?}");
        let waiting = waits().await.remove(0);
        assert_eq!((waiting.asked_by, waiting.document.as_str()), (lead.id(), "R-1"));
        let id = waiting.correction.id;
        let agents = agent.fresh(db).expect("fresh");
        for nobody in [&fresh, &agents] {
            let refused = amend::approve(db, nobody, id).await;
            assert!(matches!(refused, Err(VoidError::Crm(Error::Forbidden))), "{refused:?}");
        }
        amend::refuse(db, &other, id).await.expect("refused");
        assert_eq!((held(db, anna).await, waits().await), (before, vec![]));
        assert_eq!(inbox(&other).await, [], "who has not read of it need not any more");
        assert_eq!(inbox(&lead).await, [line(Step::Refused)]);
        let late = amend::approve(db, &others, id).await;
        assert!(matches!(late, Err(VoidError::Crm(Error::Stale))), "{late:?}");

        ask().await.expect("asked");
        let id = waits().await[0].correction.id;
        // Of twenty who consent at once one does.
        let all = join_all((0..20).map(|_| amend::approve(db, &others, id))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1, "{all:?}");
        assert_eq!((held(db, anna).await, sent(db, "receipt_corrected").await), ((0, 0), 1));
        assert_eq!(told(db, anna).await[0].0, "purchase.approve");
        assert_eq!(inbox(&other).await, []);
        assert_eq!(inbox(&lead).await, [line(Step::Approved), line(Step::Refused)]);
        assert_books_agree(db).await;

        // What is less is done at once, and counts; and what waits for nobody any more is refused.
        let second = slip("R-2", anna, start() - days(20))
            .line("чай", 1, 100_000)
            .line("спички", 1, 1_000)
            .book(db)
            .await;
        let at = (anna.id(), second.id);
        let small = Act::Return(vec![(2, 1)]);
        let effect = amend::preview(db, &lead, at, &small).await.expect("told");
        assert!((1..=1_00).contains(&effect.moved()), "{effect:?}");
        let left = async || {
            let mut conn = db.read().await.expect("a connection");
            let allowance = crm::points::store::adjustments::allowance(&mut conn, &lead).await;
            allowance.expect("summed").left_today
        };
        let before = left().await;
        let done = amend::amend(db, &fresh, at, &small, &effect.word(), "Мелочь").await;
        assert_eq!(done.expect("booked"), State::Booked);
        assert_eq!(left().await, before - effect.moved());
        let third = slip("R-3", anna, start() - days(20))
            .line("чай", 1, 100_000)
            .book(db)
            .await;
        let at = (anna.id(), third.id);
        let whole = amend::preview(db, &lead, at, &Act::Void).await.expect("told");
        amend::amend(db, &fresh, at, &Act::Void, &whole.word(), "Пробили дважды")
            .await
            .expect("asked");
        assert_eq!(waits().await.len(), 1);
        assert_eq!(inbox(&other).await.len(), 1);
        let hers = sign_in(db, anna).await;
        erasure::ask(db, &hers.fresh(db).expect("fresh"), true)
            .await
            .expect("asked");
        world.clock.set(start() + days(30));
        assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
        assert_eq!(waits().await, []);
        let reasons = "SELECT COUNT(*) FROM receipt_corrections WHERE reason <> '' OR state = 'awaiting'";
        assert_eq!(one!(world, i64, reasons), 0);
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM approval_notices"), 0);
    }
);

both_engines!(the_shop_of_a_receipt_is_corrected, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let (tver, klin) = (store(db, "tver").await, store(db, "klin").await);
    let booked = slip("R-1", anna, start() - days(1))
        .line("чай", 1, 50_000)
        .at_store(tver)
        .book(db)
        .await;
    let lead = lead(world).await;
    let set = async |seen, store, reason: &'static str| {
        receipts::set_store(db, &lead, (anna.id(), booked.id), seen, store, reason).await
    };
    for same in [None, Some(tver), Some(crm::id::StoreId::new())] {
        assert!(
            matches!(set(Some(tver), same, "ошиблись").await, Err(Error::Invalid(_))),
            "{same:?}"
        );
    }
    assert!(matches!(set(Some(tver), Some(klin), "").await, Err(Error::Invalid(_))));
    set(Some(tver), Some(klin), "Касса переехала").await.expect("set");
    // Who saw the shop before overwrites nobody, though they mean the same.
    for to in [klin, tver] {
        let late = set(Some(tver), Some(to), "ошиблись").await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    }
    let receipt = receipt(db, anna, booked.id).await;
    assert_eq!(receipt.head.store.map(|store| store.id), Some(klin));
    assert_eq!(
        told(db, anna).await[0],
        ("purchase.store".into(), "Касса переехала (tver → klin)".into())
    );
    assert_books_agree(db).await;
});

both_engines!(
    s12_staff_confirm_a_contact_but_not_around_a_second_factor,
    async |world| {
        let db = ready(world).await;
        let anna = with_phone(world, "+79000000001").await;
        let boris = with_phone(world, "+79000000002").await;
        let by = sign_in(db, anna).await;
        let fresh = by.fresh(db).expect("fresh");
        for email in ["anna@example.com", "anna2@example.com"] {
            contacts::add(db, &fresh, Kind::Email, email).await.expect("added");
        }
        contacts::add(db, &fresh, Kind::Phone, "+79000000002")
            .await
            .expect("added");
        let all = async || {
            let mut conn = db.read().await.expect("a connection");
            contacts::of(&mut conn, anna).await.expect("contacts")
        };
        let id = async |value: &str| all().await.iter().find(|one| one.value == value).expect("there").id;
        let (lead, agent) = (lead(world).await, agent(world).await);
        let staff = lead.fresh(db).expect("fresh");
        let how = "Показала паспорт";
        let email = id("anna@example.com").await;
        let refused = contacts::verify_by_staff(db, &agent.fresh(db).expect("fresh"), anna.id(), email, how).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let other = contacts::verify_by_staff(db, &staff, boris.id(), email, how).await;
        assert!(matches!(other, Err(Error::NotFound)), "{other:?}");
        let taken = contacts::verify_by_staff(db, &staff, anna.id(), id("+79000000002").await, how).await;
        assert!(matches!(taken, Err(Error::Invalid(_))), "{taken:?}");
        contacts::verify_by_staff(db, &staff, anna.id(), email, how)
            .await
            .expect("confirmed");
        assert!(
            all()
                .await
                .iter()
                .any(|one| one.id == email && one.verified_at.is_some())
        );
        // The phone hears of it, and the address itself does not.
        let messages = outbox::inbox(db, 100).await.expect("the outbox");
        let heard: Vec<_> = messages
            .iter()
            .filter(|message| message.template == "contact_added")
            .map(|message| message.address.as_str())
            .collect();
        assert_eq!(heard, ["+79000000001"]);
        let again = contacts::verify_by_staff(db, &staff, anna.id(), email, how).await;
        assert!(matches!(again, Err(Error::Stale)), "{again:?}");
        assert_eq!(told(db, anna).await[0], ("contact.confirm".into(), how.into()));
        sql!(
            world,
            "INSERT INTO factors (id, customer_id, kind, name, data, created_at, confirmed_at) VALUES ($1, $2, 'totp', '', 'x', $3, $3)",
            FactorId::new(),
            anna.id(),
            start(),
        );
        let mut conn = db.read().await.expect("a connection");
        assert!(factors::has_second_step(&mut conn, anna).await.expect("read"));
        drop(conn);
        let second = id("anna2@example.com").await;
        let around = contacts::verify_by_staff(db, &staff, anna.id(), second, how).await;
        assert!(matches!(around, Err(Error::Forbidden)), "{around:?}");
        assert!(
            all()
                .await
                .iter()
                .any(|one| one.id == second && one.verified_at.is_none())
        );
    }
);

both_engines!(staff_have_data_collected_and_erased_when_customers_ask, async |world| {
    let db = ready(world).await;
    let anna = with_phone(world, "+79000000001").await;
    let (lead, agent) = (lead(world).await, agent(world).await);
    let (staff, other) = (lead.fresh(db).expect("fresh"), agent.fresh(db).expect("fresh"));
    let refused = export::ask_by_staff(db, &other, anna.id(), "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    export::ask_by_staff(db, &staff, anna.id(), "Написала письмо")
        .await
        .expect("asked");
    let soon = export::ask_by_staff(db, &staff, anna.id(), "Ещё раз").await;
    assert!(matches!(soon, Err(Error::TooMany { .. })), "{soon:?}");
    let refused = erasure::ask_by_staff(db, &other, anna.id(), true, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let unsure = erasure::ask_by_staff(db, &staff, anna.id(), false, "").await;
    assert!(
        matches!(&unsure, Err(Error::Invalid(flaws)) if flaws.len() == 2),
        "{unsure:?}"
    );
    erasure::ask_by_staff(db, &staff, anna.id(), true, "Написала письмо")
        .await
        .expect("asked");
    assert_eq!(sent(db, "erasure_asked").await, 1);
    let twice = erasure::ask_by_staff(db, &staff, anna.id(), true, "Ещё раз").await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    // She thinks better of it as ever; asked for once more, it waits as long as it does for everybody.
    erasure::cancel(db, &sign_in(db, anna).await).await.expect("kept");
    erasure::ask_by_staff(db, &staff, anna.id(), true, "Всё же удалить")
        .await
        .expect("asked");
    assert_eq!(erasure::run_due(db, &BY).await.expect("done"), 0);
    world.clock.set(start() + days(15));
    assert_eq!(erasure::run_due(db, &BY).await.expect("done"), 1);
    let gone = export::ask_by_staff(db, &staff, anna.id(), "Уже удалена").await;
    assert!(matches!(gone, Err(Error::Stale)), "{gone:?}");
});

both_engines!(
    s12_the_first_contact_that_staff_confirm_is_told_in_the_cabinet,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        contact(world, anna.id(), Kind::Phone, "+79000000001").await;
        let lead = lead(world).await;
        let id = one!(world, crm::id::ContactId, "SELECT id FROM contacts");
        contacts::verify_by_staff(db, &lead.fresh(db).expect("fresh"), anna.id(), id, "Показала паспорт")
            .await
            .expect("confirmed");
        let told = "SELECT COUNT(*) FROM notifications WHERE customer_id = $1 AND kind = 'security'";
        assert_eq!(one!(world, i64, told, anna.id()), 1);
    }
);

/// The record of a customer as it is now, and the same as somebody types it.
async fn shown(db: &Db, who: Subject) -> (Record, Typed) {
    let mut conn = db.read().await.expect("a connection");
    let record = correct::record(&mut conn, who).await.expect("a record");
    let day = record.birthday.expect("told").format("%d.%m.%Y").to_string();
    let part = |n: usize| day.split('.').nth(n).expect("a part").to_owned();
    let person = PersonForm {
        name: record.name.clone(),
        surname: record.surname.clone(),
        day: part(0),
        month: part(1),
        year: part(2),
    };
    let typed = Typed {
        person,
        address: record.address.clone().unwrap_or_default(),
        language: record.language,
        store: record.store.clone().unwrap_or_default(),
    };
    (record, typed)
}

both_engines!(staff_correct_what_they_saw_and_the_customer_reads_why, async |world| {
    let db = ready(world).await;
    let anna = with_phone(world, "+79000000001").await;
    store(db, "tver").await;
    sql!(
        world,
        "UPDATE customers SET name = 'Ана', surname = 'Лебедева', birthday = '1990-05-01', birthday_changes = 2 WHERE id = $1",
        anna.id(),
    );
    let (lead, agent) = (lead(world).await, agent(world).await);
    let (seen, mut typed) = shown(db, anna).await;
    typed.person.name = "Анна".into();
    typed.person.year = "1991".into();
    typed.store = "tver".into();
    let refused = correct::change(db, &agent, anna.id(), &seen, &typed, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let mut wrong = typed.clone();
    (wrong.person.name, wrong.person.day) = ("1".into(), "40".into());
    let flawed = correct::change(db, &lead, anna.id(), &seen, &wrong, " ").await;
    assert!(
        matches!(&flawed, Err(Error::Invalid(flaws)) if flaws.len() == 3),
        "name, birthday and reason: {flawed:?}"
    );
    wrong = typed.clone();
    wrong.store = "nowhere".into();
    let nowhere = correct::change(db, &lead, anna.id(), &seen, &wrong, "Сказала").await;
    assert!(matches!(nowhere, Err(Error::Invalid(_))), "{nowhere:?}");
    assert_eq!(shown(db, anna).await.0, seen, "nothing was changed");
    // Of two at once one is taken, and nothing is overwritten.
    let both = join_all((0..2).map(|_| correct::change(db, &lead, anna.id(), &seen, &typed, "По паспорту"))).await;
    assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1, "{both:?}");
    assert!(both.iter().any(|one| matches!(one, Err(Error::Stale))), "{both:?}");
    let (is, _) = shown(db, anna).await;
    let birthday = is.birthday.map(|day| day.to_string());
    assert_eq!(
        (is.name.as_str(), birthday.as_deref(), is.store.as_deref()),
        ("Анна", Some("1991-05-01"), Some("tver"))
    );
    let of_her = "SELECT birthday_changes FROM customers WHERE id = $1";
    assert_eq!(one!(world, i64, of_her, anna.id()), 2, "hers alone are counted");
    assert_eq!(
        finding::search(db, &lead, "Анна Лебедева").await.expect("found").len(),
        1
    );
    let (action, reason) = told(db, anna).await.remove(0);
    assert_eq!(action, "customer.correct");
    let (words, changed) = audit::reasoned(&reason);
    assert_eq!(words, "По паспорту");
    let changed: Vec<_> = changed
        .iter()
        .map(|one| (one.field.as_str(), one.was.as_str(), one.is.as_str()))
        .collect();
    let expected = [
        ("birthday", Some("1990-05-01"), Some("1991-05-01")),
        ("name", Some("Ана"), Some("Анна")),
        ("store", None, Some("tver")),
    ];
    assert_eq!(changed, expected);
    // A birthday that nobody ever told need not be told now; one that was told does not go.
    sql!(world, "UPDATE customers SET birthday = NULL WHERE id = $1", anna.id());
    let untold = Record {
        birthday: None,
        ..is.clone()
    };
    (typed.person.day, typed.person.month, typed.person.year) = (String::new(), String::new(), String::new());
    typed.address = "Тверь".into();
    let kept = correct::change(db, &lead, anna.id(), &is, &typed, "Переехала").await;
    assert!(matches!(kept, Err(Error::Invalid(_))), "{kept:?}");
    correct::change(db, &lead, anna.id(), &untold, &typed, "Переехала")
        .await
        .expect("changed");
    // Nobody is corrected who is gone, and erasure leaves none of it in the log.
    erasure::ask_by_staff(db, &lead.fresh(db).expect("fresh"), anna.id(), true, "Просит")
        .await
        .expect("asked");
    world.clock.set(start() + days(15));
    assert_eq!(erasure::run_due(db, &BY).await.expect("done"), 1);
    let left = "SELECT COUNT(*) FROM audit WHERE customer_id = $1 AND reason <> ''";
    assert_eq!(one!(world, i64, left, anna.id()), 0);
    let gone = correct::change(db, &lead, anna.id(), &untold, &typed, "Поздно").await;
    assert!(matches!(gone, Err(Error::Stale)), "{gone:?}");
});

both_engines!(
    what_staff_enter_is_no_way_in_and_what_they_remove_is_told,
    async |world| {
        let db = ready(world).await;
        let (anna, boris) = (with_phone(world, "+79000000001").await, customer(db).await);
        let (lead, agent) = (lead(world).await, agent(world).await);
        let (staff, other) = (lead.fresh(db).expect("fresh"), agent.fresh(db).expect("fresh"));
        let all = async || {
            let mut conn = db.read().await.expect("a connection");
            contacts::of(&mut conn, anna).await.expect("contacts")
        };
        let email = Kind::Email;
        let refused = contacts::add_by_staff(db, &other, anna.id(), email, "anna@example.com", "нет права").await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let flawed = contacts::add_by_staff(db, &staff, anna.id(), email, "anna@", "").await;
        assert!(
            matches!(&flawed, Err(Error::Invalid(flaws)) if flaws.len() == 2),
            "{flawed:?}"
        );
        contacts::add_by_staff(db, &staff, anna.id(), email, "Anna@example.com", "Продиктовала")
            .await
            .expect("added");
        let twice = contacts::add_by_staff(db, &staff, anna.id(), email, "anna@example.com", "Ещё раз").await;
        assert!(matches!(twice, Err(Error::Invalid(_))), "{twice:?}");
        let added = all().await.into_iter().find(|one| one.kind == email).expect("there");
        assert!(added.verified_at.is_none() && added.value == "anna@example.com");
        let (action, reason) = told(db, anna).await.remove(0);
        let (words, changed) = audit::reasoned(&reason);
        assert_eq!((action.as_str(), words), ("contact.enter", "Продиктовала"));
        assert_eq!(changed[0].is.as_str(), Some("anna@example.com"));
        contacts::verify_by_staff(db, &staff, anna.id(), added.id, "Показала паспорт")
            .await
            .expect("confirmed");
        let main = all()
            .await
            .into_iter()
            .find(|one| one.kind == Kind::Phone)
            .expect("there");
        let way_in = contacts::remove_by_staff(db, &staff, anna.id(), main.id, "Не её").await;
        assert!(
            matches!(way_in, Err(Error::Invalid(_))),
            "the main phone stays: {way_in:?}"
        );
        let refused = contacts::remove_by_staff(db, &other, anna.id(), added.id, "нет права").await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let not_his = contacts::remove_by_staff(db, &staff, boris.id(), added.id, "Не его").await;
        assert!(matches!(not_his, Err(Error::NotFound)), "{not_his:?}");
        contacts::remove_by_staff(db, &staff, anna.id(), added.id, "Больше не её")
            .await
            .expect("removed");
        assert!(all().await.iter().all(|one| one.kind == Kind::Phone));
        // Whoever has it hears that it opens nothing any more.
        assert_eq!(sent(db, "contact_removed").await, 1);
        let (action, reason) = told(db, anna).await.remove(0);
        assert_eq!(action, "contact.drop");
        assert_eq!(audit::reasoned(&reason).1[0].was.as_str(), Some("anna@example.com"));
    }
);

both_engines!(staff_take_a_child_away_with_the_last_consent, async |world| {
    let db = ready(world).await;
    let anna = with_phone(world, "+79000000001").await;
    let form = customers::ChildForm {
        day: "5".into(),
        month: "6".into(),
        year: "2020".into(),
        agreed: true,
    };
    customers::add_child(db, &sign_in(db, anna).await, &form, crm::lang::Lang::Ru)
        .await
        .expect("a child");
    let (lead, agent) = (lead(world).await, agent(world).await);
    let id = one!(world, crm::id::ChildId, "SELECT id FROM children");
    let refused = correct::remove_child(db, &agent, anna.id(), id, "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let silent = correct::remove_child(db, &lead, anna.id(), id, "").await;
    assert!(matches!(silent, Err(Error::Invalid(_))), "{silent:?}");
    correct::remove_child(db, &lead, anna.id(), id, "Ошиблась годом")
        .await
        .expect("removed");
    let again = correct::remove_child(db, &lead, anna.id(), id, "Ошиблась годом").await;
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let acts = "SELECT COUNT(*) FROM consents WHERE act = 'withdrawn' AND source = 'staff'";
    assert_eq!(one!(world, i64, acts), 1);
    let (action, reason) = told(db, anna).await.remove(0);
    assert_eq!(action, "child.drop");
    assert_eq!(audit::reasoned(&reason).1[0].was.as_str(), Some("2020-06-05"));
});

both_engines!(why_a_card_is_opened_is_told_once_a_day, async |world| {
    let db = ready(world).await;
    let anna = with_phone(world, "+79000000001").await;
    let (agent, lead) = (agent(world).await, lead(world).await);
    let open = async |by: &crm::who::Staff, clues: Clues| {
        why::open(db, by, anna.id(), clues).await.expect("no error").is_some()
    };
    let nothing = Clues::default();
    assert!(!open(&agent, nothing).await);
    assert_eq!(told(db, anna).await, [], "nothing was read");
    let nobody = why::open(db, &agent, CustomerId::new(), nothing).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    for (why, words) in [(Why::Other, " "), (Why::Told, ""), (Why::Request, "")] {
        assert!(why::tell(db, &agent, anna.id(), why, words).await.is_err(), "{why:?}");
    }
    why::tell(db, &agent, anna.id(), Why::Other, "Спор о чеке")
        .await
        .expect("told");
    assert!(open(&agent, nothing).await);
    assert_eq!(
        told(db, anna).await,
        [("customer.read".into(), "card other: Спор о чеке".into())]
    );
    assert!(!open(&lead, nothing).await, "a colleague tells their own");
    // What somebody looked for tells it, where it is the whole of what the customer told; nobody else's search does.
    for (text, tells) in [
        ("Анна", false),
        ("0001", false),
        ("+79000000002", false),
        ("8 900 000 00 01", true),
    ] {
        let search = finding::keep_search(db, &lead, text).await.expect("kept");
        let clues = Clues {
            search: Some(search),
            ..nothing
        };
        let other = people::agent_called(world, &format!("agent of {tells} {}", text.len())).await;
        assert!(!open(&other, clues).await, "{text}");
        assert_eq!(open(&lead, clues).await, tells, "{text}");
    }
    assert_eq!(told(db, anna).await[0], ("customer.read".into(), "card told".into()));
    // On the next day of the shop it is told anew, but for a form that was begun the evening before; and a form alone opens nothing.
    world.clock.set(start() + TimeDelta::hours(10));
    let with_a_form = Clues {
        is_back: true,
        ..nothing
    };
    assert!(!open(&agent, nothing).await);
    assert!(open(&agent, with_a_form).await);
    let stranger = people::agent_called(world, "stranger").await;
    assert!(!open(&stranger, with_a_form).await);
    world.clock.set(start() + days(1) + TimeDelta::seconds(1));
    assert!(!open(&agent, with_a_form).await);
});

both_engines!(a_look_at_the_cabinet_lasts_a_while_and_reads_only, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let (agent, token) = staff_token(world, "agent").await;
    let refused = view::begin(db, &agent, anna.id(), "нет права").await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    sql!(world, "UPDATE staff SET role = 'lead' WHERE login = 'agent'");
    let visitor = Visitor::default();
    let staff = async || {
        who::staff(db, &token, &visitor)
            .await
            .expect("no error")
            .expect("signed in")
    };
    let lead = staff().await;
    assert!(matches!(
        view::begin(db, &lead, anna.id(), "").await,
        Err(Error::Invalid(_))
    ));
    assert!(
        lead.view(db, "/").await.expect("no error").is_none(),
        "nothing was begun"
    );
    view::begin(db, &lead, boris.id(), "Другой").await.expect("begun");
    view::begin(db, &lead, anna.id(), "Не видит баллы")
        .await
        .expect("begun");
    let lead = staff().await;
    assert_eq!(lead.viewing().map(|viewing| viewing.customer), Some(anna.id()));
    let viewer = lead.view(db, "/points").await.expect("no error").expect("a page");
    assert_eq!(viewer.me(), anna);
    let all = told(db, anna).await;
    assert_eq!(all[0], ("view.read".into(), "/points Не видит баллы".into()));
    assert_eq!(all[1], ("view.begin".into(), "Не видит баллы".into()));
    // Another session of the same person looks at nothing.
    world.clock.set(start() + view::LASTS - TimeDelta::seconds(1));
    assert!(staff().await.viewing().is_some());
    world.clock.set(start() + view::LASTS);
    let late = staff().await;
    assert!(late.viewing().is_none());
    assert!(late.view(db, "/").await.expect("no error").is_none());
    assert!(matches!(view::end(db, &late).await, Err(Error::Stale)));
    view::begin(db, &late, anna.id(), "Ещё раз").await.expect("begun");
    let again = staff().await;
    assert_eq!(view::end(db, &again).await.expect("ended"), anna.id());
    assert!(staff().await.viewing().is_none());
    assert!(matches!(view::end(db, &again).await, Err(Error::Stale)));
    // Of many at once each begins, and one lasts.
    let begun = join_all((0..8).map(|_| view::begin(db, &again, anna.id(), "Дважды"))).await;
    assert!(begun.iter().all(Result::is_ok), "{begun:?}");
    let open = "SELECT COUNT(*) FROM views WHERE ended_at IS NULL";
    assert_eq!(one!(world, i64, open), 1);
});
