//! Scripts of talks, as staff write them: each save is another version.

use super::versions::{self, difference};
use crate::cabinet::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{AddBox, DataTable, Field, FormBox, Head, TextArea, pairs};
use crm::interaction::Script;
use crm::interaction::scripts::{self, Version};
use crm::lang::Localized;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/scripts";

/// What a script says, as a form sends it: a step in each line, `Русский / English`, and an outcome in each, `code: Русский /
/// English`. A slash that stands alone within a text is doubled.
#[derive(Deserialize)]
pub struct ScriptFields {
    name_ru: String,
    name_en: String,
    steps: String,
    outcomes: String,
}

/// A text in both languages, as a line has it: parted by the first slash that stands alone.
fn both(line: &str) -> Localized {
    let words: Vec<&str> = line.split(' ').collect();
    let place = words.iter().position(|word| *word == "/").unwrap_or(words.len());
    let (ru, en) = words.split_at(place);
    let text = |words: &[&str]| {
        let words = words
            .iter()
            .copied()
            .map(|word| match is_slashes(word) && word.len() > 1 {
                true => word.strip_suffix('/').unwrap_or(word),
                false => word,
            });
        words.collect::<Vec<_>>().join(" ")
    };
    Localized::new(text(ru), text(en.get(1..).unwrap_or_default()))
}

fn is_slashes(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte == b'/')
}

/// The lines that say something.
fn said(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Texts with their codes, one in each line: `code: Русский / English`.
pub(super) fn coded(text: &str) -> Vec<(String, Localized)> {
    let one = |line: &str| {
        let (code, name) = line.split_once(':').unwrap_or((line, ""));
        (code.to_owned(), both(name))
    };
    said(text).map(one).collect()
}

/// The same as a line shows it.
pub(super) fn coded_line(code: &str, name: &Localized) -> String {
    format!("{code}: {}", line(name))
}

impl ScriptFields {
    /// The same; what is wrong with a line is told of the text that it makes.
    fn read(self, code: String, version: i64) -> Script {
        Script {
            code,
            version,
            name: Localized::new(self.name_ru, self.name_en),
            steps: said(&self.steps).map(both).collect(),
            outcomes: coded(&self.outcomes),
        }
    }
}

/// Adds a script.
#[derive(Deserialize)]
pub struct AddScript {
    key: String,
    #[serde(flatten)]
    fields: ScriptFields,
}

impl Form for AddScript {
    const NAME: &'static str = "script.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let new = self.fields.read(self.key, 1);
        let code = scripts::create(&cx.db, cx.staff()?, &new).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=created")))
    }
}

/// Writes the next version of the script at hand. `seen` is the version that was shown.
#[derive(Deserialize)]
pub struct ChangeScript {
    seen: String,
    #[serde(flatten)]
    fields: ScriptFields,
}

impl Form for ChangeScript {
    const NAME: &'static str = "script.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let code: String = cx.param("code")?;
        let seen = self.seen.parse().map_err(|_| AppError::Refused)?;
        scripts::change(&cx.db, cx.staff()?, &self.fields.read(code.clone(), seen)).await?;
        Ok(Next::to(format!("{HERE}/{code}?done=saved")))
    }
}

/// The scripts.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_scripts;
    let all = scripts::list(&cx.db, cx.staff()?).await?;
    let rows: Vec<_> = all
        .iter()
        .map(|script| {
            view! {
                <tr>
                    <td class="grow"><a href=format!("{HERE}/{}", script.code)><bdi>{cx.pick(&script.name)}</bdi></a></td>
                    <td class="num">{crate::format::integer(script.steps.len() as i64)}</td>
                    <td class="num">{crate::format::integer(script.version)}</td>
                    <td><code>{script.code.clone()}</code></td>
                </tr>
            }
        })
        .collect();
    let heads = vec![
        Head::Words(t.name),
        Head::Number(t.steps),
        Head::Number(t.version),
        Head::Words(t.code),
    ];
    let mut labels = labels(&cx);
    labels.insert(0, ("key".to_owned(), t.code.to_owned()));
    let inside = cx.clone();
    let view = view! {
        {back("/admin/texts", cx.t().admin_texts.title)}
        <h1>{t.title}</h1>
        <p class="lead">{t.lead}</p>
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
        <AddBox<AddScript> title=t.new labels=labels>
            <Field name="key" label=t.code hint=t.code_hint/>
            {fields(&inside, None)}
            <button class="btn btn-primary">{t.create}</button>
        </AddBox<AddScript>>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

/// The labels of [`fields`].
fn labels(cx: &Cx) -> Vec<(String, String)> {
    let (t, of_rules) = (&cx.t().admin_scripts, &cx.t().admin_rules);
    pairs([
        ("name_ru", of_rules.name_ru),
        ("name_en", of_rules.name_en),
        ("steps", t.steps),
        ("outcomes", t.outcomes),
    ])
}

/// A text in both languages in a line.
pub(super) fn line(text: &Localized) -> String {
    let one = |word: &str| match is_slashes(word) {
        true => format!("{word}/"),
        false => word.to_owned(),
    };
    let kept = |text: &str| text.split(' ').map(one).collect::<Vec<_>>().join(" ");
    format!("{} / {}", kept(&text.ru), kept(&text.en))
}

/// The fields of a script, filled in.
fn fields(cx: &Cx, held: Option<&Script>) -> Html {
    let (t, of_rules) = (&cx.t().admin_scripts, &cx.t().admin_rules);
    let name = held.map(|held| held.name.clone()).unwrap_or_default();
    let steps: Vec<_> = held.iter().flat_map(|held| held.steps.iter().map(line)).collect();
    let outcome = |(code, name): &(String, Localized)| coded_line(code, name);
    let outcomes: Vec<_> = held.iter().flat_map(|held| held.outcomes.iter().map(outcome)).collect();
    view! {
        <Field name="name_ru" label=of_rules.name_ru value=name.ru/>
        <Field name="name_en" label=of_rules.name_en value=name.en/>
        <TextArea name="steps" label=t.steps hint=t.steps_hint value=steps.join("\n") rows=6/>
        <TextArea name="outcomes" label=t.outcomes hint=t.outcomes_hint value=outcomes.join("\n") rows=5/>
    }
    .into_html()
}

/// What a version says line by line: in this form two versions are compared.
fn lines(cx: &Cx, script: &Script) -> Vec<String> {
    let t = &cx.t().admin_scripts;
    let name = std::iter::once(format!("{}: {}", t.name, line(&script.name)));
    let steps = script.steps.iter().map(line);
    let outcomes = script.outcomes.iter();
    let outcomes = outcomes.map(|(code, name)| format!("{}: {} ({code})", t.outcome, line(name)));
    name.chain(steps).chain(outcomes).collect()
}

/// One script, with every version of it.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_scripts;
    let code: String = cx.param("code")?;
    let all = scripts::versions(&cx.db, cx.staff()?, &code).await?;
    let held = all.first().ok_or(AppError::NotFound)?.script.clone();
    let title = cx.pick(&held.name);
    let done = [("created", t.done_created), ("saved", cx.t().admin_rules.done_saved)];
    let (inside, labels, save) = (cx.clone(), labels(&cx), cx.t().admin_rules.save);
    let seen = held.version.to_string();
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &done)}
        <p><code>{held.code.clone()}</code></p>
        <section class="section narrow" aria-labelledby="edit">
            <h2 id="edit">{t.edit}</h2>
            <p class="hint">{t.edit_hint}</p>
            <FormBox<ChangeScript> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                {fields(&inside, Some(&held))}
                <button class="btn btn-primary">{save}</button>
            </FormBox<ChangeScript>>
        </section>
        {history(&cx, &all)}
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Every version of it, the newest first, each with what it changed.
fn history(cx: &Cx, all: &[Version]) -> Option<Html> {
    let about = |one: &Version| (one.script.version, one.published_at, one.published_by.clone());
    versions::past_of(cx, all, cx.t().admin_scripts.by_program, about, |now, before| {
        difference(cx, before.map(|before| &before.script), &now.script, |script| {
            lines(cx, script)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_from_its_line() {
        let texts = ["Чай / кофе", "и/или", "a // b", "/", "a /", "/ b", "https://a.b", "Чай"];
        for ru in texts {
            for en in texts {
                let text = Localized::new(ru, en);
                assert_eq!(both(&line(&text)), text, "{}", line(&text));
            }
        }
        assert_eq!(both("Чай").en, "", "one language alone is told to be so");
        let typed = both("Чай // кофе / Tea");
        assert_eq!((typed.ru.as_str(), typed.en.as_str()), ("Чай / кофе", "Tea"));
    }
}
