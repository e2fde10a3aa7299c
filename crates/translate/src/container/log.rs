//! Where a container's output goes, as both faces ask for it and as inspect shows it.

use std::collections::BTreeMap;

use crate::human;
use model::Error;
use model::container::{LogDriver, LogSpec};
use podman_api::container::{compat, libpod};

/// What a log configuration asks for; `None` for a driver, path or option that is not carried out.
///
/// # Errors
/// A size or number that is none, in Podman's words.
pub(super) fn from_libpod(config: &libpod::LogConfig) -> Result<Option<LogSpec>, Error> {
    let libpod::LogConfig {
        driver,
        path,
        size,
        options,
    } = config;
    if !path.is_empty() {
        return Ok(None);
    }
    let asked = spec(driver, options)?;
    // -1 and 0 are no bound
    let size = u64::try_from(*size).ok().filter(|size| *size > 0);
    Ok(asked.map(|asked| LogSpec {
        max_bytes: size.or(asked.max_bytes),
        ..asked
    }))
}

/// The same of a compat request.
///
/// # Errors
/// As of [`from_libpod`]; Podman puts `fill out specgen` before them.
pub(super) fn from_compat(config: &compat::LogConfigRequest) -> Result<Option<LogSpec>, Error> {
    let compat::LogConfigRequest { r#type, config } = config;
    spec(r#type, config).map_err(|error| error.behind(super::FILL_OUT))
}

fn spec(driver: &str, options: &BTreeMap<String, String>) -> Result<Option<LogSpec>, Error> {
    let driver = match driver {
        "" | "k8s-file" => LogDriver::K8sFile,
        "json-file" => LogDriver::JsonFile,
        "none" => LogDriver::None,
        _ => return Ok(None),
    };
    let mut spec = LogSpec {
        driver,
        ..LogSpec::default()
    };
    for (name, value) in options.iter().filter(|(_, value)| !value.is_empty()) {
        match name.as_str() {
            "max-size" => spec.max_bytes = Some(size(value)?).filter(|size| *size > 0),
            "max-file" => spec.max_files = Some(files(value)?),
            _ => return Ok(None),
        }
    }
    Ok(Some(spec))
}

fn files(text: &str) -> Result<u32, Error> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Error::Plain(format!("invalid max-file: '{text}'")))
}

/// Bytes as Docker's options spell them: `10`, `1.5k`, `10mb`, `1 GiB`; all of thousands (go-units,
/// `FromHumanSize`).
fn size(text: &str) -> Result<u64, Error> {
    let invalid = || Error::Plain(format!("invalid size: '{text}'"));
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ' ';
    let end = text.rfind(is_number).map(|at| at + 1).ok_or_else(invalid)?;
    let (number, suffix) = text.split_at(end);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let bad_suffix = || Error::Plain(format!("invalid suffix: '{}'", suffix.to_lowercase()));
    let suffix = suffix.to_lowercase();
    let (unit, rest) = match suffix.chars().next() {
        None => ("", ""),
        Some(first) => suffix.split_at(first.len_utf8()),
    };
    let power = match (unit, rest) {
        ("" | "b", "") => 0,
        (_, "" | "b" | "ib") => match unit {
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            "p" => 5,
            _ => return Err(bad_suffix()),
        },
        _ => return Err(bad_suffix()),
    };
    let bytes = number * 1000_f64.powi(power);
    if !bytes.is_finite() || bytes < 0.0 {
        return Err(invalid());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Go cuts the fraction off too; it is not negative, and what is too large is the largest"
    )]
    Ok(bytes as u64)
}

/// A bound as inspect shows it; `-1B` where there is none.
pub(super) fn shown_size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-1B".to_owned(), human::size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, bytes) in [
            ("10", 10),
            ("10kb", 10_000),
            ("2k", 2000),
            ("1m", 1_000_000),
            ("1.5M", 1_500_000),
            ("1 GiB", 1_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for (text, error) in [
            ("x", "invalid size: 'x'"),
            ("", "invalid size: ''"),
            ("-1", "invalid size: '-1'"),
            ("1x", "invalid suffix: 'x'"),
            ("1kx", "invalid suffix: 'kx'"),
            ("1bb", "invalid suffix: 'bb'"),
        ] {
            assert_eq!(size(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_as_recorded() {
        for (bytes, shown) in [
            (None, "-1B"),
            (Some(1), "1B"),
            (Some(10_000), "10kB"),
            (Some(4096), "4.096kB"),
            (Some(1_000_000), "1MB"),
            (Some(12_345_678), "12.35MB"),
            (Some(100), "100B"),
        ] {
            assert_eq!(shown_size(bytes), shown);
        }
    }
}
