//! The binary logarithm in integers.
//!
//! Problem: weighted rendezvous hashing needs −log₂ of a uniform number, and nodes with different processors and
//! mathematics libraries must agree on its last bit. Mechanism: the leading zeros are the whole part; 257 exact values,
//! computed by the compiler, and straight lines between them are the fraction. Trade-off: a straight line lies above
//! the curve by at most 0.000003 or 0.1 % of the value, whichever is less, so weights are honoured to about one part
//! in a thousand before the quotas see to the rest. More entries would leave the first-level cache.

/// The result of [`neg_log2`] counts units of 2⁻⁵⁷, so that its largest value, 64, is 2⁶³.
pub(super) const FRACTION_BITS: u32 = 57;

/// The table has a segment for each value of this many bits after the leading one.
const SEGMENT_BITS: u32 = 8;
const SEGMENTS: usize = 1 << SEGMENT_BITS;

/// −log₂ of ½ + i/512, from 1 down to 0.
const TABLE: [u64; SEGMENTS + 1] = table();

/// −log₂(`u` / 2⁶⁴) in units of 2⁻⁵⁷, with 1 taken for 0. Never rises with `u`.
#[inline(always)]
pub(super) const fn neg_log2(u: u64) -> u64 {
    // The last bit is beyond the precision anyway; setting it spares the test for 0.
    let u = u | 1;
    let zeros = u.leading_zeros();
    let mantissa = u << zeros;
    let segment = ((mantissa << 1) >> (64 - SEGMENT_BITS)) as usize;
    let place = mantissa << (1 + SEGMENT_BITS);
    let fall = TABLE[segment] - TABLE[segment + 1];
    ((zeros as u64) << FRACTION_BITS) + TABLE[segment] - multiply_high(fall, place)
}

/// The upper half of the product: `a` times the fraction `b` / 2⁶⁴, rounded down.
#[inline(always)]
pub(super) const fn multiply_high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

const fn table() -> [u64; SEGMENTS + 1] {
    let mut table = [0; SEGMENTS + 1];
    let mut segment = 0;
    // The last entry stays 0, the logarithm of 1.
    while segment < SEGMENTS {
        table[segment] = (1 << FRACTION_BITS) - log2(((SEGMENTS + segment) as u64) << (63 - SEGMENT_BITS));
        segment += 1;
    }
    table
}

/// log₂ of `x` / 2⁶³ for 1 ≤ `x` / 2⁶³ < 2, in units of 2⁻⁵⁷, a binary digit at a time: squaring a number doubles its
/// logarithm, so a square of 2 or more shows the next digit to be 1.
const fn log2(mut x: u64) -> u64 {
    let mut log = 0;
    let mut digit = 0;
    while digit < FRACTION_BITS {
        let square = multiply_high(x, x);
        let carry = square >> 63;
        x = square << (1 - carry);
        log = log << 1 | carry;
        digit += 1;
    }
    log
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ring::tests::cases;

    const UNIT: f64 = (1u64 << FRACTION_BITS) as f64;

    fn exact(u: u64) -> f64 {
        64.0 - (u as f64).log2()
    }

    #[test]
    fn the_table_is_within_a_unit_in_the_last_place_of_a_double() {
        for (segment, &entry) in TABLE.iter().enumerate() {
            let exact = -(0.5 + segment as f64 / 512.0).log2();
            assert!((entry as f64 / UNIT - exact).abs() < 1e-15, "segment {segment}");
        }
    }

    #[test]
    fn the_ends_of_the_range_neither_overflow_nor_vanish() {
        assert_eq!(neg_log2(0), 64 << FRACTION_BITS);
        assert_eq!(neg_log2(1), 64 << FRACTION_BITS);
        assert!(neg_log2(u64::MAX) > 0);
    }

    proptest! {
        #![proptest_config(cases(512))]

        #[test]
        fn it_is_as_close_to_the_curve_as_promised(u in any::<u64>(), zeros in 0u32..40) {
            let u = u >> zeros | 1 << 20;
            let error = neg_log2(u) as f64 / UNIT - exact(u);
            // The bit that spares the test for 0 makes u larger by up to one.
            prop_assert!(error > -1e-13 - 2.0 / u as f64 && error < 3e-6, "{error}");
        }

        #[test]
        fn it_is_never_below_one_minus_its_argument(u in any::<u64>(), zeros in 0u32..64) {
            for u in [u, u >> zeros, !(u >> zeros)] {
                prop_assert!(!u >> (64 - FRACTION_BITS) <= neg_log2(u));
            }
        }

        #[test]
        fn near_one_the_error_is_relative(below in 1u64 << 30..1 << 60) {
            let x = below as f64 / 2f64.powi(64);
            let exact = -(-x).ln_1p() / std::f64::consts::LN_2;
            let ratio = neg_log2(below.wrapping_neg()) as f64 / UNIT / exact;
            prop_assert!((0.999_999..1.001).contains(&ratio), "{ratio}");
        }

        #[test]
        fn it_never_rises(u in any::<u64>(), zeros in 0u32..64, step in 1u64..1 << 20) {
            let u = u >> zeros;
            prop_assert!(neg_log2(u.saturating_add(step)) <= neg_log2(u));
        }
    }
}
