"""Seeded generator of MRZ text strips with per-column labels.

A strip is one text line, normalised as mrz/reader hands it to the recogniser:
HEIGHT rows, the line's middle near the middle row, about PITCH columns per
character. Everything is rendered from fonts; no photo and no evaluation data
goes in. Fonts: OCR-B (Debian fonts-ocr-b) most of the time, and monospaced
faces for zones that are not printed in OCR-B: without serifs (fonts-dejavu,
fonts-liberation) and typewriter faces (fonts-freefont-ttf, fonts-urw-base35).
"""
import math
import random

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

CHARS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
BLANK = len(CHARS)          # class of columns between characters
IGNORE = -100               # columns whose class is a matter of taste
HEIGHT, PITCH, STRIDE = 32, 16, 4
TURNS = "0125689HIMNOSWXZ"   # look like characters when turned by 180 degrees
CELL = 40                   # canvas columns per character

FONTS = [  # path, weight
    ("/usr/share/fonts/opentype/ocr-b/OCRB.otf", 6.0),
    ("/usr/share/fonts/opentype/ocr-b/OCRBS.otf", 2.0),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf", 0.5),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf", 0.25),
    ("/usr/share/fonts/truetype/liberation/LiberationMono-Regular.ttf", 0.8),
    ("/usr/share/fonts/truetype/liberation/LiberationMono-Bold.ttf", 0.3),
    ("/usr/share/fonts/truetype/freefont/FreeMono.ttf", 0.2),
    ("/usr/share/fonts/truetype/freefont/FreeMonoBold.ttf", 0.4),
    ("/usr/share/fonts/opentype/urw-base35/NimbusMonoPS-Bold.otf", 0.4),
]


def atlas(path):
    """Ink masks of all characters, CELL columns wide, baseline aligned."""
    size = 10
    while ImageFont.truetype(path, size).getlength("0") < CELL:
        size += 0.5
        size = int(size) + 1 if size != int(size) else int(size)
    font = ImageFont.truetype(path, size)
    top, bottom = font.getbbox("H")[1], font.getbbox("H")[3]
    out = []
    for c in CHARS:
        im = Image.new("L", (CELL + 20, 100), 0)
        w = font.getlength(c)
        ImageDraw.Draw(im).text((10 + (CELL - w) / 2, 50 - (top + bottom) / 2), c, font=font, fill=255)
        out.append(np.asarray(im))
    return out


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = np.random.RandomState(seed % (2**32))
        self.atlases = [atlas(p) for p, _ in FONTS]
        self.weights = [w for _, w in FONTS]

    def text(self, n):
        r = self.r
        kind = r.random()
        if kind < 0.32:
            s = [r.choice(CHARS) for _ in range(n)]
        elif kind < 0.62:  # what is hardest to tell apart
            s = [r.choice("0O0OD0QO1I1IT8B8B5S5S2Z2Z6G6GUVMNHKXCEF<") for _ in range(n)]
        elif kind < 0.82:
            s = [r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "<" * 4) for _ in range(n)]
        else:
            s = [r.choice("0123456789" * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ<<<<") for _ in range(n)]
        if r.random() < 0.5:  # a run of fillers, as every zone has
            a = r.randrange(n)
            for i in range(a, min(n, a + r.randrange(2, 14))):
                s[i] = "<"
        return [CHARS.index(c) for c in s]

    def canvas(self, n):
        """Ink mask of three lines; the middle one is the target."""
        r = self.r
        a = r.choices(self.atlases, self.weights)[0]
        spacing = int(CELL * r.uniform(1.75, 3.2))
        h, w = 2 * spacing + 120, (n + 6) * CELL
        ink = np.zeros((h, w), np.uint8)
        first = 0 if r.random() < 0.7 else r.randrange(1, 6)
        last = n if r.random() < 0.7 else n - r.randrange(1, 6)
        target = self.text(n)
        for line in (-1, 0, 1):
            if line and r.random() < 0.35:
                continue
            t = target if line == 0 else self.text(n)
            y = h // 2 + line * spacing - 50
            for i, c in enumerate(t):
                if line == 0 and not first <= i < last:
                    continue
                x = (i + 3) * CELL - 10 + (r.randrange(-1, 2) if r.random() < 0.3 else 0)
                y0 = max(0, y)
                g = a[c][y0 - y:]
                g = g[: h - y0]
                np.maximum(ink[y0:y0 + g.shape[0], x:x + CELL + 20], g, out=ink[y0:y0 + g.shape[0], x:x + CELL + 20])
        k = r.choice([0, 0, 0, 1, 1, 2, -1, -1])
        if k > 0:
            ink = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * k + 1, 2 * k + 1)))
        elif k < 0:
            ink = cv2.erode(ink, np.ones((2, 2), np.uint8))
        if r.random() < 0.15:  # broken print
            holes = cv2.resize(self.n.rand(h // 6, w // 6).astype(np.float32), (w, h))
            ink = (ink * (holes > r.uniform(0.05, 0.25))).astype(np.uint8)
        centres = [((i + 3) * CELL + CELL / 2, h / 2) for i in range(n)]
        labels = [target[i] if first <= i < last else BLANK for i in range(n)]
        return ink, centres, labels, a

    def background(self, h, w):
        r = self.r
        bg = np.full((h, w), r.uniform(120, 245), np.float32)
        if r.random() < 0.6:  # light and shadow
            small = self.n.rand(3, 6).astype(np.float32) - 0.5
            bg += cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC) * r.uniform(5, 70)
        if r.random() < 0.45:  # guilloche
            yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
            for _ in range(r.randrange(1, 3)):
                f = r.uniform(0.03, 0.35)
                th = r.uniform(0, math.pi)
                ph = xx * math.cos(th) * f + yy * math.sin(th) * f + r.uniform(2, 8) * np.sin(xx * r.uniform(0.005, 0.03))
                bg += r.uniform(3, 22) * np.sin(ph)
        if r.random() < 0.3:
            tex = self.n.randn(max(2, h // r.randrange(3, 12)), max(2, w // r.randrange(3, 12))).astype(np.float32)
            bg += cv2.resize(tex, (w, h), interpolation=cv2.INTER_LINEAR) * r.uniform(2, 18)
        return bg

    def strip(self, width=384):
        r = self.r
        n = width // PITCH + 1
        ink, centres, labels, _ = self.canvas(n)
        h, w = ink.shape
        bg = self.background(h // 2, w // 2)
        bg = cv2.resize(bg, (w, h), interpolation=cv2.INTER_LINEAR)
        dark = r.uniform(5, 90)
        a = ink.astype(np.float32) / 255 * r.uniform(0.55, 1)
        img = bg * (1 - a) + np.minimum(bg, dark) * a
        if r.random() < 0.12:  # a drawn line or box side near the text
            y = int(h / 2 + r.choice([-1, 1]) * CELL * r.uniform(0.75, 1.3))
            cv2.line(img, (0, y), (w, y + r.randrange(-20, 21)), r.uniform(10, 120), r.randrange(2, 8))
        if r.random() < 0.08:  # a stroke across
            cv2.line(img, (r.randrange(w), 0), (r.randrange(w), h), r.uniform(60, 250), r.randrange(2, 10))
        if r.random() < 0.12:  # glare spot
            gx, gy, s = r.uniform(0, w), r.uniform(0, h), r.uniform(60, 250)
            yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
            img += r.uniform(40, 160) * np.exp(-((xx - gx) ** 2 + (yy - gy) ** 2) / (2 * s * s))
        # Geometry: canvas -> strip of the source resolution -> strip.
        pitch = PITCH * r.uniform(0.82, 1.2)
        sx = pitch / CELL
        sy = sx * r.uniform(0.85, 1.18)
        rot = math.radians(r.gauss(0, 1.0))
        shear = r.gauss(0, 0.08)
        cx, cy = w / 2, h / 2
        m = np.array([[sx, 0, 0], [0, sy, 0], [0, 0, 1]]) @ np.array(
            [[math.cos(rot), -math.sin(rot) + shear, 0], [math.sin(rot), math.cos(rot), 0], [0, 0, 1]]) @ np.array(
            [[1, 0, -cx], [0, 1, -cy], [0, 0, 1.0]])
        persp = np.eye(3)
        if r.random() < 0.3:
            persp[2, 0] = r.uniform(-0.0006, 0.0006)
            persp[2, 1] = r.uniform(-0.002, 0.002)
        shift = np.array([[1, 0, width / 2 + r.uniform(-8, 8)], [0, 1, HEIGHT / 2 + r.uniform(-2.6, 2.6)], [0, 0, 1]])
        m = shift @ persp @ m
        q = math.exp(r.uniform(math.log(5.0), math.log(26))) if r.random() < 0.85 else PITCH
        k = q / PITCH  # source px per strip px
        lw, lh = max(24, int(width * k)), max(6, int(HEIGHT * k))
        kx, ky = lw / width, lh / HEIGHT
        down = np.array([[kx, 0, 0], [0, ky, 0], [0, 0, 1]]) @ m
        sigma = 0.45 * CELL / (pitch * k)
        soft = cv2.GaussianBlur(img, (0, 0), max(0.3, sigma))
        low = cv2.warpPerspective(soft, down, (lw, lh), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if r.random() < 0.5:
            low = cv2.GaussianBlur(low, (0, 0), max(0.2, abs(r.gauss(0, 0.09)) * q))
        if r.random() < 0.2:
            ln = max(2, int(q * r.uniform(0.1, 0.45)))
            ker = np.zeros((ln, ln), np.float32)
            th = r.uniform(0, math.pi)
            cv2.line(ker, (int(ln / 2 - ln / 2 * math.cos(th)), int(ln / 2 - ln / 2 * math.sin(th))),
                     (int(ln / 2 + ln / 2 * math.cos(th)), int(ln / 2 + ln / 2 * math.sin(th))), 1.0)
            if ker.sum() > 0:
                low = cv2.filter2D(low, -1, ker / ker.sum())
        gain = r.choice([1, 1, 1, r.uniform(0.15, 0.9)])
        low = low * gain
        low = low + self.n.randn(lh, lw).astype(np.float32) * (abs(r.gauss(0, 7)) * (0.4 + 0.6 * gain))
        low = np.clip(low, 0, 255).astype(np.uint8)
        if r.random() < 0.6:
            ok, b = cv2.imencode(".jpg", low, [cv2.IMWRITE_JPEG_QUALITY, r.randrange(35, 96)])
            low = cv2.imdecode(b, cv2.IMREAD_GRAYSCALE)
        interp = cv2.INTER_CUBIC if k < 1 else cv2.INTER_AREA
        out = cv2.resize(low, (width, HEIGHT), interpolation=interp).astype(np.float32)
        out = (out - out.mean()) / (out.std() + 4.0)
        y = self.columns(m, centres, labels, width)
        if r.random() < 0.08:
            # Upside down: nothing to be read, so that the reader can tell the
            # right way up. Characters that turn into others say nothing.
            out, y = out[::-1, ::-1].copy(), y[::-1].copy()
            for j, c in enumerate(y):
                if 0 <= c < BLANK:
                    y[j] = IGNORE if CHARS[c] in TURNS else BLANK
        return out, y

    def columns(self, m, centres, labels, width):
        """Class of every STRIDE-th column: the character whose middle is
        within a quarter pitch, BLANK near the gap between two."""
        p = np.array([[x, y, 1.0] for x, y in centres]) @ m.T
        xs = p[:, 0] / p[:, 2]
        y = np.full(width // STRIDE, BLANK, np.int64)
        step = np.diff(xs).mean()
        for j in range(width // STRIDE):
            x = j * STRIDE + STRIDE / 2
            i = int(np.argmin(np.abs(xs - x)))
            d = abs(xs[i] - x) / step
            if labels[i] == BLANK:
                y[j] = BLANK
            elif d < 0.24:
                y[j] = labels[i]
            elif d < 0.40:
                y[j] = IGNORE
        return y


if __name__ == "__main__":
    import sys
    g = Generator(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    rows = []
    for _ in range(24):
        s, y = g.strip()
        s = np.clip(s * 40 + 128, 0, 255).astype(np.uint8)
        mark = np.zeros((6, s.shape[1]), np.uint8)
        for j, c in enumerate(y):
            mark[:, j * STRIDE:(j + 1) * STRIDE] = 255 if 0 <= c < BLANK else (120 if c == IGNORE else 0)
        rows += [s, mark]
    cv2.imwrite("/tmp/strips.png", np.vstack(rows))
