//! Copies of a SQLite database, made while it is in use, looked through before they count, and brought back.
//!
//! PostgreSQL has tools of its own for this (`docs/operations.md`).

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

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
    /// SHA-256 over every posting in the order of their ids, in hexadecimal digits.
    pub ledger: String,
}

/// Copies the database at `url` to `target` while others go on writing, looks the copy through and gives it its name
/// only then. The copy is of one moment: the one at which it began.
pub async fn backup(url: &str, target: &Path) -> Result<Contents, BackupError> {
    let source = path_of(url)?;
    if target.exists() {
        return Err(BackupError::Exists(target.into()));
    }
    let part = beside(target, "part");
    remove(&part)?;
    let at_source = |source_error| BackupError::Sqlite {
        path: source.clone(),
        source: source_error,
    };
    let mut conn = SqliteConnectOptions::new()
        .filename(&source)
        .connect()
        .await
        .map_err(at_source)?;
    sqlx::query("VACUUM INTO $1")
        .bind(part.to_string_lossy().as_ref())
        .execute(&mut conn)
        .await
        .map_err(at_source)?;
    conn.close().await.map_err(at_source)?;
    let contents = inspect(&part).await?;
    settle(&part, target)?;
    Ok(contents)
}

/// Brings a copy back as the database at `url`. The copy is looked through before and after; with `replace` a database
/// that is there is put aside beside it, under a name with the time `now`.
pub async fn restore(
    url: &str,
    copy: &Path,
    replace: bool,
    now: DateTime<Utc>,
) -> Result<(Contents, Option<PathBuf>), BackupError> {
    let target = path_of(url)?;
    let held = inspect(copy).await?;
    let mut aside = None;
    if target.exists() {
        if !replace {
            return Err(BackupError::Occupied(target));
        }
        claim(&target).await?;
        aside = Some(beside(&target, &format!("before-{}", now.format("%Y%m%dT%H%M%SZ"))));
    }
    let part = beside(&target, "part");
    remove(&part)?;
    std::fs::copy(copy, &part).map_err(|source| BackupError::File {
        path: part.clone(),
        source,
    })?;
    let came = inspect(&part).await?;
    if came != held {
        return Err(BackupError::Damaged {
            path: part,
            reason: "it differs from the file that it was copied from".into(),
        });
    }
    if let Some(aside) = &aside {
        rename(&target, aside)?;
    }
    // What is left of a write-ahead log belongs to the database that was there.
    for log in ["-wal", "-shm"] {
        remove(&with_ending(&target, log))?;
    }
    settle(&part, &target)?;
    Ok((came, aside))
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
        ledger: ledger(conn).await?,
    }))
}

/// See [`Contents::ledger`].
async fn ledger(conn: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    use futures::TryStreamExt as _;
    const SQL: &str = "SELECT id, transaction_id, account_id, amount FROM postings ORDER BY id";
    let mut hash = Sha256::new();
    let mut rows = sqlx::query_as::<_, (Vec<u8>, Vec<u8>, Vec<u8>, i64)>(SQL).fetch(conn);
    while let Some((id, transaction, account, amount)) = rows.try_next().await? {
        hash.update(id);
        hash.update(transaction);
        hash.update(account);
        hash.update(amount.to_be_bytes());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Makes sure that nobody has the database open: a connection in WAL mode holds a lock as long as it lives.
async fn claim(path: &Path) -> Result<(), BackupError> {
    let claimed = async {
        let mut conn = SqliteConnectOptions::new()
            .filename(path)
            .pragma("locking_mode", "EXCLUSIVE")
            .busy_timeout(std::time::Duration::ZERO)
            .connect()
            .await?;
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut conn).await?;
        sqlx::query("COMMIT").execute(&mut conn).await?;
        // What is left in the log goes into the file, so that the file alone is the database that is put aside.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut conn)
            .await?;
        conn.close().await
    };
    claimed.await.map_err(|e| match &e {
        // SQLITE_BUSY (5) and its extended codes.
        sqlx::Error::Database(db)
            if db
                .code()
                .and_then(|c| c.parse::<i32>().ok())
                .is_some_and(|c| c & 0xff == 5) =>
        {
            BackupError::InUse(path.into())
        }
        _ => BackupError::Sqlite {
            path: path.into(),
            source: e,
        },
    })
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

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    std::fs::rename(from, to).map_err(|source| BackupError::File {
        path: to.into(),
        source,
    })
}

/// Gives a finished file its name. It and its folder are on the disk before this returns: a name that survives the loss
/// of power while what it names does not would be worse than none.
fn settle(part: &Path, target: &Path) -> Result<(), BackupError> {
    let sync = |path: &Path| {
        std::fs::File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|source| BackupError::File {
                path: path.into(),
                source,
            })
    };
    sync(part)?;
    rename(part, target)?;
    match target.parent() {
        Some(folder) if folder.as_os_str().is_empty() => sync(Path::new(".")),
        Some(folder) => sync(folder),
        None => Ok(()),
    }
}
