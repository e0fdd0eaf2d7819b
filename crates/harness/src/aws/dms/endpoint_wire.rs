//! Endpoints in the names and types of the DMS API.
//!
//! The settings of engines other than MySQL and S3 are absent, so that they are refused.

use serde::{Deserialize, Serialize};

use super::wire::{Secret, Tag, requests};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EndpointType {
    Source,
    Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SslMode {
    None,
    Require,
    VerifyCa,
    VerifyFull,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, Serialize, Deserialize)]
            #[serde(rename_all = "PascalCase", deny_unknown_fields)]
            pub(super) struct $name {
                $(
                    $(#[$attribute])*
                    #[serde(skip_serializing_if = "Option::is_none")]
                    pub(super) $field: Option<$type>,
                )*
            }
        )*
    };
}

settings! {
    /// What CreateEndpoint and ModifyEndpoint take; what an endpoint is.
    EndpointInput {
        endpoint_identifier: String,
        endpoint_type: EndpointType,
        engine_name: String,
        username: String,
        password: Secret,
        server_name: String,
        port: i64,
        database_name: String,
        extra_connection_attributes: String,
        kms_key_id: String,
        certificate_arn: String,
        ssl_mode: SslMode,
        service_access_role_arn: String,
        s3_settings: S3Settings,
        #[serde(rename = "MySQLSettings")]
        mysql_settings: MySqlSettings,
        tags: Vec<Tag>,
        resource_identifier: String,
        endpoint_arn: String,
        exact_settings: bool,
    }
    MySqlSettings {
        after_connect_script: String,
        clean_source_metadata_on_mismatch: bool,
        database_name: String,
        events_poll_interval: i64,
        target_db_type: TargetDbType,
        max_file_size: i64,
        parallel_load_threads: i64,
        password: Secret,
        port: i64,
        server_name: String,
        server_timezone: String,
        username: String,
        secrets_manager_access_role_arn: String,
        secrets_manager_secret_id: String,
        execute_timeout: i64,
        service_access_role_arn: String,
        authentication_method: Authentication,
    }
    S3Settings {
        service_access_role_arn: String,
        external_table_definition: String,
        csv_row_delimiter: String,
        csv_delimiter: String,
        bucket_folder: String,
        bucket_name: String,
        compression_type: Compression,
        encryption_mode: Encryption,
        server_side_encryption_kms_key_id: String,
        data_format: DataFormat,
        encoding_type: Encoding,
        dict_page_size_limit: i64,
        row_group_length: i64,
        data_page_size: i64,
        parquet_version: ParquetVersion,
        enable_statistics: bool,
        include_op_for_full_load: bool,
        cdc_inserts_only: bool,
        timestamp_column_name: String,
        parquet_timestamp_in_millisecond: bool,
        cdc_inserts_and_updates: bool,
        date_partition_enabled: bool,
        date_partition_sequence: DateSequence,
        date_partition_delimiter: DateDelimiter,
        use_csv_no_sup_value: bool,
        csv_no_sup_value: String,
        preserve_transactions: bool,
        cdc_path: String,
        use_task_start_time_for_full_load_timestamp: bool,
        canned_acl_for_objects: CannedAcl,
        add_column_name: bool,
        cdc_max_batch_interval: i64,
        cdc_min_file_size: i64,
        csv_null_value: String,
        ignore_header_rows: i64,
        max_file_size: i64,
        rfc4180: bool,
        date_partition_timezone: String,
        add_trailing_padding_character: bool,
        expected_bucket_owner: String,
        glue_catalog_generation: bool,
    }
}

macro_rules! enumerations {
    ($($name:ident { $($(#[$attribute:meta])* $variant:ident = $wire:literal,)* })*) => {
        $(
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
            pub(super) enum $name { $($(#[$attribute])* #[serde(rename = $wire)] $variant,)* }
        )*
    };
}

enumerations! {
    TargetDbType { Specific = "specific-database", Multiple = "multiple-databases", }
    Authentication { Password = "password", Iam = "iam", }
    Compression { None = "none", Gzip = "gzip", }
    Encryption { SseS3 = "sse-s3", SseKms = "sse-kms", }
    DataFormat { Csv = "csv", Parquet = "parquet", }
    Encoding {
        Plain = "plain",
        PlainDictionary = "plain-dictionary",
        RleDictionary = "rle-dictionary",
    }
    ParquetVersion { One = "parquet-1-0", Two = "parquet-2-0", }
    DateSequence {
        Day = "YYYYMMDD",
        Hour = "YYYYMMDDHH",
        Month = "YYYYMM",
        MonthYearDay = "MMYYYYDD",
        DayMonthYear = "DDMMYYYY",
    }
    DateDelimiter { Slash = "SLASH", Underscore = "UNDERSCORE", Dash = "DASH", None = "NONE", }
    CannedAcl {
        None = "none",
        Private = "private",
        PublicRead = "public-read",
        PublicReadWrite = "public-read-write",
        AuthenticatedRead = "authenticated-read",
        AwsExecRead = "aws-exec-read",
        BucketOwnerRead = "bucket-owner-read",
        BucketOwnerFullControl = "bucket-owner-full-control",
    }
}

requests! {
    DeleteEndpoint { endpoint_arn: String, }
    TestConnection { replication_instance_arn: String, endpoint_arn: String, }
}

/// An endpoint as it is described: without passwords.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointDescription {
    #[serde(flatten)]
    pub(super) input: EndpointInput,
    pub(super) engine_display_name: &'static str,
    pub(super) status: &'static str,
    pub(super) endpoint_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointReply {
    pub(super) endpoint: EndpointDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointsReply {
    pub(super) endpoints: Vec<EndpointDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Connection {
    pub(super) replication_instance_arn: String,
    pub(super) endpoint_arn: String,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_failure_message: Option<String>,
    pub(super) endpoint_identifier: String,
    pub(super) replication_instance_identifier: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConnectionReply {
    pub(super) connection: Connection,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConnectionsReply {
    pub(super) connections: Vec<Connection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) marker: Option<String>,
}
