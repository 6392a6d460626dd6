"""Layouts to pictures."""

METHODS = {
    "answer-guided": "llmgen.generate.answering.answer_guided:AnswerGuided",
    "backward-guidance": "llmgen.generate.backward_guidance:BackwardGuidanceGenerate",
    "boxdiff": "llmgen.generate.boxdiff:BoxDiffGenerate",
    "gligen": "llmgen.generate.gligen:GligenGenerate",
    "instancediffusion": "llmgen.generate.instancediffusion:InstanceGenerate",
    "lgd": "llmgen.generate.answering.lgd:LgdGenerate",
    "lmd": "llmgen.generate.lmd:LayoutGenerate",
    "question-guided": "llmgen.generate.answering.question_guided:QuestionGuided",
    "record": "llmgen.generate.record:RecordGenerate",
    "sd": "llmgen.generate.sd:TextGenerate",
}

WITHOUT_LAYOUT = ("answer-guided", "lgd", "question-guided", "sd")
"""Methods that do not look at a record's layout: those that do not need one, said here for who must not import them."""
