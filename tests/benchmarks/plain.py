"""The obvious scripts that whole commands are measured against; each runs in a process of its own.

python -m tests.benchmarks.plain notebook CORPUS MODEL OUT N   a pipeline, N texts at a time
python -m tests.benchmarks.plain bundled CORPUS                the two bundled models, and no more
"""

import json
import sys
from pathlib import Path
from typing import Any

BUNDLED = Path(__file__).parents[2] / "data" / "models"
LABELS = ("política", "computación", "estadística")


def texts_of(corpus: str) -> list[str]:
    """The texts of a JSONL file."""
    lines = Path(corpus).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def notebook(corpus: str, model: str, out: str, size: str) -> None:
    """What the notebook did that Nocturna grew out of."""
    import pandas as pd
    from transformers import pipeline

    pipe: Any = pipeline("text-classification", model=model, device="cpu", top_k=None)
    texts = texts_of(corpus)
    if size == "1":
        scored = [pipe(text, truncation=True)[0] for text in texts]
    else:
        scored = list(pipe(texts, truncation=True, batch_size=int(size)))
    rows = [{cell["label"]: cell["score"] for cell in cells} for cells in scored]
    pd.DataFrame(rows).assign(text=texts).to_parquet(out)


def bundled(corpus: str) -> None:
    """Loads the bundled models with transformers and scores every text with both."""
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    texts = texts_of(corpus)
    sentiment, encoder = (str(BUNDLED / f"{kind}-es-en-pt-fr") for kind in ("sentiment", "encoder"))
    classify = AutoModelForSequenceClassification.from_pretrained(sentiment).eval()
    embed = AutoModel.from_pretrained(encoder).eval()
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (sentiment, encoder)]

    def ready(which: int, text: str) -> Any:
        return tokenizers[which](text, return_tensors="pt", truncation=True)

    def vectors(some: Any) -> Any:
        found = [embed(**ready(1, text)).last_hidden_state.mean(1) for text in some]
        return torch.nn.functional.normalize(torch.cat(found), dim=-1)

    with torch.inference_mode():
        torch.cat([classify(**ready(0, text)).logits for text in texts]).softmax(-1)
        (vectors(texts) @ vectors(LABELS).T / 0.05).softmax(-1)


if __name__ == "__main__":
    {"notebook": notebook, "bundled": bundled}[sys.argv[1]](*sys.argv[2:])
