//! What the API tells a till of a customer, by hand: the same questions to the database, the same JSON.

use crate::words::{local, midnight};
use crate::{Site, time, with_database};
use anyhow::Result;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Text {
    ru: String,
    en: String,
}

#[derive(Serialize)]
struct Balance {
    name: Text,
    available: i64,
    reserved: i64,
    pending: i64,
    expiring: i64,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct Customer {
    customer: Uuid,
    name: String,
    card: Option<String>,
    balances: Vec<Balance>,
}

pub async fn customer(State(site): State<Arc<Site>>, Path(id): Path<Uuid>, headers: HeaderMap) -> Response {
    let found = with_database(&site, |db| {
        if !has_key(db, &headers)? {
            return Ok(Err(StatusCode::UNAUTHORIZED));
        }
        Ok(read(db, id)?.ok_or(StatusCode::NOT_FOUND))
    });
    let mut response = match found {
        Ok(Ok(customer)) => Json(customer).into_response(),
        Ok(Err(status)) => status.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    for (name, value) in crate::words::HEADERS {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Whether the key that came is a till's, and good for asking.
fn has_key(db: &Connection, headers: &HeaderMap) -> Result<bool> {
    const SQL: &str = "SELECT t.id, k.id AS key, t.code, t.source, t.store_id, k.scopes, k.used_at FROM api_keys k \
        JOIN tills t ON t.id = k.till_id WHERE k.key_hash = ?1 AND k.revoked_at IS NULL AND t.disabled_at IS NULL";
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(key) = sent.and_then(|sent| sent.strip_prefix("Bearer ")) else {
        return Ok(false);
    };
    let scopes: Option<String> = db
        .prepare_cached(SQL)?
        .query_row([Sha256::digest(key).to_vec()], |row| row.get(5))
        .optional()?;
    let scopes: Vec<String> = scopes.map_or(Ok(Vec::new()), |scopes| serde_json::from_str(&scopes))?;
    Ok(scopes.iter().any(|scope| scope == "customers"))
}

fn read(db: &Connection, id: Uuid) -> Result<Option<Customer>> {
    const CUSTOMER: &str = "SELECT id FROM customers WHERE id = ?1";
    const DUE: &str = "SELECT \
        EXISTS (SELECT 1 FROM reservations WHERE customer_id = ?1 AND state = 'held' AND expires_at <= ?2), \
        EXISTS (SELECT 1 FROM transfers WHERE to_id = ?1 AND state = 'pending' AND completes_at <= ?2), \
        EXISTS (SELECT 1 FROM lots WHERE customer_id = ?1 AND state = 'pending' AND activates_at <= ?2), \
        EXISTS (SELECT 1 FROM lots WHERE customer_id = ?1 AND state = 'active' AND expires_at <= ?2)";
    const NAME: &str = "SELECT name, (SELECT k.number FROM cards k WHERE k.customer_id = c.id AND k.state = 'active' \
        ORDER BY k.issued_at DESC, k.id DESC LIMIT 1) FROM customers c WHERE c.id = ?1";
    const ACCOUNTS: &str = "SELECT a.program_id, v.name, SUM(CASE WHEN a.kind = 'active' THEN a.balance ELSE 0 END), \
        SUM(CASE WHEN a.kind = 'pending' THEN a.balance ELSE 0 END), SUM(a.reserved), \
        (SELECT l.expires_at FROM lots l WHERE l.customer_id = ?1 AND l.program_id = a.program_id \
        AND l.state = 'active' AND l.remaining > 0 ORDER BY l.expires_at LIMIT 1) \
        FROM accounts a JOIN programs p ON p.id = a.program_id \
        JOIN program_versions v ON v.program_id = a.program_id AND v.version = COALESCE((SELECT MAX(w.version) \
        FROM program_versions w WHERE w.program_id = a.program_id AND w.published_at <= ?2), 1) \
        WHERE a.customer_id = ?1 GROUP BY a.program_id, v.name, p.position ORDER BY p.position, a.program_id";
    const UNTIL: &str = "SELECT COALESCE(SUM(remaining), 0) FROM lots WHERE customer_id = ?1 \
        AND program_id = ?2 AND state = 'active' AND remaining > 0 AND expires_at < ?3";
    let now = Utc::now().to_rfc3339();
    let known: Option<Uuid> = db
        .prepare_cached(CUSTOMER)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    if known.is_none() {
        return Ok(None);
    }
    let due: [bool; 4] = db.prepare_cached(DUE)?.query_row(params![id, now], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
    })?;
    anyhow::ensure!(
        due == [false; 4],
        "something is due, which is not for a page by hand to do"
    );
    let (name, card) = db
        .prepare_cached(NAME)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut balances = Vec::new();
    let mut query = db.prepare_cached(ACCOUNTS)?;
    let mut rows = query.query(params![id, now])?;
    while let Some(row) = rows.next()? {
        let program: Uuid = row.get(0)?;
        let (active, pending, reserved): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let (mut expiring, mut expires_at) = (0, None);
        if !matches!(row.get_ref(5)?, ValueRef::Null) {
            let first = time(row, 5)?;
            let end = midnight(local(first).date() + TimeDelta::days(1)).to_rfc3339();
            expiring = db
                .prepare_cached(UNTIL)?
                .query_row(params![id, program, end], |row| row.get(0))?;
            expires_at = Some(first);
        }
        balances.push(Balance {
            name: serde_json::from_str(row.get_ref(1)?.as_str()?)?,
            available: active - reserved,
            reserved,
            pending,
            expiring,
            expires_at,
        });
    }
    Ok(Some(Customer {
        customer: id,
        name,
        card,
        balances,
    }))
}
