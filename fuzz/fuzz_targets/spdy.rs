//! What a runtime's streaming server sends: frames in pieces, and the header blocks in them, all of one connection.
#![no_main]

use bytes::BytesMut;
use cri_client::streaming::spdy::frame::{Decoder, Frame, MAX_CONTROL};
use cri_client::streaming::spdy::headers::{Inflater, MAX_INFLATED};
use libfuzzer_sys::fuzz_target;

/// A read of the connection, small so that frames are cut.
const PIECE: usize = 61;

fuzz_target!(|bytes: &[u8]| {
    let (mut decoder, mut inflater, mut buffer) =
        (Decoder::default(), Inflater::new(), BytesMut::new());
    for piece in bytes.chunks(PIECE) {
        buffer.extend_from_slice(piece);
        loop {
            let block = match decoder.next(&mut buffer) {
                Ok(Some(
                    Frame::Open { block, .. }
                    | Frame::Reply { block, .. }
                    | Frame::Headers { block, .. },
                )) => block,
                Ok(Some(_)) => continue,
                Ok(None) => break,
                Err(_) => return,
            };
            let Ok(pairs) = inflater.pairs(&block) else {
                return;
            };
            let size: usize = pairs
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum();
            // what is no UTF-8 is replaced, by three bytes for one
            assert!(size <= 3 * MAX_INFLATED);
        }
        assert!(buffer.len() < MAX_CONTROL + 8);
    }
});
