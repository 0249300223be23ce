//! Texts of the shop as staff edit them: of each kind what is published is what is read, and the history stays.

use crate::common::people::{self, marketer, one, sql};
use crate::common::ready;
use chrono::TimeDelta;
use crm::Error;
use crm::db::Db;
use crm::flaw::Flaw;
use crm::lang::{Lang, Localized};
use crm::outbox::{self, Channel, To};
use crm::request::store as requests;
use crm::testing::{World, start};
use crm::text::store::{self as texts, Held};
use crm::text::{Kind, Text};
use crm::who::Staff;

fn both(text: &str) -> Localized {
    Localized {
        ru: text.into(),
        en: format!("{text} (en)"),
    }
}

fn text(head: &str, body: &str) -> Text {
    Text {
        head: both(head),
        body: both(body),
        position: 1,
        parent: None,
        is_open: true,
    }
}

async fn read(db: &Db, by: &Staff, kind: Kind, code: &str) -> Held {
    texts::read(db, by, kind, code).await.expect("read")
}

/// Writes a draft over whatever there is.
async fn draft(db: &Db, by: &Staff, kind: Kind, code: &str, text: &Text) -> Result<(), Error> {
    let held = read(db, by, kind, code).await;
    let draft = held.versions.iter().find(|version| version.effective_at.is_none());
    let seen = draft.map(|version| version.changed_at);
    texts::draft(db, by, kind, code, seen, text).await
}

/// Publishes the draft.
async fn publish(db: &Db, by: &Staff, kind: Kind, code: &str) -> Result<(), Error> {
    let held = read(db, by, kind, code).await;
    let draft = held.versions.iter().find(|version| version.effective_at.is_none());
    let seen = draft.map_or(start(), |version| version.changed_at);
    texts::publish(db, &by.fresh(db).expect("fresh"), kind, code, seen).await
}

/// The fields with flaws.
fn at(result: Result<(), Error>) -> Vec<String> {
    match result {
        Err(Error::Invalid(flaws)) => flaws.into_iter().map(|(field, _)| field).collect(),
        other => panic!("{other:?}"),
    }
}

/// What a message says that is sent now, in Russian.
async fn sent(world: &World) -> String {
    let send = world.db.write(|tx| {
        crm::db::scoped(async move {
            let to = To {
                channel: Channel::Sms,
                address: "+79000000001",
                customer: None,
            };
            let values = [("code", "123456"), ("minutes", "10"), ("shop", "Сосна")];
            outbox::send(tx, to, "sign_in_code", Lang::Ru, &values).await
        })
    });
    send.await.expect("sent");
    let messages = outbox::inbox(&world.db, 1).await.expect("the outbox");
    messages.into_iter().next().expect("a message").body
}

crm::both_engines!(what_is_published_is_what_is_sent_and_history_stays, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (kind, code) = (Kind::Template, "sign_in_code");
    let before = read(db, &mara, kind, code).await;
    assert!(before.versions.is_empty(), "never edited");
    let old = before.current.expect("it came with the program");

    let unknown = draft(db, &mara, kind, code, &text("Код", "{code} {minutes} {cod}")).await;
    assert_eq!(at(unknown), ["body_ru", "body_en"]);
    let missing = draft(db, &mara, kind, code, &text("Код", "{code}")).await;
    assert_eq!(at(missing), ["body_ru", "body_en"]);
    let new = text("Код", "{code}: {minutes}");
    draft(db, &mara, kind, code, &new).await.expect("a draft");
    let late = texts::draft(db, &mara, kind, code, None, &new).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    assert!(sent(world).await.contains("код входа"), "a draft is nobody's yet");
    world.clock.set(start() + TimeDelta::seconds(1));
    publish(db, &mara, kind, code).await.expect("published");
    world.clock.set(start() + TimeDelta::seconds(2));
    assert_eq!(sent(world).await, "123456: 10");
    let twice = publish(db, &mara, kind, code).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");

    let held = read(db, &mara, kind, code).await;
    let told: Vec<_> = held
        .versions
        .iter()
        .map(|one| (one.version, one.published_by.as_deref()))
        .collect();
    assert_eq!(told, [(2, Some("Мара")), (1, None)]);
    assert_eq!(
        held.versions[1].definition.as_ref(),
        Some(&old),
        "what there was before"
    );
    let kept = held.current.expect("it counts");
    assert_eq!((&kept.head, &kept.body, kept.position), (&new.head, &new.body, 0));
    assert_eq!(held.versions[0].definition.as_ref(), Some(&kept));
    for sql in [
        "UPDATE text_versions SET version = version + 10",
        "DELETE FROM text_versions",
    ] {
        let result: Result<(), Error> = db
            .write(|tx| {
                crm::db::scoped(async move {
                    crm::on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
                    Ok(())
                })
            })
            .await;
        let told = result.expect_err("refused").to_string();
        assert!(told.contains("append-only"), "{told}");
    }

    // What came past the editor stands in the history, before the draft that was there already.
    draft(db, &mara, kind, code, &text("Код", "{code} {minutes}"))
        .await
        .expect("a draft");
    sql!(
        world,
        "INSERT INTO templates (code, version, subject, body, published_at) VALUES ('sign_in_code', 9, $1, $2, $3)",
        sqlx::types::Json(both("Третий")),
        sqlx::types::Json(both("{code}, {minutes}")),
        start(),
    );
    draft(db, &mara, kind, code, &text("Код", "{minutes}: {code}"))
        .await
        .expect("changed");
    let held = read(db, &mara, kind, code).await;
    let told: Vec<_> = held
        .versions
        .iter()
        .map(|one| (one.version, one.effective_at.is_some()))
        .collect();
    assert_eq!(told, [(4, false), (3, true), (2, true), (1, true)]);
    let seen = held.versions[0].changed_at;
    let stale = texts::discard(db, &mara, kind, code, seen - TimeDelta::seconds(1)).await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    let stays = texts::discard(db, &mara, kind, code, seen).await;
    assert!(stays.expect("thrown away"));
    let gone = texts::discard(db, &mara, kind, code, seen).await;
    assert!(matches!(gone, Err(Error::Stale)), "{gone:?}");
    let agent = people::agent(world).await;
    let refused = texts::read(db, &agent, kind, code).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
});

// A database as an older program left it: what this one brings has a higher version than what staff wrote.
crm::both_engines!(of_two_at_once_the_later_sees_what_the_other_published, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let (kind, code) = (Kind::Template, "sign_in_code");
    for round in 0..10 {
        let [new, next] =
            ["{code}: {minutes}", "{minutes}, {code}"].map(|body| text("Код", &format!("{body} {round}")));
        draft(db, &mara, kind, code, &new).await.expect("a draft");
        let held = read(db, &mara, kind, code).await;
        let draft = held.versions.iter().find(|version| version.effective_at.is_none());
        let seen = draft.expect("a draft").changed_at;
        let (published, drafted) = tokio::join!(
            texts::publish(db, &fresh, kind, code, seen),
            texts::draft(db, &mara, kind, code, None, &next),
        );
        published.expect("published");
        assert!(matches!(drafted, Ok(()) | Err(Error::Stale)), "{drafted:?}");
    }
    // What counted before is taken for news of the program by nobody.
    let history = read(db, &mara, kind, code).await.versions;
    let by_nobody = history
        .iter()
        .filter(|one| one.published_at.is_some() && one.published_by.is_none());
    assert_eq!(by_nobody.count(), 1, "that with which it came");
});

crm::both_engines!(a_newer_program_leaves_what_staff_wrote, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (kind, code) = (Kind::Template, "sign_in_code");
    sql!(world, "UPDATE templates SET version = -1 WHERE code = 'sign_in_code'");
    sql!(world, "UPDATE templates SET version = 0 WHERE code = 'confirm_code'");
    let theirs = text("Код", "{code}: {minutes}");
    draft(db, &mara, kind, code, &theirs).await.expect("a draft");
    publish(db, &mara, kind, code).await.expect("published");
    ready(world).await;
    assert_eq!(sent(world).await, "123456: 10", "theirs stays");
    let newest = "SELECT MAX(version) FROM templates WHERE code = $1";
    assert_eq!(one!(world, i64, newest, code), 0, "nothing came over it");
    assert_eq!(
        one!(world, i64, newest, "confirm_code"),
        1,
        "what nobody wrote is brought"
    );
});

crm::both_engines!(topics_stand_below_others_and_close_with_them, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let topics = async || {
        let mut conn = db.read().await.expect("a connection");
        let all = requests::topics(&mut conn).await.expect("topics");
        all.into_iter().map(|one| one.name.ru).collect::<Vec<_>>()
    };
    let before = topics().await;
    let mut child = text("Доставка", "");
    child.parent = Some("purchase".into());
    let code = texts::create_topic(db, &mara, " Delivery ", &child)
        .await
        .expect("begun");
    assert_eq!(code, "delivery");
    let taken = texts::create_topic(db, &mara, "card", &text("Карта", "")).await;
    assert_eq!(at(taken.map(drop)), ["key"]);
    assert_eq!(topics().await, before, "a draft");
    publish(db, &mara, Kind::Topic, &code).await.expect("published");
    let mut expected = before.clone();
    expected.insert(2, "Покупка или возврат: Доставка".into());
    assert_eq!(topics().await, expected, "behind the one above it, before the next");

    // One level, and no circle.
    for (code, parent) in [
        ("purchase", "card"),
        ("card", "delivery"),
        ("card", "card"),
        ("card", "nowhere"),
    ] {
        let mut below = text("Тема", "");
        below.parent = Some(parent.into());
        assert_eq!(
            at(draft(db, &mara, Kind::Topic, code, &below).await),
            ["parent"],
            "{code} in {parent}"
        );
    }
    let mut closed = text("Покупка", "");
    (closed.is_open, closed.position) = (false, 2);
    draft(db, &mara, Kind::Topic, "purchase", &closed)
        .await
        .expect("a draft");
    publish(db, &mara, Kind::Topic, "purchase").await.expect("published");
    let open = before.iter().filter(|name| !name.starts_with("Покупка"));
    assert_eq!(topics().await, open.cloned().collect::<Vec<_>>());
    // It opens again, in its place.
    (closed.is_open, closed.position) = (true, 1);
    world.clock.set(start() + TimeDelta::seconds(1));
    draft(db, &mara, Kind::Topic, "purchase", &closed)
        .await
        .expect("a draft");
    publish(db, &mara, Kind::Topic, "purchase").await.expect("published");
    assert!(topics().await.contains(&"Покупка: Доставка".to_owned()));
    let mut last = text("Карта", "");
    last.is_open = false;
    sql!(world, "UPDATE topics SET closed_at = $1 WHERE code <> 'card'", start());
    let refused = draft(db, &mara, Kind::Topic, "card", &last).await;
    assert!(
        matches!(&refused, Err(Error::Invalid(flaws)) if flaws == &[("open".to_owned(), Flaw::LastOne)]),
        "{refused:?}"
    );
});

crm::both_engines!(
    of_two_who_change_topics_at_once_the_second_sees_the_first,
    async |world| {
        let db = ready(world).await;
        let mara = marketer(world).await;
        sql!(
            world,
            "UPDATE topics SET closed_at = $1 WHERE code NOT IN ('card', 'purchase')",
            start(),
        );
        let both_at_once = async || {
            let all = ["card", "purchase"].map(|code| publish(db, &mara, Kind::Topic, code));
            let done = futures::future::join_all(all).await;
            done.iter().filter(|one| one.is_ok()).count()
        };
        // Each below the other.
        for (code, parent) in [("card", "purchase"), ("purchase", "card")] {
            let mut below = text("Тема", "");
            below.parent = Some(parent.into());
            draft(db, &mara, Kind::Topic, code, &below).await.expect("a draft");
        }
        assert_eq!(both_at_once().await, 1);
        sql!(world, "UPDATE topics SET parent_id = NULL");
        // The last two close.
        let mut closed = text("Тема", "");
        closed.is_open = false;
        for code in ["card", "purchase"] {
            draft(db, &mara, Kind::Topic, code, &closed).await.expect("a draft");
        }
        assert_eq!(both_at_once().await, 1);
        let open = "SELECT COUNT(*) FROM topics WHERE closed_at IS NULL";
        assert_eq!(one!(world, i64, open), 1);
    }
);

crm::both_engines!(every_kind_is_read_where_it_stands, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    for (kind, code, body) in [
        (Kind::Consent, "marketing_sms", "Новое согласие"),
        (Kind::Command, "balance", "счёт"),
        (Kind::Phrase, "balance", "Итого {points}"),
    ] {
        draft(db, &mara, kind, code, &text("Название", body))
            .await
            .expect("a draft");
        publish(db, &mara, kind, code).await.expect("published");
        let held = read(db, &mara, kind, code).await;
        let current = held.current.expect("it counts");
        assert_eq!(current.body, both(body), "{code}");
        assert_eq!(held.versions.len(), 2, "{code}");
        let entries = texts::list(db, &mara, kind).await.expect("listed");
        let entry = entries.iter().find(|entry| entry.code == code).expect("it is there");
        assert_eq!(
            (&entry.text, entry.has_draft, entry.is_published),
            (&current, false, true)
        );
    }
    let mut conn = db.read().await.expect("a connection");
    let purpose = crm::consent::store::purpose(&mut conn, "marketing_sms")
        .await
        .expect("read");
    assert_eq!((purpose.version, &purpose.body), (2, &both("Новое согласие")));
    let catalogue = crm::dialogue::store::catalogue(&mut conn).await.expect("read");
    assert_eq!(
        catalogue.text(Lang::Ru, "balance", &[("points", "5".into())]),
        "Итого 5"
    );
    let command = catalogue
        .commands
        .iter()
        .find(|one| one.code == "balance")
        .expect("a command");
    assert_eq!((&command.words, command.enabled), (&both("счёт"), true));
    drop(conn);
    for nothing in ["nowhere", "", "'", "\u{0}"] {
        let none = texts::read(db, &mara, Kind::Phrase, nothing).await;
        assert!(matches!(none, Err(Error::NotFound)), "{nothing:?}");
    }
});
