//! Every Gold table equals the same question asked of MySQL.

use std::path::Path;

use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::spec;
use mysql_async::Conn;

use super::compare::{ComparedColumn, compare, lake_rows, mysql_rows};
use super::{Verdict, VerifyError, text};

/// The model's columns, and MySQL's answer as something that can be selected from.
pub(super) fn question(
    model: &GoldModel,
    oracle: &Path,
) -> Result<(Vec<ComparedColumn>, String), VerifyError> {
    let path = oracle.join(format!("{}.sql", model.name));
    let question = std::fs::read_to_string(&path).map_err(|e| VerifyError::Fixture {
        path: path.display().to_string(),
        reason: e.to_string(),
    })?;
    let columns = model.columns.iter().map(|c| ComparedColumn {
        name: c.name.to_string(),
        expression: text::mysql_expression(c.name.as_str(), c.lake_type, None),
        sensitivity: c.sensitivity,
        is_key: model.grain.contains(&c.name),
    });
    let from = format!("(\n{}\n) answer", question.trim().trim_end_matches(';'));
    Ok((columns.collect(), from))
}

/// Compares one Gold table with the answer of `<oracle>/<model>.sql`, written by hand for MySQL.
///
/// # Errors
/// When one of the two sides cannot be read.
pub async fn verify(
    lake: &LakeDefinition,
    model: &GoldModel,
    oracle: &Path,
    warehouse: &Warehouse,
    conn: &mut Conn,
) -> Result<Verdict, VerifyError> {
    let (columns, from) = question(model, oracle)?;
    let expected = mysql_rows(conn, model.name.as_str(), &columns, &from).await?;
    let ident = spec::ident(lake, Layer::Gold, model.name.as_str());
    let batches = super::read_table(warehouse, &ident).await?;
    let found = lake_rows(model.name.as_str(), &columns, &batches)?;
    Ok(compare("gold", &format!("gold.{}", model.name), &columns, &expected, &found))
}
