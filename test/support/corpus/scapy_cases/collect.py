# SPDX-License-Identifier: Apache-2.0
"""All themes together, and what must hold over all of them."""

from typing import Dict, List

from . import (
    addresses,
    arp,
    arp_to_vm,
    chatter,
    checksum_offload,
    ethernet,
    ethertypes,
    fragments,
    ipv4_header,
    ipv6,
    modes,
    modes_to_vm,
    options,
    policy_state,
    precedence,
    protocols,
    sizes,
    super_frames,
    udp,
    vlan,
    wireguard,
)
from .case import Case

THEMES = (
    policy_state,
    ethernet,
    vlan,
    ethertypes,
    arp,
    arp_to_vm,
    ipv6,
    ipv4_header,
    options,
    fragments,
    sizes,
    protocols,
    udp,
    checksum_offload,
    super_frames,
    addresses,
    wireguard,
    chatter,
    modes,
    modes_to_vm,
    precedence,
)


def collect() -> List[Case]:
    cases = [case for theme in THEMES for case in theme.cases()]
    names: Dict[str, Case] = {}
    keys: Dict[object, Case] = {}
    for case in cases:
        if case.name in names:
            raise ValueError(f"two cases are named {case.name}")
        if case.key() in keys:
            raise ValueError(f"{case.name} tries the same as {keys[case.key()].name}")
        names[case.name] = keys[case.key()] = case
    return cases
