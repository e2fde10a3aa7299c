//! Frames and header blocks, whatever comes.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::frame::{Decoder, Frame, MAX_CONTROL, Malformed};
use super::headers::{Deflater, Inflater, MAX_INFLATED, Pairs};

/// Feeds the bytes in chunks of these sizes, in turn. Pieces of one DATA frame are put together again.
fn decoded(bytes: &[u8], chunks: &[usize]) -> Result<Vec<Frame>, Malformed> {
    let (mut decoder, mut buffer, mut rest) = (Decoder::default(), BytesMut::new(), bytes);
    let mut frames: Vec<Frame> = Vec::new();
    let mut open = false; // the last one in `frames` is a frame under way
    for chunk in chunks.iter().cycle() {
        let (chunk, after) = rest.split_at(rest.len().min(*chunk));
        rest = after;
        buffer.extend_from_slice(chunk);
        while let Some(frame) = decoder.next(&mut buffer)? {
            open = match (frames.last_mut(), frame) {
                (
                    Some(Frame::Data { fin, bytes, .. }),
                    Frame::Data {
                        fin: f, bytes: b, ..
                    },
                ) if open => {
                    *bytes = [&bytes[..], &b[..]].concat().into();
                    *fin = f;
                    decoder.inside()
                }
                (_, frame) => {
                    frames.push(frame);
                    decoder.inside()
                }
            };
        }
        assert!(
            buffer.len() < MAX_CONTROL + 8 + chunk.len(),
            "more than a frame waits"
        );
        if rest.is_empty() {
            break;
        }
    }
    Ok(frames)
}

fn frames() -> impl Strategy<Value = Frame> {
    let stream = 1..0x7fff_ffff_u32;
    let bytes = vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    prop_oneof![
        (stream.clone(), any::<bool>(), bytes.clone())
            .prop_map(|(stream, fin, block)| Frame::Open { stream, fin, block }),
        (stream.clone(), any::<bool>(), bytes.clone())
            .prop_map(|(stream, fin, block)| Frame::Reply { stream, fin, block }),
        (stream.clone(), any::<bool>(), bytes.clone())
            .prop_map(|(stream, fin, block)| Frame::Headers { stream, fin, block }),
        (stream.clone(), any::<u32>()).prop_map(|(stream, status)| Frame::Reset { stream, status }),
        (stream, any::<bool>(), bytes).prop_map(|(stream, fin, bytes)| Frame::Data {
            stream,
            fin,
            bytes
        }),
        any::<u32>().prop_map(Frame::Ping),
        (0..0x7fff_ffff_u32, any::<u32>())
            .prop_map(|(last, status)| Frame::GoAway { last, status }),
        prop_oneof![Just(4), Just(9), 10..u16::MAX].prop_map(Frame::Ignored),
    ]
}

fn pairs() -> impl Strategy<Value = Pairs> {
    vec(("[a-z:-]{0,20}", "\\PC{0,200}"), 0..8)
}

proptest! {
    #[test]
    fn frames_come_back_however_the_bytes_are_cut(
        frames in vec(frames(), 0..12),
        chunks in vec(1..400_usize, 1..20),
    ) {
        let mut bytes = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        prop_assert_eq!(decoded(&bytes, &chunks), Ok(frames));
    }

    #[test]
    fn blocks_of_headers_come_back_in_their_order(blocks in vec(pairs(), 0..10)) {
        let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
        for pairs in blocks {
            let texts: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let block = deflater.block(&texts).expect("deflates");
            prop_assert_eq!(inflater.pairs(&block), Ok(pairs));
        }
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in vec(any::<u8>(), 0..2000), chunks in vec(1..400_usize, 1..5)) {
        decoded(&bytes, &chunks).ok();
    }

    #[test]
    fn any_block_is_headers_or_an_error(blocks in vec(vec(any::<u8>(), 0..500), 0..5)) {
        let mut inflater = Inflater::new();
        for block in blocks {
            inflater.pairs(&block).ok();
        }
    }

    #[test]
    fn a_block_that_was_tampered_with_is_headers_or_an_error(
        pairs in pairs(), place in any::<prop::sample::Index>(), with in any::<u8>(),
    ) {
        let texts: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut block = Deflater::new().block(&texts).expect("deflates");
        let place = place.index(block.len());
        block[place] = with;
        Inflater::new().pairs(&block).ok();
    }
}

#[test]
fn a_block_without_headers_is_read() {
    // zlib's head with the checksum of the dictionary, a block of four zeros, an empty one that flushes
    let block = [
        0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2, 0x62, 0x60, 0x60, 0x60, 0x00, 0x00, 0x00, 0x00, 0xff,
        0xff,
    ];
    assert_eq!(Inflater::new().pairs(&block), Ok(Pairs::new()));
}

#[test]
fn the_dictionary_is_named_and_no_other_is_taken() {
    let mut block = Deflater::new().block(&[("streamtype", "stdin")]).unwrap();
    assert_eq!(block[2..6], 0xe3c6_a7c2_u32.to_be_bytes());
    block[2] ^= 1;
    assert!(Inflater::new().pairs(&block).is_err());
}

#[test]
fn a_small_block_that_inflates_to_much_is_refused() {
    let value = "x".repeat(2 * MAX_INFLATED);
    let block = Deflater::new().block(&[("a", &value)]).unwrap();
    assert!(block.len() < MAX_CONTROL, "{} bytes", block.len());
    let error = Inflater::new().pairs(&block).unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
    let value = "x".repeat(MAX_INFLATED - 100);
    let block = Deflater::new().block(&[("a", &value)]).unwrap();
    assert_eq!(Inflater::new().pairs(&block).unwrap().len(), 1);
}

#[test]
fn what_is_no_frame_is_an_error_before_it_is_read() {
    let table: [(&[u8], &str); 5] = [
        (&[0x80, 2, 0, 1, 0, 0, 0, 0], "version 2"),
        (&[0x80, 3, 0, 2, 0, 1, 0, 0], "65536 bytes"),
        (&[0x80, 3, 0, 3, 0, 0, 0, 2, 1, 1], "8 are the least"),
        (&[0, 0, 0, 0, 0, 0, 0, 1, 1], "stream 0"),
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
    ];
    for (bytes, why) in table {
        match decoded(bytes, &[100]) {
            Err(error) => assert!(error.to_string().contains(why), "{error}"),
            // what begins with a letter reads as DATA of a stream that nobody opened
            Ok(frames) => assert!(why.is_empty(), "{frames:?}"),
        }
    }
}
