//! Reading definition files from disk.

use std::path::{Path, PathBuf};

use medallion_definition::environment::Environment;
use medallion_definition::lake::{LakeDefinition, SourceFile};

use crate::error::CliError;

pub(crate) fn read(path: &Path) -> Result<SourceFile, CliError> {
    let unreadable = |source| CliError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(SourceFile { path: path.display().to_string(), text })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let unreadable = |source| CliError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Below a definition's folder: the unit tests of its models.
const UNIT_TESTS: &str = "models/tests";

/// The files of a lake definition: everything in the folder and one level below. Folders deeper
/// down, such as the unit tests of models, are no part of it.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn definition_files(folder: &Path) -> Result<Vec<SourceFile>, CliError> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            for inner in entries(&path)?.iter().filter(|inner| !inner.is_dir()) {
                files.push(read(inner)?);
            }
        } else {
            files.push(read(&path)?);
        }
    }
    Ok(files)
}

/// Reads a lake definition.
///
/// # Errors
/// All findings at once, or the file that cannot be read.
pub fn definition(folder: &Path) -> Result<LakeDefinition, CliError> {
    Ok(LakeDefinition::read(&definition_files(folder)?)?)
}

/// The files of the unit tests of a definition's models, wherever they lie in their folder.
///
/// # Errors
/// When a folder or a file cannot be read.
pub fn unit_tests(folder: &Path) -> Result<Vec<SourceFile>, CliError> {
    let (mut folders, mut files) = (vec![folder.join(UNIT_TESTS)], Vec::new());
    folders.retain(|folder| folder.exists());
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(read(&path)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads an environment.
///
/// # Errors
/// All findings at once, or the file that cannot be read.
pub fn environment(path: &Path) -> Result<Environment, CliError> {
    Ok(Environment::read(&read(path)?)?)
}
