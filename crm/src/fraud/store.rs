//! What was found, as staff look through it and decide; and the limits of rules. All of it demands the right `fraud`.
//!
//! That somebody looked or decided is a row of the log that names the alert and no customer: what customers read of the log, and
//! take home of it, does not tell that somebody looks into them. Why it was decided so stands with the alert.

use super::{Alert, Evidence, Field, Limits, Party, Row, Rule, Setting, State};
use crate::audit;
use crate::db::{self, Bind, Conn, Db, ListQuery, Tx, scoped};
use crate::error::Error;
use crate::flaw::{self, Check, Flaw};
use crate::id::FraudAlertId;
use crate::lang::Localized;
use crate::on;
use crate::points::{Before, store::far};
use crate::staff::Right;
use crate::staff::store::REASON_MAX;
use crate::who::{Staff, Subject};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The columns of a [`Row`], and where they come from.
const ROWS: &str = "SELECT a.id, a.rule, a.state, a.customer_id, c.name, c.surname, a.measure, a.out_of, a.found_at \
                    FROM fraud_alerts a JOIN customers c ON c.id = a.customer_id";

/// The alerts of a state, and of a rule where one is given: the newest first, those before `before`. That they were looked at is
/// written down.
pub async fn list(
    db: &Db,
    by: &Staff,
    state: State,
    rule: Option<Rule>,
    before: Option<Before>,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    by.may(Right::Fraud)?;
    let mut query = ListQuery::new(ROWS).filter("a.state = ?", [Bind::Word(state.as_str())]);
    if let Some(rule) = rule {
        query = query.filter("a.rule = ?", [Bind::Word(rule.as_str())]);
    }
    if let Some((at, id)) = before {
        query = query.filter("(a.found_at, a.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    let query = query.tail("ORDER BY a.found_at DESC, a.id DESC").limit(limit);
    let mut conn = db.read().await?;
    let rows: Vec<Row> = db::list(&mut conn, query).await?;
    drop(conn);
    let reason = &format!("{} shown", rows.len());
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "fraud.queue", None, None, reason).await?) }))
        .await?;
    Ok(rows)
}

/// How many are open, by rule.
pub async fn open_count(conn: &mut Conn, by: &Staff) -> Result<BTreeMap<Rule, i64>, Error> {
    const SQL: &str = "SELECT rule, COUNT(*) FROM fraud_alerts WHERE state = 'open' GROUP BY rule";
    by.may(Right::Fraud)?;
    let rows: Vec<(Rule, i64)> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    Ok(rows.into_iter().collect())
}

/// The open alerts that somebody has a part in, the newest first; none for who has not the right. The card that they stand on was
/// opened, which is written down.
pub async fn of_customer(conn: &mut Conn, by: &Staff, of: Subject) -> Result<Vec<Row>, Error> {
    if !by.has(Right::Fraud) {
        return Ok(Vec::new());
    }
    let query = ListQuery::new(ROWS)
        .filter("a.state = ?", [Bind::Word(State::Open.as_str())])
        .filter(
            "a.id IN (SELECT e.alert_id FROM fraud_evidence e WHERE e.customer_id = ?)",
            [Bind::Id(of.id().0)],
        );
    let query = query.tail("ORDER BY a.found_at DESC, a.id DESC").limit(20);
    Ok(db::list(conn, query).await?)
}

/// An alert with whom it is about and what speaks for it, the newest first, what is before `before`. That it was read is written
/// down. Fails with [`Error::NotFound`].
pub async fn open(
    db: &Db,
    by: &Staff,
    id: FraudAlertId,
    before: Option<Before>,
    limit: i64,
) -> Result<(Alert, Vec<Party>, Vec<Evidence>), Error> {
    const ALERT: &str = "SELECT a.id, a.rule, a.state, a.measure, a.out_of, a.limits, a.found_at, a.changed_at, \
                         s.name AS decided_by, a.decided_at, a.reason FROM fraud_alerts a \
                         LEFT JOIN staff s ON s.id = a.staff_id WHERE a.id = $1";
    const PARTIES: &str = "SELECT c.id, c.name, c.surname, (SELECT x.ends_at FROM spending_stops x \
                           WHERE x.customer_id = c.id AND x.lifted_at IS NULL AND x.ends_at > $2) AS stopped_until, \
                           (c.erased_at IS NULL AND c.merged_into IS NULL) AS is_alive FROM customers c \
                           WHERE c.id IN (SELECT e.customer_id FROM fraud_evidence e WHERE e.alert_id = $1) ORDER BY c.id";
    const EVIDENCE: &str = "SELECT e.id, e.kind, e.at, e.customer_id, c.name, c.surname, p.id AS purchase_id, \
        p.customer_id AS owner_id, p.document, \
        COALESCE(p.kind = 'return', 1 = 0) AS is_return, p.total, s.name AS store, l.name AS till, \
        COALESCE(t.points, (SELECT CAST(SUM(y.points) AS BIGINT) FROM allocations y WHERE y.transaction_id = x.id)) AS points, \
        t.to_id, r.name AS to_name, r.surname AS to_surname FROM fraud_evidence e JOIN customers c ON c.id = e.customer_id \
        LEFT JOIN transactions x ON e.kind = 'transaction' AND x.id = e.row_id \
        LEFT JOIN purchases p ON p.id = CASE e.kind WHEN 'purchase' THEN e.row_id WHEN 'transaction' THEN x.purchase_id END \
        LEFT JOIN stores s ON s.id = p.store_id LEFT JOIN tills l ON l.id = p.till_id \
        LEFT JOIN transfers t ON e.kind = 'transfer' AND t.id = e.row_id LEFT JOIN customers r ON r.id = t.to_id \
        WHERE e.alert_id = $1 AND (e.at, e.id) < ($2, $3) ORDER BY e.at DESC, e.id DESC LIMIT $4";
    by.may(Right::Fraud)?;
    let (at, place) = before.unwrap_or((far(), Uuid::max()));
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let alert: Option<Alert> = on!(tx, |c| sqlx::query_as(ALERT).bind(id).fetch_optional(c).await)?;
            let alert = alert.ok_or(Error::NotFound)?;
            by.record(tx, "fraud.read", None, Some(id.0), "").await?;
            let parties: Vec<Party> = on!(tx, |c| sqlx::query_as(PARTIES).bind(id).bind(now).fetch_all(c).await)?;
            let evidence: Vec<Evidence> = on!(tx, |c| sqlx::query_as(EVIDENCE)
                .bind(id)
                .bind(at)
                .bind(place)
                .bind(limit)
                .fetch_all(c)
                .await)?;
            Ok((alert, parties, evidence))
        })
    })
    .await
}

/// Says that it was nothing. What speaks for it makes no new alert of its rule. `seen` is the [`Alert::changed_at`] of what was
/// read: [`Error::Stale`] where more was found since, or a colleague decided. Field: `reason`.
pub async fn dismiss(db: &Db, by: &Staff, id: FraudAlertId, seen: DateTime<Utc>, reason: &str) -> Result<(), Error> {
    decide(db, by, id, seen, State::Dismissed, reason).await
}

/// Says that it was fraud, likewise.
pub async fn confirm(db: &Db, by: &Staff, id: FraudAlertId, seen: DateTime<Utc>, reason: &str) -> Result<(), Error> {
    decide(db, by, id, seen, State::Confirmed, reason).await
}

async fn decide(
    db: &Db,
    by: &Staff,
    id: FraudAlertId,
    seen: DateTime<Utc>,
    to: State,
    reason: &str,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE fraud_alerts SET state = $2, reason = $3, staff_id = $4, decided_at = $5, changed_at = $6 \
                       WHERE id = $1 AND state = 'open' AND changed_at = $7";
    const THERE: &str = "SELECT COUNT(*) FROM fraud_alerts WHERE id = $1";
    by.may(Right::Fraud)?;
    let reason = &flaw::text(reason, REASON_MAX).map_err(|flaw| Error::field("reason", flaw))?;
    let action = match to {
        State::Confirmed => "fraud.confirm",
        State::Open | State::Dismissed => "fraud.dismiss",
    };
    db.write(|tx| {
        scoped(async move {
            let now = tx.now();
            let rows = on!(tx, |c| sqlx::query(SQL)
                .bind(id)
                .bind(to)
                .bind(reason)
                .bind(by.id())
                .bind(now)
                .bind(now.max(seen + TimeDelta::microseconds(1)))
                .bind(seen)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if rows == 0 {
                let there: i64 = on!(tx, |c| sqlx::query_scalar(THERE).bind(id).fetch_one(c).await)?;
                return Err(if there > 0 { Error::Stale } else { Error::NotFound });
            }
            Ok(by.record(tx, action, None, Some(id.0), "").await?)
        })
    })
    .await
}

// Rules -----------------------------------------------------------------------------------------------------------------

#[derive(sqlx::FromRow)]
struct SettingRow {
    code: String,
    enabled: bool,
    name: Json<Localized>,
    why: Json<Localized>,
    least: i64,
    days: i64,
    share: i64,
    changed_at: DateTime<Utc>,
}

/// The rules as they are set, in their order.
pub async fn settings(conn: &mut Conn, by: &Staff) -> Result<Vec<Setting>, Error> {
    by.may(Right::Fraud)?;
    read_settings(conn).await
}

async fn read_settings(conn: &mut Conn) -> Result<Vec<Setting>, Error> {
    const SQL: &str =
        "SELECT code, enabled, name, why, least, days, share, changed_at FROM fraud_rules ORDER BY position, code";
    let rows: Vec<SettingRow> = on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let known = rows.into_iter().filter_map(|row| {
        Some(Setting {
            rule: Rule::from_word(&row.code)?,
            enabled: row.enabled,
            name: row.name.0,
            why: row.why.0,
            limits: Limits {
                least: row.least,
                days: row.days,
                share: row.share,
            },
            changed_at: row.changed_at,
        })
    });
    Ok(known.collect())
}

/// A rule as staff want to set it. What it does not go by is left as it is, whatever is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSetting {
    /// It is looked for.
    pub enabled: bool,
    /// Each as it was typed.
    pub least: String,
    /// See [`Limits::days`].
    pub days: String,
    /// See [`Limits::share`].
    pub share: String,
}

impl NewSetting {
    fn typed(&self, field: Field) -> &str {
        match field {
            Field::Least => &self.least,
            Field::Days => &self.days,
            Field::Share => &self.share,
        }
    }
}

/// What of a rule is written into the log.
#[derive(serde::Serialize)]
struct Logged {
    enabled: bool,
    #[serde(flatten)]
    limits: Limits,
}

/// Sets a rule; it counts from the next round on, and alerts that are there keep the limits that they were found by. `seen` is the
/// [`Setting::changed_at`] of what was read: [`Error::Stale`] where it is another one by now. Fails with flaws at the fields of the
/// rule, and with [`Error::NotFound`].
pub async fn set_rule(db: &Db, by: &Staff, rule: Rule, seen: DateTime<Utc>, new: &NewSetting) -> Result<(), Error> {
    by.may(Right::Fraud)?;
    db.write(|tx| scoped(set_rule_in(tx, by, rule, seen, new))).await
}

async fn set_rule_in(tx: &mut Tx, by: &Staff, rule: Rule, seen: DateTime<Utc>, new: &NewSetting) -> Result<(), Error> {
    const SQL: &str = "UPDATE fraud_rules SET enabled = $2, least = $3, days = $4, share = $5, changed_at = $6 \
                       WHERE code = $1 AND changed_at = $7";
    let all = read_settings(tx).await?;
    let old = all.into_iter().find(|one| one.rule == rule).ok_or(Error::NotFound)?;
    let mut check = Check::new();
    let mut limits = old.limits;
    for field in rule.fields() {
        let number = check.field(field.as_str(), number(new.typed(*field), rule.most(*field)));
        let place = match field {
            Field::Least => &mut limits.least,
            Field::Days => &mut limits.days,
            Field::Share => &mut limits.share,
        };
        *place = number.unwrap_or(*place);
    }
    check.result()?;
    let at = tx.now().max(seen + TimeDelta::microseconds(1));
    let rows = on!(tx, |c| sqlx::query(SQL)
        .bind(rule)
        .bind(new.enabled)
        .bind(limits.least)
        .bind(limits.days)
        .bind(limits.share)
        .bind(at)
        .bind(seen)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if rows == 0 {
        return Err(Error::Stale);
    }
    let was = Logged {
        enabled: old.enabled,
        limits: old.limits,
    };
    let is = Logged {
        enabled: new.enabled,
        limits,
    };
    let changed = format!("{}: {}", rule.as_str(), audit::difference(&was, &is));
    Ok(by.record(tx, "fraud.rule", None, None, &changed).await?)
}

/// A whole number from one on.
fn number(raw: &str, max: i64) -> Result<i64, Flaw> {
    let raw = raw.trim();
    if raw.is_empty() {
        return Err(Flaw::Missing);
    }
    let number: i64 = raw.parse().map_err(|_| Flaw::NotANumber)?;
    match (1..=max).contains(&number) {
        true => Ok(number),
        false => Err(Flaw::OutOfRange { min: 1, max }),
    }
}
