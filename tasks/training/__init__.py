"""Training of the two small models that ship with the project.

One recipe, remade by ``python -m flows.train_bundled``; nothing in here is needed to score.
"""
