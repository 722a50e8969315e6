"""How the constants and weights of `model` were made, runnable by others. Nothing here is imported while serving."""
