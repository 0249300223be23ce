//! A rule in words: what has to hold, what it gives, how much at most, and what is wrong with a draft.

use crate::cabinet::points::unit;
use crate::cx::Cx;
use crate::format;
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use crm::id::{ProgramId, TierId};
use crm::lang::{Lang, Localized};
use crm::rule::store::Names;
use crm::rule::{
    Caps, Channel, Condition, Each, Effect, Fault, Limit, Occasion, Payment, Place, Problem, Range, Rule, Span, WHOLE,
    Whose, Window,
};

/// What words are made of: the page's language, and what things are called.
pub struct Words<'a> {
    /// The page.
    pub cx: &'a Cx,
    /// What things are called.
    pub names: &'a Names,
}

impl Words<'_> {
    /// A rule line by line: in this form two versions are compared.
    pub fn lines(&self, rule: &Rule) -> Vec<String> {
        let t = &self.cx.t().admin_rules;
        let mut lines = vec![t.l_name(&rule.name.en, &rule.name.ru)];
        lines.extend(self.asked_on(rule));
        lines.extend(self.validity(rule));
        lines.extend(
            rule.conditions
                .iter()
                .map(|condition| t.l_if(self.condition(condition))),
        );
        lines.extend(
            rule.effects
                .iter()
                .map(|effect| t.l_then(self.effect(rule.occasion, effect))),
        );
        lines.extend(self.caps(&rule.caps));
        lines.extend(self.order(rule));
        lines
    }

    /// What it gives, in one line.
    pub fn gives(&self, rule: &Rule) -> String {
        let effects = rule.effects.iter().map(|effect| self.effect(rule.occasion, effect));
        effects.collect::<Vec<_>>().join("; ")
    }

    /// On which occasion it is asked, where that is not a purchase.
    fn asked_on(&self, rule: &Rule) -> Option<String> {
        let is_purchase = rule.occasion == Occasion::Purchase;
        (!is_purchase).then(|| self.cx.t().admin_rules.l_occasion(self.occasion(rule.occasion)))
    }

    /// What an occasion is called.
    pub fn occasion(&self, occasion: Occasion) -> &'static str {
        let t = &self.cx.t().admin_rules;
        match occasion {
            Occasion::Purchase => t.o_purchase,
            Occasion::Registration => t.o_registration,
            Occasion::Referral => t.o_referral,
            Occasion::Profile => t.o_profile,
            Occasion::Questionnaire => t.o_questionnaire,
            Occasion::Day => t.o_day,
        }
    }

    /// When it holds, where that is bounded.
    pub fn validity(&self, rule: &Rule) -> Option<String> {
        let moment = |at: DateTime<Utc>| self.cx.moment(at);
        let bounds = self.bounds(rule.valid.from.map(moment), rule.valid.until.map(moment))?;
        Some(self.cx.t().admin_rules.l_valid(bounds))
    }

    fn order(&self, rule: &Rule) -> Vec<String> {
        let t = &self.cx.t().admin_rules;
        let group = rule.group.as_ref().map(|group| t.l_group(group));
        let alone = rule.alone.then(|| t.l_alone.to_owned());
        let priority = (rule.priority != 0).then(|| t.l_priority(rule.priority));
        let funded = rule.funded_by.as_ref().map(|partner| t.l_funded_by(partner));
        [group, alone, priority, funded].into_iter().flatten().collect()
    }

    /// One condition.
    pub fn condition(&self, condition: &Condition) -> String {
        let t = &self.cx.t().admin_rules;
        match condition {
            Condition::Article(ids) => t.c_article(join(ids.iter().map(|id| self.article(*id)))),
            Condition::Category(ids) => t.c_category(join(ids.iter().map(|id| self.named(&self.names.categories, id)))),
            Condition::Brand(brands) => t.c_brand(brands.join(", ")),
            Condition::Price(range) => t.c_price(self.money_range(*range)),
            Condition::Quantity(range) => t.c_quantity(self.number_range(*range)),
            Condition::LineSum(range) => t.c_line_sum(self.money_range(*range)),
            Condition::BasketSum(range) => t.c_basket_sum(self.money_range(*range)),
            Condition::Contains { lines, quantity, sum } => {
                let what = self.nested(lines);
                let number = (!quantity.is_open()).then(|| t.c_pieces(self.number_range(*quantity)));
                let worth = (!sum.is_open()).then(|| t.c_worth(self.money_range(*sum)));
                let parts = [Some(what), number, worth];
                t.c_contains(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
            Condition::Store(ids) => t.c_store(join(ids.iter().map(|id| self.store(*id)))),
            Condition::Region(regions) => t.c_region(regions.join(", ")),
            Condition::Weekday(days) => t.c_weekday(self.week(days)),
            Condition::Hours { from, to, days } => {
                let hours = t.c_hours(clock(*from), clock(*to));
                match days.as_slice() {
                    [] => hours,
                    days => format!("{hours}, {}", self.week(days)),
                }
            }
            Condition::Period(dates) => {
                let day = |day: NaiveDate| format::date(self.cx.lang, day);
                t.c_period(self.bounds(dates.from.map(day), dates.to.map(day)).unwrap_or_default())
            }
            Condition::Birthday { of, before, after } => {
                let who = match of {
                    Whose::Customer => t.c_birthday_own,
                    Whose::Child => t.c_birthday_child,
                };
                let days = |n: &u16| self.cx.t().common.days(i64::from(*n));
                t.c_birthday(days(after), days(before), who)
            }
            Condition::Tier { program, tiers } => {
                let tiers = join(tiers.iter().map(|tier| self.tier(*program, *tier)));
                t.c_tier(tiers, self.named(&self.names.programs, program))
            }
            Condition::Member(ids) => t.c_member(join(ids.iter().map(|id| self.named(&self.names.programs, id)))),
            Condition::Tenure(range) => t.c_tenure(self.number_range(*range)),
            Condition::PurchaseCount { window, count } => t.c_count(self.number_range(*count), self.window(*window)),
            Condition::PurchaseSum { window, sum } => t.c_sum(self.money_range(*sum), self.window(*window)),
            Condition::FirstPurchase => t.c_first.to_owned(),
            Condition::Invited => t.c_invited.to_owned(),
            Condition::Activated(ids) => {
                t.c_activated(join(ids.iter().map(|id| self.named(&self.names.promotions, id))))
            }
            Condition::Segment(codes) => t.c_segment(self.coded(&self.names.segments, codes)),
            Condition::Payment(ways) => t.c_payment(join(ways.iter().map(|way| self.payment(*way).to_owned()))),
            Condition::Channel(ways) => t.c_channel(join(ways.iter().map(|way| self.channel(*way).to_owned()))),
            Condition::Coupon(series) => t.c_coupon(self.coded(&self.names.series, series)),
            Condition::All(nested) => t.c_all(self.nested(nested)),
            Condition::Any(nested) => t.c_any(self.nested(nested)),
            Condition::Not(inner) => t.c_not(self.condition(inner)),
        }
    }

    /// What is called by a code: its name where it has one.
    fn coded(&self, known: &[(String, Localized)], codes: &[String]) -> String {
        let name = |code: &String| match known.iter().find(|(other, _)| other == code) {
            Some((_, name)) => format!("{} ({code})", self.cx.pick(name)),
            None => code.clone(),
        };
        codes.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn nested(&self, conditions: &[Condition]) -> String {
        let words = conditions.iter().map(|condition| self.condition(condition));
        words.collect::<Vec<_>>().join("; ")
    }

    /// One effect of a rule of an occasion.
    pub fn effect(&self, occasion: Occasion, effect: &Effect) -> String {
        let t = &self.cx.t().admin_rules;
        let points = |n: i64| format!("{} {}", self.cx.points(n), unit(self.cx, n));
        let program = |id| self.named(&self.names.programs, id);
        match effect {
            Effect::PercentOff { share, each } => {
                let share = self.figure(*share);
                match each {
                    Each::Purchase => t.e_percent_purchase(share),
                    Each::Line => t.e_percent_line(share),
                    Each::Unit => t.e_percent_unit(share),
                }
            }
            Effect::AmountOff { amount, each } => {
                let amount = self.cx.money(*amount);
                match each {
                    Each::Purchase => t.e_amount_purchase(amount),
                    Each::Line => t.e_amount_line(amount),
                    Each::Unit => t.e_amount_unit(amount),
                }
            }
            Effect::CheapestFree { of } => t.e_cheapest(*of),
            Effect::PointsShare { program: id, share } => t.e_share(program(id), self.figure(*share)),
            Effect::PointsPer {
                program: id,
                points: n,
                per,
            } => t.e_per(self.cx.money(*per), points(*n), program(id)),
            Effect::PointsTimes { program: id, factor } => t.e_times(self.multiple(*factor), program(id)),
            Effect::PointsFixed {
                program: id,
                points: n,
                each,
            } => match each {
                Each::Purchase if occasion != Occasion::Purchase => t.e_fixed(points(*n), program(id)),
                Each::Purchase => t.e_fixed_purchase(points(*n), program(id)),
                Each::Line => t.e_fixed_line(points(*n), program(id)),
                Each::Unit => t.e_fixed_unit(points(*n), program(id)),
            },
            Effect::Gift { article, quantity } => t.e_gift(self.article(*article), format::integer(*quantity)),
            Effect::Coupon { series } => t.e_coupon(self.coded(&self.names.series, std::slice::from_ref(series))),
            Effect::Message { to, text } => t.e_message(&text.en, self.place(*to), &text.ru),
        }
    }

    /// Hundredths without a last nought: `7,5`.
    fn figure(&self, n: i64) -> String {
        let text = crm::points::written(self.cx.lang, n);
        match text.contains([',', '.']) {
            true => text.trim_end_matches('0').to_owned(),
            false => text,
        }
    }

    /// How many times, of hundredths of a percent: `2,5`.
    fn multiple(&self, factor: i64) -> String {
        let mark = match self.cx.lang {
            Lang::Ru => ',',
            Lang::En => '.',
        };
        let text = format!("{}{mark}{:04}", factor / WHOLE, factor % WHOLE);
        text.trim_end_matches('0').trim_end_matches(mark).to_owned()
    }

    /// A way to pay.
    pub fn payment(&self, way: Payment) -> &'static str {
        let t = &self.cx.t().admin_rules;
        match way {
            Payment::Cash => t.pay_cash,
            Payment::Card => t.pay_card,
            Payment::Transfer => t.pay_transfer,
            Payment::Certificate => t.pay_certificate,
            Payment::Credit => t.pay_credit,
            Payment::Other => t.pay_other,
        }
    }

    /// A way to buy.
    pub fn channel(&self, way: Channel) -> &'static str {
        let t = &self.cx.t().admin_rules;
        match way {
            Channel::Till => t.by_till,
            Channel::SelfService => t.by_self_service,
            Channel::Online => t.by_online,
            Channel::App => t.by_app,
        }
    }

    /// Where a message is shown.
    pub fn place(&self, to: Place) -> &'static str {
        let t = &self.cx.t().admin_rules;
        match to {
            Place::Receipt => t.p_receipt,
            Place::Cashier => t.p_cashier,
            Place::Kiosk => t.p_kiosk,
            Place::Customer => t.p_customer,
        }
    }

    /// How much it gives at most, a line for each cap.
    pub fn caps(&self, caps: &Caps) -> Vec<String> {
        let t = &self.cx.t().admin_rules;
        let value = |n: i64| self.cx.points(n);
        let mut lines = Vec::new();
        lines.extend(caps.line.map(|n| t.cap_line(value(n))));
        lines.extend(caps.purchase.map(|n| t.cap_purchase(value(n))));
        let mut limit = |limit: Limit, worth: &dyn Fn(String) -> String, times: &dyn Fn(i64) -> String| {
            lines.extend(limit.value.map(|n| worth(value(n))));
            lines.extend(limit.times.map(times));
        };
        limit(caps.day, &|n| t.cap_day_value(n), &|n| t.cap_day_times(n));
        limit(caps.customer, &|n| t.cap_customer_value(n), &|n| {
            t.cap_customer_times(n)
        });
        limit(caps.budget, &|n| t.cap_budget_value(n), &|n| t.cap_budget_times(n));
        lines
    }

    /// What is wrong with a draft: where, and what.
    pub fn fault(&self, fault: &Fault) -> String {
        let t = &self.cx.t().admin_rules;
        let mut parts = fault.pointer.split('/').skip(1);
        let (part, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let number = rest.parse::<usize>().map(|n| n + 1).ok();
        let place = match (part, number) {
            ("name", _) => t.name.to_owned(),
            ("conditions", Some(n)) => t.in_condition(n),
            ("conditions", None) => t.conditions.to_owned(),
            ("effects", Some(n)) => t.in_effect(n),
            ("effects", None) => t.effects.to_owned(),
            ("caps", _) => t.caps.to_owned(),
            ("valid", _) => t.valid.to_owned(),
            ("funded_by", _) => t.funded_by.to_owned(),
            (other, _) => other.to_owned(),
        };
        let problem = match (fault.problem, fault.pointer.as_str()) {
            (Problem::Missing, "/effects") => t.f_no_effect.to_owned(),
            (Problem::Missing, _) => t.f_missing.to_owned(),
            (Problem::TooLong { max }, _) => t.f_too_long(max),
            (Problem::TooMany { max }, _) => t.f_too_many(max),
            (Problem::TooDeep { max }, _) => t.f_too_deep(max),
            (Problem::OutOfRange { min, max: i64::MAX }, _) => t.f_too_small(min),
            (Problem::OutOfRange { min, max }, _) => t.f_out_of_range(max, min),
            (Problem::Backwards, _) => t.f_backwards.to_owned(),
            (Problem::NotOfLines, _) => t.f_not_of_lines.to_owned(),
            (Problem::NeedsPurchase, _) => t.f_needs_purchase.to_owned(),
            (Problem::NeedsTurn, _) => t.f_needs_turn.to_owned(),
            (Problem::NotAChoice, _) => t.f_not_a_choice.to_owned(),
            (Problem::NotAKey, _) => t.f_not_a_key.to_owned(),
            (Problem::NeedsPoints, _) => t.f_needs_points.to_owned(),
            (Problem::Unknown, _) => t.f_unknown.to_owned(),
        };
        format!("{place}: {problem}")
    }

    fn article(&self, id: crm::id::ArticleId) -> String {
        match self.names.articles.get(&id) {
            Some((code, name)) if code == name => name.clone(),
            Some((code, name)) => format!("{name} ({code})"),
            None => self.cx.t().admin_rules.unknown(id),
        }
    }

    /// A tier of a program.
    pub fn tier(&self, program: ProgramId, id: TierId) -> String {
        let tiers = &self.names.tiers;
        match tiers.iter().find(|tier| tier.program == program && tier.id == id) {
            Some(tier) => self.cx.pick(&tier.name),
            None => self.cx.t().admin_rules.unknown(id),
        }
    }

    fn store(&self, id: crm::id::StoreId) -> String {
        match self.names.stores.iter().find(|(store, ..)| *store == id) {
            Some((_, name, town)) => format!("{}, {}", self.cx.pick(town), self.cx.pick(name)),
            None => self.cx.t().admin_rules.unknown(id),
        }
    }

    fn named<T: PartialEq + std::fmt::Display>(&self, all: &[(T, Localized)], id: &T) -> String {
        match all.iter().find(|(one, _)| one == id) {
            Some((_, name)) => self.cx.pick(name),
            None => self.cx.t().admin_rules.unknown(id),
        }
    }

    /// Days of the week by their short names, in the order of the week.
    fn week(&self, days: &[Weekday]) -> String {
        let mut days = days.to_vec();
        days.sort_by_key(Weekday::num_days_from_monday);
        join(days.into_iter().map(|day| weekday(self.cx, day).to_owned()))
    }

    /// A period.
    pub fn window(&self, window: Window) -> String {
        let t = &self.cx.t().admin_rules;
        match window {
            Window::Ever => t.w_ever.to_owned(),
            Window::Last(Span::Days(n)) => t.w_days(i64::from(n)),
            Window::Last(Span::Months(n)) => t.w_months(i64::from(n)),
            Window::Month => t.w_month.to_owned(),
            Window::Year => t.w_year.to_owned(),
            Window::Between { from, to } => {
                t.w_between(format::date(self.cx.lang, from), format::date(self.cx.lang, to))
            }
        }
    }

    fn money_range(&self, range: Range) -> String {
        let money = |n: i64| self.cx.money(n);
        self.bounds(range.at_least.map(money), range.at_most.map(money))
            .unwrap_or_default()
    }

    fn number_range(&self, range: Range) -> String {
        self.bounds(range.at_least.map(format::integer), range.at_most.map(format::integer))
            .unwrap_or_default()
    }

    fn bounds(&self, from: Option<String>, to: Option<String>) -> Option<String> {
        let t = &self.cx.t().admin_rules;
        match (from, to) {
            (Some(from), Some(to)) if from == to => Some(t.r_exactly(from)),
            (Some(from), Some(to)) => Some(t.r_between(from, to)),
            (Some(from), None) => Some(t.r_least(from)),
            (None, Some(to)) => Some(t.r_most(to)),
            (None, None) => None,
        }
    }
}

fn join(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}

/// A day of the week by its short name.
pub fn weekday(cx: &Cx, day: Weekday) -> &'static str {
    let t = &cx.t().stores;
    match day {
        Weekday::Mon => t.mon,
        Weekday::Tue => t.tue,
        Weekday::Wed => t.wed,
        Weekday::Thu => t.thu,
        Weekday::Fri => t.fri,
        Weekday::Sat => t.sat,
        Weekday::Sun => t.sun,
    }
}

/// A minute of the day as a clock and a field of times show it: `09:00`.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}
