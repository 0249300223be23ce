//! The audience: customers found by what is known of them, not by who they are. Whoever may take tables of customers away sees who they
//! are, page by page; whoever writes rules sees how many, and puts them into a segment. Each look is a row of the log.

use crate::consent::Aim;
use crate::customer::Channel;
use crate::db::{self, Bind, Conn, Db, ListQuery, scoped};
use crate::error::Error;
use crate::flaw::Flaw;
use crate::id::{CustomerId, ProgramId, SegmentId, StoreId, TierId};
use crate::lang::Localized;
use crate::on;
use crate::points::Before;
use crate::report::store::reading::{Slices, all_slices};
use crate::rfm::Group;
use crate::segment::{self, LINES_MAX};
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Duration, Utc};
use sqlx::types::Json;
use std::collections::BTreeSet;

/// Whoever is more than so many is not counted.
pub const COUNT_MAX: i64 = 10_000;

/// When somebody bought last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Within so many days.
    Within(i64),
    /// Ever, but not within so many days.
    Before(i64),
}

impl Last {
    /// Those that are offered.
    pub const ALL: [Self; 6] = [
        Self::Within(30),
        Self::Within(90),
        Self::Within(365),
        Self::Before(30),
        Self::Before(90),
        Self::Before(365),
    ];

    /// As addresses and the log name it.
    pub fn code(self) -> String {
        match self {
            Self::Within(days) => format!("within_{days}"),
            Self::Before(days) => format!("before_{days}"),
        }
    }

    /// The one that an address names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|last| last.code() == code)
    }
}

/// Whom to look for: whoever is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this segment.
    pub segment: Option<SegmentId>,
    /// A member of this program.
    pub program: Option<ProgramId>,
    /// Of this tier.
    pub tier: Option<TierId>,
    /// With this favourite shop.
    pub store: Option<StoreId>,
    /// Of this group of RFM.
    pub group: Option<Group>,
    /// Who bought then last.
    pub last: Option<Last>,
    /// Who agrees to offers by this channel.
    pub channel: Option<Channel>,
}

impl Filter {
    /// As the log tells it: ids and codes.
    fn told(&self) -> String {
        let parts = [
            self.segment.map(|id| format!("segment {id}")),
            self.program.map(|id| format!("program {id}")),
            self.tier.map(|id| format!("tier {id}")),
            self.store.map(|id| format!("store {id}")),
            self.group.map(|group| format!("rfm {}", group.as_str())),
            self.last.map(|last| format!("last {}", last.code())),
            self.channel.map(|channel| format!("channel {}", channel.code())),
        ];
        parts.into_iter().flatten().map(|part| format!(", {part}")).collect()
    }
}

/// A customer who was found.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// Who.
    pub id: CustomerId,
    /// Name.
    pub name: String,
    /// Surname.
    pub surname: String,
    /// Since when.
    pub registered_at: DateTime<Utc>,
    /// Their group of RFM, by the last count.
    pub segment: Option<Group>,
    /// Their last purchase, likewise.
    pub last_at: Option<DateTime<Utc>>,
    /// What they paid in twelve months, likewise.
    pub paid: Option<i64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many; of more than [`COUNT_MAX`] one more than that.
    pub count: i64,
    /// A page of them, the newest first; none for whoever may not see who they are.
    pub lines: Option<Vec<Line>>,
    /// Where the next page begins.
    pub next: Option<Before>,
}

/// Whether somebody sees who is found.
fn sees(by: &Staff) -> bool {
    by.has(Right::Customers) && by.has(Right::Export)
}

/// Whether somebody may look at all.
pub fn may(by: &Staff) -> bool {
    sees(by) || by.has(Right::Rules)
}

/// What one may look for: every shop, tier, program, and segment.
pub async fn choices(conn: &mut Conn) -> Result<(Slices, Vec<(SegmentId, Localized)>), Error> {
    const SEGMENTS: &str = "SELECT id, name FROM segments ORDER BY code";
    let slices = all_slices(conn).await?;
    let segments: Vec<(SegmentId, Json<Localized>)> = on!(conn, |c| sqlx::query_as(SEGMENTS).fetch_all(c).await)?;
    let segments = segments.into_iter().map(|(id, Json(name))| (id, name));
    Ok((slices, segments.collect()))
}

/// Who is so, from a place on. That it was looked at, and by what, is written down.
pub async fn look(db: &Db, by: &Staff, filter: &Filter, after: Option<Before>, limit: i64) -> Result<Found, Error> {
    const COUNT: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM customers c";
    const LINES: &str = "SELECT c.id, c.name, c.surname, c.registered_at, NULLIF(r.segment, '') AS segment, r.last_at, r.paid \
                         FROM customers c LEFT JOIN customer_rfm r ON r.customer_id = c.id";
    if !may(by) {
        return Err(Error::Forbidden);
    }
    // Counting takes as long as there are customers, and on SQLite nobody else writes while a transaction lasts.
    let mut conn = db.read().await?;
    let now = conn.now();
    let count = narrowed(ListQuery::new(COUNT), filter, now)
        .limit(COUNT_MAX + 1)
        .tail(") AS found");
    let count: Vec<(i64,)> = db::list(&mut conn, count).await?;
    let count = count.first().map_or(0, |(count,)| *count);
    let mut lines: Option<Vec<Line>> = None;
    if sees(by) {
        let mut query = narrowed(ListQuery::new(LINES), filter, now);
        if let Some((at, id)) = after {
            query = query.filter("(c.registered_at, c.id) < (?, ?)", [Bind::Time(at), Bind::Id(id)]);
        }
        let query = query.tail("ORDER BY c.registered_at DESC, c.id DESC").limit(limit + 1);
        lines = Some(db::list(&mut conn, query).await?);
    }
    drop(conn);
    let most = usize::try_from(limit).unwrap_or_default();
    let has_more = lines.as_ref().is_some_and(|lines| lines.len() > most);
    if let Some(lines) = &mut lines {
        lines.truncate(most);
    }
    let last = lines.as_ref().and_then(|lines| lines.last()).filter(|_| has_more);
    let next = last.map(|line| (line.registered_at, line.id.0));
    let reason = match &lines {
        Some(lines) => format!("{} shown{}", lines.len(), filter.told()),
        None => format!("{count} found{}", filter.told()),
    };
    let reason = &reason;
    db.write(|tx| scoped(async move { Ok::<_, Error>(by.record(tx, "audience.read", None, None, reason).await?) }))
        .await?;
    Ok(Found { count, lines, next })
}

/// Puts whoever is so into a segment; how many were not in it. [`Flaw::TooManyLines`] at `segment` where they are more than a list may
/// have.
pub async fn keep(db: &Db, by: &Staff, filter: &Filter, segment: SegmentId) -> Result<i64, Error> {
    by.may(Right::Rules)?;
    let mut conn = db.read().await?;
    let now = conn.now();
    let query = narrowed(ListQuery::new("SELECT c.id FROM customers c"), filter, now).limit(LINES_MAX as i64 + 1);
    let found: Vec<(CustomerId,)> = db::list(&mut conn, query).await?;
    drop(conn);
    if found.len() > LINES_MAX {
        return Err(Error::field("segment", Flaw::TooManyLines { max: LINES_MAX }));
    }
    let found: BTreeSet<CustomerId> = found.into_iter().map(|(id,)| id).collect();
    segment::put_found(db, by, segment, &found).await
}

/// The customers `c` who are so.
fn narrowed(query: ListQuery, filter: &Filter, now: DateTime<Utc>) -> ListQuery {
    macro_rules! sale {
        ($rest:literal) => {
            concat!(
                "EXISTS (SELECT 1 FROM purchases p WHERE p.customer_id = c.id AND p.kind = 'sale' AND p.voided_at IS NULL",
                $rest,
                ")"
            )
        };
    }
    let mut query = query.filter("c.erased_at IS NULL AND c.merged_into IS NULL", []);
    if let Some(id) = filter.segment {
        const IN: &str = "EXISTS (SELECT 1 FROM segment_members m WHERE m.segment_id = ? AND m.customer_id = c.id)";
        query = query.filter(IN, [Bind::Id(id.0)]);
    }
    if let Some(id) = filter.program {
        const OF: &str = "EXISTS (SELECT 1 FROM memberships m WHERE m.customer_id = c.id AND m.program_id = ? \
                          AND m.left_at IS NULL)";
        query = query.filter(OF, [Bind::Id(id.0)]);
    }
    if let Some(id) = filter.tier {
        const OF: &str = "EXISTS (SELECT 1 FROM tier_standings t WHERE t.customer_id = c.id AND t.tier_id = ?)";
        query = query.filter(OF, [Bind::Id(id.0)]);
    }
    if let Some(id) = filter.store {
        query = query.filter("c.favourite_store_id = ?", [Bind::Id(id.0)]);
    }
    if let Some(group) = filter.group {
        const OF: &str = "EXISTS (SELECT 1 FROM customer_rfm g WHERE g.customer_id = c.id AND g.segment = ?)";
        query = query.filter(OF, [Bind::Word(group.as_str())]);
    }
    match filter.last {
        None => {}
        Some(Last::Within(days)) => {
            query = query.filter(sale!(" AND p.at >= ?"), [Bind::Time(now - Duration::days(days))]);
        }
        Some(Last::Before(days)) => {
            query = query.filter(sale!(""), []).filter(
                concat!("NOT ", sale!(" AND p.at >= ?")),
                [Bind::Time(now - Duration::days(days))],
            );
        }
    }
    if let Some(channel) = filter.channel {
        // What they did last counts.
        const AGREES: &str = "(SELECT a.act FROM consents a JOIN consent_texts t ON t.id = a.text_id \
                              JOIN consent_purposes p ON p.id = t.purpose_id WHERE a.customer_id = c.id \
                              AND p.aim = ? AND p.channel = ? ORDER BY a.at DESC, a.id DESC LIMIT 1) = 'given'";
        let binds = [Bind::Word(Aim::Marketing.as_str()), Bind::Word(channel.code())];
        query = query.filter(AGREES, binds);
    }
    query
}
