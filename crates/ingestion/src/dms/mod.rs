//! From contracts and an environment to the documents from which AWS makes a DMS replication.
//!
//! [`DmsPlan::new`] is a pure function: the lake's contracts and an [`Environment`] go in, a value
//! comes out that can be printed, compared and turned into
//! * [`documents`]: the parameters of the API calls (`CreateEndpoint`, `CreateReplicationTask`,
//!   `CreateReplicationConfig`, …), and the same documents as [`lint::DmsDocuments`];
//! * [`template`]: the CloudFormation resources of the same replication;
//! * [`files`](DmsPlan::files): what `medallion synth` writes below `infra/stacks/`.
//!
//! [`lint`](mod@lint) judges such documents whoever wrote them: ours, or those of a live
//! replication as `DescribeEndpoints` and its siblings show them. What the plan makes passes every
//! rule.
//!
//! # What is decided here, and why
//! * **No column statistics in Bronze** (`EnableStatistics` is false). DMS has one switch for all
//!   columns of all tables, and minimum and maximum of a personal column are personal data. The
//!   price is that readers cannot skip row groups; Silver reads each Bronze file once and whole.
//! * **DMS is asked to fail on a truncated table** (`ApplyErrorFailOnTruncationDdl`). With
//!   `HandleSourceTableTruncated` off, Bronze keeps its history, and no row tells of the
//!   truncation; so somebody has to hear of it in another way. Whether DMS does stop for an S3
//!   target is not verified on AWS; the safety net is to reconcile the lake with the table
//!   statistics of DMS.
//! * **DMS does not validate** (`EnableValidation` is false). On S3 it would compare by Athena,
//!   which copes only with timestamps in milliseconds; Bronze keeps microseconds. The project's
//!   own verification compares source and lake.
//! * **Every data error stops the task.** The defaults of DMS write a line to a log and go on
//!   without the row.
//! * **LOB sizes come from contracts.** Limited LOB mode is the only one that the S3 target has; it
//!   cuts longer values. The guide asks to reckon with three times the size and does not list S3
//!   among the targets of table-level LOB settings, so both the task's and the table's limit cover
//!   the need, times three.
//! * **Tables are selected by `explicit` rules**: in every other rule `_` is a wildcard.
//! * **`change_seq`, not time, is the order.** MySQL's binlog has times of whole seconds.
//! * **`BI_` columns** carry the key as it was before an update; without them a changed key would
//!   leave its old row in Silver for ever.
//! * **Open XA transactions are waited for** (`IgnoreOpenXaTransactionsCheck=false`), because a
//!   transaction that was prepared before the task starts would be missed. The user of the source
//!   needs `XA_RECOVER_ADMIN` for it.
//! * **`ServerTimezone` stays unset**: with it, the full load and the changes shift TIMESTAMP
//!   values differently.
//! * **Names are fixed** (`ResourceIdentifier`), so that every ARN is known before it exists.
//!
//! [`Environment`]: medallion_definition::environment::Environment

pub mod documents;
pub mod endpoint;
pub mod lint;
pub mod lob;
pub mod mapping;
pub mod plan;
pub mod replication;
pub mod settings;
pub mod template;
mod text;

pub use plan::DmsPlan;
