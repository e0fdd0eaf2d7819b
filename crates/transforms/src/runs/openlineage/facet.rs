//! The form that all facets have.

use serde_json::{Value, json};

/// The URI that names this program as the source of an event: a package URL.
pub fn producer() -> String {
    concat!("pkg:generic/medallion@", env!("CARGO_PKG_VERSION")).to_owned()
}

/// A facet of the specification: its fields, and what every facet has. The schema's file and
/// definition have the facet's name.
pub(super) fn facet(version: &str, name: &str, fields: Value) -> Value {
    let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    let mut facet = json!({ "_producer": producer(), "_schemaURL": schema });
    if let (Value::Object(facet), Value::Object(fields)) = (&mut facet, fields) {
        facet.extend(fields);
    }
    facet
}
