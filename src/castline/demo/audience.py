"""Who listens: households with an address each, and the apps that people in them use."""

import ipaddress
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from castline.demo.plan import WorldPlan

Ints = NDArray[np.int64]

_PEOPLE_SHARES: Final = (0.72, 0.2, 0.08)  # one, two, three people in a household
_IPV6_SHARE: Final = 0.3  # where the country's plan has an IPv6 block


@dataclass(frozen=True, slots=True)
class Audience:
    """Households and the people in them, as parallel arrays.

    `addresses[2 * household]` is the household's address, and the next one another form of the same: the same IPv6
    /64 with other last bits, or the IPv4 address written as IPv4-mapped IPv6.
    """

    addresses: list[str]
    show: Ints  # per household: the show it follows
    household: Ints  # per person
    agent: Ints  # per person
    weight: NDArray[np.float64]  # per person: how much they listen

    def people_of(self, show: int) -> Ints:
        """The people who follow a show."""
        return np.flatnonzero(self.show[self.household] == show)


def make_audience(plan: WorldPlan, rng: np.random.Generator, household_count: int) -> Audience:
    """`household_count` households spread over the shows and countries of the plan; no two share an address."""
    shares = np.array([show.audience_share for show in plan.shows])
    show = rng.choice(len(plan.shows), household_count, p=shares / shares.sum())
    addresses = _make_addresses(plan, rng, show)
    people = rng.choice(len(_PEOPLE_SHARES), household_count, p=_PEOPLE_SHARES) + 1
    household = np.repeat(np.arange(household_count), people)
    agent_shares = np.array([agent.share for agent in plan.agents], dtype=float)
    return Audience(
        addresses=addresses,
        show=show,
        household=household,
        agent=rng.choice(len(plan.agents), len(household), p=agent_shares / agent_shares.sum()),
        weight=rng.pareto(2.5, len(household)) + 0.3,  # a few hear everything, most hear some
    )


def _make_addresses(plan: WorldPlan, rng: np.random.Generator, show: Ints) -> list[str]:
    addresses: list[str] = []
    seen: set[str] = set()
    countries = [_country_weights(item.countries) for item in plan.shows]
    for index in show:
        names, weights = countries[int(index)]
        while True:
            pair = make_address(plan.networks[names[int(rng.choice(len(names), p=weights))]], rng)
            if pair[0] not in seen:
                break
        seen.add(pair[0])
        addresses.extend(pair)
    return addresses


def _country_weights(countries: dict[str, int]) -> tuple[list[str], NDArray[np.float64]]:
    weights = np.array(list(countries.values()), dtype=float)
    return list(countries), weights / weights.sum()


def make_address(networks: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """An address in one of the networks, and the other form that the same household shows."""
    wanted = 6 if rng.random() < _IPV6_SHARE else 4
    fitting = [item for item in networks if (":" in item) == (wanted == 6)] or list(networks)  # noqa: PLR2004
    network = ipaddress.ip_network(fitting[int(rng.integers(len(fitting)))])
    if isinstance(network, ipaddress.IPv4Network):
        address = network[int(rng.integers(1, network.num_addresses - 1))]
        return str(address), f"::ffff:{address}"
    site = int(network.network_address) + (int(rng.integers(1, 1 << (64 - network.prefixlen))) << 64)
    hosts = rng.integers(1, 1 << 62, 2)
    return str(ipaddress.IPv6Address(site + int(hosts[0]))), str(ipaddress.IPv6Address(site + int(hosts[1])))
