use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn path(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn make_file(text: &str) -> Command {
    Command::MakeFile { path: path(text) }
}

fn make_directory(text: &str) -> Command {
    Command::MakeDirectory { path: path(text) }
}

fn rename(from: &str, to: &str) -> Command {
    Command::Rename {
        from: path(from),
        to: path(to),
    }
}

fn unlink(text: &str) -> Command {
    Command::Unlink { path: path(text) }
}

fn update(text: &str) -> Command {
    Command::UpdateExtent {
        path: path(text),
        length: 10,
    }
}

fn times(text: &str) -> Command {
    Command::Times { path: path(text) }
}

fn folded(commands: impl IntoIterator<Item = Command>) -> Touched {
    let all = commands.into_iter().chain([Command::End]);
    fold(all.map(Ok)).unwrap()
}

fn names(touched: &Touched) -> Vec<String> {
    touched
        .paths
        .keys()
        .map(|path| String::from_utf8(path.clone()).unwrap())
        .collect()
}

#[test]
fn resolves_temporary_names() {
    let touched = folded([
        make_file("o300-9-0"),
        rename("o300-9-0", "upper/etc/new"),
        update("upper/etc/new"),
        times("upper/etc/new"),
        times("upper/etc"),
    ]);
    assert_eq!(names(&touched), ["upper/etc/new"]);
    let touch = &touched.paths[&path("upper/etc/new")];
    assert_eq!(touch.created, Some(Created::File));
    assert!(!touch.before && touch.after && touch.content);
    assert_eq!(touch.directory, Some(false));
    assert_eq!(touched.only_times, [path("upper/etc")].into());
    assert!(touched.renamed.is_empty());
}

#[test]
fn follows_a_file_through_a_renamed_directory() {
    let touched = folded([
        make_directory("o301-9-0"),
        rename("upper/a", "o260-5-0"),
        rename("o260-5-0", "upper/b"),
        update("upper/b/file"),
        unlink("upper/b/gone"),
        rename("o301-9-0", "upper/a"),
    ]);
    assert_eq!(
        names(&touched),
        [
            "upper/a",
            "upper/a/file",
            "upper/a/gone",
            "upper/b",
            "upper/b/file"
        ]
    );
    assert_eq!(
        touched.renamed,
        [Renamed {
            from: path("upper/a"),
            to: path("upper/b"),
            directory: Some(true)
        }]
    );
    let replaced = &touched.paths[&path("upper/a")];
    assert_eq!(replaced.created, Some(Created::Directory));
    assert!(replaced.before && replaced.after);
    assert!(!touched.paths[&path("upper/a/gone")].after);
    let moved = &touched.paths[&path("upper/b/file")];
    assert!(!moved.before && moved.after);
}

#[test]
fn a_directory_moved_aside_and_back_is_not_touched() {
    let touched = folded([
        rename("upper/a", "o260-5-0"),
        rename("o260-5-0", "upper/a"),
        times("upper/a"),
    ]);
    assert!(touched.paths.is_empty() && touched.renamed.is_empty());
    assert_eq!(touched.only_times, [path("upper/a")].into());
}

#[test]
fn a_file_replaced_by_rename_is_one_path() {
    let touched = folded([
        make_file("o300-9-0"),
        unlink("upper/f"),
        rename("o300-9-0", "upper/f"),
        Command::ChangeMode {
            path: path("upper/f"),
            mode: 0o644,
        },
    ]);
    let touch = &touched.paths[&path("upper/f")];
    assert!(touch.before && touch.after && touch.content);
    assert_eq!(touched.paths.len(), 1);
}

#[test]
fn knows_whiteouts_also_as_links_and_opaque_directories() {
    let opaque = |value: Option<&str>| match value {
        Some(value) => Command::SetXattr {
            path: path("upper/d"),
            name: b"trusted.overlay.opaque".to_vec(),
            value: path(value),
        },
        None => Command::RemoveXattr {
            path: path("upper/d"),
            name: b"trusted.overlay.opaque".to_vec(),
        },
    };
    let touched = folded([
        Command::MakeNode {
            path: path("o300-9-0"),
            mode: 0o20644,
            device: 0,
        },
        rename("o300-9-0", "upper/one"),
        Command::Link {
            path: path("upper/two"),
            existing: path("upper/one"),
        },
        Command::MakeNode {
            path: path("upper/null"),
            mode: 0o20666,
            device: 0x103,
        },
        opaque(Some("y")),
    ]);
    let created = |text: &str| touched.paths[&path(text)].created;
    assert_eq!(created("upper/one"), Some(Created::Whiteout));
    assert_eq!(created("upper/two"), Some(Created::Whiteout));
    assert_eq!(created("upper/null"), Some(Created::Device));
    assert_eq!(touched.paths[&path("upper/d")].opaque, Some(true));
    let removed = folded([opaque(None)]);
    assert_eq!(removed.paths[&path("upper/d")].opaque, Some(false));
}

#[test]
fn tells_an_inode_that_changed_where_it_stood() {
    let link = Command::Link {
        path: path("second"),
        existing: path("first"),
    };
    let touched = folded([
        link,
        update("first"),
        make_file("o300-9-0"),
        rename("o300-9-0", "new"),
        update("new"),
    ]);
    let in_place = |text: &str| touched.paths[&path(text)].in_place;
    assert!(in_place("first"));
    assert!(!in_place("second") && !in_place("new"));
}

#[test]
fn overlay_notes_to_itself_are_no_change() {
    let set = |name: &str| Command::SetXattr {
        path: path("upper/d"),
        name: path(name),
        value: path("y"),
    };
    let touched = folded([set("trusted.overlay.impure"), set("trusted.overlay.origin")]);
    assert!(touched.paths.is_empty());
    let touched = folded([set("security.capability")]);
    assert!(touched.paths[&path("upper/d")].xattrs);
    let touched = folded([set("trusted.overlay.redirect")]);
    assert!(touched.paths[&path("upper/d")].xattrs);
}

#[test]
fn refuses_steps_that_no_tree_has() {
    let failing = |command| fold([Ok(command), Ok(Command::End)]).unwrap_err();
    assert_eq!(
        failing(rename("a", "a/b/c")).to_string(),
        "the send stream moves a into a/b/c, which is itself or below it"
    );
    assert!(matches!(failing(rename("", "a")), Error::Root));
    assert!(matches!(failing(unlink("")), Error::Root));
    assert!(matches!(failing(make_file("")), Error::Root));
    assert!(matches!(fold([]), Err(Error::NoEnd)));
    let broken = stream::Error::NoStream;
    assert!(matches!(fold([Err(broken)]), Err(Error::Stream(_))));
}

/// The same steps played on a whole tree, name by name: slow, and obviously right.
#[derive(Clone, Default)]
struct Model {
    /// Path → inode.
    tree: BTreeMap<String, usize>,
    directories: Vec<bool>,
    changed: Vec<bool>,
}

impl Model {
    fn sample() -> Model {
        let mut model = Model::default();
        for (name, directory) in [
            ("a", true),
            ("a/1", false),
            ("a/2", false),
            ("a/b", true),
            ("a/b/3", false),
            ("a/b/c", true),
            ("a/b/c/4", false),
            ("d", true),
            ("d/5", false),
            ("e", false),
        ] {
            model.add(name, directory);
        }
        model
    }

    fn add(&mut self, name: &str, directory: bool) {
        self.tree.insert(name.to_owned(), self.directories.len());
        self.directories.push(directory);
        self.changed.push(false);
    }

    fn is_directory(&self, name: &str) -> bool {
        self.directories[self.tree[name]]
    }

    fn below(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}/");
        let all = self.tree.keys();
        all.filter(|path| path.starts_with(&prefix))
            .cloned()
            .collect()
    }

    /// Plays one step picked by numbers; `None` where the tree has no such step.
    fn step(&mut self, kind: u8, first: usize, second: usize) -> Option<Command> {
        let all: Vec<String> = self.tree.keys().cloned().collect();
        let name = all.get(first % all.len().max(1))?.clone();
        let directories: Vec<_> = all.iter().filter(|name| self.is_directory(name)).collect();
        let mut places: Vec<String> = directories.iter().map(|name| format!("{name}/")).collect();
        places.push(String::new());
        let fresh = format!("{}n{}", places[second % places.len()], second % 7);
        match kind {
            0 | 1 if !self.tree.contains_key(&fresh) => {
                self.add(&fresh, kind == 1);
                Some(if kind == 1 {
                    make_directory(&fresh)
                } else {
                    make_file(&fresh)
                })
            }
            2 | 3 if !self.tree.contains_key(&fresh) && !fresh.starts_with(&format!("{name}/")) => {
                for old in self.below(&name).into_iter().chain([name.clone()]) {
                    let inode = self.tree.remove(&old)?;
                    self.tree
                        .insert(format!("{fresh}{}", &old[name.len()..]), inode);
                }
                Some(rename(&name, &fresh))
            }
            4 if !self.is_directory(&name) => {
                self.tree.remove(&name);
                Some(unlink(&name))
            }
            5 if self.is_directory(&name) && self.below(&name).is_empty() => {
                self.tree.remove(&name);
                Some(Command::RemoveDirectory { path: path(&name) })
            }
            6 if !self.is_directory(&name) => {
                let inode = self.tree[&name];
                self.changed[inode] = true;
                Some(update(&name))
            }
            7 => {
                let inode = self.tree[&name];
                self.changed[inode] = true;
                Some(Command::ChangeMode {
                    path: path(&name),
                    mode: 0o755,
                })
            }
            8 => Some(times(&name)),
            _ => None,
        }
    }
}

fn covered_by_rename(touched: &Touched, text: &str) -> bool {
    touched.renamed.iter().any(|renamed| {
        [&renamed.from, &renamed.to].iter().any(|end| {
            let rest = text.as_bytes().strip_prefix(end.as_slice());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_a_whole_tree(steps in prop::collection::vec((0..9u8, 0..64usize, 0..64usize), 0..40)) {
        let old = Model::sample();
        let mut new = old.clone();
        let commands: Vec<Command> = steps.into_iter()
            .filter_map(|(kind, first, second)| new.step(kind, first, second)).collect();
        let touched = folded(commands);
        for name in old.tree.keys().chain(new.tree.keys()) {
            let (before, after) = (old.tree.get(name), new.tree.get(name));
            let differs = before != after || after.is_some_and(|inode| new.changed[*inode]);
            let touch = touched.paths.get(name.as_bytes());
            match touch {
                Some(touch) => {
                    prop_assert!(differs, "{} is the same", name);
                    if !covered_by_rename(&touched, name) {
                        prop_assert_eq!(touch.before, before.is_some(), "{} before", name);
                        prop_assert_eq!(touch.after, after.is_some(), "{} after", name);
                    }
                }
                None => prop_assert!(!differs || covered_by_rename(&touched, name), "{} differs", name),
            }
        }
        for name in touched.paths.keys() {
            let name = std::str::from_utf8(name).unwrap();
            prop_assert!(old.tree.contains_key(name) || new.tree.contains_key(name), "{} is nowhere", name);
        }
        for renamed in &touched.renamed {
            let (from, to) = (String::from_utf8_lossy(&renamed.from), String::from_utf8_lossy(&renamed.to));
            prop_assert_eq!(old.tree.get(from.as_ref()), new.tree.get(to.as_ref()));
        }
    }

    #[test]
    fn never_panics_on_any_steps(steps in prop::collection::vec((0..8u8, "[ab]/[ab]|[ab]|", "[ab](/[ab]){0,2}|"), 0..30)) {
        let commands: Vec<Command> = steps.iter().map(|(kind, first, second)| match kind {
            0 => make_file(second),
            1 => make_directory(second),
            2 | 3 => rename(first, second),
            4 => unlink(first),
            5 => Command::RemoveDirectory { path: path(second) },
            6 => Command::Link { path: path(first), existing: path(second) },
            _ => update(second),
        }).chain([Command::End]).collect();
        if let Ok(touched) = fold(commands.into_iter().map(Ok)) {
            for renamed in &touched.renamed {
                prop_assert!(touched.paths.contains_key(&renamed.from));
                prop_assert!(touched.paths.contains_key(&renamed.to));
            }
        }
    }
}
