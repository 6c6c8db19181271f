//! `config`, `log` and `metrics`.

use wasmtime::Result;

use super::Guest;
use crate::plugin::budget::Line;
use crate::plugin::contract::log::Level;
use crate::plugin::contract::{config, log, metrics};
use crate::telemetry::Event;

impl config::Host for Guest {
    fn get(&mut self) -> Result<String> {
        Ok(self.outfit.config.as_ref().into())
    }
}

impl log::Host for Guest {
    fn write(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        let of_fields: usize = fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        match self.budget.line(message.len() + of_fields) {
            Line::Kept => self.say(level, &message, &fields),
            Line::FirstDropped => {
                self.say(
                    Level::Warn,
                    "the rest of what this stage says is dropped: too much",
                    &[],
                );
            }
            Line::Dropped => {}
        }
        Ok(())
    }
}

impl Guest {
    fn say(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let Some(meters) = &self.outfit.meters else {
            return;
        };
        let level = match level {
            Level::Trace => tracing::Level::TRACE,
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
            Level::Error => tracing::Level::ERROR,
        };
        let id = self.case.webhook.id;
        self.case.telemetry.emit(&Event::GuestSaid {
            id,
            plugin: meters,
            level,
            message,
            fields,
        });
    }
}

/// A guest's own metrics are accepted and not counted: without them JavaScript and Python guests,
/// which import all of their world, would not load.
impl metrics::Host for Guest {
    fn count(&mut self, _name: String, _delta: u32, _labels: Vec<(String, String)>) -> Result<()> {
        Ok(())
    }

    fn observe(
        &mut self,
        _name: String,
        _value: f64,
        _labels: Vec<(String, String)>,
    ) -> Result<()> {
        Ok(())
    }
}
