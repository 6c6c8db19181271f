//! `config`, `log` and `metrics`.

use wasmtime::Result;

use super::Guest;
use crate::plugin::budget::Line;
use crate::plugin::contract::log::Level;
use crate::plugin::contract::{config, log, metrics};
use crate::telemetry::Event;

/// Of one message, in bytes. A longer one is cut and not dropped: it may be the last words of a guest that
/// fails, and a few of them fit into what a stage may say.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

impl config::Host for Guest {
    fn get(&mut self) -> Result<String> {
        Ok(self.outfit.config.as_ref().into())
    }
}

impl log::Host for Guest {
    fn write(
        &mut self,
        level: Level,
        mut message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
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

/// What a lookup of a series costs, in the bytes that could be copied meanwhile (about 0.2 us).
const COUNT_WORK: usize = 1 << 10;

impl metrics::Host for Guest {
    fn count(&mut self, name: String, delta: u32, labels: Vec<(String, String)>) -> Result<()> {
        self.budget.work(COUNT_WORK)?;
        self.outfit.metrics.count(&name, delta, &labels);
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64, labels: Vec<(String, String)>) -> Result<()> {
        self.budget.work(COUNT_WORK)?;
        self.outfit.metrics.observe(&name, value, &labels);
        Ok(())
    }
}
