#!/usr/bin/env python3
"""Tokens of 10,000 lines of mixed scripts, code, emoji and broken UTF-8: `loupe tokens` beside Hugging Face's tokenizers.

    python3 tests/oracle/compare_tokens.py [--gguf smollm2-135m.gguf] [--json tokenizer.json] [--lines 10000] [--seed 1]
                                           [--loupe build/release/bin/loupe]

Lines are made here, of a seed. A line that is no UTF-8 goes to Hugging Face as Python repairs it (errors="replace"). Compared are
numbers, and where tokens lie (characters of Hugging Face's as bytes); of lines that differ the characters that make the difference are
named, with what is known of them. Decoding is compared, too. Wants tokenizers, and gguf for --gguf.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unicodedata

try:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed for {sys.executable}")
    sys.exit(77)

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58F), (0x591, 0x5F4),
           (0x600, 0x6FF), (0x900, 0x97F), (0xE01, 0xE5B), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F),
           (0x2070, 0x20CF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x27BF), (0x3000, 0x30FF), (0x3400, 0x3500), (0x4E00, 0x9FFF),
           (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10330, 0x1034A), (0x1D400, 0x1D7FF),
           (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x20100), (0xE0020, 0xE007F)]
CODE = ["for (int i = 0; i < n; ++i) {", "    return x ** 2  # squared", "\tif err != nil {", "SELECT a, b FROM t WHERE c='d';", "\\frac{1}{2}\\alpha",
        "let f = |x: &str| -> Option<u8> { x.bytes().next() };", "#include <vector>", "a->b[3] += 0x1F;", "<div class=\"x\">&nbsp;</div>", "{\"k\": [1, 2.5e-3]}"]
WORDS = ("the a fox it's they're we'll I'm don't o'clock HELLO world naïve café Straße İstanbul ǅungla ﬁne x² ½ 12345 3.14 ٣٤ 四百 "
         "supercalifragilistic 'quoted' e-mail user@host.org https://a.b/c?d=e 100% $5 #tag ... ?! -- — … «so» „ja“").split()
EMOJI = ["😀", "👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "❤️", "☕", "🫠", "1️⃣"]
BLANKS = [" ", " ", " ", "  ", "   ", "\t", "\u00a0", "\u2003", "\u3000", "\r", "\u200b", "\u2028", "\x0b", "\x1c", "\x85", ""]
SPECIAL = ["<|im_start|>", "<|endoftext|>", "[CLS]", "[MASK]", "[SEP]x", "<|im_end|>"]
BROKEN = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xf4\x90\x80\x80"]


def line(rng):
    out = b""
    for _ in range(rng.randrange(1, 14)):
        kind = rng.random()
        if kind < .35:
            piece = rng.choice(WORDS)
        elif kind < .65:
            low, high = rng.choice(SCRIPTS)
            piece = "".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 9)))
        elif kind < .75:
            piece = rng.choice(CODE)
        elif kind < .85:
            piece = "".join(rng.choice(EMOJI) for _ in range(rng.randrange(1, 3)))
        elif kind < .88:
            piece = rng.choice(SPECIAL)
        elif kind < .92:
            piece = "".join(rng.choice("abcXYZ019 '.-\u0301") for _ in range(rng.randrange(1, 160)))
        elif kind < .95:
            out += rng.choice(BROKEN)
            continue
        else:
            piece = chr(rng.choice([rng.randrange(0x20), rng.randrange(0x80, 0xA0), rng.randrange(0xD7FF), rng.randrange(0xE000, 0x110000)]))
        out += (piece + rng.choice(BLANKS)).encode()
    return out.replace(b"\n", b" ")


def of_gguf(path):
    import gguf
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.fields["tokenizer.ggml." + key].contents()
    pieces, types = value("tokens"), value("token_type")
    tokenizer = Tokenizer(models.BPE(vocab={p: i for i, p in enumerate(pieces)}, merges=[tuple(m.split(" ")) for m in value("merges")]))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
                               if value("pre") == "smollm" else byte_level)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(p, special=True, normalized=False) for p, t in zip(pieces, types) if t in (3, 4)])
    return tokenizer


def positions(raw, text):
    """Of each character of the repaired text, and of its end, the byte of the line where it lies."""
    places, at = [], 0
    for c in text:
        places.append(at)
        encoded = c.encode()
        if raw[at:at + len(encoded)] == encoded and not (c == "\ufffd" and raw[at:at + 3] != b"\xef\xbf\xbd"):
            at += len(encoded)
            continue
        length = 1
        while length < 4:  # the longest beginning that Python takes as one
            try:
                raw[at:at + length + 1].decode()
            except UnicodeDecodeError as e:
                if e.start == 0 and e.end >= length + 1 and at + length + 1 <= len(raw):
                    length += 1
                    continue
            break
        at += length
    return places + [len(raw)]


def different_alone(tokenizer, options, characters, loupe):
    """Those that are other tokens between two letters."""
    if not characters:
        return []
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write("\n".join(f"a{c}b" for c in characters).encode() + b"\n")
        file.flush()
        ours = json.loads(subprocess.run([loupe, "tokens", *options, "--lines", file.name, "--json"], check=True, capture_output=True).stdout)
    return [c for c, mine in zip(characters, ours) if mine["ids"] != tokenizer.encode(f"a{c}b", add_special_tokens=False).ids]


def compare(name, tokenizer, options, lines, loupe, file):
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [raw.decode(errors="replace") for raw in lines]
    began = time.perf_counter()
    theirs = [tokenizer.encode(t, add_special_tokens=False) for t in texts]
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    ours = json.loads(subprocess.run([loupe, "tokens", *options, "--lines", file, "--json"], check=True, capture_output=True).stdout)
    own = time.perf_counter() - began
    assert len(ours) == len(lines), (len(ours), len(lines))
    differ, suspects, decoded, moved, which = 0, collections.Counter(), 0, 0, []
    for raw, text, mine, other in zip(lines, texts, ours, theirs):
        if mine["ids"] != other.ids:
            differ += 1
            suspects.update(set(text))
            which.append(text)
            continue
        places = positions(raw, text)
        if name == "WordPiece":
            moved += [(places[b], places[e]) for b, e in other.offsets] != list(zip(mine["begin"], mine["end"]))
    characters = different_alone(tokenizer, options, [c for c in suspects if c != "\n"], loupe)
    sample = [i for i in range(0, len(lines), max(1, len(lines) // 200)) if theirs[i].ids]
    for i in sample:
        text = json.loads(subprocess.run([loupe, "tokens", *options, "--ids", ",".join(map(str, theirs[i].ids)), "--json"], check=True,
                                         capture_output=True).stdout)["text"]
        decoded += text == tokenizer.decode(theirs[i].ids)
    print(f"{name}: {len(lines) - differ} of {len(lines)} lines equal, {sum(len(t.ids) for t in theirs)} tokens; decoded {decoded} of {len(sample)} equal"
          + (f"; places differ in {moved} lines" if name == "WordPiece" else ""))
    print(f"  {seconds:.2f} s by tokenizers, a line at a time; {own:.2f} s by the whole process of loupe, with reading and JSON")
    if differ:
        print(f"  of the {differ} others {sum(any(c in text for c in characters) for text in which)} hold a character that alone is other tokens:")
    for c in sorted(characters, key=lambda c: -suspects[c])[:12]:
        print(f"  U+{ord(c):04X} {unicodedata.name(c, 'without a name in Python ' + unicodedata.unidata_version)} ({unicodedata.category(c)})")
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf")
    parser.add_argument("--json")
    parser.add_argument("--lines", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loupe", default=pathlib.Path(__file__).resolve().parent.parent.parent / "build/release/bin/loupe")
    a = parser.parse_args()
    rng = random.Random(a.seed)
    lines = [line(rng) for _ in range(a.lines)]
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(b"\n".join(lines) + b"\n")
        file.flush()
        if a.gguf:
            compare("byte-level BPE", of_gguf(a.gguf), ["--weights", a.gguf], lines, a.loupe, file.name)
        if a.json:
            compare("WordPiece", Tokenizer.from_file(a.json), ["--tokenizer", a.json], lines, a.loupe, file.name)


if __name__ == "__main__":
    main()
