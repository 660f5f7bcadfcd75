//! The demonstration on a terminal: status above, what happened below, commands to try at the bottom.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event as Key, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph};
use view::api;

use super::website::Visitor;
use super::{Demo, NODES, Place};
use crate::outlook::Outlook;
use crate::session::Problem;

/// Entries of the timeline that are kept.
const KEPT: usize = 200;
/// Nodes tell of the same event each; within this time equal ones count as one.
const SAME: Duration = Duration::from_secs(3);

/// What the screen shows.
struct Shown {
    status: Vec<String>,
    timeline: VecDeque<Entry>,
    website: String,
}

struct Entry {
    at: Instant,
    time_ms: u64,
    severity: api::Severity,
    text: String,
}

pub fn run(place: &Place) -> Result<ExitCode, Problem> {
    let demo = Demo::start(place, |line| println!("{line}"))?;
    let visitor = Visitor::start(demo.website);
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = sync_channel(1000);
    let readers: Vec<_> = NODES
        .into_iter()
        .map(|node| {
            let (place, sender, stop) = (place.clone(), sender.clone(), stop.clone());
            std::thread::spawn(move || read_events(&place, node, &sender, &stop))
        })
        .collect();
    let outcome = if std::io::stdout().is_terminal() {
        on_terminal(&demo, &visitor, &receiver)
    } else {
        as_text(&demo, &receiver)
    };
    stop.store(true, Ordering::Relaxed);
    drop(receiver);
    for reader in readers {
        let _ = reader.join();
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Follows one node's journal, across its deaths, until told to stop.
fn read_events(place: &Place, node: &str, sender: &SyncSender<api::Event>, stop: &AtomicBool) {
    let mut after = None;
    while !stop.load(Ordering::Relaxed) {
        let Ok(client) = place.client(node) else {
            after = Some(0);
            std::thread::sleep(Duration::from_millis(200));
            continue;
        };
        let Ok(mut events) = client.events(&api::EventQuery { after: after.or(Some(0)), no_follow: false })
        else {
            std::thread::sleep(Duration::from_millis(200));
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            match events.next_within(Duration::from_millis(200)) {
                Ok(Some(event)) => {
                    after = Some(event.sequence);
                    // a screen that cannot keep up may miss entries; it shows the newest state all the same
                    let _ = sender.try_send(event);
                }
                Ok(None) if events.ended() => break,
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
}

/// Without a terminal: one line an event, until the demonstration is ended.
fn as_text(demo: &Demo, receiver: &Receiver<api::Event>) -> Result<(), Problem> {
    let mut timeline = VecDeque::new();
    for line in hints(demo) {
        println!("{line}");
    }
    while NODES.iter().any(|node| demo.place.is_running(node)) {
        let Ok(event) = receiver.recv_timeout(Duration::from_secs(1)) else { continue };
        if let Some(entry) = add(&mut timeline, event) {
            println!("{}", entry_text(entry));
        }
    }
    Ok(())
}

fn on_terminal(demo: &Demo, visitor: &Visitor, receiver: &Receiver<api::Event>) -> Result<(), Problem> {
    let mut terminal = ratatui::init();
    let outcome = watch(demo, visitor, receiver, &mut terminal);
    ratatui::restore();
    outcome
}

fn watch(
    demo: &Demo,
    visitor: &Visitor,
    receiver: &Receiver<api::Event>,
    terminal: &mut ratatui::DefaultTerminal,
) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::new(1, format!("the terminal failed: {error}"));
    let mut shown =
        Shown { status: status_lines(&demo.place), timeline: VecDeque::new(), website: String::new() };
    let hints = hints(demo);
    loop {
        let mut changed = false;
        while let Ok(event) = receiver.try_recv() {
            changed = true;
            add(&mut shown.timeline, event);
        }
        if changed {
            shown.status = status_lines(&demo.place);
        }
        let website = match visitor.served_by() {
            Some(node) => format!("http://{}/ answers: Hello from {node}", demo.website),
            None => format!("http://{}/ does not answer", demo.website),
        };
        if changed || website != shown.website {
            shown.website = website;
        }
        terminal.draw(|frame| draw(frame, &shown, &hints)).map_err(failed)?;
        if event::poll(Duration::from_millis(100)).map_err(failed)? {
            if let Key::Key(key) = event::read().map_err(failed)? {
                let interrupt =
                    key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if key.kind == KeyEventKind::Press
                    && (interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
                {
                    return Ok(());
                }
            }
        }
        if !NODES.iter().any(|node| demo.place.is_running(node)) && demo.place.any_client().is_err() {
            return Ok(());
        }
    }
}

fn draw(frame: &mut Frame<'_>, shown: &Shown, hints: &[String]) {
    let status_height = u16::try_from(shown.status.len() + 2).unwrap_or(u16::MAX);
    let [status, timeline, website, commands] = Layout::vertical([
        Constraint::Max(status_height),
        Constraint::Min(5),
        Constraint::Length(1),
        Constraint::Length(u16::try_from(hints.len() + 2).unwrap_or(8)),
    ])
    .areas(frame.area());
    let status_block = Block::new().borders(Borders::ALL).title(" Systole: three nodes on this machine ");
    let lines: Vec<Line<'_>> =
        shown.status.iter().map(|line| Line::styled(line.as_str(), status_style(line))).collect();
    frame.render_widget(Paragraph::new(lines).block(status_block), status);
    let room = usize::from(timeline.height.saturating_sub(2));
    let lines: Vec<Line<'_>> = shown
        .timeline
        .iter()
        .rev()
        .take(room)
        .rev()
        .map(|entry| Line::styled(entry_text(entry), severity_style(entry.severity)))
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::new().borders(Borders::ALL).title(" What happened ")),
        timeline,
    );
    let good = !shown.website.contains("does not");
    let style = Style::new().fg(if good { Color::Green } else { Color::Red }).add_modifier(Modifier::BOLD);
    frame.render_widget(Paragraph::new(Line::styled(shown.website.as_str(), style)), website);
    let lines: Vec<Line<'_>> = hints.iter().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(
        Paragraph::new(lines).block(
            Block::new().borders(Borders::ALL).title(" Try in another terminal (q ends the demonstration) "),
        ),
        commands,
    );
}

fn status_style(line: &str) -> Style {
    if line.contains("UNCLEAN") || line.contains("FAILED") || line.contains("OFFLINE") {
        Style::new().fg(Color::Red)
    } else if line.contains("Started") || line.contains("Online") {
        Style::new().fg(Color::Green)
    } else {
        Style::new()
    }
}

fn severity_style(severity: api::Severity) -> Style {
    match severity {
        api::Severity::Error => Style::new().fg(Color::Red),
        api::Severity::Warning => Style::new().fg(Color::Yellow),
        api::Severity::Notice => Style::new().add_modifier(Modifier::BOLD),
        api::Severity::Info | api::Severity::Debug => Style::new(),
    }
}

/// The cluster's state as the newest node that answers sees it.
fn status_lines(place: &Place) -> Vec<String> {
    let read = || -> Result<Vec<String>, Problem> {
        let mut client = place.any_client()?;
        let document = crate::session::parse(&client.cib(&api::CibQuery::default())?)?;
        let outlook = Outlook::current(&document)?;
        let text = crate::mon::text(&outlook, &document, crate::mon::Detail::Normal);
        Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    };
    read().unwrap_or_else(|problem| vec![problem.message])
}

/// Adds an event unless another node told of it already; gives the new entry.
fn add(timeline: &mut VecDeque<Entry>, event: api::Event) -> Option<&Entry> {
    if event.severity == api::Severity::Debug {
        return None;
    }
    let known =
        timeline.iter().rev().take(30).any(|entry| entry.text == event.message && entry.at.elapsed() < SAME);
    if known {
        return None;
    }
    if timeline.len() == KEPT {
        timeline.pop_front();
    }
    timeline.push_back(Entry {
        at: Instant::now(),
        time_ms: event.time_ms,
        severity: event.severity,
        text: event.message,
    });
    timeline.back()
}

fn entry_text(entry: &Entry) -> String {
    format!("{}  {}", crate::events::clock(entry.time_ms), entry.text)
}

fn hints(demo: &Demo) -> Vec<String> {
    let binary =
        std::env::current_exe().map_or_else(|_| "systole".to_owned(), |path| path.display().to_string());
    vec![
        format!("export SYSTOLE_SOCKET={}", demo.place.socket("node2").display()),
        format!("{binary} status      {binary} why Website      {binary} pcs status"),
        format!("{binary} demo kill node1     {binary} demo start node1"),
        format!("{binary} demo cut node2      {binary} demo heal node2"),
        format!("{binary} pcs node standby node1     {binary} pcs resource move Website node3"),
    ]
}
