from __future__ import annotations

import cv2
import numpy as np

SIDE = 64
NUM_FRAMES = 48
MOTIONS = ("pan", "tilt", "spin", "zoom", "shake", "blink")


def _texture(rng: np.random.Generator, side: int, waves: float) -> np.ndarray:
    freq = np.hypot(*np.meshgrid(np.fft.rfftfreq(side) * side, np.fft.fftfreq(side) * side))
    band = np.exp(-(((freq - waves) / 1.5) ** 2))
    noise = np.fft.rfft2(rng.standard_normal((3, side, side)))
    fields = np.fft.irfft2(noise * band, s=(side, side))
    fields = fields / fields.std(axis=(1, 2), keepdims=True)
    palette = rng.dirichlet(np.ones(3), 3) * rng.choice([-1, 1], (3, 3))
    mean = rng.uniform(90, 165, 3)
    img = np.einsum("ck,khw->hwc", palette, fields)
    img = img / np.linalg.norm(palette, axis=1)
    return np.clip(mean + 50 * img, 0, 255).astype(np.float32)


def render_clip(scene_seed: int, motion: str, clip_seed: int) -> np.ndarray:
    look = np.random.default_rng([0, scene_seed])
    texture = _texture(look, SIDE, look.uniform(4, 6))
    rng = np.random.default_rng([1, scene_seed, MOTIONS.index(motion), clip_seed])
    x, y = rng.uniform(0, SIDE, 2)
    angle0 = rng.uniform(-0.2, 0.2)
    sign = rng.choice([-1, 1])
    speed = rng.uniform(0.85, 1.15)
    period = 14 / speed
    phase0 = rng.uniform(0, 2 * np.pi)
    frames = []
    c = SIDE / 2
    for t in range(NUM_FRAMES):
        dx = dy = a = 0.0
        z = g = 1.0
        phase = phase0 + 2 * np.pi * t / period
        if motion == "pan":
            dx = sign * 2.0 * speed * t
        elif motion == "tilt":
            dy = sign * 2.0 * speed * t
        elif motion == "spin":
            a = sign * 0.12 * speed * t
        elif motion == "zoom":
            z = 2 ** (0.6 * np.sin(phase))
        elif motion == "shake":
            dx, dy = rng.uniform(-6, 6, 2) * speed
        else:
            g = 0.6 + 0.5 * np.sin(phase)
        a += angle0
        co, si = z * np.cos(a), z * np.sin(a)
        m = np.array([[co, -si, c - co * c + si * c + 0], [si, co, c - si * c - co * c]])
        m[:, 2] += [dx + x, dy + y]
        m[:, 2] -= np.floor(m[:, 2] / SIDE) * SIDE
        f = cv2.warpAffine(
            texture,
            m.astype(np.float32),
            (SIDE, SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        frames.append(128 + (f - 128) * g if motion == "blink" else f)
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)
