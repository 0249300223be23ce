//! Customers, staff and what stands around them, written straight into the tables.

use chrono::{DateTime, Utc};
use crm::contact::Kind;
use crm::id::{ContactId, CustomerId, ProgramId, PurchaseId, SessionId, TopicId};
use crm::lang::{Lang, Localized, fold};
use crm::staff::store as staff_store;
use crm::staff::{NewStaff, Role};
use crm::testing::World;
use crm::who::{self, Customer, Staff, System, Token, Visitor};
use sqlx::types::Json;

/// The command line.
pub(crate) const SYSTEM: System = System::at_the_command_line();

/// Runs one statement: `sql!(world, "INSERT …", bind, bind)`.
macro_rules! sql {
    ($world:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        $world
            .db
            .write(|tx| crm::db::scoped(async move {
                crm::on!(tx, |c| sqlx::query($sql)$(.bind($bind))*.execute(c).await.map(drop))?;
                Ok::<_, crm::Error>(())
            }))
            .await
            .expect("the statement runs")
    };
}
pub(crate) use sql;

/// Reads one value: `one!(world, i64, "SELECT …", bind)`.
macro_rules! one {
    ($world:expr, $kind:ty, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let mut conn = $world.db.read().await.expect("a connection");
        let value: $kind = crm::on!(&mut conn, |c| sqlx::query_scalar($sql)$(.bind($bind))*.fetch_one(c).await)
            .expect("the query answers");
        value
    }};
}
pub(crate) use one;

pub(crate) fn text(text: &str) -> Localized {
    Localized {
        ru: format!("{text} по-русски"),
        en: text.into(),
    }
}

/// A customer's row.
pub(crate) async fn row(world: &World, name: &str, surname: &str) -> CustomerId {
    let id = CustomerId::new();
    sql!(
        world,
        "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, 'web', $6, $6)",
        id,
        name,
        surname,
        fold(&format!("{surname} {name}")),
        Lang::En,
        world.db.now(),
    );
    id
}

async fn session(world: &World, customer: Option<CustomerId>, staff: Option<crm::id::StaffId>) -> Token {
    let token = Token::random();
    let hash = &token.hash();
    let now = world.db.now();
    sql!(
        world,
        "INSERT INTO sessions (id, token_hash, customer_id, staff_id, device, network, created_at, seen_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'Firefox', '', $5, $5, $6)",
        SessionId::new(),
        hash,
        customer,
        staff,
        now,
        now + chrono::TimeDelta::days(1),
    );
    token
}

/// A customer who is signed in.
pub(crate) async fn customer(world: &World, name: &str, surname: &str) -> Customer {
    let id = row(world, name, surname).await;
    let token = session(world, Some(id), None).await;
    who::customer(&world.db, &token, &Visitor::default())
        .await
        .expect("no error")
        .expect("signed in")
}

/// A role with the rights in a JSON list; one that is there stays as it is.
pub(crate) async fn role(world: &World, code: &str, rights: &str) {
    let rights: serde_json::Value = serde_json::from_str(rights).expect("a list");
    let (name, rights) = (&Json(text(code)), &Json(rights));
    sql!(
        world,
        "INSERT INTO roles (code, name, rights, position) VALUES ($1, $2, $3, 1) ON CONFLICT (code) DO NOTHING",
        code,
        name,
        rights,
    );
}

/// A member of staff and the token of their session.
pub(crate) async fn staff_token(world: &World, login: &str) -> (Staff, Token) {
    role(world, Role::AGENT, r#"["requests", "customers", "messages"]"#).await;
    let new = NewStaff {
        login: login.into(),
        name: login.into(),
        role: Role::new(Role::AGENT),
        language: Lang::Ru,
        password_hash: "$argon2id$hash".into(),
    };
    let id = staff_store::create(&world.db, &SYSTEM, &new).await.expect("staff");
    let token = session(world, None, Some(id)).await;
    let visitor = Visitor {
        network: "192.0.2.7".into(),
        ..Visitor::default()
    };
    let staff = who::staff(&world.db, &token, &visitor)
        .await
        .expect("no error")
        .expect("signed in");
    (staff, token)
}

/// A member of staff who is signed in.
pub(crate) async fn staff(world: &World, login: &str) -> Staff {
    staff_token(world, login).await.0
}

/// Somebody who is staff already, signed in once more, moments ago.
pub(crate) async fn again(world: &World, id: crm::id::StaffId) -> Staff {
    let token = session(world, None, Some(id)).await;
    let now = world.db.now();
    sql!(
        world,
        "UPDATE sessions SET authenticated_at = $2 WHERE staff_id = $1",
        id,
        now
    );
    let staff = who::staff(&world.db, &token, &Visitor::default()).await;
    staff.expect("no error").expect("signed in")
}

/// Somebody who may write rules, moments after they came in.
pub(crate) async fn marketer(world: &World) -> Staff {
    moments_after(world, "mara", "Мара", Role::MARKETER).await
}

/// Somebody who may not, moments after they came in.
pub(crate) async fn agent(world: &World) -> Staff {
    moments_after(world, "agent", "Агния", Role::AGENT).await
}

/// The same by another login.
pub(crate) async fn agent_called(world: &World, login: &str) -> Staff {
    moments_after(world, &login.replace(' ', "-"), "Аглая", Role::AGENT).await
}

/// Somebody who may merge accounts, moments after they came in.
pub(crate) async fn lead(world: &World) -> Staff {
    let login = uuid::Uuid::now_v7().simple().to_string();
    moments_after(world, &login, "Лада", "lead").await
}

/// Somebody who may do everything, moments after they came in.
pub(crate) async fn administrator(world: &World) -> Staff {
    moments_after(world, "admin", "Ада", Role::ADMINISTRATOR).await
}

/// A member of staff with the rights of a role, moments after they came in.
pub(crate) async fn moments_after(world: &World, login: &str, name: &str, role: &str) -> Staff {
    let new = NewStaff {
        login: login.into(),
        name: name.into(),
        role: Role::new(role),
        language: Lang::Ru,
        password_hash: String::new(),
    };
    let id = staff_store::create(&world.db, &SYSTEM, &new).await.expect("employed");
    again(world, id).await
}

/// A primary contact.
pub(crate) async fn contact(world: &World, customer: CustomerId, kind: Kind, value: &str) {
    sql!(
        world,
        "INSERT INTO contacts (id, customer_id, kind, value, is_primary, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        ContactId::new(),
        customer,
        kind,
        value,
        true,
        world.db.now(),
    );
}

/// A topic of requests.
pub(crate) async fn topic(world: &World, code: &str, position: i64) -> TopicId {
    let id = TopicId::new();
    sql!(
        world,
        "INSERT INTO topics (id, code, version, name, position) VALUES ($1, $2, 1, $3, $4)",
        id,
        code,
        Json(text(code)),
        position,
    );
    id
}

/// A template of messages.
pub(crate) async fn template(world: &World, code: &str, version: i64, subject: &str, body: &str, at: DateTime<Utc>) {
    sql!(
        world,
        "INSERT INTO templates (code, version, subject, body, published_at) VALUES ($1, $2, $3, $4, $5)",
        code,
        version,
        Json(Localized {
            ru: format!("ru {subject}"),
            en: subject.into()
        }),
        Json(Localized {
            ru: format!("ru {body}"),
            en: body.into()
        }),
        at,
    );
}

/// A receipt without lines.
pub(crate) async fn purchase(
    world: &World,
    customer: CustomerId,
    kind: &str,
    at: DateTime<Utc>,
    total: i64,
) -> PurchaseId {
    let id = PurchaseId::new();
    sql!(
        world,
        "INSERT INTO purchases (id, source, document, kind, customer_id, at, line_count, total) \
         VALUES ($1, 'test', $2, $3, $4, $5, 0, $6)",
        id,
        id.to_string(),
        kind,
        customer,
        at,
        total,
    );
    id
}

/// A program.
pub(crate) async fn program(world: &World, code: &str) -> ProgramId {
    let id = ProgramId::new();
    sql!(
        world,
        "INSERT INTO programs (id, code, position, automatic) VALUES ($1, $2, 1, $3)",
        id,
        code,
        true
    );
    id
}

/// How many guesses were told to be wrong, and how many were refused because there had been too many.
pub(crate) fn guesses(told: &[Result<(), crm::error::Error>]) -> (usize, usize) {
    use crm::error::Error::{Invalid, TooMany};
    let wrong = told.iter().filter(|told| matches!(told, Err(Invalid(_)))).count();
    let refused = told.iter().filter(|told| matches!(told, Err(TooMany { .. }))).count();
    (wrong, refused)
}
