//! A candidate beside the plugin in force: asked about the same webhooks, heard by nobody.
//!
//! What was asked of a seat, and what it said, is noted while the webhook is judged and handed over
//! when that is done, however it ends. One thread of its own asks the candidates, one webhook after
//! another, so that no sender waits for them; what comes faster than that is skipped and counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::Stage;
use super::answer::Answer;
use super::compare::{Comparison, compare};
use super::failure::Fault;
use super::host::{Case, Guest, Note, Outfit};
use super::instance::Instance;
use super::loaded::Plugin;
use crate::telemetry::{Difference, GuestMetrics, ShadowMeters, Telemetry};
use crate::webhook::{Overlay, Webhook};

/// Webhooks that wait for their candidates.
const WAITING_MAX: usize = 256;
/// What these may hold of bodies and fields.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// A version of a plugin that may follow the one in force.
pub struct Candidate {
    /// What runs.
    pub plugin: Arc<Plugin>,
    /// Where it is counted what it would have said.
    pub meters: Arc<ShadowMeters>,
}

/// A candidate on its seat.
pub(super) struct Shadow {
    candidate: Candidate,
    outfit: Arc<Outfit>,
}

impl Shadow {
    /// With the configuration and the keys of the plugin in force. Its words, its metrics and its keys'
    /// matches are nobody's; what it remembers, it remembers by itself.
    pub(super) fn new(candidate: Candidate, current: &Outfit) -> Self {
        let plugin = &candidate.plugin;
        let mut signing = current.signing.clone();
        signing.retain(|name| plugin.grants().signing.contains(name));
        let outfit = Outfit {
            step: Box::default(),
            config: Arc::clone(&current.config),
            keys: current.keys.clone(),
            signing,
            store: plugin.store(&candidate.meters.route),
            metrics: GuestMetrics::default(),
            meters: None,
        };
        Self {
            outfit: Arc::new(outfit),
            candidate,
        }
    }
}

/// One question, what was there when it was asked, and what the plugin in force said.
struct Asked {
    stage: Stage,
    base: Overlay,
    notes: Vec<Note>,
    said: Result<Answer, Fault>,
}

/// What a seat was asked about one webhook.
struct Job {
    shadow: Arc<Shadow>,
    case: Arc<Case>,
    asked: Vec<Asked>,
}

/// The jobs of one webhook; handed over when it is dropped, whatever became of the webhook.
#[derive(Default)]
pub(super) struct Jobs(Vec<Job>);

/// What was there before a question.
pub(super) struct Before {
    base: Overlay,
    notes: Vec<Note>,
}

impl Before {
    pub(super) fn new(case: &Case, overlays: &[Overlay]) -> Self {
        Self {
            base: overlays.first().cloned().unwrap_or_default(),
            notes: case.notes(),
        }
    }
}

impl Jobs {
    /// Notes a question and its answer.
    pub(super) fn note(
        &mut self,
        shadow: &Arc<Shadow>,
        case: &Arc<Case>,
        stage: Stage,
        before: Before,
        said: &Result<Answer, Fault>,
    ) {
        let asked = Asked {
            stage,
            base: before.base,
            notes: before.notes,
            said: match said {
                Ok(answer) => Ok(answer.clone()),
                Err(fault) => Err(Fault::new(fault.kind, fault.detail.clone())),
            },
        };
        match self
            .0
            .iter_mut()
            .find(|job| Arc::ptr_eq(&job.shadow, shadow))
        {
            Some(job) => job.asked.push(asked),
            None => self.0.push(Job {
                shadow: Arc::clone(shadow),
                case: Arc::clone(case),
                asked: vec![asked],
            }),
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        for job in self.0.drain(..) {
            let shadow = Arc::clone(&job.shadow);
            let compiled = shadow.candidate.plugin.compiled();
            if !compiled.engine().shadows().submit(job) {
                shadow.skip();
            }
        }
    }
}

impl Shadow {
    fn skip(&self) {
        self.candidate.meters.asked("skipped", None);
    }

    /// Asks what the plugin in force was asked, in the same order, of one instance.
    async fn ask(&self, webhook: &Arc<Webhook>, case: &Arc<Case>, asked: &[Asked]) {
        let plugin = &self.candidate.plugin;
        let Some(_permits) = plugin.compiled().pool().permits(1).await else {
            self.skip();
            return;
        };
        plugin.compiled().engine().guest_starts();
        let own = Case::new(
            Arc::clone(webhook),
            case.upstreams.clone(),
            Telemetry::new(),
        );
        let own = Arc::new(own);
        let guest = Guest::new(
            Arc::clone(&own),
            Arc::clone(&self.outfit),
            plugin.limits().memory,
        );
        let mut instance = Instance::start(plugin.compiled(), guest, plugin.limits()).await;
        for question in asked {
            let said = match &mut instance {
                Ok(instance) => {
                    own.replace_notes(&question.notes);
                    instance.guest().base = match question.stage {
                        Stage::Transform => question.base.clone(),
                        Stage::Verify | Stage::Filter => Overlay::default(),
                    };
                    instance.ask(plugin.compiled(), question.stage).await
                }
                Err(fault) => Err(Fault::new(fault.kind, fault.detail.clone())),
            };
            self.report(case, question, &said);
            if let Err(fault) = said {
                instance = Err(fault);
            }
        }
        if let Some(writes) = own.writes() {
            writes.keep();
        }
    }

    fn report(&self, case: &Case, question: &Asked, said: &Result<Answer, Fault>) {
        let stage = question.stage;
        let compared = compare(&case.webhook, stage, &question.said, said);
        let difference = match compared {
            Comparison::Same => None,
            Comparison::Different {
                outcome,
                current,
                candidate,
            } => Some(Difference {
                id: case.webhook.id,
                stage: stage.as_str(),
                outcome,
                current,
                candidate,
            }),
        };
        self.candidate.meters.asked("same", difference.as_ref());
    }
}

/// The thread that asks candidates; it begins with the first job and ends with the engine.
#[derive(Default)]
pub(super) struct Shadows {
    thread: Mutex<Option<mpsc::Sender<Waiting>>>,
    bytes: Arc<AtomicUsize>,
}

/// A job in the queue, with what it holds there.
struct Waiting {
    job: Job,
    held: Held,
}

struct Held {
    bytes: Arc<AtomicUsize>,
    weight: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.weight, Ordering::AcqRel);
    }
}

impl Shadows {
    /// False when there is no room for it.
    fn submit(&self, job: Job) -> bool {
        let weight = job.case.webhook.weight();
        let fits = |held: usize| {
            let more = held.saturating_add(weight);
            (more <= WAITING_BYTES_MAX).then_some(more)
        };
        let room = self
            .bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        if room.is_err() {
            return false;
        }
        let held = Held {
            bytes: Arc::clone(&self.bytes),
            weight,
        };
        // A panic under the lock leaves what is there valid: it is set once.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            *thread = start();
        }
        thread
            .as_ref()
            .is_some_and(|queue| queue.try_send(Waiting { job, held }).is_ok())
    }
}

/// None when the system has no thread left: then nothing is asked.
fn start() -> Option<mpsc::Sender<Waiting>> {
    let (queue, mut waiting) = mpsc::channel::<Waiting>(WAITING_MAX);
    let work = async move {
        while let Some(Waiting { job, held }) = waiting.recv().await {
            let webhook = Arc::clone(&job.case.webhook);
            job.shadow.ask(&webhook, &job.case, &job.asked).await;
            drop(held);
        }
    };
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        if let Ok(runtime) = runtime {
            runtime.block_on(work);
        }
    };
    let thread = std::thread::Builder::new().name("shadow".into()).spawn(run);
    thread.ok().map(|_detached| queue)
}
