//! The linked code of one component, and a cache of its exports.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Type};

use super::engine::{Allocation, Running, Tier};
use super::error::{CallError, CompileError};
use super::limits::Crossing;
use super::link;
use super::sandbox::Guest;
use crate::schema::ExportPath;

/// A component that can be instantiated.
pub(super) struct Code {
    pub tier: Tier,
    pub allocation: Allocation,
    pub pre: InstancePre<Guest>,
    exports: RwLock<HashMap<ExportPath, Arc<Export>>>,
}

/// An exported function: its index, parameter and result types.
pub(super) struct Export {
    pub index: ComponentExportIndex,
    pub params: Vec<(String, Type)>,
    pub results: Vec<Type>,
    pub crossing: Crossing,
}

impl Code {
    pub fn new(tier: Tier, running: &Running, component: &Component) -> Result<Self, CompileError> {
        Ok(Code {
            tier,
            allocation: running.allocation,
            pre: link::link(&running.linker, component)?,
            exports: RwLock::default(),
        })
    }

    /// Looks up an export; only the first lookup is by name.
    pub fn export(&self, path: &ExportPath) -> Result<Arc<Export>, CallError> {
        let exports = self.exports.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(export) = exports.get(path) {
            return Ok(Arc::clone(export));
        }
        drop(exports);
        let export = Arc::new(self.resolve(path).ok_or_else(|| CallError::UnknownExport {
            export: path.clone(),
        })?);
        let mut exports = self.exports.write().unwrap_or_else(PoisonError::into_inner);
        exports.insert(path.clone(), Arc::clone(&export));
        Ok(export)
    }

    fn resolve(&self, path: &ExportPath) -> Option<Export> {
        let component = self.pre.component();
        let interface = match &path.interface {
            Some(name) => Some(component.get_export_index(None, name.as_str())?),
            None => None,
        };
        let (item, index) = component.get_export(interface.as_ref(), path.function.as_str())?;
        let ComponentItem::ComponentFunc(function) = item else {
            return None;
        };
        let results: Vec<Type> = function.results().collect();
        Some(Export {
            index,
            crossing: Crossing::of(&results),
            params: function
                .params()
                .map(|(name, ty)| (name.to_owned(), ty))
                .collect(),
            results,
        })
    }
}
