#!/usr/bin/env bash
# pydantic-core and jiter: of a cut reply the last word is dropped, the last number is kept as it stands, 39 for 397.
#
# Seen with pydantic-core 2.50.5 and jiter 0.19.0 (Python 3.11).
#
# Both read JSON that has no end yet: a reply as it streams, or one that ran into the limit of tokens. What is not whole is left out, half a
# string, half a `true`, even "0.", so that what is left can be used. But the beginning of a number is a number. A layout drawn as it comes has a
# box that jumps; one that was cut after the second digit of its last side has a box with a wrong side, of the right type and the right length,
# and a schema agrees. Only a comma or a bracket behind a number says that it is whole, and the caller is not told whether there was one.
#
# Output seen (pydantic-core, the same as jiter):
#   {"phrase": "a pan            -> {}
#   {"crowd": tr                 -> {}
#   {"score": 0.                 -> {}
#   {"box": [30, 171, 242, 39    -> {'box': [30, 171, 242, 39]}
#   {"seed": 20                  -> {'seed': 20}
#   {"scale": 7.5                -> {'scale': 7.5}
#   {"box": [30, 171, 242, 397]} -> {'box': [30, 171, 242, 397]}
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile pydantic-core==2.50.5 jiter==0.19.0

"$place/bin/python" - <<'PYTHON'
import jiter
from pydantic_core import from_json

CUT = {
    '{"phrase": "a pan': {},
    '{"crowd": tr': {},
    '{"score": 0.': {},
    '{"box": [30, 171, 242, 39': {"box": [30, 171, 242, 39]},
    '{"seed": 20': {"seed": 20},
    '{"scale": 7.5': {"scale": 7.5},
    '{"box": [30, 171, 242, 397]}': {"box": [30, 171, 242, 397]},
}
told = []
for text in CUT:
    told.append(from_json(text, allow_partial=True))
    if told[-1] != jiter.from_json(text.encode(), partial_mode=True):
        raise SystemExit("changed: pydantic-core and jiter read a reply that is cut differently")
    print(f"{text:28} -> {told[-1]}")
if told != list(CUT.values()):
    raise SystemExit("changed: the last number of a reply that is cut is read otherwise now")
PYTHON
