//! Which way up a picture is.
//!
//! Owns the quarter turns that a recording asks for; refuses to know who asked and where samples lie in memory. Pure.

/// How a stored picture must be turned, clockwise, to stand upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    Left,
}

impl Turn {
    /// What GStreamer's tag `image-orientation` means. Mirrored pictures are only turned: no camera makes them.
    pub(super) fn of_tag(orientation: &str) -> Turn {
        match orientation.trim_start_matches("flip-") {
            "rotate-90" => Turn::Right,
            "rotate-180" => Turn::Half,
            "rotate-270" => Turn::Left,
            _ => Turn::None,
        }
    }
}
