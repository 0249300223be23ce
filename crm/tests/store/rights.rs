//! Rights on PostgreSQL: history stays as it was written by triggers, and by the rights of whoever uses the database as well.
//! Tests of their own roles, because to a superuser, as whom the other tests run, everything is allowed.

use crate::common::people::marketer;
use crate::common::*;
use crate::rules::{fixed, publish, rule};
use crm::db::Db;
use crm::points::store::spending;
use crm::rule::store as rules;
use crm::rule::tier::Downgrade;
use crm::rule::tier::store as tiers;
use crm::testing::{self, World, start};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The tables that are only added to, each with a column that nothing refers to and that nobody may change.
const HISTORY: [(&str, &str); 12] = [
    ("allocations", "points"),
    ("audit", "action"),
    ("audit_sealed", "erasable"),
    ("audit_seals", "hash"),
    ("consents", "act"),
    ("grants", "amount"),
    ("postings", "amount"),
    ("promotion_versions", "record"),
    ("restorations", "points"),
    ("rewards", "period"),
    ("tier_changes", "why"),
    ("transactions", "kind"),
];

/// The tables that hold drafts beside what is published.
const VERSIONS: [&str; 4] = ["catalogue_versions", "rule_versions", "text_versions", "tier_versions"];

/// SQLSTATE: the role may not do that.
const NOT_ALLOWED: Option<&str> = Some("42501");

/// Runs a statement; the SQLSTATE where it is refused.
async fn refusal(conn: &mut PgConnection, sql: &str) -> Option<String> {
    let e = sqlx::query(AssertSqlSafe(sql)).execute(conn).await.err()?;
    let code = e.as_database_error().and_then(|e| e.code()).expect("the server's word");
    Some(code.into_owned())
}

async fn run(conn: &mut PgConnection, sql: &str) {
    assert_eq!(refusal(conn, sql).await, None, "{sql}");
}

/// A role that may do nothing yet. Roles belong to the whole server, so its name is nobody else's.
async fn role(server: &mut PgConnection) -> String {
    let name = format!("role_{}", uuid::Uuid::now_v7().simple());
    run(server, &format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'")).await;
    name
}

/// The address of a database for a role.
fn address(url: &str, role: &str) -> String {
    let (_, place) = url.split_once('@').expect("an address with a user");
    format!("postgres://{role}:{role}@{place}")
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the server answers")
}

/// Opens a database as the start of a server does.
async fn opened(mut world: World, url: String) -> World {
    world.db = Db::open(&url, crm::shop::Shop::default(), world.clock.clone())
        .await
        .expect("it opens");
    world.url = url;
    world
}

/// A database that belongs to a role which may do nothing else and has migrated it; and the superuser in it.
async fn owned() -> (World, PgConnection) {
    let world = testing::postgres().await;
    let url = testing::empty(&world).await;
    let mut server = connect(&url).await;
    let owner = role(&mut server).await;
    let database: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&mut server)
        .await
        .expect("a name");
    run(&mut server, &format!("ALTER DATABASE {database} OWNER TO {owner}")).await;
    (opened(world, address(&url, &owner)).await, server)
}

/// What is done at tills and in the office that adds to history, and that refers to it.
async fn a_day(world: &World) {
    let db = ready(world).await;
    let anna = customer(db).await;
    let (club, family) = (program(db, "club").await, program(db, "family").await);
    let ten = rule("Ten", "", &fixed(club, 10_00), "");
    let given = publish(db, &ten).await.id;
    join(db, anna, "club", start() - days(1)).await;
    fund(db, anna, 10_00, start()).await;

    let sale = slip("S", anna, start()).line("apple", 1, 10_00).book(db).await.id;
    let held = reserve(db, anna, family, "S", 10_00).await.expect("reserved");
    spending::capture(db, &BY, anna, held.id, held.points, Some(sale))
        .await
        .expect("captured");
    slip("R", anna, start())
        .line("apple", -1, 10_00)
        .of_line("S", 1)
        .book(db)
        .await;

    // A draft gets another number and is thrown away while history refers to versions.
    let mara = marketer(world).await;
    rules::change(db, &mara, given, None, &ten).await.expect("a draft");
    let fresh = mara.fresh(db).expect("fresh");
    rules::withdraw(db, &fresh, given, None).await.expect("withdrawn");
    rules::discard(db, &mara, given, db.now()).await.expect("thrown away");
    let two = crate::tiers::two(Downgrade::Earned, None);
    tiers::change(db, &mara, club, None, &two).await.expect("a draft");
    tiers::discard(db, &mara, club, db.now()).await.expect("thrown away");

    run_due(world, start() + days(400)).await;
    // Of whoever is erased the log forgets what says who it was, and so do its seals.
    crm::audit::seal::run_due(db, &BY).await.expect("sealed");
    let by = sign_in(db, anna).await;
    let fresh = by.fresh(db).expect("fresh");
    crm::erasure::ask(db, &fresh, true).await.expect("asked");
    world.clock.set(start() + days(420));
    assert_eq!(crm::erasure::run_due(db, &BY).await.expect("erased"), 1);
    assert_books_agree(db).await;
}

#[tokio::test]
async fn s23_history_stays_even_where_its_owner_switches_the_triggers_off() {
    let (world, _) = owned().await;
    a_day(&world).await;
    let mut owner = connect(&world.url).await;
    for (table, column) in HISTORY {
        run(&mut owner, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await;
        for sql in [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            assert_eq!(refusal(&mut owner, &sql).await.as_deref(), NOT_ALLOWED, "{sql}");
        }
    }
    for table in VERSIONS {
        run(&mut owner, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await;
        let sql = format!("TRUNCATE {table}");
        assert_eq!(refusal(&mut owner, &sql).await.as_deref(), NOT_ALLOWED, "{sql}");
    }

    // For whoever writes the next migration: what has a trigger stands above, and so among the rights.
    const GUARDED: &str =
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'refuse_change'::regproc";
    let mut guarded: Vec<String> = sqlx::query_scalar(GUARDED).fetch_all(&mut owner).await.expect("read");
    guarded.sort_unstable();
    let mut known: Vec<&str> = HISTORY.iter().map(|(table, _)| *table).chain(VERSIONS).collect();
    known.sort_unstable();
    assert_eq!(guarded, known);
    // And to what others refer, the owner has a column to lock rows by.
    const STUCK: &str = "SELECT DISTINCT confrelid::regclass::text FROM pg_constraint \
                         WHERE contype = 'f' AND NOT has_any_column_privilege(confrelid, 'UPDATE')";
    let stuck: Vec<String> = sqlx::query_scalar(STUCK).fetch_all(&mut owner).await.expect("read");
    assert!(stuck.is_empty(), "{stuck:?}");
}

#[tokio::test]
async fn s23_the_role_of_the_application_changes_neither_history_nor_the_schema() {
    let (world, mut server) = owned().await;
    // As `kabinet migrate` leaves it.
    ready(&world).await;
    let app = role(&mut server).await;
    let rights = include_str!("../../../deploy/postgres-rights.sql").replace("kabinet_app", &app);
    sqlx::raw_sql(AssertSqlSafe(rights))
        .execute(&mut connect(&world.url).await)
        .await
        .expect("the owner gives rights");

    let url = address(&world.url, &app);
    let world = opened(world, url).await;
    a_day(&world).await;
    let mut app = connect(&world.url).await;
    let mut attempts: Vec<String> = [
        "TRUNCATE purchases",
        "CREATE TABLE another (id BIGINT)",
        "INSERT INTO _sqlx_migrations SELECT * FROM _sqlx_migrations",
        "UPDATE _sqlx_migrations SET success = FALSE",
        "DELETE FROM _sqlx_migrations",
    ]
    .map(str::to_owned)
    .into();
    for (table, column) in HISTORY {
        attempts.extend([
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
        ]);
        // Its owner may change it, to lock rows by; this one has no other key.
        if table != "promotion_versions" {
            attempts.push(format!("UPDATE {table} SET id = id"));
        }
    }
    for table in HISTORY.iter().map(|(table, _)| *table).chain(VERSIONS) {
        attempts.extend([
            format!("TRUNCATE {table}"),
            format!("ALTER TABLE {table} DISABLE TRIGGER USER"),
            format!("DROP TABLE {table}"),
        ]);
    }
    for sql in attempts {
        assert_eq!(refusal(&mut app, &sql).await.as_deref(), NOT_ALLOWED, "{sql}");
    }
}
