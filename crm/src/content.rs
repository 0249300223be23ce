//! What the shop says, as it comes: consents, programs, topics, message templates, the questionnaire, scripts of talks, the dialogue
//! and the help.
//! Loaded once into an empty database from `content/`, read and edited there ever after.

use crate::consent::{Aim, AskedAt};
use crate::customer::Channel;
use crate::db::{Db, Error, Tx, scoped};
use crate::fraud::Limits;
use crate::help::Content;
use crate::id::{ConsentTextId, HelpArticleId, HelpCategoryId, ProgramId, PurposeId, TopicId};
use crate::lang::{Lang, Localized, Plural};
use crate::on;
use crate::staff::Right;
use crate::text::{Kind, Text, store as texts};
use crate::who::System;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Records {
    roles: Vec<RoleRecord>,
    /// Of the templates whose words have changed since the first time; the others are in their first version.
    template_versions: BTreeMap<String, i64>,
    consent_purposes: Vec<PurposeRecord>,
    programs: Vec<ProgramRecord>,
    topics: Vec<TopicRecord>,
    /// Of the questions whose words or choices have changed since the first time.
    question_versions: BTreeMap<String, i64>,
    /// Those of the questionnaire, in their order.
    questions: Vec<QuestionRecord>,
    /// Of the scripts of talks whose steps or outcomes have changed since the first time.
    script_versions: BTreeMap<String, i64>,
    /// The scripts, in their order.
    scripts: Vec<ScriptRecord>,
    /// Codes of what purchases are for, in their order.
    purposes: Vec<String>,
    /// The rules by which odd patterns are found, in their order.
    fraud_rules: Vec<FraudRuleRecord>,
    /// Codes of the parts of the help, in their order.
    help_categories: Vec<String>,
    /// Its articles, in theirs.
    help_articles: Vec<HelpRecord>,
    dialogue: DialogueRecords,
}

#[derive(Deserialize)]
struct DialogueRecords {
    /// Of `command.<code>`, `text.<code>` and `setting.<code>` that have changed since the first time; the others are in their
    /// first version.
    versions: BTreeMap<String, i64>,
    /// Codes of the commands, in their order.
    commands: Vec<String>,
    settings: BTreeMap<String, i64>,
}

impl DialogueRecords {
    fn version(&self, kind: &str, code: &str) -> i64 {
        self.versions.get(&format!("{kind}.{code}")).copied().unwrap_or(1)
    }
}

/// What the dialogue says in one language.
#[derive(Deserialize)]
struct Dialogue {
    commands: Texts,
    texts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RoleRecord {
    code: String,
    position: i64,
    rights: Vec<Right>,
}

#[derive(Deserialize)]
struct PurposeRecord {
    code: String,
    required: bool,
    asked_at: String,
    position: i64,
    /// What the messages are about that it allows, and what they come by.
    aim: Option<Aim>,
    channel: Option<Channel>,
    /// Offered in the cabinet alone.
    #[serde(default)]
    later: bool,
}

#[derive(Deserialize)]
struct ProgramRecord {
    code: String,
    position: i64,
    automatic: bool,
    share: i64,
    delay_days: i64,
    term_days: i64,
}

#[derive(Deserialize)]
struct TopicRecord {
    code: String,
    position: i64,
}

#[derive(Deserialize)]
struct QuestionRecord {
    code: String,
    guarded: bool,
    /// Codes of the answers, in their order.
    choices: Vec<String>,
}

#[derive(Deserialize)]
struct ScriptRecord {
    code: String,
    /// How many there are.
    steps: usize,
    /// Codes of what may come of it, in their order.
    outcomes: Vec<String>,
}

#[derive(Deserialize)]
struct FraudRuleRecord {
    code: String,
    #[serde(flatten)]
    limits: Limits,
}

#[derive(Deserialize)]
struct HelpRecord {
    code: String,
    category: String,
    topic: Option<String>,
}

/// The texts of one kind of record, by code and then by field.
type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// The texts of one kind in both languages.
struct Pair {
    ru: Texts,
    en: Texts,
}

impl Pair {
    fn read(ru: &str, en: &str) -> Result<Self, Error> {
        Ok(Self {
            ru: parse(ru)?,
            en: parse(en)?,
        })
    }

    /// One field in both languages. What is missing is an error: the content ships with the program.
    fn get(&self, code: &str, field: &str) -> Result<Localized, Error> {
        let one = |texts: &Texts| {
            let text = texts.get(code).and_then(|fields| fields.get(field));
            text.cloned()
                .ok_or_else(|| Error::Inconsistent(format!("content: no {field} of {code}")))
        };
        Ok(Localized::new(one(&self.ru)?, one(&self.en)?))
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|e| Error::Inconsistent(format!("content: {e}")))
}

/// Reads `content/<lang>/<name>.json` of both languages, as it was when the program was built.
macro_rules! pair {
    ($name:literal) => {
        Pair::read(
            include_str!(concat!("../content/ru/", $name, ".json")),
            include_str!(concat!("../content/en/", $name, ".json")),
        )
    };
}

/// Inserts a row of these values; 0 where it is there already.
macro_rules! add {
    ($tx:expr, $sql:expr, $($value:expr),+) => {
        on!($tx, |c| sqlx::query($sql)$(.bind($value))+.execute(c).await.map(|done| done.rows_affected()))
    };
}

/// What a template or a phrase of the dialogue says as it comes with the program, a subject before its text; none for what has no
/// variables.
pub(crate) fn shipped(kind: Kind, code: &str) -> Option<Localized> {
    match kind {
        Kind::Template => {
            let texts = pair!("templates").ok()?;
            let (subject, body) = (texts.get(code, "subject").ok()?, texts.get(code, "body").ok()?);
            Some(Localized {
                ru: format!("{} {}", subject.ru, body.ru),
                en: format!("{} {}", subject.en, body.en),
            })
        }
        Kind::Phrase => {
            let [ru, en] = phrases().ok()?;
            Some(Localized::new(ru.texts.get(code)?.clone(), en.texts.get(code)?.clone()))
        }
        Kind::Consent | Kind::Topic | Kind::Command => None,
    }
}

/// The dialogue in each language.
fn phrases() -> Result<[Dialogue; 2], Error> {
    Ok([
        parse(include_str!("../content/ru/dialogue.json"))?,
        parse(include_str!("../content/en/dialogue.json"))?,
    ])
}

/// What a customer agrees to when data may be passed to a partner of this name.
pub(crate) fn passing_to(partner: &Localized) -> Result<Localized, Error> {
    let title = pair!("partners")?.get("consent", "title")?;
    Ok(fill(title, &[("partner", [partner.ru.as_str(), partner.en.as_str()])]))
}

fn fill(text: Localized, values: &[(&str, [&str; 2])]) -> Localized {
    let fill = |text: String, i: usize| {
        values.iter().fold(text, |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value[i])
        })
    };
    Localized::new(fill(text.ru, 0), fill(text.en, 1))
}

/// A number of days in words.
pub fn days(lang: Lang, n: i64) -> String {
    let word = match (lang, Plural::of(lang, n)) {
        (Lang::Ru, Plural::One) => "день",
        (Lang::Ru, Plural::Few) => "дня",
        (Lang::Ru, Plural::Many) => "дней",
        (Lang::En, Plural::One) => "day",
        (Lang::En, _) => "days",
    };
    format!("{n}\u{a0}{word}")
}

/// A share in hundredths of a percent, as a person writes it: `3 %`, `0,5 %`.
pub fn percent(lang: Lang, share: i64) -> String {
    let number = format!("{}.{:02}", share / 100, share % 100);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    match lang {
        Lang::Ru => format!("{}\u{a0}%", number.replace('.', ",")),
        Lang::En => format!("{number}%"),
    }
}

/// Fills an empty database with what the shop says. The second time it adds only the roles, the purposes of consents, and the
/// templates, questions, scripts and records of the dialogue or their versions, that a newer program needs and the database does
/// not have yet; the help too, where it never had any. What staff wrote of them stays, as long as it names what the program fills in.
pub async fn load(db: &Db, _by: &System) -> Result<(), Error> {
    let records: &Records = &parse(include_str!("../content/records.json"))?;
    let (consents, programs) = (&pair!("consents")?, &pair!("programs")?);
    let (topics, templates) = (&pair!("topics")?, &pair!("templates")?);
    let roles = &pair!("roles")?;
    let questions = &pair!("questions")?;
    let (scripts, purposes) = (&pair!("scripts")?, &pair!("purposes")?);
    let fraud = &pair!("fraud_rules")?;
    let help = &(pair!("help_categories")?, pair!("help_articles")?);
    let dialogue = &phrases()?;
    db.write(|tx| {
        scoped(async move {
            add_roles(tx, records, roles).await?;
            add_templates(tx, records, templates).await?;
            add_help(tx, records, help).await?;
            add_purposes(tx, records, consents).await?;
            add_questions(tx, records, questions).await?;
            add_scripts(tx, records, scripts).await?;
            add_purposes_of_purchases(tx, records, purposes).await?;
            add_fraud_rules(tx, records, fraud).await?;
            add_dialogue(tx, &records.dialogue, dialogue).await?;
            if !is_first(tx, "content").await? {
                return Ok(());
            }
            let now = tx.now();
            let shop = tx.shop().name.clone();
            for r in &records.programs {
                const PROGRAM: &str = "INSERT INTO programs (id, code, position, automatic) VALUES ($1, $2, $3, $4)";
                const VERSION: &str = "INSERT INTO program_versions (program_id, version, name, summary, terms, share, \
                                   delay_days, term_days, published_at) VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8)";
                let id = ProgramId::new();
                add!(tx, PROGRAM, id, &r.code, r.position, r.automatic)?;
                let in_words = |f: fn(Lang, i64) -> String, n: i64| Lang::ALL.map(|lang| f(lang, n));
                let (share, delay, term) = (
                    in_words(percent, r.share),
                    in_words(days, r.delay_days),
                    in_words(days, r.term_days),
                );
                let values = [
                    ("shop", [shop.as_str(); 2]),
                    ("share", [&share[0], &share[1]]),
                    ("delay", [&delay[0], &delay[1]]),
                    ("term", [&term[0], &term[1]]),
                ];
                let text = |field: &str| Ok::<_, Error>(fill(programs.get(&r.code, field)?, &values));
                let (name, summary, terms) = (text("name")?, text("summary")?, text("terms")?);
                add!(
                    tx,
                    VERSION,
                    id,
                    Json(&name),
                    Json(&summary),
                    Json(&terms),
                    r.share,
                    r.delay_days,
                    r.term_days,
                    now
                )?;
            }
            for r in &records.topics {
                const TOPIC: &str = "INSERT INTO topics (id, code, version, name, position) VALUES ($1, $2, 1, $3, $4)";
                let name = topics.get(&r.code, "name")?;
                add!(tx, TOPIC, TopicId::new(), &r.code, Json(&name), r.position)?;
            }
            Ok(())
        })
    })
    .await
}

/// Marks that a kind of content was written into this database; false where it was before.
async fn is_first(tx: &mut Tx, kind: &str) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO settings (key, value) VALUES ($1, '1') ON CONFLICT (key) DO NOTHING";
    Ok(add!(tx, SQL, kind)? == 1)
}

async fn add_roles(tx: &mut Tx, records: &Records, texts: &Pair) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO roles (code, name, rights, position) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING";
    for r in &records.roles {
        let name = texts.get(&r.code, "name")?;
        add!(tx, SQL, &r.code, Json(&name), Json(&r.rights), r.position)?;
    }
    Ok(())
}

async fn add_purposes(tx: &mut Tx, records: &Records, consents: &Pair) -> Result<(), Error> {
    const PURPOSE: &str = "INSERT INTO consent_purposes (id, code, required, asked_at, position, aim, channel, \
                           at_registration) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (code) DO NOTHING";
    const TEXT: &str = "INSERT INTO consent_texts (id, purpose_id, version, title, body, published_at) \
                        VALUES ($1, $2, 1, $3, $4, $5)";
    let (now, shop) = (tx.now(), tx.shop().name.clone());
    for r in &records.consent_purposes {
        let id = PurposeId::new();
        let asked_at = if r.asked_at == "child" {
            AskedAt::Child
        } else {
            AskedAt::Registration
        };
        let is_new = add!(
            tx, PURPOSE, id, &r.code, r.required, asked_at, r.position, r.aim, r.channel, !r.later
        )? == 1;
        if !is_new {
            continue;
        }
        // The text a person agrees to names the shop as it was called then.
        let title = fill(consents.get(&r.code, "title")?, &[("shop", [&shop; 2])]);
        let body = fill(consents.get(&r.code, "body")?, &[("shop", [&shop; 2])]);
        add!(tx, TEXT, ConsentTextId::new(), id, Json(&title), Json(&body), now)?;
    }
    Ok(())
}

async fn add_templates(tx: &mut Tx, records: &Records, templates: &Pair) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO templates (code, version, subject, body, published_at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (code, version) DO NOTHING";
    let now = tx.now();
    let written = texts::written(tx, Kind::Template).await?;
    for code in templates.ru.keys() {
        let version = records.template_versions.get(code).copied().unwrap_or(1);
        let (subject, body) = (templates.get(code, "subject")?, templates.get(code, "body")?);
        if let Some(theirs) = written.get(code) {
            let brought = Text {
                head: subject,
                body,
                is_open: true,
                ..Text::default()
            };
            texts::bring(tx, Kind::Template, code, theirs, &brought).await?;
            continue;
        }
        add!(tx, SQL, code, version, Json(&subject), Json(&body), now)?;
    }
    Ok(())
}

/// Adds the questions of the questionnaire, or their versions, that are not there yet.
async fn add_questions(tx: &mut Tx, records: &Records, texts: &Pair) -> Result<(), Error> {
    const QUESTION: &str = "INSERT INTO questionnaire_questions (code, version, position, enabled, is_guarded, title, why, published_at) \
                            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (code, version) DO NOTHING";
    const CHOICE: &str =
        "INSERT INTO questionnaire_choices (question, version, code, position, name) VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now();
    for (r, position) in records.questions.iter().zip(1_i64..) {
        let version = records.question_versions.get(&r.code).copied().unwrap_or(1);
        let (title, why) = (texts.get(&r.code, "title")?, texts.get(&r.code, "why")?);
        let is_new = on!(tx, |c| sqlx::query(QUESTION)
            .bind(&r.code)
            .bind(version)
            .bind(position)
            .bind(true)
            .bind(r.guarded)
            .bind(Json(&title))
            .bind(Json(&why))
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected() == 1))?;
        if !is_new {
            continue;
        }
        for (choice, position) in r.choices.iter().zip(1_i64..) {
            let name = texts.get(&r.code, &format!("choice.{choice}"))?;
            on!(tx, |c| sqlx::query(CHOICE)
                .bind(&r.code)
                .bind(version)
                .bind(choice)
                .bind(position)
                .bind(Json(&name))
                .execute(c)
                .await
                .map(drop))?;
        }
    }
    Ok(())
}

/// Adds the scripts of talks, or their versions, that are not there yet.
async fn add_scripts(tx: &mut Tx, records: &Records, texts: &Pair) -> Result<(), Error> {
    const SCRIPT: &str = "INSERT INTO scripts (code, version, position, name, steps, published_at) \
                          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (code, version) DO NOTHING";
    const OUTCOME: &str =
        "INSERT INTO script_outcomes (script, version, code, position, name) VALUES ($1, $2, $3, $4, $5)";
    let now = tx.now();
    for (r, position) in records.scripts.iter().zip(1_i64..) {
        let version = records.script_versions.get(&r.code).copied().unwrap_or(1);
        let name = texts.get(&r.code, "name")?;
        let steps = (1..=r.steps).map(|step| texts.get(&r.code, &format!("step.{step}")));
        let steps = steps.collect::<Result<Vec<Localized>, Error>>()?;
        let is_new = add!(tx, SCRIPT, &r.code, version, position, Json(&name), Json(&steps), now)? == 1;
        if !is_new {
            continue;
        }
        for (outcome, position) in r.outcomes.iter().zip(1_i64..) {
            let name = texts.get(&r.code, &format!("outcome.{outcome}"))?;
            add!(tx, OUTCOME, &r.code, version, outcome, position, Json(&name))?;
        }
    }
    Ok(())
}

/// Adds what purchases may be for, as far as it is not there yet.
async fn add_purposes_of_purchases(tx: &mut Tx, records: &Records, texts: &Pair) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO purchase_purposes (code, position, name) VALUES ($1, $2, $3) ON CONFLICT (code) DO NOTHING";
    for (code, position) in records.purposes.iter().zip(1_i64..) {
        let name = texts.get(code, "name")?;
        add!(tx, SQL, code, position, Json(&name))?;
    }
    Ok(())
}

/// Adds the rules by which odd patterns are found; the limits that staff set stay.
async fn add_fraud_rules(tx: &mut Tx, records: &Records, texts: &Pair) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO fraud_rules (code, position, enabled, name, why, least, days, share, changed_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (code) DO NOTHING";
    let now = tx.now();
    for (r, position) in records.fraud_rules.iter().zip(1_i64..) {
        let (name, why) = (texts.get(&r.code, "name")?, texts.get(&r.code, "why")?);
        let Limits { least, days, share } = r.limits;
        add!(
            tx,
            SQL,
            &r.code,
            position,
            true,
            Json(&name),
            Json(&why),
            least,
            days,
            share,
            now
        )?;
    }
    Ok(())
}

/// Adds the records of the dialogue, or their versions, that are not there yet.
async fn add_dialogue(tx: &mut Tx, records: &DialogueRecords, [ru, en]: &[Dialogue; 2]) -> Result<(), Error> {
    const COMMAND: &str = "INSERT INTO dialogue_commands (code, version, position, enabled, name, words, published_at) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (code, version) DO NOTHING";
    const TEXT: &str = "INSERT INTO dialogue_texts (code, version, body, published_at) VALUES ($1, $2, $3, $4) \
                        ON CONFLICT (code, version) DO NOTHING";
    const SETTING: &str = "INSERT INTO dialogue_settings (code, version, value, published_at) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT (code, version) DO NOTHING";
    let now = tx.now();
    let commands = Pair {
        ru: ru.commands.clone(),
        en: en.commands.clone(),
    };
    let written = texts::written(tx, Kind::Command).await?;
    for (code, position) in records.commands.iter().zip(1_i64..) {
        let (name, words) = (commands.get(code, "name")?, commands.get(code, "words")?);
        // Without variables, what staff wrote fits always.
        if written.contains_key(code) {
            continue;
        }
        add!(
            tx,
            COMMAND,
            code,
            records.version("command", code),
            position,
            true,
            Json(&name),
            Json(&words),
            now
        )?;
    }
    let written = texts::written(tx, Kind::Phrase).await?;
    for (code, text) in &ru.texts {
        let other = en.texts.get(code);
        let body = Localized {
            ru: text.clone(),
            en: other
                .cloned()
                .ok_or_else(|| Error::Inconsistent(format!("content: no English text of {code}")))?,
        };
        if let Some(theirs) = written.get(code) {
            let brought = Text {
                body,
                is_open: true,
                ..Text::default()
            };
            texts::bring(tx, Kind::Phrase, code, theirs, &brought).await?;
            continue;
        }
        add!(tx, TEXT, code, records.version("text", code), Json(&body), now)?;
    }
    for (code, value) in &records.settings {
        add!(tx, SETTING, code, records.version("setting", code), *value, now)?;
    }
    Ok(())
}

/// Writes the help into a database that never had any.
async fn add_help(tx: &mut Tx, records: &Records, (categories, articles): &(Pair, Pair)) -> Result<(), Error> {
    const CATEGORY: &str = "INSERT INTO help_categories (id, code, name, position) VALUES ($1, $2, $3, $4)";
    const ARTICLE: &str = "INSERT INTO help_articles (id, code, position) VALUES ($1, $2, $3)";
    const VERSION: &str =
        "INSERT INTO help_versions (article_id, version, content, published_at) VALUES ($1, 1, $2, $3)";
    if !is_first(tx, "help").await? {
        return Ok(());
    }
    let now = tx.now();
    for (code, position) in records.help_categories.iter().zip(1_i64..) {
        let name = categories.get(code, "name")?;
        add!(tx, CATEGORY, HelpCategoryId::new(), code, Json(&name), position)?;
    }
    for (r, position) in records.help_articles.iter().zip(1_i64..) {
        let id = HelpArticleId::new();
        let content = Content {
            category: r.category.clone(),
            topic: r.topic.clone(),
            title: articles.get(&r.code, "title")?,
            summary: articles.get(&r.code, "summary")?,
            keywords: articles.get(&r.code, "keywords")?,
            body: articles.get(&r.code, "body")?,
            expires_on: None,
        };
        add!(tx, ARTICLE, id, &r.code, position)?;
        add!(tx, VERSION, id, Json(&content), now)?;
    }
    Ok(())
}

/// A fact about this database, if it is there.
pub async fn setting(db: &Db, key: &str) -> Result<Option<String>, Error> {
    const SQL: &str = "SELECT value FROM settings WHERE key = $1";
    let mut conn = db.read().await?;
    Ok(on!(conn, |c| sqlx::query_scalar(SQL)
        .bind(key)
        .fetch_optional(c)
        .await)?)
}

/// Writes a fact about this database down.
pub async fn set_setting(tx: &mut Tx, _by: &System, key: &str, value: &str) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    Ok(on!(tx, |c| sqlx::query(SQL)
        .bind(key)
        .bind(value)
        .execute(c)
        .await
        .map(drop))?)
}
