"""Reads InfluxDB line protocol from standard input, by its reference alone, and
prints each line as JSON: measurement, tags, fields and time. Exits 1 on what is
no line."""

import json
import re
import sys

INTEGER = re.compile(r"^-?\d+i$")
UNSIGNED = re.compile(r"^\d+u$")
FLOAT = re.compile(r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$")


def split(text, at, quotes=False):
    """Cuts text at every unescaped character at; in quotes nothing is cut."""
    parts, part, quoted, i = [], "", False, 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            part += text[i : i + 2]
            i += 2
            continue
        if quotes and c == '"':
            quoted = not quoted
        if c == at and not quoted:
            parts.append(part)
            part = ""
        else:
            part += c
        i += 1
    return parts + [part]


def plain(text):
    return re.sub(r"\\([,= ])", r"\1", text)


def value(text):
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if INTEGER.match(text) or UNSIGNED.match(text):
        return int(text[:-1])
    if FLOAT.match(text):
        return float(text)
    if text in ("true", "false"):
        return text == "true"
    raise ValueError("no field value: " + text)


def parse(line):
    head, fields, time = split(line, " ", quotes=True)
    measurement, *tags = split(head, ",")
    pairs = [split(t, "=") for t in tags]
    if not measurement or any(len(p) != 2 or not p[0] or not p[1] for p in pairs):
        raise ValueError("no measurement or tags: " + head)
    if [p[0] for p in pairs] != sorted(p[0] for p in pairs):
        raise ValueError("tags are not sorted: " + head)
    out = {}
    for f in split(fields, ",", quotes=True):
        key, text = f.split("=", 1)
        out[plain(key)] = value(text)
    return {"measurement": plain(measurement), "tags": {plain(k): plain(v) for k, v in pairs}, "fields": out, "time": int(time)}


for line in sys.stdin.read().splitlines():
    try:
        print(json.dumps(parse(line), sort_keys=True))
    except ValueError as e:
        sys.exit(f"{line}: {e}")
