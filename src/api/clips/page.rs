//! The page that plays a clip: in a phone's browser, without the internet.
//!
//! Owns its words and how it is put together; refuses to know where clips come from and who may see them. What it shows was
//! said by models and by whoever wrote the configuration: all of it is escaped. Pure.

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};

use super::super::refusal::Refusal;
use crate::time::Wall;
use crate::verdict::Region;

/// What it looks like.
pub(super) const STYLE: &str = include_str!("player.css");
/// What shows boxes at their moment.
pub(super) const SCRIPT: &str = include_str!("player.js");

/// The page may load what is on this box, and nothing else; nothing may frame it to catch clicks.
pub(super) const POLICY: &str = "default-src 'none'; media-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; \
                                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What kind of document it is.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// One clip.
pub(super) struct Page {
    /// Which camera.
    pub(super) camera: String,
    /// Which box.
    pub(super) device: String,
    /// When it begins.
    pub(super) began: Wall,
    /// How long it is; None: it is still being recorded.
    pub(super) duration: Option<Duration>,
    /// What opens the clip's files: `?expires=…&signature=…`.
    pub(super) query: String,
    /// What happened, in order.
    pub(super) moments: Vec<Moment>,
}

/// An event in a clip.
pub(super) struct Moment {
    /// From the clip's beginning.
    pub(super) at: Duration,
    /// When it was seen.
    pub(super) seen: Wall,
    /// Who watched.
    pub(super) monitor: String,
    /// For what.
    pub(super) condition: String,
    /// 0 to 1.
    pub(super) confidence: f32,
    /// In the model's words.
    pub(super) explanation: String,
    /// What was found where.
    pub(super) regions: Vec<Region>,
}

impl Page {
    /// As HTML.
    pub(super) fn html(&self) -> String {
        let title = self.moments.first().map_or_else(|| self.camera.clone(), |first| first.monitor.clone());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    (of_every_page())
                    title { (title) " — " (self.camera) }
                    script defer src="../player.js" {}
                }
                body {
                    header {
                        h1 { (title) }
                        p { (self.camera) " on " (self.device) ", " (self.began) @if let Some(duration) = self.duration { ", " (seconds(duration)) " s" } }
                    }
                    figure .stage {
                        video controls playsinline muted autoplay poster={ "thumbnail.jpg" (self.query) } {
                            // Phones take a file in fragments without complaint, and then play it badly: they are for the
                            // playlist. Whoever knows none goes on to the file.
                            source src={ "index.m3u8" (self.query) } type="application/vnd.apple.mpegurl";
                            source src={ "clip.mp4" (self.query) } type="video/mp4";
                        }
                        svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true" {
                            @for moment in &self.moments { (moment.boxes()) }
                        }
                    }
                    @if self.duration.is_none() {
                        p .note { "This is still being recorded: load the page again for what has come since." }
                    }
                    @for moment in &self.moments { (moment.words()) }
                    p .note { a href={ "clip.mp4" (self.query) } download { "Save the clip" } }
                }
            }
        };
        page.into_string()
    }
}

/// Why there is nothing to play, for whoever followed a link; where that may change soon, it looks again by itself.
pub(super) fn sorry(refusal: &Refusal) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (of_every_page())
                @if let Some(seconds) = refusal.again_s { meta http-equiv="refresh" content=(seconds); }
                title { (refusal.error) }
            }
            body {
                header {
                    h1 { (refusal.error) }
                    p { (refusal.hint) }
                }
            }
        }
    };
    page.into_string()
}

fn of_every_page() -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="referrer" content="no-referrer";
        meta name="robots" content="noindex";
        link rel="icon" href="data:,";
        link rel="stylesheet" href="../player.css";
    }
}

impl Moment {
    fn boxes(&self) -> Markup {
        html! {
            g data-at=(seconds(self.at)) hidden {
                @for Region { bounds: [left, top, right, bottom], .. } in &self.regions {
                    rect x=(left) y=(top) width=(right - left) height=(bottom - top) {}
                }
            }
        }
    }

    fn words(&self) -> Markup {
        html! {
            section {
                h2 {
                    button type="button" data-at=(seconds(self.at)) { (clock(self.at)) }
                    span { (self.monitor) }
                    span { (format!("{:.0} %", self.confidence * 100.0)) }
                }
                p .condition { (self.condition) }
                @if !self.explanation.is_empty() { p { (self.explanation) } }
                p { "Seen " (self.seen) }
            }
        }
    }
}

fn seconds(at: Duration) -> String {
    format!("{:.1}", at.as_secs_f64())
}

/// `1:05`
fn clock(at: Duration) -> String {
    format!("{}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(explanation: &str) -> String {
        let moment = Moment {
            at: Duration::from_millis(65_240),
            seen: Wall(1_769_423_700_120),
            monitor: "person-in-zone".to_owned(),
            condition: "Is a person inside the zone marked with \"yellow\" tape?".to_owned(),
            confidence: 0.914,
            explanation: explanation.to_owned(),
            regions: vec![Region { label: "person".to_owned(), score: 0.9, bounds: [0.25, 0.5, 0.75, 1.0] }],
        };
        let page = Page {
            camera: "dock".to_owned(),
            device: "box-1".to_owned(),
            began: Wall(1_769_423_695_120),
            duration: Some(Duration::from_millis(80_000)),
            query: "?expires=1&signature=x".to_owned(),
            moments: vec![moment],
        };
        page.html()
    }

    #[test]
    fn all_that_a_receiver_wants_to_know_is_on_it() {
        let html = page("A person is inside.");
        for part in [
            "<title>person-in-zone — dock</title>",
            "A person is inside.",
            "91 %",
            ">1:05</button>",
            "data-at=\"65.2\"",
            "<rect x=\"0.25\" y=\"0.5\" width=\"0.5\" height=\"0.5\">",
            "<source src=\"index.m3u8?expires=1&amp;signature=x\" type=\"application/vnd.apple.mpegurl\">\
             <source src=\"clip.mp4?expires=1&amp;signature=x\" type=\"video/mp4\">",
            "zone marked with &quot;yellow&quot; tape?",
            "2026-01-26T10:35:00.120Z",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("//cdn"), "{html}");
        assert!(!html.contains("still being recorded"));
    }

    #[test]
    fn what_a_model_says_is_no_markup() {
        let html = page("<img src=x onerror=alert(1)></section><script>alert(2)</script>");
        assert!(!html.contains("<img") && !html.contains("<script>alert"), "{html}");
        assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"), "{html}");
    }

    #[test]
    fn whoever_finds_nothing_reads_why_and_looks_again_where_that_helps() {
        let refusal = Refusal::not_found("nothing of `<b>` is recorded yet", "try again in a moment");
        let html = sorry(&refusal.clone().again_in(2));
        assert!(html.contains("<meta http-equiv=\"refresh\" content=\"2\">"), "{html}");
        assert!(html.contains("<h1>nothing of `&lt;b&gt;` is recorded yet</h1><p>try again in a moment</p>"), "{html}");
        assert!(!sorry(&refusal).contains("refresh"));
    }
}
