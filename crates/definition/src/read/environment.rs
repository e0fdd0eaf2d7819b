//! `infra/environments/*.toml`.

use crate::environment::{Environment, is_account};
use crate::finding::{Findings, RuleId};
use crate::lake::SourceFile;
use crate::read::dms;
use crate::section::{Reader, Section};

/// The account is no AWS account id.
pub(crate) const ACCOUNT: RuleId = RuleId("environment/account");

fn read(file: &str, text: &str) -> (Option<Environment>, Findings) {
    let reader = Reader::new(file, text, 0);
    let environment = reader.root(environment);
    (environment, reader.into_findings())
}

fn environment(root: &Section<'_>) -> Option<Environment> {
    root.version_one();
    let name = root.required_text("name");
    let account = root.required_text("account");
    let region = root.required_text("region");
    let bucket = root.required_text("bucket");
    if let Some(account) = &account
        && !is_account(account.value)
    {
        let hint = "an AWS account id has 12 digits; write it as a string".to_owned();
        root.report(ACCOUNT, account.line, format!("account is `{}`", account.value), hint);
    }
    let place = dms::Place {
        account: account.as_ref().map(|a| a.value),
        region: region.as_ref().map(|r| r.value),
    };
    let dms = dms::read(root, &place);
    Some(Environment {
        name: name?.value.to_owned(),
        account: account?.value.to_owned(),
        region: region?.value.to_owned(),
        bucket: bucket?.value.to_owned(),
        dms: dms?,
    })
}

impl Environment {
    /// Reads one file.
    ///
    /// # Errors
    /// All findings at once.
    pub fn read(file: &SourceFile) -> Result<Environment, Findings> {
        let (environment, findings) = read(&file.path, &file.text);
        findings.into_result(environment)
    }
}
