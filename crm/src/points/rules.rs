//! What is decided about points, without a database. Points are hundredths, like money.

use chrono::{DateTime, Duration, Utc};

/// What a program pays, by one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Share of the paid price, in hundredths of a percent.
    pub share: i64,
    /// Days of 24 hours from the purchase until points can be spent.
    pub delay_days: i64,
    /// Days of 24 hours from then on until they expire.
    pub term_days: i64,
}

impl Terms {
    /// What a line earns: the share of what was paid for it, rounded down to a hundredth. Nothing for what was not paid.
    pub fn earned(&self, amount: i64) -> i64 {
        if amount <= 0 {
            0
        } else {
            floor_share(amount, self.share, 10_000)
        }
    }

    /// When points of a purchase can be spent.
    pub fn activates_at(&self, purchase: DateTime<Utc>) -> DateTime<Utc> {
        purchase + Duration::days(self.delay_days)
    }

    /// When they expire.
    pub fn expires_at(&self, purchase: DateTime<Utc>) -> DateTime<Utc> {
        self.activates_at(purchase) + Duration::days(self.term_days)
    }
}

/// What `part` of `whole` is of a number, rounded down.
fn floor_share(number: i64, part: i64, whole: i64) -> i64 {
    let share = i128::from(number) * i128::from(part.max(0)) / i128::from(whole.max(1));
    i64::try_from(share).unwrap_or(i64::MAX)
}

/// What a line owes back once `returned` of its `quantity` came back, if it earned `points`: in proportion, rounded
/// down, and all of it when everything is back.
pub fn owed(points: i64, quantity: i64, returned: i64) -> i64 {
    if returned >= quantity {
        points
    } else {
        floor_share(points, returned, quantity)
    }
}

/// How many points have gone back to each of the partners who pay for a part of `points`, once `taken` of these were taken
/// back; what that leaves went back to the shop. Each has its share of what those before it left, rounded down: so no part ever
/// shrinks while more is taken back, and each is whole when all is.
pub fn back_to_partners(mut points: i64, mut taken: i64, parts: &[i64]) -> Vec<i64> {
    let mut back = Vec::with_capacity(parts.len());
    for part in parts {
        let own = floor_share(taken, *part, points);
        points -= part;
        taken -= own;
        back.push(own);
    }
    back
}

/// What a lot holds and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// What it began with.
    pub points: i64,
    /// What is left.
    pub remaining: i64,
    /// What expired of it.
    pub expired: i64,
    /// What returns took back so far, from it or, because it was spent, from others.
    pub taken_back: i64,
}

/// How a return is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakeBack {
    /// From the lot itself.
    pub own: i64,
    /// From others, because this much of the lot was spent.
    pub others: i64,
}

impl Lot {
    /// How `owed` points are taken back. What expired is not taken: the customer never had the use of it.
    pub fn take_back(&self, owed: i64) -> TakeBack {
        let taken = owed.min(self.points - self.expired - self.taken_back).max(0);
        let own = taken.min(self.remaining);
        TakeBack {
            own,
            others: taken - own,
        }
    }
}

/// Spreads points over shares by the method of the largest remainder: in proportion, rounded down, and what is left over
/// by one to those that were rounded down most, the earlier of equals first. `None` where the shares together are less.
pub fn spread(points: i64, shares: &[i64]) -> Option<Vec<i64>> {
    let whole: i64 = shares.iter().sum();
    if points > whole || points < 0 {
        return None;
    }
    if points == 0 {
        return Some(vec![0; shares.len()]);
    }
    let mut parts: Vec<i64> = shares.iter().map(|share| floor_share(points, *share, whole)).collect();
    let remainder = |place: usize| i128::from(points) * i128::from(shares[place]) % i128::from(whole);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(remainder(*place)));
    let mut left = points - parts.iter().sum::<i64>();
    for place in order {
        if left == 0 {
            break;
        }
        parts[place] += 1;
        left -= 1;
    }
    Some(parts)
}

/// How far apart the clocks of a till and of ours may be. A clock that is set by the net is wrong by seconds, one that was not
/// set for months by minutes; and who joins and buys at once may have paid before the record was there.
pub const CLOCKS: Duration = Duration::minutes(10);

/// True when a receipt of a moment comes too late for anybody to choose otherwise, whatever the clocks: the goods are gone, so what
/// paid for them is written down and no more decided.
pub fn is_late(sold_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    sold_at + CLOCKS <= now
}

/// True when a membership holds at a moment by a till's clock: from joining on, and no longer at the moment of leaving.
pub fn is_member(joined_at: DateTime<Utc>, left_at: Option<DateTime<Utc>>, at: DateTime<Utc>) -> bool {
    joined_at - CLOCKS <= at && left_at.is_none_or(|left| at < left)
}

/// Which of the moments of publication, in their order, counts at a moment: the last before it; the first for what
/// happened before any (a history that was imported).
pub fn version_at(published: &[DateTime<Utc>], at: DateTime<Utc>) -> Option<usize> {
    let later = published.partition_point(|p| *p <= at);
    (!published.is_empty()).then(|| later.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLUB: Terms = Terms {
        share: 300,
        delay_days: 14,
        term_days: 365,
    };

    #[test]
    fn a_line_earns_its_share_rounded_down() {
        assert_eq!(CLUB.earned(10_000), 300);
        assert_eq!(CLUB.earned(33), 0);
        assert_eq!(CLUB.earned(34), 1);
        assert_eq!(CLUB.earned(0), 0);
        assert_eq!(CLUB.earned(-10_000), 0);
        assert_eq!(Terms { share: 10_000, ..CLUB }.earned(i64::MAX), i64::MAX);
    }

    #[test]
    fn days_are_of_24_hours() {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
        assert_eq!(CLUB.activates_at(at), at + Duration::hours(14 * 24));
        assert_eq!(CLUB.expires_at(at), at + Duration::hours(379 * 24));
    }

    #[test]
    fn what_expired_is_not_taken_and_what_was_spent_is() {
        let fresh = Lot {
            points: 100,
            remaining: 100,
            expired: 0,
            taken_back: 0,
        };
        assert_eq!(fresh.take_back(30), TakeBack { own: 30, others: 0 });
        let spent = Lot { remaining: 10, ..fresh };
        assert_eq!(spent.take_back(30), TakeBack { own: 10, others: 20 });
        let expired = Lot {
            remaining: 0,
            expired: 100,
            ..fresh
        };
        assert_eq!(expired.take_back(100), TakeBack::default());
        let half = Lot {
            remaining: 0,
            expired: 40,
            taken_back: 50,
            ..fresh
        };
        assert_eq!(half.take_back(50), TakeBack { own: 0, others: 10 });
    }

    #[test]
    fn points_are_spread_by_the_largest_remainder() {
        assert_eq!(spread(100, &[1, 1, 1]), None);
        assert_eq!(spread(100, &[100, 100, 100]), Some(vec![34, 33, 33]));
        // 33.3…, 16.7, 50.0: the one left over goes to the second.
        assert_eq!(spread(100, &[200, 100, 300]), Some(vec![33, 17, 50]));
        assert_eq!(spread(600, &[200, 100, 300]), Some(vec![200, 100, 300]));
        assert_eq!(spread(0, &[200]), Some(vec![0]));
        assert_eq!(spread(0, &[]), Some(vec![]));
        assert_eq!(spread(1, &[]), None);
        assert_eq!(spread(-1, &[5]), None);
    }

    #[test]
    fn what_is_taken_back_goes_to_whoever_paid() {
        // Of ten points two partners pay three and five, and the shop two.
        assert_eq!(back_to_partners(10, 0, &[3, 5]), [0, 0]);
        assert_eq!(back_to_partners(10, 1, &[3, 5]), [0, 0]);
        assert_eq!(back_to_partners(10, 4, &[3, 5]), [1, 2]);
        assert_eq!(back_to_partners(10, 9, &[3, 5]), [2, 5]);
        assert_eq!(back_to_partners(10, 10, &[3, 5]), [3, 5]);
        assert_eq!(back_to_partners(7, 7, &[7]), [7]);
        assert_eq!(back_to_partners(7, 3, &[]), [0_i64; 0]);
    }

    #[test]
    fn a_membership_ends_at_the_moment_of_leaving() {
        let at = |s| DateTime::from_timestamp(s, 0).unwrap_or_default();
        assert!(is_member(at(10), None, at(10)));
        assert!(is_member(at(10), None, at(10) - CLOCKS));
        assert!(!is_member(at(10), None, at(9) - CLOCKS));
        assert!(is_member(at(10), Some(at(20)), at(19)));
        assert!(!is_member(at(10), Some(at(20)), at(20)));
    }

    #[test]
    fn a_receipt_is_late_when_no_clock_explains_it() {
        let at = |s| DateTime::from_timestamp(s, 0).unwrap_or_default();
        assert!(!is_late(at(10), at(10)));
        assert!(!is_late(at(11), at(10) + CLOCKS));
        assert!(is_late(at(10), at(10) + CLOCKS));
        assert!(!is_late(at(86_400), at(10)), "a till's clock may be ahead");
    }

    #[test]
    fn the_version_published_last_counts_and_the_first_for_history() {
        let at = |s| DateTime::from_timestamp(s, 0).unwrap_or_default();
        let published = [at(10), at(20)];
        assert_eq!(version_at(&published, at(5)), Some(0));
        assert_eq!(version_at(&published, at(19)), Some(0));
        assert_eq!(version_at(&published, at(20)), Some(1));
        assert_eq!(version_at(&[], at(20)), None);
    }

    proptest! {
        #[test]
        fn earning_never_exceeds_the_share(amount in 0..i64::MAX / 2, share in 0_i64..10_000) {
            let terms = Terms { share, ..CLUB };
            let exact = i128::from(amount) * i128::from(share);
            let earned = i128::from(terms.earned(amount)) * 10_000;
            prop_assert!(earned <= exact && exact - earned < 10_000);
        }

        #[test]
        fn what_is_spread_adds_up_and_no_share_gets_more_than_it_is(
            shares in prop::collection::vec(0_i64..1_000_000_000, 1..20), part in 0_i64..=1000
        ) {
            let whole: i64 = shares.iter().sum();
            let points = whole / 1000 * part;
            let parts = spread(points, &shares).expect("no more than there is");
            prop_assert_eq!(parts.iter().sum::<i64>(), points);
            for (part, share) in parts.iter().zip(&shares) {
                let exact = i128::from(points) * i128::from(*share);
                let gets = i128::from(*part) * i128::from(whole.max(1));
                prop_assert!(*part <= *share && (gets - exact).abs() < i128::from(whole.max(1)));
            }
        }

        #[test]
        fn the_more_is_taken_back_the_more_each_partner_has_got(
            shop in 0_i64..1_000, parts in prop::collection::vec(1_i64..1_000, 1..5)
        ) {
            let points = shop + parts.iter().sum::<i64>();
            let mut before = vec![0; parts.len()];
            for taken in 1..=points {
                let back = back_to_partners(points, taken, &parts);
                let left = taken - back.iter().sum::<i64>();
                let before_of_shop = taken - 1 - before.iter().sum::<i64>();
                prop_assert!(left >= before_of_shop && left <= shop);
                prop_assert!(back.iter().zip(&before).all(|(now, before)| now >= before));
                prop_assert!(back.iter().zip(&parts).all(|(back, part)| back <= part));
                before = back;
            }
            prop_assert_eq!(before, parts);
        }

        #[test]
        fn returning_in_any_steps_takes_back_all_and_never_more(
            points in 1_i64..1_000_000, steps in prop::collection::vec(1_i64..50, 1..10)
        ) {
            let quantity: i64 = steps.iter().sum();
            let mut lot = Lot { points, remaining: points, expired: 0, taken_back: 0 };
            let mut returned = 0;
            for step in steps {
                returned += step;
                let back = lot.take_back(owed(points, quantity, returned) - lot.taken_back);
                prop_assert!(back.own >= 0 && back.others == 0);
                lot.remaining -= back.own;
                lot.taken_back += back.own;
            }
            prop_assert_eq!(lot.remaining, 0);
        }
    }
}
