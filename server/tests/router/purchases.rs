//! What a customer reads of their purchases.

use crate::common::{Customer, TestApp};
use axum::http::StatusCode;

#[tokio::test]
async fn an_average_begins_with_the_first_purchase() {
    let (_app, mut anna) = TestApp::with_a_purchase().await;
    let page = anna.get("/purchases").await.words();
    assert!(
        page.contains("За 12 месяцев 1 500 ₽, в среднем 1 500 ₽ в месяц"),
        "{page}"
    );
}

/// The id of a customer's only receipt.
async fn receipt_of(anna: &mut Customer) -> String {
    let page = anna.get("/purchases").await;
    let mut hrefs = page.body.split("href=\"/purchases/").skip(1);
    let id = hrefs.find_map(|rest| rest.get(..36).filter(|id| id.parse::<uuid::Uuid>().is_ok()));
    id.expect("a receipt").to_owned()
}

/// What is known of the points goes with a request that a receipt was asked about, and with no other.
#[tokio::test]
async fn missing_points_are_asked_about_from_the_receipt() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    let mut boris = app.customer("Борис").await;
    let id = receipt_of(&mut anna).await;
    let at = format!("/support/new?receipt={id}&line=all");
    let form = anna.get(&at).await.form("request.create");
    assert_eq!(
        [form.get("topic"), form.get("purchase"), form.get("line")],
        [Some("points_missing"), Some(id.as_str()), Some("all")]
    );
    // A message that is missing keeps all of it.
    let refused = anna.submit(&at, &form.clone().with("text", "")).await;
    assert!(!refused.message("request.create", "text").is_empty());
    assert_eq!(refused.form("request.create").get("line"), Some("all"));

    assert!(
        anna.submit(&at, &form.with("text", "Где баллы?"))
            .await
            .location()
            .starts_with("/support/")
    );
    let notes = "SELECT body FROM messages WHERE internal ORDER BY at, id";
    let told = app.texts(notes).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let told = told[0].replace('\u{a0}', " ");
    for words in [
        "не хватает баллов за чек",
        "Чек № A-1, 20 ноября 2026, 15:00, 1 500,00 ₽",
        "1. Чайник (код Чайник): 1 × 1 500,00 ₽, оплачено 1 500,00 ₽\nбаллов не начислено",
        "Особых правил в момент покупки не было",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }

    // Which line of it they are missing for is chosen in the request, however long the receipt is.
    let page = anna.get(&at).await;
    let is_line = |option: &&str| option.get(36..).is_some_and(|rest| rest.starts_with("\">Чайник, 1"));
    let line = page.body.split("<option value=\"").find(is_line);
    let line = line.and_then(|option| option.get(..36)).expect("the line");
    let chosen = page
        .form("request.create")
        .with("text", "Где за чайник?")
        .with("line", line);
    assert!(anna.submit(&at, &chosen).await.location().starts_with("/support/"));
    let told = app.texts(notes).await;
    let of_line = told
        .iter()
        .filter(|note| note.contains("не хватает баллов за «Чайник»"));
    assert_eq!((told.len(), of_line.count()), (2, 1), "{told:?}");
    // From the line itself it is chosen already.
    let of_line = anna.get(&format!("/support/new?receipt={id}&line={line}")).await;
    assert_eq!(of_line.form("request.create").get("line"), Some(line));

    // Another's receipt tells nothing, and a request about a receipt that asks nothing of the kind carries nothing.
    let page = boris.get(&at).await;
    assert_eq!(page.form("request.create").get("line"), None);
    let fields = [
        ("topic", "points_missing"),
        ("text", "Где?"),
        ("purchase", id.as_str()),
        ("line", "all"),
    ];
    let refused = boris.send("/support/new", "request.create", &fields).await;
    assert!(!refused.message("request.create", "purchase").is_empty());
    let plain = format!("/support/new?receipt={id}");
    let form = anna.get(&plain).await.form("request.create");
    assert!(
        anna.submit(&plain, &form.with("text", "Вопрос"))
            .await
            .location()
            .starts_with("/support/")
    );
    assert_eq!(app.texts(notes).await.len(), 2);
}

/// Each filter narrows, says what it could not read, and is kept from page to page.
#[tokio::test]
async fn purchases_are_narrowed_by_category_and_sum() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_50)
        .await
        .with_purchase("A-2", "Ложка", 90_70)
        .await;
    let category = app.some_category().await;
    app.run(
        "UPDATE articles SET category_id = (SELECT id FROM categories WHERE code = 'dishes') WHERE code = $1",
        "Ложка",
    )
    .await;
    let sums = |page: &crate::common::Reply| {
        let text = page.words();
        ["1 500,50 ₽", "90,70 ₽"].map(|sum| text.contains(sum))
    };
    let all = anna.get("/purchases").await;
    assert_eq!(sums(&all), [true, true]);
    let narrowed = anna.get(&format!("/purchases?category={category}")).await;
    assert_eq!(sums(&narrowed), [false, true]);
    assert!(narrowed.body.contains("<details") && narrowed.body.contains(&format!("value=\"{category}\" selected")));
    assert_eq!(sums(&anna.get("/purchases?least=100,50").await), [true, false]);
    assert_eq!(sums(&anna.get("/purchases?most=1%20000&least=0").await), [false, true]);
    let unread = anna.get("/purchases?least=x&most=100").await;
    assert_eq!(sums(&unread), [false, true], "what can be read counts");
    unread.assert_says("Напишите число");
    let swapped = anna.get("/purchases?least=200&most=100").await;
    swapped.assert_says("поменяйте их местами");
    assert!(
        swapped.body.contains("value=\"100\""),
        "what was typed is there to be mended"
    );

    // Another page of the same list.
    for n in 0..20 {
        anna = anna.with_purchase(&format!("B-{n}"), "Ложка", 90_70).await;
    }
    let looked_for = crate::common::encode(&[("q", "лож")]);
    let first = anna
        .get(&format!("/purchases?category={category}&least=1&{looked_for}"))
        .await;
    let next = first.body.split("rel=\"next\"").count();
    assert_eq!(next, 2, "one way on");
    let at = first
        .body
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .map(crate::common::html::unescape)
        .find(|href| href.starts_with("/purchases?") && href.contains("before="))
        .expect("the next page");
    for kept in [format!("category={category}"), "least=1".to_owned(), looked_for] {
        assert!(at.contains(&kept), "{at}");
    }
    assert_eq!(sums(&anna.get(&at).await), [false, true]);
}

/// Whoever looks for an article reads what it cost in the list.
#[tokio::test]
async fn a_search_shows_what_it_found_on_each_receipt() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Хлеб", 50_00)
        .await
        .with_purchase("A-2", "Чайник медный", 1_500_50)
        .await;
    let _boris = app
        .customer("Борис")
        .await
        .with_purchase("B-1", "Чай чужой", 33_00)
        .await;
    app.execute(
        "INSERT INTO purchase_lines (id, purchase_id, ordinal, article_id, quantity, price, discount, amount) \
         SELECT randomblob(16), p.id, 2, a.id, 2, 9070, 0, 18140 FROM purchases p, articles a \
         WHERE p.document = 'A-1' AND a.name = 'Чайник медный'",
    )
    .await;
    let search = async |anna: &mut crate::common::Customer, text: &str| {
        let query = crate::common::encode(&[("q", text)]);
        anna.get(&format!("/purchases?{query}"))
            .await
            .words()
            .replace(" ,", ",")
    };
    let found = search(&mut anna, "медные чайники").await;
    for line in ["Чайник медный, 90,70 ₽", "Чайник медный, 1 500,50 ₽"] {
        assert!(found.contains(line), "{line}: {found}");
    }
    assert!(!found.contains("Хлеб"), "another line of the receipt: {found}");
    let one = search(&mut anna, "хлеба").await;
    assert!(one.contains("Хлеб, 50,00 ₽") && !one.contains("Чайник"), "{one}");
    // By its number a receipt is found as a whole, and without a search nothing is singled out.
    let by_number = search(&mut anna, "A-2").await;
    assert!(
        by_number.contains("1 500,50 ₽") && !by_number.contains("Чайник"),
        "{by_number}"
    );
    assert!(!anna.get("/purchases").await.words().contains("Чайник"));
}

/// Where the money went, by category, and what of it was saved.
#[tokio::test]
async fn spending_is_told_by_category() {
    let app = TestApp::new().await;
    let mut boris = app.customer("Борис").await;
    let empty = boris.get("/purchases/spending").await;
    assert!(
        empty.body.contains("href=\"/purchases/claim\""),
        "a way on: {}",
        empty.body
    );
    let empty = empty.text();
    assert!(empty.contains("За 12 месяцев покупок не было."), "{empty}");
    assert!(!empty.contains("сэкономили"), "{empty}");
    let never = boris.get("/purchases/often").await;
    assert!(
        never.body.contains("href=\"/purchases/claim\""),
        "a way on: {}",
        never.body
    );
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_00)
        .await
        .with_purchase("A-2", "Ложка", 90_00)
        .await;
    app.some_category().await;
    let put = "UPDATE articles SET category_id = (SELECT id FROM categories WHERE code = 'dishes') WHERE code = $1";
    app.run(put, "Чайник").await;
    app.run(
        "UPDATE purchase_lines SET discount = 25050 WHERE price = $1 + 0",
        "150000",
    )
    .await;
    let page = anna.get("/purchases/spending").await;
    let text = page.words();
    for words in [
        "Посуда — больше всего трат: 1 500 ₽",
        "За 12 месяцев 1 590 ₽",
        "Посуда 1 500,00 ₽",
        "Без категории 90,00 ₽",
        "За 12 месяцев вы сэкономили 250,50 ₽",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Month by month, and over as many months as somebody asks for.
    assert!(
        text.contains("По месяцам") && text.contains("Ноябрь 2026") && text.contains("Декабрь 2025"),
        "{text}"
    );
    assert!(
        text.contains("Посуда 1 500 ₽ – "),
        "this month and the one before: {text}"
    );
    let lately = anna
        .get("/purchases/spending?months=3")
        .await
        .text()
        .replace('\u{a0}', " ");
    assert!(
        lately.contains("За 3 месяца 1 590 ₽") && !lately.contains("Декабрь 2025"),
        "{lately}"
    );
    for nonsense in ["0", "-3", "1000000", "x"] {
        let page = anna.get(&format!("/purchases/spending?months={nonsense}")).await.text();
        assert!(
            page.replace('\u{a0}', " ").contains("За 12 месяцев 1 590 ₽"),
            "{nonsense}"
        );
    }
    // The longest bar takes all of the width, the other its share of it.
    for width in ["width=\"320\"", "width=\"19\""] {
        assert!(page.body.contains(width), "{width}");
    }
    assert!(
        anna.get("/purchases")
            .await
            .body
            .contains("href=\"/purchases/spending\"")
    );
    // A category that more came back of than was bought has no bar, and counts in the whole all the same.
    let mut anna = anna.with_return("A-3", "Ложка", 90_00).await;
    app.execute("UPDATE purchase_lines SET amount = amount - 10000 WHERE quantity < 0")
        .await;
    let text = anna.get("/purchases/spending").await.words();
    let words = "За 12 месяцев 1 400 ₽: в других категориях вернули больше, чем купили, на 100 ₽";
    assert!(text.contains(words), "{text}");
}

/// What was bought twice can be planned once more, at the price of the last time.
#[tokio::test]
async fn what_is_bought_often_leads_to_a_plan() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чай & мёд", 150_50)
        .await;
    let once = anna.get("/purchases/often").await.text();
    assert!(once.contains("хотя бы дважды") && !once.contains("Чай"), "{once}");
    anna = anna.with_purchase("A-2", "Чай & мёд", 160_50).await;
    let page = anna.get("/purchases/often").await;
    let text = page.words();
    for words in ["Чай & мёд 2 раза", "20 ноября", "160,50 ₽"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // However many there are, page by page.
    for n in 0..34 {
        for turn in 0..2 {
            let article = format!("Товар {n}");
            anna = anna.with_purchase(&format!("M-{n}-{turn}"), &article, 10_00).await;
        }
    }
    let first = anna.get("/purchases/often").await;
    let tags = crate::common::html::tags(&first.body);
    let mut links = tags.iter().filter_map(|tag| tag.get("href"));
    let next = links
        .find(|href| href.starts_with("/purchases/often?after="))
        .expect("more")
        .to_owned();
    let second = anna.get(&next).await;
    let plans = |page: &crate::common::Reply| page.body.matches("/what-if?").count();
    assert_eq!([plans(&first), plans(&second)], [30, 5]);
    for nonsense in ["x", "2-x", "-1-0_0", "2"] {
        assert_eq!(
            plans(&anna.get(&format!("/purchases/often?after={nonsense}")).await),
            30,
            "{nonsense}"
        );
    }
    let plan = page
        .body
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next())
        .map(crate::common::html::unescape)
        .find(|href| href.starts_with("/what-if?"))
        .expect("a way to plan it");
    let planned = anna.get(&plan).await;
    assert!(planned.body.contains("value=\"160,50\""), "{plan}: {}", planned.text());
    assert!(planned.text().contains("Чай & мёд"), "{plan}");
    assert!(anna.get("/purchases").await.body.contains("href=\"/purchases/often\""));
}

/// What the list shows is taken along line by line, and adds up.
#[tokio::test]
async fn a_statement_of_purchases_tells_what_the_list_shows() {
    let app = TestApp::new().await;
    let mut anna = app
        .customer("Анна")
        .await
        .with_purchase("A-1", "Чайник", 1_500_50)
        .await
        .with_purchase("A-2", "=1+1", 90_00)
        .await
        .with_return("A-3", "Чайник", 1_500_50)
        .await;
    let mut boris = app.customer("Борис").await;
    let nothing = boris.get("/purchases").await.body;
    assert!(
        !nothing.contains("/purchases/statement"),
        "there is nothing to take along"
    );
    for (language, delimiter, sums) in [
        ("ru", ';', ["1500,50", "90,00", "-1500,50"]),
        ("en", ',', ["1500.50", "90.00", "-1500.50"]),
    ] {
        anna.send("/purchases", "language", &[("language", language)]).await;
        let page = anna.get("/purchases?to=2026-12-31").await;
        let at = "/purchases/statement.csv?to=2026-12-31";
        assert!(page.body.contains(&format!("href=\"{at}\"")), "the page leads there");
        let reply = anna.get(at).await;
        assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(
            reply.header("content-disposition"),
            "attachment; filename=\"purchases-2026-12-31.csv\""
        );
        let body = reply.body.trim_start_matches('\u{feff}');
        let rows: Vec<Vec<&str>> = body.lines().map(|row| row.split(delimiter).collect()).collect();
        assert_eq!(rows.len(), 4, "{body}");
        let column = |n: usize| rows.iter().skip(1).map(|row| row[n]).collect::<Vec<_>>();
        let mut told = column(rows[0].len() - 1);
        told.sort_unstable();
        let mut sums = sums.to_vec();
        sums.sort_unstable();
        assert_eq!(told, sums, "{body}");
        assert!(column(6).contains(&"'=1+1"), "nothing is reckoned: {body}");
        assert!(column(7).contains(&"-1"), "what came back: {body}");
    }
    // As the list is narrowed, so is the file, and it says so.
    let narrowed = anna.get("/purchases?q=%D1%87%D0%B0%D0%B9%D0%BD%D0%B8%D0%BA").await;
    let at = "/purchases/statement.csv?q=%D1%87%D0%B0%D0%B9%D0%BD%D0%B8%D0%BA";
    assert!(
        narrowed.body.to_uppercase().contains(&at.to_uppercase()),
        "{}",
        narrowed.body
    );
    let some = anna.get(at).await.body;
    assert!(!some.contains("A-2") && some.contains("A-1"), "{some}");
    assert!(some.contains("only those that fit the search"), "{some}");
    // Printed.
    let paper = anna.get("/purchases/statement.pdf?to=2026-12-31").await;
    assert_eq!(paper.header("content-type"), "application/pdf");
    assert!(paper.bytes.starts_with(b"%PDF-1."));
    // Nobody else's, and what cannot be read is no address.
    let his = boris.get("/purchases/statement.csv").await;
    assert_eq!(his.body.lines().count(), 1, "{}", his.body);
    let empty = boris.get("/purchases/statement.pdf").await;
    assert!(empty.bytes.starts_with(b"%PDF-1."));
    for wrong in ["from=x", "from=2026-12-02&to=2026-12-01", "least=x"] {
        for ending in ["csv", "pdf"] {
            let reply = anna.get(&format!("/purchases/statement.{ending}?{wrong}")).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{wrong}");
        }
    }
    let signed_out = app.anybody().get("/purchases/statement.csv").await;
    assert_eq!(signed_out.location(), "/sign-in?next=/purchases/statement.csv");
}

#[tokio::test]
async fn a_receipt_is_saved_as_a_file() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    let id = receipt_of(&mut anna).await;
    let at = format!("/purchases/{id}/receipt.pdf");
    let page = anna.get(&format!("/purchases/{id}")).await;
    assert!(page.body.contains(&format!("href=\"{at}\"")), "the page leads there");
    let reply = anna.get(&at).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/pdf");
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"receipt-2026-11-20.pdf\""
    );
    assert!(reply.bytes.starts_with(b"%PDF-1."));
    let size = reply.bytes.len();
    let mut boris = app.customer("Борис").await;
    assert_eq!(boris.get(&at).await.status, StatusCode::NOT_FOUND, "it is not his");

    // Each line is drawn: a longer receipt is a larger file, and goes on where a page ends.
    app.execute(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 80) INSERT INTO purchase_lines \
         (id, purchase_id, ordinal, article_id, quantity, price, discount, amount) \
         SELECT randomblob(16), l.purchase_id, i, l.article_id, 1, 100, 0, 100 FROM purchase_lines l, n WHERE l.ordinal = 1",
    )
    .await;
    let longer = anna.get(&at).await;
    assert!(longer.bytes.len() > size);
    assert!(!String::from_utf8_lossy(&longer.bytes).contains("/Count 1/"));
    assert!(String::from_utf8_lossy(&reply.bytes).contains("/Count 1/"));
    // So many lines ask once whether points are missing.
    let page = anna.get(&format!("/purchases/{id}")).await;
    assert_eq!(page.text().matches("Не хватает баллов?").count(), 1);
}

/// A receipt is told by the clock of its store, as its paper has it; days that are looked for go by the chain's.
#[tokio::test]
async fn a_receipt_is_told_by_the_clock_of_its_store() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    app.some_store().await;
    app.execute("UPDATE purchases SET store_id = (SELECT id FROM stores WHERE code = 'klin')")
        .await;
    let id = receipt_of(&mut anna).await;
    let at = format!("/purchases/{id}");
    // Without a zone of its own the store's clock is the chain's.
    let page = anna.get("/purchases").await.words();
    assert!(page.contains("20 ноября, 15:00"), "{page}");

    app.execute("UPDATE stores SET time_zone = 'Asia/Kamchatka' WHERE code = 'klin'")
        .await;
    let page = anna.get("/purchases").await.words();
    assert!(page.contains("21 ноября, 00:00"), "{page}");
    let page = anna.get(&at).await;
    let told = page.words();
    assert!(told.contains("21 ноября, суббота, 00:00"), "{told}");
    assert!(page.body.contains(", 00:00:00\""), "exactly so, too: {}", page.body);
    let file = anna.get(&format!("{at}/receipt.pdf")).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"receipt-2026-11-21.pdf\""
    );
    let file = anna.get("/purchases/statement.csv").await.body;
    assert!(file.contains("2026-11-21;00:00;"), "{file}");
    let question = format!("/support/new?receipt={id}&line=all");
    let page = anna.get(&question).await;
    let told = page.words();
    assert!(told.contains("21 ноября, 00:00, 1 500"), "{told}");
    anna.submit(&question, &page.form("request.create").with("text", "Где баллы?"))
        .await;
    let trace = app.text("SELECT body FROM messages WHERE internal").await;
    assert!(
        trace.replace('\u{a0}', " ").contains("21 ноября 2026, 00:00"),
        "{trace}"
    );
    let card = format!("/admin/customers/{}/purchases/{id}", anna.id().await);
    let told = app.staff("agent").await.get(&card).await.words();
    assert!(told.contains("21 ноября, 00:00"), "{told}");

    let link = format!("href=\"{at}\"");
    let found = anna.get("/purchases?from=2026-11-20&to=2026-11-20").await;
    assert!(found.body.contains(&link), "{}", found.text());
    let other = anna.get("/purchases?from=2026-11-21").await;
    assert!(!other.body.contains(&link), "{}", other.text());
}

/// A receipt that no till has sent yet is asked about with the code that was typed.
#[tokio::test]
async fn a_receipt_that_is_not_there_yet_is_asked_about() {
    let (app, mut anna) = TestApp::with_a_purchase().await;
    let claim = "/purchases/claim";
    let nothing = anna.get(claim).await;
    assert!(!nothing.text().contains("касса могла ещё не прислать"));
    let refused = anna.send(claim, "purchase.claim", &[("receipt", " ABCD&1234 ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_says("касса могла ещё не прислать чек: попробуйте через час");
    let at = "/support/new?topic=purchase&code=ABCD%261234";
    assert!(
        refused.body.replace("&amp;", "&").contains(&format!("href=\"{at}\"")),
        "{}",
        refused.body
    );
    let form = anna.get(at).await.form("request.create");
    assert_eq!(form.get("topic"), Some("purchase"));
    let text = form.get("text").expect("a message").to_owned();
    assert!(text.contains("ABCD&1234"), "{text}");
    let sent = anna.submit(at, &form).await;
    assert!(sent.location().starts_with("/support/"), "{}", sent.text());
    let kept = app.text("SELECT body FROM messages").await;
    assert!(kept.contains("ABCD&1234"), "{kept}");

    // Another trouble has another way out.
    let missing = anna.send(claim, "purchase.claim", &[("receipt", " ")]).await;
    assert!(!missing.text().contains("касса могла ещё не прислать"));
}
