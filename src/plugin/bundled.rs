//! The plugins that come with the binary: components like any other.

/// Names and components, in the order of their stages.
const BUNDLED: [(&str, &[u8]); 3] = [
    (
        "signature",
        include_bytes!("../../plugins/dist/signature.wasm"),
    ),
    (
        "json-filter",
        include_bytes!("../../plugins/dist/json-filter.wasm"),
    ),
    (
        "json-template",
        include_bytes!("../../plugins/dist/json-template.wasm"),
    ),
];

const NAMES: [&str; 3] = [BUNDLED[0].0, BUNDLED[1].0, BUNDLED[2].0];

/// The names of the bundled plugins.
#[must_use]
pub fn bundled() -> &'static [&'static str] {
    &NAMES
}

/// The component of that name.
pub(super) fn component(name: &str) -> Option<&'static [u8]> {
    BUNDLED
        .iter()
        .find(|(bundled, _)| *bundled == name)
        .map(|(_, component)| *component)
}
