//! Tables: drawn on a terminal, plain aligned columns everywhere else.

use comfy_table::{CellAlignment, ContentArrangement, TableComponent, presets};

use super::Style;

/// On which side the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows below headings. Cells must be escaped already.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: &[(&'static str, Side)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has one cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as lines, the last one ended.
    pub fn render(&self, style: &Style) -> String {
        if style.terminal {
            self.drawn(style)
        } else {
            self.plain(true)
        }
    }

    /// As [`Table::render`], for a table that goes on: plain columns have no headings then.
    pub fn render_rows(&self, style: &Style) -> String {
        if style.terminal {
            self.drawn(style)
        } else {
            self.plain(false)
        }
    }

    fn drawn(&self, style: &Style) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        // One line below the headings and none between rows: twice as many fit on a screen.
        table.set_style(TableComponent::HeaderLines, '─');
        table.set_style(TableComponent::MiddleHeaderIntersections, '─');
        if let Some(width) = style.width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        table.set_header(self.columns.iter().map(|(name, _)| *name));
        for row in &self.rows {
            table.add_row(row);
        }
        for (index, (_, side)) in self.columns.iter().enumerate() {
            if let (Side::Right, Some(column)) = (side, table.column_mut(index)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut drawn = table.trim_fmt();
        drawn.push('\n');
        drawn
    }

    fn plain(&self, with_headings: bool) -> String {
        let headings: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| {
            all()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for row in all().skip(usize::from(!with_headings)) {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let fill = " ".repeat(widths[index] - cell.chars().count());
                if index > 0 {
                    line.push_str("  ");
                }
                match self.columns[index].1 {
                    Side::Left => line.push_str(&format!("{cell}{fill}")),
                    Side::Right => line.push_str(&format!("{fill}{cell}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names with values below each other: "kind     user". Values must be escaped already; an empty
/// value leaves its line out.
pub fn facts(list: &[(&str, String)]) -> String {
    let known = || list.iter().filter(|(_, value)| !value.is_empty());
    let width = known().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in known() {
        text.push_str(&format!("{name:width$}  {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&[
            ("N", Side::Right),
            ("STATE", Side::Left),
            ("COMMAND", Side::Left),
        ]);
        table.row(["9", "done", "apt install größe"].map(str::to_owned));
        table.row(["10", "interrupted", ""].map(str::to_owned));
        table
    }

    #[test]
    fn plain_columns_are_aligned_without_lines() {
        let expected = "\x20N  STATE        COMMAND
 9  done         apt install größe
10  interrupted
";
        assert_eq!(sample().render(&Style::plain()), expected);
    }

    #[test]
    fn a_terminal_gets_lines() {
        let style = Style {
            terminal: true,
            width: Some(60),
            ..Style::plain()
        };
        let drawn = sample().render(&style);
        assert!(
            drawn.contains('─') && drawn.contains("apt install größe"),
            "{drawn}"
        );
    }

    #[test]
    fn facts_leave_out_what_is_unknown() {
        let list = [
            ("name", "tv".to_owned()),
            ("description", String::new()),
            ("base", "13.1".to_owned()),
        ];
        assert_eq!(facts(&list), "name  tv\nbase  13.1\n");
    }
}
