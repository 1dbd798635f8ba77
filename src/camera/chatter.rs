//! What GStreamer and GLib say, which may be anything, passwords included.
//!
//! Owns that it is said without secrets: GStreamer's own writer is taken away and this one put in its place, before its
//! start. Refuses to decide what is said (an operator does, with `GST_DEBUG`; nothing, otherwise). Runs on whichever thread
//! says something, also GStreamer's streaming threads: there is no other way to see these lines. It waits for stderr only,
//! as GStreamer's own writer does.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Once;

use gstreamer as gst;
use gstreamer::glib::{self, LogLevel, LogWriterOutput};

use crate::redact::redacted;
use crate::time;

/// From now on both speak through us. Once, before GStreamer's start; further calls do nothing.
pub(super) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::log::remove_default_log_function();
        gst::log::add_log_function(|category, level, file, function, line, object, message| {
            let Some(message) = message.get() else { return };
            let object = object.map(|object| format!("<{object}>")).unwrap_or_default();
            let source = file.rsplit('/').next().unwrap_or_default();
            let (level, category) = (level.name().trim_end(), category.name());
            say(format_args!("{level} {category} {source}:{line}:{function}:{object} {message}"));
        });
        glib::set_print_handler(|text| say(format_args!("{text}")));
        glib::set_printerr_handler(|text| say(format_args!("{text}")));
        glib::log_set_writer_func(|level, fields| {
            let field = |key: &str| fields.iter().find(|field| field.key() == key)?.value_str();
            let (domain, message) = (field("GLIB_DOMAIN").unwrap_or("GLib"), field("MESSAGE").unwrap_or_default());
            tell(level, domain, message);
            LogWriterOutput::Handled
        });
    });
}

/// GStreamer's lines are many and wanted by whoever asked for them: to stderr, whatever `[log]` says.
fn say(text: std::fmt::Arguments<'_>) {
    let mut line = String::with_capacity(256);
    // Neither fails, but where stderr is closed: then there is nobody left to tell.
    let _ = writeln!(line, "{} {text}", time::now().wall);
    let _ = io::stderr().lock().write_all(redacted(&line).as_bytes());
}

/// GLib's are few, and tell of a bug or of the system: to the log, which has no secrets.
fn tell(level: LogLevel, domain: &str, message: &str) {
    match level {
        LogLevel::Error | LogLevel::Critical => tracing::error!(target: "glib", "{domain}: {message}"),
        LogLevel::Warning => tracing::warn!(target: "glib", "{domain}: {message}"),
        LogLevel::Message | LogLevel::Info => tracing::info!(target: "glib", "{domain}: {message}"),
        LogLevel::Debug => tracing::debug!(target: "glib", "{domain}: {message}"),
    }
}
