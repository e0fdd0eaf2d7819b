//! The keys that Medallion adds to a snapshot's summary.

/// The batch's id: SHA-256 over its files' keys and etags.
pub const BATCH: &str = "medallion.batch.id";
/// Key of the batch record.
pub const BATCH_RECORD: &str = "medallion.batch.record";
/// SHA-256 of the batch record.
pub const BATCH_SHA256: &str = "medallion.batch.sha256";
/// What the batch's result stands for: `merge` or `replace`.
pub const MODE: &str = "medallion.mode";
/// The load generation, counted from 1.
pub const GENERATION: &str = "medallion.generation";
/// The beginning of the generation, RFC 3339 in whole seconds; absent without a full load.
pub const GENERATION_SINCE: &str = "medallion.generation.since";
/// The greatest Bronze key of the generation applied so far, in file order.
pub const WATERMARK: &str = "medallion.watermark";
/// The greatest `change_seq` of the generation applied so far.
pub const WATERMARK_SEQ: &str = "medallion.watermark.seq";
/// Comma-separated keys of the batch records that hold the full load's files; written by versions
/// whose records did not say what was applied before them.
pub const LOAD_RECORDS: &str = "medallion.load.records";
/// The program's version.
pub const CODE_VERSION: &str = "medallion.version";
/// What a rebuild of the table was asked for: the same for the same point, contract, generation and
/// program.
pub const REPROCESS: &str = "medallion.reprocess";
/// The attempt at a rebuild to which a commit belongs.
pub const REPROCESS_RUN: &str = "medallion.reprocess.run";
/// The point from which a table was rebuilt.
pub const REPROCESS_FROM: &str = "medallion.reprocess.from";
/// Prefix of the counters of rules that only warn.
pub const WARNINGS: &str = "medallion.warnings.";
/// Prefix of the row counters.
pub const ROWS: &str = "medallion.rows.";
/// The versions that a Gold table was built from: JSON object of table to snapshot id, or to number,
/// last key and hash of Bronze files.
pub const INPUTS: &str = "medallion.inputs";
/// SHA-256 over the columns of these inputs.
pub const INPUT_COLUMNS: &str = "medallion.inputs.columns";
/// The rows of these inputs, as far as they are known without reading them: JSON object of table to
/// number.
pub const INPUT_ROWS: &str = "medallion.inputs.rows";
/// SHA-256 of the model's query and columns.
pub const MODEL: &str = "medallion.model";
/// Keys of a Gold table that an incremental build computed again.
pub const KEYS: &str = "medallion.keys";
