"""Element-wise arithmetic of fake-quantization, forward and backward, in one pass over memory each.

Rounding uses the straight-through estimator; scales and zero points are learned with the gradient of LSQ+
(Bhalgat et al. 2020, arXiv:2004.09576). For ``y = s * (clamp(round(x / s) + z, 0, 255) - z)`` and ``inside``
where nothing is clamped::

    dy/dx = inside        dy/dlog s = y - inside * x        dy/dz = -s * (1 - inside)

An 8-bit activation function is a function of 256 codes. SiLU between two grids (three integer operators: x,
sigmoid and product) is therefore computed once per code and looked up for every element: its value in the
forward pass, its derivatives in the backward pass. This costs a third of evaluating it.

On a CPU these chains are limited by memory bandwidth: ``torch.compile`` fuses each into one loop over the
memory of the tensor, whatever its layout. Without a C++ compiler they run unfused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from edgeagent.qat.core.codes import HIGHEST, LEVELS


def quantize_dequantize(x: Tensor, inverse: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    """Return ``x`` (n,) float32 rounded to a grid of 256 codes; ``inverse`` is 1 / ``scale``."""
    return (_codes(x, inverse, zero).clamp(0, HIGHEST) - zero) * scale


def quantize_backward(
    x: Tensor, gradient: Tensor, inverse: Tensor, scale: Tensor, zero: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of x (n,), of the scale's logarithm and of the zero point."""
    codes = _codes(x, inverse, zero)
    clamped = codes.clamp(0, HIGHEST)
    of_x = torch.where(codes == clamped, gradient, torch.zeros_like(gradient))
    of_log_scale = (gradient * (clamped - zero)).sum() * scale - (of_x * x).sum()
    return of_x, of_log_scale, (of_x.sum() - gradient.sum()) * scale


def quantize_backward_frozen(x: Tensor, gradient: Tensor, inverse: Tensor, zero: Tensor) -> Tensor:
    """Return the gradient of x (n,) for a grid that is not learned."""
    codes = _codes(x, inverse, zero)
    return torch.where(codes == codes.clamp(0, HIGHEST), gradient, torch.zeros_like(gradient))


def silu_tables(
    x_scale: Tensor, x_zero: Tensor, y_scale: Tensor, y_zero: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return tables (256,) over the codes of x: value of SiLU, and its derivatives by x, log s_y and z_y.

    The gate, the sigmoid of x, is rounded to its fixed grid: scale 1/256, codes 0..255.
    """
    x = (torch.arange(LEVELS, dtype=torch.float32, device=x_scale.device) - x_zero) * x_scale
    sigmoid = torch.sigmoid(x)
    steps = torch.round(sigmoid * LEVELS)
    gate = steps.clamp(0, HIGHEST) / LEVELS
    slope = torch.where(steps <= HIGHEST, sigmoid * (1 - sigmoid), torch.zeros_like(sigmoid))
    product = x * gate
    codes = _codes(product, 1 / y_scale, y_zero)
    inside = (codes == codes.clamp(0, HIGHEST)).float()
    value = (codes.clamp(0, HIGHEST) - y_zero) * y_scale
    return value, inside * (gate + x * slope), value - inside * product, (inside - 1) * y_scale


def look_up(x: Tensor, table: Tensor, inverse: Tensor, zero: Tensor) -> Tensor:
    """Return the entries (n,) of a table (256,) at the codes of x (n,)."""
    return table[_index(_codes(x, inverse, zero))]


def look_up_backward(
    x: Tensor,
    gradient: Tensor,
    by_x: Tensor,
    by_log_scale: Tensor,
    by_zero: Tensor,
    inverse: Tensor,
    scale: Tensor,
    zero: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x (n,), and of log scale and zero point of x and of y."""
    codes = _codes(x, inverse, zero)
    clamped = codes.clamp(0, HIGHEST)
    index = _index(clamped)
    passed = gradient * by_x[index]
    of_x = torch.where(codes == clamped, passed, torch.zeros_like(passed))
    of_x_log_scale = (passed * (clamped - zero)).sum() * scale - (of_x * x).sum()
    of_x_zero = (of_x.sum() - passed.sum()) * scale
    return (
        of_x,
        of_x_log_scale,
        of_x_zero,
        (gradient * by_log_scale[index]).sum(),
        (gradient * by_zero[index]).sum(),
    )


def look_up_backward_frozen(
    x: Tensor, gradient: Tensor, by_x: Tensor, inverse: Tensor, zero: Tensor
) -> Tensor:
    """Return the gradient of x (n,) for grids that are not learned."""
    codes = _codes(x, inverse, zero)
    passed = gradient * by_x[_index(codes)]
    return torch.where(codes == codes.clamp(0, HIGHEST), passed, torch.zeros_like(passed))


def _codes(x: Tensor, inverse: Tensor, zero: Tensor) -> Tensor:
    """Return codes before clamping, rounded half to even before the zero point is added, as in ONNX."""
    return torch.round(x * inverse) + zero


def _index(codes: Tensor) -> Tensor:
    """Return codes as positions in a table; NaN is position 0."""
    return torch.where(codes > 0, codes, torch.zeros_like(codes)).clamp(max=HIGHEST).int()


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    quantize_dequantize,
    quantize_backward,
    quantize_backward_frozen,
    silu_tables,
    look_up,
    look_up_backward,
    look_up_backward_frozen,
)


class Kernels:
    """Functions of this module, compiled on request where a C++ compiler is installed.

    Args:
        compiled: whether to compile.

    Attributes:
        compiled: whether the functions are compiled.
    """

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled and (shutil.which("g++") is not None or shutil.which("clang++") is not None)
        self._functions: dict[Callable[..., Any], Callable[..., Any]] = {
            function: torch.compile(function, dynamic=True) if self.compiled else function
            for function in FUNCTIONS
        }

    def __call__(self, function: Callable[..., Any], *arguments: Tensor) -> Any:
        """Call one of :data:`FUNCTIONS`."""
        return self._functions[function](*arguments)

    def fake_quantize(self, x: Tensor, log_scale: Tensor, zero_point: Tensor) -> Tensor:
        """Return ``x`` (any shape) rounded to its grid, in float32; differentiable by all arguments."""
        quantized: Tensor = _FakeQuantize.apply(self, x.float(), log_scale, zero_point)  # type: ignore[no-untyped-call]
        return quantized

    def silu(self, x: Tensor, x_log: Tensor, x_zero: Tensor, y_log: Tensor, y_zero: Tensor) -> Tensor:
        """Return SiLU of ``x`` (any shape) as three integer operators compute it, in float32."""
        y: Tensor = _Silu.apply(self, x.float(), x_log, x_zero, y_log, y_zero)  # type: ignore[no-untyped-call]
        return y


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, log_scale: Tensor, zero_point: Tensor) -> Tensor:
        inverse, scale, zero = _grid(log_scale, zero_point)
        flat, restore = _flat(x)
        ctx.save_for_backward(flat, inverse, scale, zero)
        ctx.kernels, ctx.restore, ctx.format = kernels, restore, _memory_format(x)
        return restore(kernels(quantize_dequantize, flat, inverse, scale, zero))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        flat, inverse, scale, zero = ctx.saved_tensors
        given, _ = _flat(gradient.contiguous(memory_format=ctx.format))
        if not ctx.needs_input_grad[2]:
            of_x = ctx.kernels(quantize_backward_frozen, flat, given, inverse, zero)
            return None, ctx.restore(of_x), None, None
        of_x, of_log, of_zero = ctx.kernels(quantize_backward, flat, given, inverse, scale, zero)
        return None, ctx.restore(of_x), of_log, of_zero


class _Silu(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, x: Tensor, x_log: Tensor, x_zero: Tensor, y_log: Tensor, y_zero: Tensor
    ) -> Tensor:
        inverse, scale, zero = _grid(x_log, x_zero)
        _, y_scale, y_zero = _grid(y_log, y_zero)
        value, *derivatives = kernels(silu_tables, scale, zero, y_scale, y_zero)
        flat, restore = _flat(x)
        ctx.save_for_backward(flat, *derivatives, inverse, scale, zero)
        ctx.kernels, ctx.restore, ctx.format = kernels, restore, _memory_format(x)
        return restore(kernels(look_up, flat, value, inverse, zero))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        flat, by_x, by_log, by_zero, inverse, scale, zero = ctx.saved_tensors
        given, _ = _flat(gradient.contiguous(memory_format=ctx.format))
        if not any(ctx.needs_input_grad[2:]):
            of_x = ctx.kernels(look_up_backward_frozen, flat, given, by_x, inverse, zero)
            return None, ctx.restore(of_x), None, None, None, None
        of_x, *of_grids = ctx.kernels(
            look_up_backward, flat, given, by_x, by_log, by_zero, inverse, scale, zero
        )
        return None, ctx.restore(of_x), *of_grids


def _grid(log_scale: Tensor, zero_point: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return inverse scale, scale and the zero point as a whole number."""
    scale = log_scale.exp()
    return 1 / scale, scale, zero_point.clamp(0, HIGHEST).round()


def _memory_format(x: Tensor) -> torch.memory_format:
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _flat(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return the elements of ``x`` in memory order, and the function that restores its shape."""
    if _memory_format(x) is torch.channels_last:
        batch, channels, height, width = x.shape
        turned = x.permute(0, 2, 3, 1)
        return turned.reshape(-1), lambda flat: flat.view(batch, height, width, channels).permute(0, 3, 1, 2)
    return x.reshape(-1), lambda flat: flat.view(x.shape)
