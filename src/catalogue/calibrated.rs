//! A manifest's text with another `[calibration]`: everything else, comments too, stays as it was written.
//!
//! Owns that one edit; refuses to know how the numbers came about.

use crate::config::Calibration;

/// The text of a `[calibration]` section; each line of `notes` becomes a comment.
pub fn calibration_section(calibration: Calibration, notes: &[String]) -> String {
    let notes: String = notes.iter().map(|note| format!("# {note}\n")).collect();
    format!("[calibration]\n{notes}{}", values(calibration))
}

fn values(Calibration { temperature, bias }: Calibration) -> String {
    // As floats even when they are whole.
    format!("temperature = {temperature:?}\nbias = {bias:?}\n")
}

/// `manifest` with this calibration. The section keeps its comments but those that an earlier call wrote (they begin with
/// `# fitted`), and gets `notes`.
pub fn with_calibration(manifest: &str, calibration: Calibration, notes: &[String]) -> String {
    let lines: Vec<&str> = manifest.lines().collect();
    let is_header = |line: &&str| line.trim_start().starts_with('[');
    let Some(start) = lines.iter().position(|line| is_section(line)) else {
        let gap = if manifest.ends_with("\n\n") || manifest.is_empty() { "" } else { "\n" };
        let end = if manifest.ends_with('\n') || manifest.is_empty() { "" } else { "\n" };
        return format!("{manifest}{end}{gap}{}", calibration_section(calibration, notes));
    };
    let end = lines[start + 1..].iter().position(is_header).map_or(lines.len(), |next| start + 1 + next);
    // A comment right above the next section is about that one.
    let body_end =
        end - lines[start + 1..end].iter().rev().take_while(|line| end < lines.len() && is_remark(line)).count();
    let kept =
        lines[start + 1..body_end].iter().filter(|line| is_remark(line) && !line.trim().is_empty() && !is_old(line));
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    lines[..=start].iter().for_each(|line| add(line));
    kept.for_each(|line| add(line));
    notes.iter().for_each(|note| add(&format!("# {note}")));
    add(values(calibration).trim_end());
    lines[body_end..].iter().for_each(|line| add(line));
    text
}

fn is_section(line: &str) -> bool {
    line.split('#').next().is_some_and(|line| line.trim() == "[calibration]")
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn is_old(line: &str) -> bool {
    line.trim_start().starts_with("# fitted")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Calibration = Calibration { temperature: 1.5, bias: -0.25 };

    fn notes() -> Vec<String> {
        vec!["fitted to 40 answers".to_owned()]
    }

    #[test]
    fn the_section_at_the_end_is_replaced_and_its_comments_stay() {
        let text = "# mine\nname = \"x\" # yes\n\n# why\n[calibration] # here\n# by hand\n# fitted to 3 answers\ntemperature = 2\nbias = 1 # old\n";
        assert_eq!(
            with_calibration(text, NEW, &notes()),
            "# mine\nname = \"x\" # yes\n\n# why\n[calibration] # here\n# by hand\n# fitted to 40 answers\ntemperature = 1.5\nbias = -0.25\n"
        );
    }

    #[test]
    fn sections_behind_it_stay_with_what_is_said_of_them() {
        let text = "[calibration]\nbias = 1.0\n\n# about the input\n[input]\nsize = [1, 1]\n";
        assert_eq!(
            with_calibration(text, NEW, &[]),
            "[calibration]\ntemperature = 1.5\nbias = -0.25\n\n# about the input\n[input]\nsize = [1, 1]\n"
        );
    }

    #[test]
    fn without_a_section_one_is_added() {
        for text in ["name = \"x\"", "name = \"x\"\n", "name = \"x\"\n\n"] {
            assert_eq!(
                with_calibration(text, NEW, &notes()),
                "name = \"x\"\n\n[calibration]\n# fitted to 40 answers\ntemperature = 1.5\nbias = -0.25\n"
            );
        }
    }

    #[test]
    fn the_same_edit_again_changes_nothing() {
        let once = with_calibration("[calibration]\n\n[input]\nx = 1\n", NEW, &notes());
        assert_eq!(with_calibration(&once, NEW, &notes()), once);
        let whole = Calibration { temperature: 2.0, bias: 0.0 };
        assert!(with_calibration("", whole, &[]).contains("temperature = 2.0\nbias = 0.0\n"));
    }
}
