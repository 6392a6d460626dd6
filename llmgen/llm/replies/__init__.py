"""The reading room: whatever a language model answers, in whatever dialect, becomes one plan or one `ModelError`.

A reply goes through the same steps whoever wrote it: `bounds` (what is too long is not read), `extract` (thoughts, fences, wrappers,
the first complete answer; `loose_values` reads JSON, Python lists and what lies between), `raw_objects` (entries of one shape),
`units` (fractions, hundredths, thousandths, pixels; corners or sizes; borders), `mentions` (ids), and last the wire format of
`llmgen.llm.schemas`. Whatever was mended, cut or ignored is said to `remark`, one line each.
"""
