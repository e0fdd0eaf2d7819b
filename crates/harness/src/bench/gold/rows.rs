//! The rows of the measured Silver tables. Every value follows from the seed, the row's key, the
//! column's name and how often the row was changed, so any part of a table can be made alone.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, LargeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::error::ArrowError;
use medallion_definition::contract::TableContract;
use medallion_definition::types::MySqlType;

use super::super::silver::rows::mix;
use super::values::Draw;

/// The tables that the measured models read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Customers,
    Addresses,
    Consents,
}

/// Of a hundred customers so many have no address, one, two, three.
const ADDRESSES: [u64; 4] = [5, 75, 15, 5];
/// Of a hundred customers so many have answered no consent request, one, … five.
const CONSENTS: [u64; 6] = [20, 25, 20, 15, 12, 8];
/// Channels times purposes.
pub(super) const ANSWERS: u64 = 20;
/// Has no factor in common with [`ANSWERS`], so a customer's answers are about different things.
const ANSWER_STEP: u64 = 7;
/// What most changes of a customer touch.
const MOVING: [&str; 6] =
    ["credit_limit", "last_purchase", "loyalty_points", "newsletter", "phone", "score"];
/// One change in so many moves the customer to another region.
const MOVES: u64 = 20;

/// Fowler, Noll and Vo's hash of names, 64 bits.
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

impl Source {
    pub(super) const ALL: [Source; 3] = [Source::Customers, Source::Addresses, Source::Consents];

    /// The table at the source.
    pub(super) fn table(self) -> &'static str {
        match self {
            Source::Customers => "crm.customers",
            Source::Addresses => "crm.addresses",
            Source::Consents => "crm.consents",
        }
    }

    /// The rows of the table that belong to these customers, whose numbers begin with 1.
    pub(super) fn rows(self, seed: u64, customers: Range<u64>) -> Vec<Row> {
        let seed = mix(seed ^ (self as u64 + 1));
        customers.flat_map(|customer| self.of_customer(seed, customer)).collect()
    }

    fn of_customer(self, seed: u64, customer: u64) -> impl Iterator<Item = Row> {
        let random = mix(seed ^ customer);
        let (parts, first, step) = match self {
            Source::Customers => (1, 0, 1),
            Source::Addresses => (share(&ADDRESSES, random), 1, 1),
            Source::Consents => (share(&CONSENTS, random), mix(random), ANSWER_STEP),
        };
        let within = if self == Source::Consents { ANSWERS } else { u64::MAX };
        (0..parts).map(move |number| {
            let part = first.wrapping_add(number * step) % within;
            Row { customer, part, key: mix(random ^ mix(part)), version: 0 }
        })
    }
}

fn share(shares: &[u64], random: u64) -> u64 {
    let mut left = random % shares.iter().sum::<u64>();
    for (number, share) in (0..).zip(shares) {
        if left < *share {
            return number;
        }
        left -= share;
    }
    0
}

/// One row, before it has values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) customer: u64,
    /// The number of the address, or what the consent is about.
    pub(super) part: u64,
    /// Follows from the seed, the table and the key.
    key: u64,
    /// How often the row was changed.
    pub(super) version: u64,
}

impl Row {
    pub(super) fn changed(self) -> Row {
        Row { version: self.version + 1, ..self }
    }

    /// What the value of a column follows from.
    pub(super) fn random(&self, column: &str) -> u64 {
        let salt = column
            .bytes()
            .fold(FNV_OFFSET, |salt, byte| (salt ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        let loaded = mix(self.key ^ salt);
        if self.version == 0 {
            return loaded;
        }
        let now = mix(loaded ^ mix(self.version));
        let moves = match column {
            "region" => now.is_multiple_of(MOVES),
            _ => MOVING.contains(&column),
        };
        if moves { mix(now) } else { loaded }
    }
}

/// Makes batches of one table.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Described>,
}

/// What a column may hold.
#[derive(Clone, Debug)]
struct Described {
    nullable: bool,
    /// The members of an ENUM or SET.
    members: Vec<String>,
}

impl Rows {
    /// `schema` is that of the contract's Silver table.
    pub(super) fn new(contract: &TableContract, schema: SchemaRef) -> Rows {
        let describe = |field: &Arc<Field>| {
            let column = contract.columns.iter().find(|c| c.name.as_str() == field.name());
            let members = match column.map(|column| &column.source_type) {
                Some(MySqlType::Enum(members) | MySqlType::Set(members)) => members.clone(),
                _ => Vec::new(),
            };
            Described { nullable: column.is_some_and(|column| column.nullable), members }
        };
        let columns = schema.fields().iter().map(describe).collect();
        Rows { schema, columns }
    }

    /// The rows with all their columns.
    ///
    /// # Errors
    /// When a column has a type for which there are no values.
    pub(super) fn batch(&self, rows: &[Row]) -> Result<RecordBatch, ArrowError> {
        let fields = self.schema.fields().iter().zip(&self.columns);
        let columns = fields.map(|(field, described)| column(field, described, rows));
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
    }
}

fn column(field: &Field, described: &Described, rows: &[Row]) -> Result<ArrayRef, ArrowError> {
    let draws = rows.iter().map(|row| {
        let draw = Draw::new(field.name(), row, &described.members);
        (!described.nullable || !draw.is_null()).then_some(draw)
    });
    Ok(match field.data_type() {
        DataType::Boolean => {
            Arc::new(draws.map(|draw| draw.map(|draw| draw.flag())).collect::<BooleanArray>())
        }
        DataType::Int32 => {
            let whole = |draw: Draw<'_>| draw.whole(6) as i32;
            Arc::new(draws.map(|draw| draw.map(whole)).collect::<Int32Array>())
        }
        DataType::Int64 => {
            let whole = |draw: Draw<'_>| draw.whole(9) as i64;
            Arc::new(draws.map(|draw| draw.map(whole)).collect::<Int64Array>())
        }
        DataType::Float32 => {
            let real = |draw: Draw<'_>| draw.real() as f32;
            Arc::new(draws.map(|draw| draw.map(real)).collect::<Float32Array>())
        }
        DataType::Float64 => {
            Arc::new(draws.map(|draw| draw.map(|draw| draw.real())).collect::<Float64Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let whole = |draw: Draw<'_>| draw.whole(u32::from(*precision).min(9));
            let array = draws.map(|draw| draw.map(whole)).collect::<Decimal128Array>();
            Arc::new(array.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Date32 => {
            Arc::new(draws.map(|draw| draw.map(|draw| draw.day())).collect::<Date32Array>())
        }
        DataType::Timestamp(_, zone) => {
            let moments = draws.map(|draw| draw.map(|draw| draw.moment()));
            let array = moments.collect::<TimestampMicrosecondArray>();
            Arc::new(array.with_timezone_opt(zone.clone()))
        }
        DataType::Utf8 => {
            Arc::new(draws.map(|draw| draw.map(|draw| draw.text())).collect::<StringArray>())
        }
        DataType::LargeBinary => {
            Arc::new(draws.map(|draw| draw.map(|draw| draw.bytes())).collect::<LargeBinaryArray>())
        }
        other => {
            let unknown = format!("the bench makes no values of `{}`, {other}", field.name());
            return Err(ArrowError::SchemaError(unknown));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, Schema, TimestampMicrosecondType};
    use medallion::files;
    use medallion_definition::catalogue;
    use medallion_tables::schema::arrow_type;

    use super::*;

    fn shipped(source: Source) -> Rows {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/lake");
        let lake = files::definition(&root).unwrap();
        let named = |c: &&TableContract| c.table.to_string() == source.table();
        let contract = lake.tables.iter().find(named).unwrap();
        let columns = catalogue::silver(contract).columns;
        let fields = columns.iter().map(|c| Field::new(&c.name, arrow_type(c.lake_type), true));
        Rows::new(contract, Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    #[test]
    fn every_contract_that_ships_has_rows_and_keys_are_unique() {
        for source in Source::ALL {
            let rows = source.rows(7, 1..5_001);
            let batch = shipped(source).batch(&rows).unwrap();
            assert_eq!(batch.num_rows(), rows.len());
            let keys: HashSet<(u64, u64)> = rows.iter().map(|r| (r.customer, r.part)).collect();
            assert_eq!(keys.len(), rows.len(), "{source:?}");
            let per_customer = rows.len() as f64 / 5_000.0;
            let wanted = match source {
                Source::Customers => 1.0,
                Source::Addresses => 1.2,
                Source::Consents => 2.0,
            };
            assert!((per_customer - wanted).abs() < 0.1, "{source:?}: {per_customer}");
        }
    }

    #[test]
    fn a_part_of_a_table_is_the_same_alone() {
        let (all, part) = (Source::Consents.rows(7, 1..201), Source::Consents.rows(7, 101..201));
        assert_eq!(all[all.len() - part.len()..], part);
        assert_ne!(all, Source::Consents.rows(8, 1..201));
    }

    #[test]
    fn values_are_spread_as_the_models_need_them() {
        let rows = Source::Customers.rows(7, 1..20_001);
        let batch = shipped(Source::Customers).batch(&rows).unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let distinct = |name: &str| column(name).as_string::<i32>().iter().collect::<HashSet<_>>();
        assert_eq!(distinct("region").len(), 27);
        assert_eq!(distinct("segment").len(), 4);
        let nulls = column("credit_limit").null_count();
        assert!((2_000..4_000).contains(&nulls), "{nulls}");
        for name in ["full_name", "loyalty_points", "newsletter", "created_at", "_loaded_at"] {
            assert_eq!(column(name).null_count(), 0, "{name}");
        }
        let id = column("id").as_primitive::<Decimal128Type>();
        assert_eq!((id.value(0), id.value(19_999)), (1, 20_000));
    }

    #[test]
    fn a_change_leaves_the_key_and_moves_some_values() {
        let rows = Source::Customers.rows(7, 1..1_001);
        let changed: Vec<Row> = rows.iter().map(|row| row.changed()).collect();
        let make = shipped(Source::Customers);
        let (before, after) = (make.batch(&rows).unwrap(), make.batch(&changed).unwrap());
        let differ = |name: &str| {
            let (a, b) =
                (before.column_by_name(name).unwrap(), after.column_by_name(name).unwrap());
            (0..1_000).filter(|at| a.slice(*at, 1) != b.slice(*at, 1)).count()
        };
        assert_eq!((differ("id"), differ("cpf"), differ("created_at")), (0, 0, 0));
        assert!(differ("score") > 700 && differ("credit_limit") > 700);
        assert!((10..120).contains(&differ("region")), "{}", differ("region"));
        assert_eq!((differ("_change_seq"), differ("updated_at")), (1_000, 1_000));
        let moment = |batch: &RecordBatch| {
            let column = batch.column_by_name("_changed_at").unwrap();
            column.as_primitive::<TimestampMicrosecondType>().value(3)
        };
        assert!(moment(&after) > moment(&before));
    }
}
