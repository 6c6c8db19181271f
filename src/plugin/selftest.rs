//! The forgery self-test: a verifier that lets a forgery of a golden webhook through is not loaded.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use super::answer::Answer;
use super::compiled::Compiled;
use super::failure::Fault;
use super::forgery::{self, Forgery};
use super::golden::{self, Golden};
use super::host::{Case, Guest, Outfit};
use super::instance::Instance;
use super::kv::Store;
use super::load::{LoadError, Reason};
use super::loaded::{Plugin, on_own_thread};
use super::{Keyring, Stage};
use crate::message::Fields;
use crate::telemetry::{GuestMetrics, Telemetry};
use crate::webhook::{Arrival, Scheme, Webhook, WebhookId};

impl Plugin {
    /// Asks a verifier about its golden webhooks under this configuration, and about forgeries of them.
    /// `more` are golden webhooks that somebody else vouches for. Gives how many forgeries it refused: 0
    /// when it does not verify, or when there is no golden webhook to forge. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// When it refuses a golden webhook or accepts a forgery, which is named.
    pub fn refuses_forgeries(&self, config: &str, more: &[Golden]) -> Result<usize, LoadError> {
        if !self.stages().contains(&Stage::Verify) {
            return Ok(0);
        }
        let mut goldens = self.goldens(config)?;
        goldens.extend_from_slice(more);
        if goldens.is_empty() {
            return Ok(0);
        }
        let config: Arc<str> = config.into();
        let tried = on_own_thread(async || self.try_all(&goldens, &config).await);
        tried.map_err(|reason| LoadError::of_plugin(self.name(), reason))
    }

    /// Those that it ships.
    fn goldens(&self, config: &str) -> Result<Vec<Golden>, LoadError> {
        if self.compiled().exports().golden.is_none() {
            return Ok(Vec::new());
        }
        let own = config.to_owned();
        let (document,) = self.at_load(
            config,
            // The route's own keys are out of reach.
            &Keyring::new(),
            async move |guest: &mut Instance, compiled: &Compiled| {
                guest.call(compiled.exports().golden.as_ref(), (own,)).await
            },
        )?;
        golden::read(&document)
            .map_err(|what| LoadError::of_plugin(self.name(), Reason::LifecycleFailed(what)))
    }

    async fn try_all(&self, goldens: &[Golden], config: &Arc<str>) -> Result<usize, Reason> {
        let pool = self.compiled().pool();
        let Some(_permits) = pool.permits(1).await else {
            return Err(Reason::LifecycleFailed(pool.overload()));
        };
        self.compiled().engine().guest_starts();
        let telemetry = Telemetry::new();
        let mut refused = 0;
        for golden in goldens {
            let name = || golden.name.to_string();
            match self.verdict(golden, config, &telemetry).await {
                Ok(Answer::Onward) => {}
                Ok(answer) => return Err(Reason::RefusesGolden(name(), said(&answer))),
                Err(fault) => return Err(Reason::RefusesGolden(name(), fault.detail)),
            }
            for Forgery { name: how, webhook } in forgery::all(golden) {
                // A failure refuses too: a verify stage cannot be skipped.
                if let Ok(Answer::Onward) = self.verdict(&webhook, config, &telemetry).await {
                    return Err(Reason::AcceptsForgery(name(), how));
                }
                refused += 1;
            }
        }
        Ok(refused)
    }

    /// As in production: a fresh instance with its memory, and keys that it knows by name. But with
    /// time: a forgery must not be refused because the machine is busy, nor a golden webhook.
    async fn verdict(
        &self,
        golden: &Golden,
        config: &Arc<str>,
        telemetry: &Telemetry,
    ) -> Result<Answer, Fault> {
        let outfit = Outfit {
            step: Box::default(),
            config: Arc::clone(config),
            keys: golden.keys.clone(),
            signing: self.grants().signing.clone(),
            store: self.grants().kv.then(|| Arc::new(Store::new())),
            metrics: GuestMetrics::default(),
            meters: None,
        };
        let case = Case::new(Arc::new(webhook(golden)), Box::default(), telemetry.clone());
        let limits = self.limits_at_load();
        let guest = Guest::new(Arc::new(case), Arc::new(outfit), limits.memory);
        let mut instance = Instance::start(self.compiled(), guest, limits).await?;
        instance.ask(self.compiled(), Stage::Verify).await
    }
}

fn webhook(golden: &Golden) -> Webhook {
    let wall = UNIX_EPOCH + Duration::from_millis(golden.received_at_ms);
    let arrival = Arrival::stored(wall, Instant::now());
    let mut fields = Fields::default();
    for (name, value) in &golden.fields {
        fields.put(name.as_str(), value.as_bytes());
    }
    Webhook {
        id: WebhookId::new(arrival),
        route: "".into(),
        method: golden.method.clone(),
        target: golden.target.clone(),
        authority: None,
        scheme: Scheme::Https,
        fields,
        body: golden.body.clone(),
        arrival,
        sender: std::net::Ipv4Addr::LOCALHOST.into(),
        public_url: golden.public_url.clone(),
    }
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Reject { status, reason } => {
            format!("it rejects it with {status}: {}", reason.escape_debug())
        }
        Answer::Respond(_) => "it answers it".into(),
        Answer::Onward | Answer::Drop(_) | Answer::Deliver(_) => "it lets it through".into(),
    }
}
