//! What the shop allows with points, beside the terms of its programs. It is configuration and not a part of a program's
//! version: it protects the shop at the moment something happens, whatever terms the points were earned under, and has to
//! be changed at once when it is abused.

use crate::staff::Role;
use chrono::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The rules, as the shop sets them. Points are whole points here, as people say them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Down to which balance of a program a return may take; zero or below.
    pub floor: i64,
    /// For how many days from the return on points last at least that had paid for what came back.
    pub refund_days: i64,
    /// For how many minutes a till may hold points.
    pub reserve_minutes: i64,
    /// How many points a customer may give away within a day of the shop; 0 allows no transfers at all.
    pub transfers_per_day: i64,
    /// The same within a month.
    pub transfers_per_month: i64,
    /// From how many days after registration on one may give and be given points.
    pub transfer_after_days: i64,
    /// For how many minutes the sender may call points back before they arrive.
    pub transfer_wait_minutes: i64,
    /// Of what a receipt costs, how much points may pay, in percent.
    pub pay_share: i64,
    /// The least that points may pay, in whole points.
    pub pay_least: i64,
    /// Points pay in steps of this many whole points.
    pub pay_step: i64,
    /// Whether tills may find customers by their phone; else they need the card.
    pub identify_by_phone: ByPhone,
    /// Within how many days from the purchase on a receipt may be claimed that was given without a card.
    pub claim_days: i64,
    /// For how many friends' first purchases within a month of the shop a customer is rewarded at most.
    pub invitations_per_month: i64,
    /// For how many days after the registration the code of an invitation may still be entered, as long as nothing was bought.
    pub invitation_days: i64,
    /// How many who register by an invitation from one network count within a day of the shop.
    pub invited_per_network: u32,
    /// Up to how many points one member of staff may give and take together within a day of the shop without somebody else's
    /// consent.
    pub adjustments_per_day: i64,
    /// The same within a month.
    pub adjustments_per_month: i64,
    /// Up to how many points a role may give or take at once without somebody else's consent; a role that is not named
    /// always needs it.
    pub adjustment_caps: BTreeMap<String, i64>,
}

/// Whether tills may find customers by their phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByPhone {
    /// They may not.
    #[default]
    Never,
    /// They may, where the customer tells the code that is sent to the phone.
    Confirmed,
    /// They may, by the phone alone: whoever knows it could spend its points.
    Told,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            floor: -10_000,
            refund_days: 14,
            reserve_minutes: 30,
            transfers_per_day: 5_000,
            transfers_per_month: 20_000,
            transfer_after_days: 30,
            transfer_wait_minutes: 60,
            pay_share: 50,
            pay_least: 1,
            pay_step: 1,
            identify_by_phone: ByPhone::Never,
            claim_days: 30,
            invitations_per_month: 10,
            invitation_days: 14,
            invited_per_network: 10,
            adjustments_per_day: 5_000,
            adjustments_per_month: 20_000,
            adjustment_caps: BTreeMap::from([
                (Role::AGENT.into(), 100),
                ("lead".into(), 500),
                (Role::ADMINISTRATOR.into(), 5_000),
            ]),
        }
    }
}

/// The most that a number of whole points or of days may be here: in hundredths it still fits, many times.
const MOST: i64 = 1_000_000_000;
/// The most days, a century.
const MOST_DAYS: i64 = 36_500;

impl Policy {
    /// What is wrong with values that cannot work, each with its key and what to do.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !(-MOST..=0).contains(&self.floor) {
            found.push(format!(
                "points.floor: {} is not a number of points from -{MOST} to 0",
                self.floor
            ));
        }
        for (key, value, least, most) in [
            ("refund_days", self.refund_days, 0, MOST_DAYS),
            ("reserve_minutes", self.reserve_minutes, 1, 24 * 60),
            ("transfers_per_day", self.transfers_per_day, 0, MOST),
            ("transfers_per_month", self.transfers_per_month, 0, MOST),
            ("transfer_after_days", self.transfer_after_days, 0, MOST_DAYS),
            ("transfer_wait_minutes", self.transfer_wait_minutes, 0, MOST_DAYS),
            ("pay_share", self.pay_share, 0, 100),
            ("pay_least", self.pay_least, 0, MOST),
            ("pay_step", self.pay_step, 1, MOST),
            ("claim_days", self.claim_days, 0, MOST_DAYS),
            ("invitations_per_month", self.invitations_per_month, 0, MOST),
            ("invitation_days", self.invitation_days, 0, MOST_DAYS),
            ("adjustments_per_day", self.adjustments_per_day, 0, MOST),
            ("adjustments_per_month", self.adjustments_per_month, 0, MOST),
        ] {
            if !(least..=most).contains(&value) {
                found.push(format!("points.{key}: {value} is not a number from {least} to {most}"));
            }
        }
        for (role, cap) in &self.adjustment_caps {
            if !(0..=MOST).contains(cap) {
                found.push(format!(
                    "points.adjustment_caps.{role}: {cap} is not a number of points from 0 to {MOST}"
                ));
            }
        }
        found
    }

    /// The lowest balance that a return may leave, in hundredths.
    pub fn floor(&self) -> i64 {
        self.floor * 100
    }

    /// How long refunded points last at least.
    pub fn refund_term(&self) -> Duration {
        Duration::days(self.refund_days)
    }

    /// How long a till may hold points.
    pub fn reserve_term(&self) -> Duration {
        Duration::minutes(self.reserve_minutes)
    }

    /// How long a transfer may be called back.
    pub fn transfer_wait(&self) -> Duration {
        Duration::minutes(self.transfer_wait_minutes)
    }

    /// How old an account has to be for transfers.
    pub fn transfer_after(&self) -> Duration {
        Duration::days(self.transfer_after_days)
    }

    /// How many points may pay of what costs `payable`, for somebody who can spend `spendable`; both in hundredths. Nothing
    /// where that is less than the shop's least.
    pub fn most_payable(&self, payable: i64, spendable: i64) -> i64 {
        let share = i128::from(payable.max(0)) * i128::from(self.pay_share) / 100;
        let most = spendable.max(0).min(i64::try_from(share).unwrap_or(i64::MAX));
        let step = self.pay_step * 100;
        let stepped = most - most % step;
        if stepped < self.pay_least * 100 { 0 } else { stepped }
    }

    /// What a role may give or take alone, in hundredths.
    pub fn adjustment_cap(&self, role: &Role) -> i64 {
        self.adjustment_caps.get(role.code()).copied().unwrap_or_default() * 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_pay_a_share_of_the_receipt_in_steps_and_not_too_little() {
        let policy = Policy {
            pay_share: 30,
            pay_step: 10,
            pay_least: 20,
            ..Policy::default()
        };
        assert_eq!(policy.most_payable(100_000, 1_000_000), 30_000);
        assert_eq!(policy.most_payable(100_000, 25_999), 25_000, "full steps of ten points");
        assert_eq!(policy.most_payable(10_000, 2_999), 2_000);
        assert_eq!(
            policy.most_payable(6_000, 1_000_000),
            0,
            "18 points are less than the least"
        );
        assert_eq!(policy.most_payable(-5, 10_000), 0);
        assert_eq!(policy.most_payable(i64::MAX, -1), 0);
    }

    #[test]
    fn the_default_works_and_nonsense_is_named_by_its_key() {
        assert_eq!(Policy::default().problems(), [""; 0]);
        let nonsense = Policy {
            floor: 1,
            reserve_minutes: 0,
            refund_days: -1,
            adjustment_caps: BTreeMap::from([("lead".into(), -5)]),
            ..Policy::default()
        };
        let problems = nonsense.problems();
        for key in [
            "points.floor: 1 ",
            "points.reserve_minutes: 0 ",
            "points.refund_days: -1 ",
            "points.adjustment_caps.lead: -5 ",
        ] {
            assert!(problems.iter().any(|problem| problem.starts_with(key)), "{problems:?}");
        }
        assert_eq!(problems.len(), 4);
    }
}
