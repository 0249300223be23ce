//! A receipt that staff correct: whose it is, and in which shop it was.

use super::{labels, reason};
use crate::cabinet::fresh_first;
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FormBox, Select};
use crm::find::store as find;
use crm::flaw::Flaw;
use crm::id::{CustomerId, PurchaseId};
use crm::purchase::{Kind, Purchase, correct};
use crm::staff::Right;
use crm::stores::Store;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Takes the receipt off the customer, whose it is not, and gives it to whose it is where that is known.
#[derive(Deserialize)]
pub struct DetachReceipt {
    #[serde(default)]
    to: String,
    reason: String,
}

impl Form for DetachReceipt {
    const NAME: &'static str = "purchase.detach";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, purchase): (CustomerId, PurchaseId) = (cx.param("id")?, cx.param("purchase")?);
        let by = cx.staff()?.fresh(&cx.db)?;
        match self.to.trim() {
            "" => correct::detach(&cx.db, &by, id, purchase, &self.reason).await?,
            to => {
                by.may(Right::Purchases)?;
                let hits = find::search(&cx.db, &by, to).await?;
                let mut others = hits.iter().filter(|hit| hit.id != id);
                let (Some(other), None) = (others.next(), others.next()) else {
                    return Err(AppError::field("to", Flaw::NotTheOne));
                };
                correct::hand_over(&cx.db, &by, (id, purchase), other.id, &self.reason).await?;
            }
        }
        Ok(Next::to(format!("/admin/customers/{id}/acts?done=detached")))
    }
}

/// Corrects in which shop it was. `seen` is the one that stood there.
#[derive(Deserialize)]
pub struct SetShop {
    seen: String,
    store: String,
    reason: String,
}

impl Form for SetShop {
    const NAME: &'static str = "purchase.store";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let (id, purchase): (CustomerId, PurchaseId) = (cx.param("id")?, cx.param("purchase")?);
        let (seen, store) = (self.seen.parse().ok(), self.store.parse().ok());
        correct::set_store(&cx.db, cx.staff()?, (id, purchase), seen, store, &self.reason).await?;
        Ok(Next::to(format!(
            "/admin/customers/{id}/purchases/{purchase}?done=store"
        )))
    }
}

/// Below a receipt, for whoever may correct it. What was voided is corrected no more.
pub(in crate::admin) fn section(cx: &Cx, head: &Purchase, shops: &[Store]) -> Option<Html> {
    let t = &cx.t().acts;
    let may = cx.staff.as_ref().is_some_and(|staff| staff.has(Right::Purchases));
    let was_tried = cx.was_sent(DetachReceipt::NAME) || cx.was_sent(SetShop::NAME);
    if !may || (head.voided_at.is_some() && !was_tried) {
        return None;
    }
    let detach = (head.kind == Kind::Sale).then(|| {
        let form = fresh_first(cx).unwrap_or_else(|| {
            view! {
                <FormBox<DetachReceipt> labels=labels(t, &[("to", t.detach_to)]) stale=t.detach_stale>
                    <Field name="to" label=t.detach_to hint=t.detach_to_hint optional=true/>
                    {reason(t)}
                    <button class="btn btn-danger-quiet">{t.detach}</button>
                </FormBox<DetachReceipt>>
            }
            .into_html()
        });
        view! {
            <details class="fold" open=cx.was_sent(DetachReceipt::NAME)>
                <summary>{t.detach}</summary>
                <p class="hint">{t.detach_hint}</p>
                {form}
            </details>
        }
    });
    let options: Vec<(String, String)> = std::iter::once((String::new(), t.store_choose.to_owned()))
        .chain(shops.iter().map(|shop| {
            (
                shop.id.to_string(),
                format!("{}, {}", cx.pick(&shop.town), cx.pick(&shop.name)),
            )
        }))
        .collect();
    let now = head
        .store
        .as_ref()
        .map_or_else(String::new, |store| store.id.to_string());
    Some(
        view! {
            <section class="section narrow" aria-labelledby="correct">
                <h2 id="correct">{t.correct}</h2>
                {detach}
                <details class="fold" open=cx.was_sent(SetShop::NAME)>
                    <summary>{t.set_store}</summary>
                    <p class="hint">{t.set_store_hint}</p>
                    <FormBox<SetShop> labels=labels(t, &[("store", t.store)])>
                        <input type="hidden" name="seen" value=now.clone()/>
                        <Select name="store" label=t.store options=options value=now/>
                        {reason(t)}
                        <button class="btn">{t.set_store}</button>
                    </FormBox<SetShop>>
                </details>
            </section>
        }
        .into_html(),
    )
}
