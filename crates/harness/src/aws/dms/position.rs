//! Binlog positions as DMS writes them.

use medallion_replicator::position::BinlogPosition;

use super::error::DmsError;

/// Reads `file:position` or a checkpoint as `RecoveryCheckpoint` shows it.
///
/// # Errors
/// Anything else: MySQL sources know neither GTID sets nor, at this endpoint, points in time.
pub(super) fn parse_position(text: &str) -> Result<BinlogPosition, DmsError> {
    let place = match text.strip_prefix("checkpoint:V1#") {
        // The end of the third part: where the transaction begins, from which reading must go on.
        Some(rest) => rest.split('#').nth(1).and_then(|part| {
            let mut parts = part.rsplitn(3, ':');
            let (offset, file) = (parts.next()?, parts.next()?);
            Some((file, offset))
        }),
        None => text.rsplit_once(':'),
    };
    let position = place.and_then(|(file, offset)| {
        let offset = offset.parse().ok()?;
        BinlogPosition::new(file, offset).ok()
    });
    position.ok_or_else(|| {
        DmsError::value(
            "CdcStartPosition must be file:position of the binlog or a RecoveryCheckpoint; dates \
             are not served by this endpoint",
        )
    })
}

/// As `RecoveryCheckpoint` shows a position; parts that mean nothing here are zero.
pub(super) fn checkpoint_text(position: &BinlogPosition) -> String {
    let (file, offset) = (position.file(), position.offset());
    format!("checkpoint:V1#1#{file}:{offset}:-1:{offset}:0:{file}:{offset}#0#0#*#0#0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_positions_are_read_as_dms_writes_them() {
        let position = |file, offset| BinlogPosition::new(file, offset).unwrap();
        let read = |text| parse_position(text).unwrap();
        assert_eq!(
            read("mysql-bin-changelog.000024:373"),
            position("mysql-bin-changelog.000024", 373)
        );
        let documented = "checkpoint:V1#27#mysql-bin-changelog.157832:1975:-1:2002:\
            677883278264080:mysql-bin-changelog.157832:1876#0#0#*#0#93";
        assert_eq!(read(documented), position("mysql-bin-changelog.157832", 1876));
        let own = position("binlog.000003", 157);
        assert_eq!(read(&checkpoint_text(&own)), own);
    }

    #[test]
    fn dates_and_gtids_are_no_start_positions() {
        let gtid = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
        for wrong in ["", "2018-03-08T12:12:12", gtid, "binlog.000001", "checkpoint:V2#1#x:1"] {
            let refused = parse_position(wrong).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{wrong}");
        }
    }
}
