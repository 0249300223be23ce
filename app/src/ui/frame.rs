//! The frame around every page: what a browser needs to know, the way around the site, and what is said on every page.

use super::icon::{self, icon};
use crate::account::{SetLanguage, SetTheme, SignOut, StaffSignOut};
use crate::admin::acts::view_as;
use crate::admin::find::{Find, HERE};
use crate::admin::{inbox, places};
use crate::cabinet::{erase, merge, number};
use crate::cx::{Cx, Theme};
use crate::route::{Body, Frame, Place};
use crate::ui::FormBox;
use crate::ui::html::{Html, IntoHtml};
use crm::find::store as finding;
use crm::lang::Lang;
use leptos::prelude::*;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The whole document. What must be loaded is known once the page is rendered: [`crate::render`] puts the tags in.
pub fn document(cx: &Cx, body: Body) -> Html {
    let site = cx.site.clone();
    let title = format!("{} · {}", body.title, cx.shop().name);
    // A page that came back with errors says so first: it is what a screen reader reads.
    let title = if cx.outcome.is_some() {
        format!("{}: {title}", cx.t().form.error)
    } else {
        title
    };
    let class = match body.frame {
        Frame::Cabinet(_) => "page",
        Frame::Plain | Frame::Kept | Frame::Alone => "page page-plain",
        Frame::Admin => "admin",
    };
    let theme = (cx.theme != Theme::Auto).then(|| cx.theme.code());
    // Staff who look at a customer's cabinet see so on each page of it.
    let view = match view_as::bar(cx) {
        Some(bar) => view! { {bar} {body.view} }.into_html(),
        None => body.view,
    };
    let frame = match body.frame {
        Frame::Cabinet(place) => {
            let bars = [merge::bar(cx), number::bar(cx), erase::bar(cx)];
            let inside = bars
                .into_iter()
                .flatten()
                .fold(view, |inside, bar| view! { {bar} {inside} }.into_html());
            view! { {top(cx, true)} {places(cx, place)} {main(inside)} {foot(cx)} {worker(cx)} }.into_html()
        }
        Frame::Plain => view! { {top(cx, false)} {main(view)} {foot(cx)} }.into_html(),
        Frame::Kept | Frame::Alone => {
            view! { <header class="top">{shop_link(cx, "/")}</header> {main(view)} }.into_html()
        }
        Frame::Admin => view! { {bar(cx)} {main(view)} }.into_html(),
    };
    view! {
        <!DOCTYPE html>
        <html lang=cx.lang.code() data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content=theme.unwrap_or("light dark")/>
                <title>{title}</title>
                // Nothing is painted before all of the page has come: what is at the end of a line or of the window would move with
                // each part that is added to it.
                <link rel="expect" href="#page-end" blocking="render"/>
                <link rel="stylesheet" href=site.css.clone()/>
                <link rel="stylesheet" href=site.theme.clone()/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="apple-touch-icon" href="/apple-touch-icon.png"/>
                <link rel="manifest" href="/manifest.webmanifest"/>
            </head>
            <body class=class>
                <a class="skip" href="#main">{cx.t().frame.skip}</a>
                {cx.is_demonstration.then(|| demonstration(cx))}
                {frame}
                <span id="page-end" hidden></span>
            </body>
        </html>
    }
    .into_html()
}

fn main(view: Html) -> impl IntoView {
    view! { <main class="main" id="main" tabindex="-1">{view}</main> }
}

fn demonstration(cx: &Cx) -> impl IntoView + use<> {
    let t = &cx.t().frame;
    let note = if cx.has_inbox {
        view! { {t.demonstration_note} " " <a href="/inbox">{t.inbox}</a> }.into_html()
    } else if cx.has_transport {
        t.demonstration_sends.into_html()
    } else {
        t.demonstration_note.into_html()
    };
    view! {
        <aside class="demo" aria-label=t.demonstration>
            <p>{note}</p>
        </aside>
    }
}

fn shop_link(cx: &Cx, href: &'static str) -> impl IntoView + use<> {
    view! {
        <a class="shop" href=href>
            <svg class="shop-mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
                <rect width="32" height="32" rx="9" fill="currentColor"></rect>
                <path d="M16 5l7 9h-4l6 8h-7v5h-4v-5H7l6-8H9z" class="shop-mark-tree"></path>
            </svg>
            <span>{cx.shop().name.clone()}</span>
        </a>
    }
}

/// The other language, as a button that stays on the page: two letters, or its name in a menu.
fn language_switch(cx: &Cx, in_menu: bool) -> impl IntoView + use<> {
    let (code, short, name) = match cx.lang {
        Lang::Ru => ("en", "EN", "English"),
        Lang::En => ("ru", "RU", "Русский"),
    };
    let inside = match in_menu {
        true => name.into_html(),
        false => view! { {short} <span class="sr-only">", " {name}</span> }.into_html(),
    };
    view! {
        <FormBox<SetLanguage> class="switch">
            <button class="top-btn" name="language" value=code lang=code>{inside}</button>
        </FormBox<SetLanguage>>
    }
}

/// The three themes, the chosen one marked: behind an icon that opens without a script, or among what else a menu has.
fn theme_switch(cx: &Cx, in_menu: bool) -> Html {
    let t = &cx.t().frame;
    let looks = |theme: Theme| match theme {
        Theme::Auto => (icon::SUN_MOON, t.auto),
        Theme::Light => (icon::SUN, t.light),
        Theme::Dark => (icon::MOON, t.dark),
    };
    let buttons: Vec<_> = [Theme::Auto, Theme::Light, Theme::Dark]
        .into_iter()
        .map(|theme| {
            let (inside, words) = looks(theme);
            let is_chosen = if theme == cx.theme { "true" } else { "false" };
            view! {
                <button class="top-btn" name="theme" value=theme.code() aria-pressed=is_chosen>
                    {icon(inside)} <span>{words}</span>
                </button>
            }
        })
        .collect();
    let form = view! { <FormBox<SetTheme> class="themes">{buttons}</FormBox<SetTheme>> };
    if in_menu {
        return form.into_html();
    }
    let (inside, _) = looks(cx.theme);
    view! {
        <details class="theme">
            <summary class="top-btn">{icon(inside)} <span class="sr-only">{t.theme}</span></summary>
            {form}
        </details>
    }
    .into_html()
}

fn top(cx: &Cx, in_cabinet: bool) -> impl IntoView + use<> {
    let t = &cx.t().frame;
    let end = match (in_cabinet, cx.customer.is_some()) {
        (true, _) => view! {
            {bell(cx)}
            <a class="top-btn rail:hidden" href="/profile">
                {icon(icon::CIRCLE_USER_ROUND)} <span class="sr-only">{t.profile}</span>
            </a>
        }
        .into_html(),
        (false, true) => view! { <a class="top-btn" href="/">{t.home}</a> }.into_html(),
        (false, false) => view! { <a class="top-btn" href="/sign-in">{t.sign_in}</a> }.into_html(),
    };
    view! {
        <header class="top">
            {shop_link(cx, "/")}
            {language_switch(cx, false)}
            {theme_switch(cx, false)}
            {end}
        </header>
    }
}

/// The way to the notifications, with how many were not read. On their own page all of them have been. While the page is
/// looked at, `live/page.js` listens here for answers and brings the count up to date.
fn bell(cx: &Cx) -> impl IntoView + use<> {
    const HERE: &str = "/notifications";
    let is_here = cx.path == HERE;
    let inside = rung(
        cx,
        cx.customer.as_ref().map_or(0, |customer| customer.unread()),
        is_here,
    );
    let live = cx.customer.as_ref().map(|customer| customer.last_change().to_string());
    view! {
        <a
            class="top-btn"
            href=HERE
            aria-current=is_here.then_some("page")
            aria-live="polite"
            data-swap="bell"
            data-live=live.is_some().then_some("/live")
            data-since=live
        >
            {inside}
        </a>
    }
}

/// What stands in a bell: how many were not read, and nothing of that where they are being read.
fn rung(cx: &Cx, unread: i64, is_here: bool) -> Html {
    let t = &cx.t().frame;
    let unread = (unread > 0 && !is_here).then_some(unread);
    let words = unread.map_or(t.notifications.to_owned(), |n| t.unread(crate::format::integer(n)));
    let count = unread.map(|n| view! { <span class="count" aria-hidden="true">{at_most_99(n)}</span> });
    view! { {icon(icon::BELL)} <span class="sr-only">{words}</span> {count} }.into_html()
}

/// A count, as there is room for it.
fn at_most_99(n: i64) -> String {
    if n > 99 { "99+".to_owned() } else { n.to_string() }
}

/// The same for staff who are told something: notes that name them, requests that were given to them, those that run late, and
/// what waits for consent. `live/page.js` reads the count where a look costs little and is not written down.
fn staff_bell(cx: &Cx) -> Option<Html> {
    let staff = cx.staff.as_ref().filter(|staff| staff.may_be_told().is_ok())?;
    let is_here = cx.path == inbox::HERE;
    let inside = rung(cx, staff.unread(), is_here);
    let current = is_here.then_some("page");
    let view = view! {
        <a
            class="top-btn"
            href=inbox::HERE
            aria-current=current
            aria-live="polite"
            data-swap="bell"
            data-live="/admin/live"
            data-since=staff.last_change().to_string()
            data-from=view_as::HERE
        >
            {inside}
        </a>
    };
    Some(view.into_html())
}

fn places(cx: &Cx, here: Place) -> impl IntoView + use<> {
    let t = &cx.t().frame;
    let path = cx.path.clone();
    let place = |place: Place, href: &'static str, inside: &'static str, name: &'static str, class: &'static str| {
        // `page` for the page itself, `true` for a page below it.
        let current = (here == place).then_some(if path == href { "page" } else { "true" });
        view! { <li><a class=class href=href aria-current=current>{icon(inside)} {name}</a></li> }
    };
    let more = |href: &'static str, inside: &'static str, name: &'static str, class: &'static str| {
        let current = path.starts_with(href).then_some("page");
        view! { <li class=class><a class="place" href=href aria-current=current>{icon(inside)} {name}</a></li> }
    };
    view! {
        <nav class="places" aria-label=t.places>
            <ul>
                {place(Place::Home, "/", icon::HOUSE, t.home, "place")}
                {place(Place::Purchases, "/purchases", icon::RECEIPT_TEXT, t.purchases, "place")}
                {place(Place::Card, "/card", icon::CREDIT_CARD, t.card, "place place-card")}
                {place(Place::Offers, "/offers", icon::TAG, t.offers, "place")}
                {place(Place::Support, "/support", icon::MESSAGE_CIRCLE, t.support, "place")}
                {more("/programs", icon::SPARKLES, t.programs, "more more-first")}
                {more("/profile", icon::CIRCLE_USER_ROUND, t.profile, "more")}
            </ul>
        </nav>
    }
}

/// The phone and the e-mail address of the shop as links, as far as it has them.
fn reach(cx: &Cx) -> [Option<Html>; 2] {
    let link = |scheme: &str, to: &str, shown: String| {
        let href = format!("{scheme}:{to}");
        (!to.is_empty()).then(|| view! { <a href=href>{shown}</a> }.into_html())
    };
    let shop = cx.shop();
    let (phone, email) = match (shop.phone.as_str(), shop.email.as_str()) {
        // The shop of the demonstration is as made up as its people.
        ("", "") if cx.is_demonstration => ("+74951234567", "club@example.com"),
        given => given,
    };
    [
        link("tel", phone, cx.phone(phone)),
        link("mailto", email, email.to_owned()),
    ]
}

/// How to reach the shop otherwise, on the pages where somebody looks for help; nothing where it tells neither phone nor address.
/// When its shops are open stands on a page that only customers have.
pub(crate) fn ways_to_reach(cx: &Cx) -> Option<Html> {
    let links: Vec<Html> = reach(cx).into_iter().flatten().collect();
    let hours = cx
        .customer
        .as_ref()
        .map(|_| view! { <a href="/stores">{cx.t().profile.stores_text}</a> });
    (!links.is_empty()).then(|| {
        view! {
            <section class="section narrow no-print" aria-labelledby="reach">
                <h2 id="reach">{cx.t().help.reach}</h2>
                <p class="ways">{links} {hours}</p>
            </section>
        }
        .into_html()
    })
}

fn foot(cx: &Cx) -> impl IntoView + use<> {
    let t = &cx.t().frame;
    let signed_in = cx.customer.is_some();
    let [phone, email] = reach(cx);
    view! {
        <footer class="foot">
            <a href="/help">{t.help}</a>
            <a href="/consents/loyalty_rules">{t.rules}</a>
            <a href="/consents/personal_data">{t.personal_data}</a>
            {phone}
            {email}
            {signed_in.then(|| view! {
                <FormBox<SignOut> class="switch"><button>{t.sign_out}</button></FormBox<SignOut>>
            })}
        </footer>
    }
}

/// Where the script of the service worker says that there is a new one. It has the worker keep the card of whoever is signed
/// in, and tells by the mark whether that is kept already: another person, language, theme or build is another mark.
fn worker(cx: &Cx) -> Option<impl IntoView + use<>> {
    let t = &cx.t().offline;
    let customer = cx.customer.as_ref()?;
    let mut mark = DefaultHasher::new();
    let looks = (cx.lang.code(), cx.theme.code());
    let files = (&cx.site.css, &cx.site.theme, &cx.site.rotating.loader);
    (customer.id().to_string(), looks, files).hash(&mut mark);
    let mark = format!("{:016x}", mark.finish());
    Some(view! {
        <div class="update" aria-live="polite" hidden data-worker=mark data-new=t.new data-update=t.update></div>
    })
}

/// The staff bar, one line however many places there are: the first of them side by side, all of them in a menu. Where the
/// window is narrow there is the menu alone.
fn bar(cx: &Cx) -> impl IntoView + use<> {
    let t = &cx.t().frame;
    let bar = cx.staff.as_ref().map(places::in_bar).unwrap_or_default();
    // What waits is counted beside its place. Each stands there twice, and `live/page.js` knows it by where that is.
    let link = |place: &&'static places::Place, which: &'static str| {
        let waiting = cx.staff.as_ref().and_then(|staff| place.waiting(staff));
        let swap = waiting.map(|_| format!("{which}{}", place.path));
        let count = waiting.filter(|n| *n > 0).map(|n| {
            view! {
                " " <span class="badge badge-points" aria-hidden="true">{at_most_99(n)}</span>
                <span class="sr-only">", " {t.waiting(crate::format::integer(n))}</span>
            }
        });
        // `page` for the page itself, `true` for a page below it.
        let current = place
            .holds(&cx.path)
            .then_some(if cx.path == place.path { "page" } else { "true" });
        view! { <a href=place.path aria-current=current data-swap=swap>{(place.name)(cx.t())} {count}</a> }
    };
    let nav = (!bar.at_hand.is_empty()).then(|| {
        // Of somebody with few places the menu has nothing that is not at hand already, where there is room for it.
        let class = if bar.has_more { "bar-more" } else { "bar-more bar-few" };
        let is_elsewhere = !bar.at_hand.iter().any(|place| place.holds(&cx.path));
        let is_here = is_elsewhere
            && bar
                .menu
                .iter()
                .flat_map(|(_, places)| places)
                .any(|place| place.holds(&cx.path));
        let groups: Vec<_> = bar
            .menu
            .iter()
            .map(|(group, places)| {
                let name = group.name(cx.t());
                view! {
                    <div role="group" aria-label=name>
                        <p aria-hidden="true">{name}</p>
                        {places.iter().map(|place| link(place, "menu")).collect::<Vec<_>>()}
                    </div>
                }
            })
            .collect();
        view! {
            <nav class="bar-nav" aria-label=t.places>
                {bar.at_hand.iter().map(|place| link(place, "bar")).collect::<Vec<_>>()}
                <details class=class>
                    <summary aria-current=is_here.then_some("true")>{t.places}</summary>
                    <div class="bar-menu">{groups}</div>
                </details>
            </nav>
        }
    });
    // The key `/` leads into the field by `public/find.js`, unless single keys are switched off. It closes the menus, too.
    let find = cx.staff.as_ref().filter(|staff| finding::may(staff)).map(|staff| {
        let has_shortcuts = staff.has_shortcuts();
        let key = has_shortcuts.then(|| view! { <kbd hidden aria-hidden="true">"/"</kbd> });
        view! {
            <div class="bar-find" role="search" aria-label=t.find>
                {icon(icon::SEARCH)}
                <FormBox<Find> id="bar-find" action=HERE class="bar-find-form">
                    <input class="input" type="search" name="q" data-find=has_shortcuts.then_some("")
                        aria-label=t.find placeholder=t.find_hint aria-keyshortcuts=has_shortcuts.then_some("/")
                        autocomplete="off" dir="auto" spellcheck="false"/>
                </FormBox<Find>>
                {key}
            </div>
        }
    });
    let end = match cx.staff.as_ref() {
        None => view! { {language_switch(cx, false)} {theme_switch(cx, false)} }.into_html(),
        Some(staff) => {
            const OWN: &str = "/admin/security";
            let current = (cx.path == OWN).then_some("page");
            view! {
                {staff_bell(cx)}
                <details class="bar-more bar-who">
                    <summary>
                        {icon(icon::CIRCLE_USER_ROUND)} <span class="max-wide:sr-only">{staff.name().to_owned()}</span>
                    </summary>
                    <div class="bar-menu">
                        <a href=OWN aria-current=current>{cx.t().admin_security.title}</a>
                        {language_switch(cx, true)}
                        {theme_switch(cx, true)}
                        <FormBox<StaffSignOut> class="switch">
                            <button class="top-btn">{icon(icon::LOG_OUT)} {t.sign_out}</button>
                        </FormBox<StaffSignOut>>
                    </div>
                </details>
            }
            .into_html()
        }
    };
    let script = cx
        .staff
        .as_ref()
        .map(|_| view! { <script type="module" src="/find.js" data-bar=""></script> });
    view! {
        <header class="bar">
            {shop_link(cx, places::HOME)}
            {nav}
            {find}
            <div class="bar-end">{end}</div>
            {script}
        </header>
    }
}
