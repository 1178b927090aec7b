"""The circuit opens after failures in a row, lets one probe through, and closes on success."""

from frontend.inference.circuit_breaker import CircuitBreaker


class Clock:
    """Time that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def make_open_circuit() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    circuit = CircuitBreaker(threshold=3, cooldown=2.0, clock=clock)
    for _ in range(3):
        circuit.failed()
    return circuit, clock


def test_stays_closed_below_the_threshold() -> None:
    circuit = CircuitBreaker(threshold=3)
    circuit.failed()
    circuit.failed()

    assert circuit.allow()
    assert circuit.wait == 0


def test_a_success_forgets_earlier_failures() -> None:
    circuit = CircuitBreaker(threshold=2)
    circuit.failed()
    circuit.succeeded()
    circuit.failed()

    assert circuit.allow()


def test_opens_at_the_threshold_and_says_how_long() -> None:
    circuit, clock = make_open_circuit()
    clock.now += 0.5

    assert not circuit.allow()
    assert circuit.wait == 1.5


def test_lets_exactly_one_probe_through_after_the_cooldown() -> None:
    circuit, clock = make_open_circuit()
    clock.now += 2.0

    assert [circuit.allow() for _ in range(3)] == [True, False, False]


def test_a_probe_that_fails_keeps_it_open_and_one_that_succeeds_closes_it() -> None:
    circuit, clock = make_open_circuit()
    clock.now += 2.0
    circuit.allow()
    circuit.failed()
    assert not circuit.allow()

    clock.now += 2.0
    circuit.allow()
    circuit.succeeded()
    assert circuit.allow()
    assert circuit.allow()
