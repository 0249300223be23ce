//! The books for the shop's accounts.

use super::problem::{Details, Problem};
use super::shapes::{Liability, Owed, Posted, Postings};
use super::{Call, Query};
use axum::Json;
use chrono::{Datelike as _, NaiveDate};
use crm::points::store::exports;
use crm::till::Scope;
use serde::Deserialize;

/// Which days.
#[derive(Debug, Deserialize)]
pub(super) struct Days {
    from: NaiveDate,
    to: NaiveDate,
}

/// What was posted day by day, by program, account and reason; the sums of a day and program are zero together. A day that is
/// over does not change any more: what counts is when it was written down. It is told from a quarter of an hour after its end on, for
/// what began on it is written down by then.
#[utoipa::path(get, path = "/api/v1/exports/postings", tag = "accounting", security(("key" = ["accounting"])),
    params(("from" = NaiveDate, Query, description = "The first day"), ("to" = NaiveDate, Query, description = "The last day; at most 366 days")),
    responses(
        (status = 200, description = "The postings", body = Postings),
        (status = 409, description = "`day_open`: a day has just ended, and is told from some minutes after its end on", body = Details),
        (status = 422, description = "The days do not fit", body = Details)))]
pub(super) async fn postings(call: Call, Query(days): Query<Days>) -> Result<Json<Postings>, Problem> {
    let system = call.till.with(Scope::Accounting)?;
    let count = (days.to - days.from).num_days() + 1;
    if !(1..=exports::DAYS_MAX).contains(&count) {
        return Err(Problem::invalid().at(
            "/to",
            "not_a_span",
            format!("{count} days; 1 to {} can be told", exports::DAYS_MAX),
        ));
    }
    // Years that no calendar of a shop has are none of the databases' either.
    if !(1970..=9999).contains(&days.from.year()) || days.to.year() > 9999 {
        return Err(Problem::invalid().at("/from", "not_a_span", "The years 1970 to 9999 can be told".to_owned()));
    }
    let mut conn = call.app.db.read().await?;
    if let Some(until) = exports::open_until(&conn, days.from, days.to) {
        return Err(Problem::day_open(until, conn.now()));
    }
    let posted = exports::postings(&mut conn, &system, days.from, days.to).await?;
    let postings = posted
        .into_iter()
        .map(|one| Posted {
            day: one.day,
            program: one.program,
            account: one.account.as_str(),
            partner: one.partner,
            kind: one.kind.as_str(),
            points: one.points,
            postings: one.postings,
        })
        .collect();
    Ok(Json(Postings { postings }))
}

/// What is owed to customers just now, by program and by the age of what they earned.
#[utoipa::path(get, path = "/api/v1/exports/liability", tag = "accounting", security(("key" = ["accounting"])),
    responses(
        (status = 200, description = "What is owed", body = Liability)))]
pub(super) async fn liability(call: Call) -> Result<Json<Liability>, Problem> {
    let system = call.till.with(Scope::Accounting)?;
    let mut conn = call.app.db.read().await?;
    let owed = exports::liability(&mut conn, &system).await?;
    let owed = owed
        .into_iter()
        .map(|one| Owed {
            program: one.program,
            state: one.state.as_str(),
            from_days: one.from_days,
            to_days: one.to_days,
            points: one.points,
            lots: one.lots,
        })
        .collect();
    Ok(Json(Liability { owed }))
}
