//! What a running replicator tells about itself.

use medallion_ingestion::layout::BronzeKey;

use crate::position::BinlogPosition;

/// Where a replicator stands; watched through a `tokio::sync::watch` channel.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Every change committed before this position is in Bronze files. Between files the position
    /// also moves past transactions without rows of the contracts' tables.
    pub durable: Option<BinlogPosition>,
    /// The files written since the start, in the order of writing.
    pub files: Vec<WrittenFile>,
}

/// What a replicator does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Checking the source.
    #[default]
    Starting,
    /// Writing the full load.
    Loading,
    /// Following the binlog.
    Following,
}

/// A Bronze file that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// The key.
    pub key: BronzeKey,
    /// The rows in it.
    pub rows: u64,
}
