/**
 * What an agent may have besides being root, and nothing else: what the systemd unit and the chart's DaemonSet grant, which a
 * test compares with this, and what the agent is tested with. `needed`: without it the agent does not start.
 */
export const AGENT_CAPABILITIES: readonly {
  readonly name: string;
  readonly needed: boolean;
  readonly purpose: string;
}[] = [
  { name: 'BPF', needed: true, purpose: 'filters and their maps' },
  { name: 'PERFMON', needed: true, purpose: 'the filter reads memory of the kernel' },
  { name: 'NET_ADMIN', needed: true, purpose: 'taps, routes, nftables, attaching filters' },
  { name: 'SYS_PTRACE', needed: false, purpose: 'which process holds a tap, and what it was started with' },
  { name: 'DAC_OVERRIDE', needed: false, purpose: 'monitors of QEMU that belong to other users' },
  { name: 'KILL', needed: false, purpose: 'ending a VM for its violations' },
  { name: 'SYS_ADMIN', needed: false, purpose: 'VMs in other network namespaces' },
];
