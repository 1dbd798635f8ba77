"""The classifier's network: a small U-shaped CNN whose dense maps are pooled into three logits.

Whether somebody is inside a zone is a question about two places at once: where the feet are, and which ground the
tape encloses. So the network looks at the whole picture at coarse resolution, comes back to a fine grid (one cell per
4x4 pixels), answers there, and the picture's answer is the maximum over the cells.
"""

import torch
from torch import nn

from examples import MAPS

LABELS_COUNT = 3


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
    return nn.functional.interpolate(features, scale_factor=2, mode="nearest")


class YardNet(nn.Module):
    """Normalised RGB [N,3,96,160] to logits [N,3]; `maps` gives the dense logits [N,5,24,40]."""

    def __init__(self):
        super().__init__()
        self.second = halve(3, 12)
        self.quarter = nn.Sequential(halve(12, 28), Block(28))
        self.eighth = nn.Sequential(halve(28, 44), Block(44))
        self.sixteenth = nn.Sequential(halve(44, 52), Block(52), Block(52, dilation=2))
        self.to_eighth = nn.Conv2d(52, 44, 1)
        self.fine_eighth = Block(44)
        self.to_quarter = nn.Conv2d(44, 28, 1)
        self.fine_quarter = Block(28)
        self.answers = nn.Conv2d(28, len(MAPS), 1)
        self.gain = nn.Parameter(torch.ones(LABELS_COUNT))
        self.offset = nn.Parameter(torch.zeros(LABELS_COUNT))
        nn.init.constant_(self.answers.bias, -2.0)

    def maps(self, pictures: torch.Tensor) -> torch.Tensor:
        quarter = self.quarter(self.second(pictures))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        eighth = self.fine_eighth(eighth + doubled(self.to_eighth(sixteenth)))
        quarter = self.fine_quarter(quarter + doubled(self.to_quarter(eighth)))
        return self.answers(quarter)

    def pool(self, maps: torch.Tensor) -> torch.Tensor:
        """The picture's logits from the first three maps."""
        strongest = torch.amax(maps[:, :LABELS_COUNT], dim=(2, 3))
        return strongest * self.gain + self.offset

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.pool(self.maps(pictures))
