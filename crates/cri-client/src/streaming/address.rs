//! The URL that a runtime hands out.

use std::fmt;

use http::Uri;

use crate::error::Error;

/// Where a stream is. Shown without its token: who knows an unused one may execute.
#[derive(Debug, Clone)]
pub(super) struct Address {
    call: &'static str,
    host: String,
    port: u16,
    /// Path and query.
    target: String,
}

impl Address {
    pub(super) fn parse(call: &'static str, url: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::BadAnswer {
            call,
            message: format!("the stream's address is {:?}: {why}", hidden(url)),
        };
        let uri: Uri = url.parse().map_err(|_| bad("that is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(bad(
                    "streams over TLS are not spoken; serve them on 127.0.0.1 without \
                     (CRI-O: stream_enable_tls, containerd: enable_tls_streaming)",
                ));
            }
            _ => return Err(bad("wanted was http://HOST:PORT/…")),
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad("it has no host"))?;
        Ok(Self {
            call,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            target: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    pub(super) fn call(&self) -> &'static str {
        self.call
    }

    pub(super) fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The value of the Host header.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn error(&self, message: impl fmt::Display) -> Error {
        Error::Stream {
            call: self.call,
            address: self.to_string(),
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            hidden(&format!("http://{}{}", self.authority(), self.target))
        )
    }
}

/// A URL without its last part.
fn hidden(url: &str) -> String {
    match url.rsplit_once('/') {
        Some((before, token)) if !token.is_empty() => format!("{before}/…"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_shown_without_its_token() {
        let address = Address::parse("Exec", "http://127.0.0.1:41/exec/Tok3n").unwrap();
        assert_eq!(address.place(), ("127.0.0.1", 41));
        assert_eq!(address.target(), "/exec/Tok3n");
        assert_eq!(address.to_string(), "http://127.0.0.1:41/exec/…");
        let six = Address::parse("Exec", "http://[::1]:41/exec/Tok3n").unwrap();
        assert_eq!(
            (six.place(), six.authority()),
            (("::1", 41), "[::1]:41".to_owned())
        );
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused_with_it() {
        for (url, why) in [
            ("https://127.0.0.1:41/exec/x", "TLS"),
            ("/exec/x", "wanted was http://"),
            ("unix:///run/x", "no URL"),
            ("", "no URL"),
            ("ftp://127.0.0.1/x", "wanted was http://"),
            ("http:///exec/x", "no URL"),
        ] {
            let error = Address::parse("Exec", url).unwrap_err().to_string();
            assert!(
                error.contains(why) && !error.contains("/x\""),
                "{url}: {error}"
            );
        }
    }
}
