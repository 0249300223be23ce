//! Coupons in the database: looked at, used by purchases, issued by rules.
//!
//! That one was used is a row beside its purchase, and nothing else is kept: a use counts as long as something of the purchase
//! is kept. So a void and a return of everything give a coupon back, the void of such a return takes it again, and neither of
//! them has to know of coupons. Where it was used again meanwhile both purchases count: goods were sold for less twice, and a
//! void that was refused would leave a return in the books that never was. In the same way a coupon is good as long as something
//! is kept of the purchase that it was given for.

/// Whether something of a purchase is kept.
macro_rules! is_kept {
    ($purchase:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM purchases k JOIN purchase_lines n ON n.purchase_id = k.id WHERE k.id = ",
            $purchase,
            " AND k.voided_at IS NULL AND n.quantity > n.returned)"
        )
    };
}

pub mod managing;

use super::{Coupon, Presented, Refusal, code, new_code};
use crate::db::{self, Bind, Conn, ListQuery, Rows, Tx};
use crate::error::Error;
use crate::id::{CouponId, CustomerId, GrantId, PurchaseId, SeriesId};
use crate::lang::Localized;
use crate::on;
use crate::points::rules::CLOCKS;
use crate::points::store::LIST;
use crate::shop::Shop;
use crate::who::Subject;
use chrono::{DateTime, Days, Duration, NaiveDate, Utc};
use sqlx::types::Json;
use std::collections::{BTreeSet, HashMap};

/// Who brings coupons to what.
#[derive(Clone, Copy)]
pub(crate) struct Deal {
    /// Who buys, if anybody is known.
    pub(crate) customer: Option<CustomerId>,
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// What: of a quote one that is never booked.
    pub(crate) purchase: PurchaseId,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: CouponId,
    code: String,
    series: String,
    #[sqlx(json)]
    name: Localized,
    bearer: bool,
    customer_id: Option<CustomerId>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    uses: i64,
    is_given: bool,
}

impl Row {
    /// Why it does nothing for a purchase that has not used it, where `used` others have.
    fn refusal(&self, deal: Deal, used: i64) -> Option<Refusal> {
        // What is somebody else's tells nothing more of itself.
        if !self.bearer {
            match deal.customer {
                None => return Some(Refusal::NeedsCustomer),
                buyer if buyer != self.customer_id => return Some(Refusal::Foreign),
                Some(_) => {}
            }
        }
        if !self.is_given {
            Some(Refusal::Withdrawn)
        } else if deal.at < self.issued_at - CLOCKS {
            Some(Refusal::NotYet)
        } else if deal.at >= self.expires_at {
            Some(Refusal::Expired)
        } else if used >= self.uses {
            Some(Refusal::Used)
        } else {
            None
        }
    }
}

/// A coupon that was presented, as it stands.
struct Found {
    id: Option<CouponId>,
    /// The purchase has used it.
    is_used_here: bool,
    told: Presented,
}

/// Looks at coupons, in the order in which they are presented.
async fn look(conn: &mut Conn, sent: &[String], deal: Deal) -> Result<Vec<Found>, sqlx::Error> {
    const SELECT: &str = concat!(
        "SELECT c.id, c.code, s.code AS series, s.name, s.bearer, c.customer_id, c.issued_at, c.expires_at, c.uses, \
         (g.purchase_id IS NULL OR ",
        is_kept!("g.purchase_id"),
        ") AS is_given FROM coupons c JOIN coupon_series s ON s.id = c.series_id LEFT JOIN grants g ON g.id = c.grant_id"
    );
    const USES: &str = concat!(
        "SELECT u.coupon_id, u.purchase_id, ",
        is_kept!("u.purchase_id"),
        " FROM coupon_uses u"
    );
    let codes: BTreeSet<String> = sent.iter().filter_map(|raw| code(raw)).collect();
    let mut rows: Vec<Row> = Vec::new();
    if !codes.is_empty() {
        let query = ListQuery::new(SELECT).within("c.code", codes.into_iter().map(Bind::Text));
        rows = db::list(conn, query).await?;
    }
    let mut uses: Vec<(CouponId, PurchaseId, bool)> = Vec::new();
    if !rows.is_empty() {
        let query = ListQuery::new(USES).within("u.coupon_id", rows.iter().map(|row| Bind::Id(row.id.0)));
        uses = db::list(conn, query).await?;
    }
    let found = |raw: &String| {
        let told = |series, refusal| Presented {
            coupon: raw.clone(),
            series,
            refusal,
        };
        let unknown = |refusal| Found {
            id: None,
            is_used_here: false,
            told: told(None, Some(refusal)),
        };
        let Some(code) = code(raw) else {
            return unknown(Refusal::Mistyped);
        };
        let Some(row) = rows.iter().find(|row| row.code == code) else {
            return unknown(Refusal::Unknown);
        };
        let of_it = || uses.iter().filter(|(coupon, ..)| *coupon == row.id);
        let is_used_here = of_it().any(|(_, purchase, _)| *purchase == deal.purchase);
        let used = of_it().filter(|(_, purchase, is_kept)| *is_kept && *purchase != deal.purchase);
        let used = i64::try_from(used.count()).unwrap_or(i64::MAX);
        let refusal = match is_used_here {
            true => None,
            false => row.refusal(deal, used),
        };
        Found {
            id: Some(row.id),
            is_used_here,
            told: told(Some((row.series.clone(), row.name.clone())), refusal),
        }
    };
    Ok(sent.iter().map(found).collect())
}

/// What coupons are good for, before anything is bought.
pub(crate) async fn presented(conn: &mut Conn, sent: &[String], deal: Deal) -> Result<Vec<Presented>, sqlx::Error> {
    let found = look(conn, sent, deal).await?;
    Ok(found.into_iter().map(|one| one.told).collect())
}

/// What became of coupons that were sent with a purchase which is booked. One that is good and stayed so is
/// [`Refusal::NotApplied`].
pub(crate) async fn outcome(conn: &mut Conn, sent: &[String], deal: Deal) -> Result<Vec<Presented>, sqlx::Error> {
    let outcome = |one: Found| Presented {
        refusal: one.told.refusal.or((!one.is_used_here).then_some(Refusal::NotApplied)),
        ..one.told
    };
    Ok(look(conn, sent, deal).await?.into_iter().map(outcome).collect())
}

/// The coupons that a purchase has used.
pub(crate) async fn used_by(conn: &mut Conn, purchase: PurchaseId) -> Result<Vec<Presented>, sqlx::Error> {
    const SQL: &str = "SELECT c.code, s.code, s.name FROM coupon_uses u JOIN coupons c ON c.id = u.coupon_id \
                       JOIN coupon_series s ON s.id = c.series_id WHERE u.purchase_id = $1 ORDER BY c.code";
    let rows: Vec<(String, String, Json<Localized>)> =
        on!(conn, |c| sqlx::query_as(SQL).bind(purchase).fetch_all(c).await)?;
    let used = |(coupon, series, Json(name))| Presented {
        coupon,
        series: Some((series, name)),
        refusal: None,
    };
    Ok(rows.into_iter().map(used).collect())
}

/// The series of the coupons that purchases have used.
pub(crate) async fn series_of(
    conn: &mut Conn,
    purchases: &[PurchaseId],
) -> Result<HashMap<PurchaseId, Vec<String>>, sqlx::Error> {
    const SELECT: &str = "SELECT u.purchase_id, s.code FROM coupon_uses u JOIN coupons c ON c.id = u.coupon_id \
                          JOIN coupon_series s ON s.id = c.series_id";
    let mut series: HashMap<PurchaseId, Vec<String>> = HashMap::new();
    for part in purchases.chunks(LIST) {
        let query = ListQuery::new(SELECT).within("u.purchase_id", part.iter().map(|id| Bind::Id(id.0)));
        for (purchase, code) in db::list::<(PurchaseId, String)>(conn, query).await? {
            series.entry(purchase).or_default().push(code);
        }
    }
    Ok(series)
}

/// The good ones among coupons that are sent with a purchase, each with its series. Nobody else uses them until the transaction
/// ends.
pub(crate) async fn hold(tx: &mut Tx, sent: &[String], deal: Deal) -> Result<Vec<(CouponId, String)>, sqlx::Error> {
    let codes: BTreeSet<String> = sent.iter().filter_map(|raw| code(raw)).collect();
    if !codes.is_empty() {
        let query = ListQuery::new("UPDATE coupons SET uses = uses").within("code", codes.into_iter().map(Bind::Text));
        db::list::<(i64,)>(tx, query).await?;
    }
    let good = |one: Found| {
        let (series, _) = one.told.series?;
        Some((one.id?, series)).filter(|_| one.told.refusal.is_none())
    };
    Ok(look(tx, sent, deal).await?.into_iter().filter_map(good).collect())
}

/// Writes down that a purchase used coupons.
pub(crate) async fn spend(tx: &mut Tx, coupons: BTreeSet<CouponId>, deal: Deal) -> Result<(), sqlx::Error> {
    let mut rows = Rows::new(
        "INSERT INTO coupon_uses (coupon_id, purchase_id, at)",
        "ON CONFLICT DO NOTHING",
    );
    for coupon in coupons {
        rows.push([Bind::Id(coupon.0), Bind::Id(deal.purchase.0), Bind::Time(deal.at)]);
    }
    db::insert(tx, rows).await
}

/// A coupon that a rule gives.
pub(crate) struct Issue {
    /// The code of its series.
    pub(crate) series: String,
    /// To whom.
    pub(crate) customer: CustomerId,
    /// By what.
    pub(crate) grant: GrantId,
    /// When what it is given for happened.
    pub(crate) at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Terms {
    id: SeriesId,
    code: String,
    valid_days: Option<i64>,
    last_day: Option<NaiveDate>,
    uses: i64,
    closed_at: Option<DateTime<Utc>>,
}

impl Terms {
    /// When a coupon that is issued at a moment is good no more, where days are those of the chain.
    fn expires_at(&self, shop: &Shop, at: DateTime<Utc>) -> DateTime<Utc> {
        let after = |day: NaiveDate, days: i64| {
            let days = Days::new(u64::try_from(days).unwrap_or_default());
            shop.midnight(day.checked_add_days(days).unwrap_or(NaiveDate::MAX))
        };
        let ends = [
            self.valid_days.map(|days| after(shop.day(at), days.saturating_add(1))),
            self.last_day.map(|day| after(day, 1)),
        ];
        // A series says one of the two at least.
        ends.into_iter().flatten().min().unwrap_or(at)
    }
}

/// What [`rows`] takes.
type NewCoupon = [Bind; 8];

fn rows() -> Rows {
    Rows::new(
        "INSERT INTO coupons (id, series_id, code, customer_id, grant_id, issued_at, expires_at, uses)",
        "",
    )
}

/// Issues coupons, each in the transaction of what it is given for. A series that is closed, or that nobody has made, issues
/// none; neither does one whose last day is over.
pub(crate) async fn issue(tx: &mut Tx, issues: Vec<Issue>) -> Result<(), sqlx::Error> {
    const SERIES: &str = "SELECT id, code, valid_days, last_day, uses, closed_at FROM coupon_series";
    if issues.is_empty() {
        return Ok(());
    }
    let codes: BTreeSet<&str> = issues.iter().map(|issue| issue.series.as_str()).collect();
    let query = ListQuery::new(SERIES).within("code", codes.into_iter().map(|code| Bind::Text(code.to_owned())));
    let series: Vec<Terms> = db::list(tx, query).await?;
    let shop = tx.shop().clone();
    let mut rows = rows();
    for issue in issues {
        let Some(terms) = series.iter().find(|terms| terms.code == issue.series) else {
            tracing::warn!(
                series = issue.series,
                "a rule gives a coupon of a series that nobody has made"
            );
            continue;
        };
        let expires_at = terms.expires_at(&shop, issue.at);
        if terms.closed_at.is_some_and(|closed| closed <= issue.at) || expires_at <= issue.at {
            continue;
        }
        rows.push(new(terms, Some((issue.customer, issue.grant)), issue.at, expires_at));
    }
    db::insert(tx, rows).await
}

/// A new coupon. That its code is another one's is as good as impossible; then the whole is undone, and sent again.
fn new(terms: &Terms, given: Option<(CustomerId, GrantId)>, at: DateTime<Utc>, expires_at: DateTime<Utc>) -> NewCoupon {
    [
        Bind::Id(CouponId::new().0),
        Bind::Id(terms.id.0),
        Bind::Text(new_code()),
        Bind::MaybeId(given.map(|(customer, _)| customer.0)),
        Bind::MaybeId(given.map(|(_, grant)| grant.0)),
        Bind::Time(at),
        Bind::Time(expires_at),
        Bind::Int(terms.uses),
    ]
}

#[derive(sqlx::FromRow)]
struct OwnRow {
    id: CouponId,
    code: String,
    series: String,
    #[sqlx(json)]
    name: Localized,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    uses: i64,
    used: i64,
}

/// Coupons of somebody, or of a purchase.
const OWN: &str = concat!(
    "SELECT c.id, c.code, s.code AS series, s.name, c.issued_at, c.expires_at, c.uses, \
     (SELECT COUNT(*) FROM coupon_uses u WHERE u.coupon_id = c.id AND ",
    is_kept!("u.purchase_id"),
    ") AS used FROM coupons c JOIN coupon_series s ON s.id = c.series_id LEFT JOIN grants g ON g.id = c.grant_id"
);

impl From<OwnRow> for Coupon {
    fn from(row: OwnRow) -> Self {
        Self {
            id: row.id,
            code: row.code,
            series: row.series,
            name: row.name,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            uses: row.uses,
            used: row.used,
        }
    }
}

/// How long a coupon that is over is told of, in days.
pub const ARCHIVE_DAYS: i64 = 90;

/// The most coupons that are told of.
const MOST: i64 = 100;

/// The coupons of a customer, those that end first at the head; what ended longer than [`ARCHIVE_DAYS`] ago is left out, and
/// what was given for a purchase that came back.
pub async fn of(conn: &mut Conn, of: Subject) -> Result<Vec<Coupon>, Error> {
    const GIVEN: &str = concat!("g.purchase_id IS NULL OR ", is_kept!("g.purchase_id"));
    let now = conn.now();
    let since = now - Duration::days(ARCHIVE_DAYS);
    let query = |is_over: &'static str| {
        ListQuery::new(OWN)
            .filter("c.customer_id = ?", [Bind::Id(of.id().0)])
            .filter(is_over, [Bind::Time(now)])
            .filter(GIVEN, [])
    };
    // Whatever there is of old ones, those that are good are told.
    let good = query("c.expires_at > ?")
        .tail("ORDER BY c.expires_at, c.id")
        .limit(MOST);
    let over = query("c.expires_at <= ?")
        .filter("c.expires_at > ?", [Bind::Time(since)])
        .tail("ORDER BY c.expires_at DESC, c.id DESC")
        .limit(MOST);
    let mut rows: Vec<OwnRow> = db::list(conn, good).await?;
    rows.extend(db::list::<OwnRow>(conn, over).await?);
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The coupons that a purchase was given.
pub(crate) async fn given_for(conn: &mut Conn, purchase: PurchaseId) -> Result<Vec<Coupon>, sqlx::Error> {
    let query = ListQuery::new(OWN)
        .filter("g.purchase_id = ?", [Bind::Id(purchase.0)])
        .tail("ORDER BY c.id");
    let rows: Vec<OwnRow> = db::list(conn, query).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
