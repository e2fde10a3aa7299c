//! Filters of secrets.

use model::Error;
use model::request::Filters;
use model::secret::SecretRecord;

use super::grouped;
use super::text::{Ids, Patterns};

/// A filter as asked for: all its keys must hold, one of the values of each.
#[derive(Clone, Debug, Default)]
pub struct SecretFilter(Vec<Check>);

#[derive(Clone, Debug)]
enum Check {
    Name(Patterns),
    Id(Ids),
}

impl SecretFilter {
    /// Reads the filters of a list.
    ///
    /// # Errors
    /// `invalid filter "nosuch"` (recorded).
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        let check = |(key, values): (String, Vec<String>)| match key.as_str() {
            "name" => Patterns::new(&values).map(Check::Name),
            "id" => Ids::new(&values).map(Check::Id),
            _ => Err(Error::Plain(format!("invalid filter {key:?}"))),
        };
        grouped(filters)
            .into_iter()
            .map(check)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Every key of the filter holds for this secret.
    pub fn matches(&self, record: &SecretRecord) -> bool {
        self.0.iter().all(|check| match check {
            Check::Name(patterns) => patterns.match_any(&record.name),
            Check::Id(ids) => ids.match_any(&record.id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::filters;

    #[test]
    fn secrets_are_found_by_name_and_id() {
        let record = SecretRecord {
            id: "bf48c8b92cf059c5cffb3817b".to_owned(),
            name: "token".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            updated_at: jiff::Timestamp::UNIX_EPOCH,
            labels: std::collections::BTreeMap::new(),
            options: std::collections::BTreeMap::new(),
        };
        for (text, fits) in [
            ("{}", true),
            (r#"{"name":["ok"]}"#, true),
            (r#"{"name":["a","^token$"]}"#, true),
            (r#"{"name":["["]}"#, false),
            (r#"{"id":["bf4"]}"#, true),
            (r#"{"id":["f48"]}"#, false),
            (r#"{"id":["bf4"],"name":["x"]}"#, false),
        ] {
            let filter = SecretFilter::parse(&filters(text)).unwrap();
            assert_eq!(filter.matches(&record), fits, "{text}");
        }
        let error = SecretFilter::parse(&filters(r#"{"label":["x"]}"#)).unwrap_err();
        assert_eq!(error.to_string(), "invalid filter \"label\"");
    }
}
