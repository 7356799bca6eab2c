//! Members of groups: a user who goes is in no group afterwards, as after userdel(8).

use std::collections::BTreeSet;

use super::Kind;

/// The users of `before` that `after` has not, both contents of a passwd(5).
pub fn users_gone(before: &[u8], after: &[u8]) -> BTreeSet<Vec<u8>> {
    let stay: BTreeSet<&[u8]> = names(after).collect();
    names(before)
        .filter(|name| !stay.contains(name))
        .map(<[u8]>::to_vec)
        .collect()
}

fn names(passwd: &[u8]) -> impl Iterator<Item = &[u8]> {
    passwd
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b':').next())
        .filter(|name| !name.is_empty())
}

/// A group(5) or gshadow(5) without those of its members, and administrators, that are in `gone`. Everything else
/// stays byte for byte; any other kind of file does as a whole.
pub fn without(kind: Kind, content: &[u8], gone: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let lists = match kind {
        Kind::Group => 3..4,
        Kind::GroupShadow => 2..4,
        _ => return content.to_vec(),
    };
    let line = |line: &[u8]| {
        let fields = line.split(|&byte| byte == b':').enumerate();
        let fields: Vec<Vec<u8>> = fields
            .map(|(number, field)| match lists.contains(&number) {
                true => without_names(field, gone),
                false => field.to_vec(),
            })
            .collect();
        fields.join(&b':')
    };
    let lines: Vec<Vec<u8>> = content.split(|&byte| byte == b'\n').map(line).collect();
    lines.join(&b'\n')
}

fn without_names(list: &[u8], gone: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let names = list.split(|&byte| byte == b',');
    let left: Vec<&[u8]> = names.filter(|name| !gone.contains(*name)).collect();
    left.join(&b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_is_a_member_of_nothing() {
        let before = b"root:x:0:0::/root:/bin/sh\nanna:x:1000:1000:::\nserver:x:100:100:::\n";
        let after = b"root:x:0:0::/root:/bin/sh\nanna:x:1000:1000:::\nnew:x:1001:1001:::\n";
        let gone = users_gone(before, after);
        assert_eq!(gone, BTreeSet::from([b"server".to_vec()]));
        let group =
            b"one:x:10:server,anna\ntwo:x:11:server\nserver:x:100:\nodd\n\nthree:x:12:servers,root";
        let expected = b"one:x:10:anna\ntwo:x:11:\nserver:x:100:\nodd\n\nthree:x:12:servers,root";
        assert_eq!(without(Kind::Group, group, &gone), expected);
        let shadow = b"one:!:server:anna,server\nserver:!::\n";
        assert_eq!(
            without(Kind::GroupShadow, shadow, &gone),
            b"one:!::anna\nserver:!::\n"
        );
        assert_eq!(without(Kind::File, group, &gone), group);
    }

    #[test]
    fn where_nobody_goes_every_byte_stays() {
        let odd = b"a:b:c:,,x,:y\n\n:::\r\n";
        assert_eq!(without(Kind::Group, odd, &BTreeSet::new()), odd);
        assert_eq!(users_gone(b"", b"a:x"), BTreeSet::new());
    }
}
