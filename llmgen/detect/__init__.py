"""Looking at pictures: which of the wanted things are there, and where."""

METHODS = {
    "owlv2": "llmgen.detect.owlv2:Owlv2Detect",
    "grounding-dino": "llmgen.detect.grounding_dino:GroundingDinoDetect",
    "mask-rcnn": "llmgen.detect.mask_rcnn:MaskRcnnDetect",
}
