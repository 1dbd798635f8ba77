//! What is wrong with a configuration, shown the way rustc shows it.
//!
//! Owns the pieces of a message and its rendering; refuses to know any particular problem. Floors above add problems that
//! only the world can tell (a missing file, a label that the model lacks) and point at the line through [`Located::at`].
//!
//! [`Located::at`]: super::Located::at

use std::fmt;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::mask;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// It can, but it will surprise.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One line: whose problem and what, lower-case, things in backticks.
    pub title: String,
    /// The bytes at fault. None (or an empty range, as defaults have): the file as a whole.
    pub at: Option<Range<usize>>,
    /// Stands beside the bytes at fault: what would be right.
    pub label: String,
    /// Other places that belong to the problem.
    pub related: Vec<(Range<usize>, String)>,
    /// What happened, in more words.
    pub notes: Vec<String>,
    /// What to do.
    pub helps: Vec<String>,
    /// It may go away without a change of the file: a disk that is not mounted yet, a lack of memory.
    pub may_heal: bool,
}

impl Diagnostic {
    /// An error about the file as a whole, until [`Diagnostic::at`] says where.
    pub fn error(title: impl Into<String>) -> Self {
        Self::new(Severity::Error, title.into())
    }

    /// A warning about the file as a whole, until [`Diagnostic::at`] says where.
    pub fn warning(title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, title.into())
    }

    fn new(severity: Severity, title: String) -> Self {
        Self {
            severity,
            title,
            at: None,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            helps: Vec::new(),
            may_heal: false,
        }
    }

    /// Points at bytes of the file; `label` stands beside them.
    pub fn at(mut self, at: Range<usize>, label: impl Into<String>) -> Self {
        self.at = Some(at);
        self.label = label.into();
        self
    }

    /// Points at another place that belongs to the problem.
    pub fn related(mut self, at: Range<usize>, label: impl Into<String>) -> Self {
        self.related.push((at, label.into()));
        self
    }

    /// Adds a `note:` line.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a `help:` line.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(text.into());
        self
    }

    /// Whether it may go away without a change of the file.
    pub fn may_heal(mut self, may_heal: bool) -> Self {
        self.may_heal = may_heal;
        self
    }

    fn position(&self) -> usize {
        self.at.as_ref().map_or(usize::MAX, |at| at.start)
    }
}

/// All that is wrong with one file. Keeps the file with its secrets masked, to quote from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    path: String,
    masked: String,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Nothing wrong yet with `source`, shown to people as `path_shown`.
    pub fn new(source: &str, path_shown: &str) -> Self {
        Self { path: path_shown.to_owned(), masked: mask::masked(source), list: Vec::new() }
    }

    /// Adds a problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// The problems, in the order of the file; those of the file as a whole come last.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<_> = self.list.iter().collect();
        sorted.sort_by_key(|diagnostic| diagnostic.position());
        sorted.into_iter()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether the configuration can't be used.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether nothing in the file has to change: every error may go away by itself.
    pub fn may_heal(&self) -> bool {
        let mut errors = self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).peekable();
        errors.peek().is_some() && errors.all(|error| error.may_heal)
    }

    /// The errors and what to do about them, without lines of the file.
    pub fn plain_errors(&self) -> (Vec<String>, Vec<String>) {
        let errors = || self.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let hints = errors().flat_map(|error| [&error.label].into_iter().chain(&error.helps));
        let hints = hints.filter(|hint| !hint.is_empty()).map(|hint| mask::masked_message(hint));
        (errors().map(|error| mask::masked_message(&error.title)).collect(), hints.collect())
    }

    /// Each by itself and without lines of the file: how bad it is, what it is, what to do.
    pub fn plain(&self) -> Vec<(Severity, String, String)> {
        let hint = |one: &Diagnostic| {
            let hints = [&one.label].into_iter().chain(&one.helps).filter(|hint| !hint.is_empty());
            mask::masked_message(&hints.cloned().collect::<Vec<_>>().join("; "))
        };
        self.iter().map(|one| (one.severity, mask::masked_message(&one.title), hint(one))).collect()
    }

    /// All of them as rustc would show them, a blank line between two, without a newline at the end.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        self.iter().map(|diagnostic| self.render_one(&renderer, diagnostic)).collect::<Vec<_>>().join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, diagnostic: &Diagnostic) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(clean(&diagnostic.title)));
        group = match diagnostic.at.as_ref().filter(|at| !at.is_empty() || !diagnostic.label.is_empty()) {
            Some(at) => group.element(
                Snippet::source(self.masked.as_str())
                    .path(self.path.as_str())
                    .annotation(self.mark(AnnotationKind::Primary, at, &diagnostic.label))
                    .annotations(
                        diagnostic.related.iter().map(|(at, label)| self.mark(AnnotationKind::Context, at, label)),
                    ),
            ),
            None => group.element(Origin::path(self.path.as_str())),
        };
        for note in &diagnostic.notes {
            group = group.element(Level::NOTE.message(clean(note)));
        }
        for help in &diagnostic.helps {
            group = group.element(Level::HELP.message(clean(help)));
        }
        renderer.render(&[group])
    }

    fn mark<'a>(&self, kind: AnnotationKind, at: &Range<usize>, label: &'a str) -> Annotation<'a> {
        let inside = |index: usize| (0..=index.min(self.masked.len())).rev().find(|&i| self.masked.is_char_boundary(i));
        let inside = |index: usize| inside(index).unwrap_or(0);
        let (start, end) = (inside(at.start), inside(at.end.max(at.start)));
        let mark = kind.span(start..end);
        if label.is_empty() { mark } else { mark.label(clean(label)) }
    }
}

/// Without control characters, and without passwords that somebody wrote where they don't belong.
fn clean(text: &str) -> String {
    normalize_untrusted_str(&mask::masked_message(text))
}

/// Without colour.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
