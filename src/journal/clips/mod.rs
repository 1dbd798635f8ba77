//! Clips: their rows, their files' folder, and which of them go.
//!
//! Owns what is true of a clip: its row is there before its file, and names a file only once there is one. Refuses to know
//! packets and what is in a file.

mod folder;
mod headroom;
mod news;
mod quota;
mod rows;
mod sequel;
mod start;

pub use folder::{Mended, Whole, clip_path, clips_folder, mend};
pub use headroom::Headroom;
pub use news::{Announce, ClipNews, ClipStep};
pub use quota::{Trimmed, Trimming};
pub use rows::{ClipAlert, ClipFilter, ClipRow, ClipState, Filmed};
pub use sequel::{ClipSequel, Shows};

pub(super) use folder::{FOLDER, forget, make, remove_all};
pub(super) use quota::{Delete, Trim, remove_oldest};
pub(super) use rows::{clip_row, film, link_key};
pub(super) use start::reconcile;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use {
    quota::OLDEST_DELIVERED, rows::ALERTS_OF, rows::CLIP_IS_NAMED, rows::clips_sql, sequel::OF_CLIP, sequel::OF_EVENT,
};
