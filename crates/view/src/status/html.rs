//! The status as a page for browsers (rule 5b.13).

use super::monitor::{Part, Section};
use super::text::Entry;
use super::{NodeStatus, Status, grouped};
use scheduler::state::Health;

/// What the page is, beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// `Cluster Status` unless told.
    pub title: Option<String>,
    /// Address of a style sheet.
    pub style_sheet: Option<String>,
    /// Seconds after which a browser loads the page again.
    pub refresh: Option<u64>,
    /// Begin with the header lines of a CGI program.
    pub cgi: bool,
}

const STYLE: &str = ".bold { font-weight: bold }
.online { color: green }
.offline { color: red }
.maint { color: blue }
.standby { color: blue }
.health_red { color: red }
.health_yellow { color: GoldenRod }
.rsc-failed { color: red }
.rsc-failure-ignored { color: DarkGreen }
.rsc-managed { color: blue }
.rsc-multiple { color: orange }
.rsc-ok { color: green }
.warning { color: red; font-weight: bold }";

/// The whole page.
pub fn page(sections: &[Section], status: &Status, page: &Page) -> String {
    let mut body = String::new();
    for section in sections {
        let items = match section.part {
            Part::Summary => summary(section, status),
            Part::Nodes { by_node: false, detail } => {
                status.nodes.iter().map(|node| block("li", &[node_line(node, detail)])).collect()
            }
            Part::Nodes { by_node: true, detail } => nodes_with_resources(section, status, detail),
            Part::Other => list(&section.entries),
        };
        body.push_str(&format!("<h2>{}</h2>\n{}\n", escaped(&section.title), block("ul", &items)));
    }
    around(&body, page)
}

/// The lines of a text answer as a page.
#[must_use]
pub fn lines(text: &str, page: &Page) -> String {
    let items: Vec<String> = text.lines().map(|line| format!("<li>{}</li>", escaped(line))).collect();
    around(&format!("<ul>\n{}\n</ul>\n", items.join("\n")), page)
}

fn around(body: &str, page: &Page) -> String {
    let mut text = String::new();
    if page.cgi {
        text.push_str("Content-Type: text/html\n\n");
    }
    text.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
    let title = page.title.as_deref().unwrap_or("Cluster Status");
    text.push_str(&format!("<title>{}</title>\n<meta charset=\"utf-8\">\n", escaped(title)));
    if let Some(seconds) = page.refresh {
        text.push_str(&format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    }
    text.push_str(&format!("<style>{STYLE}</style>\n"));
    if let Some(address) = &page.style_sheet {
        text.push_str(&format!(
            "<link rel=\"stylesheet\" href=\"{}\">\n",
            escaped(address).replace('"', "&quot;")
        ));
    }
    text + "</head>\n<body>\n" + body + "</body>\n</html>\n"
}

/// An element around others: in one line if there is one without lines of its own.
fn block(tag: &str, children: &[String]) -> String {
    match children {
        [only] if !only.contains("</span><span") => format!("<{tag}>{only}</{tag}>"),
        _ => format!("<{tag}>\n{}\n</{tag}>", children.join("\n")),
    }
}

fn span(class: &str, text: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<span{class}>{}</span>", escaped(text))
}

/// Lists as nested elements.
fn list(entries: &[Entry]) -> Vec<String> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let entry = &entries[at];
        let below = entries[at + 1..].iter().take_while(|next| next.level > entry.level).count();
        let children = list(&entries[at + 1..at + 1 + below]);
        if entry.is_title {
            let heading = format!("<h3>{}</h3>", escaped(&title(&entry.text)));
            items.push(block("li", &[heading, block("ul", &children)]));
        } else {
            items.push(block("li", &[line(entry)]));
            items.extend(children);
        }
        at += 1 + below;
    }
    items
}

/// Nodes are headings without the word.
fn title(text: &str) -> String {
    text.strip_prefix("Node: ").map_or_else(|| text.to_owned(), |name| format!("{name}:"))
}

fn line(entry: &Entry) -> String {
    match (&entry.markup, entry.class) {
        (Some(markup), _) => markup.clone(),
        (None, Some(class)) => span(class, &entry.text),
        (None, None) => escaped(&entry.text),
    }
}

/// The lines of the summary with their labels in bold.
fn summary(section: &Section, status: &Status) -> Vec<String> {
    let mut items = Vec::new();
    let mut options = Vec::new();
    for entry in &section.entries {
        let text = entry.text.as_str();
        let label = ["Stack: ", "Current DC: ", "Last updated: ", "Last change: "]
            .into_iter()
            .find(|label| text.starts_with(label));
        if let Some(label) = label {
            let rest = if label == "Current DC: " {
                current_dc(&text[label.len()..])
            } else {
                span("", text[label.len()..].trim_start())
            };
            items.push(block("li", &[format!("{}{rest}", span("bold", label))]));
        } else if text.contains("resource instance") {
            items.push(block("li", &[instances(text)]));
        } else if text.ends_with(" configured") {
            items.push(block("li", &[span("", text)]));
        } else {
            options.push(block("li", &[escaped(text)]));
        }
    }
    if !section.after.is_empty() {
        let what = if status.maintenance_mode {
            " (the cluster will not attempt to start, stop, or recover services)"
        } else {
            " (the cluster will keep all resources stopped)"
        };
        items.push(block(
            "li",
            &[format!("{}{}{}", span("", "Resource management: "), span("bold", "DISABLED"), span("", what))],
        ));
    }
    if !options.is_empty() {
        items.push(block("li", &["<h3>Config Options</h3>".to_owned(), block("ul", &options)]));
    }
    items
}

/// The DC's line in the parts in which it is marked.
fn current_dc(text: &str) -> String {
    let mixed = text.contains(" - MIXED-VERSION partition ");
    let border = if mixed { " - MIXED-VERSION partition " } else { " - partition " };
    let Some((before, quorum)) = text.split_once(border) else {
        return span(if text == "NONE" { "warning" } else { "" }, text);
    };
    let (word, class) = if quorum.starts_with("WITHOUT") { (" WITHOUT", "warning") } else { (" with", "") };
    let partition = if mixed { span("warning", " MIXED-VERSION partition") } else { span("", " partition") };
    format!("{}{partition}{}{}", span("", &format!("{before} -")), span(class, word), span("", " quorum"))
}

fn instances(text: &str) -> String {
    let mut markup = String::new();
    let mut rest = text;
    for word in ["DISABLED", "BLOCKED"] {
        if let Some((before, after)) = rest.split_once(word) {
            markup.push_str(&span("", before));
            markup.push_str(&span("bold", word));
            rest = after;
        }
    }
    markup.push_str(&span("", rest));
    markup
}

/// The state of a node, in spans (rule 5b.13.2).
fn state(node: &NodeStatus) -> String {
    let mut text = if node.online { span("online", " online") } else { span("offline", " OFFLINE") };
    if node.standby_on_fail && node.online {
        text.push_str(&span("standby", " (in standby due to on-fail)"));
    } else if node.standby && node.online && !node.running.is_empty() {
        text.push_str(&span("standby", " (in standby, with active resources)"));
    } else if node.standby {
        text.push_str(&span("standby", " (in standby)"));
    }
    if node.maintenance {
        text.push_str(&span("maint", " (in maintenance mode)"));
    }
    match node.health {
        Health::Green => {}
        Health::Yellow => text.push_str(&span("health_yellow", " (health is YELLOW)")),
        Health::Red => text.push_str(&span("health_red", " (health is RED)")),
    }
    text
}

fn node_line(node: &NodeStatus, detail: bool) -> String {
    let set =
        node.feature_set.as_ref().filter(|_| detail).map(|set| span("", &format!(", feature set {set}")));
    let name = grouped::display_name(node, detail);
    format!("{}{}{}", span("bold", &format!("{name}:")), state(node), set.unwrap_or_default())
}

/// Each node with its state and what is active on it.
fn nodes_with_resources(section: &Section, status: &Status, detail: bool) -> Vec<String> {
    let entries = &section.entries;
    let Some(top) = entries.first().map(|entry| entry.level) else { return Vec::new() };
    let starts: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].level == top).collect();
    let mut items = Vec::new();
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(entries.len());
        // the order of the list is that of the nodes; brief lists leave some out
        let named = |node: &&NodeStatus| {
            entries[start].text.contains(&format!(" {}:", grouped::display_name(node, detail)))
        };
        let Some(node) = status.nodes.iter().find(named) else { continue };
        let set =
            node.feature_set.as_ref().filter(|_| detail).map(|set| span("", &format!(", feature set {set}")));
        let status = format!("{}{}{}", span("", "Status:"), state(node), set.unwrap_or_default());
        let mut children = vec![block("li", &[status])];
        children.extend(list(&entries[start + 1..end]));
        let name = grouped::display_name(node, detail);
        items.push(block("li", &[format!("<h3>{}:</h3>", escaped(&name)), block("ul", &children)]));
    }
    items
}

/// A text that cannot be taken for markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
        let entry = |level, text: &str, is_title| Entry {
            level,
            text: text.into(),
            is_title,
            class: None,
            markup: None,
        };
        let items = list(&[
            entry(1, "Node: a", true),
            entry(2, "x", false),
            entry(2, "y", false),
            entry(1, "z", false),
        ]);
        assert_eq!(items, ["<li>\n<h3>a:</h3>\n<ul>\n<li>x</li>\n<li>y</li>\n</ul>\n</li>", "<li>z</li>"]);
    }
}
