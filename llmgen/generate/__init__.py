"""Layouts to pictures."""

METHODS = {
    "lmd": "llmgen.generate.lmd:LayoutGenerate",
    "sd": "llmgen.generate.sd:TextGenerate",
}
