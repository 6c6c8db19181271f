//! What was seen: a table for people, or JSON for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::bars::Bar;
use crate::load::Sample;
use crate::peers::Peer;

/// One server through all rounds.
pub(crate) struct Row {
    /// Who.
    pub peer: Peer,
    /// Whether it answered a forged webhook with 4xx.
    pub refuses: bool,
    /// One a round, in order.
    pub samples: Vec<Sample>,
}

/// One bar.
pub(crate) struct Table {
    /// Which.
    pub bar: Bar,
    /// Who took part.
    pub rows: Vec<Row>,
    /// Who did not, and why.
    pub left_out: Vec<(Peer, String)>,
}

/// Ratios are made to these, as far as they took part.
const YARDSTICKS: &[Peer] = &[Peer::Nginx, Peer::NginxLua, Peer::HookgateBefore];

/// Above this share of the server's core, others spoil its caches too.
const FOREIGN_MAX: f64 = 0.05;

impl Row {
    fn median(&self, column: usize) -> f64 {
        median(
            self.samples
                .iter()
                .filter_map(|sample| sample.figures.get(column).copied()),
        )
    }

    fn errors(&self) -> usize {
        self.samples.iter().map(|sample| sample.errors).sum()
    }

    /// The median of the rounds' ratios, not the ratio of the medians: what disturbed a whole round
    /// disturbed both.
    fn ratio(&self, to: &Self) -> f64 {
        let first = |sample: &Sample| sample.figures.first().copied().unwrap_or(f64::NAN);
        let rounds = self.samples.iter().zip(&to.samples);
        median(rounds.map(|(mine, theirs)| first(mine) / first(theirs)))
    }
}

impl Table {
    fn row(&self, peer: Peer) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer)
    }

    fn yardsticks(&self) -> Vec<&Row> {
        YARDSTICKS
            .iter()
            .filter_map(|peer| self.row(*peer))
            .collect()
    }

    /// Rounds of any server in which its core was not its own.
    fn disturbed(&self) -> usize {
        let foreign = self
            .bar
            .columns()
            .iter()
            .position(|column| *column == "foreign");
        let samples = self.rows.iter().flat_map(|row| &row.samples);
        samples
            .filter_map(|sample| sample.figures.get(foreign?))
            .filter(|share| **share > FOREIGN_MAX)
            .count()
    }

    /// The same as the table, with every round.
    #[must_use]
    pub(crate) fn json(&self) -> Value {
        let servers = self.rows.iter().map(|row| {
            let medians = self.bar.columns().iter().enumerate();
            let medians = medians.map(|(at, name)| ((*name).into(), json!(row.median(at))));
            let ratios = self.yardsticks();
            let ratios = ratios
                .iter()
                .map(|to| (to.peer.name().into(), json!(row.ratio(to))));
            let rounds: Vec<&[f64]> = row.samples.iter().map(|s| s.figures.as_slice()).collect();
            let server = json!({
                "refuses_forged": row.refuses,
                "median": Value::Object(medians.collect()),
                "ratio": Value::Object(ratios.collect()),
                "errors": row.errors(),
                "rounds": rounds,
            });
            (row.peer.name().into(), server)
        });
        let left_out = self
            .left_out
            .iter()
            .map(|(peer, why)| (peer.name().into(), json!(why)));
        json!({
            "bar": self.bar.name(),
            "columns": self.bar.columns(),
            "servers": Value::Object(servers.collect()),
            "left_out": Value::Object(left_out.collect()),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yardsticks = self.yardsticks();
        write!(f, "\n{:<16}{:>8}", self.bar.name(), "refuses")?;
        for column in self.bar.columns() {
            write!(f, "{column:>15}")?;
        }
        for to in &yardsticks {
            write!(f, "{:>18}", format!("x {}", to.peer.name()))?;
        }
        writeln!(f, "{:>8}", "errors")?;
        for row in &self.rows {
            write!(
                f,
                "{:<16}{:>8}",
                row.peer.name(),
                if row.refuses { "yes" } else { "no" }
            )?;
            for at in 0..self.bar.columns().len() {
                let figure = row.median(at);
                let digits = if figure >= 1000.0 { 0 } else { 2 };
                write!(f, "{figure:>15.digits$}")?;
            }
            for to in &yardsticks {
                write!(f, "{:>18.2}", row.ratio(to))?;
            }
            writeln!(f, "{:>8}", row.errors())?;
        }
        for (peer, why) in &self.left_out {
            writeln!(f, "left out: {}: {why}", peer.name())?;
        }
        let disturbed = self.disturbed();
        if disturbed > 0 {
            writeln!(
                f,
                "others used the server's core: {disturbed} of the rounds had `foreign` above {FOREIGN_MAX}"
            )?;
        }
        if let Some(goal) = self.bar.goal()
            && let (Some(hookgate), Some(of)) = (self.row(Peer::Hookgate), self.row(goal.of))
        {
            let ratio = hookgate.ratio(of);
            let verdict = if ratio <= goal.ratio {
                "reached"
            } else {
                "missed"
            };
            writeln!(
                f,
                "goal: at most {} x {}: {ratio:.2}, {verdict}",
                goal.ratio,
                goal.of.name()
            )?;
        }
        Ok(())
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.filter(|figure| figure.is_finite()).collect();
    figures.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    }
}
