/** The contract between an agent and the controller about the Lease by which a host is heard. */
export const NODE_LEASE = {
  /** Before the name of the host. */
  prefix: 'node.',
  /** For how long an agent says that it is good; an agent that renews it not at all is silent after that. */
  seconds: 40,
} as const;
