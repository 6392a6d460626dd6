"""Who paints: inpainting by diffusers, by a web server's API, and what is common to them. One interface, `llmgen.paint.inpainter`."""
