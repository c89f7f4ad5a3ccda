"""The typed schema: every key of the configuration with its type, unit, range and meaning.

The YAML files under conf/ give each key its value; nothing here does. An option of a group is known by its `_target_`,
the callable that it configures. A `_target_` of the user's own has no schema: its keys are checked against its
signature.

Bounds of a single value stand with its field. What cannot work together although each value alone is fine is told by
the `problems` of the class that holds the keys, each problem as one line that names a key, its value and the way out.
"""

from sentexp.schema.data import DemoConfig, FilesConfig, HubConfig
from sentexp.schema.embedding import PpmiSvdConfig
from sentexp.schema.keys import key
from sentexp.schema.model import RecurrentConfig
from sentexp.schema.results import METRICS, OF_LANGUAGE_MODELS, THRESHOLD_METRICS, EvaluationConfig
from sentexp.schema.root import (
    INTERVALS,
    NO_SAMPLING,
    OPTIONS,
    PATHS,
    RUNTIME,
    Composition,
    Config,
    Runtime,
    own_keys,
    schema_of,
)
from sentexp.schema.sweep import SweepConfig
from sentexp.schema.text import CallableTokenizerConfig, SpacyTokenizerConfig, WhitespaceTokenizerConfig
from sentexp.schema.training import LanguageModelConfig, TrainerConfig

__all__ = [
    "INTERVALS",
    "METRICS",
    "NO_SAMPLING",
    "OF_LANGUAGE_MODELS",
    "OPTIONS",
    "PATHS",
    "RUNTIME",
    "THRESHOLD_METRICS",
    "CallableTokenizerConfig",
    "Composition",
    "Config",
    "DemoConfig",
    "EvaluationConfig",
    "FilesConfig",
    "HubConfig",
    "LanguageModelConfig",
    "PpmiSvdConfig",
    "RecurrentConfig",
    "Runtime",
    "SpacyTokenizerConfig",
    "SweepConfig",
    "TrainerConfig",
    "WhitespaceTokenizerConfig",
    "key",
    "own_keys",
    "schema_of",
]
