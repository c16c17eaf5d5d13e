"""What is done: the stages of a run, and the tasks around them."""

import nocturna.tasks.settings as _settings  # noqa: F401  before any task imports the engine
