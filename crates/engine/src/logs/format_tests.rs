use super::*;
use proptest::prelude::*;

const BOTH: Wanted = Wanted {
    stdout: true,
    stderr: true,
    since: None,
    until: None,
    restore_cr: false,
};

/// The bytes of a stream, as a reader gets them in the end.
fn text_of(lines: &[Line], stream: Stream) -> Vec<u8> {
    let of_it = lines.iter().filter(|line| line.stream == stream);
    of_it.flat_map(|line| line.text.to_vec()).collect()
}

fn read(wanted: Wanted, log: &[u8], pieces: usize) -> Vec<Line> {
    let mut assembler = Assembler::new(wanted);
    let mut lines = Vec::new();
    for piece in log.chunks(pieces.max(1)) {
        lines.extend(assembler.feed(piece));
    }
    lines.extend(assembler.flush());
    lines
}

fn shown(lines: &[Line]) -> Vec<(Stream, bool, String)> {
    let one = |line: &Line| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        (line.stream, line.stamp.is_some(), text)
    };
    lines.iter().map(one).collect()
}

#[test]
fn both_runtimes_times_are_read_and_shown_as_podman_shows_them() {
    for (text, shown) in [
        (
            "2026-11-25T18:40:45.49778568Z",
            "2026-11-25T18:40:45.497785680Z",
        ),
        ("2026-11-25T18:40:45Z", "2026-11-25T18:40:45.000000000Z"),
        (
            "2026-11-25T18:40:45.497785680+00:00",
            "2026-11-25T18:40:45.497785680Z",
        ),
        (
            "2026-11-25T18:40:45.497785680-03:30",
            "2026-11-25T18:40:45.497785680-03:30",
        ),
    ] {
        assert_eq!(
            Stamp::parse(text.as_bytes()).unwrap().to_string(),
            shown,
            "{text}"
        );
    }
    for text in [
        "",
        "x",
        "2026-11-25",
        "2026-11-25T18:40:45",
        "9999-99-99T99:99:99Z",
    ] {
        assert_eq!(Stamp::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn what_is_no_record_is_passed_over() {
    let log = b"\n\
        no record\n\
        2026-11-25T18:40:45Z stdout F\n\
        2026-11-25T18:40:45Z stdin F x\n\
        2026-11-25T18:40:45Z stdout X x\n\
        x stdout F x\n\
        2026-11-25T18:40:45Z stdout F \n\
        2026-11-25T18:40:45Z stderr F:more a b\n\
        2026-11-25T18:40:45Z stdout F cut";
    let lines = shown(&read(BOTH, log, 7));
    let wanted = [
        (Stream::Stdout, true, "\n".to_owned()),
        (Stream::Stderr, true, "a b\n".to_owned()),
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn a_cut_line_is_put_together_with_the_time_of_its_beginning() {
    let log = b"2026-11-25T18:40:41Z stdout P one \n\
        2026-11-25T18:40:42Z stderr F meanwhile\n\
        2026-11-25T18:40:43Z stdout P two\n\
        2026-11-25T18:40:44Z stdout F \n\
        2026-11-25T18:40:45Z stdout P prompt> \n";
    let lines = read(BOTH, log, 4096);
    let wanted = [
        (Stream::Stderr, true, "meanwhile\n".to_owned()),
        (Stream::Stdout, true, "one two\n".to_owned()),
        (Stream::Stdout, true, "prompt> ".to_owned()),
    ];
    assert_eq!(shown(&lines), wanted);
    let begun = lines.iter().find(|line| line.text.starts_with(b"one"));
    assert_eq!(
        begun.unwrap().stamp.unwrap().to_string(),
        "2026-11-25T18:40:41.000000000Z"
    );
}

#[test]
fn a_line_that_was_shown_in_part_goes_on_without_a_time() {
    let mut assembler = Assembler::new(BOTH);
    assert!(
        assembler
            .feed(b"2026-11-25T18:40:41Z stdout P name: \n")
            .is_empty()
    );
    assert_eq!(
        shown(&assembler.flush()),
        [(Stream::Stdout, true, "name: ".to_owned())]
    );
    assert!(assembler.flush().is_empty());
    let rest = assembler.feed(b"2026-11-25T18:40:42Z stdout F me\n");
    assert_eq!(shown(&rest), [(Stream::Stdout, false, "me\n".to_owned())]);
}

#[test]
fn since_and_until_go_by_the_beginning_of_a_line() {
    let at = |text: &str| Some(text.parse().unwrap());
    let log = b"2026-11-25T18:40:41Z stdout P a\n\
        2026-11-25T18:40:43Z stdout F b\n\
        2026-11-25T18:40:42Z stderr F c\n\
        2026-11-25T18:40:43Z stdout F d\n\
        2026-11-25T18:40:44Z stdout F e\n";
    let wanted = Wanted {
        since: at("2026-11-25T18:40:41Z"),
        until: at("2026-11-25T18:40:44Z"),
        ..BOTH
    };
    assert_eq!(text_of(&read(wanted, log, 9), Stream::Stdout), b"d\n");
    assert_eq!(text_of(&read(wanted, log, 9), Stream::Stderr), b"c\n");
    let wanted = Wanted {
        stdout: false,
        ..BOTH
    };
    assert_eq!(
        shown(&read(wanted, log, 9)),
        [(Stream::Stderr, true, "c\n".to_owned())]
    );
}

#[test]
fn the_carriage_return_that_a_runtime_left_out_is_put_back_once() {
    let log = b"2026-11-25T18:40:41Z stdout F a\n\
        2026-11-25T18:40:41Z stdout F b\r\n\
        2026-11-25T18:40:41Z stdout F \n\
        2026-11-25T18:40:41Z stdout P c\n";
    let wanted = Wanted {
        restore_cr: true,
        ..BOTH
    };
    assert_eq!(
        text_of(&read(wanted, log, 9), Stream::Stdout),
        b"a\r\nb\r\n\r\nc"
    );
}

#[test]
fn a_line_above_the_bound_comes_in_pieces_and_whole() {
    let mut log = Vec::new();
    let mut sent = Vec::new();
    for number in 0..40_u8 {
        let text = vec![b'a' + number % 26; 16384];
        sent.extend_from_slice(&text);
        log.extend_from_slice(b"2026-11-25T18:40:41Z stdout P ");
        log.extend_from_slice(&text);
        log.push(b'\n');
    }
    log.extend_from_slice(b"2026-11-25T18:40:41Z stdout F \n");
    sent.push(b'\n');
    let lines = read(BOTH, &log, 60_000);
    assert_eq!(text_of(&lines, Stream::Stdout), sent);
    assert_eq!(lines.iter().filter(|line| line.stamp.is_some()).count(), 1);
    assert!(
        lines
            .iter()
            .all(|line| line.text.len() < LINE_BYTES + RECORD_BYTES)
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_record_longer_than_any_runtimes_is_bounded_too() {
    let mut log = b"2026-11-25T18:40:41Z stdout F ".to_vec();
    let text = vec![b'x'; 20 * RECORD_BYTES];
    log.extend_from_slice(&text);
    log.extend_from_slice(b"\n2026-11-25T18:40:41Z stdout F y\n");
    log.extend_from_slice(&text);
    log.extend_from_slice(b"\n2026-11-25T18:40:41Z stdout F z\n");
    let mut assembler = Assembler::new(BOTH);
    let mut got = Vec::new();
    for piece in log.chunks(10_000) {
        got.extend(assembler.feed(piece));
        assert!(assembler.rest.len() < RECORD_BYTES + 10_000);
    }
    let mut wanted = text;
    wanted.extend_from_slice(b"\ny\nz\n");
    assert_eq!(text_of(&got, Stream::Stdout), wanted);
}

/// What a container writes, as a runtime cuts it.
fn written(writes: &[(bool, Vec<u8>)], cut: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for (to_stderr, text) in writes {
        let stream = if *to_stderr { "stderr" } else { "stdout" };
        let mut record = |tag: &str, text: &[u8]| {
            log.extend_from_slice(format!("2026-11-25T18:40:45.5Z {stream} {tag} ").as_bytes());
            log.extend_from_slice(text);
            log.push(b'\n');
        };
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let (bare, ended) = match line.strip_suffix(b"\n") {
                Some(bare) => (bare, true),
                None => (line, false),
            };
            for piece in bare.chunks(cut) {
                record("P", piece);
            }
            if ended {
                record("F", b"");
            }
        }
    }
    log
}

proptest! {
    #[test]
    fn what_was_written_is_what_is_read(
        writes in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..40)), 0..12),
        cut in 1_usize..20,
        pieces in 1_usize..200,
    ) {
        let log = written(&writes, cut);
        let lines = read(BOTH, &log, pieces);
        for (stream, to_stderr) in [(Stream::Stdout, false), (Stream::Stderr, true)] {
            let of_it = writes.iter().filter(|(stderr, _)| *stderr == to_stderr);
            let sent: Vec<u8> = of_it.flat_map(|(_, text)| text.clone()).collect();
            prop_assert_eq!(text_of(&lines, stream), sent);
        }
        let ends = |line: &&Line| line.text.ends_with(b"\n");
        let stamped = lines.iter().filter(|line| line.stamp.is_some()).count();
        let ended = lines.iter().filter(ends).count();
        prop_assert!(stamped >= ended && stamped <= ended + 2, "each line has its time once");
    }

    #[test]
    fn nothing_that_a_file_holds_is_a_panic(log in proptest::collection::vec(any::<u8>(), 0..2000), pieces in 1_usize..200) {
        super::super::survives(&log, pieces);
    }

    #[test]
    fn damaged_records_are_no_panic(at in 0_usize..200, byte in any::<u8>(), pieces in 1_usize..50) {
        let mut log = written(&[(false, b"abc\ndef".to_vec()), (true, b"x\n".to_vec())], 2);
        if let Some(place) = log.get_mut(at) {
            *place = byte;
        }
        super::super::survives(&log, pieces);
    }
}
