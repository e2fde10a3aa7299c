//! `docs/fields.md` is what the tables say.

use std::path::Path;

#[test]
fn the_page_of_fields_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    let page = translate::fields::page();
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/fields.md is not what crates/translate/src/fields says: \
         WRITE_DOCS=1 cargo test -p translate --test fields_page writes it anew"
    );
}
