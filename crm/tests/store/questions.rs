//! Questions that customers ask in public: what becomes of them, in what order they are read, and how many one may ask.

use crate::common::people::{self, one, sql};
use crate::common::{customer, days, ready, sign_in};
use chrono::TimeDelta;
use crm::Error;
use crm::db::Db;
use crm::flaw::Flaw;
use crm::help::store::Reader;
use crm::id::QuestionId;
use crm::lang::Lang;
use crm::question::store::{self as questions, about, ask, get, list, open, own, queue, vote};
use crm::question::{Edit, NewQuestion, Shown, State};
use crm::request::store as requests;
use crm::testing::{World, start};
use crm::who::{Customer, Staff, Visitor};

fn new(text: &str) -> NewQuestion {
    NewQuestion {
        topic: "card".into(),
        text: text.into(),
        is_named: true,
        is_harmless: false,
    }
}

fn edit(body: &str, answer: &str, article: &str) -> Edit {
    Edit {
        body: body.into(),
        answer: answer.into(),
        article: article.into(),
    }
}

async fn asked(db: &Db, by: &Customer, text: &str) -> QuestionId {
    ask(db, by, &new(text), Lang::Ru).await.expect("asked")
}

/// Shows a question as it stands.
async fn show(db: &Db, by: &Staff, id: QuestionId, edit: &Edit) {
    let seen = open(db, by, id).await.expect("opened").changed_at;
    questions::publish(db, by, id, seen, edit).await.expect("shown");
}

/// What everybody reads, by the words of the questions.
async fn read(world: &World, text: &str) -> Vec<String> {
    let mut conn = world.db.read().await.expect("a connection");
    let found = list(&mut conn, None, text, None, 10).await.expect("read");
    found.into_iter().map(|one| one.body).collect()
}

crm::both_engines!(a_question_is_looked_at_before_it_is_read, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let (anna, agent) = (sign_in(db, who).await, people::agent(world).await);
    let first = asked(db, &anna, "Как заблокировать карту?").await;
    assert_eq!(read(world, "").await, [""; 0], "nobody has looked at it");
    let mut conn = db.read().await.expect("a connection");
    assert!(matches!(get(&mut conn, first).await, Err(Error::NotFound)));
    let mine = own(&mut conn, who, None, 10).await.expect("read");
    assert_eq!(mine.iter().map(|one| one.state).collect::<Vec<_>>(), [State::New]);
    drop(conn);
    let rows = queue(db, &agent, State::New, None, 10).await.expect("the queue");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        questions::waiting(&mut db.read().await.expect("a connection"), &agent)
            .await
            .expect("read"),
        1
    );

    let whole = open(db, &agent, first).await.expect("opened");
    assert_eq!(
        (whole.name.as_str(), whole.asked.as_str()),
        ("Анна", "Как заблокировать карту?")
    );
    let faulty = questions::publish(db, &agent, first, whole.changed_at, &edit("", "", "nowhere")).await;
    let at = |flaws: Vec<(String, Flaw)>| flaws.into_iter().map(|(field, _)| field).collect::<Vec<_>>();
    let Err(Error::Invalid(flaws)) = faulty else {
        panic!("it has neither words nor an article")
    };
    assert_eq!(at(flaws), ["body", "article"]);
    show(db, &agent, first, &edit("Как закрыть карту?", "", "lost-card")).await;
    assert_eq!(read(world, "").await, ["Как закрыть карту?"]);
    let stale = questions::decline(db, &agent, first, whole.changed_at, "поздно").await;
    assert!(matches!(stale, Err(Error::Stale)), "{stale:?}");
    let now = open(db, &agent, first).await.expect("opened").changed_at;
    assert!(now > whole.changed_at, "though the clock stands still");
    let late = questions::decline(db, &agent, first, now, "поздно").await;
    assert!(matches!(late, Err(Error::Stale)), "it is shown: {late:?}");

    // Answered: of use or not, once a day.
    let reader = Reader {
        customer: None,
        visitor: &Visitor::default(),
        lang: Lang::Ru,
    };
    let early = vote(db, reader, first, true).await;
    assert!(matches!(early, Err(Error::NotFound)), "there is no answer: {early:?}");
    show(
        db,
        &agent,
        first,
        &edit("Как закрыть карту?", "В кабинете", "lost-card"),
    )
    .await;
    vote(db, reader, first, true).await.expect("voted");
    vote(db, reader, first, false).await.expect("thought otherwise");
    let whole = open(db, &agent, first).await.expect("opened");
    assert_eq!((whole.useful, whole.useless), (0, 1));
    assert_eq!(whole.answered_by.as_deref(), Some("Агния"));
    let mut conn = db.read().await.expect("a connection");
    let suggested = about(&mut conn, "lost-card", 5).await.expect("read");
    assert_eq!(suggested.iter().map(|one| one.id).collect::<Vec<_>>(), [first]);
    drop(conn);
    for (text, found) in [("КАРТУ кабинете", 1), ("заблокировать", 0), ("_", 0), ("\u{0}", 1)]
    {
        assert_eq!(read(world, text).await.len(), found, "{text:?}");
    }

    // Hidden, then in private.
    questions::unpublish(db, &agent, first, whole.changed_at)
        .await
        .expect("hidden");
    assert_eq!(read(world, "").await, [""; 0]);
    let seen = open(db, &agent, first).await.expect("opened").changed_at;
    questions::move_to_support(db, &agent, first, seen)
        .await
        .expect("moved");
    let mut conn = db.read().await.expect("a connection");
    let mine = own(&mut conn, who, None, 10).await.expect("read");
    let number = mine[0].request.expect("a request");
    drop(conn);
    let thread = requests::thread(db, who, number).await.expect("hers");
    assert_eq!(thread.messages[0].body, "Как заблокировать карту?", "in her own words");
    let told = "SELECT COUNT(*) FROM notifications WHERE kind = 'answer'";
    assert_eq!(one!(world, i64, told), 1, "the answer and the move at one moment");

    let second = asked(db, &anna, "Почему так дорого?").await;
    let seen = open(db, &agent, second).await.expect("opened").changed_at;
    questions::decline(db, &agent, second, seen, " Не вопрос ")
        .await
        .expect("declined");
    let mut conn = db.read().await.expect("a connection");
    let mine = own(&mut conn, who, None, 10).await.expect("read");
    let declined = mine.iter().find(|one| one.id == second).expect("it is there");
    assert_eq!(declined.reason.as_deref(), Some("Не вопрос"));
    drop(conn);
    let marketer = people::marketer(world).await;
    let refused = queue(db, &marketer, State::New, None, 10).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
});

crm::both_engines!(an_answer_is_told_once_however_often_it_is_shown, async |world| {
    let db = ready(world).await;
    let (anna, agent) = (sign_in(db, customer(db).await).await, people::agent(world).await);
    let id = asked(db, &anna, "Как закрыть карту?").await;
    let told = async || one!(world, i64, "SELECT COUNT(*) FROM notifications WHERE kind = 'answer'");
    let votes = async || one!(world, i64, "SELECT COUNT(*) FROM question_votes");
    let reader = Reader {
        customer: None,
        visitor: &Visitor::default(),
        lang: Lang::Ru,
    };
    for (minute, answer, times, voted) in [(1, "В кабинете", 1, 0), (2, "В кабинете", 1, 1), (3, "В профиле", 2, 0)]
    {
        world.clock.set(start() + TimeDelta::minutes(minute));
        show(db, &agent, id, &edit("Как закрыть карту?", answer, "")).await;
        assert_eq!(told().await, times, "{answer} {minute}");
        // What was said of other words is gone.
        assert_eq!(votes().await, voted, "{answer} {minute}");
        vote(db, reader, id, true).await.expect("voted");
        let seen = open(db, &agent, id).await.expect("opened").changed_at;
        questions::unpublish(db, &agent, id, seen).await.expect("hidden");
    }
});

crm::both_engines!(questions_are_read_page_by_page_the_newest_first, async |world| {
    let db = ready(world).await;
    let (anna, agent) = (sign_in(db, customer(db).await).await, people::agent(world).await);
    // Two of them at one moment.
    for (n, minute) in [(1, 0), (2, 1), (3, 1), (4, 2)] {
        world.clock.set(start() + TimeDelta::minutes(minute));
        let id = asked(db, &anna, &format!("Вопрос {n}")).await;
        show(db, &agent, id, &edit(&format!("Вопрос {n}"), "", "")).await;
    }
    let mut conn = db.read().await.expect("a connection");
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page: Vec<Shown> = list(&mut conn, None, "", before, 1).await.expect("read");
        let Some(last) = page.last() else { break };
        before = Some((last.published_at, last.id.0));
        seen.extend(page.into_iter().map(|one| one.body));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!((seen[0].as_str(), seen[3].as_str()), ("Вопрос 4", "Вопрос 1"));
    let topics = requests::topics(&mut conn).await.expect("topics");
    for topic in &topics {
        let found = list(&mut conn, Some(topic.id), "", None, 10).await.expect("read");
        assert_eq!(found.len(), if topic.code == "card" { 4 } else { 0 }, "{}", topic.code);
    }
});

crm::both_engines!(one_asks_so_much_a_day_and_nothing_private, async |world| {
    let db = ready(world).await;
    let who = customer(db).await;
    let anna = sign_in(db, who).await;
    let private = ask(db, &anna, &new("Звоните 89001234567"), Lang::Ru).await;
    assert!(
        matches!(&private, Err(Error::Invalid(flaws)) if flaws == &[("text".to_owned(), Flaw::Private)]),
        "{private:?}"
    );
    for n in 1..=4 {
        asked(db, &anna, &format!("Вопрос {n}")).await;
    }
    // Of two at once one is the last.
    let (a, b) = (new("Пятый"), new("Шестой"));
    let (a, b) = tokio::join!(ask(db, &anna, &a, Lang::Ru), ask(db, &anna, &b, Lang::Ru));
    assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
    let refused = a.err().or(b.err()).expect("one is too many");
    assert!(
        matches!(refused, Error::TooMany { retry_after } if retry_after > 0 && retry_after <= 86_400),
        "{refused:?}"
    );
    let other = sign_in(db, customer(db).await).await;
    asked(db, &other, "А мне?").await;
    world.clock.set(start() + days(1));
    let anna = sign_in(db, who).await;
    asked(db, &anna, "Новый день").await;
    // A topic that is closed is none to ask about.
    sql!(world, "UPDATE topics SET closed_at = $1 WHERE code = 'card'", start());
    let closed = ask(db, &anna, &new("Ещё?"), Lang::Ru).await;
    assert!(
        matches!(&closed, Err(Error::Invalid(flaws)) if flaws == &[("topic".to_owned(), Flaw::NotAChoice)]),
        "{closed:?}"
    );
});
