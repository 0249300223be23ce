//! What a page has at hand: who asks, in which language, the database, and what came of the form just sent.

use crate::texts::Texts;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use crm::contact::show_phone;
use crm::db::Db;
use crm::flaw::Flaw;
use crm::lang::{Lang, Localized};
use crm::purchase::StoreName;
use crm::request::Upload;
use crm::shop::Shop;
use crm::signin::known;
use crm::staff::Right;
use crm::who::{Customer, Opened, Staff, Subject, Token, Viewer, Viewing, Visitor};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// How a page looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// As the device is set.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// As cookies and `data-theme` name it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme with this name; `Auto` for every other.
    pub fn from_code(code: &str) -> Self {
        match code {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// Addresses of a module of WebAssembly; empty where there is none.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Module {
    /// The script that starts it.
    pub loader: String,
    /// wasm-bindgen's JavaScript.
    pub js: String,
    /// The module.
    pub wasm: String,
}

/// What reads a code by the camera; the decoder is fetched where the browser has none of its own.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Scan {
    /// The script of the page.
    pub js: String,
    /// The library that finds a QR code in a picture.
    pub decoder: String,
}

/// Addresses of the built files, by their hashed names.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The style sheet.
    pub css: String,
    /// The brand's colours, made from configuration.
    pub theme: String,
    /// What brings islands to life.
    pub islands: Module,
    /// What shows the changing code of a card.
    pub rotating: Module,
    /// The script by which pages speak to the service worker.
    pub offline: String,
    /// The script that brings what comes while a page is looked at.
    pub live: String,
    /// What reads the code of a receipt by the camera.
    pub scan: Scan,
    /// What the API is asked and answers (OpenAPI 3.1).
    pub api: serde_json::Value,
}

/// An outside provider as pages offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in addresses.
    pub id: String,
    /// What people call it.
    pub name: Localized,
    /// It lets staff in, not customers.
    pub is_for_staff: bool,
    /// Who somebody is can be proved anew there.
    pub confirms: bool,
}

/// A cookie to be set or, without a value, removed.
#[derive(Clone, Debug)]
pub struct SetCookie {
    /// Its name, without the prefix that https brings.
    pub name: &'static str,
    /// Its value.
    pub value: Option<String>,
    /// For how long; `None` for as long as the browser is open.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Names of the cookies.
pub mod cookie {
    /// A customer's session.
    pub const SESSION: &str = "kabinet";
    /// A session of staff.
    pub const STAFF: &str = "kabinet_staff";
    /// A customer's attempt to come in, or to prove something.
    pub const ATTEMPT: &str = "kabinet_attempt";
    /// The same of a member of staff.
    pub const STAFF_ATTEMPT: &str = "kabinet_staff_attempt";
    /// The way to an outside provider that this browser is on.
    pub const HANDOFF: &str = "kabinet_handoff";
    /// A secret that the page of what it belongs to shows, once.
    pub const ONCE: &str = "kabinet_once";
    /// What was typed of a transfer of points, for the page that asks once more.
    pub const TRANSFER: &str = "kabinet_transfer";
    /// The code of whoever invited somebody who has not registered yet.
    pub const INVITE: &str = "kabinet_invite";
    /// The conversation of somebody who is not signed in.
    pub const CHAT: &str = "kabinet_chat";
    /// By which a browser that somebody came in by is known again.
    pub const DEVICE: &str = "kabinet_device";
    /// The language that was chosen.
    pub const LANG: &str = "lang";
    /// The theme that was chosen.
    pub const THEME: &str = "theme";
}

/// A form that was sent and not taken: rendered again with everything that was typed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The form's name.
    pub form: String,
    /// Its idempotency key, kept.
    pub key: String,
    /// Why.
    pub error: AppError,
    /// What was typed, secrets excepted.
    pub values: Vec<(String, String)>,
}

/// All of it.
pub struct Inner {
    /// The database, the clock and the shop's settings.
    pub db: Db,
    /// The language of the page.
    pub lang: Lang,
    /// The theme that was chosen.
    pub theme: Theme,
    /// The customer who is signed in.
    pub customer: Option<Customer>,
    /// The member of staff who is signed in.
    pub staff: Option<Staff>,
    /// The same, where they look at this page as its customer sees it.
    pub viewer: Option<Viewer>,
    /// Where the request comes from.
    pub visitor: Visitor,
    /// Somebody looks at the page: it was asked for, not sent a form, and not fetched ahead of time.
    pub is_visit: bool,
    /// The page's path.
    pub path: String,
    /// What follows the question mark, in its order: boxes that are ticked have one name.
    pub query: Vec<(String, String)>,
    /// The parts of the path that the route names.
    pub params: HashMap<String, String>,
    /// The cookies that came.
    pub tokens: HashMap<&'static str, Token>,
    /// The form that was sent and not taken.
    pub outcome: Option<Outcome>,
    /// The files that came along with the form that is being done.
    pub files: Arc<[Upload]>,
    /// Addresses of the built files.
    pub site: Arc<Site>,
    /// This is a demonstration: made-up people.
    pub is_demonstration: bool,
    /// Messages go to the development inbox, and whoever asks may see it: a demonstration without a transport, asked by
    /// staff or from the machine itself.
    pub has_inbox: bool,
    /// Messages leave for people.
    pub has_transport: bool,
    /// The outside providers by which people may come in.
    pub providers: Arc<[Provider]>,
    /// What the error page names, and the log too.
    pub request_id: String,
    /// Cookies that the answer will set.
    pub cookies: Mutex<Vec<SetCookie>>,
}

/// A handle on it; copies are cheap.
#[derive(Clone)]
pub struct Cx(pub Arc<Inner>);

impl Deref for Cx {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The handle of the page being rendered, for components.
pub fn cx() -> Cx {
    expect_context::<Cx>()
}

impl Cx {
    /// The page's address on this site, with what was asked of it.
    pub fn here(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut asked: Vec<_> = self.query.iter().collect();
        asked.sort_by(|a, b| a.0.cmp(&b.0));
        let asked = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(asked)
            .finish();
        format!("{}?{asked}", self.path)
    }

    /// A form of this name was sent and not taken.
    pub fn was_sent(&self, form: &str) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.form == form)
    }

    /// The words of the page's language.
    pub fn t(&self) -> &'static Texts {
        Texts::of(self.lang)
    }

    /// The shop's settings.
    pub fn shop(&self) -> &Shop {
        self.db.shop()
    }

    /// The shop's day.
    pub fn today(&self) -> NaiveDate {
        self.shop().day(self.db.now())
    }

    /// The customer who is signed in, or [`AppError::SignedOut`]; where staff look at the cabinet, [`AppError::Forbidden`]. Forms ask
    /// for it, and pages that are for the customer alone.
    pub fn customer(&self) -> Result<&Customer, AppError> {
        self.customer.as_ref().ok_or(match self.viewing() {
            Some(_) => AppError::Forbidden,
            None => AppError::SignedOut,
        })
    }

    /// Whose data a page of the cabinet shows: for pages that only read.
    pub fn subject(&self) -> Result<Subject, AppError> {
        match &self.viewer {
            Some(viewer) => Ok(viewer.me()),
            None => Ok(self.customer()?.me()),
        }
    }

    /// The name of whoever's cabinet it is.
    pub fn name(&self) -> Result<&str, AppError> {
        match &self.viewer {
            Some(viewer) => Ok(viewer.name()),
            None => Ok(self.customer()?.name()),
        }
    }

    /// Whether whoever's cabinet it is was not shown around yet.
    pub fn needs_tour(&self) -> bool {
        match &self.viewer {
            Some(viewer) => viewer.needs_tour(),
            None => self.customer.as_ref().is_some_and(Customer::needs_tour),
        }
    }

    /// The look at a customer's cabinet that a member of staff has begun, on every page that is not their own.
    pub fn viewing(&self) -> Option<&Viewing> {
        let staff = self.staff.as_ref().filter(|_| !self.path.starts_with("/admin"))?;
        staff.viewing()
    }

    /// The member of staff who is signed in, or [`AppError::SignedOut`].
    pub fn staff(&self) -> Result<&Staff, AppError> {
        self.staff.as_ref().ok_or(AppError::SignedOut)
    }

    /// Whether whoever looks at the page may open files of requests: customers those of theirs, staff by a right, and no less where
    /// they look at the cabinet as its customer sees it.
    pub fn opens_documents(&self) -> bool {
        let is_for_staff = self.viewer.is_some() || self.path.starts_with("/admin");
        !is_for_staff || self.staff.as_ref().is_some_and(|staff| staff.has(Right::Documents))
    }

    /// A value of the query, unless it is empty; of several the last.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.queries(name).last().filter(|v| !v.is_empty())
    }

    /// Each value of this name in the query.
    pub fn queries(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.query.iter().filter(move |(held, _)| held == name);
        named.map(|(_, value)| value.trim())
    }

    /// A part of the path. One that cannot be read is no page of ours: [`AppError::NotFound`].
    pub fn param<T: std::str::FromStr>(&self, name: &str) -> Result<T, AppError> {
        self.params
            .get(name)
            .and_then(|v| v.parse().ok())
            .ok_or(AppError::NotFound)
    }

    /// A text of the CRM in the page's language.
    pub fn pick(&self, text: &Localized) -> String {
        text.get(self.lang).to_owned()
    }

    /// Money in words of the page's language.
    pub fn money(&self, minor: i64) -> String {
        crate::format::money(self.lang, self.shop(), minor)
    }

    /// Points as a figure.
    pub fn points(&self, minor: i64) -> String {
        crate::format::points(self.lang, minor)
    }

    /// A day of this year without the year.
    pub fn day(&self, at: DateTime<Utc>) -> String {
        crate::format::day(self.lang, self.shop().day(at), self.today())
    }

    /// A moment with its time.
    pub fn moment(&self, at: DateTime<Utc>) -> String {
        crate::format::moment(self.lang, self.shop(), at, self.db.now())
    }

    /// The time that the clock of a store showed at a moment: where none is known, the shop's own clock. What was bought there is
    /// told by it, as the paper has it; days and months that receipts are looked for and summed by are the shop's.
    pub fn local_in(&self, store: Option<&StoreName>, at: DateTime<Utc>) -> NaiveDateTime {
        let zone = self.shop().zone_of(store.and_then(|store| store.time_zone.as_deref()));
        at.with_timezone(&zone).naive_local()
    }

    /// The same in words.
    pub fn moment_in(&self, store: Option<&StoreName>, at: DateTime<Utc>) -> String {
        let local = self.local_in(store, at);
        let day = crate::format::day(self.lang, local.date(), self.today());
        format!("{day}, {}", local.format("%H:%M"))
    }

    /// The time alone, of a moment within a day from now.
    pub fn time(&self, at: DateTime<Utc>) -> String {
        crate::format::time(self.shop(), at)
    }

    /// How long ago.
    pub fn ago(&self, at: DateTime<Utc>) -> String {
        crate::format::ago(self.lang, self.shop(), at, self.db.now())
    }

    /// A phone as it is shown.
    pub fn phone(&self, e164: &str) -> String {
        show_phone(e164)
    }

    /// Sets a cookie with the answer, or removes it.
    pub fn set_cookie(&self, name: &'static str, value: Option<String>, expires_at: Option<DateTime<Utc>>) {
        let cookie = SetCookie {
            name,
            value,
            expires_at,
        };
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner).push(cookie);
    }

    /// Hands a session to the browser, and what the browser is known again by.
    pub fn set_session(&self, name: &'static str, opened: &Opened) {
        self.set_cookie(name, Some(opened.token.secret().to_owned()), Some(opened.expires_at));
        if let Some(device) = &opened.device {
            let until = self.db.now() + known::KEPT;
            self.set_cookie(cookie::DEVICE, Some(device.secret().to_owned()), Some(until));
        }
    }

    /// The token in one of the cookies that came.
    pub fn token(&self, name: &str) -> Option<&Token> {
        self.tokens.get(name)
    }

    /// The words for what is wrong with a field.
    pub fn flaw(&self, flaw: &Flaw) -> String {
        let words = &self.t().flaw;
        let n = flaw.number().unwrap_or_default();
        match flaw {
            Flaw::Missing => words.missing.into(),
            Flaw::TooLong { .. } => words.too_long(n),
            Flaw::TooShort { .. } => words.too_short(n),
            Flaw::NotAName => words.not_a_name.into(),
            Flaw::ControlCharacters => words.control_characters.into(),
            Flaw::NotAPhone => words.not_a_phone.into(),
            Flaw::NotAnEmail => words.not_an_email.into(),
            Flaw::NotADate => words.not_a_date.into(),
            Flaw::InTheFuture => words.in_the_future.into(),
            Flaw::TooOld => words.too_old.into(),
            Flaw::TooYoung { .. } => words.too_young(n),
            Flaw::NotACode => words.not_a_code.into(),
            Flaw::NotAKey => words.not_a_key.into(),
            Flaw::NotAUrl => words.not_a_url.into(),
            Flaw::PrivateAddress => words.private_address.into(),
            Flaw::NotATimeZone => words.not_a_time_zone.into(),
            Flaw::NotHours => words.not_hours.into(),
            Flaw::NotATime => words.not_a_time.into(),
            Flaw::NotAChoice => words.not_a_choice.into(),
            Flaw::NotTheOne => words.not_the_one.into(),
            Flaw::MustAgree => words.must_agree.into(),
            Flaw::WrongCode { .. } => words.wrong_code(n),
            Flaw::ExpiredCode => words.expired_code.into(),
            // Which of the two was wrong is not told, but which two there were.
            Flaw::WrongPassword => match self.path.as_str() {
                "/sign-in" => words.wrong_password.into(),
                "/admin/sign-in" => words.wrong_login.into(),
                _ => words.wrong_password_alone.into(),
            },
            Flaw::WrongSecond => words.wrong_second.into(),
            Flaw::WrongPasskey => words.wrong_passkey.into(),
            Flaw::WeakPassword => words.weak_password.into(),
            Flaw::NoReceipt => words.no_receipt.into(),
            Flaw::NoQr => words.no_qr.into(),
            Flaw::ClaimedBefore => words.claimed_before.into(),
            Flaw::TooLate => words.too_late.into(),
            Flaw::ByRequest => words.by_request.into(),
            Flaw::Taken if self.path.starts_with("/admin") => words.taken_among_records.into(),
            Flaw::Taken => words.taken.into(),
            Flaw::TakenBy { name } => words.taken_by(name),
            Flaw::TakenElsewhere => words.taken_elsewhere.into(),
            Flaw::LastOne if self.path.starts_with("/admin") => words.last_topic.into(),
            Flaw::LastOne => words.last_one.into(),
            Flaw::NotPoints => words.not_points.into(),
            Flaw::InThePast => words.in_the_past.into(),
            Flaw::NotANumber => words.not_a_number.into(),
            Flaw::Backwards => words.backwards.into(),
            Flaw::OutOfRange { min, max } => words.out_of_range(max, min),
            Flaw::NoArticle { .. } => words.no_article(n),
            Flaw::Unreadable { .. } => words.unreadable(n),
            Flaw::NoCustomer { .. } => words.no_customer(n),
            Flaw::TooManyLines { .. } => words.too_many_lines(n),
            Flaw::NotEnoughPoints { missing } => words.not_enough_points(self.points(*missing)),
            Flaw::PointsLimit { left } => words.points_limit(self.points(*left)),
            Flaw::NoReceiver => words.no_receiver.into(),
            Flaw::NoInvitation => words.no_invitation.into(),
            Flaw::Frozen => words.frozen.into(),
            Flaw::NoBlankCard => words.no_blank_card.into(),
            Flaw::Circle => words.circle.into(),
            Flaw::SeveralPrograms => words.several_programs.into(),
            Flaw::TooManyFiles { .. } => words.too_many_files(n),
            Flaw::FileName { .. } => words.file_name(n),
            Flaw::FileKind { .. } => words.file_kind(n),
            Flaw::FileLies { .. } => words.file_lies(n),
            Flaw::EmptyFile { .. } => words.empty_file(n),
            Flaw::FileTooLarge { max, .. } => words.file_too_large(max, n),
            Flaw::FilesOfADay { .. } => words.files_of_a_day(n),
            Flaw::TooManyWaiting { .. } => words.too_many_waiting(n),
            Flaw::Private => words.private.into(),
            Flaw::UnknownVariable { name } => words.unknown_variable(name),
            Flaw::MissingVariable { name } => words.missing_variable(name),
            Flaw::UnknownLogin { name } => words.unknown_login(name),
            Flaw::NoSuchNumber => words.no_such_number.into(),
            Flaw::NotATable => words.not_a_table.into(),
        }
    }
}
