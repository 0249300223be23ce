//! Pages and forms as data: the tables in [`crate::ROUTES`] are the whole site, so a test can walk over all of it.

use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use crm::lang::Lang;
use crm::sheet;
use futures::future::BoxFuture;
use islands::AppError;
use leptos::prelude::*;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;

/// Who may ask for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Everybody, and those who are signed in already are sent home.
    SignedOut,
    /// A customer who is signed in.
    Customer,
    /// Staff.
    Staff,
    /// Only a demonstration without a transport for messages has it, for staff and for whoever is at the machine itself.
    Demonstration,
}

/// The frame around a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A customer's page; the place to be marked in the navigation.
    Cabinet(Place),
    /// Signing in, registering, and what stands alone.
    Plain,
    /// Kept on a device and shown there without a network: nothing that leads on, asks or changes.
    Kept,
    /// Opened by a link from elsewhere, by whoever it was sent to: without what a page offers to whom it knows.
    Alone,
    /// Staff.
    Admin,
}

/// The five places of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Home.
    Home,
    /// Purchases.
    Purchases,
    /// The card.
    Card,
    /// Offers and programs.
    Offers,
    /// Support.
    Support,
    /// None of them.
    Elsewhere,
}

/// A page ready to be put into its frame.
pub struct Body {
    /// What the tab says.
    pub title: String,
    /// The frame.
    pub frame: Frame,
    /// What stands in `<main>`.
    pub view: Html,
}

impl Body {
    /// A page.
    pub fn new(title: impl Into<String>, frame: Frame, view: impl IntoView) -> Self {
        Self {
            title: title.into(),
            frame,
            view: view.into_html(),
        }
    }
}

/// A file to be saved.
pub struct File {
    /// What it is called, in ASCII.
    pub name: String,
    /// What it is, as `Content-Type` says.
    pub kind: &'static str,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Rows of a table that becomes a file.
pub type Sheet = csv::Writer<Vec<u8>>;

impl File {
    /// A table as `fill` writes it, for a spreadsheet of this language; the name is without its ending.
    pub fn sheet(lang: Lang, name: &str, fill: impl FnOnce(&mut Sheet) -> csv::Result<()>) -> Result<Self, AppError> {
        let mut rows = sheet::writer(lang, sheet::MARK.to_vec());
        let written = fill(&mut rows).and_then(|()| rows.into_inner().map_err(|e| e.into_error().into()));
        let bytes = written.map_err(|e| {
            tracing::error!(error = %e, name, "a table could not be written");
            AppError::Internal
        })?;
        Ok(Self {
            name: format!("{name}.csv"),
            kind: "text/csv; charset=utf-8",
            bytes,
        })
    }

    /// Something to print, where it could be drawn; the name is without its ending.
    pub fn paper(name: &str, drawn: Option<Vec<u8>>) -> Result<Self, AppError> {
        let bytes = drawn.ok_or_else(|| {
            tracing::error!(name, "a paper could not be drawn");
            AppError::Internal
        })?;
        Ok(Self {
            name: format!("{name}.pdf"),
            kind: "application/pdf",
            bytes,
        })
    }
}

/// A function that makes a page.
pub type PageFn = fn(Cx) -> BoxFuture<'static, Result<Body, AppError>>;
/// A function that makes a file. What goes wrong becomes a page.
pub type FileFn = fn(Cx) -> BoxFuture<'static, Result<File, AppError>>;
/// A function that reads and does what a form asks.
pub type FormFn = for<'a> fn(&'a Cx, &'a str) -> BoxFuture<'a, Result<Next, AppError>>;

/// Where to go when a form was taken: a path of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next(String);

impl Next {
    /// To a path that the program makes itself.
    pub fn to(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// To a path that came from outside: only one on this site counts, else `otherwise`.
    pub fn to_untrusted(path: Option<&str>, otherwise: &str) -> Self {
        // What a browser would read otherwise than we do, or a header cannot carry, is none.
        let is_plain = |p: &str| p.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        let ours = path.filter(|p| p.starts_with('/') && !p.starts_with("//") && is_plain(p));
        Self(ours.unwrap_or(otherwise).to_owned())
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.0
    }
}

/// A page with the one to go on to afterwards. Slashes stay as they are, for people read addresses too.
pub fn with_next(page: &str, next: &str) -> String {
    const OTHERS: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'&')
        .add(b'+')
        .add(b'<')
        .add(b'>');
    format!("{page}?next={}", utf8_percent_encode(next, OTHERS))
}

/// The same, with one that came from outside: where it is not on this site, without.
pub fn with_untrusted_next(page: &str, next: Option<&str>) -> String {
    match Next::to_untrusted(next, "").path() {
        "" => page.to_owned(),
        next => with_next(page, next),
    }
}

/// The name of the fields that carry files.
pub const FILES: &str = "files";

/// A change that a page offers: typed input, typed error, and a line or two into the CRM.
pub trait Form: DeserializeOwned + Send {
    /// Its name, as the hidden field `_fn` carries it: `program.join`.
    const NAME: &'static str;

    /// Sent once more, under the same key and perhaps with other fields, it is done once more: a search changes nothing,
    /// and people go back to one and type something else; a password opens again, for what it opened may never have arrived.
    const REPEATS: bool = false;

    /// Files may come along in fields called [`FILES`]: then they are in [`crate::cx::Inner::files`].
    const TAKES_FILES: bool = false;

    /// How many megabytes its one file may have, where it is no file of a message: those are as large as the shop says.
    const FILE_MB: Option<usize> = None;

    /// Does it.
    fn run(self, cx: &Cx) -> impl Future<Output = Result<Next, AppError>> + Send;
}

/// A form in the table of a page.
#[derive(Clone, Copy)]
pub struct FormEntry {
    /// Its name.
    pub name: &'static str,
    /// Reads the body and runs it.
    pub run: FormFn,
    /// Its key is not kept; see [`Form::REPEATS`].
    pub repeats: bool,
    /// Files may come along; see [`Form::TAKES_FILES`].
    pub takes_files: bool,
    /// How large its one file may be; see [`Form::FILE_MB`].
    pub file_mb: Option<usize>,
}

/// The entry of a form.
pub const fn form<F: Form>() -> FormEntry {
    FormEntry {
        name: F::NAME,
        repeats: F::REPEATS,
        takes_files: F::TAKES_FILES,
        file_mb: F::FILE_MB,
        run: |cx, body| {
            Box::pin(async move {
                let config = serde_qs::Config::new(2, false);
                // Names and kinds of fields are ours; what cannot be read at all was not sent by our page.
                let form: F = config.deserialize_str(body).map_err(|_| AppError::Refused)?;
                form.run(cx).await
            })
        },
    }
}

/// What an address answers with.
#[derive(Clone, Copy)]
pub enum Answer {
    /// A page.
    Page(PageFn),
    /// A file.
    File(FileFn),
}

/// A page with its forms, or a file.
#[derive(Clone, Copy)]
pub struct Route {
    /// Its path, with `{name}` for what varies.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    /// What makes it.
    pub answer: Answer,
    /// The changes it offers.
    pub forms: &'static [FormEntry],
}

impl Route {
    /// Whether files may come along with one of its forms.
    pub fn takes_files(&self) -> bool {
        self.forms.iter().any(|form| form.takes_files)
    }

    /// How many megabytes a file may have here, where it is not what the shop says of files of messages.
    pub fn file_mb(&self) -> Option<usize> {
        self.forms.iter().find_map(|form| form.file_mb)
    }
}

/// A page in the table: `page!("/purchases", Customer, purchases::page, [Forms…])`.
#[macro_export]
macro_rules! page {
    ($path:literal, $access:ident, $page:path $(, [$($form:ty),* $(,)?])?) => {
        $crate::route::Route {
            path: $path,
            access: $crate::route::Access::$access,
            answer: $crate::route::Answer::Page(|cx| Box::pin($page(cx))),
            forms: &[$($($crate::route::form::<$form>()),*)?],
        }
    };
}

/// A file in the table: `download!("/points/statement.csv", Customer, statement::csv)`.
#[macro_export]
macro_rules! download {
    ($path:literal, $access:ident, $file:path) => {
        $crate::route::Route {
            path: $path,
            access: $crate::route::Access::$access,
            answer: $crate::route::Answer::File(|cx| Box::pin($file(cx))),
            forms: &[],
        }
    };
}
