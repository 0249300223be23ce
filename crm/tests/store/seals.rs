//! Seals over the audit log: whoever changes it behind the program's back is found out.

use crate::common::people::{one, row, sql};
use crate::common::{BY, days, ready, sign_in};
use chrono::TimeDelta;
use crm::audit::seal::{self, Fault, Report};
use crm::audit::{self, Actor};
use crm::db::scoped;
use crm::id::{AuditId, CustomerId};
use crm::testing::{World, start};
use sqlx::Connection as _;

/// Writes a row as the program does.
async fn write(world: &World, action: &'static str, reason: &'static str, customer: Option<CustomerId>) {
    let written: Result<(), crm::Error> = world
        .db
        .write(|tx| {
            scoped(async move {
                let entry = audit::Entry {
                    actor: Actor::Staff,
                    actor_id: Some(uuid::Uuid::now_v7()),
                    action,
                    customer,
                    object: None,
                    reason,
                    network: "192.0.2.7",
                };
                Ok(audit::record(tx, entry).await?)
            })
        })
        .await;
    written.expect("written");
}

async fn sealed(world: &World) -> i64 {
    seal::run_due(&world.db, &BY).await.expect("sealed")
}

async fn report(world: &World, known: Option<(i64, &str)>) -> Report {
    seal::verify(&world.db, &BY, known).await.expect("compared")
}

async fn fault(world: &World) -> Option<Fault> {
    report(world, None).await.fault
}

/// Runs a statement as somebody who holds the database, with every trigger off.
async fn behind_its_back(world: &World, sql: &'static str) {
    if world.url.starts_with("sqlite:") {
        let mut conn = sqlx::SqliteConnection::connect(&world.url).await.expect("SQLite opens");
        for off in [
            "DROP TRIGGER IF EXISTS audit_no_update",
            "DROP TRIGGER IF EXISTS audit_no_delete",
            "DROP TRIGGER IF EXISTS audit_seals_no_update",
            "DROP TRIGGER IF EXISTS audit_seals_no_delete",
            "DROP TRIGGER IF EXISTS audit_sealed_no_delete",
        ] {
            sqlx::query(off).execute(&mut conn).await.expect("switched off");
        }
        sqlx::query(sql).execute(&mut conn).await.expect(sql);
    } else {
        let mut conn = sqlx::PgConnection::connect(&world.url)
            .await
            .expect("PostgreSQL answers");
        for sql in ["SET session_replication_role = replica", sql] {
            sqlx::query(sql).execute(&mut conn).await.expect(sql);
        }
    }
}

crm::both_engines!(what_is_new_is_sealed_once_by_whoever_comes_first, async |world| {
    assert_eq!(sealed(world).await, 0, "nothing yet");
    for action in ["a.a", "a.b", "a.c"] {
        write(world, action, "", None).await;
    }
    assert_eq!(
        seal::waiting_since(&world.db, &BY).await.expect("looked at"),
        Some(start())
    );
    let (one, other) = tokio::join!(sealed(world), sealed(world));
    assert_eq!(one + other, 3, "two nodes at once");
    assert_eq!(seal::waiting_since(&world.db, &BY).await.expect("looked at"), None);
    world.clock.set(start() + TimeDelta::minutes(1));
    write(world, "a.d", "", None).await;
    assert_eq!(sealed(world).await, 1);
    assert_eq!(sealed(world).await, 0);
    let report = report(world, None).await;
    assert_eq!(
        (report.seals, report.rows, report.erased, report.fault),
        (2, 4, 0, None)
    );
    let newest = seal::newest(&world.db, &BY).await.expect("read").expect("a seal");
    assert_eq!((newest.id, newest.row_count), (2, 1));
    assert_eq!(report.newest, Some(newest));
});

crm::both_engines!(
    a_row_that_is_committed_late_with_an_earlier_id_and_moment_is_sealed,
    async |world| {
        // Its transaction began first and ends last.
        let (early, at) = (AuditId::new(), start() - TimeDelta::minutes(5));
        write(world, "a.a", "", None).await;
        assert_eq!(sealed(world).await, 1);
        sql!(
            world,
            "INSERT INTO audit (id, at, actor, action, reason, network) VALUES ($1, $2, 'system', 'a.late', '', '')",
            early,
            at,
        );
        assert_eq!(sealed(world).await, 1);
        world.clock.set(start() + TimeDelta::hours(1));
        assert_eq!(fault(world).await, None);
        // The next one finds its way all the same.
        write(world, "a.b", "", None).await;
        assert_eq!(sealed(world).await, 1);
        assert_eq!(fault(world).await, None);
    }
);

crm::both_engines!(s23_a_change_of_the_log_is_found_whoever_made_it, async |world| {
    for action in ["a.a", "a.b", "a.c"] {
        write(world, action, "Звонила", None).await;
    }
    assert_eq!(sealed(world).await, 3);
    write(world, "b.a", "", None).await;
    assert_eq!(sealed(world).await, 1);
    world.clock.set(start() + TimeDelta::minutes(11));
    assert_eq!(fault(world).await, None);
    let at = start();
    // Each change, what is found of it, and how it is taken back.
    for (change, back) in [
        (
            "UPDATE audit SET action = 'a.z' WHERE action = 'a.b'",
            "UPDATE audit SET action = 'a.b' WHERE action = 'a.z'",
        ),
        (
            "UPDATE audit SET actor = 'till' WHERE action = 'a.b'",
            "UPDATE audit SET actor = 'staff' WHERE action = 'a.b'",
        ),
        (
            "UPDATE audit SET object_id = actor_id WHERE action = 'a.b'",
            "UPDATE audit SET object_id = NULL WHERE action = 'a.b'",
        ),
        (
            "UPDATE audit_seals SET row_count = 4 WHERE id = 1",
            "UPDATE audit_seals SET row_count = 3 WHERE id = 1",
        ),
    ] {
        behind_its_back(world, change).await;
        assert_eq!(fault(world).await, Some(Fault::Changed { seal: 1, at }), "{change}");
        behind_its_back(world, back).await;
        assert_eq!(fault(world).await, None, "{back}");
    }
    for (change, back) in [
        (
            "UPDATE audit SET reason = 'Писала' WHERE action = 'a.b'",
            "UPDATE audit SET reason = 'Звонила' WHERE action = 'a.b'",
        ),
        // As erasure would leave it, and nobody was erased.
        (
            "UPDATE audit SET reason = '', network = '' WHERE action = 'a.b'",
            "UPDATE audit SET reason = 'Звонила', network = '192.0.2.7' WHERE action = 'a.b'",
        ),
    ] {
        behind_its_back(world, change).await;
        let found = fault(world).await;
        assert!(
            matches!(found, Some(Fault::Rewritten { seal: 1, .. })),
            "{change}: {found:?}"
        );
        behind_its_back(world, back).await;
        assert_eq!(fault(world).await, None, "{back}");
    }
    // A row that claims to be from yesterday.
    sql!(
        world,
        "INSERT INTO audit (id, at, actor, action, reason, network) VALUES ($1, $2, 'system', 'a.slipped', '', '')",
        AuditId::new(),
        start() - days(1),
    );
    assert_eq!(sealed(world).await, 0);
    let found = fault(world).await;
    assert!(matches!(found, Some(Fault::Unsealed { .. })), "{found:?}");
    behind_its_back(world, "DELETE FROM audit WHERE action = 'a.slipped'").await;
    assert_eq!(fault(world).await, None);

    behind_its_back(world, "DELETE FROM audit WHERE action = 'a.b'").await;
    let found = fault(world).await;
    assert!(matches!(found, Some(Fault::NoRow { seal: 1, .. })), "{found:?}");
    behind_its_back(world, "DELETE FROM audit_seals WHERE id = 1").await;
    assert_eq!(fault(world).await, Some(Fault::NoSeal(1)));
});

crm::both_engines!(
    s23_an_end_that_was_cut_off_is_found_by_what_was_kept_elsewhere,
    async |world| {
        write(world, "a.a", "", None).await;
        assert_eq!(sealed(world).await, 1);
        world.clock.set(start() + TimeDelta::minutes(1));
        write(world, "a.b", "", None).await;
        assert_eq!(sealed(world).await, 1);
        let newest = seal::newest(&world.db, &BY).await.expect("read").expect("a seal");
        let (kept, hash) = (newest.id, newest.hash());
        let known = Some((kept, hash.as_str()));
        assert_eq!(report(world, known).await.fault, None);
        behind_its_back(world, "DELETE FROM audit_seals WHERE id = 2").await;
        assert_eq!(fault(world).await, Some(Fault::NoSeal(2)));
        behind_its_back(world, "DELETE FROM audit_sealed WHERE seal_id = 2").await;
        assert_eq!(report(world, known).await.fault, Some(Fault::NoSeal(2)));
        // Without what was kept it is taken for what waits for its seal, as long as that is lawful.
        assert_eq!(fault(world).await, None);
        world.clock.set(start() + TimeDelta::minutes(12));
        let found = fault(world).await;
        assert!(matches!(found, Some(Fault::Unsealed { .. })), "{found:?}");
        // Sealed anew all seems well, but for the hash.
        assert_eq!(sealed(world).await, 1);
        assert_eq!(fault(world).await, None);
        assert_eq!(report(world, known).await.fault, Some(Fault::NotTheKnown(2)));
    }
);

crm::both_engines!(s23_what_erasure_takes_out_of_the_log_breaks_no_seal, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (row(world, "Анна", "К").await, row(world, "Борис", "К").await);
    for id in [anna, boris] {
        write(world, "customer.end_sessions", "Звонила", Some(id)).await;
    }
    assert!(sealed(world).await >= 2);
    let by = sign_in(db, BY.subject(anna)).await;
    crm::erasure::ask(db, &by.fresh(db).expect("fresh"), true)
        .await
        .expect("asked");
    assert!(sealed(world).await >= 1);
    world.clock.set(start() + days(20));
    assert_eq!(crm::erasure::run_due(db, &BY).await.expect("erased"), 1);
    sealed(world).await;
    let report = report(world, None).await;
    assert_eq!(report.fault, None);
    assert!(report.erased >= 1, "{report:?}");
    // What could be tried out by a hash cannot be any more.
    let nonces = "SELECT COUNT(*) FROM audit_sealed s JOIN audit a ON a.id = s.id \
                      WHERE s.nonce IS NOT NULL AND a.customer_id = $1 AND a.action = 'customer.end_sessions'";
    assert_eq!(one!(world, i64, nonces, anna), 0);
    assert_eq!(one!(world, i64, nonces, boris), 1);
    // Of somebody who was not erased the same is a fault, and something else in its place is one of anybody.
    behind_its_back(
        world,
        "UPDATE audit SET reason = 'Писала' WHERE action = 'customer.end_sessions' AND reason = ''",
    )
    .await;
    let found = fault(world).await;
    assert!(matches!(found, Some(Fault::Rewritten { .. })), "{found:?}");
});

crm::both_engines!(the_database_itself_refuses_to_change_seals, async |world| {
    write(world, "a.a", "", None).await;
    assert_eq!(sealed(world).await, 1);
    let change = async |sql: &'static str| {
        let done = world.db.write(|tx| {
            scoped(async move {
                crm::on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
                Ok::<_, crm::Error>(())
            })
        });
        done.await
    };
    for sql in [
        "UPDATE audit_seals SET row_count = 2",
        "DELETE FROM audit_seals",
        "UPDATE audit_sealed SET seal_id = 2",
        "UPDATE audit_sealed SET nonce = erasable",
        "UPDATE audit_sealed SET erasable = nonce, nonce = NULL",
        "DELETE FROM audit_sealed",
    ] {
        let refused = change(sql).await.expect_err(sql).to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    change("UPDATE audit_sealed SET nonce = NULL")
        .await
        .expect("as erasure does");
});

crm::both_engines!(one_node_compares_the_log_each_day, async |world| {
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_some());
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_none());
    world.clock.set(start() + days(1));
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_some());
    // What failed was not done.
    world.clock.set(start() + days(2));
    sql!(world, "ALTER TABLE audit_sealed RENAME TO out_of_reach");
    seal::verify_daily(&world.db, &BY).await.expect_err("nothing to read");
    sql!(world, "ALTER TABLE out_of_reach RENAME TO audit_sealed");
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_none());
    world.clock.set(start() + days(2) + TimeDelta::hours(3));
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_some());
    assert!(seal::verify_daily(&world.db, &BY).await.expect("asked").is_none());
});
