"""Ids and lines of what is collected from a file."""

from llmgen.formats.collected import Collected, record_id_of


class Counted(set[str]):
    """A set that counts how often it is asked."""

    asked = 0

    def __contains__(self, name: object) -> bool:
        self.asked += 1
        return super().__contains__(name)


def test_an_id_is_given_once() -> None:
    found = Collected("data.json")
    assert (found.free_id("a b"), found.free_id("a b"), found.free_id("..")) == ("a_b", "a_b-2", "entry")


def test_ids_of_any_kind_and_lines_of_any_letters() -> None:
    assert [record_id_of(v) for v in (12, 7.0, "x", "", True, None, 1.5)] == ["12", "7", "x", None, None, None, None]
    found = Collected("data.json")
    found.fail("layouts", "a", "a cat", 1, "a\x1b[31m\ud800\nb")
    assert found.invalid == ["data.json: record 'a' (position 1): a\\x1b[31m\\ud800 b"]
