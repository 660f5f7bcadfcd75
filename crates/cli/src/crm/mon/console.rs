//! The live screen: drawn anew when something changes or a key is pressed (rule 5b.12.2).

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use client::Client;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use view::api::EventQuery;
use view::status::monitor::Sections;

use super::picture::{Asked, Picture};

/// Shortest time between two drawings because of changes; so many changes are drawn at once all the same.
const PAUSE: Duration = Duration::from_secs(2);
const MANY: u32 = 10;

/// The keys and what they show or hide.
const KEYS: [(char, &str); 12] = [
    ('m', "fencing history"),
    ('c', "tickets"),
    ('f', "failure counts"),
    ('n', "resources below their nodes"),
    ('o', "operations"),
    ('r', "inactive resources"),
    ('R', "details"),
    ('t', "times of operations"),
    ('A', "node attributes"),
    ('L', "negative location constraints"),
    ('D', "summary"),
    ('b', "brief lists"),
];

/// What makes the screen change.
enum News {
    Key(char),
    /// The window has another size, or is to be drawn for no reason.
    Redraw,
    Changed,
    End,
}

pub fn run(sections: Sections, interval: Duration, asked: &Asked) -> ExitCode {
    if let Err(error) = terminal::enable_raw_mode() {
        eprintln!("crm_mon: cannot use this terminal: {error} (use -1 to show the status once)");
        return ExitCode::from(71);
    }
    // another screen, so that what was there is there again afterwards
    let _ = write!(std::io::stdout(), "\x1b[?1049h\x1b[?25l");
    let (sender, receiver) = sync_channel(100);
    let keys = sender.clone();
    std::thread::spawn(move || read_keys(&keys));
    std::thread::spawn(move || follow(&sender));
    let mut screen = Screen { sections, asked: asked.clone(), help: false };
    screen.show(&receiver, interval);
    let _ = write!(std::io::stdout(), "\x1b[?25h\x1b[?1049l");
    let _ = std::io::stdout().flush();
    let _ = terminal::disable_raw_mode();
    ExitCode::SUCCESS
}

fn read_keys(sender: &SyncSender<News>) {
    loop {
        let news = match event::read() {
            Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => News::End,
                KeyCode::Char('q') | KeyCode::Esc => News::End,
                KeyCode::Char(key) => News::Key(key),
                _ => News::Redraw,
            },
            Ok(Event::Resize(..)) => News::Redraw,
            Ok(_) => continue,
            Err(_) => News::End,
        };
        if sender.send(news).is_err() {
            return;
        }
    }
}

/// Tells of each change of the cluster, for as long as somebody listens.
fn follow(sender: &SyncSender<News>) {
    loop {
        let events = Client::connect(Client::default_socket())
            .and_then(|client| client.events(&EventQuery::default()));
        if let Ok(mut events) = events {
            while !events.ended() {
                match events.next_within(Duration::from_secs(3600)) {
                    Ok(Some(_)) if sender.send(News::Changed).is_err() => return,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

struct Screen {
    sections: Sections,
    asked: Asked,
    help: bool,
}

impl Screen {
    fn show(&mut self, news: &Receiver<News>, interval: Duration) {
        let mut drawn = self.draw();
        let mut waiting = 0;
        loop {
            let next = if waiting > 0 { PAUSE } else { interval };
            match news.recv_timeout(next.saturating_sub(drawn.elapsed())) {
                Ok(News::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(News::Key(key)) => self.toggle(key),
                Ok(News::Redraw) | Err(RecvTimeoutError::Timeout) => {}
                Ok(News::Changed) => {
                    waiting += 1;
                    if waiting < MANY && drawn.elapsed() < PAUSE {
                        continue;
                    }
                }
            }
            drawn = self.draw();
            waiting = 0;
        }
    }

    fn toggle(&mut self, key: char) {
        let sections = &mut self.sections;
        self.help = key == '?' && !self.help;
        let flag = match key {
            'c' => &mut sections.tickets,
            'f' => &mut sections.fail_counts,
            'n' => &mut sections.by_node,
            'o' => &mut sections.operations,
            'r' => &mut sections.inactive,
            'R' => &mut sections.detail,
            'A' => &mut sections.attributes,
            'b' => &mut sections.brief,
            't' => {
                sections.timing = !sections.timing;
                sections.operations = sections.timing;
                return;
            }
            'L' => {
                sections.bans = if sections.bans.is_some() { None } else { Some(String::new()) };
                return;
            }
            'D' => {
                let shown = sections.has_summary();
                sections.set_summary(!shown);
                return;
            }
            'm' => {
                sections.next_fencing_level();
                return;
            }
            // every other key only draws anew
            _ => return,
        };
        *flag = !*flag;
    }

    fn draw(&self) -> Instant {
        let text = if self.help { self.help_text() } else { self.status_text() };
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let mut out = std::io::stdout().lock();
        let _ = write!(out, "\x1b[H");
        let lines: Vec<&str> = text.lines().collect();
        let room = usize::from(height).saturating_sub(1);
        for line in lines.iter().take(room) {
            let line: String = line.replace('\t', " ").chars().take(usize::from(width)).collect();
            let _ = write!(out, "{line}\x1b[K\r\n");
        }
        let more = lines.len().saturating_sub(room);
        let foot = if more > 0 { format!("… {more} more lines; ") } else { String::new() };
        let _ = write!(out, "\x1b[7m{foot}? help, q quit\x1b[0m\x1b[K\x1b[J");
        let _ = out.flush();
        Instant::now()
    }

    fn status_text(&self) -> String {
        match Picture::take(&self.asked) {
            Ok(picture) => picture.text(&self.sections),
            Err(problem) => format!("Not connected to CIB: {problem}\n\nWaiting for the cluster…\n"),
        }
    }

    fn help_text(&self) -> String {
        let mut text = "Keys that show or hide a part:\n\n".to_owned();
        for (key, what) in KEYS {
            let mark = if self.is_shown(key) { '*' } else { ' ' };
            text.push_str(&format!("  {mark} {key}: {what}\n"));
        }
        text.push_str("\n  q: end; any other key: back\n");
        text
    }

    fn is_shown(&self, key: char) -> bool {
        let sections = &self.sections;
        match key {
            'm' => sections.fencing_failed || sections.fencing_pending || sections.fencing_succeeded,
            'c' => sections.tickets,
            'f' => sections.fail_counts,
            'n' => sections.by_node,
            'o' => sections.operations,
            'r' => sections.inactive,
            'R' => sections.detail,
            't' => sections.timing,
            'A' => sections.attributes,
            'L' => sections.bans.is_some(),
            'D' => sections.has_summary(),
            _ => sections.brief,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_shows_and_hides() {
        let mut screen = Screen { sections: Sections::default(), asked: Asked::default(), help: false };
        for (key, what) in KEYS.into_iter().filter(|(key, _)| *key != 'm') {
            let before = screen.is_shown(key);
            screen.toggle(key);
            assert_ne!(screen.is_shown(key), before, "{what}");
            screen.toggle(key);
            assert_eq!(screen.is_shown(key), before, "{what}");
        }
        // off, 1, 2, 3 and off again
        let levels: Vec<bool> = (0..4)
            .map(|_| {
                screen.toggle('m');
                screen.is_shown('m')
            })
            .collect();
        assert_eq!(levels.iter().filter(|shown| !**shown).count(), 1);
    }
}
