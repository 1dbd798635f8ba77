//! A typed reader of TOML tables that collects every problem instead of stopping at the first.
//!
//! Owns how keys are taken, and that a key which nobody took is an error; refuses to know any particular key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::settings::Located;
use super::suggest;
use super::value::{self, Problem, Read, Value};
use crate::name::Name;

/// What reading has found so far.
#[derive(Debug)]
pub(super) struct Findings {
    /// The problems.
    pub(super) list: Vec<Diagnostic>,
    /// The file has syntax errors: that something is missing from it means nothing.
    pub(super) broken: bool,
    /// Who tells all keys of such a file: `… prints all there are`.
    pub(super) manual: &'static str,
}

impl Default for Findings {
    fn default() -> Findings {
        Findings { list: Vec::new(), broken: false, manual: "`stakeout config` prints all there are" }
    }
}

/// A table that is being read, key by key.
pub(super) struct Section<'a, 'f> {
    /// How problems call it: ``camera `dock` `` or `` `[storage]` ``.
    title: String,
    /// Its header.
    at: Range<usize>,
    table: &'a DeTable<'a>,
    taken: Vec<&'static str>,
    findings: &'f mut Findings,
}

impl<'a, 'f> Section<'a, 'f> {
    /// A table whose problems start with `title`.
    pub(super) fn new(title: String, at: Range<usize>, table: &'a DeTable<'a>, findings: &'f mut Findings) -> Self {
        Self { title, at, table, taken: Vec::new(), findings }
    }

    /// One of several tables of that kind, told apart by their `name`.
    pub(super) fn named(kind: &str, at: Range<usize>, table: &'a DeTable<'a>, findings: &'f mut Findings) -> Self {
        let title = match table.get("name").and_then(|name| name.get_ref().as_str()) {
            Some(name) => format!("{kind} `{name}`"),
            None => format!("`[[{kind}]]`"),
        };
        Self::new(title, at, table, findings)
    }

    /// The value of `key`, if it is there and right.
    pub(super) fn take<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'_>) -> Read<T>,
    ) -> Option<Located<T>> {
        self.taken.push(key);
        let value = self.table.get(key)?;
        match read(value) {
            Ok(read) => Some(Located { value: read, at: value.span() }),
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.value_problem(key, problem));
                None
            }
        }
    }

    /// The value of `key`, or `default` where it is missing (or wrong, which is told).
    pub(super) fn or<T>(&mut self, key: &'static str, default: T, read: impl FnOnce(&Value<'_>) -> Read<T>) -> T {
        self.take(key, read).map_or(default, |located| located.value)
    }

    /// The value of `key`, which must be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value<'_>) -> Read<T>,
    ) -> Option<Located<T>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.take(key, read)
    }

    /// The section's own name.
    pub(super) fn name(&mut self) -> Option<Located<Name>> {
        self.required("name", "\"dock-east\"", value::name)
    }

    /// A string, where the empty one means that it isn't set.
    pub(super) fn optional_text(&mut self, key: &'static str) -> Option<Located<String>> {
        self.take(key, value::text).filter(|text| !text.value.is_empty())
    }

    /// A key that is of no use here, unless it is empty.
    pub(super) fn out_of_place(&mut self, key: &'static str, predicate: impl Into<String>, label: impl Into<String>) {
        self.take(key, |value| match value.get_ref() {
            DeValue::String(text) if text.is_empty() => Ok(()),
            DeValue::Array(list) if list.is_empty() => Ok(()),
            DeValue::Table(table) if table.is_empty() => Ok(()),
            _ => Err(Problem::new(value.span(), predicate, label).into()),
        });
    }

    /// A table within this one, read by `read`. None when it is missing, empty or no table.
    pub(super) fn inner<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> Option<T> {
        let table = self.take(key, |value| match value.get_ref() {
            DeValue::Table(_) => Ok(()),
            _ => Err(Problem::wrong_type(value, "a table", "{ key = \"value\" }").into()),
        });
        let at = table?.at;
        let table = self.table;
        let table = table.get(key)?.get_ref().as_table().filter(|table| !table.is_empty())?;
        let mut inner = Section::new(format!("{}, `{key}`", self.title), at, table, self.findings);
        let read = read(&mut inner);
        inner.finish();
        Some(read)
    }

    /// A list of tables within this one, each read by `read`. None when it is missing or no list of tables.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&mut Section<'_, '_>) -> T,
    ) -> Option<Vec<T>> {
        let wrong = |value: &Value<'_>| Problem::wrong_type(value, "a list of tables", example);
        self.take(key, |value| match value.get_ref() {
            DeValue::Array(list) if list.iter().all(|entry| entry.get_ref().is_table()) => Ok(()),
            _ => Err(wrong(value).into()),
        })?;
        let table = self.table;
        let list = table.get(key)?.get_ref().as_array()?;
        let mut all = Vec::with_capacity(list.len());
        for entry in list.iter() {
            let Some(table) = entry.get_ref().as_table() else { continue };
            let mut inner = Section::new(format!("{}, `{key}`", self.title), entry.span(), table, self.findings);
            all.push(read(&mut inner));
            inner.finish();
        }
        Some(all)
    }

    /// Where it stands.
    pub(super) fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// Whether the table has that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// `key` is missing, and nothing can stand in for it.
    pub(super) fn missing(&mut self, key: &str, example: &str) {
        if !self.findings.broken {
            let at = self.at.clone();
            self.problem(at, format!("`{key}` is missing"), format!("add `{key} = {example}`"));
        }
    }

    /// Something is missing that goes by more than one name.
    pub(super) fn lacks(&mut self, what: &str, label: &str) {
        if !self.findings.broken {
            self.problem(self.at.clone(), what, label);
        }
    }

    /// Whether the table has a key that was likely meant to be `key`; `others` are keys of their own.
    pub(super) fn has_like(&self, key: &str, others: &[&str]) -> bool {
        let mut keys = self.table.keys().map(|key| key.get_ref().as_ref());
        keys.any(|written| !others.contains(&written) && suggest::closest(written, [key]).is_some())
    }

    /// A problem of this section.
    pub(super) fn problem(&mut self, at: Range<usize>, what: impl AsRef<str>, label: impl Into<String>) {
        let title = format!("{}: {}", self.title, what.as_ref());
        self.findings.list.push(Diagnostic::error(title).at(at, label));
    }

    /// A problem with the value of `key`.
    pub(super) fn value_problem(&mut self, key: &str, problem: Problem) {
        let Problem { at, predicate, label, help } = problem;
        let mut diagnostic = Diagnostic::error(format!("{}: `{key}`{predicate}", self.title)).at(at, label);
        diagnostic.helps.extend(help);
        self.findings.list.push(diagnostic);
    }

    /// How problems call this section.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Tells every key that nobody took.
    pub(super) fn finish(&mut self) {
        let (table, taken) = (self.table, std::mem::take(&mut self.taken));
        for key in table.keys().filter(|key| !taken.contains(&key.get_ref().as_ref())) {
            let pointer = format!("{}_file", key.get_ref());
            let label = match suggest::closest(key.get_ref(), taken.iter().copied()) {
                _ if taken.contains(&pointer.as_str()) => {
                    format!("secrets don't stand in this file: put it into one of its own and name that as `{pointer}`")
                }
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("no such key here; {}", self.findings.manual),
            };
            self.problem(key.span(), format!("unknown key `{}`", key.get_ref()), label);
        }
    }
}
