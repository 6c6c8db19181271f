//! What the process uses, from `/proc`, under the names that Prometheus gives them; absent elsewhere.

use std::fs;

/// Ticks per second in `/proc`: Linux shows 100 to programs on every architecture, whatever the
/// kernel's own rate is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// One reading.
#[derive(Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) start_time_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) open_fds: u64,
}

/// Reads `/proc`; a few microseconds, only for a scrape.
pub(super) fn usage() -> Option<Usage> {
    let open_fds = u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    let read = |path| fs::read_to_string(path).ok();
    parse(
        &read("/proc/self/stat")?,
        &read("/proc/stat")?,
        &read("/proc/self/status")?,
        open_fds,
    )
}

/// proc(5).
fn parse(stat: &str, system: &str, status: &str, open_fds: u64) -> Option<Usage> {
    // The name of the program (field 2) may hold anything, so count from behind it: `state` is field 3.
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = behind_name.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    let boot: f64 = line(system, "btime ")?.trim().parse().ok()?;
    let resident_kib: u64 = line(status, "VmRSS:")?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(Usage {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
        start_time_seconds: boot + ticks(22)? / TICKS_PER_SECOND,
        resident_bytes: resident_kib * 1024,
        open_fds,
    })
}

fn line<'t>(text: &'t str, start: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(start))
}

#[cfg(test)]
mod tests {
    use super::{Usage, parse};

    #[test]
    fn a_program_with_a_bracket_in_its_name_is_read_right() {
        let stat = "7 (ho) ok) S 1 7 7 0 -1 4194304 9 0 0 0 250 50 0 0 20 0 3 0 1234 99 12 0\n";

        let usage = parse(
            stat,
            "cpu 1 2\nbtime 1700000000\n",
            "Name:\tx\nVmRSS:\t   2048 kB\n",
            9,
        );

        let expected = Usage {
            cpu_seconds: 3.0,
            start_time_seconds: 1_700_000_012.34,
            resident_bytes: 2 << 20,
            open_fds: 9,
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn what_is_missing_gives_no_numbers() {
        assert_eq!(parse("7 (x) S 1", "btime 1", "VmRSS: 1 kB", 9), None);
    }
}
