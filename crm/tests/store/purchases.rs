//! Purchases: booking, and what a customer sees of them.

use crate::common::*;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use crm::both_engines;
use crm::db::Db;
use crm::error::Error;
use crm::id::CategoryId;
use crm::lang::Localized;
use crm::purchase::{Filter, LineOutcome, Month, Page, store as purchases};
use crm::stores::store as stores;
use crm::testing::start;
use crm::who::Subject;

fn moscow(y: i32, m: u32, d: u32, h: u32) -> DateTime<Utc> {
    chrono_tz::Europe::Moscow
        .with_ymd_and_hms(y, m, d, h, 0, 0)
        .earliest()
        .expect("a moment")
        .to_utc()
}

fn day(y: i32, m: u32, d: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(y, m, d).expect("a day")
}

async fn list(db: &Db, who: Subject, filter: &Filter) -> Vec<String> {
    let mut conn = db.read().await.expect("a connection");
    let page = purchases::list(&mut conn, who, filter, None, 100)
        .await
        .expect("a list");
    documents(&page)
}

fn documents(page: &Page) -> Vec<String> {
    page.months
        .iter()
        .flat_map(|(_, purchases)| purchases)
        .map(|p| p.document.clone())
        .collect()
}

/// A kitchen with pots in it, and a garden.
async fn categories(db: &Db) -> [CategoryId; 3] {
    let name = |ru: &str, en: &str| Localized::new(ru, en);
    let (kitchen, pots, garden) = (
        name("Всё для кухни", "Kitchen"),
        name("Кастрюли", "Pots"),
        name("Сад", "Garden"),
    );
    let (kitchen, pots, garden) = (&kitchen, &pots, &garden);
    db.write(|tx| {
        crm::db::scoped(async move {
            let kitchen = stores::put_category(tx, &BY, "kitchen", kitchen, 1).await?;
            let pots = stores::put_category(tx, &BY, "pots", pots, 2).await?;
            let garden = stores::put_category(tx, &BY, "garden", garden, 3).await?;
            stores::nest(tx, &BY, &[(pots, "kitchen")]).await?;
            Ok::<_, Error>([kitchen, pots, garden])
        })
    })
    .await
    .expect("categories")
}

/// Puts an article that is there into a category.
async fn lies_in(db: &Db, article: &str, category: Option<CategoryId>) {
    const SQL: &str = "UPDATE articles SET category_id = $2 WHERE code = $1";
    execute!(db, SQL, article, category).await.expect("it lies there");
}

both_engines!(
    receipts_come_by_month_of_the_shop_with_the_totals_of_whole_months,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        // 23:00 UTC on 30 September is October where the shop is.
        slip("sep", anna, moscow(2026, 9, 30, 23))
            .line("apple", 1, 1_00)
            .book(db)
            .await;
        slip("oct1", anna, moscow(2026, 10, 1, 2))
            .line("apple", 1, 10_00)
            .book(db)
            .await;
        slip("oct2", anna, moscow(2026, 10, 20, 12))
            .line("apple", 2, 10_00)
            .book(db)
            .await;
        slip("back", anna, moscow(2026, 10, 21, 12))
            .line("apple", -1, 10_00)
            .book(db)
            .await;
        slip("nov", anna, moscow(2026, 11, 1, 0))
            .line("apple", 1, 100_00)
            .book(db)
            .await;
        let mut conn = db.read().await.expect("a connection");
        let filter = Filter::default();
        let page = purchases::list(&mut conn, anna, &filter, None, 3)
            .await
            .expect("a page");
        let month = |m, receipts, total| Month {
            first: day(2026, m, 1),
            receipts,
            total,
        };
        let months: Vec<Month> = page.months.iter().map(|(month, _)| *month).collect();
        assert_eq!(
            months,
            [month(11, 1, 100_00), month(10, 3, 20_00)],
            "October counts whole, though cut by the page"
        );
        assert_eq!(documents(&page), ["nov", "back", "oct2"]);
        let rest = purchases::list(&mut conn, anna, &filter, page.next, 3)
            .await
            .expect("the next page");
        assert_eq!(
            rest.months.iter().map(|(month, _)| *month).collect::<Vec<_>>(),
            [month(10, 3, 20_00), month(9, 1, 1_00)]
        );
        assert_eq!((documents(&rest), rest.next), (vec!["oct1".into(), "sep".into()], None));

        world.clock.set(moscow(2026, 12, 1, 1));
        let mut conn = db.read().await.expect("a connection");
        let spent = purchases::spending(&mut conn, anna, 4).await.expect("spending");
        assert_eq!(
            spent,
            [
                month(9, 1, 1_00),
                month(10, 3, 20_00),
                month(11, 1, 100_00),
                month(12, 0, 0)
            ]
        );
        let latest = purchases::latest(&mut conn, anna, 2).await.expect("the last ones");
        assert_eq!(
            latest.iter().map(|p| p.document.as_str()).collect::<Vec<_>>(),
            ["nov", "back"]
        );
    }
);

both_engines!(receipts_of_one_moment_are_paged_without_loss, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let slips: Vec<Slip> = (0..7)
        .map(|n| slip(&n.to_string(), anna, start()).line("apple", 1, 1_00))
        .collect();
    book(db, &slips).await;
    let mut conn = db.read().await.expect("a connection");
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = purchases::list(&mut conn, anna, &Filter::default(), before, 2)
            .await
            .expect("a page");
        seen.extend(documents(&page));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
});

both_engines!(a_statement_tells_what_is_on_each_receipt_of_a_period, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    slip("A", anna, moscow(2026, 10, 1, 10))
        .line("tea", 2, 300_00)
        .line("cup", 1, 90_00)
        .book(db)
        .await;
    slip("B", boris, moscow(2026, 10, 1, 11))
        .line("jam", 1, 5_00)
        .book(db)
        .await;
    slip("C", anna, moscow(2026, 10, 2, 10))
        .line("tea", -1, 300_00)
        .book(db)
        .await;
    slip("D", anna, moscow(2026, 10, 3, 10))
        .line("jam", 1, 5_00)
        .book(db)
        .await;
    let told = async |filter: &Filter, most: usize| {
        let mut conn = db.read().await.expect("a connection");
        let all = purchases::statement(&mut conn, anna, filter, most).await.expect("told");
        let of_each = all.receipts.into_iter().map(|(head, lines)| {
            let lines = lines
                .iter()
                .map(|line| format!("{} {} {}", line.code, line.quantity, line.amount));
            (head.document, lines.collect::<Vec<_>>().join(", "))
        });
        (of_each.collect::<Vec<_>>(), all.is_cut)
    };
    let [a, c, d] = [
        ("A", "tea 2 60000, cup 1 9000"),
        ("C", "tea -1 -30000"),
        ("D", "jam 1 500"),
    ]
    .map(|(document, lines)| (document.to_owned(), lines.to_owned()));
    let all = Filter::default();
    assert_eq!(told(&all, 3).await, (vec![a.clone(), c.clone(), d.clone()], false));
    assert_eq!(told(&all, 2).await, (vec![c.clone(), d], true), "the last of them");
    let until = Filter {
        to: Some(day(2026, 10, 2)),
        ..Filter::default()
    };
    assert_eq!(told(&until, 9).await, (vec![a, c], false));
    let none = Filter {
        from: Some(day(2026, 11, 1)),
        ..Filter::default()
    };
    assert_eq!(told(&none, 9).await, (Vec::new(), false));
});

both_engines!(receipts_are_found_by_article_number_shop_and_day, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let (north, south) = (store(db, "N").await, store(db, "S").await);
    slip("A-100%", anna, moscow(2026, 10, 1, 0))
        .at_store(north)
        .line("Ёлочный Шар", 1, 1_00)
        .book(db)
        .await;
    slip("B_200", anna, moscow(2026, 10, 2, 23))
        .at_store(south)
        .line("ШАРФ", 1, 1_00)
        .line("x", 1, 1)
        .book(db)
        .await;
    slip("C", boris, moscow(2026, 10, 2, 10))
        .at_store(south)
        .line("Ёлочный Шар", 1, 1_00)
        .book(db)
        .await;
    let text = |text: &str| Filter {
        text: Some(text.into()),
        ..Filter::default()
    };
    assert_eq!(list(db, anna, &text(" елочный  шар ")).await, ["A-100%"]);
    assert_eq!(list(db, anna, &text("ШАР")).await, ["B_200", "A-100%"]);
    for words in ["шар ёлочный", "ЕЛОЧНАЯ, шара", "шаром ёлочной", "шары"] {
        assert_eq!(
            list(db, anna, &text(words)).await.last().map(String::as_str),
            Some("A-100%"),
            "{words}"
        );
    }
    assert_eq!(
        list(db, anna, &text("шар x")).await,
        [""; 0],
        "both words in one article"
    );
    let many = "ёлочный шар ёлочный шар ёлочный шар ёлочный шар зонтик";
    assert_eq!(
        list(db, anna, &text(many)).await,
        ["A-100%"],
        "so many words count and no more"
    );
    for nothing in ["%", "_", "\\", "и в", "?!"] {
        assert_eq!(
            list(db, anna, &text(nothing)).await.len(),
            usize::from(nothing == "%" || nothing == "_"),
            "{nothing}"
        );
    }
    assert_eq!(list(db, anna, &text("b_2")).await, ["B_200"]);
    assert_eq!(list(db, anna, &text("100%")).await, ["A-100%"]);
    assert_eq!(list(db, anna, &text("a%0")).await, [""; 0], "a percent sign is itself");
    assert_eq!(list(db, anna, &text("b?2")).await, [""; 0]);
    assert_eq!(list(db, anna, &text("'; DROP TABLE purchases")).await, [""; 0]);
    assert_eq!(list(db, anna, &text(" ")).await.len(), 2);
    assert_eq!(
        list(
            db,
            anna,
            &Filter {
                store: Some(south),
                ..Filter::default()
            }
        )
        .await,
        ["B_200"]
    );
    let period = |from, to| Filter {
        from,
        to,
        ..Filter::default()
    };
    assert_eq!(list(db, anna, &period(Some(day(2026, 10, 2)), None)).await, ["B_200"]);
    assert_eq!(list(db, anna, &period(None, Some(day(2026, 10, 1)))).await, ["A-100%"]);
    assert_eq!(
        list(db, anna, &period(Some(day(2026, 10, 1)), Some(day(2026, 10, 2))))
            .await
            .len(),
        2
    );
    assert_eq!(
        list(
            db,
            anna,
            &Filter {
                store: Some(north),
                ..text("шарф")
            }
        )
        .await,
        [""; 0]
    );
    let mut conn = db.read().await.expect("a connection");
    let stores = purchases::stores(&mut conn, anna).await.expect("stores");
    assert_eq!(
        stores.iter().map(|s| s.name.en.as_str()).collect::<Vec<_>>(),
        ["Shop N", "Shop S"]
    );
    assert_eq!(purchases::stores(&mut conn, boris).await.expect("stores").len(), 1);
});

both_engines!(receipts_are_found_by_category_and_sum, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    let [kitchen, pots, garden] = categories(db).await;
    let sold = async |document: &str, article: &str, category, price, day| {
        slip(document, anna, moscow(2026, 10, day, 12))
            .line(article, 1, price)
            .book(db)
            .await;
        lies_in(db, article, category).await;
    };
    sold("pot", "Большая", Some(pots), 900_00, 1).await;
    sold("knife", "Острый", Some(kitchen), 500_00, 2).await;
    sold("spade", "Тяжёлая", Some(garden), 700_00, 3).await;
    sold("other", "Прочее", None, 100_00, 4).await;
    slip("back", anna, moscow(2026, 10, 5, 12))
        .line("Тяжёлая", -1, 700_00)
        .book(db)
        .await;
    let of = |category| Filter {
        category: Some(category),
        ..Filter::default()
    };
    assert_eq!(
        list(db, anna, &of(kitchen)).await,
        ["knife", "pot"],
        "and what lies within"
    );
    assert_eq!(list(db, anna, &of(pots)).await, ["pot"]);
    assert_eq!(list(db, anna, &of(CategoryId::new())).await, [""; 0]);
    let text = |text: &str| Filter {
        text: Some(text.into()),
        ..Filter::default()
    };
    assert_eq!(list(db, anna, &text("КУХНИ")).await, ["knife", "pot"]);
    assert_eq!(list(db, anna, &text("все для")).await, ["knife", "pot"], "ё is е");
    assert_eq!(
        list(db, anna, &text("кухню всё")).await,
        ["knife", "pot"],
        "in any order, with any ending"
    );
    assert_eq!(list(db, anna, &text("garden")).await, ["back", "spade"]);
    assert_eq!(list(db, anna, &text("прочее")).await, ["other"], "articles as before");
    let sums = |least, most| Filter {
        least,
        most,
        ..Filter::default()
    };
    assert_eq!(
        list(db, anna, &sums(Some(700_00), None)).await,
        ["back", "spade", "pot"],
        "what was given back is a sum as well"
    );
    assert_eq!(list(db, anna, &sums(None, Some(500_00))).await, ["other", "knife"]);
    let both = Filter {
        category: Some(kitchen),
        ..sums(Some(500_01), Some(900_00))
    };
    let boris = customer(db).await;
    let mut conn = db.read().await.expect("a connection");
    let page = purchases::list(&mut conn, anna, &both, None, 10).await.expect("a page");
    assert_eq!(documents(&page), ["pot"]);
    assert_eq!(
        page.months[0].0,
        Month {
            first: day(2026, 10, 1),
            receipts: 1,
            total: 900_00
        },
        "the month is told of what was found"
    );
    // So is what was found on each, by its own words or those of its category, and nothing of what somebody else bought.
    let all = purchases::latest(&mut conn, anna, 10).await.expect("all of them");
    let ids: Vec<_> = all.iter().map(|receipt| receipt.id).collect();
    let found = purchases::matches(&mut conn, anna, "кухни", &ids).await.expect("told");
    let mut found: Vec<_> = found.into_values().collect();
    found.sort();
    assert_eq!(found, [("Большая".to_owned(), 900_00), ("Острый".to_owned(), 500_00)]);
    for (who, text) in [(anna, "spade"), (anna, " "), (boris, "кухни")] {
        let found = purchases::matches(&mut conn, who, text, &ids).await.expect("told");
        assert!(found.is_empty(), "{text}: {found:?}");
    }
});

both_engines!(where_the_money_went_and_what_was_saved, async |world| {
    const PAID: &str =
        "INSERT INTO line_payments (line_id, program_id, points, given_back) VALUES ($1, $2, 5000, 1500)";
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let [kitchen, pots, garden] = categories(db).await;
    // Twelve months begin with last December.
    slip("old", anna, moscow(2025, 11, 30, 23))
        .line("spade", 1, 9_000_00)
        .book(db)
        .await;
    let first = slip("first", anna, moscow(2025, 12, 1, 0))
        .line("pot", 2, 300_00)
        .off_by_rules(50_00)
        .book(db)
        .await;
    slip("second", anna, moscow(2026, 11, 1, 12))
        .line("knife", 1, 100_00)
        .line("spade", 1, 200_00)
        .line("string", 1, 10_00)
        .book(db)
        .await;
    slip("back", anna, moscow(2026, 11, 2, 12))
        .line("spade", -1, 200_00)
        .book(db)
        .await;
    slip("his", boris, moscow(2026, 11, 2, 12))
        .line("pot", 1, 300_00)
        .book(db)
        .await;
    for (article, category) in [("pot", pots), ("knife", kitchen), ("spade", garden)] {
        lies_in(db, article, Some(category)).await;
    }
    let line = receipt(db, anna, first.id).await.lines[0].id;
    let club = program(db, "club").await;
    execute!(db, PAID, line, club).await.expect("points paid");
    let mut conn = db.read().await.expect("a connection");
    let spent = purchases::spent(&mut conn, anna, 12).await.expect("spending");
    let sums: Vec<_> = spent
        .categories
        .iter()
        .map(|spent| (spent.name.as_ref().map(|name| name.en.as_str()), spent.sum))
        .collect();
    assert_eq!(
        sums,
        [(Some("Kitchen"), 650_00), (None, 10_00), (Some("Garden"), 0)],
        "pots are counted with the kitchen, and what came back is not"
    );
    assert_eq!((spent.discounts, spent.points), (50_00, 35_00));
    assert_eq!(
        (spent.months[0], spent.months[11], spent.months.len()),
        (day(2025, 12, 1), day(2026, 11, 1), 12)
    );
    let kitchen = &spent.categories[0].by_month;
    assert_eq!(
        (kitchen[0], kitchen[11], kitchen.iter().sum::<i64>()),
        (550_00, 100_00, 650_00)
    );
    let lately = purchases::spent(&mut conn, anna, 3).await.expect("spending");
    assert_eq!(lately.months, [day(2026, 9, 1), day(2026, 10, 1), day(2026, 11, 1)]);
    assert_eq!(
        (lately.categories[0].sum, lately.discounts),
        (100_00, 0),
        "of these months alone"
    );
    execute!(db, "UPDATE purchases SET voided_at = at WHERE id = $1", first.id)
        .await
        .expect("voided");
    let spent = purchases::spent(&mut conn, anna, 12).await.expect("spending");
    assert_eq!((spent.discounts, spent.points), (0, 0), "what is voided saved nothing");
});

both_engines!(what_is_bought_again_and_again, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let north = store(db, "N").await;
    let on = |day| moscow(2026, 10, day, 12);
    for day in 1..=3 {
        slip(&format!("tea{day}"), anna, on(day))
            .line("tea", 1, 100_00 + i64::from(day))
            .line("tea", 2, 90_00)
            .book(db)
            .await;
    }
    slip("milk1", anna, on(4)).line("milk", 1, 80_00).book(db).await;
    let last = slip("milk2", anna, on(5))
        .at_store(north)
        .line("milk", 1, 85_00)
        .book(db)
        .await;
    // Bought twice and once brought back, bought once, and bought by somebody else.
    slip("cup1", anna, on(6)).line("cup", 1, 500_00).book(db).await;
    slip("cup2", anna, on(7)).line("cup", 1, 500_00).book(db).await;
    slip("cup3", anna, on(8)).line("cup", -1, 500_00).book(db).await;
    slip("pot", anna, on(9)).line("pot", 5, 500_00).book(db).await;
    slip("his", boris, on(9)).line("pot", 1, 500_00).book(db).await;
    let mut conn = db.read().await.expect("a connection");
    let often = purchases::often(&mut conn, anna, None, 10).await.expect("a list");
    let told: Vec<_> = often
        .iter()
        .map(|one| (one.code.as_str(), one.times, one.price))
        .collect();
    assert_eq!(
        told,
        [("tea", 3, 90_00), ("milk", 2, 85_00)],
        "by receipts, not by lines"
    );
    assert_eq!((often[1].purchase, often[1].at), (last.id, on(5)));
    let shop = often[1].store.as_ref().map(|store| store.name.en.as_str());
    assert_eq!((shop, &often[0].store), (Some("Shop N"), &None));
    let one = purchases::often(&mut conn, anna, None, 1).await.expect("a list");
    assert_eq!(one, often[..1]);
    let after = |one: &crm::purchase::Often| Some((one.times, (one.at, one.article.0)));
    let next = purchases::often(&mut conn, anna, after(&one[0]), 1)
        .await
        .expect("a list");
    assert_eq!(next, often[1..]);
    let end = purchases::often(&mut conn, anna, after(&next[0]), 1)
        .await
        .expect("a list");
    assert_eq!(end, []);
});

both_engines!(a_receipt_tells_what_came_back_and_a_return_its_sale, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let older = slip("1", anna, start())
        .line("apple", 5, 2_00)
        .line("apple", 1, 3_00)
        .book(db)
        .await;
    let sale = slip("2", anna, start() + days(1)).line("apple", 3, 2_00).book(db).await;
    let of_boris = slip("3", boris, start() + days(2))
        .line("apple", 9, 2_00)
        .book(db)
        .await;
    let back = slip("R1", anna, start() + days(3))
        .line("apple", -2, 2_00)
        .line("apple", -4, 2_00)
        .book(db)
        .await;
    // The latest with enough: two of receipt 2, then four of receipt 1, as only one is left in 2.
    let lines = receipt(db, anna, sale.id).await.lines;
    assert_eq!(
        (
            lines[0].returned,
            lines[0].returns[0].quantity,
            &*lines[0].returns[0].document
        ),
        (2, 2, "R1")
    );
    assert!(lines[0].returns[0].own);
    let first = receipt(db, anna, older.id).await;
    assert_eq!(
        (first.lines[0].returned, first.lines[1].returned, first.head.returned),
        (4, 0, true)
    );
    let slip_back = receipt(db, anna, back.id).await;
    let originals: Vec<_> = slip_back
        .lines
        .iter()
        .map(|l| l.original.as_ref().map(|o| (o.purchase, o.quantity)))
        .collect();
    assert_eq!(originals, [Some((sale.id, 2)), Some((older.id, 4))]);
    assert_eq!(
        (slip_back.head.total, slip_back.head.kind),
        (-12_00, crm::purchase::Kind::Return)
    );

    let mut conn = db.read().await.expect("a connection");
    for (who, id) in [
        (boris, sale.id),
        (anna, of_boris.id),
        (anna, crm::id::PurchaseId::new()),
    ] {
        let told = purchases::receipt(&mut conn, who, id).await;
        assert!(matches!(told, Err(Error::NotFound)), "{told:?}");
    }
    assert_books_agree(db).await;
});

both_engines!(
    a_return_tells_what_it_took_back_and_a_sale_whose_return_it_was,
    async |world| {
        let db = ready(world).await;
        let anna = customer(db).await;
        join(db, anna, "club", start()).await;
        join(db, anna, "family", start()).await;
        let sale = slip("1", anna, start()).line("apple", 2, 100_00).book(db).await;
        let back = slip("R", anna, start() + days(1))
            .line("apple", -1, 100_00)
            .book(db)
            .await;
        slip("N", anna, start() + days(2))
            .nobody()
            .line("apple", -1, 100_00)
            .of("1")
            .book(db)
            .await;
        let told = receipt(db, anna, back.id).await;
        let took: Vec<_> = told
            .took_back
            .iter()
            .map(|(name, points)| (name.en.as_str(), *points))
            .collect();
        let earned = receipt(db, anna, sale.id).await;
        let half: Vec<_> = earned.lines[0]
            .earned
            .iter()
            .map(|e| (e.name.en.as_str(), e.points / 2))
            .collect();
        assert_eq!((took.len(), &took), (2, &half));
        assert_eq!(earned.took_back, []);
        let whose: Vec<_> = earned.lines[0]
            .returns
            .iter()
            .map(|r| (r.document.as_str(), r.own))
            .collect();
        assert_eq!(whose, [("R", true), ("N", false)]);
    }
);

both_engines!(a_return_without_its_sale_stands_alone, async |world| {
    let db = ready(world).await;
    let (anna, boris) = (customer(db).await, customer(db).await);
    let alone = async |slip: Slip| {
        let outcomes = slip.book(db).await.lines;
        outcomes == [LineOutcome::Taken(None)]
    };
    slip("1", anna, start()).line("apple", 2, 2_00).book(db).await;
    assert!(alone(slip("before", anna, start() - days(1)).line("apple", -1, 2_00)).await);
    assert!(
        alone(slip("same", anna, start()).line("apple", -1, 2_00)).await,
        "not earlier"
    );
    assert!(alone(slip("more", anna, start() + days(1)).line("apple", -3, 2_00)).await);
    assert!(alone(slip("price", anna, start() + days(1)).line("apple", -1, 2_01)).await);
    assert!(alone(slip("article", anna, start() + days(1)).line("plum", -1, 2_00)).await);
    assert!(alone(slip("other", boris, start() + days(1)).line("apple", -1, 2_00)).await);
    assert!(
        alone(
            slip("named", boris, start() + days(1))
                .line("apple", -1, 2_00)
                .of("nothing")
        )
        .await
    );
    assert!(alone(slip("nobody", anna, start() + days(1)).nobody().line("apple", -1, 2_00)).await);
    // Who holds the receipt may bring back what is on it.
    assert!(
        !alone(
            slip("held", anna, start() + days(1))
                .nobody()
                .line("apple", -1, 2_00)
                .of("1")
        )
        .await
    );
    assert!(!alone(slip("rest", anna, start() + days(1)).line("apple", -1, 2_00)).await);
    assert!(alone(slip("all is back", anna, start() + days(1)).line("apple", -1, 2_00)).await);
    assert_books_agree(db).await;
});

both_engines!(a_receipt_is_booked_once_and_may_grow, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let first = slip("1", anna, start())
        .line("apple", 1, 100_00)
        .line("plum", 1, 1_00)
        .line("plum", 1, 1_00);
    let booked = first.book(db).await;
    assert!(booked.new && booked.lines == [LineOutcome::Taken(None); 3]);
    let again = first.book(db).await;
    assert_eq!(
        (again.id, again.new, again.lines),
        (booked.id, false, vec![LineOutcome::Known(None); 3])
    );
    let changed = slip("1", anna, start()).line("apple", 2, 100_00).line("plum", 1, 1_00);
    assert_eq!(
        changed.book(db).await.lines,
        [LineOutcome::Conflict, LineOutcome::Known(None)]
    );
    // The same number twice in one transaction, the second time with a line more.
    let twice = slip("2", anna, start()).line("fig", 1, 100_00);
    let grown = twice.clone().line("pear", 1, 200_00);
    let both = book(db, &[twice, grown]).await;
    assert_eq!(both[0].id, both[1].id);
    assert_eq!(both[1].lines, [LineOutcome::Known(None), LineOutcome::Taken(None)]);
    let receipt = receipt(db, anna, both[0].id).await;
    assert_eq!(
        (receipt.head.lines, receipt.head.total, receipt.head.points),
        (2, 300_00, 9_00)
    );
    assert_eq!(held(db, anna).await, (0, 3_06 + 9_00));
    assert_books_agree(db).await;
});

both_engines!(a_hundred_tills_book_one_receipt_once, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let one = slip("1", anna, start()).line("apple", 1, 100_00);
    let all = futures::future::join_all((0..100).map(|_| one.book(db))).await;
    assert_eq!(all.iter().filter(|booked| booked.new).count(), 1);
    assert_eq!(held(db, anna).await, (0, 3_00));
    let back = slip("R", anna, start() + days(1)).line("apple", -1, 100_00);
    let returns: Vec<Slip> = (0..20)
        .map(|n| Slip {
            document: format!("R{n}"),
            ..back.clone()
        })
        .collect();
    let all = futures::future::join_all(returns.iter().map(|slip| slip.book(db))).await;
    assert_eq!(
        all.iter()
            .filter(|booked| booked.lines != [LineOutcome::Taken(None)])
            .count(),
        1
    );
    assert_eq!(held(db, anna).await, (0, 0));
    assert_books_agree(db).await;
});

both_engines!(discounts_lower_what_was_paid_and_what_it_earns, async |world| {
    let db = ready(world).await;
    let anna = customer(db).await;
    join(db, anna, "club", start()).await;
    let mut sale = slip("1", anna, start()).line("apple", 2, 100_00);
    sale.lines[0].3 = 50_00;
    let booked = sale.book(db).await;
    let receipt = receipt(db, anna, booked.id).await;
    assert_eq!(
        (receipt.lines[0].discount, receipt.lines[0].amount, receipt.head.total),
        (50_00, 150_00, 150_00)
    );
    assert_eq!(held(db, anna).await, (0, 4_50));
});
