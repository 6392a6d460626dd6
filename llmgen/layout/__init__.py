"""The layout stage: from a prompt to what should be where."""

METHODS = {
    "given": "llmgen.layout.given:GivenLayout",
    "lmd": "llmgen.layout.lmd:LmdLayout",
}
