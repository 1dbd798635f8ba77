//! The layouts of zero-shot models: how a description becomes tokens, and what a similarity is worth.
//!
//! Owns what CLIP, SigLIP and SigLIP 2 do differently; refuses to know tokenizers and graphs. Plain data.

/// One of the published layouts (contracts/models.md, "zero-shot").
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// As in the manifest.
    pub(super) name: &'static str,
    /// The most tokens of a description, with its marks; what `[prompt] length` overrides.
    pub(super) length: usize,
    /// The token before every description.
    pub(super) begin: Option<&'static str>,
    /// The token after every description.
    pub(super) end: &'static str,
    /// What fills the rest.
    pub(super) pad: &'static str,
    /// The rest is always filled: the model was trained so, and has no attention mask.
    pub(super) always_padded: bool,
    /// A similarity means something by itself: trained with a sigmoid on each pair, not with a softmax over a batch.
    /// Together with the bias that was learnt, that is.
    pub(super) is_absolute: bool,
}

/// CLIP, MobileCLIP: OpenAI's byte-pair encoding.
const CLIP: Style = Style {
    name: "clip",
    length: 77,
    begin: Some("<|startoftext|>"),
    end: "<|endoftext|>",
    pad: "<|endoftext|>",
    always_padded: false,
    is_absolute: false,
};
/// SigLIP: T5's vocabulary, padded with the end mark.
const SIGLIP: Style =
    Style { name: "siglip", length: 64, begin: None, end: "</s>", pad: "</s>", always_padded: true, is_absolute: true };
/// SigLIP 2: Gemma's vocabulary.
const SIGLIP2: Style = Style {
    name: "siglip2",
    length: 64,
    begin: None,
    end: "<eos>",
    pad: "<pad>",
    always_padded: true,
    is_absolute: true,
};

impl Style {
    pub(super) const ALL: [&'static Style; 3] = [&CLIP, &SIGLIP, &SIGLIP2];

    /// The one that the manifest names.
    pub(super) fn named(name: &str) -> Option<&'static Style> {
        Style::ALL.into_iter().find(|style| style.name == name)
    }
}
