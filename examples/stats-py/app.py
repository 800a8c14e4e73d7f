"""Tools of the `stats` component.

`componentize-py` generates `wit_world` from the WIT. Import the standard
library here at the top: the interpreter's state is frozen at build time, and
the finished component sees no file system to import from.
"""

import ast
import math
import operator
import statistics
from typing import Callable, List, Optional, Tuple

import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import sample

MAX_NODES = 300
MAX_EXPONENT = 10_000

OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
FUNCTIONS: dict[str, Callable] = {
    name: getattr(math, name)
    for name in (
        "acos asin atan atan2 ceil cos degrees exp floor gcd hypot "
        "lcm log log10 log2 radians sin sqrt tan"
    ).split()
} | {"abs": abs, "max": max, "min": min, "round": round}
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


class WitWorld(wit_world.WitWorld):
    def evaluate(self, expression: str, variables: List[Tuple[str, float]]) -> float:
        try:
            tree = ast.parse(expression.strip(), mode="eval")
            if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
                raise ValueError("the expression is too long")
            return float(_value(tree.body, CONSTANTS | dict(variables)))
        except SyntaxError as error:
            raise Err(f"{error.msg} at column {error.offset}")
        except (ArithmeticError, TypeError, ValueError) as error:
            raise Err(str(error))

    def factorise(self, number: int) -> List[Tuple[int, int]]:
        factors: list[tuple[int, int]] = []
        prime = 2
        while prime * prime <= number:
            exponent = 0
            while number % prime == 0:
                number //= prime
                exponent += 1
            if exponent:
                factors.append((prime, exponent))
            prime += 1 if prime == 2 else 2
        if number > 1:
            factors.append((number, 1))
        return factors


class Sample(exports.Sample):
    def summarise(self, values: List[float]) -> sample.Summary:
        _check(values, at_least=1)
        return sample.Summary(
            count=len(values),
            mean=statistics.fmean(values),
            median=statistics.median(values),
            deviation=statistics.stdev(values) if len(values) > 1 else None,
            smallest=min(values),
            largest=max(values),
        )

    def histogram(self, values: List[float], bars: Optional[int]) -> List[sample.Bar]:
        _check(values, at_least=1)
        start, number = min(values), bars or 10
        width = (max(values) - start) / number or 1.0
        counts = [0] * number
        for value in values:
            counts[min(int((value - start) / width), number - 1)] += 1
        return [
            sample.Bar(start + i * width, start + (i + 1) * width, count)
            for i, count in enumerate(counts)
        ]

    def fit(self, points: List[Tuple[float, float]]) -> sample.Line:
        _check([c for point in points for c in point], at_least=4, per_item=2)
        xs, ys = zip(*points)
        try:
            slope, intercept = statistics.linear_regression(xs, ys)
            return sample.Line(slope, intercept, statistics.correlation(xs, ys))
        except statistics.StatisticsError:
            raise Err(sample.Failure_NoSpread())


def _check(values: List[float], at_least: int, per_item: int = 1) -> None:
    if len(values) < at_least:
        raise Err(sample.Failure_TooFew(at_least // per_item))
    for place, value in enumerate(values):
        if not math.isfinite(value):
            raise Err(sample.Failure_NotFinite(place // per_item))


def _value(node: ast.expr, names: dict[str, float]) -> float:
    """Walks the syntax tree; whatever is not arithmetic is refused by name."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            if name not in names:
                raise ValueError(f"unknown name `{name}`")
            return names[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(operand, names))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, names), _value(right, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            if name not in FUNCTIONS:
                raise ValueError(f"unknown function `{name}`")
            return FUNCTIONS[name](*(_value(arg, names) for arg in args))
    raise ValueError(f"`{ast.unparse(node)}` is not arithmetic")


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"the exponent {exponent} is too large")
    return float(base) ** exponent
