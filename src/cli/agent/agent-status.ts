import { z } from 'zod';
import type { DropEvent } from '../../agent/status/status.ts';
import { VmnError } from '../../lib/errors.ts';
import type { AgentSocket } from './agent-socket.ts';

/*
 * The agent's answers, checked where they come in. Open to fields and values that a newer agent may add; `-o json`
 * passes them on.
 */

const pair = <T extends z.ZodType>(of: T) => z.object({ fromVm: of, toVm: of });

const conditionSchema = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string(),
  message: z.string(),
});

const networkSchema = z.looseObject({
  namespace: z.string(),
  name: z.string(),
  file: z.string(),
  generation: z.number(),
  mode: z.string(),
  endpoint: z.object({ address: z.string(), port: z.number() }).nullable(),
  conditions: z.array(conditionSchema),
  attachments: z.array(z.string()),
});

const attachmentSchema = z.looseObject({
  vm: z.string(),
  network: z.string().nullable(),
  tap: z.string(),
  ifindex: z.number(),
  mac: z.string(),
  guestAddress: z.string().nullable(),
  state: z.string(),
  inUse: z.boolean(),
  enforced: z
    .looseObject({
      policyHash: z.string(),
      programTag: pair(z.string()).optional(),
      linkId: pair(z.number()).optional(),
      generation: z.number(),
      verifiedAt: z.string(),
    })
    .nullable(),
  /** An agent of an earlier version does not tell. */
  tunnel: z
    .looseObject({ status: z.string(), reason: z.string(), lastHandshake: z.string().exactOptional() })
    .exactOptional(),
  message: z.string(),
});

const problemSchema = z.looseObject({
  file: z.string(),
  line: z.number().optional(),
  document: z.number().optional(),
  object: z.string().optional(),
  field: z.string().optional(),
  value: z.string().optional(),
  message: z.string(),
  remedy: z.string(),
  code: z.string(),
});

const statusSchema = z.looseObject({
  agent: z.looseObject({
    version: z.string(),
    pid: z.number(),
    startedAt: z.string(),
    manifests: z.string().nullable(),
  }),
  networks: z.array(networkSchema),
  attachments: z.array(attachmentSchema),
  problems: z.array(problemSchema),
});

export type SeenStatus = z.infer<typeof statusSchema>;
export type SeenNetwork = z.infer<typeof networkSchema>;
export type SeenAttachment = z.infer<typeof attachmentSchema>;
export type SeenProblem = z.infer<typeof problemSchema>;

const dropEventSchema = z.looseObject({
  time: z.string(),
  vm: z.string(),
  network: z.string().nullable(),
  direction: z.enum(['from-vm', 'to-vm']),
  reason: z.string(),
  summary: z.string(),
  frameBytes: z.number(),
  kind: z.enum(['drop', 'violations']).exactOptional(),
  audited: z.boolean().exactOptional(),
}) satisfies z.ZodType<DropEvent>;

/** `GET /v1/status`. Throws VMN_AGENT_UNREACHABLE. */
export async function readAgentStatus(socket: AgentSocket, signal: AbortSignal): Promise<SeenStatus> {
  const parsed = statusSchema.safeParse(await socket.get('/v1/status', signal));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new VmnError('VMN_AGENT_UNREACHABLE', {
    attempted: "understand the agent's status",
    on: issue?.path.join('.'),
    remedy: 'Agent and vmnetctl are of different versions: use the vmnetctl that came with the agent.',
    cause: issue?.message,
  });
}

/** `GET /v1/events`: dropped frames as they come, until `signal`. A line that is not understood is passed over. */
export async function* readAgentEvents(
  socket: AgentSocket,
  signal: AbortSignal,
): AsyncGenerator<DropEvent, void, undefined> {
  for await (const line of socket.lines('/v1/events', signal)) {
    const parsed = dropEventSchema.safeParse(parseJson(line));
    if (parsed.success) yield parsed.data;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
