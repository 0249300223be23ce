//! The dialogue: what customers ask of the shop in words, step by step, whichever channel they write by.
//!
//! One pure function, [`step`], reads what somebody wrote where the conversation is, and says what is answered, where the
//! conversation is then, and what is to be done. What came of that is read by [`settle`], which is pure as well. What the
//! commands are called, what is answered and what is set are records ([`Catalogue`]). Conversations in the database, and what
//! is done for them by the functions that pages call too, are in `store`.
//!
//! People write as they like: what is typed is a command by any of its names, or where all of a name stands in it. What is none
//! is looked for in the help, and can be written to support as it is.
//!
//! # How to add a command
//! 1. A variant of [`Command`], and what it does in `command`.
//! 2. Its names in `content/{ru,en}/dialogue.json`, and its code in `dialogue_commands` of `content/records.json`.
//! 3. Where something is to be read or done: an [`Action`], carried out in `store`.

use crate::contact::{Email, Phone, show_phone};
use crate::customer::PersonForm;
use crate::flaw::{FieldFlaw, Flaw};
use crate::lang::{Lang, Localized, fold};
use crate::request;
use crate::search::{sought, words};
use crate::signin::Draft;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub mod settings;
pub mod store;
#[cfg(test)]
mod tests;

/// What stands in a conversation in the place of a code.
pub const MASKED: &str = "••••••";

/// By what somebody writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Channel {
    /// The page of the conversation.
    Web,
    /// A messenger.
    Messenger,
    /// Text messages.
    Sms,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To come in or register.
    Register,
    /// What there is to ask for.
    Help,
    /// How many points there are.
    Balance,
    /// What offers hold.
    Offers,
    /// The last purchases.
    Purchases,
    /// To write to support.
    Request,
    /// To change the phone.
    Phone,
    /// To give points to somebody.
    Transfer,
    /// To leave what was begun.
    Cancel,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Register,
        Self::Help,
        Self::Balance,
        Self::Offers,
        Self::Purchases,
        Self::Request,
        Self::Phone,
        Self::Transfer,
        Self::Cancel,
    ];

    /// Its code in the records.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Help => "help",
            Self::Balance => "balance",
            Self::Offers => "offers",
            Self::Purchases => "purchases",
            Self::Request => "request",
            Self::Phone => "phone",
            Self::Transfer => "transfer",
            Self::Cancel => "cancel",
        }
    }

    /// The command of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.code() == code)
    }

    /// Whether it is offered: to whoever is not known registration and help alone, to a customer all the rest.
    const fn is_for(self, is_member: bool) -> bool {
        match self {
            Self::Help | Self::Cancel => true,
            Self::Register => !is_member,
            _ => is_member,
        }
    }
}

/// A command as the records have it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CommandRecord {
    /// Its code.
    pub code: String,
    /// It may be asked for.
    pub enabled: bool,
    /// What the button says.
    #[sqlx(json)]
    pub name: Localized,
    /// What people type for it, parted by commas.
    #[sqlx(json)]
    pub words: Localized,
}

impl CommandRecord {
    /// All that it is called.
    fn names(&self, lang: Lang) -> impl Iterator<Item = &str> {
        let own = [self.code.as_str(), self.name.get(lang)];
        own.into_iter().chain(self.words.get(lang).split(','))
    }
}

/// Whether two texts say the same, whatever stands before, between and after their words.
fn is_same(name: &str, text: &str) -> bool {
    let said = words(text);
    fold(name) == fold(text) || !said.is_empty() && words(name) == said
}

/// The records of the dialogue, each in the version that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The commands, in their order.
    pub commands: Vec<CommandRecord>,
    /// The texts, by code.
    pub texts: BTreeMap<String, Localized>,
    /// The settings, by code.
    pub settings: BTreeMap<String, i64>,
}

impl Catalogue {
    /// A text with its values filled in. A text that is not there is its code, so that its lack is seen.
    pub fn text(&self, lang: Lang, code: &str, values: &[(&str, String)]) -> String {
        let text = self.texts.get(code).map_or(code, |text| text.get(lang));
        let mut out = String::with_capacity(text.len() + 32);
        let mut rest = text;
        // One pass over the text: a value that holds braces is not filled again.
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                out.push_str(value);
            }
            rest = after;
        }
        out + rest
    }

    /// A setting, or what counts where it is not there or makes no sense.
    pub fn setting(&self, code: &str, otherwise: i64) -> i64 {
        let value = self.settings.get(code).copied();
        value.filter(|value| *value > 0).unwrap_or(otherwise)
    }

    /// The commands that are turned on, in their order.
    fn enabled(&self) -> impl Iterator<Item = (Command, &CommandRecord)> {
        let enabled = self.commands.iter().filter(|record| record.enabled);
        enabled.filter_map(|record| Some((Command::of(&record.code)?, record)))
    }

    /// The commands that are offered, in their order; to leave something is offered where there is something to leave.
    fn offered(&self, is_member: bool) -> impl Iterator<Item = (Command, &CommandRecord)> {
        self.enabled().filter(move |(command, _)| command.is_for(is_member))
    }

    /// The commands that may be typed: a customer's are those offered to them, everybody else is told what is there for customers.
    fn typed(&self, is_member: bool) -> impl Iterator<Item = (Command, &CommandRecord)> {
        self.enabled()
            .filter(move |(command, _)| !is_member || command.is_for(true))
    }

    /// The command that a text is a name of.
    fn command(&self, lang: Lang, text: &str, is_member: bool) -> Option<Command> {
        if text.trim().is_empty() {
            return None;
        }
        let is_named = |record: &CommandRecord| record.names(lang).any(|name| is_same(name, text));
        let mut typed = self.typed(is_member);
        typed.find(|(_, record)| is_named(record)).map(|(command, _)| command)
    }

    /// The command that a text is about which is no name of one: all that a name says stands in it, in any form, and is a good part
    /// of it; a long question that happens to name something is for the help. Of several it is the one whose name says most, of
    /// equal ones the first. Nobody who asks for something wants to leave.
    fn meant(&self, lang: Lang, text: &str, is_member: bool) -> Option<Command> {
        let said = sought(text);
        let weight = |name: &str| {
            let stems = sought(name);
            let is_said = !stems.is_empty() && stems.iter().all(|stem| said.contains(stem));
            let is_said = is_said && said.len() <= WORDS_EACH * stems.len();
            is_said.then(|| stems.iter().map(|stem| stem.chars().count()).sum::<usize>())
        };
        let asked = self.typed(is_member).filter(|(command, _)| *command != Command::Cancel);
        let meant = asked.filter_map(|(command, record)| Some((record.names(lang).filter_map(weight).max()?, command)));
        meant
            .min_by_key(|(weight, _)| Reverse(*weight))
            .map(|(_, command)| command)
    }
}

/// How many words of a text one word of a name has to stand for.
const WORDS_EACH: usize = 2;

/// What the registration asks for next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The name.
    Name,
    /// The surname.
    Surname,
    /// The e-mail address.
    Email,
    /// The birthday.
    Birthday,
    /// The consent of this code.
    Consent(String),
}

/// Where a conversation is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for a command, or of whoever is not known for a phone.
    #[default]
    Ready,
    /// It waits for the code that went to the phone.
    Code,
    /// The phone is proved and new: it asks for one thing after the other.
    Details {
        /// What was told so far.
        draft: Draft,
        /// What is asked for.
        asked: Asked,
    },
    /// Everything is told, and waits for «Да» or «Нет».
    Review,
    /// It waits for what a request is about.
    Topic,
    /// It waits for the text of a request.
    Text {
        /// The code of the topic.
        topic: String,
    },
    /// It waits for «Да» or «Нет» to a request.
    Confirm {
        /// The code of the topic.
        topic: String,
        /// What is to be sent.
        text: String,
    },
}

impl State {
    /// Whether somebody may be there: a step of the registration is nobody's who is known, and a request is nobody's who is
    /// not.
    const fn is_for(&self, is_member: bool) -> bool {
        match self {
            Self::Ready => true,
            Self::Code | Self::Details { .. } | Self::Review => !is_member,
            Self::Topic | Self::Text { .. } | Self::Confirm { .. } => is_member,
        }
    }
}

/// One of the answers that are offered as buttons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub code: String,
    /// What it says.
    pub words: String,
}

/// A consent that the registration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Its code.
    pub code: String,
    /// What is agreed to.
    pub title: String,
    /// Without it there is no card.
    pub required: bool,
}

/// What a step goes by beside the state.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The records.
    pub catalogue: &'a Catalogue,
    /// The language of whoever writes.
    pub lang: Lang,
    /// They are known.
    pub is_member: bool,
    /// The topics of requests.
    pub topics: Vec<Choice>,
    /// The consents of the registration.
    pub consents: Vec<Consent>,
    /// The shop's day.
    pub today: NaiveDate,
    /// From how many years on one may join.
    pub minimum_age: u32,
    /// The country whose phones need no calling code.
    pub country: &'a str,
}

/// What somebody wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// By hand.
    Typed(&'a str),
    /// By a button: the code of a [`Choice`].
    Chosen(&'a str),
}

/// Where an answer leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What it says.
    pub words: String,
    /// A path of the site.
    pub path: String,
}

/// One message of the shop: the code of a text, and what is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code of the text.
    pub text: String,
    /// What is filled in.
    pub values: Vec<(&'static str, String)>,
    /// The code of the link's words, and where it leads.
    pub link: Option<(&'static str, String)>,
}

impl Reply {
    /// A text alone.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            values: Vec::new(),
            link: None,
        }
    }

    /// With a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// With a link.
    #[must_use]
    pub fn to(mut self, words: &'static str, path: impl Into<String>) -> Self {
        self.link = Some((words, path.into()));
        self
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a code to a phone.
    Start(String),
    /// Take a code.
    Verify(String),
    /// Send another code.
    Resend,
    /// Check what was told for a registration, and let it wait for the review.
    Save(Draft),
    /// Register.
    Register,
    /// Tell the balance.
    Balance,
    /// Tell the offers.
    Offers,
    /// Tell the last purchases.
    Purchases,
    /// Tell the number that is to change, and how.
    Phone,
    /// Tell how many points may be given, and how.
    Transfer,
    /// Tell what the help says to a message that is no command.
    Suggest(String),
    /// Write a request.
    Ask {
        /// The code of the topic.
        topic: String,
        /// The text.
        text: String,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A code is on its way.
    Sent,
    /// The customer is signed in.
    SignedIn,
    /// The customer has a second step, which pages take.
    SecondStep,
    /// A phone is still to be proved, which pages take.
    PhoneNext,
    /// The phone is proved, and nobody has it yet.
    NewPhone,
    /// What was told is in order.
    Saved(Draft),
    /// The customer is registered.
    Registered,
    /// What was to be told.
    Told(Vec<Reply>),
    /// The request has this number.
    Asked(i64),
    /// Something is wrong with what was told.
    Flawed(Vec<FieldFlaw>),
    /// Too much at once; again in so many seconds.
    Wait(u32),
    /// What was begun is over.
    Over,
}

/// A step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is answered.
    pub replies: Vec<Reply>,
    /// Where the conversation is then; with an action, where it is should nobody ever hear what came of it.
    pub next: State,
    /// What is to be done.
    pub action: Option<Action>,
}

impl Turn {
    fn new(replies: impl IntoIterator<Item = Reply>, next: State) -> Self {
        Self {
            replies: replies.into_iter().collect(),
            next,
            action: None,
        }
    }

    fn act(action: Action, next: State) -> Self {
        Self {
            replies: Vec::new(),
            next,
            action: Some(action),
        }
    }
}

/// How a conversation begins.
pub fn greeting(facts: &Facts<'_>) -> Reply {
    Reply::new(if facts.is_member {
        "greeting"
    } else {
        "greeting_unknown"
    })
}

/// The answers that are offered where a conversation is.
pub fn choices(state: &State, facts: &Facts<'_>) -> Vec<Choice> {
    let own = |code: &str| Choice {
        code: code.to_owned(),
        words: facts.catalogue.text(facts.lang, code, &[]),
    };
    let named = |(command, record): (Command, &CommandRecord)| Choice {
        code: command.code().to_owned(),
        words: record.name.get(facts.lang).to_owned(),
    };
    let cancel = || {
        let mut offered = facts.catalogue.offered(facts.is_member);
        offered.find(|(command, _)| *command == Command::Cancel).map(named)
    };
    let mut all = match at(state, facts) {
        State::Ready => {
            let offered = facts.catalogue.offered(facts.is_member);
            return offered
                .filter(|(command, _)| *command != Command::Cancel)
                .map(named)
                .collect();
        }
        State::Code => vec![own("resend")],
        State::Details { asked, .. } => match asked {
            Asked::Email => vec![own("skip")],
            Asked::Consent(_) => vec![own("yes"), own("no")],
            Asked::Name | Asked::Surname | Asked::Birthday => Vec::new(),
        },
        // «Нет» begins anew, so there is a way out for whoever wants neither.
        State::Review | State::Confirm { .. } => vec![own("yes"), own("no")],
        State::Topic => facts.topics.clone(),
        State::Text { .. } => Vec::new(),
    };
    all.extend(cancel());
    all
}

/// Whether what is typed next is a code: a secret, which is not kept.
pub fn wants_code(state: &State, facts: &Facts<'_>) -> bool {
    at(state, facts) == &State::Code
}

/// The state as it counts for whoever writes.
fn at<'a>(state: &'a State, facts: &Facts<'_>) -> &'a State {
    if state.is_for(facts.is_member) {
        state
    } else {
        &State::Ready
    }
}

/// What of an input is shown in the conversation: the words of a button, never a code.
pub fn shown(state: &State, input: Input<'_>, facts: &Facts<'_>) -> String {
    match (picked(state, input, facts), input) {
        (Some(choice), _) => choice.words,
        (None, Input::Typed(text))
            if wants_code(state, facts) && facts.catalogue.command(facts.lang, text, facts.is_member).is_none() =>
        {
            MASKED.to_owned()
        }
        (None, Input::Typed(text)) => text.trim().to_owned(),
        // A button of a page that is out of date.
        (None, Input::Chosen(_)) => facts.catalogue.text(facts.lang, "old_button", &[]),
    }
}

/// The answer among those offered that an input is, by its code or its words.
fn picked(state: &State, input: Input<'_>, facts: &Facts<'_>) -> Option<Choice> {
    let mut all = choices(state, facts);
    let at = match input {
        Input::Chosen(code) => all.iter().position(|choice| choice.code == code),
        Input::Typed(text) => all
            .iter()
            .position(|choice| is_same(&choice.words, text))
            .or_else(|| yes_or_no(&all, text)),
    };
    at.map(|at| all.swap_remove(at))
}

/// Which of «Да» and «Нет», where they are offered, a text begins with. «Да нет» is neither.
fn yes_or_no(all: &[Choice], text: &str) -> Option<usize> {
    let said = words(text);
    let first = |choice: &Choice| words(&choice.words).into_iter().next();
    let is_said = |choice: &Choice| first(choice).is_some_and(|word| said.contains(&word));
    let answers = all
        .iter()
        .enumerate()
        .filter(|(_, choice)| matches!(choice.code.as_str(), "yes" | "no"));
    let mut answers = answers.filter(|one| is_said(one.1));
    let (at, choice) = answers.next()?;
    (answers.next().is_none() && first(choice).as_ref() == said.first()).then_some(at)
}

/// Reads what somebody wrote.
pub fn step(state: &State, input: Input<'_>, facts: &Facts<'_>) -> Turn {
    let state = at(state, facts);
    let picked = picked(state, input, facts);
    let code = picked.as_ref().map(|choice| choice.code.as_str());
    let text = match input {
        Input::Typed(text) => text.trim(),
        Input::Chosen(_) => "",
    };
    // Of what is offered a button says which; what is typed is looked for among all commands, so that what is not for
    // everybody can be told to be there. What is told freely is a command only where it is to leave.
    let command = match code {
        Some(code) => Command::of(code).filter(|_| !matches!(state, State::Topic) || code == Command::Cancel.code()),
        None => facts.catalogue.command(facts.lang, text, facts.is_member),
    };
    let is_free = matches!(state, State::Text { .. });
    if let Some(command) = command.filter(|command| !is_free || *command == Command::Cancel) {
        return self::command(command, state, facts);
    }
    // Only where nothing else is asked for: a name or an address may have the words of a command in it.
    let meant = || facts.catalogue.meant(facts.lang, text, facts.is_member);
    match state {
        // A button of a page that is out of date.
        State::Ready if facts.is_member && text.is_empty() => Turn::new([Reply::new("not_understood")], State::Ready),
        State::Ready if facts.is_member => match meant() {
            Some(meant) => self::command(meant, state, facts),
            None => Turn::act(Action::Suggest(text.to_owned()), State::Ready),
        },
        State::Ready => match (Phone::parse(text, facts.country), meant()) {
            (Ok(phone), _) => Turn::act(Action::Start(phone.as_str().to_owned()), State::Ready),
            (Err(_), Some(meant)) => self::command(meant, state, facts),
            (Err(flaw), None) => Turn::new([flawed(&flaw), Reply::new("ask_phone")], State::Ready),
        },
        State::Code if code == Some("resend") => Turn::act(Action::Resend, State::Code),
        State::Code if text.is_empty() => Turn::new([Reply::new("ask_code")], State::Code),
        State::Code => Turn::act(Action::Verify(text.to_owned()), State::Code),
        State::Details { draft, asked } => detail(draft, asked, code, text, facts),
        State::Review => match code {
            Some("yes") => Turn::act(Action::Register, State::Review),
            Some("no") => begin_anew(Vec::new()),
            _ => Turn::new([Reply::new("yes_or_no")], State::Review),
        },
        State::Topic => match code {
            Some(topic) => {
                let topic = topic.to_owned();
                Turn::new([Reply::new("ask_text")], State::Text { topic })
            }
            None => Turn::new([Reply::new("ask_topic")], State::Topic),
        },
        State::Text { topic } => match request::text(text) {
            Ok(text) => {
                let asked = Reply::new("confirm_request")
                    .with("topic", name_of(topic, facts))
                    .with("text", &text);
                let topic = topic.clone();
                Turn::new([asked], State::Confirm { topic, text })
            }
            Err(flaw) => Turn::new([flawed(&flaw), Reply::new("ask_text")], state.clone()),
        },
        State::Confirm { topic, text } => match code {
            Some("yes") => Turn::act(
                Action::Ask {
                    topic: topic.clone(),
                    text: text.clone(),
                },
                State::Ready,
            ),
            Some("no") => Turn::new([Reply::new("begin_anew"), Reply::new("ask_topic")], State::Topic),
            _ => Turn::new([Reply::new("yes_or_no")], state.clone()),
        },
    }
}

/// What the records call a topic.
fn name_of(topic: &str, facts: &Facts<'_>) -> String {
    let found = facts.topics.iter().find(|choice| choice.code == topic);
    found.map_or(topic, |choice| choice.words.as_str()).to_owned()
}

/// Does what a command asks for. Who has no card yet is told that it takes one, and stays where they are.
fn command(command: Command, state: &State, facts: &Facts<'_>) -> Turn {
    if !command.is_for(facts.is_member) {
        return Turn::new([Reply::new("locked"), again(state, facts)], state.clone());
    }
    match command {
        Command::Register => match state {
            State::Ready => Turn::new([Reply::new("ask_phone")], State::Ready),
            // On the way already.
            _ => Turn::new([again(state, facts)], state.clone()),
        },
        Command::Help => {
            let offered = facts.catalogue.offered(facts.is_member);
            let names: Vec<&str> = offered.map(|(_, record)| record.name.get(facts.lang)).collect();
            let help = Reply::new("help")
                .with("commands", names.join(", "))
                .to("to_help", "/help");
            Turn::new([help, again(state, facts)], state.clone())
        }
        Command::Balance => Turn::act(Action::Balance, State::Ready),
        Command::Offers => Turn::act(Action::Offers, State::Ready),
        Command::Purchases => Turn::act(Action::Purchases, State::Ready),
        Command::Request => Turn::new([Reply::new("ask_topic")], State::Topic),
        // What takes a fresh proof of who it is has a page, which asks for it: here it is told what it would be about.
        Command::Phone => Turn::act(Action::Phone, State::Ready),
        Command::Transfer => Turn::act(Action::Transfer, State::Ready),
        Command::Cancel => Turn::new([Reply::new("cancelled"), again(&State::Ready, facts)], State::Ready),
    }
}

/// What is asked for where a conversation is.
fn again(state: &State, facts: &Facts<'_>) -> Reply {
    match state {
        State::Ready if facts.is_member => Reply::new("what_next"),
        State::Ready => Reply::new("ask_phone"),
        State::Code => Reply::new("ask_code"),
        State::Details { asked, .. } => ask(asked, facts),
        State::Review | State::Confirm { .. } => Reply::new("yes_or_no"),
        State::Topic => Reply::new("ask_topic"),
        State::Text { .. } => Reply::new("ask_text"),
    }
}

/// Asks for one thing of a registration.
fn ask(asked: &Asked, facts: &Facts<'_>) -> Reply {
    match asked {
        Asked::Name => Reply::new("ask_name"),
        Asked::Surname => Reply::new("ask_surname"),
        Asked::Email => Reply::new("ask_email"),
        Asked::Birthday => Reply::new("ask_birthday"),
        Asked::Consent(code) => {
            let title = facts.consents.iter().find(|consent| consent.code == *code);
            let title = title.map_or(code, |consent| &consent.title);
            Reply::new("ask_consent")
                .with("title", title)
                .to("to_consent", format!("/consents/{code}"))
        }
    }
}

/// Begins a registration anew, after what is said before.
fn begin_anew(mut said: Vec<Reply>) -> Turn {
    said.extend([Reply::new("begin_anew"), Reply::new("ask_name")]);
    let (draft, asked) = (Draft::default(), Asked::Name);
    Turn::new(said, State::Details { draft, asked })
}

/// Takes one thing of a registration.
fn detail(draft: &Draft, asked: &Asked, code: Option<&str>, text: &str, facts: &Facts<'_>) -> Turn {
    let mut draft = draft.clone();
    let flaw = match asked {
        Asked::Name => {
            draft.person.name = text.to_owned();
            flaw_of(&draft.person, "name", facts)
        }
        Asked::Surname => {
            draft.person.surname = text.to_owned();
            flaw_of(&draft.person, "surname", facts)
        }
        Asked::Email if code == Some("skip") => {
            draft.email.clear();
            None
        }
        Asked::Email => {
            draft.email = text.to_owned();
            Email::parse(text).err()
        }
        Asked::Birthday => {
            [draft.person.day, draft.person.month, draft.person.year] = date(text);
            flaw_of(&draft.person, "birthday", facts)
        }
        Asked::Consent(consent) => {
            let is_required = facts.consents.iter().any(|one| one.code == *consent && one.required);
            match code {
                Some("yes") => {
                    draft.consents.retain(|known| known != consent);
                    draft.consents.push(consent.clone());
                    None
                }
                Some("no") if is_required => Some(Flaw::MustAgree),
                Some("no") => {
                    draft.consents.retain(|known| known != consent);
                    None
                }
                _ => Some(Flaw::NotAChoice),
            }
        }
    };
    if let Some(flaw) = flaw {
        let again = ask(asked, facts);
        let asked = asked.clone();
        // What does not fit is not kept: it may be anything.
        let draft = forget(draft, &asked);
        return Turn::new([flawed(&flaw), again], State::Details { draft, asked });
    }
    let consent_after = |code: Option<&str>| {
        let known = code.and_then(|code| facts.consents.iter().position(|consent| consent.code == code));
        let next = facts.consents.get(known.map_or(0, |known| known + 1));
        next.map(|consent| Asked::Consent(consent.code.clone()))
    };
    let next = match asked {
        Asked::Name => Some(Asked::Surname),
        Asked::Surname => Some(Asked::Email),
        Asked::Email => Some(Asked::Birthday),
        Asked::Birthday => consent_after(None),
        Asked::Consent(code) => consent_after(Some(code)),
    };
    match next {
        Some(asked) => Turn::new([ask(&asked, facts)], State::Details { draft, asked }),
        None => {
            let asked = asked.clone();
            let waiting = State::Details {
                draft: draft.clone(),
                asked,
            };
            Turn::act(Action::Save(draft), waiting)
        }
    }
}

/// The draft without what was asked for.
fn forget(mut draft: Draft, asked: &Asked) -> Draft {
    match asked {
        Asked::Name => draft.person.name.clear(),
        Asked::Surname => draft.person.surname.clear(),
        Asked::Email => draft.email.clear(),
        Asked::Birthday => [draft.person.day, draft.person.month, draft.person.year] = <[String; 3]>::default(),
        Asked::Consent(_) => {}
    }
    draft
}

/// What is wrong with a field of the person, by the check that the form has.
fn flaw_of(person: &PersonForm, field: &str, facts: &Facts<'_>) -> Option<Flaw> {
    let flaws = person.flaws(facts.today, facts.minimum_age);
    flaws.into_iter().find(|(name, _)| name == field).map(|(_, flaw)| flaw)
}

/// Day, month and year of a date as people type it, `3.05.1990`, and as machines do, `1990-05-03`.
fn date(text: &str) -> [String; 3] {
    let parts: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    let parts = match parts[..] {
        [year, month, day] if year.len() == 4 => [day, month, year],
        [day, month, year] => [day, month, year],
        // No date; not empty either, or it would be told to be missing.
        _ => [text, "", ""],
    };
    parts.map(str::to_owned)
}

/// Says what is wrong, in the words of the records.
fn flawed(flaw: &Flaw) -> Reply {
    let code = match flaw {
        Flaw::Missing
        | Flaw::TooLong { .. }
        | Flaw::NotAName
        | Flaw::ControlCharacters
        | Flaw::NotAPhone
        | Flaw::NotAnEmail
        | Flaw::NotADate
        | Flaw::InTheFuture
        | Flaw::TooOld
        | Flaw::TooYoung { .. }
        | Flaw::NotAChoice
        | Flaw::MustAgree
        | Flaw::WrongCode { .. }
        | Flaw::ExpiredCode => flaw.key(),
        _ => "other",
    };
    let number = flaw.number().unwrap_or_default();
    Reply::new(format!("flaw_{code}")).with("n", number.to_string())
}

/// Reads what came of an action.
pub fn settle(action: &Action, outcome: Outcome, facts: &Facts<'_>) -> Turn {
    let on_the_way = || match action {
        Action::Verify(_) | Action::Resend => State::Code,
        Action::Register => State::Review,
        Action::Ask { topic, text } => State::Confirm {
            topic: topic.clone(),
            text: text.clone(),
        },
        _ => State::Ready,
    };
    match outcome {
        Outcome::Sent => {
            let sent = match action {
                Action::Start(phone) => Reply::new("code_sent").with("phone", show_phone(phone)),
                _ => Reply::new("code_sent_again"),
            };
            Turn::new([sent], State::Code)
        }
        Outcome::SignedIn => Turn::new([Reply::new("welcome")], State::Ready),
        Outcome::SecondStep => Turn::new(
            [Reply::new("second_step").to("to_second_step", "/sign-in/second")],
            State::Ready,
        ),
        Outcome::PhoneNext => Turn::new([Reply::new("over").to("to_sign_in", "/sign-in/phone")], State::Ready),
        Outcome::NewPhone => {
            let (draft, asked) = (Draft::default(), Asked::Name);
            let replies = [Reply::new("new_phone"), Reply::new("ask_name")];
            Turn::new(replies, State::Details { draft, asked })
        }
        Outcome::Saved(draft) => Turn::new([review(&draft, facts)], State::Review),
        Outcome::Registered => Turn::new([Reply::new("registered").to("to_card", "/card")], State::Ready),
        Outcome::Told(replies) => Turn::new(replies, State::Ready),
        Outcome::Asked(number) => {
            let sent = Reply::new("request_sent").with("number", number.to_string());
            Turn::new([sent.to("to_request", format!("/support/{number}"))], State::Ready)
        }
        Outcome::Flawed(flaws) => {
            let said: Vec<Reply> = flaws.iter().map(|(_, flaw)| flawed(flaw)).collect();
            match action {
                Action::Save(_) | Action::Register => begin_anew(said),
                Action::Ask { .. } => Turn::new(said.into_iter().chain([Reply::new("ask_topic")]), State::Topic),
                _ => Turn::new(said, on_the_way()),
            }
        }
        Outcome::Wait(seconds) => {
            let minutes = seconds.div_ceil(60).max(1);
            Turn::new([Reply::new("wait").with("n", minutes.to_string())], on_the_way())
        }
        Outcome::Over => Turn::new([Reply::new("over"), again(&State::Ready, facts)], State::Ready),
    }
}

/// Everything that was told, to be looked at once more.
fn review(draft: &Draft, facts: &Facts<'_>) -> Reply {
    let PersonForm {
        name,
        surname,
        day,
        month,
        year,
    } = &draft.person;
    let email = match draft.email.as_str() {
        "" => "—",
        email => email,
    };
    // It was read when it was told.
    let birthday = crate::flaw::date(day, month, year).map(|day| facts.lang.date_in_words(day));
    let birthday = birthday.unwrap_or_default();
    let agreed = facts
        .consents
        .iter()
        .filter(|consent| draft.consents.contains(&consent.code));
    let agreed: Vec<&str> = agreed.map(|consent| consent.title.as_str()).collect();
    Reply::new("review")
        .with("name", name)
        .with("surname", surname)
        .with("email", email)
        .with("birthday", birthday)
        .with("consents", agreed.join("; "))
}
