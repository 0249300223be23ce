//! For whom a rule is: what it asks about the customer, whatever they buy, where and when.

use super::{Caps, Condition, Effect, Occasion, Rule, Whose};
use crate::id::ProgramId;
use std::collections::BTreeSet;

impl Condition {
    /// True when it asks about the customer and nothing else.
    fn is_of_customer(&self) -> bool {
        match self {
            Self::Birthday { .. }
            | Self::Tier { .. }
            | Self::Member(_)
            | Self::Tenure(_)
            | Self::PurchaseCount { .. }
            | Self::PurchaseSum { .. }
            | Self::FirstPurchase
            | Self::Invited
            | Self::Activated(_)
            | Self::Segment(_) => true,
            Self::All(nested) | Self::Any(nested) => nested.iter().all(Self::is_of_customer),
            Self::Not(inner) => inner.is_of_customer(),
            _ => false,
        }
    }

    /// What it asks about the customer, if anything. What a basket could fulfil as well keeps nobody out.
    fn of_customer(&self) -> Option<Self> {
        if let Self::All(nested) = self {
            let kept: Vec<Self> = nested.iter().filter_map(Self::of_customer).collect();
            return (!kept.is_empty()).then_some(Self::All(kept));
        }
        self.is_of_customer().then(|| self.clone())
    }
}

impl Rule {
    /// True when it is for whoever has a birthday, of a program perhaps, whatever else there is to know about them.
    pub fn is_for_birthdays(&self, whose: Whose) -> bool {
        let is_birthday = |one: &Condition| matches!(one, Condition::Birthday { of, .. } if *of == whose);
        let is_of_others = |one: &Condition| !matches!(one, Condition::Member(_)) && one.of_customer().is_some();
        let (birthdays, others): (Vec<_>, Vec<_>) = self.conditions.iter().partition(|one| is_birthday(one));
        !birthdays.is_empty() && !others.into_iter().any(is_of_others)
    }

    /// A rule that holds for whoever this one is for. It is asked about a basket with nothing in it, and gives a coupon of no
    /// series, for which nothing has to be bought. Who registers does so once: for that occasion it is for nobody any more.
    pub fn for_whom(&self) -> Self {
        let mut conditions: Vec<Condition> = self.conditions.iter().filter_map(Condition::of_customer).collect();
        // Points are given to members alone. Where there is nothing else but words, they are what somebody would miss.
        let gifts = self.effects.iter().filter(|e| !matches!(e, Effect::Message { .. }));
        let programs: Option<BTreeSet<ProgramId>> = gifts.map(Effect::program).collect();
        let programs: Vec<ProgramId> = programs.into_iter().flatten().collect();
        if !programs.is_empty() {
            conditions.push(Condition::Member(programs));
        }
        // What takes but a press of a button is asked for last.
        conditions.sort_by_key(|condition| matches!(condition, Condition::Activated(_)));
        Self {
            name: self.name.clone(),
            occasion: match self.occasion {
                Occasion::Registration => Occasion::Registration,
                _ => Occasion::Purchase,
            },
            priority: self.priority,
            group: None,
            alone: false,
            valid: self.valid,
            conditions,
            effects: vec![Effect::Coupon { series: "-".into() }],
            caps: Caps {
                line: None,
                purchase: None,
                ..self.caps
            },
            funded_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{condition, rule};

    #[test]
    fn what_is_about_the_basket_keeps_nobody_out() {
        let count = r#"{"purchase_count": {"window": "ever", "count": {"at_least": 3}}}"#;
        for (given, kept) in [
            (r#"{"basket_sum": {"at_least": 5}}"#, None),
            (r#"{"weekday": ["Mon"]}"#, None),
            (count, Some(count)),
            (r#"{"not": "first_purchase"}"#, Some(r#"{"not": "first_purchase"}"#)),
            (
                r#"{"any": ["invited", "first_purchase"]}"#,
                Some(r#"{"any": ["invited", "first_purchase"]}"#),
            ),
            (r#"{"any": ["invited", {"weekday": ["Mon"]}]}"#, None),
            (
                r#"{"all": ["invited", {"weekday": ["Mon"]}]}"#,
                Some(r#"{"all": ["invited"]}"#),
            ),
            (r#"{"all": [{"weekday": ["Mon"]}]}"#, None),
        ] {
            assert_eq!(condition(given).of_customer(), kept.map(condition), "{given}");
        }
        assert!(
            rule(&[r#"{"basket_sum": {"at_least": 5}}"#, count])
                .for_whom()
                .validate()
                .is_empty()
        );
    }
}
