//! Where a lake runs: one file per environment, without secrets.

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
