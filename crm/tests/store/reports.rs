//! Reports: what is kept by day is what there is, whatever happens to receipts and whenever; what reports say is what other SQL
//! finds; who may save one and have it sent.

use crate::common::people::{self, agent, marketer, one};
use crate::common::*;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use crm::article::store as articles;
use crm::db::{Db, scoped};
use crm::id::{CategoryId, ProgramId, StoreId, TaskId, TierId};
use crm::interaction::{Entry, FREE, store as talks};
use crm::lang::Localized;
use crm::points::store::{SpendError, adjustments};
use crm::points::{AdjustmentState, NewAdjustment};
use crm::purchase::import::{Format, Options, run};
use crm::purchase::void::{VoidError, void};
use crm::purchase::{amend, correct};
use crm::report::store::explained::{self, Look};
use crm::report::store::{reading, run_due, saved, verify};
use crm::report::{Ask, By, Figure, Kind, Name, Report, Step, Table};
use crm::request::level::managing::{self as levels, NewCalendar, NewPolicy};
use crm::request::store as requests;
use crm::request::{NewRating, NewRequest, Promise, TakenDown};
use crm::rule::tier::{self, Downgrade, Measure, Tier};
use crm::rule::{Span, Window};
use crm::stores::store as stores;
use crm::task::{End, NewTask, store as tasks};
use crm::testing::{World, start};
use crm::who::{Reason, Staff};
use crm::work::Round;
use crm::{Error, on};
use flate2::read::GzDecoder;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use uuid::Uuid;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// Counts what is due.
async fn count(db: &Db) -> u64 {
    run_due(db, &BY, || true).await.expect("counted")
}

async fn assert_counted(db: &Db) {
    count(db).await;
    assert_eq!(verify(db, &BY).await.expect("compared"), []);
}

async fn report(db: &Db, by: &Staff, kind: Kind, ask: &Ask) -> Report {
    let mut conn = db.read().await.expect("a connection");
    reading::read(&mut conn, by, kind, ask).await.expect("a report")
}

/// A figure of the period, and of the one before.
fn total(report: &Report, figure: Figure) -> (Option<i64>, Option<i64>) {
    let found = report.totals.iter().find(|total| total.figure == figure);
    let total = found.unwrap_or_else(|| panic!("{figure:?} is told"));
    (total.now, total.before)
}

fn table(report: &Report, by: By) -> &Table {
    let found = report.tables.iter().find(|table| table.by == by);
    found.unwrap_or_else(|| panic!("a table {by:?}"))
}

/// The sum of a column.
fn column(table: &Table, figure: Figure) -> i64 {
    let place = table.columns.iter().position(|one| *one == figure).expect("a column");
    table.rows.iter().filter_map(|(_, values)| values[place]).sum()
}

async fn category(db: &Db, code: &str) -> CategoryId {
    let name = Localized::new(code, code);
    let name = &name;
    db.write(|tx| scoped(async move { stores::put_category(tx, &BY, code, name, 1).await }))
        .await
        .expect("a category")
}

/// Puts an article into a category.
async fn categorize(db: &Db, article: &str, category: CategoryId) {
    let done = db.write(|tx| {
        scoped(async move {
            let names = [(article, None)].into_iter().collect();
            let ids = articles::ensure(tx, &BY, &names).await?;
            articles::categorize(tx, &BY, ids[article], Some(category)).await?;
            Ok::<_, Error>(())
        })
    });
    done.await.expect("categorized");
}

/// The receipts of some customers of the sample, of those who brought something back.
fn sample() -> String {
    let file = std::fs::File::open("../server/demo/online_retail_sample.csv.gz").expect("the sample");
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("the sample is text");
    // The country, which comes last, has no comma in its name.
    let customer = |line: &str| line.rsplit(',').nth(1).unwrap_or_default().to_owned();
    let back: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with('C'))
        .map(customer)
        .collect();
    let some: BTreeSet<String> = back.into_iter().filter(|id| !id.is_empty()).take(100).collect();
    let lines = text.lines().enumerate();
    let chosen = lines.filter(|(i, line)| *i == 0 || some.contains(&customer(line)));
    chosen.map(|(_, line)| format!("{line}\n")).collect()
}

crm::both_engines!(reports_say_what_other_sql_finds, async |world| {
    // Moscow is three hours ahead of UTC in the whole of 2011 but for the summer, of which this period has nothing.
    let (from, to, first, next) = (
        "2011-01-10",
        "2011-03-20",
        "2011-01-09T21:00:00Z",
        "2011-03-20T21:00:00Z",
    );
    let db = ready(world).await;
    let mara = marketer(world).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sample.csv");
    std::fs::write(&file, sample()).expect("written");
    let options = Options::new(Format::OnlineRetail);
    let summary = run(db, &BY, &file, &options, |_| {}).await.expect("imported");
    assert!(summary.taken > 1000 && summary.matched > 0, "{summary:?}");
    // Half of the articles stand in a category, and half of the receipts come of a shop.
    let tea = category(db, "tea").await;
    execute!(db, "UPDATE articles SET category_id = $1 WHERE code < '22'", tea)
        .await
        .expect("categorized");
    let pier = store(db, "pier").await;
    execute!(db, "UPDATE purchases SET store_id = $1 WHERE document < '55'", pier)
        .await
        .expect("of a shop");
    execute!(
        db,
        "UPDATE customers SET favourite_store_id = $1 WHERE external_id < '129'",
        pier
    )
    .await
    .expect("their favourite");
    assert_counted(db).await;

    let ask = Ask::of((date(from), date(to)));
    let told = report(db, &mara, Kind::Purchases, &ask).await;
    let first: DateTime<Utc> = first.parse().expect("a moment");
    let next: DateTime<Utc> = next.parse().expect("a moment");
    let sales = one!(
        world,
        i64,
        "SELECT CAST(SUM(total) AS BIGINT) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2",
        first,
        next
    );
    let receipts = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2",
        first,
        next
    );
    let returned = one!(
        world,
        i64,
        "SELECT CAST(-SUM(total) AS BIGINT) FROM purchases WHERE kind = 'return' AND at >= $1 AND at < $2",
        first,
        next
    );
    assert!(
        sales > 0 && receipts > 20 && returned > 0,
        "{sales} {receipts} {returned}"
    );
    assert_eq!(total(&told, Figure::Sales).0, Some(sales));
    assert_eq!(total(&told, Figure::Receipts).0, Some(receipts));
    assert_eq!(total(&told, Figure::AverageReceipt).0, Some(sales / receipts));
    assert_eq!(total(&told, Figure::Returned).0, Some(returned));
    assert_eq!(total(&told, Figure::Net).0, Some(sales - returned));
    assert_eq!(
        total(&told, Figure::Known).0,
        Some(receipts),
        "all of these are customers"
    );
    let before = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2",
        first - Duration::days(70),
        first
    );
    assert_eq!(total(&told, Figure::Receipts).1, Some(before));
    let steps = table(&told, By::Step(ask.step()));
    assert_eq!(column(steps, Figure::Sales), sales, "the steps are the whole");

    let of_pier = one!(
        world,
        i64,
        "SELECT CAST(SUM(total) AS BIGINT) FROM purchases WHERE kind = 'sale' AND store_id = $3 AND at >= $1 AND at < $2",
        first,
        next,
        pier
    );
    let narrowed = Ask {
        store: Some(pier),
        ..ask
    };
    let narrowed = report(db, &mara, Kind::Purchases, &narrowed).await;
    assert_eq!(total(&narrowed, Figure::Sales).0, Some(of_pier));
    assert_eq!(column(table(&told, By::Store), Figure::Sales), sales);
    let net_of_tea = one!(
        world,
        i64,
        "SELECT CAST(SUM(l.amount) AS BIGINT) FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id \
         JOIN articles a ON a.id = l.article_id WHERE a.category_id = $3 AND p.at >= $1 AND p.at < $2",
        first,
        next,
        tea
    );
    let categories = table(&told, By::Category);
    let of_tea = categories
        .rows
        .iter()
        .find(|(name, _)| matches!(name, Name::Words(words) if words.en == "tea"));
    assert_eq!(of_tea.expect("a row").1[0], Some(net_of_tea));
    assert_eq!(
        column(categories, Figure::Net),
        sales - returned,
        "with and without a category"
    );

    let february = one!(
        world,
        i64,
        "SELECT COUNT(DISTINCT customer_id) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2",
        "2011-01-31T21:00:00Z".parse::<DateTime<Utc>>().expect("a moment"),
        "2011-02-28T21:00:00Z".parse::<DateTime<Utc>>().expect("a moment")
    );
    // A month is compared with the one before it, not with as many days.
    let of_february = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM purchases WHERE kind = 'sale' AND at >= $1 AND at < $2",
        "2011-01-31T21:00:00Z".parse::<DateTime<Utc>>().expect("a moment"),
        "2011-02-28T21:00:00Z".parse::<DateTime<Utc>>().expect("a moment")
    );
    let march = Ask::of((date("2011-03-01"), date("2011-03-31")));
    let of_march = report(db, &mara, Kind::Purchases, &march).await;
    assert_eq!(total(&of_march, Figure::Receipts).1, Some(of_february));

    let months = table(&told, By::Month);
    let row = months
        .rows
        .iter()
        .find(|(name, _)| *name == Name::Month(date("2011-02-01")));
    assert_eq!(row.expect("a month").1[0], Some(february));

    // Points stand on the day on which they were written down: today.
    let today = Ask::of((date("2026-11-21"), date("2026-11-21")));
    let points = report(db, &mara, Kind::Points, &today).await;
    let issued = one!(
        world,
        i64,
        "SELECT CAST(-SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
         WHERE a.kind = 'issued' AND a.customer_id IS NULL"
    );
    assert!(issued > 0);
    assert_eq!(total(&points, Figure::Issued).0, Some(issued));
    let owed = one!(world, i64, "SELECT CAST(SUM(remaining) AS BIGINT) FROM lots");
    assert_eq!(total(&points, Figure::Owed).0, Some(owed));
    assert_eq!(column(table(&points, By::Age), Figure::Owed), owed);
    assert_eq!(column(table(&points, By::Store), Figure::Issued), issued);
    let by_pier = one!(
        world,
        i64,
        "SELECT CAST(-SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
         JOIN transactions t ON t.id = o.transaction_id JOIN purchases p ON p.id = t.purchase_id \
         WHERE a.kind = 'issued' AND a.customer_id IS NULL AND p.store_id = $1",
        pier
    );
    assert!(0 < by_pier && by_pier < issued, "{by_pier} of {issued}");
    let of_pier = Ask {
        store: Some(pier),
        ..today
    };
    let points = report(db, &mara, Kind::Points, &of_pier).await;
    assert_eq!(total(&points, Figure::Issued).0, Some(by_pier));
    let figures: Vec<Figure> = points.totals.iter().map(|total| total.figure).collect();
    assert_eq!(figures, [Figure::Issued, Figure::Spent], "the rest is of no shop");

    // Who registered in a shop that is their favourite, and how many there are.
    let theirs = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM customers WHERE favourite_store_id = $1",
        pier
    );
    let all = one!(world, i64, "SELECT COUNT(*) FROM customers");
    assert!(0 < theirs && theirs < all, "{theirs} of {all}");
    let members = report(db, &mara, Kind::Members, &today).await;
    assert_eq!(total(&members, Figure::Members).0, Some(all));
    assert_eq!(column(table(&members, By::Store), Figure::Members), all);
    let members = report(db, &mara, Kind::Members, &of_pier).await;
    assert_eq!(total(&members, Figure::Members).0, Some(theirs));
    assert_eq!(column(table(&members, By::Store), Figure::Members), theirs);
    let new = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM customers WHERE favourite_store_id = $3 AND registered_at >= $1 AND registered_at < $2",
        first,
        next,
        pier
    );
    let then = Ask {
        store: Some(pier),
        ..ask
    };
    let members = report(db, &mara, Kind::Members, &then).await;
    assert_eq!(total(&members, Figure::Registered).0, Some(new));
    assert_eq!(column(table(&members, By::Step(then.step())), Figure::Registered), new);
    let there = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM customers WHERE favourite_store_id = $2 AND registered_at < $1",
        next,
        pier
    );
    assert_eq!(total(&members, Figure::Members).0, Some(there));
    let memberships = one!(world, i64, "SELECT COUNT(*) FROM memberships WHERE left_at IS NULL");
    let of_theirs = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM memberships m JOIN customers c ON c.id = m.customer_id \
         WHERE m.left_at IS NULL AND c.favourite_store_id = $1",
        pier
    );
    assert!(memberships > 0);
    for (asked, many) in [(today, memberships), (of_pier, of_theirs)] {
        let told = report(db, &mara, Kind::Members, &asked).await;
        assert_eq!(column(table(&told, By::Program), Figure::Members), many, "{asked:?}");
    }
});

/// What one row of a table says.
fn row(table: &Table, en: &str) -> Vec<Option<i64>> {
    let found = table
        .rows
        .iter()
        .find(|(name, _)| matches!(name, Name::Words(words) if words.en == en));
    found.unwrap_or_else(|| panic!("{en} in {table:?}")).1.clone()
}

crm::both_engines!(reports_are_narrowed_by_tier_and_shop, async |world| {
    const ISSUED: &str = "SELECT CAST(-SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
                          JOIN transactions t ON t.id = o.transaction_id JOIN purchases p ON p.id = t.purchase_id \
                          WHERE a.kind = 'issued' AND a.customer_id IS NULL AND p.document = $1";
    let db = ready(world).await;
    let (mara, lead) = (marketer(world).await, people::lead(world).await);
    publish_tiers(db).await;
    let [low, high] = [1, 2].map(|n| TierId(Uuid::from_u128(n)));
    let club = program(db, "club").await;
    let (klin, tver) = (store(db, "klin").await, store(db, "tver").await);
    let anna = people::customer(world, "Анна", "К").await;
    let boris = people::customer(world, "Борис", "К").await;
    for who in [&anna, &boris] {
        join(db, who.me(), "club", start() - days(100)).await;
    }
    let boris_id = boris.id();
    execute!(
        db,
        "UPDATE customers SET favourite_store_id = $1 WHERE id = $2",
        tver,
        boris_id
    )
    .await
    .expect("his favourite");
    let about = |purchase: String| NewRequest {
        topic: "card".into(),
        text: "Где баллы?".into(),
        purchase,
    };
    let write = async |who: &crm::who::Customer, purchase: String| {
        requests::create(db, who, &about(purchase), &[]).await.expect("written");
    };
    // She has no tier yet when she writes first, and when she buys first.
    write(&anna, String::new()).await;
    let first = slip("A-1", anna.me(), start() - days(2)).line("tea", 1, 1_250_00);
    let first = first.at_store(klin).book(db).await.id;
    world.clock.set(start() + Duration::hours(1));
    let second = slip("A-2", anna.me(), start() - days(3)).line("tea", 1, 2_000_00);
    let second = second.at_store(tver).book(db).await.id;
    for (who, purchase) in [
        (&anna, first.to_string()),
        (&anna, second.to_string()),
        (&boris, String::new()),
    ] {
        write(who, purchase).await;
    }
    assert_counted(db).await;

    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    let of = |store: Option<StoreId>, tier: Option<TierId>| Ask { store, tier, ..ask };
    let issued = [one!(world, i64, ISSUED, "A-1"), one!(world, i64, ISSUED, "A-2")];
    assert!(issued.iter().all(|points| *points > 0), "{issued:?}");
    for (one, points) in [
        (of(None, None), issued[0] + issued[1]),
        (of(Some(klin), None), issued[0]),
        (of(Some(tver), None), issued[1]),
        (of(None, Some(low)), issued[1]),
        (of(None, Some(high)), 0),
        (of(Some(tver), Some(low)), issued[1]),
        (of(Some(klin), Some(low)), 0),
    ] {
        let told = report(db, &mara, Kind::Points, &one).await;
        assert_eq!(total(&told, Figure::Issued).0, Some(points), "{one:?}");
        let steps = table(&told, By::Step(Step::Day));
        assert_eq!(column(steps, Figure::Issued), points, "{one:?}");
    }
    let told = report(db, &mara, Kind::Points, &ask).await;
    assert_eq!(row(table(&told, By::Tier), "Tier 0")[0], Some(issued[1]));
    let elsewhere = Ask {
        program: Some(ProgramId::new()),
        ..ask
    };
    let told = report(db, &mara, Kind::Points, &elsewhere).await;
    assert!(
        told.tables.iter().all(|table| table.by != By::Tier),
        "these are tiers of another program"
    );

    for (one, many) in [
        (of(None, None), 4),
        (of(Some(klin), None), 1),
        (of(Some(tver), None), 2),
        (of(None, Some(low)), 2),
        (of(None, Some(high)), 0),
        (of(Some(tver), Some(low)), 1),
    ] {
        let told = report(db, &mara, Kind::Requests, &one).await;
        for figure in [Figure::Received, Figure::Backlog] {
            assert_eq!(total(&told, figure).0, Some(many), "{figure:?} {one:?}");
            assert_eq!(column(table(&told, By::Store), figure), many, "{figure:?} {one:?}");
        }
        let tells_of_talks = told.totals.iter().any(|total| total.figure == Figure::Talks);
        assert_eq!(tells_of_talks, one == ask, "{one:?}");
    }
    let told = report(db, &mara, Kind::Requests, &ask).await;
    assert_eq!(row(table(&told, By::Tier), "Tier 0"), [Some(2)]);

    let of_club = Ask {
        program: Some(club),
        ..ask
    };
    for (one, members, active) in [
        (of(None, None), 2, 1),
        (of_club, 2, 1),
        (of(Some(tver), None), 1, 0),
        (of(None, Some(low)), 1, 1),
        (of(None, Some(high)), 0, 0),
        (of(Some(tver), Some(low)), 0, 0),
    ] {
        let told = report(db, &mara, Kind::Members, &one).await;
        for (figure, value) in [
            (Figure::Registered, members),
            (Figure::Members, members),
            (Figure::Active, active),
        ] {
            assert_eq!(total(&told, figure).0, Some(value), "{figure:?} {one:?}");
        }
        let tells_buyers = told.totals.iter().any(|total| total.figure == Figure::Buyers);
        assert_eq!(tells_buyers, one.tier.is_none() && one.program.is_none(), "{one:?}");
    }
    let told = report(db, &mara, Kind::Members, &ask).await;
    assert_eq!(row(table(&told, By::Tier), "Tier 0"), [Some(1), Some(1)]);
    assert_eq!(total(&told, Figure::Active).1, None, "nobody counted a week ago");

    // Days later the second receipt was in the first shop after all, and she leaves.
    world.clock.set(start() + days(2));
    correct::set_store(db, &lead, (anna.id(), second), Some(tver), Some(klin), "Ошиблись")
        .await
        .expect("another shop");
    crm::program::store::leave(db, &anna, "club").await.expect("she left");
    assert_counted(db).await;
    let told = report(db, &mara, Kind::Points, &of(Some(klin), None)).await;
    assert_eq!(total(&told, Figure::Issued).0, Some(issued[0] + issued[1]));
    let later = Ask::of((date("2026-11-22"), date("2026-11-23")));
    for (tier, left, before) in [(low, 1, 1), (high, 0, 0)] {
        let one = Ask {
            tier: Some(tier),
            ..later
        };
        let told = report(db, &mara, Kind::Members, &one).await;
        assert_eq!(total(&told, Figure::Left).0, Some(left), "{tier:?}");
        assert_eq!(total(&told, Figure::Members), (Some(0), Some(before)), "{tier:?}");
    }
});

#[derive(Clone, Debug)]
enum Event {
    /// Somebody or nobody buys, so many days ago, in a shop or none.
    Sale {
        who: usize,
        ago: i64,
        shop: usize,
        quantity: i64,
    },
    Return {
        sale: usize,
    },
    /// A return that comes before its sale.
    Early {
        who: usize,
    },
    Void(usize),
    Grow(usize),
    Move {
        article: usize,
        category: usize,
    },
    Days(i64),
    Count,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3_usize, 0..20_i64, 0..3_usize, 1..4_i64)
            .prop_map(|(who, ago, shop, quantity)| Event::Sale { who, ago, shop, quantity }),
        3 => (0..100_usize).prop_map(|sale| Event::Return { sale }),
        1 => (0..2_usize).prop_map(|who| Event::Early { who }),
        2 => (0..100_usize).prop_map(Event::Void),
        1 => (0..100_usize).prop_map(Event::Grow),
        1 => (0..2_usize, 0..2_usize).prop_map(|(article, category)| Event::Move { article, category }),
        2 => (1..5_i64).prop_map(Event::Days),
        3 => Just(Event::Count),
    ]
}

/// Tiers that a few purchases lead through.
async fn publish_tiers(db: &Db) {
    let tiers = [1_000_00, 5_000_00].into_iter().enumerate();
    let tiers = tier::Tiers {
        measure: Measure::Sum,
        window: Window::Last(Span::Days(30)),
        downgrade: Downgrade::Earned,
        grace: None,
        tiers: tiers
            .map(|(place, threshold)| Tier {
                id: TierId(Uuid::from_u128(place as u128 + 1)),
                name: Localized {
                    ru: format!("Ступень {place}"),
                    en: format!("Tier {place}"),
                },
                threshold,
            })
            .collect(),
    };
    let club = program(db, "club").await;
    tier::store::publish_by_system(db, &BY, club, &tiers, None)
        .await
        .expect("published");
}

/// A history of receipts, counted now and then: what is kept is what counting all of it anew finds.
async fn live(world: &World, events: Vec<Event>) {
    let db = &world.db;
    publish_tiers(db).await;
    let who = [customer(db).await, customer(db).await];
    for one in who {
        join(db, one, "club", start() - days(100)).await;
    }
    let tag = Uuid::now_v7().simple().to_string();
    let shops: [StoreId; 2] = [store(db, &format!("a{tag}")).await, store(db, &format!("b{tag}")).await];
    let categories = [
        category(db, &format!("a{tag}")).await,
        category(db, &format!("b{tag}")).await,
    ];
    let mut sales: Vec<(String, usize, i64)> = Vec::new();
    let mut documents: Vec<String> = Vec::new();
    for (n, event) in events.into_iter().enumerate() {
        let now = db.now() + Duration::minutes(1);
        world.clock.set(now);
        let document = format!("{n}-{tag}");
        let article = |of: usize| format!("{}-{tag}", of % 2);
        match event {
            Event::Sale {
                who: buyer,
                ago,
                shop,
                quantity,
            } => {
                let slip = slip(&document, who[buyer % 2], now - days(ago)).line(&article(n), quantity, 1_250_00);
                let slip = if buyer == 2 { slip.nobody() } else { slip };
                let slip = if shop == 2 { slip } else { slip.at_store(shops[shop]) };
                slip.book(db).await;
                documents.push(document.clone());
                sales.push((document, n, quantity));
            }
            Event::Return { sale } if !sales.is_empty() => {
                let (of, line, _) = &sales[sale % sales.len()];
                let back = slip(&document, who[0], now)
                    .line(&article(*line), -1, 1_250_00)
                    .of_line(of, 1);
                // What came back already, or whose sale counts no more, comes back no more.
                if back.try_book(db).await.is_ok() {
                    documents.push(document);
                }
            }
            Event::Early { who: buyer } => {
                let sale = format!("early-{document}");
                let back = slip(&document, who[buyer], now - days(3)).line(&article(n), -1, 99_00);
                back.nobody().of_line(&sale, 1).book(db).await;
                count(db).await;
                let bought = slip(&sale, who[buyer], now - days(5)).line(&article(n), 2, 99_00);
                bought.book(db).await;
                documents.push(sale);
            }
            Event::Void(of) if !documents.is_empty() => {
                match void(db, &BY, "till", &documents[of % documents.len()]).await {
                    Ok(_) | Err(VoidError::Returned | VoidError::NotEnough { .. }) => {}
                    Err(e) => panic!("{e}"),
                }
            }
            Event::Grow(of) if !sales.is_empty() => {
                const AT: &str = "SELECT at FROM purchases WHERE document = $1";
                let (document, line, quantity) = &sales[of % sales.len()];
                let mut conn = db.read().await.expect("a connection");
                let at: DateTime<Utc> =
                    on!(conn, |c| sqlx::query_scalar(AT).bind(document).fetch_one(c).await).expect("its time");
                drop(conn);
                let grown = slip(document, who[0], at).line(&article(*line), *quantity, 1_250_00);
                grown.line(&article(line + 1), 1, 20_00).book(db).await;
            }
            Event::Move { article: of, category } => categorize(db, &article(of), categories[category]).await,
            Event::Days(n) => world.clock.set(now + days(n)),
            Event::Count => assert_counted(db).await,
            // Nothing is there yet that it could happen to.
            _ => {}
        }
    }
    assert_counted(db).await;
}

fn tell(cases: u32, world: impl AsyncFn() -> World) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&prop::collection::vec(event(), 1..16), |events| {
        runtime.block_on(async {
            let world = world().await;
            ready(&world).await;
            live(&world, events).await;
        });
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}

#[test]
fn what_is_kept_is_what_a_recount_finds_sqlite() {
    tell(20, async || crm::testing::sqlite().await);
}

#[test]
fn what_is_kept_is_what_a_recount_finds_postgres() {
    tell(10, async || crm::testing::postgres().await);
}

crm::both_engines!(what_nobody_counted_is_a_difference, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    slip("A-1", anna, start() - days(2))
        .line("tea", 2, 100_00)
        .book(db)
        .await;
    assert_counted(db).await;
    // What is only marked is known to be behind, and is none.
    slip("A-2", anna, start() - days(2))
        .line("tea", 1, 100_00)
        .book(db)
        .await;
    assert_eq!(verify(db, &BY).await.expect("compared"), []);
    count(db).await;
    execute!(db, "UPDATE report_figures SET value = value + 1 WHERE figure = 'sales'")
        .await
        .expect("broken");
    let found = verify(db, &BY).await.expect("compared");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kept, found[0].counted), (300_01, 300_00));
    assert_eq!((found[0].day, found[0].figure.as_str()), (date("2026-11-19"), "sales"));
});

crm::both_engines!(days_are_the_shops_and_go_with_its_zone, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let anna = customer(db).await;
    // Half an hour before midnight in UTC is the next day in Moscow.
    let at = "2026-11-10T23:30:00Z".parse().expect("a moment");
    slip("A-1", anna, at).line("tea", 1, 100_00).book(db).await;
    count(db).await;
    let on = async |db: &Db, day: &str| {
        let told = report(db, &mara, Kind::Purchases, &Ask::of((date(day), date(day)))).await;
        total(&told, Figure::Sales).0
    };
    assert_eq!(
        (on(db, "2026-11-10").await, on(db, "2026-11-11").await),
        (Some(0), Some(100_00))
    );
    let shop = crm::shop::Shop {
        time_zone: "UTC".into(),
        ..(**db.shop()).clone()
    };
    let moved = Db::open(&world.url, shop, world.clock.clone()).await.expect("it opens");
    count(&moved).await;
    assert_eq!(
        (on(&moved, "2026-11-10").await, on(&moved, "2026-11-11").await),
        (Some(100_00), Some(0))
    );
    assert_eq!(verify(&moved, &BY).await.expect("compared"), []);
});

crm::both_engines!(a_receipt_that_staff_correct_is_counted_again, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let (tver, klin) = (store(db, "tver").await, store(db, "klin").await);
    let mut booked = Vec::new();
    for document in ["A-1", "A-2"] {
        let slip = slip(document, anna, start() - days(2)).line("tea", 1, 100_00);
        booked.push(slip.at_store(tver).book(db).await.id);
    }
    assert_counted(db).await;
    let lead = people::lead(world).await;
    correct::set_store(db, &lead, (anna.id(), booked[0]), Some(tver), Some(klin), "Ошиблись")
        .await
        .expect("another shop");
    assert_counted(db).await;
    let fresh = lead.fresh(db).expect("fresh");
    correct::detach(db, &fresh, anna.id(), booked[1], "Чужая карта")
        .await
        .expect("taken off");
    assert_counted(db).await;
    let known = one!(
        world,
        i64,
        "SELECT CAST(SUM(value) AS BIGINT) FROM report_figures WHERE figure = 'known'"
    );
    assert_eq!(known, 1);
});

crm::both_engines!(a_merged_account_is_one_buyer, async |world| {
    let db = ready(world).await;
    let (kept, absorbed) = (customer(db).await, customer(db).await);
    slip("A-1", kept, start() - days(3))
        .line("tea", 1, 100_00)
        .book(db)
        .await;
    slip("A-2", absorbed, start() - days(2))
        .line("tea", 1, 100_00)
        .book(db)
        .await;
    assert_counted(db).await;
    let buyers = async || {
        one!(
            world,
            i64,
            "SELECT value FROM report_figures WHERE figure = 'customers' AND day = $1",
            date("2026-11-01")
        )
    };
    assert_eq!(buyers().await, 2);
    for (who, phone) in [(kept, "+79000000001"), (absorbed, "+79000000002")] {
        people::contact(world, who.id(), crm::contact::Kind::Phone, phone).await;
        card(db, who, "active").await;
    }
    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    let lead = people::lead(world).await;
    let fresh = lead.fresh(db).expect("fresh");
    crm::merge::merge_by_staff(db, &fresh, kept.id(), absorbed.id(), "сама пришла")
        .await
        .expect("merged");
    assert_counted(db).await;
    assert_eq!(buyers().await, 1);
});

crm::both_engines!(what_a_caller_says_is_received_and_waited_for, async |world| {
    let db = ready(world).await;
    let (mara, support) = (marketer(world).await, agent(world).await);
    let anna = people::customer(world, "Анна", "К").await;
    let said = TakenDown {
        request: NewRequest {
            topic: "card".into(),
            text: "Карта не читается".into(),
            purchase: String::new(),
        },
        channel: "call_in".into(),
        talk: None,
    };
    let number = requests::take_down(db, &support, anna.id(), &said)
        .await
        .expect("written down");
    world.clock.set(start() + Duration::minutes(10));
    let (_, thread) = requests::open(db, &support, number).await.expect("opened");
    requests::staff_answer(db, &support, number, "Готово", &[], thread.updated_at)
        .await
        .expect("answered");
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    for (figure, value) in [(Figure::Received, Some(1)), (Figure::FirstAnswer, Some(10))] {
        assert_eq!(total(&told, figure).0, value, "{figure:?}");
    }
});

crm::both_engines!(requests_are_told_by_medians, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let support = agent(world).await;
    let anna = people::customer(world, "Анна", "К").await;
    let new = |text: &str| NewRequest {
        topic: "card".into(),
        text: text.into(),
        purchase: String::new(),
    };
    let at = |minutes: i64| world.clock.set(start() + Duration::minutes(minutes));
    let mut numbers = Vec::new();
    for n in 0..3 {
        let number = requests::create(db, &anna, &new(&n.to_string()), &[]).await;
        numbers.push(number.expect("written"));
    }
    for (number, minutes) in numbers.iter().zip([10, 30]) {
        at(minutes);
        let (_, thread) = requests::open(db, &support, *number).await.expect("opened");
        requests::staff_answer(db, &support, *number, "Готово", &[], thread.updated_at)
            .await
            .expect("answered");
    }
    at(60);
    requests::close(db, &anna, numbers[0]).await.expect("closed");
    let rating = NewRating {
        score: "4".into(),
        comment: String::new(),
    };
    requests::rate(db, &anna, numbers[0], &rating).await.expect("rated");
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    for (figure, value) in [
        (Figure::Received, Some(3)),
        (Figure::FirstAnswer, Some(10)),
        (Figure::Solution, Some(60)),
        (Figure::Closed, Some(1)),
        (Figure::Backlog, Some(2)),
        (Figure::Reopened, Some(0)),
        (Figure::Score, Some(400)),
        (Figure::Ratings, Some(1)),
    ] {
        assert_eq!(total(&told, figure).0, value, "{figure:?}");
    }
    assert_eq!(
        total(&told, Figure::FirstAnswer).1,
        None,
        "there was nothing to be answered"
    );
    at(90);
    requests::reopen(db, &anna, numbers[0]).await.expect("opened again");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    assert_eq!(total(&told, Figure::Reopened).0, Some(1));
    assert_eq!(total(&told, Figure::Backlog).0, Some(3));
    for by in [By::Topic, By::Agent] {
        let all = [
            (Figure::Received, 3),
            (Figure::Solution, 60),
            (Figure::Reopened, 1),
            (Figure::Backlog, 3),
        ];
        for (figure, value) in all {
            assert_eq!(column(table(&told, by), figure), value, "{by:?} {figure:?}");
        }
    }
    // What is open at the end of a day is what was written up to then and not closed: nothing before the last one.
    let days = table(&told, By::Step(Step::Day));
    let place = days.columns.iter().position(|figure| *figure == Figure::Backlog);
    let backlog: Vec<_> = days
        .rows
        .iter()
        .map(|(_, values)| values[place.expect("a column")])
        .collect();
    assert_eq!(backlog, [vec![Some(0); 6], vec![Some(3)]].concat());
    // Closed and opened once more it counts once more, and nothing is forgotten of the first time.
    at(95);
    requests::close(db, &anna, numbers[0]).await.expect("closed once more");
    at(96);
    requests::reopen(db, &anna, numbers[0]).await.expect("opened once more");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    for (figure, value) in [(Figure::Closed, 2), (Figure::Reopened, 2), (Figure::Backlog, 3)] {
        assert_eq!(total(&told, figure).0, Some(value), "{figure:?}");
    }
    // Two that became one are one, and it was not closed by that.
    at(100);
    let gone = numbers[1].to_string();
    crm::request::merge::merge(db, &support, numbers[2], &[gone])
        .await
        .expect("one request");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    for (figure, value) in [
        (Figure::Received, 2),
        (Figure::Closed, 2),
        (Figure::Reopened, 2),
        (Figure::Backlog, 2),
    ] {
        assert_eq!(total(&told, figure).0, Some(value), "{figure:?}");
    }
    assert_eq!(column(table(&told, By::Topic), Figure::Received), 2);
    // What comes later changes nothing of what was told.
    at(3 * 24 * 60);
    requests::close(db, &anna, numbers[0]).await.expect("closed later");
    at(3 * 24 * 60 + 1);
    requests::reopen(db, &anna, numbers[0]).await.expect("opened later");
    let again = report(db, &mara, Kind::Requests, &ask).await;
    for figure in [
        Figure::Received,
        Figure::Solution,
        Figure::Closed,
        Figure::Reopened,
        Figure::Backlog,
    ] {
        assert_eq!(total(&again, figure).0, total(&told, figure).0, "{figure:?}");
    }
});

/// The row of a member of staff, or of nobody.
fn of_staff(table: &Table, name: Option<&str>, figure: Figure) -> Option<i64> {
    let place = table.columns.iter().position(|one| *one == figure).expect("a column");
    let name = name.map_or(Name::None, |name| Name::Plain(name.into()));
    let row = table.rows.iter().find(|(one, _)| *one == name);
    row.unwrap_or_else(|| panic!("{name:?} in {table:?}")).1[place]
}

crm::both_engines!(work_stays_with_whoever_did_it, async |world| {
    // Whose answers came first, by other SQL.
    const FIRST: &str = "SELECT COUNT(*) FROM messages m JOIN staff s ON s.id = m.staff_id WHERE s.name = $1 \
                         AND m.author = 'staff' AND NOT m.internal AND NOT EXISTS (SELECT 1 FROM messages e \
                         WHERE e.request_id = m.request_id AND e.author = 'staff' AND NOT e.internal AND e.at < m.at)";
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (agnia, aglaya) = (agent(world).await, people::agent_called(world, "aglaya").await);
    let anna = people::customer(world, "Анна", "К").await;
    let at = |minutes: i64| world.clock.set(start() + Duration::minutes(minutes));
    let new = NewRequest {
        topic: "card".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let mut numbers = Vec::new();
    for _ in 0..2 {
        numbers.push(requests::create(db, &anna, &new, &[]).await.expect("written"));
    }
    let answer = async |who: &Staff, number: i64| {
        let (_, thread) = requests::open(db, who, number).await.expect("opened");
        requests::staff_answer(db, who, number, "Готово", &[], thread.updated_at)
            .await
            .expect("answered");
    };
    // A note is no answer.
    at(5);
    requests::note(db, &aglaya, numbers[0], "Смотрю", &[])
        .await
        .expect("noted");
    for (number, minutes) in numbers.iter().zip([10, 20]) {
        at(minutes);
        answer(&agnia, *number).await;
    }
    at(25);
    let rating = NewRating {
        score: "5".into(),
        comment: String::new(),
    };
    requests::rate(db, &anna, numbers[0], &rating).await.expect("rated");
    // A colleague takes both over, and answers in one of them.
    for number in &numbers {
        let from = Some(agnia.id());
        requests::assign_to_me(db, &aglaya, *number, from)
            .await
            .expect("taken over");
    }
    at(30);
    answer(&aglaya, numbers[1]).await;
    for (number, minutes) in numbers.iter().zip([40, 60]) {
        at(minutes);
        requests::close(db, &anna, *number).await.expect("closed");
    }
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    let agents = table(&told, By::Agent);
    for (name, figure, value) in [
        ("Агния", Figure::FirstAnswer, Some(10)),
        ("Агния", Figure::Solution, Some(40)),
        ("Агния", Figure::Closed, Some(1)),
        ("Агния", Figure::Score, Some(500)),
        ("Агния", Figure::Received, Some(0)),
        ("Аглая", Figure::FirstAnswer, None),
        ("Аглая", Figure::Solution, Some(60)),
        ("Аглая", Figure::Closed, Some(1)),
        ("Аглая", Figure::Score, None),
        ("Аглая", Figure::Received, Some(2)),
    ] {
        assert_eq!(of_staff(agents, Some(name), figure), value, "{name} {figure:?}");
    }
    assert_eq!(one!(world, i64, FIRST, "Агния"), 2);
    // Who comes later, and what is opened again, changes nothing of what was done.
    at(70);
    requests::reopen(db, &anna, numbers[0]).await.expect("opened again");
    at(80);
    answer(&aglaya, numbers[0]).await;
    at(90);
    requests::close(db, &anna, numbers[0]).await.expect("closed again");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    let agents = table(&told, By::Agent);
    for (name, figure, value) in [
        ("Агния", Figure::FirstAnswer, Some(10)),
        ("Агния", Figure::Solution, Some(40)),
        ("Агния", Figure::Closed, Some(1)),
        ("Агния", Figure::Reopened, Some(1)),
        ("Агния", Figure::Score, Some(500)),
        ("Аглая", Figure::Closed, Some(2)),
    ] {
        assert_eq!(of_staff(agents, Some(name), figure), value, "{name} {figure:?}");
    }
    // What nobody answered nobody solved.
    let third = requests::create(db, &anna, &new, &[]).await.expect("written");
    at(100);
    requests::close(db, &anna, third).await.expect("closed");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    assert_eq!(of_staff(table(&told, By::Agent), None, Figure::Solution), Some(10));
});

crm::both_engines!(what_the_shop_begins_nobody_waited_for, async |world| {
    const WRITTEN: &str = "SELECT COUNT(*) FROM requests r WHERE (SELECT m.author FROM messages m WHERE m.request_id = r.id \
                           AND NOT m.internal ORDER BY m.at, m.id LIMIT 1) = $1";
    let db = ready(world).await;
    let (mara, support) = (marketer(world).await, agent(world).await);
    publish_tiers(db).await;
    let anna = people::customer(world, "Анна", "К").await;
    join(db, anna.me(), "club", start() - days(100)).await;
    slip("A-1", anna.me(), start() - days(2))
        .line("tea", 1, 1_250_00)
        .book(db)
        .await;
    let at = |minutes: i64| world.clock.set(start() + Duration::minutes(minutes));
    at(10);
    let asked = NewRequest {
        topic: "card".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    let asked = requests::create(db, &anna, &asked, &[]).await.expect("written");
    let mut begun = Vec::new();
    for _ in 0..2 {
        let number = requests::write_to(db, &support, anna.id(), "card", "Чек нашёлся").await;
        begun.push(number.expect("begun"));
    }
    at(20);
    requests::close(db, &anna, begun[0]).await.expect("closed");
    at(40);
    requests::close(db, &anna, asked).await.expect("closed");
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    for (figure, value) in [
        (Figure::Received, Some(1)),
        (Figure::Begun, Some(2)),
        (Figure::FirstAnswer, None),
        (Figure::Solution, Some(30)),
        (Figure::Closed, Some(2)),
        (Figure::Backlog, Some(1)),
    ] {
        assert_eq!(total(&told, figure).0, value, "{figure:?}");
    }
    assert_eq!(one!(world, i64, WRITTEN, "customer"), 1);
    assert_eq!(one!(world, i64, WRITTEN, "staff"), 2);
    assert_eq!(row(table(&told, By::Tier), "Tier 0"), [Some(1)]);
    // The steps add up: nothing was open before the day on which all of it was.
    let days = table(&told, By::Step(Step::Day));
    let place = days.columns.iter().position(|figure| *figure == Figure::Backlog);
    let place = place.expect("a column");
    let backlog: Vec<_> = days.rows.iter().map(|(_, values)| values[place]).collect();
    assert_eq!(backlog, [vec![Some(0); 6], vec![Some(1)]].concat());
});

/// Round the clock an hour for the first answer, half of one for each other, eight for a solution.
async fn promise(db: &Db, by: &Staff) {
    let calendar = NewCalendar {
        name: "Round the clock".into(),
        time_zone: "UTC".into(),
        week: std::array::from_fn(|_| "0–24".to_owned()),
        days: String::new(),
    };
    let calendar = levels::add_calendar(db, by, &calendar).await.expect("a calendar");
    let policy = NewPolicy {
        calendar: calendar.to_string(),
        first_answer: "60".into(),
        next_answer: "30".into(),
        solution: "480".into(),
        warn: "80".into(),
        ..NewPolicy::default()
    };
    levels::add_policy(db, by, &policy).await.expect("a policy");
}

/// How many came in time and how many did not, of a promise, in the period or before it, of a topic or a member of staff.
type Fell = BTreeMap<(Promise, bool, String), [i64; 2]>;

const NOBODY: &str = "nobody";

/// The same as a report tells it.
fn fell(report: &Report) -> Fell {
    let mut all = Fell::new();
    for promise in Promise::ALL {
        for by in [By::PromiseByTopic(promise), By::PromiseByAgent(promise)] {
            for (name, values) in &table(report, by).rows {
                let name = match name {
                    Name::Words(words) => words.en.clone(),
                    Name::Plain(name) => name.clone(),
                    _ => NOBODY.to_owned(),
                };
                for (is_now, place) in [(true, 0), (false, 3)] {
                    let counts = [1, 2].map(|next| values[place + next].expect("a count"));
                    let due = counts[0] + counts[1];
                    let share = (due > 0).then(|| counts[0] * 100 / due);
                    assert_eq!(values[place], share, "{by:?} {name} {values:?}");
                    if due > 0 {
                        all.insert((promise, is_now, name.clone()), counts);
                    }
                }
            }
        }
    }
    all
}

/// The same out of what was written and when, where an answer stops the time for a solution for good.
async fn fell_by_other_sql(world: &World, ask: &Ask) -> Fell {
    // A topic, who answered first and last, when it was asked, answered and closed.
    const ASKED: &str = "SELECT t.name, \
        (SELECT s.name FROM messages m JOIN staff s ON s.id = m.staff_id WHERE m.request_id = r.id ORDER BY m.at LIMIT 1), \
        (SELECT s.name FROM messages m JOIN staff s ON s.id = m.staff_id WHERE m.request_id = r.id ORDER BY m.at DESC LIMIT 1), \
        r.created_at, (SELECT MIN(m.at) FROM messages m WHERE m.request_id = r.id AND m.author = 'staff'), r.closed_at \
        FROM requests r JOIN topics t ON t.id = r.topic_id";
    // A topic, who answered what was said after the first answer, when it was said and answered.
    const SAID: &str = "SELECT t.name, s.name, c.at, m.at FROM messages c \
        JOIN messages m ON m.request_id = c.request_id AND m.author = 'staff' AND m.at > c.at JOIN staff s ON s.id = m.staff_id \
        JOIN requests r ON r.id = c.request_id JOIN topics t ON t.id = r.topic_id \
        WHERE c.author = 'customer' AND EXISTS (SELECT 1 FROM messages e WHERE e.request_id = c.request_id \
        AND e.author = 'staff' AND e.at < c.at)";
    type At = DateTime<Utc>;
    type Asked = (
        Json<Localized>,
        Option<String>,
        Option<String>,
        At,
        Option<At>,
        Option<At>,
    );
    let mut conn = world.db.read().await.expect("a connection");
    let asked: Vec<Asked> = on!(conn, |c| sqlx::query_as(ASKED).fetch_all(c).await).expect("requests");
    let said: Vec<(Json<Localized>, String, At, At)> =
        on!(conn, |c| sqlx::query_as(SAID).fetch_all(c).await).expect("messages");
    drop(conn);
    let mut all = Fell::new();
    let mut count = |promise: Promise, due: At, is_kept: bool, topic: &Localized, staff: Option<String>| {
        let day = world.db.shop().day(due);
        let (first, last) = ask.before();
        let is_now = (ask.from..=ask.to).contains(&day);
        if is_now || (first..=last).contains(&day) {
            for of in [topic.en.clone(), staff.unwrap_or_else(|| NOBODY.to_owned())] {
                all.entry((promise, is_now, of)).or_default()[usize::from(!is_kept)] += 1;
            }
        }
    };
    for (Json(topic), first, last, created, answered, closed) in asked {
        let due = created + Duration::minutes(60);
        // Closed in time without an answer it was not waited for any more.
        if answered.is_some() || closed.is_none_or(|closed| closed > due) {
            let is_kept = answered.is_some_and(|answered| answered <= due);
            count(Promise::FirstAnswer, due, is_kept, &topic, first);
        }
        let due = created + Duration::minutes(480);
        match (answered, closed) {
            (None, closed) => {
                let is_kept = closed.is_some_and(|closed| closed <= due);
                count(Promise::Solution, due, is_kept, &topic, None);
            }
            (Some(_), Some(closed)) => count(Promise::Solution, closed, true, &topic, last),
            (Some(_), None) => {}
        }
    }
    for (Json(topic), staff, asked, answered) in said {
        let due = asked + Duration::minutes(30);
        count(Promise::NextAnswer, due, answered <= due, &topic, Some(staff));
    }
    all
}

crm::both_engines!(what_was_promised_is_told_by_when_it_fell_due, async |world| {
    let db = ready(world).await;
    let (mara, ada) = (marketer(world).await, people::administrator(world).await);
    let agents = [agent(world).await, people::agent_called(world, "aglaya").await];
    let anna = people::customer(world, "Анна", "К").await;
    let ask = Ask::of((date("2026-11-25"), date("2026-11-28")));
    let is_of_promises = |table: &Table| matches!(table.by, By::PromiseByTopic(_) | By::PromiseByAgent(_));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    assert!(!told.tables.iter().any(is_of_promises), "nothing is promised");
    promise(db, &ada).await;
    let at = |minutes: i64| world.clock.set(start() + Duration::minutes(minutes));
    let answer = async |who: &Staff, number: i64| {
        let (_, thread) = requests::open(db, who, number).await.expect("opened");
        requests::staff_answer(db, who, number, "Готово", &[], thread.updated_at)
            .await
            .expect("answered");
    };
    for (n, written) in (0..16_usize).zip((0..).step_by(11 * 60)) {
        let topic = if n % 3 == 0 { "other" } else { "card" };
        let new = NewRequest {
            topic: topic.into(),
            text: "Где баллы?".into(),
            purchase: String::new(),
        };
        at(written);
        let number = requests::create(db, &anna, &new, &[]).await.expect("written");
        // In time, too late, never, in the last moment.
        if let Some(minutes) = [Some(20), Some(61), None, Some(60), Some(300)][n % 5] {
            at(written + minutes);
            answer(&agents[n % 2], number).await;
            if n % 4 < 2 {
                at(written + minutes + 5);
                requests::answer(db, &anna, number, "А теперь?", &[])
                    .await
                    .expect("said");
                at(written + minutes + [25, 45][n % 2]);
                answer(&agents[(n + 1) % 2], number).await;
            }
        }
        // One of those that nobody answered is closed before that was due.
        if n == 7 || n % 3 == 0 {
            at(written + if n == 7 { 5 } else { 600 });
            requests::close(db, &anna, number).await.expect("closed");
        }
    }
    at(8 * 24 * 60);
    let told = report(db, &mara, Kind::Requests, &ask).await;
    let found = fell(&told);
    assert_eq!(found, fell_by_other_sql(world, &ask).await);
    for promise in Promise::ALL {
        let sum = |is_now: bool, place: usize| -> Option<i64> {
            let of_topics = ["My card", "Something else"].map(|topic| (promise, is_now, topic.to_owned()));
            Some(of_topics.iter().filter_map(|key| Some(found.get(key)?[place])).sum())
        };
        let in_time = |is_now: bool| Some(sum(is_now, 0)? * 100 / (sum(is_now, 0)? + sum(is_now, 1)?));
        for (figure, now, before) in [
            (Figure::Kept(promise), sum(true, 0), sum(false, 0)),
            (Figure::Missed(promise), sum(true, 1), sum(false, 1)),
            (Figure::InTime(promise), in_time(true), in_time(false)),
        ] {
            assert_eq!(total(&told, figure), (now, before), "{figure:?}");
            assert!(now > Some(0) && before > Some(0), "{figure:?}: {now:?} {before:?}");
        }
    }
    // Whether the job has come round or not.
    crm::request::level::store::run_due(db, &BY, || true)
        .await
        .expect("it runs");
    assert_eq!(report(db, &mara, Kind::Requests, &ask).await, told);
    let of_nobody = Ask {
        tier: Some(TierId(Uuid::from_u128(1))),
        ..ask
    };
    let narrowed = report(db, &mara, Kind::Requests, &of_nobody).await;
    assert!(!narrowed.tables.iter().any(is_of_promises), "nobody has that tier");
});

/// The time to a solution is that to the first closing, and other SQL finds the same.
async fn assert_solved(world: &World, by: &Staff, ask: &Ask, minutes: i64) {
    const FIRST: &str = "SELECT r.created_at, s.at FROM request_steps s JOIN requests r ON r.id = s.request_id \
                         WHERE s.kind = 'closed' AND r.merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM request_steps e \
                         WHERE e.request_id = s.request_id AND e.kind = 'closed' AND e.at < s.at)";
    let mut conn = world.db.read().await.expect("a connection");
    let first: Vec<(DateTime<Utc>, DateTime<Utc>)> =
        on!(conn, |c| sqlx::query_as(FIRST).fetch_all(c).await).expect("first closings");
    drop(conn);
    let mut all: Vec<i64> = first.into_iter().map(|(from, to)| (to - from).num_minutes()).collect();
    all.sort_unstable();
    let told = report(&world.db, by, Kind::Requests, ask).await;
    assert_eq!(total(&told, Figure::Solution).0, Some(minutes));
    assert_eq!(all.get(all.len() / 2).copied(), Some(minutes), "{all:?}");
}

crm::both_engines!(the_time_to_a_solution_ends_with_the_first_closing, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let anna = people::customer(world, "Анна", "К").await;
    let new = |text: &str| NewRequest {
        topic: "card".into(),
        text: text.into(),
        purchase: String::new(),
    };
    let at = |minutes: i64| world.clock.set(start() + Duration::minutes(minutes));
    let mut numbers = Vec::new();
    for n in 0..3 {
        let number = requests::create(db, &anna, &new(&n.to_string()), &[]).await;
        numbers.push(number.expect("written"));
    }
    for (number, minutes) in numbers.iter().zip([20, 40, 90]) {
        at(minutes);
        requests::close(db, &anna, *number).await.expect("closed");
    }
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    assert_solved(world, &mara, &ask, 40).await;
    // Open again, in that period and long after it, and closed once more: the figure stays.
    at(100);
    requests::reopen(db, &anna, numbers[1]).await.expect("opened again");
    assert_solved(world, &mara, &ask, 40).await;
    at(5 * 24 * 60);
    requests::reopen(db, &anna, numbers[0]).await.expect("opened later");
    requests::close(db, &anna, numbers[1]).await.expect("closed again");
    assert_solved(world, &mara, &ask, 40).await;
    at(6 * 24 * 60);
    requests::close(db, &anna, numbers[0]).await.expect("closed later");
    assert_solved(world, &mara, &ask, 40).await;
    // What was closed before steps were written down keeps the moment that it bears.
    execute!(db, "DELETE FROM request_steps").await.expect("no steps");
    let second = numbers[1];
    let then = start() + Duration::minutes(50);
    execute!(db, "UPDATE requests SET closed_at = $2 WHERE number = $1", second, then)
        .await
        .expect("closed then");
    let told = report(db, &mara, Kind::Requests, &ask).await;
    assert_eq!(total(&told, Figure::Solution).0, Some(90));
});

crm::both_engines!(talks_tasks_and_corrections_are_told_by_member_of_staff, async |world| {
    let db = ready(world).await;
    let (mara, support) = (marketer(world).await, agent(world).await);
    let anna = customer(db).await;
    let club = program(db, "club").await;
    join(db, anna, "club", start() - days(1)).await;
    let entry = |minutes: &str| Entry {
        channel: "visit".into(),
        script: FREE.into(),
        outcome: "told".into(),
        note: String::new(),
        minutes: minutes.into(),
    };
    let first = talks::add(db, &support, anna.id(), &entry("3"), None).await;
    let first = first.expect("written down");
    // Of these two the one counts that corrects the other.
    for (minutes, corrects) in [("5", Some(first)), ("", None)] {
        let talk = talks::add(db, &support, anna.id(), &entry(minutes), corrects).await;
        talk.expect("written down");
    }
    let task = NewTask {
        title: "Позвонить".into(),
        due: "2026-11-21".into(),
        owner: support.id().to_string(),
        ..NewTask::default()
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(tasks::add(db, &support, anna.id(), &task).await.expect("written down"));
    }
    // Of one with an hour the hour counts.
    let hour = db.shop().local(start() + Duration::minutes(1));
    let by_hour = NewTask {
        time: hour.format("%H:%M").to_string(),
        ..task.clone()
    };
    for _ in 0..2 {
        let id = tasks::add(db, &support, anna.id(), &by_hour).await;
        ids.push(id.expect("written down"));
    }
    let end = async |id: TaskId, end: End| {
        let mut conn = db.read().await.expect("a connection");
        let open = tasks::of(&mut conn, anna).await.expect("read");
        drop(conn);
        let seen = open.iter().find(|task| task.id == id).expect("it is open").changed_at;
        tasks::end(db, &support, id, seen, end).await.expect("ended");
    };
    end(ids[0], End::Done).await;
    end(ids[3], End::Done).await;
    world.clock.set(start() + Duration::minutes(2));
    end(ids[4], End::Done).await;
    let card = support.open(db, anna.id(), Reason::Card).await.expect("opened");
    let correction = |points| NewAdjustment {
        program: club,
        points,
        reason: "Касса не зачла чек".into(),
        note: "За ошибку кассы".into(),
        request: None,
    };
    adjustments::adjust(db, &support.fresh(db).expect("fresh"), card, &correction(50_00))
        .await
        .expect("given");
    let asked = adjustments::adjust(db, &support.fresh(db).expect("fresh"), card, &correction(200_00)).await;
    let asked = asked.expect("asked");
    assert_eq!(asked.state, AdjustmentState::Awaiting, "more than an agent gives alone");
    let taken = adjustments::adjust(db, &support.fresh(db).expect("fresh"), card, &correction(-1_00)).await;
    assert!(
        matches!(taken, Err(SpendError::Crm(Error::Forbidden))),
        "goodwill takes nothing: {taken:?}"
    );
    world.clock.set(start() + days(1));
    end(ids[1], End::Done).await;
    end(ids[2], End::Cancelled).await;

    let ask = Ask::of((date("2026-11-15"), date("2026-11-22")));
    let told = report(db, &mara, Kind::Requests, &ask).await;
    let work = table(&told, By::Work);
    assert_eq!(
        work.rows.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        [&Name::Plain("Агния".into())]
    );
    for (figure, value) in [
        (Figure::Talks, 2),
        (Figure::TalkMinutes, 5),
        (Figure::TasksDone, 4),
        (Figure::DoneLate, 2),
    ] {
        assert_eq!(total(&told, figure), (Some(value), Some(0)), "{figure:?}");
        assert_eq!(column(work, figure), value, "{figure:?}");
    }

    // What waits for consent is not given yet.
    let told = report(db, &mara, Kind::Points, &ask).await;
    let agents = table(&told, By::Agent);
    assert_eq!(
        (column(agents, Figure::Corrections), column(agents, Figure::Given)),
        (1, 50_00)
    );
    let lead = people::lead(world).await;
    adjustments::approve(db, &lead.fresh(db).expect("fresh"), asked.id)
        .await
        .expect("consented");
    let told = report(db, &mara, Kind::Points, &ask).await;
    let agents = table(&told, By::Agent);
    for (figure, value) in [
        (Figure::Corrections, 2),
        (Figure::Consented, 1),
        (Figure::Given, 250_00),
        (Figure::Taken, 0),
    ] {
        assert_eq!(column(agents, figure), value, "{figure:?}");
    }
    // As much given as taken is not nothing, and a receipt that was put right counts beside it.
    let again = people::again(world, lead.id()).await;
    let card = again.open(db, anna.id(), Reason::Card).await.expect("opened");
    for points in [30_00, -30_00] {
        adjustments::adjust(db, &again.fresh(db).expect("fresh"), card, &correction(points))
            .await
            .expect("corrected");
    }
    let receipt = slip("A-9", anna, db.now()).line("tea", 1, 100_00).book(db).await.id;
    let fresh = again.fresh(db).expect("fresh");
    let at = (anna.id(), receipt);
    let seen = amend::preview(db, &again, at, &amend::Act::Void)
        .await
        .expect("previewed");
    amend::amend(db, &fresh, at, &amend::Act::Void, &seen.word(), "Пробили дважды")
        .await
        .expect("put right");
    let told = report(db, &mara, Kind::Points, &ask).await;
    let agents = table(&told, By::Agent);
    for (figure, value) in [
        (Figure::Corrections, 3),
        (Figure::Consented, 0),
        (Figure::OfReceipts, 1),
        (Figure::Given, 30_00),
        (Figure::Taken, 30_00),
    ] {
        assert_eq!(of_staff(agents, Some("Лада"), figure), Some(value), "{figure:?}");
    }
    let of_club = Ask {
        program: Some(club),
        ..ask
    };
    let told = report(db, &mara, Kind::Points, &of_club).await;
    let agents = table(&told, By::Agent);
    assert_eq!(of_staff(agents, Some("Лада"), Figure::Corrections), Some(2));
    let other = Ask {
        program: Some(ProgramId::new()),
        ..ask
    };
    let told = report(db, &mara, Kind::Points, &other).await;
    assert!(told.tables.iter().all(|table| table.by != By::Agent));
});

crm::both_engines!(points_and_buyers_stand_as_the_day_ended, async |world| {
    let db = ready(world).await;
    let (mara, lead) = (marketer(world).await, people::lead(world).await);
    let club = program(db, "club").await;
    let anna = customer(db).await;
    join(db, anna, "club", start() - days(1)).await;
    let held = async || one!(world, i64, "SELECT CAST(SUM(remaining) AS BIGINT) FROM lots");
    // The day is counted before anything happens on it.
    count(db).await;
    world.clock.set(start() + Duration::hours(1));
    let now = db.now();
    slip("A-1", anna, now).line("tea", 1, 1_250_00).book(db).await;
    slip("A-2", anna, now).line("tea", 1, 2_500_00).book(db).await;
    let first = held().await;
    assert!(first > 0, "{first}");
    let told = async |day: &str| {
        let ask = Ask::of((date(day), date(day)));
        let points = report(db, &mara, Kind::Points, &ask).await;
        let (closing, opening) = total(&points, Figure::Owed);
        let of = |figure| total(&points, figure).0.expect("it is told");
        let moved = of(Figure::Issued) + of(Figure::Adjusted) - of(Figure::Spent) - of(Figure::Expired);
        assert_eq!(
            opening.expect("an opening") + moved,
            closing.expect("a closing"),
            "{day}"
        );
        let members = report(db, &mara, Kind::Members, &ask).await;
        let ages = column(table(&points, By::Age), Figure::Owed);
        (closing, ages, total(&members, Figure::Active).0, members.counted_on)
    };
    assert_counted(db).await;
    // By age and who is active is told as the day began, until the next one does.
    let today = told("2026-11-21").await;
    assert_eq!(today, (Some(first), 0, Some(0), Some(date("2026-11-21"))));

    world.clock.set(start() + days(1));
    assert_counted(db).await;
    let ended = (Some(first), first, Some(1), Some(date("2026-11-22")));
    assert_eq!(told("2026-11-21").await, ended);
    void(db, &BY, "till", "A-1").await.expect("voided");
    let again = people::again(world, lead.id()).await;
    let card = again.open(db, anna.id(), Reason::Card).await.expect("opened");
    let correction = NewAdjustment {
        program: club,
        points: 5_00,
        reason: "Касса не зачла чек".into(),
        note: "За ошибку кассы".into(),
        request: None,
    };
    adjustments::adjust(db, &again.fresh(db).expect("fresh"), card, &correction)
        .await
        .expect("given");
    let second = held().await;
    assert_ne!(second, first);
    assert_counted(db).await;
    assert_eq!(told("2026-11-22").await.0, Some(second));
    assert_eq!(told("2026-11-21").await, ended, "what is over stays");
});

crm::both_engines!(members_come_and_go, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    join(db, anna, "club", start()).await;
    join(db, boris, "club", start() - days(40)).await;
    leave(db, boris, "club", start() - days(1)).await;
    execute!(
        db,
        "UPDATE customers SET registered_at = $1 WHERE id = $2",
        start() - days(8),
        boris.id()
    )
    .await
    .expect("a week ago");
    slip("A-1", anna, start()).line("tea", 1, 100_00).book(db).await;
    count(db).await;
    let club = program(db, "club").await;
    let ask = Ask {
        program: Some(club),
        ..Ask::of((date("2026-11-15"), date("2026-11-21")))
    };
    let told = report(db, &mara, Kind::Members, &ask).await;
    for (figure, values) in [
        (Figure::Registered, (Some(1), Some(1))),
        (Figure::Verified, (Some(0), Some(0))),
        (Figure::Joined, (Some(1), Some(0))),
        (Figure::Left, (Some(1), Some(0))),
        (Figure::Members, (Some(1), Some(1))),
    ] {
        assert_eq!(total(&told, figure), values, "{figure:?}");
    }
    assert!(told.totals.iter().all(|total| total.figure != Figure::Buyers));
    let all = report(db, &mara, Kind::Members, &Ask { program: None, ..ask }).await;
    assert_eq!(total(&all, Figure::Buyers).0, Some(1));
    assert_eq!(total(&all, Figure::Members), (Some(2), Some(1)));
});

crm::both_engines!(what_changes_later_of_people_is_told_a_day_later, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let club = program(db, "club").await;
    let (tver, klin) = (store(db, "tver").await, store(db, "klin").await);
    let (anna, boris, carol) = (customer(db).await, customer(db).await, customer(db).await);
    people::contact(world, anna.id(), crm::contact::Kind::Phone, "+79000000001").await;
    execute!(
        db,
        "UPDATE customers SET registered_at = $1, favourite_store_id = $2",
        start() - days(8),
        tver
    )
    .await
    .expect("a week ago");
    for who in [anna, boris] {
        join(db, who, "club", start() - days(8)).await;
    }
    let ask = Ask::of((date("2026-11-08"), date("2026-11-23")));
    // Who registered, of these with a contact that is proved, who joined, who left, and how many there are.
    let told = async |store: Option<StoreId>, program: Option<ProgramId>| {
        let told = report(db, &mara, Kind::Members, &Ask { store, program, ..ask }).await;
        let of = |figure| total(&told, figure).0.expect("it is told");
        let steps = table(&told, By::Step(Step::Day));
        for figure in [Figure::Registered, Figure::Joined, Figure::Left] {
            assert_eq!(column(steps, figure), of(figure), "{figure:?}");
        }
        let figures = [
            Figure::Registered,
            Figure::Verified,
            Figure::Joined,
            Figure::Left,
            Figure::Members,
        ];
        figures.map(of)
    };
    // Who is stopped before all days are counted begins again.
    run_due(db, &BY, || false).await.expect("it ended early");
    assert_eq!(told(None, None).await, [0; 5]);
    count(db).await;
    assert_eq!(told(None, None).await, [3, 0, 2, 0, 3]);
    assert_eq!(told(Some(tver), None).await, [3, 0, 2, 0, 3]);
    assert_eq!(told(Some(klin), None).await, [0; 5]);
    assert_eq!(told(None, Some(club)).await, [2, 0, 2, 0, 2]);

    execute!(db, "UPDATE contacts SET verified_at = created_at")
        .await
        .expect("proved");
    execute!(
        db,
        "UPDATE customers SET favourite_store_id = $1 WHERE id = $2",
        klin,
        anna.id()
    )
    .await
    .expect("another favourite");
    execute!(
        db,
        "UPDATE customers SET erased_at = $1 WHERE id = $2",
        start(),
        boris.id()
    )
    .await
    .expect("erased");
    leave(db, boris, "club", start()).await;
    execute!(
        db,
        "UPDATE customers SET merged_into = $1 WHERE id = $2",
        anna.id(),
        carol.id()
    )
    .await
    .expect("merged");
    let dora = customer(db).await;
    join(db, dora, "club", start()).await;
    count(db).await;
    // Who came and went today is there at once; what changed of a day that was counted waits for tomorrow.
    assert_eq!(told(None, None).await, [4, 0, 3, 1, 3]);
    assert_eq!(told(Some(klin), None).await, [0; 5]);

    world.clock.set(start() + days(1));
    count(db).await;
    assert_eq!(told(None, None).await, [3, 1, 3, 1, 2]);
    assert_eq!(told(Some(klin), None).await, [1, 1, 1, 0, 1]);
    assert_eq!(told(Some(tver), None).await, [1, 0, 1, 1, 0]);
    assert_eq!(told(None, Some(club)).await, [3, 1, 3, 1, 2]);
    let there = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM customers WHERE merged_into IS NULL AND erased_at IS NULL"
    );
    assert_eq!(there, 2);
    let by_program = report(db, &mara, Kind::Members, &ask).await;
    let by_program = table(&by_program, By::Program);
    for (figure, many) in [(Figure::Members, 2), (Figure::Joined, 3), (Figure::Left, 1)] {
        assert_eq!(column(by_program, figure), many, "{figure:?}");
    }
});

crm::both_engines!(people_come_on_the_shops_day_when_its_clock_changes, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    // The last and the first minutes of days in Berlin, where 29 March has 23 hours and 25 October has 25.
    for at in [
        "2026-03-28T22:59:00Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:00Z",
        "2026-03-29T22:00:00Z",
        "2026-10-24T21:59:00Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T22:59:00Z",
        "2026-10-25T23:00:00Z",
    ] {
        let at: DateTime<Utc> = at.parse().expect("a moment");
        let who = customer(db).await;
        execute!(
            db,
            "UPDATE customers SET registered_at = $1 WHERE id = $2",
            at,
            who.id()
        )
        .await
        .expect("registered then");
        join(db, who, "club", at).await;
    }
    let on = async |db: &Db, day: &str| {
        let told = report(db, &mara, Kind::Members, &Ask::of((date(day), date(day)))).await;
        let of = |figure| total(&told, figure).0.expect("it is told");
        assert_eq!(of(Figure::Registered), of(Figure::Joined), "{day}");
        (of(Figure::Registered), of(Figure::Members))
    };
    count(db).await;
    for (day, told) in [
        ("2026-03-28", (0, 0)),
        ("2026-03-29", (2, 2)),
        ("2026-03-30", (2, 4)),
        ("2026-10-24", (0, 4)),
        ("2026-10-25", (2, 6)),
        ("2026-10-26", (2, 8)),
    ] {
        assert_eq!(on(db, day).await, told, "{day} in Moscow");
    }
    let shop = crm::shop::Shop {
        time_zone: "Europe/Berlin".into(),
        ..(**db.shop()).clone()
    };
    let moved = Db::open(&world.url, shop, world.clock.clone()).await.expect("it opens");
    count(&moved).await;
    for (day, told) in [
        ("2026-03-28", (1, 1)),
        ("2026-03-29", (2, 3)),
        ("2026-03-30", (1, 4)),
        ("2026-10-24", (1, 5)),
        ("2026-10-25", (2, 7)),
        ("2026-10-26", (1, 8)),
    ] {
        assert_eq!(on(&moved, day).await, told, "{day} in Berlin");
    }
});

crm::both_engines!(what_customers_find_out_is_counted_once_and_forgotten, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let anna = people::customer(world, "Анна", "К").await;
    let boris = people::customer(world, "Борис", "К").await;
    for look in [Look::Why, Look::Why, Look::WhatIf] {
        explained::note(db, &anna, look).await.expect("noted");
    }
    explained::note(db, &boris, Look::Missing).await.expect("noted");
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM explanations"), 3, "once a day");
    // Anna asks in the chat as well, and Carol there alone.
    let carol = people::customer(world, "Клара", "К").await;
    for who in [anna.id(), carol.id()] {
        let (conversation, message) = (Uuid::now_v7(), Uuid::now_v7());
        execute!(
            db,
            "INSERT INTO conversations (id, channel, customer_id, state, revision, created_at, updated_at, expires_at) \
             VALUES ($1, 'web', $2, '{}', 0, $3, $3, $3)",
            conversation,
            who,
            start()
        )
        .await
        .expect("a conversation");
        execute!(
            db,
            "INSERT INTO conversation_messages (id, conversation_id, at, author, body) VALUES ($1, $2, $3, 'person', '?')",
            message,
            conversation,
            start()
        )
        .await
        .expect("a message");
    }
    let about = NewRequest {
        topic: "card".into(),
        text: "Где баллы?".into(),
        purchase: String::new(),
    };
    world.clock.set(start() + Duration::hours(20));
    requests::create(db, &boris, &about, &[]).await.expect("written");
    count(db).await;
    let ask = Ask {
        minutes: Some(5),
        ..Ask::of((date("2026-11-21"), date("2026-11-27")))
    };
    let told = report(db, &mara, Kind::SelfService, &ask).await;
    assert_eq!(total(&told, Figure::Looks).0, Some(0), "a request may still follow");
    world.clock.set(start() + days(2));
    // Two nodes at once: what one has counted and forgotten the other does not count as nothing.
    tokio::join!(count(db), count(db));
    count(db).await;
    let told = report(db, &mara, Kind::SelfService, &ask).await;
    // Boris wrote all the same, and Anna is one, whatever she did.
    for (figure, value) in [
        (Figure::Looks, 1),
        (Figure::Chats, 2),
        (Figure::Alone, 2),
        (Figure::Spared, 2),
        (Figure::Saved, 10),
    ] {
        assert_eq!(total(&told, figure).0, Some(value), "{figure:?}");
    }
    assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM explanations"), 0);
});

crm::both_engines!(reports_are_for_whoever_has_the_right, async |world| {
    let db = ready(world).await;
    let support = agent(world).await;
    let mut conn = db.read().await.expect("a connection");
    let ask = Ask::of((date("2026-11-15"), date("2026-11-21")));
    for kind in Kind::ALL {
        let refused = reading::read(&mut conn, &support, kind, &ask).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{kind:?}");
    }
    assert!(matches!(saved::list(&mut conn, &support).await, Err(Error::Forbidden)));
    drop(conn);
    let refused = saved::save(db, &support, Kind::Points, "Мой", "", false).await;
    assert!(matches!(refused, Err(Error::Forbidden)));
});

/// What is to be sent, of which nothing fails.
async fn to_send(db: &Db) -> Vec<saved::Due> {
    let mut round = Round::default();
    let due = saved::due(db, &BY, &mut round).await.expect("asked");
    round.end().expect("all of it was made");
    due
}

crm::both_engines!(a_report_that_cannot_be_made_keeps_no_other_back, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let fresh = mara.fresh(db).expect("fresh");
    for kind in [Kind::Requests, Kind::Purchases] {
        let id = saved::save(db, &mara, kind, "Мой", "", false).await.expect("saved");
        saved::schedule(db, &fresh, id, Some(saved::Every::Week), "mara@example.com")
            .await
            .expect("scheduled");
    }
    execute!(db, "UPDATE topics SET name = '1' WHERE code = 'card'")
        .await
        .expect("broken");
    world.clock.set(start() + days(2));
    let mut round = Round::default();
    let made = saved::due(db, &BY, &mut round).await.expect("asked");
    let kinds: Vec<Kind> = made.iter().map(|one| one.saved.kind).collect();
    assert_eq!(kinds, [Kind::Purchases]);
    let failed = round.end();
    assert!(matches!(failed, Err(Error::Database(_))), "it is told of: {failed:?}");
    // The other one comes again with the next round.
    let name = &Json(Localized::new("Карта", "Card"));
    execute!(db, "UPDATE topics SET name = $1 WHERE code = 'card'", name)
        .await
        .expect("mended");
    assert_eq!(to_send(db).await.len(), 2);
});

crm::both_engines!(a_saved_report_is_sent_until_its_owner_may_not_read_it, async |world| {
    let db = ready(world).await;
    let mara = marketer(world).await;
    let mara_id = mara.id();
    let lada = people::lead(world).await;
    let own = saved::save(db, &mara, Kind::Purchases, "За неделю", "period=last_week", false)
        .await
        .expect("saved");
    let shared = saved::save(db, &mara, Kind::Points, "Баллы", "", true)
        .await
        .expect("saved");
    let mut conn = db.read().await.expect("a connection");
    let seen = saved::list(&mut conn, &lada).await.expect("listed");
    drop(conn);
    assert_eq!(
        seen.iter().map(|one| one.id).collect::<Vec<_>>(),
        [shared],
        "the other one is Mara's own"
    );
    let fresh = lada.fresh(db).expect("fresh");
    let not_hers = saved::schedule(db, &fresh, shared, Some(saved::Every::Week), "a@example.com").await;
    assert!(matches!(not_hers, Err(Error::NotFound)), "{not_hers:?}");
    assert!(matches!(saved::remove(db, &lada, shared).await, Err(Error::NotFound)));
    let fresh = mara.fresh(db).expect("fresh");
    let wrong = saved::schedule(db, &fresh, own, Some(saved::Every::Week), "mara@").await;
    assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
    saved::schedule(db, &fresh, own, Some(saved::Every::Week), "mara@example.com")
        .await
        .expect("scheduled");

    // A Saturday: nothing until Monday.
    assert!(to_send(db).await.is_empty());
    world.clock.set(start() + days(2));
    let due = to_send(db).await;
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].report.ask.from, due[0].report.ask.to),
        (date("2026-11-16"), date("2026-11-22"))
    );
    assert!(
        saved::send(db, &BY, &due[0], "неделя", "Продажи: 0")
            .await
            .expect("sent")
    );
    assert!(
        !saved::send(db, &BY, &due[0], "неделя", "Продажи: 0")
            .await
            .expect("once")
    );
    let letters = crm::outbox::inbox(db, 10).await.expect("the outbox");
    let letter = letters
        .iter()
        .find(|letter| letter.template == "report")
        .expect("it was sent");
    assert_eq!(letter.address, "mara@example.com");
    assert!(
        letter.subject.contains("За неделю") && letter.body.contains("Продажи: 0"),
        "{letter:?}"
    );
    assert!(
        letter.body.contains("/admin/reports/purchases?period=last_week"),
        "{letter:?}"
    );
    // Where it goes stands in the log, when that was asked for and each time it went.
    for (action, reason) in [
        ("report.schedule", "week: mara@example.com"),
        ("report.sent", "purchases: mara@example.com"),
    ] {
        const TOLD: &str = "SELECT COUNT(*) FROM audit WHERE action = $1 AND reason = $2 AND object_id = $3";
        assert_eq!(one!(world, i64, TOLD, action, reason, own), 1, "{action}");
    }
    assert!(to_send(db).await.is_empty(), "not before the next Monday");

    world.clock.set(start() + days(9));
    execute!(db, "UPDATE staff SET role = 'agent' WHERE id = $1", mara_id)
        .await
        .expect("another role");
    assert!(to_send(db).await.is_empty());
    let scheduled = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM saved_reports WHERE next_on IS NOT NULL"
    );
    assert_eq!(scheduled, 0, "it is not sent any more");

    execute!(db, "UPDATE staff SET role = 'marketer' WHERE id = $1", mara_id)
        .await
        .expect("her role again");
    let again = people::again(world, mara_id).await;
    let fresh = again.fresh(db).expect("fresh");
    saved::schedule(db, &fresh, own, Some(saved::Every::Month), "mara@example.com")
        .await
        .expect("scheduled");
    crm::staff::store::disable(db, &BY, mara.id()).await.expect("she left");
    world.clock.set(start() + days(60));
    assert!(to_send(db).await.is_empty());
    let scheduled = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM saved_reports WHERE next_on IS NOT NULL"
    );
    assert_eq!(scheduled, 0);
});
