//! The three graphs of a vision language model, side by side.
//!
//! Owns opening them (each on its own rung of the load ladder) and reading tokens with the full history in view; refuses to
//! know prompts and answers. Runs on the model's thread.

use std::path::PathBuf;

use super::super::{RunError, Rung, Runtime};
use super::cache::Cache;
use super::decoder::{Decoder, Next, Step};
use super::embeddings::Embeddings;
use super::positions::sequential;
use super::problem::VlmError;
use super::vision::Vision;

/// Where the graphs are.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// Picture to features.
    pub vision_encoder: PathBuf,
    /// Ids to rows.
    pub embed_tokens: PathBuf,
    /// Rows to logits.
    pub decoder: PathBuf,
}

/// The three graphs, ready to run.
pub struct Parts {
    /// Picture to features.
    pub vision: Vision,
    /// Ids to rows.
    pub embeddings: Embeddings,
    /// Rows to logits.
    pub decoder: Decoder,
    /// All ones, as long as anything was ever read.
    ones: Vec<i64>,
}

/// How the vision encoder, the token embeddings and the decoder were loaded.
pub type Rungs = [Rung; 3];

impl Parts {
    /// Opens the graphs for pictures of `size` (width, height), each on `threads` threads (0: one per core).
    ///
    /// # Errors
    /// Files that aren't graphs, graphs that aren't the ones of a vision language model, and graphs that don't fit together.
    pub fn open(
        runtime: &Runtime,
        graphs: &Graphs,
        size: [u32; 2],
        threads: usize,
    ) -> Result<(Parts, Rungs), VlmError> {
        let Graphs { vision_encoder, embed_tokens, decoder } = graphs;
        let (embeddings, embeddings_rung) = Embeddings::open(runtime, embed_tokens, threads)?;
        let width = embeddings.width();
        let (vision, vision_rung) = Vision::open(runtime, vision_encoder, size, width, threads)?;
        let (decoder, decoder_rung) = Decoder::open(runtime, decoder, width, threads)?;
        let rungs = [vision_rung, embeddings_rung, decoder_rung];
        Ok((Parts { vision, embeddings, decoder, ones: Vec::new() }, rungs))
    }

    /// Reads `tokens` after `past`.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn read(&mut self, tokens: &[i64], past: &Cache) -> Result<Next, RunError> {
        let rows = self.embeddings.rows(tokens)?;
        self.read_rows(rows.numbers(), past)
    }

    /// Reads embedded tokens after `past`.
    ///
    /// # Errors
    /// Whatever ONNX Runtime says.
    pub fn read_rows(&mut self, embeds: &[f32], past: &Cache) -> Result<Next, RunError> {
        let count = embeds.len() / self.embeddings.width();
        let history = past.length() + count;
        if self.ones.len() < history {
            self.ones.resize(history, 1);
        }
        let positions = sequential(past.length(), count);
        self.decoder.step(&Step { embeds, mask: &self.ones[..history], positions: &positions }, past)
    }
}
