//! Which columns DMS treats as LOBs, and how large their values may be.

use medallion_definition::contract::{Column, TableContract};
use medallion_definition::types::{GeometryKind, LobLength, MySqlType};

/// The DMS guide asks to reckon with three times a value's size, because DMS measures it after a
/// conversion (`CHAP_Tasks.CustomizingTasks.TableMapping.SelectionTransformation.Tablesettings`).
const MEASURE: u64 = 3;

/// The largest LOB size, in KB, that AWS recommends for limited LOB mode.
pub const LARGEST_KB: u64 = 102_400;

/// The limit that DMS has without any setting, in KB.
pub const DEFAULT_KB: u64 = 32;

/// The size in KiB up to which a column may hold values, when DMS treats the column as a LOB:
/// NCLOB, CLOB or BLOB in its source types for MySQL. TINYTEXT, TEXT, TINYBLOB and BLOB travel as
/// ordinary texts and bytes.
pub fn declared_kb(source_type: &MySqlType) -> Option<u64> {
    const MEDIUM: u64 = 16 * 1024;
    const LONG: u64 = 4 * 1024 * 1024;
    // The largest document is as large as the largest packet that MySQL allows: 1 GiB.
    const JSON: u64 = 1024 * 1024;
    match source_type {
        MySqlType::Json => Some(JSON),
        // SRID, byte order, kind and two doubles: 25 bytes.
        MySqlType::Geometry(GeometryKind::Point) => Some(1),
        MySqlType::Geometry(_) => Some(LONG),
        MySqlType::Text(LobLength::Medium) | MySqlType::Blob(LobLength::Medium) => Some(MEDIUM),
        MySqlType::Text(LobLength::Long) | MySqlType::Blob(LobLength::Long) => Some(LONG),
        MySqlType::Text(LobLength::Tiny | LobLength::Normal)
        | MySqlType::Blob(LobLength::Tiny | LobLength::Normal)
        | MySqlType::Int { .. }
        | MySqlType::Decimal { .. }
        | MySqlType::Float
        | MySqlType::Double
        | MySqlType::Bit(_)
        | MySqlType::Date
        | MySqlType::DateTime(_)
        | MySqlType::Timestamp(_)
        | MySqlType::Time(_)
        | MySqlType::Year
        | MySqlType::Char { .. }
        | MySqlType::Binary { .. }
        | MySqlType::Enum(_)
        | MySqlType::Set(_) => None,
    }
}

/// The columns that DMS treats as LOBs.
pub fn columns(contract: &TableContract) -> impl Iterator<Item = &Column> {
    contract.columns.iter().filter(|c| declared_kb(&c.source_type).is_some())
}

/// The limit, in the KB of DMS, below which values of the table would be cut: what the contract
/// promises, else what the types allow. `None` for a table without LOB columns.
pub fn needed_kb(contract: &TableContract) -> Option<u64> {
    let declared = columns(contract).filter_map(|c| declared_kb(&c.source_type)).max()?;
    Some(contract.load.lob_max_kb.map_or(declared, u64::from) * MEASURE)
}
