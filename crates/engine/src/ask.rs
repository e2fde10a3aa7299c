//! Questions to a container that is no process of this host: a script for its own shell, by CRI's `ExecSync`.
//!
//! The answer is in pieces, each behind a line with a mark that nobody there can know before and a name, so that nothing in a
//! piece ends it:
//!
//! ```text
//! MARK NAME
//! what was asked for
//! MARK end
//! ```

use std::time::Duration;

use model::Id;

use crate::runtime::Runtime as _;
use crate::system::Inner;

/// How long a container may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked where the answer is not whole: CRI-O's `vm` type closes the pipes as soon as a command is gone, whether or
/// not all has come through them.
const TRIES: usize = 3;

/// What stands before a script. `$1` is the mark, which therefore is in no script. `tell NAME FILE…` answers a piece.
const BEFORE: &str = r#"mark=$1
tell() { printf '\n%s %s\n' "$mark" "$1"; shift; for file; do cat "$file" 2>/dev/null; done; }
"#;
/// What stands behind it.
const BEHIND: &str = "\ntell end\n";

/// The words of a question.
pub(crate) fn question(script: &str, mark: &str) -> Vec<String> {
    let script = format!("{BEFORE}{script}{BEHIND}");
    ["/bin/sh", "-c", &script, "sh", mark]
        .map(ToOwned::to_owned)
        .into()
}

/// Whether a process with these arguments asks such a question.
pub(crate) fn asks(arguments: &[String]) -> bool {
    arguments.get(2).is_some_and(|it| it.starts_with(BEFORE))
}

/// The pieces of an answer.
#[derive(Debug)]
pub(crate) struct Answer<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Answer<'a> {
    /// `None` where it is not whole.
    pub(crate) fn parse(text: &'a str, mark: &str) -> Option<Self> {
        let limit = format!("\n{mark} ");
        let pieces = text.split(limit.as_str()).skip(1);
        let mut pieces: Vec<_> = pieces.filter_map(|piece| piece.split_once('\n')).collect();
        let (last, _) = pieces.pop()?;
        (last == "end").then_some(Self(pieces))
    }

    /// Each with its name, in order.
    pub(crate) fn pieces(&self) -> &[(&'a str, &'a str)] {
        &self.0
    }

    /// The first one of that name.
    pub(crate) fn piece(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|piece| piece.0 == name);
        found.map(|piece| piece.1)
    }
}

impl Inner {
    /// What a container answers, as `read` reads it.
    ///
    /// # Errors
    /// Why it does not, in the runtime's words or its own.
    pub(crate) async fn ask<T>(
        &self,
        cri_id: &str,
        script: &str,
        read: impl FnOnce(&Answer<'_>) -> Option<T>,
    ) -> Result<T, String> {
        let mark = Id::generate();
        let asked = question(script, mark.as_str());
        let mut text = String::new();
        for _ in 0..TRIES {
            let told = self.runtime.exec_sync(cri_id, &asked, PATIENCE).await;
            let told = told.map_err(|error| error.to_string())?;
            text = String::from_utf8_lossy(&told.output).into_owned();
            if let Some(answer) = Answer::parse(&text, mark.as_str()) {
                return read(&answer).ok_or_else(|| why(&text, mark.as_str()));
            }
            if told.exit_code != 0 {
                break;
            }
        }
        Err(why(&text, mark.as_str()))
    }
}

/// What stands behind the last mark: what went wrong is told on stderr, which comes after all else.
fn why(text: &str, mark: &str) -> String {
    let last = text.rsplit(mark).next().unwrap_or_default();
    let last = last.trim_start_matches(" end").trim();
    match last.is_empty() {
        true => "its answer is not whole".to_owned(),
        false => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_whatever_there_is_and_a_part_of_them_is_no_answer() {
        let text = "\n0f a\nx\n0e end\n\n0f b\n\n0f end\nsh: no cat\n";
        let answer = Answer::parse(text, "0f").unwrap();
        assert_eq!(answer.pieces(), [("a", "x\n0e end\n"), ("b", "")]);
        assert_eq!((answer.piece("b"), answer.piece("c")), (Some(""), None));
        assert!(Answer::parse("\n0f a\nx\n", "0f").is_none());
        assert!(Answer::parse("sh: not found", "0f").is_none());
        assert_eq!(why(text, "0f"), "sh: no cat");
        assert_eq!(why("sh: not found\n", "0f"), "sh: not found");
        assert_eq!(why("\n0f end\n", "0f"), "its answer is not whole");
    }

    #[test]
    fn a_shell_answers() {
        let asked = question("tell name /proc/self/comm /nowhere", "0f");
        assert!(asks(&asked) && !asks(&asked[3..]) && !asks(&[]));
        let mut shell = std::process::Command::new(&asked[0]);
        let told = shell.args(&asked[1..]).output().unwrap();
        let text = String::from_utf8(told.stdout).unwrap();
        let answer = Answer::parse(&text, "0f").unwrap();
        assert_eq!(answer.pieces(), [("name", "cat\n")]);
    }
}
