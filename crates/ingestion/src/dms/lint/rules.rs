//! The rules of the linter: one sentence each, stable ids.

use medallion_definition::finding::RuleId;

macro_rules! rules {
    ($($name:ident, $id:literal, $why:literal;)*) => {
        $(#[doc = $why] pub const $name: RuleId = RuleId($id);)*
        /// Every rule with its explanation.
        pub const ALL: &[(RuleId, &str)] = &[$(($name, $why),)*];
    };
}

rules! {
    JSON, "dms/json", "Mappings and settings are JSON objects.";
    IDENTIFIER, "dms/identifier", "Identifiers begin with a letter and hold letters, digits and single hyphens.";

    SOURCE_ENGINE, "dms/source-engine", "The source is a `source` endpoint of `mysql`, `aurora` or `mariadb`.";
    PLAIN_CREDENTIALS, "dms/plain-credentials", "Host, port, user and password stand in a secret and nowhere else.";
    SECRET, "dms/secret", "The source names a secret and a role that may read it.";
    SOURCE_TLS, "dms/source-tls", "The server's certificate is verified; `require` encrypts for anybody who answers.";
    SOURCE_CERTIFICATE, "dms/source-certificate", "Verification needs the certificate authority.";
    SERVER_TIMEZONE, "dms/server-timezone", "`ServerTimezone` shifts TIMESTAMP values differently in the full load and in changes.";
    PARTITION_DDL, "dms/partition-ddl", "DDL on partitions must not suspend a table.";
    OPEN_XA, "dms/open-xa", "A transaction prepared before the start must not be missed.";
    AFTER_CONNECT, "dms/after-connect-script", "A script after connecting may change time zone or SQL mode, and thus values.";
    EXTRA_ATTRIBUTES, "dms/extra-attributes", "Extra connection attributes are `key=value`, separated by semicolons.";
    SOURCE_VERSION, "dms/source-version", "The server's version is one that AWS lists as a source.";
    BINLOG_COMPRESSION, "dms/binlog-compression", "DMS does not read compressed transactions in the binlog.";

    TARGET_ENGINE, "dms/target-engine", "The target is a `target` endpoint of `s3`.";
    DATA_FORMAT, "dms/data-format", "Bronze is Parquet; CSV has neither types nor NULL.";
    OP_IN_FULL_LOAD, "dms/op-in-full-load", "Full-load files have `Op` too, so that all files have one schema.";
    CHANGES_LEFT_OUT, "dms/changes-left-out", "Updates and deletes are written, not only inserts.";
    TIMESTAMP_COLUMN, "dms/timestamp-column", "Readers of Bronze find the time of a change in `dms_ts`.";
    MILLISECONDS, "dms/milliseconds", "Milliseconds cut DATETIME and TIMESTAMP values.";
    DATE_PARTITION, "dms/date-partition", "Changes lie in folders by UTC date, `yyyy/mm/dd`.";
    CDC_PATH, "dms/cdc-path", "Files in transaction order are CSV, and exclude the date folders.";
    GLUE_CATALOG, "dms/glue-catalog", "The catalog is the lake's, not that of DMS.";
    STATISTICS, "dms/statistics", "Bounds of personal columns must not stand in Parquet statistics.";
    ENCRYPTION, "dms/encryption", "Objects are encrypted by S3's key, or by a key that is named.";
    BUCKET_OWNER, "dms/bucket-owner", "Objects go to a bucket of the expected account only.";
    BUCKET_FOLDER, "dms/bucket-folder", "Bronze lies below `bronze/`.";
    CANNED_ACL, "dms/canned-acl", "Objects are not opened to anybody by an ACL.";
    COMPRESSION, "dms/compression", "Whether Parquet is compressed by this setting is not documented.";
    TARGET_ROLE, "dms/target-role", "The target names bucket and role.";

    SETTINGS_INCOMPLETE, "dms/settings-incomplete", "Every group of task settings is written down; defaults of DMS lose data.";
    SETTINGS_UNKNOWN, "dms/settings-unknown", "Task settings hold only keys that DMS knows.";
    SETTING_RANGE, "dms/setting-range", "Numbers lie in the ranges that DMS allows.";
    LOBS_LEFT_OUT, "dms/lobs-left-out", "LOB columns travel.";
    FULL_LOB_MODE, "dms/full-lob-mode", "S3 has limited LOB mode only.";
    LOB_SIZE, "dms/lob-size", "LOB values are not cut below what the contracts need.";
    BATCH_APPLY, "dms/batch-apply", "Batch apply on S3 may lose data.";
    PARALLEL_THREADS, "dms/parallel-threads", "Threads of load and apply do not exist for S3.";
    TARGET_SCHEMA, "dms/target-schema", "Folders carry the names of source schemas.";
    PREPARATION, "dms/preparation", "Any preparation but `DO_NOTHING` deletes Bronze's history.";
    STOP_AFTER_LOAD, "dms/stop-after-load", "The task goes on after the full load.";
    TRUNCATE_HANDLED, "dms/truncate-handled", "TRUNCATE at the source must not delete files of Bronze.";
    DROP_HANDLED, "dms/drop-handled", "DROP TABLE at the source must not delete files of Bronze.";
    ALTER_IGNORED, "dms/alter-ignored", "Columns that are added or changed reach Bronze.";
    TRUNCATE_UNNOTICED, "dms/truncate-unnoticed", "A TRUNCATE writes no row; DMS is asked to fail, which is not verified on AWS for S3.";
    ERROR_POLICY, "dms/error-policy", "No error policy goes on without the row.";
    CONFLICTS_IGNORED, "dms/conflicts-ignored", "Errors of the full load are reported.";
    NO_TABLES_CAPTURED, "dms/no-tables-captured", "A task that finds no table fails.";
    VALIDATION, "dms/validation", "DMS validates S3 by Athena, which copes only with timestamps in milliseconds; Bronze has microseconds.";
    VALIDATION_ONLY, "dms/validation-only", "The task moves data, it does not only compare.";
    LOGGING, "dms/logging", "Logs are on.";
    LOG_DETAIL, "dms/log-detail", "Detailed logs show values of rows.";
    CONTROL_TABLES, "dms/control-tables", "Control tables would be folders among the tables of Bronze.";
    BEFORE_IMAGE_SETTINGS, "dms/before-image-settings", "`BeforeImageSettings` are for streams; on S3 the mapping rule does it.";
    TIME_TRAVEL, "dms/time-travel", "The time-travel log does not exist for MySQL.";

    RULE_SHAPE, "dms/rule-shape", "Mappings are a list of rules that DMS knows.";
    RULE_ID, "dms/rule-id", "Rule ids are different numbers, rule names are different.";
    NO_SELECTION, "dms/no-selection", "Without a selection nothing travels.";
    TABLE_NOT_SELECTED, "dms/table-not-selected", "Every contract's table travels.";
    SELECTION_WITHOUT_CONTRACT, "dms/selection-without-contract", "What travels has a contract; `%` and `_` are wildcards in `include`.";
    SELECTION_FILTER, "dms/selection-filter", "No filter leaves out rows.";
    OBJECT_NAME, "dms/object-name", "Names with `%`, quotes or backticks are not supported.";
    CHANGE_SEQ, "dms/change-seq", "Changes are ordered by `$AR_H_CHANGE_SEQ`; times have many ties.";
    CHANGE_SEQ_TYPE, "dms/change-seq-type", "The sequence has 35 digits and must not be cut.";
    HEADER_EXPRESSION, "dms/header-expression", "Only the header fields that DMS lists exist.";
    BEFORE_IMAGE, "dms/before-image", "The old key of an update stands in `BI_` columns.";
    TWO_ACTIONS, "dms/two-actions", "Of two rules about one object only one is used.";
    BRONZE_CHANGED, "dms/bronze-changed", "Bronze holds what the source holds, under the same names.";
    WIDE_DECIMAL, "dms/wide-decimal", "A DECIMAL above 38 digits fits no Parquet decimal; it travels as text.";
    TABLE_SETTINGS, "dms/table-settings", "Settings name one selected table, once, without wildcards.";
    PARALLEL_LOAD, "dms/parallel-load", "Tables load whole or by key ranges without names: 1 to 10 columns that are never NULL, one value per column.";

    MIGRATION_TYPE, "dms/migration-type", "The replication makes a full load and follows the changes.";
    START_POSITION, "dms/start-position", "DMS starts from `file:position` or a checkpoint, never from a GTID.";
    SERVERLESS_START, "dms/serverless-start", "A serverless replication cannot start from a position or time.";
    STOP_POSITION, "dms/stop-position", "The replication does not stop by itself.";
    CAPACITY, "dms/capacity", "Capacity units are those that DMS has, the least not above the most.";
    NETWORK, "dms/network", "A replication has a subnet group with two subnets, and security groups.";
    PUBLIC_INSTANCE, "dms/public-instance", "The instance has no public address.";
    ENGINE_VERSION, "dms/engine-version", "The engine of DMS has what Bronze needs.";
}
