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

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
