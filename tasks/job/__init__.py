"""What a user describes: a job, section by section."""
