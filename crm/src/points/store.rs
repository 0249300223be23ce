//! The ledger in the database.
//!
//! Transactions, postings, allocations and restorations are only ever added. The balance of an account and what is left in
//! a lot are projections of them, kept in the same database transaction; [`verify`] compares the two. Writes go through
//! [`Book`], which gathers them, because an import books a million lines.
//!
//! Whoever moves the points of one customer first calls [`settle`]: nobody else moves them until the transaction ends, and
//! what was due by then has happened, whether or not the daily work has come round.

pub mod adjustments;
mod explaining;
pub mod exports;
pub(crate) mod merging;
mod missing;
pub(crate) mod returns;
pub mod rewards;
pub mod spending;
pub mod transfers;
mod verify;

pub use explaining::{explain, last_to_expire, remaining};
pub use missing::short;
pub use spending::SpendError;
pub use transfers::TransferError;
pub use verify::{verify, verify_daily};

use super::rules::{self, Terms};
use super::{
    AccountKind, Balance, Before, Earned, Ends, Entry, Expiry, Filter, LotState, Part, ProgramBalance, Report, Sort,
    Source, Statement, TransactionKind,
};
use crate::coupon::store as coupons;
use crate::db::{self, Bind, Conn, Db, ListQuery, Rows, Tx, scoped};
use crate::error::Error;
use crate::id::{
    AccountId, AllocationId, ArticleId, CustomerId, LineId, LotId, PostingId, ProgramId, PurchaseId, RestorationId,
    RewardId, StoreId, TransactionId,
};
use crate::invite::store as invitations;
use crate::lang::Localized;
use crate::notification;
use crate::on;
use crate::purchase::Way;
use crate::rule;
use crate::rule::store::{Parts, REVISION, Timeline, asking, parts_of};
use crate::webhook::event::Cause;
use crate::who::{Subject, System};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// What a purchase says to the programs and rules.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) purchase: PurchaseId,
    /// Whose it is. What is nobody's earns nothing, and is told for the discounts of rules alone.
    pub(crate) customer: Option<CustomerId>,
    pub(crate) at: DateTime<Utc>,
    /// When its customer has to be a member of a program for it to earn there: at its own time, or when it was claimed.
    pub(crate) member_at: DateTime<Utc>,
    pub(crate) store: Option<StoreId>,
    /// How it was bought.
    pub(crate) way: Way,
    /// The codes of the coupons that were sent with it.
    pub(crate) coupons: Vec<String>,
    /// What points pay of it, in hundredths.
    pub(crate) points_used: i64,
    /// How it comes to be told of.
    pub(crate) occasion: Occasion,
    /// The lines of which something was bought.
    pub(crate) lines: Vec<Sold>,
}

impl Sale {
    /// What points pay of each line. Who captures them spreads them in the same way.
    fn by_points(&self) -> Vec<i64> {
        let share = |sold: &Sold| if sold.payable { sold.paid().max(0) } else { 0 };
        let shares: Vec<i64> = self.lines.iter().map(share).collect();
        // More than the receipt costs is refused when it is captured.
        rules::spread(self.points_used, &shares).unwrap_or(shares)
    }
}

/// How a purchase comes to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// It is new.
    New,
    /// It has lines that it did not have before, and these are told of.
    Grown,
    /// It was nobody's until now.
    Claimed,
}

/// A line of which something was bought.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Sold {
    pub(crate) line: LineId,
    pub(crate) article: ArticleId,
    pub(crate) quantity: i64,
    pub(crate) price: i64,
    /// Off the whole line.
    pub(crate) discount: i64,
    /// Of it: because of rules.
    pub(crate) taken: i64,
    /// Whether points may pay for it.
    pub(crate) payable: bool,
}

impl Sold {
    /// What was paid for it.
    pub(crate) fn paid(&self) -> i64 {
        self.quantity.saturating_mul(self.price).saturating_sub(self.discount)
    }

    /// The same for rules, without what the catalogue knows of the article.
    pub(crate) fn line(&self) -> rule::Line {
        rule::Line {
            article: self.article,
            categories: Vec::new(),
            brand: None,
            quantity: self.quantity,
            price: self.price,
            discount: self.discount - self.taken,
            payable: self.payable,
            taken: Some(self.taken),
        }
    }
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    id: ProgramId,
    automatic: bool,
    closed_at: Option<DateTime<Utc>>,
    version: i64,
    share: i64,
    delay_days: i64,
    term_days: i64,
    published_at: DateTime<Utc>,
    revision: i64,
}

#[derive(PartialEq, Eq)]
struct Program {
    automatic: bool,
    closed_at: Option<DateTime<Utc>>,
    published: Vec<DateTime<Utc>>,
    versions: Vec<(i64, Terms)>,
}

/// Every program with its versions: a handful of rows, read once for many purchases.
#[derive(PartialEq, Eq)]
pub(crate) struct Programs(BTreeMap<ProgramId, Program>);

/// Reads the programs, and with them the number of publications of rules ([`REVISION`]); none where there is no program.
pub(crate) async fn programs(conn: &mut Conn) -> Result<(Programs, Option<i64>), sqlx::Error> {
    const SQL: &str = "SELECT p.id, p.automatic, p.closed_at, v.version, v.share, v.delay_days, v.term_days, v.published_at, \
                       COALESCE((SELECT n.value FROM sequences n WHERE n.name = $1), 0) AS revision \
                       FROM programs p JOIN program_versions v ON v.program_id = p.id \
                       ORDER BY p.id, v.published_at, v.version";
    let rows: Vec<VersionRow> = on!(conn, |c| sqlx::query_as(SQL).bind(REVISION).fetch_all(c).await)?;
    let revision = rows.first().map(|row| row.revision);
    let mut programs = BTreeMap::new();
    for row in rows {
        let program = programs.entry(row.id).or_insert_with(|| Program {
            automatic: row.automatic,
            closed_at: row.closed_at,
            published: Vec::new(),
            versions: Vec::new(),
        });
        let VersionRow {
            share,
            delay_days,
            term_days,
            ..
        } = row;
        program.published.push(row.published_at);
        program.versions.push((
            row.version,
            Terms {
                share,
                delay_days,
                term_days,
            },
        ));
    }
    Ok((Programs(programs), revision))
}

impl Programs {
    /// The version of a program that counts at a moment, unless the program is closed by then.
    fn terms(&self, program_id: ProgramId, at: DateTime<Utc>) -> Option<(i64, Terms)> {
        let program = self.0.get(&program_id)?;
        if program.closed_at.is_some_and(|closed| closed <= at) {
            return None;
        }
        self.last_terms(program_id, at)
    }

    /// The version that counts at a moment, or counted last where the program is closed.
    fn last_terms(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(i64, Terms)> {
        let program = self.0.get(&program)?;
        program
            .versions
            .get(rules::version_at(&program.published, at)?)
            .copied()
    }

    /// The moments at which the terms of any program change.
    pub(crate) fn changes(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let programs = self.0.values();
        programs.flat_map(|program| program.published.iter().copied().chain(program.closed_at))
    }

    /// The programs that are open at a moment, each with the version that counts and the share that it pays, if any.
    pub(crate) fn shares(&self, at: DateTime<Utc>) -> impl Iterator<Item = (ProgramId, i64, i64)> {
        let terms = self.0.keys().filter_map(move |id| Some((*id, self.terms(*id, at)?)));
        terms
            .map(|(id, (version, terms))| (id, version, terms.share))
            .filter(|(.., share)| *share > 0)
    }

    /// Whether a program is open at a moment.
    pub(crate) fn is_open(&self, program: ProgramId, at: DateTime<Utc>) -> bool {
        self.terms(program, at).is_some()
    }

    /// From when on points of a program that are earned at a moment can be spent, and when they expire.
    pub(crate) fn life(&self, program: ProgramId, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (_, terms) = self.terms(program, at)?;
        Some((terms.activates_at(at), terms.expires_at(at)))
    }

    /// The programs that everybody is a member of, each with its version at a moment.
    pub(crate) fn automatic(&self, at: DateTime<Utc>) -> impl Iterator<Item = (ProgramId, i64)> {
        let open = self.0.iter().filter(|(_, program)| program.automatic);
        open.filter_map(move |(id, _)| Some((*id, self.terms(*id, at)?.0)))
    }
}

/// Which account, in the words of the ledger; that of a partner by the partner's key.
type Place = (ProgramId, Option<CustomerId>, AccountKind, Option<String>);

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: AccountId,
    program_id: ProgramId,
    customer_id: Option<CustomerId>,
    kind: AccountKind,
    partner_key: Option<String>,
}

/// A list longer than this is asked for in parts: SQLite looks up each of its parameters by walking through all before
/// it.
pub(crate) const LIST: usize = 256;

/// The accounts at these places, opened where they are not yet.
async fn accounts(tx: &mut Tx, places: &BTreeSet<Place>) -> Result<HashMap<Place, AccountId>, sqlx::Error> {
    let customers: Vec<CustomerId> = places
        .iter()
        .filter_map(|(_, customer, ..)| *customer)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let partners: BTreeSet<&String> = places.iter().filter_map(|(.., partner)| partner.as_ref()).collect();
    // The second round finds what another process opened between our look and our insert.
    let mut found = HashMap::new();
    for round in 0..3 {
        const SELECT: &str = "SELECT id, program_id, customer_id, kind, partner_key FROM accounts";
        const SHOP: &str = "customer_id IS NULL AND partner_key IS NULL";
        let mut query = ListQuery::new(SELECT).filter(SHOP, []);
        let mut parts = customers.chunks(LIST);
        // Mostly it is one customer, and one question with what is the shop's own.
        if let Some(part) = parts.next() {
            let ids = part.iter().map(|id| Bind::Id(id.0));
            query = query.and_all(SELECT).within("customer_id", ids);
        }
        let mut rows: Vec<AccountRow> = db::list(tx, query).await?;
        if !partners.is_empty() {
            let keys = partners.iter().map(|key| Bind::Text((*key).clone()));
            let query = ListQuery::new(SELECT).within("partner_key", keys);
            rows.extend(db::list::<AccountRow>(tx, query).await?);
        }
        for part in parts {
            let query = ListQuery::new(SELECT).within("customer_id", part.iter().map(|id| Bind::Id(id.0)));
            rows.extend(db::list::<AccountRow>(tx, query).await?);
        }
        found = rows
            .into_iter()
            .map(|row| ((row.program_id, row.customer_id, row.kind, row.partner_key), row.id))
            .collect();
        let mut missing = Rows::new(
            "INSERT INTO accounts (id, program_id, customer_id, kind, partner_key)",
            "ON CONFLICT DO NOTHING",
        );
        for place @ (program, customer, kind, partner) in places {
            if !found.contains_key(place) {
                missing.push([
                    Bind::Id(AccountId::new().0),
                    Bind::Id(program.0),
                    Bind::MaybeId(customer.map(|id| id.0)),
                    Bind::Word(kind.as_str()),
                    Bind::MaybeText(partner.clone()),
                ]);
            }
        }
        if missing.is_empty() || round == 2 {
            break;
        }
        db::insert(tx, missing).await?;
    }
    Ok(found)
}

/// A lot that becomes active, and may have to pay a debt first.
struct Activated {
    lot: LotId,
    transaction: TransactionId,
    program: ProgramId,
    customer: CustomerId,
    points: i64,
}

struct NewLot {
    id: LotId,
    transaction: TransactionId,
    program: ProgramId,
    customer: CustomerId,
    points: i64,
    state: LotState,
    activates_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    origin: Option<LotId>,
}

/// What is to be written, gathered so that many changes take few statements.
struct Book {
    transactions: Rows,
    postings: Vec<(TransactionId, Place, i64)>,
    activated: Vec<Activated>,
    lots: Vec<NewLot>,
    allocations: Rows,
    restorations: Rows,
    accruals: Rows,
    fundings: Rows,
    /// Whose points move, to be told of.
    moved: BTreeSet<CustomerId>,
    /// The reward that the next transactions are for; none: they are for something else.
    reward: Option<RewardId>,
    /// What partners pay of the points that the next transaction brings, or get back of those that it takes (below zero).
    funded: BTreeMap<String, i64>,
    /// What of debts is none any more, so that nothing pays it.
    lifted: BTreeMap<(ProgramId, CustomerId), i64>,
}

impl Book {
    fn new() -> Self {
        Self {
            transactions: Rows::new(
                "INSERT INTO transactions (id, program_id, customer_id, kind, purchase_id, at, recorded_at, reward_id)",
                "",
            ),
            postings: Vec::new(),
            activated: Vec::new(),
            lots: Vec::new(),
            allocations: Rows::new(
                "INSERT INTO allocations (id, lot_id, transaction_id, points, line_id)",
                "",
            ),
            restorations: Rows::new(
                "INSERT INTO restorations (id, allocation_id, transaction_id, lot_id, points)",
                "",
            ),
            accruals: Rows::new(
                "INSERT INTO accruals (line_id, program_id, program_version, lot_id, points)",
                "",
            ),
            fundings: Rows::new("INSERT INTO fundings (line_id, program_id, partner_key, points)", ""),
            moved: BTreeSet::new(),
            reward: None,
            funded: BTreeMap::new(),
            lifted: BTreeMap::new(),
        }
    }

    /// A transaction that moves points into the customer's accounts, and out of the program's account `against`; as far as
    /// partners pay ([`Book::funded`]), out of theirs.
    #[expect(
        clippy::too_many_arguments,
        reason = "a transaction is these words; a struct would only name them again"
    )]
    fn post(
        &mut self,
        now: DateTime<Utc>,
        kind: TransactionKind,
        (program, customer): (ProgramId, CustomerId),
        purchase: Option<PurchaseId>,
        at: DateTime<Utc>,
        changes: &[(AccountKind, i64)],
        against: Option<AccountKind>,
    ) -> TransactionId {
        let id = TransactionId::new();
        self.moved.insert(customer);
        self.transactions.push([
            Bind::Id(id.0),
            Bind::Id(program.0),
            Bind::Id(customer.0),
            Bind::Word(kind.as_str()),
            Bind::MaybeId(purchase.map(|id| id.0)),
            Bind::Time(at),
            Bind::Time(now),
            Bind::MaybeId(self.reward.map(|id| id.0)),
        ]);
        let changes = changes.iter().filter(|(_, amount)| *amount != 0);
        self.postings.extend(
            changes
                .clone()
                .map(|(kind, amount)| (id, (program, Some(customer), *kind, None), *amount)),
        );
        let mut whole: i64 = changes.map(|(_, amount)| amount).sum();
        let is_funded = !self.funded.is_empty();
        for (partner, points) in std::mem::take(&mut self.funded) {
            if points != 0 {
                whole -= points;
                self.postings
                    .push((id, (program, None, AccountKind::Partner, Some(partner)), -points));
            }
        }
        // Of what partners pay for altogether there is nothing left for the shop.
        if let Some(against) = against.filter(|_| whole != 0 || !is_funded) {
            self.postings.push((id, (program, None, against, None), -whole));
        }
        id
    }

    /// Points that a customer earns at a moment, in a lot of its own by the terms of the program.
    fn earn(
        &mut self,
        now: DateTime<Utc>,
        (program, customer): (ProgramId, CustomerId),
        purchase: Option<PurchaseId>,
        at: DateTime<Utc>,
        terms: Terms,
        points: i64,
    ) -> LotId {
        let (state, account) = match terms.delay_days {
            0 => (LotState::Active, AccountKind::Active),
            _ => (LotState::Pending, AccountKind::Pending),
        };
        let transaction = self.post(
            now,
            TransactionKind::Accrual,
            (program, customer),
            purchase,
            at,
            &[(account, points)],
            Some(AccountKind::Issued),
        );
        let id = LotId::new();
        self.lots.push(NewLot {
            id,
            transaction,
            program,
            customer,
            points,
            state,
            activates_at: terms.activates_at(at),
            expires_at: terms.expires_at(at),
            origin: None,
        });
        if state == LotState::Active {
            self.activated.push(Activated {
                lot: id,
                transaction,
                program,
                customer,
                points,
            });
        }
        id
    }

    /// Points that a transaction of a moment brings in a lot of their own until another: they carry on what a lot began, and pay
    /// a debt first.
    fn carry_on(
        &mut self,
        transaction: TransactionId,
        (program, customer): (ProgramId, CustomerId),
        points: i64,
        (at, until): (DateTime<Utc>, DateTime<Utc>),
        origin: LotId,
    ) -> LotId {
        let lot = LotId::new();
        self.lots.push(NewLot {
            id: lot,
            transaction,
            program,
            customer,
            points,
            state: LotState::Active,
            activates_at: at,
            expires_at: until,
            origin: Some(origin),
        });
        self.activated.push(Activated {
            lot,
            transaction,
            program,
            customer,
            points,
        });
        lot
    }

    /// What a transaction takes from a lot, and for which receipt line.
    fn allocate(&mut self, lot: LotId, transaction: TransactionId, points: i64, line: Option<LineId>) {
        self.allocations.push([
            Bind::Id(AllocationId::new().0),
            Bind::Id(lot.0),
            Bind::Id(transaction.0),
            Bind::Int(points),
            Bind::MaybeId(line.map(|id| id.0)),
        ]);
    }

    /// What goes back of an allocation, and into which lot.
    fn restore(&mut self, allocation: AllocationId, transaction: TransactionId, lot: LotId, points: i64) {
        self.restorations.push([
            Bind::Id(RestorationId::new().0),
            Bind::Id(allocation.0),
            Bind::Id(transaction.0),
            Bind::Id(lot.0),
            Bind::Int(points),
        ]);
    }

    /// Writes it all, and pays debts from what becomes active.
    async fn write(mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        if self.postings.is_empty() {
            return Ok(());
        }
        for customer in &self.moved {
            tx.happened(Cause::Moved(*customer));
        }
        // Points count on the day on which they are written down.
        let now = tx.now();
        tx.touch(now);
        let mut deltas: BTreeMap<Place, i64> = BTreeMap::new();
        for (_, place, amount) in &self.postings {
            *deltas.entry(place.clone()).or_default() += amount;
        }
        let ids = accounts(tx, &deltas.keys().cloned().collect()).await?;
        let id_of = |place: &Place| {
            ids.get(place)
                .copied()
                .ok_or_else(|| sqlx::Error::Protocol("an account could not be opened".into()))
        };

        // A program's own accounts keep no balance: each receipt would have to wait for the one before it to be committed.
        // Always in the same order, so that two processes wait for each other instead of deadlocking.
        let mut changed = Vec::with_capacity(deltas.len());
        for (place, delta) in deltas.iter().filter(|((_, customer, ..), _)| customer.is_some()) {
            changed.push((id_of(place)?, place, *delta));
        }
        changed.sort_unstable_by_key(|(id, ..)| *id);
        let mut rows = Rows::new(
            "INSERT INTO accounts (id, program_id, customer_id, kind, balance)",
            "ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance \
             RETURNING program_id, customer_id, kind, balance",
        );
        for (id, (program, customer, kind, _), delta) in changed {
            rows.push([
                Bind::Id(id.0),
                Bind::Id(program.0),
                Bind::MaybeId(customer.map(|id| id.0)),
                Bind::Word(kind.as_str()),
                Bind::Int(delta),
            ]);
        }
        let balances: Vec<(ProgramId, Option<CustomerId>, AccountKind, i64)> = db::insert_returning(tx, rows).await?;
        let mut debts: HashMap<Place, i64> = HashMap::new();
        for (program, customer, kind, balance) in balances {
            let place = (program, customer, kind, None);
            let before = balance - deltas.get(&place).copied().unwrap_or_default();
            if kind == AccountKind::Active && before < 0 {
                let lifted = customer.and_then(|customer| self.lifted.get(&(program, customer)));
                debts.insert(place, -before - lifted.copied().unwrap_or_default());
            }
        }

        let mut paid: HashMap<LotId, i64> = HashMap::new();
        for Activated {
            lot,
            transaction,
            program,
            customer,
            points,
        } in std::mem::take(&mut self.activated)
        {
            let place = (program, Some(customer), AccountKind::Active, None);
            let Some(debt) = debts.get_mut(&place).filter(|debt| **debt > 0) else {
                continue;
            };
            let pays = points.min(*debt);
            *debt -= pays;
            *paid.entry(lot).or_default() += pays;
            self.allocate(lot, transaction, pays, None);
        }

        db::insert(tx, self.transactions).await?;
        let mut rows = Rows::new("INSERT INTO postings (id, transaction_id, account_id, amount)", "");
        for (transaction, place, amount) in &self.postings {
            rows.push([
                Bind::Id(PostingId::new().0),
                Bind::Id(transaction.0),
                Bind::Id(id_of(place)?.0),
                Bind::Int(*amount),
            ]);
        }
        db::insert(tx, rows).await?;
        let mut rows = Rows::new(
            "INSERT INTO lots (id, transaction_id, program_id, customer_id, points, remaining, state, activates_at, \
             expires_at, origin_id)",
            "",
        );
        for lot in self.lots {
            let pays = paid.remove(&lot.id).unwrap_or_default();
            rows.push([
                Bind::Id(lot.id.0),
                Bind::Id(lot.transaction.0),
                Bind::Id(lot.program.0),
                Bind::Id(lot.customer.0),
                Bind::Int(lot.points),
                Bind::Int(lot.points - pays),
                Bind::Word(lot.state.as_str()),
                Bind::Time(lot.activates_at),
                Bind::Time(lot.expires_at),
                Bind::MaybeId(lot.origin.map(|id| id.0)),
            ]);
        }
        db::insert(tx, rows).await?;
        // What is left of `paid` belongs to lots that were there before.
        for (lot, pays) in paid {
            draw(tx, lot, pays).await?;
        }
        db::insert(tx, self.allocations).await?;
        db::insert(tx, self.restorations).await?;
        db::insert(tx, self.accruals).await?;
        db::insert(tx, self.fundings).await
    }
}

/// Takes points out of a lot. The table itself refuses to go below zero.
async fn draw(tx: &mut Tx, lot: LotId, points: i64) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE lots SET remaining = remaining - $2 WHERE id = $1";
    on!(tx, |c| sqlx::query(SQL)
        .bind(lot)
        .bind(points)
        .execute(c)
        .await
        .map(drop))
}

/// Books what purchases earn, and tells how many points that is. Each earns in every program of which its customer was
/// a member at its time, by the version of the program and by the rules that counted then. What points pay earns nothing.
/// `together` are the purchases that this transaction books.
pub(crate) async fn accrue(
    tx: &mut Tx,
    timeline: &Timeline,
    sales: &[Sale],
    together: &HashSet<PurchaseId>,
) -> Result<i64, sqlx::Error> {
    let programs = timeline.programs();
    let customers = sales.iter().filter_map(|sale| sale.customer).collect();
    let stays = Stays::load(tx, &customers).await?;
    let member = |sale: &Sale| stays.of(programs, sale.customer, sale.member_at, sale.at);
    let answers = asking::ask(tx, timeline, sales, together, member).await?;

    let now = tx.now();
    let mut book = Book::new();
    let mut total = 0_i64;
    let mut news: BTreeMap<CustomerId, i64> = BTreeMap::new();
    for (place, sale) in sales.iter().enumerate() {
        let Sale {
            purchase, at, lines, ..
        } = sale;
        let Some(customer) = &sale.customer else { continue };
        let earned = answers.earned(place, sale).unwrap_or_else(|| {
            let by_points = sale.by_points();
            let share = |program: ProgramId| {
                let terms = programs.terms(program, *at).map(|(_, terms)| terms);
                let line = |(sold, by_points): (&Sold, &i64)| {
                    Some((sold.line, terms?.earned(sold.paid() - by_points))).filter(|(_, points)| *points > 0)
                };
                (program, lines.iter().zip(&by_points).filter_map(line).collect())
            };
            member(sale).into_iter().map(share).collect()
        });
        for (program, earned) in earned {
            let Some((version, terms)) = programs.terms(program, *at) else {
                continue;
            };
            let points = earned
                .iter()
                .fold(0_i64, |sum, (_, points)| sum.saturating_add(*points));
            if points == 0 {
                continue;
            }
            total = total.saturating_add(points);
            for (line, _) in &earned {
                for (partner, points) in answers.funded.get(&(*line, program)).into_iter().flatten() {
                    *book.funded.entry(partner.clone()).or_default() += points;
                    book.fundings.push([
                        Bind::Id(line.0),
                        Bind::Id(program.0),
                        Bind::Text(partner.clone()),
                        Bind::Int(*points),
                    ]);
                }
            }
            let id = book.earn(now, (program, *customer), Some(*purchase), *at, terms, points);
            if terms.delay_days == 0 && notification::is_news(tx, *at) {
                *news.entry(*customer).or_default() += points;
            }
            for (line, points) in earned {
                book.accruals.push([
                    Bind::Id(line.0),
                    Bind::Id(program.0),
                    Bind::Int(version),
                    Bind::Id(id.0),
                    Bind::Int(points),
                ]);
            }
        }
    }
    settle_debtors(tx, &book.activated, sales).await?;
    book.write(tx).await?;
    notification::active(tx, &news).await?;
    db::insert(tx, answers.grants).await?;
    coupons::issue(tx, answers.coupons).await?;
    invitations::bought(tx, timeline, sales).await?;
    Ok(total)
}

/// When customers were members of programs.
pub(crate) struct Stays(HashMap<CustomerId, Vec<Stay>>);

type Stay = (CustomerId, ProgramId, DateTime<Utc>, Option<DateTime<Utc>>);

impl Stays {
    pub(crate) async fn load(conn: &mut Conn, customers: &BTreeSet<CustomerId>) -> Result<Self, sqlx::Error> {
        let customers: Vec<CustomerId> = customers.iter().copied().collect();
        let mut stays: HashMap<CustomerId, Vec<Stay>> = HashMap::new();
        for part in customers.chunks(LIST) {
            let query = ListQuery::new("SELECT customer_id, program_id, joined_at, left_at FROM memberships")
                .within("customer_id", part.iter().map(|id| Bind::Id(id.0)));
            for stay in db::list::<Stay>(conn, query).await? {
                stays.entry(stay.0).or_default().push(stay);
            }
        }
        Ok(Self(stays))
    }

    /// The programs that a customer was a member of at `member_at`, and that were open at `at`.
    pub(crate) fn of(
        &self,
        programs: &Programs,
        customer: Option<CustomerId>,
        member_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Vec<ProgramId> {
        let theirs = customer.and_then(|customer| self.0.get(&customer));
        let member: BTreeSet<ProgramId> = theirs
            .into_iter()
            .flatten()
            .filter(|(_, _, joined, left)| rules::is_member(*joined, *left, member_at))
            .map(|(_, program, ..)| *program)
            .filter(|program| programs.is_open(*program, at))
            .collect();
        member.into_iter().collect()
    }
}

/// The open programs that a customer is a member of.
pub(crate) async fn member_of(
    conn: &mut Conn,
    timeline: &Timeline,
    of: Subject,
    at: DateTime<Utc>,
) -> Result<Vec<ProgramId>, sqlx::Error> {
    const SQL: &str = "SELECT program_id, joined_at, left_at FROM memberships WHERE customer_id = $1";
    let stays: Vec<(ProgramId, DateTime<Utc>, Option<DateTime<Utc>>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(of.id()).fetch_all(c).await)?;
    let member: BTreeSet<ProgramId> = stays
        .into_iter()
        .filter(|(_, joined, left)| rules::is_member(*joined, *left, at))
        .map(|(program, ..)| program)
        .filter(|program| timeline.programs().is_open(*program, at))
        .collect();
    Ok(member.into_iter().collect())
}

/// Codes and names of programs, as they are called now.
pub(crate) async fn names(
    conn: &mut Conn,
    programs: &BTreeSet<ProgramId>,
) -> Result<BTreeMap<ProgramId, (String, Localized)>, sqlx::Error> {
    const SELECT: &str = "SELECT p.id, p.code, v.name FROM programs p JOIN program_versions v ON v.program_id = p.id";
    const CURRENT: &str = "v.version = COALESCE((SELECT MAX(w.version) FROM program_versions w \
                           WHERE w.program_id = p.id AND w.published_at <= ?), 1)";
    let query = ListQuery::new(SELECT)
        .within("p.id", programs.iter().map(|id| Bind::Id(id.0)))
        .filter(CURRENT, [Bind::Time(conn.now())]);
    let rows: Vec<(ProgramId, String, Json<Localized>)> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(|(id, code, name)| (id, (code, name.0))).collect())
}

/// Debts are paid in order of time: what had become somebody's own before a purchase pays before what it earns.
async fn settle_debtors(tx: &mut Tx, activated: &[Activated], sales: &[Sale]) -> Result<(), sqlx::Error> {
    let customers: Vec<CustomerId> = activated
        .iter()
        .map(|lot| lot.customer)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    for part in customers.chunks(LIST) {
        let query = ListQuery::new("SELECT DISTINCT customer_id FROM accounts")
            .within("customer_id", part.iter().map(|id| Bind::Id(id.0)))
            .filter("kind = 'active' AND balance < 0", []);
        for (customer,) in db::list::<(CustomerId,)>(tx, query).await? {
            let of_theirs = sales.iter().filter(|sale| sale.customer == Some(customer));
            if let Some(at) = of_theirs.map(|sale| sale.at).min() {
                settle(tx, customer, at).await?;
            }
        }
    }
    Ok(())
}

/// Sees to it that nobody else moves this customer's points until the transaction ends, and that what was due has happened:
/// reservations that lapsed and transfers that arrived by now, lots that became active or expired by `until`, the moment of
/// what is to be booked. A till whose clock is ahead makes no day come sooner.
pub(crate) async fn settle(tx: &mut Tx, customer: CustomerId, until: DateTime<Utc>) -> Result<(), sqlx::Error> {
    lock(tx, &[customer.0]).await?;
    let now = tx.now();
    let until = until.min(now);
    let due = what_is_due(tx, customer, now, until).await?;
    if due.0 {
        spending::lapse(tx, now, Some(customer)).await?;
    }
    if due.1 {
        transfers::complete(tx, now, Some(customer)).await?;
    }
    if due.2 {
        activate(tx, until, Some(customer)).await?;
    }
    // What has just become active or arrived may be over already.
    if due.1 || due.2 || due.3 {
        expire(tx, until, Some(customer)).await?;
    }
    Ok(())
}

/// Whether reservations lapsed, transfers arrived, lots became active, lots expired. One question for all: mostly nothing
/// is due, and everybody else waits for us.
async fn what_is_due(
    conn: &mut Conn,
    customer: CustomerId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(bool, bool, bool, bool), sqlx::Error> {
    const DUE: &str = "SELECT \
        EXISTS (SELECT 1 FROM reservations WHERE customer_id = $1 AND state = 'held' AND expires_at <= $2), \
        EXISTS (SELECT 1 FROM transfers WHERE to_id = $1 AND state = 'pending' AND completes_at <= $2), \
        EXISTS (SELECT 1 FROM lots WHERE customer_id = $1 AND state = 'pending' AND activates_at <= $3), \
        EXISTS (SELECT 1 FROM lots WHERE customer_id = $1 AND state = 'active' AND expires_at <= $3)";
    on!(conn, |c| sqlx::query_as(DUE)
        .bind(customer)
        .bind(now)
        .bind(until)
        .fetch_one(c)
        .await)
}

/// Lets happen to one customer's points what is due by now, so that what is shown is right even where the daily work has
/// not come round. Mostly nothing is, and then nothing is written.
pub async fn bring_up_to_date(db: &Db, of: Subject) -> Result<(), Error> {
    let mut conn = db.read().await?;
    let now = conn.now();
    let due = what_is_due(&mut conn, of.id(), now, now).await?;
    drop(conn);
    if due == (false, false, false, false) {
        return Ok(());
    }
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            Ok(settle(tx, of.id(), now).await?)
        })
    })
    .await
}

/// Waits until nobody else moves these customers' points, or gives them any.
pub(crate) async fn lock(tx: &mut Tx, customers: &[Uuid]) -> Result<(), sqlx::Error> {
    // Two who want the same wait for each other and do not deadlock: everywhere a customer is held before their accounts, also by
    // those who change something of the customer first (`customers::hold`), and accounts in the order in which balances are written.
    const PEOPLE: &str = "SELECT id FROM customers WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    const ACCOUNTS: &str = "SELECT id FROM accounts WHERE customer_id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
    db::hold(tx, PEOPLE, customers).await?;
    db::hold(tx, ACCOUNTS, customers).await
}

/// A customer's active balance in a program, and what of it is reserved.
async fn active(tx: &mut Tx, customer: CustomerId, program: ProgramId) -> Result<(i64, i64), sqlx::Error> {
    const SQL: &str =
        "SELECT balance, reserved FROM accounts WHERE customer_id = $1 AND program_id = $2 AND kind = 'active'";
    let found = on!(tx, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(program)
        .fetch_optional(c)
        .await)?;
    Ok(found.unwrap_or_default())
}

/// What is left in a customer's active lots, those that expire first first; of those alone that were not over at a moment, where
/// one is named.
async fn active_lots(
    tx: &mut Tx,
    (customer, program): (CustomerId, ProgramId),
    since: Option<DateTime<Utc>>,
) -> Result<Vec<(LotId, i64)>, sqlx::Error> {
    const SQL: &str = "SELECT id, remaining FROM lots WHERE customer_id = $1 AND program_id = $2 AND state = 'active' \
                       AND remaining > 0 AND ($3 IS NULL OR expires_at > $3) ORDER BY expires_at, id";
    on!(tx, |c| sqlx::query_as(SQL)
        .bind(customer)
        .bind(program)
        .bind(since)
        .fetch_all(c)
        .await)
}

/// Takes up to `points` from a customer's active lots, those that expire first, and tells how many from which. The first
/// `but` points are left alone: what is reserved lies there.
async fn draw_first(
    tx: &mut Tx,
    whose: (CustomerId, ProgramId),
    points: i64,
    but: i64,
) -> Result<Vec<(LotId, i64)>, sqlx::Error> {
    if points == 0 {
        return Ok(Vec::new());
    }
    let lots = active_lots(tx, whose, None).await?;
    draw_from(tx, lots, points, but).await
}

/// The same from these lots.
async fn draw_from(
    tx: &mut Tx,
    lots: Vec<(LotId, i64)>,
    mut points: i64,
    mut but: i64,
) -> Result<Vec<(LotId, i64)>, sqlx::Error> {
    let mut drawn = Vec::new();
    for (lot, remaining) in lots {
        let kept = remaining.min(but);
        but -= kept;
        let part = (remaining - kept).min(points);
        if part > 0 {
            draw(tx, lot, part).await?;
            drawn.push((lot, part));
            points -= part;
        }
        if points == 0 {
            break;
        }
    }
    Ok(drawn)
}

/// What expired of a lot, and did not come back.
#[derive(sqlx::FromRow)]
struct Expired {
    id: AllocationId,
    lot_id: LotId,
    points: i64,
    activates_at: DateTime<Utc>,
    /// What of it is still to be had.
    #[sqlx(skip)]
    left: i64,
}

/// What expired of a customer's lots after a moment, what expired first first: for what had happened by then, and comes late. In
/// time it would have been taken from these lots before others.
struct Over(Vec<Expired>);

/// A part of what expired: of which lot, and how many points.
type Undone = (AllocationId, LotId, i64);

impl Over {
    async fn since(
        tx: &mut Tx,
        (customer, program): (CustomerId, ProgramId),
        since: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        const SQL: &str = "SELECT o.id, o.lot_id, o.points, o.activates_at FROM (SELECT x.id, x.lot_id, l.activates_at, \
            l.expires_at, CAST(x.points - COALESCE((SELECT SUM(r.points) FROM restorations r \
            WHERE r.allocation_id = x.id), 0) AS BIGINT) AS points FROM lots l JOIN allocations x ON x.lot_id = l.id \
            JOIN transactions t ON t.id = x.transaction_id AND t.kind = 'expiry' \
            WHERE l.customer_id = $1 AND l.program_id = $2 AND l.expires_at > $3) o \
            WHERE o.points > 0 ORDER BY o.expires_at, o.lot_id, o.id";
        if since >= tx.now() {
            return Ok(Self(Vec::new()));
        }
        let mut rows: Vec<Expired> = on!(tx, |c| sqlx::query_as(SQL)
            .bind(customer)
            .bind(program)
            .bind(since)
            .fetch_all(c)
            .await)?;
        for one in &mut rows {
            one.left = one.points;
        }
        Ok(Self(rows))
    }

    /// How much of a lot there was, and how much of it is still to be had.
    fn of(&self, lot: LotId) -> (i64, i64) {
        let of_it = || self.0.iter().filter(|one| one.lot_id == lot);
        (of_it().map(|one| one.points).sum(), of_it().map(|one| one.left).sum())
    }

    /// Takes up to so many points of those that fit.
    fn take(&mut self, mut points: i64, fits: impl Fn(&Expired) -> bool) -> Vec<Undone> {
        let mut taken = Vec::new();
        for one in self.0.iter_mut().filter(|one| one.left > 0 && fits(one)) {
            let part = one.left.min(points);
            if part == 0 {
                break;
            }
            one.left -= part;
            points -= part;
            taken.push((one.id, one.lot_id, part));
        }
        taken
    }

    /// What a return of a moment takes of it: so many points of its own lot, and up to so many in place of what other lots have
    /// left, of those that could be spent then. Tells how many these are, too.
    fn take_back(&mut self, (lot, own): (LotId, i64), others: i64, at: DateTime<Utc>) -> (Vec<Undone>, i64) {
        let mut undone = self.take(own, |one| one.lot_id == lot);
        let of_others = self.take(others, |one| one.activates_at <= at);
        let points = of_others.iter().map(|(.., part)| part).sum();
        undone.extend(of_others);
        (undone, points)
    }
}

impl Book {
    /// Undoes what expired, for something of `purchase` that takes it again in the same transaction of the database: so it pays no
    /// debt, and its lots stay over. No partner has a part in it ([`Book::funded`]). Tells how many points that is.
    fn undo_expiry(
        &mut self,
        now: DateTime<Utc>,
        whose: (ProgramId, CustomerId),
        purchase: Option<PurchaseId>,
        undone: &[Undone],
    ) -> i64 {
        let points: i64 = undone.iter().map(|(.., part)| part).sum();
        if points > 0 {
            let funded = std::mem::take(&mut self.funded);
            let changes = [(AccountKind::Active, points)];
            let (kind, against) = (TransactionKind::Expiry, Some(AccountKind::Expired));
            let transaction = self.post(now, kind, whose, purchase, now, &changes, against);
            self.funded = funded;
            for (allocation, lot, part) in undone {
                self.restore(*allocation, transaction, *lot, *part);
            }
        }
        points
    }
}

/// How many lots one transaction of the daily work takes.
const BATCH: i64 = 2048;

#[derive(sqlx::FromRow)]
struct DueRow {
    id: LotId,
    program_id: ProgramId,
    customer_id: CustomerId,
    remaining: i64,
    at: DateTime<Utc>,
    purchase_id: Option<PurchaseId>,
    reward_id: Option<RewardId>,
    /// When the lot was written down.
    recorded_at: DateTime<Utc>,
}

impl DueRow {
    /// Its day had come before it was written down: it is history that was brought in, and nobody is told of it.
    fn is_history(&self) -> bool {
        self.at <= self.recorded_at
    }
}

/// Leaves to be told of only whose points move today.
fn but_history(book: &mut Book, rows: &[DueRow]) {
    let today: BTreeSet<CustomerId> = rows
        .iter()
        .filter(|row| !row.is_history())
        .map(|row| row.customer_id)
        .collect();
    book.moved.retain(|customer| today.contains(customer));
}

/// Of a customer of whom nothing is reserved in the lot's program: only a part of the others' lots may expire.
macro_rules! unreserved {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.reserved > 0 AND a.customer_id = lots.customer_id \
         AND a.program_id = lots.program_id)"
    };
}

/// What is told of lots that have moved on: the columns of [`DueRow`].
macro_rules! moved_on {
    ($when:literal) => {
        concat!(
            " RETURNING id, program_id, customer_id, remaining, ",
            $when,
            " AS at, \
             (SELECT t.purchase_id FROM transactions t WHERE t.id = lots.transaction_id) AS purchase_id, \
             (SELECT t.reward_id FROM transactions t WHERE t.id = lots.transaction_id) AS reward_id, \
             (SELECT t.recorded_at FROM transactions t WHERE t.id = lots.transaction_id) AS recorded_at"
        )
    };
}

/// Moves lots on whose day has come, and returns them. The second look at the state makes two processes share the lots
/// between them.
macro_rules! move_due {
    ($from:literal, $to:literal, $when:literal, $whose:expr, $but:expr) => {
        concat!(
            "UPDATE lots SET state = '",
            $to,
            "' WHERE state = '",
            $from,
            "' AND id IN (SELECT id FROM lots \
             WHERE state = '",
            $from,
            "' AND ",
            $when,
            " <= $1",
            $whose,
            $but,
            " ORDER BY ",
            $when,
            ", id LIMIT $2)",
            moved_on!($when)
        )
    };
}

/// A batch of everybody's lots whose day has come by `until`, moved on by this text.
async fn due(tx: &mut Tx, of_all: &'static str, until: DateTime<Utc>) -> Result<Vec<DueRow>, sqlx::Error> {
    on!(tx, |c| sqlx::query_as(of_all)
        .bind(until)
        .bind(BATCH)
        .fetch_all(c)
        .await)
}

/// All of one customer's.
async fn due_of(
    tx: &mut Tx,
    of_one: &'static str,
    until: DateTime<Utc>,
    customer: CustomerId,
) -> Result<Vec<DueRow>, sqlx::Error> {
    on!(tx, |c| sqlx::query_as(of_one)
        .bind(until)
        .bind(i64::MAX)
        .bind(customer)
        .fetch_all(c)
        .await)
}

/// A batch of everybody's lots that are over by `until`. Whether any of it is reserved is asked once its customer is held: the
/// promise may be made at this moment, before the end of the points.
async fn over(tx: &mut Tx, until: DateTime<Utc>) -> Result<Vec<DueRow>, sqlx::Error> {
    const DUE: &str = concat!(
        "SELECT id, customer_id FROM lots WHERE state = 'active' AND expires_at <= $1",
        unreserved!(),
        " ORDER BY expires_at, id LIMIT $2"
    );
    const STILL: &str = concat!("state = 'active'", unreserved!());
    let due: Vec<(LotId, CustomerId)> = on!(tx, |c| sqlx::query_as(DUE).bind(until).bind(BATCH).fetch_all(c).await)?;
    let whose: BTreeSet<Uuid> = due.iter().map(|(_, customer)| customer.0).collect();
    if whose.is_empty() {
        return Ok(Vec::new());
    }
    lock(tx, &whose.into_iter().collect::<Vec<_>>()).await?;
    let mut rows = Vec::with_capacity(due.len());
    for part in due.chunks(LIST) {
        let query = ListQuery::new("UPDATE lots SET state = 'expired'")
            .within("id", part.iter().map(|(lot, _)| Bind::Id(lot.0)))
            .filter(STILL, [])
            .tail(moved_on!("expires_at"));
        rows.extend(db::list::<DueRow>(tx, query).await?);
    }
    Ok(rows)
}

/// Makes pending lots active; of everybody (a batch), or of one customer (all). Tells how many.
async fn activate(tx: &mut Tx, until: DateTime<Utc>, customer: Option<CustomerId>) -> Result<u64, sqlx::Error> {
    const SQL: [&str; 2] = [
        move_due!("pending", "active", "activates_at", "", ""),
        move_due!("pending", "active", "activates_at", " AND customer_id = $3", ""),
    ];
    let mut rows = match customer {
        None => due(tx, SQL[0], until).await?,
        Some(customer) => due_of(tx, SQL[1], until, customer).await?,
    };
    rows.sort_unstable_by_key(|row| (row.at, row.id));
    let now = tx.now();
    let mut book = Book::new();
    for row in rows.iter().filter(|row| row.remaining > 0) {
        let points = row.remaining;
        book.reward = row.reward_id;
        let transaction = book.post(
            now,
            TransactionKind::Activation,
            (row.program_id, row.customer_id),
            row.purchase_id,
            row.at,
            &[(AccountKind::Pending, -points), (AccountKind::Active, points)],
            None,
        );
        let (program, customer) = (row.program_id, row.customer_id);
        book.activated.push(Activated {
            lot: row.id,
            transaction,
            program,
            customer,
            points,
        });
    }
    but_history(&mut book, &rows);
    book.write(tx).await?;
    let mut news: BTreeMap<CustomerId, i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.remaining > 0 && !row.is_history()) {
        *news.entry(row.customer_id).or_default() += row.remaining;
    }
    notification::active(tx, &news).await?;
    Ok(rows.len() as u64)
}

/// Ends lots; of everybody (a batch), or of one customer (all), whom whoever calls this has locked. Tells how many.
async fn expire(tx: &mut Tx, until: DateTime<Utc>, customer: Option<CustomerId>) -> Result<u64, sqlx::Error> {
    const OF_ONE: &str = move_due!(
        "active",
        "expired",
        "expires_at",
        " AND customer_id = $3",
        unreserved!()
    );
    let mut rows = match customer {
        None => over(tx, until).await?,
        Some(customer) => due_of(tx, OF_ONE, until, customer).await?,
    };
    rows.sort_unstable_by_key(|row| (row.at, row.id));
    let now = tx.now();
    let mut book = Book::new();
    for row in rows.iter().filter(|row| row.remaining > 0) {
        book.reward = row.reward_id;
        let transaction = book.post(
            now,
            TransactionKind::Expiry,
            (row.program_id, row.customer_id),
            row.purchase_id,
            row.at,
            &[(AccountKind::Active, -row.remaining)],
            Some(AccountKind::Expired),
        );
        book.allocate(row.id, transaction, row.remaining, None);
    }
    but_history(&mut book, &rows);
    book.write(tx).await?;
    for part in rows.chunks(LIST) {
        let ids = part.iter().map(|row| Bind::Id(row.id.0));
        db::list::<(i64,)>(tx, ListQuery::new("UPDATE lots SET remaining = 0").within("id", ids)).await?;
    }
    Ok(rows.len() as u64 + expire_beside(tx, until, customer).await?)
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    id: LotId,
    remaining: i64,
    expires_at: DateTime<Utc>,
    purchase_id: Option<PurchaseId>,
    reward_id: Option<RewardId>,
}

/// Ends what is due of customers who have reserved something, except for what was reserved before its end: that lies in the lots
/// that expire first. Whatever is reserved later lies in others. Tells of how many lots it took anything.
async fn expire_beside(tx: &mut Tx, until: DateTime<Utc>, customer: Option<CustomerId>) -> Result<u64, sqlx::Error> {
    macro_rules! due {
        ($whose:literal) => {
            concat!(
                "SELECT a.customer_id, a.program_id FROM accounts a WHERE a.reserved > 0",
                $whose,
                " AND EXISTS (SELECT 1 FROM lots l WHERE l.customer_id = a.customer_id \
                 AND l.program_id = a.program_id AND l.state = 'active' AND l.expires_at <= $1)"
            )
        };
    }
    const LOTS: &str = "SELECT l.id, l.remaining, l.expires_at, t.purchase_id, t.reward_id FROM lots l \
        JOIN transactions t ON t.id = l.transaction_id \
        WHERE l.customer_id = $1 AND l.program_id = $2 AND l.state = 'active' AND l.expires_at <= $3 \
        ORDER BY l.expires_at, l.id";
    const RESERVED: &str =
        "SELECT created_at, points FROM reservations WHERE customer_id = $1 AND program_id = $2 AND state = 'held'";
    const END: &str = "UPDATE lots SET state = 'expired' WHERE id = $1 AND remaining = 0";
    let mut due: Vec<(CustomerId, ProgramId)> = match customer {
        None => on!(tx, |c| sqlx::query_as(due!("")).bind(until).fetch_all(c).await)?,
        Some(id) => on!(tx, |c| sqlx::query_as(due!(" AND a.customer_id = $2"))
            .bind(until)
            .bind(id)
            .fetch_all(c)
            .await)?,
    };
    due.sort_unstable();
    let now = tx.now();
    let mut ended = 0;
    for (customer, program) in due {
        lock(tx, &[customer.0]).await?;
        let reserved: Vec<(DateTime<Utc>, i64)> = on!(tx, |c| sqlx::query_as(RESERVED)
            .bind(customer)
            .bind(program)
            .fetch_all(c)
            .await)?;
        let lots: Vec<HeldRow> = on!(tx, |c| sqlx::query_as(LOTS)
            .bind(customer)
            .bind(program)
            .bind(until)
            .fetch_all(c)
            .await)?;
        let mut book = Book::new();
        let mut kept = 0;
        for lot in lots {
            let before = reserved.iter().filter(|(made, _)| *made < lot.expires_at);
            let promised: i64 = before.map(|(_, points)| points).sum();
            let held = lot.remaining.min((promised - kept).max(0));
            kept += held;
            let over = lot.remaining - held;
            if held > 0 && over == 0 {
                continue;
            }
            if over > 0 {
                book.reward = lot.reward_id;
                let transaction = book.post(
                    now,
                    TransactionKind::Expiry,
                    (program, customer),
                    lot.purchase_id,
                    lot.expires_at,
                    &[(AccountKind::Active, -over)],
                    Some(AccountKind::Expired),
                );
                book.allocate(lot.id, transaction, over, None);
                draw(tx, lot.id, over).await?;
            }
            on!(tx, |c| sqlx::query(END).bind(lot.id).execute(c).await.map(drop))?;
            ended += 1;
        }
        book.write(tx).await?;
    }
    Ok(ended)
}

/// The daily work: ends reservations that nobody captured, lets transfers arrive, activates and expires what is due, each
/// with the moment it was due as its time. It may come late, twice, or from several processes at once.
pub async fn run_due(db: &Db, _: &System) -> Result<Report, Error> {
    let mut report = Report::default();
    for step in [Step::Lapse, Step::Transfer, Step::Activate, Step::Expire] {
        loop {
            let moved = db
                .write(|tx| {
                    scoped(async move {
                        let now = tx.now();
                        Ok::<_, Error>(match step {
                            Step::Lapse => spending::lapse(tx, now, None).await?,
                            Step::Transfer => transfers::complete(tx, now, None).await?,
                            Step::Activate => activate(tx, now, None).await?,
                            Step::Expire => expire(tx, now, None).await?,
                        })
                    })
                })
                .await?;
            if moved == 0 {
                break;
            }
            match step {
                Step::Lapse => report.lapsed += moved,
                Step::Transfer => report.transferred += moved,
                Step::Activate => report.activated += moved,
                Step::Expire => report.expired += moved,
            }
        }
    }
    Ok(report)
}

/// The parts of the daily work, in their order.
#[derive(Clone, Copy)]
enum Step {
    Lapse,
    Transfer,
    Activate,
    Expire,
}

#[derive(sqlx::FromRow)]
struct BalanceRow {
    program_id: ProgramId,
    #[sqlx(json)]
    name: Localized,
    active: i64,
    pending: i64,
    reserved: i64,
    expires_at: Option<DateTime<Utc>>,
    reserved_until: Option<DateTime<Utc>>,
}

/// What a customer has: active, pending, and what expires next.
pub async fn balance(conn: &mut Conn, of: Subject) -> Result<Balance, Error> {
    const ACCOUNTS: &str = "SELECT a.program_id, v.name, \
        CAST(SUM(CASE WHEN a.kind = 'active' THEN a.balance ELSE 0 END) AS BIGINT) AS active, \
        CAST(SUM(CASE WHEN a.kind = 'pending' THEN a.balance ELSE 0 END) AS BIGINT) AS pending, \
        CAST(SUM(a.reserved) AS BIGINT) AS reserved, (SELECT l.expires_at FROM lots l WHERE l.customer_id = $1 AND l.program_id = a.program_id \
        AND l.state = 'active' AND l.remaining > 0 ORDER BY l.expires_at LIMIT 1) AS expires_at, \
        (SELECT MAX(r.expires_at) FROM reservations r WHERE r.customer_id = $1 AND r.program_id = a.program_id \
        AND r.state = 'held') AS reserved_until \
        FROM accounts a JOIN programs p ON p.id = a.program_id \
        JOIN program_versions v ON v.program_id = a.program_id AND v.version = COALESCE((SELECT MAX(w.version) \
        FROM program_versions w WHERE w.program_id = a.program_id AND w.published_at <= $2), 1) \
        WHERE a.customer_id = $1 GROUP BY a.program_id, v.name, p.position ORDER BY p.position, a.program_id";
    // The index tells when lots expire: those that are over, which only become more, are passed by without being read.
    const NEXT: &str = "SELECT program_id, expires_at, CAST(SUM(remaining) AS BIGINT) FROM lots WHERE customer_id = $1 \
        AND state = 'active' AND remaining > 0 AND expires_at >= $2 AND expires_at < $3 GROUP BY program_id, expires_at";
    let now = conn.now();
    let shop = conn.shop().clone();
    let rows: Vec<BalanceRow> = on!(conn, |c| sqlx::query_as(ACCOUNTS)
        .bind(of.id())
        .bind(now)
        .fetch_all(c)
        .await)?;
    // Of each program: when the day ends on which anything expires next.
    let day_end = |at: DateTime<Utc>| shop.day(at).succ_opt().map_or(at, |next| shop.midnight(next));
    let first = rows.iter().filter_map(|row| row.expires_at).min();
    let last = rows.iter().filter_map(|row| row.expires_at).map(day_end).max();
    let expiring: Vec<(ProgramId, DateTime<Utc>, i64)> = match first.zip(last) {
        Some((first, last)) => on!(conn, |c| sqlx::query_as(NEXT)
            .bind(of.id())
            .bind(first)
            .bind(last)
            .fetch_all(c)
            .await)?,
        None => Vec::new(),
    };
    let programs = rows.into_iter().map(|row| {
        let next_expiry = row.expires_at.map(|at| {
            let end = day_end(at);
            let of_day = expiring
                .iter()
                .filter(|(program, expires_at, _)| *program == row.program_id && *expires_at < end);
            Expiry {
                points: of_day.map(|(.., points)| points).sum(),
                at,
            }
        });
        ProgramBalance {
            program: row.program_id,
            name: row.name,
            active: row.active,
            pending: row.pending,
            reserved: row.reserved,
            reserved_until: row.reserved_until.filter(|_| row.reserved != 0),
            next_expiry,
        }
    });
    let programs: Vec<ProgramBalance> = programs.collect();
    let expiries = || programs.iter().filter_map(|program| program.next_expiry);
    let next_expiry = expiries().map(|expiry| expiry.at).min().map(|at| Expiry {
        points: expiries()
            .filter(|expiry| shop.day(expiry.at) == shop.day(at))
            .map(|expiry| expiry.points)
            .sum(),
        at,
    });
    Ok(Balance {
        active: programs.iter().map(|p| p.active).sum(),
        pending: programs.iter().map(|p| p.pending).sum(),
        reserved: programs.iter().map(|p| p.reserved).sum(),
        next_expiry,
        programs,
    })
}

/// What a customer can spend in a program at a moment. Points are hundredths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spendable {
    /// The program.
    pub(crate) program: ProgramId,
    /// How many.
    pub(crate) points: i64,
    /// Of them: those that expire soon afterwards.
    pub(crate) expiring: i64,
}

/// What a customer could spend at a moment, now or later, if nothing else happened until then: what will have become
/// active, and not expired, less a debt and what a till holds. `soon` is by when points expire soon.
pub(crate) async fn spendable(
    conn: &mut Conn,
    of: Subject,
    at: DateTime<Utc>,
    soon: DateTime<Utc>,
) -> Result<Vec<Spendable>, sqlx::Error> {
    const SQL: &str = "SELECT l.program_id, CAST(SUM(l.remaining) AS BIGINT), \
        CAST(SUM(CASE WHEN l.expires_at <= $3 THEN l.remaining ELSE 0 END) AS BIGINT), \
        a.reserved - CASE WHEN a.balance < 0 THEN a.balance ELSE 0 END \
        FROM lots l JOIN accounts a ON a.program_id = l.program_id AND a.customer_id = l.customer_id AND a.kind = 'active' \
        WHERE l.customer_id = $1 AND l.remaining > 0 AND l.state IN ('pending', 'active') AND l.activates_at <= $2 \
        AND l.expires_at > $2 GROUP BY l.program_id, a.reserved, a.balance ORDER BY l.program_id";
    let rows: Vec<(ProgramId, i64, i64, i64)> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(at)
        .bind(soon)
        .fetch_all(c)
        .await)?;
    let held = |(program, points, expiring, taken): (ProgramId, i64, i64, i64)| {
        let points = (points - taken).max(0);
        Spendable {
            program,
            points,
            expiring: expiring.min(points),
        }
    };
    Ok(rows.into_iter().map(held).collect())
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: TransactionId,
    at: DateTime<Utc>,
    kind: TransactionKind,
    program_id: ProgramId,
    #[sqlx(json)]
    name: Localized,
    purchase_id: Option<PurchaseId>,
    document: Option<String>,
    store: Option<Json<Localized>>,
    note: Option<String>,
    active: i64,
    pending: i64,
    activates_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

/// The statement of points, the newest first, from `before` on.
pub async fn history(conn: &mut Conn, of: Subject, before: Option<Before>, limit: i64) -> Result<Vec<Entry>, Error> {
    movements(conn, of, &Filter::default(), before, limit).await
}

/// The movements of a statement that a filter lets through, the newest first, from `before` on. The balances after each are
/// those of the whole statement.
pub async fn movements(
    conn: &mut Conn,
    of: Subject,
    filter: &Filter,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    const ENTRIES: &str = "SELECT t.id, t.at, t.kind, t.program_id, v.name, t.purchase_id, p.document, s.name AS store, j.note, \
        CAST(SUM(CASE WHEN a.kind = 'active' THEN o.amount ELSE 0 END) AS BIGINT) AS active, \
        CAST(SUM(CASE WHEN a.kind = 'pending' THEN o.amount ELSE 0 END) AS BIGINT) AS pending, \
        l.activates_at, l.expires_at FROM (SELECT id, at, kind, program_id, purchase_id FROM transactions WHERE customer_id = $1 \
        AND (at, id) < ($2, $3) AND ($6 IS NULL OR program_id = $6) AND ($7 IS NULL OR $7 = CASE kind \
        WHEN 'accrual' THEN 'earned' WHEN 'activation' THEN 'earned' WHEN 'redemption' THEN 'spent' \
        WHEN 'expiry' THEN 'expired' ELSE 'other' END) AND ($8 IS NULL OR at >= $8) AND ($9 IS NULL OR at < $9) \
        ORDER BY at DESC, id DESC LIMIT $4) t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id \
        JOIN program_versions v ON v.program_id = t.program_id AND v.version = COALESCE((SELECT MAX(w.version) \
        FROM program_versions w WHERE w.program_id = t.program_id AND w.published_at <= $5), 1) \
        LEFT JOIN purchases p ON p.id = t.purchase_id LEFT JOIN stores s ON s.id = p.store_id \
        LEFT JOIN adjustments j ON j.transaction_id = t.id \
        LEFT JOIN lots l ON l.transaction_id = t.id AND t.kind IN ('accrual', 'adjustment') \
        GROUP BY t.id, t.at, t.kind, t.program_id, v.name, t.purchase_id, p.document, s.name, j.note, l.activates_at, \
        l.expires_at \
        ORDER BY t.at DESC, t.id DESC";
    let now = conn.now();
    let shop = conn.shop().clone();
    let start = before.unwrap_or((DateTime::<Utc>::MAX_UTC.min(far()), Uuid::max()));
    let next = filter.to.and_then(|to| to.succ_opt());
    let rows: Vec<EntryRow> = on!(conn, |c| sqlx::query_as(ENTRIES)
        .bind(of.id())
        .bind(start.0)
        .bind(start.1)
        .bind(limit)
        .bind(now)
        .bind(filter.program)
        .bind(filter.sort.map(Sort::as_str))
        .bind(filter.from.map(|day| shop.midnight(day)))
        .bind(next.map(|day| shop.midnight(day)))
        .fetch_all(c)
        .await)?;
    let mut running = held_before(conn, of, before).await?;
    // What a filter leaves out changed the balances as well.
    let mut between = match rows.last().filter(|_| *filter != Filter::default()) {
        Some(last) => changes(conn, of, start, (last.at, last.id.0)).await?,
        None => Vec::new(),
    };
    let shown: HashSet<TransactionId> = rows.iter().map(|row| row.id).collect();
    between.retain(|change| !shown.contains(&change.id));
    let mut between = between.into_iter().peekable();
    let mut all: i64 = running.values().sum();
    let moved = rows.iter().filter(|row| row.kind == TransactionKind::Transfer);
    let moved: Vec<_> = moved.map(|row| (row.id, row.program_id, row.at)).collect();
    let mut others = transfers::others(conn, of, &moved).await?;
    let rewarded = rows.iter().filter(|row| row.purchase_id.is_none());
    let rewarded: Vec<TransactionId> = rewarded.map(|row| row.id).collect();
    let mut rewards = rewards::of(conn, of, &rewarded).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            while let Some(later) = between.next_if(|change| (change.at, change.id) > (row.at, row.id)) {
                *running.entry(later.program_id).or_default() -= later.amount;
                all -= later.amount;
            }
            let held = running.entry(row.program_id).or_default();
            let (balance, total) = (*held, all);
            *held -= row.active;
            all -= row.active;
            Entry {
                id: row.id,
                at: row.at,
                kind: row.kind,
                program: row.program_id,
                name: row.name,
                purchase: row.purchase_id,
                document: row.document,
                store: row.store.map(|name| name.0),
                note: row.note.filter(|note| !note.is_empty()),
                active: row.active,
                pending: row.pending,
                balance,
                total,
                term: row.activates_at.zip(row.expires_at),
                other: others.remove(&row.id),
                reward: rewards.remove(&row.id),
            }
        })
        .collect())
}

/// What moved a customer's points from a day up to another, both included, where the shop is: the last `limit` movements, and
/// what there was before and after them.
pub async fn statement(
    conn: &mut Conn,
    of: Subject,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    limit: usize,
) -> Result<Statement, Error> {
    let filter = Filter {
        from,
        to,
        ..Filter::default()
    };
    let mut entries = movements(conn, of, &filter, None, limit as i64 + 1).await?;
    let is_cut = entries.len() > limit;
    entries.truncate(limit);
    entries.reverse();
    let end = to.and_then(|to| to.succ_opt());
    let end = end.map(|next| (conn.shop().midnight(next), Uuid::nil()));
    let held = held_before(conn, of, end).await?;
    let mut ends: BTreeMap<ProgramId, (i64, i64)> = held.into_iter().map(|(id, held)| (id, (held, held))).collect();
    // Where something moved, by the movements: so the statement adds up, whatever is booked while it is written.
    let mut moved: BTreeMap<ProgramId, (i64, i64)> = BTreeMap::new();
    for entry in &entries {
        let (_, after) = moved
            .entry(entry.program)
            .or_insert((entry.balance - entry.active, entry.balance));
        *after = entry.balance;
    }
    ends.extend(moved);
    let programs: BTreeSet<ProgramId> = ends.keys().copied().collect();
    let mut names = names(conn, &programs).await?;
    let ends = ends.into_iter().filter_map(|(program, (before, after))| {
        let (_, name) = names.remove(&program)?;
        Some(Ends {
            program,
            name,
            before,
            after,
        })
    });
    Ok(Statement {
        programs: ends.collect(),
        entries,
        is_cut,
    })
}

/// A change of active points of a program.
#[derive(sqlx::FromRow)]
struct Change {
    at: DateTime<Utc>,
    id: TransactionId,
    program_id: ProgramId,
    amount: i64,
}

/// What changed a customer's active points before a place in the statement, from another place on; the newest first.
async fn changes(conn: &mut Conn, of: Subject, before: Before, from: Before) -> Result<Vec<Change>, sqlx::Error> {
    const SQL: &str = "SELECT t.at, t.id, t.program_id, CAST(SUM(o.amount) AS BIGINT) AS amount FROM transactions t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id AND a.kind = 'active' \
        WHERE t.customer_id = $1 AND (t.at, t.id) < ($2, $3) AND (t.at, t.id) >= ($4, $5) \
        GROUP BY t.at, t.id, t.program_id ORDER BY t.at DESC, t.id DESC";
    on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(before.0)
        .bind(before.1)
        .bind(from.0)
        .bind(from.1)
        .fetch_all(c)
        .await)
}

/// A customer's active points in each program before a place in the statement; now, where none is named.
async fn held_before(
    conn: &mut Conn,
    of: Subject,
    before: Option<Before>,
) -> Result<HashMap<ProgramId, i64>, sqlx::Error> {
    const NOW: &str = "SELECT program_id, balance FROM accounts WHERE customer_id = $1 AND kind = 'active'";
    const LATER: &str = "SELECT a.program_id, CAST(SUM(o.amount) AS BIGINT) FROM transactions t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id AND a.kind = 'active' \
        WHERE t.customer_id = $1 AND (t.at, t.id) >= ($2, $3) GROUP BY a.program_id";
    let balances: Vec<(ProgramId, i64)> = on!(conn, |c| sqlx::query_as(NOW).bind(of.id()).fetch_all(c).await)?;
    let mut held: HashMap<ProgramId, i64> = balances.into_iter().collect();
    if let Some((at, id)) = before {
        let later: Vec<(ProgramId, i64)> = on!(conn, |c| sqlx::query_as(LATER)
            .bind(of.id())
            .bind(at)
            .bind(id)
            .fetch_all(c)
            .await)?;
        for (program, amount) in later {
            *held.entry(program).or_default() -= amount;
        }
    }
    Ok(held)
}

/// Later than everything that a list can hold, and sorted so as text too.
pub(crate) fn far() -> DateTime<Utc> {
    DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default()
}

#[derive(sqlx::FromRow)]
struct EarnedRow {
    line_id: LineId,
    purchase_id: PurchaseId,
    article: String,
    program_id: ProgramId,
    program_version: i64,
    name: Json<Localized>,
    share: i64,
    lot_id: LotId,
    state: LotState,
    points: i64,
    taken_back: i64,
    activates_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// What the lines of a customer's receipt earned. Empty for a receipt of somebody else.
pub async fn earned_on(conn: &mut Conn, of: Subject, purchase: PurchaseId) -> Result<Vec<Earned>, Error> {
    let query = ListQuery::new(EARNED).filter("l.purchase_id = ?", [Bind::Id(purchase.0)]);
    let earned = earned(conn, of, query).await?;
    Ok(earned.into_iter().map(|(_, earned)| earned).collect())
}

const EARNED: &str = "SELECT a.line_id, l.purchase_id, r.name AS article, a.program_id, a.program_version, v.name, v.share, \
    a.lot_id, t.state, a.points, a.taken_back, t.activates_at, t.expires_at \
    FROM purchase_lines l JOIN accruals a ON a.line_id = l.id JOIN lots t ON t.id = a.lot_id \
    JOIN articles r ON r.id = l.article_id JOIN programs p ON p.id = a.program_id \
    JOIN program_versions v ON v.program_id = a.program_id AND v.version = a.program_version";

/// What lines of a customer's receipts earned, each with the name of its article. The query is [`EARNED`] with a condition.
async fn earned(conn: &mut Conn, of: Subject, query: ListQuery) -> Result<Vec<(String, Earned)>, Error> {
    let query = query
        .filter("t.customer_id = ?", [Bind::Id(of.id().0)])
        .tail("ORDER BY l.ordinal, p.position, p.id");
    let rows: Vec<EarnedRow> = db::list(conn, query).await?;
    let purchases: BTreeSet<PurchaseId> = rows.iter().map(|row| row.purchase_id).collect();
    let given = match purchases.is_empty() {
        true => Parts::default(),
        false => parts_of(conn, &purchases).await?,
    };
    let parts = |row: &EarnedRow| {
        let mut parts = given.points(row.line_id, row.program_id);
        let own = row.points - parts.iter().map(|part| part.amount).sum::<i64>();
        let share = Part {
            by: Source::Program(row.program_version),
            name: row.name.0.clone(),
            amount: own,
            partner: None,
        };
        parts.splice(0..0, (own != 0).then_some(share));
        parts
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let earned = Earned {
                parts: parts(&row),
                line: row.line_id,
                program: row.program_id,
                version: row.program_version,
                name: row.name.0,
                share: row.share,
                lot: row.lot_id,
                state: row.state,
                points: row.points,
                taken_back: row.taken_back,
                activates_at: row.activates_at,
                expires_at: row.expires_at,
            };
            (row.article, earned)
        })
        .collect())
}
