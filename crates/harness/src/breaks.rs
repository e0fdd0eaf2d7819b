//! Breaking the lake on purpose, so that the verification is seen to notice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::Layer;
use medallion_tables::Operation;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::warehouse::Warehouse;
use medallion_tables::writer::write_files;
use medallion_transforms::spec;

use crate::failure::HarnessError;

/// Where the lake is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BreakPoint {
    /// A Bronze file is acknowledged but never stored.
    DropBronzeFile,
    /// Two changes of one key trade their sequence numbers in Bronze.
    SwapChanges,
    /// One value of a Silver row is altered behind the pipeline's back.
    CorruptSilver,
    /// A personal column is granted to marketing.
    OpenColumn,
}

impl BreakPoint {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            BreakPoint::DropBronzeFile => "drop-bronze-file",
            BreakPoint::SwapChanges => "swap-changes",
            BreakPoint::CorruptSilver => "corrupt-silver",
            BreakPoint::OpenColumn => "open-column",
        }
    }

    fn failed(self, reason: impl ToString) -> HarnessError {
        HarnessError::Break { point: self.name(), reason: reason.to_string() }
    }
}

/// A copy of the definition in which marketing is granted a customer's CPF.
///
/// # Errors
/// When the definition cannot be copied.
pub fn open_column(definition: &Path, work: &Path) -> Result<PathBuf, HarnessError> {
    let target = work.join("broken-lake");
    copy_folder(definition, &target).map_err(|e| BreakPoint::OpenColumn.failed(e))?;
    let policy = target.join("policy.toml");
    let grant = "\n[[grant]]\nname = \"broken_on_purpose\"\nto = \"marketing\"\n\
                 tables = \"gold.customer_360\"\ncolumns = { only = [\"cpf\"] }\n";
    std::fs::read_to_string(&policy)
        .and_then(|text| std::fs::write(&policy, text + grant))
        .map_err(|e| BreakPoint::OpenColumn.failed(e))?;
    Ok(target)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Rewrites one data file of `silver.<table>` with the first text value of a column altered.
/// Returns the altered row's key for the terminal.
///
/// # Errors
/// When the table has no such value or cannot be rewritten.
pub async fn corrupt_silver(
    lake: &LakeDefinition,
    contract: &TableContract,
    warehouse: &Warehouse,
    column: &str,
) -> Result<String, HarnessError> {
    let point = BreakPoint::CorruptSilver;
    let ident = spec::ident(lake, Layer::Silver, &contract.table.lake_table());
    let table = warehouse.load(&ident).await.map_err(|e| point.failed(e))?;
    let table = table.ok_or_else(|| point.failed("the table does not exist"))?;
    for file in table.live_files().await.map_err(|e| point.failed(e))? {
        let batches = table.read_file(&file, None).await.map_err(|e| point.failed(e))?;
        let rows = concat_batches(table.arrow_schema(), &batches).map_err(|e| point.failed(e))?;
        let Some((altered, row)) = alter(&rows, column) else { continue };
        let added = write_files(&table, vec![altered]).await.map_err(|e| point.failed(e))?;
        let summary = table.summary().cloned().unwrap_or_default();
        // The batch's own keys are kept, as an unnoticed corruption would leave them.
        let summary = summary.into_iter().filter(|(k, _)| k.starts_with("medallion.")).collect();
        let change = Change {
            operation: Operation::Overwrite,
            added,
            removed: vec![file],
            summary,
            branch: Branch::Main,
        };
        commit(warehouse, &table, change).await.map_err(|e| point.failed(e))?;
        return Ok(key_text(contract, &rows, row));
    }
    Err(point.failed(format!("no value in `{column}`")))
}

fn alter(rows: &RecordBatch, column: &str) -> Option<(RecordBatch, usize)> {
    let index = rows.schema().index_of(column).ok()?;
    let values = rows.column(index).as_string_opt::<i32>()?;
    let row = (0..values.len()).find(|row| values.is_valid(*row))?;
    let altered: StringArray = (0..values.len())
        .map(|i| values.is_valid(i).then(|| values.value(i).to_owned()))
        .enumerate()
        .map(|(i, value)| if i == row { value.map(|v| format!("{v}x")) } else { value })
        .collect();
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(altered) as ArrayRef;
    Some((RecordBatch::try_new(rows.schema(), columns).ok()?, row))
}

fn key_text(contract: &TableContract, rows: &RecordBatch, row: usize) -> String {
    let parts: Vec<String> = contract
        .key
        .iter()
        .filter_map(|key| {
            let column = rows.column_by_name(key.as_str())?;
            let text = arrow::util::display::array_value_to_string(column, row).ok()?;
            Some(format!("{key}={text}"))
        })
        .collect();
    parts.join(",")
}
