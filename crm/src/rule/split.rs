//! Shares and parts of amounts, without a hundredth lost.

use super::WHOLE;

/// The sum of parts, which always fits.
pub(super) fn sum(parts: &[i64]) -> i128 {
    parts.iter().map(|part| i128::from(*part)).sum()
}

/// A share of an amount, rounded down.
pub(super) fn share_of(amount: i64, share: i64) -> i64 {
    // Division of 64 bits is several times as fast.
    amount.checked_mul(share).map_or_else(
        || part_of(amount.into(), share.into(), WHOLE.into()),
        |product| product / WHOLE,
    )
}

/// `part` of `whole` of a number, rounded down.
pub(super) fn part_of(number: i128, part: i128, whole: i128) -> i64 {
    let product = number.saturating_mul(part);
    i64::try_from(product / whole.max(1)).unwrap_or(i64::MAX)
}

/// Splits a total in proportion to `parts`, which become its parts: rounded down, and what is missing then goes, one
/// each, to those that were rounded the most, the first of equals. Their sum is the total, or nothing where all parts
/// are nothing.
pub(super) fn split(parts: &mut [i64], total: i64, spare: &mut Vec<(i128, u32)>) {
    let whole = sum(parts);
    if whole <= 0 || total <= 0 {
        parts.fill(0);
        return;
    }
    let mut left = total;
    spare.clear();
    let short = i64::try_from(whole).ok();
    for (part, place) in parts.iter_mut().zip(0_u32..) {
        let (quotient, remainder) = match (short, total.checked_mul(*part)) {
            (Some(whole), Some(product)) => (product / whole, (product % whole).into()),
            _ => {
                let product = i128::from(total) * i128::from(*part);
                (i64::try_from(product / whole).unwrap_or(total), product % whole)
            }
        };
        *part = quotient;
        left -= quotient;
        spare.push((remainder, place));
    }
    // Each remainder is less than a whole, so fewer are missing than were rounded.
    let missing = usize::try_from(left).unwrap_or(0);
    if missing > 0 {
        spare.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, place) in spare.iter().take(missing) {
            parts[*place as usize] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_the_whole_and_none_is_off_by_one(
            weights in prop::collection::vec(prop_oneof![0_i64..1_000, 0..=i64::MAX], 0..40), total in 0..=i64::MAX,
        ) {
            let mut parts = weights.clone();
            split(&mut parts, total, &mut Vec::new());
            let whole = sum(&weights);
            prop_assert_eq!(sum(&parts), if whole > 0 { total.into() } else { 0 });
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = i128::from(total) * i128::from(*weight);
                let off = i128::from(*part) * whole - exact;
                prop_assert!(-whole < off && off < whole || whole == 0);
            }
        }
    }

    #[test]
    fn the_first_of_equals_gets_what_is_missing() {
        let mut parts = [1, 1, 1, 0];
        split(&mut parts, 5, &mut Vec::new());
        assert_eq!(parts, [2, 2, 1, 0]);
    }
}
