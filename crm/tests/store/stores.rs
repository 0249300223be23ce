//! Shops, categories and articles.

use crate::common::people::{self, SYSTEM, marketer, sql, text};
use crate::common::{execute, ready};
use crm::article::store::{self as articles, managing as article};
use crm::audit::Object;
use crm::catalogue::{self, Item, Record};
use crm::db::Db;
use crm::error::Error;
use crm::flaw::Flaw;
use crm::id::{ArticleId, CategoryId, StoreId};
use crm::lang::{Lang, Localized};
use crm::stores::store::{category, managing};
use crm::stores::{Exceptions, Hours, NewStore, Store, store};
use crm::testing::{World, start};
use crm::who::Staff;

fn shop(code: &str, town: &str) -> NewStore {
    let hours = [
        Some([540, 1260]),
        Some([540, 1260]),
        None,
        None,
        None,
        None,
        Some([0, 1440]),
    ];
    NewStore {
        code: code.into(),
        name: Localized {
            ru: format!("«{code}»"),
            en: code.into(),
        },
        town: text(town),
        address: text("O'Neill St <1>"),
        latitude: Some(56_858_700),
        longitude: None,
        hours: Hours::try_from(hours).expect("possible hours"),
        phone: None,
        region: None,
        time_zone: Some("Asia/Omsk".into()),
        exceptions: None,
    }
}

async fn put(world: &World, shop: &NewStore) -> crm::id::StoreId {
    world
        .db
        .write(|tx| crm::db::scoped(async move { store::put(tx, &SYSTEM, shop).await }))
        .await
        .expect("written")
}

/// A shop, as it is changed.
fn of_shop(shop: &NewStore) -> Record {
    Record::Store(Box::new(shop.clone()))
}

/// Writes a draft over what was seen, and publishes it.
async fn change(db: &Db, by: &Staff, item: Item, seen: &Record, new: &Record) -> Result<(), Error> {
    catalogue::write(db, by, item, (seen, None), new).await?;
    let (draft, _) = catalogue::coming(&mut db.read().await?, by, item).await?;
    match draft {
        None => Ok(()),
        Some(draft) => catalogue::publish(db, &by.fresh(db)?, item, draft.changed_at, None).await,
    }
}

async fn list(world: &World, lang: Lang) -> Vec<Store> {
    store::list(&mut world.db.read().await.expect("a connection"), lang)
        .await
        .expect("read")
}

crm::both_engines!(shops_are_listed_by_town_and_replaced_by_code, async |world| {
    put(world, &shop("c", "Ёлкино")).await;
    put(world, &shop("b", "Яхрома")).await;
    let first = put(world, &shop("a", "ЕЛАНЬ")).await;
    put(world, &shop("closed", "Анапа")).await;
    put(world, &shop("closing", "Ялта")).await;
    sql!(
        world,
        "UPDATE stores SET closed_at = $1 WHERE code = 'closed'",
        world.db.now()
    );
    sql!(
        world,
        "UPDATE stores SET closed_at = $1 WHERE code = 'closing'",
        world.db.now() + chrono::TimeDelta::days(1)
    );
    let codes = |stores: &[Store]| stores.iter().map(|s| s.code.clone()).collect::<Vec<_>>();
    assert_eq!(codes(&list(world, Lang::Ru).await), ["a", "c", "closing", "b"]);

    let mut changed = shop("a", "Яя");
    changed.phone = Some("+79000009901".into());
    assert_eq!(put(world, &changed).await, first);
    let stores = list(world, Lang::En).await;
    assert_eq!(codes(&stores), ["c", "closing", "b", "a"]);
    let NewStore {
        code,
        name,
        town,
        address,
        latitude,
        longitude,
        hours,
        phone,
        region: _,
        time_zone,
        exceptions: _,
    } = changed;
    assert_eq!(
        stores[3],
        Store {
            id: first,
            code,
            name,
            town,
            address,
            latitude,
            longitude,
            hours,
            phone,
            time_zone,
            exceptions: Exceptions::default()
        }
    );
});

crm::both_engines!(categories_keep_the_order_the_shop_gave_them, async |world| {
    let put = async |code: &str, position: i64| {
        world
            .db
            .write(|tx| {
                crm::db::scoped(async move { store::put_category(tx, &SYSTEM, code, &text(code), position).await })
            })
            .await
            .expect("written")
    };
    let first = put("toys", 2).await;
    put("bags", 1).await;
    put("light", 3).await;
    assert_eq!(put("toys", 9).await, first);
    let mut conn = world.db.read().await.expect("a connection");
    let categories = store::categories(&mut conn).await.expect("read");
    assert_eq!(
        categories.iter().map(|c| c.code.as_str()).collect::<Vec<_>>(),
        ["bags", "light", "toys"]
    );
    assert_eq!((categories[2].id, &categories[2].name), (first, &text("toys")));
});

#[test]
fn hours_are_read_from_content_and_impossible_ones_refused() {
    let read = |json: &str| serde_json::from_str::<Hours>(json);
    let week = "[[540,1260],[540,1260],[540,1260],[540,1260],[540,1260],[540,1260],null]";
    let hours = read(week).expect("possible hours");
    assert_eq!(serde_json::to_string(&hours).expect("json"), week);
    for bad in [
        "[]",
        "[null]",
        &week.replace("[540,1260],null", "[1260,540],null"),
        &week.replace("null", "[0,1441]"),
        &week.replace("null", "[-1,5]"),
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// What was written down of shops and categories, as `action reason`, the first first.
async fn log(world: &World) -> Vec<String> {
    let mut conn = world.db.read().await.expect("a connection");
    let rows: Vec<(String, String)> = crm::on!(conn, |c| sqlx::query_as(
        "SELECT action, reason FROM audit WHERE action LIKE 'store.%' OR action LIKE 'category.%' ORDER BY id"
    )
    .fetch_all(c)
    .await)
    .expect("read");
    rows.iter()
        .map(|(action, reason)| format!("{action} {reason}").trim().to_owned())
        .collect()
}

crm::both_engines!(staff_write_shops_and_what_changed_is_written_down, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let mut new = shop(" Tver-1 ", "Тверь");
    new.longitude = Some(35_917_600);
    new.region = Some(" ".into());
    let id = managing::create(db, &mara, &new).await.expect("added");
    let taken = managing::create(db, &mara, &new).await;
    assert!(
        matches!(&taken, Err(Error::Invalid(flaws)) if flaws == &[("key".to_owned(), Flaw::Taken)]),
        "{taken:?}"
    );
    let mut wrong = shop("x", "Тверь");
    wrong.latitude = Some(90_000_001);
    wrong.town.en = String::new();
    wrong.phone = Some("12".into());
    let refused = managing::create(db, &mara, &wrong).await;
    let Err(Error::Invalid(flaws)) = refused else {
        panic!("{refused:?}")
    };
    let at: Vec<&str> = flaws.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(at, ["key", "town_en", "phone", "latitude", "longitude"]);

    let get = async || {
        let mut conn = db.read().await.expect("a connection");
        managing::get(&mut conn, &mara, id).await.expect("read")
    };
    let seen = get().await.record();
    assert_eq!((seen.code.as_str(), &seen.region), ("tver-1", &None));
    let mut other = seen.clone();
    other.region = Some("tver".into());
    let item = Item::Store(id);
    let (seen, other) = (of_shop(&seen), of_shop(&other));
    change(db, &mara, item, &seen, &other).await.expect("changed");
    let late = change(db, &mara, item, &seen, &other).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    assert_eq!(get().await.region.as_deref(), Some("tver"));
    let nothing = change(db, &mara, Item::Store(StoreId::new()), &seen, &other).await;
    assert!(matches!(nothing, Err(Error::NotFound)), "{nothing:?}");

    managing::set_open(db, &mara, id, false).await.expect("closed");
    let twice = managing::set_open(db, &mara, id, false).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    put(world, &shop("klin", "Клин")).await;
    let found = async |find: &str| {
        let mut conn = db.read().await.expect("a connection");
        let all = managing::list(&mut conn, &mara, Lang::Ru, find).await.expect("listed");
        all.into_iter().map(|one| one.store.code).collect::<Vec<_>>()
    };
    assert_eq!(found("").await, ["klin", "tver-1"], "what is closed comes last");
    assert_eq!(found(" ТВЕРЬ").await, ["tver-1"]);
    managing::set_open(db, &mara, id, true).await.expect("open");
    let read = managing::read(db, &mara, id).await.expect("read");
    assert_eq!(read, get().await);
    assert_eq!(
        log(world).await,
        [
            "store.create",
            "store.draft",
            r#"store.publish region: null → "tver""#,
            "store.close",
            "store.reopen",
            "store.read"
        ]
    );
    let agent = people::staff(world, "agent").await;
    let mut conn = db.read().await.expect("a connection");
    let refused = [
        managing::list(&mut conn, &agent, Lang::Ru, "").await.err(),
        managing::get(&mut conn, &agent, id).await.err(),
        managing::read(db, &agent, id).await.err(),
        category::list(&mut conn, &agent).await.err(),
        articles::list(&mut conn, &agent, "", "", 1).await.err(),
        managing::create(db, &agent, &new).await.err(),
        change(db, &agent, item, &seen, &other).await.err(),
        catalogue::discard(db, &agent, item, db.now()).await.err(),
        catalogue::coming(&mut conn, &agent, item).await.err(),
        managing::set_open(db, &agent, id, false).await.err(),
        category::read(db, &agent, CategoryId::new()).await.err(),
        category::create(db, &agent, &of_shelf("a", None, None)).await.err(),
        article::get(&mut conn, &agent, ArticleId::new()).await.err(),
        article::create(db, &agent, &tea()).await.err(),
        article::by_code(&mut conn, &agent, "t-1").await.err(),
        crm::audit::of_object(&mut conn, &agent, Object::Store(id), 1)
            .await
            .err(),
    ];
    for (n, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(Error::Forbidden)), "{n}: {error:?}");
    }
});

crm::both_engines!(articles_are_found, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let made = db.write(|tx| {
        crm::db::scoped(async move {
            let category = store::put_category(tx, &SYSTEM, "tea", &text("tea"), 1).await?;
            let names = &[("t-1", Some("Ёлка 100%")), ("t-2", Some("Чай"))].into_iter().collect();
            let ids = articles::ensure(tx, &SYSTEM, names).await?;
            articles::categorize(tx, &SYSTEM, ids["t-1"], Some(category)).await?;
            Ok::<_, Error>(())
        })
    });
    made.await.expect("written");
    execute!(db, "UPDATE articles SET payable = $1 WHERE code = 't-2'", false)
        .await
        .expect("described");
    let found = async |find: &str, after: &str, limit: i64| {
        let mut conn = db.read().await.expect("a connection");
        let all = articles::list(&mut conn, &mara, find, after, limit)
            .await
            .expect("listed");
        all.into_iter()
            .map(|one| (one.code, one.payable, one.category.is_some()))
            .collect::<Vec<_>>()
    };
    let (first, second) = (("t-1".to_owned(), true, true), ("t-2".to_owned(), false, false));
    assert_eq!(found("", "", 9).await, [first.clone(), second.clone()]);
    let (first, second) = ([first], [second]);
    assert_eq!(found("", "", 1).await, first);
    assert_eq!(found("", "t-1", 9).await, second);
    assert_eq!(found("ЁЛКА", "", 9).await, first);
    assert_eq!(found("T-2", "", 9).await, second);
    assert_eq!(found("%", "", 9).await, first, "a sign of patterns is a sign");
});

/// A category as it is written down.
fn of_shelf(code: &str, parent: Option<&str>, after: Option<&str>) -> category::Record {
    category::Record {
        code: code.into(),
        name: text(code),
        parent: parent.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

fn tea() -> article::Record {
    article::Record {
        code: "t-1".into(),
        name: "Чай".into(),
        category: None,
        brand: None,
        payable: true,
    }
}

crm::both_engines!(categories_are_kept_in_order_and_in_no_circle, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let add = async |code: &str, parent: Option<&str>, after: Option<&str>| {
        category::create(db, &mara, &of_shelf(code, parent, after)).await
    };
    let listed = async || {
        let mut conn = db.read().await.expect("a connection");
        category::list(&mut conn, &mara).await.expect("listed")
    };
    let order = async || listed().await.into_iter().map(|(_, one)| one.code).collect::<Vec<_>>();
    let tea = add("tea", None, None).await.expect("added");
    add("dishes", None, Some("tea")).await.expect("added");
    let green = add("green", Some("tea"), Some("tea")).await.expect("added");
    assert_eq!(order().await, ["tea", "green", "dishes"]);
    let flaw = |field: &str, flaw: Flaw| vec![(field.to_owned(), flaw)];
    let flaws = |result: Result<CategoryId, Error>| match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    assert_eq!(flaws(add("tea", None, None).await), flaw("key", Flaw::Taken));
    assert_eq!(
        flaws(add("new", Some("none"), None).await),
        flaw("parent", Flaw::NotAChoice)
    );
    assert_eq!(
        flaws(add("new", None, Some("none")).await),
        flaw("after", Flaw::NotAChoice)
    );
    assert_eq!(order().await.len(), 3, "what was refused is not there");

    // Two put each into the other at once: whoever comes second is told of the circle, or that it is another record by now.
    let seen = async |id| {
        listed()
            .await
            .into_iter()
            .find(|(known, _)| *known == id)
            .expect("there")
            .1
    };
    let (seen_tea, seen_green) = (seen(tea).await, seen(green).await);
    let out = category::Record {
        parent: None,
        ..seen_green.clone()
    };
    let of = |id, seen: &category::Record, new: &category::Record| {
        let records = (Record::Category(seen.clone()), Record::Category(new.clone()));
        let mara = &mara;
        async move { change(db, mara, Item::Category(id), &records.0, &records.1).await }
    };
    of(green, &seen_green, &out).await.expect("out");
    let late = of(green, &seen_green, &out).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let into = |seen: &category::Record, parent: &str| category::Record {
        parent: Some(parent.to_owned()),
        ..seen.clone()
    };
    let (tea_within, green_within) = (into(&seen_tea, "green"), into(&out, "tea"));
    let (first, second) = tokio::join!(of(tea, &seen_tea, &tea_within), of(green, &out, &green_within));
    assert_eq!(
        [first.is_ok(), second.is_ok()].iter().filter(|is| **is).count(),
        1,
        "{first:?} {second:?}"
    );
    let nobody = of(CategoryId::new(), &out, &green_within).await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
});

crm::both_engines!(staff_add_articles_and_a_code_is_given_once, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let shelf = category::create(db, &mara, &of_shelf("tea", None, None)).await;
    shelf.expect("added");
    let wrong = article::Record {
        code: "я".repeat(101),
        name: " ".into(),
        category: Some("none".into()),
        brand: Some("я".repeat(101)),
        payable: true,
    };
    let flaws = |result: Result<ArticleId, Error>| match result {
        Err(Error::Invalid(flaws)) => flaws,
        other => panic!("{other:?}"),
    };
    let flaw = |field: &str, flaw: Flaw| (field.to_owned(), flaw);
    assert_eq!(
        flaws(article::create(db, &mara, &wrong).await),
        [
            flaw("key", Flaw::TooLong { max: 100 }),
            flaw("name", Flaw::Missing),
            flaw("brand", Flaw::TooLong { max: 100 }),
            flaw("category", Flaw::NotAChoice),
        ]
    );
    let new = article::Record {
        code: " Т-1 ".into(),
        name: " Чай «Ёлка» ".into(),
        category: Some("tea".into()),
        brand: Some(" Сосна ".into()),
        payable: false,
    };
    let kept = article::Record {
        code: "Т-1".into(),
        name: "Чай «Ёлка»".into(),
        brand: Some("Сосна".into()),
        ..new.clone()
    };
    // Of two at once one is there, and the other is told so.
    let (first, second) = tokio::join!(article::create(db, &mara, &new), article::create(db, &mara, &new));
    let (added, refused) = if first.is_ok() {
        (first, second)
    } else {
        (second, first)
    };
    let id = added.expect("one of them");
    assert_eq!(flaws(refused), [flaw("key", Flaw::Taken)]);
    assert_eq!(article::read(db, &mara, id).await.expect("read"), kept);
    // A till that sends the code means the same article, and one letter makes another code.
    let same = db.write(|tx| {
        crm::db::scoped(async move {
            let names = &[("Т-1", None)].into_iter().collect();
            Ok::<_, Error>(articles::ensure(tx, &SYSTEM, names).await?["Т-1"])
        })
    });
    assert_eq!(same.await.expect("found"), id);
    let lower = article::Record {
        code: "т-1".into(),
        ..new.clone()
    };
    let other = article::create(db, &mara, &lower).await.expect("another one");

    let mut conn = db.read().await.expect("a connection");
    let named = |id, name: &str| Some((id, name.to_owned()));
    for (code, expected) in [
        ("Т-1", named(id, "Чай «Ёлка»")),
        ("т-1", named(other, "Чай «Ёлка»")),
        ("Т", None),
    ] {
        let found = article::by_code(&mut conn, &mara, code).await.expect("read");
        assert_eq!(found, expected, "{code}");
    }
    let found = articles::list(&mut conn, &mara, "«ЕЛКА»", "", 9).await.expect("listed");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one.category.is_some() && !one.payable));
    let told = crm::audit::of_object(&mut conn, &mara, Object::Article(id), 9)
        .await
        .expect("read");
    let told: Vec<_> = told.into_iter().map(|act| (act.action, act.by)).collect();
    assert_eq!(told, [("article.create".to_owned(), Some(mara.name().to_owned()))]);
});

crm::both_engines!(what_staff_changed_of_an_article_is_told, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let made = db.write(|tx| {
        crm::db::scoped(async move {
            let names = &[("t-1", Some("Чай"))].into_iter().collect();
            Ok::<_, Error>(articles::ensure(tx, &SYSTEM, names).await?["t-1"])
        })
    });
    let id = made.await.expect("written");
    assert_eq!(article::read(db, &mara, id).await.expect("read"), tea());
    let renamed = article::Record {
        name: "Чай; \"зелёный\"".into(),
        payable: false,
        ..tea()
    };
    let item = Item::Article(id);
    let [first, second] = [tea(), renamed.clone()].map(Record::Article);
    change(db, &mara, item, &first, &second).await.expect("changed");
    change(db, &mara, item, &second, &second)
        .await
        .expect("nothing to change");
    let late = change(db, &mara, item, &first, &second).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let mut conn = db.read().await.expect("a connection");
    let told = crm::audit::of_object(&mut conn, &mara, Object::Article(id), 9)
        .await
        .expect("read");
    let told: Vec<_> = told
        .into_iter()
        .map(|act| {
            (
                act.action,
                act.changed
                    .into_iter()
                    .map(|one| (one.field, one.is))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let changed = vec![
        ("name".to_owned(), serde_json::json!(renamed.name)),
        ("payable".to_owned(), serde_json::json!(false)),
    ];
    assert_eq!(
        told,
        [
            ("article.publish".to_owned(), changed),
            ("article.draft".to_owned(), Vec::new())
        ]
    );
});

crm::both_engines!(what_is_scheduled_is_carried_out_late_and_once, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let mut first = shop("a", "Тверь");
    first.longitude = Some(35_917_600);
    let id = put(world, &first).await;
    let item = Item::Store(id);
    let live = async || {
        let mut conn = db.read().await.expect("a connection");
        managing::get(&mut conn, &mara, id).await.expect("read").record()
    };
    let coming = async || {
        let mut conn = db.read().await.expect("a connection");
        catalogue::coming(&mut conn, &mara, item).await.expect("read")
    };
    let seen = live().await;
    let holiday = serde_json::from_str(r#"[{"day": "2027-01-01", "hours": null}]"#).expect("a day");
    let next = NewStore {
        phone: Some("+79000009901".into()),
        exceptions: Some(holiday),
        ..seen.clone()
    };
    let write =
        async |draft, new: &NewStore| catalogue::write(db, &mara, item, (&of_shop(&seen), draft), &of_shop(new)).await;
    let half = NewStore {
        phone: next.phone.clone(),
        ..seen.clone()
    };
    write(None, &half).await.expect("a draft");
    let late = write(None, &next).await;
    assert!(
        matches!(late, Err(Error::Stale)),
        "somebody wrote a draft meanwhile: {late:?}"
    );
    let old = coming().await.0.expect("a draft").changed_at;
    world.clock.set(start() + chrono::TimeDelta::minutes(1));
    write(Some(old), &next).await.expect("written over");
    let from = start() + chrono::TimeDelta::hours(1);
    let other = catalogue::publish(db, &fresh, item, old, Some(from)).await;
    assert!(
        matches!(other, Err(Error::Stale)),
        "what was shown is published: {other:?}"
    );
    let draft = coming().await.0.expect("a draft").changed_at;
    let past = catalogue::publish(db, &fresh, item, draft, Some(start())).await;
    assert!(
        matches!(&past, Err(Error::Invalid(flaws)) if flaws == &[("from".to_owned(), Flaw::TooLate)]),
        "{past:?}"
    );
    catalogue::publish(db, &fresh, item, draft, Some(from))
        .await
        .expect("scheduled");
    let (draft, ahead) = coming().await;
    assert_eq!((draft, ahead.expect("it lies ahead").from), (None, from));
    assert_eq!(catalogue::run_due(db, &SYSTEM).await.expect("nothing is due"), 0);
    assert_eq!(live().await, seen, "nothing that is published changed");

    // What another system sent meanwhile stays.
    let sent = NewStore {
        address: text("Elsewhere"),
        ..first.clone()
    };
    put(world, &sent).await;
    world.clock.set(from + chrono::TimeDelta::hours(3));
    let both = tokio::join!(catalogue::run_due(db, &SYSTEM), catalogue::run_due(db, &SYSTEM));
    let (one, other) = (both.0.expect("carried out"), both.1.expect("carried out"));
    assert_eq!(one + other, 1, "of two nodes one does it");
    assert_eq!(catalogue::run_due(db, &SYSTEM).await.expect("once"), 0);
    let expected = NewStore {
        address: text("Elsewhere"),
        ..next.clone()
    };
    assert_eq!(live().await, expected);
    let applied = people::one!(world, i64, "SELECT COUNT(*) FROM audit WHERE action = 'store.apply'");
    assert_eq!(applied, 1);
    for sql in [
        "UPDATE catalogue_versions SET version = version + 100",
        "DELETE FROM catalogue_versions",
    ] {
        assert!(execute!(db, sql).await.is_err(), "{sql}");
    }
});

crm::both_engines!(one_that_cannot_be_carried_out_keeps_no_other_waiting, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let mut first = shop("a", "Тверь");
    first.longitude = Some(35_917_600);
    let id = put(world, &first).await;
    let item = Item::Store(id);
    let seen = async || {
        let mut conn = db.read().await.expect("a connection");
        managing::get(&mut conn, &mara, id).await.expect("read").record()
    };
    let before = seen().await;
    let next = NewStore {
        phone: Some("+79000009901".into()),
        ..before.clone()
    };
    catalogue::write(db, &mara, item, (&of_shop(&before), None), &of_shop(&next))
        .await
        .expect("a draft");
    let (draft, _) = catalogue::coming(&mut db.read().await.expect("a connection"), &mara, item)
        .await
        .expect("read");
    let from = start() + chrono::TimeDelta::hours(1);
    let fresh = mara.fresh(db).expect("fresh");
    catalogue::publish(db, &fresh, item, draft.expect("a draft").changed_at, Some(from))
        .await
        .expect("scheduled");
    // One of a shop that is not there is due before it.
    sql!(
        world,
        "INSERT INTO catalogue_versions (item_id, version, edit, published_at, published_by) \
         SELECT $1, version, edit, $2, published_by FROM catalogue_versions",
        StoreId::new(),
        start()
    );
    world.clock.set(from);
    let done = catalogue::run_due(db, &SYSTEM).await;
    assert!(matches!(done, Err(Error::NotFound)), "what failed is told: {done:?}");
    assert_eq!(seen().await, next, "and the other one counts");
});

crm::both_engines!(what_lies_ahead_is_taken_back, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    let add = async |code: &str, parent: Option<&str>, after: Option<&str>| {
        let new = of_shelf(code, parent, after);
        category::create(db, &mara, &new).await.expect("added")
    };
    let tea = add("tea", None, None).await;
    let green = add("green", None, Some("tea")).await;
    let seen = async |id| {
        let mut conn = db.read().await.expect("a connection");
        let all = category::list(&mut conn, &mara).await.expect("listed");
        all.into_iter().find(|(known, _)| *known == id).expect("there").1
    };
    let coming = async |id| {
        let mut conn = db.read().await.expect("a connection");
        catalogue::coming(&mut conn, &mara, Item::Category(id))
            .await
            .expect("read")
    };
    let first = seen(green).await;
    let within = category::Record {
        parent: Some("tea".into()),
        ..first.clone()
    };
    let records = (Record::Category(first.clone()), Record::Category(within));
    let item = Item::Category(green);
    catalogue::write(db, &mara, item, (&records.0, None), &records.1)
        .await
        .expect("a draft");
    let draft = coming(green).await.0.expect("a draft").changed_at;
    let from = start() + chrono::TimeDelta::hours(1);
    catalogue::publish(db, &fresh, item, draft, Some(from))
        .await
        .expect("scheduled");
    catalogue::withdraw(db, &fresh, item).await.expect("taken back");
    let twice = catalogue::withdraw(db, &fresh, item).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
    let (draft, ahead) = coming(green).await;
    assert!(ahead.is_none());
    let draft = draft.expect("a draft again").changed_at;
    catalogue::publish(db, &fresh, item, draft, Some(from))
        .await
        .expect("scheduled again");

    // By then tea lies within green: the circle is not closed, and somebody finds the draft.
    let before = seen(tea).await;
    let tea_within = category::Record {
        parent: Some("green".into()),
        ..before.clone()
    };
    let tea_records = (Record::Category(before), Record::Category(tea_within));
    change(db, &mara, Item::Category(tea), &tea_records.0, &tea_records.1)
        .await
        .expect("within");
    world.clock.set(from);
    assert_eq!(catalogue::run_due(db, &SYSTEM).await.expect("looked at"), 1);
    assert_eq!(seen(green).await, first);
    let (draft, ahead) = coming(green).await;
    assert!(draft.is_some() && ahead.is_none());
    let publish = catalogue::publish(db, &fresh, item, draft.expect("a draft").changed_at, None).await;
    assert!(
        matches!(&publish, Err(Error::Invalid(flaws)) if flaws == &[("parent".to_owned(), Flaw::Circle)]),
        "{publish:?}"
    );
    catalogue::discard(db, &mara, item, db.now())
        .await
        .expect("thrown away");
    let twice = catalogue::discard(db, &mara, item, db.now()).await;
    assert!(matches!(twice, Err(Error::Stale)), "{twice:?}");
});
