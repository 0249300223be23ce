//! Tills and other systems that ask through the API, and their keys.

use super::{once, waiting};
use crate::cabinet::{back, flash, fresh_first, gone};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::icon::{self as icons, icon};
use crate::ui::{Choices, DataTable, Field, FormBox, Head, Moment, Select, pairs};
use crm::flaw::Flaw;
use crm::id::{ApiKeyId, TillId};
use crm::stores::store as stores;
use crm::till::store as tills;
use crm::till::{ApiKey, Entry, NewTill, Scope};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

pub(super) const HERE: &str = "/admin/tills";

/// Adds a till.
#[derive(Deserialize)]
pub struct AddTill {
    key: String,
    name: String,
    source: String,
    store: String,
}

impl Form for AddTill {
    const NAME: &'static str = "till.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let store = match self.store.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| AppError::field("store", Flaw::NotAChoice))?),
        };
        let new = NewTill {
            code: self.key,
            name: self.name,
            source: self.source,
            store,
        };
        let id = tills::create(&cx.db, &by, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=added")))
    }
}

/// Makes a key of the till at hand.
#[derive(Deserialize)]
pub struct AddKey {
    #[serde(default)]
    scopes: Vec<String>,
}

impl Form for AddKey {
    const NAME: &'static str = "till.key";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let scopes: Option<Vec<Scope>> = self.scopes.iter().map(|word| Scope::from_word(word)).collect();
        let scopes = scopes.ok_or_else(|| AppError::field("scopes", Flaw::NotAChoice))?;
        let id = at(cx)?;
        let secret = tills::create_key(&cx.db, &by, id, &scopes).await?;
        once::hand_over(cx, id, secret.secret());
        Ok(Next::to(format!("{HERE}/{id}?done=key")))
    }
}

/// Makes a key worth nothing.
#[derive(Deserialize)]
pub struct RevokeKey {
    key: ApiKeyId,
}

impl Form for RevokeKey {
    const NAME: &'static str = "till.revoke";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        tills::revoke_key(&cx.db, &by, self.key).await?;
        Ok(Next::to(format!("{HERE}/{}?done=revoked", at(cx)?)))
    }
}

/// Switches the till at hand off, or on again.
#[derive(Deserialize)]
pub struct SwitchTill {
    on: bool,
}

impl Form for SwitchTill {
    const NAME: &'static str = "till.switch";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        tills::switch(&cx.db, &by, id, self.on).await?;
        let done = if self.on { "on" } else { "off" };
        Ok(Next::to(format!("{HERE}/{id}?done={done}")))
    }
}

/// The till of the address.
fn at(cx: &Cx) -> Result<TillId, AppError> {
    cx.param("id")
}

/// The list.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_tills;
    let tills = tills::list(&cx.db, cx.staff()?).await?;
    let shops = stores::list(&mut cx.db.read().await?, cx.lang).await?;
    let shops: Vec<_> = std::iter::once((String::new(), t.no_store.to_owned()))
        .chain(
            shops
                .iter()
                .map(|s| (s.id.to_string(), format!("{}, {}", cx.pick(&s.town), cx.pick(&s.name)))),
        )
        .collect();
    let list = if tills.is_empty() {
        view! { <div class="panel empty">{icon(icons::RECEIPT_TEXT)} <p>{t.none}</p></div> }.into_html()
    } else {
        table(&cx, &tills)
    };
    let labels = pairs([
        ("key", t.code),
        ("name", t.name),
        ("source", t.source),
        ("store", t.store),
    ]);
    let add = match fresh_first(&cx) {
        Some(first) => first,
        None => view! {
            <FormBox<AddTill> labels=labels>
                <Field name="key" label=t.code hint=t.code_hint missing=t.code_missing/>
                <Field name="name" label=t.name hint=t.name_hint missing=t.name_missing/>
                <Field name="source" label=t.source hint=t.source_hint missing=t.source_missing value="pos"/>
                <Select name="store" label=t.store hint=t.store_hint options=shops value="" optional=true/>
                <button class="btn btn-primary">{t.add}</button>
            </FormBox<AddTill>>
        }
        .into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead} " " <a href="/api/docs">{t.to_docs}</a></p>
        <p class="actions"><a class="btn" href=waiting::HERE>{cx.t().admin_waiting.title}</a></p>
        {list}
        <section class="section narrow" aria-labelledby="add">
            <h2 id="add">{t.new}</h2>
            {add}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn state(cx: &Cx, till: &Entry) -> impl IntoView + use<> {
    let t = &cx.t().admin_tills;
    let (class, words) = match (till.disabled_at, till.keys) {
        (Some(_), _) => ("status status-bad", t.is_off),
        (None, 0) => ("status status-open", t.no_keys),
        (None, _) => ("status status-done", t.is_on),
    };
    view! { <span class=class>{words}</span> }
}

fn table(cx: &Cx, tills: &[Entry]) -> Html {
    let t = &cx.t().admin_tills;
    let rows: Vec<_> = tills
        .iter()
        .map(|till| {
            let used = match till.used_at {
                Some(at) => view! { <Moment at=at shown=cx.ago(at)/> }.into_html(),
                None => view! { <span class="muted">{t.never}</span> }.into_html(),
            };
            view! {
                <tr>
                    <td>{state(cx, till)}</td>
                    <td><a href=format!("{HERE}/{}", till.id)>{till.code.clone()}</a></td>
                    <td class="grow"><bdi>{till.name.clone()}</bdi></td>
                    <td>{till.store.as_ref().map(|name| cx.pick(name))}</td>
                    <td>{till.source.clone()}</td>
                    <td class="num">{used}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.code),
        Head::Words(t.name),
        Head::Words(t.store),
        Head::Words(t.source),
        Head::Number(t.used),
    ];
    view! {
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
    }
    .into_html()
}

/// What a key may be good for, in words.
fn scope(cx: &Cx, scope: Scope) -> &'static str {
    let t = &cx.t().admin_tills;
    match scope {
        Scope::Customers => t.scope_customers,
        Scope::Purchases => t.scope_purchases,
        Scope::Points => t.scope_points,
        Scope::Catalogue => t.scope_catalogue,
        Scope::Accounting => t.scope_accounting,
    }
}

/// One till with its keys.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_tills;
    let (till, keys) = tills::get(&cx.db, cx.staff()?, at(&cx)?).await?;
    let first = fresh_first(&cx);
    let is_fresh = first.is_none();
    let words = [
        ("added", t.done_added),
        ("revoked", t.done_revoked),
        ("on", t.done_on),
        ("off", t.done_off),
    ];
    let good = keys.iter().filter(|key| key.revoked_at.is_none()).count() as i64;
    let rows: Vec<_> = keys.iter().map(|key| row(&cx, key, is_fresh)).collect();
    let list = if rows.is_empty() {
        view! { <p class="muted">{t.keys_none}</p> }.into_html()
    } else {
        view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html()
    };
    let choices: Vec<_> = Scope::ALL
        .iter()
        .map(|one| {
            let is_usual = matches!(one, Scope::Customers | Scope::Purchases | Scope::Points);
            (one.as_str().to_owned(), scope(&cx, *one).to_owned(), is_usual)
        })
        .collect();
    let is_off = till.disabled_at.is_some();
    let add = if is_off {
        Some(view! { <p class="muted">{t.off_hint}</p> }.into_html())
    } else if good >= tills::MOST_KEYS {
        Some(view! { <p class="muted">{t.keys_most}</p> }.into_html())
    } else {
        is_fresh.then(|| {
            view! {
                <FormBox<AddKey> labels=pairs([("scopes", t.scopes)])>
                    <Choices name="scopes" legend=t.scopes options=choices/>
                    <button class="btn btn-primary">{t.make_key}</button>
                </FormBox<AddKey>>
            }
            .into_html()
        })
    };
    let (switch, switch_words, class) = if is_off {
        ("true", t.switch_on, "btn")
    } else {
        ("false", t.switch_off, "btn btn-danger-quiet")
    };
    let store = till.store.as_ref().map_or(t.no_store.to_owned(), |name| cx.pick(name));
    let title = t.one(&till.code);
    let view = view! {
        {back(HERE, t.title)}
        <h1>{title.clone()}</h1>
        {flash(&cx, &words)}
        {gone(&cx)}
        <p>{state(&cx, &till)} " " <bdi>{till.name.clone()}</bdi></p>
        <dl class="kv panel">
            <div><dt>{t.store}</dt><dd>{store}</dd></div>
            <div><dt>{t.source}</dt><dd>{till.source.clone()}</dd></div>
        </dl>
        {once::panel(&cx, till.id, t.key_made, t.key_once)}
        {first}
        <section class="section" aria-labelledby="keys">
            <h2 id="keys">{t.keys}</h2>
            <p class="hint">{t.keys_hint}</p>
            {list}
        </section>
        <section class="section narrow" aria-labelledby="new-key">
            <h2 id="new-key">{t.new_key}</h2>
            {add}
        </section>
        {is_fresh.then(|| view! {
            <FormBox<SwitchTill> class="actions">
                <input type="hidden" name="on" value=switch/>
                <button class=class>{switch_words}</button>
            </FormBox<SwitchTill>>
        })}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

fn row(cx: &Cx, key: &ApiKey, is_fresh: bool) -> impl IntoView + use<> {
    let t = &cx.t().admin_tills;
    let scopes: Vec<&str> = key.scopes.iter().map(|one| scope(cx, *one)).collect();
    let used = match key.used_at {
        Some(at) => t.key_used(cx.ago(at)),
        None => t.key_unused.to_owned(),
    };
    let badge = key
        .revoked_at
        .map(|at| view! { " " <span class="badge">{t.revoked(cx.moment(at))}</span> });
    let revoke = (is_fresh && key.revoked_at.is_none()).then(|| {
        let (id, hint) = (key.id.to_string(), key.hint.clone());
        view! {
            <FormBox<RevokeKey> id=format!("revoke-{id}") class="row-form">
                <input type="hidden" name="key" value=id/>
                <button class="btn btn-sm btn-danger-quiet">{t.revoke}<span class="sr-only">" …" {hint}</span></button>
            </FormBox<RevokeKey>>
        }
    });
    view! {
        <li class="row row-wrap">
            <span class="row-main">
                <b>"kbt_…" {key.hint.clone()}{badge}</b>
                <small>{scopes.join(", ")}</small>
                <small>{used}</small>
                <small>{t.key_since(cx.moment(key.created_at))}</small>
            </span>
            <span class="row-acts">{revoke}</span>
        </li>
    }
}
