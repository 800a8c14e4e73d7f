//! `serve --manifest`: changes the root to match the manifest before the server is ready.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::cli::Failure;
use crate::error::Report;
use crate::fetch::{Progress, Silent};
use crate::install::{Action, ManyProgress, Unreachable};
use crate::reference::ComponentId;
use crate::service::Service;
use crate::store::FileStamp;

use super::source::{ManifestArgs, Strictness};

/// The interval at which the files of a manifest are checked.
const POLL: Duration = Duration::from_secs(1);

struct Unseen;

impl ManyProgress for Unseen {
    fn of(&self, _: &ComponentId) -> Box<dyn Progress> {
        Box::new(Silent)
    }
}

/// Does what `apply` does. If a source cannot be reached, the component installed from it is kept,
/// and a warning is logged.
///
/// # Errors
///
/// Those of `apply`; nothing is then changed. A failure to write the lock is only logged.
pub async fn provision(service: &Arc<Service>, manifest: &str) -> Result<Provisioned, Failure> {
    let arguments = ManifestArgs {
        file: manifest.to_owned(),
        lock: None,
    };
    let mut provisioned = Provisioned::default();
    let first = arguments.load(service).await?;
    let files = first.manifest.files.iter().chain(&first.lock_path);
    provisioned.files = files
        .map(|file| (file.clone(), FileStamp::of(file)))
        .collect();
    // Read after the stamps were taken, so that later changes are noticed.
    let loaded = arguments.load(service).await?;
    loaded.check_lock(Strictness::MayGrow)?;
    if !loaded.pinned {
        return Err(super::apply::NotPinned::of(manifest).into());
    }
    let mut order = loaded.order();
    order.unreachable = Unreachable::TakesInstalled;
    let proposal = service.propose(&order, &Unseen).await?;
    let (plan, lock) = (proposal.plan.clone(), loaded.lock_of(&proposal.metadata));
    for planned in &plan.components {
        if let Some(note) = &planned.note {
            tracing::warn!("`{}`: {note}", planned.component_id);
        }
    }
    service.apply(proposal, &Unseen).await?;
    tracing::info!(
        "`{manifest}`: {} installed, {} replaced, {} granted other permissions, {} with other \
         tools, {} as they were",
        plan.count(Action::Install),
        plan.count(Action::Replace),
        plan.count(Action::Regrant),
        plan.count(Action::ChangeTools),
        plan.count(Action::Keep)
    );
    match loaded.write_lock(&lock) {
        Ok(_) => provisioned.note_lock(loaded.lock_path.as_deref()),
        Err(error) => tracing::warn!("{}", Report::new(&error)),
    }
    Ok(provisioned)
}

/// The stamps of the files that a root was provisioned from.
#[derive(Default)]
pub struct Provisioned {
    files: Vec<(PathBuf, Option<FileStamp>)>,
}

impl Provisioned {
    /// Records the stamp of the lock, which this process wrote.
    fn note_lock(&mut self, lock: Option<&Path>) {
        for (file, stamp) in &mut self.files {
            if Some(file.as_path()) == lock {
                *stamp = FileStamp::of(file);
            }
        }
    }

    /// Takes the stamps again, and returns whether a file changed.
    fn look(&mut self) -> bool {
        let mut changed = false;
        for (file, stamp) in &mut self.files {
            let now = FileStamp::of(file);
            changed |= now != *stamp;
            *stamp = now;
        }
        changed
    }
}

/// Provisions the root again whenever a file of the manifest or its lock changes, until the future
/// is dropped. If the manifest cannot be applied, the error is logged and nothing changes.
pub async fn follow(service: Arc<Service>, manifest: String, mut provisioned: Provisioned) {
    loop {
        tokio::time::sleep(POLL).await;
        let look = tokio::task::spawn_blocking(move || (provisioned.look(), provisioned));
        // It fails only on a panic or at the end of the program.
        let Ok((changed, looked)) = look.await else {
            return;
        };
        provisioned = looked;
        if !changed {
            continue;
        }
        match provision(&service, &manifest).await {
            Ok(anew) => provisioned = anew,
            Err(error) => {
                tracing::error!("everything stays as it is: {}", Report::new(error.as_ref()));
            }
        }
    }
}
