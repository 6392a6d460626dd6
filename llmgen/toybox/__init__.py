"""A small picture-book world and the models really trained on it, so that everything runs with nothing downloaded."""
