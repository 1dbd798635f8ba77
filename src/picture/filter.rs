//! What a sample of a scaled picture is made of.
//!
//! Owns the choice of a filter and what each of them means to the resizer; refuses to know pictures and planes. Pure.

use fast_image_resize::{FilterType, ResizeAlg};
use serde::Deserialize;

/// What a sample of the small picture is made of (`[input] filter`). A model sees best what it was trained with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// [`Filter::Bilinear`] for moderate reductions, and the mean of an area where that would leave most of the picture
    /// out: right for most models whose training nobody knows.
    #[default]
    Area,
    /// OpenCV's `INTER_LINEAR`: two pixels a side with half-pixel centres, nothing smoothed when shrinking. Most published
    /// detectors were trained and measured with it; YOLOX's boxes move by pixels when it is smoothed.
    Bilinear,
    /// Pillow's `BICUBIC`: antialiased, a = -0.5. The reference of CLIP and SigLIP.
    Bicubic,
    /// Pillow's `LANCZOS`: antialiased, three lobes. The reference of SmolVLM.
    Lanczos,
    /// Pillow's `BILINEAR`, antialiased: for people.
    #[serde(skip)]
    Smooth,
}

/// From so many pixels a side on, bilinear's two of them are too few: it would leave out more than eight tenths of the
/// picture, and the models this happens to (inputs of 96 pixels) were measured with areas.
const AREA_FROM: f64 = 5.0;

impl Filter {
    /// Whether the part `[left, top, width, height]` of a plane becomes `size` by OpenCV's bilinear, which the resizer
    /// doesn't have.
    pub(super) fn is_bilinear(self, [_, _, width, height]: [f64; 4], size: [u32; 2]) -> bool {
        let ratio = (width / f64::from(size[0])).max(height / f64::from(size[1]));
        self == Filter::Bilinear || self == Filter::Area && ratio < AREA_FROM
    }

    /// What the resizer is told to do otherwise.
    pub(super) fn algorithm(self) -> ResizeAlg {
        match self {
            Filter::Area => ResizeAlg::Convolution(FilterType::Box),
            Filter::Bilinear => ResizeAlg::Interpolation(FilterType::Bilinear),
            Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
            Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
            Filter::Smooth => ResizeAlg::Convolution(FilterType::Bilinear),
        }
    }

    /// How far beyond its own place a sample looks, in pixels of a plane that shrinks by `ratio`; None where that makes no
    /// difference, because no sample can overshoot.
    pub(super) fn reach(self, ratio: f64) -> Option<f64> {
        let lobes = match self {
            Filter::Area | Filter::Bilinear | Filter::Smooth => return None,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        };
        Some(lobes * ratio.max(1.0) + 1.0)
    }
}

#[cfg(test)]
mod tests;
