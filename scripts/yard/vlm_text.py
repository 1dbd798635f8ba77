"""The VLM's text side: its tokenizer and its prompt, both in SmolVLM's form.

The tokenizer is a byte-level BPE with SmolVLM's special tokens, trained on the yard's own questions and answers, so it is
small (512 tokens) but can spell anything. The prompt is SmolVLM's for one picture that isn't cut into tiles.
"""

import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from questions import CANNOT_TELL, ask, ask_unjudgeable
from scenes import sample_scene, truth

VOCABULARY = 512
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<fake_token_around_image>",
    "<global-img>",
    "<image>",
    "<end_of_utterance>",
)
END = "<end_of_utterance>"
YES_WORDS = (" Yes", "Yes", " yes", "yes", " YES", "YES")
NO_WORDS = (" No", "No", " no", "no", " NO", "NO")
CORPUS_SCENES = 3_000  # of seeds that nothing else uses


def image_prefix(image_tokens: int) -> str:
    """The prompt up to and with the picture: the same for every question, so its cache can be shared."""
    return f"<|im_start|>User:<fake_token_around_image><global-img>{'<image>' * image_tokens}<fake_token_around_image>"


def question_suffix(question: str) -> str:
    """The prompt after the picture; the answer's first token comes next."""
    return f"{question}{END}\nAssistant:"


def build_tokenizer() -> Tokenizer:
    """The same tokenizer every time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    for word in (" Yes", " No"):
        if len(encode(tokenizer, word)) != 1:
            raise RuntimeError(f"{word!r} is not a single token")
    return tokenizer


def corpus() -> list[str]:
    """Questions and answers as they occur, with a share of words that only unjudgeable questions have."""
    lines = []
    for seed in range(CORPUS_SCENES):
        dice = random.Random(seed)
        seen = truth(sample_scene(seed))
        for _ in range(6):
            asked = ask(seen, dice)
            lines += [question_suffix(asked.text), f" {asked.answer}"]
        if seed % 4 == 0:
            lines += [ask_unjudgeable(dice).text, f" {CANNOT_TELL}"]
    return lines


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def single_tokens(tokenizer: Tokenizer, words: tuple[str, ...]) -> list[int]:
    """Ids of the words that are one token which decodes back to the word."""
    ids = [encode(tokenizer, word) for word in words]
    return sorted(
        {
            found[0]
            for found, word in zip(ids, words, strict=True)
            if len(found) == 1 and tokenizer.decode(found) == word
        }
    )
