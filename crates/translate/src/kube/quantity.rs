//! Kubernetes' quantities: `500m`, `64Mi`, `1.5`, `1e3`.

use model::Error;
use serde_json::Value;

/// Thousandths in one.
const MILLI: i128 = 1000;
/// More digits than any sensible one has.
const DIGITS_MAX: usize = 25;

/// Thousandths of a quantity, rounded up: of a processor, for one.
///
/// # Errors
/// One that is none, or beyond what 64 bits hold.
pub(super) fn thousandths(at: &str, quantity: &Value) -> Result<i64, Error> {
    let text = match quantity {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let parsed = parse(&text).and_then(|value| i64::try_from(value).ok());
    parsed.ok_or_else(|| {
        Error::Plain(format!(
            "{at}: {text:?} is no quantity: digits, and one of m k M G T P E Ki Mi Gi Ti Pi Ei"
        ))
    })
}

/// A whole number of bytes, rounded up.
///
/// # Errors
/// The same.
pub(super) fn bytes(at: &str, quantity: &Value) -> Result<i64, Error> {
    let thousandths = i128::from(thousandths(at, quantity)?);
    i64::try_from((thousandths + MILLI - 1) / MILLI).map_err(Error::internal)
}

/// Thousandths; `None` for what is no quantity, or is negative.
fn parse(text: &str) -> Option<i128> {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.');
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || digits.len() > DIGITS_MAX || part.contains('.') {
        return None;
    }
    let (times, over) = scale(suffix)?;
    let places = u32::try_from(part.len()).ok()?;
    let over = over.checked_mul(10_i128.checked_pow(places)?)?;
    let all = digits
        .parse::<i128>()
        .ok()?
        .checked_mul(MILLI)?
        .checked_mul(times)?;
    Some(all.checked_add(over - 1)? / over)
}

/// By what a suffix multiplies, and divides.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let thousand = |power: u32| Some((1000_i128.pow(power), 1));
    let binary = |power: u32| Some((1024_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => thousand(1),
        "M" => thousand(2),
        "G" => thousand(3),
        "T" => thousand(4),
        "P" => thousand(5),
        "E" => thousand(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let scale = 10_i128.checked_pow(power.unsigned_abs())?;
            Some(if power < 0 { (1, scale) } else { (scale, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, wanted) in [
            ("500m", Some(500)),
            ("1.5", Some(1500)),
            ("2", Some(2000)),
            (".5", Some(500)),
            ("100n", Some(1)),
            ("64Mi", Some(64 * 1024 * 1024 * 1000)),
            ("1k", Some(1_000_000)),
            ("1e3", Some(1_000_000)),
            ("25e-1", Some(2500)),
            ("", None),
            ("-1", None),
            ("1.2.3", None),
            ("x", None),
            ("1x", None),
            ("1e99", None),
            ("99999999999999999999Ei", None),
        ] {
            assert_eq!(thousandths("at", &json!(text)).ok(), wanted, "{text}");
        }
        assert_eq!(thousandths("at", &json!(2)).unwrap(), 2000);
        assert_eq!(bytes("at", &json!("1Ki")).unwrap(), 1024);
        assert_eq!(bytes("at", &json!("1.0001")).unwrap(), 2);
        let error = bytes("spec.x", &json!("much")).unwrap_err().to_string();
        assert!(
            error.starts_with("spec.x: \"much\" is no quantity"),
            "{error}"
        );
    }
}
