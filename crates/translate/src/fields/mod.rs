//! What becomes of each field of the three create bodies: one row for each.
//!
//! The tables are data. A refusal takes its reason from here, `podman-cri explain` and
//! `docs/fields.md` show them, and tests hold them against the translation: a row that says where a field
//! goes is wrong if it does not go there. What the field's client sends unasked stands in
//! [`podman_api::fields`].
//!
//! What a row says of CRI-O and containerd was seen there (CRI-O 1.36.3, containerd 1.6.20 and 2.1.9).
//! What it says of sandboxes that are virtual machines (Kata) was not tried: it follows from where the
//! daemon does its part, on the host.

mod compat;
mod explain;
mod kept;
mod libpod;
mod libpod_limits;
mod page;
mod pod;
mod shared;
mod shown;
#[cfg(test)]
mod tests;
mod trial;
mod why;

use podman_api::container::compat::COMPAT_FIELDS;
use podman_api::container::libpod::SPEC_FIELDS;
use podman_api::fields::{SpecField, find, is_go_zero};
use podman_api::pod::POD_FIELDS;
use serde_json::Value;

pub use explain::{Explained, Line, Refusal, Request, explain_body};
pub use kept::{explain_container, explain_pod};
pub use page::page;
pub use why::PLATFORM;
pub(crate) use why::*;

/// A create body: its fields, and what becomes of them.
#[derive(Debug)]
pub struct Table {
    /// The request.
    pub request: &'static str,
    /// Its fields and what clients send in them unasked.
    pub fields: &'static [SpecField],
    /// What becomes of them, in the order in which people read.
    pub sections: &'static [Section],
}

/// Rows about one matter.
#[derive(Debug)]
pub struct Section {
    /// The matter.
    pub title: &'static str,
    /// A row for each field.
    pub rows: &'static [Row],
}

impl Section {
    const fn new(title: &'static str, rows: &'static [Row]) -> Self {
        Self { title, rows }
    }
}

/// What becomes of one field, or of a part of one (`resource_limits.cpu.shares`).
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The field as on the wire, with a dot between the levels.
    pub name: &'static str,
    /// Who carries it out.
    pub way: Way,
    /// How, where the way does not say it all.
    pub how: &'static str,
    /// The fields of CRI messages it reaches, `Message.field`.
    pub cri: &'static [&'static str],
    /// The fields of the stored record it is kept in.
    pub record: &'static [&'static str],
    /// Why a value that is not carried out is refused; empty where each is carried out.
    pub refused: &'static str,
    /// What differs on CRI-O.
    pub crio: &'static str,
    /// What differs on containerd.
    pub containerd: &'static str,
    /// What differs where the sandbox is a virtual machine.
    pub vm: &'static str,
    /// What of its values is shown.
    pub secret: Secret,
}

/// What of a field's values is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Nothing.
    No,
    /// What stands beside each name.
    Values,
    /// All: a command line may hold anything.
    All,
}

/// Who carries a field out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The runtime, by fields of CRI's messages.
    Cri,
    /// The runtime or its handler, by annotations.
    Annotation,
    /// The daemon, on the host, before or beside the runtime.
    Host,
    /// The daemon's small program in the container, before the command.
    Gate,
    /// The daemon: its store and its loop.
    Daemon,
    /// Nobody has to: the values that pass ask for what happens anyway.
    Anyway,
    /// Nobody: it is refused where it asks for something.
    Refused,
    /// Nobody, and it asks for nothing: Podman does not look at it either, or it only informs.
    Nothing,
}

impl Way {
    /// A few words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cri => "runtime",
            Self::Annotation => "annotation",
            Self::Host => "host",
            Self::Gate => "gate",
            Self::Daemon => "daemon",
            Self::Anyway => "as it is",
            Self::Refused => "refused",
            Self::Nothing => "no effect",
        }
    }
}

impl Row {
    /// A field that is refused where it asks for something.
    const fn refused(name: &'static str, why: &'static str) -> Self {
        Self {
            name,
            way: Way::Refused,
            how: "",
            cri: &[],
            record: &[],
            refused: why,
            crio: "",
            containerd: "",
            vm: "",
            secret: Secret::No,
        }
    }

    const fn by(name: &'static str, way: Way, how: &'static str) -> Self {
        let mut row = Self::refused(name, "");
        row.way = way;
        row.how = how;
        row
    }

    /// A field that the runtime carries out by these fields of CRI's messages.
    const fn cri(name: &'static str, cri: &'static [&'static str]) -> Self {
        Self::by(name, Way::Cri, "").reaches(cri)
    }

    /// A field that annotations carry.
    const fn annotation(name: &'static str, how: &'static str) -> Self {
        Self::by(name, Way::Annotation, how)
    }

    /// A field that the daemon carries out on the host.
    const fn host(name: &'static str, how: &'static str) -> Self {
        Self::by(name, Way::Host, how)
    }

    /// A field that the gate carries out before the command.
    const fn gate(name: &'static str, how: &'static str) -> Self {
        Self::by(name, Way::Gate, how).reaches(&["ContainerConfig.command"])
    }

    /// A field that the store or the loop carries out.
    const fn daemon(name: &'static str, how: &'static str) -> Self {
        Self::by(name, Way::Daemon, how)
    }

    /// A field whose values pass if they ask for what happens anyway; the others are refused.
    const fn anyway(name: &'static str, how: &'static str, why: &'static str) -> Self {
        Self::by(name, Way::Anyway, how).but(why)
    }

    /// A field that asks for nothing.
    const fn nothing(name: &'static str, how: &'static str) -> Self {
        Self::by(name, Way::Nothing, how)
    }

    /// The same under another name.
    const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Adds how it is done.
    const fn how(mut self, how: &'static str) -> Self {
        self.how = how;
        self
    }

    /// Adds the fields of CRI's messages.
    const fn reaches(mut self, cri: &'static [&'static str]) -> Self {
        self.cri = cri;
        self
    }

    /// Adds the fields of the record.
    const fn kept(mut self, record: &'static [&'static str]) -> Self {
        self.record = record;
        self
    }

    /// Adds why some values are refused.
    const fn but(mut self, why: &'static str) -> Self {
        self.refused = why;
        self
    }

    /// Adds what differs on CRI-O.
    const fn on_crio(mut self, what: &'static str) -> Self {
        self.crio = what;
        self
    }

    /// Adds what differs on containerd.
    const fn on_containerd(mut self, what: &'static str) -> Self {
        self.containerd = what;
        self
    }

    /// Adds what differs in a virtual machine.
    const fn in_vm(mut self, what: &'static str) -> Self {
        self.vm = what;
        self
    }

    /// Only its names are shown.
    const fn secret(mut self) -> Self {
        self.secret = Secret::Values;
        self
    }

    /// Nothing of it is shown.
    const fn unshown(mut self) -> Self {
        self.secret = Secret::All;
        self
    }
}

impl Table {
    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.sections.iter().flat_map(|section| section.rows)
    }

    /// The row of a field. Go matches names whatever their case, and so does this.
    pub fn row(&self, name: &str) -> Option<&'static Row> {
        self.rows().find(|row| row.name.eq_ignore_ascii_case(name))
    }

    /// Whether the table has rows for parts of this field.
    fn has_parts(&self, name: &str) -> bool {
        let inside = |row: &Row| {
            let start = row.name.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
                && row.name.as_bytes().get(name.len()) == Some(&b'.')
        };
        self.rows().any(inside)
    }

    /// Whether a value of a field asks for something.
    fn asks(&self, row: &Row, value: &Value) -> bool {
        match find(self.fields, row.name) {
            Some(field) => !field.unset(value),
            None => !is_go_zero(value), // a part of a field
        }
    }
}

/// `POST /libpod/containers/create`.
pub const LIBPOD: Table = Table {
    request: "POST /libpod/containers/create",
    fields: SPEC_FIELDS,
    sections: libpod::SECTIONS,
};

/// `POST /containers/create`.
pub const COMPAT: Table = Table {
    request: "POST /containers/create",
    fields: COMPAT_FIELDS,
    sections: compat::SECTIONS,
};

/// `POST /libpod/pods/create`.
pub const POD: Table = Table {
    request: "POST /libpod/pods/create",
    fields: POD_FIELDS,
    sections: pod::SECTIONS,
};
