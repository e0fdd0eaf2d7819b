//! What a run can be told.

use std::path::PathBuf;

use clap::Args;

use super::work_folder::WorkFolder;
use crate::breaks::BreakPoint;
use crate::failure::HarnessError;
use crate::stack::Paths;

/// Options of `e2e` and `up`.
#[derive(Clone, Debug, Args)]
pub struct E2eOptions {
    /// Folder of the lake definition
    #[arg(long, default_value = "infra/lake")]
    pub definition: PathBuf,
    /// Seed of rows and random changes; the same seed gives the same run
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Customers before the full load
    #[arg(long, default_value_t = 800)]
    pub customers: usize,
    /// Random changes while CDC runs
    #[arg(long, default_value_t = 3000)]
    pub changes: usize,
    /// A MySQL server to use instead of one of our own
    #[arg(long, value_name = "URL")]
    pub mysql_url: Option<String>,
    /// Option for a MySQL server of our own, such as `--mysql-flag=--binlog-row-image=MINIMAL`
    #[arg(long = "mysql-flag", value_name = "FLAG", allow_hyphen_values = true)]
    pub mysql_flags: Vec<String>,
    /// Break the lake on purpose; the verification has to notice
    #[arg(long = "break", value_name = "POINT", value_enum)]
    pub break_point: Option<BreakPoint>,
    /// Let pyiceberg and DuckDB read the Silver tables too, from a virtual environment of their own;
    /// with MEDALLION_SPARK=1 in the environment, Spark runs the Gold models as well
    #[arg(long)]
    pub readers: bool,
    /// Folder for data and logs of this run; it is kept
    #[arg(long, value_name = "FOLDER")]
    pub work_dir: Option<PathBuf>,
    /// Keep the temporary folder
    #[arg(long)]
    pub keep: bool,
    /// Keep the stack running until Ctrl-C
    #[arg(skip)]
    pub up: bool,
}

impl E2eOptions {
    pub(super) fn work_folder(&self) -> Result<WorkFolder, HarnessError> {
        let failed = |path: PathBuf| move |source| HarnessError::WorkFile { path, source };
        match &self.work_dir {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(failed(path.clone()))?;
                let path = path.canonicalize().map_err(failed(path.clone()))?;
                Ok(WorkFolder::Given(path))
            }
            None => {
                let folder = tempfile::Builder::new().prefix("medallion-").tempdir();
                folder.map(WorkFolder::Temporary).map_err(failed(std::env::temp_dir()))
            }
        }
    }
}

/// The places of a run; `MEDALLION_BIN` and `MEDALLION_TARGET` come from `cargo xtask`.
pub fn default_paths(work: PathBuf, definition: PathBuf) -> Paths {
    let here = std::env::current_dir().unwrap_or_default();
    let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(PathBuf::from));
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let medallion =
        variable("MEDALLION_BIN").unwrap_or_else(|| beside.unwrap_or_default().join("medallion"));
    let target = variable("MEDALLION_TARGET").unwrap_or_else(|| here.join("target"));
    Paths {
        medallion,
        definition: here.join(definition),
        environment: here.join("infra/environments/local.toml"),
        fixtures: here.join("fixtures"),
        cache: target.join("stack"),
        work,
    }
}
