"""The fast BLAS is used where it can be, is right, and can be turned off. Each case in a process of its own."""

import os
import subprocess
import sys

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="macOS has its own fast BLAS")
CODE = "from realign.engine import accel; print(accel.use_fast_blas(), accel.products_are_right(), sep='|')"


def said(code: str = CODE, **environment: str) -> list[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("REALIGN", "OPENBLAS"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().split("|")


@LINUX
def test_products_are_right_with_openblas_and_its_version_is_recorded() -> None:
    pytest.importorskip("scipy_openblas32")
    line, right = said()
    assert line.startswith("openblas 0.3.")
    assert line.endswith("one thread")
    assert right == "True"


@LINUX
def test_the_switch_leaves_the_wheels_own_blas() -> None:
    assert said(REALIGN_FAST_BLAS="0") == ["the wheel's own BLAS (REALIGN_FAST_BLAS=0)", "True"]


@LINUX
def test_without_the_package_the_wheels_own_blas_stays_and_the_reason_is_given() -> None:
    line, right = said("import sys; sys.modules['scipy_openblas32'] = None; " + CODE)
    assert (line, right) == ("the wheel's own BLAS (scipy-openblas32 is not installed)", "True")


@LINUX
def test_a_function_that_computes_wrongly_is_taken_back() -> None:
    pytest.importorskip("scipy_openblas32")
    spoiled = (
        "import ctypes; from realign.engine import accel\n"
        "wrong = ctypes.CFUNCTYPE(None)(lambda: None)\n"  # computes nothing at all
        "class Library: scipy_cblas_sgemm = scipy_cblas_dgemm = scipy_cblas_cgemm = wrong\n"
        "accel._openblas = lambda: (Library, '0')\n"
        "print(accel.use_fast_blas(), accel.products_are_right(), sep='|')"
    )
    assert said(spoiled) == ["the wheel's own BLAS (OpenBLAS failed its self-test)", "True"]


def test_nothing_is_changed_on_another_system() -> None:
    code = "import sys; sys.platform = 'darwin'; " + CODE.replace(", accel.products_are_right(), sep='|'", "")
    assert said(code) == ["the system's own BLAS"]
