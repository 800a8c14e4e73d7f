//! What a reader allocates, charged before it is made.

use wasmtime::component::Val;

use super::budget::{Budget, heap};
use super::error::ValueError;
use super::path::Path;
use super::spelled::Respelled;

/// Reads values and charges each before it is made.
pub(super) struct Reader<'b> {
    budget: &'b mut dyn Budget,
    /// Names that were accepted in another spelling.
    pub respelled: Vec<Respelled>,
}

impl<'b> Reader<'b> {
    pub fn new(budget: &'b mut dyn Budget) -> Self {
        let respelled = Vec::new();
        Reader { budget, respelled }
    }

    pub fn take(&mut self, bytes: usize, path: &Path<'_>) -> Result<(), ValueError> {
        self.budget
            .take(bytes)
            .map_err(|_| ValueError::too_large(path))
    }

    pub fn vec<T>(&mut self, length: usize, path: &Path<'_>) -> Result<Vec<T>, ValueError> {
        self.take(heap(length.saturating_mul(size_of::<T>())), path)?;
        Ok(Vec::with_capacity(length))
    }

    pub fn name(&mut self, name: &str, path: &Path<'_>) -> Result<String, ValueError> {
        self.take(heap(name.len()), path)?;
        Ok(name.to_owned())
    }

    pub fn boxed(
        &mut self,
        value: Option<Val>,
        path: &Path<'_>,
    ) -> Result<Option<Box<Val>>, ValueError> {
        if value.is_some() {
            self.take(heap(size_of::<Val>()), path)?;
        }
        Ok(value.map(Box::new))
    }
}
