//! What a customer likes, and how the shop may write.

use super::{back, by_town};
use crate::cx::{Cx, cookie};
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{Choices, Field, FormBox, Select, TextArea, pairs};
use crm::customer::store::{self as customers, Preferences};
use crm::customer::{Channel, Wishes};
use crm::flaw::Flaw;
use crm::lang::Lang;
use crm::stores::store as stores;
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// How long a chosen language is remembered where nobody is signed in.
const REMEMBERED: chrono::Duration = chrono::Duration::days(365);

/// Replaces the preferences.
#[derive(Deserialize)]
pub struct ChangePreferences {
    #[serde(default)]
    categories: Vec<String>,
    store: String,
    #[serde(default)]
    channels: Vec<String>,
    language: String,
    #[serde(default)]
    brands: String,
    #[serde(default)]
    sizes: String,
    #[serde(default)]
    occasions: String,
    #[serde(default)]
    wishes: String,
}

impl Form for ChangePreferences {
    const NAME: &'static str = "profile.preferences";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let wrong = |field: &str| AppError::field(field, Flaw::NotAChoice);
        let language = Lang::from_code(&self.language).ok_or_else(|| wrong("language"))?;
        let categories = self.categories.iter().map(|id| id.parse()).collect::<Result<_, _>>();
        let channel = |code: &String| Channel::ALL.into_iter().find(|channel| channel.code() == code);
        let channels = self.channels.iter().map(channel).collect::<Option<_>>();
        let store = if self.store.is_empty() {
            Ok(None)
        } else {
            self.store.parse().map(Some)
        };
        let wanted = Preferences {
            categories: categories.map_err(|_| wrong("categories"))?,
            store: store.map_err(|_| wrong("store"))?,
            channels: channels.ok_or_else(|| wrong("channels"))?,
            language,
            wishes: Wishes {
                brands: self.brands,
                sizes: self.sizes,
                occasions: self.occasions,
                wishes: self.wishes,
            },
        };
        customers::change_preferences(&cx.db, cx.customer()?, &wanted).await?;
        cx.set_cookie(
            cookie::LANG,
            Some(language.code().to_owned()),
            Some(cx.db.now() + REMEMBERED),
        );
        Ok(Next::to("/profile?done=preferences"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().preferences;
    let mut conn = cx.db.read().await?;
    let profile = customers::profile(&mut conn, cx.subject()?).await?;
    let categories = stores::categories(&mut conn).await?;
    let shops = stores::list(&mut conn, cx.lang).await?;
    drop(conn);
    let categories: Vec<_> = categories
        .iter()
        .map(|c| (c.id.to_string(), cx.pick(&c.name), profile.categories.contains(&c.id)))
        .collect();
    let shops = by_town(&cx, &shops);
    let no_shop = vec![(String::new(), t.no_store.to_owned())];
    let channels: Vec<_> = Channel::ALL
        .iter()
        .map(|channel| {
            let words = match channel {
                Channel::Sms => t.sms,
                Channel::Email => t.email,
                Channel::Phone => t.phone,
            };
            (
                channel.code().to_owned(),
                words.to_owned(),
                profile.channels.contains(channel),
            )
        })
        .collect();
    let languages = Lang::ALL
        .map(|lang| {
            let name = match lang {
                Lang::Ru => "Русский",
                Lang::En => "English",
            };
            (lang.code().to_owned(), name.to_owned())
        })
        .to_vec();
    let labels = pairs([
        ("categories", t.categories),
        ("brands", t.brands),
        ("sizes", t.sizes),
        ("occasions", t.occasions),
        ("wishes", t.wishes),
        ("store", t.store),
        ("channels", t.channels),
        ("language", t.language),
    ]);
    let favourite = profile
        .person
        .favourite_store_id
        .map(|id| id.to_string())
        .unwrap_or_default();
    let language = profile.person.language.code();
    let wishes = profile.wishes;
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <h1>{t.title}</h1>
        <FormBox<ChangePreferences> labels=labels>
            <Choices name="categories" legend=t.categories options=categories/>
            <Field name="brands" label=t.brands hint=t.brands_hint value=wishes.brands optional=true/>
            <Field name="sizes" label=t.sizes hint=t.sizes_hint value=wishes.sizes optional=true/>
            <Field name="occasions" label=t.occasions hint=t.occasions_hint value=wishes.occasions optional=true/>
            <TextArea name="wishes" label=t.wishes hint=t.wishes_hint value=wishes.wishes optional=true rows=3/>
            <Select name="store" label=t.store options=no_shop groups=shops value=favourite optional=true/>
            <Choices name="channels" legend=t.channels options=channels/>
            <p class="hint">{t.channels_hint} " " <a href="/profile/consents">{t.to_consents}</a></p>
            <Select name="language" label=t.language hint=t.language_hint options=languages value=language/>
            <div class="actions">
                <button class="btn btn-primary">{t.save}</button>
                <a class="btn btn-quiet" href="/profile">{cx.t().common.cancel}</a>
            </div>
        </FormBox<ChangePreferences>>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
