//! `[buffer]`: how much may wait, and where it is kept.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::document::Place;
use super::draft::{BYTE, Draft};
use super::file;
use super::secrets::TEXT;
use super::units::Size;
use crate::delivery::{Bounds, Storage};
use crate::spool;

/// As many bytes as AES-256 takes; a shorter secret would be the weakest part.
const KEY_BYTES_LEAST: usize = 32;

/// What `[buffer]` means.
#[derive(Debug)]
pub(super) struct BufferPart {
    pub bounds: Bounds,
    pub storage: Storage,
}

pub(super) fn buffer(draft: &mut Draft<'_>, written: &file::Buffer) -> BufferPart {
    let place = Place::root().key("buffer");
    let default = Bounds::default();
    BufferPart {
        bounds: Bounds {
            bytes: draft.size(
                &place.key("max_bytes"),
                written.max_bytes,
                default.bytes,
                (BYTE, Size(usize::MAX)),
            ),
            deliveries: written
                .max_deliveries
                .map_or(default.deliveries, NonZeroUsize::get),
        },
        storage: storage(draft, &place, written),
    }
}

fn storage(draft: &mut Draft<'_>, place: &Place, written: &file::Buffer) -> Storage {
    let key = key(draft, place, written);
    let settings = |path: &str, draft: &Draft<'_>| spool::Settings {
        directory: draft.lookup.path(path),
        key: key.clone(),
    };
    match (&written.spool, &written.spill) {
        (None, None) => {
            if written.key.is_some() {
                draft.refuse_key(
                    &place.key("key"),
                    "there is nothing to seal: what is held is in memory only",
                    "add `spool = \"DIR\"`, or take the key away",
                );
            }
            Storage::Memory
        }
        (Some(spool), spill) => {
            if spill.is_some() {
                draft.refuse_key(
                    &place.key("spill"),
                    "`spill` means nothing with a `spool`: what is left at the end is on disk already",
                    "take it away",
                );
            }
            directory(draft, &place.key("spool"), spool);
            Storage::Spool(settings(spool, draft))
        }
        (None, Some(spill)) => {
            directory(draft, &place.key("spill"), spill);
            Storage::Spill(settings(spill, draft))
        }
    }
}

/// It may not be there yet, but it must not be something else.
fn directory(draft: &mut Draft<'_>, place: &Place, written: &str) {
    let path = draft.lookup.path(written);
    if written.is_empty() || (path.exists() && !path.is_dir()) {
        draft.refuse(
            place,
            format!("`{written}` is not a directory"),
            "name a directory of its own, like \"/var/lib/hookgate\"; it is made when it is not there",
        );
    }
}

fn key(
    draft: &mut Draft<'_>,
    place: &Place,
    written: &file::Buffer,
) -> Option<Arc<crate::secret::Secret>> {
    let at = place.key("key");
    let span = draft.document.value(&at);
    let reference = written.key.as_ref()?;
    let found = draft
        .lookup
        .secret(reference, &TEXT, &span, &mut draft.problems)?;
    let bytes = found.secret.expose().len();
    if bytes < KEY_BYTES_LEAST {
        draft.refuse(
            &at,
            format!("the key has {bytes} bytes, and {KEY_BYTES_LEAST} are the least"),
            "make one with `openssl rand -hex 32`",
        );
    }
    Some(Arc::new(found.secret))
}
