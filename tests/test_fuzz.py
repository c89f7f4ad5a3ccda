"""Files that were damaged at random: each ends in a SentexpError of one line, or in a result; where the file carries a
checksum, in the result of the whole file. No other exception, no input that takes long, none that takes much memory.

`pytest tests/test_fuzz.py --fuzz-seconds 3600` shares an hour among the kinds of files; without it, each has a few
inputs. `--fuzz-seed` begins elsewhere, and a failure prints the seed with which its one input comes again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import resource
import shutil
import signal
import string
import struct
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from made_up_model import BOOKS, ensemble, trained
from rich.console import Console

import sentexp
from sentexp.config_files import conf_dir
from sentexp.data import files, hub
from sentexp.embedding import cache as vector_cache
from sentexp.embedding import dimension, vectors
from sentexp.errors import SentexpError
from sentexp.model_folder import FACTS
from sentexp.report.sweep.tables import jobs_table, points_table
from sentexp.report.sweep.terminal_table import print_points
from sentexp.sweep import orphans, search, storage
from sentexp.sweep.manifest import Manifest
from sentexp.sweep.request import sweep_request
from sentexp.sweep.results import SweepResults
from sentexp.sweep.storage import SweepStorage, jobs_of
from sentexp.sweep.trial_queue import TrialQueue
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import BasicTokenizer, SpacyTokenizer, WhitespaceTokenizer
from sentexp.trained_ensemble import Predictor, load_predictor
from sentexp.trained_model import TrainedModel

INPUTS = 12
"""Inputs of each kind without --fuzz-seconds."""

LONGEST_SECONDS = 10.0
MOST_MEMORY = 3 << 30
"""Bytes of addresses that one input may ask for, beyond those that the process has."""

ODD = (b"\0", b"\xff", b"\n", b"\r", b'"', b",", b"\t", b"[", b"{", b"&a", b"*a", b"${x}", b"-1", b"1e999", b"nan",
       b"99999999999", b"\xe2\x80\xa8", b"../../x", b"\xef\xbb\xbf", b"PK\x03\x04", b"!!python/object:os.system",
       b"# comment", b": ", b"- ", b"null", b"\\u0000")  # fmt: skip
"""Pieces that parsers trip over."""


class Slow(Exception):
    """An input took longer than LONGEST_SECONDS."""


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return `content` with one to four changes."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place, size = chance.randrange(len(changed) + 1), chance.choice((1, 2, 4, 16, 200))
        end = min(len(changed), place + size)
        match chance.randrange(7):
            case 0 if place < len(changed):
                changed[place] ^= 1 << chance.randrange(8)
            case 1:
                changed[place:end] = chance.randbytes(end - place)
            case 2:
                del changed[place:]
            case 3:
                del changed[place:end]
            case 4:
                changed[place:place] = changed[chance.randrange(len(changed) + 1) :][:size]
            case 5:
                changed[place:place] = chance.choice(ODD)
            case _:
                number = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF))
                changed[place : place + 4] = struct.pack("<I", number)
    return bytes(changed)


@contextmanager
def bounded() -> Iterator[None]:
    """Raise Slow in a block that takes long, and MemoryError in one that wants too much memory."""

    def slow(*_: object) -> None:
        raise Slow

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGPROF, slow)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)  # of this process, however busy the machine is
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(use: Callable[[], Any]) -> tuple[str, Any]:
    """Return `result` or `refused` with what there is, or `fault` with the reason."""
    began = time.process_time()
    try:
        with bounded():
            result = use()
    except SentexpError as error:
        if "\n" in str(error) or not str(error):
            return "fault", f"not one line: {error!r}"
        return "refused", str(error)
    except Slow:
        return "fault", f"longer than {LONGEST_SECONDS} s:\n{traceback.format_exc()}"
    except Exception:
        return "fault", traceback.format_exc()
    if time.process_time() - began > LONGEST_SECONDS:
        return "fault", f"took {time.process_time() - began:.0f} s"
    return "result", result


class Fuzzer:
    """Draws inputs until the time is over, and collects the faults."""

    def __init__(self, config: pytest.Config) -> None:
        self._seconds = config.getoption("--fuzz-seconds") / max(1, config.stash.get(KINDS, 1))
        self._seed = config.getoption("--fuzz-seed")

    def run(self, kind: str, attempt: Callable[[random.Random], tuple[Callable[[], Any], Any]]) -> None:
        """Call `attempt` with a source of chance; it returns what to do, and the only right result (None: any)."""
        began, number = time.monotonic(), 0
        faults: dict[str, str] = {}
        counts = {"result": 0, "refused": 0, "fault": 0}
        while number < INPUTS or time.monotonic() - began < self._seconds:
            seed = self._seed + number
            number += 1
            use, expected = attempt(random.Random(f"{kind} {seed}"))
            came, what = outcome(use)
            if came == "result" and expected is not None and what != expected:
                came, what = "fault", f"accepted in silence: {str(what)[:200]}, expected {str(expected)[:200]}"
            counts[came] += 1
            if came == "fault":
                key = what.strip().splitlines()[-1][:60]
                faults.setdefault(key, f"--fuzz-seed {seed}: {what}")
        print(f"fuzz: {kind}: {number} inputs, {counts['result']} read, {counts['refused']} refused")
        assert not faults, f"{kind}: {counts['fault']} of {number} inputs:\n" + "\n".join(faults.values())


KINDS = pytest.StashKey[int]()


@pytest.fixture
def fuzzer(request: pytest.FixtureRequest) -> Fuzzer:
    request.config.stash[KINDS] = sum("fuzzer" in item.fixturenames for item in request.session.items)
    return Fuzzer(request.config)


WORDS = ["the", "of", "movie", "naïve", "a b"]
TABLE = {word: [float(place), 0.5, -1.25e-3] for place, word in enumerate(WORDS)}
GLOVE = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in TABLE.items()).encode()
WORD2VEC = b"5 3\n" + b"".join(word.encode() + b" " + struct.pack("<3f", *row) + b"\n" for word, row in TABLE.items()
                               if " " not in word) + b"ab " + struct.pack("<3f", 1, 2, 3)  # fmt: skip


def zipped(content: bytes, method: int, name: str = "vectors.3d.txt") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


VECTOR_FILES = {
    "glove.txt": GLOVE,
    "fasttext.vec": b"5 3\n" + GLOVE,
    "word2vec.bin": WORD2VEC,
    "glove.gz": gzip.compress(GLOVE, mtime=0),
    "stored.zip": zipped(GLOVE, zipfile.ZIP_STORED),
    "deflated.zip": zipped(GLOVE, zipfile.ZIP_DEFLATED),
    "bzip2.zip": zipped(GLOVE, zipfile.ZIP_BZIP2),
    "lzma.zip": zipped(GLOVE, zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("name", VECTOR_FILES)
def test_files_of_vectors(fuzzer: Fuzzer, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(VECTOR_FILES[name])

    def read() -> dict[str, list[float]]:
        held = vectors.read(path, WORDS, dimension.check(path))
        return {word: held.rows[row].tolist() for word, row in held.index.items()}

    whole = read()
    assert len(whole) >= 4

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        path.write_bytes(mutated(VECTOR_FILES[name], chance))
        begins_packed = path.read_bytes()[:2] in (b"\x1f\x8b", b"PK")
        return read, whole if begins_packed else None

    fuzzer.run(name, attempt)


ROWS = [(f'review {number} of a "film", naïve\nand odd', "good" if number % 2 else "bad") for number in range(12)]
CSV = "text,label\n" + "".join('"' + text.replace('"', '""') + f'",{label}\n' for text, label in ROWS)
JSON_ROWS = [{"text": text, "label": label, "more": {"n": [1, None]}} for text, label in ROWS]


def parquet(folder: Path, typed: bool) -> bytes:
    labels: Any = datasets.ClassLabel(names=["bad", "good"]) if typed else datasets.Value("string")
    numbers = [int(label == "good") if typed else label for _, label in ROWS]
    rows = datasets.Dataset.from_dict(
        {"text": [text for text, _ in ROWS], "label": numbers},
        features=datasets.Features({"text": datasets.Value("string"), "label": labels}),
    )
    rows.to_parquet(folder / "rows.parquet")
    return (folder / "rows.parquet").read_bytes()


def excel(folder: Path) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [("text", "label"), *ROWS]:
        book.active.append(row)
    book.save(folder / "rows.xlsx")
    return (folder / "rows.xlsx").read_bytes()


def zstandard(content: bytes) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(content)
    return buffer.getvalue().to_pybytes()


DATA_FILES: dict[str, Callable[[Path], bytes]] = {
    "rows.csv": lambda _: CSV.encode(),
    "rows.tsv": lambda _: CSV.replace(",", "\t").encode(),
    "rows.jsonl": lambda _: "".join(json.dumps(row) + "\n" for row in JSON_ROWS).encode(),
    "rows.json": lambda _: json.dumps(JSON_ROWS, indent=1).encode(),
    "rows.csv.gz": lambda _: gzip.compress(CSV.encode(), mtime=0),
    "rows.csv.bz2": lambda _: bz2.compress(CSV.encode()),
    "rows.csv.zip": lambda _: zipped(CSV.encode(), zipfile.ZIP_DEFLATED, "rows.csv"),
    "rows.lzma.csv.zip": lambda _: zipped(CSV.encode(), zipfile.ZIP_LZMA, "rows.csv"),
    "rows.csv.zst": lambda _: zstandard(CSV.encode()),
    "rows.parquet": lambda folder: parquet(folder, typed=False),
    "classes.parquet": lambda folder: parquet(folder, typed=True),
    "rows.xlsx": excel,
}


@pytest.mark.parametrize("name", DATA_FILES)
def test_files_of_reviews(fuzzer: Fuzzer, tmp_path: Path, name: str) -> None:
    path, content = tmp_path / name, DATA_FILES[name](tmp_path)

    def read() -> dict[str, list[Any]]:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        reviews = files.load(path=str(path), cache_dir=tmp_path / "cache", test_fraction=0.3, valid_fraction=0.3)
        return {split: [row["text"] for row in rows] for split, rows in reviews.splits.items()}

    path.write_bytes(content)
    whole = read()
    has_checksum = Path(name).suffix in (".gz", ".bz2", ".zip")

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        path.write_bytes(mutated(content, chance))
        return read, whole if has_checksum else None

    fuzzer.run(name, attempt)


ENCODINGS = (
    "rot13", "hex", "zip", "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-16", "utf-7",
    "base64", "bz2", "quopri", "uu", "mbcs", "utf-8-sig", "utf-32", "cp037", "a\0b", "", "é", "x" * 9999,
)  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_of_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "rows.csv").write_text(CSV, encoding="utf-8")
    arguments = {"path": str(tmp_path / "rows.csv"), "cache_dir": tmp_path / "cache", "encoding": encoding}
    came, what = outcome(lambda: files.load(**arguments))
    assert came != "fault", what


def test_parquet_whose_metadata_is_odd(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]})
    for odd in (
        "no json", "{", "[]", "null", "3", '{"info": 3}', '{"info": {"features": 3}}', '{"info": {"features": []}}',
        '{"info": {"features": {"text": {"_type": "Nonsense"}}}}', '{"info": {"features": {"text": 1, "label": 2}}}',
        '{"info": {"features": {"text": {"dtype": "int99", "_type": "Value"}}}}', "[" * 100_000,
        '{"info": {"features": {"other": {"dtype": "string", "_type": "Value"}}}}', "\udcff",
    ):  # fmt: skip
        metadata = {"huggingface": odd.encode("utf-8", "surrogateescape")}
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "odd.parquet")
        came, what = outcome(lambda: files.load(path=str(tmp_path / "odd.parquet"), cache_dir=tmp_path / "cache"))
        assert came != "fault", f"{odd[:60]}: {what}"


@pytest.mark.parametrize("with_checksums", [True, False])
@pytest.mark.parametrize("kind", ["models", "ensembles"])
def test_folders_of_models(fuzzer: Fuzzer, tmp_path: Path, kind: str, with_checksums: bool) -> None:
    whole: Predictor = trained(books=BOOKS) if kind == "models" else ensemble(0.5, 0.5, books=BOOKS)
    whole.save(tmp_path / "whole")
    if not with_checksums:
        for facts in (tmp_path / "whole").rglob(FACTS):
            facts.unlink()
    folder = tmp_path / "damaged"

    def predict() -> list[list[float]]:
        return load_predictor(folder).predict(["a good film", "not good"]).tolist()

    shutil.copytree(tmp_path / "whole", folder)
    expected = predict()

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "whole", folder)
        file = chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
        file.write_bytes(mutated(file.read_bytes(), chance))
        return predict, expected if with_checksums and file.name != FACTS else None

    fuzzer.run(f"{kind} {'with' if with_checksums else 'without'} checksums", attempt)


@pytest.mark.parametrize(
    "setting",
    [
        {"model.hidden_size": 10**12}, {"model.hidden_size": -1}, {"model.hidden_size": "x"}, {"model.cell": None},
        {"model.num_layers": 10**9}, {"model.num_layers": 0}, {"model.num_layers": 1.5}, {"model.pooling": 3},
        {"model.dropout": 7}, {"model.dropout": "nan"}, {"model.bidirectional": 3},
        {"text.fix_length": 10**12}, {"text.max_length": -5}, {"text.head_fraction": "nan"}, {"vocab.specials": 5},
        {"text.clean": [1]}, {"tokenizer": {"_target_": "sentexp.text.tokenizers.SpacyTokenizer", "language": 5}},
        {"tokenizer": 5}, {"model": {"_target_": ["x"]}}, {"vocab": {"max_size": "x"}}, {"text.init_token": 5},
    ],
    ids=str,
)  # fmt: skip
def test_models_with_absurd_settings(tmp_path: Path, setting: dict[str, Any]) -> None:
    import yaml

    trained().save(tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    for key, value in setting.items():
        *parents, last = key.split(".")
        section = config
        for parent in parents:
            section = section[parent]
        section[last] = value
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (tmp_path / FACTS).unlink()
    came, what = outcome(lambda: TrainedModel.load(tmp_path).predict(["a good film"]).tolist())
    assert came != "fault", what


def test_entries_of_the_cache(fuzzer: Fuzzer, tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(CSV, encoding="utf-8")
    glove = tmp_path / "glove.txt"
    glove.write_bytes(GLOVE)
    folder = tmp_path / "cache"

    def prepare() -> tuple[Any, ...]:
        reviews = files.load(path=str(source), cache_dir=folder, test_fraction=0.3, valid_fraction=0.3)
        pipeline = TextPipeline(Cleaning(), BasicTokenizer())
        corpora = pipeline.prepare(reviews, folder)
        report = {name: value for name, value in pipeline.report.items() if name not in ("seconds", "from_cache")}
        held = vector_cache.vectors_of(glove, WORDS, 3, folder)
        numbers = {split: (one.ids.tolist(), one.labels.tolist()) for split, one in corpora.items()}
        return reviews.digests, numbers, report, pipeline.vocabulary.itos, held.rows.tolist(), held.index

    expected = prepare()

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        entries = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock"]
        file = chance.choice(sorted(entries))
        if "encoded" not in str(file):  # else what lies in front of it is never opened
            shutil.rmtree(folder / "encoded")
        file.write_bytes(mutated(file.read_bytes(), chance))
        return prepare, expected

    fuzzer.run("entries of the cache", attempt)


def test_copies_of_folders(fuzzer: Fuzzer, tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    for split in ("train", "test"):
        (source / f"{split}.csv").write_text(CSV, encoding="utf-8")

    def load() -> dict[str, str]:
        return hub.load(path=str(source), valid_fraction=0.3, cache_dir=tmp_path / "cache").digests

    expected = load()

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        entries = [file for file in (tmp_path / "cache").rglob("*") if file.suffix == ".arrow"]
        file = chance.choice(sorted([*entries, *(tmp_path / "cache").rglob(hub.CHECKSUMS)]))
        file.write_bytes(mutated(file.read_bytes(), chance))
        return load, expected

    fuzzer.run("copies of folders", attempt)


YAML = b"""# @package _global_
# a preset
defaults:
  - override /model: gru
  - override /optimizer: adamw
model:
  hidden_size: 32
  dropout: 0.5
optimizer:
  lr: &rate 1e-3
trainer: {epochs: 3, batch_size: 16}
data:
  size: 100
"""


def test_files_of_configurations(fuzzer: Fuzzer, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    path = tmp_path / "experiment" / "mine.yaml"

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        path.write_bytes(mutated(YAML, chance))
        return lambda: sentexp.compose(f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"), None

    fuzzer.run("yaml", attempt)


PACKAGES = ("_global_", "model", "_group_", "_here_", "a.b", "a..b", "[0]", "a@b", "${x}", "hydra.run", "a b", "\0", "")
ENTRIES = ("gru", "_self_", "mine", "../model/gru", "/model/gru", "???", "${model}", "${x", "gru@x", "@", "a: b", "/",
           "", "hydra/launcher/basic", "override gru", "a\nb", "é", "x" * 300)  # fmt: skip
GROUPS = ("model", "/model", "override /model", "optional model", "optional override /model", "override", "@x", "",
          "model@_global_", "/", "override /hydra/launcher", "/experiment", "override /data", "${x}", "_self_", 1,
          None, "a//b", "override  /model", "model@")  # fmt: skip
VALUES = (None, 1, 1.5, True, [], {}, [1], ["gru"], ["gru", "lstm"], [["a"]], {"a": "b"}, ["???"], ["_self_"], [""])


def test_heads_of_configurations(fuzzer: Fuzzer, tmp_path: Path) -> None:
    import yaml

    def entry(chance: random.Random) -> Any:
        value = chance.choice((*ENTRIES, *VALUES))
        words = [chance.choice(GROUPS) for _ in range(chance.choice((1, 1, 1, 2)))]
        return value if chance.random() < 0.3 else dict.fromkeys(words, value)

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        group = chance.choice(("experiment", "model"))
        (tmp_path / group).mkdir(exist_ok=True)
        head = "# @package _global_\n" if group == "experiment" else ""
        if chance.random() < 0.3:
            head = f"# @{chance.choice(('package ', 'package', 'other ', ''))}{chance.choice(PACKAGES)}\n"
        content: Any = {"defaults": [entry(chance) for _ in range(chance.randint(0, 3))]}
        if chance.random() < 0.1:
            content |= {chance.choice(GROUPS): chance.choice((*ENTRIES, *VALUES))}
        text = head + yaml.safe_dump(content, sort_keys=False)
        (tmp_path / group / "mine.yaml").write_text(text, encoding="utf-8")
        return lambda: sentexp.compose(f"hydra.searchpath=[file://{tmp_path}]", f"{group}=mine"), None

    fuzzer.run("heads of yaml", attempt)


def test_folders_of_sweeps(fuzzer: Fuzzer, tmp_path: Path) -> None:
    folder = tmp_path / "swept"
    Manifest(
        id="x", name="a/b", arguments=["a=1,2"], hydra_arguments=[], cwd="/", config={"a": None, "b": {"c": [1.5]}},
        choices={"model": "lstm"}, launcher="basic", metrics=["loss"], directions=["minimize"], swept=["a"], seeds=1,
        storage=None, study="a/b",
    ).write(folder)  # fmt: skip
    whole = (folder / "sweep.yaml").read_bytes()

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        (folder / "sweep.yaml").write_bytes(mutated(whole, chance))
        return lambda: Manifest.read(folder), None

    fuzzer.run("sweep.yaml", attempt)


ODD_VALUES = (None, True, -1, 10**30, 1.5, float("nan"), "", "x", "../../x", "running", [], ["x"], {}, {"x": 1}, 0)


def altered_at(value: Any, chance: random.Random) -> Any:
    """Return plain values with another one somewhere among them."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.2:
        return chance.choice(ODD_VALUES)
    changed: Any = value.copy()
    name = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    if isinstance(value, dict) and chance.random() < 0.2:
        return {key: inner for key, inner in value.items() if key != name}
    changed[name] = altered_at(value[name], chance)
    return changed


def line_altered(content: bytes, chance: random.Random) -> bytes:
    """Return lines of JSON with another value in one of them, or with one left out, twice or elsewhere."""
    lines = content.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            del lines[place]
        case 1:
            lines.insert(chance.randrange(len(lines) + 1), lines[place])
        case _:
            lines[place] = json.dumps(altered_at(json.loads(lines[place]), chance)).encode() + b"\n"
    return b"".join(lines)


def test_studies_of_sweeps(fuzzer: Fuzzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["model.hidden_size=range(3,9)", "sweep.sampler=tpe", "sweep.n_trials=5", "sweep.study_name=s"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", [*arguments, "hydra.sweep.dir=swept"], RunMode.MULTIRUN)
        request = sweep_request(arguments, config, loader)
    folder, driver = request.folder, request.manifest.id
    request.manifest.write(folder)
    journal = Path(request.manifest.storage_of(folder))

    def opened() -> SweepStorage:
        storage._opened.cache_clear()
        return storage.open_storage(str(journal), "s", directions=request.settings.directions)

    study, queue = opened(), TrialQueue(request, opened(), None)
    ends = ({"state": "finished", "values": (0.5,)}, {"state": "failed", "error": "no"}, {"state": "pruned"}, {})
    for end, jobs in zip(ends, queue.missing(), strict=False):
        number = jobs[0].trial
        assert number is not None
        begun = replace(jobs[0], state="running", began=1.5, **orphans.this_process())
        study.write(begun)
        study.live(number).report(0.5, 1)
        metrics = {"test/loss": 0.5, "best/valid_accuracy": 0.5}
        study.write(replace(begun, metrics=metrics, history=[{"valid/loss": 0.5}], **end))
    whole = journal.read_bytes()
    assert len(SweepResults.load(folder).jobs) == 4

    def resume() -> int:
        storage._opened.cache_clear()
        results = SweepResults.load(folder)
        results.best()
        jobs_table(results)
        points_table(results)
        print_points(results, Console(file=io.StringIO()))
        study = opened()
        study.study.sampler = search.sampler(request.settings, 0, 1)
        study.check(driver)
        left = [job for trial in study.trials(driver) for job in jobs_of(trial)]
        orphans.kill(left, folder)
        return len(list(TrialQueue(request, study, None).missing()))

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        journal.write_bytes(chance.choice((mutated, line_altered))(whole, chance))
        return resume, None

    fuzzer.run("study.journal", attempt)


OVERRIDES = (
    "model.hidden_size=64", "model=gru", "data.label_map={1: neg, 2: null}", "text.clean.html=true",
    "data.text_column=[title,text]", "data=files", "data.path=x.csv", "optimizer.lr=1e-3", "trainer.clip_norm=0",
    "+evaluation.metrics.brier=mine.brier", "~tracking", "tracking.tags={a: 'b'}", "seed=1", "embedding=glove",
    "embedding.dim=50", "vocab.specials=['<unk>','<pad>']", "text.max_length=100", "schedule=one_cycle",
    "evaluation.slices=true", "trainer.processes=auto", "tokenizer=spacy_lemma", "tokenizer.language=fr",
)  # fmt: skip


def test_words_of_a_command_line(fuzzer: Fuzzer) -> None:
    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        words = chance.sample(OVERRIDES, chance.randint(1, 3))
        place = chance.randrange(len(words))
        words[place] = mutated(words[place].encode(), chance).decode("utf-8", "replace").replace("\0", " ")
        return lambda: sentexp.compose(*words), None

    fuzzer.run("overrides", attempt)


LETTERS = [*string.printable, *"éß…’“—«»\u200b\u2028\u0301\u202e\ufeff\ud800\U0001f600中文あ한", "<br />",
           "&#xD800;", "&amp;", ":)", "n't", "http://a.b/c?d=e", "...", "(((", "a@b.c", "<", "\0", "\x85",
           "&#99999999999;"]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "fr", "ca", "de", "es", "it", "ro", "ru", "tr"])
def test_texts(fuzzer: Fuzzer, language: str) -> None:
    pytest.importorskip("spacy_lookups_data")
    tokenizers = [BasicTokenizer(), WhitespaceTokenizer(), SpacyTokenizer(language)]
    lemmas = SpacyTokenizer(language, lemmas=True)
    lemma_words = ["est", "sont", "casa", "cases", "films", "porte", "avions", "fa", "era"]
    vocabulary = trained().pipeline.vocabulary
    for tokenizer in (*tokenizers, lemmas):  # which loads what they need
        TextPipeline(Cleaning(), tokenizer, vocabulary=vocabulary).encode(["text"])

    def attempt(chance: random.Random) -> tuple[Callable[[], Any], Any]:
        pieces = [*LETTERS, *lemma_words]
        text = "".join(chance.choice(pieces) * chance.choice((1, 1, 1, 3, 300)) for _ in range(chance.randint(0, 40)))
        cleaning = Cleaning(html=True, lowercase=chance.random() < 0.5, punctuation=chance.random() < 0.5)
        tokenizer = chance.choice([*tokenizers, lemmas])
        return lambda: len(TextPipeline(cleaning, tokenizer, vocabulary=vocabulary).encode([text])), 1

    fuzzer.run(f"texts {language}", attempt)
