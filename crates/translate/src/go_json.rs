//! JSON errors in the words of Go's `encoding/json`, which Podman's answers carry.
//!
//! The check follows the state machine of Go's scanner, so that a client that reads the text (and
//! a user who searches for it) finds what Podman would have said.

/// Deepest nesting accepted: `serde_json`'s limit, below Go's 10,000. No request is nested so deep.
const MAX_DEPTH: usize = 127;

/// How Podman reads the text: the end of an incomplete one is named differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `json.NewDecoder(body).Decode(…)`: request bodies. What follows the first value is not read.
    Stream,
    /// `json.Unmarshal(…)`: query values.
    Text,
}

/// Checks the syntax of a JSON text; the length of the first value, or Go's error text.
pub fn check(text: &[u8], source: Source) -> Result<usize, String> {
    let mut scanner = Scanner { text, at: 0 };
    let end = scanner
        .document(source)
        .map_err(|fault| match (fault, source) {
            (Fault::Text(text), _) => text,
            (Fault::End { started: false }, Source::Stream) => "EOF".to_owned(),
            (Fault::End { started: true }, Source::Stream) => "unexpected EOF".to_owned(),
            (Fault::End { .. }, Source::Text) => "unexpected end of JSON input".to_owned(),
        })?;
    Ok(end)
}

enum Fault {
    Text(String),
    End { started: bool },
}

type Scan = Result<(), Fault>;

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self, source: Source) -> Result<usize, Fault> {
        self.space();
        if self.peek().is_none() {
            return Err(Fault::End { started: false });
        }
        self.value(0)?;
        let end = self.at;
        self.space();
        match (self.peek(), source) {
            (Some(byte), Source::Text) => Err(invalid(byte, "after top-level value")),
            _ => Ok(end),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn need(&self) -> Result<u8, Fault> {
        self.peek().ok_or(Fault::End { started: true })
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Scan {
        if depth > MAX_DEPTH {
            return Err(Fault::Text("exceeded max depth".to_owned()));
        }
        self.space();
        match self.need()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            byte => Err(invalid(byte, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize) -> Scan {
        self.at += 1;
        self.space();
        if self.need()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            match self.need()? {
                b'"' => self.string()?,
                byte => return Err(invalid(byte, "looking for beginning of object key string")),
            }
            self.space();
            match self.need()? {
                b':' => self.at += 1,
                byte => return Err(invalid(byte, "after object key")),
            }
            self.value(depth + 1)?;
            self.space();
            match self.need()? {
                b',' => self.at += 1,
                b'}' => break self.at += 1,
                byte => return Err(invalid(byte, "after object key:value pair")),
            }
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Scan {
        self.at += 1;
        self.space();
        if self.need()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.need()? {
                b',' => self.at += 1,
                b']' => break self.at += 1,
                byte => return Err(invalid(byte, "after array element")),
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Scan {
        self.at += 1;
        loop {
            match self.need()? {
                b'"' => break self.at += 1,
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                byte if byte < 0x20 => return Err(invalid(byte, "in string literal")),
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Scan {
        match self.need()? {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    match self.need()? {
                        byte if byte.is_ascii_hexdigit() => self.at += 1,
                        byte => return Err(invalid(byte, "in \\u hexadecimal character escape")),
                    }
                }
            }
            byte => return Err(invalid(byte, "in string escape code")),
        }
        Ok(())
    }

    fn number(&mut self) -> Scan {
        if self.need()? == b'-' {
            self.at += 1;
        }
        match self.need()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return Err(invalid(byte, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digit(&mut self, place: &str) -> Scan {
        match self.need()? {
            b'0'..=b'9' => self.digits(),
            byte => return Err(invalid(byte, place)),
        }
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str) -> Scan {
        for expected in word.bytes() {
            match self.need()? {
                byte if byte == expected => self.at += 1,
                byte => {
                    let place = format!("in literal {word} (expecting {})", quote(expected));
                    return Err(invalid(byte, &place));
                }
            }
        }
        Ok(())
    }
}

fn invalid(byte: u8, place: &str) -> Fault {
    Fault::Text(format!("invalid character {} {place}", quote(byte)))
}

/// A byte as Go quotes it: taken as a Latin-1 character, in single quotes.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x09 => r"'\t'".to_owned(),
        0x0a => r"'\n'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        0x0d => r"'\r'".to_owned(),
        0x00..=0x1f | 0x7f => format!(r"'\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_error_texts_are_the_same() {
        let stream = |text: &str| check(text.as_bytes(), Source::Stream).unwrap_err();
        let text = |text: &str| check(text.as_bytes(), Source::Text).unwrap_err();
        // shapes/ctr-create-badjson.json, bad-filter.json, events-badfilter.json
        assert_eq!(
            stream("{bad"),
            "invalid character 'b' looking for beginning of object key string"
        );
        assert_eq!(
            text("notjson"),
            "invalid character 'o' in literal null (expecting 'u')"
        );
        assert_eq!(
            text("bad"),
            "invalid character 'b' looking for beginning of value"
        );
    }

    #[test]
    fn every_place_of_an_error_has_gos_words() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("[1", "unexpected end of JSON input"),
            ("tru", "unexpected end of JSON input"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 \"b\"}",
                "invalid character '\"' after object key:value pair",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("{} x", "invalid character 'x' after top-level value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            (
                "\"\\u12g4\"",
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("-x", "invalid character 'x' in numeric literal"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            (
                "1ex",
                "invalid character 'x' in exponent of numeric literal",
            ),
            ("01", "invalid character '1' after top-level value"),
            (
                "truE",
                "invalid character 'E' in literal true (expecting 'e')",
            ),
            (
                "'a'",
                "invalid character '\\'' looking for beginning of value",
            ),
            (
                "\u{e9}",
                "invalid character '\u{c3}' looking for beginning of value",
            ),
        ] {
            assert_eq!(
                check(text.as_bytes(), Source::Text).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_incomplete_body_is_an_unexpected_eof() {
        assert_eq!(check(b"", Source::Stream).unwrap_err(), "EOF");
        assert_eq!(check(b" \n", Source::Stream).unwrap_err(), "EOF");
        assert_eq!(
            check(b"{\"a\":", Source::Stream).unwrap_err(),
            "unexpected EOF"
        );
        assert_eq!(check(b"{} trailing", Source::Stream).unwrap(), 2);
    }

    #[test]
    fn deep_nesting_ends_with_an_error() {
        let deep = "[".repeat(20_000);
        assert_eq!(
            check(deep.as_bytes(), Source::Text).unwrap_err(),
            "exceeded max depth"
        );
    }
}
