import re

import torch

from llmgen.diffusion.inversion import invert
from llmgen.diffusion.progress import Steps, duration, telling
from llmgen.diffusion.sampling import Levels, sample

LEVELS = Levels((900, 600, 300), (0.1, 0.4, 0.7, 1.0), 300, "epsilon")


def test_each_step_is_told_with_the_time_that_is_left():
    lines = []
    steps = Steps(lines.append, "drawing 2 pictures", 3)
    telling(steps)(None, 0, 900, {"latents": 1})
    steps()
    steps()
    assert lines[0] == "drawing 2 pictures"
    assert [re.sub(r"\d+ s left", "T", line) for line in lines[1:]] == [
        f"drawing 2 pictures: step {i} of 3, T" for i in (1, 2, 3)
    ]
    assert lines[-1].endswith("0 s left")


def test_sampling_and_inversion_tell_of_each_step():
    told = []
    z = torch.zeros(1, 1, 2, 2)
    sample(lambda latents, time, index: latents, z, LEVELS, start=1, told=lambda: told.append("s"))
    invert(lambda latents, time, index: latents, z, LEVELS, told=lambda: told.append("i"))
    assert told == ["s"] * 2 + ["i"] * 3


def test_times_in_words():
    assert [duration(t) for t in (-1, 0.4, 59.4, 59.6, 125, 3780)] == [
        "0 s", "0 s", "59 s", "1 min 0 s", "2 min 5 s", "1 h 3 min",
    ]  # fmt: skip
