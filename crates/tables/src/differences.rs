//! How a table differs from its description.

use std::collections::BTreeSet;

use medallion_definition::contract::Sensitivity;

use crate::schema::{TableSpec, arrow_type};
use crate::table::LakeTable;

impl TableSpec {
    /// What is not as described, by column name, one line each; the order of columns does not
    /// matter. Empty when the table can be written as described.
    pub fn differences(&self, table: &LakeTable) -> Vec<String> {
        let mut found = Vec::new();
        let schema = table.arrow_schema();
        for field in &self.fields {
            let Ok(column) = schema.field_with_name(&field.name) else {
                found.push(format!("column `{}` is not in the table", field.name));
                continue;
            };
            let wanted = arrow_type(field.lake_type);
            if *column.data_type() != wanted {
                let (name, is) = (&field.name, column.data_type());
                found.push(format!("column `{name}` is {is} in the table, {wanted} here"));
            }
            if column.is_nullable() == field.required {
                let is = if field.required { "nullable" } else { "required" };
                found.push(format!("column `{}` is {is} in the table", field.name));
            }
        }
        let described: BTreeSet<&str> = self.fields.iter().map(|f| f.name.as_str()).collect();
        for column in schema.fields().iter().filter(|c| !described.contains(c.name().as_str())) {
            found.push(format!("column `{}` is in the table only", column.name()));
        }
        found.extend(self.personal_differences(table));
        found
    }

    fn personal_differences(&self, table: &LakeTable) -> Option<String> {
        let personal = self.fields.iter().filter(|f| f.sensitivity == Sensitivity::Personal);
        let described: BTreeSet<&str> = personal.map(|f| f.name.as_str()).collect();
        let known = match table.personal_columns() {
            Ok(known) => known,
            Err(error) => return Some(error.to_string()),
        };
        let apart: Vec<&str> = known.symmetric_difference(&described).copied().collect();
        let list = apart.join("`, `");
        (!apart.is_empty()).then(|| format!("`{list}` is personal on one side only"))
    }
}
