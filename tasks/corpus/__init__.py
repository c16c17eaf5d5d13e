"""Where documents come from: listing and freezing inputs, reading, identity, quarantine."""
