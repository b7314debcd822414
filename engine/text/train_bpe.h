// Learning byte-level BPE from texts (Sennrich et al. 2016, algorithm 1, over counted words).
#pragma once
#include "engine/text/byte_bpe.h"

namespace loupe {

struct BpeTraining {
  int64_t size =
      1024;  // pieces to reach: `special`, the 256 bytes, and one for each merge that makes a new one
  int64_t fewest = 1;                     // a pair is joined if it occurs as often
  std::vector<std::string> special = {};  // numbered first
  WordSplit split = {};
};

struct LearnedBpe {
  Vocabulary vocabulary = {};
  std::vector<std::pair<std::string, std::string>> merges = {};  // first learned first
};

/// Joins the pair of neighbours that is most frequent within words, again and again, until the vocabulary has its size or no
/// pair is left. Of pairs that are as frequent the one with the smaller left number goes first, then the smaller right one,
/// as in Hugging Face's BpeTrainer. The same for the same texts, whatever their order. Bytes that are no UTF-8 are learned
/// as U+FFFD. Throws UsageError for a size under that of special tokens and bytes, and for a special token that is empty or
/// there twice.
LearnedBpe train_bpe(std::span<const std::string> texts, const BpeTraining& training);

/// As a file tokenizer.json, which Hugging Face's tokenizers and parse_tokenizer() read.
std::string tokenizer_json(const LearnedBpe& learned, const WordSplit& split);

}  // namespace loupe
