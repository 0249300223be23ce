//! Staff and roles as colleagues look after them, and the audit log as whoever has the right reads it.

use crate::common::people::{administrator, again, moments_after, one, role, sql};
use crate::common::{BY, days, ready};
use chrono::TimeDelta;
use crm::Error;
use crm::audit::Actor;
use crm::audit::log::{self, By, Filter};
use crm::flaw::Flaw;
use crm::id::{SessionId, StaffId};
use crm::lang::{Lang, Localized};
use crm::signin::attempts::Purpose;
use crm::signin::password;
use crm::signin::store::{self as signin, StaffEntered};
use crm::staff::managing::{self, Details, Invitation};
use crm::staff::roles::{self, NewRole};
use crm::staff::{Right, Role, store};
use crm::testing::{World, start};
use crm::who::{self, Staff, Visitor};
use std::collections::BTreeSet;

const PASSWORD: &str = "пятьдесят лошадей у реки";
const OTHER_PASSWORD: &str = "корова летит над луной";

fn invitation(login: &str, role: &str) -> Invitation {
    Invitation {
        login: login.into(),
        name: "Вера".into(),
        email: "Vera@Example.com".into(),
        role: Role::new(role),
    }
}

async fn invite(world: &World, by: &Staff, login: &str, role: &str) -> Result<(StaffId, String), Error> {
    let by = by.fresh(&world.db).expect("fresh");
    managing::invite(&world.db, &by, &invitation(login, role)).await
}

async fn join(world: &World, link: &str, password: &str) -> Result<StaffEntered, Error> {
    let secret = link.rsplit('/').next().expect("a link");
    managing::join(&world.db, secret, password, Lang::Ru, &Visitor::default()).await
}

/// Says what a colleague's e-mail is, whatever it was.
async fn tell_email(world: &World, by: &Staff, id: StaffId, email: &str) {
    let (member, _) = managing::read(&world.db, by, id).await.expect("read");
    let new = Details {
        email: Some(email.into()),
        ..member.details()
    };
    let by = by.fresh(&world.db).expect("fresh");
    managing::change(&world.db, &by, id, &member.details(), &new)
        .await
        .expect("changed");
}

/// Sends a link for another password, a second later than what came before; what the link ends with.
async fn password_link(world: &World, by: &Staff, id: StaffId) -> String {
    const NEWEST: &str =
        "SELECT body FROM outbox WHERE template = 'staff_password' ORDER BY created_at DESC, id DESC LIMIT 1";
    world.clock.set(world.db.now() + TimeDelta::seconds(1));
    let by = by.fresh(&world.db).expect("fresh");
    managing::send_password_link(&world.db, &by, id, "Забыла пароль")
        .await
        .expect("sent");
    let body = one!(world, String, NEWEST);
    let (_, rest) = body.split_once("/admin/join/").expect("a link");
    rest.split_whitespace().next().expect("its end").to_owned()
}

fn is_flaw<T: std::fmt::Debug>(result: Result<T, Error>, field: &str, flaw: &Flaw) -> bool {
    matches!(result, Err(Error::Invalid(flaws)) if flaws == [(field.to_owned(), flaw.clone())])
}

fn new_role(rights: &[Right]) -> NewRole {
    NewRole {
        name: Localized::new("Кассир", "Cashier"),
        rights: rights.to_vec(),
    }
}

crm::both_engines!(
    s06_an_invitation_is_good_once_for_three_days_and_stored_hashed,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        assert!(is_flaw(
            invite(world, &ada, "admin", "agent").await.map(drop),
            "login",
            &Flaw::Taken
        ));
        assert!(is_flaw(
            invite(world, &ada, "vera", "nobody").await.map(drop),
            "role",
            &Flaw::NotAChoice
        ));
        let (id, first) = invite(world, &ada, "Vera", "agent").await.expect("invited");
        let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_invited' AND address = 'vera@example.com' \
                AND body LIKE '%/admin/join/%'";
        assert_eq!(one!(world, i64, sent), 1);
        let secret = first.rsplit('/').next().expect("a link").to_owned();
        let hash = crm::who::Token::received(&secret).hash();
        assert_eq!(
            one!(
                world,
                i64,
                "SELECT COUNT(*) FROM staff_invites WHERE token_hash = $1",
                &hash
            ),
            1
        );

        // Another link takes its place; a password that is too easy uses none up.
        let fresh = ada.fresh(db).expect("fresh");
        let second = managing::invite_again(db, &fresh, id).await.expect("invited");
        assert!(matches!(join(world, &first, PASSWORD).await, Err(Error::Stale)));
        assert!(matches!(join(world, &second, "123").await, Err(Error::Invalid(_))));
        world.clock.set(start() + days(3));
        assert!(
            matches!(join(world, &second, PASSWORD).await, Err(Error::Stale)),
            "too old"
        );
        world.clock.set(start() + days(3) - TimeDelta::seconds(1));
        let Ok(StaffEntered::SetUp(_)) = join(world, &second, PASSWORD).await else {
            panic!("the second factor comes next");
        };
        assert!(
            matches!(join(world, &second, PASSWORD).await, Err(Error::Stale)),
            "once"
        );
        let account = store::by_login(&mut db.read().await.expect("a connection"), "vera").await;
        let account = account.expect("read").expect("there");
        let fits = password::verify(PASSWORD, Some(&account.password_hash)).await;
        assert!(fits.expect("compared"));
        let entered = signin::staff_by_password(db, "vera", PASSWORD, Lang::Ru, &Visitor::default()).await;
        assert!(matches!(entered, Ok(StaffEntered::SetUp(_))));
        // Each invitation is a row, the second one as well.
        for (action, times) in [("staff.invite", 2), ("staff.join", 1)] {
            let rows = "SELECT COUNT(*) FROM audit WHERE action = $1 AND actor = 'staff'";
            assert_eq!(one!(world, i64, rows, action), times, "{action}");
        }
    }
);

crm::both_engines!(s06_who_is_shut_out_comes_in_by_no_invitation, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let (id, link) = invite(world, &ada, "vera", "agent").await.expect("invited");
    let fresh = ada.fresh(db).expect("fresh");
    managing::disable(db, &fresh, id, "Передумали").await.expect("shut out");
    assert!(matches!(join(world, &link, PASSWORD).await, Err(Error::Stale)));
    assert!(matches!(
        managing::invite_again(db, &fresh, id).await,
        Err(Error::Stale)
    ));
    managing::enable(db, &fresh, id).await.expect("let in");
    join(world, &link, PASSWORD).await.expect("it is still good");
    // Who got a password otherwise has a way in, and the link sets no other.
    let (id, link) = invite(world, &ada, "rita", "agent").await.expect("invited");
    store::set_password(db, &BY, id, "$hash")
        .await
        .expect("at the command line");
    assert!(matches!(join(world, &link, PASSWORD).await, Err(Error::Stale)));
});

crm::both_engines!(
    s06_a_link_for_another_password_is_good_once_for_three_days_and_ends_sessions,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let fresh = ada.fresh(db).expect("fresh");
        let vera = moments_after(world, "vera", "Вера", Role::ADMINISTRATOR).await.id();
        crm::factor::store::give_totp(db, &BY, vera).await.expect("a factor");
        // Nobody knows where it would go.
        let nowhere = managing::send_password_link(db, &fresh, vera, "Забыла").await;
        assert!(matches!(nowhere, Err(Error::Stale)), "{nowhere:?}");
        tell_email(world, &ada, vera, "Vera@Example.com").await;
        let no_reason = managing::send_password_link(db, &fresh, vera, " ").await;
        assert!(is_flaw(no_reason, "reason", &Flaw::Missing));

        let first = password_link(world, &ada, vera).await;
        let hash = crm::who::Token::received(&first).hash();
        let stored = "SELECT COUNT(*) FROM staff_invites WHERE token_hash = $1";
        assert_eq!(one!(world, i64, stored, &hash), 1);
        let second = password_link(world, &ada, vera).await;
        let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_password' AND address = 'vera@example.com'";
        assert_eq!(one!(world, i64, sent), 2);
        // Until she opens it nothing has changed: she is somebody who has come in, and who still is.
        let (member, _) = managing::read(db, &ada, vera).await.expect("read");
        let until = db.now() + days(3);
        assert_eq!((member.invited_until, member.reset_until), (None, Some(until)));
        assert_eq!(member.sessions, 1);
        let (own, _) = managing::read(db, &ada, ada.id()).await.expect("read");
        assert!(!own.is_last, "Vera is one who can come in");
        assert_eq!(crm::checkup::managers(db, &BY).await.expect("counted"), 2);

        // The one before is worth nothing; a password that is too easy uses none up.
        assert!(matches!(join(world, &first, PASSWORD).await, Err(Error::Stale)));
        assert!(matches!(join(world, &second, "123").await, Err(Error::Invalid(_))));
        world.clock.set(until);
        assert!(
            matches!(join(world, &second, PASSWORD).await, Err(Error::Stale)),
            "too old"
        );
        world.clock.set(until - TimeDelta::seconds(1));
        let open = "SELECT COUNT(*) FROM sessions WHERE staff_id = $1 AND ended_at IS NULL";
        assert_eq!(one!(world, i64, open, vera), 1);
        let Ok(StaffEntered::SecondFactor(_)) = join(world, &second, PASSWORD).await else {
            panic!("the second factor stays");
        };
        assert_eq!(one!(world, i64, open, vera), 0);
        assert!(
            matches!(join(world, &second, OTHER_PASSWORD).await, Err(Error::Stale)),
            "once"
        );
        let entered = signin::staff_by_password(db, "vera", PASSWORD, Lang::Ru, &Visitor::default()).await;
        assert!(matches!(entered, Ok(StaffEntered::SecondFactor(_))));
        for (action, times) in [
            ("staff.password_link", 2),
            ("staff.reset_password", 1),
            ("staff.join", 0),
        ] {
            let rows = "SELECT COUNT(*) FROM audit WHERE action = $1 AND actor = 'staff' AND object_id = $2";
            assert_eq!(one!(world, i64, rows, action, vera), times, "{action}");
        }
    }
);

crm::both_engines!(
    s06_a_link_for_another_password_goes_with_what_it_was_for,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let fresh = ada.fresh(db).expect("fresh");
        let is_gone = async |link: &str| matches!(join(world, link, PASSWORD).await, Err(Error::Stale));
        // Who has not come in yet is invited again.
        let (rita, _) = invite(world, &ada, "rita", "agent").await.expect("invited");
        let early = managing::send_password_link(db, &fresh, rita, "x").await;
        assert!(matches!(early, Err(Error::Stale)), "{early:?}");

        let vera = moments_after(world, "vera", "Вера", "agent").await.id();
        let secret = crm::factor::store::give_totp(db, &BY, vera).await.expect("a factor");
        tell_email(world, &ada, vera, "vera@example.com").await;
        let link = password_link(world, &ada, vera).await;
        join(world, &link, PASSWORD).await.expect("chosen");

        // The address was another one.
        let link = password_link(world, &ada, vera).await;
        tell_email(world, &ada, vera, "vera.k@example.com").await;
        assert!(is_gone(&link).await);
        let (member, _) = managing::read(db, &ada, vera).await.expect("read");
        assert_eq!(member.reset_until, None);
        // She is let in no more.
        let link = password_link(world, &ada, vera).await;
        managing::disable(db, &fresh, vera, "Ушла").await.expect("shut out");
        assert!(is_gone(&link).await);
        let late = managing::send_password_link(db, &fresh, vera, "x").await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");
        managing::enable(db, &fresh, vera).await.expect("let in");
        // She remembers the old one and changes it herself.
        let link = password_link(world, &ada, vera).await;
        let herself = again(world, vera).await;
        let by = herself.fresh(db).expect("fresh");
        store::change_password(db, &by, PASSWORD, OTHER_PASSWORD, &Visitor::default())
            .await
            .expect("changed");
        assert!(is_gone(&link).await);
        // She comes in by it.
        let link = password_link(world, &ada, vera).await;
        let entered = signin::staff_by_password(db, "vera", OTHER_PASSWORD, Lang::Ru, &Visitor::default()).await;
        let Ok(StaffEntered::SecondFactor(token)) = entered else {
            panic!("the second factor comes next");
        };
        let code = secret.code(db.now());
        crm::factor::store::second_by_code(db, &token, Purpose::Staff, &code, &Visitor::default())
            .await
            .expect("in");
        assert!(is_gone(&link).await);
        // She got another one at the command line.
        let link = password_link(world, &ada, vera).await;
        store::set_password(db, &BY, vera, "$hash")
            .await
            .expect("at the command line");
        assert!(is_gone(&link).await);
    }
);

crm::both_engines!(name_and_email_are_changed_by_who_saw_what_they_were, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let fresh = ada.fresh(db).expect("fresh");
    let (vera, link) = invite(world, &ada, "vera", "agent").await.expect("invited");
    let (member, _) = managing::read(db, &ada, vera).await.expect("read");
    let seen = member.details();
    let details = |name: &str, email: Option<&str>| Details {
        name: name.into(),
        email: email.map(str::to_owned),
    };
    assert_eq!(seen, details("Вера", Some("vera@example.com")));
    for (new, field) in [
        (details("<b>", None), "name"),
        (details("", None), "name"),
        (details("Вера", Some("vera@")), "email"),
    ] {
        match managing::change(db, &fresh, vera, &seen, &new).await {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws[0].0, field),
            other => panic!("{other:?}"),
        }
    }
    let new = details(" Вера  Котова", Some("Vera.K@Example.com"));
    managing::change(db, &fresh, vera, &seen, &new).await.expect("changed");
    // She hears of it where links went and where they go from now on; neither letter names the other address.
    let letters = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_email_changed'";
    for address in ["vera@example.com", "vera.k@example.com"] {
        let there = "SELECT body FROM outbox WHERE template = 'staff_email_changed' AND address = $1";
        let body = one!(world, String, there, address);
        assert!(body.contains("Вера Котова") && body.contains("Ада"), "{body}");
        assert!(!body.contains("@example.com"), "{body}");
    }
    // Whoever still sees it as it was overwrites nothing.
    let late = managing::change(db, &fresh, vera, &seen, &details("Верочка", None)).await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let (member, _) = managing::read(db, &ada, vera).await.expect("read");
    let now = details("Вера Котова", Some("vera.k@example.com"));
    assert_eq!(member.details(), now);
    let told = one!(
        world,
        String,
        "SELECT reason FROM audit WHERE action = 'staff.change' AND object_id = $1",
        vera
    );
    for change in [
        "name: \"Вера\" → \"Вера Котова\"",
        "email: \"vera@example.com\" → \"vera.k@example.com\"",
    ] {
        assert!(told.contains(change), "{told}");
    }
    // What went to the old address is worth nothing, she is still only invited, and the next one goes to the new address.
    assert!(matches!(join(world, &link, PASSWORD).await, Err(Error::Stale)));
    assert_eq!(member.invited_until, Some(db.now()));
    let link = managing::invite_again(db, &fresh, vera).await.expect("invited");
    let sent = "SELECT COUNT(*) FROM outbox WHERE template = 'staff_invited' AND address = 'vera.k@example.com'";
    assert_eq!(one!(world, i64, sent), 1);
    // Another name alone leaves it as it is.
    let named = details("Вера Лис", Some("vera.k@example.com"));
    managing::change(db, &fresh, vera, &now, &named).await.expect("changed");
    assert_eq!(one!(world, i64, letters), 2, "of the address alone");
    join(world, &link, PASSWORD).await.expect("joined");
});

crm::both_engines!(s14_a_colleague_ends_one_session_and_the_others_go_on, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let fresh = ada.fresh(db).expect("fresh");
    let lost = moments_after(world, "vera", "Вера", "agent").await;
    world.clock.set(start() + TimeDelta::minutes(1));
    let kept = again(world, lost.id()).await;
    let vera = lost.id();
    let open = async || -> Vec<SessionId> {
        let mut conn = db.read().await.expect("a connection");
        let open = managing::sessions(&mut conn, &ada, vera).await.expect("read");
        open.into_iter().map(|one| one.id).collect()
    };
    assert_eq!(open().await, [kept.session(), lost.session()]);
    let no_reason = managing::end_session(db, &fresh, vera, lost.session(), " ").await;
    assert!(is_flaw(no_reason, "reason", &Flaw::Missing));
    // Nobody else's, by whatever page.
    let other = managing::end_session(db, &fresh, vera, ada.session(), "x").await;
    assert!(matches!(other, Err(Error::Stale)), "{other:?}");
    managing::end_session(db, &fresh, vera, lost.session(), "Чужой телефон")
        .await
        .expect("ended");
    assert_eq!(open().await, [kept.session()]);
    let late = managing::end_session(db, &fresh, vera, lost.session(), "x").await;
    assert!(matches!(late, Err(Error::Stale)), "{late:?}");
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'staff.end_session' AND object_id = $1 \
                AND reason = 'Чужой телефон'";
    assert_eq!(one!(world, i64, rows, vera), 1);
    let hers = "SELECT COUNT(*) FROM sessions WHERE staff_id = $1 AND ended_at IS NULL";
    assert_eq!(one!(world, i64, hers, ada.id()), 1);
});

crm::both_engines!(
    s17_nobody_gets_more_rights_by_a_colleague_than_they_have,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        role(world, "keeper", r#"["staff", "requests"]"#).await;
        role(world, "reader", r#"["requests"]"#).await;
        let keeper = moments_after(world, "keeper", "Клим", "keeper").await;
        let fresh = keeper.fresh(db).expect("fresh");
        for beyond in [Role::ADMINISTRATOR, Role::AGENT] {
            let refused = invite(world, &keeper, "vera", beyond).await.map(drop);
            assert!(is_flaw(refused, "role", &Flaw::NotAChoice), "{beyond}");
        }
        let (id, _) = invite(world, &keeper, "vera", "reader").await.expect("within");
        let up = managing::set_role(db, &fresh, id, &Role::new("reader"), &Role::new("agent"), "Просил").await;
        assert!(is_flaw(up, "role", &Flaw::NotAChoice));
        // Nothing of whoever may do more, nor of oneself.
        for other in [ada.id(), keeper.id()] {
            let reader = Role::new("reader");
            let details = Details {
                name: "Клим".into(),
                email: None,
            };
            let tried = [
                managing::set_role(db, &fresh, other, &reader, &reader, "x").await,
                managing::disable(db, &fresh, other, "x").await,
                managing::enable(db, &fresh, other).await,
                managing::end_all_sessions(db, &fresh, other, "x").await,
                managing::reset_factors(db, &fresh, other, "x").await,
                managing::invite_again(db, &fresh, other).await.map(drop),
                managing::send_password_link(db, &fresh, other, "x").await,
                managing::end_session(db, &fresh, other, SessionId::new(), "x").await,
                managing::change(db, &fresh, other, &details, &details).await,
            ];
            for one in tried {
                assert!(matches!(one, Err(Error::Forbidden)), "{one:?}");
            }
        }
        // Nor by a role.
        let points = roles::create(db, &fresh, "points", &new_role(&[Right::Points])).await;
        assert!(is_flaw(points, "rights", &Flaw::NotAChoice));
        for theirs in ["keeper", "agent", "administrator"] {
            let (role, new) = (Role::new(theirs), new_role(&[Right::Requests]));
            let changed = roles::change(db, &fresh, &role, &new, &new).await;
            assert!(matches!(changed, Err(Error::Forbidden)), "{theirs}");
        }
        // Without the right nothing at all.
        let reader = moments_after(world, "reader", "Рита", "reader").await;
        let fresh = reader.fresh(db).expect("fresh");
        assert!(matches!(managing::list(db, &reader).await, Err(Error::Forbidden)));
        let mut conn = db.read().await.expect("a connection");
        let sessions = managing::sessions(&mut conn, &reader, ada.id()).await;
        assert!(matches!(sessions, Err(Error::Forbidden)));
        drop(conn);
        assert!(matches!(roles::list(db, &reader).await, Err(Error::Forbidden)));
        assert!(matches!(
            managing::disable(db, &fresh, id, "x").await,
            Err(Error::Forbidden)
        ));
        assert!(matches!(
            log::list(db, &reader, &Filter::default(), None, 1).await,
            Err(Error::Forbidden)
        ));
        assert!(matches!(
            log::export(db, &reader.fresh(db).expect("fresh"), &Filter::default()).await,
            Err(Error::Forbidden)
        ));
    }
);

crm::both_engines!(
    who_could_open_files_of_requests_before_has_the_right_to_them,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        role(world, "clerk", r#"["requests"]"#).await;
        role(world, "watcher", r#"["customers", "view_as"]"#).await;
        role(world, "cashier", r#"["tills", "income"]"#).await;
        let migration = match world.url.starts_with("postgres") {
            true => include_str!("../../migrations/postgres/0056_documents.sql"),
            false => include_str!("../../migrations/sqlite/0056_documents.sql"),
        };
        sql!(world, migration);
        let all = roles::list(db, &ada).await.expect("roles");
        for (code, expected) in [
            ("clerk", 1),
            ("watcher", 1),
            ("cashier", 0),
            // They came with it.
            (Role::AGENT, 1),
            ("lead", 1),
            (Role::ADMINISTRATOR, 1),
            (Role::MARKETER, 0),
            ("analyst", 0),
        ] {
            let one = all.iter().find(|one| one.code.code() == code).expect("there");
            let found = one.rights.iter().filter(|right| **right == Right::Documents).count();
            assert_eq!(found, expected, "{code}");
        }
    }
);

crm::both_engines!(the_last_administrator_who_can_come_in_stays, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let all: Vec<_> = Right::ALL
        .iter()
        .map(|right| format!("\"{}\"", right.as_str()))
        .collect();
    role(world, "deputy", &format!("[{}]", all.join(","))).await;
    let deputy = moments_after(world, "deputy", "Дина", "deputy").await;
    let fresh = deputy.fresh(db).expect("fresh");
    let tried = async || {
        let (administrator, agent) = (Role::new(Role::ADMINISTRATOR), Role::new("agent"));
        [
            managing::set_role(db, &fresh, ada.id(), &administrator, &agent, "x").await,
            managing::disable(db, &fresh, ada.id(), "x").await,
        ]
    };
    assert!(tried().await.iter().all(|one| matches!(one, Err(Error::Stale))));
    // Who is only invited cannot come in.
    let (id, link) = invite(world, &ada, "vera", Role::ADMINISTRATOR).await.expect("invited");
    assert!(tried().await.iter().all(|one| matches!(one, Err(Error::Stale))));
    join(world, &link, PASSWORD).await.expect("joined");
    managing::disable(db, &fresh, ada.id(), "Уволилась")
        .await
        .expect("another one is there");
    let (vera, _) = managing::read(db, &deputy, id).await.expect("read");
    assert!(vera.is_last);
    assert!(matches!(
        managing::disable(db, &fresh, id, "x").await,
        Err(Error::Stale)
    ));
    let reasons =
        "SELECT COUNT(*) FROM audit WHERE action = 'staff.disable' AND reason = 'Уволилась' AND actor = 'staff'";
    assert_eq!(one!(world, i64, reasons), 1);
});

crm::both_engines!(s14_another_role_a_reset_and_shutting_out_end_sessions, async |world| {
    let db = ready(world).await;
    let ada = administrator(world).await;
    let fresh = ada.fresh(db).expect("fresh");
    let open = "SELECT COUNT(*) FROM sessions WHERE staff_id = $1 AND ended_at IS NULL";
    let names = ["one", "two", "three", "four"];
    let mut ids = Vec::new();
    for name in names {
        let id = moments_after(world, name, "Вера", "agent").await.id();
        crm::factor::store::give_totp(db, &BY, id).await.expect("a factor");
        assert_eq!(one!(world, i64, open, id), 1);
        ids.push(id);
    }
    let [one_, two, three, four] = ids[..] else {
        panic!("four")
    };
    for empty in ["", " "] {
        assert!(is_flaw(
            managing::disable(db, &fresh, one_, empty).await,
            "reason",
            &Flaw::Missing
        ));
    }
    managing::set_role(db, &fresh, one_, &Role::new("agent"), &Role::new("lead"), "Повысили")
        .await
        .expect("lead");
    managing::disable(db, &fresh, two, "Уволился").await.expect("shut out");
    managing::end_all_sessions(db, &fresh, three, "Забыл выйти")
        .await
        .expect("ended");
    managing::reset_factors(db, &fresh, four, "Потерял телефон")
        .await
        .expect("reset");
    for id in [one_, two, three, four] {
        assert_eq!(one!(world, i64, open, id), 0);
    }
    let factors = "SELECT COUNT(*) FROM factors WHERE staff_id = $1";
    assert_eq!(one!(world, i64, factors, four), 0);
    assert!(one!(world, i64, factors, three) > 0);
    let (members, _) = managing::list(db, &ada).await.expect("read");
    let of = |id| members.iter().find(|member| member.id == id).expect("a member");
    assert_eq!(of(one_).role, Role::new("lead"));
    assert!(of(two).disabled_at.is_some() && of(three).has_second && !of(four).has_second);
    assert!(matches!(
        managing::reset_factors(db, &fresh, four, "x").await,
        Err(Error::Stale)
    ));
});

crm::both_engines!(
    s17_what_a_role_lets_somebody_do_counts_from_the_next_page_on,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let fresh = ada.fresh(db).expect("fresh");
        let nothing = roles::create(db, &fresh, "cashier", &new_role(&[])).await;
        assert!(is_flaw(nothing, "rights", &Flaw::Missing));
        roles::create(db, &fresh, "Cashier", &new_role(&[Right::Requests]))
            .await
            .expect("made");
        let again = roles::create(db, &fresh, "cashier", &new_role(&[Right::Requests])).await;
        assert!(is_flaw(again, "key", &Flaw::Taken));
        let cashier = Role::new("cashier");
        let vera = moments_after(world, "vera", "Вера", "cashier").await;
        assert!(vera.has(Right::Requests) && !vera.has(Right::Customers));
        let (first, other) = (new_role(&[Right::Requests]), new_role(&[Right::Customers]));
        roles::change(db, &fresh, &cashier, &first, &other)
            .await
            .expect("changed");
        // Whoever still sees it as it was overwrites nothing.
        let late = roles::change(db, &fresh, &cashier, &first, &new_role(&[Right::Points])).await;
        assert!(matches!(late, Err(Error::Stale)), "{late:?}");
        assert!(
            matches!(roles::remove(db, &fresh, &cashier).await, Err(Error::Stale)),
            "she has it"
        );
        // Her session goes on with what it lets her do now.
        let secret = who::Token::random();
        let hash = &secret.hash();
        let id = vera.id();
        sql!(
            world,
            "UPDATE sessions SET token_hash = $2 WHERE staff_id = $1",
            id,
            hash
        );
        let vera = who::staff(db, &secret, &Visitor::default())
            .await
            .expect("read")
            .expect("in");
        assert!(!vera.has(Right::Requests) && vera.has(Right::Customers));
        let agent = Role::new("agent");
        let late = managing::set_role(db, &fresh, vera.id(), &agent, &Role::new("lead"), "x").await;
        assert!(matches!(late, Err(Error::Stale)), "she is none: {late:?}");
        managing::set_role(db, &fresh, vera.id(), &cashier, &agent, "Другая работа")
            .await
            .expect("given");
        roles::remove(db, &fresh, &cashier).await.expect("nobody has it");
        assert!(matches!(
            roles::remove(db, &fresh, &cashier).await,
            Err(Error::NotFound)
        ));
    }
);

crm::both_engines!(
    the_roles_that_come_with_the_program_are_known_to_be_such,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let all = roles::list(db, &ada).await.expect("read");
        let codes: BTreeSet<&str> = all.iter().map(|one| one.code.code()).collect();
        assert_eq!(codes, BTreeSet::from(Role::BUILT_IN));
        let rights = all.iter().find(|one| one.code.code() == Role::ADMINISTRATOR);
        let rights: BTreeSet<Right> = rights.expect("there").rights.iter().copied().collect();
        assert_eq!(rights, BTreeSet::from(Right::ALL), "the administrator has every right");
    }
);

crm::both_engines!(
    s23_the_log_is_narrowed_page_by_page_and_each_look_is_a_row,
    async |world| {
        let db = ready(world).await;
        let ada = administrator(world).await;
        let anna = crate::common::people::row(world, "Анна", "К").await;
        for minute in 0..5 {
            world.clock.set(start() + TimeDelta::minutes(minute));
            ada.open(db, anna, crm::who::Reason::Card).await.expect("opened");
        }
        let of = async |filter: Filter| {
            let lines = log::list(db, &ada, &filter, None, 100).await.expect("read");
            lines.into_iter().map(|line| line.action).collect::<Vec<_>>()
        };
        let by = |by| Filter {
            by: Some(by),
            ..Filter::default()
        };
        let action = |action: &str| Filter {
            action: action.into(),
            ..Filter::default()
        };
        assert_eq!(of(action("customer.read")).await.len(), 5);
        assert_eq!(of(action("customer")).await.len(), 5);
        assert_eq!(of(action("custom")).await.len(), 0, "areas are whole words");
        assert_eq!(of(by(By::One(anna.0))).await.len(), 0);
        assert!(
            of(by(By::Kind(Actor::System)))
                .await
                .contains(&"staff.create".to_owned())
        );
        let theirs = of(by(By::One(ada.id().0))).await;
        assert!(theirs.contains(&"customer.read".to_owned()) && theirs.contains(&"audit.read".to_owned()));
        let period = Filter {
            action: "customer.read".into(),
            customer: Some(anna),
            from: Some(start() + TimeDelta::minutes(1)),
            until: Some(start() + TimeDelta::minutes(3)),
            ..Filter::default()
        };
        assert_eq!(of(period).await.len(), 2);
        // Page by page each stands on one page.
        let (filter, mut before, mut seen) = (action("customer"), None, Vec::new());
        loop {
            let lines = log::list(db, &ada, &filter, before, 2).await.expect("read");
            let Some(last) = lines.last() else { break };
            before = Some((last.at, last.id.0));
            seen.extend(lines.iter().map(|line| line.id));
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (5, 5));
        // Whose rows were looked at is told to whose they are.
        let looks = "SELECT COUNT(*) FROM audit WHERE action = 'audit.read' AND customer_id = $1";
        assert_eq!(one!(world, i64, looks, anna), 1);
        assert_eq!(
            log::export(db, &ada.fresh(db).expect("fresh"), &filter)
                .await
                .expect("saved")
                .len(),
            5
        );
        let saved = "SELECT COUNT(*) FROM audit WHERE action = 'audit.export' AND reason LIKE '5 rows%'";
        assert_eq!(one!(world, i64, saved), 1);
    }
);
