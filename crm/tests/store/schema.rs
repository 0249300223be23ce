//! The two engines hold the same thing.

use crate::common::{assert_books_agree, customer, execute, fund, ready};
use crm::db::scoped;
use crm::on;
use crm::testing::start;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
struct Column {
    table_name: String,
    column_name: String,
    kind: String,
    required: bool,
}

/// What a PostgreSQL type is called in SQLite's five.
fn kind(postgres: &str) -> &str {
    match postgres {
        "uuid" | "bytea" => "BLOB",
        "bigint" | "boolean" => "INTEGER",
        "text" | "jsonb" | "date" | "timestamp with time zone" => "TEXT",
        other => other,
    }
}

async fn columns(world: &crm::testing::World, sql: &'static str) -> Vec<Column> {
    let mut conn = world.db.read().await.expect("a connection");
    let mut columns: Vec<Column> =
        on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await).expect("the engine describes itself");
    for column in &mut columns {
        column.kind = kind(&column.kind).to_owned();
    }
    columns.sort();
    columns
}

/// All but the words of requests: each engine keeps them in its own way.
#[tokio::test]
async fn both_engines_have_the_same_columns() {
    let sqlite = columns(
        &crm::testing::sqlite().await,
        "SELECT t.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" = 1 AS required \
         FROM sqlite_master t JOIN pragma_table_xinfo(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
         AND t.name NOT LIKE 'request\\_words%' ESCAPE '\\'",
    )
    .await;
    let postgres = columns(
        &crm::testing::postgres().await,
        "SELECT table_name::text, column_name::text, data_type::text AS kind, is_nullable = 'NO' AS required \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
         AND table_name <> 'request_words'",
    )
    .await;
    assert!(sqlite.len() > 100, "{}", sqlite.len());
    assert_eq!(sqlite, postgres);
}

#[test]
fn both_engines_have_the_same_migrations() {
    let [sqlite, postgres] = crm::db::migration_versions();
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, postgres);
}

/// Opens the database of a world again, as the next start of a server does.
async fn again(world: &crm::testing::World) -> Result<crm::db::Db, crm::db::Error> {
    crm::db::Db::open(&world.url, crm::shop::Shop::default(), world.clock.clone()).await
}

/// Runs one statement outside of everything.
async fn execute(world: &crm::testing::World, sql: &'static str) {
    let done: Result<(), crm::Error> = world
        .db
        .write(|tx| {
            scoped(async move {
                on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
                Ok(())
            })
        })
        .await;
    done.expect("the statement runs");
}

crm::both_engines!(a_schema_that_is_not_ours_is_refused_in_words, async |world| {
    let current = crm::db::schema(&world.url).await.expect("it can be looked at");
    assert_eq!(current.pending, []);
    execute(
        world,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'from tomorrow', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let newer = |e: crm::db::Error| matches!(e, crm::db::Error::Newer { found: 9999, .. });
    assert!(again(world).await.is_err_and(newer));
    assert!(crm::db::schema(&world.url).await.is_err_and(newer));

    // A migration that was changed after it was applied.
    execute(world, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    again(world).await.expect("ours again");
    execute(
        world,
        // Half of what it was, in words of both engines.
        "UPDATE _sqlx_migrations SET checksum = SUBSTR(checksum, 1, 24) WHERE version = 1",
    )
    .await;
    let foreign = |e: crm::db::Error| matches!(e, crm::db::Error::Foreign(1));
    assert!(again(world).await.is_err_and(foreign));
    assert!(crm::db::schema(&world.url).await.is_err_and(foreign));
});

crm::both_engines!(an_empty_database_is_looked_at_and_left_as_it_is, async |world| {
    let url = crm::testing::empty(world).await;
    let before = crm::db::schema(&url).await.expect("it can be looked at");
    let [known, _] = crm::db::migration_versions();
    assert_eq!((before.version, &before.pending), (None, &known));
    let as_it_is = crm::db::Db::open_as_it_is(&url, crm::shop::Shop::default(), world.clock.clone());
    assert!(matches!(as_it_is.await, Err(crm::db::Error::Behind(_))));
    assert_eq!(crm::db::schema(&url).await.expect("still"), before);
});

/// SQLite has one server; PostgreSQL has any number.
#[tokio::test]
async fn nodes_that_start_at_once_over_an_empty_database_do_not_collide() {
    let world = &crm::testing::postgres().await;
    let url = crm::testing::empty(world).await;
    let start = async || {
        let db = crm::db::Db::open(&url, crm::shop::Shop::default(), world.clock.clone()).await?;
        crm::content::load(&db, &crm::who::System::at_the_command_line()).await?;
        Ok::<_, crm::db::Error>(db)
    };
    let (a, b, c) = tokio::join!(start(), start(), start());
    for db in [a, b, c] {
        let mut conn = db.expect("it starts").read().await.expect("a connection");
        const PROGRAMS: &str = "SELECT COUNT(*) FROM programs GROUP BY code";
        let counts: Vec<i64> = on!(conn, |c| sqlx::query_scalar(PROGRAMS).fetch_all(c).await).expect("read");
        assert!(
            !counts.is_empty() && counts.iter().all(|count| *count == 1),
            "{counts:?}"
        );
    }
}

crm::both_engines!(the_database_itself_refuses_to_change_history, async |world| {
    for sql in ["UPDATE audit SET reason = 'x'", "DELETE FROM audit"] {
        let result: Result<(), crm::Error> = world
            .db
            .write(|tx| {
                scoped(async move {
                    let now = tx.now();
                    on!(tx, |c| {
                        sqlx::query(
                    "INSERT INTO audit (id, at, actor, action, reason, network) VALUES ($1, $2, 'system', 'x', '', '')"
                )
                .bind(crm::id::AuditId::new())
                .bind(now)
                .execute(c)
                .await
                .map(drop)
                    })?;
                    on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
                    Ok(())
                })
            })
            .await;
        let told = result.expect_err("refused").to_string();
        assert!(told.contains("append-only"), "{told}");
    }
});

/// On SQLite alone a row may take the place of another, and no trigger hears of the one that goes. That every table has the trigger
/// is asked of the database, so that none is forgotten that comes later.
#[tokio::test]
async fn no_row_takes_the_place_of_history() {
    const UNGUARDED: &str = "SELECT t.tbl_name FROM sqlite_master t WHERE t.type = 'trigger' \
        AND t.name = t.tbl_name || '_no_delete' AND NOT EXISTS (SELECT 1 FROM sqlite_master r WHERE r.type = 'trigger' \
        AND r.tbl_name = t.tbl_name AND r.name = t.tbl_name || '_no_replace')";
    const GUARDED: &str =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND name = tbl_name || '_no_replace'";
    const POSTED: &str = "SELECT CAST(SUM(ABS(amount)) AS BIGINT) FROM postings";
    const REPLACE: [&str; 3] = [
        "INSERT OR REPLACE INTO postings (id, transaction_id, account_id, amount) \
         SELECT id, transaction_id, account_id, amount * 2 FROM postings",
        "REPLACE INTO transactions SELECT * FROM transactions",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    ];
    let world = &crm::testing::sqlite().await;
    let db = ready(world).await;
    let anna = customer(db).await;
    fund(db, anna, 30_00, start()).await;
    const ROW: &str =
        "INSERT INTO audit (id, at, actor, action, reason, network) VALUES ($1, $2, 'system', 'x', '', '')";
    execute!(db, ROW, crm::id::AuditId::new(), start())
        .await
        .expect("written");
    let mut conn = db.read().await.expect("a connection");
    let unguarded: Vec<String> = on!(conn, |c| sqlx::query_scalar(UNGUARDED).fetch_all(c).await).expect("read");
    assert_eq!(unguarded, [""; 0]);
    let guarded: i64 = on!(conn, |c| sqlx::query_scalar(GUARDED).fetch_one(c).await).expect("read");
    assert_eq!(guarded, 16);
    let before: i64 = on!(conn, |c| sqlx::query_scalar(POSTED).fetch_one(c).await).expect("read");
    drop(conn);
    for sql in REPLACE {
        let told = execute!(db, sql).await.expect_err("refused").to_string();
        assert!(told.contains("append-only"), "{sql}: {told}");
    }
    let mut conn = db.read().await.expect("a connection");
    let after: i64 = on!(conn, |c| sqlx::query_scalar(POSTED).fetch_one(c).await).expect("read");
    assert_eq!(after, before);
    drop(conn);
    assert_books_agree(db).await;
}
