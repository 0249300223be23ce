//! Connections to read a SQLite file by.
//!
//! sqlx's own pool asks a connection on its way out and on its way back whether it still lives. Over a network that is
//! wise; for a file each question is two changes of thread, and four of them cost a page as much as four queries. A
//! connection that only reads holds nothing between two queries, so it can simply be handed on.

use super::{PoolUse, Waiting};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long somebody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Open connections, up to a fixed number; each is opened when it is first wanted.
pub(super) struct Readers {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<SqliteConnection>>,
    free: Arc<Semaphore>,
    count: usize,
    waiting: AtomicUsize,
}

impl Readers {
    /// Room for so many. Opens the first, so that a file that cannot be read is found out at once.
    pub(super) async fn open(options: SqliteConnectOptions, count: usize) -> Result<Arc<Self>, sqlx::Error> {
        let first = options.connect().await?;
        Ok(Arc::new(Self {
            options,
            idle: Mutex::new(vec![first]),
            free: Arc::new(Semaphore::new(count)),
            count,
            waiting: AtomicUsize::new(0),
        }))
    }

    /// How many of them are lent out, and how many wait for one.
    pub(super) fn in_use(&self) -> PoolUse {
        PoolUse {
            name: "read",
            limit: self.count,
            in_use: self.count.saturating_sub(self.free.available_permits()),
            idle: self.idle.lock().unwrap_or_else(PoisonError::into_inner).len(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// One of them, as soon as one is free; [`sqlx::Error::PoolTimedOut`] when that takes too long.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Reader, sqlx::Error> {
        let waiting = Waiting::at(&self.waiting);
        let permit = tokio::time::timeout(PATIENCE, self.free.clone().acquire_owned())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        drop(waiting);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.options.connect().await?,
        };
        Ok(Reader {
            conn: Some(conn),
            readers: self.clone(),
            _permit: permit,
        })
    }
}

/// A connection on loan; it goes back when it is dropped.
pub(super) struct Reader {
    conn: Option<SqliteConnection>,
    readers: Arc<Readers>,
    // After `drop` below: whoever waits for it finds the connection there.
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The connection itself.
    pub(super) fn get(&mut self) -> &mut SqliteConnection {
        #[expect(clippy::unwrap_used, reason = "it is there until the reader is dropped")]
        self.conn.as_mut().unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.conn.take());
    }
}
