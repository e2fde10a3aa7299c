//! The images that a Containerfile builds on. More than it really needs does no harm (they are only looked
//! up), so that conditions and unused stages are not followed.

use std::collections::{BTreeMap, BTreeSet};

use super::IMAGES_MAX;
use crate::variables::{Piece, pieces};

/// Bytes of a value after substitution: a name of an image has 255 at most.
const VALUE_MAX: usize = 4096;

/// The images that a Containerfile names in `FROM`, `COPY --from` and `RUN --mount=…,from=`: without those
/// that are its own stages, without `scratch`, and without those whose name depends on what is not known.
/// `arguments` are the request's; they outrank the file's own defaults.
pub fn base_images(text: &str, arguments: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Found {
        arguments,
        values: BTreeMap::new(),
        stages: BTreeSet::new(),
        images: Vec::new(),
    };
    for (keyword, rest) in instructions(text) {
        match keyword.to_ascii_uppercase().as_str() {
            "ARG" => found.arg(&rest),
            "FROM" => found.from(&rest),
            "COPY" | "ADD" => found.copy(&rest),
            "RUN" => found.run(&rest),
            _ => {}
        }
    }
    found.images
}

struct Found<'a> {
    arguments: &'a BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    stages: BTreeSet<String>,
    images: Vec<String>,
}

impl Found<'_> {
    fn arg(&mut self, rest: &str) {
        for word in rest.split_whitespace() {
            let (name, default) = match word.split_once('=') {
                Some((name, default)) => (name, self.expanded(unquoted(default))),
                None => (word, None),
            };
            if let Some(value) = self.arguments.get(name).cloned().or(default) {
                self.values.insert(name.to_owned(), value);
            }
        }
    }

    fn from(&mut self, rest: &str) {
        let mut words = rest
            .split_whitespace()
            .filter(|word| !word.starts_with("--"));
        let Some(image) = words.next() else { return };
        self.image(unquoted(image));
        if words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("as"))
            && let Some(stage) = words.next()
        {
            self.stages.insert(stage.to_ascii_lowercase());
        }
    }

    fn copy(&mut self, rest: &str) {
        for flag in flags(rest) {
            if let Some(image) = flag.strip_prefix("--from=") {
                self.image(unquoted(image));
            }
        }
    }

    fn run(&mut self, rest: &str) {
        for flag in flags(rest) {
            let mount = flag.strip_prefix("--mount=").unwrap_or_default();
            for option in unquoted(mount).split(',') {
                if let Some(image) = option.strip_prefix("from=") {
                    self.image(image);
                }
            }
        }
    }

    fn image(&mut self, word: &str) {
        let Some(name) = self.expanded(word) else {
            return;
        };
        let name = name.strip_prefix("docker://").unwrap_or(&name);
        let own = self.stages.contains(&name.to_ascii_lowercase())
            || name.bytes().all(|byte| byte.is_ascii_digit());
        let elsewhere = name.contains("://")
            || name.starts_with("oci-archive:")
            || name.starts_with("docker-archive:");
        let known = name == "scratch" || self.images.iter().any(|image| image == name);
        if !own && !elsewhere && !known && self.images.len() < IMAGES_MAX {
            self.images.push(name.to_owned());
        }
    }

    /// With `$name`, `${name}`, `${name:-default}`, `${name:+other}` (with and without colon) put in;
    /// `None` where a value is not known.
    fn expanded(&self, word: &str) -> Option<String> {
        let mut text = String::new();
        for piece in pieces(word)? {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Variable(variable) => {
                    let value = self.values.get(variable.name).map(String::as_str);
                    text.push_str(variable.with(value, None)?);
                }
            }
            if text.len() > VALUE_MAX {
                return None;
            }
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The words before the first that is no flag.
fn flags(rest: &str) -> impl Iterator<Item = &str> {
    rest.split_whitespace()
        .take_while(|word| word.starts_with("--"))
}

fn unquoted(word: &str) -> &str {
    let inner = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(word)
}

/// Keyword and rest of each instruction: comments left out, continued lines put together, here-documents
/// skipped.
fn instructions(text: &str) -> Vec<(String, String)> {
    let escape = escape(text);
    let mut all = Vec::new();
    let mut lines = text.lines();
    let mut whole = String::new();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(part) = line.strip_suffix(escape) {
            whole.push_str(part);
            whole.push(' ');
            continue;
        }
        whole.push_str(line);
        for end in here_documents(&whole) {
            // to the line that is the end, or to the end of the file
            let ends = |line: &str| line.trim_start_matches('\t') == end;
            lines.by_ref().find(|line| ends(line));
        }
        push(&mut all, &whole);
        whole.clear();
    }
    push(&mut all, &whole);
    all
}

fn push(all: &mut Vec<(String, String)>, line: &str) {
    if let Some((keyword, rest)) = line.trim().split_once(char::is_whitespace) {
        all.push((keyword.to_owned(), rest.trim().to_owned()));
    }
}

/// `# escape=` among the first lines.
fn escape(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let named = directives
        .filter_map(|line| line.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    match named {
        Some((_, value)) if value.trim() == "`" => '`',
        _ => '\\',
    }
}

/// The ends of the here-documents that an instruction begins: `<<EOF`, `<<-EOF`, `<<"EOF"`.
fn here_documents(line: &str) -> Vec<String> {
    let keyword = line.split_whitespace().next().unwrap_or_default();
    if !["RUN", "COPY", "ADD"]
        .iter()
        .any(|word| keyword.eq_ignore_ascii_case(word))
    {
        return Vec::new();
    }
    let words = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("<<"));
    let ends = words.map(|word| unquoted(word.strip_prefix('-').unwrap_or(word)));
    ends.filter(|end| end.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn images(text: &str) -> Vec<String> {
        base_images(text, &BTreeMap::new())
    }

    #[test]
    fn tables() {
        for (text, expected) in [
            ("FROM busybox", &["busybox"][..]),
            (
                "from  --platform=linux/amd64 busybox:1 as b\nFROM b\nFROM B AS c",
                &["busybox:1"],
            ),
            (
                "FROM scratch\nCOPY --from=tools --chown=1 /a /b",
                &["tools"],
            ),
            (
                "FROM a AS one\nCOPY --from=one /a /b\nCOPY --from=0 /a /b",
                &["a"],
            ),
            (
                "# FROM no\n\nFROM \\\n# within\n  a \\\n  AS x\nFROM x",
                &["a"],
            ),
            ("# escape=`\nFROM `\n a", &["a"]),
            (
                "ARG V=1\nFROM base:${V}\nFROM base:$V-x",
                &["base:1", "base:1-x"],
            ),
            ("ARG B\nFROM ${B:-fallback}", &["fallback"]),
            (
                "ARG B=set\nFROM ${B:+other}\nFROM ${B-x}",
                &["other", "set"],
            ),
            ("ARG B\nFROM $B\nFROM $UNKNOWN\nFROM ${UNKNOWN:?x}", &[]),
            ("ARG A=\"q\" B='r'\nFROM $A\nFROM ${B}", &["q", "r"]),
            (
                "FROM a\nRUN --mount=type=bind,from=b,target=/x --mount=type=cache,target=/c make",
                &["a", "b"],
            ),
            ("FROM a\nRUN echo --mount=from=no COPY --from=no", &["a"]),
            (
                "FROM a\nRUN <<EOF\nFROM no\nEOF\nCOPY <<-\"X\" /f\nFROM no\n\tX\nFROM b",
                &["a", "b"],
            ),
            (
                "FROM docker://quay.io/x/y:1\nFROM oci-archive:/x.tar\nFROM containers-storage://x",
                &["quay.io/x/y:1"],
            ),
            (
                "FROM a@sha256:0\nFROM 0123456789ab\nFROM a@sha256:0",
                &["a@sha256:0", "0123456789ab"],
            ),
            ("FROM", &[]),
            ("FROM a \\", &["a"]),
            ("", &[]),
        ] {
            assert_eq!(images(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_requests_arguments_outrank_the_files() {
        let arguments = BTreeMap::from([("B".to_owned(), "mine".to_owned())]);
        assert_eq!(base_images("ARG B=theirs\nFROM $B", &arguments), ["mine"]);
        // Podman knows no argument that the file does not declare
        assert!(base_images("FROM $B", &arguments).is_empty());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let many: Vec<String> = (0..2 * IMAGES_MAX).map(|n| format!("FROM i{n}")).collect();
        assert_eq!(images(&many.join("\n")).len(), IMAGES_MAX);
        let doubled =
            "ARG A=xxxxxxxxxxxxxxxx\n".to_owned() + &"ARG A=$A$A\n".repeat(64) + "FROM $A";
        assert!(
            images(&doubled)
                .iter()
                .all(|image| image.len() <= VALUE_MAX)
        );
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "(?s)(FROM|ARG|RUN|COPY|[ \\\\\n#<${}:+=-]|[a-c]|.){0,80}") {
            drop(images(&text));
        }
    }
}
