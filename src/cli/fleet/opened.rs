//! The beginning of `apply` and `diff`: opens the root, reads the manifest and its lock, and makes
//! the order.

use std::sync::Arc;

use crate::cli::authorities::AuthorityArgs;
use crate::cli::{Failure, Global, Opening, Root, block_on};
use crate::install::{Order, Surplus};
use crate::service::Service;

use super::source::{Loaded, ManifestArgs, NeedsFile, Strictness};

/// The options of a command about its manifest.
pub struct Asked<'a> {
    pub manifest: &'a ManifestArgs,
    pub authorities: &'a AuthorityArgs,
    pub surplus: Surplus,
    pub strictness: Strictness,
    pub root: Root,
}

/// A manifest and its root.
pub struct Opened {
    pub service: Arc<Service>,
    pub loaded: Loaded,
    pub order: Order,
}

impl Asked<'_> {
    /// Opens the root, reads the manifest, and runs `work` on both.
    ///
    /// # Errors
    ///
    /// When the manifest or its lock cannot be used, and those of `work`.
    pub fn run<T>(
        self,
        global: &Global,
        work: impl AsyncFnOnce(Opened) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.surplus == Surplus::Removed && self.manifest.file == "-" {
            return Err(NeedsFile { option: "--prune" }.into());
        }
        let service = global.open(Opening {
            root: self.root,
            ca: self.authorities.ca.clone(),
            ..Opening::default()
        })?;
        block_on(async {
            let loaded = self.manifest.load(&service).await?;
            loaded.check_lock(self.strictness)?;
            let order = Order {
                surplus: self.surplus,
                ..loaded.order()
            };
            work(Opened {
                service,
                loaded,
                order,
            })
            .await
        })
    }
}

/// The handling of surplus components that `--prune` selects.
pub fn surplus(prune: bool) -> Surplus {
    match prune {
        true => Surplus::Removed,
        false => Surplus::Stays,
    }
}
