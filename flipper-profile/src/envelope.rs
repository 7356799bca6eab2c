//! The one JSON object of every verb (design, section 8).

use serde_json::{Value, json};

use crate::failure::Failure;

/// Name of a verb's schema: `flipper-profile/pool-info/1`.
pub fn schema(verb: &str) -> String {
    format!("flipper-profile/{verb}/1")
}

/// A report. A finding (exit 3 or 4) stands beside the result it was found in.
pub fn answer(
    verb: &str,
    result: Value,
    finding: Option<&Failure>,
    warnings: &[String],
) -> Vec<u8> {
    let mut object = json!({"schema": schema(verb), "ok": finding.is_none(), "result": result});
    if let Some(failure) = finding {
        object["error"] = error(failure);
    }
    line(with_warnings(object, warnings))
}

/// A failure without a result.
pub fn failure(verb: &str, failure: &Failure, warnings: &[String]) -> Vec<u8> {
    let object = json!({"schema": schema(verb), "ok": false, "error": error(failure)});
    line(with_warnings(object, warnings))
}

fn with_warnings(mut object: Value, warnings: &[String]) -> Value {
    if !warnings.is_empty() {
        object["warnings"] = warnings.into();
    }
    object
}

/// The `error` of the envelope.
pub fn error(failure: &Failure) -> Value {
    serde_json::to_value(failure.to_json()).expect("BUG: an error has only strings and numbers")
}

fn line(object: Value) -> Vec<u8> {
    let mut bytes = object.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_schema_ok_and_result() {
        let bytes = answer("pool-info", json!({"bases": 1}), None, &[]);
        let expected =
            "{\"ok\":true,\"result\":{\"bases\":1},\"schema\":\"flipper-profile/pool-info/1\"}\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_finding_keeps_its_result() {
        let found = Failure::usage("no");
        let object: Value =
            serde_json::from_slice(&answer("undo", json!({}), Some(&found), &[])).unwrap();
        assert_eq!(
            (&object["ok"], &object["error"]["code"]),
            (&json!(false), &json!(2))
        );
        assert!(object["result"].is_object());
    }

    #[test]
    fn a_failure_has_no_result() {
        let object: Value =
            serde_json::from_slice(&failure("list", &Failure::usage("no"), &["x".into()])).unwrap();
        assert!(object.get("result").is_none());
        assert_eq!(object["warnings"], json!(["x"]));
        assert_eq!(object["error"]["state"], "nothing was changed");
    }
}
