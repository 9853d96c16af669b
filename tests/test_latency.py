"""Latency: the protocol on a fake clock, tables against the layers of real networks, rooflines against arithmetic."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import solutions
from nas_lib import latency, real_data
from nas_lib.devices import ASSUMED, DEVICES, Device, frame_budget
from nas_lib.latency import (
    LatencyTable,
    Layer,
    Work,
    build_layer,
    cell_layers,
    compare,
    edge_layers,
    layer_work,
    measure_network,
    mobile_layers,
    pinned_threads,
    time_calls,
)
from nas_lib.mobile import MobileConfig, build_mobile, mobile_macs
from nas_lib.networks import NetworkConfig, build_network, count_macs
from nas_lib.spaces import CellSpace, MobileSpace, live_edges

SPACE, MOBILE = CellSpace(), MobileSpace()
CIFAR = NetworkConfig(in_channels=3, resolution=32, stem_stride=1, stages=3)


class Machine:
    """A device with a clock: calls are queued, and their time passes when somebody waits for them."""

    def __init__(self, durations: list[float], queued: bool = False) -> None:
        self.durations, self.queued = iter(durations), queued
        self.now, self.pending, self.calls, self.waits = 0.0, 0.0, 0, 0

    def call(self) -> None:
        self.calls += 1
        self.pending += next(self.durations)
        if not self.queued:
            self.wait()

    def wait(self) -> None:
        self.waits += 1
        self.now += self.pending
        self.pending = 0.0

    def clock(self) -> float:
        return self.now


# --- measuring ---


def test_warm_up_is_not_timed_and_every_call_is_timed_alone() -> None:
    machine = Machine([50.0, 40.0, 1.0, 2.0, 3.0, 9.0])
    timings = time_calls(machine.call, warmup=2, repeats=4, clock=machine.clock)
    np.testing.assert_allclose(timings.seconds, [1.0, 2.0, 3.0, 9.0])
    assert (timings.low, timings.median, timings.high) == (1.75, 2.5, 4.5)
    assert timings.spread == pytest.approx((4.5 - 1.75) / 2 / 2.5)


def test_a_queue_is_waited_for_before_the_first_and_after_every_timed_call() -> None:
    machine = Machine([100.0, 1.0, 2.0, 3.0], queued=True)
    timings = time_calls(machine.call, warmup=1, repeats=3, synchronize=machine.wait, clock=machine.clock)
    np.testing.assert_allclose(timings.seconds, [1.0, 2.0, 3.0])
    blind = Machine([100.0, 1.0, 2.0, 3.0], queued=True)
    assert time_calls(blind.call, warmup=1, repeats=3, clock=blind.clock).seconds.sum() == 0


@pytest.mark.parametrize(
    ("name", "value"), [("warmup", -1), ("repeats", 0), ("repeats", 2.5), ("warmup", True)]
)
def test_impossible_numbers_of_calls_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        time_calls(lambda: None, **{name: value})  # type: ignore[arg-type]


def test_a_clock_that_runs_backwards_is_refused() -> None:
    times = iter(range(100, 0, -1))
    with pytest.raises(ValueError, match="clock"):
        time_calls(lambda: None, repeats=3, clock=lambda: float(next(times)))


def test_threads_are_put_back_even_after_an_error() -> None:
    before = torch.get_num_threads()

    def fails() -> None:
        with pinned_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert torch.get_num_threads() == before
    for wrong in (0, 1.0, True):
        with pytest.raises(ValueError, match="threads"), pinned_threads(wrong):  # type: ignore[arg-type]
            pass


def test_only_queues_need_to_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[object] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    assert latency.synchronizer("cpu") is None
    for device in ("cuda:1", "cuda", torch.device("cuda", 0)):
        wait = latency.synchronizer(device)
        assert wait is not None
        wait()
    # PyTorch takes a device without a number for the current one.
    assert waited == [torch.device("cuda:1"), torch.device("cuda"), torch.device("cuda:0")]


def test_measuring_a_network_leaves_it_as_it_was() -> None:
    network = build_network(SPACE.from_index(15_000)).train()
    mean = network.stem[1].running_mean.clone()
    timings = latency.measure_network(network, torch.rand(2, 1, 12, 12), warmup=1, repeats=3)
    assert len(timings.seconds) == 3 and (timings.seconds > 0).all()
    assert network.training and torch.equal(network.stem[1].running_mean, mean)
    network.stem.eval()  # a frozen part stays frozen
    latency.measure_network(network, torch.rand(2, 1, 12, 12), warmup=0, repeats=1)
    assert network.training and not network.stem[1].training


def test_much_more_work_takes_longer() -> None:
    small, large = (Layer("nor_conv_3x3", (c, c, 16)) for c in (4, 128))  # a thousand times the arithmetic
    table = LatencyTable.measure([small, large, small], warmup=2, repeats=9)
    assert list(table.seconds) == [small, large]
    assert table.seconds[large] > 2 * table.seconds[small]


# --- layers ---


@pytest.mark.parametrize("config", [NetworkConfig(), CIFAR])
def test_the_layers_of_a_cell_are_those_of_its_network(config: NetworkConfig) -> None:
    rng = np.random.default_rng(3)
    for cell in (SPACE.sample(rng) for _ in range(6)):
        layers = cell_layers(cell, config)
        live = tuple(op if on else "none" for op, on in zip(cell, live_edges(cell), strict=True))
        assert sum(work.macs for layer in layers for work in layer_work(layer)) == count_macs(live, config)
        network = build_network(cell, config).eval()
        images = torch.rand(1, config.in_channels, config.resolution, config.resolution)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(images)
        assert counter.get_total_flops() == 2 * count_macs(live, config)


def test_a_cell_has_the_layers_of_its_edges_and_what_is_there_without_a_cell() -> None:
    for config in (NetworkConfig(), CIFAR):
        frame = cell_layers(("none",) * 6, config)
        for op in SPACE.ops:
            layers = [layer for _ in range(6) for layer in edge_layers(op, config)]
            assert sorted(cell_layers((op,) * 6, config)) == sorted(frame + layers)


def test_the_layers_of_a_mobile_network_have_its_arithmetic() -> None:
    rng = np.random.default_rng(4)
    for arch in (MOBILE.sample(rng) for _ in range(20)):
        for config in (MobileConfig(), MobileConfig(classes=100), MobileConfig(classes=2)):
            layers = mobile_layers(arch, config)
            macs = sum(work.macs for layer in layers for work in layer_work(layer))
            assert macs == mobile_macs(arch, config)
            assert build_layer(layers[-1])[-1].out_features == config.classes


@pytest.mark.parametrize("space", ["cells", "mobile"])
def test_a_built_layer_takes_and_gives_the_shapes_that_it_says(space: str) -> None:
    every = cell_layers(
        ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "nor_conv_1x1")
    )
    mobile = mobile_layers(MOBILE.largest)
    assert build_mobile(MOBILE.largest).arch == MOBILE.largest
    for layer in every if space == "cells" else mobile:
        c_in, c_out, size = layer.shape
        module = build_layer(layer).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            out = module(torch.rand(2, c_in, size, size))
        assert out.shape[0] == 2 and out.shape[1] in (c_out, 10)
        assert counter.get_total_flops() == 4 * sum(work.macs for work in layer_work(layer))
        weights = sum(p.numel() for p in module.parameters() if p.ndim > 1)
        assert weights == sum(work.weights for work in layer_work(layer))


def test_an_unknown_operation_is_refused_by_name() -> None:
    for call in (build_layer, layer_work):
        with pytest.raises(ValueError, match="conv_9x9"):
            call(Layer("conv_9x9", (4, 4, 8)))


# --- tables ---


def _made_up(scale: float, overhead: float) -> tuple[LatencyTable, list[list[Layer]], np.ndarray]:
    """A table of made-up entries, and 60 cells whose latencies are exactly a line over its sums."""
    rng = np.random.default_rng(5)
    cells = [cell_layers(SPACE.sample(rng)) for _ in range(60)]
    table = LatencyTable({layer: rng.uniform(1e-5, 9e-5) for layer in dict.fromkeys(itertools.chain(*cells))})
    measured = np.array([overhead + scale * sum(table.seconds[layer] for layer in cell) for cell in cells])
    return table, cells, measured


def test_an_uncalibrated_table_is_a_plain_sum() -> None:
    table, cells, measured = _made_up(1.0, 0.0)
    np.testing.assert_allclose([table.predict(cell) for cell in cells], measured)
    assert table.predict([]) == 0


def test_ten_networks_settle_scale_and_overhead() -> None:
    table, cells, measured = _made_up(1.3, 4e-4)
    fitted = table.calibrated(cells[:10], measured[:10])
    assert (fitted.scale, fitted.overhead) == (pytest.approx(1.3), pytest.approx(4e-4))
    fit = compare([fitted.predict(cell) for cell in cells[10:]], measured[10:])
    assert fit.worst_error < 1e-9 and fit.networks == 50
    assert fit.spearman > 0.999  # equal sums differ by rounding
    raw = compare([table.predict(cell) for cell in cells[10:]], measured[10:])
    assert raw.bias < -0.2
    # calibrating again starts from the entries, not from the last calibration
    assert fitted.calibrated(cells[:10], measured[:10]).scale == pytest.approx(1.3)


def test_what_cannot_be_predicted_or_calibrated_is_refused() -> None:
    table, cells, measured = _made_up(1.0, 0.0)
    with pytest.raises(ValueError, match="layers"):
        table.predict([Layer("nor_conv_3x3", (7, 7, 7))])
    for networks, seconds, name in (
        (cells[:1], measured[:1], "networks"),
        ([cells[0]] * 3, measured[:3], "networks"),
        (cells[:3], measured[:2], "measured"),
        (cells[:3], [1.0, 0.0, 1.0], "measured"),
        (cells[:3], [1.0, np.nan, 1.0], "measured"),
    ):
        with pytest.raises(ValueError, match=name):
            table.calibrated(networks, seconds)
    for predicted, truth in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [1.0, 0.0])):
        with pytest.raises(ValueError, match="measured"):
            compare(predicted, truth)


# --- rooflines ---


def test_each_profile_names_the_source_of_every_figure() -> None:
    assert len(DEVICES) >= 4
    for device in DEVICES.values():
        assert set(device.sources) == {"peak", "bandwidth", "overhead"}
        for figure in ("peak", "bandwidth"):
            assert not device.sources[figure].startswith(ASSUMED) and len(device.sources[figure]) > 30
        assert device.sources["overhead"].startswith(ASSUMED)  # nobody publishes it
        assert device.width == {"float32": 4, "float16": 2}[device.precision]


@pytest.mark.parametrize(
    ("name", "peak", "bandwidth"),
    [
        ("raspberry_pi_4", 48.0, 5.56),
        ("pixel_3", 80.0, 29.9),
        ("jetson_nano", 472, 25.6),
        ("a100", 19_500, 1_555),
    ],
)
def test_the_products_in_the_profiles_are_the_totals_that_are_published(
    name: str, peak: float, bandwidth: float
) -> None:
    """In 10⁹ FLOP/s and bytes/s: what the vendors of the last two say, and what their sources give for the first."""
    assert DEVICES[name].peak / 1e9 == pytest.approx(peak, rel=1e-3)
    assert DEVICES[name].bandwidth / 1e9 == pytest.approx(bandwidth, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "clock", "cores", "measured"),
    [
        ("raspberry_pi_4", 1.5, 1, 15.875 * 1.5 / 2.0),
        ("pixel_3", 2.5, 1, 22.3 * 2.5 / 2.8),
        ("pixel_3", 2.5, 4, 84.4 * 2.5 / 2.8),
    ],
)
def test_benchmarks_of_the_same_cores_come_close_to_their_peak_and_do_not_exceed_it(
    name: str, clock: float, cores: int, measured: float
) -> None:
    """Measured GFLOP/s of the sources named for the peak, scaled from the clock they ran at to this device's."""
    peak = DEVICES[name].peak / 1e9 * cores / 4
    assert peak == 8 * clock * cores
    assert 0.9 * peak < measured < peak


def test_the_roofline_is_the_longer_of_arithmetic_and_traffic() -> None:
    device = Device("made up", 100.0, 10.0, 0.5, "float32", 4, {})
    assert device.ridge == 10.0
    assert device.bound(Work(1000, 1, 1, 1)) == 20.5  # 2,000 FLOP
    assert device.bound(Work(10, 30, 20, 1)) == 20.5  # 200 bytes
    assert device.bound(Work(10, 30, 20, 1), batch=3) == 0.5 + 36.0  # weights are read once for all images
    with pytest.raises(ValueError, match="bandwidth"):
        Device("none", 1.0, 0.0, 0.0, "float32", 4, {})


def test_devices_disagree_about_which_network_is_faster() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(6)
    cells = [cell_layers(SPACE.sample(rng), CIFAR) for _ in range(200)]
    bounds = {name: [one.network_bound(cell) for cell in cells] for name, one in DEVICES.items()}
    assert spearmanr(bounds["raspberry_pi_4"], bounds["a100"])[0] < 0.95
    assert all(a > b for a, b in zip(bounds["raspberry_pi_4"], bounds["a100"], strict=True))


def test_thirty_frames_leave_a_thirtieth_of_a_second() -> None:
    assert frame_budget(30) == pytest.approx(33.333, abs=1e-3)
    assert frame_budget(30, 8.0) == pytest.approx(25.333, abs=1e-3)
    for fps, other, name in (
        (0, 0, "fps"),
        (30, 34.0, "other_ms"),
        (30, -1, "other_ms"),
        (float("nan"), 0, "fps"),
    ):
        with pytest.raises(ValueError, match=name):
            frame_budget(fps, other)


# --- real devices ---


def test_real_devices_rank_cells_as_the_literature_says(shared_data) -> None:
    from scipy.stats import spearmanr

    found = real_data.device_latencies(shared_data / real_data.FILE)
    pi, pixel, eyeriss = (found[name] for name in ("Raspberry Pi 4", "Pixel 3", "Eyeriss"))
    assert (np.isnan(pi).sum(), np.isnan(pixel).sum()) == (157, 202)
    real = ~np.isnan(pi) & ~np.isnan(pixel)
    assert spearmanr(pi[real], pixel[real])[0] == pytest.approx(0.97, abs=0.005)
    assert spearmanr(pi[real], eyeriss[real])[0] == pytest.approx(0.67, abs=0.006)  # lesson 06 says both


@pytest.mark.parametrize(("ours", "theirs"), [("raspberry_pi_4", "Raspberry Pi 4"), ("pixel_3", "Pixel 3")])
def test_rooflines_of_the_cpus_rank_cells_much_as_the_devices_do(shared_data, ours: str, theirs: str) -> None:
    """NAS-Bench-201's networks stack five cells per stage, ours one: a sum that differs by a factor and a constant."""
    from scipy.stats import spearmanr

    cells = np.random.default_rng(0).choice(len(SPACE), 300, replace=False)
    bounds = [DEVICES[ours].network_bound(cell_layers(SPACE.from_index(int(i)), CIFAR)) for i in cells]
    measured = real_data.device_latencies(shared_data / real_data.FILE)[theirs][cells]
    assert spearmanr(bounds, measured, nan_policy="omit")[0] > 0.85


def test_on_a_real_raspberry_pi_the_soft_reward_forgets_its_target_and_the_hard_one_keeps_it(
    shared_data,
) -> None:
    """Every target gets the same cell, 2.56 ms and 84.5 %. (The 86.9 % that we read of such a cell elsewhere are in no
    column of the file: none of its cells within 0.15 ms reaches 85 %.)"""
    reward = solutions.load("06_hardware_aware").mnasnet_reward
    path = shared_data / real_data.FILE
    pi = real_data.device_latencies(path)["Raspberry Pi 4"]
    accuracy = real_data.nas_bench_201(path).final("test")  # validation after 200 epochs
    real = np.flatnonzero(~np.isnan(pi))
    accuracy, pi = accuracy[real], pi[real]
    targets = [float(np.quantile(pi, share)) for share in (0.1, 0.3, 0.6, 0.9)]
    soft = {int(reward(accuracy, pi, target).argmax()) for target in targets}
    assert len(soft) == 1
    [chosen] = soft
    assert (pi[chosen], accuracy[chosen]) == (pytest.approx(2.557, abs=1e-3), pytest.approx(84.52, abs=1e-2))
    assert accuracy[np.abs(pi - 2.5) < 0.15].max() < 85
    for target in targets:
        hard = int(reward(accuracy, pi, target, alpha=0.0, beta=-1.0).argmax())
        assert accuracy[hard] == accuracy[pi <= target].max() and pi[hard] <= target


def test_a_file_without_latencies_has_no_devices_and_one_without_cells_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "other.npz", arch=np.array([b"x"]))
    assert real_data.device_latencies(tmp_path / "other.npz") == {}
    np.savez(tmp_path / "another.npz", lat_raspi4_ms=np.ones(3))
    with pytest.raises(ValueError, match="the column arch"):
        real_data.device_latencies(tmp_path / "another.npz")


# --- published latency tables ---


def official_rows(rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """The space's strings in an order of their own, and a latency for each, some of which are no measurements."""
    order = rng.permutation(len(SPACE))
    values = 5.0 + order / 1_000
    values[:6] = (0.01, 0.099, 0.0, -1.0, np.nan, np.inf)
    return [str(SPACE.from_index(int(i))) for i in order], values


def write_hw_nas_bench(path, strings: list[str], values: np.ndarray, **changes) -> None:  # type: ignore[no-untyped-def]
    """As its own package reads it: a list by row for each metric, and the network's settings."""
    table = {
        "config": [
            {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10} for text in strings
        ],
        "raspi4_latency": values.tolist(),
        "edgegpu_latency": [np.float64(2 * value) for value in values],
        "edgegpu_energy": values.tolist(),
        "eyeriss_arithmetic_intensity": values.tolist(),
    }
    content = {"nasbench201": {"cifar10": {**table, **changes}}, "fbnet": {"raspi4_latency": {"FC": 1.0}}}
    path.write_bytes(pickle.dumps({**content, "more": np.arange(3)}))


def write_help(folder, strings: list[str], values: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    (folder / "latency").mkdir(parents=True)
    torch.save(torch.tensor(values, dtype=torch.float64), folder / "latency" / "raspi4.pt")
    torch.save((2 * values).tolist(), folder / "latency" / "titan_rtx_256.pt")
    torch.save({text: i for i, text in enumerate(strings)}, folder / "str_arch2idx.pt")


@pytest.mark.parametrize("form", ["hw-nas-bench", "help", "npz"])
def test_published_latencies_are_read_by_name_and_bogus_ones_are_dropped(form: str, tmp_path) -> None:
    strings, values = official_rows(np.random.default_rng(0))
    path, other = tmp_path / "table", "titan_rtx_256"
    if form == "hw-nas-bench":
        write_hw_nas_bench(path, strings, values)
        other = "edgegpu"
    elif form == "help":
        write_help(path, strings, values)
    else:
        columns = {"lat_raspi4_ms": values, f"lat_{other}_ms": 2 * values, "params_m": values}
        np.savez(tmp_path / "table.npz", arch=np.array(strings, dtype="S"), **columns)
        path = tmp_path / "table.npz"
    assert real_data.latency_devices(path) == tuple(sorted(("raspi4", other)))
    for device, factor in (("raspi4", 1), (other, 2)):
        found = real_data.latencies(path, device)
        rows = [SPACE.index(SPACE.parse(text)) for text in strings]
        np.testing.assert_allclose(found.ms[rows[6:]], factor * values[6:])
        dropped = {"not positive numbers": 4, "below 0.1 ms": 2 if factor == 1 else 1}
        assert found.dropped == dropped and np.isnan(found.ms).sum() == sum(dropped.values())
    assert "15,619 cells, 5" in str(real_data.latencies(path, "raspi4"))
    assert "dropped: 4 not positive numbers, 2 below 0.1 ms" in str(real_data.latencies(path, "raspi4"))
    assert "below" not in str(real_data.latencies(path, "raspi4", below_ms=0.0))
    with pytest.raises(ValueError, match=r"device must be one of .*raspi4.* in .*table.*, got 'raspi5'"):
        real_data.latencies(path, "raspi5")


def test_the_real_file_s_bogus_values_are_counted(shared_data) -> None:
    found = {
        name: real_data.latencies(shared_data / real_data.FILE, name)
        for name in ("raspi4", "pixel3", "eyeriss")
    }
    assert [one.dropped for one in found.values()] == [{"below 0.1 ms": 157}, {"below 0.1 ms": 202}, {}]


class Evil:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return print, ("a program ran",)


def test_latency_files_that_cannot_be_read_are_refused(tmp_path, capsys) -> None:
    strings, values = official_rows(np.random.default_rng(0))
    path = tmp_path / "table.pickle"
    write_hw_nas_bench(path, strings, values)
    with pytest.raises(ValueError, match=r"dataset must be one of cifar10 in .*, got 'cifar100'"):
        real_data.latencies(path, "raspi4", dataset="cifar100")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(
        ValueError, match="path must be HW-NAS-Bench's pickle, HELP's folder or an npz file, got"
    ):
        real_data.latencies(path, "raspi4")
    write_hw_nas_bench(path, strings, values, config=Evil())
    with pytest.raises(ValueError, match=r"it holds builtins\.print, which is no plain data"):
        real_data.latencies(path, "raspi4")
    assert capsys.readouterr().out == ""
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="path must be HW-NAS-Bench's pickle"):
        real_data.latencies(path, "raspi4")
    path.write_bytes(pickle.dumps({"nasbench201": {"cifar10": {"raspi4_latency": [1.0]}}}))
    with pytest.raises(ValueError, match="path must say which architecture each row is"):
        real_data.latencies(path, "raspi4")
    write_hw_nas_bench(path, [strings[0], *strings[:-1]], values)
    with pytest.raises(
        ValueError, match="a latency for each of the 15625 cells once, got 15625 for 15624 cells"
    ):
        real_data.latencies(path, "raspi4")
    write_hw_nas_bench(path, ["|conv~0|", *strings[1:]], values)
    with pytest.raises(ValueError, match=r"path must hold the space's cells, got .*string must be a cell"):
        real_data.latencies(path, "raspi4")
    with pytest.raises(ValueError, match="path must be HELP's folder"):
        real_data.latencies(tmp_path, "raspi4")
    write_help(tmp_path / "help", strings, values)
    (tmp_path / "help" / "latency" / "raspi4.pt").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"path must hold HELP's files, .*raspi4\.pt cannot be read"):
        real_data.latencies(tmp_path / "help", "raspi4")
    with pytest.raises(FileNotFoundError):
        real_data.latencies(tmp_path / "nothing", "raspi4")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04hello"])
def test_files_that_are_no_columns_are_named(content: bytes, tmp_path) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    for read in (real_data.nas_bench_201, real_data.two_lengths, real_data.device_latencies):
        with pytest.raises(ValueError, match=r"path must be .*file\.npz"):
            read(path)


def test_columns_may_hold_words_and_must_be_whole(tmp_path) -> None:
    space = CellSpace()
    words = np.array([space.str(space.from_index(i)) for i in range(len(space))])
    columns = dict.fromkeys(("valid_acc_12", "valid_acc_200", "train_time_200_s"), np.ones(len(space)))
    np.savez(tmp_path / "whole.npz", arch=words, **columns)
    assert len(real_data.nas_bench_201(tmp_path / "whole.npz")) == len(space)
    np.savez(tmp_path / "short.npz", arch=words, **columns | {"valid_acc_200": np.ones(3)})
    with pytest.raises(
        ValueError, match=r"valid_acc_200 must have one number for each cell, got shape \(3,\)"
    ):
        real_data.nas_bench_201(tmp_path / "short.npz")
    np.savez(tmp_path / "other.npz", arch=np.array([b"foo"]), **columns)
    with pytest.raises(ValueError, match=r"path must hold the space's cells, got .*foo"):
        real_data.nas_bench_201(tmp_path / "other.npz")


@pytest.mark.parametrize("content", [{"nasbench201": 3}, {"nasbench201": {"cifar10": 3}}, [1, 2]])
def test_pickles_of_something_else_are_named(content: object, tmp_path) -> None:
    (tmp_path / "file.pickle").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r"path must .*file\.pickle"):
        real_data.latencies(tmp_path / "file.pickle", "raspi4")


def test_numpys_numbers_are_threads_and_repeats_and_nothing_else_is() -> None:
    with pinned_threads(np.int64(1)):  # type: ignore[arg-type]
        assert torch.get_num_threads() == 1
    assert len(time_calls(lambda: None, warmup=np.int64(1), repeats=np.int64(2)).seconds) == 2  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="images must be a tensor"):
        measure_network(torch.nn.ReLU(), [1, 2], repeats=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="predicted must be finite seconds, got nan"):
        compare([1, float("nan")], [1, 2])
    for value in ("1", None, True):
        with pytest.raises(ValueError, match="fps must be a positive number"):
            frame_budget(value)  # type: ignore[arg-type]
