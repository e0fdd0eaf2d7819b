//! What belongs to one run: its folder, and the signals that end it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// How often the removal of the folder is tried, while the last files in it are closed.
const TRIES: u32 = 50;

/// A folder for one run.
#[derive(Debug)]
pub(crate) enum WorkFolder {
    /// Removed at the end unless it is to be kept.
    Temporary(tempfile::TempDir),
    /// The user's; kept.
    Given(PathBuf),
}

impl WorkFolder {
    pub(super) fn path(&self) -> &Path {
        match self {
            WorkFolder::Temporary(folder) => folder.path(),
            WorkFolder::Given(path) => path,
        }
    }

    /// Removes the folder, unless it is to be kept or the run failed with something in it. Returns
    /// the path of what is still there.
    pub(super) async fn end(self, keep: bool, failed: bool) -> Option<PathBuf> {
        let folder = match self {
            WorkFolder::Given(path) => return Some(path),
            WorkFolder::Temporary(folder) => folder.keep(),
        };
        let empty = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
        if keep || (failed && !empty) {
            return Some(folder);
        }
        for _ in 0..TRIES {
            if std::fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(folder)
    }
}

/// Ctrl-C, a polite request to end, or the end of the terminal.
pub(super) async fn interrupted() {
    let one = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = one(SignalKind::interrupt()) => {}
        () = one(SignalKind::terminate()) => {}
        () = one(SignalKind::hangup()) => {}
    }
}
