//! Effective access of groups to a table, computed as Lake Formation does (`data-filtering`, and
//! `RowFilter` and `CellFilters` of Glue's `GetUnfilteredTableMetadata`).
//!
//! Grants add up and there is no deny. A row is returned when any grant matches it; a cell is shown
//! when any grant that contains its column matches the row, and is NULL otherwise. So two grants
//! never give all rows × all columns unless one of them has both.

use std::fmt::Write as _;

use medallion_definition::catalogue::{CatalogueColumn, CatalogueTable};
use medallion_definition::name::GroupName;
use medallion_definition::policy::{ColumnSelection, Grant, Policy};
use medallion_definition::row_expression::RowExpression;

/// What groups see of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableAccess {
    /// For them the table does not exist.
    Hidden,
    /// They see these rows and columns.
    Visible {
        /// The rows that are returned.
        rows: RowAccess,
        /// The columns that exist for them, in the table's order; never empty.
        columns: Vec<ColumnAccess>,
    },
}

/// The rows that are returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAccess {
    /// Every row.
    All,
    /// Those for which this is TRUE.
    Filter(RowExpression),
}

/// One visible column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnAccess {
    /// The name as the catalogue spells it.
    pub name: String,
    /// Where its values are shown.
    pub shown_when: CellAccess,
}

/// In which of the returned rows a column's value is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellAccess {
    /// In all of them.
    Always,
    /// Where this is TRUE; elsewhere the cell is NULL.
    When(RowExpression),
}

/// The effective access of somebody who is in all of `groups`.
///
/// Fails closed: a grant whose row filter does not fit the table opens nothing.
pub fn table_access(policy: &Policy, groups: &[GroupName], table: &CatalogueTable) -> TableAccess {
    let open: Vec<(&Grant, Vec<&CatalogueColumn>)> = grants_for(policy, groups, table)
        .filter_map(|grant| Some((grant, opened_columns(grant, table).ok()?)))
        .collect();
    if open.is_empty() {
        return TableAccess::Hidden;
    }
    let rows = union(open.iter().map(|(grant, _)| grant.rows.as_ref()));
    let column = |column: &CatalogueColumn| {
        let opening = open.iter().filter(|(_, columns)| columns.contains(&column));
        let mut opening = opening.map(|(grant, _)| grant.rows.as_ref()).peekable();
        opening.peek()?;
        let shown_when = match union(opening) {
            Some(cells) if Some(&cells) != rows.as_ref() => CellAccess::When(any_of(&cells)),
            _ => CellAccess::Always,
        };
        Some(ColumnAccess { name: column.name.clone(), shown_when })
    };
    TableAccess::Visible {
        columns: table.columns.iter().filter_map(column).collect(),
        rows: rows.map_or(RowAccess::All, |filters| RowAccess::Filter(any_of(&filters))),
    }
}

/// Says which grants open a column to somebody in all of `groups`, in which rows, and why the
/// others do not; one line per grant, with the file and line where it stands.
pub fn explain(
    policy: &Policy,
    groups: &[GroupName],
    table: &CatalogueTable,
    column: &str,
) -> String {
    let verdict = match table_access(policy, groups, table) {
        TableAccess::Hidden => "hidden: the table does not exist for".to_owned(),
        TableAccess::Visible { rows, columns } => {
            match (columns.into_iter().find(|c| c.name == column), rows) {
                (None, _) => "hidden: the column does not exist for".to_owned(),
                (Some(ColumnAccess { shown_when: CellAccess::When(filter), .. }), _) => {
                    format!("shown where {filter}, elsewhere NULL, to")
                }
                (Some(_), RowAccess::All) => "shown in every row to".to_owned(),
                (Some(_), RowAccess::Filter(filter)) => format!("shown where {filter} to"),
            }
        }
    };
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    let mut out =
        format!("{}.{}.{column}: {verdict} {}", table.layer, table.name, names.join(", "));
    for group in groups.iter().filter(|g| policy.group(g.as_str()).is_none()) {
        let _ = write!(out, "\n  the policy has no group `{group}`");
    }
    let mut grants = grants_for(policy, groups, table).peekable();
    if grants.peek().is_none() {
        out.push_str("\n  no grant selects the table for them");
    }
    for grant in grants {
        let (file, line) = &grant.place;
        let effect = effect(grant, table, column);
        let _ =
            write!(out, "\n  {effect} grant `{}` to `{}` ({file}:{line})", grant.name, grant.to);
    }
    out
}

fn grants_for<'a>(
    policy: &'a Policy,
    groups: &'a [GroupName],
    table: &'a CatalogueTable,
) -> impl Iterator<Item = &'a Grant> {
    let selects =
        |g: &&Grant| groups.contains(&g.to) && g.tables.includes(table.layer, &table.name);
    policy.grants.iter().filter(selects)
}

/// The columns of the table that a grant opens, or why it opens none.
fn opened_columns<'a>(
    grant: &Grant,
    table: &'a CatalogueTable,
) -> Result<Vec<&'a CatalogueColumn>, String> {
    if let Some(rows) = &grant.rows {
        let problems = rows.check_types(|name| table.column(name.as_str()).map(|c| c.lake_type));
        if let Some(problem) = problems.first() {
            return Err(format!("its row filter does not fit the table ({problem})"));
        }
    }
    let selected = |column: &&CatalogueColumn| match &grant.columns {
        ColumnSelection::All => true,
        ColumnSelection::Sensitivity(values) => values.contains(&column.sensitivity),
        ColumnSelection::Named(names) => names.iter().any(|n| same(column, n.as_str())),
        ColumnSelection::Excluding(names) => !names.iter().any(|n| same(column, n.as_str())),
    };
    let columns: Vec<&CatalogueColumn> = table.columns.iter().filter(selected).collect();
    if columns.is_empty() {
        Err("it selects no column of the table".to_owned())
    } else {
        Ok(columns)
    }
}

/// Glue's names have no case.
fn same(column: &CatalogueColumn, name: &str) -> bool {
    column.name.eq_ignore_ascii_case(name)
}

fn effect(grant: &Grant, table: &CatalogueTable, column: &str) -> String {
    match opened_columns(grant, table) {
        Err(reason) => format!("closed, because {reason}, by"),
        Ok(columns) if !columns.iter().any(|c| c.name == column) => {
            "not opened, because it does not contain the column, by".to_owned()
        }
        Ok(_) => match &grant.rows {
            None => "opened in every row by".to_owned(),
            Some(rows) => format!("opened where {rows} by"),
        },
    }
}

/// The distinct filters of several grants; none when one of them has no filter.
fn union<'a>(
    filters: impl Iterator<Item = Option<&'a RowExpression>>,
) -> Option<Vec<&'a RowExpression>> {
    let mut distinct = Vec::new();
    for filter in filters {
        let filter = filter?;
        if !distinct.contains(&filter) {
            distinct.push(filter);
        }
    }
    Some(distinct)
}

/// The OR of filters, balanced so that its depth stays small. The list is not empty.
fn any_of(filters: &[&RowExpression]) -> RowExpression {
    let (left, right) = filters.split_at(filters.len() / 2);
    match right {
        [only] if left.is_empty() => (*only).clone(),
        _ => RowExpression::Or(Box::new(any_of(left)), Box::new(any_of(right))),
    }
}

#[cfg(test)]
mod tests;
