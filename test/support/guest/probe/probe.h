/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest-probe: what root inside a guest, and a far end outside, need to try a network out. One static program, so that
 * it runs in an initramfs of nothing but busybox as well as in a namespace of the host.
 *
 * Exit codes of every command: 0 it happened (sent, answered, connected), 1 it did not, 2 wrong use or a system error.
 */
#ifndef PROBE_H
#define PROBE_H

#include <netinet/in.h>
#include <stdint.h>

#define PROBE_YES 0
#define PROBE_NO 1
#define PROBE_ERROR 2

/* raw DEVICE [HEX...]: each argument, else each line of standard input, is one frame, Ethernet header first. */
int probe_raw(int argc, char **argv);
/* ask ADDRESS PORT TIMEOUT_MS [SOURCE_PORT]: sends a handshake-initiation-shaped datagram, waits for an answer from
 * there. */
int probe_ask(int argc, char **argv);
/* udp ADDRESS PORT [HEX]: one datagram through the kernel's stack. */
int probe_udp(int argc, char **argv);
/* tcp ADDRESS PORT TIMEOUT_MS: one connection attempt. */
int probe_tcp(int argc, char **argv);
/* scan ADDRESS FIRST LAST TIMEOUT_MS: TCP and UDP to every port; prints the TCP ports that accepted. */
int probe_scan(int argc, char **argv);
/* ping ADDRESS TIMEOUT_MS: one ICMP echo request. */
int probe_ping(int argc, char **argv);
/* shell DEVICE: runs the scripts that come over a serial line; see shell.c. */
int probe_shell(int argc, char **argv);
/* tsc: the rate of this machine's time stamp counter in kHz; PROBE_NO where there is none. */
int probe_tsc(int argc, char **argv);
/* serve udp:PORT|tcp:PORT...: answers until killed; prints one line for each arrival. */
int probe_serve(int argc, char **argv);

/* Parses the words ADDRESS and PORT; ends the program with PROBE_ERROR if they are none. */
struct sockaddr_in probe_address(const char *address, const char *port);
/* Prints what failed with errno and ends the program with PROBE_ERROR. */
_Noreturn void probe_die(const char *what);
/* Hex to bytes; returns the number of bytes, or -1 when it is no hex or too long. */
long probe_unhex(const char *hex, uint8_t *bytes, long room);

#define WIREGUARD_INITIATION_BYTES 148
#define WIREGUARD_RESPONSE_BYTES 92

#endif
