//! The audit log as whoever has the right reads it. Each look at it is a row of it as well.

use super::Actor;
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::{AuditId, CustomerId, StaffId};
use crate::merge;
use crate::on;
use crate::points::Before;
use crate::staff::Right;
use crate::who::{Fresh, Staff};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The most rows of a file.
pub const FILE_MAX: usize = 50_000;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Any of this kind.
    Kind(Actor),
    /// One of them, by their id.
    One(Uuid),
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who did it.
    pub by: Option<By>,
    /// What: `customer.read`, or `customer` for all that begins so; empty for anything.
    pub action: String,
    /// Whose data it was about; rows of accounts that went into theirs are among them.
    pub customer: Option<CustomerId>,
    /// What it was about.
    pub object: Option<Uuid>,
    /// From this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Before this one.
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// The thing, or else the one, that was looked for, for the column of what a row is about. It stands in no reason, which
    /// whose data it was takes home: who of the staff it was is the shop's affair.
    fn about(&self) -> Option<Uuid> {
        self.object.or(match self.by {
            Some(By::One(id)) => Some(id),
            Some(By::Kind(_)) | None => None,
        })
    }

    /// As it is written into the log: what was looked for, without what has a column of its own.
    fn told(&self) -> String {
        let by = self.by.map(|by| match by {
            By::Kind(actor) => format!("by {}", actor.as_str()),
            By::One(_) => "by one".to_owned(),
        });
        let action = (!self.action.is_empty()).then(|| format!("action {}", self.action));
        let from = self.from.map(|at| format!("from {}", at.to_rfc3339()));
        let until = self.until.map(|at| format!("until {}", at.to_rfc3339()));
        let parts: Vec<_> = [by, action, from, until].into_iter().flatten().collect();
        parts.join(", ")
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// Their id, when known.
    pub actor_id: Option<Uuid>,
    /// The name of a member of staff or of a till.
    pub name: Option<String>,
    /// What, as `area.verb`.
    pub action: String,
    /// Whose data it was about.
    pub customer_id: Option<CustomerId>,
    /// The thing itself.
    pub object_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// The address it came from.
    pub network: String,
}

/// Rows, the newest first, those before `before`. Written into the log: whose and what was looked for, and how many rows were
/// shown.
pub async fn list(
    db: &Db,
    by: &Staff,
    filter: &Filter,
    before: Option<Before>,
    limit: usize,
) -> Result<Vec<Line>, Error> {
    by.may(Right::Audit)?;
    let lines = find(&mut db.read().await?, filter, before, limit).await?;
    let told = &format!("{} shown, {}", lines.len(), filter.told());
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "audit.read", filter.customer, filter.about(), told)
                .await?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    Ok(lines)
}

/// The same for a file: the newest [`FILE_MAX`].
pub async fn export(db: &Db, by: &Fresh<'_, Staff>, filter: &Filter) -> Result<Vec<Line>, Error> {
    by.may(Right::Audit)?;
    let lines = find(&mut db.read().await?, filter, None, FILE_MAX).await?;
    let told = &format!("{} rows, {}", lines.len(), filter.told());
    db.write(|tx| {
        scoped(async move {
            by.record(tx, "audit.export", filter.customer, filter.about(), told)
                .await?;
            Ok::<_, Error>(())
        })
    })
    .await?;
    Ok(lines)
}

async fn find(
    conn: &mut Conn,
    filter: &Filter,
    before: Option<Before>,
    limit: usize,
) -> Result<Vec<Line>, sqlx::Error> {
    const SQL: &str = "SELECT a.id, a.at, a.actor, a.actor_id, COALESCE(s.name, t.name) AS name, a.action, a.customer_id, \
                       a.object_id, a.reason, a.network FROM audit a LEFT JOIN staff s ON s.id = a.actor_id \
                       LEFT JOIN tills t ON t.id = a.actor_id";
    let mut query = ListQuery::new(SQL);
    query = match filter.by {
        Some(By::Kind(actor)) => query.filter("a.actor = ?", [Bind::Word(actor.as_str())]),
        Some(By::One(id)) => query.filter("a.actor_id = ?", [Bind::Id(id)]),
        None => query,
    };
    if !filter.action.is_empty() {
        let begins = format!("{}.%", db::like(&filter.action));
        query = query.filter(
            "a.action = ? OR a.action LIKE ? ESCAPE '\\'",
            [Bind::Text(filter.action.clone()), Bind::Text(begins)],
        );
    }
    if let Some(id) = filter.customer {
        // What was written down of an account stays under its id when it goes into another one.
        let gone = merge::heirs(conn, &[id]).await?;
        let all = gone.into_keys().chain([id]);
        query = query.within("a.customer_id", all.map(|id| Bind::Id(id.0)));
    }
    if let Some(id) = filter.object {
        query = query.filter("a.object_id = ?", [Bind::Id(id)]);
    }
    if let Some(at) = filter.from {
        query = query.filter("a.at >= ?", [Bind::Time(at)]);
    }
    if let Some(at) = filter.until {
        query = query.filter("a.at < ?", [Bind::Time(at)]);
    }
    if let Some((at, id)) = before {
        query = query.filter("(a.at, a.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
    }
    db::list(conn, query.tail("ORDER BY a.at DESC, a.id DESC").limit(limit as i64)).await
}

/// Everybody who works or worked here, by name, to be chosen from.
pub async fn people(conn: &mut Conn, by: &Staff) -> Result<Vec<(StaffId, String)>, Error> {
    const SQL: &str = "SELECT id, name FROM staff ORDER BY name, id";
    by.may(Right::Audit)?;
    Ok(on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await)?)
}
