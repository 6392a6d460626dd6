"""The network classes that the bundled weights need beside the standard ones."""
