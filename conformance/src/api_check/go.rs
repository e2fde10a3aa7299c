//! Fields of Go structs as they go over the wire, read line by line: enough for Podman's types.

use std::collections::BTreeMap;

/// The structs of some Go files, by name.
#[derive(Debug, Default)]
pub(super) struct Structs {
    all: BTreeMap<String, Vec<Member>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Member {
    /// A field and its name in JSON.
    Field(String),
    /// A struct whose fields count as this one's.
    Embedded(String),
}

impl Structs {
    /// Adds the structs of a file.
    pub(super) fn add(&mut self, source: &str) {
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            let name = line
                .strip_prefix("type ")
                .and_then(|rest| rest.split_once(" struct {"));
            let Some((name, _)) = name else { continue };
            let mut members = Vec::new();
            // braces of a struct in the struct: its fields are not ours
            let mut depth = 0_usize;
            for line in lines.by_ref() {
                let code = without_comment(line);
                if depth == 0 {
                    if code.starts_with('}') {
                        break;
                    }
                    members.extend(member(code));
                }
                depth += code.matches('{').count();
                depth = depth.saturating_sub(code.matches('}').count());
            }
            self.all.insert(name.to_owned(), members);
        }
    }

    /// The fields of a struct with those of the structs embedded in it, in their order; empty for an
    /// unknown one.
    pub(super) fn fields(&self, name: &str) -> Vec<String> {
        let members = self.all.get(name).into_iter().flatten();
        members
            .flat_map(|member| match member {
                Member::Field(name) => vec![name.clone()],
                Member::Embedded(inner) => self.fields(inner),
            })
            .collect()
    }
}

fn without_comment(line: &str) -> &str {
    // a tag may hold slashes
    let from = line.rfind('`').unwrap_or(0);
    match line.get(from..).and_then(|rest| rest.find("//")) {
        Some(at) => line.get(..from + at).unwrap_or(line).trim(),
        None => line.trim(),
    }
}

/// The member that a line of a struct declares; none for a comment and for what JSON leaves out.
fn member(code: &str) -> Option<Member> {
    let (declared, tag) = match code.split_once('`') {
        Some((declared, tag)) => (declared.trim(), json_name(tag)),
        None => (code, None),
    };
    if tag == Some("-") {
        return None;
    }
    let (name, is_embedded) = match declared.split_once(char::is_whitespace) {
        Some((name, _)) => (name, false),
        None => (declared.rsplit(['.', '*']).next()?, true),
    };
    match tag.filter(|tag| !tag.is_empty()) {
        Some(tag) => Some(Member::Field(tag.to_owned())),
        None if is_embedded && !name.is_empty() => Some(Member::Embedded(name.to_owned())),
        None => name
            .starts_with(|first: char| first.is_ascii_uppercase())
            .then(|| Member::Field(name.to_owned())),
    }
}

/// The name in a tag such as `json:"name,omitempty"`.
fn json_name(tag: &str) -> Option<&str> {
    let (_, rest) = tag.split_once("json:\"")?;
    rest.split(['"', ',']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
package example

// Basics of a thing
type Basics struct {
	// Name has a comment; with a word: type X struct {
	Name string `json:"name,omitempty"`
	Tries *uint `json:"tries,omitempty"` // see https://a.example
	hidden int
	Internal string `json:"-"`
	Plain map[string][]string
}

type Inner struct { // of another file perhaps
	Inner string `json:"inner"`
}

type Whole struct {
	Basics
	*other.Inner

	//nolint:unused
	cache
	Both struct {
		NotOurs string `json:"not_ours"`
	} `json:"both"`
	Last []string `json:"last" yaml:"last"`
}

func (w *Whole) Method() {}
"#;

    #[test]
    fn fields_have_their_names_on_the_wire() {
        let mut structs = Structs::default();
        structs.add(SOURCE);
        assert_eq!(structs.fields("Basics"), ["name", "tries", "Plain"]);
        assert_eq!(
            structs.fields("Whole"),
            ["name", "tries", "Plain", "inner", "Both", "last"]
        );
        assert!(structs.fields("Nothing").is_empty());
    }
}
