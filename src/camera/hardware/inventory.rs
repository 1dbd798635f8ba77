//! What is installed.
//!
//! Owns the look into GStreamer's registry; refuses to prefer anything. Once a process: plugins don't come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;

use super::super::codec::Codec;

/// A GStreamer element that may have a part in decoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The codecs that it decodes; none: it is no decoder.
    pub decodes: Vec<Codec>,
    /// It calls itself hardware. Not all that are do.
    pub hardware: bool,
    /// What can be set.
    pub properties: BTreeSet<String>,
}

/// The elements of a machine, by name: decoders of our codecs, and what brings their pictures into plain memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory(pub BTreeMap<String, Element>);

/// No decoders, but needed by some.
const COMPANIONS: [&str; 1] = ["nvvidconv"];

impl Inventory {
    /// What is installed here. GStreamer must have been started.
    pub fn installed() -> &'static Inventory {
        static INSTALLED: OnceLock<Inventory> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let decoders = gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DECODER, gst::Rank::NONE);
            let companions = COMPANIONS.into_iter().filter_map(gst::ElementFactory::find);
            let decoders = decoders.into_iter().filter(|factory| !decodes(factory).is_empty());
            Inventory(decoders.chain(companions).map(|factory| (factory.name().to_string(), of(&factory))).collect())
        })
    }

    /// Names of all decoders of `codec`.
    pub fn decoders(&self, codec: Codec) -> impl Iterator<Item = &str> {
        let fits = move |(_, element): &(&String, &Element)| element.decodes.contains(&codec);
        self.0.iter().filter(fits).map(|(name, _)| name.as_str())
    }
}

/// Names of the decoders here that call themselves hardware. GStreamer must have been started.
pub fn hardware_decoders() -> Vec<String> {
    let all = Inventory::installed().0.iter();
    all.filter(|(_, element)| element.hardware && !element.decodes.is_empty()).map(|(name, _)| name.clone()).collect()
}

fn of(factory: &gst::ElementFactory) -> Element {
    let hardware = factory.metadata("klass").is_some_and(|klass| klass.split('/').any(|word| word == "Hardware"));
    Element { decodes: decodes(factory), hardware, properties: properties(factory).unwrap_or_default() }
}

fn decodes(factory: &gst::ElementFactory) -> Vec<Codec> {
    let sinks: Vec<gst::StaticPadTemplate> =
        factory.static_pad_templates().into_iter().filter(|pad| pad.direction() == gst::PadDirection::Sink).collect();
    let takes =
        |codec: &Codec| sinks.iter().any(|sink| sink.caps().iter().any(|taken| taken.name() == codec.media_type()));
    Codec::ALL.into_iter().filter(takes).collect()
}

/// Of the class, without an element: some open their device as soon as they are made.
fn properties(factory: &gst::ElementFactory) -> Option<BTreeSet<String>> {
    let loaded = factory.clone().load().ok()?;
    let class = glib::object::ObjectClass::from_type(loaded.element_type())?;
    Some(class.list_properties().iter().map(|property| property.name().to_owned()).collect())
}
