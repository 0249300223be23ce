//! What waits for a colleague's consent, a correction of points or of a receipt, or a promotion: whoever may consent is told in their
//! inbox ([`crate::request::mention`]), and whoever asked is told what became of it.

use crate::db::Tx;
use crate::id::{AdjustmentId, NoticeId, PromotionId, ReceiptCorrectionId, StaffId};
use crate::on;
use crate::request::live;
use crate::staff::Right;
use crate::who::Staff;
use sqlx::types::Json;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Step {
    /// It waits.
    Asked,
    /// Somebody consented.
    Approved,
    /// Somebody did not.
    Refused,
}

/// What waits.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// A correction of points.
    Correction(AdjustmentId),
    /// A correction of a receipt.
    Receipt(ReceiptCorrectionId),
    /// A promotion.
    Promotion(PromotionId),
}

impl What {
    /// By which somebody may consent.
    const fn right(self) -> Right {
        match self {
            Self::Correction(_) | Self::Receipt(_) => Right::Points,
            Self::Promotion(_) => Right::Rules,
        }
    }

    /// The three columns for it.
    const fn ids(self) -> (Option<AdjustmentId>, Option<ReceiptCorrectionId>, Option<PromotionId>) {
        match self {
            Self::Correction(id) => (Some(id), None, None),
            Self::Receipt(id) => (None, Some(id), None),
            Self::Promotion(id) => (None, None, Some(id)),
        }
    }
}

/// Tells whoever may consent that it is asked for; neither who asks nor `author`, who wrote it. Last in its transaction, as
/// [`live::ring_bells`] is.
pub(crate) async fn ask(tx: &mut Tx, by: &Staff, what: What, author: Option<StaffId>) -> Result<(), sqlx::Error> {
    let mut told = deciders(tx, what.right()).await?;
    told.retain(|staff| *staff != by.id() && Some(*staff) != author);
    for staff in &told {
        put(tx, *staff, Step::Asked, what, by).await?;
    }
    live::ring_bells(tx, &told).await
}

/// It waits no more, and who has not read that it did is not told any more. Where it was decided, `told` is who asked, and what
/// became of it. Last in its transaction, likewise.
pub(crate) async fn over(
    tx: &mut Tx,
    by: &Staff,
    what: What,
    told: Option<(StaffId, Step)>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "DELETE FROM approval_notices WHERE kind = 'asked' AND read_at IS NULL \
                       AND (adjustment_id = $1 OR receipt_correction_id = $2 OR promotion_id = $3)";
    let (adjustment, receipt, promotion) = what.ids();
    on!(tx, |c| sqlx::query(SQL)
        .bind(adjustment)
        .bind(receipt)
        .bind(promotion)
        .execute(c)
        .await
        .map(drop))?;
    // Whoever may consent sees how many wait, in the bar.
    let mut rung = deciders(tx, what.right()).await?;
    if let Some((asker, step)) = told {
        put(tx, asker, step, what, by).await?;
        if !rung.contains(&asker) {
            rung.push(asker);
        }
    }
    live::ring_bells(tx, &rung).await
}

/// Whoever has the right to consent.
async fn deciders(tx: &mut Tx, right: Right) -> Result<Vec<StaffId>, sqlx::Error> {
    const SQL: &str = "SELECT s.id, r.rights FROM staff s JOIN roles r ON r.code = s.role \
                       WHERE s.disabled_at IS NULL ORDER BY s.id";
    let all: Vec<(StaffId, Json<Vec<Right>>)> = on!(tx, |c| sqlx::query_as(SQL).fetch_all(c).await)?;
    let able = all.into_iter().filter(|(_, rights)| rights.0.contains(&right));
    Ok(able.map(|(id, _)| id).collect())
}

async fn put(tx: &mut Tx, to: StaffId, step: Step, what: What, by: &Staff) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO approval_notices (id, staff_id, at, kind, adjustment_id, receipt_correction_id, \
                       promotion_id, by_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (id, now) = (NoticeId::new(), tx.now());
    let (adjustment, receipt, promotion) = what.ids();
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(to)
        .bind(now)
        .bind(step)
        .bind(adjustment)
        .bind(receipt)
        .bind(promotion)
        .bind(by.id())
        .execute(c)
        .await
        .map(drop))
}
