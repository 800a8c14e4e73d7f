//! Draws the rows of a run as bars, in one SVG file.

use std::fmt::Write as _;

/// Rows under one title.
pub struct Group {
    pub title: String,
    pub rows: Vec<Row>,
}

/// One measured value.
pub struct Row {
    pub name: String,
    pub value: f64,
    pub unit: String,
    /// The ratio to a row of the same run, and what that row measures.
    pub ratio: Option<(f64, String)>,
}

const WIDTH: usize = 860;
const LINE: usize = 18;
/// The left edge of the bars, and the length of the longest.
const BAR: (usize, usize) = (360, 240);

/// Returns the chart as SVG. Within a group, bars of the same unit have the same scale.
pub fn draw(groups: &[Group]) -> String {
    let mut body = String::new();
    let mut y = 10;
    for group in groups.iter().filter(|group| !group.rows.is_empty()) {
        y += 2 * LINE;
        text(&mut body, 16, y, "t", &group.title);
        for row in &group.rows {
            y += LINE;
            let same = group.rows.iter().filter(|other| other.unit == row.unit);
            let most = same.map(|row| row.value).fold(0.0, f64::max);
            let share = if row.value > 0.0 {
                row.value / most
            } else {
                0.0
            };
            let length = (share * BAR.1 as f64).clamp(1.0, BAR.1 as f64);
            text(&mut body, 28, y, "n", &row.name);
            let (x, top) = (BAR.0, y - LINE + 7);
            write!(
                body,
                r#"<rect x="{x}" y="{top}" width="{length:.1}" height="12"/>"#
            )
            .expect("a string");
            let ratio = match &row.ratio {
                Some((ratio, base)) => format!(" ({ratio:.3} x {base})"),
                None => String::new(),
            };
            let value = format!("{:.2} {}{ratio}", row.value, row.unit);
            text(&mut body, BAR.0 + length as usize + 8, y, "v", &value);
        }
    }
    let height = y + LINE;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">
<style>.t{{font-weight:bold;font-size:14px}}.v{{fill:#555}}rect{{fill:#4078c0}}</style>
<rect width="{WIDTH}" height="{height}" style="fill:#fff"/>
{body}</svg>
"##
    )
}

fn text(body: &mut String, x: usize, y: usize, class: &str, text: &str) {
    let text = text
        .trim()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        body,
        r#"<text x="{x}" y="{y}" class="{class}">{text}</text>"#
    )
    .expect("a string");
}
