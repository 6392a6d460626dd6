"""`transformers serve` with a folder and no network: it takes every schema and heeds none, and its model writes at random.

Seen with transformers 5.24. Its dependencies are those of `transformers[serving]`.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_llm.conftest import free_port, serving
from real_llm.limits import bounded, ended
from real_llm.proxy import CountingProxy

pytestmark = [pytest.mark.real_llm, pytest.mark.timeout(1500)]

SHORT = {"LLMGEN_OPENAI_MAX_TOKENS": "24"}
TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer whose weights are random, with a tokenizer of bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("serve") / "tiny-llama"
    bytes_only = Tokenizer(models.BPE())
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    bytes_only.train_from_iterator(["a red ball left of a blue car"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only, bos_token="<s>", eos_token="</s>", pad_token="</s>", chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=16384, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def port(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The server, once for all tests: it takes a while to load torch."""
    number = free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model), "--device", "cpu"]
    command += ["--host", "127.0.0.1", "--port", str(number)]
    with serving(command, number, "/health", tmp_path_factory.mktemp("log") / "log.txt") as found:
        yield found


def test_a_server_that_ignores_schemas_is_told_them_in_words(port: int, plan: Callable[..., Any], model: Path) -> None:
    with CountingProxy(port) as proxy:
        done = plan(["a red ball", "two blue cars"], proxy.url, **SHORT)
    ended(done.records, 2)
    bounded(proxy, 2)
    assert {seen.status for seen in proxy.seen} == {200}
    formats = [seen.body.get("response_format", {}).get("type") for seen in proxy.seen]
    assert formats[0] == "json_schema"
    assert set(formats[-2:]) == {None}, "its prose was taken for an answer to a schema"
    assert all(model.name in record["error"]["message"] for record in done.records)
    assert all("cut" in record["error"]["message"] for record in done.records)


def test_a_model_that_is_not_the_pinned_one_is_refused_with_its_reason(
    port: int, plan: Callable[..., Any], model: Path
) -> None:
    with CountingProxy(port) as proxy:
        done = plan(["a red ball"], proxy.url, LLMGEN_OPENAI_MODEL="smolm3", **SHORT)
    assert done.code != 0
    assert "smolm3" in done.err
    assert "pinned" in done.err or model.name in done.err, done.err
    assert len(proxy.seen) <= 1, "an error about the model changed the way of asking"
