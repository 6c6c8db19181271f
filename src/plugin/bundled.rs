//! The plugins that come with the binary: components like any other.

/// Names, and the components of `plugins/dist` that have them.
macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        const NAMES: &[&str] = &[$($name),*];
        const COMPONENTS: &[(&str, &[u8])] = &[$((
            $name,
            include_bytes!(concat!("../../plugins/dist/", $name, ".wasm")),
        )),*];
    };
}

// In the order of their stages.
bundled!(
    "signature",
    "token",
    "basic-auth",
    "jwt",
    "json-filter",
    "dedupe",
    "order",
    "json-template",
    "cloudevents",
    "standard-sign",
    "split",
);

/// The names of the bundled plugins.
#[must_use]
pub fn bundled() -> &'static [&'static str] {
    NAMES
}

/// The component of that name.
pub(super) fn component(name: &str) -> Option<&'static [u8]> {
    COMPONENTS
        .iter()
        .find(|(bundled, _)| *bundled == name)
        .map(|(_, component)| *component)
}

/// Bytes of the component of that name; 0 if there is none.
#[must_use]
pub fn bundled_bytes(name: &str) -> usize {
    component(name).map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::COMPONENTS;

    #[test]
    fn a_bundled_plugin_has_at_most_100_kib() {
        for (name, component) in COMPONENTS {
            let bytes = component.len();
            assert!(bytes <= 100 << 10, "{name}: {bytes} bytes");
        }
    }
}
