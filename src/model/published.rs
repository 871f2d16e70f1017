//! Schemas that are published in `fixtures/` are those of the types.

use schemars::JsonSchema;

/// Compares `fixtures/NAME.schema.json` with the schema of `T`, or writes it anew where `UPDATE_FIXTURES` is set.
#[expect(clippy::disallowed_methods, reason = "a switch for developers, not an option of the program")]
pub(crate) fn check<T: JsonSchema>(name: &str) {
    let path = format!("{}/fixtures/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(T)).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, &schema).expect("the fixture can be written");
    }
    let published = std::fs::read_to_string(&path).expect("the fixture can be read");
    assert!(
        published == schema,
        "{path} is out of date: run the test with UPDATE_FIXTURES=1 and look at the difference"
    );
}
