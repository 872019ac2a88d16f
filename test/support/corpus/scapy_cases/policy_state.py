# SPDX-License-Identifier: Apache-2.0
"""Policies under which nothing passes, whatever the frame is: the first rule of all."""

from typing import Iterator

from .arp import answer, request
from .case import Case
from .cast import FROM_VM, PREVIOUS, PREVIOUS_PORT, both, datagram, from_vm, to_vm


def cases() -> Iterator[Case]:
    yield from no_policy()
    yield from foreign_policy()
    yield from quarantine()


def no_policy() -> Iterator[Case]:
    title = "[AL-1] [EB-2] No policy is in force: the datagram that any policy allows is denied. RFC 768."
    yield from both("no-policy", title, "drop NoPolicy", datagram, policy="none")
    yield from_vm(
        "no-policy-arp-request",
        "[AL-1] No policy is in force: not even the gateway's MAC is told. RFC 826.",
        "drop NoPolicy",
        request(),
        policy="none",
    )
    yield to_vm(
        "no-policy-arp-answer",
        "[SB-10] No policy is in force any more: the answer to an earlier request stays inside. RFC 826.",
        "drop NoPolicy",
        answer(),
        policy="none",
        answer=True,
    )
    title = (
        "[EF-2] [EB-6] No policy, and too short for an Ethernet header: the policy is asked first. IEEE 802.3 3.1.1."
    )
    yield from_vm("no-policy-runt", title, "drop NoPolicy", datagram()[:13], policy="none")


def foreign_policy() -> Iterator[Case]:
    title = "[EB-2] The policy was written for another version of the filter: nothing passes. RFC 768."
    yield from both("foreign-policy", title, "drop PolicyAbi", datagram, policy="filtered foreign")
    title = "[EB-2] A policy of another version: nothing in it is believed, Audit neither. RFC 768."
    yield from_vm("foreign-policy-audit", title, "drop PolicyAbi", datagram(), policy="filtered audit foreign")
    title = "[EB-2] A policy of another version that says quarantined: the version is asked first. RFC 768."
    yield from_vm(
        "foreign-policy-quarantined", title, "drop PolicyAbi", datagram(), policy="filtered quarantined foreign"
    )
    title = "[EB-2] A policy of another version: ARP for the gateway stays unanswered. RFC 826."
    yield from_vm("foreign-policy-arp-request", title, "drop PolicyAbi", request(), policy="filtered foreign")


def quarantine() -> Iterator[Case]:
    title = "[FS-4] [EB-2] Quarantined: even the endpoint is out of reach. RFC 768."
    yield from both("quarantined", title, "drop Quarantined", datagram, policy="filtered quarantined")
    for mode in ("conntrack", "sampled=0"):
        title = f"[FS-4] Quarantined in mode {mode}: the kill switch stands above the mode. RFC 768."
        name = "quarantined-" + mode.replace("=", "-")
        yield from_vm(name, title, "drop Quarantined", datagram(), policy=f"{mode} quarantined")
    title = "[FS-4] Quarantined and Audit: Audit forgives whom the guest talks to, not the kill switch. RFC 768."
    yield from_vm("quarantined-audit", title, "drop Quarantined", datagram(), policy="filtered quarantined audit")
    title = "[FS-4] Quarantined: the grace of the previous endpoint is no way out. RFC 768."
    previous = datagram(FROM_VM, ip={"dst": PREVIOUS}, udp={"dport": PREVIOUS_PORT})
    yield from_vm(
        "quarantined-previous-endpoint",
        title,
        "drop Quarantined",
        previous,
        policy="filtered quarantined previous=alive",
    )
    title = "[FS-4] Quarantined: ARP for the gateway stays unanswered. RFC 826."
    yield from_vm("quarantined-arp-request", title, "drop Quarantined", request(), policy="filtered quarantined")
    title = "[SB-10] Quarantined meanwhile: the filter's own answer is not delivered. RFC 826."
    yield to_vm(
        "quarantined-arp-answer", title, "drop Quarantined", answer(), policy="filtered quarantined", answer=True
    )
    title = "[FS-4] [EB-6] Quarantined, and too short for Ethernet: the policy is asked first. IEEE 802.3 3.1.1."
    yield from_vm("quarantined-runt", title, "drop Quarantined", datagram()[:13], policy="filtered quarantined")
