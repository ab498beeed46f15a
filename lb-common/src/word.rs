//! Types that are one word, so that they are read, written and exchanged whole.

/// Gives a type the way from its word and back.
macro_rules! one_word {
    ($type:ident, $word:ty) => {
        impl $type {
            /// From the word that [`Self::word`] returned.
            #[inline(always)]
            pub const fn from_word(word: $word) -> Self {
                Self(word)
            }

            /// The word.
            #[inline(always)]
            pub const fn word(self) -> $word {
                self.0
            }
        }
    };
}
