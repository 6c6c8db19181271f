//! How a metrics page is written, on top of prometheus-client's encoder.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use super::tally::Reading;

/// Writes one metric after another. Each call writes the whole family, since the rows of a family must
/// stand together.
pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> Page<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    pub(super) fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        rows.into_iter().try_for_each(|(labels, n)| {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&n, None)
        })
    }

    pub(super) fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        rows.into_iter()
            .try_for_each(|(labels, n)| family.encode_family(&labels)?.encode_gauge(&n))
    }

    pub(super) fn histograms<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (L, Reading)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Histogram)?;
        rows.into_iter().try_for_each(
            |(
                labels,
                Reading {
                    sum,
                    count,
                    buckets,
                },
            )| {
                let mut row = family.encode_family(&labels)?;
                row.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            },
        )
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        n: &impl EncodeCounterValue,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(n, None)
    }

    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        n: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(n)
    }
}

/// Text format 0.0.4: a counter's family has the name of its samples, and there is no end mark.
pub(super) fn plain(open: &str) -> String {
    let mut page = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|text| text.split_once(' '))
        {
            let total = if kind == "counter" { "_total" } else { "" };
            let text = help.take().map_or("", |(_, text)| text);
            page.push_str(&format!(
                "# HELP {name}{total} {text}\n# TYPE {name}{total} {kind}\n"
            ));
        } else if line != "# EOF" {
            page.push_str(line);
            page.push('\n');
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_plain_page_names_a_counter_like_its_samples() {
        let open = "# HELP a Things.\n# TYPE a counter\na_total 1\n\
                    # HELP b More.\n# TYPE b gauge\nb 2\n# EOF\n";

        assert_eq!(
            plain(open),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total 1\n\
             # HELP b More.\n# TYPE b gauge\nb 2\n"
        );
    }
}
