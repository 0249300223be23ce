//! Consents by purpose and channel, on both engines.

use crate::common::people::one;
use crate::common::*;
use crm::both_engines;
use crm::consent::{Act, Aim, AskedAt, store as consents};
use crm::customer::Channel;
use crm::db::Db;
use crm::error::Error;
use crm::lang::Lang;
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
