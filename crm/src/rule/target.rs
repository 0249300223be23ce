//! What a rule points to in the shop.

use super::{Condition, Effect, Rule};
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

    /// The series of coupons that it asks for, itself and in what lies within it, each with its JSON pointer, which begins with
    /// this one; of those that are not to be there nothing.
    pub(crate) fn series(&self, pointer: &str) -> Vec<(String, &str)> {
        let own: &[String] = match self {
            Self::Coupon(series) => series,
            Self::Not(_) => return Vec::new(),
            _ => &[],
        };
        let numbered = own.iter().enumerate();
        let mut found: Vec<_> = numbered
            .map(|(i, code)| (format!("{pointer}/coupon/{i}"), code.as_str()))
            .collect();
        for (rest, inner) in self.nested() {
            found.extend(inner.series(&format!("{pointer}{rest}")));
        }
        found
    }

    /// The segments that it names, likewise, also those in which somebody is not to be.
    fn segments(&self, pointer: &str) -> Vec<(String, &str)> {
        let own: &[String] = match self {
            Self::Segment(segments) => segments,
            _ => &[],
        };
        let numbered = own.iter().enumerate();
        let mut found: Vec<_> = numbered
            .map(|(i, code)| (format!("{pointer}/segment/{i}"), code.as_str()))
            .collect();
        for (rest, inner) in self.nested() {
            found.extend(inner.segments(&format!("{pointer}{rest}")));
        }
        found
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

    /// The series of coupons that it asks for.
    pub fn asked_series(&self) -> impl Iterator<Item = &str> {
        let conditions = self.conditions.iter();
        conditions
            .flat_map(|condition| condition.series(""))
            .map(|(_, code)| code)
    }

    /// The series of coupons that it names, each with its JSON pointer.
    pub fn named_series(&self) -> Vec<(String, &str)> {
        let conditions = self.conditions.iter().enumerate();
        let asked = conditions.flat_map(|(i, condition)| condition.series(&format!("/conditions/{i}")));
        let given = self.effects.iter().enumerate().filter_map(|(i, effect)| match effect {
            Effect::Coupon { series } => Some((format!("/effects/{i}"), series.as_str())),
            _ => None,
        });
        asked.chain(given).collect()
    }

    /// The segments that it names, each with its JSON pointer.
    pub fn named_segments(&self) -> Vec<(String, &str)> {
        let conditions = self.conditions.iter().enumerate();
        conditions
            .flat_map(|(i, condition)| condition.segments(&format!("/conditions/{i}")))
            .collect()
    }
}
