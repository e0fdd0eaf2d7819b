//! Bronze object keys, as DMS names them (S3 target guide: full-load counter, date partition with
//! `SLASH` and `YYYYMMDD`).

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use medallion_definition::name::{Layer, NameError, TableId};

/// The key of one Bronze object.
///
/// Within one table keys are ordered as they were written: full-load files, then change files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BronzeKey {
    /// A file of the full load: `bronze/crm/customers/LOAD00000001.parquet`, or
    /// `bronze/crm/customers/SEGMENT2_LOAD00000001.parquet` when key ranges are loaded in parallel.
    Load {
        /// The source table.
        table: TableId,
        /// The key range, from 1; `None` when the table was loaded as a whole.
        segment: Option<u32>,
        /// The file's number, from 1; the key shows it as eight upper-case hexadecimal digits.
        number: u32,
    },
    /// A file of changes: `bronze/crm/customers/2026/01/31/20260131-235959123.parquet`.
    Changes {
        /// The source table.
        table: TableId,
        /// When the file was written, UTC, in milliseconds (ten thousandths of a second where DMS
        /// shows ten digits).
        written: NaiveDateTime,
    },
}

/// Why a key is none of Bronze's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The key does not have the shape of a full-load or change file.
    #[error("`{key}` is no Bronze key: {reason}")]
    Shape {
        /// The offending key.
        key: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Schema or table is no name that a lake may have.
    #[error("`{key}` names no table of a lake")]
    Table {
        /// The offending key.
        key: String,
        /// What is wrong with the name.
        source: NameError,
    },
}

/// The prefix of all Bronze objects of a table, with the closing slash: `bronze/crm/customers/`.
pub fn table_prefix(table: &TableId) -> String {
    format!("{}/{}/{}/", Layer::Bronze, table.schema, table.table)
}

impl BronzeKey {
    /// The source table.
    pub fn table(&self) -> &TableId {
        match self {
            BronzeKey::Load { table, .. } | BronzeKey::Changes { table, .. } => table,
        }
    }

    /// True for a file of the full load.
    pub fn is_full_load(&self) -> bool {
        matches!(self, BronzeKey::Load { .. })
    }
}

impl fmt::Display for BronzeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BronzeKey::Load { table, segment, number } => {
                f.write_str(&table_prefix(table))?;
                if let Some(segment) = segment {
                    write!(f, "SEGMENT{segment}_")?;
                }
                write!(f, "LOAD{number:08X}.parquet")
            }
            BronzeKey::Changes { table, written } => {
                write!(f, "{}{}", table_prefix(table), written.format("%Y/%m/%d/%Y%m%d-%H%M%S"))?;
                // A leap second does not come from a clock in UTC that DMS could have.
                let fraction = written.nanosecond() % 1_000_000_000 / 100_000;
                match fraction % 10 {
                    0 => write!(f, "{:03}.parquet", fraction / 10),
                    _ => write!(f, "{fraction:04}.parquet"),
                }
            }
        }
    }
}

impl FromStr for BronzeKey {
    type Err = LayoutError;

    /// Reads a key as a listing shows it.
    ///
    /// DMS derives folder and name from the time of writing, yet may put late changes into the
    /// next day's folder; a folder one day off is therefore accepted, and such a key does not
    /// print as it was read. Read objects by the key that was listed.
    fn from_str(key: &str) -> Result<Self, LayoutError> {
        let shape = |reason| LayoutError::Shape { key: key.to_owned(), reason };
        let parts: Vec<&str> = key.split('/').collect();
        let (&[layer, schema, table], rest) = parts
            .split_first_chunk::<3>()
            .ok_or_else(|| shape("it must begin with `bronze/<schema>/<table>/`"))?;
        if layer != Layer::Bronze.as_str() {
            return Err(shape("it must begin with `bronze/`"));
        }
        let table = table_id(schema, table)
            .map_err(|source| LayoutError::Table { key: key.to_owned(), source })?;
        match rest {
            [name] => {
                let (segment, name) = load_segment(name).map_err(shape)?;
                let number = load_number(name).map_err(shape)?;
                Ok(BronzeKey::Load { table, segment, number })
            }
            [year, month, day, name] => {
                let folder = folder_date(year, month, day).map_err(shape)?;
                let written = write_time(name).map_err(shape)?;
                if (written.date() - folder).num_days().abs() > 1 {
                    return Err(shape("folder and file name are more than a day apart"));
                }
                Ok(BronzeKey::Changes { table, written })
            }
            _ => Err(shape("a table folder holds `LOAD` files and `yyyy/mm/dd/` folders only")),
        }
    }
}

fn table_id(schema: &str, table: &str) -> Result<TableId, NameError> {
    Ok(TableId { schema: schema.parse()?, table: table.parse()? })
}

/// The key range of `SEGMENT<n>_LOAD…` and the rest of the name.
fn load_segment(name: &str) -> Result<(Option<u32>, &str), &'static str> {
    const SHAPE: &str = "a key range's file is named `SEGMENT<n>_LOAD<number>.parquet`, n from 1";
    let Some(rest) = name.strip_prefix("SEGMENT") else { return Ok((None, name)) };
    let (digits, rest) = rest.split_once('_').ok_or(SHAPE)?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    match digits.parse() {
        Ok(segment) if plain => Ok((Some(segment), rest)),
        _ => Err(SHAPE),
    }
}

fn load_number(name: &str) -> Result<u32, &'static str> {
    let digits = name
        .strip_prefix("LOAD")
        .and_then(|rest| rest.strip_suffix(".parquet"))
        .ok_or("a full-load file is named `LOAD<number>.parquet`")?;
    let upper_hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    if digits.len() != 8 || !digits.bytes().all(upper_hex) {
        return Err("the number of a full-load file has eight upper-case hexadecimal digits");
    }
    match u32::from_str_radix(digits, 16) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("full-load files are numbered from 1"),
    }
}

/// The number that exactly `width` decimal digits show.
fn digits(text: &str, width: usize) -> Option<u32> {
    let shown = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if shown { text.parse().ok() } else { None }
}

fn folder_date(year: &str, month: &str, day: &str) -> Result<NaiveDate, &'static str> {
    let parts = (digits(year, 4), digits(month, 2), digits(day, 2));
    let (Some(year), Some(month), Some(day)) = parts else {
        return Err("date folders are written `yyyy/mm/dd`");
    };
    NaiveDate::from_ymd_opt(year.cast_signed(), month, day).ok_or("the folders name no date")
}

fn write_time(name: &str) -> Result<NaiveDateTime, &'static str> {
    const SHAPE: &str = "a change file is named `yyyymmdd-hhmmssmmm.parquet`";
    let stem = name.strip_suffix(".parquet").ok_or(SHAPE)?;
    let (date, time) = stem.split_once('-').ok_or(SHAPE)?;
    if digits(date, 8).is_none() || !(9..=10).contains(&time.len()) || !time.is_ascii() {
        return Err(SHAPE);
    }
    let date = folder_date(&date[..4], &date[4..6], &date[6..])?;
    let (clock, fraction) = time.split_at(6);
    let clock = (digits(&clock[..2], 2), digits(&clock[2..4], 2), digits(&clock[4..], 2));
    let (Some(h), Some(m), Some(s)) = clock else { return Err(SHAPE) };
    let nanos = digits(fraction, fraction.len()).ok_or(SHAPE)?
        * if fraction.len() == 3 { 1_000_000 } else { 100_000 };
    let time = NaiveTime::from_hms_nano_opt(h, m, s, nanos).ok_or("the name shows no time")?;
    Ok(date.and_time(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customers() -> TableId {
        "crm.customers".parse().unwrap()
    }

    fn at(millis: u32) -> NaiveDateTime {
        let date = NaiveDate::from_ymd_opt(2021, 11, 23).unwrap();
        date.and_hms_milli_opt(1, 38, 30, millis).unwrap()
    }

    #[test]
    fn keys_print_as_dms_names_its_files_and_parse_back() {
        let load = BronzeKey::Load { table: customers(), segment: None, number: 0x1F };
        let changes = BronzeKey::Changes { table: customers(), written: at(913) };
        let range = BronzeKey::Load { table: customers(), segment: Some(12), number: 1 };
        assert_eq!(load.to_string(), "bronze/crm/customers/LOAD0000001F.parquet");
        assert_eq!(range.to_string(), "bronze/crm/customers/SEGMENT12_LOAD00000001.parquet");
        assert_eq!(
            changes.to_string(),
            "bronze/crm/customers/2021/11/23/20211123-013830913.parquet"
        );
        for key in [load, range, changes] {
            assert_eq!(key.to_string().parse::<BronzeKey>().unwrap(), key);
            assert!(key.to_string().starts_with(&table_prefix(key.table())));
        }
    }

    #[test]
    fn ten_digits_after_the_dash_are_read_and_printed() {
        let text = "bronze/crm/customers/2021/11/23/20211123-0138309137.parquet";
        let key: BronzeKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        let written = at(913) + chrono::TimeDelta::microseconds(700);
        assert_eq!(key, BronzeKey::Changes { table: customers(), written });
    }

    #[test]
    fn a_folder_one_day_off_is_read_and_two_days_off_are_refused() {
        let next_day = "bronze/crm/customers/2021/11/24/20211123-013830913.parquet";
        let expected = BronzeKey::Changes { table: customers(), written: at(913) };
        assert_eq!(next_day.parse::<BronzeKey>().unwrap(), expected);
        let later = next_day.replace("/24/", "/25/");
        assert!(matches!(later.parse::<BronzeKey>(), Err(LayoutError::Shape { .. })));
    }

    #[test]
    fn within_a_table_loads_sort_before_changes_and_changes_by_time() {
        let load = BronzeKey::Load { table: customers(), segment: None, number: 2 };
        let first = BronzeKey::Changes { table: customers(), written: at(9) };
        let second = BronzeKey::Changes { table: customers(), written: at(10) };
        assert!(load < first && first < second);
        assert!(load.is_full_load() && !first.is_full_load());
    }

    #[test]
    fn keys_of_another_shape_are_refused() {
        let cases = [
            "",
            "bronze/crm/customers/",
            "silver/crm/customers/LOAD00000001.parquet",
            "bronze/crm/customers/LOAD00000000.parquet",
            "bronze/crm/customers/LOAD0000000a.parquet",
            "bronze/crm/customers/LOAD+0000001.parquet",
            "bronze/crm/customers/LOAD1.parquet",
            "bronze/crm/customers/SEGMENT_LOAD00000001.parquet",
            "bronze/crm/customers/SEGMENT0_LOAD00000001.parquet",
            "bronze/crm/customers/SEGMENT+1_LOAD00000001.parquet",
            "bronze/crm/customers/SEGMENT1LOAD00000001.parquet",
            "bronze/crm/customers/LOAD00000001.csv",
            "bronze/crm/customers/p0/LOAD00000001.parquet",
            "bronze/crm/customers/2021/11/23/20211123-01383091.parquet",
            "bronze/crm/customers/2021/11/23/20211123-01383091300.parquet",
            "bronze/crm/customers/2021/11/23/20211123-01é3091.parquet",
            "bronze/crm/customers/2021/11/23/20211123-250000000.parquet",
            "bronze/crm/customers/2021/02/30/20210230-013830913.parquet",
            "bronze/crm/customers/2021/1/23/20210123-013830913.parquet",
        ];
        for key in cases {
            assert!(matches!(key.parse::<BronzeKey>(), Err(LayoutError::Shape { .. })), "{key}");
        }
        let key = "bronze/crm/Customers/LOAD00000001.parquet";
        assert!(matches!(key.parse::<BronzeKey>(), Err(LayoutError::Table { .. })));
    }
}
