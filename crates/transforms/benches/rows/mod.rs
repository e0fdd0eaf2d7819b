//! Rows of Bronze files for any contract, the same in every run.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use medallion_definition::contract::TableContract;
use medallion_definition::lake::{LakeDefinition, SourceFile};
use medallion_ingestion::schema::bronze_schema;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How values of columns with rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the normalisers would write them.
    Normal,
    /// With punctuation, capital letters and spaces.
    Typed,
    /// As [`Form::Normal`], and every tenth CPF is wrong.
    Wrong,
}

/// The contract of one file.
pub(crate) fn contract(text: &str) -> TableContract {
    let lake = "version = 1\nname = \"bench\"\ndescription = \"x\"\n";
    let files = [
        ("lake.toml", lake),
        ("policy.toml", "version = 1\n"),
        ("tables/crm_customers.toml", text),
    ];
    let files = files.map(|(path, text)| SourceFile { path: path.into(), text: text.to_owned() });
    LakeDefinition::read(&files).expect("a right definition").tables.remove(0)
}

/// Changes of a contract's table: inserts in transactions of fifty rows.
pub(crate) fn bronze(contract: &TableContract, rows: usize, form: Form) -> RecordBatch {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let schema = bronze_schema(contract);
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "Op" => text(rows, |_| "I".to_owned()),
        "dms_ts" => text(rows, |row| format!("2026-01-31 12:00:{:02}.123456", row / 50 % 60)),
        "change_seq" => text(rows, |row| format!("2026013112000000{row:019}")),
        name if name.starts_with("BI_") => new_null_array(field.data_type(), rows),
        name => match known(name, rows, form, &mut rng) {
            Some(texts) => texts,
            None => any(field.data_type(), rows, &mut rng),
        },
    });
    let columns: Vec<ArrayRef> = columns.collect();
    RecordBatch::try_new(schema, columns).expect("columns of the schema")
}

fn text(rows: usize, value: impl FnMut(usize) -> String) -> ArrayRef {
    Arc::new((0..rows).map(value).map(Some).collect::<StringArray>())
}

/// Columns of `crm.customers` that have rules.
fn known(name: &str, rows: usize, form: Form, rng: &mut ChaCha8Rng) -> Option<ArrayRef> {
    let typed = form == Form::Typed;
    let names = ["Ana Maria da Silva", "José Conceição", "Luiz Souza", "Zoë Araújo de Lima Neto"];
    Some(match name {
        "cpf" => text(rows, |row| {
            let mut digits = cpf(rng.random_range(0..1_000_000_000));
            if form == Form::Wrong && row % 10 == 0 {
                digits.replace_range(10.., if digits.ends_with('0') { "1" } else { "0" });
            }
            if typed {
                format!("{}.{}.{}-{}", &digits[..3], &digits[3..6], &digits[6..9], &digits[9..])
            } else {
                digits
            }
        }),
        "employer_cnpj" => text(rows, |_| {
            let cnpj = "12ABC34501DE35";
            if typed { format!(" {}", cnpj.to_lowercase()) } else { cnpj.to_owned() }
        }),
        "full_name" => text(rows, |row| {
            let name = names[row % names.len()];
            if typed { format!("{}  ", name.replace(' ', "  ")) } else { name.to_owned() }
        }),
        "email" => text(rows, |row| {
            if typed {
                format!(" Ana.Lima{row}@Example.COM")
            } else {
                format!("ana.lima{row}@example.com")
            }
        }),
        "phone" => text(rows, |_| {
            let number = rng.random_range(910_000_000..999_999_999_u32);
            let (head, tail) = (number / 10_000, number % 10_000);
            if typed { format!("(11) {head}-{tail:04}") } else { format!("+5511{number}") }
        }),
        "region" => text(rows, |row| {
            let region = ["SP", "RJ", "MG", "BA"][row % 4];
            if typed { region.to_lowercase() } else { region.to_owned() }
        }),
        "birth_date" => {
            Arc::new((0..rows).map(|_| Some(rng.random_range(0..15_000))).collect::<Date32Array>())
        }
        "created_at" => Arc::new(
            (0..rows)
                .map(|_| Some(rng.random_range(1_400_000_000_000_000..1_700_000_000_000_000)))
                .collect::<TimestampMicrosecondArray>(),
        ),
        _ => return None,
    })
}

/// Nine digits and their two check digits, by the second form of the arithmetic.
fn cpf(number: u32) -> String {
    let mut digits: Vec<u32> =
        format!("{number:09}").bytes().map(|b| u32::from(b - b'0')).collect();
    for _ in 0..2 {
        let sum: u32 = digits.iter().rev().zip((0..=9).rev()).map(|(d, w)| d * w).sum();
        digits.push(sum % 11 % 10);
    }
    digits.iter().map(ToString::to_string).collect()
}

/// Some value in nine rows of ten.
fn any(data_type: &DataType, rows: usize, rng: &mut ChaCha8Rng) -> ArrayRef {
    let mut number = |row: usize| (row % 10 != 3).then(|| rng.random_range(1..100_i64));
    let numbers: Vec<Option<i64>> = (0..rows).map(&mut number).collect();
    let numbers = || numbers.iter().copied();
    let values: ArrayRef = match data_type {
        DataType::Utf8 => Arc::new(
            numbers().map(|n| n.map(|n| format!("some text {n}"))).collect::<StringArray>(),
        ),
        DataType::Binary => {
            Arc::new(numbers().map(|n| n.map(i64::to_be_bytes)).collect::<BinaryArray>())
        }
        DataType::Boolean => {
            Arc::new(numbers().map(|n| n.map(|n| n > 50)).collect::<BooleanArray>())
        }
        DataType::Float32 => {
            Arc::new(numbers().map(|n| n.map(|n| n as f32)).collect::<Float32Array>())
        }
        DataType::Float64 => {
            Arc::new(numbers().map(|n| n.map(|n| n as f64)).collect::<Float64Array>())
        }
        DataType::Date32 => {
            Arc::new(numbers().map(|n| n.map(|n| 20_000 + n as i32)).collect::<Date32Array>())
        }
        DataType::Decimal128(precision, scale) => {
            let values: Decimal128Array = numbers().map(|n| n.map(i128::from)).collect();
            Arc::new(values.with_precision_and_scale(*precision, *scale).expect("a decimal type"))
        }
        DataType::Timestamp(..) => Arc::new(
            numbers()
                .map(|n| n.map(|n| n * 17_000_000_000_000))
                .collect::<TimestampMicrosecondArray>(),
        ),
        _ => Arc::new((0..rows).map(|row| Some(row as i64 % 100)).collect::<Int64Array>()),
    };
    if values.data_type() == data_type {
        return values;
    }
    cast(&values, data_type).expect("a small number")
}
