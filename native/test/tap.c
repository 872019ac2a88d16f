// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tap.h"

#define NAME "vmn-cases"

/* <linux/bpf.h> of Debian 12 is older than the kernel. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

/* The host's own IPv6 chatter on the tap would be counted too. */
static void silence_ipv6(void)
{
	int file = open("/proc/sys/net/ipv6/conf/" NAME "/disable_ipv6", O_WRONLY);

	if (file < 0)
		return; /* no IPv6 in this kernel */
	if (write(file, "1", 1) != 1)
		die("disable_ipv6");
	close(file);
}

static void configure(struct tap *tap)
{
	int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct vmn_policy policy = policy_plain();
	struct ifreq request = {.ifr_name = NAME};

	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, policy.gateway_mac, 6);
	if (ioctl(socket_, SIOCSIFHWADDR, &request))
		die("tap address");
	request.ifr_mtu = 9000;
	if (ioctl(socket_, SIOCSIFMTU, &request))
		die("tap MTU");
	request.ifr_flags = IFF_UP;
	if (ioctl(socket_, SIOCSIFFLAGS, &request))
		die("tap up");
	close(socket_);
	tap->ifindex = if_nametoindex(NAME);
}

static void open_guest_side(struct tap *tap)
{
	struct ifreq request = {.ifr_name = NAME, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	tap->guest = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->guest < 0)
		die("/dev/net/tun");
	if (ioctl(tap->guest, TUNSETIFF, &request))
		die("TUNSETIFF");
	tap->takes_udp_segments = !ioctl(tap->guest, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6);
	/* What QEMU asks for when the guest can take checksums and segments that are left to it. */
	if (ioctl(tap->guest, TUNSETOFFLOAD, TUN_F_CSUM))
		die("TUNSETOFFLOAD");
}

static void open_host_side(struct tap *tap)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)tap->ifindex};
	int on = 1;

	/* Protocol 0: it sends and hears nothing. */
	tap->host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (tap->host < 0 || bind(tap->host, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(tap->host, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		die("packet socket");
}

/* So that both ways can be tried on one kernel. */
static bool wants_clsact(void)
{
	const char *wanted = getenv("VMN_TEST_HOOK");

	return wanted && !strcmp(wanted, "clsact");
}

/* False when this kernel has no tcx (before 6.6). */
static bool attach_by_tcx(struct tap *tap, const struct kernel_filter *filter)
{
	int index = (int)tap->ifindex;

	tap->links[0] = bpf_link_create(filter->program[VMN_DIRECTION_FROM_VM], index, TCX_INGRESS, NULL);
	if (tap->links[0] < 0 && errno == EINVAL)
		return false;
	tap->links[1] = bpf_link_create(filter->program[VMN_DIRECTION_TO_VM], index, TCX_EGRESS, NULL);
	if (tap->links[0] < 0 || tap->links[1] < 0)
		die("tcx link");
	return true;
}

/* A filter of clsact goes with its interface, and that with the process. */
static void attach_by_clsact(const struct tap *tap, const struct kernel_filter *filter)
{
	static const enum bpf_tc_attach_point points[] = {
		[VMN_DIRECTION_FROM_VM] = BPF_TC_INGRESS,
		[VMN_DIRECTION_TO_VM] = BPF_TC_EGRESS,
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)tap->ifindex, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int error = bpf_tc_hook_create(&hook);

	for (int direction = 0; direction <= 1 && !error; direction++) {
		LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1, .prog_fd = filter->program[direction]);

		hook.attach_point = points[direction];
		error = bpf_tc_attach(&hook, &options);
	}
	if (error) {
		errno = -error;
		die("clsact filter (sch_ingress, cls_bpf?)");
	}
}

void tap_open(struct tap *tap, struct kernel_filter *filter)
{
	if (unshare(CLONE_NEWNET))
		die("a network namespace of our own");
	open_guest_side(tap);
	silence_ipv6();
	configure(tap);
	open_host_side(tap);
	if (!wants_clsact() && attach_by_tcx(tap, filter)) {
		tap->hook = "tcx";
		return;
	}
	attach_by_clsact(tap, filter);
	tap->hook = "clsact";
}

static struct virtio_net_hdr offload_header(const struct input *input)
{
	struct virtio_net_hdr header = {0};

	if (input->pending_checksum_offset) {
		/* The kernel insists on a start of 20 at least, wherever the IP header is. */
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = input->pending_checksum_offset < AT_UDP ? 20 : AT_UDP;
		header.csum_offset = (__u16)(input->pending_checksum_offset - header.csum_start);
	}
	if (input->super_frame) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = AT_UDP;
		header.csum_offset = AT_UDP_CHECKSUM - AT_UDP;
		header.gso_type = input->super_frame == VMN_SUPER_UDP ? VIRTIO_NET_HDR_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_UDP;
		header.gso_size = (__u16)input->segment_bytes;
		header.hdr_len = AT_PAYLOAD;
	}
	return header;
}

const char *tap_cannot(const struct tap *tap, const struct input *input)
{
	if (input->super_frame == VMN_SUPER_UDP && !tap->takes_udp_segments)
		return "taps take UDP segments since Linux 6.2";
	return NULL;
}

int tap_send(struct tap *tap, int direction, const struct input *input)
{
	struct virtio_net_hdr header = offload_header(input);
	struct iovec parts[] = {
		{&header, sizeof(header)},
		{(void *)input->frame.bytes, input->frame.length},
	};
	uint32_t mark = input->own_answer ? VMN_MARK_ANSWER : 0;

	if (direction == VMN_DIRECTION_FROM_VM)
		return writev(tap->guest, parts, 2) < 0 ? errno : 0;
	if (setsockopt(tap->host, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return errno;
	/* A frame that tc drops is reported to a packet socket as ENOBUFS; whether it arrived is what counts. */
	return writev(tap->host, parts, 2) < 0 && errno != ENOBUFS ? errno : 0;
}

uint32_t tap_receive(struct tap *tap, struct frame *frame)
{
	struct virtio_net_hdr header;
	struct iovec parts[] = {
		{&header, sizeof(header)},
		{frame->bytes, sizeof(frame->bytes)},
	};
	ssize_t bytes = readv(tap->guest, parts, 2);

	frame->length = bytes < (ssize_t)sizeof(header) ? 0 : (uint32_t)(bytes - (ssize_t)sizeof(header));
	return frame->length;
}
