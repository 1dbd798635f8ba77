//! How a calibration's report looks: figures before and after, and the reliability plot.

use std::io::{self, Write};

use crate::calibration::{BINS, Report};
use crate::cli::print::{self, Table};

/// Figures in columns, one for each report.
pub(super) fn figures(
    out: &mut dyn Write,
    before: &Report,
    after: &Report,
    held_out: Option<&Report>,
) -> io::Result<()> {
    let mut table = Table::new(["", "before", "after", "held out"]);
    let mut row = |what: &str, figure: fn(&Report) -> Option<f64>| {
        let of = |report: &Report| figure(report).map_or("-".to_owned(), |value| format!("{value:.4}"));
        table.row([what.into(), of(before).into(), of(after).into(), held_out.map_or("-".to_owned(), of).into()]);
    };
    row("accuracy", Report::accuracy);
    row("precision", Report::precision);
    row("recall", Report::recall);
    row("ECE", Report::ece);
    table.print(out, print::colour_on_stdout())
}

/// As many columns as the plot has for the shares from 0 to 1.
const WIDTH: usize = 40;

/// A line for each bin with answers: how sure the model was (`|`), and the share that was a yes (`o`; both: `X`). A
/// calibrated model has them in the same column.
pub(super) fn plot(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    writeln!(out, "confidence    answers   0{:^1$}1", "share of yes: o, said: |", WIDTH - 1)?;
    for (index, bin) in report.bins.iter().enumerate() {
        let (Some(said), Some(was)) = (bin.said(), bin.was()) else { continue };
        let column = |share: f64| (share * WIDTH as f64).round() as usize;
        let mut line = vec![' '; WIDTH + 1];
        line[column(said)] = '|';
        line[column(was)] = if column(said) == column(was) { 'X' } else { 'o' };
        let line: String = line.into_iter().collect();
        let edge = |index: usize| index as f64 / BINS as f64;
        writeln!(out, "{:.2} to {:.2}  {:>7}   {}", edge(index), edge(index + 1), bin.count, line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::{Said, Sample};
    use crate::config::Calibration;

    #[test]
    fn the_plot_shows_what_was_said_and_what_was() {
        let plain = Calibration { temperature: 1.0, bias: 0.0 };
        let sample = |z: f64, truth| Sample { said: Said::Score(z), truth };
        let samples =
            [sample(2.0, true), sample(2.0, true), sample(2.0, false), sample(-4.0, false), sample(0.0, true)];
        let mut out = Vec::new();
        plot(&mut out, &Report::new(&samples, plain, 0.5)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\
confidence    answers   0       share of yes: o, said: |        1
0.00 to 0.07        1   o|
0.47 to 0.53        1                       |                   o
0.87 to 0.93        3                              o       |
"
        );
    }
}
