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
