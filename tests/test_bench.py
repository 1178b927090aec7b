"""The fast part of the benchmark: `make bench` runs it in full, on the real bundle."""

import io
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from bench import engines, latency, machine, plots, report, serving
from bench.arithmetic import count_flops
from bench.batching import SIZES, describe_batches, measure_batches
from bench.client import Load, run_clients
from bench.engines import Variant, list_variants
from bench.loops import Loops
from bench.photos import distinct, load_examples
from bench.search import WIDTHS, describe_search, measure_search
from bench.sections import Section, attempt
from bench.size import measure_size
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from support.service_process import run_service

from photocaption.captioner import Captioner
from training.encoder.trunk import Folder

LOOPS = {"float32": 10.0, "int8": 20.0}
SHARES = {clients: {"float32": [1.4, 0.2, 1.6], "int8": [0.8, 0.9, 1.2]} for clients in serving.HELD}


def _load(clients: int, latency: float, statuses: dict[int, int]) -> Load:
    return Load(clients, statuses[200] / 10, statuses, (latency,) * statuses[200], unframed=0)


def test_distinct_photos_are_the_same_pictures_in_different_bytes() -> None:
    photos = list(islice(distinct(load_examples(0.05, count=1)), 3))

    assert len(set(photos)) == 3
    first, *others = (np.asarray(Image.open(io.BytesIO(photo))) for photo in photos)
    assert all(np.array_equal(first, other) for other in others)


def test_bars_are_met_or_not_by_the_numbers() -> None:
    fast, slow = _load(16, 1.0, {200: 160}), _load(64, 20.0, {200: 100, 500: 3})

    met = {bar.promise: bar.met for bar in serving.describe_load([fast, slow], LOOPS, SHARES).bars}

    assert met["16 clients: at least 95 % of the float32 encoder's loop"]
    assert not met["16 clients: at least 95 % of the int8 encoder's loop"]
    assert met["16 clients: p99 below 1.5 × clients ÷ throughput"]
    assert not met["64 clients: p99 below 1.5 × clients ÷ throughput"]
    assert not met["no errors up to the queue's bound of 64"]


@pytest.mark.slow
def test_clients_in_a_process_of_their_own_find_the_bound_of_the_queue(tiny_bundle: Path) -> None:
    with run_service(tiny_bundle, queue_size=2, slow=0.1) as service:
        within = run_clients(service.port, 1, 1.0, megapixels=0.05)
        beyond = serving.measure_overload(service, 1.0, clients=12, megapixels=0.05)

    assert within.errors == 0
    assert within.latencies
    assert [bar.met for bar in beyond.bars] == [True]


@pytest.mark.slow
def test_service_and_ways_take_turns_and_all_bars_are_held(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    encoders = (latency.INT8_ENCODER, latency.FLOAT32_ENCODER)
    names = (latency.INT8, latency.FLOAT32, *encoders, latency.GRAPHS, latency.TUTORIAL)
    ways = {name: lambda image, words, name=name: seen.append((name, words)) for name in names}
    monkeypatch.setattr(latency, "_open_ways", lambda captioner, cache: ways)
    monkeypatch.setattr(latency, "export_float32_encoder", lambda _bundle, cache: Folder(tiny_bundle))
    monkeypatch.setattr(latency, "count_flops", lambda encoder, size: 1e9)
    monkeypatch.setattr(machine, "measure_peak", lambda rounds=1: 1e11)

    with run_service(tiny_bundle) as service:
        measured = latency.measure_latency(service, Captioner.load(tiny_bundle), tmp_path, rounds=2)

    assert [name for name, _ in seen] == [*names] * 3  # once to warm up
    assert {len(times) for times in measured.times.values()} == {2}
    assert measured.floor == 10
    assert measured.engines[latency.INT8].startswith("onnxruntime, ")
    assert len(latency.describe_latency(measured).bars) == 4


def test_a_processor_shows_openvino_on_its_own_instructions_and_on_lesser_ones() -> None:
    variants = list_variants("avx512_vnni", 2)

    assert [(one.engine, one.instructions, one.cap) for one in variants if one.threads == 2] == [
        ("onnxruntime", "avx512_vnni", ""),
        ("openvino", "avx512_vnni", ""),
        ("openvino", "avx_vnni", "AVX2_VNNI"),
        ("openvino", "avx2", "AVX2"),
    ]
    assert [one.engine for one in list_variants("aarch64", 1)] == ["onnxruntime"]


@pytest.mark.slow
def test_engines_take_turns_and_those_that_cannot_begin_are_left_out(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    able, unable = Variant("onnxruntime", "any", 1), Variant("none", "any", 1)
    monkeypatch.setattr(engines, "list_variants", lambda best, cores: [able, unable])

    costs = engines.measure_engines(tiny_bundle, rounds=2)

    assert list(costs) == [able]
    assert "| onnxruntime | any | 1 |" in "\n".join(engines.describe_engines(costs).lines)


@pytest.mark.slow
def test_throughput_is_held_against_the_loops_before_and_after_it(tiny_bundle: Path) -> None:
    captioner = Captioner.load(tiny_bundle)
    loops = Loops({"int8": captioner.encoder}, side=captioner.bundle.manifest.image.height, seconds=0.1)
    with run_service(tiny_bundle, queue_size=64) as service:
        shares = serving.measure_shares(service, loops, 2, seconds=1.0)

        assert service.metric('caption_cache_lookups_total{result="hit"}') == 0
    assert shares.keys() == set(serving.HELD)
    assert all(len(turns["int8"]) == 2 and min(turns["int8"]) > 0 for turns in shares.values())


@pytest.mark.slow
def test_the_document_says_what_is_met_and_shows_the_plots(tiny_bundle: Path, tmp_path: Path) -> None:
    captioner = Captioner.load(tiny_bundle)
    loops = Loops({"int8": captioner.encoder}, side=captioner.bundle.manifest.image.height, seconds=0.1)
    loops.measure()
    costs = measure_search(captioner, photos=1, rounds=1)
    folder = report.plot_folder(tmp_path)
    plots.plot_search(costs, folder / "search.png")
    batches = measure_batches(captioner, rounds=1)
    section = Section("Start-up")
    section.hold("ready within 2 s", "3.00 s", met=False)

    sections = [section, describe_search(costs, "float32"), describe_batches(batches)]
    path = report.write_report(sections, "a machine", 1.0, tmp_path)

    text = path.read_text(encoding="utf-8")
    assert "| ready within 2 s | 3.00 s | **not met** |" in text
    assert "![Search](benchmarks/search.png)" in text
    assert set(costs) == set(WIDTHS)
    assert set(batches) == set(SIZES)
    assert loops.rates["int8"] > 0
    with Image.open(folder / "search.png") as plot:
        assert plot.format == "PNG"


def test_a_part_that_fails_says_so_and_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> list[Section]:
        raise OSError("no weights")

    [section] = attempt("training", fail)

    assert section.failed
    assert [(bar.promise, bar.met) for bar in section.bars] == [("training can be measured", False)]
    assert "no weights" in capsys.readouterr().err


def test_clients_that_got_no_caption_meet_no_bar() -> None:
    none = {clients: {"int8": [0.0]} for clients in serving.HELD}
    section = serving.describe_load([_load(16, 1.0, {200: 0, 503: 16})], LOOPS, none)

    assert not any(bar.met for bar in section.bars)


def test_the_size_is_that_of_packages_and_code_without_what_the_image_leaves_out(tmp_path: Path) -> None:
    packages = tmp_path / ".venv/inference/lib/python3.11/site-packages"
    for path in (packages / "numpy", packages / "pip", packages / "pip-25.0.dist-info"):
        path.mkdir(parents=True)
        (path / "file").write_bytes(bytes(200_000_000))
    unused = packages / "openvino" / "include"
    unused.mkdir(parents=True)
    (unused / "file").write_bytes(bytes(50_000_000))
    dockerfile = tmp_path / "services/inference/Dockerfile"
    dockerfile.parent.mkdir(parents=True)
    dockerfile.write_text("RUN cd /venv && rm -rf openvino/cmake \\\n    openvino/incl*\n", encoding="utf-8")

    [bar] = measure_size(tmp_path).bars

    assert (bar.measured, bar.met) == ("200 MB", True)


def test_flops_are_counted_from_the_graph(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "weight")
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weight"], ["features"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, [None, 5, 5, 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "one", [images], [features], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "encoder.onnx").write_bytes(model.SerializeToString())

    assert count_flops(tmp_path / "encoder.onnx", 5) == 2 * (3 * 3 * 4) * (3 * 3 * 3)
