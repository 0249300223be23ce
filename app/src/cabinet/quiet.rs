//! When and how often promotional messages may come.

use super::{back, flash};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next, Place};
use crate::ui::{Field, FormBox, Select, pairs};
use crm::consent::pace::{self, MOST, WishesForm};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

/// Keeps what the customer wants.
#[derive(Deserialize)]
pub struct ChangeQuiet {
    quiet_from: String,
    quiet_until: String,
    per_week: String,
    paused_until: String,
}

impl Form for ChangeQuiet {
    const NAME: &'static str = "profile.quiet";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let form = WishesForm {
            quiet_from: self.quiet_from,
            quiet_until: self.quiet_until,
            per_week: self.per_week,
            paused_until: self.paused_until,
        };
        pace::set_wishes(&cx.db, cx.customer()?, &form).await?;
        Ok(Next::to("/profile/quiet?done=quiet"))
    }
}

/// The page.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().quiet;
    let mut conn = cx.db.read().await?;
    let wishes = pace::wishes(&mut conn, cx.subject()?).await?;
    drop(conn);
    let hours = || {
        (0..24)
            .map(|hour| (hour.to_string(), format!("{hour}:00")))
            .collect::<Vec<_>>()
    };
    let often = (0..=MOST).map(|n| (n.to_string(), if n == 0 { t.never.to_owned() } else { t.per_week_n(n) }));
    let often: Vec<_> = often.collect();
    // A pause that is over is not shown any more.
    let pause = wishes.paused_until.filter(|day| *day > cx.today());
    let pause = pause.map(|day| day.to_string()).unwrap_or_default();
    let labels = pairs([
        ("quiet_from", t.from),
        ("quiet_until", t.until),
        ("per_week", t.per_week),
        ("paused_until", t.pause),
    ]);
    let (from, until) = (hours(), hours());
    // People know what a clock shows, not what a time zone is called.
    let clock = t.from_hint(cx.time(cx.db.now()));
    let view = view! {
        {back("/profile", cx.t().profile.title)}
        <div>
            <h1>{t.title}</h1>
            <p class="lead">{t.lead}</p>
        </div>
        {flash(&cx, &[("quiet", t.done)])}
        <FormBox<ChangeQuiet> labels=labels>
            <Select name="quiet_from" label=t.from hint=clock options=from value=wishes.quiet_from.to_string()/>
            <Select name="quiet_until" label=t.until hint=t.until_hint options=until value=wishes.quiet_until.to_string()/>
            <Select name="per_week" label=t.per_week options=often value=wishes.per_week.to_string()/>
            <Field name="paused_until" label=t.pause hint=t.pause_hint kind="date" value=pause optional=true/>
            <div class="actions">
                <button class="btn btn-primary">{t.save}</button>
                <a class="btn btn-quiet" href="/profile/consents">{t.to_consents}</a>
            </div>
        </FormBox<ChangeQuiet>>
    };
    Ok(Body::new(t.title, Frame::Cabinet(Place::Elsewhere), view))
}
