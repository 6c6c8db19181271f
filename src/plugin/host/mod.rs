//! What a guest sees of its host: the imports of the contract, and the state behind them.

mod crypto;
mod deliveries;
mod kv;
mod query;
mod small;
mod stdio;
mod webhook;

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

#[expect(unreachable_pub, reason = "`bindgen!` exports it again, as `pub`")]
pub use self::deliveries::Draft;
use self::stdio::Tail;
use super::budget::Budget;
use super::kv::{Changes, Store, Writes, collect};
use super::memory::Memory;
use super::{Keyring, contract};
use crate::message::Fields;
use crate::telemetry::{GuestMetrics, PluginMeters, Telemetry};
use crate::webhook::{Arrival, Overlay, Scheme, Webhook, WebhookId};

/// Entries of the resource table: drafts, and what WASI guests open.
const TABLE_ENTRIES_MAX: usize = 2_048;
/// Random bytes in one call; keys and nonces are shorter.
const RANDOM_BYTES_MAX: u64 = 4 << 10;

/// The webhook at hand: shared by all guests that are asked about it.
pub(super) struct Case {
    pub(super) webhook: Arc<Webhook>,
    /// What the route forwards to; empty unless something is transformed.
    pub(super) upstreams: Box<[Arc<str>]>,
    pub(super) telemetry: Telemetry,
    /// Whether the body is JSON, once somebody asked.
    json: OnceLock<bool>,
    notes: Mutex<Vec<Note>>,
    /// What the stages that succeeded want to remember.
    changes: Mutex<Vec<(Arc<Store>, Changes)>>,
}

/// What a plugin leaves for later ones.
#[derive(Clone, Debug)]
pub(super) struct Note {
    key: Box<str>,
    value: Box<str>,
}

impl Case {
    pub(super) fn new(
        webhook: Arc<Webhook>,
        upstreams: Box<[Arc<str>]>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            webhook,
            upstreams,
            telemetry,
            json: OnceLock::new(),
            notes: Mutex::new(Vec::new()),
            changes: Mutex::new(Vec::new()),
        }
    }

    /// No webhook at all: for a guest that is asked about itself, and for one that waits. It sees an
    /// empty webhook, and nothing that it does leads anywhere.
    pub(super) fn of_nothing() -> Arc<Self> {
        static NOTHING: LazyLock<Arc<Case>> = LazyLock::new(|| {
            let arrival = Arrival::now();
            let webhook = Webhook {
                id: WebhookId::new(arrival),
                route: "".into(),
                method: Method::POST,
                target: PathAndQuery::from_static("/"),
                authority: None,
                scheme: Scheme::Http,
                fields: Fields::default(),
                body: Bytes::new(),
                arrival,
                sender: std::net::Ipv4Addr::LOCALHOST.into(),
                public_url: None,
            };
            Arc::new(Case::new(
                Arc::new(webhook),
                Box::default(),
                Telemetry::new(),
            ))
        });
        Arc::clone(&NOTHING)
    }

    /// The committed note `key`.
    pub(super) fn note(&self, key: &str) -> Option<Box<str>> {
        // A panic under the lock leaves the list valid: every change is one push or one write.
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes
            .iter()
            .find(|note| &*note.key == key)
            .map(|note| note.value.clone())
    }

    /// All committed notes.
    pub(super) fn notes(&self) -> Vec<Note> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.clone()
    }

    /// For a guest that is asked what another one was asked: it sees what that one saw.
    pub(super) fn replace_notes(&self, notes: &[Note]) {
        let mut own = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        *own = notes.to_vec();
    }

    /// Everything that the plugins want to remember, for whoever learns whether the webhook was taken.
    pub(super) fn writes(&self) -> Option<Writes> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        Writes::new(std::mem::take(&mut *changes))
    }

    /// What earlier stages did with a store.
    fn with_changes<R>(&self, store: &Arc<Store>, look: impl FnOnce(Option<&Changes>) -> R) -> R {
        let all = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = all.iter().find(|(known, _)| Arc::ptr_eq(known, store));
        look(earlier.map(|(_, changes)| changes))
    }

    fn remember(&self, store: &Arc<Store>, new: &mut Changes) {
        let mut all = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        collect(&mut all, store, new);
    }

    fn keep(&self, new: &mut Vec<Note>) {
        if new.is_empty() {
            return;
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for note in new.drain(..) {
            match notes.iter_mut().find(|old| old.key == note.key) {
                Some(old) => old.value = note.value,
                None => notes.push(note),
            }
        }
    }
}

/// What one step of a route gives its guest.
pub(super) struct Outfit {
    /// The step of the route, and its plugin: with the name of a key, who signs a delivery.
    pub(super) step: Box<str>,
    /// JSON text for `config.get`.
    pub(super) config: Arc<str>,
    pub(super) keys: Keyring,
    /// Names of the keys that may sign.
    pub(super) signing: Vec<Box<str>>,
    /// What it remembers; none unless it is granted `kv`.
    pub(super) store: Option<Arc<Store>>,
    /// What it counts; empty while the plugin is being loaded.
    pub(super) metrics: GuestMetrics,
    /// None while the plugin is being loaded: there is no webhook to speak of yet.
    pub(super) meters: Option<Arc<PluginMeters>>,
}

impl Outfit {
    /// What the step is called when it signs with this key, the same in every process.
    pub(super) fn signer(&self, key: &str) -> String {
        format!("{} {key}", self.step)
    }
}

/// The data of a store: what one guest sees, and what it has left to spend.
pub(super) struct Guest {
    pub(super) case: Arc<Case>,
    pub(super) outfit: Arc<Outfit>,
    pub(super) memory: Memory,
    pub(super) budget: Budget,
    pub(super) ticks_left: u32,
    /// What a delivery starts from.
    pub(super) base: Overlay,
    notes: Vec<Note>,
    changes: Changes,
    /// Deliveries in the hands of the guest.
    drafts: usize,
    table: ResourceTable,
    wasi: Option<Box<Wasi>>,
}

/// Made when a guest first calls something of WASI; most never do.
struct Wasi {
    context: WasiCtx,
    output: Tail,
}

impl Guest {
    pub(super) fn new(case: Arc<Case>, outfit: Arc<Outfit>, memory_max: usize) -> Self {
        let budget = Budget::new(case.webhook.body.len());
        let mut table = ResourceTable::new();
        table.set_max_capacity(TABLE_ENTRIES_MAX);
        Self {
            case,
            outfit,
            memory: Memory::new(memory_max),
            budget,
            ticks_left: 0,
            base: Overlay::default(),
            notes: Vec::new(),
            changes: Changes::default(),
            drafts: 0,
            table,
            wasi: None,
        }
    }

    /// An instance that is kept begins with another webhook.
    pub(super) fn begin(&mut self, case: Arc<Case>) {
        self.budget = Budget::new(case.webhook.body.len());
        self.case = case;
    }

    /// Lets go of its webhook, until there is another one. False when it holds on to a delivery: a
    /// draft of one webhook must not be returned for another.
    pub(super) fn rest(&mut self) -> bool {
        self.case = Case::of_nothing();
        self.base = Overlay::default();
        self.drop_work();
        self.memory.forget_refusal();
        if let Some(wasi) = &self.wasi {
            wasi.output.clear();
        }
        self.drafts == 0
    }

    /// The stage succeeded: what it noted becomes visible to others, and what it remembers will be.
    pub(super) fn keep_work(&mut self) {
        self.case.keep(&mut self.notes);
        if let Some(store) = &self.outfit.store
            && !self.changes.is_empty()
        {
            self.case.remember(store, &mut self.changes);
        }
    }

    /// The stage failed: what it noted and remembered never was.
    pub(super) fn drop_work(&mut self) {
        self.notes.clear();
        self.changes = Changes::default();
    }

    /// Takes a returned delivery out of the guest's hands.
    pub(super) fn take(
        &mut self,
        draft: wasmtime::component::Resource<Draft>,
    ) -> wasmtime::Result<Overlay> {
        let draft = self.table.delete(draft)?;
        self.drafts = self.drafts.saturating_sub(1);
        Ok(draft.into_overlay())
    }

    /// The end of what the guest wrote to its standard output and error.
    pub(super) fn output(&self) -> String {
        self.wasi
            .as_ref()
            .map(|wasi| wasi.output.text())
            .unwrap_or_default()
    }
}

impl WasiView for Guest {
    /// No environment, arguments, directories or sockets.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = Tail::default();
            let context = WasiCtx::builder()
                .stdout(output.clone())
                .stderr(output.clone())
                .max_random_size(RANDOM_BYTES_MAX)
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build();
            Box::new(Wasi { context, output })
        });
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut self.table,
        }
    }
}

/// Offers what every plugin may import, and `signing` and `kv`, which the catalog refuses without a grant.
///
/// # Errors
/// None in practice: no name is offered twice.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use contract::{config, crypto, deliveries, kv, log, metrics, signing, types, webhook};

    types::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    webhook::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    deliveries::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    crypto::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    signing::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    config::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    kv::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    log::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    metrics::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}
