//! One plugin's place in a chain: what it is given there, and how its guests come and go.

use std::sync::Arc;

use super::answer::Answer;
use super::chain::Step;
use super::failure::Fault;
use super::host::{Case, Guest, Outfit};
use super::instance::Instance;
use super::kept::Kept;
use super::loaded::Plugin;
use super::shadow::{Candidate, Shadow};
use super::{FailureKind, OnFailure, Stage, seal};
use crate::telemetry::PluginMeters;
use crate::webhook::{Overlay, Sign};

/// A step of a chain, ready to be asked.
pub(super) struct Seat {
    pub(super) plugin: Arc<Plugin>,
    pub(super) meters: Arc<PluginMeters>,
    outfit: Arc<Outfit>,
    on_failure: OnFailure,
    /// Instances for the next webhooks; none unless the plugin is said to share its memory with them.
    kept: Option<Kept>,
    /// What is asked the same, and heard by nobody.
    pub(super) shadow: Option<Arc<Shadow>>,
}

impl Seat {
    pub(super) fn new(place: usize, step: Step) -> Self {
        let Step {
            plugin,
            config,
            keys,
            signing,
            on_failure,
            meters,
        } = step;
        let signing = signing
            .into_iter()
            .filter(|name| plugin.grants().signing.contains(name))
            .collect();
        let outfit = Outfit {
            step: format!("{place} {}", meters.name).into(),
            config,
            keys,
            signing,
            store: plugin.store(&meters.route),
            metrics: meters.counts(plugin.compiled().metrics()),
            meters: Some(Arc::clone(&meters)),
        };
        let kept = plugin.grants().reuse.map(Kept::new);
        Self {
            kept,
            shadow: None,
            plugin,
            outfit: Arc::new(outfit),
            on_failure,
            meters,
        }
    }

    /// Who may sign deliveries for it.
    pub(super) fn signers(&self) -> impl Iterator<Item = Arc<dyn Sign>> {
        let signing = self.outfit.signing.iter();
        signing.filter_map(|key| {
            let keys = self.outfit.keys.get(key)?;
            Some(seal::signer(&self.outfit.signer(key), keys))
        })
    }

    /// Puts a candidate beside the plugin.
    pub(super) fn shadow(&mut self, candidate: Candidate) {
        self.shadow = Some(Arc::new(Shadow::new(candidate, &self.outfit)));
    }

    /// A webhook that nobody could verify is refused, whatever the configuration says.
    pub(super) fn policy(&self, stage: Stage) -> OnFailure {
        match stage {
            Stage::Verify => OnFailure::Refuse,
            Stage::Filter | Stage::Transform => self.on_failure,
        }
    }

    /// Asks one stage, of an instance that is made or taken when there is none yet.
    pub(super) async fn ask(
        &self,
        guest: &mut Option<Instance>,
        stage: Stage,
        case: &Arc<Case>,
        overlays: &[Overlay],
    ) -> Result<Answer, Fault> {
        let compiled = self.plugin.compiled();
        let limits = self.plugin.limits();
        let base = match (stage, overlays) {
            (Stage::Transform, [only]) => only.clone(),
            (Stage::Transform, several) => {
                return Err(Fault::new(
                    FailureKind::Permanent,
                    format!(
                        "an earlier transform made {} deliveries, and only one can be transformed again; let the plugin that makes several be the last",
                        several.len()
                    ),
                ));
            }
            (Stage::Verify | Stage::Filter, _) => Overlay::default(),
        };
        let guest = match guest {
            Some(guest) => guest,
            None => {
                let used = self.kept.as_ref().and_then(Kept::take);
                guest.insert(match used {
                    Some(mut used) => {
                        used.guest().begin(Arc::clone(case));
                        used
                    }
                    None => {
                        let case = Arc::clone(case);
                        let data = Guest::new(case, Arc::clone(&self.outfit), limits.memory);
                        Instance::start(compiled, data, limits).await?
                    }
                })
            }
        };
        guest.guest().base = base;
        guest.ask(compiled, stage).await
    }

    /// The guest has nothing more to do with its webhook, and no stage of it failed.
    pub(super) fn dismiss(&self, guest: Option<Instance>) {
        if let (Some(kept), Some(guest)) = (&self.kept, guest) {
            kept.put(guest, self.plugin.compiled().pool());
        }
    }
}
