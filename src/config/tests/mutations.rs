//! Whatever is done to a file: no panic, and no password in what is said about it.

use proptest::prelude::*;

use super::{manual_switched_on, parse};

/// Replaces, drops or inserts bytes, each at a fraction of the length.
fn mutated(source: &str, changes: &[(f64, u8, u8)]) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for &(place, what, byte) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = ((bytes.len() as f64 * place) as usize).min(bytes.len() - 1);
        match what % 4 {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, byte),
            _ => bytes.truncate(at.max(1)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn change() -> impl Strategy<Value = (f64, u8, u8)> {
    let telling = prop::sample::select(b"\"'[]{}=,.#\n\\ \t@:0aZ\xc3\xa4\xff".to_vec());
    (0.0..1.0, prop::sample::select(vec![0_u8, 0, 0, 1, 1, 1, 2, 2, 2, 3]), telling)
}

/// Both ways of rendering, whatever the outcome.
fn said(source: &str) -> String {
    let diagnostics = match parse(source, "stakeout.toml") {
        Ok(parsed) => parsed.diagnostics,
        Err(diagnostics) => diagnostics,
    };
    diagnostics.render(true) + &diagnostics.render(false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_it_panic(changes in prop::collection::vec(change(), 1..12)) {
        said(&mutated(&manual_switched_on(), &changes));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        said(&text);
    }

    #[test]
    fn passwords_are_never_quoted(
        before in prop::collection::vec(change(), 0..6),
        after in prop::collection::vec(change(), 0..6),
    ) {
        let url = "rtsp://viewer:hunter2@10.0.0.21/stream1";
        let source = manual_switched_on().replace("rtsp://10.0.0.21/stream1", url);
        let (start, end) = source.split_once(url).unwrap();
        let source = format!("{}{url}{}", mutated(start, &before), mutated(end, &after));
        prop_assert!(!said(&source).contains("hunter2"), "{}", said(&source));
    }
}
