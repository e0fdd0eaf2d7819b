//! Rows, and the texts under which readers are compared.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, LargeBinaryArray,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;

/// One row; the others of its columns follow from the id.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// Written since the schema evolved.
    pub(crate) channel: Option<String>,
}

const HOUR: i64 = 3_600_000_000;

impl Row {
    fn amount(&self) -> i128 {
        i128::from(self.id) * 101 - 7000
    }

    fn visits(&self) -> Option<i64> {
        (self.id % 5 != 0).then_some(-self.id * 3)
    }

    fn changed_at(&self) -> i64 {
        1_700_000_000_000_000 + self.id * HOUR + 1
    }

    fn born(&self) -> i32 {
        i32::try_from(self.id).unwrap() - 200
    }

    /// The values under the names of both schemas, as the judge wants them.
    pub(crate) fn text(&self, column: &str) -> Option<String> {
        let time = |micros: i64| chrono::DateTime::from_timestamp_micros(micros).unwrap();
        match column {
            "id" | "customer" => Some(self.id.to_string()),
            "name" => Some(self.name.clone()),
            "cpf" | "tax_number" => Some(format!("cpf {}", self.id)),
            "amount" => Some(cents(self.amount())),
            "visits" => self.visits().map(|visits| visits.to_string()),
            "active" => Some((self.id % 2 == 0).to_string()),
            "changed_at" => {
                Some(time(self.changed_at()).format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
            }
            "born" => {
                let micros = i64::from(self.born()) * 24 * HOUR;
                Some(time(micros).format("%Y-%m-%d").to_string())
            }
            "photo" => Some(self.id.to_be_bytes().map(|byte| format!("{byte:02x}")).concat()),
            "channel" => self.channel.clone(),
            other => panic!("{other}"),
        }
    }
}

/// Hundredths as a decimal number without needless zeros.
fn cents(value: i128) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / 100, value.abs() % 100);
    let text = format!("{sign}{whole}.{rest:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The rows in the columns of a schema.
pub(crate) fn batch(schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
    let column = |name: &str| -> ArrayRef {
        let texts = || rows.iter().map(|row| row.text(name)).collect::<StringArray>();
        match name {
            "id" | "customer" => Arc::new(rows.iter().map(|row| row.id).collect::<Int64Array>()),
            "amount" => {
                let amounts = Decimal128Array::from_iter_values(rows.iter().map(Row::amount));
                Arc::new(amounts.with_precision_and_scale(12, 2).unwrap())
            }
            "visits" => Arc::new(rows.iter().map(Row::visits).collect::<Int64Array>()),
            "active" => Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.id % 2 == 0)))),
            "changed_at" => {
                let times = rows.iter().map(Row::changed_at);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("+00:00"))
            }
            "born" => Arc::new(Date32Array::from_iter_values(rows.iter().map(Row::born))),
            "photo" => {
                let photos = rows.iter().map(|row| row.id.to_be_bytes());
                Arc::new(LargeBinaryArray::from_iter_values(photos))
            }
            _ => Arc::new(texts()),
        }
    };
    let columns = schema.fields().iter().map(|field| {
        let values = cast(&column(field.name()), field.data_type()).unwrap();
        (field.name().clone(), values)
    });
    RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap()
}
