//! `docs/fields.md`, made of the tables.

use std::fmt::Write as _;

use super::{COMPAT, LIBPOD, POD, Row, Section, Table, Way};

const HEAD: &str = "\
# What becomes of each field

Every field of the three create requests, as it goes over the wire. A field at the value that its client sends
unasked counts as unset. What is refused is refused by name before anything is made. `podman-cri explain` says the
same of one request or one container.

This page is made of the tables in `crates/translate/src/fields`; `WRITE_DOCS=1 cargo test -p translate --test
fields_page` writes it anew.

- **runtime**: by the named fields of CRI's messages.
- **host**: the daemon does it on the host, before or beside the runtime.
- **daemon**: by the daemon's store and loop.
- **as it is**: values that ask for what happens anyway pass, others are refused.
- **no effect**: it asks for nothing, with Podman too.
- CRI-O and containerd: only what differs there, as seen with CRI-O 1.36.3, containerd 1.6.20 and 2.1.9.
- VM sandbox: what would differ under Kata and with peer pods. **Not tried**: it follows from who does what.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, table) in [
        ("Containers, Podman's API", &LIBPOD),
        ("Containers, Docker's API", &COMPAT),
        ("Pods", &POD),
    ] {
        write_table(&mut page, title, table);
    }
    page
}

fn write_table(page: &mut String, title: &str, table: &Table) {
    add(page, format_args!("\n## {title}\n\n`{}`\n", table.request));
    for Section { title, rows } in table.sections {
        add(
            page,
            format_args!(
                "\n### {title}\n\n| field | what happens | CRI-O | containerd | VM sandbox |\n|---|---|---|---|---|\n"
            ),
        );
        for row in *rows {
            let Row {
                name,
                crio,
                containerd,
                vm,
                ..
            } = row;
            let what = what(row);
            add(
                page,
                format_args!("| `{name}` | {what} | {crio} | {containerd} | {vm} |\n"),
            );
        }
    }
}

/// The words of a row.
fn what(row: &Row) -> String {
    let fields: Vec<String> = row.cri.iter().map(|path| format!("`{path}`")).collect();
    let parts = [fields.join(", "), row.how.to_owned()];
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let how = parts.join("; ");
    match (row.way, row.refused) {
        (Way::Refused, why) => format!("**refused**: {why}"),
        (way, "") => format!("**{}**: {how}", way.words()),
        (way, why) => format!(
            "**{}**: {how}. Other values are **refused**: {why}",
            way.words()
        ),
    }
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes every text");
}
