"""The links of an alternative, said without update-alternatives: what its manual says of a record."""

CHOSEN = b"/etc/alternatives/"


def _path(text):
    return text.encode("utf-8", "surrogateescape")


def in_force(record, now):
    """The choice in force: the present one as long as it is a choice, else the best."""
    choices = {_path(key[1]): int(value[0]) for key, value in record.items() if key[0] == "choice"}
    return now if now in choices else max(choices, key=choices.get)


def links(name, record, choice):
    """{path: target, or None where nothing stands} of a record of which `choice` is in force."""
    slaves = dict(record.get(("choice", choice.decode("utf-8", "surrogateescape")), ("", ()))[1])
    found = {CHOSEN + name: choice, _path(record["link"]): CHOSEN + name}
    for key, link in record.items():
        if key[0] == "slave":
            target = slaves.get(key[1])
            found[CHOSEN + _path(key[1])] = target and _path(target)
            found[_path(link)] = CHOSEN + _path(key[1]) if target else None
    return found
