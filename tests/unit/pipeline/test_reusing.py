from pathlib import Path

import pytest

from llmgen.artifacts import Record
from llmgen.artifacts.io import write_artifact
from llmgen.errors import InputError
from llmgen.pipeline.reusing import noise_of


def _drawn(folder: Path, seeds: dict[str, int | None]) -> str:
    path = folder / "drawn.json"
    write_artifact(path, "prompts", [Record(id=name, prompt="a ball", seed=seed) for name, seed in seeds.items()])
    return str(path)


def test_seeds_come_from_the_records_of_the_same_id(tmp_path: Path) -> None:
    wanted = [Record(id=name, prompt="a star", seed=1) for name in ("a", "b", "c")]
    made = list(map(noise_of(_drawn(tmp_path, {"b": 22, "a": 11, "c": None})), wanted))
    assert [record.seed for record in made] == [11, 22, 1]
    assert [record.error is None for record in made] == [True, True, False]
    assert made[2].error is not None and "no record 'c' with a seed" in made[2].error.message


def test_a_single_record_lends_its_noise_to_all(tmp_path: Path) -> None:
    rounds = [Record(id=f"round-{i}", prompt="a star") for i in range(3)]
    assert {record.seed for record in map(noise_of(_drawn(tmp_path, {"first": 7})), rounds)} == {7}


def test_what_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        noise_of(str(tmp_path / "missing.json"))
