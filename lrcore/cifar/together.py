"""Many runs of one seed trained together: the same batches, the same steps, each its own rate.

It gives what `training.train` gives for each of them (up to rounding), and is fast where a lone
small network leaves a GPU idle. Runs of one seed share every batch, so a batch is made once. Each
run keeps a network of its own, whose kernels are those of a lone run; but all their weights lie in
one matrix, a row a run, so that the optimizer makes its step for all with a few operations. What a
real scheduler would set stands in tables, step by step. On CUDA one step of all runs is recorded
once as a graph, the runs side by side on parallel streams, and replayed for every other step.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn import functional as F
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcore.cifar.training import (
    OPTIMIZERS,
    autocast,
    draw_epoch,
    evaluate,
    make_optimizer,
    momentum_of,
    outcome,
)

STREAMS = 23  # of 1, 8 and 23 the fastest for 23 runs (measured by tools/gpu.py on an H200)


class Member(NamedTuple):
    """One run: its scheduler, called as in `train`, its rate, and steps from look to look."""

    make_scheduler: Callable
    lr: float
    every: int


class Together:
    """Trains up to `size` runs of at most `max_steps` steps at a time, with one `Setup`.

    Made once and used for many groups of runs: its buffers stay where they are, since a graph
    knows them by their addresses.
    Not for float16, where each run needs a scale of its own for its loss, and may skip steps.
    """

    def __init__(self, data, setup, size, max_steps, streams=None):
        self.data, self.setup = data, setup
        self.device = data.train.labels.device
        self.steps_an_epoch = len(data.train.labels) // setup.batch_size
        self.models = [self.fresh_network() for _ in range(size)]
        count = sum(room(weight) for weight in self.models[0].parameters())
        self.weights = self.zeros(size, count)
        self.gradients = self.zeros(size, count)
        self.gradients_of = []
        for row, model in enumerate(self.models):
            views = parts(self.weights[row], model)
            for weight, view in zip(model.parameters(), views, strict=True):
                weight.data = view
            self.gradients_of.append(parts(self.gradients[row], model))
        self.optimizer = {"SGD": FlatSGD, "AdamW": FlatAdamW}[setup.optimizer](self.weights)
        # what the steps read: a row a step; `step` and `place` count in the run and in the epoch
        self.lr, self.momentum = self.zeros(max_steps, size), self.zeros(max_steps, size)
        self.losses = self.zeros(max_steps, size)
        self.step, self.place = self.zeros(1, dtype=torch.long), self.zeros(1, dtype=torch.long)
        nobody = torch.Generator(self.device)
        self.draws = draw_epoch(len(data.train.labels), setup.batch_size, nobody)
        streams = (streams or STREAMS) if self.on_cuda else 0
        self.streams = [torch.cuda.Stream() for _ in range(streams)]
        self.graphs = {}  # for each number of runs

    @property
    def on_cuda(self):
        return self.device.type == "cuda"

    def zeros(self, *shape, dtype=None):
        return torch.zeros(*shape, device=self.device, dtype=dtype)

    def fresh_network(self):
        network = self.setup.task.network()
        return network.to(self.device, memory_format=torch.channels_last)

    def train(self, members, *, epochs, seed, judge_on="test", along=False):
        """Train one network for each of `members`, and return an `Outcome` for each.

        The other arguments are those of `train`.
        """
        steps = epochs * self.steps_an_epoch
        if self.on_cuda and len(members) not in self.graphs:
            self.graphs[len(members)] = self.record(len(members))
        schedules = [Schedule(member, self.setup.optimizer, steps) for member in members]
        self.fill_tables(schedules)
        self.reset(seed)
        judge = getattr(self.data, judge_on)
        evaluations = [[] for _ in members]
        generator = torch.Generator(self.device).manual_seed(seed)
        for t in range(steps):
            if t % self.steps_an_epoch == 0:
                self.begin_epoch(generator)
            if self.on_cuda:
                self.graphs[len(members)].replay()
            else:
                self.make_step(len(members))
            self.look(schedules, t + 1)
            if along and (t + 1) % self.steps_an_epoch == 0:
                for seen, result in zip(evaluations, self.judged(members, judge), strict=True):
                    seen.append(((t + 1) // self.steps_an_epoch, *result))
        losses = self.losses[:steps, : len(members)].T.tolist()
        return [
            outcome(schedule.lr, schedule.momentum, *rest, steps)
            for schedule, *rest in zip(
                schedules, losses, self.judged(members, judge), evaluations, strict=True
            )
        ]

    def reset(self, seed):
        """All networks get the first weights of this seed, and the optimizer forgets."""
        torch.manual_seed(seed)
        first = self.fresh_network().state_dict()
        for model in self.models:
            model.load_state_dict(first)  # in place: the weights stay in their rows
        self.optimizer.reset()
        self.step.zero_()

    def fill_tables(self, schedules):
        for column, schedule in enumerate(schedules):
            steps = len(schedule.lr)
            self.lr[:steps, column] = torch.tensor(schedule.lr, dtype=self.lr.dtype)
            self.momentum[:steps, column] = torch.tensor(schedule.momentum, dtype=self.lr.dtype)

    def begin_epoch(self, generator):
        fresh = draw_epoch(len(self.data.train.labels), self.setup.batch_size, generator)
        for buffer, drawn in zip(self.draws, fresh, strict=True):
            buffer.copy_(drawn)
        self.place.zero_()

    def look(self, schedules, made):
        """After `made` steps: ReduceLROnPlateau looks at its network, if it is time to."""
        for model, schedule in zip(self.models, schedules, strict=False):
            if schedule.looks and made % schedule.every == 0 and made < len(schedule.lr):
                schedule.look(evaluate(model, self.data.validation, self.setup)[1], made)
                self.fill_tables(schedules)

    def judged(self, members, images):
        return [evaluate(model, images, self.setup) for model in self.models[: len(members)]]

    def make_step(self, count):
        """One optimizer step of the first `count` runs; nothing in it waits for the device."""
        inputs, labels = self.batch()
        losses = self.zeros(self.losses.shape[1])
        self.side_by_side(count, lambda i: losses[i].copy_(self.backward(i, inputs, labels)))
        with torch.no_grad():
            lr = self.lr.index_select(0, self.step)[0, :, None]
            momentum = self.momentum.index_select(0, self.step)[0, :, None]
            self.losses.index_copy_(0, self.step, losses[None])
            self.step += 1
            self.place += 1
            self.optimizer.update(self.weights, self.gradients, lr, momentum, self.step)

    def batch(self):
        order, shifts, mirrors = (drawn.index_select(0, self.place)[0] for drawn in self.draws)
        inputs, labels = (tensor.index_select(0, order) for tensor in self.data.train)
        task = self.setup.task
        return task.normalise(task.augment(inputs, shifts, mirrors)), labels

    def backward(self, i, inputs, labels):
        """The loss of run i, its gradients written into their row."""
        model = self.models[i]
        # no cache of half-precision weights: a graph would go on using those of the recording
        with autocast(self.device, self.setup.precision, cache_enabled=False):
            loss = F.cross_entropy(model(inputs), labels)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        torch._foreach_copy_(self.gradients_of[i], list(gradients))
        return loss.detach()

    def side_by_side(self, count, work):
        """Do `work(i)` for i below `count`, on CUDA on parallel streams."""
        if not self.on_cuda:
            for i in range(count):
                work(i)
            return
        main = torch.cuda.current_stream()
        for stream in self.streams:
            stream.wait_stream(main)
        for i in range(count):
            with torch.cuda.stream(self.streams[i % len(self.streams)]):
                work(i)
        for stream in self.streams:
            main.wait_stream(stream)

    def record(self, count):
        """One step of the first `count` runs as a CUDA graph."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        self.step.zero_()
        self.place.zero_()
        with torch.cuda.stream(stream):
            for _ in range(2):  # libraries choose their kernels and buffers before the recording
                self.make_step(count)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            self.make_step(count)
        return graph


class Schedule:
    """What the real scheduler of a member sets, step by step: `lr` and `momentum`.

    ReduceLROnPlateau `looks`: it cannot be asked in advance, and is told with `look`.
    """

    def __init__(self, member, optimizer, steps):
        parameter = torch.nn.Parameter(torch.zeros(1))
        self.optimizer = make_optimizer(optimizer, [parameter], member.lr)
        self.scheduler = member.make_scheduler(self.optimizer)
        self.looks = isinstance(self.scheduler, ReduceLROnPlateau)
        self.every = member.every
        self.lr, self.momentum = [], []
        for t in range(steps):
            self.lr.append(float(self.group["lr"]))
            self.momentum.append(momentum_of(self.group))
            self.optimizer.step()  # without gradients: it changes nothing
            if not self.looks and (t + 1) % self.every == 0:
                self.scheduler.step()

    @property
    def group(self):
        return self.optimizer.param_groups[0]

    def look(self, loss, made):
        """Tell the scheduler the loss after `made` steps; it sets the rate of all later ones."""
        self.scheduler.step(loss)
        self.lr[made:] = [float(self.group["lr"])] * (len(self.lr) - made)


def parts(row, model):
    """Views of a row of numbers, one for each parameter of the model, in the model's layout."""
    views, start = [], 0
    for weight in model.parameters():
        part = row[start : start + weight.numel()]
        if weight.dim() == 4:  # channels last, as the convolutions read them
            out, channels, height, width = weight.shape
            part = part.view(out, height, width, channels).permute(0, 3, 1, 2)
        views.append(part.view_as(weight))
        start += room(weight)
    return views


def room(weight):
    """Numbers set aside for a parameter: a GPU reads only from addresses that are round."""
    return -(-weight.numel() // 64) * 64


class FlatSGD:
    """torch.optim.SGD with momentum for many runs: `lr` and `momentum` have shape (runs, 1)."""

    def __init__(self, weights):
        self.buffer = torch.zeros_like(weights)

    def reset(self):
        self.buffer.zero_()

    def update(self, weights, gradients, lr, momentum, step):
        assert OPTIMIZERS["SGD"]["nesterov"]
        gradients.add_(weights, alpha=OPTIMIZERS["SGD"]["weight_decay"])
        self.buffer.mul_(momentum).add_(gradients)
        gradients.addcmul_(momentum, self.buffer)
        weights.addcmul_(lr, gradients, value=-1)


class FlatAdamW:
    """torch.optim.AdamW for many runs; `step` (1,) counts from 1, `momentum` is the first beta."""

    def __init__(self, weights):
        self.mean, self.square = torch.zeros_like(weights), torch.zeros_like(weights)

    def reset(self):
        self.mean.zero_()
        self.square.zero_()

    def update(self, weights, gradients, lr, momentum, step):
        settings = OPTIMIZERS["AdamW"]
        beta2 = settings["betas"][1]
        weights.mul_(1 - lr * settings["weight_decay"])
        self.mean.lerp_(gradients, 1 - momentum)
        self.square.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
        corrected = self.square / (1 - beta2 ** step.double()).to(weights.dtype)
        length = lr / (1 - momentum.double() ** step).to(weights.dtype)
        weights.addcdiv_(length * self.mean, corrected.sqrt_().add_(settings["eps"]), value=-1)
