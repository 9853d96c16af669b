"""What a call may not change: each kind of change is seen and named, also where the call ends in an error."""

from __future__ import annotations

import contextlib
import random
import warnings
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_lib import checks
from nas_lib.checks import Answer, Exercise, Expected, read_answer, run_probe, verdicts
from nas_lib.checks.holding import Watch, differing, kind_of, settings_kept, snapshot
from nas_lib.checks.judging import RETURNS


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 1))


def changes(fn: Any, *args: Any, allowed: tuple[str, ...] = (), **kwargs: Any) -> list[str]:
    watch = Watch(allowed)
    with contextlib.suppress(ZeroDivisionError):
        watch.over(fn)(*args, **kwargs)
    return watch.changed


def one(values: Any) -> None:
    values[0] = 7


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (np.zeros(3), "values"),
        (np.zeros(3, dtype=np.float32), "values"),
        (torch.zeros(3), "values"),
        ([1, 2], "values[0]"),
        ({0: 1}, "values[0]"),
        ([[1.0], 2], "values[0]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_argument_that_is_changed_is_named(value: Any, path: str) -> None:
    assert any(found == path or found.startswith(path) for found in changes(one, value))


@pytest.mark.parametrize(
    "value", [np.ones(3), [1, 2.5, None], {"a": [np.nan]}, torch.ones(2), {1, 2}, "text"]
)
def test_what_is_left_alone_is_not_named(value: Any) -> None:
    assert changes(lambda values: values, value) == []


def test_a_change_of_the_last_bit_is_one() -> None:
    def there_and_back(values: Any) -> None:
        values += 0.1
        values -= 0.1

    assert changes(there_and_back, np.full(50, 0.3)) == ["values"]


def test_a_change_before_an_error_is_one() -> None:
    def fails(values: Any) -> None:
        values.append(1)
        raise ZeroDivisionError

    assert "values" in changes(fails, [1])


def _freeze(model: Any) -> None:
    model[3].weight.requires_grad_(False)


def _backward(model: Any) -> None:
    model(torch.ones(2, 1, 3, 3)).sum().backward()


MODEL_CHANGES = {
    "model.0.weight": lambda model: model[0].weight.data.mul_(1.0001),
    "model.1.running_mean": lambda model: model[1].running_mean.add_(1),
    "model.1.training": lambda model: model[1].eval(),
    "model.1.momentum": lambda model: setattr(model[1], "momentum", None),
    "model.3.weight.requires_grad": _freeze,
    "model.3.weight.grad": _backward,
}


@pytest.mark.parametrize(("path", "change"), MODEL_CHANGES.items(), ids=MODEL_CHANGES)
def test_models_are_held_with_statistics_modes_gradients_and_flags(path: str, change: Any) -> None:
    model = net()

    def fn(model: Any) -> None:
        change(model)

    assert path in changes(fn, model)
    assert changes(lambda model: model.state_dict(), model) == []


def test_optimizers_are_held_and_may_be_allowed_to_change() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(model: Any, optimizer: Any) -> None:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()

    found = changes(step, model, optimizer)
    assert "model.0.weight" in found and any(path.startswith("optimizer.state") for path in found)
    assert changes(step, net(), optimizer, allowed=("model.*", "optimizer.*")) == []

    def louder(optimizer: Any) -> None:
        optimizer.param_groups[0]["lr"] = 1.0

    assert changes(louder, optimizer) == ["optimizer.param_groups[0]['lr']"]


SETTINGS = {
    "Python's global generator": lambda: random.random(),
    "NumPy's global generator": lambda: np.random.rand(),  # noqa: NPY002
    "torch's global generator": lambda: torch.rand(1),
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "NumPy's error settings": lambda: np.seterr(all="ignore"),
    "the warnings filters": lambda: warnings.simplefilter("error"),
}


@pytest.mark.parametrize(("path", "change"), SETTINGS.items(), ids=SETTINGS)
def test_the_process_s_settings_are_held(path: str, change: Any) -> None:
    errors = np.geterr()
    try:
        with warnings.catch_warnings():
            assert changes(change) == [path]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        np.seterr(**errors)


@pytest.mark.parametrize(("path", "change"), SETTINGS.items(), ids=SETTINGS)
def test_an_answer_leaves_no_setting_behind(path: str, change: Any) -> None:
    """Neither in the learner's notebook nor for the next answer that is graded in this process."""

    def spoils(*args: Any) -> None:
        change()
        raise RuntimeError

    item = checks.exercise("simple_regret")
    before = snapshot({})
    checks.InProcess({item.name: spoils}).collect(item, item.name, checks.instances_of(item, 0))
    assert list(differing(before, snapshot({}))) == []


def test_generators_passed_in_are_there_to_be_drawn_from() -> None:
    generator = torch.Generator()
    assert changes(lambda rng: rng.random(), np.random.default_rng(0)) == []
    assert changes(lambda generator: torch.rand(1, generator=generator), generator) == []


def test_methods_of_a_class_are_held_like_functions() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1)

        def forward(self, x: Any) -> Any:
            x += 1
            return self.norm(x)

    watch = Watch(("self.norm.running_*", "self.norm.num_batches_tracked"), ("forward",))
    made = watch.over(Block)
    assert issubclass(made, Block) and made.__name__ == "Block"
    made()(torch.zeros(2, 1, 2, 2))
    assert watch.changed == ["x"] and watch.kinds == ["torch.Tensor[float32]"]


@pytest.mark.parametrize(
    ("spoils", "told"),
    [
        (lambda choices: torch.rand(3), []),
        (lambda choices: torch.manual_seed(7), ["torch's global generator"]),
        (lambda choices: np.random.seed(7), ["NumPy's global generator"]),  # noqa: NPY002
        (lambda choices: torch.set_default_dtype(torch.float64), ["torch's default dtype"]),
        (lambda choices: choices.pop(), ["choices", "choices[1]"]),
    ],
)
def test_a_constructor_may_draw_weights_and_change_nothing_else(spoils: Any, told: list[str]) -> None:
    class Policy(nn.Module):
        def __init__(self, choices: list[int]) -> None:
            super().__init__()
            spoils(choices)

        def sample(self) -> int:
            return 1

    with settings_kept():
        watch = Watch((), ("sample",))
        made = watch.over(Policy)
        torch.manual_seed(0)
        made([1, 2])
        torch.rand(1)
        made([1, 2])
    assert watch.changed == told


def test_objects_made_from_one_state_end_at_one() -> None:
    watch = Watch()
    made = watch.over(type("Policy", (nn.Linear,), {}))
    for _ in range(2):
        torch.manual_seed(0)
        made(2, 2)
    assert watch.changed == []


def test_a_call_by_many_names_is_held_by_its_parameters() -> None:
    assert changes(lambda first, *, second: second.append(first), 1, second=[]) != []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1.5, "float"),
        (np.float32(1), "numpy.float32"),
        (np.ones(2), "numpy.ndarray[float64]"),
        (np.array(1.0), "numpy.ndarray[float64]()"),
        (torch.ones(1, dtype=torch.int64), "torch.Tensor[int64]"),
        (None, "NoneType"),
        ((1, 2), "tuple"),
    ],
    ids=repr,
)
def test_types_have_names(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("returns", "value", "right"),
    [
        ("float", np.array(1.0), True),
        ("float", np.array(1), False),
        ("float", np.ones(2), False),
        ("floats", np.ones(2, dtype=np.float32), True),
        ("floats", np.ones(2, dtype=int), False),
        ("floats", [1.0, 2.0], False),
        ("floats", torch.ones(2), False),
    ],
    ids=repr,
)
def test_arrays_are_told_apart_by_what_they_hold(returns: str, value: Any, right: bool) -> None:
    _, patterns = RETURNS[returns]
    assert any(fnmatchcase(kind_of(value), pattern) for pattern in patterns) == right


# ------------------------------------------------------------------------------- in a check


class Doubled(Exercise):
    """`double(values)`, a list of twice the values."""

    name, lesson, returns = "double", "none", "list"

    def instances(self, seed: int) -> list[dict[str, Any]]:
        return [{"values": [1, 2]}, {"values": [], "bad": "an empty list"}]

    def probe(self, fn: Any, instance: Any, oracle: Any) -> Any:
        return fn(instance["values"])

    def judge(self, instance: Any, answer: Answer, expected: Answer) -> checks.Verdict:
        return checks.Verdict(float(list(answer.value) == [2, 4]))


def judged(fn: Any) -> list[checks.Verdict]:
    item = Doubled()
    instances = item.instances(0)
    answers = [read_answer(run_probe(item, fn, instance)) for instance in instances]
    return verdicts(item, instances, answers, Expected([Answer(), Answer()]))


def refuse(values: Any) -> None:
    if not values:
        raise ValueError("values is empty")


def test_right_code_that_changes_its_argument_loses_a_part_and_is_told_which() -> None:
    def in_place(values: Any) -> Any:
        refuse(values)
        for i in range(len(values)):
            values[i] *= 2
        return values

    verdict = judged(in_place)[0]
    assert (verdict.score, verdict.concept) == (0.5, "mutates-input") and "values" in verdict.message


def test_a_change_on_the_way_to_an_error_costs_as_well() -> None:
    def fills(values: Any) -> Any:
        was_empty = not values
        if was_empty:
            values.append(0)
            raise ValueError("values is empty")
        return [2 * one for one in values]

    right, refused = judged(fills)
    assert right.right and refused.concept == "mutates-input" and "an empty list" in refused.message


def test_a_result_of_another_type_loses_a_part() -> None:
    def as_array(values: Any) -> Any:
        refuse(values)
        return 2 * np.array(values)

    verdict = judged(as_array)[0]
    assert (verdict.score, verdict.concept) == (0.5, "wrong-type") and "a list" in verdict.message


def test_a_seed_set_again_is_a_change_each_time_and_the_learner_s_own_state_stays() -> None:
    def seeds(values: Any) -> Any:
        np.random.seed(0)  # noqa: NPY002
        refuse(values)
        return [2 * one for one in values]

    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for _ in range(2):
        found = judged(seeds)
        assert [one.concept for one in found] == ["changes-settings"] * 2
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_right_code_keeps_its_points() -> None:
    def right(values: Any) -> Any:
        refuse(values)
        return [2 * one for one in values]

    assert all(verdict.right for verdict in judged(right))


class _Fills(Exercise):
    """A function that may write into the list that it is given."""

    name, lesson, changes = "fills", "99_nothing", ("room*",)

    def instances(self, seed: int) -> list[dict[str, Any]]:
        return [{}]

    def probe(self, fn: Any, instance: dict[str, Any], oracle: Any) -> Any:
        return fn([])


def _fill(room: list[int]) -> int:
    room.append(1)
    return len(room)


@pytest.mark.parametrize(("own", "changed"), [({}, []), ({"changes": []}, ["room", "room[0]"])])
def test_an_instance_may_say_itself_what_may_change(own: dict[str, Any], changed: list[str]) -> None:
    told = run_probe(_Fills(), _fill, own)
    assert told["value"] == 1 and told["changed"] == changed
