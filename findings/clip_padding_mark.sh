#!/usr/bin/env bash
# transformers: with the padding of Stable Diffusion 2 and XL, every exclamation mark of a prompt is padding.
#
# Seen with transformers 5.24.0 and tokenizers 0.23.3 (Python 3.11).
#
# OpenCLIP pads with id 0, and id 0 of the vocabulary is "!", so the tokenizers of Stable Diffusion 2 and of the second text encoder of XL name "!"
# as `pad_token`. A padding token is a special token, and those are found in the text before anything else: "wow!" no longer ends with "!" at the
# end of a word ("!</w>", which OpenCLIP was trained with) but with the id that fills the rest of the row, and `skip_special_tokens` drops it. With
# the padding of Stable Diffusion 1, the end of text, the same prompt has the right token. (Reported once: huggingface/diffusers, issue 4153.)
#
# Output seen for "wow! a cat!", filled up to 10:
#   padding <|endoftext|>: <|startoftext|> wow</w> !</w> a</w> cat</w> !</w> <|endoftext|> <|endoftext|> <|endoftext|> <|endoftext|>
#                          decoded: wow ! a cat !
#   padding !:             <|startoftext|> wow</w> ! a</w> cat</w> ! <|endoftext|> ! ! !
#                          decoded: wow a cat
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile transformers==5.24.0 tokenizers==0.23.3

HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$place/bin/python" -W ignore - <<'PYTHON'
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

# CLIP's vocabulary begins with the bytes, "!" first, and the same at the end of a word; two whole words are enough here.
alphabet = sorted(ByteLevel.alphabet())
vocabulary = {token: number for number, token in enumerate([*alphabet, *(letter + "</w>" for letter in alphabet)])}
merges = []
for word in ("cat", "wow"):
    merges += [(word[0], word[1]), (word[:2], word[2] + "</w>")]
for token in (*("".join(pair) for pair in merges), "<|startoftext|>", "<|endoftext|>"):
    vocabulary[token] = len(vocabulary)

told = []
for padding in ("<|endoftext|>", "!"):
    tokenizer = CLIPTokenizer(vocab=dict(vocabulary), merges=list(merges), pad_token=padding)
    ids = tokenizer("wow! a cat!", padding="max_length", max_length=10).input_ids
    told.append((tokenizer.convert_ids_to_tokens(ids)[2], tokenizer.decode(ids, skip_special_tokens=True)))
    print(f"{f'padding {padding}:':22}", *tokenizer.convert_ids_to_tokens(ids))
    print(f"{'':22} decoded: {told[-1][1]}")
if told != [("!</w>", "wow ! a cat !"), ("!", "wow a cat")]:
    raise SystemExit("changed: the padding mark is found in prompts otherwise now")
PYTHON
