//! The first page of `stakeout --help`: commands in groups.
//!
//! Owns which command belongs to which group, and in which order they are shown; refuses to know what they do.

use clap::Command;
use clap::builder::StyledStr;

/// Titles with their commands.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Set up", &["init", "check", "doctor", "config", "keygen"]),
    ("Run and watch", &["run", "status", "events", "deliveries", "jobs", "clips", "snapshot"]),
    ("Change and repair", &["monitor", "endpoint", "dlq"]),
    ("Try out", &["replay", "test", "ask", "models", "verify"]),
    ("Shells and manuals", &["completions", "man"]),
];

/// For commands that nobody has put into a group.
const OTHERS: &str = "More";

/// A title and its commands.
pub(super) type Group<'c> = (&'static str, Vec<&'c Command>);

/// The commands of `root` in their groups, in order; groups without any are left out.
pub(super) fn groups(root: &Command) -> Vec<Group<'_>> {
    let shown = || root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    let find = |name: &&str| shown().find(|command| command.get_name() == *name);
    let grouped = GROUPS.iter().map(|(title, names)| (*title, names.iter().filter_map(find).collect()));
    let is_grouped = |command: &&Command| GROUPS.iter().any(|(_, names)| names.contains(&command.get_name()));
    let others = (OTHERS, shown().filter(|command| !is_grouped(command)).collect());
    grouped.chain([others]).filter(|(_, commands): &Group<'_>| !commands.is_empty()).collect()
}

/// `root` with a help that shows its commands in groups.
pub(super) fn grouped(root: Command) -> Command {
    let header = *root.get_styles().get_header();
    let literal = *root.get_styles().get_literal();
    let mut listed = String::new();
    for (title, commands) in groups(&root) {
        listed.push_str(&format!("\n\n{header}{title}:{header:#}"));
        for command in commands {
            let about = command.get_about().map(StyledStr::to_string).unwrap_or_default();
            listed.push_str(&format!("\n  {literal}{:<13}{literal:#}{about}", command.get_name()));
        }
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}{listed}\n\n{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    root.help_template(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_a_group() {
        let root = crate::cli::command();
        let groups = groups(&root);
        let left: Vec<_> = groups.iter().filter(|(title, _)| *title == OTHERS).flat_map(|(_, left)| left).collect();
        assert!(left.is_empty(), "put it into GROUPS: {left:?}");
        let shown: usize = groups.iter().map(|(_, commands)| commands.len()).sum();
        assert_eq!(shown, root.get_subcommands().count(), "none twice");
    }

    /// It asks for what is left out.
    const ASKS: &str = " stakeout init";

    /// Words by which a value that is left out explains itself: it chooses, adds, or belongs to something else.
    const SELF_EXPLAINING: [&str; 7] =
        ["Only ", " only", "Any of ", "Another ", "several times", "instead of", "needed for"];

    fn each(command: &Command, path: &str, look: &mut dyn FnMut(&str, &clap::Arg)) {
        let path = format!("{path} {}", command.get_name());
        command.get_arguments().for_each(|argument| look(&path, argument));
        command.get_subcommands().for_each(|inner| each(inner, &path, look));
    }

    #[test]
    fn every_option_says_what_it_is_and_what_holds_without_it() {
        let mut looked = 0;
        each(&crate::cli::command(), "", &mut |path, argument| {
            looked += 1;
            let help = argument.get_help().map(StyledStr::to_string).unwrap_or_default();
            let at = format!("{path} {}: `{help}`", argument.get_id());
            assert!(help.starts_with(char::is_uppercase) && !help.ends_with('.'), "{at}");
            let takes_value = argument.get_action().takes_values() && !argument.is_positional();
            let has_default = !argument.get_default_values().is_empty() || help.contains("[default: ");
            let explained = has_default || path == ASKS || SELF_EXPLAINING.iter().any(|words| help.contains(words));
            assert!(!takes_value || argument.is_required_set() || explained, "{at}: what holds without it?");
        });
        assert!(looked > 60, "{looked}");
    }

    /// The narrowest terminal that anybody has.
    #[test]
    fn no_line_of_it_is_wider_than_80_columns() {
        let help = crate::cli::command().render_help().to_string();
        let listed = help.lines().skip_while(|line| !line.starts_with("Usage: "));
        for line in listed.take_while(|line| !line.starts_with("Options:")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(help.contains("\nRun and watch:\n  run          Run the daemon\n"), "{help}");
    }
}
