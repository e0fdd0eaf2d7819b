//! The lake as one group of the policy sees it.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::{GroupName, Layer};
use medallion_governance::access::{TableAccess, table_access};
use medallion_governance::enforce::{GovernedSession, Limits, governed_session};
use medallion_tables::provider::LakeTableProvider;
use medallion_tables::warehouse::Warehouse;
use medallion_transforms::bronze_table::BronzeTable;
use medallion_transforms::spec;

use crate::error::CliError;

/// The group of this name.
///
/// # Errors
/// [`CliError::Unknown`] when the policy does not have it.
pub fn group(lake: &LakeDefinition, name: &str) -> Result<GroupName, CliError> {
    let known = || lake.policy.groups.iter().map(|g| g.name.to_string()).collect();
    let found = lake.policy.group(name).map(|g| g.name.clone());
    found.ok_or_else(|| CliError::Unknown { kind: "group", name: name.to_owned(), known: known() })
}

/// A session in which a group can ask any question. Tables that were never built do not exist.
///
/// # Errors
/// When the group does not exist, or the lake cannot be read.
pub async fn session(
    lake: &LakeDefinition,
    warehouse: &Warehouse,
    name: &str,
) -> Result<GovernedSession, CliError> {
    let groups = [group(lake, name)?];
    let mut tables = Vec::new();
    for table in lake.catalogue() {
        let access = table_access(&lake.policy, &groups, &table);
        if access == TableAccess::Hidden {
            continue;
        }
        let provider: Arc<dyn TableProvider> = match table.layer {
            Layer::Bronze => {
                let contract = lake.tables.iter().find(|t| t.table.lake_table() == table.name);
                let Some(contract) = contract else { continue };
                Arc::new(BronzeTable::new(contract, &table, warehouse.bucket().clone()))
            }
            Layer::Silver | Layer::Gold | Layer::Quarantine => {
                let ident = spec::ident(lake, table.layer, &table.name);
                let Some(found) = warehouse.load(&ident).await? else { continue };
                Arc::new(LakeTableProvider::new(found))
            }
        };
        tables.push((table, access, provider));
    }
    Ok(governed_session(tables, Limits::default())?)
}
