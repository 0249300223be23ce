//! What the commands for whoever looks after an installation say.

use crate::common::{Installation, count, execute, files, told};

#[test]
fn a_password_of_the_database_is_never_printed() {
    // The ports are closed or none at all: every way of connecting fails.
    for (url, is_right) in [
        ("postgres://kabinet:hunter2@127.0.0.1:1/kabinet", true),
        ("postgres://kabinet:hunter2@127.0.0.1:1/kabinet?sslmode=hunter2", true),
        ("postgres://kabinet:hunter2@127.0.0.1:port/kabinet", true),
        ("postgres://kabinet:hun#ter2/hunter2@127.0.0.1/kabinet", true),
        ("mysql://kabinet:hunter2@127.0.0.1:1/kabinet", false),
    ] {
        let here = Installation::new()
            .with("KABINET_DATABASE_URL", url)
            .with("KABINET_LOG", "trace");
        for arguments in [
            &["migrate"][..],
            &["migrate", "--check"],
            &["serve"],
            &["backup", "copy.db"],
            &["ledger", "hash"],
            &["doctor"],
            &["config", "check"],
        ] {
            let output = here.run(arguments);
            let said = told(&output);
            assert!(
                !said.contains("hunter2") && !said.contains("ter2"),
                "{arguments:?}: {said}"
            );
            let succeeds = is_right && arguments == ["config", "check"];
            assert_eq!(output.status.success(), succeeds, "{arguments:?}: {said}");
        }
    }
}

#[test]
fn the_database_may_be_named_in_a_file() {
    let here = Installation::new();
    std::fs::write(here.path("secret"), format!("{}\n", here.database_url())).expect("written");
    let here = here.without_database().with("KABINET_DATABASE_URL__FILE", "secret");
    here.succeed(&["migrate"]);
    assert!(here.path("kabinet.db").is_file());
}

#[tokio::test]
async fn migrate_check_tells_and_changes_nothing() {
    let here = Installation::new();
    let before = here.run(&["migrate", "--check"]);
    let said = told(&before);
    assert_eq!(before.status.code(), Some(1), "{said}");
    assert!(
        said.contains("schema none") && said.contains("1 ground floor would be applied"),
        "{said}"
    );
    assert!(!here.path("kabinet.db").exists());
    here.succeed(&["migrate"]);
    assert!(
        here.succeed(&["migrate", "--check"])
            .starts_with("The database has schema ")
    );

    // A newer program was here.
    let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                  VALUES (9999, 'from tomorrow', TRUE, X'00', 0)";
    execute(&here.database_url(), insert).await;
    for arguments in [
        &["migrate"][..],
        &["migrate", "--check"],
        &["serve"],
        &["ledger", "verify"],
    ] {
        let refused = here.run(arguments);
        let said = told(&refused);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(
            said.contains("schema 9999") && said.contains("newer kabinet"),
            "{arguments:?}: {said}"
        );
    }
}

#[tokio::test]
async fn a_demonstration_has_tiers_and_the_ledger_is_compared_with_the_purchases() {
    let here = Installation::new();
    here.succeed(&["demo", "--small"]);
    assert!(here.succeed(&["ledger", "verify"]).contains("The ledger is in order."));
    // Whoever has no purchases gets the tier of who has the most.
    let spoil = "UPDATE tier_standings SET since = '2026-01-01', tier_id = \
                 (SELECT tier_id FROM tier_standings WHERE tier_id IS NOT NULL LIMIT 1) WHERE tier_id IS NULL";
    execute(&here.database_url(), spoil).await;
    let refused = here.run(&["ledger", "verify"]);
    let said = told(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("a tier is what the purchases say"), "{said}");
}

#[tokio::test]
async fn a_demonstration_has_what_a_desk_works_by() {
    let here = Installation::new();
    // The second time it changes nothing.
    for _ in 0..2 {
        here.succeed(&["demo", "--small"]);
    }
    let url = here.database_url();
    for (sql, many) in [
        ("SELECT COUNT(*) FROM level_calendars", 1),
        ("SELECT COUNT(DISTINCT priority) FROM level_policies", 4),
        ("SELECT COUNT(*) FROM macros WHERE owner_id IS NULL AND tags <> '[]'", 4),
        ("SELECT COUNT(DISTINCT digit) FROM macros WHERE owner_id IS NULL", 3),
        ("SELECT COUNT(*) FROM interactions", 3),
        ("SELECT COUNT(*) FROM tasks WHERE state = 'open'", 4),
        ("SELECT COUNT(*) FROM tasks WHERE due_on < date('now')", 1),
        // What is not closed is owed a solution, and what is closed had one.
        (
            "SELECT COUNT(*) FROM requests r WHERE (r.status = 'closed') <> EXISTS (SELECT 1 FROM request_clocks c \
             WHERE c.request_id = r.id AND c.kind = 'solution' AND c.met_at IS NOT NULL)",
            0,
        ),
        (
            "SELECT COUNT(*) FROM requests r WHERE r.status = 'new' AND r.due_at IS NULL",
            0,
        ),
    ] {
        assert_eq!(count(&url, sql).await, many, "{sql}");
    }
}

#[test]
fn a_drill_brings_a_copy_back_compares_it_and_leaves_nothing() {
    let here = Installation::new();
    here.succeed(&["demo", "--small"]);
    std::fs::create_dir(here.path("drill")).expect("a folder");
    let said = here.succeed(&["drill", "--folder", "drill"]);
    let hash = here.succeed(&["ledger", "hash"]);
    assert_eq!(hash.trim().len(), 64);
    assert!(
        said.contains("the same as in the database") && said.contains(hash.trim()),
        "{said}"
    );
    assert_eq!(files(&here.path("drill")), [""; 0]);

    // A copy of yesterday is tried against the database of today.
    here.succeed(&["backup", "night.db"]);
    here.buy("1");
    assert_ne!(here.succeed(&["ledger", "hash"]), hash);
    let said = here.succeed(&["drill", "night.db", "--folder", "drill"]);
    assert!(said.contains(hash.trim()), "{said}");
    assert_eq!(files(&here.path("drill")), [""; 0]);

    // One of another shop is none of this database.
    let other = Installation::new();
    other.buy("1");
    let foreign = here.path("foreign.db");
    other.succeed(&["backup", &foreign.to_string_lossy()]);
    let refused = here.run(&["drill", "foreign.db", "--folder", "drill"]);
    let said = told(&refused);
    assert!(
        !refused.status.success() && said.contains("its ledger is not what"),
        "{said}"
    );
    assert_eq!(files(&here.path("drill")), [""; 0]);
}

#[tokio::test]
async fn a_night_goes_by_and_the_copy_from_before_it_comes_back() {
    let here = Installation::new();
    here.buy("1");
    let mut server = here.serve().await;
    here.succeed(&["backup", "night.db"]);
    let hash = here.succeed(&["ledger", "hash"]);
    here.buy("2");
    let lost = here.succeed(&["ledger", "hash"]);
    assert_ne!(lost, hash);

    // Under a server that runs, and by mistake, nothing is replaced.
    let used = here.run(&["restore", "night.db", "--replace"]);
    assert!(!used.status.success(), "{}", told(&used));
    server.terminate();
    server.ended().await;
    let there = here.run(&["restore", "night.db"]);
    assert!(!there.status.success(), "{}", told(&there));
    assert_eq!(here.succeed(&["ledger", "hash"]), lost);

    let said = here.succeed(&["restore", "night.db", "--replace"]);
    for part in [hash.trim(), "Brought back.", "The ledger is in order."] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(here.succeed(&["ledger", "hash"]), hash);
    assert!(here.succeed(&["ledger", "verify"]).contains("The ledger is in order."));
    // What was there lies beside it, and a server starts on what came.
    let aside = files(&here.path(""));
    let aside: Vec<&String> = aside
        .iter()
        .filter(|name| name.starts_with("kabinet.db.before-"))
        .collect();
    let [aside] = aside[..] else { panic!("{aside:?}") };
    let before = here.with("KABINET_DATABASE_URL", &format!("sqlite:{aside}"));
    assert_eq!(before.succeed(&["ledger", "hash"]), lost);
    let here = before.with("KABINET_DATABASE_URL", "sqlite:kabinet.db");
    let server = here.serve().await;
    assert!(server.get("/sign-in").await.is_some_and(|page| page.status() == 200));
}

#[test]
fn a_copy_that_does_not_fit_on_the_disk_leaves_nothing_behind() {
    let here = Installation::new();
    here.buy("1");
    std::fs::create_dir(here.path("small")).expect("a folder");
    // No file may be larger than 64 blocks of 512 bytes: as on a full disk, a write fails in the middle.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_kabinet"), "backup", "small/copy.db"])
        .current_dir(here.path(""))
        .env("KABINET_DATABASE_URL", here.database_url())
        .output()
        .expect("bash runs");
    let said = told(&output);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("small/copy.db") && said.contains("nothing is left of the copy"),
        "{said}"
    );
    assert_eq!(files(&here.path("small")), [""; 0]);
    // With room it is made.
    here.succeed(&["backup", "small/copy.db"]);
    assert_eq!(files(&here.path("small")), ["copy.db"]);
}

#[tokio::test]
async fn ledger_verify_prints_every_difference_of_points_and_receipts() {
    let here = Installation::new();
    here.succeed(&["demo", "--small"]);
    assert!(here.succeed(&["ledger", "verify"]).contains("The ledger is in order."));
    let url = here.database_url();
    for spoil in [
        "UPDATE accounts SET balance = balance + 1 WHERE id = (SELECT MIN(id) FROM accounts WHERE kind = 'issued')",
        "UPDATE purchases SET total = total + 1 WHERE id = (SELECT MIN(id) FROM purchases)",
    ] {
        execute(&url, spoil).await;
    }
    let output = here.run(&["ledger", "verify"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for what in [
        "an account of a program keeps no balance: ",
        "a receipt's total is the sum of its lines: ",
        "2 difference(s)",
    ] {
        assert!(said.contains(what), "{said}");
    }
}

#[tokio::test]
async fn audit_verify_tells_what_it_looked_at_and_the_first_row_that_is_not_as_it_was_sealed() {
    let here = Installation::new();
    here.succeed(&["migrate"]);
    let url = here.database_url();
    let row = "INSERT INTO audit (id, at, actor, action, reason, network) VALUES \
               (X'0197A0000000700080000000000000A1', '2026-11-01T00:00:00+00:00', 'system', 'a.b', 'why', '')";
    execute(&url, row).await;
    let unsealed = here.run(&["audit", "verify"]);
    assert_eq!(unsealed.status.code(), Some(1), "{}", told(&unsealed));
    assert!(told(&unsealed).contains("stands in no seal"), "{}", told(&unsealed));
    let server = here.serve().await;
    // Where the log goes elsewhere, so does the newest hash.
    server.logged("the audit log is sealed up to here").await;
    let said = here.succeed(&["audit", "verify"]);
    assert!(
        said.contains("1 seal(s)") && said.contains("The newest of them is 1:"),
        "{said}"
    );
    let newest = said
        .split("The newest of them is ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let newest = newest.expect("its number and hash");
    here.succeed(&["audit", "verify", "--known", newest]);
    let other = here.run(&["audit", "verify", "--known", "1:00"]);
    assert!(
        told(&other).contains("has not the hash that was kept elsewhere"),
        "{}",
        told(&other)
    );
    for spoil in [
        "DROP TRIGGER audit_no_update",
        "UPDATE audit SET action = 'a.c' WHERE action = 'a.b'",
    ] {
        execute(&url, spoil).await;
    }
    let output = here.run(&["audit", "verify"]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("seal 1 of ") && said.contains("not those that were sealed"),
        "{said}"
    );
}
