//! Refusals of fields by name, with the reason that stands in their row.

use std::collections::BTreeMap;

use model::Error;
use serde::Serialize;
use serde_json::Value;

use crate::fields::{NOT_YET, Table};

/// What is known of a create body's fields, and how deep in it they stand.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    table: &'static Table,
    level: &'static str,
}

impl Body {
    /// The fields of a body.
    pub(crate) const fn new(table: &'static Table) -> Self {
        Self { table, level: "" }
    }

    /// The fields of a part of it.
    pub(crate) const fn at(self, level: &'static str) -> Self {
        Self {
            table: self.table,
            level,
        }
    }

    fn path(self, name: &str) -> String {
        match self.level {
            "" => name.to_owned(),
            level => format!("{level}.{name}"),
        }
    }

    /// Refuses a field that is not carried out, where it asks for something.
    pub(crate) fn refuse<T: Serialize>(self, name: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        self.check(name, &value)
    }

    /// Refuses a field that is not carried out, where `set`.
    pub(crate) fn refuse_if(self, set: bool, name: &str) -> Result<(), Error> {
        match set {
            true => Err(self.refusal(name)),
            false => Ok(()),
        }
    }

    /// Refuses what asks for something among the fields that are not typed.
    pub(crate) fn refuse_rest(self, rest: &BTreeMap<String, Value>) -> Result<(), Error> {
        rest.iter()
            .try_for_each(|(name, value)| self.check(name, value))
    }

    /// The refusal of a field, with the reason of its row.
    pub(crate) fn refusal(self, name: &str) -> Error {
        let path = self.path(name);
        let why = self.reason(&path);
        Error::unsupported(path, why)
    }

    /// The refusal of a value of a field, with a reason of its own.
    pub(crate) fn refusal_of(self, name: &str, value: &str, why: &str) -> Error {
        Error::unsupported(format!("{} {value:?}", self.path(name)), why)
    }

    fn reason(self, path: &str) -> &'static str {
        let row = self.table.row(path).map(|row| row.refused);
        row.filter(|why| !why.is_empty()).unwrap_or(NOT_YET)
    }

    fn check(self, name: &str, value: &Value) -> Result<(), Error> {
        let path = self.path(name);
        // Go matches names whatever their case; an unknown one is ignored there and here
        let mut fields = self.table.fields.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case(&path));
        match field {
            Some(field) if !field.unset(value) => {
                Err(Error::unsupported(field.name, self.reason(field.name)))
            }
            _ => Ok(()),
        }
    }
}

/// An [`Error::InvalidArgument`] that names the field.
pub(crate) fn invalid(field: &str, why: impl std::fmt::Display) -> Error {
    Error::InvalidArgument(format!("{field}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::LIBPOD;

    #[test]
    fn a_field_is_refused_by_name_whatever_its_case() {
        let body = Body::new(&LIBPOD);
        let rest = |key: &str, value: Value| BTreeMap::from([(key.to_owned(), value)]);
        let error = body
            .refuse_rest(&rest("Rootfs_Propagation", serde_json::json!("shared")))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "rootfs_propagation is not supported: CRI has no field for it; give the propagation with each mount"
        );
        body.refuse_rest(&rest("rootfs", serde_json::json!("")))
            .unwrap();
        body.refuse_rest(&rest("nosuchfield", serde_json::json!(1)))
            .unwrap();
    }
}
