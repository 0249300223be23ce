//! Tags of requests: how often each is there, and calling one otherwise.

use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::{Field, FormBox, Head, Select, pairs, table_or};
use crm::request::store::tags;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/tags";

/// Calls a tag otherwise.
#[derive(Deserialize)]
pub struct RenameTag {
    from: String,
    to: String,
}

impl Form for RenameTag {
    const NAME: &'static str = "tag.rename";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        tags::rename(&cx.db, cx.staff()?, &self.from, &self.to).await?;
        Ok(Next::to(format!("{HERE}?done=renamed")))
    }
}

/// All tags.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_tags;
    let all = tags::list(&mut cx.db.read().await?, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|tag| {
            let href = format!(
                "/admin/requests?{}",
                form_urlencoded::Serializer::new(String::new())
                    .append_pair("status", "all")
                    .append_pair("tag", &tag.tag)
                    .finish()
            );
            view! {
                <tr>
                    <td class="grow"><a href=href><bdi>{tag.tag.clone()}</bdi></a></td>
                    <td class="num">{format::integer(tag.requests)}</td>
                    <td class="num">{format::integer(tag.unclosed)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.tag), Head::Number(t.requests), Head::Number(t.unclosed)];
    let choice: Vec<_> = all.iter().map(|tag| (tag.tag.clone(), tag.tag.clone())).collect();
    let labels = pairs([("from", t.from), ("to", t.to)]);
    let list = table_or(t.none, t.title, heads, rows);
    let rename = (!choice.is_empty()).then(|| {
        view! {
            <section class="section narrow" aria-labelledby="rename">
                <h2 id="rename">{t.rename}</h2>
                <p class="hint">{t.rename_hint}</p>
                <FormBox<RenameTag> labels=labels>
                    <Select name="from" label=t.from options=choice/>
                    <Field name="to" label=t.to/>
                    <button class="btn">{t.rename_do}</button>
                </FormBox<RenameTag>>
            </section>
        }
    });
    let view = view! {
        {back("/admin/requests", cx.t().admin_requests.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("renamed", t.done_renamed)])}
        <p class="lead">{t.lead}</p>
        {list}
        {rename}
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}
