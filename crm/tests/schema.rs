//! The two engines hold the same thing.

use crm::db::scoped;
use crm::on;

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

#[tokio::test]
async fn both_engines_have_the_same_columns() {
    let sqlite = columns(
        &crm::testing::sqlite().await,
        "SELECT t.name AS table_name, c.name AS column_name, c.type AS kind, c.\"notnull\" = 1 AS required \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
    )
    .await;
    let postgres = columns(
        &crm::testing::postgres().await,
        "SELECT table_name::text, column_name::text, data_type::text AS kind, is_nullable = 'NO' AS required \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'",
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
