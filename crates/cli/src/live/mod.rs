//! A live view on a terminal: the board of the cluster, what happens, and whatever its user adds. Drawn anew
//! when something changes; nothing on the way to the screen waits for a node that does not answer.

mod draw;
mod feed;
mod timeline;

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::{DefaultTerminal, Terminal};
use view::board::Board;

pub use feed::{Feed, Source};
pub use timeline::{Timeline, line, mark};

use crate::session::Problem;

/// How often what has no event of its own is looked at: the website, a signal to end.
const LOOK: Duration = Duration::from_millis(100);
/// Messages under way to the screen.
const QUEUE: usize = 1000;

/// What comes in.
pub enum Message {
    Event(view::api::Event),
    /// The state, or why it could not be read.
    Picture(Result<Picture, String>),
    Terminal(event::Event),
}

/// The cluster as it was read last.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub board: Board,
    /// What is being carried out, if the node that was asked knows.
    pub plan: Option<String>,
    /// What the daemon that was asked complains about.
    pub complaints: Vec<String>,
}

/// What a user of this view adds to it.
pub struct Frame<'f> {
    pub title: String,
    /// A line that is asked for again and again, and whether it tells something good.
    pub pulse: Option<&'f dyn Fn() -> (bool, String)>,
    /// Commands to try.
    pub commands: Option<Commands>,
    /// Ends the view when it gives true.
    pub ended: &'f dyn Fn() -> bool,
}

/// The list of commands at the bottom.
pub struct Commands {
    pub title: String,
    /// Kept together, wrapped between each other.
    pub list: Vec<String>,
}

/// What is on the screen.
struct Shown {
    picture: Picture,
    /// Why nothing newer could be read.
    trouble: Option<String>,
    timeline: Timeline,
    pulse: Option<(bool, String)>,
    /// Lines scrolled back.
    back: usize,
    commands: bool,
}

/// Shows the view until its user ends it.
pub fn show(source: &Source, frame: &Frame<'_>) -> Result<(), Problem> {
    let (sender, receiver) = sync_channel(QUEUE);
    let mut screen =
        Screen::open().map_err(|error| Problem::new(1, format!("the terminal cannot be used: {error}")))?;
    let feed = Feed::start(source, &sender, true);
    let outcome = run(frame, &receiver, &mut screen.0);
    drop(screen);
    feed.stop();
    outcome.map_err(|error| Problem::new(1, format!("the terminal failed: {error}")))
}

/// The terminal while it is ours. Given back when dropped, without a word: it may have gone away.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> std::io::Result<Screen> {
        enable_raw_mode()?;
        let opened = execute!(std::io::stdout(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(std::io::stdout())));
        if opened.is_err() {
            let _ = disable_raw_mode();
        }
        opened.map(Screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        let _ = execute!(std::io::stdout(), LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

fn run(
    frame: &Frame<'_>,
    receiver: &Receiver<Message>,
    terminal: &mut DefaultTerminal,
) -> std::io::Result<()> {
    let mut shown = Shown {
        picture: Picture::default(),
        trouble: None,
        timeline: Timeline::default(),
        pulse: None,
        back: 0,
        commands: true,
    };
    let mut changed = true;
    loop {
        if changed {
            terminal.draw(|area| draw::draw(area, frame, &shown))?;
        }
        changed = false;
        let mut next = receiver.recv_timeout(LOOK);
        // what came together is drawn once
        while let Ok(message) = next {
            if !take(message, &mut shown) {
                return Ok(());
            }
            changed = true;
            next = receiver.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
        if matches!(next, Err(RecvTimeoutError::Disconnected)) || (frame.ended)() {
            return Ok(());
        }
        let pulse = frame.pulse.map(|pulse| pulse());
        changed |= pulse != shown.pulse;
        shown.pulse = pulse;
    }
}

/// Takes a message in; false: the user wants to leave.
fn take(message: Message, shown: &mut Shown) -> bool {
    match message {
        Message::Event(event) => {
            if shown.timeline.add(event).is_some() && shown.back > 0 {
                // what is looked at stays where it is
                shown.back += 1;
            }
        }
        Message::Picture(Err(trouble)) => shown.trouble = Some(trouble),
        Message::Picture(Ok(picture)) => {
            shown.picture = picture;
            shown.trouble = None;
        }
        Message::Terminal(event::Event::Key(key)) if key.kind == KeyEventKind::Press => {
            return pressed(key, shown);
        }
        // a new size: everything is drawn anew
        Message::Terminal(_) => {}
    }
    true
}

fn pressed(key: KeyEvent, shown: &mut Shown) -> bool {
    const PAGE: usize = 10;
    let most = shown.timeline.len().saturating_sub(1);
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('h' | '?') => shown.commands = !shown.commands,
        KeyCode::Up | KeyCode::Char('k') => shown.back += 1,
        KeyCode::Down | KeyCode::Char('j') => shown.back = shown.back.saturating_sub(1),
        KeyCode::PageUp => shown.back += PAGE,
        KeyCode::PageDown => shown.back = shown.back.saturating_sub(PAGE),
        KeyCode::Home => shown.back = most,
        KeyCode::End => shown.back = 0,
        _ => {}
    }
    shown.back = shown.back.min(most);
    true
}
