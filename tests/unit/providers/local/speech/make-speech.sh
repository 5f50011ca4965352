#!/bin/sh
# Makes the WAVs beside this file: 16 kHz mono, 16 bits, spoken by flite's voices. Needs flite and sox; run once, by hand.
# A line of phrases.txt: file's stem, voice, words. `in-` is a phrase of the grammar in test_pocketsphinx.py, `out-` is none.
set -eu
cd "$(dirname "$0")"
while read -r stem voice words; do
    flite -voice "$voice" -t "$words" -o raw.wav
    sox raw.wav -r 16000 -c 1 -b 16 "$stem.wav"
done < phrases.txt
rm -f raw.wav
