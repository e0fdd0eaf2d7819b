//! Column-level lineage: which columns of which tables every column of a model is made of, told
//! from the query's plan and never from its text.
//!
//! What a value is computed from stands at its column. What only decides about rows (joins,
//! filters, groups, order) stands once for the model, since it bears on every column alike. A
//! subquery inside of an expression belongs to that expression, rows and all.

mod dag;
mod expression;
mod facet;
mod leaks;
mod plan;
mod scope;
mod source;
mod text;

#[cfg(test)]
mod tests;

use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::ModelName;

pub use dag::{Dag, DagNode, dag};
pub use facet::{COLUMN_LINEAGE_SCHEMA, PRODUCER};
pub use leaks::{NEEDLESS_SAFE, UNDECLARED_LEAK, leaks};
pub use source::{SourceColumn, Sources, Subtype, Transformation};

use super::session::logical_plan;
use crate::error::TransformError;

/// What the columns of a model are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnLineage {
    /// The model.
    pub model: ModelName,
    /// The columns as the query returns them, in order.
    pub columns: Vec<OutputColumn>,
    /// What decides about the model's rows: which there are and how often, in any part of the query.
    pub rows: Sources,
}

/// One column of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// What its value is computed from. Empty for constants and `count(*)`.
    pub sources: Sources,
}

impl ColumnLineage {
    /// The columns of this name: one, unless the query returns a name twice.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &OutputColumn> {
        self.columns.iter().filter(move |c| c.name == name)
    }
}

/// The lineage of a model's columns, from the definition alone.
///
/// # Errors
/// [`TransformError::Query`] when the query does not plan, [`TransformError::Lineage`] when it uses
/// what lineage cannot follow.
pub async fn lineage(
    lake: &LakeDefinition,
    model: &GoldModel,
) -> Result<ColumnLineage, TransformError> {
    let query = logical_plan(lake, model).await?;
    let relation = plan::Walk::new(lake, model).relation(&query, None)?;
    let names = query.schema().fields().iter().map(|f| f.name().clone());
    let columns = names.zip(relation.columns);
    let columns = columns.map(|(name, sources)| OutputColumn { name, sources }).collect();
    Ok(ColumnLineage { model: model.name.clone(), columns, rows: relation.rows })
}
