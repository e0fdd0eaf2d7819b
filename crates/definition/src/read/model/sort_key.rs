//! Whether the grain can be the sort key of the model's table.

use crate::finding::RuleId;
use crate::model::ModelColumn;
use crate::name::ColumnName;
use crate::read::model::find;
use crate::section::{At, Section};

/// Reports grain columns that cannot be part of a sort key, for models that need one. `rule` tells
/// why they do.
pub(super) fn check(
    root: &Section<'_>,
    rule: RuleId,
    grain: &[At<ColumnName>],
    columns: &[At<ModelColumn>],
) {
    for At { value: column, line } in grain.iter().filter_map(|g| find(columns, &g.value)) {
        let name = &column.name;
        if column.nullable {
            let message = format!("the grain column `{name}` is nullable");
            let hint = "incremental and partitioned tables are sorted by their grain: \
                        set `nullable = false`";
            root.report(rule, *line, message, hint.to_owned());
        } else if !column.can_be_key() {
            let message = format!("the grain column `{name}` is {}", column.lake_type);
            let hint = "incremental and partitioned tables have their grain for a key, and Iceberg \
                        takes no floating-point numbers there";
            root.report(rule, *line, message, hint.to_owned());
        }
    }
}
