# SPDX-License-Identifier: BSD-3-Clause
"""The picture of `equation_of_state.py`: the cold curve, and how warmth moves the minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from lennard_jones import Array, fit_equation_of_state

if TYPE_CHECKING:
    from equation_of_state import Result

INK, ACCENT, PALE = "#1f2a44", "#d1495b", "#8d99ae"
ARGON_SIGMA, ARGON_KELVIN = 3.405, 119.8


def draw(path: str, lattice_constants: Array, temperatures: Array, result: Result) -> None:
    """Writes the picture to `path`; the suffix names the format."""
    mpl.use("Agg")
    style: dict[Any, Any] = {
        "font.size": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with plt.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 5.0), layout="constrained")
        figure.suptitle("Lennard-Jones crystal, fcc", fontsize=14, fontweight="bold", x=0.02, ha="left")
        _cold(left, lattice_constants, result)
        _warm(right, lattice_constants, temperatures, result)
        figure.savefig(path, dpi=160)
        plt.close(figure)


def _cold(axes: Any, lattice_constants: Array, result: Result) -> None:
    fit = result.cold
    fine = np.linspace(lattice_constants[0], lattice_constants[-1], 300)
    axes.plot(fine, fit(fine), color=INK, linewidth=1.8, label="Birch-Murnaghan fit")
    axes.plot(
        lattice_constants, result.energies, "o", color="white", markeredgecolor=INK, label="lattice sums"
    )
    axes.plot(fit.lattice_constant, fit.energy, "o", color=ACCENT, markersize=9, zorder=3)
    axes.annotate(
        f"$a_0$ = {fit.lattice_constant:.4f} σ\n"
        f"$E_0$ = {fit.energy:.4f} ε\n"
        f"$B_0$ = {fit.bulk_modulus:.2f} ε/σ³",
        (fit.lattice_constant, fit.energy),
        xytext=(0, 62),
        textcoords="offset points",
        ha="center",
        color=ACCENT,
        linespacing=1.5,
        arrowprops={"arrowstyle": "-", "color": ACCENT, "linewidth": 0.8},
    )
    axes.set(xlabel="lattice constant  $a$ / σ", ylabel="energy per atom  $E$ / ε")
    axes.set_title("At rest: equation of state", loc="left")
    axes.legend(frameon=False, loc="upper center")


def _warm(axes: Any, lattice_constants: Array, temperatures: Array, result: Result) -> None:
    fine = np.linspace(lattice_constants[0], lattice_constants[-1], 300)
    colours = mpl.colormaps["plasma"](np.linspace(0.05, 0.85, len(temperatures)))
    minima = []
    for temperature, colour in zip(temperatures, colours):
        free_energy = np.asarray(result.energies) + 3 * temperature * np.asarray(result.log_means)
        fit = fit_equation_of_state(lattice_constants, list(free_energy))
        offset = -3 * temperature * result.log_means[0]
        axes.plot(fine, fit(fine) + offset, color=colour, linewidth=1.5)
        minima.append(fit.energy + offset)
        end = fit(fine[-1:])[0] + offset
        axes.text(fine[-1] + 0.002, end, f"{temperature:.2f}", color=colour, va="center", fontsize=8.5)
    axes.plot(result.expansion, minima, "o-", color=ACCENT, markersize=5, label="least free energy: $a(T)$")
    axes.set(xlabel="lattice constant  $a$ / σ", ylabel="free energy per atom / ε  (shifted)")
    axes.set_title("Warm: phonons push the atoms apart", loc="left")
    axes.text(1.0, 1.0, "$T$ / (ε/k)", transform=axes.transAxes, ha="right", fontsize=8.5, color=PALE)
    argon = axes.secondary_xaxis(-0.17, functions=(lambda a: a * ARGON_SIGMA, lambda a: a / ARGON_SIGMA))
    argon.set_xlabel(f"for argon: $a$ / Å   (ε/k = {ARGON_KELVIN} K)", color=PALE)
    argon.tick_params(colors=PALE)
    argon.spines["bottom"].set_color(PALE)
    axes.legend(frameon=False, loc="upper center")
