"""As many batches as the real DataLoader gives, of things that hold no numbers."""


class TensorDataset:
    def __init__(self, *tensors):
        self.tensors = tensors


class DataLoader:
    def __init__(self, dataset, batch_size=1, shuffle=False, drop_last=False):
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last

    def __len__(self):
        images = len(self.dataset)
        return images // self.batch_size if self.drop_last else -(-images // self.batch_size)

    def __iter__(self):
        for i in range(len(self)):
            last = min((i + 1) * self.batch_size, len(self.dataset))
            yield [self.dataset[j] for j in range(i * self.batch_size, last)]
