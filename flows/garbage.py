"""How often a process of ours looks for garbage in cycles."""

import gc


def collect_rarely() -> None:
    """Looks for garbage less often than Python does by itself.

    Importing the engine or a model library makes some hundred thousand objects that stay; looking
    through them again and again is a fifth of what the import costs.
    """
    gc.set_threshold(50_000, 20, 20)
