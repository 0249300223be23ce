//! Which categories lie within which.

use crate::id::CategoryId;
use std::collections::{HashMap, HashSet};

/// Categories by the one that they lie right within.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(HashMap<CategoryId, Vec<CategoryId>>);

impl FromIterator<(CategoryId, CategoryId)> for Tree {
    /// Of categories, each with the one right above it.
    fn from_iter<I: IntoIterator<Item = (CategoryId, CategoryId)>>(pairs: I) -> Self {
        let mut below: HashMap<CategoryId, Vec<CategoryId>> = HashMap::new();
        for (category, above) in pairs {
            below.entry(above).or_default().push(category);
        }
        Self(below)
    }
}

impl Tree {
    /// These categories and all that lie within them, each once.
    pub(crate) fn within(&self, categories: &[CategoryId]) -> Vec<CategoryId> {
        let mut seen = HashSet::new();
        let mut all: Vec<_> = categories.iter().copied().filter(|id| seen.insert(*id)).collect();
        let mut next = 0;
        while let Some(id) = all.get(next) {
            let below = self.0.get(id).map_or(&[][..], Vec::as_slice);
            all.extend(below.iter().copied().filter(|id| seen.insert(*id)));
            next += 1;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> CategoryId {
        CategoryId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn what_lies_within_is_found_however_deep() {
        let tree: Tree = [(2, 1), (3, 1), (4, 3), (5, 4), (7, 6)]
            .map(|(a, b)| (id(a), id(b)))
            .into_iter()
            .collect();
        let within = |list: &[u128]| -> Vec<u128> {
            let mut all: Vec<_> = tree
                .within(&list.iter().map(|n| id(*n)).collect::<Vec<_>>())
                .iter()
                .map(|id| id.0.as_u128())
                .collect();
            all.sort_unstable();
            all
        };
        assert_eq!(within(&[1]), [1, 2, 3, 4, 5]);
        assert_eq!(within(&[3, 5]), [3, 4, 5]);
        assert_eq!(within(&[5, 6]), [5, 6, 7]);
        assert_eq!(within(&[9]), [9]);
        // Not even a circle keeps anybody waiting.
        let circle: Tree = [(id(1), id(2)), (id(2), id(1))].into_iter().collect();
        assert_eq!(circle.within(&[id(1)]).len(), 2);
    }
}
