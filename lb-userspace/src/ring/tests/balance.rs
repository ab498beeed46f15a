//! Every row has an owner and no member has more than it may.

use super::*;
use crate::ring::quota::quotas;

fn total_weight(members: &[Member]) -> usize {
    members.iter().map(|member| member.weight as usize).sum()
}

proptest! {
    #![proptest_config(cases(64))]

    /// A member cannot have fewer rows than the others' quotas leave over: that is all that the tolerance allows.
    #[test]
    fn quotas_bound_every_member_from_above_and_below(
        members in members(20),
        tolerance_permille in prop_oneof![Just(0), Just(20), 1u32..5000],
        seed in any::<u64>(),
    ) {
        prop_assume!(total_weight(&members) > 0);
        let ring = owners(&settings(10, RingAlgorithm::Quota, tolerance_permille), seed, &members);
        prop_assert!(ring.iter().all(Option::is_some));
        let quotas: Vec<usize> = quotas(1024, tolerance_permille, &members).collect();
        let all: usize = quotas.iter().sum();
        for (rows, quota) in rows_of(&ring, &members).into_iter().zip(quotas) {
            prop_assert!(rows <= quota, "{rows} rows, quota {quota}");
            prop_assert!(rows + (all - quota) >= 1024, "{rows} rows, quota {quota} of {all}");
        }
    }

    #[test]
    fn quotas_are_the_share_and_the_tolerance_rounded_up(
        members in members(20),
        tolerance_permille in prop_oneof![Just(0), 1u32..5000, Just(u32::MAX)],
    ) {
        let total = total_weight(&members) as u128;
        prop_assume!(total > 0);
        for (member, quota) in members.iter().zip(quotas(1 << 16, tolerance_permille, &members)) {
            // quota − 1 < (1 + ε) · weight / total · rows ≤ quota, without the fractions.
            let wanted = (1000 + u128::from(tolerance_permille)) * u128::from(member.weight) * 65_536;
            prop_assert!(quota as u128 * 1000 * total >= wanted);
            prop_assert!(quota == 0 || (quota as u128 - 1) * 1000 * total < wanted);
        }
    }

    /// After r rounds a member has had ⌊r · weight / heaviest⌋ turns. Rounding down costs each member less than a turn,
    /// and the further rounds that make up for it go to all in proportion; the last round ends before its end.
    #[test]
    fn maglev_gives_every_member_its_share(members in members(20), seed in any::<u64>()) {
        let total = total_weight(&members);
        prop_assume!(total > 0);
        let ring = owners(&settings(10, RingAlgorithm::Maglev, 0), seed, &members);
        prop_assert!(ring.iter().all(Option::is_some));
        let made_up = 1.0 + members.len() as f64 / 1024.0;
        for (member, rows) in members.iter().zip(rows_of(&ring, &members)) {
            let share = f64::from(member.weight) * 1024.0 / total as f64;
            prop_assert!(rows as f64 >= share - 2.0 && rows as f64 <= share * made_up + 1.0, "{rows} rows, share {share}");
        }
    }
}

/// Far below its quota a member is not held back by anybody: the distances alone must give it its share.
#[test]
fn without_effective_quotas_the_shares_follow_the_weights() {
    let members: Vec<Member> = [1000, 500, 300, 100, 70, 30].into_iter().zip(0..).map(|(w, n)| member(n, w)).collect();
    let ring = owners(&settings(16, RingAlgorithm::Quota, 100_000), 7, &members);
    for (member, rows) in members.iter().zip(rows_of(&ring, &members)) {
        let share = f64::from(member.weight) * 65_536.0 / 2000.0;
        // Four standard deviations of the binomial distribution.
        let chance = 4.0 * (share * (1.0 - share / 65_536.0)).sqrt();
        assert!((rows as f64 - share).abs() < chance, "{rows} rows, share {share} ± {chance}");
    }
}

#[test]
fn without_tolerance_equal_members_differ_by_a_row() {
    let members = equals(100);
    let ring = owners(&settings(12, RingAlgorithm::Quota, 0), 3, &members);
    // 4096 rows of 100: the quota is 41, and 4 rows are missing.
    let rows = rows_of(&ring, &members);
    assert_eq!(rows.iter().max(), Some(&41));
    assert_eq!(rows.iter().map(|rows| 41 - rows).sum::<usize>(), 4);
}
