//! What a ring may not depend on.

use super::*;

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn the_order_of_the_members_does_not_matter(
        members in members(20),
        order in any::<prop::sample::Index>(),
        reverse in any::<bool>(),
        algorithm in algorithm(),
        seed in any::<u64>(),
    ) {
        let settings = settings(10, algorithm, 20);
        let mut shuffled = members.clone();
        shuffled.rotate_left(order.index(members.len()));
        if reverse {
            shuffled.reverse();
        }
        prop_assert_eq!(owners(&settings, seed, &members), owners(&settings, seed, &shuffled));
    }

    #[test]
    fn no_weight_is_as_good_as_absence(members in members(20), algorithm in algorithm(), seed in any::<u64>()) {
        let settings = settings(10, algorithm, 20);
        let present: Vec<Member> = members.iter().copied().filter(|member| member.weight > 0).collect();
        prop_assert_eq!(owners(&settings, seed, &members), owners(&settings, seed, &present));
    }

    #[test]
    fn weights_count_only_in_proportion(
        members in members(10),
        factor in 2u32..=10,
        algorithm in algorithm(),
        seed in any::<u64>(),
    ) {
        let settings = settings(10, algorithm, 20);
        let light: Vec<Member> = members.iter().map(|m| Member { weight: m.weight / 10, ..*m }).collect();
        let heavy: Vec<Member> = light.iter().map(|m| Member { weight: m.weight * factor, ..*m }).collect();
        prop_assert_eq!(owners(&settings, seed, &light), owners(&settings, seed, &heavy));
    }
}

#[test]
fn without_eligible_members_no_row_has_an_owner() {
    for algorithm in BOTH {
        let settings = settings(10, algorithm, 20);
        assert_eq!(build(&settings, 1, &[]), vec![None; 1024]);
        assert_eq!(build(&settings, 1, &[member(0, 0), member(1, 0)]), vec![None; 1024]);
    }
}

#[test]
fn a_single_member_owns_every_row() {
    for algorithm in BOTH {
        for weight in [1, Backend::MAX_WEIGHT] {
            let ring = build(&settings(10, algorithm, 0), 1, &[member(0, 0), member(1, weight)]);
            assert_eq!(ring, vec![Some(1); 1024]);
        }
    }
}

#[test]
fn another_seed_is_another_ring() {
    for algorithm in BOTH {
        let settings = settings(12, algorithm, 20);
        let (one, other) = (owners(&settings, 1, &equals(10)), owners(&settings, 2, &equals(10)));
        let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        // A tenth by chance: 410, standard deviation 19.
        assert!((300..520).contains(&same), "{algorithm:?}: {same} of 4096 rows are the same");
    }
}

#[test]
fn the_first_half_of_a_split_row_mostly_keeps_its_owner() {
    let members = equals(10);
    let parent = owners(&settings(12, RingAlgorithm::Quota, 20), 1, &members);
    let grown = owners(&settings(13, RingAlgorithm::Quota, 20), 1, &members);
    let kept = parent.iter().zip(grown.iter().step_by(2)).filter(|(a, b)| a == b).count();
    assert!(kept > 4096 * 95 / 100, "{kept} of 4096 first halves kept their owner");
}
