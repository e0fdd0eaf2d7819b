//! `[[column]]` of a model's header.

use crate::contract::Sensitivity;
use crate::finding::RuleId;
use crate::model::ModelColumn;
use crate::read::contract::sensitivity;
use crate::section::{At, Section};

/// A reason why a column tells nothing about a person that says nothing, or that contradicts the
/// column's sensitivity.
pub(crate) const SAFE: RuleId = RuleId("model/safe");

pub(super) fn read(section: &Section<'_>) -> Option<At<ModelColumn>> {
    let name = section.required("name");
    let lake_type = section.required("type");
    let sensitivity = sensitivity(section);
    let safe_because = safe(section, sensitivity);
    let description = section.text("description").map_or("", |d| d.value).to_owned();
    let nullable = section.boolean("nullable").unwrap_or(true);
    Some(At {
        value: ModelColumn {
            name: name?.value,
            lake_type: lake_type?.value,
            sensitivity: sensitivity?,
            safe_because,
            description,
            nullable,
            line: section.line,
        },
        line: section.line,
    })
}

fn safe(section: &Section<'_>, sensitivity: Option<Sensitivity>) -> Option<String> {
    let reason = section.text("safe")?;
    let report = |message: &str, hint: &str| {
        section.report(SAFE, reason.line, message.to_owned(), hint.to_owned());
    };
    let text = reason.value.trim();
    if text.is_empty() {
        let hint = "say why the column tells nothing about a person, such as \
                    `safe = \"counts of at least five people\"`";
        report("`safe` gives no reason", hint);
        return None;
    }
    if sensitivity == Some(Sensitivity::Personal) {
        let hint = "leave `safe` away, or make the column `internal` or `public`";
        report("the column is `safe` and `personal`", hint);
        return None;
    }
    Some(text.to_owned())
}
