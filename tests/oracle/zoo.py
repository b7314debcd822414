"""The networks of the zoo in torch: five convolutions and two pools from (3, 64, 64) to an encoding volume (256, 13, 13), and a head.

`zoo` averages each map of the volume; `zoo_fc` reads all of it with a hidden layer, for which the volume must have that size.
"""
from torch import nn


def trunk():
    def block(before, after, padding):
        return [nn.Conv2d(before, after, 3, padding=padding, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

    return nn.Sequential(
        *block(3, 32, 0),  # 0, 1, 2: 64 → 62
        nn.MaxPool2d(3, stride=2),  # 3: → 30
        *block(32, 64, 0),  # 4, 5, 6: → 28
        nn.MaxPool2d(3, stride=2),  # 7: → 13
        *block(64, 96, 1),  # 8, 9, 10
        *block(96, 128, 1),  # 11, 12, 13
        *block(128, 256, 1),  # 14, 15, 16
    )


class Zoo(nn.Module):
    def __init__(self, classes=14):
        super().__init__()
        self.features = trunk()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(256, classes)

    def forward(self, x):
        return self.fc(self.flatten(self.avgpool(self.features(x))))


class ZooFC(nn.Module):
    def __init__(self, classes=14):
        super().__init__()
        self.features = trunk()
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(nn.Linear(256 * 13 * 13, 32), nn.ReLU(), nn.Linear(32, classes))  # 0, 1, 2

    def forward(self, x):
        return self.classifier(self.flatten(self.features(x)))
