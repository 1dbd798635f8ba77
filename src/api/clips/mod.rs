//! Clips over HTTP.

mod page;
