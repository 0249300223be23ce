//! Consents by purpose, channel and partner, on both engines.

use crate::common::people::{administrator, agent, one};
use crate::common::*;
use crm::both_engines;
use crm::consent::{Act, Aim, AskedAt, store as consents};
use crm::customer::Channel;
use crm::db::Db;
use crm::error::Error;
use crm::lang::{Lang, Localized};
use crm::partner::{self, Words};
use crm::who::Customer;

/// Somebody who agrees to these.
async fn who_gave(db: &Db, codes: &[&str]) -> Customer {
    let who = customer(db).await;
    let by = sign_in(db, who).await;
    for code in codes {
        consents::change(db, &by, code, Act::Given, 1, Lang::Ru)
            .await
            .expect("given");
    }
    by
}

async fn given(db: &Db, by: &Customer) -> Vec<String> {
    let mut conn = db.read().await.expect("a connection");
    let history = consents::history(&mut conn, by.me()).await.expect("read");
    let is_last = |i: usize| history[..i].iter().all(|later| later.code != history[i].code);
    let mut given: Vec<_> = (0..history.len())
        .filter(|i| is_last(*i) && history[*i].act == Act::Given)
        .map(|i| history[i].code.clone())
        .collect();
    given.sort();
    given
}

both_engines!(messages_are_agreed_to_by_channel, async |world| {
    let db = ready(world).await;
    let mut conn = db.read().await.expect("a connection");
    let offered = consents::offered(&mut conn).await.expect("read");
    let asked = consents::purposes(&mut conn, AskedAt::Registration)
        .await
        .expect("read");
    drop(conn);
    for aim in Aim::ALL {
        for channel in Channel::ALL {
            let of = offered
                .iter()
                .filter(|p| (p.aim, p.channel) == (Some(aim), Some(channel)));
            assert_eq!(of.count(), 1, "{aim:?} {channel:?}");
        }
    }
    // Registering stays as short as it was.
    let asked: Vec<_> = asked.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(
        asked,
        ["personal_data", "loyalty_rules", "marketing_sms", "marketing_email"]
    );
    let by = who_gave(db, &["marketing_phone", "surveys_email"]).await;
    assert_eq!(given(db, &by).await, ["marketing_phone", "surveys_email"]);
    consents::change(db, &by, "surveys_email", Act::Withdrawn, 1, Lang::Ru)
        .await
        .expect("withdrawn");
    assert_eq!(given(db, &by).await, ["marketing_phone"]);
});

both_engines!(all_that_is_up_to_a_customer_is_withdrawn_at_once, async |world| {
    let db = ready(world).await;
    let all = ["personal_data", "loyalty_rules", "marketing_sms", "surveys_phone"];
    let (by, other) = (who_gave(db, &all).await, who_gave(db, &all).await);
    world.clock.set(db.now() + days(1));
    assert_eq!(consents::withdraw_all(db, &by, Lang::Ru).await.expect("withdrawn"), 2);
    assert_eq!(given(db, &by).await, ["loyalty_rules", "personal_data"]);
    assert_eq!(given(db, &other).await.len(), 4, "everybody else's stay");
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM audit WHERE action = 'consent.withdraw'"
        ),
        2
    );
    // A second time there is nothing to withdraw, and nothing is written down.
    let acts = one!(world, i64, "SELECT COUNT(*) FROM consents");
    assert_eq!(consents::withdraw_all(db, &by, Lang::Ru).await.expect("nothing"), 0);
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM consents"), acts);
});

both_engines!(an_act_is_read_by_whose_it_is, async |world| {
    let db = ready(world).await;
    let (by, other) = (who_gave(db, &["surveys_sms"]).await, who_gave(db, &[]).await);
    let mut conn = db.read().await.expect("a connection");
    let last = consents::history(&mut conn, by.me()).await.expect("read").remove(0);
    let act = consents::act(&mut conn, by.me(), last.id).await.expect("theirs");
    assert_eq!(
        (act.code.as_str(), act.act, act.version, act.aim, act.channel),
        ("surveys_sms", Act::Given, 1, Some(Aim::Surveys), Some(Channel::Sms))
    );
    assert_eq!((act.language, act.source.as_str(), act.at), (Lang::Ru, "web", db.now()));
    assert!(act.body.ru.contains("SMS с вопросами"), "{}", act.body.ru);
    assert!(matches!(
        consents::act(&mut conn, other.me(), last.id).await,
        Err(Error::NotFound)
    ));
});

both_engines!(
    a_database_from_before_is_given_the_purposes_that_are_new,
    async |world| {
        let db = ready(world).await;
        execute!(
            db,
            "DELETE FROM consent_texts WHERE purpose_id IN (SELECT id FROM consent_purposes WHERE code LIKE 'surveys%')"
        )
        .await
        .expect("gone");
        execute!(db, "DELETE FROM consent_purposes WHERE code LIKE 'surveys%'")
            .await
            .expect("gone");
        execute!(db, "UPDATE consent_texts SET version = 7")
            .await
            .expect("later texts");
        crm::content::load(db, &BY).await.expect("once more");
        let mut conn = db.read().await.expect("a connection");
        let offered = consents::offered(&mut conn).await.expect("read");
        let versions: Vec<_> = offered.iter().map(|p| (p.code.as_str(), p.version)).collect();
        assert_eq!(versions.len(), 8);
        for (code, version) in versions {
            assert_eq!(version, if code.starts_with("surveys") { 1 } else { 7 }, "{code}");
        }
    }
);

fn words(name: &str) -> Words {
    let both = |text: &str| Localized::new(text, text);
    Words {
        name: both(name),
        text: both("The number of the card."),
    }
}

both_engines!(a_partner_is_a_purpose_of_its_own, async |world| {
    let db = ready(world).await;
    let admin = administrator(world).await;
    let id = partner::add(db, &admin, "Plantain", &words("Plantain"))
        .await
        .expect("added");
    let taken = partner::add(db, &admin, "plantain", &words("Another")).await;
    assert!(matches!(taken, Err(Error::Invalid(flaws)) if flaws[0].0 == "key"));
    let half = Words {
        text: Localized::new("Номер карты.", " "),
        ..words("Half")
    };
    let half = partner::add(db, &admin, "half", &half).await;
    assert!(matches!(half, Err(Error::Invalid(flaws)) if flaws[0].0 == "text_en"));

    // Nobody is asked while they register, and nobody has agreed by anything else.
    let mut conn = db.read().await.expect("a connection");
    let asked = consents::purposes(&mut conn, AskedAt::Registration)
        .await
        .expect("read");
    assert!(asked.iter().all(|purpose| purpose.partner.is_none() && purpose.is_open));
    drop(conn);
    let by = who_gave(db, &["partner_plantain", "marketing_sms"]).await;
    partner::change(db, &admin, id, 1, &words("Plantain Pharmacies"))
        .await
        .expect("changed");
    let late = partner::change(db, &admin, id, 1, &words("Late")).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    partner::change(db, &admin, id, 2, &words("Plantain Pharmacies"))
        .await
        .expect("as it was");
    let written = one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'partner.change'"
    );
    assert!(
        written.starts_with("name: ") && written.contains("Plantain Pharmacies") && !written.contains("text:"),
        "{written}"
    );
    let read = partner::read(db, &admin, id).await.expect("read");
    assert_eq!((read.version, read.name.en.as_str()), (2, "Plantain Pharmacies"));
    let mut conn = db.read().await.expect("a connection");
    let history = consents::history(&mut conn, by.me()).await.expect("read");
    drop(conn);
    let act = history.iter().find(|act| act.code == read.purpose()).expect("an act");
    let name = act.partner.as_ref().map(|name| name.en.as_str());
    assert_eq!((act.version, name), (1, Some("Plantain")), "as it was called then");
    assert!(act.title.en.contains("Plantain"), "{}", act.title.en);
    assert_eq!(history.iter().filter(|act| act.partner.is_some()).count(), 1);
    // All that is up to a customer: this too.
    assert_eq!(consents::withdraw_all(db, &by, Lang::Ru).await.expect("withdrawn"), 2);
});

both_engines!(nothing_is_agreed_to_with_a_partner_who_is_not_active, async |world| {
    let db = ready(world).await;
    let admin = administrator(world).await;
    let id = partner::add(db, &admin, "plantain", &words("Plantain"))
        .await
        .expect("added");
    let (by, other) = (who_gave(db, &["partner_plantain"]).await, who_gave(db, &[]).await);
    for _ in 0..2 {
        partner::switch(db, &admin, id, false).await.expect("off");
    }
    let act = async |who: &Customer, act| consents::change(db, who, "partner_plantain", act, 1, Lang::Ru).await;
    assert!(matches!(act(&other, Act::Given).await, Err(Error::Stale)));
    act(&by, Act::Withdrawn).await.expect("taken back all the same");
    assert!(given(db, &by).await.is_empty());
    partner::switch(db, &admin, id, true).await.expect("on");
    act(&other, Act::Given).await.expect("given");
    let written = "SELECT COUNT(*) FROM audit WHERE action IN ('partner.stop', 'partner.start')";
    assert_eq!(one!(world, i64, written), 2, "what is so already is no change");

    let agent = agent(world).await;
    let refused = partner::switch(db, &agent, id, false).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
    assert!(matches!(
        partner::add(db, &agent, "other", &words("Other")).await,
        Err(Error::Forbidden)
    ));
    assert!(matches!(partner::list(db, &agent).await, Err(Error::Forbidden)));
});
