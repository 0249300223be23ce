//! Cards: the codes that a phone shows of one, blocking one that is lost, binding one of plastic, and which tills read.

use crate::common::people::{contact, one, sql};
use crate::common::*;
use chrono::{Duration, TimeDelta};
use crm::audit::{self, Reader};
use crm::both_engines;
use crm::card::code::{Secret, step_of};
use crm::card::{self, Card, Kind, State, store as cards};
use crm::contact::Kind as Contact;
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::CardId;
use crm::outbox;
use crm::testing::start;
use crm::till::counter::{self, CounterError, Shown, Way};
use crm::till::{NewTill, Scope, store};
use crm::who::{self, Customer, Subject, Till};
use futures::future::join_all;

async fn till(db: &Db, code: &str) -> Till {
    let new = NewTill {
        code: code.into(),
        name: format!("Касса {code}"),
        source: "shop".into(),
        store: None,
    };
    let id = store::create_by_system(db, &BY, &new).await.expect("a till");
    let key = store::create_key_by_system(db, &BY, id, &Scope::ALL)
        .await
        .expect("a key");
    who::till(db, &key).await.expect("no error").expect("a good key")
}

/// A customer with an electronic card; its number and secret.
async fn holder(db: &Db) -> (Customer, Card, Secret) {
    let anna = customer(db).await;
    card(db, anna, "active").await;
    let anna = sign_in(db, anna).await;
    let card = all(db, anna.me()).await.remove(0);
    let secret = cards::secret(db, &anna, card.id).await.expect("a secret");
    (anna, card, secret)
}

async fn all(db: &Db, who: Subject) -> Vec<Card> {
    cards::of(&mut db.read().await.expect("a connection"), who)
        .await
        .expect("cards")
}

/// A blank card of plastic; its number.
async fn blank(db: &Db, by: &Till, twelve: &str) -> String {
    let number = format!("{twelve}{}", card::check_digit(twelve).expect("twelve digits"));
    let numbers = std::slice::from_ref(&number);
    let put = db.write(|tx| scoped(counter::put_cards(tx, by, numbers))).await;
    assert_eq!(put.expect("written"), (1, Vec::new()));
    number
}

/// What a phone shows at the moment that is so many seconds from the start.
fn shows(number: &str, secret: &Secret, seconds: i64) -> Shown {
    let digits = secret.digits(step_of(start().timestamp() + seconds));
    Shown::card(&card::code::text(number, &digits))
}

async fn found(db: &Db, by: &Till, shown: &Shown) -> Result<Subject, CounterError> {
    counter::identify(db, by, shown).await.map(|present| present.subject)
}

both_engines!(
    s08_a_code_is_good_for_its_half_minute_and_one_on_each_side,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one").await;
        for (seconds, good) in [
            (-60, false),
            (-30, true),
            (0, true),
            (29, true),
            (30, true),
            (60, false),
        ] {
            let (anna, card, secret) = holder(db).await;
            let answer = found(db, &till, &shows(&card.number, &secret, seconds)).await;
            match answer {
                Ok(subject) => assert!(good && subject == anna.me(), "{seconds}"),
                Err(CounterError::CardCodeWrong) => assert!(!good, "{seconds}"),
                Err(e) => panic!("{seconds}: {e}"),
            }
        }
    }
);

both_engines!(s08_a_code_is_good_once_and_no_earlier_one_after_it, async |world| {
    let db = ready(world).await;
    let (one, two) = (till(db, "one").await, till(db, "two").await);
    let (anna, card, secret) = holder(db).await;
    let at = |seconds| shows(&card.number, &secret, seconds);
    let replayed = async |by: &Till, shown: Shown| {
        let answer = found(db, by, &shown).await;
        assert!(matches!(answer, Err(CounterError::CardCodeReplayed)), "{answer:?}");
    };
    assert_eq!(found(db, &one, &at(0)).await.expect("taken"), anna.me());
    replayed(&two, at(0)).await;
    // The answer got lost.
    assert_eq!(found(db, &one, &at(0)).await.expect("the same till"), anna.me());
    replayed(&one, at(-30)).await;
    replayed(&two, at(-30)).await;
    // Another till, half a minute later.
    world.clock.set(start() + Duration::seconds(30));
    assert_eq!(found(db, &two, &at(30)).await.expect("the next code"), anna.me());
    replayed(&one, at(0)).await;
    replayed(&one, at(30)).await;
    // The server's clock is set back: what was taken stays so, and the next codes are taken once it has caught up.
    world.clock.set(start());
    replayed(&one, at(0)).await;
    replayed(&two, at(0)).await;
    world.clock.set(start() + Duration::seconds(60));
    assert_eq!(found(db, &one, &at(60)).await.expect("once more"), anna.me());
});

both_engines!(s08_of_many_tills_at_once_one_takes_a_code, async |world| {
    let db = ready(world).await;
    let (_, card, secret) = holder(db).await;
    let mut tills = Vec::new();
    for n in 0..8 {
        tills.push(till(db, &format!("till-{n}")).await);
    }
    let shown = &shows(&card.number, &secret, 0);
    let answers = join_all(tills.iter().map(|till| found(db, till, shown))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
});

both_engines!(s08_wrong_codes_of_a_card_are_counted, async |world| {
    let db = ready(world).await;
    let till = till(db, "one").await;
    let (anna, card, secret) = holder(db).await;
    let (_, others, of_others) = holder(db).await;
    let wrong = shows(&card.number, &secret, 3600);
    let guesses = join_all((0..30).map(|_| found(db, &till, &wrong))).await;
    let refused = |answer: &&Result<Subject, CounterError>| matches!(answer, Err(CounterError::CardCodeWrong));
    assert_eq!(guesses.iter().filter(refused).count(), 20, "{guesses:?}");
    let right = shows(&card.number, &secret, 0);
    let over = found(db, &till, &right).await;
    assert!(
        matches!(over, Err(CounterError::Crm(Error::TooMany { retry_after: 3600 }))),
        "{over:?}"
    );
    // The number goes on, and so does everybody else.
    let by_number = found(db, &till, &Shown::card(&card.number)).await;
    assert_eq!(by_number.expect("known"), anna.me());
    found(db, &till, &shows(&others.number, &of_others, 0))
        .await
        .expect("somebody else");
    world.clock.set(start() + Duration::hours(1));
    found(db, &till, &shows(&card.number, &secret, 3600))
        .await
        .expect("an hour later");
    // Each refusal is a row, and names the card.
    let rows = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM audit WHERE action = 'card.refused' AND reason = 'wrong' AND object_id = $1",
        card.id
    );
    assert_eq!(rows, 20);
});

both_engines!(a_code_of_no_card_that_tills_take_is_refused, async |world| {
    let db = ready(world).await;
    let till = till(db, "one").await;
    let (anna, card, secret) = holder(db).await;
    let digits = secret.digits(step_of(start().timestamp()));
    let ask = async |number: &str| found(db, &till, &Shown::card(&card::code::text(number, &digits))).await;
    let nobodys = ask("2900000000018").await;
    assert!(matches!(nobodys, Err(CounterError::NoCard)), "{nobodys:?}");
    let plastic = blank(db, &till, "290777777777").await;
    let blank = ask(&plastic).await;
    assert!(matches!(blank, Err(CounterError::Blank)), "{blank:?}");
    cards::bind(db, &anna.fresh(db).expect("fresh"), &plastic)
        .await
        .expect("bound");
    let no_codes = ask(&plastic).await;
    assert!(matches!(no_codes, Err(CounterError::CardCodeWrong)), "{no_codes:?}");
    cards::block(db, &anna.fresh(db).expect("fresh"), card.id)
        .await
        .expect("blocked");
    let blocked = ask(&card.number).await;
    assert!(matches!(blocked, Err(CounterError::Blocked)), "{blocked:?}");
    // What a code tells no till but the one that asks who it is.
    let joining = counter::Joining {
        phone: "+79000000045".into(),
        card: Some(card::code::text(&card.number, &digits)),
        ..counter::Joining::default()
    };
    let (till, joining) = (&till, &joining);
    let joined = db.write(|tx| scoped(counter::enrol(tx, till, joining))).await;
    assert!(matches!(joined, Err(CounterError::IdentifyFirst)), "{joined:?}");
});

both_engines!(a_secret_is_made_once_and_told_to_its_owner_alone, async |world| {
    let db = ready(world).await;
    let (anna, hers, secret) = holder(db).await;
    assert_eq!(cards::secret(db, &anna, hers.id).await.expect("the same"), secret);
    let kept = one!(world, Vec<u8>, "SELECT secret FROM cards WHERE id = $1", hers.id);
    assert_eq!(Secret::stored(&kept), Some(secret));
    let (boris, his, _) = holder(db).await;
    for (who, of) in [(&boris, hers.id), (&anna, his.id), (&anna, CardId::new())] {
        let told = cards::secret(db, who, of).await;
        assert!(matches!(told, Err(Error::NotFound)), "{told:?}");
    }
    // Many pages at once show the same one.
    let old = customer(db).await;
    card(db, old, "active").await;
    let old = sign_in(db, old).await;
    let id = all(db, old.me()).await[0].id;
    let made = join_all((0..6).map(|_| cards::secret(db, &old, id))).await;
    let first = made[0].as_ref().expect("made");
    assert!(made.iter().all(|one| one.as_ref().is_ok_and(|one| one == first)));
});

both_engines!(
    a_lost_card_is_blocked_and_a_new_one_takes_its_place_once,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one").await;
        let (anna, lost, secret) = holder(db).await;
        let (boris, _, _) = holder(db).await;
        contact(world, anna.id(), Contact::Email, "anna@example.com").await;
        sql!(world, "UPDATE contacts SET verified_at = created_at");
        let foreign = cards::block(db, &boris.fresh(db).expect("fresh"), lost.id).await;
        assert!(matches!(foreign, Err(Error::NotFound)), "{foreign:?}");

        let fresh = &anna.fresh(db).expect("fresh");
        let both = join_all([cards::block(db, fresh, lost.id), cards::block(db, fresh, lost.id)]).await;
        let done: Vec<_> = both.iter().filter_map(|one| one.as_ref().ok()).collect();
        assert_eq!(done.len(), 1, "{both:?}");
        assert!(both.iter().any(|one| matches!(one, Err(Error::Stale))), "{both:?}");
        let new = done[0].as_ref().expect("a new card");
        assert_ne!(new.number, lost.number);
        let told = all(db, anna.me()).await;
        let states: Vec<_> = told.iter().map(|one| (one.id, one.kind, one.state)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(states.contains(&(lost.id, Kind::Virtual, State::Blocked)));
        assert!(states.contains(&(new.id, Kind::Virtual, State::Active)));
        let now = cards::secret(db, &anna, new.id).await.expect("its own");
        assert_ne!(now, secret);
        let gone = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM cards WHERE id = $1 AND secret IS NULL",
            lost.id
        );
        assert_eq!(gone, 1, "what its codes were made of is gone");

        for old in [Shown::card(&lost.number), shows(&lost.number, &secret, 0)] {
            let refused = found(db, &till, &old).await;
            assert!(matches!(refused, Err(CounterError::Blocked)), "{refused:?}");
        }
        for shown in [Shown::card(&new.number), shows(&new.number, &now, 0)] {
            assert_eq!(found(db, &till, &shown).await.expect("taken"), anna.me());
        }
        let messages = outbox::inbox(db, 10).await.expect("the outbox");
        let about: Vec<_> = messages.iter().filter(|m| m.template == "card_blocked").collect();
        assert_eq!(about.len(), 1, "{messages:?}");
        assert!(about[0].body.contains(&lost.number), "{}", about[0].body);
        let rows = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'card.block' AND object_id = $1",
            lost.id
        );
        assert_eq!(rows, 1);
    }
);

both_engines!(of_two_electronic_cards_blocked_at_once_one_is_replaced, async |world| {
    let db = ready(world).await;
    for _ in 0..5 {
        let anna = customer(db).await;
        card(db, anna, "active").await;
        card(db, anna, "active").await;
        let anna = sign_in(db, anna).await;
        let fresh = &anna.fresh(db).expect("fresh");
        let both = all(db, anna.me()).await;
        let new = join_all(both.iter().map(|one| cards::block(db, fresh, one.id))).await;
        let new: Vec<_> = new.into_iter().filter_map(|one| one.expect("blocked")).collect();
        assert_eq!(new.len(), 1, "{new:?}");
        let left = all(db, anna.me()).await;
        let left: Vec<_> = left.into_iter().filter(|one| one.state == State::Active).collect();
        assert_eq!(left, new);
    }
});

both_engines!(cards_are_blocked_a_few_times_an_hour, async |world| {
    let db = ready(world).await;
    let (anna, mut card, _) = holder(db).await;
    let fresh = anna.fresh(db).expect("fresh");
    for _ in 0..5 {
        card = cards::block(db, &fresh, card.id)
            .await
            .expect("blocked")
            .expect("a new card");
    }
    let sixth = cards::block(db, &fresh, card.id).await;
    assert!(matches!(sixth, Err(Error::TooMany { retry_after: 3600 })), "{sixth:?}");
    let left = all(db, anna.me()).await;
    let left: Vec<_> = left.iter().filter(|one| one.state == State::Active).collect();
    assert_eq!((left.len(), left[0].id), (1, card.id), "it is still taken");
    // Within a quarter of an hour they prove anew who they are.
    world.clock.set(start() + Duration::minutes(15));
    assert!(matches!(anna.fresh(db), Err(Error::NotFresh)));
});

both_engines!(
    a_plastic_card_is_bound_by_one_and_blocked_without_another_one,
    async |world| {
        let db = ready(world).await;
        let till = till(db, "one").await;
        let (anna, her_own, _) = holder(db).await;
        let (boris, his_own, _) = holder(db).await;
        contact(world, anna.id(), Contact::Email, "anna@example.com").await;
        sql!(world, "UPDATE contacts SET verified_at = created_at");
        let number = blank(db, &till, "290777777777").await;
        let (hers, his) = (anna.fresh(db).expect("fresh"), boris.fresh(db).expect("fresh"));
        let both = join_all([cards::bind(db, &hers, &number), cards::bind(db, &his, &number)]).await;
        assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1, "{both:?}");
        let (winner, loser, electronic) = if both[0].is_ok() {
            (&anna, &his, his_own)
        } else {
            (&boris, &hers, her_own)
        };
        let again = cards::bind(db, &winner.fresh(db).expect("fresh"), &card::show(&number)).await;
        assert!(again.is_ok(), "it is theirs already: {again:?}");
        let subject = found(db, &till, &Shown::card(&number)).await.expect("taken");
        assert_eq!(subject, winner.me());
        for (raw, flaw) in [
            (" ", Flaw::Missing),
            ("12", Flaw::NoBlankCard),
            ("2900000000018", Flaw::NoBlankCard),
            (number.as_str(), Flaw::NoBlankCard),
            // Their own, and not of plastic.
            (electronic.number.as_str(), Flaw::NoBlankCard),
        ] {
            let refused = cards::bind(db, loser, raw).await;
            assert!(
                matches!(&refused, Err(Error::Invalid(flaws)) if *flaws == [("number".to_owned(), flaw.clone())]),
                "{raw}: {refused:?}"
            );
        }
        let plastic = all(db, winner.me()).await;
        let plastic = plastic.iter().find(|one| one.kind == Kind::Plastic).expect("bound");
        let new = cards::block(db, &winner.fresh(db).expect("fresh"), plastic.id).await;
        assert_eq!(new.expect("blocked"), None, "the electronic one is left");
        let refused = found(db, &till, &Shown::card(&number)).await;
        assert!(matches!(refused, Err(CounterError::Blocked)), "{refused:?}");
        if winner.id() == anna.id() {
            let messages = outbox::inbox(db, 10).await.expect("the outbox");
            let bound = messages.iter().filter(|m| m.template == "card_bound").count();
            assert_eq!(bound, 1, "{messages:?}");
        }
    }
);

both_engines!(numbers_of_plastic_cards_are_tried_ten_times_an_hour, async |world| {
    let db = ready(world).await;
    let till = till(db, "one").await;
    let (anna, ..) = holder(db).await;
    let number = blank(db, &till, "290777777777").await;
    let fresh = &anna.fresh(db).expect("fresh");
    for _ in 0..10 {
        let refused = cards::bind(db, fresh, "2900000000018").await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let over = cards::bind(db, fresh, &number).await;
    assert!(matches!(over, Err(Error::TooMany { retry_after: 3600 })), "{over:?}");
});

both_engines!(
    s23_a_till_that_finds_a_customer_is_written_down_with_scope_and_way,
    async |world| {
        let db = ready(world).await;
        let (anna, card, secret) = holder(db).await;
        let till = till(db, "one").await;
        found(db, &till, &Shown::card(&card.number)).await.expect("by card");
        world.clock.set(start() + TimeDelta::seconds(1));
        found(db, &till, &shows(&card.number, &secret, 0))
            .await
            .expect("by code");
        world.clock.set(start() + TimeDelta::seconds(2));
        counter::meet(db, &till, anna.id()).await.expect("known");
        world.clock.set(start() + TimeDelta::seconds(3));
        let (by, id) = (&till, anna.id());
        db.write(|tx| scoped(counter::open(tx, by, id, Way::Joining)))
            .await
            .expect("opened");
        // Whoever is not found is nobody's data.
        found(db, &till, &Shown::card("2900000000018"))
            .await
            .expect_err("nobody's");
        let mut conn = db.read().await.expect("a connection");
        let (looks, _) = audit::of_customer(&mut conn, anna.me(), None, 10).await.expect("read");
        let told: Vec<_> = looks
            .iter()
            .map(|look| (look.by.clone(), look.action.as_str(), look.reason.as_str()))
            .collect();
        let by = || Reader::Till("Касса one".into());
        assert_eq!(
            told,
            [
                (by(), "customer.read", "customers joining"),
                (by(), "customer.read", "customers known"),
                (by(), "customer.read", "customers rotating"),
                (by(), "customer.read", "customers card"),
            ]
        );
        let keys = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE actor = 'till' AND actor_id = $1 AND object_id = $2",
            till.id(),
            till.key()
        );
        assert_eq!(keys, 4, "by which key");
    }
);
