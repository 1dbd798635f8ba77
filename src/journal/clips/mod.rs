//! Clips: their rows, their files' folder, and which of them go.
//!
//! Owns what is true of a clip: its row is there before its file, and names a file only once there is one. Refuses to know
//! packets and what is in a file.

mod age;
mod folder;
mod headroom;
mod news;
mod quota;
mod rows;
mod sequel;
mod start;

pub use age::{Aged, Aging};
pub use folder::{Mended, Whole, clip_hash, clip_path, clips_folder, mend};
pub use headroom::Headroom;
pub use news::{Announce, ClipNews, ClipStep};
pub use quota::{Trimmed, Trimming};
pub use rows::{ClipAlert, ClipFilter, ClipRow, ClipState, Filmed};
pub use sequel::{ClipSequel, Shows};

pub(super) use folder::{FOLDER, forget, make, remove_all};
pub(super) use news::Untold;
pub(super) use quota::{Delete, Trim, remove_gone, remove_oldest};
pub(super) use rows::{clip_row, film, link_key};
pub(super) use start::reconcile;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use {
    age::{AGELESS, FORGET, old_sql},
    quota::{REMOVE_GONE, oldest_delivered_sql},
    rows::{ALERTS_OF, CLIP_IS_NAMED, clips_sql},
    sequel::{OF_CLIP, OF_EVENT},
};
