//! Whether a decoder that is asked for by name can be used.
//!
//! Owns that question and its answers; refuses to know who asks. Runs on the caller's thread, for as long as trials take.

use super::super::codec::Codec;
use super::inventory::Inventory;
use super::trial::{Failure, trial};
use super::{Why, choose};
use crate::config::Hardware;

/// Why a named decoder can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is no such element here. Holds the decoders that are here.
    NotInstalled(Vec<String>),
    /// There is, but it decodes none of our codecs. Holds the decoders that are here.
    NoDecoder(Vec<String>),
    /// What it can't do without is not here.
    Needs(&'static str),
    /// It failed its trial, with every codec that it decodes.
    Fails(Failure),
}

/// Tries the element of this name with every codec that it decodes. GStreamer must have been started.
///
/// # Errors
/// None of them works.
pub fn named(element: &str) -> Result<Vec<Codec>, Unusable> {
    let installed = Inventory::installed();
    let wanted = Hardware::Element(element.to_owned());
    let (mut works, mut unusable) = (Vec::new(), Unusable::NoDecoder(here(installed)));
    for codec in Codec::ALL {
        let choice = choose(codec, &wanted, installed);
        match choice.candidates.first().map(|candidate| trial(codec, candidate)) {
            Some(Ok(_)) => works.push(codec),
            Some(Err(failure)) => unusable = Unusable::Fails(failure),
            None => match choice.passed.first().map(|passed| passed.why) {
                Some(Why::Needs(companion)) => unusable = Unusable::Needs(companion),
                Some(Why::NotInstalled) if gstreamer::ElementFactory::find(element).is_none() => {
                    unusable = Unusable::NotInstalled(here(installed));
                }
                _ => {}
            },
        }
    }
    if works.is_empty() { Err(unusable) } else { Ok(works) }
}

fn here(installed: &Inventory) -> Vec<String> {
    Codec::ALL.into_iter().flat_map(|codec| installed.decoders(codec)).map(str::to_owned).collect()
}
