#!/usr/bin/env bash
# diffusers: 501 steps begin in the middle of the noise, 60 steps with less noise than 50, and all of it as if it were the whole.
#
# Seen with diffusers 0.42.1 and torch 2.14.1 on the CPU (Python 3.11).
#
# With "leading" spacing, which DDIM, DDPM, PNDM and Euler of Stable Diffusion 1 and 2 and of XL use, the times are multiples of the whole part of
# 1000 / steps. What the division drops is missing at the noisy end, most of it just past a number that divides 1000. There the model is given
# pure noise and told that half of it is a picture; Euler begins with an eighth of the noise. The number of steps is as asked and nothing is
# said, so a curve of quality over steps has teeth that no model made. "trailing" and "linspace" begin at 999 with every number.
#
# Output seen with the noise of Stable Diffusion (first time, share of the picture said to be in the first noise; noise Euler begins with):
#   50 steps:  981, 0.08; 13.16
#   60 steps:  945, 0.09; 10.71
#   334 steps: 667, 0.32; 3.10
#   500 steps: 999, 0.07; 14.65
#   501 steps: 501, 0.52; 1.91
#   600 steps: 600, 0.40; 2.49
#   trailing, 501 steps: 999, 0.07; 14.61
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile diffusers==0.42.1 torch==2.14.1

HF_HUB_OFFLINE=1 "$place/bin/python" -W ignore - <<'PYTHON'
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, PNDMScheduler

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def first(scheduler_class, steps, spacing):
    scheduler = scheduler_class(num_train_timesteps=1000, timestep_spacing=spacing, **NOISE)
    scheduler.set_timesteps(steps)
    return scheduler, int(scheduler.timesteps[0])


told = []
for steps, spacing in ((50, "leading"), (60, "leading"), (334, "leading"), (500, "leading"), (501, "leading"), (600, "leading"), (501, "trailing")):
    ddim, time = first(DDIMScheduler, steps, spacing)
    euler, same = first(EulerDiscreteScheduler, steps, spacing)
    others = [first(scheduler, steps, spacing)[1] for scheduler in (DDPMScheduler, PNDMScheduler)]
    if spacing == "leading" and [same, *others] != [time] * 3:
        raise SystemExit("changed: the schedulers begin at different times")
    share = round(float(ddim.alphas_cumprod[time]) ** 0.5, 2)
    told.append((time, share, round(float(euler.init_noise_sigma), 2)))
    name = f"{steps} steps:" if spacing == "leading" else f"{spacing}, {steps} steps:"
    print(f"{name:10} {time}, {share:.2f}; {told[-1][2]:.2f}")
seen = [(981, 0.08, 13.16), (945, 0.09, 10.71), (667, 0.32, 3.1), (999, 0.07, 14.65), (501, 0.52, 1.91), (600, 0.4, 2.49), (999, 0.07, 14.61)]
if told != seen:
    raise SystemExit("changed: leading spacing begins at other times now")
PYTHON
