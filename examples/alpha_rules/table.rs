//! What is printed and drawn: errors relative to the best α, by rule and family.

use crate::cases::{Case, Family};
use crate::plot::{Colour, Mark, Panel, Series, svg};
use fredholm::{Report, Status};
use std::fmt;

/// One solution.
struct Entry {
    family: Family,
    label: String,
    ratio: f64,
    refused: bool,
    /// The spread the rule reports over the error made.
    spread: Option<f64>,
}

pub(crate) struct Table {
    names: Vec<&'static str>,
    entries: Vec<Vec<Entry>>,
}

fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// The value below which the fraction `q` of sorted values lies.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

impl Table {
    pub(crate) fn new(names: Vec<&'static str>) -> Self {
        let entries = names.iter().map(|_| Vec::new()).collect();
        Table { names, entries }
    }

    pub(crate) fn add(&mut self, rule: usize, case: &Case, error: f64, best: f64, report: &Report) {
        let spread = report.maxent.as_ref().and_then(|m| m.spread);
        self.entries[rule].push(Entry {
            family: case.kind.family,
            label: case.kind.label(),
            ratio: error / best,
            refused: matches!(report.status, Status::NoAlpha { .. }),
            spread: spread.map(|s| s / error),
        });
    }

    /// Sorted ratios of what was not refused.
    fn ratios(&self, rule: usize, family: Option<Family>) -> Vec<f64> {
        let heard = self.entries[rule].iter().filter(|e| !e.refused);
        let mut ratios: Vec<f64> =
            heard.filter(|e| family.is_none_or(|f| e.family == f)).map(|e| e.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// The share of cases (sorted) below each ratio, for every rule.
    pub(crate) fn svg(&self) -> Result<String, Box<dyn std::error::Error>> {
        const COLOURS: [Colour; 5] =
            [Colour::Blue, Colour::Orange, Colour::Green, Colour::Purple, Colour::Grey];
        let curves: Vec<(Vec<f64>, Vec<f64>)> = (0..self.names.len())
            .map(|rule| {
                let ratios = self.ratios(rule, None);
                let share = |i: usize| (i as f64 + 0.5) / ratios.len() as f64;
                let logs = ratios.iter().map(|r| r.log10()).collect();
                (logs, (0..ratios.len()).map(share).collect())
            })
            .collect();
        let panels: Vec<Panel> = self
            .names
            .chunks(5)
            .zip(curves.chunks(5))
            .map(|(names, curves)| Panel {
                title: String::new(),
                x_label: "log10 (error / error at the best alpha)",
                y_label: "share of the cases",
                height: 340,
                from_zero: true,
                series: names
                    .iter()
                    .zip(curves)
                    .zip(COLOURS)
                    .map(|((&label, (x, y)), colour)| Series {
                        label,
                        x,
                        y,
                        errors: &[],
                        mark: Mark::Line,
                        colour,
                    })
                    .collect(),
            })
            .collect();
        svg(1100, &panels)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases = self.entries.first().map_or(0, Vec::len);
        writeln!(
            f,
            "L1 error over that at the best alpha of plain maximum entropy, {cases} cases"
        )?;
        writeln!(
            f,
            "{:26} {:>6} {:>6} {:>6} {:>7} {:>8} {:>4} {:>7} {:>7}  worst case",
            "rule", "mean", "median", "90 %", "99 %", "worst", "> 3", "refused", "spread"
        )?;
        for (rule, name) in self.names.iter().enumerate() {
            let ratios = self.ratios(rule, None);
            if ratios.is_empty() {
                writeln!(f, "{name:26} refused everywhere")?;
                continue;
            }
            let entries = &self.entries[rule];
            let mut spreads: Vec<f64> = entries.iter().filter_map(|e| e.spread).collect();
            spreads.sort_by(f64::total_cmp);
            let spread = if spreads.is_empty() { f64::NAN } else { quantile(&spreads, 0.5) };
            let heard = entries.iter().filter(|e| !e.refused);
            let worst = heard.max_by(|a, b| a.ratio.total_cmp(&b.ratio));
            writeln!(
                f,
                "{name:26} {:6.3} {:6.3} {:6.2} {:7.2} {:8.2} {:4} {:7} {spread:7.2}  {}",
                geometric_mean(&ratios),
                quantile(&ratios, 0.5),
                quantile(&ratios, 0.9),
                quantile(&ratios, 0.99),
                ratios[ratios.len() - 1],
                ratios.iter().filter(|&&r| r > 3.0).count(),
                entries.iter().filter(|e| e.refused).count(),
                worst.map_or("", |e| &e.label),
            )?;
        }
        write!(f, "\ngeometric mean / worst by family\n{:26}", "rule")?;
        for family in Family::ALL {
            write!(f, " {:>13}", family.name())?;
        }
        writeln!(f)?;
        for (rule, name) in self.names.iter().enumerate() {
            write!(f, "{name:26}")?;
            for family in Family::ALL {
                let ratios = self.ratios(rule, Some(family));
                match ratios.last() {
                    Some(worst) => {
                        write!(f, " {:>6.3} /{worst:5.1}", geometric_mean(&ratios))?;
                    }
                    None => write!(f, " {:>13}", "-")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
