//! The people who work here: who they are, what they may do and where they are signed in, inviting somebody, another password for
//! who forgot theirs, letting somebody in no more. What takes something away from them takes a reason, and all of it a proof of who
//! does it.

use super::changes;
use super::once;
use super::security;
use crate::account::sign_in::staff_onward;
use crate::cabinet::devices::device_name;
use crate::cabinet::{back, flash, fresh_first};
use crate::cx::Cx;
use crate::route::{Body, Form, Frame, Next};
use crate::ui::html::{Html, IntoHtml};
use crate::ui::{ChoiceOption, DataTable, Field, FormBox, Head, Moment, Select, pairs};
use crm::audit::Last;
use crm::contact::change::is_link;
use crm::id::{SessionId, StaffId};
use crm::request::store::bulk;
use crm::signin::Device;
use crm::staff::managing::{self, Details, Invitation, Member};
use crm::staff::{Right, Role, roles};
use islands::AppError;
use leptos::prelude::*;
use serde::Deserialize;

const HERE: &str = "/admin/staff";

/// Invites somebody.
#[derive(Deserialize)]
pub struct InviteStaff {
    login: String,
    name: String,
    email: String,
    role: String,
}

impl Form for InviteStaff {
    const NAME: &'static str = "staff.invite";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let new = Invitation {
            login: self.login,
            name: self.name,
            email: self.email,
            role: Role::new(self.role),
        };
        let (id, link) = managing::invite(&cx.db, &by, &new).await?;
        once::hand_over(cx, id, &link);
        Ok(Next::to(format!("{HERE}/{id}?done=invited")))
    }
}

/// Invites the member at hand once more.
#[derive(Deserialize)]
pub struct InviteAgain {}

impl Form for InviteAgain {
    const NAME: &'static str = "staff.invite_again";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        let link = managing::invite_again(&cx.db, &by, id).await?;
        once::hand_over(cx, id, &link);
        Ok(Next::to(format!("{HERE}/{id}?done=invited")))
    }
}

/// Changes the name and e-mail of the member at hand. `seen` is what it said when they were shown.
#[derive(Deserialize)]
pub struct ChangeStaff {
    seen: String,
    name: String,
    email: String,
}

impl Form for ChangeStaff {
    const NAME: &'static str = "staff.change";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        let seen: Details = serde_json::from_str(&self.seen).map_err(|_| AppError::Refused)?;
        let new = Details {
            name: self.name,
            email: Some(self.email).filter(|email| !email.trim().is_empty()),
        };
        managing::change(&cx.db, &by, id, &seen, &new).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=changed")))
    }
}

/// Sends the member at hand a link by which they choose another password.
#[derive(Deserialize)]
pub struct SendPasswordLink {
    reason: String,
}

impl Form for SendPasswordLink {
    const NAME: &'static str = "staff.password_link";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::send_password_link(&cx.db, &by, id, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=password")))
    }
}

/// Gives the member at hand another role. `seen` is the one that they had when they were shown.
#[derive(Deserialize)]
pub struct SetRole {
    seen: String,
    role: String,
    reason: String,
}

impl Form for SetRole {
    const NAME: &'static str = "staff.set_role";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        let (seen, role) = (Role::new(self.seen), Role::new(self.role));
        managing::set_role(&cx.db, &by, id, &seen, &role, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=role")))
    }
}

/// Lets the member at hand in no more.
#[derive(Deserialize)]
pub struct DisableStaff {
    reason: String,
}

impl Form for DisableStaff {
    const NAME: &'static str = "staff.disable";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::disable(&cx.db, &by, id, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=disabled")))
    }
}

/// Lets the member at hand in again.
#[derive(Deserialize)]
pub struct EnableStaff {}

impl Form for EnableStaff {
    const NAME: &'static str = "staff.enable";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::enable(&cx.db, &by, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=enabled")))
    }
}

/// Gives back what the member at hand has open, who is let in no more.
#[derive(Deserialize)]
pub struct HandBack {}

impl Form for HandBack {
    const NAME: &'static str = "staff.hand_back";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        bulk::hand_back(&cx.db, cx.staff()?, id).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=handed")))
    }
}

/// Hands what the member at hand has open, who is let in no more, over to a colleague.
#[derive(Deserialize)]
pub struct HandOver {
    to: String,
}

impl Form for HandOver {
    const NAME: &'static str = "staff.hand_over";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let id = at(cx)?;
        let handed = managing::hand_over(&cx.db, cx.staff()?, id, &self.to).await?;
        Ok(Next::to(format!(
            "{HERE}/{id}?done=handed_over&to={}&tasks={}&requests={}",
            handed.to, handed.tasks, handed.requests
        )))
    }
}

/// Ends one session of the member at hand.
#[derive(Deserialize)]
pub struct EndStaffSession {
    session: SessionId,
    reason: String,
}

impl Form for EndStaffSession {
    const NAME: &'static str = "staff.end_one";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::end_session(&cx.db, &by, id, self.session, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=one")))
    }
}

/// Ends every session of the member at hand.
#[derive(Deserialize)]
pub struct EndStaffSessions {
    reason: String,
}

impl Form for EndStaffSessions {
    const NAME: &'static str = "staff.end_all";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::end_all_sessions(&cx.db, &by, id, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=ended")))
    }
}

/// Removes the second factors of the member at hand.
#[derive(Deserialize)]
pub struct ResetFactors {
    reason: String,
}

impl Form for ResetFactors {
    const NAME: &'static str = "staff.reset_factors";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let by = cx.staff()?.fresh(&cx.db)?;
        let id = at(cx)?;
        managing::reset_factors(&cx.db, &by, id, &self.reason).await?;
        Ok(Next::to(format!("{HERE}/{id}?done=reset")))
    }
}

/// Comes in by the link of an invitation, or of another password, with the password that is chosen here.
#[derive(Deserialize)]
pub struct Join {
    password: String,
}

impl Form for Join {
    const NAME: &'static str = "staff.join";

    async fn run(self, cx: &Cx) -> Result<Next, AppError> {
        let link: String = cx.param("secret")?;
        let entered = managing::join(&cx.db, &link, &self.password, cx.lang, &cx.visitor).await?;
        Ok(staff_onward(cx, &entered))
    }
}

/// The member of the address.
fn at(cx: &Cx) -> Result<StaffId, AppError> {
    cx.param("id")
}

/// The roles that whoever asks may give, to be chosen from.
fn given(cx: &Cx, roles: &[roles::Entry]) -> Result<Vec<ChoiceOption>, AppError> {
    let me = cx.staff()?;
    let given = roles.iter().filter(|role| role.is_within(me));
    Ok(given
        .map(|role| (role.code.code().to_owned(), cx.pick(&role.name)))
        .collect())
}

/// Everybody.
pub async fn page(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_staff;
    let (members, roles) = managing::list(&cx.db, cx.staff()?).await?;
    let given = given(&cx, &roles)?;
    let rows: Vec<_> = members.iter().map(|member| row(&cx, member)).collect();
    let heads = vec![
        Head::Words(t.state),
        Head::Words(t.name),
        Head::Words(t.login),
        Head::Words(t.role),
        Head::Words(t.second),
        Head::Number(t.seen),
    ];
    let labels = pairs([
        ("login", t.login),
        ("name", t.name),
        ("email", t.email),
        ("role", t.role),
    ]);
    let invite = match fresh_first(&cx) {
        Some(first) => first,
        None => view! {
            <FormBox<InviteStaff> labels=labels>
                <Field name="login" label=t.login hint=t.login_hint/>
                <Field name="name" label=t.name hint=t.name_hint/>
                <Field name="email" label=t.email hint=t.email_hint kind="email"/>
                <Select name="role" label=t.role hint=t.role_hint options=given value=Role::AGENT/>
                <button class="btn btn-primary">{t.invite}</button>
            </FormBox<InviteStaff>>
        }
        .into_html(),
    };
    let view = view! {
        <h1>{t.title}</h1>
        <p class="lead">{t.lead} " " <a href="/admin/roles">{cx.t().admin_roles.title}</a></p>
        <DataTable label=t.title heads=heads rows=rows.into_html()/>
        <section class="section narrow" aria-labelledby="invite">
            <h2 id="invite">{t.new}</h2>
            {invite}
        </section>
    };
    Ok(Body::new(t.title, Frame::Admin, view))
}

fn state(cx: &Cx, member: &Member) -> Html {
    let t = &cx.t().admin_staff;
    let (class, words) = match (member.disabled_at, member.invited_until) {
        (Some(_), _) => ("status status-bad", t.is_off),
        (None, Some(until)) if until > cx.db.now() => ("status status-open", t.is_invited),
        (None, Some(_)) => ("status status-wait", t.is_late),
        (None, None) => ("status status-done", t.is_on),
    };
    view! { <span class=class>{words}</span> }.into_html()
}

fn seen(cx: &Cx, member: &Member) -> Html {
    match member.seen_at {
        Some(at) => view! { <Moment at=at shown=cx.ago(at)/> }.into_html(),
        None => view! { <span class="muted">{cx.t().admin_staff.never}</span> }.into_html(),
    }
}

fn second(cx: &Cx, member: &Member) -> &'static str {
    let t = &cx.t().admin_staff;
    if member.has_second { t.second_on } else { t.second_off }
}

fn row(cx: &Cx, member: &Member) -> Html {
    view! {
        <tr>
            <td>{state(cx, member)}</td>
            <td class="grow"><a href=format!("{HERE}/{}", member.id)><bdi>{member.name.clone()}</bdi></a></td>
            <td><bdi>{member.login.clone()}</bdi></td>
            <td><bdi>{cx.pick(&member.role_name)}</bdi></td>
            <td>{second(cx, member)}</td>
            <td class="num">{seen(cx, member)}</td>
        </tr>
    }
    .into_html()
}

/// A form that asks for a reason alone, folded away until it was sent and not taken.
fn reasoned<F: Form + 'static>(cx: &Cx, words: &'static str, hint: String) -> Html {
    let t = &cx.t().admin_staff;
    let was_sent = cx.was_sent(F::NAME);
    let labels = pairs([("reason", t.reason)]);
    view! {
        <details class="fold" open=was_sent>
            <summary>{words}</summary>
            <p class="hint">{hint}</p>
            <FormBox<F> labels=labels>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{words}</button>
            </FormBox<F>>
        </details>
    }
    .into_html()
}

/// Another name and e-mail, likewise.
fn change(cx: &Cx, member: &Member) -> Result<Html, AppError> {
    let t = &cx.t().admin_staff;
    let was_sent = cx.was_sent(ChangeStaff::NAME);
    let Details { name, email } = member.details();
    let seen = serde_json::to_string(&member.details()).map_err(|_| AppError::Internal)?;
    let labels = pairs([("name", t.name), ("email", t.email)]);
    let view = view! {
        <details class="fold" open=was_sent>
            <summary>{t.change}</summary>
            <FormBox<ChangeStaff> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                <Field name="name" label=t.name hint=t.name_hint value=name/>
                <Field name="email" label=t.email hint=t.change_email_hint kind="email" value=email.unwrap_or_default()
                    optional=true enterkeyhint="done"/>
                <button class="btn">{t.change}</button>
            </FormBox<ChangeStaff>>
        </details>
    };
    Ok(view.into_html())
}

/// Where a member is signed in. With a fresh proof of who asks each of it can be ended.
async fn sessions(cx: &Cx, member: &Member, is_fresh: bool) -> Result<Html, AppError> {
    let t = &cx.t().admin_staff;
    let sessions = managing::sessions(&mut cx.db.read().await?, cx.staff()?, member.id).await?;
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| security::row(cx, session, false, is_fresh.then(|| end_one(cx, session))))
        .collect();
    let list = match rows.is_empty() {
        true => view! { <p class="muted">{t.no_sessions}</p> }.into_html(),
        false => view! { <div class="panel panel-flush"><ul class="rows">{rows}</ul></div> }.into_html(),
    };
    let view = view! {
        <section class="section" aria-labelledby="sessions">
            <h2 id="sessions">{t.signed_in}</h2>
            {list}
        </section>
    };
    Ok(view.into_html())
}

/// Ends one session, folded away until it was sent and not taken.
fn end_one(cx: &Cx, session: &Device) -> Html {
    let (t, end) = (&cx.t().admin_staff, cx.t().devices.end);
    let (session, name) = (session.id.to_string(), device_name(cx, &session.device));
    let id = format!("end-{session}");
    let is_this = |(name, value): &(String, String)| name == "_form" && *value == id;
    let sent = cx.outcome.as_ref().filter(|_| cx.was_sent(EndStaffSession::NAME));
    let is_open = sent.is_some_and(|sent| sent.values.iter().any(is_this));
    let labels = pairs([("reason", t.reason)]);
    view! {
        <details class="fold" open=is_open>
            <summary><span>{end}<span class="sr-only">": " {name}</span></span></summary>
            <p class="hint">{t.end_one_hint}</p>
            <FormBox<EndStaffSession> id=id labels=labels>
                <input type="hidden" name="session" value=session/>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn btn-danger-quiet">{end}</button>
            </FormBox<EndStaffSession>>
        </details>
    }
    .into_html()
}

/// Another role, likewise.
fn other_role(cx: &Cx, member: &Member, given: Vec<ChoiceOption>) -> Html {
    let t = &cx.t().admin_staff;
    let (was_sent, role) = (cx.was_sent(SetRole::NAME), member.role.code().to_owned());
    let seen = role.clone();
    let labels = pairs([("role", t.role), ("reason", t.reason)]);
    view! {
        <details class="fold" open=was_sent>
            <summary>{t.set_role}</summary>
            <p class="hint">{t.set_role_hint}</p>
            <FormBox<SetRole> labels=labels stale=cx.t().admin_shops.stale>
                <input type="hidden" name="seen" value=seen/>
                <Select name="role" label=t.role hint=t.role_hint options=given value=role/>
                <Field name="reason" label=t.reason hint=t.reason_hint missing=t.reason_missing enterkeyhint="done"/>
                <button class="btn">{t.set_role}</button>
            </FormBox<SetRole>>
        </details>
    }
    .into_html()
}

/// What can be done with a member, who has so many requests and tasks open.
fn acts(
    cx: &Cx,
    member: &Member,
    (requests, tasks): (i64, i64),
    given: Vec<ChoiceOption>,
) -> Result<Vec<Html>, AppError> {
    let t = &cx.t().admin_staff;
    let mut acts = Vec::new();
    if member.invited_until.is_some() && member.disabled_at.is_none() && member.email.is_some() {
        let again = view! {
            <FormBox<InviteAgain> class="actions"><button class="btn">{t.again}</button></FormBox<InviteAgain>>
        };
        acts.push(again.into_html());
    }
    acts.push(change(cx, member)?);
    if !member.is_last {
        acts.push(other_role(cx, member, given));
    }
    if let Some(email) = member.email.as_deref().filter(|_| member.gets_password_links()) {
        acts.push(reasoned::<SendPasswordLink>(cx, t.password, t.password_hint(email)));
    } else if member.email.is_none() && member.disabled_at.is_none() {
        acts.push(view! { <p class="hint">{t.password_email}</p> }.into_html());
    }
    if member.sessions > 0 {
        acts.push(reasoned::<EndStaffSessions>(cx, t.end, t.end_hint.to_owned()));
    }
    if member.has_second {
        acts.push(reasoned::<ResetFactors>(cx, t.reset, t.reset_hint.to_owned()));
    }
    if member.disabled_at.is_some() {
        let enable = view! {
            <FormBox<EnableStaff> class="actions"><button class="btn">{t.enable}</button></FormBox<EnableStaff>>
        };
        acts.push(enable.into_html());
    } else if !member.is_last {
        let hint = match (requests, tasks) {
            (0, 0) => t.disable_hint.to_owned(),
            _ => {
                let work = t.disable_work(t.count_requests(requests), t.count_tasks(tasks));
                format!("{} {work}", t.disable_hint)
            }
        };
        acts.push(reasoned::<DisableStaff>(cx, t.disable, hint));
    }
    Ok(acts)
}

/// What somebody has open who is let in no more, and the ways to hand it over or to give it back.
async fn open_work(cx: &Cx, member: &Member, (requests, tasks): (i64, i64)) -> Result<Option<Html>, AppError> {
    if member.disabled_at.is_none() || (requests == 0 && tasks == 0) {
        return Ok(None);
    }
    let (t, me) = (&cx.t().admin_staff, cx.staff()?);
    let over = match me.has(Right::Tasks) && me.has(Right::Requests) {
        true => {
            let colleagues = managing::successors(&mut cx.db.read().await?, me).await?;
            let colleagues = colleagues.into_iter().map(|one| (one.id.to_string(), one.name));
            // Nobody is chosen at first: whose it is then is to be meant.
            let nobody = (String::new(), t.choose_colleague.to_owned());
            let options: Vec<ChoiceOption> = std::iter::once(nobody).chain(colleagues).collect();
            let labels = pairs([("to", t.hand_over_to)]);
            let form = view! {
                <FormBox<HandOver> labels=labels>
                    <Select name="to" label=t.hand_over_to hint=t.hand_over_hint options=options/>
                    <button class="btn">{t.hand_over}</button>
                </FormBox<HandOver>>
            };
            Some(form.into_html())
        }
        false => None,
    };
    let back = (requests > 0).then(|| {
        view! {
            <FormBox<HandBack> class="actions"><button class="btn">{t.hand_back}</button></FormBox<HandBack>>
        }
    });
    let of_requests = (requests > 0).then(|| view! { <p>{t.open_requests(requests)}</p> });
    let of_tasks = (tasks > 0).then(|| {
        let way = me
            .has(Right::Tasks)
            .then(|| view! { " " <a href=tasks_of(member.id)>{t.hand_on}</a> });
        view! { <p>{t.open_tasks(tasks)} {way}</p> }
    });
    let view = view! {
        <section class="section narrow" aria-labelledby="open-work">
            <h2 id="open-work">{t.open_work}</h2>
            {of_requests}
            {of_tasks}
            {over}
            {back}
        </section>
    };
    Ok(Some(view.into_html()))
}

/// The list of what somebody has to do.
fn tasks_of(id: StaffId) -> String {
    format!("/admin/tasks?tab=all&of={id}")
}

/// How much was handed over, and where it is now.
fn handed_over(cx: &Cx) -> Option<Html> {
    let t = &cx.t().admin_staff;
    cx.query("done")
        .filter(|done| *done == "handed_over" && cx.outcome.is_none())?;
    let to: StaffId = cx.query("to")?.parse().ok()?;
    let number = |name: &str| cx.query(name).and_then(|n| n.parse::<i64>().ok()).unwrap_or_default();
    let said = t.done_handed_over(t.count_requests(number("requests")), t.count_tasks(number("tasks")));
    let requests = format!("/admin/requests?assignee={to}");
    let view = view! {
        <p class="flash" role="status">
            {said} " " <a href=tasks_of(to)>{t.see_tasks}</a> " " <a href=requests>{t.see_requests}</a>
        </p>
    };
    Some(view.into_html())
}

/// One of them.
pub async fn one(cx: Cx) -> Result<Body, AppError> {
    let t = &cx.t().admin_staff;
    let me = cx.staff()?;
    let (member, roles) = managing::read(&cx.db, me, at(&cx)?).await?;
    let quicker = changes::quicker(&cx, Last::Of(member.id.0)).await?;
    let work = managing::open_work(&mut cx.db.read().await?, me, member.id).await?;
    let first = fresh_first(&cx);
    let acts = match member.is_changed_by(me) && first.is_none() {
        true => acts(&cx, &member, work, given(&cx, &roles)?)?,
        false => Vec::new(),
    };
    let sessions = match member.is_changed_by(me) {
        true => Some(sessions(&cx, &member, first.is_none()).await?),
        false => None,
    };
    // Why there is less to do, or nothing.
    let why = if member.id == me.id() {
        Some(t.own)
    } else if !member.is_changed_by(me) {
        Some(t.beyond)
    } else {
        member.is_last.then_some(t.last)
    };
    let first = first.filter(|_| member.is_changed_by(me));
    let left = open_work(&cx, &member, work).await?;
    let rights: Vec<_> = member
        .rights
        .iter()
        .map(|right| super::roles::right(&cx, *right).to_owned())
        .collect();
    let until = member.invited_until.map(|at| {
        view! { <div><dt>{t.until}</dt><dd><Moment at=at shown=cx.moment(at)/></dd></div> }
    });
    let password_until = member.reset_until.map(|at| {
        view! { <div><dt>{t.password_until}</dt><dd><Moment at=at shown=cx.moment(at)/></dd></div> }
    });
    let email = member.email.clone().unwrap_or_else(|| t.no_email.to_owned());
    let words = [
        ("invited", t.done_invited),
        ("changed", t.done_changed),
        ("password", t.done_password),
        ("role", t.done_role),
        ("disabled", t.done_disabled),
        ("enabled", t.done_enabled),
        ("one", t.done_one),
        ("ended", t.done_ended),
        ("reset", t.done_reset),
        ("handed", t.done_handed),
    ];
    let title = member.name.clone();
    let view = view! {
        {back(HERE, t.title)}
        <h1><bdi>{title.clone()}</bdi></h1>
        {flash(&cx, &words)}
        {handed_over(&cx)}
        {quicker}
        {once::panel(&cx, member.id, t.link, t.link_once)}
        <p>{state(&cx, &member)}</p>
        <dl class="kv panel">
            <div><dt>{t.login}</dt><dd><bdi>{member.login.clone()}</bdi></dd></div>
            <div><dt>{t.email}</dt><dd><bdi>{email}</bdi></dd></div>
            <div><dt>{t.role}</dt><dd><bdi>{cx.pick(&member.role_name)}</bdi></dd></div>
            <div><dt>{t.second}</dt><dd>{second(&cx, &member)}</dd></div>
            <div><dt>{t.seen}</dt><dd>{seen(&cx, &member)}</dd></div>
            <div><dt>{t.sessions}</dt><dd>{crate::format::integer(member.sessions)}</dd></div>
            {until}
            {password_until}
        </dl>
        {left}
        {sessions}
        <section class="section" aria-labelledby="rights">
            <h2 id="rights">{t.rights}</h2>
            {super::versions::list(rights)}
        </section>
        {why.map(|why| view! { <p class="muted">{why}</p> })}
        {first}
        <div class="narrow stack">{acts}</div>
    };
    Ok(Body::new(title, Frame::Admin, view))
}

/// Where the link of an invitation, or of another password, leads. Whether it is still good is told to whoever sends the form.
pub async fn join(cx: Cx) -> Result<Body, AppError> {
    let (t, of_passwords) = (&cx.t().admin_staff, &cx.t().security);
    let link: String = cx.param("secret")?;
    if !is_link(&link) {
        return Err(AppError::NotFound);
    }
    let labels = pairs([("password", of_passwords.new_password)]);
    let view = view! {
        <div class="narrow">
            <h1>{t.join_title}</h1>
            <p class="lead">{t.join_lead}</p>
            <FormBox<Join> labels=labels stale=t.join_stale>
                <Field name="password" label=of_passwords.new_password hint=of_passwords.password_hint kind="password"
                    missing=of_passwords.password_missing autocomplete="new-password" enterkeyhint="go"/>
                <button class="btn btn-primary btn-wide">{t.join}</button>
            </FormBox<Join>>
        </div>
    };
    Ok(Body::new(t.join_title, Frame::Admin, view))
}
