//! `materialisation` of a model's header: `"full"` or `{ incremental = ["…"] }`.

use crate::finding::RuleId;
use crate::name::ColumnName;
use crate::read::model::repeated;
use crate::section::{At, Section};

/// A materialisation that cannot be read, or a key by which a model cannot be kept up to date.
pub(crate) const MATERIALISATION: RuleId = RuleId("model/materialisation");

/// The key of an incremental model; `None` for a full one.
pub(super) fn read(root: &Section<'_>) -> Option<Vec<At<ColumnName>>> {
    let value = root.value("materialisation")?;
    if value.get_ref().as_str() == Some("full") {
        return None;
    }
    let (line, hint) = (root.line_of(value), "write `\"full\"` or `{ incremental = [\"…\"] }`");
    let Some(table) = Section::of_value(root.reader, value, "`materialisation`") else {
        let message = "`materialisation` cannot be read".to_owned();
        root.report(MATERIALISATION, line, message, hint.to_owned());
        return None;
    };
    let key = table.parsed_list::<ColumnName>("incremental");
    if table.list_is_empty("incremental") {
        let message = "the incremental key is empty".to_owned();
        let hint = "name the columns of the grain by which rows are computed again".to_owned();
        root.report(MATERIALISATION, line, message, hint);
    }
    table.finish();
    Some(key)
}

/// The key is part of the grain: rows of one key replace rows of the same key.
pub(super) fn check(root: &Section<'_>, key: &[At<ColumnName>], grain: &[At<ColumnName>]) {
    for name in key {
        if !grain.iter().any(|g| g.value == name.value) {
            let message = format!("the incremental key `{}` is not part of the grain", name.value);
            let hint = "rows with one key replace those of the published table with the same key";
            root.report(MATERIALISATION, name.line, message, hint.to_owned());
        }
    }
    for name in repeated(key) {
        let message = format!("the incremental key `{}` stands twice", name.value);
        root.report(MATERIALISATION, name.line, message, String::new());
    }
}
