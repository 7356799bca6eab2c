use serde_json::json;

use super::*;
use crate::journal::{Durability, Error, Operation, OperationId};

fn operation() -> Operation {
    Operation {
        kind: "replace".to_owned(),
        profile: Some(profile()),
        transaction: None,
        begun: time(),
        payload: json!({"staged": "@flipper/staging/a", "paths": ["a\nb"]}),
    }
}

#[test]
fn an_intent_is_read_back_until_it_is_complete() {
    let place = Place::new();
    let id = place.journal.intend(&operation()).unwrap();
    place.journal.record_step(id, "staged").unwrap();
    place.journal.record_step_durably(id, "exchanged").unwrap();
    place
        .journal
        .record_steps(id, &["a", "b"], Durability::Ordered)
        .unwrap();
    let place = place.reopen();
    let pending = place.journal.pending_operations().unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!((pending[0].id, &pending[0].operation), (id, &operation()));
    assert_eq!(pending[0].steps, ["staged", "exchanged", "a", "b"]);
    place.journal.set_payload(id, &json!(null)).unwrap();
    assert_eq!(
        place.journal.pending_operations().unwrap()[0]
            .operation
            .payload,
        json!(null)
    );
    place.journal.complete(id).unwrap();
    assert!(place.journal.pending_operations().unwrap().is_empty());
    assert!(matches!(
        place.journal.complete(id),
        Err(Error::NoSuchOperation { .. })
    ));
    assert_eq!(
        place
            .journal
            .record_step(id, "late")
            .unwrap_err()
            .to_string(),
        "cannot record a step: operation 1 is not pending"
    );
    assert_eq!(place.journal.integrity_check().unwrap(), [""; 0]);
}

#[test]
fn ids_are_never_reused() {
    let mut place = Place::new();
    for expected in 1..5 {
        let id = place.journal.intend(&operation()).unwrap();
        assert_eq!(id.get(), expected);
        place.journal.complete(id).unwrap();
        place = place.reopen();
    }
}

#[test]
fn boot_numbers_are_ids() {
    let place = Place::new();
    let id = place.journal.intend(&operation()).unwrap();
    assert_eq!(OperationId::from_boot(id.get()), Some(id));
    assert_eq!(OperationId::from_boot(0), None);
    assert_eq!(OperationId::from_boot(u64::MAX), None);
}
