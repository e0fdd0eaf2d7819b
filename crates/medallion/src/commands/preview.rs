//! `medallion preview`: what a model returns from the lake as it is now. Nothing is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::util::pretty::pretty_format_batches;
use clap::Args;
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{DataFrame, SessionContext};
use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::contract::Sensitivity;
use medallion_definition::finding::{Finding, Findings};
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_definition::model::GoldModel;
use medallion_definition::name::ModelName;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::error::{TransformError, unavailable};
use medallion_transforms::gold::shape::shape;
use medallion_transforms::gold::{self, Input, described_schema, lineage};

use crate::error::CliError;
use crate::options::Place;
use crate::{files, target};

/// What stands in place of a personal value, NULL or not.
const HIDDEN: &str = "***";

/// Arguments of `preview`.
#[derive(Debug, Args)]
pub(crate) struct Preview {
    /// Model, such as `customers_by_region`
    #[arg(long, required_unless_present = "sql")]
    model: Option<ModelName>,
    /// File of a model that is not in the definition yet, or not so; `--model` names it, else the
    /// file's own name does
    #[arg(long, value_name = "FILE")]
    sql: Option<PathBuf>,
    /// Rows to show
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    limit: usize,
    /// Print the optimised plan
    #[arg(long)]
    explain: bool,
    /// Show what the header declares personal
    #[arg(long)]
    show_personal: bool,
}

pub(crate) async fn run(place: &Place, arguments: &Preview) -> Result<(), CliError> {
    let name = arguments.name();
    let lake = match &arguments.sql {
        Some(file) => with_model(files::definition_files(&place.definition)?, file, &name)?,
        None => files::definition(&place.definition)?,
    };
    let environment = files::environment(&place.environment)?;
    let Some(model) = lake.model(&name) else {
        let known = lake.models.iter().map(|m| m.name.to_string()).collect();
        return Err(CliError::Unknown { kind: "model", name, known });
    };
    if !arguments.show_personal {
        // What the header calls harmless is shown, so it has to be.
        lineage::leaks(&lake, model).await?.into_result(Some(()))?;
    }
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    println!("preview {name} ({})", model.file);
    let context = session(&lake, model, &warehouse).await?;
    let frame = context.sql(&model.sql).await.map_err(|e| query(model, e))?;
    if arguments.explain {
        let plan = context.state().optimize(frame.logical_plan()).map_err(|e| query(model, e))?;
        println!("{}", plan.display_indent());
    }
    let rows = shape(model, &sample(model, frame, arguments.limit).await?)?;
    let shown = if arguments.show_personal { rows } else { masked(model, &rows)? };
    println!("{}", pretty_format_batches(std::slice::from_ref(&shown))?);
    eprintln!("{} rows, at most {}", shown.num_rows(), arguments.limit);
    Ok(())
}

impl Preview {
    fn name(&self) -> String {
        let file = || self.sql.as_deref().and_then(Path::file_stem);
        let stem = || file().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        self.model.as_ref().map_or_else(stem, ToString::to_string)
    }
}

/// The definition with a file in the place of the model's own, if it has one. Findings name the
/// file as the user does.
fn with_model(
    mut files: Vec<SourceFile>,
    path: &Path,
    name: &str,
) -> Result<LakeDefinition, CliError> {
    let within = format!("models/{name}.sql");
    let elsewhere = format!("/{within}");
    files.retain(|file| file.path != within && !file.path.ends_with(&elsewhere));
    let SourceFile { path: shown, text } = files::read(path)?;
    files.push(SourceFile { path: within.clone(), text });
    let own = |file: &str| if file == within { shown.clone() } else { file.to_owned() };
    let mut lake = LakeDefinition::read(&files).map_err(|found| {
        let mut findings = Findings::default();
        for finding in found.iter() {
            findings.push(Finding { file: own(&finding.file), ..finding.clone() });
        }
        findings
    })?;
    for model in &mut lake.models {
        model.file = own(&model.file);
    }
    Ok(lake)
}

/// A session over the model's inputs, which are printed.
async fn session(
    lake: &LakeDefinition,
    model: &GoldModel,
    warehouse: &Warehouse,
) -> Result<SessionContext, CliError> {
    let inputs = gold::inputs(lake, model)?;
    let width = inputs.iter().map(|input| input.to_string().len()).max().unwrap_or_default();
    let catalogue = lake.catalogue();
    let mut tables = Vec::new();
    for input in inputs {
        let found = catalogue.iter().find(|t| t.layer == input.layer && t.name == input.table);
        let Some(table) = found else { continue };
        let (provider, about) = open(lake, warehouse, &input, table).await?;
        println!("  reads {:<width$}  {about}", input.to_string());
        tables.push((input, provider));
    }
    Ok(gold::session(tables).map_err(|e| query(model, e))?)
}

/// The table as it is now, and what is known of it.
async fn open(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
    input: &Input,
    table: &CatalogueTable,
) -> Result<(Arc<dyn TableProvider>, String), CliError> {
    let Some(found) = gold::open(lake, warehouse, input).await? else {
        let about = "not there yet, read as empty".to_owned();
        return Ok((Arc::new(EmptyTable::new(described_schema(table))), about));
    };
    let rows = found.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
    Ok((found.provider, format!("{}{rows}", found.version)))
}

async fn sample(
    model: &GoldModel,
    frame: DataFrame,
    limit: usize,
) -> Result<RecordBatch, CliError> {
    let frame = frame.limit(0, Some(limit)).map_err(|e| query(model, e))?;
    let schema = Arc::clone(frame.schema().inner());
    // The reason is left out, since it may quote a row.
    let batches = frame.collect().await.map_err(|error| TransformError::Evaluation {
        model: model.name.to_string(),
        place: place_of(model),
        retryable: unavailable(&error),
    })?;
    Ok(concat_batches(&schema, &batches)?)
}

/// The rows with every personal column hidden.
fn masked(model: &GoldModel, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for ((field, column), declared) in
        rows.schema().fields().iter().zip(rows.columns()).zip(&model.columns)
    {
        if declared.sensitivity == Sensitivity::Personal {
            let hidden: ArrayRef = Arc::new(StringArray::from(vec![HIDDEN; rows.num_rows()]));
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(hidden);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn place_of(model: &GoldModel) -> String {
    format!("{}:{}", model.file, model.sql_line)
}

fn query(model: &GoldModel, source: datafusion::error::DataFusionError) -> TransformError {
    let model_name = model.name.to_string();
    TransformError::Query { model: model_name, place: place_of(model), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    const MODEL: &str = "/*---\ndescription = \"d\"\nowner = \"o\"\ngrain = [\"id\"]\n\
                         [[column]]\nname = \"id\"\ntype = \"long\"\nsensitivity = \"internal\"\n\
                         [[column]]\nname = \"cpf\"\ntype = \"long\"\nsensitivity = \"personal\"\n\
                         ---*/\nselect 1 as id, 2 as cpf\n";

    fn definition() -> Vec<SourceFile> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        vec![
            file("lake/lake.toml", "version = 1\nname = \"shop\"\ndescription = \"a shop\"\n"),
            file("lake/policy.toml", "version = 1\n"),
            file("lake/models/people.sql", "not a model"),
        ]
    }

    fn written(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_file_takes_the_place_of_the_models_own() {
        let path = written("people.sql", MODEL);
        let lake = with_model(definition(), &path, "people");
        std::fs::remove_file(&path).unwrap();
        let lake = lake.unwrap();
        assert_eq!(lake.models.len(), 1);
        assert_eq!(lake.models[0].file, path.display().to_string());
    }

    #[test]
    fn findings_name_the_file_as_the_user_does() {
        let path = written("broken.sql", "select 1");
        let error = with_model(definition(), &path, "people").unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let CliError::Findings(findings) = error else { panic!("{error}") };
        let files: Vec<&str> = findings.iter().map(|f| f.file.as_str()).collect();
        assert_eq!(files, [path.display().to_string()]);
    }

    #[test]
    fn personal_columns_are_hidden_whole() {
        let path = written("masked.sql", MODEL);
        let lake = with_model(definition(), &path, "people");
        std::fs::remove_file(&path).unwrap();
        let lake = lake.unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let cpfs: ArrayRef = Arc::new(Int64Array::from(vec![Some(77), None]));
        let rows = RecordBatch::try_from_iter([("id", ids), ("cpf", cpfs)]).unwrap();
        let shown = masked(&lake.models[0], &rows).unwrap();
        let text = pretty_format_batches(&[shown]).unwrap().to_string();
        assert_eq!(text.matches(HIDDEN).count(), 2, "{text}");
        assert!(!text.contains("77") && text.contains("| 1 "), "{text}");
    }
}
