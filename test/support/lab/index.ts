export { Capture, capture } from './capture.ts';
export { mustRun, runCommand, type CommandOptions, type CommandResult } from './command.ts';
export { Lab, type Cable, type NamespaceOptions } from './lab.ts';
export { Namespace } from './namespace.ts';
export { framesOfPcap } from './pcap.ts';
export { poll, type PollOptions } from './poll.ts';
export { startWireGuardGo } from './wireguard-go.ts';
