//! The shipped schemas describe what the reports print: no field is missing from either side.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::envelope;
use crate::failure::Failure;
use crate::report::{Report, samples};

type Schemas = BTreeMap<String, Value>;

fn schemas() -> Schemas {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut schemas = Schemas::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        schemas.insert(
            name,
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap(),
        );
    }
    schemas
}

/// Checks a value; a field that the schema does not describe is an error here, though not for readers.
fn check(schemas: &Schemas, schema: &Value, value: &Value, place: &str) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let (file, name) = rule.as_str().unwrap().split_once("#/$defs/").unwrap();
                check(schemas, &schemas[file]["$defs"][name], value, place);
            }
            "type" => {
                let allowed = rule
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![rule.clone()]);
                assert!(
                    allowed.iter().any(|word| *word == type_of(value)),
                    "{place}: {value} is no {rule}"
                );
            }
            "const" => assert_eq!(value, rule, "{place}"),
            "enum" => assert!(
                rule.as_array().unwrap().contains(value),
                "{place}: {value} is none of {rule}"
            ),
            "anyOf" => {
                let one = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|rule| match rule.get("type") {
                        Some(word) => *word == type_of(value),
                        None => value.is_object(),
                    });
                assert!(one, "{place}: {value} is none of {rule}");
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    assert!(
                        value.get(name.as_str().unwrap()).is_some(),
                        "{place} has no {name}"
                    );
                }
            }
            "properties" => {
                for (name, part) in value.as_object().unwrap() {
                    let rule = rule
                        .get(name)
                        .unwrap_or_else(|| panic!("{place}.{name} is in no schema"));
                    check(schemas, rule, part, &format!("{place}.{name}"));
                }
            }
            "items" => {
                for part in value.as_array().into_iter().flatten() {
                    check(schemas, rule, part, &format!("{place}[]"));
                }
            }
            other => panic!("{place}: this validator does not know {other}"),
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A wrong command line is answered before there is anything to warn of.
fn warnings(verb: &str) -> Vec<String> {
    match verb {
        "usage" => Vec::new(),
        _ => vec!["the journal may not be up to date".into()],
    }
}

fn check_envelope(verb: &str, bytes: &[u8]) {
    let schemas = schemas();
    let value: Value = serde_json::from_slice(bytes).unwrap();
    check(&schemas, &schemas[&format!("{verb}.json")], &value, verb);
}

fn all_samples() -> Vec<(&'static str, Box<dyn Report>)> {
    let boxed = |verb, report: Box<dyn Report>| (verb, report);
    let mut all = vec![
        boxed("pool-create", Box::new(samples::pool_created())),
        boxed("pool-info", Box::new(samples::pool_info())),
        boxed("pool-check", Box::new(samples::pool_check())),
        boxed("pool-upgrade", Box::new(samples::upgraded())),
        boxed("pool-gc", Box::new(samples::collected())),
        boxed("base-add", Box::new(samples::base_added())),
        boxed("base-list", Box::new(samples::bases())),
        boxed("base-info", Box::new(samples::base())),
        boxed("base-verify", Box::new(samples::pool_check())),
        boxed("base-remove", Box::new(samples::base_removed())),
        boxed("list", Box::new(samples::profiles())),
        boxed("info", Box::new(samples::profile())),
        boxed("show", Box::new(samples::shown())),
        boxed("diff", Box::new(samples::diff())),
        boxed("undo", Box::new(samples::undone())),
        boxed("undo", Box::new(samples::conflicts())),
        boxed("redo", Box::new(samples::undone())),
        boxed("status", Box::new(samples::status())),
        boxed("status", Box::new(samples::quiet_status())),
        boxed("acknowledge", Box::new(samples::acknowledged())),
        boxed("blame", Box::new(samples::blame())),
        boxed("blame", Box::new(samples::unsettled_blame())),
        boxed("restore", Box::new(samples::restored())),
        boxed("forget", Box::new(samples::forgotten())),
        boxed("pin", Box::new(samples::pinned())),
        boxed("unpin", Box::new(samples::pinned())),
        boxed("recover", Box::new(samples::recovered())),
    ];
    for verb in ["create", "clone", "rename", "delete", "reset", "set"] {
        all.push(boxed(verb, Box::new(samples::done())));
    }
    all
}

/// Names of all verbs without further verbs below them.
fn verbs(command: &clap::Command, words: &[&str], found: &mut Vec<String>) {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let words = [words, &[verb.get_name()]].concat();
        if verb.has_subcommands() {
            verbs(verb, &words, found);
        } else {
            found.push(words.join("-"));
        }
    }
}

#[test]
fn every_verb_has_a_schema_and_every_schema_a_verb() {
    let mut names = vec![
        "common".to_owned(),
        "progress".to_owned(),
        "usage".to_owned(),
    ];
    verbs(&Cli::command(), &[], &mut names);
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name}.json")).collect();
    expected.sort();
    assert_eq!(schemas().into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn every_report_is_described_by_its_schema() {
    for (verb, report) in all_samples() {
        let result = report.to_json().unwrap();
        check_envelope(
            verb,
            &envelope::answer(verb, result, report.finding().as_ref(), &warnings(verb)),
        );
    }
}

#[test]
fn every_verb_with_a_report_has_a_sample() {
    let sampled: Vec<&str> = all_samples().iter().map(|(verb, _)| *verb).collect();
    for (name, schema) in schemas() {
        let verb = name.trim_end_matches(".json");
        let has_result = schema["properties"].get("result").is_some();
        // history writes its object row by row; its rows are checked below.
        assert!(
            !has_result || verb == "history" || sampled.contains(&verb),
            "{verb} has no sample"
        );
    }
}

#[test]
fn a_row_of_history_is_described() {
    let rows = [samples::transaction(), samples::failed_transaction()];
    let object = json!({"schema": envelope::schema("history"), "result": {"transactions": rows}, "warnings": warnings("history"), "ok": true});
    check_envelope("history", object.to_string().as_bytes());
}

#[test]
fn a_failure_is_described_for_every_verb() {
    let mut failure = Failure::usage("no").hint("x").details(vec!["y".into()]);
    failure.path = Some("/x".into());
    for name in schemas()
        .into_keys()
        .filter(|name| !["common.json", "progress.json"].contains(&name.as_str()))
    {
        let verb = name.trim_end_matches(".json");
        check_envelope(verb, &envelope::failure(verb, &failure, &warnings(verb)));
    }
}

#[test]
fn a_line_of_progress_is_described() {
    let schemas = schemas();
    let line =
        json!({"schema": crate::output::progress::SCHEMA, "step": "x", "done": 1, "total": null});
    check(&schemas, &schemas["progress.json"], &line, "progress");
}

#[test]
fn the_schemas_name_themselves() {
    for (name, schema) in schemas() {
        let verb = name.trim_end_matches(".json");
        // An "$id" would turn the references between the files into addresses that nobody serves.
        assert!(schema.get("$id").is_none(), "{name}");
        if verb != "common" {
            assert_eq!(
                schema["properties"]["schema"]["const"],
                envelope::schema(verb)
            );
        }
    }
}
