//! Puts the view on the screen, whatever its size: what is wrong first, then as much of the rest as fits.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span as Piece};
use ratatui::widgets::{Block, Borders, Paragraph};
use view::api::Severity;
use view::board::{Board, Row, Span, Tone};

use super::{Commands, Frame, Shown, timeline};
use crate::colour;

/// Lines of the timeline, its title included, that stay whatever else wants room.
const TIMELINE: usize = 6;
/// Lines of the board that go before the list of commands does.
const BOARD: usize = 9;
/// Between two nodes or facts on one line.
const GAP: &str = "   ";

pub(super) fn draw(area: &mut ratatui::Frame<'_>, frame: &Frame<'_>, shown: &Shown) {
    let (width, height) = (usize::from(area.area().width), usize::from(area.area().height));
    let mut head = head(frame, shown, width);
    let pulse = usize::from(shown.pulse.is_some());
    let mut commands = commands(frame.commands.as_ref().filter(|_| shown.commands), width);
    if height < BOARD + TIMELINE + pulse + commands.len() {
        commands.clear();
    }
    let room = height.saturating_sub(TIMELINE + pulse + commands.len());
    head.extend(body(&shown.picture.board, room.saturating_sub(head.len())));
    head.truncate(room);
    let areas: [Rect; 4] = Layout::vertical([
        Constraint::Length(length(head.len())),
        Constraint::Min(0),
        Constraint::Length(length(pulse)),
        Constraint::Length(length(commands.len())),
    ])
    .areas(area.area());
    area.render_widget(Paragraph::new(head), areas[0]);
    happened(area, areas[1], frame, shown);
    if let Some((good, text)) = &shown.pulse {
        let tone = if *good { Tone::Good } else { Tone::Bad };
        area.render_widget(Paragraph::new(Line::styled(text.as_str(), style(tone))), areas[2]);
    }
    if let Some(list) = frame.commands.as_ref().filter(|_| !commands.is_empty()) {
        let block = Block::new().borders(Borders::TOP).title(format!(" {} ", list.title));
        area.render_widget(Paragraph::new(commands.split_off(1)).block(block), areas[3]);
    }
}

fn length(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// The lines that are always there: the cluster as a whole, trouble, nodes.
fn head(frame: &Frame<'_>, shown: &Shown, width: usize) -> Vec<Line<'static>> {
    let board = &shown.picture.board;
    let mut facts = vec![Span { tone: Tone::Plain, text: frame.title.clone() }];
    facts.extend(board.headline.iter().cloned());
    facts.extend(shown.picture.plan.iter().map(|plan| Span { tone: Tone::Quiet, text: plan.clone() }));
    let mut lines = wrapped(&facts, width);
    if let Some(first) = lines.first_mut().and_then(|line| line.spans.first_mut()) {
        first.style = first.style.add_modifier(Modifier::BOLD);
    }
    let trouble = shown.trouble.iter().map(|text| (Tone::Bad, format!("not up to date: {text}")));
    let complaints = shown.picture.complaints.iter().map(|text| (Tone::Notable, text.clone()));
    lines.extend(trouble.chain(complaints).map(|(tone, text)| Line::styled(cut(&text, width), style(tone))));
    lines.extend(wrapped(&board.nodes, width));
    lines
}

/// Resources and problems in so many lines.
fn body(board: &Board, room: usize) -> Vec<Line<'static>> {
    let rows: Vec<&Row> = board.problems.iter().chain(&board.resources).collect();
    if rows.len() < room {
        let blank = std::iter::once(Line::default());
        let mut lines: Vec<Line<'static>> = blank.chain(board.resources.iter().map(row)).collect();
        lines.extend(board.problems.iter().map(row));
        return lines;
    }
    // what is not well first; the rest as far as there is room
    let (well, unwell): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.well);
    let lines: Vec<&Row> = unwell.into_iter().chain(well).collect();
    let shown = room.saturating_sub(1).min(lines.len());
    let hidden = &lines[shown..];
    let bad = hidden.iter().filter(|row| !row.well).count();
    let rest = match bad {
        0 => format!("… {} more, all well", hidden.len()),
        bad => format!("… {} more, {bad} of them not well", hidden.len()),
    };
    let tone = if bad == 0 { Tone::Quiet } else { Tone::Bad };
    let mut out: Vec<Line<'static>> = lines[..shown].iter().map(|line| row(line)).collect();
    out.push(Line::styled(rest, style(tone)));
    out
}

fn row(row: &Row) -> Line<'static> {
    let pieces = row.spans.iter().map(|span| Piece::styled(span.text.clone(), style(span.tone)));
    Line::from_iter(std::iter::once(Piece::raw("  ")).chain(pieces))
}

/// Spans beside each other, on as many lines as they need.
fn wrapped(spans: &[Span], width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut line: Vec<Piece<'static>> = Vec::new();
    let mut used = 0;
    for span in spans {
        let text = cut(&span.text, width);
        let size = text.chars().count();
        if used > 0 && used + GAP.len() + size > width {
            lines.push(Line::from(std::mem::take(&mut line)));
            used = 0;
        }
        if used > 0 {
            line.push(Piece::raw(GAP));
            used += GAP.len();
        }
        line.push(Piece::styled(text, style(span.tone)));
        used += size;
    }
    if !line.is_empty() {
        lines.push(Line::from(line));
    }
    lines
}

/// The lines of the list of commands, its title as the first; none if there is no list.
fn commands(commands: Option<&Commands>, width: usize) -> Vec<Line<'static>> {
    let Some(commands) = commands else { return Vec::new() };
    let spans: Vec<Span> =
        commands.list.iter().map(|text| Span { tone: Tone::Plain, text: text.clone() }).collect();
    std::iter::once(Line::default()).chain(wrapped(&spans, width)).collect()
}

fn happened(area: &mut ratatui::Frame<'_>, place: Rect, frame: &Frame<'_>, shown: &Shown) {
    let mut keys = vec!["q quit", "↑↓ scroll"];
    if frame.commands.is_some() {
        keys.push("h commands");
    }
    let title = match shown.back {
        0 => " What happened ".to_owned(),
        back => format!(" What happened ({back} newer below) "),
    };
    let keys = format!(" {} ", keys.join(" · "));
    let width = usize::from(place.width);
    let mut block = Block::new().borders(Borders::TOP);
    if title.chars().count() + keys.chars().count() < width {
        block = block.title(Line::styled(keys, style(Tone::Quiet)).right_aligned());
    }
    let block = block.title(title);
    let lines: Vec<Line<'_>> = shown
        .timeline
        .newest(usize::from(place.height.saturating_sub(1)), shown.back)
        .map(|entry| event(entry, width))
        .collect();
    area.render_widget(Paragraph::new(lines).block(block), place);
}

fn event(entry: &timeline::Entry, width: usize) -> Line<'static> {
    let (clock, mark, text) = timeline::line(entry);
    // narrow: the second is enough
    let clock = if width < 70 { clock[..8.min(clock.len())].to_owned() } else { clock };
    let room = width.saturating_sub(clock.len() + 3);
    let tone = severity(entry.severity, &entry.kind);
    Line::from_iter([
        Piece::styled(clock, style(Tone::Quiet)),
        Piece::styled(format!(" {mark} "), style(tone)),
        Piece::styled(cut(text, room), style(tone)),
    ])
}

fn severity(severity: Severity, kind: &str) -> Tone {
    match (severity, kind) {
        (Severity::Error, _) => Tone::Bad,
        (Severity::Warning, _) => Tone::Notable,
        (_, "settled") => Tone::Good,
        (_, "action") => Tone::Quiet,
        _ => Tone::Plain,
    }
}

/// The text on one line of at most so many characters.
fn cut(text: &str, width: usize) -> String {
    let text = text.replace('\n', " / ");
    if text.chars().count() <= width {
        return text;
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn style(tone: Tone) -> Style {
    if !colour::allowed() {
        return match tone {
            Tone::Bad => Style::new().add_modifier(Modifier::BOLD),
            _ => Style::new(),
        };
    }
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Notable => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(well: usize, bad: usize) -> Vec<Row> {
        let row =
            |tone, well, number: usize| Row { spans: vec![Span { tone, text: format!("r{number}") }], well };
        let good = (0..well).map(|number| row(Tone::Good, true, number));
        good.chain((0..bad).map(|number| row(Tone::Bad, false, well + number))).collect()
    }

    fn texts(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|line| line.to_string().trim().to_owned()).collect()
    }

    #[test]
    fn short_of_room_what_is_wrong_stays() {
        let board = Board { resources: rows(3, 1), ..Board::default() };
        assert_eq!(texts(&body(&board, 5)), ["", "r0", "r1", "r2", "r3"]);
        assert_eq!(texts(&body(&board, 3)), ["r3", "r0", "… 2 more, all well"]);
        let board = Board { resources: rows(0, 3), ..Board::default() };
        assert_eq!(texts(&body(&board, 2)), ["r0", "… 2 more, 2 of them not well"]);
    }

    #[test]
    fn pieces_wrap_between_each_other() {
        let spans: Vec<Span> = ["node1 online", "node2 online", "node3 OFFLINE"]
            .map(|text| Span { tone: Tone::Plain, text: text.into() })
            .to_vec();
        let lines = wrapped(&spans, 30);
        assert_eq!(texts(&lines), ["node1 online   node2 online", "node3 OFFLINE"]);
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
