//! What happened, written down in the transaction in which it happened, and only where somebody wants to be told.
//!
//! A transaction notes its causes ([`Tx::happened`]); before it is committed each is made into one event, with what is so
//! by then. So a customer whose points moved five times in one transaction is told of once, with what is left.

use super::Kind;
use crate::db::{self, Bind, ListQuery, Rows, Tx};
use crate::id::{CustomerId, DeliveryId, ProgramId, PurchaseId, RequestId, TierId, WebhookEventId, WebhookId};
use crate::lang::Localized;
use crate::on;
use crate::purchase;
use crate::rule::store::timeline;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};

/// A list longer than this is asked for in parts: SQLite looks up each of its parameters by walking through all before
/// it.
const LIST: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Registered(CustomerId),
    Booked(PurchaseId),
    Voided(PurchaseId),
    Opened(RequestId),
    /// Points of this customer moved.
    Moved(CustomerId),
    /// This customer has another tier of a program.
    Stands(CustomerId, ProgramId),
}

/// What happened in a transaction so far.
#[derive(Default)]
pub(crate) struct Happened {
    causes: BTreeSet<Cause>,
    is_silent: bool,
}

impl Happened {
    pub(crate) fn note(&mut self, cause: Cause) {
        if !self.is_silent {
            self.causes.insert(cause);
        }
    }

    /// Nobody is told of what happens in this transaction.
    pub(crate) fn silence(&mut self) {
        self.is_silent = true;
        self.causes.clear();
    }
}

/// A body as it is sent.
#[derive(Serialize)]
struct Body<D> {
    r#type: &'static str,
    timestamp: Time,
    data: D,
}

/// A time as bodies have it: RFC 3339 in UTC, to the microsecond.
struct Time(DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[derive(Serialize)]
struct Registered {
    customer: CustomerId,
}

#[derive(Serialize)]
struct Purchase {
    id: PurchaseId,
    source: String,
    document: String,
    kind: &'static str,
    at: Time,
    store: Option<String>,
    customer: Option<CustomerId>,
    lines: i64,
    total: i64,
}

#[derive(Serialize)]
struct Opened {
    number: i64,
    customer: CustomerId,
    topic: String,
    purchase: Option<PurchaseId>,
}

#[derive(Serialize)]
struct Moved {
    customer: CustomerId,
    balances: Vec<Balance>,
}

#[derive(Serialize)]
struct Balance {
    program: String,
    active: i64,
    pending: i64,
}

#[derive(Serialize)]
struct Stands {
    customer: CustomerId,
    program: String,
    tier: Option<TierId>,
    name: Option<Localized>,
    since: Option<NaiveDate>,
}

#[derive(Serialize)]
struct Test {
    webhook: WebhookId,
}

/// Events on their way into the database.
struct Desk {
    now: DateTime<Utc>,
    wanted: Vec<(WebhookId, BTreeSet<Kind>)>,
    events: Rows,
    deliveries: Rows,
}

impl Desk {
    fn new(now: DateTime<Utc>, wanted: Vec<(WebhookId, BTreeSet<Kind>)>) -> Self {
        Self {
            now,
            wanted,
            events: Rows::new("INSERT INTO webhook_events (id, kind, payload, at)", ""),
            deliveries: Rows::new(
                "INSERT INTO webhook_deliveries (id, webhook_id, event_id, state, next_at, created_at)",
                "",
            ),
        }
    }

    fn wants(&self, kind: Kind) -> bool {
        self.wanted.iter().any(|(_, kinds)| kinds.contains(&kind))
    }

    fn tell<D: Serialize>(&mut self, kind: Kind, data: D) -> Result<(), sqlx::Error> {
        let body = Body {
            r#type: kind.as_str(),
            timestamp: Time(self.now),
            data,
        };
        let body = serde_json::to_string(&body).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let id = WebhookEventId::new();
        self.events.push([
            Bind::Id(id.0),
            Bind::Word(kind.as_str()),
            Bind::Text(body),
            Bind::Time(self.now),
        ]);
        for (webhook, _) in self.wanted.iter().filter(|(_, kinds)| kinds.contains(&kind)) {
            self.deliveries.push([
                Bind::Id(DeliveryId::new().0),
                Bind::Id(webhook.0),
                Bind::Id(id.0),
                Bind::Word("pending"),
                Bind::Time(self.now),
                Bind::Time(self.now),
            ]);
        }
        Ok(())
    }

    async fn write(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        db::insert(tx, self.events).await?;
        db::insert(tx, self.deliveries).await
    }
}

/// Writes down what happened in a transaction, as its last act.
pub(crate) async fn write_down(tx: &mut Tx, happened: Happened) -> Result<(), sqlx::Error> {
    // What a newer program has added to a list is none of ours, and no reason to refuse a purchase.
    const WANTED: &str = "SELECT id, events FROM webhooks WHERE disabled_at IS NULL";
    if happened.causes.is_empty() {
        return Ok(());
    }
    let rows: Vec<(WebhookId, Json<Vec<String>>)> = on!(tx, |c| sqlx::query_as(WANTED).fetch_all(c).await)?;
    if rows.is_empty() {
        return Ok(());
    }
    let known = |words: Vec<String>| words.iter().filter_map(|word| Kind::from_word(word)).collect();
    let wanted = rows.into_iter().map(|(id, words)| (id, known(words.0))).collect();
    let mut desk = Desk::new(tx.now(), wanted);
    let (mut booked, mut voided, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    let (mut moved, mut stand) = (Vec::new(), Vec::new());
    for cause in happened.causes {
        match cause {
            Cause::Registered(customer) if desk.wants(Kind::CustomerRegistered) => {
                desk.tell(Kind::CustomerRegistered, Registered { customer })?;
            }
            Cause::Booked(id) if desk.wants(Kind::PurchaseBooked) => booked.push(id),
            Cause::Voided(id) if desk.wants(Kind::PurchaseVoided) => voided.push(id),
            Cause::Opened(id) if desk.wants(Kind::RequestOpened) => opened.push(id),
            Cause::Moved(id) if desk.wants(Kind::BalanceChanged) => moved.push(id),
            Cause::Stands(customer, program) if desk.wants(Kind::TierChanged) => stand.push((customer, program)),
            _ => {}
        }
    }
    purchases(tx, &mut desk, Kind::PurchaseBooked, &booked).await?;
    purchases(tx, &mut desk, Kind::PurchaseVoided, &voided).await?;
    requests(tx, &mut desk, &opened).await?;
    balances(tx, &mut desk, &moved).await?;
    tiers(tx, &mut desk, &stand).await?;
    desk.write(tx).await
}

/// Tells one receiver that it is tried out.
pub(super) async fn test(tx: &mut Tx, webhook: WebhookId) -> Result<(), sqlx::Error> {
    let mut desk = Desk::new(tx.now(), vec![(webhook, BTreeSet::from([Kind::Test]))]);
    desk.tell(Kind::Test, Test { webhook })?;
    desk.write(tx).await
}

#[derive(sqlx::FromRow)]
struct PurchaseRow {
    id: PurchaseId,
    source: String,
    document: String,
    kind: purchase::Kind,
    at: DateTime<Utc>,
    store: Option<String>,
    customer_id: Option<CustomerId>,
    line_count: i64,
    total: i64,
}

async fn purchases(tx: &mut Tx, desk: &mut Desk, kind: Kind, ids: &[PurchaseId]) -> Result<(), sqlx::Error> {
    const SELECT: &str = "SELECT p.id, p.source, p.document, p.kind, p.at, s.code AS store, p.customer_id, p.line_count, \
                          p.total FROM purchases p LEFT JOIN stores s ON s.id = p.store_id";
    for part in ids.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("p.id", part.iter().map(|id| Bind::Id(id.0)))
            .tail("ORDER BY p.id");
        for row in db::list::<PurchaseRow>(tx, query).await? {
            let purchase = Purchase {
                id: row.id,
                source: row.source,
                document: row.document,
                kind: row.kind.as_str(),
                at: Time(row.at),
                store: row.store,
                customer: row.customer_id,
                lines: row.line_count,
                total: row.total,
            };
            desk.tell(kind, purchase)?;
        }
    }
    Ok(())
}

async fn requests(tx: &mut Tx, desk: &mut Desk, ids: &[RequestId]) -> Result<(), sqlx::Error> {
    const SELECT: &str = "SELECT r.number, r.customer_id, t.code, r.purchase_id FROM requests r \
                          JOIN topics t ON t.id = r.topic_id";
    for part in ids.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("r.id", part.iter().map(|id| Bind::Id(id.0)))
            .tail("ORDER BY r.number");
        let rows: Vec<(i64, CustomerId, String, Option<PurchaseId>)> = db::list(tx, query).await?;
        for (number, customer, topic, purchase) in rows {
            let opened = Opened {
                number,
                customer,
                topic,
                purchase,
            };
            desk.tell(Kind::RequestOpened, opened)?;
        }
    }
    Ok(())
}

async fn balances(tx: &mut Tx, desk: &mut Desk, ids: &[CustomerId]) -> Result<(), sqlx::Error> {
    const SELECT: &str = "SELECT a.customer_id, p.code, \
        CAST(SUM(CASE WHEN a.kind = 'active' THEN a.balance ELSE 0 END) AS BIGINT), \
        CAST(SUM(CASE WHEN a.kind = 'pending' THEN a.balance ELSE 0 END) AS BIGINT) \
        FROM accounts a JOIN programs p ON p.id = a.program_id";
    for part in ids.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("a.customer_id", part.iter().map(|id| Bind::Id(id.0)))
            .tail("GROUP BY a.customer_id, p.code, p.position ORDER BY a.customer_id, p.position, p.code");
        let mut of: BTreeMap<CustomerId, Vec<Balance>> = BTreeMap::new();
        for (customer, program, active, pending) in db::list::<(CustomerId, String, i64, i64)>(tx, query).await? {
            of.entry(customer).or_default().push(Balance {
                program,
                active,
                pending,
            });
        }
        for (customer, balances) in of {
            desk.tell(Kind::BalanceChanged, Moved { customer, balances })?;
        }
    }
    Ok(())
}

async fn tiers(tx: &mut Tx, desk: &mut Desk, changed: &[(CustomerId, ProgramId)]) -> Result<(), sqlx::Error> {
    const SELECT: &str = "SELECT s.customer_id, s.program_id, p.code, s.tier_id, s.since FROM tier_standings s \
                          JOIN programs p ON p.id = s.program_id";
    type Row = (CustomerId, ProgramId, String, Option<TierId>, Option<NaiveDate>);
    if changed.is_empty() {
        return Ok(());
    }
    let timeline = timeline(tx).await?;
    for part in changed.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("s.customer_id", part.iter().map(|(customer, _)| Bind::Id(customer.0)))
            .tail("ORDER BY s.customer_id, p.position, p.code");
        for (customer, id, program, tier, since) in db::list::<Row>(tx, query).await? {
            if !part.contains(&(customer, id)) {
                continue;
            }
            let tiers = timeline.tiers(id, desk.now).map(|(_, tiers)| tiers);
            let name = tier.and_then(|tier| Some(tiers?.get(tier)?.name.clone()));
            let stands = Stands {
                customer,
                program,
                tier,
                name,
                since,
            };
            desk.tell(Kind::TierChanged, stands)?;
        }
    }
    Ok(())
}
