//! A small disk of a run's own, to be filled and freed: a name space of mounts, as long as this lives.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// What a run needs, several times.
const SIZE: &str = "size=16m";

/// Mounted at a directory, for those who are run beside it.
pub struct Disk {
    /// Ends with its input.
    keeper: Child,
    /// Takes all the room there is.
    filler: PathBuf,
}

impl Disk {
    /// At this directory, which is there; nothing where the system allows nobody a name space of his own.
    pub async fn mount(at: &Path) -> Option<Self> {
        let script = format!("mount -t tmpfs -o {SIZE} none \"$0\" && echo . && exec cat");
        let mut keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        keeper.stdout.as_mut()?.read_u8().await.ok()?;
        let root = format!("/proc/{}/root", keeper.id()?);
        let filler = Path::new(&root).join(at.strip_prefix("/").ok()?);
        Some(Self {
            keeper,
            filler: filler.join("filler"),
        })
    }

    /// The beginning of a command that is to see it.
    pub fn beside(&self) -> Vec<String> {
        let keeper = self.keeper.id().unwrap().to_string();
        let words = ["nsenter", "--preserve-credentials", "--user", "--mount"];
        let words = words.map(str::to_owned).into_iter();
        words.chain(["--target".to_owned(), keeper]).collect()
    }

    /// Somebody else takes all the room.
    pub fn fill(&self) {
        let mut filler = File::create(&self.filler).unwrap();
        let filled = io::copy(&mut io::repeat(0), &mut filler);
        assert_eq!(filled.unwrap_err().kind(), ErrorKind::StorageFull);
    }

    /// And gives it back.
    pub fn free(&self) {
        fs::remove_file(&self.filler).unwrap();
    }
}
