//! Random damage.

use proptest::prelude::*;
use tests::packet::Damage;

use super::Shape;

/// Ways to break a frame that was well-formed.
#[derive(Clone, Debug)]
pub(crate) enum Breakage {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Append(Vec<u8>),
}

impl Breakage {
    fn apply(&self, frame: Vec<u8>) -> Vec<u8> {
        if frame.is_empty() {
            return frame;
        }
        match self {
            Self::Set(at, byte) => {
                let at = at % frame.len();
                frame.set(at, &[*byte])
            }
            Self::Flip(at, bit) => {
                let at = at % frame.len();
                let byte = frame[at] ^ (1 << bit);
                frame.set(at, &[byte])
            }
            Self::Cut(bytes) => {
                let bytes = bytes % frame.len();
                frame.cut(bytes)
            }
            Self::Append(bytes) => [frame, bytes.clone()].concat(),
        }
    }
}

/// A few breakages.
pub(crate) fn breakages() -> impl Strategy<Value = Vec<Breakage>> {
    // Headers are where it matters.
    let place = || prop_oneof![3 => 12usize..80, 1 => 0usize..1000];
    let breakage = prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Breakage::Set(at, byte)),
        4 => (place(), 0u8..8).prop_map(|(at, bit)| Breakage::Flip(at, bit)),
        1 => place().prop_map(Breakage::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Breakage::Append),
    ];
    prop::collection::vec(breakage, 0..4)
}

/// A packet with these breakages.
pub(crate) fn broken(shape: &Shape, breakages: &[Breakage]) -> Vec<u8> {
    damaged(shape.packet().bytes(), breakages)
}

/// A frame with these breakages.
pub(crate) fn damaged(frame: Vec<u8>, breakages: &[Breakage]) -> Vec<u8> {
    breakages.iter().fold(frame, |frame, breakage| breakage.apply(frame))
}
