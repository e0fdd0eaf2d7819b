//! Functions that Spark has and `DataFusion` does not, with Spark's results.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int32Array, Int64Array};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;
use medallion_tables::schema::UTC_ZONE;

/// Registers `unix_micros` and `unix_date`.
pub fn register(context: &SessionContext) {
    context.register_udf(ScalarUDF::from(UnixMicros::new()));
    context.register_udf(ScalarUDF::from(UnixDate::new()));
}

/// `unix_micros(timestamptz) -> bigint`: microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UnixMicros {
    signature: Signature,
}

impl UnixMicros {
    fn new() -> UnixMicros {
        let instant = DataType::Timestamp(TimeUnit::Microsecond, Some(UTC_ZONE.into()));
        UnixMicros { signature: Signature::exact(vec![instant], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for UnixMicros {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        "unix_micros"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        each(args, |array| {
            let micros: Int64Array =
                array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>();
            Arc::new(micros)
        })
    }
}

/// `unix_date(date) -> int`: days since 1970-01-01.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UnixDate {
    signature: Signature,
}

impl UnixDate {
    fn new() -> UnixDate {
        UnixDate { signature: Signature::exact(vec![DataType::Date32], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for UnixDate {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &'static str {
        "unix_date"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        each(args, |array| {
            let days: Int32Array =
                array.as_primitive::<Date32Type>().reinterpret_cast::<Int32Type>();
            Arc::new(days)
        })
    }
}

/// Applies a function of arrays to the one argument; a scalar stays one.
fn each(
    args: ScalarFunctionArgs,
    f: impl Fn(&dyn Array) -> Arc<dyn Array>,
) -> Result<ColumnarValue> {
    let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
    let arrays = ColumnarValue::values_to_arrays(&args.args)?;
    let [array] = arrays.as_slice() else {
        return datafusion::common::exec_err!("one argument is needed");
    };
    let made = f(array);
    Ok(if scalar && made.len() == 1 {
        ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&made, 0)?)
    } else {
        ColumnarValue::Array(made)
    })
}
