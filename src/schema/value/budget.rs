//! Memory that values may take, paid for before it is allocated.

/// Something that memory is charged to.
pub trait Budget {
    /// Charges so many bytes.
    ///
    /// # Errors
    ///
    /// When there are not as many left. Whoever made the budget knows why.
    fn take(&mut self, bytes: usize) -> Result<(), Spent>;
}

/// A budget has fewer bytes left than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent;

/// A fixed number of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Allowance(pub usize);

impl Budget for Allowance {
    fn take(&mut self, bytes: usize) -> Result<(), Spent> {
        self.0 = self.0.checked_sub(bytes).ok_or(Spent)?;
        Ok(())
    }
}

/// Bytes that an allocation of this size takes from the system: allocators round
/// up, and keep some bytes for themselves.
pub const fn heap(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let rounded = bytes.saturating_add(bytes / 8).saturating_add(16);
    if rounded < 32 { 32 } else { rounded }
}
