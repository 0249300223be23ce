//! Random histories of two customers, told to the ledger and to a model of it that was written apart, and compared. The
//! model does everything at the moment it is due, the ledger when the daily work comes round: so this also holds that late
//! work ends in the same books.
//!
//! `KABINET_TEST_HISTORIES` is how many histories are told, to both engines together, and `KABINET_TEST_THREADS` by how many
//! threads to each engine.

use crate::common::people::{again, lead};
use crate::common::*;
use crate::model::tiers::{Counted, Tiers};
use crate::model::{Model, PARTNERS, Refusal, Terms, Time, View};
use crate::rules::{publish, rule};
use chrono::Duration;
use crm::db::Db;
use crm::id::{ProgramId, ReservationId, TierId, TransferId};
use crm::lang::Localized;
use crm::on;
use crm::points::store::{SpendError, TransferError, adjustments, run_due as work, spending, transfers};
use crm::points::{AdjustmentState, NewAdjustment, NewTransfer, Policy, Receiver, ReservationState};
use crm::purchase::void::{VoidError, void};
use crm::purchase::{Kind, LineOutcome, Way};
use crm::rule::tier::{self, Downgrade, Measure, Tier};
use crm::rule::{Span, Window};
use crm::shop::Shop;
use crm::testing::{World, start};
use crm::till::receipt::{self, Item, NewReceipt, ReceiptError};
use crm::till::{NewTill, Scope, store as tills};
use crm::who::{self, Staff, Subject, Till};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many histories are told in one database: to verify all of it is part of each.
const PER_WORLD: u32 = 25;
/// Of ten histories so many are told to SQLite.
const SQLITE: u32 = 7;

#[derive(Clone, Debug)]
enum Event {
    Sale {
        who: usize,
        lines: Vec<(i64, i64)>,
        /// How many minutes ago.
        ago: i64,
    },
    Early {
        who: usize,
        line: (i64, i64),
        back: i64,
    },
    Return {
        sale: usize,
        line: usize,
        quantity: i64,
        /// How many minutes ago, where nothing has become due since.
        ago: i64,
    },
    VoidSale(usize),
    VoidReturn(usize),
    Reserve {
        who: usize,
        program: usize,
        points: i64,
    },
    Capture {
        hold: usize,
        part: i64,
        sale: Option<usize>,
    },
    Cancel(usize),
    /// A receipt that comes late.
    Late {
        hold: usize,
        part: i64,
        lines: Vec<(i64, i64)>,
        minutes: i64,
    },
    Send {
        from: usize,
        program: usize,
        points: i64,
    },
    CallBack(usize),
    /// Staff bring it back.
    Reverse(usize),
    /// Staff give points, or take them.
    Correct {
        who: usize,
        program: usize,
        points: i64,
    },
    Minutes(i64),
    Days(i64),
    Work,
}

const PROGRAMS: [&str; 2] = ["club", "family"];
const TERMS: [Terms; 2] = [
    Terms {
        share: 300,
        delay: 14,
        term: 365,
    },
    Terms {
        share: 200,
        delay: 0,
        term: 90,
    },
];

/// The tiers of the first program: for a few lines, for a good basket, for several of them.
const THRESHOLDS: [i64; 3] = [10_00, 1_000_00, 6_000_00];
/// In days.
const WINDOW: u32 = 40;
const GRACE: u32 = 15;
/// How many minutes ago a late sale was: no clock explains it, and its own points have not come and gone yet.
const AGO: [i64; 5] = [10, 25, 45, 24 * 60, 10 * 24 * 60];

fn tier_id(place: usize) -> TierId {
    TierId(uuid::Uuid::from_u128(place as u128 + 1))
}

async fn publish_tiers(db: &Db) {
    let tiers = tier::Tiers {
        measure: Measure::Sum,
        window: Window::Last(Span::Days(WINDOW)),
        downgrade: Downgrade::Earned,
        grace: Some(Span::Days(GRACE)),
        tiers: (0..THRESHOLDS.len())
            .map(|place| Tier {
                id: tier_id(place),
                name: Localized {
                    ru: format!("Ступень {place}"),
                    en: format!("Tier {place}"),
                },
                threshold: THRESHOLDS[place],
            })
            .collect(),
    };
    let club = program(db, PROGRAMS[0]).await;
    tier::store::publish_by_system(db, &BY, club, &tiers, None)
        .await
        .expect("published");
}

/// What partners pay for, as [`PARTNERS`] says it.
async fn publish_partners(db: &Db) {
    let club = program(db, PROGRAMS[0]).await;
    for (key, share, once) in PARTNERS {
        let effect = match once {
            0 => format!(r#"{{"points_share": {{"program": "{club}", "share": {share}}}}}"#),
            _ => format!(r#"{{"points_fixed": {{"program": "{club}", "points": {once}, "each": "line"}}}}"#),
        };
        publish(db, &rule(key, "", &effect, &format!(r#", "funded_by": "{key}""#))).await;
    }
}

fn event() -> impl Strategy<Value = Event> {
    let some = || 0..1000_usize;
    let line = || (1..5_i64, prop::sample::select(&[0_i64, 33, 4_99, 20_00, 1_250_00][..]));
    let points = || prop::sample::select(&[1_i64, 99, 5_00, 20_00, 60_00][..]);
    prop_oneof![
        6 => (0..2_usize, prop::collection::vec(line(), 1..4))
            .prop_map(|(who, lines)| Event::Sale { who, lines, ago: 0 }),
        2 => (0..2_usize, prop::collection::vec(line(), 1..4), prop::sample::select(&AGO[..]))
            .prop_map(|(who, lines, ago)| Event::Sale { who, lines, ago }),
        1 => (0..2_usize, line(), 1..6_i64).prop_map(|(who, line, back)| Event::Early { who, line, back }),
        4 => (some(), some(), 1..4_i64)
            .prop_map(|(sale, line, quantity)| Event::Return { sale, line, quantity, ago: 0 }),
        2 => (some(), some(), 1..4_i64, prop::sample::select(&AGO[..]))
            .prop_map(|(sale, line, quantity, ago)| Event::Return { sale, line, quantity, ago }),
        1 => some().prop_map(Event::VoidSale),
        2 => some().prop_map(Event::VoidReturn),
        5 => (0..2_usize, 0..2_usize, points()).prop_map(|(who, program, points)| Event::Reserve { who, program, points }),
        5 => (some(), 1..=4_i64, prop::option::weighted(0.8, some()))
            .prop_map(|(hold, part, sale)| Event::Capture { hold, part, sale }),
        1 => some().prop_map(Event::Cancel),
        4 => (some(), 1..=4_i64, prop::collection::vec(line(), 1..4), prop::sample::select(&AGO[..]))
            .prop_map(|(hold, part, lines, minutes)| Event::Late { hold, part, lines, minutes }),
        2 => (0..2_usize, 0..2_usize, points()).prop_map(|(from, program, points)| Event::Send { from, program, points }),
        1 => some().prop_map(Event::CallBack),
        1 => some().prop_map(Event::Reverse),
        2 => (0..2_usize, 0..2_usize, points(), any::<bool>()).prop_map(|(who, program, points, is_given)| Event::Correct {
            who,
            program,
            points: if is_given { points } else { -points },
        }),
        2 => (1..50_i64).prop_map(Event::Minutes),
        3 => prop::sample::select(&[1_i64, 13, 20, 80, 300][..]).prop_map(Event::Days),
        2 => Just(Event::Work),
    ]
}

/// A history on its way through both.
struct Told<'w> {
    world: &'w World,
    db: &'w Db,
    till: &'w Till,
    staff: &'w Staff,
    programs: [ProgramId; 2],
    who: [Subject; 2],
    cards: [String; 2],
    model: Model,
    counted: Counted,
    /// Where the model of tiers counts sales and returns.
    sales_at: Vec<usize>,
    backs_at: Vec<usize>,
    /// What the ledger calls what the model counts.
    sales: Vec<String>,
    backs: Vec<String>,
    holds: Vec<ReservationId>,
    gifts: Vec<TransferId>,
    wait: Duration,
    hold_term: Duration,
    step: usize,
}

impl Told<'_> {
    fn document(&mut self) -> String {
        self.step += 1;
        format!("{}-{}", self.step, self.who[0].id())
    }

    fn slip(&self, document: &str, who: usize) -> Slip {
        slip(document, self.who[who], self.model.now)
    }

    async fn tell(&mut self, event: Event) {
        self.pass(Duration::minutes(1));
        match event {
            Event::Sale { who, lines, ago } => {
                // Nobody was a member before the history begins.
                let first = start() + Duration::minutes(1);
                let at = (self.model.now - Duration::minutes(ago)).max(first);
                let document = self.document();
                let mut sale = slip(&document, self.who[who], at);
                for (n, (quantity, price)) in lines.iter().enumerate() {
                    sale = sale.line(&n.to_string(), *quantity, *price);
                }
                sale.book(self.db).await;
                self.model.sell(who, &lines, at);
                self.sold(who, document, &lines, at);
            }
            Event::Early { who, line, back } => {
                let (early, document) = (self.document(), self.document());
                let waits = self.slip(&early, who).line("0", -back, line.1).of_line(&document, 1);
                assert_eq!(waits.book(self.db).await.lines, [LineOutcome::Waiting]);
                self.slip(&document, who).line("0", line.0, line.1).book(self.db).await;
                // What is never matched is money given back all the same.
                let place = self.counted.add(who, self.model.now, -back * line.1);
                let sale = self.model.sell(who, &[line], self.model.now);
                self.sold(who, document, &[line], self.model.now);
                if self.model.bring_back(sale, 0, back, self.model.now) {
                    self.backs.push(early);
                    self.backs_at.push(place);
                }
            }
            Event::Return {
                sale,
                line,
                quantity,
                ago,
            } if self.model.sales() > 0 => {
                let sale = sale % self.model.sales();
                let line = line % self.model.lines(sale);
                let (owner, now) = (self.model.owner(sale), self.model.now);
                let at = now - Duration::minutes(ago);
                let is_quiet = at > start() && self.model.is_quiet_since(owner, at);
                let at = if is_quiet { at } else { now };
                let document = self.document();
                let back = slip(&document, self.who[owner], at)
                    .line(&line.to_string(), -quantity, 1)
                    .of_line(&self.sales[sale], line as i64 + 1);
                let booked = back.try_book(self.db).await;
                if self.model.bring_back(sale, line, quantity, at) {
                    booked.expect("booked");
                    self.backs.push(document);
                    let place = self.counted.add(owner, at, -quantity);
                    self.backs_at.push(place);
                } else {
                    assert!(matches!(booked, Err(crm::Error::NotBought { .. })), "{booked:?}");
                }
            }
            Event::VoidSale(sale) if self.model.sales() > 0 => {
                let sale = sale % self.model.sales();
                let done = void(self.db, &BY, "till", &self.sales[sale]).await;
                if self.model.void_sale(sale) {
                    done.expect("voided");
                    self.counted.void(self.sales_at[sale]);
                } else {
                    assert!(matches!(done, Err(VoidError::Returned)), "{done:?}");
                }
            }
            Event::VoidReturn(back) if self.model.backs() > 0 => {
                let back = back % self.model.backs();
                let done = void(self.db, &BY, "till", &self.backs[back]).await;
                match self.model.void_return(back) {
                    Ok(()) => {
                        done.expect("voided");
                        self.counted.void(self.backs_at[back]);
                    }
                    Err(want) => {
                        assert!(
                            matches!(done, Err(VoidError::NotEnough { missing }) if missing == want),
                            "{want} {done:?}"
                        );
                    }
                }
            }
            Event::Reserve { who, program, points } => {
                let key = self.document();
                let done = reserve(self.db, self.who[who], self.programs[program], &key, points).await;
                match self.model.reserve(who, program, points, self.hold_term) {
                    Ok(_) => self.holds.push(done.expect("reserved").id),
                    Err(want) => {
                        assert!(
                            matches!(done, Err(SpendError::NotEnough { missing }) if missing == want),
                            "{want} {done:?}"
                        );
                    }
                }
            }
            Event::Capture { hold, part, sale } if self.model.holds() > 0 => self.capture(hold, part, sale).await,
            Event::Late {
                hold,
                part,
                lines,
                minutes,
            } if self.model.holds() > 0 => self.late(hold, part, &lines, Duration::minutes(minutes)).await,
            Event::Cancel(hold) if self.model.holds() > 0 => {
                let hold = hold % self.model.holds();
                let who = self.who[self.model.hold_owner(hold)];
                let done = spending::cancel(self.db, &BY, who, self.holds[hold]).await;
                if self.model.is_held(hold) {
                    assert_eq!(done.expect("cancelled").state, ReservationState::Cancelled);
                    self.model.release(hold);
                }
            }
            Event::Send { from, program, points } => {
                let by = sign_in(self.db, self.who[from]).await;
                let new = NewTransfer {
                    to: Receiver::Card(self.cards[1 - from].clone()),
                    program: self.programs[program],
                    points,
                };
                let done = transfers::transfer(self.db, &by.fresh(self.db).expect("fresh"), &new).await;
                match self.model.send(from, 1 - from, program, points, self.wait) {
                    Ok(_) => self.gifts.push(done.expect("sent")),
                    Err(want) => {
                        assert!(
                            matches!(done, Err(TransferError::NotEnough { missing }) if missing == want),
                            "{want} {done:?}"
                        );
                    }
                }
            }
            Event::CallBack(gift) if self.model.gifts() > 0 => {
                let gift = gift % self.model.gifts();
                let by = sign_in(self.db, self.who[self.model.sender(gift)]).await;
                let done = transfers::cancel(self.db, &by, self.gifts[gift]).await;
                if self.model.call_back(gift) {
                    done.expect("called back");
                } else {
                    assert!(matches!(done, Err(crm::Error::Stale)), "{done:?}");
                }
            }
            Event::Reverse(gift) if self.model.gifts() > 0 => {
                let gift = gift % self.model.gifts();
                let by = again(self.world, self.staff.id()).await;
                let fresh = &by.fresh(self.db).expect("fresh");
                let done = transfers::reverse(self.db, fresh, self.gifts[gift], "Ошибка").await;
                if self.model.reverse(gift) {
                    done.expect("brought back");
                } else {
                    assert!(matches!(done, Err(crm::Error::Stale)), "{done:?}");
                }
            }
            Event::Correct { who, program, points } => {
                let new = NewAdjustment {
                    program: self.programs[program],
                    points,
                    reason: "Ошибка кассы".into(),
                    note: "Извините".into(),
                    request: None,
                };
                let by = again(self.world, self.staff.id()).await;
                let fresh = &by.fresh(self.db).expect("fresh");
                let done = adjustments::adjust(self.db, fresh, self.who[who], &new).await;
                let refused = match points {
                    0.. => {
                        self.model.grant(who, program, points);
                        Ok(())
                    }
                    _ => self.model.withdraw(who, program, -points),
                };
                match refused {
                    Ok(()) => assert_eq!(done.expect("corrected").state, AdjustmentState::Booked),
                    Err(want) => {
                        assert!(
                            matches!(done, Err(SpendError::NotEnough { missing }) if missing == want),
                            "{want} {done:?}"
                        );
                    }
                }
            }
            Event::Minutes(n) => self.pass(Duration::minutes(n)),
            Event::Days(n) => self.pass(days(n)),
            Event::Work => self.compare().await,
            // Nothing is there yet that it could happen to.
            _ => {}
        }
    }

    fn sold(&mut self, who: usize, document: String, lines: &[(i64, i64)], at: Time) {
        let sum = lines.iter().map(|(quantity, price)| quantity * price).sum();
        self.sales_at.push(self.counted.add(who, at, sum));
        self.sales.push(document);
    }

    async fn capture(&mut self, hold: usize, part: i64, sale: Option<usize>) {
        let hold = hold % self.model.holds();
        let owner = self.model.hold_owner(hold);
        let sale = sale
            .filter(|_| self.model.sales() > 0)
            .map(|sale| sale % self.model.sales());
        let purchase = match sale {
            Some(sale) => Some(self.purchase(sale).await),
            None => None,
        };
        let points = (self.model.held_points(hold) * part / 4).max(1);
        let done = spending::capture(self.db, &BY, self.who[owner], self.holds[hold], points, purchase).await;
        if sale.is_some_and(|sale| !self.model.is_payable(sale, owner)) {
            assert!(matches!(done, Err(SpendError::Crm(crm::Error::NotFound))), "{done:?}");
            return;
        }
        if !self.model.is_held(hold) {
            // What was captured in the same way before is left as it is.
            assert!(
                matches!(&done, Err(SpendError::Ended(_) | SpendError::Reused))
                    || matches!(&done, Ok(known) if known.state == ReservationState::Captured),
                "{done:?}"
            );
            return;
        }
        match self.model.capture(hold, points, sale) {
            Ok(()) => assert_eq!(done.expect("captured").captured, points),
            Err(Refusal::Missing(want)) => {
                assert!(
                    matches!(done, Err(SpendError::NotEnough { missing }) if missing == want),
                    "{want} {done:?}"
                );
            }
            Err(Refusal::TooMuch(want)) => {
                assert!(
                    matches!(done, Err(SpendError::TooMuch { most }) if most == want),
                    "{want} {done:?}"
                );
            }
        }
    }

    /// What was sold a while ago, and is told only now: within two weeks, before its own points have come and gone.
    async fn late(&mut self, hold: usize, part: i64, lines: &[(i64, i64)], ago: Duration) {
        let hold = hold % self.model.holds();
        let at = self.model.now - ago;
        let worth: i64 = lines.iter().map(|(quantity, price)| quantity * price).sum();
        // Each line is paid with money as well, so that it earns.
        let points = (self.model.held_points(hold) * part / 4).max(1).min(worth / 2);
        if points == 0 || at < start() {
            return;
        }
        let owner = self.model.hold_owner(hold);
        let document = self.document();
        let item = |(n, (quantity, price)): (usize, &(i64, i64))| Item {
            article: n.to_string(),
            quantity: *quantity,
            price: *price,
            ..Item::default()
        };
        let receipt = NewReceipt {
            kind: Kind::Sale,
            document: document.clone(),
            at,
            store: None,
            customer: Some(self.who[owner].id()),
            card: None,
            lines: lines.iter().enumerate().map(item).collect(),
            redeem: Some((self.holds[hold], points)),
            code: None,
            way: Way::default(),
            coupons: Vec::new(),
        };
        let done = receipt::book(self.db, self.till, &receipt).await;
        if !self.model.takes_late(hold, at) {
            assert!(matches!(done, Err(ReceiptError::Spend(_))), "{done:?}");
            return;
        }
        let paid = self.model.sell_late(hold, lines, at, points);
        let booked = done.expect("booked");
        let told: i64 = booked.paid.iter().map(|one| one.points).sum();
        assert_eq!((told, booked.unpaid), (paid, points - paid));
        self.sales_at.push(self.counted.add(owner, at, worth));
        self.sales.push(document);
    }

    async fn purchase(&self, sale: usize) -> crm::id::PurchaseId {
        const SQL: &str = "SELECT id FROM purchases WHERE source = 'till' AND document = $1";
        let mut conn = self.db.read().await.expect("a connection");
        on!(conn, |c| sqlx::query_scalar(SQL)
            .bind(&self.sales[sale])
            .fetch_one(c)
            .await)
        .expect("it is there")
    }

    fn pass(&mut self, by: Duration) {
        self.model.advance(self.model.now + by);
        self.world.clock.set(self.model.now);
    }

    /// Does the daily work, after which both say the same.
    async fn compare(&self) {
        work(self.db, &BY).await.expect("the daily work");
        tier::store::run_due(self.db, &BY).await.expect("the daily work");
        assert_eq!(
            paid_for(self.db, self.who).await,
            self.model.paid_for(),
            "what partners and the shop pay for"
        );
        for (n, who) in self.who.iter().enumerate() {
            for (m, program) in self.programs.iter().enumerate() {
                let told = view(self.db, *who, *program).await;
                assert_eq!(told, self.model.view(n, m), "customer {n}, {}", PROGRAMS[m]);
            }
            let expected = self.counted.tier(n, self.model.now).map(tier_id);
            let told = standing(self.db, *who, self.programs[0]).await;
            assert_eq!(
                told,
                (expected, expected),
                "the tier of customer {n}, reckoned and kept"
            );
        }
    }
}

/// What the ledger says of a customer in a program.
async fn view(db: &Db, who: Subject, program: ProgramId) -> View {
    const LOTS: &str =
        "SELECT remaining, expires_at FROM lots WHERE customer_id = $1 AND program_id = $2 AND remaining > 0";
    let balance = balance(db, who).await;
    let of_program = balance.programs.iter().find(|p| p.program == program);
    let mut conn = db.read().await.expect("a connection");
    let mut lots: Vec<(i64, Time)> = on!(conn, |c| sqlx::query_as(LOTS)
        .bind(who.id())
        .bind(program)
        .fetch_all(c)
        .await)
    .expect("lots");
    lots.sort_by_key(|(left, until)| (*until, *left));
    of_program.map_or((0, 0, 0, Vec::new()), |p| (p.active, p.pending, p.reserved, lots))
}

/// What the ledger says that each partner has paid for, and the shop last.
async fn paid_for(db: &Db, who: [Subject; 2]) -> Vec<i64> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(o.amount), 0) AS BIGINT) FROM transactions t \
        JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id \
        WHERE t.customer_id IN ($1, $2) AND a.kind IN ('issued', 'partner') AND COALESCE(a.partner_key, '') = $3";
    let mut conn = db.read().await.expect("a connection");
    let mut all = Vec::new();
    for key in PARTNERS.map(|(key, ..)| key).into_iter().chain([""]) {
        let sum: i64 = on!(conn, |c| sqlx::query_scalar(SQL)
            .bind(who[0].id())
            .bind(who[1].id())
            .bind(key)
            .fetch_one(c)
            .await)
        .expect("a sum");
        all.push(-sum);
    }
    all
}

/// The tier of a customer: as it is reckoned, and as it is kept.
async fn standing(db: &Db, who: Subject, program: ProgramId) -> (Option<TierId>, Option<TierId>) {
    const KEPT: &str = "SELECT tier_id FROM tier_standings WHERE customer_id = $1 AND program_id = $2";
    let mut conn = db.read().await.expect("a connection");
    let reckoned = tier::store::standing(&mut conn, who, program).await.expect("reckoned");
    let kept = on!(conn, |c| sqlx::query_scalar(KEPT)
        .bind(who.id())
        .bind(program)
        .fetch_one(c)
        .await)
    .expect("it is kept");
    (reckoned.expect("a member").1.tier, kept)
}

async fn live(world: &World, db: &Db, till: &Till, staff: &Staff, events: Vec<Event>) {
    world.clock.set(start());
    // Days go back for those of the last history, and tiers with them: they are no members any more.
    for sql in ["DELETE FROM tier_standings", "DELETE FROM memberships"] {
        execute!(db, sql).await.expect("left");
    }
    let who = [customer(db).await, customer(db).await];
    const SINCE: &str = "UPDATE customers SET registered_at = $1 WHERE registered_at > $1";
    execute!(db, SINCE, start() - days(100)).await.expect("long ago");
    let mut cards = Vec::new();
    for one in who {
        cards.push(card(db, one, "active").await);
        for code in PROGRAMS {
            join(db, one, code, start()).await;
        }
    }
    let policy = &db.shop().points;
    let mut told = Told {
        world,
        db,
        till,
        staff,
        programs: [program(db, "club").await, program(db, "family").await],
        who,
        cards: cards.try_into().expect("two cards"),
        model: Model::new(start(), TERMS.to_vec(), -policy.floor(), policy.refund_term()),
        counted: Counted::new(Tiers {
            thresholds: THRESHOLDS.to_vec(),
            window: WINDOW.into(),
            grace: GRACE.into(),
        }),
        sales_at: Vec::new(),
        backs_at: Vec::new(),
        sales: Vec::new(),
        backs: Vec::new(),
        holds: Vec::new(),
        gifts: Vec::new(),
        wait: policy.transfer_wait(),
        hold_term: policy.reserve_term(),
        step: 0,
    };
    for event in events {
        told.tell(event).await;
    }
    told.compare().await;
    assert_books_agree(db).await;
    // In the end everything has expired, and only debts are left.
    told.pass(days(2000));
    told.compare().await;
}

/// A number that the environment may give.
fn number(name: &str, otherwise: u32) -> u32 {
    let wanted = std::env::var(name).ok();
    wanted.map_or(otherwise, |n| {
        n.parse().unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// How many histories there are to tell in all.
fn histories() -> u32 {
    number("KABINET_TEST_HISTORIES", 1000)
}

/// Tells so many histories, each thread in databases of its own. The first that fails ends it.
fn tell(histories: u32, world: impl AsyncFn() -> World + Sync) {
    let begun = AtomicU32::new(0);
    let some = || {
        let before = begun.fetch_add(PER_WORLD, Ordering::Relaxed);
        histories.saturating_sub(before).min(PER_WORLD)
    };
    let thread = || -> Result<(), String> {
        loop {
            let cases = some();
            if cases == 0 {
                return Ok(());
            }
            tell_some(cases, &world).inspect_err(|_| begun.store(histories, Ordering::Relaxed))?;
        }
    };
    let told: Result<(), String> = std::thread::scope(|scope| {
        let threads = number("KABINET_TEST_THREADS", 1).max(1);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(thread)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread ended"))
    });
    if let Err(e) = told {
        panic!("{e}");
    }
}

/// Tells some histories in one database; what went wrong with one, once it is as short as can be.
fn tell_some(cases: u32, world: &impl AsyncFn() -> World) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (world, db, till, staff) = runtime.block_on(async {
        let world = world().await;
        ready(&world).await;
        publish_tiers(&world.db).await;
        publish_partners(&world.db).await;
        let staff = lead(&world).await;
        let shop = Shop {
            points: Policy {
                // Near enough to be reached, and no limit on what is given away, by customers or by staff.
                floor: -30,
                transfers_per_day: 1_000_000,
                transfers_per_month: 1_000_000,
                adjustments_per_day: 1_000_000,
                adjustments_per_month: 1_000_000,
                ..Policy::default()
            },
            ..Shop::default()
        };
        let db = Db::open(&world.url, shop, world.clock.clone()).await.expect("it opens");
        // Its receipts are of the same source as all others, which no till of a shop can have.
        let new = NewTill {
            code: "late".into(),
            name: "late".into(),
            source: "late".into(),
            store: None,
        };
        let id = tills::create_by_system(&db, &BY, &new).await.expect("a till");
        execute!(&db, "UPDATE tills SET source = 'till'")
            .await
            .expect("renamed");
        let key = tills::create_key_by_system(&db, &BY, id, &Scope::ALL)
            .await
            .expect("a key");
        let till = who::till(&db, &key).await.expect("no error").expect("a good key");
        (world, db, till, staff)
    });
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&prop::collection::vec(event(), 1..20), |events| {
        runtime.block_on(live(&world, &db, &till, &staff, events));
        Ok(())
    });
    drop(db);
    runtime.block_on(crm::testing::remove(world));
    result.map_err(|e| e.to_string())
}

#[test]
fn the_ledger_says_what_the_model_says_sqlite() {
    tell(histories() * SQLITE / 10, async || crm::testing::sqlite().await);
}

#[test]
fn the_ledger_says_what_the_model_says_postgres() {
    tell(histories() * (10 - SQLITE) / 10, async || {
        crm::testing::postgres().await
    });
}
