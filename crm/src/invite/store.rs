//! Invitations in the database: codes, who came by them, and what the inviters are given.
//!
//! An invitation is bound to the first purchase that the friend makes after the registration. The inviter's rules are asked
//! about it in the transaction that books it, once. Where that receipt is voided, the next purchase is the first one.

use super::{Invitation, LENGTH, SIGNS, State, code as parse};
use crate::audit::{self, Actor};
use crate::customer::store as customers;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, PurchaseId};
use crate::limits;
use crate::on;
use crate::points::Before;
use crate::points::store::{LIST, Occasion as Coming, Sale, far};
use crate::rule::store::{Timeline, rewarding, timeline};
use crate::rule::{Condition, Occasion, Rule};
use crate::shop::Shop;
use crate::who::{Customer, Subject, System};
use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A customer's code, once they have asked for one.
pub async fn code_of(conn: &mut Conn, of: Subject) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT code FROM invite_codes WHERE customer_id = $1";
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(of.id())
        .fetch_optional(c)
        .await)?)
}

/// Gives a customer a code; who has one keeps it.
pub async fn begin(db: &Db, by: &Customer) -> Result<String, Error> {
    db.write(|tx| {
        scoped(async move {
            let before = code_of(tx, by.me()).await?;
            if let Some(code) = before {
                return Ok(code);
            }
            let code = issue(tx, by.id()).await?;
            by.record(tx, "invite.begin", None).await?;
            Ok(code)
        })
    })
    .await
}

/// The same for the demonstration, within a transaction.
pub async fn begin_by_system(tx: &mut Tx, by: &System, customer: CustomerId) -> Result<String, Error> {
    match code_of(tx, by.subject(customer)).await? {
        Some(code) => Ok(code),
        None => issue(tx, customer).await,
    }
}

async fn issue(tx: &mut Tx, customer: CustomerId) -> Result<String, Error> {
    const SQL: &str =
        "INSERT INTO invite_codes (customer_id, code, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let (now, subject) = (tx.now(), System::at_the_command_line().subject(customer));
    // A code that is somebody else's is rare, a tenth one unheard of.
    for _ in 0..10 {
        let code: String = (0..LENGTH)
            .map(|_| char::from(SIGNS[rand::random_range(0..SIGNS.len())]))
            .collect();
        let rows = on!(tx, |c| sqlx::query(SQL)
            .bind(customer)
            .bind(&code)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if rows == 1 {
            return Ok(code);
        }
        // Somebody was quicker: the code is theirs by now.
        if let Some(code) = code_of(tx, subject).await? {
            return Ok(code);
        }
    }
    Err(db::Error::Inconsistent("no free code for an invitation".into()).into())
}

/// The first name of whoever hands a code on, for the page that it leads to. [`Error::NotFound`] for no code of anybody.
pub async fn inviter(conn: &mut Conn, raw: &str) -> Result<String, Error> {
    const SQL: &str = "SELECT c.name FROM invite_codes i JOIN customers c ON c.id = i.customer_id WHERE i.code = $1";
    let code = parse(raw).ok_or(Error::NotFound)?;
    let name: Option<String> = on!(conn, |c| sqlx::query_scalar(SQL).bind(code).fetch_optional(c).await)?;
    name.ok_or(Error::NotFound)
}

/// Notes by whose code a customer registered. A code that nobody has is none, nobody is invited by themselves, and who bought
/// before (they joined at a till) is no new customer.
pub(crate) async fn accept(tx: &mut Tx, invited: CustomerId, raw: &str) -> Result<(), Error> {
    // Of the attempt that ends with this registration.
    const NETWORK: &str = "SELECT a.network FROM attempts a JOIN contacts k ON k.kind = 'phone' AND k.value = a.address \
                           WHERE k.customer_id = $1 AND a.purpose = 'sign_in' ORDER BY a.created_at DESC LIMIT 1";
    let network: Option<String> = on!(tx, |c| sqlx::query_scalar(NETWORK)
        .bind(invited)
        .fetch_optional(c)
        .await)?;
    accept_from(tx, invited, raw, &network.unwrap_or_default())
        .await
        .map(drop)
}

/// The same for somebody at a network; false where it does not count, also because too many came by invitations from there
/// today.
async fn accept_from(tx: &mut Tx, invited: CustomerId, raw: &str, network: &str) -> Result<bool, Error> {
    const INVITER: &str = "SELECT COALESCE(c.merged_into, c.id) FROM invite_codes i JOIN customers c ON c.id = i.customer_id \
                           WHERE i.code = $1";
    const BOUGHT: &str = "SELECT id FROM purchases WHERE customer_id = $1 LIMIT 1";
    const SQL: &str = "INSERT INTO invitations (invited_id, inviter_id, created_at) VALUES ($1, $2, $3) \
                       ON CONFLICT (invited_id) DO NOTHING";
    let Some(code) = parse(raw) else { return Ok(false) };
    let inviter: Option<CustomerId> = on!(tx, |c| sqlx::query_scalar(INVITER).bind(code).fetch_optional(c).await)?;
    let Some(inviter) = inviter.filter(|inviter| *inviter != invited) else {
        return Ok(false);
    };
    let bought: Option<PurchaseId> = on!(tx, |c| sqlx::query_scalar(BOUGHT).bind(invited).fetch_optional(c).await)?;
    if bought.is_some() {
        return Ok(false);
    }
    let most = tx.shop().points.invited_per_network;
    if !network.is_empty() && !limits::take_today(tx, &format!("invited:{network}"), most).await? {
        return Ok(false);
    }
    let now = tx.now();
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(invited)
        .bind(inviter)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Whether a customer may still say by whose code they came: they registered a while ago at most, nobody invited them, and
/// they bought nothing yet.
pub async fn may_enter(conn: &mut Conn, of: Subject) -> Result<bool, Error> {
    const SQL: &str = "SELECT c.id FROM customers c WHERE c.id = $1 AND c.registered_at > $2 \
        AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.invited_id = c.id) \
        AND NOT EXISTS (SELECT 1 FROM purchases p WHERE p.customer_id = c.id)";
    let since = conn.now() - Duration::days(conn.shop().points.invitation_days);
    let found: Option<CustomerId> = on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(of.id())
        .bind(since)
        .fetch_optional(c)
        .await)?;
    Ok(found.is_some())
}

/// Notes by whose code a customer came who registered without it, and gives what the rules give to whoever was invited.
/// [`Error::Stale`] where they may not say so any more. Field: `code`.
pub async fn enter(db: &Db, by: &Customer, raw: &str) -> Result<(), Error> {
    db.write(|tx| {
        scoped(async move {
            if !may_enter(tx, by.me()).await? {
                return Err(Error::Stale);
            }
            if !accept_from(tx, by.id(), raw, by.network()).await? {
                return Err(Error::field("code", Flaw::NoInvitation));
            }
            by.record(tx, "invite.enter", None).await?;
            Ok(rewarding::on(tx, Occasion::Registration, by.id()).await?)
        })
    })
    .await
}

/// The same for the demonstration: as of a moment, and with the first purchase afterwards, if there was one.
pub async fn put(
    tx: &mut Tx,
    _by: &System,
    (inviter, invited): (CustomerId, CustomerId),
    at: DateTime<Utc>,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO invitations (invited_id, inviter_id, created_at) VALUES ($1, $2, $3) \
                       ON CONFLICT (invited_id) DO NOTHING";
    const FIRST: &str = "SELECT id, at FROM purchases WHERE customer_id = $1 AND kind = 'sale' AND voided_at IS NULL \
                         AND at >= $2 ORDER BY at, id LIMIT 1";
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(invited)
        .bind(inviter)
        .bind(at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    let first: Option<(PurchaseId, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(FIRST)
        .bind(invited)
        .bind(at)
        .fetch_optional(c)
        .await)?;
    if let Some((purchase, at)) = first.filter(|_| rows == 1) {
        let timeline = timeline(tx).await?;
        claim(tx, &timeline, (inviter, invited), purchase, at).await?;
    }
    Ok(())
}

/// Looks which of these sales are first purchases of friends, and asks the rules of whoever invited them.
pub(crate) async fn bought(tx: &mut Tx, timeline: &Timeline, sales: &[Sale]) -> Result<(), sqlx::Error> {
    const SELECT: &str = "SELECT invited_id, inviter_id, created_at FROM invitations";
    // What grows was bought before.
    let news = || sales.iter().filter(|sale| sale.occasion != Coming::Grown);
    let customers: BTreeSet<CustomerId> = news().filter_map(|sale| sale.customer).collect();
    let customers: Vec<CustomerId> = customers.into_iter().collect();
    for part in customers.chunks(LIST) {
        let query = ListQuery::new(SELECT)
            .within("invited_id", part.iter().map(|id| Bind::Id(id.0)))
            .filter("purchase_id IS NULL", []);
        for (invited, inviter, since) in db::list::<(CustomerId, CustomerId, DateTime<Utc>)>(tx, query).await? {
            let theirs = news().filter(|sale| sale.customer == Some(invited) && sale.at >= since);
            if let Some(first) = theirs.min_by_key(|sale| (sale.at, sale.purchase)) {
                claim(tx, timeline, (inviter, invited), first.purchase, first.at).await?;
            }
        }
    }
    Ok(())
}

/// Notes for staff what speaks for it that somebody invited themselves: one mailbox, one device in one network, or one network. A
/// household has all of them but the mailbox, so nothing more comes of it.
async fn look_twice(tx: &mut Tx, inviter: CustomerId, invited: CustomerId) -> Result<(), sqlx::Error> {
    const NEAR: &str = "SELECT a.device = b.device AS is_device FROM sessions a JOIN sessions b ON b.network = a.network \
                        WHERE a.customer_id = $1 AND b.customer_id = $2 AND a.network <> ''";
    const MAILBOXES: &str = "SELECT customer_id, value FROM contacts WHERE kind = 'email' AND customer_id IN ($1, $2)";
    let near: Vec<bool> = on!(tx, |c| sqlx::query_scalar(NEAR)
        .bind(inviter)
        .bind(invited)
        .fetch_all(c)
        .await)?;
    let all: Vec<(CustomerId, String)> = on!(tx, |c| sqlx::query_as(MAILBOXES)
        .bind(inviter)
        .bind(invited)
        .fetch_all(c)
        .await)?;
    let of = |whose: CustomerId| {
        all.iter()
            .filter(move |(id, _)| *id == whose)
            .map(|(_, value)| mailbox(value))
    };
    let is_one_mailbox = of(inviter).any(|one| of(invited).any(|other| other == one));
    let action = match (is_one_mailbox, near.contains(&true), near.is_empty()) {
        (true, ..) => "invite.same_mailbox",
        (_, true, _) => "invite.same_device",
        (_, _, false) => "invite.same_network",
        _ => return Ok(()),
    };
    let entry = audit::Entry {
        actor: Actor::System,
        actor_id: None,
        action,
        customer: Some(inviter),
        object: Some(invited.0),
        reason: "",
        network: "",
    };
    audit::record(tx, entry).await
}

/// Where mail to an address ends up at most providers: without full stops and what follows a plus in the name.
fn mailbox(address: &str) -> String {
    let (name, domain) = address.split_once('@').unwrap_or((address, ""));
    let name = name.split('+').next().unwrap_or_default().replace('.', "");
    format!("{name}@{domain}").to_lowercase()
}

/// The first day of the month of a moment, and that of the next one.
fn month(shop: &Shop, at: DateTime<Utc>) -> (NaiveDate, NaiveDate) {
    let day = shop.day(at);
    let first = day.with_day(1).unwrap_or(day);
    (
        first,
        first.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX),
    )
}

/// Binds an invitation to the first purchase, and asks the rules about it, unless the inviter was rewarded often enough in the
/// month of the purchase.
async fn claim(
    tx: &mut Tx,
    timeline: &Timeline,
    (inviter, invited): (CustomerId, CustomerId),
    purchase: PurchaseId,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const CLAIM: &str = "UPDATE invitations SET purchase_id = $2, bought_at = $3 \
                         WHERE invited_id = $1 AND purchase_id IS NULL";
    const REWARDED: &str = "SELECT COUNT(*) FROM invitations WHERE inviter_id = $1 AND rewarded_at IS NOT NULL \
                            AND bought_at >= $2 AND bought_at < $3";
    const DONE: &str = "UPDATE invitations SET rewarded_at = $2 WHERE invited_id = $1";
    const CAPPED: &str = "UPDATE invitations SET capped_at = $2 WHERE invited_id = $1";
    let rows = on!(tx, |c| sqlx::query(CLAIM)
        .bind(invited)
        .bind(purchase)
        .bind(at)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Ok(());
    }
    look_twice(tx, inviter, invited).await?;
    // Two friends who buy at the same moment are counted one after the other.
    customers::hold(tx, inviter).await?;
    let shop = tx.shop().clone();
    let (first, next) = month(&shop, at);
    let rewarded: i64 = on!(tx, |c| sqlx::query_scalar(REWARDED)
        .bind(inviter)
        .bind(shop.midnight(first))
        .bind(shop.midnight(next))
        .fetch_one(c)
        .await)?;
    if rewarded >= shop.points.invitations_per_month {
        let now = tx.now();
        return on!(tx, |c| sqlx::query(CAPPED)
            .bind(invited)
            .bind(now)
            .execute(c)
            .await
            .map(drop));
    }
    let event = rewarding::Event {
        occasion: Occasion::Referral,
        at,
        purchase: Some(purchase),
    };
    let given = rewarding::give(tx, timeline, event, &BTreeSet::from([inviter])).await?;
    if !given.is_empty() {
        let now = tx.now();
        on!(tx, |c| sqlx::query(DONE)
            .bind(invited)
            .bind(now)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

/// A receipt was voided: where it was a friend's first one, the next one is.
pub(crate) async fn forget(tx: &mut Tx, purchase: PurchaseId) -> Result<(), sqlx::Error> {
    const SQL: &str = "UPDATE invitations SET purchase_id = NULL, bought_at = NULL, rewarded_at = NULL, capped_at = NULL \
                       WHERE purchase_id = $1";
    on!(tx, |c| sqlx::query(SQL).bind(purchase).execute(c).await.map(drop))
}

#[derive(sqlx::FromRow)]
struct Row {
    invited_id: CustomerId,
    name: String,
    surname: String,
    created_at: DateTime<Utc>,
    is_bought: bool,
    is_rewarded: bool,
    is_capped: bool,
    points: i64,
    rest: i64,
}

/// Who came by a customer's code, the last one first, those before `before`.
pub async fn list(conn: &mut Conn, of: Subject, before: Option<Before>, limit: i64) -> Result<Vec<Invitation>, Error> {
    const SQL: &str = "SELECT i.invited_id, c.name, c.surname, i.created_at, i.purchase_id IS NOT NULL AS is_bought, \
        i.rewarded_at IS NOT NULL AS is_rewarded, i.capped_at IS NOT NULL AS is_capped, \
        CAST(COALESCE((SELECT SUM(a.points) FROM rewards r JOIN reward_accruals a ON a.reward_id = r.id \
        WHERE r.purchase_id = i.purchase_id AND r.customer_id = i.inviter_id), 0) AS BIGINT) AS points, \
        CAST(COALESCE((SELECT SUM(a.points - a.taken_back - a.forgiven) FROM rewards r \
        JOIN reward_accruals a ON a.reward_id = r.id \
        WHERE r.purchase_id = i.purchase_id AND r.customer_id = i.inviter_id), 0) AS BIGINT) AS rest \
        FROM invitations i JOIN customers c ON c.id = i.invited_id WHERE i.inviter_id = $1 \
        AND (i.created_at, i.invited_id) < ($2, $3) ORDER BY i.created_at DESC, i.invited_id DESC LIMIT $4";
    let (at, id) = before.unwrap_or((far(), Uuid::max()));
    let rows: Vec<Row> = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    let invitation = |row: Row| Invitation {
        name: match row.surname.chars().next() {
            Some(initial) => format!("{} {initial}.", row.name),
            None => row.name,
        },
        at: row.created_at,
        place: row.invited_id.0,
        state: match (row.is_bought, row.is_rewarded) {
            (false, _) => State::Registered,
            (true, false) if row.is_capped => State::Capped,
            (true, false) => State::Bought,
            (true, true) if row.points > 0 && row.rest == 0 => State::TakenBack,
            (true, true) => State::Rewarded { points: row.rest },
        },
    };
    Ok(rows.into_iter().map(invitation).collect())
}

/// How many friends a customer waits for, and what came of those who bought.
pub(crate) struct Standing {
    /// How many have bought nothing yet.
    pub(crate) waiting: i64,
    /// Where no other one is rewarded in this month: the first day of the next.
    pub(crate) closed_until: Option<NaiveDate>,
    /// When the last one bought for whom the rules gave nothing, though the month had room.
    pub(crate) unrewarded: Option<DateTime<Utc>>,
}

/// How a customer's invitations stand now.
pub(crate) async fn standing(conn: &mut Conn, of: Subject) -> Result<Standing, sqlx::Error> {
    const SQL: &str = "SELECT COUNT(*) - COUNT(purchase_id), \
        COUNT(CASE WHEN rewarded_at IS NOT NULL AND bought_at >= $2 AND bought_at < $3 THEN 1 END), \
        MAX(CASE WHEN rewarded_at IS NULL AND capped_at IS NULL THEN bought_at END) \
        FROM invitations WHERE inviter_id = $1";
    let shop = conn.shop().clone();
    let (first, next) = month(&shop, conn.now());
    let (waiting, rewarded, unrewarded): (i64, i64, Option<DateTime<Utc>>) = on!(conn, |c| sqlx::query_as(SQL)
        .bind(of.id())
        .bind(shop.midnight(first))
        .bind(shop.midnight(next))
        .fetch_one(c)
        .await)?;
    Ok(Standing {
        waiting,
        closed_until: (rewarded >= shop.points.invitations_per_month).then_some(next),
        unrewarded,
    })
}

/// What rules give for invitations now, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gives {
    /// To whoever invites, for a friend's first purchase.
    pub inviter: Vec<Rule>,
    /// To the friend: rules that ask whether somebody was invited.
    pub friend: Vec<Rule>,
}

/// What rules give for invitations now.
pub async fn gives(conn: &mut Conn) -> Result<Gives, Error> {
    let timeline = timeline(conn).await?;
    let now = conn.now();
    let mut found: BTreeMap<bool, Vec<Rule>> = BTreeMap::new();
    for occasion in [Occasion::Referral, Occasion::Registration, Occasion::Purchase] {
        let Some(rules) = timeline.on(occasion, now) else {
            continue;
        };
        let is_inviters = occasion == Occasion::Referral;
        let of_them = rules.published().iter().map(|published| &published.rule);
        let of_them = of_them.filter(|rule| is_inviters || rule.conditions.contains(&Condition::Invited));
        let of_them = of_them.filter(|rule| rule.valid.holds(now)).cloned();
        found.entry(is_inviters).or_default().extend(of_them);
    }
    Ok(Gives {
        inviter: found.remove(&true).unwrap_or_default(),
        friend: found.remove(&false).unwrap_or_default(),
    })
}
