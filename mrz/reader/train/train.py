"""Trains the OCR-B line recogniser and writes it as ONNX.

    python3 train.py --out ../ocrb.onnx --minutes 30 --seed 1

Needs Debian's python3-torch, python3-opencv, python3-pil, fonts-ocr-b,
fonts-dejavu, fonts-liberation, fonts-freefont-ttf and fonts-urw-base35;
nothing of this runs in the product.
"""
import argparse
import multiprocessing as mp
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from strips import BLANK, CHARS, HEIGHT, IGNORE, Generator


def block(i, o, k, s=(1, 1), p=(1, 1)):
    return nn.Sequential(nn.Conv2d(i, o, k, s, p, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Net(nn.Module):
    """Strip 1 x HEIGHT x W to (len(CHARS)+1) x 1 x W/4 scores."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            block(1, 24, 5, (2, 2), (2, 2)),
            block(24, 48, 3, (2, 2)),
            block(48, 64, 3),
            block(64, 64, 3, (2, 1)),
            block(64, 128, (4, 3), (1, 1), (0, 1)),
            block(128, 128, (1, 3), (1, 1), (0, 1)),
            nn.Conv2d(128, len(CHARS) + 1, 1),
        )

    def forward(self, x):
        return self.body(x)


def worker(seed, q, batch):
    import cv2
    cv2.setNumThreads(1)
    g = Generator(seed)
    while True:
        xs, ys = zip(*(g.strip() for _ in range(batch)))
        q.put((np.stack(xs)[:, None], np.stack(ys)))


def export(net, path):
    net.eval()
    torch.onnx.export(net, torch.zeros(1, 1, HEIGHT, 800), path, opset_version=11, input_names=["strip"],
                      output_names=["scores"], dynamic_axes={"strip": {0: "n", 3: "w"}, "scores": {0: "n", 3: "w"}})


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--out", default="../ocrb.onnx")
    a.add_argument("--state", default="")
    a.add_argument("--minutes", type=float, default=30)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--workers", type=int, default=1)
    a.add_argument("--lr", type=float, default=2e-3)
    o = a.parse_args()
    torch.manual_seed(o.seed)
    net = Net()
    if o.state:
        try:
            net.load_state_dict(torch.load(o.state))
        except FileNotFoundError:
            pass
    q = mp.Queue(8)
    for i in range(o.workers):
        mp.Process(target=worker, args=(o.seed * 1000 + i, q, o.batch), daemon=True).start()
    opt = torch.optim.AdamW(net.parameters(), o.lr, weight_decay=1e-4)
    start, step, seen, right, shown, total = time.time(), 0, 0, 0, 0, 0.0
    last_save = start
    while True:
        t = (time.time() - start) / (60 * o.minutes)
        if t >= 1:
            break
        for gp in opt.param_groups:
            gp["lr"] = o.lr * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + np.cos(np.pi * t)))
        x, y = q.get()
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        net.train()
        z = net(x)[:, :, 0]
        loss = F.cross_entropy(z, y, ignore_index=IGNORE)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
        step += 1
        k = (y >= 0) & (y != BLANK)
        right += ((z.argmax(1) == y) & k).sum().item()
        seen += k.sum().item()
        if step % 50 == 0:
            print(f"{step} {(time.time()-start)/60:.1f}min loss {total/50:.4f} character columns {right/max(1,seen):.4f}", flush=True)
            seen, right, total = 0, 0, 0.0
        if time.time() - last_save > 120:
            last_save = time.time()
            if o.state:
                torch.save(net.state_dict(), o.state)
            export(net, o.out)
    if o.state:
        torch.save(net.state_dict(), o.state)
    export(net, o.out)


if __name__ == "__main__":
    main()
