"""How the bundled models are trained, shown and measured."""
