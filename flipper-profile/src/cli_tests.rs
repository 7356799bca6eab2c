use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("flipper-profile").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_before_and_after_the_verb() {
    for line in [
        "--pool x --json -p tv history",
        "history --pool x --json -p tv",
    ] {
        let cli = parse(line).unwrap();
        assert!(cli.global.json, "{line}");
        assert_eq!(cli.global.profile.as_deref(), Some("tv"));
        assert_eq!(cli.global.pool.as_deref(), Some("x".as_ref()));
    }
}

#[test]
fn what_follows_the_separator_belongs_to_the_command() {
    let cli = parse("run tv -- apt --json -y install x").unwrap();
    assert!(!cli.global.json);
    let Command::Run(run) = cli.command else {
        panic!("not run")
    };
    assert_eq!(run.command, ["apt", "--json", "-y", "install", "x"]);
    assert!(
        parse("run tv apt").is_err(),
        "without the separator it is a usage error"
    );
}

#[test]
fn a_base_has_exactly_one_source() {
    assert!(parse("base add 13 --bootstrap trixie --include a,b").is_ok());
    assert!(parse("base add 13").is_err());
    assert!(parse("base add 13 --bootstrap trixie --from-tar x").is_err());
    assert!(parse("base add 13 --from-tar x --include a").is_err());
}

#[test]
fn numbers_of_transactions_are_positive() {
    for line in [
        "undo 0",
        "undo -1",
        "undo 3..2",
        "undo 2 --to 1",
        "undo --to 0",
        "show x",
        "diff",
        "history --before 0",
        "redo 99999999999999999999",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    assert!(parse("undo 12 --dry-run").is_ok());
    assert!(parse("undo 12..14 --cascade").is_ok());
    assert!(parse("undo --to 12 --exact").is_ok());
}

#[test]
fn a_setting_has_a_key_and_may_have_an_empty_value() {
    let setting = |line: &str| match parse(line).unwrap().command {
        Command::Set(set) => set.setting,
        _ => panic!("not set"),
    };
    assert_eq!(
        setting("set tv home=shared"),
        ("home".into(), "shared".into())
    );
    assert_eq!(setting("set tv a=b=c"), ("a".into(), "b=c".into()));
    assert_eq!(
        setting("set tv description="),
        ("description".into(), String::new())
    );
    assert!(parse("set tv home").is_err() && parse("set tv =x").is_err());
}

#[test]
fn a_path_is_restored_from_one_side_of_a_transaction() {
    let from = |word: &str| match parse(&format!("restore /etc/x --from {word}")) {
        Ok(Cli {
            command: Command::Restore(restore),
            ..
        }) => Some((restore.from.number, restore.from.post)),
        _ => None,
    };
    assert_eq!(from("12"), Some((12, false)));
    assert_eq!(from("12:pre"), Some((12, false)));
    assert_eq!(from("12:post"), Some((12, true)));
    for word in ["0", "-1", "x", "12:", "12:origin", "12:pre:post", ":pre"] {
        assert_eq!(from(word), None, "{word}");
    }
    assert!(parse("restore /etc/x").is_err());
}

#[test]
fn verbose_and_quiet_exclude_each_other() {
    assert!(parse("-v -q list").is_err());
}

#[test]
fn no_verb_has_a_dash_in_it() {
    // Schema names join words by a dash; messages take it apart again.
    fn check(command: &clap::Command) {
        for verb in command.get_subcommands() {
            assert!(!verb.get_name().contains('-'), "{}", verb.get_name());
            check(verb);
        }
    }
    check(&Cli::command());
}

#[test]
fn an_inode_floor_that_no_pool_may_have_is_refused() {
    let create = |floor: u64| parse(&format!("pool create x.img --inode-floor {floor}"));
    assert!(create((1 << 32) - 1).is_ok());
    for floor in [1 << 32, 1 << 40, 256] {
        assert!(create(floor).is_err(), "{floor}");
    }
}
