"""Checks that several methods share."""


def check_temperature(temperature: float) -> float:
    """Return the temperature, or refuse it.

    Raises:
        ValueError: If it is not above zero.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature must be above 0, got {temperature}")
    return temperature
