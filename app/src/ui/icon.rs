//! Icons of the Lucide set (ISC licence), inlined when the program is built. `icons.txt` lists those in use.

use leptos::prelude::*;

include!(concat!(env!("OUT_DIR"), "/icons.rs"));

/// An icon beside a word: hidden from screen readers, for the word says it.
pub fn icon(inside: &'static str) -> impl IntoView {
    view! {
        <svg
            class="icon"
            viewBox="0 0 24 24"
            // As the style has it: without one, on a bad network, an icon would be as wide as the window.
            width="20"
            height="20"
            fill="none"
            stroke="currentColor"
            stroke-width="1.75"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
            inner_html=inside
        ></svg>
    }
}
