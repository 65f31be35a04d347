# SPDX-License-Identifier: BSD-3-Clause
"""A Lennard-Jones crystal (fcc, one atom in the primitive cell) in reduced units: ε = σ = m = k_B = 1.

Every function here is one task of the workflow in `equation_of_state.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PRIMITIVE = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


class EquationOfState(NamedTuple):
    """What a Birch-Murnaghan fit tells: the minimum, the curvature there, the polynomial in x = V^(-2/3)."""

    lattice_constant: float
    energy: float
    bulk_modulus: float
    coefficients: Array

    def __call__(self, lattice_constant: Array) -> Array:
        """Energy per atom at a lattice constant."""
        energy: Array = np.polyval(self.coefficients, volume_per_atom(lattice_constant) ** (-2 / 3))
        return energy


def volume_per_atom(lattice_constant: Array) -> Array:
    """Four atoms share a cubic cell."""
    return lattice_constant**3 / 4


def neighbour_vectors(cutoff: float) -> Array:
    """All fcc lattice vectors up to `cutoff`, in units of the lattice constant, without the origin."""
    reach = int(np.ceil(2 * cutoff))
    steps = np.arange(-reach, reach + 1)
    indices = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = indices @ PRIMITIVE
    squares = np.einsum("ij,ij->i", vectors, vectors)
    found: Array = vectors[(squares > 0.1) & (squares <= cutoff**2)]
    return found


def cohesive_energy(lattice_constant: float, vectors: Array) -> float:
    """Energy per atom: the sum over `vectors`, and an integral over everything beyond them."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    inverse6 = (squares * lattice_constant**2) ** -3.0
    near = 2 * np.sum(inverse6**2 - inverse6)
    density = 4 / lattice_constant**3
    beyond = lattice_constant * np.sqrt(squares.max())
    far = 8 * np.pi * density * (beyond**-9 / 9 - beyond**-3 / 3)
    return float(near + far)


def log_frequencies(lattice_constant: float, vectors: Array, wave_vectors: Array) -> Array:
    """ln ω of the three phonon branches at each wave vector (in units of 2π / lattice constant)."""
    separations = vectors * lattice_constant
    squares = np.einsum("ij,ij->i", separations, separations)
    slope = -48 * squares**-7.0 + 24 * squares**-4.0  # φ'(r) / r
    curvature = 624 * squares**-7.0 - 168 * squares**-4.0  # φ''(r)
    outer = np.einsum("ni,nj->nij", separations, separations) / squares[:, None, None]
    springs = (curvature - slope)[:, None, None] * outer + slope[:, None, None] * np.eye(3)
    weights = 1 - np.cos(2 * np.pi * wave_vectors @ vectors.T)
    dynamical = np.einsum("qn,nij->qij", weights, springs)
    squared_frequencies = np.linalg.eigvalsh(dynamical)
    if squared_frequencies.min() <= 0:
        raise ArithmeticError(f"the crystal is unstable at lattice constant {lattice_constant:.3f}")
    return 0.5 * np.log(squared_frequencies)


def mean_log_frequency(blocks: list[Array]) -> float:
    """⟨ln ω⟩ over the whole zone, from the blocks that were computed apart."""
    return float(np.mean(np.concatenate([block.ravel() for block in blocks])))


def fit_equation_of_state(lattice_constants: Array, energies: list[float]) -> EquationOfState:
    """Fourth-order Birch-Murnaghan: a quartic polynomial in V^(-2/3), so that the fit is linear."""
    x = volume_per_atom(np.asarray(lattice_constants)) ** (-2 / 3)
    coefficients = np.polyfit(x, energies, 4)
    first = np.polyder(coefficients)
    second = np.polyder(first)
    roots = [root.real for root in np.roots(first) if abs(root.imag) < 1e-9]
    minima = [root for root in roots if x.min() <= root <= x.max() and np.polyval(second, root) > 0]
    if not minima:
        raise ArithmeticError("no minimum within the sweep")
    minimum = minima[0]
    volume = minimum**-1.5
    # E'(x) = 0 there, hence B = V E''(V) = V E''(x) (dx/dV)^2.
    bulk_modulus = volume * np.polyval(second, minimum) * (2 / 3 * volume ** (-5 / 3)) ** 2
    return EquationOfState(
        lattice_constant=float((4 * volume) ** (1 / 3)),
        energy=float(np.polyval(coefficients, minimum)),
        bulk_modulus=float(bulk_modulus),
        coefficients=coefficients,
    )


def zone_points(count: int) -> Array:
    """A regular grid of count³ wave vectors over the zone, none of them its centre."""
    fractions = (np.arange(count) + 0.5) / count
    grid = np.stack(np.meshgrid(fractions, fractions, fractions, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid @ np.linalg.inv(PRIMITIVE).T


def thermal_expansion(
    lattice_constants: Array, energies: list[float], log_means: list[float], temperatures: Array
) -> Array:
    """Lattice constant of least free energy at each temperature (quasi-harmonic, classical)."""
    free_energies = np.asarray(energies) + 3 * np.outer(temperatures, log_means)
    fits = [fit_equation_of_state(lattice_constants, list(row)) for row in free_energies]
    return np.array([fit.lattice_constant for fit in fits])
