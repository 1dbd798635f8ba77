//! What the product says of itself: man pages that render, completions that load, and commands in README.md and in the man
//! pages that do what they say, each of them run.

mod commands;
mod editors;
mod pages;
mod world;
mod written;
