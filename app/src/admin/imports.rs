//! Files that staff bring in: which column is what, a trial, the work itself while it goes on, and the lines that were refused.

use crate::cabinet::{back, flash, fresh_first, more, place, show_place};
use crate::cx::Cx;
use crate::format;
use crate::route::{Body, File, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{DataTable, FileField, FormBox, Head, Moment, Select, pairs};
use crm::flaw::Flaw;
use crm::id::ImportId;
use crm::import::{self as imports, ACCEPT, FILE_MB, Import, Kind, LINES_MAX, Mapping, Opened, State};
use crm::sheet::text;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;

const HERE: &str = "/admin/imports";
/// How many imports a page lists.
const PAGE: i64 = 30;

/// Brings a file in.
#[derive(Deserialize)]
pub struct UploadFile {
    kind: String,
}

impl Form for UploadFile {
    const NAME: &'static str = "import.upload";
    const TAKES_FILES: bool = true;
    const FILE_MB: Option<usize> = Some(FILE_MB);

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let kind = Kind::from_word(&self.kind).ok_or_else(|| AppError::field("kind", Flaw::NotAChoice))?;
        let id = imports::upload(&cx.db, &by, kind, cx.files.first()).await?;
        Ok(Next::to(format!("{HERE}/{id}")))
    }
}

/// Says which column is what, and has the file at hand tried.
#[derive(Deserialize)]
pub struct CheckFile {
    #[serde(default)]
    columns: HashMap<String, String>,
}

impl Form for CheckFile {
    const NAME: &'static str = "import.check";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        let mut mapping = Mapping::new();
        for (field, column) in self.columns {
            if column.is_empty() {
                continue;
            }
            let column = column
                .parse()
                .map_err(|_| AppError::field(&format!("columns[{field}]"), Flaw::NotAChoice))?;
            mapping.insert(field, column);
        }
        imports::check(&cx.db, cx.staff()?, id, &mapping).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=checking")))
    }
}

/// Begins what was tried.
#[derive(Deserialize)]
pub struct StartImport {}

impl Form for StartImport {
    const NAME: &'static str = "import.start";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        imports::start(&cx.db, &cx.staff()?.fresh(&cx.db)?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=started")))
    }
}

/// Goes on with what was broken off.
#[derive(Deserialize)]
pub struct GoOnImport {}

impl Form for GoOnImport {
    const NAME: &'static str = "import.go_on";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        imports::go_on(&cx.db, &cx.staff()?.fresh(&cx.db)?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=started")))
    }
}

/// Breaks off what is going on.
#[derive(Deserialize)]
pub struct CancelImport {}

impl Form for CancelImport {
    const NAME: &'static str = "import.cancel";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        imports::cancel(&cx.db, cx.staff()?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=cancelled")))
    }
}

/// The import of the address.
fn at(cx: &Cx) -> Result<ImportId, AppError> {
    cx.param("id")
}

fn kind(cx: &Cx, kind: Kind) -> &'static str {
    let t = &cx.t().admin_imports;
    match kind {
        Kind::Customers => t.kind_customers,
        Kind::Cards => t.kind_cards,
        Kind::Articles => t.kind_articles,
        Kind::Purchases => t.kind_purchases,
    }
}

fn state(cx: &Cx, import: &Import) -> Html {
    let t = &cx.t().admin_imports;
    let (class, words) = match (import.state, import.is_trial) {
        (State::Ready, _) => ("status status-open", t.is_ready),
        (State::Waiting, _) => ("status status-open", t.is_waiting),
        (State::Running, true) => ("status status-open", t.is_checking),
        (State::Running, false) => ("status status-open", t.is_running),
        (State::Done, true) => ("status status-open", t.is_checked),
        (State::Done, false) => ("status status-done", t.is_done),
        (State::Failed, _) => ("status status-bad", t.has_failed),
        (State::Cancelled, _) => ("status status-bad", t.is_cancelled),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

/// The list, and the form that brings a file in.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_imports;
    let before = cx.query("after").and_then(place);
    let mut all = imports::list(&mut cx.db.read().await?, cx.staff()?, before, PAGE + 1).await?;
    let has_more = i64::try_from(all.len()).is_ok_and(|n| n > PAGE);
    all.truncate(usize::try_from(PAGE).unwrap_or_default());
    let next = all.last().filter(|_| has_more).map(|last| {
        let after = show_place((last.created_at, last.id.0));
        more(&cx, format!("{HERE}?after={after}"))
    });
    let list = match all.is_empty() {
        true => view! { <p class="muted">{t.none}</p> }.into_html(),
        false => table(&cx, &all),
    };
    let kinds: Vec<_> = Kind::ALL
        .into_iter()
        .map(|of| (of.as_str().to_owned(), kind(&cx, of).to_owned()))
        .collect();
    let labels = pairs([("kind", t.kind), (crate::route::FILES, t.file)]);
    let most = format::integer(i64::try_from(LINES_MAX).unwrap_or(i64::MAX));
    let add = match fresh_first(&cx) {
        Some(first) => first,
        None => view! {
            <FormBox<UploadFile> labels=labels>
                <Select name="kind" label=t.kind options=kinds/>
                <FileField label=t.file hint=t.file_hint(FILE_MB, most) accept=ACCEPT optional=false/>
                <button class="btn btn-primary">{t.upload}</button>
            </FormBox<UploadFile>>
        }
        .into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <section class="section narrow" aria-labelledby="add">
            <h2 id="add">{t.new}</h2>
            {add}
        </section>
        <div class="section">
            <h2>{t.all}</h2>
            {list}
            {next}
        </div>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn table(cx: &Cx, all: &[Import]) -> Html {
    let t = &cx.t().admin_imports;
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td>{state(cx, one)}</td>
                    <td class="grow"><a href=format!("{HERE}/{}", one.id)><bdi>{one.name.clone()}</bdi></a></td>
                    <td>{kind(cx, one.kind)}</td>
                    <td class="num">{format::integer(one.total)}</td>
                    <td class="num">{format::integer(if one.is_trial { 0 } else { one.added + one.changed })}</td>
                    <td class="num">{format::integer(one.refused)}</td>
                    <td><bdi>{one.by_name.clone()}</bdi></td>
                    <td><Moment at=one.created_at shown=cx.moment(one.created_at)/></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.file),
        Head::Words(t.kind),
        Head::Number(t.lines),
        Head::Number(t.taken),
        Head::Number(t.refused),
        Head::Words(t.by),
        Head::Words(t.when),
    ];
    view! { <DataTable label=t.all heads=heads rows=rows.into_html()/> }.into_html()
}

/// One import.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_imports;
    let opened = imports::open(&cx.db, cx.staff()?, at(&cx)?).await?;
    let import = &opened.import;
    let said = [
        ("checking", t.done_checking),
        ("started", t.done_started),
        ("cancelled", t.done_cancelled),
    ];
    let inside = match (import.state.is_open(), import.has_lines(cx.db.now())) {
        (true, _) => under_way(&cx, import),
        (false, true) => view! {
            {results(&cx, &opened)}
            {columns(&cx, &opened)}
        }
        .into_html(),
        (false, false) => view! {
            {figures(&cx, import)}
            <p class="muted">{t.gone}</p>
        }
        .into_html(),
    };
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{import.name.clone()}</bdi></h1>
        {flash(&cx, &said)}
        <p>
            {state(&cx, import)} " " {kind(&cx, import.kind)} ", " {t.n_lines(import.total)} ", "
            <bdi>{import.by_name.clone()}</bdi> ", " <Moment at=import.created_at shown=cx.moment(import.created_at)/>
        </p>
        {inside}
    };
    Ok(Body::new(import.name.clone(), Frame::Admin, view))
}

/// What is going on, how far it is, and the way to stop it.
fn under_way(cx: &Cx, import: &Import) -> Html {
    let t = &cx.t().admin_imports;
    let (done, total) = (import.done(), import.total.max(1));
    let label = if import.is_trial { t.is_checking } else { t.is_running };
    view! {
        <section class="section" data-progress="" aria-labelledby="progress">
            <h2 id="progress">{label}</h2>
            <p role="status">{t.so_far(format::integer(done), format::integer(import.total))}</p>
            <progress class="progress" max=total.to_string() value=done.to_string() aria-label=label></progress>
            <div class="actions">
                <a class="btn btn-sm" href=cx.path.clone()>{t.refresh}</a>
                <FormBox<CancelImport> class="row-form">
                    <button class="btn btn-sm btn-quiet">{t.cancel}</button>
                </FormBox<CancelImport>>
            </div>
        </section>
        <script type="module" src="/progress.js"></script>
    }
    .into_html()
}

/// How many lines of which kind.
fn figures(cx: &Cx, import: &Import) -> Html {
    let t = &cx.t().admin_imports;
    let figures: Vec<_> = [
        (t.added, import.added),
        (t.changed, import.changed),
        (t.known, import.known),
        (t.refused, import.refused),
    ]
    .into_iter()
    .map(|(words, n)| view! { <div><dt>{words}</dt><dd>{format::integer(n)}</dd></div> })
    .collect();
    view! { <dl class="tiles-num">{figures}</dl> }.into_html()
}

/// What came of the trial, or of the import, and what can be done next.
fn results(cx: &Cx, opened: &Opened) -> Option<Html> {
    let t = &cx.t().admin_imports;
    let import = &opened.import;
    if import.state == State::Ready {
        return None;
    }
    let title = if import.is_trial { t.trial } else { t.result };
    let says = match (import.state, import.is_trial) {
        (State::Done, true) => t.trial_text,
        (State::Done, false) => t.result_text,
        (State::Failed, _) => t.failed_text,
        _ => t.cancelled_text,
    };
    let next = match (import.can_start(), import.can_go_on()) {
        (true, _) => Some(fresh_first(cx).unwrap_or_else(|| {
            view! {
                <FormBox<StartImport> class="actions">
                    <button class="btn btn-primary">{t.start}</button>
                </FormBox<StartImport>>
            }
            .into_html()
        })),
        (_, true) => Some(fresh_first(cx).unwrap_or_else(|| {
            view! {
                <FormBox<GoOnImport> class="actions">
                    <button class="btn btn-primary">{t.go_on}</button>
                </FormBox<GoOnImport>>
            }
            .into_html()
        })),
        (false, false) => None,
    };
    let view = view! {
        <section class="section" aria-labelledby="result">
            <h2 id="result">{title}</h2>
            <p>{says}</p>
            {figures(cx, import)}
            {next}
            {refused(cx, opened)}
        </section>
    };
    Some(view.into_html())
}

fn refused(cx: &Cx, opened: &Opened) -> Option<Html> {
    let t = &cx.t().admin_imports;
    if opened.refused.is_empty() {
        return None;
    }
    let rows: Vec<_> = opened
        .refused
        .iter()
        .map(|one| {
            view! {
                <tr>
                    <td class="num">{one.line.to_string()}</td>
                    <td>{one.reason.clone()}</td>
                    <td class="grow" dir="auto">{one.cells.join(" · ")}</td>
                </tr>
            }
        })
        .collect();
    let heads = vec![Head::Number(t.line), Head::Words(t.reason), Head::Words(t.cells)];
    let href = format!("{}/errors.csv", cx.path);
    let view = view! {
        <h3>{t.refused_first}</h3>
        <DataTable label=t.refused_first heads=heads rows=rows.into_html()/>
        <p><a class="btn" href=href>{t.errors}</a></p>
    };
    Some(view.into_html())
}

/// Which column is what.
fn columns(cx: &Cx, opened: &Opened) -> Html {
    let t = &cx.t().admin_imports;
    let import = &opened.import;
    let called = |i: usize| -> String {
        match import.columns.get(i).map(String::as_str) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => t.column(i + 1),
        }
    };
    let all: Vec<(String, String)> = std::iter::once((String::new(), t.no_column.to_owned()))
        .chain((0..import.columns.len()).map(|i| (i.to_string(), called(i))))
        .collect();
    let fields = import.kind.fields();
    let labels = fields
        .iter()
        .map(|field| (format!("columns[{}]", field.name), field.text(cx.lang).to_owned()))
        .collect();
    let lang = cx.lang;
    let mapping = import.mapping.clone();
    let selects = move || {
        let selects: Vec<_> = fields
            .iter()
            .map(|field| {
                let value = mapping.get(field.name).map(usize::to_string).unwrap_or_default();
                let optional = !field.is_required;
                view! {
                    <Select name=format!("columns[{}]", field.name) label=field.text(lang) options=all.clone()
                        value=value optional=optional/>
                }
            })
            .collect();
        selects.into_html()
    };
    let heads: Vec<_> = (0..import.columns.len())
        .map(|i| Head::Made(view! { <th scope="col"><bdi>{called(i)}</bdi></th> }.into_html()))
        .collect();
    let rows: Vec<_> = opened
        .samples
        .iter()
        .map(|row| {
            let cells: Vec<_> = (0..import.columns.len())
                .map(|i| view! { <td dir="auto">{row.get(i).cloned().unwrap_or_default()}</td> })
                .collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    view! {
        <section class="section" aria-labelledby="columns">
            <h2 id="columns">{t.columns}</h2>
            <p class="hint">{t.columns_hint}</p>
            <DataTable label=t.samples heads=heads rows=rows.into_html()/>
            <FormBox<CheckFile> class="form narrow" labels=labels>
                {selects()}
                <button class="btn">{t.check}</button>
            </FormBox<CheckFile>>
        </section>
    }
    .into_html()
}

/// The lines that were refused, to be put right and brought in again: number, reason, and what stood there.
pub async fn errors(cx: Cx) -> Result<File, AppError> {
    let (import, refused) = imports::errors(&cx.db, cx.staff()?, at(&cx)?).await?;
    let t = &cx.t().admin_imports;
    File::sheet(cx.lang, &format!("errors-{}", cx.today()), |rows| {
        let heads = [t.line.to_owned(), t.reason.to_owned()];
        rows.write_record(heads.into_iter().chain(import.columns.iter().map(|name| text(name))))?;
        for one in &refused {
            let cells = (0..import.columns.len()).map(|i| one.cells.get(i).map(|cell| text(cell)).unwrap_or_default());
            rows.write_record([one.line.to_string(), one.reason.clone()].into_iter().chain(cells))?;
        }
        Ok(())
    })
}
