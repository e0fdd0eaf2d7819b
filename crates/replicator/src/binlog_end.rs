//! A stream that has nothing to send must stand where the binlog ends.
//!
//! After RESET BINARY LOGS a server goes on with heartbeats for the log that it has removed, and
//! never sends what it writes from then on.

use mysql_async::binlog::events::Event;

use crate::follow_error::FollowError;
use crate::position::BinlogPosition;
use crate::server::Source;

/// True for what the server sends when it has nothing to send.
pub(crate) fn is_heartbeat(event: &Event) -> bool {
    matches!(event.header().event_type_raw(), 0x1B | 0x29)
}

/// Compares the stream with the binlog at each heartbeat.
#[derive(Debug, Default)]
pub(crate) struct EndWatch {
    /// Where the stream stood the last time, and where the binlog ended.
    last: Option<(BinlogPosition, BinlogPosition)>,
}

impl EndWatch {
    /// Asks the server where its binlog ends. An error when the stream, which stands at
    /// `position`, cannot be of that binlog.
    pub(crate) async fn compare(
        &mut self,
        source: &Source,
        position: &BinlogPosition,
    ) -> Result<(), FollowError> {
        let mut conn = source.connect().await?;
        let end = source.binlog_end(&mut conn).await?;
        // The answer is in.
        let _ = conn.disconnect().await;
        self.seen(position, end)
    }

    /// Between two heartbeats everything that was there at the first has been sent.
    fn seen(&mut self, position: &BinlogPosition, end: BinlogPosition) -> Result<(), FollowError> {
        let last = self.last.take();
        let stands_still = last.is_some_and(|(at, ended)| at == *position && ended > at);
        if stands_still || end < *position {
            return Err(FollowError::Detached { position: position.clone(), end });
        }
        self.last = Some((position.clone(), end));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_a_binlog_that_is_gone_is_noticed() {
        let place = |offset| BinlogPosition::new("binlog.000007", offset).unwrap();
        let mut watch = EndWatch::default();
        // A transaction ends just after the heartbeat, and has come before the next one.
        for (position, end) in [(100, 100), (100, 150), (150, 150), (150, 170), (170, 900)] {
            watch.seen(&place(position), place(end)).unwrap();
        }
        let error = watch.seen(&place(170), place(950)).unwrap_err();
        assert!(matches!(error, FollowError::Detached { .. }), "it has stood still");
        let began_anew = BinlogPosition::new("binlog.000001", 950).unwrap();
        assert!(EndWatch::default().seen(&place(170), began_anew).is_err());
    }
}
