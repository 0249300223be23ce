//! A server moves what it awaits between threads, and where the compiler cannot tell that a function's future may be
//! moved, it says so only where a page awaits it. So it is held here, beside the functions: this compiles, or what is
//! named here cannot be called from a page.

use crm::Error;
use crm::card::store as cards;
use crm::customer::store as customers;
use crm::db::Db;
use crm::dialogue::store::{self as dialogue, Speaker};
use crm::dialogue::{Channel, Input};
use crm::find::store as find;
use crm::fraud::{self, store as alerts};
use crm::id::{
    AdjustmentId, AttachmentId, CalendarId, CardId, CustomerId, FraudAlertId, LinkId, MessageId, PolicyId, ProgramId,
    PurchaseId, QuestionId, ReceiptCorrectionId, SimulationId, StaffId, TransferId,
};
use crm::invite::store as invitations;
use crm::lang::Lang;
use crm::points::NewAdjustment;
use crm::points::store::{adjustments, rewards, transfers};
use crm::purchase::amend::{self, Act};
use crm::purchase::void::void;
use crm::question::{self, NewQuestion, store as questions};
use crm::request::level::managing::{self, NewCalendar, NewPolicy};
use crm::request::level::store as levels;
use crm::request::{Filter, NewRating, NewRequest, Sort, Status, Thread, store as requests};
use crm::rule::Rule;
use crm::rule::store::{self as rules, awaited, days, simulating};
use crm::rule::tier::{Tiers, store as tiers};
use crm::staff::managing::{self as colleagues, Invitation};
use crm::staff::roles::{self, NewRole};
use crm::staff::store as staff;
use crm::text::{Kind, Text, store as texts};
use crm::till::waiting;
use crm::who::{self, Customer, Reason, Staff, System, Token, Visitor};
use crm::{audit, merge, outbox, promotion, request, stores};

fn movable<T: Send>(_: T) {}

/// Never called: it is enough that it compiles.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn a_server_can_await_these(
    db: Db,
    customer: Customer,
    agent: Staff,
    shown: Thread,
    system: System,
    adjustment: NewAdjustment,
    rule: Rule,
) {
    movable(async move {
        requests::create(&db, &customer, &NewRequest::default(), &[]).await?;
        requests::answer(&db, &customer, 1, "", &[]).await?;
        let speaker = Speaker {
            channel: Channel::Web,
            customer: Some(&customer),
            token: None,
            attempt: None,
            invite: None,
            lang: Lang::Ru,
            visitor: &Visitor::default(),
        };
        dialogue::say(&db, &speaker, Input::Typed("")).await?;
        dialogue::conversation(&db, &speaker).await?;
        requests::close(&db, &customer, 1).await?;
        requests::reopen(&db, &customer, 1).await?;
        requests::rate(&db, &customer, 1, &NewRating::default()).await?;
        requests::staff_file(&db, &agent, 1, AttachmentId::new()).await?;
        requests::mark_seen(&db, &customer, &shown).await?;
        requests::thread(&db, customer.me(), 1).await?;
        requests::queue(&db, &agent, &Filter::default(), Sort::Waiting, None, 1).await?;
        requests::open(&db, &agent, 1).await?;
        levels::run_due(&db, &system, || true).await?;
        let (calendar, policy) = (NewCalendar::default(), NewPolicy::default());
        managing::list(&db, &agent).await?;
        managing::add_calendar(&db, &agent, &calendar).await?;
        managing::change_calendar(&db, &agent, CalendarId::new(), db.now(), &calendar).await?;
        managing::add_policy(&db, &agent, &policy).await?;
        managing::change_policy(&db, &agent, PolicyId::new(), db.now(), &policy).await?;
        managing::remove_policy(&db, &agent, PolicyId::new()).await?;
        requests::staff_answer(&db, &agent, 1, "", &[], db.now()).await?;
        requests::write_to(&db, &agent, CustomerId::new(), "", "").await?;
        requests::note(&db, &agent, 1, "", &[]).await?;
        requests::set_status(&db, &agent, 1, Status::Open, db.now()).await?;
        requests::assign_to_me(&db, &agent, 1, None).await?;
        requests::unassign(&db, &agent, 1, None).await?;
        request::draft::keep(&db, &agent, 1, request::draft::Draft::Note, "").await?;
        request::link::with_request(&db, &agent, 1, request::link::Bond::Related, "").await?;
        request::link::with_purchase(&db, &agent, 1, &request::link::Chosen::default()).await?;
        request::link::remove(&db, &agent, 1, LinkId::new()).await?;
        request::merge::merge(&db, &agent, 1, &[]).await?;
        request::merge::part(&db, &agent, 1, 2).await?;
        request::merge::split(&db, &agent, 1, MessageId::new()).await?;
        request::mention::inbox(&db, &agent, None, 1).await?;
        let id = request::macros::create(&db, &agent, &request::macros::NewMacro::default()).await?;
        request::macros::change(&db, &agent, id, db.now(), &request::macros::NewMacro::default()).await?;
        request::macros::run(&db, &agent, 1, id, db.now(), |_, _| String::new()).await?;
        request::macros::remove(&db, &agent, id).await?;
        let (id, now) = (FraudAlertId::new(), db.now());
        fraud::finding::run_due(&db, &system, || true).await?;
        alerts::list(&db, &agent, fraud::State::Open, None, None, 1).await?;
        alerts::open(&db, &agent, id, None, 1).await?;
        alerts::dismiss(&db, &agent, id, now, "").await?;
        alerts::set_rule(&db, &agent, fraud::Rule::Ring, now, &alerts::NewSetting::default()).await?;
        fraud::stop::begin(&db, &agent, id, CustomerId::new(), "").await?;
        fraud::stop::lift(&db, &agent.fresh(&db)?, CustomerId::new(), "").await?;
        let (id, now) = (QuestionId::new(), db.now());
        questions::ask(&db, &customer, &NewQuestion::default(), Lang::Ru).await?;
        questions::queue(&db, &agent, question::State::New, None, 1).await?;
        questions::publish(&db, &agent, id, now, &question::Edit::default()).await?;
        questions::unpublish(&db, &agent, id, now).await?;
        questions::decline(&db, &agent, id, now, "").await?;
        questions::move_to_support(&db, &agent, id, now).await?;
        texts::list(&db, &agent, Kind::Topic).await?;
        texts::create_topic(&db, &agent, "", &Text::default()).await?;
        texts::draft(&db, &agent, Kind::Topic, "", None, &Text::default()).await?;
        texts::discard(&db, &agent, Kind::Topic, "", now).await?;
        texts::publish(&db, &agent.fresh(&db)?, Kind::Topic, "", now).await?;
        find::search(&db, &agent, "").await?;
        find::everything(&db, &agent, "").await?;
        find::fill(&db, &system, || true).await?;
        staff::disable(&db, &system, StaffId::new()).await?;
        agent.open(&db, CustomerId::new(), Reason::Card).await?;
        who::customer(&db, &Token::random(), &Visitor::default()).await?;
        who::staff(&db, &Token::random(), &Visitor::default()).await?;
        outbox::deliver_to_inbox(&db, &system).await?;
        outbox::inbox(&db, 1).await?;
        drop(adjustments::adjust(&db, &agent.fresh(&db)?, customer.me(), &adjustment).await);
        drop(adjustments::approve(&db, &agent.fresh(&db)?, AdjustmentId::new()).await);
        drop(adjustments::refuse(&db, &agent, AdjustmentId::new()).await);
        adjustments::awaiting(&db, &agent, None, 1).await?;
        let (receipt, correction) = ((CustomerId::new(), PurchaseId::new()), ReceiptCorrectionId::new());
        drop(amend::preview(&db, &agent, receipt, &Act::Void).await);
        drop(amend::amend(&db, &agent.fresh(&db)?, receipt, &Act::Void, "", "").await);
        drop(amend::approve(&db, &agent.fresh(&db)?, correction).await);
        amend::refuse(&db, &agent, correction).await?;
        amend::awaiting(&db, &agent, None, 1).await?;
        waiting::list(&db, &agent, None, 1).await?;
        let id = rules::create(&db, &agent, &rule).await?;
        rules::change(&db, &agent, id, None, &rule).await?;
        rules::discard(&db, &agent, id, db.now()).await?;
        rules::list(&db, &agent).await?;
        rules::history(&db, &agent, id).await?;
        drop(rules::publish(&db, &agent.fresh(&db)?, id, db.now(), None).await);
        rules::withdraw(&db, &agent.fresh(&db)?, id, None).await?;
        drop(rules::publish_by_system(&db, &system, None, &rule, None).await);
        drop(simulating::start(&db, &agent, id, 1).await);
        simulating::cancel(&db, &agent, SimulationId::new()).await?;
        simulating::run_next(&db, &system, || true).await?;
        transfers::cancel(&db, &customer, TransferId::new()).await?;
        cards::secret(&db, &customer, CardId::new()).await?;
        cards::block(&db, &customer.fresh(&db)?, CardId::new()).await?;
        cards::bind(&db, &customer.fresh(&db)?, "").await?;
        transfers::reverse(&db, &agent.fresh(&db)?, TransferId::new(), "").await?;
        drop(void(&db, &system, "", "").await);
        db.key_answer("", "").await?;
        db.store_answer("", "", "").await?;
        let mut conn = db.read().await?;
        rules::names(&mut conn, &[&rule]).await?;
        rules::names_given(&mut conn, std::slice::from_ref(&rule)).await?;
        simulating::show(&mut conn, &agent, SimulationId::new()).await?;
        simulating::latest(&mut conn, &agent, id).await?;
        requests::list(&mut conn, customer.me(), None, 1).await?;
        requests::counts(&mut conn, &agent).await?;
        levels::of(&mut conn, &agent, &[]).await?;
        requests::topics(&mut conn).await?;
        staff::by_login(&mut conn, "").await?;
        audit::of_customer(&mut conn, customer.me(), None, 1).await?;
        promotion::store::running(&mut conn, db.now()).await?;
        promotion::store::offers::of(&mut conn, customer.me()).await?;
        promotion::store::offers::ending(&mut conn, customer.me(), 1).await?;
        promotion::store::offers::over(&mut conn, customer.me(), None, 1).await?;
        promotion::store::offers::activate(&db, &customer, "").await?;
        promotion::store::managing::list(&db, &agent, None, None, 1).await?;
        stores::store::list(&mut conn, crm::lang::Lang::Ru).await?;
        stores::store::categories(&mut conn).await?;
        Ok::<_, Error>(())
    });
}

/// The same of rewards and invitations.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn a_server_can_await_these_of_rewards(db: Db, customer: Customer, system: System) {
    movable(async move {
        days::run_due(&db, &system).await?;
        invitations::begin(&db, &customer).await?;
        let mut conn = db.read().await?;
        invitations::list(&mut conn, customer.me(), None, 1).await?;
        invitations::gives(&mut conn).await?;
        customers::gives_for(&mut conn, customer.me(), crm::rule::Occasion::Profile).await?;
        customers::reminders(&mut conn, customer.me(), db.now()).await?;
        customers::birthday_gives(&mut conn, crm::rule::Whose::Child).await?;
        rewards::of(&mut conn, customer.me(), &[]).await?;
        awaited::of(&mut conn, customer.me()).await?;
        Ok::<_, Error>(())
    });
}

/// The same of tiers.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn a_server_can_await_these_of_tiers(db: Db, customer: Customer, agent: Staff, system: System, gold: Tiers) {
    movable(async move {
        let program = ProgramId::new();
        tiers::change(&db, &agent, program, None, &gold).await?;
        tiers::discard(&db, &agent, program, db.now()).await?;
        tiers::withdraw(&db, &agent.fresh(&db)?, program, None).await?;
        tiers::verify(&db, &system).await?;
        tiers::preview(&db, &agent, program, &gold).await?;
        drop(tiers::publish(&db, &agent.fresh(&db)?, program, db.now(), None).await);
        drop(tiers::publish_by_system(&db, &system, program, &gold, None).await);
        tiers::run_due(&db, &system).await?;
        let mut conn = db.read().await?;
        tiers::versions_of(&mut conn, &agent, program).await?;
        tiers::standing(&mut conn, customer.me(), program).await?;
        tiers::changes(&mut conn, customer.me()).await?;
        tiers::changes_in(&mut conn, customer.me(), program).await?;
        tiers::outlook(&mut conn, customer.me(), program).await?;
        tiers::benefits(&mut conn, program).await?;
        tiers::current(&mut conn).await?;
        tiers::standings(&mut conn, customer.me()).await?;
        Ok::<_, Error>(())
    });
}

/// The same of staff and roles, and of the audit log.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn a_server_can_await_these_of_staff(db: Db, admin: Staff, system: System, new: Invitation, role: NewRole) {
    movable(async move {
        let (by, id, visitor) = (&admin.fresh(&db)?, StaffId::new(), &Visitor::default());
        colleagues::list(&db, &admin).await?;
        colleagues::read(&db, &admin, id).await?;
        colleagues::invite(&db, by, &new).await?;
        colleagues::invite_again(&db, by, id).await?;
        colleagues::send_password_link(&db, by, id, "").await?;
        let details = colleagues::Details {
            name: String::new(),
            email: None,
        };
        colleagues::change(&db, by, id, &details, &details).await?;
        colleagues::sessions(&mut db.read().await?, &admin, id).await?;
        colleagues::end_session(&db, by, id, admin.session(), "").await?;
        colleagues::join(&db, "", "", Lang::Ru, visitor).await?;
        colleagues::set_role(&db, by, id, &new.role, &new.role, "").await?;
        colleagues::disable(&db, by, id, "").await?;
        colleagues::enable(&db, by, id).await?;
        colleagues::end_all_sessions(&db, by, id, "").await?;
        colleagues::reset_factors(&db, by, id, "").await?;
        roles::list(&db, &admin).await?;
        roles::create(&db, by, "", &role).await?;
        roles::change(&db, by, &new.role, &role, &role).await?;
        roles::remove(&db, by, &new.role).await?;
        audit::log::list(&db, &admin, &audit::log::Filter::default(), None, 1).await?;
        audit::log::export(&db, by, &audit::log::Filter::default()).await?;
        audit::seal::run_due(&db, &system).await?;
        audit::seal::verify(&db, &system, None).await?;
        Ok::<_, Error>(())
    });
}

/// The same of two accounts of one customer.
#[allow(dead_code, reason = "it is enough that it compiles")]
fn a_server_can_await_these_of_merges(db: Db, customer: Customer, agent: Staff, token: Token) {
    movable(async move {
        let (visitor, id) = (&Visitor::default(), CustomerId::new());
        merge::prove_phone(&db, &customer.fresh(&db)?, visitor).await?;
        merge::ask(&db, &customer.fresh(&db)?, "", visitor).await?;
        merge::take_code(&db, &customer.fresh(&db)?, &token, "", visitor).await?;
        merge::step(&db, &customer, Some(&token)).await?;
        merge::preview(&db, &customer.fresh(&db)?, &token).await?;
        merge::preview_by_staff(&db, &agent, id, id).await?;
        merge::duplicates(&db, &agent, id).await?;
        merge::pairs::pairs(&db, &agent, None).await?;
        merge::pairs::dismiss(&db, &agent, id, id).await?;
        merge::pairs::propose(&db, &agent, id, id).await?;
        merge::pairs::different(&db, &agent, None).await?;
        drop(merge::confirm(&db, &customer.fresh(&db)?, &token, true).await);
        drop(merge::undo(&db, &customer.fresh(&db)?).await);
        drop(merge::merge_by_staff(&db, &agent.fresh(&db)?, id, id, "").await);
        drop(merge::undo_by_staff(&db, &agent.fresh(&db)?, id, "").await);
        let mut conn = db.read().await?;
        merge::of(&mut conn, customer.me()).await?;
        merge::gone_into(&mut conn, customer.me()).await?;
        Ok::<_, Error>(())
    });
}
