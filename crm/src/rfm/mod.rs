//! RFM: how lately, how often and for how much a customer bought in the last twelve months (recency, frequency, monetary). Each is
//! told as a score from 1 to 5, by fifths of all who bought then, the best fifth being 5; together they name a group. Who bought nothing
//! in that time has none.

use serde::{Deserialize, Serialize};

pub mod store;

/// How many scores there are.
const SCORES: i64 = 5;

/// What the scores say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Buy lately, often and for much.
    Champions,
    /// Buy often and for much, and were here some time ago.
    Loyal,
    /// Were here lately, and may become regulars.
    Promising,
    /// Were here lately, for the first time or nearly so.
    New,
    /// Neither here nor there: a word may bring them back.
    Attention,
    /// Bought often and for much, and stay away.
    AtRisk,
    /// Bought little, and stay away.
    Sleeping,
}

impl Group {
    /// Each of them, the best first.
    pub const ALL: [Self; 7] = [
        Self::Champions,
        Self::Loyal,
        Self::Promising,
        Self::New,
        Self::Attention,
        Self::AtRisk,
        Self::Sleeping,
    ];

    /// As addresses and the database name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Champions => "champions",
            Self::Loyal => "loyal",
            Self::Promising => "promising",
            Self::New => "new",
            Self::Attention => "attention",
            Self::AtRisk => "at_risk",
            Self::Sleeping => "sleeping",
        }
    }

    /// The one that an address names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == code)
    }
}

/// The three scores, each 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Scores {
    /// How lately.
    pub recency: i64,
    /// How often.
    pub frequency: i64,
    /// For how much.
    pub monetary: i64,
}

impl Scores {
    /// What they say together: how lately, by how often and for how much on an average.
    pub const fn group(self) -> Group {
        let value = (self.frequency + self.monetary + 1) / 2;
        match (self.recency, value) {
            (4.., 4..) => Group::Champions,
            (4.., 2..) => Group::Promising,
            (4.., _) => Group::New,
            (3, 4..) => Group::Loyal,
            (3, _) => Group::Attention,
            (_, 3..) => Group::AtRisk,
            _ => Group::Sleeping,
        }
    }
}

/// The score of a value by the cuts between the fifths: of equals each has the same, so that a fifth may be larger than another.
fn score<T: PartialOrd>(value: &T, cuts: &[T]) -> i64 {
    1 + cuts.iter().filter(|cut| value > cut).count() as i64
}

/// The places of the cuts among so many values in order, from 0: the last of each fifth but the best one.
fn cuts(count: i64) -> impl Iterator<Item = i64> {
    let has_any = count > 0;
    (1..SCORES)
        .filter(move |_| has_any)
        .map(move |fifth| (count * fifth + SCORES - 1) / SCORES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores_of(values: &[i64]) -> Vec<i64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let places = cuts(values.len() as i64);
        let cuts: Vec<i64> = places
            .map(|place| sorted[usize::try_from(place).expect("a place")])
            .collect();
        values.iter().map(|value| score(value, &cuts)).collect()
    }

    #[test]
    fn each_fifth_has_a_score_and_equals_have_the_same() {
        assert_eq!(scores_of(&[]), Vec::<i64>::new());
        assert_eq!(scores_of(&[7]), [1]);
        assert_eq!(scores_of(&[10, 20, 30, 40, 50]), [1, 2, 3, 4, 5]);
        let ten: Vec<i64> = (1..=10).collect();
        assert_eq!(scores_of(&ten), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        // Most buy once.
        assert_eq!(
            scores_of(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 9]),
            [1, 1, 1, 1, 1, 1, 1, 4, 4, 5]
        );
    }

    #[test]
    fn scores_name_a_group() {
        let group = |recency, frequency, monetary| {
            let scores = Scores {
                recency,
                frequency,
                monetary,
            };
            scores.group()
        };
        for (expected, scores) in [
            (Group::Champions, [(5, 5, 5), (4, 4, 4), (4, 3, 4)]),
            (Group::Loyal, [(3, 5, 5), (3, 4, 4), (3, 3, 4)]),
            (Group::Promising, [(5, 1, 2), (4, 3, 3), (5, 2, 2)]),
            (Group::New, [(5, 1, 1), (4, 1, 1), (4, 1, 1)]),
            (Group::Attention, [(3, 3, 3), (3, 1, 1), (3, 2, 3)]),
            (Group::AtRisk, [(2, 5, 5), (1, 3, 3), (1, 2, 3)]),
            (Group::Sleeping, [(1, 1, 1), (2, 2, 2), (2, 1, 2)]),
        ] {
            for (recency, frequency, monetary) in scores {
                let found = group(recency, frequency, monetary);
                assert_eq!(found, expected, "{recency} {frequency} {monetary}");
            }
        }
        for group in Group::ALL {
            assert_eq!(serde_json::to_value(group).expect("a word"), group.as_str());
            assert_eq!(Group::from_code(group.as_str()), Some(group));
        }
    }
}
