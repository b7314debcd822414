#!/usr/bin/env python3
"""Small tokenisers trained here on sentences of our own, and what Hugging Face's tokenizers makes of some texts:
tests/fixtures/tokenizers.  make_tokenizers.py OUT  (needs tokenizers)

  bpe.json         byte-level BPE as GPT-2 cuts words;   digits.json   the same after single digits, with a special token
  word_piece.json  BERT's, uncased;   vocab.txt   its vocabulary
  expected.json    {file: [{"text", "ids", "offsets" (bytes), "decoded"}, ...]}; texts in base64, as some are no UTF-8
"""
import base64
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
CORPUS = [f"The {a} {b} {c} the {d}, and {n} {a}s didn't." for a in ("goose", "crab", "iguana", "flamingo") for b in ("sees", "follows", "hides from")
          for c in ("quietly", "again at") for d in ("water", "boat", "older shirt") for n in (3, 17, 2024)] + ["Größe naïve café über", "日本 の 鳥"]
TEXTS = [b"The goose sees the crab, and 2024 geese didn't.", "Größe  naïve\tcafé\n".encode(), "日本の鳥 🦩👍🏽".encode(), b"", b"   ", b"a  b   c ", b"x\xffy\xe2\x82 z\xf0\x9f",
         b"it's we'll I'd 'tis o'clock", "İstanbul ǅ ﬁ x² Ⅷ ½".encode(), b"supercalifragilisticexpialidocious" * 4, "a\u00a0b\u3000c\u200bd\x00e".encode(),
         b"<|end|>The<|end|>", b"[CLS] the [SEP][MASK]!", "e\u0301te\u0301 ...?!".encode(), b"'''\"--"]
BYTES = pre_tokenizers.ByteLevel.alphabet()


def bpe(split, special):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = split
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=BYTES, special_tokens=special, show_progress=False))
    return t


def word_piece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=220, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    c, s = t.token_to_id("[CLS]"), t.token_to_id("[SEP]")
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", c), ("[SEP]", s)])
    return t


def expected(t, raw):
    text = raw.decode(errors="replace")
    e = t.encode(text, add_special_tokens=False)
    return {"text": base64.b64encode(raw).decode(), "ids": e.ids, "decoded": t.decode(e.ids)}


level = pre_tokenizers.ByteLevel(add_prefix_space=False)
made = {"bpe.json": bpe(level, []), "digits.json": bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level]), ["<|end|>"]),
        "word_piece.json": word_piece()}
for name, t in made.items():
    t.save(str(out / name))
vocabulary = made["word_piece.json"].get_vocab()
(out / "vocab.txt").write_text("".join(p + "\n" for p in sorted(vocabulary, key=vocabulary.get)))
pair = made["word_piece.json"].encode("The goose", "sees the crab!")
(out / "expected.json").write_text(json.dumps({**{name: [expected(t, raw) for raw in TEXTS] for name, t in made.items()},
                                               "pair": {"ids": pair.ids, "types": pair.type_ids}}, indent=0) + "\n")
