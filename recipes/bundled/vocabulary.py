"""The student's own Spanish and English WordPiece vocabulary.

Method: WordPiece (Wu et al. 2016, https://arxiv.org/abs/1609.08144). Lower-cased and without
accents, like the teacher's, so that tweets typed without them read the same and word vectors can
be taken over. Addresses become ``http`` and user names ``@user``; every emoji is a token.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"

_ALPHABET_SIZE = 420
_EMOJI = r"[\p{So}\p{Sk}\x{200D}\x{FE0F}]"


def train_tokenizer(texts: Iterable[str], size: int, window: int) -> PreTrainedTokenizerFast:
    """A fast tokenizer of ``size`` word pieces learnt from ``texts``.

    ``window`` is the longest input in tokens, ``[CLS]`` and ``[SEP]`` included.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"https?(://\S*)?|www\.\S+"), "http"),
            normalizers.Replace(Regex(r"@\w+"), "@user"),
            normalizers.BertNormalizer(lowercase=True, strip_accents=True),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_EMOJI), behavior="isolated"),
            pre_tokenizers.BertPreTokenizer(),
        ]
    )
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        limit_alphabet=_ALPHABET_SIZE,
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", SPECIAL_TOKENS.index("[SEP]")), ("[CLS]", SPECIAL_TOKENS.index("[CLS]"))
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=window,
        unk_token="[UNK]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        mask_token="[MASK]",
    )
