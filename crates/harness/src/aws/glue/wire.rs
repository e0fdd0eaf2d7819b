//! Catalog requests and replies in the names and types of the Glue API.
//!
//! Fields that Glue has and this endpoint does not serve are absent, so that they are refused.
//! Source: AWS Glue API reference, "Catalog objects" and "Table API".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) type Parameters = BTreeMap<String, String>;

/// An empty reply.
#[derive(Serialize)]
pub(super) struct Empty {}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DatabaseInput {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) create_table_default_permissions: Option<Vec<PrincipalPermissions>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct PrincipalPermissions {
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<DataLakePrincipal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<Permission>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DataLakePrincipal {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_lake_principal_identifier: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Permission {
    All,
    Select,
    Alter,
    Drop,
    Delete,
    Insert,
    CreateDatabase,
    CreateTable,
    DataLocationAccess,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TableInput {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_access_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_analyzed_time: Option<f64>,
    #[serde(default)]
    pub(super) retention: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage_descriptor: Option<StorageDescriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partition_keys: Option<Vec<Column>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) view_original_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) view_expanded_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Parameters>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StorageDescriptor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) columns: Option<Vec<Column>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_locations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format: Option<String>,
    #[serde(default)]
    compressed: bool,
    #[serde(default)]
    number_of_buckets: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    serde_info: Option<SerDeInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_columns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort_columns: Option<Vec<Order>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
    #[serde(default)]
    stored_as_sub_directories: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Parameters>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SerDeInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serialization_library: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Order {
    column: String,
    sort_order: i32,
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Deserialize)]
            #[serde(rename_all = "PascalCase", deny_unknown_fields)]
            pub(super) struct $name {
                pub(super) catalog_id: Option<String>,
                $(pub(super) $field: $type,)*
            }
        )*
    };
}

requests! {
    CreateDatabase { database_input: DatabaseInput, tags: Option<Parameters>, }
    GetDatabase { name: String, }
    GetDatabases {
        next_token: Option<String>,
        max_results: Option<u32>,
        resource_share_type: Option<ShareType>,
    }
    DeleteDatabase { name: String, }
    CreateTable { database_name: String, name: Option<String>, table_input: Option<TableInput>, }
    GetTable { database_name: String, name: String, }
    GetTables {
        database_name: String,
        next_token: Option<String>,
        max_results: Option<u32>,
    }
    UpdateTable {
        database_name: String,
        name: Option<String>,
        table_input: Option<TableInput>,
        skip_archive: Option<bool>,
        version_id: Option<String>,
    }
    DeleteTable { database_name: String, name: String, }
}

/// Whose databases to list; there are only the account's own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ShareType {
    Foreign,
    All,
    Federated,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Database {
    #[serde(flatten)]
    pub(super) input: DatabaseInput,
    /// Seconds since the epoch.
    pub(super) create_time: f64,
    pub(super) catalog_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Table {
    #[serde(flatten)]
    pub(super) input: TableInput,
    pub(super) database_name: String,
    /// Seconds since the epoch.
    pub(super) create_time: f64,
    /// Seconds since the epoch.
    pub(super) update_time: f64,
    pub(super) created_by: String,
    pub(super) is_registered_with_lake_formation: bool,
    pub(super) catalog_id: String,
    /// A decimal integer that grows by one with each update.
    pub(super) version_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DatabaseReply {
    pub(super) database: Database,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DatabasesReply {
    pub(super) database_list: Vec<Database>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TableReply {
    pub(super) table: Table,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TablesReply {
    pub(super) table_list: Vec<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}
