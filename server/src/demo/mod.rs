//! The demonstration: made-up people on real purchases, twelve shops, nine promotions, three tiers, sixty requests, what the desk
//! works by. The same for everybody but for the passwords, which are made at random for each database and printed once.

mod messages;
mod odd;
mod people;
mod questions;
mod records;
mod rewards;
mod service;

use crate::config::Config;
use anyhow::Context as _;
use chrono::{Duration, NaiveDate};
use crm::db::{Db, Tx, scoped};
use crm::id::{CategoryId, CustomerId, StaffId, StoreId};
use crm::lang::{Lang, Localized};
use crm::partner::{self, Words};
use crm::promotion::NewPromotion;
use crm::purchase::import::{self, Format};
use crm::request::Status;
use crm::request::desk::Priority;
use crm::request::store::{Past, PastMessage, bulk, queues};
use crm::staff::{NewStaff, Role};
use crm::who::System;
use records::{Records, Thread};
use std::collections::HashMap;
use std::io::{Read as _, Write as _};

/// The setting that marks a demonstration.
pub const MARK: &str = "demonstration";

/// The last day of the receipts in the file.
const LAST_DAY: (i32, u32, u32) = (2011, 12, 9);
/// Where the receipts come from, as their source says.
const SOURCE: &str = "online-retail";
/// The customer to sign in as: 115 receipts from the first day on, with returns and with points that expire this week.
const CUSTOMER: &str = "17841";
/// People are written down this many at a time.
const BATCH: usize = 200;

/// Fills an empty database. The second time it does nothing; a database that somebody works with is left alone.
#[expect(clippy::print_stdout, reason = "the sign-ins are printed once")]
pub async fn fill(db: &Db, config: &Config, is_small: bool) -> anyhow::Result<()> {
    let by = System::at_the_command_line();
    match crm::content::setting(db, MARK).await?.as_deref() {
        Some("ready") => {
            println!("The demonstration is there already.");
            return Ok(());
        }
        // A fill that was cut off goes on: every step can run again.
        Some(_) => {}
        None => {
            anyhow::ensure!(
                crm::customer::store::count(&mut db.read().await?, &by).await? == 0,
                "this database has customers already; a demonstration needs an empty one"
            );
            mark(db, &by, "begun").await?;
        }
    }
    let records = Records::read()?;
    println!("  shops, categories, promotions");
    let stores = shops(db, &by, &records).await?;
    println!("  receipts");
    let lines = receipts(db, &by, &stores, is_small).await?;
    println!("  {lines} lines of receipts");
    let sorted = categories(db, &by, &records).await?;
    println!("  {sorted} articles sorted into categories");
    let people = people::everybody(db, &by).await?;
    println!("  {} people", people.len());
    let passwords = [(); 4].map(|()| password());
    tiers(db, &by, &records).await?;
    let customer = people::identify(db, &by, &people, CUSTOMER, &passwords[0]).await?;
    let agent = staff(db, &by, "agent", "Анна Ким", Role::new(Role::AGENT), &passwords[1]).await?;
    let agents_secret = crm::factor::store::give_totp(db, &by, agent).await?;
    let lead = staff(db, &by, "lead", "Мария Лунина", Role::new("lead"), &passwords[3]).await?;
    let leads_secret = crm::factor::store::give_totp(db, &by, lead).await?;
    let admin = staff(
        db,
        &by,
        "admin",
        "Олег Громов",
        Role::new(Role::ADMINISTRATOR),
        &passwords[2],
    )
    .await?;
    let admins_secret = crm::factor::store::give_totp(db, &by, admin).await?;
    let threads = requests(db, &by, &records, &people, customer, [agent, lead]).await?;
    println!("  {threads} requests");
    questions::write(db, &by, &people, agent).await?;
    messages::write(db, &by).await?;
    let key = till(db, &by).await?;
    rewards::write(db, &by, &records, &people, customer).await?;
    odd::write(db, &by, &people, customer, stores.first().copied()).await?;
    crm::points::store::run_due(db, &by).await?;
    crm::rule::tier::store::run_due(db, &by).await?;
    mark(db, &by, "ready").await?;
    let url = &config.public_url;
    println!();
    println!("The demonstration is ready at {url}. Sign in as");
    println!(
        "  a customer           {url}/sign-in?by=password   +7 900 000-00-01   {}",
        passwords[0]
    );
    println!(
        "  a support agent      {url}/admin/sign-in         agent              {}   {}",
        passwords[1],
        agents_secret.text()
    );
    println!(
        "  a team lead          {url}/admin/sign-in         lead               {}   {}",
        passwords[3],
        leads_secret.text()
    );
    println!(
        "  an administrator     {url}/admin/sign-in         admin              {}   {}",
        passwords[2],
        admins_secret.text()
    );
    println!("  a till               {url}/api/v1                by the key         {key}");
    println!("  the development inbox with the codes, those of the staff's second step too, is at {url}/inbox");
    println!(
        "These passwords are printed this once and stored nowhere else. The last word of a member of staff's line is"
    );
    println!("the key of their second step, for an app that makes codes.");
    std::io::stdout().flush()?;
    Ok(())
}

/// A till for whoever tries the API out, and a key of it.
async fn till(db: &Db, by: &System) -> anyhow::Result<String> {
    use crm::till::{NewTill, Scope, store};
    const CODE: &str = "demo-1";
    let id = match store::by_code(db, by, CODE).await? {
        Some(id) => id,
        None => {
            let new = NewTill {
                code: CODE.into(),
                name: "Касса для проб".into(),
                source: "pos".into(),
                store: None,
            };
            store::create_by_system(db, by, &new).await?
        }
    };
    let key = store::create_key_by_system(db, by, id, &Scope::ALL).await?;
    Ok(key.secret().to_owned())
}

async fn mark(db: &Db, by: &System, state: &str) -> Result<(), crm::Error> {
    db.write(|tx| scoped(async move { Ok(crm::content::set_setting(tx, by, MARK, state).await?) }))
        .await
}

/// Four groups of four letters and digits that are not taken for one another: 79 bits.
fn password() -> String {
    const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let group = || -> String {
        (0..4)
            .map(|_| char::from(SIGNS[rand::random_range(0..SIGNS.len())]))
            .collect()
    };
    [(); 4].map(|()| group()).join("-")
}

/// A number for a text that is the same on every machine and in every version (FNV-1a, 64 bits).
fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
        (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Writes shops and promotions down.
async fn shops(db: &Db, by: &System, records: &Records) -> anyhow::Result<Vec<StoreId>> {
    let stores: Vec<StoreId> = db
        .write(|tx| {
            scoped(async move {
                let mut ids = HashMap::new();
                let mut list = Vec::new();
                for store in &records.stores {
                    let id = crm::stores::store::put(tx, by, store).await?;
                    ids.insert(store.code.clone(), id);
                    list.push(id);
                }
                let (shop, now) = (tx.shop().clone(), tx.now());
                let promotions: Vec<NewPromotion> = records
                    .promotions
                    .iter()
                    .map(|p| (p, p.period(&shop, now)))
                    .map(|(p, (starts_at, ends_at))| NewPromotion {
                        code: p.code.clone(),
                        title: p.title.clone(),
                        conditions: p.conditions.clone(),
                        starts_at,
                        ends_at,
                        must_activate: p.must_activate,
                        stores: p.stores.iter().filter_map(|code| ids.get(code).copied()).collect(),
                        // Rules are published last, and named then.
                        rules: Vec::new(),
                    })
                    .collect();
                for promotion in &promotions {
                    crm::promotion::store::put(tx, by, promotion).await?;
                }
                Ok::<_, crm::Error>(list)
            })
        })
        .await?;
    Ok(stores)
}

/// Imports the receipts, moved so that the last one was yesterday.
async fn receipts(db: &Db, by: &System, stores: &[StoreId], is_small: bool) -> anyhow::Result<u64> {
    let dir = std::env::temp_dir().join(format!("kabinet-demo-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let file = dir.join(if is_small {
        "online_retail_sample.csv"
    } else {
        "online_retail_sample.csv.gz"
    });
    let sample: &[u8] = include_bytes!("../../demo/online_retail_sample.csv.gz");
    if is_small {
        std::fs::write(&file, few_customers(sample)?)?;
    } else {
        std::fs::write(&file, sample)?;
    }
    let (year, month, day) = LAST_DAY;
    let last = NaiveDate::from_ymd_opt(year, month, day).context("the last day is a date")?;
    let yesterday = db.shop().day(db.now()) - Duration::days(1);
    let stores = stores.to_vec();
    let store_of = move |document: &str| {
        let index = seed(document) % stores.len().max(1) as u64;
        stores.get(usize::try_from(index).ok()?).copied()
    };
    let mut options = import::Options::new(Format::OnlineRetail);
    options.source = SOURCE.into();
    options.shift_days = (yesterday - last).num_days();
    options.store_of = Some(&store_of);
    let done = import::run(db, by, &file, &options, |_| {}).await;
    std::fs::remove_dir_all(&dir)?;
    Ok(done?.read)
}

/// The lines of the customer to sign in as and of every ninetieth other one.
fn few_customers(sample: &[u8]) -> anyhow::Result<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(sample).read_to_string(&mut text)?;
    let customer = |line: &str| {
        line.rsplit(',')
            .nth(1)
            .map(|c| c.trim_end_matches(".0").to_owned())
            .unwrap_or_default()
    };
    let is_kept = |number: &str| number == CUSTOMER || (!number.is_empty() && seed(number).is_multiple_of(90));
    let lines = text
        .lines()
        .enumerate()
        .filter(|(i, line)| *i == 0 || is_kept(&customer(line)));
    Ok(lines.map(|(_, line)| format!("{line}\n")).collect())
}

/// Sorts articles into categories by the words in their names: the first category that shares one.
async fn categories(db: &Db, by: &System, records: &Records) -> anyhow::Result<usize> {
    let ids: Vec<CategoryId> = db
        .write(|tx| {
            scoped(async move {
                let mut ids = Vec::new();
                for category in &records.categories {
                    ids.push(
                        crm::stores::store::put_category(tx, by, &category.code, &category.name, category.position)
                            .await?,
                    );
                }
                Ok::<_, crm::Error>(ids)
            })
        })
        .await?;
    let articles = crm::article::store::uncategorized(&mut db.read().await?, by)
        .await
        .map_err(crm::Error::from)?;
    let sorted: Vec<_> = articles
        .iter()
        .filter_map(|(id, name)| {
            let name = name.to_lowercase();
            let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            let fits = |words_of: &[String]| words_of.iter().any(|word| words.contains(&word.as_str()));
            let found = records
                .categories
                .iter()
                .position(|c| c.words.is_empty() || fits(&c.words))?;
            Some((*id, *ids.get(found)?))
        })
        .collect();
    for part in sorted.chunks(BATCH) {
        db.write(|tx| {
            scoped(async move {
                for (article, category) in part {
                    crm::article::store::categorize(tx, by, *article, Some(*category)).await?;
                }
                Ok::<_, crm::Error>(())
            })
        })
        .await?;
    }
    Ok(sorted.len())
}

/// Adds a member of staff, or gives the one who is there a new password: a fill that goes on prints new ones.
async fn staff(db: &Db, by: &System, login: &str, name: &str, role: Role, password: &str) -> anyhow::Result<StaffId> {
    let password_hash = crm::signin::password::hash(password).await?;
    if let Some(account) = crm::staff::store::by_login(&mut db.read().await?, login).await? {
        crm::staff::store::set_password(db, by, account.id, &password_hash).await?;
        return Ok(account.id);
    }
    let new = NewStaff {
        login: login.into(),
        name: name.into(),
        role,
        language: Lang::Ru,
        password_hash,
    };
    Ok(crm::staff::store::create(db, by, &new).await?)
}

/// Publishes the tiers, which follow from the receipts that are there.
async fn tiers(db: &Db, by: &System, records: &Records) -> anyhow::Result<()> {
    use crm::rule::tier::store;
    let (program, tiers) = &records.tiers;
    let mut conn = db.read().await?;
    let program = crm::program::store::by_code(&mut conn, by, program).await?;
    let are_there = store::are_published(&mut conn, by, program).await?;
    drop(conn);
    if !are_there {
        store::publish_by_system(db, by, program, tiers, None).await?;
    }
    Ok(())
}

/// Writes the requests down, and before them what the desk works by: three for the customer to sign in as, one of them with an
/// answer unread.
async fn requests(
    db: &Db,
    by: &System,
    records: &Records,
    people: &[people::Made],
    customer: CustomerId,
    [agent, lead]: [StaffId; 2],
) -> anyhow::Result<usize> {
    if crm::request::store::exist(&mut db.read().await?, by).await? {
        return Ok(records.requests.len());
    }
    let mine = records
        .requests
        .iter()
        .enumerate()
        .filter(|(_, t)| t.language == Lang::Ru && !t.body_names_somebody())
        .fold(HashMap::new(), |mut found: HashMap<Status, usize>, (i, t)| {
            found.entry(t.status).or_insert(i);
            found
        });
    let mine: Vec<usize> = [Status::Waiting, Status::Closed]
        .iter()
        .filter_map(|s| mine.get(s).copied())
        .collect();
    let mut all = Vec::new();
    for (i, thread) in records.requests.iter().enumerate() {
        let owner = if mine.contains(&i) {
            customer
        } else {
            let speakers: Vec<_> = people
                .iter()
                .filter(|p| p.language == thread.language && p.id != customer)
                .collect();
            let named = speakers.iter().find(|p| thread.names(&p.surname));
            let chosen = speakers.get(usize::try_from(
                seed(&format!("request {i}")) % speakers.len().max(1) as u64,
            )?);
            named.or(chosen).context("somebody speaks that language")?.id
        };
        let purchase = match thread.about_receipt {
            true => crm::purchase::store::latest(&mut db.read().await?, by.subject(owner), 1)
                .await?
                .first()
                .map(|p| p.id),
            false => None,
        };
        all.push((past(db, thread, owner, purchase, agent, !mine.contains(&i)), thread));
    }
    // In the order in which they came, for that is how their numbers run.
    all.sort_by_key(|(past, _)| past.messages.first().map(|m| m.at));
    let service = &service::Service::read(db, people, customer, [agent, lead])?;
    let all = &all;
    db.write(|tx| {
        scoped(async move {
            service.write(tx, by, agent).await?;
            desk(tx, by).await?;
            pharmacies(tx, by).await?;
            for (past, thread) in all {
                let number = crm::request::store::put(tx, by, past).await?;
                bulk::sort_by_system(tx, by, number, thread.priority, &thread.tags).await?;
            }
            Ok::<_, crm::Error>(())
        })
    })
    .await?;
    Ok(all.len())
}

/// A partner whom nobody's data is passed to until they agree.
async fn pharmacies(tx: &mut Tx, by: &System) -> Result<(), crm::Error> {
    let words = Words {
        name: Localized::new("Аптеки «Подорожник»", "Plantain Pharmacies"),
        text: Localized {
            ru: "Аптеки узнают номер вашей карты и сколько раз в месяц вы у нас бываете. Ни имени, ни телефона, ни того, что вы купили, \
                 они не получают.\n\nЗачем: чтобы карта работала и у них, а скидка росла за покупки в обоих местах. Если вы откажетесь, \
                 у нас для вас ничего не изменится."
                .into(),
            en: "The pharmacies learn the number of your card and how many times a month you shop with us. They get neither your name, \
                 nor your phone, nor what you bought.\n\nWhat for: so that the card works there too and the discount grows with \
                 purchases in both places. If you refuse, nothing changes for you here."
                .into(),
        },
    };
    partner::add_by_system(tx, by, "plantain", &words).await?;
    Ok(())
}

/// Two queues, from which people take: what is about points and receipts, and what is about cards and who people are.
async fn desk(tx: &mut Tx, by: &System) -> Result<(), crm::Error> {
    let all = [
        (
            "points",
            "Баллы и чеки",
            "Points and receipts",
            ["points_missing", "purchase"],
        ),
        ("cards", "Карты и анкета", "Cards and details", ["card", "profile"]),
    ];
    let topics = crm::request::store::topics(tx).await?;
    for (code, ru, en, about) in all {
        let name = Localized::new(ru, en);
        let id = queues::create_by_system(tx, by, code, &name).await?;
        for topic in topics.iter().filter(|topic| about.contains(&topic.code.as_str())) {
            queues::set_beginning_by_system(tx, by, topic.id, Some(id), Priority::Normal).await?;
        }
    }
    Ok(())
}

fn past(
    db: &Db,
    thread: &Thread,
    customer: CustomerId,
    purchase: Option<crm::id::PurchaseId>,
    agent: StaffId,
    seen: bool,
) -> Past {
    let began = db.now() - Duration::minutes((thread.age_hours * 60.0) as i64);
    Past {
        customer,
        topic: thread.topic.clone(),
        purchase,
        language: thread.language,
        status: thread.status,
        assignee: thread.assigned.then_some(agent),
        seen,
        messages: thread
            .messages
            .iter()
            .map(|m| PastMessage {
                staff: (m.author == "staff").then_some(agent),
                internal: m.internal,
                body: m.body.clone(),
                at: began + Duration::minutes(m.after_minutes),
            })
            .collect(),
    }
}
