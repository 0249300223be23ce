//! Segments of customers, as marketers make them by lists of cards and phones.

use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, FILES, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, Check, Field, FileField, FormBox, Head, Select, TextArea, pairs, table_or};
use crm::flaw::Flaw;
use crm::id::SegmentId;
use crm::lang::Localized;
use crm::segment::{self as segments, Act};
use crm::shop::MB;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/segments";

/// Adds a segment with nobody in it.
#[derive(Deserialize)]
pub struct AddSegment {
    key: String,
    name_ru: String,
    name_en: String,
}

impl Form for AddSegment {
    const NAME: &'static str = "segment.create";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let name = Localized::new(self.name_ru, self.name_en);
        let id = segments::create(&cx.db, cx.staff()?, &self.key, &name).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=created")))
    }
}

/// Puts the customers of a list into the segment at hand, or takes them out.
#[derive(Deserialize)]
pub struct PutMembers {
    act: String,
    numbers: String,
    #[serde(default)]
    lenient: String,
}

impl Form for PutMembers {
    const NAME: &'static str = "segment.put";
    const TAKES_FILES: bool = true;

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: SegmentId = cx.param("id")?;
        let act = match self.act.as_str() {
            "take" => Act::Take,
            _ => Act::Add,
        };
        // A file takes the place of what was typed.
        let (field, list) = match cx.files.first() {
            None => ("numbers", self.numbers),
            Some(file) => {
                let max = cx.shop().attachments.file_mb;
                if file.bytes.len() > max * MB {
                    return Err(AppError::field(FILES, Flaw::FileTooLarge { file: 1, max }));
                }
                (FILES, String::from_utf8_lossy(&file.bytes).into_owned())
            }
        };
        let lenient = self.lenient == "yes";
        let done = segments::put(&cx.db, cx.staff()?, id, act, &list, lenient, field).await?;
        Ok(Next::to(format!(
            "{HERE}/{id}?done=put&changed={}&missing={}",
            done.changed, done.missing
        )))
    }
}

/// Removes the segment at hand.
#[derive(Deserialize)]
pub struct RemoveSegment {}

impl Form for RemoveSegment {
    const NAME: &'static str = "segment.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: SegmentId = cx.param("id")?;
        segments::remove(&cx.db, cx.staff()?, id).await?;
        Ok(Next::to(format!("{HERE}?done=removed")))
    }
}

/// All segments.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_segments;
    let all = segments::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|segment| {
            view! {
                <tr>
                    <td class="grow"><a href=format!("{HERE}/{}", segment.id)><bdi>{cx.pick(&segment.name)}</bdi></a></td>
                    <td><code>{segment.code.clone()}</code></td>
                    <td class="num">{format::integer(segment.members)}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Words(t.name), Head::Words(t.code), Head::Number(t.members)];
    let list = table_or(t.none, t.title, heads, rows);
    let labels = pairs([("key", t.code), ("name_ru", t.name_ru), ("name_en", t.name_en)]);
    let view = view! {
        {back("/admin/coupons", cx.t().admin_coupons.title)}
        <h1>{t.title}</h1>
        {flash(&cx, &[("removed", t.done_removed)])}
        <p class="lead">{t.lead}</p>
        <p><a href=super::audience::HERE>{cx.t().admin_audience.title}</a></p>
        {list}
        <AddBox<AddSegment> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            <Field name="name_ru" label=t.name_ru/>
            <Field name="name_en" label=t.name_en/>
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddSegment>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// What came of a list.
fn put(cx: &Cx) -> Option<Html> {
    let t = &cx.t().admin_segments;
    cx.query("done").filter(|done| *done == "put" && cx.outcome.is_none())?;
    let number = |name: &str| cx.query(name).and_then(|n| n.parse::<i64>().ok()).unwrap_or_default();
    let said = t.done_put(number("changed"), number("missing"));
    Some(view! { <p class="flash" role="status">{said}</p> }.into_html())
}

/// One segment.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_segments;
    let id: SegmentId = cx.param("id")?;
    let segment = segments::read(&cx.db, cx.staff()?, id).await?;
    let title = cx.pick(&segment.name);
    let labels = pairs([("numbers", t.numbers), (FILES, t.file), ("act", t.act)]);
    let acts = pairs([("add", t.act_add), ("take", t.act_take)]);
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &[("created", t.done_created)])}
        {put(&cx)}
        <p><code>{segment.code.clone()}</code></p>
        <dl class="tiles-num"><div><dt>{t.members}</dt><dd>{format::integer(segment.members)}</dd></div></dl>
        <section class="section narrow" aria-labelledby="list">
            <h2 id="list">{t.list}</h2>
            <FormBox<PutMembers> labels=labels>
                <Select name="act" label=t.act options=acts/>
                <TextArea name="numbers" label=t.numbers hint=t.numbers_hint rows=8/>
                <FileField label=t.file hint=t.file_hint accept=".csv,.txt,text/csv,text/plain"/>
                <Check name="lenient">{t.lenient}</Check>
                <button class="btn btn-primary">{t.put}</button>
            </FormBox<PutMembers>>
        </section>
        <details class="fold narrow">
            <summary>{t.remove}</summary>
            <p>{t.remove_text}</p>
            <FormBox<RemoveSegment> class="actions">
                <button class="btn btn-danger">{t.remove}</button>
            </FormBox<RemoveSegment>>
        </details>
    };
    Ok(Body::new(title, Frame::Admin, view))
}
