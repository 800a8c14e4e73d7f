//! The file to which a component is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The path of the file, and the threads that write to it. Clones share both.
#[derive(Clone)]
pub(super) struct Destination {
    path: Arc<Path>,
    writers: TaskTracker,
}

impl Destination {
    pub fn new(path: PathBuf) -> Self {
        Destination {
            path: path.into(),
            writers: TaskTracker::new(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts blocking work that may write to the path. It goes on if the handle
    /// is dropped.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let path = self.path.clone();
        self.writers.spawn_blocking(move || work(&path))
    }

    /// Removes the file. Waits for the threads first: one whose download was
    /// dropped could otherwise create the file again.
    pub async fn discard(self) {
        self.writers.close();
        self.writers.wait().await;
        // If this fails, the caller removes the whole directory.
        let _ = tokio::fs::remove_file(&self.path).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_file_of_a_dropped_writer_is_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let destination = Destination::new(dir.path().join("component.wasm"));
        let (go, wait) = mpsc::channel();
        drop(destination.write(move |path| {
            wait.recv().expect("the signal");
            std::fs::write(path, "late").expect("written");
        }));
        let path = destination.path.clone();
        let discard = tokio::spawn(destination.discard());
        tokio::task::yield_now().await;
        go.send(()).expect("the writer waits");
        discard.await.expect("no panic");
        assert!(!path.exists());
    }
}
