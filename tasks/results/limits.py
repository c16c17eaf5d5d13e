"""Soft checks: what an input or a model may do before a person should look, with limits."""

from dataclasses import replace
from typing import Any

from nocturna.tasks.job.quality import Quality
from nocturna.tasks.results.check import Check
from nocturna.tasks.results.gold_limits import gold_checks


def soft_checks(
    metrics: dict[str, Any], limits: Quality, language: str | None = None
) -> list[Check]:
    """The soft checks of a run, from its metrics; a check without a limit is left out.

    Args:
        language: that of the job, ISO 639-1.
    """
    quarantine = "quarantine/<run_id> holds them; mend the source or raise --max-quarantined"
    errors = "error_code says why; mend the source or raise --max-failed"
    checks = [
        _most(
            "max_quarantined",
            metrics["quarantined_share"],
            limits.max_quarantined,
            f"of the rows could not be read: {quarantine}",
        ),
        _most(
            "max_failed",
            metrics["failed_share"],
            limits.max_failed,
            f"of the documents have no score: {errors}",
        ),
        _most(
            "max_truncated",
            metrics["truncated_share"],
            limits.max_truncated,
            "of the documents were cut: read them whole with --long-documents windows",
        ),
        _other_language(metrics, limits.max_other_language, language),
        _unknown(metrics["unknown_share"], limits.warn_unknown),
    ]
    for kind, figures in metrics["scores"].items():
        if "mean_score" not in figures or not figures["documents"]:
            continue
        saturated, mean = figures["saturated_share"], figures["mean_score"]
        name = f"{kind}_saturated"
        checks.append(_most(name, saturated, limits.max_saturated, f"of the {kind} scores are 1"))
        if limits.min_score is not None:
            message = f"the mean {kind} score is {mean:.3f} (at least {limits.min_score})"
            passed = mean >= limits.min_score
            checks.append(
                Check(f"{kind}_mean_score", False, passed, mean, limits.min_score, message)
            )
    for kind, drift in metrics["drift"].items():
        checks += _shifts(kind, drift, limits)
    for score, figures in metrics["gold"].items():
        checks += gold_checks(score, figures, limits)
    found = [check for check in checks if check is not None]
    return [replace(c, warning=True) if c.name in limits.warn_only else c for c in found]


def _other_language(
    metrics: dict[str, Any], limit: float | None, language: str | None
) -> Check | None:
    counts = metrics["language"]["counts"]
    others = {code: count for code, count in counts.items() if code != language}
    mostly = f", mostly {next(iter(others))!r}" if others else ""
    return _most(
        "max_other_language",
        sum(others.values()) / metrics["ok"] if others else 0.0,
        limit,
        f"of the documents are in another language than {language!r}{mostly}: look at what "
        "changed in the source or raise quality.max_other_language",
    )


def _unknown(share: float, limit: float | None) -> Check | None:
    check = _most(
        "unknown_text",
        share,
        limit,
        "of the documents are mostly unknown to a model's tokenizer: is the model one for their "
        "language, and its tokenizer the one it was trained with?",
    )
    return None if check is None else replace(check, warning=True)


def _shifts(kind: str, drift: dict[str, Any], limits: Quality) -> list[Check]:
    if min(drift["documents"], drift["before"]) < limits.shift_documents:
        return []
    shift = abs(drift["shift"])
    message = (
        f"{kind} {drift['label']!r} moved by {drift['shift'] * 100:+.1f} points against the "
        "nights before"
    )
    warn, most = limits.warn_shift, limits.max_shift
    checks = []
    if warn is not None:
        text = f"{message} (warning from {warn * 100:g})"
        checks.append(Check(f"{kind}_shift_warning", False, shift <= warn, shift, warn, text, True))
    if most is not None:
        text = f"{message} (limit {most * 100:g}): look at what changed in the source"
        checks.append(Check(f"{kind}_shift", False, shift <= most, shift, most, text))
    return checks


def _most(name: str, value: float, limit: float | None, message: str) -> Check | None:
    if limit is None:
        return None
    text = f"{value:.1%} (limit {limit:.1%}) {message}"
    return Check(name, False, value <= limit, value, limit, text)
