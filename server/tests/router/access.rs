//! Who gets to see what: every page of the table by everybody.

use crate::common::html::{forms, tags};
use crate::common::{BY, Browser, Reply, SAME_SITE, TestApp, Town, body, encode};
use app::ROUTES;
use app::route::{Access, Route};
use axum::http::{Method, StatusCode};
use crm::staff::{Right, Role};
use crm::who::Token;
use server::outside::config::Kind;
use server::secret::Secret;
use server::{api, exports, live, router};
use std::collections::BTreeSet;

fn of(access: Access) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| route.access == access)
}

async fn path(town: &Town, route: &Route) -> String {
    let path = town.path(route.path).await;
    path.unwrap_or_else(|| panic!("{} needs a sample in Town::path", route.path))
}

fn assert_sent_to_sign_in(reply: &Reply, page: &str) {
    let expected = if reply.path == "/" {
        page.to_owned()
    } else {
        format!("{page}?next={}", reply.path)
    };
    assert_eq!(reply.location(), expected, "{}", reply.path);
    assert!(reply.body.is_empty(), "a redirect says nothing of the page");
}

#[tokio::test]
async fn s17_every_page_opens_to_whom_it_is_for_and_to_nobody_else() {
    let mut town = Town::new().await;
    let mut anybody = town.app.anybody();
    for route in ROUTES {
        let at = path(&town, route).await;
        let [nobody, anna, boris, agent] = [
            anybody.get(&at).await,
            town.anna.get(&at).await,
            town.boris.get(&at).await,
            town.agent.get(&at).await,
        ];
        match route.access {
            // The steps of staff between the password and the cabinet show nothing to whom has not begun.
            Access::Public if at.starts_with("/admin/sign-in/") => {
                for reply in [nobody, anna, boris, agent] {
                    assert_eq!(reply.status, StatusCode::CONFLICT, "{at}");
                }
            }
            Access::Public => {
                for reply in [nobody, anna, boris, agent] {
                    assert_eq!(reply.status, StatusCode::OK, "{at}");
                }
            }
            Access::SignedOut => {
                assert_eq!([anna.location(), boris.location()], ["/", "/"], "{at}");
                // Beyond the first step, and the link that leads to it, there is nothing to show to who has not begun.
                let expected = if at == "/sign-in" || at.starts_with("/join/") {
                    StatusCode::OK
                } else {
                    StatusCode::CONFLICT
                };
                assert_eq!([nobody.status, agent.status], [expected; 2], "{at}");
            }
            Access::Customer => {
                assert_sent_to_sign_in(&nobody, "/sign-in");
                assert_sent_to_sign_in(&agent, "/sign-in");
                // A code is taken from whom it was sent to.
                if at.ends_with("/code") {
                    assert_eq!([anna.status, boris.status], [StatusCode::CONFLICT; 2], "{at}");
                    continue;
                }
                assert_eq!(anna.status, StatusCode::OK, "{at}");
                let expected = if Town::is_annas(route.path) {
                    StatusCode::NOT_FOUND
                } else {
                    StatusCode::OK
                };
                assert_eq!(boris.status, expected, "{at}");
            }
            Access::Staff => {
                for reply in [&nobody, &anna, &boris] {
                    assert_sent_to_sign_in(reply, "/admin/sign-in");
                }
                assert_eq!(agent.status, StatusCode::OK, "{at}");
            }
            Access::Demonstration => {
                for reply in [nobody, anna, boris, agent] {
                    assert_eq!(reply.status, StatusCode::NOT_FOUND, "{at}");
                }
            }
        }
    }
}

/// What somebody gets who asks for a route that is no page.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// What is there.
    It,
    /// They are led there.
    To(&'static str),
    /// They are led there to sign in, and back afterwards.
    SignIn(&'static str),
    /// Nothing.
    Not(StatusCode),
}
use Gets::{It, Not, SignIn, To};

/// Who asks for it: Anna, whose most of it is; another customer; nobody; a member of staff with every right, who made what is
/// staff's; a colleague with every right; and one who has every right but that of the row, or none where the row has none.
const WHO: [&str; 6] = [
    "Anna",
    "Boris",
    "nobody",
    "the agent",
    "a colleague",
    "staff without the right",
];

const NOT_SIGNED_IN: Gets = Not(StatusCode::UNAUTHORIZED);
const NOTHING_THERE: Gets = Not(StatusCode::NOT_FOUND);
const FORBIDDEN: Gets = Not(StatusCode::FORBIDDEN);
const TO_STAFF: Gets = SignIn("/admin/sign-in");

/// Every route that is no page, but for the API's, with each of its methods: the rights of which any opens it to staff, and what
/// each of [`WHO`] gets of a [`sample`]. Any other method is none of it.
const OTHERS: &[(&str, &str, &[Right], [Gets; 6])] = &[
    ("GET", "/manifest.webmanifest", &[], [It; 6]),
    ("GET", "/theme-165.css", &[], [It; 6]),
    ("GET", "/healthz", &[], [It; 6]),
    ("GET", "/readyz", &[], [It; 6]),
    (
        "GET",
        "/admin",
        &[],
        [
            To("/admin/sign-in"),
            To("/admin/sign-in"),
            To("/admin/sign-in"),
            To("/admin/requests"),
            To("/admin/requests"),
            To("/admin/security"),
        ],
    ),
    (
        "GET",
        exports::PATH,
        &[],
        [
            It,
            NOTHING_THERE,
            SignIn("/sign-in"),
            SignIn("/sign-in"),
            SignIn("/sign-in"),
            SignIn("/sign-in"),
        ],
    ),
    (
        "GET",
        exports::STAFF_PATH,
        &[Right::Export],
        [TO_STAFF, TO_STAFF, TO_STAFF, It, NOTHING_THERE, FORBIDDEN],
    ),
    // Who is signed in is led home, and who did not come from a page of ours to where the other ways in are.
    (
        "GET",
        "/sign-in/with/{provider}",
        &[],
        [
            To("/"),
            To("/"),
            To("/sign-in"),
            To("/sign-in"),
            To("/sign-in"),
            To("/sign-in"),
        ],
    ),
    // Nobody comes back who has not left from this browser.
    (
        "GET",
        "/sign-in/back/{provider}",
        &[],
        [
            To("/profile/providers?outside=stale"),
            To("/profile/providers?outside=stale"),
            To("/sign-in?outside=stale"),
            To("/sign-in?outside=stale"),
            To("/sign-in?outside=stale"),
            To("/sign-in?outside=stale"),
        ],
    ),
    // Each hears of their own alone: `live.rs`.
    (
        "GET",
        live::CUSTOMERS,
        &[],
        [It, It, NOT_SIGNED_IN, NOT_SIGNED_IN, NOT_SIGNED_IN, NOT_SIGNED_IN],
    ),
    (
        "GET",
        live::STAFF,
        &Right::TOLD,
        [NOT_SIGNED_IN, NOT_SIGNED_IN, NOT_SIGNED_IN, It, It, FORBIDDEN],
    ),
    (
        "POST",
        live::PRESENCE,
        &[Right::Requests],
        [NOT_SIGNED_IN, NOT_SIGNED_IN, NOT_SIGNED_IN, It, It, FORBIDDEN],
    ),
    // A secret in the address or in a header is the proof, whoever sends it; here it is in the address.
    ("POST", "/callbacks/sms", &[], [NOTHING_THERE; 6]),
    ("POST", "/callbacks/sms/{secret}", &[], [It; 6]),
    // So is the link of an e-mail; what comes without the words by which a mail provider unsubscribes does nothing.
    ("GET", "/unsubscribe/{secret}", &[], [It; 6]),
    ("POST", "/unsubscribe/{secret}", &[], [FORBIDDEN; 6]),
];

/// What a gateway of text messages sends its reports with.
const GATEWAY: &str = "0123456789abcdef0123456789abcdef";

/// The address of a thing that is there, for a route of [`OTHERS`].
async fn sample(town: &mut Town, path: &str) -> String {
    let (begins, _) = path.split_once('{').unwrap_or((path, ""));
    let db = town.app.world.db.clone();
    let name = match path {
        exports::PATH => {
            let asked = town.anna.send("/profile/data", "export.ask", &[]).await;
            asked.assert_leads_to("/profile/data?done=asked");
            assert!(exports::run_next(&db, &BY).await.expect("made"));
            town.app.text("SELECT lower(hex(id)) FROM exports").await
        }
        exports::STAFF_PATH => {
            let wish = [
                ("kind", "customers"),
                ("columns[]", "name"),
                ("format", "csv"),
                ("from", ""),
                ("to", ""),
            ];
            let asked = town.agent.send("/admin/exports", "extract.ask", &wish).await;
            asked.assert_leads_to("/admin/exports?kind=customers&done=asked");
            assert!(crm::extract::run_next(&db, &BY, || true).await.expect("made"));
            town.app.text("SELECT lower(hex(id)) FROM extracts").await
        }
        live::PRESENCE => format!("{}/presence", town.request),
        "/sign-in/with/{provider}" | "/sign-in/back/{provider}" => "test".to_owned(),
        "/callbacks/sms/{secret}" => GATEWAY.to_owned(),
        "/unsubscribe/{secret}" => {
            let (_, at) = crate::unsubscribe::written(&town.app).await;
            return at;
        }
        _ => {
            assert!(!path.contains('{'), "{path} needs a sample of a thing that is there");
            String::new()
        }
    };
    format!("{begins}{name}")
}

/// The API takes a key, whoever the browser is that sends none (`api.rs` walks over it with keys); all else is in [`OTHERS`].
#[tokio::test]
async fn s17_every_route_that_is_no_page_gives_what_is_there_to_whom_it_is_for() {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let method = |name: &str| Method::from_bytes(name.as_bytes()).expect("a method");
    let app = TestApp::build(false, |config| {
        // Nobody listens there, and nobody is asked.
        let provider = crate::outside::provider_at("http://127.0.0.1:9".to_owned(), "test", Kind::Oidc);
        config.providers = vec![provider];
        config.sms.reports.secret = Some(Secret::Inline(GATEWAY.into()));
    })
    .await;
    let mut town = Town::of(app).await;
    let (mut nobody, mut colleague) = (town.app.anybody(), town.app.staff("second").await);
    let mut without = tried(&town.app).await;
    let others = router::others(&town.app.app).into_iter().map(|other| other.path);
    let others: Vec<String> = others.collect();
    for path in &others {
        if path.starts_with(api::PREFIX) {
            // From a network of its own: who comes too often without a key is told so.
            let mut who = town.app.anybody();
            who.cookies = town.agent.cookies.clone();
            who.cookies.extend(town.anna.cookies.clone());
            let mut said = BTreeSet::new();
            for name in METHODS {
                let reply = who.request(method(name), path, &SAME_SITE, Vec::new()).await;
                said.insert(reply.status.as_u16());
            }
            assert!(
                said.contains(&401) && said.iter().all(|status| [401, 405].contains(status)),
                "{path}: {said:?}"
            );
            continue;
        }
        let rows: Vec<_> = OTHERS.iter().filter(|row| row.1 == path.as_str()).collect();
        assert!(!rows.is_empty(), "{path} needs a row in OTHERS");
        let at = sample(&mut town, path).await;
        for name in METHODS {
            let row = rows.iter().find(|row| row.0 == name);
            let rights = row.map_or(&[][..], |row| row.2);
            let expected = row.map_or([Not(StatusCode::METHOD_NOT_ALLOWED); 6], |row| row.3);
            // Nobody is without a right where none opens it.
            let theirs = if rights.is_empty() { Vec::new() } else { all_but(rights) };
            let_do(&town.app, &theirs).await;
            let everybody = [
                &mut town.anna.browser,
                &mut town.boris.browser,
                &mut nobody,
                &mut town.agent,
                &mut colleague,
                &mut without,
            ];
            // A link says nothing of where it was followed; what changes something comes from a page of ours.
            let headers = if name == "GET" { &[][..] } else { &SAME_SITE[..] };
            for ((who, says), gets) in everybody.into_iter().zip(WHO).zip(expected) {
                let reply = who.request(method(name), &at, headers, Vec::new()).await;
                let told = format!("{name} {at} of {says}: {} {}", reply.status, reply.text());
                match gets {
                    It => assert_eq!(reply.status, StatusCode::OK, "{told}"),
                    To(there) => assert_eq!(reply.location(), there, "{told}"),
                    SignIn(page) => assert_sent_to_sign_in(&reply, page),
                    Not(status) => assert_eq!(reply.status, status, "{told}"),
                }
            }
        }
    }
    for (_, path, ..) in OTHERS {
        assert!(others.iter().any(|other| other == path), "{path}");
    }
}

#[tokio::test]
async fn the_development_inbox_is_in_the_demonstration_only() {
    assert!(of(Access::Demonstration).next().is_some());
    for (app, expected) in [
        (TestApp::new().await, StatusCode::NOT_FOUND),
        (TestApp::demonstration().await, StatusCode::OK),
    ] {
        for route in of(Access::Demonstration) {
            let [mut here, mut agent] = [app.anybody().at_home(), app.staff("agent").await];
            for who in [&mut here, &mut agent] {
                assert_eq!(who.get(route.path).await.status, expected, "{}", route.path);
            }
            // Whoever happens by sees nothing of it, nor where it is; a customer's session opens it no more.
            let [mut by, mut anna] = [app.anybody(), app.customer("Анна").await.browser];
            for who in [&mut by, &mut anna] {
                assert_eq!(
                    who.get(route.path).await.status,
                    StatusCode::NOT_FOUND,
                    "{}",
                    route.path
                );
                assert!(!who.get("/consents/personal_data").await.body.contains(route.path));
            }
        }
    }
}

/// Behind a proxy on this machine that says nothing of whom it asks for, everybody comes from this machine.
#[tokio::test]
async fn s22_the_development_inbox_is_shown_only_where_the_machine_itself_is_asked_for() {
    let app = TestApp::demonstration().await;
    for (host, expected) in [
        ("localhost:3000", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
        ("[::1]:3000", StatusCode::OK),
        ("club.example.com", StatusCode::NOT_FOUND),
        ("localhost.example.com", StatusCode::NOT_FOUND),
    ] {
        let mut who = app.anybody().with("host", host);
        who.address = [127, 0, 0, 1];
        assert_eq!(who.get("/inbox").await.status, expected, "{host}");
        let page = who.get("/sign-in").await.body;
        assert_eq!(page.contains("href=\"/inbox\""), expected == StatusCode::OK, "{host}");
    }
    let mut nameless = app.anybody();
    nameless.address = [127, 0, 0, 1];
    assert_eq!(nameless.get("/inbox").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn staff_land_on_the_first_place_that_is_theirs_and_see_no_other() {
    let app = TestApp::new().await;
    app.execute(
        "INSERT INTO roles (code, name, rights, position) VALUES \
         ('keeper', '{\"ru\": \"К\", \"en\": \"K\"}', '[\"tills\", \"points\"]', 8), \
         ('reader', '{\"ru\": \"Ч\", \"en\": \"R\"}', '[\"audit\"]', 9), \
         ('nobody', '{\"ru\": \"Н\", \"en\": \"N\"}', '[]', 10)",
    )
    .await;
    for (role, expected) in [
        (
            "agent",
            &[
                "/admin/requests",
                "/admin/customers",
                "/admin/tasks",
                "/admin/questions",
                "/admin/macros",
            ][..],
        ),
        ("keeper", &["/admin/approvals", "/admin/tills", "/admin/webhooks"]),
        (
            "marketer",
            &[
                "/admin/rules",
                "/admin/programs",
                "/admin/promotions",
                "/admin/coupons",
                "/admin/stores",
                "/admin/help",
                "/admin/texts",
                "/admin/reports",
                "/admin/exports",
            ],
        ),
        ("reader", &["/admin/audit"]),
        ("nobody", &[]),
    ] {
        // That coming in leads to /admin is asserted there.
        let mut who = app.staff_as(role, role).await;
        let first = who.get("/admin").await.location().to_owned();
        assert_eq!(first, *expected.first().unwrap_or(&"/admin/security"), "{role}");
        let page = who.get(&first).await;
        assert_eq!(page.status, StatusCode::OK, "{role}");
        let links: Vec<String> = tags(&page.body)
            .iter()
            .skip_while(|tag| tag.get("class") != Some("bar"))
            .take_while(|tag| tag.name != "/header")
            .filter_map(|tag| tag.get("href").map(str::to_owned))
            .collect();
        // The shop's mark, the first places side by side, all of them in the menu, the bell of whoever works with
        // requests or may consent to something, and who they are.
        let has_bell = ["agent", "keeper", "marketer"].contains(&role);
        let bell = &["/admin/inbox"][usize::from(!has_bell)..];
        let at_hand = &expected[..if expected.len() > 5 { 4 } else { expected.len() }];
        let all = [&["/admin"][..], at_hand, expected, bell, &["/admin/security"]].concat();
        assert_eq!(links, all, "{role}");
        for at in expected {
            assert_eq!(who.get(at).await.status, StatusCode::OK, "{role} at {at}");
        }
        let may_find = ["/admin/customers", "/admin/stores"]
            .iter()
            .any(|at| expected.contains(at));
        assert_eq!(page.body.contains("id=\"bar-find\""), may_find, "{role}");
        // Where something is not for them, the way out is.
        let refused = who.get("/admin/messages").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{role}");
        let tags = tags(&refused.body);
        let out = tags.iter().find(|tag| tag.get("class") == Some("btn btn-primary"));
        assert_eq!(out.and_then(|tag| tag.get("href")), Some("/admin"), "{role}");
    }
    assert_eq!(app.anybody().get("/admin").await.location(), "/admin/sign-in");
}

/// A conversation about a receipt asks for the receipt, too; one about nothing has but its own question whose it is.
#[tokio::test]
async fn s17_a_conversation_about_nothing_else_opens_to_whose_it_is() {
    let mut town = Town::new().await;
    let fields = [("topic", "other"), ("text", "Здравствуйте"), ("purchase", "")];
    let reply = town.anna.send("/support/new", "request.create", &fields).await;
    let at = reply.location().split('?').next().expect("a path").to_owned();
    assert_eq!(
        town.anna.get(&at).await.status,
        StatusCode::OK,
        "{at}: {}",
        reply.text()
    );
    assert_eq!(town.boris.get(&at).await.status, StatusCode::NOT_FOUND, "{at}");
}

/// Each role that comes with the program at each page of staff.
#[tokio::test]
async fn s17_each_role_opens_the_pages_that_it_has_the_rights_to_and_no_other() {
    let town = Town::new().await;
    let mut pages = Vec::new();
    for route in of(Access::Staff) {
        pages.push((route.path, path(&town, route).await));
    }
    let roles = town.app.texts("SELECT code || ' ' || rights FROM roles").await;
    assert_eq!(roles.len(), Role::BUILT_IN.len());
    for role in roles {
        let (role, held) = role.split_once(' ').expect("a code and rights");
        let held: Vec<Right> = serde_json::from_str(held).expect("rights");
        let mut who = town.app.staff_as(&format!("some_{role}"), role).await;
        for (route, at) in &pages {
            let sets = opened_by(route);
            let is_for_them = sets.is_empty() || sets.iter().any(|set| set.iter().all(|right| held.contains(right)));
            let expected = match is_for_them {
                true => StatusCode::OK,
                false => StatusCode::FORBIDDEN,
            };
            assert_eq!(who.get(at).await.status, expected, "{role} at {at}");
        }
    }
}

/// A role opens what it has the rights for; the rest says that it is not for them, and does nothing.
#[tokio::test]
async fn s17_a_role_opens_only_what_it_has_rights_for() {
    let mut town = Town::new().await;
    let mut agent = town.app.staff_as("only_agent", "agent").await;
    assert_eq!(agent.get("/admin/requests").await.status, StatusCode::OK);
    assert_eq!(agent.get("/admin/customers").await.status, StatusCode::OK);
    // So that there is something to be sent again.
    town.app
        .execute("UPDATE outbox SET state = 'failed', redacted_at = NULL")
        .await;
    let before = town.app.everything(&["sessions"]).await;
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/admin/messages")) {
        let at = path(&town, route).await;
        let page = agent.get(&at).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{at}");
        for form in route.forms {
            let reply = agent.send(&at, form.name, &[]).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{} at {at}", form.name);
        }
    }
    assert!(!agent.get("/admin/requests").await.body.contains("/admin/messages"));
    assert_eq!(
        town.app.everything(&["sessions", "audit", "idempotency_keys"]).await,
        before
            .into_iter()
            .filter(|row| !row.starts_with("audit:") && !row.starts_with("idempotency_keys:"))
            .collect(),
        "nothing changed"
    );
    // Somebody with the right sees it.
    let messages = town.agent.get("/admin/messages").await;
    assert_eq!(messages.status, StatusCode::OK);
    // A role that is taken away closes at once.
    let account = crm::staff::store::by_login(&mut town.app.world.db.read().await.expect("conn"), "agent")
        .await
        .expect("read")
        .expect("there");
    let role = crm::staff::Role::new("agent");
    crm::staff::store::set_role(&town.app.world.db, &crate::common::BY, account.id, &role)
        .await
        .expect("changed");
    assert_eq!(
        town.agent.get("/admin/messages").await.location(),
        "/admin/sign-in?next=/admin/messages",
        "the session ended with the rights"
    );
}

/// What opens the pages of staff whose paths begin so: any one of these sets of rights, as a whole, and nothing less. Where there is
/// no set, everybody who works here: such pages are about whoever looks, or about nobody. Of two beginnings the longer one counts.
const OPENED_BY: &[(&str, &[&[Right]])] = &[
    ("/admin/security", &[]),
    ("/admin/confirm", &[]),
    ("/admin/view", &[]),
    ("/api/docs", &[]),
    ("/admin/approvals", &[&[Right::Points]]),
    ("/admin/articles", &[&[Right::Shops]]),
    // Who changes nothing of it reads it.
    (
        "/admin/articles/{id}",
        &[&[Right::Customers], &[Right::Requests], &[Right::Shops]],
    ),
    (
        "/admin/audience",
        &[&[Right::Customers, Right::Export], &[Right::Rules]],
    ),
    ("/admin/audit", &[&[Right::Audit]]),
    ("/admin/categories", &[&[Right::Shops]]),
    ("/admin/coupons", &[&[Right::Rules]]),
    ("/admin/customers", &[&[Right::Customers]]),
    ("/admin/customers/{id}/merge", &[&[Right::Customers, Right::Merge]]),
    (
        "/admin/customers/{id}/purchases/{purchase}/correct",
        &[&[Right::Customers, Right::Purchases]],
    ),
    ("/admin/dialogue", &[&[Right::Texts]]),
    ("/admin/duplicates", &[&[Right::Customers, Right::Merge]]),
    ("/admin/exports", &[&[Right::Export]]),
    (
        "/admin/find",
        &[&[Right::Customers], &[Right::Requests], &[Right::Shops]],
    ),
    ("/admin/fraud", &[&[Right::Fraud]]),
    ("/admin/help", &[&[Right::Help]]),
    ("/admin/help-parts", &[&[Right::Help]]),
    ("/admin/imports", &[&[Right::Import]]),
    (
        "/admin/inbox",
        &[
            &[Right::Customers],
            &[Right::Goodwill],
            &[Right::Points],
            &[Right::Requests],
            &[Right::Rules],
        ],
    ),
    ("/admin/keys", &[&[Right::Requests]]),
    ("/admin/levels", &[&[Right::Levels]]),
    ("/admin/macros", &[&[Right::Requests]]),
    ("/admin/messages", &[&[Right::Messages]]),
    ("/admin/partners", &[&[Right::Partners]]),
    ("/admin/programs", &[&[Right::Rules]]),
    ("/admin/promotions", &[&[Right::Rules]]),
    ("/admin/questions", &[&[Right::Questions]]),
    ("/admin/questionnaire", &[&[Right::Texts]]),
    ("/admin/queues", &[&[Right::Desk, Right::Requests]]),
    ("/admin/queues/{id}", &[&[Right::Desk]]),
    ("/admin/reports", &[&[Right::Reports]]),
    ("/admin/requests", &[&[Right::Requests]]),
    (
        "/admin/requests/{number}/files",
        &[&[Right::Documents, Right::Requests]],
    ),
    ("/admin/roles", &[&[Right::Staff]]),
    ("/admin/rules", &[&[Right::Rules]]),
    ("/admin/scripts", &[&[Right::Texts]]),
    ("/admin/segments", &[&[Right::Rules]]),
    ("/admin/staff", &[&[Right::Staff]]),
    ("/admin/stores", &[&[Right::Shops]]),
    ("/admin/tags", &[&[Right::Desk, Right::Requests]]),
    ("/admin/tasks", &[&[Right::Customers]]),
    ("/admin/texts", &[&[Right::Texts]]),
    ("/admin/tills", &[&[Right::Tills]]),
    ("/admin/webhooks", &[&[Right::Tills]]),
];

/// Forms that take a right besides those that open their page, any one of these.
const BESIDES: [(&str, &[Right]); 23] = [
    ("article.change", &[Right::Shops]),
    ("audience.keep", &[Right::Rules]),
    ("card.issue", &[Right::Cards]),
    ("card.stop", &[Right::Cards]),
    ("child.drop", &[Right::PersonalData]),
    ("contact.confirm", &[Right::Contacts]),
    ("contact.drop", &[Right::Contacts]),
    ("contact.enter_email", &[Right::Contacts]),
    ("contact.enter_phone", &[Right::Contacts]),
    ("customer.correct", &[Right::PersonalData]),
    ("customer.enter", &[Right::PersonalData]),
    ("erasure.begin", &[Right::PersonalData]),
    ("export.begin", &[Right::PersonalData]),
    ("fraud.stop", &[Right::Customers]),
    ("macro.change", &[Right::Macros]),
    ("merge.find", &[Right::Merge]),
    ("points.adjust", &[Right::Points, Right::Goodwill]),
    ("purchase.attach", &[Right::Purchases]),
    ("purchase.detach", &[Right::Purchases]),
    ("purchase.store", &[Right::Purchases]),
    ("questionnaire.note", &[Right::PersonalData]),
    ("request.take_down", &[Right::Requests]),
    ("view.begin", &[Right::ViewAs]),
];

fn opened_by(path: &str) -> &'static [&'static [Right]] {
    let is_below = |begins: &str| {
        let rest = path.strip_prefix(begins);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
    };
    let rows = OPENED_BY.iter().filter(|(begins, _)| is_below(begins));
    let row = rows.max_by_key(|(begins, _)| begins.len());
    row.unwrap_or_else(|| panic!("{path} needs a row in OPENED_BY")).1
}

fn all_but(gone: &[Right]) -> Vec<Right> {
    Right::ALL.into_iter().filter(|right| !gone.contains(right)).collect()
}

/// Somebody whose role lets them do nothing, until [`let_do`] says what.
async fn tried(app: &TestApp) -> Browser {
    app.execute(
        "INSERT INTO roles (code, name, rights, position) \
         VALUES ('tried', '{\"ru\": \"П\", \"en\": \"T\"}', '[]', 8)",
    )
    .await;
    app.staff_as("tried", "tried").await
}

/// What the role of [`tried`] lets them do from the next page on.
async fn let_do(app: &TestApp, rights: &[Right]) {
    let rights = serde_json::to_string(rights).expect("rights");
    app.run("UPDATE roles SET rights = $1 WHERE code = 'tried'", &rights)
        .await;
}

/// Rights that are about customers, so that pages of theirs may say who somebody is.
const ABOUT_CUSTOMERS: [Right; 7] = [
    Right::Audit,
    Right::Customers,
    Right::Fraud,
    Right::Messages,
    Right::Points,
    Right::Questions,
    Right::Requests,
];

/// Every page and every file of staff × {nothing but its rights, every right but one of them, no right}. What opens by rights that
/// are not about customers names none.
#[tokio::test]
async fn s17_s18_each_page_of_staff_opens_by_its_own_rights_and_by_no_others() {
    let town = Town::new().await;
    let mut who = tried(&town.app).await;
    let shown = crm::contact::show_phone(&town.anna.phone);
    let annas = [
        town.anna.phone.clone(),
        // As a page's text has it, with plain spaces.
        shown.split_whitespace().collect::<Vec<_>>().join(" "),
        "anna@example.com".to_owned(),
        "Лебедева".to_owned(),
    ];
    for route in of(Access::Staff) {
        let at = path(&town, route).await;
        let sets = opened_by(route.path);
        let mut tries: Vec<(Vec<Right>, StatusCode)> = sets.iter().map(|set| (set.to_vec(), StatusCode::OK)).collect();
        match sets {
            [] => tries.push((Vec::new(), StatusCode::OK)),
            [set] => tries.extend(set.iter().map(|right| (all_but(&[*right]), StatusCode::FORBIDDEN))),
            _ => tries.push((all_but(&sets.concat()), StatusCode::FORBIDDEN)),
        }
        if !sets.is_empty() {
            tries.push((Vec::new(), StatusCode::FORBIDDEN));
        }
        for (rights, expected) in tries {
            let_do(&town.app, &rights).await;
            let reply = who.get(&at).await;
            assert_eq!(reply.status, expected, "{at} with {rights:?}: {}", reply.text());
            if !rights.iter().any(|right| ABOUT_CUSTOMERS.contains(right)) {
                let text = reply.text();
                assert!(!annas.iter().any(|mark| text.contains(mark.as_str())), "{at}: {text}");
            }
        }
    }
    for (begins, _) in OPENED_BY {
        assert!(
            of(Access::Staff).any(|route| route.path.starts_with(begins)),
            "{begins}"
        );
    }
}

/// Every form of staff as an administrator's page shows it, as it stands and filled in: sent by somebody whose role lets them do
/// nothing; and where it takes a right besides those of its page, by somebody who has all but that one.
#[tokio::test]
async fn s17_no_form_of_staff_works_without_its_right() {
    let mut town = Town::new().await;
    let mut who = tried(&town.app).await;
    let mut sent = Vec::new();
    for route in of(Access::Staff).filter(|route| !opened_by(route.path).is_empty()) {
        let at = path(&town, route).await;
        for form in forms(&town.agent.get(&at).await.body) {
            // The page has others too: that of its frame, and those of every page.
            if !route.forms.iter().any(|entry| entry.name == form.name) {
                continue;
            }
            let form = match form.buttons.first().cloned() {
                Some((name, value)) => form.with(&name, &value),
                None => form,
            };
            let mut filled = form.clone();
            for (name, value) in filled.fields.iter_mut().filter(|(_, value)| value.is_empty()) {
                *value = match name.as_str() {
                    "key" => "added".into(),
                    "points" => "5".into(),
                    _ => "Здравствуйте".into(),
                };
            }
            sent.extend([form, filled].map(|form| (at.clone(), form)));
        }
    }
    let besides = |name: &str| {
        BESIDES
            .iter()
            .find(|(form, _)| *form == name)
            .map(|(_, rights)| *rights)
    };
    // A look at a customer is written down, whatever becomes of the form, and the role is what is tried here.
    let but = ["audit", "roles", "sessions"];
    let before = town.app.everything(&but).await;
    let mut names = BTreeSet::new();
    for (at, form) in sent {
        let name = form.name.clone();
        let keyed = || form.clone().with("_key", Token::random().secret());
        let_do(&town.app, &[]).await;
        let reply = who.submit(&at, &keyed()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{name} at {at}: {}", reply.text());
        if let Some(rights) = besides(&name) {
            let_do(&town.app, &all_but(rights)).await;
            let reply = who.submit(&at, &keyed()).await;
            assert!(reply.status.is_client_error(), "{name} at {at}: {}", reply.status);
        }
        names.insert(name);
    }
    let after = town.app.everything(&but).await;
    let changed: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert!(names.len() >= 60, "only {names:?}");
    for (name, _) in BESIDES {
        assert!(names.contains(name), "no page shows {name}");
    }
}

/// What cannot be read as an id, and ids of nothing, are pages that do not exist.
#[tokio::test]
async fn s17_a_made_up_id_is_a_page_that_does_not_exist() {
    let mut town = Town::new().await;
    let mut anybody = town.app.anybody();
    const MADE_UP: [&str; 8] = [
        "x",
        "0",
        "-1",
        "99999999999999999999",
        "00000000-0000-0000-0000-000000000000",
        "%00",
        "%D0%BF",
        "'%20OR%201=1",
    ];
    for route in ROUTES.iter().filter(|route| route.path.contains('{')) {
        // Each of the parts that vary is made up in turn, the others stay as they are.
        let real = path(&town, route).await;
        let parts: Vec<&str> = route.path.split('/').collect();
        for varies in (0..parts.len()).filter(|i| parts[*i].starts_with('{')) {
            for id in MADE_UP {
                let mut at: Vec<&str> = real.split('/').collect();
                at[varies] = id;
                let at = at.join("/");
                let who: &mut Browser = match route.access {
                    Access::Staff => &mut town.agent,
                    // Who is signed in is led home.
                    Access::SignedOut => &mut anybody,
                    _ => &mut town.anna,
                };
                assert_eq!(who.get(&at).await.status, StatusCode::NOT_FOUND, "{at}");
            }
        }
    }
}

/// Every form of every page that is for somebody, sent by somebody else.
#[tokio::test]
async fn s17_no_form_works_for_whom_its_page_is_not() {
    let mut town = Town::new().await;
    let mut anybody = town.app.anybody();
    let before = town.app.everything(&[]).await;
    for route in ROUTES {
        let at = path(&town, route).await;
        for form in route.forms {
            let key = Token::random();
            let sent = body(form.name, key.secret(), &[]).into_bytes();
            let send = async |who: &mut Browser| who.request(Method::POST, &at, &SAME_SITE, sent.clone()).await;
            match route.access {
                Access::Customer => {
                    assert_sent_to_sign_in(&send(&mut anybody).await, "/sign-in");
                    assert_sent_to_sign_in(&send(&mut town.agent).await, "/sign-in");
                }
                Access::Staff => {
                    assert_sent_to_sign_in(&send(&mut anybody).await, "/admin/sign-in");
                    assert_sent_to_sign_in(&send(&mut town.anna).await, "/admin/sign-in");
                }
                // Without a phone, a code, an attempt: refused, whoever asks.
                Access::SignedOut | Access::Public | Access::Demonstration => {
                    let reply = send(&mut anybody).await;
                    assert!(
                        reply.status.is_client_error(),
                        "{} at {at}: {}",
                        form.name,
                        reply.status
                    );
                }
            }
        }
    }
    assert_eq!(town.app.everything(&[]).await, before, "nothing changed");
    assert!(anybody.cookies.is_empty(), "{:?}", anybody.cookies);
}

/// Anna's forms as her pages show them, sent word for word by Boris: wherever they name a thing of hers, in the
/// address or in a field, they are refused.
#[tokio::test]
async fn s17_nobody_changes_what_is_somebody_elses() {
    let mut town = Town::new().await;
    let mut tried = BTreeSet::new();
    for route in of(Access::Customer) {
        let at = path(&town, route).await;
        for form in forms(&town.anna.get(&at).await.body) {
            // Without a button of its own a form is sent as it stands.
            let mut sent = vec![form.fields.clone()];
            sent.extend(
                form.buttons
                    .iter()
                    .map(|button| [form.fields.clone(), vec![button.clone()]].concat()),
            );
            if !form.buttons.is_empty() {
                sent.remove(0);
            }
            for mut fields in sent {
                let is_id = |value: &str| value.parse::<uuid::Uuid>().is_ok();
                let names_hers = fields
                    .iter()
                    .any(|(name, value)| form.about.contains(name) && is_id(value));
                let is_everywhere = app::EVERYWHERE.iter().any(|f| f.name == form.name);
                if is_everywhere || !(names_hers || Town::is_annas(route.path)) {
                    continue;
                }
                for (name, value) in &mut fields {
                    if name == "_key" {
                        *value = Token::random().secret().to_owned();
                    }
                    // A text that would be taken.
                    if value.is_empty() {
                        *value = "Здравствуйте".into();
                    }
                }
                let before = town.app.everything(&[]).await;
                let reply = town
                    .boris
                    .request(Method::POST, &at, &SAME_SITE, encode(&fields).into_bytes())
                    .await;
                let refused = [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&reply.status);
                assert!(refused, "{} at {at}: {} {}", form.name, reply.status, reply.text());
                assert_eq!(town.app.everything(&[]).await, before, "{} changed nothing", form.name);
                tried.insert(form.name.clone());
            }
        }
    }
    let tried: Vec<&str> = tried.iter().map(String::as_str).collect();
    assert_eq!(
        tried, NAME_HERS,
        "forms of her pages that name a thing of hers, and those of the table"
    );
}

/// The forms of Anna's pages that name a thing of hers: one that names it no more is tried no more, and one that is new has to be
/// refused to others as well.
const NAME_HERS: [&str; 9] = [
    "card.block",
    "child.remove",
    "confirm.send",
    "contact.remove",
    "contact.verify",
    "device.end",
    "purchase.purpose",
    "request.answer",
    "request.close",
];
