//! The format of a case. `fixtures/conformance/README.md` explains it to people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One case: a contract and steps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What holds, in one line.
    pub title: String,
    /// The rules and known failures that it covers: `order`, `systems:1`.
    pub covers: Vec<String>,
    /// What an engine must provide beside a run: see [`super::engine::Engine::provides`].
    #[serde(default)]
    pub requires: Vec<String>,
    /// Name of the contract: `<name>.toml` in the case's folder, else in `contracts/`.
    pub contract: String,
    /// What happens, in order.
    pub step: Vec<Step>,
    /// The name of the folder.
    #[serde(skip)]
    pub name: String,
    /// The folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Bronze changes, then one run, then what must be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happens, for people.
    #[serde(default)]
    pub about: String,
    /// The contract from here on.
    pub contract: Option<String>,
    /// Bronze files that are put, put again, or made older or younger.
    #[serde(default)]
    pub file: Vec<BronzeStep>,
    /// Bronze files that are deleted.
    #[serde(default)]
    pub remove: Vec<String>,
    /// A fault of the endpoints during the run.
    pub fault: Option<FaultStep>,
    /// The most bytes of Bronze files in one batch; needs `batch_bytes`.
    pub batch_bytes: Option<u64>,
    /// About how many bytes a new data file takes; needs `file_bytes`.
    pub file_bytes: Option<u64>,
    /// How many runs start at the same time.
    #[serde(default = "one")]
    pub at_once: u32,
    /// The whole step so many times; `{n}` (from 0) and `{nnn}` (three digits) stand for the
    /// number in keys and rows.
    #[serde(default = "one")]
    pub repeat: u32,
    /// Whether the engine runs at all.
    #[serde(default = "yes")]
    pub run: bool,
    /// Maintenance follows the run; needs `maintenance`.
    #[serde(default)]
    pub maintain: bool,
    /// What must hold afterwards.
    #[serde(default)]
    pub expect: Expect,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// A Bronze file. Without content it must exist, and only its time changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BronzeStep {
    /// The key below the table's prefix without `.parquet`; the folder of a date may be left out.
    pub key: String,
    /// When the store received it: `2026-01-02 03:04:05`, `now`, `now-10m`, `now-2h`.
    pub modified: Option<String>,
    /// The rows as a text table.
    pub rows: Option<String>,
    /// MySQL types of columns that differ from the contract's or that it does not know.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// Columns that the file lacks although every file of DMS has them.
    #[serde(default)]
    pub without: Vec<String>,
    /// Bytes that are no Parquet file.
    pub raw: Option<String>,
    /// Only so many of its first bytes.
    pub cut: Option<usize>,
}

/// A planned fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultStep {
    /// Its name in `crates/harness/src/aws/faults.rs`.
    pub name: String,
    /// Only requests whose subject contains this.
    #[serde(default)]
    pub subject: String,
    /// How many such requests pass first.
    #[serde(default)]
    pub after: u32,
    /// How many are struck; all without it.
    pub times: Option<u32>,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something was applied.
    #[default]
    Committed,
    /// There was nothing to do.
    UpToDate,
    /// There is something to do, but not yet.
    Waiting,
    /// Refused: somebody has to decide or repair something.
    Operator,
    /// Refused: it may work later.
    Retry,
    /// Applied, or refused as by `retry`: what a fault may lead to.
    CommittedOrRetry,
    /// Applied, or refused whoever's turn it is then.
    CommittedOrRefused,
}

/// What must hold after a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How the run ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// What the message of a refusal contains.
    #[serde(default)]
    pub names: Vec<String>,
    /// All rows of Silver as a text table with all columns; those that begin with `_` may be
    /// left out.
    pub silver: Option<String>,
    /// All rows of quarantine: `file`, `row`, `rules`, and columns of the raw record.
    pub quarantine: Option<String>,
    /// The row counters, summed over the commits of the step; what is not named is zero.
    pub balance: Option<BTreeMap<String, u64>>,
    /// How many commits the step made.
    pub commits: Option<usize>,
    /// Columns with their Iceberg types, in any order: `amount decimal(12,2)`.
    pub schema: Option<Vec<String>>,
    /// The most data files afterwards.
    pub data_files_at_most: Option<usize>,
    /// The most delete files afterwards.
    pub delete_files_at_most: Option<usize>,
    /// The fewest delete files afterwards.
    pub delete_files_at_least: Option<usize>,
    /// Texts that stand nowhere but in Bronze and in the data files of Silver and quarantine.
    #[serde(default)]
    pub secret: Vec<String>,
}

/// All cases of a folder in the order of their names, or those whose name contains a text.
///
/// # Errors
/// The file that is no case, and why.
pub fn read_all(folder: &Path, only: Option<&str>) -> Result<Vec<Case>, String> {
    let unreadable = |e: std::io::Error| format!("`{}` cannot be read: {e}", folder.display());
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let folder = entry.map_err(unreadable)?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = folder.join("case.toml");
        if !path.is_file() || only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let bad = |e: String| format!("{}: {e}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|e| bad(e.to_string()))?;
        let case: Case = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        cases.push(Case { name, folder, ..case });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    /// The text of a contract: of the case's own folder, else of the shared one.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn contract_text(&self, name: &str) -> Result<String, String> {
        let file = format!("{name}.toml");
        let shared = self.folder.with_file_name("contracts").join(&file);
        let text = std::fs::read_to_string(self.folder.join(&file))
            .or_else(|_| std::fs::read_to_string(&shared));
        text.map_err(|e| format!("the contract `{}` cannot be read: {e}", shared.display()))
    }
}
