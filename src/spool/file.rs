//! The file: its tables, how it is opened, what a group of operations is in it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Builder, Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    Table, TableDefinition, WriteTransaction,
};

use super::cipher::{Cipher, Opener};
use super::disk::{Disk, Watched};
use super::fault::Error;
use super::place::{self, Place};
use super::queue::Op;
use super::{Settings, SpoolError};

/// Of everything below; another one is not read.
const FORMAT: u64 = 1;

/// What is held, by number.
const ROWS: TableDefinition<u64, &[u8]> = TableDefinition::new("rows");
/// What has become of it since.
const STATES: TableDefinition<u64, &[u8]> = TableDefinition::new("states");
/// What must not be taken twice, by the moment in which it expires, and a number.
const KEYS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("keys");
/// About the file itself.
const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");
const ABOUT_FORMAT: &str = "format";
const ABOUT_KEY: &str = "key";
const ABOUT_ROOM: &str = "room";
/// A value that has a page of the engine to itself: two of them are more than its 4 KiB.
const PAGEFUL: [u8; 3 << 10] = [0; 3 << 10];
/// How many commits there were, this one included.
const ABOUT_COMMITS: &str = "commits";
/// What stands for a table in what is authenticated.
const ROW: u8 = b'r';
const STATE: u8 = b's';
const KEY: u8 = b'k';
/// Keys that are kept: as many as a process has in memory. The ones that expire first make room.
const KEYS_MAX: u64 = 1_000_000;
/// Keys that may go for each one that comes: enough that those that have expired never add up.
const KEYS_SWEPT: u32 = 4;
/// Sealed with the key, so that another key is told from damage.
const KEY_WORDS: &[u8] = b"this is the key";

/// Pages of the engine in memory: the tree's inner ones, and what a commit writes. Rows are read at a
/// start only.
const CACHE_BYTES: usize = 32 << 20;

/// What was in the spool when it was opened.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of their numbers.
    pub rows: Vec<FoundRow>,
    /// What must not be taken twice, with the moment in which it expires in milliseconds since the Unix
    /// epoch; in the order in which it was asked for.
    pub keys: Vec<(u64, Vec<u8>)>,
    /// The process before this one did not end in order: what it was writing when it ended is undone.
    pub was_cut: bool,
    /// No key has this number or a higher one.
    numbered: u64,
}

/// A row that was found.
#[derive(Debug)]
pub struct FoundRow {
    /// Its number.
    pub number: u64,
    /// As it was kept.
    pub row: Vec<u8>,
    /// What was laid over it last.
    pub state: Option<Vec<u8>>,
}

impl Found {
    pub(super) fn next_number(&self) -> u64 {
        let rows = self.rows.last().map_or(0, |row| row.number.wrapping_add(1));
        rows.max(self.numbered)
    }
}

/// What a file says about itself.
struct Said {
    format: u64,
    /// Words that only its key opens.
    key: Option<Vec<u8>>,
    /// Nothing is held.
    is_empty: bool,
    commits: u64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct File {
    engine: Option<Database>,
    place: Place,
    cipher: Option<Cipher>,
    /// That have returned.
    commits: u64,
    /// A flush has failed.
    unflushed: Arc<AtomicBool>,
}

impl File {
    pub(super) fn open(settings: &Settings) -> Result<(Self, Found), SpoolError> {
        Self::open_at(Place::take(&settings.directory)?, settings)
    }

    #[cfg(test)]
    pub(super) fn simulated(
        disk: super::tests::Simulated,
        settings: &Settings,
    ) -> Result<(Self, Found), SpoolError> {
        Self::open_at(Place::Simulated(disk), settings)
    }

    fn open_at(place: Place, settings: &Settings) -> Result<(Self, Found), SpoolError> {
        let (file, mut found) = Self::look(place, settings)?;
        found.was_cut = file.place.enter();
        Ok((file, found))
    }

    /// Reads what it holds; whoever comes later does not see that somebody was here.
    fn look(place: Place, settings: &Settings) -> Result<(Self, Found), SpoolError> {
        let cipher = match &settings.key {
            None => None,
            Some(key) => Some(
                Cipher::new(Arc::clone(key)).map_err(|_| SpoolError::Directory {
                    directory: settings.directory.clone(),
                    error: io::Error::other("there is no randomness"),
                })?,
            ),
        };
        let mut file = Self {
            engine: None,
            place,
            cipher,
            commits: 0,
            unflushed: Arc::default(),
        };
        file.start().map_err(|error| file.why(&error))?;
        let found = file.read()?;
        Ok((file, found))
    }

    /// Whether a start could use it. One that is not there is made then, and one that is in use was usable.
    pub(super) fn check(settings: &Settings) -> Result<(), SpoolError> {
        if !place::is_there(&settings.directory) {
            return Ok(());
        }
        match Place::take(&settings.directory) {
            Ok(place) => Self::look(place, settings).map(drop),
            Err(SpoolError::InUse(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Starts the engine. All that is in the file is looked at.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        // One at a time.
        self.engine = None;
        let mut builder = Builder::new();
        builder
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true);
        let file = self.place.open()?;
        if !self.place.is_here() {
            return Err(Error::Gone);
        }
        let engine = match (&self.place, file) {
            (_, Some(file)) => {
                builder.create_with_backend(Watched::new(Disk(file), &self.unflushed))?
            }
            #[cfg(test)]
            (Place::Simulated(disk), None) => {
                builder.create_with_backend(Watched::new(disk.clone(), &self.unflushed))?
            }
            (Place::Directory { .. }, None) => return Err(Error::Stopped),
        };
        self.engine = Some(engine);
        Ok(())
    }

    /// The room beside the file that is not for rows.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Gives what is free inside the file back to the disk, for any use and in one place. In proportion to
    /// what is held.
    pub(super) fn compact(&mut self) -> Result<(), Error> {
        self.engine.as_mut().ok_or(Error::Stopped)?.compact()?;
        Ok(())
    }

    /// Ends in order.
    pub(super) fn end(mut self) {
        self.engine = None;
        self.place.leave();
    }

    /// Whether a flush has failed: what is on disk is not known any more.
    pub(super) fn is_unflushed(&self) -> bool {
        self.unflushed.load(Ordering::Relaxed)
    }

    /// Does all of it, or nothing; on disk when this returns.
    pub(super) fn commit(&mut self, ops: &[Op]) -> Result<(), Error> {
        self.within(|file, transaction| {
            let mut rows = transaction.open_table(ROWS)?;
            let mut states = transaction.open_table(STATES)?;
            let mut keys = transaction.open_table(KEYS)?;
            let mut bytes = Vec::new();
            for op in ops {
                match op {
                    Op::Insert(entry, row) => {
                        let length = u32::try_from(row.head.len()).map_err(|_| Error::TooLong)?;
                        let parts = [&length.to_le_bytes(), row.head.as_slice(), &row.body];
                        file.insert((&mut rows, ROW), entry.number(), &parts, &mut bytes)?;
                    }
                    Op::State(number, state) => {
                        file.insert((&mut states, STATE), *number, &[state], &mut bytes)?;
                    }
                    Op::Remove(number) => {
                        rows.remove(number)?;
                        states.remove(number)?;
                    }
                    Op::Remember(memory) => {
                        sweep(&mut keys, memory.now)?;
                        file.bytes(&place_of(KEY, memory.number), &[&memory.key], &mut bytes)?;
                        keys.insert((memory.expires, memory.number), bytes.as_slice())?;
                    }
                    Op::Tell(_) | Op::Word(_) => {}
                }
            }
            Ok(())
        })
    }

    /// Writes this many pages and takes them away again: whether there is room for so many, in the file
    /// or beyond it.
    pub(super) fn prove_room(&mut self, pages: usize) -> Result<(), Error> {
        let name = |page: usize| format!("{ABOUT_ROOM} {page}");
        self.within(|_, transaction| {
            let mut about = transaction.open_table(ABOUT)?;
            for page in 0..pages {
                about.insert(&*name(page), PAGEFUL.as_slice())?;
            }
            Ok(())
        })?;
        self.within(|_, transaction| {
            let mut about = transaction.open_table(ABOUT)?;
            for page in 0..pages {
                about.remove(&*name(page))?;
            }
            Ok(())
        })
    }

    fn within(
        &mut self,
        write: impl FnOnce(&Self, &WriteTransaction) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let engine = self.engine.as_ref().ok_or(Error::Stopped)?;
        let transaction = engine.begin_write()?;
        write(self, &transaction)?;
        let commits = self.commits + 1;
        transaction
            .open_table(ABOUT)?
            .insert(ABOUT_COMMITS, commits.to_le_bytes().as_slice())?;
        transaction.commit()?;
        self.commits = commits;
        self.place.count(commits);
        // After it: what somebody hears of is where it will be looked for.
        match self.place.is_here() {
            true => Ok(()),
            false => Err(Error::Gone),
        }
    }

    fn insert(
        &self,
        (table, letter): (&mut Table<'_, u64, &'static [u8]>, u8),
        number: u64,
        parts: &[&[u8]],
        bytes: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.bytes(&place_of(letter, number), parts, bytes)?;
        table.insert(number, bytes.as_slice())?;
        Ok(())
    }

    /// What is written for these parts: themselves, or sealed for that place.
    fn bytes(&self, place: &[u8], parts: &[&[u8]], bytes: &mut Vec<u8>) -> Result<(), Error> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        bytes.clear();
        bytes.reserve(length);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        if let Some(cipher) = &self.cipher {
            let mut sealed = Vec::with_capacity(length + 64);
            cipher
                .seal(place, bytes, &mut sealed)
                .map_err(|_| Error::TooLong)?;
            *bytes = sealed;
        }
        Ok(())
    }

    /// Everything that is held, after a look at what the file says about itself.
    fn read(&mut self) -> Result<Found, SpoolError> {
        self.introduce()?;
        let damaged = |file: &Self, what: &str| SpoolError::Damaged {
            directory: file.place.directory(),
            what: what.to_owned(),
        };
        let engine = self
            .engine
            .as_ref()
            .ok_or_else(|| damaged(self, "it is closed"))?;
        let read = || -> Result<_, Error> {
            let transaction = engine.begin_read()?;
            Ok((
                transaction.open_table(ROWS)?,
                transaction.open_table(STATES)?,
                transaction.open_table(KEYS)?,
            ))
        };
        let (rows, states, keys) = read().map_err(|error| self.why(&error))?;
        let mut opener = self.cipher.as_ref().map(Cipher::opener);
        let mut found = Found::default();
        for item in rows.iter().map_err(|error| self.why(&error.into()))? {
            let (number, row) = item.map_err(|error| self.why(&error.into()))?;
            let number = number.value();
            let state = states
                .get(number)
                .map_err(|error| self.why(&error.into()))?;
            let opened = open(opener.as_mut(), ROW, number, row.value());
            let row =
                opened.ok_or_else(|| damaged(self, &format!("row {number} does not open")))?;
            let state = match state {
                None => None,
                Some(state) => Some(
                    open(opener.as_mut(), STATE, number, state.value()).ok_or_else(|| {
                        damaged(self, &format!("the state of row {number} does not open"))
                    })?,
                ),
            };
            found.rows.push(FoundRow { number, row, state });
        }
        let mut numbered = Vec::new();
        for item in keys.iter().map_err(|error| self.why(&error.into()))? {
            let (place, key) = item.map_err(|error| self.why(&error.into()))?;
            let (expires, number) = place.value();
            found.numbered = found.numbered.max(number.wrapping_add(1));
            // One that does not open is forgotten: at worst a repeat is delivered.
            let key = open(opener.as_mut(), KEY, number, key.value());
            numbered.extend(key.map(|key| (number, (expires, key))));
        }
        numbered.sort_unstable_by_key(|(number, _)| *number);
        found.keys = numbered.into_iter().map(|(_, key)| key).collect();
        Ok(found)
    }

    /// A new file says what it is; an old one is asked, and must be ours to read.
    fn introduce(&mut self) -> Result<(), SpoolError> {
        let directory = self.place.directory();
        let said = self.said().map_err(|error| self.why(&error))?;
        let Some(Said {
            format,
            key,
            is_empty,
            commits,
        }) = said
        else {
            return match self.place.is_new() {
                true => self.begin().map_err(|error| self.why(&error)),
                false => Err(SpoolError::Damaged {
                    directory,
                    what: "its file is empty".to_owned(),
                }),
            };
        };
        // First: another one may count otherwise.
        if format != FORMAT {
            return Err(SpoolError::Format {
                directory,
                found: format,
                known: FORMAT,
            });
        }
        let promised = self.place.counted();
        if commits < promised {
            return Err(SpoolError::Damaged {
                directory,
                what: format!("of {promised} commits it has {commits}"),
            });
        }
        self.commits = commits;
        match (&self.cipher, key) {
            (None, None) => Ok(()),
            (Some(cipher), Some(words))
                if cipher
                    .opener()
                    .open(ABOUT_KEY.as_bytes(), &words)
                    .as_deref()
                    == Some(KEY_WORDS) =>
            {
                Ok(())
            }
            // Nothing to lose: it begins anew.
            _ if is_empty => self.begin().map_err(|error| self.why(&error)),
            (None, Some(_)) => Err(SpoolError::Sealed(directory)),
            (Some(_), None) => Err(SpoolError::Unsealed(directory)),
            (Some(_), Some(_)) => Err(SpoolError::WrongKey(directory)),
        }
    }

    /// Nothing for a new file.
    fn said(&self) -> Result<Option<Said>, Error> {
        let engine = self.engine.as_ref().ok_or(Error::Stopped)?;
        let transaction = engine.begin_read()?;
        let about = match transaction.open_table(ABOUT) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            about => about?,
        };
        let Some(format) = about.get(ABOUT_FORMAT)? else {
            return Ok(None);
        };
        let format = format.value().try_into().map_or(0, u64::from_le_bytes);
        let commits = about.get(ABOUT_COMMITS)?;
        let commits = commits.and_then(|commits| commits.value().try_into().ok());
        let commits = commits.map_or(0, u64::from_le_bytes);
        let key = about.get(ABOUT_KEY)?.map(|words| words.value().to_vec());
        let is_empty = match transaction.open_table(ROWS) {
            Ok(rows) => rows.first()?.is_none(),
            // Of another format.
            Err(_) => false,
        };
        Ok(Some(Said {
            format,
            key,
            is_empty,
            commits,
        }))
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.within(|file, transaction| {
            transaction.open_table(ROWS)?;
            transaction.open_table(STATES)?;
            transaction.open_table(KEYS)?;
            let mut about = transaction.open_table(ABOUT)?;
            about.insert(ABOUT_FORMAT, FORMAT.to_le_bytes().as_slice())?;
            about.remove(ABOUT_KEY)?;
            if let Some(cipher) = &file.cipher {
                let mut words = Vec::new();
                cipher
                    .seal(ABOUT_KEY.as_bytes(), &mut KEY_WORDS.to_vec(), &mut words)
                    .map_err(|_| Error::TooLong)?;
                about.insert(ABOUT_KEY, words.as_slice())?;
            }
            Ok(())
        })
    }

    /// What an operator is told.
    fn why(&self, error: &Error) -> SpoolError {
        error.told(self.place.directory())
    }
}

/// Makes room for a key: what has expired goes, and what expires first where there are too many.
fn sweep(keys: &mut Table<'_, (u64, u64), &'static [u8]>, now: u64) -> Result<(), Error> {
    for _ in 0..KEYS_SWEPT {
        let first = keys.first()?.map(|(place, _)| place.value().0);
        let goes = first.is_some_and(|expires| expires <= now) || keys.len()? >= KEYS_MAX;
        if !goes {
            break;
        }
        keys.pop_first()?;
    }
    Ok(())
}

fn open(opener: Option<&mut Opener<'_>>, table: u8, number: u64, bytes: &[u8]) -> Option<Vec<u8>> {
    match opener {
        None => Some(bytes.to_vec()),
        Some(opener) => opener.open(&place_of(table, number), bytes),
    }
}

fn place_of(table: u8, number: u64) -> [u8; 9] {
    let mut place = [table; 9];
    for (byte, of) in place.iter_mut().skip(1).zip(number.to_le_bytes()) {
        *byte = of;
    }
    place
}
