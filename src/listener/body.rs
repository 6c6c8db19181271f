//! Takes bodies whole: bounded in size, and in what they hold while they come in.

use bytes::Bytes;

use super::bodies::Held;
use crate::http1::{Chunks, Decoded};
use crate::message::Unread;

/// A body as far as it has come.
#[derive(Debug)]
pub(super) enum Part {
    Whole(Bytes),
    Begun(Progress),
}

/// The bytes of a body so far. What is declared costs nothing until it comes: there is room for twice of
/// what came and no more, and all of the room is counted.
#[derive(Debug)]
pub(super) struct Gathered {
    data: Vec<u8>,
    bytes_max: usize,
    held: Held,
}

impl Gathered {
    /// Nothing yet, of `bytes_max` at most.
    pub(super) fn new(bytes_max: usize, held: Held) -> Self {
        Self {
            data: Vec::new(),
            bytes_max,
            held,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// Adds all of what came.
    pub(super) fn add(&mut self, came: &[u8]) -> Result<(), Unread> {
        if came.len() > self.bytes_max - self.data.len() {
            return Err(Unread::TooBig);
        }
        self.make_room(came.len())?;
        self.data.extend_from_slice(came);
        Ok(())
    }

    /// Doubles, so that a long body is copied few times; what is known to be all of it is met exactly.
    fn make_room(&mut self, more: usize) -> Result<(), Unread> {
        let needed = (self.data.len() + more).min(self.bytes_max);
        if needed <= self.data.capacity() {
            return Ok(());
        }
        let room = needed.max(2 * self.data.capacity()).min(self.bytes_max);
        self.held.hold(room)?;
        self.data.reserve_exact(room - self.data.len());
        Ok(())
    }

    /// The body, in memory of exactly its size.
    pub(super) fn finish(mut self) -> Bytes {
        self.data.shrink_to_fit();
        Bytes::from(self.data)
    }
}

/// A body that is still coming.
#[derive(Debug)]
pub(super) struct Progress {
    gathered: Gathered,
    coming: Coming,
}

#[derive(Debug)]
enum Coming {
    /// Bytes that are still to come.
    Counted(usize),
    Chunks(Chunks),
}

impl Part {
    /// Begins with the bytes that came with the head; how many of them belong to the body. `declared` is
    /// its length, or none for chunks. A length is refused before the body comes.
    pub(super) fn begin(
        declared: Option<u64>,
        came: &[u8],
        bytes_max: usize,
        held: impl FnOnce() -> Held,
    ) -> Result<(Self, usize), Unread> {
        let Some(length) = declared else {
            let mut progress = Progress {
                gathered: Gathered::new(bytes_max, held()),
                coming: Coming::Chunks(Chunks::default()),
            };
            return Ok(match progress.add(came)? {
                Some(used) => (Self::Whole(progress.finish()), used),
                None => (Self::Begun(progress), came.len()),
            });
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= bytes_max)
            .ok_or(Unread::TooBig)?;
        if let Some(whole) = came.get(..length) {
            return Ok((Self::Whole(Bytes::copy_from_slice(whole)), length));
        }
        let mut progress = Progress {
            gathered: Gathered::new(length, held()),
            coming: Coming::Counted(length),
        };
        progress.add(came)?;
        Ok((Self::Begun(progress), came.len()))
    }
}

impl Progress {
    /// Adds what came; when that completes the body, how much of it belonged to it.
    pub(super) fn add(&mut self, came: &[u8]) -> Result<Option<usize>, Unread> {
        let gathered = &mut self.gathered;
        match &mut self.coming {
            Coming::Counted(left) => {
                let here = came.len().min(*left);
                gathered.add(came.get(..here).unwrap_or_default())?;
                *left -= here;
                Ok((*left == 0).then_some(here))
            }
            Coming::Chunks(chunks) => {
                // Chunks are never shorter than what they hold.
                gathered.make_room(came.len())?;
                match chunks.decode(came, &mut gathered.data, gathered.bytes_max) {
                    Decoded::More => Ok(None),
                    Decoded::Done(used) => Ok(Some(used)),
                    Decoded::Wrong => Err(Unread::CutOff),
                    Decoded::TooBig => Err(Unread::TooBig),
                }
            }
        }
    }

    pub(super) fn finish(self) -> Bytes {
        self.gathered.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bodies::{Bodies, Held};
    use super::Part;
    use crate::message::Unread;
    use std::net::IpAddr;
    use std::sync::Arc;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn nobody() -> Held {
        Held::new(&Arc::default(), address("192.0.2.1"))
    }

    #[test]
    fn a_body_that_came_with_its_head_is_taken_whole_and_what_follows_is_left() {
        let (part, used) = Part::begin(Some(4), b"bodyPOST", 4, nobody).unwrap();
        let (chunks, of_chunks) =
            Part::begin(None, b"4\r\nbody\r\n0\r\n\r\nPOST", 4, nobody).unwrap();

        assert!(matches!(part, Part::Whole(body) if body == "body"));
        assert!(matches!(chunks, Part::Whole(body) if body == "body"));
        assert_eq!((used, of_chunks), (4, 14));
    }

    #[test]
    fn a_body_that_comes_in_pieces_is_complete_at_its_last_byte() {
        let (part, _) = Part::begin(Some(4), b"b", 4, nobody).unwrap();
        let Part::Begun(mut progress) = part else {
            panic!("three bytes are to come");
        };

        assert_eq!(progress.add(b"od"), Ok(None));
        assert_eq!(progress.add(b"yPOST"), Ok(Some(1)));
        assert_eq!(progress.finish(), "body");
    }

    #[test]
    fn a_body_beyond_its_bound_is_refused_by_its_length_alone() {
        let begin =
            |declared, came: &[u8]| Part::begin(declared, came, 4, nobody).map(|(_, used)| used);

        assert_eq!(begin(Some(5), b""), Err(Unread::TooBig));
        assert_eq!(begin(Some(u64::MAX), b""), Err(Unread::TooBig));
        assert_eq!(begin(None, b"5\r\n"), Err(Unread::TooBig));
        assert_eq!(begin(None, b"4\r\nbody\r\n1\r\n"), Err(Unread::TooBig));
        assert_eq!(begin(None, b"4\r\nbody\r\n0\r\n\r\n"), Ok(14));
    }

    #[test]
    fn a_declared_length_takes_nothing_and_what_came_at_most_twice_its_size() {
        let bodies = Arc::new(Bodies::default());
        let held = || bodies.bytes();
        let sender = || Held::new(&bodies, address("192.0.2.1"));
        let (part, _) = Part::begin(Some(1_000_000), &[7; 1000], 1_000_000, sender).unwrap();
        let Part::Begun(mut progress) = part else {
            panic!("most of it is to come");
        };
        assert_eq!(held(), 1000);

        progress.add(&[7; 1000]).unwrap();
        assert_eq!(held(), 2000);
        progress.add(&[7; 1]).unwrap();
        assert_eq!(held(), 4000);
        progress.add(&[7; 997_999]).unwrap();
        assert_eq!(held(), 1_000_000);
        assert_eq!(progress.finish().len(), 1_000_000);
        assert_eq!(held(), 0);
    }
}
