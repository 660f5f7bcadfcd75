//! The tree itself: an arena of nodes, one vector of attributes, one heap of text.
//!
//! Node ids stay valid until the node is removed; ids of removed nodes are never used again within the same
//! document, so that a stale id can be recognised ([`Document::contains`]). [`Document::compact`] gives back
//! the room of what was removed and is the only thing that changes ids.

use std::borrow::Cow;
use std::sync::Arc;

use crate::element::Element;
use crate::names::{NameId, Names};

/// A node of one document. Cheap to copy; meaningless in another document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u32);

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    Element,
    Comment,
    Text,
}

const NONE: u32 = u32::MAX;
const TEXT: NameId = NameId(u32::MAX);
const COMMENT: NameId = NameId(u32::MAX - 1);
/// Text no longer referenced that is tolerated before the heap is rewritten.
const TOLERATED_WASTE: usize = 1 << 16;

#[derive(Clone, Debug)]
struct Node {
    /// Element name, or [`TEXT`] or [`COMMENT`].
    name: NameId,
    parent: u32,
    first_child: u32,
    last_child: u32,
    previous: u32,
    next: u32,
    /// Element: first attribute; text or comment: offset in the heap.
    start: u32,
    /// Element: number of attributes; text or comment: bytes.
    count: u32,
    line: u32,
    column: u32,
}

#[derive(Clone, Copy, Debug)]
struct Attribute {
    name: NameId,
    start: u32,
    length: u32,
}

/// An XML document with exactly one root element. Comments inside the root are kept, processing
/// instructions and text that is only white space are not.
#[derive(Clone)]
pub struct Document {
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    /// The text that the document was read from, where values are used as they stand there; else empty.
    source: Arc<String>,
    /// All other text. Offsets count on from the end of `source`.
    heap: String,
    names: Arc<Names>,
    removed_nodes: usize,
    wasted_text: usize,
    wasted_attributes: usize,
}

impl Document {
    /// A document with an empty root element.
    pub fn new(root: &str) -> Document {
        let mut document = Document::empty();
        let name = document.intern(root);
        document.push_node(name);
        document
    }

    /// A document without a root, for the parser only.
    pub(crate) fn empty() -> Document {
        Document {
            nodes: Vec::new(),
            attributes: Vec::new(),
            source: Arc::default(),
            heap: String::new(),
            names: Arc::default(),
            removed_nodes: 0,
            wasted_text: 0,
            wasted_attributes: 0,
        }
    }

    /// A document without a root whose values may stand in `source`, for the parser only.
    pub(crate) fn within(source: Arc<String>) -> Document {
        Document { source, ..Document::empty() }
    }

    pub(crate) fn reserve(&mut self, input_bytes: usize) {
        self.nodes.reserve(input_bytes / 110);
        self.attributes.reserve(input_bytes / 28);
        if self.source.is_empty() {
            self.heap.reserve(input_bytes / 3);
        }
    }

    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    pub fn root_element(&self) -> Element<'_> {
        self.element(self.root())
    }

    /// A cursor on a node, for reading.
    pub fn element(&self, id: NodeId) -> Element<'_> {
        Element::new(self, id)
    }

    /// Whether the node is in the tree (not removed).
    pub fn contains(&self, id: NodeId) -> bool {
        self.nodes.get(id.0 as usize).is_some_and(|node| id.0 == 0 || node.parent != NONE)
            && self.ancestors(id).last().unwrap_or(id) == self.root()
    }

    pub fn kind(&self, id: NodeId) -> NodeKind {
        match self.node(id).name {
            TEXT => NodeKind::Text,
            COMMENT => NodeKind::Comment,
            _ => NodeKind::Element,
        }
    }

    /// Element name; `#comment` and `#text` for the other kinds.
    pub fn name(&self, id: NodeId) -> &str {
        match self.node(id).name {
            TEXT => "#text",
            COMMENT => "#comment",
            name => self.names.get(name),
        }
    }

    /// Gives an element another name.
    pub fn set_name(&mut self, id: NodeId, name: &str) {
        if self.kind(id) == NodeKind::Element {
            self.node_mut(id).name = self.intern(name);
        }
    }

    /// Line where the parser found the node (from 1); 0 if it was made later.
    pub fn line(&self, id: NodeId) -> u32 {
        self.node(id).line
    }

    /// Column (in characters, from 1) where the parser found the node; 0 if it was made later.
    pub fn column(&self, id: NodeId) -> u32 {
        self.node(id).column
    }

    /// Forgets where all elements stood in the text that they were read from, which is of no interest any more.
    pub fn forget_places(&mut self) {
        for node in &mut self.nodes {
            (node.line, node.column) = (0, 0);
        }
    }

    /// Says where an element stands: 1-based line and column of a text, 0 for nowhere.
    pub fn set_place(&mut self, id: NodeId, line: u32, column: u32) {
        let node = self.node_mut(id);
        node.line = line;
        node.column = column;
    }

    // ---- attributes

    pub fn attribute(&self, id: NodeId, name: &str) -> Option<&str> {
        self.attribute_slots(id)
            .iter()
            .find(|slot| self.names.get(slot.name) == name)
            .map(|slot| self.heap_text(slot.start, slot.length))
    }

    /// All attributes in document order.
    pub fn attributes(&self, id: NodeId) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.attribute_slots(id)
            .iter()
            .map(|slot| (self.names.get(slot.name), self.heap_text(slot.start, slot.length)))
    }

    /// The attribute at this position, counted from 0 in document order.
    pub fn attribute_at(&self, id: NodeId, position: usize) -> Option<(&str, &str)> {
        let slot = self.attribute_slots(id).get(position)?;
        Some((self.names.get(slot.name), self.heap_text(slot.start, slot.length)))
    }

    /// Sets an attribute; an existing one keeps its position. No effect on text and comments.
    pub fn set_attribute(&mut self, id: NodeId, name: &str, value: &str) {
        if self.kind(id) != NodeKind::Element {
            return;
        }
        let name = self.intern(name);
        let node = self.node(id);
        let (start, count) = (node.start as usize, node.count as usize);
        match self.attribute_slots(id).iter().position(|slot| slot.name == name) {
            Some(position) => {
                self.set_attribute_at(id, position, value);
            }
            None => {
                let (text_start, length) = self.push_text(value);
                self.relocate_attributes_to_end(id, start, count);
                self.push_attribute(id, Attribute { name, start: text_start, length });
            }
        }
    }

    /// Gives the attribute at this position, counted from 0 in document order, another value. Whether anything
    /// changed.
    pub fn set_attribute_at(&mut self, id: NodeId, position: usize, value: &str) -> bool {
        let Some(&Attribute { name, start, length }) = self.attribute_slots(id).get(position) else {
            return false;
        };
        if self.heap_text(start, length) == value {
            return false;
        }
        self.wasted_text += length as usize;
        let (text_start, length) = self.push_text(value);
        let first = self.node(id).start as usize;
        self.attributes[first + position] = Attribute { name, start: text_start, length };
        self.tidy_heap();
        true
    }

    /// Removes an attribute; returns whether it was there.
    pub fn remove_attribute(&mut self, id: NodeId, name: &str) -> bool {
        let Some(position) =
            self.attribute_slots(id).iter().position(|slot| self.names.get(slot.name) == name)
        else {
            return false;
        };
        let node = self.node(id);
        let (start, count) = (node.start as usize, node.count as usize);
        self.wasted_text += self.attributes[start + position].length as usize;
        self.attributes.copy_within(start + position + 1..start + count, start + position);
        self.node_mut(id).count -= 1;
        self.wasted_attributes += 1;
        self.tidy_heap();
        true
    }

    pub fn clear_attributes(&mut self, id: NodeId) {
        let waste: usize = self.attribute_slots(id).iter().map(|slot| slot.length as usize).sum();
        self.wasted_text += waste;
        self.wasted_attributes += self.attribute_slots(id).len();
        if self.kind(id) == NodeKind::Element {
            self.node_mut(id).count = 0;
        }
        self.tidy_heap();
    }

    fn attribute_slots(&self, id: NodeId) -> &[Attribute] {
        let node = self.node(id);
        if node.name == TEXT || node.name == COMMENT || node.count == 0 {
            return &[];
        }
        &self.attributes[node.start as usize..(node.start + node.count) as usize]
    }

    fn relocate_attributes_to_end(&mut self, id: NodeId, start: usize, count: usize) {
        if count == 0 {
            self.node_mut(id).start = self.attributes.len() as u32;
        } else if start + count != self.attributes.len() {
            let new_start = self.attributes.len() as u32;
            self.attributes.extend_from_within(start..start + count);
            self.wasted_attributes += count;
            self.node_mut(id).start = new_start;
        }
    }

    fn push_attribute(&mut self, id: NodeId, slot: Attribute) {
        self.attributes.push(slot);
        self.node_mut(id).count += 1;
    }

    /// Adds an attribute known to be new to the youngest element (parser and import).
    pub(crate) fn push_new_attribute(&mut self, id: NodeId, name: NameId, value: &str) {
        let text = self.push_text(value);
        self.push_attribute_at(id, name, text);
    }

    /// As [`push_new_attribute`](Self::push_new_attribute), where the value begins at `start` of the text that
    /// is being read.
    pub(crate) fn push_read_attribute(&mut self, id: NodeId, name: NameId, start: usize, value: &str) {
        match u32::try_from(start) {
            Ok(start) if !self.source.is_empty() => {
                self.push_attribute_at(id, name, (start, value.len() as u32));
            }
            _ => self.push_new_attribute(id, name, value),
        }
    }

    fn push_attribute_at(&mut self, id: NodeId, name: NameId, (start, length): (u32, u32)) {
        if self.node(id).count == 0 {
            self.node_mut(id).start = self.attributes.len() as u32;
        }
        self.push_attribute(id, Attribute { name, start, length });
    }

    pub(crate) fn has_attribute_named(&self, id: NodeId, name: NameId) -> bool {
        self.attribute_slots(id).iter().any(|slot| slot.name == name)
    }

    pub(crate) fn attribute_name(&self, id: NodeId, index: usize) -> Option<NameId> {
        self.attribute_slots(id).get(index).map(|slot| slot.name)
    }

    // ---- walking

    /// Child elements in document order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes(id).filter(|child| self.kind(*child) == NodeKind::Element)
    }

    /// Child elements of which an attribute has this value, in document order.
    pub fn children_with<'a>(
        &'a self,
        id: NodeId,
        attribute: &str,
        value: &'a str,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let name = self.names.find(attribute);
        let has = move |slot: &Attribute| {
            Some(slot.name) == name && self.heap_text(slot.start, slot.length) == value
        };
        self.children(id).filter(move |child| self.attribute_slots(*child).iter().any(has))
    }

    /// All child nodes: elements, comments and text.
    pub fn nodes(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(link(self.node(id).first_child), |child| link(self.node(*child).next))
    }

    /// First child element with this name.
    pub fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.children(id).find(|child| self.name(*child) == name)
    }

    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        link(self.node(id).parent)
    }

    /// Parent, its parent, … up to the root.
    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.parent(id), |ancestor| self.parent(*ancestor))
    }

    pub fn next_sibling(&self, id: NodeId) -> Option<NodeId> {
        link(self.node(id).next)
    }

    pub fn previous_sibling(&self, id: NodeId) -> Option<NodeId> {
        link(self.node(id).previous)
    }

    pub fn first_node(&self, id: NodeId) -> Option<NodeId> {
        link(self.node(id).first_child)
    }

    /// The element itself and all elements below it, in document order.
    pub fn descendants(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.subtree(id).filter(|node| self.kind(*node) == NodeKind::Element)
    }

    /// The node itself and all nodes of any kind below it, in document order.
    pub fn subtree(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(id), move |current| self.following_in(id, *current))
    }

    fn following_in(&self, top: NodeId, current: NodeId) -> Option<NodeId> {
        if let Some(child) = self.first_node(current) {
            return Some(child);
        }
        let mut current = current;
        while current != top {
            if let Some(next) = self.next_sibling(current) {
                return Some(next);
            }
            current = self.parent(current)?;
        }
        None
    }

    /// Index among the sibling elements and comments (text is not counted).
    pub fn position(&self, id: NodeId) -> usize {
        let mut position = 0;
        let mut current = self.previous_sibling(id);
        while let Some(sibling) = current {
            position += usize::from(self.kind(sibling) != NodeKind::Text);
            current = self.previous_sibling(sibling);
        }
        position
    }

    /// Every node slot in the arena, removed ones included, in no useful order.
    pub(crate) fn slots(&self) -> impl ExactSizeIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    // ---- text

    /// Own text: of an element the text directly below it (all pieces joined), of a comment or text node
    /// its content. Empty if there is none.
    pub fn text(&self, id: NodeId) -> Cow<'_, str> {
        let node = self.node(id);
        if self.kind(id) != NodeKind::Element {
            return Cow::Borrowed(self.heap_text(node.start, node.count));
        }
        let mut pieces = self.nodes(id).filter(|child| self.kind(*child) == NodeKind::Text);
        let Some(first) = pieces.next() else { return Cow::Borrowed("") };
        let mut text = self.text(first);
        for piece in pieces {
            text.to_mut().push_str(&self.text(piece));
        }
        text
    }

    /// Content of a comment or text node.
    pub(crate) fn leaf_text(&self, id: NodeId) -> &str {
        let node = self.node(id);
        match self.kind(id) {
            NodeKind::Element => "",
            _ => self.heap_text(node.start, node.count),
        }
    }

    /// Replaces the own text of an element (child elements and comments stay), or the content of a comment.
    pub fn set_text(&mut self, id: NodeId, text: &str) {
        if self.kind(id) != NodeKind::Element {
            self.set_content(id, text);
            return;
        }
        let old: Vec<NodeId> = self.nodes(id).filter(|child| self.kind(*child) == NodeKind::Text).collect();
        for piece in old {
            self.remove(piece);
        }
        if !text.is_empty() {
            self.append_text(id, text);
        }
    }

    /// The last child if it is text.
    pub(crate) fn last_text(&self, parent: NodeId) -> Option<NodeId> {
        link(self.node(parent).last_child).filter(|last| self.kind(*last) == NodeKind::Text)
    }

    pub(crate) fn extend_text(&mut self, id: NodeId, more: &str) {
        let node = self.node(id);
        if (node.start + node.count) as usize == self.text_length() {
            self.push_text(more);
            self.node_mut(id).count += more.len() as u32;
        } else {
            let text = self.leaf_text(id).to_owned() + more;
            self.set_content(id, &text);
        }
    }

    fn set_content(&mut self, id: NodeId, text: &str) {
        self.wasted_text += self.node(id).count as usize;
        let (start, length) = self.push_text(text);
        let node = self.node_mut(id);
        node.start = start;
        node.count = length;
        self.tidy_heap();
    }

    // ---- changing the tree

    /// Adds an element as the last child.
    pub fn append_element(&mut self, parent: NodeId, name: &str) -> NodeId {
        let name = self.intern(name);
        self.append_named(parent, name)
    }

    /// Inserts an element before the `index`-th child element or comment (at the end if there are fewer).
    pub fn insert_element(&mut self, parent: NodeId, index: usize, name: &str) -> NodeId {
        let name = self.intern(name);
        let id = self.push_node(name);
        self.link_at(parent, Some(index), id);
        id
    }

    pub fn append_comment(&mut self, parent: NodeId, text: &str) -> NodeId {
        self.append_leaf(parent, COMMENT, text)
    }

    pub fn insert_comment(&mut self, parent: NodeId, index: usize, text: &str) -> NodeId {
        let id = self.push_leaf(COMMENT, text);
        self.link_at(parent, Some(index), id);
        id
    }

    pub fn append_text(&mut self, parent: NodeId, text: &str) -> NodeId {
        self.append_leaf(parent, TEXT, text)
    }

    /// Takes a node with everything below it out of the tree. The root stays.
    pub fn remove(&mut self, id: NodeId) {
        if id == self.root() || self.node(id).parent == NONE {
            return;
        }
        let below: Vec<NodeId> = self.subtree(id).collect();
        self.unlink(id);
        for node in &below {
            self.wasted_text += match self.kind(*node) {
                NodeKind::Element => {
                    self.attribute_slots(*node).iter().map(|slot| slot.length as usize).sum()
                }
                _ => self.node(*node).count as usize,
            };
            self.wasted_attributes += self.attribute_slots(*node).len();
            // detached for good: neither attributes nor content survive the next tidying of the heap
            let slot = self.node_mut(*node);
            slot.count = 0;
            slot.parent = NONE;
            slot.first_child = NONE;
            slot.last_child = NONE;
            slot.previous = NONE;
            slot.next = NONE;
        }
        self.removed_nodes += below.len();
        self.tidy_heap();
    }

    /// Removes everything below an element; its attributes stay.
    pub fn clear_children(&mut self, id: NodeId) {
        while let Some(child) = self.first_node(id) {
            self.remove(child);
        }
    }

    /// Moves a node (with its subtree) to another place. Refused (false) for the root and for a place
    /// inside the node itself.
    pub fn move_to(&mut self, id: NodeId, parent: NodeId, index: Option<usize>) -> bool {
        if id == self.root() || parent == id || self.ancestors(parent).any(|above| above == id) {
            return false;
        }
        self.unlink(id);
        self.link_at(parent, index, id);
        true
    }

    /// Moves a child of `parent` before another one; without that to the end.
    pub(crate) fn move_before(&mut self, id: NodeId, parent: NodeId, before: Option<NodeId>) {
        self.unlink(id);
        self.link_before(parent, before, id);
    }

    /// As [`import`](Self::import), before a given child; without that to the end.
    pub fn import_before(
        &mut self,
        parent: NodeId,
        before: Option<NodeId>,
        other: &Document,
        other_id: NodeId,
    ) -> NodeId {
        let top = self.copy_node(other, other_id);
        self.link_before(parent, before, top);
        self.copy_children(top, other, other_id);
        top
    }

    /// Copies a subtree of another document; without an index to the end. Returns the copy.
    pub fn import(
        &mut self,
        parent: NodeId,
        index: Option<usize>,
        other: &Document,
        other_id: NodeId,
    ) -> NodeId {
        let before = self.child_at(parent, index);
        self.import_before(parent, before, other, other_id)
    }

    /// Copies a subtree within this document; without an index to the end. Returns the copy.
    pub fn duplicate(&mut self, parent: NodeId, index: Option<usize>, id: NodeId) -> NodeId {
        let copy = self.extract(id);
        self.import(parent, index, &copy, copy.root())
    }

    /// A new document with a copy of this subtree as its root.
    pub fn extract(&self, id: NodeId) -> Document {
        let mut copy = Document::empty();
        copy.names = Arc::clone(&self.names);
        let top = copy.copy_node(self, id);
        copy.copy_children(top, self, id);
        copy
    }

    fn copy_children(&mut self, top: NodeId, other: &Document, other_top: NodeId) {
        // pairs of (source, copy) still open, innermost last
        let mut open = vec![(other_top, top)];
        for source in other.subtree(other_top).skip(1) {
            let parent = other.parent(source);
            while open.last().is_some_and(|(above, _)| Some(*above) != parent) {
                open.pop();
            }
            let Some((_, parent_copy)) = open.last().copied() else { return };
            let copy = self.copy_node(other, source);
            self.link_last(parent_copy, copy);
            open.push((source, copy));
        }
    }

    fn copy_node(&mut self, other: &Document, source: NodeId) -> NodeId {
        let node = other.node(source);
        let same_names = Arc::ptr_eq(&self.names, &other.names);
        let copy = match other.kind(source) {
            NodeKind::Element => {
                let name = if same_names { node.name } else { self.intern(other.name(source)) };
                let copy = self.push_node(name);
                for slot in other.attribute_slots(source) {
                    let name = if same_names { slot.name } else { self.intern(other.names.get(slot.name)) };
                    self.push_new_attribute(copy, name, other.heap_text(slot.start, slot.length));
                }
                copy
            }
            _ => self.push_leaf(node.name, other.heap_text(node.start, node.count)),
        };
        self.set_place(copy, node.line, node.column);
        copy
    }

    /// Gives back the room of removed nodes and replaced text. All node ids change.
    pub fn compact(&mut self) {
        *self = self.extract(self.root());
    }

    /// Whether more than half of the arena is room of removed nodes, so that [`compact`](Self::compact)
    /// is worth its price.
    pub fn is_sparse(&self) -> bool {
        self.removed_nodes > 1024 && self.removed_nodes * 2 > self.nodes.len()
            || self.wasted_attributes > 65_536 && self.wasted_attributes * 2 > self.attributes.len()
    }

    /// Whether two subtrees are equal: names, attributes with their order, text, comments, children.
    pub fn same(&self, id: NodeId, other: &Document, other_id: NodeId) -> bool {
        let mut left = self.subtree(id);
        let mut right = other.subtree(other_id);
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) => {
                    if !self.same_node(a, other, b)
                        || self.first_node(a).is_some() != other.first_node(b).is_some()
                        || (a != id && self.next_sibling(a).is_some() != other.next_sibling(b).is_some())
                    {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }

    fn same_node(&self, id: NodeId, other: &Document, other_id: NodeId) -> bool {
        self.kind(id) == other.kind(other_id)
            && match self.kind(id) {
                NodeKind::Element => {
                    self.name(id) == other.name(other_id)
                        && self.attributes(id).eq(other.attributes(other_id))
                }
                _ => self.text(id) == other.text(other_id),
            }
    }

    // ---- arena

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    pub(crate) fn intern(&mut self, name: &str) -> NameId {
        match self.names.find(name) {
            Some(id) => id,
            None => Arc::make_mut(&mut self.names).intern(name),
        }
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn push_node(&mut self, name: NameId) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node {
            name,
            parent: NONE,
            first_child: NONE,
            last_child: NONE,
            previous: NONE,
            next: NONE,
            start: 0,
            count: 0,
            line: 0,
            column: 0,
        });
        id
    }

    pub(crate) fn append_named(&mut self, parent: NodeId, name: NameId) -> NodeId {
        let id = self.push_node(name);
        self.link_last(parent, id);
        id
    }

    fn push_leaf(&mut self, name: NameId, text: &str) -> NodeId {
        let id = self.push_node(name);
        let (start, length) = self.push_text(text);
        let node = self.node_mut(id);
        node.start = start;
        node.count = length;
        id
    }

    fn append_leaf(&mut self, parent: NodeId, name: NameId, text: &str) -> NodeId {
        let id = self.push_leaf(name, text);
        self.link_last(parent, id);
        id
    }

    fn link_last(&mut self, parent: NodeId, id: NodeId) {
        let last = self.node(parent).last_child;
        let node = self.node_mut(id);
        node.parent = parent.0;
        node.previous = last;
        node.next = NONE;
        match link(last) {
            Some(last) => self.node_mut(last).next = id.0,
            None => self.node_mut(parent).first_child = id.0,
        }
        self.node_mut(parent).last_child = id.0;
    }

    fn link_at(&mut self, parent: NodeId, index: Option<usize>, id: NodeId) {
        let before = self.child_at(parent, index);
        self.link_before(parent, before, id);
    }

    /// The `index`-th child element or comment.
    fn child_at(&self, parent: NodeId, index: Option<usize>) -> Option<NodeId> {
        self.nodes(parent).filter(|child| self.kind(*child) != NodeKind::Text).nth(index?)
    }

    fn link_before(&mut self, parent: NodeId, before: Option<NodeId>, id: NodeId) {
        let Some(before) = before else { return self.link_last(parent, id) };
        let previous = self.node(before).previous;
        let node = self.node_mut(id);
        node.parent = parent.0;
        node.previous = previous;
        node.next = before.0;
        self.node_mut(before).previous = id.0;
        match link(previous) {
            Some(previous) => self.node_mut(previous).next = id.0,
            None => self.node_mut(parent).first_child = id.0,
        }
    }

    fn unlink(&mut self, id: NodeId) {
        let Node { parent, previous, next, .. } = *self.node(id);
        match (link(previous), link(parent)) {
            (Some(previous), _) => self.node_mut(previous).next = next,
            (None, Some(parent)) => self.node_mut(parent).first_child = next,
            _ => {}
        }
        match (link(next), link(parent)) {
            (Some(next), _) => self.node_mut(next).previous = previous,
            (None, Some(parent)) => self.node_mut(parent).last_child = previous,
            _ => {}
        }
    }

    // ---- heap of text

    fn heap_text(&self, start: u32, length: u32) -> &str {
        text_at(&self.source, &self.heap, start, length)
    }

    /// Bytes of all text, with what is no longer referenced.
    fn text_length(&self) -> usize {
        self.source.len() + self.heap.len()
    }

    fn push_text(&mut self, text: &str) -> (u32, u32) {
        let start = u32::try_from(self.text_length()).expect("a document holds less than 4 GiB of text");
        self.heap.push_str(text);
        (start, text.len() as u32)
    }

    /// Rewrites the heap when most of it is no longer referenced; ids stay as they are.
    fn tidy_heap(&mut self) {
        if self.wasted_text < TOLERATED_WASTE || self.wasted_text * 2 < self.text_length() {
            return;
        }
        let (source, old) = (std::mem::take(&mut self.source), std::mem::take(&mut self.heap));
        for index in 0..self.nodes.len() {
            let Node { name, start, count, .. } = self.nodes[index];
            if name == TEXT || name == COMMENT {
                self.nodes[index].start = self.heap.len() as u32;
                self.heap.push_str(text_at(&source, &old, start, count));
                continue;
            }
            for slot in &mut self.attributes[start as usize..(start + count) as usize] {
                let text = text_at(&source, &old, slot.start, slot.length);
                slot.start = self.heap.len() as u32;
                self.heap.push_str(text);
            }
        }
        self.wasted_text = 0;
    }
}

fn text_at<'t>(source: &'t str, heap: &'t str, start: u32, length: u32) -> &'t str {
    let (start, length) = (start as usize, length as usize);
    match start.checked_sub(source.len()) {
        Some(start) => &heap[start..start + length],
        None => &source[start..start + length],
    }
}

fn link(raw: u32) -> Option<NodeId> {
    (raw != NONE).then_some(NodeId(raw))
}

impl PartialEq for Document {
    fn eq(&self, other: &Document) -> bool {
        self.same(self.root(), other, other.root())
    }
}

impl Eq for Document {}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}
