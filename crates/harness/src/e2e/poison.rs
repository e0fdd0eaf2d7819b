//! Input that Gold must not publish: a key that comes twice, and NULL where none may be.
//!
//! Both rows are put into Silver behind the pipeline's back; then the real program builds a model
//! that reads them. Readers must go on seeing what they saw, and the program must say which rows
//! are wrong. Afterwards the rows are taken out again, and the model is published.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, concat_batches};
use medallion::exit;
use medallion_definition::name::Layer;
use medallion_tables::commit::{Branch, Change, commit};
use medallion_tables::table::LakeTable;
use medallion_tables::writer::write_files;
use medallion_tables::{DataFile, Operation, TableIdent};
use medallion_transforms::gold::BRANCH;
use medallion_transforms::spec;
use tokio::process::Command;

use crate::failure::HarnessError;
use crate::report::Report;
use crate::runner::Runner;
use crate::stack::Stack;
use crate::verify::Difference;

/// The model that is built of poisoned input.
const MODEL: &str = "customer_360";
/// Its input.
const SILVER: &str = "crm_customers";
/// The column by which customers are known.
const KEY: &str = "id";
/// A column that must not be NULL in the model.
const REQUIRED: &str = "full_name";
/// The key of the row without a name.
const NEW_KEY: &str = "987654321";
/// What the program has to say: the checks, and the key of the row without a name.
const SAID: [&str; 4] =
    ["is not published", "grain(customer_id)", "not_null(full_name)", "customer_id=987654321"];

/// Poisons, builds, looks, and takes the poison out again.
pub(super) async fn poison(
    stack: &Stack,
    runner: &Runner,
    report: &mut Report,
) -> Result<Vec<Difference>, HarnessError> {
    if stack.lake.model(MODEL).is_none() {
        return Ok(Vec::new());
    }
    let gold = spec::ident(&stack.lake, Layer::Gold, MODEL);
    let silver = spec::ident(&stack.lake, Layer::Silver, SILVER);
    let before = load(stack, &gold).await?;
    let clean = load(stack, &silver).await?;
    let rows = poisoned(&clean).await?;
    let added = write_files(&clean, vec![rows]).await.map_err(lake)?;
    change(stack, &clean, added.clone(), false).await?;
    let (code, text) = build(stack).await?;
    let after = load(stack, &gold).await?;
    let mut found = Vec::new();
    if code != Some(i32::from(exit::FINDINGS)) {
        found.push(format!("the program ends with {code:?} instead of {}", exit::FINDINGS));
    }
    for said in SAID.iter().filter(|said| !text.contains(**said)) {
        found.push(format!("the program does not say `{said}`:\n{text}"));
    }
    if after.snapshot_id() != before.snapshot_id() {
        found.push("the published table is another one than before".to_owned());
    }
    match after.at_branch(BRANCH) {
        Ok(build) if records(&build) == records(&before) + 2 => {}
        Ok(build) => found.push(format!(
            "the branch `{BRANCH}` has {} rows, {} are published",
            records(&build),
            records(&before)
        )),
        Err(_) => found.push(format!("there is no branch `{BRANCH}` to look at")),
    }
    report.block(&text);
    change(stack, &load(stack, &silver).await?, added, true).await?;
    runner.sweep();
    runner.quiet().await.ok_or(HarnessError::RunnerGone)?;
    let again = load(stack, &gold).await?;
    if again.at_branch(BRANCH).is_ok() || again.snapshot_id() == before.snapshot_id() {
        found.push("the model was not published again when its input was right".to_owned());
    }
    if records(&again) != records(&before) {
        found.push(format!("{} rows instead of {}", records(&again), records(&before)));
    }
    let about = match found.len() {
        0 => "refused with exit 3 and the rows; readers saw nothing of it".to_owned(),
        n => format!("{n} DIFFERENCES"),
    };
    report.step("poisoned input", 2, 0, &about);
    let difference = |what| Difference {
        check: "publish",
        place: format!("gold.{MODEL}"),
        row: None,
        column: None,
        what,
    };
    Ok(found.into_iter().map(difference).collect())
}

fn lake(error: impl std::error::Error + Send + Sync + 'static) -> HarnessError {
    HarnessError::set_up("the poisoned input", error)
}

fn missing(what: &str) -> HarnessError {
    lake(std::io::Error::other(format!("there is no {what}")))
}

async fn load(stack: &Stack, ident: &TableIdent) -> Result<LakeTable, HarnessError> {
    let table = stack.warehouse.load(ident).await.map_err(lake)?;
    table.ok_or_else(|| missing(&ident.to_string()))
}

fn records(table: &LakeTable) -> u64 {
    let number = |key| table.summary().and_then(|s| s.get(key)?.parse::<u64>().ok());
    number("total-records").unwrap_or_default()
        - number("total-position-deletes").unwrap_or_default()
}

/// A row that is there already, and one without a name.
async fn poisoned(table: &LakeTable) -> Result<RecordBatch, HarnessError> {
    for file in table.live_files().await.map_err(lake)? {
        let batches = table.read_file(&file, None).await.map_err(lake)?;
        let Some(row) = batches.iter().find(|b| b.num_rows() > 0).map(|b| b.slice(0, 1)) else {
            continue;
        };
        let schema = row.schema();
        let columns = schema.fields().iter().zip(row.columns()).map(|(field, column)| {
            if field.name() == KEY {
                let text: ArrayRef = Arc::new(StringArray::from(vec![NEW_KEY]));
                return cast(&text, field.data_type()).map_err(lake);
            }
            let none = field.name() == REQUIRED;
            Ok(if none { new_null_array(field.data_type(), 1) } else { Arc::clone(column) })
        });
        let columns = columns.collect::<Result<Vec<_>, HarnessError>>()?;
        let other = RecordBatch::try_new(row.schema(), columns).map_err(lake)?;
        return concat_batches(&row.schema(), [&row, &other]).map_err(lake);
    }
    Err(missing("customer"))
}

/// Adds the files, or removes them again. What the newest commit says of its batch is said again.
async fn change(
    stack: &Stack,
    base: &LakeTable,
    files: Vec<DataFile>,
    remove: bool,
) -> Result<(), HarnessError> {
    let said: HashMap<String, String> = base.summary().cloned().unwrap_or_default();
    let summary: BTreeMap<String, String> =
        said.into_iter().filter(|(key, _)| key.starts_with("medallion.")).collect();
    let ours = |path: &str| files.iter().any(|file| file.file_path() == path);
    let live = base.live_files().await.map_err(lake)?;
    let removed: Vec<_> = live.into_iter().filter(|file| remove && ours(file.path())).collect();
    let operation = if remove { Operation::Overwrite } else { Operation::Append };
    let added = if remove { Vec::new() } else { files };
    let change = Change { operation, added, removed, summary, branch: Branch::Main };
    commit(&stack.warehouse, base, change).await.map(drop).map_err(lake)
}

/// Lets the real program build the model; its exit code and what it said.
async fn build(stack: &Stack) -> Result<(Option<i32>, String), HarnessError> {
    let mut command = Command::new(&stack.paths.medallion);
    command.args(["gold", "--model", MODEL]).envs(stack.variables());
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(lake)?;
    let text = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned());
    Ok((output.status.code(), text.concat()))
}
