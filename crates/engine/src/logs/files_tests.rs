use super::*;
use proptest::prelude::*;

fn record(tag: &str, text: &str) -> String {
    format!("2026-11-25T18:40:45.123456789+00:00 stdout {tag} {text}\n")
}

/// What is read after a search for the last lines.
fn tail(log: &Path, lines: u64) -> String {
    let mut search = TailSearch::new(list(log).unwrap(), lines);
    let mut found = loop {
        match search.step().unwrap() {
            Searched::GoOn(more) => search = more,
            Searched::Found(found) => break found,
        }
    };
    let mut text = Vec::new();
    while let Some(mut file) = found {
        loop {
            let piece = file.read().unwrap();
            if piece.is_empty() {
                break;
            }
            text.extend(piece);
        }
        found = match file.next(log).unwrap() {
            Some(next) => OpenLog::open(&next).unwrap(),
            None => None,
        };
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn names_of_files_that_were_set_aside_are_known() {
    for (name, number) in [
        ("c.log.1764096045497785680", Some(1_764_096_045_497_785_680)),
        ("c.log.20261125-184045", Some(20_261_125_184_045)),
        ("c.log.20261125-184045.gz", None),
        ("c.log.20261125-184045.tmp", None),
        ("c.log.1x", None),
        ("c.log.", None),
        ("c.log.-1", None),
        ("c.log", None),
        ("d.log.12", None),
    ] {
        assert_eq!(set_aside(name, "c.log"), number, "{name}");
    }
}

#[test]
fn a_log_set_aside_comes_after_those_before_it_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("c.log");
    for name in ["c.log", "c.log.500", "c.log.30", "c.log.20.gz", "other"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let files = list(&log).unwrap();
    let numbers: Vec<_> = files.iter().map(|file| file.set_aside).collect();
    assert_eq!(numbers, [Some(30), Some(500), None]);
    assert_eq!(
        path_aside(&log, &files, 10),
        folder.path().join("c.log.501")
    );
    assert_eq!(
        path_aside(&log, &files, 900),
        folder.path().join("c.log.900")
    );
    assert!(list(&folder.path().join("none/c.log")).unwrap().is_empty());
}

#[test]
fn the_last_lines_are_found_across_files_and_cut_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("c.log");
    let (one, begun, ended) = (record("F", "a"), record("P", "b1"), record("F", "b2"));
    let (last, open) = (record("F", "d"), record("P", "e"));
    fs::write(folder.path().join("c.log.10"), format!("{one}{begun}")).unwrap();
    fs::write(folder.path().join("c.log.20"), &ended).unwrap();
    fs::write(&log, format!("{last}{open}")).unwrap();
    assert_eq!(tail(&log, 0), "");
    assert_eq!(tail(&log, 1), open);
    assert_eq!(tail(&log, 2), format!("{last}{open}"));
    assert_eq!(tail(&log, 3), format!("{begun}{ended}{last}{open}"));
    let whole = format!("{one}{begun}{ended}{last}{open}");
    for all in [4, 5, u64::MAX] {
        assert_eq!(tail(&log, all), whole, "{all}");
    }
}

#[test]
fn a_log_that_is_not_there_or_is_no_file_has_no_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("c.log");
    assert_eq!(tail(&log, 5), "");
    fs::write(&log, "").unwrap();
    assert_eq!(tail(&log, 5), "");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/null", &log).unwrap();
    assert_eq!(tail(&log, 5), "");
}

#[test]
fn ten_lines_of_a_gigabyte_are_found_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("c.log");
    let file = File::create(&log).unwrap();
    file.set_len(1 << 30).unwrap(); // sparse
    let lines: String = (0..20).map(|n| record("F", &n.to_string())).collect();
    file.write_all_at(b"\n", (1 << 30) - 1).unwrap();
    file.write_all_at(lines.as_bytes(), 1 << 30).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(tail(&log, 10).lines().count(), 10);
    assert!(begun.elapsed() < std::time::Duration::from_millis(500));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))] // each writes files
    #[test]
    fn the_last_lines_are_those_at_the_end(
        lines in proptest::collection::vec((0_usize..3, "[a-z]{0,3000}"), 0..60),
        asked in 0_u64..70,
        cut in 0_usize..2,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("c.log");
        let texts: Vec<String> = lines
            .iter()
            .map(|(pieces, text)| record("P", text).repeat(*pieces) + &record("F", ""))
            .collect();
        let (old, new) = texts.split_at(texts.len() * cut / 2);
        fs::write(folder.path().join("c.log.10"), old.concat()).unwrap();
        fs::write(&log, new.concat()).unwrap();
        let skipped = texts.len().saturating_sub(usize::try_from(asked).unwrap());
        prop_assert_eq!(tail(&log, asked), texts[skipped..].concat());
    }
}
