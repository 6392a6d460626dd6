#!/usr/bin/env bash
# tokenizers: a word that is added is cut out of the middle of other words.
#
# Seen with tokenizers 0.23.3 (Python 3.11).
#
# Textual inversion and DreamBooth add a rare word, such as "sks", for the thing that is learned. `add_tokens` finds it anywhere in a text, before
# the text is split into words: "asks" becomes the word "a" and the learned thing, and a picture of "a girl asks" shows it. A word that the
# vocabulary holds as the beginning of others gets no id of its own and leaves the size of the vocabulary as it was; yet it, too, is now found
# first, and every word that begins with it falls to pieces. `AddedToken("sks", single_word=True)` does what is meant.
#
# Output seen (a tokenizer of CLIP's kind; "|" marks the end of a word):
#   before:             a girl asks -> a| girl| asks|
#   sks added:          a girl asks -> a| girl| a| sks
#   sks as single_word: a girl asks -> a| girl| asks|
#   before:             two girls -> two| girls|
#   girl added:         two girls -> two| girl s|   (22 tokens before and after)
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place"
"$place/bin/pip" install -qq --no-compile --no-deps tokenizers==0.23.3

"$place/bin/python" - <<'PYTHON'
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

WORDS = ("a", "two", "girl", "girls", "asks")


def like_clip():
    """Pairs are merged from the left until each word is one token; a last letter carries the end of the word."""
    letters = sorted(set("".join(WORDS)))
    vocabulary = {token: number for number, token in enumerate([*letters, *(letter + "|" for letter in letters)])}
    merges = []
    for word in WORDS:
        left, rest = word[0], [*word[1:-1], word[-1] + "|"]
        for right in rest if len(word) > 1 else ():
            if (left, right) not in merges:
                merges.append((left, right))
            left += right
            vocabulary.setdefault(left, len(vocabulary))
    made = Tokenizer(models.BPE(vocabulary, merges, continuing_subword_prefix="", end_of_word_suffix="|"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


told = []
for name, added, text in (
    ("before:", [], "a girl asks"),
    ("sks added:", ["sks"], "a girl asks"),
    ("sks as single_word:", [AddedToken("sks", single_word=True)], "a girl asks"),
    ("before:", [], "two girls"),
    ("girl added:", ["girl"], "two girls"),
):
    tokenizer = like_clip()
    size = tokenizer.get_vocab_size()
    tokenizer.add_tokens(added)
    told.append(" ".join(tokenizer.encode(text).tokens))
    grown = tokenizer.get_vocab_size() - size
    print(f"{name:19} {text} -> {told[-1]}" + (f"   ({size} tokens before and after)" if added == ["girl"] and not grown else ""))
if told != ["a| girl| asks|", "a| girl| a| sks", "a| girl| asks|", "two| girls|", "two| girl s|"] or grown:
    raise SystemExit("changed: added words are found in texts otherwise now")
PYTHON
