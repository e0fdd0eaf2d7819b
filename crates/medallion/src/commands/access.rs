//! `medallion access`: what the policy opens to whom, for auditors.

use medallion_definition::catalogue::CatalogueTable;
use medallion_definition::lake::LakeDefinition;
use medallion_definition::name::GroupName;
use medallion_governance::access::{
    CellAccess, ColumnAccess, RowAccess, TableAccess, explain, table_access,
};

use crate::error::CliError;
use crate::options::Place;
use crate::{files, governed};

pub(crate) fn run(
    place: &Place,
    group: Option<&str>,
    column: Option<&str>,
) -> Result<(), CliError> {
    let lake = files::definition(&place.definition)?;
    let groups: Vec<GroupName> = match group {
        Some(name) => vec![governed::group(&lake, name)?],
        None => lake.policy.groups.iter().map(|g| g.name.clone()).collect(),
    };
    if let (Some(group), Some(column)) = (groups.first(), column) {
        println!("{}", explained(&lake, group, column)?);
        return Ok(());
    }
    for group in &groups {
        println!("{group}");
        for table in lake.catalogue() {
            print_table(&lake, group, &table);
        }
    }
    Ok(())
}

fn explained(lake: &LakeDefinition, group: &GroupName, path: &str) -> Result<String, CliError> {
    let catalogue = lake.catalogue();
    let names = |t: &CatalogueTable| format!("{}.{}", t.layer, t.name);
    let found = path.rsplit_once('.').and_then(|(table, column)| {
        let table = catalogue.iter().find(|t| names(t) == table)?;
        table.column(column).map(|_| (table, column))
    });
    let Some((table, column)) = found else {
        let known = catalogue.iter().map(|t| format!("{}.<column>", names(t))).collect();
        return Err(CliError::Unknown { kind: "column", name: path.to_owned(), known });
    };
    Ok(explain(&lake.policy, std::slice::from_ref(group), table, column))
}

fn print_table(lake: &LakeDefinition, group: &GroupName, table: &CatalogueTable) {
    let access = table_access(&lake.policy, std::slice::from_ref(group), table);
    let TableAccess::Visible { rows, columns } = access else { return };
    let rows = match rows {
        RowAccess::All => "all rows".to_owned(),
        RowAccess::Filter(filter) => format!("rows where {filter}"),
    };
    let (shown, of) = (columns.len(), table.columns.len());
    println!("  {}.{}: {rows}, {shown} of {of} columns", table.layer, table.name);
    if shown < of {
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        println!("    {}", names.join(", "));
    }
    for ColumnAccess { name, shown_when } in &columns {
        if let CellAccess::When(filter) = shown_when {
            println!("    {name}: NULL unless {filter}");
        }
    }
}
