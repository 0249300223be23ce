//! Shops and categories.

use crate::common::people::{SYSTEM, sql, text};
use crm::lang::{Lang, Localized};
use crm::stores::{Hours, NewStore, Store, store};
use crm::testing::World;

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
    }
}

async fn put(world: &World, shop: &NewStore) -> crm::id::StoreId {
    world
        .db
        .write(|tx| crm::db::scoped(async move { store::put(tx, &SYSTEM, shop).await }))
        .await
        .expect("written")
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
            phone
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
