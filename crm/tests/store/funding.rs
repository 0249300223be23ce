//! Points that partners pay for come out of the partner's own account, and go back there: to the last hundredth, however they
//! were taken back, on both engines.

use crate::common::*;
use crate::rules::{fixed, member, publish, rule, times};
use chrono::Duration;
use crm::both_engines;
use crm::db::Db;
use crm::id::ProgramId;
use crm::points::Source;
use crm::points::store as points;
use crm::points::store::exports;
use crm::purchase::LineOutcome;
use crm::purchase::void::void;
use crm::rule::Problem;
use crm::testing::start;

/// What the accounts that issue points come to: which one, whose, and how much; those that come to nothing are left out.
async fn books(db: &Db) -> Vec<(String, Option<String>, i64)> {
    const SQL: &str = "SELECT a.kind, a.partner_key, CAST(SUM(o.amount) AS BIGINT) FROM accounts a \
        JOIN postings o ON o.account_id = a.id WHERE a.customer_id IS NULL AND a.kind IN ('issued', 'partner') \
        GROUP BY a.kind, a.partner_key HAVING SUM(o.amount) <> 0";
    let mut conn = db.read().await.expect("a connection");
    let mut books: Vec<(String, Option<String>, i64)> =
        crm::on!(conn, |c| sqlx::query_as(SQL).fetch_all(c).await).expect("read");
    books.sort();
    books
}

/// The same as a test says it: the shop's, the bank's, the roaster's.
fn come_to(issued: i64, bank: i64, roaster: i64) -> Vec<(String, Option<String>, i64)> {
    let all = [
        ("issued", None, issued),
        ("partner", Some("bank"), bank),
        ("partner", Some("roaster"), roaster),
    ];
    let all = all.into_iter().filter(|(.., points)| *points != 0);
    all.map(|(kind, partner, points)| (kind.to_owned(), partner.map(str::to_owned), points))
        .collect()
}

/// A bank pays for two points more for each that the program gives, a roaster for 1.01 of each purchase.
async fn two_partners(db: &Db, club: ProgramId) {
    publish(db, &rule("Bank", "", &times(club, 30_000), r#", "funded_by": "bank""#)).await;
    publish(
        db,
        &rule("Roaster", "", &fixed(club, 1_01), r#", "funded_by": "roaster""#),
    )
    .await;
}

both_engines!(
    a_line_that_two_partners_pay_for_goes_back_to_each_of_them,
    async |world| {
        let db = ready(world).await;
        let (anna, club) = member(db).await;
        two_partners(db, club).await;
        let sale = slip("S", anna, start() + Duration::hours(1))
            .line("tea", 3, 10_00)
            .book(db)
            .await
            .id;
        assert_eq!(held(db, anna).await, (0, 3_71));
        assert_eq!(books(db).await, come_to(-90, -1_80, -1_01));
        assert_books_agree(db).await;

        // Who paid is told with the line.
        let lines = receipt(db, anna, sale).await.lines;
        let mut parts: Vec<_> = lines[0].earned[0]
            .parts
            .iter()
            .map(|part| (part.amount, part.partner.as_deref(), matches!(part.by, Source::Rule(_))))
            .collect();
        parts.sort_unstable();
        assert_eq!(
            parts,
            [
                (90, None, false),
                (1_01, Some("roaster"), true),
                (1_80, Some("bank"), true)
            ]
        );

        let back = |document: &'static str, quantity: i64| {
            slip(document, anna, start() + days(1))
                .line("tea", -quantity, 10_00)
                .of_line("S", 1)
        };
        // A third of 3.71 is 1.23: the bank's share of it is 59.67 hundredths, the roaster's 33.84 of what that leaves.
        let (a_third, two_thirds) = (come_to(-59, -1_21, -68), come_to(-29, -61, -34));
        back("R1", 1).book(db).await;
        assert_eq!((held(db, anna).await, books(db).await), ((0, 2_48), a_third.clone()));
        assert_books_agree(db).await;
        back("R2", 1).book(db).await;
        assert_eq!((held(db, anna).await, books(db).await), ((0, 1_24), two_thirds.clone()));
        assert_books_agree(db).await;
        // A return that is voided never was, whichever it is.
        void(db, &BY, "till", "R1").await.expect("voided");
        assert_eq!((held(db, anna).await, books(db).await), ((0, 2_48), a_third));
        assert_books_agree(db).await;
        back("R3", 1).book(db).await;
        assert_eq!(books(db).await, two_thirds);
        back("R4", 1).book(db).await;
        assert_eq!((held(db, anna).await, books(db).await), ((0, 0), Vec::new()));
        assert_books_agree(db).await;
        for document in ["R2", "R3", "R4"] {
            void(db, &BY, "till", document).await.expect("voided");
            assert_books_agree(db).await;
        }
        assert_eq!(
            (held(db, anna).await, books(db).await),
            ((0, 3_71), come_to(-90, -1_80, -1_01))
        );
        // The sale itself was a mistake.
        void(db, &BY, "till", "S").await.expect("voided");
        assert_eq!((held(db, anna).await, books(db).await), ((0, 0), Vec::new()));
        assert_books_agree(db).await;
    }
);

both_engines!(a_return_that_comes_first_goes_back_to_the_partners, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    two_partners(db, club).await;
    let early = slip("R", anna, start() + days(1))
        .line("tea", -1, 10_00)
        .of_line("S", 1);
    assert_eq!(early.book(db).await.lines, [LineOutcome::Waiting]);
    assert_eq!(books(db).await, []);
    slip("S", anna, start() + Duration::hours(1))
        .line("tea", 3, 10_00)
        .book(db)
        .await;
    assert_eq!(held(db, anna).await, (0, 2_48));
    assert_eq!(books(db).await, come_to(-59, -1_21, -68));
    assert_books_agree(db).await;
});

both_engines!(what_a_partner_pays_altogether_the_shop_does_not_issue, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    publish(db, &rule("Bank", "", &fixed(club, 5_00), r#", "funded_by": "bank""#)).await;
    // So little that the program's share of it is nothing.
    slip("S", anna, start() + Duration::hours(1))
        .line("match", 1, 33)
        .book(db)
        .await;
    assert_eq!(books(db).await, come_to(0, -5_00, 0));
    assert_books_agree(db).await;
    // Points that expire go where all do: the partner has paid for them.
    run_due(world, start() + days(1000)).await;
    assert_eq!(held(db, anna).await, (0, 0));
    assert_eq!(books(db).await, come_to(0, -5_00, 0));
    assert_books_agree(db).await;

    let mut conn = db.read().await.expect("a connection");
    let first = db.shop().day(start());
    let posted = exports::postings(&mut conn, &BY, first, first).await.expect("told");
    let of: Vec<_> = posted
        .iter()
        .map(|one| (one.account.as_str(), one.partner.as_deref(), one.points))
        .collect();
    assert_eq!(of, [("partner", Some("bank"), -5_00), ("pending", None, 5_00)]);
});

both_engines!(what_a_return_lets_go_the_partner_has_paid_for, async |world| {
    ready(world).await;
    let policy = crm::points::Policy {
        floor: 0,
        ..crm::points::Policy::default()
    };
    let db = &with_policy(world, policy).await;
    let anna = customer(db).await;
    // Points of the family's can be spent at once.
    join(db, anna, "family", start() - days(1)).await;
    let family = program(db, "family").await;
    publish(db, &rule("Bank", "", &fixed(family, 3_00), r#", "funded_by": "bank""#)).await;
    slip("S", anna, start() + Duration::hours(1))
        .line("tea", 1, 50_00)
        .book(db)
        .await;
    assert_eq!(books(db).await, come_to(-1_00, -3_00, 0));
    spend(db, anna, family, 3_00).await;
    slip("R", anna, start() + Duration::hours(2))
        .line("tea", -1, 50_00)
        .of_line("S", 1)
        .book(db)
        .await;
    // Of four points one was there to be taken: three quarters of it are the bank's. Three were spent, and are let go.
    assert_eq!(held(db, anna).await, (0, 0));
    assert_eq!(books(db).await, come_to(-75, -2_25, 0));
    assert_books_agree(db).await;
    void(db, &BY, "till", "R").await.expect("voided");
    assert_eq!(
        (held(db, anna).await, books(db).await),
        ((1_00, 0), come_to(-1_00, -3_00, 0))
    );
    assert_books_agree(db).await;
});

both_engines!(books_of_partners_that_do_not_agree_are_found, async |world| {
    let db = ready(world).await;
    let (anna, club) = member(db).await;
    two_partners(db, club).await;
    slip("S", anna, start() + Duration::hours(1))
        .line("tea", 3, 10_00)
        .book(db)
        .await;
    let found = async || {
        let all = points::verify(db, &BY).await.expect("compared");
        all.into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    let account = "the account of a partner is what they pay and was not taken back";
    let part =
        "what partners pay of a line is a part of what it earned, and what went back to them of what was taken back";
    for (broken, mended, told) in [
        (
            "UPDATE fundings SET points = points - 1 WHERE partner_key = 'bank'",
            "UPDATE fundings SET points = points + 1 WHERE partner_key = 'bank'",
            &[account][..],
        ),
        (
            "UPDATE fundings SET taken_back = 1 WHERE partner_key = 'bank'",
            "UPDATE fundings SET taken_back = 0 WHERE partner_key = 'bank'",
            &[part, account][..],
        ),
        (
            "UPDATE fundings SET partner_key = 'nobody' WHERE partner_key = 'bank'",
            "UPDATE fundings SET partner_key = 'bank' WHERE partner_key = 'nobody'",
            &[account, "what a partner pays has an account of theirs"][..],
        ),
    ] {
        execute!(db, broken).await.expect("broken");
        assert_eq!(found().await, told, "{broken}");
        execute!(db, mended).await.expect("mended");
        assert_books_agree(db).await;
    }
});

both_engines!(a_partner_has_a_key_and_pays_for_points_alone, async |world| {
    let db = ready(world).await;
    let (_, club) = member(db).await;
    let problems = |effects: &str, key: &str| {
        let rule = rule("Bank", "", effects, &format!(r#", "funded_by": "{key}""#));
        let faults = rule.validate().into_iter();
        faults.map(|fault| (fault.pointer, fault.problem)).collect::<Vec<_>>()
    };
    let points = fixed(club, 1_00);
    let longest = "a".repeat(40);
    for key in ["bank", "kofe-2", longest.as_str()] {
        assert_eq!(problems(&points, key), [], "{key}");
    }
    let longer = "a".repeat(41);
    for key in ["", "Bank", "банк", "a b", "a_b", " bank", longer.as_str()] {
        let at = "/funded_by".to_owned();
        assert_eq!(problems(&points, key), [(at, Problem::NotAKey)], "{key:?}");
    }
    let at = "/funded_by".to_owned();
    assert_eq!(problems(crate::rules::TENTH, "bank"), [(at, Problem::NeedsPoints)]);
});
