//! Returns that came before their sale and wait for it, as they are told whoever looks after the tills.

use crate::db::{self, Bind, Db, ListQuery, scoped};
use crate::error::Error;
use crate::id::{CustomerId, PurchaseId, StoreId, TillId};
use crate::lang::Localized;
use crate::points::Before;
use crate::purchase::StoreName;
use crate::purchase::store::store_name;
use crate::staff::Right;
use crate::who::Staff;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::HashMap;
use uuid::Uuid;

/// A return of which a line at least waits for its sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingReturn {
    /// Its id.
    pub id: PurchaseId,
    /// Its number.
    pub document: String,
    /// The system that its number is unique in.
    pub source: String,
    /// When, by the till's clock.
    pub at: DateTime<Utc>,
    /// The shop, if any was named.
    pub store: Option<StoreName>,
    /// The till and its code; none: it came in a file.
    pub till: Option<(TillId, String)>,
    /// The numbers of the sales that it waits for.
    pub sales: Vec<String>,
    /// The sum of all of it, in minor units, below zero.
    pub total: i64,
    /// Who brought it, as far as that is known; none as well for who may not see customers.
    pub customer_id: Option<CustomerId>,
    /// Their name.
    pub name: String,
    /// Their surname.
    pub surname: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: PurchaseId,
    document: String,
    source: String,
    at: DateTime<Utc>,
    total: i64,
    till_id: Option<TillId>,
    till: Option<String>,
    store_id: Option<StoreId>,
    store_name: Option<Json<Localized>>,
    store_town: Option<Json<Localized>>,
    store_zone: Option<String>,
    customer_id: Option<CustomerId>,
    name: Option<String>,
    surname: Option<String>,
}

impl Row {
    fn told(self, sales: Vec<String>) -> WaitingReturn {
        WaitingReturn {
            id: self.id,
            document: self.document,
            source: self.source,
            at: self.at,
            store: store_name(self.store_id, self.store_name, self.store_town, self.store_zone),
            till: self.till_id.zip(self.till),
            sales,
            total: self.total,
            customer_id: self.customer_id,
            name: self.name.unwrap_or_default(),
            surname: self.surname.unwrap_or_default(),
        }
    }

    /// The same for somebody who may not see customers.
    fn without_customer(self) -> Self {
        Self {
            customer_id: None,
            name: None,
            surname: None,
            ..self
        }
    }
}

/// A page of them, the longest first, those after `after`; and where the next page begins, if there is one. One that is voided waits
/// for nothing. That they were looked at is written down, and for each customer whom it names as well.
pub async fn list(
    db: &Db,
    by: &Staff,
    after: Option<Before>,
    limit: usize,
) -> Result<(Vec<WaitingReturn>, Option<Before>), Error> {
    const ROWS: &str = "SELECT p.id, p.document, p.source, p.at, p.total, p.till_id, t.code AS till, p.store_id, \
        s.name AS store_name, s.town AS store_town, s.time_zone AS store_zone, p.customer_id, c.name, c.surname \
        FROM purchases p LEFT JOIN tills t ON t.id = p.till_id LEFT JOIN stores s ON s.id = p.store_id \
        LEFT JOIN customers c ON c.id = p.customer_id";
    // A handful among millions of receipts: they are found from here.
    const WAITS: &str =
        "p.id IN (SELECT l.purchase_id FROM waiting_returns w JOIN purchase_lines l ON l.id = w.line_id)";
    const SALES: &str =
        "SELECT DISTINCT l.purchase_id, w.document FROM waiting_returns w JOIN purchase_lines l ON l.id = w.line_id";
    by.may(Right::Tills)?;
    let sees_customers = by.has(Right::Customers);
    let (at, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    db.write(|tx| {
        scoped(async move {
            // One more than is shown tells whether there is another page.
            let query = ListQuery::new(ROWS)
                .filter("p.voided_at IS NULL", [])
                .filter(WAITS, [])
                .filter("(p.at, p.id) > (?, ?)", [Bind::Time(at), Bind::Id(id)])
                .tail("ORDER BY p.at, p.id")
                .limit(limit as i64 + 1);
            let mut rows: Vec<Row> = db::list(tx, query).await?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            if !sees_customers {
                rows = rows.into_iter().map(Row::without_customer).collect();
            }
            let next = rows.last().filter(|_| more).map(|last| (last.at, last.id.0));
            let query = ListQuery::new(SALES)
                .within("l.purchase_id", rows.iter().map(|row| Bind::Id(row.id.0)))
                .tail("ORDER BY w.document");
            let named: Vec<(PurchaseId, String)> = db::list(tx, query).await?;
            let mut sales: HashMap<PurchaseId, Vec<String>> = HashMap::new();
            for (purchase, document) in named {
                sales.entry(purchase).or_default().push(document);
            }
            by.record(tx, "return.read", None, None, "").await?;
            for row in &rows {
                if let Some(customer) = row.customer_id {
                    by.record(tx, "return.read", Some(customer), Some(row.id.0), "").await?;
                }
            }
            let told = rows.into_iter().map(|row| {
                let sales = sales.remove(&row.id).unwrap_or_default();
                row.told(sales)
            });
            Ok((told.collect(), next))
        })
    })
    .await
}
