//! Copies of a SQLite database, made while it is in use, looked through before they count, and brought back.
//!
//! PostgreSQL has tools of its own for this (`docs/operations.md`).

use crate::checkup::{self, POSTINGS};
use crate::clock::Clock;
use crate::db::Db;
use crate::shop::Shop;
use crate::who::System;
use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Why a copy was not made or not brought back. Whatever it says, what was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is not a SQLite file.
    #[error("{0} is no SQLite database: back up PostgreSQL by its own tools, see docs/operations.md")]
    NotSqlite(String),
    /// There is a file already where the copy should go.
    #[error("{0} exists already; choose another name")]
    Exists(PathBuf),
    /// There is a database already where the copy should be brought back to.
    #[error("{0} exists already; `--replace` puts it aside under another name first")]
    Occupied(PathBuf),
    /// Somebody uses the database that should be replaced.
    #[error("{0} is in use: stop the server first")]
    InUse(PathBuf),
    /// The file is damaged or none of ours.
    #[error("{path} cannot be used: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite or the comparison found.
        reason: String,
    },
    /// There is no room for the copy.
    #[error(
        "the disk with {0} is full, and nothing is left of the copy: make room, or put the copy on another disk; it \
         needs as much as the database"
    )]
    Full(PathBuf),
    /// Somebody else makes the same copy just now.
    #[error("{0} is being written by another kabinet")]
    Busy(PathBuf),
    /// Copying failed.
    #[error("{from} could not be copied to {to}, and nothing is left of the copy: {source}")]
    Copying {
        /// The database.
        from: PathBuf,
        /// Where the copy should go.
        to: PathBuf,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// SQLite reports an error.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::Error,
    },
}

/// What a copy holds: enough to tell two of them apart, and one that is whole from one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The schema's version.
    pub schema: i64,
    /// Customers.
    pub customers: i64,
    /// Receipts.
    pub purchases: i64,
    /// Postings in the ledger.
    pub postings: i64,
    /// See [`checkup::ledger_hash`].
    pub ledger: String,
}

/// Copies the database at `url` to `target` while others go on writing, looks the copy through and gives it its name
/// only then. The copy is of one moment: the one at which it began. Only its owner may read it.
pub async fn backup(url: &str, target: &Path) -> Result<Contents, BackupError> {
    let source = path_of(url)?;
    // A link that leads nowhere is something, too.
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.into()));
    }
    if !source.is_file() {
        return Err(BackupError::Damaged {
            path: source,
            reason: "there is no such file".into(),
        });
    }
    let part = Part::create(target)?;
    let copied = async {
        let mut conn = SqliteConnectOptions::new().filename(&source).connect().await?;
        // It takes a file that is there when it is empty.
        sqlx::query("VACUUM INTO $1")
            .bind(part.path.to_string_lossy().as_ref())
            .execute(&mut conn)
            .await?;
        conn.close().await
    };
    copied.await.map_err(|e| match primary_code(&e) {
        Some(SQLITE_FULL) => BackupError::Full(part.path.clone()),
        _ => BackupError::Copying {
            from: source.clone(),
            to: target.into(),
            source: e,
        },
    })?;
    let contents = inspect(&part.path).await?;
    part.settle(target, false)?;
    Ok(contents)
}

/// Brings a copy back as the database at `url`. The copy is looked through before and after; with `replace` a database
/// that is there is put aside beside it, under a name with the time `now`. At no moment is there no database.
pub async fn restore(
    url: &str,
    copy: &Path,
    replace: bool,
    now: DateTime<Utc>,
) -> Result<(Contents, Option<PathBuf>), BackupError> {
    let target = path_of(url)?;
    // Where a link leads, so that the link stays.
    let target = target.canonicalize().unwrap_or(target);
    let held = inspect(copy).await?;
    let previous = target.symlink_metadata().ok();
    let mut claimed = None;
    if previous.is_some() {
        if !replace {
            return Err(BackupError::Occupied(target));
        }
        claimed = Some(claim(&target).await?);
    }
    let mut part = Part::create(&target)?;
    part.fill(copy)?;
    let came = inspect(&part.path).await?;
    if came != held {
        return Err(BackupError::Damaged {
            path: part.path.clone(),
            reason: "it differs from the file that it was copied from".into(),
        });
    }
    part.belong_like(previous.as_ref(), &target)?;
    let mut aside = None;
    if previous.is_some() {
        let name = beside(&target, &format!("before-{}", now.format("%Y%m%dT%H%M%SZ")));
        // A second name first: whenever the machine stops, the database has at least one.
        std::fs::hard_link(&target, &name).map_err(|source| BackupError::File {
            path: name.clone(),
            source,
        })?;
        aside = Some(name);
    }
    // What is left of a write-ahead log belongs to the database that was there.
    for log in ["-wal", "-shm"] {
        remove(&with_ending(&target, log))?;
    }
    part.settle(&target, true)?;
    if let Some(conn) = claimed {
        // Nothing is lost if that fails: it has nothing to write any more.
        let _ = conn.close().await;
    }
    Ok((came, aside))
}

/// What a drill found out.
#[derive(Clone, Debug)]
pub struct Drill {
    /// What the copy holds.
    pub contents: Contents,
    /// How long it took to make the copy, when the drill made one.
    pub copying: Option<Duration>,
    /// How long it took to bring it back.
    pub restoring: Duration,
    /// How long it took to compare every balance of it with its postings, and its ledger with the database's.
    pub comparing: Duration,
}

/// Tries a copy out: brings it back into `folder`, compares it in itself, and with the database at `url` that it was
/// taken from. Without a `copy` it makes one first. What it leaves in `folder` is for the caller to remove.
pub async fn drill(
    url: &str,
    copy: Option<&Path>,
    folder: &Path,
    shop: Shop,
    clock: Clock,
) -> Result<Drill, BackupError> {
    let by = System::at_the_command_line();
    let source = path_of(url)?;
    let began = Instant::now();
    let (copy, copying) = match copy {
        Some(copy) => (copy.to_owned(), None),
        None => {
            let copy = folder.join("copy.db");
            backup(url, &copy).await?;
            (copy, Some(began.elapsed()))
        }
    };
    let began = Instant::now();
    let restored = folder.join("restored.db");
    let restored_url = format!("sqlite:{}", restored.display());
    let (contents, _) = restore(&restored_url, &copy, false, clock.now()).await?;
    let restoring = began.elapsed();
    let began = Instant::now();
    let damaged = |reason: String| BackupError::Damaged {
        path: copy.clone(),
        reason,
    };
    let db = Db::open(&restored_url, shop, clock)
        .await
        .map_err(|e| damaged(e.to_string()))?;
    let differences = crate::points::store::verify(&db, &by)
        .await
        .map_err(|e| damaged(e.to_string()))?;
    if let Some(first) = differences.first() {
        return Err(damaged(format!(
            "{} difference(s), the first: {first:?}",
            differences.len()
        )));
    }
    let (there, ledger) = as_of(&source, &restored)
        .await
        .map_err(|source_error| BackupError::Sqlite {
            path: source.clone(),
            source: source_error,
        })?;
    if ledger != contents.ledger {
        return Err(damaged("its ledger is not what the database held then".into()));
    }
    for (what, held, there) in [
        ("customers", contents.customers, there[0]),
        ("receipts", contents.purchases, there[1]),
        ("postings", contents.postings, there[2]),
    ] {
        // None of them is ever deleted.
        if held > there {
            return Err(damaged(format!("it holds {held} {what}, the database {there}")));
        }
    }
    Ok(Drill {
        contents,
        copying,
        restoring,
        comparing: began.elapsed(),
    })
}

/// How many customers, receipts and postings a database holds, and the hash of its ledger as it was when a copy of it
/// was made: postings are never changed, so those that the copy knows are what there was.
async fn as_of(source: &Path, copy: &Path) -> Result<([i64; 3], String), sqlx::Error> {
    const THEN: &str = "SELECT id, transaction_id, account_id, amount FROM main.postings \
                        WHERE id IN (SELECT id FROM copy.postings) ORDER BY id";
    let mut conn = SqliteConnectOptions::new()
        .filename(source)
        .pragma("query_only", "1")
        .connect()
        .await?;
    sqlx::query("ATTACH $1 AS copy")
        .bind(copy.to_string_lossy().as_ref())
        .execute(&mut conn)
        .await?;
    let ledger = checkup::hash_of(sqlx::query_as(THEN).fetch(&mut conn)).await?;
    let mut count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut conn).await;
    let counts = [
        count("SELECT COUNT(*) FROM main.customers").await?,
        count("SELECT COUNT(*) FROM main.purchases").await?,
        count("SELECT COUNT(*) FROM main.postings").await?,
    ];
    conn.close().await?;
    Ok((counts, ledger))
}

/// Looks a file through: SQLite's own check, references, and that every transaction sums to zero.
pub async fn inspect(path: &Path) -> Result<Contents, BackupError> {
    let damaged = |reason: String| BackupError::Damaged {
        path: path.into(),
        reason,
    };
    if !path.is_file() {
        return Err(damaged("there is no such file".into()));
    }
    // The newest changes are in there, and nobody reads it here.
    if with_ending(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(damaged(
            "a write-ahead log lies beside it, so it is a database in use or copied while it was; `kabinet backup` \
             makes a copy that is whole"
                .into(),
        ));
    }
    let read = async {
        let mut conn = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(true)
            .connect()
            .await?;
        let found = look_through(&mut conn).await?;
        conn.close().await?;
        Ok::<_, sqlx::Error>(found)
    };
    match read.await {
        Ok(Ok(contents)) => Ok(contents),
        Ok(Err(reason)) => Err(damaged(reason)),
        Err(e) => Err(damaged(e.to_string())),
    }
}

async fn look_through(conn: &mut SqliteConnection) -> Result<Result<Contents, String>, sqlx::Error> {
    const UNEVEN: &str =
        "SELECT COUNT(*) FROM (SELECT transaction_id FROM postings GROUP BY transaction_id HAVING SUM(amount) <> 0)";
    let check: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *conn)
        .await?;
    if check != "ok" {
        return Ok(Err(check));
    }
    let astray = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(row) = astray {
        let table: String = row.try_get(0)?;
        return Ok(Err(format!("a row of {table} refers to nothing")));
    }
    let uneven: i64 = sqlx::query_scalar(UNEVEN).fetch_one(&mut *conn).await?;
    if uneven != 0 {
        return Ok(Err(format!("{uneven} transaction(s) of the ledger do not sum to zero")));
    }
    let mut count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *conn).await;
    let schema = count("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").await?;
    let customers = count("SELECT COUNT(*) FROM customers").await?;
    let purchases = count("SELECT COUNT(*) FROM purchases").await?;
    let postings = count("SELECT COUNT(*) FROM postings").await?;
    Ok(Ok(Contents {
        schema,
        customers,
        purchases,
        postings,
        ledger: checkup::hash_of(sqlx::query_as(POSTINGS).fetch(conn)).await?,
    }))
}

/// Makes sure that nobody has the database open, and that nobody opens it as long as the connection lives.
async fn claim(path: &Path) -> Result<SqliteConnection, BackupError> {
    let claimed = async {
        let mut conn = SqliteConnectOptions::new()
            .filename(path)
            .pragma("locking_mode", "EXCLUSIVE")
            .busy_timeout(Duration::ZERO)
            .connect()
            .await?;
        // A connection in WAL mode holds a lock as long as it lives: where there is one, this fails.
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut conn).await?;
        sqlx::query("COMMIT").execute(&mut conn).await?;
        // What is left in the log goes into the file, so that the file alone is the database that is put aside; and this
        // connection removes no log at its end, which by then would be that of the database that was brought back.
        sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut conn).await?;
        Ok::<_, sqlx::Error>(conn)
    };
    claimed.await.map_err(|e| match primary_code(&e) {
        Some(SQLITE_BUSY) => BackupError::InUse(path.into()),
        _ => BackupError::Sqlite {
            path: path.into(),
            source: e,
        },
    })
}

const SQLITE_BUSY: i32 = 5;
const SQLITE_FULL: i32 = 13;

/// SQLite's code of an error, without what its extended codes add.
fn primary_code(e: &sqlx::Error) -> Option<i32> {
    let code: i32 = e.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// A copy in the making, under another name beside the one it will get. Only its owner may read it, and nothing of it
/// stays where something goes wrong. A crash leaves it behind, and the next try removes it.
struct Part {
    path: PathBuf,
    file: File,
    is_settled: bool,
}

impl Part {
    fn create(target: &Path) -> Result<Self, BackupError> {
        let path = beside(target, "part");
        let at_path = |source| BackupError::File {
            path: path.clone(),
            source,
        };
        let lock = |file: &File| match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(BackupError::Busy(path.clone())),
            Err(TryLockError::Error(e)) => Err(at_path(e)),
        };
        let create = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        };
        let file = match create() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // What a crash left behind nobody holds the lock of.
                let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
                let left = OpenOptions::new()
                    .read(true)
                    .custom_flags(no_link)
                    .open(&path)
                    .map_err(at_path)?;
                lock(&left)?;
                remove(&path)?;
                create()
            }
            other => other,
        }
        .map_err(at_path)?;
        lock(&file)?;
        Ok(Self {
            path,
            file,
            is_settled: false,
        })
    }

    /// Copies a file into it.
    fn fill(&mut self, from: &Path) -> Result<(), BackupError> {
        let mut source = File::open(from).map_err(|source| BackupError::File {
            path: from.into(),
            source,
        })?;
        match io::copy(&mut source, &mut self.file) {
            Ok(_) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                Err(BackupError::Full(self.path.clone()))
            }
            Err(source) => Err(BackupError::File {
                path: self.path.clone(),
                source,
            }),
        }
    }

    /// Gives it the owner and mode of the database that it replaces, or else the owner of the folder: an administrator
    /// restores, and another user runs the server.
    fn belong_like(&self, previous: Option<&Metadata>, target: &Path) -> Result<(), BackupError> {
        let given = || {
            let folder = folder_of(target).metadata()?;
            let owner = previous.unwrap_or(&folder);
            if self.file.metadata()?.uid() != owner.uid() {
                std::os::unix::fs::fchown(&self.file, Some(owner.uid()), Some(owner.gid()))?;
            }
            match previous {
                Some(previous) => self.file.set_permissions(previous.permissions()),
                None => Ok(()),
            }
        };
        given().map_err(|source| BackupError::File {
            path: self.path.clone(),
            source,
        })
    }

    /// Gives it its name. It and its folder are on the disk before this returns: a name that survives the loss of power
    /// while what it names does not would be worse than none.
    fn settle(mut self, target: &Path, replace: bool) -> Result<(), BackupError> {
        let at_target = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(target.into()),
            _ => BackupError::File {
                path: target.into(),
                source,
            },
        };
        self.file.sync_all().map_err(at_target)?;
        if replace {
            std::fs::rename(&self.path, target).map_err(at_target)?;
            self.is_settled = true;
        } else {
            // Unlike renaming it never takes the place of something. The first name goes when this is dropped.
            match std::fs::hard_link(&self.path, target) {
                // A disk without second names, as in a stick or on some servers.
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
                        && target.symlink_metadata().is_err() =>
                {
                    std::fs::rename(&self.path, target).map_err(at_target)?;
                    self.is_settled = true;
                }
                other => other.map_err(at_target)?,
            }
        }
        File::open(folder_of(target))
            .and_then(|folder| folder.sync_all())
            .map_err(at_target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_settled {
            // There is nobody to tell, and the next try does it again. SQLite's own notes on a copy that filled the disk go too.
            let mut journal = self.path.clone().into_os_string();
            journal.push("-journal");
            let _ = std::fs::remove_file(journal);
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn path_of(url: &str) -> Result<PathBuf, BackupError> {
    if !url.starts_with("sqlite:") {
        // Without what may be a password in it.
        let scheme = url.split(':').next().unwrap_or_default();
        return Err(BackupError::NotSqlite(format!("{scheme}:…")));
    }
    SqliteConnectOptions::from_str(url)
        .map(|options| options.get_filename().to_path_buf())
        .map_err(|_| BackupError::NotSqlite(url.into()))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn beside(path: &Path, word: &str) -> PathBuf {
    with_ending(path, &format!(".{word}"))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(BackupError::File {
            path: path.into(),
            source,
        }),
        _ => Ok(()),
    }
}
