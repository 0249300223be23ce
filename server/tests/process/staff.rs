//! `kabinet staff`: what each command says, and what it does to whom it is about.

use crate::common::{Installation, PASSWORD, Server, count, execute, told};

const OTHER: &str = "шестьдесят коров за мостом";

/// What becomes of somebody who signs in with this password: where they are led to, if anywhere.
async fn signs_in(server: &Server, login: &str, password: &str) -> Option<String> {
    let key = app::form_key();
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs([
        ("_fn", "staff.sign_in"),
        ("_key", key.as_str()),
        ("login", login),
        ("password", password),
    ]);
    let answer = server.send("/admin/sign-in", &body.finish()).await;
    let there = answer.headers().get("location")?;
    Some(there.to_str().expect("an address").to_owned())
}

/// The line about somebody in the list of staff.
fn line(here: &Installation, login: &str) -> String {
    let list = here.succeed(&["staff", "list"]);
    let mut lines = list.lines().filter(|line| line.starts_with(&format!("{login} ")));
    let found = lines.next().unwrap_or_else(|| panic!("no {login}: {list}"));
    assert_eq!(lines.next(), None);
    found.to_owned()
}

/// Gives them a session and a second factor, behind the program's back.
async fn lives_here(url: &str) {
    for sql in [
        "INSERT INTO sessions (id, token_hash, staff_id, device, network, created_at, seen_at, expires_at) \
         SELECT randomblob(16), randomblob(32), id, '', '', created_at, created_at, '2999-01-01T00:00:00+00:00' FROM staff",
        "INSERT INTO factors (id, staff_id, kind, name, data, created_at, confirmed_at) \
         SELECT randomblob(16), id, 'totp', '', '', created_at, created_at FROM staff \
         WHERE id NOT IN (SELECT staff_id FROM factors WHERE confirmed_at IS NOT NULL AND staff_id IS NOT NULL)",
    ] {
        execute(url, sql).await;
    }
}

#[tokio::test]
async fn each_command_about_staff_does_what_it_says() {
    const OPEN: &str = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    const SETUP: &str = "/admin/sign-in/setup";
    let here = Installation::new();
    here.employ("olga");
    let server = here.serve().await;
    let url = here.database_url();
    let added = line(&here, "olga");
    for part in ["administrator", "active", "0 second factor(s)", "Ольга Верная"] {
        assert!(added.contains(part), "{part}: {added}");
    }
    assert_eq!(signs_in(&server, "olga", PASSWORD).await.as_deref(), Some(SETUP));
    let twice = here.tell(&["staff", "add", "olga", "Другая"], PASSWORD);
    assert!(!twice.status.success(), "{}", told(&twice));
    let weak = here.tell(&["staff", "add", "petr", "Пётр"], "короткий");
    assert!(
        told(&weak).contains("too short") && !weak.status.success(),
        "{}",
        told(&weak)
    );

    // Out, and in again. What was open has ended.
    lives_here(&url).await;
    assert_eq!(count(&url, OPEN).await, 1);
    here.succeed(&["staff", "disable", "olga"]);
    assert!(line(&here, "olga").contains("disabled"));
    assert_eq!(count(&url, OPEN).await, 0);
    assert_eq!(signs_in(&server, "olga", PASSWORD).await, None);
    here.succeed(&["staff", "enable", "olga"]);
    assert!(line(&here, "olga").contains("active"));
    let second = Some("/admin/sign-in/second");
    assert_eq!(signs_in(&server, "olga", PASSWORD).await.as_deref(), second);

    // The second factor is not there any more, and nobody comes in by what was opened with it.
    lives_here(&url).await;
    here.succeed(&["staff", "reset-factors", "olga"]);
    assert_eq!(count(&url, OPEN).await, 0);
    assert!(line(&here, "olga").contains("0 second factor(s)"));
    assert_eq!(signs_in(&server, "olga", PASSWORD).await.as_deref(), Some(SETUP));

    lives_here(&url).await;
    here.succeed(&["staff", "role", "olga", "lead"]);
    assert!(line(&here, "olga").contains("lead"));
    assert_eq!(count(&url, OPEN).await, 0);
    let unknown = here.run(&["staff", "role", "olga", "emperor"]);
    assert!(told(&unknown).contains("emperor") && !unknown.status.success());
    assert!(line(&here, "olga").contains("lead"));

    lives_here(&url).await;
    let changed = here.tell(&["staff", "password", "olga"], OTHER);
    assert!(changed.status.success(), "{}", told(&changed));
    assert_eq!(count(&url, OPEN).await, 0);
    assert_eq!(signs_in(&server, "olga", PASSWORD).await, None);
    assert_eq!(signs_in(&server, "olga", OTHER).await.as_deref(), second);

    // An account elsewhere, by a provider that the configuration names.
    let provider = "[[providers]]\nid = \"work\"\nname = \"Work\"\nkind = \"oidc\"\nfor = \"staff\"\n\
                    issuer = \"https://sso.example.com\"\nclient_id = \"kabinet\"\nclient_secret = \"0123456789abcdef\"\n\
                    [providers.roles]\nclaim = \"/roles\"\nmap = [[\"a\", \"agent\"]]\n";
    std::fs::write(here.path("work.toml"), provider).expect("written");
    lives_here(&url).await;
    let link = ["staff", "link", "olga", "work", "0d5f1c1e", "--config", "work.toml"];
    here.succeed(&link);
    let linked = "SELECT COUNT(*) FROM identities WHERE provider = 'work' AND issuer = 'https://sso.example.com' \
                  AND subject = '0d5f1c1e' AND staff_id = (SELECT id FROM staff WHERE login = 'olga')";
    assert_eq!(count(&url, linked).await, 1);
    assert_eq!(count(&url, OPEN).await, 0);
    let elsewhere = here.run(&["staff", "link", "olga", "home", "0d5f1c1e", "--config", "work.toml"]);
    assert!(
        told(&elsewhere).contains("no provider \"home\""),
        "{}",
        told(&elsewhere)
    );

    for command in [
        &["staff", "disable", "nobody"][..],
        &["staff", "enable", "olga"],
        &["staff", "role", "nobody", "agent"],
        &["staff", "reset-factors", "nobody"],
    ] {
        assert!(!here.run(command).status.success(), "{command:?}");
    }
    // Each of them stands in the audit log, as done at the command line.
    let acts = "SELECT COUNT(DISTINCT action) FROM audit WHERE actor = 'system' AND action IN ('staff.create', \
                'staff.disable', 'staff.enable', 'staff.reset_factors', 'staff.role', 'staff.password', 'identity.link')";
    assert_eq!(count(&url, acts).await, 7);
}

#[test]
fn at_a_terminal_a_password_is_asked_for_twice_and_never_shown() {
    let here = Installation::new();
    let (first, again) = ("Password: ", "The same once more: ");
    let add = ["staff", "add", "olga", "Olga", "--role", "administrator"];
    let (is_added, seen) = here.at_a_terminal(&add, &[(first, PASSWORD), (again, OTHER)]);
    assert!(!is_added && seen.contains("that was another password"), "{seen}");
    assert_eq!(here.succeed(&["staff", "list"]), "");
    let (is_added, seen) = here.at_a_terminal(&add, &[(first, PASSWORD), (again, PASSWORD)]);
    assert!(is_added && seen.contains("Added olga."), "{seen}");
    assert!(!seen.contains(PASSWORD), "{seen}");
    assert!(line(&here, "olga").contains("active"));
    // A password of a file or a pipe is asked for by nobody.
    let piped = here.tell(&["staff", "password", "olga"], OTHER);
    assert!(
        piped.status.success() && !told(&piped).contains(first),
        "{}",
        told(&piped)
    );
}
