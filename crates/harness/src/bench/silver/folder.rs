//! A folder's files at some moment, so that a peer's table can be put back after a merge.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::HarnessError;

/// Files of this size and above are data: written once, never changed, kept by a link. Smaller
/// ones are kept as copies, because some are overwritten in place.
const LINKED: u64 = 1 << 16;

/// What is kept of a folder.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    copy: PathBuf,
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else if entry.metadata()?.len() < LINKED || fs::hard_link(entry.path(), &target).is_err()
        {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Kept {
    /// Keeps the folder's files beside it.
    pub(super) fn keep(folder: &Path) -> Result<Kept, HarnessError> {
        let copy = folder.with_extension("kept");
        let failed = |source| HarnessError::WorkFile { path: copy.clone(), source };
        copy_all(folder, &copy).map_err(failed)?;
        Ok(Kept { folder: folder.to_owned(), copy })
    }

    /// Puts them back; what came since is gone.
    pub(super) fn restore(&self) -> Result<(), HarnessError> {
        let failed = |source| HarnessError::WorkFile { path: self.folder.clone(), source };
        fs::remove_dir_all(&self.folder).map_err(failed)?;
        copy_all(&self.copy, &self.folder).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_back_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("table");
        fs::create_dir_all(folder.join("data")).unwrap();
        fs::write(folder.join("hint"), "1").unwrap();
        fs::write(folder.join("data/large"), vec![7; 1 << 17]).unwrap();
        let kept = Kept::keep(&folder).unwrap();
        for _ in 0..2 {
            fs::write(folder.join("hint"), "2").unwrap();
            fs::write(folder.join("data/new"), "new").unwrap();
            fs::remove_file(folder.join("data/large")).unwrap();
            kept.restore().unwrap();
            assert_eq!(fs::read_to_string(folder.join("hint")).unwrap(), "1");
            assert!(!folder.join("data/new").exists());
            assert_eq!(fs::read(folder.join("data/large")).unwrap().len(), 1 << 17);
        }
    }
}
