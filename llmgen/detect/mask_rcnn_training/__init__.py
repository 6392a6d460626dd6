"""Training of `mask-rcnn` on COCO instance annotations."""
