//! A period in the address of a page: from a day to a day, as it was typed, as it is meant, and what could not be read.

use super::purchases::day;
use crate::cx::Cx;
use crate::ui::html::{Html, IntoHtml};
use chrono::NaiveDate;
use crm::flaw::Flaw;
use leptos::prelude::*;

/// The fields `from` and `to` of an address.
#[derive(Default)]
pub struct Period {
    /// The first day, as it was typed.
    pub from: String,
    /// The last day, likewise.
    pub to: String,
    /// The first day.
    pub first: Option<NaiveDate>,
    /// The last day.
    pub last: Option<NaiveDate>,
    from_flaw: Option<String>,
    to_flaw: Option<String>,
}

impl Period {
    /// Reads it from the address.
    pub fn read(cx: &Cx) -> Self {
        let typed = |name: &str| cx.query(name).unwrap_or_default().to_owned();
        let date = |typed: &str| match (typed, day(typed)) {
            ("", _) => (None, None),
            (_, Some(day)) => (Some(day), None),
            (_, None) => (None, Some(cx.flaw(&Flaw::NotADate))),
        };
        let (from, to) = (typed("from"), typed("to"));
        let ((first, from_flaw), (mut last, mut to_flaw)) = (date(&from), date(&to));
        if first.zip(last).is_some_and(|(first, last)| first > last) {
            last = None;
            to_flaw = Some(cx.t().purchases.wrong_order.to_owned());
        }
        Self {
            from,
            to,
            first,
            last,
            from_flaw,
            to_flaw,
        }
    }

    /// Something was typed, whether it can be read or not.
    pub fn is_any(&self) -> bool {
        !self.from.is_empty() || !self.to.is_empty()
    }

    /// Something of it could not be read.
    pub fn is_flawed(&self) -> bool {
        self.from_flaw.is_some() || self.to_flaw.is_some()
    }

    /// The two fields of a form that asks for it.
    pub fn fields(&self, cx: &Cx) -> Html {
        let t = &cx.t().purchases;
        let date = |name: &'static str, label: &'static str, typed: &str, flaw: &Option<String>| {
            let id = format!("{name}-message");
            let invalid = flaw.is_some().then_some("true");
            let described = flaw.is_some().then(|| id.clone());
            // A field of dates shows nothing of what is no date; as text it stays to be mended.
            let kind = if flaw.is_some() && day(typed).is_none() {
                "text"
            } else {
                "date"
            };
            view! {
                <label>
                    {label}
                    <input class="input" type=kind name=name value=typed.to_owned() aria-invalid=invalid aria-describedby=described/>
                    {flaw.clone().map(|flaw| view! { <span class="msg" id=id role="alert">{flaw}</span> })}
                </label>
            }
        };
        view! {
            {date("from", t.from, &self.from, &self.from_flaw)}
            {date("to", t.to, &self.to, &self.to_flaw)}
        }
        .into_html()
    }
}
