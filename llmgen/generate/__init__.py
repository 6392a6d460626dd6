"""Layouts to pictures."""

METHODS = {
    "backward-guidance": "llmgen.generate.backward_guidance:BackwardGuidanceGenerate",
    "boxdiff": "llmgen.generate.boxdiff:BoxDiffGenerate",
    "gligen": "llmgen.generate.gligen:GligenGenerate",
    "instancediffusion": "llmgen.generate.instancediffusion:InstanceGenerate",
    "lmd": "llmgen.generate.lmd:LayoutGenerate",
    "record": "llmgen.generate.record:RecordGenerate",
    "sd": "llmgen.generate.sd:TextGenerate",
}
