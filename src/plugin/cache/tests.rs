//! The cache against forgers, other starts, and crashes.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread;

use super::key::KEY_BYTES;
use super::*;

const ONE: Identity = identity([1; 32]);
const TWO: Identity = identity([2; 32]);

const fn identity(hash: [u8; 32]) -> Identity {
    Identity {
        hash,
        extension: "compiled",
    }
}

fn cache() -> (tempfile::TempDir, Cache) {
    let home = tempfile::tempdir().unwrap();
    let cache = Cache::open(&home.path().join("cache")).unwrap();
    (home, cache)
}

#[test]
fn what_was_written_is_read_also_after_a_restart() {
    let (home, cache) = cache();

    cache.write(ONE, b"code").unwrap();

    assert_eq!(cache.read(ONE).unwrap(), b"code");
    let again = Cache::open(&home.path().join("cache")).unwrap();
    assert_eq!(again.read(ONE).unwrap(), b"code");
    assert!(again.read(TWO).is_none());
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let (_home, cache) = cache();
    cache.write(ONE, b"code").unwrap();
    let genuine = fs::read(cache.path(ONE)).unwrap();

    for at in 0..genuine.len() {
        let mut forged = genuine.clone();
        forged[at] ^= 1;
        fs::write(cache.path(ONE), forged).unwrap();
        assert!(cache.read(ONE).is_none(), "byte {at}");
        assert!(cache.find(ONE).is_none(), "byte {at}");
    }
    for length in 0..genuine.len() {
        fs::write(cache.path(ONE), &genuine[..length]).unwrap();
        assert!(cache.read(ONE).is_none(), "cut at {length}");
        assert!(cache.find(ONE).is_none(), "cut at {length}");
    }
    fs::write(cache.path(ONE), &genuine).unwrap();
    assert!(cache.read(ONE).is_some());
    assert_eq!(cache.find(ONE).unwrap().len(), b"code".len());
}

#[test]
fn an_artifact_that_others_may_write_is_refused() {
    let (_home, cache) = cache();
    cache.write(ONE, b"code").unwrap();

    fs::set_permissions(cache.path(ONE), fs::Permissions::from_mode(0o620)).unwrap();

    assert!(cache.find(ONE).is_none() && cache.read(ONE).is_none());
}

#[test]
fn one_artifact_cannot_stand_in_for_another() {
    let (_home, cache) = cache();
    cache.write(ONE, b"code").unwrap();

    fs::rename(cache.path(ONE), cache.path(TWO)).unwrap();

    assert!(cache.read(TWO).is_none() && cache.find(TWO).is_none());
}

#[test]
fn an_artifact_of_another_cache_is_refused() {
    let ((_one, from), (_other, to)) = (cache(), cache());
    from.write(ONE, b"code").unwrap();

    fs::copy(from.path(ONE), to.path(ONE)).unwrap();

    assert!(to.read(ONE).is_none());
}

#[test]
fn a_directory_that_others_may_read_is_refused() {
    let (home, cache) = cache();
    let path = home.path().join("cache");
    drop(cache);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();

    let error = Cache::open(&path).err().unwrap().to_string();

    assert_eq!(
        error,
        format!(
            "the plugin cache `{}` is not private: its mode is 750; `chmod 700` it, or name another directory",
            path.display()
        )
    );
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let (home, cache) = cache();
    drop(cache);
    let path = home.path().join("cache");
    fs::set_permissions(path.join(KEY_FILE), fs::Permissions::from_mode(0o644)).unwrap();

    assert!(matches!(
        Cache::open(&path),
        Err(CacheError::NotPrivate { .. })
    ));
}

#[test]
fn starts_that_race_for_a_new_directory_share_one_key() {
    const STARTS: usize = 16;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cache");
    let line = Barrier::new(STARTS);

    let caches: Vec<Cache> = thread::scope(|scope| {
        let start = || {
            line.wait();
            Cache::open(&path).unwrap()
        };
        let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|s| s.join().unwrap()).collect()
    });

    for writer in &caches {
        writer.write(ONE, b"code").unwrap();
        assert!(caches.iter().all(|reader| reader.read(ONE).is_some()));
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "leftovers");
}

#[test]
fn a_damaged_key_is_replaced_and_what_it_vouched_for_forgotten() {
    for damage in [
        &[][..],
        &[7; KEY_BYTES - 1],
        &[7; KEY_BYTES + 1],
        &[0; KEY_BYTES],
    ] {
        let (home, cache) = cache();
        cache.write(ONE, b"code").unwrap();
        let path = home.path().join("cache");
        fs::write(path.join(KEY_FILE), damage).unwrap();

        let healed = Cache::open(&path).unwrap();

        assert!(healed.read(ONE).is_none());
        healed.write(ONE, b"new code").unwrap();
        let again = Cache::open(&path).unwrap();
        assert_eq!(again.read(ONE).unwrap(), b"new code");
    }
}

#[test]
fn a_damaged_key_that_others_may_read_is_refused_and_stays() {
    let (home, cache) = cache();
    drop(cache);
    let path = home.path().join("cache").join(KEY_FILE);
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

    assert!(matches!(
        Cache::open(path.parent().unwrap()),
        Err(CacheError::NotPrivate { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_key_that_is_no_file_is_refused() {
    let (home, cache) = cache();
    drop(cache);
    let path = home.path().join("cache").join(KEY_FILE);
    fs::remove_file(&path).unwrap();
    fs::DirBuilder::new()
        .mode(DIRECTORY_MODE)
        .create(&path)
        .unwrap();

    assert!(matches!(
        Cache::open(path.parent().unwrap()),
        Err(CacheError::Io { .. })
    ));
}

#[test]
fn a_full_cache_forgets_its_oldest() {
    let (home, cache) = cache();

    for n in 0..=u8::try_from(ARTIFACTS_MAX).unwrap() {
        cache.write(identity([n; 32]), b"code").unwrap();
    }

    let kept = fs::read_dir(home.path().join("cache")).unwrap().count();
    assert_eq!(kept, ARTIFACTS_MAX + 1);
    assert!(cache.read(identity([64; 32])).is_some());
}
