//! Row events as bytes: read once, kept until their transaction commits.

/// What a row event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsKind {
    Insert,
    Update,
    /// An update whose after-images hold parts of JSON documents only.
    PartialUpdate,
    Delete,
}

/// The body of a row event (`Rows_log_event` of the server).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsEvent {
    pub(crate) kind: RowsKind,
    pub(crate) table_id: u64,
    /// The source columns that before-images hold; empty for inserts.
    pub(crate) before: Vec<bool>,
    /// The source columns that after-images hold; empty for deletes.
    pub(crate) after: Vec<bool>,
    /// The row images.
    pub(crate) images: Vec<u8>,
}

impl RowsEvent {
    /// Reads the body of an event; `extra` tells whether it has the extra data of MySQL 5.6 and
    /// later, which MariaDB does not write. `None` when the bytes make no sense.
    pub(crate) fn read(kind: RowsKind, extra: bool, body: &[u8]) -> Option<RowsEvent> {
        let (head, mut rest) = body.split_at_checked(8)?;
        let table_id = head[..6].iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte));
        if extra {
            let length = u16::from_le_bytes(*rest.first_chunk()?);
            // The length counts its own two bytes.
            rest = rest.get(usize::from(length)..)?;
        }
        let count = usize::try_from(length_encoded(&mut rest)?).ok()?;
        let mut bitmap = || {
            let (bytes, after) = rest.split_at_checked(count.div_ceil(8))?;
            rest = after;
            Some((0..count).map(|i| bytes[i / 8] >> (i % 8) & 1 == 1).collect::<Vec<bool>>())
        };
        let (before, after) = match kind {
            RowsKind::Insert => (Vec::new(), bitmap()?),
            RowsKind::Delete => (bitmap()?, Vec::new()),
            RowsKind::Update | RowsKind::PartialUpdate => (bitmap()?, bitmap()?),
        };
        Some(RowsEvent { kind, table_id, before, after, images: rest.to_vec() })
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.images.len() + self.before.len() + self.after.len() + 128
    }
}

/// A length-encoded integer of MySQL's protocol.
pub(crate) fn length_encoded(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let width = match first {
        0..=0xFA => {
            *bytes = rest;
            return Some(u64::from(*first));
        }
        0xFC => 2,
        0xFD => 3,
        0xFE => 8,
        0xFB | 0xFF => return None,
    };
    let (number, rest) = rest.split_at_checked(width)?;
    *bytes = rest;
    Some(number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_header_are_read() {
        let body = [7, 0, 0, 0, 0, 0, 1, 0, 3, 0b101, 0b100, 0xAA];
        let event = RowsEvent::read(RowsKind::Update, false, &body).unwrap();
        assert_eq!(event.table_id, 7);
        assert_eq!(event.before, [true, false, true]);
        assert_eq!(event.after, [false, false, true]);
        assert_eq!(event.images, [0xAA]);
        let body = [7, 0, 0, 0, 0, 0, 1, 0, 3, 0, 99, 1, 1, 0xBB];
        let event = RowsEvent::read(RowsKind::Insert, true, &body).unwrap();
        assert_eq!((event.before.len(), event.after, event.images), (0, vec![true], vec![0xBB]));
        assert_eq!(RowsEvent::read(RowsKind::Insert, true, &body[..11]), None);
    }

    #[test]
    fn lengths_are_read_in_all_their_forms() {
        let read = |mut bytes: &[u8]| length_encoded(&mut bytes);
        assert_eq!(read(&[250]), Some(250));
        assert_eq!(read(&[0xFC, 1, 2]), Some(513));
        assert_eq!(read(&[0xFD, 1, 2, 3]), Some(197_121));
        assert_eq!(read(&[0xFE, 1, 0, 0, 0, 0, 0, 0, 1]), Some((1 << 56) + 1));
        assert_eq!(read(&[0xFB]), None);
        assert_eq!(read(&[0xFC, 1]), None);
    }
}
