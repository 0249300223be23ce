//! The one search of staff among a million customers, page and all, on both engines. Who is looked for is told by the figures:
//! a name that many have with one that few have, by itself, with a slip of the hand, in Latin letters, and numbers.

use crate::engine::{Engine, Times, by_staff};
use crate::postgres::psql;
use crate::report::{Budget, Report};
use crate::{Args, serve};
use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Searches of each kind.
const ASKED: u64 = 100;
/// The names of the demonstration.
const NAMES: &str = include_str!("../../server/demo/names.json");
/// What the surnames are made of that few have.
const SYLLABLES: [&str; 24] = [
    "ба", "ве", "го", "ду", "жа", "зи", "ко", "лу", "ма", "не", "по", "ру", "си", "то", "фа", "хо", "ца", "че", "ша",
    "ща", "яро", "юли", "мир", "вед",
];
const ENDINGS: [&str; 5] = ["ов", "ин", "ский", "енко", "ук"];

#[derive(Deserialize)]
struct Names {
    ru: Russian,
}

#[derive(Deserialize)]
struct Russian {
    male: Vec<String>,
    surnames_male: Vec<String>,
}

/// Customers by their place in the order of their ids: each is made of its number.
struct People {
    names: Russian,
    count: u64,
}

struct Person {
    id: Uuid,
    name: String,
    surname: String,
    phone: String,
    card: String,
    receipt: String,
    code: String,
}

/// Numbers that look like chance and are the same in each run (splitmix64).
fn chance(of: u64) -> u64 {
    let mut z = of.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One of these: the first ones far more often than the last.
fn pick(of: &[String], by: u64) -> String {
    let share = (by % 10_000) as f64 / 10_000.0;
    of[((share * share) * of.len() as f64) as usize].clone()
}

impl People {
    fn new(count: u64) -> Result<Self> {
        let names: Names = serde_json::from_str(NAMES)?;
        Ok(Self { names: names.ru, count })
    }

    fn person(&self, number: u64) -> Person {
        let by = chance(number);
        // Three of ten have a surname that thousands have; the others one of some ten thousand.
        let surname = if by % 10 < 3 {
            pick(&self.names.surnames_male, by >> 8)
        } else {
            let rare = chance(by >> 16);
            let part = |shift: u32| SYLLABLES[(rare >> shift) as usize % SYLLABLES.len()];
            let last = ENDINGS[(rare >> 40) as usize % ENDINGS.len()];
            let surname = match rare % 4 {
                0 => format!("{}{}{last}", part(8), part(16)),
                _ => format!("{}{}{}{last}", part(8), part(16), part(24)),
            };
            let mut letters = surname.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}", letters.as_str())
        };
        Person {
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number)),
            name: pick(&self.names.male, by >> 24),
            surname,
            phone: format!("+79{:09}", number * 7 % 1_000_000_000),
            card: format!("29{number:011}"),
            receipt: format!("R-{number}"),
            code: format!("{number:012X}"),
        }
    }
}

/// Writes the people down, each with a phone, a card and a receipt.
fn load(engine: &Engine, folder: &Path, people: &People) -> Result<()> {
    const TABLES: [(&str, &str); 4] = [
        (
            "customers",
            "id, name, surname, search, language, source, registered_at, updated_at",
        ),
        ("contacts", "id, customer_id, kind, value, is_primary, created_at"),
        ("cards", "id, number, kind, state, customer_id, issued_at"),
        (
            "purchases",
            "id, source, document, receipt_code, kind, customer_id, at, line_count, total",
        ),
    ];
    let at = chrono::Utc::now().to_rfc3339();
    // The fields of a row of each; what is true, and what is an id, the engines write otherwise.
    let fields = |person: &Person| -> [Vec<Value>; 4] {
        let (id, text) = (Value::Id(person.id), |text: &str| Value::Text(text.to_owned()));
        let search = format!("{} {}", person.surname, person.name)
            .to_lowercase()
            .replace('ё', "е");
        let (now, name, surname) = (text(&at), text(&person.name), text(&person.surname));
        [
            vec![
                id.clone(),
                name,
                surname,
                text(&search),
                text("ru"),
                text("bench"),
                now.clone(),
                now.clone(),
            ],
            vec![
                id.clone(),
                id.clone(),
                text("phone"),
                text(&person.phone),
                Value::True,
                now.clone(),
            ],
            vec![
                id.clone(),
                text(&person.card),
                text("virtual"),
                text("active"),
                id.clone(),
                now.clone(),
            ],
            vec![
                id.clone(),
                text("bench"),
                text(&person.receipt),
                text(&person.code),
                text("sale"),
                id,
                now,
                Value::Zero,
                Value::Zero,
            ],
        ]
    };
    match engine {
        Engine::Sqlite(file) => {
            let db = rusqlite::Connection::open(file)?;
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN")?;
            {
                let mut inserts = Vec::new();
                for (table, columns) in TABLES {
                    let places = vec!["?"; columns.split(',').count()].join(", ");
                    inserts.push(db.prepare(&format!("INSERT INTO {table} ({columns}) VALUES ({places})"))?);
                }
                for number in 0..people.count {
                    for (insert, row) in inserts.iter_mut().zip(fields(&people.person(number))) {
                        insert.execute(rusqlite::params_from_iter(row))?;
                    }
                }
            }
            db.execute_batch("COMMIT")?;
        }
        Engine::Postgres(database) => {
            let files: Vec<PathBuf> = TABLES
                .iter()
                .map(|(table, _)| folder.join(format!("{table}.csv")))
                .collect();
            let mut written = Vec::new();
            for file in &files {
                written.push(BufWriter::new(File::create(file)?));
            }
            for number in 0..people.count {
                for (file, row) in written.iter_mut().zip(fields(&people.person(number))) {
                    let row: Vec<String> = row.iter().map(Value::in_csv).collect();
                    writeln!(file, "{}", row.join(","))?;
                }
            }
            for mut file in written {
                file.flush()?;
            }
            for (file, (table, columns)) in files.iter().zip(TABLES) {
                psql(
                    &database.url(),
                    &format!("\\copy {table} ({columns}) FROM '{}' CSV", file.display()),
                )?;
                std::fs::remove_file(file)?;
            }
            database.ask("ANALYZE")?;
        }
    }
    Ok(())
}

#[derive(Clone)]
enum Value {
    Id(Uuid),
    Text(String),
    True,
    Zero,
}

impl Value {
    fn in_csv(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Text(text) => format!("\"{text}\""),
            Self::True => "t".to_owned(),
            Self::Zero => "0".to_owned(),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Id(id) => Ok(rusqlite::types::ToSqlOutput::from(id.as_bytes().to_vec())),
            Self::Text(text) => text.to_sql(),
            Self::True => Ok(rusqlite::types::ToSqlOutput::from(1_i64)),
            Self::Zero => Ok(rusqlite::types::ToSqlOutput::from(0_i64)),
        }
    }
}

/// What is typed for somebody, by kind.
const KINDS: [(&str, fn(&Person) -> String); 10] = [
    ("surname and name", |who| format!("{} {}", who.surname, who.name)),
    ("the same, two letters of the surname swapped", |who| {
        format!("{} {}", swapped(&who.surname), who.name)
    }),
    ("the same, two letters of the name swapped", |who| {
        format!("{} {}", who.surname, swapped(&who.name))
    }),
    ("the same, in Latin letters", |who| {
        in_latin(&format!("{} {}", who.surname, who.name))
    }),
    ("beginnings of both", |who| {
        let begin = |word: &str| word.chars().take(3).collect::<String>();
        format!("{} {}", begin(&who.surname), begin(&who.name))
    }),
    ("the name alone", |who| who.name.clone()),
    ("a whole phone", |who| who.phone.replace("+7", "8")),
    ("the last four digits of a phone or a card", |who| {
        who.phone[who.phone.len() - 4..].to_owned()
    }),
    ("the number of a receipt", |who| who.receipt.clone()),
    ("the code of a receipt", |who| who.code.clone()),
];

/// The second and the third letter in each other's place.
fn swapped(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 2 {
        letters.swap(1, 2);
    }
    letters.into_iter().collect()
}

fn in_latin(text: &str) -> String {
    const LATIN: [&str; 32] = [
        "a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh",
        "ts", "ch", "sh", "shch", "ie", "y", "", "e", "iu", "ia",
    ];
    let latin = |c: char| match c {
        'ё' => "e".to_owned(),
        'а'..='я' => LATIN[c as usize - 'а' as usize].to_owned(),
        other => other.to_string(),
    };
    text.to_lowercase().chars().map(latin).collect()
}

/// Measures it on both engines.
pub async fn measure(report: &mut Report, args: &Args, folder: &Path) -> Result<()> {
    for (engine, name) in Engine::each(report, folder, "kabinet_bench_search")? {
        one(report, args, folder, &engine, name).await?;
    }
    Ok(())
}

async fn one(report: &mut Report, args: &Args, folder: &Path, engine: &Engine, name: &str) -> Result<()> {
    let people = People::new(args.customers)?;
    report.section(&format!(
        "The search of staff (/admin/find) among {} customers, {name}",
        people.count
    ));
    engine.migrate(args)?;
    load(engine, folder, &people)?;
    let (staff, kinds) = keep_searches(engine, &people)?;

    let (_process, address, _) = serve(args, &engine.url())?;
    let started = Instant::now();
    let last = people.person(people.count.saturating_sub(1)).id.to_string();
    let filled = "SELECT value FROM settings WHERE key = 'words_filled'";
    while engine.run(filled)?.as_deref() != Some(last.as_str()) {
        if started.elapsed() > Duration::from_secs(1800) {
            bail!("the words are not written down");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rate = people.count as f64 / started.elapsed().as_secs_f64();
    report.line("customers written down a second, once", rate, "/s", Budget::None);
    if matches!(engine, Engine::Postgres(_)) {
        // As autovacuum does within minutes of so many rows.
        engine.run("VACUUM ANALYZE")?;
    }
    engine.sign_in(staff)?;
    for (kind, searches) in kinds {
        let (mut times, mut found) = (Vec::new(), 0);
        for search in searches {
            let target = by_staff(address, &format!("/admin/find?find={search}"));
            let asked = Instant::now();
            let answer = target.ask("identity").await?;
            times.push(asked.elapsed().as_secs_f64() * 1000.0);
            ensure!(answer.status == 200, "{kind}: {}", answer.status);
            found += usize::from(String::from_utf8_lossy(&answer.body).contains("/admin/customers/"));
        }
        let searched = times.len();
        let times = Times::new(times);
        report.line(&format!("{kind}, p50"), times.quantile(0.5), "ms", Budget::None);
        report.line(
            &format!("{kind}, p95"),
            times.quantile(0.95),
            "ms",
            Budget::AtMost(100.0),
        );
        ensure!(found > searched / 2, "{kind}: {found} of {searched} found anybody");
    }
    Ok(())
}

/// Enters somebody who may look for everything and what they will have typed; their id, and by kind what was kept.
fn keep_searches(engine: &Engine, people: &People) -> Result<(Uuid, Vec<(&'static str, Vec<Uuid>)>)> {
    let now = chrono::Utc::now().to_rfc3339();
    let staff = engine.enter_staff()?;
    let mut kinds = Vec::new();
    for (kind, typed) in KINDS {
        let (mut searches, mut rows) = (Vec::new(), Vec::new());
        for number in 0..ASKED {
            let who = people.person(chance(number) % people.count);
            let search = Uuid::now_v7();
            let (id, by) = (engine.id(search), engine.id(staff));
            rows.push(format!("({id}, {by}, '{}', '{now}')", typed(&who)));
            searches.push(search);
        }
        let rows = rows.join(", ");
        engine.run(&format!(
            "INSERT INTO searches (id, staff_id, text, created_at) VALUES {rows}"
        ))?;
        kinds.push((kind, searches));
    }
    Ok((staff, kinds))
}
