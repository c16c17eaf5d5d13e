"""How names in a job are spelt: as a pattern for programs, and in words for people."""

LONGEST = 80
"""Characters of a job's name."""
JOB_NAME = rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}$"
SCORE_NAME = r"^[a-z][a-z0-9_]{0,39}$"
LANGUAGE = r"^[a-z]{2,3}$"
SERVICE_MODEL = r"^[a-z0-9][a-z0-9.-]*$"

IN_WORDS = {
    JOB_NAME: "letters without accents, digits, `.`, `_` and `-`, the first a letter or a digit, "
    f"{LONGEST} at most, such as `prensa-2026`",
    SCORE_NAME: "small letters without accents, digits and `_`, the first a letter, 40 at most, "
    "such as `emotion`",
    LANGUAGE: "two or three small letters (ISO 639), such as `es`",
    SERVICE_MODEL: "small letters, digits, `.` and `-`, the first a letter or a digit",
}
