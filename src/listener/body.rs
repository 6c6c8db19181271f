//! Takes bodies whole: bounded in size, and in what all bodies together may hold while they come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::http1::{Chunks, Decoded};
use crate::message::Unread;

/// Bodies that are being read, all connections together. Without it, the connections times the largest
/// body is what strangers could make us hold.
const BYTES_MAX: usize = 256 << 20;

/// The bytes of bodies that are being read. One that came in one read is never counted.
#[derive(Debug, Default)]
pub struct Bodies {
    bytes: AtomicUsize,
}

/// The bytes of one body in the count, given back when it has been read or refused.
#[derive(Debug)]
struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Held {
    fn new(bodies: &Arc<Bodies>) -> Self {
        Self {
            bodies: Arc::clone(bodies),
            bytes: 0,
        }
    }

    /// Holds this many bytes instead of fewer.
    fn hold(&mut self, bytes: usize) -> Result<(), Unread> {
        let more = bytes.saturating_sub(self.bytes);
        let before = self.bodies.bytes.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if before + more > BYTES_MAX {
            Err(Unread::Full)
        } else {
            Ok(())
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

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
    pub(super) fn new(bytes_max: usize, bodies: &Arc<Bodies>) -> Self {
        Self {
            data: Vec::new(),
            bytes_max,
            held: Held::new(bodies),
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
        bodies: &Arc<Bodies>,
    ) -> Result<(Self, usize), Unread> {
        let Some(length) = declared else {
            let mut progress = Progress {
                gathered: Gathered::new(bytes_max, bodies),
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
            gathered: Gathered::new(length, bodies),
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
    use super::{BYTES_MAX, Bodies, Part};
    use crate::message::Unread;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_body_that_came_with_its_head_is_taken_whole_and_what_follows_is_left() {
        let bodies = Arc::default();

        let (part, used) = Part::begin(Some(4), b"bodyPOST", 4, &bodies).unwrap();
        let (chunks, of_chunks) =
            Part::begin(None, b"4\r\nbody\r\n0\r\n\r\nPOST", 4, &bodies).unwrap();

        assert!(matches!(part, Part::Whole(body) if body == "body"));
        assert!(matches!(chunks, Part::Whole(body) if body == "body"));
        assert_eq!((used, of_chunks), (4, 14));
    }

    #[test]
    fn a_body_that_comes_in_pieces_is_complete_at_its_last_byte() {
        let (part, _) = Part::begin(Some(4), b"b", 4, &Arc::default()).unwrap();
        let Part::Begun(mut progress) = part else {
            panic!("three bytes are to come");
        };

        assert_eq!(progress.add(b"od"), Ok(None));
        assert_eq!(progress.add(b"yPOST"), Ok(Some(1)));
        assert_eq!(progress.finish(), "body");
    }

    #[test]
    fn a_body_beyond_its_bound_is_refused_by_its_length_alone() {
        let begin = |declared, came: &[u8]| {
            Part::begin(declared, came, 4, &Arc::default()).map(|(_, used)| used)
        };

        assert_eq!(begin(Some(5), b""), Err(Unread::TooBig));
        assert_eq!(begin(Some(u64::MAX), b""), Err(Unread::TooBig));
        assert_eq!(begin(None, b"5\r\n"), Err(Unread::TooBig));
        assert_eq!(begin(None, b"4\r\nbody\r\n1\r\n"), Err(Unread::TooBig));
        assert_eq!(begin(None, b"4\r\nbody\r\n0\r\n\r\n"), Ok(14));
    }

    #[test]
    fn a_declared_length_takes_nothing_and_what_came_at_most_twice_its_size() {
        let bodies = Arc::new(Bodies::default());
        let held = || bodies.bytes.load(Ordering::Relaxed);
        let (part, _) = Part::begin(Some(1_000_000), &[7; 1000], 1_000_000, &bodies).unwrap();
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

    #[test]
    fn all_bodies_together_have_a_bound_and_give_back_what_they_held() {
        let bodies = Arc::new(Bodies::default());
        let mut held = super::Held::new(&bodies);
        held.hold(BYTES_MAX).unwrap();

        let refused = Part::begin(Some(2), b"x", 2, &bodies).map(|_| ());
        drop(held);

        assert_eq!(refused, Err(Unread::Full));
        assert!(Part::begin(Some(2), b"x", 2, &bodies).is_ok());
    }
}
