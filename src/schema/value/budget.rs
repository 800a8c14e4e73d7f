//! Memory budgets, charged before memory is allocated.

/// A budget of memory.
pub trait Budget {
    /// Charges `bytes`.
    ///
    /// # Errors
    ///
    /// [`Spent`] if fewer bytes are left. The owner of the budget knows the
    /// reason.
    fn take(&mut self, bytes: usize) -> Result<(), Spent>;
}

/// The budget has fewer bytes left than requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent;

/// A budget of a fixed number of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Allowance(pub usize);

impl Budget for Allowance {
    fn take(&mut self, bytes: usize) -> Result<(), Spent> {
        self.0 = self.0.checked_sub(bytes).ok_or(Spent)?;
        Ok(())
    }
}

/// Estimates the memory of an allocation, including the allocator's rounding
/// and bookkeeping.
pub const fn heap(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let rounded = bytes.saturating_add(bytes / 8).saturating_add(16);
    if rounded < 32 { 32 } else { rounded }
}
