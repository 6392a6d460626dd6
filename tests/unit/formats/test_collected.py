"""Ids and lines of what is collected from a file."""

from llmgen.artifacts import Record
from llmgen.formats.collected import Collected, printable, record_id_of


class Counted(set[str]):
    """A set that counts how often it is asked."""

    asked = 0

    def __contains__(self, name: object) -> bool:
        self.asked += 1
        return super().__contains__(name)


def test_free_ids_of_many_equal_names_are_found_in_linear_work() -> None:
    found = Collected("data.json")
    found._taken = Counted()
    for _ in range(2000):
        found.records.append(Record(kind="prompts", id=found.free_id("room"), prompt="a room"))
    assert [record.id for record in found.records[:3]] == ["room", "room-2", "room-3"]
    assert found.records[-1].id == "room-2000" and found._taken.asked <= 3 * 2000


def test_an_id_is_free_until_a_record_has_it() -> None:
    found = Collected("data.json")
    assert (found.free_id("a b"), found.free_id("a b"), found.free_id("..")) == ("a_b", "a_b", "entry")


def test_ids_of_any_kind_and_lines_of_any_letters() -> None:
    assert [record_id_of(v) for v in (12, 7.0, "x", "", True, None, 1.5)] == ["12", "7", "x", None, None, None, None]
    assert printable("a\x1b[31m\ud800\n") == "a\\x1b[31m\\ud800\\n"
