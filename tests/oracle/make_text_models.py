#!/usr/bin/env python3
"""Small text models of each family as transformers writes them, with what transformers computes of them in float64:
tests/fixtures/text.  make_text_models.py OUT  (needs torch, transformers, safetensors, gguf)

  <family>/config.json, model.safetensors      llama_sharded/ in shards with an index
  <family>.safetensors      ids (2, L) i32, scores: logits (BERT: last hidden states), seed of their shape, gradient:
                            d(sum of seed * scores)/d(rows of the table of tokens), all f64; patterns of the layers, f64
  llama.gguf                the same weights as llama/, Q and K rows permuted as llama.cpp's converter does; f32 and f16
  types.gguf, types.safetensors      random blocks of every type that is read, and gguf's own dequantize of them
"""
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers as hf
from safetensors.numpy import save_file
from safetensors.torch import load_file

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
VOCABULARY, LENGTH = 29, 7


def models():
    yield "llama", hf.LlamaForCausalLM(hf.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=16, rms_norm_eps=1e-5, rope_theta=500.0, tie_word_embeddings=False))
    yield "llama_sharded", hf.LlamaForCausalLM(hf.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=6, max_position_embeddings=16, tie_word_embeddings=True))
    yield "gpt2", hf.GPT2LMHeadModel(hf.GPT2Config(
        vocab_size=VOCABULARY, n_positions=9, n_embd=12, n_layer=2, n_head=3, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
    yield "bert", hf.BertModel(hf.BertConfig(
        vocab_size=VOCABULARY, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
        max_position_embeddings=10, hidden_dropout_prob=0, attention_probs_dropout_prob=0))


def write(name, model):
    model.config._attn_implementation = "eager"
    torch.manual_seed(sum(map(ord, name)))
    with torch.no_grad():
        for key, p in model.named_parameters():
            norm = p.dim() == 1 and key.endswith("weight")
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if norm else 0.0))
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size="2KB" if name.endswith("sharded") else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)

    model = model.double().eval()
    for module in model.modules():
        if hasattr(module, "inv_freq"):  # angles in double, too
            d = 2 * module.inv_freq.numel()
            module.inv_freq = model.config.rope_parameters["rope_theta"] ** (-torch.arange(0, d, 2).double() / d)
    ids = torch.randint(0, VOCABULARY, (2, LENGTH))
    rows = model.get_input_embeddings()(ids).detach().requires_grad_(True)
    more = {"token_type_ids": torch.arange(LENGTH)[None].expand(2, -1) % 2} if name == "bert" else {}
    float32, to_float = torch.float32, torch.Tensor.float  # which norms, rotations and softmax ask for by name
    torch.float32, torch.float, torch.Tensor.float = torch.float64, torch.float64, torch.Tensor.double
    result = model(inputs_embeds=rows, output_attentions=True, **more)
    torch.float32, torch.float, torch.Tensor.float = float32, float32, to_float
    assert result[0].dtype == torch.float64
    scores = result.last_hidden_state if name == "bert" else result.logits
    seed = torch.randn_like(scores)
    (gradient,) = torch.autograd.grad((seed * scores).sum(), rows)
    save_file({"ids": ids.to(torch.int32).numpy(), "scores": scores.detach().numpy(), "seed": seed.numpy(),
               "gradient": gradient.numpy(), "patterns": torch.stack(result.attentions).detach().numpy()},
              out / f"{name}.safetensors")


def permuted(w, heads):
    """As llama.cpp's converter: halves of a head become interleaved pairs."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def write_gguf(tensors):
    w = gguf.GGUFWriter(out / "llama.gguf", "llama")
    w.add_block_count(2)
    w.add_context_length(16)
    w.add_embedding_length(24)
    w.add_feed_forward_length(20)
    w.add_head_count(6)
    w.add_head_count_kv(2)
    w.add_rope_freq_base(500.0)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_array("tokenizer.ggml.tokens", [f"token{i}" for i in range(VOCABULARY)])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for key, t in tensors.items():
        a = t.numpy()
        if key.endswith("q_proj.weight"):
            a = permuted(a, 6)
        if key.endswith("k_proj.weight"):
            a = permuted(a, 2)
        w.add_tensor(names.get_name(key, try_suffixes=(".weight",)), a)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_types():
    random, wanted = np.random.default_rng(14), {}
    w = gguf.GGUFWriter(out / "types.gguf", "test")
    w.add_uint64("test.large", 2**63 + 5)
    w.add_int8("test.small", -3)
    w.add_float64("test.third", 1 / 3)
    w.add_bool("test.yes", True)
    w.add_array("test.scores", [0.5, -1.25, 3.0])
    w.add_array("test.kinds", [1, 3, -6])
    w.add_array("test.texts", ["a", "", "Ġümlaut"])
    for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"):
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows, blocks = 3, 2 if block > 1 else 5
        raw = random.integers(0, 256, (rows, blocks * size), dtype=np.uint8)
        halves = {"F16": range(0, blocks * 2, 2)}.get(name) or [
            b * size + o for b in range(blocks) for o in {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
                                                           "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}.get(name, [])]
        for row in raw:
            for o in halves:  # scales of any exponent, subnormal ones too, but no infinity or NaN
                row[o + 1] = row[o + 1] & 0x80 | random.integers(0, 0x7C)
        if name in ("F32", "BF16"):
            values = random.standard_normal((rows, blocks)).astype(np.float32)
            raw = values.view(np.uint8) if name == "F32" else (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
        wanted[name] = gguf.dequantize(raw.view(np.float32) if name == "F32" else raw.view(np.float16) if name == "F16" else raw,
                                       kind).astype(np.float32)
        w.add_tensor(name, raw if name not in ("F32", "F16") else raw.view(np.float32 if name == "F32" else np.float16),
                     raw_dtype=kind)
    w.add_tensor("other", np.zeros((1, 84), dtype=np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q2_K)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    save_file(wanted, out / "types.safetensors")


torch.manual_seed(0)
for name, model in models():
    write(name, model)
write_gguf(load_file(out / "llama" / "model.safetensors"))
write_types()
