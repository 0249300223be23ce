//! Adding a receipt that was given without the card: by its code, typed, or out of its QR by the camera or from a photo.

use super::back;
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Field, FileField, FormBox, pairs};
use crm::flaw::Flaw;
use crm::purchase::claim;
use crm::request::attachment::PHOTOS;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Attaches a receipt by its code, or by a photo where none was typed.
#[derive(Deserialize)]
pub struct ClaimReceipt {
    receipt: String,
}

impl Form for ClaimReceipt {
    const NAME: &'static str = "purchase.claim";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.customer()?;
        let id = if self.receipt.trim().is_empty() && !cx.files.is_empty() {
            claim::claim_by_photo(&cx.db, by, &cx.files).await?
        } else {
            claim::claim(&cx.db, by, &self.receipt).await?
        };
        Ok(Next::to(format!("/purchases/{id}?done=claimed")))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().claim;
    cx.subject()?;
    let days = cx.shop().points.claim_days;
    let labels = pairs([("receipt", t.code), ("files", t.photo)]);
    let unknown = unknown(&cx);
    let view = view! {
        {back("/purchases", cx.t().purchases.title)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead(days)}</p>
        {cx.viewer.is_none().then(|| camera(&cx))}
        <FormBox<ClaimReceipt> labels=labels>
            <Field name="receipt" label=t.code hint=t.hint missing=t.missing autofocus=true enterkeyhint="done"/>
            <FileField label=t.photo hint=t.photo_hint(cx.shop().attachments.file_mb) accept=PHOTOS/>
            <div class="actions">
                <button class="btn btn-primary">{t.add}</button>
                <a class="btn btn-quiet" href="/purchases">{cx.t().common.cancel}</a>
            </div>
        </FormBox<ClaimReceipt>>
        {unknown}
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Purchases), view))
}

/// What to do about a receipt that is not there: a till may send it later, and who has the paper can write to us.
fn unknown(cx: &Cx) -> Option<Html> {
    let t = &cx.t().claim;
    let sent = cx.outcome.as_ref().filter(|sent| sent.form == ClaimReceipt::NAME)?;
    let AppError::Invalid { flaws } = &sent.error else {
        return None;
    };
    if !flaws.iter().any(|(_, flaw)| matches!(flaw, Flaw::NoReceipt)) {
        return None;
    }
    let typed = sent.values.iter().find(|(name, _)| name == "receipt");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("topic", "purchase")
        .append_pair("code", typed.map_or("", |(_, code)| code.trim()))
        .finish();
    Some(
        view! {
            <div class="notice">
                <div>
                    <p>{t.unknown}</p>
                    <p class="actions"><a class="btn btn-sm" href=format!("/support/new?{query}")>{t.write}</a></p>
                </div>
            </div>
        }
        .into_html(),
    )
}

/// Where the script `camera/scan.js` reads the code by the camera. Without it, or without a camera, nothing of this is seen.
fn camera(cx: &Cx) -> Html {
    let t = &cx.t().claim;
    view! {
        <section
            class="narrow stack later"
            aria-label=t.scan
            hidden
            data-scan="purchase-claim-receipt"
            data-decoder=cx.site.scan.decoder.clone()
            data-opening=t.scan_opening
            data-looking=t.scan_looking
            data-found=t.scan_found
            data-nothing=t.scan_nothing
            data-none=t.scan_none
            data-denied=t.scan_denied
            data-busy=t.scan_busy
            data-failed=t.scan_failed
        >
            <video class="panel panel-flush w-full" aria-label=t.scan_picture muted playsinline hidden></video>
            <div class="actions">
                <button class="btn" type="button">{t.scan}</button>
                <button class="btn btn-quiet" type="button" hidden>{t.scan_stop}</button>
            </div>
            <p class="hint" role="status"></p>
        </section>
        <script type="module" src=cx.site.scan.js.clone()></script>
    }
    .into_html()
}
