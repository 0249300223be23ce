//! Staff register whoever calls or stands at the desk; the customer completes it by proving the phone.

use crate::common::people::{agent, lead, one};
use crate::common::*;
use crate::tills::{enrol, sale, till};
use crm::audit;
use crm::both_engines;
use crm::contact::{Kind, store as contacts};
use crm::customer::enter::{Typed, enter};
use crm::customer::{PersonForm, store as customers};
use crm::db::{Db, scoped};
use crm::error::Error;
use crm::find::store as finding;
use crm::flaw::Flaw;
use crm::id::CustomerId;
use crm::lang::Lang;
use crm::outbox;
use crm::signin::Draft;
use crm::signin::store::{self as signin, Details};
use crm::staff::why::{self, Clues};
use crm::till::Scope;
use crm::till::counter::{self, Joining};
use crm::till::receipt::{self, NewReceipt};
use crm::who::{self, Visitor};
use futures::future::join_all;

const PHONE: &str = "+79000000045";

fn typed() -> Typed {
    Typed {
        phone: "8 900 000-00-45".into(),
        name: "Вера".into(),
        surname: "Яковлева".into(),
        email: "Vera@Example.com".into(),
        language: Lang::En,
        card: String::new(),
    }
}

/// The fields that were not taken, with what is wrong.
fn flaws(outcome: Result<CustomerId, Error>) -> Vec<(String, Flaw)> {
    match outcome {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("taken: {other:?}"),
    }
}

/// Proves the phone and completes the registration with an e-mail.
async fn complete(db: &Db, email: &str) -> who::Customer {
    let visitor = Visitor {
        network: "192.0.2.7".into(),
        device: "Test".into(),
        ..Visitor::default()
    };
    let token = signin::start(db, PHONE, Lang::Ru, &visitor).await.expect("a code");
    let inbox = outbox::inbox(db, 1).await.expect("the inbox");
    let code: String = inbox[0].body.chars().filter(char::is_ascii_digit).take(6).collect();
    signin::verify(db, &token, &code, &visitor).await.expect("it fits");
    let draft = Draft {
        person: PersonForm {
            name: "Вероника".into(),
            surname: "Яковлева".into(),
            day: "3".into(),
            month: "5".into(),
            year: "1990".into(),
        },
        email: email.into(),
        consents: vec!["personal_data".into(), "loyalty_rules".into()],
        ..Draft::default()
    };
    let details = Details {
        draft,
        ..Details::default()
    };
    signin::save_draft(db, &token, &details).await.expect("kept");
    let opened = signin::register(db, &token, Lang::Ru, None, &visitor).await;
    let opened = opened.expect("registered");
    let customer = who::customer(db, &opened.token, &visitor).await.expect("read");
    customer.expect("signed in")
}

both_engines!(
    staff_register_a_caller_who_completes_it_by_proving_the_phone,
    async |world| {
        let db = ready(world).await;
        let lead = lead(world).await;
        let till = till(db, "one", "shop", &Scope::ALL).await;
        let digit = crm::card::check_digit("290000000001").expect("a digit");
        let number = format!("290000000001{digit}");
        let (numbers, by) = (std::slice::from_ref(&number), &till);
        let put = db.write(|tx| scoped(counter::put_cards(tx, by, numbers))).await;
        assert_eq!(put.expect("written"), (1, Vec::new()));
        let told = Typed {
            card: number.clone(),
            ..typed()
        };
        let id = enter(db, &lead, &told).await.expect("registered");
        let language = "SELECT language || ' ' || source FROM customers WHERE id = $1";
        assert_eq!(one!(world, String, language, id), "en staff");
        let open = "SELECT COUNT(*) FROM enrolments WHERE till_id IS NULL AND completed_at IS NULL";
        assert_eq!(one!(world, i64, open), 1);
        let proved = "SELECT COUNT(*) FROM contacts WHERE verified_at IS NOT NULL";
        assert_eq!(one!(world, i64, proved), 0, "nobody proved anything");
        let agreed = "SELECT COUNT(*) FROM consents";
        assert_eq!(one!(world, i64, agreed), 0, "nobody agreed to anything");
        let found = finding::search(db, &lead, "Яковлева Вера").await.expect("found");
        assert_eq!((found.len(), found[0].id), (1, id));
        assert_eq!(found[0].email.as_deref(), Some("vera@example.com"));
        // Why the card is opened is known.
        let card = why::open(db, &lead, id, Clues::default()).await.expect("there");
        assert!(card.is_some());
        let mut conn = db.read().await.expect("a connection");
        let (looks, _) = audit::of_customer(&mut conn, BY.subject(id), None, 50)
            .await
            .expect("read");
        drop(conn);
        let looks: Vec<_> = looks
            .iter()
            .map(|look| (look.action.as_str(), look.reason.as_str()))
            .collect();
        assert!(looks.contains(&("customer.enter", "")), "{looks:?}");
        assert!(looks.contains(&("customer.read", "card told")), "{looks:?}");

        // What is bought counts, and a till is told of the same record.
        let bought = NewReceipt {
            card: Some(number),
            ..sale("S-1")
        };
        let booked = receipt::book(db, &till, &bought).await.expect("booked");
        assert_eq!(booked.earned[0].points, 6_00);
        let joining = Joining {
            phone: PHONE.into(),
            ..Joining::default()
        };
        assert_eq!(enrol(db, &till, &joining).await.expect("known"), (id, false));

        // What she tells herself takes the place of what staff wrote down.
        let vera = complete(db, "veronika@example.com").await;
        assert_eq!(vera.id(), id);
        let mut conn = db.read().await.expect("a connection");
        let person = customers::person(&mut conn, vera.me()).await.expect("read");
        let reached = contacts::of(&mut conn, vera.me()).await.expect("read");
        drop(conn);
        assert_eq!(person.name, "Вероника");
        let reached: Vec<_> = reached
            .iter()
            .map(|one| (one.kind, one.value.as_str(), one.is_primary, one.verified_at.is_some()))
            .collect();
        let expected = [
            (Kind::Phone, PHONE, true, true),
            (Kind::Email, "veronika@example.com", true, false),
        ];
        assert_eq!(reached, expected);
        assert_eq!(held(db, vera.me()).await, (0, 6_00));
        let taken = flaws(enter(db, &lead, &typed()).await);
        assert_eq!(taken, [("phone".to_owned(), Flaw::Taken)]);
        assert_books_agree(db).await;
    }
);

both_engines!(the_same_e_mail_is_told_twice_and_kept_once, async |world| {
    let db = ready(world).await;
    let lead = lead(world).await;
    enter(db, &lead, &typed()).await.expect("registered");
    complete(db, "vera@example.com").await;
    let kept = "SELECT COUNT(*) FROM contacts WHERE kind = 'email' AND value = 'vera@example.com'";
    assert_eq!(one!(world, i64, kept), 1);
});

both_engines!(who_is_registered_wrongly_or_twice_is_refused, async |world| {
    let db = ready(world).await;
    let (lead, agent) = (lead(world).await, agent(world).await);
    let refused = enter(db, &agent, &typed()).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    let wrong = Typed {
        phone: "12".into(),
        name: "1".into(),
        surname: "2".into(),
        email: "vera@".into(),
        ..typed()
    };
    let fields: Vec<_> = flaws(enter(db, &lead, &wrong).await)
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(fields, ["phone", "name", "surname", "email"]);
    // A card of nobody's stock, and one that is somebody's.
    let anna = customer(db).await;
    for number in ["2900000000018".to_owned(), card(db, anna, "active").await] {
        let handed = Typed {
            card: number,
            ..typed()
        };
        let of_card = flaws(enter(db, &lead, &handed).await);
        assert_eq!(of_card, [("card".to_owned(), Flaw::NoBlankCard)]);
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 1, "Anna alone");
    // Of several at once one is taken. A phone is enough.
    let told = &Typed {
        phone: PHONE.into(),
        ..Typed::default()
    };
    let all = join_all((0..5).map(|_| enter(db, &lead, told))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1, "{all:?}");
    for late in all.into_iter().filter(Result::is_err) {
        assert_eq!(flaws(late), [("phone".to_owned(), Flaw::Taken)]);
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM customers"), 2);
});
