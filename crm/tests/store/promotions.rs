//! Promotions.

use crate::common::people::{SYSTEM, text};
use chrono::{DateTime, TimeDelta, Utc};
use crm::id::{PromotionId, StoreId};
use crm::promotion::{NewPromotion, Promotion, store};
use crm::stores::{Hours, NewStore, store as stores};
use crm::testing::{World, start};

fn promotion(code: &str, from: i64, to: i64) -> NewPromotion {
    NewPromotion {
        code: code.into(),
        title: text(code),
        conditions: text("<b>15 %</b> off, 😀"),
        starts_at: start() + TimeDelta::hours(from),
        ends_at: start() + TimeDelta::hours(to),
        stores: Vec::new(),
    }
}

async fn put(world: &World, new: &NewPromotion) -> PromotionId {
    world
        .db
        .write(|tx| crm::db::scoped(async move { store::put(tx, &SYSTEM, new).await }))
        .await
        .expect("written")
}

async fn running(world: &World, at: DateTime<Utc>) -> Vec<Promotion> {
    store::running(&mut world.db.read().await.expect("a connection"), at)
        .await
        .expect("read")
}

async fn shop(world: &World, code: &str) -> StoreId {
    let new = &NewStore {
        code: code.into(),
        name: text(code),
        town: text("town"),
        address: text("address"),
        latitude: None,
        longitude: None,
        hours: Hours::try_from([None; 7]).expect("possible hours"),
        phone: None,
        region: None,
    };
    world
        .db
        .write(|tx| crm::db::scoped(async move { stores::put(tx, &SYSTEM, new).await }))
        .await
        .expect("written")
}

crm::both_engines!(
    a_promotion_holds_from_its_first_moment_to_before_its_last,
    async |world| {
        put(world, &promotion("long", 0, 20)).await;
        put(world, &promotion("short", 0, 10)).await;
        put(world, &promotion("over", -5, 0)).await;
        put(world, &promotion("later", 1, 5)).await;
        let codes = async |at| running(world, at).await.into_iter().map(|p| p.code).collect::<Vec<_>>();
        assert_eq!(codes(start()).await, ["short", "long"]);
        assert_eq!(codes(start() - TimeDelta::microseconds(1)).await, ["over"]);
        assert_eq!(codes(start() + TimeDelta::hours(1)).await, ["later", "short", "long"]);
        assert_eq!(codes(start() + TimeDelta::hours(10)).await, ["long"]);
        let mut conn = world.db.read().await.expect("a connection");
        let ends = async |conn: &mut _, limit| {
            let found = store::ending(conn, start(), limit).await.expect("read");
            found
                .into_iter()
                .map(|p| (p.ends_at - start()).num_hours())
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(&mut conn, 5).await, [10, 20]);
        assert_eq!(ends(&mut conn, 1).await, [10]);
    }
);

crm::both_engines!(a_promotion_names_its_shops_and_counts_its_changes, async |world| {
    let (b, a) = (shop(world, "b").await, shop(world, "a").await);
    put(world, &promotion("everywhere", 0, 30)).await;
    let mut new = promotion("here", 0, 10);
    new.stores = vec![b, a, b];
    let id = put(world, &new).await;
    assert_eq!(put(world, &new).await, id);
    let found = running(world, start()).await;
    assert_eq!(
        (found[0].id, found[0].version, &found[0].conditions),
        (id, 1, &new.conditions)
    );
    assert_eq!(found[0].places.iter().map(|p| p.id).collect::<Vec<_>>(), [a, b]);
    assert_eq!(
        (&found[0].places[0].name, &found[0].places[0].town),
        (&text("a"), &text("town"))
    );
    assert_eq!(found[1].places, []);

    new.stores = vec![a];
    assert_eq!(put(world, &new).await, id);
    let found = running(world, start()).await;
    assert_eq!(found[0].version, 2);
    assert_eq!(found[0].places.iter().map(|p| p.id).collect::<Vec<_>>(), [a]);
    new.title = text("else");
    put(world, &new).await;
    assert_eq!(running(world, start()).await[0].version, 3);
});
