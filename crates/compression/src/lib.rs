//! Streams that may be compressed, in the forms that Podman undoes: contexts of builds, archives for containers.
//!
//! Source of the forms and of how one is known: Podman 5.8.6, tried with archives of each.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// Bytes of the longest mark.
const MARK_MAX: u64 = 6;
/// Bytes of memory that undoing xz may take: `xz -9` asks for 65 MiB. zstd has a limit of its own, 128 MiB.
const XZ_MEMORY: u64 = 128 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bzip2,
    Gzip,
    Xz,
    Zstd,
}

impl Form {
    /// By a stream's first bytes.
    fn of(start: &[u8]) -> Option<Self> {
        const MARKS: [(&[u8], Form); 4] = [
            (b"BZh", Form::Bzip2),
            (b"\x1f\x8b", Form::Gzip),
            (b"\xfd7zXZ\0", Form::Xz),
            (b"\x28\xb5\x2f\xfd", Form::Zstd),
        ];
        let mark = MARKS.iter().find(|(mark, _)| start.starts_with(mark));
        mark.map(|(_, form)| *form)
    }
}

/// What a stream holds: as it is, or with its bzip2, gzip, xz or zstd undone, several of one form behind each other
/// too. Which it is is seen at the first bytes.
///
/// # Errors
/// Reading the first bytes. What is broken further on, or asks for too much memory, is an error of what is given.
pub fn undone<'a>(mut stream: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    // one read may give less than a mark
    let mut start = Vec::new();
    stream.by_ref().take(MARK_MAX).read_to_end(&mut start)?;
    let form = Form::of(&start);
    let stream = BufReader::new(Cursor::new(start).chain(stream));
    Ok(match form {
        None => Box::new(stream),
        Some(Form::Bzip2) => Box::new(BufReader::new(MultiBzDecoder::new(stream))),
        Some(Form::Gzip) => Box::new(BufReader::new(MultiGzDecoder::new(stream))),
        Some(Form::Xz) => {
            let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            Box::new(BufReader::new(XzDecoder::new_stream(stream, decoder)))
        }
        Some(Form::Zstd) => Box::new(BufReader::new(zstd::Decoder::with_buffer(stream)?)),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// One byte at each read, as a slow client sends it.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(into.get_mut(..most).unwrap_or_default())
        }
    }

    fn read(stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        undone(Slow(stream))?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn all_forms(of: &[u8]) -> Vec<(Form, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(of).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(of).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(of).unwrap();
        vec![
            (Form::Gzip, gzip.finish().unwrap()),
            (Form::Bzip2, bzip2.finish().unwrap()),
            (Form::Xz, xz.finish().unwrap()),
            (Form::Zstd, zstd::encode_all(of, 1).unwrap()),
        ]
    }

    #[test]
    fn each_form_is_undone_one_behind_another_too() {
        for (form, mut packed) in all_forms(b"some words") {
            assert_eq!(Form::of(&packed), Some(form));
            packed.extend_from_within(..);
            assert_eq!(read(&packed).unwrap(), b"some wordssome words", "{form:?}");
        }
    }

    #[test]
    fn what_is_not_compressed_stays_as_it_is() {
        for plain in [&b""[..], b"B", b"BZ", b"plain words", &[0; 1024]] {
            assert_eq!(read(plain).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for (form, packed) in all_forms(&b"some words ".repeat(100)) {
            let cut = packed.len() - 3;
            read(&packed[..cut]).expect_err(&format!("{form:?}"));
        }
    }

    #[test]
    fn xz_gets_no_more_memory_than_it_needs() {
        let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
        options.dict_size(256 << 20);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let check = liblzma::stream::Check::Crc32;
        // as the header of a block says it, which a stream of this size does not need
        let encoder = Stream::new_stream_encoder(&filters, check).unwrap();
        let mut xz = liblzma::write::XzEncoder::new_stream(Vec::new(), encoder);
        xz.write_all(b"words").unwrap();
        let error = read(&xz.finish().unwrap()).unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
