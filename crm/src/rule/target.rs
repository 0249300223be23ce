//! What a rule points to in the shop.

use super::{Condition, Effect, Fault, Problem, Rule};
use crate::id::{ArticleId, CategoryId, ProgramId, PromotionId, StoreId, TierId};

/// Something of the shop that a rule points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An article.
    Article(ArticleId),
    /// A category.
    Category(CategoryId),
    /// A shop.
    Store(StoreId),
    /// A program.
    Program(ProgramId),
    /// A tier of a program.
    Tier(ProgramId, TierId),
    /// A promotion.
    Promotion(PromotionId),
}

impl Condition {
    /// What it points to, itself and in what lies within it, of each list no more than `most`: each with its JSON pointer,
    /// which begins with this one.
    pub(super) fn targets(&self, pointer: &str, most: usize) -> Vec<(String, Target)> {
        fn listed<T: Copy>(
            pointer: &str,
            name: &str,
            ids: &[T],
            most: usize,
            target: impl Fn(T) -> Target,
        ) -> Vec<(String, Target)> {
            let numbered = ids.iter().take(most).enumerate();
            numbered
                .map(|(i, id)| (format!("{pointer}/{name}/{i}"), target(*id)))
                .collect()
        }
        let mut found = match self {
            Self::Article(ids) => listed(pointer, "article", ids, most, Target::Article),
            Self::Category(ids) => listed(pointer, "category", ids, most, Target::Category),
            Self::Store(ids) => listed(pointer, "store", ids, most, Target::Store),
            Self::Member(ids) => listed(pointer, "member", ids, most, Target::Program),
            Self::Activated(ids) => listed(pointer, "activated", ids, most, Target::Promotion),
            Self::Tier { program, tiers } => {
                let of_program = (format!("{pointer}/tier/program"), Target::Program(*program));
                let tiers = listed(pointer, "tier/tiers", tiers, most, |id| Target::Tier(*program, id));
                [vec![of_program], tiers].concat()
            }
            _ => Vec::new(),
        };
        for (rest, inner) in self.nested() {
            found.extend(inner.targets(&format!("{pointer}{rest}"), most));
        }
        found
    }

    /// True when it asks about what nobody tells yet, or something in it does.
    fn is_never_told(&self) -> bool {
        matches!(self, Self::Segment(_) | Self::Coupon(_))
            || self.nested().into_iter().any(|(_, inner)| inner.is_never_told())
    }
}

impl Rule {
    /// Everything that it points to, with its JSON pointer.
    pub fn targets(&self) -> Vec<(String, Target)> {
        let conditions = self.conditions.iter().enumerate();
        let mut found: Vec<_> = conditions
            .flat_map(|(i, condition)| condition.targets(&format!("/conditions/{i}"), usize::MAX))
            .collect();
        for (i, effect) in self.effects.iter().enumerate() {
            let target = match effect {
                Effect::Gift { article, .. } => Some(Target::Article(*article)),
                other => other.program().map(Target::Program),
            };
            found.extend(target.map(|target| (format!("/effects/{i}"), target)));
        }
        found
    }

    /// What it says in vain, though it may be published.
    pub fn warnings(&self) -> Vec<Fault> {
        let conditions = self.conditions.iter().enumerate();
        let never_told = conditions.filter(|(_, condition)| condition.is_never_told());
        never_told
            .map(|(i, _)| Fault {
                pointer: format!("/conditions/{i}"),
                problem: Problem::NeverTold,
            })
            .collect()
    }
}
