//! The chunked transfer coding (RFC 9112, 7.1), read strictly: CR LF only, no blanks, a bound on what is
//! neither data nor length.

/// Bytes of extensions and trailers that one body may have: nobody sends any, and both are dropped.
const BESIDE_BYTES_MAX: usize = 16 << 10;
/// Digits of a length: sixteen make 64 bits.
const DIGITS_MAX: u8 = 16;

/// A chunked body, so far.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    /// Bytes left of the chunk at hand.
    left: u64,
    digits: u8,
    beside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataEndLf,
    /// At the beginning of a trailer or of the last, empty line.
    Line,
    /// In the name of a trailer, and behind its colon.
    TrailerName,
    Trailer,
    TrailerEnd,
    LastLf,
    Done,
}

/// What decoding came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// All of the input is used up, and the body goes on.
    More,
    /// The body is complete; this much of the input belonged to it.
    Done(usize),
    /// It is no chunked body.
    Wrong,
    /// Its data would be larger than it may be.
    TooBig,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            state: State::Size,
            left: 0,
            digits: 0,
            beside: 0,
        }
    }
}

impl Chunks {
    /// Appends the data in `input` to `data`, which may have `bytes_max` bytes in all.
    pub fn decode(&mut self, input: &[u8], data: &mut Vec<u8>, bytes_max: usize) -> Decoded {
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            if self.state == State::Data {
                let here = usize::try_from(self.left)
                    .unwrap_or(usize::MAX)
                    .min(rest.len());
                let (chunk, after) = rest.split_at(here);
                data.extend_from_slice(chunk);
                self.left -= here as u64;
                rest = after;
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
                continue;
            }
            match self.step(byte) {
                Some(state) => self.state = state,
                None => return Decoded::Wrong,
            }
            rest = after;
            match self.state {
                State::Done => return Decoded::Done(input.len() - rest.len()),
                // Known before its first byte: nothing of a chunk that is too large is kept.
                State::Data if self.left > (bytes_max.saturating_sub(data.len())) as u64 => {
                    return Decoded::TooBig;
                }
                _ => {}
            }
        }
        Decoded::More
    }

    fn step(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => Some(State::SizeEnd),
            (State::Size, b';') if self.digits > 0 => Some(State::Extension),
            (State::Size, digit) => {
                let digit = u64::from(char::from(digit).to_digit(16)?);
                self.digits += 1;
                if self.digits > DIGITS_MAX {
                    return None;
                }
                self.left = self.left << 4 | digit;
                Some(State::Size)
            }
            (State::Extension, b'\r') => Some(State::SizeEnd),
            (State::SizeEnd, b'\n') => {
                self.digits = 0;
                Some(if self.left == 0 {
                    State::Line
                } else {
                    State::Data
                })
            }
            (State::DataEnd, b'\r') => Some(State::DataEndLf),
            (State::DataEndLf, b'\n') => Some(State::Size),
            (State::Line, b'\r') => Some(State::LastLf),
            (State::LastLf, b'\n') => Some(State::Done),
            (State::Trailer, b'\r') => Some(State::TrailerEnd),
            (State::TrailerEnd, b'\n') => Some(State::Line),
            (State::Extension, byte) => self.skip(byte, State::Extension),
            (State::TrailerName, b':') => self.skip(byte, State::Trailer),
            // A line that is no field may be the next request of somebody who ends a body earlier.
            (State::Line | State::TrailerName, byte) if is_token(byte) => {
                self.skip(byte, State::TrailerName)
            }
            (State::Trailer, byte) => self.skip(byte, State::Trailer),
            _ => None,
        }
    }

    fn skip(&mut self, byte: u8, state: State) -> Option<State> {
        self.beside += 1;
        let is_text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        (is_text && self.beside <= BESIDE_BYTES_MAX).then_some(state)
    }
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
