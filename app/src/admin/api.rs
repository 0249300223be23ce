//! What the API is asked and what it answers: the OpenAPI document as a page, for whoever connects a till. The document is
//! in English whatever the page is in; what comes of it is marked so, and screen readers read it right.

use crate::cx::Cx;
use crate::route::{Body, Frame};
use crate::ui::html::{Html, IntoHtml};
use islands::AppError;
use leptos::prelude::*;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A part of the document by its reference, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
    reference.and_then(|at| document.pointer(at)).unwrap_or(value)
}

/// The name of a schema that is referred to.
fn reference(value: &Value) -> Option<&str> {
    value["$ref"].as_str()?.rsplit('/').next()
}

/// A type in words, with a link to the schema it refers to.
fn kind(value: &Value) -> Html {
    if let Some(name) = reference(value) {
        let (href, name) = (format!("#{name}"), name.to_owned());
        return view! { <a href=href>{name}</a> }.into_html();
    }
    let variants = value["oneOf"].as_array().or(value["anyOf"].as_array());
    if let Some(variants) = variants {
        let parts: Vec<_> = variants
            .iter()
            .enumerate()
            .map(|(i, variant)| view! { {(i > 0).then_some(" | ")} {kind(variant)} })
            .collect();
        return parts.into_html();
    }
    let one = |word: &str| match (word, value["format"].as_str()) {
        ("array", _) => view! { {kind(&value["items"])} "[]" }.into_html(),
        (word, Some(format)) => format!("{word} ({format})").into_html(),
        (word, None) => word.to_owned().into_html(),
    };
    match &value["type"] {
        Value::String(word) => one(word),
        Value::Array(words) => {
            let parts: Vec<_> = words
                .iter()
                .filter_map(Value::as_str)
                .enumerate()
                .map(|(i, word)| view! { {(i > 0).then_some(" | ")} {one(word)} })
                .collect();
            parts.into_html()
        }
        _ => "object".into_html(),
    }
}

/// A text in which what stands between backticks is code.
fn words(text: &str) -> Vec<Html> {
    text.split('`')
        .enumerate()
        .map(|(i, part)| {
            let part = part.to_owned();
            if i % 2 == 1 {
                view! { <code>{part}</code> }.into_html()
            } else {
                part.into_html()
            }
        })
        .collect()
}

/// The fields of an object as a table.
fn fields(cx: &Cx, of: &str, schema: &Value) -> Option<Html> {
    let t = &cx.t().admin_api;
    let properties = schema["properties"].as_object()?;
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows: Vec<_> = properties
        .iter()
        .map(|(name, value)| {
            let must = required.contains(&name.as_str()).then_some(t.required);
            let about = words(value["description"].as_str().unwrap_or_default());
            view! {
                <tr>
                    <td lang="en"><code>{name.clone()}</code></td>
                    <td lang="en">{kind(value)}</td>
                    <td>{must}</td>
                    <td class="grow" lang="en">{about}</td>
                </tr>
            }
        })
        .collect();
    Some(
        view! {
            <div class="data-wrap" role="region" aria-label=format!("{}: {of}", t.fields) tabindex="0">
                <table class="data data-words">
                    <thead><tr>
                        <th scope="col">{t.field}</th> <th scope="col">{t.kind}</th> <th scope="col">{t.must}</th>
                        <th scope="col">{t.meaning}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_html(),
    )
}

/// One thing that can be asked.
fn operation(cx: &Cx, document: &Value, path: &str, method: &str, operation: &Value) -> Html {
    let t = &cx.t().admin_api;
    let told = |key: &str| words(operation[key].as_str().unwrap_or_default());
    let scopes: Vec<&str> = operation["security"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["key"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let parameters: Vec<_> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            let place = one["in"].as_str().unwrap_or_default().to_owned();
            let about = words(one["description"].as_str().unwrap_or_default());
            view! { <li><code>{name}</code> " (" {place} "): " {about}</li> }
        })
        .collect();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let body = (!body.is_null()).then(|| {
        let of = format!("{} {path}", method.to_uppercase());
        let shown = fields(cx, &of, resolved(document, body));
        view! { <h4>{t.sent} ": " <span lang="en">{kind(body)}</span></h4> {shown} }
    });
    let answers: Vec<_> = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, answer)| {
            let schema = &answer["content"]["application/json"]["schema"];
            let about = words(answer["description"].as_str().unwrap_or_default());
            let shape = (!schema.is_null()).then(|| view! { ": " {kind(schema)} });
            view! { <li><b>{status.clone()}</b> " " {about} {shape}</li> }
        })
        .collect();
    let scopes = (!scopes.is_empty())
        .then(|| view! { <p class="muted">{t.scopes} ": " <code lang="en">{scopes.join(", ")}</code></p> });
    let parameters =
        (!parameters.is_empty()).then(|| view! { <h4>{t.parameters}</h4> <ul lang="en">{parameters}</ul> });
    view! {
        <article class="panel">
            <h3 lang="en"><span class="badge">{method.to_uppercase()}</span> " " <code>{path.to_owned()}</code></h3>
            <p lang="en">{told("summary")} " " {told("description")}</p>
            {scopes}
            {parameters}
            {body}
            <h4>{t.answers}</h4>
            <ul lang="en">{answers}</ul>
        </article>
    }
    .into_html()
}

/// Every kind of problem that is named, with its status: where the `type` of a problem leads.
fn problems(document: &Value) -> BTreeMap<String, String> {
    let nothing = Map::new();
    let mut known = BTreeMap::new();
    let paths = document["paths"].as_object().unwrap_or(&nothing);
    let operations = paths.values().filter_map(Value::as_object).flat_map(Map::values);
    for (status, answer) in operations.filter_map(|one| one["responses"].as_object()).flatten() {
        let about = answer["description"].as_str().unwrap_or_default();
        // Codes stand between backticks.
        for code in about.split('`').skip(1).step_by(2).filter(|code| !code.contains('-')) {
            known.insert(code.to_owned(), status.clone());
        }
    }
    known
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_api;
    cx.staff()?;
    let document = &cx.site.api;
    let nothing = Map::new();
    let paths = document["paths"].as_object().unwrap_or(&nothing);
    let mut by_tag: BTreeMap<&str, Vec<Html>> = BTreeMap::new();
    for (path, methods) in paths {
        for (method, asked) in methods.as_object().unwrap_or(&nothing) {
            let tag = asked["tags"][0].as_str().unwrap_or_default();
            by_tag
                .entry(tag)
                .or_default()
                .push(operation(&cx, document, path, method, asked));
        }
    }
    let sections: Vec<_> = by_tag
        .into_iter()
        .map(|(tag, operations)| {
            let tag = tag.to_owned();
            view! {
                <section class="section" aria-labelledby=format!("tag-{tag}")>
                    <h2 id=format!("tag-{tag}") lang="en">{tag.clone()}</h2>
                    <div class="stack">{operations}</div>
                </section>
            }
        })
        .collect();
    let schemas: Vec<_> = document["components"]["schemas"]
        .as_object()
        .unwrap_or(&nothing)
        .iter()
        .map(|(name, schema)| {
            let about = words(schema["description"].as_str().unwrap_or_default());
            view! {
                <div class="section">
                    <h3 id=name.clone() lang="en">{name.clone()}</h3>
                    <p lang="en">{about}</p>
                    {fields(&cx, name, schema)}
                </div>
            }
        })
        .collect();
    let problems: Vec<_> = problems(document)
        .into_iter()
        .map(|(code, status)| view! { <li id=code.clone()><code>{code.clone()}</code> " — " {status}</li> })
        .collect();
    let about = document["info"]["description"].as_str().unwrap_or_default();
    let about: Vec<_> = about
        .split("\n\n")
        .map(|part| view! { <p lang="en">{words(part)}</p> })
        .collect();
    let view = view! {
        <div class="api">
        <h1>{t.title}</h1>
        {about}
        <p><a href="/admin/tills">{t.to_tills}</a></p>
        {sections}
        <section class="section" aria-labelledby="problems">
            <h2 id="problems">{t.problems}</h2>
            <p>{t.problems_hint}</p>
            <ul lang="en">{problems}</ul>
        </section>
        <section class="section" aria-labelledby="schemas"><h2 id="schemas">{t.schemas}</h2> {schemas}</section>
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}
