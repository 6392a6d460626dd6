"""The layout stage: from a prompt to what should be where."""

METHODS = {
    "edit": "llmgen.layout.edit:EditLayout",
    "given": "llmgen.layout.given:GivenLayout",
    "instances": "llmgen.layout.instances:InstancesLayout",
    "interaction": "llmgen.layout.interaction:InteractionLayout",
    "lmd": "llmgen.layout.lmd:LmdLayout",
}
