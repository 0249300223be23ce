//! Databases for tests: a fresh one for each, on both engines.

pub mod authenticator;

use crate::clock::Clock;
use crate::db::Db;
use crate::shop::Shop;
use chrono::{DateTime, Utc};
use std::path::Path;
use tokio::sync::OnceCell;

/// The moment at which every test begins: Saturday, 21 November 2026, 12:00 UTC.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_262_400, 0).unwrap_or_default()
}

/// A database of its own and the clock that it goes by. The files are removed when it is dropped.
pub struct World {
    /// The database.
    pub db: Db,
    /// Its clock, standing at [`start`] until it is set.
    pub clock: Clock,
    /// Its address, for a second process or pool.
    pub url: String,
    _dir: Option<tempfile::TempDir>,
}

/// A folder for the files of a database: in memory where there is room. On a disk most of what a test takes is the wait until
/// each change is safe from a power cut, which no test here is about; `TMPDIR` asks for another place.
fn folder() -> tempfile::TempDir {
    const ROOM: u64 = 1 << 30;
    let memory = Path::new("/dev/shm");
    let has_room = || rustix::fs::statvfs(memory).is_ok_and(|disk| disk.f_bavail * disk.f_frsize >= ROOM);
    let made = match std::env::var_os("TMPDIR") {
        None if has_room() => tempfile::tempdir_in(memory),
        _ => tempfile::tempdir(),
    };
    made.expect("a temporary directory")
}

/// A new SQLite database in a temporary file.
pub async fn sqlite() -> World {
    sqlite_of(Shop::default()).await
}

/// The same for a shop with settings of its own.
pub async fn sqlite_of(shop: Shop) -> World {
    let dir = folder();
    let file = dir.path().join("test.db");
    std::fs::write(&file, migrated_sqlite().await).expect("room for a database");
    let url = format!("sqlite:{}", file.display());
    let clock = Clock::fixed(start());
    let db = Db::open(&url, shop, clock.clone()).await.expect("SQLite opens");
    World {
        db,
        clock,
        url,
        _dir: Some(dir),
    }
}

/// A database file that is migrated and empty: most tests take less time than the migrations, so each has a copy of it.
async fn migrated_sqlite() -> &'static [u8] {
    use sqlx::Connection as _;
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let make = async || {
        let dir = folder();
        let (file, copy) = (dir.path().join("test.db"), dir.path().join("copy.db"));
        let url = format!("sqlite:{}", file.display());
        let db = Db::open(&url, Shop::default(), Clock::fixed(start())).await;
        drop(db.expect("SQLite opens"));
        // The file alone may lack what its log holds.
        let mut conn = sqlx::SqliteConnection::connect(&url).await.expect("SQLite opens");
        sqlx::query("VACUUM INTO $1")
            .bind(copy.display().to_string())
            .execute(&mut conn)
            .await
            .expect("a copy");
        std::fs::read(copy).expect("the copy")
    };
    FILE.get_or_init(make).await
}

/// The address of another database on the engine of a world, with nothing in it yet.
pub async fn empty(world: &World) -> String {
    if world.url.starts_with("sqlite:") {
        world.url.replace("test.db", "empty.db")
    } else {
        new_postgres(None).await
    }
}

/// A new PostgreSQL database on the server that `KABINET_TEST_POSTGRES` names.
pub async fn postgres() -> World {
    postgres_of(Shop::default()).await
}

/// The same for a shop with settings of its own.
pub async fn postgres_of(shop: Shop) -> World {
    let url = new_postgres(Some(migrated_postgres().await)).await;
    let clock = Clock::fixed(start());
    let db = Db::open(&url, shop, clock.clone()).await.expect("PostgreSQL opens");
    World {
        db,
        clock,
        url,
        _dir: None,
    }
}

/// The name of a database on that server that is migrated and empty, for others to be copied of.
async fn migrated_postgres() -> &'static str {
    static NAME: OnceCell<String> = OnceCell::const_new();
    let make = async || {
        let url = new_postgres(None).await;
        let options = url.parse().expect("an address");
        crate::db::migrate_postgres(&options).await.expect("it is migrated");
        name_of(&url).to_owned()
    };
    NAME.get_or_init(make).await
}

/// The name of the database at an address of PostgreSQL.
fn name_of(url: &str) -> &str {
    let address = url.split('?').next().expect("an address");
    address.rsplit_once('/').expect("an address with a name").1
}

/// The address of the PostgreSQL server for tests.
fn server() -> String {
    std::env::var("KABINET_TEST_POSTGRES")
        .expect("KABINET_TEST_POSTGRES names a PostgreSQL server for tests; `make test` starts one")
}

/// Drops the database of a world, whoever still has a connection to it: for tests that make a thousand of them, which a disk
/// has no room for. Others stay until the server stops; files of SQLite go with their world.
pub async fn remove(world: World) {
    use sqlx::Connection as _;
    if world.url.starts_with("sqlite:") {
        return;
    }
    let mut admin = sqlx::PgConnection::connect(&server())
        .await
        .expect("the PostgreSQL server answers");
    // The name was made here from a UUID.
    let drop = sqlx::AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", name_of(&world.url)));
    sqlx::query(drop).execute(&mut admin).await.expect("it is dropped");
}

/// Makes a database on that server, as a copy of another one or empty; its address.
async fn new_postgres(template: Option<&str>) -> String {
    use sqlx::Connection as _;
    let server = server();
    let name = format!("kabinet_{}", uuid::Uuid::now_v7().simple());
    let mut admin = sqlx::PgConnection::connect(&server)
        .await
        .expect("the PostgreSQL server answers");
    // The names are made here from UUIDs.
    let template = template.unwrap_or("template1");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}"));
    sqlx::query(create)
        .execute(&mut admin)
        .await
        .expect("a database for this test");
    let (base, query) = server
        .split_once('?')
        .map_or((server.as_str(), ""), |(base, query)| (base, query));
    let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
    if query.is_empty() {
        format!("{host}/{name}")
    } else {
        format!("{host}/{name}?{query}")
    }
}

/// The files of an archive that [`crate::export`] packed, by their names.
pub fn unpack(archive: &[u8]) -> std::collections::BTreeMap<String, String> {
    use std::io::Read as _;
    let mut files = std::collections::BTreeMap::new();
    let mut rest = archive;
    while rest.starts_with(b"PK\x03\x04") {
        let number = |at: usize, bytes: usize| {
            let digits = rest[at..at + bytes].iter().rev();
            digits.fold(0, |sum, digit| sum * 256 + usize::from(*digit))
        };
        let (packed, name) = (number(18, 4), number(26, 2));
        let from = 30 + name + number(28, 2);
        let mut bytes = Vec::new();
        flate2::read::DeflateDecoder::new(&rest[from..from + packed])
            .read_to_end(&mut bytes)
            .expect("a file");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        files.insert(String::from_utf8_lossy(&rest[30..30 + name]).into_owned(), text);
        rest = &rest[from + packed..];
    }
    files
}

/// Runs one test body on both engines: `both_engines!(name, async |world| { … });` makes `name::sqlite` and
/// `name::postgres`.
#[macro_export]
macro_rules! both_engines {
    ($(#[$doc:meta])* $name:ident, async |$world:ident| $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing of its module")]
            use super::*;

            async fn body($world: &$crate::testing::World) $body

            #[tokio::test]
            async fn sqlite() {
                body(&$crate::testing::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                body(&$crate::testing::postgres().await).await;
            }
        }
    };
}
