"""PyTorch's quickstart (docs.pytorch.org/tutorials/beginner/basics/quickstart_tutorial.html), for tests/bench.

Arguments: the folder of torchvision's data sets, and the number of threads. The accuracy is the last line.
"""

import sys
import tempfile
import types

# torchvision's operators want the build of torch that it was made for; data sets and transforms do not need them.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("_meta_registrations")

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import ToTensor

root, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.manual_seed(0)
training_data = datasets.FashionMNIST(root=root, train=True, download=False, transform=ToTensor())
test_data = datasets.FashionMNIST(root=root, train=False, download=False, transform=ToTensor())
train_dataloader = DataLoader(training_data, batch_size=64)
test_dataloader = DataLoader(test_data, batch_size=64)


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


model = NeuralNetwork()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)


def train(dataloader):
    model.train()
    for batch, (X, y) in enumerate(dataloader):
        loss = loss_fn(model(X), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if batch % 100 == 0:
            print(f"loss: {loss.item():>7f}  [{(batch + 1) * len(X):>5d}/{len(dataloader.dataset):>5d}]")


def test(dataloader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in dataloader:
            pred = model(X)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    print(f"Avg loss: {test_loss / len(dataloader):>8f}")
    return correct / len(dataloader.dataset)


for epoch in range(5):
    train(train_dataloader)
    accuracy = test(test_dataloader)
with tempfile.NamedTemporaryFile() as file:
    torch.save(model.state_dict(), file.name)
    model = NeuralNetwork()
    model.load_state_dict(torch.load(file.name, weights_only=True))
model.eval()
with torch.no_grad():
    predicted = model(test_data[0][0])[0].argmax(0)
print(f"Predicted: {test_data.classes[predicted]}, Actual: {test_data.classes[test_data[0][1]]}")
print(f"Accuracy: {100 * accuracy:.1f} %")
