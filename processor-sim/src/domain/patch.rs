//! What a change says about a setting that may be absent.

/// Keep it, clear it, or set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Nothing was said.
    #[default]
    Keep,
    /// From now on there is none.
    Clear,
    /// From now on this.
    Set(T),
}

impl<T> Patch<T> {
    /// The setting after the change.
    pub fn over(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}
