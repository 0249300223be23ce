//! The whole site in one process, over a database of its own, told like a sentence:
//! `TestApp::new().await.customer("Анна").await.with_purchase(…)`. People come in through the same forms as everybody,
//! with the code out of the outbox.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, reason = "a module of tests")]

pub(crate) mod html;

use app::cx::{Module, Scan, Site};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chrono::Duration;
use crm::db::scoped;
use crm::factor::totp::Secret;
use crm::id::PurchaseId;
use crm::purchase::{Kind, NewLine, NewPurchase, Original, Way};
use crm::staff::{NewStaff, Role};
use crm::testing::World;
use crm::who::{System, Token};
use html::Form;
use server::config::Config;
use server::outside::config::Provider;
use server::router::{self, App};
use sqlx::{Connection as _, Row as _};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tower::ServiceExt as _;

pub(crate) const BY: System = System::at_the_command_line();
/// The address that browsers see. With https, as in earnest, so that what only https may have is there.
pub(crate) const HOME: &str = "https://club.example.com";
/// A password that is good enough for everybody here.
pub(crate) const PASSWORD: &str = "пятьдесят лошадей у реки";

/// A module of WebAssembly with addresses as the build makes them.
fn module(name: &str) -> Module {
    Module {
        loader: format!("/pkg/{name}-loader.0.js"),
        js: format!("/pkg/{name}.0.js"),
        wasm: format!("/pkg/{name}.0.wasm"),
    }
}

/// The site.
#[derive(Clone)]
pub struct TestApp {
    pub world: Arc<World>,
    pub router: Router,
    /// What the router is made of, for a test that makes another one.
    pub app: App,
    /// Whether the server is about to stop.
    pub is_draining: Arc<AtomicBool>,
    people: Arc<AtomicU32>,
}

impl TestApp {
    /// With the shop's content and nobody in it.
    pub async fn new() -> Self {
        Self::build(false, |_| {}).await
    }

    /// The same, and somebody who bought a kettle there yesterday.
    pub async fn with_a_purchase() -> (Self, Customer) {
        let app = Self::new().await;
        let anna = app
            .customer("Анна")
            .await
            .with_purchase("A-1", "Чайник", 1_500_00)
            .await;
        (app, anna)
    }

    /// As a demonstration: the development inbox is there.
    pub async fn demonstration() -> Self {
        Self::build(true, |_| {}).await
    }

    /// With outside providers by which people may come in.
    pub async fn with_providers(providers: Vec<Provider>) -> Self {
        Self::build(false, |config| config.providers = providers).await
    }

    /// With another configuration.
    pub async fn build(is_demonstration: bool, configure: impl FnOnce(&mut Config)) -> Self {
        let config = Self::config(configure);
        let world = crm::testing::sqlite_of(config.shop()).await;
        Self::over(world, is_demonstration, config).await
    }

    /// Over a database on PostgreSQL, for what depends on how two at once wait for each other there. What looks into the
    /// database by itself (`count`, `everything`, `Customer::id`) knows SQLite alone.
    pub async fn on_postgres() -> Self {
        let config = Self::config(|_| {});
        let world = crm::testing::postgres_of(config.shop()).await;
        Self::over(world, false, config).await
    }

    fn config(configure: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config {
            public_url: HOME.into(),
            site_dir: "/nowhere".into(),
            ..Config::default()
        };
        // The clock stands still, so a test would be one minute of reading.
        config.limits.pages_per_session = 0;
        config.limits.pages_per_network = 0;
        configure(&mut config);
        config
    }

    async fn over(world: World, is_demonstration: bool, config: Config) -> Self {
        crm::content::load(&world.db, &BY).await.expect("content loads");
        let site = Site {
            css: "/pkg/kabinet.0.css".into(),
            theme: "/theme-165.css".into(),
            islands: module("kabinet"),
            rotating: module("rotating"),
            offline: "/pkg/offline.0.js".into(),
            live: "/pkg/live.0.js".into(),
            scan: Scan {
                js: "/pkg/scan.0.js".into(),
                decoder: "/pkg/jsqr.0.js".into(),
            },
            api: server::api::description(),
        };
        let app = App {
            db: world.db.clone(),
            config: Arc::new(config),
            site: Arc::new(site),
            is_demonstration,
            is_draining: Arc::default(),
            pace: Arc::default(),
        };
        Self {
            router: router::build(&app),
            is_draining: app.is_draining.clone(),
            app,
            world: Arc::new(world),
            people: Arc::default(),
        }
    }

    /// Somebody who is not signed in, from a network of their own.
    pub fn anybody(&self) -> Browser {
        let n = self.people.fetch_add(1, Ordering::Relaxed);
        let [_, a, b, c] = n.to_be_bytes();
        Browser {
            app: self.clone(),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            address: [10, a, b, c],
        }
    }

    /// A phone that nobody has yet.
    pub fn free_phone(&self) -> String {
        format!("+7900{:07}", 1_000_000 + self.people.fetch_add(1, Ordering::Relaxed))
    }

    /// A customer who has just registered, without a password.
    pub async fn customer(&self, name: &str) -> Customer {
        let phone = self.free_phone();
        let mut browser = self.anybody();
        browser.prove(&phone).await;
        let details = browser
            .send("/sign-in/details", "sign_in.details", &details(name))
            .await;
        details.assert_leads_to("/sign-in/review");
        let registered = browser.send("/sign-in/review", "sign_in.register", &[]).await;
        registered.assert_leads_to("/welcome?done=registered");
        Customer {
            browser,
            phone,
            name: name.to_owned(),
        }
    }

    /// A member of staff with every right who is signed in.
    pub async fn staff(&self, login: &str) -> Browser {
        let secret = self.employ(login).await;
        self.enter(login, &secret).await
    }

    /// A member of staff with the rights of a role who is signed in.
    pub async fn staff_as(&self, login: &str, role: &str) -> Browser {
        let id = self.employ_as(login, role).await;
        let secret = crm::factor::store::give_totp(&self.world.db, &BY, id)
            .await
            .expect("a second factor");
        self.enter(login, &secret).await
    }

    /// Signs in by password and code.
    pub async fn enter(&self, login: &str, secret: &Secret) -> Browser {
        let mut browser = self.anybody();
        let sent = [("login", login), ("password", PASSWORD)];
        let asked = browser.send("/admin/sign-in", "staff.sign_in", &sent).await;
        asked.assert_leads_to("/admin/sign-in/second");
        let code = secret.code(self.world.db.now());
        let reply = browser
            .send("/admin/sign-in/second", "staff.second", &[("code", &code)])
            .await;
        reply.assert_leads_to("/admin");
        browser
    }

    /// A member of staff with [`PASSWORD`] and the codes of an app.
    pub async fn employ(&self, login: &str) -> Secret {
        let id = self.employ_bare(login).await;
        crm::factor::store::give_totp(&self.world.db, &BY, id)
            .await
            .expect("a second factor")
    }

    /// A member of staff with [`PASSWORD`] and every right, and nothing else yet.
    pub async fn employ_bare(&self, login: &str) -> crm::id::StaffId {
        self.employ_as(login, Role::ADMINISTRATOR).await
    }

    /// The same with the rights of a role.
    pub async fn employ_as(&self, login: &str, role: &str) -> crm::id::StaffId {
        let password_hash = crm::signin::password::hash(PASSWORD).await.expect("hashed");
        let language = crm::lang::Lang::Ru;
        let new = NewStaff {
            login: login.into(),
            name: login.chars().filter(|c| c.is_alphabetic()).collect(),
            role: Role::new(role),
            language,
            password_hash,
        };
        crm::staff::store::create(&self.world.db, &BY, &new)
            .await
            .expect("employed")
    }

    /// The newest code to come in that went to a phone.
    pub async fn code(&self, phone: &str) -> String {
        self.code_of("sign_in_code", phone).await
    }

    /// The newest code of a template that went to a phone.
    pub async fn code_of(&self, template: &str, phone: &str) -> String {
        let messages = crm::outbox::inbox(&self.world.db, 100).await.expect("the outbox");
        let newest = messages
            .iter()
            .find(|m| m.address == phone && m.template == template)
            .expect("a code was sent");
        let digits = newest
            .body
            .split(|c: char| !c.is_ascii_digit())
            .find(|part| part.len() == 6);
        digits.expect("six digits").to_owned()
    }

    /// The id of the file that came last.
    pub async fn newest_file(&self) -> String {
        let id = "SELECT lower(hex(id)) FROM attachments ORDER BY id DESC LIMIT 1";
        self.text(id).await
    }

    /// The message that was written last.
    pub async fn newest_message(&self) -> crm::id::OutboxId {
        let messages = crm::outbox::inbox(&self.world.db, 1).await.expect("the outbox");
        messages.first().expect("a message was written").id
    }

    /// One figure from the database.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = self.connection().await;
        sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a figure")
    }

    /// One text from the database.
    pub async fn text(&self, sql: &'static str) -> String {
        let mut conn = self.connection().await;
        sqlx::query_scalar(sql).fetch_one(&mut conn).await.expect("a text")
    }

    /// A text of every row.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut conn = self.connection().await;
        sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect("texts")
    }

    /// There is a row of the log that says so.
    pub async fn assert_row(&self, action: &str) {
        let mut conn = self.connection().await;
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit WHERE action = $1")
            .bind(action)
            .fetch_one(&mut conn)
            .await
            .expect("a figure");
        assert!(rows > 0, "no row says {action}");
    }

    /// A statement that no door of the site offers.
    pub async fn execute(&self, sql: &'static str) {
        let mut conn = self.connection().await;
        sqlx::query(sql).execute(&mut conn).await.expect("done");
    }

    async fn connection(&self) -> sqlx::SqliteConnection {
        sqlx::SqliteConnection::connect(&self.world.url)
            .await
            .expect("the database")
    }

    /// A till; made when it is first asked for.
    pub async fn some_till(&self) -> crm::id::TillId {
        let mut conn = self.connection().await;
        let known: Option<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM tills ORDER BY id LIMIT 1")
            .fetch_optional(&mut conn)
            .await
            .expect("read");
        if let Some(id) = known {
            return crm::id::TillId(id);
        }
        let new = crm::till::NewTill {
            code: "tver-1".into(),
            name: "Касса у входа".into(),
            source: "pos".into(),
            store: None,
        };
        crm::till::store::create_by_system(&self.world.db, &BY, &new)
            .await
            .expect("a till")
    }

    /// A receiver of webhooks; made when it is first asked for.
    pub async fn some_webhook(&self) -> crm::id::WebhookId {
        const SQL: &str = "INSERT INTO webhooks (id, url, description, events, secret, created_at) \
            SELECT $1, 'https://erp.example.com/hooks', 'Склад', '[\"purchase.booked\"]', x'00', $2 \
            WHERE NOT EXISTS (SELECT 1 FROM webhooks)";
        crm::id::WebhookId(
            self.once(SQL, "SELECT id FROM webhooks ORDER BY id LIMIT 1", None)
                .await,
        )
    }

    /// A rule that was never published; made when it is first asked for.
    pub async fn some_rule(&self) -> crm::id::RuleId {
        const RULE: &str = "INSERT INTO rules (id, created_at) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM rules)";
        const DRAFT: &str = "INSERT INTO rule_versions (rule_id, version, state, definition, changed_at) \
            SELECT r.id, 1, 'draft', '{\"name\": {\"ru\": \"Чай\", \"en\": \"Tea\"}, \"conditions\": [\"first_purchase\"], \
            \"effects\": [{\"percent_off\": {\"share\": 500, \"each\": \"line\"}}]}', r.created_at FROM rules r \
            WHERE NOT EXISTS (SELECT 1 FROM rule_versions)";
        let mut conn = self.connection().await;
        sqlx::query(RULE)
            .bind(uuid::Uuid::now_v7())
            .bind(self.world.db.now())
            .execute(&mut conn)
            .await
            .expect("a rule");
        sqlx::query(DRAFT).execute(&mut conn).await.expect("its draft");
        let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM rules ORDER BY id LIMIT 1")
            .fetch_one(&mut conn)
            .await
            .expect("read");
        crm::id::RuleId(id)
    }

    /// The program that everybody is in.
    pub async fn club(&self) -> crm::id::ProgramId {
        let id = self
            .text("SELECT lower(hex(id)) FROM programs WHERE code = 'club'")
            .await;
        id.parse().expect("an id")
    }

    /// Publishes a rule by its JSON.
    pub async fn publish(&self, rule: serde_json::Value) -> crm::rule::RuleVersion {
        let rule = serde_json::from_value(rule).expect("a rule");
        crm::rule::store::publish_by_system(&self.world.db, &BY, None, &rule, None)
            .await
            .expect("published")
    }

    /// A shop; the first call writes it down.
    pub async fn some_store(&self) -> crm::id::StoreId {
        let name = |text: &str| crm::lang::Localized::new(text, text);
        let shop = &crm::stores::NewStore {
            code: "klin".into(),
            name: name("Клин"),
            town: name("Клин"),
            address: name("Гагарина, 1"),
            latitude: Some(56_339_000),
            longitude: Some(36_728_000),
            hours: crm::stores::Hours::try_from([Some([540, 1260]); 7]).expect("possible hours"),
            phone: None,
            region: None,
            time_zone: None,
            exceptions: None,
        };
        let written = self
            .world
            .db
            .write(|tx| crm::db::scoped(async move { crm::stores::store::put(tx, &BY, shop).await }));
        written.await.expect("a shop")
    }

    /// A promotion that holds for a week, carried out by no rule and to be switched on; the first call writes it down.
    pub async fn some_promotion(&self) -> crm::id::PromotionId {
        self.put_promotion("tea_week", &[], true).await
    }

    /// A promotion that holds for a week, carried out by these rules.
    pub async fn put_promotion(
        &self,
        code: &str,
        rules: &[crm::id::RuleId],
        must_activate: bool,
    ) -> crm::id::PromotionId {
        let text = |text: &str| crm::lang::Localized::new(text, text);
        let new = &crm::promotion::NewPromotion {
            code: code.into(),
            title: text("Неделя чая"),
            conditions: text("Чай дешевле на 10 %"),
            starts_at: crm::testing::start() - Duration::days(1),
            ends_at: crm::testing::start() + Duration::days(6),
            must_activate,
            stores: Vec::new(),
            rules: rules.to_vec(),
        };
        let written = self
            .world
            .db
            .write(|tx| scoped(async move { crm::promotion::store::put(tx, &BY, new).await }));
        written.await.expect("a promotion")
    }

    /// Writes a row down by a query that does nothing where there is one, and tells the id that `first` finds. Binds: a new id,
    /// whom it is about if it is about anybody, now.
    async fn once(&self, insert: &'static str, first: &'static str, about: Option<uuid::Uuid>) -> uuid::Uuid {
        let mut conn = self.connection().await;
        let mut query = sqlx::query(insert).bind(uuid::Uuid::now_v7());
        if let Some(about) = about {
            query = query.bind(about);
        }
        let query = query.bind(self.world.db.now());
        query.execute(&mut conn).await.expect("written");
        let id = sqlx::query_scalar(first).fetch_one(&mut conn).await;
        id.expect("read")
    }

    /// A series of coupons for whoever brings one; made when it is first asked for.
    pub async fn some_series(&self) -> crm::id::SeriesId {
        const SQL: &str = "INSERT INTO coupon_series (id, code, name, valid_days, uses, bearer, created_at) \
            SELECT $1, 'spring', '{\"ru\": \"Весна\", \"en\": \"Spring\"}', 30, 1, TRUE, $2 \
            WHERE NOT EXISTS (SELECT 1 FROM coupon_series)";
        crm::id::SeriesId(
            self.once(SQL, "SELECT id FROM coupon_series ORDER BY id LIMIT 1", None)
                .await,
        )
    }

    /// Somebody who works here and has never come in; written down when they are first asked for.
    pub async fn some_colleague(&self) -> crm::id::StaffId {
        const SQL: &str = "INSERT INTO staff (id, login, name, role, language, password_hash, created_at) \
            SELECT $1, 'colleague', 'Вера', 'agent', 'ru', '$none-of-vera', $2 \
            WHERE NOT EXISTS (SELECT 1 FROM staff WHERE login = 'colleague')";
        crm::id::StaffId(
            self.once(SQL, "SELECT id FROM staff WHERE login = 'colleague'", None)
                .await,
        )
    }

    /// A segment, likewise.
    pub async fn some_segment(&self) -> crm::id::SegmentId {
        const SQL: &str = "INSERT INTO segments (id, code, name, created_at) \
            SELECT $1, 'vip', '{\"ru\": \"Особые\", \"en\": \"Special\"}', $2 WHERE NOT EXISTS (SELECT 1 FROM segments)";
        crm::id::SegmentId(
            self.once(SQL, "SELECT id FROM segments ORDER BY id LIMIT 1", None)
                .await,
        )
    }

    /// A partner about whom customers are asked, likewise; with it come its purpose and the text.
    pub async fn some_partner(&self) -> crm::id::PartnerId {
        const PARTNER: &str = "INSERT INTO partners (id, code, name, is_active, created_at) \
            SELECT $1, 'plantain', '{\"ru\": \"Подорожник\", \"en\": \"Plantain\"}', TRUE, $2 \
            WHERE NOT EXISTS (SELECT 1 FROM partners)";
        const PURPOSE: &str = "INSERT INTO consent_purposes (id, code, required, asked_at, position, at_registration, partner_id) \
            SELECT $1, 'partner_plantain', FALSE, 'registration', 99, FALSE, r.id FROM partners r \
            WHERE $2 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM consent_purposes WHERE partner_id IS NOT NULL)";
        const TEXT: &str = "INSERT INTO consent_texts (id, purpose_id, version, title, body, partner, published_at) \
            SELECT $1, p.id, 1, '{\"ru\": \"Передача данных: Подорожник\", \"en\": \"Passing data on: Plantain\"}', \
            '{\"ru\": \"Номер карты, чтобы она работала и там.\", \"en\": \"The number of the card, so that it works there too.\"}', \
            '{\"ru\": \"Подорожник\", \"en\": \"Plantain\"}', $2 FROM consent_purposes p \
            WHERE p.partner_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM consent_texts WHERE partner IS NOT NULL)";
        let first = "SELECT id FROM partners ORDER BY id LIMIT 1";
        for sql in [PARTNER, PURPOSE] {
            self.once(sql, first, None).await;
        }
        crm::id::PartnerId(self.once(TEXT, first, None).await)
    }

    /// A queue that gives nothing in turn and allows everything; the first call writes it down.
    pub async fn some_queue(&self) -> crm::id::QueueId {
        const SQL: &str = "INSERT INTO queues (id, code, name, mode, steps, close_by, reopen_by, created_at) \
            SELECT $1, 'billing', '{\"ru\": \"Платежи\", \"en\": \"Billing\"}', 'by_hand', '[[\"new\", \"open\"], \
            [\"new\", \"waiting\"], [\"new\", \"closed\"], [\"open\", \"waiting\"], [\"open\", \"closed\"], \
            [\"waiting\", \"open\"], [\"waiting\", \"closed\"], [\"closed\", \"open\"], [\"closed\", \"waiting\"]]', \
            'anyone', 'anyone', $2 WHERE NOT EXISTS (SELECT 1 FROM queues)";
        crm::id::QueueId(self.once(SQL, "SELECT id FROM queues ORDER BY id LIMIT 1", None).await)
    }

    /// A macro of everybody's, likewise.
    pub async fn some_macro(&self) -> crm::id::MacroId {
        const SQL: &str = "INSERT INTO macros (id, code, name, answer, sends, status, changed_at, changed_by) \
            SELECT $1, 'thanks', 'Спасибо', '{\"ru\": \"Спасибо, {{customer.name}}!\", \"en\": \"Thank you, {{customer.name}}!\"}', \
            FALSE, 'waiting', $2, s.id FROM staff s WHERE NOT EXISTS (SELECT 1 FROM macros) ORDER BY s.id LIMIT 1";
        crm::id::MacroId(self.once(SQL, "SELECT id FROM macros ORDER BY id LIMIT 1", None).await)
    }

    /// A file that came in and waits for its columns, likewise.
    pub async fn some_import(&self) -> crm::id::ImportId {
        const SQL: &str = "INSERT INTO imports (id, staff_id, kind, name, language, columns, mapping, total, is_trial, state, \
            created_at) SELECT $1, s.id, 'cards', 'cards.csv', 'ru', '[\"number\"]', '{\"number\": 0}', 1, TRUE, 'ready', $2 \
            FROM staff s WHERE NOT EXISTS (SELECT 1 FROM imports) ORDER BY s.id LIMIT 1";
        crm::id::ImportId(self.once(SQL, "SELECT id FROM imports ORDER BY id LIMIT 1", None).await)
    }

    /// A question that is shown, with its answer; the first call has this customer ask it.
    pub async fn some_question(&self, by: crm::id::CustomerId) -> crm::id::QuestionId {
        const SQL: &str = "INSERT INTO questions (id, customer_id, topic_id, language, name, asked, body, search, state, answer, \
            asked_at, changed_at, published_at, answered_at) SELECT $1, $2, t.id, 'ru', '', 'Есть ли доставка?', \
            'Есть ли доставка?', 'есть ли доставка?', 'published', 'Пока нет', $3, $3, $3, $3 FROM topics t \
            WHERE t.code = 'other' AND NOT EXISTS (SELECT 1 FROM questions)";
        crm::id::QuestionId(
            self.once(SQL, "SELECT id FROM questions ORDER BY id LIMIT 1", Some(by.0))
                .await,
        )
    }

    /// A call of this customer; the first call writes it down, by whichever member of staff was employed first.
    pub async fn some_talk(&self, with: crm::id::CustomerId) -> crm::id::InteractionId {
        const SQL: &str = "INSERT INTO interactions (id, customer_id, staff_id, channel, script, version, outcome, note, \
            at, changed_at) SELECT $1, $2, s.id, 'call_in', 'free', 1, 'told', 'Спрашивала про баллы', $3, $3 FROM staff s \
            WHERE NOT EXISTS (SELECT 1 FROM interactions) ORDER BY s.id LIMIT 1";
        crm::id::InteractionId(
            self.once(SQL, "SELECT id FROM interactions ORDER BY id LIMIT 1", Some(with.0))
                .await,
        )
    }

    /// Something odd that was found of this customer, with a receipt that speaks for it; the first call writes it down.
    pub async fn some_alert(&self, of: crm::id::CustomerId) -> crm::id::FraudAlertId {
        const ALERT: &str = "INSERT INTO fraud_alerts (id, rule, mark, customer_id, state, measure, limits, found_at, \
            changed_at) SELECT $1, 'many_purchases', 'of a test', $2, 'open', 8, '{\"least\": 8, \"days\": 1, \"share\": 1}', \
            $3, $3 WHERE NOT EXISTS (SELECT 1 FROM fraud_alerts)";
        const EVIDENCE: &str = "INSERT INTO fraud_evidence (id, alert_id, kind, row_id, customer_id, at) \
            SELECT $1, a.id, 'purchase', p.id, p.customer_id, p.at FROM fraud_alerts a \
            JOIN purchases p ON p.customer_id = a.customer_id WHERE a.customer_id = $2 AND $3 IS NOT NULL \
            AND NOT EXISTS (SELECT 1 FROM fraud_evidence) ORDER BY p.id LIMIT 1";
        let id = self
            .once(ALERT, "SELECT id FROM fraud_alerts ORDER BY id LIMIT 1", Some(of.0))
            .await;
        self.once(
            EVIDENCE,
            "SELECT alert_id FROM fraud_evidence ORDER BY id LIMIT 1",
            Some(of.0),
        )
        .await;
        crm::id::FraudAlertId(id)
    }

    /// A category; the first call writes it down.
    pub async fn some_category(&self) -> crm::id::CategoryId {
        let name = &crm::lang::Localized::new("Посуда", "Dishes");
        let written = self
            .world
            .db
            .write(|tx| scoped(async move { crm::stores::store::put_category(tx, &BY, "dishes", name, 1).await }));
        written.await.expect("a category")
    }

    /// An article, likewise.
    pub async fn some_article(&self) -> crm::id::ArticleId {
        let names = &BTreeMap::from([("cup", Some("Чашка"))]);
        let written = self.world.db.write(|tx| {
            scoped(async move {
                let ids = crm::article::store::ensure(tx, &BY, names).await;
                ids.map_err(crm::Error::from)
            })
        });
        written.await.expect("an article")["cup"]
    }

    /// Runs one statement of a test.
    pub async fn run(&self, sql: &'static str, bind: &str) {
        let mut conn = self.connection().await;
        sqlx::query(sql).bind(bind).execute(&mut conn).await.expect("run");
    }

    /// Everything that the database holds, row by row, but for the tables named: to see that nothing changed.
    pub async fn everything(&self, but: &[&str]) -> BTreeSet<String> {
        let mut conn = self.connection().await;
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.expect("tables");
        let mut rows = BTreeSet::new();
        for table in tables.iter().filter(|table| !but.contains(&table.as_str())) {
            let columns = sqlx::query("SELECT name FROM pragma_table_info($1)")
                .bind(table)
                .fetch_all(&mut conn)
                .await;
            let columns: Vec<String> = columns
                .expect("columns")
                .iter()
                .map(|row| format!("quote(\"{}\")", row.get::<String, _>(0)))
                .collect();
            let sql = sqlx::AssertSqlSafe(format!("SELECT {} FROM \"{table}\"", columns.join(" || ' ' || ")));
            let found: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.expect("rows");
            rows.extend(found.into_iter().map(|row| format!("{table}: {row}")));
        }
        assert!(rows.len() > 10, "the shop's content at least is there");
        rows
    }
}

/// A good registration.
pub(crate) fn details(name: &str) -> Vec<(&str, &str)> {
    vec![
        ("name", name),
        ("surname", "Лебедева"),
        ("day", "3"),
        ("month", "5"),
        ("year", "1990"),
        ("email", ""),
        ("password", ""),
        ("consents[]", "personal_data"),
        ("consents[]", "loyalty_rules"),
    ]
}

/// A customer and their browser.
pub struct Customer {
    pub browser: Browser,
    pub phone: String,
    pub name: String,
}

impl Customer {
    fn app(&self) -> &TestApp {
        &self.browser.app
    }

    /// Has bought something yesterday.
    pub async fn with_purchase(self, document: &str, article: &str, price: i64) -> Self {
        self.book(document, article, 1, price).await;
        self
    }

    /// Has brought it back.
    pub async fn with_return(self, document: &str, article: &str, price: i64) -> Self {
        self.book(document, article, -1, price).await;
        self
    }

    async fn book(&self, document: &str, article: &str, quantity: i64, price: i64) -> PurchaseId {
        let db = &self.app().world.db;
        let customer = self.id().await;
        let booked = db
            .write(|tx| {
                scoped(async move {
                    let names = BTreeMap::from([(article, Some(article))]);
                    let articles = crm::article::store::ensure(tx, &BY, &names).await?;
                    let is_return = quantity < 0;
                    let line = NewLine {
                        ordinal: 1,
                        article: articles[article],
                        quantity,
                        price,
                        discount: 0,
                        rule_discount: 0,
                        original: if is_return { Original::Latest } else { Original::None },
                    };
                    let purchase = NewPurchase {
                        source: "till".into(),
                        document: document.into(),
                        kind: if is_return { Kind::Return } else { Kind::Sale },
                        customer: Some(customer),
                        store: None,
                        at: tx.now() - Duration::hours(if is_return { 1 } else { 24 }),
                        way: Way::default(),
                        points_used: 0,
                        lines: vec![line],
                        coupons: Vec::new(),
                    };
                    crm::purchase::store::book(tx, &BY, &[purchase]).await
                })
            })
            .await
            .expect("booked");
        booked[0].id
    }

    /// Their id.
    pub async fn id(&self) -> crm::id::CustomerId {
        let mut conn = self.app().connection().await;
        let sql = "SELECT customer_id FROM contacts WHERE kind = 'phone' AND value = $1";
        let id: uuid::Uuid = sqlx::query_scalar(sql)
            .bind(&self.phone)
            .fetch_one(&mut conn)
            .await
            .expect("the customer");
        id.to_string().parse().expect("an id")
    }
}

impl std::ops::Deref for Customer {
    type Target = Browser;
    fn deref(&self) -> &Browser {
        &self.browser
    }
}

impl std::ops::DerefMut for Customer {
    fn deref_mut(&mut self) -> &mut Browser {
        &mut self.browser
    }
}

/// A browser: keeps cookies, and says where its requests come from.
#[derive(Clone)]
pub struct Browser {
    pub app: TestApp,
    pub cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
    pub address: [u8; 4],
}

impl Browser {
    /// With a header on every request.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// At the machine that serves the site.
    pub fn at_home(mut self) -> Self {
        self.address = [127, 0, 0, 1];
        self.with("host", "localhost:3000")
    }

    /// Asks for a page. Where staff are asked why they open a customer's card, the customer calls.
    pub async fn get(&mut self, path: &str) -> Reply {
        let reply = self.first(path).await;
        if !reply.body.contains("id=\"customer-why\"") {
            return reply;
        }
        let told = self.send_at_once(path, "customer.why", &[("why", "call")]).await;
        assert_eq!(told.status, StatusCode::SEE_OTHER, "{}", told.text());
        self.first(path).await
    }

    /// Asks for a page, and takes what comes first.
    pub async fn first(&mut self, path: &str) -> Reply {
        self.request(Method::GET, path, &[], Vec::new()).await
    }

    /// Sends a form as our own page would, under a new key. Where it was not taken and the page asks why the card is opened, as
    /// it does of whoever has not looked at it before, the customer calls, and the form is sent again.
    pub async fn send(&mut self, path: &str, form: &str, fields: &[(&str, &str)]) -> Reply {
        let reply = self.send_at_once(path, form, fields).await;
        if form == "customer.why" || !reply.body.contains("id=\"customer-why\"") {
            return reply;
        }
        let told = self.send_at_once(path, "customer.why", &[("why", "call")]).await;
        assert_eq!(told.status, StatusCode::SEE_OTHER, "{}", told.text());
        self.send_at_once(path, form, fields).await
    }

    /// The same, and takes what comes first.
    pub async fn send_at_once(&mut self, path: &str, form: &str, fields: &[(&str, &str)]) -> Reply {
        self.send_keyed(path, form, Token::random().secret(), fields).await
    }

    /// The same, under a key.
    pub async fn send_keyed(&mut self, path: &str, form: &str, key: &str, fields: &[(&str, &str)]) -> Reply {
        self.request(Method::POST, path, &SAME_SITE, body(form, key, fields).into_bytes())
            .await
    }

    /// Sends a form as it was read from a page.
    pub async fn submit(&mut self, path: &str, form: &Form) -> Reply {
        self.request(Method::POST, path, &SAME_SITE, encode(&form.fields).into_bytes())
            .await
    }

    /// Sends a form with files as our own page would, under a new key.
    pub async fn upload(&mut self, path: &str, form: &str, fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Reply {
        let key = Token::random();
        self.upload_keyed(path, form, key.secret(), fields, files).await
    }

    /// The same, under a key.
    pub async fn upload_keyed(
        &mut self,
        path: &str,
        form: &str,
        key: &str,
        fields: &[(&str, &str)],
        files: &[(&str, &[u8])],
    ) -> Reply {
        let own = [("_fn", form), ("_key", key)];
        let fields: Vec<_> = own.iter().chain(fields).copied().collect();
        let files: Vec<_> = files.iter().map(|(name, bytes)| ("files", *name, *bytes)).collect();
        self.send_parts(path, parts(&fields, &files)).await
    }

    /// Sends a body of several parts.
    pub async fn send_parts(&mut self, path: &str, body: Vec<u8>) -> Reply {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [SAME_SITE[0], SAME_SITE[1], ("content-type", kind.as_str())];
        self.request(Method::POST, path, &headers, body).await
    }

    /// Any request at all. Cookies that come back are kept.
    pub async fn request(&mut self, method: Method, path: &str, headers: &[(&str, &str)], sent: Vec<u8>) -> Reply {
        let mut request = Request::builder().method(method.clone()).uri(path);
        if method != Method::GET && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in self
            .headers
            .iter()
            .map(|(n, v)| (*n, v.as_str()))
            .chain(headers.iter().copied())
        {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let peer = SocketAddr::from((self.address, 40_000));
        let request = request
            .extension(ConnectInfo(peer))
            .body(Body::from(sent))
            .expect("a request");
        let response = self.app.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all("set-cookie") {
            let line = line.to_str().expect("text");
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        // A stream does not end; `live.rs` reads it.
        let bytes = match kind {
            Some("text/event-stream") => Vec::new(),
            _ => to_bytes(body, usize::MAX).await.expect("a body").to_vec(),
        };
        let is_binary = kind
            .is_some_and(|kind| ["application/zip", "application/pdf"].contains(&kind) || kind.starts_with("image/"));
        let text = if is_binary { Vec::new() } else { bytes.clone() };
        Reply {
            path: path.to_owned(),
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(text).expect("UTF-8"),
            bytes,
        }
    }

    /// Looks for a customer as staff do; the address of what was found.
    pub async fn find(&mut self, text: &str) -> String {
        self.find_at("/admin/customers", text).await
    }

    /// The same, at the page of customers or at that of everything.
    pub async fn find_at(&mut self, path: &str, text: &str) -> String {
        let form = match path {
            "/admin/customers" => "customer.find",
            _ => "find",
        };
        let reply = self.send(path, form, &[("q", text)]).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
        reply.location().to_owned()
    }

    /// Asks for a code and types it in.
    pub async fn prove(&mut self, phone: &str) -> Reply {
        let asked = self.send("/sign-in", "sign_in.start", &[("phone", phone)]).await;
        asked.assert_leads_to("/sign-in/code");
        let code = self.app.code(phone).await;
        self.send("/sign-in/code", "sign_in.verify", &[("code", &code)]).await
    }
}

/// What a browser says of a form sent from our own page.
pub(crate) const SAME_SITE: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", HOME)];

/// A form's body.
pub(crate) fn body(form: &str, key: &str, fields: &[(&str, &str)]) -> String {
    let own = [("_fn", form), ("_key", key)];
    encode(own.iter().chain(fields))
}

/// What parts the parts of a body.
pub(crate) const BOUNDARY: &str = "----kabinet-boundary";

/// A body of several parts (RFC 7578): fields, then files with the name of their field and their own.
pub(crate) fn parts(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    for (field, name, bytes) in files {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// A picture, as far as anybody looks.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and what a picture holds";

pub(crate) fn encode<'a, N: AsRef<str> + 'a, V: AsRef<str> + 'a>(
    fields: impl IntoIterator<Item = &'a (N, V)>,
) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        body.append_pair(name.as_ref(), value.as_ref());
    }
    body.finish()
}

/// What a form sends, with some of it changed.
pub(crate) fn with<'a>(mut all: Vec<(&'a str, &'a str)>, changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    for (name, value) in changed {
        all.retain(|(other, _)| other != name);
        all.push((name, value));
    }
    all
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub path: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    /// What came, also where it is no text.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// A header's text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Where a redirect leads; empty when it is none.
    pub fn location(&self) -> &str {
        if self.status == StatusCode::SEE_OTHER {
            self.header("location")
        } else {
            ""
        }
    }

    /// It leads there; what it says where it does not is shown.
    #[track_caller]
    pub fn assert_leads_to(&self, address: &str) {
        assert_eq!(self.location(), address, "{}", self.text());
    }

    /// The words of the page.
    pub fn text(&self) -> String {
        html::text(&self.body)
    }

    /// It says so; what it says where it does not is shown.
    #[track_caller]
    pub fn assert_says(&self, words: &str) {
        let text = self.text();
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }

    /// The same with plain spaces.
    pub fn words(&self) -> String {
        self.text().replace('\u{a0}', " ")
    }

    /// The form of this name.
    pub fn form(&self, name: &str) -> Form {
        let found = html::forms(&self.body).into_iter().find(|form| form.name == name);
        found.unwrap_or_else(|| panic!("{} has a form {name}: {}", self.path, self.text()))
    }

    /// The message at a field, by the end of its id.
    pub fn message(&self, form: &str, field: &str) -> String {
        let id = format!("{}-{field}-message", form.replace('.', "-"));
        let at = self
            .body
            .find(&format!("id=\"{id}\""))
            .unwrap_or_else(|| panic!("{} has a field {field}", self.path));
        let end = self.body[at..].find("</p>").map_or(self.body.len(), |end| at + end);
        html::text(&format!("<p {}", &self.body[at..end]))
    }
}

/// A site with people who have something of everything.
pub struct Town {
    pub app: TestApp,
    /// Has a purchase, a request, a child, two phones and two e-mails, and is signed in on two devices.
    pub anna: Customer,
    /// Has a card and nothing else.
    pub boris: Customer,
    pub agent: Browser,
    pub purchase: String,
    pub request: String,
    /// One of the acts of consent of her registration.
    pub consent: String,
    /// The code by which Anna invites friends.
    pub invite: String,
}

impl Town {
    pub async fn new() -> Self {
        Self::of(TestApp::new().await).await
    }

    /// The same people at a site of another configuration.
    pub async fn of(app: TestApp) -> Self {
        let anna = app.customer("Анна").await;
        let consent = app.text("SELECT lower(hex(id)) FROM consents LIMIT 1").await;
        let boris = app.customer("Борис").await;
        let agent = app.staff("agent").await;
        let purchase = anna.book("A-1", "Чайник", 1, 250_000).await.to_string();
        app.some_till().await;
        app.some_webhook().await;
        app.some_rule().await;
        app.some_store().await;
        app.some_promotion().await;
        app.some_series().await;
        app.some_segment().await;
        app.some_partner().await;
        app.some_import().await;
        app.some_queue().await;
        app.some_macro().await;
        app.some_colleague().await;
        app.some_category().await;
        app.some_article().await;
        app.some_question(anna.id().await).await;
        app.some_talk(anna.id().await).await;
        app.some_alert(anna.id().await).await;
        let db = &app.world.db;
        let customer = anna.proof().await;
        let child = crm::customer::store::ChildForm {
            day: "5".into(),
            month: "6".into(),
            year: "2020".into(),
            agreed: true,
        };
        crm::customer::store::add_child(db, &customer, &child, crm::lang::Lang::Ru)
            .await
            .expect("a child");
        for (kind, value) in [
            (crm::contact::Kind::Phone, "+79005550001"),
            (crm::contact::Kind::Email, "anna@example.com"),
            (crm::contact::Kind::Email, "anna2@example.com"),
        ] {
            let fresh = customer.fresh(db).expect("just registered");
            crm::contact::store::add(db, &fresh, kind, value)
                .await
                .expect("a contact");
        }
        let topic = crm::request::store::topics(&mut db.read().await.expect("a connection"))
            .await
            .expect("topics")[0]
            .code
            .clone();
        let new = crm::request::NewRequest {
            topic,
            text: "Где мои баллы?".into(),
            purchase: purchase.clone(),
        };
        let photo = crm::request::Upload {
            name: "чек.png".into(),
            bytes: PNG.to_vec(),
        };
        let request = crm::request::store::create(db, &customer, &new, &[photo])
            .await
            .expect("a request")
            .to_string();
        crm::invite::store::begin(db, &customer).await.expect("a code");
        let invite = anna.invite_code().await.expect("she has one");
        let mut second = app.anybody();
        // The same phone may ask for another code after a while only.
        app.world.clock.set(crm::testing::start() + Duration::minutes(1));
        assert_eq!(second.prove(&anna.phone).await.location(), "/");
        Self {
            anna,
            boris,
            agent,
            purchase,
            request,
            consent,
            invite,
            app,
        }
    }

    /// The agent answers Anna's request.
    pub async fn answer(&mut self) {
        let at = format!("/admin/requests/{}", self.request);
        let seen = self.agent.get(&at).await.form("request.answer");
        let seen = seen.get("seen").expect("a field").to_owned();
        let sent = [("seen", seen.as_str()), ("text", "Они на месте")];
        let reply = self.agent.send(&at, "request.answer", &sent).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.text());
    }

    /// A route's path with what varies filled in from what is Anna's; `None` when nobody said what belongs there.
    pub async fn path(&self, route: &str) -> Option<String> {
        let mut path = route.to_owned();
        while let Some((before, rest)) = path.clone().split_once('{') {
            let (_, after) = rest.split_once('}')?;
            let value = match before {
                "/consents/" => "personal_data".to_owned(),
                "/help/" | "/admin/help/" => "lost-card".to_owned(),
                "/programs/" | "/admin/programs/" => "club".to_owned(),
                "/join/" => self.invite.clone(),
                "/profile/consents/" => self.consent.clone(),
                "/purchases/" => self.purchase.clone(),
                "/support/" | "/admin/requests/" => self.request.clone(),
                "/admin/customers/" => self.anna.id().await.to_string(),
                "/admin/staff/" => self.app.some_colleague().await.to_string(),
                "/admin/tills/" => self.app.some_till().await.to_string(),
                "/admin/scripts/" => "free".to_owned(),
                "/admin/questionnaire/" => "sex".to_owned(),
                "/admin/stores/" => self.app.some_store().await.to_string(),
                "/admin/categories/" => self.app.some_category().await.to_string(),
                "/admin/articles/" => self.app.some_article().await.to_string(),
                "/admin/promotions/" => self.app.some_promotion().await.to_string(),
                "/admin/coupons/" => self.app.some_series().await.to_string(),
                "/admin/reports/" => "purchases".to_owned(),
                "/admin/partners/" => self.app.some_partner().await.to_string(),
                "/admin/imports/" => self.app.some_import().await.to_string(),
                "/admin/segments/" => self.app.some_segment().await.to_string(),
                "/admin/queues/" => self.app.some_queue().await.to_string(),
                "/admin/fraud/" => self.app.some_alert(self.anna.id().await).await.to_string(),
                "/admin/macros/" => self.app.some_macro().await.to_string(),
                "/admin/rules/" => self.app.some_rule().await.to_string(),
                "/admin/webhooks/" => self.app.some_webhook().await.to_string(),
                "/questions/" | "/admin/questions/" => self.app.some_question(self.anna.id().await).await.to_string(),
                "/admin/texts/" => "template".to_owned(),
                "/admin/texts/template/" => "welcome".to_owned(),
                "/admin/messages/" => self.app.newest_message().await.to_string(),
                "/second-step/" => format!("{}_{}", uuid::Uuid::nil(), "0".repeat(64)),
                "/number-change/" | "/admin/join/" => "A".repeat(43),
                in_customer if in_customer.ends_with("/purchases/") => self.purchase.clone(),
                in_customer if in_customer.ends_with("/talks/") => {
                    self.app.some_talk(self.anna.id().await).await.to_string()
                }
                in_customer if in_customer.ends_with("/merge/") => self.boris.id().await.to_string(),
                in_request if in_request.ends_with("/files/") => self.app.newest_file().await,
                _ => return None,
            };
            path = format!("{before}{value}{after}");
        }
        Some(path)
    }

    /// Pages that show what is Anna's alone.
    pub fn is_annas(route: &str) -> bool {
        ["/purchases/{", "/profile/consents/{", "/support/{"]
            .iter()
            .any(|begins| route.starts_with(begins))
    }
}

impl Customer {
    /// The code by which they invite friends, once they have one.
    pub async fn invite_code(&self) -> Option<String> {
        let mut conn = self.app.world.db.read().await.expect("a connection");
        crm::invite::store::code_of(&mut conn, self.proof().await.me())
            .await
            .expect("read")
    }

    /// What the CRM takes for a proof of who they are.
    pub async fn proof(&self) -> crm::who::Customer {
        let token = Token::received(&self.cookies["__Host-kabinet"]);
        let visitor = crm::who::Visitor::default();
        crm::who::customer(&self.app.world.db, &token, &visitor)
            .await
            .expect("the database")
            .expect("signed in")
    }
}
