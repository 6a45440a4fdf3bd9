from torch.optim.optimizer import SGD, Adam, AdamW, Optimizer

import torch.optim.swa_utils  # after what it imports, and the schedulers with it
