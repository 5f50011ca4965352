"""One pocketsphinx decoder, and how far its words are to be trusted.

A grammar always answers: the weather in Chicago comes back as a telephone number. So every answer is measured against the
acoustic model without a grammar: with `compallsen` each frame's score is relative to the best of all sounds, so that the
mean over the words says how much worse than anything at all they fit. Out-of-grammar speech lies around 7 nats a frame,
in-grammar speech around 3.5. Speech that the grammar hid under a silence is found in the same way. README.md has the figures,
and those of the other checks that were tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log
from pathlib import Path
from time import sleep
from typing import Any

from agentd.errors import ProviderError
from agentd.messages import Hints
from agentd.providers.local.extra import load
from agentd.providers.local.lexicon import Lexicon, lexicon

RATE = 16000
"""The acoustic model's only rate."""

STEP = RATE // 50
"""Samples decoded at a stretch, 20 ms: 1.4 ms of work, during which no other thread runs."""

DITHER = 26
"""Noise added to all audio, rms in 16-bit steps: exact silence ruins the features (word errors .28 → .17 at 8 kHz)."""

WORDS_FIT = 5.5
"""Mean nats a frame by which sure words may fit worse than any sound."""

PARTIAL_FITS = 5.0
"""The same while the utterance goes on: stricter, since it stops the agent, and a guess is revised."""

SILENCE_FITS = 4.5
"""The same for what the grammar takes for silence: 99 % of true silence lies below 3.4, hidden speech above 5."""

SURE_FRAMES = 50
"""Words so far vouch for themselves from 500 ms on: shorter ones are prefixes of anything."""

GRAMMARS = 32
"""Grammars kept in one decoder: a flow has some ten states."""

SMALL = """#JSGF V1.0; grammar small;
public <utterance> = yes | yeah | yes please | no | nope | no thank you | no thanks | okay | hello | goodbye | stop | wait
 | hold on | sorry | help | thank you | what | can i speak to a person | say that again;
"""
"""What is listened for where a state gives no grammar."""

_NOT_WORDS = re.compile(r"^#.*?;|grammar\s+\S+?\s*;|\bpublic\b|<[^>]*>|/[^/]*/|\{[^}]*\}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an ear understands: the whole utterance's words, and whether they may be acted on."""

    text: str = ""
    sure: bool = False


class Ears:
    """Makes ears: what they share is loaded once. Raises OperatorError where the extra `local` is not installed."""

    def __init__(self) -> None:
        self._sphinx = load("pocketsphinx")
        numpy = load("numpy")
        self._model = Path(self._sphinx.get_model_path("en-us"))
        self._lexicon = lexicon()
        self._noise = numpy.random.default_rng(1).normal(0, DITHER, RATE + STEP)
        self._numpy = numpy

    def __call__(self) -> Ear:
        """Make an ear: 13 ms and 8 MB."""
        decoder = self._sphinx.Decoder(
            hmm=str(self._model / "en-us"), dict=None, lm=None, compallsen=True, bestpath=False, loglevel="FATAL"
        )
        return Ear(decoder, self._lexicon, self._numpy, self._noise)


class Ear:
    """A decoder for one call at a time; every method but `fresh` takes milliseconds and belongs in a thread.

    Not re-entrant, and of no use any more once a call of it was abandoned.
    """

    def __init__(self, decoder: Any, lexicon: Lexicon, numpy: Any, noise: Any) -> None:
        self._decoder, self._lexicon, self._numpy, self._noise = decoder, lexicon, numpy, noise
        self._known: set[str] = set()
        self._searches: dict[tuple[str, str], str] = {}
        self._made = 0
        self._open = False
        self._heard = 0
        self._unadapted = decoder.get_cmn(False)
        self.fresh(RATE)

    def fresh(self, rate: int) -> None:
        """Forget the last call's caller and line; the next audio has `rate` (8000 or 16000 Hz)."""
        self._close()
        self._decoder.set_cmn(self._unadapted)
        self._double = Doubler(self._numpy) if rate * 2 == RATE else None
        self._heard = 0

    def begin(self, hints: Hints) -> None:
        """Begin an utterance, in the grammar of `hints`; raises ProviderError where that is no JSGF."""
        self._close()
        self._decoder.activate_search(self._search(hints.name, hints.grammar or SMALL))
        self._decoder.start_utt()
        self._open = True

    def hear(self, pcm: bytes) -> Reading:
        """Take the utterance's next audio and return what is understood so far."""
        samples = self._numpy.frombuffer(pcm, "<i2").astype("f8")
        if self._double:
            samples = self._double(samples)
        for start in range(0, len(samples), STEP):
            piece = samples[start : start + STEP]
            at = self._heard % RATE
            self._heard += len(piece)
            piece = (piece + self._noise[at : at + len(piece)]).clip(-32768, 32767).astype("<i2")
            self._decoder.process_raw(piece.tobytes())
            sleep(0)  # pocketsphinx decodes with the interpreter locked: let the loop have it
        return self._reading(PARTIAL_FITS, SURE_FRAMES)

    def finish(self) -> Reading:
        """End the utterance; return its words, none where no sentence of the grammar was completed."""
        self._close()
        return self._reading(WORDS_FIT, 0)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._decoder.end_utt()

    def _search(self, name: str, grammar: str) -> str:
        """Return the decoder's name of a grammar; the oldest one gives way to a new one."""
        key = (name, grammar)
        if search := self._searches.get(key):
            return search
        for word in sorted(set(_NOT_WORDS.sub(" ", grammar).lower().translate(_MARKS).split()) - self._known):
            for number, phones in enumerate(self._lexicon.pronounce(word), 1):
                self._decoder.add_word(word if number == 1 else f"{word}({number})", phones, False)
            self._known.add(word)
        if len(self._searches) >= GRAMMARS:
            self._decoder.remove_search(self._searches.pop(next(iter(self._searches))))
        self._made += 1
        search = f"grammar {self._made}"
        try:
            self._decoder.add_jsgf_string(search, grammar)
        except ValueError as error:
            raise ProviderError("recognizer", f"the grammar of {name!r} is no JSGF: {error}", retryable=False) from error
        self._searches[key] = search
        return search

    def _reading(self, fits: float, frames: int) -> Reading:
        """The decoder's hypothesis, sure where words and silences fit and the words last for `frames`."""
        hypothesis = self._decoder.hyp()
        if hypothesis is None or not hypothesis.hypstr:
            return Reading()
        words, silence = Fit(), Fit()
        for part in self._decoder.seg():
            match part.word:
                case "<sil>":
                    silence.add(part)
                case "(NULL)" | "<s>" | "</s>":
                    pass
                case _:
                    words.add(part)
        sure = words.frames >= frames and words.nats <= fits and silence.nats <= SILENCE_FITS
        return Reading(hypothesis.hypstr, sure)


class Fit:
    """How much worse than the best of all sounds some parts of a hypothesis fit, in nats a frame."""

    SCALE = 1024
    """Pocketsphinx keeps senone scores with ten bits less."""

    def __init__(self) -> None:
        self.frames, self._sum = 0, 0.0

    def add(self, part: Any) -> None:
        """Add a segment; its `ascore` is a likelihood ratio of at most about 1."""
        self.frames += part.end_frame - part.start_frame + 1
        self._sum -= self.SCALE * log(max(part.ascore, 1e-300))

    @property
    def nats(self) -> float:
        """The mean."""
        return self._sum / self.frames if self.frames else 0.0


class Doubler:
    """8 → 16 kHz by a half-band filter with a delay of 1 ms; soxr's streams delay by 26 ms and more."""

    TAPS = 31

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy
        position = numpy.arange(self.TAPS) - self.TAPS // 2
        self._filter = numpy.sinc(position / 2) * numpy.blackman(self.TAPS + 2)[1:-1]
        self._past = numpy.zeros(self.TAPS - 1)

    def __call__(self, samples: Any) -> Any:
        """Return twice as many samples, the filter's delay later."""
        spread = self._numpy.zeros(len(self._past) + 2 * len(samples))
        spread[: len(self._past)] = self._past
        spread[len(self._past) :: 2] = samples
        self._past = spread[-len(self._past) :]
        return self._numpy.convolve(spread, self._filter, "valid")


_MARKS = str.maketrans(dict.fromkeys("()[]|=;*+", " "))
