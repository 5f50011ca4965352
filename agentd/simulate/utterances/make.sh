#!/bin/sh
# Make the caller's utterances from words.txt (voice, file, words, pace) with flite (apt: flite), and the cough.
# The voices are other ones than the agent's, so that it cannot mistake itself for the caller.
# Each file is trimmed to 20 ms around its speech and brought to one level. Run from anywhere: PYTHON=python3 make.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
raw=$(mktemp -d)
trap 'rm -r "$raw"' EXIT
while IFS="$(printf '\t')" read -r voice file words pace; do
    flite -voice "$voice" --setf duration_stretch="$pace" -t "$words" -o "$raw/$file.wav" </dev/null
done <"$here/words.txt"
cd "$here/../../.."
"${PYTHON:-python3}" - "$raw" "$here" <<'END'
import sys
from pathlib import Path

import numpy as np

from agentd.simulate.audio import active_rms, clip, read_mono, write_wav
from agentd.simulate.noise import cough

RATE, LEVEL, MARGIN = 16000, 2300, 320
raw, here = map(Path, sys.argv[1:])
for path in sorted(raw.glob("*.wav")):
    sound = read_mono(path, RATE).astype(np.float64)
    sound = clip(sound * LEVEL / active_rms(clip(sound), RATE))
    loud = np.flatnonzero(np.abs(sound) > LEVEL / 15)
    sound = sound[max(0, loud[0] - MARGIN) : loud[-1] + MARGIN]
    write_wav(here / path.name, RATE, sound)
    print(f"{len(sound) / RATE:5.2f} s  {path.name}")
write_wav(here / "cough.wav", RATE, cough(RATE))
END
