//! The steps of the dialogue, without a database.

use super::*;
use proptest::prelude::*;

#[derive(Deserialize)]
struct Content {
    commands: BTreeMap<String, BTreeMap<String, String>>,
    texts: BTreeMap<String, String>,
}

/// The records as they come with the program.
fn catalogue() -> Catalogue {
    let ru: Content = serde_json::from_str(include_str!("../../content/ru/dialogue.json")).expect("JSON");
    let en: Content = serde_json::from_str(include_str!("../../content/en/dialogue.json")).expect("JSON");
    let both = |ru: &str, en: &str| Localized::new(ru, en);
    let record = |command: Command| {
        let code = command.code();
        let of = |field: &str| both(&ru.commands[code][field], &en.commands[code][field]);
        CommandRecord {
            code: code.to_owned(),
            enabled: true,
            name: of("name"),
            words: of("words"),
        }
    };
    let texts = ru
        .texts
        .iter()
        .map(|(code, text)| (code.clone(), both(text, &en.texts[code])));
    Catalogue {
        commands: Command::ALL.map(record).to_vec(),
        texts: texts.collect(),
        settings: BTreeMap::new(),
    }
}

fn facts(catalogue: &Catalogue, is_member: bool) -> Facts<'_> {
    let choice = |code: &str, words: &str| Choice {
        code: code.to_owned(),
        words: words.to_owned(),
    };
    let consent = |code: &str, required| Consent {
        code: code.to_owned(),
        title: format!("согласие {code}"),
        required,
    };
    Facts {
        catalogue,
        lang: Lang::Ru,
        is_member,
        // One has the code of a command.
        topics: vec![choice("card", "Карта"), choice("phone", "Телефон")],
        consents: vec![consent("personal_data", true), consent("marketing_sms", false)],
        today: NaiveDate::from_ymd_opt(2026, 11, 21).unwrap_or_default(),
        minimum_age: 18,
        country: "RU",
    }
}

fn draft() -> Draft {
    Draft {
        person: PersonForm {
            name: "Анна".into(),
            surname: "Лебедева".into(),
            day: "3".into(),
            month: "5".into(),
            year: "1990".into(),
        },
        email: "anna@example.com".into(),
        consents: vec!["personal_data".into()],
        password_hash: None,
    }
}

/// Every place that a conversation can be at.
fn places() -> Vec<State> {
    let asked = [Asked::Name, Asked::Surname, Asked::Email, Asked::Birthday];
    let consents = ["personal_data", "marketing_sms", "gone"].map(|code| Asked::Consent(code.into()));
    let details = asked
        .into_iter()
        .chain(consents)
        .map(|asked| State::Details { draft: draft(), asked });
    let topic = || "card".to_owned();
    let others = [
        State::Ready,
        State::Code,
        State::Review,
        State::Topic,
        State::Text { topic: topic() },
        State::Confirm {
            topic: topic(),
            text: "Где баллы?".into(),
        },
    ];
    details.chain(others).collect()
}

fn said(turn: &Turn) -> Vec<&str> {
    turn.replies.iter().map(|reply| reply.text.as_str()).collect()
}

/// Every reply has words, in both languages, and everything that they name is filled in.
fn assert_in_words(turn: &Turn, catalogue: &Catalogue) {
    for reply in &turn.replies {
        let text = catalogue.texts.get(&reply.text);
        let text = text.unwrap_or_else(|| panic!("no words for {}", reply.text));
        for lang in Lang::ALL {
            for part in text.get(lang).split('{').skip(1) {
                let name = part.split_once('}').expect("a name ends").0;
                assert!(
                    reply.values.iter().any(|(known, _)| *known == name),
                    "{}: {name}",
                    reply.text
                );
            }
        }
        if let Some((words, path)) = &reply.link {
            assert!(catalogue.texts.contains_key(*words), "no words for {words}");
            assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        }
    }
}

#[test]
fn the_two_languages_ask_for_the_same_values() {
    for (code, text) in &catalogue().texts {
        let names = |lang| {
            let parts = text.get(lang).split('{').skip(1).map(|part| part.split('}').next());
            parts.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(Lang::Ru), names(Lang::En), "{code}");
    }
}

#[test]
fn whoever_is_not_known_is_offered_registration_only() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, false);
    let offered = choices(&State::Ready, &facts);
    let codes: Vec<_> = offered.iter().map(|choice| choice.code.as_str()).collect();
    assert_eq!(codes, ["register", "help"]);
    for state in places() {
        for command in Command::ALL.into_iter().filter(|command| !command.is_for(false)) {
            for input in [Input::Typed(command.code()), Input::Chosen(command.code())] {
                let turn = step(&state, input, &facts);
                let did = matches!(
                    turn.action,
                    Some(
                        Action::Balance
                            | Action::Offers
                            | Action::Purchases
                            | Action::Phone
                            | Action::Transfer
                            | Action::Suggest(_)
                            | Action::Ask { .. }
                    )
                );
                assert!(!did, "{state:?} {command:?}");
                assert!(turn.next.is_for(false), "{state:?} {command:?}");
            }
        }
    }
    assert_eq!(
        said(&step(&State::Ready, Input::Typed("Баланс"), &facts)),
        ["locked", "ask_phone"]
    );
}

#[test]
fn a_customer_asks_by_button_and_by_word() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, true);
    for input in [
        "balance",
        "/balance",
        "Баланс",
        "Баланс?",
        " сколько   БАЛЛОВ ",
        "А сколько у меня сейчас баллов?",
    ] {
        assert_eq!(
            step(&State::Ready, Input::Typed(input), &facts).action,
            Some(Action::Balance),
            "{input}"
        );
    }
    assert_eq!(
        step(&State::Ready, Input::Chosen("offers"), &facts).action,
        Some(Action::Offers)
    );
    for (code, told) in [("phone", Action::Phone), ("transfer", Action::Transfer)] {
        let turn = step(&State::Ready, Input::Chosen(code), &facts);
        assert_eq!(
            (turn.action, turn.next),
            (Some(told), State::Ready),
            "it takes a fresh proof"
        );
    }
    let english = Facts {
        lang: Lang::En,
        ..facts.clone()
    };
    assert_eq!(
        step(&State::Ready, Input::Typed("my points"), &english).action,
        Some(Action::Balance)
    );
    assert_eq!(
        step(&State::Ready, Input::Typed("+79001234567"), &facts).action,
        Some(Action::Suggest("+79001234567".into()))
    );
    assert_eq!(
        said(&step(&State::Ready, Input::Chosen("gone"), &facts)),
        ["not_understood"],
        "a button that is not there any more says nothing that the help could answer"
    );
}

#[test]
fn what_somebody_means_is_read_out_of_their_own_words() {
    let catalogue = catalogue();
    let customers = facts(&catalogue, true);
    for (typed, action) in [
        ("Хочу подарить баллы маме", Action::Transfer),
        ("как мне сменить номер?", Action::Phone),
        ("какие сейчас акции", Action::Offers),
        ("Покажи последние покупки.", Action::Purchases),
    ] {
        let turn = step(&State::Ready, Input::Typed(typed), &customers);
        assert_eq!(turn.action, Some(action), "{typed}");
    }
    // What is not for them, what leaves, words that only begin alike, and a long question that names something besides.
    let long = "Можно ли вернуть товар без чека?";
    for typed in ["Где мой попугай?", "карта", "Как отменить заказ", "Почём баллоны", long]
    {
        let turn = step(&State::Ready, Input::Typed(typed), &customers);
        assert_eq!(turn.action, Some(Action::Suggest(typed.into())), "{typed}");
    }
    let english = Facts {
        lang: Lang::En,
        ..customers
    };
    let turn = step(&State::Ready, Input::Typed("What are my points?"), &english);
    assert_eq!(turn.action, Some(Action::Balance));
    let strangers = facts(&catalogue, false);
    for (typed, replies) in [
        ("а сколько у меня баллов?", vec!["locked", "ask_phone"]),
        ("Хочу получить карту", vec!["ask_phone"]),
        ("12", vec!["flaw_not_a_phone", "ask_phone"]),
    ] {
        assert_eq!(
            said(&step(&State::Ready, Input::Typed(typed), &strangers)),
            replies,
            "{typed}"
        );
    }
    // Where something else is asked for, words are what they are.
    let surname = State::Details {
        draft: draft(),
        asked: Asked::Surname,
    };
    assert_eq!(said(&step(&surname, Input::Typed("Баллов"), &strangers)), ["ask_email"]);
}

#[test]
fn yes_and_no_are_taken_by_their_first_word() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, true);
    let (topic, text) = ("card".to_owned(), "Где баллы?".to_owned());
    let state = State::Confirm {
        topic: topic.clone(),
        text: text.clone(),
    };
    for typed in ["Да.", "да, верно", "ДА"] {
        let turn = step(&state, Input::Typed(typed), &facts);
        let (topic, text) = (topic.clone(), text.clone());
        assert_eq!(turn.action, Some(Action::Ask { topic, text }), "{typed}");
    }
    for typed in ["Нет!", "нет, не так"] {
        let turn = step(&state, Input::Typed(typed), &facts);
        assert_eq!((turn.action, turn.next), (None, State::Topic), "{typed}");
    }
    for typed in ["да нет", "верно, да", "данные неверны", "?"] {
        let turn = step(&state, Input::Typed(typed), &facts);
        assert_eq!((said(&turn), &turn.next), (vec!["yes_or_no"], &state), "{typed}");
    }
}

#[test]
fn a_registration_goes_step_by_step_and_no_begins_it_anew() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, false);
    let phone = "+79001234567".to_owned();
    let turn = step(&State::Ready, Input::Typed("8 900 123-45-67"), &facts);
    assert_eq!(turn.action, Some(Action::Start(phone.clone())));
    let turn = settle(&Action::Start(phone), Outcome::Sent, &facts);
    assert_eq!(turn.next, State::Code);
    assert!(wants_code(&turn.next, &facts));
    let code = Action::Verify("123456".into());
    assert_eq!(
        step(&turn.next, Input::Typed("123456"), &facts).action,
        Some(code.clone())
    );
    let wrong = vec![("code".to_owned(), Flaw::WrongCode { left: 4 })];
    let turn = settle(&code, Outcome::Flawed(wrong), &facts);
    assert_eq!((said(&turn), &turn.next), (vec!["flaw_wrong_code"], &State::Code));
    let mut state = settle(&code, Outcome::NewPhone, &facts).next;
    for (typed, asks) in [
        ("Анна <3", "ask_name"),
        ("Анна", "ask_surname"),
        ("Лебедева", "ask_email"),
        ("anna@", "ask_email"),
        ("anna@example.com", "ask_birthday"),
        ("31.02.1990", "ask_birthday"),
        ("3.05.2020", "ask_birthday"),
        ("вчера", "ask_birthday"),
        ("3.5.1990", "ask_consent"),
        ("может быть", "ask_consent"),
        ("нет", "ask_consent"),
        ("да", "ask_consent"),
    ] {
        let turn = step(&state, Input::Typed(typed), &facts);
        assert_in_words(&turn, &catalogue);
        assert_eq!(said(&turn).last(), Some(&asks), "{typed}");
        state = turn.next;
    }
    let turn = step(&state, Input::Chosen("no"), &facts);
    assert_eq!(
        turn.action,
        Some(Action::Save(draft())),
        "the second consent may be refused"
    );
    let turn = settle(&Action::Save(draft()), Outcome::Saved(draft()), &facts);
    assert_in_words(&turn, &catalogue);
    assert_eq!(turn.next, State::Review);
    assert_eq!(
        step(&State::Review, Input::Typed("ДА"), &facts).action,
        Some(Action::Register)
    );
    let anew = State::Details {
        draft: Draft::default(),
        asked: Asked::Name,
    };
    for no in [Input::Typed("Нет"), Input::Chosen("no")] {
        let turn = step(&State::Review, no, &facts);
        assert_eq!(
            (turn.next, turn.action),
            (anew.clone(), None),
            "nothing of what was told is left"
        );
    }
    let day = vec![("birthday".to_owned(), Flaw::TooYoung { age: 18 })];
    assert_eq!(settle(&Action::Register, Outcome::Flawed(day), &facts).next, anew);
}

#[test]
fn an_email_may_be_skipped_and_a_date_typed_in_two_ways() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, false);
    let at = |asked| State::Details { draft: draft(), asked };
    let State::Details { draft, .. } = step(&at(Asked::Email), Input::Typed("пропустить"), &facts).next
    else {
        panic!("it went elsewhere");
    };
    assert_eq!(draft.email, "");
    for typed in ["3.5.1990", "03/05/1990", "1990-05-03", "3 5 1990"] {
        let State::Details { draft, asked } = step(&at(Asked::Birthday), Input::Typed(typed), &facts).next else {
            panic!("it went elsewhere");
        };
        assert_eq!(asked, Asked::Consent("personal_data".into()), "{typed}");
        let PersonForm { day, month, year, .. } = draft.person;
        assert_eq!(
            flaw_date(&day, &month, &year),
            NaiveDate::from_ymd_opt(1990, 5, 3),
            "{typed}"
        );
    }
}

fn flaw_date(day: &str, month: &str, year: &str) -> Option<NaiveDate> {
    crate::flaw::date(day, month, year).ok()
}

#[test]
fn a_request_is_sent_by_yes_alone() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, true);
    let turn = step(&State::Ready, Input::Typed("обращение"), &facts);
    assert_eq!(turn.next, State::Topic);
    // The topic, not the command of this code.
    let turn = step(&turn.next, Input::Chosen("phone"), &facts);
    let topic = "phone".to_owned();
    assert_eq!(turn.next, State::Text { topic: topic.clone() });
    // What is told freely is no command.
    let turn = step(&turn.next, Input::Typed("Баланс"), &facts);
    let text = "Баланс".to_owned();
    assert_eq!(turn.action, None);
    assert_eq!(
        turn.next,
        State::Confirm {
            topic: topic.clone(),
            text: text.clone()
        }
    );
    let asked = Action::Ask { topic, text };
    let yes = step(&turn.next, Input::Chosen("yes"), &facts);
    assert_eq!(
        (yes.action, yes.next),
        (Some(asked.clone()), State::Ready),
        "sent twice it is asked once"
    );
    let no = step(&turn.next, Input::Chosen("no"), &facts);
    assert_eq!((no.action, no.next), (None, State::Topic));
    assert_eq!(
        settle(&asked, Outcome::Wait(3600), &facts).next,
        turn.next,
        "nothing is lost by waiting"
    );
}

#[test]
fn a_code_is_never_shown() {
    let catalogue = catalogue();
    let facts = facts(&catalogue, false);
    for typed in ["123456", "12 34 56", "мой код 123456"] {
        assert_eq!(shown(&State::Code, Input::Typed(typed), &facts), MASKED);
    }
    assert_eq!(shown(&State::Code, Input::Typed("отмена"), &facts), "Отмена");
    assert_eq!(
        shown(&State::Code, Input::Chosen("resend"), &facts),
        "Прислать новый код"
    );
    assert_eq!(shown(&State::Ready, Input::Typed(" +7 900 "), &facts), "+7 900");
    assert_eq!(
        shown(&State::Ready, Input::Chosen("<b>"), &facts),
        "Кнопка с прошлого шага"
    );
}

#[test]
fn a_command_that_is_turned_off_is_not_there() {
    let mut catalogue = catalogue();
    for record in &mut catalogue.commands {
        record.enabled = record.code != "balance";
    }
    let facts = facts(&catalogue, true);
    assert!(
        choices(&State::Ready, &facts)
            .iter()
            .all(|choice| choice.code != "balance")
    );
    assert_eq!(
        step(&State::Ready, Input::Typed("баланс"), &facts).action,
        Some(Action::Suggest("баланс".into()))
    );
}

/// What people write: anything at all, and what is understood somewhere.
fn inputs() -> impl Strategy<Value = (bool, String)> {
    let known = prop::sample::select(vec![
        "да",
        "нет",
        "yes",
        "no",
        "skip",
        "resend",
        "отмена",
        "cancel",
        "баланс",
        "balance",
        "help",
        "register",
        "request",
        "phone",
        "transfer",
        "card",
        "123456",
        "+79001234567",
        "Анна",
        "3.05.1990",
        "anna@example.com",
        "",
    ]);
    (
        any::<bool>(),
        prop_oneof![known.prop_map(str::to_owned), any::<String>()],
    )
}

proptest! {
    /// Whatever is written wherever: there is an answer or something to do, words for the answer, a way on, and nobody is left
    /// where only somebody else may be.
    #[test]
    fn no_input_leads_nowhere(at in 0..13_usize, is_member in any::<bool>(), (is_typed, text) in inputs()) {
        let catalogue = catalogue();
        let facts = facts(&catalogue, is_member);
        let state = &places()[at];
        let input = if is_typed { Input::Typed(&text) } else { Input::Chosen(&text) };
        let turn = step(state, input, &facts);
        prop_assert!(!turn.replies.is_empty() || turn.action.is_some());
        prop_assert!(turn.next.is_for(is_member));
        assert_in_words(&turn, &catalogue);
        prop_assert!(!choices(&turn.next, &facts).is_empty());
        let way_out = step(&turn.next, Input::Typed("отмена"), &facts);
        prop_assert_eq!(way_out.next, State::Ready);
        prop_assert!(!shown(state, input, &facts).contains("123456") || !wants_code(state, &facts));
    }

    /// Where a conversation is goes into the database and comes back.
    #[test]
    fn a_state_is_kept_as_it_is(at in 0..13_usize) {
        let state = &places()[at];
        let json = serde_json::to_string(state).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<State>(&json).expect("and back"), state);
    }

    /// Whatever comes of whatever was to be done, there is an answer in words.
    #[test]
    fn every_outcome_is_told(action in 0..13_usize, outcome in 0..12_usize, is_member in any::<bool>()) {
        let catalogue = catalogue();
        let facts = facts(&catalogue, is_member);
        let ask = Action::Ask { topic: "card".into(), text: "Где?".into() };
        let actions = [
            Action::Start("+79001234567".into()), Action::Verify("1".into()), Action::Resend, Action::Save(draft()),
            Action::Register, Action::Balance, Action::Offers, Action::Purchases, ask.clone(), ask,
            Action::Phone, Action::Transfer, Action::Suggest("Где?".into()),
        ];
        let flaw = |flaw| Outcome::Flawed(vec![("x".to_owned(), flaw)]);
        let outcomes = [
            Outcome::Sent, Outcome::SignedIn, Outcome::SecondStep, Outcome::PhoneNext, Outcome::NewPhone,
            Outcome::Saved(draft()), Outcome::Registered, Outcome::Asked(7), Outcome::Wait(31), Outcome::Over,
            flaw(Flaw::ExpiredCode), flaw(Flaw::Circle),
        ];
        let turn = settle(&actions[action], outcomes[outcome].clone(), &facts);
        prop_assert!(!turn.replies.is_empty());
        prop_assert_eq!(&turn.action, &None);
        assert_in_words(&turn, &catalogue);
    }
}
