//! Parts of pages, rendered.

use leptos::children::ToChildren;
use leptos::prelude::*;
use leptos::tachys::html::InertElement;

/// A part of a page as the HTML that it became. Pages only ever become text, where Leptos's own `AnyView` keeps each way
/// to render, to wait for, and to build a view, compiled once for every view that there is: with it `app` took three times
/// as long to compile.
pub type Html = InertElement;

/// Renders a view where it stands.
pub trait IntoHtml: IntoView {
    /// The view, rendered.
    fn into_html(self) -> Html {
        Html::new(self.into_view().to_html())
    }
}

impl<V: IntoView> IntoHtml for V {}

/// What stands between the tags of a component: rendered when the component asks, so that it finds what that provides.
pub struct Inside(Box<dyn FnOnce() -> Html + Send>);

impl Inside {
    /// Renders it.
    pub fn render(self) -> Html {
        (self.0)()
    }
}

impl<F: FnOnce() -> C + Send + 'static, C: IntoView> ToChildren<F> for Inside {
    fn to_children(inside: F) -> Self {
        Self(Box::new(|| inside().into_html()))
    }
}
