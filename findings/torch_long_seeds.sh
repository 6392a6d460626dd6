#!/usr/bin/env bash
# torch: seeds that differ by 2**32 draw the same noise on the CPU, although the generator reports them as they were given.
#
# Seen with torch 2.14.1 on the CPU (Python 3.11).
#
# `manual_seed` takes 64 bits and `initial_seed` gives them back; the CPU's generator begins from the lower 32 alone. Noise of pictures is drawn
# there so that it is the same on every card: then interfaces that roll seeds of 64 bits have 2**32 pictures, and a seed that is put together as
# "number of the prompt, shifted by 32 bits, and number of the sample" gives every prompt the same noise. -1 and 2**32 - 1 are one seed, too.
# Seeds that are mixed and then cut to 32 bits lose nothing by it and say what they are.
#
# Output seen:
#   seed 7:             noise begins -0.8201  0.3956, reported 7
#   seed 7 + 2**32:     noise begins -0.8201  0.3956, reported 4294967303
#   seed 7 + 5 * 2**32: noise begins -0.8201  0.3956, reported 21474836487
#   seed 8:             noise begins -1.1892  1.3932, reported 8
#   sample 3 of prompts 0 to 99, seed `prompt << 32 | 3`: 1 noise in all
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile torch==2.14.1

"$place/bin/python" -W ignore - <<'PYTHON'
import torch


def noise(seed):
    generator = torch.Generator("cpu").manual_seed(seed)
    return torch.randn(1, 4, 64, 64, generator=generator), generator.initial_seed()


drawn = []
for name, seed in (("7", 7), ("7 + 2**32", 7 + 2**32), ("7 + 5 * 2**32", 7 + 5 * 2**32), ("8", 8)):
    latents, reported = noise(seed)
    drawn.append(latents)
    first, second = latents.flatten()[:2].tolist()
    print(f"{f'seed {name}:':19} noise begins {first:7.4f} {second:7.4f}, reported {reported}")
samples = {tuple(noise(prompt << 32 | 3)[0].flatten().tolist()) for prompt in range(100)}
print(f"sample 3 of prompts 0 to 99, seed `prompt << 32 | 3`: {len(samples)} noise in all")
if [torch.equal(drawn[0], other) for other in drawn[1:]] != [True, True, False] or len(samples) != 1:
    raise SystemExit("changed: the generator of the CPU begins from other bits of a seed now")
PYTHON
