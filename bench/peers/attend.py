#!/usr/bin/env python3
"""Statistics of every head, and the losses, whole processes in turns: `loupe attend --statistics` against transformers with
eager attention that hands its patterns out; and what Loupe needs for a long input.

    python3 bench/peers/attend.py --weights smollm2-135m.gguf [--rounds 3] [--threads 2] [--long 8192] [--loupe build/release/bin/loupe]

Ten sequences of 50 random tokens, twice. First the numbers are compared, then the medians of the rounds' seconds. Wants
torch, transformers, accelerate and gguf.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HALF, COUNT, MASK = 50, 10, (1 << 64) - 1


def splitmix64(i):
    z = (i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def sequences():
    return [[1000 + splitmix64(HALF * s + j) % 9000 for j in range(HALF)] * 2 for s in range(COUNT)]


def theirs(weights, ids, out):
    """In a process of its own."""
    import torch
    from transformers import AutoModelForCausalLM
    path = pathlib.Path(weights)
    began = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    loaded = time.perf_counter()
    x, n = torch.tensor(json.loads(pathlib.Path(ids).read_text())), 2 * HALF
    with torch.inference_mode():
        result = model(x, output_attentions=True)
        late, later = torch.arange(HALF, n), torch.arange(1, n)
        p = torch.stack(result.attentions)  # (layers, sequences, heads, n, n)
        of = {"induction": p[..., late, late - HALF + 1], "duplicate": p[..., late, late - HALF],
              "previous": p[..., later, later - 1], "first": p[..., later, torch.zeros_like(later)]}
        scores = {k: v.mean(-1).mean(1).tolist() for k, v in of.items()}
        losses = torch.nn.functional.cross_entropy(result.logits[:, :-1].transpose(1, 2), x[:, 1:], reduction="none")
    scores["loss"] = losses.tolist()
    scores["seconds"] = [loaded - began, time.perf_counter() - loaded]
    pathlib.Path(out).write_text(json.dumps(scores))


def peak_of(words, env):
    """GiB of memory that the process had at most, and seconds."""
    began = time.perf_counter()
    child = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{words[0]} failed")
    return used.ru_maxrss / (1 << 20), time.perf_counter() - began


def flat(x):
    return [v for row in x for v in flat(row)] if isinstance(x, list) else [x]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tree = pathlib.Path(__file__).resolve().parent.parent.parent
    parser.add_argument("--weights", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--long", type=int, default=8192, help="tokens of the long input")
    parser.add_argument("--loupe", default=tree / "build/release/bin/loupe")
    parser.add_argument("--theirs", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.theirs:
        return theirs(a.weights, *a.theirs)
    with tempfile.TemporaryDirectory() as folder:
        ids, out = f"{folder}/ids.json", f"{folder}/theirs.json"
        pathlib.Path(ids).write_text(json.dumps(sequences()))
        env = dict(os.environ, OMP_NUM_THREADS=a.threads)
        seconds = {"loupe": [], "transformers": []}
        for _ in range(a.rounds):
            began = time.perf_counter()
            said = subprocess.run([a.loupe, "attend", "--weights", a.weights, "--ids", ids, "--statistics", "--json",
                                   "--threads", a.threads], check=True, capture_output=True, env=env)
            seconds["loupe"].append(time.perf_counter() - began)
            began = time.perf_counter()
            subprocess.run([sys.executable, __file__, "--weights", a.weights, "--theirs", ids, out], check=True, env=env,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds["transformers"].append(time.perf_counter() - began)
        long, short = f"{folder}/long.json", f"{folder}/short.json"
        pathlib.Path(long).write_text(json.dumps([[1000 + splitmix64(j) % 9000 for j in range(a.long // 2)] * 2]))
        pathlib.Path(short).write_text(json.dumps([[1000, 1001, 1002, 1003]]))
        memory = {n: peak_of([a.loupe, "attend", "--weights", a.weights, "--ids", f, "--statistics", "--threads", a.threads], env)
                  for n, f in ((4, short), (a.long, long))}
        ours, other = json.loads(said.stdout), json.loads(pathlib.Path(out).read_text())
    for name in ("induction", "previous", "duplicate", "first", "loss"):
        worst = max(abs(x - y) for x, y in zip(flat(ours[name]), flat(other[name]), strict=True))
        print(f"{name:<10} differs by at most {worst:.1e}")
    for name, all_of in seconds.items():
        print(f"{name:<13} {statistics.median(all_of):6.2f} s  ({', '.join(f'{s:.2f}' for s in all_of)})")
    print(f"transformers: {other['seconds'][0]:.1f} s of loading and {other['seconds'][1]:.1f} s of computing, the rest imports")
    for tokens, (gib, took) in memory.items():
        print(f"loupe, one sequence of {tokens} tokens: {gib:.2f} GiB at most, {took:.1f} s")
    print(f"transformers / loupe {statistics.median(seconds['transformers']) / statistics.median(seconds['loupe']):.2f}")


if __name__ == "__main__":
    main()
