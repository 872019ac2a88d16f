/**
 * Every error this project raises has an identity: a stable code. The registry below is the only list of codes;
 * docs/errors.md documents each one and a test holds the two together. Codes are never renamed or reused: people search
 * for them and scripts match on them.
 */

/** What a code means in general. A single error may carry a more precise remedy. */
export interface ErrorDefinition {
  /** One line, no full stop: what is wrong. */
  readonly summary: string;
  /** What the person in front of the machine can do. */
  readonly remedy: string;
}

export const ERRORS = {
  VMN_MANIFEST_UNREADABLE: {
    summary: 'a manifest file cannot be read',
    remedy: 'Make the file readable for the user that the agent runs as; until then its VMs stay denied.',
  },
  VMN_MANIFEST_SYNTAX: {
    summary: 'a manifest file is not the YAML that is expected here',
    remedy:
      'Correct the text at the given line; a file that is still being written is read again once complete.',
  },
  VMN_MANIFEST_TOO_LARGE: {
    summary: 'a manifest file is larger than what the agent reads',
    remedy: 'Split the file: the limit is 1 MiB and 1000 documents a file.',
  },
  VMN_MANIFEST_INVALID: {
    summary: 'a manifest has a field that is missing, unknown or out of bounds',
    remedy: 'Correct the field that the message names; `vmnetctl validate FILE` checks without applying.',
  },
  VMN_MANIFEST_DUPLICATE: {
    summary: 'two manifests declare the same object',
    remedy: 'Keep one of the copies; until then all of them are refused and their VMs stay denied.',
  },
  VMN_FOLDER_UNREADABLE: {
    summary: 'the manifests folder cannot be read',
    remedy: 'Check that --manifests names a folder that exists and that the agent may list.',
  },
  VMN_NOT_ROOT: {
    summary: 'this needs root',
    remedy: 'Run it as root, for example with sudo.',
  },
  VMN_CAPABILITY: {
    summary: 'a Linux capability is missing',
    remedy: 'Grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (CAP_SYS_ADMIN to mount bpffs), or run as root.',
  },
  VMN_BPFFS_MISSING: {
    summary: 'the BPF file system is not mounted and could not be mounted',
    remedy: 'Mount it: mount -t bpf bpf /sys/fs/bpf',
  },
  VMN_BPFFS_READ_ONLY: {
    summary: 'the BPF file system is read-only: nothing can be pinned, and no pinned policy changed',
    remedy: 'Mount it for reading and writing: mount -o remount,rw /sys/fs/bpf',
  },
  VMN_BPFFS_PRIVATE: {
    summary: 'the BPF file system would be mounted where it dies with this process',
    remedy:
      'Run in the mount namespace of the host (nsenter --mount=/proc/1/ns/mnt), or mount bpffs there first.',
  },
  VMN_TUN_MISSING: {
    summary: '/dev/net/tun is missing or cannot be opened',
    remedy: 'Load the tun module (modprobe tun) and pass /dev/net/tun into the container if there is one.',
  },
  VMN_TAP_IN_USE: {
    summary: 'the tap device is held by another process',
    remedy: 'Stop the VM that uses it, or give this VM another name.',
  },
  VMN_TAP_NOT_OURS: {
    summary: 'an interface with this name exists and was not made by us',
    remedy: 'Remove or rename that interface; we only touch interfaces that carry our alias.',
  },
  VMN_QEMU_MISSING: {
    summary: 'QEMU was not found',
    remedy: 'Install it (apt-get install qemu-system-x86) or give the full path of the program.',
  },
  VMN_NFT_MISSING: {
    summary: 'the nft program was not found',
    remedy: 'Install nftables (apt-get install nftables).',
  },
  VMN_NFT_FAILED: {
    summary: 'nftables refused our rule set',
    remedy: 'Read the message of nft that follows; the previous rule set is still in force.',
  },
  VMN_KERNEL_FEATURE: {
    summary: 'this kernel lacks something that the filter needs',
    remedy: 'Use Linux 5.10 or newer as distributions build it; `vmnetctl doctor` shows what is missing.',
  },
  VMN_BPF_LOAD: {
    summary: 'the kernel refused the filter program',
    remedy: 'Run `vmnetctl doctor`; Linux 5.10 or newer is needed.',
  },
  VMN_BPF_ATTACH: {
    summary: 'the filter program could not be attached to the interface',
    remedy: 'Check that the interface still exists; the VM stays denied.',
  },
  VMN_BPF_MAP: {
    summary: 'a BPF map could not be created, read or written',
    remedy: 'Check memory limits (memory cgroup, RLIMIT_MEMLOCK); the policy in force is unchanged.',
  },
  VMN_TEST_RUN: {
    summary: 'the kernel could not try the filter on this frame',
    remedy: 'Have it judged by the same filter on the host: `vmnetctl explain --engine c`.',
  },
  VMN_READ_BACK: {
    summary: 'the kernel does not hold what was just written',
    remedy:
      'Another program may be changing the same interface; see the differing field. The VM is treated as denied.',
  },
  VMN_NETLINK: {
    summary: 'the kernel refused a link, route or neighbour request',
    remedy: 'See the attempted change and the error of the kernel in the message.',
  },
  VMN_VMS_UNSEEN: {
    summary: 'something of the VMs of this host cannot be seen, or not be told as it is',
    remedy:
      'See the message. What is not known to be a VM of some network is denied where its interface is managed.',
  },
  VMN_SYSCTL: {
    summary: 'a kernel setting under /proc/sys could not be read or written',
    remedy:
      "Make /proc/sys writable for the agent. In a container mount the host's /proc/sys/net read-write and name that place in VMNET_PROC_SYS_NET.",
  },
  VMN_POOL_EXHAUSTED: {
    summary: 'no guest address is left in the pool',
    remedy: 'Remove attachments that are no longer used, or give a larger --pool.',
  },
  VMN_STATE_UNREADABLE: {
    summary: 'a record in the state folder cannot be read',
    remedy: 'Restore the file or remove it together with the tap it names; its VM stays denied meanwhile.',
  },
  VMN_AGENT_RUNNING: {
    summary: 'another process has it',
    remedy: 'Stop the other agent first: one agent has a host, and one process at a time its folders.',
  },
  VMN_AGENT_UNREACHABLE: {
    summary: 'no agent answers on its socket',
    remedy:
      'Start vmnet-agent, or name its folder with --run-dir. VMs keep the filter that is in the kernel.',
  },
  VMN_API_UNREACHABLE: {
    summary: 'the API server does not answer, or refuses this agent',
    remedy:
      'Check the way to the API server and the rights of its credential; see the log. What it last said stays in force.',
  },
  VMN_NATIVE_MISSING: {
    summary: 'the native addon is not built',
    remedy: 'Run `make build`.',
  },
  VMN_NAT_UNREACHABLE: {
    summary: 'the userspace engine does not answer on its control socket',
    remedy: 'Start vmn-nat for this VM anew: the VM has no network while it does not run.',
  },
  VMN_NAT_REFUSED: {
    summary: 'the userspace engine refuses the request',
    remedy: 'The policy that was in force before still is. Give both halves the same version.',
  },
  VMN_SEED_IMAGE: {
    summary: 'these documents make no seed image',
    remedy: 'Correct the document that the message names.',
  },
  VMN_SEED_FILE: {
    summary: 'a file of a seed image cannot be written or removed',
    remedy: 'Make its folder writable and give it room; the image that was there before is unchanged.',
  },
  VMN_LISTEN: {
    summary: 'the address cannot be listened on',
    remedy: 'Give an address of this machine and a port that nobody listens on.',
  },
  VMN_USAGE: {
    summary: 'the command line is not understood',
    remedy: 'See --help.',
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;

export interface VmnErrorDetails {
  /** What was being done, as an infinitive without "to": `attach the filter`. */
  readonly attempted: string;
  /** The thing it was done on: an interface, a path, a field. */
  readonly on?: string | undefined;
  /** Replaces the general remedy of the code. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** The only error class that crosses a module boundary on purpose. `message` is one line and complete but for `cause`. */
export class VmnError extends Error {
  readonly code: ErrorCode;
  readonly attempted: string;
  readonly on?: string;
  readonly remedy: string;

  constructor(code: ErrorCode, details: VmnErrorDetails) {
    const on = details.on === undefined ? '' : ` (${details.on})`;
    const because = details.cause === undefined ? '' : `: ${causeMessage(details.cause)}`;
    super(`cannot ${details.attempted}${on}: ${ERRORS[code].summary}${because}`, { cause: details.cause });
    this.name = 'VmnError';
    this.code = code;
    this.attempted = details.attempted;
    if (details.on !== undefined) this.on = details.on;
    this.remedy = remedyOfExhaustion(details.cause) ?? details.remedy ?? ERRORS[code].remedy;
  }
}

/** Narrows; give `code` to ask for one in particular. */
export function isVmnError(error: unknown, code?: ErrorCode): error is VmnError {
  return error instanceof VmnError && (code === undefined || error.code === code);
}

/** By name of the errno. */
const EXHAUSTED: Readonly<Record<string, string>> = {
  EMFILE:
    'No file descriptor is left to this process: allow it more (LimitNOFILE= of its unit, `ulimit -n`). It is tried again by itself.',
  ENFILE: 'No file descriptor is left to this machine: raise fs.file-max. It is tried again by itself.',
  ENOMEM:
    'The kernel gave no memory: allow this process more (MemoryMax= of its unit, resources.limits of its pod; `ulimit -l` before ' +
    'Linux 5.11). It is tried again by itself.',
};

/** The remedy where something is used up, whatever was attempted; undefined where it is not that. */
export function remedyOfExhaustion(cause: unknown): string | undefined {
  return isExhaustion(cause) ? EXHAUSTED[cause.code] : undefined;
}

/** Whether a failure of the system says that something is used up. */
export function isExhaustion(cause: unknown): cause is { readonly code: string } {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return false;
  return typeof cause.code === 'string' && Object.hasOwn(EXHAUSTED, cause.code);
}

function causeMessage(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
