"""ZFNet: the network of Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2013), figure 3, in torch.

The paper gives filters, strides and map sizes (224, 110, 55, 26, 13, 6) but not the padding; the padding below is the one that
meets these sizes. Its contrast normalisation is AlexNet's local response normalisation, and stands after the pool as in the figure.
Where AlexNet's second, fourth and fifth convolutions have two groups, ZFNet's are dense (paper, section 3).
Modules are numbered as in torchvision's AlexNet: `features` is the trunk, `classifier` the head.
"""
from torch import nn

NORM = dict(size=5, alpha=1e-4, beta=0.75, k=2)  # Krizhevsky et al. 2012, section 3.3; torch divides alpha by size


class ZFNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2, padding=1),  # 0: 224 → 110
            nn.ReLU(),  # 1
            nn.MaxPool2d(3, stride=2, padding=1),  # 2: → 55
            nn.LocalResponseNorm(**NORM),  # 3
            nn.Conv2d(96, 256, 5, stride=2),  # 4: → 26
            nn.ReLU(),  # 5
            nn.MaxPool2d(3, stride=2, padding=1),  # 6: → 13
            nn.LocalResponseNorm(**NORM),  # 7
            nn.Conv2d(256, 384, 3, padding=1),  # 8
            nn.ReLU(),  # 9
            nn.Conv2d(384, 384, 3, padding=1),  # 10
            nn.ReLU(),  # 11
            nn.Conv2d(384, 256, 3, padding=1),  # 12
            nn.ReLU(),  # 13
            nn.MaxPool2d(3, stride=2),  # 14: → 6
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),  # 0
            nn.Linear(256 * 6 * 6, 4096),  # 1
            nn.ReLU(),  # 2
            nn.Dropout(),  # 3
            nn.Linear(4096, 4096),  # 4
            nn.ReLU(),  # 5
            nn.Linear(4096, classes),  # 6
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
