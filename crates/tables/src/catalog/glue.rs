//! The Glue Data Catalog as an Iceberg catalog.
//!
//! A commit reads the table, compares its `metadata_location` with the base, and updates it under
//! the `VersionId` that was read: the optimistic lock of Athena, Glue's own compaction and
//! Iceberg's Java implementation. UpdateTable replaces the whole table input, so everything that
//! others keep there is copied.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_glue::Client;
use aws_sdk_glue::config::retry::RetryConfig;
use aws_sdk_glue::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_glue::types::{DatabaseInput, StorageDescriptor, Table, TableInput};
use aws_sdk_s3::config::http::HttpResponse;
use iceberg::TableIdent;
use iceberg::spec::TableMetadata;

use super::columns::columns;
use super::{Catalog, CatalogError, SwapError};
use crate::failure::{Failure, Verdict, verdict};

const TABLE_TYPE: &str = "table_type";
const ICEBERG: &str = "ICEBERG";
const METADATA_LOCATION: &str = "metadata_location";
const PREVIOUS_METADATA_LOCATION: &str = "previous_metadata_location";

/// The Glue Data Catalog of one account.
#[derive(Clone, Debug)]
pub struct GlueCatalog {
    client: Client,
}

impl GlueCatalog {
    /// A catalog seen through a client, whose endpoint, region and credentials it uses.
    pub fn new(client: Client) -> Self {
        GlueCatalog { client }
    }

    async fn get(&self, table: &TableIdent) -> Result<Option<Table>, CatalogError> {
        let name = table.to_string();
        let request = self.client.get_table().database_name(database(table)?).name(table.name());
        match request.send().await {
            Ok(reply) => Ok(reply.table),
            Err(error) => match read(&name, error) {
                (_, CatalogError::NotFound { .. }) => Ok(None),
                (_, error) => Err(error),
            },
        }
    }
}

#[async_trait]
impl Catalog for GlueCatalog {
    async fn ensure_database(&self, name: &str, description: &str) -> Result<(), CatalogError> {
        let found = self.client.get_database().name(name).send().await;
        match found.map_err(|error| read(name, error).1) {
            Ok(_) => return Ok(()),
            Err(CatalogError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let input = DatabaseInput::builder().name(name).description(description).build();
        let input = input.map_err(|error| unbuilt(name, error))?;
        let made = self.client.create_database().database_input(input).send().await;
        match made.map_err(|error| read(name, error).1) {
            Ok(_) | Err(CatalogError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn locate(&self, table: &TableIdent) -> Result<Option<String>, CatalogError> {
        let Some(found) = self.get(table).await? else { return Ok(None) };
        metadata_location(table, &found).map(|location| Some(location.to_owned()))
    }

    async fn create(
        &self,
        table: &TableIdent,
        location: &str,
        metadata: &TableMetadata,
    ) -> Result<(), CatalogError> {
        let name = table.to_string();
        let input = new_input(table, location, metadata).map_err(|error| unbuilt(&name, error))?;
        let request = self.client.create_table().database_name(database(table)?);
        let made = request.table_input(input).send().await;
        made.map(|_| ()).map_err(|error| read(&name, error).1)
    }

    async fn swap(
        &self,
        table: &TableIdent,
        base: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<(), SwapError> {
        let name = table.to_string();
        let found = self.get(table).await.map_err(SwapError::Rejected)?;
        let gone = CatalogError::NotFound { name: name.clone() };
        let found = found.ok_or(SwapError::Rejected(gone))?;
        if metadata_location(table, &found).map_err(SwapError::Rejected)? != base {
            return Err(SwapError::Conflict);
        }
        let Some(version) = found.version_id().map(str::to_owned) else {
            let reason = "the catalog gave no version of it, so commits could overwrite others";
            return Err(SwapError::Rejected(CatalogError::Unsuitable { name, reason }));
        };
        let input = next_input(found, base, next, metadata);
        let input = input.map_err(|error| SwapError::Rejected(unbuilt(&name, error)))?;
        // A retry of the SDK would meet the version that its own first attempt made, and report
        // a conflict where there was success.
        let once = aws_sdk_glue::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = self.client.update_table().version_id(version).skip_archive(true);
        let request = request.database_name(database(table).map_err(SwapError::Rejected)?);
        let sent = request.table_input(input).customize().config_override(once).send().await;
        sent.map(|_| ()).map_err(|error| match read(&name, error) {
            (Verdict { failure: Failure::Conflict, .. }, _) => SwapError::Conflict,
            (Verdict { definite: true, .. }, error) => SwapError::Rejected(error),
            (_, error) => SwapError::Unknown(error),
        })
    }
}

/// Glue's databases have one level.
fn database(table: &TableIdent) -> Result<&str, CatalogError> {
    match table.namespace().as_ref().as_slice() {
        [database] => Ok(database),
        _ => Err(CatalogError::Unsuitable {
            name: table.to_string(),
            reason: "its name must have the form `database.table`",
        }),
    }
}

/// Where the table's metadata is, provided that it is an Iceberg table.
fn metadata_location<'a>(table: &TableIdent, found: &'a Table) -> Result<&'a str, CatalogError> {
    let unsuitable = |reason| CatalogError::Unsuitable { name: table.to_string(), reason };
    let parameter = |key: &str| found.parameters()?.get(key).map(String::as_str);
    if !parameter(TABLE_TYPE).is_some_and(|kind| kind.eq_ignore_ascii_case(ICEBERG)) {
        return Err(unsuitable("parameter `table_type` is not `ICEBERG`"));
    }
    parameter(METADATA_LOCATION).ok_or_else(|| unsuitable("it has no `metadata_location`"))
}

fn new_input(
    table: &TableIdent,
    location: &str,
    metadata: &TableMetadata,
) -> Result<TableInput, BuildError> {
    let storage = StorageDescriptor::builder()
        .location(metadata.location())
        .set_columns(Some(columns(metadata, &[])?))
        .build();
    let comment =
        metadata.properties().get("comment").map(|text| text.chars().take(2048).collect());
    TableInput::builder()
        .name(table.name())
        .table_type("EXTERNAL_TABLE")
        .set_description(comment)
        .parameters(TABLE_TYPE, ICEBERG)
        .parameters(METADATA_LOCATION, location)
        .storage_descriptor(storage)
        .build()
}

/// The table as it is, with the pointer moved and the columns of the new schema.
fn next_input(
    found: Table,
    base: &str,
    next: &str,
    metadata: &TableMetadata,
) -> Result<TableInput, BuildError> {
    let mut parameters: HashMap<String, String> = found.parameters.unwrap_or_default();
    parameters.insert(TABLE_TYPE.to_owned(), ICEBERG.to_owned());
    parameters.insert(METADATA_LOCATION.to_owned(), next.to_owned());
    parameters.insert(PREVIOUS_METADATA_LOCATION.to_owned(), base.to_owned());
    let mut storage =
        found.storage_descriptor.unwrap_or_else(|| StorageDescriptor::builder().build());
    let existing = storage.columns.take().unwrap_or_default();
    storage.columns = Some(columns(metadata, &existing)?);
    storage.location = Some(metadata.location().to_owned());
    TableInput::builder()
        .name(found.name)
        .set_description(found.description)
        .set_owner(found.owner)
        .set_last_access_time(found.last_access_time)
        .set_last_analyzed_time(found.last_analyzed_time)
        .retention(found.retention)
        .storage_descriptor(storage)
        .set_partition_keys(found.partition_keys)
        .set_view_original_text(found.view_original_text)
        .set_view_expanded_text(found.view_expanded_text)
        .set_table_type(found.table_type)
        .set_parameters(Some(parameters))
        .set_target_table(found.target_table)
        .set_federated_table(found.federated_table)
        .build()
}

/// The error, and what is known about the request.
fn read<E>(name: &str, error: SdkError<E, HttpResponse>) -> (Verdict, CatalogError)
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let verdict = verdict(&error);
    let (name, code, source) = (name.to_owned(), verdict.code.clone(), Box::new(error));
    let error = match verdict.failure {
        Failure::NotFound => CatalogError::NotFound { name },
        Failure::Exists => CatalogError::Exists { name },
        Failure::Unavailable | Failure::Conflict => {
            CatalogError::Unavailable { name, code, source }
        }
        Failure::Denied => CatalogError::Denied { name, code, source },
        Failure::Refused => CatalogError::Refused { name, code, source },
    };
    (verdict, error)
}

fn unbuilt(name: &str, error: BuildError) -> CatalogError {
    let code = "request not built".to_owned();
    CatalogError::Refused { name: name.to_owned(), code, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use aws_sdk_glue::types::{Column, SerDeInfo};
    use iceberg::spec::{NestedField, Schema};
    use medallion_definition::contract::Sensitivity;
    use medallion_definition::types::LakeType;

    use super::*;
    use crate::schema::{FieldSpec, TableSpec};

    fn metadata() -> TableMetadata {
        let field = |name: &str, lake_type, doc: &str| FieldSpec {
            name: name.to_owned(),
            lake_type,
            required: name == "id",
            doc: doc.to_owned(),
            sensitivity: Sensitivity::Public,
            renamed_from: Vec::new(),
        };
        let spec = TableSpec {
            location: "s3://lake/t".to_owned(),
            fields: vec![
                field("id", LakeType::Long, "The key."),
                field("at", LakeType::TimestampTz, ""),
                field("sum", LakeType::Decimal { precision: 12, scale: 2 }, ""),
            ],
            key: vec!["id".to_owned()],
            buckets: 1,
            properties: BTreeMap::new(),
            dropped: Vec::new(),
        };
        spec.metadata().unwrap()
    }

    #[test]
    fn documentation_that_is_gone_is_no_comment_any_more() {
        let before = metadata();
        let schema = before.current_schema();
        let fields = schema.as_struct().fields().iter().map(|field| {
            let field = field.as_ref().clone();
            Arc::new(NestedField { doc: None, ..field })
        });
        let schema = Schema::builder().with_fields(fields).with_identifier_field_ids([1]).build();
        let builder = before.into_builder(None).add_current_schema(schema.unwrap()).unwrap();
        let after = builder.build().unwrap().metadata;
        let comment =
            |name: &str, text: &str| Column::builder().name(name).comment(text).build().unwrap();
        let existing = [comment("id", "The key."), comment("sum", "by hand")];
        let columns = columns(&after, &existing).unwrap();
        let comments: Vec<_> = columns.iter().map(|c| (c.name(), c.comment())).collect();
        assert_eq!(comments, [("id", None), ("at", None), ("sum", Some("by hand"))]);
    }

    #[test]
    fn what_others_keep_in_the_table_survives_a_commit() {
        let comment = Column::builder().name("at").r#type("timestamp").comment("by hand");
        let serde = SerDeInfo::builder().serialization_library("lib").build();
        let storage = StorageDescriptor::builder()
            .columns(comment.build().unwrap())
            .serde_info(serde.clone())
            .build();
        let found = Table::builder()
            .name("t")
            .description("The table.")
            .owner("ops")
            .retention(5)
            .table_type("EXTERNAL_TABLE")
            .parameters("table_type", "iceberg")
            .parameters("metadata_location", "base")
            .parameters("steward", "maria")
            .storage_descriptor(storage)
            .build()
            .unwrap();
        let input = next_input(found, "base", "next", &metadata()).unwrap();
        let parameter = |key: &str| input.parameters().unwrap().get(key).map(String::as_str);
        assert_eq!(parameter("metadata_location"), Some("next"));
        assert_eq!(parameter("previous_metadata_location"), Some("base"));
        assert_eq!(parameter("steward"), Some("maria"));
        assert_eq!((input.description(), input.owner()), (Some("The table."), Some("ops")));
        assert_eq!((input.retention(), input.table_type()), (5, Some("EXTERNAL_TABLE")));
        let storage = input.storage_descriptor().unwrap();
        assert_eq!(storage.serde_info(), Some(&serde));
        assert_eq!(storage.location(), Some("s3://lake/t"));
        let columns: Vec<_> = storage
            .columns()
            .iter()
            .map(|c| (c.name(), c.r#type().unwrap(), c.comment()))
            .collect();
        let expected = [
            ("id", "bigint", Some("The key.")),
            ("at", "timestamp", Some("by hand")),
            ("sum", "decimal(12,2)", None),
        ];
        assert_eq!(columns, expected);
        let id = storage.columns()[0].parameters().unwrap();
        assert_eq!(id["iceberg.field.id"], "1");
        assert_eq!(id["iceberg.field.optional"], "false");
        assert_eq!(id["iceberg.field.current"], "true");
    }
}
