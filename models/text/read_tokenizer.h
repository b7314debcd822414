// Tokenisers from files: GGUF's tables, Hugging Face's tokenizer.json, and BERT's vocab.txt.
#pragma once
#include <filesystem>
#include <memory>

#include "engine/text/tokenizer.h"
#include "models/text/source.h"

namespace loupe {

/// Of a GGUF file's keys tokenizer.ggml.*: byte-level BPE ("gpt2") as GPT-2 and SmolLM cut words. Throws Error, one line
/// that names the file, for other kinds and for tables that make no sense.
std::shared_ptr<const Tokenizer> gguf_tokenizer(const GgufFile& file, const std::string& name);
/// Of tokenizer.json (BPE with bytes, WordPiece), or of a vocab.txt with a piece a line, as BERT's uncased models have it.
/// Throws Error, one line that names the file; it names the part that is not read.
std::shared_ptr<const Tokenizer> read_tokenizer(const std::filesystem::path& file);
/// The same of such a file's text; `name` stands for it in errors.
std::shared_ptr<const Tokenizer> parse_tokenizer(const std::string& text, const std::string& name);

/// That of a model; null where its source has none. `note` takes why it is not read, where it is there.
std::shared_ptr<const Tokenizer> tokenizer_of(const TextSource& source, const std::filesystem::path& path,
                                              std::string& note);

}  // namespace loupe
