//! Figures of stacked panels, drawn to the text of an SVG file.
#![allow(dead_code)] // not every program uses every mark and colour

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

const FONT: &str = "DejaVu Sans, Helvetica, Arial, sans-serif";
const INK: RGBColor = RGBColor(40, 40, 40);
const FRAME: RGBColor = RGBColor(120, 120, 120);
const GRID: RGBColor = RGBColor(232, 232, 232);
const TITLE_SIZE: u32 = 18;
const LABEL_SIZE: u32 = 16;
/// The backend rounds to whole pixels: figures are drawn this many times larger and shown smaller.
const FINE: u32 = 8;

/// Empty space right of the axes.
const RIGHT: u32 = 22;

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    /// A strong line.
    Line,
    /// A thin line for what is compared with.
    Thin,
    /// Points, with error bars if there are errors.
    Points,
    /// The area between the values and zero.
    Area,
}

/// Colours that colour-blind readers and grey printers can tell apart (Okabe and Ito).
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Blue,
    Orange,
    Green,
    Purple,
    Gold,
    Grey,
}

impl Colour {
    fn rgb(self) -> RGBColor {
        match self {
            Colour::Blue => RGBColor(0, 96, 164),
            Colour::Orange => RGBColor(213, 94, 0),
            Colour::Green => RGBColor(0, 148, 108),
            Colour::Purple => RGBColor(180, 90, 150),
            Colour::Gold => RGBColor(210, 150, 0),
            Colour::Grey => RGBColor(125, 125, 125),
        }
    }
}

/// One set of values in a panel.
pub(crate) struct Series<'a> {
    /// Name in the legend; empty for none.
    pub(crate) label: &'a str,
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
    /// Error bars of `y`, or empty.
    pub(crate) errors: &'a [f64],
    pub(crate) mark: Mark,
    pub(crate) colour: Colour,
}

/// A pair of axes and what is drawn in it.
pub(crate) struct Panel<'a> {
    pub(crate) title: String,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    /// Height in pixels, labels included.
    pub(crate) height: u32,
    /// Whether the vertical axis begins at zero (or below, where values are negative).
    pub(crate) from_zero: bool,
    pub(crate) series: Vec<Series<'a>>,
}

/// Draws `panels` below one another, `width` pixels wide, and returns the SVG.
pub(crate) fn svg(width: u32, panels: &[Panel]) -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    let height: u32 = panels.iter().map(|p| p.height).sum();
    let size = (FINE * width, FINE * height);
    {
        let mut rest = SVGBackend::with_string(&mut text, size).into_drawing_area();
        rest.fill(&WHITE)?;
        for panel in panels {
            let (area, below) = rest.split_vertically(FINE * panel.height);
            draw(panel, &area).map_err(|e| e.to_string())?;
            rest = below;
        }
        rest.present()?;
    }
    // The view box keeps the fine coordinates.
    let outer = |w: u32, h: u32| format!("width=\"{w}\" height=\"{h}\"");
    Ok(text.replacen(&outer(size.0, size.1), &outer(width, height), 1))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(panel: &Panel, area: &Area<'a>) -> Drawn<'a> {
    const EDGE: u32 = 10;
    const LEFT: u32 = 70;
    const TOP: u32 = 40;
    heading(panel, area, (EDGE + LEFT) as i32, TOP as i32 / 2)?;
    let all = || panel.series.iter();
    let x = span(all().flat_map(|s| s.x.iter().copied()), 0.0);
    let ends = all().flat_map(|s| {
        let error = |i: usize| s.errors.get(i).copied().unwrap_or(0.0);
        s.y.iter().enumerate().flat_map(move |(i, &y)| [y - error(i), y + error(i)])
    });
    let zero = panel.from_zero.then_some(0.0);
    let mut y = span(ends.chain(zero), 0.06);
    if panel.from_zero && all().all(|s| s.y.iter().all(|&v| v >= 0.0)) {
        y.start = 0.0;
    }
    let mut chart = ChartBuilder::on(area)
        .margin_top(FINE * TOP)
        .margin_right(FINE * RIGHT)
        .margin_bottom(FINE * 6)
        .margin_left(FINE * EDGE)
        .set_label_area_size(LabelAreaPosition::Left, FINE * LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, FINE * 46)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let text = (FONT, FINE * LABEL_SIZE).into_font().color(&INK);
    let (x_step, y_step) = (tick_step(&x, 10.0), tick_step(&y, f64::from(panel.height) / 45.0));
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(FINE))
        .axis_style(FRAME.stroke_width(FINE))
        .set_all_tick_mark_size(FINE * 4)
        .x_labels(((x.end - x.start) / x_step) as usize + 1)
        .y_labels(((y.end - y.start) / y_step) as usize + 1)
        .x_label_formatter(&|v| tick_label(*v, x_step))
        .y_label_formatter(&|v| tick_label(*v, y_step))
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_desc(panel.x_label)
        .y_desc(panel.y_label)
        .draw()?;
    // Lines last, so that they stay visible among many points.
    for mark in [Mark::Area, Mark::Points, Mark::Thin, Mark::Line] {
        for series in all().filter(|s| s.mark == mark) {
            let colour = series.colour.rgb();
            let points = || {
                let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
                series.x.iter().copied().zip(series.y.iter().copied()).filter(finite)
            };
            match mark {
                Mark::Area => {
                    chart.draw_series(AreaSeries::new(points(), 0.0, colour.mix(0.25)))?;
                }
                Mark::Line | Mark::Thin => {
                    chart.draw_series(LineSeries::new(points(), line_style(mark, colour)))?;
                }
                Mark::Points => {
                    let bars = points().zip(series.errors);
                    chart.draw_series(bars.map(|((x, y), e)| {
                        PathElement::new(
                            [(x, y - e), (x, y + e)],
                            colour.mix(0.45).stroke_width(FINE),
                        )
                    }))?;
                    let radius = if series.x.len() > 120 { 3 * FINE / 2 } else { 5 * FINE / 2 };
                    chart.draw_series(points().map(|p| Circle::new(p, radius, colour.filled())))?;
                }
            }
        }
    }
    Ok(())
}

fn line_style(mark: Mark, colour: RGBColor) -> ShapeStyle {
    colour.stroke_width(if mark == Mark::Line { 2 * FINE } else { 5 * FINE / 4 })
}

/// The title on the left and the legend on the right, above the axes.
fn heading<'a>(panel: &Panel, area: &Area<'a>, left: i32, middle: i32) -> Drawn<'a> {
    let fine = |x: i32| x * FINE as i32;
    let anchor = |h| Pos::new(h, VPos::Center);
    let title = (FONT, FINE * TITLE_SIZE).into_font().color(&INK).pos(anchor(HPos::Left));
    area.draw(&Text::new(panel.title.as_str(), (fine(left), fine(middle)), title))?;
    let label = (FONT, FINE * LABEL_SIZE).into_font().color(&INK).pos(anchor(HPos::Right));
    let mut right = area.dim_in_pixel().0 as i32 / FINE as i32 - RIGHT as i32;
    for series in panel.series.iter().rev().filter(|s| !s.label.is_empty()) {
        area.draw(&Text::new(series.label, (fine(right), fine(middle)), label.clone()))?;
        // The backend knows no font: half of its size is a generous mean width.
        right -= (series.label.chars().count() as f64 * 0.5 * f64::from(LABEL_SIZE)) as i32 + 8;
        let colour = series.colour.rgb();
        if series.mark == Mark::Points {
            let point = (fine(right - 4), fine(middle));
            area.draw(&Circle::new(point, 3 * FINE, colour.filled()))?;
            right -= 26;
        } else if series.mark == Mark::Area {
            let corners = [(right - 26, middle - 5), (right, middle + 5)];
            let key = corners.map(|(x, y)| (fine(x), fine(y)));
            area.draw(&Rectangle::new(key, colour.mix(0.25).filled()))?;
            right -= 44;
        } else {
            let key = [(fine(right - 26), fine(middle)), (fine(right), fine(middle))];
            area.draw(&PathElement::new(key, line_style(series.mark, colour)))?;
            right -= 44;
        }
    }
    Ok(())
}

/// The range of finite values, widened by a fraction on both sides; never empty.
fn span(values: impl Iterator<Item = f64>, widen: f64) -> Range<f64> {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let margin = widen * (high - low);
    let least = 1e-9 * low.abs().max(high.abs()).max(1e-100);
    let margin = if high - low > least { margin } else { 1e6 * least };
    low - margin..high + margin
}

/// Distance of ticks, 1, 2 or 5 times a power of ten, for about `count` of them.
fn tick_step(range: &Range<f64>, count: f64) -> f64 {
    let raw = (range.end - range.start) / count;
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= raw).unwrap_or(10.0);
    factor * power
}

/// A tick's label with the digits the distance of ticks needs.
fn tick_label(value: f64, step: f64) -> String {
    let value = if value.abs() < 1e-6 * step { 0.0 } else { value };
    if (1e-4..1e5).contains(&step) {
        format!("{value:.*}", (-step.log10().floor()).max(0.0) as usize)
    } else {
        format!("{value:.1e}")
    }
}
