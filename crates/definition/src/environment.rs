//! Where a lake runs: one file per environment, without secrets.

use crate::finding::Findings;
use crate::lake::SourceFile;

/// One environment: `local`, `dev`, `prod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The AWS account, 12 digits.
    pub account: String,
    /// The AWS Region.
    pub region: String,
    /// The lake's bucket.
    pub bucket: String,
}

impl Environment {
    /// Reads one file.
    ///
    /// # Errors
    /// All findings at once.
    pub fn read(file: &SourceFile) -> Result<Environment, Findings> {
        let (environment, findings) = crate::read::environment::read(&file.path, &file.text);
        findings.into_result(environment)
    }
}
