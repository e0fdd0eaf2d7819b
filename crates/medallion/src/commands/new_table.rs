//! `medallion new-table`: a contract proposed from what MySQL knows about a table.

mod draft;
mod guess;
mod words;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use medallion_definition::finding::Findings;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::name::TableId;
use medallion_replicator::inspection;
use medallion_replicator::server::{DatabaseError, Source};

use self::draft::{Draft, Refusal};
use crate::error::CliError;
use crate::exit;

/// Arguments of `new-table`.
#[derive(Debug, Args)]
pub(crate) struct NewTable {
    /// Source table, such as `crm.orders`
    table: TableId,
    /// MySQL or MariaDB, `mysql://user:password@host:port`
    #[arg(long, env = "MEDALLION_SOURCE_URL", hide_env_values = true, value_name = "URL")]
    source_url: String,
    /// Folder for the contract
    #[arg(long, value_name = "FOLDER", default_value = "infra/lake/tables")]
    out: PathBuf,
    /// Overwrite the file if there is one
    #[arg(long)]
    force: bool,
    /// A column that is not personal although its name says so; may be repeated
    #[arg(long, value_name = "COLUMN")]
    not_personal: Vec<String>,
}

/// Why no contract was written.
#[derive(Debug, thiserror::Error)]
pub enum NewTableError {
    /// The server did not answer as hoped (see [`DatabaseError`]).
    #[error("the source cannot be read")]
    Database(#[from] DatabaseError),
    /// No such table (operator).
    #[error(
        "the source has no table `{0}`, or the user may not see it\n    \
         hint: names are compared as MySQL has them; grant SELECT on the table"
    )]
    NoSuchTable(TableId),
    /// The table cannot have a contract (operator).
    #[error("`{table}` cannot have a contract:{}", lines(reasons))]
    Refused {
        /// The table.
        table: TableId,
        /// All reasons.
        reasons: Vec<Refusal>,
    },
    /// There is a file already (operator).
    #[error(
        "`{0}` exists already\n    hint: compare it with the output for another --out folder, or \
         overwrite it with --force"
    )]
    Exists(PathBuf),
    /// The file cannot be written (operator).
    #[error("`{path}` cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The proposed contract is not valid (bug).
    #[error("the proposed contract of `{table}` is not valid")]
    Invalid {
        /// The table.
        table: TableId,
        /// What the definition says about it.
        source: Findings,
    },
}

impl NewTableError {
    /// The exit code of [`exit`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            NewTableError::NoSuchTable(_) | NewTableError::Refused { .. } => exit::FINDINGS,
            NewTableError::Database(DatabaseError::Answer { .. })
            | NewTableError::Invalid { .. } => exit::BUG,
            NewTableError::Database(_) | NewTableError::Exists(_) | NewTableError::Write { .. } => {
                exit::OPERATOR
            }
        }
    }
}

fn lines(reasons: &[Refusal]) -> String {
    reasons.iter().map(|reason| format!("\n  {reason}")).collect()
}

pub(crate) async fn run(arguments: &NewTable) -> Result<(), CliError> {
    let NewTable { table, source_url, out, force, not_personal } = arguments;
    let path = out.join(format!("{}.toml", table.lake_table()));
    // Before the server is asked; whether it still holds is decided when the file is made.
    if !force && path.exists() {
        return Err(NewTableError::Exists(path).into());
    }
    let source = Source::from_url(source_url).map_err(NewTableError::Database)?;
    let found = inspection::describe(&source, table).await.map_err(NewTableError::Database)?;
    let found = found.ok_or_else(|| NewTableError::NoSuchTable(table.clone()))?;
    let draft = Draft::new(table, &found, not_personal)
        .map_err(|reasons| NewTableError::Refused { table: table.clone(), reasons })?;
    validate(table, &draft.text)?;
    write(&path, &draft.text, *force)?;
    println!("{}", path.display());
    for remark in &draft.remarks {
        eprintln!("{remark}");
    }
    eprintln!("review every line marked `guess`, then run `medallion check`");
    Ok(())
}

/// The definition's own judgement on the contract alone.
fn validate(table: &TableId, text: &str) -> Result<(), NewTableError> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("lake.toml", "version = 1\nname = \"proposed\"\ndescription = \"one table\"\n"),
        file("policy.toml", "version = 1\n"),
        file(&format!("tables/{}.toml", table.lake_table()), text),
    ];
    let outcome = LakeDefinition::read(&files);
    outcome.map(drop).map_err(|source| NewTableError::Invalid { table: table.clone(), source })
}

fn write(path: &PathBuf, text: &str, force: bool) -> Result<(), NewTableError> {
    let failed = |source| NewTableError::Write { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(NewTableError::Exists(path.clone()))
        }
        Err(error) => Err(failed(error)),
    }
}
