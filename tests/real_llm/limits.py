"""What must hold whatever a model writes."""

from typing import Any

from real_llm.proxy import CountingProxy

PROBE = 4
"""Most requests that find out how a server is to be asked: one for each rung of the ladder."""
REQUESTS = 3
"""Most requests of a record."""
TOKENS = 1024
"""Most tokens of a reply."""


def bounded(proxy: CountingProxy, records: int) -> None:
    """What no model may exceed."""
    assert len(proxy.seen) <= PROBE + REQUESTS * records
    assert all(seen.body.get("max_tokens") or seen.body.get("max_completion_tokens") for seen in proxy.seen)
    assert all(seen.tokens <= TOKENS for seen in proxy.seen)
    asked = [str(seen.body) for seen in proxy.seen]
    assert len(set(asked)) == len(asked), "the same request was sent twice"


def ended(records: list[dict[str, Any]], count: int) -> None:
    """A plan or a reason, for each."""
    assert len(records) == count
    for record in records:
        assert (record.get("layout") is not None) != (record.get("error") is not None)
        if record.get("error"):
            assert record["error"]["message"]
