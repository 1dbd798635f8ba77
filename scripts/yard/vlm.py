"""The yard's VLM: a small CNN that sees, a few layers that look around, and a Llama-like decoder that answers.

The outside is SmolVLM's: `VisionEncoder`, `Embedding` and `Decoder` are the three graphs of its published ONNX layout,
with the same inputs and outputs, only smaller. Inside, the vision encoder differs: SmolVLM's plain patch embedding
needs far more pictures than a small world is worth. Here a U-shaped CNN predicts the dense maps of `vlm_examples` and
every image token is a summary of one tile of them.
"""

from dataclasses import dataclass

import torch
from torch import nn

from vlm_examples import CELL, MAPS, SIZE

MASKED = -1e4  # within float16's range


@dataclass(frozen=True)
class Shape:
    """How large the model is."""

    size: int = SIZE
    grid: int = 4  # image tokens a side
    channels: tuple[int, int, int, int] = (16, 32, 56, 72)
    vision_hidden: int = 128
    vision_layers: int = 2
    vision_heads: int = 4
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 32
    inner: int = 384
    vocabulary: int = 512
    rope_theta: float = 100_000.0
    epsilon: float = 1e-5

    @property
    def image_tokens(self) -> int:
        return self.grid**2


class Block(nn.Module):
    """A residual pair of 3x3 convolutions."""

    def __init__(self, channels: int, dilation: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu(features + self.body(features))


def halve(channels_in: int, channels_out: int) -> nn.Sequential:
    """A convolution to half the resolution."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


def doubled(features: torch.Tensor) -> torch.Tensor:
    """The features at twice the resolution."""
    return nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")


class Eyes(nn.Module):
    """Normalised RGB [N,3,S,S] to features [N,C,S/4,S/4] and the logits of the dense maps [N,13,S/4,S/4]."""

    def __init__(self, channels: tuple[int, int, int, int]):
        super().__init__()
        second, quarter, eighth, sixteenth = channels
        self.second = halve(3, second)
        self.quarter = nn.Sequential(halve(second, quarter), Block(quarter))
        self.eighth = nn.Sequential(halve(quarter, eighth), Block(eighth))
        self.sixteenth = nn.Sequential(
            halve(eighth, sixteenth), Block(sixteenth), Block(sixteenth, dilation=2), Block(sixteenth)
        )
        self.to_eighth = nn.Conv2d(sixteenth, eighth, 1)
        self.fine_eighth = Block(eighth)
        self.to_quarter = nn.Conv2d(eighth, quarter, 1)
        self.fine_quarter = Block(quarter)
        self.maps = nn.Conv2d(quarter, len(MAPS), 1)
        nn.init.constant_(self.maps.bias, -3.0)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quarter = self.quarter(self.second(pictures))
        eighth = self.eighth(quarter)
        eighth = self.fine_eighth(eighth + doubled(self.to_eighth(self.sixteenth(eighth))))
        features = self.fine_quarter(quarter + doubled(self.to_quarter(eighth)))
        return features, self.maps(features)


class Look(nn.Module):
    """One encoder layer over the image tokens."""

    def __init__(self, hidden: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(hidden)
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.between = nn.LayerNorm(hidden)
        self.inner = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(approximate="tanh"), nn.Linear(2 * hidden, hidden)
        )

    def forward(self, tokens: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        count, length, hidden = tokens.shape
        mixed = self.query_key_value(self.before(tokens)).reshape(count, length, 3, self.heads, hidden // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(query @ key.transpose(2, 3) * (hidden // self.heads) ** -0.5 + bias, -1)
        tokens = tokens + self.out((weights @ value).transpose(1, 2).reshape(count, length, hidden))
        return tokens + self.inner(self.between(tokens))


class VisionEncoder(nn.Module):
    """`pixel_values` f32 [B,N,3,S,S] and `pixel_attention_mask` bool [B,N,S,S] to `image_features` [B*N, tokens, hidden]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.tile = shape.size // shape.grid  # of the picture, in pixels
        self.eyes = Eyes(shape.channels)
        self.summary = nn.Linear(2 * (len(MAPS) + shape.channels[1]), shape.vision_hidden)
        self.places = nn.Parameter(torch.randn(shape.image_tokens, shape.vision_hidden) * 0.02)
        self.layers = nn.ModuleList(Look(shape.vision_hidden, shape.vision_heads) for _ in range(shape.vision_layers))
        self.norm = nn.LayerNorm(shape.vision_hidden)
        self.connector = nn.Linear(shape.vision_hidden, shape.hidden, bias=False)

    def forward(self, pixel_values: torch.Tensor, pixel_attention_mask: torch.Tensor) -> torch.Tensor:
        features, maps = self.eyes(pixel_values.flatten(0, 1))
        mask = nn.functional.max_pool2d(pixel_attention_mask.flatten(0, 1)[:, None].to(features.dtype), self.tile)
        bias = (1 - mask.flatten(2)[:, :, None]) * MASKED
        return self.describe(features, maps, bias)

    def describe(self, features: torch.Tensor, maps: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Of every tile the strongest and the average of each map and feature, then a look at the other tiles."""
        cells = self.tile // CELL
        seen = torch.cat([torch.sigmoid(maps), features], 1)
        average = nn.functional.avg_pool2d(seen, cells)
        # A foot covers six cells of a tile's hundred: scaled so that its sum, the count, is about one.
        counted = torch.cat([average[:, : len(MAPS)] * (cells**2 / 6), average[:, len(MAPS) :]], 1)
        both = torch.cat([nn.functional.max_pool2d(seen, cells), counted], 1)
        tokens = self.summary(both.flatten(2).transpose(1, 2)) + self.places
        for layer in self.layers:
            tokens = layer(tokens, bias)
        return self.connector(self.norm(tokens))


class Embedding(nn.Module):
    """`input_ids` to `inputs_embeds`."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape.vocabulary, shape.hidden) * 0.05)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(input_ids, self.weight)


class RmsNorm(nn.Module):
    def __init__(self, hidden: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden))
        self.epsilon = epsilon

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.weight * (values * torch.rsqrt(values.pow(2).mean(-1, keepdim=True) + self.epsilon))


class Layer(nn.Module):
    """One decoder layer: grouped-query attention with rotary positions, then a gated feed-forward net."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.before = RmsNorm(shape.hidden, shape.epsilon)
        self.query = nn.Linear(shape.hidden, shape.heads * shape.head_size, bias=False)
        self.key = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.value = nn.Linear(shape.hidden, shape.kv_heads * shape.head_size, bias=False)
        self.out = nn.Linear(shape.heads * shape.head_size, shape.hidden, bias=False)
        self.between = RmsNorm(shape.hidden, shape.epsilon)
        self.gate = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, values, turn, bias, past=None):
        """Returns the new values, and keys and values [B, kv_heads, past + L, head_size] for the cache."""
        shape = self.shape
        count, length, _ = values.shape
        normed = self.before(values)
        query = self.query(normed).reshape(count, length, shape.heads, shape.head_size).transpose(1, 2)
        key = self.key(normed).reshape(count, length, shape.kv_heads, shape.head_size).transpose(1, 2)
        value = self.value(normed).reshape(count, length, shape.kv_heads, shape.head_size).transpose(1, 2)
        query, key = turned(query, *turn), turned(key, *turn)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        group = shape.heads // shape.kv_heads
        query = query.reshape(count, shape.kv_heads, group, length, shape.head_size)
        weights = query @ key[:, :, None].transpose(3, 4) * shape.head_size**-0.5 + bias[:, None]
        mixed = torch.softmax(weights, -1) @ value[:, :, None]
        mixed = mixed.reshape(count, shape.heads, length, shape.head_size).transpose(1, 2).reshape(count, length, -1)
        values = values + self.out(mixed)
        normed = self.between(values)
        values = values + self.down(nn.functional.silu(self.gate(normed)) * self.up(normed))
        return values, key, value


def turned(values: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotary positions, as Llama has them."""
    half = values.shape[-1] // 2
    return values * cosine + torch.cat([-values[..., half:], values[..., :half]], -1) * sine


class Decoder(nn.Module):
    """The decoder as published: embeddings, mask, positions and cache to logits and the grown cache."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RmsNorm(shape.hidden, shape.epsilon)
        self.head = nn.Parameter(torch.zeros(shape.vocabulary, shape.hidden))  # tied to the embedding by `Vlm`
        steps = torch.arange(0, shape.head_size, 2, dtype=torch.float32) / shape.head_size
        self.register_buffer("frequencies", shape.rope_theta**-steps, persistent=False)

    def forward(self, inputs_embeds, attention_mask, position_ids, *past):
        length, total = inputs_embeds.shape[1], attention_mask.shape[1]
        row = torch.arange(length, device=inputs_embeds.device)[:, None] + (total - length)
        column = torch.arange(total, device=inputs_embeds.device)[None]
        allowed = (column <= row)[None, None] & (attention_mask[:, None, None, :] != 0)
        pairs = list(zip(past[0::2], past[1::2], strict=True))
        values, cache = self.run(inputs_embeds, position_ids, allowed, pairs)
        return (values @ self.head.T, *cache)

    def run(self, values, position_ids, allowed, past=()):
        """The last layer's values (normed) and the cache; `allowed` says which position may look at which."""
        angle = position_ids.to(torch.float32)[:, :, None] * self.frequencies
        angle = torch.cat([angle, angle], -1)[:, None]
        turn = angle.cos().to(values.dtype), angle.sin().to(values.dtype)
        bias = torch.where(allowed, 0.0, MASKED).to(values.dtype)
        cache = []
        for number, layer in enumerate(self.layers):
            values, key, value = layer(values, turn, bias, past[number] if past else None)
            cache += [key, value]
        return self.norm(values), cache


class Vlm(nn.Module):
    """The three parts, as they are trained together."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.vision = VisionEncoder(shape)
        self.embedding = Embedding(shape)
        self.decoder = Decoder(shape)
        self.decoder.head = self.embedding.weight
        for name, parameter in self.decoder.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5)

    def see(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Image tokens and map logits of normalised pictures [N,3,S,S], all of them whole."""
        features, maps = self.vision.eyes(pictures)
        return self.vision.describe(features, maps, torch.zeros((), device=pictures.device)), maps
