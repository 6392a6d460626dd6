#!/usr/bin/env bash
# outlines-core: `allOf` is read as "one after the other", so a model held to the schema cannot write JSON.
#
# Seen with outlines-core 0.2.14 and jsonschema 4.26.0 (Python 3.11).
#
# In JSON Schema a value must satisfy every part of `allOf`; it is how a schema is put together from shared pieces. `build_regex_from_schema`
# writes the pieces' expressions behind each other: the sampler then forces the model to write two objects in a row, which no parser reads, and
# forbids the one object that is valid. No warning; what is seen is a model that "does not keep to JSON". Of two conditions on one whole number
# the same way makes "at least two digits".
#
# Output seen:
#   {"noun": "ball", "count": 3}: valid by the schema True, allowed to be written False
#   {"noun": "ball"}{"count": 3}: JSON False, allowed to be written True
#   7, an integer and at least 3: valid True, allowed False; 33: allowed True
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile outlines-core==0.2.14 jsonschema==4.26.0

"$place/bin/python" - <<'PYTHON'
import json
import re

import jsonschema
from outlines_core.json_schema import build_regex_from_schema


def piece(name, kind):
    return {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}


def allowed(text, schema):
    return re.fullmatch(build_regex_from_schema(json.dumps(schema)), text) is not None


def valid(text, schema):
    return jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))


whole = {"allOf": [piece("noun", "string"), piece("count", "integer")]}
number = {"allOf": [{"type": "integer"}, {"type": "integer", "minimum": 3}]}
one, two = '{"noun": "ball", "count": 3}', '{"noun": "ball"}{"count": 3}'
try:
    parsed = bool(json.loads(two))
except json.JSONDecodeError:
    parsed = False
told = [valid(one, whole), allowed(one, whole), parsed, allowed(two, whole)]
told += [valid("7", number), allowed("7", number), allowed("33", number)]
print(f"{one}: valid by the schema {told[0]}, allowed to be written {told[1]}")
print(f"{two}: JSON {told[2]}, allowed to be written {told[3]}")
print(f"7, an integer and at least 3: valid {told[4]}, allowed {told[5]}; 33: allowed {told[6]}")
if told != [True, False, False, True, True, False, True]:
    raise SystemExit("changed: outlines-core reads `allOf` otherwise now")
PYTHON
