use super::*;

fn package(name: &str, source: &str, paths: &[&str], text: &str) -> PackageFacts {
    PackageFacts {
        name: name.into(),
        source: (!source.is_empty()).then(|| source.into()),
        paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
        texts: vec![text.as_bytes().to_vec()],
        ..PackageFacts::default()
    }
}
