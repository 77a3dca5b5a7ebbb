"""One module for each group of commands; each command composes what the library computes."""
