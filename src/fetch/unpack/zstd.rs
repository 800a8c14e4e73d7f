//! Decodes Zstandard streams of several frames, skipping skippable ones.

use std::io::{self, BufReader, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::CHUNK;

/// The largest window of a frame, in bytes, which the decoder keeps in memory.
/// [RFC 8878][rfc] recommends to support this size, and encoders do not exceed
/// it by default.
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2
const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// A reader of the content of all frames.
pub(super) struct Frames<R: Read> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Between,
    Within,
    Ended,
}

impl<R: Read> Frames<R> {
    pub fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Frames {
            source: BufReader::with_capacity(CHUNK, source),
            decoder,
            state: State::Between,
        }
    }

    /// Advances to the next frame with content.
    fn next_frame(&mut self) -> io::Result<State> {
        loop {
            if std::io::BufRead::fill_buf(&mut self.source)?.is_empty() {
                return Ok(State::Ended);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(State::Within),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn end_frame(&self) -> io::Result<State> {
        match self.decoder.get_checksum_from_data() {
            given @ Some(_) if given != self.decoder.get_calculated_checksum() => {
                Err(io::Error::other("a frame does not match its checksum"))
            }
            _ => Ok(State::Between),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match self.state {
                State::Ended => return Ok(0),
                State::Between => self.next_frame()?,
                State::Within if self.decoder.can_collect() > 0 => {
                    return self.decoder.read(buffer);
                }
                State::Within if self.decoder.is_finished() => self.end_frame()?,
                State::Within => {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder
                        .decode_blocks(&mut self.source, one)
                        .map_err(io::Error::other)?;
                    State::Within
                }
            };
        }
    }
}
