"""What is known of network architectures by name: how each may be run so that no score depends on
the batch, and which cannot be run as their authors meant."""

from typing import Any

REFUSED = {
    "canine": "reads characters, not tokens",
    "esmc": "reads proteins",
    "esm": "reads proteins",
    "layoutlm": "reads words with their places on a page",
    "layoutlmv2": "reads words with their places on a page",
    "layoutlmv3": "reads words with their places on a page",
    "lilt": "reads words with their places on a page",
    "markuplm": "reads words with their places in a page's markup",
    "perceiver": "reads bytes padded to a fixed length",
    "reformer": "hashes its attention at random",
    "roc_bert": "reads the shape and sound of each character too",
    "tapas": "reads tables",
}
"""Model types that no text alone can be given to as their authors meant, and why."""

PADDABLE = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "modernbert",
        "mpnet",
        "rembert",
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
    }
)
"""Model types whose scores padding on the right does not change; the others get equal lengths."""

MASKLESS = frozenset(
    {"albert", "bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta"}
)
"""Model types to which no attention mask is the same as one that hides nothing, and cheaper."""

LENGTH_DEPENDENT = frozenset(
    {"big_bird", "bigbird_pegasus", "led", "longformer", "longt5", "nystromformer", "yoso", "mra"}
)
"""Model types that compute in another way beyond some length, which a trace cannot know."""

_READ_AT_END_TOKEN = frozenset(
    {"bart", "bigbird_pegasus", "led", "mbart", "mt5", "mvp", "plbart", "t5", "umt5"}
)


def refusal(model_type: str) -> str | None:
    """Why a model type cannot score texts; None where it can."""
    return REFUSED.get(model_type)


def landmark(config: Any) -> int | None:
    """The token at whose last place, or places, a classifier of this configuration reads.

    Such a network wants the same number of them in each sequence of a batch; None for the others.
    """
    own = getattr(config, "landmark_token_id", None)
    if own is not None:
        return int(own)
    if config.model_type not in _READ_AT_END_TOKEN:
        return None
    token = config.eos_token_id
    return int(token[0] if isinstance(token, list) else token) if token is not None else None
