use arrow::array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, LargeBinaryArray, StringArray, StringViewArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};

use super::*;

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
    let values = Decimal128Array::from(values);
    Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
}

fn micros(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into))
}

#[test]
fn what_fits_is_cast() {
    let times = |zone: Option<&str>| -> ArrayRef {
        let times = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(7)]);
        Arc::new(times.with_timezone_opt(zone))
    };
    let cases: Vec<(ArrayRef, ArrayRef)> = vec![
        (
            Arc::new(Int16Array::from(vec![Some(i16::MIN), None])),
            Arc::new(Int32Array::from(vec![Some(-32_768), None])),
        ),
        (
            Arc::new(UInt32Array::from(vec![u32::MAX])),
            Arc::new(Int64Array::from(vec![4_294_967_295])),
        ),
        (
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)])),
            decimals(vec![Some(u64::MAX.into()), None, Some(0)], 20, 0),
        ),
        (Arc::new(Int64Array::from(vec![-5])), decimals(vec![Some(-500)], 21, 2)),
        (Arc::new(Int8Array::from(vec![-5])), decimals(vec![Some(-50)], 4, 1)),
        (decimals(vec![Some(123), None], 5, 2), decimals(vec![Some(12_300), None], 9, 4)),
        // Narrower, and every value fits all the same.
        (Arc::new(Int64Array::from(vec![1, 2])), Arc::new(Int32Array::from(vec![1, 2]))),
        (Arc::new(Float64Array::from(vec![0.5])), Arc::new(Float32Array::from(vec![0.5]))),
        (decimals(vec![Some(12_300)], 9, 4), decimals(vec![Some(123)], 5, 2)),
        (
            Arc::new(Float32Array::from(vec![0.1])),
            Arc::new(Float64Array::from(vec![f64::from(0.1_f32)])),
        ),
        (times(None), times(Some("+00:00"))),
        (times(Some("UTC")), times(Some("+00:00"))),
        (times(Some("UTC")), times(None)),
        (
            Arc::new(TimestampMillisecondArray::from(vec![-3])),
            Arc::new(TimestampMicrosecondArray::from(vec![-3_000]).with_timezone("+00:00")),
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![3_000])),
            Arc::new(TimestampMicrosecondArray::from(vec![3])),
        ),
        (
            Arc::new(StringViewArray::from(vec![
                Some("a long text of more than twelve bytes"),
                None,
            ])),
            Arc::new(StringArray::from(vec![Some("a long text of more than twelve bytes"), None])),
        ),
        (
            Arc::new(BinaryArray::from(vec![Some(b"ab".as_slice()), None, Some(b"")])),
            Arc::new(LargeBinaryArray::from(vec![Some(b"ab".as_slice()), None, Some(b"")])),
        ),
    ];
    for (from, to) in cases {
        let cast = without_loss(&from, to.data_type());
        assert_eq!(cast.as_ref(), Some(&to), "{} to {}", from.data_type(), to.data_type());
    }
}

#[test]
fn what_would_be_rounded_cut_or_wrapped_is_refused() {
    let cases: Vec<(ArrayRef, DataType)> = vec![
        (Arc::new(Int64Array::from(vec![1, 3_000_000_000])), DataType::Int32),
        (Arc::new(Int64Array::from(vec![-1])), DataType::Decimal128(18, 4)),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), DataType::Int64),
        (Arc::new(Float64Array::from(vec![0.1])), DataType::Float32),
        (Arc::new(Float64Array::from(vec![1.5])), DataType::Int32),
        (Arc::new(Int64Array::from(vec![9_007_199_254_740_993])), DataType::Float64),
        (decimals(vec![Some(12_345)], 9, 4), DataType::Decimal128(9, 2)),
        (decimals(vec![Some(99_999)], 5, 2), DataType::Decimal128(4, 2)),
        (Arc::new(TimestampNanosecondArray::from(vec![1])), micros(None)),
        (Arc::new(TimestampMillisecondArray::from(vec![i64::MAX])), micros(Some("+00:00"))),
        (Arc::new(StringArray::from(vec!["x"])), DataType::Int32),
        (Arc::new(StringArray::from(vec!["007"])), DataType::Int32),
        (Arc::new(BinaryArray::from(vec![b"\xff".as_slice()])), DataType::Utf8),
        (Arc::new(Int8Array::from(vec![2])), DataType::Boolean),
        (Arc::new(Date32Array::from(vec![i32::MAX])), micros(None)),
    ];
    for (from, to) in cases {
        if integer_width(from.data_type()).is_some() && matches!(to, DataType::Decimal128(..)) {
            // Int64 in 14 whole digits: refused only for large values.
            let large: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN]));
            assert!(without_loss(&large, &to).is_none(), "{to}");
            continue;
        }
        assert!(without_loss(&from, &to).is_none(), "{} to {to}", from.data_type());
    }
}

/// `widens` spares the comparison, so it must never claim too much: whatever it claims is compared
/// here, over the outermost values.
#[test]
fn types_that_are_said_to_widen_do() {
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![i8::MIN, -1, 0, i8::MAX])),
        Arc::new(Int16Array::from(vec![i16::MIN, -1, 0, i16::MAX])),
        Arc::new(Int32Array::from(vec![i32::MIN, -1, 0, i32::MAX])),
        Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, i64::MAX])),
        Arc::new(UInt8Array::from(vec![0, u8::MAX])),
        Arc::new(UInt16Array::from(vec![0, u16::MAX])),
        Arc::new(UInt32Array::from(vec![0, u32::MAX])),
        Arc::new(UInt64Array::from(vec![0, u64::MAX])),
        Arc::new(Float32Array::from(vec![f32::MIN, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY])),
        decimals(vec![Some(-99_999), Some(99_999)], 5, 2),
        decimals(vec![Some(-99_999), Some(99_999)], 5, 0),
    ];
    let types = arrays.iter().map(|a| a.data_type().clone());
    let more =
        [(3, 0), (5, 0), (10, 0), (19, 0), (20, 0), (22, 2), (12, 2), (6, 3), (7, 4), (38, 18)];
    let more = more.map(|(precision, scale)| DataType::Decimal128(precision, scale));
    let types: Vec<DataType> = types.chain([DataType::Float64]).chain(more).collect();
    let mut claims = 0;
    for from in &arrays {
        for to in types.iter().filter(|to| widens(from.data_type(), to)) {
            claims += 1;
            let what = format!("{} to {to}", from.data_type());
            let cast = without_loss(from, to).unwrap_or_else(|| panic!("{what}"));
            let back = cast_with_options(&cast, from.data_type(), &STRICT).unwrap();
            assert_eq!(distinct(&back, from).unwrap().true_count(), 0, "{what}");
        }
    }
    assert!(claims > 60, "{claims}");
}

#[test]
fn numbers_are_no_times_and_times_are_no_numbers() {
    let days = Date32Array::from(vec![20_454]);
    let times = TimestampMicrosecondArray::from(vec![1_767_312_000_000_000]);
    let numbers: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![20_260_101])),
        Arc::new(Int64Array::from(vec![20_260_101_000_000])),
        decimals(vec![Some(20_260_101)], 14, 0),
        Arc::new(Float64Array::from(vec![1.0])),
    ];
    for column in numbers {
        for to in [DataType::Date32, micros(None), micros(Some("UTC"))] {
            assert!(without_loss(&column, &to).is_none(), "{} as {to}", column.data_type());
        }
        for time in [Arc::new(days.clone()) as ArrayRef, Arc::new(times.clone())] {
            let to = column.data_type();
            assert!(without_loss(&time, to).is_none(), "{} as {to}", time.data_type());
        }
    }
    let text: ArrayRef = Arc::new(StringArray::from(vec!["2026-01-01"]));
    assert!(without_loss(&text, &DataType::Date32).is_some(), "a text that says a day is one");
}
