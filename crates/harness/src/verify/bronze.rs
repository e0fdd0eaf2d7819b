//! Every file that the replicator acknowledged is there, with the rows that it wrote.

use medallion_tables::store::{Bucket, StoreError};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Difference, Verdict, VerifyError};

/// Compares the replicator's own list (key and rows) with the bucket.
///
/// # Errors
/// When the bucket does not answer.
pub async fn verify(bucket: &Bucket, written: &[(String, u64)]) -> Result<Verdict, VerifyError> {
    let mut verdict = Verdict::default();
    let difference = |key: &str, what: String| Difference {
        check: "bronze",
        place: key.to_owned(),
        row: None,
        column: None,
        what,
    };
    for (key, rows) in written {
        let content = match bucket.get(key).await {
            Ok(content) => content,
            Err(StoreError::NotFound { .. }) => {
                let what = format!("the file with {rows} rows was acknowledged but is not there");
                verdict.differences.push(difference(key, what));
                continue;
            }
            Err(source) => {
                return Err(VerifyError::Lake { what: key.clone(), source: Box::new(source) });
            }
        };
        let found = ParquetRecordBatchReaderBuilder::try_new(content)
            .map(|reader| reader.metadata().file_metadata().num_rows());
        match found {
            Ok(found) if u64::try_from(found) == Ok(*rows) => verdict.rows += 1,
            Ok(found) => {
                let what = format!("{rows} rows were written, {found} are there");
                verdict.differences.push(difference(key, what));
            }
            Err(error) => {
                verdict.differences.push(difference(key, format!("it is no Parquet: {error}")));
            }
        }
    }
    verdict.values = verdict.rows;
    Ok(verdict)
}
