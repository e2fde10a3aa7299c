//! Top: which columns are asked for, and what each shows of a process.
//!
//! Podman 5.8 takes format descriptors (`pid`, `%C`, `capeff`), and hands everything else to ps(1). Here no program is
//! executed: the arguments of ps that clients use are read, and what is not carried out is refused by name.

mod descriptors;
mod ps;
mod ps_args;
mod times;

use jiff::tz::TimeZone;
use model::Error;
use model::process::{Process, Processes};
use podman_api::container::Top;

/// Podman's cause where a word is none of its descriptors.
const UNKNOWN_DESCRIPTOR: &str = "unknown descriptor";

/// What a column shows of a process, all processes and the host's time zone being given.
type Show = fn(&Process, &Processes, &TimeZone) -> String;

/// A column.
#[derive(Clone, Copy, Debug)]
struct Column {
    title: &'static str,
    show: Show,
}

/// The columns that a client asks for.
#[derive(Clone, Debug)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Those of `ps_args`, each value of the query an element. None, or empty ones, are Podman's own set.
    ///
    /// # Errors
    /// Arguments that ps would refuse, or that are not carried out.
    pub fn parse(ps_args: &[String]) -> Result<Self, Error> {
        let words = ps_args.iter().flat_map(|value| value.split(','));
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let columns = match descriptors::columns(&words) {
            Some(columns) => columns,
            None => ps_args::columns(ps_args)?,
        };
        Ok(Self(columns))
    }

    /// Those of a pod's `ps_args`, which has descriptors alone, parted by commas.
    ///
    /// # Errors
    /// Podman's, for a word that is no descriptor.
    pub fn parse_of_pod(ps_args: &str) -> Result<Self, Error> {
        let words: Vec<_> = ps_args.split(',').filter(|word| !word.is_empty()).collect();
        let strange = words.iter().find(|word| !descriptors::is_one(word));
        let unknown = |word: &str| Error::Failed {
            message: format!("'{word}': {UNKNOWN_DESCRIPTOR}"),
            cause: UNKNOWN_DESCRIPTOR.to_owned(),
        };
        let columns = descriptors::columns(&words);
        columns
            .map(Self)
            .ok_or_else(|| unknown(strange.map_or(ps_args, |word| word)))
    }

    /// The answer for a pod: the processes of one container after those of the other, each numbered by its own. Nothing where
    /// there is none (Podman's handler then writes nothing either).
    #[must_use]
    pub fn table_of_pod(&self, containers: &[Processes], zone: &TimeZone) -> Option<Top> {
        let rows = containers.iter().flat_map(|all| {
            let row = |process| self.cells(process, all, zone).collect();
            all.list.iter().map(row)
        });
        let rows: Vec<Vec<String>> = rows.collect();
        (!rows.is_empty()).then(|| Top {
            processes: Some(rows),
            titles: self.titles(),
        })
    }

    /// The answer, in the form that Podman's handler gives it: columns are parted by white space, and what there is too
    /// much of it belongs to the last one.
    #[must_use]
    pub fn table(&self, processes: &Processes, zone: &TimeZone) -> Top {
        let titles = self.titles();
        let row = |process: &Process| {
            let cells: Vec<_> = self.cells(process, processes, zone).collect();
            parted(&cells.join("\t"), titles.len())
        };
        let rows: Vec<_> = processes.list.iter().map(row).collect();
        Top {
            processes: (!rows.is_empty()).then_some(rows),
            titles,
        }
    }

    fn titles(&self) -> Vec<String> {
        let titles = self.0.iter().map(|column| column.title.to_owned());
        titles.collect()
    }

    fn cells<'a>(
        &'a self,
        process: &'a Process,
        all: &'a Processes,
        zone: &'a TimeZone,
    ) -> impl Iterator<Item = String> + 'a {
        self.0
            .iter()
            .map(move |column| (column.show)(process, all, zone))
    }
}

/// The words of a line, those from the last column on as one.
fn parted(line: &str, columns: usize) -> Vec<String> {
    let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let mut words: Vec<_> = words.map(ToOwned::to_owned).collect();
    if words.len() > columns && columns > 0 {
        let last = words.split_off(columns - 1).join(" ");
        words.push(last);
    }
    words
}

#[cfg(test)]
mod tests;
