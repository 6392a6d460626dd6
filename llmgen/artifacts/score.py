"""One number about one picture."""

from typing import Any, Final, Literal, get_args

from pydantic import Field

from llmgen.artifacts.base import ArtifactModel
from llmgen.artifacts.detection import Detection

SHARE = "share"
"""Unit of scores between 0 and 1, verdicts among them."""

Better = Literal["higher", "lower"]
Scored = Literal["layout", "detections", "initial", "final"]
SCORED: Final[tuple[Scored, ...]] = get_args(Scored)
"""What can be scored, in the order of a record's life."""
SCORERS: Final = ("judge", "detector", "layout")
"""Who looks, the most trusted first."""
VERDICTS: Final = ("lmd", "vqai", "hoi.relation", "hoi.subject", "hoi.object", "vqai.rest")
"""Metrics that say right or wrong of a record's picture, the most telling first."""


class Score(ArtifactModel):
    """One number about one picture."""

    metric: str
    """For example `lmd` or `coco`."""
    of: Scored
    """What was scored: the plan, given detections, the first picture or the last one."""
    value: float
    """Any finite number; a `share` lies between 0 and 1."""
    unit: str = Field(default=SHARE, min_length=1)
    """What the value counts: `share`, `cosine`, `px`, `dB` ..."""
    better: Better = "higher"
    """Whether a higher or a lower value is the better one."""
    type: str | None = None
    """Group of the prompt: negation, numeracy, attribution, spatial, or the one given with the prompt."""
    by: str
    """Who looked: `judge`, `detector`, or `layout`."""
    detail: str | None = None
    """Why, for example `wanted 3 x ball, found 2`."""
    seen: tuple[Detection, ...] | None = None
    """What was seen while scoring, when a model looked."""

    def model_post_init(self, context: Any, /) -> None:
        """Refuse a share that is none."""
        super().model_post_init(context)
        if self.unit == SHARE and not 0 <= self.value <= 1:
            raise ValueError(f"a share lies between 0 and 1, got {self.value:g}; other values need their own `unit`")


def is_verdict(metric: str) -> bool:
    """Whether a score of 1 means right and anything less wrong.

    What `vqai` says of other pictures than the record's, such as `vqai.target.right`, is right or wrong like its own.
    """
    return metric in VERDICTS or (metric.startswith("vqai.") and metric.endswith((".right", ".rest")))


def counts_successes(metric: str) -> bool:
    """Whether a mean of a metric's scores, where these are all 0 or 1, is a share of successes.

    That is so of verdicts, and of what another program calls its scores; not of COCO's F1 and of means over the instances of a picture
    (`pim.point`), which may come out at 0 or 1 by chance.
    """
    return is_verdict(metric) or not ("." in metric or metric == "coco")


def best_of(values: list[float], better: Better) -> float:
    """The best of some values, at least one, of one metric."""
    return max(values) if better == "higher" else min(values)
