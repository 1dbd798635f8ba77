//! The text that Prometheus reads (OpenMetrics 1.0): families of samples, written by `prometheus-client`.
//!
//! Owns the way from plain numbers to that text; refuses to know what is told (`metrics` does). A family without samples
//! still says what it is.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::meter::Reading;

/// What every name begins with.
const PREFIX: &str = "stakeout";

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// The text of what `collector` tells.
pub(super) fn text(collector: impl Collector) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(collector));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Where families are written, one after the other.
pub(super) struct Sheet<'e>(DescriptorEncoder<'e>);

impl<'e> Sheet<'e> {
    pub(super) fn new(encoder: DescriptorEncoder<'e>) -> Sheet<'e> {
        Sheet(encoder)
    }

    /// What only goes up; `_total` is added to the name.
    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, |mut sample, value| {
            sample.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// What goes up and down.
    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, |mut sample, value| sample.encode_gauge(&value))
    }

    /// How often something took how long.
    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, Reading)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, samples, |mut sample, reading| {
            sample.encode_histogram::<NoLabelSet>(reading.sum_s, reading.count(), &reading.slots, None)
        })
    }

    fn family<T>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels, T)>,
        write: impl Fn(MetricEncoder<'_>, T) -> fmt::Result,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                return write(family, value);
            }
            write(family.encode_family(&labels)?, value)?;
        }
        Ok(())
    }
}
