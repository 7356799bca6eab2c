//! The part of a tree that a stream mentions, while its commands are played.
//!
//! Invariants:
//! 1. A node that no command has made is one of the old tree, and remembers its place there
//!    (`origin`): it is added when it is first mentioned, below whatever its parent has become.
//! 2. A name that a node has left is kept as left, so that it is not taken for one of the old
//!    tree again.
//! 3. The parents of a node lead to the root, or to a node that was removed; never round.
//! 4. What is kept is in proportion to the bytes of the stream: a node has names, no paths, and no
//!    command has more nodes than its paths have components.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use super::record::Known;
use super::touched::Error;

pub(super) type Id = usize;
const ROOT: Id = 0;

/// One name in the tree.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The directory it is in; none for the root and for what was removed.
    parent: Option<Id>,
    name: Vec<u8>,
    /// Present children that were mentioned, and `None` for names that were left.
    children: HashMap<Vec<u8>, Option<Id>>,
    /// Directory and name in the old tree, for a node that was there.
    origin: Option<(Id, Vec<u8>)>,
    /// What the commands said of it.
    pub(super) known: Known,
}

#[derive(Debug)]
pub(super) struct Nodes(Vec<Node>);

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes(vec![Node {
            known: Known {
                directory: Some(true),
                ..Known::default()
            },
            ..Node::default()
        }])
    }
}

impl Index<Id> for Nodes {
    type Output = Node;
    fn index(&self, id: Id) -> &Node {
        &self.0[id]
    }
}

impl IndexMut<Id> for Nodes {
    fn index_mut(&mut self, id: Id) -> &mut Node {
        &mut self.0[id]
    }
}

impl Nodes {
    /// The node of a present path; nodes of the old tree are added as they are mentioned.
    pub(super) fn find(&mut self, path: &[u8]) -> Id {
        let mut id = ROOT;
        if path.is_empty() {
            return id;
        }
        for name in path.split(|&byte| byte == b'/') {
            id = match self[id].children.get(name) {
                Some(Some(child)) => *child,
                // A command on a name that was left makes no sense; taking it for a new node
                // without an origin keeps the fold total.
                Some(None) => self.add(id, name, None),
                None => {
                    let origin = self.is_of_old(id).then(|| (id, name.to_vec()));
                    self.add(id, name, origin)
                }
            };
        }
        id
    }

    fn is_of_old(&self, id: Id) -> bool {
        id == ROOT || self[id].origin.is_some()
    }

    fn add(&mut self, parent: Id, name: &[u8], origin: Option<(Id, Vec<u8>)>) -> Id {
        let id = self.0.len();
        self.0.push(Node {
            parent: Some(parent),
            name: name.to_vec(),
            origin,
            ..Node::default()
        });
        self[parent].known.directory = Some(true);
        self[parent].children.insert(name.to_vec(), Some(id));
        id
    }

    /// A new node at `path`. The kernel moves aside what is in the way; if it did not, the new
    /// node replaces it.
    pub(super) fn create(&mut self, path: &[u8]) -> Result<Id, Error> {
        let (parent, name) = self.place(path)?;
        self.vacate(parent, name);
        Ok(self.add(parent, name, None))
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        if from.is_empty() || to.is_empty() {
            return Err(Error::Root);
        }
        if from == to {
            return Ok(());
        }
        let id = self.find(from);
        let (parent, name) = self.place(to)?;
        if self.is_above(id, parent) {
            return Err(Error::MoveIntoItself {
                from: String::from_utf8_lossy(from).into_owned(),
                to: String::from_utf8_lossy(to).into_owned(),
            });
        }
        self.detach(id);
        self.vacate(parent, name);
        self[id].parent = Some(parent);
        self[id].name = name.to_vec();
        self[id].known.moved = true;
        self[parent].known.directory = Some(true);
        self[parent].children.insert(name.to_vec(), Some(id));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &[u8], directory: bool) -> Result<(), Error> {
        if path.is_empty() {
            return Err(Error::Root);
        }
        let id = self.find(path);
        self[id].known.directory = Some(directory);
        self.detach(id);
        Ok(())
    }

    /// The directory of a path, and the last component.
    fn place<'a>(&mut self, path: &'a [u8]) -> Result<(Id, &'a [u8]), Error> {
        match path.iter().rposition(|&byte| byte == b'/') {
            _ if path.is_empty() => Err(Error::Root),
            Some(slash) => Ok((self.find(&path[..slash]), &path[slash + 1..])),
            None => Ok((ROOT, path)),
        }
    }

    /// Makes room for a name; what a stream says nothing about is not there.
    fn vacate(&mut self, parent: Id, name: &[u8]) {
        if let Some(Some(occupant)) = self[parent].children.get(name) {
            let occupant = *occupant;
            self.detach(occupant);
        }
    }

    /// Takes a node out of its directory. What is below it stays below it.
    fn detach(&mut self, id: Id) {
        if let Some(parent) = self[id].parent.take() {
            let name = std::mem::take(&mut self[id].name);
            self[parent].children.insert(name, None);
        }
    }

    fn is_above(&self, id: Id, below: Id) -> bool {
        let mut current = Some(below);
        while let Some(node) = current {
            if node == id {
                return true;
            }
            current = self[node].parent;
        }
        false
    }

    /// What is known of every node, with its path in the old tree, if it was there, and in the new one; none for what was
    /// removed, also with a directory above it.
    pub(super) fn with_paths(
        &self,
    ) -> impl Iterator<Item = (&Known, Option<Vec<u8>>, Option<Vec<u8>>)> {
        self.0
            .iter()
            .enumerate()
            .map(|(id, node)| (&node.known, self.old_path(id), self.path(id)))
    }

    fn old_path(&self, id: Id) -> Option<Vec<u8>> {
        let place = |id: Id| {
            let (parent, name) = self[id].origin.as_ref()?;
            Some((*parent, name.as_slice()))
        };
        self.is_of_old(id).then(|| up(id, place).1)
    }

    fn path(&self, id: Id) -> Option<Vec<u8>> {
        let place = |id: Id| Some((self[id].parent?, self[id].name.as_slice()));
        let (top, path) = up(id, place);
        (top == ROOT).then_some(path)
    }
}

/// The path that leads to a node, and the node that it begins at.
fn up<'a>(id: Id, place: impl Fn(Id) -> Option<(Id, &'a [u8])>) -> (Id, Vec<u8>) {
    let mut names = Vec::new();
    let mut current = id;
    while let Some((parent, name)) = place(current) {
        names.push(name);
        current = parent;
    }
    names.reverse();
    (current, names.join(&b'/'))
}
