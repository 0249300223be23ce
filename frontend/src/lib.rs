//! The WebAssembly module that a page with islands loads, and nothing else.

// Not used by name, but its islands are exported because it is linked.
use islands as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Sets up the reactive system for an island that stands by itself; the loader then calls that island's own export.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
