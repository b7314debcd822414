"""ResNets for CIFAR-10 in torch: He et al., "Deep residual learning for image recognition" (2015), section 4.2, with option A.

Modules are named as in akamaster's pytorch_resnet_cifar10, whose weights fit: CifarResNet(3) is its resnet20.
"""
import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.missing = stride, after - before

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride == 1:
            return torch.relu(y + x)
        near = x[:, :, :: self.stride, :: self.stride]
        return torch.relu(y + functional.pad(near, (0, 0, 0, 0, self.missing // 2, self.missing // 2)))


class CifarResNet(nn.Module):
    def __init__(self, blocks, classes=10):
        super().__init__()

        def layer(before, after, stride):
            return nn.Sequential(Block(before, after, stride), *(Block(after, after, 1) for _ in range(blocks - 1)))

        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = layer(16, 16, 1)
        self.layer2 = layer(16, 32, 2)
        self.layer3 = layer(32, 64, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.avgpool(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(torch.flatten(x, 1))
