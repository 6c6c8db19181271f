//! A small disk of the gate's own, to be filled and freed by somebody else.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Mounted at a directory, for those who are run beside it: a name space of mounts that ends with this.
pub struct Disk {
    /// Ends with its input.
    keeper: Child,
    /// As it is seen from here.
    root: PathBuf,
}

impl Disk {
    /// Of this size (`16m`), at a directory that is there.
    pub async fn mount(at: &Path, size: &str) -> Self {
        let script = format!("mount -t tmpfs -o size={size} none \"$0\" && echo . && exec cat");
        let mut keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", &script])
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        keeper.stdout.as_mut().unwrap().read_u8().await.unwrap();
        let root = format!("/proc/{}/root{}", keeper.id().unwrap(), at.display());
        Self {
            keeper,
            root: root.into(),
        }
    }

    /// The binary with this disk in its place; any number of times.
    pub fn gate(&self) -> Command {
        let keeper = self.keeper.id().unwrap().to_string();
        let mut command = Command::new("nsenter");
        command
            .args(["--preserve-credentials", "--user", "--mount", "--target"])
            .args([&*keeper, env!("CARGO_BIN_EXE_hookgate")]);
        command
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        let mut filler = File::create(self.root.join("filler")).unwrap();
        let filled = io::copy(&mut io::repeat(0), &mut filler);
        assert_eq!(filled.unwrap_err().kind(), ErrorKind::StorageFull);
    }

    /// And gives it back.
    pub fn free(&self) {
        std::fs::remove_file(self.root.join("filler")).unwrap();
    }
}
