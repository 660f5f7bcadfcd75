//! Location, colocation, order and ticket constraints.

use super::{Kind, Maker};

const SCORES: &[&str] = &["INFINITY", "-INFINITY", "100", "10", "1", "-10", "-100", "0", "INFINITY"];

impl Maker {
    pub(super) fn constraints(&mut self) -> String {
        let mut out = String::new();
        if self.named.is_empty() {
            return out;
        }
        for _ in 0..self.random.between(0, 3) {
            out += &self.location();
        }
        for _ in 0..if self.colocations { self.random.between(0, 3) } else { 0 } {
            out += &self.colocation();
        }
        for _ in 0..self.random.between(0, 3) {
            out += &self.order();
        }
        if self.random.chance(12) {
            out += &self.ticket();
        }
        out
    }

    /// Something that a constraint can name; rarely a group's member or a tag.
    fn target(&mut self) -> (String, Kind) {
        if !self.tags.is_empty() && self.random.chance(6) {
            return ("tag1".to_owned(), Kind::Primitive);
        }
        // one that nothing is derived from would stand for nothing
        if self.derived && self.random.chance(4) {
            return (self.templates[0].clone(), Kind::Primitive);
        }
        loop {
            let (id, kind) = self.random.pick(&self.named).clone();
            let seldom = matches!(kind, Kind::Member | Kind::Fencing | Kind::Remote);
            let all_seldom = self
                .named
                .iter()
                .all(|(_, kind)| matches!(kind, Kind::Member | Kind::Fencing | Kind::Remote));
            if all_seldom || !seldom || self.random.chance(15) {
                return (id, kind);
            }
        }
    }

    /// Two different targets, of which one is not within the other.
    fn two_targets(&mut self) -> Option<((String, Kind), (String, Kind))> {
        for _ in 0..8 {
            let (one, other) = (self.target(), self.target());
            // a tag may hold the other one, which is rarely wanted
            let tagged = (one.0 == "tag1" || other.0 == "tag1") && !self.random.chance(30);
            if !one.0.starts_with(&other.0) && !other.0.starts_with(&one.0) && !tagged {
                return Some((one, other));
            }
        }
        None
    }

    fn several_targets(&mut self, most: usize) -> Vec<(String, Kind)> {
        let mut found: Vec<(String, Kind)> = Vec::new();
        for _ in 0..most * 3 {
            let (id, kind) = self.target();
            let new =
                found.iter().all(|(other, _)| !other.starts_with(&id) && !id.starts_with(other.as_str()));
            // what a tag or template stands for may be there already
            let plain = id != "tag1" && !self.templates.contains(&id);
            if new && plain && found.len() < most {
                found.push((id, kind));
            }
        }
        found
    }

    fn role(&mut self, kind: Kind, attribute: &str) -> String {
        let roles: &[&str] = match kind {
            Kind::Promotable | Kind::Bundle => &["Promoted", "Master", "Unpromoted", "Started", "Slave"],
            _ => &["Started"],
        };
        let percent = if kind == Kind::Promotable { 55 } else { 5 };
        if self.random.chance(percent) {
            format!(" {attribute}=\"{}\"", self.random.pick(roles))
        } else {
            String::new()
        }
    }

    fn location(&mut self) -> String {
        let number = self.number();
        let (id, kind) = self.target();
        let mut names = self.nodes.clone();
        names.extend(self.remotes.iter().chain(&self.guests).cloned());
        let node = self.random.pick(&names).clone();
        let score = *self.random.pick(SCORES);
        let role = self.role(kind, "role");
        let discovery = if self.random.chance(10) {
            format!(" resource-discovery=\"{}\"", self.random.word(&["always", "never", "exclusive"]))
        } else {
            String::new()
        };
        let resource = match self.random.below(20) {
            0 => format!(
                " rsc-pattern=\"{}\"",
                self.random.word(&["^[pg][0-9]", "!^c", "([a-z]+)([0-9])", "fence|vm", "m1$"])
            ),
            1 => {
                let sets = self.set(2, "");
                return format!(
                    "<rsc_location id=\"l{number}\" node=\"{node}\" score=\"{score}\">{sets}</rsc_location>\n"
                );
            }
            _ => format!(" rsc=\"{id}\""),
        };
        if self.random.chance(65) {
            return format!(
                "<rsc_location id=\"l{number}\"{resource} node=\"{node}\" score=\"{score}\"{role}{discovery}/>\n"
            );
        }
        let rule = self.location_rule(kind);
        format!("<rsc_location id=\"l{number}\"{resource}{discovery}>{rule}</rsc_location>\n")
    }

    fn location_rule(&mut self, kind: Kind) -> String {
        let number = self.number();
        let role = self.role(kind, "role");
        let score = if self.random.chance(20) {
            "score-attribute=\"power\"".to_owned()
        } else {
            format!("score=\"{}\"", self.random.pick(SCORES))
        };
        let operation = self.random.word(&["and", "or"]);
        let mut conditions: String = (0..self.random.between(1, 2)).map(|_| self.node_condition()).collect();
        if self.random.chance(12) {
            let inner = self.number();
            let (one, other) = (self.node_condition(), self.node_condition());
            conditions += &format!("<rule id=\"r{inner}\" boolean-op=\"or\" score=\"0\">{one}{other}</rule>");
        }
        format!("<rule id=\"r{number}\" boolean-op=\"{operation}\" {score}{role}>{conditions}</rule>")
    }

    pub(super) fn node_condition(&mut self) -> String {
        let number = self.number();
        match self.random.below(9) {
            6 => format!(
                "<expression id=\"e{number}\" attribute=\"{}\" operation=\"{}\" value=\"{}\"/>",
                self.random.word(&["#site-name", "#cluster-name", "#is_dc", "#id", "%1"]),
                self.random.word(&["eq", "ne"]),
                self.random.word(&["site-a", "site-b", "true", "1"])
            ),
            7 => format!(
                "<expression id=\"e{number}\" attribute=\"power\" operation=\"{}\" value=\"{}\" type=\"{}\"/>",
                self.random.word(&["lt", "gt", "eq", "ne"]),
                self.random.word(&["9", "10.0", "-50", "x"]),
                self.random.word(&["string", "integer", "number", "version"])
            ),
            0 => format!(
                "<expression id=\"e{number}\" attribute=\"#uname\" operation=\"{}\" value=\"node1\"/>",
                self.random.word(&["eq", "ne"])
            ),
            1 => format!(
                "<expression id=\"e{number}\" attribute=\"rack\" operation=\"{}\"/>",
                self.random.word(&["defined", "not_defined"])
            ),
            2 => format!(
                "<expression id=\"e{number}\" attribute=\"rack\" operation=\"{}\" value=\"a\"/>",
                self.random.word(&["eq", "ne", "gt", "lte"])
            ),
            3 => format!(
                "<expression id=\"e{number}\" attribute=\"power\" type=\"number\" operation=\"{}\" value=\"10\"/>",
                self.random.word(&["lt", "gte", "eq"])
            ),
            4 => format!(
                "<expression id=\"e{number}\" attribute=\"#kind\" operation=\"{}\" value=\"{}\"/>",
                self.random.word(&["eq", "ne"]),
                self.random.word(&["cluster", "remote", "container"])
            ),
            _ => self.date_condition(),
        }
    }

    fn colocation(&mut self) -> String {
        let number = self.number();
        let score = *self.random.pick(SCORES);
        let influence = if self.random.chance(10) { " influence=\"false\"" } else { "" };
        if self.random.chance(15) {
            let order = self.random.clone().chance(50);
            let sets = self.sets(order);
            return format!("<rsc_colocation id=\"k{number}\" score=\"{score}\">{sets}</rsc_colocation>\n");
        }
        let Some(((one, one_kind), (other, other_kind))) = self.two_targets() else { return String::new() };
        let role = self.role(one_kind, "rsc-role");
        let with = self.role(other_kind, "with-rsc-role");
        let attribute = if self.random.chance(10) { " node-attribute=\"rack\"" } else { "" };
        format!(
            "<rsc_colocation id=\"k{number}\" rsc=\"{one}\" with-rsc=\"{other}\" score=\"{score}\"{role}{with}{attribute}{influence}/>\n"
        )
    }

    fn order(&mut self) -> String {
        let number = self.number();
        let kind = if self.random.chance(8) {
            format!(" score=\"{}\"", self.random.word(&["0", "INFINITY", "-5"]))
        } else if self.random.chance(50) {
            format!(" kind=\"{}\"", self.random.word(&["Optional", "Mandatory", "Serialize"]))
        } else {
            String::new()
        };
        let symmetrical =
            if self.random.chance(15) && !kind.contains("Serialize") { " symmetrical=\"false\"" } else { "" };
        if self.random.chance(15) {
            let sets = self.sets(true);
            return format!("<rsc_order id=\"o{number}\"{kind}{symmetrical}>{sets}</rsc_order>\n");
        }
        let Some(((one, one_kind), (other, other_kind))) = self.two_targets() else { return String::new() };
        // one direction only, or there would be cycles
        let ((first, first_kind), (then, then_kind)) = if one < other || self.random.chance(4) {
            ((one, one_kind), (other, other_kind))
        } else {
            ((other, other_kind), (one, one_kind))
        };
        let first_action = self.action(first_kind, "first-action");
        let then_action = self.action(then_kind, "then-action");
        let all = if self.random.chance(8) { " require-all=\"false\"" } else { "" };
        format!(
            "<rsc_order id=\"o{number}\" first=\"{first}\" then=\"{then}\"{kind}{symmetrical}{first_action}{then_action}{all}/>\n"
        )
    }

    fn action(&mut self, kind: Kind, attribute: &str) -> String {
        let actions: &[&str] = match kind {
            Kind::Promotable => &["promote", "start", "stop", "demote", "promote"],
            _ => &["start", "stop"],
        };
        let percent = if kind == Kind::Promotable { 60 } else { 12 };
        if self.random.chance(percent) {
            format!(" {attribute}=\"{}\"", self.random.pick(actions))
        } else {
            String::new()
        }
    }

    fn sets(&mut self, order: bool) -> String {
        let targets = self.several_targets(5);
        let split = self.random.between(1, targets.len().max(1));
        let (one, other) = targets.split_at(split.min(targets.len()));
        let (other, third) = other.split_at(self.random.between(0, other.len()));
        [one, other, third]
            .into_iter()
            .filter(|set| !set.is_empty())
            .map(|set| self.set_of(set, order))
            .collect()
    }

    fn set(&mut self, most: usize, more: &str) -> String {
        let targets = self.several_targets(most);
        let number = self.number();
        let body: String = targets.iter().map(|(id, _)| format!("<resource_ref id=\"{id}\"/>")).collect();
        format!("<resource_set id=\"s{number}\"{more}>{body}</resource_set>")
    }

    fn set_of(&mut self, members: &[(String, Kind)], order: bool) -> String {
        let number = self.number();
        let mut more = String::new();
        if self.random.chance(40) {
            more += " sequential=\"false\"";
            if order && self.random.chance(40) {
                more += " require-all=\"false\"";
            }
        }
        let promotable = members.iter().all(|(_, kind)| *kind == Kind::Promotable);
        if promotable && self.random.chance(50) {
            more += if order { " action=\"promote\"" } else { " role=\"Promoted\"" };
        }
        if self.random.chance(8) {
            more += if order {
                self.random.word(&[" kind=\"Optional\"", " kind=\"Serialize\"", " score=\"0\""])
            } else {
                self.random.word(&[" score=\"7\"", " score=\"-INFINITY\"", " ordering=\"listed\""])
            };
        }
        if order && self.random.chance(8) {
            more = more.replace(" action=\"promote\"", "") + " action=\"stop\"";
        }
        let body: String = members.iter().map(|(id, _)| format!("<resource_ref id=\"{id}\"/>")).collect();
        format!("<resource_set id=\"s{number}\"{more}>{body}</resource_set>")
    }

    fn ticket(&mut self) -> String {
        let number = self.number();
        let (id, kind) = self.target();
        let policies: &[&str] =
            if self.fencing { &["stop", "demote", "freeze", "fence"] } else { &["stop", "demote", "freeze"] };
        let policy = if self.random.chance(70) {
            format!(" loss-policy=\"{}\"", self.random.pick(policies))
        } else {
            String::new()
        };
        if self.random.chance(15) {
            let sets = self.set(3, "");
            return format!("<rsc_ticket id=\"t{number}\" ticket=\"ticket1\"{policy}>{sets}</rsc_ticket>\n");
        }
        let role = self.role(kind, "rsc-role");
        format!("<rsc_ticket id=\"t{number}\" rsc=\"{id}\" ticket=\"ticket1\"{policy}{role}/>\n")
    }
}
