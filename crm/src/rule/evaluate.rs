//! What a basket is given by a snapshot of rules.
//!
//! Figures are kept in a few vectors for the whole evaluation, lines by their place: a rule that does not apply costs
//! no allocation, and one that does only what it adds to them.

use super::ask::View;
use super::explain::Failure;
use super::prepare::{Discount, Points, Prepared, Prize};
use super::split::{part_of, share_of, split, sum};
use super::{Basket, Each, Facts, RuleVersion, Rules, WHOLE};
use crate::id::{ArticleId, ProgramId};
use crate::purchase::AMOUNT_MAX;
use chrono::{DateTime, TimeZone, Timelike, Utc};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The most points that an effect gives on a line, in hundredths: what the largest share and the largest multiple give on the
/// largest line. An amount for each unit of very many units stops there. Sums of ten million such lines still fit.
pub const POINTS_MAX: i64 = 100 * AMOUNT_MAX;

/// What a basket is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What became of every rule, in the order in which they were asked.
    pub decisions: Vec<Decision>,
    /// What was given: discounts, then points, then the rest.
    pub grants: Vec<Grant>,
    /// The sums of each line, in the order of the basket.
    pub lines: Vec<Sums>,
    /// The sums of the basket.
    pub total: Sums,
    /// The points in each program, where there are any.
    pub points: Vec<(ProgramId, i64)>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The rule.
    pub by: RuleVersion,
    /// Whether it applied.
    pub verdict: Verdict,
}

/// Whether a rule applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// It did.
    Applied {
        /// What it gave of money and points together, in hundredths: what counts towards its caps and its budget.
        value: i64,
    },
    /// It did not, and that is the first reason.
    Failed(Failure),
}

/// Something that a rule gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The rule.
    pub by: RuleVersion,
    /// Which of its effects, from 0.
    pub effect: u16,
    /// The place of the line that it belongs to, from 0; none: to the purchase.
    pub line: Option<u32>,
    /// What.
    pub given: Given,
}

/// What was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Given {
    /// Off the price, in minor units.
    Discount(i64),
    /// Points.
    Points {
        /// In which program.
        program: ProgramId,
        /// How many, in hundredths.
        points: i64,
    },
    /// A gift.
    Gift {
        /// What.
        article: ArticleId,
        /// How many.
        quantity: i64,
    },
    /// The coupon that the effect names.
    Coupon,
    /// The message that the effect holds.
    Message,
}

/// Sums of a line or a basket. Money is in minor units, points are hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// What it costs before any rule.
    pub amount: i64,
    /// What rules take off.
    pub discount: i64,
    /// What points pay of it.
    pub points_used: i64,
    /// What is left to pay, and earns.
    pub paid: i64,
    /// The points that it earns, in all programs together.
    pub points: i64,
}

/// What a basket is given at a moment, by the rules of a snapshot: depends on nothing else, and changes nothing.
///
/// The caps and the budget are held against what was used as [`Facts`] tell it; who books the purchase has to see to it
/// that nobody else books meanwhile. Rules without a condition on the customer give points to nobody as well: they are
/// for whoever claims the receipt.
pub fn evaluate<Z: TimeZone>(rules: &Rules, basket: &Basket, facts: &Facts, at: DateTime<Utc>, zone: &Z) -> Outcome {
    let local = at.with_timezone(zone).naive_local();
    let minute = local.hour() * 60 + local.minute();
    // Rules that took their group from another one and gave nothing then: how much somebody earns is known last.
    let mut idle: Vec<RuleVersion> = Vec::new();
    loop {
        let view = View::new(rules, basket, facts, at, local.date(), minute.try_into().unwrap_or(0));
        let mut run = Run::new(rules, basket, view);
        run.take_off(&idle);
        run.pay_with_points(basket);
        run.earn();
        match run.idle() {
            Some(rule) => idle.push(rule),
            None => return run.finish(),
        }
    }
}

/// A rule that applies.
struct Applied<'r> {
    rule: &'r Prepared,
    /// Its place among the decisions.
    place: usize,
    /// Its lines in [`Run::chosen`].
    lines: Range<usize>,
    /// What it may still give.
    left: i64,
    /// What it gave.
    value: i64,
}

impl Applied<'_> {
    /// It was to give money or points, and there were none to give.
    fn is_nothing(&self) -> bool {
        self.value == 0 && (self.rule.discounts || self.rule.earns)
    }
}

/// An evaluation on its way.
struct Run<'r> {
    rules: &'r Rules,
    view: View<'r>,
    outcome: Outcome,
    applied: Vec<Applied<'r>>,
    /// The lines of the rules that apply, one rule after the other, and beside each line what the rule gave on it.
    chosen: Vec<u32>,
    on_line: Vec<i64>,
    /// Of each line: what is left to pay, and who took something off it, the first and the one that closed it.
    rest: Vec<i64>,
    discounted: Vec<Option<RuleVersion>>,
    closed: Vec<Option<RuleVersion>>,
    /// Of each line of a receipt: what is left of what the till took off because of rules.
    taken: Vec<Option<i64>>,
    /// What the effect at hand would give on each of its lines, then what it gives.
    parts: Vec<i64>,
    spare: Vec<(i128, u32)>,
}

impl<'r> Run<'r> {
    fn new(rules: &'r Rules, basket: &Basket, view: View<'r>) -> Self {
        let lines = view.rows.len();
        Self {
            rules,
            outcome: Outcome {
                decisions: Vec::with_capacity(rules.prepared.len()),
                ..Outcome::default()
            },
            applied: Vec::new(),
            chosen: Vec::with_capacity(lines * 8),
            on_line: Vec::new(),
            rest: view.rows.iter().map(|row| row.amount).collect(),
            discounted: vec![None; lines],
            closed: vec![None; lines],
            taken: basket
                .lines
                .iter()
                .zip(&view.rows)
                .map(|(line, row)| Some(line.taken?.clamp(0, row.amount)))
                .collect(),
            parts: Vec::with_capacity(lines),
            spare: Vec::with_capacity(lines),
            view,
        }
    }

    /// Asks every rule but those that would give nothing, and takes the discounts of those that apply off.
    fn take_off(&mut self, idle: &[RuleVersion]) {
        let rules = self.rules;
        let mut groups: Vec<Option<RuleVersion>> = vec![None; rules.groups];
        for rule in &rules.prepared {
            let first = self.chosen.len();
            let asked = self.view.ask(rule, &mut self.chosen).and_then(|left| {
                if idle.contains(&rule.by) {
                    return Err(Failure::Nothing);
                }
                match rule.group.and_then(|group| groups[group]) {
                    Some(granted) => Err(Failure::Group(granted)),
                    None if rule.discounts => self.leave_closed_out(rule, first).map(|()| left),
                    None => Ok(left),
                }
            });
            let verdict = match asked {
                Ok(left) => {
                    let lines = first..self.chosen.len();
                    self.on_line.resize(lines.end, 0);
                    let mut applied = Applied {
                        rule,
                        place: self.outcome.decisions.len(),
                        lines,
                        left,
                        value: 0,
                    };
                    if rule.discounts {
                        self.discounts(&mut applied);
                    }
                    // A rule that takes nothing off and earns nothing leaves its group to the others.
                    if let Some(group) = rule.group
                        && (applied.value > 0 || rule.earns || !rule.discounts)
                    {
                        groups[group] = Some(rule.by);
                    }
                    self.applied.push(applied);
                    Verdict::Applied { value: 0 }
                }
                Err(failure) => {
                    self.chosen.truncate(first);
                    Verdict::Failed(failure)
                }
            };
            self.outcome.decisions.push(Decision { by: rule.by, verdict });
        }
    }

    /// Takes the lines out of the chosen ones that a rule's discount must not meet.
    fn leave_closed_out(&mut self, rule: &Prepared, first: usize) -> Result<(), Failure> {
        let (mut kept, mut by) = (first, None);
        for place in first..self.chosen.len() {
            let line = self.chosen[place];
            let other = if rule.alone { &self.discounted } else { &self.closed }[line as usize];
            if other.is_none() {
                self.chosen[kept] = line;
                kept += 1;
            }
            by = by.or(other);
        }
        self.chosen.truncate(kept);
        match by {
            Some(by) if kept == first => Err(Failure::Closed(by)),
            _ => Ok(()),
        }
    }

    fn discounts(&mut self, applied: &mut Applied<'r>) {
        for (prize, effect) in applied.rule.effects.iter().zip(0_u16..) {
            let Prize::Discount(discount) = prize else { continue };
            self.want(discount, applied);
            for (line, part) in self.chosen[applied.lines.clone()].iter().zip(&mut self.parts) {
                *part = (*part).min(self.taken[*line as usize].unwrap_or(i64::MAX));
            }
            self.grant(applied, effect, Given::Discount);
            for (line, part) in self.chosen[applied.lines.clone()].iter().zip(&self.parts) {
                let line = *line as usize;
                self.rest[line] -= part;
                if let Some(left) = &mut self.taken[line] {
                    *left -= part;
                }
                if *part > 0 {
                    self.discounted[line].get_or_insert(applied.rule.by);
                    if applied.rule.alone {
                        self.closed[line] = Some(applied.rule.by);
                    }
                }
            }
        }
    }

    /// What a discount takes off each of the lines: never more than is left of it.
    fn want(&mut self, discount: &Discount, applied: &Applied<'_>) {
        let lines = &self.chosen[applied.lines.clone()];
        let rest = |line: &u32| self.rest[*line as usize];
        let quantity = |line: &u32| self.view.rows[*line as usize].quantity;
        let parts = &mut self.parts;
        parts.clear();
        match *discount {
            Discount::Percent { share, each } => {
                parts.extend(lines.iter().map(rest));
                if each == Each::Purchase {
                    let off = part_of(sum(parts), share.into(), WHOLE.into());
                    split(parts, off, &mut self.spare);
                } else {
                    parts.iter_mut().for_each(|part| *part = share_of(*part, share));
                }
            }
            Discount::Amount { amount, each } => match each {
                Each::Purchase => {
                    parts.extend(lines.iter().map(rest));
                    let off = i128::from(amount).min(sum(parts));
                    split(parts, off.try_into().unwrap_or(amount), &mut self.spare);
                }
                Each::Line => parts.extend(lines.iter().map(|line| amount.min(rest(line)))),
                Each::Unit => {
                    parts.extend(
                        lines
                            .iter()
                            .map(|line| amount.saturating_mul(quantity(line)).min(rest(line))),
                    );
                }
            },
            Discount::CheapestFree { of } => {
                parts.resize(lines.len(), 0);
                let spare = &mut self.spare;
                spare.clear();
                let paid = lines.iter().zip(0_u32..).filter(|(line, _)| rest(line) > 0);
                spare.extend(paid.map(|(line, place)| (quantity(line).into(), place)));
                let units: i128 = spare.iter().map(|(quantity, _)| quantity).sum();
                // What a unit costs of two lines, over their common denominator.
                let price = |place: u32, other: i128| i128::from(rest(&lines[place as usize])) * other;
                spare.sort_unstable_by(|a, b| price(a.1, b.0).cmp(&price(b.1, a.0)).then(a.1.cmp(&b.1)));
                let mut free = units / i128::from(of);
                for (quantity, place) in spare.iter() {
                    let taken = free.min(*quantity);
                    free -= taken;
                    let line = &lines[*place as usize];
                    parts[*place as usize] = part_of(rest(line).into(), taken, *quantity);
                }
            }
        }
    }

    /// Spreads the points that pay over the lines that they may pay for.
    fn pay_with_points(&mut self, basket: &Basket) {
        // What the till took off and no rule owns up to is not paid either.
        for (rest, taken) in self.rest.iter_mut().zip(&self.taken) {
            *rest -= taken.unwrap_or(0).min(*rest);
        }
        let payable = basket.lines.iter().zip(&self.rest);
        self.parts.clear();
        self.parts
            .extend(payable.map(|(line, rest)| if line.payable { *rest } else { 0 }));
        let used = i128::from(basket.points_used.max(0)).min(sum(&self.parts));
        split(&mut self.parts, used.try_into().unwrap_or(i64::MAX), &mut self.spare);
        let rows = self.view.rows.iter().zip(&mut self.rest).zip(&self.parts);
        self.outcome.lines.extend(rows.map(|((row, rest), points_used)| {
            let discount = row.amount - *rest;
            *rest -= points_used;
            Sums {
                amount: row.amount,
                discount,
                points_used: *points_used,
                paid: *rest,
                points: 0,
            }
        }));
    }

    /// Gives points: first those for what was paid, then multipliers of them and fixed ones.
    fn earn(&mut self) {
        if self.rules.programs.is_empty() {
            return;
        }
        let lines = self.view.rows.len();
        let mut base = vec![0_i64; lines * self.rules.programs.len()];
        let mut all = std::mem::take(&mut self.applied);
        for first in [true, false] {
            for applied in &mut all {
                for (prize, effect) in applied.rule.effects.iter().zip(0_u16..) {
                    let Prize::Points { program, how } = prize else {
                        continue;
                    };
                    if matches!(how, Points::Share(_) | Points::Per { .. }) != first {
                        continue;
                    }
                    let base = &mut base[program * lines..][..lines];
                    let id = self.rules.programs[*program];
                    if !self.view.may_earn(id) {
                        continue;
                    }
                    self.points(*how, applied, base);
                    if lines == 0 {
                        self.grant_once(applied, effect, *how, id);
                        continue;
                    }
                    self.grant(applied, effect, |points| Given::Points { program: id, points });
                    for (line, part) in self.chosen[applied.lines.clone()].iter().zip(&self.parts) {
                        let line = *line as usize;
                        let points = &mut self.outcome.lines[line].points;
                        *points = points.saturating_add(*part);
                        if first {
                            base[line] = base[line].saturating_add(*part);
                        }
                    }
                }
            }
        }
        self.applied = all;
    }

    /// The points that an effect gives on each of the lines.
    fn points(&mut self, how: Points, applied: &Applied<'_>, base: &[i64]) {
        let lines = &self.chosen[applied.lines.clone()];
        let paid = |line: &u32| self.rest[*line as usize];
        let parts = &mut self.parts;
        parts.clear();
        match how {
            Points::Share(share) => parts.extend(lines.iter().map(|line| share_of(paid(line), share))),
            Points::Per { points, per } => {
                parts.extend(lines.iter().map(paid));
                let full = sum(parts) / i128::from(per);
                let points = part_of(full, points.into(), 1);
                split(parts, points, &mut self.spare);
            }
            Points::Times(factor) => {
                parts.extend(lines.iter().map(|line| share_of(base[*line as usize], factor - WHOLE)));
            }
            Points::Fixed { points, each } => match each {
                Each::Purchase => {
                    parts.extend(lines.iter().map(paid));
                    split(parts, points, &mut self.spare);
                }
                Each::Line => parts.extend(lines.iter().map(|line| if paid(line) > 0 { points } else { 0 })),
                Each::Unit => parts.extend(lines.iter().map(|line| {
                    let quantity = self.view.rows[*line as usize].quantity;
                    if paid(line) > 0 {
                        points.saturating_mul(quantity)
                    } else {
                        0
                    }
                })),
            },
        }
        parts.iter_mut().for_each(|part| *part = (*part).min(POINTS_MAX));
    }

    /// Fixed points of an occasion without lines.
    fn grant_once(&mut self, applied: &mut Applied<'_>, effect: u16, how: Points, program: ProgramId) {
        let Points::Fixed { points, .. } = how else { return };
        let points = points.min(applied.left);
        if points > 0 {
            applied.left -= points;
            applied.value = applied.value.saturating_add(points);
            self.outcome.total.points = self.outcome.total.points.saturating_add(points);
            self.outcome.grants.push(Grant {
                by: applied.rule.by,
                effect,
                line: None,
                given: Given::Points { program, points },
            });
        }
    }

    /// Gives what stands in `parts`, or what the rule's caps leave of it.
    fn grant(&mut self, applied: &mut Applied<'_>, effect: u16, given: impl Fn(i64) -> Given) {
        let on_line = &mut self.on_line[applied.lines.clone()];
        if let Some(cap) = applied.rule.caps.line {
            for (part, before) in self.parts.iter_mut().zip(&*on_line) {
                *part = (*part).min(cap - before);
            }
        }
        let wanted = sum(&self.parts);
        if wanted > applied.left.into() {
            split(&mut self.parts, applied.left, &mut self.spare);
        }
        let total = i64::try_from(wanted).unwrap_or(i64::MAX).min(applied.left);
        applied.left -= total;
        applied.value = applied.value.saturating_add(total);
        let lines = self.chosen[applied.lines.clone()].iter();
        for ((line, part), on_line) in lines.zip(&self.parts).zip(on_line) {
            if *part > 0 {
                *on_line = on_line.saturating_add(*part);
                self.outcome.grants.push(Grant {
                    by: applied.rule.by,
                    effect,
                    line: Some(*line),
                    given: given(*part),
                });
            }
        }
    }

    /// A rule that gave nothing and kept another one of its group out.
    fn idle(&self) -> Option<RuleVersion> {
        let in_vain = |applied: &&Applied<'_>| {
            let by = Verdict::Failed(Failure::Group(applied.rule.by));
            applied.is_nothing() && self.outcome.decisions.iter().any(|decision| decision.verdict == by)
        };
        self.applied.iter().find(in_vain).map(|applied| applied.rule.by)
    }

    /// Gifts, coupons and messages of the rules that gave what they had to give, and the totals.
    fn finish(mut self) -> Outcome {
        let outcome = &mut self.outcome;
        for applied in &self.applied {
            let Applied { rule, value, .. } = *applied;
            let nothing = applied.is_nothing();
            outcome.decisions[applied.place].verdict = if nothing {
                Verdict::Failed(Failure::Nothing)
            } else {
                Verdict::Applied { value }
            };
            if nothing {
                continue;
            }
            for (prize, effect) in rule.effects.iter().zip(0_u16..) {
                let given = match *prize {
                    Prize::Gift { article, quantity } => Given::Gift { article, quantity },
                    Prize::Coupon => Given::Coupon,
                    Prize::Message => Given::Message,
                    Prize::Discount(_) | Prize::Points { .. } => continue,
                };
                outcome.grants.push(Grant {
                    by: rule.by,
                    effect,
                    line: None,
                    given,
                });
            }
        }
        for grant in &outcome.grants {
            if let Given::Points { program, points } = grant.given {
                match outcome.points.iter_mut().find(|(known, _)| *known == program) {
                    Some((_, sum)) => *sum = sum.saturating_add(points),
                    None => outcome.points.push((program, points)),
                }
            }
        }
        let total = &mut outcome.total;
        for line in &outcome.lines {
            total.amount = total.amount.saturating_add(line.amount);
            total.discount = total.discount.saturating_add(line.discount);
            total.points_used = total.points_used.saturating_add(line.points_used);
            total.paid = total.paid.saturating_add(line.paid);
            total.points = total.points.saturating_add(line.points);
        }
        self.outcome
    }
}
