#!/usr/bin/env python3
"""A PyTorch loop whose batch size CABS chooses.

    python3 train.py [--cabs PATH] [--data DIR] [--steps N]

`cabs policy` runs beside the loop and is asked through a pipe: what a step measured goes in, the next batch size comes out. The batch
passes in micro-batches, as it does under gradient accumulation; the squared norm of each one's mean gradient is all that the rule needs.
"""
import argparse, gzip, json, pathlib, struct, subprocess
import torch
from torch import nn


def read_idx(folder, name):
    """A file of MNIST's format, compressed or not."""
    path = pathlib.Path(folder) / name
    content = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    rank = content[3]
    sizes = struct.unpack(f">{rank}I", content[4:4 + 4 * rank])
    return torch.frombuffer(bytearray(content[4 + 4 * rank:]), dtype=torch.uint8).reshape(sizes)


class Policy:
    """The rule, as a process that answers line by line."""

    def __init__(self, cabs, *options):
        self.process = subprocess.Popen(
            [cabs, "policy", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, **step):
        self.process.stdin.write(json.dumps(step) + "\n")
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("cabs policy ended; what it said is above")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def squared_norm(tensors):
    return sum(float(tensor.double().square().sum()) for tensor in tensors)


def gradient(model, images, labels, microbatch_count=8, largest_microbatch=64):
    """Leaves the batch's mean gradient in the parameters; returns its loss and each micro-batch's size and squared norm."""
    parameters = list(model.parameters())
    size = max(1, min(largest_microbatch, -(-len(images) // microbatch_count)))
    total, loss, parts = [torch.zeros_like(p) for p in parameters], 0.0, []
    for x, y in zip(images.split(size), labels.split(size)):
        model.zero_grad()
        mean_loss = nn.functional.cross_entropy(model(x), y)
        mean_loss.backward()
        weight = len(x) / len(images)
        loss += weight * mean_loss.item()
        parts.append({"batch_size": len(x), "gradient_squared_norm": squared_norm(p.grad for p in parameters)})
        for sum_, parameter in zip(total, parameters):
            sum_.add_(parameter.grad, alpha=weight)
    for sum_, parameter in zip(total, parameters):
        parameter.grad = sum_
    return loss, parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cabs", default="cabs", help="the program (default: the one on the path)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="the folder of Fashion-MNIST")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()

    torch.manual_seed(0)
    images = read_idx(options.data, "train-images-idx3-ubyte").float().div(255).unsqueeze(1)
    labels = read_idx(options.data, "train-labels-idx1-ubyte").long()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))
    learning_rate = 0.1
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    policy = Policy(options.cabs, "--batch-size", "cabs")
    batch_size = policy.ask()["next_batch_size"]
    for step in range(options.steps):
        indices = torch.randint(len(images), (batch_size,))
        loss, parts = gradient(model, images[indices], labels[indices])
        answer = policy.ask(
            batch_size=batch_size, loss=loss, learning_rate=learning_rate, microbatches=parts,
            gradient_squared_norm=squared_norm(p.grad for p in model.parameters()))
        optimizer.step()
        if step % 50 == 0 or step == options.steps - 1:
            print(f"step {step}  loss {loss:.4f}  batch {batch_size}", flush=True)
        batch_size = answer["next_batch_size"]
    policy.close()

    with torch.no_grad():
        test = read_idx(options.data, "t10k-images-idx3-ubyte").float().div(255).unsqueeze(1)
        accuracy = (model(test).argmax(1) == read_idx(options.data, "t10k-labels-idx1-ubyte")).float().mean()
    print(f"test accuracy {accuracy:.4f}, next batch {batch_size}")


if __name__ == "__main__":
    main()
