"""Optimizers that keep their groups and settings, and move no weight."""


def _to_scalar(x):
    return x


class Optimizer:
    def __init__(self, params, defaults):
        params = list(params)
        if not params:
            raise ValueError("optimizer got an empty parameter list")
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        self.defaults, self.param_groups, self.state = defaults, [], {}
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group):
        group = dict(self.defaults)  # MicroPython has no {**a, **b}
        group.update(param_group)
        self.param_groups.append(group)

    def step(self, closure=None):
        self._opt_called = True

    def zero_grad(self, set_to_none=True):
        pass

    def state_dict(self):
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in self.param_groups
        ]
        return {"state": {}, "param_groups": groups}

    def load_state_dict(self, state_dict):
        for group, saved in zip(self.param_groups, state_dict["param_groups"]):
            group.update(saved)


class SGD(Optimizer):
    def __init__(self, params, lr=0.001, momentum=0, weight_decay=0, nesterov=False):
        if lr < 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        defaults["nesterov"] = nesterov
        super().__init__(params, defaults)


class AdamW(Optimizer):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        if lr < 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)


class Adam(AdamW):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, lr, betas, eps, weight_decay)
