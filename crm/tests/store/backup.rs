//! Copies of a SQLite database: whole though others write, and brought back as they were.

use crm::backup::{BackupError, Contents, backup, inspect, restore};
use crm::db::Db;
use crm::testing::{self, World, start};
use crm::who::System;
use std::path::{Path, PathBuf};

fn system() -> System {
    System::at_the_command_line()
}

async fn world() -> (World, tempfile::TempDir) {
    let world = testing::sqlite().await;
    crm::content::load(&world.db, &system()).await.expect("content");
    (world, tempfile::tempdir().expect("a folder"))
}

/// Books a receipt, which makes postings.
async fn buy(world: &World, document: &str) {
    let csv = format!("document,at,customer,article,quantity,price\n{document},2026-11-01 12:00,7,A,1,100.00\n");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("one.csv");
    std::fs::write(&file, csv).expect("written");
    let options = crm::purchase::import::Options::new(crm::purchase::import::Format::Kabinet);
    crm::purchase::import::run(&world.db, &system(), &file, &options, |_| {})
        .await
        .expect("imported");
}

async fn open(path: &Path) -> Db {
    Db::open(
        &format!("sqlite:{}", path.display()),
        crm::shop::Shop::default(),
        crm::clock::Clock::fixed(start()),
    )
    .await
    .expect("it opens")
}

#[tokio::test]
async fn a_copy_comes_back_with_the_same_ledger() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    buy(&world, "2").await;
    let copy = dir.path().join("night.db");
    let made = backup(&world.url, &copy).await.expect("copied");
    assert_eq!((made.customers, made.purchases), (1, 2));
    assert!(made.postings > 0, "{made:?}");
    // What happens after the copy is not in it, and shows in the hash.
    buy(&world, "3").await;
    let later: Contents = backup(&world.url, &dir.path().join("later.db")).await.expect("copied");
    assert_ne!(later.ledger, made.ledger);
    assert_eq!(inspect(&copy).await.expect("whole"), made);

    let target = dir.path().join("new").join("kabinet.db");
    std::fs::create_dir(dir.path().join("new")).expect("a folder");
    let url = format!("sqlite:{}", target.display());
    let (came, aside) = restore(&url, &copy, false, start()).await.expect("restored");
    assert_eq!((&came, aside), (&made, None));
    let db = open(&target).await;
    assert_eq!(crm::points::store::verify(&db, &system()).await.expect("read"), []);
    assert_eq!(files(dir.path()), ["later.db", "new", "night.db"]);
}

#[tokio::test]
async fn a_copy_made_while_others_write_is_whole() {
    let (world, dir) = world().await;
    buy(&world, "0").await;
    let writing = async {
        for n in 1..20 {
            buy(&world, &n.to_string()).await;
        }
    };
    let copying = async {
        let mut made = Vec::new();
        for n in 0..5 {
            made.push(
                backup(&world.url, &dir.path().join(format!("{n}.db")))
                    .await
                    .expect("copied"),
            );
        }
        made
    };
    let ((), made) = tokio::join!(writing, copying);
    // Every moment is one between two receipts.
    for contents in made {
        assert!(
            contents.purchases >= 1 && contents.postings % contents.purchases == 0,
            "{contents:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_written_over_and_nothing_damaged_is_taken() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let copy = dir.path().join("copy.db");
    backup(&world.url, &copy).await.expect("copied");
    assert!(matches!(backup(&world.url, &copy).await, Err(BackupError::Exists(_))));

    // Half a file, a file of something else, and none.
    let half = dir.path().join("half.db");
    let bytes = std::fs::read(&copy).expect("read");
    std::fs::write(&half, &bytes[..bytes.len() / 2]).expect("written");
    let text = dir.path().join("text.db");
    std::fs::write(&text, "not a database at all, but long enough to have a header").expect("written");
    let target = dir.path().join("target.db");
    let url = format!("sqlite:{}", target.display());
    for bad in [&half, &text, &dir.path().join("none.db")] {
        let refused = restore(&url, bad, true, start()).await;
        assert!(
            matches!(refused, Err(BackupError::Damaged { .. })),
            "{bad:?}: {refused:?}"
        );
        assert!(!target.exists());
    }
    assert!(matches!(
        backup("postgres://u:secret@localhost/x", &target).await,
        Err(BackupError::NotSqlite(said)) if !said.contains("secret")
    ));
}

#[tokio::test]
async fn a_database_in_use_stays_and_an_old_one_is_put_aside() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let copy = dir.path().join("copy.db");
    let made = backup(&world.url, &copy).await.expect("copied");
    assert!(matches!(
        restore(&world.url, &copy, false, start()).await,
        Err(BackupError::Occupied(_))
    ));
    let in_use = restore(&world.url, &copy, true, start()).await;
    assert!(matches!(in_use, Err(BackupError::InUse(_))), "{in_use:?}");

    // Another database, which nobody has open any more.
    let target = dir.path().join("kabinet.db");
    let url = format!("sqlite:{}", target.display());
    restore(&url, &copy, false, start()).await.expect("restored");
    let (came, aside) = restore(&url, &copy, true, start()).await.expect("replaced");
    assert_eq!(came, made);
    let aside: PathBuf = aside.expect("put aside");
    assert!(
        aside.to_string_lossy().ends_with("kabinet.db.before-20261121T120000Z"),
        "{aside:?}"
    );
    assert_eq!(inspect(&aside).await.expect("whole"), made);
}

#[tokio::test]
async fn copies_are_their_owners_alone_and_no_link_leads_elsewhere() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    let copy = dir.path().join("copy.db");
    backup(&world.url, &copy).await.expect("copied");
    assert_eq!(mode(&copy), 0o600);

    // A link that leads nowhere would be written through, or be taken the place of.
    let (elsewhere, link) = (dir.path().join("elsewhere"), dir.path().join("link.db"));
    symlink(&elsewhere, &link).expect("a link");
    assert!(matches!(backup(&world.url, &link).await, Err(BackupError::Exists(_))));
    // Nor is one followed that waits where the copy is made.
    symlink(&elsewhere, dir.path().join("night.db.part")).expect("a link");
    let refused = backup(&world.url, &dir.path().join("night.db")).await;
    assert!(matches!(refused, Err(BackupError::File { .. })), "{refused:?}");
    assert!(!elsewhere.exists());

    // What is brought back is as private as what was there, and a link to it stays a link.
    let real = dir.path().join("real.db");
    restore(&format!("sqlite:{}", real.display()), &copy, false, start())
        .await
        .expect("restored");
    assert_eq!(mode(&real), 0o600);
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("set");
    let linked = dir.path().join("linked.db");
    symlink(&real, &linked).expect("a link");
    let url = format!("sqlite:{}", linked.display());
    let (_, aside) = restore(&url, &copy, true, start()).await.expect("restored");
    assert!(linked.symlink_metadata().expect("there").is_symlink());
    assert_eq!(mode(&real), 0o640);
    assert!(aside.is_some_and(|aside| aside.ends_with("real.db.before-20261121T120000Z")));
}

#[tokio::test]
async fn what_a_crash_left_behind_is_in_nobodys_way() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let copy = dir.path().join("copy.db");
    let part = dir.path().join("copy.db.part");
    std::fs::write(&part, "half of a copy").expect("written");
    backup(&world.url, &copy).await.expect("copied all the same");
    assert_eq!(files(dir.path()), ["copy.db"]);

    // But not what somebody is writing just now.
    let other = dir.path().join("other.db");
    let part = dir.path().join("other.db.part");
    let held = std::fs::File::create_new(&part).expect("made");
    held.lock().expect("held");
    assert!(matches!(backup(&world.url, &other).await, Err(BackupError::Busy(_))));
    assert!(part.exists() && !other.exists());
}

#[tokio::test]
async fn a_database_that_was_copied_by_hand_is_not_taken() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let file = world.url.strip_prefix("sqlite:").expect("a file");
    let copy = dir.path().join("by-hand.db");
    for ending in ["", "-wal"] {
        std::fs::copy(format!("{file}{ending}"), format!("{}{ending}", copy.display())).expect("copied");
    }
    let refused = inspect(&copy).await;
    assert!(
        matches!(&refused, Err(BackupError::Damaged { reason, .. }) if reason.contains("write-ahead log")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_a_log_still_holds_is_in_the_database_that_is_put_aside() {
    let (world, dir) = world().await;
    buy(&world, "1").await;
    let copy = dir.path().join("copy.db");
    backup(&world.url, &copy).await.expect("copied");
    buy(&world, "2").await;
    // As a crash leaves it: the newest receipt is in the log alone.
    let target = dir.path().join("kabinet.db");
    let file = world.url.strip_prefix("sqlite:").expect("a file");
    for ending in ["", "-wal"] {
        std::fs::copy(format!("{file}{ending}"), format!("{}{ending}", target.display())).expect("copied");
    }
    let url = format!("sqlite:{}", target.display());
    let (came, aside) = restore(&url, &copy, true, start()).await.expect("replaced");
    assert_eq!(came.purchases, 1);
    let aside = inspect(&aside.expect("put aside")).await.expect("whole");
    assert_eq!(aside.purchases, 2);
    assert_eq!(
        files(dir.path()),
        ["copy.db", "kabinet.db", "kabinet.db.before-20261121T120000Z"]
    );
}

#[tokio::test]
async fn the_hash_of_the_ledger_is_the_same_on_both_engines() {
    let (sqlite, postgres) = (world().await.0, testing::postgres().await);
    buy(&sqlite, "1").await;
    let hash = crm::checkup::ledger_hash(&sqlite.db, &system()).await.expect("hashed");
    let copy = tempfile::tempdir().expect("a folder");
    let made = backup(&sqlite.url, &copy.path().join("copy.db")).await.expect("copied");
    assert_eq!(made.ledger, hash);
    // An empty ledger hashes as well, and as another.
    let empty = crm::checkup::ledger_hash(&postgres.db, &system())
        .await
        .expect("hashed");
    assert_ne!(empty, hash);
    // The same rows, carried over.
    use crm::on;
    let mut conn = sqlite.db.read().await.expect("a connection");
    let rows: Vec<(uuid::Uuid, uuid::Uuid, uuid::Uuid, i64)> = on!(conn, |c| {
        sqlx::query_as("SELECT id, transaction_id, account_id, amount FROM postings")
            .fetch_all(c)
            .await
    })
    .expect("read");
    let rows = &rows;
    let carried: Result<(), crm::Error> = postgres
        .db
        .write(|tx| {
            crm::db::scoped(async move {
                // What they refer to is of no matter to the hash.
                on!(tx, |c| sqlx::query("SET session_replication_role = replica")
                    .execute(c)
                    .await
                    .map(drop))?;
                for (id, transaction, account, amount) in rows {
                    on!(tx, |c| sqlx::query("INSERT INTO postings VALUES ($1, $2, $3, $4)")
                        .bind(id)
                        .bind(transaction)
                        .bind(account)
                        .bind(amount)
                        .execute(c)
                        .await
                        .map(drop))?;
                }
                on!(tx, |c| sqlx::query("SET session_replication_role = origin")
                    .execute(c)
                    .await
                    .map(drop))?;
                Ok(())
            })
        })
        .await;
    carried.expect("carried over");
    assert_eq!(
        crm::checkup::ledger_hash(&postgres.db, &system())
            .await
            .expect("hashed"),
        hash
    );
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
