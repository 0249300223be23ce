//! Two accounts of one person become one, and part again.

use crate::common::people::{self, administrator, contact, lead, one, sql, text};
use crate::common::{
    BY, assert_books_agree, balance, card, customer, days, execute, fund, held, join, lots, program, ready, reserve,
    sign_in, slip, spend,
};
use crate::find::insert;
use crate::rules::{fixed, publish, rule};
use crate::transfers::give;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use crm::audit::log::{self, Filter};
use crm::both_engines;
use crm::consent::{Act, store as consents};
use crm::contact::{Kind, store as contacts};
use crm::customer::store::{self as customers, ChildForm};
use crm::db::Db;
use crm::id::{CustomerId, EnrolmentId, FactorId, NumberChangeId};
use crm::lang::{Lang, fold};
use crm::merge::pairs::{self, Pair};
use crm::merge::{self, Likeness, MergeError, Obstacle};
use crm::note::store as notes;
use crm::points::NewAdjustment;
use crm::points::store::{SpendError, adjustments, spending, transfers};
use crm::request::{NewRequest, store as requests};
use crm::segment;
use crm::task::{NewTask, store as tasks};
use crm::testing::{World, start};
use crm::who::{Reason, Staff, Subject};
use crm::{erasure, on};
use futures::future::join_all;
use sqlx::Connection as _;
use uuid::Uuid;

const OLD: &str = "+79000000001";
const NEW: &str = "+79000000002";
const EMAIL: &str = "anna@example.com";

/// Somebody with a proved phone and a card.
async fn person(world: &World, phone: &str) -> Subject {
    let who = customer(&world.db).await;
    contact(world, who.id(), Kind::Phone, phone).await;
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE customer_id = $1",
        who.id()
    );
    card(&world.db, who, "active").await;
    who
}

async fn two(world: &World) -> (Subject, Subject) {
    ready(world).await;
    (person(world, NEW).await, person(world, OLD).await)
}

/// Staff merge the second account into the first.
async fn merge(world: &World, kept: Subject, absorbed: Subject) -> Result<(), MergeError> {
    let by = lead(world).await;
    let fresh = by.fresh(&world.db).expect("fresh");
    merge::merge_by_staff(
        &world.db,
        &fresh,
        kept.id(),
        absorbed.id(),
        "Одна и та же покупательница",
    )
    .await
}

async fn undo(world: &World, kept: Subject) -> Result<(), MergeError> {
    let by = lead(world).await;
    let fresh = by.fresh(&world.db).expect("fresh");
    merge::undo_by_staff(&world.db, &fresh, kept.id(), "Это были две сестры").await
}

/// What stands in the way.
fn obstacle(done: Result<(), MergeError>) -> Option<Obstacle> {
    match done {
        Err(MergeError::Obstacle(obstacle)) => Some(obstacle),
        _ => None,
    }
}

async fn live(db: &Db, who: Subject) -> merge::Merged {
    let mut conn = db.read().await.expect("a connection");
    merge::of(&mut conn, who).await.expect("read").expect("merged")
}

/// Every row of two customers that goes over with an account: its id, whose it is, and what it says.
async fn rows(world: &World, both: [Subject; 2]) -> Vec<(Uuid, Uuid, String)> {
    const ROWS: &str = "SELECT x.id, x.customer_id, x.rest FROM (\
        SELECT id, customer_id, 'lot ' || state || ' ' || remaining AS rest FROM lots \
        UNION ALL SELECT id, customer_id, 'account ' || kind || ' ' || balance FROM accounts WHERE balance <> 0 \
        UNION ALL SELECT id, customer_id, 'purchase' FROM purchases \
        UNION ALL SELECT id, customer_id, 'card ' || state FROM cards \
        UNION ALL SELECT id, customer_id, 'membership' FROM memberships WHERE left_at IS NULL \
        UNION ALL SELECT id, customer_id, 'contact ' || CASE WHEN is_primary THEN 'main' ELSE '' END FROM contacts) x \
        WHERE x.customer_id = $1 OR x.customer_id = $2 ORDER BY 3, 1";
    let mut conn = world.db.read().await.expect("a connection");
    let [first, second] = both;
    on!(conn, |c| sqlx::query_as(ROWS)
        .bind(first.id())
        .bind(second.id())
        .fetch_all(c)
        .await)
    .expect("rows")
}

fn go_on(world: &World, at: DateTime<Utc>) -> DateTime<Utc> {
    world.clock.set(at);
    at
}

both_engines!(one_account_of_two_and_two_again, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    fund(db, old, 7_00, start() - days(2)).await;
    for who in [anna, old] {
        join(db, who, "club", start() - days(30)).await;
    }
    slip("A-1", anna, start() - days(20))
        .line("чай", 1, 100_000)
        .book(db)
        .await;
    slip("B-1", old, start() - days(20))
        .line("чай", 1, 200_000)
        .book(db)
        .await;
    slip("B-2", old, start() - days(1))
        .line("чай", 1, 50_000)
        .book(db)
        .await;
    crm::points::store::run_due(db, &BY).await.expect("due");
    assert_eq!(
        (held(db, anna).await, held(db, old).await),
        ((30_00, 0), (67_00, 15_00))
    );
    let before = rows(world, [anna, old]).await;
    merge(world, anna, old).await.expect("merged");
    assert_eq!((held(db, anna).await, held(db, old).await), ((97_00, 15_00), (0, 0)));
    assert_books_agree(db).await;
    // Every lot kept its term.
    assert_eq!(lots(db, anna).await.len(), 4);
    assert_eq!(lots(db, old).await, []);
    let merged = live(db, anna).await;
    assert_eq!((merged.came, merged.back, merged.obstacle), (82_00, 82_00, None));
    assert_eq!(merged.undo_until, db.now() + days(14));
    // Nobody is a till's customer by the account that went.
    let receipts = "SELECT COUNT(*) FROM purchases WHERE customer_id = $1";
    assert_eq!(one!(world, i64, receipts, old.id()), 0);
    assert_eq!(
        one!(
            world,
            i64,
            "SELECT COUNT(*) FROM cards WHERE customer_id = $1",
            anna.id()
        ),
        2
    );
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::Merged));

    undo(world, anna).await.expect("parted");
    assert_eq!(rows(world, [anna, old]).await, before, "all is as it was");
    assert_books_agree(db).await;
    assert!(matches!(
        undo(world, anna).await,
        Err(MergeError::Crm(crm::Error::Stale))
    ));
    // And once more.
    merge(world, anna, old).await.expect("merged again");
    assert_books_agree(db).await;
    go_on(world, start() + days(14));
    assert!(
        matches!(undo(world, anna).await, Err(MergeError::Crm(crm::Error::Stale))),
        "for two weeks"
    );
});

both_engines!(returns_find_the_points_wherever_they_are, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    join(db, old, "club", start() - days(30)).await;
    for (document, price) in [("B-1", 100_000), ("B-2", 200_000)] {
        slip(document, old, start() - days(1))
            .line("чай", 2, price / 2)
            .book(db)
            .await;
    }
    merge(world, anna, old).await.expect("merged");
    assert_eq!(held(db, anna).await, (0, 90_00));
    slip("R-1", anna, start())
        .line("чай", -1, 50_000)
        .of("B-1")
        .book(db)
        .await;
    assert_eq!((held(db, anna).await, held(db, old).await), ((0, 75_00), (0, 0)));
    assert_books_agree(db).await;
    undo(world, anna).await.expect("parted");
    assert_eq!((held(db, anna).await, held(db, old).await), ((0, 0), (0, 75_00)));
    slip("R-2", old, start())
        .line("чай", -2, 100_000)
        .of("B-2")
        .book(db)
        .await;
    assert_eq!((held(db, anna).await, held(db, old).await), ((0, 0), (0, 15_00)));
    assert_books_agree(db).await;
});

both_engines!(who_pays_for_points_stays_the_same_when_accounts_merge, async |world| {
    const PAID: &str = "SELECT CAST(SUM(o.amount) AS BIGINT) FROM postings o JOIN accounts a ON a.id = o.account_id \
        WHERE a.partner_key = 'bank'";
    let (anna, old) = two(world).await;
    let db = &world.db;
    join(db, old, "club", start() - days(30)).await;
    let points = fixed(program(db, "club").await, 10_00);
    publish(db, &rule("Bank", "", &points, r#", "funded_by": "bank""#)).await;
    let paid = async || -> i64 {
        let mut conn = db.read().await.expect("a connection");
        on!(conn, |c| sqlx::query_scalar(PAID).fetch_one(c).await).expect("a sum")
    };
    slip("B-1", old, start()).line("чай", 2, 50_000).book(db).await;
    merge(world, anna, old).await.expect("merged");
    assert_eq!((held(db, anna).await, paid().await), ((0, 40_00), -10_00));
    slip("R-1", anna, start() + Duration::hours(1))
        .line("чай", -1, 50_000)
        .of("B-1")
        .book(db)
        .await;
    assert_eq!((held(db, anna).await, paid().await), ((0, 20_00), -5_00));
    assert_books_agree(db).await;
    undo(world, anna).await.expect("parted");
    slip("R-2", old, start() + Duration::hours(2))
        .line("чай", -1, 50_000)
        .of("B-1")
        .book(db)
        .await;
    assert_eq!((held(db, old).await, paid().await), ((0, 0), 0));
    assert_books_agree(db).await;
});

both_engines!(
    what_was_spent_meanwhile_stays_spent_and_comes_back_to_who_spent_it,
    async |world| {
        let (anna, old) = two(world).await;
        let db = &world.db;
        for who in [anna, old] {
            fund(db, who, 10_00, start()).await;
        }
        merge(world, anna, old).await.expect("merged");
        let family = program(db, "family").await;
        // Whoever merged somebody else's account cannot spend its points before the owner has read of it.
        let soon = reserve(db, anna, family, "soon", 1_00).await;
        assert!(
            matches!(soon, Err(SpendError::Frozen { until }) if until == start() + days(1)),
            "{soon:?}"
        );
        go_on(world, start() + days(1));
        let sold = slip("S-1", anna, start()).line("чайник", 1, 15_00).book(db).await;
        let hold = reserve(db, anna, family, "hold", 15_00).await.expect("reserved");
        assert_eq!(obstacle(undo(world, anna).await), Some(Obstacle::Held), "a till waits");
        spending::capture(db, &BY, anna, hold.id, 15_00, Some(sold.id))
            .await
            .expect("captured");
        let merged = live(db, anna).await;
        assert_eq!(merged.came, 10_00);
        assert!(merged.back < merged.came, "the page says that something was spent");
        undo(world, anna).await.expect("parted");
        let left = held(db, anna).await.0 + held(db, old).await.0;
        assert_eq!((left, held(db, old).await.0), (5_00, merged.back));
        assert_books_agree(db).await;
        // The goods come back: so do the points, to whoever bought, also those that had been the other's.
        slip("S-2", anna, start())
            .line("чайник", -1, 15_00)
            .of("S-1")
            .book(db)
            .await;
        assert_eq!(held(db, old).await.0, merged.back);
        assert_eq!(held(db, anna).await.0, 20_00 - merged.back);
        assert_books_agree(db).await;
    }
);

both_engines!(histories_of_any_kind_are_merged_and_parted, async |world| {
    ready(world).await;
    let db = &world.db;
    let family = program(db, "family").await;
    let mut seed = 7_u64;
    let mut dice = move |sides: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    let mut at = start();
    for round in 0..6 {
        let both = [
            person(world, &format!("+7900100{round:04}")).await,
            person(world, &format!("+7900200{round:04}")).await,
        ];
        for who in both {
            join(db, who, "club", at - days(30)).await;
        }
        let mut sales: Vec<(Subject, String)> = Vec::new();
        for step in 0..12 {
            let who = both[dice(2) as usize];
            let document = format!("{round}-{step}");
            match dice(6) {
                0..=2 => {
                    slip(&document, who, at).line("чай", 3, 10_000).book(db).await;
                    sales.push((who, document));
                }
                3 => fund(db, who, 4_00, at).await,
                4 => spend(db, who, family, 3_00).await,
                _ => {
                    if let Some((buyer, sale)) = sales.pop() {
                        let back = slip(&document, buyer, at).line("чай", -1, 10_000).of(&sale);
                        back.book(db).await;
                    }
                }
            }
            at = go_on(world, at + days(3));
        }
        crm::points::store::run_due(db, &BY).await.expect("due");
        let [kept, absorbed] = both;
        let whole = async || {
            let (a, b) = (held(db, kept).await, held(db, absorbed).await);
            (a.0 + b.0, a.1 + b.1)
        };
        let (sum, before) = (whole().await, rows(world, both).await);
        match merge(world, kept, absorbed).await {
            Err(MergeError::Obstacle(Obstacle::Debt)) => continue,
            done => done.expect("merged"),
        }
        assert_eq!(whole().await, sum);
        assert_books_agree(db).await;
        undo(world, kept).await.expect("parted");
        assert_eq!(rows(world, both).await, before, "round {round}");
        assert_books_agree(db).await;
        // Merged once more, life goes on: all that was bought comes back, and days go by.
        merge(world, kept, absorbed).await.expect("merged");
        for (n, (_, sale)) in sales.iter().enumerate() {
            slip(&format!("{round}-back-{n}"), kept, at)
                .line("чай", -2, 10_000)
                .of(sale)
                .book(db)
                .await;
        }
        at = go_on(world, at + days(1));
        spend(db, kept, family, 2_00).await;
        at = go_on(world, at + days(5));
        crm::points::store::run_due(db, &BY).await.expect("due");
        assert_books_agree(db).await;
        undo(world, kept).await.expect("parted");
        assert_books_agree(db).await;
    }
});

both_engines!(what_stands_in_the_way_is_said, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    assert_eq!(obstacle(merge(world, anna, anna).await), Some(Obstacle::Same));
    sql!(
        world,
        "INSERT INTO factors (id, customer_id, kind, name, data, created_at, confirmed_at) VALUES ($1, $2, 'totp', '', 'x', $3, $3)",
        FactorId::new(),
        old.id(),
        start(),
    );
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::SecondFactor));
    // Whoever has one keeps it: the other way round nothing is walked around.
    merge(world, old, anna).await.expect("merged");
    undo(world, old).await.expect("parted");
    sql!(world, "DELETE FROM factors");

    let by = sign_in(db, old).await;
    erasure::ask(db, &by.fresh(db).expect("fresh"), true)
        .await
        .expect("asked");
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::Erasing));
    erasure::cancel(db, &by).await.expect("called off");

    sql!(
        world,
        "INSERT INTO number_changes (id, customer_id, phone, link_hash, asked_at, due_at, frozen_until) \
         VALUES ($1, $2, '+79000000009', $3, $4, $5, $5)",
        NumberChangeId::new(),
        old.id(),
        &vec![7_u8; 32],
        start(),
        start() + days(1),
    );
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::Frozen));
    sql!(world, "DELETE FROM number_changes");

    fund(db, old, 10_00, start()).await;
    let family = program(db, "family").await;
    let hold = reserve(db, old, family, "hold", 1_00).await.expect("reserved");
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::Held));
    spending::cancel(db, &BY, old, hold.id).await.expect("let go");

    execute!(db, "UPDATE customers SET registered_at = $1", start() - days(100))
        .await
        .expect("long ago");
    let number = card(db, anna, "active").await;
    let gift = give(db, old, &number, family, 1_00).await.expect("on the way");
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::OnTheWay));
    let by = sign_in(db, old).await;
    transfers::cancel(db, &by, gift).await.expect("called back");

    sql!(
        world,
        "UPDATE accounts SET balance = -1 WHERE kind = 'active' AND customer_id = $1",
        old.id()
    );
    assert_eq!(obstacle(merge(world, anna, old).await), Some(Obstacle::Debt));
});

both_engines!(
    who_joined_at_a_till_goes_into_a_whole_account_and_not_the_other_way,
    async |world| {
        let (anna, old) = two(world).await;
        let till = crm::till::NewTill {
            code: "k1".into(),
            name: "Касса".into(),
            source: "pos".into(),
            store: None,
        };
        let till = crm::till::store::create_by_system(&world.db, &BY, &till)
            .await
            .expect("a till");
        sql!(
            world,
            "INSERT INTO enrolments (id, till_id, customer_id, phone, created_at) VALUES ($1, $2, $3, $4, $5)",
            EnrolmentId::new(),
            till,
            old.id(),
            OLD,
            start(),
        );
        assert_eq!(obstacle(merge(world, old, anna).await), Some(Obstacle::Unregistered));
        merge(world, anna, old).await.expect("merged");
        let open = "SELECT COUNT(*) FROM enrolments WHERE completed_at IS NULL";
        assert_eq!(one!(world, i64, open), 0, "nobody completes what is another's");
        undo(world, anna).await.expect("parted");
        assert_eq!(one!(world, i64, open), 1);
    }
);

both_engines!(
    the_log_of_a_customer_has_the_rows_of_accounts_that_went_into_theirs,
    async |world| {
        let (anna, old) = two(world).await;
        let (older, boris) = (person(world, "+79000000003").await, person(world, "+79000000004").await);
        let db = &world.db;
        let by = administrator(world).await;
        for who in [anna, old, older, boris] {
            by.open(db, who.id(), Reason::Card).await.expect("opened");
        }
        // Whose rows are found of those who were opened then.
        let found = async |of: Subject| {
            let filter = Filter {
                by: Some(log::By::One(by.id().0)),
                action: "customer.read".into(),
                customer: Some(of.id()),
                ..Filter::default()
            };
            let listed = log::list(db, &by, &filter, None, 50).await.expect("listed");
            let anew = people::again(world, by.id()).await;
            let saved = log::export(db, &anew.fresh(db).expect("fresh"), &filter)
                .await
                .expect("saved");
            assert_eq!(listed, saved);
            let mut whose: Vec<_> = listed.into_iter().filter_map(|line| line.customer_id).collect();
            whose.sort_unstable();
            whose
        };
        let ids = |all: &[Subject]| {
            let mut ids: Vec<CustomerId> = all.iter().map(|who| who.id()).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(found(anna).await, ids(&[anna]));
        merge(world, old, older).await.expect("merged");
        go_on(world, start() + days(15));
        merge(world, anna, old).await.expect("merged");
        assert_eq!(found(anna).await, ids(&[anna, old, older]));
        assert_eq!(found(old).await, ids(&[old]), "its own");
        assert_eq!(found(boris).await, ids(&[boris]));
        undo(world, anna).await.expect("parted");
        assert_eq!(found(anna).await, ids(&[anna]));
        assert_eq!(found(old).await, ids(&[old, older]));
    }
);

both_engines!(numbers_lead_to_the_account_that_stays_and_back, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    contact(world, old.id(), Kind::Email, EMAIL).await;
    contact(world, anna.id(), Kind::Email, "typed@example.com").await;
    sql!(
        world,
        "UPDATE contacts SET verified_at = created_at WHERE customer_id = $1",
        old.id()
    );
    // What she only typed is the other's, who has proved it.
    sql!(
        world,
        "UPDATE contacts SET value = $1 WHERE value = 'typed@example.com'",
        EMAIL
    );
    let before = sign_in(db, old).await;
    let day = NaiveDate::from_ymd_opt(1990, 5, 3);
    sql!(world, "UPDATE customers SET birthday = $2 WHERE id = $1", old.id(), day);
    merge(world, anna, old).await.expect("merged");
    let holder = "SELECT customer_id FROM contacts WHERE value = $1 AND verified_at IS NOT NULL";
    for value in [OLD, NEW, EMAIL] {
        assert_eq!(one!(world, CustomerId, holder, value), anna.id(), "{value}");
    }
    let all = contacts::of(&mut db.read().await.expect("a connection"), anna)
        .await
        .expect("read");
    let main: Vec<&str> = all.iter().filter(|c| c.is_primary).map(|c| c.value.as_str()).collect();
    assert_eq!(main, [NEW, EMAIL], "her own number, and the address that she had not");
    let birthday = "SELECT COUNT(*) FROM customers WHERE birthday IS NOT NULL";
    assert_eq!(one!(world, i64, birthday), 2);
    // The sessions of the account that went are over.
    let sessions = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL AND customer_id = $1";
    assert_eq!(one!(world, i64, sessions, before.id()), 0);
    // Both accounts are told, at every contact.
    let told = "SELECT COUNT(*) FROM outbox WHERE template = 'merge_done'";
    assert_eq!(one!(world, i64, told), 3);
    sign_in(db, anna).await;
    undo(world, anna).await.expect("parted");
    for (value, who) in [(OLD, old), (NEW, anna), (EMAIL, old)] {
        assert_eq!(one!(world, CustomerId, holder, value), who.id(), "{value}");
    }
    assert_eq!(one!(world, i64, birthday), 1);
    assert_eq!(
        one!(world, i64, sessions, anna.id()),
        0,
        "nobody stays in the other's account"
    );
    // Without the other's number nobody would come in.
    merge(world, anna, old).await.expect("merged");
    sql!(world, "DELETE FROM contacts WHERE value = $1", NEW);
    assert_eq!(obstacle(undo(world, anna).await), Some(Obstacle::Unreachable));
});

both_engines!(
    what_an_account_tells_of_its_customer_comes_along_and_goes_back,
    async |world| {
        const ANSWER: &str = "INSERT INTO answers (customer_id, question, version, choice, at) \
        SELECT $1, c.question, c.version, c.code, $2 FROM questionnaire_choices c WHERE c.version = 1 AND c.position = \
        (SELECT MIN(k.position) FROM questionnaire_choices k WHERE k.question = c.question AND k.version = 1)";
        const TOLD: &str = "SELECT COUNT(*) FROM answers WHERE customer_id = $1";
        const WISHES: &str = "SELECT brands FROM wishes WHERE customer_id = $1";
        let (anna, old) = two(world).await;
        let db = &world.db;
        let at = db.now() - days(1);
        sql!(world, "UPDATE customers SET address = 'Тверь' WHERE id = $1", old.id());
        let wish = "INSERT INTO wishes (customer_id, brands, sizes, occasions, wishes, changed_at) VALUES ($1, $2, '', '', '', $3)";
        sql!(world, wish, old.id(), "Ива", at);
        // Who has sent the form has a row, with nothing in it.
        sql!(world, wish, anna.id(), "", at);
        sql!(world, ANSWER, old.id(), at);
        let answers = one!(world, i64, TOLD, old.id());
        assert!(answers > 1, "{answers}");
        merge(world, anna, old).await.expect("merged");
        let address = "SELECT COALESCE(address, '') FROM customers WHERE id = $1";
        assert_eq!(one!(world, String, address, anna.id()), "Тверь");
        assert_eq!(one!(world, String, WISHES, anna.id()), "Ива");
        assert_eq!(one!(world, i64, TOLD, anna.id()), answers);
        // What she tells meanwhile is hers.
        sql!(
            world,
            "UPDATE answers SET at = $2 WHERE customer_id = $1 AND question = (SELECT MIN(question) FROM answers)",
            anna.id(),
            db.now(),
        );
        undo(world, anna).await.expect("parted");
        assert_eq!(one!(world, String, address, anna.id()), "");
        let left = one!(
            world,
            i64,
            "SELECT COUNT(*) FROM wishes WHERE customer_id = $1",
            anna.id()
        );
        assert_eq!((left, one!(world, i64, TOLD, anna.id())), (0, 1));
        assert_eq!(one!(world, String, address, old.id()), "Тверь");
        assert_eq!(one!(world, String, WISHES, old.id()), "Ива");
        assert_eq!(one!(world, i64, TOLD, old.id()), answers);
    }
);

both_engines!(who_was_put_into_a_segment_meanwhile_stays_in_it, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let by = administrator(world).await;
    let id = segment::create(db, &by, "tea", &text("Чай")).await.expect("created");
    let other = segment::create(db, &by, "coffee", &text("Кофе"))
        .await
        .expect("created");
    for id in [id, other] {
        segment::put(db, &by, id, segment::Act::Add, OLD, false, "numbers")
            .await
            .expect("put");
    }
    merge(world, anna, old).await.expect("merged");
    world.clock.set(start() + Duration::hours(1));
    segment::put(db, &by, id, segment::Act::Add, NEW, false, "numbers")
        .await
        .expect("put");
    undo(world, anna).await.expect("parted");
    let within = "SELECT COUNT(*) FROM segment_members WHERE customer_id = $1";
    assert_eq!(one!(world, i64, within, anna.id()), 1, "where she was put");
    assert_eq!(one!(world, i64, within, old.id()), 2);
});

/// What somebody agrees to.
async fn agrees(db: &Db, who: Subject, code: &str) -> Option<Act> {
    let mut conn = db.read().await.expect("a connection");
    let history = consents::history(&mut conn, who).await.expect("read");
    history
        .iter()
        .find(|consent| consent.code == code)
        .map(|consent| consent.act)
}

async fn act(db: &Db, who: Subject, code: &str, act: Act) {
    let by = sign_in(db, who).await;
    let offered = consents::offered(&mut db.read().await.expect("a connection"))
        .await
        .expect("read");
    let version = offered
        .iter()
        .find(|purpose| purpose.code == code)
        .expect("offered")
        .version;
    consents::change(db, &by, code, act, version, Lang::Ru)
        .await
        .expect("done");
}

both_engines!(the_stricter_consent_counts, async |world| {
    const SMS: &str = "marketing_sms";
    const MAIL: &str = "marketing_email";
    let (anna, old) = two(world).await;
    let db = &world.db;
    for (who, code) in [(anna, SMS), (anna, MAIL), (old, SMS)] {
        act(db, who, code, Act::Given).await;
    }
    act(db, old, SMS, Act::Withdrawn).await;
    let child = ChildForm {
        day: "5".into(),
        month: "6".into(),
        year: "2020".into(),
        agreed: true,
    };
    let by = sign_in(db, old).await;
    customers::add_child(db, &by, &child, Lang::Ru).await.expect("a child");
    merge(world, anna, old).await.expect("merged");
    assert_eq!(
        agrees(db, anna, SMS).await,
        Some(Act::Withdrawn),
        "taken back in the other"
    );
    assert_eq!(agrees(db, anna, MAIL).await, Some(Act::Given));
    assert_eq!(
        agrees(db, anna, "child").await,
        Some(Act::Given),
        "with the child comes the consent"
    );
    let children = "SELECT COUNT(*) FROM children WHERE customer_id = $1";
    assert_eq!(one!(world, i64, children, anna.id()), 1);
    undo(world, anna).await.expect("parted");
    assert_eq!(agrees(db, anna, SMS).await, Some(Act::Given));
    assert_eq!(agrees(db, anna, "child").await, Some(Act::Withdrawn));
    assert_eq!(one!(world, i64, children, old.id()), 1);
});

both_engines!(limits_are_those_of_one_person, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let boris = customer(db).await;
    execute!(db, "UPDATE customers SET registered_at = $1", start() - days(100))
        .await
        .expect("long ago");
    let number = card(db, boris, "active").await;
    let family = program(db, "family").await;
    fund(db, old, 10_00, start()).await;
    give(db, old, &number, family, 4_00).await.expect("given");
    go_on(world, start() + Duration::hours(2));
    crm::points::store::run_due(db, &BY).await.expect("arrived");
    let left = async |who: Subject| {
        let mut conn = db.read().await.expect("a connection");
        transfers::allowance(&mut conn, who).await.expect("read").left_today
    };
    let (before, given) = (left(anna).await, left(old).await);
    assert!(given < before);
    merge(world, anna, old).await.expect("merged");
    assert_eq!(left(anna).await, given, "what the other gave counts");
    // New points are not given away by way of an old account.
    sql!(
        world,
        "UPDATE customers SET registered_at = $2 WHERE id = $1",
        old.id(),
        db.now()
    );
    let mut conn = db.read().await.expect("a connection");
    let allowance = transfers::allowance(&mut conn, anna).await.expect("read");
    assert!(allowance.from.is_some());
});

both_engines!(of_many_at_once_one_is_done, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    fund(db, anna, 3_00, start()).await;
    fund(db, old, 5_00, start()).await;
    let by = lead(world).await;
    let fresh = &by.fresh(db).expect("fresh");
    let all = (0..6).map(|n| {
        let (kept, absorbed) = if n % 2 == 0 { (anna, old) } else { (old, anna) };
        merge::merge_by_staff(db, fresh, kept.id(), absorbed.id(), "Одна покупательница")
    });
    let done = join_all(all).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert_eq!(held(db, anna).await.0 + held(db, old).await.0, 8_00);
    assert_books_agree(db).await;
    let undone = join_all((0..4).map(|_| merge::undo_by_staff(db, fresh, anna.id(), "Ошиблись"))).await;
    assert_eq!(undone.iter().filter(|done| done.is_ok()).count(), 1, "{undone:?}");
    assert_eq!((held(db, anna).await.0, held(db, old).await.0), (3_00, 5_00));
    assert_books_agree(db).await;
});

both_engines!(likely_duplicates_are_proposed, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let day = NaiveDate::from_ymd_opt(1990, 5, 3);
    let by = lead(world).await;
    assert_eq!(
        merge::duplicates(db, &by, anna.id()).await.expect("read"),
        [],
        "a name alone is none"
    );
    sql!(world, "UPDATE customers SET birthday = $1", day);
    contact(world, old.id(), Kind::Email, EMAIL).await;
    contact(world, anna.id(), Kind::Email, EMAIL).await;
    let number = &card(db, anna, "active").await;
    sql!(
        world,
        "UPDATE customers SET external_id = $2 WHERE id = $1",
        old.id(),
        number
    );
    for (who, other) in [(anna, old), (old, anna)] {
        let found = merge::duplicates(db, &by, who.id()).await.expect("read");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, other.id());
        assert_eq!(found[0].by, [Likeness::Email, Likeness::Person, Likeness::Card]);
    }
    let reads = "SELECT COUNT(*) FROM audit WHERE action = 'customer.read' AND reason = 'search'";
    assert_eq!(one!(world, i64, reads), 2, "that somebody was found is written down");
    let agent = crate::common::people::agent(world).await;
    let refused = merge::duplicates(db, &agent, anna.id()).await;
    assert!(matches!(refused, Err(crm::Error::Forbidden)), "{refused:?}");
    let fresh = agent.fresh(db).expect("fresh");
    let refused = merge::merge_by_staff(db, &fresh, anna.id(), old.id(), "Одна покупательница").await;
    assert!(
        matches!(refused, Err(MergeError::Crm(crm::Error::Forbidden))),
        "{refused:?}"
    );
});

both_engines!(whose_name_is_spelt_nearly_alike_is_proposed, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let by = lead(world).await;
    let (day, next) = (NaiveDate::from_ymd_opt(1990, 5, 3), NaiveDate::from_ymd_opt(1990, 5, 4));
    let named = async |who: Subject, name: &str, surname: &str, born: Option<NaiveDate>| {
        sql!(
            world,
            "UPDATE customers SET name = $2, surname = $3, search = $4, birthday = $5 WHERE id = $1",
            who.id(),
            name,
            surname,
            fold(&format!("{surname} {name}")),
            born
        );
    };
    named(anna, "Анна", "Семёнова", day).await;
    for (name, surname, born, by_what) in [
        ("Anna", "Semyonova", day, Some(Likeness::Spelling)),
        ("Семенова", "Ана", day, Some(Likeness::Spelling)),
        ("Анна", "Семнова", day, Some(Likeness::Spelling)),
        ("Анна", "Семенова", day, Some(Likeness::Person)),
        ("Анна", "Семнова", next, None),
        ("Анна", "Семнова", None, None),
        ("Ольга", "Семёнова", day, None),
        ("Анна", "", day, None),
    ] {
        named(old, name, surname, born).await;
        for (who, other) in [(anna, old), (old, anna)] {
            let found = merge::duplicates(db, &by, who.id()).await.expect("read");
            let found: Vec<_> = found.into_iter().map(|one| (one.id, one.by)).collect();
            let expected = by_what.map(|by| (other.id(), vec![by]));
            assert_eq!(found, Vec::from_iter(expected), "{name} {surname}");
        }
    }
    // What is not there any more is nobody's duplicate, and of many there are few.
    for _ in 0..12 {
        named(customer(db).await, "Anna", "Semenova", day).await;
    }
    assert_eq!(merge::duplicates(db, &by, anna.id()).await.expect("read").len(), 10);
    let now = db.now();
    sql!(
        world,
        "UPDATE customers SET erased_at = $2 WHERE id <> $1",
        anna.id(),
        now
    );
    assert_eq!(merge::duplicates(db, &by, anna.id()).await.expect("read"), []);
});

/// All pairs, page by page: the newer account of each first.
async fn all_pairs(world: &World, by: &Staff) -> Vec<Pair> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = pairs::pairs(&world.db, by, after).await.expect("read");
        assert!(page.pairs.len() <= pairs::PAIRS);
        all.extend(page.pairs);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

both_engines!(
    pairs_of_all_customers_are_worked_through_from_the_newest_on,
    async |world| {
        let (anna, old) = two(world).await;
        let db = &world.db;
        let by = lead(world).await;
        let mut all = vec![anna, old];
        for _ in 0..6 {
            all.push(customer(db).await);
        }
        assert_eq!(all_pairs(world, &by).await, [], "a name alone is none");
        let day = NaiveDate::from_ymd_opt(1990, 5, 3);
        sql!(world, "UPDATE customers SET birthday = $1", day);
        for who in &all[..2] {
            contact(world, who.id(), Kind::Email, EMAIL).await;
        }
        // Many who are like nobody came later: they are passed by.
        let strangers: Vec<_> = (0..1100).map(|n| (format!("Б{n}"), String::new())).collect();
        insert(world, &strangers).await;

        let ids = |pairs: &[Pair]| -> Vec<_> { pairs.iter().map(|pair| (pair.newer, pair.older)).collect() };
        let expected = |but: &[(usize, usize)]| -> Vec<_> {
            let each = (0..8)
                .rev()
                .flat_map(|newer| (0..newer).rev().map(move |older| (newer, older)));
            let left = each.filter(|pair| !but.contains(pair));
            left.map(|(newer, older)| (all[newer].id(), all[older].id())).collect()
        };
        let found = all_pairs(world, &by).await;
        assert_eq!(ids(&found), expected(&[]), "28 of them, on two pages");
        let last = found.last().expect("a pair");
        assert_eq!(last.by, [Likeness::Email, Likeness::Person]);
        assert_eq!(last.older_name, ("Анна".to_owned(), "К".to_owned()));
        assert_eq!(found[0].by, [Likeness::Person]);
        let listed = "SELECT COUNT(*) FROM audit WHERE action = 'duplicate.list' AND reason LIKE '% shown'";
        assert!(one!(world, i64, listed) >= 3);

        // Two who are two persons, whichever is named first, and by whoever says so once more.
        for (one, other) in [(1, 7), (7, 1)] {
            pairs::dismiss(db, &by, all[one].id(), all[other].id())
                .await
                .expect("remembered");
        }
        assert_eq!(ids(&all_pairs(world, &by).await), expected(&[(7, 1)]));
        let who = "SELECT COUNT(*) FROM distinct_customers WHERE staff_id = $1 AND at = $2";
        assert_eq!(one!(world, i64, who, by.id(), db.now()), 1);
        let told = "SELECT COUNT(*) FROM audit WHERE action = 'duplicate.dismiss' AND customer_id = $1";
        for who in [all[1], all[7]] {
            assert_eq!(one!(world, i64, told, who.id()), 1);
        }
        for (who, other) in [(1, 7), (7, 1)] {
            let found = merge::duplicates(db, &by, all[who].id()).await.expect("read");
            assert_eq!(found.len(), 6, "nor on the card");
            assert!(found.iter().all(|one| one.id != all[other].id()));
        }

        // Who thinks better of it, whichever is named first, brings them back; where nobody says it any more it is too late.
        pairs::propose(db, &by, all[1].id(), all[7].id())
            .await
            .expect("brought back");
        assert_eq!(ids(&all_pairs(world, &by).await), expected(&[]));
        let late = pairs::propose(db, &by, all[7].id(), all[1].id()).await;
        assert!(matches!(late, Err(crm::Error::Stale)), "{late:?}");
        let told = "SELECT COUNT(*) FROM audit WHERE action = 'duplicate.propose' AND customer_id = $1";
        for who in [all[1], all[7]] {
            assert_eq!(one!(world, i64, told, who.id()), 1);
        }
        pairs::dismiss(db, &by, all[7].id(), all[1].id())
            .await
            .expect("remembered");

        // What went into another one is no pair any more, and can be none.
        let (gone, heir) = (all[6].id(), all[5].id());
        sql!(world, "UPDATE customers SET merged_into = $2 WHERE id = $1", gone, heir);
        let gone: Vec<_> = (0..6).map(|older| (6, older)).chain([(7, 6), (7, 1)]).collect();
        assert_eq!(ids(&all_pairs(world, &by).await), expected(&gone));
        for (one, other) in [
            (all[5].id(), all[6].id()),
            (all[5].id(), all[5].id()),
            (all[5].id(), CustomerId::new()),
        ] {
            let refused = pairs::dismiss(db, &by, one, other).await;
            assert!(matches!(refused, Err(crm::Error::NotFound)), "{refused:?}");
        }
        let agent = crate::common::people::agent(world).await;
        let refused = pairs::pairs(db, &agent, None).await;
        assert!(matches!(refused, Err(crm::Error::Forbidden)), "{refused:?}");
        let refused = pairs::dismiss(db, &agent, all[2].id(), all[3].id()).await;
        assert!(matches!(refused, Err(crm::Error::Forbidden)), "{refused:?}");
        let refused = pairs::propose(db, &agent, all[7].id(), all[1].id()).await;
        assert!(matches!(refused, Err(crm::Error::Forbidden)), "{refused:?}");

        // Of who is erased nothing is remembered.
        let hers = sign_in(db, old).await;
        erasure::ask(db, &hers.fresh(db).expect("fresh"), true)
            .await
            .expect("asked");
        go_on(world, start() + days(30));
        assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
        assert_eq!(one!(world, i64, "SELECT COUNT(*) FROM distinct_customers"), 0);
    }
);

both_engines!(what_is_two_persons_is_told_the_last_first_and_by_whom, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let by = lead(world).await;
    let mut all = vec![anna, old];
    for _ in 0..5 {
        all.push(customer(db).await);
    }
    assert_eq!(pairs::different(db, &by, None).await.expect("read"), (vec![], None));
    // Twenty at one moment, and one of a minute later.
    let first = db.now();
    let each: Vec<_> = (0..7_usize)
        .flat_map(|newer| (0..newer).map(move |older| (newer, older)))
        .collect();
    for (newer, older) in &each {
        if (*newer, *older) == (6, 5) {
            go_on(world, first + Duration::minutes(1));
        }
        pairs::dismiss(db, &by, all[*newer].id(), all[*older].id())
            .await
            .expect("remembered");
    }
    let expected: Vec<_> = each
        .iter()
        .rev()
        .map(|(newer, older)| (all[*newer].id(), all[*older].id()))
        .collect();
    let (mut found, next) = pairs::different(db, &by, None).await.expect("read");
    assert_eq!(found.len(), pairs::PAIRS);
    assert_eq!((found[0].colleague.as_str(), found[0].at), ("Лада", db.now()));
    assert_eq!(found[1].at, first);
    assert_eq!(found[0].older_name, found[0].newer_name);
    let (rest, end) = pairs::different(db, &by, next).await.expect("read");
    assert_eq!((rest.len(), end), (1, None));
    found.extend(rest);
    let ids: Vec<_> = found.iter().map(|pair| (pair.newer, pair.older)).collect();
    assert_eq!(ids, expected);
    let told = "SELECT COUNT(*) FROM audit WHERE action = 'duplicate.list' AND reason = 'different: 20 shown'";
    assert_eq!(one!(world, i64, told), 1);

    // What was taken back is gone, and so is what went into another account.
    pairs::propose(db, &by, all[6].id(), all[5].id())
        .await
        .expect("brought back");
    let (gone, heir) = (all[0].id(), all[1].id());
    sql!(world, "UPDATE customers SET merged_into = $2 WHERE id = $1", gone, heir);
    let (found, next) = pairs::different(db, &by, None).await.expect("read");
    let ids: Vec<_> = found.iter().map(|pair| (pair.newer, pair.older)).collect();
    let left: Vec<_> = expected[1..]
        .iter()
        .filter(|(_, older)| *older != gone)
        .copied()
        .collect();
    assert_eq!((ids, next), (left, None));
    let agent = people::agent(world).await;
    let refused = pairs::different(db, &agent, None).await;
    assert!(matches!(refused, Err(crm::Error::Forbidden)), "{refused:?}");
});

both_engines!(who_is_erased_is_erased_whole, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    merge(world, anna, old).await.expect("merged");
    let by = sign_in(db, anna).await;
    erasure::ask(db, &by.fresh(db).expect("fresh"), true)
        .await
        .expect("asked");
    assert_eq!(obstacle(undo(world, anna).await), Some(Obstacle::Erasing));
    go_on(world, start() + days(30));
    assert_eq!(erasure::run_due(db, &BY).await.expect("erased"), 1);
    let left = "SELECT COUNT(*) FROM customers WHERE erased_at IS NULL OR name <> '—'";
    assert_eq!(one!(world, i64, left), 0);
    let reasons = "SELECT COUNT(*) FROM merges WHERE reason <> ''";
    assert_eq!(one!(world, i64, reasons), 0);
    assert_eq!(balance(db, anna).await.active, 0);
    assert_books_agree(db).await;
});

both_engines!(nothing_is_done_any_more_for_an_account_that_went, async |world| {
    let (anna, old) = two(world).await;
    let db = &world.db;
    let (by, staff) = (sign_in(db, old).await, lead(world).await);
    let correction = NewAdjustment {
        program: program(db, "club").await,
        points: 1_00,
        reason: "Ошибка кассы".into(),
        note: "Извините".into(),
        request: None,
    };
    let task = NewTask {
        title: "Позвонить".into(),
        due: db.shop().day(db.now()).to_string(),
        owner: staff.id().to_string(),
        ..NewTask::default()
    };
    merge(world, anna, old).await.expect("merged");
    // By a page that was open before: it would be found by nobody, or undone with the account.
    let asked = erasure::ask(db, &by.fresh(db).expect("fresh"), true).await;
    assert!(matches!(asked, Err(crm::Error::Stale)), "{asked:?}");
    let note = notes::add(db, &staff, old.id(), "Звонила", false).await;
    assert!(matches!(note, Err(crm::Error::Stale)), "{note:?}");
    let told = tasks::add(db, &staff, old.id(), &task).await;
    assert!(matches!(told, Err(crm::Error::Stale)), "{told:?}");
    let given = adjustments::adjust(db, &staff.fresh(db).expect("fresh"), old, &correction).await;
    assert!(matches!(given, Err(SpendError::Crm(crm::Error::Stale))), "{given:?}");
    assert_eq!(held(db, old).await, (0, 0));
    // For the one that stays all of it is done.
    notes::add(db, &staff, anna.id(), "Звонила", false)
        .await
        .expect("a note");
    tasks::add(db, &staff, anna.id(), &task).await.expect("a task");
    adjustments::adjust(db, &staff.fresh(db).expect("fresh"), anna, &correction)
        .await
        .expect("given");
    assert_eq!(held(db, anna).await, (1_00, 0));
});

both_engines!(requests_that_became_one_part_with_their_accounts, async |world| {
    let (kept, old) = two(world).await;
    let (db, agent) = (&world.db, lead(world).await);
    let write = async |who: Subject, text: &str| {
        let new = NewRequest {
            topic: "other".into(),
            text: text.into(),
            purchase: String::new(),
        };
        let proof = sign_in(db, who).await;
        requests::create(db, &proof, &new, &[]).await.expect("a request")
    };
    let (first, second) = (write(kept, "hers").await, write(old, "her sister's").await);
    merge(world, kept, old).await.expect("merged");
    crm::request::merge::merge(db, &agent, first, &[second.to_string()])
        .await
        .expect("one conversation");
    assert_eq!(
        requests::thread(db, kept, second).await.expect("hers").messages.len(),
        2
    );
    undo(world, kept).await.expect("parted");
    for (who, number, text) in [(kept, first, "hers"), (old, second, "her sister's")] {
        let thread = requests::thread(db, who, number).await.expect("their own");
        let said: Vec<&str> = thread.messages.iter().map(|message| message.body.as_str()).collect();
        assert_eq!(
            (thread.number, said),
            (number, vec![text]),
            "and nothing of the other's"
        );
        assert_eq!(
            thread.status,
            crm::request::Status::New,
            "each still waits for an answer"
        );
    }
    assert!(requests::thread(db, old, first).await.is_err());
    let open = one!(
        world,
        i64,
        "SELECT COUNT(*) FROM request_merges WHERE undone_at IS NULL"
    );
    assert_eq!(open, 0, "there is nothing to undo");
});

/// Does something while somebody else holds a customer, on PostgreSQL; whether it had got hold of a row that `rows` counts of the
/// customer's by the time that it waited for them.
async fn holds_before<T>(world: &World, who: Subject, rows: &'static str, doing: impl Future<Output = T>) -> (bool, T) {
    const HOLD: &str = "SELECT id FROM customers WHERE id = $1 FOR NO KEY UPDATE";
    const WAITING: &str =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let connect = async || sqlx::PgConnection::connect(&world.url).await.expect("it answers");
    let (mut holder, mut looker) = (connect().await, connect().await);
    let mut held = holder.begin().await.expect("a transaction");
    sqlx::query(HOLD)
        .bind(who.id())
        .execute(&mut *held)
        .await
        .expect("it is held");
    let looking = async {
        let mut waiting = 0_i64;
        for _ in 0..500 {
            if waiting > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            waiting = sqlx::query_scalar(WAITING)
                .fetch_one(&mut looker)
                .await
                .expect("a number");
        }
        assert!(waiting > 0, "nobody waits for the customer");
        let free: i64 = sqlx::query_scalar(rows)
            .bind(who.id())
            .fetch_one(&mut looker)
            .await
            .expect("a number");
        held.commit().await.expect("let go");
        free == 0
    };
    tokio::join!(looking, doing)
}

#[tokio::test]
async fn whoever_merges_holds_receipts_before_who_bought() {
    const FREE: &str =
        "SELECT COUNT(*) FROM (SELECT id FROM purchases WHERE customer_id = $1 FOR NO KEY UPDATE SKIP LOCKED) x";
    let world = &crm::testing::postgres().await;
    let (anna, old) = two(world).await;
    fund(&world.db, anna, 3_00, start()).await;
    fund(&world.db, old, 5_00, start()).await;
    let (is_held, done) = holds_before(world, anna, FREE, merge(world, anna, old)).await;
    done.expect("merged");
    assert!(is_held, "as whoever brings something back");
    assert_eq!(held(&world.db, anna).await.0, 8_00);
    assert_books_agree(&world.db).await;
}

#[tokio::test]
async fn whoever_consents_holds_the_customer_before_the_correction() {
    const FREE: &str =
        "SELECT COUNT(*) FROM (SELECT id FROM adjustments WHERE customer_id = $1 FOR NO KEY UPDATE SKIP LOCKED) x";
    let world = &crm::testing::postgres().await;
    let (anna, old) = two(world).await;
    let db = &world.db;
    let correction = NewAdjustment {
        program: program(db, "club").await,
        points: 1_000_000_00,
        reason: "Ошибка кассы".into(),
        note: "Извините".into(),
        request: None,
    };
    let (lada, other) = (lead(world).await, lead(world).await);
    let asked = adjustments::adjust(db, &lada.fresh(db).expect("fresh"), old, &correction)
        .await
        .expect("asked");
    let (is_held, done) = holds_before(
        world,
        old,
        FREE,
        adjustments::approve(db, &other.fresh(db).expect("fresh"), asked.id),
    )
    .await;
    done.expect("approved");
    assert!(!is_held, "as whoever merges");
    assert_eq!(held(db, old).await.0, 1_000_000_00);
    // What went over with an account meanwhile is given to whom it went.
    let asked = adjustments::adjust(db, &lada.fresh(db).expect("fresh"), old, &correction)
        .await
        .expect("asked");
    merge(world, anna, old).await.expect("merged");
    adjustments::approve(db, &other.fresh(db).expect("fresh"), asked.id)
        .await
        .expect("approved");
    assert_eq!(held(db, anna).await.0, 2_000_000_00);
    assert_books_agree(db).await;
}

both_engines!(
    corrections_are_consented_to_for_whoever_they_are_of_by_now,
    async |world| {
        let (kept, old) = two(world).await;
        let (db, asker, decider) = (&world.db, lead(world).await, lead(world).await);
        let club = program(db, "club").await;
        let ask = async |of: Subject, points: i64, request: Option<i64>| {
            let new = NewAdjustment {
                program: club,
                points,
                reason: "Ошибка кассы".into(),
                note: "Извините".into(),
                request,
            };
            adjustments::adjust(db, &asker.fresh(db).expect("fresh"), of, &new)
                .await
                .expect("asked")
        };
        let new = NewRequest {
            topic: "other".into(),
            text: "Где баллы?".into(),
            purchase: String::new(),
        };
        let proof = sign_in(db, old).await;
        let number = requests::create(db, &proof, &new, &[]).await.expect("a request");
        // Asked for before they became one: one is decided on meanwhile, the other after they parted.
        let (meanwhile, later) = (ask(old, 600_00, None).await, ask(old, 700_00, None).await);
        merge(world, kept, old).await.expect("merged");
        let done = adjustments::approve(db, &decider.fresh(db).expect("fresh"), meanwhile.id)
            .await
            .expect("approved");
        assert_eq!(done.customer_id, kept.id(), "whose account it is by now");
        let named = ask(kept, 1_00, Some(number)).await;
        assert_eq!(named.request, Some(number), "it is one person's");
        assert_eq!((held(db, kept).await, held(db, old).await), ((601_00, 0), (0, 0)));

        undo(world, kept).await.expect("parted");
        const OF: &str = "SELECT COUNT(*) FROM adjustments WHERE id = $1 AND customer_id = $2 AND request_id IS NULL";
        for (what, whose) in [(meanwhile.id, kept), (named.id, kept), (later.id, old)] {
            assert_eq!(one!(world, i64, OF, what, whose.id()), 1, "it is where its points are");
        }
        let mut conn = db.read().await.expect("a connection");
        let history = crm::points::store::history(&mut conn, kept, None, 10)
            .await
            .expect("read");
        let moved: Vec<_> = history.iter().map(|entry| entry.id).collect();
        let of = adjustments::requests(&mut conn, kept, &moved).await.expect("read");
        drop(conn);
        assert!(of.is_empty(), "no number of somebody else's request: {of:?}");
        let done = adjustments::approve(db, &decider.fresh(db).expect("fresh"), later.id)
            .await
            .expect("approved");
        assert_eq!(done.customer_id, old.id());
        assert_eq!((held(db, kept).await, held(db, old).await), ((601_00, 0), (700_00, 0)));
        assert_books_agree(db).await;
    }
);
