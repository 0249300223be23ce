//! The texts that people agree to, to be read by everybody.

use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::paragraphs;
use crm::consent::store as consents;
use islands::AppError;
use leptos::prelude::*;

/// One consent's newest text.
pub async fn consent(cx: Cx) -> Result<Body, AppError> {
    let code: String = cx.param("code")?;
    let mut conn = cx.db.read().await?;
    let purpose = consents::purpose(&mut conn, &code).await?;
    let title = cx.pick(&purpose.title);
    let view = view! {
        <article class="prose">
            <h1>{title.clone()}</h1>
            <p class="hint">{cx.t().sign_in.version(purpose.version)}</p>
            {paragraphs(purpose.body.get(cx.lang))}
        </article>
    };
    Ok(Body::new(title, Frame::Plain, view))
}
