//! What tests of purchases and points begin with.

/// Customers, staff and what stands around them.
pub(crate) mod people;
/// Requests.
pub(crate) mod requests;

use chrono::{DateTime, Duration, Utc};
use crm::article::store as articles;
use crm::db::Db;
use crm::id::{CustomerId, MembershipId, ProgramId, PurchaseId, StoreId};
use crm::points::store::{SpendError, spending};
use crm::points::{Reservation, Wish};
use crm::purchase::store as purchases;
use crm::purchase::{Booked, Kind, NewLine, NewPurchase, Original, Way};
use crm::rule::{Channel, Payment};
use crm::testing::World;
use crm::who::{Subject, System};
use crm::{on, points};
use std::collections::BTreeMap;

pub(crate) const BY: System = System::at_the_command_line();

/// A database with the shop's content.
pub(crate) async fn ready(world: &World) -> &Db {
    crm::content::load(&world.db, &BY).await.expect("content loads");
    &world.db
}

/// Runs one statement of a test.
macro_rules! execute {
    ($db:expr, $sql:expr $(, $bind:expr)*) => {
        $db.write(|tx| crm::db::scoped(async move {
            let rows = crm::on!(tx, |c| sqlx::query($sql)$(.bind($bind))*.execute(c).await.map(|r| r.rows_affected()))?;
            Ok::<u64, crm::Error>(rows)
        }))
    };
}
#[allow(unused_imports, reason = "some of it is for one test only")]
pub(crate) use execute;

/// A customer without any membership.
pub(crate) async fn customer(db: &Db) -> Subject {
    const SQL: &str = "INSERT INTO customers (id, name, surname, search, language, source, registered_at, updated_at) \
                       VALUES ($1, 'Анна', 'К', 'к анна', 'ru', 'web', $2, $2)";
    let id = CustomerId::new();
    execute!(db, SQL, id, db.now()).await.expect("a customer");
    BY.subject(id)
}

pub(crate) async fn program(db: &Db, code: &str) -> ProgramId {
    let mut conn = db.read().await.expect("a connection");
    on!(conn, |c| sqlx::query_scalar("SELECT id FROM programs WHERE code = $1")
        .bind(code)
        .fetch_one(c)
        .await)
    .expect("the program is there")
}

pub(crate) async fn join(db: &Db, who: Subject, code: &str, at: DateTime<Utc>) {
    const SQL: &str = "INSERT INTO memberships (id, program_id, customer_id, terms_version, joined_at) \
                       VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING";
    let program = program(db, code).await;
    execute!(db, SQL, MembershipId::new(), program, who.id(), at)
        .await
        .expect("joined");
}

pub(crate) async fn leave(db: &Db, who: Subject, code: &str, at: DateTime<Utc>) {
    const SQL: &str =
        "UPDATE memberships SET left_at = $3 WHERE program_id = $1 AND customer_id = $2 AND left_at IS NULL";
    let program = program(db, code).await;
    execute!(db, SQL, program, who.id(), at).await.expect("left");
}

pub(crate) async fn store(db: &Db, code: &str) -> StoreId {
    const SQL: &str = "INSERT INTO stores (id, code, name, town, address, hours) VALUES ($1, $2, $3, $3, $3, $4)";
    let id = StoreId::new();
    let name = sqlx::types::Json(crm::lang::Localized {
        ru: format!("Магазин {code}"),
        en: format!("Shop {code}"),
    });
    let hours = sqlx::types::Json(Vec::<i64>::new());
    let (name, hours) = (&name, &hours);
    execute!(db, SQL, id, code, name, hours).await.expect("a store");
    id
}

/// A receipt, built like a sentence.
#[derive(Clone)]
pub(crate) struct Slip {
    pub(crate) document: String,
    pub(crate) who: Option<Subject>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) store: Option<StoreId>,
    /// Article, quantity, price, discount, original.
    pub(crate) lines: Vec<(String, i64, i64, i64, Original)>,
    /// Of the discount of each line: what rules took off.
    pub(crate) rule_discount: i64,
    pub(crate) way: Way,
}

pub(crate) fn slip(document: &str, who: Subject, at: DateTime<Utc>) -> Slip {
    Slip {
        document: document.into(),
        who: Some(who),
        at,
        store: None,
        lines: Vec::new(),
        rule_discount: 0,
        way: Way::default(),
    }
}

impl Slip {
    pub(crate) fn line(mut self, article: &str, quantity: i64, price: i64) -> Self {
        let original = if quantity < 0 { Original::Latest } else { Original::None };
        self.lines.push((article.into(), quantity, price, 0, original));
        self
    }

    /// The till took something off the last line, all of it because of rules.
    pub(crate) fn off_by_rules(mut self, discount: i64) -> Self {
        self.lines.last_mut().expect("a line").3 = discount;
        self.rule_discount = discount;
        self
    }

    pub(crate) fn of(mut self, document: &str) -> Self {
        self.lines.last_mut().expect("a line").4 = Original::Document(document.into());
        self
    }

    /// The last line brings back a line of a receipt, and no other.
    pub(crate) fn of_line(mut self, document: &str, ordinal: i64) -> Self {
        self.lines.last_mut().expect("a line").4 = Original::Line {
            document: document.into(),
            ordinal,
        };
        self
    }

    pub(crate) fn nobody(mut self) -> Self {
        self.who = None;
        self
    }

    /// How it was bought and paid.
    pub(crate) fn by(mut self, channel: Channel, payments: &[Payment]) -> Self {
        self.way = Way::new(Some(channel), payments);
        self
    }

    pub(crate) fn at_store(mut self, store: StoreId) -> Self {
        self.store = Some(store);
        self
    }

    pub(crate) async fn book(&self, db: &Db) -> Booked {
        book(db, std::slice::from_ref(self)).await.remove(0)
    }

    pub(crate) async fn try_book(&self, db: &Db) -> Result<Booked, crm::Error> {
        try_book(db, std::slice::from_ref(self))
            .await
            .map(|mut booked| booked.remove(0))
    }
}

/// Books receipts in one transaction.
pub(crate) async fn book(db: &Db, slips: &[Slip]) -> Vec<Booked> {
    try_book(db, slips).await.expect("booked")
}

pub(crate) async fn try_book(db: &Db, slips: &[Slip]) -> Result<Vec<Booked>, crm::Error> {
    db.write(|tx| {
        crm::db::scoped(async move {
            let codes: BTreeMap<&str, Option<&str>> = slips
                .iter()
                .flat_map(|s| &s.lines)
                .map(|line| (line.0.as_str(), Some(line.0.as_str())))
                .collect();
            let ids = articles::ensure(tx, &BY, &codes).await?;
            let new: Vec<NewPurchase> = slips
                .iter()
                .map(|s| NewPurchase {
                    source: "till".into(),
                    document: s.document.clone(),
                    kind: if s.lines.iter().all(|line| line.1 < 0) {
                        Kind::Return
                    } else {
                        Kind::Sale
                    },
                    customer: s.who.map(|who| who.id()),
                    store: s.store,
                    at: s.at,
                    way: s.way.clone(),
                    points_used: 0,
                    lines: (1..)
                        .zip(&s.lines)
                        .map(|(ordinal, (article, quantity, price, discount, original))| NewLine {
                            ordinal,
                            article: ids[article],
                            quantity: *quantity,
                            price: *price,
                            discount: *discount,
                            rule_discount: s.rule_discount.min(*discount),
                            original: original.clone(),
                        })
                        .collect(),
                    coupons: Vec::new(),
                })
                .collect();
            purchases::book(tx, &BY, &new).await
        })
    })
    .await
}

/// Reserves points under a key.
pub(crate) async fn reserve(
    db: &Db,
    who: Subject,
    program: ProgramId,
    key: &str,
    points: i64,
) -> Result<Reservation, SpendError> {
    let wish = Wish {
        source: "till".into(),
        key: key.into(),
        program,
        points,
    };
    spending::reserve(db, &BY, who, &wish).await
}

/// Spends points without a receipt, as many as there are.
pub(crate) async fn spend(db: &Db, who: Subject, program: ProgramId, points: i64) {
    let key = uuid::Uuid::now_v7().to_string();
    let held = match reserve(db, who, program, &key, points).await {
        Err(SpendError::NotEnough { missing }) if missing < points => {
            reserve(db, who, program, &key, points - missing).await
        }
        Err(SpendError::NotEnough { .. }) => return,
        held => held,
    }
    .expect("reserved");
    spending::capture(db, &BY, who, held.id, held.points, None)
        .await
        .expect("captured");
}

pub(crate) async fn balance(db: &Db, who: Subject) -> points::Balance {
    points::store::balance(&mut db.read().await.expect("a connection"), who)
        .await
        .expect("a balance")
}

/// Active and pending points.
pub(crate) async fn held(db: &Db, who: Subject) -> (i64, i64) {
    let balance = balance(db, who).await;
    (balance.active, balance.pending)
}

/// Does the daily work at a moment.
pub(crate) async fn run_due(world: &World, at: DateTime<Utc>) -> points::Report {
    world.clock.set(at);
    points::store::run_due(&world.db, &BY)
        .await
        .expect("the daily work is done")
}

pub(crate) async fn assert_books_agree(db: &Db) {
    assert_eq!(points::store::verify(db, &BY).await.expect("compared"), []);
    assert_eq!(purchases::verify(db, &BY).await.expect("compared"), []);
    assert_eq!(crm::rule::tier::store::verify(db, &BY).await.expect("compared"), []);
}

pub(crate) async fn receipt(db: &Db, who: Subject, id: PurchaseId) -> crm::purchase::Receipt {
    purchases::receipt(&mut db.read().await.expect("a connection"), who, id)
        .await
        .expect("a receipt")
}

pub(crate) fn days(n: i64) -> Duration {
    Duration::days(n)
}

/// The same database, with other rules for points.
pub(crate) async fn with_policy(world: &World, policy: points::Policy) -> Db {
    let shop = crm::shop::Shop {
        points: policy,
        ..(**world.db.shop()).clone()
    };
    Db::open(&world.url, shop, world.clock.clone()).await.expect("it opens")
}

/// Lets a customer earn points of the family program, which can be spent at once and last for 90 days. They are
/// no member afterwards, so that nothing else earns in it.
pub(crate) async fn fund(db: &Db, who: Subject, points: i64, at: DateTime<Utc>) {
    join(db, who, "family", at).await;
    slip(&CustomerId::new().to_string(), who, at)
        .line("gift", 1, points * 50)
        .book(db)
        .await;
    const LEAVE: &str = "DELETE FROM memberships WHERE program_id = $1 AND customer_id = $2";
    let family = program(db, "family").await;
    execute!(db, LEAVE, family, who.id()).await.expect("left");
}

/// What is left in a customer's lots, and when it expires: program by program, what expires first first.
pub(crate) async fn lots(db: &Db, who: Subject) -> Vec<(i64, DateTime<Utc>)> {
    const SQL: &str = "SELECT remaining, expires_at FROM lots WHERE customer_id = $1 AND remaining > 0 \
                       ORDER BY program_id, expires_at, id";
    let mut conn = db.read().await.expect("a connection");
    on!(conn, |c| sqlx::query_as(SQL).bind(who.id()).fetch_all(c).await).expect("lots")
}

/// The proof of a customer who has just proved who they are.
pub(crate) async fn sign_in(db: &Db, who: Subject) -> crm::who::Customer {
    const SQL: &str = "INSERT INTO sessions (id, token_hash, customer_id, device, network, created_at, seen_at, expires_at, \
                       authenticated_at) VALUES ($1, $2, $3, '', '', $4, $4, $5, $4)";
    let token = crm::who::Token::random();
    let (hash, now) = (&token.hash(), db.now());
    execute!(db, SQL, crm::id::SessionId::new(), hash, who.id(), now, now + days(1))
        .await
        .expect("a session");
    crm::who::customer(db, &token, &crm::who::Visitor::default())
        .await
        .expect("no error")
        .expect("signed in")
}

/// Gives a customer a card; its number.
pub(crate) async fn card(db: &Db, who: Subject, state: &str) -> String {
    const SQL: &str =
        "INSERT INTO cards (id, number, kind, state, customer_id, issued_at) VALUES ($1, $2, 'virtual', $3, $4, $5)";
    let id = crm::id::CardId::new();
    let twelve = format!("290{:09}", id.0.as_u128() % 1_000_000_000);
    let number = format!("{twelve}{}", crm::card::check_digit(&twelve).expect("twelve digits"));
    let text = number.as_str();
    execute!(db, SQL, id, text, state, who.id(), db.now())
        .await
        .expect("a card");
    number
}
