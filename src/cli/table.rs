//! Formats text for people: tables, and pairs of labels and values.

use console::{measure_text_width, truncate_str};
use jiff::Timestamp;

use super::screen::{Stream, ellipsis};

/// Space between two columns of a table.
const GAP: &str = "  ";
/// Prose is never cut to fewer columns than this.
const LEAST_PROSE: usize = 16;

/// One field of a table.
///
/// On a narrow terminal prose is cut first, then lists, between names. Text that
/// people copy is never cut or wrapped, even if lines become longer than the
/// terminal. Into a pipe everything is written in full.
pub enum Cell {
    /// Text that people copy: an id, a URI, a digest, a number.
    Whole(String),
    /// Sentences.
    Prose(String),
    /// Names; the first one is always shown.
    Names(Vec<String>),
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::Whole(text.into())
    }
}

impl Cell {
    pub fn prose(text: impl Into<String>) -> Self {
        Cell::Prose(text.into())
    }

    /// The text in at most `width` columns, if possible.
    fn fit(&self, width: usize) -> String {
        match self {
            Cell::Whole(text) => one_line(text),
            Cell::Prose(text) => truncate_str(&one_line(text), width, ellipsis()).into_owned(),
            Cell::Names(names) => (1..=names.len())
                .rev()
                .map(|shown| some_of(names, shown))
                .find(|text| measure_text_width(text) <= width)
                .unwrap_or_else(|| some_of(names, 1)),
        }
    }

    fn most(&self) -> usize {
        measure_text_width(&self.fit(usize::MAX))
    }

    fn least(&self) -> usize {
        match self {
            Cell::Whole(_) => self.most(),
            Cell::Prose(_) => self.most().min(LEAST_PROSE),
            Cell::Names(_) => measure_text_width(&self.fit(0)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ")
}

/// The first names, and how many more there are.
fn some_of(names: &[String], shown: usize) -> String {
    if names.is_empty() {
        return "-".into();
    }
    let text = names[..shown.min(names.len())].join(", ");
    match names.len().saturating_sub(shown) {
        0 => text,
        more => format!("{text}, +{more}"),
    }
}

/// A table of aligned columns under a header, one line per row.
pub fn grid(header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    lay_out(header, &rows, Stream::Stdout.width())
}

fn lay_out(header: &[&str], rows: &[Vec<Cell>], terminal: Option<usize>) -> String {
    let widths = widths(header, rows, terminal);
    let header: Vec<String> = header.iter().map(|title| (*title).to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths);
        cells
            .map(|(cell, width)| cell.fit(*width))
            .collect::<Vec<_>>()
    });
    let lines = std::iter::once(header).chain(rows);
    let lines: Vec<String> = lines.map(|row| joined(&row, &widths)).collect();
    lines.join("\n")
}

fn joined(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (text, width) in row.iter().zip(widths) {
        line.push_str(text);
        let missing = width.saturating_sub(measure_text_width(text));
        line.extend(std::iter::repeat_n(' ', missing));
        line.push_str(GAP);
    }
    line.truncate(line.trim_end().len());
    line
}

/// The width of each column, narrowed until all fit the terminal.
fn widths(header: &[&str], rows: &[Vec<Cell>], terminal: Option<usize>) -> Vec<usize> {
    let column = |index: usize, of: fn(&Cell) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(of);
        let title = measure_text_width(header[index]);
        cells.max().unwrap_or_default().max(title)
    };
    let is_prose = |index: usize| {
        rows.iter()
            .any(|row| matches!(row.get(index), Some(Cell::Prose(_))))
    };
    let columns = 0..header.len();
    let mut widths: Vec<usize> = columns.clone().map(|at| column(at, Cell::most)).collect();
    let Some(terminal) = terminal else {
        return widths;
    };
    let gaps = GAP.len() * header.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(terminal);
    let (prose, others): (Vec<usize>, Vec<usize>) = columns.partition(|at| is_prose(*at));
    for at in prose.into_iter().rev().chain(others) {
        let narrowed = widths[at]
            .saturating_sub(excess)
            .max(column(at, Cell::least));
        excess -= widths[at] - narrowed.min(widths[at]);
        widths[at] = narrowed.min(widths[at]);
    }
    widths
}

/// Pairs of a label and a value, one pair per line.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let labels = pairs.iter().map(|(label, _)| label.len());
    let width = labels.max().unwrap_or(0);
    let mut text = String::new();
    for (label, value) in pairs {
        let value = value.replace('\n', &format!("\n{:1$}", "", width + 2));
        text.push_str(&format!("{label:width$}  {value}\n"));
    }
    text.truncate(text.trim_end().len());
    text
}

/// A list, one item per line; a dash if it is empty.
pub fn listed(items: &[String]) -> String {
    if items.is_empty() {
        "-".into()
    } else {
        items.join("\n")
    }
}

/// The size in the largest binary unit in which it is at least 1.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A time in UTC, to the minute.
pub fn time(at: Timestamp) -> String {
    at.strftime("%F %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(terminal: Option<usize>) -> String {
        let uri = "oci://ghcr.io/acme/some-component:latest";
        let names = ["count-the-words", "find", "replace"].map(str::to_owned);
        let prose = "Counts, finds and replaces the words of a text";
        let row = vec![
            uri.into(),
            Cell::Names(names.into()),
            Cell::prose(prose),
            "1".into(),
        ];
        lay_out(&["URI", "TOOLS", "DESCRIPTION", "N"], &[row], terminal)
    }

    #[test]
    fn into_a_pipe_everything_is_whole() {
        let lines = table(None);
        assert!(lines.starts_with("URI   ") && !lines.contains(['…', '|']));
        assert!(lines.ends_with(
            "  count-the-words, find, replace  Counts, finds and replaces the words of a text  1"
        ));
    }

    #[test]
    fn prose_is_cut_first_then_names_and_uris_never() {
        let line = |width| table(Some(width)).lines().nth(1).unwrap().to_owned();
        for width in 20..=200 {
            let line = line(width);
            assert!(line.contains("oci://ghcr.io/acme/some-component:latest"));
            assert!(line.contains("count-the-words") && line.ends_with('1'));
            let fits = measure_text_width(&line) <= width;
            assert!(fits || width < 88, "{width}: {line}");
        }
        assert!(line(105).contains("count-the-words, find, replace"));
        assert!(line(90).contains("count-the-words, find, +1"));
        assert!(line(84).contains("count-the-words, +2"));
        assert_eq!(line(200), line(150));
    }

    #[test]
    fn sizes_have_a_digit_before_the_point() {
        let sizes = [0, 1023, 1024, 3 << 20, 5 << 40];
        assert_eq!(
            sizes.map(size),
            ["0 bytes", "1023 bytes", "1.0 KiB", "3.0 MiB", "5.0 TiB"]
        );
    }
}
