//! What a target endpoint says, checked: a bucket, and that it asks for the files that the
//! replicator writes.
//!
//! Source: AWS DMS guide, "Using Amazon S3 as a target"; defaults as there.

use std::time::Duration;

use super::endpoint_wire::{
    CannedAcl, Compression, DataFormat, DateDelimiter, DateSequence, Encryption, EndpointInput,
    ParquetVersion, S3Settings,
};
use super::error::DmsError;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) bucket: String,
    /// `CdcMaxBatchInterval`.
    pub(super) interval: Duration,
    /// `CdcMinFileSize` in bytes.
    pub(super) bytes: usize,
}

/// The only folder that Bronze lies in.
const FOLDER: &str = "bronze";
/// The only name of the timestamp column.
const TIMESTAMP: &str = "dms_ts";
const DEFAULT_INTERVAL: i64 = 60;
/// KB.
const DEFAULT_FILE_SIZE: i64 = 32_000;
/// KB; what fits a memory buffer.
const LARGEST_FILE_SIZE: i64 = 1_048_576;

/// Checks a target endpoint of the account.
///
/// # Errors
/// What DMS refuses, and what the replicator does not write.
pub(super) fn check(endpoint: &EndpointInput, account: &str) -> Result<Target, DmsError> {
    let engine = endpoint.engine_name.as_deref().unwrap_or_default();
    if engine != "s3" {
        return Err(DmsError::value(format!(
            "Engine name {engine} of a target endpoint is not served by this endpoint, which \
             writes to s3"
        )));
    }
    let login = endpoint.username.is_some() || endpoint.password.is_some();
    let server = endpoint.server_name.is_some() || endpoint.port.is_some();
    if login || server || endpoint.database_name.is_some() || endpoint.mysql_settings.is_some() {
        return Err(DmsError::combination(
            "Username, Password, ServerName, Port, DatabaseName and MySQLSettings are not valid \
             for engine s3",
        ));
    }
    let attributes = endpoint.extra_connection_attributes.as_deref().unwrap_or_default();
    if !attributes.trim().is_empty() {
        return Err(DmsError::value(
            "ExtraConnectionAttributes of an s3 endpoint are not served by this endpoint; use \
             S3Settings",
        ));
    }
    let settings = endpoint
        .s3_settings
        .as_ref()
        .ok_or_else(|| DmsError::combination("An s3 endpoint needs S3Settings"))?;
    let role = settings.service_access_role_arn.as_ref();
    if role.or(endpoint.service_access_role_arn.as_ref()).is_none() {
        return Err(DmsError::combination("An s3 endpoint needs ServiceAccessRoleArn"));
    }
    check_format(settings)?;
    check_columns(settings)?;
    check_folders(settings)?;
    check_storage(settings, account)?;
    flush(settings)
}

fn flush(settings: &S3Settings) -> Result<Target, DmsError> {
    let bucket = settings.bucket_name.clone();
    let bucket = bucket.filter(|name| !name.is_empty());
    let bucket = bucket.ok_or_else(|| DmsError::combination("S3Settings need BucketName"))?;
    let seconds = settings.cdc_max_batch_interval.unwrap_or(DEFAULT_INTERVAL);
    let kilobytes = settings.cdc_min_file_size.unwrap_or(DEFAULT_FILE_SIZE);
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or_else(|| DmsError::value("CdcMaxBatchInterval must be positive"))?;
    let kilobytes = Some(kilobytes).filter(|size| (1..=LARGEST_FILE_SIZE).contains(size));
    let bytes = kilobytes.and_then(|size| usize::try_from(size * 1024).ok()).ok_or_else(|| {
        DmsError::value(format!("CdcMinFileSize must be between 1 and {LARGEST_FILE_SIZE} KB"))
    })?;
    Ok(Target { bucket, interval: Duration::from_secs(seconds), bytes })
}

/// The value that the replicator is built for, or a refusal that says so.
fn only<T: PartialEq>(
    member: &str,
    given: Option<&T>,
    wanted: &T,
    default_too: bool,
    shown: &str,
) -> Result<(), DmsError> {
    let fits = given.map_or(default_too, |given| given == wanted);
    if fits {
        return Ok(());
    }
    Err(DmsError::value(format!(
        "S3Settings.{member} must be {shown}: the local stand-in writes nothing else"
    )))
}

fn check_format(settings: &S3Settings) -> Result<(), DmsError> {
    if settings.data_format != Some(DataFormat::Parquet) {
        return Err(DmsError::value(
            "S3Settings.DataFormat must be parquet: the local stand-in does not write csv (the \
             default of DMS)",
        ));
    }
    let csv = [
        ("CsvRowDelimiter", settings.csv_row_delimiter.is_some()),
        ("CsvDelimiter", settings.csv_delimiter.is_some()),
        ("CsvNullValue", settings.csv_null_value.is_some()),
        ("UseCsvNoSupValue", settings.use_csv_no_sup_value.is_some()),
        ("CsvNoSupValue", settings.csv_no_sup_value.is_some()),
        ("AddColumnName", settings.add_column_name.is_some()),
        ("Rfc4180", settings.rfc4180.is_some()),
        ("IgnoreHeaderRows", settings.ignore_header_rows.is_some()),
        ("MaxFileSize", settings.max_file_size.is_some()),
        ("AddTrailingPaddingCharacter", settings.add_trailing_padding_character.is_some()),
    ];
    if let Some((name, _)) = csv.iter().find(|(_, given)| *given) {
        return Err(DmsError::combination(format!(
            "S3Settings.{name} has a meaning for DataFormat csv only"
        )));
    }
    // Version 1 has no unsigned 32-bit integers, so that other types would be written.
    let version = settings.parquet_version.as_ref();
    only("ParquetVersion", version, &ParquetVersion::Two, false, "parquet-2-0")?;
    only("CompressionType", settings.compression_type.as_ref(), &Compression::None, true, "none")?;
    // How values are laid out inside a file shows in no value; the replicator decides it.
    for (name, value) in [
        ("DictPageSizeLimit", settings.dict_page_size_limit),
        ("DataPageSize", settings.data_page_size),
        ("RowGroupLength", settings.row_group_length),
    ] {
        if value.is_some_and(|value| value < 1) {
            return Err(DmsError::value(format!("S3Settings.{name} must be positive")));
        }
    }
    Ok(())
}

fn check_columns(settings: &S3Settings) -> Result<(), DmsError> {
    if settings.cdc_inserts_only == Some(true) && settings.cdc_inserts_and_updates == Some(true) {
        return Err(DmsError::combination(
            "CdcInsertsOnly and CdcInsertsAndUpdates cannot both be true",
        ));
    }
    let timestamp = settings.timestamp_column_name.as_deref();
    only("TimestampColumnName", timestamp.as_ref(), &TIMESTAMP, false, TIMESTAMP)?;
    for (name, given, wanted, default_too) in [
        ("IncludeOpForFullLoad", settings.include_op_for_full_load, true, false),
        ("CdcInsertsOnly", settings.cdc_inserts_only, false, true),
        ("CdcInsertsAndUpdates", settings.cdc_inserts_and_updates, false, true),
        ("ParquetTimestampInMillisecond", settings.parquet_timestamp_in_millisecond, false, true),
        (
            "UseTaskStartTimeForFullLoadTimestamp",
            settings.use_task_start_time_for_full_load_timestamp,
            false,
            true,
        ),
    ] {
        only(name, given.as_ref(), &wanted, default_too, if wanted { "true" } else { "false" })?;
    }
    Ok(())
}

fn check_folders(settings: &S3Settings) -> Result<(), DmsError> {
    only("BucketFolder", settings.bucket_folder.as_deref().as_ref(), &FOLDER, false, FOLDER)?;
    let partition = settings.date_partition_enabled.as_ref();
    only("DatePartitionEnabled", partition, &true, false, "true")?;
    let sequence = settings.date_partition_sequence.as_ref();
    only("DatePartitionSequence", sequence, &DateSequence::Day, true, "YYYYMMDD")?;
    let delimiter = settings.date_partition_delimiter.as_ref();
    only("DatePartitionDelimiter", delimiter, &DateDelimiter::Slash, true, "SLASH")?;
    let zone = settings.date_partition_timezone.as_deref();
    if zone.is_some_and(|zone| !["UTC", "Etc/UTC"].contains(&zone)) {
        return only("DatePartitionTimezone", zone.as_ref(), &"UTC", true, "UTC");
    }
    if settings.cdc_path.is_some() || settings.preserve_transactions == Some(true) {
        return Err(DmsError::combination(
            "S3Settings.CdcPath and PreserveTransactions give csv and exclude DatePartitionEnabled",
        ));
    }
    Ok(())
}

fn check_storage(settings: &S3Settings, account: &str) -> Result<(), DmsError> {
    let catalog = settings.glue_catalog_generation.as_ref();
    only("GlueCatalogGeneration", catalog, &false, true, "false")?;
    if settings.external_table_definition.is_some() {
        return Err(DmsError::combination("ExternalTableDefinition is for s3 source endpoints"));
    }
    let key = settings.server_side_encryption_kms_key_id.is_some();
    if key != (settings.encryption_mode == Some(Encryption::SseKms)) {
        return Err(DmsError::combination(
            "EncryptionMode sse-kms and ServerSideEncryptionKmsKeyId must be given together",
        ));
    }
    let acl = settings.canned_acl_for_objects.unwrap_or(CannedAcl::None);
    let own = [CannedAcl::None, CannedAcl::Private, CannedAcl::BucketOwnerFullControl];
    if !own.contains(&acl) {
        return Err(DmsError::value(
            "S3Settings.CannedAclForObjects must be none, private or bucket-owner-full-control: \
             the local stand-in shares no objects",
        ));
    }
    let owner = settings.expected_bucket_owner.as_deref();
    only("ExpectedBucketOwner", owner.as_ref(), &account, true, "the account of the endpoint")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn target(changes: Value) -> Result<Target, DmsError> {
        let mut settings = json!({
            "ServiceAccessRoleArn": "arn:aws:iam::111122223333:role/dms", "BucketName": "lake",
            "BucketFolder": "bronze", "DataFormat": "parquet", "ParquetVersion": "parquet-2-0",
            "IncludeOpForFullLoad": true, "TimestampColumnName": "dms_ts",
            "DatePartitionEnabled": true, "CdcMaxBatchInterval": 90
        });
        for (key, value) in changes.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let endpoint = json!({"EngineName": "s3", "S3Settings": settings});
        check(&serde_json::from_value(endpoint).unwrap(), ACCOUNT)
    }

    #[test]
    fn interval_and_size_become_the_flush_policy() {
        let expected = Target {
            bucket: "lake".into(),
            interval: Duration::from_secs(90),
            bytes: 32_000 * 1024,
        };
        assert_eq!(target(json!({})).unwrap(), expected);
        assert_eq!(target(json!({"CdcMinFileSize": 2})).unwrap().bytes, 2048);
    }

    #[test]
    fn settings_that_would_change_the_files_are_refused_by_name() {
        for (member, value) in [
            ("DataFormat", json!("csv")),
            ("DataFormat", Value::Null),
            ("ParquetVersion", json!("parquet-1-0")),
            ("ParquetVersion", Value::Null),
            ("CompressionType", json!("gzip")),
            ("IncludeOpForFullLoad", json!(false)),
            ("IncludeOpForFullLoad", Value::Null),
            ("TimestampColumnName", json!("ts")),
            ("TimestampColumnName", Value::Null),
            ("ParquetTimestampInMillisecond", json!(true)),
            ("UseTaskStartTimeForFullLoadTimestamp", json!(true)),
            ("CdcInsertsOnly", json!(true)),
            ("CdcInsertsAndUpdates", json!(true)),
            ("DatePartitionEnabled", Value::Null),
            ("DatePartitionSequence", json!("YYYYMMDDHH")),
            ("DatePartitionDelimiter", json!("DASH")),
            ("DatePartitionTimezone", json!("America/Sao_Paulo")),
            ("BucketFolder", json!("raw")),
            ("GlueCatalogGeneration", json!(true)),
            ("CannedAclForObjects", json!("public-read")),
            ("ExpectedBucketOwner", json!("999999999999")),
            ("CdcMaxBatchInterval", json!(0)),
            ("CdcMinFileSize", json!(-1)),
            ("RowGroupLength", json!(0)),
        ] {
            let refused = target(json!({member: value})).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{member}");
            assert!(refused.to_string().contains(member), "{refused}");
        }
    }

    #[test]
    fn illegal_combinations_are_refused() {
        for changes in [
            json!({"CsvDelimiter": ","}),
            json!({"MaxFileSize": 1}),
            json!({"CdcPath": "cdc"}),
            json!({"EncryptionMode": "sse-kms"}),
            json!({"ServerSideEncryptionKmsKeyId": "key"}),
            json!({"CdcInsertsOnly": true, "CdcInsertsAndUpdates": true}),
            json!({"BucketName": null}),
            json!({"ServiceAccessRoleArn": null}),
        ] {
            let refused = target(changes).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterCombinationException", "{refused}");
        }
    }
}
