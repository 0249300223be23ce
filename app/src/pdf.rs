//! Papers as PDF: lines and tables on pages of A4, in PT Sans, of which the letters that are used go into the file.

use crm::lang::Lang;
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// PT Sans by ParaType (SIL Open Font License 1.1); the build takes it from npm.
static REGULAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/regular.ttf"));
static BOLD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bold.ttf"));

/// A4 in points of a 72nd of an inch.
const SHEET: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 42.0;
/// What may be written on, less what the number of the page takes.
const BOTTOM: f32 = SHEET.1 - MARGIN - 18.0;
/// From one line to the next, by the size of the letters.
const LEADING: f32 = 1.3;
/// The letters of a table, and what stands between its columns and its rows.
const SMALL: f32 = 9.0;
const GAP: f32 = 8.0;
/// How much of a page tables take from left to right.
pub const TABLE: f32 = SHEET.0 - 2.0 * MARGIN;

/// How strong letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As in a text.
    Regular,
    /// As in a heading.
    Bold,
}

/// A column of a table.
#[derive(Clone, Copy)]
pub struct Column {
    /// What stands above it.
    pub head: &'static str,
    /// How wide it is; those of a table and the [`gaps`] between them take [`TABLE`].
    pub width: f32,
    /// It holds numbers, which stand at the right.
    pub is_number: bool,
}

/// What lies between so many columns.
pub const fn gaps(columns: u8) -> f32 {
    GAP * (columns as f32 - 1.0)
}

/// A font as it is measured and as it is drawn.
struct Face {
    font: Font,
    file: FontRef<'static>,
    per_em: f32,
}

impl Face {
    fn of(file: &'static [u8]) -> Option<Self> {
        let font = Font::new(file.into(), 0)?;
        let per_em = font.units_per_em();
        let file = FontRef::new(file).ok()?;
        Some(Self { font, file, per_em })
    }

    /// The letters of a text one after the other. What the font does not have is an empty box.
    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let letters = self.file.charmap();
        let widths = self.file.glyph_metrics(Size::unscaled(), LocationRef::default());
        let glyph = |(at, letter): (usize, char)| {
            let id = letters.map(letter).unwrap_or_default();
            KrillaGlyph {
                glyph_id: GlyphId::new(id.to_u32()),
                text_range: at..at + letter.len_utf8(),
                x_advance: widths.advance_width(id).unwrap_or_default() / self.per_em,
                x_offset: 0.0,
                y_offset: 0.0,
                y_advance: 0.0,
                location: None,
            }
        };
        text.char_indices().map(glyph).collect()
    }
}

/// A line of text at its place.
struct Piece {
    x: f32,
    y: f32,
    size: f32,
    weight: Weight,
    text: String,
}

#[derive(Default)]
struct Page {
    pieces: Vec<Piece>,
    /// How far down lines lie across the table.
    rules: Vec<f32>,
}

/// A paper that is being written, from top to bottom.
pub struct Paper {
    title: String,
    lang: Lang,
    regular: Face,
    bold: Face,
    pages: Vec<Page>,
    y: f32,
}

impl Paper {
    /// An empty paper with a title that readers show; `None` where the fonts cannot be read.
    pub fn new(title: &str, lang: Lang) -> Option<Self> {
        Some(Self {
            title: title.to_owned(),
            lang,
            regular: Face::of(REGULAR)?,
            bold: Face::of(BOLD)?,
            pages: vec![Page::default()],
            y: MARGIN,
        })
    }

    /// Writes a text in as many lines as it takes.
    pub fn write(&mut self, weight: Weight, size: f32, text: &str) {
        for line in self.wrap(weight, size, text, TABLE) {
            if self.y + size * LEADING > BOTTOM {
                self.turn();
            }
            self.put(MARGIN, self.y + size, size, weight, line);
            self.y += size * LEADING;
        }
    }

    /// Leaves some room.
    pub fn skip(&mut self, height: f32) {
        self.y += height;
    }

    /// Writes a table; its head stands on each page again.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
        // A head with nothing under it says nothing.
        if self.y + 3.0 * (SMALL * LEADING + GAP) > BOTTOM {
            self.turn();
        }
        self.row(columns, &heads, Weight::Bold);
        for row in rows {
            if self.y + self.height(columns, row, Weight::Regular) > BOTTOM {
                self.turn();
                self.row(columns, &heads, Weight::Bold);
            }
            self.row(columns, row, Weight::Regular);
        }
    }

    fn row(&mut self, columns: &[Column], cells: &[String], weight: Weight) {
        let height = self.height(columns, cells, weight);
        let mut left = MARGIN;
        for (column, cell) in columns.iter().zip(cells) {
            for (n, line) in (0_u8..).zip(self.wrap(weight, SMALL, cell, column.width)) {
                let x = if column.is_number {
                    left + column.width - self.width(weight, SMALL, &line)
                } else {
                    left
                };
                let y = self.y + GAP / 2.0 + SMALL + f32::from(n) * SMALL * LEADING;
                self.put(x, y, SMALL, weight, line);
            }
            left += column.width + GAP;
        }
        self.y += height;
        let y = self.y;
        if let Some(page) = self.pages.last_mut() {
            page.rules.push(y);
        }
    }

    /// How much a row takes from top to bottom.
    fn height(&self, columns: &[Column], cells: &[String], weight: Weight) -> f32 {
        let lines = columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| self.wrap(weight, SMALL, cell, column.width).len())
            .max();
        lines.unwrap_or_default() as f32 * SMALL * LEADING + GAP
    }

    fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }

    fn width(&self, weight: Weight, size: f32, text: &str) -> f32 {
        let glyphs = self.face(weight).glyphs(text);
        glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * size
    }

    /// A text in lines of a width. A word that fits in none is parted.
    fn wrap(&self, weight: Weight, size: f32, text: &str, width: f32) -> Vec<String> {
        let fits = |line: &str| self.width(weight, size, line) <= width;
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ') {
            let longer = if line.is_empty() {
                word.to_owned()
            } else {
                format!("{line} {word}")
            };
            if fits(&longer) {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                if !line.is_empty() && !fits(&format!("{line}{letter}")) {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(letter);
            }
        }
        lines.push(line);
        lines
    }

    fn put(&mut self, x: f32, y: f32, size: f32, weight: Weight, text: String) {
        let piece = Piece {
            x,
            y,
            size,
            weight,
            text,
        };
        if let Some(page) = self.pages.last_mut() {
            page.pieces.push(piece);
        }
    }

    fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = MARGIN;
    }

    /// The file.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        let mut document = Document::new();
        let about = Metadata::new()
            .title(self.title.clone())
            .language(self.lang.code().to_owned());
        document.set_metadata(about);
        let pages = std::mem::take(&mut self.pages);
        let count = pages.len();
        for (n, page) in (1..).zip(pages) {
            let mut sheet = document.start_page_with(PageSettings::from_wh(SHEET.0, SHEET.1)?);
            let mut surface = sheet.surface();
            for piece in &page.pieces {
                self.draw(&mut surface, piece);
            }
            let text = format!("{n} / {count}");
            let number = Piece {
                x: SHEET.0 - MARGIN - self.width(Weight::Regular, SMALL, &text),
                y: SHEET.1 - MARGIN,
                size: SMALL,
                weight: Weight::Regular,
                text,
            };
            self.draw(&mut surface, &number);
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: rgb::Color::new(190, 190, 190).into(),
                width: 0.5,
                ..Stroke::default()
            }));
            for y in page.rules {
                let mut rule = PathBuilder::new();
                rule.move_to(MARGIN, y);
                rule.line_to(SHEET.0 - MARGIN, y);
                surface.draw_path(&rule.finish()?);
            }
            surface.finish();
            sheet.finish();
        }
        document.finish().ok()
    }

    fn draw(&self, surface: &mut Surface<'_>, piece: &Piece) {
        let face = self.face(piece.weight);
        surface.set_fill(Some(Fill::default()));
        surface.draw_glyphs(
            Point::from_xy(piece.x, piece.y),
            &face.glyphs(&piece.text),
            face.font.clone(),
            &piece.text,
            piece.size,
            false,
        );
    }
}
