//! Notes on a customer: what colleagues should know whenever they look at the card.

use super::pages;
use crate::cabinet::{show_place, unsaid};
use crate::cx::Cx;
use crate::route::{Form, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{Check, FormBox, Moment, TextArea, pairs, paragraphs};
use crm::id::{CustomerId, NoteId};
use crm::note::{Note, Place, store as notes};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How many a page shows.
pub(super) const SHOWN: usize = 20;

/// A place among notes as an address carries it: `1_<microseconds>_<id>` of one that is pinned, `0_…` of another.
fn show(place: Place) -> String {
    format!("{}_{}", u8::from(place.is_pinned), show_place((place.at, place.id.0)))
}

/// The place that an address carries; none where it is unreadable.
pub(super) fn place(text: &str) -> Option<Place> {
    let (pinned, rest) = text.split_once('_')?;
    let is_pinned = match pinned {
        "1" => true,
        "0" => false,
        _ => return None,
    };
    let (at, id) = crate::cabinet::place(rest)?;
    Some(Place {
        is_pinned,
        at,
        id: NoteId(id),
    })
}

/// Writes a note on the customer at hand.
#[derive(Deserialize)]
pub struct AddNote {
    body: String,
    #[serde(default)]
    pinned: String,
}

impl Form for AddNote {
    const NAME: &'static str = "note.add";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        notes::add(&cx.db, cx.staff()?, id, &self.body, self.pinned == "yes").await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=noted")))
    }
}

/// Pins a note, or not any more.
#[derive(Deserialize)]
pub struct PinNote {
    note: NoteId,
    pin: bool,
}

impl Form for PinNote {
    const NAME: &'static str = "note.pin";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        notes::pin(&cx.db, cx.staff()?, id, self.note, self.pin).await?;
        let done = if self.pin { "pinned" } else { "unpinned" };
        Ok(Next::to(format!("/admin/customers/{id}?done={done}")))
    }
}

/// Takes a note away.
#[derive(Deserialize)]
pub struct RemoveNote {
    note: NoteId,
}

impl Form for RemoveNote {
    const NAME: &'static str = "note.remove";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id: CustomerId = cx.param("id")?;
        notes::remove(&cx.db, cx.staff()?, id, self.note).await?;
        Ok(Next::to(format!("/admin/customers/{id}?done=removed")))
    }
}

/// A page of notes, and how another one is written; one more than a page shows leads on.
pub(super) fn section(cx: &Cx, here: &str, read: &[Note], is_later: bool) -> Html {
    let t = &cx.t().admin_customer;
    let all = read.get(..SHOWN).unwrap_or(read);
    let last = all.last().filter(|_| read.len() > all.len());
    let next = last.map(|last| (format!("{here}?notes={}#notes", show(last.place())), t.earlier));
    let first = is_later.then(|| (format!("{here}#notes"), t.latest));
    let is_there = |id: &str| all.iter().any(|note| note.id.to_string() == id);
    let gone = unsaid(cx, &[PinNote::NAME, RemoveNote::NAME], "note", is_there, t.note_stale);
    let lines: Vec<_> = all.iter().map(|note| one(cx, note)).collect();
    let list = match lines.is_empty() {
        true => view! { <p class="muted">{t.no_notes}</p> }.into_html(),
        false => view! { <ul class="stack">{lines}</ul> }.into_html(),
    };
    let was_sent = cx.was_sent(AddNote::NAME);
    let labels = pairs([("body", t.note)]);
    view! {
        <section class="section" aria-labelledby="notes">
            <h2 id="notes">{t.notes}</h2>
            {gone}
            {list}
            {pages(None, first, next)}
            <details class="fold" open=was_sent>
                <summary>{t.note_add}</summary>
                <FormBox<AddNote> labels=labels>
                    <TextArea name="body" label=t.note hint=t.note_hint missing=t.note_missing rows=3/>
                    <Check name="pinned">{t.note_pinned}</Check>
                    <button class="btn btn-primary">{t.note_save}</button>
                </FormBox<AddNote>>
            </details>
        </section>
    }
    .into_html()
}

fn one(cx: &Cx, note: &Note) -> Html {
    let t = &cx.t().admin_customer;
    let id = note.id.to_string();
    let (words, pin) = match note.is_pinned {
        true => (t.note_unpin, "false"),
        false => (t.note_pin, "true"),
    };
    let pinned = note
        .is_pinned
        .then(|| view! { <span class="badge badge-brand">{t.is_pinned}</span> });
    let is_mine = cx.staff.as_ref().is_some_and(|staff| staff.id() == note.staff_id);
    let remove = is_mine.then(|| {
        let (form, id) = (format!("note-remove-{id}"), id.clone());
        view! {
            <FormBox<RemoveNote> id=form class="actions" stale=t.note_stale>
                <input type="hidden" name="note" value=id/>
                <button class="btn btn-danger-quiet">{t.note_remove}</button>
            </FormBox<RemoveNote>>
        }
    });
    let form = format!("note-pin-{id}");
    view! {
        <li>
            {paragraphs(&note.body)}
            <p class="facts">
                {pinned}
                <bdi>{note.staff.clone()}</bdi>
                <Moment at=note.at shown=cx.moment(note.at)/>
            </p>
            <div class="actions">
                <FormBox<PinNote> id=form class="actions" stale=t.note_stale>
                    <input type="hidden" name="note" value=id/>
                    <input type="hidden" name="pin" value=pin/>
                    <button class="btn">{words}</button>
                </FormBox<PinNote>>
                {remove}
            </div>
        </li>
    }
    .into_html()
}
