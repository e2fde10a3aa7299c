//! Podman's answer to a build, a line of JSON at a time: what announces success is held back until the image
//! is where it is to be used; all else passes at once, as it is.

use std::collections::VecDeque;

use podman_api::build::{BuildErrorDetail, BuildFailure, BuildLine};

/// The longest line that can announce anything: a name has 255 bytes. Longer ones pass unread.
const LINE_MAX: usize = 4096;
/// Lines held back at most; an image has a line for each of its names, twice.
const HELD_MAX: usize = 1024;
/// Hex digits of an id.
const ID_LEN: usize = 64;

/// The end of an answer, looked for as it passes.
#[derive(Debug, Default)]
pub struct Ending {
    /// A line whose end has not come.
    line: Vec<u8>,
    /// The line passes as it comes: it is too long to announce anything.
    long: bool,
    held: VecDeque<Vec<u8>>,
    id: Option<String>,
    failed: bool,
}

/// What was found at the end.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// What was held back, to be sent when the image is there.
    pub held: Vec<u8>,
    /// The image's id; `None` where the build failed, or made none.
    pub id: Option<String>,
}

enum Meaning {
    /// `Successfully tagged …`, `Successfully built …`
    Success,
    Id(String),
    Failure,
    Other,
}

impl Ending {
    /// Takes the next bytes, and gives those that may pass.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passing = Vec::with_capacity(bytes.len());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = part.ends_with(b"\n");
            if self.long {
                passing.extend_from_slice(part);
                self.long = !ends;
                continue;
            }
            self.line.extend_from_slice(part);
            if ends {
                let line = std::mem::take(&mut self.line);
                self.take(line, &mut passing);
            } else if self.line.len() > LINE_MAX {
                self.release(&mut passing);
                passing.append(&mut self.line);
                self.long = true;
            }
        }
        passing
    }

    /// The answer has ended.
    pub fn finish(mut self) -> Ended {
        let mut held = Vec::new();
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take(line, &mut held);
        }
        held.extend(self.held.into_iter().flatten());
        Ended {
            held,
            id: self.id.filter(|_| !self.failed),
        }
    }

    fn take(&mut self, line: Vec<u8>, passing: &mut Vec<u8>) {
        match meaning(&line) {
            Meaning::Success => self.hold(line, passing),
            Meaning::Id(id) => {
                self.hold(line, passing);
                self.id = Some(id);
            }
            Meaning::Failure => {
                self.failed = true;
                self.release(passing);
                passing.extend(line);
            }
            Meaning::Other => {
                self.release(passing);
                passing.extend(line);
            }
        }
    }

    fn hold(&mut self, line: Vec<u8>, passing: &mut Vec<u8>) {
        self.held.push_back(line);
        if self.held.len() > HELD_MAX {
            passing.extend(self.held.pop_front().into_iter().flatten());
        }
    }

    /// It was not the end: a step of the build has printed the same.
    fn release(&mut self, passing: &mut Vec<u8>) {
        self.id = None;
        passing.extend(self.held.drain(..).flatten());
    }
}

fn meaning(line: &[u8]) -> Meaning {
    if line.len() > LINE_MAX {
        return Meaning::Other;
    }
    let Ok(BuildLine { stream, aux, error }) = serde_json::from_slice(line) else {
        return Meaning::Other;
    };
    if error.is_some() {
        return Meaning::Failure;
    }
    let text = aux.map_or(stream, |aux| aux.id);
    let id = text.trim_end_matches('\n');
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if id.len() == ID_LEN && id.bytes().all(hex) {
        Meaning::Id(id.to_owned())
    } else if text.starts_with("Successfully tagged ") || text.starts_with("Successfully built ") {
        Meaning::Success
    } else {
        Meaning::Other
    }
}

/// The object that ends a failed build.
pub fn failure(message: &str) -> BuildFailure {
    let message = format!("{message}\n"); // as Podman writes it
    BuildFailure {
        error_detail: BuildErrorDetail {
            message: message.clone(),
        },
        error: message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "1d3c6e3fe472897737919b5f5ac05bcb4aa0ae2ad7bd6d195e88dfba8855121c";

    fn stream(text: &str) -> String {
        format!("{{\"stream\":\"{text}\\n\"}}\n")
    }

    /// As Podman's Docker API ends a build (recorded).
    fn compat() -> (String, String) {
        let first = stream("STEP 1/2: FROM a") + &stream("--> 1d3c6e3fe472");
        let last = stream("Successfully tagged localhost/gb:2")
            + &stream(ID)
            + &format!("{{\"aux\":{{\"ID\":\"sha256:{ID}\"}}}}\n")
            + &stream("Successfully built 1d3c6e3fe472")
            + &stream("Successfully tagged localhost/gb:2");
        (first, last)
    }

    #[test]
    fn success_is_held_back_and_the_rest_is_not() {
        let (first, last) = compat();
        let mut ending = Ending::default();
        assert_eq!(ending.feed(first.as_bytes()), first.as_bytes());
        assert!(ending.feed(last.as_bytes()).is_empty());
        let ended = ending.finish();
        assert_eq!(ended.held, last.as_bytes());
        assert_eq!(ended.id.as_deref(), Some(ID));
    }

    #[test]
    fn a_step_that_prints_an_id_is_no_end() {
        let mut ending = Ending::default();
        assert!(ending.feed(stream(ID).as_bytes()).is_empty());
        let next = stream("STEP 2/2: RUN true");
        assert_eq!(
            ending.feed(next.as_bytes()),
            (stream(ID) + &next).as_bytes()
        );
        let none = Ended {
            held: Vec::new(),
            id: None,
        };
        assert_eq!(ending.finish(), none);
    }

    #[test]
    fn a_failed_build_made_no_image() {
        let error = "{\"errorDetail\":{\"message\":\"x\\n\"},\"error\":\"x\\n\"}\n";
        assert_eq!(serde_json::to_string(&failure("x")).unwrap() + "\n", error);
        let text = stream(ID) + error;
        let mut ending = Ending::default();
        assert_eq!(ending.feed(text.as_bytes()), text.as_bytes());
        assert_eq!(ending.finish().id, None);
    }

    #[test]
    fn long_lines_and_many_lines_are_not_kept() {
        let mut ending = Ending::default();
        let long = vec![b'x'; 3 * LINE_MAX];
        assert_eq!(ending.feed(&long), long);
        assert_eq!(ending.feed(b"yz\n"), b"yz\n");
        let tagged = stream("Successfully tagged a");
        let mut passed = 0;
        for _ in 0..HELD_MAX + 5 {
            passed += usize::from(!ending.feed(tagged.as_bytes()).is_empty());
        }
        assert_eq!(passed, 5);
    }

    proptest! {
        #[test]
        fn every_byte_passes_in_order_whatever_the_pieces(cuts in proptest::collection::vec(1_usize..90, 0..40)) {
            let (first, last) = compat();
            let text = stream(ID) + &first + &"z".repeat(LINE_MAX + 9) + "\n" + &last + "{\"stream\":\"no end";
            let (mut ending, mut passed, mut rest) = (Ending::default(), Vec::new(), text.as_bytes());
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                passed.extend(ending.feed(now));
                rest = later;
            }
            passed.extend(ending.feed(rest));
            passed.extend(ending.finish().held);
            prop_assert_eq!(passed, text.as_bytes());
        }
    }
}
