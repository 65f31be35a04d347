# SPDX-License-Identifier: BSD-3-Clause
"""A graph of labelled nodes, as DOT and Mermaid text, and as a picture where graphviz is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_TEXT_FORMATS = {".dot": "dot", ".gv": "dot", ".mermaid": "mermaid", ".mmd": "mermaid"}
_DRAWN_FORMATS = ("gif", "jpeg", "jpg", "pdf", "png", "ps", "svg")
_COLOURS = {
    "waiting": ("#eeeeee", "#888888"),
    "running": ("#cfe2ff", "#0b5ed7"),
    "done": ("#d1e7dd", "#146c43"),
    "failed": ("#f8d7da", "#b02a37"),
    "cancelled": ("#fff3cd", "#997404"),
}


class Node(NamedTuple):
    """A box (a call, a container) or a circle (a value)."""

    ident: str
    label: str
    shape: str = "box"
    state: str | None = None


class Edge(NamedTuple):
    """An arrow between two nodes, by their ``ident``."""

    source: str
    target: str
    label: str = ""


@dataclass
class Picture:
    """Nodes and edges. In a notebook it shows itself."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def dot(self) -> str:
        """The graph in graphviz' language."""
        lines = ["digraph {", '  node [fontname="Helvetica", fontsize=11];']
        lines.append('  edge [fontname="Helvetica", fontsize=9];')
        for node in self.nodes:
            style = ""
            if node.state is not None:
                fill, line = _COLOURS[node.state]
                style = f', style=filled, fillcolor="{fill}", color="{line}"'
            lines.append(f"  {node.ident} [label={_quoted(node.label)}, shape={node.shape}{style}];")
        for edge in self.edges:
            label = f" [label={_quoted(edge.label)}]" if edge.label else ""
            lines.append(f"  {edge.source} -> {edge.target}{label};")
        return "\n".join([*lines, "}", ""])

    def mermaid(self) -> str:
        """The graph in Mermaid's language, which Markdown on many sites and notebooks show as a picture."""
        lines = ["flowchart TD"]
        for node in self.nodes:
            label = _escaped(node.label)
            shape = f'["{label}"]' if node.shape == "box" else f'(("{label}"))'
            state = f":::{node.state}" if node.state is not None else ""
            lines.append(f"  {node.ident}{shape}{state}")
        for edge in self.edges:
            label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
            lines.append(f"  {edge.source} -->{label} {edge.target}")
        for state in sorted({node.state for node in self.nodes if node.state is not None}):
            fill, line = _COLOURS[state]
            lines.append(f"  classDef {state} fill:{fill},stroke:{line}")
        return "\n".join([*lines, ""])

    def svg(self) -> str:
        """The picture. ``GraphvizError`` if graphviz is not installed."""
        return drawn(self.dot(), "svg").decode()

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Writes text (``.dot``, ``.gv``, ``.mmd``, ``.mermaid``) or a picture (``.svg``, ``.pdf``, ``.png``,
        …).

        ``ValueError`` for another ending; ``GraphvizError`` if it takes graphviz and there is none.
        """
        kind = check_filename(filename)
        if kind in ("dot", "mermaid"):
            content = (self.dot() if kind == "dot" else self.mermaid()).encode()
        else:
            content = drawn(self.dot(), kind)
        with open(filename, "wb") as file:
            file.write(content)

    def show(self) -> None:
        """As a picture where this is a notebook, else as Mermaid text on the standard output."""
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            from IPython.display import display

            display(self)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            sys.stdout.write(self.mermaid())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks ask for."""
        text = self.mermaid()
        bundle = {"text/plain": text}
        if has_graphviz():
            bundle["image/svg+xml"] = self.svg()
        else:
            bundle["text/markdown"] = f"```mermaid\n{text}```\n"
        return bundle


class GraphvizError(RuntimeError):
    """A picture takes graphviz, which is not installed or failed."""


def has_graphviz() -> bool:
    """Whether the program ``dot`` is there."""
    return shutil.which("dot") is not None


def check_filename(filename: str | os.PathLike[str]) -> str:
    """The format that a file name asks for. Raises as ``Picture.save``."""
    ending = os.path.splitext(os.fspath(filename))[1].lower()
    if ending in _TEXT_FORMATS:
        return _TEXT_FORMATS[ending]
    kind = ending[1:]
    if kind not in _DRAWN_FORMATS:
        known = ", ".join([*sorted(_TEXT_FORMATS), *("." + each for each in _DRAWN_FORMATS)])
        raise ValueError(f"{filename!r}: its ending has to say what to write, one of {known}")
    if not has_graphviz():
        raise GraphvizError(
            f"{filename!r}: a picture takes graphviz, and there is no program 'dot'. Install graphviz, or "
            "let the name end in .mmd or .dot: text needs nothing"
        )
    return kind


def drawn(text: str, kind: str) -> bytes:
    """What ``dot`` makes of DOT text. ``GraphvizError``."""
    try:
        done = subprocess.run(
            ["dot", f"-T{kind}"], input=text.encode(), capture_output=True, check=True, timeout=600
        )
    except FileNotFoundError:
        raise GraphvizError("a picture takes graphviz, and there is no program 'dot'") from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace").strip()
        raise GraphvizError(f"graphviz could not draw the graph: {said or error}") from error
    return done.stdout


def shortened(text: str, length: int = 20) -> str:
    """One line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _escaped(text: str) -> str:
    """Mermaid's way of writing what it would read as its own."""
    out = []
    for character in text:
        if character == "\n":
            out.append("<br/>")
        elif character.isalnum() or character in " _.,:=+-…'":
            out.append(character)
        else:
            out.append(f"#{ord(character)};")
    return "".join(out)
