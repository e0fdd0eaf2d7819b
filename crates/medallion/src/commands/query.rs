//! `medallion query`.

use std::io::stdout;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::json::LineDelimitedWriter;
use arrow::util::pretty::pretty_format_batches_with_schema;

use crate::error::CliError;
use crate::options::{Format, Place};
use crate::{files, governed, target};

pub(crate) async fn run(
    place: &Place,
    group: &str,
    format: Format,
    sql: &str,
) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let environment = files::environment(&place.environment)?;
    governed::group(&lake, group)?;
    let config = target::sdk_config(&environment).await;
    let warehouse = target::warehouse(&config, &environment);
    let session = governed::session(&lake, &warehouse, group).await?;
    let (schema, batches) = session.query(sql).await?;
    print(&schema, &batches, format)
}

fn print(schema: &SchemaRef, batches: &[RecordBatch], format: Format) -> Result<(), CliError> {
    match format {
        Format::Table => {
            println!("{}", pretty_format_batches_with_schema(schema.clone(), batches)?);
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            eprintln!("{rows} rows");
        }
        Format::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(stdout());
            writer.write(&RecordBatch::new_empty(schema.clone()))?;
            for batch in batches {
                writer.write(batch)?;
            }
        }
        Format::Json => {
            let mut writer = LineDelimitedWriter::new(stdout());
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
        }
    }
    Ok(())
}
