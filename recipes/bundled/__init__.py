"""Training of the two small models that ship with the project.

One recipe, remade by ``python -m recipes.bundled.make``; nothing in here is needed to score.
"""
