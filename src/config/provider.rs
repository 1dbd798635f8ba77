//! `[runtime] execution_providers`: what inference may run on.
//!
//! Owns the providers' names and which lists of them make sense; refuses to know what a library offers (`model`).

use std::fmt;

use super::value::{self, Problem, Read, Value};

/// What ONNX Runtime can hand a graph to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// NVIDIA GPUs, by an engine that is built for the graph when it is loaded (that takes minutes).
    TensorRt,
    /// NVIDIA GPUs.
    Cuda,
    /// Intel CPUs, GPUs and NPUs.
    OpenVino,
    /// Any CPU.
    Cpu,
}

impl Provider {
    /// Every provider there is.
    pub const ALL: [Provider; 4] = [Provider::TensorRt, Provider::Cuda, Provider::OpenVino, Provider::Cpu];

    /// As in the file and in `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::TensorRt => "tensorrt",
            Provider::Cuda => "cuda",
            Provider::OpenVino => "openvino",
            Provider::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What inference may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Providers {
    /// The quickest that works on this machine.
    Auto,
    /// These, the first that can do it for each part of a graph; all of them must work.
    Named(Vec<Provider>),
}

/// Reads the list.
pub(super) fn read(value: &Value<'_>) -> Read<Providers> {
    const WORDS: [(&str, Option<Provider>); 5] = [
        ("auto", None),
        ("cuda", Some(Provider::Cuda)),
        ("tensorrt", Some(Provider::TensorRt)),
        ("openvino", Some(Provider::OpenVino)),
        ("cpu", Some(Provider::Cpu)),
    ];
    let one = |value: &Value<'_>| Ok((value::choice(&WORDS, &[])(value)?, value.span()));
    let words = value::list_of(one, "[\"auto\"]")(value)?;
    if let [(None, _)] = words.as_slice() {
        return Ok(Providers::Auto);
    }
    if words.is_empty() {
        return Err(Problem::new(value.span(), " names nothing to run on", "use `[\"auto\"]`").into());
    }
    let mut named: Vec<Provider> = Vec::new();
    for (word, at) in words {
        let problem = |predicate: &str, label: &str| Err(Problem::new(at, predicate, label).into());
        match word {
            None => return problem(": `auto` stands alone", "leave the others out, or this one"),
            Some(provider) if named.contains(&provider) => return problem(" names it twice", "leave this one out"),
            Some(_) if named.contains(&Provider::Cpu) => {
                return problem(": nothing is left for what follows `cpu`", "put it before `cpu`, or leave it out");
            }
            Some(provider) => named.push(provider),
        }
    }
    Ok(Providers::Named(named))
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    #[test]
    fn lists_that_make_sense() {
        let read = |list: &str| {
            let value = DeValue::parse(list).unwrap();
            read(&value).map_err(|problems| format!("key{} ({})", problems[0].predicate, problems[0].label))
        };
        use Provider::{Cpu, Cuda, OpenVino, TensorRt};
        assert_eq!(read("[\"auto\"]"), Ok(Providers::Auto));
        assert_eq!(read("[\"cpu\"]"), Ok(Providers::Named(vec![Cpu])));
        assert_eq!(read("[\"tensorrt\", \"cuda\", \"cpu\"]"), Ok(Providers::Named(vec![TensorRt, Cuda, Cpu])));
        assert_eq!(read("[\"openvino\"]"), Ok(Providers::Named(vec![OpenVino])));
        let wrong = |list: &str| read(list).unwrap_err();
        assert_eq!(wrong("[]"), "key names nothing to run on (use `[\"auto\"]`)");
        assert_eq!(wrong("[\"auto\", \"cpu\"]"), "key: `auto` stands alone (leave the others out, or this one)");
        assert_eq!(wrong("[\"cuda\", \"auto\"]"), "key: `auto` stands alone (leave the others out, or this one)");
        assert_eq!(wrong("[\"cuda\", \"cuda\"]"), "key names it twice (leave this one out)");
        assert_eq!(
            wrong("[\"cpu\", \"cuda\"]"),
            "key: nothing is left for what follows `cpu` (put it before `cpu`, or leave it out)"
        );
        assert_eq!(wrong("[\"cuba\"]"), "key can't be `cuba` (did you mean `cuda`?)");
        assert_eq!(wrong("\"cpu\""), "key must be a list, not a string (for example `[\"auto\"]`)");
    }
}
