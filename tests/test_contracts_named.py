"""Shared code reads nothing of a model or a codec that no protocol names.

The checker goes by names and annotations. A model is what is called ``model`` or ``untrained``, by
itself or as an attribute; what is annotated with a protocol of models; and what a function returns
that is annotated so. Settings are a model's ``config``. It is the same for codecs.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Protocol, get_type_hints

import pytest

import ensue
from ensue.data.codecs import protocols as of_codecs
from ensue.models import protocols as of_models
from ensue.models import traits

SOURCE = Path(ensue.__file__).parent
ROOMS = ("training", "evaluation", "report", "runs", "verbs", "coding", "integrations")
NAMED = {"model": "model", "untrained": "model", "codec": "codec"}
OWNERS = {"run", "folder", "row", "header", "stream"}
"""Of these ``model`` is something else: the path in a run folder, the name in a row."""
OTHERS = {"str", "Path"}
"""What is annotated with these isn't what it is called."""
TYPED = {*NAMED, "loaded"}
"""Names whose annotation is never ``Any``."""


def protocols(*modules: ModuleType) -> list[type]:
    """Our protocols that modules define or name."""
    every = {x for module in modules for x in vars(module).values() if isinstance(x, type)}
    return [x for x in every if getattr(x, "_is_protocol", False) and x is not Protocol]


def members(protocol: type) -> set[str]:
    ours = [c for c in protocol.__mro__ if getattr(c, "_is_protocol", False)]
    names = {name for c in ours for name in (*vars(c), *get_type_hints(c))}
    return {name for name in names if not name.startswith("_")}


def is_of_settings(protocol: type) -> bool:
    """Whether a trait is of settings, which its first line says; some are of models too."""
    first = (protocol.__doc__ or "").partition("\n")[0].lower()
    return "settings:" in first and first.startswith("of ")


CODECS = protocols(of_codecs)
MODELS = [p for p in protocols(of_models, traits) if p is not of_models.Posterior]
SETTINGS = [p for p in MODELS if is_of_settings(p)]
KINDS = {
    "model": {
        name
        for p in MODELS
        if p not in SETTINGS or "model" in (p.__doc__ or "").partition(":")[0]
        for name in members(p)
    },
    "settings": {name for p in SETTINGS for name in members(p)},
    "codec": {name for p in CODECS for name in members(p)},
}
"""What protocols name, of each kind of thing."""
ANNOTATIONS = {
    **{p.__name__: "model" for p in MODELS if p not in SETTINGS},
    **{p.__name__: "settings" for p in SETTINGS},
    **{p.__name__: "codec" for p in CODECS},
}


def annotated(annotation: ast.expr | None) -> str | None:
    """What an annotation is of, by the name of a protocol, or of one among alternatives."""
    if isinstance(annotation, ast.BinOp):
        return annotated(annotation.left) or annotated(annotation.right)
    return ANNOTATIONS.get(annotation.id) if isinstance(annotation, ast.Name) else None


def is_other(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id in OTHERS


def returns_of(trees: list[ast.Module]) -> dict[str, str]:
    """What functions of a module return, by name, where it is a model or a codec."""
    functions = [n for t in trees for n in t.body if isinstance(n, ast.FunctionDef)]
    return {f.name: kind for f in functions if (kind := annotated(f.returns)) is not None}


class Reader(ast.NodeVisitor):
    """Finds the attributes that a file reads of models, their settings and codecs.

    Attributes:
        reads: For each of them the line, the expression, its kind and the attribute.
        untyped: Lines where one is annotated with ``Any``.
    """

    def __init__(self, returns: dict[str, str]) -> None:
        self.returns = returns
        self.scopes: list[dict[str, str | None]] = [{}]
        self.others: list[set[str]] = [set()]
        self.reads: list[tuple[int, str, str, str]] = []
        self.untyped: list[int] = []

    def kind(self, node: ast.expr) -> str | None:
        """``model``, ``settings``, ``codec``, or None."""
        if isinstance(node, ast.Name):
            for scope in reversed(self.scopes):
                if node.id in scope:
                    return scope[node.id]
            return NAMED.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = node.value
            if self.kind(owner) == "model" and node.attr == "config":
                return "settings"
            name = owner.attr if isinstance(owner, ast.Attribute) else ast.unparse(owner)
            is_other = name in OWNERS or (name == "self" and node.attr in self.others[-1])
            return None if is_other else NAMED.get(node.attr)
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr == "model_as":
                return "model"
            if isinstance(called, ast.Attribute) and self.kind(called.value) == "model":
                return "model" if called.attr in ("up_to", "to", "eval", "train", "cpu") else None
            return self.returns.get(called.id) if isinstance(called, ast.Name) else None
        if isinstance(node, ast.IfExp):
            return self.kind(node.body) or self.kind(node.orelse)
        return None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        kind = self.kind(node.value)
        if kind is not None:
            self.reads.append((node.lineno, ast.unparse(node.value), kind, node.attr))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A name in a text is a read too, and one that no type checker sees."""
        called = ast.unparse(node.func)
        if called in ("getattr", "hasattr") and (kind := self.kind(node.args[0])) is not None:
            self.reads.append((node.lineno, ast.unparse(node.args[0]), kind, f"{called}()"))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name) and (kind := self.kind(value)) is not None:
                    self.scopes[-1][name.id] = kind

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._annotate(node.target.id, node.annotation, node.lineno)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Of a class whose ``model`` is something else, ``self.model`` isn't a model."""
        defined = {f.name: f.returns for f in node.body if isinstance(f, ast.FunctionDef)}
        fields = {
            a.target.id: a.annotation
            for a in node.body
            if isinstance(a, ast.AnnAssign) and isinstance(a.target, ast.Name)
        }
        every = {**defined, **fields}
        self.others.append({n for n in NAMED if n in every and is_other(every[n])})
        self.scopes.append({})
        self.generic_visit(node)
        self.scopes.pop()
        self.others.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.scopes.append({})
        a = node.args
        for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs):
            if arg.annotation is not None:
                self._annotate(arg.arg, arg.annotation, arg.lineno)
        self.generic_visit(node)
        self.scopes.pop()

    def _annotate(self, name: str, annotation: ast.expr, line: int) -> None:
        """Note what a name is; one that is annotated otherwise isn't what it is called."""
        words = {n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)}
        if name in TYPED and "Any" in words:
            self.untyped.append(line)
        elif is_other(annotation):
            self.scopes[-1][name] = None
        elif (kind := annotated(annotation)) is not None:
            self.scopes[-1][name] = kind


def unnamed(source: str, returns: dict[str, str]) -> list[str]:
    """What a file reads that no protocol names, and what it annotates with ``Any``."""
    reader = Reader(returns)
    reader.visit(ast.parse(source))
    wrong = [
        f"{line}: {owner}.{name} of a {kind}"
        for line, owner, kind, name in reader.reads
        if name not in KINDS[kind]
    ]
    return wrong + [f"{line}: Any" for line in reader.untyped]


def files() -> Iterator[Path]:
    return (path for room in ROOMS for path in sorted((SOURCE / room).rglob("*.py")))


@pytest.fixture(scope="module")
def returns() -> dict[str, str]:
    return returns_of([ast.parse(path.read_text()) for path in SOURCE.rglob("*.py")])


def test_shared_code_reads_what_protocols_name(returns: dict[str, str]) -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in files()
        for line in unnamed(path.read_text(), returns)
    ]
    assert not wrong


def test_the_reads_of_shared_code_are_seen(returns: dict[str, str]) -> None:
    """Most of what the protocols name is read somewhere: the checker isn't blind."""
    seen: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for path in files():
        reader = Reader(returns)
        reader.visit(ast.parse(path.read_text()))
        for _, _, kind, name in reader.reads:
            seen[kind].add(name)
    assert {"score", "sample", "encode", "complete", "up_to", "hop", "config"} <= seen["model"]
    assert {"classes", "latent_size", "sample_rate"} <= seen["settings"]
    assert {"decode", "facts", "log_det", "kind", "answers"} <= seen["codec"]


@pytest.mark.parametrize(
    "source",
    [
        "def f(model): model.score(1).total",
        "def f(x: Scores): x.score(1)",
        "def f(model: Model): model.config.family",
        "def f(subject): subject.codec.decode(1)",
        "def f(codec: HasVocabulary): codec.num_tokens",
        "def f(run: RunFolder): run.model.is_dir()",
        "def f(model: str): model.upper()",
        "def f(loaded): loaded.model_as(Codes, 'codes').prompts(3)",
        "class Folder:\n    @property\n    def model(self) -> Path: ...\n"
        "    def f(self): self.model.is_dir()",
    ],
)
def test_what_a_protocol_names_passes(source: str) -> None:
    assert not unnamed(source, {})


@pytest.mark.parametrize(
    "source",
    [
        "def f(model): model.made_up(1)",
        "def f(model: Model): model.encoder",
        "def f(x: Scores): x.made_up",
        "def f(x: Scores | None): x.made_up",
        "def f(model: nn.Module): model.made_up",
        "def f(model: PredictsFrames): model.made_up",
        "def f(model): model.config.channels",
        "def f(subject): subject.codec.made_up",
        "def f(self): self.model.made_up",
        "def f(loaded): loaded.model_as(Codes, 'codes').made_up",
        "def f(loaded): m = loaded.model; m.made_up",
        "def f(loaded): one, other = loaded.model, 2; one.made_up",
        "def f(): load_model('run').made_up",
        "def f(model, layer): model.up_to(layer).made_up",
        "def f(model): getattr(model, 'encode')",
        "def f(model): hasattr(model.config, 'classes')",
        "def f(model: Any): ...",
        "def f(loaded: Any | None): ...",
        "class Loaded:\n    model: Any",
    ],
)
def test_what_no_protocol_names_fails(source: str) -> None:
    assert len(unnamed(source, {"load_model": "model"})) == 1
