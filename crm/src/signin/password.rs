//! Password hashes: argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet), on blocking
//! threads and never more at once than there are cores.

use crate::error::Error;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

static PERMITS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(cores())));

/// How many may wait for a turn. The last of them would have it after two seconds where a core does fifty hashes a second, and whoever
/// comes behind them is told so at once: to wait in vain costs memory for each.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(100 * cores()));

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// A hash that no password fits, so that an unknown account costs as much time as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(crate::who::Token::random().secret()));

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> String {
    // Fails only when the operating system has no random numbers, and then nothing is safe.
    argon2()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .unwrap_or_default()
}

/// One more in a gauge, for as long as it lives: also where whoever asked hangs up.
struct Counted(metrics::Gauge);

impl Counted {
    fn in_gauge(name: &'static str) -> Self {
        let gauge = metrics::gauge!(name);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A turn to hash, after two seconds at most; none where all places to wait at are taken, or the time is over.
async fn turn() -> Option<OwnedSemaphorePermit> {
    let _place = PLACES.try_acquire().ok()?;
    let _waiting = Counted::in_gauge("kabinet_password_hashes_waiting");
    let turn = tokio::time::timeout(Duration::from_secs(2), PERMITS.clone().acquire_owned()).await;
    turn.ok()?.ok()
}

/// Runs work on a blocking thread. The permit moves along: a caller that hangs up does not free it early. [`Error::Busy`] where
/// there is no turn for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let Some(permit) = turn().await else {
        metrics::counter!("kabinet_password_hashes_refused_total").increment(1);
        return Err(Error::Busy);
    };
    let running = Counted::in_gauge("kabinet_password_hashes_running");
    tokio::task::spawn_blocking(move || {
        let _held = (permit, running);
        #[cfg(feature = "testing")]
        testing::DONE.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        work()
    })
    .await
    .map_err(|_| Error::Busy)
}

/// Hashes a new password.
pub async fn hash(password: &str) -> Result<String, Error> {
    let password = password.to_owned();
    blocking(move || hash_now(&password)).await
}

/// Hashes several secrets under one salt, one after another on one thread.
pub(crate) async fn hash_with(secrets: Vec<String>, salt: Vec<u8>) -> Result<Vec<String>, Error> {
    blocking(move || {
        let hash = |secret: &String| argon2().hash_password_with_salt(secret.as_bytes(), &salt);
        // Fails only for a salt of another length than ours.
        let hashes: Result<Vec<_>, _> = secrets.iter().map(hash).collect();
        hashes.map(|all| all.iter().map(ToString::to_string).collect())
    })
    .await?
    .map_err(|e| crate::db::Error::Inconsistent(format!("a secret cannot be hashed: {e}")).into())
}

/// The salt in a stored hash; `None` for what is none.
pub(crate) fn salt(stored: &str) -> Option<Vec<u8>> {
    Some(PasswordHash::new(stored).ok()?.salt?.to_vec())
}

/// Whether a password fits. With `None` it fits never, at the same cost.
pub async fn verify(password: &str, hash: Option<&str>) -> Result<bool, Error> {
    let password = password.to_owned();
    let known = hash.map(str::to_owned);
    blocking(move || {
        let hash = known.as_deref().unwrap_or(&NOBODY);
        let fits = PasswordHash::new(hash).is_ok_and(|h| argon2().verify_password(password.as_bytes(), &h).is_ok());
        fits && known.is_some()
    })
    .await
}

/// What tests ask about, each in a process of its own: all of it belongs to the whole process.
#[cfg(feature = "testing")]
pub mod testing {
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) static DONE: AtomicU64 = AtomicU64::new(0);

    /// How many passwords were hashed or compared so far.
    pub fn hashed() -> u64 {
        DONE.load(Ordering::SeqCst)
    }

    /// Takes every turn there is, until the answer is dropped.
    pub async fn occupy() -> Option<super::OwnedSemaphorePermit> {
        let turns = super::PERMITS.available_permits();
        super::PERMITS
            .clone()
            .acquire_many_owned(u32::try_from(turns).ok()?)
            .await
            .ok()
    }

    /// Takes every place to wait for a turn, until the answer is dropped.
    pub fn crowd() -> Option<tokio::sync::SemaphorePermit<'static>> {
        let places = super::PLACES.available_permits();
        super::PLACES.try_acquire_many(u32::try_from(places).ok()?).ok()
    }

    /// How many turns are free.
    pub fn free_turns() -> usize {
        super::PERMITS.available_permits()
    }
}
