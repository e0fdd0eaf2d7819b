//! Which tables a model reads, and the order in which models are built.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::DFParser;
use datafusion::sql::resolve::resolve_table_references;
use medallion_definition::catalogue::history_name;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::model::GoldModel;
use medallion_definition::name::Layer;

use crate::error::TransformError;

/// A table that a model reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Its layer.
    pub layer: Layer,
    /// The table's name in its Glue database.
    pub table: String,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.table)
    }
}

/// The tables that a model's query names, found by parsing it.
///
/// # Errors
/// When the query does not parse, or names a table that the lake does not have.
pub fn inputs(lake: &LakeDefinition, model: &GoldModel) -> Result<BTreeSet<Input>, TransformError> {
    let statements = DFParser::parse_sql(&model.sql).map_err(|e| query_error(model, e))?;
    let mut inputs = BTreeSet::new();
    for statement in &statements {
        let (tables, _) =
            resolve_table_references(statement, true).map_err(|e| query_error(model, e))?;
        for table in tables {
            let input = table
                .schema()
                .and_then(|s| s.parse::<Layer>().ok())
                .map(|layer| Input { layer, table: table.table().to_owned() });
            let known = readable(lake);
            let found = input.filter(|i| known.contains(i));
            inputs.insert(found.ok_or_else(|| TransformError::UnknownInput {
                model: model.name.to_string(),
                place: format!("{}:{}", model.file, model.sql_line),
                known: known.iter().map(ToString::to_string).collect(),
                input: table.to_string(),
            })?);
        }
    }
    Ok(inputs)
}

/// What models can read: every table of the lake.
pub(crate) fn readable(lake: &LakeDefinition) -> BTreeSet<Input> {
    lake.catalogue().into_iter().map(|t| Input { layer: t.layer, table: t.name }).collect()
}

/// The contract whose job makes a table of Bronze, Silver or quarantine; nothing for a Gold table.
pub fn contract_of<'a>(lake: &'a LakeDefinition, input: &Input) -> Option<&'a TableContract> {
    let makes = |contract: &&TableContract| {
        contract.table.lake_table() == input.table
            || (input.layer == Layer::Silver && history_name(contract) == input.table)
    };
    lake.tables.iter().filter(|_| input.layer != Layer::Gold).find(makes)
}

pub(crate) fn query_error(model: &GoldModel, source: DataFusionError) -> TransformError {
    TransformError::Query {
        model: model.name.to_string(),
        place: format!("{}:{}", model.file, model.sql_line),
        source: Box::new(source),
    }
}

/// The models in levels: each reads only Silver and models of earlier levels.
///
/// # Errors
/// [`TransformError::Circle`] when models read each other.
pub fn levels(lake: &LakeDefinition) -> Result<Vec<Vec<&GoldModel>>, TransformError> {
    let mut waiting: Vec<(&GoldModel, BTreeSet<String>)> = Vec::new();
    for model in &lake.models {
        let gold = inputs(lake, model)?.into_iter().filter(|i| i.layer == Layer::Gold);
        waiting.push((model, gold.map(|i| i.table).collect()));
    }
    let mut built = HashSet::new();
    let mut levels = Vec::new();
    while !waiting.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, needs)| needs.iter().all(|n| built.contains(n)));
        if ready.is_empty() {
            let names: Vec<String> = later.iter().map(|(m, _)| format!("`{}`", m.name)).collect();
            return Err(TransformError::Circle { models: names.join(", ") });
        }
        built.extend(ready.iter().map(|(m, _)| m.name.to_string()));
        levels.push(ready.into_iter().map(|(m, _)| m).collect());
        waiting = later;
    }
    Ok(levels)
}
