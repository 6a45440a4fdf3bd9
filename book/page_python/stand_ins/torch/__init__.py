"""PyTorch without tensors: parameters hold no numbers, optimizers only carry their rates."""

inf = float("inf")
float32 = float64 = None


class Tensor:
    pass


class Parameter(Tensor):
    def __init__(self, *size, **options):
        self.grad = None

    def __matmul__(self, other):
        return Parameter()


class Linear:
    def __init__(self, in_features, out_features):
        self.weight, self.bias = Parameter(), Parameter()

    def parameters(self):
        return [self.weight, self.bias]


class nn:
    Parameter = Parameter
    Linear = Linear


zeros = ones = randn = Parameter


def manual_seed(seed):
    pass


def __getattr__(name):
    raise AttributeError(
        "torch." + name + " is not in this page, which has PyTorch's optimizers and schedulers "
        "and no tensors. Use plain numbers and math, or open the chapter in Colab"
    )


import torch.optim  # last: it imports what stands above
