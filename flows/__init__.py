"""What runs: flows that read like the sentence that describes them, and the command."""

import nocturna.tasks.settings as _settings  # noqa: F401  before any flow imports the engine
