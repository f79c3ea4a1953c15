"""2-4-1 with tanh, binary cross entropy, SGD, batch 4: a step that is nothing but overhead.
For PyTorch's Python with the peers' folder in PYTHONPATH (peerlib)."""
import peerlib
a = peerlib.args()
torch = peerlib.torch_setup(a)
import torch.nn as nn, torch.nn.functional as F

m = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
X, Y = torch.randn(4, 2), torch.randint(0, 2, (4, 1)).float()
o = torch.optim.SGD(m.parameters(), lr=0.1)


def step():
    o.zero_grad(set_to_none=True)
    F.binary_cross_entropy_with_logits(m(X), Y).backward()
    o.step()


t = peerlib.bench(a, step)
peerlib.report(a, "tiny_2_4_1", t, 4, "samples/s", variant="eager")
