"""The picture-book world: what is drawn, and what is said of it."""
